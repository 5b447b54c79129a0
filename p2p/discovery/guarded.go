package discovery

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	libhost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/wire"
)

// Limits of the addresses that the DHT may remember from others.
const (
	maxHeard      = 1024 // nodes
	maxHeardAddrs = book.MaxAddresses
)

// guarded is the host that the DHT sees. It dials by the book alone, repeats
// hearsay but never acts on it, and keeps no connections: the DHT would hold
// everybody in its first two buckets, which in a small mesh is everybody. It dials
// relays when it needs them.
type guarded struct {
	libhost.Host
	dial  func(context.Context, wire.NodeID) error
	heard *heard
}

func newGuarded(h libhost.Host, b *book.Book, dial func(context.Context, wire.NodeID) error) *guarded {
	if dial == nil {
		dial = func(ctx context.Context, id wire.NodeID) error { return host.Reach(ctx, h, b, id) }
	}
	return &guarded{h, dial, &heard{Peerstore: h.Peerstore(), book: b, self: h, said: map[peer.ID][]multiaddr.Multiaddr{}}}
}

// ConnManager implements host.Host.
func (*guarded) ConnManager() connmgr.ConnManager { return connmgr.NullConnMgr{} }

// Peerstore implements host.Host.
func (g *guarded) Peerstore() peerstore.Peerstore { return g.heard }

// Connect implements host.Host. The addresses are somebody's word and do not
// count.
func (g *guarded) Connect(ctx context.Context, info peer.AddrInfo) error {
	id, err := wire.NodeIDFromPeer(info.ID)
	if err != nil {
		return err
	}
	if g.Network().Connectedness(info.ID) == network.Connected {
		return nil
	}
	return g.dial(ctx, id)
}

// NewStream implements host.Host.
func (g *guarded) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	if err := g.Connect(ctx, peer.AddrInfo{ID: p}); err != nil {
		return nil, err
	}
	return g.Host.NewStream(network.WithNoDial(ctx, "dialled by the book"), p, ids...)
}

// heard is the addresses known to the DHT: to answer others, and to look into provider
// records. Nothing of it is dialled.
type heard struct {
	peerstore.Peerstore // protocols and latencies
	book                *book.Book
	self                libhost.Host

	mu   sync.Mutex
	said map[peer.ID][]multiaddr.Multiaddr
}

// Addrs implements peerstore.AddrBook: addresses that the node signed go before
// hearsay.
func (s *heard) Addrs(p peer.ID) []multiaddr.Multiaddr {
	if p == s.self.ID() {
		return s.self.Addrs()
	}
	if id, err := wire.NodeIDFromPeer(p); err == nil {
		var all []multiaddr.Multiaddr
		for _, a := range s.book.Signed(id) {
			all = append(all, book.Multiaddr(a))
		}
		if len(all) > 0 {
			return all
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said[p]
}

// PeerInfo implements peerstore.Peerstore.
func (s *heard) PeerInfo(p peer.ID) peer.AddrInfo { return peer.AddrInfo{ID: p, Addrs: s.Addrs(p)} }

// AddAddrs implements peerstore.AddrBook: the last word stands, and of too many
// nodes a random one is forgotten.
func (s *heard) AddAddrs(p peer.ID, addrs []multiaddr.Multiaddr, _ time.Duration) {
	var keep []multiaddr.Multiaddr
	for _, m := range addrs {
		if a, ok := book.AddressOf(m); ok && len(keep) < maxHeardAddrs {
			keep = append(keep, book.Multiaddr(a))
		}
	}
	if len(keep) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.said[p]; !known && len(s.said) >= maxHeard {
		for other := range s.said {
			delete(s.said, other)
			break
		}
	}
	s.said[p] = keep
}

// AddAddr implements peerstore.AddrBook.
func (s *heard) AddAddr(p peer.ID, m multiaddr.Multiaddr, ttl time.Duration) {
	s.AddAddrs(p, []multiaddr.Multiaddr{m}, ttl)
}
