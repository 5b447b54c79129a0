package spqr

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"testing/cryptotest"

	"starling/docs/vectors"
	"starling/session/ratchet/spqr/braid"
)

// spqrVectors is a conversation from its first message to its third epoch, over
// a network that loses and delays some of it.
type spqrVectors struct {
	Secret vectors.Hex  `json:"secret"`
	Steps  []vectorStep `json:"steps"`
}

type vectorStep struct {
	Who     string      `json:"who"`               // initiator or responder
	Do      string      `json:"do"`                // send or receive
	KEM     vectors.Hex `json:"kem,omitempty"`     // drawn in this step: the seed d ‖ z of a key, or m
	Message vectors.Hex `json:"message,omitempty"` // sent
	Key     vectors.Hex `json:"key,omitempty"`     // of that message
	Of      int         `json:"of,omitempty"`      // receive: the step that sent the message
	Refused bool        `json:"refused,omitempty"` // receive: it is refused
	Epoch   uint64      `json:"epoch,omitempty"`   // agreed on so far, where the step changed it
}

// schedule is the network's treatment of message i of all.
func schedule(i int) (lost bool, delay int) {
	switch {
	case i%6 == 4:
		return true, 0
	case i%10 == 3:
		return false, 7
	}
	return false, 0
}

func makeVectors(t *testing.T) spqrVectors {
	v := spqrVectors{Secret: testSecret[:]}
	a, b := newPair()
	ends, names := [2]*State{a, b}, [2]string{"initiator", "responder"}
	type waiting struct {
		of, at, to int
	}
	var late []waiting
	record := func(who int, before uint64, s vectorStep) {
		s.Who = names[who]
		if e := ends[who].Epoch(); e != before {
			s.Epoch = e
		}
		v.Steps = append(v.Steps, s)
	}
	receive := func(who, of int) {
		before := ends[who].Epoch()
		p := packet{[MessageSize]byte(v.Steps[of].Message), [KeySize]byte(v.Steps[of].Key)}
		accept(t, ends[who], p)
		record(who, before, vectorStep{Do: "receive", Of: of})
	}
	for i := 0; ends[0].Epoch() < 3 || ends[1].Epoch() < 3; i++ {
		who, of := i%2, len(v.Steps)
		before := ends[who].Epoch()
		kem := make([]byte, draws(t, ends[who]))
		rand.Read(kem)
		p := sendDrawn(t, ends[who], kem)
		record(who, before, vectorStep{Do: "send", KEM: kem, Message: p.msg[:], Key: p.key[:]})
		lost, delay := schedule(i)
		switch {
		case lost:
		case delay > 0:
			late = append(late, waiting{of, i + delay, 1 - who})
		default:
			receive(1-who, of)
		}
		for len(late) > 0 && late[0].at <= i {
			to, of := late[0].to, late[0].of
			receive(to, of)
			refuse(t, ends[to], v.Steps[of].Message, "repeated")
			record(to, ends[to].Epoch(), vectorStep{Do: "receive", Of: of, Refused: true})
			late = late[1:]
		}
	}
	return v
}

// draws is how many random bytes the next Send takes: 64 for a key, 32 for a
// ciphertext, or none.
func draws(t *testing.T, s *State) int {
	t.Helper()
	m, _, err := s.Clone().SendMessage()
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

// sendDrawn sends with random bytes that are given.
func sendDrawn(t *testing.T, s *State, kem []byte) packet {
	t.Helper()
	system := rand.Reader
	defer func() { rand.Reader = system }()
	rand.Reader = &tape{t, kem}
	return send(t, s)
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

// replay goes through the steps again.
func replay(t *testing.T, v spqrVectors, after func(end *State)) {
	secret := [SecretSize]byte(v.Secret)
	ends := map[string]*State{"initiator": New(Initiator, secret), "responder": New(Responder, secret)}
	for i, s := range v.Steps {
		end := ends[s.Who]
		switch {
		case s.Do == "send":
			if n := draws(t, end); n != len(s.KEM) {
				t.Fatalf("step %d draws %d bytes, not %d", i, n, len(s.KEM))
			}
			if p := sendDrawn(t, end, s.KEM); string(p.msg[:]) != string(s.Message) || string(p.key[:]) != string(s.Key) {
				t.Fatalf("step %d: another message or key", i)
			}
		case s.Refused:
			refuse(t, end, v.Steps[s.Of].Message, "repeated")
		default:
			got, err := end.Receive(v.Steps[s.Of].Message)
			if err != nil || string(got[:]) != string(v.Steps[s.Of].Key) {
				t.Fatalf("step %d: %v", i, err)
			}
		}
		if s.Epoch != 0 && end.Epoch() != s.Epoch {
			t.Fatalf("step %d: epoch %d, want %d", i, end.Epoch(), s.Epoch)
		}
		after(end)
	}
	if ends["initiator"].Epoch() < 3 || ends["responder"].Epoch() < 3 {
		t.Fatal("the vectors end too early")
	}
}

func TestVectors(t *testing.T) {
	check := func(t *testing.T, v spqrVectors) { replay(t, v, func(*State) {}) }
	vectors.Made(t, "spqr", makeVectors, check)
	vectors.Produced(t, "spqr", check)
}

// TestStoredForm holds the form in which states are stored: profiles have it.
func TestStoredForm(t *testing.T) {
	const want = "d2f66a33407d30feb9f5bbf1642b11bd21a7bfc3375117926d2c84260c9b85ac"
	cryptotest.SetGlobalRandom(t, 20260)
	all := sha256.New()
	replay(t, makeVectors(t), func(end *State) { all.Write(stored(t, end)) })
	if got := hex.EncodeToString(all.Sum(nil)); got != want {
		t.Errorf("states are stored differently: %s", got)
	}
}
