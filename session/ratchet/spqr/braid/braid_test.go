package braid

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/cryptotest"

	"starling/session/ratchet/spqr/erasure"
	"starling/session/ratchet/spqr/incremental"
)

var suite = Suite{Info: "Test_MLKEM768_HMAC-SHA256"}

func newPair() (a, b *State) {
	secret := [keySize]byte{9}
	x, y := NewInitiator(&suite, secret), NewResponder(&suite, secret)
	return &x, &y
}

// stored is the state as bytes, and proof that they can be read again.
func stored(t testing.TB, s *State) []byte {
	t.Helper()
	b, err := s.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Unmarshal(s.suite, b)
	if err != nil {
		t.Fatalf("state %d: %v", s.kind, err)
	}
	if b2, _ := again.AppendBinary(nil); !bytes.Equal(b, b2) {
		t.Fatalf("state %d read back is stored differently", s.kind)
	}
	if len(b) > MaxSize {
		t.Fatalf("state %d takes %d bytes", s.kind, len(b))
	}
	return b
}

func send(t testing.TB, s *State) (Message, *Key) {
	t.Helper()
	m, key, err := s.Send()
	if err != nil {
		t.Fatal(err)
	}
	stored(t, s)
	return m, key
}

func accept(t testing.TB, s *State, m Message) *Key {
	t.Helper()
	key, err := s.Receive(m)
	if err != nil {
		t.Fatalf("state %d, message of type %d, epoch %d: %v", s.kind, m.Type, m.Epoch, err)
	}
	stored(t, s)
	return key
}

func refuse(t testing.TB, s *State, m Message, want error) {
	t.Helper()
	before := stored(t, s)
	if _, err := s.Receive(m); !errors.Is(err, want) {
		t.Fatalf("state %d, message of type %d, epoch %d: %v, want %v", s.kind, m.Type, m.Epoch, err, want)
	}
	if !bytes.Equal(before, stored(t, s)) {
		t.Fatalf("state %d changed on %v", s.kind, want)
	}
}

// run passes messages both ways until one party is in the wanted state.
func run(t testing.TB, a, b *State, who *State, want kind) {
	t.Helper()
	for range 1000 {
		if who.kind == want {
			return
		}
		m, _ := send(t, a)
		accept(t, b, m)
		if who.kind == want {
			return
		}
		m, _ = send(t, b)
		accept(t, a, m)
	}
	t.Fatalf("state %d is never reached", want)
}

// TestEpochs: every epoch gives both parties one key, the same; nobody skips or
// repeats an epoch; the roles change with each.
func TestEpochs(t *testing.T) {
	a, b := newPair()
	var ka, kb []Key
	for len(ka) < 5 || len(kb) < 5 {
		if a.Agreed() != uint64(len(ka)) || b.Agreed() != uint64(len(kb)) {
			t.Fatalf("agreed on %d and %d after %d and %d keys", a.Agreed(), b.Agreed(), len(ka), len(kb))
		}
		if a.KeySide() != (a.epoch%2 == 1) || b.KeySide() != (b.epoch%2 == 0) {
			t.Fatal("the roles are wrong")
		}
		m, key := send(t, a)
		ka = appendKey(ka, key)
		kb = appendKey(kb, accept(t, b, m))
		if a.Agreed() != uint64(len(ka)) || b.Agreed() != uint64(len(kb)) {
			t.Fatalf("agreed on %d and %d after %d and %d keys", a.Agreed(), b.Agreed(), len(ka), len(kb))
		}
		m, key = send(t, b)
		kb = appendKey(kb, key)
		ka = appendKey(ka, accept(t, a, m))
	}
	for i := range 5 {
		if ka[i] != kb[i] || ka[i].Epoch != uint64(i+1) {
			t.Fatalf("key %d: epochs %d and %d, equal: %v", i, ka[i].Epoch, kb[i].Epoch, ka[i] == kb[i])
		}
		if i > 0 && ka[i].Bytes == ka[i-1].Bytes {
			t.Fatal("two epochs have one key")
		}
	}
}

func appendKey(keys []Key, k *Key) []Key {
	if k != nil {
		keys = append(keys, *k)
	}
	return keys
}

