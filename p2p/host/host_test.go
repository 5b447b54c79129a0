package host_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"go.uber.org/goleak"

	"starling/p2p/book"
	"starling/p2p/host"
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
	cfg := host.Config{Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true}
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
	var addrs []netip.AddrPort
	for _, m := range to.Network().ListenAddresses() {
		if a, ok := book.AddrPort(m); ok {
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
	deadline := time.Now().Add(10 * time.Second)
	var agent any
	for agent == nil && time.Now().Before(deadline) {
		agent, _ = r.Peerstore().Get(c.ID(), "AgentVersion")
		time.Sleep(time.Millisecond)
	}
	if agent != "go-libp2p" {
		t.Errorf("agent is %v", agent)
	}
	protocols, err := r.Peerstore().GetProtocols(c.ID())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range protocols {
		if !strings.HasPrefix(string(p), "/ipfs/id/") {
			t.Errorf("a client speaks %s", p)
		}
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
