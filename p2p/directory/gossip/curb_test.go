package gossip

import (
	"math"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
)

// TestPruneIsBounded: a neighbour that leaves the mesh says for how long it is not to be
// asked back, and whom to connect to instead. gossipsub would remember the one for as long
// as it says, after it is gone, too; and the other is a stranger's word.
func TestPruneIsBounded(t *testing.T) {
	topic := "x"
	for _, seconds := range []uint64{0, 60, 601, 1 << 40, math.MaxUint64} {
		rpc := new(pubsub.RPC)
		rpc.Control = &pb.ControlMessage{Prune: []*pb.ControlPrune{
			{TopicID: &topic, Backoff: &seconds, Peers: []*pb.PeerInfo{{PeerID: []byte("p"), SignedPeerRecord: []byte("r")}}},
			{TopicID: &topic, Backoff: &seconds},
		}}
		want := min(seconds, uint64(backoffMost/time.Second))
		if err := curb("", rpc); err != nil {
			t.Fatal(err)
		}
		for i, p := range rpc.GetControl().GetPrune() {
			if p.GetBackoff() != want || len(p.GetPeers()) != 0 {
				t.Errorf("%d seconds, prune %d: %d seconds, %d peers", seconds, i, p.GetBackoff(), len(p.GetPeers()))
			}
		}
	}
	if err := curb("", new(pubsub.RPC)); err != nil {
		t.Error(err)
	}
}
