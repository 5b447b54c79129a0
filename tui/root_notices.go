package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/dialog"
	"starling/tui/theme"
)

// grace is how long a dialog that opened by itself takes no keys: they were
// meant for what was there before.
const grace = 1200 * time.Millisecond

// alertReady ends the grace.
type alertReady struct{}

// tooEarly reports whether keys pass by a dialog to what is below it.
func (a *App) tooEarly(d dialog.Dialog) bool {
	return a.early && a.alert != nil && d == dialog.Dialog(a.alert)
}

// warn opens a dialog that nobody asked for. Behind a dialog that is open it
// waits until that one is closed.
func (a *App) warn(card *dialog.Card) tea.Cmd {
	a.alert, a.shown = card, false
	a.dialogs.OpenLast(card)
	return a.surface()
}

// surface begins the grace once the alert is on top.
func (a *App) surface() tea.Cmd {
	if a.alert == nil || a.shown || a.dialogs.Top() != dialog.Dialog(a.alert) {
		return nil
	}
	a.shown, a.early = true, true
	return a.opts.After(grace, alertReady{})
}

// tell puts a notice of the app's own into a conversation. It stays for as
// long as the app runs.
func (a *App) tell(contact, id, text string) {
	c := a.chat(contact)
	m := api.Message{
		ID: id, Conversation: contact, Text: safetext.Clean(text),
		Time: a.opts.Now(), State: api.StateNotice,
	}
	c.told = append(c.told, m)
	c.view.Add(m)
}

// invited tells what became of an invite.
func (a *App) invited(ev *api.InviteEvent) tea.Cmd {
	if ev == nil {
		return nil
	}
	switch ev.What {
	case "used":
		if c := a.contact(ev.Contact); c != nil {
			return a.say("Your invite was used: " + a.nameOf(c) + " is here now.")
		}
		return a.say("Your invite was used.")
	case "reused":
		return a.reused(ev)
	case "expired":
		return a.say("An invite expired unused. Its link no longer works; ctrl+n makes another.")
	case "revoked":
		return a.say("Withdrawn. The link of that invite no longer works.")
	}
	return nil
}

// reused tells that two people have had the link of one invite. The one who
// came first is a contact now and may not be the one who was meant.
func (a *App) reused(ev *api.InviteEvent) tea.Cmd {
	card := &dialog.Card{Title: "An invite was used twice", Width: 56}
	name := "the contact that it made"
	card.Buttons = []dialog.Button{{Label: "Close", Key: "esc", Action: dialog.Close{}}}
	if c := a.contact(ev.Contact); c != nil {
		name = a.nameOf(c)
		a.tell(c.ID, "reused "+ev.ID, "The link of this contact's invite was used a second time: somebody else had it too and may have come first. "+
			"Compare safety numbers (esc, then v) before you write anything that matters.")
		card.Buttons = append([]dialog.Button{{Label: "Compare safety numbers", Key: "v", Action: checkAction{c.ID}}}, card.Buttons...)
	}
	card.Body = func(th *theme.Theme, width, _ int) []string {
		var out []string
		for _, l := range th.Cells.Wrap("Somebody tried the link of your invite a second time, after it had made "+name+" your contact.", width) {
			out = append(out, th.Bad.Render(l))
		}
		for _, text := range []string{
			"So more than one person has had that link. The first to use it is your contact, and that may not be who you meant.",
			"Compare safety numbers with your friend, face to face or in a call where you know the voice.",
			"If they differ: remove this contact and give your friend a new invite on a safer way. Until you know, write nothing here that matters.",
		} {
			out = append(append(out, ""), th.Cells.Wrap(text, width)...)
		}
		return out
	}
	return tea.Batch(
		a.warn(card),
		a.note("An invite was used twice: somebody else had the link of "+name+".", true))
}
