package outfox

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"starling/p2p/wire"
)

const testSlot Slot = 249_354

var testEpoch = testSlot.Epoch().Byte()

// testRoute returns four hops and their private keys.
func testRoute(t testing.TB) (route [Layers]Hop, keys [Layers]*PrivateKey) {
	t.Helper()
	for i := range route {
		k, err := NewPrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = k
		route[i] = Hop{Key: k.Public(), Delay: time.Duration(i+1) * 10 * time.Millisecond}
		rand.Read(route[i].ID[:])
	}
	return route, keys
}

func testMessage() *Message {
	m := new(Message)
	rand.Read(m[:])
	return m
}

// travel peels p at every hop of the route, moving it between them as bytes, and
// returns the last hop's result.
func travel(t testing.TB, p *Packet, route [Layers]Hop, keys [Layers]*PrivateKey) Peeled {
	t.Helper()
	for i := range Layers - 1 {
		got, err := keys[i].Peel(p)
		if err != nil {
			t.Fatalf("layer %d: %v", i+1, err)
		}
		if got.Command != Forward || got.Slot != testSlot.Byte() || got.Next != route[i+1].ID || got.Delay != route[i].Delay {
			t.Fatalf("layer %d: command %d, slot %d, next %v, delay %v", i+1, got.Command, got.Slot, got.Next, got.Delay)
		}
		if p, err = ParsePacket(got.Packet.Append(nil)); err != nil {
			t.Fatal(err)
		}
		if p.Layer() != i+2 || p.Epoch() != testEpoch {
			t.Fatalf("layer %d passes on layer %d of epoch %d", i+1, p.Layer(), p.Epoch())
		}
	}
	got, err := keys[Layers-1].Peel(p)
	if err != nil {
		t.Fatalf("layer %d: %v", Layers, err)
	}
	if got.Slot != testSlot.Byte() {
		t.Fatalf("layer %d: slot %d", Layers, got.Slot)
	}
	return got
}

