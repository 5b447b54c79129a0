package session

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/crypto/cryptobyte"

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
//	           — bundle, in mailboxes →    Take → Offered
//	Take → Session             ← hello —   Offered.Join → Session, hello cells
//
// It works as an invite does, with fresh identities, and a secret that the old
// session's exporter gives instead of a link:
//
//	secret = HKDF(exporter, ResetInitiator or ResetResponder), by who offers
//
// The keys and tags follow from the secret as those of an invite do (package
// invite). The offer is 4,413 bytes, cut like a hello, under the bundle tags:
//
//	version        1  2
//	reason         1  Reason
//	bundle     1,957  prekey.Bundle
//	hints          1  how many, 1..3, then each: length 1 (1..64) ‖ bytes
//	zeros             the rest
//
// If both sides offer, the offer of the old session's initiator stands. Whoever
// holds a copy of the old session can make an offer and answer one: a reset
// says so to the people, and takes their verification away.
type Reset struct {
	initiator bool // our role in the old session
	own, peer [32]byte
	offer     *Invite // ours, nil if none
	pending   []pendingOffer
	taken     [][invite.HelloIDSize]byte // offers of the peer that were whole
}

// pendingOffer is an offer of the peer of which some cells have come.
type pendingOffer struct {
	id    [invite.HelloIDSize]byte
	parts [invite.Cells]*[invite.HelloPart]byte
}

const (
	offerVersion = 2
	// maxOffers is how many offers are put together at one time: a profile
	// restored twice makes two. The oldest is given up first.
	maxOffers = 2
	// maxTaken is how many offers are taken before the session that comes of
	// one is established.
	maxTaken = 8
)

// offerExpiry is the end of time of an invite: an offer waits for its answer.
var offerExpiry = time.Unix(1<<32-1, 0)

// Reset returns what can follow the session. The session is not changed; who
// gives it up erases it.
func (s *Session) Reset() *Reset {
	r := &Reset{initiator: s.initiator}
	a, b := &r.own, &r.peer
	if !s.initiator {
		a, b = b, a
	}
	kdf.Derive(kdf.ResetInitiator, nil, s.exporter[:], a[:])
	kdf.Derive(kdf.ResetResponder, nil, s.exporter[:], b[:])
	return r
}

// Offer makes an offer, with fresh keys; the answer will be stored where the
// hints, 1 to 3 of at most 64 bytes, say. An offer made before is withdrawn: a
// profile may have been restored in between.
func (r *Reset) Offer(why Reason, hints [][]byte) error {
	if len(hints) == 0 {
		return ErrHints
	}
	link, err := invite.New(offerExpiry, hints)
	if err != nil {
		return err
	}
	link.Secret = r.own
	v := &Invite{link: link, keys: invite.DeriveKeys(&r.own), prekeys: prekey.New()}
	plain := new([invite.HelloSize]byte)
	b := v.prekeys.Bundle().Append(append(plain[:0], offerVersion, byte(why)))
	b = append(b, byte(len(hints)))
	for _, h := range hints {
		b = append(append(b, byte(len(h))), h...)
	}
	var id [invite.HelloIDSize]byte
	rand.Read(id[:])
	for i := range invite.Cells {
		v.bundle = append(v.bundle, v.keys.SealOffer(i, &id, plain))
	}
	r.offer = v
	return nil
}

// Offering reports whether there is an offer of ours.
func (r *Reset) Offering() bool { return r.offer != nil }

// Bundle returns the 3 cells of our offer, to store where the peer fetches.
func (r *Reset) Bundle() []Cell {
	if r.offer == nil {
		return nil
	}
	return r.offer.Bundle()
}

// Window returns the tags under which something may come: the 3 of an offer of
// the peer, unless ours stands, and the 24 of an answer to ours.
func (r *Reset) Window() (tags []Tag) {
	if !r.stands() {
		for _, t := range invite.DeriveBundleTags(&r.peer) {
			tags = append(tags, t)
		}
	}
	if r.offer != nil {
		tags = append(tags, r.offer.Window()...)
	}
	return tags
}

