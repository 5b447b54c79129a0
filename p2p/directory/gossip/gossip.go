// Package gossip spreads relay descriptors between relays on one gossipsub
// topic, wire.DirectoryTopic.
//
// Gossip names its source to the neighbours, so nothing but public data may
// travel on it: a message is exactly one signed descriptor with its vouchers
// (admission.News) and carries no author, sequence number or signature of gossipsub's own. Its
// id is the SHA-256 of its bytes.
//
// A message is valid when the relay is admitted, and it is in the directory
// before it is passed on. Malformed bytes and wrong signatures count against the
// neighbour that passed them on: after three within an hour or so nothing that comes
// from it is looked at while it stays. Messages that are merely old, early, not vouched for or too
// many are ignored. A neighbour may bring Burst messages at once and Rate a second, of
// those that gossipsub has not seen before; those the directory then refuses count,
// too. As many again are not looked at, and further ones are as good as malformed:
// gossipsub remembers each for minutes, and no honest neighbour has so much to pass on.
//
// Gossip never repeats anything: a relay that was not listening asks a neighbour for
// pages. So a loss here costs time, not knowledge.
package gossip

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"starling/p2p/admission"
	"starling/p2p/directory"
	"starling/p2p/limits"
	"starling/p2p/wire"
)

const (
	// Rate and Burst bound the messages of one neighbour that are looked at.
	Rate  = 50
	Burst = 2000

	// seenFor is how long gossipsub remembers a message. The mesh has it within seconds.
	seenFor = 2 * time.Minute
	// retain is how long it remembers the score of a neighbour that has left. Names cost
	// nothing: a stranger under ever new ones leaves a score behind each time.
	retain = 2 * time.Minute
	// backoffMost is for how long a neighbour may ask not to be made part of the mesh.
	backoffMost = 10 * time.Minute

	// maxMessage is one descriptor and gossipsub's frame around several.
	maxMessage = 64 << 10
	protocolID = protocol.ID(wire.DHTPrefix + "/mesh")
	maxPeers   = 4096
)

// Config is how a Gossip is made.
type Config struct {
	Host host.Host
	// Hear takes the news of a neighbour, or returns why not. Taken news is passed on.
	Hear func(admission.News) error
	// Count, if set, is called with the reason of every refusal.
	Count func(reason string)
	// Tap, if set, sees every message and the neighbour that passed it on. For tests.
	Tap func(from peer.ID, data []byte)
}

// Gossip is one relay's part of the topic.
type Gossip struct {
	cfg   Config
	topic *pubsub.Topic
	stop  func()

	// The share of one neighbour: so much is looked at, as much again ignored.
	heard, ignored *limits.Rates[peer.ID]
}

// New joins the topic. The goroutines of gossipsub end with ctx.
func New(ctx context.Context, cfg Config) (*Gossip, error) {
	g := &Gossip{cfg: cfg, heard: limits.NewRates[peer.ID](Rate, Burst, maxPeers), ignored: limits.NewRates[peer.ID](Rate, Burst, maxPeers)}
	if cfg.Count == nil {
		g.cfg.Count = func(string) {}
	}

	params := pubsub.DefaultGossipSubParams()
	params.D, params.Dlo, params.Dhi, params.Dout = 6, 3, 9, 2
	params.HistoryLength, params.HistoryGossip = 12, 6
	// A relay that missed something hears of it from six neighbours a second, or a
	// twentieth of all. Of the quarter that gossipsub takes, each relay of a large mesh
	// would have a hundred to write to for every news, six times.
	params.Dlazy, params.GossipFactor = 6, 0.05
	params.Connectors = 1 // for peers that others recommend; nobody does

	filter := pubsub.WrapLimitSubscriptionFilter(pubsub.NewAllowlistSubscriptionFilter(wire.DirectoryTopic), 4)
	ps, err := pubsub.NewGossipSub(ctx, cfg.Host,
		pubsub.WithGossipSubProtocols([]protocol.ID{protocolID}, features),
		pubsub.WithGossipSubParams(params),
		// Without all three of these the publisher's peer id goes along, or
		// every message has the same id.
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		// A cold mesh has nobody to pass a message on to yet.
		pubsub.WithFloodPublish(true),
		pubsub.WithSubscriptionFilter(filter),
		pubsub.WithMaxMessageSize(maxMessage),
		pubsub.WithMaxControlMessageSize(maxMessage),
		pubsub.WithPeerOutboundQueueSize(256),
		pubsub.WithValidateQueueSize(256),
		pubsub.WithValidateWorkers(1),
		pubsub.WithSeenMessagesTTL(seenFor),
		pubsub.WithPeerScore(scores()),
		pubsub.WithAppSpecificRpcInspector(curb),
	)
	if err != nil {
		return nil, fmt.Errorf("start gossip: %w", err)
	}

	if err := ps.RegisterTopicValidator(wire.DirectoryTopic, g.validate); err != nil {
		return nil, fmt.Errorf("start gossip: %w", err)
	}
	if g.topic, err = ps.Join(wire.DirectoryTopic); err != nil {
		return nil, fmt.Errorf("join topic: %w", err)
	}

	// The validator is the reader: a subscription would only be a queue that
	// overflows in silence.
	stop, err := g.topic.Relay()
	if err != nil {
		return nil, fmt.Errorf("join topic: %w", err)
	}
	g.stop = stop
	return g, nil
}

