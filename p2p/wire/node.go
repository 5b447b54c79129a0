package wire

import (
	"errors"
	"log/slog"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// NodeIDSize is the size of a NodeID in bytes.
const NodeIDSize = 32

// NodeID names a node: the raw Ed25519 public key of its libp2p identity. It is
// public, comparable, and usable as a map key.
type NodeID [NodeIDSize]byte

// ErrNodeID means that a name is not one of an Ed25519 identity.
var ErrNodeID = errors.New("wire: not the id of an Ed25519 node")

// NodeIDFromPeer returns the name behind a libp2p peer id, which must hold an
// Ed25519 key.
func NodeIDFromPeer(p peer.ID) (NodeID, error) {
	// Each look at our neighbours asks for all of them: the usual form costs no parser.
	if len(p) == len(idPrefix)+NodeIDSize && string(p[:len(idPrefix)]) == string(idPrefix[:]) {
		return NodeID([]byte(p[len(idPrefix):])), nil
	}
	pub, err := p.ExtractPublicKey()
	if err != nil {
		return NodeID{}, ErrNodeID
	}
	return NodeIDFromKey(pub)
}

// NodeIDFromKey returns the name of a libp2p public key, which must be Ed25519.
func NodeIDFromKey(pub crypto.PubKey) (NodeID, error) {
	if pub == nil || pub.Type() != crypto.Ed25519 {
		return NodeID{}, ErrNodeID
	}
	raw, err := pub.Raw()
	if err != nil || len(raw) != NodeIDSize {
		return NodeID{}, ErrNodeID
	}
	return NodeID(raw), nil
}

// ParseNodeID reads the text form, a libp2p peer id ("12D3KooW…").
func ParseNodeID(s string) (NodeID, error) {
	p, err := peer.Decode(s)
	if err != nil {
		return NodeID{}, ErrNodeID
	}
	return NodeIDFromPeer(p)
}

// idPrefix starts the peer id of every Ed25519 key: an identity multihash (0, 36)
// of a protobuf with key type 1 and 32 bytes of data.
var idPrefix = [6]byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}

// Peer returns the libp2p peer id.
func (n NodeID) Peer() peer.ID {
	var b [len(idPrefix) + NodeIDSize]byte
	copy(b[copy(b[:], idPrefix[:]):], n[:])
	return peer.ID(b[:])
}

// IsZero reports whether n names nobody.
func (n NodeID) IsZero() bool { return n == NodeID{} }

// String returns the text form of the libp2p peer id.
func (n NodeID) String() string { return n.Peer().String() }

// Short returns the last six characters of the text form, for screens and logs.
func (n NodeID) Short() string {
	s := n.String()
	return "…" + s[len(s)-6:]
}

// LogValue keeps whole ids out of the logs.
func (n NodeID) LogValue() slog.Value { return slog.StringValue(n.Short()) }