// stands reports whether our offer is the one that counts, whatever the peer
// offers.
func (r *Reset) stands() bool { return r.offer != nil && r.initiator }

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
	for i, tag := range invite.DeriveBundleTags(&r.peer) {
		if equal(tag[:], c.Tag[:]) {
			step.New, step.Offered, err = r.takeOffer(i, &c)
			return step, err
		}
	}
	if r.offer == nil {
		return step, ErrRefused
	}
	before := r.offer.parts()
	step.Session, step.Part, err = r.offer.Accept(time.Time{}, c)
	step.New = step.Session != nil || r.offer.parts() > before
	if step.Session != nil {
		r.offer = nil
	}
	return step, err
}

// takeOffer takes cell i of an offer.
func (r *Reset) takeOffer(i int, c *Cell) (isNew bool, o *Offered, err error) {
	if r.stands() {
		return false, nil, ErrRefused
	}
	keys := invite.DeriveKeys(&r.peer)
	id, part, ok := keys.OpenOffer(i, &c.Box)
	if !ok {
		return false, nil, ErrRefused
	}
	for i := range r.taken {
		if equal(r.taken[i][:], id[:]) {
			return false, nil, nil // the same offer again
		}
	}
	if len(r.taken) == maxTaken {
		return false, nil, ErrRefused
	}
	at := r.find(&id)
	p := pendingOffer{id: id}
	if at >= 0 {
		p = r.pending[at]
	}
	if p.parts[i] != nil {
		return false, nil, nil
	}
	p.parts[i] = &part
	rest := append([]pendingOffer(nil), r.pending...)
	if at >= 0 {
		rest = append(rest[:at], rest[at+1:]...)
	}
	var plain []byte
	for _, part := range p.parts {
		if part == nil {
			rest = append(rest, p)
			r.pending = rest[max(0, len(rest)-maxOffers):]
			return true, nil, nil
		}
		plain = append(plain, part[:]...)
	}
	o, ok = parseOffer(plain)
	if !ok {
		return false, nil, ErrRefused
	}
	o.invitation = &Invitation{link: &invite.Link{Secret: r.peer, Expires: offerExpiry, Hints: o.Hints}, keys: keys}
	r.offer, r.pending, r.taken = nil, nil, append(r.taken, id)
	return true, o, nil
}

func (r *Reset) find(id *[invite.HelloIDSize]byte) int {
	for i := range r.pending {
		if equal(r.pending[i].id[:], id[:]) {
			return i
		}
	}
	return -1
}

// Offered is an offer of the peer, whole and with its signatures checked.
type Offered struct {
	Reason Reason
	Hints  [][]byte // where the answer is to be stored

	invitation *Invitation
	prekeys    *prekey.Bundle
}

// parseOffer reads the plaintext of an offer.
func parseOffer(plain []byte) (*Offered, bool) {
	in := cryptobyte.String(plain)
	var version, why, n uint8
	var bundle []byte
	if len(plain) != invite.HelloSize || !in.ReadUint8(&version) || version != offerVersion ||
		!in.ReadUint8(&why) || why < uint8(ReasonRestored) || why > uint8(ReasonForked) ||
		!in.ReadBytes(&bundle, prekey.BundleSize) ||
		!in.ReadUint8(&n) || n < 1 || n > invite.MaxHints {
		return nil, false
	}
	o := &Offered{Reason: Reason(why)}
	for range n {
		var h cryptobyte.String
		if !in.ReadUint8LengthPrefixed(&h) || len(h) == 0 || len(h) > invite.MaxHintSize {
			return nil, false
		}
		o.Hints = append(o.Hints, append([]byte(nil), h...))
	}
	if !zero(in) {
		return nil, false
	}
	var err error
	o.prekeys, err = prekey.Parse(bundle)
	return o, err == nil
}

