package link_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	libhost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"golang.org/x/time/rate"

	"starling/p2p/book"
	"starling/p2p/limits"
	"starling/p2p/link"
	"starling/p2p/wire"
)

// plain is a host of libp2p as it comes.
func plain(t *testing.T) (libhost.Host, wire.NodeID, book.Address) {
	t.Helper()
	key, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(key), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()), libp2p.Security(noise.ID, noise.New), libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.ForceReachabilityPrivate())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	id, _ := wire.NodeIDFromKey(pub)
	a, _ := book.AddrPort(h.Network().ListenAddresses()[0])
	return h, id, book.Address{AddrPort: a, Plain: true}
}

// TestLetGo: a node that takes the connection and is no good is let go within
// seconds, connection and all.
func TestLetGo(t *testing.T) {
	say := func(b []byte) network.StreamHandler {
		return func(s network.Stream) { s.Write(b) }
	}
	for name, handler := range map[string]network.StreamHandler{
		"refuses the stream": nil,
		"says nothing":       say(nil),
		"half a hello":       say(wire.Hello{Role: wire.RoleRelay}.Bytes()[:20]),
		"a packet first":     say(frame(1)[:]),
		"no role":            say(wire.Hello{}.Bytes()),
		"zeros":              say(make([]byte, wire.FrameSize)),
		"hangs up":           func(s network.Stream) { s.Reset() },
	} {
		t.Run(name, func(t *testing.T) {
			h, id, at := plain(t)
			if handler != nil {
				h.SetStreamHandler(wire.FrameProtocol, handler)
			}
			a := newNode(t, func(cfg *link.Config) {
				cfg.Role = wire.RoleClient
				cfg.HelloTimeout = 500 * time.Millisecond
			})
			a.book.Name(id, book.Owner, at)
			began := time.Now()
			if err := a.links.Dial(t.Context(), id); err == nil {
				t.Error("there is a link")
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("after %v", took)
			}
			eventually(t, "connection closed", func() bool { return a.Network().Connectedness(id.Peer()) != network.Connected })
			if a.links.Connected(id) || len(a.links.Peers()) != 0 {
				t.Error("counts as connected")
			}
		})
	}
}

// TestSilentIn: a peer that opens a stream and says no hello has no link, and the share
// of it is free again.
func TestSilentIn(t *testing.T) {
	a := newNode(t, nil)
	b := newNode(t, func(cfg *link.Config) { cfg.HelloTimeout = 100 * time.Millisecond })
	for range 4 {
		s := unsaid(t, a, b)
		defer s.Reset()
		s.Write([]byte{byte(wire.TypeHello)}) // and no more
	}
	eventually(t, "refused", func() bool { return b.count("no hello") == 4 })
	if b.links.Connected(a.id) {
		t.Error("there is a link")
	}
	a.dial(t, b)
	eventually(t, "honest link", func() bool { return b.links.Connected(a.id) })
	if got := b.links.Role(a.id); got != wire.RoleRelay {
		t.Errorf("role %d", got)
	}
}

// TestClientsDoNotLink: two clients have nothing to say to each other.
func TestClientsDoNotLink(t *testing.T) {
	a := newNode(t, func(cfg *link.Config) { cfg.Role = wire.RoleClient })
	b := newNode(t, func(cfg *link.Config) { cfg.Role = wire.RoleClient })
	a.knows(b)
	if err := a.links.Dial(t.Context(), b.id); err == nil {
		t.Error("they link")
	}
}

// TestConnectionEndsWithLink: between a client and a relay nothing is left when
// the last link ends.
func TestConnectionEndsWithLink(t *testing.T) {
	a := newNode(t, func(cfg *link.Config) { cfg.Role = wire.RoleClient })
	b := newNode(t, func(cfg *link.Config) {
		cfg.Idle = func(wire.NodeID) time.Duration { return 50 * time.Millisecond }
	})
	a.dial(t, b)
	eventually(t, "closed", func() bool {
		return a.Network().Connectedness(b.ID()) != network.Connected && b.Network().Connectedness(a.ID()) != network.Connected
	})
}

// TestDeadNextHops: packets over one link for nodes that are not there keep
// nobody from being dialled for another, nor ourselves; and of all there are so
// many dials at a time.
func TestDeadNextHops(t *testing.T) {
	alive := newNode(t, nil)
	a := newNode(t, func(cfg *link.Config) { cfg.Dials = func(wire.NodeID) bool { return true } })
	a.knows(alive)
	asker := func(n int) (id wire.NodeID) {
		id[0], id[1] = 9, byte(n)
		return id
	}
	dead := func(n int) (id wire.NodeID) {
		id[0], id[1], id[2] = 7, byte(n>>8), byte(n)
		a.book.Name(id, book.Owner, book.Web(netip.MustParseAddrPort(fmt.Sprintf("[100::%x]:4001", n+1)))) // discarded, RFC 6666
		return id
	}
	n := 0
	for ; n < 50; n++ {
		a.links.SendFor(asker(0), dead(n), frame(0))
	}
	if got := a.count("too many dials"); got < 50-link.DialsPerLink-dialsThatFailAtOnce(a) {
		t.Errorf("%d dials of one link were refused", got)
	}
	// Many links, all with their share.
	for k := 1; k < 40; k++ {
		for range link.DialsPerLink {
			a.links.SendFor(asker(k), dead(n), frame(0))
			n++
		}
	}
	if err := a.links.SendFor(asker(200), alive.id, frame(1)); err != nil {
		t.Errorf("another link: %v", err)
	}
	eventually(t, "the packet of another link arrives", func() bool { return alive.got() == 1 })
}

