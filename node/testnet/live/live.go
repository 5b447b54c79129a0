// Package live makes a mesh that stays reachable for other commands: under its name, in
// the user's runtime directory, lie
//
//	NAME/mesh.lock      held by the process of the mesh for as long as it lives
//	NAME/mesh.json      the mesh, see State
//	NAME/control.sock   takes requests, mode 0600
//
// A folder with a free lock is that of a mesh with a killed process. It is cleared away
// by the next mesh of the name, or by Clear.
//
// A request is a POST of one JSON object to /v1/NAME on the socket, with the version of
// the program in the header Starling-Version; its answer is one JSON object, or
// {"error":{…}} under a status of 400 and above. Only down is answered to any version.
package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"starling/node/config"
	"starling/node/testnet/runner"
	"starling/node/testnet/workdir"
)

// The states of a mesh, seen from outside.
const (
	Starting = "starting"
	Up       = "up"
	Dead     = "dead"    // its process was killed and has tidied up nothing
	Silent   = "silent"  // its process lives and does not answer
	Foreign  = "foreign" // it is of another version
)

// State is a mesh as it is written down and printed.
type State struct {
	Event     string        `json:"event,omitempty"` // "ready"
	Name      string        `json:"name"`
	State     string        `json:"state"`
	Engine    string        `json:"engine"`
	Version   string        `json:"version"`
	PID       int           `json:"pid"`
	Since     time.Time     `json:"since"`
	Dir       string        `json:"dir"`  // its files: profiles, logs
	File      string        `json:"file"` // this, as it was when the mesh was ready
	Socket    string        `json:"socket"`
	Private   bool          `json:"allow_private"` // newcomers need --allow-private
	Bootstrap []string      `json:"bootstrap"`
	RelaysUp  int           `json:"relays_up"`
	UsersUp   int           `json:"users_online"`
	Relays    []runner.Node `json:"relays"`
	Users     []runner.Node `json:"users"`
}

// Errors that callers tell apart. They come wrapped, with the name of the mesh.
var (
	ErrNone     = errors.New("is not up")
	ErrUp       = errors.New("is up already")
	ErrStarting = errors.New("is starting and takes no requests yet")
	ErrDead     = errors.New("is half dead: its process was killed, and its remains lie about")
	ErrSilent   = errors.New("does not answer")
	ErrEnding   = errors.New("was told to end, and still has not")
	ErrLost     = errors.New("has lost its folder, without which nobody finds it")
	ErrForeign  = errors.New("is of another version of starling")
)

// about is an error of a mesh.
func about(name string, err error) error { return fmt.Errorf("the testnet %s %w", name, err) }

// stuck is an error of a mesh with a process that somebody has to end.
func stuck(s State, err error) error {
	return fmt.Errorf("%w: its process is %d", about(s.Name, err), s.PID)
}

