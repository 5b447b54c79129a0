package virtualtime

import (
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// tick is the grid of times at which packets are read, up to one later than they
// arrive: all cores can work on the events of one time, and the two packets of a frame
// wake their reader once.
const tick = time.Millisecond

// The numbers of the kernel's TCP, in bytes and times.
const (
	mss         = 1448             // payload of a packet on Ethernet
	header      = 20 + 32          // IPv4 and TCP with timestamps
	first       = 10 * mss         // initial window (RFC 6928)
	least       = 2 * mss          // window after losses
	most        = 1 << 20          // window, the other end's buffer included
	buffer      = 1 << 20          // bytes written that do not fit into the window
	soon        = time.Second / 25 // an acknowledgement waits for company (RFC 9293, 3.8.6.3)
	longestWait = 2 * time.Minute  // between two attempts to send a lost packet
	leastWait   = 10 * time.Millisecond
)

// A conn is one end of a TCP connection.
//
// Packets of up to mss bytes leave when the window has room for them, arrive
// when the links and the latency allow, and are read in order. The window grows by the
// bytes acknowledged, twice as large after each round trip until something is lost,
// then by a packet a round trip; a loss halves it. Lost packets are sent again two
// round trips later, then after twice as long, and so on, until they are there or the
// connection ends (RFC 5681, 6298 and 8985, without the estimate of the round trip:
// here it is known). Close resets the connection, as libp2p has it done (SO_LINGER of
// 0), and an end that is gone answers with a reset.
type conn struct {
	net           *Network
	node          *node
	local, remote *net.TCPAddr
	latency       time.Duration
	peer          *conn
	near          bool // this end dialled

	// all by Network.mu

	down      int // bytes that have come to the near end
	unsent    []byte
	flight    []segment // sent and not arrived, in order
	lost      int       // of them
	inFlight  int       // bytes sent and not acknowledged
	window    int
	threshold int           // from which the window grows slowly
	halved    time.Duration // when that was last
	lastSent  time.Duration
	acks      []ack // on their way here
	timer     *time.Timer
	due       time.Duration // when the timer fires; 0 if it does not

	in   [][]byte      // arrived and not read
	owed time.Duration // until when an acknowledgement waits for company; 0 for none

	readable, writable          sync.Cond
	readDeadline, writeDeadline time.Time
	closed                      bool // here
	err                         error
}

// A segment is a packet of a connection.
type segment struct {
	data    []byte
	end     bool // a reset
	lost    bool
	at      time.Duration // when it arrives or, lost, is sent again
	wait    time.Duration // until it is sent again if it is lost
	settled bool          // the other end's link has taken it
}

// An ack tells of bytes that were read.
type ack struct {
	at    time.Duration
	bytes int
}

func newConn(n *Network, of *node, local, remote *net.TCPAddr, latency time.Duration) *conn {
	return &conn{net: n, node: of, local: local, remote: remote, latency: latency,
		window: first, threshold: most, readable: sync.Cond{L: &n.mu}, writable: sync.Cond{L: &n.mu}}
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) Read(b []byte) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for {
		if n := c.take(b); n > 0 || len(b) == 0 {
			return n, nil
		}
		if err := c.wait(&c.readable, c.readDeadline); err != nil {
			return 0, c.fault("read", err)
		}
	}
}

// take reads the arrived bytes and acknowledges them.
func (c *conn) take(b []byte) (n int) {
	for n < len(b) && len(c.in) > 0 {
		k := copy(b[n:], c.in[0])
		n += k
		if c.in[0] = c.in[0][k:]; len(c.in[0]) == 0 {
			c.in[0] = nil
			c.in = c.in[1:]
		}
	}
	if p := c.peer; n > 0 && p.err == nil {
		at := c.net.now() + c.latency
		if last := len(p.acks) - 1; last >= 0 && p.acks[last].at == at {
			p.acks[last].bytes += n
		} else {
			p.acks = append(p.acks, ack{at, n})
		}
		p.arm()
	}
	return n
}

