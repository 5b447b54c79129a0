// Package p2p moves sealed boxes between strangers.
//
// A [Client] puts boxes into mailboxes and gets boxes out of them, and hides its
// identity from the mailboxes; a [Relay] carries packets, keeps mailboxes and the list
// of relays. Neither knows people or messages: a box is 1,536 bytes that somebody above
// has sealed, under a tag that somebody above has agreed.
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
//	client     a Client: its guards, its routes, its requests
//	watch      its standing subscriptions
//	relay      a Relay
//	settings   the owner's settings for the network, of either
//	book       the source of each address, and so whether it may be dialled
//	clock      the time of day, learned from relays
//	wake       when the network has changed, or the computer slept
//	sources    the lists of relays that a client believes
//	limits     the shares of strangers in a relay
//	host       the libp2p host of each role, with the gate of the book
//	wire       frames, node ids, protocol names
//	link       frames between neighbours
//	directory  signed descriptors of relays; gossip and exchange spread them
//	discovery  how relays find relays
//	outfox     the packets
//	mix        a hop: open, check for replay, wait, pass on; and choosing hops
//	judge      which relays seem to pass nothing on
//	island     which relays are out of reach, when most are
//	mailbox    boxes on disk and the watches that wait for them
//	guard      which relays a client connects to
//	recall     a client's memory from one start to the next
//	bridge     doors in no list, and pipes over them
//	proxy      connections over a SOCKS proxy, or none
//	censor     what networks do to connections, remembered
//	mesh       relays in one process, for testnets and tests
package p2p

import (
	"starling/p2p/bridge"
	"starling/p2p/bridge/server"
	"starling/p2p/client"
	"starling/p2p/limits"
	"starling/p2p/link"
	"starling/p2p/mailbox"
	"starling/p2p/relay"
	"starling/p2p/transport/web/domain"
)

// A Client puts boxes into mailboxes and watches for boxes.
type Client = client.Client

// ClientConfig is how a Client is made.
type ClientConfig = client.Config

// NewClient makes a client. It does nothing before Run.
func NewClient(cfg ClientConfig) (*Client, error) { return client.New(cfg) }

// A Relay carries packets, keeps mailboxes and the list of relays.
type Relay = relay.Relay

// RelayConfig is how a Relay is made.
type RelayConfig = relay.Config

// NewRelay opens the relay's state. Close it, unless Run is called.
func NewRelay(cfg RelayConfig) (*Relay, error) { return relay.New(cfg) }

// A Bridge is a door for clients that is in no list.
type Bridge = server.Bridge

// BridgeConfig is how a Bridge is made.
type BridgeConfig = server.Config

// NewBridge makes a bridge, and its key at the first start.
func NewBridge(cfg BridgeConfig) (*Bridge, error) { return server.New(cfg) }

// BridgeStatus is the state of one bridge of a client.
type BridgeStatus = bridge.Status

// A Domain is a host name of a relay or a bridge, with its certificate.
type Domain = domain.Domain

// DomainConfig is how a Domain is made.
type DomainConfig = domain.Config

// DomainState is how a Domain is.
type DomainState = domain.State

// NewDomain makes a Domain, with the certificate that is kept for it.
func NewDomain(cfg DomainConfig) (*Domain, error) { return domain.New(cfg) }

// CheckDomain reports whether a name is a full host name.
func CheckDomain(name string) error { return domain.Check(name) }

// NodeID names a relay.
type NodeID = client.NodeID

// Tag names a box.
type Tag = client.Tag

// LogName names a log, and is the right to read it.
type LogName = client.LogName

// Entry is a signed box of a log.
type Entry = client.Entry

// LogEntry is an entry at its place in a log of a mailbox.
type LogEntry = client.LogEntry

// LogEnd says what a mailbox has of a log.
type LogEnd = client.LogEnd

// LogPosition is the place up to which a log was read.
type LogPosition = client.LogPosition

// Seen is one thing a relay came to see; see RelayConfig.Tap.
type Seen = link.Seen

// TakenError is an ErrTaken with the box that the mailbox says is there.
type TakenError = client.TakenError

// Status is the present state of a client.
type Status = client.Status

// GuardStatus is one guard in use or tried.
type GuardStatus = client.GuardStatus

// SourceStatus is a relay that is asked for the list of relays.
type SourceStatus = client.SourceStatus

// RelayStatus is the present state of a relay.
type RelayStatus = relay.Status

// RelayTuning is the part of a relay's configuration that may change while it runs.
type RelayTuning = relay.Tuning

// MistakeError is a mistake in what the owner of a relay asks for.
type MistakeError = relay.MistakeError

// FilesError says that too few files may be open for a relay.
type FilesError = relay.FilesError

// ErrDiskFull means that the disk has no room for a mailbox.
var ErrDiskFull = mailbox.ErrFull

const (
	// DiskPerBox is how many bytes of the disk a box takes.
	DiskPerBox = mailbox.DiskPerBox
	// FewestBandwidth is the least limit that a relay can work with, in bytes a second.
	FewestBandwidth = relay.FewestBandwidth
)

// Memory returns how many bytes this program may use, by the machine, its control groups
// and GOMEMLIMIT.
func Memory() int64 { return limits.Memory() }

// Standing says how a relay stands with others, by their word.
type Standing = relay.Standing

const (
	// BoxSize is the size of every box in bytes.
	BoxSize = client.BoxSize
	// MinRelays is how many relays must be known before a client starts.
	MinRelays = client.MinRelays
)

// CheckAnnounced returns why others would not reach a relay, or a bridge, at an address.
func CheckAnnounced(s string, private, isBridge bool) error {
	if isBridge {
		return server.CheckAnnounced(s, private)
	}
	return relay.CheckAnnounced(s, private)
}

// CheckBootstrap returns why nobody can start from an address.
func CheckBootstrap(s string) error { return relay.CheckBootstrap(s) }

// Errors that callers tell apart; package client gives their meanings.
var (
	ErrOffline      = client.ErrOffline
	ErrFewRelays    = client.ErrFewRelays
	ErrTimeout      = client.ErrTimeout
	ErrTaken        = client.ErrTaken
	ErrFull         = client.ErrFull
	ErrUnknownRelay = client.ErrUnknownRelay
	ErrSize         = client.ErrSize

	// Of a relay's state.
	ErrNewer   = relay.ErrNewer
	ErrDamaged = relay.ErrDamaged
)
