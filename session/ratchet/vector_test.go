package ratchet

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"starling/session/internal/cbchmac"
	"starling/session/internal/doubleratchet"

	"starling/session/internal/kdf"
	"starling/session/internal/key"
)

// TestFixedVector follows one key from a DH output to the key and IV of a
// message: the KDF really is applied to the DH output (SimpleX 2022: it was
// not). The DH keys are those of RFC 7748, section 6.1; the root key is the
// bytes 0 to 31, the post-quantum key the bytes 32 to 63. The expected values
// were computed from the package comment with Python's hmac and hashlib.
func TestFixedVector(t *testing.T) {
	own, err := key.ParsePrivate(unhex(t, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
	if err != nil {
		t.Fatal(err)
	}
	peer := key.Public(unhex(t, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"))
	var rk, pq [kdf.Size]byte
	for i := range rk {
		rk[i], pq[i] = byte(i), byte(32+i)
	}
	var ck doubleratchet.Key
	var nhk doubleratchet.HeaderKey
	if err := doubleratchet.Starling.RootStep(&rk, &ck, &nhk, own, peer); err != nil {
		t.Fatal(err)
	}
	want := func(name string, got []byte, hex string) {
		t.Helper()
		if string(got) != string(unhex(t, hex)) {
			t.Errorf("%s = %x, want %s", name, got, hex)
		}
	}
	want("RK", rk[:], "df437da33f969b7a94455c0d35ba77e4126f5dfe5bc3c8964f09df5b7d80c49a")
	want("CK", ck[:], "31af44273bbd24349cff714686096acaa97c9454fa4b2153bbae316ed8a23d54")
	want("NHK", nhk[:], "2400b8c85cf8d1387f80f3940ae1b6441144771e08a3cf3a4c067dde195946b4"+
		"c04618ce046a3e9e05ef633b490410d272b6e9d4fe4077c3e9e02b06a2b49f28")
	ec := doubleratchet.ChainStep(&ck)
	want("ec mk", ec[:], "f322af1751b4a863bf13c4fb1c8f9bba1eed6e443cdc5430107ef78f715f6617")
	mk := hybrid(&ec, &pq)
	want("mk", mk[:], "70e72d0579800fcb1c0eee2747fde519c661c612aee391ddf28cccf7fb230f14")
	var k messageKey
	k.expand(&mk)
	want("message key", k.key[:], "40ac05683afbaf6c0a770df91eb7813e2431e3a8c47003a408bfa248627781ce"+
		"301c189c20c332032f5069651914a5b57c0bad36153d9dcb9909bf0a338c88ef")
	want("message IV", k.iv[:], "bdc3ad6e89676f416f6e1b495c947888")
	for _, b := range [][]byte{ec[:], pq[:], mk[:]} {
		if string(b) != string(make([]byte, 32)) {
			t.Error("a key is not erased after its use")
		}
	}
}

const vectors = "../internal/vectors"

// hexBytes is bytes that JSON has in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// TestCellOfSecondImplementation opens a message that layout.py made from
// nothing but the package comments.
func TestCellOfSecondImplementation(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(vectors, "testdata/layout.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Body    struct{ Body hexBytes }
		Message struct {
			HeaderKey hexBytes `json:"header_key"`
			DH        hexBytes
			PN, N     uint32
			PQMessage hexBytes `json:"pq_message"`
			EC, PQ    hexBytes
			AD        hexBytes
			IV        hexBytes
			Cell      hexBytes
		}
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	m := &v.Message
	s := &State{ec: doubleratchet.State{NHKr: doubleratchet.HeaderKey(m.HeaderKey)}, ad: [kdf.Size]byte(m.AD)}
	sealed := m.Cell[:HeaderSize]
	h, from, ok := s.openHeader(sealed)
	if !ok || from != fromNext {
		t.Fatal("the header does not open")
	}
	want := header{dh: key.Public(m.DH), pn: m.PN, n: m.N, pq: [len(header{}.pq)]byte(m.PQMessage)}
	if h != want {
		t.Fatalf("header %+v, want %+v", h, want)
	}
	mk := hybrid((*[kdf.Size]byte)(m.EC), (*[kdf.Size]byte)(m.PQ))
	var k messageKey
	k.expand(&mk)
	body, ok := cbchmac.Open(nil, &k.key, &k.iv, m.Cell[HeaderSize:], s.ad[:], sealed)
	if !ok || !bytes.Equal(body, v.Body.Body) {
		t.Fatal("the body does not open")
	}
}

// TestCellsForSecondImplementation has layout.py open what Seal makes.
func TestCellsForSecondImplementation(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here")
	}
	type cell struct {
		HeaderKey hexBytes `json:"header_key"`
		Header    hexBytes `json:"header"`
		EC        hexBytes `json:"ec"`
		PQ        hexBytes `json:"pq"`
		AD        hexBytes `json:"ad"`
		Cell      hexBytes `json:"cell"`
		Body      hexBytes `json:"body"`
	}
	alice, bob := newPair(t)
	var cells []cell
	for i := range 6 {
		from, to := alice, bob
		if i%2 == 1 {
			from, to = bob, alice
		}
		// The keys that the next Seal will use.
		c := copyOf(t, from)
		_, ec, err := c.ec.NextSend()
		if err != nil {
			t.Fatal(err)
		}
		_, pq, err := c.pq.Send()
		if err != nil {
			t.Fatal(err)
		}
		body := bytes.Repeat([]byte{byte(i)}, 1359)
		m := seal(t, from, string(body))
		h, _, ok := to.openHeader(m[:HeaderSize])
		if !ok {
			t.Fatal("the header does not open")
		}
		cells = append(cells, cell{from.ec.HKs[:], h.append(nil), ec[:], pq[:], from.ad[:], m, body})
		cells[i].HeaderKey = bytes.Clone(cells[i].HeaderKey)
		open(t, to, m, string(body))
	}
	b, err := json.Marshal(cells)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cells.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(python, filepath.Join(vectors, "layout.py"), file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
