package directory

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"starling/p2p/outfox"
)

// timely gives a relay the sequence of its time, and a life as in a large network.
func (r *relay) timely(tb testing.TB) *relay {
	tb.Helper()
	r.d.Sequence = uint64(r.d.Issued.UnixMilli()) + 7
	r.d.Expires = r.d.Issued.Add(MaxLifetime)
	r.promise(tb)
	return r
}

// renew has a relay say the same again later, with keys for the days that are new.
func (r *relay) renew(tb testing.TB, later time.Duration) *relay {
	tb.Helper()
	old := r.d.Epoch
	r.d.Issued = r.d.Issued.Add(later)
	r.timely(tb)
	before := r.d.Keys
	r.newKeys(tb)
	if gone := r.d.Epoch - old; gone < keyCount {
		copy(r.d.Keys[:], before[gone:])
	}
	return r
}

// TestRenewal: whatever changes of a descriptor is in its renewal, or it has none. What
// comes out is the descriptor to the byte.
func TestRenewal(t *testing.T) {
	const day = 24 * time.Hour
	key := outfox.PublicKeySize
	for name, c := range map[string]struct {
		later time.Duration
		edit  func(*relay)
		want  int // bytes, 0: none
	}{
		"the next day":                     {day, nil, renewalSize + key},
		"the same day":                     {time.Hour, nil, renewalSize},
		"in a moment":                      {time.Second, nil, renewalSize},
		"two days later":                   {2 * day, nil, renewalSize + 2*key},
		"three days later":                 {3 * day, nil, renewalSize + 3*key},
		"a month later":                    {20 * day, nil, renewalSize + 3*key + saltsSize},
		"longer than its sequence can say": {25 * day, nil, 0},
		"after a restart":                  {day, func(r *relay) { r.newKeys(t) }, renewalSize + 3*key},
		"with the next salt":               {WindowLength, nil, renewalSize + 3*key + saltsSize},
		"leaving":                          {day, func(r *relay) { r.d.Capacity = 0 }, 0},
		"with other features":              {day, func(r *relay) { r.d.Features++ }, 0},
		"with a family":                    {day, func(r *relay) { r.d.Family = []Prefix{{1}} }, 0},
		"elsewhere":                        {day, func(r *relay) { r.d.Addresses[0] = web("a.example") }, 0},
		"at another port":                  {day, func(r *relay) { r.d.Addresses[0] = Address{AddrPort: netip.MustParseAddrPort("11.0.1.1:99")} }, 0},
		"for a shorter time":               {day, func(r *relay) { r.d.Expires = r.d.Expires.Add(-time.Second) }, 0},
		"with a number that is no time":    {day, func(r *relay) { r.d.Sequence += 1000 }, 0},
		"late in its second":               {day, func(r *relay) { r.d.Sequence += 992 }, renewalSize + key},
	} {
		r := newRelay(t, 1).timely(t)
		before := r.sign(t)
		r.renew(t, c.later)
		if c.edit != nil {
			c.edit(r)
		}
		after := r.sign(t)
		size := renewalOf(before, after)
		if size != c.want {
			t.Errorf("%s: a renewal of %d bytes, want %d", name, size, c.want)
		}
		if size == 0 {
			continue
		}
		made, err := renewed(before, cutRenewal(after, size))
		if err != nil || !bytes.Equal(made, after) {
			t.Errorf("%s: another descriptor comes out: %v", name, err)
		}
		if _, err := renewed(after, cutRenewal(after, size)); !errors.Is(err, ErrStale) {
			t.Errorf("%s: twice: %v", name, err)
		}
	}
}

// TestRenewalOfTheNextWindow: the first renewal of a window has a key and the salts.
func TestRenewalOfTheNextWindow(t *testing.T) {
	r := newRelay(t, 1)
	r.d.Issued = time.Unix(int64(Window(start)+1)*int64(WindowLength/time.Second), 0).Add(-time.Hour)
	before := r.timely(t).sign(t)
	after := r.renew(t, 24*time.Hour).sign(t)
	size := renewalOf(before, after)
	if want := renewalSize + outfox.PublicKeySize + saltsSize; size != want {
		t.Fatalf("%d bytes, want %d", size, want)
	}
	if made, err := renewed(before, cutRenewal(after, size)); err != nil || !bytes.Equal(made, after) {
		t.Errorf("another descriptor comes out: %v", err)
	}
}

