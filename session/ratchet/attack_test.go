package ratchet

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"math"
	"testing"

	"starling/session/internal/cbchmac"
	"starling/session/internal/doubleratchet"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/internal/key/keytest"
	"starling/session/ratchet/spqr"
)

// TestReplay replays in order, late, after a restart and after eviction.
func TestReplay(t *testing.T) {
	alice, bob := talking(t)
	m := seal(t, alice, "m")
	open(t, bob, m, "m")
	refuse(t, bob, m)
	skipped := seal(t, alice, "skipped")
	pass(t, alice, bob)
	open(t, bob, skipped, "skipped")
	for range 10 {
		pass(t, alice, bob)
		pass(t, bob, alice)
		refuse(t, bob, m)
		refuse(t, bob, skipped)
	}
	bob = copyOf(t, bob)
	refuse(t, bob, m)
	refuse(t, bob, skipped)

	evicted := seal(t, alice, "evicted")
	for range MaxOldChains + 1 {
		pass(t, alice, bob)
		pass(t, bob, alice)
	}
	pass(t, alice, bob)
	if bob.skipped.total != 0 {
		t.Fatal("the skipped key was not evicted")
	}
	refuse(t, bob, evicted)
}

func TestReflection(t *testing.T) {
	alice, bob := talking(t)
	for range 4 {
		m := seal(t, alice, "mine")
		refuse(t, alice, m)
		open(t, bob, m, "mine")
		refuse(t, alice, m)
		m = seal(t, bob, "mine")
		refuse(t, bob, m)
		open(t, alice, m, "mine")
		refuse(t, bob, m)
	}
}

// TestResponderBeforeFirstReceive: with no receiving chain there is no key that
// could be derived from nothing (IEEE S&P 2026).
func TestResponderBeforeFirstReceive(t *testing.T) {
	alice, bob := newPair(t)
	if _, err := bob.Seal(nil, nil); err != ErrCannotSend {
		t.Fatal("a responder sealed before it received:", err)
	}
	// A message of an attacker that counts on keys of all zeros.
	zero := copyOf(t, alice)
	zero.ec.HKs, zero.ec.CKs = doubleratchet.HeaderKey{}, doubleratchet.Key{}
	for name, s := range map[string]*State{"responder": bob, "initiator": alice} {
		for _, dh := range []key.Public{{}, zero.ec.DHs.Public(), s.ec.DHr, s.ec.DHs.Public()} {
			refuse(t, s, forge(t, zero, name, func(h *header) { h.dh = dh }))
		}
		for _, n := range []int{0, 1, HeaderSize - 1, HeaderSize, HeaderSize + 48, 1536} {
			m := make([]byte, n)
			refuse(t, s, m)
			rand.Read(m)
			refuse(t, s, m)
		}
	}
	// The first header must not speak of a chain before.
	refuse(t, bob, forge(t, alice, "x", func(h *header) { h.pn = 1 }))
	pass(t, alice, bob)
}

// TestStateRollback: a message with a new ratchet key that fails must not move
// anything; the genuine one opens after it.
func TestStateRollback(t *testing.T) {
	alice, bob := talking(t)
	held := seal(t, alice, "held")
	pass(t, alice, bob)
	pass(t, bob, alice)
	m := seal(t, alice, "new step")
	bad := bytes.Clone(m)
	bad[len(bad)-1] ^= 1
	refuse(t, bob, bad)
	refuse(t, bob, forge(t, alice, "x", func(h *header) { h.dh = key.Generate().Public() }))
	open(t, bob, held, "held")
	open(t, bob, m, "new step")
}

func TestSkipLimit(t *testing.T) {
	alice, bob := talking(t)
	var last []byte
	for range MaxSkip {
		seal(t, alice, "lost")
	}
	atLimit := seal(t, alice, "at the limit")
	last = seal(t, alice, "over the limit")
	refuse(t, bob, last)
	open(t, bob, atLimit, "at the limit")
	open(t, bob, last, "over the limit")
	if bob.skipped.total != MaxSkip {
		t.Fatal(bob.skipped.total)
	}
}

// TestRatchetKeyOfTheChain: a chain has one ratchet key; a header of the chain
// that names another is of another history.
func TestRatchetKeyOfTheChain(t *testing.T) {
	alice, bob := talking(t)
	pass(t, alice, bob) // alice's chain is bob's receiving chain now
	refuseWith(t, ErrForked, bob, forge(t, alice, "x", func(h *header) { h.dh = key.Generate().Public() }))
	refuseWith(t, ErrForked, bob, forge(t, alice, "x", func(h *header) { h.dh = bob.ec.DHs.Public() }))
	pass(t, alice, bob)
}

