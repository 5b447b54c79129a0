// Package book is a node's address book: the one place that turns an address
// into something that can be dialled.
//
// An address is the claim of its source. The book keeps for each address its source and
// the last answer of a node there. From them follows the use that a dial may have.
// Diallers take a [Permit] and nothing else, and only the book makes one; the gate of
// package host lets a connection out only while a permit for this node and this address
// is open. Claims of identify, the DHT, gossip or a contact are in no permit, even when
// libp2p's own stores hold them.
//
//	named by     a client dials it              a relay dials it
//	Owner        always                         always
//	Listed       always                         always
//	Remembered   always                         as a candidate
//	Local        always                         always
//	Pasted       while it knows no relay        as a candidate
//	Candidate    never                          by the rules below
//
// Only ports 80, 443 and from 1024 on are dialled, but for the owner's own words: a
// signature is no proof of an address.
//
// # Candidates
//
// The source of a candidate aims a dial of ours at it. A relay therefore dials only
// public addresses, none on a machine of its own. It dials each once in 10 minutes, even
// under other node ids, 8 an hour in one /24 (/48 of IPv6), 2 a second (32 saved up), and
// few at a time for each [Reason]; and it forgets a candidate that does not answer with
// its key. At most 1,024 lie in the book, 16 in one /24: of more, a random one goes.
// Where private addresses are allowed, the rules that count by address or network do not
// hold. Dials back to the address that a node comes from are counted apart, and so are
// checks of relays that others vouch for.
package book

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"starling/p2p/limits"
	"starling/p2p/wire"
)

// Limits of the book; the package comment gives their reasons.
const (
	CandidateAgain    = 10 * time.Minute // between dials of one address
	CandidatesPerHour = 8                // dials in one network
	CandidatesPerSec  = 2                // dials in all
	CandidatesBurst   = 32               // of them saved up
	CandidatesAtOnce  = 4                // dials that are under way, of those who were heard of
	ChecksAtOnce      = 16               // the same of our checks, and of each kind of examination
	MaxCandidates     = 1024             // nodes
	MaxPerNetwork     = 16               // of them in one network
	MaxLocal          = 64               // nodes of the local network
	MaxNamed          = 256              // nodes that owner and links name
	MaxAddresses      = 4                // of one node
	maxReached        = 1 << 14          // nodes with a remembered last answer
)

// Errors of Open.
var (
	// ErrNoAddress: no address of the node may be dialled by this role.
	ErrNoAddress = errors.New("book: no address that may be dialled")
	// ErrLater: the node is a candidate and its turn has not come.
	ErrLater = errors.New("book: not now")
	// ErrSpent: the address or its network was dialled as often as it may be.
	ErrSpent = errors.New("book: dialled too often")
)

// A Source is the source of an address.
type Source byte

// Sources, in the order of trust.
const (
	// Candidate: somebody said so.
	Candidate Source = iota + 1
	// Pasted: the link that the owner pasted said so.
	Pasted
	// Local: it answered on the local network, where the owner lets us ask.
	Local
	// Remembered: it stood in our directory at an earlier start.
	Remembered
	// Listed: the node itself signed it, and it stands in our directory.
	Listed
	// Owner: the owner of this machine said so.
	Owner
)

// A Role says which rules hold.
type Role byte

// Roles.
const (
	Client Role = iota + 1
	Relay
)

// Config is how a Book is made. Role is required.
type Config struct {
	Role Role
	// AllowPrivate admits loopback and LAN addresses, and drops the rules that
	// count by address or network.
	AllowPrivate bool
	// Listed returns the signed addresses of a node: of any relay of the
	// directory for a relay, of its guards for a client. Nil lists nobody.
	Listed func(wire.NodeID) []Address
	// Settled reports whether a client knows relays, so that links name none
	// any more. Nil is never.
	Settled func() bool
	// Own returns the addresses of this node. Nil is none.
	Own func() []Address
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// A Book is an address book. Its methods may be called from any goroutine.
type Book struct {
	cfg Config

	mu      sync.Mutex
	named   map[wire.NodeID]*entry // by the owner or a link
	heard   map[wire.NodeID]*entry // candidates
	reached map[wire.NodeID]answer
	permits map[*Permit]struct{}
	open    map[wire.NodeID]map[Address]int // by how many of them
	meter   meter
	checks  meter // of nodes that we look for because others vouch for them
	homes   meter // of nodes that come from the address they name
}

// An entry is one node and the claims about it.
type entry struct {
	source Source
	addrs  []Address
}

// An answer is where a node last answered with its key, and when.
type answer struct {
	addr Address
	at   time.Time
}

// New makes an empty book.
func New(cfg Config) *Book {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Book{
		cfg:     cfg,
		named:   map[wire.NodeID]*entry{},
		heard:   map[wire.NodeID]*entry{},
		reached: map[wire.NodeID]answer{},
		permits: map[*Permit]struct{}{},
		open:    map[wire.NodeID]map[Address]int{},
		meter:   newMeter(Network),
		checks:  newMeter(Network),
		homes:   newMeter(limits.Host), // a neighbour uses up nobody's
	}
}

// Name writes down where the owner, a link that the owner pasted, or the
// directory of an earlier start says a node is. The last word of the higher source stands. It reports whether the
// book took it.
func (b *Book) Name(id wire.NodeID, source Source, addrs ...Address) bool {
	if source != Owner && source != Remembered && source != Local && source != Pasted {
		return false
	}
	addrs = b.worth(addrs, source)
	if len(addrs) == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.named[id]
	if old != nil && old.source > source {
		return false
	}
	if old == nil && source == Local && b.count(Local) >= MaxLocal {
		b.dropBelow(Local+1, Local)
	}
	if old == nil && len(b.named) >= MaxNamed && !b.dropBelow(source, 0) {
		return false
	}
	b.named[id] = &entry{source, addrs}
	return true
}

// Forget takes back the word of a source on a node.
func (b *Book) Forget(id wire.NodeID, source Source) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.named[id]; e != nil && e.source == source {
		delete(b.named, id)
	}
}

