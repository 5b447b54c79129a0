package files

import (
	"context"
	"os"
	"runtime"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/attach"
	"starling/tui/catalogue"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/keymap"
	"starling/tui/scratch"
	"starling/tui/theme"
	"starling/tui/words"
)

// A received file, as it is here.
type received struct {
	name string
	data []byte
	from safetext.Text
}

// errGone means that nothing is left of a file.
var errGone = &api.Error{Code: api.CodeNoMessage, Message: catalogue.Mark("there is no file any more"), Hint: catalogue.Mark("its sender took it back, or it has disappeared")}

// fetch asks the node for the file of a message, and goes on with it.
func (f *Files) fetch(m api.Message, then func(received) tea.Cmd) tea.Cmd {
	return desk.Ask(f.desk, func(ctx context.Context) (received, error) {
		whole, err := f.desk.Node.Message(ctx, m.ID)
		if err != nil {
			return received{}, err
		}
		name, data, ok := attach.Received(&whole)
		if !ok {
			return received{}, errGone
		}
		return received{name, data, whole.From}, nil
	}, func(r received, err error) tea.Cmd {
		switch {
		case err != nil:
			return f.desk.Fail(err)
		case f.desk.Private():
			return f.desk.Say("Files are hidden too. f5 shows them.")
		}
		return then(r)
	})
}

// Save asks where a file is to be saved, and proposes a place that is free.
func (f *Files) Save() tea.Cmd {
	m, ok := f.Meant()
	if !ok {
		return f.desk.Say("There is no file here.")
	}
	return f.fetch(m, func(r received) tea.Cmd { return f.askWhere(r.name, r.data, nil) })
}

// askWhere asks for the path of a new file. left is done if none is chosen, nil for
// nothing.
func (f *Files) askWhere(name string, data []byte, left func() tea.Cmd) tea.Cmd {
	return desk.Ask(f.desk, func(context.Context) (string, error) {
		return attach.Free(attach.Folder(), name), nil
	}, func(path string, _ error) tea.Cmd {
		f.openWhere(path, name, data, left)
		return nil
	})
}

func (f *Files) openWhere(path, name string, data []byte, left func() tea.Cmd) {
	field := &dialog.Field{Label: "New file, or a folder", Hint: "Tab completes a name, ~ is your home. Nothing is overwritten."}
	form := &dialog.Form{Title: "Save the file", Label: "Save", Width: 64, Leave: left}
	about := f.desk.T("%s, %s", name, words.Bytes(int64(len(data))))
	form.Above = func(th *theme.Theme, width, _ int) []string {
		out := th.Cells.Wrap(th.Cells.Steady(about), width)
		if why := attach.Refusal(name, data); why != "" && left == nil {
			for _, line := range th.Cells.Wrap(th.T(why), width) {
				out = append(out, th.Warn.Render(line))
			}
		}
		return out
	}

	f.askPath(form, field, path, func(typed string) tea.Cmd {
		return desk.Submit(f.desk, form, f.desk.T("Saving…"), func(context.Context) (string, error) {
			target := attach.Target(attach.Resolve(typed), name)
			return target, attach.Save(target, data)
		}, func(target string) tea.Cmd {
			return f.desk.Note(f.desk.T("Saved as %s.", attach.Shown(target)), false)
		})
	})
}

// Open asks before a file is handed to a program of the system, or says why it is not.
func (f *Files) Open() tea.Cmd {
	m, ok := f.Meant()
	if !ok {
		return f.desk.Say("There is no file here.")
	}
	return f.fetch(m, func(r received) tea.Cmd {
		f.confirm(r)
		return nil
	})
}

func (f *Files) confirm(r received) {
	why := attach.Refusal(r.name, r.data)
	save := dialog.Button{Label: "Save it", Key: "s", Action: dialog.Closing(func() tea.Cmd { return f.askWhere(r.name, r.data, nil) })}
	card := &dialog.Card{Title: "Open this file?", Width: 60}
	if why != "" {
		card.Title = catalogue.Mark("This file is not opened")
		card.Buttons = []dialog.Button{save, {Label: "Close", Key: "esc", Action: dialog.Close}}
	} else {
		card.Buttons = []dialog.Button{
			{Label: "Open", Key: "y", Action: dialog.Closing(func() tea.Cmd { return f.hand(r) })},
			save, {Label: "Keep", Key: "esc", Action: dialog.Close},
		}
	}

	card.Body = func(th *theme.Theme, width, _ int) []string {
		out := th.Cells.Wrap(th.Cells.Steady(th.T("%s, %s", r.name, words.Bytes(int64(len(r.data))))), width)
		out = append(out, "")
		text := th.T("Your system's program for it gets a copy. Starling has not looked into it, and a program can have faults that a file makes use of: open it only if you expected it. The copy is erased when Starling ends or locks.")
		role := th.Muted
		if why != "" {
			text, role = th.T(why), th.Warn
		}
		for _, line := range th.Cells.Wrap(text, width) {
			out = append(out, role.Render(line))
		}
		return out
	}
	f.desk.Dialogs.Open(card)
}

// hand lays a copy out and starts the system's program for it.
func (f *Files) hand(r received) tea.Cmd {
	if headless() {
		return f.desk.Complain("There is no desktop here that could open it. Save it instead: %s.", f.desk.Keys.Key(keymap.Messages, keymap.SaveFile))
	}
	return desk.Ask(f.desk, func(context.Context) (*scratch.Sheet, error) {
		return scratch.Lay(f.Texts, r.name, string(r.data))
	}, func(s *scratch.Sheet, err error) tea.Cmd {
		if err != nil {
			return f.desk.Complain("There is no private place for a copy of the file.")
		}
		f.opened = append(f.opened, s)
		return desk.Ask(f.desk, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, f.OpenFile(ctx, s.File())
		}, func(_ struct{}, err error) tea.Cmd {
			if err != nil {
				return f.desk.Complain("Your system has no program that opens it. Save it instead.")
			}
			return f.desk.Say("Handed to your system's program.")
		})
	})
}

// headless reports whether there is no desktop to show a file on.
func headless() bool {
	switch runtime.GOOS {
	case "windows", "darwin", "android":
		return false
	}
	return os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == ""
}

// Wipe erases the copies that were handed out.
func (f *Files) Wipe() {
	for _, s := range f.opened {
		s.Wipe()
	}
	f.opened = nil
}
