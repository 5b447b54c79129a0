package link_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/limits"
	"starling/p2p/link"
	"starling/p2p/virtualtime"
	"starling/p2p/wire"
)

// A liar says to a relay what it likes, over a connection of its own.
type liar struct {
	network.MuxedStream
	c host.Connection
}

// lies opens a stream from a node and says a hello; it returns the answer to that.
func lies(t *testing.T, from *far, to *far, said wire.Hello) (*liar, wire.Hello) {
	t.Helper()
	a, _ := book.AddressOf(to.Network().ListenAddresses()[0])
	from.book.Name(to.id, book.Owner, a)
	p, err := from.book.Open(to.id)
	if err != nil {
		t.Fatal(err)
	}
	c, err := host.NewConnection(t.Context(), from.Host, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go host.Refuse(c)
	s, err := c.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := link.Select(s); err != nil {
		t.Fatal(err)
	}
	l := &liar{s, c}
	s.Write(said.Bytes())
	s.SetReadDeadline(time.Now().Add(5 * time.Second))
	h, _ := wire.ReadHello(s)
	return l, h
}

func (l *liar) read() *wire.Frame {
	l.SetReadDeadline(time.Now().Add(5 * time.Second))
	f := new(wire.Frame)
	if wire.ReadFrame(l, f) != nil {
		return nil
	}
	return f
}

func (l *liar) write(f *wire.Frame) { l.Write(f[:]) }

// cut breaks the connection, without a word.
func (l *liar) cut() { l.c.Close() }

const both = wire.Lasts | wire.GoesOn

// TestNobodyTakesOver: the id of a link is of use to nobody with another key, and another
// id to nobody; what waits for its owner stays.
func TestNobodyTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		relay, owner, thief := newFar(t, n, 0, nil), newFar(t, n, 1, nil), newFar(t, n, 2, nil)
		defer relay.stop()
		defer owner.stop()
		defer thief.stop()
		id := [16]byte{1, 2, 3}
		first, h := lies(t, owner, relay, wire.Hello{Role: wire.RoleClient, Features: wire.Lasts, Link: id})
		if !h.Has(wire.Lasts) || h.Has(wire.GoesOn) || h.Link != id {
			t.Fatalf("a new link: %+v", h)
		}
		first.cut()
		time.Sleep(time.Second)
		relay.links.Send(owner.id, frame(7))

		stolen, h := lies(t, thief, relay, wire.Hello{Role: wire.RoleClient, Features: both, Link: id})
		if h.Has(wire.GoesOn) || h.Received != 0 {
			t.Errorf("the thief: %+v", h)
		}
		if f := stolen.read(); f != nil {
			t.Error("the thief gets a frame")
		}
		guess, h := lies(t, owner, relay, wire.Hello{Role: wire.RoleClient, Features: both, Link: [16]byte{9}})
		if h.Has(wire.GoesOn) {
			t.Error("another id goes on")
		}
		guess.cut()
	})
}

// TestLiesAboutFrames: numbers that cannot be end the link, or begin a new one; nothing is
// written that was not asked for.
func TestLiesAboutFrames(t *testing.T) {
	for name, c := range map[string]struct {
		received uint64
		goesOn   bool
	}{
		"none yet":     {0, true},
		"all":          {3, true},
		"more":         {4, false},
		"many more":    {1 << 63, false},
		"all there is": {1<<64 - 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := virtualtime.NewNetwork(wan)
				relay, client := newFar(t, n, 0, nil), newFar(t, n, 1, nil)
				defer relay.stop()
				defer client.stop()
				id := [16]byte{5}
				first, _ := lies(t, client, relay, wire.Hello{Role: wire.RoleClient, Features: wire.Lasts, Link: id})
				for i := range uint32(3) {
					relay.links.Send(client.id, frame(i))
					first.read()
				}
				first.cut()
				time.Sleep(time.Second)
				second, h := lies(t, client, relay, wire.Hello{Role: wire.RoleClient, Features: both, Link: id, Received: c.received})
				if h.Has(wire.GoesOn) != c.goesOn || h.Received != 0 {
					t.Errorf("answer %+v", h)
				}
				came := 0
				for second.read() != nil {
					came++
				}
				if want := 3 - int(c.received); c.goesOn && came != want || !c.goesOn && came != 0 {
					t.Errorf("%d frames came", came)
				}
			})
		})
	}
}

