package mix

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudflare/circl/hpke"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// Sizes of the layout in package outfox, written out: a liar does not use our code.
const (
	label      = "starling/outfox/2"
	inner      = 234 // the next header inside layer 1
	finalInner = 66  // and inside layer 3
)

// layer1 is a liar's layer: any bytes where a layer has its fields.
type layer1 struct {
	epoch, command, slot byte
	ms                   uint16
	next                 wire.NodeID
}

// sealed makes a packet of one layer, with noise for the rest.
func (l layer1) sealed(t testing.TB, to outfox.PublicKey) []byte {
	t.Helper()
	plain := binary.BigEndian.AppendUint16([]byte{l.command, l.slot}, l.ms)
	plain = append(plain, l.next[:]...)
	plain = append(plain, make([]byte, inner)...)
	return seal(t, to, 1, l.epoch, plain)
}

func seal(t testing.TB, to outfox.PublicKey, layer int, epoch byte, plain []byte) []byte {
	t.Helper()
	suite := hpke.NewSuite(hpke.KEM_X25519_HKDF_SHA256, hpke.KDF_HKDF_SHA256, hpke.AEAD_ChaCha20Poly1305)
	key, err := hpke.KEM_X25519_HKDF_SHA256.Scheme().UnmarshalBinaryPublicKey(to.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	s, err := suite.NewSender(key, append([]byte(label), byte(layer), epoch))
	if err != nil {
		t.Fatal(err)
	}
	enc, sealer, err := s.Setup(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	box, err := sealer.Seal(plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, outfox.PayloadSize)
	rand.Read(payload)
	return slices.Concat([]byte{epoch}, enc, box, payload)
}

// honest is the layer of an honest maker now.
func honest(e *Engine) (layer1, outfox.PublicKey) {
	slot := outfox.SlotAt(e.cfg.Now()) + outfox.MaxAhead
	l := layer1{epoch: slot.Epoch().Byte(), command: 1, slot: slot.Byte(), next: nodeID(7)}
	return l, keyOf(e, slot.Epoch())
}

// TestLies: every field that the maker of a packet chooses, with a lie in it. The
// clock stands at noon, when one key opens.
func TestLies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		self, nobody := nodeID(3), nodeID(99)
		e, s := newEngine(t, Config{Self: self, Leads: func(next wire.NodeID, end bool) bool { return next != nobody }})
		time.Sleep(12 * time.Hour)
		if _, err := e.advance(time.Now()); err != nil {
			t.Fatal(err)
		}
		start(t, e)
		now := outfox.SlotAt(time.Now())
		for _, tc := range []struct {
			what string
			lie  func(*layer1)
			want string // the reason; none: it is passed on
		}{
			{"nothing", func(l *layer1) {}, ""},
			{"command 0", func(l *layer1) { l.command = 0 }, "sealed"},
			{"to a mailbox", func(l *layer1) { l.command = 2 }, "sealed"},
			{"to a client", func(l *layer1) { l.command = 3 }, "sealed"},
			{"command 255", func(l *layer1) { l.command = 255 }, "sealed"},
			{"a slot that is over", func(l *layer1) { l.slot = (now - 1).Byte() }, "expired"},
			{"the slot that ends now", func(l *layer1) { l.slot, l.epoch = now.Byte(), now.Epoch().Byte() }, ""},
			{"a slot five ahead", func(l *layer1) { l.slot = (now + 5).Byte() }, "expired"},
			{"a slot half way round", func(l *layer1) { l.slot += 128 }, "expired"},
			{"tomorrow's epoch", func(l *layer1) { l.epoch++ }, "no key"},
			{"yesterday's epoch", func(l *layer1) { l.epoch-- }, "no key"},
			{"an epoch half way round", func(l *layer1) { l.epoch += 128 }, "no key"},
			{"the longest delay", func(l *layer1) { l.ms = 1000 }, ""},
			{"one more", func(l *layer1) { l.ms = 1001 }, "sealed"},
			{"a minute", func(l *layer1) { l.ms = 60_000 }, "sealed"},
			{"to itself", func(l *layer1) { l.next = self }, "misplaced"},
			{"to nobody", func(l *layer1) { l.next = nobody }, "nowhere"},
			{"to nobody, and late", func(l *layer1) { l.next, l.ms = nobody, 1000 }, "nowhere"},
		} {
			l, key := honest(e)
			tc.lie(&l)
			before := e.Stats().Refused
			e.Handle(stranger, l.sealed(t, key))
			time.Sleep(outfox.MaxDelay)
			synctest.Wait()
			if passed := len(s.take()) == 1; passed != (tc.want == "") {
				t.Errorf("%s: passed on %v", tc.what, passed)
			}
			after := e.Stats().Refused
			for r, n := range after {
				if n != before[r] && r != tc.want {
					t.Errorf("%s: refused as %s", tc.what, r)
				}
			}
			if tc.want != "" && after[tc.want] != before[tc.want]+1 {
				t.Errorf("%s: not counted as %s", tc.what, tc.want)
			}
		}
		if e.delays.len() != 0 {
			t.Error("something waits")
		}
	})
}

