package conversation

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/desk"
)

// maxEdited is the most that is read back from an editor, in bytes.
const maxEdited = 1 << 20

// A sheet is a text that lies ready for the editor, in a folder of its own.
type sheet struct{ dir, file string }

// EditOutside hands the text to the person's own editor. It lies in a folder of
// its own that nobody else can enter, in memory where the system has such a
// place, and is wiped with whatever the editor leaves beside it.
func (b *Book) EditOutside() tea.Cmd {
	c := b.Open()
	if c == nil || !b.Writable() {
		return nil
	}

	text := c.Text.Value()
	return desk.Ask(b.desk, func(context.Context) (sheet, error) {
		return lay(text)
	}, func(s sheet, err error) tea.Cmd {
		if err != nil {
			return b.desk.Complain("There is no place for the text of the editor.")
		}
		return b.runEditor(c.ID, s)
	})
}

// lay writes a text where nobody else can read it.
func lay(text string) (sheet, error) {
	dir, err := os.MkdirTemp(os.Getenv("XDG_RUNTIME_DIR"), "starling-")
	if err != nil {
		dir, err = os.MkdirTemp("", "starling-")
	}
	if err != nil {
		return sheet{}, err
	}

	file := filepath.Join(dir, "message.md")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		wipe(dir)
		return sheet{}, err
	}
	return sheet{dir, file}, nil
}

// editor returns the command of the person's editor.
func editor() []string {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if command := strings.Fields(os.Getenv(name)); len(command) > 0 {
			return command
		}
	}
	if runtime.GOOS == "windows" {
		return []string{"notepad"}
	}
	return []string{"vi"}
}

// runEditor gives the terminal to the editor.
func (b *Book) runEditor(contact string, s sheet) tea.Cmd {
	command := editor()
	cmd := exec.CommandContext(b.desk.Context(), command[0], append(command[1:], s.file)...)
	return b.Exec(cmd, func(err error) tea.Msg {
		defer wipe(s.dir)
		text := ""
		if err == nil {
			text, err = readEdited(s.file)
		}
		return desk.Then(func() tea.Cmd { return b.edited(contact, text, err) })
	})
}

func readEdited(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxEdited))
	return strings.TrimRight(string(b), "\r\n"), err
}

// edited puts the text back; it can be undone. Nothing is sent.
func (b *Book) edited(contact, text string, err error) tea.Cmd {
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return b.desk.Complain("The editor was not found. Set $VISUAL or $EDITOR to its name.")
	case err != nil:
		return b.desk.Complain("The editor ended with an error. The text is as it was.")
	case b.people.Get(contact) == nil:
		return nil
	}

	c := b.Chat(contact)
	c.Text.Replace(text)
	if len(c.Text.Value()) > api.MaxText {
		return b.desk.Complain("This is too long for one message. Nothing is cut; shorten it before you send.")
	}
	return b.desk.Say("The text is back. Nothing is sent before you press enter.")
}

// wipe overwrites and removes a directory of texts. A disk may keep old blocks
// all the same.
func wipe(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			_, _ = io.CopyN(f, zeros{}, info.Size())
			_ = f.Sync()
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
