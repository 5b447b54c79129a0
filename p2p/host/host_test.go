package host_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"go.uber.org/goleak"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/limits"
	"starling/p2p/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// books are the nodes that each host of a test may dial.
var books sync.Map // host.Host → *book.Book

func relay(t testing.TB, edit func(*host.Config)) host.Host {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cfg := host.Config{Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0/plain"}, AllowPrivate: true}
	if edit != nil {
		edit(&cfg)
	}
	if cfg.Book == nil {
		cfg.Book = book.New(book.Config{Role: book.Relay, AllowPrivate: true})
	}
	h, err := host.NewRelay(cfg)
	if err != nil {
		t.Fatal(err)
	}
	books.Store(h, cfg.Book)
	t.Cleanup(func() { h.Close() })
	return h
}

func client(t testing.TB, cfg host.Config) host.Host {
	t.Helper()
	if cfg.Book == nil {
		cfg.Book = book.New(book.Config{Role: book.Client, AllowPrivate: true})
	}
	h, err := host.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	books.Store(h, cfg.Book)
	t.Cleanup(func() { h.Close() })
	return h
}

func connect(t testing.TB, from, to host.Host) error {
	t.Helper()
	b, _ := books.Load(from)
	return reach(t.Context(), from, b.(*book.Book), to)
}

// reach connects as for an owner that names all addresses of a host.
func reach(ctx context.Context, from host.Host, b *book.Book, to host.Host) error {
	id, err := wire.NodeIDFromPeer(to.ID())
	if err != nil {
		return err
	}
	var addrs []book.Address
	for _, m := range to.Network().ListenAddresses() {
		if a, ok := book.AddressOf(m); ok {
			addrs = append(addrs, a)
		}
	}
	b.Name(id, book.Owner, addrs...)
	return host.Reach(ctx, from, b, id)
}

// TestClientTells: the knowledge of a relay about a client from libp2p itself.
func TestClientTells(t *testing.T) {
	r, c, d := relay(t, nil), client(t, host.Config{}), client(t, host.Config{})
	if c.ID() == d.ID() {
		t.Error("two clients have the same identity")
	}
	if len(c.Addrs()) != 0 || len(c.Network().ListenAddresses()) != 0 {
		t.Errorf("a client listens at %v, announces %v", c.Network().ListenAddresses(), c.Addrs())
	}
	if err := connect(t, c, r); err != nil {
		t.Fatal(err)
	}
	if err := connect(t, relay(t, nil), r); err != nil {
		t.Fatal(err)
	}
	for _, name := range []protocol.ID{identify.ID, identify.IDPush, "/ipfs/ping/1.0.0"} {
		if s, err := r.NewStream(t.Context(), c.ID(), name); err == nil {
			s.Close()
			t.Errorf("a client speaks %s", name)
		}
		if s, err := c.NewStream(t.Context(), r.ID(), name); err == nil {
			s.Close()
			t.Errorf("a client asks for %s", name)
		}
	}
	if agent, err := r.Peerstore().Get(c.ID(), "AgentVersion"); err == nil {
		t.Errorf("the relay knows that the client is %v", agent)
	}
}

// TestClientAcceptsNobody: the other direction does not exist.
func TestClientAcceptsNobody(t *testing.T) {
	r, c := relay(t, nil), client(t, host.Config{})
	if err := connect(t, c, r); err != nil {
		t.Fatal(err)
	}
	if err := c.Network().Listen(); err == nil && len(c.Network().ListenAddresses()) != 0 {
		t.Error("a client listens")
	}
}

// TestSource: a client dials from the address it is told to.
func TestSource(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs the whole of 127.0.0.0/8")
	}
	r := relay(t, nil)
	c := client(t, host.Config{Source: netip.MustParseAddr("127.5.6.7")})
	if err := connect(t, c, r); err != nil {
		t.Fatal(err)
	}
	for _, conn := range r.Network().ConnsToPeer(c.ID()) {
		if got := conn.RemoteMultiaddr().String(); !strings.HasPrefix(got, "/ip4/127.5.6.7/") {
			t.Errorf("comes from %s", got)
		}
	}
}

// TestAnnounced: a public relay keeps its private addresses to itself.
func TestAnnounced(t *testing.T) {
	r := relay(t, func(cfg *host.Config) { cfg.AllowPrivate = false })
	if len(r.Addrs()) != 0 {
		t.Errorf("announces %v", r.Addrs())
	}
	if r := relay(t, nil); len(r.Addrs()) != 1 {
		t.Errorf("with private addresses admitted it announces %v", r.Addrs())
	}
}

// TestListening: a relay that listens everywhere knows the addresses of its machine,
// each with the port that it got.
func TestListening(t *testing.T) {
	r := relay(t, func(c *host.Config) { c.Listen = []string{"/ip4/0.0.0.0/tcp/0"} })
	port := r.Network().ListenAddresses()[0].String()[len("/ip4/0.0.0.0"):]
	all := host.Listening(r)
	if !slices.ContainsFunc(all, func(a multiaddr.Multiaddr) bool { return a.String() == "/ip4/127.0.0.1"+port }) {
		t.Errorf("listens at %v, and not on loopback%s", all, port)
	}
	for _, a := range all {
		if manet.IsIPUnspecified(a) || manet.IsIP6LinkLocal(a) {
			t.Errorf("%v leads nowhere", a)
		}
	}
}

