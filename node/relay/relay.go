// Package relay runs a relay as a program of its own: one per state folder, in
// the errors of node/api.
//
// The state folder, mode 0700, holds the files of package p2p (the relay's
// network key and its mailboxes) and
//
//	relay.lock    held while the relay runs
//	relay.status  its own state, for starling relay status and doctor
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"starling/node/api"
	"starling/p2p"
)

const (
	lockFile = "relay.lock"
	// Somebody may look whether the lock is held in the moment that a relay starts.
	lockWait, lockAgain = 500 * time.Millisecond, 50 * time.Millisecond
)

// Config says which relay to run.
type Config struct {
	StateDir     string
	Listen       []string // multiaddrs
	Announce     []string // multiaddrs at which others reach it, if they are others
	Family       []string // peer ids of the owner's other relays
	Bootstrap    []string // multiaddrs of other relays, with /p2p/
	AllowPrivate bool
	LAN          bool // answer on the local network; takes AllowPrivate
	Version      string
	Logger       *slog.Logger
}

// Run runs a relay until ctx ends and returns nil then. It calls ready once,
// when the relay serves, with its network identity and the addresses that
// others reach it at.
func Run(ctx context.Context, c Config, ready func(peerID string, addrs []string) error) error {
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
		return told(err)
	}
	lock := flock.New(filepath.Join(c.StateDir, lockFile))
	held, err := tryLock(ctx, lock)
	if err != nil {
		return told(err)
	}
	if !held {
		return &api.Error{Code: api.CodeInUse, Message: "another relay runs on " + c.StateDir, Hint: "stop it, or give this one a folder of its own with --profile"}
	}
	defer lock.Unlock()
	os.Remove(filepath.Join(c.StateDir, statusFile)) // of one that crashed

	r, err := p2p.NewRelay(p2p.RelayConfig{
		StateDir:     c.StateDir,
		Listen:       c.Listen,
		Announce:     c.Announce,
		Family:       c.Family,
		Bootstrap:    c.Bootstrap,
		AllowPrivate: c.AllowPrivate,
		LAN:          c.LAN,
		Logger:       c.Logger,
	})
	if err != nil {
		return told(err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	select {
	case err = <-ended:
	case <-r.Ready():
		keep := newKeeper(c, r.Status)
		var writing sync.WaitGroup
		defer writing.Wait()
		defer stop()
		writing.Go(func() { keep.run(ctx) })

		readyErr := ready(r.PeerID(), r.Addrs())
		if readyErr != nil {
			stop()
		}
		err = errors.Join(readyErr, <-ended)
		if readyErr != nil {
			return err
		}
	}
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return nil
	}
	return told(err)
}

// tryLock takes the lock unless another relay holds it.
func tryLock(ctx context.Context, lock *flock.Flock) (bool, error) {
	waiting, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	held, err := lock.TryLockContext(waiting, lockAgain)
	if errors.Is(err, context.DeadlineExceeded) {
		return false, nil
	}
	return held, err
}

// told puts an error of a relay into words.
func told(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return &api.Error{Code: api.CodeDiskFull, Message: "the disk is full: " + err.Error()}
	// libp2p keeps only the words of the system's error.
	case errors.Is(err, syscall.EADDRINUSE), strings.Contains(err.Error(), syscall.EADDRINUSE.Error()):
		return &api.Error{Code: api.CodeInUse, Message: "the address is in use: " + err.Error(), Hint: "stop the other program, or choose another port with --listen"}
	}
	return fmt.Errorf("relay: %w", err)
}
