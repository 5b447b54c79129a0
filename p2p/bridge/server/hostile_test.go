package server_test

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"

	"starling/p2p"
	"starling/p2p/book"
	"starling/p2p/bridge"
	"starling/p2p/bridge/server"
	"starling/p2p/host"
	"starling/p2p/p2ptest"
	"starling/p2p/wire"
)

const clientAddr, bridgeAddr = "127.50.0.1", "127.40.0.1"

// TestTaint: over a bridge no relay sees the client's address, none sees the bridge's
// name, and only the guards see the client's. The bridge sees which guards there are, and
// nothing else.
func TestTaint(t *testing.T) {
	views := make([]p2ptest.Witness, 8)
	m := meshOf(t, len(views), func(i int, cfg *p2p.RelayConfig) { cfg.Tap = views[i].Tap })
	var door p2ptest.Witness
	b, link := start(t, m, func(cfg *server.Config) { cfg.Tap = door.Tap })
	c := m.Client(func(cfg *p2p.ClientConfig) {
		cfg.Bootstrap, cfg.Bridges, cfg.OnlyBridges, cfg.Source = nil, []string{link}, true, clientAddr
	})
	c.WaitReady(t)
	boxes, err := c.ChooseMailboxes(1)
	if err != nil {
		t.Fatal(err)
	}
	box := make([]byte, p2p.BoxSize)
	rand.Read(box)
	tag := p2p.Tag{7, 7, 7, 7, 7, 7}
	if err := c.Put(t.Context(), boxes[0], tag, box); err != nil {
		t.Fatal(err)
	}

	self, err := wire.ParseNodeID(c.Status().PeerID)
	if err != nil {
		t.Fatal(err)
	}
	asked := map[wire.NodeID]bool{}
	for _, words := range door.Data("pipe") {
		r, err := bridge.ParseRequest(words)
		if err != nil {
			t.Fatal(err)
		}
		asked[r.Relay] = true
	}
	for i := range views {
		id := m.Relays[i].ID()
		if found := p2ptest.Traces(views[i].View(), b.ID(), clientAddr); len(found) > 0 {
			t.Errorf("relay %d saw the client's address, or the bridge's name: %v", i, found)
		}
		if !asked[id] && len(p2ptest.Traces(views[i].View(), self, "")) > 0 {
			t.Errorf("relay %d, no guard, saw the client's name", i)
		}
	}
	if len(asked) < 2 {
		t.Fatalf("the bridge was asked for %d relays", len(asked))
	}
	passed := slices.Concat(slices.Concat(door.Data("up")...), slices.Concat(door.Data("down")...))
	if len(passed) < 2*wire.FrameSize {
		t.Fatalf("the bridge passed %d bytes", len(passed))
	}
	for what, secret := range map[string][]byte{"box": box[:32], "tag": tag[:], "mailbox": boxes[0][:], "name of a protocol": []byte("/st/2/frame")} {
		if strings.Contains(string(passed), string(secret)) {
			t.Errorf("the bridge saw the %s", what)
		}
	}
}

// knock is a listener that counts those who come.
func knock(t *testing.T, at string, serve func(net.Conn)) (addr string, n *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	n = new(atomic.Int32)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			go serve(c)
		}
	}()
	return l.Addr().String(), n
}

func hangUp(c net.Conn) { c.Close() }

// silent takes a connection and says nothing.
func silent(c net.Conn) { io.Copy(io.Discard, c) }

// linkTo is the link of a bridge that is not there.
func linkTo(t *testing.T, addr string) string {
	t.Helper()
	_, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := wire.NodeIDFromKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	l := bridge.Link{ID: id, Addresses: []book.Address{book.Web(netip.MustParseAddrPort(addr))}}
	return l.String()
}

