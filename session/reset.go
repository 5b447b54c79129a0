package session

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"starling/session/envelope"
	"starling/session/internal/kdf"
	"starling/session/invite"
	"starling/session/prekey"
)

// A Reason says why an offer was made.
type Reason uint8

const (
	// ReasonRestored: who made the offer has gone back to an older state.
	ReasonRestored Reason = 1
	// ReasonForked: who made the offer has seen that the other one has
	// (ErrForked).
	ReasonForked Reason = 2
)

// A Reset is what is left of a session that has to be given up, and the way to
// the next one between the same two people:
//
//	who has to give it up                  the other
//	Session.Reset, Offer → Bundle          Session.Reset → Window
//	           — knock, in mailboxes →     Take → Window
//	           — bundle, in mailboxes →    Take → Offered
//	Take → Session             ← hello —   Offered.Join → Session, hello cells
//
// An offer is an invite of its own, with fresh keys. Its link is not handed over
// by a person but in a knock, a cell under a tag and a key that the exporter of
// the old session gives:
//
//	secret = HKDF(exporter, ResetInitiator or ResetResponder), by who offers
//	tags, key: package invite, Knock
//
//	reason     1  Reason
//	time       8  of the offer: ms since 1970
//	link     2+n  the bytes inside a link, behind their length; expiry 2³² − 1
//	zeros         the rest of 1,487
//
// Of the offers that follow one session the latest stands, whoever makes it; of
// two of one millisecond that of the session's initiator. So what was put into a
// mailbox before a profile was restored once more comes to nothing.
//
// A session remembers the secret under which it was offered: a copy of the
// profile from before, put back a second time, knocks there again. It is
// forgotten with the next session but one.
//
// Whoever holds a copy of the old session can make an offer and answer one: a
// reset says so to the people, and takes their verification away.
type Reset struct {
	initiator bool // our role in the old session
	own       [32]byte
	doors     []door // where the peer may knock: of the old session, of the one before
	offer     *offer // ours, nil if none
	pending   *pendingOffer
}

// A door is where the peer may knock.
type door struct {
	secret [32]byte
	last   uint64 // time of the last offer that came this way, 0 if none
}

// offer is what we offer.
type offer struct {
	reason Reason
	time   uint64
	slot   int // of the knock
	knock  [envelope.CellSize]byte
	invite *Invite
}

// pendingOffer is the last offer of the peer while its bundle is not whole.
type pendingOffer struct {
	reason     Reason
	door       int
	invitation *Invitation
	bundle     [invite.Cells]*[envelope.CellSize]byte
}

// offerExpiry is the end of time of an invite: an offer waits for its answer.
var offerExpiry = time.Unix(1<<32-1, 0)

// maxOfferTime is the last millisecond of the year 9999.
const maxOfferTime = 253_402_300_799_999

// Reset returns what can follow the session. The session is not changed; who
// gives it up erases it.
func (s *Session) Reset() *Reset {
	r := &Reset{initiator: s.initiator, doors: make([]door, 1, 2)}
	a, b := &r.own, &r.doors[0].secret
	if !s.initiator {
		a, b = b, a
	}
	kdf.Derive(kdf.ResetInitiator, nil, s.exporter[:], a[:])
	kdf.Derive(kdf.ResetResponder, nil, s.exporter[:], b[:])
	if s.former != nil {
		r.doors = append(r.doors, *s.former)
	}
	return r
}

// Offer makes an offer, with fresh keys; the answer will be stored where the
// hints, 1 to 3 of at most 128 bytes, say. An offer made before is withdrawn: a
// profile may have been restored in between.
func (r *Reset) Offer(now time.Time, why Reason, hints [][]byte) error {
	if len(hints) == 0 {
		return ErrHints
	}
	v, err := NewInvite(offerExpiry, hints)
	if err != nil {
		return err
	}
	o := &offer{reason: why, time: uint64(min(max(now.UnixMilli(), 1), maxOfferTime)), invite: v}
	if r.offer != nil {
		o.time = max(o.time, r.offer.time+1)
	}
	o.seal(&r.own)
	r.offer = o
	if r.pending != nil && r.pending.door == 0 && r.stands(r.doors[0].last) {
		r.pending = nil
	}
	return nil
}

// seal seals the knock in its slot.
func (o *offer) seal(secret *[32]byte) {
	plain := o.plain()
	o.knock = invite.DeriveKnock(secret).Seal(o.slot, &plain)
}

// plain returns the plaintext of the knock.
func (o *offer) plain() (plain [invite.KnockSize]byte) {
	b := append(plain[:0], byte(o.reason))
	b = binary.BigEndian.AppendUint64(b, o.time)
	link := o.invite.link.Bytes()
	b = binary.BigEndian.AppendUint16(b, uint16(len(link)))
	_ = append(b, link...)
	return plain
}

