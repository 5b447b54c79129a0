package outfox

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"starling/docs/vectors"
)

// packetVectors hold the inputs of each hop, and its results.
type packetVectors struct {
	Lioness []lionessVector `json:"lioness"`
	Forward routeVector     `json:"forward"`
	Reply   routeVector     `json:"reply"`
	// Times say which bytes a hop opens when.
	Times []timeVector `json:"times"`
}

type timeVector struct {
	Time  int64 `json:"time"` // seconds since 1970
	Epoch byte  `json:"epoch"`
	Slot  byte  `json:"slot"`
	Opens bool  `json:"opens"`
}

type lionessVector struct {
	Key    vectors.Hex `json:"key"`
	Plain  vectors.Hex `json:"plain"`
	Cipher vectors.Hex `json:"cipher"`
}

type routeVector struct {
	Epoch   byte        `json:"epoch"`
	Slot    byte        `json:"slot"`
	Message vectors.Hex `json:"message"`
	Block   vectors.Hex `json:"block,omitempty"` // of a reply
	ReplyID vectors.Hex `json:"reply_id,omitempty"`
	Hops    []hopVector `json:"hops"` // the last finds the message, or the reply
	// Final is the payload after the last hop deciphered.
	Final vectors.Hex `json:"final"`
}

type hopVector struct {
	ID         vectors.Hex `json:"id"`
	Private    vectors.Hex `json:"private"`
	Public     vectors.Hex `json:"public"`
	DelayMs    int64       `json:"delay_ms"`
	Packet     vectors.Hex `json:"packet"` // as it comes in
	PayloadKey vectors.Hex `json:"payload_key"`
	Replay     vectors.Hex `json:"replay"`
}

func TestVectors(t *testing.T) {
	vectors.Made(t, "packet", makePackets, checkPackets)
	vectors.Produced(t, "packet", checkPackets)
}

func checkPackets(t *testing.T, v packetVectors) {
	for i, l := range v.Lioness {
		block := bytes.Clone(l.Plain)
		encipher((*[keySize]byte)(l.Key), block)
		if !bytes.Equal(block, l.Cipher) {
			t.Errorf("lioness %d: enciphered to another block", i)
		}
	}

	for i, x := range v.Times {
		if _, ok := Expiry(x.Epoch, x.Slot, time.Unix(x.Time, 0)); ok != x.Opens {
			t.Errorf("time %d: opens %v", i, ok)
		}
	}

	end := peelVector(t, &v.Forward)
	m, err := end.Message()
	if err != nil || !bytes.Equal(m[:], v.Forward.Message) {
		t.Errorf("forward: another message: %v", err)
	}

	block, err := ParseBlock(v.Reply.Block)
	if err != nil {
		t.Fatal(err)
	}
	first, p, err := block.Reply((*Message)(v.Reply.Message))
	if err != nil || !bytes.Equal(first[:], v.Reply.Hops[0].ID) || !bytes.Equal(p.Append(nil), v.Reply.Hops[0].Packet) {
		t.Errorf("reply: another packet: %v", err)
	}
	keys := &Keys{id: ReplyID(v.Reply.ReplyID)}
	if keys.start, err = startKey(&block.seed); err != nil {
		t.Fatal(err)
	}
	for i := range keys.hops {
		keys.hops[i] = [keySize]byte(v.Reply.Hops[i].PayloadKey)
	}
	if m, err = keys.Open(peelVector(t, &v.Reply)); err != nil || !bytes.Equal(m[:], v.Reply.Message) {
		t.Errorf("reply: another message: %v", err)
	}
}

// peelVector checks each hop and returns the last one's result.
func peelVector(t *testing.T, v *routeVector) (got Peeled) {
	t.Helper()
	for i, h := range v.Hops {
		key := vectorKey(t, h.Private)
		if !bytes.Equal(key.Public().Bytes(), h.Public) {
			t.Errorf("hop %d: another public key", i)
		}
		p, err := ParsePacket(h.Packet)
		if err != nil || p.Layer() != i+1 || p.Epoch() != v.Epoch {
			t.Fatalf("hop %d: %v", i, err)
		}
		if got, err = key.Peel(p); err != nil {
			t.Fatalf("hop %d: %v", i, err)
		}
		if got.Slot != v.Slot {
			t.Errorf("hop %d: slot %d", i, got.Slot)
		}
		if !bytes.Equal(got.Replay[:], h.Replay) || !bytes.Equal(payloadKey(t, key, p), h.PayloadKey) {
			t.Errorf("hop %d: another replay tag or payload key", i)
		}
		if i == Layers-1 {
			if !bytes.Equal(got.payload[:], v.Final) {
				t.Error("another payload at the end")
			}
			break
		}
		next := v.Hops[i+1]
		if !bytes.Equal(got.Next[:], next.ID) || got.Delay != time.Duration(h.DelayMs)*time.Millisecond ||
			!bytes.Equal(got.Packet.Append(nil), next.Packet) {
			t.Errorf("hop %d: passes on something else", i)
		}
	}
	return got
}

