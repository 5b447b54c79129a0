package session

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"starling/session/envelope"
	"starling/session/handshake"
	"starling/session/identity"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/internal/key/keytest"
	"starling/session/invite"
	"starling/session/prekey"
)

func inviteState(t testing.TB, v *Invite) []byte {
	t.Helper()
	b, err := v.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func restoreInvite(t testing.TB, v *Invite) *Invite {
	t.Helper()
	r, err := UnmarshalInvite(inviteState(t, v))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(inviteState(t, r), inviteState(t, v)) {
		t.Fatal("an invite read back is stored differently")
	}
	return r
}

// refuseHello offers all cells and checks that no session comes of it, that
// the last cell gets the error, and that it leaves the invite as it is.
func refuseHello(t testing.TB, v *Invite, cells []Cell, want error) {
	t.Helper()
	for i, c := range cells {
		before := inviteState(t, v)
		s, _, err := v.Accept(now, c)
		if s != nil {
			t.Fatal("accepted")
		}
		if i == len(cells)-1 {
			if err != want {
				t.Fatalf("error %v, want %v", err, want)
			}
			if !bytes.Equal(before, inviteState(t, v)) {
				t.Fatal("a refused hello changed the invite")
			}
		}
	}
}

// craft joins like Join, with a hello, a first cell and a tail that edit
// changed.
func craft(t testing.TB, v *Invite, edit func(h *handshake.Hello, first *Cell, plain *[invite.HelloSize]byte)) []Cell {
	t.Helper()
	n, err := ParseLink(v.Link())
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := n.openBundle(v.Bundle())
	if err != nil {
		t.Fatal(err)
	}
	self := identity.New()
	hello, secrets, err := handshake.Initiate(self, bundle, n.keys.ID)
	if err != nil {
		t.Fatal(err)
	}
	s, err := initiate(bundle.Signed, secrets)
	if err != nil {
		t.Fatal(err)
	}
	first := seal(t, s, "crafted")
	plain := new([invite.HelloSize]byte)
	edit(hello, &first, plain)
	hello.Append(plain[:0])
	copy(plain[handshake.HelloSize:], first.Box[:])
	var id [invite.HelloIDSize]byte
	rand.Read(id[:])
	var cells []Cell
	for i := range invite.Cells {
		cells = append(cells, Cell{Tag: n.keys.HelloTags[5][i], Box: n.keys.SealHello(5, i, &id, plain)})
	}
	return cells
}

func TestCraftIsGenuineWithoutEdit(t *testing.T) {
	v := newInvite(t)
	_, part := accept(t, v, craft(t, v, func(*handshake.Hello, *Cell, *[invite.HelloSize]byte) {}))
	if string(part.Data) != "crafted" {
		t.Fatalf("%q", part.Data)
	}
}

// TestFailedHelloConsumesNothing: after any faulty hello, the invite stays open for the
// next.
func TestFailedHelloConsumesNothing(t *testing.T) {
	v := newInvite(t)
	mallory := identity.New()
	type hello = handshake.Hello
	type tail = [invite.HelloSize]byte
	for name, edit := range map[string]func(h *hello, first *Cell, plain *tail){
		"altered KEM ciphertext":  func(h *hello, _ *Cell, _ *tail) { h.Ciphertext[100] ^= 1 },
		"another ephemeral key":   func(h *hello, _ *Cell, _ *tail) { h.Ephemeral = mallory.Public().DH },
		"low-order ephemeral key": func(h *hello, _ *Cell, _ *tail) { h.Ephemeral = keytest.LowOrder()[2] },
		"non-canonical key":       func(h *hello, _ *Cell, _ *tail) { h.Ephemeral = keytest.NonCanonical()[3] },
		"another identity":        func(h *hello, _ *Cell, _ *tail) { h.Identity = mallory.Public() },
		"another signing key":     func(h *hello, _ *Cell, _ *tail) { h.Identity.Sign = mallory.Public().Sign },
		"the inviter's identity":  func(h *hello, _ *Cell, _ *tail) { h.Identity = v.prekeys.Identity.Public() },
		"damaged first cell":      func(_ *hello, c *Cell, _ *tail) { c.Box[700] ^= 1 },
		"no first cell":           func(_ *hello, c *Cell, _ *tail) { clear(c.Box[:]) },
		"padding not zero":        func(_ *hello, _ *Cell, p *tail) { p[len(p)-1] = 1 },
		"padding begins not zero": func(_ *hello, _ *Cell, p *tail) { p[handshake.HelloSize+envelope.CellSize] = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			fresh := restoreInvite(t, v)
			refuseHello(t, fresh, craft(t, v, edit), ErrRefused)
			_, cells := join(t, v, "genuine")
			accept(t, restoreInvite(t, fresh), cells)
		})
	}
}

