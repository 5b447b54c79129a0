package admission

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/directory"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A relay signs descriptors and vouchers. Relay n always has the same identity, and
// an address in a /16 of its own.
type relay struct {
	key crypto.PrivKey
	d   directory.Descriptor
}

var mixKey = func() outfox.PublicKey {
	k, err := outfox.NewPrivateKey()
	if err != nil {
		panic(err)
	}
	return k.Public()
}()

func newRelay(tb testing.TB, n int) *relay {
	tb.Helper()
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n)+1)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		tb.Fatal(err)
	}
	id, err := wire.NodeIDFromKey(key.GetPublic())
	if err != nil {
		tb.Fatal(err)
	}
	r := &relay{key, directory.Descriptor{ID: id, Sequence: 1, Issued: start, Expires: start.Add(directory.MaxLifetime), Capacity: 1,
		Epoch: directory.FirstEpoch(start), Keys: [3]outfox.PublicKey{mixKey, mixKey, mixKey}}}
	r.at(fmt.Sprintf("%d.%d.0.1:4001", 11+n/250, n%250))
	if err := r.d.Promise(key); err != nil {
		tb.Fatal(err)
	}
	return r
}

func (r *relay) at(addrs ...string) *relay {
	r.d.Addresses = nil
	for _, s := range addrs {
		r.d.Addresses = append(r.d.Addresses, directory.Address{AddrPort: netip.MustParseAddrPort(s)})
	}
	return r
}

