package web

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/wire"
)

// TestTurns: one handshake at a time with a relay, and nobody of another relay waits; who
// gives up makes way.
func TestTurns(t *testing.T) {
	ts := turns{m: map[wire.NodeID]*turn{}}
	var now, most atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			done, err := ts.take(t.Context(), wire.NodeID{1})
			if err != nil {
				t.Error(err)
				return
			}
			defer done(false)
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Millisecond)
			now.Add(-1)
		})
	}
	other, err := ts.take(t.Context(), wire.NodeID{2})
	if err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d at a time", most.Load())
	}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := ts.take(ctx, wire.NodeID{2}); err == nil {
		t.Error("two have the turn")
	}
	other(true)
	if len(ts.m) != 0 {
		t.Errorf("%d turns are left", len(ts.m))
	}
}

// TestTLSOnTheFirst: of two addresses of a relay that both answer one sees a hello.
func TestTLSOnTheFirst(t *testing.T) {
	var hellos atomic.Int32
	relay := newHost(t, true, nil)
	real := relay.Network().ListenAddresses()[0]
	client := newHost(t, false, func(cfg *Config) {
		cfg.Dialer = dialerFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return &firstWrite{Conn: c, told: func() { hellos.Add(1); time.Sleep(300 * time.Millisecond) }}, err
		})
	})
	dials, ok := client.Network().(interface {
		TransportForDialing(multiaddr.Multiaddr) transport.Transport
	})
	if !ok {
		t.Fatal("no transports")
	}
	tr := dials.TransportForDialing(real)
	var won atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			c, err := tr.Dial(ctx, real, relay.ID())
			if err == nil {
				won.Add(1)
				cancel() // as whoever dials several addresses does
				c.Close()
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || hellos.Load() != 1 {
		t.Errorf("%d connections, %d hellos", won.Load(), hellos.Load())
	}
}

type dialerFunc func(ctx context.Context, network, address string) (net.Conn, error)

// DialContext implements Dialer.
func (f dialerFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

// firstWrite tells of the first bytes that are written.
type firstWrite struct {
	net.Conn
	once sync.Once
	told func()
}

func (f *firstWrite) Write(p []byte) (int, error) {
	f.once.Do(f.told)
	return f.Conn.Write(p)
}
