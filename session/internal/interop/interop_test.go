package interop

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"testing/cryptotest"

	"starling/session/ratchet/spqr"
)

var record = flag.Bool("record", false, "ask the oracle and write testdata anew")

// script is one conversation.
type script struct {
	name      string
	seed      uint64
	initiator bool // we are
	steps     int
	loss      int // of 100 messages
	reorder   int // messages that may be waiting
}

// recorded are the conversations in testdata.
var recorded = []script{
	{"initiator-in-order", 1, true, 400, 0, 0},
	{"responder-in-order", 2, false, 400, 0, 0},
	{"initiator-disorder", 3, true, 600, 20, 6},
	{"responder-disorder", 4, false, 600, 20, 6},
	{"initiator-handshake", 5, true, 0, 0, 0},
	{"responder-handshake", 6, false, 0, 0, 0},
}

func TestTranscripts(t *testing.T) {
	for _, s := range recorded {
		t.Run(s.name, func(t *testing.T) {
			name := filepath.Join("testdata", s.name+".jsonl.gz")
			if *record {
				r := &recorder{oracle: startLibsignal(t)}
				s.run(t, r)
				r.write(t, name)
				return
			}
			r := readTranscript(t, name)
			s.run(t, r)
			if r.next != len(r.exchanges) {
				t.Errorf("%d of %d questions asked", r.next, len(r.exchanges))
			}
		})
	}
}

// TestLiveHandshakes: handshakes, in both roles, with a message each way.
func TestLiveHandshakes(t *testing.T) {
	oracle := startLibsignal(t)
	seed := rand.Uint64()
	for i := range uint64(100) {
		s := script{fmt.Sprintf("seed %d", seed+i), seed + i, i%2 == 0, 0, 0, 0}
		t.Run(s.name, func(t *testing.T) { s.run(t, oracle) })
	}
}

func TestLive(t *testing.T) {
	oracle := startLibsignal(t)
	seed := rand.Uint64()
	for i := range 6 {
		s := script{fmt.Sprintf("seed %d", seed+uint64(i)), seed + uint64(i), i%2 == 0, 1500, i / 2 * 20, i / 2 * 8}
		t.Run(s.name, func(t *testing.T) { s.run(t, oracle) })
	}
}

// waiting is a message on its way, with its words.
type waiting struct {
	text, message []byte
	prekey        bool
}

// run has the conversation. Every message that arrives must open and have its words;
// repetitions and forgeries must not; and whenever nothing is on its way the oracle's
// stored session must hold our keys.
func (s *script) run(t *testing.T, o oracle) {
	cryptotest.SetGlobalRandom(t, s.seed)
	r := rand.New(rand.NewPCG(s.seed, 0))
	c := conversation{t: t, o: o, r: r, script: s}
	c.start()
	for i := range s.steps {
		ours := r.IntN(2) == 0
		if i%97 > 80 { // a stretch of one voice
			ours = i/97%2 == 0
		}
		c.say(ours, i)
		for len(c.toThem) > s.reorder {
			c.hear(false)
		}
		for len(c.toUs) > s.reorder {
			c.hear(true)
		}
		if i%50 == 49 {
			c.drain()
			c.compare()
		}
	}
	c.drain()
	if s.steps > 0 {
		t.Logf("%d sent, %d received, %d lost, %d repetitions and %d forgeries refused, %d key comparisons, %d epochs",
			c.sent, c.received, c.lost, c.repeated, c.forged, c.compared, c.end.pq.Epoch())
	}
	if want := uint64(s.steps / 400); c.end.pq.Epoch() < want {
		t.Errorf("%d epochs, want at least %d", c.end.pq.Epoch(), want)
	}
	if c.compared < s.steps/50 {
		t.Errorf("%d keys agree", c.compared)
	}
}

type conversation struct {
	t      *testing.T
	o      oracle
	r      *rand.Rand
	script *script
	end    *end

	toThem, toUs                                     []waiting
	sent, received, lost, repeated, forged, compared int
}

// start runs the handshake and a message each way. A first message with another
// KEM ciphertext or identity, and the first message again, must not open.
func (c *conversation) start() {
	if c.script.initiator {
		var err error
		if c.end, err = initiate(c.o.ask(c.t, request{Do: "respond"})); err != nil {
			c.t.Fatal(err)
		}
		c.say(true, 0)
		w := c.toThem[0]
		for _, bad := range altered(c.t, w.message) {
			if _, ok := c.open(false, waiting{message: bad.message, prekey: true}); ok {
				c.t.Fatalf("a first message with another %s opens", bad.what)
			}
		}
		c.drain()
		if _, ok := c.open(false, w); ok {
			c.t.Fatal("the first message opens twice")
		}
		c.say(false, 1)
	} else {
		keys := c.o.ask(c.t, request{Do: "initiate"})
		c.say(false, 0)
		for _, bad := range altered(c.t, c.toUs[0].message) {
			if e, err := respond(keys, bad.message); err == nil {
				if _, err := e.open(bad.message, true); err == nil {
					c.t.Fatalf("a first message with another %s opens", bad.what)
				}
			}
		}
		var err error
		if c.end, err = respond(keys, c.toUs[0].message); err != nil {
			c.t.Fatal(err)
		}
		c.drain()
		c.say(true, 1)
	}
	c.drain()
}

