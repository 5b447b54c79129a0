package rooms

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"starling/node/api"
	"starling/node/api/mention"
	"starling/node/api/safetext"
	"starling/tui/chatview"
	"starling/tui/desk"
	"starling/tui/words"
)

// A Roster is the members of one room, by names that tell them apart: a name that looks
// like that of another member, or like ours, has digits of the member's ID behind it. It is
// the [chatview.Authors] of the room.
type Roster struct {
	// Known: the node has named the members.
	Known bool

	desk    *desk.Desk
	room    string
	us      string
	members []api.Member
	people  map[string]*person
	looks   map[string][]string // IDs of those inside, by the look of their names
	named   []mention.Member
}

// A person is a member, as they are shown.
type person struct {
	api.Member
	name, tag string
}

func newRoster(d *desk.Desk, room string) *Roster {
	return &Roster{desk: d, room: room, people: map[string]*person{}}
}

// take takes the members as the node has them.
func (r *Roster) take(members []api.Member) {
	r.Known, r.members, r.named = true, members, nil
	r.people, r.looks = map[string]*person{}, map[string][]string{}
	for _, m := range members {
		name := cleanName(m.Name)
		r.people[m.ID] = &person{Member: m, name: name}
		look := look(name)
		r.looks[look] = append(r.looks[look], m.ID)
		if m.Self {
			r.us = m.ID
		}
		if !m.Waiting && name != "" {
			r.named = append(r.named, mention.Member{ID: m.ID, Name: strings.TrimSpace(safetext.Line(m.Name.String()).String())})
		}
	}
	for _, p := range r.people {
		p.tag = r.tag(p.ID, p.name)
	}
}

// tag returns the digits that tell a member apart, "" if their name does.
func (r *Roster) tag(id, name string) string {
	l := look(name)
	others := r.looks[l]
	if id == r.us && id != "" {
		return ""
	}
	if len(others) == 0 || len(others) == 1 && others[0] == id {
		if !reserved[l] {
			return ""
		}
		others = nil
	}
	if id == "" {
		return ""
	}

	n := min(4, len(id))
	for n < len(id) {
		same := false
		for _, o := range others {
			same = same || o != id && strings.HasPrefix(o, id[:n])
		}
		if !same {
			break
		}
		n++
	}
	return "#" + id[:n]
}

// reserved are the looks of names that only we have.
var reserved = func() map[string]bool {
	out := map[string]bool{}
	for _, name := range append([]string{"", "you", "you to", "du", "ты", "вы", "me", "ich", "я", "Starling"}, api.SelfNames...) {
		out[look(name)] = true
	}
	return out
}()

// cleanName is the name of a member in one line, without anything that could pass for one
// of our marks.
func cleanName(name safetext.Text) string {
	return strings.TrimSpace(words.Name(&api.Contact{Name: name}))
}

// look is a name as it looks: without marks, in one case, with letters of other alphabets
// and digits that look like Latin letters as these.
func look(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(name)) {
		switch {
		case unicode.Is(unicode.Mn, r), unicode.IsSpace(r):
			continue
		case alike[r] != 0:
			r = alike[r]
		}
		b.WriteRune(r)
	}
	return b.String()
}

// alike are small letters and digits that look like Latin ones.
var alike = func() map[rune]rune {
	out := map[rune]rune{}
	for latin, others := range map[rune]string{
		'a': "аαɑ", 'b': "ьβ", 'c': "сϲ", 'd': "ԁ", 'e': "еєε", 'f': "ƒ", 'g': "ɡ", 'h': "һ", 'i': "іιıǀ", 'j': "јϳ", 'k': "кκ",
		'l': "1ӏ|", 'm': "м", 'n': "пη", 'o': "0оοσ", 'p': "рρ", 'q': "ԛ", 'r': "гɾ", 's': "ѕ$", 't': "тτ", 'u': "υ", 'v': "νѵ", 'w': "ԝω",
		'x': "хχ", 'y': "уγ", 'z': "ᴢ",
	} {
		for _, o := range others {
			out[o] = latin
		}
	}
	out['i'] = 'l' // as capitals they are one
	out['і'], out['ι'], out['ı'] = 'l', 'l', 'l'
	return out
}()

// Author returns the author of a message, as [chatview.Authors] has it.
func (r *Roster) Author(id string, from safetext.Text) chatview.Author {
	p := r.people[id]
	if p == nil {
		name := cleanName(from)
		p = &person{name: name}
		if r.Known {
			p.tag = r.tag(id, name)
		}
	}
	return chatview.Author{Name: r.shown(p.name), Tag: p.tag, Blocked: p.Blocked}
}

// shown is a name as it is drawn.
func (r *Roster) shown(name string) string {
	if name == "" {
		name = r.desk.T("unnamed")
	}
	return r.desk.Mask(r.desk.Theme.Cells.Steady(name))
}

// Name is the name of a member with the digits that tell them apart.
func (r *Roster) Name(id string, from safetext.Text) string {
	a := r.Author(id, from)
	return a.Name + a.Tag
}

// Mentions returns the places of a text that name somebody.
func (r *Roster) Mentions(text string) []chatview.Mention {
	var out []chatview.Mention
	for _, s := range mention.Find(text, r.named) {
		m := chatview.Mention{Span: s}
		for _, id := range s.Members {
			m.Us = m.Us || id == r.us
		}
		out = append(out, m)
	}
	return out
}

// A Candidate is a member that a text may name.
type Candidate struct{ Text, Label, Detail string }

// Candidates are the members with a word in their name that begins so.
func (r *Roster) Candidates(begins func(text string) bool) (out []Candidate) {
	for _, m := range r.members {
		p := r.people[m.ID]
		if m.Waiting || m.Self || p.name == "" || !begins(strings.ToLower(p.name)) {
			continue
		}
		for _, n := range r.named {
			if n.ID == m.ID {
				out = append(out, Candidate{Text: mention.Write(n, r.named) + " ", Label: r.shown(p.name) + p.tag, Detail: words.Role(r.desk.Theme, m.Role)})
			}
		}
	}
	return out
}

// Named are the others with a word in their name that begins so, as commands name them: by
// their ID if another one has the name.
func (r *Roster) Named(begins func(text string) bool) (out []Candidate) {
	for _, m := range r.members {
		p := r.people[m.ID]
		if m.Self || !begins(strings.ToLower(p.name)) {
			continue
		}
		c := Candidate{Text: p.name, Label: r.shown(p.name) + p.tag, Detail: words.Role(r.desk.Theme, m.Role)}
		if p.tag != "" || p.name == "" {
			c.Text = m.ID
		}
		if m.Waiting {
			c.Detail = r.desk.T("at the door")
		}
		out = append(out, c)
	}
	return out
}

// Member returns a member, nil if they are not in the room.
func (r *Roster) Member(id string) *api.Member {
	if p := r.people[id]; p != nil {
		return &p.Member
	}
	return nil
}

// Inside are those in the room, by role.
func (r *Roster) Inside() (all []api.Member) {
	for _, m := range r.members {
		if !m.Waiting {
			all = append(all, m)
		}
	}
	return all
}

// Us returns ourselves as a member, nil if that is not known.
func (r *Roster) Us() *api.Member { return r.Member(r.us) }

// waiting counts those at the door.
func (r *Roster) waiting() (n int) {
	for _, m := range r.members {
		if m.Waiting {
			n++
		}
	}
	return n
}
