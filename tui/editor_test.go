package tui_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"starling/tui"
	"starling/tui/tuitest"
)

// withEditor returns a user with a shell script as the editor, and the directory in
// which the text lies meanwhile.
func withEditor(t *testing.T, script string) (*tuitest.Node, string, *tuitest.User, string) {
	if runtime.GOOS == "windows" {
		t.Skip("no shell")
	}
	dir, run := t.TempDir(), t.TempDir()
	program := filepath.Join(dir, "editor")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VISUAL", "")
	t.Setenv("EDITOR", "/bin/sh "+program)
	t.Setenv("SEEN", filepath.Join(dir, "seen"))
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	u := tuitest.NewUser(t, node, tui.Options{Now: clock, Texts: []string{filepath.Join(run, "texts")}, Exec: func(cmd *exec.Cmd, then func(error) tea.Msg) tea.Cmd {
		return func() tea.Msg { return then(cmd.Run()) }
	}})
	u.Expect().Sees("Write to alice")
	return node, id, u, run
}

// lying returns the files in the folder of texts, beside the lock that everybody takes.
func lying(run string) []os.DirEntry {
	left, _ := os.ReadDir(filepath.Join(run, "texts"))
	return slices.DeleteFunc(left, func(e os.DirEntry) bool { return e.Name() == "lock" })
}

func TestOwnEditor(t *testing.T) {
	node, id, u, run := withEditor(t, `ls -l "$1" >"$SEEN"; ls -ld "$(dirname "$1")" >>"$SEEN"; printf ' and\nmore\n\n' >>"$1"; cp "$1" "$1~"`)
	u.Type("first").Press("ctrl+x").Expect().Sees("› first and", "more", "The text is back")
	if m := node.Last(id); m.ID != "" {
		t.Errorf("sent %q", m.Text)
	}
	seen, err := os.ReadFile(os.Getenv("SEEN"))
	if err != nil || strings.Count(string(seen), "-rw-------") != 1 || strings.Count(string(seen), "drwx------") != 1 {
		t.Errorf("the text lay as %s, %v", seen, err)
	}
	if left := lying(run); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	u.Press("ctrl+_").Expect().Sees("› first").SeesNot("first and")
}

func TestOwnEditorFails(t *testing.T) {
	_, _, u, run := withEditor(t, `echo lost >"$1"; exit 1`)
	u.Type("kept").Press("ctrl+x").Expect().Sees("› kept", "The editor ended with an error")
	t.Setenv("EDITOR", "/no/such/editor")
	u.Press("ctrl+x").Expect().Sees("› kept", "The editor was not found")
	if left := lying(run); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestUndoInTheComposer(t *testing.T) {
	_, _, u := alone(t)
	u.Type("some words").Press("ctrl+u").Expect().SeesNot("some words")
	u.Press("ctrl+_").Expect().Sees("› some words")
	u.Enter().Press("ctrl+_").Expect().Sees("Nothing to undo.", "› Write to alice")
}
