// Package outfox makes and opens the onion packets of the mix network.
//
// The format is Outfox (Rial, Piotrowska, Halpin: "Outfox: a Postquantum Packet
// Format for Layered Mixnets", arXiv 2412.19937) for routes of exactly four
// layers, with each layer an RFC 9180 HPKE box in base mode. It differs from the
// paper in two points: KEM, key schedule and AEAD come from HPKE, with the
// payload key and the replay tag taken from its exporter; and any relay may serve
// any of the three mix layers.
//
// # Routes
//
//	forward: guard → second → third → mailbox
//	reply:   third → second → guard → client
//
// Both look alike to every hop: same sizes, same commands.
//
// # Packet
//
//	offset  size
//	0       1     epoch, a unix day modulo 256: which of a hop's keys to use
//	1       h     header; h = 318, 234, 150, 66 at layer 1, 2, 3, 4
//	1+h     2048  payload
//
// The length says the layer; on a link every packet travels in a wire.Frame.
// A header is a layer:
//
//	0       32    encapsulated key
//	32      36    routing at layers 1–3 (18 at layer 4), encrypted
//	68      h-84  the next layer, encrypted
//	h-16    16    Poly1305 tag
//
// sealed with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, empty
// aad, and as info the label "starling/outfox/2" ‖ layer (1) ‖ epoch (1). The
// encapsulated key is part of HPKE's KEM context, so no other encoding of the
// same point opens the layer. Routing is
//
//	layers 1–3  command (1) = 1, slot (1), delay in ms (2, big endian), next node (32)
//	layer 4     command (1) = 2 for a mailbox, slot (1), then 16 zeros
//	            command (1) = 3 for a client, slot (1), then the reply id (16)
//
// The slot is the last span of two hours in which the packet may be opened, modulo
// 256, the same in all layers. The epoch is that of the slot four before: see
// Slot. A hop remembers an opened packet until the slot has ended, and no longer.
//
// # Payload
//
// The payload is 16 zero bytes and a message of 2,032 bytes, enciphered with the
// wide-block cipher LIONESS once per layer under the exported key "payload" (32
// bytes) of that layer; each hop deciphers once. Only the end of the route checks
// the zeros: a changed payload is noise to all, and nobody on the way can tell.
// A hop must remember the exported "replay" (16 bytes).
//
// # Reply block
//
//	0       1     epoch
//	1       32    first hop
//	33      16    seed of the first payload key
//	49      318   header
//
// 367 bytes. The holder enciphers zeros ‖ message once under
// HKDF-SHA256(seed, no salt, "starling/outfox/2 reply"), sends it with the header
// to the first hop, and forgets the block. The hops decipher as always; the client,
// with all keys, undoes it. Four blocks and 32 tags of 16 bytes, or five blocks and 12
// tags, fit into one message.
//
// The proof covers packets, not traffic. A destroyed packet is one bit to a first
// and a last hop that work together. See docs/THREATMODEL.md.
package outfox

import (
	"errors"
	"time"

	"github.com/cloudflare/circl/hpke"

	"starling/p2p/wire"
)

// The suite. One per version of the network, no negotiation. To make the layers
// post-quantum, take a hybrid KEM, its sizes, and a new label; wire.FrameSize
// follows. Of the libraries that have HPKE this one is the quickest with X25519;
// a test compares it with the standard library's.
var (
	suite  = hpke.NewSuite(hpke.KEM_X25519_HKDF_SHA256, hpke.KDF_HKDF_SHA256, hpke.AEAD_ChaCha20Poly1305)
	scheme = hpke.KEM_X25519_HKDF_SHA256.Scheme()
)

const (
	label         = "starling/outfox/2"
	labelReply    = label + " reply"
	exportPayload = "payload"
	exportReplay  = "replay"

	encSize    = 32                  // encapsulated key
	publicSize = 32                  // public key of a hop
	tagSize    = 16                  // AEAD tag
	overhead   = encSize + tagSize   // of a layer, beside routing and next layer
	routeSize  = 1 + 1 + 2 + 32      // routing of layers 1–3
	finalSize  = 1 + 1 + ReplyIDSize // routing of layer 4
	zeroSize   = 16                  // zeros before the message
	seedSize   = 16                  // of a reply block's payload key
	layer4Size = overhead + finalSize
	layer3Size = overhead + routeSize + layer4Size
	layer2Size = overhead + routeSize + layer3Size
	layer1Size = overhead + routeSize + layer2Size
)

// Sizes in bytes, and limits.
const (
	// Layers is the number of layers of every packet.
	Layers = 4
	// MessageSize is the size of the message at the far end.
	MessageSize = PayloadSize - zeroSize
	// PayloadSize is the enciphered part of a packet.
	PayloadSize = 2048
	// HeaderSize is the header of a packet as its maker sends it.
	HeaderSize = layer1Size
	// MaxPacketSize is the encoding of a packet at its first layer.
	MaxPacketSize = 1 + HeaderSize + PayloadSize
	// BlockSize is the encoding of a reply block.
	BlockSize = 1 + wire.NodeIDSize + seedSize + HeaderSize
	// ReplyIDSize is the size of a ReplyID.
	ReplyIDSize = 16
	// ReplaySize is the size of a ReplayTag.
	ReplaySize = 16
	// PublicKeySize is the encoding of a PublicKey.
	PublicKeySize = publicSize
	// MaxDelay caps the wait that a layer may ask of a hop: a packet that waits takes
	// room from others.
	MaxDelay = time.Second
)

// A packet fits into a frame.
const _ = uint(wire.MaxBody - MaxPacketSize)

// ErrRefused is the one error of every decoder here. It does not name the fault: a hop
// drops the packet and counts it.
var ErrRefused = errors.New("outfox: refused")

// ErrRoute means that a route handed to Wrap or NewReplyBlock cannot be used: a
// hop without a key, or a delay below zero or above MaxDelay.
var ErrRoute = errors.New("outfox: unusable route")

// Message is the message from the maker of a packet to the end of its route.
type Message [MessageSize]byte

// ReplyID tells a client which of its reply blocks was used.
type ReplyID [ReplyIDSize]byte

// ReplayTag marks one layer of one packet. It is the same whenever the same layer
// is opened again, and a hop must refuse it the second time.
type ReplayTag [ReplaySize]byte

// Command tells a hop its work on the packet inside.
type Command byte

// Commands.
const (
	Forward Command = 1 // wait, then pass on to Next
	Deliver Command = 2 // to the mailbox here
	Reply   Command = 3 // to the client here, the owner of the reply block
)

// Hop is one stop of a route.
type Hop struct {
	ID  wire.NodeID
	Key PublicKey // its mix key of the epoch that the packet's slot says
	// Delay is how long the hop waits before it passes the packet on, in whole
	// milliseconds. It means nothing at the end of a route.
	Delay time.Duration
}

// layerSize returns the size of the header at a layer from 1 to Layers, and 0 for
// the layer after the last.
func layerSize(layer int) int {
	switch layer {
	case 1:
		return layer1Size
	case 2:
		return layer2Size
	case 3:
		return layer3Size
	case 4:
		return layer4Size
	}
	return 0
}

// info binds a layer to the network, to its place and to the epoch.
func info(layer int, epoch byte) []byte {
	return append([]byte(label), byte(layer), epoch)
}
