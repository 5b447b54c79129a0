package group

import (
	"crypto/ed25519"

	"starling/session/envelope"
	"starling/session/group/keys"
	"starling/session/group/members"
	"starling/session/internal/cbchmac"
	"starling/session/internal/kdf"
	"starling/session/internal/secret"
)

// Sizes in bytes. A cell is a box of a log: 1,536 bytes, all ciphertext.
const (
	boxSize     = envelope.CellSize
	innerSize   = boxSize - cbchmac.TagSize - 1
	bodySize    = 1375
	sealedSize  = 1408
	bodyHead    = 1 + 16 + 16 + 2 + 2 + 1 + 2
	dataSize    = bodySize - bodyHead // with no causes
	maxCauses   = 47
	maxCount    = 50
	messageSize = 1 + 16 + 4 + 8 + ed25519.SignatureSize + sealedSize
	controlSize = innerSize - 3
)

// The first byte inside a cell.
const (
	kindMessage = 1
	kindControl = 2
)

const bodyVersion = 1

// A message fits.
const _ = uint(innerSize - messageSize)

// inner is the plaintext of a cell.
type inner [innerSize]byte

// A vault seals the cells of one place: all cells of a rekey, of a link, an answer or a door.
// The same plaintext gives the same box, so that a copy is the same entry; the tag is a MAC of the
// plaintext, so that no key is used for two, and nobody takes a tag before its cell is there.
type vault struct {
	secret.Hidden

	secret [kdf.Size]byte
	tags   [kdf.Size]byte
	meet   [kdf.Size]byte // see [Append]
}

func newVault(s [kdf.Size]byte) vault {
	v := vault{secret: s, meet: meetOf(s)}
	kdf.Derive(kdf.RoomTag, nil, s[:], v.tags[:])
	return v
}

// meetOf derives what says where the logs of a secret lie if their mailboxes are gone: see [Append].
func meetOf(s [kdf.Size]byte) (meet [kdf.Size]byte) {
	kdf.Derive(kdf.RoomMeeting, nil, s[:], meet[:])
	return meet
}

// tag is the tag of a plaintext in a lane.
func (v *vault) tag(group [32]byte, lane uint8, in *inner) (tag [16]byte) {
	mac := kdf.MAC(v.tags[:], group[:], []byte{lane}, in[:])
	return [16]byte(mac[:])
}

func (v *vault) key(tag [16]byte) (key [cbchmac.KeySize]byte, iv [cbchmac.IVSize]byte) {
	kdf.Derive(kdf.RoomCell, tag[:], v.secret[:], key[:], iv[:])
	return key, iv
}

// seal makes the box of a plaintext.
func (v *vault) seal(group [32]byte, lane uint8, in *inner) (tag [16]byte, box []byte) {
	tag = v.tag(group, lane, in)
	key, iv := v.key(tag)
	return tag, cbchmac.Seal(nil, &key, &iv, in[:], group[:], []byte{lane}, tag[:])
}

// open opens a box of a lane. Everything that anybody else made is refused.
func (v *vault) open(group [32]byte, lane uint8, tag [16]byte, box []byte) (*inner, bool) {
	if len(box) != boxSize {
		return nil, false
	}
	key, iv := v.key(tag)
	b, ok := cbchmac.Open(nil, &key, &iv, box, group[:], []byte{lane}, tag[:])
	if !ok || len(b) != innerSize {
		return nil, false
	}
	in := inner(b)
	return &in, v.tag(group, lane, &in) == tag
}

// control puts control data into a plaintext.
func control(data []byte) *inner {
	var in inner
	in[0], in[1], in[2] = kindControl, byte(len(data)>>8), byte(len(data))
	copy(in[3:], data)
	return &in
}

// controlData takes it out again.
func (in *inner) controlData() ([]byte, bool) {
	n := int(in[1])<<8 | int(in[2])
	if in[0] != kindControl || n == 0 || n > controlSize || !zero(in[3+n:]) {
		return nil, false
	}
	return in[3 : 3+n], true
}

// A message is a cell of a member: signed, its body under a key of their chain.
type message struct {
	sender    ID
	number    uint32
	list      keys.Digest
	signature [ed25519.SignatureSize]byte
	sealed    [sealedSize]byte
}

func (m *message) inner() *inner {
	p := pen{b: make([]byte, 0, innerSize)}
	p.u8(kindMessage)
	p.raw(m.sender[:])
	p.u32(m.number)
	p.raw(m.list[:])
	p.raw(m.signature[:])
	p.raw(m.sealed[:])
	var in inner
	copy(in[:], p.b)
	return &in
}

