package session

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

// resetModel is two people with profiles that are copied and put back at any time,
// and mailboxes that remember the boxes of each tag. In the end they must have a
// session again.
type resetModel struct {
	t     *testing.T
	who   [2]person
	saved [2][]person
	boxes [2]map[Tag]Cell // by receiver
	used  [2]map[Tag]Cell // acknowledged
	clock int64           // ms
	news  int             // sessions that offers led to
}

// person is the state of one of them on disk.
type person struct {
	session, reset []byte // nil if there is none
	hello          []Cell // repeated until the session is established
}

func newResetModel(t *testing.T) *resetModel {
	m := &resetModel{t: t, clock: now.UnixMilli()}
	a, b := talking(t)
	for i, s := range []*Session{a, b} {
		m.who[i].session = state(t, s)
		m.boxes[i], m.used[i] = map[Tag]Cell{}, map[Tag]Cell{}
	}
	return m
}

// what returns the session, if there is one, and the reset: the one on disk, or else
// the one that the session leads to.
func (m *resetModel) what(p *person) (s *Session, r *Reset) {
	if p.session != nil {
		s = restore(m.t, p.session)
		r = s.Reset()
	}
	if p.reset != nil {
		var err error
		if r, err = UnmarshalReset(p.reset); err != nil {
			m.t.Fatal(err)
		}
	}
	return s, r
}

// put stores a cell and reports whether the mailbox has another under its tag.
func (m *resetModel) put(to int, c Cell) (taken bool) {
	for _, known := range []map[Tag]Cell{m.boxes[to], m.used[to]} {
		if old, ok := known[c.Tag]; ok {
			return old != c
		}
	}
	m.boxes[to][c.Tag] = c
	return false
}

// repeat puts the cells that must arrive: an offer, elsewhere if its place is taken,
// and a hello.
func (m *resetModel) repeat(i int) {
	p := &m.who[i]
	_, r := m.what(p)
	for _, c := range p.hello {
		if m.put(1-i, c) {
			m.t.Fatal("the place of a hello is taken")
		}
	}
	for again := true; again; {
		again = false
		for j, c := range r.Bundle() {
			if !m.put(1-i, c) {
				continue
			}
			if j > 0 {
				m.t.Fatal("the place of a bundle is taken")
			}
			if again = r.Elsewhere(); !again { // 14 days later
				m.boxes[1-i], m.used[1-i] = map[Tag]Cell{}, map[Tag]Cell{}
				again = true
			}
			p.reset = resetState(m.t, r)
			break
		}
	}
}

func (m *resetModel) seal(i int) {
	p := &m.who[i]
	s, _ := m.what(p)
	if s == nil {
		return
	}
	c := seal(m.t, s, "x")
	p.session = state(m.t, s)
	m.put(1-i, c) // a copy that no marker has found out may meet another box
}

// fetch takes the box under one tag that is asked for.
func (m *resetModel) fetch(i, pick int) bool {
	p := &m.who[i]
	s, r := m.what(p)
	window := r.Window()
	if s != nil {
		window = append(window, s.Window()...)
	}
	for j := range window {
		tag := window[(j+pick)%len(window)]
		if c, ok := m.boxes[i][tag]; ok {
			delete(m.boxes[i], tag)
			m.used[i][tag] = c
			m.take(i, s, r, c)
			return true
		}
	}
	return false
}

func (m *resetModel) take(i int, s *Session, r *Reset, c Cell) {
	p := &m.who[i]
	if s != nil {
		if _, err := s.Open(c); err == nil {
			p.session, p.hello = state(m.t, s), nil
			return
		} else if errors.Is(err, ErrForked) {
			m.giveUp(i, ReasonForked)
			return
		}
	}
	before := resetState(m.t, r)
	step, _ := r.Take(later, c)
	switch {
	case step.Offered != nil:
		joined, hello, err := step.Offered.Join(newID(), nil)
		if err != nil {
			m.t.Fatal(err)
		}
		*p = person{session: state(m.t, joined), hello: hello}
		m.news++
	case step.Session != nil:
		answer := seal(m.t, step.Session, "x")
		*p = person{session: state(m.t, step.Session)}
		m.put(1-i, answer)
	case step.New:
		p.reset = resetState(m.t, r)
	case !bytes.Equal(before, resetState(m.t, r)):
		m.t.Fatal("a cell that brought nothing changed the reset")
	}
}

func (m *resetModel) giveUp(i int, why Reason) {
	p := &m.who[i]
	_, r := m.what(p)
	m.clock++
	if err := r.Offer(time.UnixMilli(m.clock), why, hints); err != nil {
		m.t.Fatal(err)
	}
	*p = person{reset: resetState(m.t, r)}
}

// restore puts a copy back, unless it is so old that the other one has
// forgotten its session.
func (m *resetModel) restore(i, pick int) {
	if len(m.saved[i]) == 0 {
		return
	}
	p := m.saved[i][pick%len(m.saved[i])]
	_, r := m.what(&p)
	_, other := m.what(&m.who[1-i])
	for _, d := range other.doors {
		if d.secret == r.own {
			m.who[i] = p
			m.giveUp(i, ReasonRestored)
			return
		}
	}
}

// step carries out the command of two bytes.
func (m *resetModel) step(op, arg byte) {
	i := int(op & 1)
	switch op >> 1 % 8 {
	case 0, 1:
		m.seal(i)
	case 2, 3:
		m.fetch(i, int(arg))
	case 4:
		m.repeat(i)
	case 5:
		m.saved[i] = append(m.saved[i], m.who[i])
	case 6:
		m.restore(i, int(arg))
	case 7: // lose some of what is repeated
		s, _ := m.what(&m.who[i])
		for tag := range m.boxes[i] {
			if tag[0]%4 == arg%4 && (s == nil || !containsTag(s.Window(), tag)) {
				delete(m.boxes[i], tag)
			}
		}
	}
}

// finish lets the network do its work, and checks that the two have one session.
func (m *resetModel) finish() {
	for range 30 {
		for i := range m.who {
			m.repeat(i)
			m.seal(i)
			for m.fetch(i, 0) {
			}
		}
		a, _ := m.what(&m.who[0])
		b, _ := m.what(&m.who[1])
		if a != nil && b != nil && a.SafetyNumber() == b.SafetyNumber() && a.Established() && b.Established() {
			open(m.t, b, seal(m.t, a, "in the end"), "in the end")
			open(m.t, a, seal(m.t, b, "in the end"), "in the end")
			return
		}
	}
	m.t.Fatal("no session in the end")
}

// FuzzRestore runs the model on the fuzzer's inputs.
func FuzzRestore(f *testing.F) {
	f.Add([]byte{10, 0, 0, 0, 12, 0, 8, 0, 5, 0, 5, 1})
	f.Add([]byte{10, 0, 11, 0, 12, 0, 8, 0, 5, 0, 13, 0, 9, 0, 4, 0, 12, 0, 13, 0})
	f.Fuzz(func(t *testing.T, program []byte) {
		m := newResetModel(t)
		for i := 0; i+1 < len(program) && i < 200; i += 2 {
			m.step(program[i], program[i+1])
		}
		m.finish()
	})
}

// TestRestoreAtAnyTime runs the model on random programs.
func TestRestoreAtAnyTime(t *testing.T) {
	news := 0
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		m := newResetModel(t)
		for range 80 {
			m.step(byte(random.Uint32()), byte(random.Uint32()))
		}
		m.finish()
		if t.Failed() {
			t.Fatal("seed", seed)
		}
		news += m.news
	}
	if news < 40 {
		t.Errorf("only %d new sessions", news)
	}
}
