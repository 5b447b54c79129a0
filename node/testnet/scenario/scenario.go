// Package scenario is the file format of starling testnet: a mesh, its users, their
// messages, the faults meanwhile, and the bars for the outcome. One file works for
// every engine with the features that it asks for.
//
// A scenario is TOML. Durations are strings ("90s", "1h30m"), fractions are
// between 0 and 1, relays and users are counted from 0. Keys that are not
// listed are errors; every error names the file and the line.
//
//	name = "churn"            # letters, digits and dashes; required
//	about = "one sentence"    # for the report
//	engine = "loopback"       # "processes", "namespaces", "virtual"
//	seed = 1                  # the same seed makes the same schedule
//	relays = 8                # 5 to 2000; required
//	users = 4                 # 2 to 2000; required
//	duration = "20s"          # messages and events happen in it; required, but not
//	                          # for a mesh that is kept up
//	settle = "1m"             # how long the last messages may take after it
//	mean_delay = "30ms"       # at each mix; "0s" is none
//	bridges = 1               # the last ones of the relays are bridges, in no list: half of the
//	                          # people have the link of one, the others by an invite
//	newcomers = 3             # people that write to nobody: each makes a profile
//	                          # while the messages flow, until it is ready
//	relay_mib = 1024          # the memory that a relay measures its limits by;
//	                          # by default the memory of the machine
//	nat = true                # every user is behind a NAT router of its own
//
//	[messages]                # required, as duration is
//	count = 100               # in all; or a rate, or both; 0 for none
//	rate = 5.0                # messages a second
//	size = 64                 # bytes of text, or [least, most]
//	pairs = "ring"            # the contacts of users: "ring", "couples" (0 and 1,
//	                          # 2 and 3, …), "all"; always in both directions
//
//	[[room]]                  # a room, and its talk; with rooms, messages may be left out
//	rooms = 1                 # so many that are alike
//	users = [0, 1, 2]         # who is in it from the beginning: 2 to 32; the first
//	                          # of them owns it, or owner = 1; or
//	members = 8               # so many, drawn by the seed
//	admins = [1]              # or so many of them: admins = 2
//	speakers = [0, 1]         # everybody in it, if not given
//	messages = 40             # in each of the rooms; or a rate a second, or both
//	size = 64                 # as above
//	replies = 0.3             # the fraction that answers another message
//	joins = 4                 # people that come in while messages flow, and that
//	removals = 2              # are removed, by owner and admins; drawn by the seed
//
//	[shifts]                  # couples only: the two are never online together
//	every = "30m"             # and change places this often; drains at the end
//
//	[churn]                   # relays that come and go
//	per_minute = 0.3          # fraction of the relays that stop in a minute
//	away = "10s"              # how long each of them is gone
//	from = "0s"               # the first one after, and the last one before;
//	until = "20s"             # default: so that all are back in time
//	kill = true               # they end as in a power cut
//
//	[link]                    # every link between two machines
//	latency = "75ms"          # one way, or ["50ms", "100ms"]: drawn per pair
//	loss = 0.1                # fraction of the packets
//	bandwidth = 20.0          # of each machine, in megabits a second each way
//
//	[world]                   # in place of link: a network like the world's
//	table = "rtt.toml"        # round trips of regions; without it the built-in ones
//	jitter = "2ms"            # of each packet, beside that of its links
//	burst_enter = 0.001       # chance for each packet that a time of losses begins,
//	burst_leave = 0.2         # and that it ends,
//	burst_loss = 0.5          # and to be lost in it
//
//	[[place]]                 # machines and their links; the others are in any region,
//	regions = ["london"]      # relays in data centres and users on cable
//	link = "mobile"           # datacentre, fibre, cable, dsl, mobile, wifi-lte, satellite
//	up = 5.0                  # megabits a second, in place of the link's
//	down = 20.0
//	relays = [0, 3]           # or a fraction of them; and or
//	users = [1]               # or user_fraction
//
//	[[bad]]                   # relays that are slow, broken or hostile
//	fraction = 0.2            # as many, drawn by the seed, or relays = [0, 3]
//	drop = 1.0                # fraction of the packets they swallow,
//	replay = 0.1              # send twice,
//	tamper = 0.1              # or change; and how long
//	delay = "2s"              # they hold each packet beyond its own delay
//
//	[[hostile]]               # machines of strangers that attack the mesh
//	do = "delays"             # the attack: see cmd/internal/lab, which runs it
//	machines = 10             # 1 to 100, each with an address in a /16 of its own
//	rate = 27.0               # a second, for each of them; as much as it can if not given
//	least = 9000              # the deeds required of all together, as the attack counts them
//	from = "10s"              # while messages and events happen
//	until = "40s"
//
//	[[skew]]                  # clocks that are wrong
//	by = "-90s"
//	relays = [0, 3]           # or a fraction of them; and or
//	users = [1]
//
//	[[program]]               # a binary of your own in place of starling, which takes
//	path = "bin/mine"         # its arguments and prints its lines; a path with a slash
//	                          # begins at the file's folder
//	args = ["--fast"]         # before those of starling
//	relays = [0, 3]           # or a fraction of them; and or
//	users = [1]
//
//	[[event]]                 # any number of them
//	at = "5s"
//	do = "stop"               # relays: stop, restart, kill
//	                          # users: offline, online, reopen, crash
//	                          # disks: fill, free
//	                          # links: partition, heal, block, unblock
//	                          # censors: curtain, police, strings, entropy, probe,
//	                          # harvest, lift
//	                          # rooms: join, remove, leave, promote, demote
//	relays = [0, 3]           # these, or
//	fraction = 0.25           # as many, drawn by the seed; a restart of
//	                          # neither means all that are stopped
//	users = [1]               # these; none means all
//	drain = true              # offline, reopen: first wait until the texts of
//	                          # the user lie in a mailbox and those to the
//	                          # user are shown
//	room = 0                  # join and the like: which room, counted over all tables,
//	by = 1                    # and who does it to the users: the owner, or an admin
//
//	[bar]                     # conditions, beside every message being shown
//	wall = "10m"              # once and in order: see Bar
package scenario

