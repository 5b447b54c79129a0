package session

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"

	"starling/session/envelope"
	"starling/session/invite"
	"starling/session/prekey"
	"starling/session/ratchet"
)

// ErrState is returned for bytes that are not a marshalled session or invite.
var ErrState = errors.New("invalid session state")

// First bytes of marshalled states. Layouts, integers big-endian:
//
//	session: version 3 ‖ flags 1 (1 initiator, 2 established, 4 offered) ‖
//	         AD 32 ‖ exporter 32 ‖
//	         if there is one, the secret that offered it: secret 32 ‖ last 8 ‖
//	         sender ‖ receiver ‖ ratchet state: the rest
//	invite:  version 1 ‖ link 2 + n ‖ used 1, then
//	         used:     accepted hello id 16
//	         not used: prekeys 192 ‖ bundle 3 × 1,536 ‖
//	           pending hellos 1, each: slot 1 ‖ id 16 ‖ parts 1 (bits) ‖ n × 1,471
const (
	sessionVersion = 3
	inviteVersion  = 1
)

const (
	flagInitiator   = 1
	flagEstablished = 2
	flagFormer      = 4
)

// MarshalBinary returns the session. It holds every key of the conversation.
func (s *Session) MarshalBinary() ([]byte, error) {
	r, err := s.ratchet.MarshalBinary()
	if err != nil {
		return nil, err
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, 1024+len(r)))
	b.AddUint8(sessionVersion)
	var flags uint8
	if s.initiator {
		flags |= flagInitiator
	}
	if s.established {
		flags |= flagEstablished
	}
	if s.former != nil {
		flags |= flagFormer
	}
	b.AddUint8(flags)
	b.AddBytes(s.ad[:])
	b.AddBytes(s.exporter[:])
	if s.former != nil {
		s.former.marshal(b)
	}
	s.send.marshal(b)
	s.receive.marshal(b)
	b.AddBytes(r)
	return b.Bytes()
}

// UnmarshalSession reads what MarshalBinary returned.
func UnmarshalSession(data []byte) (*Session, error) {
	in := cryptobyte.String(data)
	var version, flags uint8
	s := new(Session)
	ok := in.ReadUint8(&version) && version == sessionVersion &&
		in.ReadUint8(&flags) && flags <= flagInitiator|flagEstablished|flagFormer &&
		in.CopyBytes(s.ad[:]) && in.CopyBytes(s.exporter[:])
	if ok && flags&flagFormer != 0 {
		s.former = new(door)
		ok = s.former.unmarshal(&in)
	}
	ok = ok && s.send.unmarshal(&in) && s.receive.unmarshal(&in) && s.send.flares.n == s.receive.answers.n
	if !ok {
		return nil, ErrState
	}
	s.initiator, s.established = flags&flagInitiator != 0, flags&flagEstablished != 0
	var err error
	if s.ratchet, err = ratchet.Unmarshal(in); err != nil || !s.receive.fits(s.ratchet.Steps()) {
		return nil, ErrState
	}
	return s, nil
}

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

// UnmarshalInvite reads what MarshalBinary returned.
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

// unmarshal reads what marshal wrote: one part at least, and never all.
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
