package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"starling/node/api"
	"starling/node/relay"
)

// engine is package node and its neighbours, as far as the commands need them. Tests of
// the command line put a fake in its place.
type engine interface {
	// DefaultProfile is the folder used without --profile.
	DefaultProfile() (string, error)
	// Exists reports whether the folder holds a profile.
	Exists(profile string) (bool, error)
	// Held reports whether a process works on the profile: a node that serves it, or
	// one that is about to, or has just ended.
	Held(profile string) bool
	// Create makes a profile.
	Create(ctx context.Context, profile string, p newProfile) error
	// Dial connects to the node that runs on the profile; errNoNode if none does.
	Dial(ctx context.Context, profile string) (api.Node, io.Closer, error)
	// Start runs a node in this process, its control socket included, until
	// it is closed; ctx bounds the start only. It returns when the node serves.
	Start(ctx context.Context, c startConfig) (running, error)
	// Open opens a profile on which no node runs, and dials nobody.
	Open(ctx context.Context, c startConfig) (still, error)
	// Nearby returns the addresses of relays on the local network, which hears
	// that they are looked for.
	Nearby(ctx context.Context) ([]string, error)
	// Restore makes a profile from a backup.
	Restore(ctx context.Context, profile, file, passphrase string) error
	// ChangePassphrase gives a profile on which no node runs another passphrase.
	ChangePassphrase(ctx context.Context, profile, old, new string) error
	// Wipe destroys a profile on which no node runs.
	Wipe(ctx context.Context, profile string) error
	// Relay runs a relay until ctx ends and calls ready once.
	Relay(ctx context.Context, c relayConfig, ready func(relay.Ready) error) error
	// RelayStatus asks the running relay of a state folder; its errors are those of
	// relay.Ask.
	RelayStatus(ctx context.Context, stateDir string) (relay.Status, error)
}

// errNoNode is returned by [engine.Dial] when no node runs on the profile.
var errNoNode = errors.New("no node runs on this profile")

type newProfile struct {
	name       string
	passphrase string
	// cheapKDF makes the passphrase quick to check, and to guess: for those that
	// are random keys already.
	cheapKDF bool
}

type startConfig struct {
	profile    string
	passphrase string
	network    network
	log        *slog.Logger
	// temporary leaves no trace outside the profile's folder, which will go.
	temporary bool
	// brief: it ends with a command.
	brief bool
	// bridge: the command runs a bridge beside it, and the settings none.
	bridge bool
}

// still is a node in this process that does not run.
type still interface {
	api.Node
	io.Closer
}

// running is a node in this process.
type running interface {
	api.Node
	// Done is closed when the node has stopped, Close stops it and waits.
	// Close may be called again and returns how the node ended.
	Done() <-chan struct{}
	Close() error
	// Join adds a relay to start from and waits until relays are known.
	Join(ctx context.Context, address string) error
}

type relayConfig struct {
	stateDir string
	listen   []string
	site     string
	front    bool
	domain   string
	acme     string
	family   []string
	mapPort  bool
	bridge   bool
	metrics  string
	limits   relay.Limits
	changes  <-chan relay.Limits
	network  network
	log      *slog.Logger
}

