package directory

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// relay signs descriptors. Relay n always has the same identity.
type relay struct {
	key crypto.PrivKey
	d   Descriptor
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newRelay(tb testing.TB, n int) *relay {
	tb.Helper()
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n)+1)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		tb.Fatal(err)
	}
	r := &relay{key: key}
	id, err := wire.NodeIDFromKey(key.GetPublic())
	if err != nil {
		tb.Fatal(err)
	}
	r.d = Descriptor{
		ID: id, Sequence: 1, Issued: start, Expires: start.Add(3 * time.Hour), Capacity: 100,
		Epoch: FirstEpoch(start), Features: FeatureMailbox,
		Addresses: []Address{{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte{11, byte(n >> 8), byte(n), 1}), 4001)}},
	}
	r.newKeys(tb)
	r.promise(tb)
	return r
}

// promise fills in the fields that go with the time of issue.
func (r *relay) promise(tb testing.TB) {
	tb.Helper()
	r.d.Epoch = FirstEpoch(r.d.Issued)
	if err := r.d.Promise(r.key); err != nil {
		tb.Fatal(err)
	}
}

func (r *relay) newKeys(tb testing.TB) {
	for i := range r.d.Keys {
		k, err := outfox.NewPrivateKey()
		if err != nil {
			tb.Fatal(err)
		}
		r.d.Keys[i] = k.Public()
	}
}

