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

// A Mesh stays: its users are online and contacts, and nothing happens in it until
// somebody asks for it. Its methods may be called from any goroutine.
type Mesh struct {
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
func Keep(ctx context.Context, s *scenario.Scenario, dir string, o Options, serve func(context.Context, *Mesh) error) error {
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
		m := &Mesh{r: r, out: out, script: kept.Script(), lost: map[string]string{}, turn: make(chan struct{}, 1)}
		return serve(ctx, m)
	})
}

// Bootstrap returns addresses of relays for a newcomer, with /p2p/.
func (m *Mesh) Bootstrap() []string { return m.out.Bootstrap() }

// Private reports whether they are private ones.
func (m *Mesh) Private() bool { return m.out.Private() }

// Nodes returns all relays and then all users, those that joined included.
func (m *Mesh) Nodes() (all []Node) {
	for i := range m.r.s.Relays {
		all = append(all, m.relay(i))
	}
	m.mu.Lock()
	users := slices.Clone(m.r.users)
	m.mu.Unlock()
	for _, u := range users {
		all = append(all, m.user(u))
	}
	return all
}

func (m *Mesh) relay(i int) Node {
	seat := m.out.Relay(i)
	return m.known(Node{Name: fmt.Sprintf("r%d", i), Running: len(seat.Addrs) > 0, Profile: seat.Dir, Addrs: seat.Addrs, Enter: seat.Enter}, seat)
}

func (m *Mesh) user(u *user) Node {
	seat := m.out.User(u.index)
	return m.known(Node{Name: fmt.Sprintf("u%d", u.index), Running: u.online() && seat.Ended == nil, Profile: seat.Dir, Passphrase: seat.Passphrase, Enter: seat.Enter}, seat)
}

// known adds why a node has ended by itself, now or before an event.
func (m *Mesh) known(n Node, seat engine.Seat) Node {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case n.Running:
		delete(m.lost, n.Name)
	case seat.Ended != nil:
		n.Ended = seat.Ended.Error()
	default:
		n.Ended = m.lost[n.Name]
	}
	return n
}

// bury makes nodes that have ended by themselves stopped and offline ones, so that events
// can start them again.
func (m *Mesh) bury(ctx context.Context) {
	for i := range m.r.s.Relays {
		if why := m.out.Relay(i).Ended; why != nil {
			_ = m.out.Stop(ctx, i) // it says again that there is none
			m.mu.Lock()
			m.lost[fmt.Sprintf("r%d", i)] = why.Error()
			m.script.Ended(i)
			m.mu.Unlock()
		}
	}
	for i, u := range m.r.users {
		if why := m.out.User(i).Ended; why != nil && u.online() {
			_ = u.close(ctx, m.out.Shut)
			m.mu.Lock()
			m.lost[fmt.Sprintf("u%d", i)] = why.Error()
			m.script.Leave(i)
			m.mu.Unlock()
		}
	}
}

// take waits for the turn to change something.
func (m *Mesh) take(ctx context.Context) (done func(), err error) {
	select {
	case m.turn <- struct{}{}:
		return func() { <-m.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Do carries out an event in the words of a scenario file and returns when it is done.
func (m *Mesh) Do(ctx context.Context, words []string) (scenario.Step, error) {
	done, err := m.take(ctx)
	if err != nil {
		return scenario.Step{}, err
	}
	defer done()
	m.bury(ctx)
	m.mu.Lock()
	step, err := m.script.Do(words...)
	m.mu.Unlock()
	if err != nil {
		return step, err
	}

	switch step.Do {
	case scenario.Stop, scenario.Kill, scenario.Restart:
		err = m.r.relayStep(ctx, step)
	case scenario.Offline, scenario.Online, scenario.Reopen, scenario.Crash:
		err = m.r.peopleStep(ctx, step)
	default:
		err = m.r.faultStep(ctx, step)
	}
	return step, err
}

// Join adds a user, ready to write, with the first user that is online as its contact.
// The name of the contact is empty if they did not meet in time.
func (m *Mesh) Join(ctx context.Context) (_ Node, contact string, err error) {
	done, err := m.take(ctx)
	if err != nil {
		return Node{}, "", err
	}
	defer done()
	m.bury(ctx)
	m.mu.Lock()
	full := m.joined == Room
	m.mu.Unlock()
	if full {
		return Node{}, "", ErrFull
	}

	u := newUser(m.r, len(m.r.users))
	if err := u.open(ctx); err != nil {
		return Node{}, "", err
	}
	m.mu.Lock()
	others := slices.Clone(m.r.users)
	m.r.users = append(m.r.users, u)
	m.joined++
	m.script.Join()
	m.mu.Unlock()

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
	return m.user(u), contact, err
}

// ClearUp removes the remains of killed meshes outside of their folders.
func ClearUp() { namespaces.ClearUp() }

// ErrNoUser is the answer to the name of a user that a mesh does not have.
var ErrNoUser = errors.New("no user has this name")

// Leave ends the node of a user that joined.
func (m *Mesh) Leave(ctx context.Context, name string) error {
	done, err := m.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	var i int
	if _, err := fmt.Sscanf(name, "u%d", &i); err != nil || i < m.r.s.Users || i >= len(m.r.users) {
		return ErrNoUser
	}
	err = m.r.users[i].close(ctx, m.r.engine.Shut)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.script.Leave(i)
	return err
}
