package chain

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"
)

var labels = Labels{Start: "test start", AddEpoch: "test epoch", Next: "test next"}

func newPair() (a, b State) {
	secret := [KeySize]byte{1, 2, 3}
	return New(&labels, true, secret), New(&labels, false, secret)
}

// epochKey is the key an agreement might give.
func epochKey(number uint64) *[KeySize]byte {
	k := sha256.Sum256(fmt.Appendf(nil, "key %d", number))
	return &k
}

// addEpoch opens an epoch in each state. In every epoch both parties have sent
// something on the chain before: no agreement can do without.
func addEpoch(t testing.TB, number uint64, states ...*State) {
	t.Helper()
	for _, s := range states {
		if s.sending+1 < number {
			send(t, s, number-1, 1)
		}
		if err := s.AddEpoch(number, epochKey(number)); err != nil {
			t.Fatal(err)
		}
	}
}

type sent struct {
	epoch       uint64
	n, previous uint32
	key         Key
}

func send(t testing.TB, s *State, number uint64, count int) (msgs []sent) {
	t.Helper()
	for range count {
		n, previous, key, err := s.Send(number)
		if err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, sent{number, n, previous, key})
	}
	return msgs
}

// stored is the state as bytes, and proof that they can be read again.
func stored(t testing.TB, s *State) []byte {
	t.Helper()
	b, err := s.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	again, rest, err := Unmarshal(s.labels, s.initiator, b)
	if err != nil || len(rest) != 0 {
		t.Fatalf("cannot read a stored state: %v, %d bytes left", err, len(rest))
	}
	if b2, _ := again.AppendBinary(nil); !bytes.Equal(b, b2) {
		t.Fatal("a state read back is stored differently")
	}
	return b
}

func accept(t testing.TB, s *State, m sent) {
	t.Helper()
	key, err := s.Receive(m.epoch, m.n, m.previous)
	if err != nil {
		t.Fatalf("epoch %d message %d: %v", m.epoch, m.n, err)
	}
	if key != m.key {
		t.Fatalf("epoch %d message %d: wrong key", m.epoch, m.n)
	}
	stored(t, s)
}

func refuse(t testing.TB, s *State, m sent, why string) {
	t.Helper()
	before := stored(t, s)
	if _, err := s.Receive(m.epoch, m.n, m.previous); err == nil {
		t.Fatalf("%s: accepted", why)
	}
	if !bytes.Equal(before, stored(t, s)) {
		t.Fatalf("%s: the state changed", why)
	}
}

