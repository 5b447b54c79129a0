package server_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"starling/p2p"
	"starling/p2p/bridge"
	"starling/p2p/bridge/server"
	"starling/p2p/relay"
	"starling/p2p/transport/web/fronttest"
)

// TestBridgeBehindFront: a bridge behind Caddy or nginx, by the words of docs/OPERATORS.md,
// carries boxes both ways for a client that dials nothing else; its link has the host name.
func TestBridgeBehindFront(t *testing.T) {
	m := mesh(t, 8)
	for n, f := range fronttest.Servers {
		t.Run(f.Name, func(t *testing.T) {
			b, _ := start(t, m, func(cfg *server.Config) {
				cfg.Front, cfg.Announce = true, []string{"/ip4/127.0.0.1/tcp/1"}
			})
			listens := ""
			for _, a := range b.Addrs() {
				if parts := strings.Split(a, "/"); parts[2] == "127.40.0.1" {
					listens = parts[2] + ":" + parts[4]
				}
			}
			port, _ := f.Run(t, fronttest.Place{Relay: listens})
			if err := b.Tune(t.Context(), relay.Tuning{Announce: []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/sni/example.org", port)}}); err != nil {
				t.Fatal(err)
			}
			link, err := b.Link()
			if err != nil {
				t.Fatal(err)
			}
			l, err := bridge.Parse(link)
			if err != nil || l.Host != "example.org" || len(l.Addresses) != 1 || l.Addresses[0].AddrPort != netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)) {
				t.Fatalf("the link leads to %+v: %v", l, err)
			}

			came := make(chan []byte, 8)
			only := func(host int) func(*p2p.ClientConfig) {
				return func(cfg *p2p.ClientConfig) {
					cfg.Bootstrap, cfg.Bridges, cfg.OnlyBridges = nil, []string{link}, true
					cfg.Source = fmt.Sprintf("127.%d.%d.1", 51+n, host)
					cfg.OnBox = func(_ p2p.NodeID, _ p2p.Tag, box []byte) { came <- box }
				}
			}
			alice, bob := m.Client(only(1)), m.Client(only(2))
			defer alice.Stop()
			defer bob.Stop()
			alice.WaitReady(t)
			bob.WaitReady(t)
			boxes, err := bob.ChooseMailboxes(1)
			if err != nil {
				t.Fatal(err)
			}
			tag := p2p.Tag{1, byte(n)}
			bob.Watch("inbox", boxes[0], []p2p.Tag{tag})
			box := make([]byte, p2p.BoxSize)
			rand.Read(box)
			for err = p2p.ErrTimeout; errors.Is(err, p2p.ErrTimeout); { // a busy machine may be late with an answer
				err = alice.Put(t.Context(), boxes[0], tag, box)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := <-came; string(got) != string(box) {
				t.Error("another box came")
			}
		})
	}
}