// Elsewhere moves the knock of our offer to the next of its tags, when the one
// it had was taken: the profile was restored before. It reports whether there
// was another.
func (r *Reset) Elsewhere() bool {
	if r.offer == nil || r.offer.slot == invite.Knocks-1 {
		return false
	}
	r.offer.slot++
	r.offer.seal(&r.own)
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

// Window returns the tags under which something may come: 3 of a knock of the
// peer for the session and for the one before it, the 3 of a bundle if there was
// a knock, and the 24 of an answer to our offer.
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

// A Step is what a cell has brought.
type Step struct {
	New     bool     // it had not come before
	Offered *Offered // by the peer; ours, if there was one, is withdrawn
	Session *Session // the answer to ours, with the first part of its content
	Part    Part
}

// Take takes a cell that came under one of the tags of Window. The reset holds
// what it needs of the cell: store it. It is unchanged if it returns an error.
func (r *Reset) Take(c Cell) (step Step, err error) {
	for i := range r.doors {
		knock := invite.DeriveKnock(&r.doors[i].secret)
		for slot, tag := range knock.Tags {
			if equal(tag[:], c.Tag[:]) {
				step.New, err = r.takeKnock(i, knock, slot, &c)
				return step, err
			}
		}
	}
	if r.pending != nil {
		for i, tag := range r.pending.invitation.keys.BundleTags {
			if equal(tag[:], c.Tag[:]) {
				step.New, step.Offered, err = r.takeBundle(i, &c)
				return step, err
			}
		}
	}
	if r.offer == nil {
		return step, ErrRefused
	}
	v := r.offer.invite
	before := v.parts()
	step.Session, step.Part, err = v.Accept(time.Time{}, c)
	step.New = step.Session != nil || v.parts() > before
	if step.Session != nil {
		former := r.doors[0]
		former.last = max(former.last, r.offer.time)
		step.Session.former, r.offer = &former, nil
	}
	return step, err
}

// takeKnock takes a knock. One that comes again, or that a later offer has
// overtaken, changes nothing.
func (r *Reset) takeKnock(at int, k *invite.Knock, slot int, c *Cell) (isNew bool, err error) {
	plain, ok := k.Open(slot, &c.Box)
	if !ok {
		return false, ErrRefused
	}
	p, sent, err := parseKnock(plain[:])
	if err != nil {
		return false, err
	}
	d := &r.doors[at]
	if sent <= d.last || at == 0 && r.stands(sent) {
		return false, nil
	}
	p.door = at
	d.last, r.pending = sent, p
	return true, nil
}

// stands reports whether our offer is the one that counts beside one of the
// peer. They see ours, having the session that we had.
func (r *Reset) stands(theirs uint64) bool {
	return r.offer != nil && (r.offer.time > theirs || r.offer.time == theirs && r.initiator)
}

// parseKnock reads the plaintext of a knock.
func parseKnock(plain []byte) (p *pendingOffer, sent uint64, err error) {
	in := cryptobyte.String(plain)
	var why uint8
	var link cryptobyte.String
	if len(plain) != invite.KnockSize ||
		!in.ReadUint8(&why) || why < uint8(ReasonRestored) || why > uint8(ReasonForked) ||
		!in.ReadUint64(&sent) || sent == 0 || sent > maxOfferTime ||
		!in.ReadUint16LengthPrefixed(&link) || !zero(in) {
		return nil, 0, ErrRefused
	}
	v, err := offeredLink(link)
	if err != nil {
		return nil, 0, ErrRefused
	}
	return &pendingOffer{reason: Reason(why), invitation: v}, sent, nil
}

// offeredLink reads the link of an offer.
func offeredLink(b []byte) (*Invitation, error) {
	l, err := invite.ParseBytes(b)
	if err != nil || !l.Expires.Equal(offerExpiry) || len(l.Hints) == 0 {
		return nil, ErrRefused
	}
	return &Invitation{link: l, keys: invite.DeriveKeys(&l.Secret)}, nil
}

// takeBundle takes a cell of the bundle of the pending offer.
func (r *Reset) takeBundle(i int, c *Cell) (isNew bool, o *Offered, err error) {
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
	o = &Offered{Reason: p.reason, Hints: p.invitation.Hints(), invitation: p.invitation, prekeys: prekeys, former: r.doors[p.door]}
	r.offer, r.pending = nil, nil
	return true, o, nil
}

// Offered is an offer of the peer, whole and with its signatures checked.
type Offered struct {
	Reason Reason
	Hints  [][]byte // where the answer is to be stored

	invitation *Invitation
	prekeys    *prekey.Bundle
	former     door
}

// Join runs the handshake against the offer with a fresh identity and seals the
// first content; see Invitation.Join for what it returns.
func (o *Offered) Join(id ID, first []byte) (*Session, []Cell, error) {
	if len(first) > MaxContent {
		return nil, nil, ErrTooLong
	}
	s, cells, err := o.invitation.join(o.prekeys, id, first)
	if err == nil {
		s.former = &o.former
	}
	return s, cells, err
}

// Layout of a marshalled reset:
//
//	version 2 ‖ flags 1 (1 initiator, 2 our offer, 4 offer of the peer) ‖ own secret 32 ‖
//	doors 1 (1 or 2), each: secret 32 ‖ last 8 ‖
//	offer of the peer: reason 1 ‖ door 1 ‖ link 2 + n ‖ cells 1 (bits) ‖ n × 1,536 ‖
//	our offer: reason 1 ‖ time 8 ‖ slot 1 ‖ knock 1,536 ‖ the rest, as an invite
const (
	resetVersion = 2
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
	b.AddUint8(uint8(len(r.doors)))
	for i := range r.doors {
		r.doors[i].marshal(b)
	}
	if r.pending != nil {
		r.pending.marshal(b)
	}
	if o := r.offer; o != nil {
		b.AddUint8(uint8(o.reason))
		b.AddUint64(o.time)
		b.AddUint8(uint8(o.slot))
		b.AddBytes(o.knock[:])
		v, err := o.invite.MarshalBinary()
		if err != nil {
			return nil, err
		}
		b.AddBytes(v)
	}
	return b.Bytes()
}

func (d *door) marshal(b *cryptobyte.Builder) {
	b.AddBytes(d.secret[:])
	b.AddUint64(d.last)
}

func (d *door) unmarshal(in *cryptobyte.String) bool {
	return in.CopyBytes(d.secret[:]) && in.ReadUint64(&d.last) && d.last <= maxOfferTime
}

func (p *pendingOffer) marshal(b *cryptobyte.Builder) {
	b.AddUint8(uint8(p.reason))
	b.AddUint8(uint8(p.door))
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(p.invitation.link.Bytes()) })
	var bits uint8
	for i, box := range p.bundle {
		if box != nil {
			bits |= 1 << i
		}
	}
	b.AddUint8(bits)
	for _, box := range p.bundle {
		if box != nil {
			b.AddBytes(box[:])
		}
	}
}