// TestDerivations: the derivations against HKDF spelled out, so that a change of
// label, order or counter shows.
func TestDerivations(t *testing.T) {
	mac := func(key []byte, parts ...[]byte) []byte {
		h := hmac.New(sha256.New, key)
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	hkdf := func(salt, ikm []byte, info string, blocks int) (out []byte) {
		prk := mac(salt, ikm)
		var last []byte
		for i := range blocks {
			last = mac(prk, last, []byte(info), []byte{byte(i + 1)})
			out = append(out, last...)
		}
		return out
	}
	zero := make([]byte, 32)
	a, b := newPair()
	secret := [KeySize]byte{1, 2, 3}
	start := hkdf(zero, secret[:], "test start", 3)
	step := func(ck []byte, n uint32) (next, mk []byte) {
		out := hkdf(zero, ck, string(binary.BigEndian.AppendUint32(nil, n))+"test next", 2)
		return out[:32], out[32:]
	}
	check := func(name string, s *State, epoch uint64, n uint32, want []byte) {
		t.Helper()
		gotN, _, key, err := s.Send(epoch)
		if err != nil || gotN != n || !bytes.Equal(key[:], want) {
			t.Errorf("%s: number %d (%v), key %s, want %d and %s", name, gotN, err, hex.EncodeToString(key[:]), n, hex.EncodeToString(want))
		}
	}
	ck, mk := step(start[32:64], 1)
	check("initiator 1", &a, 0, 1, mk)
	_, mk = step(ck, 2)
	check("initiator 2", &a, 0, 2, mk)
	_, mk = step(start[64:], 1)
	check("responder 1", &b, 0, 1, mk)

	addEpoch(t, 1, &a, &b)
	next := hkdf(start[:32], epochKey(1)[:], "test epoch", 3)
	_, mk = step(next[32:64], 1)
	check("initiator, epoch 1", &a, 1, 1, mk)
	_, mk = step(next[64:], 1)
	check("responder, epoch 1", &b, 1, 1, mk)
}

func TestOrder(t *testing.T) {
	a, b := newPair()
	m := send(t, &a, 0, 6)
	for _, i := range []int{3, 0, 5, 1, 4, 2} {
		accept(t, &b, m[i])
		refuse(t, &b, m[i], "repeated")
	}
	if len(b.aside) != 0 {
		t.Errorf("%d keys left aside", len(b.aside))
	}
}

func TestEpochs(t *testing.T) {
	a, b := newPair()
	m0 := send(t, &a, 0, 5)
	accept(t, &b, m0[1])
	if err := a.AddEpoch(2, epochKey(2)); err != ErrEpoch {
		t.Errorf("an epoch skipped: %v", err)
	}
	if err := a.AddEpoch(0, epochKey(0)); err != ErrEpoch {
		t.Errorf("an epoch again: %v", err)
	}
	addEpoch(t, 1, &a, &b)
	m0 = append(m0, send(t, &a, 0, 2)...) // still on the old chain: 7 in all
	accept(t, &b, m0[5])
	m1 := send(t, &a, 1, 2)
	if m1[0].previous != 7 || m1[0].n != 1 {
		t.Fatalf("first message of epoch 1: %+v", m1[0])
	}
	if _, _, _, err := a.Send(0); err != ErrEpoch {
		t.Errorf("sent on a chain that was left: %v", err)
	}
	if a.chains[0].send != (link{}) {
		t.Error("the key of a chain that was left is still there")
	}
	short := m1[0]
	short.previous = 5
	refuse(t, &b, short, "chain shorter than what came")
	accept(t, &b, m1[1])
	if b.at(0).receive.live {
		t.Error("the old receiving chain is still there")
	}
	beyond := m0[6]
	beyond.n = 8
	refuse(t, &b, beyond, "past the end of a closed chain")
	refuse(t, &b, sent{epoch: 2, n: 1}, "an epoch to come")
	for _, i := range []int{6, 0, 2} {
		accept(t, &b, m0[i])
	}

	// Two epochs on, the keys put aside are still there and chains are not.
	addEpoch(t, 2, &a, &b)
	m2 := send(t, &a, 2, 1)
	accept(t, &b, m2[0])
	addEpoch(t, 3, &a, &b)
	accept(t, &b, m0[3])
	accept(t, &b, m1[0])
	if len(b.aside) != 1 {
		t.Errorf("%d keys aside, want the one of message 5", len(b.aside))
	}
	// And MaxAge epochs on, it is gone.
	for e := uint64(4); e < MaxAge; e++ {
		addEpoch(t, e, &b)
	}
	c := b
	accept(t, &c, m0[4])
	addEpoch(t, MaxAge, &b)
	refuse(t, &b, m0[4], "key too old")
}

func TestSkipLimits(t *testing.T) {
	a, b := newPair()
	m := send(t, &a, 0, MaxSkip+2)
	refuse(t, &b, m[MaxSkip+1], "one too many skipped")
	accept(t, &b, m[MaxSkip])
	accept(t, &b, m[MaxSkip+1])
	for n, why := range map[uint32]string{0: "number 0", MaxNumber: "far ahead", MaxNumber + 1: "2³²-1", MaxSkip + 4 + MaxSkip: "too far ahead"} {
		refuse(t, &b, sent{n: n}, why)
	}

	// In all: the oldest goes first.
	addEpoch(t, 1, &a, &b)
	m1 := send(t, &a, 1, MaxSkip+1)
	accept(t, &b, m1[MaxSkip])
	if len(b.aside) != MaxSkipped {
		t.Fatalf("%d keys aside", len(b.aside))
	}
	m1 = append(m1, send(t, &a, 1, 3)...)
	accept(t, &b, m1[MaxSkip+3])
	if len(b.aside) != MaxSkipped {
		t.Fatalf("%d keys aside", len(b.aside))
	}
	refuse(t, &b, m[0], "evicted")
	refuse(t, &b, m[1], "evicted")
	accept(t, &b, m[2])
}

// TestCloseLimits: the chain before may lack MaxSkip messages, and the new one as
// many again.
func TestCloseLimits(t *testing.T) {
	a, b := newPair()
	send(t, &a, 0, MaxSkip+1)
	addEpoch(t, 1, &a, &b)
	m1 := send(t, &a, 1, MaxSkip+1)
	refuse(t, &b, m1[0], "too many missing on the chain before")
	accept(t, &b, sent{0, 1, 0, first(t)})
	accept(t, &b, m1[MaxSkip])
	if len(b.aside) != MaxSkipped {
		t.Errorf("%d keys aside", len(b.aside))
	}
}

func first(t *testing.T) Key {
	a, _ := newPair()
	return send(t, &a, 0, 1)[0].key
}

func TestNumbersEnd(t *testing.T) {
	a, b := newPair()
	a.chains[0].send.n, a.sent = MaxNumber-1, MaxNumber-1
	b.chains[0].receive.n = MaxNumber - 1
	m := send(t, &a, 0, 1)
	accept(t, &b, m[0])
	if _, _, _, err := a.Send(0); err != ErrExhausted {
		t.Errorf("sent number 2³²-1: %v", err)
	}
	refuse(t, &b, sent{n: MaxNumber + 1}, "2³²-1")
}

func TestUnsealed(t *testing.T) {
	a, b := newPair()
	m0 := send(t, &a, 0, 4)
	addEpoch(t, 1, &a, &b)
	m1 := send(t, &a, 1, 2)
	receive := func(m sent) {
		t.Helper()
		key, err := b.ReceiveUnsealed(m.epoch, m.n)
		if err != nil || key != m.key {
			t.Fatalf("epoch %d message %d: %v", m.epoch, m.n, err)
		}
		if _, err := b.ReceiveUnsealed(m.epoch, m.n); err == nil {
			t.Fatalf("epoch %d message %d opens twice", m.epoch, m.n)
		}
	}
	for _, m := range []sent{m0[0], m1[1], m0[2], m0[1], m1[0]} {
		receive(m)
	}
	// The chain of epoch 0 is kept until b sends in epoch 2.
	addEpoch(t, 2, &b)
	receive(m0[3])
	send(t, &b, 2, 1)
	if _, err := b.ReceiveUnsealed(0, 5); err == nil {
		t.Error("a chain is kept for three epochs")
	}
}

// TestCopies: copies of a state are independent.
func TestCopies(t *testing.T) {
	a, b := newPair()
	m := send(t, &a, 0, 10)
	accept(t, &b, m[5])
	c, d := b, b
	accept(t, &c, m[7]) // puts message 7 aside
	accept(t, &d, m[6])
	accept(t, &d, m[8]) // puts message 8 aside
	accept(t, &c, m[6])
	accept(t, &d, m[7])
	c = b
	before := stored(t, &c)
	for _, i := range []int{0, 2, 9, 1, 8} {
		accept(t, &b, m[i])
	}
	if !bytes.Equal(before, stored(t, &c)) {
		t.Fatal("a copy changed with the original")
	}
	for _, i := range []int{9, 0, 1, 2} {
		accept(t, &c, m[i])
	}
	accept(t, &b, m[7])
}

// TestAsideOrder: keys put aside are stored in one order, each once, none too old
// or to come.
func TestAsideOrder(t *testing.T) {
	a, b := newPair()
	m := send(t, &a, 0, 3)
	accept(t, &b, m[2])
	good := stored(t, &b)
	x, y := good[len(good)-2*asideSize:len(good)-asideSize], good[len(good)-asideSize:]
	head := good[:len(good)-2*asideSize]
	number := func(k []byte, epoch, n uint32) []byte {
		k = bytes.Clone(k)
		binary.BigEndian.PutUint32(k, epoch)
		binary.BigEndian.PutUint32(k[4:], n)
		return k
	}
	for name, list := range map[string][2][]byte{
		"swapped":        {y, x},
		"repeated":       {x, x},
		"number 0":       {number(x, 0, 0), y},
		"not passed yet": {x, number(y, 0, 3)},
		"epoch to come":  {x, number(y, 1, 1)},
	} {
		data := append(append(bytes.Clone(head), list[0]...), list[1]...)
		if _, _, err := Unmarshal(&labels, false, data); err != ErrState {
			t.Errorf("%s: %v", name, err)
		}
	}
	data := stored(t, &a)
	data[KeySize+4+4+3]++ // the number of the last message, which the chain repeats
	if _, _, err := Unmarshal(&labels, true, data); err != ErrState {
		t.Errorf("two numbers of the last message: %v", err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	a, b := newPair()
	f.Add(stored(f, &b))
	m := send(f, &a, 0, 4)
	accept(f, &b, m[3])
	addEpoch(f, 1, &a, &b)
	f.Add(stored(f, &a))
	f.Add(stored(f, &b))
	m = send(f, &a, 1, 2)
	accept(f, &b, m[1])
	f.Add(stored(f, &a))
	f.Add(stored(f, &b))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, rest, err := Unmarshal(&labels, true, data)
		if err != nil {
			return
		}
		again, _ := s.AppendBinary(nil)
		if !bytes.Equal(again, data[:len(data)-len(rest)]) {
			t.Fatal("two encodings of one state")
		}
		// With any content, using it does not panic and leaves it storable.
		s.Receive(s.epoch, s.at(s.epoch).receive.n+2, s.sent)
		s.Send(s.epoch)
		if s.epoch < 1<<32-2 {
			s.AddEpoch(s.epoch+1, epochKey(1))
		}
		b, _ := s.AppendBinary(nil)
		if s.sending+1 < s.epoch {
			return // two epochs without sending: an agreement does not do that
		}
		if _, _, err := Unmarshal(&labels, true, b); err != nil {
			t.Fatal("a used state cannot be read again")
		}
	})
}
