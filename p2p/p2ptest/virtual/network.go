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

	mu    sync.Mutex
	rnd   *rand.Rand
	ports int
	side  map[string]int // by IP; nodes of different sides do not reach each other
	sent  int64
	lost  int64
}

// NewNetwork makes a network without nodes.
func NewNetwork(links Links) *Network {
	n := &Network{links: links, rnd: rand.New(rand.NewPCG(links.Seed, 1)), side: map[string]int{}}
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
		n.side[Address(i).String()] = 1
	}
}

// Heal undoes every Cut.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.side)
}

// Packets returns how many packets were sent, and of them lost or cut off.
func (n *Network) Packets() (sent, lost int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent, n.lost
}

// latency is the time a packet takes.
func (n *Network) latency(p *simnet.Packet) time.Duration {
	from, to := p.From.(*net.UDPAddr).IP.To4(), p.To.(*net.UDPAddr).IP.To4()
	a, b := uint64(from[0])<<8|uint64(from[1]), uint64(to[0])<<8|uint64(to[1])
	r := rand.New(rand.NewPCG(n.links.Seed, min(a, b)<<16|max(a, b)))
	spread := max(0, n.links.LatencyMax-n.links.LatencyMin)
	return n.links.LatencyMin + time.Duration(r.Float64()*float64(spread))
}

// dropped decides about one packet.
func (n *Network) dropped(from, to net.IP) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent++
	if n.side[from.String()] != n.side[to.String()] || n.rnd.Float64() < n.links.Loss {
		n.lost++
		return true
	}
	return false
}

// listen opens a socket of a node.
func (n *Network) listen(ip net.IP, port int) net.PacketConn {
	if port == 0 {
		n.mu.Lock()
		n.ports++
		port = 10_000 + n.ports%50_000
		n.mu.Unlock()
	}
	link := simnet.LinkSettings{BitsPerSecond: n.links.BitsPerSecond}
	// simnet tells the two forms of an IPv4 address apart.
	c := n.net.NewEndpoint(&net.UDPAddr{IP: ip.To16(), Port: port}, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link})
	return &socket{SimConn: c, net: n, ip: ip}
}

// A socket loses what the network loses.
type socket struct {
	*simnet.SimConn
	net *Network
	ip  net.IP
}

func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	a := to.(*net.UDPAddr)
	if s.net.dropped(s.ip, a.IP) {
		return len(b), nil
	}
	return s.SimConn.WriteTo(b, &net.UDPAddr{IP: a.IP.To16(), Port: a.Port})
}