// TestAllStates: all eleven states under loss, delay, duplication and restarts.
func TestAllStates(t *testing.T) {
	seen := map[kind]bool{}
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 1))
		a, b := newPair()
		keys := map[uint64][2]*Key{}
		var toA, toB []Message
		for range 1500 {
			for i, s := range []*State{a, b} {
				seen[s.kind] = true
				if r.IntN(4) == 0 {
					again, err := Unmarshal(&suite, stored(t, s))
					if err != nil {
						t.Fatal(err)
					}
					*s = again
				}
				box, other := &toB, &toA
				if i == 1 {
					box, other = &toA, &toB
				}
				m, key := send(t, s)
				note(keys, i, key)
				if r.IntN(10) >= 3 {
					*box = append(*box, m)
				}
				for len(*other) > 0 && r.IntN(3) > 0 {
					j := r.IntN(len(*other))
					note(keys, i, accept(t, s, (*other)[j]))
					if r.IntN(8) > 0 {
						*other = append((*other)[:j], (*other)[j+1:]...)
					}
				}
			}
		}
		both := 0
		for e, k := range keys {
			if k[0] != nil && k[1] != nil {
				both++
				if *k[0] != *k[1] {
					t.Fatalf("epoch %d: the keys differ", e)
				}
			}
		}
		if both < 4 {
			t.Errorf("seed %d: %d epochs in 3,000 messages", seed, both)
		}
	}
	for k := range kinds {
		if !seen[k] {
			t.Errorf("state %d was never reached", k)
		}
	}
}

func note(keys map[uint64][2]*Key, who int, k *Key) {
	if k != nil {
		pair := keys[k.Epoch]
		pair[who] = k
		keys[k.Epoch] = pair
	}
}

func TestEpochBounds(t *testing.T) {
	a, b := newPair()
	for k := range kinds {
		who := a
		if k >= noHeaderReceived {
			who = b
		}
		if k == ct1Acknowledged || k == ekReceivedCt1Sampled {
			continue // not in lockstep
		}
		run(t, a, b, who, k)
		refuse(t, who, Message{Epoch: who.epoch + 2}, ErrEpoch)
		refuse(t, who, Message{Epoch: 0}, ErrEpoch)
		refuse(t, who, Message{Epoch: MaxEpoch + 1}, ErrEpoch)
		if k != ct2Sampled {
			refuse(t, who, Message{Epoch: who.epoch + 1}, ErrEpoch)
		}
		before := stored(t, who)
		for typ := None; typ <= Ct2; typ++ {
			if who.epoch > 1 {
				accept(t, who, Message{Epoch: who.epoch - 1, Type: typ})
			}
		}
		if !bytes.Equal(before, stored(t, who)) {
			t.Errorf("state %d changed on a late message", k)
		}
	}
}

// TestCorruption: a header, key vector or ciphertext altered in transit is found
// out, and nothing is lost by it: with the true chunk things go on.
func TestCorruption(t *testing.T) {
	a, b := newPair()

	// Header: chunks 0 and 1 are header, 2 is the MAC.
	for bad := range 3 {
		x, y := *a, *b
		for i := range 3 {
			m, _ := send(t, &x)
			if i == bad {
				m.Chunk.Data[i] ^= 1
			}
			if i < 2 {
				accept(t, &y, m)
			} else {
				refuse(t, &y, m, ErrMAC)
			}
		}
	}
	run(t, a, b, b, headerReceived)

	// ct1 and ct2 fail when ct2 is complete.
	for bad := range 2 {
		x, y := *a, *b
		for y.kind != ct2Sampled {
			m, _ := send(t, &y)
			if m.Type == Ct1 && bad == 0 && m.Chunk.Index == 11 {
				m.Chunk.Data[20] ^= 4
			}
			accept(t, &x, m)
			m, _ = send(t, &x)
			accept(t, &y, m)
		}
		for i := range 5 {
			m, _ := send(t, &y)
			if bad == 1 && i == 4 {
				m.Chunk.Data[0] ^= 0x80
			}
			if i < 4 {
				accept(t, &x, m)
			} else {
				refuse(t, &x, m, ErrMAC)
				if bad == 1 {
					m.Chunk.Data[0] ^= 0x80
					if accept(t, &x, m) == nil {
						t.Error("the true chunk after the false one gives no key")
					}
				}
			}
		}
	}

	// The key vector.
	x, y := *a, *b
	for n := 0; n < 36; {
		m, _ := send(t, &y)
		accept(t, &x, m)
		m, _ = send(t, &x)
		if !m.Type.HasChunk() || m.Type == Hdr {
			continue
		}
		if n++; n == 5 {
			m.Chunk.Data[31] ^= 1
		}
		if n < 36 {
			accept(t, &y, m)
		} else {
			refuse(t, &y, m, incremental.ErrKey)
		}
	}

	// Two chunks of one index.
	m, _ := send(t, b)
	accept(t, a, m)
	m, _ = send(t, b)
	accept(t, a, m)
	m.Chunk.Data[3] ^= 1
	refuse(t, a, m, erasure.ErrConflict)
}

