package censor

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Rules are those of a censor that reads.
type Rules struct {
	// Strings: a connection that is none of TLS, HTTP and DNS is reset, and so is one
	// with one of the Words in it.
	Strings bool
	// Entropy: one that begins with random bytes, on either side, is cut, and nothing
	// passes to that address for a time of three minutes.
	Entropy bool
	// Probe: addresses that users connect to are asked whether they are web servers.
	Probe bool
}

// banned is how long nothing passes to an address that looked random.
const banned = 3 * time.Minute

// Deeds are the work of a censor, by its own count.
type Deeds struct {
	Read    int   `json:"read"`              // connections
	Bytes   int64 `json:"bytes"`             // in them, both ways
	Kinds   Tally `json:"kinds"`             // by their first bytes
	Cut     Tally `json:"cut,omitempty"`     // by the reason
	Probed  int   `json:"probed,omitempty"`  // addresses
	Asked   int   `json:"asked,omitempty"`   // probes to them
	Blocked Tally `json:"blocked,omitempty"` // addresses, by the answer that gave them away
}

// A Tally is counts by a name.
type Tally map[string]int

// Total returns the sum of all counts.
func (t Tally) Total() (n int) {
	for _, k := range t {
		n += k
	}
	return n
}

// A Censor reads the connections through its proxies. Its methods may be called from any
// goroutine.
type Censor struct {
	// Ask is told of each address that users connect to while there are probes, with the first bytes
	// of a connection, once; nil for nobody.
	Ask func(to netip.AddrPort, first []byte)

	mu    sync.Mutex
	rules Rules
	deeds Deeds
	until map[netip.AddrPort]time.Time // nothing passes
	asked map[netip.AddrPort]bool
	conns map[net.Conn]bool
	ended bool
	serve sync.WaitGroup
}

// New makes a censor that lets everything pass.
func New() *Censor {
	return &Censor{deeds: Deeds{Kinds: Tally{}, Cut: Tally{}, Blocked: Tally{}},
		until: map[netip.AddrPort]time.Time{}, asked: map[netip.AddrPort]bool{}, conns: map[net.Conn]bool{}}
}

// Set changes the rules.
func (c *Censor) Set(r Rules) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rules = r
}

// Deeds returns the work so far.
func (c *Censor) Deeds() Deeds {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.deeds
	d.Kinds, d.Cut, d.Blocked = maps.Clone(d.Kinds), maps.Clone(d.Cut), maps.Clone(d.Blocked)
	return d
}

// Answered counts the probes of an address, and blocks it if an answer gave it away.
func (c *Censor) Answered(to netip.AddrPort, probes int, verdict string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deeds.Probed++
	c.deeds.Asked += probes
	if verdict != "" {
		c.deeds.Blocked[verdict]++
		c.until[to] = time.Now().Add(365 * 24 * time.Hour)
	}
}

// Serve takes connections that were led here until l is closed. whither returns where
// one wanted to go, dial goes on from there.
func (c *Censor) Serve(l net.Listener, whither func(net.Conn) (netip.AddrPort, error), dial func(context.Context, netip.AddrPort) (net.Conn, error)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c.serve.Go(func() {
			to, err := whither(conn)
			if err != nil {
				conn.Close()
				return
			}
			c.pass(conn, to, dial)
		})
	}
}

// Close cuts everything; listeners are closed before.
func (c *Censor) Close() {
	c.mu.Lock()
	c.ended = true
	for conn := range c.conns {
		conn.Close()
	}
	c.mu.Unlock()
	c.serve.Wait()
}

// patience is how long an address may take to answer a dial.
const patience = 20 * time.Second

// pass splices a connection of a user.
func (c *Censor) pass(user net.Conn, to netip.AddrPort, dial func(context.Context, netip.AddrPort) (net.Conn, error)) {
	defer reset(user)
	if c.bars(to) || !c.hold(user) {
		return
	}
	defer c.free(user)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	far, err := dial(ctx, to)
	if err != nil {
		return
	}
	defer reset(far)
	if !c.hold(far) {
		return
	}
	defer c.free(far)

	c.mu.Lock()
	c.deeds.Read++
	c.mu.Unlock()

	var both sync.WaitGroup
	both.Go(func() { c.copy(far, user, to, true) })
	both.Go(func() { c.copy(user, far, to, false) })
	both.Wait()
}

// errCut ends both directions.
var errCut = errors.New("censor: cut")

// copy passes one direction on for as long as the rules let it.
func (c *Censor) copy(dst, src net.Conn, to netip.AddrPort, up bool) {
	r := reader{c: c, to: to, up: up}
	buf := make([]byte, 32<<10)

	for {
		n, err := src.Read(buf)
		if n > 0 {
			if !r.see(buf[:n]) {
				err = errCut
			} else if _, e := dst.Write(buf[:n]); e != nil {
				err = e
			}
		}
		switch {
		case err == nil:
			continue
		case err == io.EOF: // its other half goes on
			if half, ok := dst.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
				return
			}
		}
		reset(dst)
		reset(src)
		return
	}
}

// reader reads one direction of a connection.
type reader struct {
	c     *Censor
	to    netip.AddrPort
	up    bool
	first []byte
	known bool
	scan  scan
}

// see counts bytes and returns whether they may pass. The first bytes are those of the first packet,
// and of the next ones if it was a very short one.
func (r *reader) see(b []byte) bool {
	c := r.c
	word := r.scan.find(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deeds.Bytes += int64(len(b))
	if r.known {
		return !c.rules.Strings || word == "" || c.ends("the word "+word)
	}

	r.first = append(r.first, b...)
	kind := KindOf(r.first)
	if r.known = kind != Unknown || word != "" || len(r.first) >= enough; !r.known {
		return true
	}
	if r.up {
		c.deeds.Kinds[kind.String()]++
	}
	if c.rules.Probe && r.up && c.Ask != nil && !c.asked[r.to] {
		c.asked[r.to] = true
		c.Ask(r.to, r.first)
	}

	switch {
	case c.rules.Strings && word != "":
		return c.ends("the word " + word)
	case c.rules.Strings && kind == Unknown:
		return c.ends("neither TLS nor HTTP nor DNS")
	case c.rules.Entropy && Random(r.first):
		c.until[r.to] = time.Now().Add(banned)
		return c.ends("random bytes")
	}
	return true
}

func (c *Censor) ends(why string) bool {
	c.deeds.Cut[why]++
	return false
}

// bars reports whether nothing passes to an address now.
func (c *Censor) bars(to netip.AddrPort) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until[to].IsZero() || time.Now().After(c.until[to]) {
		return false
	}
	c.deeds.Cut["a blocked address"]++
	return true
}

func (c *Censor) hold(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.conns[conn] = true
	}
	return !c.ended
}

func (c *Censor) free(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
}

// reset closes a connection with a reset, where there is one.
func reset(c net.Conn) {
	if t, ok := c.(interface{ SetLinger(int) error }); ok {
		t.SetLinger(0)
	}
	c.Close()
}
