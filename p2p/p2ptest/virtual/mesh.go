// Package virtual runs meshes of relays and clients for tests in virtual time, on
// a network of package virtualtime.
package virtual

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"starling/p2p"
	"starling/p2p/mailbox"
	"starling/p2p/virtualtime"
)

// mailboxRoom is how many boxes a relay takes.
const mailboxRoom = 10_000

// A Mesh is relays and clients on a virtual network.
type Mesh struct {
	*virtualtime.Network
	Relays []*Relay
	// Logger, if set before Start, is given to relays.
	Logger *slog.Logger
	edit   func(node int, cfg *p2p.RelayConfig)
	tb     testing.TB
	dir    string
	next   int // node
}

// A Relay is one of them, running or not.
type Relay struct {
	*p2p.Relay
	Node int
	mesh *Mesh
	disk *mailbox.Memory // outlives a restart, as a disk does
	stop context.CancelFunc
	done chan error
}

// A Client is one of them, running until Stop.
type Client struct {
	*p2p.Client
	Node int
	stop context.CancelFunc
	done chan struct{}
}

// NewMesh starts relays that know the first one. Call Stop before the bubble
// ends.
func NewMesh(tb testing.TB, relays int, links virtualtime.Links) *Mesh {
	return NewMeshOf(tb, relays, links, nil)
}

// NewMeshOf is NewMesh; edit, if not nil, may change the configuration of a relay
// before each start.
func NewMeshOf(tb testing.TB, relays int, links virtualtime.Links, edit func(node int, cfg *p2p.RelayConfig)) *Mesh {
	m := &Mesh{edit: edit, Network: virtualtime.NewNetwork(links), tb: tb, dir: tb.TempDir(), Logger: slog.Default()}
	for range relays {
		r := &Relay{Node: m.node(), mesh: m, disk: mailbox.NewMemory(mailboxRoom)}
		m.Relays = append(m.Relays, r)
		r.Start()
	}
	return m
}

func (m *Mesh) node() int {
	m.next++
	return m.next - 1
}

// Start starts the relay, again with what it had on disk.
func (r *Relay) Start() {
	tb := r.mesh.tb
	tb.Helper()
	cfg := p2p.RelayConfig{
		StateDir: filepath.Join(r.mesh.dir, fmt.Sprint(r.Node)),
		Listen:   []string{fmt.Sprintf("/ip4/%s/tcp/%d", virtualtime.Address(r.Node), virtualtime.Port)},
		Store:    r.disk,
		Options:  r.mesh.Options(r.Node),
		Logger:   r.mesh.Logger,
	}
	if r.Node > 0 {
		cfg.Bootstrap = r.mesh.Bootstrap()
	}
	if r.mesh.edit != nil {
		r.mesh.edit(r.Node, &cfg)
	}

	relay, err := p2p.NewRelay(cfg)
	if err != nil {
		tb.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	r.Relay, r.stop, r.done = relay, cancel, make(chan error, 1)
	go func() { r.done <- relay.Run(ctx) }()

	select {
	case <-relay.Ready():
	case err := <-r.done:
		tb.Fatal(err)
	}
}

// Stop stops the relay and waits.
func (r *Relay) Stop() {
	if r.stop != nil {
		r.stop()
		<-r.done
		r.stop = nil
	}
}

// Running reports whether the relay runs.
func (r *Relay) Running() bool { return r.stop != nil }

// Bootstrap returns the address of the first relay.
func (m *Mesh) Bootstrap() []string {
	return []string{fmt.Sprintf("/ip4/%s/tcp/%d/p2p/%s", virtualtime.Address(0), virtualtime.Port, m.Relays[0].PeerID())}
}

// Has reports whether a relay is one of the mesh.
func (m *Mesh) Has(id p2p.NodeID) bool {
	return slices.ContainsFunc(m.Relays, func(r *Relay) bool { return r.ID() == id })
}

// Client starts a client. edit, if not nil, may change its configuration.
func (m *Mesh) Client(edit func(*p2p.ClientConfig)) *Client {
	m.tb.Helper()
	c := &Client{Node: m.node(), done: make(chan struct{})}
	cfg := p2p.ClientConfig{Bootstrap: m.Bootstrap(), Options: m.Options(c.Node)}
	if edit != nil {
		edit(&cfg)
	}
	client, err := p2p.NewClient(cfg)
	if err != nil {
		m.tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.Client, c.stop = client, cancel
	go func() {
		client.Run(ctx)
		close(c.done)
	}()
	return c
}

// Stop stops the client and waits.
func (c *Client) Stop() {
	c.stop()
	<-c.done
}

// Stop stops all relays.
func (m *Mesh) Stop() {
	done := make(chan struct{})
	for _, r := range m.Relays {
		go func() {
			r.Stop()
			done <- struct{}{}
		}()
	}
	for range m.Relays {
		<-done
	}
}

// Settle waits, at most a virtual half hour, until every running relay lists n
// relays, and returns how long that took.
func (m *Mesh) Settle(n int) time.Duration {
	m.tb.Helper()
	return Eventually(m.tb, fmt.Sprintf("every relay lists %d", n), func() bool {
		for _, r := range m.Relays {
			if r.Running() && r.Status().Relays != n {
				return false
			}
		}
		return true
	})
}

// Eventually looks every 10 ms of virtual time until ok, and returns how long
// that took. After half an hour the test has failed.
func Eventually(tb testing.TB, what string, ok func() bool) time.Duration {
	tb.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > 30*time.Minute {
			tb.Fatalf("not within a virtual half hour: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}
