package session

import (
	"errors"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"starling/session/envelope"
	"starling/session/internal/kdf"
	"starling/session/internal/secret"
	"starling/session/invite"
	"starling/session/ratchet"
)

// A Reason says why an offer was made.
type Reason uint8

const (
	// ReasonRestored: the maker of the offer has gone back to an older state.
	ReasonRestored Reason = 1
	// ReasonForked: the maker of the offer has seen the other one do so
	// (ErrForked).
	ReasonForked Reason = 2
)

// ErrEarly is the answer to a knock from the future. It changes nothing; the same
// knock counts once its time has come.
var ErrEarly = errors.New("knock from the future")

// A Reset is the remainder of a session that was given up, and the way to the next
// one between the same two people:
//
//	the side that gives up                 the other side
//	Session.Reset, Offer → Bundle          Session.Reset → Window
//	           — knock, in mailboxes →     Take → Window
//	           — bundle, in mailboxes →    Take → Offered
//	Take → Session             ← hello —   Offered.Join → Session, hello cells
//
// An offer is an invite of its own, with fresh keys. Its link travels in a knock,
// not by hand. A knock is a cell under a tag and a key from the exporter of the old
// session:
//
//	secret = HKDF(exporter, ResetInitiator or ResetResponder), by the maker's role
//
// Of the offers that follow one session the latest stands, of whichever side; of
// two of one millisecond the one of the session's initiator. So a knock that a
// profile left in a mailbox before it was restored once more comes to nothing.
//
// A session remembers the doors of sessions before it (door): a copy of the
// profile that is put back a second time knocks there again.
//
// Every holder of a copy of the old session can make an offer and answer one. A reset
// is shown to both people, and takes their verification away. It never shuts out
// anybody else: the door of the session that it replaces stays open.
type Reset struct {
	secret.Hidden

	initiator bool // our role in the old session
	own       [32]byte
	proof     ratchet.Proof // of our state
	doors     []door        // where the peer may knock: of the old session first, then those it remembered
	offer     *offer        // ours, nil if none
	pending   *pendingOffer
}

// offer is an offer of ours.
type offer struct {
	reason Reason
	time   instant
	slot   int // of the knock
	knock  [envelope.CellSize]byte
	invite *Invite
}

// Reset returns the Reset that can follow the session. It does not change the session.
// The caller gives the session up: Retire it.
func (s *Session) Reset() *Reset {
	r := newReset(&s.exporter, s.initiator, s.former)
	r.proof, r.doors[0].proofs = s.ratchet.SendingProof(), s.ratchet.ReceivingProofs()
	return r
}

func newReset(exporter *[kdf.Size]byte, initiator bool, former []door) *Reset {
	r := &Reset{initiator: initiator, doors: make([]door, 1, maxDoors)}
	a, b := &r.own, &r.doors[0].secret
	if !initiator {
		a, b = b, a
	}
	kdf.Derive(kdf.ResetInitiator, nil, exporter[:], a[:])
	kdf.Derive(kdf.ResetResponder, nil, exporter[:], b[:])
	r.doors = append(r.doors, former...)
	return r
}

// Offer makes an offer with fresh keys. The answer will be stored where the hints
// say, 1 to 3 of at most 128 bytes. An offer made before is withdrawn: a profile
// may have been restored in between.
func (r *Reset) Offer(now time.Time, why Reason, hints [][]byte) error {
	if len(hints) == 0 {
		return ErrHints
	}
	v, err := NewInvite(offerExpiry, hints)
	if err != nil {
		return err
	}

	o := &offer{reason: why, time: instantOf(now), invite: v}
	if r.offer != nil && !r.Early(now) { // else a wrong clock made it, and it stands nowhere
		o.time = min(max(o.time, r.offer.time+1), maxInstant)
	}
	o.seal(&r.own, &r.proof)
	r.offer = o

	// A pending offer of the peer's for the same session may be overtaken.
	if r.pending != nil && r.pending.door == 0 && r.stands(r.doors[0].last) {
		r.pending = nil
	}
	return nil
}

// Early reports whether our offer is from so far ahead that the peer leaves it for hours:
// a clock that was wrong has made it. It is to be made again.
func (r *Reset) Early(now time.Time) bool {
	return r.offer != nil && r.offer.time > instantOf(now)+offerAhead
}

// offerAhead is 2 hours: an earlier offer that is as little ahead of our clock may have
// been taken, by a peer with a faster clock.
const offerAhead = instant(2 * time.Hour / time.Millisecond)

// Reason returns why our offer was made, 0 if there is none.
func (r *Reset) Reason() Reason {
	if r.offer == nil {
		return 0
	}
	return r.offer.reason
}

