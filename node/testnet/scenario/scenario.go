// Package scenario is the file format of starling testnet: a mesh, its users,
// what they send each other and what goes wrong meanwhile. One file works for
// every engine that can do what it asks for.
//
// A scenario is TOML. Durations are strings ("90s", "1h30m"), fractions are
// between 0 and 1, relays and users are counted from 0. Keys that are not
// listed are errors; every error names the file and the line.
//
//	name = "churn"            # letters, digits and dashes; required
//	about = "one sentence"    # for the report
//	engine = "process"        # or "namespaces", "virtual"; default "process"
//	seed = 1                  # the same seed makes the same schedule
//	relays = 8                # 5 to 2000; required
//	users = 4                 # 2 to 1000; required
//	duration = "20s"          # messages and events happen in it; required
//	settle = "1m"             # how long the last messages may take after it
//	mean_delay = "30ms"       # at each mix; "0s" is none
//
//	[messages]                # required
//	count = 100               # in all; or a rate, or both
//	rate = 5.0                # messages a second
//	size = 64                 # bytes of text, or [least, most]
//	pairs = "ring"            # who talks to whom: "ring", "couples" (0 and 1,
//	                          # 2 and 3, …), "all"; always in both directions
//
//	[churn]                   # relays that come and go
//	per_minute = 0.3          # fraction of the relays that stop in a minute
//	away = "10s"              # how long each of them is gone
//	from = "0s"               # the first one after, and the last one before;
//	until = "20s"             # default: so that all are back in time
//
//	[link]                    # every link between two machines
//	latency = "75ms"          # one way
//	loss = 0.1                # fraction of the packets
//
//	[[event]]                 # any number of them
//	at = "5s"
//	do = "stop"               # relays: stop, restart, kill
//	                          # users: offline, online, reopen
//	                          # links: partition, heal
//	relays = [0, 3]           # these, or
//	fraction = 0.25           # as many, drawn by the seed; a restart of
//	                          # neither means all that are stopped
//	users = [1]               # these; none means all
//	drain = true              # offline, reopen: first wait until what the user
//	                          # wrote lies in a mailbox and what was written
//	                          # to them is shown
package scenario

import (
	"fmt"
	"strings"
	"time"
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
	Messages  Messages
	Churn     Churn
	Link      Link
	Events    []Event

	lines lines
}

// Pairs of users who are contacts.
const (
	Ring    = "ring"
	Couples = "couples"
	All     = "all"
)

// Messages say what is sent, over all users together.
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
}

// Link is what every link between two machines does to packets.
type Link struct {
	Latency time.Duration
	Loss    float64
}

// Action is what an event or a step does.
type Action string

const (
	Stop      Action = "stop"    // relays end in order
	Kill      Action = "kill"    // relays end at once, as in a power cut
	Restart   Action = "restart" // stopped relays start again
	Offline   Action = "offline" // users close their node
	Online    Action = "online"  // users open their node
	Reopen    Action = "reopen"  // both at once
	Partition Action = "partition"
	Heal      Action = "heal"
	Send      Action = "send" // a user writes a message; only in a Plan
)

// Event is one line of the script.
type Event struct {
	At       time.Duration
	Do       Action
	Relays   []int
	Fraction float64
	Users    []int
	Drain    bool

	path string // its table, for errors
}

// The engines.
const (
	Process    = "process"    // real nodes in this process, on loopback
	Namespaces = "namespaces" // real processes in Linux network namespaces
	Virtual    = "virtual"    // a simulated network in virtual time
)

// engines says which engine can do what only some can, and which exist. The
// order is that of preference.
var engines = []struct {
	name  string
	built bool
	can   []string
}{
	{Process, true, nil},
	{Namespaces, false, []string{string(Kill), string(Partition), "latency", "loss"}},
	{Virtual, false, []string{string(Partition), "latency", "loss"}},
}

func knownEngine(name string) bool {
	for _, e := range engines {
		if e.name == name {
			return true
		}
	}
	return false
}

// Runnable returns why the scenario's engine cannot run it, and which can.
func (s *Scenario) Runnable() error {
	for _, e := range engines {
		if e.name != s.Engine {
			continue
		}
		if !e.built {
			return s.errorf("engine", "engine %q is not there yet; %q works", e.name, Process)
		}
		for _, n := range s.needs() {
			if !contains(e.can, n.what) {
				return s.errorf(n.path, "engine %q cannot do %s; %s", e.name, n.what, whoCan(n.what))
			}
		}
		return nil
	}
	return s.errorf("engine", "there is no engine %q", s.Engine)
}

type need struct{ what, path string }

// needs lists what not every engine can do.
func (s *Scenario) needs() (all []need) {
	if s.Link.Latency > 0 {
		all = append(all, need{"latency", "link.latency"})
	}
	if s.Link.Loss > 0 {
		all = append(all, need{"loss", "link.loss"})
	}
	for _, e := range s.Events {
		switch e.Do {
		case Kill:
			all = append(all, need{string(Kill), e.path + ".do"})
		case Partition, Heal:
			all = append(all, need{string(Partition), e.path + ".do"})
		}
	}
	return all
}

func whoCan(what string) string {
	var can []string
	for _, e := range engines {
		if contains(e.can, what) {
			word := fmt.Sprintf("%q", e.name)
			if !e.built {
				word += " (not there yet)"
			}
			can = append(can, word)
		}
	}
	return strings.Join(can, " and ") + " can"
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// An Error is a mistake in a scenario.
type Error struct {
	File    string
	Line    int // 0 if it is no line's
	Message string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

func (s *Scenario) errorf(path, format string, args ...any) error {
	return &Error{File: s.File, Line: s.lines.of(path), Message: fmt.Sprintf(format, args...)}
}
