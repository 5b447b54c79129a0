package host

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/limits"
)

// TestUnnamedStreams: streams that name no protocol are few in all, and a peer that
// opens one after the other is sent away, but not one that errs now and then. Silent
// ones keep nobody else out.
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

		// Who says nothing for longer makes room, one after the other, for those who come.
		time.Sleep(2 * silentFor)
		for i := range 3 * s.Unnamed {
			st, err := r.OpenStream(peer.ID(rune(5000+i)), network.DirInbound)
			if err != nil {
				t.Fatalf("stream %d has no place beside silent ones: %v", i, err)
			}
			if i%2 == 0 {
				if err := st.SetProtocol("named"); err != nil {
					t.Fatal(err)
				}
			}
			st.Done()
		}
		synctest.Wait()
		if n := len(shut); n == 0 || n > s.Unnamed {
			t.Errorf("%d peers were sent away", n)
		}
		for len(shut) > 0 {
			<-shut
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

// TestSilentStreamsGo: when all places of unnamed streams are taken, the peer with most of
// them goes, of the network with most; a relay of the list stays.
func TestSilentStreamsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := limits.For(0)
		r := newResources(s, func(p peer.ID) bool { return p == "relay" })
		shut := make(chan peer.ID, 1000)
		r.shut = func(p peer.ID) { shut <- p }
		open := func(p peer.ID, at string) (network.StreamManagementScope, error) {
			c, err := r.OpenConnection(network.DirInbound, true, multiaddr.StringCast("/ip4/"+at+"/tcp/4001"))
			if err != nil {
				t.Fatal(err)
			}
			c.SetPeer(p)
			time.Sleep(time.Millisecond)
			return r.OpenStream(p, network.DirInbound)
		}
		first, err := open("first", "99.1.1.1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open("relay", "5.5.5.5"); err != nil {
			t.Fatal(err)
		}
		for i := range s.Unnamed - 2 {
			if _, err := open(peer.ID(rune(i)), fmt.Sprintf("5.5.5.%d", i%250)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(silentFor)
		for i := range s.Unnamed - 2 {
			if _, err := open(peer.ID(rune(5000+i)), fmt.Sprintf("20.%d.1.1", i)); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
		}
		synctest.Wait()
		for len(shut) > 0 {
			if p := <-shut; p == "first" || p == "relay" {
				t.Errorf("%s is sent away for those of a fuller network", p)
			}
		}
		if err := first.SetProtocol("named"); err != nil {
			t.Error(err)
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