// validName is as that of a scenario.
var validName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9-]{0,40}$`)

// CheckName returns why a mesh cannot have a name.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%q is no name for a testnet: it has letters, digits and dashes, at most 41", name)
	}
	return nil
}

func folder(name string) string    { return filepath.Join(config.Testnets(), name) }
func lockFile(name string) string  { return filepath.Join(folder(name), "mesh.lock") }
func stateFile(name string) string { return filepath.Join(folder(name), "mesh.json") }
func socket(name string) string    { return config.SocketIn(folder(name)) }

// Names returns the names of all meshes that are up, or were when they were killed.
func Names() (names []string, err error) {
	entries, err := os.ReadDir(config.Testnets())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if e.IsDir() && CheckName(e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Only returns the name of the one mesh there is, and otherwise asks for one.
func Only() (string, error) {
	names, err := Names()
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return "", noneError{}
	case len(names) > 1:
		return "", &ManyError{names}
	}
	return names[0], nil
}

// noneError is ErrNone where no name was given.
type noneError struct{}

func (noneError) Error() string        { return "no testnet is up" }
func (noneError) Is(target error) bool { return target == ErrNone }

// A ManyError is the want of a name where there are several meshes.
type ManyError struct{ Names []string }

func (e *ManyError) Error() string {
	return fmt.Sprintf("there are %d testnets, and none is named: %s", len(e.Names), strings.Join(e.Names, ", "))
}

// maxState bounds the description of a mesh of 2,000 relays and as many users.
const maxState = 8 << 20

// read returns the description of a mesh, with the State that its lock and version give.
func read(name, version string) (s State, err error) {
	if err := CheckName(name); err != nil {
		return s, err
	}
	if _, err := os.Stat(folder(name)); err != nil {
		return s, about(name, ErrNone)
	}
	if info, err := os.Stat(stateFile(name)); err == nil && info.Size() <= maxState {
		text, err := os.ReadFile(stateFile(name))
		if err != nil {
			return s, err
		}
		if json.Unmarshal(text, &s) != nil {
			s = State{Version: "one that writes otherwise"}
		}
	}

	s.Name, s.Event = name, ""
	if s.State == "" {
		s.State = Starting
	}
	switch {
	case !held(name):
		s.State, s.RelaysUp, s.UsersUp = Dead, 0, 0
		for _, nodes := range [][]runner.Node{s.Relays, s.Users} {
			for i := range nodes {
				nodes[i].Running, nodes[i].Addrs = false, nil
			}
		}
	case s.Version != "" && s.Version != version:
		s.State = Foreign
	}
	return s, nil
}

// held reports whether the process of a mesh lives.
func held(name string) bool {
	if _, err := os.Lstat(lockFile(name)); err != nil {
		return false
	}
	lock := flock.New(lockFile(name))
	got, err := lock.TryRLock() // shared by all that look
	if got {
		lock.Unlock()
	}
	return err != nil || !got
}

// claim takes the name of a mesh, and clears away the remains of a killed one.
func claim(name string) (lock *flock.Flock, remains bool, err error) {
	if err := config.MakePrivate(config.Testnets()); err != nil {
		return nil, false, err
	}
	if err := config.MakePrivate(folder(name)); err != nil {
		return nil, false, err
	}
	if lock, err = take(name); err != nil {
		return nil, false, err
	}

	_, err = os.Lstat(stateFile(name))
	remains = err == nil
	// Under the lock: nobody alive has them.
	for _, file := range []string{stateFile(name), socket(name)} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			lock.Unlock()
			return nil, false, err
		}
	}
	workdir.Sweep()
	if remains {
		runner.ClearUp()
	}
	return lock, remains, nil
}

// looks is how often a lock is tried that somebody may only look at.
const looks = 5

// take takes the lock of a mesh.
func take(name string) (*flock.Flock, error) {
	for tries := 0; tries < looks; tries++ {
		f, err := os.OpenFile(lockFile(name), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		before, err := f.Stat()
		f.Close()
		if err != nil {
			return nil, err
		}

		lock := flock.New(lockFile(name), flock.SetFlag(os.O_RDWR))
		got, err := lock.TryLock()
		if now, gone := os.Stat(lockFile(name)); err == nil && got && gone == nil && os.SameFile(before, now) {
			return lock, nil
		}
		lock.Unlock() // of nobody, or of a file that its last owner has just removed
		time.Sleep(20 * time.Millisecond)
		if err := config.MakePrivate(folder(name)); err != nil {
			return nil, err
		}
	}
	return nil, about(name, ErrUp)
}

// release gives a name back.
func release(name string, lock *flock.Flock) {
	if ours(name, lock) { // and not of another one, after somebody removed the folder
		os.Remove(stateFile(name)) // first: while it is there others see a mesh that was killed
		os.Remove(socket(name))
		os.RemoveAll(folder(name)) // while it is held: the next one makes it anew
	}
	lock.Unlock()
}

// ours reports whether a name is still that of the holder of a lock: its folder may have
// been removed under it, as a user's runtime directory is when they log out.
func ours(name string, lock *flock.Flock) bool {
	there, err := os.Stat(lockFile(name))
	if err != nil {
		return false
	}
	held, err := lock.Stat()
	return err == nil && os.SameFile(there, held)
}

// Clear removes the remains of a killed mesh.
func Clear(name string) error {
	if _, err := os.Stat(folder(name)); err != nil {
		return about(name, ErrNone)
	}
	lock, _, err := claim(name)
	if err != nil {
		return err
	}
	runner.ClearUp()
	release(name, lock)
	return nil
}

// write writes down a mesh.
func (s State) write() error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return config.WriteFile(stateFile(s.Name), append(text, '\n'))
}