// TestRandom: keys and encapsulations are drawn anew every time.
func TestRandom(t *testing.T) {
	a, b := newPair()
	x, y := *a, *a
	m1, _ := send(t, &x)
	m2, _ := send(t, &y)
	if m1 == m2 || x.seed == y.seed {
		t.Error("two keys are the same")
	}
	run(t, a, b, b, headerReceived)
	x, y = *b, *b
	m1, k1 := send(t, &x)
	m2, k2 := send(t, &y)
	if m1 == m2 || *k1 == *k2 || x.m == y.m {
		t.Error("two encapsulations are the same")
	}
}

// TestSecretMatters: parties with different secrets never agree: the first header
// fails.
func TestSecretMatters(t *testing.T) {
	a, _ := newPair()
	other := NewResponder(&suite, [keySize]byte{8})
	for i := range 3 {
		m, _ := send(t, a)
		if i < 2 {
			accept(t, &other, m)
		} else {
			refuse(t, &other, m, ErrMAC)
		}
	}
}

// TestBothOrders: the two ways to ct2: the acknowledgement first or the vector
// first, with an unmarked chunk arriving late, and an acknowledgement without a
// chunk.
func TestBothOrders(t *testing.T) {
	prepare := func() (a, b *State) {
		a, b = newPair()
		run(t, a, b, b, headerReceived)
		return a, b
	}
	ct1 := func(a, b *State, n int) {
		for range n {
			m, _ := send(t, b)
			accept(t, a, m)
		}
	}

	a, b := prepare()
	ct1(a, b, 1) // a: headerSent
	unmarked, _ := send(t, a)
	ct1(a, b, 29)
	for i := range 35 {
		m, _ := send(t, a)
		if m.Type != EkCt1Ack {
			t.Fatal("no acknowledgement")
		}
		if accept(t, b, m); b.kind != ct1Acknowledged {
			t.Fatalf("chunk %d: state %d", i, b.kind)
		}
		if m, _ := send(t, b); m.Type != None {
			t.Fatal("ct1 goes on after its acknowledgement")
		}
	}
	if accept(t, b, unmarked); b.kind != ct2Sampled {
		t.Fatalf("(11): state %d", b.kind)
	}

	a, b = prepare()
	ct1(a, b, 1)
	for range 35 {
		m, _ := send(t, a)
		accept(t, b, m)
	}
	m, _ := send(t, a)
	m.Chunk.Data[7] ^= 1
	refuse(t, b, m, incremental.ErrKey)
	m.Chunk.Data[7] ^= 1
	accept(t, b, m)
	if b.kind != ekReceivedCt1Sampled {
		t.Fatalf("(10): state %d", b.kind)
	}
	c := *b
	ct1(a, b, 29)
	m, _ = send(t, a)
	if accept(t, b, m); b.kind != ct2Sampled {
		t.Fatalf("(12): state %d", b.kind)
	}
	if accept(t, &c, Message{Epoch: 1, Type: Ct1Ack}); c.kind != ct2Sampled {
		t.Fatalf("(12) by Ct1Ack: state %d", c.kind)
	}

	a, b = prepare()
	ct1(a, b, 1)
	var late []Message
	for range 35 {
		m, _ := send(t, a)
		late = append(late, m)
	}
	ct1(a, b, 29)
	for _, m := range late {
		accept(t, b, m)
	}
	m, _ = send(t, a)
	if accept(t, b, m); b.kind != ct2Sampled {
		t.Fatalf("(9): state %d", b.kind)
	}
}

