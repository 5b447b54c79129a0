package session

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"starling/session/envelope"
)

// model is two people and a lawless network. It knows the cells that each must still be
// able to open.
type model struct {
	t       *testing.T
	side    [2]*Session
	stored  [2][]byte // what is on disk
	flight  [2][]sent // by receiver; what is in mailboxes
	opened  [2]map[Tag]bool
	tags    map[Tag]bool
	blocks  map[[16]byte]bool // last blocks of ciphertext ever sent
	deliver int
}

type sent struct {
	cell Cell
	id   ID
	data string
}

func newModel(t *testing.T) *model {
	m := &model{t: t, tags: map[Tag]bool{}, blocks: map[[16]byte]bool{}}
	m.side[0], m.side[1] = pair(t)
	for i := range m.side {
		m.opened[i] = map[Tag]bool{}
		m.stored[i] = state(t, m.side[i])
	}
	return m
}

// seal stores the state before the cells leave, as the caller of Seal must.
func (m *model) seal(i int, n int) {
	data := bytes.Repeat([]byte{byte('a' + i)}, n)
	id := newID()
	cells, err := m.side[i].Seal(id, data, 0)
	if err == ErrWaiting && m.side[i].Room() < len(cells)+51 {
		return
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.stored[i] = state(m.t, m.side[i])
	for k, c := range cells {
		// No key reuse: equal plaintexts, and still no tag and no block twice.
		var block [16]byte
		copy(block[:], c.Box[1536-48:])
		if m.tags[c.Tag] || m.blocks[block] {
			m.t.Fatal("a tag or a ciphertext block twice")
		}
		m.tags[c.Tag], m.blocks[block] = true, true
		end := min((k+1)*envelope.DataSize, n)
		m.flight[1-i] = append(m.flight[1-i], sent{c, id, string(data[k*envelope.DataSize : end])})
	}
}

// open offers a genuine cell and knows whether it must open.
func (m *model) open(i int, s sent) {
	wanted := false
	for _, tag := range m.side[i].Window() {
		wanted = wanted || tag == s.cell.Tag
	}
	if wanted && m.opened[i][s.cell.Tag] {
		m.t.Fatal("a cell that was opened is asked for")
	}
	before := state(m.t, m.side[i])
	p, err := m.side[i].Open(s.cell)
	if !wanted {
		m.refused(i, before, err)
		return
	}
	if err != nil || p.ID != s.id || string(p.Data) != s.data {
		m.t.Fatalf("a genuine cell: %v", err)
	}
	m.opened[i][s.cell.Tag] = true
	m.stored[i] = state(m.t, m.side[i])
	m.deliver++
}

func (m *model) refused(i int, before []byte, err error) {
	m.t.Helper()
	if !errors.Is(err, ErrRefused) {
		m.t.Fatalf("error %v, want ErrRefused", err)
	}
	if !bytes.Equal(before, state(m.t, m.side[i])) {
		m.t.Fatal("a refused cell changed the state")
	}
}

// step carries out the command of two bytes.
func (m *model) step(op, arg byte) {
	i := int(op & 1)
	pick := func() (int, bool) {
		if len(m.flight[i]) == 0 {
			return 0, false
		}
		return int(arg) % len(m.flight[i]), true
	}
	switch op >> 1 % 10 {
	case 0, 1:
		m.seal(i, int(arg))
	case 2:
		m.seal(i, int(arg)*20)
	case 3, 4: // deliver in order
		if len(m.flight[i]) > 0 {
			s := m.flight[i][0]
			m.flight[i] = m.flight[i][1:]
			m.open(i, s)
		}
	case 5: // deliver out of order, and leave it there to come again
		if k, ok := pick(); ok {
			m.open(i, m.flight[i][k])
		}
	case 6: // lose
		if k, ok := pick(); ok {
			m.flight[i] = append(m.flight[i][:k], m.flight[i][k+1:]...)
		}
	case 7: // tamper: a bit, another's tag, or a cell of one's own
		k, ok := pick()
		if !ok {
			return
		}
		c := m.flight[i][k].cell
		switch arg % 3 {
		case 0:
			c.Box[int(arg)*6%1536] ^= 1 << (arg % 8)
		case 1:
			c.Tag = m.side[i].Window()[int(arg)%Ahead]
			if c.Tag == m.flight[i][k].cell.Tag {
				return
			}
		case 2:
			if len(m.flight[1-i]) == 0 {
				return
			}
			c = m.flight[1-i][0].cell
		}
		before := state(m.t, m.side[i])
		_, err := m.side[i].Open(c)
		m.refused(i, before, err)
	case 8: // crash and restart from disk
		m.side[i] = restore(m.t, m.stored[i])
		if !bytes.Equal(state(m.t, m.side[i]), m.stored[i]) {
			m.t.Fatal("a state read back is stored differently")
		}
	case 9: // crash after opening or sealing, before the state was stored
		if arg&1 == 0 {
			if _, err := m.side[i].Seal(newID(), nil, 0); err != nil && err != ErrWaiting {
				m.t.Fatal(err)
			}
		} else if k, ok := pick(); ok {
			m.side[i].Open(m.flight[i][k].cell)
		}
		m.side[i] = restore(m.t, m.stored[i])
	}
}

// finish delivers the rest and checks that the two still agree.
func (m *model) finish() {
	for i := range m.flight {
		for _, s := range m.flight[i] {
			m.open(i, s)
		}
		m.flight[i] = nil
	}
	for round := range 6 {
		for i := range m.side {
			for _, c := range m.side[i].Signals() {
				m.side[1-i].Open(c)
			}
			m.seal(i, 10)
			for _, s := range m.flight[1-i] {
				if m.open(1-i, s); round == 5 && !m.opened[1-i][s.cell.Tag] {
					m.t.Fatal("the two do not agree in the end")
				}
			}
			m.flight[1-i] = nil
		}
	}
	if m.side[0].SafetyNumber() != m.side[1].SafetyNumber() {
		m.t.Fatal("safety numbers differ in the end")
	}
}

// FuzzTwoParties runs the model on the fuzzer's inputs: no panic, no key twice, no
// state change on refusal, agreement in the end.
func FuzzTwoParties(f *testing.F) {
	f.Add([]byte{0, 10, 6, 0, 1, 20, 7, 0})
	f.Add(bytes.Repeat([]byte{0, 9, 1, 9, 10, 1, 11, 2, 16, 0, 18, 1}, 20))
	f.Fuzz(func(t *testing.T, program []byte) {
		m := newModel(t)
		for i := 0; i+1 < len(program) && i < 600; i += 2 {
			m.step(program[i], program[i+1])
		}
		m.finish()
	})
}

// TestTwoParties runs the model on long random programs.
func TestTwoParties(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 0))
		m := newModel(t)
		for range 400 {
			m.step(byte(random.Uint32()), byte(random.Uint32()))
		}
		m.finish()
		if m.deliver < 50 {
			t.Errorf("seed %d: %d cells delivered", seed, m.deliver)
		}
	}
}
