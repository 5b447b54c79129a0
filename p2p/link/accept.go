package link

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"starling/p2p/wire"
)

// formerFor is how long the line before stays open: what is on its way may still come.
const formerFor = 2 * time.Second

// accept owns a stream that somebody has opened, until it ends.
func (l *Links) accept(s network.Stream) {
	id, err := wire.NodeIDFromPeer(s.Conn().RemotePeer())
	if err != nil {
		l.count("foreign key")
		s.Reset()
		return
	}
	if !l.begin(id) {
		s.Reset()
		return
	}
	defer l.wg.Done()
	ln := lineOf(s)
	ended := context.AfterFunc(l.ctx, func() { s.Reset() })
	defer ended()

	theirs, err := l.hear(ln)
	var e *end
	if err == nil {
		e, err = l.admit(id, theirs, ln)
	}
	l.begun(id)
	if err != nil {
		l.count("no hello")
		s.Reset()
		return
	}
	l.read(e, ln)
}

// begin counts a stream that has no hello yet.
func (l *Links) begin(id wire.NodeID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.peers[id])+l.coming[id] >= perPeer {
		l.count("too many links")
		return false
	}
	l.coming[id]++
	l.wg.Add(1)
	return true
}

// begun counts it no more.
func (l *Links) begun(id wire.NodeID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.coming[id]--; l.coming[id] == 0 {
		delete(l.coming, id)
	}
}

// admit answers a hello: a new link begins, or one goes on, on this line.
func (l *Links) admit(id wire.NodeID, theirs wire.Hello, ln *line) (*end, error) {
	ours := wire.Hello{Role: l.cfg.Role, Link: theirs.Link}
	lasts := theirs.Has(wire.Lasts) && theirs.Role == wire.RoleClient && l.cfg.Role != wire.RoleClient
	if lasts {
		ours.Features |= wire.Lasts
	} else {
		rand.Read(ours.Link[:])
	}

	var e *end
	if lasts && theirs.Has(wire.GoesOn) {
		e = l.find(id, theirs.Link)
	}
	if e != nil {
		received, former, ok := e.leave(theirs.Received)
		if former != nil {
			l.later(former)
		}
		if ok {
			ours.Features |= wire.GoesOn
			ours.Received, ln.base = received, received
		} else {
			e = nil
		}
	}
	if lasts {
		ln.room = int(theirs.Room)
	}
	goesOn := e != nil
	if !goesOn {
		e = newEnd(id, theirs.Link, lasts, false)
		theirs.Received = 0
	}

	if err := l.greet(ln, ours); err != nil {
		if goesOn {
			l.dropAbsent() // it has left its line
		}
		return nil, err
	}
	e.mu.Lock()
	e.role = theirs.Role
	e.mu.Unlock()
	if !goesOn {
		l.endAbsent(id)
		if !l.add(e) {
			return nil, ErrClosed
		}
	}
	if _, ok := l.carryOn(e, ln, theirs.Received); !ok {
		return nil, ErrClosed
	}
	if goesOn {
		l.setRole(e)
	}
	return e, nil
}

// carryOn puts a link on a line, and hangs up the former one a while later.
func (l *Links) carryOn(e *end, ln *line, has uint64) (former *line, ok bool) {
	former, freed, ok := e.carry(ln, has)
	l.counted(-freed)
	if former != nil {
		l.later(former)
	}
	return former, ok
}

// later hangs up a line that carries nothing any more, at once if all has come on it.
func (l *Links) later(ln *line) {
	l.Go(func(ctx context.Context) {
		if ln.most > 0 && ln.all.Load() >= int64(ln.most) {
			ln.hangUp()
			return
		}
		select {
		case <-time.After(formerFor):
		case <-ln.gone:
		case <-ctx.Done():
		}
		ln.hangUp()
	})
}

// find returns the link of a peer that has an id.
func (l *Links) find(peer wire.NodeID, id [16]byte) *end {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.peers[peer], func(e *end) bool { return e.lasts && e.id == id })
	if i < 0 {
		return nil
	}
	return l.peers[peer][i]
}

// endAbsent ends the links of a peer that begins a new one, and has left them.
func (l *Links) endAbsent(peer wire.NodeID) {
	l.mu.Lock()
	all := slices.Clone(l.peers[peer])
	l.mu.Unlock()
	for _, e := range all {
		if _, absent := e.absent(); absent && e.lasts {
			l.end(e, false)
		}
	}
}

// dropAbsent ends a link without a line, if there are too many of them: of the network
// with most, where networks have shares, the one that was longest without.
func (l *Links) dropAbsent() {
	type left struct {
		e       *end
		since   time.Time
		network netip.Prefix
	}
	var all []left
	of := map[netip.Prefix]int{}
	l.mu.Lock()
	for _, ends := range l.peers {
		for _, e := range ends {
			at, absent := e.absent()
			if !absent || e.dialled {
				continue
			}
			it := left{e: e, since: at}
			if l.cfg.ByNetwork != nil {
				it.network = e.origin()
			}
			of[it.network]++
			all = append(all, it)
		}
	}
	l.mu.Unlock()
	if len(all) <= maxAbsent {
		return
	}

	l.count("absent too many")
	l.end(slices.MinFunc(all, func(a, b left) int {
		return cmp.Or(of[b.network]-of[a.network], a.since.Compare(b.since))
	}).e, false)
}

var maxAbsent = MaxAbsent // for tests
