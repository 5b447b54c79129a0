// Package scratch lays texts out in files for other programs to read and write, such as
// the person's editor, and sees to it that none outlives them.
//
// A sheet is a folder of its own, mode 0700, so that other files that an editor leaves
// beside the text go with it. It is wiped by its owner when the other program has
// ended. If the owner dies before, its next start does it ([Sweep]): beside each sheet
// lies a file that the owner holds a lock on, and that it lends to the other program.
// The taker of the lock knows that both are gone. Nobody takes a lock by waiting for a
// person: a sheet that is in use stays.
//
//	<folder>/lock          held while sheets are laid or swept, for moments
//	<folder>/<name>.lock   held by the owner of the sheet, and by the borrower
//	<folder>/<name>/       the sheet
package scratch

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// ErrFolder means that a folder is no place for a text: there is none, it is somebody
// else's, or it is in use for longer than anybody should.
var ErrFolder = errors.New("scratch: no place that is private")

const (
	suffix  = ".lock"
	gate    = "lock"
	patient = 2 * time.Second // with others that lay or sweep
)

// A Sheet is one text in a file.
type Sheet struct {
	dir  string
	name string
	file string
	held *os.File
}

// Lay writes a text to a file of some name, in a sheet of the folder.
func Lay(folder, name, text string) (_ *Sheet, err error) {
	if folder == "" {
		return nil, ErrFolder
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	leave, err := enter(folder)
	if err != nil {
		return nil, err
	}
	defer leave()

	var random [8]byte
	rand.Read(random[:])
	s := &Sheet{dir: folder, name: hex.EncodeToString(random[:])}
	s.file = filepath.Join(s.path(), name)
	if s.held, err = os.OpenFile(s.path()+suffix, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	err = lock(s.held)
	if err == nil {
		err = os.Mkdir(s.path(), 0o700)
	}
	if err == nil {
		err = os.WriteFile(s.file, []byte(text), 0o600)
	}
	if err != nil {
		s.wipe()
		return nil, err
	}
	return s, nil
}

func (s *Sheet) path() string { return filepath.Join(s.dir, s.name) }

// File returns the path of the text.
func (s *Sheet) File() string { return s.file }

// Lend lets a program that is about to start hold the sheet too, so that the sheet is
// not swept while the program outlives us.
func (s *Sheet) Lend(cmd *exec.Cmd) {
	if runtime.GOOS != "windows" { // where files are not handed on
		cmd.ExtraFiles = append(cmd.ExtraFiles, s.held)
	}
}

// Wipe overwrites and removes the sheet. A disk may keep old blocks all the same.
func (s *Sheet) Wipe() {
	leave, err := enter(s.dir)
	if err == nil {
		defer leave()
	}
	s.wipe()
}

func (s *Sheet) wipe() {
	wipe(s.path())
	s.held.Close() // before it is removed, as Windows wants it
	os.Remove(s.held.Name())
}

// Sweep wipes the sheets of some folders if their owners are gone.
func Sweep(folders ...string) error {
	var errs []error
	for _, folder := range folders {
		if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, sweep(folder))
		}
	}
	return errors.Join(errs...)
}

func sweep(folder string) error {
	leave, err := enter(folder)
	if err != nil {
		return err
	}
	defer leave()
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}

	owned := map[string]bool{}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || !e.Type().IsRegular() {
			continue
		}
		owned[name] = true
		f, err := os.OpenFile(filepath.Join(folder, e.Name()), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if lock(f) != nil { // its owner lives
			f.Close()
			continue
		}
		(&Sheet{dir: folder, name: name, held: f}).wipe()
	}

	for _, e := range entries { // the rest of a sweep that was cut short
		if e.IsDir() && !owned[e.Name()] {
			wipe(filepath.Join(folder, e.Name()))
		}
	}
	return nil
}

// enter waits for others that lay or sweep in a folder, and keeps them out until leave
// is called. A folder that is not ours alone is refused, and one in such a folder.
func enter(folder string) (leave func(), err error) {
	for _, dir := range []string{filepath.Dir(folder), folder} {
		if err := private(dir); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(filepath.Join(folder, gate), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for began := time.Now(); lock(f) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > patient {
			f.Close()
			return nil, ErrFolder
		}
	}
	return func() { f.Close() }, nil
}

// private makes sure that nobody else can look into a folder.
func private(folder string) error {
	info, err := os.Lstat(folder)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return ErrFolder
	}
	if runtime.GOOS == "windows" || info.Mode().Perm() == 0o700 && ours(info) {
		return nil
	}
	return os.Chmod(folder, 0o700) // fails if the folder is someone else's
}

// wipe overwrites and removes a folder of texts.
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
