package mix

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/outfox"
)

func TestReplayIsRefused(t *testing.T) {
	e, s := newEngine(t, Config{})
	epoch, route := hops(e, 0, 0)
	p := packet(t, epoch, route)
	e.Submit(p)
	e.Submit(p)
	// The same header with another payload is the same packet.
	b := p.Append(nil)
	b[len(b)-1] ^= 1
	e.Handle(b)
	wantRefused(t, e, map[string]int64{"replay": 2})
	if n := len(s.take()); n != 1 {
		t.Errorf("%d packets went on, want 1", n)
	}
}

func TestReplyBlockTwiceIsRefused(t *testing.T) {
	e, s := newEngine(t, Config{})
	epoch, route := hops(e, 0, 0)
	client := NewReplies[int](nodeID(50), 10)
	block, err := client.Block(epoch, [3]outfox.Hop(route[:3]), 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, p, err := block.Reply(new(outfox.Message))
		if err != nil {
			t.Fatal(err)
		}
		e.Submit(p)
	}
	wantRefused(t, e, map[string]int64{"replay": 1})
	if n := len(s.take()); n != 1 {
		t.Errorf("%d packets went on, want 1", n)
	}
}

// Nothing that does not open may take room among the replay tags.
func TestRefusedTakesNoRoom(t *testing.T) {
	e, s := newEngine(t, Config{})
	epoch, route := hops(e, 0, 0)
	good := packet(t, epoch, route).Append(nil)
	for _, at := range []int{1, 31, 32, 40, outfox.HeaderSize} {
		b := slices.Clone(good)
		b[at] ^= 0x80
		e.Handle(b)
	}
	e.Handle(nil)
	e.Handle(good[1:])
	wantRefused(t, e, map[string]int64{"sealed": 5, "malformed": 2})
	if st := e.Stats(); st.Seen != 0 || st.Forwarded != 0 || len(s.take()) != 0 {
		t.Errorf("stats: %+v", st)
	}
	e.Handle(good)
	if st := e.Stats(); st.Seen != 1 || st.Forwarded != 1 {
		t.Errorf("stats: %+v", st)
	}
}

func TestMailboxEnd(t *testing.T) {
	e, s := newEngine(t, Config{})
	var route [outfox.Layers]outfox.Hop
	for i := range route { // all hops are e
		route[i] = outfox.Hop{ID: nodeID(i), Key: e.Keys()[0].Public}
	}
	walk := func(p *outfox.Packet) {
		for range outfox.Layers - 1 {
			e.Submit(p)
			p = s.take()[0].packet
		}
		e.Submit(p)
	}
	epoch := outfox.EpochAt(time.Now())
	walk(packet(t, epoch, route))
	if len(s.delivered) != 1 || e.Stats().Delivered != 1 {
		t.Fatal("not delivered")
	}

	// Changed on the way: refused, and the tag is taken all the same.
	b := packet(t, epoch, route).Append(nil)
	b[len(b)-1] ^= 1
	p, err := outfox.ParsePacket(b)
	if err != nil {
		t.Fatal(err)
	}
	walk(p)

	// A reply does not end at a relay.
	block, _, err := outfox.NewReplyBlock(epoch.Byte(), [3]outfox.Hop(route[:3]), route[3])
	if err != nil {
		t.Fatal(err)
	}
	if _, p, err = block.Reply(new(outfox.Message)); err != nil {
		t.Fatal(err)
	}
	walk(p)
	wantRefused(t, e, map[string]int64{"payload": 1, "misplaced": 1})
	if st := e.Stats(); len(s.delivered) != 1 || st.Seen != 12 {
		t.Errorf("delivered %d, seen %d", len(s.delivered), st.Seen)
	}
}

// The set forgets nothing and finds nothing that is not there.
func TestSeen(t *testing.T) {
	const n = 50_000
	s := newSeen(n)
	tag := func(i int) (t outfox.ReplayTag) {
		binary.BigEndian.PutUint64(t[:], uint64(i))
		return t
	}
	for i := range n {
		if v := s.add(tag(i)); v != seenNow {
			t.Fatalf("tag %d: %v when new", i, v)
		}
	}
	for i := range n {
		if v := s.add(tag(i)); v != seenBefore {
			t.Fatalf("tag %d: %v when seen", i, v)
		}
	}
	if v := s.add(tag(n)); v != seenFull || s.len() != n {
		t.Fatalf("one more: %v, %d kept", v, s.len())
	}
}

func TestExhausted(t *testing.T) {
	e, s := newEngine(t, Config{MaxSeen: 3})
	epoch, route := hops(e, 0, 0)
	first := packet(t, epoch, route)
	e.Submit(first)
	for range 4 {
		e.Submit(packet(t, epoch, route))
	}
	e.Submit(first)
	wantRefused(t, e, map[string]int64{"exhausted": 2, "replay": 1})
	if n := len(s.take()); n != 3 {
		t.Errorf("%d packets went on, want 3", n)
	}
}

func TestDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newEngine(t, Config{})
		start(t, e)
		begin := time.Now()
		delays := []time.Duration{70, 10, 300_000, 0, 10, 1, 40, 2_000}
		for i, d := range delays {
			epoch, route := hops(e, 0, d*time.Millisecond)
			route[1].ID = nodeID(100 + i)
			e.Submit(packet(t, epoch, route))
		}
		if st := e.Stats(); st.Waiting != len(delays)-1 || st.Forwarded != 1 {
			t.Fatalf("stats: %+v", st)
		}
		time.Sleep(outfox.MaxDelay)
		synctest.Wait()
		out := s.take()
		if len(out) != len(delays) {
			t.Fatalf("%d packets went on, want %d", len(out), len(delays))
		}
		for i, f := range out {
			n := int(f.next[1]) - 100
			if d := f.at.Sub(begin); d != delays[n]*time.Millisecond {
				t.Errorf("packet %d waited %v, want %v ms", n, d, delays[n])
			}
			if i > 0 && f.at.Before(out[i-1].at) {
				t.Errorf("packet %d went before its time", n)
			}
		}
	})
}

func TestOverfull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newEngine(t, Config{MaxDelayed: 3})
		start(t, e)
		submit := func(d time.Duration) {
			epoch, route := hops(e, 0, d)
			e.Submit(packet(t, epoch, route))
		}
		for range 5 {
			submit(time.Second)
		}
		submit(0) // needs no room
		wantRefused(t, e, map[string]int64{"overfull": 2})
		time.Sleep(time.Second)
		synctest.Wait()
		submit(time.Second)
		time.Sleep(time.Second)
		synctest.Wait()
		wantRefused(t, e, map[string]int64{"overfull": 2})
		if n := len(s.take()); n != 5 {
			t.Errorf("%d packets went on, want 5", n)
		}
	})
}

// A key is published before its epoch, accepted for three, and then gone.
func TestKeysFollowTheEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changes := 0
		e, s := newEngine(t, Config{OnKeys: func() { changes++ }})
		start(t, e)
		keys := e.Keys()
		epoch := outfox.EpochAt(time.Now())
		if len(keys) != 2 || keys[0].Epoch != epoch || keys[1].Epoch != epoch+1 || keys[0].Public.Equal(keys[1].Public) {
			t.Fatal("keys are not those of this epoch and the next")
		}
		submit := func(k Key) bool {
			_, route := hops(e, 0, 0)
			route[0].Key = k.Public
			e.Submit(packet(t, k.Epoch, route))
			return len(s.take()) == 1
		}
		kept := packet(t, epoch, func() [outfox.Layers]outfox.Hop { _, r := hops(e, 0, 0); return r }())
		e.Submit(kept)
		s.take()

		// Ahead of time, for clients whose clock is ahead.
		if !submit(keys[0]) || !submit(keys[1]) {
			t.Fatal("this epoch's or the next one's key does not open")
		}
		if submit(Key{epoch - 1, keys[0].Public}) {
			t.Fatal("opened for an epoch without a key")
		}
		wantRefused(t, e, map[string]int64{"no key": 1})

		time.Sleep(time.Until(epoch.End()))
		synctest.Wait()
		if changes != 1 {
			t.Fatalf("told of %d changes", changes)
		}
		if now := e.Keys(); now[0].Epoch != epoch+1 || !now[0].Public.Equal(keys[1].Public) {
			t.Fatal("not the key that was announced")
		}
		if !submit(keys[0]) || !submit(keys[1]) {
			t.Fatal("the key of the epoch before, or of this one, does not open")
		}
		e.Submit(kept) // the tags live on with the key
		wantRefused(t, e, map[string]int64{"no key": 1, "replay": 1})

		time.Sleep(outfox.EpochLength)
		synctest.Wait()
		if submit(keys[0]) {
			t.Fatal("a key two epochs old opens")
		}
		if !submit(keys[1]) {
			t.Fatal("the key of the epoch before does not open")
		}
		if st := e.Stats(); st.Seen != 3 || changes != 2 {
			t.Errorf("%d tags kept, told of %d changes", st.Seen, changes)
		}
		wantRefused(t, e, map[string]int64{"no key": 2, "replay": 1})
	})
}

// 256 epochs later the epoch byte is the same, and the key is not.
func TestEpochByteComesAround(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newEngine(t, Config{})
		start(t, e)
		epoch, route := hops(e, 0, 0)
		old := packet(t, epoch, route)
		time.Sleep(256 * outfox.EpochLength)
		synctest.Wait()
		e.Submit(old)
		wantRefused(t, e, map[string]int64{"sealed": 1})
		if len(s.take()) != 0 {
			t.Error("opened")
		}
	})
}

// What was recorded cannot be replayed to a relay that lost its memory.
func TestRestartRefusesReplay(t *testing.T) {
	e, _ := newEngine(t, Config{})
	epoch, route := hops(e, 0, 0)
	p := packet(t, epoch, route)
	e.Submit(p)
	again, s := newEngine(t, Config{})
	again.Submit(p)
	wantRefused(t, again, map[string]int64{"sealed": 1})
	if len(s.take()) != 0 {
		t.Error("passed on")
	}
}

