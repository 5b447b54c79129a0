package relay_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	libhost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
)

// TestStrangersSayWhere: four strangers, then forty, each of a network of its own, tell
// each of twenty relays over identify that they see it at another address: most of them all at the same one, some each
// at its own, at another port, or over IPv6. No relay signs another address, and newcomers find all where they were.
func TestStrangersSayWhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relays := 20
		if testing.Short() {
			relays = 5
		}
		m := p2ptest.Virtual(t, relays, virtualtime.Links{LatencyMin: 20 * time.Millisecond, LatencyMax: 60 * time.Millisecond, BitsPerSecond: 2e7}, nil)
		defer m.Stop()
		m.Settle(relays)
		before := announced(m)

		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		const one = "/ip4/9.9.9.9/tcp/4001"
		lies := []string{one, one, one, one, "/ip4/9.%d.9.9/tcp/4001", one, "/ip6/2a01:e0a::9/tcp/4001", "/ip4/9.9.9.9/tcp/%d"}
		var asked atomic.Int64
		for n := range 40 {
			h := liar(t, m, 900+n, &asked, lies[n%len(lies)])
			defer h.Close()
			for _, r := range m.Relays {
				at := multiaddr.StringCast(r.Status().Addrs[0]).Decapsulate(multiaddr.StringCast("/p2p/" + r.PeerID()))
				if err := h.Connect(ctx, peer.AddrInfo{ID: r.ID().Peer(), Addrs: []multiaddr.Multiaddr{at}}); err != nil {
					t.Fatal(err)
				}
			}
			if n == 3 || n == 39 {
				time.Sleep(5 * time.Minute)
				if now := announced(m); !slices.Equal(before, now) {
					t.Errorf("after %d strangers relays announce %v, not %v", n+1, now, before)
				}
			}
		}
		if n := asked.Load(); n < 40 {
			t.Errorf("the strangers were asked %d times where they see a relay: this test shows nothing", n)
		}

		c := m.Client(nil)
		defer c.Stop()
		p2ptest.Eventually(t, "a newcomer is ready", func() bool { s := c.Status(); return s.Ready && s.Relays == relays })
		for i, r := range m.Relays {
			d, ok := c.Directory().Find(r.ID())
			if ok && len(d.Addresses) == 1 && before[i] == fmt.Sprintf("[%s]", book.Multiaddr(d.Addresses[0].Book())) {
				continue
			}
			t.Errorf("a newcomer finds relay %d at %v, %v, not at %s", i, d, ok, before[i])
		}
	})
}

// announced is what every relay of a mesh says of where it is.
func announced(m *p2ptest.Net) (all []string) {
	for _, r := range m.Relays {
		all = append(all, fmt.Sprint(r.Status().Announced))
	}
	return all
}

// liar is a stranger who sees everybody at one address, or each at one of its own, with a number in it.
func liar(t *testing.T, m *p2ptest.Net, node int, asked *atomic.Int64, lie string) libhost.Host {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(append(m.Options(node), libp2p.Identity(key), libp2p.NoListenAddrs, libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport), libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableRelay(), libp2p.DisableMetrics())...)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := crypto.MarshalPublicKey(key.GetPublic())
	if err != nil {
		t.Fatal(err)
	}
	h.SetStreamHandler("/ipfs/id/1.0.0", func(s network.Stream) {
		seen := lie
		if n := asked.Add(1); strings.Contains(lie, "%d") {
			seen = fmt.Sprintf(lie, n%250+1)
		}
		// Public key, protocol, and observed address are fields 1, 3 and 4 of identify.
		var said []byte
		for _, f := range []struct {
			number byte
			value  []byte
		}{{1, pub}, {3, []byte("/ipfs/id/1.0.0")}, {4, multiaddr.StringCast(seen).Bytes()}} {
			said = append(said, f.number<<3|2, byte(len(f.value)))
			said = append(said, f.value...)
		}
		s.Write(append([]byte{byte(len(said))}, said...)) // less than 128 bytes
		s.Close()
	})
	return h
}