func (r *relay) sign(tb testing.TB) []byte {
	tb.Helper()
	raw, err := r.d.Sign(r.key)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// vouch returns news of r with vouchers of others for its first address.
func (r *relay) vouch(tb testing.TB, day uint32, others ...*relay) News {
	tb.Helper()
	n := News{Raw: r.sign(tb)}
	for _, o := range others {
		v, err := Vouch(o.key, o.d.ID, n.Raw, 1, day)
		if err != nil {
			tb.Fatal(err)
		}
		n.Vouchers = append(n.Vouchers, v)
	}
	return n
}

// world is a register and the relays that it has reached, the first n.
type world struct {
	*Registrar
	dir    *directory.Directory
	now    time.Time
	relays []*relay
	seen   map[wire.NodeID]bool // dialled
}

func newWorld(tb testing.TB, n int) *world {
	tb.Helper()
	w := &world{now: start, seen: map[wire.NodeID]bool{}}
	clock := func() time.Time { return w.now }
	self := newRelay(tb, 9999)
	w.dir = directory.New(directory.Config{Now: clock})
	w.Registrar = New(Config{Directory: w.dir, Self: self.d.ID, Now: clock, Steady: clock,
		Reached: func(id wire.NodeID, at []directory.Address) byte {
			if w.seen[id] {
				return Dialable(at)
			}
			return 0
		}})
	for i := range n {
		r := newRelay(tb, i)
		w.relays = append(w.relays, r)
		if err := w.Reached(r.sign(tb)); err != nil {
			tb.Fatal(err)
		}
	}
	return w
}

// listed reports whether a relay stands in the list, and as reached.
func (w *world) listed(r *relay) (listed, reached bool) {
	_, listed = w.dir.Find(r.d.ID)
	return listed, !w.dir.Since(r.d.ID).IsZero()
}

// examiners returns the relays of the world by rank for one of them.
func (w *world) examiners(r *relay) []*relay {
	all := slices.Clone(w.relays)
	day := Day(w.now)
	slices.SortFunc(all, func(a, b *relay) int {
		x, y := rank(day, r.d.ID, a.d.ID), rank(day, r.d.ID, b.d.ID)
		return bytes.Compare(x[:], y[:])
	})
	return all
}

// TestOwnWordIsNothing: ten thousand relays that nobody has reached, with vouchers
// of each other, of nobody, and of one that we have reached: none is listed, or
// waits to be dialled.
func TestOwnWordIsNothing(t *testing.T) {
	w := newWorld(t, 60)
	fakes := 10_000
	if testing.Short() {
		fakes = 1_000
	}
	var before *relay
	for i := range fakes {
		r := newRelay(t, 10_000+i)
		n := News{Raw: r.sign(t)}
		if before != nil {
			n = r.vouch(t, Day(start), before, w.relays[0])
		}
		if err := w.Hear(n); !errors.Is(err, ErrUnvouched) {
			t.Fatalf("fake %d: %v", i, err)
		}
		before = r
	}
	if got := len(w.dir.Snapshot().Relays); got != 60 {
		t.Errorf("%d relays are listed", got)
	}
	due, _ := w.Due(100)
	for _, c := range due {
		if i, ok := slices.BinarySearchFunc(w.dir.Snapshot().Relays, c.ID, func(d *directory.Descriptor, id wire.NodeID) int { return bytes.Compare(d.ID[:], id[:]) }); !ok {
			t.Fatalf("%v is to be dialled, %d", c.ID, i)
		}
	}
}

// TestVouched: four examiners of four networks make a relay one to be used; three do
// not, nor do four that are no examiners, that we have not reached, of one network,
// of last month, or for other addresses.
func TestVouched(t *testing.T) {
	const known = 80
	for name, c := range map[string]struct {
		news func(w *world, r *relay) News
		want error
	}{
		"four":       {func(w *world, r *relay) News { return r.vouch(t, Day(start), w.examiners(r)[:4]...) }, nil},
		"last of 16": {func(w *world, r *relay) News { return r.vouch(t, Day(start), w.examiners(r)[12:16]...) }, nil},
		"three":      {func(w *world, r *relay) News { return r.vouch(t, Day(start), w.examiners(r)[:3]...) }, ErrUnvouched},
		"one, four times": {func(w *world, r *relay) News {
			e := w.examiners(r)[0]
			return r.vouch(t, Day(start), e, e, e, e)
		}, ErrUnvouched},
		"no examiners": {func(w *world, r *relay) News { return r.vouch(t, Day(start), w.examiners(r)[20:28]...) }, ErrUnvouched},
		"strangers": {func(w *world, r *relay) News {
			return r.vouch(t, Day(start), newRelay(t, 500), newRelay(t, 501), newRelay(t, 502), newRelay(t, 503))
		}, ErrUnvouched},
		"last month": {func(w *world, r *relay) News { return r.vouch(t, Day(start)-8, w.examiners(r)[:4]...) }, ErrUnvouched},
		"next week":  {func(w *world, r *relay) News { return r.vouch(t, Day(start)+2, w.examiners(r)[:4]...) }, ErrUnvouched},
		"other addresses": {func(w *world, r *relay) News {
			n := r.vouch(t, Day(start), w.examiners(r)[:4]...)
			n.Raw = r.at("99.9.9.9:1").sign(t)
			return n
		}, ErrForged},
		"an address nobody has reached": {func(w *world, r *relay) News {
			return r.at("90.0.0.1:1", "99.9.9.9:80").vouch(t, Day(start), w.examiners(r)[:4]...)
		}, ErrUnvouched},
		"forged": {func(w *world, r *relay) News {
			n := r.vouch(t, Day(start), w.examiners(r)[:4]...)
			n.Vouchers[2].sig[5] ^= 1
			return n
		}, ErrForged},
	} {
		w := newWorld(t, known)
		r := newRelay(t, 1000)
		if err := w.Hear(c.news(w, r)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if listed, reached := w.listed(r); listed != (c.want == nil) || reached {
			t.Errorf("%s: listed %v, reached %v", name, listed, reached)
		}
	}
	// Vouchers that come apart add up, but not those of one network.
	w := newWorld(t, known)
	r := newRelay(t, 1000)
	all := w.examiners(r)
	w.Hear(r.vouch(t, Day(start), all[:2]...))
	if err := w.Hear(r.vouch(t, Day(start), all[2:4]...)); err != nil {
		t.Errorf("two and two: %v", err)
	}
}

// TestOneNetwork: four vouchers from one /24 are one.
func TestOneNetwork(t *testing.T) {
	w := newWorld(t, 0)
	for i := range 60 {
		r := newRelay(t, i).at(fmt.Sprintf("12.0.%d.%d:1", i/30, 1+i))
		w.relays = append(w.relays, r)
		if err := w.Reached(r.sign(t)); err != nil {
			t.Fatal(err)
		}
	}
	r := newRelay(t, 1000)
	if err := w.Hear(r.vouch(t, Day(start), w.examiners(r)[:8]...)); !errors.Is(err, ErrUnvouched) {
		t.Errorf("eight of two networks: %v", err)
	}
}

// TestBoot: a lonely relay takes the relays that it has dialled; of few relays half
// suffice, and a vouched relay is checked before it is listed.
func TestBoot(t *testing.T) {
	w := newWorld(t, 0)
	first, second := newRelay(t, 1), newRelay(t, 2)
	own := directory.Entry{Raw: first.sign(t), Known: 5}
	if err := w.Read(first.d.ID, own); err == nil {
		t.Error("listed on its own word")
	}
	w.seen[first.d.ID] = true
	if err := w.Read(first.d.ID, own); err != nil {
		t.Errorf("dialled, and not listed: %v", err)
	}
	if listed, reached := w.listed(first); !listed || !reached {
		t.Errorf("listed %v, reached %v", listed, reached)
	}
	// The first says that it has reached the second.
	if err := w.Read(first.d.ID, directory.Entry{Raw: second.sign(t), Known: directory.VouchedOnly}); !errors.Is(err, ErrUnvouched) {
		t.Error(err)
	}
	if due, _ := w.Due(8); len(due) != 0 {
		t.Errorf("%d are dialled for what one has only heard", len(due))
	}
	w.Read(first.d.ID, directory.Entry{Raw: second.sign(t), Known: 0})
	if listed, _ := w.listed(second); listed {
		t.Error("listed before it was looked at")
	}
	due, _ := w.Due(8)
	if len(due) != 1 || due[0].ID != second.d.ID {
		t.Fatalf("due: %v", due)
	}
	if err := w.Reached(due[0].Raw); err != nil {
		t.Fatal(err)
	}
	if listed, reached := w.listed(second); !listed || !reached {
		t.Errorf("listed %v, reached %v", listed, reached)
	}
	for others, want := range map[int]int{0: 1, 1: 1, 2: 1, 3: 2, 5: 3, 7: 4, 1000: 4} {
		if Needed(others) != want {
			t.Errorf("%d needed of %d", Needed(others), others)
		}
	}
}

// TestChecks: a relay that does not answer is no longer reached after two failures
// an hour apart, and loses its place after three without a fresh voucher. An
// examiner of three such relays has no voice for a week.
func TestChecks(t *testing.T) {
	w := newWorld(t, 80)
	fail := func(r *relay) {
		for range 3 {
			w.now = w.now.Add(time.Hour + time.Minute)
			w.Failed(Check{r.d.ID, r.sign(t), r.d.Addresses})
		}
	}
	r := newRelay(t, 1000)
	liars := w.examiners(r)[:4]
	if err := w.Hear(r.vouch(t, Day(w.now), liars...)); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Hour)
	w.Failed(Check{r.d.ID, r.sign(t), r.d.Addresses})
	w.mu.Lock()
	if len(w.blame) > 0 {
		t.Error("one failure is enough")
	}
	w.mu.Unlock()
	fail(r)
	if listed, reached := w.listed(r); !listed || reached {
		t.Errorf("with a fresh voucher: listed %v, reached %v", listed, reached)
	}
	w.mu.Lock()
	voiceless := w.void(liars[0].d.ID)
	w.blame[liars[0].d.ID] = append(w.blame[liars[0].d.ID], w.now, w.now)
	if voiceless || !w.void(liars[0].d.ID) {
		t.Error("charges do not count as they should")
	}
	w.mu.Unlock()
	other := newRelay(t, 1001)
	four := append([]*relay{liars[0]}, slices.DeleteFunc(w.examiners(other)[:4], func(o *relay) bool { return o == liars[0] })[:3]...)
	if err := w.Hear(other.vouch(t, Day(w.now), four...)); !errors.Is(err, ErrUnvouched) {
		t.Errorf("with the word of one who lied three times: %v", err)
	}
	w.now = w.now.Add(8 * 24 * time.Hour)
	w.mu.Lock()
	if w.void(liars[0].d.ID) {
		t.Error("still voiceless after a week")
	}
	w.mu.Unlock()

	// Nobody vouches any more.
	w = newWorld(t, 80)
	if err := w.Hear(r.vouch(t, Day(w.now), w.examiners(r)[:4]...)); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.files[r.d.ID].vouched = w.now.Add(-Fresh)
	w.mu.Unlock()
	fail(r)
	if listed, _ := w.listed(r); listed {
		t.Error("still listed")
	}
}

// TestPutOff: a check that cannot be made is put off, a relay's of the list and a
// candidate's, and does not keep the others waiting.
func TestPutOff(t *testing.T) {
	w := newWorld(t, 20)
	r, o := newRelay(t, 1000), newRelay(t, 1001)
	if err := w.Hear(r.vouch(t, Day(w.now), w.examiners(r)[:4]...)); err == nil {
		t.Fatal("listed before it was looked at")
	}
	due, _ := w.Due(8)
	if len(due) != 1 || due[0].ID != r.d.ID {
		t.Fatalf("due: %v", due)
	}
	w.Later(due[0], 30*time.Second)
	due, wait := w.Due(8)
	if len(due) != 0 || wait <= 0 || wait > 30*time.Second {
		t.Errorf("due at once again: %v, or in %v", due, wait)
	}
	w.Hear(o.vouch(t, Day(w.now), w.examiners(o)[:4]...))
	if due, _ := w.Due(8); len(due) != 1 || due[0].ID != o.d.ID {
		t.Errorf("another waits for it: %v", due)
	}
	w.now = w.now.Add(30 * time.Second)
	if due, _ := w.Due(8); len(due) != 1 || due[0].ID != r.d.ID {
		t.Errorf("after its wait: %v", due)
	}
}

// TestNoCandidateWaits: more candidates than are looked at together have their turns at
// once, and so has one whose voices count only since another relay was reached.
func TestNoCandidateWaits(t *testing.T) {
	w := newWorld(t, 20)
	for i := range 10 {
		r := newRelay(t, 1000+i)
		w.Hear(r.vouch(t, Day(w.now), w.examiners(r)[:4]...))
	}
	for i, left := range []int{6, 2, 0} {
		due, wait := w.Due(4)
		if len(due) != min(4, 10-4*i) || (wait == 0) != (left > 0) {
			t.Errorf("%d are due and %d left, the next look is in %v", len(due), left, wait)
		}
	}

	// Three have reached one, and the fourth was not reached by us before.
	w = newWorld(t, 20)
	fourth, r := newRelay(t, 500), newRelay(t, 1000)
	n := r.vouch(t, Day(w.now), append(w.examiners(r)[:3:3], fourth)...)
	w.mu.Lock()
	c := w.candidate(&r.d, n.Raw)
	for _, v := range n.Vouchers {
		c.voices[v.Examiner] = v.Mask
	}
	w.mu.Unlock()
	select {
	case <-w.Wake():
	default:
	}
	if err := w.Reached(fourth.sign(t)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.Wake():
	default:
		t.Error("the next look is not made at once")
	}
	if due, _ := w.Due(4); !slices.ContainsFunc(due, func(c Check) bool { return c.ID == r.d.ID }) {
		t.Errorf("due: %v", due)
	}
}

// TestDue: all are looked at in their time, those vouched for soon.
func TestDue(t *testing.T) {
	w := newWorld(t, 80)
	r := newRelay(t, 1000)
	if err := w.Hear(r.vouch(t, Day(w.now), w.examiners(r)[:4]...)); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(max(time.Minute, 80*time.Second/50) + time.Second)
	if due, _ := w.Due(8); len(due) != 1 || due[0].ID != r.d.ID || !bytes.Equal(due[0].Raw, r.sign(t)) {
		t.Fatalf("due: %v", due)
	}
	if due, _ := w.Due(8); len(due) != 0 {
		t.Errorf("twice at once: %v", due)
	}
	w.Reached(r.sign(t))
	checked := map[wire.NodeID]int{}
	for range 27 * 60 {
		w.now = w.now.Add(time.Minute)
		due, _ := w.Due(8)
		for _, c := range due {
			checked[c.ID]++
			w.Reached(c.Raw)
		}
	}
	for _, r := range w.relays {
		if checked[r.d.ID] != 1 {
			t.Errorf("checked %d times in a day and a bit", checked[r.d.ID])
		}
	}
}

// TestKnock: a knock from its own address is examined; another address costs its
// price first, and a knock that names another relay is refused.
func TestKnock(t *testing.T) {
	r := newRelay(t, 1).at("20.0.0.1:1", "21.0.0.1:80", "[2a01:4f8::1]:1")
	home := netip.MustParseAddr("20.0.0.1")
	ks := Knocks{ByNetwork: true}
	take := func(k Knock, source netip.Addr) *Check {
		t.Helper()
		k, err := ParseKnock(k.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		c, err := ks.Take(r.d.ID, source, k, start)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if take(Knock{Nonce: 1, Raw: r.sign(t)}, home) != nil {
		t.Error("another's address for nothing")
	}
	for i := range 2*Price - 1 {
		if take(Knock{Nonce: 1, Part: byte(1 + i)}, home) != nil {
			t.Fatalf("for %d frames", i)
		}
	}
	take(Knock{Nonce: 2, Part: 7}, home)
	if c := take(Knock{Nonce: 1, Part: 2 * Price}, home); c == nil || !bytes.Equal(c.Raw, r.sign(t)) {
		t.Error("paid, and not looked at")
	}
	if take(Knock{Nonce: 1, Part: 2 * Price}, home) != nil {
		t.Error("twice for one price")
	}
	r.at("20.0.0.1:1")
	if take(Knock{Nonce: 3, Raw: r.sign(t)}, home) == nil {
		t.Error("its own address has a price")
	}
	r.at("[2a01:4f8::1]:1")
	if take(Knock{Nonce: 3, Raw: r.sign(t)}, netip.MustParseAddr("2a01:4f8::77")) == nil {
		t.Error("its own network has a price")
	}
	for name, edit := range map[string]func(){
		"another's":   func() { r = newRelay(t, 2) },
		"expired":     func() { r.d.Issued, r.d.Expires = start.Add(-2*time.Hour), start.Add(-time.Second) },
		"of tomorrow": func() { r.d.Issued = start.Add(time.Hour) },
	} {
		r = newRelay(t, 1)
		id := r.d.ID
		edit()
		r.d.Epoch = directory.FirstEpoch(r.d.Issued)
		if _, err := ks.Take(id, home, Knock{Raw: r.sign(t)}, start); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestKnocksBounded: a knocker that does not pay holds no place that another needs for
// long: a /24 has few, and all are not many.
func TestKnocksBounded(t *testing.T) {
	ks := Knocks{ByNetwork: true}
	for i := range 100 {
		r := newRelay(t, i).at("99.0.0.1:1")
		if _, err := ks.Take(r.d.ID, netip.AddrFrom4([4]byte{20, 0, 0, byte(i)}), Knock{Raw: r.sign(t)}, start); err != nil {
			t.Fatal(err)
		}
	}
	if len(ks.m) != maxPerSource {
		t.Errorf("%d of one network wait", len(ks.m))
	}
	for i := range 2 * maxKnocks {
		ks.mu.Lock()
		ks.makeRoom(netip.Prefix{})
		ks.m[wire.NodeID{byte(i), byte(i >> 8), 1}] = &waiting{source: netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i), byte(i >> 8)}), 24)}
		ks.mu.Unlock()
	}
	if len(ks.m) != maxKnocks {
		t.Errorf("%d wait", len(ks.m))
	}
}

// TestCandidatesBounded: relays that a listed one has vouched for wait in bounded
// number, and of too many a random one is forgotten.
func TestCandidatesBounded(t *testing.T) {
	w := newWorld(t, 20)
	r := newRelay(t, 100)
	raw := r.sign(t)
	for i := range maxCandidates + 100 {
		d := r.d
		d.ID = wire.NodeID{byte(i), byte(i >> 8), byte(i >> 16), 7}
		w.candidate(&d, raw)
	}
	if len(w.candidates) != maxCandidates {
		t.Errorf("%d wait", len(w.candidates))
	}
	kept := 0
	for i := range 100 {
		if w.candidates[wire.NodeID{byte(i), 0, 0, 7}] != nil {
			kept++
		}
	}
	if kept < 50 {
		t.Errorf("%d of the first hundred are kept: not a random one goes", kept)
	}

	// One whom a relay of the list speaks for outlives any number of those whom
	// strangers name, and does not have others ask for lists.
	d := r.d
	d.ID = wire.NodeID{9, 9, 9, 9}
	w.candidate(&d, raw).voices[w.relays[0].d.ID] = 1
	for i := range 3 * maxCandidates {
		d := r.d
		d.ID = wire.NodeID{byte(i), byte(i >> 8), byte(i >> 16), 8}
		c := w.candidate(&d, raw)
		c.voices[wire.NodeID{1, 2, 3}] = 1
		if i < 10 {
			w.weigh(c)
		}
	}
	if w.candidates[wire.NodeID{9, 9, 9, 9}] == nil {
		t.Error("strangers pushed out whom a relay of the list speaks for")
	}
	if n := w.Undecided(); n != 0 {
		t.Errorf("strangers' words are to be decided by others %d times", n)
	}
}

// TestApplicant: vouchers are collected, and those that say something else than they
// should are not; an address that nobody reaches is not announced for a while.
func TestApplicant(t *testing.T) {
	var a Applicant
	r := newRelay(t, 1).at("20.0.0.1:1", "21.0.0.1:1")
	raw := r.sign(t)
	doors := []*relay{newRelay(t, 2), newRelay(t, 3), newRelay(t, 4)}
	var ids []wire.NodeID
	for _, d := range doors {
		ids = append(ids, d.d.ID)
	}
	now := start
	knocks := a.Ask(ids, raw, now, Day(now))
	if len(knocks) != 3 || len(a.Ask(ids, raw, now.Add(time.Second), Day(now))) != 0 {
		t.Fatalf("%d knocks", len(knocks))
	}
	reply := func(d *relay, v Verdict, mask byte, edit func(*Reply)) bool {
		t.Helper()
		p := Reply{Nonce: knocks[d.d.ID].Nonce, Verdict: v, Mask: mask}
		if v == Vouched {
			p.Voucher, _ = Vouch(d.key, d.d.ID, raw, 3&^mask, Day(now))
		}
		if edit != nil {
			edit(&p)
		}
		p, err := ParseReply(p.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		return a.Told(d.d.ID, p, now)
	}
	if reply(doors[0], Vouched, 0, func(p *Reply) { p.Nonce++ }) || reply(doors[0], Vouched, 0, func(p *Reply) { p.Voucher.Day++ }) ||
		reply(doors[0], Vouched, 0, func(p *Reply) { p.Voucher.Examiner = ids[1] }) || a.Told(ids[1], Reply{Nonce: knocks[ids[0]].Nonce}, now) {
		t.Error("believed")
	}
	if !reply(doors[0], Unreached, 2, nil) || !a.Unreached(r.d.Addresses[1], now) || a.Unreached(r.d.Addresses[0], now) {
		t.Error("not told which address is not reached")
	}
	if a.Foreign(r.d.Addresses[1], now) || len(a.SeenFrom(now)) != 0 {
		t.Error("seen by nobody")
	}
	from := netip.MustParseAddr("203.0.113.7")
	lie := netip.MustParseAddr("2001:db8::7")
	reply(doors[0], Unreached, 2, func(p *Reply) { p.Foreign, p.Source = 2, from })
	if !a.Foreign(r.d.Addresses[1], now) || a.Foreign(r.d.Addresses[0], now) || !slices.Equal(a.SeenFrom(now), []netip.Addr{from}) {
		t.Errorf("who is there, and where we come from: %v", a.SeenFrom(now))
	}
	reply(doors[2], Busy, 0, func(p *Reply) { p.Source = lie })
	if len(a.SeenFrom(now)) != 0 || len(a.SeenFrom(now.Add(2*time.Hour))) != 0 {
		t.Errorf("the word of one beside another: %v", a.SeenFrom(now))
	}
	if a.Unreached(r.d.Addresses[1], now.Add(2*time.Hour)) {
		t.Error("never tried again")
	}
	if !reply(doors[1], Vouched, 0, nil) || a.Unreached(r.d.Addresses[1], now) || !a.Reached(r.d.Addresses[1], now) {
		t.Error("one who says that it is not reached is believed before one who has reached it")
	}
	if reply(doors[2], Busy, 0, nil) || len(a.Vouchers(raw, Day(now))) != 1 {
		t.Error("vouchers")
	}
	if again := a.Ask(ids, raw, now.Add(time.Minute), Day(now)); len(again) != 1 {
		t.Errorf("knocks at %d doors a minute later", len(again))
	}
	if len(a.Vouchers(r.at("20.0.0.1:1").sign(t), Day(now))) != 0 {
		t.Error("a voucher for other addresses")
	}
	r.at("20.0.0.1:1", "21.0.0.1:1")
	if v := a.Vouchers(raw, Day(now)+9); len(v) != 0 {
		t.Error("a voucher for ever")
	}
	if again := a.Ask(ids[1:2], raw, now.Add(6*24*time.Hour), Day(now)+6); len(again) != 1 {
		t.Error("not renewed")
	}
}

func FuzzFrames(f *testing.F) {
	r := newRelay(f, 1)
	n := r.vouch(f, 7, newRelay(f, 2), newRelay(f, 3))
	f.Add(n.Append(nil))
	f.Add(Knock{Nonce: 1, Raw: r.sign(f)}.Append(nil))
	f.Add(Knock{Nonce: 1, Part: 3}.Append(nil))
	f.Add(Reply{Nonce: 1, Verdict: Vouched, Voucher: n.Vouchers[0]}.Append(nil))
	f.Add(Reply{Nonce: 1, Verdict: Unreached, Mask: 3, Foreign: 1, Source: netip.MustParseAddr("2001:db8::1")}.Append(nil))
	f.Add(Testimony{Nonce: 1, Time: start, Standing: ReachedItself, Sequence: 9}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := ParseNews(b); err == nil && !bytes.Equal(n.Append(nil), b) {
			t.Fatalf("news %x", b)
		}
		if k, err := ParseKnock(b); err == nil && k.Part == 0 && !bytes.Equal(k.Append(nil), b) {
			t.Fatalf("knock %x", b)
		}
		if p, err := ParseReply(b); err == nil && !bytes.Equal(p.Append(nil), b) {
			t.Fatalf("reply %x", b)
		}
		if s, err := ParseTestimony(b); err == nil && !bytes.Equal(s.Append(nil), b) {
			t.Fatalf("testimony %x", b)
		}
		if v, err := ParseVoucher(b); err == nil && !bytes.Equal(v.Append(nil), b) {
			t.Fatalf("voucher %x", b)
		}
		if n, err := ParseQuestion(b); err == nil && !bytes.Equal(binary.BigEndian.AppendUint64(nil, n), b) {
			t.Fatalf("question %x", b)
		}
	})
}

// TestChecksGoByAClockThatDoesNotJump: at any time of day learned, a relay that was
// reached is looked at again a day or so later, and not before.
func TestChecksGoByAClockThatDoesNotJump(t *testing.T) {
	for _, by := range []time.Duration{-365 * 24 * time.Hour, 10 * time.Minute, 365 * 24 * time.Hour} {
		now, steady := start, start
		dir := directory.New(directory.Config{Now: func() time.Time { return now }})
		r := newRelay(t, 3)
		w := New(Config{Directory: dir, Self: newRelay(t, 4).d.ID, Now: func() time.Time { return now }, Steady: func() time.Time { return steady }})
		if err := w.Reached(r.sign(t)); err != nil {
			t.Fatal(err)
		}

		f := w.files[r.d.ID]
		if left := f.check.Sub(steady); left < 20*time.Hour || left > 28*time.Hour {
			t.Errorf("the next check is in %v", left)
		}
		now = now.Add(by)
		steady = steady.Add(time.Minute)
		if due, wait := w.Due(8); len(due) != 0 || wait <= 0 || wait > time.Minute {
			t.Errorf("the time of day moved by %v: %d are due, wait %v", by, len(due), wait)
		}
		steady = steady.Add(28 * time.Hour)
		if due, _ := w.Due(8); len(due) != len(w.Others()) {
			t.Errorf("the time of day moved by %v: %d are due a day later", by, len(due))
		}
	}
}
