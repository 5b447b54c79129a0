package group

import (
	"bytes"
	"testing"

	"starling/session/group/keys"
)

// TestAsideLies: what is sealed to one member opens there alone, as of its author, in this room, and under
// leaves that the reader has still.
func TestAsideLies(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	ada, bob, eve, last := all[0].room, all[1].room, all[2].room, all[3].room
	if _, err := last.SealFor(bob.Self(), []byte("x")); err != nil {
		t.Errorf("a newcomer does not know the keys of those before them: %v", err)
	}
	sealed, err := ada.SealFor(bob.Self(), []byte("for Bob"))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := bob.OpenFrom(ada.Self(), sealed); !ok || string(got) != "for Bob" {
		t.Fatalf("%q, %v", got, ok)
	}
	all[1].room.renew(w.now)
	if _, ok := bob.OpenFrom(ada.Self(), sealed); !ok {
		t.Error("a leaf later it does not open")
	}
	if _, ok := eve.OpenFrom(ada.Self(), sealed); ok {
		t.Error("another member opens it")
	}
	if _, ok := bob.OpenFrom(eve.Self(), sealed); ok {
		t.Error("it opens as another's")
	}
	elsewhere, err := keys.SealTo(ada.leaves.of[bob.Self()].leaf, asideInfo([32]byte{9}, ada.Self(), bob.Self(), ada.leaves.of[bob.Self()].leaf), []byte("for Bob"))
	if _, ok := bob.OpenFrom(ada.Self(), elsewhere); ok || err != nil {
		t.Errorf("it opens in another room, %v", err)
	}
	for _, lie := range [][]byte{nil, {1}, sealed[:len(sealed)-1], append(bytes.Clone(sealed), 0), make([]byte, 1<<16), bytes.Repeat([]byte{7}, len(sealed))} {
		if _, ok := bob.OpenFrom(ada.Self(), lie); ok {
			t.Errorf("%d bytes of garbage open", len(lie))
		}
	}
	if _, err := ada.SealFor(ada.Self(), []byte("x")); err == nil {
		t.Error("sealed to oneself")
	}
	if _, err := ada.SealFor(ID{9}, []byte("x")); err == nil {
		t.Error("sealed to nobody")
	}
	if _, err := ada.SealFor(bob.Self(), make([]byte, MaxAside+1)); err == nil {
		t.Error("sealed too much")
	}
}
