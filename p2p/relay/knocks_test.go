package relay_test

import (
	"context"
	"crypto/rand"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	libhost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/admission"
	"starling/p2p/directory"
	"starling/p2p/outfox"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
	"starling/p2p/wire"
)

// A knocker is a node that knocks without end: it says that it is a relay at a port
// where nobody is.
type knocker struct {
	libhost.Host
	knock []*wire.Frame
}

// newKnocker makes one on a node that says that a relay is at an address.
func newKnocker(t *testing.T, m *p2ptest.Net, node int, at netip.AddrPort) *knocker {
	t.Helper()
	key, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(append(m.Options(node), libp2p.Identity(key), libp2p.NoListenAddrs, libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport), libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableRelay(), libp2p.DisableMetrics())...)
	if err != nil {
		t.Fatal(err)
	}

	now := time.Now()
	d := directory.Descriptor{Sequence: 1, Issued: now, Expires: now.Add(24 * time.Hour), Capacity: 1, Epoch: directory.FirstEpoch(now),
		Addresses: []directory.Address{{AddrPort: at}}}
	d.ID, _ = wire.NodeIDFromKey(pub)
	for k := range d.Keys {
		private, err := outfox.NewPrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		d.Keys[k] = private.Public()
	}
	if err := d.Promise(key); err != nil {
		t.Fatal(err)
	}
	raw, err := d.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	parts := []admission.Knock{{Nonce: 1, Raw: raw}}
	if at.Addr() != address(node) {
		for i := range admission.Price {
			parts = append(parts, admission.Knock{Nonce: 1, Part: byte(i + 1)})
		}
	}
	k := &knocker{Host: h}
	for _, part := range parts {
		f, err := wire.NewFrame(wire.TypeKnock, part.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		k.knock = append(k.knock, f)
	}
	return k
}

// address is where a node of the virtual network is.
func address(node int) netip.Addr {
	a, _ := netip.AddrFromSlice(virtualtime.Address(node))
	return a
}

// run knocks at a relay again and again, with a pause.
func (k *knocker) run(ctx context.Context, r *p2ptest.Relay, pause time.Duration) error {
	to := peer.AddrInfo{ID: r.ID().Peer(), Addrs: []multiaddr.Multiaddr{multiaddr.StringCast(r.Status().Addrs[0]).Decapsulate(multiaddr.StringCast("/p2p/" + r.PeerID()))}}
	if err := k.Connect(ctx, to); err != nil {
		return err
	}
	s, err := k.NewStream(ctx, to.ID, wire.FrameProtocol)
	if err != nil {
		return err
	}
	defer s.Reset()
	go func() {
		wire.ReadHello(s)
		f := new(wire.Frame)
		for wire.ReadFrame(s, f) == nil {
		}
	}()
	if _, err := s.Write(wire.Hello{Role: wire.RoleRelay}.Bytes()); err != nil {
		return err
	}
	for ctx.Err() == nil {
		for _, f := range k.knock {
			if err := wire.WriteFrame(s, f); err != nil {
				return err
			}
		}
		time.Sleep(pause)
	}
	return nil
}

// TestKnocksOfOne: one machine knocks with five identities, day and night, at every relay.
// A relay that comes new is listed as soon as otherwise.
func TestKnocksOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 7, virtualtime.Links{LatencyMin: 20 * time.Millisecond, LatencyMax: 60 * time.Millisecond, BitsPerSecond: 2e7}, nil)
		defer m.Stop()
		late := m.Relays[6]
		late.Stop() // before anybody knows it
		m.Settle(6)

		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		for i := range 5 {
			k := newKnocker(t, m, 900, netip.AddrPortFrom(address(900), uint16(5000+i)))
			defer k.Close()
			for _, r := range m.Relays[:6] {
				go func() {
					if err := k.run(ctx, r, 200*time.Millisecond); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
				}()
			}
		}
		time.Sleep(time.Minute)
		late.Start()
		took := m.Settle(7)
		t.Logf("listed by all after %v", took)
		if took > 30*time.Second {
			t.Errorf("a newcomer is listed by all after %v", took)
		}
		stop()
		time.Sleep(time.Second)
	})
}

// TestKnocksOfTheSilent: sixteen machines, each of a network of its own, pay for knocks at
// addresses that take a dial and never answer, one after the other, at every relay. Our own
// checks do not wait for them, nor do those who are at home: a relay that comes new is
// listed nearly as soon as otherwise.
func TestKnocksOfTheSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 7, virtualtime.Links{LatencyMin: 20 * time.Millisecond, LatencyMax: 60 * time.Millisecond, BitsPerSecond: 2e7}, nil)
		defer m.Stop()
		late := m.Relays[6]
		late.Stop() // before anybody knows it
		m.Settle(6)

		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		for i := range 16 {
			for j := range 4 {
				silent := 1000 + 4*i + j
				m.Network.Down(silent, true)
				k := newKnocker(t, m, 900+i, netip.AddrPortFrom(address(silent), 4001))
				defer k.Close()
				for _, r := range m.Relays[:6] {
					go func() {
						if err := k.run(ctx, r, 5*time.Second); err != nil && ctx.Err() == nil {
							t.Error(err)
						}
					}()
				}
			}
		}
		time.Sleep(3 * time.Second) // each address is dialled once in ten minutes
		late.Start()
		took := m.Settle(7)
		t.Logf("listed by all after %v", took)
		if took > 15*time.Second {
			t.Errorf("a newcomer is listed by all after %v", took)
		}
		stop()
		time.Sleep(6 * time.Second)
	})
}
