package session

import (
	"golang.org/x/crypto/cryptobyte"

	"starling/session/envelope"
	"starling/session/internal/kdf"
)

type mac = [envelope.MACSize]byte

// A chain gives one tag after the other:
//
//	tag  = HMAC(key, TagValue), the first 16 bytes
//	key' = HMAC(key, TagNext)
//
// A direction has three, from the key k that the handshake gives it: of its cells
// (k), of its flares (HMAC(k, TagFlares)), and of its answers to the peer's flares
// (HMAC(k, TagAnswers)).
type chain struct {
	key [kdf.Size]byte // of tag n
	n   uint32
}

// chains returns the three chains of a direction at their beginning.
func chains(k [kdf.Size]byte) (cells, flares, answers chain) {
	return chain{key: k}, chain{key: kdf.Step(kdf.TagFlares, &k)}, chain{key: kdf.Step(kdf.TagAnswers, &k)}
}

// tag returns tag n.
func (c *chain) tag() (tag Tag) {
	value := kdf.Step(kdf.TagValue, &c.key)
	copy(tag[:], value[:])
	return tag
}

// next returns tag n and moves on.
func (c *chain) next() Tag {
	tag := c.tag()
	c.skip(c.n + 1)
	return tag
}

// skip moves on to a later tag.
func (c *chain) skip(n uint32) {
	for ; c.n < n; c.n++ {
		c.key = kdf.Step(kdf.TagNext, &c.key)
	}
}

func (c *chain) marshal(b *cryptobyte.Builder) {
	b.AddBytes(c.key[:])
	b.AddUint32(c.n)
}

func (c *chain) unmarshal(in *cryptobyte.String) bool {
	return in.CopyBytes(c.key[:]) && in.ReadUint32(&c.n)
}