// count returns how many nodes a source has named.
func (b *Book) count(source Source) (n int) {
	for _, e := range b.named {
		if e.source == source {
			n++
		}
	}
	return n
}

// dropBelow makes room for a source at the cost of a lower one, a random node of it.
func (b *Book) dropBelow(source, least Source) bool {
	for id, e := range b.named { // maps are walked in a random order
		if e.source < source && e.source >= least {
			delete(b.named, id)
			return true
		}
	}
	return false
}

// Hear writes down a claim about the addresses of a node, and reports whether the book
// took it: a client never does, and a relay only addresses that it may ever dial.
func (b *Book) Hear(id wire.NodeID, addrs ...Address) bool {
	if b.cfg.Role != Relay {
		return false
	}
	own := b.own()
	addrs = slices.DeleteFunc(b.usable(addrs), func(a Address) bool { return !relayPort(a) || b.ours(own, a) })
	if len(addrs) == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.heard, id) // the newest word stands
	b.makeRoom(addrs[0])
	b.heard[id] = &entry{Candidate, addrs}
	return true
}

// makeRoom forgets a random candidate of a full network, or of a full book.
func (b *Book) makeRoom(a Address) {
	var near func(*entry) bool
	if here := Network(a.Addr()); !b.cfg.AllowPrivate {
		near = func(e *entry) bool { return Network(e.addrs[0].Addr()) == here }
	}
	limits.MakeRoom(b.heard, MaxCandidates, near, MaxPerNetwork)
}

// Candidates returns the nodes that were heard of.
func (b *Book) Candidates() []wire.NodeID {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := make([]wire.NodeID, 0, len(b.heard))
	for id := range b.heard {
		ids = append(ids, id)
	}
	return ids
}

// Named returns the nodes that were named and that this role may dial now, as
// opposed to candidates.
func (b *Book) Named() []wire.NodeID {
	settled := b.settled()
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []wire.NodeID
	for id, e := range b.named {
		if e.source == Owner || e.source == Local || b.cfg.Role == Client && (e.source == Remembered || !settled) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compare)
	return ids
}

// Reached returns when a node last answered a dial with its key, and zero if
// that is not known.
func (b *Book) Reached(id wire.NodeID) (Address, time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.reached[id]
	return a.addr, a.at
}

// Signed returns the signed addresses of a node that stands in our directory, at ports of
// relays.
func (b *Book) Signed(id wire.NodeID) []Address {
	if b.cfg.Listed == nil {
		return nil
	}
	return b.usable(slices.DeleteFunc(slices.Clone(b.cfg.Listed(id)), func(a Address) bool { return !relayPort(a) }))
}

// worth keeps the addresses that a source may name: of the owner those that stand for
// names, too.
func (b *Book) worth(addrs []Address, source Source) []Address {
	var names []Address
	for _, a := range addrs {
		if source == Owner && StandIns.Contains(a.Addr()) && !b.cfg.AllowPrivate {
			names = append(names, a)
		}
	}
	all := append(names, b.usable(addrs)...)
	return all[:min(len(all), MaxAddresses)]
}

// usable keeps the addresses that could be dialled by anybody.
func (b *Book) usable(addrs []Address) []Address {
	var keep []Address
	for _, a := range addrs {
		if len(keep) < MaxAddresses && (Public(a.AddrPort) || b.cfg.AllowPrivate && valid(a.AddrPort)) && !slices.Contains(keep, a) {
			keep = append(keep, a)
		}
	}
	return keep
}

func (b *Book) own() []Address {
	if b.cfg.Own == nil {
		return nil
	}
	return b.cfg.Own()
}

// ours reports whether an address leads back to this machine: to one of its addresses,
// at any port.
func (b *Book) ours(own []Address, a Address) bool {
	return slices.ContainsFunc(own, func(o Address) bool {
		return o.AddrPort == a.AddrPort || !b.cfg.AllowPrivate && o.Addr() == a.Addr()
	})
}

func (b *Book) settled() bool { return b.cfg.Settled != nil && b.cfg.Settled() }

// order puts addresses in the order in which they are tried: where the node
// last answered, then IPv6 and IPv4 in turns (RFC 8305, section 4).
func order(addrs []Address, last Address) []Address {
	var six, four, all []Address
	for _, a := range addrs {
		switch {
		case a == last:
			all = append(all, a)
		case a.Addr().Is4():
			four = append(four, a)
		default:
			six = append(six, a)
		}
	}

	// Behind an IPv6 address that answered comes an IPv4 one.
	if len(all) > 0 && !last.Addr().Is4() && len(four) > 0 {
		all, four = append(all, four[0]), four[1:]
	}

	for i := range max(len(six), len(four)) {
		if i < len(six) {
			all = append(all, six[i])
		}
		if i < len(four) {
			all = append(all, four[i])
		}
	}
	return all
}

// Draw returns a random candidate, and false if there is none.
func (b *Book) Draw() (wire.NodeID, bool) {
	ids := b.Candidates()
	if len(ids) == 0 {
		return wire.NodeID{}, false
	}
	return ids[rand.IntN(len(ids))], true
}

// compare orders node ids.
func compare(a, b wire.NodeID) int { return cmp.Compare(string(a[:]), string(b[:])) }
