package host_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/limits"
	"starling/p2p/wire"
)

// smallest is the memory of a relay with the fewest places.
const smallest = 1

// public is a relay with the rules of the public network, though on loopback.
func public(t *testing.T, edit func(*host.Config)) host.Host {
	t.Helper()
	return relay(t, func(cfg *host.Config) {
		cfg.AllowPrivate, cfg.Memory = false, smallest
		if edit != nil {
			edit(cfg)
		}
	})
}

// TestHalfOpen: a stranger that opens connections and says nothing keeps nobody out,
// and loses them soon.
func TestHalfOpen(t *testing.T) {
	r := public(t, nil)
	where, _ := book.AddrPort(r.Network().ListenAddresses()[0])
	most := limits.For(smallest).HalfOpen
	began := time.Now()
	ended := make(chan time.Duration, 3*most)
	for range 3 * most {
		c, err := net.Dial("tcp", where.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		go func() {
			io.Copy(io.Discard, c) // until the relay has had enough
			ended <- time.Since(began)
		}()
	}
	for i := range 5 {
		if err := connect(t, client(t, host.Config{}), r); err != nil {
			t.Errorf("newcomer %d: %v", i, err)
		}
	}
	if took := time.Since(began); took > limits.HandshakeTime {
		t.Logf("too slow a machine to show that the newcomers came in beside the silent ones: %v", took)
	}
	for range 3 * most {
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatal("a silent connection stays")
		}
	}
}

// TestFullHouse: idle strangers in all places, from a few addresses, keep no
// newcomer out and push out no bringer of packets.
func TestFullHouse(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs the whole of 127.0.0.0/8")
	}
	places := host.NewPlaces(limits.Sizes{Clients: 20, Relays: 10, HalfOpen: 64, HalfHost: 8, HalfNet: 32, Unnamed: 64}, false, nil)
	r := public(t, func(cfg *host.Config) { cfg.Places = places })
	from := func(a string) host.Host {
		c := client(t, host.Config{Source: netip.MustParseAddr(a)})
		if err := connect(t, c, r); err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		return c
	}
	up := func(c host.Host) bool { return r.Network().Connectedness(c.ID()) == network.Connected }
	var old []host.Host
	for i := range 8 {
		c := from(fmt.Sprintf("127.1.%d.1", i))
		entered(t, r, c)
		id, _ := wire.NodeIDFromPeer(c.ID())
		places.Worked(id)
		old = append(old, c)
	}
	for i := range 40 {
		from(fmt.Sprintf("127.2.%d.1", i%2))
	}
	in := 0
	for i := range 8 {
		if c := from(fmt.Sprintf("127.3.%d.1", i)); stays(r, c) {
			in++
		}
	}
	if in != 8 {
		t.Errorf("%d of 8 newcomers have a place", in)
	}
	for i, c := range old {
		if !up(c) {
			t.Errorf("%d, who brought packets, has none", i)
		}
	}
	if n := places.Clients(); n > 20 {
		t.Errorf("%d clients", n)
	}
}

// entered waits until a relay counts a client as connected.
func entered(t *testing.T, r, c host.Host) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if r.Network().Connectedness(c.ID()) == network.Connected {
			return
		}
	}
	t.Fatal("never connected")
}

// stays reports whether a client that connected is neither refused nor sent away
// at once.
func stays(r, c host.Host) bool {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if c.Network().Connectedness(r.ID()) != network.Connected {
			return false
		}
		if r.Network().Connectedness(c.ID()) == network.Connected {
			return true
		}
	}
	return false
}

// TestStreamFlood: a peer that opens streams and names no protocol of ours soon has no
// connection; a listed relay has more of them, but no end either.
func TestStreamFlood(t *testing.T) {
	for name, listed := range map[string]bool{"client": false, "relay": true} {
		t.Run(name, func(t *testing.T) {
			r := public(t, func(cfg *host.Config) { cfg.IsRelay = func(peer.ID) bool { return listed } })
			a := plain(t)
			if err := a.Connect(t.Context(), peer.AddrInfo{ID: r.ID(), Addrs: bare(r)}); err != nil {
				t.Fatal(err)
			}
			opened := 0
			for end := time.Now().Add(10 * time.Second); time.Now().Before(end); opened++ {
				s, err := a.Network().NewStream(network.WithNoDial(t.Context(), "test"), r.ID())
				if err != nil {
					break
				}
				s.Write([]byte{19})
				if opened > 10_000 {
					break
				}
			}
			gone(t, a, r.ID())
			if opened > 5000 {
				t.Errorf("opened %d streams", opened)
			}
			// Others never felt it.
			if err := connect(t, client(t, host.Config{}), r); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestStreamShare: a peer has so many streams at a time, for any protocols.
func TestStreamShare(t *testing.T) {
	for _, c := range []struct {
		listed bool
		most   int
	}{{false, limits.StreamsClient}, {true, limits.StreamsRelay}} {
		r := public(t, func(cfg *host.Config) { cfg.IsRelay = func(peer.ID) bool { return c.listed } })
		r.SetStreamHandler("/held", func(s network.Stream) { s.Write([]byte{1}) })
		a := plain(t)
		if err := a.Connect(t.Context(), peer.AddrInfo{ID: r.ID(), Addrs: bare(r)}); err != nil {
			t.Fatal(err)
		}
		held := 0
		for i := range c.most + 4 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			s, err := a.NewStream(network.WithNoDial(ctx, "test"), r.ID(), "/held")
			if err == nil {
				if _, err = io.ReadFull(s, make([]byte, 1)); err == nil {
					held++
				}
			}
			cancel()
			if i >= limits.StreamsBurst-2 { // new ones have a rate, too
				time.Sleep(time.Second / limits.StreamsPerSec)
			}
		}
		if held > c.most || held < c.most-1 {
			t.Errorf("listed %v: %d streams at a time", c.listed, held)
		}
	}
}
