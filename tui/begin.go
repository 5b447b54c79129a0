package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/dayone"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/keymap"
	"starling/tui/words"
)

// steps is the app as it is begun with.
type steps struct{ *App }

// all are the things to begin with.
func (a steps) all() []dayone.Step {
	m := catalogue.Mark
	key := func(id keymap.ID) string { return a.desk.Keys.Key(keymap.Composer, id) }
	out := []dayone.Step{
		{Label: m("use an invite you were given: paste it here"), Key: key(keymap.AddContact), Do: a.contacts.add},
		{Label: m("invite somebody: a link or a QR code"), Key: key(keymap.Invite), Do: a.contacts.invite},
		{Label: m("read what an invite is"), Do: func() tea.Cmd { return dayone.Explain(a.desk) }},
	}
	if a.opts.Demo == "" && a.opts.TryDemo {
		out = append(out, dayone.Step{Label: m("try the demo in here, and come back"), Do: a.tryDemo})
	}
	if a.opts.Join != nil {
		label := m("join by the address of a relay")
		if a.opts.Nearby != nil {
			label = m("join by a relay: its address, or one on your network")
		}
		out = append(out, dayone.Step{Label: label, Key: key(keymap.Join), Do: a.openJoin})
	}
	return append(out,
		dayone.Step{Label: m("restore a backup"), Key: key(keymap.Restore), Do: a.openRestore},
		dayone.Step{Label: m("write a note to yourself"), Do: func() tea.Cmd { return a.book.Visit(api.Self, true) }},
		dayone.Step{Label: m("see what the network is doing"), Key: key(keymap.Network), Do: a.network.open},
		dayone.Step{Label: m("make a room for several people"), Key: key(keymap.RoomNew), Do: a.rooms.Make})
}

// open offers the things to begin with, wherever one is.
func (a steps) open() tea.Cmd {
	menu := &dialog.Menu{Title: a.desk.T("First steps")}
	for _, s := range a.dayone.Steps {
		menu.Items = append(menu.Items, dialog.Item{Label: a.desk.T(s.Label), Key: s.Key, Action: dialog.Closing(s.Do)})
	}
	a.desk.Dialogs.Open(menu)
	return nil
}

// shown reports whether the page of the first steps is shown, and has the keys.
func (a steps) shown() bool {
	return a.book.Current == "" && a.people.Loaded && a.focus != keymap.List
}

// draw draws the page of the first steps.
func (a steps) draw(w, h int) []string {
	waits := ""
	if s := &a.network.status; a.network.known && !s.Ready {
		waits = safetext.Line(a.desk.T(s.Reason)).String()
	}
	return a.dayone.Draw(a.desk.Mask(words.Line(a.network.status.Name)), waits, w, h)
}

// tryDemo leaves for the demo, once it is known that messages which wait do so.
func (a steps) tryDemo() tea.Cmd {
	if a.opts.Demo != "" || !a.opts.TryDemo {
		return a.desk.Say("The demo is not offered here. Run starling demo.")
	}
	a.toDemo = true
	return tea.Quit
}

// openRestore asks for a backup, which becomes a profile of its own.
func (a steps) openRestore() tea.Cmd {
	if a.opts.Restore == nil {
		return a.desk.Say("A backup becomes a profile of its own: quit, and run starling --profile NEW restore FILE.")
	}

	// Beside this profile and never over it: a restored session must not meet a newer one.
	f := &dialog.Form{Title: "Restore a backup", Label: "Restore it", Width: 60,
		Intro: "A backup becomes a profile of its own, beside this one, which stays as it is. It opens with the passphrase that it had. Never use one profile in two places."}
	file := dialog.Line(catalogue.Mark("File of the backup"), "", maxAddress)
	pass := dialog.Line(catalogue.Mark("Passphrase of the backup"), "", maxAddress)
	pass.Text.Hidden = true
	f.Fields = []*dialog.Field{file, pass}
	f.Submit = func() dialog.Action {
		path := file.Answer()
		if path == "" {
			f.Error = a.desk.T("Type the name of the file.")
			return dialog.Action{}
		}
		return dialog.Keeping(func() tea.Cmd {
			return desk.Submit(a.desk, f, a.desk.T("Restoring…"), func(ctx context.Context) (string, error) {
				return a.opts.Restore(ctx, words.Absolute(path), pass.Text.Value())
			}, a.restored)
		})
	}
	a.desk.Dialogs.Open(f)
	return nil
}

// restored tells how the profile is opened that was made of a backup.
func (a steps) restored(folder string) tea.Cmd {
	a.desk.Dialogs.Open(&dialog.Card{
		Title: "The backup is restored", Width: 60,
		Body: words.Lines(a.desk.T("It is a profile of its own now. To use it, quit and run:"), "",
			"starling --profile "+words.Quoted(folder), "",
			a.desk.T("Your contacts get new sessions and are told so. The copy that the backup is of must not run any more.")),
		Buttons: []dialog.Button{{Label: "Close", Key: "esc", Action: dialog.Close}},
	})
	return nil
}