// curb bounds the memory that an RPC of a neighbour takes of gossipsub, and takes out its
// recommendations of peers.
func curb(_ peer.ID, rpc *pubsub.RPC) error {
	for _, p := range rpc.GetControl().GetPrune() {
		p.Peers = nil
		if longest := uint64(backoffMost / time.Second); p.GetBackoff() > longest {
			p.Backoff = &longest
		}
	}
	return nil
}

// scores makes three invalid messages too many, and forgets them by half in an hour
// and a half. Addresses do not count: relays of one machine are many.
func scores() (*pubsub.PeerScoreParams, *pubsub.PeerScoreThresholds) {
	hour := pubsub.ScoreParameterDecay(3 * time.Hour)
	topic := &pubsub.TopicScoreParams{
		TopicWeight: 1, TimeInMeshQuantum: time.Second,
		InvalidMessageDeliveriesWeight: -10, InvalidMessageDeliveriesDecay: hour,
	}
	params := &pubsub.PeerScoreParams{
		Topics:           map[string]*pubsub.TopicScoreParams{wire.DirectoryTopic: topic},
		AppSpecificScore: func(peer.ID) float64 { return 0 },
		DecayInterval:    time.Second, DecayToZero: 0.01, RetainScore: retain,
		BehaviourPenaltyWeight: -1, BehaviourPenaltyThreshold: 6, BehaviourPenaltyDecay: hour,
	}
	return params, &pubsub.PeerScoreThresholds{GossipThreshold: -20, PublishThreshold: -50, GraylistThreshold: -80, AcceptPXThreshold: 1}
}

// Joined calls f for every neighbour that comes to the topic, until ctx ends.
func (g *Gossip) Joined(ctx context.Context, f func()) error {
	events, err := g.topic.EventHandler()
	if err != nil {
		return fmt.Errorf("watch topic: %w", err)
	}
	defer events.Cancel()
	for {
		e, err := events.NextPeerEvent(ctx)
		if err != nil {
			return err
		}
		if e.Type == pubsub.PeerJoin {
			f()
		}
	}
}

// Close leaves the topic.
func (g *Gossip) Close() {
	g.stop()
	g.topic.Close()
}

// Peers returns how many neighbours are on the topic.
func (g *Gossip) Peers() int { return len(g.topic.ListPeers()) }

// Publish passes news of ourselves on.
func (g *Gossip) Publish(ctx context.Context, news []byte) error {
	if err := g.topic.Publish(ctx, news); err != nil {
		return fmt.Errorf("publish descriptor: %w", err)
	}
	return nil
}

func features(f pubsub.GossipSubFeature, _ protocol.ID) bool {
	return f == pubsub.GossipSubFeatureMesh || f == pubsub.GossipSubFeatureIdontwant
}

func messageID(m *pb.Message) string {
	h := sha256.Sum256(m.GetData())
	return string(h[:])
}

func (g *Gossip) validate(_ context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	if g.cfg.Tap != nil {
		g.cfg.Tap(from, m.Data)
	}

	if from == g.cfg.Host.ID() {
		return pubsub.ValidationAccept // it is ours, and nobody else's messages are
	}

	if len(m.Data) > admission.MaxNews {
		g.cfg.Count("gossip: oversize")
		return pubsub.ValidationReject
	}
	switch {
	case g.heard.Of(from).Allow():
	case g.ignored.Of(from).Allow():
		g.cfg.Count("gossip: too fast")
		return pubsub.ValidationIgnore
	default:
		g.cfg.Count("gossip: flood")
		return pubsub.ValidationReject
	}

	news, err := admission.ParseNews(m.Data)
	if err == nil {
		err = g.cfg.Hear(news)
	}

	switch {
	case err == nil:
		return pubsub.ValidationAccept
	case errors.Is(err, admission.ErrNews), errors.Is(err, admission.ErrForged), errors.Is(err, directory.ErrMalformed), errors.Is(err, directory.ErrSignature):
		g.cfg.Count("gossip: malformed")
		return pubsub.ValidationReject
	case errors.Is(err, directory.ErrStale):
		return pubsub.ValidationIgnore
	default: // not vouched for, among others
		g.cfg.Count("gossip: not admitted")
		return pubsub.ValidationIgnore
	}
}
