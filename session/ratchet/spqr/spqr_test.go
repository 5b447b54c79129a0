package spqr

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/cryptotest"

	"starling/session/ratchet/spqr/braid"
	"starling/session/ratchet/spqr/chain"
	"starling/session/ratchet/spqr/erasure"
)

var testSecret = [SecretSize]byte([]byte("a secret that both of them share"))

func newPair() (a, b *State) { return New(Initiator, testSecret), New(Responder, testSecret) }

// packet is a message in flight and the key it was sent with.
type packet struct {
	msg [MessageSize]byte
	key [KeySize]byte
}

func send(t testing.TB, s *State) packet {
	t.Helper()
	msg, key, err := s.Send()
	if err != nil {
		t.Fatal(err)
	}
	return packet{msg, key}
}

func accept(t testing.TB, s *State, p packet) {
	t.Helper()
	key, err := s.Receive(p.msg[:])
	if err != nil {
		t.Fatal(err)
	}
	if key != p.key {
		t.Fatal("the two ends have different keys")
	}
}

// pass carries one message from one end to the other.
func pass(t testing.TB, from, to *State) {
	t.Helper()
	accept(t, to, send(t, from))
}

// stored is the state as bytes.
func stored(t testing.TB, s *State) []byte {
	t.Helper()
	b, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reload is the effect of a restart on a state.
func reload(t testing.TB, s *State) *State {
	t.Helper()
	b := stored(t, s)
	again, err := Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, stored(t, again)) {
		t.Fatal("a state read back is stored differently")
	}
	return again
}

func refuse(t testing.TB, s *State, msg []byte, why string) {
	t.Helper()
	before := stored(t, s)
	if key, err := s.Receive(msg); err != ErrRefused || key != [KeySize]byte{} {
		t.Fatalf("%s: %v", why, err)
	}
	if !bytes.Equal(before, stored(t, s)) {
		t.Fatalf("%s: the state changed", why)
	}
}

func TestAlternating(t *testing.T) {
	a, b := newPair()
	for range 400 {
		pass(t, a, b)
		pass(t, b, a)
		a, b = reload(t, a), reload(t, b)
	}
	if a.Epoch() < 8 || b.Epoch() < 8 {
		t.Fatalf("epochs %d and %d after 800 messages", a.Epoch(), b.Epoch())
	}
}

func TestSimultaneous(t *testing.T) {
	a, b := newPair()
	for range 200 {
		p, q := send(t, a), send(t, b)
		accept(t, b, p)
		accept(t, a, q)
	}
	if a.Epoch() < 4 {
		t.Fatalf("epoch %d after 400 messages", a.Epoch())
	}
}

// TestOneWay: one-way traffic stays in epoch 0 and still has a key for every
// message; the agreement begins with the first answers.
func TestOneWay(t *testing.T) {
	a, b := newPair()
	for range 3000 {
		pass(t, a, b)
	}
	if a.Epoch() != 0 || b.Epoch() != 0 {
		t.Fatal("an epoch without an answer")
	}
	for range 60 {
		pass(t, b, a)
		pass(t, a, b)
	}
	if a.Epoch() == 0 || b.Epoch() == 0 {
		t.Fatal("no epoch after 60 answers")
	}
}

// TestLossAndReordering: six of ten messages lost, and the rest in any order: every
// message that comes has its key, and epochs complete.
func TestLossAndReordering(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 2))
		a, b := newPair()
		var toA, toB []packet
		for range 900 {
			if p := send(t, a); r.IntN(10) >= 6 {
				toB = append(toB, p)
			}
			if p := send(t, b); r.IntN(10) >= 6 {
				toA = append(toA, p)
			}
			toB = deliver(t, r, b, toB)
			toA = deliver(t, r, a, toA)
		}
		if a.Epoch() < 4 || b.Epoch() < 4 {
			t.Errorf("seed %d: epochs %d and %d after 1,800 messages, 60 %% of them lost", seed, a.Epoch(), b.Epoch())
		}
	}
}

// deliver takes some of the packets waiting, late and out of order, and some of
// them a second time, which must fail.
func deliver(t *testing.T, r *rand.Rand, to *State, waiting []packet) []packet {
	for len(waiting) > 6 {
		i := r.IntN(len(waiting))
		accept(t, to, waiting[i])
		if r.IntN(8) == 0 {
			refuse(t, to, waiting[i].msg[:], "repeated")
		}
		waiting = append(waiting[:i], waiting[i+1:]...)
	}
	return waiting
}