import (
	"fmt"
	"time"

	"starling/node/testnet/world"
)

// A Scenario is one parsed file.
type Scenario struct {
	File      string // as errors name it
	Name      string
	About     string
	Engine    string
	Seed      uint64
	Relays    int
	Users     int
	Duration  time.Duration
	Settle    time.Duration
	MeanDelay time.Duration // 0: none
	NAT       bool
	Bridges   int // the last ones of the relays
	Newcomers int
	RelayMiB  int      // 0: the memory of the machine
	Messages  Messages // the zero value if there are only rooms
	Rooms     []Room
	Shifts    time.Duration // 0: none
	Churn     Churn
	Link      Link
	Bad       []Bad
	Skew      []Skew
	Hostile   []Hostile
	Events    []Event
	Bar       Bar
	Programs  []Program
	World     *World // nil: all links are alike
	Stays     bool   // it is kept up, and nothing happens by itself

	lines lines
}

// The pairs of users that are contacts.
const (
	Ring    = "ring"
	Couples = "couples"
	All     = "all"
)

// Messages describe the traffic of messages, over all users together.
type Messages struct {
	Count            int
	Rate             float64 // a second
	MinSize, MaxSize int     // bytes of text
	Pairs            string
}

// Churn is relays that come and go. The zero value is none.
type Churn struct {
	PerMinute   float64
	Away        time.Duration
	From, Until time.Duration
	Kill        bool
}

// Link is the treatment of packets by every link between two machines.
type Link struct {
	LatencyMin, LatencyMax time.Duration
	Loss                   float64
	Bandwidth              float64 // megabits a second, each way; 0: no limit
}

// Bad is relays that mistreat the packets they pass on.
type Bad struct {
	Relays               []int
	Fraction             float64
	Drop, Replay, Tamper float64
	Delay                time.Duration
}

// Hostile is machines that belong to nobody in the mesh and attack it.
type Hostile struct {
	Do          string
	Machines    int
	Rate        float64 // of each machine, a second; 0: as much as it can
	Least       int64   // that all of them must have done; 0: any
	From, Until time.Duration
}

// Listed returns how many relays are in the directory: those that are no bridges.
func (s *Scenario) Listed() int { return s.Relays - s.Bridges }

// People returns how many users there are, newcomers included.
func (s *Scenario) People() int { return s.Users + s.Newcomers }

// Strangers returns how many hostile machines there are.
func (s *Scenario) Strangers() (n int) {
	for _, h := range s.Hostile {
		n += h.Machines
	}
	return n
}

// World is a network of regions, whose machines have links of their own.
type World struct {
	File   string       // of its table; "" for the built-in one
	Table  *world.Table // nil before Load
	Jitter time.Duration
	Bursts world.Bursts
	Places []Place
}

// Place is machines that are alike: their regions, taken in turn, and their link.
type Place struct {
	Regions  []string // none: drawn by the seed
	Link     string   // "": relays are in data centres, users on cable
	Up, Down float64  // megabits a second; 0: those of the link
	Relays   []int
	Fraction float64 // of the relays
	Users    []int
	UserPart float64 // fraction of the users

	path string // its table, for errors
}

