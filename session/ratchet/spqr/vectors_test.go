package spqr

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/cryptotest"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

// vectors is a conversation from its first message to its third epoch, over a
// network that loses and delays some of it. It is all another implementation
// needs: what is random is in the state stored after the step that drew it.
type vectors struct {
	About  string `json:"about"`
	Secret string `json:"secret"`
	Steps  []step `json:"steps"`
}

type step struct {
	End     string `json:"end"`               // initiator or responder
	Do      string `json:"do"`                // send or receive
	Message string `json:"message"`           // sent now, or received now
	Key     string `json:"key"`               // of that message
	State   string `json:"state,omitempty"`   // stored state afterwards, if the step drew randomness
	SHA256  string `json:"state_sha256"`      // of the stored state afterwards
	Epoch   uint64 `json:"epochs,omitempty"`  // agreed on so far, where the step changed it
	Fails   bool   `json:"refused,omitempty"` // receive: the message is refused
}

const vectorsFile = "testdata/vectors.json"

// schedule says what the network does with message i of all.
func schedule(i int) (lost bool, delay int) {
	switch {
	case i%6 == 4:
		return true, 0
	case i%10 == 3:
		return false, 7
	}
	return false, 0
}

func makeVectors(t *testing.T) vectors {
	cryptotest.SetGlobalRandom(t, 20260)
	v := vectors{
		About:  "Sparse Post-Quantum Ratchet over the ML-KEM Braid; layouts in the package comments of session/ratchet/spqr and its subpackages",
		Secret: hex.EncodeToString(testSecret[:]),
	}
	a, b := newPair()
	ends, names := [2]*State{a, b}, [2]string{"initiator", "responder"}
	type waiting struct {
		packet
		at, to int
	}
	var late []waiting
	record := func(who int, do string, p packet, before uint64) *step {
		s := step{End: names[who], Do: do, Message: hex.EncodeToString(p.msg[:]), Key: hex.EncodeToString(p.key[:])}
		sum := sha256.Sum256(stored(t, ends[who]))
		s.SHA256 = hex.EncodeToString(sum[:])
		if e := ends[who].Epoch(); e != before {
			s.Epoch = e
		}
		v.Steps = append(v.Steps, s)
		return &v.Steps[len(v.Steps)-1]
	}
	receive := func(who int, p packet) {
		before := ends[who].Epoch()
		accept(t, ends[who], p)
		record(who, "receive", p, before)
	}
	for i := 0; ends[0].Epoch() < 3 || ends[1].Epoch() < 3; i++ {
		who := i % 2
		before, unsampled := ends[who].Epoch(), ends[who].Clone()
		p := send(t, ends[who])
		s := record(who, "send", p, before)
		if again := send(t, unsampled); again.msg != p.msg || ends[who].Epoch() != before ||
			!bytes.Equal(stored(t, unsampled), stored(t, ends[who])) {
			s.State = hex.EncodeToString(stored(t, ends[who]))
		}
		lost, delay := schedule(i)
		switch {
		case lost:
		case delay > 0:
			late = append(late, waiting{p, i + delay, 1 - who})
		default:
			receive(1-who, p)
		}
		for len(late) > 0 && late[0].at <= i {
			receive(late[0].to, late[0].packet)
			p := late[0].packet
			refuse(t, ends[late[0].to], p.msg[:], "repeated")
			record(late[0].to, "receive", p, ends[late[0].to].Epoch()).Fails = true
			late = late[1:]
		}
	}
	return v
}

func TestVectors(t *testing.T) {
	if *update {
		data, err := json.MarshalIndent(makeVectors(t), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(vectorsFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	secret := [SecretSize]byte(unhex(t, v.Secret))
	ends := map[string]*State{"initiator": New(Initiator, secret), "responder": New(Responder, secret)}
	for i, s := range v.Steps {
		state := ends[s.End]
		msg, key := unhex(t, s.Message), unhex(t, s.Key)
		switch {
		case s.Do == "send":
			p := send(t, state)
			if !bytes.Equal(p.key[:], key) {
				t.Fatalf("step %d: wrong key", i)
			}
			if s.State != "" { // random: go on from what was drawn then
				if state, err = Unmarshal(unhex(t, s.State)); err != nil {
					t.Fatalf("step %d: %v", i, err)
				}
				ends[s.End] = state
			} else if !bytes.Equal(p.msg[:], msg) {
				t.Fatalf("step %d: wrong message", i)
			}
		case s.Fails:
			refuse(t, state, msg, "repeated")
		default:
			got, err := state.Receive(msg)
			if err != nil || !bytes.Equal(got[:], key) {
				t.Fatalf("step %d: %v", i, err)
			}
		}
		if s.Epoch != 0 && state.Epoch() != s.Epoch {
			t.Fatalf("step %d: epoch %d, want %d", i, state.Epoch(), s.Epoch)
		}
		if sum := sha256.Sum256(stored(t, state)); !bytes.Equal(sum[:], unhex(t, s.SHA256)) {
			t.Fatalf("step %d: the state is stored differently", i)
		}
	}
	if ends["initiator"].Epoch() < 3 || ends["responder"].Epoch() < 3 {
		t.Fatal("the vectors end too early")
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
