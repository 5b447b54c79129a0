package book

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"starling/p2p/wire"
)

// A Permit lets one node be dialled at some addresses, until Done or Unknown.
type Permit struct {
	book   *Book
	id     wire.NodeID
	source Source
	addrs  []Address
	meter  *meter // that counts it, if it is a candidate's
	why    Reason
	done   bool
}

// ID returns the node that may be dialled.
func (p *Permit) ID() wire.NodeID { return p.id }

// Addrs returns where, in the order in which to try.
func (p *Permit) Addrs() []Address { return slices.Clone(p.addrs) }

// Source returns the source of the address.
func (p *Permit) Source() Source { return p.source }

// Open gives leave to dial a node now. Every permit must be given back by Done.
func (b *Book) Open(id wire.NodeID) (*Permit, error) {
	listed, settled, own := b.Signed(id), b.settled(), b.own()
	b.mu.Lock()
	defer b.mu.Unlock()
	addrs, source := b.choose(id, listed, settled)

	// Nobody may point us at ourselves, not even in a signed list.
	addrs = slices.DeleteFunc(addrs, func(a Address) bool {
		return slices.ContainsFunc(own, func(o Address) bool { return o.AddrPort == a.AddrPort })
	})
	if source == Candidate {
		addrs = slices.DeleteFunc(addrs, func(a Address) bool { return b.ours(own, a) })
	}
	if source != Owner { // who is listed at one is left out by Signed
		addrs = slices.DeleteFunc(addrs, func(a Address) bool { return !relayPort(a) })
	}

	if len(addrs) == 0 {
		return nil, ErrNoAddress
	}
	if source == Candidate {
		if addrs = b.meter.take(addrs, b.cfg.Now(), !b.cfg.AllowPrivate, Heard); len(addrs) == 0 {
			return nil, ErrLater
		}
	}
	p := b.permit(id, source, order(addrs, b.reached[id].addr))
	p.meter = &b.meter
	return p, nil
}

// A Reason is why a node is dialled by the rules of candidates. A node that does not
// answer keeps a dial under way for seconds: so each reason has its own number of them.
type Reason byte

// Reasons.
const (
	// Heard: somebody said that it is there.
	Heard Reason = iota
	// Asked: it wants to be examined, at an address that it does not come from.
	Asked
	// Checked: others vouch for it, and we look for ourselves.
	Checked
	// Home: it wants to be examined at the very address that it comes from.
	Home
	reasons
)

// OpenAt gives leave to dial a node at one address that it names itself, to see whether
// it is there: by the rules of candidates, even if it is listed. Checks are counted
// apart, and so are dials home, which nobody else can aim: no third party uses up their
// turns.
func (b *Book) OpenAt(id wire.NodeID, a Address, why Reason) (*Permit, error) {
	if b.cfg.Role != Relay || len(b.usable([]Address{a})) == 0 || !relayPort(a) || b.ours(b.own(), a) {
		return nil, ErrNoAddress
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m, now := &b.meter, b.cfg.Now()
	switch why {
	case Checked:
		m = &b.checks
	case Home:
		m = &b.homes
	}
	if !b.cfg.AllowPrivate && m.spent(a, now) {
		return nil, ErrSpent
	}
	addrs := m.take([]Address{a}, now, !b.cfg.AllowPrivate, why)
	if len(addrs) == 0 {
		return nil, ErrLater
	}
	p := b.permit(id, Candidate, addrs)
	p.meter, p.why = m, why
	return p, nil
}

// permit opens the gate. The caller holds the lock.
func (b *Book) permit(id wire.NodeID, source Source, addrs []Address) *Permit {
	gate := b.open[id]
	if gate == nil {
		gate = map[Address]int{}
		b.open[id] = gate
	}
	for _, a := range addrs {
		gate[a]++
	}
	p := &Permit{book: b, id: id, source: source, addrs: addrs}
	b.permits[p] = struct{}{}
	return p
}

// Order sorts addresses of one node as its permit has them.
func (b *Book) Order(addrs []Address) []Address {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p := range b.permits {
		if !slices.ContainsFunc(addrs, func(a Address) bool { return !slices.Contains(p.addrs, a) }) {
			return slices.DeleteFunc(slices.Clone(p.addrs), func(a Address) bool { return !slices.Contains(addrs, a) })
		}
	}
	return order(addrs, Address{})
}

// choose returns the addresses of the best source. Addresses from the owner and
// from the list are tried together.
func (b *Book) choose(id wire.NodeID, listed []Address, settled bool) ([]Address, Source) {
	named, heard := b.named[id], b.heard[id]

	switch {
	// The owner may know an address that is in no list, as that of a bridge behind a router.
	case named != nil && named.source == Owner:
		both := slices.Clone(named.addrs)
		for _, a := range listed {
			if !slices.Contains(both, a) && len(both) < MaxAddresses {
				both = append(both, a)
			}
		}
		return both, Owner
	case len(listed) > 0:
		return slices.Clone(listed), Listed
	case named != nil && named.source == Local:
		return slices.Clone(named.addrs), Local
	// A client dials nobody by hearsay: a candidate would learn its address.
	case b.cfg.Role == Client:
		if named != nil && (named.source == Remembered || !settled) {
			return slices.Clone(named.addrs), named.source
		}
		return nil, 0
	case named != nil:
		return slices.Clone(named.addrs), Candidate
	case heard != nil:
		return slices.Clone(heard.addrs), Candidate
	}

	return nil, 0
}

// May reports whether a permit is open for a node at an address. The gate asks it.
func (b *Book) May(id wire.NodeID, a Address) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open[id][a] > 0
}

