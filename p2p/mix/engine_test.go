package mix

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/outfox"
)

func TestReplayIsRefused(t *testing.T) {
	e, s := newEngine(t, Config{})
	slot, route := hops(e, 0, 0)
	p := packet(t, slot, route)
	submit(e, p)
	submit(e, p)
	// The same header with another payload is the same packet.
	b := p.Append(nil)
	b[len(b)-1] ^= 1
	e.Handle(neighbour, b)
	wantRefused(t, e, map[string]int64{"replay": 2})
	if n := len(s.take()); n != 1 {
		t.Errorf("%d packets went on, want 1", n)
	}
}

func TestReplyBlockTwiceIsRefused(t *testing.T) {
	e, s := newEngine(t, Config{})
	slot, route := hops(e, 0, 0)
	client := NewReplies[int](nodeID(50), 10, nil)
	block, err := client.Block(slot, [3]outfox.Hop(route[:3]), 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, p, err := block.Reply(new(outfox.Message))
		if err != nil {
			t.Fatal(err)
		}
		submit(e, p)
	}
	wantRefused(t, e, map[string]int64{"replay": 1})
	if n := len(s.take()); n != 1 {
		t.Errorf("%d packets went on, want 1", n)
	}
}

// TestRefusedTakesNoRoom: nothing that does not open may take room among the replay
// tags.
func TestRefusedTakesNoRoom(t *testing.T) {
	e, s := newEngine(t, Config{})
	slot, route := hops(e, 0, 0)
	good := packet(t, slot, route).Append(nil)
	for _, at := range []int{1, 31, 32, 40, outfox.HeaderSize} {
		b := slices.Clone(good)
		b[at] ^= 0x80
		e.Handle(neighbour, b)
	}
	e.Handle(neighbour, nil)
	e.Handle(neighbour, good[1:])
	wantRefused(t, e, map[string]int64{"sealed": 5, "malformed": 2})
	if st := e.Stats(); st.Seen != 0 || st.Forwarded != 0 || len(s.take()) != 0 {
		t.Errorf("stats: %+v", st)
	}
	e.Handle(neighbour, good)
	if st := e.Stats(); st.Seen != 1 || st.Forwarded != 1 {
		t.Errorf("stats: %+v", st)
	}
}

func TestMailboxEnd(t *testing.T) {
	e, s := newEngine(t, Config{})
	var route [outfox.Layers]outfox.Hop
	slot := outfox.SlotAt(time.Now()) + outfox.MaxAhead
	for i := range route { // all hops are e
		route[i] = outfox.Hop{ID: nodeID(i), Key: keyOf(e, slot.Epoch())}
	}
	walk := func(p *outfox.Packet) {
		for range outfox.Layers - 1 {
			submit(e, p)
			p = s.take()[0].packet
		}
		submit(e, p)
	}
	walk(packet(t, slot, route))
	if len(s.delivered) != 1 || e.Stats().Delivered != 1 {
		t.Fatal("not delivered")
	}

	// Again at the mailbox alone: the tag is known there too.
	p := packet(t, slot, route)
	for range outfox.Layers - 1 {
		submit(e, p)
		p = s.take()[0].packet
	}
	submit(e, p)
	submit(e, p)
	wantRefused(t, e, map[string]int64{"replay": 1})
	if len(s.delivered) != 2 || e.Stats().Delivered != 2 {
		t.Fatalf("delivered %d times, want 2", len(s.delivered))
	}

	// Changed on the way: refused, and the tag is taken all the same.
	b := packet(t, slot, route).Append(nil)
	b[len(b)-1] ^= 1
	p, err := outfox.ParsePacket(b)
	if err != nil {
		t.Fatal(err)
	}
	walk(p)

	// A reply does not end at a relay.
	block, _, err := outfox.NewReplyBlock(slot, [3]outfox.Hop(route[:3]), route[3])
	if err != nil {
		t.Fatal(err)
	}
	if _, p, err = block.Reply(new(outfox.Message)); err != nil {
		t.Fatal(err)
	}
	walk(p)
	wantRefused(t, e, map[string]int64{"replay": 1, "payload": 1, "misplaced": 1})
	if st := e.Stats(); len(s.delivered) != 2 || st.Seen != 16 {
		t.Errorf("delivered %d, seen %d", len(s.delivered), st.Seen)
	}
}

func TestDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newEngine(t, Config{})
		start(t, e)
		begin := time.Now()
		delays := []time.Duration{70, 10, 1_000, 0, 10, 1, 40, 999}
		for i, d := range delays {
			slot, route := hops(e, 0, d*time.Millisecond)
			route[1].ID = nodeID(100 + i)
			submit(e, packet(t, slot, route))
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

func TestRepliesForgetTheOldest(t *testing.T) {
	e, s := newEngine(t, Config{})
	slot, route := hops(e, 0, 0)
	client := NewReplies[int](nodeID(50), 2, nil)
	var packets []*outfox.Packet
	for n := range 3 {
		for i := range route[:3] {
			route[i].Key = keyOf(e, slot.Epoch())
		}
		block, err := client.Block(slot, [3]outfox.Hop(route[:3]), n)
		if err != nil {
			t.Fatal(err)
		}
		_, p, err := block.Reply(new(outfox.Message))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			submit(e, p)
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
	for _, p := range []*outfox.Packet{packet(t, slot, route), packet(t, slot+100, route)} {
		if _, _, err := client.Open(p); !errors.Is(err, outfox.ErrRefused) {
			t.Errorf("no reply: %v", err)
		}
	}
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
	e, _ := newEngine(f, Config{})
	slot, route := hops(e, 0, time.Second)
	f.Add(packet(f, slot, route).Append(nil))
	slot, route = hops(e, 3, 0)
	f.Add(packet(f, slot, route).Append(nil))
	f.Add([]byte{slot.Epoch().Byte()})
	f.Fuzz(func(t *testing.T, b []byte) { e.Handle(neighbour, b) })
}

func BenchmarkSubmit(b *testing.B) {
	e, s := newEngine(b, Config{})
	slot, route := hops(e, 0, 0)
	packets := make([]*outfox.Packet, b.N)
	for i := range packets {
		packets[i] = packet(b, slot, route)
	}
	b.ResetTimer()
	for _, p := range packets {
		submit(e, p)
		s.forwarded = s.forwarded[:0]
	}
}
