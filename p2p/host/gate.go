package host

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
	"starling/p2p/wire"
)

// eyeballs is how long one address has before the next is tried beside it, as in
// RFC 8305, section 5.
const eyeballs = 250 * time.Millisecond

// Connect connects to the node of a permit now, at all of its addresses side by
// side, and gives the permit back. It does not wait for identify. libp2p would refuse
// for up to five minutes after a failure; the callers here have a backoff of their own.
func Connect(ctx context.Context, h Host, p *book.Permit) error {
	id := p.ID().Peer()
	forgetFailures(h, id)
	c, err := h.Network().DialPeer(ctx, id)
	if errors.Is(ctx.Err(), context.Canceled) && err != nil {
		p.Unknown() // a search in the DHT hangs up when it has found enough
		return err
	}
	if err != nil {
		p.Done(book.Address{})
		return err
	}

	// Both may dial at once, and the other's connection be the one that stays: where
	// that comes from nobody has reached.
	for _, c := range append(h.Network().ConnsToPeer(id), c) {
		if a, ok := book.AddressOf(c.RemoteMultiaddr()); ok && c.Stat().Direction == network.DirOutbound && slices.Contains(p.Addrs(), a) {
			p.Done(a)
			return nil
		}
	}
	p.Unknown()
	return nil
}

// Reach connects to a node unless it is connected, if the book lets it.
func Reach(ctx context.Context, h Host, b *book.Book, id wire.NodeID) error {
	if h.Network().Connectedness(id.Peer()) == network.Connected {
		return nil
	}
	p, err := b.Open(id)
	if err != nil {
		return err
	}
	return Connect(ctx, h, p)
}

// gate is libp2p's doorkeeper. Its outgoing connections have a permit, and a client
// lets nobody in.
type gate struct {
	book   *book.Book
	places *Places                 // nil: nobody is let in
	conns  func(p peer.ID) (n int) // connections with a peer
}

// InterceptPeerDial implements connmgr.ConnectionGater.
func (g *gate) InterceptPeerDial(p peer.ID) bool {
	id, err := wire.NodeIDFromPeer(p)
	return err == nil && len(g.book.Opened(id)) > 0
}

// InterceptAddrDial implements connmgr.ConnectionGater.
func (g *gate) InterceptAddrDial(p peer.ID, m multiaddr.Multiaddr) bool {
	id, err := wire.NodeIDFromPeer(p)
	a, ok := book.AddressOf(m)
	return err == nil && ok && g.book.May(id, a)
}

// InterceptAccept implements connmgr.ConnectionGater.
func (g *gate) InterceptAccept(c network.ConnMultiaddrs) bool {
	if g.places == nil {
		return false
	}
	g.places.knock(c)
	return true
}

// InterceptSecured implements connmgr.ConnectionGater. A peer without an Ed25519 key is
// no node.
func (g *gate) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	_, err := wire.NodeIDFromPeer(p)
	return err == nil
}

// InterceptUpgraded implements connmgr.ConnectionGater.
func (g *gate) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	if c.Stat().Direction == network.DirOutbound {
		return true, 0
	}
	return g.places != nil && g.places.enter(c, g.conns(c.RemotePeer())), 0
}

// permitted is a peerstore that knows no address but those of open permits.
// Identify, gossip and the DHT write claims of peers into a peerstore, and libp2p dials
// all of it: here they go nowhere.
type permitted struct {
	peerstore.Peerstore // keys and protocols
	records             peerstore.CertifiedAddrBook
	book                *book.Book
	self                peer.ID
}

func newPeerstore(b *book.Book, self peer.ID) (*permitted, error) {
	mem, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, err
	}
	records, ok := peerstore.GetCertifiedAddrBook(mem)
	if !ok {
		return nil, errors.New("peerstore keeps no records")
	}
	return &permitted{mem, records, b, self}, nil
}

// Addrs implements peerstore.AddrBook.
func (s *permitted) Addrs(p peer.ID) []multiaddr.Multiaddr {
	id, err := wire.NodeIDFromPeer(p)
	if err != nil {
		return nil
	}
	var all []multiaddr.Multiaddr
	for _, a := range s.book.Opened(id) {
		all = append(all, book.Multiaddr(a))
	}
	return all
}

// PeerInfo implements peerstore.Peerstore.
func (s *permitted) PeerInfo(p peer.ID) peer.AddrInfo { return peer.AddrInfo{ID: p, Addrs: s.Addrs(p)} }

// AddrStream implements peerstore.AddrBook.
func (s *permitted) AddrStream(_ context.Context, p peer.ID) <-chan multiaddr.Multiaddr {
	all := s.Addrs(p)
	out := make(chan multiaddr.Multiaddr, len(all))
	for _, a := range all {
		out <- a
	}
	close(out)
	return out
}

// ConsumePeerRecord implements peerstore.CertifiedAddrBook: it keeps our own.
func (s *permitted) ConsumePeerRecord(e *record.Envelope, ttl time.Duration) (bool, error) {
	if p, err := peer.IDFromPublicKey(e.PublicKey); err != nil || p != s.self {
		return false, err
	}
	return s.records.ConsumePeerRecord(e, ttl)
}

// GetPeerRecord implements peerstore.CertifiedAddrBook.
func (s *permitted) GetPeerRecord(p peer.ID) *record.Envelope { return s.records.GetPeerRecord(p) }

// Claims of peers about addresses are not written down.

func (*permitted) AddAddr(peer.ID, multiaddr.Multiaddr, time.Duration)    {}
func (*permitted) AddAddrs(peer.ID, []multiaddr.Multiaddr, time.Duration) {}
func (*permitted) SetAddr(peer.ID, multiaddr.Multiaddr, time.Duration)    {}
func (*permitted) SetAddrs(peer.ID, []multiaddr.Multiaddr, time.Duration) {}
func (*permitted) UpdateAddrs(peer.ID, time.Duration, time.Duration)      {}
func (*permitted) ClearAddrs(peer.ID)                                     {}
func (*permitted) PeersWithAddrs() peer.IDSlice                           { return nil }

// rank tries the addresses of a node in the order of its permit, each a while
// after the one before.
func rank(b *book.Book) network.DialRanker {
	return func(all []multiaddr.Multiaddr) []network.AddrDelay {
		var addrs []book.Address
		for _, m := range all {
			if a, ok := book.AddressOf(m); ok {
				addrs = append(addrs, a)
			}
		}
		ranked := make([]network.AddrDelay, len(addrs))
		for i, a := range b.Order(addrs) {
			ranked[i] = network.AddrDelay{Addr: book.Multiaddr(a), Delay: time.Duration(i) * eyeballs}
		}
		return ranked
	}
}