// UnmarshalReset reads what MarshalBinary returned.
func UnmarshalReset(data []byte) (*Reset, error) {
	in := cryptobyte.String(data)
	var version, flags, doors uint8
	r := new(Reset)
	if !in.ReadUint8(&version) || version != resetVersion ||
		!in.ReadUint8(&flags) || flags > flagInitiator|flagOffering|flagPending ||
		!in.CopyBytes(r.own[:]) ||
		!in.ReadUint8(&doors) || doors < 1 || doors > 2 {
		return nil, ErrState
	}
	r.initiator = flags&flagInitiator != 0
	r.doors = make([]door, doors)
	for i := range r.doors {
		if !r.doors[i].unmarshal(&in) {
			return nil, ErrState
		}
	}
	if flags&flagPending != 0 && !r.readPending(&in) ||
		flags&flagOffering != 0 && !r.readOffer(&in) || !in.Empty() {
		return nil, ErrState
	}
	return r, nil
}

func (r *Reset) readPending(in *cryptobyte.String) bool {
	var reason, at, bits uint8
	var link cryptobyte.String
	if !in.ReadUint8(&reason) || reason < uint8(ReasonRestored) || reason > uint8(ReasonForked) ||
		!in.ReadUint8(&at) || int(at) >= len(r.doors) ||
		!in.ReadUint16LengthPrefixed(&link) ||
		!in.ReadUint8(&bits) || bits >= 1<<invite.Cells-1 {
		return false
	}
	v, err := offeredLink(link)
	if err != nil {
		return false
	}
	r.pending = &pendingOffer{reason: Reason(reason), door: int(at), invitation: v}
	for i := range r.pending.bundle {
		if bits&(1<<i) == 0 {
			continue
		}
		box := new([envelope.CellSize]byte)
		if !in.CopyBytes(box[:]) {
			return false
		}
		r.pending.bundle[i] = box
	}
	return true
}

func (r *Reset) readOffer(in *cryptobyte.String) bool {
	var reason, slot uint8
	o := new(offer)
	if !in.ReadUint8(&reason) || reason < uint8(ReasonRestored) || reason > uint8(ReasonForked) ||
		!in.ReadUint64(&o.time) || o.time == 0 || o.time > maxOfferTime ||
		!in.ReadUint8(&slot) || slot >= invite.Knocks || !in.CopyBytes(o.knock[:]) {
		return false
	}
	var err error
	o.reason, o.slot = Reason(reason), int(slot)
	if o.invite, err = UnmarshalInvite(*in); err != nil || o.invite.Used() {
		return false
	}
	*in, r.offer = nil, o
	return true
}

// String never shows the reset.
func (*Reset) String() string { return "[reset]" }

// Format never shows the reset, whatever the verb.
func (r *Reset) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue never shows the reset.
func (r *Reset) LogValue() slog.Value { return slog.StringValue(r.String()) }

// String never shows the offer.
func (*Offered) String() string { return "[offer]" }

// Format never shows the offer, whatever the verb.
func (o *Offered) Format(f fmt.State, _ rune) { io.WriteString(f, o.String()) }

// LogValue never shows the offer.
func (o *Offered) LogValue() slog.Value { return slog.StringValue(o.String()) }
