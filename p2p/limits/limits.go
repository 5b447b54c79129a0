// Package limits bounds the share that strangers may take of a relay: every bound
// in one table, and the pure machines that share scarce things.
//
// [Table] has a line for each queue, cache, table and permit: number, bytes of
// each, source, bounded share, and victim when it is full. docs/PROTOCOL.md,
// section 7, has the same lines; a test compares them, and looks whether the test
// that fills each exists. Another finds the constants of p2p that bound something:
// each has its line, or a reason why it needs none. [For] scales the bounds that cost memory to the memory of
// the machine.
//
//	HalfOpen   connections before their handshake is over
//	Victim     which client goes when all places are taken
//	Rates      so much a second for each of many
//
// Shares by address and network count only when something is full: hundreds of
// users behind one carrier's NAT, a bridge or a Tor exit are normal. Where
// private addresses are allowed, they do not count at all, and everything else
// is as on the public network.
package limits

import (
	"net/netip"
	"time"
)

// Limits that do not depend on memory.
const (
	// A handshake that takes longer is most likely a silent attacker.
	HandshakeTime = 3 * time.Second

	StreamsClient = 4  // that a client may have open towards us
	StreamsRelay  = 16 // that a relay may
	StreamsPerSec = 4  // new ones of one peer
	StreamsBurst  = 16
	UnknownMost   = 16 // streams that name no protocol of ours, then the connection goes

	ClientRate, ClientBurst   = 20, 300 // frames a second of one client, over all its links
	NetworkRate, NetworkBurst = 200, 3000
	RelayRate, RelayBurst     = 5000, 20_000

	// Idle is how long a connection of a stranger may bring nothing before it
	// goes first.
	Idle = 30 * time.Second
)

const gib = 1 << 30

// lean is by how much faster than the memory the bounds shrink below a quarter of a GiB.
const lean = 0.6

// Sizes are the limits that depend on memory.
type Sizes struct {
	Clients  int // connections from nodes that are not in the list
	Relays   int // connections with nodes that are
	HalfOpen int
	HalfHost int // of one address, when it is full
	HalfNet  int // of one network, when it is full
	Slowed   int // clients that send faster than they may, and wait
	Unnamed  int // streams that have not named a protocol yet
	Windows  int64
	Requests int // bytes of requests to the web server that are not answered yet

	Admitting int // candidates for the list of relays
	Queued    int // frames in the queues of all links

	Replay    int // bytes of replay tags; never more than at 1 GiB: packets have a rate
	Seats     int // at the mailbox
	SeatBytes int // of all of them

	Readers     int // of logs
	ReaderBytes int // of all of them
	Logs        int
}

// For returns the sizes for so many bytes of memory: those of the table at
// 1 GiB, and in proportion from an eighth to four times of it. The windows of relays
// grow by the rest of seven eighths of the memory, so that the sum holds at every size:
// the lines that do not depend on memory weigh more where there is little. Below a
// quarter the places for clients and relays and unnamed streams stay in proportion, the rest shrinks
// faster.
func For(memory int64) Sizes {
	memory = min(max(memory, gib/8), 4*gib)
	share := float64(memory) / gib
	rest := share
	if memory < gib/4 {
		rest -= float64(gib/4-memory) / gib * lean
	}
	n := func(at1 int) int { return int(float64(at1) * rest) }
	s := Sizes{
		Clients: int(2000 * share), Relays: int(525 * share), HalfOpen: n(512), HalfHost: 8, HalfNet: 32,
		Requests: n(8 << 20), Slowed: n(224), Unnamed: int(224 * share), Admitting: n(20_000), Queued: n(16_384),
		Replay: min(n(180_000_000), 180_000_000), Seats: n(20_000), SeatBytes: n(80 << 20),
		Readers: n(5120), ReaderBytes: n(20 << 20), Logs: n(1 << 15),
	}
	s.Windows = min(memory/4, memory/8*7-s.bytes()) >> 20 << 20
	return s
}

// bytes returns the sum of all lines of the table.
func (s Sizes) bytes() (n int64) {
	for _, b := range Table {
		most := b.Most
		if b.Of != nil {
			most = b.Of(s)
		}
		n += int64(most) * int64(b.Each)
	}
	return n
}

// A Bound is one line of the table.
type Bound struct {
	What string // as in PROTOCOL.md
	Most int    // at 1 GiB
	Each int    // bytes, 0 if next to nothing
	By   string // its filler
	Per  string // the party with a bounded share
	Full string // the part that goes
	Test string // package and test that fills it
	Name string // the constant, if it is in another package: "p2p/book MaxCandidates"
	// Of is the number for other sizes; nil if it does not depend on memory.
	Of func(Sizes) int
}

