package adversary_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/p2p"
	"starling/p2p/wire"
)

// A tapped line is a line to a relay, and all bytes that passed over it.
type tapped struct {
	net.Listener
	mu       sync.Mutex
	up, down bytes.Buffer
	flights  int // times at which the answer to something began
	wasUp    bool

	began       bool // with frames of a link
	upTo, trips int  // bytes and flights before that
}

// tapLine listens for connections to a relay and passes them on.
func tapLine(t testing.TB, to string) *tapped {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	line := &tapped{Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go line.pass(c, to)
		}
	}()
	return line
}

func (l *tapped) pass(c net.Conn, to string) {
	defer c.Close()
	relay, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer relay.Close()
	go func() {
		io.Copy(writes{relay, l, true}, c)
		relay.Close()
	}()
	io.Copy(writes{c, l, false}, relay)
}

// writes writes down what it writes.
type writes struct {
	net.Conn
	l  *tapped
	up bool
}

// Write implements net.Conn.
func (w writes) Write(p []byte) (int, error) {
	w.l.mu.Lock()
	if w.up && len(p) > wire.FrameSize && !w.l.began {
		w.l.began, w.l.upTo, w.l.trips = true, w.l.up.Len(), w.l.flights
	}
	if w.up {
		w.l.up.Write(p)
	} else {
		w.l.down.Write(p)
		if w.l.wasUp {
			w.l.flights++
		}
	}
	w.l.wasUp = w.up
	w.l.mu.Unlock()
	return w.Conn.Write(p)
}

// relayAndLine starts a relay as people do, and taps a line to it.
func relayAndLine(t testing.TB, bootstrap ...string) (r *p2p.Relay, line *tapped, way string) {
	t.Helper()
	r, err := p2p.NewRelay(p2p.RelayConfig{StateDir: t.TempDir(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Bootstrap: bootstrap})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	<-r.Ready()
	port := strings.Split(r.Addrs()[0], "/")[4]
	line = tapLine(t, "127.0.0.1:"+port)
	_, way, _ = net.SplitHostPort(line.Addr().String())
	return r, line, "/ip4/127.0.0.1/tcp/" + way + "/p2p/" + r.PeerID()
}

// TestCapture: over the lines of a client and of relays with no other settings than those
// that everybody has goes no word of libp2p's or of ours.
func TestCapture(t *testing.T) {
	first, line, way := relayAndLine(t)
	second, _, _ := relayAndLine(t, way)
	client, err := p2p.NewClient(p2p.ClientConfig{AllowPrivate: true, Bootstrap: []string{way}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		client.Run(ctx)
	}()
	defer func() { cancel(); <-ended }()

	for end := time.Now().Add(60 * time.Second); client.Status().Relays < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the client knows %d relays; %s and %s run", client.Status().Relays, first.PeerID(), second.PeerID())
		}
	}

	line.mu.Lock()
	defer line.mu.Unlock()
	for _, word := range []string{"multistream", "noise", "libp2p", "starling", "yamux", "/st/", "ipfs", "meshsub", "/kad/", "websocket"} {
		for where, all := range map[string][]byte{"to": line.up.Bytes(), "from": line.down.Bytes()} {
			all = bytes.ToLower(all)
			if bytes.Contains(all, []byte(word)) {
				t.Errorf("%q goes %s a relay", word, where)
			}
		}
	}
	if line.up.Len() < 5000 {
		t.Errorf("only %d bytes were looked at", line.up.Len())
	}
}

// before returns how many bytes came before the first record of TLS with a whole frame.
func before(all []byte) (n int) {
	for len(all)-n > 5 {
		size := int(all[n+3])<<8 | int(all[n+4])
		if size > wire.FrameSize {
			return n
		}
		n += 5 + size
	}
	return n
}

// BenchmarkLink measures a client from nothing to its first frame: bytes and round trips
// on the line, with TCP's, and the time until it has a frame of the relay's.
func BenchmarkLink(b *testing.B) {
	for b.Loop() {
		_, line, way := relayAndLine(b)
		up := make(chan struct{}, 1)
		client, err := p2p.NewClient(p2p.ClientConfig{AllowPrivate: true, Bootstrap: []string{way}, Tap: func(s p2p.Seen) {
			if s.What == "in" {
				select {
				case up <- struct{}{}:
				default:
				}
			}
		}})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan struct{})
		began := time.Now()
		go func() {
			defer close(ended)
			client.Run(ctx)
		}()
		<-up
		line.mu.Lock()
		b.ReportMetric(float64(line.upTo), "B-up")
		b.ReportMetric(float64(before(line.down.Bytes())), "B-down")
		b.ReportMetric(float64(1+line.trips), "round-trips")
		line.mu.Unlock()
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms")
		cancel()
		<-ended
	}
}
