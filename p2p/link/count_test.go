package link

import (
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/wire"
)

// nowhere is a stream that takes everything.
type nowhere struct{ network.MuxedStream }

func (nowhere) Read([]byte) (int, error)         { return 0, nil }
func (nowhere) Write(p []byte) (int, error)      { return len(p), nil }
func (nowhere) SetWriteDeadline(time.Time) error { return nil }
func (nowhere) Reset() error                     { return nil }

// TestFramesAreCountedOnce: links that end while frames come to them leave no room taken:
// the writer has a frame in its hands then.
func TestFramesAreCountedOnce(t *testing.T) {
	l := New(Config{Queued: 1 << 20, Role: wire.RoleRelay})
	at := multiaddr.StringCast("/ip4/192.0.2.1/tcp/443")
	for i := range 40 {
		e := newEnd(wire.NodeID{byte(i)}, [16]byte{}, i%2 == 0, false)
		if !l.add(e) {
			t.Fatal("not added")
		}
		ln := newLine(nowhere{}, nowhere{}, at)
		ln.hangUp = func() {}
		l.carryOn(e, ln, 0)
		time.Sleep(time.Millisecond) // the writer waits for a frame

		e.mu.Lock()
		ended := make(chan struct{})
		go func() { l.end(e, false); close(ended) }()
		time.Sleep(time.Millisecond) // it waits for the lock, and the writer behind it
		l.mu.Lock()
		if err := l.enqueue(e, new(wire.Frame)); err != nil {
			t.Fatal(err)
		}
		l.mu.Unlock()
		time.Sleep(time.Millisecond)
		e.mu.Unlock()
		<-ended
	}
	l.cancel()
	l.wg.Wait()
	if n := l.Waiting(); n != 0 {
		t.Errorf("%d frames wait on no link", n)
	}
}

// deaf is a stream that takes nothing.
type deaf struct{ nowhere }

func (deaf) Write([]byte) (int, error) { return 0, wire.ErrFrame }

// TestAbsentByHalf: a client that asks for its link on another line, and does not take the
// answer, has left the link as much as one whose line was cut.
func TestAbsentByHalf(t *testing.T) {
	defer SetMaxAbsent(3)()
	l := New(Config{Role: wire.RoleRelay})
	defer func() {
		l.cancel()
		for _, ends := range l.peers {
			l.end(ends[0], false)
		}
		l.wg.Wait()
	}()
	at := multiaddr.StringCast("/ip4/192.0.2.1/tcp/443")
	lineOn := func(s network.MuxedStream, rw io.ReadWriter) *line {
		ln := newLine(s, rw, at)
		ln.hangUp = func() {}
		return ln
	}
	hello := wire.Hello{Role: wire.RoleClient, Features: wire.Lasts, Link: [16]byte{1}}
	for i := range 9 {
		id := wire.NodeID{byte(i)}
		hello.Features = wire.Lasts
		if _, err := l.admit(id, hello, lineOn(nowhere{}, nowhere{})); err != nil {
			t.Fatal(err)
		}
		hello.Features |= wire.GoesOn
		if _, err := l.admit(id, hello, lineOn(deaf{}, deaf{})); err == nil {
			t.Fatal("answered")
		}
	}
	l.mu.Lock()
	left := len(l.peers)
	l.mu.Unlock()
	if left > 3 {
		t.Errorf("%d links are kept for nobody", left)
	}
}
