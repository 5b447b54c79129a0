package host

import (
	"hash/maphash"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/p2p/book"
	"starling/p2p/limits"
	"starling/p2p/wire"
)

// connsPerPeer is how many connections one peer may have: one each way, and the
// same again while the old ones are not known to be dead.
const connsPerPeer = 4

// Places are the connections that others open: those at the door, and those inside.
// When all places are taken the least useful goes, see limits.Victim; a relay
// reports useful ones by Worked.
type Places struct {
	sizes     limits.Sizes
	byAddress bool
	listed    func(peer.ID) bool
	shut      func(peer.ID)
	key       maphash.Seed

	turned atomic.Int64

	mu     sync.Mutex
	door   *limits.HalfOpen[string]
	atDoor map[string]io.Closer
	guests map[peer.ID]*limits.Guest
}

// NewPlaces makes the places of one relay. listed says which peers are in the
// list and need no place.
func NewPlaces(s limits.Sizes, allowPrivate bool, listed func(peer.ID) bool) *Places {
	if listed == nil {
		listed = func(peer.ID) bool { return false }
	}
	return &Places{
		sizes: s, byAddress: !allowPrivate, listed: listed, shut: func(peer.ID) {}, key: maphash.MakeSeed(),
		door:   limits.NewHalfOpen[string](s, !allowPrivate),
		atDoor: map[string]io.Closer{},
		guests: map[peer.ID]*limits.Guest{},
	}
}

// behindFront is for a relay with a web server in front: whoever is at the door comes from
// there, and no address at the door has a share of its own.
func (p *Places) behindFront() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.door = limits.NewHalfOpen[string](p.sizes, false)
}

// Worked notes that a client brought a valid packet.
func (p *Places) Worked(id wire.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.guests[id.Peer()]; g != nil && g.Used.IsZero() {
		g.Used = time.Now()
	}
}

// Clients returns how many places are taken.
func (p *Places) Clients() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.guests)
}

// Turned returns how many clients had to go, or did not come in, for want of a place.
func (p *Places) Turned() int64 { return p.turned.Load() }

// Resize sets how many places there are. Of more clients the least useful go.
func (p *Places) Resize(clients int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sizes.Clients = clients
	for len(p.guests) > clients {
		victim := p.victim()
		delete(p.guests, victim)
		if !p.listed(victim) {
			p.turned.Add(1)
			go p.shut(victim)
		}
	}
}

// knock takes a connection at the begin of its handshake. It is closed when the
// handshake takes too long, or when another needs its place. A visitor of the web server
// may stay until then, and leaves by itself.
func (p *Places) knock(c network.ConnMultiaddrs) {
	closer, ok := c.(io.Closer)
	if !ok {
		return
	}
	key := ends(c)
	p.mu.Lock()
	victim, found := p.door.Add(key, remote(c), time.Now())
	crowded := p.atDoor[victim]
	if found {
		delete(p.atDoor, victim)
	}
	p.atDoor[key] = closer
	p.mu.Unlock()
	if found {
		crowded.Close()
	}
	if v, ok := c.(visitor); ok {
		v.AfterClose(func() { p.left(key, closer) })
		return
	}
	time.AfterFunc(limits.HandshakeTime, func() { p.slow(key, closer) })
}

// A visitor is a connection of package web that is no link yet.
type visitor interface{ AfterClose(func()) }

// left forgets a visitor.
func (p *Places) left(key string, c io.Closer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.atDoor[key] == c {
		p.forget(key)
	}
}

// slow closes a connection after a slow handshake.
func (p *Places) slow(key string, c io.Closer) {
	p.mu.Lock()
	still := p.atDoor[key] == c
	if still {
		p.forget(key)
	}
	p.mu.Unlock()
	if still {
		c.Close()
	}
}

func (p *Places) forget(key string) {
	p.door.Remove(key)
	delete(p.atDoor, key)
}

// enter takes a connection after its handshake, and reports whether it may stay.
func (p *Places) enter(c network.Conn, conns int) bool {
	id := c.RemotePeer()
	listed := p.listed(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(ends(c))

	// One peer must not hold more than its place.
	if conns >= connsPerPeer {
		return false
	}
	if listed {
		return true
	}
	if p.guests[id] != nil {
		return true
	}

	p.guests[id] = &limits.Guest{Addr: remote(c), Since: time.Now()}
	if len(p.guests) <= p.sizes.Clients {
		return true
	}

	// The newcomer counts like the others, and may be the one to go.
	victim := p.victim()
	delete(p.guests, victim)
	p.turned.Add(1)
	if victim == id {
		return false
	}
	go p.shut(victim)
	return true
}

// victim chooses among those that are not in the list by now.
func (p *Places) victim() peer.ID {
	ids := make([]peer.ID, 0, len(p.guests))
	guests := make([]limits.Guest, 0, len(p.guests))
	for id, g := range p.guests {
		if p.listed(id) {
			return id // it needs no place
		}
		ids = append(ids, id)
		guests = append(guests, *g)
	}
	return ids[limits.Victim(guests, p.sizes.Clients, time.Now(), p.key, p.byAddress)]
}

// leave frees the place of a peer without a connection.
func (p *Places) leave(id peer.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.guests, id)
}

// ends names a connection, whatever its transport is.
func ends(c network.ConnMultiaddrs) string {
	from, _ := book.AddrPort(c.RemoteMultiaddr())
	to, _ := book.AddrPort(c.LocalMultiaddr())
	return from.String() + " " + to.String()
}

func remote(c network.ConnMultiaddrs) netip.Addr {
	ip, err := manet.ToIP(c.RemoteMultiaddr())
	if err != nil {
		return netip.IPv4Unspecified()
	}
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}