func (c *conn) Write(b []byte) (n int, err error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for {
		if c.err != nil {
			return n, c.fault("write", c.err)
		}
		k := min(len(b), buffer-len(c.unsent))
		c.unsent = append(c.unsent, b[:k]...)
		b, n = b[k:], n+k
		c.push()
		if len(b) == 0 {
			return n, nil
		}
		if err := c.wait(&c.writable, c.writeDeadline); err != nil {
			return n, c.fault("write", err)
		}
	}
}

// wait waits for a change.
func (c *conn) wait(change *sync.Cond, deadline time.Time) error {
	if c.err != nil {
		return c.err
	}
	if !deadline.IsZero() {
		left := time.Until(deadline)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		t := time.AfterFunc(left, func() {
			c.net.mu.Lock()
			defer c.net.mu.Unlock()
			change.Broadcast()
		})
		defer t.Stop()
	}
	change.Wait()
	return nil
}

func (c *conn) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

func (c *conn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	return c.set(&c.readDeadline, t, &c.readable)
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.set(&c.writeDeadline, t, &c.writable)
}

func (c *conn) set(deadline *time.Time, t time.Time, change *sync.Cond) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	*deadline = t
	change.Broadcast()
	return nil
}

// push sends as much as the window has room for.
func (c *conn) push() {
	now := c.net.now()
	for len(c.acks) > 0 && c.acks[0].at <= now {
		c.acknowledged(c.acks[0].bytes)
		c.acks = c.acks[1:]
	}

	if c.inFlight == 0 && now-c.lastSent > 4*c.latency {
		c.window = min(c.window, first) // it may have become too large (RFC 5681, 4.1)
	}

	full := len(c.unsent) == buffer
	for len(c.unsent) > 0 {
		k := min(mss, len(c.unsent))
		if c.inFlight > 0 && c.inFlight+k > c.window {
			break
		}
		s := segment{data: c.unsent[:k:k], wait: max(4*c.latency, leastWait)}
		if c.unsent = c.unsent[k:]; len(c.unsent) == 0 {
			c.unsent = nil // its memory is that of segments
		}
		c.inFlight += k
		c.send(&s)
		c.lastSent = now
		c.flight = append(c.flight, s)
	}

	if full && len(c.unsent) < buffer {
		c.writable.Broadcast()
	}
	c.arm()
}

// acknowledged takes bytes out of the window.
func (c *conn) acknowledged(bytes int) {
	c.inFlight -= bytes
	grow := bytes
	if c.window >= c.threshold {
		grow = bytes * mss / c.window
	}
	c.window = min(c.window+grow, most)
}

// send sends a segment, for the first time or again.
func (c *conn) send(s *segment) {
	if s.lost {
		s.lost = false
		c.lost--
	}
	c.accompany()
	taken := c.censors(len(s.data) + header)
	at, ok := c.net.carry(c.node, c.peer.node, len(s.data)+header, c.latency)
	if !ok || taken {
		c.lose(s)
		return
	}
	s.at = at
}

// lose notes that a segment does not arrive.
func (c *conn) lose(s *segment) {
	now := c.net.now()
	c.lost++
	s.lost, s.at = true, now+s.wait
	s.wait = min(2*s.wait, longestWait)
	if now-c.halved > 2*c.latency { // once for all that one queue has lost
		c.halved = now
		c.threshold = max(c.window/2, least)
		c.window = c.threshold
	}
}

// arm sets the timer to the next event.
func (c *conn) arm() {
	next := time.Duration(0)
	soonest := func(at time.Duration) {
		if next == 0 || at < next {
			next = at
		}
	}

	if len(c.flight) > 0 && !c.flight[0].lost {
		soonest(c.flight[0].at)
	}
	if c.lost > 0 {
		for i := range c.flight {
			if c.flight[i].lost {
				soonest(c.flight[i].at)
			}
		}
	}
	if len(c.unsent) > 0 && len(c.acks) > 0 {
		soonest(c.acks[0].at)
	}

	next = (next + tick - 1) / tick * tick
	if next == c.due {
		return
	}

	c.due = next
	switch {
	case next == 0:
		c.timer.Stop()
	case c.timer == nil:
		c.timer = time.AfterFunc(next-c.net.now(), c.step)
	default:
		c.timer.Reset(next - c.net.now())
	}
}

