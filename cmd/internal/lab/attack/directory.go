package attack

import (
	"context"
	"crypto/rand"
	mrand "math/rand/v2"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"starling/p2p/admission"
	"starling/p2p/directory"
	"starling/p2p/directory/gossip"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// lists asks every relay for its whole list, 10 times a second, and does not care for
// the answers.
func lists(ctx context.Context, m *machine) error {
	return m.each(ctx, func(ctx context.Context, relay peer.AddrInfo) error {
		h, err := m.host()
		if err != nil {
			return err
		}

		var s network.Stream
		return m.paced(ctx, 10, func(i int) {
			within(ctx, func(ctx context.Context) {
				if s == nil {
					s = m.link(ctx, h, relay, nil)
				}
				if s == nil {
					return
				}

				r := directory.Request{Nonce: uint64(i + 1), Pages: directory.MaxPages}
				f, err := wire.NewFrame(wire.TypeListRequest, r.Append(nil))
				if err != nil || m.write(s, f[:]) != nil {
					s = nil
					return
				}
				m.done.add()
			})
		})
	})
}

// descriptors invents relays, a hundred a second, each in another network, and
// tells of them by gossip.
func descriptors(ctx context.Context, m *machine) error {
	h, err := m.host()
	if err != nil {
		return err
	}
	for _, r := range m.relays {
		within(ctx, func(ctx context.Context) { h.Connect(ctx, r) })
	}
	g, err := gossip.New(ctx, gossip.Config{Host: h, Hear: func(admission.News) error { return nil }})
	if err != nil {
		return err
	}
	defer g.Close()

	draw := mrand.New(mrand.NewPCG(m.Seed, 1))
	return m.paced(ctx, 100, func(int) {
		at := netip.AddrFrom4([4]byte{byte(20 + draw.IntN(100)), byte(draw.IntN(256)), byte(draw.IntN(256)), 10})
		raw, err := invent(at)
		if err == nil && g.Publish(ctx, admission.News{Raw: raw}.Append(nil)) == nil {
			m.done.add()
		}
	})
}

// invent signs a descriptor of a relay that is not there.
func invent(at netip.Addr) ([]byte, error) {
	key, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	id, err := wire.NodeIDFromKey(pub)
	if err != nil {
		return nil, err
	}

	now := time.Now()
	d := directory.Descriptor{
		ID: id, Sequence: uint64(now.UnixMilli()), Issued: now, Expires: now.Add(24 * time.Hour), Capacity: 65_535,
		Epoch:     directory.FirstEpoch(now),
		Addresses: []directory.Address{{AddrPort: netip.AddrPortFrom(at, 4001), Transport: directory.TCP}},
	}
	for i := range d.Keys {
		private, err := outfox.NewPrivateKey()
		if err != nil {
			return nil, err
		}
		d.Keys[i] = private.Public()
	}
	if err := d.Promise(key); err != nil {
		return nil, err
	}
	return d.Sign(key)
}
