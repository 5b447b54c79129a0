package tui

import (
	"context"
	"crypto/subtle"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/dialog"
	"starling/tui/theme"
	"starling/tui/words"
)

const (
	safetyDigits = 60
	// codeScheme begins what a scanner reads from a verification QR code.
	codeScheme = "starling-verify:"
)

type (
	// compareAction asks for what the other side shows.
	compareAction struct {
		contact, name string
		v             api.Verification
	}
	// comparedAction shows what came of it.
	comparedAction struct {
		compareAction
		match bool
	}
)

func (a *App) loadVerification(contact string) tea.Cmd {
	return a.call(func(ctx context.Context) tea.Msg {
		v, err := a.node.Verification(ctx, contact)
		return verificationMsg{contact, v, err}
	})
}

func (a *App) gotVerification(msg verificationMsg) tea.Cmd {
	c := a.contact(msg.contact)
	if msg.err != nil || c == nil {
		return a.fail(msg.err)
	}
	name := a.nameOf(c)
	card := &dialog.Card{Title: a.t("Verify %s", name), Width: 70}
	card.Body = func(th *theme.Theme, width, height int) []string {
		return verificationBody(th, msg.v, name, width, height)
	}
	closing := dialog.Button{Label: "Close", Key: "esc", Action: dialog.Close{}}
	if msg.v.Verified {
		card.Buttons = []dialog.Button{closing, {Label: "Not verified after all", Key: "u", Action: verifyAction{c.ID, ""}}}
	} else {
		card.Buttons = []dialog.Button{{Label: "The numbers match", Key: "m", Action: verifyAction{c.ID, msg.v.SafetyNumber}}, closing}
	}
	card.Buttons = append(card.Buttons, dialog.Button{Label: "Compare by paste", Key: "c", Action: compareAction{c.ID, name, msg.v}})
	if msg.v.Code != "" {
		card.Buttons = append(card.Buttons, dialog.Button{Label: "QR alone", Key: "f", Action: showQR{msg.v.Code}})
	}
	a.dialogs.Open(card)
	return nil
}

func (a *App) setVerified(v verifyAction) tea.Cmd {
	note := pick(v.seen != "", a.t("Marked as verified."), a.t("No longer marked as verified."))
	return a.ask(func(ctx context.Context) resultMsg {
		c, err := a.node.SetVerified(ctx, v.contact, v.seen)
		return resultMsg{err: err, contact: &c, note: note}
	})
}

// openCompare asks for the other side's numbers or code.
func (a *App) openCompare(c compareAction) {
	form := &dialog.Form{
		Title: a.t("Compare with %s", c.name),
		Intro: a.t("Type or paste the numbers that %s sees, or what your scanner read from their QR code. Take it from their screen or their voice; in a message of this conversation it proves nothing.", c.name),
		Label: "Compare",
	}
	theirs := &dialog.Field{Label: "Theirs"}
	theirs.Text.OneLine, theirs.Text.Limit = true, 512
	theirs.Text.Placeholder = a.t("60 digits, or %s…", codeScheme)
	form.Fields = []*dialog.Field{theirs}
	form.Submit = func() any {
		match, wrong := compareWith(a.th.Words, c.v, theirs.Text.Value())
		if wrong != "" {
			form.Error = wrong
			return nil
		}
		return comparedAction{c, match}
	}
	a.dialogs.Open(form)
}

// compareWith compares what we have with what was typed. It says what is
// wrong if that is neither whole numbers nor a code.
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

// openCompared shows what came of a comparison.
func (a *App) openCompared(c comparedAction) {
	word, role, text := a.t("does not match"), a.th.Bad, a.t(warnMismatch)
	buttons := []dialog.Button{
		{Label: "Compare again", Key: "c", Action: c.compareAction},
		{Label: "Close", Key: "esc", Action: dialog.Close{}},
	}
	if c.match {
		word, role = a.t("match"), a.th.Good
		text = a.t("What you entered is what you have here. If it came from %s on a way that nobody can forge, nobody sits between you.", c.name)
		buttons[0] = dialog.Button{Label: "Mark as verified", Key: "m", Action: verifyAction{c.contact, c.v.SafetyNumber}}
	}
	a.dialogs.Open(&dialog.Card{
		Title: a.t("Compared with %s", c.name),
		Width: 48,
		Body: func(th *theme.Theme, width, _ int) []string {
			return append([]string{th.Cells.Center(role.Render(word), width), ""}, th.Cells.Wrap(text, width)...)
		},
		Buttons: buttons,
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
	small := height < 12
	if small {
		numbers() // what matters most
	}
	wrap(th.T("Compare these numbers with %s, face to face or in a call where you know the voice. Both of you see the same twelve groups if nobody sits between you.", name))
	out = append(out, "")
	if !small {
		numbers()
	}
	wrap(th.T(warnMismatch))
	return out
}
