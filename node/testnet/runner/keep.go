package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"starling/node/testnet/engine"
	"starling/node/testnet/engine/namespaces"
	"starling/node/testnet/scenario"
)

const (
	// Room is how many users may join a mesh that stays.
	Room = 16
	// meeting bounds how long a user that joins waits for its first contact.
	meeting = 30 * time.Second
)

// ErrFull is the answer to one more user than a mesh has room for.
var ErrFull = fmt.Errorf("%d users have joined this mesh, and there is no room for more", Room)

// A Kept mesh stays: its users are online and contacts, and nothing happens in it until
// somebody asks for it. Its methods may be called from any goroutine.
type Kept struct {
	r   *run
	out engine.Standing

	mu     sync.Mutex // of the script and of those below
	script *scenario.Script
	joined int
	lost   map[string]string // why nodes have ended by themselves, until they run again

	// One event at a time, as in a plan: a relay cannot stop and start at once.
	turn chan struct{}
}

// A Node is one of a mesh.
type Node struct {
	Name    string   `json:"name"` // "r3", "u0"
	Running bool     `json:"running"`
	Profile string   `json:"profile"`         // its folder
	Addrs   []string `json:"addrs,omitempty"` // of a relay that runs, with /p2p/
	Ended   string   `json:"ended,omitempty"` // why it does not run, if nobody stopped it

	Passphrase string   `json:"-"`
	Enter      []string `json:"-"` // words before a command that make it run on the node's machine
}

// Keep starts the mesh of a scenario with its files in a folder, calls serve when its
// users are contacts, and ends the mesh when serve returns.
func Keep(ctx context.Context, s *scenario.Scenario, dir string, o Options, serve func(context.Context, *Kept) error) error {
	kept := s.Kept(Room)
	if err := kept.Runnable(); err != nil {
		return err
	}
	r, err := prepare(kept, dir, o)
	if err != nil {
		return err
	}
	out, ok := r.engine.(engine.Standing)
	if !ok {
		return engine.ErrCannot // scenario.Runnable has said so before
	}

	return r.engine.Enter(ctx, func(ctx context.Context) error {
		defer r.close()
		r.entered = r.engine.Now()
		if err := r.join(ctx); err != nil {
			return err
		}
		r.began = time.Now()
		k := &Kept{r: r, out: out, script: kept.Script(), lost: map[string]string{}, turn: make(chan struct{}, 1)}
		return serve(ctx, k)
	})
}

// Bootstrap returns addresses of relays for a newcomer, with /p2p/.
func (k *Kept) Bootstrap() []string { return k.out.Bootstrap() }

// Private reports whether they are private ones.
func (k *Kept) Private() bool { return k.out.Private() }

// Nodes returns all relays and then all users, those that joined included.
func (k *Kept) Nodes() (all []Node) {
	for i := range k.r.s.Relays {
		all = append(all, k.relay(i))
	}
	k.mu.Lock()
	users := slices.Clone(k.r.users)
	k.mu.Unlock()
	for _, u := range users {
		all = append(all, k.user(u))
	}
	return all
}

func (k *Kept) relay(i int) Node {
	seat := k.out.Relay(i)
	return k.known(Node{Name: fmt.Sprintf("r%d", i), Running: len(seat.Addrs) > 0, Profile: seat.Dir, Addrs: seat.Addrs, Enter: seat.Enter}, seat)
}

func (k *Kept) user(u *user) Node {
	seat := k.out.User(u.index)
	return k.known(Node{Name: fmt.Sprintf("u%d", u.index), Running: u.online() && seat.Ended == nil, Profile: seat.Dir, Passphrase: seat.Passphrase, Enter: seat.Enter}, seat)
}

// known adds why a node has ended by itself, now or before an event.
func (k *Kept) known(n Node, seat engine.Seat) Node {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case n.Running:
		delete(k.lost, n.Name)
	case seat.Ended != nil:
		n.Ended = seat.Ended.Error()
	default:
		n.Ended = k.lost[n.Name]
	}
	return n
}

// bury makes nodes that have ended by themselves stopped and offline ones, so that events
// can start them again.
func (k *Kept) bury(ctx context.Context) {
	for i := range k.r.s.Relays {
		if why := k.out.Relay(i).Ended; why != nil {
			_ = k.out.Stop(ctx, i) // it says again that there is none
			k.mu.Lock()
			k.lost[fmt.Sprintf("r%d", i)] = why.Error()
			k.script.Ended(i)
			k.mu.Unlock()
		}
	}
	for i, u := range k.r.users {
		if why := k.out.User(i).Ended; why != nil && u.online() {
			_ = u.close(ctx, k.out.Shut)
			k.mu.Lock()
			k.lost[fmt.Sprintf("u%d", i)] = why.Error()
			k.script.Leave(i)
			k.mu.Unlock()
		}
	}
}

// take waits for the turn to change something.
func (k *Kept) take(ctx context.Context) (done func(), err error) {
	select {
	case k.turn <- struct{}{}:
		return func() { <-k.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Do carries out an event in the words of a scenario file and returns when it is done.
func (k *Kept) Do(ctx context.Context, words []string) (scenario.Step, error) {
	done, err := k.take(ctx)
	if err != nil {
		return scenario.Step{}, err
	}
	defer done()
	k.bury(ctx)
	k.mu.Lock()
	step, err := k.script.Do(words...)
	k.mu.Unlock()
	if err != nil {
		return step, err
	}

	switch step.Do {
	case scenario.Stop, scenario.Kill, scenario.Restart:
		err = k.r.relayStep(ctx, step)
	case scenario.Offline, scenario.Online, scenario.Reopen, scenario.Crash:
		err = k.r.peopleStep(ctx, step)
	default:
		err = k.r.faultStep(ctx, step)
	}
	return step, err
}

// Join adds a user, ready to write, with the first user that is online as its contact.
// The name of the contact is empty if they did not meet in time.
func (k *Kept) Join(ctx context.Context) (_ Node, contact string, err error) {
	done, err := k.take(ctx)
	if err != nil {
		return Node{}, "", err
	}
	defer done()
	k.bury(ctx)
	k.mu.Lock()
	full := k.joined == Room
	k.mu.Unlock()
	if full {
		return Node{}, "", ErrFull
	}

	u := newUser(k.r, len(k.r.users))
	if err := u.open(ctx); err != nil {
		return Node{}, "", err
	}
	k.mu.Lock()
	others := slices.Clone(k.r.users)
	k.r.users = append(k.r.users, u)
	k.joined++
	k.script.Join()
	k.mu.Unlock()

	limited, cancel := context.WithTimeout(ctx, meeting)
	defer cancel()
	err = u.ready(limited)
	if i := slices.IndexFunc(others, (*user).online); i >= 0 && err == nil {
		if err = meet(limited, others[i], u); err == nil {
			contact = engine.Name(i)
		}
	}
	if limited.Err() != nil { // a mesh in trouble may be joined all the same
		err = ctx.Err()
	}
	return k.user(u), contact, err
}

// ClearUp removes the remains of killed meshes outside of their folders.
func ClearUp() { namespaces.ClearUp() }

// ErrNoUser is the answer to the name of a user that a mesh does not have.
var ErrNoUser = errors.New("no user has this name")

// Leave ends the node of a user that joined.
func (k *Kept) Leave(ctx context.Context, name string) error {
	done, err := k.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	var i int
	if _, err := fmt.Sscanf(name, "u%d", &i); err != nil || i < k.r.s.Users || i >= len(k.r.users) {
		return ErrNoUser
	}
	err = k.r.users[i].close(ctx, k.r.engine.Shut)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.script.Leave(i)
	return err
}
