package directory

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"starling/p2p/outfox"
)

// nameOf returns the name of a descriptor.
func nameOf(raw []byte) []byte { return cutRenewal(raw, renewalSize)[:nameSize] }

// TestNames: the name of a descriptor makes the digest that of whoever said it, before
// and after the descriptor is brought by another, so that nobody can tell whether it was.
func TestNames(t *testing.T) {
	now := start
	said, brings, d := at(&now, false), at(&now, false), at(&now, false)
	r, other := newRelay(t, 1).timely(t), newRelay(t, 2).timely(t)
	for _, dir := range []*Directory{said, brings, d} {
		dir.Add(r.sign(t))
		dir.Add(other.sign(t))
	}
	same := func() bool {
		return d.Snapshot().Digest == said.Snapshot().Digest && d.Snapshot().Sketch == said.Snapshot().Sketch
	}
	before := d.Signed(r.d.ID)
	now = now.Add(24 * time.Hour)
	r.renew(t, 24*time.Hour)
	after := r.sign(t)
	if err := said.Add(after); err != nil || same() {
		t.Fatalf("nothing new: %v", err)
	}

	if err := d.Name(nameOf(after)); err != nil || !same() {
		t.Fatalf("a name changes no digest: %v", err)
	}
	if held, _ := d.Find(r.d.ID); held.Sequence == r.d.Sequence || !bytes.Equal(d.Signed(r.d.ID), before) {
		t.Error("a name makes a descriptor")
	}
	d.Resolve(brings) // which has nothing new
	if !bytes.Equal(d.Signed(r.d.ID), before) || !same() {
		t.Error("something came of nothing")
	}
	brings.Add(after)
	if d.Resolve(brings); !bytes.Equal(d.Signed(r.d.ID), after) || !same() || len(d.named) > 0 {
		t.Error("what was brought is not taken")
	}

	// A later name stands beside an earlier descriptor.
	now = now.Add(time.Hour)
	between := r.renew(t, time.Minute).sign(t)
	said.Add(r.renew(t, time.Hour-time.Minute).sign(t))
	d.Name(nameOf(r.sign(t)))
	if err := d.Add(between); err != nil || !same() {
		t.Errorf("the name is forgotten: %v", err)
	}
	d.Resolve(said)

	// One that nobody brings: the name is forgotten, and the difference is seen again.
	now = now.Add(time.Hour)
	said.Add(r.renew(t, time.Hour).sign(t))
	d.Name(nameOf(r.sign(t)))
	if d.Unname(time.Now().Add(-time.Hour)) || !same() {
		t.Error("forgotten at once")
	}
	if !d.Unname(time.Now().Add(time.Second)) || same() || d.Unname(time.Now().Add(time.Second)) {
		t.Error("never forgotten")
	}

	// One that is over is over, whatever its name.
	now = now.Add(-time.Hour)
	d.Name(nameOf(r.sign(t)))
	now = now.Add(50 * time.Hour)
	if n := len(d.Snapshot().Relays); n != 0 || len(d.named) != 0 {
		t.Errorf("%d relays, %d names", n, len(d.named))
	}
}

