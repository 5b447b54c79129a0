package handshake

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"starling/session/identity"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/internal/key/keytest"
	"starling/session/prekey"
)

var invite = [InviteIDSize]byte{1, 2, 3}

func parties(t testing.TB) (alice *identity.Private, bob *prekey.Private, hello *Hello, secrets *Secrets) {
	t.Helper()
	alice, bob = identity.New(), prekey.New()
	hello, secrets, err := Initiate(alice, bob.Bundle(), invite)
	if err != nil {
		t.Fatal(err)
	}
	return alice, bob, hello, secrets
}

func TestAgreement(t *testing.T) {
	_, bob, hello, a := parties(t)
	enc := hello.Append(nil)
	if len(enc) != HelloSize || HelloSize != 1732 {
		t.Fatal(len(enc))
	}
	parsed, err := ParseHello(enc)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Respond(bob, parsed, invite)
	if err != nil {
		t.Fatal(err)
	}
	if *a != *b {
		t.Fatal("the two sides have different secrets")
	}
	// Every secret is a different one.
	seen := map[string]bool{}
	for _, s := range [][]byte{a.AD[:], a.EC[:], a.PQ[:], a.HeaderA[:32], a.HeaderA[32:], a.HeaderB[:32], a.HeaderB[32:], a.TagsA[:], a.TagsB[:], a.Exporter[:]} {
		if seen[string(s)] || bytes.Equal(s, make([]byte, len(s))) {
			t.Fatal("a secret twice, or none")
		}
		seen[string(s)] = true
	}
}

// TestDerivation: the KDF really is applied to the DH outputs, in order, with
// everything the page says (SimpleX 2022: it was not). It recomputes SK with
// nothing but the primitives.
func TestDerivation(t *testing.T) {
	alice, bob := identity.New(), prekey.New()
	hello, got, err := Initiate(alice, bob.Bundle(), invite)
	if err != nil {
		t.Fatal(err)
	}
	agree := func(own interface {
		Agree(key.Public) ([32]byte, error)
	}, peer key.Public) []byte {
		dh, err := own.Agree(peer)
		if err != nil {
			t.Fatal(err)
		}
		return dh[:]
	}
	ss, err := bob.KEM.Decapsulate(hello.Ciphertext[:])
	if err != nil {
		t.Fatal(err)
	}
	ikm := bytes.Repeat([]byte{0xff}, 32)
	ikm = append(ikm, agree(alice, bob.Signed.Public())...)
	ikm = append(ikm, agree(bob.Identity, hello.Ephemeral)...)
	ikm = append(ikm, agree(bob.Signed, hello.Ephemeral)...)
	ikm = append(ikm, agree(bob.OneTime, hello.Ephemeral)...)
	ikm = append(ikm, ss...)
	var sk, root [32]byte
	kdf.Derive(kdf.PQXDH, nil, ikm, sk[:])
	kdf.Derive(kdf.SplitEC, nil, sk[:], root[:])
	if got.EC != root {
		t.Fatal("root key is not derived as documented")
	}
	ad := append([]byte(kdf.AssociatedData), key.TypeX25519)
	dhA, dhB := alice.Public().DH, bob.Identity.Public().DH
	ad = append(append(append(ad, dhA[:]...), key.TypeX25519), dhB[:]...)
	signA, signB := alice.Public().Sign, bob.Identity.Public().Sign
	ad = append(append(ad, key.TypeEd25519), signA[:]...)
	ad = append(append(ad, key.TypeEd25519), signB[:]...)
	ad = append(append(ad, key.TypeKEM), bob.KEM.EncapsulationKey().Bytes()...)
	ad = append(append(ad, Suite), invite[:]...)
	if len(ad)-len(kdf.AssociatedData) != 1718 || got.AD != sha256.Sum256(ad) {
		t.Fatal("associated data is not as documented")
	}
}

// differ checks that Bob does not get Alice's secrets.
func differ(t *testing.T, name string, bob *prekey.Private, h *Hello, id [InviteIDSize]byte, a *Secrets) {
	t.Helper()
	b, err := Respond(bob, h, id)
	if err != nil {
		return
	}
	if a.EC == b.EC && a.AD == b.AD {
		t.Errorf("%s: the two sides agree", name)
	}
	if a.EC != b.EC && (a.HeaderA == b.HeaderA || a.TagsA == b.TagsA || a.PQ == b.PQ) {
		t.Errorf("%s: a part of the secrets agrees", name)
	}
}

// TestAlteredKEMCiphertext: implicit rejection gives other secrets.
func TestAlteredKEMCiphertext(t *testing.T) {
	_, bob, hello, a := parties(t)
	for _, i := range []int{0, 700, len(hello.Ciphertext) - 1} {
		bad := *hello
		bad.Ciphertext[i] ^= 1
		differ(t, "altered ciphertext", bob, &bad, invite, a)
	}
	bad := *hello
	clear(bad.Ciphertext[:])
	differ(t, "no ciphertext", bob, &bad, invite, a)
}

// TestKEMReencapsulation: one KEM secret put to another prekey. The prekey is
// in the associated data, so the sides part even if the secret were the same
// (PQXDH 4.12).
func TestKEMReencapsulation(t *testing.T) {
	_, bob, hello, a := parties(t)
	other := *bob
	other.KEM = prekey.New().KEM
	b, err := Respond(&other, hello, invite)
	if err != nil {
		t.Fatal(err)
	}
	if a.AD == b.AD {
		t.Fatal("the KEM prekey is not in the associated data")
	}
}

