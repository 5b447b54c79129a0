package virtualtime

import (
	"syscall"
	"time"
)

// A Censor is what a network does to the connections that a node in it makes to others.
type Censor struct {
	// After is how many bytes may come to the node on one connection, packet headers
	// included; 0 is any number. A connection with more is frozen, or reset.
	After int
	Reset bool
	// PerMinute is how many connections the node may make to another in a minute; 0 is
	// any number. With more, nothing passes between the two for the time of a Ban.
	PerMinute int
	Ban       time.Duration
}

// disguised is how many bytes more come on a connection of the public network before
// Noise: TLS and the answer of a web server.
const disguised = 3300

// Censored puts nodes behind a censor, in place of that before. The zero value is none.
func (n *Network) Censored(by Censor, nodes ...int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, i := range nodes {
		of := n.node(Address(i))
		of.censor, of.dialled, of.banned = &by, map[uint32][]time.Duration{}, map[uint32]time.Duration{}
		if by == (Censor{}) {
			of.censor = nil
		}
	}
}

// Dials returns how many connections a node has made to another while it was
// censored, and how many at most in any one minute.
func (n *Network) Dials(from, to int) (all, inMinute int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.node(Address(from)).dialled[key(Address(to))]
	for i := range at {
		k := i
		for k < len(at) && at[k]-at[i] < time.Minute {
			k++
		}
		inMinute = max(inMinute, k-i)
	}
	return len(at), inMinute
}

// police counts a connection that a node makes.
func (n *Network) police(from, to *node) {
	c := from.censor
	if c == nil {
		return
	}
	at := append(from.dialled[to.key], n.now())
	from.dialled[to.key] = at
	if k := len(at) - 1 - c.PerMinute; c.PerMinute > 0 && k >= 0 && n.now()-at[k] < time.Minute {
		from.banned[to.key] = n.now() + c.Ban
	}
}

// bans reports whether a censor lets nothing pass between two nodes.
func (n *Network) bans(a, b *node) bool {
	return a.banned[b.key] > n.now() || b.banned[a.key] > n.now()
}

// censors counts a packet of a connection, and reports whether a censor takes it out.
func (c *conn) censors(size int) bool {
	near := c
	if !c.near {
		near = c.peer
	}
	by := near.node.censor
	if by == nil || by.After == 0 {
		return false
	}

	if near.down == 0 {
		near.down = disguised
	}
	if c != near {
		near.down += size
	}
	if near.down <= by.After {
		return false
	}
	if by.Reset {
		time.AfterFunc(0, func() {
			c.net.mu.Lock()
			defer c.net.mu.Unlock()
			near.fail(syscall.ECONNRESET)
			near.peer.fail(syscall.ECONNRESET)
		})
	}
	return true
}