// profileDir is the folder this command works on. One reached over a link is the folder
// that the link leads to, so that all its users see one lock and one socket.
func (a *app) profileDir() (string, error) {
	dir := a.profile
	if dir == "" {
		dir = a.getenv("STARLING_PROFILE")
	}
	var err error
	if dir == "" {
		dir, err = a.engine.DefaultProfile()
	} else {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return dir, nil
}

// connection is a node that a command may use, and how to leave it.
type connection struct {
	api.Node
	// hosted: the node lives in this process and ends with the command. brief: it
	// lives in that of another command, and ends with that.
	hosted, brief bool
	close         func() error
}

// passing reports whether the node may end before the result of its request has left.
func (c *connection) passing() bool { return c.hosted || c.brief }

// settleTime is how long a command waits for a process that holds the profile to serve
// it, or to let go of it, and settleEvery how often it looks.
const (
	settleTime  = 15 * time.Second
	settleEvery = 50 * time.Millisecond
)

// settled tries again for as long as the holder of the profile cannot be reached: a
// node that is about to serve, or one that is about to be gone.
func (a *app) settled(ctx context.Context, try func() error) error {
	for over := time.Now().Add(a.settle); ; {
		err := try()
		if api.CodeOf(err) != api.CodeInUse || !time.Now().Before(over) {
			return err
		}
		select {
		case <-time.After(settleEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// errHeld is the error of a command that has waited in vain.
var errHeld = &api.Error{Code: api.CodeInUse, Message: "another process holds this profile and does not serve it",
	Hint: "end that process, by force if it has to be, and try again; nothing is lost"}

// connect finds the node that runs on the profile or starts one here.
func (a *app) connect(ctx context.Context) (c *connection, err error) {
	dir, err := a.existingProfile()
	if err != nil {
		return nil, err
	}
	passphrase := remembered(func() (string, error) { return a.passphrase(ctx, "Passphrase: ") })
	err = a.settled(ctx, func() error {
		node, closer, err := a.engine.Dial(ctx, dir)
		if err == nil {
			c, err = visit(ctx, node, closer, passphrase)
			return err
		}
		if !errors.Is(err, errNoNode) {
			return err
		}
		if a.engine.Held(dir) {
			return errHeld // before anybody is asked for a passphrase in vain
		}

		host, err := a.start(ctx, startConfig{profile: dir, log: a.logger(), brief: true}, passphrase)
		if err == nil {
			c = &connection{Node: host, hosted: true, close: host.Close}
		}
		return err
	})
	return c, err
}

// visit uses a node of another process.
func visit(ctx context.Context, node api.Node, closer io.Closer, passphrase func() (string, error)) (*connection, error) {
	status, err := node.Status(ctx)
	if api.CodeOf(err) == api.CodeLocked {
		if err = enter(ctx, node, passphrase); err == nil {
			status, err = node.Status(ctx)
		}
	}
	if api.CodeOf(err) == api.CodeClosed { // it was about to end
		closer.Close()
		return nil, errHeld
	}
	if err != nil {
		closer.Close()
		return nil, err
	}
	return &connection{Node: node, brief: status.Brief, close: closer.Close}, nil
}

// enter gives a locked profile its passphrase, for this command alone.
func enter(ctx context.Context, node api.Node, passphrase func() (string, error)) error {
	door, ok := node.(interface {
		Enter(ctx context.Context, passphrase string) error
	})
	if !ok {
		return lockedErr
	}
	p, err := passphrase()
	if err != nil {
		return err
	}
	return door.Enter(ctx, p)
}

// remembered asks once.
func remembered(ask func() (string, error)) func() (string, error) {
	return sync.OnceValues(ask)
}

// maxNodes is how many nodes of other commands may end under a command.
const maxNodes = 20

// with runs f on a connection and leaves it again. An error of f comes first. If the
// node was another command's, and has ended, f runs again on the next.
func (a *app) with(ctx context.Context, f func(*connection) error) error {
	for nodes := 1; ; nodes++ {
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		a.names = &roomNames{ctx: ctx, node: c}
		err = f(c)
		if closeErr := c.close(); err == nil && c.hosted {
			err = closeErr
		}
		if !c.brief || api.CodeOf(err) != api.CodeClosed || ctx.Err() != nil || nodes == maxNodes {
			return err
		}
	}
}

// local uses the node that runs on the profile, or does something to the files of a
// profile on which none runs.
func (a *app) local(ctx context.Context, dir string, ask func(api.Node) error, do func() error) error {
	return a.settled(ctx, func() error {
		node, closer, err := a.engine.Dial(ctx, dir)
		if errors.Is(err, errNoNode) {
			return do()
		}
		if err != nil {
			return err
		}
		defer closer.Close()
		err = ask(node)
		if api.CodeOf(err) == api.CodeClosed {
			err = errHeld // it was about to end
		}
		return err
	})
}

// newProfileDir returns the profile's folder, which has to hold none yet.
func (a *app) newProfileDir() (string, error) {
	dir, err := a.profileDir()
	if err != nil {
		return "", err
	}
	exists, err := a.engine.Exists(dir)
	if err == nil && exists {
		err = &api.Error{Code: api.CodeProfileExists, Message: "there is a profile in " + own(dir).String() + " already"}
	}
	return dir, err
}

// start runs a node in this process after asking for the passphrase.
func (a *app) start(ctx context.Context, c startConfig, passphrase func() (string, error)) (running, error) {
	if a.network.proxy == "" {
		a.network.proxy = a.getenv("STARLING_PROXY")
	}
	if err := a.network.check(); err != nil {
		return nil, err
	}
	var err error
	if c.passphrase, err = passphrase(); err != nil {
		return nil, err
	}
	c.network = a.network
	return a.engine.Start(ctx, c)
}

func (a *app) existingProfile() (string, error) {
	dir, err := a.profileDir()
	if err != nil {
		return "", err
	}
	exists, err := a.engine.Exists(dir)
	if err != nil {
		return "", err
	}
	if !exists {
		return "", &api.Error{Code: api.CodeNoProfile, Message: "there is no profile in " + own(dir).String()}
	}
	return dir, nil
}

// waitReady waits until messages can leave, because a node that has just
// started knows no route yet. A node that stays offline says why.
func waitReady(ctx context.Context, node api.Node, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	reason := "no relay answers"
	for {
		status, err := node.Status(ctx)
		switch {
		case err == nil && status.Ready:
			return nil
		case err == nil && status.Reason != "":
			reason = status.Reason
		case err != nil && ctx.Err() == nil: // the end of the wait is no failure
			return err
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				return notConnected(timeout, reason)
			}
			return ctx.Err()
		}
	}
}

// offline says why a node has had no route for so long.
func offline(ctx context.Context, node api.Node, timeout time.Duration) error {
	reason := "no relay answers"
	if status, err := node.Status(ctx); err == nil && status.Reason != "" {
		reason = status.Reason
	}
	return notConnected(timeout, reason)
}

func notConnected(timeout time.Duration, reason string) error {
	return &api.Error{Code: api.CodeOffline, Message: "not connected after " + timeout.String() + ": " + own(reason).String()}
}

// pollEvery is how often a condition of the node is looked at while waiting.
const pollEvery = 25 * time.Millisecond
