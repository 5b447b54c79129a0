// Package runner carries out a scenario: real relays and real nodes in this
// process, on loopback, with private addresses allowed. It writes the messages
// of the plan, watches what every reader is shown, and reports.
//
// Three goroutines follow the plan side by side: one stops and restarts
// relays, one takes users away and brings them back, writing their messages in
// between, and one tells of the progress. A step that takes long makes those
// behind it late, never lost; the report says how late.
package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"starling/node/testnet"
	"starling/node/testnet/report"
	"starling/node/testnet/scenario"
)

// Options say how a scenario is run.
type Options struct {
	// Say is told in words what goes on before the traffic; nil for nobody.
	Say func(string)
	// Progress is told once a second how far the traffic is; nil for nobody.
	Progress func(Progress)
	Logger   *slog.Logger // nil for none
}

// Progress is how far a run is.
type Progress struct {
	Event string `json:"event"` // "progress"
	MS    int64  `json:"ms"`    // since the traffic began
	report.Counts
	Planned int `json:"planned"`
	Relays  int `json:"relays_up"`
	Users   int `json:"users_online"`
}

const (
	// joining bounds the start of a mesh and the making of contacts.
	joining = 5 * time.Minute
	// receipts is how long a run waits for the last of them: a message counts
	// when it is shown.
	receipts = 10 * time.Second
	// closing bounds the last questions to nodes of an interrupted run.
	closing = 10 * time.Second
	poll    = 20 * time.Millisecond
)

// run is one run of a scenario.
type run struct {
	s       *scenario.Scenario
	plan    scenario.Plan
	o       Options
	dir     string
	mesh    *testnet.Mesh
	users   []*user
	ledger  *report.Ledger
	load    load
	start   time.Duration
	traffic time.Duration

	mu         sync.Mutex
	began      time.Time // of the traffic
	events     [][]byte
	marks      []report.Mark
	late       time.Duration
	relaysUp   int
	stops      int
	reopens    int
	goroutines int
	rss        int64
}

// Run carries out a scenario that is [scenario.Scenario.Runnable]. When ctx
// ends, the report says how far it came and that it was interrupted. An error
// means that there is nothing to report: the mesh could not be started, or it
// broke in a way that no messenger can stand.
func Run(ctx context.Context, s *scenario.Scenario, o Options) (_ *report.Report, err error) {
	if err := s.Runnable(); err != nil {
		return nil, err
	}
	plan, err := s.Plan()
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &run{s: s, plan: plan, o: o, ledger: report.NewLedger(), relaysUp: s.Relays}
	if r.dir, err = os.MkdirTemp("", "starling-testnet-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(r.dir)
	defer r.close()

	begin := time.Now()
	err = r.join(ctx)
	r.start = time.Since(begin)
	if err == nil {
		r.say("Messages flow…")
		r.mu.Lock()
		r.began = time.Now()
		r.mu.Unlock()
		err = r.follow(ctx)
		r.traffic = r.elapsed()
	}
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	if err := r.compare(last); err != nil {
		return nil, err
	}
	return r.report(last, ctx.Err() != nil), nil
}

// elapsed returns how long the traffic has gone on.
func (r *run) elapsed() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.IsZero() {
		return 0
	}
	return time.Since(r.began)
}

func (r *run) say(format string, args ...any) {
	if r.o.Say != nil {
		r.o.Say(fmt.Sprintf(format, args...))
	}
}

