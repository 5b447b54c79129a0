package store

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"starling/node/config"
)

// backingUp, if set, makes this binary open the profile that it names and back it up,
// again and again, into the folder of its working directory.
const backingUp = "STARLING_TEST_BACKUP"

func TestMain(m *testing.M) {
	if dir := os.Getenv(backingUp); dir != "" {
		s, err := Open(config.Profile{Dir: dir}, secret, Options{})
		for i := 0; err == nil; i++ {
			err = s.Backup(context.Background(), fmt.Sprint("backup-", i), backupSecret)
		}
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// killedBackup kills a process while it backs a profile up, and returns the files left
// beside the backup.
func killedBackup(t *testing.T, p config.Profile, target string) (left []string) {
	t.Helper()
	for range 100 {
		cmd := exec.Command(os.Args[0])
		cmd.Dir, cmd.Stdout = target, os.Stderr
		cmd.Env = append(os.Environ(), backingUp+"="+p.Dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); len(left) == 0 && time.Since(began) < 30*time.Second; {
			left, _ = filepath.Glob(filepath.Join(target, besidePrefix+"*"))
		}
		cmd.Process.Kill()
		cmd.Wait()
		if left, _ = filepath.Glob(filepath.Join(target, besidePrefix+"*")); len(left) > 0 {
			return left
		}
	}
	t.Fatal("no backup was under way when its process was killed")
	return nil
}

// TestKilledBackup: the files that a killed backup left beside its own go with the next
// start of the profile, or its wipe; a look-alike stays.
func TestKilledBackup(t *testing.T) {
	for name, next := range map[string]func(p config.Profile) error{
		"start": func(p config.Profile) error {
			s, err := Open(p, secret, Options{})
			if err == nil {
				err = s.Close()
			}
			return err
		},
		"wipe": Wipe,
	} {
		t.Run(name, func(t *testing.T) {
			p, target := newProfile(t), t.TempDir()
			left := killedBackup(t, p, target)
			other := filepath.Join(target, besidePrefix+"1")
			if err := os.WriteFile(other, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := next(p); err != nil {
				t.Fatal(err)
			}
			for _, path := range left {
				if there(path) {
					t.Errorf("%s is still there", path)
				}
			}
			if !there(other) {
				t.Error("that of another profile is gone")
			}
			if there(p.Unfinished()) {
				t.Error("the note is still there")
			}
		})
	}
}

// TestNoteLies: a note that names anything but the file of a backup of its own removes
// nothing.
func TestNoteLies(t *testing.T) {
	p, dir := newProfile(t), t.TempDir()
	file, linked := filepath.Join(dir, "letter"), filepath.Join(dir, besidePrefix+"3")
	if err := os.WriteFile(file, []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, linked); err != nil {
		t.Skip(err)
	}
	if err := os.MkdirAll(p.Unfinished(), 0o700); err != nil {
		t.Fatal(err)
	}
	for note, path := range map[string]string{"1": file, "2": linked, "3": linked, "4": besidePrefix + "4", "5": ""} {
		if err := os.WriteFile(filepath.Join(p.Unfinished(), notePrefix+note), []byte(path), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(p, secret, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if !there(file) || !there(linked) {
		t.Error("a note removed what is none of its own")
	}
}

// TestWipeTexts: a wipe destroys the texts that lie ready for an editor, though one
// has them.
func TestWipeTexts(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	p := newProfile(t)
	file := filepath.Join(p.Texts()[0], "0123", "message.md")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	open, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := Wipe(p); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if n, _ := open.Read(b); string(b[:n]) != "\x00\x00\x00\x00" {
		t.Errorf("it reads %q", b[:n])
	}
	if there(p.Texts()[0]) {
		t.Error("the folder is still there")
	}
}
