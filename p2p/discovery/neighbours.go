package discovery

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/wire"
)

const (
	// WantNeighbours is how many relays a relay keeps connected at least.
	WantNeighbours = 6

	rejoin     = 30 * time.Second // between looks when all is well
	retryFirst = 200 * time.Millisecond
	redial     = 1               // relays tried at a time
	restMost   = 5 * time.Minute // between strangers that all answer
	dialLimit  = 10 * time.Second
	fresh      = 10 * time.Second // until it shows whether a connection is used
)

// Neighbours keeps a relay connected to others. While it has fewer than WantNeighbours
// it dials known relays, with growing pauses while nobody answers. Once it has enough
// it still dials a random unconnected one every 30 seconds or so: a mesh that was cut
// in two heals only if somebody tries the other side. As long as they answer there is
// no other side, and the pauses grow to five minutes.
//
// Twice a minute it closes unused connections: packets connect every relay with nearly
// every other one in time, and a connection costs both ends some 60 KiB. Those are used
// that the connection manager protects, for a link or for gossip.
type Neighbours struct {
	Host host.Host
	// Book decides on the nodes that it may dial. Its candidates are tried when nobody
	// else is left, and one beside each look at the other side.
	Book *book.Book
	// Dial connects to a relay by the book; nil is host.Reach.
	Dial func(context.Context, wire.NodeID) error
	// Known returns the relays to choose from: listed, or given.
	Known func() []wire.NodeID
	// Connected returns the relays that are connected, as opposed to clients.
	Connected func() []peer.ID
	// Spare is how many connections that nothing uses are kept: the next packet
	// need not wait for one.
	Spare int
	// Changed returns a channel that is closed when Known may have grown.
	Changed func() <-chan struct{}
}

// Run dials until ctx ends.
func (n *Neighbours) Run(ctx context.Context) error {
	failed := map[wire.NodeID]time.Time{} // not before
	pause, heal := retryFirst, false
	rest, look := rejoin, time.Time{} // between strangers, and when the next is due
	round := time.Now().Add(jitter(rejoin))

	for {
		changed := n.Changed()
		before := len(n.Connected())
		tried, reached := n.dial(ctx, failed, before, heal)
		if heal && tried > 0 {
			if rest = min(2*rest, restMost); reached < tried {
				rest = rejoin
			}
			look = time.Now().Add(jitter(rest))
		}
		heal = false

		wait := time.Until(round) // news puts nothing off
		if tried > 0 {
			if have := len(n.Connected()); have < WantNeighbours {
				if have > before {
					pause = retryFirst
				} else {
					pause = min(2*pause, rejoin)
				}
				wait = min(wait, jitter(pause))
			}
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
			now := time.Now()
			heal = !now.Before(look)
			n.shed(now)
			if !now.Before(round) {
				round = now.Add(jitter(rejoin))
			}
		case <-changed:
			// Let a burst of news arrive before looking at it.
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(jitter(retryFirst)):
			}
		}
	}
}

// dial dials as many as are wanted and returns how many that were, and how many
// of them answered.
func (n *Neighbours) dial(ctx context.Context, failed map[wire.NodeID]time.Time, have int, heal bool) (tried, reached int) {
	want := max(0, WantNeighbours-have)
	if heal {
		want = max(want, redial)
	}
	if want == 0 {
		return 0, 0 // as after most news
	}

	now := time.Now()
	choice := n.draw(n.Known(), want, failed, now)
	if few := want - len(choice); few > 0 || heal {
		choice = append(choice, n.draw(n.Book.Candidates(), max(few, redial), failed, now)...)
	}

	errs := make([]error, len(choice))
	var g errgroup.Group
	for i, p := range choice {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, dialLimit)
			defer cancel()
			errs[i] = n.reach(ctx, p)
			return nil
		})
	}
	g.Wait()

	for i, p := range choice {
		delete(failed, p)
		if errs[i] == nil {
			reached++
		} else if have > 0 {
			// Others can be tried meanwhile; with nobody left, nothing waits.
			failed[p] = now.Add(jitter(rejoin))
		}
	}

	if len(failed) > 1024 {
		clear(failed)
	}
	return len(choice), reached
}

func (n *Neighbours) reach(ctx context.Context, id wire.NodeID) error {
	if n.Dial != nil {
		return n.Dial(ctx, id)
	}
	return host.Reach(ctx, n.Host, n.Book, id)
}

// draw takes some at random of those that are not connected and did not just
// fail.
func (n *Neighbours) draw(ids []wire.NodeID, want int, failed map[wire.NodeID]time.Time, now time.Time) []wire.NodeID {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id wire.NodeID) bool {
		p := id.Peer()
		return p == n.Host.ID() || !now.After(failed[id]) || n.Host.Network().Connectedness(p) == network.Connected
	})
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids[:min(want, len(ids))]
}

// shed closes connections that nothing uses, except for some. One that is new
// has had no time to be used.
func (n *Neighbours) shed(now time.Time) {
	all := n.Connected()
	var idle []peer.ID
	for _, p := range all {
		if !n.Host.ConnManager().IsProtected(p, "") && !slices.ContainsFunc(n.Host.Network().ConnsToPeer(p), func(c network.Conn) bool {
			return now.Sub(c.Stat().Opened) < fresh
		}) {
			idle = append(idle, p)
		}
	}
	keep := max(n.Spare, WantNeighbours-(len(all)-len(idle)))
	rand.Shuffle(len(idle), func(i, j int) { idle[i], idle[j] = idle[j], idle[i] })
	for _, p := range idle[min(keep, len(idle)):] {
		n.Host.Network().ClosePeer(p)
	}
}