// join starts the mesh and the nodes and makes the contacts.
func (r *run) join(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, joining)
	defer cancel()
	r.say("Starting %d relays…", r.s.Relays)
	r.mesh, err = testnet.Start(ctx, testnet.Options{Relays: r.s.Relays, Dir: filepath.Join(r.dir, "relays"), Logger: r.o.Logger})
	if err != nil {
		return err
	}
	r.say("Starting %d users…", r.s.Users)
	for i := range r.s.Users {
		u, err := newUser(r, i)
		if err != nil {
			return err
		}
		r.users = append(r.users, u)
	}
	if err := together(ctx, r.users, func(ctx context.Context, u *user) error {
		return errors.Join(u.open(ctx, r.mesh.Bootstrap()), u.ready(ctx))
	}); err != nil {
		return err
	}
	r.say("Making %d pairs of contacts…", len(r.plan.Pairs))
	if err := together(ctx, r.plan.Pairs, func(ctx context.Context, p [2]int) error {
		return meet(ctx, r.users[p[0]], r.users[p[1]])
	}); err != nil {
		return err
	}
	return together(ctx, r.users, func(ctx context.Context, u *user) error { return u.know(ctx) })
}

// together does something to all, a few at a time.
func together[T any](ctx context.Context, all []T, do func(context.Context, T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, x := range all {
		g.Go(func() error { return do(ctx, x) })
	}
	return g.Wait()
}

// follow carries out the plan and waits for what is still on its way.
func (r *run) follow(ctx context.Context) error {
	tell, done := context.WithCancel(ctx)
	var teller sync.WaitGroup
	teller.Go(func() { r.tell(tell) })
	defer teller.Wait()
	defer done()

	g, lanes := errgroup.WithContext(ctx)
	var relays, people []scenario.Step
	for _, step := range r.plan.Steps {
		switch step.Do {
		case scenario.Stop, scenario.Restart:
			relays = append(relays, step)
		default:
			people = append(people, step)
		}
	}
	for _, lane := range []struct {
		steps []scenario.Step
		do    func(context.Context, scenario.Step) error
	}{{relays, r.relayStep}, {people, r.peopleStep}} {
		g.Go(func() error {
			for _, step := range lane.steps {
				if err := r.until(lanes, step.At); err != nil {
					return err
				}
				if err := lane.do(lanes, step); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return r.settle(ctx)
}

// until waits for a moment of the plan.
func (r *run) until(ctx context.Context, at time.Duration) error {
	wait := at - r.elapsed()
	if wait <= 0 {
		r.mu.Lock()
		r.late = max(r.late, -wait)
		r.mu.Unlock()
		return ctx.Err()
	}
	return sleep(ctx, wait)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *run) relayStep(ctx context.Context, step scenario.Step) error {
	r.mark(step.Do, "relay", step.Relays)
	return together(ctx, step.Relays, func(ctx context.Context, i int) error {
		err, change := error(nil), 1
		if step.Do == scenario.Stop {
			err, change = r.mesh.Stop(i), -1
		} else {
			err = r.mesh.Restart(ctx, i)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.relaysUp += change
		if change < 0 {
			r.stops++
		}
		return err
	})
}

func (r *run) peopleStep(ctx context.Context, step scenario.Step) error {
	if step.Do == scenario.Send {
		return r.users[step.Message.From].send(ctx, step.Message)
	}
	r.mark(step.Do, "user", step.Users)
	return together(ctx, step.Users, func(ctx context.Context, i int) error {
		u := r.users[i]
		if step.Drain {
			if err := u.drain(ctx, r.s.Settle); err != nil {
				return err
			}
		}
		if step.Do != scenario.Online {
			if err := u.close(ctx); err != nil {
				return err
			}
		}
		if step.Do == scenario.Offline {
			return nil
		}
		r.mu.Lock()
		r.reopens++
		r.mu.Unlock()
		return u.open(ctx, r.mesh.Bootstrap())
	})
}

// settle waits until all is shown, and a little for receipts.
func (r *run) settle(ctx context.Context) error {
	deadline := time.Now().Add(r.s.Settle)
	var shown time.Time
	for {
		c := r.ledger.Counts()
		now := time.Now()
		if shown.IsZero() && c.Shown == c.Sent {
			shown = now
		}
		if now.After(deadline) || c.Delivered == c.Sent || !shown.IsZero() && now.Sub(shown) > receipts {
			return nil
		}
		if err := sleep(ctx, poll); err != nil {
			return err
		}
	}
}

// compare reads the conversations of everybody who is online: what a person
// sees when they scroll is what counts.
func (r *run) compare(ctx context.Context) error {
	for _, u := range r.users {
		if err := u.compare(ctx); err != nil {
			return fmt.Errorf("read the conversations of user %d: %w", u.index, err)
		}
	}
	return nil
}

// tell reports the progress until ctx ends.
func (r *run) tell(ctx context.Context) {
	for {
		r.measure()
		p := Progress{Event: "progress", MS: r.elapsed().Milliseconds(), Counts: r.ledger.Counts(), Planned: r.plan.Messages()}
		r.mu.Lock()
		p.Relays = r.relaysUp
		r.mu.Unlock()
		for _, u := range r.users {
			if u.online() {
				p.Users++
			}
		}
		r.note(p)
		if r.o.Progress != nil {
			r.o.Progress(p)
		}
		if sleep(ctx, time.Second) != nil {
			return
		}
	}
}

func (r *run) measure() {
	rss := residentMiB()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.goroutines = max(r.goroutines, runtime.NumGoroutine())
	r.rss = max(r.rss, rss)
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
}

func (r *run) mark(do scenario.Action, kind string, which []int) {
	at := r.elapsed()
	e := meshEvent{Event: do, MS: at.Milliseconds(), Relays: which}
	if kind == "user" {
		e.Relays, e.Users = nil, which
	}
	r.note(e)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks = append(r.marks, report.Mark{At: at, Label: fmt.Sprintf("%s %s %v", do, kind, which)})
}

func (r *run) report(ctx context.Context, interrupted bool) *report.Report {
	r.measure()
	out := &report.Report{About: r.s.About, Ledger: r.ledger}
	s := &out.Summary
	*s = report.Summary{Event: "summary", Name: r.s.Name, Engine: r.s.Engine, Seed: r.s.Seed,
		Relays: r.s.Relays, Users: r.s.Users, Counts: r.ledger.Counts(), Planned: r.plan.Messages(), Interrupted: interrupted,
		StartMS: r.start.Milliseconds(), TrafficMS: r.traffic.Milliseconds()}
	s.Lost = s.Sent - s.Shown
	_, _, _, toShown, toDelivered := r.ledger.Times()
	s.P50, s.P90 = report.Percentile(toShown, 0.5).Milliseconds(), report.Percentile(toShown, 0.9).Milliseconds()
	s.P99, s.Max = report.Percentile(toShown, 0.99).Milliseconds(), report.Percentile(toShown, 1).Milliseconds()
	s.DeliveredP50 = report.Percentile(toDelivered, 0.5).Milliseconds()
	s.DeliveredP99 = report.Percentile(toDelivered, 0.99).Milliseconds()
	s.Puts, s.Resends, s.Failed = r.load.numbers()
	for _, u := range r.users {
		in, sent := u.bytes(ctx)
		out.Traffic = append(out.Traffic, report.Traffic{Name: fmt.Sprintf("u%d", u.index), In: in, Out: sent})
		s.UserBytesIn += in / int64(r.s.Users)
		s.UserBytesOut += sent / int64(r.s.Users)
	}
	for i := range r.s.Relays {
		if r.mesh == nil {
			break
		}
		t := r.mesh.Traffic(i)
		out.Traffic = append(out.Traffic, report.Traffic{Name: fmt.Sprintf("r%d", i), In: t.In, Out: t.Out})
		s.RelayBytesIn += t.In / int64(r.s.Relays)
		s.RelayBytesOut += t.Out / int64(r.s.Relays)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.RelayStops, s.Reopens, s.LateMS = r.stops, r.reopens, r.late.Milliseconds()
	s.Goroutines, s.RSSMiB = r.goroutines, r.rss
	line, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	out.Marks, out.Events = r.marks, append(slices.Clone(r.events), line)
	return out
}

// close ends people before relays, so that nobody waits for a lost relay.
func (r *run) close() {
	together(context.Background(), r.users, func(ctx context.Context, u *user) error { return u.close(ctx) })
	if r.mesh != nil {
		r.mesh.Close()
	}
}
