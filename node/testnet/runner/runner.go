// Package runner carries out a scenario on one of the engines. It writes the messages
// of the plan, watches the messages shown to every reader, and reports.
//
// Four goroutines follow the plan side by side: one ends and restarts relays,
// one breaks and mends disks and links, one takes users away and brings them
// back, writing their messages in between, and one tells of the progress. Each
// room has one more, see type hall. A
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
	"starling/node/testnet/engine/seats"
	"starling/node/testnet/engine/virtual"
	"starling/node/testnet/nodelog"
	"starling/node/testnet/report"
	"starling/node/testnet/scenario"
	"starling/node/testnet/workdir"
)

// Options say how a scenario is run.
type Options struct {
	// Say is told in words the progress before the traffic; nil for nobody.
	Say func(string)
	// Progress is told once a second how far the traffic is, in virtual time
	// at most 500 times; nil for nobody.
	Progress func(Progress)
	Logger   *slog.Logger // of nodes in this process; nil: a file for each node
	// Program is the starling that engines with processes run.
	Program string
	// Attacks are the attacks of hostile machines; nil if there is no lab.
	Attacks engine.Attacks
	// Seats are those of a scenario on other machines.
	Seats seats.Access
	// Verbose: nodes log all they do, and not only their troubles.
	Verbose bool
	// Keep returns a folder for the logs of all nodes; nil for nobody to want them.
	// It is asked at the end of a run that failed, and of every run if Verbose.
	Keep func() (string, error)
}

// Progress is how far a run is.
type Progress struct {
	Event string `json:"event"` // "progress"
	MS    int64  `json:"ms"`    // since the traffic began
	report.Counts
	InFlight int                `json:"in_flight"` // written and not shown
	Rooms    *report.RoomCounts `json:"rooms,omitempty"`
	Planned  int                `json:"planned"`
	Relays   int                `json:"relays_up"`
	Users    int                `json:"users_online"`
	// Connected users are those with a relay, where somebody asks.
	Connected *int `json:"users_connected,omitempty"`
	// Those that the engine does not see are nil.
	Puts    *int64 `json:"puts,omitempty"`
	Resends *int64 `json:"resends,omitempty"`
	Failed  *int64 `json:"failed_puts,omitempty"`
	Packets *int64 `json:"packets,omitempty"`
	Lost    *int64 `json:"packets_lost,omitempty"`
	Down    []int  `json:"-"` // relays
	Away    []int  `json:"-"` // users
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
	log    *slog.Logger
	engine engine.Engine
	users  []*user
	ledger *report.Ledger
	censor engine.Censor // of all users, since the last event about it
	halls  *halls

	entered, ready, joined time.Time       // real
	first                  engine.Measures // when the traffic began
	weight                 float64         // of this process, when it was last weighed
	perRelay, perUser      float64         // bytes that each added to it
	traffic                time.Duration

	mu         sync.Mutex
	began      time.Time // of the traffic
	events     [][]byte
	marks      []report.Mark
	samples    []report.Sample
	late       time.Duration
	down       map[int]bool // relays
	stops      int
	reopens    int
	newcomer   time.Duration // the slowest until ready
	attacks    []report.Attack
	ways       ways
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

	var small *cost
	if s.Bar.Growth > 0 {
		if small, err = quarter(ctx, s, o); err != nil && ctx.Err() == nil {
			return nil, err
		}
	}

	got, _, err := carryOut(ctx, s, o, func(got *report.Report, whole *cost) {
		if small != nil {
			whole.compare(small, &got.Summary)
		}
		got.Finish(s.Bar)
	})
	return got, err
}

// prepare makes a mesh that does not run yet, with its files in a folder.
func prepare(s *scenario.Scenario, dir string, o Options) (*run, error) {
	if err := s.Load(); err != nil {
		return nil, err
	}
	plan, err := s.Plan()
	if err != nil {
		return nil, err
	}
	log := o.Logger
	if log == nil {
		level := slog.LevelInfo
		if o.Verbose {
			level = slog.LevelDebug
		}
		log = nodelog.New(engine.Logs(dir), level)
	}

	r := &run{s: s, plan: plan, o: o, log: log, ledger: report.NewLedger(), down: map[int]bool{}}
	r.halls = newHalls(r)
	r.engine, err = newEngine(engine.Config{Scenario: s, Plan: plan, Dir: dir, Logger: log, Program: o.Program, Attacks: o.Attacks, Verbose: o.Verbose}, o.Seats)
	return r, err
}

// carryOut makes one mesh, runs the scenario in it and has it judged.
func carryOut(ctx context.Context, s *scenario.Scenario, o Options, judge func(*report.Report, *cost)) (got *report.Report, whole *cost, err error) {
	dir, err := workdir.Make("testnet")
	if err != nil {
		return nil, nil, err
	}
	defer dir.Remove()
	r, err := prepare(s, dir.Path, o)
	if err != nil {
		return nil, nil, err
	}

	before := freshCost()
	r.weight = before.rss
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

	if err == nil {
		judge(got, whole)
	}
	if logs := keepLogs(dir.Path, o, got, err, interrupted); got != nil {
		got.Logs = logs
	}
	return got, whole, err
}