// step does the work that is due: it delivers segments, and sends lost ones again.
func (c *conn) step() {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	now := c.net.now()
	if c.due == 0 || c.due > now {
		return // set to another time while it fired
	}
	c.due = 0

	for i := 0; c.lost > 0 && i < len(c.flight); i++ {
		if s := &c.flight[i]; s.lost && s.at <= now {
			c.send(s)
		}
	}

	for len(c.flight) > 0 && !c.flight[0].lost && c.flight[0].at <= now {
		s := &c.flight[0]
		// Packets that came before and waited for an earlier one have been taken.
		if !s.settled && s.at > now-tick {
			at, ok := c.net.arrive(c.peer.node, len(s.data)+header, s.at)
			if !ok {
				c.lose(s)
				break
			}
			if s.settled, s.at = true, at; at > now {
				break
			}
		}

		got := *s
		c.flight[0] = segment{}
		if c.flight = c.flight[1:]; len(c.flight) == 0 {
			c.flight = nil
		}
		c.peer.receive(got)
	}

	c.push()
}

// receive takes an arrived segment.
func (c *conn) receive(s segment) {
	c.node.in += int64(len(s.data) + header)
	switch {
	case s.end:
		c.fail(syscall.ECONNRESET)
	case c.closed:
		c.reset()
	case c.err == nil:
		c.in = append(c.in, s.data)
		c.owe()
		c.readable.Broadcast()
	}
}

// reset tells the other end that this one is gone.
func (c *conn) reset() {
	at, ok := c.net.carry(c.node, c.peer.node, header, c.latency)
	if ok {
		time.AfterFunc(at-c.net.now(), func() {
			c.net.mu.Lock()
			defer c.net.mu.Unlock()
			c.peer.receive(segment{end: true})
		})
	}
}

// owe notes that something has to be acknowledged: at once if it is the second
// packet, else when something goes the other way or soon.
func (c *conn) owe() {
	now := c.net.now()
	switch {
	case c.owed == 0:
		c.owed = now + soon
	case c.owed < now: // that one has gone alone
		c.count()
		c.owed = now + soon
	default:
		c.count()
		c.owed = 0
	}
}

// accompany lets an acknowledgement that is owed go along with data.
func (c *conn) accompany() {
	if c.owed != 0 && c.owed < c.net.now() {
		c.count()
	}
	c.owed = 0
}

// count counts an acknowledgement. Its loss makes no difference to the window, and its
// size is too little to count.
func (c *conn) count() {
	n := c.net
	n.sent++
	c.node.out += header
	if n.loses() {
		n.lost++
		return
	}
	c.peer.node.in += header
}

// fail ends this end.
func (c *conn) fail(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	c.unsent, c.flight, c.lost, c.acks = nil, nil, 0, nil
	if c.owed != 0 {
		c.count()
		c.owed = 0
	}
	c.arm()
	c.readable.Broadcast()
	c.writable.Broadcast()
}

func (c *conn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.fault("close", net.ErrClosed)
	}
	c.close()
	return nil
}

// close ends both ends: sent packets arrive, up to the first that was lost, and a reset
// behind it.
func (c *conn) close() {
	flight, alive := c.flight, c.err == nil
	c.fail(net.ErrClosed)
	c.closed, c.in = true, nil
	if !alive {
		return
	}
	if i := slices.IndexFunc(flight, func(s segment) bool { return s.lost }); i >= 0 {
		flight = flight[:i]
	}
	if at, ok := c.net.carry(c.node, c.peer.node, header, c.latency); ok {
		flight = append(flight, segment{end: true, at: at})
	}
	c.flight = flight
	c.arm()
}
