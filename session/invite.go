package session

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"starling/session/envelope"
	"starling/session/handshake"
	"starling/session/internal/kdf"
	"starling/session/internal/secret"
	"starling/session/invite"
	"starling/session/prekey"
)

// Why a link is not usable.
var (
	ErrForeign   = invite.ErrForeign
	ErrVersion   = invite.ErrVersion
	ErrTruncated = invite.ErrTruncated
	ErrChecksum  = invite.ErrChecksum
	ErrHints     = invite.ErrHints
	ErrExpiry    = invite.ErrExpiry
	// ErrExpired means that the invite's time is over.
	ErrExpired = errors.New("invite expired")
	// ErrBundle means that the boxes under the bundle tags are not, or not all,
	// those that the link names.
	ErrBundle = errors.New("invite bundle missing or damaged")
	// ErrUsed means that a second person has used the link. The session with
	// the first is not affected, but one of the two was not meant.
	ErrUsed = errors.New("invite used twice")
)

// Grace is for how long after its expiry an invite still takes a hello. An invitee may
// have joined in time while the inviter was away.
const Grace = 7 * 24 * time.Hour

// maxPending is how many hellos an invite collects cells of at one time.
// Each takes 4.4 KB of the stored state.
const maxPending = 24

// Invite is the inviter's side until somebody has joined.
type Invite struct {
	secret.Hidden

	link     *invite.Link
	keys     *invite.Keys
	prekeys  *prekey.Private // nil once used
	bundle   [][envelope.CellSize]byte
	pending  []pendingHello
	accepted [invite.HelloIDSize]byte // the hello that was accepted, once used
}

// pendingHello is a hello of which some cells have come.
type pendingHello struct {
	slot  uint8
	id    [invite.HelloIDSize]byte
	parts [invite.Cells]*[invite.HelloPart]byte
}

// NewInvite makes an invite with fresh keys. The hints, at most 3 of at most
// 128 bytes, go into the link as they are.
func NewInvite(expires time.Time, hints [][]byte) (*Invite, error) {
	link, err := invite.New(expires, hints)
	if err != nil {
		return nil, err
	}
	v := &Invite{link: link, prekeys: prekey.New()}
	plain := new([invite.BundleSize]byte)
	b := append(plain[:0], bundleVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(link.Expires.Unix()))
	v.prekeys.Bundle().Append(b)
	link.BundleHash = kdf.Hash(kdf.BundleHash, plain[:])
	v.keys = invite.DeriveKeys(&link.Secret)
	for i := range invite.Cells {
		v.bundle = append(v.bundle, v.keys.SealBundle(i, plain))
	}
	return v, nil
}

const bundleVersion = 1

// Link returns the link to hand over. Any holder of it can join.
func (v *Invite) Link() string { return v.link.Encode() }

// Expires returns when the link ends.
func (v *Invite) Expires() time.Time { return v.link.Expires }

// Hints returns the hints in the link.
func (v *Invite) Hints() [][]byte { return v.link.Hints }

// ID returns the id of the invite, which both sides know: 32 hex digits.
func (v *Invite) ID() string { return hex.EncodeToString(v.keys.ID[:]) }

// Used reports whether somebody has joined. The invite then only notices that
// it is used again.
func (v *Invite) Used() bool { return v.prekeys == nil }

// Bundle returns the 3 cells to store at the mailboxes that the hints name;
// none once the invite is used.
func (v *Invite) Bundle() []Cell {
	var cells []Cell
	for i := range v.bundle {
		cells = append(cells, Cell{Tag: v.keys.BundleTags[i], Box: v.bundle[i]})
	}
	return cells
}

// BundleTags returns the tags of the bundle, to delete it by.
func (v *Invite) BundleTags() []Tag { return bundleTags(v.keys) }

func bundleTags(k *invite.Keys) []Tag {
	var tags []Tag
	for _, t := range k.BundleTags {
		tags = append(tags, t)
	}
	return tags
}

// Window returns the 24 tags under which a hello may come.
func (v *Invite) Window() []Tag {
	var tags []Tag
	for _, slot := range v.keys.HelloTags {
		for _, t := range slot {
			tags = append(tags, t)
		}
	}
	return tags
}