func TestCounterJumps(t *testing.T) {
	alice, bob := talking(t)
	for _, n := range []uint32{1, MaxSkip, MaxSkip + 1, 1 << 31, doubleratchet.MaxCounter - 1, doubleratchet.MaxCounter} {
		refuse(t, bob, forge(t, alice, "n", func(h *header) { h.n = n }))
		refuse(t, bob, forge(t, alice, "n", func(h *header) { h.n += n }))
	}
	pass(t, alice, bob)
	pass(t, bob, alice)
	for _, pn := range []uint32{0, MaxSkip + 3, 1 << 31, doubleratchet.MaxCounter - 1, doubleratchet.MaxCounter} {
		m := forge(t, alice, "pn", func(h *header) { h.pn = pn })
		if pn == 0 {
			refuseWith(t, ErrForked, bob, m) // fewer than have come
			continue
		}
		refuse(t, bob, m)
	}
	alice.ec.Ns = doubleratchet.MaxCounter
	if _, err := alice.Seal(nil, nil); err != ErrCannotSend || alice.CanSend(1) {
		t.Fatal("the last counter was used:", err)
	}
}

// TestTotalSkipBound fills the store over its bound; the oldest keys go.
func TestTotalSkipBound(t *testing.T) {
	alice, bob := talking(t)
	var oldest, newest []byte
	for i := range 3 {
		for j := range MaxSkip - 1 {
			m := seal(t, alice, "lost")
			if i == 0 && j == 0 {
				oldest = m
			}
			newest = m
		}
		pass(t, alice, bob)
		pass(t, bob, alice)
	}
	if bob.skipped.total > MaxSkipped {
		t.Fatalf("%d skipped keys", bob.skipped.total)
	}
	refuse(t, bob, oldest)
	open(t, bob, newest, "lost")
	if n := len(bytesOf(t, bob)); n > 200_000 {
		t.Fatalf("state of %d bytes", n)
	}
	copyOf(t, bob)
}

