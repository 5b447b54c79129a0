package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"starling/node/testnet/engine"
	"starling/node/testnet/report"
	"starling/node/testnet/scenario"
)

// tell reports the progress until ctx ends.
func (r *run) tell(ctx context.Context) {
	every := time.Second
	if r.s.Engine == scenario.Virtual {
		every = max(every, r.s.Duration/tellings)
	}

	for {
		m := r.measure(ctx)
		p := Progress{Event: "progress", MS: r.elapsed().Milliseconds(), Counts: r.ledger.Counts(), Planned: r.plan.Messages(),
			Puts: report.Known(m.Puts, m.Counted), Resends: report.Known(m.Again, m.Counted), Failed: report.Known(m.Failed, m.Counted),
			Packets: report.Known(m.Packets, m.Wire), Lost: report.Known(m.Lost, m.Wire)}
		p.InFlight = p.Sent - p.Shown
		if len(r.halls.all) > 0 {
			c := r.halls.ledger.Counts()
			p.Rooms = &c
		}

		r.mu.Lock()
		p.Down = slices.Collect(maps.Keys(r.down))
		r.mu.Unlock()
		p.Relays = r.s.Relays - len(p.Down)

		r.look(ctx, &p)
		for i, u := range r.users {
			if u.online() {
				p.Users++
			} else {
				p.Away = append(p.Away, i)
			}
		}

		r.note(p)
		r.sample(m, p.Down, p.Away)
		if r.o.Progress != nil {
			r.o.Progress(p)
		}

		if sleep(ctx, every) != nil {
			return
		}
	}
}

// sample keeps the nodes at this moment.
func (r *run) sample(m engine.Measures, down, away []int) {
	at := r.elapsed()
	s := report.Sample{At: at, MS: at.Milliseconds(), RSS: m.RSS, Nodes: map[string]report.Node{}}
	add := func(kind string, n int, traffic []engine.Traffic, rss []int64, links []int, off []int) {
		for i := range n {
			var node report.Node
			if i < len(traffic) {
				node.In, node.Out = traffic[i].In, traffic[i].Out
			}
			if i < len(rss) {
				node.RSS = rss[i]
			}
			if i < len(links) {
				node.Links = links[i]
			}
			node.Off = slices.Contains(off, i)
			s.Nodes[fmt.Sprintf("%s%d", kind, i)] = node
		}
	}
	add("u", r.s.Users, m.Users, m.UserRSS, nil, away)
	add("r", r.s.Relays, m.Relays, m.RelayRSS, m.RelayLinks, down)

	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = report.Sampled(r.samples, s)
}

