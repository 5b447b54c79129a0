// Package p2ptest runs networks of real relays and clients for tests: on loopback, or in
// virtual time on a network of package virtualtime.
package p2ptest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/p2p"
	"starling/p2p/mailbox"
	"starling/p2p/mesh"
	"starling/p2p/virtualtime"
)

// A Net is the relays and clients of one test.
type Net struct {
	*virtualtime.Network // nil on loopback
	Relays               []*Relay

	tb        testing.TB
	mesh      *mesh.Mesh
	bootstrap []string
	mu        sync.Mutex
	next      int // node
}

// A Relay is one of them, running or not. Its disk outlives a restart, and so does its
// address.
type Relay struct {
	*p2p.Relay // the last one, if it is stopped
	Node       int
	net        *Net
	listen     string
}

// A Client is one of them, running until Stop.
type Client struct {
	*p2p.Client
	Node int
	net  *Net
	stop context.CancelFunc
	done chan struct{}
}

// Loopback starts n relays and returns once each knows all. edit, if not nil, may
// change the configuration of relay i before each start. Everything stops with the
// test.
func Loopback(tb testing.TB, n int, edit func(i int, cfg *p2p.RelayConfig)) *Net {
	tb.Helper()
	net := newNet(tb, n, "/ip4/127.0.0.1/tcp/0/plain", nil, func(i int, cfg *p2p.RelayConfig) {
		if edit != nil {
			edit(i, cfg)
		}
	})
	tb.Cleanup(net.Stop)
	net.start()
	net.Settle(n)
	return net
}

// room is how many boxes a relay of a virtual network takes.
const room = 10_000

// Virtual starts n relays on a virtual network, in a bubble of testing/synctest. It
// waits for none to know another: see Settle. edit is as in Loopback. Call Stop before
// the bubble ends.
func Virtual(tb testing.TB, n int, links virtualtime.Links, edit func(i int, cfg *p2p.RelayConfig)) *Net {
	tb.Helper()
	network := virtualtime.NewNetwork(links)
	disks := make([]*mailbox.Memory, n) // outlive a restart
	for i := range disks {
		disks[i] = mailbox.NewMemory(room)
	}

	net := newNet(tb, n, "", slog.Default(), func(i int, cfg *p2p.RelayConfig) {
		cfg.Listen = []string{fmt.Sprintf("/ip4/%s/tcp/%d", virtualtime.Address(i), virtualtime.Port)}
		cfg.AllowPrivate, cfg.Store, cfg.Options = false, disks[i], network.Options(i)
		if edit != nil {
			edit(i, cfg)
		}
	})
	net.Network = network
	net.start()
	return net
}

func newNet(tb testing.TB, n int, listen string, log *slog.Logger, edit func(i int, cfg *p2p.RelayConfig)) *Net {
	tb.Helper()
	net := &Net{tb: tb, next: n}
	for i := range n {
		net.Relays = append(net.Relays, &Relay{Node: i, net: net, listen: listen})
	}

	var err error
	net.mesh, err = mesh.New(mesh.Options{
		Relays: n, Dir: tb.TempDir(), Logger: log,
		Listen: func(i int) []string { return []string{net.Relays[i].listen} },
		Edit: func(i int, cfg *p2p.RelayConfig) {
			cfg.Bootstrap = nil
			if i > 0 {
				cfg.Bootstrap = net.Bootstrap()
			}
			edit(i, cfg)
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return net
}

// start starts the relays one after the other: each finds the first.
func (n *Net) start() {
	n.tb.Helper()
	for _, r := range n.Relays {
		r.Start()
	}
}

// Start starts the relay, again with its disk.
func (r *Relay) Start() {
	tb := r.net.tb
	tb.Helper()
	if err := r.net.mesh.Resume(context.Background(), r.Node); err != nil {
		tb.Fatal(err)
	}
	r.Relay = r.net.mesh.Relay(r.Node)
	full := r.Addrs()[0]
	r.listen = strings.TrimSuffix(full, "/p2p/"+r.PeerID())
	if r.Node == 0 {
		r.net.bootstrap = []string{full}
	}
}

// Stop stops the relay and waits.
func (r *Relay) Stop() {
	if err := r.net.mesh.Stop(r.Node); err != nil {
		r.net.tb.Error(err)
	}
}

// Running reports whether the relay runs.
func (r *Relay) Running() bool { return r.net.mesh.Relay(r.Node) != nil }

// Stop stops all relays.
func (n *Net) Stop() {
	var wg sync.WaitGroup
	for _, r := range n.Relays {
		wg.Go(r.Stop)
	}
	wg.Wait()
}

// Bootstrap returns the address of the first relay, running or not.
func (n *Net) Bootstrap() []string { return n.bootstrap }

// Find returns the relay of an id, nil if there is none.
func (n *Net) Find(id p2p.NodeID) *Relay {
	i := slices.IndexFunc(n.Relays, func(r *Relay) bool { return r.ID() == id })
	if i < 0 {
		return nil
	}
	return n.Relays[i]
}

// Settle waits until every running relay lists n relays, and returns how long that
// took.
func (n *Net) Settle(relays int) time.Duration {
	n.tb.Helper()
	return Eventually(n.tb, fmt.Sprintf("every relay lists %d", relays), func() bool {
		return !slices.ContainsFunc(n.Relays, func(r *Relay) bool { return r.Running() && r.Status().Relays != relays })
	})
}

// number is that of the next node; tests that run in parallel share a network.
func (n *Net) number() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next++
	return n.next - 1
}

// Client starts a client; edit, if not nil, may change its configuration. On loopback
// it has no mixing delay and stops with the test at the latest; on a virtual network
// it is like everybody's, and must be stopped.
func (n *Net) Client(edit func(*p2p.ClientConfig)) *Client {
	n.tb.Helper()
	c := &Client{Node: n.number(), net: n, done: make(chan struct{})}

	cfg := p2p.ClientConfig{Bootstrap: n.Bootstrap()}
	if n.Network != nil {
		cfg.Options = n.Options(c.Node)
	} else {
		cfg.AllowPrivate, cfg.MeanDelay = true, -1
	}
	if edit != nil {
		edit(&cfg)
	}
	client, err := p2p.NewClient(cfg)
	if err != nil {
		n.tb.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	c.Client, c.stop = client, cancel
	go func() {
		defer close(c.done)
		client.Run(ctx)
	}()
	if n.Network == nil {
		n.tb.Cleanup(c.Stop)
	}
	return c
}

// Stop stops the client and waits.
func (c *Client) Stop() {
	c.stop()
	<-c.done
}

// WaitReady waits until the client is ready with both guards and lists every
// relay that runs: it is ready once it knows enough of them, and another client
// may choose one that is on the next page of the list.
func (c *Client) WaitReady(tb testing.TB) {
	tb.Helper()
	running := 0
	for _, r := range c.net.Relays {
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

// How long Eventually waits. Neither is a promise: a machine may be busy with more
// than the test.
const (
	patience        = 2 * time.Minute
	virtualPatience = 30 * time.Minute
)

// Eventually looks again and again until ok, and returns how long that took. After two
// minutes, half an hour in virtual time, the test has failed.
func Eventually(tb testing.TB, what string, ok func() bool) time.Duration {
	tb.Helper()
	began, most, every := time.Now(), patience, 2*time.Millisecond
	if began.Year() < 2020 { // bubbles of testing/synctest begin in 2000
		most, every = virtualPatience, 10*time.Millisecond
	}
	for !ok() {
		if time.Since(began) > most {
			tb.Fatalf("not within %v: %s", most, what)
		}
		time.Sleep(every)
	}
	return time.Since(began)
}