// TestEpochFollowsFromTheSlot: in the first slots of a day two keys open. A packet
// must be under the one that its slot says, though the relay has both.
func TestEpochFollowsFromTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at midnight
		e, s := newEngine(t, Config{})
		day, now := outfox.EpochAt(time.Now()), outfox.SlotAt(time.Now())
		for ahead := range outfox.Slot(outfox.MaxAhead + 1) {
			for _, epoch := range []outfox.Epoch{day - 1, day} {
				slot := now + ahead
				l := layer1{epoch: epoch.Byte(), command: 1, slot: slot.Byte(), next: nodeID(7)}
				e.Handle(stranger, l.sealed(t, keyOf(e, epoch)))
				if passed := len(s.take()) == 1; passed != (epoch == slot.Epoch()) {
					t.Errorf("%d slots ahead under the key of %+d days: passed on %v", ahead, int(epoch)-int(day), passed)
				}
			}
		}
		wantRefused(t, e, map[string]int64{"expired": outfox.MaxAhead + 1})
	})
}

// TestRefusedForItsTimeTakesNoRoom: a lie in a field may not take room: of a packet
// that is refused before it opens, or for its time, nothing is kept.
func TestRefusedForItsTimeTakesNoRoom(t *testing.T) {
	e, _ := newEngine(t, Config{})
	l, key := honest(e)
	for slot := range 256 {
		l.slot = byte(slot)
		e.Handle(stranger, l.sealed(t, key))
	}
	if st := e.Stats(); st.Seen > outfox.MaxAhead+2 || len(e.seen.slots) > outfox.MaxAhead+2 {
		t.Errorf("%d tags are kept of %d slots", st.Seen, len(e.seen.slots))
	}
}

// TestLeadsIsToldOfTheEnd: the end of a route is where the layer says: whether a
// next node will do depends on whether a client may be it.
func TestLeadsIsToldOfTheEnd(t *testing.T) {
	var ends []bool
	e, s := newEngine(t, Config{Leads: func(_ wire.NodeID, end bool) bool { ends = append(ends, end); return true }})
	slot := outfox.SlotAt(time.Now()) + outfox.MaxAhead
	var route [outfox.Layers]outfox.Hop
	for i := range route {
		route[i] = outfox.Hop{ID: nodeID(i), Key: keyOf(e, slot.Epoch())}
	}
	p := packet(t, slot, route)
	for range outfox.Layers - 1 {
		submit(e, p)
		p = s.take()[0].packet
	}
	if !slices.Equal(ends, []bool{false, false, true}) {
		t.Errorf("ends: %v", ends)
	}
}

// TestLayerOutOfPlace: a layer in another layer's place does not open, from any maker.
func TestLayerOutOfPlace(t *testing.T) {
	e, _ := newEngine(t, Config{})
	l, key := honest(e)
	for size, layer := range map[int]int{inner: 1, 150: 2, finalInner: 3} {
		for other := 1; other <= outfox.Layers; other++ {
			plain := make([]byte, 36+size)
			plain[0], plain[1], plain[4] = 1, l.slot, 9
			before := e.Stats().Forwarded
			e.Handle(stranger, seal(t, key, other, l.epoch, plain))
			if passed := e.Stats().Forwarded > before; passed != (other == layer) {
				t.Errorf("layer %d sealed as %d: passed on %v", layer, other, passed)
			}
		}
	}
}
