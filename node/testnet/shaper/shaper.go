// Package shaper puts the network of a scenario between real processes on one machine,
// without a kernel's help: each relay has a door, which others dial in its place, and
// behind it every connection is delayed, slowed and held up as package world says.
//
//	node 3 ── 127.0.0.1:door of relay 7 ── delay, rate, loss ── 127.0.0.1:relay 7
//
// It works on streams and not on packets: a lost packet is not sent again but comes
// later, by the time that TCP would take, and all behind it waits. A way that is cut or
// blocked holds bytes back until it is mended, as TCP would. The dialler is known by its
// process, where the system tells it (Linux); an outsider has no link of its own, and is
// never cut off.
package shaper

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Paths are the links between machines.
type Paths interface {
	Delay(from, to int, at time.Duration) (d time.Duration, lost bool)
	Rate(machine int, up bool, at time.Duration) float64
}

// Outsider is the machine of a dialler that is nobody of the mesh.
const Outsider = -1

const (
	chunk  = 16 << 10 // bytes that are read at a time
	queued = 64       // chunks on their way, each way of a connection
	packet = 1448     // bytes that are lost together
	// repair is the least time until a lost packet is sent again; it doubles.
	repair  = 200 * time.Millisecond
	repairs = 8
	look    = 20 * time.Millisecond // how often a way that is cut is looked at
)

// A Shaper holds the doors of all relays.
type Shaper struct {
	paths Paths
	who   func(port int) int // the machine that dials from a port of this computer
	began time.Time

	mu      sync.Mutex
	free    map[link]time.Duration // when a link has sent all so far
	apart   map[int]bool           // machines on the other side of a cut
	blocked map[int]bool           // relays that users do not reach
	conns   map[net.Conn]bool
	closed  bool
	doors   []net.Listener
	running sync.WaitGroup
	users   int // the first machine that is a user's
}

// link is one way of a machine's link.
type link struct {
	machine int
	up      bool
}

// New makes a shaper. Machines from users on are those of users. The dialler's machine, or
// Outsider, is told by who.
func New(paths Paths, users int, who func(port int) int) *Shaper {
	return &Shaper{paths: paths, who: who, users: users, began: time.Now(), free: map[link]time.Duration{},
		apart: map[int]bool{}, blocked: map[int]bool{}, conns: map[net.Conn]bool{}}
}

// Door opens a door to a relay at an address of this computer, and returns the port to
// dial.
func (s *Shaper) Door(relay int, target string) (port int, err error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		l.Close()
		return 0, net.ErrClosed
	}

	s.doors = append(s.doors, l)
	s.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				if errors.Is(err, net.ErrClosed) {
					return
				}
				time.Sleep(look) // no file descriptor is free
				continue
			}
			s.running.Go(func() { s.carry(conn, relay, target) })
		}
	})
	return l.Addr().(*net.TCPAddr).Port, nil
}

// carry connects one dialler with a relay.
func (s *Shaper) carry(near net.Conn, relay int, target string) {
	from := s.who(near.RemoteAddr().(*net.TCPAddr).Port)
	far, err := net.DialTimeout("tcp4", target, repair)
	if err != nil {
		near.Close() // as of a relay that is down
		return
	}
	if !s.hold(near, far) {
		return
	}
	defer s.drop(near, far)

	var both sync.WaitGroup
	both.Go(func() { s.pipe(far, near, from, relay) })
	both.Go(func() { s.pipe(near, far, relay, from) })
	both.Wait()
}

// hold keeps connections for Close.
func (s *Shaper) hold(conns ...net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		if s.closed {
			c.Close()
		} else {
			s.conns[c] = true
		}
	}
	return !s.closed
}

func (s *Shaper) drop(conns ...net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(s.conns, c)
	}
}

// A load is bytes on their way.
type load struct {
	data []byte
	at   time.Duration // when they are there
}

// pipe carries bytes one way until one end is gone. The end of the source is that of the
// target, behind all bytes.
func (s *Shaper) pipe(to, from net.Conn, sender, receiver int) {
	way := make(chan load, queued)
	done := make(chan struct{})
	s.running.Go(func() {
		defer close(done)
		for l := range way {
			if !s.arrive(l.at, sender, receiver) {
				break
			}
			if _, err := to.Write(l.data); err != nil {
				break
			}
		}
		to.Close()
		from.Close()
		for range way { // the sender may be waiting for room
		}
	})
	defer func() { close(way); <-done }()

	last := time.Duration(0)
	for {
		data := make([]byte, chunk)
		n, err := from.Read(data)
		if n > 0 {
			last = max(last, s.due(n, sender, receiver))
			way <- load{data[:n:n], last}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				to.Close()
			}
			return
		}
	}
}

// due draws when bytes that leave now are there.
func (s *Shaper) due(size, sender, receiver int) time.Duration {
	now := time.Since(s.began)
	up, down := s.paths.Rate(sender, true, now), s.paths.Rate(receiver, false, now)
	worst := time.Duration(0)
	for left := size; left > 0; left -= packet {
		d, lost := s.paths.Delay(sender, receiver, now)
		for again, wait := 0, max(repair, 4*d); lost && again < repairs; again++ {
			var next time.Duration
			next, lost = s.paths.Delay(sender, receiver, now+d+wait)
			d, wait = d+wait+next, 2*wait
		}
		worst = max(worst, d)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	sent := max(now, s.free[link{sender, true}]) + busy(size, up)
	if sender != Outsider {
		s.free[link{sender, true}] = sent
	}
	there := max(sent+worst, s.free[link{receiver, false}]) + busy(size, down)
	if receiver != Outsider {
		s.free[link{receiver, false}] = there
	}
	return there
}

// busy is how long a link is busy with so many bytes.
func busy(size int, rate float64) time.Duration {
	return time.Duration(float64(size) * 8e9 / rate)
}

// arrive waits for a time, and then until the way is open. It reports whether the shaper
// is.
func (s *Shaper) arrive(at time.Duration, sender, receiver int) bool {
	if wait := at - time.Since(s.began); wait > 0 {
		time.Sleep(wait)
	}
	for {
		s.mu.Lock()
		open, closed := s.open(sender, receiver), s.closed
		s.mu.Unlock()
		if open || closed {
			return !closed
		}
		time.Sleep(look)
	}
}

// open reports whether anything gets from one machine to another.
func (s *Shaper) open(a, b int) bool {
	if a == Outsider || b == Outsider {
		return true
	}
	user := a >= s.users || b >= s.users
	return s.apart[a] == s.apart[b] && !(user && (s.blocked[a] || s.blocked[b]))
}

// Cut puts machines on a side of their own, until Heal.
func (s *Shaper) Cut(machines []int) { s.note(s.apart, machines) }

// Block keeps users from reaching relays, until Unblock.
func (s *Shaper) Block(relays []int) { s.note(s.blocked, relays) }

func (s *Shaper) note(in map[int]bool, machines []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range machines {
		in[i] = true
	}
}

// Heal undoes every Cut.
func (s *Shaper) Heal() { s.forget(s.apart) }

// Unblock undoes every Block.
func (s *Shaper) Unblock() { s.forget(s.blocked) }

func (s *Shaper) forget(in map[int]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(in)
}

// Close closes all doors and connections.
func (s *Shaper) Close() {
	s.mu.Lock()
	s.closed = true
	for _, l := range s.doors {
		l.Close()
	}
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}