// Table is all that strangers may take at a relay of 1 GiB.
var Table = []Bound{
	{"clients", 2000, 60 << 10, "anybody", "/24, /56", "idle first, the youngest of the fullest network", "p2p/host TestFullHouse", "", func(s Sizes) int { return s.Clients }},
	{"relays", 525, 60 << 10, "who is in the list", "-", "what nothing uses", "p2p/discovery TestShed", "", func(s Sizes) int { return s.Relays }},
	{"handshakes, and visitors of the web site", 512, 24 << 10, "anybody", "8 an address, 32 a network", "oldest of the fullest network; handshakes after 5 s", "p2p/host TestHalfOpen", "", func(s Sizes) int { return s.HalfOpen }},
	{"bytes of requests to the web server", 8 << 20, 1, "anybody", "24 KiB free each", "the one that needs more", "p2p/transport/web TestHugeRequests", "", func(s Sizes) int { return s.Requests }},
	{"streams of a client", StreamsClient, 0, "the client", "peer", "refused; 16 unknown: the connection", "p2p/host TestStreamFlood", "", nil},
	{"streams of a relay", StreamsRelay, 0, "the relay", "peer", "refused; 16 unknown: the connection", "p2p/host TestStreamFlood", "", nil},
	{"streams without a name", 224, 256 << 10, "anybody", "peer", "silent ones of the fullest network", "p2p/host TestUnnamedStreams", "", func(s Sizes) int { return s.Unnamed }},
	{"yamux windows beyond the first", 205, 1 << 20, "anybody", "peer", "no growth", "p2p/host TestWindows", "", func(s Sizes) int { return int(s.Windows >> 20) }},
	{"clients that are slowed", 224, 256 << 10, "anybody", "peer", "slowed longest", "p2p/link TestSlowed", "", func(s Sizes) int { return s.Slowed }},
	{"frames in a link's queue", 256, 2400, "the mix", "link", "newest", "p2p/link TestDeafPeer", "", nil},
	{"frames in all queues", 16_384, 2400, "anybody", "4 a link", "newest", "p2p/link TestDeafPeersTogether", "", func(s Sizes) int { return s.Queued }},
	{"links of clients that are away", 128, 2 << 10, "anybody", "/24, /56", "away longest, of the fullest network", "p2p/link TestAbsentOfOneNetwork", "p2p/link MaxAbsent", nil},
	{"dials for packets", 64, 8 << 10, "who sends packets", "4 a link", "random one of the link with most", "p2p/link TestDeadNextHops", "p2p/link DialsAtOnce", nil},
	{"pipes of a client, at a bridge", 6, 0, "the client", "peer", "refused", "p2p/bridge/server TestFlood", "p2p/bridge/server PipesPerClient", nil},
	{"dials for pipes, at a bridge", 64, 0, "clients", "4 a client, 6 a relay, /24, /56", "oldest of the heaviest network and client, if it is heavier or older than 2 s", "p2p/bridge/server TestDialsAreShared", "p2p/bridge/server DialsAtOnce", nil},
	{"clients with a remembered rate, at a bridge", 4096, 0, "clients", "-", "random", "p2p/limits TestRatesBounded", "p2p/bridge/server maxAsked", nil},
	{"candidates", 1024, 256, "anybody", "16 a network", "random", "p2p/book TestCandidatesBounded", "p2p/book MaxCandidates", nil},
	{"dials of candidates", 4, 8 << 10, "anybody", "1 an address in 10 min, 8 a network an hour", "later", "p2p/book TestCandidateRates", "p2p/book CandidatesAtOnce", nil},
	{"dials to see who is there, of each kind", 16, 8 << 10, "who knocks, relays of the list", "1 an address in 10 min, 8 a network an hour", "later", "p2p/book TestHomeIsCountedApart", "p2p/book ChecksAtOnce", nil},
	{"hearsay of the DHT", 1024, 512, "relays", "4 addresses a node", "random", "p2p/discovery TestHearsay", "p2p/discovery maxHeard", nil},
	{"records in the DHT", 256, 512, "anybody", "-", "random", "p2p/discovery TestRecordsAreBounded", "p2p/discovery maxRecords", nil},
	{"knocks that are not paid for", 1024, 1 << 10, "anybody", "16 a network", "random one of the network, or of all", "p2p/admission TestKnocksBounded", "p2p/admission maxKnocks", nil},
	{"relays that wait to be examined", 64, 1 << 10, "who knocks", "4 a network", "one of the fullest network", "p2p/admission TestLine", "p2p/admission maxLine", nil},
	{"relays to be admitted", 20_000, 2 << 10, "anybody", "-", "random one, rather of strangers", "p2p/admission TestCandidatesBounded", "p2p/admission maxCandidates", func(s Sizes) int { return s.Admitting }},
	{"lists of relays that are read", 48, 40 << 10, "relays of the list", "-", "silent longest", "p2p/relay TestReadingsFull", "p2p/relay maxReadings", nil},
	{"lists of others that are read", 16, 40 << 10, "anybody", "4 a network", "silent longest of the fullest network", "p2p/relay TestReadingsFull", "p2p/relay maxStrange", nil},
	{"relays in the list", 10_000, 2 << 10, "who was reached", "32 a network, 2 an address", "youngest of the heaviest network", "p2p/directory TestFull", "p2p/directory MaxRelays", nil},
	{"relays with two faces", 1024, 64, "relays of the list", "-", "random", "p2p/directory TestLiarsBounded", "p2p/directory MaxLiars", nil},
	{"askers for the list", 4096, 128, "anybody", "-", "random", "p2p/directory/exchange TestRatesBounded", "p2p/directory/exchange maxRates", nil},
	{"lists that were sold, of two periods", 4096, 48, "who works for it", "a stamp each, dearer for a network that buys much", "none: no more are sold", "p2p/directory/exchange TestSoldIsBounded", "p2p/directory/exchange maxSold", nil},
	{"neighbours who gossip", 4096, 128, "anybody", "-", "random", "p2p/limits TestRatesBounded", "p2p/directory/gossip maxPeers", nil},
	{"packets that wait", 8192, 2400, "who sends packets", "link, network", "random one of the heaviest link", "p2p/mix TestHeaviestLinkMakesRoom", "p2p/mix DefaultMaxDelayed", nil},
	{"bytes of the replay memory", 180_000_000, 1, "who sends packets", "turns at the gate", "none: some fresh packets are refused", "p2p/mix TestMemoryUsedUp", "p2p/mix DefaultMemory", func(s Sizes) int { return s.Replay }},
	{"seats at the mailbox", 20_000, 4 << 10, "who fetches", "a stamp each", "young ones for a stamp", "p2p/mailbox TestYoungSeatsAreContested", "p2p/mailbox DefaultMaxSeats", func(s Sizes) int { return s.Seats }},
	{"requests at the mailbox", 512, 8 << 10, "who sends packets", "256 of a kind", "newest", "p2p/mailbox TestOverload", "p2p/mailbox DefaultMaxRequests", nil},
	{"tags that were asked for", 1 << 18, 25, "who fetches", "-", "random", "p2p/mailbox TestInterestCap", "p2p/mailbox DefaultMaxInterest", nil},
	{"boxes", 1 << 18, 0, "who sends packets", "rate of each class", "random one of those that nobody asked for", "p2p/mailbox TestEvictionIsFair", "p2p/mailbox DefaultMaxBoxes", nil},
	{"readers of logs", 5120, 4 << 10, "who follows logs", "a stamp each, 1,024 a log", "young ones for a stamp", "p2p/mailbox TestReadersBounded", "p2p/mailbox DefaultMaxReaders", func(s Sizes) int { return s.Readers }},
	{"requests of logs at the mailbox", 128, 8 << 10, "who sends packets", "32 of a kind", "newest", "p2p/mailbox TestLogOverload", "", nil},
	{"followed logs with a remembered rate", 4096, 100, "who follows logs", "-", "random", "p2p/limits TestRatesBounded", "p2p/mailbox maxOfLog", nil},
	{"logs that were followed", 1 << 14, 25, "who follows logs", "-", "random", "p2p/mailbox TestHostileLogs", "", nil},
	{"logs", 1 << 15, 200, "who sends packets", "an entry at least", "shortest that nobody follows", "p2p/mailbox TestTooManyLogs", "", func(s Sizes) int { return s.Logs }},
	{"entries of logs", 1 << 16, 0, "who has the key of a log", "8,192 a log", "oldest of a log that nobody follows, then of the longest", "p2p/mailbox TestMemory", "", nil},
}

// Within returns the sizes for so many open files as well: connections are files. What
// is not left of them after reserve goes to clients and relays as before.
func (s Sizes) Within(files int) Sizes {
	room := max(files-reserve, 0)
	if all := s.Clients + s.Relays; all > room {
		s.Clients, s.Relays = room*s.Clients/all, room*s.Relays/all
	}
	return s
}

// FewestFiles is how many open files a relay needs at least; reserve is the number of
// those that are no connections of clients or relays.
const (
	FewestFiles = 256
	reserve     = 128
)

// Network returns the block of addresses that one hand is taken to hold when
// places are shared: a /24 of IPv4, a /56 of IPv6.
func Network(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() && !a.Is4In6() {
		bits = 56
	}
	p, _ := a.Unmap().Prefix(bits)
	return p
}

// Host returns the prefix that one machine is taken to hold: an address of IPv4, a /64
// of IPv6.
func Host(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() && !a.Is4In6() {
		bits = 64
	}
	p, _ := a.Unmap().Prefix(bits)
	return p
}
