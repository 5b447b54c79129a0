package tui

import (
	"context"
	"path/filepath"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/preferences"
	"starling/tui/words"
)

// keeping changes how things are: the settings of the profile, how a
// conversation is kept, and where a backup goes.
type keeping struct {
	desk *desk.Desk
	// meant is the contact that an action is about, nil for none; put takes it
	// as it was changed.
	meant func() *api.Contact
	put   func(api.Contact)
	// changed takes new settings.
	changed   func(api.Settings) tea.Cmd
	settings  api.Settings
	known     bool // the settings are, as far as they will be
	backupDir string
}

// about does something with the contact that is meant.
func (k *keeping) about(do func(c *api.Contact) tea.Cmd) tea.Cmd {
	c := k.meant()
	if c == nil {
		return k.desk.Say("There is no contact yet.")
	}
	return do(c)
}

// conversation asks how a conversation is kept.
func (k *keeping) conversation() tea.Cmd {
	return k.about(func(c *api.Contact) tea.Cmd {
		k.desk.Dialogs.Open(preferences.Conversation(k.desk.Theme, c, k.desk.Name(c), k.desk.Now(), k.saved))
		return nil
	})
}

// timer asks after how long messages disappear.
func (k *keeping) timer() tea.Cmd {
	return k.about(func(c *api.Contact) tea.Cmd {
		k.desk.Dialogs.Open(preferences.Timer(k.desk.Theme, c, k.desk.Name(c), k.saved))
		return nil
	})
}

// saved changes a conversation by the answers of a form.
func (k *keeping) saved(form *dialog.Form, req api.ConversationRequest) tea.Cmd {
	return k.change(form, req, k.desk.T("Saved."))
}

func (k *keeping) change(form *dialog.Form, req api.ConversationRequest, note string) tea.Cmd {
	return desk.Submit(k.desk, form, k.desk.T("Saving…"), func(ctx context.Context) (api.Contact, error) {
		return k.desk.Node.ChangeConversation(ctx, req)
	}, func(c api.Contact) tea.Cmd {
		k.put(c)
		return k.desk.Note(note, false)
	})
}

// pin pins a conversation to the top of the list, or no longer.
func (k *keeping) pin() tea.Cmd {
	return k.about(func(c *api.Contact) tea.Cmd {
		pinned := !c.Pinned
		note := pick(pinned, k.desk.T("Pinned."), k.desk.T("No longer pinned."))
		return k.change(nil, api.ConversationRequest{Contact: c.ID, Pinned: &pinned}, note)
	})
}

// mute announces nothing new of a conversation, or everything again.
func (k *keeping) mute() tea.Cmd {
	return k.about(func(c *api.Contact) tea.Cmd {
		until := api.Forever
		if k.desk.Muted(c) {
			until = time.Time{}
		}
		note := pick(!until.IsZero(), k.desk.T("Muted: nothing new is announced."), k.desk.T("No longer muted."))
		if c.Room != nil && !until.IsZero() {
			note = k.desk.T("Muted, but for messages that name you.")
		}
		return k.change(nil, api.ConversationRequest{Contact: c.ID, MutedUntil: &until}, note)
	})
}

// archive takes a conversation out of the list, or back into it.
func (k *keeping) archive() tea.Cmd {
	return k.about(func(c *api.Contact) tea.Cmd {
		archived := !c.Archived
		note := pick(archived, k.desk.T("Archived until something new comes. A shows it."), k.desk.T("Back in the list."))
		return k.change(nil, api.ConversationRequest{Contact: c.ID, Archived: &archived}, note)
	})
}

func (k *keeping) take(s api.Settings) tea.Cmd {
	k.settings, k.known = s, true
	return k.changed(s)
}

// reload asks for the settings again: somebody else has changed them.
func (k *keeping) reload() tea.Cmd {
	return desk.Ask(k.desk, k.desk.Node.Settings, func(s api.Settings, err error) tea.Cmd {
		if err != nil {
			return nil
		}
		return k.take(s)
	})
}

// opened remembers the open conversation for the next start.
func (k *keeping) opened(id string) tea.Cmd {
	k.settings.Open = id
	return k.desk.Try(func(ctx context.Context) error {
		_, err := k.desk.Node.ChangeSettings(ctx, api.SettingsChange{Open: &id})
		return err
	})
}

// openSettings asks for the settings.
func (k *keeping) openSettings() tea.Cmd {
	form := preferences.Settings(k.desk.Theme, k.settings, func(form *dialog.Form, change api.SettingsChange) tea.Cmd {
		return desk.Submit(k.desk, form, k.desk.T("Saving…"), func(ctx context.Context) (api.Settings, error) {
			return k.desk.Node.ChangeSettings(ctx, change)
		}, func(s api.Settings) tea.Cmd {
			done := k.take(s)
			return tea.Batch(k.desk.Say("Saved."), done) // in the language of now
		})
	})
	for _, f := range form.Fields {
		f.Text.Masked = k.desk.Hidden
	}
	k.desk.Dialogs.Open(form)
	return nil
}

// openPassphrase asks for another passphrase.
func (k *keeping) openPassphrase() tea.Cmd {
	k.desk.Dialogs.Open(preferences.Passphrase(k.desk.Theme, func(form *dialog.Form, req api.PassphraseRequest) tea.Cmd {
		return desk.Submit(k.desk, form, k.desk.T("Encrypting everything anew…"), func(ctx context.Context) (struct{}, error) {
			return struct{}{}, k.desk.Node.ChangePassphrase(ctx, req)
		}, func(struct{}) tea.Cmd { return k.desk.Say("The profile has the new passphrase.") })
	}))
	return nil
}

// openBackup asks where a backup goes.
func (k *keeping) openBackup() tea.Cmd {
	k.desk.Dialogs.Open(preferences.Backup(k.desk.Theme, k.backupPath(), k.backup))
	return nil
}

// backupPath is where a backup is offered to go.
func (k *keeping) backupPath() string {
	if k.backupDir == "" {
		return ""
	}
	return filepath.Join(k.backupDir, "starling-"+k.desk.Now().Local().Format("2006-01-02")+".age")
}

func (k *keeping) backup(form *dialog.Form, req api.BackupRequest) tea.Cmd {
	req.Path = words.Absolute(req.Path)
	note := k.desk.T("The backup is in %s.", k.desk.Theme.Cells.Truncate(safetext.Line(req.Path).String(), 60))
	return desk.Submit(k.desk, form, k.desk.T("Writing the backup…"), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, k.desk.Node.Backup(ctx, req)
	}, func(struct{}) tea.Cmd { return k.desk.Note(note, false) })
}

func pick(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}
