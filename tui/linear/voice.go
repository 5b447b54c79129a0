package linear

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/theme"
	"starling/tui/words"
)

// voice reads out. It gives each message a number that commands refer to,
// and says nothing while it is locked.
type voice struct {
	now func() time.Time
	th  *theme.Theme // of no colours, for its language

	mu       sync.Mutex // guards the rest, and the order of lines
	out      io.Writer
	people   []api.Contact
	self     api.Contact // the note to self
	current  string
	numbered []string               // IDs of the messages as they were read out
	numbers  map[string]int         // and back, from 1
	messages map[string]api.Message // as they were read out
	crowd    crowd
	early    map[string]bool      // rooms of which it was read out that something came ahead
	wrote    map[string]time.Time // when a contact was last said to be writing
	delays   map[string]string    // why messages to somebody wait, as it was read out last
	hidden   bool
	locked   bool
	missed   int // messages that came while it was locked
	ready    bool
	reason   string
	told     bool // the network was spoken of
}

func newVoice(th *theme.Theme, now func() time.Time, out io.Writer) *voice {
	return &voice{
		now: now, th: th, out: out,
		numbers: map[string]int{}, messages: map[string]api.Message{}, wrote: map[string]time.Time{}, early: map[string]bool{}, delays: map[string]string{}, crowd: newCrowd(),
	}
}

func (v *voice) t(english string, args ...any) string { return v.th.T(english, args...) }
func (v *voice) n(n int, one, many string) string     { return v.th.N(n, one, many) }

// say prints one text of ours, in the person's language; its arguments are
// safe text.
func (v *voice) say(english string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.print(english, args...)
}

func (v *voice) print(english string, args ...any) {
	if !v.locked {
		v.write(v.t(english, args...))
	}
}

func (v *voice) write(text string) {
	text = safetext.Clean(text).String()
	fmt.Fprintln(v.out, strings.ReplaceAll(text, "\n", "\n  "))
}

// about is the state of a contact and its conversation, in words.
func (v *voice) about(c *api.Contact) string {
	said := []string{words.Standing(v.th, c)}
	if c.Room != nil {
		said[0] = v.t("room") + ", " + v.standing(c.Room)
	}
	add := func(cond bool, word string) {
		if cond {
			said = append(said, word)
		}
	}
	if c.Unread > 0 {
		add(true, v.n(c.Unread, "%d new", "%d new"))
	}
	add(c.Pinned, v.t("pinned"))
	add(c.MutedUntil.After(v.now()), v.t("muted"))
	add(c.Archived, v.t("archived"))
	add(c.Timer > 0, v.t("disappears"))
	return strings.Join(said, ", ")
}

func (v *voice) contact(id string) *api.Contact {
	if id == api.Self && v.self.ID != "" {
		return &v.self
	}
	for i := range v.people {
		if v.people[i].ID == id {
			return &v.people[i]
		}
	}
	return nil
}

// name is a contact's name, or its number if names are hidden.
func (v *voice) name(c *api.Contact) string {
	if c.ID == api.Self {
		return v.t("Note to self")
	}
	if !v.hidden {
		if name := words.Name(c); name != "" {
			return name
		}
		return v.t("unnamed")
	}
	for i := range v.people {
		if v.people[i].ID == c.ID {
			return v.t("contact %d", i+1)
		}
	}
	return v.t("a contact")
}

func (v *voice) nameOf(id string) string {
	if c := v.contact(id); c != nil {
		return v.name(c)
	}
	return v.t("somebody")
}

// author names the author of a message of another person.
func (v *voice) author(m *api.Message) string {
	switch {
	case m.Room == "":
		return v.nameOf(m.Conversation)
	case v.hidden:
		return v.t("somebody")
	}
	return words.Member(&api.Member{ID: m.Member, Name: m.From})
}

// veiled is a text that may be hidden.
func (v *voice) veiled(t safetext.Text) string {
	if v.hidden {
		return v.t("(hidden)")
	}
	return words.Line(t)
}

// shown is name for callers that do not hold the lock.
func (v *voice) shown(c *api.Contact) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.name(c)
}
