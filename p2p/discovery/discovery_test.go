package discovery_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"starling/p2p/book"
	"starling/p2p/discovery"
	"starling/p2p/host"
	"starling/p2p/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a host and the nodes that it may dial.
type node struct {
	host.Host
	book *book.Book
	id   wire.NodeID
}

func (n *node) knows(others ...*node) {
	for _, o := range others {
		a, _ := book.AddressOf(o.Network().ListenAddresses()[0])
		n.book.Name(o.id, book.Owner, a)
	}
}

func newHost(t *testing.T) *node {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := book.New(book.Config{Role: book.Relay, AllowPrivate: true})
	h, err := host.NewRelay(host.Config{Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Book: b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	id, err := wire.NodeIDFromPeer(h.ID())
	if err != nil {
		t.Fatal(err)
	}
	return &node{h, b, id}
}

// run runs f until the test ends and checks that it ends with its context.
func run(t *testing.T, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute) // a query may wait for one that does not answer
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("not in time: " + what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestFindByDHT: relays that know only the first one find each other.
func TestFindByDHT(t *testing.T) {
	const n = 4
	var hosts []*node
	var mu sync.Mutex
	found := make([]map[peer.ID]bool, n)
	for i := range n {
		h := newHost(t)
		hosts = append(hosts, h)
		found[i] = map[peer.ID]bool{}
		d, err := discovery.New(discovery.Config{
			Host: h, Book: h.book, AllowPrivate: true,
			Bootstrap: func() []wire.NodeID { return nil },
			Lonely:    func() bool { return true },
			Found: func(p peer.AddrInfo) {
				mu.Lock()
				defer mu.Unlock()
				if len(p.Addrs) > 0 {
					found[i][p.ID] = true
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		if i > 0 {
			h.knows(hosts[0])
			if err := host.Reach(t.Context(), h.Host, h.book, hosts[0].id); err != nil {
				t.Fatal(err)
			}
		}
		run(t, d.Run)
	}
	eventually(t, "everybody finds everybody", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return !slices.ContainsFunc(found, func(m map[peer.ID]bool) bool { return len(m) < n-1 })
	})
}

// TestNeighbours: a relay connects to those it knows, goes on trying the silent
// ones, and takes up relays that become known later.
func TestNeighbours(t *testing.T) {
	h := newHost(t)
	var others []*node
	for range 3 {
		others = append(others, newHost(t))
	}
	gone := newHost(t)
	h.knows(h, gone, others[0], others[1])
	gone.Close()
	var mu sync.Mutex
	known := []wire.NodeID{h.id, others[2].id, gone.id, others[0].id}
	changed := make(chan struct{})
	n := discovery.Neighbours{
		Host: h.Host, Book: h.book,
		Known: func() []wire.NodeID {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(known)
		},
		Connected: h.Network().Peers,
		Changed: func() <-chan struct{} {
			mu.Lock()
			defer mu.Unlock()
			return changed
		},
	}
	run(t, n.Run)
	up := func(o *node) bool { return h.Network().Connectedness(o.ID()) == network.Connected }
	eventually(t, "the first is connected", func() bool { return up(others[0]) })
	mu.Lock()
	known = append(known, others[1].id)
	close(changed)
	changed = make(chan struct{})
	mu.Unlock()
	eventually(t, "the second is connected", func() bool { return up(others[1]) })
	if up(others[2]) {
		t.Error("connected to one without an address")
	}
	// A lost neighbour is dialled again.
	h.Network().ClosePeer(others[0].ID())
	mu.Lock()
	close(changed)
	changed = make(chan struct{})
	mu.Unlock()
	eventually(t, "the first is back", func() bool { return up(others[0]) })
}