func TestClockSetBack(t *testing.T) {
	e, _ := newEngine(t, Config{})
	keys := e.Keys()
	back := time.Now().Add(-outfox.EpochLength)
	if changed, err := e.advance(back); err != nil || !changed {
		t.Fatalf("changed %v: %v", changed, err)
	}
	now := e.Keys()
	if now[0].Epoch != outfox.EpochAt(back) || !now[1].Public.Equal(keys[0].Public) {
		t.Error("the key of the epoch that comes again was not kept")
	}
	if changed, err := e.advance(back); err != nil || changed {
		t.Errorf("same time again: changed %v, %v", changed, err)
	}
}

func TestRepliesForgetTheOldest(t *testing.T) {
	e, s := newEngine(t, Config{})
	epoch, route := hops(e, 0, 0)
	client := NewReplies[int](nodeID(50), 2)
	var packets []*outfox.Packet
	for n := range 3 {
		for i := range route[:3] {
			route[i].Key = e.Keys()[0].Public
		}
		block, err := client.Block(epoch, [3]outfox.Hop(route[:3]), n)
		if err != nil {
			t.Fatal(err)
		}
		_, p, err := block.Reply(new(outfox.Message))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			e.Submit(p)
			p = s.take()[0].packet
		}
		packets = append(packets, p)
	}
	if client.Len() != 2 {
		t.Fatalf("%d blocks kept, want 2", client.Len())
	}
	if _, _, err := client.Open(packets[0]); !errors.Is(err, outfox.ErrRefused) {
		t.Errorf("reply to a forgotten block: %v", err)
	}
	// A changed reply is refused, and its block is spent.
	b := packets[1].Append(nil)
	b[len(b)-1] ^= 1
	bad, err := outfox.ParsePacket(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.Open(bad); !errors.Is(err, outfox.ErrRefused) {
		t.Errorf("changed reply: %v", err)
	}
	if _, _, err := client.Open(packets[1]); !errors.Is(err, outfox.ErrRefused) {
		t.Errorf("second reply to a block: %v", err)
	}
	if owner, _, err := client.Open(packets[2]); err != nil || owner != 2 {
		t.Errorf("owner %d: %v", owner, err)
	}
	if client.Len() != 0 {
		t.Errorf("%d blocks kept, want none", client.Len())
	}
	// Packets that are no replies.
	for _, p := range []*outfox.Packet{packet(t, epoch, route), packet(t, epoch+100, route)} {
		if _, _, err := client.Open(p); !errors.Is(err, outfox.ErrRefused) {
			t.Errorf("no reply: %v", err)
		}
	}
}

func TestRepliesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := NewReplies[int](nodeID(50), 100)
		var route [3]outfox.Hop
		for i := range route {
			route[i].Key = anyKey
		}
		block := func() {
			t.Helper()
			if _, err := client.Block(outfox.EpochAt(time.Now()), route, 1); err != nil {
				t.Fatal(err)
			}
		}
		block()
		time.Sleep(outfox.EpochLength)
		block()
		if client.Len() != 2 {
			t.Errorf("%d blocks, want 2", client.Len())
		}
		time.Sleep(outfox.EpochLength)
		block()
		if client.Len() != 2 || len(client.keys) != 2 {
			t.Errorf("%d blocks and %d keys, want the last two", client.Len(), len(client.keys))
		}
	})
}

func TestReasonsHaveWords(t *testing.T) {
	words := make(map[string]bool)
	for r := range reasons {
		words[r.String()] = true
	}
	if len(words) != int(reasons) {
		t.Errorf("words: %v", slices.Sorted(maps.Keys(words)))
	}
}

func FuzzHandle(f *testing.F) {
	e, _ := newEngine(f, Config{MaxSeen: 1 << 10})
	epoch, route := hops(e, 0, time.Second)
	f.Add(packet(f, epoch, route).Append(nil))
	epoch, route = hops(e, 3, 0)
	f.Add(packet(f, epoch, route).Append(nil))
	f.Add([]byte{epoch.Byte()})
	f.Fuzz(func(t *testing.T, b []byte) { e.Handle(b) })
}

func BenchmarkSubmit(b *testing.B) {
	e, s := newEngine(b, Config{})
	epoch, route := hops(e, 0, 0)
	packets := make([]*outfox.Packet, b.N)
	for i := range packets {
		packets[i] = packet(b, epoch, route)
	}
	b.ResetTimer()
	for _, p := range packets {
		e.Submit(p)
		s.forwarded = s.forwarded[:0]
	}
}

// BenchmarkSeen fills sets up to the default cap and reports what they take.
func BenchmarkSeen(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000, DefaultMaxSeen} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var tag outfox.ReplayTag
			var before, after runtime.MemStats
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				s := newSeen(n)
				for range n {
					rand.Read(tag[:])
					s.add(tag)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				runtime.KeepAlive(s)
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "bytes/packet")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/packet")
		})
	}
}
