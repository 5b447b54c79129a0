package attack

import (
	"context"
	crand "crypto/rand"
	"errors"
	mrand "math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"starling/p2p/directory"
	"starling/p2p/directory/exchange"
	"starling/p2p/mailbox"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// A shape makes one packet that goes in at a relay.
type shape func(s *sender, entry wire.NodeID) (*outfox.Packet, error)

// packets sends packets of one shape into every relay over one link each, so many
// a second and relay.
func packets(most float64, make shape) func(context.Context, *machine) error {
	return func(ctx context.Context, m *machine) error {
		s, err := m.sender(ctx)
		if err != nil {
			return err
		}

		return m.each(ctx, func(ctx context.Context, relay peer.AddrInfo) error {
			h, err := m.host()
			if err != nil {
				return err
			}
			entry, err := wire.NodeIDFromPeer(relay.ID)
			if err != nil {
				return err
			}

			var link network.Stream
			return m.paced(ctx, most, func(int) {
				within(ctx, func(ctx context.Context) {
					if link == nil {
						link = m.link(ctx, h, relay, nil)
					}
					if link == nil {
						return
					}

					p, err := make(s, entry)
					if err != nil {
						return
					}
					if m.write(link, p.Frame()[:]) != nil {
						link = nil
						return
					}
					m.done.add()
				})
			})
		})
	}
}

// A sender knows the relays, as every client does.
type sender struct {
	client wire.NodeID // an answer goes nowhere

	mu     sync.Mutex
	draw   *mrand.Rand
	relays []*directory.Descriptor
}

// sender asks the relays of the scenario for their list until one gives it.
func (m *machine) sender(ctx context.Context) (*sender, error) {
	s := &sender{draw: mrand.New(mrand.NewPCG(m.Seed, 2))}
	crand.Read(s.client[:])
	h, err := m.host()
	if err != nil {
		return nil, err
	}

	dir := directory.New(directory.Config{})
	for _, relay := range m.relays {
		within(ctx, func(ctx context.Context) {
			id, err := wire.NodeIDFromPeer(relay.ID)
			if err != nil {
				return
			}
			var link network.Stream
			ask := exchange.New(exchange.Config{
				Directory: dir,
				Send:      func(_ wire.NodeID, f *wire.Frame) error { return m.write(link, f[:]) },
			})
			link = m.link(ctx, h, relay, func(f *wire.Frame) { ask.Handle(id, f) })
			if link != nil {
				ask.Pull(ctx, id)
			}
		})
		if s.relays = dir.Snapshot().Relays; len(s.relays) >= outfox.Layers {
			return s, nil
		}
	}
	return nil, errors.New("no relay gives its list")
}

// way makes a route from one relay over others, each of which is to wait so long.
func (s *sender) way(entry wire.NodeID, slot outfox.Slot, wait time.Duration) (route [outfox.Layers]outfox.Hop, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	order := s.draw.Perm(len(s.relays))
	n := 0
	add := func(d *directory.Descriptor) bool {
		key, ok := d.Key(uint32(slot.Epoch()))
		if ok {
			route[n] = outfox.Hop{ID: d.ID, Key: key, Delay: wait}
			n++
		}
		return ok
	}

	// The entry first, then others as they are drawn.
	for _, d := range s.relays {
		if d.ID == entry && !add(d) {
			break
		}
	}
	for _, i := range order {
		if d := s.relays[i]; n > 0 && n < len(route) && d.ID != entry {
			add(d)
		}
	}
	if n < len(route) {
		return route, errors.New("too few relays for a route")
	}
	route[len(route)-1].Delay = 0 // a mailbox does not wait
	return route, nil
}

// latest is the slot in which a packet expires as late as it may.
func latest() outfox.Slot { return outfox.SlotAt(time.Now()) + outfox.MaxAhead }

// wrap makes a packet of a message on a route.
func (s *sender) wrap(entry wire.NodeID, wait time.Duration, msg *outfox.Message, edit func(*[outfox.Layers]outfox.Hop)) (*outfox.Packet, error) {
	slot := latest()
	route, err := s.way(entry, slot, wait)
	if err != nil {
		return nil, err
	}
	if edit != nil {
		edit(&route)
	}
	return outfox.Wrap(slot, route, msg)
}

// held waits as long as a packet may at every hop, and is nothing in the end.
func held(s *sender, entry wire.NodeID) (*outfox.Packet, error) {
	return s.wrap(entry, outfox.MaxDelay, new(outfox.Message), nil)
}

// nowhere is to be passed on to a node that does not exist.
func nowhere(s *sender, entry wire.NodeID) (*outfox.Packet, error) {
	return s.wrap(entry, 0, new(outfox.Message), func(route *[outfox.Layers]outfox.Hop) { crand.Read(route[1].ID[:]) })
}

// block is a reply block with a way over relays to nobody.
func (s *sender) block(entry wire.NodeID) (*outfox.Block, error) {
	slot := latest()
	route, err := s.way(entry, slot, 0)
	if err != nil {
		return nil, err
	}
	key, err := outfox.NewPrivateKey()
	if err != nil {
		return nil, err
	}
	b, _, err := outfox.NewReplyBlock(slot, [outfox.Layers - 1]outfox.Hop(route[:outfox.Layers-1]), outfox.Hop{ID: s.client, Key: key.Public()})
	return b, err
}

// stored is a box that nobody will ask for.
func stored(s *sender, entry wire.NodeID) (*outfox.Packet, error) {
	b, err := s.block(entry)
	if err != nil {
		return nil, err
	}
	put := mailbox.Put{Block: b}
	crand.Read(put.Tag[:])
	crand.Read(put.Box[:])
	return s.wrap(entry, 0, put.Message(), nil)
}

// leased is a standing subscription that nothing will come to.
func leased(s *sender, entry wire.NodeID) (*outfox.Packet, error) {
	fetch := mailbox.Fetch{Watch: true}
	crand.Read(fetch.Lease[:])
	b, err := s.block(entry)
	if err != nil {
		return nil, err
	}
	fetch.Blocks = append(fetch.Blocks, b)
	for range mailbox.MaxTags {
		var t mailbox.Tag
		crand.Read(t[:])
		fetch.Tags = append(fetch.Tags, t)
	}
	msg, err := fetch.Message()
	if err != nil {
		return nil, err
	}
	return s.wrap(entry, 0, msg, nil)
}
