// Package doctor looks for faults around a node: the checks behind `starling doctor`. A
// messenger without servers fails silently when a clock is wrong, a disk is full or a
// port is closed. Each check has a name that scripts may rely on, a finding, and a
// remedy.
//
// Checks only look. They start no node, change no file and send nothing to anybody.
// The findings whether a relay is listed and reached are the testimony of others, told
// by the running relay: an address that answers from this machine says nothing of other
// networks.
//
// The words of a check can be pasted into a public question: folders, addresses and
// peer ids are only in a finding's Detail, which [Examine] leaves out unless asked.
package doctor

import (
	"context"
	"fmt"
	"net"
	"time"

	"starling/node/api"
	"starling/node/config"
	"starling/node/relay"
)

// A Check is one thing that can be wrong.
type Check struct {
	Name   string // stable, as the user types and reads it
	Remedy string // the remedy when it is not well
	Run    func(context.Context, *Patient) Finding
}

// Result is how a check came out.
type Result string

const (
	OK      Result = "ok"
	Warning Result = "warning" // works, but not as it should
	Failed  Result = "failed"
	Skipped Result = "skipped" // could not be looked at; says why
)

// A Finding is the result of a check. Says and Remedy name nobody and no place.
type Finding struct {
	Check  string   `json:"check"`
	Result Result   `json:"result"`
	Says   string   `json:"says"`
	Remedy string   `json:"remedy,omitempty"` // unless ok
	Detail []string `json:"detail,omitempty"` // folders, addresses, peer ids
}

// A Patient is the subject of the checks.
type Patient struct {
	Profile        config.Profile
	PassphraseFile string   // as given to the program, or ""
	Passphrase     string   // to open the profile with, if no node runs; "": that is left out
	Node           api.Node // the node that runs on the profile; nil: none does
	Version        string   // of this program
	// Relay is set to look at a relay instead of a person's node.
	Relay *Relay
	// System is nil for this machine.
	System *System

	status    api.Status
	statusErr error
	relay     relay.Status
	relayErr  error
}

// Relay is a relay that runs, or is to run here.
type Relay struct {
	StateDir     string
	Listen       []string // multiaddrs; none: those of the relay that runs
	AllowPrivate bool
}

// System is the machine, as the checks ask it.
type System struct {
	Now   func() time.Time
	Free  func(dir string) (uint64, error) // bytes that a user may still write
	Files func() (uint64, error)           // how many files a process may have open
	// Addresses are those of this machine's interfaces.
	Addresses func() ([]net.Addr, error)
	// Listen takes a TCP address and gives it back.
	Listen func(address string) error
	// Relay asks the running relay of a state folder: relay.Ask.
	Relay func(ctx context.Context, stateDir string) (relay.Status, error)
}

// statusTimeout is how long a node may take to say how it is.
const statusTimeout = 5 * time.Second

// Examine runs all checks that concern the patient, in order. Findings carry
// their Detail if wanted.
func Examine(ctx context.Context, p Patient, detail bool) []Finding {
	if p.System == nil {
		p.System = machine()
	}

	// The status is asked for once: all checks see the same moment, and a hung node is waited for once.
	checks := Node
	if p.Relay != nil {
		checks = RelayChecks
		p.relay, p.relayErr = p.System.Relay(ctx, p.Relay.StateDir)
	} else if p.Node != nil {
		asking, cancel := context.WithTimeout(ctx, statusTimeout)
		p.status, p.statusErr = p.Node.Status(asking)
		cancel()
	}

	findings := make([]Finding, 0, len(checks))
	for _, c := range checks {
		f := c.Run(ctx, &p)
		f.Check = c.Name
		if f.Result != OK && f.Remedy == "" && f.Result != Skipped {
			f.Remedy = c.Remedy
		}
		if !detail {
			f.Detail = nil
		}
		findings = append(findings, f)
	}

	return findings
}

func ok(format string, args ...any) Finding {
	return Finding{Result: OK, Says: fmt.Sprintf(format, args...)}
}

func warn(format string, args ...any) Finding {
	return Finding{Result: Warning, Says: fmt.Sprintf(format, args...)}
}

func fail(format string, args ...any) Finding {
	return Finding{Result: Failed, Says: fmt.Sprintf(format, args...)}
}

func skip(format string, args ...any) Finding {
	return Finding{Result: Skipped, Says: fmt.Sprintf(format, args...)}
}

// at adds a detail that may name a place or a person.
func (f Finding) at(detail ...string) Finding {
	for _, d := range detail {
		if d != "" {
			f.Detail = append(f.Detail, d)
		}
	}
	return f
}

// count says "1 relay", "2 relays".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// roughly says a duration as a person would.
func roughly(d time.Duration) string {
	d = d.Abs()
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= 2*unit.size || d >= unit.size && unit.size == time.Minute {
			return count(int(d/unit.size), unit.name)
		}
	}
	return count(int(d/time.Second), "second")
}