func payloadKey(t *testing.T, key *PrivateKey, p *Packet) []byte {
	t.Helper()
	_, box, err := key.open(p, p.Layer())
	if err != nil {
		t.Fatal(err)
	}
	return box.Export([]byte(exportPayload), keySize)
}

func vectorKey(t *testing.T, b []byte) *PrivateKey {
	t.Helper()
	k, err := parsePrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func makePackets(t *testing.T) (v packetVectors) {
	for range 2 {
		l := lionessVector{Key: drawn(keySize), Plain: drawn(PayloadSize)}
		l.Cipher = bytes.Clone(l.Plain)
		encipher((*[keySize]byte)(l.Key), l.Cipher)
		v.Lioness = append(v.Lioness, l)
	}

	route, hops := vectorRoute(t)
	msg := (*Message)(drawn(MessageSize))
	const slot, later Slot = 249_345, 249_344 // 1 and 0 modulo 256, of one epoch
	p, err := Wrap(slot, route, msg)
	if err != nil {
		t.Fatal(err)
	}
	v.Forward = routeVector{Epoch: slot.Epoch().Byte(), Slot: slot.Byte(), Message: msg[:], Hops: hops}
	fillVector(t, &v.Forward, p)

	route, hops = vectorRoute(t)
	msg = (*Message)(drawn(MessageSize))
	block, keys, err := NewReplyBlock(later, [3]Hop(route[:3]), route[3])
	if err != nil {
		t.Fatal(err)
	}
	if _, p, err = block.Reply(msg); err != nil {
		t.Fatal(err)
	}
	v.Reply = routeVector{Epoch: later.Epoch().Byte(), Slot: later.Byte(), Message: msg[:], Block: block.Append(nil), ReplyID: keys.id[:], Hops: hops}
	fillVector(t, &v.Reply, p)

	for _, hour := range []time.Duration{0, 1, 5, 7, 8, 12, 22, 24} {
		for _, before := range []time.Duration{0, time.Second, Skew, Skew + time.Second} {
			now := slot.Epoch().Start().Add(hour*time.Hour - before)
			for ahead := -1; ahead <= MaxAhead+2; ahead++ {
				s := Slot(int(SlotAt(now)) + ahead)
				for _, epoch := range []Epoch{s.Epoch(), s.Epoch() + 1} {
					_, ok := Expiry(epoch.Byte(), s.Byte(), now)
					v.Times = append(v.Times, timeVector{now.Unix(), epoch.Byte(), s.Byte(), ok})
				}
			}
		}
	}
	return v
}

// fillVector notes the input and the result of each hop.
func fillVector(t *testing.T, v *routeVector, p *Packet) {
	for i := range v.Hops {
		h := &v.Hops[i]
		h.Packet = p.Append(nil)
		key := vectorKey(t, h.Private)
		got, err := key.Peel(p)
		if err != nil {
			t.Fatal(err)
		}
		h.Replay = got.Replay[:]
		h.PayloadKey = payloadKey(t, key, p)
		if got.payload != nil {
			v.Final = got.payload[:]
		}
		p = got.Packet
	}
}

func vectorRoute(t *testing.T) (route [Layers]Hop, hops []hopVector) {
	for i := range route {
		private := drawn(32)
		key := vectorKey(t, private)
		route[i] = Hop{Key: key.Public()}
		if i < Layers-1 {
			route[i].Delay = time.Duration(17*i) * time.Millisecond
		}
		copy(route[i].ID[:], drawn(32))
		hops = append(hops, hopVector{ID: bytes.Clone(route[i].ID[:]), Private: private, Public: key.Public().Bytes(), DelayMs: route[i].Delay.Milliseconds()})
	}
	return route, hops
}

func drawn(n int) vectors.Hex {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