// TestInitialMessageReplay: the hello again, before and after a restart.
func TestInitialMessageReplay(t *testing.T) {
	v := newInvite(t)
	alice, cells := join(t, v, "hello")
	bob, _ := accept(t, v, cells)
	for range 2 {
		for _, c := range cells {
			refuseHello(t, v, []Cell{c}, ErrRefused)
			refuse(t, bob, c)
		}
		v = restoreInvite(t, v)
	}
	open(t, alice, seal(t, bob, "still here"), "still here")
}

func TestInviteUsedTwice(t *testing.T) {
	v := newInvite(t)
	alice, cells := join(t, v, "first")
	_, others := join(t, v, "second")
	bob, _ := accept(t, v, cells)
	for range 2 {
		for _, c := range others {
			refuseHello(t, v, []Cell{c}, ErrUsed)
		}
		v = restoreInvite(t, v)
	}
	// A stranger without the link cannot raise that alarm.
	noise := others[0]
	rand.Read(noise.Box[:])
	refuseHello(t, v, []Cell{noise}, ErrRefused)
	open(t, alice, seal(t, bob, "not affected"), "not affected")
	if b := inviteState(t, v); len(b) > 300 {
		t.Errorf("a used invite keeps %d bytes", len(b))
	}
}

// TestTwoJoinersInSteps: cells of two people come mixed; the first complete hello wins,
// even when both chose one slot.
func TestTwoJoinersInSteps(t *testing.T) {
	v := newInvite(t)
	a := craft(t, v, func(*handshake.Hello, *Cell, *[invite.HelloSize]byte) {})
	b := craft(t, v, func(*handshake.Hello, *Cell, *[invite.HelloSize]byte) {})
	for _, c := range []Cell{a[0], b[0], a[0], b[1], a[2], a[2]} {
		if s, _, err := v.Accept(now, c); s != nil || err != nil {
			t.Fatal(s, err)
		}
		v = restoreInvite(t, v)
	}
	if s, _, err := v.Accept(now, b[2]); s == nil || err != nil {
		t.Fatal(s, err)
	}
	refuseHello(t, v, a[1:2], ErrUsed)
}

func TestPendingHellosAreBounded(t *testing.T) {
	v := newInvite(t)
	var last []Cell
	for range maxPending {
		last = craft(t, v, func(*handshake.Hello, *Cell, *[invite.HelloSize]byte) {})
		if _, _, err := v.Accept(now, last[0]); err != nil {
			t.Fatal(err)
		}
	}
	more := craft(t, v, func(*handshake.Hello, *Cell, *[invite.HelloSize]byte) {})
	refuseHello(t, v, more[:1], ErrRefused)
	v = restoreInvite(t, v)
	if _, _, err := v.Accept(now, last[1]); err != nil {
		t.Fatal(err)
	}
	if s, _, err := v.Accept(now, last[2]); s == nil {
		t.Fatal(err)
	}
}

