// Package dayone is the page of a profile that knows nobody yet: the few things that one
// can begin with, each a key away. A digit does one, and so do the arrows and enter; a
// link that is pasted is taken for an invite.
package dayone

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/tui/catalogue"
	"starling/tui/conversation"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/theme"
)

// A Step is something to begin with.
type Step struct {
	// Label says it, as in a sentence that began with "you can". Key does it elsewhere in
	// the app, "" if none does.
	Label, Key string
	Do         func() tea.Cmd
}

// Page is the page. It belongs to the goroutine of the screen.
type Page struct {
	// Steps are at most nine.
	Steps []Step

	desk *desk.Desk
	at   int
	rows map[int]int // of the last drawing: row → step
}

// New returns a page without steps.
func New(d *desk.Desk) *Page { return &Page{desk: d} }

// Key moves on the page or does a step; false: it is no key of the page.
func (p *Page) Key(k tea.KeyPressMsg) (tea.Cmd, bool) {
	n := len(p.Steps)
	if n == 0 {
		return nil, false
	}
	switch key := k.Keystroke(); key {
	case "down", "j", "tab":
		p.at = (p.at + 1) % n
	case "up", "k", "shift+tab":
		p.at = (p.at + n - 1) % n
	case "enter", "space":
		return p.Steps[p.at].Do(), true
	default:
		if i := strings.IndexAny(key, "123456789"); len(key) != 1 || i != 0 || int(key[0]-'1') >= n {
			return nil, false
		}
		p.at = int(key[0] - '1')
		return p.Steps[p.at].Do(), true
	}
	return nil, true
}

// Click does the step in a row of the last drawing.
func (p *Page) Click(row int) tea.Cmd {
	i, ok := p.rows[row]
	if !ok || i >= len(p.Steps) {
		return nil
	}
	p.at = i
	return p.Steps[i].Do()
}

// width is how wide the page would like to be.
const width = 58

// Draw draws the page in a pane: a greeting, the steps, and why nothing can leave yet.
// Where there is little room the steps are all.
func (p *Page) Draw(name, waits string, w, h int) []string {
	th, t := p.desk.Theme, p.desk.T
	wrap := min(w-4, width)
	hello := t("Welcome.")
	if name != "" {
		hello = t("Welcome, %s.", name)
	}

	var head, foot []string
	head = append(head, th.Title.Render(th.Cells.Truncate(hello, wrap)), "")
	for _, l := range th.Cells.Wrap(t("There is no directory to search. Two people meet by an invite that one gives to the other."), wrap) {
		head = append(head, th.Muted.Render(l))
	}
	head = append(head, "")
	if waits != "" {
		foot = append(foot, "")
		for _, l := range th.Cells.Wrap(theme.GlyphWaiting+" "+t("waiting: %s", waits), wrap) {
			foot = append(foot, th.Warn.Render(l))
		}
	}

	if room := h - len(p.Steps); len(head)+len(foot) > room {
		if foot = nil; len(head) > room {
			head = head[:max(1, min(2, room))]
		}
	}
	h -= len(head)

	// The step that enter does is in view.
	from := 0
	if h < len(p.Steps) {
		from = max(0, min(p.at-h/2, len(p.Steps)-h))
	}
	first := len(head)
	lines := head
	for i := from; i < min(len(p.Steps), from+h); i++ {
		lines = append(lines, p.step(i, wrap))
	}
	lines = append(lines, foot...)

	h += len(head)
	out := conversation.Middle(lines, w, h, wrap)
	p.rows = map[int]int{}
	above := len(out) - min(len(out), len(lines))
	for i := range min(len(p.Steps)-from, max(0, h-first)) {
		p.rows[above+first+i] = from + i
	}
	return out
}

// Row is the row of the selected step in the last drawing, -1 if it is not there.
func (p *Page) Row() int {
	for row, i := range p.rows {
		if i == p.at {
			return row
		}
	}
	return -1
}

func (p *Page) step(i, wrap int) string {
	th, s := p.desk.Theme, p.Steps[i]
	mark, label := "  ", p.desk.T(s.Label)
	key := s.Key
	if th.Cells.Width(label)+th.Cells.Width(key)+6 > wrap {
		key = ""
	}
	if i == p.at {
		mark = th.Accent.Render(theme.GlyphBar) + " "
		label = th.Title.Render(th.Cells.Truncate(label, wrap-4))
	} else {
		label = th.Cells.Truncate(label, wrap-4)
	}
	return th.Cells.Ends(mark+th.Accent.Render(fmt.Sprint(i+1))+" "+label, th.Muted.Render(key), wrap)
}

// invite says what an invite is.
var invite = []string{
	catalogue.Mark("An invite is a link, or the same as a QR code. It makes one contact, once, and is then used up. Whoever has it first becomes that contact: give it to one person, in a way that others do not read."),
	catalogue.Mark("You make one and hand it over; or somebody gives you theirs, and you paste it on this page. Of a QR code, read it with a phone and paste the text, which begins with \"starling:\"."),
	catalogue.Mark("It brings the address of a relay along, so that a new profile needs no other. Later the two of you compare safety numbers, to be sure that nobody stood between."),
}

// Explain opens a card that says what an invite is.
func Explain(d *desk.Desk) tea.Cmd {
	d.Dialogs.Open(&dialog.Card{
		Title: catalogue.Mark("What an invite is"), Width: 60,
		Body: func(th *theme.Theme, width, _ int) (out []string) {
			for i, text := range invite {
				if i > 0 {
					out = append(out, "")
				}
				out = append(out, th.Cells.Wrap(th.T(text), width)...)
			}
			return out
		},
		Buttons: []dialog.Button{{Label: "Close", Key: "esc", Action: dialog.Close}},
	})
	return nil
}
