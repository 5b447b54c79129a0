package mix

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink records the packets that leave an engine, and when.
type sink struct {
	mu        sync.Mutex
	forwarded []forwarded
	delivered []outfox.Message
}

type forwarded struct {
	at     time.Time
	next   wire.NodeID
	packet *outfox.Packet
}

func (s *sink) Forward(_, next wire.NodeID, p *outfox.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forwarded = append(s.forwarded, forwarded{time.Now(), next, p})
}

func (s *sink) Deliver(m *outfox.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivered = append(s.delivered, *m)
}

func (s *sink) take() []forwarded {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.forwarded
	s.forwarded = nil
	return out
}

func newEngine(t testing.TB, cfg Config) (*Engine, *sink) {
	t.Helper()
	s := new(sink)
	cfg.Sink = s
	e, err := NewEngine(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e, s
}

// start runs e until the test ends.
func start(t *testing.T, e *Engine) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func nodeID(n int) (id wire.NodeID) {
	id[0], id[1], id[31] = byte(n>>8), byte(n), 0xee
	return id
}

// anyKey is the key of a hop that no test peels for.
var anyKey = func() outfox.PublicKey {
	k, err := outfox.NewPrivateKey()
	if err != nil {
		panic(err)
	}
	return k.Public()
}()

// hops returns a route with e as hop number at (from 0), and the latest slot for a
// packet that is made now.
func hops(e *Engine, at int, delay time.Duration) (outfox.Slot, [outfox.Layers]outfox.Hop) {
	var route [outfox.Layers]outfox.Hop
	for i := range route {
		route[i] = outfox.Hop{ID: nodeID(i), Key: anyKey}
	}
	slot := outfox.SlotAt(time.Now()) + outfox.MaxAhead
	route[at].Key, route[at].Delay = keyOf(e, slot.Epoch()), delay
	return slot, route
}

func keyOf(e *Engine, epoch outfox.Epoch) outfox.PublicKey {
	for _, k := range keysNow(e) {
		if k.Epoch == epoch {
			return k.Public
		}
	}
	return anyKey
}

func keysNow(e *Engine) [published]Key {
	keys, err := e.Keys(e.cfg.Now())
	if err != nil {
		panic(err)
	}
	return keys
}

func packet(t testing.TB, slot outfox.Slot, route [outfox.Layers]outfox.Hop) *outfox.Packet {
	t.Helper()
	m := new(outfox.Message)
	rand.Read(m[:])
	p, err := outfox.Wrap(slot, route, m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// neighbour is a relay that packets come from, stranger a client.
var (
	neighbour = Link{Peer: nodeID(1000), Relay: true}
	stranger  = Link{Peer: nodeID(2000)}
)

// submit hands e a packet of its neighbour.
func submit(e *Engine, p *outfox.Packet) { e.Handle(neighbour, p.Append(nil)) }

func wantRefused(t *testing.T, e *Engine, want map[string]int64) {
	t.Helper()
	if got := e.Stats().Refused; !maps.Equal(got, want) {
		t.Errorf("refused %v, want %v", got, want)
	}
}

func TestWholeWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var engines [outfox.Layers]*Engine
		var sinks [outfox.Layers]*sink
		var route [outfox.Layers]outfox.Hop
		slot := outfox.SlotAt(time.Now()) + outfox.MaxAhead
		for i := range engines {
			engines[i], sinks[i] = newEngine(t, Config{})
			start(t, engines[i])
			route[i] = outfox.Hop{ID: nodeID(i), Key: keyOf(engines[i], slot.Epoch()), Delay: time.Duration(i+1) * 10 * time.Millisecond}
		}
		begin := time.Now()

		// There.
		msg := new(outfox.Message)
		rand.Read(msg[:])
		p, err := outfox.Wrap(slot, route, msg)
		if err != nil {
			t.Fatal(err)
		}
		engines[0].Handle(stranger, p.Append(nil))
		for i := range outfox.Layers - 1 {
			time.Sleep(route[i].Delay)
			synctest.Wait()
			out := sinks[i].take()
			if len(out) != 1 || out[0].next != nodeID(i+1) {
				t.Fatalf("hop %d let %d packets go", i, len(out))
			}
			engines[i+1].Handle(neighbour, out[0].packet.Append(nil))
		}
		if len(sinks[3].delivered) != 1 || sinks[3].delivered[0] != *msg {
			t.Fatal("message not delivered")
		}
		if d := time.Since(begin); d != 60*time.Millisecond {
			t.Errorf("took %v, want the sum of the delays", d)
		}

		// And back.
		client := NewReplies[string](nodeID(99), 10, nil)
		block, err := client.Block(slot, [3]outfox.Hop{route[2], route[1], route[0]}, "me")
		if err != nil {
			t.Fatal(err)
		}
		first, p, err := block.Reply(msg)
		if err != nil || first != nodeID(2) {
			t.Fatalf("reply goes to %v: %v", first, err)
		}
		for i := 2; i >= 0; i-- {
			engines[i].Handle(neighbour, p.Append(nil))
			time.Sleep(route[i].Delay)
			synctest.Wait()
			out := sinks[i].take()
			if len(out) != 1 {
				t.Fatalf("hop %d let %d packets go", i, len(out))
			}
			p = out[0].packet
			if i == 0 && out[0].next != nodeID(99) {
				t.Fatalf("guard passes the reply to %v", out[0].next)
			}
		}
		owner, got, err := client.Open(p)
		if err != nil || owner != "me" || *got != *msg {
			t.Fatalf("reply for %q: %v", owner, err)
		}
		if _, _, err := client.Open(p); !errors.Is(err, outfox.ErrRefused) {
			t.Errorf("the same reply twice: %v", err)
		}
		for _, e := range engines {
			wantRefused(t, e, map[string]int64{})
		}
	})
}
