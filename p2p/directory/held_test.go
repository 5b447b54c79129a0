package directory

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"starling/p2p/wire"
)

// TestParseHeld: the descriptor that is held costs no signature when it comes again. One
// with other bytes is verified, be it those of the signature alone.
func TestParseHeld(t *testing.T) {
	now := start
	d := at(&now, false)
	r := newRelay(t, 1)
	raw := r.sign(t)
	if err := d.Add(raw); err != nil {
		t.Fatal(err)
	}
	held, _ := d.Find(r.d.ID)
	if again, err := d.Parse(raw); err != nil || again != held {
		t.Errorf("the same bytes were verified anew: %v", err)
	}
	for i := len(raw) - signatureSize; i < len(raw); i++ {
		forged := bytes.Clone(raw)
		forged[i] ^= 1
		if _, err := d.Parse(forged); !errors.Is(err, ErrSignature) {
			t.Fatalf("another byte %d: %v", i, err)
		}
	}
	if _, err := d.Parse(raw[:len(raw)-1]); err == nil {
		t.Error("a piece of it is taken")
	}
	for _, short := range [][]byte{nil, raw[:1], raw[:1+wire.NodeIDSize], raw[:2+wire.NodeIDSize]} {
		if _, err := d.Parse(short); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes: %v", len(short), err)
		}
	}
	if got, err := d.Parse(newRelay(t, 2).sign(t)); err != nil || got.ID == r.d.ID {
		t.Errorf("of another relay: %v", err)
	}
}

// FuzzHeld: a directory that holds a descriptor reads what anybody else reads.
func FuzzHeld(f *testing.F) {
	now := start
	d := at(&now, false)
	raw := newRelay(f, 1).sign(f)
	if err := d.Add(raw); err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(newRelay(f, 2).sign(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := d.Parse(b)
		want, wantErr := Parse(b)
		if err != wantErr || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v, %v; without the directory %v, %v", got, err, want, wantErr)
		}
	})
}