// alteration is a pre-key message that differs from a true one in one thing.
type alteration struct {
	what    string
	message []byte
}

func altered(t *testing.T, message []byte) (bad []alteration) {
	f, err := fields(message[1:])
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []struct {
		what string
		id   uint64
	}{{"KEM ciphertext", 8}, {"identity", 3}, {"base key", 2}} {
		b := bytes.Clone(message)
		b[bytes.Index(message, f[a.id].bytes)+20] ^= 1
		bad = append(bad, alteration{a.what, b})
	}
	return bad
}

// say sends a message from us or from them; the network may lose it.
func (c *conversation) say(ours bool, i int) {
	c.sent++
	w := waiting{text: fmt.Appendf(nil, "message %d, %x", i, c.r.Uint32())}
	if ours {
		var err error
		if w.message, w.prekey, err = c.end.seal(w.text); err != nil {
			c.t.Fatal(err)
		}
	} else {
		a := c.o.ask(c.t, request{Do: "encrypt", Text: w.text})
		if a.Refused {
			c.t.Fatal("the oracle does not encrypt")
		}
		w.message, w.prekey = a.Message, a.PreKey
	}
	if i > 1 && c.r.IntN(100) < c.script.loss {
		c.lost++
		return
	}
	if ours {
		c.toThem = append(c.toThem, w)
	} else {
		c.toUs = append(c.toUs, w)
	}
}

// hear delivers one of the messages waiting for us or for them.
func (c *conversation) hear(us bool) {
	list := &c.toThem
	if us {
		list = &c.toUs
	}
	i := c.r.IntN(len(*list))
	w := (*list)[i]
	*list = append((*list)[:i], (*list)[i+1:]...)
	if c.r.IntN(4) == 0 && !w.prekey {
		bad := bytes.Clone(w.message)
		bad[c.r.IntN(len(bad))] ^= 1 << c.r.IntN(8)
		if text, ok := c.open(us, waiting{message: bad}); ok {
			c.t.Fatalf("a forgery opens: %q", text)
		}
		c.forged++
	}
	text, ok := c.open(us, w)
	if !ok || !bytes.Equal(text, w.text) {
		c.t.Fatalf("message %d (us: %v, %d bytes) does not open", c.received, us, len(w.message))
	}
	c.received++
	if c.r.IntN(4) == 0 {
		if _, ok := c.open(us, w); ok {
			c.t.Fatal("a repetition opens")
		}
		c.repeated++
	}
}

func (c *conversation) open(us bool, w waiting) ([]byte, bool) {
	if us {
		text, err := c.end.open(w.message, w.prekey)
		return text, err == nil
	}
	a := c.o.ask(c.t, request{Do: "decrypt", Message: w.message, PreKey: w.prekey})
	return a.Text, !a.Refused
}

func (c *conversation) drain() {
	for len(c.toThem) > 0 {
		c.hear(false)
	}
	for len(c.toUs) > 0 {
		c.hear(true)
	}
}

// compare asks whether the oracle's stored session holds the secrets of ours.
// When nothing is on its way and nothing was lost, it has to hold the keys of the
// post-quantum chains in use, both ways, and one of the classical chain keys: the last
// speaker decides which one.
func (c *conversation) compare() {
	sending, receiving := chains(c.end.pq)
	keys := []hexBytes{sending, receiving, c.end.ec.CKs[:], c.end.ec.CKr[:]}
	a := c.o.ask(c.t, request{Do: "holds", Keys: keys})
	if len(a.Holds) != len(keys) {
		c.t.Fatal("no answer")
	}
	if c.script.loss == 0 && !(a.Holds[0] && a.Holds[1] && (a.Holds[2] || a.Holds[3])) {
		c.t.Fatalf("after %d messages the oracle has other keys: %v", c.received, a.Holds)
	}
	for _, holds := range a.Holds {
		if holds {
			c.compared++
		}
	}
}

// chains takes the keys of the sending and the receiving chain in use out of a
// stored state: version, role, root key, latest epoch, epoch last sent in, two
// counters, then chains of 36 bytes, a key after a number each, as package
// chain says.
func chains(s *spqr.State) (sending, receiving []byte) {
	const first, size = 2 + 32 + 4*4, 36
	state, _ := s.MarshalBinary()
	latest, sent := binary.BigEndian.Uint32(state[34:]), binary.BigEndian.Uint32(state[38:])
	at := func(i int) []byte { return state[first+i*size+4 : first+(i+1)*size] }
	sending, receiving = at(0), at(1)
	older := 2
	if sent != latest {
		sending = at(older)
		older++
	}
	if latest > 0 && binary.BigEndian.Uint32(state[first+size:]) == 0 {
		receiving = at(older)
	}
	return sending, receiving
}
