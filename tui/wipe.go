package tui

import (
	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/dialog"
	"starling/tui/theme"
)

// openWipe asks before everything is destroyed. It is for somebody without time:
// one key opens it, one does it.
func (a *App) openWipe() tea.Cmd {
	if a.wiping != nil && a.desk.Dialogs.Has(a.wiping) {
		return nil
	}

	text := a.desk.T("The keys of this profile are destroyed and its files erased: contacts, messages, drafts, everything, at once. Nothing brings it back but a backup that you have elsewhere.") +
		"\n\n" + a.desk.T("Contacts keep what they have. A disk or a file system with snapshots may keep old blocks; without the keys they are noise. What waits in mailboxes is deleted there after 14 days.")
	a.wiping = &dialog.Card{
		Title: "Destroy everything here?",
		Width: 56,
		Body: func(th *theme.Theme, width, _ int) []string {
			// The first paragraph is the warning.
			lines := th.Cells.Wrap(text, width)
			for i := range lines {
				if lines[i] == "" {
					break
				}
				lines[i] = th.Bad.Render(lines[i])
			}
			return lines
		},
		Buttons: []dialog.Button{
			{Label: "Destroy everything now", Key: "w", Action: dialog.Keeping(a.wipe)},
			{Label: "Keep", Key: "esc", Action: dialog.Close},
		},
	}
	a.desk.Dialogs.Open(a.wiping)
	return nil
}

// wipe has everything destroyed, and ends once it is.
func (a *App) wipe() tea.Cmd {
	a.desk.Dialogs.Clear()
	note := a.desk.Note(a.desk.T("Destroying everything…"), true)
	return tea.Batch(note, a.desk.Do(a.desk.Node.Wipe, func() tea.Cmd {
		a.wiped = true
		a.people.Empty()
		a.book.Empty()
		a.rooms.Empty()
		a.gallery.Empty()
		a.network.status = api.Status{}
		a.desk.Dialogs.Clear()
		return tea.Quit
	}))
}
