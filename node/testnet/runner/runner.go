// Package runner carries out a scenario on one of the engines. It writes the messages
// of the plan, watches the messages shown to every reader, and reports.
//
// Four goroutines follow the plan side by side: one ends and restarts relays,
// one breaks and mends disks and links, one takes users away and brings them
// back, writing their messages in between, and one tells of the progress. A
// step that takes long makes those behind it late, never lost; the report says
// how late.
package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"starling/node/testnet/engine"
	"starling/node/testnet/engine/loopback"
	"starling/node/testnet/engine/namespaces"
	"starling/node/testnet/engine/processes"
	"starling/node/testnet/engine/virtual"
	"starling/node/testnet/report"
	"starling/node/testnet/scenario"
)

// Options say how a scenario is run.
type Options struct {
	// Say is told in words the progress before the traffic; nil for nobody.
	Say func(string)
	// Progress is told once a second how far the traffic is, in virtual time
	// at most 500 times; nil for nobody.
	Progress func(Progress)
	Logger   *slog.Logger // nil for none
	// Program is the starling that engines with processes run.
	Program string
	// Attacks are the attacks of hostile machines; nil if there is no lab.
	Attacks engine.Attacks
}

// Progress is how far a run is.
type Progress struct {
	Event string `json:"event"` // "progress"
	MS    int64  `json:"ms"`    // since the traffic began
	report.Counts
	InFlight int   `json:"in_flight"` // written and not shown
	Planned  int   `json:"planned"`
	Relays   int   `json:"relays_up"`
	Users    int   `json:"users_online"`
	Puts     int64 `json:"puts"`
	Resends  int64 `json:"resends"`
	Failed   int64 `json:"failed_puts"`
	Packets  int64 `json:"packets,omitempty"`
	Lost     int64 `json:"packets_lost,omitempty"`
	Down     []int `json:"-"` // relays
	Away     []int `json:"-"` // users
}

const (
	// joining bounds the start of a mesh and the making of contacts.
	joining = 30 * time.Minute
	// receipts is how long a run waits for the last of them: a message counts
	// when it is shown.
	receipts = 10 * time.Second
	// closing bounds the last questions to nodes of an interrupted run.
	closing = 10 * time.Second
	poll    = 20 * time.Millisecond
	// pause is how long a person waits before they try again after an error.
	pause = time.Second
	// atOnce is how many nodes are started, or left, at a time.
	atOnce = 8
	// tellings is how often a run in virtual time tells of itself, at most.
	tellings = 500
)

// run is one run of a scenario.
type run struct {
	s      *scenario.Scenario
	plan   scenario.Plan
	o      Options
	engine engine.Engine
	users  []*user
	ledger *report.Ledger

	entered, ready, joined time.Time       // real
	first                  engine.Measures // when the traffic began
	traffic                time.Duration

	mu         sync.Mutex
	began      time.Time // of the traffic
	events     [][]byte
	marks      []report.Mark
	late       time.Duration
	down       map[int]bool // relays
	stops      int
	reopens    int
	newcomer   time.Duration // the slowest until ready
	attacks    []report.Attack
	goroutines int
	rss        int64
	userRSS    int64 // the largest
	relayRSS   int64
}

// Run carries out a scenario that is [scenario.Scenario.Runnable]. When ctx
// ends, the report says how far it came and that it was interrupted. An error
// means that there is nothing to report: the mesh could not be started, or it
// broke in a way that no messenger can stand.
func Run(ctx context.Context, s *scenario.Scenario, o Options) (_ *report.Report, err error) {
	if err := s.Runnable(); err != nil {
		return nil, err
	}
	if err := armed(s, o.Attacks); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}

	var small *cost
	if s.Bar.Growth > 0 {
		if small, err = quarter(ctx, s, o); err != nil && ctx.Err() == nil {
			return nil, err
		}
	}

	got, whole, err := carryOut(ctx, s, o)
	if err != nil {
		return nil, err
	}

	if small != nil {
		whole.compare(small, &got.Summary)
	}
	got.Finish(s.Bar)
	return got, nil
}

