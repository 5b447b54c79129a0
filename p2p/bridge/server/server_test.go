package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"starling/p2p"
	"starling/p2p/bridge"
	"starling/p2p/bridge/server"
	"starling/p2p/p2ptest"
	"starling/p2p/relay"
)

// mesh starts n relays of the web transport, each at an address of its own.
func mesh(t *testing.T, n int) *p2ptest.Net { return meshOf(t, n, nil) }

func meshOf(t *testing.T, n int, edit func(i int, cfg *p2p.RelayConfig)) *p2ptest.Net {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs the whole of 127.0.0.0/8")
	}
	return p2ptest.Loopback(t, n, func(i int, cfg *p2p.RelayConfig) {
		cfg.Source = fmt.Sprintf("127.30.%d.1", i+1)
		cfg.Listen = []string{"/ip4/" + cfg.Source + "/tcp/0"}
		if edit != nil {
			edit(i, cfg)
		}
	})
}

// start runs a bridge of a mesh until the test ends.
func start(t *testing.T, m *p2ptest.Net, edit func(*server.Config)) (*server.Bridge, string) {
	t.Helper()
	cfg := server.Config{
		StateDir: t.TempDir(), Listen: []string{"/ip4/127.40.0.1/tcp/0"}, Source: "127.40.0.1",
		Bootstrap: m.Bootstrap(), AllowPrivate: true,
	}
	if edit != nil {
		edit(&cfg)
	}
	b, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case <-b.Ready():
	case err := <-done:
		t.Fatal(err)
	}
	link, err := b.Link()
	if err != nil {
		t.Fatal(err)
	}
	return b, link
}

// TestOnlyBridge: a client that knows nothing but a bridge finds the network.
func TestOnlyBridge(t *testing.T) {
	m := mesh(t, 8)
	b, link := start(t, m, nil)
	c := m.Client(func(cfg *p2p.ClientConfig) {
		cfg.Bootstrap, cfg.Bridges, cfg.OnlyBridges = nil, []string{link}, true
		cfg.Source = "127.50.0.1"
	})
	c.WaitReady(t)
	boxes, err := c.ChooseMailboxes(1)
	if err != nil {
		t.Fatal(err)
	}
	tag := p2p.Tag{1}
	if err := c.Put(t.Context(), boxes[0], tag, make([]byte, p2p.BoxSize)); err != nil {
		t.Fatal(err)
	}
	if n := b.Status().Links; n < 2 {
		t.Errorf("the bridge carries %d pipes", n)
	}
}

// openRouter is a router that opens every port.
type openRouter struct{}

func (r *openRouter) AddMapping(context.Context, string, int) error { return nil }
func (r *openRouter) GetMapping(_ string, port int) (netip.AddrPort, bool) {
	return netip.AddrPortFrom(netip.MustParseAddr("127.60.0.1"), uint16(port)), true
}
func (r *openRouter) RemoveMapping(context.Context, string, int) error { return nil }
func (r *openRouter) Close() error                                     { return nil }

// TestMapPort: the link of a bridge behind a router has the address outside, of the web
// transport; where no router answers it goes on without.
func TestMapPort(t *testing.T) {
	m := mesh(t, 1)
	_, link := start(t, m, func(cfg *server.Config) {
		cfg.Listen = []string{"/ip4/0.0.0.0/tcp/0"}
		cfg.MapPort, cfg.FindRouter = true, func(context.Context) (relay.Router, error) { return &openRouter{}, nil }
	})
	l, err := bridge.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	if all := l.Addresses; len(all) != 1 || all[0].Plain || !strings.HasPrefix(all[0].String(), "127.60.0.1:") {
		t.Errorf("the link leads to %v", all)
	}
	_, link = start(t, m, func(cfg *server.Config) {
		cfg.Listen = []string{"/ip4/127.40.0.1/tcp/0"}
		cfg.MapPort, cfg.FindRouter = true, func(context.Context) (relay.Router, error) { return nil, errors.New("none") }
	})
	if l, err := bridge.Parse(link); err != nil || !strings.HasPrefix(l.Addresses[0].String(), "127.40.0.1:") {
		t.Errorf("without a router: %v, %v", l, err)
	}
}

// TestLinkStands: of many addresses the link names the same, in the same order, each time.
func TestLinkStands(t *testing.T) {
	m := mesh(t, 1)
	b, link := start(t, m, func(c *server.Config) {
		c.Listen = nil
		for i := range 8 {
			c.Listen = append(c.Listen, fmt.Sprintf("/ip4/127.40.0.%d/tcp/0", 1+i))
		}
	})
	for range 50 {
		if again, err := b.Link(); err != nil || again != link {
			t.Fatalf("%s and then %s, %v", link, again, err)
		}
	}
}
