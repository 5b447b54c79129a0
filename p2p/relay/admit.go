package relay

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"golang.org/x/sync/errgroup"

	"starling/p2p/admission"
	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/host"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

const (
	// checkTimeout is how long a relay may take to show its key at an address.
	checkTimeout = 5 * time.Second
	checksAtOnce = 4
	// examinedAtOnce is how many knockers are dialled at a time.
	examinedAtOnce = 8
	// lateLook is between looks at news that came too often.
	lateLook = time.Minute
	// busyWait is until a check is tried again for which there is no leave yet.
	busyWait  = 500 * time.Millisecond
	busyTries = 6
	// lately is how long a dial of ours shows that a relay is there.
	lately = time.Hour

	// knockLook is between looks whether a voucher is missing.
	knockLook = 30 * time.Second
)

// lobby is the part of a relay that lets others into its list, and asks to be let
// into theirs.
type lobby struct {
	register  *admission.Registrar
	applicant admission.Applicant
	knocks    admission.Knocks
	line      *admission.Line // to be examined
	vouched   chan struct{}   // a voucher came, or a refusal
}

func (r *Relay) newLobby() {
	r.lobby.register = admission.New(admission.Config{
		Directory: r.dir, Self: r.id, AllowPrivate: r.cfg.AllowPrivate, Candidates: r.sizes.Admitting, Now: r.now,
		Reached: r.reachedLately,
		Named: func(id wire.NodeID) bool {
			return slices.Contains(r.book.Named(), id)
		},
	})
	r.lobby.knocks.ByNetwork = !r.cfg.AllowPrivate
	r.lobby.line = admission.NewLine(!r.cfg.AllowPrivate)
	r.lobby.vouched = make(chan struct{}, 1)
	r.stands.answers = map[uint64]question{}
	r.stands.listed = map[wire.NodeID]heard{}
}

func (r *Relay) now() time.Time {
	return r.clock.Now()
}

// reachedLately returns at which of some addresses a relay has answered a dial of ours.
func (r *Relay) reachedLately(id wire.NodeID, at []directory.Address) (mask byte) {
	for i, a := range at {
		if a.Dialable() && r.reachedSince(id, a.Book(), lately) {
			mask |= 1 << i
		}
	}
	return mask
}

func (r *Relay) reachedSince(id wire.NodeID, at book.Address, ago time.Duration) bool {
	a, when := r.book.Reached(id)
	return a == at && time.Since(when) < ago
}

