package handshake

import (
	"bytes"
	"crypto/rand"
	"reflect"
	"testing"

	"starling/docs/vectors"
	"starling/session/identity"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/prekey"
)

type handshakeVectors struct {
	Alice     vectors.Hex   `json:"alice"`               // private
	Ephemeral vectors.Hex   `json:"ephemeral,omitempty"` // private EK, if known
	M         vectors.Hex   `json:"m,omitempty"`         // of the encapsulation, if known
	Bob       vectors.Hex   `json:"bob"`                 // private
	Bundle    vectors.Hex   `json:"bundle"`
	InviteID  vectors.Hex   `json:"invite_id"`
	Initial   vectors.Hex   `json:"initial"`
	DH        []vectors.Hex `json:"dh"`
	SS        vectors.Hex   `json:"ss"`
	SK        vectors.Hex   `json:"sk"`
	AD        vectors.Hex   `json:"ad"`
	Split     splitVector   `json:"split"`
}

type splitVector struct {
	Root     vectors.Hex `json:"root"`
	PQ       vectors.Hex `json:"pq"`
	HeaderA  vectors.Hex `json:"header_a"`
	HeaderB  vectors.Hex `json:"header_b"`
	TagsA    vectors.Hex `json:"tags_a"`
	TagsB    vectors.Hex `json:"tags_b"`
	Exporter vectors.Hex `json:"exporter"`
}

func splitOf(s *Secrets) splitVector {
	return splitVector{s.EC[:], s.PQ[:], s.HeaderA[:], s.HeaderB[:], s.TagsA[:], s.TagsB[:], s.Exporter[:]}
}

// middle fills in the values that Bob computes on the way and erases.
func (v *handshakeVectors) middle(t *testing.T, bob *prekey.Private, h *Hello) {
	t.Helper()
	ikm := bytes.Repeat([]byte{0xff}, 32)
	v.DH = nil
	for _, pair := range []struct {
		own interface {
			Agree(key.Public) ([32]byte, error)
		}
		peer key.Public
	}{
		{&bob.Signed, h.Identity.DH}, {bob.Identity, h.Ephemeral}, {&bob.Signed, h.Ephemeral}, {&bob.OneTime, h.Ephemeral},
	} {
		dh, err := pair.own.Agree(pair.peer)
		if err != nil {
			t.Fatal(err)
		}
		v.DH = append(v.DH, dh[:])
		ikm = append(ikm, dh[:]...)
	}
	var err error
	if v.SS, err = bob.KEM.Decapsulate(h.Ciphertext[:]); err != nil {
		t.Fatal(err)
	}
	v.SK = make([]byte, kdf.Size)
	kdf.Derive(kdf.PQXDH, nil, append(ikm, v.SS...), v.SK)
}

func makeHandshake(t *testing.T) (v handshakeVectors) {
	alice, bob := identity.New(), prekey.New()
	v = handshakeVectors{Alice: alice.Bytes(), Bob: bob.Bytes(), Bundle: bob.Bundle().Append(nil), InviteID: make([]byte, InviteIDSize)}
	rand.Read(v.InviteID)
	h, s, err := Initiate(alice, bob.Bundle(), [InviteIDSize]byte(v.InviteID))
	if err != nil {
		t.Fatal(err)
	}
	v.Initial, v.AD, v.Split = h.Append(nil), s.AD[:], splitOf(s)
	v.middle(t, bob, h)
	return v
}

func checkHandshake(t *testing.T, v handshakeVectors) {
	alice, err := identity.ParsePrivate(v.Alice)
	if err != nil {
		t.Fatal(err)
	}
	bob, err := prekey.ParsePrivate(v.Bob)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := prekey.Parse(v.Bundle); err != nil || !bytes.Equal(bob.Bundle().Append(nil), v.Bundle) {
		t.Errorf("bundle: %v", err)
	}
	h, err := ParseHello(v.Initial)
	if err != nil || !bytes.Equal(h.Append(nil), v.Initial) || h.Identity != alice.Public() {
		t.Fatalf("initial message: %v", err)
	}
	s, err := Respond(bob, h, [InviteIDSize]byte(v.InviteID))
	if err != nil {
		t.Fatal(err)
	}
	if got := splitOf(s); !bytes.Equal(s.AD[:], v.AD) || !reflect.DeepEqual(got, v.Split) {
		t.Error("other secrets")
	}
	got := v
	if got.middle(t, bob, h); !reflect.DeepEqual(got, v) {
		t.Error("another DH, SS or SK")
	}
}

func TestVectors(t *testing.T) {
	vectors.Made(t, "handshake", makeHandshake, checkHandshake)
	vectors.Produced(t, "handshake", checkHandshake)
}
