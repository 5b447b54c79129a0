package directory

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/p2p/outfox"
	"starling/p2p/outfox/outfoxtest"
	"starling/p2p/wire"
)

func TestDescriptorRoundTrip(t *testing.T) {
	r := newRelay(t, 1)
	r.d.Addresses = append(r.d.Addresses,
		Address{AddrPort: netip.MustParseAddrPort("[2a01:4f8::1]:65535")},
		Address{AddrPort: netip.MustParseAddrPort("9.9.9.9:1")},
		Address{AddrPort: netip.MustParseAddrPort("[2a01:4f8::2]:2")})
	raw := r.sign(t)
	d, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := d.Sign(r.key)
	if err != nil || !bytes.Equal(raw, again) {
		t.Errorf("signing what was read gives other bytes: %v", err)
	}
	if want := fixedSize + 2*8 + 2*20 + signatureSize; len(raw) != want {
		t.Errorf("%d bytes, want %d", len(raw), want)
	}
	for i := range keyCount {
		if k, ok := d.Key(r.d.Epoch + uint32(i)); !ok || !k.Equal(r.d.Keys[i]) {
			t.Errorf("key of epoch +%d: %v", i, ok)
		}
	}
	for _, epoch := range []uint32{r.d.Epoch - 1, r.d.Epoch + keyCount, 0, 1<<32 - 1} {
		if _, ok := d.Key(epoch); ok {
			t.Errorf("there is a key of epoch %d", epoch)
		}
	}
}

// TestBadKeysInDescriptors: a relay signs a mix key of low order, or one that is not
// canonical, in each of the places: nobody reads the descriptor.
func TestBadKeysInDescriptors(t *testing.T) {
	r := newRelay(t, 1)
	raw := r.sign(t)
	at := 1 + 32 + 3*8 + 2 + 2 + 4
	for _, u := range outfoxtest.BadKeys() {
		for i := range keyCount {
			b := bytes.Clone(raw[:len(raw)-signatureSize])
			copy(b[at+i*outfox.PublicKeySize:], u)
			sig, err := r.key.Sign(append([]byte(descriptorLabel), b...))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Parse(append(b, sig...)); !errors.Is(err, ErrMalformed) {
				t.Errorf("key %d is %x: %v", i, u, err)
			}
		}
	}
}

