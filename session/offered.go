package session

import (
	"golang.org/x/crypto/cryptobyte"

	"starling/session/envelope"
	"starling/session/internal/secret"
	"starling/session/invite"
	"starling/session/prekey"
)

// pendingOffer is the last offer of the peer while its bundle is not whole.
type pendingOffer struct {
	reason     Reason
	door       int
	proven     bool
	invitation *Invitation
	bundle     [invite.Cells]*[envelope.CellSize]byte
}

// Offered is an offer of the peer, whole and with its signatures checked.
type Offered struct {
	secret.Hidden

	Reason Reason
	// Proven: its maker holds the state that the session was in. If not, they hold an
	// older copy, as a profile does that was restored, or a thief.
	Proven bool
	Hints  [][]byte // where the answer is to be stored

	invitation *Invitation
	prekeys    *prekey.Bundle
	former     []door
}

// Join runs the handshake against the offer with a fresh identity and seals the first
// content; its results are those of Invitation.Join.
func (o *Offered) Join(id ID, first []byte) (*Session, []Cell, error) {
	if len(first) > MaxContent {
		return nil, nil, ErrTooLong
	}
	s, cells, err := o.invitation.join(o.prekeys, id, first)
	if err == nil {
		s.former = o.former
	}
	return s, cells, err
}

func (p *pendingOffer) marshal(b *cryptobyte.Builder) {
	b.AddUint8(uint8(p.reason))
	b.AddUint8(uint8(p.door))
	b.AddUint8(bit(p.proven))
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

func (r *Reset) readPending(in *cryptobyte.String) bool {
	var at, proven, bits uint8
	var link cryptobyte.String
	p := new(pendingOffer)
	if !readReason(in, &p.reason) || !in.ReadUint8(&at) || int(at) >= len(r.doors) ||
		!in.ReadUint8(&proven) || proven > 1 || !in.ReadUint16LengthPrefixed(&link) ||
		!in.ReadUint8(&bits) || bits >= 1<<invite.Cells-1 {
		return false
	}
	v, err := offeredLink(link)
	if err != nil {
		return false
	}

	p.door, p.proven, p.invitation = int(at), proven == 1, v
	// At least one is missing, or it would not be pending.
	for i := range p.bundle {
		if bits&(1<<i) == 0 {
			continue
		}
		p.bundle[i] = new([envelope.CellSize]byte)
		if !in.CopyBytes(p.bundle[i][:]) {
			return false
		}
	}
	r.pending = p
	return true
}
