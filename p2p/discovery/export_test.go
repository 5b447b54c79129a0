package discovery

import "github.com/libp2p/go-libp2p/core/peer"

// Table returns who is in the routing table.
func (d *Discovery) Table() []peer.ID { return d.dht.RoutingTable().ListPeers() }

// BucketSize is how many of one distance are in it.
const BucketSize = bucketSize
