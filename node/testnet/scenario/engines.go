package scenario

import (
	"fmt"
	"slices"
	"strings"
)

// The engines.
const (
	Loopback   = "loopback"   // real nodes in this process
	Processes  = "processes"  // real processes on loopback
	Namespaces = "namespaces" // real processes in Linux network namespaces
	Virtual    = "virtual"    // real nodes on a simulated network in virtual time
)

// Seats are nodes on other machines, for testnet manifests. It is no engine that files
// name.
const Seats = "seats"

// A Feature is an ability that not every engine has, as errors and tables name it.
type Feature string

// The features.
const (
	KillRelays   Feature = "kill"
	CrashUsers   Feature = "crash"
	FullDisk     Feature = "full disks"
	CutMesh      Feature = "partition"
	BlockRelays  Feature = "block"
	Latency      Feature = "latency"
	Bandwidth    Feature = "bandwidth"
	Loss         Feature = "loss"
	BadRelays    Feature = "bad relays"
	ClockSkew    Feature = "clock skew"
	Strangers    Feature = "hostile machines"
	NAT          Feature = "nat"
	UserMemory   Feature = "the memory of one user"
	GrowthOfCost Feature = "growth"
	StrayDials   Feature = "stray dials"
	MeanDelay    Feature = "mean_delay"
	OwnPrograms  Feature = "programs of your own"
	Staying      Feature = "staying up"
	Regions      Feature = "world"
	Censors      Feature = "censors"
	Reading      Feature = "censors that read"
	Harvesting   Feature = "harvest"
	Bridges      Feature = "bridges"
)

// Engines returns the names of all engines in order of preference.
func Engines() []string {
	return []string{Loopback, Processes, Namespaces, Virtual}
}

// features are the optional features of each engine.
var features = map[string][]Feature{
	Loopback:   {FullDisk, BadRelays, ClockSkew, GrowthOfCost, MeanDelay, Staying},
	Processes:  {KillRelays, CrashUsers, CutMesh, BlockRelays, Latency, Bandwidth, Loss, Regions, UserMemory, OwnPrograms, Staying, Bridges},
	Seats:      {KillRelays, CrashUsers},
	Namespaces: {KillRelays, CrashUsers, FullDisk, CutMesh, BlockRelays, Loss, NAT, UserMemory, Strangers, OwnPrograms, Staying, Censors, Reading, Harvesting, Bridges},
	Virtual:    {KillRelays, CrashUsers, FullDisk, CutMesh, BlockRelays, Latency, Bandwidth, Loss, BadRelays, ClockSkew, GrowthOfCost, MeanDelay, Strangers, StrayDials, Regions, Censors, Harvesting},
}

// Can reports whether an engine can do something that not every one can.
func Can(engine string, f Feature) bool { return slices.Contains(features[engine], f) }

// SetEngine chooses another engine than the file does.
func (s *Scenario) SetEngine(name string) error {
	if !slices.Contains(Engines(), name) {
		return noEngine(name)
	}
	s.Engine = name
	return nil
}

func noEngine(name string) error {
	return fmt.Errorf("there is no engine %q; there are %s", name, list(Engines()))
}

// Runnable returns why the scenario's engine cannot run it, and which can.
func (s *Scenario) Runnable() error {
	var need []Feature
	for _, n := range s.needs() {
		need = append(need, n.what)
	}
	for _, n := range s.needs() {
		if Can(s.Engine, n.what) {
			continue
		}
		whole, some := able(need), able([]Feature{n.what})
		switch {
		case len(whole) > 0:
			return s.errorf(n.path, "engine %q cannot do %s; %s can", s.Engine, n.what, list(whole))
		default:
			return s.errorf(n.path, "engine %q cannot do %s; %s can, but not the rest of this scenario", s.Engine, n.what, list(some))
		}
	}
	return nil
}

// Able returns the engines that can run the scenario.
func (s *Scenario) Able() []string {
	var need []Feature
	for _, n := range s.needs() {
		need = append(need, n.what)
	}
	return able(need)
}

func able(need []Feature) (names []string) {
	for _, e := range Engines() {
		if !slices.ContainsFunc(need, func(f Feature) bool { return !Can(e, f) }) {
			names = append(names, e)
		}
	}
	return names
}

func list(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	if last := len(quoted) - 1; last > 0 {
		return strings.Join(quoted[:last], ", ") + " and " + quoted[last]
	}
	return strings.Join(quoted, "")
}

// abilities are the features that actions ask for.
var abilities = map[Action]Feature{
	Kill: KillRelays, Crash: CrashUsers, Fill: FullDisk, Free: FullDisk,
	Partition: CutMesh, Heal: CutMesh, Block: BlockRelays, Unblock: BlockRelays,
	Curtain: Censors, Police: Censors, Lift: Censors,
	Strings: Reading, Entropy: Reading, Probe: Reading, Harvest: Harvesting,
}

type need struct {
	what Feature
	path string
}

// needs lists the features that the scenario asks for.
func (s *Scenario) needs() (all []need) {
	add := func(asked bool, what Feature, path string) {
		if asked {
			all = append(all, need{what, path})
		}
	}

	add(s.MeanDelay != defaultMeanDelay, MeanDelay, "mean_delay")
	add(s.NAT, NAT, "nat")
	add(s.Bridges > 0, Bridges, "bridges")
	add(s.Link.LatencyMax > 0, Latency, "link.latency")
	add(s.Link.Loss > 0, Loss, "link.loss")
	add(s.Link.Bandwidth > 0, Bandwidth, "link.bandwidth")
	add(s.Churn.Kill, KillRelays, "churn.kill")
	add(len(s.Bad) > 0, BadRelays, "bad[0]")
	add(len(s.Skew) > 0, ClockSkew, "skew[0]")
	add(len(s.Hostile) > 0, Strangers, "hostile[0]")

	add(len(s.Programs) > 0, OwnPrograms, "program[0]")
	add(s.Stays, Staying, "engine")
	add(s.World != nil, Regions, "world")

	for _, e := range s.Events {
		if what, ok := abilities[e.Do]; ok {
			add(true, what, e.path+".do")
		}
	}

	add(s.Bar.UserRSS > 0, UserMemory, "bar.user_rss_mib")
	add(s.Bar.Growth > 0, GrowthOfCost, "bar.growth")
	add(s.Bar.NoStrays, StrayDials, "bar.no_strays")

	return all
}

// Censored reports whether users are ever behind a censor.
func (s *Scenario) Censored() bool {
	return slices.ContainsFunc(s.Events, func(e Event) bool {
		return slices.Contains([]Action{Curtain, Police, Strings, Entropy, Probe, Harvest}, e.Do)
	})
}

// Readers reports whether somebody ever reads the connections of users.
func (s *Scenario) Readers() bool {
	return slices.ContainsFunc(s.Events, func(e Event) bool { return e.Do == Strings || e.Do == Entropy || e.Do == Probe })
}
