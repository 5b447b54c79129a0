package conversation

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/desk"
	"starling/tui/scratch"
)

// maxEdited is the most that is read back from an editor, in bytes.
const maxEdited = 1 << 20

// EditOutside hands the text to the person's own editor. It lies on a sheet that nobody
// else can read, in memory where the system has such a place, and is wiped with all
// other files that the editor leaves beside it.
func (b *Book) EditOutside() tea.Cmd {
	c := b.Open()
	if c == nil || !b.Writable() {
		return nil
	}

	text := c.Text.Value()
	return desk.Ask(b.desk, func(context.Context) (*scratch.Sheet, error) {
		return scratch.Lay(b.Texts, "message.md", text)
	}, func(s *scratch.Sheet, err error) tea.Cmd {
		if err != nil {
			return b.desk.Complain("There is no place for the text of the editor.")
		}
		return b.runEditor(c.ID, s)
	})
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
func (b *Book) runEditor(contact string, s *scratch.Sheet) tea.Cmd {
	command := editor()
	cmd := exec.CommandContext(b.desk.Context(), command[0], append(command[1:], s.File())...)
	s.Lend(cmd)
	return b.Exec(cmd, func(err error) tea.Msg {
		defer s.Wipe()
		text := ""
		if err == nil {
			text, err = readEdited(s.File())
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
