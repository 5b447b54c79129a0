// Package virtualtime is a network in memory for relays and clients, and time to
// go with it: inside a bubble of testing/synctest an hour takes as long as the
// work that is done in it.
//
// Every node has a public IPv4 address, each in a /16 of its own, a link of some
// bandwidth, and some latency to every other node; packets can be lost, nodes cut
// off. On it runs the kernel's part of TCP, by its rules (see conn), and above that
// the same software as on the public network:
//
//	frames, DHT, gossip          of the nodes
//	yamux, Noise                 of libp2p
//	conn                         of this package, in place of the kernel's TCP
//	packets                      sizes and times; no bytes, no checksums
//
// So the nodes are those of the public network in all but the kernel, with their
// limits, their timers and their rules for routes. Traffic is counted as it would
// be on the wire: in whole packets, with the headers of IPv4 and TCP, with
// handshakes, acknowledgements and repetitions.
package virtualtime

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
)

// Port is where every relay listens.
const Port = 4001

// longestQueue is how much a link buffers: a packet that would wait longer is lost.
const longestQueue = 100 * time.Millisecond

// Links are the properties of the links of a Network.
type Links struct {
	// LatencyMin and LatencyMax bound the time from one node to another. It is
	// the same for all packets of a pair, both ways.
	LatencyMin, LatencyMax time.Duration
	// BitsPerSecond is the rate at which a node can send, and receive.
	BitsPerSecond int
	// Loss is how many of all packets are lost, from 0 to 1.
	Loss float64
	// Seed makes the latencies and losses of one run those of another.
	Seed uint64
	// Paths are links that differ from node to node, or change: they replace all of the
	// above. Nil if there are none.
	Paths Paths
}

// Paths say how packets travel between nodes, at a time since the network began. They
// are asked with a lock held, and answer at once.
type Paths interface {
	// Usual is the time that a packet takes, Delay what this one takes, and whether it
	// is lost.
	Usual(from, to int, at time.Duration) time.Duration
	Delay(from, to int, at time.Duration) (d time.Duration, lost bool)
	// Rate is the bits a second that a node sends, or receives.
	Rate(node int, up bool, at time.Duration) float64
}

// A Network carries packets between nodes.
type Network struct {
	links Links
	began time.Time

	mu      sync.Mutex // also of all connections: each holds it for a microsecond
	rnd     *rand.Rand
	nodes   map[uint32]*node
	blocked map[[2]uint32]bool // from, to
	sent    int64
	lost    int64
	strays  int64
}

// A node is a machine with its link.
type node struct {
	key       uint32
	machine   bool // there is one
	apart     bool // on the other side of a cut
	down      bool // reached by nobody
	unplugged bool // and its system knows
	reached   map[uint32]bool
	up, dn    time.Duration // when the link has sent, and received, all so far
	in, out   int64         // bytes
	listeners map[int]*listener
	port      int // the last that a dial came from

	censor  *Censor
	dialled map[uint32][]time.Duration // when, while there is a censor
	banned  map[uint32]time.Duration   // until when
}

// NewNetwork makes a network without nodes.
func NewNetwork(links Links) *Network {
	return &Network{links: links, began: time.Now().Add(-time.Second), rnd: rand.New(rand.NewPCG(links.Seed, 1)),
		nodes: map[uint32]*node{}, blocked: map[[2]uint32]bool{}}
}

// Address returns the address of node i, which may be from 0 to 9999.
func Address(i int) net.IP { return net.IPv4(11+byte(i/250), byte(i%250), 0, 10).To4() }

// Options make a libp2p host node i of the network.
func (n *Network) Options(i int) []libp2p.Option {
	n.settle(i)
	return []libp2p.Option{
		n.transport(Address(i)),
		// It waits for something outside of the bubble.
		libp2p.DisableIdentifyAddressDiscovery(),
	}
}

// Cut puts nodes on a side of their own, where they reach each other and nobody
// else, until Heal.
func (n *Network) Cut(nodes ...int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, i := range nodes {
		n.node(Address(i)).apart = true
	}
}

// Heal undoes every Cut.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, node := range n.nodes {
		node.apart = false
	}
}

// Down takes a node off the network, as when its power is cut, or brings it back.
func (n *Network) Down(node int, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.node(Address(node)).down = down
}

// Unplug takes a node off the network so that its system knows, as when a cable is
// pulled, or brings it back.
func (n *Network) Unplug(node int, unplugged bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	of := n.node(Address(node))
	of.down, of.unplugged = unplugged, unplugged
}

