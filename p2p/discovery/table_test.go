package discovery_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"starling/p2p/book"
	"starling/p2p/discovery"
	"starling/p2p/host"
	"starling/p2p/virtualtime"
	"starling/p2p/wire"
)

// A crowd is a relay and others whose places in the DHT are all in one bucket of its.
type crowd struct {
	t     *testing.T
	net   *virtualtime.Network
	relay *discovery.Discovery
	at    host.Host
	known *book.Book
	next  int
	close []func()

	mu     sync.Mutex
	listed map[wire.NodeID]bool
}

func newCrowd(t *testing.T) *crowd {
	c := &crowd{t: t, net: virtualtime.NewNetwork(virtualtime.Links{LatencyMin: 10 * time.Millisecond, BitsPerSecond: 1e8}), listed: map[wire.NodeID]bool{}}
	c.at, c.known, c.relay, _ = c.node(false)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.relay.Run(ctx); close(done) }()
	c.close = append(c.close, func() { cancel(); <-done })
	return c
}

func (c *crowd) node(upper bool) (host.Host, *book.Book, *discovery.Discovery, wire.NodeID) {
	c.t.Helper()
	key, id := keyInHalf(c.t, upper)
	b := book.New(book.Config{Role: book.Relay})
	h, err := host.NewRelay(host.Config{Key: key, Book: b, Options: c.net.Options(c.next), Listen: []string{listen(c.next).String()}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.next++
	d, err := discovery.New(discovery.Config{Host: h, Book: b, Bootstrap: b.Named, Lonely: func() bool { return false },
		Found: func(peer.AddrInfo) {}, AllowPrivate: true, Listed: func(id wire.NodeID) bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.listed[id]
		}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.close = append(c.close, func() { d.Close(); h.Close() })
	return h, b, d, id
}

// come has some connect, relays of the list or strangers.
func (c *crowd) come(n int, listed bool) (ids []peer.ID) {
	c.t.Helper()
	for range n {
		_, _, _, id := c.node(true)
		a, _ := book.AddressOf(listen(c.next - 1))
		c.mu.Lock()
		c.listed[id] = listed
		c.mu.Unlock()
		c.known.Name(id, book.Owner, a)
		if err := host.Reach(c.t.Context(), c.at, c.known, id); err != nil {
			c.t.Fatal(err)
		}
		ids = append(ids, id.Peer())
	}
	return ids
}

// inside returns how many of some are in the routing table.
func (c *crowd) inside(ids []peer.ID) (n int) {
	table := c.relay.Table()
	for _, id := range ids {
		if slices.Contains(table, id) {
			n++
		}
	}
	return n
}

func (c *crowd) end() {
	for _, f := range slices.Backward(c.close) {
		f()
	}
}

// TestKnownStayInTheTable: strangers who come by put no relay out of a full bucket that
// has been in it for a while, whether it is in the list or not.
func TestKnownStayInTheTable(t *testing.T) {
	for _, listed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrowd(t)
			defer c.end()
			known := c.come(discovery.BucketSize, listed)
			time.Sleep(3 * time.Minute)
			if n := c.inside(known); n != len(known) {
				t.Fatalf("%d of %d are in the table: this test shows nothing", n, len(known))
			}
			strangers := c.come(10, false)
			time.Sleep(5 * time.Minute)
			if c.inside(known) != len(known) || c.inside(strangers) != 0 {
				t.Errorf("listed %v: %d of %d are left beside %d strangers", listed, c.inside(known), len(known), c.inside(strangers))
			}
		})
	}
}

// TestRelaysTakeStrangersPlaces: strangers who were first keep no relay of the list out.
func TestRelaysTakeStrangersPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		defer c.end()
		strangers := c.come(discovery.BucketSize, false)
		time.Sleep(3 * time.Minute)
		if n := c.inside(strangers); n != len(strangers) {
			t.Fatalf("%d of %d are in the table: this test shows nothing", n, len(strangers))
		}
		relays := c.come(discovery.BucketSize-2, true)
		time.Sleep(20 * time.Minute)
		if c.inside(relays) != len(relays) || c.inside(strangers) != 2 {
			t.Errorf("%d of %d relays and %d strangers are in the table", c.inside(relays), len(relays), c.inside(strangers))
		}
	})
}
