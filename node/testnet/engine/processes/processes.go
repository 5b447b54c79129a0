// Package processes runs a scenario with the program itself: starling relay and
// starling node, a process each, driven over their control sockets as any
// other command drives them. An end as in a power cut is SIGKILL, and the
// memory of each node is its own.
//
// Where the processes run is a Place: all on 127.0.0.1 here, each in a network
// namespace of its own in package namespaces.
package processes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"starling/node"
	"starling/node/api"
	"starling/node/config"
	"starling/node/control"
	"starling/node/store"
	"starling/node/testnet/engine"
	"starling/node/testnet/nodelog"
)

// A Place is where processes run.
type Place interface {
	// Relay and User return a command on the machine of one.
	Relay(i int, program string, args ...string) *exec.Cmd
	User(i int, program string, args ...string) *exec.Cmd
	// Listen is where a relay listens the first time.
	Listen(relay int) string
	// Private reports whether its addresses are private ones.
	Private() bool
}

// Local is this machine as it is.
type Local struct{}

// Relay implements Place.
func (Local) Relay(_ int, program string, args ...string) *exec.Cmd {
	return exec.Command(program, args...)
}

// User implements Place.
func (Local) User(_ int, program string, args ...string) *exec.Cmd {
	return exec.Command(program, args...)
}

// Listen implements Place.
func (Local) Listen(int) string { return "/ip4/127.0.0.1/tcp/0" }

// Private implements Place.
func (Local) Private() bool { return true }

// Engine implements engine.Engine.
type Engine struct {
	engine.Unable
	cfg    engine.Config
	place  Place
	relays []*relay
	users  []*user
	shaped *shaped // nil: nothing stands between the processes
}

var _ engine.Standing = (*Engine)(nil)

// relay is one relay, running or not.
type relay struct {
	mu     sync.Mutex
	proc   *Proc // nil while it does not run
	listen string
	addrs  []string // with /p2p/, of the last time
}

// user is one user, online or not.
type user struct {
	mu      sync.Mutex
	profile config.Profile
	secret  string // the passphrase; "" without a profile
	proc    *Proc
	node    *control.Client
	before  engine.Traffic // of the nodes before
}

// New makes an engine. Nothing runs before Start.
func New(cfg engine.Config, place Place) (*Engine, error) {
	if cfg.Program == "" {
		return nil, errors.New("there is no program to run")
	}
	e := &Engine{cfg: cfg, place: place}
	for i := range cfg.Scenario.Relays {
		e.relays = append(e.relays, &relay{listen: place.Listen(i)})
	}
	if shapes(cfg.Scenario) && place.Private() {
		var err error
		if e.shaped, err = newShaped(cfg); err != nil {
			return nil, err
		}
	}
	for i := range cfg.Scenario.People() {
		dir := e.UserDir(i)
		e.users = append(e.users, &user{profile: config.Profile{Dir: dir}})
	}
	return e, nil
}

// RelayDir returns the folder of a relay.
func (e *Engine) RelayDir(i int) string { return filepath.Join(e.cfg.Dir, fmt.Sprintf("r%d", i)) }

// UserDir returns the folder of a user.
func (e *Engine) UserDir(i int) string { return filepath.Join(e.cfg.Dir, fmt.Sprintf("u%d", i)) }

// Now implements engine.Engine.
func (e *Engine) Now() time.Time { return time.Now() }

// atOnce is how many processes start at a time: each takes a core for a moment.
const atOnce = 4

// Start implements engine.Engine. The links between relays only show in the status of
// users.
func (e *Engine) Start(ctx context.Context) error {
	if err := e.Restart(ctx, 0); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i := 1; i < len(e.relays); i++ {
		g.Go(func() error { return e.Restart(ctx, i) })
	}
	return g.Wait()
}

// bridge reports whether a relay is one.
func (e *Engine) bridge(i int) bool { return i >= e.cfg.Scenario.Listed() }

// Bridges implements engine.Engine.
func (e *Engine) Bridges() (links []string) {
	for _, r := range e.relays[e.cfg.Scenario.Listed():] {
		r.mu.Lock()
		if r.proc != nil {
			links = append(links, r.proc.Ready.Bridge)
		}
		r.mu.Unlock()
	}
	return links
}

