package client

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"starling/p2p/bridge"
	"starling/p2p/censor"
	"starling/p2p/directory"
	"starling/p2p/guard"
)

const (
	// Messages count as lost when so many requests in a row brought nothing, to two
	// mailboxes at least, over so long a time.
	lostRequests  = 4
	lostMailboxes = 2
	lostFor       = 15 * time.Second
)

// Status is the present state of a client.
type Status struct {
	// Ready: a message can leave. A guard is connected, a route that keeps the rules
	// can be made over it, and no sign says that packets are lost.
	Ready bool
	// Reason names in a few words the thing missing when not Ready.
	Reason string
	// PeerID is our network identity of this start.
	PeerID string
	Guards []GuardStatus
	// Relays is how many relays are known, EnoughRelays whether a route that keeps
	// the rules can be made of them.
	Relays       int
	EnoughRelays bool
	// OneSource: only one relay has said which relays there are. Its operator can
	// choose them.
	OneSource bool
	// FarAsked is how many relays were asked through the mixes of late, FarOther how
	// many of them list other relays than we know: then our list is perhaps of
	// somebody's making.
	FarAsked, FarOther int
	// ClockAhead is by how much this computer's clock is ahead of the relays'; the
	// client goes by theirs. ClockKnown: two of them agree.
	ClockAhead time.Duration
	ClockKnown bool
	// Unseated are mailboxes without room for a standing subscription of ours: they are
	// asked more often instead.
	Unseated []NodeID
	// Sources are relays that are no guards and asked for the list now.
	Sources []SourceStatus
	// Bridges are those of the owner; OnlyBridges: nothing else is dialled.
	Bridges     []bridge.Status
	OnlyBridges bool
	Proxy       ProxyStatus
	// Ways are the ways in that were tried, the last first, and how each answered.
	Ways []Way
	// Habits are what the network around this computer does to connections.
	Habits censor.Habits
	// Scarce: connections freeze, those to some relay at least, and the next ones are few.
	Scarce bool
	// Doubtful is how many of them are avoided, because nothing seems to come
	// back over them.
	Doubtful int
	// Reached is how many of them are used while most of the network is out of reach; 0: it is not.
	Reached int
	// Hops is how many mixes a packet passes before the mailbox.
	Hops int
	// AllowPrivate: loopback and LAN relays are admitted and routes need not
	// span networks.
	AllowPrivate bool
	// BytesIn and BytesOut count frames on the links since the start.
	BytesIn, BytesOut int64
	// Refused counts dropped input, by reason.
	Refused map[string]int64
}

// GuardStatus is one guard in use or tried.
type GuardStatus struct {
	ID        NodeID
	Addr      string
	Connected bool
}

// SourceStatus is a relay that is asked for the list of relays.
type SourceStatus struct {
	ID   NodeID
	Addr string
	// Pasted: a link that the owner pasted names it, not the owner.
	Pasted bool
}

// returns counts requests and their answers.
type returns struct {
	mu        sync.Mutex
	since     time.Time // when the first request failed after the last answer
	failed    int
	mailboxes map[NodeID]bool
}

// answer notes that something came back, and reports whether that is news.
func (r *returns) answer() (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	news = r.failed >= lostRequests
	r.failed, r.mailboxes = 0, nil
	return news
}

// miss notes that a request brought nothing.
func (r *returns) miss(mailbox NodeID, sent time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == 0 {
		r.since, r.mailboxes = sent, map[NodeID]bool{}
	}
	r.failed++
	if len(r.mailboxes) < lostMailboxes {
		r.mailboxes[mailbox] = true
	}
}

// lost reports whether nothing comes back any more.
func (r *returns) lost(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed >= lostRequests && len(r.mailboxes) >= lostMailboxes && now.Sub(r.since) >= lostFor
}

// Status returns the present state of the client. It is the one place that knows whether a message can
// leave.
func (c *Client) Status() Status {
	snap := c.routes.now()
	s := Status{
		PeerID:       c.id.String(),
		Relays:       len(snap.Relays),
		OneSource:    c.lists.oneSource(),
		Doubtful:     c.routes.avoided(),
		Hops:         hops,
		AllowPrivate: c.cfg.AllowPrivate,
		Refused:      c.refused.All(),
	}

	// What the parts know of themselves.
	s.ClockAhead, s.ClockKnown = c.clock.Off()
	_, s.Reached, _ = c.sounder.Cut()
	s.FarAsked, s.FarOther = c.far.counts()
	s.Unseated = c.watches.Unseated()
	links := c.links.Load()
	if links != nil {
		s.BytesIn, s.BytesOut = links.Traffic()
	}

	// The guards: those that are connected, and the next to be.
	up := c.guardsUp()
	c.mu.Lock()
	known := c.guards.Known()
	for _, id := range known {
		connected := slices.Contains(up, id)
		if connected || len(s.Guards) < guard.Use {
			s.Guards = append(s.Guards, GuardStatus{ID: id, Addr: addressText(c.guards.Addresses(id)), Connected: connected})
		}
	}
	c.mu.Unlock()

	// The ways in.
	s.Sources = c.doors.asked()
	s.Ways, s.Habits = c.passage.tried(), c.passage.Habits()
	s.Scarce = c.passage.Scarce()
	s.Bridges, s.OnlyBridges = c.ways.Status(), c.ways.Only()
	s.Proxy = proxied(c)

	// Whether a message can leave, and the first reason why not.
	few := s.Relays < MinRelays
	over := up // the guards that a route would begin with
	if len(over) == 0 {
		over = known[:min(len(known), guard.Use)]
	}
	s.EnoughRelays = !few && (len(over) == 0 || c.routes.any(over))
	switch {
	case links == nil:
		s.Reason = "not running"
	case len(up) == 0 && s.Proxy.Fault != "":
		s.Reason = string(s.Proxy.Fault)
	case len(up) == 0 && s.OnlyBridges && len(s.Bridges) == 0:
		s.Reason = "only bridges may be used, and there is none; add one with: starling bridge add LINK"
	case len(up) == 0 && s.OnlyBridges && !anyUp(s.Bridges):
		s.Reason = "no bridge answers"
	case len(up) == 0 && s.Relays == 0 && c.doors.none() && len(known) == 0:
		s.Reason = "knows no relay; add a bootstrap address or use an invite"
	case s.Relays == 0 && c.lists.disagree():
		s.Reason = "the relays that were asked hand out different lists; add the address of another one"
	case len(up) == 0 && s.Relays == 0:
		s.Reason = "no known relay answers"
	case few:
		s.Reason = fmt.Sprintf("knows %d relays, a route needs %d", s.Relays, MinRelays)
	case !s.EnoughRelays:
		s.Reason = fmt.Sprintf("of %d relays no route can be made; too many of them are in one network", s.Relays)
	case len(up) == 0:
		s.Reason = "connecting to a guard"
	case c.returns.lost(time.Now()):
		s.Reason = "messages go out, but nothing comes back"
	default:
		s.Ready = true
	}
	return s
}

func anyUp(all []bridge.Status) bool {
	return slices.ContainsFunc(all, func(b bridge.Status) bool { return b.Connected })
}

// addressText is one address, for people.
func addressText(addrs []directory.Address) string {
	for _, m := range directory.Multiaddrs(addrs) {
		return m.String()
	}
	return ""
}
