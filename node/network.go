package node

import (
	"context"
	"errors"
	"fmt"

	"starling/node/outbox"
	"starling/node/store"
	"starling/p2p"
	"starling/p2p/mailbox"
	"starling/session/envelope"
)

// A cell fills a box: the two packages do not know each other.
const (
	_ = uint(mailbox.BoxSize - envelope.CellSize)
	_ = uint(envelope.CellSize - mailbox.BoxSize)
)

// Network is package p2p, as far as a node needs it. See there.
type Network interface {
	Run(ctx context.Context) error
	AwaitQuota(ctx context.Context) error
	Put(ctx context.Context, mailbox p2p.NodeID, tag p2p.Tag, box []byte) error
	Fetch(ctx context.Context, mailbox p2p.NodeID, tags []p2p.Tag) (map[p2p.Tag][]byte, error)
	Watch(key string, mailbox p2p.NodeID, tags []p2p.Tag)
	Ack(key string, mailbox p2p.NodeID, tags ...p2p.Tag)
	ChooseMailboxes(n int, avoid ...p2p.NodeID) ([]p2p.NodeID, error)
	Missing([]p2p.NodeID) ([]p2p.NodeID, error)
	Rendezvous(secret [32]byte, n int) ([]p2p.NodeID, error)
	Hint(p2p.NodeID) ([]byte, error)
	AddHint([]byte) (p2p.NodeID, error)
	AddPasted([]byte) (p2p.NodeID, error)
	AddBootstrap([]byte) (p2p.NodeID, error)
	TryOthers()
	Status() p2p.Status
}

// mesh speaks to the network in the terms of the rest of the node.
type mesh struct{ n Network }

func (m mesh) Run(ctx context.Context) error        { return m.n.Run(ctx) }
func (m mesh) AwaitQuota(ctx context.Context) error { return m.n.AwaitQuota(ctx) }
func (m mesh) Status() p2p.Status                   { return m.n.Status() }
func (m mesh) TryOthers()                           { m.n.TryOthers() }

func (m mesh) Put(ctx context.Context, node store.Node, tag store.Tag, box []byte) error {
	err := m.n.Put(ctx, p2p.NodeID(node), p2p.Tag(tag), box)
	var taken *p2p.TakenError
	switch {
	case errors.Is(err, p2p.ErrOffline), errors.Is(err, p2p.ErrFewRelays):
		return fmt.Errorf("%w: %w", outbox.ErrHold, err)
	case errors.As(err, &taken):
		return &outbox.TakenError{Box: taken.Box}
	case errors.Is(err, p2p.ErrTaken):
		return fmt.Errorf("%w: %w", outbox.ErrTaken, err)
	case errors.Is(err, p2p.ErrFull):
		return fmt.Errorf("%w: %w", outbox.ErrRefused, err)
	}
	return err
}

func (m mesh) Fetch(ctx context.Context, node store.Node, tags []store.Tag) (map[store.Tag][]byte, error) {
	found, err := m.n.Fetch(ctx, p2p.NodeID(node), toTags(tags))
	out := make(map[store.Tag][]byte, len(found))
	for t, b := range found {
		out[store.Tag(t)] = b
	}
	return out, err
}

func (m mesh) Watch(key string, node store.Node, tags []store.Tag) {
	m.n.Watch(key, p2p.NodeID(node), toTags(tags))
}

func (m mesh) Ack(key string, node store.Node, tags ...store.Tag) {
	m.n.Ack(key, p2p.NodeID(node), toTags(tags)...)
}

// ChooseMailboxes draws up to n mailboxes, at least one.
func (m mesh) ChooseMailboxes(n int, avoid ...store.Node) (set []store.Mailbox, err error) {
	var nodes []p2p.NodeID
	for ; n > 0; n-- {
		if nodes, err = m.n.ChooseMailboxes(n, toIDs(avoid)...); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	for _, node := range nodes {
		hint, err := m.n.Hint(node)
		if err != nil {
			return nil, err
		}
		set = append(set, store.Mailbox{Node: store.Node(node), Hint: hint})
	}
	return set, nil
}

func (m mesh) Missing(nodes []store.Node) ([]store.Node, error) {
	missing, err := m.n.Missing(toIDs(nodes))
	return toNodes(missing), err
}

func (m mesh) Rendezvous(secret [32]byte, n int) ([]store.Node, error) {
	nodes, err := m.n.Rendezvous(secret, n)
	return toNodes(nodes), err
}

func (m mesh) AddHint(hint []byte) (store.Node, error) {
	node, err := m.n.AddHint(hint)
	return store.Node(node), err
}

// AddPasted is AddHint for a relay of a link that the owner pasted.
func (m mesh) AddPasted(hint []byte) (store.Node, error) {
	node, err := m.n.AddPasted(hint)
	return store.Node(node), err
}

// AddBootstrap takes a relay that the owner names.
func (m mesh) AddBootstrap(hint []byte) error {
	_, err := m.n.AddBootstrap(hint)
	return err
}

func toTags(in []store.Tag) []p2p.Tag {
	out := make([]p2p.Tag, len(in))
	for i, t := range in {
		out[i] = p2p.Tag(t)
	}
	return out
}

func toIDs(in []store.Node) []p2p.NodeID {
	out := make([]p2p.NodeID, len(in))
	for i, n := range in {
		out[i] = p2p.NodeID(n)
	}
	return out
}

func toNodes(in []p2p.NodeID) []store.Node {
	out := make([]store.Node, len(in))
	for i, n := range in {
		out[i] = store.Node(n)
	}
	return out
}