func TestExpiredInvite(t *testing.T) {
	v := newInvite(t)
	n, err := ParseLink(v.Link())
	if err != nil {
		t.Fatal(err)
	}
	late := v.Expires().Add(time.Second)
	if _, _, err := n.Join(late, v.Bundle(), newID(), nil); err != ErrExpired {
		t.Error("joined late:", err)
	}
	_, cells, err := n.Join(v.Expires(), v.Bundle(), newID(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.Accept(late.Add(Grace), cells[0]); err != ErrExpired {
		t.Error("accepted late:", err)
	}
	for i, c := range cells {
		s, _, err := v.Accept(v.Expires().Add(Grace), c)
		if err != nil || (s != nil) != (i == 2) {
			t.Fatal(s, err)
		}
	}
}

// TestBundle: the bundle that the link names, whole, or nothing.
func TestBundle(t *testing.T) {
	v, other := newInvite(t), newInvite(t)
	n, err := ParseLink(v.Link())
	if err != nil {
		t.Fatal(err)
	}
	good := v.Bundle()
	damaged := append([]Cell(nil), good...)
	damaged[1].Box[9] ^= 1
	moved := append([]Cell(nil), good...)
	moved[0].Tag, moved[1].Tag = moved[1].Tag, moved[0].Tag
	for name, cells := range map[string][]Cell{
		"none": nil, "cell missing": good[:2], "cell damaged": damaged, "cells moved": moved,
		"another invite's": other.Bundle(), "one cell three times": {good[0], good[0], good[0]},
	} {
		if s, _, err := n.Join(now, cells, newID(), nil); err != ErrBundle || s != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A holder of the link can seal another bundle, but not one of this hash.
	plain := new([invite.BundleSize]byte)
	b := append(plain[:0], bundleVersion, 0, 0, 0, 0)
	prekey.New().Bundle().Append(b)
	var forged []Cell
	for i := range invite.Cells {
		forged = append(forged, Cell{Tag: n.keys.BundleTags[i], Box: n.keys.SealBundle(i, plain)})
	}
	if _, _, err := n.Join(now, forged, newID(), nil); err != ErrBundle {
		t.Errorf("forged: %v", err)
	}
	mixed := []Cell{damaged[1], good[2], forged[0], good[1], good[0]}
	if _, _, err := n.Join(now, mixed[:2], newID(), nil); err != ErrBundle {
		t.Errorf("mixed: %v", err)
	}
	// Cells in any order, with strangers between, are found.
	if _, _, err := n.Join(now, []Cell{other.Bundle()[0], damaged[1], good[2], good[1], good[0]}, newID(), nil); err != nil {
		t.Errorf("in another order: %v", err)
	}
}

// TestBundleContents: a bundle that the link's hash vouches for is checked all the
// same.
func TestBundleContents(t *testing.T) {
	for name, edit := range map[string]func(plain *[invite.BundleSize]byte){
		"version":   func(p *[invite.BundleSize]byte) { p[0]++ },
		"expiry":    func(p *[invite.BundleSize]byte) { p[4]++ },
		"key":       func(p *[invite.BundleSize]byte) { p[200] ^= 1 },
		"signature": func(p *[invite.BundleSize]byte) { p[5+prekey.BundleSize-1] ^= 1 },
		"padding":   func(p *[invite.BundleSize]byte) { p[len(p)-1] = 1 },
	} {
		v := newInvite(t)
		plain := new([invite.BundleSize]byte)
		for i := range invite.Cells {
			if !v.keys.OpenBundle(i, &v.bundle[i], plain) {
				t.Fatal("own bundle does not open")
			}
		}
		edit(plain)
		link := *v.link
		link.BundleHash = kdf.Hash(kdf.BundleHash, plain[:])
		n, err := ParseLink(link.Encode())
		if err != nil {
			t.Fatal(err)
		}
		var cells []Cell
		for i := range invite.Cells {
			cells = append(cells, Cell{Tag: n.keys.BundleTags[i], Box: n.keys.SealBundle(i, plain)})
		}
		want := ErrBundle
		if name == "version" {
			want = ErrVersion
		}
		if _, _, err := n.Join(now, cells, newID(), nil); err != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHostileKeys: a bundle with valid signatures and with keys that give no secret is
// none.
func TestHostileKeys(t *testing.T) {
	for _, u := range keytest.LowOrder() {
		for name, edit := range map[string]func(p *prekey.Private){
			"signed":   func(p *prekey.Private) { p.Signed = key.Restore([32]byte{1}, u) },
			"one-time": func(p *prekey.Private) { p.OneTime = key.Restore([32]byte{1}, u) },
		} {
			v := newInvite(t)
			edit(v.prekeys)
			plain := new([invite.BundleSize]byte)
			b := binary.BigEndian.AppendUint32(append(plain[:0], bundleVersion), uint32(v.link.Expires.Unix()))
			v.prekeys.Bundle().Append(b)
			v.link.BundleHash = kdf.Hash(kdf.BundleHash, plain[:])
			for i := range v.bundle {
				v.bundle[i] = v.keys.SealBundle(i, plain)
			}
			n, err := ParseLink(v.Link())
			if err != nil {
				t.Fatal(err)
			}
			if s, cells, err := n.Join(now, v.Bundle(), newID(), nil); err != ErrBundle || s != nil || cells != nil {
				t.Errorf("%s %x: %v", name, u, err)
			}
		}
	}
}

// TestHelloUnderAnotherTag: a cell of a hello counts under its own tag alone.
func TestHelloUnderAnotherTag(t *testing.T) {
	v := newInvite(t)
	box := v.keys.SealHello(0, 0, new([invite.HelloIDSize]byte), new([invite.HelloSize]byte))
	for name, tag := range map[string]Tag{"none": {}, "the bundle's": v.keys.BundleTags[0], "another slot's": v.keys.HelloTags[1][0]} {
		if s, _, err := v.Accept(now, Cell{Tag: tag, Box: box}); err != ErrRefused || s != nil || v.parts() != 0 {
			t.Errorf("%s: %v, %d cells kept", name, err, v.parts())
		}
	}
	if _, _, err := v.Accept(now, Cell{Tag: v.keys.HelloTags[0][0], Box: box}); err != nil || v.parts() != 1 {
		t.Errorf("its own: %v", err)
	}
}

// TestFirstCellStands: a second cell in the place of one that has come, from a holder
// of the link that saw the first, does not spoil the hello.
func TestFirstCellStands(t *testing.T) {
	v := newInvite(t)
	cells := craft(t, v, func(*handshake.Hello, *Cell, *[invite.HelloSize]byte) {})
	if _, _, err := v.Accept(now, cells[0]); err != nil {
		t.Fatal(err)
	}
	id, _, ok := v.keys.OpenHello(5, 0, &cells[0].Box)
	if !ok {
		t.Fatal("does not open")
	}
	spoiled := Cell{Tag: cells[0].Tag, Box: v.keys.SealHello(5, 0, &id, new([invite.HelloSize]byte))}
	before := inviteState(t, v)
	if s, _, err := v.Accept(now, spoiled); s != nil || err != nil || !bytes.Equal(before, inviteState(t, v)) {
		t.Errorf("the second counts: %v", err)
	}
	if _, _, err := v.Accept(now, cells[1]); err != nil {
		t.Fatal(err)
	}
	if s, _, err := v.Accept(now, cells[2]); err != nil || s == nil {
		t.Errorf("the hello is spoiled: %v", err)
	}
}

// TestOneIDInTwoSlots: two hellos of one id in two slots are two.
func TestOneIDInTwoSlots(t *testing.T) {
	v := newInvite(t)
	id := [invite.HelloIDSize]byte{1}
	for n, c := range []struct{ slot, index int }{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		box := v.keys.SealHello(c.slot, c.index, &id, new([invite.HelloSize]byte))
		if _, _, err := v.Accept(now, Cell{Tag: v.keys.HelloTags[c.slot][c.index], Box: box}); err != nil || v.parts() != n+1 {
			t.Errorf("cell %d of slot %d: %d kept, %v", c.index, c.slot, v.parts(), err)
		}
	}
}

// TestNoLink: a text that is no link is no invitation.
func TestNoLink(t *testing.T) {
	for text, want := range map[string]error{"": ErrForeign, "hello": ErrForeign, "starling:": ErrTruncated} {
		if v, err := ParseLink(text); err != want || v != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestOwnInvite: a profile recognises its own link by its id.
func TestOwnInvite(t *testing.T) {
	v := newInvite(t)
	n, err := ParseLink(v.Link())
	if err != nil || n.ID() != v.ID() || n.ID() == newInvite(t).ID() || len(n.ID()) != 32 {
		t.Fatal("ids", err)
	}
}

func TestBundleIsTheSameEachTime(t *testing.T) {
	v := newInvite(t)
	if fmt.Sprint(v.Bundle()) != fmt.Sprint(restoreInvite(t, v).Bundle()) {
		t.Fatal("the bundle changes: a mailbox would refuse it")
	}
}

func TestInviteIsNotPrinted(t *testing.T) {
	v := newInvite(t)
	n, _ := ParseLink(v.Link())
	for _, x := range []any{v, n} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			if s := fmt.Sprintf(verb, x); s != "[secret]" {
				t.Errorf("%s: %.40q", verb, s)
			}
		}
	}
}

func FuzzUnmarshalInvite(f *testing.F) {
	v := newInvite(f)
	f.Add(inviteState(f, v))
	_, cells := join(f, v, "x")
	v.Accept(now, cells[0])
	v.Accept(now, cells[1])
	f.Add(inviteState(f, v))
	v.Accept(now, cells[2])
	f.Add(inviteState(f, v))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := UnmarshalInvite(data)
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatal(err)
			}
			return
		}
		if b := inviteState(t, v); !bytes.Equal(b, data) {
			t.Fatal("two encodings of one invite")
		}
		for _, c := range cells {
			v.Accept(now, c)
		}
	})
}