// TestVeryLate: a message that is stored away for a dozen epochs still opens.
func TestVeryLate(t *testing.T) {
	a, b := newPair()
	var late []packet
	for i := range 600 {
		if p := send(t, a); i%50 == 7 {
			late = append(late, p)
		} else {
			accept(t, b, p)
		}
		pass(t, b, a)
	}
	if b.Epoch() < 10 {
		t.Fatalf("epoch %d", b.Epoch())
	}
	for i := len(late) - 1; i >= 0; i-- {
		accept(t, b, late[i])
		b = reload(t, b)
	}
}

func TestRefusals(t *testing.T) {
	a, b := newPair()
	for range 100 {
		pass(t, a, b)
		pass(t, b, a)
	}
	p := send(t, a)
	edit := func(change func(m []byte)) []byte {
		m := bytes.Clone(p.msg[:])
		change(m)
		return m
	}
	epoch := binary.BigEndian.Uint32(p.msg[offEpoch:])
	for name, msg := range map[string][]byte{
		"nothing":            nil,
		"one byte short":     p.msg[:MessageSize-1],
		"one byte long":      append(bytes.Clone(p.msg[:]), 0),
		"unknown type":       edit(func(m []byte) { m[offType] = 7 }),
		"Ct1Ack, never sent": edit(func(m []byte) { clear(m[offIndex:]); m[offType] = byte(braid.Ct1Ack) }),
		"None with a chunk":  edit(func(m []byte) { m[offType], m[offChunk] = 0, 1 }),
		"None with an index": edit(func(m []byte) { clear(m[offIndex:]); m[offType], m[offIndex] = 0, 1 }),
		"epoch 0":            edit(func(m []byte) { binary.BigEndian.PutUint32(m[offEpoch:], 0) }),
		"epoch to come":      edit(func(m []byte) { binary.BigEndian.PutUint32(m[offEpoch:], epoch+2) }),
		"epoch 2³²-1":        edit(func(m []byte) { binary.BigEndian.PutUint32(m[offEpoch:], 1<<32-1) }),
		"epoch gone by":      edit(func(m []byte) { binary.BigEndian.PutUint32(m[offEpoch:], 1) }),
		"number 0":           edit(func(m []byte) { binary.BigEndian.PutUint32(m[offNumber:], 0) }),
		"number far ahead":   edit(func(m []byte) { m[offNumber+1] = 1 }),
		"number 2³²-1":       edit(func(m []byte) { binary.BigEndian.PutUint32(m[offNumber:], 1<<32-1) }),
		"previous 2³²-1":     edit(func(m []byte) { binary.BigEndian.PutUint32(m[offPrevious:], 1<<32-1) }),
	} {
		refuse(t, b, msg, name)
	}
	accept(t, b, p)
	refuse(t, b, p.msg[:], "repeated")
	refuse(t, reload(t, b), p.msg[:], "repeated after a restart")

	a, b = newPair()
	p = send(t, a)
	p.msg[offPrevious+3] = 1
	refuse(t, b, p.msg[:], "a chain before the first")
}