func wrap(t testing.TB, route [Layers]Hop, msg *Message) *Packet {
	t.Helper()
	p, err := Wrap(testSlot, route, msg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func replyBlock(t testing.TB, route [Layers]Hop) (*Block, *Keys) {
	t.Helper()
	b, k, err := NewReplyBlock(testSlot, [3]Hop(route[:3]), route[3])
	if err != nil {
		t.Fatal(err)
	}
	return b, k
}

func TestSizes(t *testing.T) {
	for _, tc := range []struct {
		what      string
		got, want int
	}{
		{"header", HeaderSize, 318},
		{"header at layer 2", layer2Size, 234},
		{"header at layer 3", layer3Size, 150},
		{"header at layer 4", layer4Size, 66},
		{"message", MessageSize, 2032},
		{"packet", MaxPacketSize, 2367},
		{"reply block", BlockSize, 367},
		{"room beside four blocks and 32 tags", MessageSize - 4*BlockSize - 32*16, 52},
		{"room beside five blocks and 12 tags", MessageSize - 5*BlockSize - 12*16, 5},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %d bytes, the package comment says %d", tc.what, tc.got, tc.want)
		}
	}
}

func TestForward(t *testing.T) {
	route, keys := testRoute(t)
	msg := testMessage()
	end := travel(t, wrap(t, route, msg), route, keys)
	got, err := end.Message()
	if err != nil || *got != *msg {
		t.Fatalf("message came back changed: %v", err)
	}
	if _, err := new(Keys).Open(end); !errors.Is(err, ErrRefused) {
		t.Fatalf("a forward packet opened as a reply: %v", err)
	}
}

func TestReply(t *testing.T) {
	route, keys := testRoute(t)
	made, k := replyBlock(t, route)
	block, err := ParseBlock(made.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	msg := testMessage()
	first, p, err := block.Reply(msg)
	if err != nil || first != route[0].ID || block.Epoch() != testEpoch {
		t.Fatalf("first hop %v, epoch %d: %v", first, block.Epoch(), err)
	}
	end := travel(t, p, route, keys)
	got, err := k.Open(end)
	if err != nil || *got != *msg {
		t.Fatalf("reply came back changed: %v", err)
	}
	if _, err := end.Message(); !errors.Is(err, ErrRefused) {
		t.Fatalf("a reply opened as a forward packet: %v", err)
	}
	_, other := replyBlock(t, route)
	if _, err := other.Open(end); !errors.Is(err, ErrRefused) {
		t.Fatalf("a reply opened under the keys of another block: %v", err)
	}
}

// TestForwardAndReplyLookAlike: the view of a hop on the way must not depend on whether
// it carries a message or a reply.
func TestForwardAndReplyLookAlike(t *testing.T) {
	route, keys := testRoute(t)
	f := wrap(t, route, testMessage())
	block, _ := replyBlock(t, route)
	_, r, err := block.Reply(testMessage())
	if err != nil {
		t.Fatal(err)
	}
	for i := range Layers - 1 {
		a, b := f.Append(nil), r.Append(nil)
		if len(a) != len(b) || a[0] != b[0] || a[0] != testEpoch {
			t.Fatalf("layer %d: %d and %d bytes, epochs %d and %d", i+1, len(a), len(b), a[0], b[0])
		}
		x, err := keys[i].Peel(f)
		if err != nil {
			t.Fatal(err)
		}
		y, err := keys[i].Peel(r)
		if err != nil {
			t.Fatal(err)
		}
		if x.Command != y.Command || x.Slot != y.Slot || x.Next != y.Next || x.Delay != y.Delay {
			t.Fatalf("layer %d: %v and %v", i+1, x.Command, y.Command)
		}
		f, r = x.Packet, y.Packet
	}
}

// TestTaggingFails: a bit of the payload flipped at the first hop must leave noise
// at the end, so that the end learns that the packet died and nothing else, and
// must not be seen by the hops between.
func TestTaggingFails(t *testing.T) {
	route, keys := testRoute(t)
	msg := new(Message) // zeros: what survives would show
	for _, bit := range []int{0, 1, 31 * 8, 32 * 8, 1000 * 8, PayloadSize*8 - 1} {
		b := wrap(t, route, msg).Append(nil)
		b[1+HeaderSize+bit/8] ^= 1 << (bit % 8)
		p, err := ParsePacket(b)
		if err != nil {
			t.Fatal(err)
		}
		end := travel(t, p, route, keys)
		if _, err := end.Message(); !errors.Is(err, ErrRefused) {
			t.Fatalf("bit %d: changed payload accepted: %v", bit, err)
		}
		// 16,384 fair coins: mean 8,192, deviation 64. Ten deviations.
		ones := 0
		for _, v := range end.payload {
			ones += bits.OnesCount8(v)
		}
		if d := ones - PayloadSize*4; d < -640 || d > 640 {
			t.Errorf("bit %d: %d of %d bits set in what is left", bit, ones, PayloadSize*8)
		}
		if bytes.Contains(end.payload[:], make([]byte, 8)) {
			t.Errorf("bit %d: plaintext shows", bit)
		}

		block, k := replyBlock(t, route)
		_, p, err = block.Reply(msg)
		if err != nil {
			t.Fatal(err)
		}
		p.payload[bit/8] ^= 1 << (bit % 8)
		if _, err := k.Open(travel(t, p, route, keys)); !errors.Is(err, ErrRefused) {
			t.Fatalf("bit %d: changed reply accepted: %v", bit, err)
		}
	}
}

// TestOtherEncodingsOfTheKeyAreRefused: X25519 ignores bit 255 of a point and,
// after clamping, anything of small order in it. Either gives another encoding of
// the same shared secret, and so must not open: it would come with the same payload
// key and a fresh look.
func TestOtherEncodingsOfTheKeyAreRefused(t *testing.T) {
	route, keys := testRoute(t)
	p := wrap(t, route, testMessage())
	if _, err := keys[0].Peel(p); err != nil {
		t.Fatal(err)
	}

	high := *p
	high.header = bytes.Clone(p.header)
	high.header[31] ^= 0x80
	sameSecret(t, keys[0], p.header[:encSize], high.header[:encSize])
	if _, err := keys[0].Peel(&high); !errors.Is(err, ErrRefused) {
		t.Errorf("bit 255 flipped: %v", err)
	}

	twin := *p
	twin.header = bytes.Clone(p.header)
	copy(twin.header, addOrderTwo(t, p.header[:encSize]))
	sameSecret(t, keys[0], p.header[:encSize], twin.header[:encSize])
	if _, err := keys[0].Peel(&twin); !errors.Is(err, ErrRefused) {
		t.Errorf("point plus one of small order: %v", err)
	}

	for name, point := range map[string][]byte{
		"zero":      make([]byte, 32),
		"one":       append([]byte{1}, make([]byte, 31)...),
		"order 8":   {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
		"the prime": append(append([]byte{0xed}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f),
	} {
		low := *p
		low.header = bytes.Clone(p.header)
		copy(low.header, point)
		if _, err := keys[0].Peel(&low); !errors.Is(err, ErrRefused) {
			t.Errorf("small point %q: %v", name, err)
		}
	}
}

// sameSecret makes sure that a test point gives the secret that it claims to give.
func sameSecret(t *testing.T, k *PrivateKey, a, b []byte) {
	t.Helper()
	raw, err := k.key.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	priv, err := ecdh.X25519().NewPrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	var s [2][]byte
	for i, point := range [][]byte{a, b} {
		pub, err := ecdh.X25519().NewPublicKey(point)
		if err != nil {
			t.Fatal(err)
		}
		if s[i], err = priv.ECDH(pub); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Equal(a, b) || !bytes.Equal(s[0], s[1]) {
		t.Fatal("the test point is no twin: the test shows nothing")
	}
}

func TestReplayTag(t *testing.T) {
	route, keys := testRoute(t)
	p := wrap(t, route, testMessage())
	q := wrap(t, route, testMessage())
	tag := func(p *Packet) ReplayTag {
		got, err := keys[0].Peel(p)
		if err != nil {
			t.Fatal(err)
		}
		return got.Replay
	}
	if first, again := tag(p), tag(p); first != again {
		t.Error("one packet, two tags")
	}
	if tag(p) == tag(q) {
		t.Error("two packets, one tag")
	}
	// A replay under another payload is still a replay.
	p2 := *p
	rand.Read(p2.payload[:])
	if tag(p) != tag(&p2) {
		t.Error("another payload changes the tag")
	}
	// A block used twice shows the same tag at its first hop.
	block, _ := replyBlock(t, route)
	_, a, err := block.Reply(testMessage())
	if err != nil {
		t.Fatal(err)
	}
	_, b, err := block.Reply(testMessage())
	if err != nil {
		t.Fatal(err)
	}
	if tag(a) != tag(b) {
		t.Error("a block used twice gives two tags")
	}
}

// TestLayerIsBound: a layer is bound to its place, its epoch and its hop.
func TestLayerIsBound(t *testing.T) {
	route, keys := testRoute(t)
	p := wrap(t, route, testMessage())
	if _, err := keys[1].Peel(p); !errors.Is(err, ErrRefused) {
		t.Errorf("wrong hop: %v", err)
	}
	later := *p
	later.epoch++
	if _, err := keys[0].Peel(&later); !errors.Is(err, ErrRefused) {
		t.Errorf("wrong epoch: %v", err)
	}
	for from := 1; from <= Layers; from++ {
		for to := 1; to <= Layers; to++ {
			moved := &Packet{epoch: p.epoch, header: make([]byte, layerSize(to))}
			copy(moved.header, p.header)
			if _, err := keys[from-1].Peel(moved); (err == nil) != (from == 1 && to == 1) {
				t.Errorf("layer %d at place %d: %v", 1, to, err)
			}
		}
	}
}

func TestDelayCap(t *testing.T) {
	route, keys := testRoute(t)
	msg := testMessage()
	route[0].Delay = MaxDelay
	if p, err := keys[0].Peel(wrap(t, route, msg)); err != nil || p.Delay != MaxDelay {
		t.Fatalf("delay at the cap: %v, %v", p.Delay, err)
	}
	for _, d := range []time.Duration{-1, MaxDelay + 1, MaxDelay + time.Millisecond} {
		route[0].Delay = d
		if _, err := Wrap(testSlot, route, msg); !errors.Is(err, ErrRoute) {
			t.Errorf("Wrap with delay %v: %v", d, err)
		}
	}
	route[0].Delay = 0
	forged := func(change func(plain []byte)) error {
		_, err := keys[0].Peel(forge(t, route[0].Key, 1, layer1Size, change))
		return err
	}
	if err := forged(func(b []byte) { binary.BigEndian.PutUint16(b[2:], uint16(MaxDelay/time.Millisecond)) }); err != nil {
		t.Fatalf("forged layer with the delay at the cap: %v", err)
	}
	if err := forged(func(b []byte) { b[2], b[3] = 0xff, 0xff }); !errors.Is(err, ErrRefused) {
		t.Errorf("longest delay: %v", err)
	}
	if err := forged(func(b []byte) { binary.BigEndian.PutUint16(b[2:], uint16(MaxDelay/time.Millisecond)+1) }); !errors.Is(err, ErrRefused) {
		t.Errorf("delay above the cap: %v", err)
	}
}

// forge seals a layer with routing of the test's choosing, Forward by default.
func forge(t *testing.T, to PublicKey, layer, size int, change func(plain []byte)) *Packet {
	t.Helper()
	plain := make([]byte, size-overhead)
	plain[0] = byte(Forward)
	change(plain)
	return &Packet{epoch: testEpoch, header: sealLayer(t, to, layer, plain)}
}

func TestCommands(t *testing.T) {
	route, keys := testRoute(t)
	for layer := 1; layer <= Layers; layer++ {
		for cmd := range 256 {
			p := forge(t, route[0].Key, layer, layerSize(layer), func(b []byte) { b[0] = byte(cmd) })
			_, err := keys[0].Peel(p)
			want := layer < Layers && cmd == 1 || layer == Layers && (cmd == 2 || cmd == 3)
			if (err == nil) != want {
				t.Errorf("command %d at layer %d: %v", cmd, layer, err)
			}
		}
	}
	for i := range ReplyIDSize {
		p := forge(t, route[0].Key, Layers, layer4Size, func(b []byte) { b[0], b[2+i] = byte(Deliver), 1 })
		if _, err := keys[0].Peel(p); !errors.Is(err, ErrRefused) {
			t.Errorf("junk %d beside deliver: %v", i, err)
		}
	}
}

// TestPeelReadsTheLayer: a hop reads each field of a layer as its maker wrote it.
func TestPeelReadsTheLayer(t *testing.T) {
	route, keys := testRoute(t)
	for _, slot := range []byte{0, 1, 255} {
		p := forge(t, route[0].Key, 2, layer2Size, func(b []byte) {
			b[1] = slot
			binary.BigEndian.PutUint16(b[2:], 0x0102)
			for i := range b[4:] {
				b[4+i] = byte(i)
			}
		})
		got, err := keys[0].Peel(p)
		if err != nil {
			t.Fatal(err)
		}
		if got.Slot != slot || got.Delay != 0x0102*time.Millisecond || got.Next[0] != 0 || got.Next[31] != 31 {
			t.Errorf("slot %d, delay %v, next %x", got.Slot, got.Delay, got.Next)
		}
		if h := got.Packet.header; len(h) != layer3Size || h[0] != 32 || h[layer3Size-1] != byte(32+layer3Size-1) {
			t.Errorf("%d bytes are passed on: %x …", len(h), h[:4])
		}
	}
	p := forge(t, route[0].Key, Layers, layer4Size, func(b []byte) {
		b[0], b[1] = byte(Reply), 9
		for i := range b[2:] {
			b[2+i] = byte(i)
		}
	})
	got, err := keys[0].Peel(p)
	if err != nil || got.Slot != 9 || got.ReplyID[0] != 0 || got.ReplyID[15] != 15 {
		t.Errorf("reply id %x of slot %d: %v", got.ReplyID, got.Slot, err)
	}
}

// TestEveryZeroCounts: every one of the zeros before a message counts, there and
// back.
func TestEveryZeroCounts(t *testing.T) {
	route, keys := testRoute(t)
	for i := range zeroSize {
		h, err := NewHeader(testSlot, route)
		if err != nil {
			t.Fatal(err)
		}
		p := &Packet{epoch: testEpoch, header: h.bytes}
		p.payload[i] = 1
		for layer := Layers; layer >= 1; layer-- {
			encipher(&h.keys[layer-1], p.payload[:])
		}
		end := travel(t, p, route, keys)
		if _, err := end.Message(); !errors.Is(err, ErrRefused) {
			t.Errorf("byte %d of the zeros changed: %v", i, err)
		}

		block, k := replyBlock(t, route)
		p = &Packet{epoch: testEpoch, header: block.header[:]}
		p.payload[i] = 1
		encipher(&k.start, p.payload[:])
		if _, err := k.Open(travel(t, p, route, keys)); !errors.Is(err, ErrRefused) {
			t.Errorf("byte %d of the zeros of a reply changed: %v", i, err)
		}
	}
}

// TestPayloadIsForOneEnd: the command and the reply id decide the meaning of a payload,
// even when its zeros are right.
func TestPayloadIsForOneEnd(t *testing.T) {
	route, keys := testRoute(t)
	h, err := NewHeader(testSlot, route)
	if err != nil {
		t.Fatal(err)
	}
	end := travel(t, h.Wrap(testMessage()), route, keys)
	end.Command = Reply
	if _, err := end.Message(); !errors.Is(err, ErrRefused) {
		t.Errorf("payload with zeros at a client is a request: %v", err)
	}

	block, k := replyBlock(t, route)
	_, p, err := block.Reply(testMessage())
	if err != nil {
		t.Fatal(err)
	}
	end = travel(t, p, route, keys)
	for i := range ReplyIDSize {
		other := end
		other.ReplyID[i] ^= 1
		if _, err := k.Open(other); !errors.Is(err, ErrRefused) {
			t.Errorf("reply id changed at %d: %v", i, err)
		}
	}
	other := end
	other.Command = Deliver
	if _, err := k.Open(other); !errors.Is(err, ErrRefused) {
		t.Errorf("a request opened as the reply: %v", err)
	}
	if _, err := k.Open(end); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

func TestFrame(t *testing.T) {
	route, _ := testRoute(t)
	p := wrap(t, route, testMessage())
	if f := p.Frame(); f.Type() != wire.TypePacket || !bytes.Equal(f.Body(), p.Append(nil)) {
		t.Errorf("frame of type %d, %d bytes", f.Type(), len(f.Body()))
	}
}

func TestUnusableRoute(t *testing.T) {
	route, _ := testRoute(t)
	for i := range route {
		bad := route
		bad[i].Key = PublicKey{}
		if _, err := Wrap(testSlot, bad, testMessage()); !errors.Is(err, ErrRoute) {
			t.Errorf("hop %d without a key: %v", i, err)
		}
		if _, _, err := NewReplyBlock(testSlot, [3]Hop(bad[:3]), bad[3]); !errors.Is(err, ErrRoute) {
			t.Errorf("hop %d of a block without a key: %v", i, err)
		}
	}
	bad := route
	bad[Layers-1].Delay = -1 // means nothing there
	if _, err := Wrap(testSlot, bad, testMessage()); err != nil {
		t.Errorf("delay at the end: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	route, _ := testRoute(t)
	b := wrap(t, route, testMessage()).Append(nil)
	for _, n := range []int{0, 1, PayloadSize, len(b) - 1, len(b) + 1} {
		if _, err := ParsePacket(append(slices.Clone(b), 0)[:n]); !errors.Is(err, ErrRefused) {
			t.Errorf("packet of %d bytes: %v", n, err)
		}
	}
	block, _ := replyBlock(t, route)
	b = block.Append(nil)
	for _, n := range []int{0, BlockSize - 1, BlockSize + 1} {
		if _, err := ParseBlock(append(slices.Clone(b), 0)[:n]); !errors.Is(err, ErrRefused) {
			t.Errorf("block of %d bytes: %v", n, err)
		}
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := ParsePublicKey(make([]byte, n)); !errors.Is(err, ErrRefused) {
			t.Errorf("key of %d bytes: %v", n, err)
		}
	}
}

// TestBitFlips: of no packet with a flipped bit, whichever it is, may the hops on
// the way get a message through.
func TestBitFlips(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 37 // prime to 8: every bit of a byte comes
	}
	route, keys := testRoute(t)
	good := wrap(t, route, testMessage()).Append(nil)
	if !survives(good, keys) {
		t.Fatal("the packet does not survive unchanged either: the test shows nothing")
	}
	var accepted atomic.Int64
	var work sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for first := range workers {
		work.Go(func() {
			b := bytes.Clone(good)
			for bit := first * step; bit < len(b)*8; bit += workers * step {
				b[bit/8] ^= 1 << (bit % 8)
				if survives(b, keys) {
					accepted.Add(1)
				}
				b[bit/8] ^= 1 << (bit % 8)
			}
		})
	}
	work.Wait()
	if n := accepted.Load(); n != 0 {
		t.Fatalf("%d of %d changed packets accepted", n, len(good)*8)
	}
}

func survives(b []byte, keys [Layers]*PrivateKey) bool {
	p, err := ParsePacket(b)
	if err != nil {
		return false
	}
	for i := range Layers {
		got, err := keys[i].Peel(p)
		if err != nil {
			return false
		}
		if got.Command == Deliver {
			_, err := got.Message()
			return err == nil
		}
		p = got.Packet
	}
	return false
}

func TestSecretsDoNotPrint(t *testing.T) {
	_, keys := testRoute(t)
	raw, err := keys[0].key.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{keys[0].String(), keys[0].GoString(), keys[0].LogValue().String()} {
		if strings.Contains(s, string(raw)) || s != "outfox private key" {
			t.Errorf("prints %q", s)
		}
	}
}

func FuzzPeel(f *testing.F) {
	route, keys := testRoute(f)
	p, err := Wrap(testSlot, route, new(Message))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.Append(nil))
	f.Add(p.Append(nil)[:1+layer4Size+PayloadSize])
	b, _ := replyBlock(f, route)
	f.Add(b.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePacket(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Append(nil), b) {
			t.Fatal("packet does not encode as it was read")
		}
		got, err := keys[0].Peel(p)
		if err != nil {
			return
		}
		if got.Command == Deliver {
			got.Message()
		}
	})
}

func FuzzBlock(f *testing.F) {
	route, _ := testRoute(f)
	b, _ := replyBlock(f, route)
	f.Add(b.Append(nil))
	f.Add(make([]byte, BlockSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		block, err := ParseBlock(b)
		if err != nil {
			return
		}
		if !bytes.Equal(block.Append(nil), b) {
			t.Fatal("block does not encode as it was read")
		}
		if _, p, err := block.Reply(new(Message)); err != nil || p.Layer() != 1 {
			t.Fatalf("reply at layer %d: %v", p.Layer(), err)
		}
	})
}
