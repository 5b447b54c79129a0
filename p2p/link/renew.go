package link

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/wire"
)

// Dial connects to a node, where the book lets it, and opens a link, unless
// there is one. A client's link that was lost goes on.
func (l *Links) Dial(ctx context.Context, id wire.NodeID) error {
	if l.Connected(id) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	if l.cfg.Role == wire.RoleClient {
		return l.open(ctx, id)
	}
	if err := host.Reach(ctx, l.cfg.Host, l.cfg.Book, id); err != nil {
		return err
	}
	err := l.openStream(ctx, id)
	if err != nil && !l.Connected(id) {
		l.cfg.Host.Network().ClosePeer(id.Peer()) // it is of no use
	}
	return err
}

// openStream opens a link over a connection of the host. Between relays of the list no
// packet waits for a hello.
func (l *Links) openStream(ctx context.Context, id wire.NodeID) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.HelloTimeout)
	defer cancel()
	eager := l.cfg.Role == wire.RoleRelay && l.cfg.Listed(id)
	s, err := l.cfg.Host.NewStream(network.WithNoDial(ctx, "link"), id.Peer(), wire.FrameProtocol)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSilent, err)
	}
	if !l.begin(id) {
		s.Reset()
		return ErrSilent
	}

	// Our hello goes first. A relay that dials a listed one does not wait for the answer: its link
	// is up at once.
	ln := lineOf(s)
	ours := wire.Hello{Role: l.cfg.Role}
	rand.Read(ours.Link[:])
	up := make(chan error, 1)
	go func() {
		defer l.wg.Done()
		ended := context.AfterFunc(l.ctx, func() { s.Reset() })
		defer ended()
		e := newEnd(id, ours.Link, false, true)
		err := l.greet(ln, ours)
		if eager {
			if err == nil {
				err = l.addOn(e, ln)
			}
			l.begun(id)
			up <- err
		}

		// The other side's hello tells its role.
		var theirs wire.Hello
		if err == nil {
			theirs, err = l.hear(ln)
		}
		if err == nil {
			e.mu.Lock()
			e.role = theirs.Role
			e.mu.Unlock()
		}
		if !eager {
			if err == nil {
				err = l.addOn(e, ln)
			}
			l.begun(id)
			up <- err
		} else if err == nil {
			l.setRole(e)
		}

		if err != nil {
			l.count("no hello")
			s.Reset()
			if eager {
				l.end(e, false)
			}
			return
		}

		l.read(e, ln)
	}()

	// The caller waits until the link is up, or for as long as a hello may take.
	select {
	case err = <-up:
	case <-ctx.Done():
		s.Reset()
		err = <-up
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSilent, err)
	}
	return nil
}

// addOn puts a new link on its line.
func (l *Links) addOn(e *end, ln *line) error {
	if !l.add(e) {
		return ErrClosed
	}
	if _, ok := l.carryOn(e, ln, 0); !ok {
		return ErrClosed
	}
	return nil
}

// lasting returns our link to a peer that lasts, if there is one, with a line or without.
func (l *Links) lasting(id wire.NodeID) *end {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.peers[id], func(e *end) bool { return e.lasts && e.dialled })
	if i < 0 {
		return nil
	}
	return l.peers[id][i]
}

// A turn is the right to open a line to a peer.
type turn struct {
	held chan struct{}
	want int // of those who have it or wait, by Links.mu
}

// turn waits until no other line to the peer is being opened.
func (l *Links) turn(ctx context.Context, id wire.NodeID) (done func(), err error) {
	l.mu.Lock()
	t := l.turns[id]
	if t == nil {
		t = &turn{held: make(chan struct{}, 1)}
		l.turns[id] = t
	}
	t.want++
	l.mu.Unlock()

	left := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if t.want--; t.want == 0 {
			delete(l.turns, id)
		}
	}
	select {
	case t.held <- struct{}{}:
		return func() { <-t.held; left() }, nil
	case <-ctx.Done():
		left()
		return nil, ctx.Err()
	}
}

// open opens a line of our own to a peer, for the link that was there before or a new
// one.
func (l *Links) open(ctx context.Context, id wire.NodeID) error {
	done, err := l.turn(ctx, id)
	if err != nil {
		return err
	}
	defer done()
	if l.Connected(id) {
		return nil // somebody else was before us
	}
	return l.next(ctx, id, l.lasting(id))
}

// next opens a line and puts a link on it; a new one, if e is nil.
func (l *Links) next(ctx context.Context, id wire.NodeID, e *end) error {
	p, err := l.cfg.Book.Open(id)
	if err != nil {
		return err
	}
	if e != nil {
		e.trying()
	}
	source, at := p.Source(), p.Addrs()
	l.cfg.Network.Began(id, at)
	err = l.over(ctx, p, e)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		l.cfg.Network.GivenUp(id, err)
	} else {
		l.cfg.Network.Ended(id, source, at, err)
	}
	return err
}