// dialsThatFailAtOnce: where there is no IPv6 at all, the system refuses such a
// dial, and its place is free again.
func dialsThatFailAtOnce(n *node) int { return n.count("unreachable") }

// TestSlowed: of clients that send faster than they may only so many are slowed
// at a time; the one that has been longest is let go. A client that keeps to the rate
// stays.
func TestSlowed(t *testing.T) {
	b := newNode(t, func(cfg *link.Config) {
		cfg.Rate = func(wire.NodeID) (rate.Limit, int) { return 5, 5 }
		cfg.Slowed = 3
	})
	good := newNode(t, nil)
	good.dial(t, b)
	if err := good.links.SendWait(t.Context(), b.id, frame(0)); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		a := newNode(t, nil)
		a.dial(t, b)
		go func() {
			for i := range uint32(100) {
				if a.links.SendWait(t.Context(), b.id, frame(i)) != nil {
					return
				}
			}
		}()
	}
	eventually(t, "three are let go", func() bool { return b.count("slowed too long") >= 3 })
	if !b.links.Connected(good.id) {
		t.Error("who keeps to the rate is let go")
	}
}

// TestNetworkRate: clients of one network share a rate, in any role of their own claim;
// relays of the list do not.
func TestNetworkRate(t *testing.T) {
	var listed atomic.Value // read by links that are there already
	listed.Store(wire.NodeID{})
	b := newNode(t, func(cfg *link.Config) {
		cfg.ByNetwork = limits.NewRates[netip.Prefix](20, 20, 16)
		cfg.Listed = func(id wire.NodeID) bool { return id == listed.Load() }
	})
	send := func(nodes []*node, frames int) time.Duration {
		before, began := b.got(), time.Now()
		for _, a := range nodes {
			for i := range uint32(frames) {
				if err := a.links.SendWait(t.Context(), b.id, frame(i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		eventually(t, "all arrive", func() bool { return b.got() == before+frames*len(nodes) })
		return time.Since(began)
	}
	var nodes []*node
	for range 4 {
		a := newNode(t, nil) // says it is a relay
		a.dial(t, b)
		nodes = append(nodes, a)
	}
	if took := send(nodes, 10); took < 800*time.Millisecond {
		t.Errorf("40 frames of one network in %v", took)
	}
	relay := newNode(t, nil)
	listed.Store(relay.id)
	relay.dial(t, b)
	// By the rate of its network they would take 20 seconds.
	if took := send([]*node{relay}, 400); took > 15*time.Second {
		t.Errorf("400 frames of a listed relay in %v", took)
	}
}

// TestErrSilent: the dialler can tell.
func TestErrSilent(t *testing.T) {
	_, id, at := plain(t)
	a := newNode(t, nil)
	a.book.Name(id, book.Owner, at)
	if err := a.links.Dial(t.Context(), id); !errors.Is(err, link.ErrSilent) {
		t.Errorf("%v", err)
	}
}

// broken is a host with streams that take nothing.
type broken struct{ libhost.Host }

func (b broken) NewStream(ctx context.Context, p peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	s, err := b.Host.NewStream(ctx, p, protocols...)
	return unwritten{s}, err
}

type unwritten struct{ network.Stream }

func (unwritten) Write([]byte) (int, error) { return 0, errors.New("broken") }

// TestBrokenHello: a hello that cannot be written ends a dial with an error, to a relay of the
// list as to any, and however often takes no place from later links.
func TestBrokenHello(t *testing.T) {
	for name, listed := range map[string]bool{"a relay of the list": true, "another": false} {
		t.Run(name, func(t *testing.T) {
			a := newNode(t, func(c *link.Config) {
				c.Listed = func(wire.NodeID) bool { return listed }
				c.Host = broken{c.Host}
			})
			b := newNode(t, nil)
			a.knows(b)
			for range 20 {
				ended := make(chan error, 1)
				go func() { ended <- a.links.Dial(t.Context(), b.id) }()
				select {
				case err := <-ended:
					if !errors.Is(err, link.ErrSilent) {
						t.Fatal(err)
					}
				case <-time.After(20 * time.Second):
					t.Fatal("the dial does not end")
				}
			}
			if n := a.count("too many links"); n != 0 {
				t.Errorf("%d links found no place", n)
			}
		})
	}
}
