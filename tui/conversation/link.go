package conversation

import (
	"context"
	"errors"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/chatview"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/doors"
	"starling/tui/link"
	"starling/tui/opener"
	"starling/tui/rooms"
	"starling/tui/theme"
	"starling/tui/words"
)

func linked(m *api.Message) bool {
	return answerable(m) && len(chatview.Addresses(m.Text.String())) > 0
}

// Link offers to open an address of a message.
func (a *Actions) Link() tea.Cmd {
	m, ok := a.meant(linked)
	if !ok || a.desk.Hidden {
		return a.desk.Say("There is no web address here.")
	}
	all := chatview.Addresses(m.Text.String())
	if len(all) == 1 {
		return a.askOpen(all[0])
	}

	var choices []dialog.Choice
	for _, address := range all {
		choices = append(choices, dialog.Choice{
			Label: a.desk.Theme.Cells.Steady(address), Detail: noted(a.desk.Theme, address),
			Action: dialog.Closing(func() tea.Cmd { return a.askOpen(address) }),
		})
	}
	a.desk.Dialogs.Open(dialog.NewPicker("Which address?", a.desk.T("type a few letters"), "No such address.", choices))
	return nil
}

// noted is a mark for an address that is not what it looks like.
func noted(th *theme.Theme, address string) string {
	if l, err := link.Parse(address); err == nil && !l.Plain() && words.Note(th, &l) != "" {
		return theme.GlyphNotice
	}
	return ""
}

// askOpen shows an address whole, and what in it deceives, before it is opened. An invite
// is used instead.
func (a *Actions) askOpen(address string) tea.Cmd {
	if len(address) > len(inviteScheme) && strings.EqualFold(address[:len(inviteScheme)], inviteScheme) {
		return a.Accept(address)
	}
	if room, ok := rooms.Link(address); ok && strings.HasPrefix(strings.ToLower(address), "starling-room:") {
		return a.book.Rooms.Look(room)
	}
	if doors.Is(address) {
		return doors.Offer(a.desk, address)
	}
	l, err := link.Parse(address)
	if err != nil {
		return a.desk.Complain("This is not opened: %s.", a.desk.T(err.Error()))
	}

	a.desk.Dialogs.Open(&dialog.Card{
		Title: a.desk.T("Open %s?", l.Host), Width: 72,
		Body: func(th *theme.Theme, width, _ int) []string { return addressBody(th, &l, width) },
		Buttons: []dialog.Button{
			{Label: "Open in the browser", Key: "y", Action: dialog.Closing(func() tea.Cmd { return a.open(l.Target) })},
			{Label: "Copy the address", Key: "c", Action: dialog.Closing(func() tea.Cmd {
				return tea.Batch(tea.SetClipboard(l.Target), a.desk.Say("Copied, if your terminal allows it."))
			})},
			{Label: "Leave it", Key: "esc", Action: dialog.Close},
		},
	})
	return nil
}

const inviteScheme = "starling:"

// addressBody shows an address whole, its findings, and what it costs to open it.
func addressBody(th *theme.Theme, l *link.Link, width int) []string {
	var out []string
	for _, piece := range th.Cells.Chop(l.Target, width) {
		out = append(out, th.Link.Render(piece))
	}
	out = append(out, "")
	for _, found := range words.Findings(th, l) {
		for i, line := range th.Cells.Wrap(found, width-2) {
			mark := "  "
			if i == 0 {
				mark = theme.GlyphNotice + " "
			}
			out = append(out, th.Warn.Render(mark+line))
		}
	}
	if len(l.Findings) > 0 {
		out = append(out, "")
	}
	for _, line := range th.Cells.Wrap(th.T("It opens outside of Starling: whoever runs the other end sees your IP address, past all relays, and that you opened it. An address made for you alone tells them who you are."), width) {
		out = append(out, th.Muted.Render(line))
	}
	return out
}

// open hands an address to the browser.
func (a *Actions) open(target string) tea.Cmd {
	return desk.Ask(a.desk, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, a.OpenAddress(ctx, target)
	}, func(_ struct{}, err error) tea.Cmd {
		switch {
		case errors.Is(err, opener.ErrNone):
			return a.desk.Complain("No program for web addresses is there. The address can be copied: l, then c.")
		case err != nil:
			return a.desk.Complain("Your browser did not take it: %s.", a.desk.T(err.Error()))
		}
		return a.desk.Say("Handed to your browser.")
	})
}

// The errors of links and of programs outside, in the person's language.
var _ = []string{
	catalogue.Mark("only http and https are web addresses"), catalogue.Mark("nobody can tell where it leads"), catalogue.Mark("it is too long for an address"),
}

// ReplyWith answers the contact's last message at once.
func (a *Actions) ReplyWith(text string) tea.Cmd {
	m, ok := a.meant(incoming)
	if !ok {
		return a.desk.Say("There is nothing here to answer.")
	}
	a.book.answer(m)
	return a.book.SendText(text)
}

// EditTo gives the own message that was sent last another text.
func (a *Actions) EditTo(text string) tea.Cmd {
	m, ok := a.meant(editable)
	if !ok {
		return a.desk.Say("Only a text of your own can be edited.")
	}
	a.book.change(m)
	return a.book.submitEdit(a.book.Open(), text)
}

// ReactWith reacts to the contact's last message; "" takes the reaction back.
func (a *Actions) ReactWith(char string) tea.Cmd {
	m, ok := a.meant(incoming)
	if !ok {
		return a.desk.Say("There is nothing here to react to.")
	}
	return a.react(m.ID, char)
}

// ForwardTo sends the last message on.
func (a *Actions) ForwardTo(contact string) tea.Cmd {
	m, ok := a.meant(answerable)
	if !ok {
		return a.desk.Say("There is nothing here to forward.")
	}
	return a.forward(m.ID, contact)
}
