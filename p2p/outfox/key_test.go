package outfox

import (
	"bytes"
	"crypto/ecdh"
	stdhpke "crypto/hpke"
	"crypto/rand"
	"errors"
	"math/big"
	"slices"
	"testing"

	"starling/p2p/outfox/outfoxtest"
)

// small returns the 32 bytes of a number, little endian.
func small(n *big.Int) []byte {
	b := n.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

// TestParsePublicKeyRefuses: a key that nothing can be sealed to, or that has
// another spelling, is refused where it is read.
func TestParsePublicKeyRefuses(t *testing.T) {
	prime := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	bad := outfoxtest.BadKeys()
	for _, p := range lowOrder {
		bad = append(bad, p[:])
	}
	good, err := NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	high := good.Public().Bytes()
	high[31] |= 0x80
	for _, b := range append(bad, high, nil, high[:31], append(high, 0)) {
		if k, err := ParsePublicKey(b); !errors.Is(err, ErrRefused) || !k.IsZero() {
			t.Errorf("%x: %v", b, err)
		}
	}
	almost := bytes.Repeat([]byte{0xff}, 32) // below the prime by its second byte alone
	almost[1], almost[31] = 0xfe, 0x7f
	if _, err := ParsePublicKey(almost); err != nil {
		t.Errorf("%x: %v", almost, err)
	}
	// The neighbours of all these are keys.
	for _, n := range []int64{2, 3} {
		for _, b := range [][]byte{small(big.NewInt(n)), small(new(big.Int).Sub(prime, big.NewInt(n)))} {
			if _, err := ParsePublicKey(b); err != nil {
				t.Errorf("%x: %v", b, err)
			}
		}
	}
}

// TestLowOrderIsWhatGivesZero: the standard library is the oracle. Besides other
// spellings we refuse exactly the keys that it cannot agree with.
func TestLowOrderIsWhatGivesZero(t *testing.T) {
	mine, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	agrees := func(b []byte) bool {
		k, err := ecdh.X25519().NewPublicKey(b)
		if err != nil {
			t.Fatal(err)
		}
		_, err = mine.ECDH(k)
		return err == nil
	}
	for _, p := range lowOrder {
		if agrees(p[:]) {
			t.Errorf("%x is refused though it agrees", p)
		}
	}
	for range 200 {
		b := drawn(publicSize)
		b[31] &= 0x7f
		if _, err := ParsePublicKey(b); (err == nil) != agrees(b) {
			t.Errorf("%x: %v", b, err)
		}
	}
}

func TestPublicKey(t *testing.T) {
	k, err := NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParsePublicKey(k.Public().Bytes())
	if err != nil || !got.Equal(k.Public()) || got.IsZero() {
		t.Errorf("key does not come back: %v", err)
	}
	other, err := NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	if got.Equal(other.Public()) || got.Equal(PublicKey{}) || !(PublicKey{}).IsZero() || (PublicKey{}).Bytes() != nil {
		t.Error("keys are taken for each other")
	}
}

// oracle is the standard library's form of a key.
func oracle(t *testing.T, k *PrivateKey) stdhpke.PrivateKey {
	t.Helper()
	raw, err := k.key.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	o, err := stdhpke.DHKEM(ecdh.X25519()).NewPrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(o.PublicKey().Bytes(), k.Public().Bytes()) {
		t.Fatal("another public key")
	}
	return o
}

// TestHPKEIsTheStandardLibrarys: of two implementations each opens boxes sealed by the
// other, and both export the same.
func TestHPKEIsTheStandardLibrarys(t *testing.T) {
	k, err := NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	o := oracle(t, k)
	kdf, aead := stdhpke.HKDFSHA256(), stdhpke.ChaCha20Poly1305()
	for layer := 1; layer <= Layers; layer++ {
		plain := drawn(layerSize(layer) - overhead)

		// Ours, opened by theirs.
		header, key, err := seal(k.Public(), layer, testEpoch, plain)
		if err != nil {
			t.Fatal(err)
		}
		r, err := stdhpke.NewRecipient(header[:encSize], o, kdf, aead, info(layer, testEpoch))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Open(nil, header[encSize:]); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("layer %d: they do not open what we seal: %v", layer, err)
		}
		if got, err := r.Export(exportPayload, keySize); err != nil || !bytes.Equal(got, key[:]) {
			t.Errorf("layer %d: another payload key: %v", layer, err)
		}

		// Theirs, opened by ours.
		enc, s, err := stdhpke.NewSender(o.PublicKey(), kdf, aead, info(layer, testEpoch))
		if err != nil {
			t.Fatal(err)
		}
		box, err := s.Seal(nil, plain)
		if err != nil {
			t.Fatal(err)
		}
		got, opener, err := k.open(&Packet{epoch: testEpoch, header: append(enc, box...)}, layer)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("layer %d: we do not open what they seal: %v", layer, err)
		}
		for _, x := range []struct {
			name string
			size int
		}{{exportPayload, keySize}, {exportReplay, ReplaySize}} {
			if want, err := s.Export(x.name, x.size); err != nil || !bytes.Equal(opener.Export([]byte(x.name), uint(x.size)), want) {
				t.Errorf("layer %d: another %s: %v", layer, x.name, err)
			}
		}
	}
}

