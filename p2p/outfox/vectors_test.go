package outfox

import (
	"bytes"
	"crypto/hpke"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write new vectors")

const vectorFile = "testdata/vectors.json"

// vectors are for those who write a second implementation: everything a hop needs
// to peel, and what it must find. Binary values are in hex.
type vectors struct {
	Suite   string
	Label   string
	Lioness []lionessVector
	Forward routeVector
	Reply   routeVector
}

type lionessVector struct {
	Key, Plain, Cipher hexBytes
}

type routeVector struct {
	Epoch   byte
	Message hexBytes
	Block   hexBytes    `json:",omitempty"` // of a reply, and
	Start   hexBytes    `json:",omitempty"` // the key that comes of its seed
	ReplyID hexBytes    `json:",omitempty"`
	Hops    []hopVector // the last finds the message, or the reply
	// Final is the payload after the last hop deciphered.
	Final hexBytes
}

type hopVector struct {
	ID         hexBytes
	Private    hexBytes
	Public     hexBytes
	DelayMs    int64
	Packet     hexBytes // as it comes in
	PayloadKey hexBytes
	Replay     hexBytes
}

type hexBytes []byte

func (b hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

func (b *hexBytes) UnmarshalText(s []byte) (err error) {
	*b, err = hex.DecodeString(string(s))
	return err
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	raw, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	for i, l := range v.Lioness {
		block := bytes.Clone(l.Plain)
		encipher((*[keySize]byte)(l.Key), block)
		if !bytes.Equal(block, l.Cipher) {
			t.Errorf("lioness %d: enciphered to another block", i)
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
	keys := &Keys{id: ReplyID(v.Reply.ReplyID), start: [keySize]byte(v.Reply.Start)}
	for i := range keys.hops {
		keys.hops[i] = [keySize]byte(v.Reply.Hops[i].PayloadKey)
	}
	if m, err = keys.Open(peelVector(t, &v.Reply)); err != nil || !bytes.Equal(m[:], v.Reply.Message) {
		t.Errorf("reply: another message: %v", err)
	}
}

// peelVector checks each hop and returns what the last one finds.
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
		if !bytes.Equal(got.Replay[:], h.Replay) {
			t.Errorf("hop %d: replay tag %x, want %x", i, got.Replay, h.Replay)
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

func vectorKey(t *testing.T, b []byte) *PrivateKey {
	t.Helper()
	k, err := kem.NewPrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return &PrivateKey{k}
}

func writeVectors(t *testing.T) {
	v := vectors{Suite: "DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305", Label: label}
	for i := range 2 {
		key := [keySize]byte(pattern(keySize, 1+i))
		block := pattern(PayloadSize, 3+i)
		l := lionessVector{Key: key[:], Plain: bytes.Clone(block)}
		encipher(&key, block)
		l.Cipher = block
		v.Lioness = append(v.Lioness, l)
	}

	route, hops := vectorRoute(t, 10)
	msg := (*Message)(pattern(MessageSize, 5))
	p, err := Wrap(200, route, msg)
	if err != nil {
		t.Fatal(err)
	}
	v.Forward = routeVector{Epoch: 200, Message: msg[:], Hops: hops}
	fillVector(t, &v.Forward, p)

	route, hops = vectorRoute(t, 20)
	msg = (*Message)(pattern(MessageSize, 6))
	block, keys, err := NewReplyBlock(0, [3]Hop(route[:3]), route[3])
	if err != nil {
		t.Fatal(err)
	}
	if _, p, err = block.Reply(msg); err != nil {
		t.Fatal(err)
	}
	v.Reply = routeVector{Epoch: 0, Message: msg[:], Block: block.Append(nil), Start: keys.start[:], ReplyID: keys.id[:], Hops: hops}
	fillVector(t, &v.Reply, p)

	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(out, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// fillVector notes what each hop gets and finds.
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
		r, err := hpke.NewRecipient(p.header[:encSize], key.key, kdf, aead, info(i+1, v.Epoch))
		if err != nil {
			t.Fatal(err)
		}
		if h.PayloadKey, err = r.Export(exportPayload, keySize); err != nil {
			t.Fatal(err)
		}
		if got.payload != nil {
			v.Final = got.payload[:]
		}
		p = got.Packet
	}
}

func vectorRoute(t *testing.T, seed int) (route [Layers]Hop, hops []hopVector) {
	for i := range route {
		private := pattern(32, seed+i)
		key := vectorKey(t, private)
		route[i] = Hop{Key: key.Public(), Delay: time.Duration(17*i) * time.Millisecond}
		copy(route[i].ID[:], pattern(32, seed+100+i))
		hops = append(hops, hopVector{ID: bytes.Clone(route[i].ID[:]), Private: private, Public: key.Public().Bytes(), DelayMs: route[i].Delay.Milliseconds()})
	}
	return route, hops
}

// pattern returns n bytes that depend on seed.
func pattern(n, seed int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*(2*seed+1) + seed + i>>8)
	}
	return b
}