// over opens a line where a permit allows.
func (l *Links) over(ctx context.Context, p *book.Permit, e *end) error {
	id := p.ID()
	c, err := host.NewConnection(ctx, l.cfg.Host, p)
	if err != nil {
		return err
	}
	l.conns.Add(1)
	if !l.Go(func(ctx context.Context) {
		defer l.conns.Add(-1)
		ended := context.AfterFunc(ctx, func() { c.Close() })
		defer ended()
		host.Refuse(c)
		c.Close()
	}) {
		c.Close()
		l.conns.Add(-1)
		return ErrClosed
	}

	ctx, cancel := context.WithTimeout(ctx, l.cfg.HelloTimeout)
	defer cancel()
	ln, err := lineOver(ctx, c)
	if err != nil {
		c.Close()
		return fmt.Errorf("%w: %w", ErrSilent, err)
	}
	hasty := context.AfterFunc(ctx, func() { c.Close() })
	if err = l.meet(id, e, ln); !hasty() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.Close()
		l.count("no hello")
		return fmt.Errorf("%w: %w", ErrSilent, err)
	}
	return nil
}

// meet exchanges hellos on a line and puts a link on it.
func (l *Links) meet(id wire.NodeID, e *end, ln *line) error {
	ours := wire.Hello{Role: l.cfg.Role, Features: wire.Lasts, Room: ln.budget(l.cfg.Network.Allowance(id))}

	ln.sparing = l.cfg.Network.Sparing(id)

	// A hello names the link that is to go on, and the frames of it that came, or a new one.
	fresh := e == nil
	if fresh {
		rand.Read(ours.Link[:])
		e = newEnd(id, ours.Link, true, true)
	} else {
		e.mu.Lock()
		ours.Link, ours.Received, ln.base = e.id, e.received, e.received
		ours.Features |= wire.GoesOn
		e.told = e.received
		e.mu.Unlock()
	}

	if err := l.greet(ln, ours); err != nil {
		return err
	}
	theirs, err := l.hear(ln)
	if err != nil {
		return err
	}

	// An answer may not go on with a link that was never named, nor count frames of a new one.
	lasts := theirs.Has(wire.Lasts) && theirs.Link == ours.Link
	goesOn := lasts && theirs.Has(wire.GoesOn)
	if goesOn && fresh || !goesOn && theirs.Received != 0 {
		return wire.ErrHello
	}

	if !fresh && !lasts { // it has become another program
		l.end(e, false)
		e, fresh = newEnd(id, ours.Link, false, true), true
	}

	// The other side has forgotten the link: it begins anew, and its frames are written later.
	if !goesOn && !fresh {
		if former := e.afresh(); former != nil {
			l.later(former)
		}
		ln.base = 0
	}
	e.mu.Lock()
	e.lasts, e.role, e.frugal = lasts, theirs.Role, ln.allowance > 0
	e.mu.Unlock()
	if fresh && !l.add(e) {
		return ErrClosed
	}
	if _, ok := l.carryOn(e, ln, theirs.Received); !ok {
		if former := e.afresh(); former != nil && !fresh { // the next one begins anew
			l.later(former)
		}
		return wire.ErrHello
	}

	// The line before froze after so many bytes: the habits of the network.
	if came := e.mended(); came > 0 {
		l.cfg.Network.Frozen(id, came)
	}
	l.Go(func(context.Context) { l.read(e, ln) })
	if lasts {
		l.Go(func(ctx context.Context) { l.mind(ctx, e, ln) })
	}
	l.setRole(e)
	if !fresh && e.set(true) && l.cfg.Changed != nil {
		l.cfg.Changed(id, true)
	}
	return nil
}

// Answers asks the line of a client's link whether it is alive; can is false if it knows no
// such question, or the network lets any number of bytes pass: a page of the list costs
// nothing there and tells more. While the next line is being made nothing is asked.
func (l *Links) Answers(id wire.NodeID, most time.Duration) (answers, can bool) {
	e := l.lasting(id)
	if e == nil {
		return false, false
	}
	e.mu.Lock()
	ln, frugal := e.line, e.frugal
	e.mu.Unlock()
	switch {
	case !frugal:
		return false, false
	case ln == nil:
		return true, true
	case ln.ping == nil:
		return false, false
	}
	return ln.answers(most), true
}

// Room returns how many frames may come now on a client's link where the network lets so many
// bytes through on a connection, and since when the connection is there. If there is none on a connection that was begun without
// a budget, the next is made; while that cannot be, there is room for one at a time.
func (l *Links) Room(id wire.NodeID, budget int64) (frames int, since time.Time) {
	e := l.lasting(id)
	if e == nil {
		return 0, time.Time{}
	}
	e.mu.Lock()
	ln := e.line
	e.mu.Unlock()
	if ln == nil {
		return 0, time.Time{}
	}
	frames = ln.left(budget)

	// It was begun when nobody knew of a budget, and is over it: nobody asks for a frame, and none comes that has the next
	// line made.
	if frames == 0 && ln.most == 0 && budget > 0 && e.dialled {
		l.renew(e, ln)
		frames = ln.unsure()
	}
	return frames, ln.began
}

// Renew makes the next line of a client's link beside the present one, which may be dead
// without a word: the network has changed. Without an answer there is no link.
func (l *Links) Renew(id wire.NodeID) {
	if e := l.lasting(id); e != nil && e.present() {
		l.Go(func(ctx context.Context) { l.silent(ctx, e, nil) })
	}
}

