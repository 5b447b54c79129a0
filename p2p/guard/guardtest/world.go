// Package guardtest drives the guards of package guard through a simulated network in
// simulated time. Attempts are answered, refused or left alone, by the state of their
// relay and of the line at the moments of TCP's packets.
package guardtest

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/wire"
)

// A Line is the client's own line to the network.
type Line int

// Fates of a packet that the client sends.
const (
	Up      Line = iota
	Silent       // it is lost
	NoRoute      // the system refuses to send it
)

// A State is that of a relay, as the client finds it.
type State int

// The answers of a machine.
const (
	Listens State = iota
	Refuses       // its machine does
	Absent        // nothing
	Other         // it has another key
)

// trip is the time there and back, if a World has no other.
const trip = 80 * time.Millisecond

// syns is when TCP asks, from the beginning of an attempt.
var syns = []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}

// A World is one client's guards and all that they depend on.
type World struct {
	Guards *guard.Guards
	Now    time.Time
	// Skew is by how much the clock of the day is wrong.
	Skew time.Duration
	// Notice is how long it takes to notice that a link is dead.
	Notice time.Duration
	// Trip is the time there and back.
	Trip time.Duration
	// State, if not nil, returns the state of a relay at a time; without it all listen.
	State func(id wire.NodeID, at time.Time) State
	// Home, if not nil, is the place of a relay. At its other addresses something else
	// answers, or nothing: Elsewhere. Without Home each is at all of its addresses.
	Home      func(id wire.NodeID) book.Address
	Elsewhere State
	// Seen are the relays with a machine that has seen the client's address, and when.
	Seen map[wire.NodeID]time.Time
	// Back, if not zero, is the earliest time at which the line is up again. Packets
	// before that are lost without being simulated.
	Back time.Time
	// OnPlan, if not nil, is shown every plan.
	OnPlan func(guard.Plan)

	line    Line
	changed time.Time // of the line
	queue   queue
	order   int
	links   map[wire.NodeID]time.Time // since when
	dials   map[wire.NodeID]int       // the number of the attempt under way
	number  int
	plan    int // the number of the look that is due
}

// New makes a world at some day.
func New(g *guard.Guards) *World {
	w := &World{Guards: g, Now: time.Unix(1_800_000_000, 0), Notice: 20 * time.Second, Trip: trip, Seen: map[wire.NodeID]time.Time{},
		links: map[wire.NodeID]time.Time{}, dials: map[wire.NodeID]int{}}
	w.changed = w.Now
	return w
}

// ID is that of relay i.
func ID(i int) (id wire.NodeID) {
	binary.BigEndian.PutUint32(id[:], uint32(i+1))
	return id
}

// Relay returns relay i, at a public address in a network of its own.
func Relay(i int) guard.Relay {
	a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(11 + i/250), byte(i % 250), 0, 1}), 4001)
	return guard.Relay{ID: ID(i), Addresses: []directory.Address{{AddrPort: a}}, Fit: true}
}

// Relays returns the relays from i to j, without j.
func Relays(i, j int) (list []guard.Relay) {
	for ; i < j; i++ {
		list = append(list, Relay(i))
	}
	return list
}

// At lets something happen at a time.
func (w *World) At(at time.Time, do func()) {
	w.order++
	heap.Push(&w.queue, event{at, w.order, do})
}

// After lets something happen after a time.
func (w *World) After(d time.Duration, do func()) { w.At(w.Now.Add(d), do) }

// Run lets time pass.
func (w *World) Run(d time.Duration) {
	end := w.Now.Add(d)
	w.Look()
	for len(w.queue) > 0 && !w.queue[0].at.After(end) {
		e := heap.Pop(&w.queue).(event)
		if e.at.After(w.Now) {
			w.Now = e.at
		}
		e.do()
	}
	w.Now = end
}

// Skip lets time pass in which nothing happens, as while a computer sleeps. Events of
// the meantime happen after it.
func (w *World) Skip(d time.Duration) { w.Now = w.Now.Add(d) }