// Program is a binary of somebody's own in place of starling, for some nodes.
type Program struct {
	Path     string // as it is run
	Args     []string
	Relays   []int
	Fraction float64 // of the relays
	Users    []int

	path string // its table, for errors
}

// Skew is machines with a clock that is wrong By some time.
type Skew struct {
	Relays   []int
	Fraction float64 // of the relays
	Users    []int
	By       time.Duration
}

// Bar is the conditions to hold beside every message being shown once and in order. A
// zero value asks for nothing.
type Bar struct {
	Start        time.Duration // real time until everybody runs and knows the relays
	Wall         time.Duration // real time of the whole run
	P50          time.Duration // from writing to shown
	P99          time.Duration
	Back         time.Duration // the longest that a user online had no way in
	RoomP50      time.Duration // the same in rooms, at the others
	RoomP99      time.Duration
	Newcomer     time.Duration // until the slowest newcomer is ready
	UserRSS      float64       // MiB of the largest user's process
	UserBytesDay float64       // bytes a day both ways, mean of the users, after the start
	NoStrays     bool          // nobody dials an address that no machine has
	// Growth is how much more a node may cost, in memory and in goroutines, than
	// in a mesh of a quarter of the size, which is run first.
	Growth float64
}

// Quarter returns a mesh of a quarter of the size in which nothing happens: the base
// for measuring the growth of cost.
func (s *Scenario) Quarter() *Scenario {
	q := *s
	q.Name += "-quarter"
	q.Relays, q.Users = max(minRelays, s.Relays/4), max(minUsers, s.Users/8*2)
	q.Messages = Messages{MinSize: MinSize, MaxSize: MinSize, Pairs: s.Messages.Pairs}
	q.Rooms = nil
	q.Shifts, q.Churn, q.Bad, q.Skew, q.Hostile, q.Events, q.Newcomers = 0, Churn{}, nil, nil, nil, nil, 0
	q.Bar = Bar{Growth: s.Bar.Growth}
	return &q
}

// Action is the act of an event or a step.
type Action string

const (
	Stop      Action = "stop"    // relays end in order
	Kill      Action = "kill"    // relays end at once, as in a power cut
	Restart   Action = "restart" // stopped relays start again
	Offline   Action = "offline" // users close their node
	Online    Action = "online"  // users open their node
	Reopen    Action = "reopen"  // both at once
	Crash     Action = "crash"   // the same, with an end as in a power cut
	Fill      Action = "fill"    // disks are full
	Free      Action = "free"    // disks have room again
	Partition Action = "partition"
	Heal      Action = "heal"
	Block     Action = "block"   // users cannot reach these relays
	Unblock   Action = "unblock" // they can again
	Curtain   Action = "curtain" // users' connections freeze after some bytes
	Police    Action = "police"  // users who connect often to one relay are banned from it
	Strings   Action = "strings" // users' connections with our words in them, or of no known protocol, are reset
	Entropy   Action = "entropy" // those that look like random bytes are cut
	Probe     Action = "probe"   // addresses that users connect to are asked whether they are web servers
	Harvest   Action = "harvest" // a user among them learns the directory, and has it blocked
	Lift      Action = "lift"    // all censors are gone
	Join      Action = "join"    // users come into a room
	Remove    Action = "remove"  // users are removed from it
	Leave     Action = "leave"   // users leave it
	Promote   Action = "promote" // users become its admins
	Demote    Action = "demote"  // admins become members
	Send      Action = "send"    // a user writes a message; only in a Plan
	Say       Action = "say"     // the same in a room
)

// Event is one line of the script.
type Event struct {
	At       time.Duration
	Do       Action
	Relays   []int
	Fraction float64
	Users    []int
	Drain    bool
	Room     int
	By       int // -1: the owner

	Bytes     int           // Curtain: so many come on a connection
	Reset     bool          // and it is reset, not frozen
	First     bool          // Harvest: of the first ways in that people were given, not of the directory
	PerMinute int           // Police: connections to one relay in a minute
	Ban       time.Duration // and for how long nothing passes with more

	path string // its table, for errors
}

// An Error is a mistake in a scenario.
type Error struct {
	File    string
	Line    int // 0 if it is no line's
	Message string
}

func (e *Error) Error() string {
	if e.File == "" {
		return e.Message
	}
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

func (s *Scenario) errorf(path, format string, args ...any) error {
	return &Error{File: s.File, Line: s.lines.of(path), Message: fmt.Sprintf(format, args...)}
}
