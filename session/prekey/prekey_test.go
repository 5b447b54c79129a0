package prekey

import (
	"bytes"
	"fmt"
	"testing"

	"starling/session/identity"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/internal/key/keytest"
)

func TestRoundTrip(t *testing.T) {
	p := New()
	again, err := ParsePrivate(p.Bytes())
	if err != nil || !bytes.Equal(again.Bytes(), p.Bytes()) || len(p.Bytes()) != PrivateSize {
		t.Fatal("private prekeys changed", err)
	}
	enc := p.Bundle().Append(nil)
	if len(enc) != BundleSize || BundleSize != 1957 {
		t.Fatal(len(enc))
	}
	b, err := Parse(enc)
	if err != nil || !bytes.Equal(b.Append(nil), enc) {
		t.Fatal("bundle changed", err)
	}
}

// TestPrivateLength: private prekeys of another length are none.
func TestPrivateLength(t *testing.T) {
	b := append(New().Bytes(), 0)
	for n := range len(b) + 1 {
		if _, err := ParsePrivate(b[:n]); (err == nil) != (n == PrivateSize) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// TestEveryBitFlip: every bit of a bundle is under a signature or is one.
func TestEveryBitFlip(t *testing.T) {
	enc := New().Bundle().Append(nil)
	for i := range len(enc) {
		enc[i] ^= 1 << (i % 8)
		if _, err := Parse(enc); err == nil {
			t.Fatalf("byte %d changed and accepted", i)
		}
		enc[i] ^= 1 << (i % 8)
	}
	for n := range len(enc) {
		if _, err := Parse(enc[:n]); err == nil {
			t.Fatalf("%d bytes accepted", n)
		}
	}
}

// TestSignaturesSwapped: a signature says which key it is for.
func TestSignaturesSwapped(t *testing.T) {
	p := New()
	b := p.Bundle()
	b.signedSig, b.oneTimeSig = b.oneTimeSig, b.signedSig
	reject(t, "signatures swapped", b)

	b = p.Bundle()
	b.Signed, b.OneTime = b.OneTime, b.Signed
	b.signedSig, b.oneTimeSig = b.oneTimeSig, b.signedSig
	reject(t, "keys and signatures swapped", b)

	b = p.Bundle()
	b.signedSig = p.Identity.SignKey(kdf.SignDH, b.Signed.AppendEC(nil))
	reject(t, "label of the identity key", b)
}

// TestSignedByAnotherIdentity: each key in turn comes from another bundle.
func TestSignedByAnotherIdentity(t *testing.T) {
	p, other := New(), New()
	for name, edit := range map[string]func(b, o *Bundle){
		"identity": func(b, o *Bundle) { b.Identity = o.Identity },
		"signed":   func(b, o *Bundle) { b.Signed, b.signedSig = o.Signed, o.signedSig },
		"one-time": func(b, o *Bundle) { b.OneTime, b.oneTimeSig = o.OneTime, o.oneTimeSig },
		"KEM":      func(b, o *Bundle) { b.KEM, b.kemSig = o.KEM, o.kemSig },
	} {
		b := p.Bundle()
		edit(b, other.Bundle())
		reject(t, name, b)
	}
}

// TestKeyKindConfusion: a KEM key where a curve key belongs, and the other way round,
// even when signed as the wrong kind.
func TestKeyKindConfusion(t *testing.T) {
	p := New()
	enc := p.Bundle().Append(nil)
	at := identity.PublicSize
	for _, kind := range []byte{key.TypeKEM, key.TypeEd25519, key.TypeCiphertext, 0} {
		bad := bytes.Clone(enc)
		bad[at] = kind
		sig := p.Identity.SignKey(kdf.SignSigned, bad[at:at+key.SizeEC])
		copy(bad[at+key.SizeEC:], sig[:])
		if _, err := Parse(bad); err == nil {
			t.Errorf("kind %#x for a curve key", kind)
		}
	}
	at += 2 * (key.SizeEC + 64)
	for _, kind := range []byte{key.TypeX25519, key.TypeEd25519, key.TypeCiphertext, 0} {
		bad := bytes.Clone(enc)
		bad[at] = kind
		sig := p.Identity.SignKey(kdf.SignKEM, bad[at:at+key.SizeKEM])
		copy(bad[at+key.SizeKEM:], sig[:])
		if _, err := Parse(bad); err == nil {
			t.Errorf("kind %#x for a KEM key", kind)
		}
	}
	// A KEM key with coefficients that are not reduced.
	bad := bytes.Clone(enc)
	copy(bad[at+1:], bytes.Repeat([]byte{0xff}, 3))
	sig := p.Identity.SignKey(kdf.SignKEM, bad[at:at+key.SizeKEM])
	copy(bad[at+key.SizeKEM:], sig[:])
	if _, err := Parse(bad); err == nil {
		t.Error("KEM key out of range")
	}
}

func TestNonCanonicalPrekey(t *testing.T) {
	p := New()
	for _, u := range keytest.NonCanonical() {
		b := p.Bundle()
		b.Signed, b.signedSig = u, p.Identity.SignKey(kdf.SignSigned, u.AppendEC(nil))
		reject(t, "signed", b)
		b = p.Bundle()
		b.OneTime, b.oneTimeSig = u, p.Identity.SignKey(kdf.SignOneTime, u.AppendEC(nil))
		reject(t, "one-time", b)
	}
}

func reject(t *testing.T, name string, b *Bundle) {
	t.Helper()
	if _, err := Parse(b.Append(nil)); err != ErrInvalid {
		t.Errorf("%s: %v", name, err)
	}
}

func TestPrivateIsNotPrinted(t *testing.T) {
	p := New()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		if s := fmt.Sprintf(verb, p); s != "[secret]" {
			t.Errorf("%s: %q", verb, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(New().Bundle().Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, err := Parse(data); err == nil && !bytes.Equal(b.Append(nil), data) {
			t.Fatal("two encodings of one bundle")
		}
	})
}

func FuzzParsePrivate(f *testing.F) {
	f.Add(New().Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParsePrivate(b); err == nil && !bytes.Equal(p.Bytes(), b) {
			t.Fatal("two encodings of one set of prekeys")
		}
	})
}
