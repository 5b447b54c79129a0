package cbchmac

import (
	"bytes"
	"crypto/rand"
	"testing"
)

func material() (key [KeySize]byte, iv [IVSize]byte) {
	rand.Read(key[:])
	rand.Read(iv[:])
	return key, iv
}

func TestRoundTrip(t *testing.T) {
	key, iv := material()
	for n := range 100 {
		plaintext := bytes.Repeat([]byte{byte(n)}, n)
		sealed := Seal([]byte("before"), &key, &iv, plaintext, []byte("a"), []byte("d"))
		if len(sealed) != 6+SealedSize(n) {
			t.Fatalf("%d bytes seal to %d", n, len(sealed)-6)
		}
		got, ok := Open([]byte("x"), &key, &iv, sealed[6:], []byte("ad"))
		if !ok || !bytes.Equal(got, append([]byte("x"), plaintext...)) {
			t.Fatalf("%d bytes do not come back", n)
		}
	}
	if PlainSize(SealedSize(1359)) != 1359 {
		t.Fatal(PlainSize(SealedSize(1359)))
	}
}

func TestEveryBitFlipAndTruncation(t *testing.T) {
	key, iv := material()
	sealed := Seal(nil, &key, &iv, []byte("the plaintext of a message"), []byte("ad"))
	refuse := func(what string, key *[KeySize]byte, iv *[IVSize]byte, sealed []byte, ad string) {
		t.Helper()
		if got, ok := Open(nil, key, iv, sealed, []byte(ad)); ok || len(got) != 0 {
			t.Fatalf("%s: opened", what)
		}
	}
	for i := range len(sealed) * 8 {
		bad := bytes.Clone(sealed)
		bad[i/8] ^= 1 << (i % 8)
		refuse("bit flip", &key, &iv, bad, "ad")
	}
	for n := range len(sealed) {
		refuse("truncation", &key, &iv, sealed[:n], "ad")
	}
	for i := 32; i < KeySize; i++ {
		other := key
		other[i] ^= 1
		refuse("key", &other, &iv, sealed, "ad")
	}
	refuse("ad", &key, &iv, sealed, "ae")
	refuse("ad", &key, &iv, sealed, "")
	refuse("trailing byte", &key, &iv, append(bytes.Clone(sealed), 0), "ad")
}

// TestBadPadding: padding is checked even under a right tag.
func TestBadPadding(t *testing.T) {
	key, iv := material()
	for _, last := range []byte{0, 2, 16, 17, 255} {
		block := make([]byte, 16)
		block[14], block[15] = 1, last
		// CBC of the block with PKCS #7 after it; drop the second block and
		// make the tag again.
		sealed := Seal(nil, &key, &iv, block)
		right := tag(&key, sealed[:16], nil)
		sealed = append(sealed[:16:16], right[:]...)
		if _, ok := Open(nil, &key, &iv, sealed); ok {
			t.Errorf("padding %d accepted", last)
		}
	}
}

// TestCommitment: one ciphertext does not open under two keys. With a
// polynomial authenticator two keys could be found for any ciphertext; here the
// tag is HMAC-SHA-256, and both halves of the key matter.
func TestCommitment(t *testing.T) {
	key, iv := material()
	other, _ := material()
	sealed := Seal(nil, &key, &iv, []byte("x"))
	if _, ok := Open(nil, &other, &iv, sealed); ok {
		t.Fatal("opened under another key")
	}
	mixed := other
	copy(mixed[:32], key[:32])
	if _, ok := Open(nil, &mixed, &iv, sealed); ok {
		t.Fatal("opened under another HMAC key")
	}
}

func FuzzOpen(f *testing.F) {
	key, iv := material()
	f.Add(Seal(nil, &key, &iv, []byte("x")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if p, ok := Open(nil, &key, &iv, sealed); ok && !bytes.Equal(Seal(nil, &key, &iv, p), sealed) {
			t.Fatal("two sealed forms of one plaintext")
		}
	})
}
