// Package words holds the words that the screen and the line-by-line app share:
// names, errors, sizes, the way out, a safety number. It draws nothing.
package words

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"starling/node/api"
	"starling/node/api/filename"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/theme"
)

// Line is a text of one or more lines as one line.
func Line(t safetext.Text) string { return safetext.Line(t.String()).String() }

// Name is a contact's name without anything that could pass for one of our
// marks. It is empty if the contact has none.
func Name(c *api.Contact) string { return unmarked(c.Name) }

// unmarked is a text on one line without marks of ours.
func unmarked(t safetext.Text) string {
	out := []rune(Line(t))
	for i, r := range out {
		switch r {
		case '✓', '✔', '✅', '☑', '🗸', '⁂':
			out[i] = '·'
		}
	}
	return string(out)
}

// File is the name of a file, in the form in which it is saved.
func File(f *api.File) string { return filename.Clean(f.Name.String()) }

// Error puts an error into words: the fault and the remedy. Nothing is said of
// work that was given up on purpose.
func Error(w *catalogue.Catalogue, err error) string {
	if err == nil || errors.Is(err, context.Canceled) {
		return ""
	}

	text := catalogue.Sentence(w.Text(err.Error()))
	var e *api.Error
	if errors.As(err, &e) && e.Hint != "" {
		text = strings.TrimRight(text, ". ") + ". " + catalogue.Sentence(w.Text(e.Hint))
	}
	return safetext.Line(text).String()
}

// Standing is the state of a contact in a word or two.
func Standing(th *theme.Theme, c *api.Contact) string {
	switch {
	case c.ID == api.Self:
		return th.T("stays here")
	case c.Room != nil && c.Room.State != api.RoomReady:
		return RoomState(th, c.Room.State)
	case c.Room != nil:
		return th.N(c.Room.Members, "%d member", "%d members")
	case c.Blocked:
		return th.T("blocked")
	case c.State == api.ContactPending:
		return th.T("pending")
	case c.Verified:
		return th.T("verified")
	}
	return th.T("not verified")
}

// Route is the way out by its stations.
func Route(th *theme.Theme, s *api.Status) string {
	if s.Hops <= 0 {
		return th.T("direct, no relay hides your address")
	}
	way := []string{th.T("you"), th.T("guard")}
	for range s.Hops - 1 {
		way = append(way, th.T("mix"))
	}
	return strings.Join(append(way, th.T("mailbox")), " → ")
}

// Guards is the number of connected guards, and of all.
func Guards(th *theme.Theme, s *api.Status) string {
	n := 0
	for _, g := range s.Guards {
		if g.Connected {
			n++
		}
	}
	return th.T("%d of %d", n, len(s.Guards))
}

// Unsent says how many messages have not left this computer, and what becomes of them;
// "" if there are none.
func Unsent(th *theme.Theme, s *api.Status) string {
	n := s.Outbox.Waiting()
	if n == 0 {
		return ""
	}
	return th.N(n, "%d message has not left yet. It waits here and leaves when Starling runs.", "%d messages have not left yet. They wait here and leave when Starling runs.")
}

// Bytes is an amount of bytes, in the units in which the limits are told.
func Bytes(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// Digits is a safety number in groups of five digits.
func Digits(s string) []string {
	s = strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)

	var out []string
	for len(s) > 5 {
		out = append(out, s[:5])
		s = s[5:]
	}
	return append(out, s)
}

// Message is the message that an event tells of.
func Message(ev *api.Event) api.Message {
	if ev.Message != nil {
		return *ev.Message
	}

	m := api.Message{
		ID: ev.ID, Conversation: ev.Conversation, Outgoing: ev.Outgoing,
		Time: ev.Time, State: ev.State, Reason: ev.Reason,
	}
	if ev.From != nil {
		m.From = *ev.From
	}
	if ev.Text != nil {
		m.Text = *ev.Text
	}
	return m
}

// NewID is a new name for a message. The node takes a message of one name
// once, however often it is handed over.
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Lines is the body of a card: texts, wrapped, each a paragraph.
func Lines(texts ...string) func(th *theme.Theme, width, height int) []string {
	return func(th *theme.Theme, width, _ int) (out []string) {
		for _, t := range texts {
			out = append(out, th.Cells.Wrap(t, width)...)
		}
		return out
	}
}

// Quoted is a path as a shell takes it.
func Quoted(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool {
		return !(r == '/' || r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
	}) {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// Absolute is a path as the node takes it, which has a working directory of
// its own. ~ is the person's home.
func Absolute(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
