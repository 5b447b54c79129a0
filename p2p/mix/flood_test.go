package mix

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// flood is one relay in virtual time: an honest stream, and the floods beside it.
type flood struct {
	t      *testing.T
	e      *Engine
	mu     sync.Mutex
	sent   map[wire.NodeID]time.Time
	took   []time.Duration // of honest packets, beyond the delay they asked for
	others int
}

const honestDelay = 30 * time.Millisecond

// Forward implements Sink. Honest packets go to nodes of numbers below 10,000.
func (f *flood) Forward(_, next wire.NodeID, _ *outfox.Packet) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, ok := f.sent[next]; ok {
		f.took = append(f.took, time.Since(at)-honestDelay)
	} else {
		f.others++
	}
}

// Deliver implements Sink.
func (f *flood) Deliver(*outfox.Message) {}

// runFlood sends n honest packets over a relay's link, every 20 ms, while attack runs,
// and returns their fate.
func runFlood(t *testing.T, cfg Config, n int, attack func(ctx context.Context, f *flood, work *sync.WaitGroup)) (lost int, p99 time.Duration, e *Engine) {
	f := &flood{t: t, sent: map[wire.NodeID]time.Time{}}
	cfg.Sink = f
	e, err := NewEngine(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.e = e
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { e.Run(ctx) })
	attack(ctx, f, &work)
	for i := range n {
		l, key := honest(e)
		l.ms, l.next = uint16(honestDelay.Milliseconds()), nodeID(i)
		body := l.sealed(t, key)
		f.mu.Lock()
		f.sent[l.next] = time.Now()
		f.mu.Unlock()
		work.Go(func() { e.Handle(neighbour, body) })
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(2 * time.Second)
	cancel()
	work.Wait()
	slices.Sort(f.took)
	if len(f.took) == 0 {
		return n, 0, e
	}
	return n - len(f.took), f.took[len(f.took)*99/100], e
}

// press sends a link's packets as fast as the relay reads them, but no faster than
// rate, burst at once, each to a next hop of its own choosing.
func (f *flood) press(ctx context.Context, from Link, rate, burst int, change func(*layer1)) {
	for i := 0; ctx.Err() == nil; i++ {
		l, key := honest(f.e)
		l.ms, l.next = 1000, nodeID(20_000+i%4)
		change(&l)
		f.e.Handle(from, l.sealed(f.t, key))
		if i >= burst {
			time.Sleep(time.Second / time.Duration(rate))
		}
	}
}

// TestOneClientAtItsLimit: a client that sends all it may, with the longest delays,
// to one next hop and to many, costs an honest stream nothing.
func TestOneClientAtItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost, p99, e := runFlood(t, Config{}, 500, func(ctx context.Context, f *flood, work *sync.WaitGroup) {
			work.Go(func() { f.press(ctx, stranger, 20, 300, func(*layer1) {}) })
		})
		if lost != 0 || p99 != 0 {
			t.Errorf("%d honest packets lost, p99 %v later", lost, p99)
		}
		if r := e.Stats().Refused; len(r) != 0 {
			t.Errorf("refused %v", r)
		}
	})
}

// TestManyClientsAtTheGate: ten times the packets that clients may send, from many of
// them: the gate, a small one here, is full, and the honest relay has its turns all the
// same.
func TestManyClientsAtTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost, p99, e := runFlood(t, Config{Rate: 200, Burst: 200}, 300, func(ctx context.Context, f *flood, work *sync.WaitGroup) {
			for n := range 100 {
				work.Go(func() {
					f.press(ctx, Link{Peer: nodeID(3000 + n)}, 20, 1, func(l *layer1) { l.next = nodeID(20_000 + n) })
				})
			}
		})
		if lost != 0 || p99 > 20*time.Millisecond {
			t.Errorf("%d honest packets lost, p99 %v later", lost, p99)
		}
		if st := e.Stats(); st.Slowed == 0 {
			t.Error("nobody waited: the test shows nothing")
		}
	})
}

// TestClientsFillTheQueue: clients that fill a queue that is too small for them, from
// one network and from many, throw out their own packets.
func TestClientsFillTheQueue(t *testing.T) {
	for _, many := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			lost, p99, e := runFlood(t, Config{MaxDelayed: 50}, 250, func(ctx context.Context, f *flood, work *sync.WaitGroup) {
				for n := range 20 {
					from := Link{Peer: nodeID(3000 + n), Network: netip.MustParsePrefix("20.1.2.0/24")}
					if many {
						from.Network = netip.PrefixFrom(netip.AddrFrom4([4]byte{20, 1, byte(n), 0}), 24)
					}
					work.Go(func() { f.press(ctx, from, 10, 10, func(l *layer1) { l.next = nodeID(20_000 + n) }) })
				}
			})
			if lost != 0 || p99 != 0 {
				t.Errorf("many networks %v: %d honest packets lost, p99 %v later", many, lost, p99)
			}
			if e.Stats().Refused["overfull"] == 0 {
				t.Error("the queue was not full: the test shows nothing")
			}
		})
	}
}

// TestOnePathIsBounded: a client's packets for one next hop go on at ten a second,
// and do not end up in the queue instead.
func TestOnePathIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flood{t: t, sent: map[wire.NodeID]time.Time{}}
		e, err := NewEngine(Config{Sink: f})
		if err != nil {
			t.Fatal(err)
		}
		f.e = e
		start(t, e)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		done := make(chan struct{})
		go func() {
			f.press(ctx, stranger, 1000, 1<<20, func(l *layer1) { l.ms, l.next = 0, nodeID(20_000) })
			close(done)
		}()
		<-done
		if f.others < DefaultPathBurst+90 || f.others > DefaultPathBurst+110 {
			t.Errorf("%d packets passed in ten seconds, want 200", f.others)
		}
		// Over the link of a relay there is no such bound: it carries those of many.
		f.others = 0
		for range 300 {
			l, key := honest(e)
			l.next = nodeID(20_000)
			e.Handle(neighbour, l.sealed(t, key))
		}
		if f.others != 300 {
			t.Errorf("%d of a relay's 300 passed at once", f.others)
		}
	})
}

// TestFullMemoryEndsNoKey: a flood that chooses the slot does not end the key: with
// a memory that holds a hundredth of it, honest packets still pass, and no replay
// does.
func TestFullMemoryEndsNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newEngine(t, Config{Memory: 1})
		var first []byte
		lost := 0
		for i := range 4 * leastSegment * 8 / bitsPerTag {
			if !e.seen.add(outfox.SlotAt(time.Now())+outfox.MaxAhead, tagOf(i)) && i < leastSegment*8/bitsPerTag*9/10 {
				lost++ // one in fifty runs, since places are random
			}
		}
		if lost > 3 {
			t.Errorf("%d tags are lost while there is room", lost)
		}
		passed := 0
		for range 100 {
			l, _ := honest(e)
			l.slot, l.epoch = (outfox.SlotAt(time.Now()) + 1).Byte(), (outfox.SlotAt(time.Now()) + 1).Epoch().Byte()
			key := keyOf(e, (outfox.SlotAt(time.Now()) + 1).Epoch())
			first = l.sealed(t, key)
			e.Handle(neighbour, first)
			passed += len(s.take())
		}
		if passed < 99 {
			t.Errorf("%d of 100 packets of another slot pass", passed)
		}
		e.Handle(neighbour, first)
		if len(s.take()) != 0 {
			t.Error("a replay passes")
		}
	})
}
