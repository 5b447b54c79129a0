package discovery_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"starling/p2p/book"
	"starling/p2p/discovery"
	"starling/p2p/host"
	"starling/p2p/virtualtime"
	"starling/p2p/wire"
)

// TestStrangers: a relay with neighbours tries others rarely while they answer, and
// often while one does not.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := virtualtime.NewNetwork(virtualtime.Links{LatencyMin: 50 * time.Millisecond, BitsPerSecond: 1e8})
		named := book.New(book.Config{Role: book.Relay})
		relay := func(i int) host.Host {
			key, _, err := crypto.GenerateEd25519Key(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			h, err := host.NewRelay(host.Config{Key: key, Book: named, Options: net.Options(i),
				Listen: []string{fmt.Sprintf("/ip4/%s/tcp/%d", virtualtime.Address(i), virtualtime.Port)}})
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		h, stranger := relay(0), relay(1)
		defer h.Close()
		defer stranger.Close()
		id, err := wire.NodeIDFromPeer(stranger.ID())
		if err != nil {
			t.Fatal(err)
		}
		where, _ := book.AddressOf(stranger.Addrs()[0])
		named.Name(id, book.Owner, where)
		n := discovery.Neighbours{
			Host: h, Book: named,
			Known:     func() []wire.NodeID { return []wire.NodeID{id} },
			Connected: func() []peer.ID { return make([]peer.ID, discovery.WantNeighbours) },
			Spare:     discovery.WantNeighbours,
			Changed:   func() <-chan struct{} { return nil },
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { n.Run(ctx); close(ended) }()
		defer func() { cancel(); <-ended }()

		// met counts connections, each of which ends at once.
		met := func(d time.Duration) (times int) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
				if len(h.Network().ConnsToPeer(stranger.ID())) > 0 {
					h.Network().ClosePeer(stranger.ID())
					times++
				}
			}
			return times
		}
		met(10 * time.Minute)
		if got := met(time.Hour); got < 8 || got > 16 {
			t.Errorf("met %d times in an hour", got)
		}
		net.Down(1, true)
		if got := met(10 * time.Minute); got != 0 {
			t.Errorf("met %d times who is down", got)
		}
		net.Down(1, false)
		if met(90*time.Second) == 0 {
			t.Error("not met soon after it came back")
		}
	})
}
