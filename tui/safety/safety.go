// Package safety is the comparison of safety numbers: what both sides see, shown to be
// compared by eye, by paste or by a QR code, and the result noted.
package safety

import (
	"crypto/subtle"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/qrcode"
	"starling/tui/theme"
	"starling/tui/words"
)

const (
	safetyDigits = 60
	// codeScheme begins the text of a verification QR code.
	codeScheme = "starling-verify:"
	// maxTheirs is the most that is taken of the other side's, in bytes.
	maxTheirs = 512
)

// A Comparison is of the numbers here with those that somebody else sees.
type Comparison struct {
	Name   string // as it is shown
	Member bool   // of a room
	api.Verification
	// Mark notes them as verified with the numbers that were seen, or no longer if there
	// are none.
	Mark func(seen string) tea.Cmd

	desk *desk.Desk
}

// Compare shows the numbers here.
func Compare(d *desk.Desk, x Comparison) {
	x.desk = d
	card := &dialog.Card{Title: d.T("Verify %s", x.Name), Width: 70}
	card.Body = func(th *theme.Theme, width, height int) []string {
		return x.body(th, width, height)
	}

	closing := dialog.Button{Label: "Close", Key: "esc", Action: dialog.Close}
	if x.Verified {
		card.Buttons = []dialog.Button{closing, {Label: "Not verified after all", Key: "u", Action: x.mark("")}}
	} else {
		card.Buttons = []dialog.Button{{Label: "The numbers match", Key: "m", Action: x.mark(x.SafetyNumber)}, closing}
	}
	card.Buttons = append(card.Buttons, dialog.Button{Label: "Compare by paste", Key: "c", Action: x.asking()})
	if x.Code != "" {
		card.Buttons = append(card.Buttons, dialog.Button{Label: "QR alone", Key: "f", Action: qrcode.Show(d, x.Code)})
	}
	d.Dialogs.Open(card)
}

// mark notes the result.
func (x Comparison) mark(seen string) dialog.Action {
	return dialog.Closing(func() tea.Cmd { return x.Mark(seen) })
}

// asking asks for the other side's numbers or code.
func (x Comparison) asking() dialog.Action {
	return dialog.Closing(func() tea.Cmd {
		x.ask()
		return nil
	})
}

func (x Comparison) ask() {
	form := &dialog.Form{
		Title: x.desk.T("Compare with %s", x.Name),
		Intro: x.desk.T("Type or paste the numbers that %s sees, or what your scanner read from their QR code. Take it from their screen or their voice; in a message of this conversation it proves nothing.", x.Name),
		Label: "Compare",
	}
	theirs := &dialog.Field{Label: "Theirs"}
	theirs.Text.OneLine, theirs.Text.Limit = true, maxTheirs
	theirs.Text.Placeholder = x.desk.T("60 digits, or %s…", codeScheme)

	form.Fields = []*dialog.Field{theirs}
	form.Submit = func() dialog.Action {
		match, wrong := compareWith(x.desk.Theme.Words, x.Verification, theirs.Text.Value())
		if wrong != "" {
			form.Error = wrong
			return dialog.Action{}
		}
		return dialog.Closing(func() tea.Cmd {
			x.showResult(match)
			return nil
		})
	}
	x.desk.Dialogs.Open(form)
}

// compareWith compares our numbers with those typed. It names the fault if these
// are neither whole numbers nor a code.
func compareWith(w *catalogue.Catalogue, v api.Verification, theirs string) (match bool, wrong string) {
	theirs = strings.ToLower(strings.Join(strings.Fields(theirs), ""))
	same := func(x, y string) bool { return subtle.ConstantTimeCompare([]byte(x), []byte(y)) == 1 }
	if strings.HasPrefix(theirs, codeScheme) {
		code := strings.ToLower(v.Code)
		switch {
		case code == "":
			return false, w.Text("There is no code here to compare with. Type the 60 digits.")
		case len(theirs) != len(code):
			return false, w.Sprintf("A code has %d characters, this has %d. Scan it again.", len(code), len(theirs))
		}
		return same(theirs, code), ""
	}
	theirs = strings.NewReplacer("-", "", ".", "", ",", "").Replace(theirs)
	if theirs == "" || strings.Trim(theirs, "0123456789") != "" {
		return false, w.Sprintf("Type the 60 digits, or paste a code that begins with \"%s\".", codeScheme)
	}
	if len(theirs) != safetyDigits {
		return false, w.Sprintf("There are %d digits, this has %d.", safetyDigits, len(theirs))
	}
	return same(theirs, strings.Join(words.Digits(v.SafetyNumber), "")), ""
}