// carryOut makes one mesh and runs the scenario in it.
func carryOut(ctx context.Context, s *scenario.Scenario, o Options) (got *report.Report, whole *cost, err error) {
	plan, err := s.Plan()
	if err != nil {
		return nil, nil, err
	}

	dir, err := os.MkdirTemp("", "starling-testnet-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)

	r := &run{s: s, plan: plan, o: o, ledger: report.NewLedger(), down: map[int]bool{}}
	if r.engine, err = newEngine(engine.Config{Scenario: s, Plan: plan, Dir: dir, Logger: o.Logger, Program: o.Program, Attacks: o.Attacks}); err != nil {
		return nil, nil, err
	}

	before := freshCost()
	interrupted := false

	err = r.engine.Enter(ctx, func(ctx context.Context) error {
		defer r.close()
		r.entered = r.engine.Now()
		err := r.join(ctx)
		if err == nil {
			err = r.follow(ctx)
			r.traffic = r.elapsed()
		}

		if err == nil && s.Bar.Growth > 0 {
			whole = before.of(r.s) // now that the work of the start has ended
		}

		interrupted = ctx.Err() != nil
		if err != nil && !interrupted {
			return err
		}

		// Stored messages are compared even if the run was interrupted.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
		defer cancel()
		if err := r.compare(last); err != nil {
			return err
		}
		got = r.report(last, interrupted)
		return nil
	})

	return got, whole, err
}

// Missing names the tool that this machine lacks for the scenario's engine, and an
// engine that works; nil for none.
func Missing(s *scenario.Scenario) error {
	if s.Engine == scenario.Namespaces {
		return namespaces.Missing(s)
	}
	return nil
}

func newEngine(c engine.Config) (engine.Engine, error) {
	switch c.Scenario.Engine {
	case scenario.Virtual:
		return virtual.New(c), nil
	case scenario.Processes:
		return processes.New(c, processes.Local{})
	case scenario.Namespaces:
		return namespaces.New(c)
	}
	return loopback.New(c), nil
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
	if err := r.engine.Start(ctx); err != nil {
		return err
	}

	r.say("Starting %d users…", r.s.Users)
	for i := range r.s.Users {
		r.users = append(r.users, newUser(r, i))
	}

	if err := together(ctx, r.users, func(ctx context.Context, u *user) error {
		if err := u.open(ctx); err != nil {
			return err
		}
		return u.ready(ctx)
	}); err != nil {
		return err
	}

	r.ready = r.engine.Now()
	r.say("Making %d pairs of contacts…", len(r.plan.Pairs))
	var made atomic.Int64

	if err := together(ctx, r.plan.Pairs, func(ctx context.Context, p [2]int) error {
		defer func() {
			if n := made.Add(1); n%100 == 0 {
				r.say("%d of %d pairs are contacts.", n, len(r.plan.Pairs))
			}
		}()
		return meet(ctx, r.users[p[0]], r.users[p[1]])
	}); err != nil {
		return err
	}

	r.joined = r.engine.Now()
	return together(ctx, r.users, func(ctx context.Context, u *user) error { return u.know(ctx) })
}

// together does something to all, a few at a time.
func together[T any](ctx context.Context, all []T, do func(context.Context, T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, x := range all {
		g.Go(func() error { return do(ctx, x) })
	}
	return g.Wait()
}

// follow carries out the plan and waits for the messages still on their way.
func (r *run) follow(ctx context.Context) error {
	r.say("Messages flow…")
	r.first = r.engine.Measure(ctx)
	r.mu.Lock()
	r.began = time.Now()
	r.mu.Unlock()
	tell, done := context.WithCancel(ctx)
	var teller sync.WaitGroup
	teller.Go(func() { r.tell(tell) })
	defer teller.Wait()
	defer done()

	g, lanes := errgroup.WithContext(ctx)
	var relays, faults, people []scenario.Step
	for _, step := range r.plan.Steps {
		switch step.Do {
		case scenario.Stop, scenario.Kill, scenario.Restart:
			relays = append(relays, step)
		case scenario.Fill, scenario.Free, scenario.Partition, scenario.Heal, scenario.Block, scenario.Unblock:
			faults = append(faults, step)
		default:
			people = append(people, step)
		}
	}
	for _, lane := range []struct {
		steps []scenario.Step
		do    func(context.Context, scenario.Step) error
	}{{relays, r.relayStep}, {faults, r.faultStep}, {people, r.peopleStep}} {
		g.Go(func() error {
			for _, step := range lane.steps {
				if err := r.until(lanes, step.At); err != nil {
					return err
				}
				if err := lane.do(lanes, step); err != nil {
					return fmt.Errorf("%s after %v: %w", step.Do, r.elapsed().Round(time.Millisecond), err)
				}
			}
			// A user with nothing to do stays until the end, too.
			return sleep(lanes, r.s.Duration-r.elapsed())
		})
	}
	for i := range r.s.Newcomers {
		g.Go(func() error { return r.come(lanes, i) })
	}
	stranger := 0
	r.attacks = make([]report.Attack, len(r.s.Hostile))
	for table, h := range r.s.Hostile {
		r.attacks[table] = report.Attack{Do: h.Do, Machines: h.Machines, Least: h.Least}
		for range h.Machines {
			i := stranger
			g.Go(func() error { return r.attack(lanes, i, table) })
			stranger++
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return r.settle(ctx)
}

// armed returns why the hostile machines of a scenario cannot attack.
func armed(s *scenario.Scenario, attacks engine.Attacks) error {
	for _, h := range s.Hostile {
		if attacks == nil {
			return fmt.Errorf("%s has hostile machines: go run ./cmd/internal/lab runs it, in the source of Starling", s.File)
		}
		if err := attacks.Check(h.Do); err != nil {
			return fmt.Errorf("%s: %w", s.File, err)
		}
	}
	return nil
}

// attack lets one hostile machine of a table attack for as long as the scenario says.
func (r *run) attack(ctx context.Context, stranger, table int) error {
	h := r.s.Hostile[table]
	if err := r.until(ctx, h.From); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, h.Until-h.From)
	defer cancel()
	did, err := r.engine.Attack(limited, stranger, h)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("hostile machine %d: %w", stranger, err)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	a := &r.attacks[table]
	a.Did, a.What = a.Did+did.Count, did.What
	return nil
}

// come lets one newcomer make a profile and wait until it is ready. They come
// evenly over the second half of the traffic: an attack has begun by then.
func (r *run) come(ctx context.Context, newcomer int) error {
	at := r.s.Duration/2 + r.s.Duration/2*time.Duration(newcomer)/time.Duration(r.s.Newcomers)
	if err := r.until(ctx, at); err != nil {
		return err
	}
	began := time.Now()
	u := newUser(r, r.s.Users+newcomer)
	if err := u.open(ctx); err != nil {
		return err
	}

	// A user that is never ready has waited for as long as messages may settle.
	limited, cancel := context.WithTimeout(ctx, r.s.Settle)
	defer cancel()
	err := u.ready(limited)
	r.mu.Lock()
	r.newcomer = max(r.newcomer, time.Since(began))
	r.mu.Unlock()
	if limited.Err() != nil {
		err = ctx.Err()
	}
	return errors.Join(err, u.close(context.WithoutCancel(ctx), r.engine.Shut))
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
	r.mark(step)
	return together(ctx, step.Relays, func(ctx context.Context, i int) error {
		do := r.engine.Restart
		switch step.Do {
		case scenario.Stop:
			do = r.engine.Stop
		case scenario.Kill:
			do = r.engine.Kill
		}
		err := do(ctx, i)
		r.mu.Lock()
		defer r.mu.Unlock()
		if step.Do == scenario.Restart {
			delete(r.down, i)
		} else {
			r.down[i] = true
			r.stops++
		}
		return err
	})
}

func (r *run) faultStep(_ context.Context, step scenario.Step) error {
	r.mark(step)
	switch step.Do {
	case scenario.Fill:
		return r.engine.Fill(step.Relays, step.Users)
	case scenario.Free:
		return r.engine.Free()
	case scenario.Partition:
		return r.engine.Partition(step.Relays)
	case scenario.Heal:
		return r.engine.Heal()
	case scenario.Block:
		return r.engine.Block(step.Relays)
	}
	return r.engine.Unblock()
}

func (r *run) peopleStep(ctx context.Context, step scenario.Step) error {
	if step.Do == scenario.Send {
		return r.users[step.Message.From].send(ctx, step.Message)
	}

	r.mark(step)
	return together(ctx, step.Users, func(ctx context.Context, i int) error {
		u := r.users[i]

		if step.Drain {
			if err := u.drain(ctx, r.s.Settle); err != nil {
				return err
			}
		}

		end := r.engine.Shut
		if step.Do == scenario.Crash {
			end = r.engine.Crash
		}

		if step.Do != scenario.Online {
			if err := u.close(ctx, end); err != nil {
				return err
			}
		}

		if step.Do == scenario.Offline {
			return nil
		}

		r.mu.Lock()
		r.reopens++
		r.mu.Unlock()
		return u.open(ctx)
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

// compare reads the conversations of all users online: the view of a person that
// scrolls is the one that counts.
func (r *run) compare(ctx context.Context) error {
	for _, u := range r.users {
		if err := u.compare(ctx); err != nil {
			return fmt.Errorf("read the conversations of user %d: %w", u.index, err)
		}
	}
	return nil
}

// close ends everything.
func (r *run) close() {
	together(context.Background(), r.users, func(ctx context.Context, u *user) error { return u.close(ctx, r.engine.Shut) })
	if err := r.engine.Close(); err != nil {
		r.o.Logger.Warn("closing the mesh", "err", err)
	}
}
