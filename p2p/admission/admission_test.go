package admission

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

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