// TestLiesAboutReceived: a count of frames that were never written ends the link, at
// either side; one that is too small, or comes again, harms nothing.
func TestLiesAboutReceived(t *testing.T) {
	bad, _ := wire.NewFrame(wire.TypeReceived, []byte{1})
	for name, c := range map[string]struct {
		said *wire.Frame
		ends bool
	}{
		"too many":  {wire.ReceivedFrame(1), true},
		"too short": {bad, true},
		"none":      {wire.ReceivedFrame(0), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := virtualtime.NewNetwork(wan)
				relay, client := newFar(t, n, 0, nil), newFar(t, n, 1, nil)
				defer relay.stop()
				defer client.stop()
				l, _ := lies(t, client, relay, wire.Hello{Role: wire.RoleClient, Features: wire.Lasts, Link: [16]byte{5}})
				l.write(c.said)
				l.write(c.said)
				time.Sleep(time.Second)
				if relay.links.Connected(client.id) == c.ends {
					t.Errorf("connected %v", !c.ends)
				}
			})
		})
	}
	// On a link that does not last nobody counts.
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		relay, client := newFar(t, n, 0, nil), newFar(t, n, 1, nil)
		defer relay.stop()
		defer client.stop()
		l, h := lies(t, client, relay, wire.Hello{Role: wire.RoleClient})
		if h.Features != 0 {
			t.Errorf("features %x", h.Features)
		}
		l.write(wire.ReceivedFrame(0))
		time.Sleep(time.Second)
		if relay.links.Connected(client.id) {
			t.Error("still there")
		}
	})
}

// TestRoomLies: a client that has room for one frame on a connection, and makes no other, is
// written one; what waits for it is bounded, and nobody else waits. Somebody whose link does not
// last is written everything, whatever they say.
func TestRoomLies(t *testing.T) {
	for features, want := range map[uint16]int{wire.Lasts: 1, 0: 40} {
		synctest.Test(t, func(t *testing.T) {
			n := virtualtime.NewNetwork(wan)
			relay, client, other := newFar(t, n, 0, nil), newFar(t, n, 1, nil), newFar(t, n, 2, nil)
			defer relay.stop()
			defer client.stop()
			defer other.stop()
			l, _ := lies(t, client, relay, wire.Hello{Role: wire.RoleClient, Features: features, Link: [16]byte{5}, Room: 1})
			full := 0
			for i := range uint32(40 + 2*link.QueueSize) {
				if i == 40 {
					time.Sleep(time.Second)
				}
				if relay.links.Send(client.id, frame(i)) != nil {
					full++
				}
			}
			got := 0
			for got < 40 && l.read() != nil {
				got++
			}
			if got != want {
				t.Errorf("features %d: %d frames, want %d", features, got, want)
			}
			if features == wire.Lasts && full == 0 {
				t.Error("all of them wait")
			}
			a, _ := book.AddressOf(relay.Network().ListenAddresses()[0])
			other.book.Name(relay.id, book.Owner, a)
			if err := other.links.Dial(t.Context(), relay.id); err != nil {
				t.Fatal(err)
			}
			talk(t, relay, other, 5, 0)
		})
	}
}

// TestMovesAreFew: a client that moves its link without end has every frame written for
// each move; so it may do so only so often.
func TestMovesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		relay, client := newFar(t, n, 0, nil), newFar(t, n, 1, nil)
		defer relay.stop()
		defer client.stop()
		id := [16]byte{5}
		said := wire.Hello{Role: wire.RoleClient, Features: wire.Lasts, Link: id}
		l, _ := lies(t, client, relay, said)
		said.Features = both
		moved := 0
		for range 30 {
			l.cut()
			var h wire.Hello
			if l, h = lies(t, client, relay, said); h.Has(wire.GoesOn) {
				moved++
			} else {
				break
			}
		}
		if moved > 12 {
			t.Errorf("moved %d times within seconds", moved)
		}
	})
}

// TestAckNothing: a client that acknowledges nothing costs Window frames and a queue, and
// those are forgotten in time.
func TestAckNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		relay := newFar(t, n, 0, func(cfg *link.Config) { cfg.Queued = 10_000 })
		client := newFar(t, n, 1, nil)
		defer relay.stop()
		defer client.stop()
		l, _ := lies(t, client, relay, wire.Hello{Role: wire.RoleClient, Features: wire.Lasts, Link: [16]byte{5}})
		came := make(chan int, 1)
		go func() {
			k := 0
			for l.read() != nil {
				k++
			}
			came <- k
		}()
		full := 0
		for i := range uint32(1000) {
			if relay.links.Send(client.id, frame(i)) != nil {
				full++
			}
		}
		time.Sleep(10 * time.Second)
		if k := <-came; k != link.Window {
			t.Errorf("%d frames came without a word of it", k)
		}
		if got := relay.links.Waiting(); got != 1000-full || got > link.Window+link.QueueSize {
			t.Errorf("%d frames are held", got)
		}
	})
}

// TestAbsentClients: of clients that left their links behind only so many are kept for.
func TestAbsentClients(t *testing.T) {
	defer link.SetMaxAbsent(3)()
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		relay := newFar(t, n, 0, nil)
		defer relay.stop()
		var all []*far
		for i := range 6 {
			c := newFar(t, n, i+1, nil)
			defer c.stop()
			l, _ := lies(t, c, relay, wire.Hello{Role: wire.RoleClient, Features: wire.Lasts, Link: [16]byte{5}})
			all = append(all, c)
			l.cut()
			time.Sleep(time.Second)
		}
		kept := 0
		for i, c := range all {
			if relay.links.Connected(c.id) {
				kept++
				if i < 3 {
					t.Errorf("number %d is kept", i)
				}
			}
		}
		if kept != 3 {
			t.Errorf("%d are kept", kept)
		}
		if got := relay.links.Peers(); len(got) != 0 {
			t.Errorf("%d count as connected", len(got))
		}
	})
}

