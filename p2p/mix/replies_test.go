package mix

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/outfox"
)

// TestRepliesExpire: blocks are kept until they expire, keys until the last block
// made with them has.
func TestRepliesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := NewReplies[int](nodeID(50), 100, nil)
		var route [3]outfox.Hop
		for i := range route {
			route[i].Key = anyKey
		}
		block := func() {
			t.Helper()
			if _, err := client.Block(outfox.SlotAt(time.Now())+outfox.MaxAhead, route, 1); err != nil {
				t.Fatal(err)
			}
		}
		for hours, want := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 9, 10, 9, 10} {
			block()
			if client.Len() != want {
				t.Errorf("after %d hours %d blocks, want %d", hours, client.Len(), want)
			}
			time.Sleep(time.Hour)
		}
		time.Sleep(10 * time.Hour) // midnight
		block()
		if len(client.keys) != 2 {
			t.Errorf("%d keys at midnight, want two", len(client.keys))
		}
		time.Sleep(outfox.KeyLife)
		block()
		if len(client.keys) != 1 {
			t.Errorf("%d keys at eight, want one", len(client.keys))
		}
	})
}

// TestAnswerInTime: an answer is taken until its block expires, by the client's own
// clock.
func TestAnswerInTime(t *testing.T) {
	now := time.Date(2026, 11, 22, 23, 59, 0, 0, time.UTC)
	client := NewReplies[int](nodeID(50), 100, func() time.Time { return now })
	var route [3]outfox.Hop
	var keys [3]*outfox.PrivateKey
	for i := range route {
		k, err := outfox.NewPrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		keys[i], route[i].Key = k, k.Public()
	}
	answer := func(slot outfox.Slot) *outfox.Packet {
		block, err := client.Block(slot, route, 1)
		if err != nil {
			t.Fatal(err)
		}
		_, p, err := block.Reply(new(outfox.Message))
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			got, err := k.Peel(p)
			if err != nil {
				t.Fatal(err)
			}
			p = got.Packet
		}
		return p
	}
	slot := outfox.SlotAt(now) + outfox.MaxAhead
	early, late := answer(slot), answer(slot)
	now = slot.End().Add(-1)
	if _, _, err := client.Open(early); err != nil {
		t.Errorf("in the last moment: %v", err)
	}
	now = slot.End()
	if _, _, err := client.Open(late); !errors.Is(err, outfox.ErrRefused) {
		t.Errorf("too late: %v", err)
	}
	if client.Len() != 0 {
		t.Errorf("%d blocks are kept", client.Len())
	}
}

// TestNoReplySpendsNoBlock: a packet that is no reply, though it opens under the
// client's own key, is refused and spends no block, not even one with an id of zeros,
// which a packet without an id seems to have.
func TestNoReplySpendsNoBlock(t *testing.T) {
	client := NewReplies[int](nodeID(50), 100, nil)
	slot := outfox.SlotAt(time.Now()) + outfox.MaxAhead
	var route [outfox.Layers]outfox.Hop
	for i := range route {
		route[i] = outfox.Hop{ID: nodeID(50), Key: anyKey}
	}
	if _, err := client.Block(slot, [3]outfox.Hop(route[:3]), 1); err != nil {
		t.Fatal(err)
	}
	client.open[outfox.ReplyID{}] = client.order.Front()

	own := client.keys[slot.Epoch()]
	for i := range route {
		route[i].Key = own.Public()
	}
	p := packet(t, slot, route)
	for layer := 1; ; layer++ {
		broken := p.Append(nil)
		broken[40] ^= 1
		q, err := outfox.ParsePacket(broken)
		if err != nil {
			t.Fatal(err)
		}
		for what, p := range map[string]*outfox.Packet{"a request": p, "a broken packet": q} {
			if _, m, err := client.Open(p); !errors.Is(err, outfox.ErrRefused) || m != nil {
				t.Errorf("%s at layer %d: %v", what, layer, err)
			}
			if client.Len() != 1 {
				t.Fatalf("%s at layer %d spends a block", what, layer)
			}
		}
		if layer == outfox.Layers {
			break
		}
		got, err := own.Peel(p)
		if err != nil {
			t.Fatal(err)
		}
		p = got.Packet
	}
}

// TestNoBlockOverNoRoute: a route that cannot be used gives no block, and none is kept.
func TestNoBlockOverNoRoute(t *testing.T) {
	client := NewReplies[int](nodeID(50), 100, nil)
	block, err := client.Block(outfox.SlotAt(time.Now())+outfox.MaxAhead, [3]outfox.Hop{}, 1)
	if !errors.Is(err, outfox.ErrRoute) || block != nil || client.Len() != 0 {
		t.Errorf("%d blocks: %v", client.Len(), err)
	}
}