// TestRenewalsAreAnswered: who had the descriptor before gets a renewal, everybody else
// the whole: who missed one, who has heard less of it, who asks another instance or for
// whole ones; and of relays that begin alike nobody is told by reference.
func TestRenewalsAreAnswered(t *testing.T) {
	now := start
	d := at(&now, false)
	r := newRelay(t, 1).timely(t)
	say := func() {
		t.Helper()
		if err := d.Add(r.sign(t)); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(instance [8]byte, after, whole uint64) (e Entry) {
		t.Helper()
		n := 0
		d.Answer(Request{Nonce: 1, Pages: 1, Instance: instance, After: after, Whole: whole}, func(p *Page) bool {
			b := p.Append(nil)
			p, err := ParsePage(b)
			if err != nil {
				t.Fatal(err)
			}
			for _, e = range p.Entries {
				n++
			}
			return true
		})
		if n != 1 {
			t.Fatalf("%d entries", n)
		}
		return e
	}
	say()
	first := d.stamp
	now = now.Add(24 * time.Hour)
	r.renew(t, 24*time.Hour)
	say()
	second := d.stamp

	if e := ask(d.instance, first, first); !e.Renews() || e.size() != 106 {
		t.Errorf("who had the one before gets %d bytes", e.size())
	}
	for name, e := range map[string]Entry{
		"another instance":              ask([8]byte{1}, first, first),
		"never had all":                 ask(d.instance, first, 0),
		"had all before there was one":  ask(d.instance, 0, first-1),
		"of another instance, any word": ask([8]byte{}, 1<<63, 1<<63),
	} {
		if e.Renews() {
			t.Errorf("%s: a renewal", name)
		}
	}

	// That it was reached is said with the whole, and the next renewal is of that.
	d.Reached(r.d.ID, now)
	if e := ask(d.instance, second, second); e.Renews() || e.Known != 0 {
		t.Errorf("reached since: %+v", e)
	}
	third := d.stamp
	now = now.Add(24 * time.Hour)
	r.renew(t, 24*time.Hour)
	say()
	if e := ask(d.instance, second, second); e.Renews() {
		t.Error("a renewal of one that the asker was not told")
	}
	if e := ask(d.instance, third, third); !e.Renews() {
		t.Error("no renewal a day later")
	}
}

// TestRenewalOfTwins: two relays that begin alike are not completed by reference.
func TestRenewalOfTwins(t *testing.T) {
	now := start
	d := at(&now, false)
	r := newRelay(t, 1).timely(t)
	if err := d.Add(r.sign(t)); err != nil {
		t.Fatal(err)
	}
	before := d.Signed(r.d.ID)
	after := r.renew(t, 24*time.Hour).sign(t)
	renewal := cutRenewal(after, renewalOf(before, after))
	if made, err := d.Complete(renewal); err != nil || !bytes.Equal(made, after) {
		t.Fatalf("alone: %v", err)
	}

	twin := *d.order[0].Descriptor
	twin.ID[31] ^= 1
	d.order = append(d.order, &entry{Descriptor: &twin, raw: before})
	if _, err := d.Complete(renewal); !errors.Is(err, ErrLacking) {
		t.Errorf("of two: %v", err)
	}
	d.order = nil
	if _, err := d.Complete(renewal); !errors.Is(err, ErrLacking) {
		t.Errorf("of none: %v", err)
	}
}

// TestRenewalLies: a lie in any bit of a renewal, in all its sizes, and any number of
// random ones: no descriptor is taken that its relay did not sign.
func TestRenewalLies(t *testing.T) {
	tries := 20_000
	if testing.Short() {
		tries = 2_000
	}
	now := start
	d := at(&now, false)
	r := newRelay(t, 1).timely(t)
	before := r.sign(t)
	if err := d.Add(before); err != nil {
		t.Fatal(err)
	}
	now = now.Add(24 * time.Hour)
	after := r.renew(t, 24*time.Hour).sign(t)
	honest := cutRenewal(after, renewalOf(before, after))
	lie := func(what string, b []byte) {
		t.Helper()
		raw, err := d.Complete(b)
		if err == nil {
			err = d.Add(raw)
		}
		if err == nil || !bytes.Equal(d.Signed(r.d.ID), before) {
			t.Fatalf("%s: taken: %x", what, b)
		}
	}

	for bit := range 8 * len(honest) {
		b := bytes.Clone(honest)
		b[bit/8] ^= 1 << (bit % 8)
		lie("a bit", b)
	}
	for n := range renewalSize + keysSize + saltsSize + 2 {
		// Cut short, or with more behind.
		if n != len(honest) {
			lie("another size", append(bytes.Clone(honest), make([]byte, 256)...)[:n])
		}
	}
	old := newRelay(t, 1).timely(t)
	lie("of long ago", cutRenewal(old.renew(t, -time.Hour).sign(t), renewalSize))
	lie("of now", cutRenewal(before, renewalSize))

	// The signatures of others, and of other days, under the right reference.
	other := newRelay(t, 2).timely(t).renew(t, 24*time.Hour).sign(t)
	lie("of another relay", slices.Concat(honest[:4], cutRenewal(other, len(honest))[4:]))
	lie("with the signature before", slices.Concat(honest[:len(honest)-signatureSize], before[len(before)-signatureSize:]))

	src := rand.NewChaCha8([32]byte{1})
	rnd := rand.New(src)
	for range tries {
		size := renewalSize + rnd.IntN(keyCount+1)*outfox.PublicKeySize + rnd.IntN(2)*saltsSize
		b := make([]byte, size)
		src.Read(b)
		copy(b, honest[:4])
		if rnd.IntN(2) == 0 { // at a time that may be
			binary.BigEndian.PutUint32(b[4:], uint32(r.d.Sequence)+uint32(rnd.IntN(2000)))
		}
		lie("a random one", b)
	}
	if raw, err := d.Complete(honest); err != nil || d.Add(raw) != nil || !bytes.Equal(raw, after) {
		t.Errorf("the truth: %v", err)
	}
}

// TestRenewalOfAnySequence: a relay whose number is at the end of all numbers has no
// renewals, and nothing overflows.
func TestRenewalOfAnySequence(t *testing.T) {
	for _, sequence := range []uint64{0, 1, 1 << 31, 1<<32 - 1, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		r := newRelay(t, 1)
		r.d.Sequence = sequence
		raw := r.sign(t)
		for _, low := range []uint32{0, 1, 1 << 30, 1<<31 - 1, 1 << 31, 1<<32 - 1, uint32(sequence), uint32(sequence) + 1} {
			for keys := range keyCount + 1 {
				b := make([]byte, renewalSize+keys*outfox.PublicKeySize)
				binary.BigEndian.PutUint32(b[4:], low)
				made, err := renewed(raw, b)
				if err != nil {
					continue
				}
				if s := binary.BigEndian.Uint64(made[sequenceAt:]); s <= sequence || uint32(s) != low || s-sequence >= 1<<31 {
					t.Errorf("%d became %d by %d", sequence, s, low)
				}
			}
		}
	}
}

// FuzzRenewal: of any bytes comes nothing, or a descriptor of the same relay in the same
// place, with a higher number; its own renewal is what was read, or shorter.
func FuzzRenewal(f *testing.F) {
	r := newRelay(f, 1).timely(f)
	before := r.sign(f)
	for _, later := range []time.Duration{time.Hour, 24 * time.Hour, WindowLength} {
		r := newRelay(f, 1).timely(f)
		after := r.renew(f, later).sign(f)
		f.Add(cutRenewal(after, renewalOf(before, after)))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		made, err := renewed(before, b)
		if err != nil {
			return
		}
		if len(made) != len(before) || !bytes.Equal(made[:sequenceAt], before[:sequenceAt]) ||
			!bytes.Equal(made[saltsAt+saltsSize:len(made)-signatureSize], before[saltsAt+saltsSize:len(before)-signatureSize]) ||
			binary.BigEndian.Uint64(made[sequenceAt:]) <= r.d.Sequence {
			t.Fatalf("%x makes %x", b, made)
		}
		if size := renewalOf(before, made); size == 0 || size > len(b) {
			t.Fatalf("%x is written in %d bytes", b, size)
		}
	})
}
