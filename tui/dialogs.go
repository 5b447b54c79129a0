package tui

import (
	"cmp"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/dialog"
	"starling/tui/keymap"
	"starling/tui/theme"
	"starling/tui/words"
)

// openSwitcher finds a conversation by a few letters of a name.
func (a *App) openSwitcher() tea.Cmd {
	choices := make([]dialog.Choice, 0, len(a.people.All()))
	for _, p := range a.people.All() {
		detail := ""
		switch {
		case p.Unread > 0:
			detail = a.desk.N(p.Unread, "%d new", "%d new")
		case p.State == api.ContactPending:
			detail = a.desk.T("pending")
		case p.Room != nil && p.Room.State != api.RoomReady:
			detail = words.RoomState(a.desk.Theme, p.Room.State)
		case p.Last != nil:
			detail = a.desk.Ago(p.Last.Time)
		}
		name := a.desk.OpenName(&p)
		label := a.desk.Mask(name)
		if p.Room != nil {
			label += " " + theme.GlyphRoom
		}
		choices = append(choices, dialog.Choice{
			Label: label, Find: name, Detail: detail,
			Action: dialog.Closing(func() tea.Cmd { return a.book.Visit(p.ID, true) }),
		})
	}

	none := a.desk.T("Nobody of that name.")
	if len(choices) == 0 {
		none = a.desk.T("Nobody here yet. ctrl+n invites somebody.")
	}
	a.desk.Dialogs.Open(dialog.NewPicker("Go to", a.desk.T("type a name"), none, choices))
	return nil
}

// openPalette finds an action by a few letters of its name, or by another word for it.
func (a *App) openPalette() tea.Cmd {
	choices := paletteChoices(a.desk.Keys, a.desk.Theme.Words, a.focus, a.do)
	a.desk.Dialogs.Open(dialog.NewPicker("What to do", a.desk.T("type a few letters"), "No such action.", choices))
	return nil
}

// paletteChoices are the actions, by the words of the person's language and in English.
func paletteChoices(keys *keymap.Map, words *catalogue.Catalogue, focus keymap.Place, do func(keymap.ID) tea.Cmd) []dialog.Choice {
	var choices []dialog.Choice
	for _, action := range keys.Palette() {
		key := cmp.Or(keys.Key(focus, action.ID), action.Key())
		name := words.Text(action.Name)
		choices = append(choices, dialog.Choice{
			Label: name, Find: name + " " + words.Text(action.Also) + " " + action.Name + " " + action.Also, Detail: key,
			Action: dialog.Closing(func() tea.Cmd { return do(action.ID) }),
		})
	}
	return choices
}

const (
	// idWidth is from where the help shows the names that a configuration of
	// keys uses.
	idWidth = 68
	// helpWidth is how wide the help would like to be.
	helpWidth = 84
)

// openHelp shows the keys that work where the focus is.
func (a *App) openHelp() tea.Cmd {
	where := map[keymap.Place]string{
		keymap.Composer: a.desk.T("Writing"), keymap.Messages: a.desk.T("In the messages"), keymap.List: a.desk.T("In the conversations"),
	}[a.focus]
	actions := a.desk.Keys.In(a.focus)
	editing := a.focus == keymap.Composer
	a.desk.Dialogs.Open(&dialog.Card{
		Title: a.desk.T("Help") + " · " + where,
		Width: helpWidth,
		Body: func(th *theme.Theme, width, _ int) []string {
			return helpBody(th, actions, editing, width)
		},
		Buttons: []dialog.Button{{Label: "Close", Key: "esc", Action: dialog.Close}},
	})
	return nil
}

// helpBody lists actions in their groups, and the keys of the text.
func helpBody(th *theme.Theme, actions []keymap.Action, editing bool, width int) []string {
	var out []string
	column, most := 21, 2
	if width < 50 {
		column, most = 11, 1
	}
	row := func(keys, name, id string) {
		left := th.Accent.Render(th.Cells.Fit(keys, column)) + " "
		if width < idWidth {
			out = append(out, left+th.Cells.Truncate(name, width-column-1))
			return
		}
		if column+1+th.Cells.Width(name)+2+th.Cells.Width(id) > width { // the name goes first
			out = append(out, th.Cells.Fit(left+name, width), th.Cells.Ends("", th.Muted.Render(id), width))
			return
		}
		out = append(out, th.Cells.Ends(left+name, th.Muted.Render(id), width))
	}

	group := ""
	for _, x := range actions {
		if x.Group != group {
			if group != "" {
				out = append(out, "")
			}
			group = x.Group
			out = append(out, th.Title.Render(th.T(group)))
		}
		keys := x.Keys[:min(len(x.Keys), most)]
		row(strings.Join(keys, "  "), th.T(x.Name), string(x.ID))
	}

	if editing {
		out = append(out, "", th.Title.Render(th.T("Editing")))
		row("ctrl+a  ctrl+e", th.T("Start and end of the line"), "")
		row("alt+b  alt+f", th.T("A word back and forth"), "")
		row("ctrl+w  ctrl+u", th.T("Erase a word, the line before"), "")
		row("ctrl+y", th.T("Put back what was erased"), "")
	}
	return out
}
