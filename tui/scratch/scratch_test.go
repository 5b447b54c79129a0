package scratch

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// child, if set, makes this binary the owner of a sheet in the folder that it names,
// which is lent to a program that does nothing if lent is set too.
const (
	child = "STARLING_TEST_SHEET"
	lent  = "STARLING_TEST_LENT"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(child); folder != "" {
		s, err := Lay(folder, "message.md", "a secret")
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.WriteFile(filepath.Join(filepath.Dir(s.File()), ".message.md.swp"), []byte("a secret as well"), 0o600)
		pid := 0
		if os.Getenv(lent) != "" {
			cmd := exec.Command("sleep", "600")
			s.Lend(cmd)
			if err := cmd.Start(); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			pid = cmd.Process.Pid
		}
		fmt.Println(s.File(), pid)
		for { // until it is killed; a sheet that nobody refers to would be given up
			time.Sleep(time.Hour)
			runtime.KeepAlive(s)
		}
	}
	os.Exit(m.Run())
}

// owner starts a process that lays a sheet, and returns it, the path of the text, and
// the id of the process that the sheet is lent to.
func owner(t *testing.T, folder string, lend bool) (cmd *exec.Cmd, file string, pid int) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"="+folder)
	if lend {
		cmd.Env = append(cmd.Env, lent+"=1")
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err, line)
	}
	if _, err := fmt.Sscan(line, &file, &pid); err != nil {
		t.Fatal(line)
	}
	return cmd, file, pid
}

// sheets is how many lie in a folder.
func sheets(t *testing.T, folder string) (n int) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != gate {
			n++
		}
	}
	return n
}

// TestOwnerIsKilled: the sheet of a process that lives stays, that of one that was
// killed goes with the next start.
func TestOwnerIsKilled(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "texts")
	dead, gone, _ := owner(t, folder, false)
	_, stays, _ := owner(t, folder, false)
	if err := Sweep(folder, filepath.Join(t.TempDir(), "nowhere")); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{gone, stays} {
		if b, err := os.ReadFile(file); err != nil || string(b) != "a secret" {
			t.Fatalf("swept while its owner lives: %v", err)
		}
	}
	dead.Process.Kill()
	dead.Wait()
	if err := Sweep(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(gone)); err == nil {
		t.Error("the owner was killed, and its sheet is still there")
	}
	if _, err := os.Stat(stays); err != nil {
		t.Error("that of another process is gone")
	}
	if n := sheets(t, folder); n != 2 {
		t.Errorf("%d entries, want a sheet and its lock", n)
	}
}

// TestEditorOutlivesOwner: a sheet that a program still has, which the owner started,
// stays until that ends too.
func TestEditorOutlivesOwner(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files are not handed on")
	}
	folder := filepath.Join(t.TempDir(), "texts")
	dead, file, pid := owner(t, folder, true)
	editor, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { editor.Kill() })
	dead.Process.Kill()
	dead.Wait()
	Sweep(folder)
	if _, err := os.Stat(file); err != nil {
		t.Fatal("taken from under the editor")
	}
	editor.Kill()
	for range 500 { // it is nobody's child any more: when it has ended shows nowhere else
		Sweep(folder)
		if _, err := os.Stat(file); err != nil {
			break
		}
	}
	if n := sheets(t, folder); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

// TestWipe: all files on a sheet go with it.
func TestWipe(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "texts")
	s, err := Lay(folder, "message.md", "a secret")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.File()+"~", []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	keep, err := os.Open(s.File())
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	s.Wipe()
	b := make([]byte, 16)
	if n, _ := keep.Read(b); string(b[:n]) != strings.Repeat("\x00", len("a secret")) {
		t.Errorf("it was removed and not overwritten: %q", b[:n])
	}
	if n := sheets(t, folder); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

// TestStrangeFolder: a folder that others can look into is taken from them, and a file
// in its place is refused, as is a folder without a name.
func TestStrangeFolder(t *testing.T) {
	if _, err := Lay("", "message.md", "a secret"); err == nil {
		t.Error("no folder")
	}
	if runtime.GOOS == "windows" {
		return
	}
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Lay(open, "message.md", "a secret"); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(open); info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", info.Mode())
	}
	linked := filepath.Join(dir, "linked")
	if err := os.Symlink(open, linked); err != nil {
		t.Fatal(err)
	}
	if _, err := Lay(linked, "message.md", "a secret"); err == nil {
		t.Error("a link")
	}
	if Sweep(linked) == nil || sheets(t, open) != 2 {
		t.Error("swept through a link")
	}
}

// TestLeftovers: a folder without its lock, as a sweep leaves that was cut short, goes.
// A file that is no sheet stays.
func TestLeftovers(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "texts")
	if err := os.MkdirAll(filepath.Join(folder, "0123", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(folder, "0123", "deep", "text"), []byte("a secret"), 0o600)
	os.WriteFile(filepath.Join(folder, "note"), nil, 0o600)
	if err := Sweep(folder); err != nil {
		t.Fatal(err)
	}
	if n := sheets(t, folder); n != 1 {
		t.Errorf("%d entries", n)
	}
}