// renew makes the next line of a link, while ln still carries it or after it was lost.
func (l *Links) renew(e *end, ln *line) {
	if ln != nil && !ln.renewing.CompareAndSwap(false, true) {
		return
	}
	l.Go(func(ctx context.Context) {
		if ln == nil {
			l.silent(ctx, e, nil)
			return
		}

		// The other side may wait for the next line: it is tried until there is one.
		for pause := renewLeast; wait(ctx, l.cfg.Network.Wait(e.peer), ln.gone); pause = min(2*pause, renewMost) {
			switch err := l.again(ctx, e, ln); {
			case err == nil:
				l.cfg.Network.Carried(e.peer, ln.received())
				return
			case errors.Is(err, errMoved), errors.Is(err, ErrClosed):
				return
			}
			if ln.sparing { // most likely a bridge has to be waited for
				pause = min(pause, renewSparing)
			}
			if !wait(ctx, pause, ln.gone) {
				return
			}
		}
	})
}

// wait waits, and reports whether nothing ended meanwhile.
func wait(ctx context.Context, d time.Duration, gone <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-gone:
	case <-ctx.Done():
	}
	return false
}

// errMoved: another line carries the link by now.
var errMoved = errors.New("link: it has moved on")

// again makes the next line, if ln is the one that carries the link; nil is none.
func (l *Links) again(ctx context.Context, e *end, ln *line) error {
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	done, err := l.turn(ctx, e.peer)
	if err != nil {
		return err
	}
	defer done()
	e.mu.Lock()
	moved, over := e.line != ln && e.line != nil, e.over
	e.mu.Unlock()
	switch {
	case over:
		return ErrClosed
	case moved:
		return errMoved
	}
	return l.next(ctx, e.peer, e)
}

// silent makes the next line of a link on which nothing comes, or has it count as gone.
func (l *Links) silent(ctx context.Context, e *end, ln *line) {
	var err error = ErrNoLink
	tried := l.cfg.Network.Wait(e.peer) <= soonEnough
	if tried {
		if wait(ctx, l.cfg.Network.Wait(e.peer), e.done) {
			e.mu.Lock()
			now := e.line
			e.mu.Unlock()
			err = l.again(ctx, e, now)
		}
	}
	if err == nil || errors.Is(err, errMoved) || ctx.Err() != nil {
		return
	}

	if tried {
		l.cfg.Network.Silent(e.peer)
	}
	l.gone(e)
}

// gone has a link of ours count as gone, until Dial finds the peer again.
func (l *Links) gone(e *end) {
	l.count("link lost")
	e.mu.Lock()
	dead := e.line
	e.line, e.since = nil, time.Now()
	e.mu.Unlock()
	if dead != nil {
		l.hangUp(dead)
	}
	if e.set(false) && l.cfg.Changed != nil {
		l.cfg.Changed(e.peer, false)
	}
}

// mind asks after a line that says nothing though something was written, or that a network
// may have frozen while nothing was due.
func (l *Links) mind(ctx context.Context, e *end, ln *line) {
	look := time.NewTimer(lookFirst)
	defer look.Stop()
	looked := looks // since the last frame
	for {
		since, due := time.Now(), false
		select {
		case <-ln.asked:
			since, due = time.Now(), true
			if !wait(ctx, silentFor, ln.gone) {
				return
			}
		case <-ln.stirred:
			if looked = 0; ln.doubtful() {
				look.Reset(lookFirst)
			}
			continue
		case <-look.C:
			if looked >= looks {
				continue
			}
			looked++
			look.Reset(lookFirst << looked)
		case <-ln.gone:
			return
		case <-ctx.Done():
			return
		}
		// Nothing comes on a line without room, and an answer would take room that there is not.
		if ln.filled() || ln.heardSince(since) || ln.answers(answerFor) || ln.heardSince(since) {
			continue
		}

		e.mu.Lock()
		carries := e.line == ln
		e.mu.Unlock()
		if !carries {
			return
		}
		l.count("line silent")
		if !due {
			if !l.moves(ctx, e, ln) {
				continue
			}
			return
		}
		e.broke(ln.received())
		l.silent(ctx, e, ln)
		return
	}
}

// moves makes the next line of a link on which nothing is due, and reports whether it did.
// Else perhaps nothing passes just now, and the line will go on.
func (l *Links) moves(ctx context.Context, e *end, ln *line) bool {
	if l.cfg.Network.Wait(e.peer) > 0 {
		return false
	}
	e.broke(ln.received())
	if err := l.again(ctx, e, ln); err != nil {
		e.broke(0)
		return errors.Is(err, errMoved) || errors.Is(err, ErrClosed)
	}
	return true
}

// answers reports whether the other side answers in time.
func (ln *line) answers(most time.Duration) bool {
	if ln.ping == nil {
		return false
	}
	answer := make(chan error, 1)
	go func() { answer <- ln.ping() }()
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case err := <-answer:
		return err == nil
	case <-t.C:
		return false
	}
}
