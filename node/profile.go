package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"starling/node/api"
	guessing "starling/node/api/passphrase"
	"starling/node/config"
	"starling/node/store"
)

// How long a wrong passphrase makes the next one wait: nothing at first, then
// a second, then twice as long each time.
const (
	freeAttempts   = 3
	longestAttempt = 30 * time.Second
)

// attempts are wrong passphrases in a row.
type attempts struct {
	mu     sync.Mutex
	busy   chan struct{} // closed when the one under way has ended; nil: none is
	failed int
	next   time.Time
}

// begin waits until a passphrase may be tried, one at a time.
func (a *attempts) begin(ctx context.Context) error {
	for {
		a.mu.Lock()
		busy, wait := a.busy, time.Until(a.next)
		// One at a time: tries side by side would all have begun before the first had failed.
		if busy == nil && wait <= 0 {
			a.busy = make(chan struct{})
			a.mu.Unlock()
			return nil
		}
		a.mu.Unlock()
		var after <-chan time.Time
		if busy == nil {
			after = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-busy:
		case <-after:
		}
	}
}

func (a *attempts) end(failed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.busy)
	a.busy = nil
	if !failed {
		a.failed = 0
		return
	}

	// At most 2^10 s before the cap: a longer shift would overflow one day.
	if a.failed++; a.failed >= freeAttempts {
		wait := time.Second << min(a.failed-freeAttempts, 10)
		a.next = time.Now().Add(min(wait, longestAttempt))
	}
}

// Lock lets the control socket serve nobody new without the passphrase.
func (n *Node) Lock(context.Context) error {
	if n.ctx.Err() != nil {
		return closedError
	}
	if n.locked.CompareAndSwap(false, true) {
		n.tellStatus()
	}
	return nil
}

// Locked reports whether the profile is locked.
func (n *Node) Locked() bool { return n.locked.Load() }

// Unlock reports whether this is the profile's passphrase, and ends Lock if it is.
func (n *Node) Unlock(ctx context.Context, passphrase string) error {
	err := n.Admit(ctx, passphrase)
	if err == nil && n.locked.CompareAndSwap(true, false) {
		n.tellStatus()
	}
	return err
}

// Admit reports whether this is the profile's passphrase. It waits after wrong
// ones, so that nobody can try many at a locked screen.
func (n *Node) Admit(ctx context.Context, passphrase string) error {
	if err := n.unlock.begin(ctx); err != nil {
		return err
	}
	err := n.store.CheckPassphrase(passphrase)
	n.unlock.end(errors.Is(err, store.ErrWrongPassphrase))
	return apiError(err)
}

// ChangePassphrase gives the profile another passphrase and other keys. Wrong ones
// count as those of Unlock do.
func (n *Node) ChangePassphrase(ctx context.Context, req api.PassphraseRequest) error {
	if err := hardToGuess(req.New, n.store.Cheap()); err != nil {
		return err
	}
	if err := n.unlock.begin(ctx); err != nil {
		return err
	}

	// Copying the database takes a while, and the node may end meanwhile.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(n.ctx, func() { cancel(closedError) })
	defer stop()
	err := n.store.ChangePassphrase(ctx, req.Old, req.New, n.cfg.Store.KDF)
	n.unlock.end(errors.Is(err, store.ErrWrongPassphrase))
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return apiError(err)
}

// ChangePassphrase does the same for a profile on which no node runs.
func ChangePassphrase(p config.Profile, old, new string) error {
	if err := hardToGuess(new, false); err != nil {
		return err
	}
	return apiError(store.ChangePassphrase(p, old, new, store.KDF{}))
}

// hardToGuess refuses a new passphrase that is too easy to guess. A profile whose
// derivation is cheap protects nothing, and may have any but none.
func hardToGuess(p string, cheap bool) error {
	if p == "" {
		return noPassphrase
	}
	strength, why := guessing.Judge(p)
	if cheap || strength > guessing.Refused {
		return nil
	}
	e := &api.Error{Code: api.CodeWeakPassphrase, Message: "this passphrase is too easy to guess", Hint: "four or five words that do not belong together are good"}
	switch why {
	case guessing.Short:
		e.Message = "this passphrase is too short: it is guessed soon"
	case guessing.Common:
		e.Message = "this passphrase is too easy to guess: words, names and passwords that many people use are tried first"
	case guessing.Repeat:
		e.Message = "this passphrase is too easy to guess: it repeats itself, or counts up"
	case guessing.Row:
		e.Message = "this passphrase is too easy to guess: its letters lie beside each other on the keyboard"
	case guessing.Date:
		e.Message = "this passphrase is too easy to guess: dates and years are tried first"
	}
	return e
}

var noPassphrase = &api.Error{Code: api.CodeUsage, Message: "the new passphrase is empty", Hint: "choose one: it encrypts everything in the profile"}

// Backup writes the whole profile, encrypted, to a new file.
func (n *Node) Backup(ctx context.Context, req api.BackupRequest) error {
	if !filepath.IsAbs(req.Path) {
		return &api.Error{Code: api.CodeUsage, Message: "the path of a backup begins at the root",
			Hint: "the node has a working directory of its own"}
	}
	if req.Passphrase != "" { // which is told in words of its own
		if err := hardToGuess(req.Passphrase, n.store.Cheap()); err != nil {
			return err
		}
	}

	// It may last minutes, and the end of the node ends it.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(n.ctx, func() { cancel(closedError) })
	defer stop()
	err := n.store.Backup(ctx, req.Path, req.Passphrase)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return apiError(err)
}

// Exists reports whether a folder holds a profile, or why nobody can tell.
func Exists(p config.Profile) (bool, error) {
	if p.Exists() {
		return true, nil
	}
	return false, apiError(p.Look())
}

// Probe opens a profile on which no node runs, and closes it again.
func Probe(p config.Profile, passphrase string) error {
	s, err := store.Open(p, passphrase, store.Options{})
	if err == nil {
		err = s.Close()
	}
	return apiError(err)
}

// Restore makes a profile, in a folder that is empty or not there, from a
// backup: whole, or not at all. It opens with the passphrase that the profile
// had; passphrase is that of the backup.
func Restore(ctx context.Context, p config.Profile, file, passphrase string) error {
	return apiError(store.Restore(ctx, p, file, passphrase))
}

// Wipe destroys the profile and ends the node.
func (n *Node) Wipe(ctx context.Context) error {
	if n.ctx.Err() != nil {
		return closedError
	}
	n.wiped.Store(true) // first: later failures are of its making
	err := apiError(n.store.Wipe())
	n.own.hold() // it writes down what it knows at its end
	err = errors.Join(err, store.WipeBridge(n.cfg.Profile))
	n.cancel()
	return err
}

// Wipe destroys a profile on which no node runs, without its passphrase.
func Wipe(p config.Profile) error {
	if err := store.Wipe(p); err != nil {
		return apiError(err)
	}
	os.Remove(p.Dir)
	return nil
}
