package session

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"

	"starling/session/handshake"
	"starling/session/identity"
	"starling/session/internal/kdf"
	"starling/session/internal/secret"
	"starling/session/invite"
	"starling/session/prekey"
)

// Invitation is a link as the invitee sees it.
type Invitation struct {
	secret.Hidden

	link *invite.Link
	keys *invite.Keys
}

// ParseLink reads the first link that a text holds. Its errors are ErrForeign,
// ErrVersion, ErrTruncated and ErrChecksum.
func ParseLink(text string) (*Invitation, error) {
	l, err := invite.Find(text)
	if err != nil {
		return nil, err
	}
	return &Invitation{link: l, keys: invite.DeriveKeys(&l.Secret)}, nil
}

// Link returns the link alone, as its maker wrote it.
func (v *Invitation) Link() string { return v.link.Encode() }

// Expires returns when the link ends.
func (v *Invitation) Expires() time.Time { return v.link.Expires }

// Hints returns the hints that the inviter put in: where the bundle lies.
func (v *Invitation) Hints() [][]byte { return v.link.Hints }

// ID returns the id of the invite, which both sides know: 32 hex digits. It is
// how a profile recognises a link of its own.
func (v *Invitation) ID() string { return hex.EncodeToString(v.keys.ID[:]) }

// BundleTags returns the 3 tags of the bundle.
func (v *Invitation) BundleTags() []Tag { return bundleTags(v.keys) }

// Join runs the handshake against the bundle, of which the cells may come in
// any order, and seals the first content. It returns the session and the cells
// to store where the hints say: the 3 of the hello, which carry the first
// fragment, then one for each further fragment. The hello is repeated until
// the session is established.
func (v *Invitation) Join(now time.Time, bundle []Cell, id ID, first []byte) (*Session, []Cell, error) {
	if now.After(v.link.Expires) {
		return nil, nil, ErrExpired
	}
	if len(first) > MaxContent {
		return nil, nil, ErrTooLong
	}
	prekeys, err := v.openBundle(bundle)
	if err != nil {
		return nil, nil, err
	}
	return v.join(prekeys, id, first)
}

// join runs the handshake with a fresh identity.
func (v *Invitation) join(prekeys *prekey.Bundle, id ID, first []byte) (*Session, []Cell, error) {
	self := identity.New()
	hello, secrets, err := handshake.Initiate(self, prekeys, v.keys.ID)
	if err != nil {
		return nil, nil, ErrBundle
	}
	s, err := initiate(prekeys.Signed, secrets)
	if err != nil {
		return nil, nil, ErrBundle
	}
	content, err := s.Seal(id, first, 0)
	if err != nil {
		return nil, nil, err
	}
	return s, append(v.helloCells(hello, &content[0]), content[1:]...), nil
}

// Complete reports whether the bundle that the link names is among the cells. Others may
// be noise that a mailbox has put under its tags.
func (v *Invitation) Complete(cells []Cell) bool {
	_, ok := v.assemble(cells)
	return ok
}

// assemble puts the bundle together.
func (v *Invitation) assemble(cells []Cell) (plain *[invite.BundleSize]byte, ok bool) {
	plain = new([invite.BundleSize]byte)
	for i, tag := range v.keys.BundleTags {
		found := false
		for j := range cells {
			if found = equal(cells[j].Tag[:], tag[:]) && v.keys.OpenBundle(i, &cells[j].Box, plain); found {
				break
			}
		}
		if !found {
			return nil, false
		}
	}

	hash := kdf.Hash(kdf.BundleHash, plain[:])
	return plain, equal(hash[:], v.link.BundleHash[:])
}

// openBundle puts the bundle together and checks everything about it.
func (v *Invitation) openBundle(cells []Cell) (*prekey.Bundle, error) {
	plain, ok := v.assemble(cells)
	if !ok {
		return nil, ErrBundle
	}
	if plain[0] != bundleVersion {
		return nil, ErrVersion
	}

	rest := plain[5:]
	if binary.BigEndian.Uint32(plain[1:]) != uint32(v.link.Expires.Unix()) || !zero(rest[prekey.BundleSize:]) {
		return nil, ErrBundle
	}

	b, err := prekey.Parse(rest[:prekey.BundleSize])
	if err != nil {
		return nil, ErrBundle
	}
	return b, nil
}

// helloCells seals the hello in a slot at random, so that two users of one link seldom
// take each other's place.
func (v *Invitation) helloCells(hello *handshake.Hello, first *Cell) []Cell {
	plain := new([invite.HelloSize]byte)
	hello.Append(plain[:0])
	copy(plain[handshake.HelloSize:], first.Box[:])
	var id [invite.HelloIDSize]byte
	rand.Read(id[:])
	var slot [1]byte
	rand.Read(slot[:])
	n := int(slot[0] % invite.Slots)
	var cells []Cell
	for i := range invite.Cells {
		cells = append(cells, Cell{Tag: v.keys.HelloTags[n][i], Box: v.keys.SealHello(n, i, &id, plain)})
	}
	return cells
}
