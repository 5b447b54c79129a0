package braid

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"testing"
)

// TestAuthenticator: keys and MACs are those of sections 2.2 and 2.4, put together here
// from the standard library: every part counts, in its place.
func TestAuthenticator(t *testing.T) {
	const epoch = 0x0102030405060708
	info := func(label string) string {
		return suite.Info + label + string(binary.BigEndian.AppendUint64(nil, epoch))
	}
	expand := func(salt, secret []byte, label string, size int) []byte {
		b, err := hkdf.Key(sha256.New, secret, salt, info(label), size)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	mac := func(key []byte, label string, parts ...string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(info(label)))
		for _, p := range parts {
			h.Write([]byte(p))
		}
		return h.Sum(nil)
	}
	same := func(what string, got, want []byte) {
		t.Helper()
		if !hmac.Equal(got, want) {
			t.Errorf("%s: %x, want %x", what, got, want)
		}
	}

	start := authenticator{root: [keySize]byte{1}, mac: [keySize]byte{2}}
	key := [keySize]byte{3}
	for _, s := range []Suite{suite, {Info: suite.Info, RootAsInput: true}} {
		a := start
		a.update(&s, epoch, &key)
		want := expand(start.root[:], key[:], ":Authenticator Update", 64)
		if s.RootAsInput {
			want = expand(make([]byte, 32), append(start.root[:], key[:]...), ":Authenticator Update", 64)
		}
		same("root", a.root[:], want[:32])
		same("MAC key", a.mac[:], want[32:])
	}
	same("header", start.header(&suite, epoch, []byte("header")), mac(start.mac[:], ":ekheader", "header"))
	same("ciphertext", start.ciphertext(&suite, epoch, []byte("one"), []byte("two")), mac(start.mac[:], ":ciphertext", "one", "two"))

	shared := [keySize]byte{4}
	want := expand(make([]byte, 32), shared[:], ":SCKA Key", 32)
	got := suite.epochKey(epoch, &shared)
	same("key of the epoch", got[:], want)
	if shared != [keySize]byte{} {
		t.Error("ML-KEM's secret is left")
	}
}
