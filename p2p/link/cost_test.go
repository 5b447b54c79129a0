package link_test

import (
	"crypto/rand"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/link"
	"starling/p2p/wire"
)

// A wiretap passes connections on and counts their bytes.
type wiretap struct {
	net.Listener
	mu       sync.Mutex
	up, down int
	flights  int // times that the direction changed from up to down
	wasUp    bool
}

func (w *wiretap) carry(to string) {
	for {
		near, err := w.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", to)
		if err != nil {
			near.Close()
			return
		}
		go w.pass(far, near, true)
		go w.pass(near, far, false)
	}
}

func (w *wiretap) pass(to, from net.Conn, up bool) {
	defer to.Close()
	b := make([]byte, 1<<15)
	for {
		n, err := from.Read(b)
		w.mu.Lock()
		if up {
			w.up += n
		} else {
			w.down += n
			if w.wasUp && n > 0 {
				w.flights++
			}
		}
		w.wasUp = up
		w.mu.Unlock()
		if _, werr := to.Write(b[:n]); err != nil || werr != nil {
			return
		}
	}
}

// What a link costs before its first packet, over the web transport: bytes, round trips with
// that of TCP, and time.
func BenchmarkFirstPacket(b *testing.B) {
	for b.Loop() {
		key, pub, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		id, _ := wire.NodeIDFromKey(pub)
		far := book.New(book.Config{Role: book.Relay, AllowPrivate: true})
		relay, err := host.NewRelay(host.Config{Key: key, Book: far, AllowPrivate: true, Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
		if err != nil {
			b.Fatal(err)
		}
		theirs := link.New(link.Config{Host: relay, Role: wire.RoleRelay, Book: far, Handle: func(wire.NodeID, *wire.Frame) {}})
		theirs.Accept()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		tap := &wiretap{Listener: l}
		at, _ := book.AddressOf(relay.Network().ListenAddresses()[0])
		go tap.carry(at.String())

		near := book.New(book.Config{Role: book.Client, AllowPrivate: true})
		client, err := host.NewClient(host.Config{Book: near, AllowPrivate: true})
		if err != nil {
			b.Fatal(err)
		}
		near.Name(id, book.Owner, book.Web(l.Addr().(*net.TCPAddr).AddrPort()))
		ours := link.New(link.Config{Host: client, Book: near, Handle: func(wire.NodeID, *wire.Frame) {}})
		began := time.Now()
		if err := ours.Dial(b.Context(), id); err != nil {
			b.Fatal(err)
		}
		tap.mu.Lock()
		b.ReportMetric(float64(tap.up), "B-up")
		b.ReportMetric(float64(tap.down), "B-down")
		b.ReportMetric(float64(tap.flights+1), "trips")
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms")
		tap.mu.Unlock()
		ours.Close()
		theirs.Close()
		client.Close()
		relay.Close()
		l.Close()
	}
}