// TestHostileHeaders: a thousand messages that open under no key, against a
// state that holds as many header keys as it may.
func TestHostileHeaders(t *testing.T) {
	bob := hostileState(t)
	m := make([]byte, 1536)
	before := bytesOf(t, bob)
	for range 1000 {
		rand.Read(m)
		if _, err := bob.Open(nil, m); err != ErrRefused {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(before, bytesOf(t, bob)) {
		t.Fatal("state changed")
	}
}

func hostileState(t testing.TB) *State {
	alice, bob := talking(t)
	for range MaxOldChains {
		seal(t, alice, "lost")
		pass(t, alice, bob)
		pass(t, bob, alice)
	}
	if len(bob.skipped.chains) != MaxOldChains {
		t.Fatalf("%d chains", len(bob.skipped.chains))
	}
	return bob
}

func BenchmarkHostileHeader(b *testing.B) {
	bob := hostileState(b)
	m := make([]byte, 1536)
	rand.Read(m)
	for b.Loop() {
		if _, err := bob.Open(nil, m); err == nil {
			b.Fatal("opened")
		}
	}
}

func TestEveryTruncation(t *testing.T) {
	alice, bob := talking(t)
	m := seal(t, alice, "0123456789abcdef0123456789abcdef")
	for n := range len(m) {
		refuse(t, bob, m[:n])
	}
	refuse(t, bob, append(bytes.Clone(m), 0))
	refuse(t, bob, append(bytes.Clone(m), make([]byte, 16)...))
	open(t, bob, m, "0123456789abcdef0123456789abcdef")
}

func TestEveryBitFlip(t *testing.T) {
	alice, bob := talking(t)
	old := seal(t, alice, "of the chain that ends")
	step := func() []byte {
		pass(t, alice, bob)
		pass(t, bob, alice)
		return seal(t, alice, "with a new ratchet key")
	}
	for _, m := range [][]byte{old, step()} {
		for i := range len(m) * 8 {
			m[i/8] ^= 1 << (i % 8)
			refuse(t, bob, m)
			m[i/8] ^= 1 << (i % 8)
		}
	}
}

// TestShortTag: the tags are taken whole.
func TestShortTag(t *testing.T) {
	alice, bob := talking(t)
	m := seal(t, alice, "x")
	for cut := 1; cut <= 32; cut++ {
		refuse(t, bob, m[:len(m)-cut])
		padded := append(bytes.Clone(m[:len(m)-cut]), make([]byte, cut)...)
		if !bytes.Equal(padded, m) {
			refuse(t, bob, padded)
		}
	}
}

// TestHeaderSplice: the header of one message with the body of another.
func TestHeaderSplice(t *testing.T) {
	alice, bob := talking(t)
	a, b := seal(t, alice, "a"), seal(t, alice, "b")
	refuse(t, bob, append(bytes.Clone(a[:HeaderSize]), b[HeaderSize:]...))
	refuse(t, bob, append(bytes.Clone(b[:HeaderSize]), a[HeaderSize:]...))
	open(t, bob, b, "b")
	refuse(t, bob, append(bytes.Clone(a[:HeaderSize]), b[HeaderSize:]...))
	open(t, bob, a, "a")
}

// TestHeaderResealed: a header resealed by a holder of the header key, and nothing
// else, is refused with the body.
func TestHeaderResealed(t *testing.T) {
	alice, bob := talking(t)
	m := seal(t, alice, "x")
	again := forge(t, alice, "x", func(*header) {})
	// The same header and keys, sealed under another IV.
	refuse(t, bob, append(bytes.Clone(again[:HeaderSize]), m[HeaderSize:]...))
	open(t, bob, m, "x")
}

// TestLowOrderRatchetKey: low-order and non-canonical ratchet keys.
func TestLowOrderRatchetKey(t *testing.T) {
	alice, bob := talking(t)
	pass(t, alice, bob)
	pass(t, bob, alice)
	for _, u := range keytest.Bad() {
		refuse(t, bob, forge(t, alice, "x", func(h *header) { h.dh = u }))
	}
	pass(t, alice, bob)
	if _, err := NewInitiator(Keys{}, key.Public{}); err == nil {
		t.Fatal("low-order signed prekey accepted")
	}
}

// TestPostQuantumAbsent: no message without its post-quantum part, and none
// with a part that contradicts itself.
func TestPostQuantumAbsent(t *testing.T) {
	alice, bob := talking(t)
	for name, edit := range map[string]func(h *header){
		"zeros":      func(h *header) { clear(h.pq[:]) },
		"ones":       func(h *header) { h.pq = [len(h.pq)]byte(bytes.Repeat([]byte{0xff}, len(h.pq))) },
		"type":       func(h *header) { h.pq[0] ^= 1 },
		"epoch":      func(h *header) { h.pq[4]++ },
		"epoch skip": func(h *header) { h.pq[4] += 2 },
		"number":     func(h *header) { h.pq[8]++ },
		"number max": func(h *header) { copy(h.pq[5:9], "\xff\xff\xff\xff") },
		"previous":   func(h *header) { h.pq[12]++ },
	} {
		t.Run(name, func(t *testing.T) { refuse(t, bob, forge(t, alice, "x", edit)) })
	}
	pass(t, alice, bob)
}

// TestNoPostQuantumDowngrade: the key of the elliptic-curve half alone opens
// nothing.
func TestNoPostQuantumDowngrade(t *testing.T) {
	alice, bob := talking(t)
	c := copyOf(t, alice)
	n, ec, _ := c.ec.NextSend()
	msg, _, _ := c.pq.Send()
	var none [kdf.Size]byte
	h := header{dh: c.ec.DHs.Public(), pn: c.ec.PN, n: n, pq: msg}
	mk := hybrid(&ec, &none)
	refuse(t, bob, c.encode(nil, &h, &mk, []byte("x")))
}

// TestCorruptChunk: a holder of the header key changes a chunk. The message is refused
// and the agreement goes on with the genuine one.
func TestCorruptChunk(t *testing.T) {
	alice, bob := talking(t)
	epoch := alice.pq.Epoch()
	for i := 0; alice.pq.Epoch() < epoch+2; i++ {
		m := seal(t, alice, "x")
		refuse(t, bob, resealHeader(t, bob, m, func(h *header) { h.pq[20] ^= 1 }))
		open(t, bob, m, "x")
		pass(t, bob, alice)
		if i > 1000 {
			t.Fatal("no agreement")
		}
	}
}

// resealHeader changes the header of a message with the receiver's keys.
func resealHeader(t testing.TB, to *State, m []byte, edit func(h *header)) []byte {
	t.Helper()
	h, from, ok := to.openHeader(m[:HeaderSize])
	if !ok {
		t.Fatal("header does not open")
	}
	s := &State{ec: doubleratchet.State{HKs: to.ec.HKr}}
	if from == fromNext {
		s.ec.HKs = to.ec.NHKr
	}
	edit(&h)
	var mk [kdf.Size]byte
	return append(s.encode(nil, &h, &mk, nil)[:HeaderSize], m[HeaderSize:]...)
}

// TestHeavyLoss: 60 % of all messages are lost; the rest opens and both
// ratchets heal.
func TestHeavyLoss(t *testing.T) {
	alice, bob := talking(t)
	var lose [1]byte
	for range 1500 {
		for _, side := range [][2]*State{{alice, bob}, {bob, alice}} {
			m := seal(t, side[0], "m")
			if rand.Read(lose[:]); lose[0] >= 153 {
				open(t, side[1], m, "m")
			}
		}
	}
	if alice.pq.Epoch() < 2 || bob.pq.Epoch() < 2 {
		t.Fatalf("epochs %d and %d", alice.pq.Epoch(), bob.pq.Epoch())
	}
}

// TestNoDowngradeByRefusal: a post-quantum part that is refused gives no key, and so no
// message: not one of zeros, which a breaker of the elliptic-curve half would know.
func TestNoDowngradeByRefusal(t *testing.T) {
	alice, bob := talking(t)
	for name, edit := range map[string]func(h *header){
		"zeros":    func(h *header) { clear(h.pq[:]) },
		"number 0": func(h *header) { clear(h.pq[5:9]) },
		"genuine":  func(*header) {},
	} {
		c := copyOf(t, alice)
		n, ec, _ := c.ec.NextSend()
		msg, _, _ := c.pq.Send()
		var none [kdf.Size]byte
		h := header{dh: c.ec.DHs.Public(), pn: c.ec.PN, n: n, pq: msg}
		edit(&h)
		mk := hybrid(&ec, &none)
		refuse(t, bob, c.encode(nil, &h, &mk, []byte(name)))
	}
}

// TestNoStepWithoutAgreement: a ratchet key of low order does not carry the old chain on
// under the next header key.
func TestNoStepWithoutAgreement(t *testing.T) {
	alice, bob := talking(t)
	pass(t, alice, bob)
	for _, u := range keytest.LowOrder() {
		c := copyOf(t, alice)
		h := header{dh: u, pn: c.ec.Ns}
		_, ec, _ := c.ec.NextSend()
		msg, pq, _ := c.pq.Send()
		h.pq = msg
		c.ec.HKs = c.ec.NHKs
		mk := hybrid(&ec, &pq)
		refuse(t, bob, c.encode(nil, &h, &mk, []byte("x")))
	}
	pass(t, alice, bob)
}

// TestHeaderOfAnotherLength: a header that is sealed rightly and is a byte longer or
// shorter is none.
func TestHeaderOfAnotherLength(t *testing.T) {
	alice, bob := talking(t)
	var iv [cbchmac.IVSize]byte
	n, _, _ := alice.ec.NextSend()
	msg, _, _ := alice.pq.Send()
	h := header{dh: alice.ec.DHs.Public(), pn: alice.ec.PN, n: n, pq: msg}
	whole := append(h.append(nil), 0)
	for _, size := range []int{headerPlain - 7, headerPlain - 1, headerPlain, headerPlain + 1} {
		sealed := cbchmac.Seal(bytes.Clone(iv[:]), &alice.ec.HKs, &iv, whole[:size], iv[:])
		if _, _, ok := bob.openHeader(sealed); ok != (size == headerPlain) {
			t.Errorf("a header of %d bytes: %v", size, ok)
		}
	}
}

// TestNoKeyIsNoEvidence: a header of the present chain that names no key at all is
// refused, and proves nothing about the peer's history.
func TestNoKeyIsNoEvidence(t *testing.T) {
	alice, bob := talking(t)
	pass(t, alice, bob)
	for _, u := range keytest.NonCanonical() {
		refuse(t, bob, forge(t, alice, "x", func(h *header) { h.dh = u }))
	}
}

// TestUsedUp: at the end of the counters of either half nothing is sealed, and nothing
// changes; CanSend says so before.
func TestUsedUp(t *testing.T) {
	alice, _ := newPair(t)
	for _, c := range []struct {
		sent uint32
		n    int64
		want bool
	}{
		{0, doubleratchet.MaxCounter, true}, {0, doubleratchet.MaxCounter + 1, false}, {1, doubleratchet.MaxCounter, false},
		{0, 1<<32 + 3, false}, {doubleratchet.MaxCounter - 5, 5, true}, {doubleratchet.MaxCounter - 5, 6, false},
		{0, -1, false}, {1, math.MinInt32, false},
	} {
		if c.n != int64(int(c.n)) {
			continue // on 32 bits nobody can ask for so many
		}
		alice.ec.Ns = c.sent
		if got := alice.CanSend(int(c.n)); got != c.want {
			t.Errorf("%d after %d: %v", c.n, c.sent, got)
		}
	}
	alice.ec.Ns = 0

	// The post-quantum half: version, role, RK, epoch, epoch sent in, number ...
	b, err := alice.pq.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{2 + 32 + 8, 2 + 32 + 16} { // ... and that of the chain
		binary.BigEndian.PutUint32(b[at:], 1<<32-2)
	}
	if alice.pq, err = spqr.Unmarshal(b); err != nil {
		t.Fatal(err)
	}
	before := bytesOf(t, alice)
	if _, err := alice.Seal(nil, nil); err != ErrCannotSend || !bytes.Equal(before, bytesOf(t, alice)) {
		t.Error("sealed without a post-quantum key:", err)
	}
}
