package vectors

import (
	"bytes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hpke"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

// The primitives that p2p/outfox and node/store use beside the session's.

func TestWycheproofChaCha20Poly1305(t *testing.T) {
	aead(t, "chacha20_poly1305", 325, chacha20poly1305.New)
}

func TestWycheproofXChaCha20Poly1305(t *testing.T) {
	aead(t, "xchacha20_poly1305", 315, chacha20poly1305.NewX)
}

func aead(t *testing.T, name string, tests int, construct func(key []byte) (cipher.AEAD, error)) {
	wycheproof(t, name, tests, func(t *testing.T, _ group, v vector) {
		a, err := construct(v.Key)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.IV) != a.NonceSize() {
			if v.Result != "invalid" {
				t.Errorf("%d: nonce of %d bytes", v.ID, len(v.IV))
			}
			return
		}
		sealed := append(bytes.Clone(v.CT), v.Tag...)
		got, err := a.Open(nil, v.IV, sealed, v.AAD)
		if (err == nil) != (v.Result == "valid") || err == nil && !bytes.Equal(got, v.Msg) {
			t.Errorf("%d: open: %v", v.ID, err)
		}
		if err == nil && !bytes.Equal(a.Seal(nil, v.IV, v.Msg, v.AAD), sealed) {
			t.Errorf("%d: seal", v.ID)
		}
	})
}

// TestHPKE is the suite of a packet's layers.
func TestHPKE(t *testing.T) {
	var v struct {
		Info, SkRm, PkRm, Enc hexBytes
		Encryptions           []struct{ AAD, PT, CT hexBytes }
		Exports               []struct{ Context, Value hexBytes }
	}
	load(t, "hpke.json", &v)
	k, err := hpke.DHKEM(ecdh.X25519()).NewPrivateKey(v.SkRm)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(k.PublicKey().Bytes(), v.PkRm) {
		t.Error("public key")
	}
	r, err := hpke.NewRecipient(v.Enc, k, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), v.Info)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range v.Encryptions {
		if _, err := r.Open(append([]byte{1}, e.AAD...), e.CT); err == nil {
			t.Errorf("message %d opens with other associated data", i)
		}
		if got, err := r.Open(e.AAD, e.CT); err != nil || !bytes.Equal(got, e.PT) {
			t.Errorf("message %d: %v", i, err)
		}
	}
	for _, e := range v.Exports {
		if got, err := r.Export(string(e.Context), len(e.Value)); err != nil || !bytes.Equal(got, e.Value) {
			t.Errorf("export %x: %v", e.Context, err)
		}
	}
	if len(v.Encryptions) != 32 || len(v.Exports) != 3 {
		t.Error(len(v.Encryptions), len(v.Exports))
	}
}

// TestArgon2id has the vectors of the reference implementation's own test, which
// computes RFC 9106's as well. The RFC's one vector, section 5.3, has a secret
// and associated data, for which x/crypto's function has no place.
func TestArgon2id(t *testing.T) {
	for _, v := range []struct {
		passphrase, salt string
		passes, memory   uint32 // KiB
		threads          uint8
		want             string
	}{
		{"password", "somesalt", 2, 64 << 10, 1, "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"},
		{"password", "somesalt", 2, 256, 1, "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"},
		{"password", "somesalt", 2, 256, 2, "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"},
		{"password", "somesalt", 1, 64 << 10, 1, "f6a5adc1ba723dddef9b5ac1d464e180fcd9dffc9d1cbf76cca2fed795d9ca98"},
		{"differentpassword", "somesalt", 2, 64 << 10, 1, "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde"},
		{"password", "diffsalt", 2, 64 << 10, 1, "bdf32b05ccc42eb15d58fd19b1f856b113da1e9a5874fdcc544308565aa8141c"},
	} {
		var want hexBytes
		if err := want.UnmarshalText([]byte(v.want)); err != nil {
			t.Fatal(err)
		}
		got := argon2.IDKey([]byte(v.passphrase), []byte(v.salt), v.passes, v.memory, v.threads, 32)
		if !bytes.Equal(got, want) {
			t.Errorf("%+v: %x", v, got)
		}
	}
}