// TestUnknownKeyShare: any name in the handshake that differs between the two
// sides makes the associated data differ.
func TestUnknownKeyShare(t *testing.T) {
	alice, bob, hello, a := parties(t)
	mallory := identity.New()

	renamed := *hello
	renamed.Identity.Sign = mallory.Public().Sign
	differ(t, "initiator's signing key", bob, &renamed, invite, a)

	other := *bob
	other.Identity = identity.New()
	differ(t, "responder's identity", &other, hello, invite, a)
	differ(t, "invite", bob, hello, [InviteIDSize]byte{9}, a)

	kem := bob.Bundle().AppendKEM(nil)
	if associatedData(alice.Public(), bob.Identity.Public(), kem, invite) ==
		associatedData(bob.Identity.Public(), alice.Public(), kem, invite) {
		t.Error("roles can be swapped")
	}
}

// TestOwnIdentity: nobody shakes hands with themselves.
func TestOwnIdentity(t *testing.T) {
	bob := prekey.New()
	if _, _, err := Initiate(bob.Identity, bob.Bundle(), invite); err != ErrInvalid {
		t.Error("initiated with the own identity:", err)
	}
	_, _, hello, _ := parties(t)
	for _, edit := range []func(h *Hello){
		func(h *Hello) { h.Identity = bob.Identity.Public() },
		func(h *Hello) { h.Identity.DH = bob.Identity.Public().DH },
		func(h *Hello) { h.Identity.Sign = bob.Identity.Public().Sign },
	} {
		h := *hello
		edit(&h)
		if _, err := Respond(bob, &h, invite); err != ErrInvalid {
			t.Error("responded to the own identity:", err)
		}
	}
}

// TestLowOrderPoints: low-order and non-canonical keys in every role.
func TestLowOrderPoints(t *testing.T) {
	alice, bob, hello, _ := parties(t)
	for _, u := range keytest.Bad() {
		for name, edit := range map[string]func(b *prekey.Bundle){
			"IKB":  func(b *prekey.Bundle) { b.Identity.DH = u },
			"SPKB": func(b *prekey.Bundle) { b.Signed = u },
			"OPKB": func(b *prekey.Bundle) { b.OneTime = u },
		} {
			b := bob.Bundle()
			edit(b)
			if _, _, err := Initiate(alice, b, invite); err != ErrInvalid {
				t.Errorf("%s %x: %v", name, u, err)
			}
		}
		for name, edit := range map[string]func(h *Hello){
			"IKA": func(h *Hello) { h.Identity.DH = u },
			"EKA": func(h *Hello) { h.Ephemeral = u },
		} {
			h := *hello
			edit(&h)
			if _, err := Respond(bob, &h, invite); err != ErrInvalid {
				t.Errorf("%s %x: %v", name, u, err)
			}
		}
	}
}

// TestHelloEncoding: kinds, lengths and every byte of the identity.
func TestHelloEncoding(t *testing.T) {
	_, bob, hello, a := parties(t)
	enc := hello.Append(nil)
	for n := range len(enc) {
		if _, err := ParseHello(enc[:n]); err == nil {
			t.Fatalf("%d bytes accepted", n)
		}
	}
	if _, err := ParseHello(append(bytes.Clone(enc), 0)); err == nil {
		t.Fatal("trailing byte accepted")
	}
	for i := range enc {
		bad := bytes.Clone(enc)
		bad[i] ^= 0x40
		if h, err := ParseHello(bad); err == nil {
			if i < identity.PublicSize || i == identity.PublicSize || i == identity.PublicSize+key.SizeEC {
				t.Errorf("byte %d changed and accepted", i)
			}
			differ(t, "changed hello", bob, h, invite, a)
		}
	}
}

// TestErased: nothing is left of the inputs of the secrets.
func TestErased(t *testing.T) {
	var dh [4][32]byte
	for i := range dh {
		dh[i][0], dh[i][31] = 1, byte(i)
	}
	ss := bytes.Repeat([]byte{7}, 32)
	split([kdf.Size]byte{}, &dh[0], &dh[1], &dh[2], &dh[3], ss)
	if dh != [4][32]byte{} || !bytes.Equal(ss, make([]byte, 32)) {
		t.Error("an input is left")
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	_, _, _, s := parties(t)
	if s.String() != "[secret]" || fmt.Sprintf("%x", s) != "[secret]" || s.LogValue().String() != "[secret]" {
		t.Fatal("secrets printed")
	}
}

func FuzzParseHello(f *testing.F) {
	_, bob, hello, _ := parties(f)
	f.Add(hello.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHello(b)
		if err != nil {
			return
		}
		if !bytes.Equal(h.Append(nil), b) {
			t.Fatal("two encodings of one hello")
		}
		Respond(bob, h, invite)
	})
}

func BenchmarkInitiate(b *testing.B) {
	alice, bundle := identity.New(), prekey.New().Bundle()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Initiate(alice, bundle, invite); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRespond(b *testing.B) {
	_, bob, hello, _ := parties(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Respond(bob, hello, invite); err != nil {
			b.Fatal(err)
		}
	}
}
