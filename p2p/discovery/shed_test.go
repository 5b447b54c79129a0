package discovery

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/wire"
)

// TestShed: connections that nothing uses are closed, but for the spare ones,
// those that are new, and as many as make enough neighbours.
func TestShed(t *testing.T) {
	var hosts []host.Host
	named := book.New(book.Config{Role: book.Relay, AllowPrivate: true})
	for range 1 + WantNeighbours + 4 {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		h, err := host.NewRelay(host.Config{Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Book: named})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		hosts = append(hosts, h)
	}
	h, others := hosts[0], hosts[1:]
	for _, o := range others {
		id, err := wire.NodeIDFromPeer(o.ID())
		if err != nil {
			t.Fatal(err)
		}
		a, _ := book.AddressOf(o.Addrs()[0])
		named.Name(id, book.Owner, a)
		if err := host.Reach(t.Context(), h, named, id); err != nil {
			t.Fatal(err)
		}
	}
	up := func(o host.Host) bool { return h.Network().Connectedness(o.ID()) == network.Connected }
	check := func(what string, want int) {
		t.Helper()
		n := 0
		for _, o := range others {
			if up(o) {
				n++
			}
		}
		if n != want {
			t.Errorf("%s: %d of %d are left, not %d", what, n, len(others), want)
		}
	}
	n := Neighbours{Host: h, Connected: h.Network().Peers, Spare: 1}
	later := time.Now().Add(time.Minute)
	n.shed(time.Now())
	check("all are new", len(others))
	used := others[:WantNeighbours+2]
	for _, o := range used {
		h.ConnManager().Protect(o.ID(), "link")
	}
	n.shed(later)
	check("most are used", len(used)+1)
	if slices.ContainsFunc(used, func(o host.Host) bool { return !up(o) }) {
		t.Error("one that is used was closed")
	}
	for _, o := range used[1:] {
		h.ConnManager().Unprotect(o.ID(), "link")
	}
	n.shed(later)
	check("one is used", WantNeighbours)
	if !up(used[0]) {
		t.Error("one that is used was closed")
	}
}
