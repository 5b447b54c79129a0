package tui

import (
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
)

// maxEdited is the most that is read back from an editor, in bytes.
const maxEdited = 1 << 20

type (
	// editMsg says that the text lies ready for the editor.
	editMsg struct {
		contact, dir, file string
		err                error
	}
	editedMsg struct {
		contact, text string
		err           error
	}
)

// edit hands the text to the person's own editor. It lies in a directory of
// its own that nobody else can enter, in memory where the system has such a
// place, and is wiped with whatever the editor leaves beside it.
func (a *App) edit() tea.Cmd {
	c := a.open()
	if c == nil || !a.writable() {
		return nil
	}
	contact, text := c.id, c.text.Value()
	return func() tea.Msg {
		dir, err := os.MkdirTemp(os.Getenv("XDG_RUNTIME_DIR"), "starling-")
		if err != nil {
			dir, err = os.MkdirTemp("", "starling-")
		}
		if err != nil {
			return editMsg{err: err}
		}
		file := filepath.Join(dir, "message.md")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			wipe(dir)
			return editMsg{err: err}
		}
		return editMsg{contact: contact, dir: dir, file: file}
	}
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

// gotEdit gives the terminal to the editor.
func (a *App) gotEdit(msg editMsg) tea.Cmd {
	if msg.err != nil {
		return a.complain("There is no place for the text of the editor.")
	}
	command := editor()
	cmd := exec.CommandContext(a.ctx, command[0], append(command[1:], msg.file)...)
	return a.opts.Exec(cmd, func(err error) tea.Msg {
		defer wipe(msg.dir)
		if err != nil {
			return editedMsg{contact: msg.contact, err: err}
		}
		text, err := readEdited(msg.file)
		return editedMsg{contact: msg.contact, text: text, err: err}
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

// gotEdited puts the text back; it can be undone. Nothing is sent.
func (a *App) gotEdited(msg editedMsg) tea.Cmd {
	if msg.err != nil {
		if errors.Is(msg.err, exec.ErrNotFound) || errors.Is(msg.err, fs.ErrNotExist) {
			return a.complain("The editor was not found. Set $VISUAL or $EDITOR to its name.")
		}
		return a.complain("The editor ended with an error. The text is as it was.")
	}
	if a.contact(msg.contact) == nil {
		return nil
	}
	c := a.chat(msg.contact)
	c.text.Replace(msg.text)
	if len(c.text.Value()) > api.MaxText {
		return a.complain("This is too long for one message. Nothing is cut; shorten it before you send.")
	}
	return a.say("The text is back. Nothing is sent before you press enter.")
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
