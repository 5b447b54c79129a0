package server_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"starling/p2p"
	"starling/p2p/censor"
	"starling/p2p/guard"
	"starling/p2p/recall"
	"starling/p2p/relay"
	"starling/p2p/wire"
)

// A curtain stands before a bridge and lets so many bytes come on each connection; then it is
// silent, and hangs up on nobody.
type curtain struct {
	net.Listener
	to            string
	most          int64
	opened, froze atomic.Int64
}

func newCurtain(t *testing.T, at, to string, most int64) *curtain {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	c := &curtain{Listener: l, to: to, most: most}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go c.pass(client)
		}
	}()
	return c
}

func (c *curtain) pass(client net.Conn) {
	defer client.Close()
	c.opened.Add(1)
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	up := make(chan struct{})
	go func() {
		defer close(up)
		io.Copy(server, client)
		server.(*net.TCPConn).CloseWrite()
	}()
	if n, _ := io.Copy(client, io.LimitReader(server, c.most)); n == c.most {
		c.froze.Add(1)
		<-up // until the client hangs up
	}
}

// behindCurtain is the state of a client that knows that its network freezes connections after
// so many bytes.
func behindCurtain(t *testing.T, place string, bytes int64) []byte {
	var networks []byte
	synctest.Test(t, func(*testing.T) {
		m := censor.New(2, 1, nil)
		m.Enter(place)
		for range 2 {
			m.Frozen(wire.NodeID{1}, bytes)
			time.Sleep(time.Minute)
		}
		networks = m.Append(nil)
	})
	s := recall.State{Guards: guard.New(guard.Config{AllowPrivate: true}), Networks: networks}
	return s.Append(nil)
}

// TestBridgeBehindCurtain: on a network that is known to freeze connections, the one to a bridge
// too, each link over it moves to another connection in time: all boxes arrive, and no connection
// comes to the number of bytes after which it would be frozen.
func TestBridgeBehindCurtain(t *testing.T) {
	const most = 15 << 10
	m := mesh(t, 8)
	b, _ := start(t, m, nil)
	listens := strings.Split(b.Addrs()[0], "/")
	c := newCurtain(t, "127.41.0.1:0", listens[2]+":"+listens[4], most)
	if err := b.Tune(t.Context(), relay.Tuning{Announce: []string{fmt.Sprintf("/ip4/127.41.0.1/tcp/%d", c.Addr().(*net.TCPAddr).Port)}}); err != nil {
		t.Fatal(err)
	}
	link, err := b.Link()
	if err != nil {
		t.Fatal(err)
	}

	p := m.Client(func(cfg *p2p.ClientConfig) {
		cfg.Bootstrap, cfg.Bridges, cfg.OnlyBridges = nil, []string{link}, true
		cfg.Source = "127.53.0.1"
		cfg.State, cfg.Place = behindCurtain(t, "home", most-300), func() string { return "home" }
	})
	p.WaitReady(t)
	boxes, err := p.ChooseMailboxes(1)
	if err != nil {
		t.Fatal(err)
	}
	const sent, atOnce = 40, 4
	var putting errgroup.Group
	putting.SetLimit(atOnce)
	for i := range sent {
		putting.Go(func() error {
			box := make([]byte, p2p.BoxSize)
			rand.Read(box)
			for { // a busy machine may be late with an answer
				err := p.Put(t.Context(), boxes[0], p2p.Tag{9, byte(i)}, box)
				if !errors.Is(err, p2p.ErrTimeout) {
					return err
				}
			}
		})
	}
	if err := putting.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d boxes over %d connections, %d frozen", sent, c.opened.Load(), c.froze.Load())
	// One connection of 32 goes on without the budget, to see whether it still holds.
	if n, all := c.froze.Load(), c.opened.Load(); n > all/16 {
		t.Errorf("%d connections of %d came to be frozen", n, all)
	}
	if c.opened.Load() < 4 {
		t.Errorf("%d connections carried all", c.opened.Load())
	}
}