// TestManyFromOneAddress: libp2p's own limit is eight.
func TestManyFromOneAddress(t *testing.T) {
	r := relay(t, nil)
	const n = 40
	for i := range n {
		c := client(t, host.Config{Source: netip.MustParseAddr("127.0.0.1")})
		if err := connect(t, c, r); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
	}
	got := 0
	for end := time.Now().Add(10 * time.Second); got != n && time.Now().Before(end); time.Sleep(time.Millisecond) {
		got = len(r.Network().Peers())
	}
	if got != n {
		t.Errorf("%d of %d got in", got, n)
	}
}

// TestNames: nobody is asked for the meaning of a name.
func TestNames(t *testing.T) {
	c := client(t, host.Config{})
	info, err := peer.AddrInfoFromString("/dns4/relay.invalid/tcp/1/p2p/12D3KooWQjTEuAxgEwsPgmqDnTBfKyHpPWLbhsQ3g4i7SwaseQgD")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(t.Context(), *info); err == nil || c.Network().Connectedness(info.ID) == network.Connected {
		t.Errorf("connect: %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	key, _, _ := crypto.GenerateEd25519Key(rand.Reader)
	for name, cfg := range map[string]host.Config{
		"no key":          {Listen: []string{"/ip4/127.0.0.1/tcp/0"}},
		"no address":      {Key: key},
		"not a multiaddr": {Key: key, Listen: []string{"127.0.0.1:1"}},
		"not TCP":         {Key: key, Listen: []string{"/ip4/127.0.0.1/udp/0/quic-v1"}},
	} {
		if h, err := host.NewRelay(cfg); err == nil {
			t.Errorf("%s: accepted", name)
			h.Close()
		}
	}
}

// TestPortTaken: an address that cannot be had is an error, and leaves nothing
// behind.
func TestPortTaken(t *testing.T) {
	key, _, _ := crypto.GenerateEd25519Key(rand.Reader)
	taken := relay(t, nil).Network().ListenAddresses()[0].String()
	h, err := host.NewRelay(host.Config{Key: key, AllowPrivate: true, Listen: []string{"/ip4/127.0.0.1/tcp/0", taken}})
	if err == nil {
		h.Close()
		t.Error("two relays on one port")
	}
}

func BenchmarkConnect(b *testing.B) {
	r := relay(b, nil)
	for i := range b.N {
		named := book.New(book.Config{Role: book.Client, AllowPrivate: true})
		h, err := host.NewClient(host.Config{Book: named})
		if err != nil {
			b.Fatal(err)
		}
		if err := reach(b.Context(), h, named, r); err != nil {
			b.Fatal(fmt.Errorf("client %d: %w", i, err))
		}
		h.Close()
	}
}

// TestWebIsNeverBare: nothing that happens to a dial of a web address makes a client or a
// relay speak without the disguise there, and a plain address leads to no web server.
func TestWebIsNeverBare(t *testing.T) {
	r := relay(t, nil) // of plain TCP
	id, _ := wire.NodeIDFromPeer(r.ID())
	plain, _ := book.AddressOf(r.Network().ListenAddresses()[0])
	web := relay(t, func(c *host.Config) { c.Listen = []string{"/ip4/127.0.0.1/tcp/0"} })
	webID, _ := wire.NodeIDFromPeer(web.ID())
	disguised, _ := book.AddressOf(web.Network().ListenAddresses()[0])
	if !plain.Plain || disguised.Plain {
		t.Fatalf("the relays are at %v and %v", plain, disguised)
	}
	for _, c := range []struct {
		name string
		id   wire.NodeID
		at   book.Address
		want bool
	}{
		{"plain", id, plain, true},
		{"plain, taken for web", id, book.Address{AddrPort: plain.AddrPort}, false},
		{"web", webID, disguised, true},
		{"web, taken for plain", webID, book.Address{AddrPort: disguised.AddrPort, Plain: true}, false},
	} {
		for role, make := range map[book.Role]func(b *book.Book) host.Host{
			book.Client: func(b *book.Book) host.Host { return client(t, host.Config{Book: b, AllowPrivate: true}) },
			book.Relay:  func(b *book.Book) host.Host { return relay(t, func(cfg *host.Config) { cfg.Book = b }) },
		} {
			b := book.New(book.Config{Role: role, AllowPrivate: true})
			h := make(b)
			b.Name(c.id, book.Owner, c.at)
			for range 3 { // what failed once is not tried in another way
				err := host.Reach(t.Context(), h, b, c.id)
				if (err == nil) != c.want {
					t.Errorf("%s, role %d: %v", c.name, role, err)
				}
			}
		}
	}
}

// TestVisitors: those who come to the web server and say nothing keep nobody out, however
// many they are, and take no more than their places.
func TestVisitors(t *testing.T) {
	r := public(t, func(c *host.Config) { c.Listen = []string{"/ip4/127.0.0.1/tcp/0"} })
	where, _ := book.AddrPort(r.Network().ListenAddresses()[0])
	most := limits.For(smallest).HalfOpen
	var open atomic.Int64
	for range 3 * most {
		c, err := net.Dial("tcp", where.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open.Add(1)
		go func() {
			io.Copy(io.Discard, c) // until the relay has had enough
			open.Add(-1)
		}()
	}
	for i := range 5 {
		if err := connect(t, client(t, host.Config{}), r); err != nil {
			t.Errorf("newcomer %d: %v", i, err)
		}
	}
	for end := time.Now().Add(20 * time.Second); open.Load() > int64(most); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d visitors in %d places", open.Load(), most)
		}
	}
}
