// Package virtual is a network in memory for relays and clients, and time to
// go with it: inside a bubble of testing/synctest an hour takes as long as the
// work that is done in it.
//
// Every node has a public IPv4 address, each in a /16 of its own, a link of
// some bandwidth, and some latency to every other node; packets can be lost,
// nodes cut off. What runs on it is QUIC, which repairs losses as TCP does:
//
//	mesh                              /ip4/11.0.0.10/tcp/4001
//	transport    the same address as  /ip4/11.0.0.10/udp/4001/quic-v1
//	simnet       datagrams, links, latency
//
// So the nodes are those of the public network in all but the transport, with
// its limits, its timers and its rules for routes.
package virtual

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/marcopolo/simnet"
)

// Port is where every relay listens.
const Port = 4001

// Links says what the links of a Network are like.
type Links struct {
	// LatencyMin and LatencyMax bound the time from one node to another. It is
	// the same for all packets of a pair, both ways.
	LatencyMin, LatencyMax time.Duration
	// BitsPerSecond is what a node can send, and receive.
	BitsPerSecond int
	// Loss is how many of all packets are lost, from 0 to 1.
	Loss float64
	// Seed makes the latencies and losses of one run those of another.
	Seed uint64
}

// A Network carries packets between nodes. Close it inside its bubble.
type Network struct {
	links Links
	net   simnet.Simnet

	mu      sync.Mutex
	rnd     *rand.Rand
	ports   int
	side    map[uint32]bool    // nodes of different sides do not reach each other
	down    map[uint32]bool    // nodes that nobody reaches
	blocked map[[2]uint32]bool // from, to
	traffic map[uint32]*traffic
	sent    int64
	lost    int64
}

// traffic is what a node received and sent.
type traffic struct{ in, out int64 }

// headers of an IPv4 packet with a datagram in it, in bytes.
const headers = 20 + 8

// NewNetwork makes a network without nodes.
func NewNetwork(links Links) *Network {
	n := &Network{links: links, rnd: rand.New(rand.NewPCG(links.Seed, 1)), side: map[uint32]bool{},
		down: map[uint32]bool{}, blocked: map[[2]uint32]bool{}, traffic: map[uint32]*traffic{}}
	n.net.LatencyFunc = n.latency
	n.net.Logger = silent
	n.net.Start()
	return n
}

// Close ends the network. All hosts must have been closed.
func (n *Network) Close() { n.net.Close() }

// Address returns the address of node i, which may be from 0 to 9999.
func Address(i int) net.IP { return net.IPv4(11+byte(i/250), byte(i%250), 0, 10).To4() }

// Options make a libp2p host node i of the network.
func (n *Network) Options(i int) []libp2p.Option {
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
		n.side[key(Address(i))] = true
	}
}

// Heal undoes every Cut.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.side)
}

// Down takes a node off the network, as when its power is cut, or brings it back.
func (n *Network) Down(node int, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if down {
		n.down[key(Address(node))] = true
	} else {
		delete(n.down, key(Address(node)))
	}
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

// Traffic returns how many bytes a node received and sent, packet headers
// included.
func (n *Network) Traffic(node int) (in, out int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t := n.traffic[key(Address(node))]; t != nil {
		return t.in, t.out
	}
	return 0, 0
}

// key is an IPv4 address in either form.
func key(ip net.IP) uint32 { return binary.BigEndian.Uint32(ip[len(ip)-4:]) }

// latency is the time a packet takes.
func (n *Network) latency(p *simnet.Packet) time.Duration {
	spread := n.links.LatencyMax - n.links.LatencyMin
	if spread <= 0 {
		return n.links.LatencyMin
	}
	from, to := uint64(key(p.From.(*net.UDPAddr).IP)>>16), uint64(key(p.To.(*net.UDPAddr).IP)>>16)
	var draw rand.PCG // a generator of its own: the same for the pair, whatever came before
	draw.Seed(n.links.Seed, min(from, to)<<16|max(from, to))
	return n.links.LatencyMin + time.Duration(float64(draw.Uint64()>>11)/(1<<53)*float64(spread))
}

// dropped decides about one packet.
func (n *Network) dropped(from, to uint32, size int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent++
	n.count(from).out += int64(size + headers)
	if n.side[from] != n.side[to] || n.down[from] || n.down[to] || n.blocked[[2]uint32{from, to}] ||
		n.links.Loss > 0 && n.rnd.Float64() < n.links.Loss {
		n.lost++
		return true
	}
	n.count(to).in += int64(size + headers)
	return false
}

func (n *Network) count(node uint32) *traffic {
	t := n.traffic[node]
	if t == nil {
		t = &traffic{}
		n.traffic[node] = t
	}
	return t
}

// listen opens a socket of a node.
func (n *Network) listen(ip net.IP, port int) net.PacketConn {
	n.mu.Lock() // also of the endpoints
	defer n.mu.Unlock()
	if port == 0 {
		n.ports++
		port = 10_000 + n.ports%50_000
	}
	link := simnet.LinkSettings{BitsPerSecond: n.links.BitsPerSecond}
	// simnet tells the two forms of an IPv4 address apart.
	c := n.net.NewEndpoint(&net.UDPAddr{IP: ip.To16(), Port: port}, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link})
	return &socket{SimConn: c, net: n, from: key(ip)}
}

// A socket loses what the network loses.
type socket struct {
	*simnet.SimConn
	net  *Network
	from uint32
}

func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	a := to.(*net.UDPAddr)
	if s.net.dropped(s.from, key(a.IP), len(b)) {
		return len(b), nil
	}
	return s.SimConn.WriteTo(b, &net.UDPAddr{IP: a.IP.To16(), Port: a.Port})
}