// seal seals the knock in its slot.
func (o *offer) seal(secret *[32]byte, proof *ratchet.Proof) {
	plain := o.plain(proof)
	o.knock = invite.DeriveKnock(secret).Seal(o.slot, &plain)
}

// Twin reports whether found, which lies under the tag of our knock, is another
// knock of ours: one from before the profile was restored, or from another copy of
// it. A mailbox cannot make that up.
func (r *Reset) Twin(found *[envelope.CellSize]byte) bool {
	if r.offer == nil || *found == r.offer.knock {
		return false
	}
	_, ok := invite.DeriveKnock(&r.own).Open(r.offer.slot, found)
	return ok
}

// Elsewhere moves the knock of our offer to the next of its tags, after Twin has found
// the place taken. It reports whether there was another.
func (r *Reset) Elsewhere() bool {
	if r.offer == nil || r.offer.slot == invite.Knocks-1 {
		return false
	}
	r.offer.slot++
	r.offer.seal(&r.own, &r.proof)
	return true
}

// Bundle returns the 4 cells of our offer, to store where the peer fetches: the
// knock, and the bundle.
func (r *Reset) Bundle() []Cell {
	if r.offer == nil {
		return nil
	}
	tag := invite.DeriveKnock(&r.own).Tags[r.offer.slot]
	return append([]Cell{{Tag: tag, Box: r.offer.knock}}, r.offer.invite.Bundle()...)
}

// Window returns the tags under which something may come: 3 for each door, the 3
// of a bundle after a knock, and the 24 of an answer to our offer.
func (r *Reset) Window() (tags []Tag) {
	for i := range r.doors {
		for _, t := range invite.DeriveKnock(&r.doors[i].secret).Tags {
			tags = append(tags, t)
		}
	}
	if r.pending != nil {
		tags = append(tags, r.pending.invitation.BundleTags()...)
	}
	if r.offer != nil {
		tags = append(tags, r.offer.invite.Window()...)
	}
	return tags
}

// A Step is the effect of a cell.
type Step struct {
	New     bool     // it had not come before
	Offered *Offered // by the peer; ours, if there was one, is withdrawn
	Session *Session // the answer to ours, with the first part of its content
	Part    Part
}

// Take takes a cell that came under one of the tags of Window. The reset then holds a
// part of the cell: store it. It is unchanged if it returns an error. A cell refused
// with ErrEarly is worth keeping, where it lies or here.
func (r *Reset) Take(now time.Time, c Cell) (step Step, err error) {
	for i := range r.doors {
		knock := invite.DeriveKnock(&r.doors[i].secret)
		for slot, tag := range knock.Tags {
			if equal(tag[:], c.Tag[:]) {
				step.New, err = r.takeKnock(now, i, knock, slot, &c)
				return step, err
			}
		}
	}
	if r.pending != nil {
		for i, tag := range r.pending.invitation.keys.BundleTags {
			if equal(tag[:], c.Tag[:]) {
				step.New, step.Offered, err = r.takeBundle(now, i, &c)
				return step, err
			}
		}
	}
	if r.offer == nil {
		return step, ErrRefused
	}
	return r.takeAnswer(now, c)
}

// takeAnswer takes a cell of the answer to our offer.
func (r *Reset) takeAnswer(now time.Time, c Cell) (step Step, err error) {
	v := r.offer.invite
	before := v.parts()
	step.Session, step.Part, err = v.Accept(time.Time{}, c)
	step.New = step.Session != nil || v.parts() > before
	if step.Session != nil {
		r.doors[0].last = max(r.doors[0].last, r.offer.time)
		step.Session.former = r.remember(0, instantOf(now))
		r.offer = nil
	}
	return step, err
}

// takeKnock takes a knock. One that comes again, or that a later offer has
// overtaken, changes nothing.
func (r *Reset) takeKnock(now time.Time, at int, k *invite.Knock, slot int, c *Cell) (isNew bool, err error) {
	plain, ok := k.Open(slot, &c.Box)
	if !ok {
		return false, ErrRefused
	}
	p, sent, err := parseKnock(plain[:], instantOf(now))
	if err != nil {
		return false, err
	}
	d := &r.doors[at]
	if sent <= d.last || at == 0 && r.stands(sent) {
		return false, nil
	}
	p.door, p.proven = at, d.proves(&plain)
	d.last, r.pending = sent, p
	return true, nil
}

// stands reports whether our offer counts beside one of the peer. The peer decides the
// same way: both sides had one session.
func (r *Reset) stands(theirs instant) bool {
	return r.offer != nil && (r.offer.time > theirs || r.offer.time == theirs && r.initiator)
}

