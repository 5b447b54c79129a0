package recall

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"starling/p2p/admission"
	"starling/p2p/directory"
	"starling/p2p/wire"
)

func relayState() *Relay {
	return &Relay{
		Own:      []byte("ours"),
		Vouchers: []admission.Voucher{{Examiner: wire.NodeID{1}, Day: 20_000, Mask: 1}, {Examiner: wire.NodeID{2}, Day: 20_001, Mask: 3}},
		Charges:  []admission.Charge{{Examiner: wire.NodeID{3}, Ago: []time.Duration{time.Hour, 3 * time.Second}}},
		Liars:    []directory.Liar{{ID: wire.NodeID{4}, Left: 20 * 24 * time.Hour}},
		Known: []admission.Acquaintance{
			{Raw: []byte("one"), Age: 40 * 24 * time.Hour}, {Raw: bytes.Repeat([]byte{2}, directory.MaxDescriptor), Age: -1}, {Raw: []byte("new")},
		},
	}
}

// sealed puts the right sum behind bytes.
func sealed(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(bytes.Clone(b), sum[:]...)
}

func TestRelayRoundTrip(t *testing.T) {
	for name, r := range map[string]*Relay{"full": relayState(), "empty": {}} {
		b := r.Append(nil)
		got, err := ParseRelay(b)
		if err != nil || !bytes.Equal(got.Append(nil), b) {
			t.Fatalf("%s: %+v: %v", name, got, err)
		}
	}
	got, _ := ParseRelay(relayState().Append(nil))
	if k := got.Known; k[0].Age != 40*24*time.Hour || k[1].Age >= 0 || k[2].Age != 0 || len(got.Vouchers) != 2 || len(got.Charges[0].Ago) != 2 || len(got.Liars) != 1 || got.Liars[0].Left != 20*24*time.Hour {
		t.Errorf("%+v", got)
	}
}

// TestRelayDamaged: a file is refused that was torn anywhere, in which a byte is
// another, or that has a right sum and wrong numbers.
func TestRelayDamaged(t *testing.T) {
	b := relayState().Append(nil)
	for n := range b {
		if _, err := ParseRelay(b[:n]); err == nil {
			t.Errorf("cut at %d: accepted", n)
		}
		other := bytes.Clone(b)
		other[n] ^= 1
		if _, err := ParseRelay(other); err == nil {
			t.Errorf("byte %d changed: accepted", n)
		}
	}

	body := b[:len(b)-sha256.Size]
	vouchers := 2 + 2 + len("ours")
	charges := vouchers + 2*admission.VoucherSize
	liars := charges + 2 + 33 + 8
	edit := func(at int, to ...byte) []byte {
		c := bytes.Clone(body)
		copy(c[at:], to)
		return c
	}
	many := (&Relay{Known: make([]admission.Acquaintance, 1)}).Append(nil)
	for name, body := range map[string][]byte{
		"version":               edit(0, 1),
		"nine vouchers":         edit(1, 9),
		"no own descriptor":     edit(2, 0, 0),
		"mask of no address":    edit(vouchers+36, 0),
		"many charges":          edit(charges, 0xff, 0xff),
		"many liars":            edit(liars, 0xff, 0xff),
		"a liar for 136 years":  edit(liars+2+32, 0xff, 0xff, 0xff, 0xff),
		"age of 136 years":      edit(liars+2+36, 0xff, 0xff, 0xff, 0xfe),
		"empty descriptor":      many[:len(many)-sha256.Size],
		"a charge of 136 years": edit(charges+2+33, 0xff, 0xff, 0xff, 0xff),
		"something behind":      append(bytes.Clone(body), 0),
	} {
		if _, err := ParseRelay(sealed(body)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	later := append(edit(0, relayVersion+1), "what nobody knows yet"...)
	if _, err := ParseRelay(sealed(later)); !errors.Is(err, ErrNewer) {
		t.Errorf("of a later version: %v", err)
	}
	if _, err := ParseRelay(append(later, make([]byte, sha256.Size)...)); !errors.Is(err, ErrDamaged) {
		t.Errorf("of a later version, torn: %v", err)
	}
	if _, err := ParseRelay(make([]byte, MaxRelay+1)); err == nil {
		t.Error("too large: accepted")
	}
}

func FuzzParseRelay(f *testing.F) {
	b := relayState().Append(nil)
	f.Add(b[:len(b)-sha256.Size])
	f.Add([]byte{relayVersion, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		b = sealed(b)
		if r, err := ParseRelay(b); err == nil && !bytes.Equal(r.Append(nil), b) {
			t.Fatalf("%x is not written as it was read", b)
		}
	})
}
