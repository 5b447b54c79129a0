package spqr

import (
	"bytes"
	"testing"
)

func newPair() (a, b *State) {
	secret := [SecretSize]byte([]byte("a secret that both of them share"))
	return New(Initiator, secret), New(Responder, secret)
}

// pass carries one message from one end to the other.
func pass(t testing.TB, from, to *State) {
	t.Helper()
	msg, key, err := from.Send()
	if err != nil {
		t.Fatal(err)
	}
	got, err := to.Receive(msg[:])
	if err != nil {
		t.Fatal(err)
	}
	if got != key {
		t.Fatal("the two ends have different keys")
	}
}

func TestAlternating(t *testing.T) {
	a, b := newPair()
	for range 400 {
		pass(t, a, b)
		pass(t, b, a)
		for _, s := range []**State{&a, &b} {
			data, err := (*s).MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			again, err := Unmarshal(data)
			if err != nil {
				t.Fatal(err)
			}
			data2, _ := again.MarshalBinary()
			if !bytes.Equal(data, data2) {
				t.Fatal("a state read back is stored differently")
			}
			*s = again
		}
	}
	if a.Epoch() < 8 || b.Epoch() < 8 {
		t.Fatalf("epochs %d and %d after 800 messages", a.Epoch(), b.Epoch())
	}
}
