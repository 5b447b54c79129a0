package discovery

import (
	"context"
	"crypto/sha256"
	"math/bits"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"starling/p2p/wire"
)

const (
	// tendEvery is between looks at the routing table. A node that has been in it for so
	// long makes room for no passer-by.
	tendEvery = time.Minute
	// probeTimeout is how long a relay may take that is to have a stranger's place.
	probeTimeout = 10 * time.Second
)

// tend keeps the nodes of the routing table in it, until ctx ends. By itself kad-dht gives
// a place in a full bucket to any newcomer, and the oldest goes: it takes itself to be
// starting until it has refreshed the table, which never happens here. A full bucket
// changes in one way alone: a relay of the list that answers takes the place of a node
// that is not in the list.
func (d *Discovery) tend(ctx context.Context) error {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		d.dht.RoutingTable().MarkAllPeersIrreplaceable()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		d.promote(ctx)
	}
}

// promote gives one relay of the list the place of a stranger in a full bucket.
func (d *Discovery) promote(ctx context.Context) {
	if d.cfg.Listed == nil {
		return
	}

	table := d.dht.RoutingTable()
	inside := map[peer.ID]bool{}
	buckets := map[int][]peer.ID{}
	for _, p := range table.ListPeers() {
		inside[p] = true
		buckets[d.bucket(p)] = append(buckets[d.bucket(p)], p)
	}

	for _, p := range d.cfg.Host.Network().Peers() {
		full := buckets[d.bucket(p)]
		if inside[p] || len(full) < bucketSize || !d.listed(p) {
			continue
		}
		for _, stranger := range full {
			if d.listed(stranger) {
				continue
			}

			asking, cancel := context.WithTimeout(ctx, probeTimeout)
			// It must answer before a stranger goes, or the bucket would be the poorer.
			err := d.dht.Ping(asking, p)
			cancel()
			if err != nil {
				break // another one may answer
			}

			table.RemovePeer(stranger)
			table.TryAddPeer(p, true, false)
			return
		}
	}
}

func (d *Discovery) listed(p peer.ID) bool {
	id, err := wire.NodeIDFromPeer(p)
	return err == nil && d.cfg.Listed(id)
}

// bucket returns the number of bits that a peer's place in the DHT shares with ours.
func (d *Discovery) bucket(p peer.ID) (n int) {
	a, b := sha256.Sum256([]byte(d.cfg.Host.ID())), sha256.Sum256([]byte(p))
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return n + bits.LeadingZeros8(x)
		}
		n += 8
	}
	return n
}