// Reached reports whether a packet of one node has ever come to another.
func (n *Network) Reached(from, to int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.node(Address(from)).reached[key(Address(to))]
}

// Block keeps one node from reaching another, until Unblock.
func (n *Network) Block(from, to int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.blocked[[2]uint32{key(Address(from)), key(Address(to))}] = true
}

// Unblock undoes every Block.
func (n *Network) Unblock() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.blocked)
}

// Packets returns how many packets were sent, and of them lost or cut off.
func (n *Network) Packets() (sent, lost int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent, n.lost
}

// Strays returns how many dials were for addresses that no node has: made up, or of
// third parties.
func (n *Network) Strays() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.strays
}

// settle says that there is a machine at the address of a node.
func (n *Network) settle(i int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.node(Address(i)).machine = true
}

// Traffic returns how many bytes a node received and sent, packet headers
// included.
func (n *Network) Traffic(node int) (in, out int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	of := n.node(Address(node))
	return of.in, of.out
}

// key is an IPv4 address in either form.
func key(ip net.IP) uint32 { return binary.BigEndian.Uint32(ip[len(ip)-4:]) }

func (n *Network) node(ip net.IP) *node {
	k := key(ip)
	of := n.nodes[k]
	if of == nil {
		of = &node{key: k, listeners: map[int]*listener{}}
		n.nodes[k] = of
	}
	return of
}

// now is the time of the network. It is never 0.
func (n *Network) now() time.Duration { return time.Since(n.began) }

// index is the number of a node.
func (of *node) index() int { return int(of.key>>24-11)*250 + int(of.key>>16&0xff) }

// latency is the time a packet takes, both ways.
func (n *Network) latency(a, b *node) time.Duration {
	if p := n.links.Paths; p != nil {
		return p.Usual(a.index(), b.index(), n.now())
	}
	spread := n.links.LatencyMax - n.links.LatencyMin
	if spread <= 0 {
		return n.links.LatencyMin
	}
	i, j := uint64(a.key>>16), uint64(b.key>>16)
	var draw rand.PCG // a generator of its own: the same for the pair, after any other draws
	draw.Seed(n.links.Seed, min(i, j)<<16|max(i, j))
	return n.links.LatencyMin + time.Duration(float64(draw.Uint64()>>11)/(1<<53)*float64(spread))
}

// loses draws whether a packet is lost.
func (n *Network) loses() bool { return n.links.Loss > 0 && n.rnd.Float64() < n.links.Loss }

// apart reports whether nothing gets from one node to another.
func (n *Network) apart(from, to *node) bool {
	return from.apart != to.apart || from.down || to.down || n.bans(from, to) ||
		len(n.blocked) > 0 && n.blocked[[2]uint32{from.key, to.key}]
}

// takes is how long a node's link is busy with so many bytes.
func (n *Network) takes(of *node, up bool, size int) time.Duration {
	rate := float64(n.links.BitsPerSecond)
	if p := n.links.Paths; p != nil {
		rate = p.Rate(of.index(), up, n.now())
	}
	return time.Duration(float64(size) * 8e9 / rate)
}

// carry sends a packet on its way and returns when it is there if the other
// end's link is idle then; false if it never is.
func (n *Network) carry(from, to *node, size int, latency time.Duration) (time.Duration, bool) {
	now := n.now()
	n.sent++
	from.out += int64(size)
	start := max(now, from.up)
	lost := n.loses()
	if p := n.links.Paths; p != nil {
		latency, lost = p.Delay(from.index(), to.index(), now)
	}
	if n.apart(from, to) || start-now > longestQueue || lost {
		n.lost++
		return 0, false
	}
	if !from.reached[to.key] {
		if from.reached == nil {
			from.reached = map[uint32]bool{}
		}
		from.reached[to.key] = true
	}
	busy := n.takes(from, true, size)
	from.up = start + busy
	return from.up + latency + busy, true
}

// arrive returns when a packet that would be there at some time has come
// through its receiver's link, or false if the queue is too long for it.
func (n *Network) arrive(to *node, size int, due time.Duration) (at time.Duration, ok bool) {
	busy := n.takes(to, false, size)
	at = max(due, to.dn+busy)
	if at-due > longestQueue {
		n.lost++
		return 0, false
	}
	to.dn = at
	return at, true
}