// Accept takes a cell that came under one of the tags of Window. Until a hello
// is complete it returns no session and no error, and the invite holds the
// cell: store it. The first hello that authenticates gives the session and the
// first part of its content, and burns the invite: its keys are gone, and a
// different hello later is answered with ErrUsed.
func (v *Invite) Accept(now time.Time, c Cell) (*Session, Part, error) {
	slot, index, ok := v.keys.HelloPlace(c.Tag)
	if !ok {
		return nil, Part{}, ErrRefused
	}

	// Everybody with the link can seal such a cell: it is bounded and bound to its hello by the id.
	id, part, ok := v.keys.OpenHello(slot, index, &c.Box)
	if !ok {
		return nil, Part{}, ErrRefused
	}

	if v.Used() {
		if equal(id[:], v.accepted[:]) {
			return nil, Part{}, ErrRefused // the same hello again
		}
		return nil, Part{}, ErrUsed
	}

	// Later than the link itself ends: the invitee may have joined in time.
	if now.After(v.link.Expires.Add(Grace)) {
		return nil, Part{}, ErrExpired
	}

	h, known := v.find(slot, id)
	// Halves of hellos without end would fill the profile.
	if !known && len(v.pending) == maxPending {
		return nil, Part{}, ErrRefused
	}
	if h.parts[index] != nil {
		return nil, Part{}, nil
	}

	h.parts[index] = &part
	if !h.complete() {
		v.keep(h)
		return nil, Part{}, nil
	}

	// The invite is burnt only by a hello that authenticates: garbage consumes nothing.
	s, first, err := v.respond(&h)
	if err != nil {
		return nil, Part{}, err
	}
	v.burn(id)
	return s, first, nil
}

// find returns the hello with an id in a slot, empty if nothing of it has come.
func (v *Invite) find(slot int, id [invite.HelloIDSize]byte) (h pendingHello, known bool) {
	for _, h := range v.pending {
		if int(h.slot) == slot && equal(h.id[:], id[:]) {
			return h, true
		}
	}
	return pendingHello{slot: uint8(slot), id: id}, false
}

func (v *Invite) keep(h pendingHello) {
	for i := range v.pending {
		if v.pending[i].slot == h.slot && v.pending[i].id == h.id {
			v.pending[i] = h
			return
		}
	}
	v.pending = append(v.pending, h)
}

// parts counts the cells that are kept.
func (v *Invite) parts() (n int) {
	for i := range v.pending {
		for _, p := range v.pending[i].parts {
			if p != nil {
				n++
			}
		}
	}
	return n
}

func (h *pendingHello) complete() bool {
	for _, p := range h.parts {
		if p == nil {
			return false
		}
	}
	return true
}

// respond runs the responder's side of the handshake on a whole hello.
func (v *Invite) respond(h *pendingHello) (*Session, Part, error) {
	plain := make([]byte, 0, invite.HelloSize)
	for _, p := range h.parts {
		plain = append(plain, p[:]...)
	}
	hello, err := handshake.ParseHello(plain[:handshake.HelloSize])
	if err != nil {
		return nil, Part{}, ErrRefused
	}
	rest := plain[handshake.HelloSize:]
	if !zero(rest[envelope.CellSize:]) {
		return nil, Part{}, ErrRefused
	}
	secrets, err := handshake.Respond(v.prekeys, hello, v.keys.ID)
	if err != nil {
		return nil, Part{}, ErrRefused
	}
	s := respond(v.prekeys.Signed, secrets)
	part, err := s.open(&Cell{Tag: s.receive.ahead[0], Box: [envelope.CellSize]byte(rest)})
	if err != nil {
		return nil, Part{}, ErrRefused
	}
	return s, part, nil
}

// burn erases the keys for the first hello.
func (v *Invite) burn(id [invite.HelloIDSize]byte) {
	v.prekeys, v.bundle, v.pending, v.accepted = nil, nil, nil, id
}

func zero(b []byte) bool {
	var or byte
	for _, c := range b {
		or |= c
	}
	return or == 0
}