// TestAbsentOfOneNetwork: who leaves ever new links from one network has no link of others
// forgotten for it.
func TestAbsentOfOneNetwork(t *testing.T) {
	defer link.SetMaxAbsent(4)()
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		relay := newFar(t, n, 0, func(cfg *link.Config) {
			cfg.ByNetwork = limits.NewRates[netip.Prefix](1000, 1000, 100)
		})
		defer relay.stop()
		leave := func(node int) *far {
			c := newFar(t, n, node, nil)
			l, _ := lies(t, c, relay, wire.Hello{Role: wire.RoleClient, Features: wire.Lasts, Link: [16]byte{5}})
			l.cut()
			time.Sleep(time.Second)
			return c
		}
		honest := []*far{leave(1), leave(2)}
		var strangers []*far
		for range 12 {
			strangers = append(strangers, leave(3))
		}
		for i, c := range honest {
			if !relay.links.Connected(c.id) {
				t.Errorf("number %d is forgotten", i)
			}
			c.stop()
		}
		for _, c := range strangers {
			c.stop()
		}
	})
}

// TestLyingRelay: a relay that answers a client's hello with lies has no link.
func TestLyingRelay(t *testing.T) {
	for name, answer := range map[string]func(said wire.Hello) wire.Hello{
		"goes on, which never began": func(h wire.Hello) wire.Hello {
			return wire.Hello{Role: wire.RoleRelay, Features: both, Link: h.Link}
		},
		"received, of nothing": func(h wire.Hello) wire.Hello {
			return wire.Hello{Role: wire.RoleRelay, Features: wire.Lasts, Link: h.Link, Received: 9}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := virtualtime.NewNetwork(wan)
				relay, client := newFar(t, n, 0, nil), newFar(t, n, 1, nil)
				defer relay.stop()
				defer client.stop()
				relay.Host.SetStreamHandler(wire.FrameProtocol, func(s network.Stream) {
					if h, err := wire.ReadHello(s); err == nil {
						s.Write(answer(h).Bytes())
					}
				})
				a, _ := book.AddressOf(relay.Network().ListenAddresses()[0])
				client.book.Name(relay.id, book.Owner, a)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := client.links.Dial(ctx, relay.id); err == nil {
					t.Error("there is a link")
				}
				if client.links.Connected(relay.id) {
					t.Error("counts as connected")
				}
			})
		})
	}
}

// TestRelayForgot: a relay that was restarted knows of no link; the client's goes on as a
// new one, with the frames that nobody is known to have.
func TestRelayForgot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		relay, client := pair(t, n, nil)
		defer client.stop()
		defer relay.stop()
		talk(t, relay, client, 20, 0)
		before := len(relay.numbers())
		relay.links.End(client.id)
		time.Sleep(5 * time.Second)
		if err := client.links.Dial(t.Context(), relay.id); err != nil {
			t.Fatal(err)
		}
		client.links.SendWait(t.Context(), relay.id, frame(99))
		time.Sleep(5 * time.Second)
		got := relay.numbers()
		if len(got) <= before || got[len(got)-1] != 99 {
			t.Errorf("came: %v", got)
		}
	})
}

// TestRelayThatWillNotLetGo: a relay that answers the next hello with an impossible number
// has the client begin anew, and keeps no connection of it that carries nothing.
func TestRelayThatWillNotLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		relay, client := newFar(t, n, 0, nil), newFar(t, n, 1, nil)
		defer relay.stop()
		defer client.stop()
		relay.Host.SetStreamHandler(wire.FrameProtocol, func(s network.Stream) {
			h, err := wire.ReadHello(s)
			if err != nil {
				return
			}
			answer := wire.Hello{Role: wire.RoleRelay, Features: wire.Lasts, Link: h.Link}
			if h.Has(wire.GoesOn) && h.Received == 0 {
				answer.Features, answer.Received = both, 1<<40
			}
			s.Write(answer.Bytes())
			f := new(wire.Frame)
			for wire.ReadFrame(s, f) == nil { // and stays
			}
		})
		a, _ := book.AddressOf(relay.Network().ListenAddresses()[0])
		client.book.Name(relay.id, book.Owner, a)
		for range 6 {
			if err := client.links.Dial(t.Context(), relay.id); err != nil && !client.links.Connected(relay.id) {
				t.Log(err)
			}
			time.Sleep(time.Second)
			client.links.Renew(relay.id)
			time.Sleep(time.Minute)
		}
		if got := client.links.Connections(); got > 1 {
			t.Errorf("%d connections", got)
		}
	})
}