// TestFailClosed: where only bridges are dialled, nothing else is, though no bridge
// answers and relays are known.
func TestFailClosed(t *testing.T) {
	views := make([]p2ptest.Witness, 5)
	m := meshOf(t, len(views), func(i int, cfg *p2p.RelayConfig) { cfg.Tap = views[i].Tap })
	var state []byte
	known := m.Client(func(cfg *p2p.ClientConfig) { cfg.SaveState = func(b []byte) error { state = b; return nil } })
	known.WaitReady(t)
	known.Stop()
	dead, tries := knock(t, "127.60.0.1:0", hangUp)
	named, others := knock(t, "127.60.0.2:0", hangUp)
	addr := netip.MustParseAddrPort(named)
	relay := book.Multiaddr(book.Web(addr)).String() + "/p2p/" + wire.NodeID{7}.String()
	c := m.Client(func(cfg *p2p.ClientConfig) {
		cfg.Bootstrap, cfg.State = append(cfg.Bootstrap, relay), state
		cfg.Bridges, cfg.OnlyBridges, cfg.Source = []string{linkTo(t, dead)}, true, clientAddr
	})
	p2ptest.Eventually(t, "the bridge is tried again and again", func() bool { return tries.Load() > 2 })
	if n := others.Load(); n > 0 {
		t.Errorf("another address was dialled %d times", n)
	}
	for i := range views {
		if found := p2ptest.Traces(views[i].View(), wire.NodeID{1}, clientAddr); len(found) > 0 {
			t.Errorf("relay %d saw the client: %v", i, found)
		}
	}
	s := c.Status()
	if s.Ready || s.Reason != "no bridge answers" || len(s.Bridges) != 1 || s.Bridges[0].Err == nil {
		t.Errorf("%+v", s)
	}

	// Without a bridge, too.
	if err := c.SetBridges(nil, true); err != nil {
		t.Fatal(err)
	}
	c.TryOthers()
	if err := c.SetBridges([]string{linkTo(t, dead)}, true); err != nil {
		t.Fatal(err)
	}
	was := tries.Load()
	p2ptest.Eventually(t, "the bridge is tried once more", func() bool { return tries.Load() > was })
	if n := others.Load(); n > 0 {
		t.Errorf("another address was dialled %d times", n)
	}
}

