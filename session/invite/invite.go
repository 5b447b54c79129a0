// Package invite is the one-time link and the cells that it opens.
//
// Link: "starling:" followed by base32 (RFC 4648, lower case, no padding) of
//
//	version       1  1
//	secret       32  random
//	bundle hash  32  SHA-256(BundleHash ‖ bundle plaintext)
//	expiry        4  seconds since 1970, big-endian
//	hints         1  how many, 0..3, then each: length 1 (1..128) ‖ bytes
//	checksum      4  first bytes of SHA-256(LinkChecksum ‖ all before)
//
// Case does not matter and white space is skipped, so a link survives a QR code
// in capitals and a mail that wraps it.
//
// The secret gives, by HKDF-SHA-256 with salt of 32 zeros and one label each:
//
//	id           16        InviteID; part of the handshake's associated data
//	bundle tags  3 × 16    InviteBundleTags: where the bundle lies
//	bundle key   64        InviteBundleKey
//	hello tags   24 × 16   InviteHelloTags: 8 slots of 3 cells, slot by slot
//	hello key    64        InviteHelloKey
//
// A bundle or a hello is three cells under three tags. Cell, 1,536 bytes:
//
//	IV     16  random
//	body 1488  AES-256-CBC of 1,487 bytes, PKCS #7
//	tag    32  HMAC-SHA-256 over purpose 1 ‖ slot 1 ‖ index 1 ‖ IV ‖ body
//
// Purpose is 1 for a bundle (slot 0), 2 for a hello and 3 for a [Knock]. A bundle
// is cut into three parts of 1,487 bytes; it is version 1 ‖ expiry 4 ‖ prekey bundle 1,957 ‖
// zeros. A hello is cut into three parts of 1,471 bytes, each behind a random
// id of 16 bytes that is the same in the three; it is handshake.Hello 1,732 ‖
// the first cell of the session 1,536 ‖ zeros.
package invite

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"time"

	"starling/session/internal/kdf"
	"starling/session/internal/linktext"
	"starling/session/internal/secret"
)

// Limits.
const (
	MaxHints    = 3
	MaxHintSize = 128 // bytes
	Prefix      = "starling:"
	// maxLink is longer than any link we make, in characters.
	maxLink = 1024
)

const (
	version      = 1
	checksumSize = 4
	fixedSize    = 1 + 32 + kdf.Size + 4 + 1
)

// Why a link is refused.
var (
	ErrForeign   = errors.New("this is not a starling link")
	ErrVersion   = errors.New("the link was made by another version of starling")
	ErrTruncated = errors.New("the link is cut off")
	ErrChecksum  = errors.New("the link has a typing error")
	ErrHints     = errors.New("invite hints: at most 3 of 1 to 128 bytes")
	ErrExpiry    = errors.New("invite expiry out of range")
)

// Link is the content of an invite link.
type Link struct {
	secret.Hidden

	Secret     [32]byte
	BundleHash [kdf.Size]byte
	Expires    time.Time // whole seconds
	Hints      [][]byte
}

// New returns a link with a fresh secret, still without a bundle hash.
func New(expires time.Time, hints [][]byte) (*Link, error) {
	if len(hints) > MaxHints {
		return nil, ErrHints
	}
	l := &Link{Expires: time.Unix(expires.Unix(), 0)}
	if s := expires.Unix(); s < 0 || s >= 1<<32 {
		return nil, ErrExpiry
	}
	for _, h := range hints {
		if len(h) == 0 || len(h) > MaxHintSize {
			return nil, ErrHints
		}
		l.Hints = append(l.Hints, append([]byte(nil), h...))
	}
	rand.Read(l.Secret[:])
	return l, nil
}

// Encode returns the link as text. It is a secret.
func (l *Link) Encode() string {
	return linktext.Encode(Prefix, l.Bytes())
}

// Bytes returns the bytes inside the text.
func (l *Link) Bytes() []byte {
	b := append([]byte{version}, l.Secret[:]...)
	b = append(b, l.BundleHash[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(l.Expires.Unix()))
	b = append(b, byte(len(l.Hints)))
	for _, h := range l.Hints {
		b = append(b, byte(len(h)))
		b = append(b, h...)
	}
	sum := kdf.Hash(kdf.LinkChecksum, b)
	return append(b, sum[:checksumSize]...)
}

// Parse reads a link.
func Parse(text string) (*Link, error) {
	b, exact, err := linktext.Decode(Prefix, text, maxLink)
	switch err {
	case nil:
	case linktext.ErrForeign:
		return nil, ErrForeign
	default:
		return nil, ErrChecksum
	}

	l, err := ParseBytes(b)
	if err == nil && !exact {
		return nil, ErrChecksum
	}
	return l, err
}

// otherVersion tells a link of a later version, which keeps its checksum at its end,
// from one that is mistyped or no link at all.
func otherVersion(b []byte) error {
	at := len(b) - checksumSize
	if b[0] < version || at < 1 {
		return ErrChecksum
	}
	sum := kdf.Hash(kdf.LinkChecksum, b[:at])
	if subtle.ConstantTimeCompare(sum[:checksumSize], b[at:]) != 1 {
		return ErrChecksum
	}
	return ErrVersion
}

// ParseBytes reads the encoding of Bytes.
func ParseBytes(b []byte) (*Link, error) {
	if len(b) < 1 {
		return nil, ErrTruncated
	}
	if b[0] != version {
		return nil, otherVersion(b)
	}
	if len(b) < fixedSize+checksumSize {
		return nil, ErrTruncated
	}

	l := &Link{Secret: [32]byte(b[1:]), BundleHash: [kdf.Size]byte(b[33:])}
	l.Expires = time.Unix(int64(binary.BigEndian.Uint32(b[65:])), 0)
	n := int(b[69])
	if n > MaxHints {
		return nil, ErrChecksum
	}

	at := fixedSize
	for range n { // a checksum's length is left at least
		size := int(b[at])
		if size == 0 || size > MaxHintSize {
			return nil, ErrChecksum
		}
		at++
		if len(b) < at+size+checksumSize {
			return nil, ErrTruncated
		}
		l.Hints = append(l.Hints, append([]byte(nil), b[at:at+size]...))
		at += size
	}

	sum := kdf.Hash(kdf.LinkChecksum, b[:at])
	if subtle.ConstantTimeCompare(sum[:checksumSize], b[at:]) != 1 {
		return nil, ErrChecksum // or there is more behind it
	}
	return l, nil
}
