package node

import (
	"context"
	"sync"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/control"
	"starling/node/nettest"
)

// TestLock: a locked profile serves the windows that were there, and whoever knows its
// passphrase, each alone; nobody else reads anything of it.
func TestLock(t *testing.T) {
	ada := newUser(t, nettest.New(2), "Ada")
	window := overSocket(t, ada).(*control.Client)
	runs, locked, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer func() { cancel(); <-ended }()
	go func() {
		defer close(ended)
		var once sync.Once
		window.Events(ctx, -1, func(e api.Event) error {
			if e.Status == nil {
				return nil
			}
			once.Do(func() { close(runs) })
			if e.Status.Locked {
				close(locked)
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
	}()
	for waiting := true; waiting; {
		select {
		case <-runs:
			waiting = false
		case <-time.After(10 * time.Millisecond):
			ada.tellStatus()
		}
	}
	dial := func() *control.Client {
		c, err := control.Dial(t.Context(), ada.dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	before, reads := dial(), func(c *control.Client) api.Code { _, err := c.Contacts(t.Context()); return api.CodeOf(err) }
	if code := reads(before); code != "" {
		t.Fatal(code)
	}

	if err := before.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := reads(before); code != api.CodeLocked {
		t.Errorf("a client without events goes on: %s", code)
	}
	<-locked
	if code := reads(window); code != "" {
		t.Errorf("a window whose events run is shut out: %s", code)
	}

	stranger, owner := dial(), dial()
	if err := stranger.Enter(t.Context(), "guess"); api.CodeOf(err) != api.CodeWrongPassphrase || reads(stranger) != api.CodeLocked {
		t.Errorf("a guess: %v", err)
	}
	if _, err := stranger.Status(t.Context()); api.CodeOf(err) != api.CodeLocked {
		t.Errorf("status: %v", err)
	}
	if err := owner.Enter(t.Context(), passphrase); err != nil || reads(owner) != "" {
		t.Errorf("the owner: %v, %s", err, reads(owner))
	}
	if code := reads(stranger); code != api.CodeLocked {
		t.Errorf("one enters, and all are in: %s", code)
	}

	if err := owner.Unlock(t.Context(), passphrase); err != nil || reads(stranger) != "" {
		t.Errorf("unlocked: %v, %s", err, reads(stranger))
	}
	if err := ada.Lock(t.Context()); err != nil || reads(owner) != api.CodeLocked {
		t.Errorf("locked again, who had entered is still in: %v", err)
	}
	if _, err := ada.Contacts(t.Context()); err != nil {
		t.Errorf("the node's own process: %v", err)
	}
}
