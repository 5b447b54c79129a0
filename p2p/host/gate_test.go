package host_test

import (
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	libhost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/wire"
)

// A victim is a machine that never asked to be dialled.
type victim struct {
	at   multiaddr.Multiaddr
	hits atomic.Int64
}

func newVictim(t *testing.T, network, address string) *victim {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skip(err)
	}
	v := &victim{at: book.Multiaddr(book.Web(l.Addr().(*net.TCPAddr).AddrPort()))}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			v.hits.Add(1)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return v
}

// plain is a host of libp2p as it comes, with the given words in identify, and the word
// that it is a relay.
func plain(t *testing.T, says ...multiaddr.Multiaddr) libhost.Host {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(key), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()), libp2p.Security(noise.ID, noise.New), libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.ForceReachabilityPrivate(),
		libp2p.AddrsFactory(func(own []multiaddr.Multiaddr) []multiaddr.Multiaddr { return append(own, says...) }))
	if err != nil {
		t.Fatal(err)
	}
	h.SetStreamHandler(wire.FrameProtocol, func(network.Stream) {})
	t.Cleanup(func() { h.Close() })
	return h
}

// bare returns where libp2p as it comes finds a relay of plain TCP.
func bare(r host.Host) (all []multiaddr.Multiaddr) {
	for _, m := range r.Network().ListenAddresses() {
		all = append(all, m.Decapsulate(multiaddr.StringCast("/plain")))
	}
	return all
}

// TestIdentifyIsNotDialled: nodes named by identify are not dialled, and no way into
// libp2p's stores leads out of the gate.
func TestIdentifyIsNotDialled(t *testing.T) {
	four, six := newVictim(t, "tcp4", "127.0.0.1:0"), newVictim(t, "tcp6", "[::1]:0")
	says := []multiaddr.Multiaddr{four.at, six.at,
		multiaddr.StringCast("/dns4/evil.example.com/tcp/80"), multiaddr.StringCast("/dnsaddr/evil.example.com"), multiaddr.StringCast("/ip4/127.0.0.1/udp/443/quic-v1")}
	hostile := plain(t, says...)
	id, err := wire.NodeIDFromPeer(hostile.ID())
	if err != nil {
		t.Fatal(err)
	}
	listen := hostile.Network().ListenAddresses()[0]
	where, _ := book.AddressOf(listen)
	where.Plain = true
	for _, c := range []struct {
		name string
		role book.Role
		make func(*book.Book) host.Host
	}{
		{"client", book.Client, func(b *book.Book) host.Host { return client(t, host.Config{Book: b, AllowPrivate: true}) }},
		{"relay", book.Relay, func(b *book.Book) host.Host {
			return relay(t, func(cfg *host.Config) { cfg.Book = b })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := book.New(book.Config{Role: c.role, AllowPrivate: true})
			h := c.make(b)
			b.Name(id, book.Owner, where)
			if err := host.Reach(t.Context(), h, b, id); err != nil {
				t.Fatal(err)
			}
			if c.role == book.Relay { // a client does not listen to identify at all
				identified(t, h, hostile.ID())
			}
			if got := h.Peerstore().Addrs(hostile.ID()); len(got) != 0 {
				t.Errorf("identify wrote %v", got)
			}
			// The hostile one hangs up and is away: the next dial is where all
			// addresses would be tried.
			met(t, hostile, h.ID())
			hostile.Network().ClosePeer(h.ID())
			gone(t, h, hostile.ID())
			victims := func() int64 { return four.hits.Load() + six.hits.Load() }
			try := func(what string, f func(ctx context.Context) error) {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				if err := f(ctx); err == nil {
					t.Errorf("%s: connected", what)
				}
				if victims() != 0 {
					t.Fatalf("%s: a third party was dialled", what)
				}
			}
			stranger := plain(t)
			try("by its word", func(ctx context.Context) error {
				return h.Connect(ctx, peer.AddrInfo{ID: hostile.ID(), Addrs: says})
			})
			try("a stream", func(ctx context.Context) error {
				_, err := h.NewStream(ctx, hostile.ID(), wire.FrameProtocol)
				return err
			})
			try("another node there", func(ctx context.Context) error {
				return h.Connect(ctx, peer.AddrInfo{ID: stranger.ID(), Addrs: append(says, stranger.Network().ListenAddresses()...)})
			})
			try("by the store", func(ctx context.Context) error {
				h.Peerstore().AddAddrs(hostile.ID(), says, peerstore.PermanentAddrTTL)
				h.Peerstore().SetAddrs(hostile.ID(), says, peerstore.PermanentAddrTTL)
				_, err := h.Network().DialPeer(ctx, hostile.ID())
				return err
			})
			// And the honest door dials only where the owner said.
			for range 2 {
				if err := host.Reach(t.Context(), h, b, id); err != nil {
					t.Fatal(err)
				}
				h.Network().ClosePeer(hostile.ID())
				gone(t, h, hostile.ID())
			}
			if victims() != 0 {
				t.Error("a third party was dialled")
			}
		})
	}
}

// identified waits until identify has run.
func identified(t *testing.T, h host.Host, p peer.ID) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if agent, err := h.Peerstore().Get(p, "AgentVersion"); err == nil && agent != nil {
			return
		}
	}
	t.Fatal("never identified")
}

// met waits until a host knows of its connection to a peer.
func met(t *testing.T, h host.Host, p peer.ID) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if h.Network().Connectedness(p) == network.Connected {
			return
		}
	}
	t.Fatal("never connected")
}

func gone(t *testing.T, h host.Host, p peer.ID) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if h.Network().Connectedness(p) != network.Connected {
			return
		}
	}
	t.Fatal("still connected")
}

// TestClientTakesNobody: a client refuses incoming connections, even if it listened.
func TestClientTakesNobody(t *testing.T) {
	c := client(t, host.Config{AllowPrivate: true})
	if err := c.Network().Listen(multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")); err == nil {
		t.Error("a client is a web server")
	}
	if err := c.Network().Listen(multiaddr.StringCast("/ip4/127.0.0.1/tcp/0/plain")); err != nil {
		t.Fatal(err)
	}
	r := relay(t, nil)
	if err := connect(t, r, c); err == nil {
		t.Error("a client took a connection")
	}
}

// TestDualStack: of a relay that names an IPv6 address first, which leads
// nowhere for us, the other is found a moment later; and the next dial begins
// there.
func TestDualStack(t *testing.T) {
	r := relay(t, nil)
	id, _ := wire.NodeIDFromPeer(r.ID())
	good, _ := book.AddressOf(r.Network().ListenAddresses()[0])
	for _, dead := range []string{"[100::1]:4001", "[::1]:1", "127.0.0.1:1"} { // discarded, and refused
		b := book.New(book.Config{Role: book.Client, AllowPrivate: true, Listed: func(wire.NodeID) []book.Address {
			return []book.Address{book.Web(netip.MustParseAddrPort(dead)), good}
		}})
		h := client(t, host.Config{Book: b, AllowPrivate: true})
		if err := host.Reach(t.Context(), h, b, id); err != nil {
			t.Errorf("beside %s: %v", dead, err)
		}
		if at, _ := b.Reached(id); at != good {
			t.Errorf("beside %s: reached at %v", dead, at)
		}
		p, err := b.Open(id)
		if err != nil || p.Addrs()[0] != good {
			t.Errorf("beside %s: next dial begins at %v, %v", dead, p.Addrs(), err)
		}
		p.Done(book.Address{})
	}
}