func parseMessage(in *inner) (m *message, ok bool) {
	e := readerOf(in[:])
	kind := e.u8()
	m = &message{sender: e.id(), number: e.u32()}
	e.Into(m.list[:])
	e.Into(m.signature[:])
	e.Into(m.sealed[:])
	return m, !e.Bad && kind == kindMessage && zero(e.Rest)
}

// place is the associated data of the body: where the cell stands.
func (m *message) place(group [32]byte, nonce keys.Nonce) []byte {
	p := pen{b: make([]byte, 0, 96)}
	p.raw(group[:])
	p.raw(m.list[:])
	p.raw(m.sender[:])
	p.raw(nonce[:])
	p.u32(m.number)
	return p.b
}

func (m *message) bodyHash() [kdf.Size]byte { return kdf.Hash(kdf.RoomBody, m.sealed[:]) }

// seal seals and signs a body.
func (m *message) seal(k members.Key, group [32]byte, nonce keys.Nonce, key keys.MessageKey, b *body) {
	at := m.place(group, nonce)
	copy(m.sealed[:], cbchmac.Seal(nil, (*[64]byte)(key[:64]), (*[16]byte)(key[64:]), b.encode(), at))
	hash := m.bodyHash()
	m.signature = k.Sign(kdf.SignCell, append(at, hash[:]...))
}

func (m *message) signed(public [32]byte, group [32]byte, nonce keys.Nonce) bool {
	hash := m.bodyHash()
	return members.Signed(public, kdf.SignCell, append(m.place(group, nonce), hash[:]...), m.signature)
}

func (m *message) open(group [32]byte, nonce keys.Nonce, key keys.MessageKey) (*body, bool) {
	b, ok := cbchmac.Open(nil, (*[64]byte)(key[:64]), (*[16]byte)(key[64:]), m.sealed[:], m.place(group, nonce))
	if !ok {
		return nil, false
	}
	return parseBody(b)
}

// Holds reports whether the bearer of a key signed what the proof says.
func (p *Proof) Holds(public [32]byte) bool {
	m := message{sender: p.Sender, number: p.Number, list: p.List}
	return members.Signed(public, kdf.SignCell, append(m.place(p.Group, p.Nonce), p.Body[:]...), p.Signature)
}

// A body is one fragment of a content.
type body struct {
	previous Ref // the author's content before it; zero for the first
	id       [16]byte
	index    int
	count    int
	causes   []Ref // of the first fragment alone
	data     []byte
}

func (b *body) encode() []byte {
	p := pen{b: make([]byte, 0, bodySize)}
	p.u8(bodyVersion)
	p.raw(b.previous[:])
	p.raw(b.id[:])
	p.u16(b.index)
	p.u16(b.count)
	p.u8(uint8(len(b.causes)))
	p.u16(len(b.data))
	for _, c := range b.causes {
		p.raw(c[:])
	}
	p.raw(b.data)
	return append(p.b, make([]byte, bodySize-len(p.b))...)
}

func parseBody(src []byte) (*body, bool) {
	if len(src) != bodySize || src[0] != bodyVersion {
		return nil, false
	}
	e := readerOf(src[1:])
	b := &body{previous: Ref(e.b16()), id: e.b16(), index: e.u16(), count: e.u16()}
	causes, n := int(e.u8()), e.u16()
	room := dataSize - 16*causes
	if causes > maxCauses || causes > 0 && b.index > 0 || b.count == 0 || b.count > maxCount || b.index >= b.count || n > room {
		return nil, false
	}
	if last := b.index == b.count-1; !last && n != room || last && n == 0 && b.count > 1 {
		return nil, false
	}

	for range causes {
		b.causes = append(b.causes, Ref(e.b16()))
	}
	b.data = e.Take(n, room)
	return b, !e.Bad && zero(e.Rest)
}

// fragments cuts a content into bodies.
func fragments(previous Ref, id [16]byte, causes []Ref, content []byte) []*body {
	var all []*body
	for first := true; first || len(content) > 0; first = false {
		n := min(len(content), dataSize-16*len(causes))
		all = append(all, &body{previous: previous, id: id, index: len(all), causes: causes, data: content[:n]})
		content, causes = content[n:], nil
	}
	for _, b := range all {
		b.count = len(all)
	}
	return all
}

// refOf names a content.
func refOf(group [32]byte, author ID, id [16]byte, content []byte) Ref {
	hash := kdf.Hash(kdf.RoomBody, content)
	h := kdf.Hash(kdf.RoomContent, group[:], author[:], id[:], hash[:])
	return Ref(h[:16])
}