// Relays returns the addresses of all listed relays that run, with /p2p/.
func (e *Engine) Relays() (all []string) {
	for _, r := range e.relays[:e.cfg.Scenario.Listed()] {
		r.mu.Lock()
		if r.proc != nil {
			all = append(all, r.addrs...)
		}
		r.mu.Unlock()
	}
	return all
}

// bootstrap returns flags that name some relays that run, from one on.
func (e *Engine) bootstrap(from int) (flags []string) {
	told := 0
	listed := e.cfg.Scenario.Listed()
	for j := range listed {
		r := e.relays[(from+j)%listed]
		r.mu.Lock()
		if r.proc != nil && told < engine.Bootstraps {
			flags = append(flags, "--bootstrap", strings.Join(r.addrs, ","))
			told++
		}
		r.mu.Unlock()
	}
	if e.place.Private() {
		flags = append(flags, "--allow-private")
	}
	return flags
}

// Relay implements engine.Standing.
func (e *Engine) Relay(i int) engine.Seat {
	r := e.relays[i]
	r.mu.Lock()
	defer r.mu.Unlock()
	s := engine.Seat{Dir: e.RelayDir(i), Enter: enter(e.place.Relay(i, "", ""))}
	if r.proc != nil {
		if s.Ended = r.proc.gone(); s.Ended == nil {
			s.Addrs = r.addrs
		}
	}
	return s
}

// User implements engine.Standing.
func (e *Engine) User(i int) engine.Seat {
	u := e.users[i]
	u.mu.Lock()
	defer u.mu.Unlock()
	s := engine.Seat{Dir: u.profile.Dir, Passphrase: u.secret, Enter: enter(e.place.User(i, "", ""))}
	if u.proc != nil {
		s.Ended = u.proc.gone()
	}
	return s
}

// enter returns the words before a program in a command of a Place.
func enter(cmd *exec.Cmd) []string {
	return cmd.Args[:len(cmd.Args)-2] // the program and its one argument
}

// Bootstrap implements engine.Standing.
func (e *Engine) Bootstrap() (addrs []string) {
	for i, told := 0, 0; i < e.cfg.Scenario.Listed() && told < engine.Bootstraps; i++ {
		if s := e.Relay(i); len(s.Addrs) > 0 {
			addrs, told = append(addrs, s.Addrs...), told+1
		}
	}
	return addrs
}

// Private implements engine.Standing.
func (e *Engine) Private() bool { return e.place.Private() }

// program returns the program of a node, one of relays or of users, with its first
// arguments.
func (e *Engine) program(of, i int, args []string) (string, []string) {
	program := e.cfg.Program
	if own, ok := e.cfg.Plan.Programs[of][i]; ok {
		program, args = own.Path, append(slices.Clone(own.Args), args...)
	}
	if e.cfg.Verbose {
		args = append(args, "--verbose")
	}
	return program, args
}

// log returns the file with the log of a node.
func (e *Engine) log(node string) (string, error) {
	dir := engine.Logs(e.cfg.Dir)
	return nodelog.File(dir, node), os.MkdirAll(dir, 0o700)
}

// Restart implements engine.Engine.
func (e *Engine) Restart(ctx context.Context, i int) error {
	args := append([]string{"relay", "--profile", e.RelayDir(i)}, e.bootstrap(i+1)...)
	if e.bridge(i) {
		args = append(args, "--bridge")
	}
	r := e.relays[i]
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := os.MkdirAll(e.RelayDir(i), 0o700); err != nil {
		return err
	}
	log, err := e.log(fmt.Sprintf("r%d", i))
	if err != nil {
		return err
	}

	listen := []string{"--listen", r.listen}
	if e.shaped != nil {
		if listen, err = e.shaped.door(i); err != nil {
			return fmt.Errorf("relay %d: %w", i, err)
		}
	}
	program, args := e.program(0, i, append(args, listen...))
	cmd := e.place.Relay(i, program, args...)
	if mib := e.cfg.Scenario.RelayMiB; mib > 0 {
		cmd.Env = append(cmd.Environ(), fmt.Sprintf("GOMEMLIMIT=%dMiB", mib))
	}
	p, err := Run(ctx, cmd, log, func(pid int) { e.shaped.runs(pid, i) })
	if err != nil {
		return fmt.Errorf("relay %d: %w", i, err)
	}
	r.proc, r.addrs = p, p.Ready.Addrs
	if e.shaped != nil {
		r.addrs = []string{listen[3] + "/p2p/" + p.Ready.PeerID}
		return nil
	}
	if len(r.addrs) > 0 { // the same place again
		r.listen = strings.TrimSuffix(r.addrs[0], "/p2p/"+p.Ready.PeerID)
	}
	return nil
}

