package ratchet

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"testing"

	"starling/docs/vectors"
	"starling/session/internal/doubleratchet"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/ratchet/spqr"
	"starling/session/ratchet/spqr/braid"
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
	if k.clear(); k != (messageKey{}) {
		t.Error("an expanded key is not erased")
	}
	for _, b := range [][]byte{ec[:], pq[:], mk[:]} {
		if string(b) != string(make([]byte, 32)) {
			t.Error("a key is not erased after its use")
		}
	}
}

type ratchetVectors struct {
	Root    vectors.Hex  `json:"root"`
	PQ      vectors.Hex  `json:"pq"`
	AD      vectors.Hex  `json:"ad"`
	HeaderA vectors.Hex  `json:"header_a"`
	HeaderB vectors.Hex  `json:"header_b"`
	SPK     vectors.Hex  `json:"spk"` // private
	DH      vectors.Hex  `json:"dh"`  // first ratchet key of A, private
	Steps   []vectorStep `json:"steps"`
}

type vectorStep struct {
	Who     string      `json:"who"` // a or b
	Do      string      `json:"do"`  // send or receive
	Plain   vectors.Hex `json:"plain,omitempty"`
	KEM     vectors.Hex `json:"kem,omitempty"`     // drawn to send: see section spqr
	IV      vectors.Hex `json:"iv,omitempty"`      // drawn to send: IV of the header
	Message vectors.Hex `json:"message,omitempty"` // sent
	Of      int         `json:"of,omitempty"`      // receive: the step that sent the message
	DH      vectors.Hex `json:"dh,omitempty"`      // drawn to receive: ratchet key
}

func drawn(n int) vectors.Hex {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func (v *ratchetVectors) pair(t *testing.T) map[string]*State {
	t.Helper()
	k := Keys{
		Root: [kdf.Size]byte(v.Root), PQ: [spqr.SecretSize]byte(v.PQ), AD: [kdf.Size]byte(v.AD),
		HeaderA: doubleratchet.HeaderKey(v.HeaderA), HeaderB: doubleratchet.HeaderKey(v.HeaderB),
	}
	spk := private(t, v.SPK)
	a, err := NewInitiator(k, spk.Public())
	if err != nil {
		t.Fatal(err)
	}
	a.ec.RK = k.Root
	sendingStep(t, a, v.DH)
	return map[string]*State{"a": a, "b": NewResponder(k, spk)}
}

func private(t *testing.T, b []byte) key.Private {
	t.Helper()
	k, err := key.ParsePrivate(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sendingStep is the half of a DH step that draws the ratchet key, with one that
// is given. The root key is the one before.
func sendingStep(t *testing.T, s *State, dh []byte) {
	t.Helper()
	s.ec.DHs = private(t, dh)
	if err := doubleratchet.Starling.RootStep(&s.ec.RK, &s.ec.CKs, &s.ec.NHKs, s.ec.DHs, s.ec.DHr); err != nil {
		t.Fatal(err)
	}
}

// draws is how many random bytes the next Seal takes for ML-KEM: 64 for a key,
// 32 for a ciphertext, or none.
func draws(t *testing.T, s *State) int {
	t.Helper()
	m, _, err := s.pq.Clone().SendMessage()
	switch {
	case err != nil:
		t.Fatal(err)
	case m.Chunk.Index == 0 && m.Type == braid.Hdr:
		return 64
	case m.Chunk.Index == 0 && m.Type == braid.Ct1:
		return 32
	}
	return 0
}

// sealDrawn seals with random bytes that are given.
func sealDrawn(t *testing.T, s *State, step *vectorStep) []byte {
	t.Helper()
	system := rand.Reader
	defer func() { rand.Reader = system }()
	rand.Reader = &tape{t: t, left: slices.Concat(step.KEM, step.IV)}
	return seal(t, s, string(step.Plain))
}

// tape gives random bytes that were drawn before.
type tape struct {
	t    *testing.T
	left []byte
}

func (r *tape) Read(b []byte) (int, error) {
	if len(b) > len(r.left) {
		r.t.Errorf("%d random bytes more than there should be", len(b)-len(r.left))
	}
	r.left = r.left[copy(b, r.left):]
	return len(b), nil
}

// openDrawn opens with the ratchet key that is given, if the message brings a
// DH step.
func openDrawn(t *testing.T, s *State, message, plain, dh []byte) {
	t.Helper()
	before := s.ec
	open(t, s, message, string(plain))
	if stepped := s.ec.Steps != before.Steps; stepped != (len(dh) > 0) {
		t.Fatalf("DH step: %v", stepped)
	}
	if len(dh) > 0 {
		s.ec.RK = before.RK
		var ck doubleratchet.Key
		var nhk doubleratchet.HeaderKey
		if err := doubleratchet.Starling.RootStep(&s.ec.RK, &ck, &nhk, before.DHs, s.ec.DHr); err != nil {
			t.Fatal(err)
		}
		sendingStep(t, s, dh)
	}
}

// makeRatchet is a conversation in which many messages are lost or late.
func makeRatchet(t *testing.T) ratchetVectors {
	v := ratchetVectors{Root: drawn(32), PQ: drawn(32), AD: drawn(32), HeaderA: drawn(64), HeaderB: drawn(64), SPK: drawn(32), DH: drawn(32)}
	ends := v.pair(t)
	send := func(who string) int {
		step := vectorStep{Who: who, Do: "send", Plain: drawn(len(v.Steps) % 40), KEM: drawn(draws(t, ends[who])), IV: drawn(16)}
		step.Message = sealDrawn(t, ends[who], &step)
		v.Steps = append(v.Steps, step)
		return len(v.Steps) - 1
	}
	receive := func(who string, of int) {
		step := vectorStep{Who: who, Do: "receive", Of: of}
		m := v.Steps[of].Message
		try := copyOf(t, ends[who])
		open(t, try, m, string(v.Steps[of].Plain))
		if try.ec.Steps != ends[who].ec.Steps {
			step.DH = drawn(32)
		}
		openDrawn(t, ends[who], m, v.Steps[of].Plain, step.DH)
		v.Steps = append(v.Steps, step)
	}
	receive("b", send("a"))
	late := map[string][]int{}
	for turn := range 60 {
		from, to := "a", "b"
		if turn%2 == 1 {
			from, to = to, from
		}
		for i := range 1 + turn%4 {
			switch of := send(from); (turn + i) % 5 {
			case 1:
				late[to] = append(late[to], of)
			case 3: // lost
			default:
				receive(to, of)
			}
		}
		if turn%7 == 6 {
			slices.Reverse(late[to])
			for _, of := range late[to] {
				receive(to, of)
			}
			late[to] = nil
		}
	}
	return v
}

func checkRatchet(t *testing.T, v ratchetVectors) {
	ends := v.pair(t)
	for i, step := range v.Steps {
		s := ends[step.Who]
		if step.Do == "receive" {
			sent := v.Steps[step.Of]
			openDrawn(t, s, sent.Message, sent.Plain, step.DH)
			refuse(t, s, sent.Message)
			continue
		}
		if n := draws(t, s); n != len(step.KEM) {
			t.Fatalf("step %d draws %d bytes for ML-KEM, not %d", i, n, len(step.KEM))
		}
		if m := sealDrawn(t, s, &step); !bytes.Equal(m, step.Message) {
			t.Fatalf("step %d: another message", i)
		}
	}
}

// TestVectors replays conversations byte by byte: of this package, and of the
// second implementation.
func TestVectors(t *testing.T) {
	vectors.Made(t, "ratchet", makeRatchet, checkRatchet)
	vectors.Produced(t, "ratchet", checkRatchet)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
