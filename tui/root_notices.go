package tui

import (
	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/dialog"
	"starling/tui/theme"
)

// alertReady ends the grace of a dialog that opened by itself.
type alertReady struct{}

// warn opens a dialog that nobody asked for.
func (a *App) warn(card *dialog.Card) tea.Cmd {
	a.dialogs.Volunteer(card)
	return a.surface()
}

// surface begins the grace of such a dialog once it is on top.
func (a *App) surface() tea.Cmd {
	if !a.dialogs.Surfaced() {
		return nil
	}
	return a.opts.After(dialog.Grace, alertReady{})
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
			return a.say("Your invite was used: %s is here now.", a.nameOf(c))
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
	name := a.t("the contact that it made")
	card.Buttons = []dialog.Button{{Label: "Close", Key: "esc", Action: dialog.Close{}}}
	if c := a.contact(ev.Contact); c != nil {
		name = a.nameOf(c)
		a.tell(c.ID, "reused "+ev.ID, a.t("The link of this contact's invite was used a second time: somebody else had it too and may have come first. Compare safety numbers (esc, then v) before you write anything that matters."))
		card.Buttons = append([]dialog.Button{{Label: "Compare safety numbers", Key: "v", Action: checkAction{c.ID}}}, card.Buttons...)
	}
	card.Body = func(th *theme.Theme, width, _ int) []string {
		var out []string
		for _, l := range th.Cells.Wrap(th.T("Somebody tried the link of your invite a second time, after it had made %s your contact.", name), width) {
			out = append(out, th.Bad.Render(l))
		}
		for _, text := range []string{
			th.T("So more than one person has had that link. The first to use it is your contact, and that may not be who you meant."),
			th.T("Compare safety numbers with your friend, face to face or in a call where you know the voice."),
			th.T("If they differ: remove this contact and give your friend a new invite on a safer way. Until you know, write nothing here that matters."),
		} {
			out = append(append(out, ""), th.Cells.Wrap(text, width)...)
		}
		return out
	}
	return tea.Batch(
		a.warn(card),
		a.complain("An invite was used twice: somebody else had the link of %s.", name))
}
