package node

import (
	"context"
	"errors"
	"fmt"

	"starling/node/outbox"
	"starling/node/rooms"
	"starling/node/store"
	"starling/p2p"
	"starling/p2p/mailbox"
	"starling/session/envelope"
	"starling/session/group"
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
	Append(ctx context.Context, mailbox p2p.NodeID, log [32]byte, e p2p.Entry) error
	Follow(key string, mailbox p2p.NodeID, logs []p2p.LogPosition)
	FollowAgain(key string)
	ChooseMailboxes(n int, avoid ...p2p.NodeID) ([]p2p.NodeID, error)
	Missing([]p2p.NodeID) ([]p2p.NodeID, error)
	Unheard([]p2p.NodeID) []p2p.NodeID
	Rendezvous(secret [32]byte, n int) ([]p2p.NodeID, error)
	Hint(p2p.NodeID) ([]byte, error)
	AddHint([]byte) (p2p.NodeID, error)
	AddPasted([]byte) (p2p.NodeID, error)
	AddBootstrap([]byte) (p2p.NodeID, error)
	SetBridges(links []string, only bool) error
	SetProxy(text string) error
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

// Append puts an entry into a log.
func (m mesh) Append(ctx context.Context, node store.Node, log [32]byte, e rooms.Sealed) error {
	out := p2p.Entry{Tag: p2p.Tag(e.Tag), Signature: e.Signature}
	copy(out.Box[:], e.Box)
	return appended(m.n.Append(ctx, p2p.NodeID(node), log, out), e.Box)
}

// appended is how an append of a box has ended, for rooms.
func appended(err error, box []byte) error {
	var taken *p2p.TakenError
	switch {
	case errors.Is(err, p2p.ErrOffline), errors.Is(err, p2p.ErrFewRelays):
		return fmt.Errorf("%w: %w", rooms.ErrHold, err)
	case errors.As(err, &taken) && string(taken.Box) == string(box):
		return nil
	case errors.As(err, &taken), errors.Is(err, p2p.ErrTaken):
		return fmt.Errorf("%w: %w", rooms.ErrTaken, err)
	case errors.Is(err, p2p.ErrFull):
		return fmt.Errorf("%w: %w", rooms.ErrFull, err)
	}
	return err
}

func logEntry(key string, at p2p.NodeID, e p2p.LogEntry) rooms.Entry {
	return rooms.Entry{Key: key, Node: store.Node(at), Name: e.Name, Instance: e.Instance, Position: e.Position,
		Sealed: rooms.Sealed{Tag: store.Tag(e.Tag), Signature: e.Signature, Box: e.Box[:]}}
}

func logEnd(key string, at p2p.NodeID, e p2p.LogEnd) rooms.End {
	return rooms.End{Key: key, Node: store.Node(at), Name: e.Name, Instance: e.Instance, Last: e.Last, Empty: e.Count == 0}
}

// Follow asks for the entries of logs after their positions.
func (m mesh) Follow(key string, node store.Node, logs []store.LogPosition) {
	out := make([]p2p.LogPosition, len(logs))
	for i, l := range logs {
		out[i] = p2p.LogPosition{Name: l.Name, Instance: l.Instance, After: l.Position}
	}
	m.n.Follow(key, p2p.NodeID(node), out)
}

// FollowAgain has all mailboxes of a follow asked at once.
func (m mesh) FollowAgain(key string) { m.n.FollowAgain(key) }

// ChooseMailboxes draws up to n mailboxes, at least one.
func (m mesh) ChooseMailboxes(n int, avoid ...store.Node) (set []store.Mailbox, err error) {
	var nodes []p2p.NodeID
	// A small mesh may have fewer that can be used together; one is better than none.
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

func (m mesh) Unheard(nodes []store.Node) []store.Node { return toNodes(m.n.Unheard(toIDs(nodes))) }

// Meeting is Rendezvous with what others need to reach the mailboxes.
func (m mesh) Meeting(secret [32]byte, n int) (set []group.Mailbox, err error) {
	all, err := m.Rendezvous(secret, n)
	if err != nil {
		return nil, err
	}
	for _, node := range all {
		hint, err := m.n.Hint(p2p.NodeID(node))
		if err != nil {
			return nil, err
		}
		set = append(set, group.Mailbox{Node: node, Hint: hint})
	}
	return set, nil
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
