package relay_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/admission"
	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/directory/gossip"
	"starling/p2p/host"
	"starling/p2p/link"
	"starling/p2p/outfox"
	"starling/p2p/wire"

	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
)

// TestNewcomerIsListed: under public rules a relay that comes new is in everybody's
// list within two minutes.
func TestNewcomerIsListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 8, virtualtime.Links{LatencyMin: 20 * time.Millisecond, LatencyMax: 60 * time.Millisecond, BitsPerSecond: 2e7}, nil)
		defer m.Stop()
		if took := m.Settle(8); took > 2*time.Minute {
			t.Errorf("eight relays list each other after %v", took)
		}
		for _, r := range m.Relays {
			s := r.Status()
			if len(s.Announced) != 1 {
				t.Errorf("announced %v", s.Announced)
			}
		}
		time.Sleep(2 * time.Minute)
		for _, r := range m.Relays {
			if s := r.Status(); !s.Listed || !s.Reachable {
				t.Errorf("listed %v, reachable %v, as others say", s.Listed, s.Reachable)
			}
		}
	})
}

// TestFakesAreNotListed: a stranger tells every relay of two thousand that are not
// there, each with a voucher. Nobody lists one.
func TestFakesAreNotListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 6, virtualtime.Links{LatencyMin: 20 * time.Millisecond, LatencyMax: 60 * time.Millisecond, BitsPerSecond: 2e7}, nil)
		defer m.Stop()
		m.Settle(6)
		ctx, stop := context.WithCancel(t.Context())
		h, key := stranger(t, m, 900)
		defer h.Close()
		g, err := gossip.New(ctx, gossip.Config{Host: h, Hear: func(admission.News) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		defer g.Close()
		time.Sleep(5 * time.Second)
		if g.Peers() != 6 {
			t.Fatalf("the stranger has %d neighbours", g.Peers())
		}
		var raws [][]byte
		for i := range 100 {
			raws = append(raws, fake(t, i))
		}
		for i := range 2000 {
			news := admission.News{Raw: raws[i%len(raws)]}
			v, _ := admission.Vouch(key, wire.NodeID{1}, news.Raw, 1, uint32(i))
			news.Vouchers = []admission.Voucher{v}
			g.Publish(ctx, news.Append(nil))
			time.Sleep(10 * time.Millisecond)
		}
		for _, r := range m.Relays {
			if n := r.Status().Relays; n != 6 {
				t.Errorf("lists %d", n)
			}
			if r.Status().Refused["gossip: not admitted"] < 100 {
				t.Errorf("it heard of none: %v", r.Status().Refused)
			}
		}
	})
}

// TestStrangersAreNoWitnesses: strangers that connect and call themselves relays are
// not asked how a relay stands, so that they cannot say it.
func TestStrangersAreNoWitnesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 2, virtualtime.Links{LatencyMin: 20 * time.Millisecond, LatencyMax: 60 * time.Millisecond, BitsPerSecond: 2e7}, nil)
		defer m.Stop()
		m.Settle(2)
		asked := make(chan wire.NodeID, 100)
		for i := range 8 {
			h, _ := stranger(t, m, 900+i)
			defer h.Close()
			links := link.New(link.Config{Host: h, Role: wire.RoleRelay, Handle: func(from wire.NodeID, f *wire.Frame) {
				if f.Type() == wire.TypeAmListed {
					asked <- from
				}
			}})
			defer links.Close()
			links.Accept()
			for _, r := range m.Relays {
				if err := links.Dial(t.Context(), r.ID()); err != nil {
					t.Fatal(err)
				}
			}
		}

		time.Sleep(5 * time.Minute)
		if len(asked) > 0 {
			t.Errorf("strangers were asked %d times", len(asked))
		}
		for _, r := range m.Relays {
			if s := r.Status(); s.Asked != 1 || !s.Listed || !s.Reachable {
				t.Errorf("beside strangers: %+v", s.Standing)
			}
		}
	})
}

func stranger(t *testing.T, m *p2ptest.Net, node int) (host.Host, crypto.PrivKey) {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := book.New(book.Config{Role: book.Relay})
	h, err := host.NewRelay(host.Config{Key: key, Book: b, Listen: []string{fmt.Sprintf("/ip4/%s/tcp/4001", virtualtime.Address(node))}, Options: m.Options(node)})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range m.Relays {
		id, _ := wire.ParseNodeID(r.PeerID())
		at, _ := netip.AddrFromSlice(virtualtime.Address(i))
		b.Name(id, book.Owner, book.Web(netip.AddrPortFrom(at, 4001)))
		if err := host.Reach(t.Context(), h, b, id); err != nil {
			t.Fatal(err)
		}
	}
	return h, key
}

func fake(t *testing.T, i int) []byte {
	t.Helper()
	key, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	d := directory.Descriptor{Sequence: 1, Issued: now, Expires: now.Add(24 * time.Hour), Capacity: 1, Epoch: directory.FirstEpoch(now),
		Addresses: []directory.Address{{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, byte(i), 0, 1}), 4001)}}}
	d.ID, _ = wire.NodeIDFromKey(pub)
	for k := range d.Keys {
		private, err := outfox.NewPrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		d.Keys[k] = private.Public()
	}
	raw, err := d.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