// TestDescriptorRefused flips every bit and cuts at every length: nothing but
// the signed bytes is accepted.
func TestDescriptorRefused(t *testing.T) {
	raw := newRelay(t, 1).sign(t)
	for i := range len(raw) * 8 {
		b := bytes.Clone(raw)
		b[i/8] ^= 1 << (i % 8)
		if _, err := Parse(b); err == nil {
			t.Fatalf("bit %d of byte %d changed: accepted", i%8, i/8)
		}
	}
	for n := range raw {
		if _, err := Parse(raw[:n]); err == nil {
			t.Fatalf("cut at %d: accepted", n)
		}
	}
	if _, err := Parse(append(bytes.Clone(raw), 0)); err == nil {
		t.Error("a byte too many: accepted")
	}
	if _, err := Parse(make([]byte, 1<<20)); err == nil {
		t.Error("1 MiB: accepted")
	}
	// Signed by its relay, but not as it should be.
	for name, edit := range map[string]func(*Descriptor){
		"lives too long":   func(d *Descriptor) { d.Expires = d.Issued.Add(MaxLifetime + time.Second) },
		"never lives":      func(d *Descriptor) { d.Expires = d.Issued },
		"zero port":        func(d *Descriptor) { d.Addresses[0] = Address{AddrPort: netip.MustParseAddrPort("9.9.9.9:0")} },
		"unspecified":      func(d *Descriptor) { d.Addresses[0] = Address{AddrPort: netip.MustParseAddrPort("0.0.0.0:1")} },
		"mapped":           func(d *Descriptor) { d.Addresses[0] = Address{AddrPort: netip.MustParseAddrPort("[::ffff:9.9.9.9]:1")} },
		"another's id":     func(d *Descriptor) { d.ID[0] ^= 1 },
		"another epoch":    func(d *Descriptor) { d.Epoch++ },
		"capital host":     func(d *Descriptor) { d.Addresses[0] = web("A.example") },
		"empty label":      func(d *Descriptor) { d.Addresses[0] = web("a..example") },
		"host with escape": func(d *Descriptor) { d.Addresses[0] = web("a.example\x1b") },
		"no onion": func(d *Descriptor) {
			d.Addresses[0] = Address{Transport: Onion, AddrPort: netip.AddrPortFrom(netip.Addr{}, 1)}
		},
		"beyond all times": func(d *Descriptor) { d.Issued, d.Expires = time.Unix(1<<41, 0), time.Unix(1<<41+1, 0) },
	} {
		r := newRelay(t, 1)
		edit(&r.d)
		raw, err := r.d.Sign(r.key)
		if err != nil {
			continue
		}
		if _, err := Parse(raw); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, edit := range map[string]func(*Descriptor){
		"no address":     func(d *Descriptor) { d.Addresses = nil },
		"five addresses": func(d *Descriptor) { d.Addresses = slices.Repeat(d.Addresses, 5) },
		"no key":         func(d *Descriptor) { d.Keys[1] = outfox.PublicKey{} },
		"nine relatives": func(d *Descriptor) { d.Family = make([]Prefix, MaxFamily+1) },
		"641 bytes": func(d *Descriptor) {
			d.Family = make([]Prefix, MaxFamily)
			a := web(strings.Repeat("a", maxHost))
			a.AddrPort = netip.MustParseAddrPort("[2a01:4f8::1]:443")
			b := a
			b.Host = b.Host[:maxHost-30]
			d.Addresses = []Address{a, a, a, b}
		},
	} {
		r := newRelay(t, 1)
		edit(&r.d)
		if _, err := r.d.Sign(r.key); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

// web is an address of the web transport.
func web(host string) Address {
	return Address{AddrPort: netip.MustParseAddrPort("9.9.9.9:443"), Transport: Web, Host: host}
}

// onion is the address of an onion service.
func onion() Address {
	return Address{AddrPort: netip.AddrPortFrom(netip.Addr{}, 9001), Transport: Onion, Onion: [32]byte{1, 2, 3}}
}

// otherKind reports whether there is an address of a kind that is not known here.
func otherKind(b []byte) bool {
	for len(b) > 0 {
		_, known, rest, err := cutAddress(b)
		if err != nil || !known {
			return true
		}
		b = rest
	}
	return false
}

// TestAddressKinds: all kinds are read, and an address of a later one is passed over,
// but there must be an address that can be dialled.
func TestAddressKinds(t *testing.T) {
	now := start
	d := at(&now, false)
	r := newRelay(t, 1)
	r.d.Addresses = append(r.d.Addresses, web(""), onion(), web("a.example"))
	r.d.Addresses[1].AddrPort = netip.MustParseAddrPort("[2a01:4f8::1]:443")
	raw := r.sign(t)
	got, err := Parse(raw)
	if err != nil || !reflect.DeepEqual(got.Addresses, r.d.Addresses) {
		t.Fatalf("%+v: %v", got, err)
	}
	if m := Multiaddrs(got.Addresses); len(m) != 2 || m[0].String() != "/ip4/11.0.1.1/tcp/4001" || m[1].String() != "/ip6/2a01:4f8::1/tcp/443" {
		t.Errorf("dialled at %v", m)
	}
	h := got.Hint()
	if again, err := ParseHint(h.Append(nil)); err != nil || !reflect.DeepEqual(again, h) {
		t.Errorf("hint %+v: %v", again, err)
	}
	if err := d.Add(raw); err != nil {
		t.Error(err)
	}
	// The same, and one of kind 99 that says nothing anybody here understands.
	n := fixedSize - 1
	b := bytes.Clone(raw[:len(raw)-signatureSize-len(r.d.Addresses[3].append(nil))])
	b = append(b, 3, 99, 1, 2)
	sig, _ := r.key.Sign(append([]byte(descriptorLabel), b...))
	got, err = Parse(append(b, sig...))
	if err != nil || len(got.Addresses) != 3 || b[n] != 4 {
		t.Errorf("with a later kind: %+v: %v", got, err)
	}
	r.d.Sequence++
	r.d.Addresses = r.d.Addresses[2:4]
	if err := d.Add(r.sign(t)); !errors.Is(err, ErrUndialled) {
		t.Errorf("nothing to dial: %v", err)
	}
}

// TestFamily: anybody can name anybody; it counts when both do.
func TestFamily(t *testing.T) {
	a, b, c := newRelay(t, 1), newRelay(t, 2), newRelay(t, 3)
	a.d.Family = []Prefix{PrefixOf(b.d.ID), PrefixOf(c.d.ID)}
	b.d.Family = []Prefix{PrefixOf(a.d.ID)}
	da, err := Parse(a.sign(t))
	if err != nil {
		t.Fatal(err)
	}
	db, err := Parse(b.sign(t))
	if err != nil {
		t.Fatal(err)
	}
	if !Kin(da, db) || !Kin(db, da) {
		t.Error("both say so and are none")
	}
	if Kin(da, &c.d) || Kin(&c.d, da) {
		t.Error("a family because one of them says so")
	}
	families := (&Snapshot{Relays: []*Descriptor{da, db, &c.d}}).Families()
	if len(families) != 2 || !slices.Equal(families[da.ID], []wire.NodeID{db.ID}) || !slices.Equal(families[db.ID], []wire.NodeID{da.ID}) {
		t.Errorf("families: %v", families)
	}
}

// TestTwoFaces: a salt is promised a window ahead and said once. A relay that says two
// things is out, in any order; nobody else can bring that about.
func TestTwoFaces(t *testing.T) {
	for name, edit := range map[string]func(d *Descriptor){
		"another salt":         func(d *Descriptor) { d.Salt[0] ^= 1 },
		"another promise":      func(d *Descriptor) { d.Commitment[0] ^= 1 },
		"said before":          func(d *Descriptor) { d.Sequence = 1; d.Salt[0] ^= 1 },
		"a promise not kept":   func(d *Descriptor) { d.Issued = d.Issued.Add(WindowLength); d.Salt[0] ^= 1 },
		"a promise after that": func(d *Descriptor) { d.Issued = d.Issued.Add(-WindowLength); d.Commitment[0] ^= 1 },
	} {
		now := start
		d := at(&now, false)
		r := newRelay(t, 1)
		r.d.Expires = start.Add(MaxLifetime)
		r.d.Sequence = 2
		if err := d.Add(r.sign(t)); err != nil {
			t.Fatal(err)
		}
		r.d.Sequence = 3
		next := r.d
		edit(&next)
		if next.Issued.After(start) {
			now = start.Add(WindowLength) // and the other is long over
			d = at(&now, false)
			first := newRelay(t, 1)
			first.d.Issued, first.d.Expires, first.d.Sequence = now.Add(-time.Hour), now.Add(time.Hour), 2
			if Window(first.d.Issued) == Window(now) {
				first.d.Issued = time.Unix(int64(Window(now))*int64(WindowLength/time.Second)-1, 0)
			}
			first.promise(t)
			first.d.Expires = first.d.Issued.Add(MaxLifetime)
			now = first.d.Issued.Add(time.Second)
			next.Issued = now
			if err := d.Add(first.sign(t)); err != nil {
				t.Fatal(name, err)
			}
		}
		next.Epoch = FirstEpoch(next.Issued)
		next.Expires = next.Issued.Add(MaxLifetime)
		if next.Issued.Before(start) {
			next.Expires = next.Issued.Add(time.Hour)
		}
		raw, err := next.Sign(r.key)
		if err != nil {
			t.Fatal(err)
		}
		// Not signed, it proves nothing.
		forged := bytes.Clone(raw)
		forged[len(forged)-1] ^= 1
		if err := d.Add(forged); errors.Is(err, ErrTwoFaced) || err == nil {
			t.Errorf("%s, forged: %v", name, err)
		}
		if _, ok := d.Find(r.d.ID); !ok {
			t.Errorf("%s: out without proof", name)
		}
		if name == "a promise after that" {
			continue // expired, which is looked at first
		}
		if err := d.Add(raw); !errors.Is(err, ErrTwoFaced) {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := d.Find(r.d.ID); ok || len(d.Snapshot().Relays) != 0 {
			t.Errorf("%s: still listed", name)
		}
		r.d.Sequence = 9
		if err := d.Add(r.sign(t)); err == nil {
			t.Errorf("%s: back at once", name)
		}
	}
}

// TestSalt: a relay keeps its promise from one window to the next, and from one start
// to the next.
func TestSalt(t *testing.T) {
	r, other := newRelay(t, 1), newRelay(t, 2)
	now, next := r.d, r.d
	next.Issued = now.Issued.Add(WindowLength)
	if err := next.Promise(r.key); err != nil {
		t.Fatal(err)
	}
	if next.Salt.Commit() != now.Commitment || next.Salt == now.Salt || twoFaced(&now, &next) {
		t.Error("the promise is not kept")
	}
	if other.d.Salt == r.d.Salt {
		t.Error("two relays have one salt")
	}
}

// TestSignatureDomain: a descriptor is not signed as anything else would be.
func TestSignatureDomain(t *testing.T) {
	r := newRelay(t, 1)
	raw := r.sign(t)
	n := len(raw) - signatureSize
	for _, label := range []string{"", "starling/relay-descriptor/1\x00", "starling/relay-descriptor/2"} {
		sig, err := r.key.Sign(append([]byte(label), raw[:n]...))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(append(bytes.Clone(raw[:n]), sig...)); !errors.Is(err, ErrSignature) {
			t.Errorf("label %q: %v", label, err)
		}
	}
}

func FuzzDescriptor(f *testing.F) {
	f.Add(newRelay(f, 1).sign(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := parse(b)
		if err != nil {
			return
		}
		// A descriptor that is read is written the same way, up to the signature.
		if rest := b[fixedSize-1+len(d.Family)*prefixSize:]; otherKind(rest[:len(rest)-signatureSize]) {
			return // passed over, and not written again
		}
		again, err := d.Sign(newRelay(t, 1).key)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(b) - signatureSize; !bytes.Equal(b[:n], again[:n]) {
			t.Fatalf("%x became %x", b[:n], again[:n])
		}
	})
}
