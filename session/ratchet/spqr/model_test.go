package spqr

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"testing/cryptotest"
)

// model is two ends, an arbitrary network, and the invariants.
type model struct {
	t      testing.TB
	ends   [2]*State
	flight [2][]packet // towards each end
	done   [2][]packet // received by each end
	keys   map[[KeySize]byte]bool
}

func newModel(t testing.TB) *model {
	a, b := newPair()
	return &model{t: t, ends: [2]*State{a, b}, keys: map[[KeySize]byte]bool{}}
}

// step does one thing, chosen by op and arg.
func (m *model) step(op, arg byte) {
	who := int(op & 1)
	s, waiting := m.ends[who], &m.flight[who]
	pick := func(list []packet) int { return int(arg) % len(list) }
	switch op >> 1 % 8 {
	case 0, 1: // send
		p := send(m.t, s)
		if m.keys[p.key] {
			m.t.Fatal("a key was used twice")
		}
		m.keys[p.key] = true
		m.flight[1-who] = append(m.flight[1-who], p)
	case 2, 3: // deliver, in any order
		if len(*waiting) > 0 {
			i := pick(*waiting)
			accept(m.t, s, (*waiting)[i])
			m.done[who] = append(m.done[who], (*waiting)[i])
			*waiting = append((*waiting)[:i], (*waiting)[i+1:]...)
		}
	case 4: // lose
		if len(*waiting) > 0 {
			i := pick(*waiting)
			*waiting = append((*waiting)[:i], (*waiting)[i+1:]...)
		}
	case 5: // repeat
		if list := m.done[who]; len(list) > 0 {
			refuse(m.t, s, list[pick(list)].msg[:], "repeated")
		}
	case 6: // alter, and take it back as a caller does when the tag is wrong
		if len(*waiting) > 0 {
			p := (*waiting)[pick(*waiting)]
			bad := p.msg
			bad[int(arg)*7%MessageSize] ^= 1 << (arg % 8)
			before := stored(m.t, s)
			s.Clone().Receive(bad[:])
			if !bytes.Equal(before, stored(m.t, s)) {
				m.t.Fatal("an undone message changed the state")
			}
		}
	case 7: // crash and start again
		m.ends[who] = reload(m.t, s)
	}
}

// settle lets everything in flight arrive and then both ends talk for a while:
// they must agree on every key and get on.
func (m *model) settle() {
	for who := range 2 {
		for _, p := range m.flight[who] {
			accept(m.t, m.ends[who], p)
		}
	}
	a, b := m.ends[0], m.ends[1]
	startA, startB := a.Epoch(), b.Epoch()
	for range 120 {
		pass(m.t, a, b)
		pass(m.t, b, a)
	}
	if a.Epoch() < startA+2 || b.Epoch() < startB+2 {
		m.t.Fatalf("stuck: epochs %d and %d, from %d and %d", a.Epoch(), b.Epoch(), startA, startB)
	}
}

func TestModel(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 3))
		m := newModel(t)
		for range 700 {
			m.step(byte(r.Uint32()), byte(r.Uint32()))
		}
		m.settle()
	}
}

func FuzzModel(f *testing.F) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 4 {
		script := make([]byte, 600)
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		cryptotest.SetGlobalRandom(t, 1)
		m := newModel(t)
		for ; len(script) >= 2; script = script[2:] {
			m.step(script[0], script[1])
		}
		m.settle()
	})
}