// TestIndexGoesRound: a silent peer costs nothing but repetition: indices go round.
func TestIndexGoesRound(t *testing.T) {
	a, b := newPair()
	m, _ := send(t, a)
	a.next = 65535
	accept(t, b, m)
	for range 3 {
		m, _, err := a.Send()
		if err != nil {
			t.Fatal(err)
		}
		accept(t, b, m)
	}
	if b.kind != headerReceived {
		t.Fatalf("state %d", b.kind)
	}
}

// TestLastEpoch: the last epoch ends with an error and not with a repetition.
func TestLastEpoch(t *testing.T) {
	a, b := newPair()
	a.epoch, b.epoch = MaxEpoch, MaxEpoch
	run(t, a, b, b, ct2Sampled)
	for range 4 {
		m, _ := send(t, b)
		accept(t, a, m)
	}
	m, _ := send(t, b)
	refuse(t, a, m, ErrExhausted)
	refuse(t, b, Message{Epoch: MaxEpoch + 1}, ErrEpoch) // which the last would be
}

// each runs a pair to every state, some of them by an acknowledgement without a chunk.
func each(t *testing.T, f func(s *State)) {
	a, b := newPair()
	for k := range kinds {
		who := a
		if k >= noHeaderReceived {
			who = b
		}
		switch k {
		case ct1Acknowledged:
			c := *b // ct1Sampled
			accept(t, &c, Message{Epoch: c.epoch, Type: Ct1Ack})
			who = &c
		case ekReceivedCt1Sampled:
			run(t, a, b, a, headerSent)
			c, d := *a, *b
			for d.kind == ct1Sampled {
				m, _ := send(t, &c)
				accept(t, &d, m)
			}
			who = &d
		default:
			run(t, a, b, who, k)
		}
		if who.kind != k {
			t.Fatalf("state %d instead of %d", who.kind, k)
		}
		c := *who
		f(&c)
	}
}

// TestNotAwaited: a message of a type that a state does not wait for changes nothing.
func TestNotAwaited(t *testing.T) {
	awaits := map[kind][]Type{
		keysSampled: {Ct1}, headerSent: {Ct1}, ct1Received: {Ct2}, ekSentCt1Received: {Ct2},
		noHeaderReceived: {Hdr}, ct1Sampled: {Ek, EkCt1Ack, Ct1Ack}, ct1Acknowledged: {Ek, EkCt1Ack},
		ekReceivedCt1Sampled: {EkCt1Ack, Ct1Ack},
	}
	each(t, func(s *State) {
		for typ := None; typ <= Ct2+1; typ++ {
			c := *s
			before := stored(t, &c)
			m := Message{Epoch: c.epoch, Type: typ}
			if typ.HasChunk() {
				m.Chunk = erasure.Chunk{Index: 77, Data: [erasure.ChunkSize]byte{5}}
			}
			key, err := c.Receive(m)
			changed := !bytes.Equal(before, stored(t, &c))
			if want := slices.Contains(awaits[s.kind], typ); err != nil || key != nil || changed != want {
				t.Errorf("state %d, type %d: changed %v, %v", s.kind, typ, changed, err)
			}
		}
	})
	for typ, want := range map[Type]bool{None: false, Hdr: true, Ek: true, EkCt1Ack: true, Ct1Ack: false, Ct1: true, Ct2: true} {
		if typ.HasChunk() != want {
			t.Errorf("type %d has a chunk: %v", typ, !want)
		}
	}
}

// TestContradiction: in every state, a second chunk of one index is refused.
func TestContradiction(t *testing.T) {
	tried := 0
	each(t, func(s *State) {
		for _, typ := range []Type{Hdr, Ek, EkCt1Ack, Ct1, Ct2} {
			c := *s
			m := Message{Epoch: c.epoch, Type: typ, Chunk: erasure.Chunk{Index: 77}}
			if _, err := c.Receive(m); err != nil || len(c.in.Chunks()) == 0 || c.in.Chunks()[len(c.in.Chunks())-1].Index != 77 {
				continue
			}
			tried++
			m.Chunk.Data[9] = 1
			refuse(t, &c, m, erasure.ErrConflict)
		}
	})
	if tried != 9 { // ct1Sampled and ct1Acknowledged take two types each
		t.Errorf("%d states and types collect chunks", tried)
	}
}

