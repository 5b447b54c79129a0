package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/dialog"
	"starling/tui/keymap"
	"starling/tui/preferences"
	"starling/tui/words"
)

// meantContact is the contact that an action is about: the selected one in the
// list, else the open one.
func (a *App) meantContact() *api.Contact {
	if a.focus == keymap.List {
		return a.contact(a.cursor)
	}
	return a.contact(a.current)
}

// keep does what the table of keys names with a conversation.
func (a *App) keep(id keymap.ID) tea.Cmd {
	if id == keymap.Archived {
		a.archive = !a.archive
		if a.archived() == 0 {
			a.archive = false
			return a.say("Nothing is archived.")
		}
		if at := a.indexOf(a.cursor); at >= len(a.listed()) {
			a.cursor = a.current
		}
		return nil
	}
	c := a.meantContact()
	if c == nil {
		return a.say("There is no contact yet.")
	}
	now, name := a.opts.Now(), a.nameOf(c)
	req := api.ConversationRequest{Contact: c.ID}
	note := ""
	switch id {
	case keymap.Conversation:
		a.dialogs.Open(preferences.Conversation(a.th, c, name, now))
		return nil
	case keymap.Timer:
		a.dialogs.Open(preferences.Timer(a.th, c, name))
		return nil
	case keymap.Pin:
		pinned := !c.Pinned
		req.Pinned = &pinned
		note = pick(pinned, a.t("Pinned."), a.t("No longer pinned."))
	case keymap.Mute:
		until := api.Forever
		if c.MutedUntil.After(now) {
			until = preferences.MuteUntil(now, 0)
		}
		req.MutedUntil = &until
		note = pick(!until.IsZero(), a.t("Muted: nothing new is announced."), a.t("No longer muted."))
	case keymap.Archive:
		archived := !c.Archived
		req.Archived = &archived
		note = pick(archived, a.t("Archived until something new comes. A shows it."), a.t("Back in the list."))
	}
	return a.changeConversation(nil, req, note)
}

func (a *App) changeConversation(form *dialog.Form, req api.ConversationRequest, note string) tea.Cmd {
	if form != nil {
		form.Busy = a.t("Saving…")
	}
	return a.ask(func(ctx context.Context) resultMsg {
		c, err := a.node.ChangeConversation(ctx, req)
		return resultMsg{err: err, from: form, contact: &c, note: note}
	})
}

// listed are the conversations in the list: archived ones stand at its end,
// and are left out unless they are asked for.
func (a *App) listed() []api.Contact {
	if a.archive {
		return a.people
	}
	return a.people[:len(a.people)-a.archived()]
}

func (a *App) archived() int {
	n := 0
	for i := range a.people {
		if a.people[i].Archived {
			n++
		}
	}
	return n
}

// muted reports whether nothing new of a contact is announced.
func (a *App) muted(c *api.Contact) bool { return c.MutedUntil.After(a.opts.Now()) }

type settingsMsg struct {
	settings api.Settings
	err      error
	from     *dialog.Form
}

func (a *App) loadSettings() tea.Cmd {
	return a.call(func(ctx context.Context) tea.Msg {
		s, err := a.node.Settings(ctx)
		return settingsMsg{settings: s, err: err}
	})
}

func (a *App) changeSettings(s preferences.SettingsAction) tea.Cmd {
	s.Form.Busy = a.t("Saving…")
	return a.call(func(ctx context.Context) tea.Msg {
		got, err := a.node.ChangeSettings(ctx, s.Change)
		return settingsMsg{got, err, s.Form}
	})
}

func (a *App) gotSettings(msg settingsMsg) tea.Cmd {
	if msg.err != nil && msg.from == nil {
		return nil // what is set by default says the least
	}
	if msg.err != nil {
		return a.refuse(msg.from, msg.err)
	}
	a.settings = msg.settings
	var note tea.Cmd
	if msg.from != nil {
		a.dialogs.Remove(msg.from)
		note = a.say("Saved.")
	}
	return tea.Batch(note, a.watchIdle())
}

func (a *App) backup(b preferences.BackupAction) tea.Cmd {
	b.Path = words.Absolute(b.Path)
	b.Form.Busy = a.t("Writing the backup…")
	note := a.t("The backup is in %s.", a.th.Cells.Truncate(safetext.Line(b.Path).String(), 60))
	return a.ask(func(ctx context.Context) resultMsg {
		return resultMsg{err: a.node.Backup(ctx, b.BackupRequest), from: b.Form, note: note}
	})
}
