// Package p2p moves sealed boxes between strangers.
//
// A [Client] puts boxes into mailboxes and gets boxes out of them without the
// mailboxes learning who it is; a [Relay] carries packets, keeps mailboxes and
// the list of relays. Neither knows people or messages: a box is 1,536 bytes
// that somebody above has sealed, under a tag that somebody above has agreed.
//
//	client ── guard ── second ── third ── mailbox      a request
//	client ── guard ── second ── third ── mailbox      its answer, a route of its own
//
// A client is connected to two guards and to nobody else. It listens nowhere,
// has a new network identity at every start, and chooses its routes itself
// from the list of all relays that its guards hand it: one for the request and
// one for each answer, which may share relays. When there is no route that
// keeps the rules (mix.Routes) nothing is sent, and Status says why.
//
// # The parts
//
//	host       the libp2p host of each role
//	wire       frames, node ids, protocol names
//	link       frames between neighbours
//	directory  signed descriptors of relays; gossip and exchange spread them
//	discovery  how relays find relays
//	outfox     the packets
//	mix        a hop: open, check for replay, wait, pass on; and choosing hops
//	blame      which relays seem to pass nothing on
//	mailbox    boxes on disk and who waits for them
//	guard      which relays a client connects to
//	recall     what a client keeps from one start to the next
package p2p

import (
	"errors"

	"starling/p2p/link"
	"starling/p2p/mailbox"
	"starling/p2p/wire"
)

// NodeID names a relay.
type NodeID = wire.NodeID

// Tag names a box.
type Tag = mailbox.Tag

// Seen is one thing a relay came to see; see RelayConfig.Tap.
type Seen = link.Seen

// BoxSize is the size of every box in bytes.
const BoxSize = mailbox.BoxSize

// Errors that callers tell apart.
var (
	// ErrOffline: no guard is connected.
	ErrOffline = errors.New("not connected to any guard")
	// ErrFewRelays: there is no route that keeps the rules.
	ErrFewRelays = errors.New("too few relays known for an anonymous route")
	// ErrTimeout: no answer came. The box may have been stored or not.
	ErrTimeout = errors.New("no answer from the mailbox")
	// ErrTaken: another box is under the tag.
	ErrTaken = errors.New("another box is under this tag")
	// ErrFull: the mailbox has no room.
	ErrFull = errors.New("mailbox is full")
	// ErrUnknownRelay: the relay is not in the directory, or has left.
	ErrUnknownRelay = errors.New("relay is not known")
	// ErrSize: a box must have BoxSize bytes.
	ErrSize = errors.New("box has a wrong size")
)

// Status says what holds now.
type Status struct {
	// Ready: a guard is connected and there are relays for a route.
	Ready bool
	// Reason says in a few words what is missing when not Ready.
	Reason string
	// PeerID is our network identity of this start.
	PeerID string
	Guards []GuardStatus
	// Relays is how many relays are known, EnoughRelays whether they suffice.
	Relays       int
	EnoughRelays bool
	// Doubtful is how many of them are avoided, because nothing seems to come
	// back over them.
	Doubtful int
	// Hops is how many mixes a packet passes before the mailbox.
	Hops int
	// AllowPrivate: loopback and LAN relays are admitted and routes need not
	// span networks.
	AllowPrivate bool
	// BytesIn and BytesOut count frames on the links since the start.
	BytesIn, BytesOut int64
	// Refused counts what came in and was dropped, by reason.
	Refused map[string]int64
}

// GuardStatus is one guard in use or tried.
type GuardStatus struct {
	ID        NodeID
	Addr      string
	Connected bool
}
