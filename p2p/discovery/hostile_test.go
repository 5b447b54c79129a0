package discovery_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	libhost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/conngater"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"starling/p2p/book"
	"starling/p2p/discovery"
	"starling/p2p/host"
	"starling/p2p/virtualtime"
	"starling/p2p/wire"
)

// counted counts incoming connections.
type counted struct {
	connmgr.ConnectionGater
	hits atomic.Int64
}

func (c *counted) InterceptAccept(network.ConnMultiaddrs) bool {
	c.hits.Add(1)
	return true
}

// plainHost is libp2p as it comes on node i, with any announcements.
func plainHost(t *testing.T, net *virtualtime.Network, i int, gate connmgr.ConnectionGater, says ...multiaddr.Multiaddr) libhost.Host {
	t.Helper()
	opts := append(net.Options(i), libp2p.NoListenAddrs, libp2p.Security(noise.ID, noise.New), libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.ForceReachabilityPrivate())
	if gate != nil {
		opts = append(opts, libp2p.ConnectionGater(gate))
	}
	if says != nil {
		opts = append(opts, libp2p.AddrsFactory(func([]multiaddr.Multiaddr) []multiaddr.Multiaddr { return says }))
	}
	h, err := libp2p.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Network().Listen(listen(i)); err != nil {
		t.Fatal(err)
	}
	return h
}

func listen(i int) multiaddr.Multiaddr {
	return multiaddr.StringCast(fmt.Sprintf("/ip4/%s/tcp/%d", virtualtime.Address(i), virtualtime.Port))
}

// TestProviderIsOnlyHeard: strangers put provider records under the relays' key
// that name other machines, all of one victim's. Relays that look for others
// all the time dial the victim once in ten minutes each, and nothing of their
// own or of no public address ever.
func TestProviderIsOnlyHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := virtualtime.NewNetwork(virtualtime.Links{LatencyMin: 10 * time.Millisecond, BitsPerSecond: 1e8})
		open, err := conngater.NewBasicConnectionGater(nil)
		if err != nil {
			t.Fatal(err)
		}
		victim := &counted{ConnectionGater: open}
		defer plainHost(t, net, 9, victim).Close()

		ctx, cancel := context.WithCancel(t.Context())
		var ended []chan struct{}
		run := func(f func(context.Context) error) {
			done := make(chan struct{})
			ended = append(ended, done)
			go func() { f(ctx); close(done) }()
		}
		defer func() {
			cancel()
			for _, done := range ended {
				<-done
			}
		}()
		const relays = 3
		var first wire.NodeID
		for i := range relays {
			key, pub, err := crypto.GenerateEd25519Key(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			id, _ := wire.NodeIDFromKey(pub)
			if i == 0 {
				first = id
			}
			b := book.New(book.Config{Role: book.Relay})
			h, err := host.NewRelay(host.Config{Key: key, Book: b, Options: net.Options(i), Listen: []string{listen(i).String()}})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			if i > 0 {
				a, _ := book.AddressOf(listen(0))
				b.Name(first, book.Owner, a)
			}
			d, err := discovery.New(discovery.Config{Host: h, Book: b, Bootstrap: b.Named, Lonely: func() bool { return true },
				Found: func(info peer.AddrInfo) {
					if id, err := wire.NodeIDFromPeer(info.ID); err == nil {
						for _, m := range info.Addrs {
							if a, ok := book.AddressOf(m); ok {
								b.Hear(id, a)
							}
						}
					}
				}})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			near := discovery.Neighbours{Host: h, Book: b, Known: b.Named, Connected: h.Network().Peers, Changed: func() <-chan struct{} { return nil }}
			run(d.Run)
			run(near.Run)
		}
		time.Sleep(10 * time.Second)
		// Strangers, each with its record.
		rendezvous, err := multihash.Sum([]byte(discovery.Rendezvous), multihash.SHA2_256, -1)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			h := plainHost(t, net, 20+i, nil, listen(9), listen(0), multiaddr.StringCast("/ip4/127.0.0.1/tcp/9999"))
			defer h.Close()
			d, err := dht.New(h, dht.ProtocolPrefix(protocol.ID(wire.DHTPrefix)), dht.Mode(dht.ModeClient), dht.BucketSize(8), dht.DisableAutoRefresh(), dht.DisableValues(),
				dht.AddressFilter(func(a []multiaddr.Multiaddr) []multiaddr.Multiaddr { return a }))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			for r := range relays {
				if r == 0 {
					h.Connect(ctx, peer.AddrInfo{ID: first.Peer(), Addrs: []multiaddr.Multiaddr{listen(0)}})
				}
			}
			time.Sleep(time.Second)
			if err := d.Provide(ctx, cid.NewCidV1(cid.Raw, rendezvous), true); err != nil {
				t.Logf("provide: %v", err)
			}
		}
		const minutes = 60
		time.Sleep(minutes * time.Minute)
		hits := victim.hits.Load()
		if hits == 0 {
			t.Error("the records were not looked at: this test shows nothing")
		}
		if most := int64(relays * (minutes/10 + 1)); hits > most {
			t.Errorf("the victim was dialled %d times in an hour by %d relays, more than %d", hits, relays, most)
		}
		t.Logf("%d dials", hits)
	})
}
