package session

import (
	"encoding/binary"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"starling/session/internal/kdf"
	"starling/session/invite"
	"starling/session/ratchet"
)

// The plaintext of a knock:
//
//	reason     1  Reason
//	time       8  of the offer: ms since 1970
//	proof     32  HMAC, under the maker's ratchet.Proof, of the rest
//	link     2+n  the bytes inside a link, behind their length; expiry 2³² − 1
//	zeros         the rest of 1,487
const proofAt = 1 + 8

// KnockSkew is how far ahead of our clock the time in a knock may be. One further
// ahead waits until it is no longer.
const KnockSkew = 10 * time.Minute

// An instant is a time in an offer, in milliseconds since 1970, 0 if there was no
// offer. One that a peer chose has passed parseKnock.
type instant uint64

// maxInstant is the last millisecond of the year 9999.
const maxInstant instant = 253_402_300_799_999

// instantOf returns the nearest time that an offer can have.
func instantOf(t time.Time) instant {
	return min(instant(max(t.UnixMilli(), 1)), maxInstant)
}

func readInstant(in *cryptobyte.String, t *instant) bool {
	return in.ReadUint64((*uint64)(t)) && *t <= maxInstant
}

// offerExpiry is the end of time of an invite: an offer waits for its answer.
var offerExpiry = time.Unix(1<<32-1, 0)

// plain returns the plaintext of the knock.
func (o *offer) plain(proof *ratchet.Proof) (plain [invite.KnockSize]byte) {
	b := append(plain[:0], byte(o.reason))
	b = binary.BigEndian.AppendUint64(b, uint64(o.time))
	b = append(b, make([]byte, kdf.Size)...)
	link := o.invite.link.Bytes()
	b = binary.BigEndian.AppendUint16(b, uint16(len(link)))
	_ = append(b, link...)
	p := prove(proof, &plain)
	copy(plain[proofAt:], p[:])
	return plain
}

// prove returns the proof of a plaintext.
func prove(p *ratchet.Proof, plain *[invite.KnockSize]byte) [kdf.Size]byte {
	return kdf.MAC(p[:], plain[:proofAt], plain[proofAt+kdf.Size:])
}

// parseKnock reads the plaintext of a knock that has come at a time.
func parseKnock(plain []byte, now instant) (p *pendingOffer, sent instant, err error) {
	in := cryptobyte.String(plain)
	p = new(pendingOffer)
	var link cryptobyte.String
	if len(plain) != invite.KnockSize || !readReason(&in, &p.reason) ||
		!readInstant(&in, &sent) || sent == 0 || !in.Skip(kdf.Size) ||
		!in.ReadUint16LengthPrefixed(&link) || !zero(in) {
		return nil, 0, ErrRefused
	}
	if p.invitation, err = offeredLink(link); err != nil {
		return nil, 0, ErrRefused
	}
	if sent > now+instant(KnockSkew.Milliseconds()) {
		return nil, 0, ErrEarly
	}
	return p, sent, nil
}

// offeredLink reads the link of an offer.
func offeredLink(b []byte) (*Invitation, error) {
	l, err := invite.ParseBytes(b)
	if err != nil || !l.Expires.Equal(offerExpiry) || len(l.Hints) == 0 {
		return nil, ErrRefused
	}
	return &Invitation{link: l, keys: invite.DeriveKeys(&l.Secret)}, nil
}
