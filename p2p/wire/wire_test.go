package wire

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

func TestFrameRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 100, MaxBody} {
		body := bytes.Repeat([]byte{0xa5}, n)
		f, err := NewFrame(TypePacket, body)
		if err != nil {
			t.Fatalf("NewFrame of %d bytes: %v", n, err)
		}
		var link bytes.Buffer
		if err := WriteFrame(&link, f); err != nil {
			t.Fatal(err)
		}
		if link.Len() != FrameSize {
			t.Fatalf("body of %d bytes took %d on the link, want %d", n, link.Len(), FrameSize)
		}
		var g Frame
		if err := ReadFrame(iotest.OneByteReader(&link), &g); err != nil {
			t.Fatal(err)
		}
		if g.Type() != TypePacket || !bytes.Equal(g.Body(), body) {
			t.Fatalf("body of %d bytes came back changed", n)
		}
	}
	if _, err := NewFrame(TypePacket, make([]byte, MaxBody+1)); !errors.Is(err, ErrFrame) {
		t.Fatalf("body one byte too long: %v", err)
	}
}

// TestPutClears: a used frame must not carry the end of a longer body it held
// before.
func TestPutClears(t *testing.T) {
	var f Frame
	if err := f.Put(TypePacket, bytes.Repeat([]byte{1}, MaxBody)); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(TypeDrop, nil); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(f[:], []byte{1}); n != 0 {
		t.Fatalf("%d bytes of the former body are left", n)
	}
}

func TestReadFrameRefuses(t *testing.T) {
	good, err := NewFrame(TypeDrop, []byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	change := func(i int, v byte) []byte {
		b := bytes.Clone(good[:])
		b[i] = v
		return b
	}
	for _, tc := range []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, io.EOF},
		{"half a frame", good[:FrameSize/2], io.ErrUnexpectedEOF},
		{"no type", change(0, 0), ErrFrame},
		{"length beyond the frame", change(1, 0xff), ErrFrame},
		{"shorter length leaves junk", change(2, 2), ErrFrame},
		{"junk in the last byte", change(FrameSize-1, 1), ErrFrame},
	} {
		var f Frame
		if err := ReadFrame(bytes.NewReader(tc.in), &f); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestNodeID(t *testing.T) {
	_, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want, err := peer.IDFromPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	id, err := NodeIDFromPeer(want)
	if err != nil {
		t.Fatal(err)
	}
	if id.Peer() != want || id.String() != want.String() {
		t.Fatalf("got %v, want %v", id.Peer(), want)
	}
	for i := range len(want) {
		for bit := range 8 {
			other := []byte(want)
			other[i] ^= 1 << bit
			got, err := NodeIDFromPeer(peer.ID(other))
			named := NodeID{}
			if pub, err := peer.ID(other).ExtractPublicKey(); err == nil {
				named, _ = NodeIDFromKey(pub)
			}
			if got != named || (err == nil) == named.IsZero() {
				t.Fatalf("byte %d, bit %d: %v, %v, but libp2p says %v", i, bit, got, err, named)
			}
		}
	}
	back, err := ParseNodeID(id.String())
	if err != nil || back != id {
		t.Fatalf("text form: %v, %v", back, err)
	}
	if s := id.LogValue().String(); len(s) > 12 || strings.Contains(s, id.String()) {
		t.Fatalf("log shows %q", s)
	}
	_, rsa, err := crypto.GenerateKeyPair(crypto.RSA, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := peer.IDFromPublicKey(rsa)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"", "x", other.String()} {
		if _, err := ParseNodeID(s); !errors.Is(err, ErrNodeID) {
			t.Errorf("ParseNodeID(%q): %v", s, err)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	seed, _ := NewFrame(TypePacket, []byte("abc"))
	f.Add(seed[:])
	f.Add(make([]byte, FrameSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		var in, out Frame
		if err := ReadFrame(bytes.NewReader(b), &in); err != nil {
			return
		}
		// One body has one encoding.
		if err := out.Put(in.Type(), in.Body()); err != nil || out != in {
			t.Fatalf("accepted a frame that Put would not write: %v", err)
		}
	})
}

func FuzzParseNodeID(f *testing.F) {
	f.Add("12D3KooWGC5kTgGLWVT9Sk8zECbFDvCBvnbgfaBbBF8mfVqJT5Zm")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseNodeID(s)
		if err != nil {
			return
		}
		if again, err := ParseNodeID(id.String()); err != nil || again != id {
			t.Fatalf("%q is read as %s, and that as %s: %v", s, id, again, err)
		}
	})
}
