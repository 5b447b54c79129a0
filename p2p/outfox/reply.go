package outfox

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"log/slog"

	"starling/p2p/wire"
)

// Block is a reply block: it lets its holder send one message to a client it does
// not know. A second use is refused by the first hop as a replay.
type Block struct {
	epoch  byte
	first  wire.NodeID
	seed   [seedSize]byte
	header [HeaderSize]byte
}

// Keys are the keys that the maker of a reply block keeps to read the one reply.
type Keys struct {
	id    ReplyID
	start [keySize]byte         // the holder enciphers under it
	hops  [Layers][keySize]byte // each hop deciphers under its own
}

// NewReplyBlock makes a reply block for a way back over three mixes to the client
// itself; the client's hop holds its own node id and mix key. It expires with the slot.
// The keys are good for one reply: forget them after it.
func NewReplyBlock(slot Slot, route [Layers - 1]Hop, client Hop) (*Block, *Keys, error) {
	keys := new(Keys)
	block := &Block{epoch: slot.Epoch().Byte(), first: route[0].ID}
	rand.Read(keys.id[:])
	rand.Read(block.seed[:])
	header, hops, err := wrapHeader(slot, &[Layers]Hop{route[0], route[1], route[2], client}, Reply, keys.id)
	if err != nil {
		return nil, nil, err
	}
	copy(block.header[:], header)
	keys.hops = *hops
	if keys.start, err = startKey(&block.seed); err != nil {
		return nil, nil, err
	}
	return block, keys, nil
}

func startKey(seed *[seedSize]byte) ([keySize]byte, error) {
	k, err := hkdf.Key(sha256.New, seed[:], nil, labelReply, keySize)
	if err != nil {
		return [keySize]byte{}, err
	}
	return [keySize]byte(k), nil
}

// ParseBlock reads a reply block of exactly BlockSize bytes. b is not kept. Only
// its use shows whether the block is any good.
func ParseBlock(b []byte) (*Block, error) {
	if len(b) != BlockSize {
		return nil, ErrRefused
	}
	block := &Block{epoch: b[0]}
	r := bytes.NewReader(b[1:])
	r.Read(block.first[:])
	r.Read(block.seed[:])
	r.Read(block.header[:])
	return block, nil
}

// Append appends the encoding of the block, BlockSize bytes.
func (b *Block) Append(out []byte) []byte {
	out = append(out, b.epoch)
	out = append(out, b.first[:]...)
	out = append(out, b.seed[:]...)
	return append(out, b.header[:]...)
}

// Epoch returns the epoch byte of the keys the block was made for.
func (b *Block) Epoch() byte { return b.epoch }

// Reply makes the packet that carries msg back, and says which relay it goes to.
// Use a block once.
func (b *Block) Reply(msg *Message) (first wire.NodeID, p *Packet, err error) {
	key, err := startKey(&b.seed)
	if err != nil {
		return wire.NodeID{}, nil, err
	}
	p = &Packet{epoch: b.epoch, header: bytes.Clone(b.header[:])}
	copy(p.payload[zeroSize:], msg[:])
	encipher(&key, p.payload[:])
	return b.first, p, nil
}

// String hides the block: it names a relay of the way to its owner.
func (b *Block) String() string { return "outfox reply block" }

// LogValue hides the block from logs.
func (b *Block) LogValue() slog.Value { return slog.StringValue(b.String()) }

// ID returns the id that Peel finds in the reply to this block.
func (k *Keys) ID() ReplyID { return k.id }

// Open returns the message of a reply that the client peeled. The error is
// ErrRefused when it is the answer to another block or was changed on the way.
func (k *Keys) Open(p Peeled) (*Message, error) {
	if p.Command != Reply || p.ReplyID != k.id {
		return nil, ErrRefused
	}
	payload := *p.payload
	for layer := Layers; layer >= 1; layer-- {
		encipher(&k.hops[layer-1], payload[:])
	}
	decipher(&k.start, payload[:])
	return openPayload(&payload)
}

// String hides the keys.
func (k *Keys) String() string { return "outfox reply keys" }

// GoString hides the keys from %#v.
func (k *Keys) GoString() string { return k.String() }

// LogValue hides the keys from logs.
func (k *Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }
