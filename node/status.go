package node

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/store"
	"starling/p2p"
)

// The promises of the fast profile, in the words of docs/THREATMODEL.md.
const (
	promiseNone    = "Nothing is sent: there is no route that keeps you anonymous."
	promisePrivate = "A mesh of your own: whoever runs its relays can see who talks to whom."
	promiseBridged = "Only your bridges see your address. Who runs a bridge or a guard of yours and one of your contact's, or watches both lines, can link you."
	promiseFast    = "Only your two guards see your address. Who runs a guard of yours and one of your contact's, or watches both lines, can link you."
)

// Status returns the present state of the node.
func (n *Node) Status(ctx context.Context) (api.Status, error) {
	net := n.net.Status()
	s := api.Status{
		Role: "client", Profile: "fast", Version: n.cfg.Version, Brief: n.cfg.Brief, Locked: n.locked.Load(), Started: n.started,
		Ready: net.Ready, Reason: net.Reason, PeerID: net.PeerID, Hops: net.Hops,
		Relays: net.Relays, Doubtful: net.Doubtful, Reached: net.Reached, AllowPrivate: net.AllowPrivate, BytesIn: net.BytesIn, BytesOut: net.BytesOut,
		OneSource: net.OneSource, ListsAsked: net.FarAsked, ListsOther: net.FarOther, ClockKnown: net.ClockKnown, ClockAhead: int64(net.ClockAhead.Round(time.Second) / time.Second),
		Guards: []api.Guard{}, Mailboxes: []api.Mailbox{}, Refused: make(map[string]int64),
		Anonymity: promise(net),
	}

	for _, g := range net.Guards {
		s.Guards = append(s.Guards, api.Guard{PeerID: g.ID.String(), Address: g.Addr, Connected: g.Connected})
	}
	for _, src := range net.Sources {
		s.Sources = append(s.Sources, api.Source{PeerID: src.ID.String(), Address: src.Addr, Pasted: src.Pasted})
	}

	s.Ways, s.FreezesAfter, s.Bans = waysNow(net), net.Habits.Budget, net.Habits.Bans
	s.Notice = notice(net)

	for _, b := range net.Bridges {
		s.Bridges = append(s.Bridges, bridgeNow(b))
	}
	s.BridgesOnly, s.OwnBridge = net.OnlyBridges, n.own.ownStatus()
	s.Proxy, s.ProxyFault = net.Proxy.Proxy, string(net.Proxy.Fault)

	// Sorted: a map has another order each time, and the screen would jump.
	heard := n.inbox.Mailboxes()
	nodes := make([]store.Node, 0, len(heard))
	for node := range heard {
		nodes = append(nodes, node)
	}
	slices.SortFunc(nodes, func(a, b store.Node) int { return bytes.Compare(a[:], b[:]) })
	for _, node := range nodes {
		id := p2p.NodeID(node)
		s.Mailboxes = append(s.Mailboxes, api.Mailbox{PeerID: id.String(), Heard: heard[node], NoRoom: slices.Contains(net.Unseated, id)})
	}

	// A kind that two of the three count is summed.
	for what, count := range net.Refused {
		s.Refused[what] += count
	}
	for what, count := range n.inbox.Refused() {
		s.Refused[what] += count
	}
	for what, count := range n.rooms.Refused() {
		s.Refused[what] += count
	}

	err := n.view(ctx, func(tx *store.Tx) error {
		owner, err := tx.Owner()
		if err != nil {
			return err
		}
		s.Name = safetext.Line(owner)

		contacts, err := tx.Contacts()
		if err != nil {
			return err
		}

		s.Contacts = len(contacts)
		if s.Rooms, s.RoomsUnheard, err = takingPart(tx); err != nil {
			return err
		}
		if s.LastEvent, err = tx.LastEvent(); err != nil {
			return err
		}

		counts, err := tx.CountStates()
		s.Outbox = api.Outbox{Queued: counts[api.StateQueued], Sealed: counts[api.StateSealed],
			Sent: counts[api.StateSent], Failed: counts[api.StateFailed]}
		return err
	})

	return s, err
}

// freezes tells people of a network that freezes connections.
const freezes = "This network freezes connections. Going on over short ones."

// notice says under which conditions messages go on, the one first that makes the crowd smaller.
func notice(net p2p.Status) string {
	switch {
	case net.Reached > 0:
		return fmt.Sprintf("Most of the network is out of reach. Going on over %d relays.", net.Reached)
	case net.Habits.Budget > 0:
		return freezes
	}
	return ""
}

// waysNow returns the ways in that were tried.
func waysNow(net p2p.Status) (all []api.Way) {
	for _, w := range net.Ways {
		all = append(all, api.Way{
			PeerID: w.ID.String(), Address: w.Addr, Kind: w.Kind(), Outcome: string(w.Outcome),
			Bytes: w.Bytes, Skew: int64(w.Skew / time.Second), At: w.At,
		})
	}
	return all
}

func promise(net p2p.Status) api.Anonymity {
	a := api.Anonymity{Statement: promiseFast, RelaysToLink: 2, EnoughRelays: net.EnoughRelays}
	switch {
	case !net.EnoughRelays:
		a.Statement, a.RelaysToLink = promiseNone, 0
	case net.AllowPrivate:
		a.Statement = promisePrivate
	case net.OnlyBridges:
		a.Statement = promiseBridged
	}
	return a
}

// TryOthers tries other guards than those that are waited for.
func (n *Node) TryOthers(context.Context) error {
	if n.ctx.Err() != nil {
		return closedError
	}
	n.net.TryOthers()
	return nil
}