// leave asks the book for leave to dial, and again for a while if there is none yet.
func (r *Relay) leave(ctx context.Context, id wire.NodeID, at book.Address, why book.Reason) (*book.Permit, error) {
	for range busyTries {
		permit, err := r.book.OpenAt(id, at, why)
		if !errors.Is(err, book.ErrLater) {
			return permit, err
		}
		select {
		case <-time.After(pace.Jitter(busyWait)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, book.ErrLater
}

// check dials a relay afresh at all addresses in reach, side by side: a silent one keeps
// us no longer at four than at one. later means no leave to dial now. source is the
// address of one that asked.
func (r *Relay) check(ctx context.Context, c admission.Check, source netip.Addr) (f found, later bool) {
	six := r.hasSix()
	var mu sync.Mutex
	var dials sync.WaitGroup
	for i, a := range c.Addresses {
		if !a.Dialable() || a.Addr().Is6() && !six {
			continue
		}

		// Reached just now: a flood of knocks must not make us dial an address again and again.
		if r.reachedSince(c.ID, a.Book(), book.CandidateAgain) {
			mu.Lock()
			f.tried, f.reached = f.tried|1<<i, f.reached|1<<i
			mu.Unlock()
			continue
		}

		// All other addresses are dialled side by side, as far as the book lets us.
		dials.Go(func() {
			permit, err := r.leave(ctx, c.ID, a.Book(), reason(a, source))
			answers, other := false, false
			if err == nil {
				answers, other = r.answers(ctx, permit)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			// No leave says nothing about the address.
			case errors.Is(err, book.ErrLater), errors.Is(err, book.ErrSpent):
				later = true
			case answers:
				f.tried, f.reached = f.tried|1<<i, f.reached|1<<i
			case other:
				f.tried, f.foreign = f.tried|1<<i, f.foreign|1<<i
			default:
				f.tried |= 1 << i
			}
		})
	}
	dials.Wait()
	return f, later
}

// found is the outcome of a check, as masks of the addresses: those tried, those at which
// the relay has shown its key, and those at which another node was.
type found struct{ tried, reached, foreign byte }

// answers dials by a permit, and reports whether somebody has shown the key, or another
// one.
func (r *Relay) answers(ctx context.Context, permit *book.Permit) (yes, other bool) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := host.Afresh(ctx, r.host, permit)
	return err == nil, isOther(err)
}

// reason is the reason for dialling an address of a knocker that comes from another
// one.
func reason(a directory.Address, source netip.Addr) book.Reason {
	switch {
	case !source.IsValid():
		return book.Checked
	case admission.Home(a, source):
		return book.Home
	}
	return book.Asked
}

// hasSix reports whether this machine has an IPv6 address of the kind that relays
// have here.
func (r *Relay) hasSix() bool {
	return slices.ContainsFunc(r.own(), func(a book.Address) bool {
		return a.Addr().Is6() && !a.Addr().IsLinkLocalUnicast() && (r.cfg.AllowPrivate || book.Public(a.AddrPort))
	})
}

// admit makes the checks that are due, until ctx ends.
func (r *Relay) admit(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	slots := make(chan struct{}, checksAtOnce)

	var late time.Time
	for {
		// Descriptors that came too often are taken when their time has come.
		if now := time.Now(); now.Sub(late) >= lateLook {
			r.dir.Late()
			late = now
		}

		// At most as many as there are slots: the rest would be old when their turn comes.
		due, wait := r.lobby.register.Due(checksAtOnce)
		for _, c := range due {
			slots <- struct{}{}
			work.Go(func() { r.checkListed(ctx, c); <-slots })
		}

		timer := time.NewTimer(min(wait, lateLook))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-r.lobby.register.Wake():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// receive examines relays that have knocked, until ctx ends. A silent one keeps others
// that knock waiting, and no check of ours.
func (r *Relay) receive(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	slots := make(chan struct{}, examinedAtOnce)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.lobby.line.Wake():
		}
		slots <- struct{}{}
		if x, ok := r.lobby.line.Next(); ok {
			work.Go(func() { r.examine(ctx, x); <-slots })
		} else {
			<-slots
		}
	}
}

// checkListed is one of our own checks.
func (r *Relay) checkListed(ctx context.Context, c admission.Check) {
	if mask := r.reachedLately(c.ID, c.Addresses); mask != 0 && mask == admission.Dialable(c.Addresses) {
		r.lobby.register.Reached(c.Raw)
		return
	}

	f, later := r.check(ctx, c, netip.Addr{})
	switch {
	case ctx.Err() != nil:
	case later:
		r.lobby.register.Later(c, busyWait)
	case f.tried == 0: // no way there for now
		r.lobby.register.Later(c, knockLook)
	case f.tried == f.reached:
		if err := r.lobby.register.Seen(c.Raw, f.reached); err != nil {
			r.refused.Add(err.Error())
		}
	case len(r.relayPeers()) == 0: // perhaps we are away ourselves
		r.lobby.register.Later(c, knockLook)
	default:
		r.lobby.register.Failed(c)
	}
}

// examine dials a relay that has knocked, and tells it.
func (r *Relay) examine(ctx context.Context, x admission.Turn) {
	reply := admission.Reply{Nonce: x.Nonce, Verdict: admission.Busy, Source: x.Source}
	// Busy is the answer unless something was found out: no verdict without a dial.
	f, later := r.check(ctx, x.Check, x.Source)
	switch {
	case x.Unasked:
		if f.tried != 0 && f.tried == f.reached {
			r.meet(x.Check.ID)
		}
		return
	case ctx.Err() != nil, later:
	case f.tried == 0:
		reply.Verdict = admission.NoWay
	case f.tried != f.reached:
		reply.Verdict, reply.Mask, reply.Foreign = admission.Unreached, f.tried&^f.reached, f.foreign
	default:
		// For the addresses that were reached alone, and for these bytes of the descriptor.
		v, err := admission.Vouch(r.key, r.id, x.Check.Raw, f.reached, admission.Day(r.now()))
		if err != nil {
			break
		}
		reply.Verdict, reply.Voucher = admission.Vouched, v
		if err := r.lobby.register.Seen(x.Check.Raw, f.reached); err != nil {
			r.refused.Add(err.Error())
		}
	}

	r.tell(x.Check.ID, wire.TypeVoucher, reply.Append(nil))
}

func (r *Relay) tell(to wire.NodeID, t wire.Type, body []byte) {
	if f, err := wire.NewFrame(t, body); err == nil {
		r.links.Send(to, f) // a frame that cannot be sent is counted there
	}
}

// handleLobby takes a frame about the admission of relays.
func (r *Relay) handleLobby(from wire.NodeID, f *wire.Frame) {
	switch f.Type() {
	case wire.TypeKnock:
		r.knocked(from, f.Body())
	case wire.TypeVoucher:
		p, err := admission.ParseReply(f.Body())
		if err != nil {
			r.refused.Add("admission: malformed")
		} else if r.lobby.applicant.Told(from, p, time.Now()) {
			pace.Kick(r.lobby.vouched)
		}
	case wire.TypeAmListed:
		// Anybody may ask about themselves: the answer is about the asker.
		nonce, err := admission.ParseQuestion(f.Body())
		if err != nil {
			r.refused.Add("admission: malformed")
			return
		}

		r.tell(from, wire.TypeListed, admission.Testify(r.dir, from, nonce, r.now()).Append(nil))
	case wire.TypeListed:
		t, err := admission.ParseTestimony(f.Body())
		if err != nil {
			r.refused.Add("admission: malformed")
			return
		}

		r.testified(from, t)
	}
}

// knocked takes a part of a knock.
func (r *Relay) knocked(from wire.NodeID, body []byte) {
	k, err := admission.ParseKnock(body)
	if err != nil {
		r.refused.Add("admission: malformed")
		return
	}

	now := r.now()
	// Examiners of the day are drawn by the relay's id: nobody chooses a friendly one.
	if k.Part == 0 && !r.lobby.register.Examines(from, admission.Day(now)) {
		r.tell(from, wire.TypeVoucher, admission.Reply{Nonce: k.Nonce, Verdict: admission.Stranger}.Append(nil))
		return
	}

	// Addresses other than the knocker's own are paid for first, with frames.
	check, err := r.lobby.knocks.Take(from, r.sourceOf(from), k, now)
	if err != nil {
		r.refused.Add("admission: malformed")
		return
	}
	if check == nil {
		return
	}

	if !r.lobby.line.Join(admission.Turn{Check: *check, Nonce: k.Nonce, Source: r.sourceOf(from)}) {
		r.tell(from, wire.TypeVoucher, admission.Reply{Nonce: k.Nonce, Verdict: admission.Busy}.Append(nil))
	}
}

// apply knocks where a voucher is missing, until ctx ends.
func (r *Relay) apply(ctx context.Context) error {
	for {
		changed := r.dir.Changed()
		r.knock(ctx)
		timer := time.NewTimer(pace.Jitter(knockLook))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-changed:
			// Let a burst of news arrive before looking at it.
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(announceSettle):
			}
		case <-timer.C:
		}
		timer.Stop()
	}
}

