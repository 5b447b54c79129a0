package key_test

import (
	"bytes"
	"crypto/ecdh"
	"fmt"
	"testing"

	"starling/session/internal/key"
	"starling/session/internal/key/keytest"
)

func TestLowOrderAndNonCanonical(t *testing.T) {
	own := key.Generate()
	for _, u := range keytest.Bad() {
		if secret, err := own.Agree(u); err == nil || secret != [32]byte{} {
			t.Errorf("agreed with %x", u)
		}
	}
	for _, u := range keytest.Bad() {
		if _, err := key.ParsePublic(u[:]); err == nil {
			t.Errorf("parsed %x", u)
		}
		if _, err := key.DecodeEC(u.AppendEC(nil)); err == nil {
			t.Errorf("decoded %x", u)
		}
	}
	// Their neighbours are keys like others.
	for _, u := range keytest.LowOrder() {
		for _, by := range []byte{2, 3} {
			next := u
			next[0] ^= by << 1
			if _, err := key.ParsePublic(next[:]); err != nil && next[31] != 0x7f {
				t.Errorf("%x: %v", next, err)
			}
		}
	}
}

func TestTypeBytesAreDisjoint(t *testing.T) {
	seen := map[byte]bool{}
	for _, b := range []byte{key.TypeX25519, key.TypeEd25519, key.TypeKEM, key.TypeCiphertext} {
		if seen[b] {
			t.Errorf("type byte %#x twice", b)
		}
		seen[b] = true
	}
	enc := key.Generate().Public().AppendEC(nil)
	for b := range 256 {
		enc[0] = byte(b)
		if _, err := key.DecodeEC(enc); (err == nil) != (b == key.TypeX25519) {
			t.Errorf("type byte %#x: %v", b, err)
		}
	}
}

func TestPrivateRoundTrip(t *testing.T) {
	k := key.Generate()
	again, err := key.ParsePrivate(k.Bytes())
	if err != nil || again.Public() != k.Public() || !bytes.Equal(again.Bytes(), k.Bytes()) {
		t.Fatal("private key changed")
	}
	peer := key.Generate()
	want, err := k.Agree(peer.Public())
	if err != nil {
		t.Fatal(err)
	}
	restored := key.Restore([32]byte(k.Bytes()), k.Public())
	for _, agree := range []func() ([32]byte, error){
		func() ([32]byte, error) { return restored.Agree(peer.Public()) },
		func() ([32]byte, error) { return peer.Agree(restored.Public()) },
	} {
		if got, err := agree(); err != nil || got != want {
			t.Fatal("a restored key agrees on something else", err)
		}
	}
	if _, err := key.ParsePrivate(make([]byte, 31)); err == nil {
		t.Fatal("short private key parsed")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		if s := fmt.Sprintf(verb, k); bytes.Contains([]byte(s), []byte(fmt.Sprintf(verb, k.Bytes()))) {
			t.Errorf("%s prints the key", verb)
		}
	}
}

func FuzzDecodeEC(f *testing.F) {
	f.Add(key.Generate().Public().AppendEC(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := key.DecodeEC(b); err == nil && !bytes.Equal(p.AppendEC(nil), b) {
			t.Fatal("two encodings of one key")
		}
	})
}

// TestMatchesStandardLibrary compares public keys and agreements with
// crypto/ecdh's.
func TestMatchesStandardLibrary(t *testing.T) {
	for range 200 {
		own, peer := key.Generate(), key.Generate()
		k, err := ecdh.X25519().NewPrivateKey(own.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if public := own.Public(); !bytes.Equal(public[:], k.PublicKey().Bytes()) {
			t.Fatal("public key")
		}
		public := peer.Public()
		remote, err := ecdh.X25519().NewPublicKey(public[:])
		if err != nil {
			t.Fatal(err)
		}
		want, err := k.ECDH(remote)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := own.Agree(public); err != nil || !bytes.Equal(got[:], want) {
			t.Fatal("agreement")
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	k := key.Generate()
	f.Add(k.Bytes())
	f.Add(make([]byte, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := key.ParsePrivate(b); err == nil && !bytes.Equal(p.Bytes(), b) {
			t.Fatal("two encodings of one private key")
		}
		if p, err := key.ParsePublic(b); err == nil && !bytes.Equal(p.AppendEC(nil)[1:], b) {
			t.Fatal("two encodings of one public key")
		}
	})
}