func (r *relay) sign(tb testing.TB) []byte {
	tb.Helper()
	raw, err := r.d.Sign(r.key)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// at is a directory with a clock that stands still until it is moved.
func at(now *time.Time, private bool) *Directory {
	return New(Config{AllowPrivate: private, Now: func() time.Time { return *now }})
}

func TestAdd(t *testing.T) {
	now := start
	d := at(&now, false)
	r := newRelay(t, 1)
	first := r.sign(t)
	if err := d.Add(first); err != nil {
		t.Fatal(err)
	}
	if err := d.Add(first); !errors.Is(err, ErrStale) {
		t.Errorf("the same again: %v", err)
	}
	r.d.Sequence = 5
	if err := d.Add(r.sign(t)); err != nil {
		t.Errorf("newer: %v", err)
	}
	r.d.Sequence = 4
	if err := d.Add(r.sign(t)); !errors.Is(err, ErrStale) {
		t.Errorf("older: %v", err)
	}
	if err := d.Add(first); !errors.Is(err, ErrStale) {
		t.Errorf("replayed: %v", err)
	}
	for name, c := range map[string]struct {
		edit func(*Descriptor)
		want error
	}{
		"expired":     {func(d *Descriptor) { d.Issued, d.Expires = start.Add(-2*time.Hour), start }, ErrExpired},
		"from future": {func(d *Descriptor) { d.Issued = start.Add(MaxSkew + time.Second) }, ErrFuture},
		"loopback":    {func(d *Descriptor) { d.Addresses[0] = Address{AddrPort: netip.MustParseAddrPort("127.0.0.1:1")} }, ErrPrivate},
		"LAN": {func(d *Descriptor) {
			d.Addresses = append(d.Addresses, Address{AddrPort: netip.MustParseAddrPort("192.168.1.1:1")})
		}, ErrPrivate},
	} {
		r := newRelay(t, 2)
		c.edit(&r.d)
		if err := d.Add(r.sign(t)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r = newRelay(t, 3)
	r.d.Issued = start.Add(MaxSkew)
	if err := d.Add(r.sign(t)); err != nil {
		t.Errorf("a clock a little ahead: %v", err)
	}
	r = newRelay(t, 4)
	r.d.Addresses[0] = Address{AddrPort: netip.MustParseAddrPort("127.0.0.1:1")}
	if err := at(&now, true).Add(r.sign(t)); err != nil {
		t.Errorf("loopback where it is admitted: %v", err)
	}
}

// TestNoDoorInANetwork: relays of one network do not keep another out of it, but
// weigh less, all together as two. A relay may renew, move and leave, and its place
// is free again.
func TestNoDoorInANetwork(t *testing.T) {
	now := start
	d := at(&now, false)
	in := func(n int, network, host byte) *relay {
		r := newRelay(t, n)
		r.d.Addresses[0] = Address{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte{12, 0, network, host}), 1)}
		return r
	}
	var relays []*relay
	for n := range MaxPerNetwork {
		relays = append(relays, in(n, 1, byte(n)))
		if err := d.Add(relays[n].sign(t)); err != nil {
			t.Fatal(err)
		}
	}
	sum := 0.0
	for _, w := range d.Snapshot().Weights() {
		sum += w
	}
	if math.Abs(sum-NetworkWeight) > 1e-9 {
		t.Errorf("a network weighs %v", sum)
	}
	late := in(100, 1, 200)
	if err := d.Add(late.sign(t)); !errors.Is(err, ErrCrowded) {
		t.Errorf("one too many: %v", err)
	}
	if err := d.Add(in(101, 2, 1).sign(t)); err != nil {
		t.Errorf("of the next network: %v", err)
	}
	relays[0].d.Sequence++
	if err := d.Add(relays[0].sign(t)); err != nil {
		t.Errorf("renewed: %v", err)
	}
	relays[0].d.Sequence++
	relays[0].d.Addresses[0] = Address{AddrPort: netip.MustParseAddrPort("13.0.0.1:1")}
	if err := d.Add(relays[0].sign(t)); err != nil {
		t.Errorf("moved: %v", err)
	}
	if err := d.Add(late.sign(t)); err != nil {
		t.Errorf("after one has moved: %v", err)
	}
	if err := at(&now, true).Add(late.sign(t)); err != nil {
		t.Errorf("where private addresses are admitted: %v", err)
	}
	for n := range 3 {
		r := in(200+n, 9, 9)
		r.d.Addresses[0].AddrPort = netip.AddrPortFrom(r.d.Addresses[0].Addr(), uint16(n+1))
		if err := d.Add(r.sign(t)); (n < MaxPerAddress) != (err == nil) {
			t.Errorf("relay %d of one address: %v", n, err)
		}
	}
}

// TestFull: a full directory makes room at the cost of the youngest of the heaviest
// network, and never of one that was reached long ago.
func TestFull(t *testing.T) {
	now := start
	d := New(Config{Now: func() time.Time { return now }, MaxRelays: 5})
	in := func(n int, ip string) wire.NodeID {
		r := newRelay(t, n)
		r.d.Addresses[0] = Address{AddrPort: netip.MustParseAddrPort(ip)}
		if err := d.Add(r.sign(t)); err != nil {
			t.Fatal(n, err)
		}
		return r.d.ID
	}
	old := in(0, "12.0.0.1:1")
	d.Reached(old, now.Add(-8*24*time.Hour))
	reached := in(1, "12.0.1.1:1")
	d.Reached(reached, now.Add(-time.Hour))
	unreached := in(2, "12.0.2.1:1")
	in(3, "13.0.0.1:1")
	in(4, "14.0.0.1:1")
	gone := func(ids ...wire.NodeID) (n int) {
		for _, id := range ids {
			if _, ok := d.Find(id); !ok {
				n++
			}
		}
		return n
	}
	in(5, "15.0.0.1:1")
	if gone(unreached) != 1 || gone(old, reached) != 0 {
		t.Error("another went than the one nobody has reached in the heaviest network")
	}
	for _, e := range d.relays {
		d.Reached(e.ID, now.Add(-8*24*time.Hour))
	}
	r := newRelay(t, 9)
	if err := d.Add(r.sign(t)); !errors.Is(err, ErrFull) {
		t.Errorf("somebody known for long went: %v", err)
	}
	now = start.Add(3 * time.Hour)
	r.d.Issued, r.d.Expires = now, now.Add(time.Hour)
	r.promise(t)
	if err := d.Add(r.sign(t)); err != nil {
		t.Errorf("after all have expired: %v", err)
	}
}

// TestLiarsBounded: a flood of proofs is remembered in bounded number.
func TestLiarsBounded(t *testing.T) {
	d := New(Config{Now: func() time.Time { return start }})
	for i := range 2 * MaxLiars {
		d.convict(wire.NodeID{byte(i), byte(i >> 8), 7}, convicted)
	}
	if len(d.liars) != MaxLiars {
		t.Errorf("%d are remembered", len(d.liars))
	}
}

// TestYoung: a relay known for less than half as long as most is young; in a young
// network minutes are long, in an old one a week is.
func TestYoung(t *testing.T) {
	for name, c := range map[string]struct {
		ages []time.Duration
		want string
	}{
		"alone":       {[]time.Duration{0}, "-"},
		"five":        {[]time.Duration{5 * time.Minute, 4 * time.Minute, 4 * time.Minute, 3 * time.Minute, time.Second}, "----y"},
		"old":         {[]time.Duration{900 * time.Hour, 800 * time.Hour, 700 * time.Hour, 169 * time.Hour, 167 * time.Hour}, "----y"},
		"unreached":   {[]time.Duration{time.Hour, time.Hour, -1}, "--y"},
		"none at all": {[]time.Duration{-1, -1}, "yy"},
	} {
		s := &Snapshot{now: start}
		for _, age := range c.ages {
			since := start.Add(-age)
			if age < 0 {
				since = time.Time{}
			}
			s.Relays = append(s.Relays, &Descriptor{})
			s.since = append(s.since, since)
		}
		got := ""
		for _, young := range s.Young() {
			got += map[bool]string{false: "-", true: "y"}[young]
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestNews: a relay that toggles is heard four times and then once in ten minutes; a
// farewell once more; and its last word is not lost.
func TestNews(t *testing.T) {
	now := start
	d := New(Config{Now: func() time.Time { return now }, News: true})
	r := newRelay(t, 1)
	r.d.Expires = start.Add(20 * time.Hour)
	taken := 0
	for range 1200 { // twice a minute
		r.d.Sequence++
		r.d.Capacity ^= 1
		err := d.Add(r.sign(t))
		if err == nil {
			taken++
		} else if !errors.Is(err, ErrOften) {
			t.Fatal(err)
		}
		now = now.Add(30 * time.Second)
	}
	if most := 10*6 + NewsBurst + 1; taken > most || taken < most-2 {
		t.Errorf("%d in ten hours", taken)
	}
	now = now.Add(NewsEvery)
	if d.Late(); d.relays[r.d.ID].Sequence != r.d.Sequence {
		t.Errorf("the last word was %d, not %d", r.d.Sequence, d.relays[r.d.ID].Sequence)
	}
	// It starts again, and says that it leaves.
	for range 2 * NewsBurst {
		now = now.Add(time.Second)
		r.d.Sequence, r.d.Capacity = r.d.Sequence+1, 1
		d.Add(r.sign(t))
	}
	r.d.Sequence, r.d.Capacity = r.d.Sequence+1, 0
	if err := d.Add(r.sign(t)); err != nil {
		t.Errorf("farewell: %v", err)
	}
}

// TestSnapshot: the digest depends on the entries held and not on the order they came
// in; expiry and leaving show.
func TestSnapshot(t *testing.T) {
	now := start
	a, b := at(&now, false), at(&now, false)
	var raws [][]byte
	for n := range 20 {
		raws = append(raws, newRelay(t, n).sign(t))
	}
	for i := range raws {
		a.Add(raws[i])
		b.Add(raws[len(raws)-1-i])
	}
	if a.Snapshot().Digest != b.Snapshot().Digest {
		t.Error("digests differ by order")
	}
	if first := a.Snapshot(); first != a.Snapshot() {
		t.Error("a snapshot is made anew without a change")
	}
	if !slices.IsSortedFunc(a.Snapshot().Relays, func(x, y *Descriptor) int { return bytes.Compare(x.ID[:], y.ID[:]) }) {
		t.Error("not ordered")
	}
	changed := a.Changed()
	r := newRelay(t, 3)
	r.d.Sequence, r.d.Capacity = 2, 0
	if err := a.Add(r.sign(t)); err != nil {
		t.Fatal(err)
	}
	<-changed
	if _, ok := a.Snapshot().Find(r.d.ID); ok || len(a.Snapshot().Relays) != 19 {
		t.Error("a relay that leaves is still listed")
	}
	if d, ok := a.Find(r.d.ID); !ok || !d.Leaving() {
		t.Error("its farewell is forgotten")
	}
	if a.Snapshot().Digest == b.Snapshot().Digest {
		t.Error("digests do not differ")
	}
	now = start.Add(4 * time.Hour)
	if len(a.Snapshot().Relays) != 0 || a.Snapshot().Digest != at(&now, false).Snapshot().Digest {
		t.Error("expired relays are still there")
	}
	if _, ok := a.Find(r.d.ID); ok || len(a.Raw(100)) != 0 {
		t.Error("expired relays are still found")
	}
}

// TestAnswer reads a directory in pages, then only the news.
func TestAnswer(t *testing.T) {
	now := start
	src := at(&now, false)
	const relays = 300
	for n := range relays {
		if err := src.Add(newRelay(t, n).sign(t)); err != nil {
			t.Fatal(err)
		}
	}
	dst := at(&now, false)
	req := Request{Nonce: 42, Pages: 4}
	pull := func() (pages, got int) {
		for {
			req.Digest = dst.Snapshot().Digest
			r, err := ParseRequest(req.Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			var last PageState
			n := 0
			src.Answer(r, func(p *Page) bool {
				b := p.Append(nil)
				if len(b) > wire.MaxBody {
					t.Fatalf("a page of %d bytes", len(b))
				}
				p, err := ParsePage(b)
				if err != nil || p.Nonce != 42 {
					t.Fatalf("page: %v", err)
				}
				for _, e := range p.Entries {
					if err := dst.Take(e); err != nil {
						t.Fatal(err)
					}
				}
				pages++
				n++
				got += len(p.Entries)
				req.Instance, req.After, last = p.Instance, p.Stamp, p.State
				return true
			})
			if n > 4 {
				t.Fatalf("%d pages at once", n)
			}
			if last == PageLast || last == PageSame {
				return pages, got
			}
		}
	}
	if _, got := pull(); got != relays || dst.Snapshot().Digest != src.Snapshot().Digest {
		t.Fatalf("got %d", got)
	}
	if pages, got := pull(); pages != 1 || got != 0 {
		t.Errorf("nothing new: %d pages, %d descriptors", pages, got)
	}
	for _, n := range []int{5, 7, 301} {
		r := newRelay(t, n)
		r.d.Sequence = 2
		if err := src.Add(r.sign(t)); err != nil {
			t.Fatal(err)
		}
	}
	if pages, got := pull(); pages != 1 || got != 3 {
		t.Errorf("three new: %d pages, %d descriptors", pages, got)
	}
	// Another instance knows nothing of our stamp.
	req.Instance[0] ^= 1
	dst = at(&now, false)
	if _, got := pull(); got != relays+1 {
		t.Errorf("another instance: %d descriptors", got)
	}
}

// TestNarrowRequest: a narrow request gets the descriptors it asks for.
func TestNarrowRequest(t *testing.T) {
	now := start
	d := at(&now, false)
	const relays = 100
	for n := range relays {
		r := newRelay(t, n)
		r.d.Issued = start.Add(time.Duration(n-relays) * time.Minute)
		r.d.Expires = r.d.Issued.Add(24 * time.Hour)
		if err := d.Add(r.sign(t)); err != nil {
			t.Fatal(err)
		}
	}
	get := func(n *Narrow) (got []*Descriptor) {
		r, err := ParseRequest(Request{Nonce: 1, Pages: MaxPages, Narrow: n}.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		d.Answer(r, func(p *Page) bool {
			for _, e := range p.Entries {
				desc, err := Parse(e.Raw)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, desc)
			}
			return true
		})
		return got
	}
	if n := len(get(nil)); n != relays {
		t.Errorf("%d of %d relays", n, relays)
	}
	if n := len(get(&Narrow{})); n != relays {
		t.Errorf("%d of %d relays for an empty sketch", n, relays)
	}
	if n := len(get(&Narrow{Issued: start.Add(-30 * time.Minute)})); n != 30 {
		t.Errorf("%d relays of the last 30 minutes", n)
	}
	same := d.Snapshot().Sketch
	if n := len(get(&Narrow{Sketch: same})); n != 0 {
		t.Errorf("%d relays for the same sketch", n)
	}
	first := d.Snapshot().Relays[0].ID[0]
	same[first][7] ^= 1
	got := get(&Narrow{Sketch: same})
	if len(got) == 0 {
		t.Error("no relay of the bucket that differs")
	}
	for _, desc := range got {
		if desc.ID[0] != first {
			t.Error("a relay of another bucket")
		}
	}
	long := Request{Nonce: 1, Pages: 1, Narrow: &Narrow{Issued: time.Unix(lastSecond, 0)}}.Append(nil)
	for n := range long {
		if n == requestSize {
			continue
		}
		if _, err := ParseRequest(long[:n]); err == nil {
			t.Errorf("cut at %d: accepted", n)
		}
	}
	if _, err := ParseRequest(append(long, 0)); err == nil {
		t.Error("a byte too many: accepted")
	}
	long[requestSize+1] = 255
	if _, err := ParseRequest(long); err == nil {
		t.Error("a time beyond all times: accepted")
	}
}

// TestLogBounded: a relay that renews for ever does not make the log grow.
func TestLogBounded(t *testing.T) {
	now := start
	d := at(&now, false)
	r := newRelay(t, 1)
	for range 1000 {
		r.d.Sequence++
		if err := d.Add(r.sign(t)); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.log) > 2*64 {
		t.Errorf("%d entries for one relay", len(d.log))
	}
}

func TestHint(t *testing.T) {
	for _, s := range []string{
		"/ip4/9.9.9.9/tcp/4001/p2p/12D3KooWQjTEuAxgEwsPgmqDnTBfKyHpPWLbhsQ3g4i7SwaseQgD",
		"/ip6/2a01:4f8::1/tcp/4001/p2p/12D3KooWQjTEuAxgEwsPgmqDnTBfKyHpPWLbhsQ3g4i7SwaseQgD",
	} {
		h, err := ParseBootstrap(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.Multiaddrs()[0].String(); got != s {
			t.Errorf("%s became %s", s, got)
		}
		b := h.Append(nil)
		if len(b) > HintMax {
			t.Errorf("%d bytes", len(b))
		}
		if again, err := ParseHint(b); err != nil || !reflect.DeepEqual(again, h) {
			t.Errorf("%v: %v", again, err)
		}
		for n := range b {
			if _, err := ParseHint(b[:n]); err == nil {
				t.Errorf("cut at %d: accepted", n)
			}
		}
		if _, err := ParseHint(append(b, 0)); err == nil {
			t.Error("a byte too many: accepted")
		}
	}
	for _, s := range []string{
		"", "/", "/ip4/9.9.9.9/tcp/4001", "/ip4/9.9.9.9/udp/1/quic-v1/p2p/12D3KooWQjTEuAxgEwsPgmqDnTBfKyHpPWLbhsQ3g4i7SwaseQgD",
		"/dns4/a.b/tcp/1/p2p/12D3KooWQjTEuAxgEwsPgmqDnTBfKyHpPWLbhsQ3g4i7SwaseQgD",
		"/ip4/0.0.0.0/tcp/1/p2p/12D3KooWQjTEuAxgEwsPgmqDnTBfKyHpPWLbhsQ3g4i7SwaseQgD",
		"/p2p/12D3KooWQjTEuAxgEwsPgmqDnTBfKyHpPWLbhsQ3g4i7SwaseQgD",
		"/ip4/9.9.9.9/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
	} {
		if h, err := ParseBootstrap(s); err == nil {
			t.Errorf("%q is accepted as %v", s, h)
		}
	}
}

func FuzzPage(f *testing.F) {
	p := Page{Nonce: 1, Stamp: 2, Time: start, Entries: []Entry{{VouchedOnly, newRelay(f, 1).sign(f)}, {7, newRelay(f, 2).sign(f)}}}
	f.Add(p.Append(nil))
	f.Add((&Page{State: PageSame}).Append(nil))
	f.Add((&Page{State: PageLast, Entries: []Entry{{VouchedOnly, make([]byte, renewalSize+32)}, {VouchedOnly, make([]byte, nameSize)}}}).Append(nil))
	f.Add(Request{Nonce: 1, Pages: 1, Whole: 9, Names: true}.Append(nil))
	f.Add(Request{Nonce: 1, Pages: 1}.Append(nil))
	f.Add(Request{Nonce: 1, Pages: 1, Narrow: &Narrow{Issued: start, Sketch: Sketch{255: {1}}}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParsePage(b); err == nil && !bytes.Equal(p.Append(nil), b) {
			t.Fatalf("%x is not written as it was read", b)
		}
		if r, err := ParseRequest(b); err == nil && !bytes.Equal(r.Append(nil), b) {
			t.Fatalf("%x is not written as it was read", b)
		}
	})
}

func FuzzHint(f *testing.F) {
	f.Add(Hint{Addresses: []Address{{AddrPort: netip.MustParseAddrPort("9.9.9.9:1")}}}.Append(nil))
	f.Add(Hint{Addresses: []Address{{AddrPort: netip.MustParseAddrPort("[2a01::9]:1")}, web("a.example")}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		// An address of another kind is passed over and not written again.
		if h, err := ParseHint(b); err == nil && !bytes.Equal(h.Append(nil), b) && !otherKind(b[wire.NodeIDSize:]) {
			t.Fatalf("%x is not written as it was read", b)
		}
	})
}

// BenchmarkDirectory measures a directory at its bound: adding, taking a snapshot after
// a change, and answering an asker that has all but one.
func BenchmarkDirectory(b *testing.B) {
	now := start
	raws := make([][]byte, MaxRelays)
	for n := range raws {
		raws[n] = newRelay(b, n).sign(b)
	}
	b.Run(fmt.Sprint("Add/", MaxRelays), func(b *testing.B) {
		for range b.N {
			d := at(&now, false)
			for _, raw := range raws {
				if err := d.Add(raw); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	d := at(&now, false)
	for _, raw := range raws {
		d.Add(raw)
	}
	r := newRelay(b, 0)
	b.Run("Snapshot", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			r.d.Sequence++
			d.Add(r.sign(b))
			b.StartTimer()
			d.Snapshot()
		}
	})
	b.Run("Answer", func(b *testing.B) {
		req := Request{Instance: d.instance, After: d.stamp - 1, Pages: 1}
		for range b.N {
			d.Answer(req, func(*Page) bool { return true })
		}
	})
}

// TestShift: when a clock was wrong, times noted by it move with it; nobody is reached
// in the future.
func TestShift(t *testing.T) {
	for _, by := range []time.Duration{-2 * time.Hour, 2 * time.Hour} {
		now := start
		d := New(Config{Now: func() time.Time { return now }, News: true})
		r := newRelay(t, 1)
		r.d.Issued, r.d.Expires = start.Add(-3*time.Hour), start.Add(24*time.Hour)
		if err := d.Add(r.sign(t)); err != nil {
			t.Fatal(err)
		}
		d.Reached(r.d.ID, now.Add(-time.Minute))
		now = now.Add(by)
		d.Shift(by)
		if age := now.Sub(d.Since(r.d.ID)); age != time.Minute {
			t.Errorf("shifted by %v: reached %v ago", by, age)
		}
		for range NewsBurst - 1 {
			r.d.Sequence++
			if err := d.Add(r.sign(t)); err != nil {
				t.Errorf("shifted by %v: news %d: %v", by, r.d.Sequence, err)
			}
		}

		d.Shift(time.Hour)
		if d.Since(r.d.ID).After(now) {
			t.Error("reached in the future")
		}
	}
}

func FuzzParseBootstrap(f *testing.F) {
	f.Add("/ip4/9.9.9.9/tcp/4001/p2p/12D3KooWGC5kTgGLWVT9Sk8zECbFDvCBvnbgfaBbBF8mfVqJT5Zm")
	f.Add("/dns4/a.example/tcp/443/p2p/x")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := ParseBootstrap(s); err == nil && (h.ID.IsZero() || len(h.Addresses) == 0) {
			t.Fatalf("%q names nobody: %+v", s, h)
		}
	})
}
