package discovery_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"starling/p2p/book"
	"starling/p2p/discovery"
	"starling/p2p/host"
	"starling/p2p/virtualtime"
	"starling/p2p/wire"
)

// TestFullBucketIsQuiet: nine relays of a small mesh that fall into one bucket of the
// tenth are asked once whether they answer, and not in turns for ever. kad-dht looks for
// others among the connected whenever it took one in while it knew ten or fewer, and one
// that it takes into a full bucket makes room by letting another go. It takes all addresses
// of a virtual network for one network's, of which its rule for public ones admits two.
func TestFullBucketIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := virtualtime.NewNetwork(virtualtime.Links{LatencyMin: 10 * time.Millisecond, BitsPerSecond: 1e8})
		var asked atomic.Int64
		var first wire.NodeID
		var at host.Host
		var known *book.Book
		for i := range 10 {
			key, id := keyInHalf(t, i > 0)
			b := book.New(book.Config{Role: book.Relay})
			h, err := host.NewRelay(host.Config{Key: key, Book: b, Options: net.Options(i), Listen: []string{listen(i).String()}})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			d, err := discovery.New(discovery.Config{Host: h, Book: b, Bootstrap: b.Named, Lonely: func() bool { return false },
				Found: func(peer.AddrInfo) {}, AllowPrivate: true,
				Tap: func(from network.Conn, _ []byte) {
					if from.RemotePeer() == first.Peer() {
						asked.Add(1)
					}
				}})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()

			if i == 0 {
				first, known, at = id, b, h
				continue
			}
			a, _ := book.AddressOf(listen(i))
			known.Name(id, book.Owner, a)
			if err := host.Reach(t.Context(), at, known, id); err != nil {
				t.Fatal(err)
			}
		}

		time.Sleep(10 * time.Minute)
		if n := asked.Load(); n < 9 || n > 200 {
			t.Errorf("nine relays were asked %d times in ten minutes", n)
		}
	})
}

// keyInHalf makes a key with its node in one half of the DHT.
func keyInHalf(t *testing.T, upper bool) (crypto.PrivKey, wire.NodeID) {
	t.Helper()
	for {
		key, pub, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		id, err := wire.NodeIDFromKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		if place := sha256.Sum256([]byte(id.Peer())); place[0] >= 0x80 == upper {
			return key, id
		}
	}
}

// TestNewsPutsNothingOff: while there is news every second, as in a large mesh, a relay
// still closes the connections that nothing uses, and still looks at the other side.
func TestNewsPutsNothingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := virtualtime.NewNetwork(virtualtime.Links{LatencyMin: 10 * time.Millisecond, BitsPerSecond: 1e8})
		const others = discovery.WantNeighbours + 4
		var at host.Host
		var known *book.Book
		for i := range 1 + others {
			key, id := keyInHalf(t, true)
			b := book.New(book.Config{Role: book.Relay})
			h, err := host.NewRelay(host.Config{Key: key, Book: b, Options: net.Options(i), Listen: []string{listen(i).String()}})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			if i == 0 {
				known, at = b, h
				continue
			}
			a, _ := book.AddressOf(listen(i))
			known.Name(id, book.Owner, a)
			if err := host.Reach(t.Context(), at, known, id); err != nil {
				t.Fatal(err)
			}
		}

		var looks atomic.Int64
		near := discovery.Neighbours{Host: at, Book: known, Connected: at.Network().Peers,
			Known: func() []wire.NodeID { looks.Add(1); return nil },
			Changed: func() <-chan struct{} {
				changed := make(chan struct{})
				time.AfterFunc(time.Second, func() { close(changed) })
				return changed
			}}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { near.Run(ctx); close(done) }()
		time.Sleep(5 * time.Minute)
		stop()
		<-done

		if n := len(at.Network().Peers()); n != discovery.WantNeighbours {
			t.Errorf("%d connections are left that nothing uses", n)
		}
		if looks.Load() == 0 {
			t.Error("never looked for others")
		}
		time.Sleep(time.Minute) // for the last news
	})
}