// Join runs the handshake against the offer with a fresh identity and seals the
// first content; see Invitation.Join for what it returns.
func (o *Offered) Join(id ID, first []byte) (*Session, []Cell, error) {
	if len(first) > MaxContent {
		return nil, nil, ErrTooLong
	}
	return o.invitation.join(o.prekeys, id, first)
}

// Layout of a marshalled reset:
//
//	version 1 ‖ flags 1 (1 initiator, 2 offering) ‖ own secret 32 ‖ peer's secret 32 ‖
//	offers taken 1, each: id 16 ‖
//	offers under way 1, each: id 16 ‖ parts 1 (bits) ‖ n × 1,471 ‖
//	our offer: the rest, as an invite
const (
	resetVersion = 1
	flagOffering = 2
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
	b.AddUint8(flags)
	b.AddBytes(r.own[:])
	b.AddBytes(r.peer[:])
	b.AddUint8(uint8(len(r.taken)))
	for i := range r.taken {
		b.AddBytes(r.taken[i][:])
	}
	b.AddUint8(uint8(len(r.pending)))
	for i := range r.pending {
		addParts(b, &r.pending[i].id, &r.pending[i].parts)
	}
	if r.offer != nil {
		offer, err := r.offer.MarshalBinary()
		if err != nil {
			return nil, err
		}
		b.AddBytes(offer)
	}
	return b.Bytes()
}

// UnmarshalReset reads what MarshalBinary returned.
func UnmarshalReset(data []byte) (*Reset, error) {
	in := cryptobyte.String(data)
	var version, flags, n uint8
	r := new(Reset)
	if !in.ReadUint8(&version) || version != resetVersion ||
		!in.ReadUint8(&flags) || flags > flagInitiator|flagOffering ||
		!in.CopyBytes(r.own[:]) || !in.CopyBytes(r.peer[:]) ||
		!in.ReadUint8(&n) || n > maxTaken {
		return nil, ErrState
	}
	for range n {
		var id [invite.HelloIDSize]byte
		if !in.CopyBytes(id[:]) {
			return nil, ErrState
		}
		r.taken = append(r.taken, id)
	}
	if !in.ReadUint8(&n) || n > maxOffers {
		return nil, ErrState
	}
	r.initiator = flags&flagInitiator != 0
	for range n {
		var p pendingOffer
		if !readParts(&in, &p.id, &p.parts) || r.find(&p.id) >= 0 {
			return nil, ErrState
		}
		r.pending = append(r.pending, p)
	}
	if flags&flagOffering == 0 {
		if !in.Empty() {
			return nil, ErrState
		}
		return r, nil
	}
	var err error
	if r.offer, err = UnmarshalInvite(in); err != nil || r.offer.Used() || !equal(r.offer.link.Secret[:], r.own[:]) {
		return nil, ErrState
	}
	return r, nil
}

// addParts writes what has come of something cut in three.
func addParts(b *cryptobyte.Builder, id *[invite.HelloIDSize]byte, parts *[invite.Cells]*[invite.HelloPart]byte) {
	b.AddBytes(id[:])
	var bits uint8
	for i, p := range parts {
		if p != nil {
			bits |= 1 << i
		}
	}
	b.AddUint8(bits)
	for _, p := range parts {
		if p != nil {
			b.AddBytes(p[:])
		}
	}
}

// readParts reads what addParts wrote: one part at least, and never all.
func readParts(in *cryptobyte.String, id *[invite.HelloIDSize]byte, parts *[invite.Cells]*[invite.HelloPart]byte) bool {
	var bits uint8
	if !in.CopyBytes(id[:]) || !in.ReadUint8(&bits) || bits == 0 || bits >= 1<<invite.Cells-1 {
		return false
	}
	for i := range parts {
		if bits&(1<<i) == 0 {
			continue
		}
		parts[i] = new([invite.HelloPart]byte)
		if !in.CopyBytes(parts[i][:]) {
			return false
		}
	}
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
