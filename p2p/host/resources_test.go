package host

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"starling/p2p/limits"
)

// TestUnnamedStreams: streams that name no protocol are few in all, and a peer that
// opens one after the other is sent away, but not one that errs now and then.
func TestUnnamedStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := limits.For(0)
		r := newResources(s, nil)
		shut := make(chan peer.ID, 1000)
		r.shut = func(p peer.ID) { shut <- p }
		open := 0
		for i := range 1000 {
			if _, err := r.OpenStream(peer.ID(rune(i)), network.DirInbound); err == nil {
				open++
			}
		}
		if open != s.Unnamed {
			t.Errorf("%d unnamed streams of 1,000 peers, not %d", open, s.Unnamed)
		}
		synctest.Wait()
		if len(shut) != 0 {
			t.Error("a peer is sent away for what others do")
		}

		r = newResources(s, nil)
		r.shut = func(p peer.ID) { shut <- p }
		hold, err := r.OpenConnection(network.DirInbound, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		hold.SetPeer("slow")
		for range 200 { // one in two minutes
			st, err := r.OpenStream("slow", network.DirInbound)
			if err != nil {
				t.Fatal(err)
			}
			st.Done()
			time.Sleep(2 * time.Minute)
		}
		synctest.Wait()
		if len(shut) != 0 {
			t.Error("who errs now and then is sent away")
		}
		for range 10 * limits.UnknownMost {
			if st, err := r.OpenStream("slow", network.DirInbound); err == nil {
				st.Done()
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if len(shut) == 0 {
			t.Error("who errs all the time stays")
		}
		hold.Done()
		if len(r.peers) != 0 {
			t.Errorf("%d peers are remembered after they left", len(r.peers))
		}
	})
}

// TestWindows: windows of clients do not grow, those of relays within bounds, and grown
// memory comes back.
func TestWindows(t *testing.T) {
	s := limits.For(0)
	r := newResources(s, func(p peer.ID) bool { return p == "relay" })
	grow := func(p peer.ID) (spans []network.ResourceScopeSpan) {
		for range 10_000 {
			c, err := r.OpenConnection(network.DirInbound, true, nil)
			if err != nil {
				t.Fatal(err)
			}
			c.SetPeer(p)
			span, err := c.PeerScope().BeginSpan()
			if err != nil {
				t.Fatal(err)
			}
			if err := span.ReserveMemory(256<<10, network.ReservationPriorityAlways); err != nil {
				t.Fatal("a stream without a first window")
			}
			if span.ReserveMemory(768<<10, network.ReservationPriorityMedium) == nil {
				spans = append(spans, span)
			}
		}
		return spans
	}
	if n := len(grow("client")); n != 0 {
		t.Errorf("%d windows of a client grew", n)
	}
	spans := grow("relay")
	if n := int64(len(spans)); n*(768<<10) > s.Windows || n == 0 {
		t.Errorf("%d windows of a relay grew", n)
	}
	for _, span := range spans {
		span.Done()
		span.Done()
	}
	if r.windows != 0 {
		t.Errorf("%d bytes are left", r.windows)
	}
}
