// Package engine is the contract of the engines of scenarios: each runs relays and the
// nodes of users, and breaks their network as the scenario asks.
//
//	loopback    real nodes in this process, real sockets, real time
//	processes   the program itself, a process for each node
//	namespaces  the same, each in a network namespace of its own
//	virtual     real nodes in this process on a simulated network, in virtual time
//
// Package runner writes the messages, watches the events of readers, and counts; it does
// not know which engine it has.
package engine

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/libp2p/go-libp2p"

	"starling/node/api"
	"starling/node/testnet/censor"
	"starling/node/testnet/scenario"
)

// Config is the input of every engine.
type Config struct {
	Scenario *scenario.Scenario
	Plan     scenario.Plan
	Dir      string       // for its files on disk; removed by its maker
	Logger   *slog.Logger // never nil
	Program  string       // the starling to run, for engines that run processes
	Attacks  Attacks      // of hostile machines; nil without the lab
	Verbose  bool         // processes say all they do
}

// Logs returns the folder with a log for each node in the folder of a mesh.
func Logs(dir string) string { return filepath.Join(dir, "logs") }

// A Seat is the place of a node on this machine.
type Seat struct {
	Dir        string   // its profile, as --profile takes it
	Addrs      []string // of a relay that runs, with /p2p/
	Passphrase string   // of a user
	Enter      []string // words before a command that make it run on the node's machine
	Ended      error    // why a node that was to run does not, by itself
}

// A Standing engine lets others into its mesh from outside.
type Standing interface {
	Engine
	Relay(i int) Seat
	User(i int) Seat
	// Bootstrap returns addresses of relays for a newcomer, with /p2p/.
	Bootstrap() []string
	// Private reports whether they are private ones.
	Private() bool
}

// Attacks are the attacks of hostile machines. They are no part of the program:
// cmd/internal/lab has them.
type Attacks interface {
	// Check returns why there is no attack of a name.
	Check(name string) error
	// Run attacks from a machine in this process until ctx ends, and returns its deed.
	Run(ctx context.Context, m Stranger) (Deed, error)
	// Command returns a program and its arguments that do the same as a process. It
	// writes the Deed as JSON when it is interrupted.
	Command(m Stranger) (program string, args []string)
}

// A Deed is the work of a hostile machine, by its own count: a proof that it did
// something at all.
type Deed struct {
	Count int64
	What  string // is counted: "packets sent"
}

// A Stranger is one hostile machine.
type Stranger struct {
	Do      string
	Rate    float64
	Seed    uint64
	Address string   // its IP address
	Relays  []string // multiaddrs of all relays, each with /p2p/
	// The network of a simulation; nil on a real one.
	Options []libp2p.Option                                                      `json:"-"`
	Dial    func(ctx context.Context, network, address string) (net.Conn, error) `json:"-"`
}

// An Engine runs one mesh. Relays and users are counted from 0. Its methods may
// be called from any goroutine, but not two at a time for the same relay or
// user.
type Engine interface {
	// Enter calls do where the engine's time passes and returns its error. Everything
	// below is called from in there.
	Enter(ctx context.Context, do func(context.Context) error) error

	// Now is the real time, also where time is virtual.
	Now() time.Time

	// Start starts all relays and returns when all serve and know each other.
	Start(ctx context.Context) error
	// Stop ends a relay in order, Kill as in a power cut. Its disk stays.
	Stop(ctx context.Context, relay int) error
	Kill(ctx context.Context, relay int) error
	// Restart starts it again and returns when it serves.
	Restart(ctx context.Context, relay int) error

	// Open starts a user's node, with a new profile the first time. The node is used
	// until Shut or Crash.
	Open(ctx context.Context, user int) (api.Node, error)
	// Shut ends it in order, Crash as in a power cut. An error is one of the
	// node, also if it ended before.
	Shut(ctx context.Context, user int) error
	Crash(ctx context.Context, user int) error

	// Fill makes disks full; Free makes room on all of them.
	Fill(relays, users []int) error
	Free() error
	// Partition puts relays and users on a side of their own.
	Partition(relays, users []int) error
	Heal() error
	// Block keeps all users from reaching relays.
	Block(relays []int) error
	Unblock() error

	// Censor puts all users behind a censor, in place of the one before; the zero value is
	// none.
	Censor(Censor) error
	// Harvest learns the list of relays as one more user can, or with first which relays
	// people were told of in the beginning, and blocks a fraction of them for all users. It
	// returns which.
	Harvest(ctx context.Context, fraction float64, first bool) (relays []int, err error)
	// Bridges returns the links of the bridges that run.
	Bridges() []string

	// Attack lets one hostile machine, counted from 0 over all tables, attack until ctx
	// ends.
	Attack(ctx context.Context, stranger int, h scenario.Hostile) (Deed, error)

	// Measure returns the cost of the nodes so far.
	Measure(ctx context.Context) Measures
	// Close ends everything.
	Close() error
}

// A Censor is what a network does to the connections of users.
type Censor struct {
	After     int  // bytes that come on one before it freezes; 0: any number
	Reset     bool // it is reset then
	PerMinute int  // connections to one relay in a minute; 0: any number
	Ban       time.Duration
	// A censor that reads: see package censor.
	Read censor.Rules
}

// Measures are numbers of one moment.
type Measures struct {
	Relays, Users []Traffic // by index, over all restarts
	Counted       bool      // boxes handed to mailboxes are counted:
	Puts, Again   int64     // these, and those handed there before
	Failed        int64     // puts that failed
	Wire          bool      // the engine sees all links:
	Packets, Lost int64     // on them
	Strays        int64     // dials of addresses that no machine has
	Goroutines    int       // of this process
	RSS           int64     // bytes resident, of all processes together
	RelayRSS      []int64   // by index, where each has a process; 0: does not run
	UserRSS       []int64
	RelayDisk     []int64       // bytes of each relay's folder, where it is asked for
	Stored        bool          // the engine sees all mailboxes:
	RelayBoxes    int64         // stored in them
	Censor        *censor.Deeds // of a censor that reads
	RelayLinks    []int         // by index, to relays and clients, where the engine sees them; 0: does not run
}

// Traffic is bytes on all links of a node.
type Traffic struct{ In, Out int64 }

// ErrCannot is the answer of an engine to a step that scenario.Can denies.
var ErrCannot = errors.New("this engine cannot do that")

// Unable is an engine without any of the optional features.
type Unable struct{}

// Enter calls do.
func (Unable) Enter(ctx context.Context, do func(context.Context) error) error { return do(ctx) }

// The others return ErrCannot.
func (Unable) Kill(context.Context, int) error                       { return ErrCannot }
func (Unable) Crash(context.Context, int) error                      { return ErrCannot }
func (Unable) Fill([]int, []int) error                               { return ErrCannot }
func (Unable) Free() error                                           { return ErrCannot }
func (Unable) Partition([]int, []int) error                          { return ErrCannot }
func (Unable) Heal() error                                           { return ErrCannot }
func (Unable) Block([]int) error                                     { return ErrCannot }
func (Unable) Unblock() error                                        { return ErrCannot }
func (Unable) Censor(Censor) error                                   { return ErrCannot }
func (Unable) Harvest(context.Context, float64, bool) ([]int, error) { return nil, ErrCannot }
func (Unable) Attack(context.Context, int, scenario.Hostile) (Deed, error) {
	return Deed{}, ErrCannot
}

// Bridges: there are none.
func (Unable) Bridges() []string { return nil }