// Look asks the guards for a plan and carries it out.
func (w *World) Look() {
	p := w.Guards.Plan(w.Now, w.Now.Add(w.Skew))
	if w.OnPlan != nil {
		w.OnPlan(p)
	}
	for _, id := range p.Close {
		delete(w.dials, id)
		delete(w.links, id)
	}
	for _, d := range p.Try {
		w.dial(d)
	}
	if !p.Next.After(w.Now) {
		panic(fmt.Sprintf("guardtest: look again at %v, which is now", p.Next))
	}
	w.plan++
	number := w.plan
	w.At(p.Next, func() {
		if w.plan == number {
			w.Look()
		}
	})
}

// Linked reports whether there is a link to a relay.
func (w *World) Linked(id wire.NodeID) bool {
	_, ok := w.links[id]
	return ok
}

// Tries reports whether an attempt to connect to a relay is under way.
func (w *World) Tries(id wire.NodeID) bool {
	_, ok := w.dials[id]
	return ok
}

// Links is how many there are.
func (w *World) Links() int { return len(w.links) }

// Lose ends the link to a relay, from the other end.
func (w *World) Lose(id wire.NodeID) {
	if w.Linked(id) {
		delete(w.links, id)
		w.Guards.Lost(id, w.Now)
		w.Look()
	}
}

// Line returns the present state of the line.
func (w *World) Line() Line { return w.line }

// SetLine changes the line. A link dies with it when that has been noticed, in the
// order of the list.
func (w *World) SetLine(l Line) {
	w.line, w.changed = l, w.Now
	if l == Up {
		return
	}
	for _, id := range w.Guards.Known() {
		since, ok := w.links[id]
		if !ok {
			continue
		}
		w.After(w.Notice, func() {
			if w.line != Up && w.links[id].Equal(since) {
				w.Lose(id)
			}
		})
	}
}

// Tell tells the guards the word of the system about the line.
func (w *World) Tell() {
	w.Guards.Network(w.line == Up, w.Now)
	w.Look()
}

func (w *World) state(id wire.NodeID) State {
	if w.State == nil {
		return Listens
	}
	return w.State(id, w.Now)
}

// dial carries an attempt out: a SYN now and at later moments, and its end.
func (w *World) dial(d guard.Attempt) {
	w.number++
	number := w.number
	w.dials[d.ID] = number

	open := func() bool { return w.dials[d.ID] == number }
	end := func(after time.Duration, tell func()) {
		w.After(after, func() {
			if open() {
				delete(w.dials, d.ID)
				tell()
				w.Look()
			}
		})
	}

	if w.line == NoRoute {
		end(time.Millisecond, func() { w.Guards.Failed(d.ID, guard.Unreachable, w.Now) })
		return
	}

	end(d.Timeout, func() { w.Guards.Failed(d.ID, guard.Timeout, w.Now) })
	for _, at := range syns {
		if at >= d.Timeout {
			break
		}
		if w.line != Up && w.Now.Add(at).Before(w.Back) {
			continue
		}
		w.After(at, func() {
			if open() && w.line == Up {
				w.syn(d, end)
			}
		})
	}
}

// syn is one that has come out of the line.
func (w *World) syn(d guard.Attempt, end func(time.Duration, func())) {
	id, at := d.ID, d.Addresses[0].Book()
	there := true
	if w.Home != nil {
		at = w.Home(id)
		there = slices.Contains(directory.ForBook(d.Addresses), at)
	}
	state := w.Elsewhere
	if there {
		state = w.state(id)
	}
	if state == Absent {
		return
	}
	if _, ok := w.Seen[id]; !ok && there {
		w.Seen[id] = w.Now
	}

	end(w.Trip, func() {
		switch state {
		case Refuses:
			w.Guards.Failed(id, guard.Refused, w.Now)
		case Other:
			w.Guards.Failed(id, guard.WrongKey, w.Now)
		default:
			w.links[id] = w.Now
			w.Guards.Connected(id, at, w.Now)
		}
	})
}

type event struct {
	at    time.Time
	order int
	do    func()
}

// queue is a heap of events, the next first.
type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].order < q[j].order
	}
	return q[i].at.Before(q[j].at)
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}
