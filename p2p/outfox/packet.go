package outfox

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"github.com/cloudflare/circl/hpke"

	"starling/p2p/wire"
)

// Packet is a packet between two hops.
type Packet struct {
	epoch   byte
	header  []byte // its size says the layer
	payload [PayloadSize]byte
}

// ParsePacket reads a packet. b is not kept.
func ParsePacket(b []byte) (*Packet, error) {
	n := len(b) - 1 - PayloadSize
	layer := 1
	for layerSize(layer) != n {
		if layer++; layer > Layers {
			return nil, ErrRefused
		}
	}
	p := &Packet{epoch: b[0], header: bytes.Clone(b[1 : 1+n])}
	copy(p.payload[:], b[1+n:])
	return p, nil
}

// Append appends the encoding of the packet, at most MaxPacketSize bytes.
func (p *Packet) Append(b []byte) []byte {
	b = append(b, p.epoch)
	b = append(b, p.header...)
	return append(b, p.payload[:]...)
}

// Frame returns the packet in a frame.
func (p *Packet) Frame() *wire.Frame {
	f, err := wire.NewFrame(wire.TypePacket, p.Append(make([]byte, 0, MaxPacketSize)))
	if err != nil {
		panic("outfox: " + err.Error()) // sizes are asserted above
	}
	return f
}

// Epoch returns the epoch byte, which says the key to peel with.
func (p *Packet) Epoch() byte { return p.epoch }

// Layer returns the layer to be peeled next, from 1 to Layers.
func (p *Packet) Layer() int {
	layer := 1
	for layerSize(layer) != len(p.header) {
		layer++
	}
	return layer
}

// Header is a packet without its message, which is nearly all the work.
type Header struct {
	epoch byte
	bytes []byte
	keys  *[Layers][keySize]byte
}

// NewHeader makes the header of one packet for a forward route: three mixes,
// then the mailbox. It expires with the slot; the hops must have keys of the slot's
// epoch. The error is ErrRoute unless the system's randomness fails.
func NewHeader(slot Slot, route [Layers]Hop) (*Header, error) {
	b, keys, err := wrapHeader(slot, &route, Deliver, ReplyID{})
	if err != nil {
		return nil, err
	}
	return &Header{slot.Epoch().Byte(), b, keys}, nil
}

// Wrap makes the packet. It must be called once: a header of two packets shows
// that they have one sender.
func (h *Header) Wrap(msg *Message) *Packet {
	p := &Packet{epoch: h.epoch, header: h.bytes}
	copy(p.payload[zeroSize:], msg[:])
	for layer := Layers; layer >= 1; layer-- {
		encipher(&h.keys[layer-1], p.payload[:])
	}
	return p
}

// Wrap is NewHeader and Wrap.
func Wrap(slot Slot, route [Layers]Hop, msg *Message) (*Packet, error) {
	h, err := NewHeader(slot, route)
	if err != nil {
		return nil, err
	}
	return h.Wrap(msg), nil
}

// String keeps the keys out of logs.
func (h *Header) String() string { return "outfox header" }

// GoString keeps the keys out of logs.
func (h *Header) GoString() string { return h.String() }

// LogValue keeps the keys out of logs.
func (h *Header) LogValue() slog.Value { return slog.StringValue(h.String()) }

// wrapHeader seals the layers from the last to the first and returns the payload
// key of each.
func wrapHeader(slot Slot, route *[Layers]Hop, last Command, id ReplyID) ([]byte, *[Layers][keySize]byte, error) {
	for i, h := range route {
		if h.Key.IsZero() || i < Layers-1 && (h.Delay < 0 || h.Delay > MaxDelay) {
			return nil, nil, ErrRoute
		}
	}

	var keys [Layers][keySize]byte
	layer4 := append([]byte{byte(last), slot.Byte()}, id[:]...)
	header, key, err := seal(route[Layers-1].Key, Layers, slot.Epoch().Byte(), layer4)
	if err != nil {
		return nil, nil, err
	}
	keys[Layers-1] = key

	for layer := Layers - 1; layer >= 1; layer-- {
		hop := &route[layer-1]
		plain := make([]byte, 0, HeaderSize)
		plain = append(plain, byte(Forward), slot.Byte())
		plain = binary.BigEndian.AppendUint16(plain, uint16(hop.Delay/time.Millisecond))
		plain = append(plain, route[layer].ID[:]...)
		plain = append(plain, header...)
		if header, keys[layer-1], err = seal(hop.Key, layer, slot.Epoch().Byte(), plain); err != nil {
			return nil, nil, err
		}
	}
	return header, &keys, nil
}

