// Package config says where a profile lives on disk and how its files are
// written.
//
// A profile is one folder, mode 0700, and every file in it is 0600:
//
//	profile.key        the passphrase's wrapping of the two keys below (package store)
//	profile.db         contacts, messages, sessions; encrypted whole (package store)
//	profile.db-wal     the latest changes; encrypted with the same key
//	profile.lock       held by the node that runs this profile
//	control.sock       the running node's control socket (package control)
//
// The folder is the one given by --profile, or $STARLING_PROFILE, or
// "starling" in the user's XDG data directory. Nothing is written elsewhere,
// with three exceptions. A text in an editor lies beside the profile for as long, see
// [Profile.Texts]. A unix socket's path has room for about 100 bytes, so a deeper
// profile has its socket in the user's runtime directory, under a name made from a hash
// of the profile's path. And the mark that tells a profile from a copy of it that was
// put back cannot be part of the copy: it is a file of 25 bytes with a random name in
// the folder that [Markers] returns.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/adrg/xdg"
	"github.com/gofrs/flock"
)

// EnvProfile names the environment variable that holds the profile's folder.
const EnvProfile = "STARLING_PROFILE"

// maxSocketPath is the longest path given to a unix socket: macOS has room
// for 103 bytes and a terminator, Linux for 107.
const maxSocketPath = 100

// A Profile is the folder of one person's messenger.
type Profile struct{ Dir string }

// Locate returns the profile in dir; if dir is empty, the one that the
// environment names, or the default one. The folder need not exist.
func Locate(dir string) (Profile, error) {
	if dir == "" {
		dir = os.Getenv(EnvProfile)
	}
	if dir == "" {
		xdg.Reload()
		dir = filepath.Join(xdg.DataHome, "starling")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Profile{}, fmt.Errorf("locate profile: %w", err)
	}
	return Profile{Dir: abs}, nil
}

func (p Profile) KeyFile() string  { return filepath.Join(p.Dir, "profile.key") }
func (p Profile) Database() string { return filepath.Join(p.Dir, "profile.db") }
func (p Profile) Relay() string    { return filepath.Join(p.Dir, "relay") }
func (p Profile) Lock() string     { return filepath.Join(p.Dir, "profile.lock") }

// NextDatabase is the database under other keys, while the passphrase is changed.
func (p Profile) NextDatabase() string { return filepath.Join(p.Dir, "profile.db-next") }

// Unfinished returns the one folder for secrets in the making: a backup, a restored
// profile. Every start empties it, and a wipe destroys its files.
func (p Profile) Unfinished() string { return filepath.Join(p.Dir, "unfinished") }

// Markers returns the folder for the marks that tell profiles from copies of them:
// "starling/markers" in the user's XDG state directory; "" if there is none.
func Markers() string {
	xdg.Reload()
	if !filepath.IsAbs(xdg.StateHome) {
		return ""
	}
	return filepath.Join(xdg.StateHome, "starling", "markers")
}

// Texts returns the folders in which texts lie while other programs read them, such as
// an editor: the first is for new ones, and where it was before they are looked for
// as well. It is in memory where the system has such a place.
func (p Profile) Texts() []string {
	sum := sha256.Sum256([]byte(p.Dir))
	name := "texts-" + hex.EncodeToString(sum[:8])
	folders := []string{filepath.Join(runtimeDir(), name)}
	if other := filepath.Join(temporaryDir(), name); other != folders[0] {
		folders = append(folders, other)
	}
	return folders
}

// Exists reports whether the folder holds a profile, whole or not.
func (p Profile) Exists() bool {
	for _, name := range []string{p.KeyFile(), p.Database()} {
		if _, err := os.Lstat(name); err == nil {
			return true
		}
	}
	return false
}

// Make makes the folder and takes everybody else's rights to it. It may be one that a
// link leads to.
func (p Profile) Make() error {
	if real, err := filepath.EvalSymlinks(p.Dir); err == nil {
		return makePrivate(real)
	}
	return makePrivate(p.Dir)
}

// Look returns why the folder cannot be looked into; nil if it can, or is not there.
func (p Profile) Look() error {
	info, err := os.Stat(p.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(p.Dir); err == nil {
			return &fs.PathError{Op: "open", Path: p.Dir, Err: errNowhere}
		}
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "open", Path: p.Dir, Err: errNoFolder}
	}
	if _, err := os.Lstat(p.KeyFile()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Other things in the place of a folder.
var (
	errLink     = errors.New("a link, and not a folder")
	errNowhere  = errors.New("a link that leads nowhere")
	errNoFolder = errors.New("not a folder")
)

// Held reports whether a process holds the profile's lock. It takes nobody's turn: all
// callers share the lock for the moment, and a start that fails by it tries again.
func (p Profile) Held() bool {
	if _, err := os.Lstat(p.Lock()); err != nil {
		return false
	}
	lock := flock.New(p.Lock())
	got, err := lock.TryRLock()
	if got {
		lock.Unlock()
	}
	return err == nil && !got
}

// Socket returns the path of the control socket.
func (p Profile) Socket() string { return SocketIn(p.Dir) }

// SocketIn returns the path of the control socket of a folder.
func SocketIn(dir string) string {
	path := filepath.Join(dir, "control.sock")
	if len(path) <= maxSocketPath {
		return path
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(runtimeDir(), "starling-"+hex.EncodeToString(sum[:8])+".sock")
}

// MakeSocketDir makes the folder of the control socket if it is not the
// profile's. A folder that belongs to someone else is refused.
func (p Profile) MakeSocketDir() error {
	dir := filepath.Dir(p.Socket())
	if dir == p.Dir {
		return p.Make()
	}
	return makePrivate(dir)
}

// Testnets returns the folder in which the meshes that are up have theirs.
func Testnets() string { return filepath.Join(runtimeDir(), "testnets") }

// MakePrivate makes a folder of mode 0700 that belongs to this user alone, and the one
// around it.
func MakePrivate(dir string) error {
	if err := makePrivate(filepath.Dir(dir)); err != nil {
		return err
	}
	return makePrivate(dir)
}

// runtimeDir returns a short folder that belongs to this user alone.
func runtimeDir() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && len(dir) < maxSocketPath/2 {
		return filepath.Join(dir, "starling")
	}
	return temporaryDir()
}

func temporaryDir() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.TempDir(), "starling")
	}
	return "/tmp/starling-" + strconv.Itoa(os.Getuid())
}

func makePrivate(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	info, there := os.Lstat(dir)
	switch {
	case there == nil && info.Mode()&fs.ModeSymlink != 0:
		if _, err := os.Stat(dir); err == nil {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: errLink}
		}
		return &fs.PathError{Op: "mkdir", Path: dir, Err: errNowhere}
	case there == nil && !info.IsDir():
		return &fs.PathError{Op: "mkdir", Path: dir, Err: errNoFolder}
	case err != nil:
		return err
	case there != nil:
		return there
	}
	if runtime.GOOS == "windows" || info.Mode().Perm() == 0o700 {
		return nil
	}
	return os.Chmod(dir, 0o700) // fails if the folder is someone else's
}

// WriteFile replaces the file whole or not at all, on disk when it returns.
func WriteFile(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}

	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()

	// The bytes are on disk before the name is theirs.
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}

	if d, err := os.Open(dir); err == nil { // not possible on Windows, where rename is enough
		d.Sync()
		d.Close()
	}
	return nil
}
