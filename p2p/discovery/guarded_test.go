package discovery

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/wire"
)

// TestHearsay: hearsay of the DHT is kept for so many nodes, is repeated only where the
// node has signed nothing, and is in no store that libp2p dials from.
func TestHearsay(t *testing.T) {
	signed := book.Web(netip.MustParseAddrPort("5.6.7.8:4001"))
	var listed wire.NodeID
	listed[0] = 1
	b := book.New(book.Config{Role: book.Relay, AllowPrivate: true, Listed: func(id wire.NodeID) []book.Address {
		if id == listed {
			return []book.Address{signed}
		}
		return nil
	}})
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.NewRelay(host.Config{Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Book: b})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	g := newGuarded(h, b, nil)
	store := g.heard
	var says []multiaddr.Multiaddr
	for i := range 20 {
		says = append(says, multiaddr.StringCast(fmt.Sprintf("/ip4/9.9.9.%d/tcp/80", i)), multiaddr.StringCast("/dns4/evil.example.com/tcp/80"))
	}
	var last peer.ID
	for i := range 5000 {
		var id wire.NodeID
		id[30], id[31], id[29] = byte(i>>8), byte(i), 7
		last = id.Peer()
		g.Peerstore().AddAddrs(last, says, time.Hour)
	}
	if len(store.said) != maxHeard {
		t.Errorf("%d nodes are remembered", len(store.said))
	}
	if n := len(g.Peerstore().Addrs(last)); n != maxHeardAddrs {
		t.Errorf("%d addresses of one node", n)
	}
	if got := h.Peerstore().Addrs(last); len(got) != 0 {
		t.Errorf("libp2p would dial %v", got)
	}
	g.Peerstore().AddAddrs(listed.Peer(), says, time.Hour)
	if got := g.Peerstore().Addrs(listed.Peer()); len(got) != 1 || got[0].String() != "/ip4/5.6.7.8/tcp/4001" {
		t.Errorf("of a listed relay it repeats %v", got)
	}
	if got := g.Peerstore().Addrs(h.ID()); len(got) != 1 || !got[0].Equal(h.Addrs()[0]) {
		t.Errorf("of ourselves it says %v", got)
	}
}
