package control

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"starling/node/api"
)

// clientHeader bears the name of a client, which it draws itself: requests of one program
// are known by it while the profile is locked.
const clientHeader = "Starling-Client"

// maxEntered is how many clients may have entered a locked profile. The oldest go first.
const maxEntered = 64

// A lockable node can be locked.
type lockable interface {
	Locked() bool
	Admit(ctx context.Context, passphrase string) error
}

// admit checks a passphrase and ends no lock.
func admit(ctx context.Context, n api.Node, passphrase string) error {
	if l, ok := n.(lockable); ok {
		return l.Admit(ctx, passphrase)
	}
	return n.Unlock(ctx, passphrase)
}

// doors know the clients that a locked profile serves: those whose events ran when it was
// locked, and those that have given the passphrase.
type doors struct {
	mu      sync.Mutex
	streams map[string]int // running, by client
	entered []string       // oldest first
}

var lockedError = &api.Error{Code: api.CodeLocked, Message: "the profile is locked", Hint: "unlock it where it was locked, or give its passphrase"}

// always are the methods that a locked profile answers to everybody: they ask for the
// passphrase themselves, or give nothing away.
var always = []string{"lock", "unlock", "enter", "change_passphrase", "wipe"}

// pass refuses a request of a stranger to a locked profile. What it returns is called at
// the end of the request.
func (d *doors) pass(n api.Node, m endpoint, r *http.Request) (done func(), err error) {
	client := r.Header.Get(clientHeader)
	d.mu.Lock()
	defer d.mu.Unlock()

	l, ok := n.(lockable)
	switch {
	case !ok || slices.Contains(always, m.name):
	case !l.Locked():
		d.entered = nil // they were let in before another lock
	// A screen that is open while the lock falls goes on, since it shows the lock itself.
	case client == "" || d.streams[client] == 0 && !slices.Contains(d.entered, client):
		return nil, lockedError
	}
	if m.shape != stream || client == "" {
		return func() {}, nil
	}

	if d.streams == nil {
		d.streams = make(map[string]int)
	}
	d.streams[client]++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.streams[client]--; d.streams[client] == 0 {
			delete(d.streams, client)
		}
	}, nil
}

// enter notes a client that has given the passphrase.
func (d *doors) enter(r *http.Request) {
	client := r.Header.Get(clientHeader)
	d.mu.Lock()
	defer d.mu.Unlock()
	if client == "" || slices.Contains(d.entered, client) {
		return
	}
	if len(d.entered) == maxEntered {
		d.entered = d.entered[1:]
	}
	d.entered = append(d.entered, client)
}