// TestAcknowledgedWithoutChunk: an acknowledgement that carries nothing adds nothing to
// the vector that is arriving.
func TestAcknowledgedWithoutChunk(t *testing.T) {
	a, b := newPair()
	run(t, a, b, b, ct1Sampled)
	accept(t, b, Message{Epoch: b.epoch, Type: Ct1Ack})
	if n := len(b.in.Chunks()); b.kind != ct1Acknowledged || n != 0 {
		t.Fatalf("state %d with %d chunks", b.kind, n)
	}
}

// TestStateDamage: a stored state that is cut short or longer, of no kind or of an epoch
// that cannot be, is not read.
func TestStateDamage(t *testing.T) {
	each(t, func(s *State) {
		good := stored(t, s)
		for n := range good {
			if _, err := Unmarshal(&suite, good[:n]); err != ErrState {
				t.Fatalf("state %d, %d of %d bytes: %v", s.kind, n, len(good), err)
			}
		}
		for name, edit := range map[string]func(b []byte) []byte{
			"a byte more":    func(b []byte) []byte { return append(b, 0) },
			"much more":      func(b []byte) []byte { return append(b, make([]byte, MaxSize)...) },
			"no kind":        func(b []byte) []byte { b[0] = byte(kinds); return b },
			"kind 255":       func(b []byte) []byte { b[0] = 255; return b },
			"epoch 0":        func(b []byte) []byte { clear(b[1:5]); return b },
			"one epoch more": func(b []byte) []byte { binary.BigEndian.PutUint32(b[1:], MaxEpoch+1); return b },
		} {
			if _, err := Unmarshal(&suite, edit(bytes.Clone(good))); err != ErrState {
				t.Errorf("state %d, %s: %v", s.kind, name, err)
			}
		}
		binary.BigEndian.PutUint32(good[1:], MaxEpoch)
		if _, err := Unmarshal(&suite, good); err != nil {
			t.Errorf("state %d, the last epoch: %v", s.kind, err)
		}
	})
}

// TestStoredChunks: a stored state holds no chunk twice, and not so many that it would
// have moved on, and at least one where a chunk moved it there.
func TestStoredChunks(t *testing.T) {
	a, b := newPair()
	run(t, a, b, a, headerSent)
	for a.kind == headerSent && len(a.in.Chunks()) < 29 {
		m, _ := send(t, b)
		accept(t, a, m)
	}
	good := stored(t, a)
	const chunk = 2 + erasure.ChunkSize
	at := len(good) - 29*chunk - 1
	if good[at] != 29 {
		t.Fatalf("%d chunks", good[at])
	}
	last := good[len(good)-chunk:]
	another := append([]byte{1, 1}, last[2:]...)
	with := func(count byte, rest ...[]byte) []byte {
		return append(append(bytes.Clone(good[:at]), count), bytes.Join(rest, nil)...)
	}
	for name, data := range map[string][]byte{
		"none":      with(0),
		"too many":  with(30, good[at+1:], another),
		"twice":     with(29, good[at+1:len(good)-2*chunk], last, last),
		"too short": with(29, good[at+1:len(good)-1]),
		"too long":  with(29, good[at+1:], []byte{0}),
	} {
		if _, err := Unmarshal(&suite, data); err != ErrState {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	a, b := newPair()
	for k := range kinds {
		who := a
		if k >= noHeaderReceived {
			who = b
		}
		if k != ct1Acknowledged && k != ekReceivedCt1Sampled {
			run(f, a, b, who, k)
			f.Add(stored(f, who), []byte{})
		}
	}
	f.Fuzz(func(t *testing.T, data, chunk []byte) {
		cryptotest.SetGlobalRandom(t, 1)
		s, err := Unmarshal(&suite, data)
		if err != nil {
			return
		}
		if again := stored(t, &s); !bytes.Equal(again, data) {
			t.Fatal("two encodings of one state")
		}
		// With any content, using it does not panic and leaves it storable.
		m := Message{Epoch: s.epoch}
		copy(m.Chunk.Data[:], chunk)
		for typ := None; typ <= Ct2; typ++ {
			m.Type = typ
			if !typ.HasChunk() {
				continue
			}
			for i := range uint16(3) {
				m.Chunk.Index = i * 7
				s.Receive(m)
			}
			s.Send()
			stored(t, &s)
		}
		s.Receive(Message{Epoch: s.epoch + 1})
	})
}