// Layout of a marshalled invite:
//
//	version 1 ‖ link 2 + n ‖ used 1, then
//	used:     accepted hello id 16
//	not used: prekeys 192 ‖ bundle 3 × 1,536 ‖
//	  pending hellos 1, each: slot 1 ‖ id 16 ‖ parts 1 (bits) ‖ n × 1,471
const inviteVersion = 1

// MarshalBinary returns the invite. It holds the link and the private keys.
func (v *Invite) MarshalBinary() ([]byte, error) {
	b := cryptobyte.NewBuilder(nil)
	b.AddUint8(inviteVersion)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(v.link.Bytes()) })
	b.AddUint8(bit(v.Used()))
	if v.Used() {
		b.AddBytes(v.accepted[:])
		return b.Bytes()
	}
	b.AddBytes(v.prekeys.Bytes())
	for i := range v.bundle {
		b.AddBytes(v.bundle[i][:])
	}
	b.AddUint8(uint8(len(v.pending)))
	for i := range v.pending {
		v.pending[i].marshal(b)
	}
	return b.Bytes()
}

// UnmarshalInvite reads the encoding of MarshalBinary.
func UnmarshalInvite(data []byte) (*Invite, error) {
	in := cryptobyte.String(data)
	var version, used uint8
	var link cryptobyte.String
	if !in.ReadUint8(&version) || version != inviteVersion || !in.ReadUint16LengthPrefixed(&link) ||
		!in.ReadUint8(&used) || used > 1 {
		return nil, ErrState
	}

	v := new(Invite)
	var err error
	if v.link, err = invite.ParseBytes(link); err != nil {
		return nil, ErrState
	}
	v.keys = invite.DeriveKeys(&v.link.Secret)

	// A used invite has the id of its hello and no keys.
	if used == 1 {
		if !in.CopyBytes(v.accepted[:]) || !in.Empty() {
			return nil, ErrState
		}
		return v, nil
	}

	var prekeys []byte
	if !in.ReadBytes(&prekeys, prekey.PrivateSize) {
		return nil, ErrState
	}
	if v.prekeys, err = prekey.ParsePrivate(prekeys); err != nil {
		return nil, ErrState
	}

	// The sealed bundle and not its plaintext: stored again it must be the same bytes.
	v.bundle = make([][envelope.CellSize]byte, invite.Cells)
	for i := range v.bundle {
		if !in.CopyBytes(v.bundle[i][:]) {
			return nil, ErrState
		}
	}

	if !v.readPending(&in) || !in.Empty() {
		return nil, ErrState
	}
	return v, nil
}

func (v *Invite) readPending(in *cryptobyte.String) bool {
	var n uint8
	if !in.ReadUint8(&n) || n > maxPending {
		return false
	}
	for range n {
		var h pendingHello
		if !h.unmarshal(in) {
			return false
		}
		if _, known := v.find(int(h.slot), h.id); known {
			return false
		}
		v.pending = append(v.pending, h)
	}
	return true
}

func (h *pendingHello) marshal(b *cryptobyte.Builder) {
	b.AddUint8(h.slot)
	b.AddBytes(h.id[:])
	var bits uint8
	for i, p := range h.parts {
		if p != nil {
			bits |= 1 << i
		}
	}
	b.AddUint8(bits)
	for _, p := range h.parts {
		if p != nil {
			b.AddBytes(p[:])
		}
	}
}

// unmarshal reads the encoding of marshal: one part at least, and never all.
func (h *pendingHello) unmarshal(in *cryptobyte.String) bool {
	var bits uint8
	if !in.ReadUint8(&h.slot) || h.slot >= invite.Slots || !in.CopyBytes(h.id[:]) ||
		!in.ReadUint8(&bits) || bits == 0 || bits >= 1<<invite.Cells-1 {
		return false
	}
	for i := range h.parts {
		if bits&(1<<i) == 0 {
			continue
		}
		h.parts[i] = new([invite.HelloPart]byte)
		if !in.CopyBytes(h.parts[i][:]) {
			return false
		}
	}
	return true
}