// TestNamed: only descriptors that live long, and have keys of the one before, are named
// to who asks for names and had that one.
func TestNamed(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		edit  func(*relay)
		names bool // in place of renewals
		had   bool
		want  int // bytes
	}{
		"the next day":             {func(*relay) {}, true, true, nameSize},
		"for who asks for no name": {func(*relay) {}, false, true, renewalSize + outfox.PublicKeySize},
		"for who had nothing":      {func(*relay) {}, true, false, leastDescriptor},
		"after a restart":          {func(r *relay) { r.newKeys(t) }, true, true, leastDescriptor},
		"leaving":                  {func(r *relay) { r.d.Capacity = 0 }, true, true, leastDescriptor},
	} {
		now := start
		d := at(&now, false)
		r := newRelay(t, 1).timely(t)
		d.Add(r.sign(t))
		first := d.stamp
		now = now.Add(day)
		r.renew(t, day)
		c.edit(r)
		d.Add(r.sign(t))
		q := Request{Nonce: 1, Pages: 1, Instance: d.instance, After: first, Whole: first, Names: c.names}
		if !c.had {
			q.Whole = 0
		}
		d.Answer(q, func(p *Page) bool {
			if len(p.Entries) != 1 || len(p.Entries[0].Raw) != c.want {
				t.Errorf("%s: %d entries, of %d bytes", name, len(p.Entries), len(p.Entries[0].Raw))
			}
			return true
		})
	}

	// In a small network they live for some hours, and nobody could wait for them.
	now := start
	d := at(&now, false)
	r := newRelay(t, 1).timely(t)
	for _, later := range []time.Duration{0, time.Hour} {
		now = now.Add(later)
		r.renew(t, later)
		r.d.Expires = r.d.Issued.Add(3 * time.Hour)
		d.Add(r.sign(t))
	}
	d.Answer(Request{Nonce: 1, Pages: 1, Instance: d.instance, After: 1, Whole: 1, Names: true}, func(p *Page) bool {
		if len(p.Entries) != 1 || !p.Entries[0].Renews() {
			t.Errorf("of a short life: %d entries", len(p.Entries))
		}
		return true
	})
}

// TestNamesLie: a name is of one relay that is held, of a later descriptor, and long-lived; one
// brings only what renews the descriptor that is held. Nobody is convicted by a name.
func TestNamesLie(t *testing.T) {
	now := start
	d := at(&now, false)
	r, short := newRelay(t, 1).timely(t), newRelay(t, 2)
	d.Add(r.sign(t))
	d.Add(short.sign(t))
	before := d.Signed(r.d.ID)
	r.renew(t, 24*time.Hour)
	name := nameOf(r.sign(t))
	for what, c := range map[string]struct {
		name []byte
		want error
	}{
		"cut short":     {name[:7], ErrMalformed},
		"longer":        {append(slices.Clone(name), 0), ErrMalformed},
		"of nobody":     {append([]byte{1, 2, 3, 4}, name[4:]...), ErrLacking},
		"of the same":   {nameOf(before), ErrStale},
		"of before":     {append(slices.Clone(name[:4]), 0, 0, 0, 0), nil},
		"of short life": {append(slices.Clone(short.d.ID[:4]), 0, 0, 0, 2), ErrLacking},
	} {
		if what == "of before" {
			old := newRelay(t, 1).timely(t).renew(t, -time.Hour)
			c.name, c.want = nameOf(old.sign(t)), ErrStale
		}
		if err := d.Name(c.name); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(d.named) > 0 {
		t.Errorf("%d names", len(d.named))
	}

	now = now.Add(24 * time.Hour)
	moved := *r
	moved.d.Addresses = slices.Clone(r.d.Addresses)
	moved.d.Addresses[0].AddrPort = netip.MustParseAddrPort("11.0.1.1:99")
	liar := *r
	liar.d.Salt[0] ^= 1
	for what, raw := range map[string][]byte{"one at another address": moved.sign(t), "one with two faces": liar.sign(t)} {
		brings := at(&now, false)
		if err := brings.Add(raw); err != nil {
			t.Fatal(err)
		}
		d.Name(name)
		if d.Resolve(brings); !bytes.Equal(d.Signed(r.d.ID), before) || len(d.Liars()) > 0 {
			t.Errorf("%s is taken for the one that was named", what)
		}
	}

	// Any number of names is one for each relay.
	src := rand.NewChaCha8([32]byte{1})
	for range 20_000 {
		b := slices.Clone(name)
		src.Read(b[4:])
		d.Name(b)
	}
	if len(d.named) > 1 || !bytes.Equal(d.Signed(r.d.ID), before) {
		t.Errorf("%d names of one relay", len(d.named))
	}
	if d.Remove(r.d.ID); len(d.named) > 0 {
		t.Error("the name of one that has gone")
	}
}
