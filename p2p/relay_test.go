package p2p_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"starling/p2p"
	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/host"
	"starling/p2p/outfox"
	"starling/p2p/p2ptest"
	"starling/p2p/wire"
)

// TestRelayState: a relay keeps its identity, to itself, and names the fault of its
// state.
func TestRelayState(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	cfg := p2p.RelayConfig{StateDir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true}
	first, err := p2p.NewRelay(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p2p.NewRelay(cfg); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("two relays with one state: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := p2p.NewRelay(cfg)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
	if first.PeerID() != second.PeerID() {
		t.Error("another identity after a restart")
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is readable for others: %v", f.Name(), info.Mode())
		}
	}
	key := filepath.Join(dir, "relay.key")
	if err := os.WriteFile(key, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p2p.NewRelay(cfg); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged key: %v", err)
	}
	if b, _ := os.ReadFile(key); string(b) != "short" {
		t.Error("a damaged key is overwritten")
	}
}

// TestRelayConfig: a configuration that cannot work is refused at the start.
func TestRelayConfig(t *testing.T) {
	for name, edit := range map[string]func(*p2p.RelayConfig){
		"no state":       func(cfg *p2p.RelayConfig) { cfg.StateDir = "" },
		"bad bootstrap":  func(cfg *p2p.RelayConfig) { cfg.Bootstrap = []string{"/ip4/127.0.0.1/tcp/1"} },
		"bad source":     func(cfg *p2p.RelayConfig) { cfg.Source = "here" },
		"bad address":    func(cfg *p2p.RelayConfig) { cfg.Listen = []string{"localhost:1"} },
		"nothing listen": func(cfg *p2p.RelayConfig) { cfg.Listen = nil },
	} {
		cfg := p2p.RelayConfig{StateDir: t.TempDir(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true}
		edit(&cfg)
		r, err := p2p.NewRelay(cfg)
		if err == nil {
			err = r.Run(t.Context())
		}
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestStrangers: a stranger sends a relay everything but proper frames. All of it is
// dropped and counted, and the relay goes on.
func TestStrangers(t *testing.T) {
	mesh := p2ptest.Loopback(t, 5, nil)
	relay := mesh.Relays[1]
	to, err := peer.AddrInfoFromString(relay.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	send := func(frames ...[]byte) {
		t.Helper()
		named := book.New(book.Config{Role: book.Client, AllowPrivate: true})
		h, err := host.NewClient(host.Config{AllowPrivate: true, Book: named})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		a, _ := book.AddressOf(to.Addrs[0])
		named.Name(relay.ID(), book.Owner, a)
		if err := host.Reach(t.Context(), h, named, relay.ID()); err != nil {
			t.Fatal(err)
		}
		s, err := h.NewStream(t.Context(), to.ID, wire.FrameProtocol)
		if err != nil {
			t.Fatal(err)
		}
		hello := wire.Hello{Role: wire.RoleClient}.Bytes()
		for _, f := range append([][]byte{hello}, frames...) {
			if _, err := s.Write(f); err != nil {
				return // the relay has had enough
			}
		}
	}
	frame := func(kind wire.Type, body []byte) []byte {
		f, err := wire.NewFrame(kind, body)
		if err != nil {
			t.Fatal(err)
		}
		return f[:]
	}
	random := func(n int) []byte {
		b := make([]byte, n)
		rand.Read(b)
		return b
	}
	// A packet made for another relay.
	var wrong [outfox.Layers]outfox.Hop
	key, err := outfox.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	for i := range wrong {
		wrong[i] = outfox.Hop{ID: relay.ID(), Key: key.Public()}
	}
	packet, err := outfox.Wrap(outfox.SlotAt(time.Now())+outfox.MaxAhead, wrong, new(outfox.Message))
	if err != nil {
		t.Fatal(err)
	}
	page := directory.Page{Nonce: 7, Time: time.Now(), Entries: []directory.Entry{{Raw: random(300)}}}
	send(random(4 * wire.FrameSize))
	send(
		frame(wire.TypePacket, nil),
		frame(wire.TypePacket, random(wire.MaxBody)),
		frame(wire.TypePacket, random(outfox.MaxPacketSize)),
		packet.Frame()[:],
		frame(wire.TypeListRequest, random(10)),
		frame(wire.TypeListPage, random(100)),
		frame(wire.TypeListPage, page.Append(nil)),
		frame(wire.TypeListPage, (&directory.Page{State: directory.PageLast, Time: time.Now()}).Append(nil)),
		frame(99, random(100)),
		frame(wire.TypeDrop, random(100)),
	)
	p2ptest.Eventually(t, "all is counted", func() bool {
		s := relay.Status()
		return s.Refused["malformed frame"] >= 1 && s.Refused["unknown frame"] == 1 &&
			s.Refused["list: refused request"] == 1 && s.Refused["list: malformed page"] == 1 &&
			s.Refused["list: unasked page"] == 2 &&
			s.Mix.Refused["malformed"] == 2 && s.Mix.Refused["sealed"]+s.Mix.Refused["no key"] == 2
	})
	if n := relay.Status().Relays; n != 5 {
		t.Errorf("lists %d relays", n)
	}
	c := mesh.Client(nil)
	c.WaitReady(t)
	for range 5 {
		mustPut(t, c, relay.ID(), randomTag(), randomBox())
	}
}

// TestLateBootstrap: a relay with a bootstrap relay that comes later joins then.
func TestLateBootstrap(t *testing.T) {
	mesh := p2ptest.Loopback(t, 3, nil)
	mesh.Relays[0].Stop()
	mesh.Relays[1].Stop()
	mesh.Relays[2].Stop()
	mesh.Relays[2].Start() // remembers the others, and finds nobody
	p2ptest.Eventually(t, "alone", func() bool { return mesh.Relays[2].Status().Neighbours == 0 })
	mesh.Relays[0].Start()
	mesh.Relays[1].Start()
	mesh.Settle(3)
}

// TestRejoin: with the bootstrap relay gone for good, a relay that comes back
// finds the others from its own memory.
func TestRejoin(t *testing.T) {
	mesh := p2ptest.Loopback(t, 5, nil)
	mesh.Relays[4].Stop()
	mesh.Relays[0].Stop()
	mesh.Settle(3)
	mesh.Relays[4].Start()
	mesh.Settle(4)
}

// TestPrivateRelay: without leave for private addresses a relay on loopback
// runs, lists nobody and is not listed.
func TestPrivateRelay(t *testing.T) {
	r, err := p2p.NewRelay(p2p.RelayConfig{StateDir: t.TempDir(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	select {
	case <-r.Ready():
	case err := <-done:
		t.Fatal(err)
	}
	if s := r.Status(); s.Listed || s.Relays != 0 {
		t.Errorf("listed: %v, %d relays", s.Listed, s.Relays)
	}
	if len(r.Addrs()) != 1 || !strings.HasSuffix(r.Addrs()[0], "/p2p/"+r.PeerID()) {
		t.Errorf("addresses %v", r.Addrs())
	}
	cancel()
	<-done
}
