package vectors

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"starling/session/internal/cbchmac"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/ratchet/spqr/incremental"
)

// hexBytes is bytes that JSON has in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type vector struct {
	ID     int `json:"tcId"`
	Result string
	Flags  []string

	Public, Private, Shared hexBytes // X25519
	IKM, Salt, Info, OKM    hexBytes // HKDF
	Size                    int
	Key, IV, Msg, CT, Tag   hexBytes // HMAC, AES-CBC, ChaCha20-Poly1305
	AAD                     hexBytes // ChaCha20-Poly1305
	Sig                     hexBytes // Ed25519
	Seed, EK, C, M          hexBytes // ML-KEM
	K                       hexBytes `json:"K"`
}

type group struct {
	KeySize, TagSize int
	PublicKey        hexBytes
	Tests            []vector
}

// wycheproof runs f on every test of a file and checks how many there were.
func wycheproof(t *testing.T, name string, want int, f func(t *testing.T, g group, v vector)) {
	t.Helper()
	var file struct{ Groups []group }
	load(t, name+".json", &file)
	n := 0
	for _, g := range file.Groups {
		for _, v := range g.Tests {
			f(t, g, v)
			n++
		}
	}
	if n != want {
		t.Errorf("%d tests, want %d", n, want)
	}
}

func load(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

func TestRFC(t *testing.T) {
	type test struct {
		Source                                              string
		Scalar, U, Key, Data, IKM, Salt, Info, Seed, Public hexBytes
		IV, Message, Out                                    hexBytes
	}
	var tests map[string][]test
	load(t, "rfc.json", &tests)
	for kind, f := range map[string]func(v test) []byte{
		"x25519": func(v test) []byte { return agree(t, v.Scalar, v.U) },
		"hmac":   func(v test) []byte { return mac(v.Key, v.Data) },
		"hkdf":   func(v test) []byte { return derive(v.IKM, v.Salt, v.Info, len(v.Out)) },
		"ed25519": func(v test) []byte {
			k := ed25519.NewKeyFromSeed(v.Seed)
			if !bytes.Equal(k.Public().(ed25519.PublicKey), v.Public) {
				t.Errorf("%s: public key", v.Source)
			}
			return ed25519.Sign(k, v.Message)
		},
		"aes256cbc": func(v test) []byte {
			var k [cbchmac.KeySize]byte
			copy(k[:], v.Key)
			sealed := cbchmac.Seal(nil, &k, (*[16]byte)(v.IV), v.Message)
			return sealed[:len(v.Message)]
		},
	} {
		if len(tests[kind]) == 0 {
			t.Errorf("no tests of %s", kind)
		}
		for _, v := range tests[kind] {
			if got := f(v); !bytes.Equal(got, v.Out) {
				t.Errorf("%s: %x, want %x", v.Source, got, v.Out)
			}
		}
	}
}

// TestX25519Iterated is RFC 7748 section 5.2, 1,000 iterations.
func TestX25519Iterated(t *testing.T) {
	k, u := make([]byte, 32), make([]byte, 32)
	k[0], u[0] = 9, 9
	for range 1000 {
		u[31] &= 0x7f // RFC 7748 ignores the bit that we refuse
		k, u = agree(t, k, u), k
	}
	if got := hex.EncodeToString(k); got != "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51" {
		t.Fatal(got)
	}
}

func agree(t *testing.T, scalar, u []byte) []byte {
	t.Helper()
	own, err := key.ParsePrivate(scalar)
	if err != nil {
		t.Fatal(err)
	}
	out, err := own.Agree(key.Public(u))
	if err != nil {
		return nil
	}
	return out[:]
}

func mac(k, data []byte) []byte {
	out := kdf.MAC(k, data)
	return out[:]
}

func derive(ikm, salt, info []byte, n int) []byte {
	out := make([]byte, n)
	kdf.HKDF(string(info), salt, ikm, out)
	return out
}

func TestWycheproofX25519(t *testing.T) {
	wycheproof(t, "x25519", 518, func(t *testing.T, _ group, v vector) {
		got := agree(t, v.Private, v.Public)
		// We refuse inputs that others may accept.
		refused := slices.Contains(v.Flags, "ZeroSharedSecret") || slices.Contains(v.Flags, "NonCanonicalPublic") ||
			v.Public[31]&0x80 != 0
		if refused != (got == nil) || !refused && !bytes.Equal(got, v.Shared) {
			t.Errorf("%d (%s): %x, want %x", v.ID, v.Flags, got, v.Shared)
		}
	})
}

func TestWycheproofHKDF(t *testing.T) {
	ours := 0
	wycheproof(t, "hkdf_sha256", 86, func(t *testing.T, _ group, v vector) {
		want, err := hkdf.Key(sha256.New, v.IKM, v.Salt, string(v.Info), v.Size)
		if (err == nil) != (v.Result == "valid") || !bytes.Equal(want, v.OKM) {
			t.Errorf("%d: crypto/hkdf: %v", v.ID, err)
		}
		if v.Result == "valid" && len(v.Salt) <= 64 && len(v.IKM) <= 192 && len(v.Info) < 160 {
			ours++
			if !bytes.Equal(derive(v.IKM, v.Salt, v.Info, v.Size), v.OKM) {
				t.Errorf("%d", v.ID)
			}
		}
	})
	if ours < 70 {
		t.Errorf("%d tests within our bounds", ours)
	}
}

func TestWycheproofHMAC(t *testing.T) {
	ours := 0
	wycheproof(t, "hmac_sha256", 174, func(t *testing.T, g group, v vector) {
		if len(v.Key) == 32 && g.TagSize == 256 {
			// As the AEAD checks it: everything is associated data.
			var k [cbchmac.KeySize]byte
			copy(k[32:], v.Key)
			if cbchmac.Verify(&k, v.Tag, v.Msg) != (v.Result == "valid") {
				t.Errorf("%d: cbchmac", v.ID)
			}
			ours++
		}
		if len(v.Key) <= 64 && len(v.Msg) <= 192 {
			if (bytes.Equal(mac(v.Key, v.Msg)[:g.TagSize/8], v.Tag)) != (v.Result == "valid") {
				t.Errorf("%d: kdf", v.ID)
			}
			ours++
		}
	})
	if ours < 100 {
		t.Errorf("%d tests within our bounds", ours)
	}
}

func TestWycheproofEd25519(t *testing.T) {
	wycheproof(t, "ed25519", 151, func(t *testing.T, g group, v vector) {
		if ok := ed25519.Verify(ed25519.PublicKey(g.PublicKey), v.Msg, v.Sig); ok != (v.Result == "valid") {
			t.Errorf("%d (%s): %v", v.ID, v.Flags, ok)
		}
	})
}

// TestWycheproofAESCBC covers PKCS #7 padding, good and bad, under a right tag.
func TestWycheproofAESCBC(t *testing.T) {
	wycheproof(t, "aes_cbc_pkcs5", 72, func(t *testing.T, _ group, v vector) {
		var k [cbchmac.KeySize]byte
		copy(k[:], v.Key)
		iv := (*[16]byte)(v.IV)
		sealed := append(bytes.Clone(v.CT), tag(&k, v.CT)...)
		got, ok := cbchmac.Open(nil, &k, iv, sealed)
		if ok != (v.Result == "valid") || ok && !bytes.Equal(got, v.Msg) {
			t.Errorf("%d (%s): %v", v.ID, v.Flags, ok)
		}
		if ok && !bytes.Equal(cbchmac.Seal(nil, &k, iv, v.Msg), sealed) {
			t.Errorf("%d: sealed", v.ID)
		}
	})
}

// tag makes the right tag of any ciphertext.
func tag(k *[cbchmac.KeySize]byte, ciphertext []byte) []byte {
	h := hmac.New(sha256.New, k[32:])
	h.Write(ciphertext)
	return h.Sum(nil)
}

func TestWycheproofMLKEM1024(t *testing.T) {
	wycheproof(t, "mlkem_1024", mlkem1024Tests, func(t *testing.T, _ group, v vector) {
		k, err := mlkem.NewDecapsulationKey1024(v.Seed)
		if err == nil && len(v.EK) > 0 && !bytes.Equal(k.EncapsulationKey().Bytes(), v.EK) {
			t.Errorf("%d: encapsulation key", v.ID)
		}
		var ss []byte
		if err == nil {
			ss, err = k.Decapsulate(v.C)
		}
		if (err == nil) != (v.Result == "valid") || err == nil && !bytes.Equal(ss, v.K) {
			t.Errorf("%d (%s): %v", v.ID, v.Flags, err)
		}
	})
}

func TestWycheproofMLKEM1024Encapsulation(t *testing.T) {
	wycheproof(t, "mlkem_1024_encaps", mlkem1024EncapsTests, func(t *testing.T, _ group, v vector) {
		k, err := mlkem.NewEncapsulationKey1024(v.EK)
		var ss, c []byte
		if err == nil {
			ss, c, err = mlkemtest.Encapsulate1024(k, v.M)
		}
		if (err == nil) != (v.Result == "valid") || err == nil && (!bytes.Equal(ss, v.K) || !bytes.Equal(c, v.C)) {
			t.Errorf("%d (%s): %v", v.ID, v.Flags, err)
		}
	})
}

func TestWycheproofMLKEM768(t *testing.T) {
	wycheproof(t, "mlkem_768", mlkem768Tests, func(t *testing.T, _ group, v vector) {
		k, err := mlkem.NewDecapsulationKey768(v.Seed)
		var ss []byte
		if err == nil {
			ss, err = k.Decapsulate(v.C)
		}
		if (err == nil) != (v.Result == "valid") || err == nil && !bytes.Equal(ss, v.K) {
			t.Errorf("%d (%s): %v", v.ID, v.Flags, err)
		}
	})
}

// TestWycheproofMLKEM768Encapsulation also encapsulates in two parts, as the
// post-quantum ratchet does.
func TestWycheproofMLKEM768Encapsulation(t *testing.T) {
	wycheproof(t, "mlkem_768_encaps", mlkem768EncapsTests, func(t *testing.T, _ group, v vector) {
		k, err := mlkem.NewEncapsulationKey768(v.EK)
		var ss, c []byte
		if err == nil {
			ss, c, err = mlkemtest.Encapsulate768(k, v.M)
		}
		if (err == nil) != (v.Result == "valid") || err == nil && (!bytes.Equal(ss, v.K) || !bytes.Equal(c, v.C)) {
			t.Errorf("%d (%s): %v", v.ID, v.Flags, err)
		}

		hash := sha3.Sum256(v.EK)
		header := [incremental.HeaderSize]byte(append(bytes.Clone(v.EK[incremental.VectorSize:]), hash[:]...))
		m := [incremental.SecretSize]byte(v.M)
		ct1, secret := incremental.Encaps1(&header, &m)
		ct2, err := incremental.Encaps2(&header, &m, (*[incremental.VectorSize]byte)(v.EK))
		if (err == nil) != (v.Result == "valid") ||
			err == nil && (!bytes.Equal(secret[:], v.K) || !bytes.Equal(append(ct1[:], ct2[:]...), v.C)) {
			t.Errorf("%d (%s), in two parts: %v", v.ID, v.Flags, err)
		}
	})
}

// How many tests of the large files are kept.
const (
	mlkem768EncapsTests  = 28
	mlkem1024Tests       = 33
	mlkem1024EncapsTests = 29
	mlkem768Tests        = 33
)
