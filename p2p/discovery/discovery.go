// Package discovery lets relays find each other: through a kad-dht of their
// own, by keeping connections to those they know, and, where the owner asked for
// it, by a question on the local network (package lan).
//
// The DHT has its own protocol prefix (wire.DHTPrefix) and all of its nodes
// are relays and servers; clients never speak it. Relays publish a provider
// record for one rendezvous key, the SHA-256 of Rendezvous, and look for
// others under it. Values are not stored, nor records of other keys.
//
// Neither is a security nor a liveness dependency: an attacker that fills the key with
// strangers only costs a few connections, and a relay that knows one other relay learns
// the rest from its directory.
package discovery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	dhtrecords "github.com/libp2p/go-libp2p-kad-dht/records"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"
	"golang.org/x/sync/errgroup"

	"starling/p2p/book"
	"starling/p2p/wire"
)

// Rendezvous is the text with the SHA-256 that is the key relays meet at.
const Rendezvous = "starling/relays/1"

const (
	// A bucket that is full of relays while the table has ten or fewer is filled anew for
	// ever: kad-dht then looks among the connected for others whenever it took one in.
	bucketSize   = 11
	findLimit    = 32
	findFirst    = 2 * time.Second
	findAlone    = 30 * time.Second // while nobody is found
	findInterval = 10 * time.Minute
	provideEvery = 12 * time.Hour // records live 48 h, their addresses 24 h
	queryTimeout = time.Minute
)

// Config is how a Discovery is made.
type Config struct {
	Host host.Host
	// Book decides on the nodes that the DHT may dial.
	Book *book.Book
	// Dial connects to a relay by the book; nil is host.Reach.
	Dial func(context.Context, wire.NodeID) error
	// Bootstrap returns relays to fill an empty routing table from.
	Bootstrap func() []wire.NodeID
	// Lonely reports whether this relay needs others.
	Lonely func() bool
	// Listed reports whether a node is a relay of our list. No stranger keeps the place
	// of such a relay in the routing table. Nil is nobody.
	Listed func(wire.NodeID) bool
	// Found is called with every relay found under the key.
	Found func(peer.AddrInfo)
	// AllowPrivate admits loopback and LAN addresses and any number of peers
	// per network.
	AllowPrivate bool
	// Tap, if set, sees each request to the DHT and its sender. For tests.
	Tap func(from network.Conn, data []byte)
}

// Discovery is one relay's part of the DHT.
type Discovery struct {
	cfg Config
	dht *dht.IpfsDHT
	key cid.Cid
}

// New joins the DHT as a server.
func New(cfg Config) (*Discovery, error) {
	hash, err := multihash.Sum([]byte(Rendezvous), multihash.SHA2_256, -1)
	if err != nil {
		return nil, fmt.Errorf("rendezvous key: %w", err)
	}

	opts := []dht.Option{
		dht.ProtocolPrefix(protocol.ID(wire.DHTPrefix)),
		dht.Mode(dht.ModeServer),
		dht.BucketSize(bucketSize),
		dht.Concurrency(4),
		// The table fills with connected relays. Refreshing it would connect every
		// relay with nearly every other one of a small mesh.
		dht.DisableAutoRefresh(),
		dht.DisableValues(),
		dht.ProviderDatastore(newRecords(hash)),
		dht.ProviderManagerOpts(dhtrecords.Cache(noCache{})),
		dht.BootstrapPeersFunc(func() (all []peer.AddrInfo) {
			for _, id := range cfg.Bootstrap() {
				all = append(all, peer.AddrInfo{ID: id.Peer()})
			}
			return all
		}),
		dht.AddressFilter(func(all []multiaddr.Multiaddr) []multiaddr.Multiaddr { return all }),
	}

	// Public ones alone, and few of one network: nobody fills the table with addresses of one owner.
	if !cfg.AllowPrivate {
		opts = append(opts,
			dht.QueryFilter(dht.PublicQueryFilter),
			dht.RoutingTableFilter(dht.PublicRoutingTableFilter),
			dht.RoutingTablePeerDiversityFilter(dht.NewRTPeerDiversityFilter(cfg.Host, 2, 3)))
	}

	if cfg.Tap != nil {
		opts = append(opts, dht.OnRequestHook(func(_ context.Context, s network.Stream, req *pb.Message) {
			cfg.Tap(s.Conn(), fmt.Append(nil, req))
		}))
	}

	d, err := dht.New(newGuarded(cfg.Host, cfg.Book, cfg.Dial), opts...)
	if err != nil {
		return nil, fmt.Errorf("start dht: %w", err)
	}

	return &Discovery{cfg: cfg, dht: d, key: cid.NewCidV1(cid.Raw, hash)}, nil
}

// Close leaves the DHT.
func (d *Discovery) Close() error { return d.dht.Close() }

// Run keeps the routing table, advertises this relay, and looks for others while it is
// lonely, until ctx ends. A relay that is not lonely leaves the DHT alone: each look-up
// connects to the eleven relays nearest to the key.
func (d *Discovery) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.tend(ctx) })
	g.Go(func() error { return d.look(ctx) })
	return g.Wait()
}

// look advertises this relay and looks for others.
func (d *Discovery) look(ctx context.Context) error {
	provided, peers := time.Time{}, 0
	wait := jitter(findFirst)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}

		lonely := d.cfg.Lonely()
		// A record stored while the table was small sits with few: repeat it
		// when the table has grown.
		size := d.dht.RoutingTable().Size()
		if size > 0 && (time.Since(provided) > provideEvery || size >= 2*peers) {
			if d.provide(ctx) == nil {
				provided, peers = time.Now(), size
			}
		}

		if !lonely {
			wait = jitter(findInterval)
			continue
		}
		wait = min(2*wait, findInterval)
		if d.find(ctx) == 0 {
			wait = min(wait, findAlone)
		}
		wait = jitter(wait)
	}
}

func (d *Discovery) provide(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return d.dht.Provide(ctx, d.key, true)
}

func (d *Discovery) find(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	n := 0
	for info := range d.dht.FindProvidersAsync(ctx, d.key, findLimit) {
		if info.ID == d.cfg.Host.ID() {
			continue
		}
		n++
		d.cfg.Found(info)
	}
	return n
}

// jitter spreads d by a quarter either way.
func jitter(d time.Duration) time.Duration {
	return d - d/4 + rand.N(d/2+1)
}