// seal makes one layer and returns its payload key.
func seal(to PublicKey, layer int, epoch byte, plain []byte) (header []byte, key [keySize]byte, err error) {
	s, err := suite.NewSender(to.key, info(layer, epoch))
	if err != nil {
		return nil, key, err
	}
	enc, box, err := s.Setup(rand.Reader)
	if err != nil {
		return nil, key, err
	}
	sealed, err := box.Seal(plain, nil)
	if err != nil {
		return nil, key, err
	}
	return append(enc, sealed...), [keySize]byte(box.Export([]byte(exportPayload), keySize)), nil
}

// Peeled is the content of a hop's layer.
type Peeled struct {
	Command Command
	Slot    byte      // the last slot to open the packet in, modulo 256
	Replay  ReplayTag // to be refused when seen before in the same slot

	// Of Forward.
	Delay  time.Duration
	Next   wire.NodeID
	Packet *Packet

	// Of Reply.
	ReplyID ReplyID

	payload *[PayloadSize]byte // of Deliver and Reply
}

// Peel opens one layer. It keeps no state and knows no time: the caller picks the key
// by p.Epoch(), checks that the slot is not over and of this epoch, and checks and
// stores the replay tag of the opened packet. p is not changed. The error is
// ErrRefused, for any reason.
func (k *PrivateKey) Peel(p *Packet) (Peeled, error) {
	layer := p.Layer()
	plain, box, err := k.open(p, layer)
	if err != nil {
		return Peeled{}, ErrRefused
	}

	out := Peeled{Command: Command(plain[0]), Slot: plain[1], Replay: ReplayTag(box.Export([]byte(exportReplay), ReplaySize))}
	next := &Packet{epoch: p.epoch, payload: p.payload}
	switch {
	case layer < Layers && out.Command == Forward:
		out.Delay = time.Duration(binary.BigEndian.Uint16(plain[2:])) * time.Millisecond
		out.Next = wire.NodeID(plain[4:routeSize])
		next.header = plain[routeSize:]
		out.Packet = next
		if out.Delay > MaxDelay {
			return Peeled{}, ErrRefused
		}
	case layer == Layers && out.Command == Deliver:
		if ReplyID(plain[2:]) != (ReplyID{}) {
			return Peeled{}, ErrRefused
		}
		out.payload = &next.payload
	case layer == Layers && out.Command == Reply:
		out.ReplyID = ReplyID(plain[2:])
		out.payload = &next.payload
	default:
		return Peeled{}, ErrRefused
	}

	decipher((*[keySize]byte)(box.Export([]byte(exportPayload), keySize)), next.payload[:])
	return out, nil
}

// errPoint means that the key that a sender has put into a header is none.
var errPoint = errors.New("outfox: the sender's key is of low order or not canonical")

// open opens the box of a header and returns its exported secrets besides.
func (k *PrivateKey) open(p *Packet, layer int) ([]byte, hpke.Opener, error) {
	if !sound(p.header[:encSize]) {
		return nil, nil, errPoint
	}
	r, err := suite.NewReceiver(k.key, info(layer, p.epoch))
	if err != nil {
		return nil, nil, err
	}
	box, err := r.Setup(p.header[:encSize])
	if err != nil {
		return nil, nil, err
	}
	plain, err := box.Open(p.header[encSize:], nil)
	return plain, box, err
}

// Message returns the message of a forward packet at its mailbox. The error is
// ErrRefused when the payload was changed on the way or the command is another.
func (p *Peeled) Message() (*Message, error) {
	if p.Command != Deliver {
		return nil, ErrRefused
	}
	return openPayload(p.payload)
}

// openPayload checks the zeros in constant time and returns the message behind them.
func openPayload(b *[PayloadSize]byte) (*Message, error) {
	var zero [zeroSize]byte
	if subtle.ConstantTimeCompare(b[:zeroSize], zero[:]) != 1 {
		return nil, ErrRefused
	}
	return (*Message)(b[zeroSize:]), nil
}
