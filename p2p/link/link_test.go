package link_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"sync"
	"testing"
	"time"

	"crypto/rand"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"
	"golang.org/x/time/rate"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/link"
	"starling/p2p/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a host with links, and the frames received on them.
type node struct {
	host.Host
	links *link.Links
	book  *book.Book
	id    wire.NodeID

	mu     sync.Mutex
	frames []*wire.Frame
	counts map[string]int
}

func newNode(tb testing.TB, edit func(*link.Config)) *node {
	tb.Helper()
	key, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	b := book.New(book.Config{Role: book.Relay, AllowPrivate: true})
	h, err := host.NewRelay(host.Config{Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Book: b,
		IsRelay: func(peer.ID) bool { return true }}) // so that its streams are not the limit
	if err != nil {
		tb.Fatal(err)
	}
	n := &node{Host: h, book: b, counts: map[string]int{}}
	n.id, _ = wire.NodeIDFromKey(pub)
	cfg := link.Config{
		Host: h,
		Book: b,
		Role: wire.RoleRelay,
		Handle: func(_ wire.NodeID, f *wire.Frame) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.frames = append(n.frames, f)
		},
		Count: func(reason string) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.counts[reason]++
		},
	}
	if edit != nil {
		edit(&cfg)
	}
	n.links = link.New(cfg)
	n.links.Accept()
	tb.Cleanup(func() {
		n.links.Close()
		h.Close()
	})
	return n
}

// knows writes into the book where another node listens.
func (n *node) knows(o *node) {
	a, _ := book.AddressOf(o.Network().ListenAddresses()[0])
	n.book.Name(o.id, book.Owner, a)
}

func (n *node) dial(tb testing.TB, o *node) {
	tb.Helper()
	n.knows(o)
	if err := n.links.Dial(tb.Context(), o.id); err != nil {
		tb.Fatal(err)
	}
}

func (n *node) got() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.frames)
}

func (n *node) count(reason string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.counts[reason]
}

func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatal("not in time: " + what)
		}
		time.Sleep(time.Millisecond)
	}
}

func frame(n uint32) *wire.Frame {
	f, _ := wire.NewFrame(wire.TypePacket, binary.BigEndian.AppendUint32(nil, n))
	return f
}

// TestBothWays: one link carries frames in both directions, in order.
func TestBothWays(t *testing.T) {
	a, b := newNode(t, nil), newNode(t, nil)
	a.dial(t, b)
	const n = 1000
	for i := range uint32(n) {
		if err := a.links.SendWait(t.Context(), b.id, frame(i)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all arrive", func() bool { return b.got() == n })
	for i, f := range b.frames {
		if !bytes.Equal(f[:], frame(uint32(i))[:]) {
			t.Fatalf("frame %d is another", i)
		}
	}
	if err := b.links.Send(a.id, frame(7)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "answer arrives", func() bool { return a.got() == 1 })
	if in, out := a.links.Traffic(); in != wire.FrameSize || out != n*wire.FrameSize {
		t.Errorf("traffic is %d in, %d out", in, out)
	}
}

// TestQuiet: a link is quiet until something is written to it.
func TestQuiet(t *testing.T) {
	a, b := newNode(t, nil), newNode(t, nil)
	a.dial(t, b)
	if got := a.links.Quiet(time.Hour); len(got) != 1 || got[0] != b.id {
		t.Errorf("before the first frame %v are quiet", got)
	}
	if err := a.links.Send(b.id, frame(1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "not quiet", func() bool { return len(a.links.Quiet(time.Hour)) == 0 })
	if got := a.links.Quiet(0); len(got) != 1 {
		t.Errorf("%v are quiet since now", got)
	}
}

// TestSendDials: without a link Send dials where Find says; an unknown node costs the
// frame and a count.
func TestSendDials(t *testing.T) {
	b := newNode(t, nil)
	a := newNode(t, func(cfg *link.Config) {
		cfg.Dials = func(id wire.NodeID) bool { return id == b.id }
	})
	a.knows(b)
	for i := range uint32(10) {
		if err := a.links.Send(b.id, frame(i)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "frames that waited for the dial arrive", func() bool { return b.got() == 10 })
	if err := a.links.Send(wire.NodeID{1}, frame(0)); !errors.Is(err, link.ErrNoLink) {
		t.Errorf("to nobody: %v", err)
	}
	if a.count("no link") != 1 {
		t.Errorf("counts: %v", a.counts)
	}
}

// TestUnreachable: a frame for a relay that is gone is counted.
func TestUnreachable(t *testing.T) {
	gone := newNode(t, nil)
	a := newNode(t, func(cfg *link.Config) { cfg.Dials = func(wire.NodeID) bool { return true } })
	a.knows(gone)
	gone.Close()
	a.links.Send(gone.id, frame(0))
	eventually(t, "counted", func() bool { return a.count("unreachable") == 1 })
	// For a while nobody tries again.
	if err := a.links.Send(gone.id, frame(0)); !errors.Is(err, link.ErrNoLink) {
		t.Errorf("after a failed dial: %v", err)
	}
}

// raw opens a stream that is not ours, and says hello on it.
func raw(t *testing.T, from *node, to *node) network.Stream {
	t.Helper()
	s := unsaid(t, from, to)
	if _, err := s.Write(wire.Hello{Role: wire.RoleClient}.Bytes()); err != nil {
		t.Fatal(err)
	}
	return s
}

// unsaid opens one on which nothing is said yet.
func unsaid(t *testing.T, from *node, to *node) network.Stream {
	t.Helper()
	from.knows(to)
	if err := host.Reach(t.Context(), from.Host, from.book, to.id); err != nil {
		t.Fatal(err)
	}
	s, err := from.NewStream(t.Context(), to.ID(), wire.FrameProtocol)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestHostile: a peer that sends something else than frames loses the link and is
// counted; nothing reaches the handler.
func TestHostile(t *testing.T) {
	whole := func(edit func(f *wire.Frame)) []byte {
		f := frame(1)
		edit(f)
		return f[:]
	}
	for name, c := range map[string]struct {
		bytes  []byte
		reason string
	}{
		"garbage":      {bytes.Repeat([]byte{0xa5}, wire.FrameSize), "malformed frame"},
		"zeros":        {make([]byte, wire.FrameSize), "malformed frame"},
		"longest body": {whole(func(f *wire.Frame) { f[1], f[2] = 0xff, 0xff }), "malformed frame"},
		"padding":      {whole(func(f *wire.Frame) { f[wire.FrameSize-1] = 1 }), "malformed frame"},
		"second hello": {whole(func(f *wire.Frame) { f[0] = byte(wire.TypeHello) }), "malformed frame"},
		"slow loris":   {frame(1)[:wire.FrameSize-1], "slow frame"},
		"one byte":     {frame(1)[:1], "slow frame"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newNode(t, nil)
			b := newNode(t, func(cfg *link.Config) { cfg.FrameTimeout = 50 * time.Millisecond })
			s := raw(t, a, b)
			defer s.Reset()
			if _, err := s.Write(c.bytes); err != nil {
				t.Fatal(err)
			}
			eventually(t, "counted", func() bool { return b.count(c.reason) == 1 })
			eventually(t, "link closed", func() bool { return !b.links.Connected(a.id) })
			s.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, s); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("read after: %v", err)
			}
			if b.got() != 0 {
				t.Error("a frame was handled")
			}
		})
	}
}

// TestTooManyLinks: one peer cannot open links without end.
func TestTooManyLinks(t *testing.T) {
	a, b := newNode(t, nil), newNode(t, nil)
	for range 8 {
		s := unsaid(t, a, b)
		defer s.Reset()
		// One that is refused may be reset before all of it is said.
		s.Write(wire.Hello{Role: wire.RoleClient}.Bytes())
		s.Write(frame(0)[:])
	}
	eventually(t, "refused", func() bool { return b.count("too many links") == 4 && b.got() == 4 })
}

// TestDeafPeer: a peer that does not read costs a bounded queue, and others
// nothing.
func TestDeafPeer(t *testing.T) {
	a, b, c := newNode(t, nil), newNode(t, nil), newNode(t, nil)
	s := raw(t, a, b) // and never read
	defer s.Reset()
	s.Write(frame(0)[:])
	eventually(t, "link", func() bool { return b.links.Connected(a.id) })
	b.dial(t, c)
	full := 0
	for i := range uint32(4 * link.QueueSize) {
		if errors.Is(b.links.Send(a.id, frame(i)), link.ErrFull) {
			full++
		}
	}
	if full == 0 || b.count("queue full") != full {
		t.Errorf("%d frames did not fit, counts %v", full, b.counts)
	}
	if err := b.links.Send(c.id, frame(1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other gets its frame", func() bool { return c.got() == 1 })
}

// TestDeafPeersTogether: peers that read nothing fill what may wait on all links
// together, and take no room from those that read.
func TestDeafPeersTogether(t *testing.T) {
	const most = 100
	b, c := newNode(t, func(cfg *link.Config) { cfg.Queued = most }), newNode(t, nil)
	var deaf []*node
	for range 3 {
		a := newNode(t, nil)
		s := raw(t, a, b) // and never read
		defer s.Reset()
		s.Write(frame(0)[:])
		eventually(t, "link", func() bool { return b.links.Connected(a.id) })
		deaf = append(deaf, a)
	}
	b.dial(t, c)

	// The windows of the transport come first, then the queues fill.
	refused := map[*node]int{}
	for i := range uint32(2 * link.QueueSize) {
		for _, a := range deaf {
			if errors.Is(b.links.Send(a.id, frame(i)), link.ErrFull) {
				refused[a]++
			}
		}
		time.Sleep(time.Millisecond)
	}
	if len(refused) != len(deaf) || b.count("queues full") == 0 || b.count("queue full") > 0 {
		t.Errorf("%d of %d deaf peers get no more, counts %v", len(refused), len(deaf), b.counts)
	}

	for i := range uint32(200) {
		if err := b.links.Send(c.id, frame(i)); err != nil {
			t.Fatalf("frame %d for who reads: %v", i, err)
		}
		eventually(t, "the other gets its frame", func() bool { return c.got() > int(i) })
	}
	for _, a := range deaf {
		b.links.Drop(a.id)
	}
	eventually(t, "what waited for those who left is counted no more", func() bool { return b.links.Waiting() == 0 })
}

// TestIdle: a silent link ends.
func TestIdle(t *testing.T) {
	var mu sync.Mutex
	changes := map[bool]int{}
	a := newNode(t, nil)
	b := newNode(t, func(cfg *link.Config) {
		cfg.Idle = func(wire.NodeID) time.Duration { return 50 * time.Millisecond }
		cfg.Changed = func(_ wire.NodeID, up bool) {
			mu.Lock()
			defer mu.Unlock()
			changes[up]++
		}
	})
	s := raw(t, a, b)
	defer s.Reset()
	s.Write(frame(0)[:])
	eventually(t, "up and down", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return maps.Equal(changes, map[bool]int{true: 1, false: 1})
	})
}

// TestRate: a peer that sends too fast is slowed down, not refused.
func TestRate(t *testing.T) {
	a := newNode(t, nil)
	b := newNode(t, func(cfg *link.Config) {
		cfg.Rate = func(wire.NodeID) (rate.Limit, int) { return 200, 10 }
	})
	a.dial(t, b)
	began := time.Now()
	const n = 40
	for i := range uint32(n) {
		if err := a.links.SendWait(t.Context(), b.id, frame(i)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all arrive", func() bool { return b.got() == n })
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("%d frames in %v", n, took)
	}
}

// TestClose: after Close nothing is sent and nobody connects.
func TestClose(t *testing.T) {
	a, b := newNode(t, nil), newNode(t, nil)
	a.dial(t, b)
	a.links.Close()
	a.links.Close()
	if err := a.links.Send(b.id, frame(1)); !errors.Is(err, link.ErrClosed) {
		t.Errorf("send: %v", err)
	}
	if err := a.links.SendWait(t.Context(), b.id, frame(1)); err == nil {
		t.Error("send: no error")
	}
}
