package group

import (
	"starling/session/group/keys"
	"starling/session/internal/kdf"
)

// MaxAside bounds the bytes that one member seals to another.
const MaxAside = 1024

// SealFor seals something to one member. Nobody else in the room can read it, or see its
// reader. It is to be said in the room: a message names its author, and is signed.
func (r *Room) SealFor(member ID, plain []byte) ([]byte, error) {
	if len(plain) > MaxAside || len(plain) == 0 {
		return nil, ErrInvalid
	}
	if r.set.Role(member) == Nobody || member == r.self {
		return nil, ErrGone
	}
	l, known := r.leaves.of[member]
	if !known {
		return nil, ErrNotYet
	}
	sealed, err := keys.SealTo(l.leaf, asideInfo(r.group, r.self, member, l.leaf), plain)
	if err != nil {
		return nil, ErrInvalid
	}
	return sealed, nil
}

// OpenFrom opens a member's SealFor. False: it is for somebody else, or garbage.
func (r *Room) OpenFrom(author ID, sealed []byte) ([]byte, bool) {
	if len(sealed) > MaxAside+keys.Overhead {
		return nil, false
	}
	for i := len(r.leaves.own) - 1; i >= 0; i-- {
		k := r.leaves.own[i].key
		if plain, err := k.Unseal(asideInfo(r.group, author, r.self, k.Public()), sealed); err == nil && len(plain) > 0 {
			return plain, true
		}
	}
	return nil, false
}

// asideInfo binds sealed bytes to their room, author and reader: nobody passes them on as their own.
func asideInfo(group [32]byte, from, to ID, leaf *keys.Leaf) []byte {
	hash := leaf.Hash()
	info := append([]byte(kdf.RoomAside), group[:]...)
	info = append(append(info, from[:]...), to[:]...)
	return append(info, hash[:]...)
}