// TestStatePartsMatch: the parts of a stored state have to belong together.
func TestStatePartsMatch(t *testing.T) {
	a, b := newPair()
	early := a.Clone()
	for a.Epoch() < 2 {
		pass(t, a, b)
		pass(t, b, a)
	}
	for name, s := range map[string]*State{
		"agreement ahead of the chains": {role: Initiator, chain: early.chain, braid: a.braid},
		"chains ahead of the agreement": {role: Initiator, chain: a.chain, braid: early.braid},
		"the other role":                {role: Responder, chain: a.chain, braid: a.braid},
	} {
		if _, err := Unmarshal(stored(t, s)); err != ErrState {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReflection: a message turned back on its sender: the numbers may fit, the key
// does not.
func TestReflection(t *testing.T) {
	a, b := newPair()
	p := send(t, a)
	if key, err := a.Clone().Receive(p.msg[:]); err == nil && key == p.key {
		t.Fatal("the sender's own key comes back")
	}
	accept(t, b, p)
}

// TestRollback: a message that turns out to be forged is undone by dropping the
// clone, and the true one is then received.
func TestRollback(t *testing.T) {
	a, b := newPair()
	for range 3 {
		pass(t, a, b)
		pass(t, b, a)
	}
	for range 300 {
		p := send(t, a)
		forged := p.msg
		forged[MessageSize-1] ^= 1
		before := stored(t, b)
		c := b.Clone()
		c.Receive(forged[:])
		binary.BigEndian.PutUint32(forged[offNumber:], binary.BigEndian.Uint32(forged[offNumber:])+9)
		c.Receive(forged[:])
		if !bytes.Equal(before, stored(t, b)) {
			t.Fatal("the original changed with the clone")
		}
		accept(t, b, p)
		pass(t, b, a)
	}
	if b.Epoch() < 3 {
		t.Fatal("no epochs")
	}
}

// TestCorruptChunk: a corrupt chunk ends in a refused message and an unchanged
// state.
func TestCorruptChunk(t *testing.T) {
	a, b := newPair()
	for range 2 {
		pass(t, a, b)
	}
	p := send(t, a) // the third chunk of the header: its MAC
	bad := p.msg
	bad[offChunk] ^= 1
	refuse(t, b, bad[:], "wrong MAC")
	accept(t, b, p)
}

// TestHealing: a thief of both ends' states at some moment reads on until both have put
// in fresh randomness, that is for at most two epochs, and no longer.
func TestHealing(t *testing.T) {
	followed := 0
	for phase := range 12 {
		a, b := newPair()
		for range 80 + 4*phase {
			pass(t, a, b)
			pass(t, b, a)
		}
		leakA, leakB := a.Clone(), b.Clone()
		start := a.Epoch()
		reads := func(p packet, from, to *State) bool {
			got, err := to.Receive(p.msg[:])
			mine, _ := from.chainKey()
			return err == nil && got == p.key || mine == p.key
		}
		read, lost := 0, 0
		for range 200 {
			p := send(t, a)
			accept(t, b, p)
			q := send(t, b)
			accept(t, a, q)
			for _, known := range []bool{reads(p, leakA, leakB), reads(q, leakB, leakA)} {
				switch {
				case !known:
					lost++
				case min(a.Epoch(), b.Epoch()) > start+2:
					t.Fatalf("phase %d: eve still reads in epoch %d, copied in %d", phase, a.Epoch(), start)
				default:
					read++
				}
			}
		}
		if read < 2 {
			t.Errorf("phase %d: eve read %d messages: she did not have what she should have", phase, read)
		}
		if lost < 100 {
			t.Errorf("phase %d: eve lost %d messages only", phase, lost)
		}
		if leakA.Epoch() > start || leakB.Epoch() > start+1 {
			followed++
		}
	}
	if followed == 0 {
		t.Error("eve never got an epoch key from what she copied: the test proves little")
	}
}

// chainKey is the key that s would use for its next message, were it to send
// one on the chain it sent on last.
func (s *State) chainKey() (key [KeySize]byte, err error) {
	_, _, key, err = s.chain.Send(s.braid.Epoch() - 1)
	return key, err
}

// TestLabels: no two derivations share a label, and none is a prefix of another.
func TestLabels(t *testing.T) {
	labels := []string{starling.Chain.Start, starling.Chain.AddEpoch, starling.Chain.Next}
	for _, l := range []string{":Authenticator Update", ":SCKA Key", ":ekheader", ":ciphertext"} {
		labels = append(labels, starling.Braid.Info+l)
	}
	for i, l := range labels {
		for j, m := range labels {
			if i != j && strings.HasPrefix(l, m) {
				t.Errorf("%q begins with %q", l, m)
			}
		}
	}
}

// FuzzMessage: the encoding has a place for every message, and one encoding for
// each.
func FuzzMessage(f *testing.F) {
	a, b := newPair()
	for range 50 {
		p, q := send(f, a), send(f, b)
		f.Add(p.msg[:])
		f.Add(q.msg[:])
		accept(f, b, p)
		accept(f, a, q)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, ok := decode(data)
		if !ok {
			return
		}
		if b := m.encode(); !bytes.Equal(b[:], data) {
			t.Fatal("two encodings of one message")
		}
		New(Responder, testSecret).Receive(data)
	})
}

func FuzzUnmarshal(f *testing.F) {
	a, b := newPair()
	for i := range 90 {
		if i%7 == 0 {
			send(f, a)
		}
		pass(f, a, b)
		pass(f, b, a)
		f.Add(stored(f, a), []byte{})
		f.Add(stored(f, b), []byte{})
	}
	f.Fuzz(func(t *testing.T, data, msg []byte) {
		cryptotest.SetGlobalRandom(t, 1)
		s, err := Unmarshal(data)
		if err != nil {
			return
		}
		if !bytes.Equal(stored(t, s), data) {
			t.Fatal("two encodings of one state")
		}
		s.Receive(msg)
		s.Send()
		reload(t, s)
	})
}

// TestStateDamage: every truncation and every changed byte of a stored state is
// refused or means another state; nothing panics.
func TestStateDamage(t *testing.T) {
	a, b := newPair()
	for range 30 {
		pass(t, a, b)
		send(t, b)
		pass(t, b, a)
	}
	data := stored(t, a)
	for i := range data {
		if _, err := Unmarshal(data[:i]); err != ErrState {
			t.Fatalf("%d of %d bytes: %v", i, len(data), err)
		}
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			if s, err := Unmarshal(bad); err == nil && !bytes.Equal(stored(t, s), bad) {
				t.Fatalf("bit %d of byte %d is ignored", bit, i)
			}
		}
	}
	if _, err := Unmarshal(append(data, 0)); err != ErrState {
		t.Fatal("trailing bytes are ignored")
	}
	if len(stored(t, a)) > 16<<10 {
		t.Fatal("a steady state takes more than 16 KiB")
	}
}

func TestSizes(t *testing.T) {
	if MessageSize != 47 || erasure.ChunkSize != 32 || KeySize != 32 || chain.MaxSkip != 1000 {
		t.Fatal("a size changed: docs/PROTOCOL.md has to follow")
	}
}

// TestMessageBounds: a message is read exactly when it can have been written.
func TestMessageBounds(t *testing.T) {
	good := Message{Message: braid.Message{Epoch: 2}, Number: 1}
	for name, c := range map[string]struct {
		edit func(m *Message)
		want bool
	}{
		"nothing special":   {func(m *Message) {}, true},
		"epoch 0":           {func(m *Message) { m.Epoch = 0 }, false},
		"the last epoch":    {func(m *Message) { m.Epoch = braid.MaxEpoch }, true},
		"one epoch more":    {func(m *Message) { m.Epoch = braid.MaxEpoch + 1 }, false},
		"number 0":          {func(m *Message) { m.Number = 0 }, false},
		"the last number":   {func(m *Message) { m.Number = chain.MaxNumber }, true},
		"one number more":   {func(m *Message) { m.Number = chain.MaxNumber + 1 }, false},
		"the longest chain": {func(m *Message) { m.Previous = chain.MaxNumber }, true},
		"a longer one":      {func(m *Message) { m.Previous = chain.MaxNumber + 1 }, false},
		"first of all":      {func(m *Message) { m.Epoch = 1 }, true},
		"before the first":  {func(m *Message) { m.Epoch, m.Previous = 1, 1 }, false},
	} {
		m := good
		c.edit(&m)
		b := m.encode()
		if got, ok := decode(b[:]); ok != c.want || ok && got != m {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

// usedUp sets the sending chain of a state at epoch 0 to its last number.
func usedUp(t *testing.T, s *State) *State {
	t.Helper()
	b := stored(t, s)
	for _, at := range []int{2 + 32 + 8, 2 + 32 + 16} { // the number sent, and that of the chain
		binary.BigEndian.PutUint32(b[at:], chain.MaxNumber)
	}
	s, err := Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestNoKeyAfterTheLast: when the numbers are used up there is no message and no key,
// not even when an epoch would begin with it, and nothing changes.
func TestNoKeyAfterTheLast(t *testing.T) {
	a, b := newPair()
	for range 3 {
		pass(t, a, b) // the header is there: b would encapsulate now
	}
	for _, s := range []*State{usedUp(t, a), usedUp(t, b)} {
		before := stored(t, s)
		msg, key, err := s.Send()
		if err != ErrExhausted || msg != [MessageSize]byte{} || key != [KeySize]byte{} {
			t.Errorf("sent: %v", err)
		}
		if !bytes.Equal(before, stored(t, s)) {
			t.Error("the state changed")
		}
	}
}

// TestRoleIsOneOfTwo: a stored state is of one end or the other.
func TestRoleIsOneOfTwo(t *testing.T) {
	a, b := newPair()
	for _, s := range []*State{a, b} {
		data := stored(t, s)
		for role := 2; role < 256; role++ {
			data[1] = byte(role)
			if _, err := Unmarshal(data); err != ErrState {
				t.Fatalf("role %d: %v", role, err)
			}
		}
	}
}

// TestUnsealed: under a suite with messages that do not say how long the chain before
// was, that number means nothing.
func TestUnsealed(t *testing.T) {
	suite := starling
	suite.Unsealed = true
	a, b := NewSuite(&suite, Initiator, testSecret), NewSuite(&suite, Responder, testSecret)
	carry := func(from, to *State) {
		t.Helper()
		m, key, err := from.SendMessage()
		if err != nil {
			t.Fatal(err)
		}
		m.Previous = 0
		if got, err := to.ReceiveMessage(&m); err != nil || got != key {
			t.Fatalf("epoch %d: %v", m.Epoch, err)
		}
	}
	for range 120 {
		carry(a, b)
		carry(b, a)
	}
	if a.Epoch() < 2 {
		t.Errorf("epoch %d", a.Epoch())
	}
}