// keepLogs copies the logs of a run that failed, or that was asked to keep them, and
// returns their new place.
func keepLogs(dir string, o Options, got *report.Report, err error, interrupted bool) string {
	failed := !interrupted && (err != nil || !got.Summary.Passed())
	if o.Keep == nil || !failed && !o.Verbose {
		return ""
	}
	from := engine.Logs(dir)
	if _, err := os.Stat(from); err != nil {
		return "" // nobody said a word
	}
	to, err := o.Keep()
	if err == nil {
		err = os.CopyFS(to, os.DirFS(from))
	}
	if err != nil {
		o.tell(fmt.Sprintf("The logs of the nodes could not be kept: %v", err))
		return ""
	}
	return to
}

// Missing names the tool that this machine lacks for the scenario's engine, and an
// engine that works; nil for none.
func Missing(s *scenario.Scenario) error {
	if s.Engine == scenario.Namespaces {
		return namespaces.Missing(s)
	}
	return nil
}

func newEngine(c engine.Config, access seats.Access) (engine.Engine, error) {
	switch c.Scenario.Engine {
	case scenario.Virtual:
		return virtual.New(c), nil
	case scenario.Processes:
		return processes.New(c, processes.Local{})
	case scenario.Namespaces:
		return namespaces.New(c)
	case scenario.Seats:
		return seats.New(c, access), nil
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

func (r *run) say(format string, args ...any) { r.o.tell(fmt.Sprintf(format, args...)) }

func (o Options) tell(words string) {
	if o.Say != nil {
		o.Say(words)
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
	r.perRelay = r.added(r.s.Relays)

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

	if err := together(ctx, r.users, func(ctx context.Context, u *user) error { return u.know(ctx) }); err != nil {
		return err
	}
	err = r.halls.found(ctx)
	r.perUser = r.added(r.s.Users)
	r.joined = r.engine.Now()
	return err
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
	rooms := make([][]scenario.Step, len(r.halls.all))
	for _, step := range r.plan.Steps {
		switch step.Do {
		case scenario.Stop, scenario.Kill, scenario.Restart:
			relays = append(relays, step)
		case scenario.Fill, scenario.Free, scenario.Partition, scenario.Heal, scenario.Block, scenario.Unblock, scenario.Curtain, scenario.Police,
			scenario.Strings, scenario.Entropy, scenario.Probe, scenario.Harvest, scenario.Lift:
			faults = append(faults, step)
		case scenario.Say, scenario.Join, scenario.Remove, scenario.Leave, scenario.Promote, scenario.Demote:
			rooms[step.Room] = append(rooms[step.Room], step)
		default:
			people = append(people, step)
		}
	}

	// Relays, faults and people go on side by side, each in the order of the plan.
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

	// So do rooms, newcomers and strangers.
	for i, x := range r.halls.all {
		g.Go(func() error { return x.follow(lanes, rooms[i]) })
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

func (r *run) faultStep(ctx context.Context, step scenario.Step) error {
	if step.Do == scenario.Harvest {
		return r.harvest(ctx, step)
	}
	r.mark(step)

	switch step.Do {
	case scenario.Fill:
		return r.engine.Fill(step.Relays, step.Users)
	case scenario.Free:
		return r.engine.Free()
	case scenario.Partition:
		return r.engine.Partition(step.Relays, step.Users)
	case scenario.Heal:
		return r.engine.Heal()
	case scenario.Block:
		return r.engine.Block(step.Relays)
	case scenario.Curtain:
		r.censor.After, r.censor.Reset = step.Bytes, step.Reset
		return r.engine.Censor(r.censor)
	case scenario.Police:
		r.censor.PerMinute, r.censor.Ban = step.PerMinute, step.Ban
		return r.engine.Censor(r.censor)
	case scenario.Strings:
		r.censor.Read.Strings = true
		return r.engine.Censor(r.censor)
	case scenario.Entropy:
		r.censor.Read.Entropy = true
		return r.engine.Censor(r.censor)
	case scenario.Probe:
		r.censor.Read.Probe = true
		return r.engine.Censor(r.censor)
	case scenario.Lift:
		r.censor = engine.Censor{}
		return r.engine.Censor(r.censor)
	}
	return r.engine.Unblock()
}

// harvest lets a censor learn relays and block them. It takes a while to learn.
func (r *run) harvest(ctx context.Context, step scenario.Step) error {
	relays, err := r.engine.Harvest(ctx, step.Fraction, step.First)
	if err != nil {
		return err
	}
	step.Relays = relays
	r.mark(step)
	return nil
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
		rooms := r.halls.ledger.Counts()
		now := time.Now()
		if shown.IsZero() && c.Shown == c.Sent && rooms.Shown == rooms.Due {
			shown = now
		}
		// Nothing is delivered in a room: the removed have a while to open something.
		if now.After(deadline) || c.Delivered == c.Sent && rooms.Due == 0 || !shown.IsZero() && now.Sub(shown) > receipts {
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
		err := u.compare(ctx)
		if err == nil && u.online() {
			err = r.halls.compare(ctx, u)
		}
		if err != nil {
			return fmt.Errorf("read the conversations of user %d: %w", u.index, err)
		}
	}
	return nil
}

// close ends everything.
func (r *run) close() {
	together(context.Background(), r.users, func(ctx context.Context, u *user) error { return u.close(ctx, r.engine.Shut) })
	if err := r.engine.Close(); err != nil {
		r.log.Warn("closing the mesh", "err", err)
	}
}