// knock knocks at the doors of the day.
func (r *Relay) knock(ctx context.Context) {
	raw, d := r.calling()
	if d == nil || d.Leaving() {
		return
	}

	now, today := time.Now(), admission.Day(r.now())
	var g errgroup.Group
	g.SetLimit(checksAtOnce)
	knocks := r.lobby.applicant.Ask(r.lobby.register.Doors(today), raw, now, today)
	pace.Kick(r.lobby.vouched) // an address that nobody reaches is announced no more
	for id, k := range knocks {
		// Side by side: a door that does not answer keeps the others no longer.
		g.Go(func() error {
			dialling, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			if r.links.Dial(dialling, id) != nil {
				r.lobby.applicant.Missed(id, now)
				return nil
			}

			r.tell(id, wire.TypeKnock, k.Append(nil))
			// The price of each address that is not the one we come from: it has somebody dial a third party.
			for i := range r.foreign(id, d) * admission.Price {
				r.tell(id, wire.TypeKnock, admission.Knock{Nonce: k.Nonce, Part: byte(i + 1)}.Append(nil))
			}
			return nil
		})
	}

	g.Wait()
}

// calling returns the descriptor to knock with: the one that is listed, or, while no
// address is announced because nobody has reached one, one with all of them. A packet may
// have been lost, or the port opened: an examiner that reaches one has it announced again.
func (r *Relay) calling() (raw []byte, d *directory.Descriptor) {
	raw = r.dir.Signed(r.id)
	d, listed := r.dir.Find(r.id)
	if raw != nil && listed {
		return raw, d
	}
	all := r.allClaims()
	if len(all) == 0 || len(r.claims()) > 0 { // it is announced soon
		return nil, nil
	}
	raw, err := r.descriptor(r.capacity(), all)
	if err != nil {
		return nil, nil
	}
	d, err = directory.Parse(raw)
	if err != nil {
		return nil, nil
	}
	return raw, d
}

// sourceOf returns the address that a neighbour comes from.
func (r *Relay) sourceOf(id wire.NodeID) netip.Addr {
	for _, c := range r.host.Network().ConnsToPeer(id.Peer()) {
		if a, ok := book.AddrPort(c.RemoteMultiaddr()); ok && c.Stat().Direction == network.DirInbound {
			return a.Addr()
		}
	}
	for _, c := range r.host.Network().ConnsToPeer(id.Peer()) {
		if a, ok := book.AddrPort(c.RemoteMultiaddr()); ok {
			return a.Addr() // we have dialled it there
		}
	}
	return netip.Addr{}
}

// foreign returns how many of our addresses are not the one that a neighbour sees us
// come from, as far as we know that: all but one, to be sure.
func (r *Relay) foreign(id wire.NodeID, d *directory.Descriptor) int {
	local := netip.Addr{}
	for _, c := range r.host.Network().ConnsToPeer(id.Peer()) {
		if a, ok := book.AddrPort(c.LocalMultiaddr()); ok {
			local = a.Addr()
		}
	}
	n := 0
	for _, a := range d.Addresses {
		if a.Addr() != local {
			n++
		}
	}
	return n
}
