// Package p2ptest runs meshes of real relays on loopback for tests.
package p2ptest

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"starling/p2p"
)

// Patience is how long Eventually waits. It is no promise: a machine may be busy
// with more than the test.
const Patience = 2 * time.Minute

// A Mesh is relays in this process that know each other through the first.
type Mesh struct {
	tb     testing.TB
	dir    string
	edit   func(i int, cfg *p2p.RelayConfig)
	Relays []*Relay
}

// A Relay is one of them.
type Relay struct {
	*p2p.Relay
	mesh *Mesh
	i    int
	addr string // listened on, the same after a restart
	stop context.CancelFunc
	done chan struct{}
}

// NewMesh starts n relays and returns once each knows all. edit, if not nil,
// may change the configuration of relay i before each start. Everything stops
// with the test.
func NewMesh(tb testing.TB, n int, edit func(i int, cfg *p2p.RelayConfig)) *Mesh {
	tb.Helper()
	m := &Mesh{tb: tb, dir: tb.TempDir(), edit: edit}
	tb.Cleanup(m.Stop)
	for i := range n {
		m.Relays = append(m.Relays, &Relay{mesh: m, i: i, addr: "/ip4/127.0.0.1/tcp/0"})
		m.Relays[i].Start()
	}
	m.Settle(n)
	return m
}

// Settle waits until every running relay lists n relays.
func (m *Mesh) Settle(n int) {
	m.tb.Helper()
	Eventually(m.tb, fmt.Sprintf("every relay lists %d", n), func() bool {
		for _, r := range m.Relays {
			if r.Running() && r.Status().Relays != n {
				return false
			}
		}
		return true
	})
}

// Start starts the relay, with the state and address of last time.
func (r *Relay) Start() {
	tb := r.mesh.tb
	tb.Helper()
	cfg := p2p.RelayConfig{
		StateDir:     filepath.Join(r.mesh.dir, fmt.Sprint(r.i)),
		Listen:       []string{r.addr},
		AllowPrivate: true,
	}
	if r.i > 0 {
		cfg.Bootstrap = r.mesh.Bootstrap()
	}
	if r.mesh.edit != nil {
		r.mesh.edit(r.i, &cfg)
	}

	relay, err := p2p.NewRelay(cfg)
	if err != nil {
		tb.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var runErr error
	go func() {
		runErr = relay.Run(ctx)
		close(done)
	}()

	select {
	case <-relay.Ready():
	case <-done:
		tb.Fatal(runErr)
	}

	r.Relay, r.stop, r.done = relay, cancel, done
	full := relay.Addrs()[0]
	r.addr = full[:len(full)-len("/p2p/"+relay.PeerID())]
}

// Stop stops the relay and waits.
func (r *Relay) Stop() {
	if r.stop != nil {
		r.stop()
		<-r.done
		r.stop = nil
	}
}

// Running reports whether the relay was started and not stopped.
func (r *Relay) Running() bool { return r.stop != nil }

// Stop stops all relays.
func (m *Mesh) Stop() {
	var wg sync.WaitGroup
	for _, r := range m.Relays {
		wg.Go(r.Stop)
	}
	wg.Wait()
}

// Bootstrap returns the address of the first relay, running or not.
func (m *Mesh) Bootstrap() []string {
	r := m.Relays[0]
	return []string{r.addr + "/p2p/" + r.PeerID()}
}

// Find returns the relay of an id.
func (m *Mesh) Find(id p2p.NodeID) *Relay {
	for _, r := range m.Relays {
		if r.ID() == id {
			return r
		}
	}
	return nil
}

// A Client is a client that runs until the test ends, or Stop.
type Client struct {
	*p2p.Client
	mesh *Mesh
	stop func()
}

// Client starts a client of the mesh without mixing delay. edit may be nil.
func (m *Mesh) Client(edit func(cfg *p2p.ClientConfig)) *Client {
	m.tb.Helper()
	cfg := p2p.ClientConfig{Bootstrap: m.Bootstrap(), AllowPrivate: true, MeanDelay: -1}
	if edit != nil {
		edit(&cfg)
	}
	c, err := p2p.NewClient(cfg)
	if err != nil {
		m.tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		c.Run(ctx)
		close(done)
	}()
	out := &Client{Client: c, mesh: m, stop: func() { cancel(); <-done }}
	m.tb.Cleanup(out.stop)
	return out
}

// Stop stops the client and waits.
func (c *Client) Stop() { c.stop() }

// WaitReady waits until the client is ready with both guards and lists every
// relay that runs: it is ready once it knows enough of them, and another client
// may choose one that is on the next page of the list.
func (c *Client) WaitReady(tb testing.TB) {
	tb.Helper()
	running := 0
	for _, r := range c.mesh.Relays {
		if r.Running() {
			running++
		}
	}

	var s p2p.Status
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("client: %+v", s)
		}
	})

	Eventually(tb, "client ready", func() bool {
		s = c.Status()
		up := 0
		for _, g := range s.Guards {
			if g.Connected {
				up++
			}
		}
		return s.Ready && up == 2 && s.Relays >= running
	})
}

// Eventually polls until ok, or fails the test.
func Eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(Patience)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("not within %v: %s", Patience, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
