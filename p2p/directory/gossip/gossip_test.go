package gossip_test

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"go.uber.org/goleak"

	"starling/p2p/admission"
	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/directory/gossip"
	"starling/p2p/host"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type node struct {
	host.Host
	key    crypto.PrivKey
	dir    *directory.Directory
	gossip *gossip.Gossip

	mu     sync.Mutex
	counts map[string]int
	heard  map[string]int
}

// named is the book of nodes that all hosts of these tests may dial.
var named = book.New(book.Config{Role: book.Relay, AllowPrivate: true})

func newHost(t *testing.T) (host.Host, crypto.PrivKey) {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.NewRelay(host.Config{Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Book: named})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h, key
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{dir: directory.New(directory.Config{AllowPrivate: true}), counts: map[string]int{}, heard: map[string]int{}}
	n.Host, n.key = newHost(t)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	g, err := gossip.New(ctx, gossip.Config{
		Host: n.Host, Hear: func(news admission.News) error { return n.dir.Add(news.Raw) },
		Count: func(reason string) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.counts[reason]++
		},
		Tap: func(_ peer.ID, data []byte) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.heard[string(data)]++
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	n.gossip = g
	return n
}

func connect(t *testing.T, from, to host.Host) {
	t.Helper()
	id, err := wire.NodeIDFromPeer(to.ID())
	if err != nil {
		t.Fatal(err)
	}
	a, _ := book.AddressOf(to.Addrs()[0])
	named.Name(id, book.Owner, a)
	if err := host.Reach(t.Context(), from, named, id); err != nil {
		t.Fatal(err)
	}
}

// descriptor signs one for the node, or for nobody when id is given.
func (n *node) descriptor(t *testing.T, seq uint64) []byte {
	t.Helper()
	id, err := wire.NodeIDFromKey(n.key.GetPublic())
	if err != nil {
		t.Fatal(err)
	}
	a, err := directory.AddressOf(n.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	d := directory.Descriptor{
		ID: id, Sequence: seq, Issued: time.Now(), Expires: time.Now().Add(time.Hour), Capacity: 1,
		Epoch: directory.FirstEpoch(time.Now()), Addresses: []directory.Address{a},
	}
	for i := range d.Keys {
		k, err := outfox.NewPrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		d.Keys[i] = k.Public()
	}
	raw, err := d.Sign(n.key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("not in time: " + what)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestSpread: a descriptor reaches everybody along a line, and once: gossip stops at
// relays that know it.
func TestSpread(t *testing.T) {
	const n = 5
	var nodes []*node
	for i := range n {
		nodes = append(nodes, newNode(t))
		if i > 0 {
			connect(t, nodes[i], nodes[i-1])
		}
	}
	eventually(t, "neighbours", func() bool {
		for i, n := range nodes {
			if want := min(i, 1) + min(len(nodes)-1-i, 1); n.gossip.Peers() != want {
				return false
			}
		}
		return true
	})
	// A neighbour passes on news once its heartbeat has grafted the next one, which
	// cannot be seen from here: publish until all hear it.
	seq, patience := uint64(0), 100*time.Millisecond
	var raw []byte
	everybody := func() bool {
		for _, n := range nodes {
			s := n.dir.Snapshot()
			if len(s.Relays) != 1 || s.Relays[0].Sequence != seq {
				return false
			}
		}
		return true
	}
	eventually(t, "everybody hears", func() bool {
		seq++
		signed := nodes[0].descriptor(t, seq)
		raw = news(signed)
		nodes[0].dir.Add(signed)
		if err := nodes[0].gossip.Publish(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); !everybody(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				patience += patience / 2 // the machine may be busy
				return false
			}
		}
		return true
	})
	for i, n := range nodes {
		n.mu.Lock()
		if n.heard[string(raw)] != 1 || len(n.counts) != 0 {
			t.Errorf("node %d heard it %d times, counts %v", i, n.heard[string(raw)], n.counts)
		}
		n.mu.Unlock()
	}
}

// news is a descriptor as it travels, with nobody's voucher.
func news(raw []byte) []byte { return admission.News{Raw: raw}.Append(nil) }

// stranger is a gossipsub node that follows no rules of ours.
func stranger(t *testing.T) (host.Host, *pubsub.Topic) {
	t.Helper()
	h, _ := newHost(t)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	id := protocol.ID(wire.DHTPrefix + "/mesh")
	ps, err := pubsub.NewGossipSub(ctx, h,
		pubsub.WithGossipSubProtocols([]protocol.ID{id}, func(f pubsub.GossipSubFeature, _ protocol.ID) bool { return f == pubsub.GossipSubFeatureMesh }),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(func(m *pb.Message) string { return string(m.GetData()) }),
		pubsub.WithFloodPublish(true))
	if err != nil {
		t.Fatal(err)
	}
	topic, err := ps.Join(wire.DirectoryTopic)
	if err != nil {
		t.Fatal(err)
	}
	return h, topic
}

// TestHostile: a message without a descriptor is counted and goes no further. The
// bringer of three such is not heard any more, others are.
func TestHostile(t *testing.T) {
	a, b := newNode(t), newNode(t)
	connect(t, a, b)
	h, topic := stranger(t)
	connect(t, h, a)
	eventually(t, "neighbours", func() bool { return a.gossip.Peers() >= 1 && len(topic.ListPeers()) == 1 && b.gossip.Peers() == 1 })
	good := news(b.descriptor(t, 1))
	forged := append([]byte(nil), good...)
	forged[len(forged)-1] ^= 1
	for _, m := range [][]byte{[]byte("hello"), forged, make([]byte, 4096)} {
		if err := topic.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "counted", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.counts["gossip: malformed"] == 2 && a.counts["gossip: oversize"] == 1
	})
	if err := topic.Publish(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	other, way := stranger(t)
	connect(t, other, a)
	eventually(t, "neighbours", func() bool { return len(way.ListPeers()) == 1 })
	seq := uint64(1)
	eventually(t, "a good one arrives", func() bool {
		seq++
		if err := way.Publish(t.Context(), news(b.descriptor(t, seq))); err != nil {
			t.Fatal(err)
		}
		return len(b.dir.Snapshot().Relays) == 1
	})
	a.mu.Lock()
	if a.heard[string(good)] != 0 {
		t.Error("who has brought three bad ones is heard")
	}
	a.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.counts) != 0 {
		t.Errorf("something bad went on: %v", b.counts)
	}
}

// TestFlood: one neighbour cannot make us verify without end, nor remember: more than
// we ignore is the end of it.
func TestFlood(t *testing.T) {
	a := newNode(t)
	h, topic := stranger(t)
	connect(t, h, a)
	eventually(t, "neighbours", func() bool { return len(topic.ListPeers()) == 1 })
	n := &node{Host: h}
	n.key, _, _ = crypto.GenerateEd25519Key(rand.Reader)
	raw := n.descriptor(t, 1)
	count := func(what string) int {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.counts["gossip: "+what]
	}
	publish := func(topic *pubsub.Topic, i int) []byte {
		m := admission.News{Raw: raw, Vouchers: []admission.Voucher{{Day: uint32(i), Mask: 1}}}.Append(nil)
		if err := topic.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	heard := func(m []byte) {
		t.Helper()
		eventually(t, "heard", func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.heard[string(m)] == 1 || a.counts["gossip: flood"] >= 3
		})
	}
	sent := 0
	for ; count("flood") < 3; sent++ {
		if m := publish(topic, sent); sent%8 == 0 { // queues drop what comes too fast
			heard(m)
		}
		if sent == 100*gossip.Burst {
			t.Fatal("a flood is never the end of it")
		}
	}
	if ignored := count("too fast"); ignored < gossip.Burst {
		t.Errorf("%d were ignored before", ignored)
	}

	for range 2000 {
		sent++
		publish(topic, sent)
	}
	other, way := stranger(t)
	connect(t, other, a)
	eventually(t, "neighbours", func() bool { return len(way.ListPeers()) == 1 })
	m := publish(way, sent+1)
	eventually(t, "another is heard", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.heard[string(m)] == 1
	})
	if floods := count("flood"); floods > 1000 { // some were on their way
		t.Errorf("%d more came to be refused", floods)
	}
}

// TestAnonymous: a message carries nothing but its data.
func TestAnonymous(t *testing.T) {
	a := newNode(t)
	h, topic := stranger(t)
	sub, err := topic.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	connect(t, h, a)
	eventually(t, "neighbours", func() bool { return a.gossip.Peers() == 1 })
	raw := news(a.descriptor(t, 1))
	if err := a.gossip.Publish(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	m, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Message.GetFrom()) != 0 || len(m.GetSeqno()) != 0 || len(m.GetSignature()) != 0 || len(m.GetKey()) != 0 || string(m.Data) != string(raw) {
		t.Errorf("%+v", m.Message)
	}
}

// TestOtherTopics: nobody makes us remember topics that are not ours.
func TestOtherTopics(t *testing.T) {
	a := newNode(t)
	h, _ := newHost(t)
	connect(t, h, a)
	s, err := h.NewStream(t.Context(), a.ID(), protocol.ID(wire.DHTPrefix+"/mesh"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	// A length that says 1 GiB, then nothing: refused without allocating it.
	if _, err := s.Write([]byte{0x80, 0x80, 0x80, 0x80, 0x04}); err != nil {
		t.Fatal(err)
	}
	s.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := s.Read(make([]byte, 1)); err == nil {
		t.Error("it went on")
	}
}