// Stop implements engine.Engine.
func (e *Engine) Stop(_ context.Context, i int) error {
	r := e.relays[i]
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proc == nil {
		return nil
	}
	p := r.proc
	r.proc = nil
	if err := p.Stop(); err != nil {
		return fmt.Errorf("relay %d: %w", i, err)
	}
	return nil
}

// Kill implements engine.Engine.
func (e *Engine) Kill(_ context.Context, i int) error {
	r := e.relays[i]
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proc != nil {
		r.proc.Kill()
		r.proc = nil
	}
	return nil
}

// Open implements engine.Engine.
func (e *Engine) Open(ctx context.Context, i int) (api.Node, error) {
	bootstrap := e.bootstrap(i)
	u := e.users[i]
	u.mu.Lock()
	defer u.mu.Unlock()

	if u.secret == "" {
		secret := rand.Text()
		// Nobody has to guess the passphrase of a profile that is gone soon.
		if err := node.Create(u.profile, secret, engine.Name(i), store.CheapKDF); err != nil {
			return nil, err
		}
		u.secret = secret
	}

	log, err := e.log(fmt.Sprintf("u%d", i))
	if err != nil {
		return nil, err
	}
	program, args := e.program(1, i, append([]string{"node", "--profile", u.profile.Dir}, bootstrap...))
	cmd := e.place.User(i, program, args...)
	// No file has the passphrase: a process that is killed would leave it behind.
	cmd.Env = append(cmd.Environ(), "STARLING_PASSPHRASE="+u.secret)
	p, err := Run(ctx, cmd, log, func(pid int) { e.shaped.runs(pid, len(e.relays)+i) })
	if err != nil {
		return nil, err
	}

	n, err := control.Dial(ctx, u.profile)
	if err != nil {
		p.Kill()
		return nil, p.failed(err)
	}

	u.proc, u.node = p, n
	return n, nil
}

// Shut implements engine.Engine.
func (e *Engine) Shut(ctx context.Context, i int) error {
	return e.leave(ctx, i, (*Proc).Stop)
}

// Crash implements engine.Engine.
func (e *Engine) Crash(ctx context.Context, i int) error {
	return e.leave(ctx, i, func(p *Proc) error { p.Kill(); return nil })
}

func (e *Engine) leave(ctx context.Context, i int, end func(*Proc) error) error {
	u := e.users[i]
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.proc == nil {
		return nil
	}
	u.before = u.traffic(ctx)
	err := end(u.proc)
	u.node.Close()
	u.proc, u.node = nil, nil
	return err
}

// traffic returns the traffic of all nodes of a user.
func (u *user) traffic(ctx context.Context) engine.Traffic {
	t := u.before
	if u.node != nil {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if s, err := u.node.Status(ctx); err == nil {
			t = engine.Traffic{In: t.In + s.BytesIn, Out: t.Out + s.BytesOut}
		}
	}
	return t
}

// Measure implements engine.Engine. The traffic of relays only they know.
func (e *Engine) Measure(ctx context.Context) engine.Measures {
	m := engine.Measures{Goroutines: runtime.NumGoroutine()}
	for _, r := range e.relays {
		r.mu.Lock()
		m.RelayRSS = append(m.RelayRSS, resident(r.proc))
		r.mu.Unlock()
	}
	for _, u := range e.users {
		u.mu.Lock()
		m.UserRSS = append(m.UserRSS, resident(u.proc))
		m.Users = append(m.Users, u.traffic(ctx))
		u.mu.Unlock()
	}
	for _, all := range [][]int64{m.RelayRSS, m.UserRSS} {
		for _, rss := range all {
			m.RSS += rss
		}
	}
	return m
}

func resident(p *Proc) int64 {
	if p == nil {
		return 0
	}
	return engine.Resident(p.cmd.Process.Pid)
}

// Close implements engine.Engine.
func (e *Engine) Close() error {
	var people, relays errgroup.Group
	for i := range e.users {
		people.Go(func() error { return e.Shut(context.Background(), i) })
	}
	err := people.Wait()
	for i := range e.relays {
		relays.Go(func() error { return e.Stop(context.Background(), i) })
	}
	err = errors.Join(err, relays.Wait())
	if e.shaped != nil {
		e.shaped.Close()
	}
	return err
}