func (r *run) measure(ctx context.Context) engine.Measures {
	m := r.engine.Measure(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.goroutines = max(r.goroutines, m.Goroutines)
	r.rss = max(r.rss, m.RSS)
	for _, rss := range m.UserRSS {
		r.userRSS = max(r.userRSS, rss)
	}
	for _, rss := range m.RelayRSS {
		r.relayRSS = max(r.relayRSS, rss)
	}
	return m
}

// note keeps an event for the report.
func (r *run) note(event any) {
	line, err := json.Marshal(event)
	if err != nil {
		panic(err) // all of them are our own types
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, line)
}

// meshEvent tells of relays that stop and users that leave.
type meshEvent struct {
	Event  scenario.Action `json:"event"`
	MS     int64           `json:"ms"`
	Relays []int           `json:"relays,omitempty"`
	Users  []int           `json:"users,omitempty"`
	Room   *int            `json:"room,omitempty"`
	By     *int            `json:"by,omitempty"`
}

func (r *run) mark(step scenario.Step) {
	at := r.elapsed()
	e := meshEvent{Event: step.Do, MS: at.Milliseconds(), Relays: step.Relays, Users: step.Users}
	label := string(step.Do)
	switch step.Do {
	case scenario.Join, scenario.Remove, scenario.Leave, scenario.Promote, scenario.Demote:
		e.Room, e.By = &step.Room, &step.By
		label += fmt.Sprintf(" room %d", step.Room)
	}
	r.note(e)
	if len(step.Relays) > 0 {
		label += fmt.Sprintf(" relay %v", step.Relays)
	}
	if len(step.Users) > 0 {
		label += fmt.Sprintf(" user %v", step.Users)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks = append(r.marks, report.Mark{At: at, Label: label})
}

const (
	mib = 1 << 20
	day = 24 * time.Hour
)

func (r *run) report(ctx context.Context, interrupted bool) *report.Report {
	m := r.measure(ctx)
	out := &report.Report{About: r.s.About, Ledger: r.ledger}
	s := &out.Summary
	*s = report.Summary{Event: "summary", Name: r.s.Name, Engine: r.s.Engine, Seed: r.s.Seed,
		Relays: r.s.Relays, Users: r.s.Users, Bridges: r.s.Bridges, Counts: r.ledger.Counts(), Planned: r.plan.Messages(), Interrupted: interrupted,
		TrafficMS: r.traffic.Milliseconds(), WallMS: r.engine.Now().Sub(r.entered).Milliseconds()}

	if !r.joined.IsZero() {
		s.ReadyMS, s.StartMS = r.ready.Sub(r.entered).Milliseconds(), r.joined.Sub(r.entered).Milliseconds()
	}

	s.Lost = s.Sent - s.Shown
	out.Rooms = r.halls.ledger
	s.Rooms = r.halls.ledger.Summary(r.plan.Said())
	for _, m := range r.halls.ledger.Missing() {
		r.note(roomEvent{Event: "missing", MS: r.elapsed().Milliseconds(), Room: m.Room, From: m.Author, To: m.Reader, Index: m.Index})
	}
	_, _, _, toShown, toDelivered := r.ledger.Times()
	s.P50, s.P90 = report.Percentile(toShown, 0.5).Milliseconds(), report.Percentile(toShown, 0.9).Milliseconds()
	s.P99, s.Max = report.Percentile(toShown, 0.99).Milliseconds(), report.Percentile(toShown, 1).Milliseconds()
	s.DeliveredP50 = report.Percentile(toDelivered, 0.5).Milliseconds()
	s.DeliveredP99 = report.Percentile(toDelivered, 0.99).Milliseconds()

	s.Puts, s.Resends, s.Failed = report.Known(m.Puts, m.Counted), report.Known(m.Again, m.Counted), report.Known(m.Failed, m.Counted)
	s.Packets, s.PacketsLost, s.StrayDials = report.Known(m.Packets, m.Wire), report.Known(m.Lost, m.Wire), report.Known(m.Strays, m.Wire)
	s.RelayBoxes = report.Known(m.RelayBoxes, m.Stored)
	s.RelayLinks, s.RelayLinksMean = links(m.RelayLinks)
	s.MiBPerRelay, s.MiBPerUser = r.perRelay/mib, r.perUser/mib
	s.UserBytesIn, s.UserBytesOut = mean(m.Users)
	s.RelayBytesIn, s.RelayBytesOut = mean(m.Relays)

	for i, t := range m.Users {
		out.Traffic = append(out.Traffic, report.Traffic{Name: fmt.Sprintf("u%d", i), In: t.In, Out: t.Out})
	}
	for i, t := range m.Relays {
		out.Traffic = append(out.Traffic, report.Traffic{Name: fmt.Sprintf("r%d", i), In: t.In, Out: t.Out})
	}

	if r.traffic > 0 {
		perDay := func(now, then []engine.Traffic) int64 {
			in, sent := mean(now)
			in0, sent0 := mean(then)
			return int64(float64(in+sent-in0-sent0) * float64(day) / float64(r.traffic))
		}
		s.UserBytesDay, s.RelayBytesDay = perDay(m.Users, r.first.Users), perDay(m.Relays, r.first.Relays)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	s.NewcomerMS = r.newcomer.Milliseconds()
	s.Attacks = slices.Clone(r.attacks)
	s.BackMS, out.Online, s.Censor = r.ways.longest.Milliseconds(), r.ways.online, m.Censor
	s.RelayStops, s.Reopens, s.LateMS = r.stops, r.reopens, r.late.Milliseconds()
	s.Goroutines, s.RSSMiB = r.goroutines, r.rss/mib
	s.UserRSSMiB, s.RelayRSSMiB = float64(r.userRSS)/mib, float64(r.relayRSS)/mib
	out.Marks, out.Events, out.Samples = r.marks, slices.Clone(r.events), slices.Clone(r.samples)

	return out
}

// links returns the most links of a relay, and the mean.
func links(all []int) (most int, mean float64) {
	for _, n := range all {
		most, mean = max(most, n), mean+float64(n)/float64(len(all))
	}
	return most, mean
}

func mean(all []engine.Traffic) (in, sent int64) {
	for _, t := range all {
		in, sent = in+t.In, sent+t.Out
	}
	n := max(1, int64(len(all)))
	return in / n, sent / n
}

// cost is the cost of a mesh in this process.
type cost struct{ rss, goroutines float64 }

// freshCost is the cost of the process before there is a mesh.
func freshCost() cost {
	debug.FreeOSMemory()
	return cost{float64(engine.Resident(os.Getpid())), float64(runtime.NumGoroutine())}
}

// added returns how many bytes each of so many nodes has added to this process since it was
// last weighed; 0 where nodes have processes of their own.
func (r *run) added(nodes int) float64 {
	if r.s.Engine != scenario.Virtual && r.s.Engine != scenario.Loopback {
		return 0
	}
	was := r.weight
	r.weight = freshCost().rss
	return max(0, r.weight-was) / float64(nodes)
}

// of returns the cost added by each node of a mesh.
func (before cost) of(s *scenario.Scenario) *cost {
	now, nodes := freshCost(), float64(s.Relays+s.Users)
	return &cost{(now.rss - before.rss) / nodes, (now.goroutines - before.goroutines) / nodes}
}

// compare writes down the cost of a node, and how much more it is than in a small mesh.
func (c *cost) compare(small *cost, s *report.Summary) {
	if c == nil {
		return // interrupted
	}
	s.MiBPerNode, s.GoroutinesPerNode = c.rss/mib, c.goroutines
	s.Growth = max(c.rss/small.rss, c.goroutines/small.goroutines)
	s.SmallMiBPerNode, s.SmallGoroutinesPerNode = small.rss/mib, small.goroutines
}

// quarter starts a mesh of a quarter of the size, ends it, and returns its cost.
func quarter(ctx context.Context, s *scenario.Scenario, o Options) (*cost, error) {
	small := s.Quarter()
	o.Progress, o.Keep = nil, nil
	_, c, err := carryOut(ctx, small, o, func(*report.Report, *cost) {})
	return c, err
}