// showResult shows the result of a comparison.
func (x Comparison) showResult(match bool) {
	th := x.desk.Theme
	word, role, text := x.desk.T("does not match"), th.Bad, x.desk.T(x.mismatch())
	first := dialog.Button{Label: "Compare again", Key: "c", Action: x.asking()}
	if match {
		word, role = x.desk.T("match"), th.Good
		text = x.desk.T("What you entered is what you have here. If it came from %s on a way that nobody can forge, nobody sits between you.", x.Name)
		first = dialog.Button{Label: "Mark as verified", Key: "m", Action: x.mark(x.SafetyNumber)}
	}

	x.desk.Dialogs.Open(&dialog.Card{
		Title: x.desk.T("Compared with %s", x.Name),
		Width: 48,
		Body: func(th *theme.Theme, width, _ int) []string {
			return append([]string{th.Cells.Center(role.Render(word), width), ""}, th.Cells.Wrap(text, width)...)
		},
		Buttons: []dialog.Button{first, {Label: "Close", Key: "esc", Action: dialog.Close}},
	})
}

// mismatch is the meaning of other numbers, and the remedy.
func (x Comparison) mismatch() string {
	if x.Member {
		return catalogue.Mark("If one differs, somebody else may be in the room under this name: ask the owner or an admin, on another way, to remove them.")
	}
	return catalogue.Mark("If one differs, somebody may be reading along: do not write, and make a new contact from a new invite.")
}

// body shows the safety number in twelve groups and, where there
// is room, the same as a QR code beside it.
func (x Comparison) body(th *theme.Theme, width, height int) []string {
	const gap = 3
	var code []string
	if x.Code != "" {
		code = qrcode.Draw(th, x.Code, 2)
	}

	if len(code) > 0 {
		w := th.Cells.Width(code[0])
		if room := width - w - gap; room >= 30 && len(code)+2 <= height {
			side := x.text(th, room, height)
			out := make([]string, 0, len(code))
			for i := range max(len(code), len(side)) {
				left, right := th.Cells.Fit("", w), ""
				if i < len(code) {
					left = code[i]
				}
				if i < len(side) {
					right = side[i]
				}
				out = append(out, left+th.Cells.Fit("", gap)+right)
			}
			return out
		}
	}
	return x.text(th, width, height)
}

func (x Comparison) text(th *theme.Theme, width, height int) []string {
	var out []string
	wrap := func(text string) {
		for _, l := range th.Cells.Wrap(text, width) {
			out = append(out, th.Muted.Render(l))
		}
	}

	numbers := func() {
		per := 4
		if width < 4*5+3*3 {
			per = 3
		}
		for row := range slices.Chunk(words.Digits(x.SafetyNumber), per) {
			out = append(out, th.Cells.Center(th.Title.Render(strings.Join(row, "   ")), width))
		}
		out = append(out, "")
	}

	if x.Verified {
		for _, l := range th.Cells.Wrap(theme.GlyphVerified+" "+th.T("You have verified %s.", x.Name), width) {
			out = append(out, th.Good.Render(l))
		}
		out = append(out, "")
	}

	// Where there is little room, the numbers come first.
	small := height < 12
	if small {
		numbers()
	}
	wrap(th.T("Compare these numbers with %s, face to face or in a call where you know the voice. Both of you see the same twelve groups if nobody sits between you.", x.Name))
	out = append(out, "")
	if !small {
		numbers()
	}
	wrap(th.T(x.mismatch()))
	return out
}
