package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

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
	// Create makes a profile.
	Create(ctx context.Context, profile string, p newProfile) error
	// Dial connects to the node that runs on the profile; errNoNode if none does.
	Dial(ctx context.Context, profile string) (api.Node, io.Closer, error)
	// Start runs a node in this process, its control socket included, until
	// it is closed; ctx bounds the start only. It returns when the node serves.
	Start(ctx context.Context, c startConfig) (running, error)
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
	Relay(ctx context.Context, c relayConfig, ready func(peerID string, addrs []string) error) error
	// RelayStatus is the status of the running relay of a state folder; its errors are
	// those of relay.ReadStatus.
	RelayStatus(stateDir string) (relay.Status, error)
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
	announce []string
	family   []string
	network  network
	log      *slog.Logger
}

// profileDir is the folder this command works on.
func (a *app) profileDir() (string, error) {
	dir := a.profile
	if dir == "" {
		dir = a.getenv("STARLING_PROFILE")
	}
	if dir == "" {
		return a.engine.DefaultProfile()
	}
	return filepath.Abs(dir)
}

// connection is a node that a command may use, and how to leave it.
type connection struct {
	api.Node
	// hosted: the node lives in this process and ends with the command.
	hosted bool
	close  func() error
}

// connect finds the node that runs on the profile or starts one here.
func (a *app) connect(ctx context.Context) (*connection, error) {
	dir, err := a.existingProfile()
	if err != nil {
		return nil, err
	}
	node, closer, err := a.engine.Dial(ctx, dir)
	if err == nil {
		return &connection{Node: node, close: closer.Close}, nil
	}
	if !errors.Is(err, errNoNode) {
		return nil, err
	}
	host, err := a.start(ctx, dir, a.logger())
	if err != nil {
		return nil, err
	}
	return &connection{Node: host, hosted: true, close: host.Close}, nil
}

// with runs f on a connection and leaves it again. An error of f comes first.
func (a *app) with(ctx context.Context, f func(*connection) error) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	err = f(c)
	if closeErr := c.close(); err == nil && c.hosted {
		err = closeErr
	}
	return err
}

// newProfileDir returns the profile's folder, which has to hold none yet.
func (a *app) newProfileDir() (string, error) {
	dir, err := a.profileDir()
	if err != nil {
		return "", err
	}
	exists, err := a.engine.Exists(dir)
	if err == nil && exists {
		err = &api.Error{Code: api.CodeProfileExists, Message: "there is a profile in " + dir + " already"}
	}
	return dir, err
}

// start runs a node in this process after asking for the passphrase.
func (a *app) start(ctx context.Context, dir string, log *slog.Logger) (running, error) {
	if err := a.network.check(); err != nil {
		return nil, err
	}
	passphrase, err := a.passphrase("Passphrase: ")
	if err != nil {
		return nil, err
	}
	return a.engine.Start(ctx, startConfig{profile: dir, passphrase: passphrase, network: a.network, log: log})
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
		return "", &api.Error{Code: api.CodeNoProfile, Message: "there is no profile in " + dir}
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
				return &api.Error{Code: api.CodeOffline, Message: "not connected after " + timeout.String() + ": " + own(reason).String()}
			}
			return ctx.Err()
		}
	}
}

// pollEvery is how often a condition of the node is looked at while waiting.
const pollEvery = 25 * time.Millisecond

// maxPassphrase bounds the passphrase that is read, in bytes.
const maxPassphrase = 4 << 10

// passphrase comes from --passphrase-file, $STARLING_PASSPHRASE or a prompt,
// in this order, and never from the command line.
func (c *console) passphrase(question string) (string, error) {
	if c.passphraseFile != "" {
		return readPassphrase("--passphrase-file", c.passphraseFile)
	}
	if p := c.getenv("STARLING_PASSPHRASE"); p != "" {
		return p, nil
	}
	if !c.inTTY {
		return "", &api.Error{
			Code:    api.CodeWrongPassphrase,
			Message: "no passphrase was given",
			Hint:    "use --passphrase-file FILE or $STARLING_PASSPHRASE, or run this in a terminal to be asked",
		}
	}
	return c.prompt(question)
}

// newPassphrase is [app.passphrase] for a new profile: a prompt asks twice.
func (c *console) newPassphrase() (string, error) {
	p, err := c.passphrase("New passphrase: ")
	if err != nil {
		return "", err
	}
	if p == "" {
		return "", emptyPassphrase
	}
	if c.passphraseFile == "" && c.getenv("STARLING_PASSPHRASE") == "" {
		return p, c.promptAgain(p)
	}
	return p, nil
}

var emptyPassphrase = &api.Error{Code: api.CodeUsage, Message: "the passphrase is empty", Hint: "choose one: it encrypts everything in the profile"}

// promptTwice asks for a new secret, and once more.
func (c *console) promptTwice(question string) (string, error) {
	p, err := c.prompt(question)
	if err != nil || p == "" {
		return p, err
	}
	return p, c.promptAgain(p)
}

// promptAgain asks for a new secret once more.
func (c *console) promptAgain(p string) error {
	again, err := c.prompt("The same again: ")
	if err == nil && again != p {
		err = &api.Error{Code: api.CodeUsage, Message: "the two passphrases differ", Hint: "run the command again"}
	}
	return err
}

func readPassphrase(flag, file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", &api.Error{Code: api.CodeUsage, Message: "passphrase file: " + err.Error(), Hint: "check the path given to " + flag}
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, maxPassphrase+1)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("passphrase file: %w", err)
	}
	if len(line) > maxPassphrase {
		return "", &api.Error{Code: api.CodeUsage, Message: "the passphrase file's first line is longer than 4 KiB", Hint: "check the path given to " + flag}
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// promptTerminal asks on standard error and reads without echo.
func (c *console) promptTerminal(question string) (string, error) {
	fmt.Fprint(c.err, question)
	defer fmt.Fprintln(c.err)
	p, err := term.ReadPassword(int(os.Stdin.Fd()))
	if err != nil {
		return "", fmt.Errorf("read passphrase: %w", err)
	}
	return string(p), nil
}