// TestRefusalsAreTheStandardLibrarys: both refuse the same: every bit of a header,
// other spellings of its key, and points of low order.
func TestRefusalsAreTheStandardLibrarys(t *testing.T) {
	k, err := NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	o := oracle(t, k)
	header, _, err := seal(k.Public(), Layers, testEpoch, make([]byte, finalSize))
	if err != nil {
		t.Fatal(err)
	}
	same := func(what string, header []byte, epoch byte) {
		t.Helper()
		_, _, ours := k.open(&Packet{epoch: epoch, header: header}, Layers)
		var theirs error
		r, err := stdhpke.NewRecipient(header[:encSize], o, stdhpke.HKDFSHA256(), stdhpke.ChaCha20Poly1305(), info(Layers, epoch))
		if theirs = err; err == nil {
			_, theirs = r.Open(nil, header[encSize:])
		}
		if (ours == nil) != (theirs == nil) {
			t.Errorf("%s: we say %v, they %v", what, ours, theirs)
		}
	}
	same("unchanged", header, testEpoch)
	same("another epoch", header, testEpoch+1)
	for bit := range len(header) * 8 {
		b := bytes.Clone(header)
		b[bit/8] ^= 1 << (bit % 8)
		same("one bit", b, testEpoch)
	}
	for _, p := range lowOrder {
		for _, high := range []byte{0, 0x80} {
			b := bytes.Clone(header)
			copy(b, p[:])
			b[31] |= high
			same("low order", b, testEpoch)
			if _, _, err := k.open(&Packet{epoch: testEpoch, header: b}, Layers); !errors.Is(err, errPoint) {
				t.Errorf("%x agrees: %v", p, err)
			}
		}
	}
}

// TestBadKeysInPackets: a header with a bad sender's key is refused at every hop before
// anything is computed with it, in a packet and in a packet of a reply block.
func TestBadKeysInPackets(t *testing.T) {
	route, keys := testRoute(t)
	block, _, err := NewReplyBlock(testSlot, [Layers - 1]Hop(route[:Layers-1]), route[Layers-1])
	if err != nil {
		t.Fatal(err)
	}
	_, answer, err := block.Reply(testMessage())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Packet{wrap(t, route, testMessage()), answer} {
		for i, k := range keys {
			for _, bad := range outfoxtest.BadKeys() {
				hostile := *p
				hostile.header = bytes.Clone(p.header)
				copy(hostile.header, bad)
				if _, _, err := k.open(&hostile, i+1); !errors.Is(err, errPoint) {
					t.Errorf("hop %d, %x: %v", i, bad, err)
				}
				if _, err := k.Peel(&hostile); err != ErrRefused {
					t.Errorf("hop %d, %x: %v", i, bad, err)
				}
			}
			got, err := k.Peel(p)
			if err != nil {
				t.Fatal(err)
			}
			p = got.Packet
		}
	}
}

func FuzzKeys(f *testing.F) {
	k, err := NewPrivateKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.Public().Bytes())
	f.Add(make([]byte, 32))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := ParsePublicKey(b); err == nil && !bytes.Equal(k.Bytes(), b) {
			t.Fatal("two encodings of one key")
		}
		if k, err := parsePrivateKey(b); err == nil && k.Public().IsZero() {
			t.Fatal("a private key without a public one")
		}
	})
}
