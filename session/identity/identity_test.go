package identity

import (
	"bytes"
	"fmt"
	"testing"

	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/internal/key/keytest"
)

func TestRoundTrip(t *testing.T) {
	id := New()
	again, err := ParsePrivate(id.Bytes())
	if err != nil || again.Public() != id.Public() {
		t.Fatal("private identity changed", err)
	}
	enc := id.Public().Append(nil)
	if len(enc) != PublicSize {
		t.Fatal(len(enc))
	}
	pub, err := Parse(enc)
	if err != nil || pub != id.Public() {
		t.Fatal("public identity changed", err)
	}
}

// TestAgree: two identities agree by the DH keys that they show.
func TestAgree(t *testing.T) {
	a, b := New(), New()
	one, err1 := a.Agree(b.Public().DH)
	two, err2 := b.Agree(a.Public().DH)
	if err1 != nil || err2 != nil || one != two {
		t.Error("they do not agree", err1, err2)
	}
}

// TestPrivateLength: a private identity of another length is none.
func TestPrivateLength(t *testing.T) {
	b := append(New().Bytes(), 0)
	for n := range len(b) + 1 {
		if _, err := ParsePrivate(b[:n]); (err == nil) != (n == PrivateSize) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestEveryBitFlipAndTruncation(t *testing.T) {
	enc := New().Public().Append(nil)
	for i := range len(enc) * 8 {
		enc[i/8] ^= 1 << (i % 8)
		if _, err := Parse(enc); err == nil {
			t.Fatalf("bit %d flipped and accepted", i)
		}
		enc[i/8] ^= 1 << (i % 8)
	}
	for n := range len(enc) {
		if _, err := Parse(enc[:n]); err == nil {
			t.Fatalf("%d bytes accepted", n)
		}
	}
	if _, err := Parse(append(enc, 0)); err == nil {
		t.Fatal("trailing byte accepted")
	}
}

// TestUnknownKeyShare: nobody pairs someone else's key with one of their own,
// in either direction.
func TestUnknownKeyShare(t *testing.T) {
	victim, mallory := New(), New()
	for name, p := range map[string]Public{
		"victim's signing key, own DH key": {Sign: victim.Public().Sign, DH: mallory.Public().DH, Sig: mallory.Public().Sig},
		"own signing key, victim's DH key": {Sign: mallory.Public().Sign, DH: victim.Public().DH, Sig: victim.Public().Sig},
		"signature of another role": {Sign: mallory.Public().Sign, DH: mallory.Public().DH,
			Sig: mallory.SignKey(kdf.SignSigned, mallory.Public().DH.AppendEC(nil))},
	} {
		if _, err := Parse(p.Append(nil)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestNonCanonicalDHKey(t *testing.T) {
	id := New()
	for _, u := range keytest.NonCanonical() {
		p := Public{Sign: id.Public().Sign, DH: u, Sig: id.SignKey(kdf.SignDH, u.AppendEC(nil))}
		if _, err := Parse(p.Append(nil)); err == nil {
			t.Errorf("%x accepted", u)
		}
		// Nor is it taken for no key at all.
		p.Sig = id.SignKey(kdf.SignDH, key.Public{}.AppendEC(nil))
		if _, err := Parse(p.Append(nil)); err == nil {
			t.Errorf("%x accepted for zeros", u)
		}
	}
}

// TestKeyKindConfusion: a key of one kind where one of another is expected.
func TestKeyKindConfusion(t *testing.T) {
	enc := New().Public().Append(nil)
	for _, at := range []int{0, key.SizeEd} {
		for _, kind := range []byte{key.TypeX25519, key.TypeEd25519, key.TypeKEM, key.TypeCiphertext, 0} {
			bad := bytes.Clone(enc)
			if bad[at] == kind {
				continue
			}
			bad[at] = kind
			if _, err := Parse(bad); err == nil {
				t.Errorf("kind %#x at %d accepted", kind, at)
			}
		}
	}
}

func TestPrivateIsNotPrinted(t *testing.T) {
	id := New()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		if s := fmt.Sprintf(verb, id); s != "[secret]" {
			t.Errorf("%s: %q", verb, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(New().Public().Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := Parse(b); err == nil && !bytes.Equal(p.Append(nil), b) {
			t.Fatal("two encodings of one identity")
		}
	})
}

func FuzzParsePrivate(f *testing.F) {
	f.Add(New().Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParsePrivate(b); err == nil && !bytes.Equal(p.Bytes(), b) {
			t.Fatal("two encodings of one identity")
		}
	})
}