// takeBundle takes a cell of the bundle of the pending offer.
func (r *Reset) takeBundle(now time.Time, i int, c *Cell) (isNew bool, o *Offered, err error) {
	// On a copy: a cell that is refused changes nothing.
	p := *r.pending
	if !p.invitation.keys.OpenBundle(i, &c.Box, new([invite.BundleSize]byte)) {
		return false, nil, ErrRefused
	}
	if p.bundle[i] != nil {
		return false, nil, nil
	}
	p.bundle[i] = &c.Box

	var cells []Cell
	for j, box := range p.bundle {
		if box == nil {
			r.pending = &p
			return true, nil, nil
		}
		cells = append(cells, Cell{Tag: p.invitation.keys.BundleTags[j], Box: *box})
	}
	prekeys, err := p.invitation.openBundle(cells)
	if err != nil {
		return false, nil, ErrRefused
	}

	// Our own offer goes with the pending one: one session comes of the two.
	o = &Offered{Reason: p.reason, Proven: p.proven, Hints: p.invitation.Hints(),
		invitation: p.invitation, prekeys: prekeys, former: r.succeed(p.door, p.proven, instantOf(now))}
	r.offer, r.pending = nil, nil
	return true, o, nil
}

// Layout of a marshalled reset:
//
//	version 3 ‖ flags 1 (1 initiator, 2 our offer, 4 offer of the peer) ‖ own secret 32 ‖ proof 32 ‖
//	doors 1 (1 to 5), each: a door ‖
//	offer of the peer: reason 1 ‖ door 1 ‖ proven 1 ‖ link 2 + n ‖ cells 1 (bits) ‖ n × 1,536 ‖
//	our offer: reason 1 ‖ time 8 ‖ slot 1 ‖ knock 1,536 ‖ the rest, as an invite
const (
	resetVersion = 3
	flagOffering = 2
	flagPending  = 4
)

// MarshalBinary returns the reset. It holds secrets of the old session and the
// private keys of the offer.
func (r *Reset) MarshalBinary() ([]byte, error) {
	b := cryptobyte.NewBuilder(nil)
	b.AddUint8(resetVersion)

	var flags uint8
	if r.initiator {
		flags |= flagInitiator
	}
	if r.offer != nil {
		flags |= flagOffering
	}
	if r.pending != nil {
		flags |= flagPending
	}
	b.AddUint8(flags)

	b.AddBytes(r.own[:])
	b.AddBytes(r.proof[:])
	addDoors(b, r.doors)
	if r.pending != nil {
		r.pending.marshal(b)
	}

	if o := r.offer; o != nil {
		v, err := o.invite.MarshalBinary()
		if err != nil {
			return nil, err
		}
		b.AddUint8(uint8(o.reason))
		b.AddUint64(uint64(o.time))
		b.AddUint8(uint8(o.slot))
		b.AddBytes(o.knock[:])
		b.AddBytes(v)
	}
	return b.Bytes()
}

// UnmarshalReset reads the encoding of MarshalBinary.
func UnmarshalReset(data []byte) (*Reset, error) {
	in := cryptobyte.String(data)
	var version, flags uint8
	r := new(Reset)
	if !in.ReadUint8(&version) || version != resetVersion ||
		!in.ReadUint8(&flags) || flags > flagInitiator|flagOffering|flagPending ||
		!in.CopyBytes(r.own[:]) || !in.CopyBytes(r.proof[:]) ||
		!readDoors(&in, &r.doors, 1, maxDoors) {
		return nil, ErrState
	}
	r.initiator = flags&flagInitiator != 0
	if flags&flagPending != 0 && !r.readPending(&in) ||
		flags&flagOffering != 0 && !r.readOffer(&in) || !in.Empty() {
		return nil, ErrState
	}
	return r, nil
}

func (r *Reset) readOffer(in *cryptobyte.String) bool {
	var slot uint8
	o := new(offer)
	if !readReason(in, &o.reason) || !readInstant(in, &o.time) || o.time == 0 ||
		!in.ReadUint8(&slot) || slot >= invite.Knocks || !in.CopyBytes(o.knock[:]) {
		return false
	}
	var err error
	o.slot = int(slot)
	if o.invite, err = UnmarshalInvite(*in); err != nil || o.invite.Used() {
		return false
	}
	*in, r.offer = nil, o
	return true
}

func readReason(in *cryptobyte.String, why *Reason) bool {
	return in.ReadUint8((*uint8)(why)) && (*why == ReasonRestored || *why == ReasonForked)
}