// Opened returns the open addresses of a node, in no order: the peerstore shows those
// to libp2p.
func (b *Book) Opened(id wire.NodeID) []Address {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Address
	for a := range b.open[id] {
		all = append(all, a)
	}
	return all
}

// Done gives the permit back, and says where the node answered with its key: a
// zero address if it did not. A candidate that did not is forgotten.
func (p *Permit) Done(reached Address) {
	b := p.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if !p.close() {
		return
	}

	switch {
	case reached.IsValid():
		if len(b.reached) >= maxReached {
			for id := range b.reached {
				delete(b.reached, id)
				break
			}
		}
		b.reached[p.id] = answer{reached, b.cfg.Now()}
	case p.source == Candidate:
		delete(b.heard, p.id)
	}
}

// Unknown gives the permit back after a dial without an end: the node connected to us
// meanwhile, or the caller hung up. That says nothing about the node's addresses. They
// may be dialled once more without a wait; the share of their network in this hour is
// spent.
func (p *Permit) Unknown() {
	b := p.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.close() && p.source == Candidate {
		for _, a := range p.addrs {
			delete(p.meter.dialled, a.AddrPort)
		}
	}
}

// close shuts the gate, and reports whether it was open. The caller holds the lock.
func (p *Permit) close() bool {
	if p.done {
		return false
	}
	b := p.book
	p.done = true
	delete(b.permits, p)

	gate := b.open[p.id]
	for _, a := range p.addrs {
		if gate[a]--; gate[a] <= 0 {
			delete(gate, a)
		}
	}
	if len(gate) == 0 {
		delete(b.open, p.id)
	}

	if p.source == Candidate {
		p.meter.atOnce[p.why]--
	}
	return true
}

// A meter counts the dials of candidates.
type meter struct {
	block    func(netip.Addr) netip.Prefix // of the addresses that share a bound
	atOnce   [reasons]int                  // under way
	tokens   float64
	filled   time.Time
	dialled  map[netip.AddrPort]time.Time
	networks map[netip.Prefix][]time.Time // of the last hour
}

func newMeter(block func(netip.Addr) netip.Prefix) meter {
	return meter{block: block, tokens: CandidatesBurst, dialled: map[netip.AddrPort]time.Time{}, networks: map[netip.Prefix][]time.Time{}}
}

// take returns the addresses of one candidate that may be dialled now, and
// counts them. The permit must be ended unless there are none.
func (m *meter) take(addrs []Address, now time.Time, byNetwork bool, why Reason) (may []Address) {
	// After a clock that was set back the bucket begins anew, and does not stay empty.
	if m.filled.IsZero() || now.Before(m.filled) {
		m.filled = now
	}
	m.tokens = min(CandidatesBurst, m.tokens+CandidatesPerSec*now.Sub(m.filled).Seconds())
	m.filled = now

	most := ChecksAtOnce
	if why == Heard {
		most = CandidatesAtOnce
	}
	if m.atOnce[why] >= most {
		return nil
	}

	m.sweep(now)
	for _, a := range addrs {
		if m.tokens < 1 {
			break
		}

		// Bounded by the victim's network: many node ids do not make us dial it more often.
		if byNetwork {
			n := m.block(a.Addr())
			_, again := m.dialled[a.AddrPort]
			if again || len(m.networks[n]) >= CandidatesPerHour {
				continue
			}
			m.dialled[a.AddrPort] = now
			m.networks[n] = append(m.networks[n], now)
		}
		m.tokens--
		may = append(may, a)
	}

	if len(may) > 0 {
		m.atOnce[why]++
	}
	return may
}

// spent reports whether an address, or its network, has had its dials for now.
func (m *meter) spent(a Address, now time.Time) bool {
	m.sweep(now)
	_, again := m.dialled[a.AddrPort]
	return again || len(m.networks[m.block(a.Addr())]) >= CandidatesPerHour
}

// sweep forgets dials that count no more. Both maps are bounded by the rate:
// 1,200 addresses in 10 minutes, 7,200 dials in an hour.
func (m *meter) sweep(now time.Time) {
	for a, at := range m.dialled {
		if now.Sub(at) >= CandidateAgain {
			delete(m.dialled, a)
		}
	}
	for n, times := range m.networks {
		times = slices.DeleteFunc(times, func(at time.Time) bool { return now.Sub(at) >= time.Hour })
		if len(times) == 0 {
			delete(m.networks, n)
			continue
		}
		m.networks[n] = times
	}
}

func tcpAddr(a netip.AddrPort) *net.TCPAddr { return net.TCPAddrFromAddrPort(a) }