// liar is a bridge that answers pipes as it likes.
func liar(t *testing.T, at string, answer func(network.Stream)) string {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.NewRelay(host.Config{Key: key, Listen: []string{"/ip4/" + at + "/tcp/0"}, AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	h.SetStreamHandler(bridge.Protocol, answer)
	id, err := wire.NodeIDFromPeer(h.ID())
	if err != nil {
		t.Fatal(err)
	}
	a, ok := book.AddressOf(h.Network().ListenAddresses()[0])
	if !ok {
		t.Fatal("no address")
	}
	l := bridge.Link{ID: id, Addresses: []book.Address{a}}
	return l.String()
}

// TestHostileBridges: bridges that are dead, silent, of another key, or lie, keep nobody
// from the one that works; and nobody goes on without one.
func TestHostileBridges(t *testing.T) {
	m := mesh(t, 5)
	_, good := start(t, m, nil)
	dead, _ := knock(t, "127.60.1.1:0", hangUp)
	mute, _ := knock(t, "127.60.1.2:0", silent)
	l, err := bridge.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	words := make([]byte, bridge.RequestSize)
	opens := func(s network.Stream) bool {
		io.ReadFull(s, words)
		_, err := s.Write(bridge.Open.Append(nil))
		return err == nil
	}
	for name, link := range map[string]string{
		"dead":      linkTo(t, dead),
		"silent":    linkTo(t, mute),
		"other key": linkTo(t, l.Addresses[0].String()),
		"stalls":    liar(t, "127.60.1.3", func(s network.Stream) { io.Copy(io.Discard, s) }),
		"refuses":   liar(t, "127.60.1.4", func(s network.Stream) { io.ReadFull(s, words); s.Write(bridge.Unreachable.Append(nil)); s.Close() }),
		"garbage":   liar(t, "127.60.1.5", func(s network.Stream) { s.Write(make([]byte, 1<<16)); s.Reset() }),
		"opens, and is silent": liar(t, "127.60.1.6", func(s network.Stream) {
			opens(s)
			io.Copy(io.Discard, s)
		}),
		"opens, and plays the relay": liar(t, "127.60.1.7", func(s network.Stream) {
			opens(s)
			io.Copy(s, rand.Reader)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			c := m.Client(func(cfg *p2p.ClientConfig) {
				cfg.Bootstrap, cfg.Bridges, cfg.OnlyBridges, cfg.Source = nil, []string{link, good}, true, clientAddr
			})
			c.WaitReady(t)
			t.Logf("ready after %v", time.Since(began))
			c.Stop()
		})
	}
}

// visitor is a client that asks a bridge by hand.
func visitor(t *testing.T, link string) (host.Host, *bridge.Link) {
	t.Helper()
	l, err := bridge.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	b := book.New(book.Config{Role: book.Client, AllowPrivate: true})
	b.Name(l.ID, book.Owner, l.Addresses...)
	h, err := host.NewClient(host.Config{AllowPrivate: true, Book: b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	if err := host.Reach(t.Context(), h, b, l.ID); err != nil {
		t.Fatal(err)
	}
	return h, l
}

// ask sends words and reads the verdict.
func ask(ctx context.Context, h host.Host, l *bridge.Link, words []byte) (bridge.Verdict, network.Stream, error) {
	s, err := h.NewStream(ctx, l.ID.Peer(), bridge.Protocol)
	if err != nil {
		return 0, nil, err
	}
	s.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := s.Write(words); err != nil {
		s.Reset()
		return 0, nil, err
	}
	var b [bridge.AnswerSize]byte
	if _, err := io.ReadFull(s, b[:]); err != nil {
		s.Reset()
		return 0, nil, err
	}
	v, err := bridge.ParseVerdict(b[:])
	return v, s, err
}

// TestAsked lies in each field that a client of a bridge chooses: the bridge dials nobody
// but relays of its list.
func TestAsked(t *testing.T) {
	m := mesh(t, 4)
	b, link := start(t, m, nil)
	p2ptest.Eventually(t, "the bridge knows the relays", func() bool { return b.Status().Relays == 4 })
	h, l := visitor(t, link)
	first := make([]byte, 34)
	for name, tt := range map[string]struct {
		words []byte
		want  bridge.Verdict
	}{
		"nobody":       {bridge.Request{Relay: wire.NodeID{1}, First: first}.Append(nil), bridge.Unknown},
		"itself":       {bridge.Request{Relay: b.ID(), First: first}.Append(nil), bridge.Unknown},
		"the asker":    {bridge.Request{Relay: nodeOf(t, h), First: first}.Append(nil), bridge.Unknown},
		"no Noise":     {bridge.Request{Relay: m.Relays[0].ID(), First: []byte("x")}.Append(nil), bridge.Unreachable},
		"another word": {append([]byte{9}, make([]byte, bridge.RequestSize-1)...), 0},
	} {
		v, s, err := ask(t.Context(), h, l, tt.words)
		if v != tt.want || (err != nil) != (tt.want == 0) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
		if s != nil {
			s.Reset()
		}
	}
}

func nodeOf(t *testing.T, h host.Host) wire.NodeID {
	t.Helper()
	id, err := wire.NodeIDFromPeer(h.ID())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestFlood: a client that asks for pipes without end has few, and others have theirs.
func TestFlood(t *testing.T) {
	m := mesh(t, 5)
	b, link := start(t, m, nil)
	p2ptest.Eventually(t, "the bridge knows the relays", func() bool { return b.Status().Relays == 5 })
	h, l := visitor(t, link)
	flooding, stop := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	defer flood.Wait()
	defer stop()
	var most atomic.Int32
	for range 8 {
		flood.Go(func() {
			for flooding.Err() == nil {
				_, s, err := ask(flooding, h, l, bridge.Request{Relay: m.Relays[1].ID(), First: make([]byte, 34)}.Append(nil))
				if err == nil {
					s.Reset()
				}
				most.Store(max(most.Load(), int32(b.Status().Links)))
				if err != nil {
					select { // the connection is gone, or the bridge is tired
					case <-flooding.Done():
					case <-time.After(20 * time.Millisecond):
					}
				}
			}
		})
	}
	c := m.Client(func(cfg *p2p.ClientConfig) {
		cfg.Bootstrap, cfg.Bridges, cfg.OnlyBridges, cfg.Source = nil, []string{link}, true, clientAddr
	})
	c.WaitReady(t)
	stop()
	flood.Wait()
	if n := most.Load(); n > server.PipesPerClient+4 {
		t.Errorf("%d pipes", n)
	}
	refused := b.Status().Refused
	if refused["pipe: asked too much"] == 0 {
		t.Errorf("nothing was refused: %v", refused)
	}
}
