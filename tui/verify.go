package tui

import (
	"context"
	"crypto/subtle"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/desk"
	"starling/tui/dialog"
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

// verify shows the numbers of a contact, to be compared.
func (c *contacts) verify(id string) tea.Cmd {
	return desk.Ask(c.desk, func(ctx context.Context) (api.Verification, error) {
		return c.desk.Node.Verification(ctx, id)
	}, func(v api.Verification, err error) tea.Cmd {
		p := c.get(id)
		if err != nil || p == nil {
			return c.desk.Fail(err)
		}
		c.showNumbers(comparison{contact: id, name: c.desk.Name(p), v: v})
		return nil
	})
}

// verifyMeant shows the numbers of the contact that is meant.
func (c *contacts) verifyMeant() tea.Cmd {
	p := c.meant()
	if p == nil {
		return c.desk.Say("There is no contact yet.")
	}
	return c.verify(p.ID)
}

// A comparison is of the numbers here with those that the contact sees.
type comparison struct {
	contact, name string
	v             api.Verification
}

// showNumbers shows the numbers here.
func (c *contacts) showNumbers(x comparison) {
	card := &dialog.Card{Title: c.desk.T("Verify %s", x.name), Width: 70}
	card.Body = func(th *theme.Theme, width, height int) []string {
		return verificationBody(th, x.v, x.name, width, height)
	}

	closing := dialog.Button{Label: "Close", Key: "esc", Action: dialog.Close}
	if x.v.Verified {
		card.Buttons = []dialog.Button{closing, {Label: "Not verified after all", Key: "u", Action: c.mark(x.contact, "")}}
	} else {
		card.Buttons = []dialog.Button{{Label: "The numbers match", Key: "m", Action: c.mark(x.contact, x.v.SafetyNumber)}, closing}
	}
	card.Buttons = append(card.Buttons, dialog.Button{Label: "Compare by paste", Key: "c", Action: c.asking(x)})
	if x.v.Code != "" {
		card.Buttons = append(card.Buttons, dialog.Button{Label: "QR alone", Key: "f", Action: showQR(c.desk, x.v.Code)})
	}
	c.desk.Dialogs.Open(card)
}

// mark marks a contact as verified with the numbers that were seen, or takes
// the mark back if there are none.
func (c *contacts) mark(id, seen string) dialog.Action {
	note := pick(seen != "", c.desk.T("Marked as verified."), c.desk.T("No longer marked as verified."))
	return dialog.Closing(func() tea.Cmd {
		return c.change(nil, "", func(ctx context.Context) (api.Contact, error) {
			return c.desk.Node.SetVerified(ctx, id, seen)
		}, note)
	})
}

// asking asks for the other side's numbers or code.
func (c *contacts) asking(x comparison) dialog.Action {
	return dialog.Closing(func() tea.Cmd {
		c.ask(x)
		return nil
	})
}

func (c *contacts) ask(x comparison) {
	form := &dialog.Form{
		Title: c.desk.T("Compare with %s", x.name),
		Intro: c.desk.T("Type or paste the numbers that %s sees, or what your scanner read from their QR code. Take it from their screen or their voice; in a message of this conversation it proves nothing.", x.name),
		Label: "Compare",
	}
	theirs := lineField(catalogue.Mark("Theirs"), "", maxTheirs)
	theirs.Text.Placeholder = c.desk.T("60 digits, or %s…", codeScheme)

	form.Fields = []*dialog.Field{theirs}
	form.Submit = func() dialog.Action {
		match, wrong := compareWith(c.desk.Theme.Words, x.v, theirs.Text.Value())
		if wrong != "" {
			form.Error = wrong
			return dialog.Action{}
		}
		return dialog.Closing(func() tea.Cmd {
			c.showResult(x, match)
			return nil
		})
	}
	c.desk.Dialogs.Open(form)
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
func (c *contacts) showResult(x comparison, match bool) {
	th := c.desk.Theme
	word, role, text := c.desk.T("does not match"), th.Bad, c.desk.T(warnMismatch)
	first := dialog.Button{Label: "Compare again", Key: "c", Action: c.asking(x)}
	if match {
		word, role = c.desk.T("match"), th.Good
		text = c.desk.T("What you entered is what you have here. If it came from %s on a way that nobody can forge, nobody sits between you.", x.name)
		first = dialog.Button{Label: "Mark as verified", Key: "m", Action: c.mark(x.contact, x.v.SafetyNumber)}
	}

	c.desk.Dialogs.Open(&dialog.Card{
		Title: c.desk.T("Compared with %s", x.name),
		Width: 48,
		Body: func(th *theme.Theme, width, _ int) []string {
			return append([]string{th.Cells.Center(role.Render(word), width), ""}, th.Cells.Wrap(text, width)...)
		},
		Buttons: []dialog.Button{first, {Label: "Close", Key: "esc", Action: dialog.Close}},
	})
}

var warnMismatch = catalogue.Mark("If one differs, somebody may be reading along: do not write, and make a new contact from a new invite.")

// verificationBody shows the safety number in twelve groups and, where there
// is room, the same as a QR code beside it.
func verificationBody(th *theme.Theme, v api.Verification, name string, width, height int) []string {
	const gap = 3
	var code []string
	if v.Code != "" {
		code = drawQR(th, v.Code, 2)
	}

	if len(code) > 0 {
		w := th.Cells.Width(code[0])
		if room := width - w - gap; room >= 30 && len(code)+2 <= height {
			side := verificationText(th, v, name, room, height)
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
	return verificationText(th, v, name, width, height)
}

func verificationText(th *theme.Theme, v api.Verification, name string, width, height int) []string {
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
		for row := range slices.Chunk(words.Digits(v.SafetyNumber), per) {
			out = append(out, th.Cells.Center(th.Title.Render(strings.Join(row, "   ")), width))
		}
		out = append(out, "")
	}

	if v.Verified {
		for _, l := range th.Cells.Wrap(theme.GlyphVerified+" "+th.T("You have verified %s.", name), width) {
			out = append(out, th.Good.Render(l))
		}
		out = append(out, "")
	}

	// Where there is little room, the numbers come first.
	small := height < 12
	if small {
		numbers()
	}
	wrap(th.T("Compare these numbers with %s, face to face or in a call where you know the voice. Both of you see the same twelve groups if nobody sits between you.", name))
	out = append(out, "")
	if !small {
		numbers()
	}
	wrap(th.T(warnMismatch))
	return out
}
