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
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
}

var _ engine.Engine = (*Engine)(nil)

// relay is one relay, running or not.
type relay struct {
	mu     sync.Mutex
	proc   *proc // nil while it does not run
	listen string
	addrs  []string // with /p2p/, of the last time
}

// user is one user, online or not.
type user struct {
	mu      sync.Mutex
	profile config.Profile
	secret  string // file with the passphrase
	proc    *proc
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
	for i := range cfg.Scenario.People() {
		dir := e.UserDir(i)
		e.users = append(e.users, &user{profile: config.Profile{Dir: dir}, secret: dir + ".passphrase"})
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

// bootstraps is how many relays a newcomer is told of.
const bootstraps = 3

// Relays returns the addresses of all relays that run, with /p2p/.
func (e *Engine) Relays() (all []string) {
	for _, r := range e.relays {
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
	for j := range e.relays {
		r := e.relays[(from+j)%len(e.relays)]
		r.mu.Lock()
		if r.proc != nil && told < bootstraps {
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

// Restart implements engine.Engine.
func (e *Engine) Restart(ctx context.Context, i int) error {
	args := append([]string{"relay", "--profile", e.RelayDir(i)}, e.bootstrap(i+1)...)
	r := e.relays[i]
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := os.MkdirAll(e.RelayDir(i), 0o700); err != nil {
		return err
	}
	cmd := e.place.Relay(i, e.cfg.Program, append(args, "--listen", r.listen)...)
	if mib := e.cfg.Scenario.RelayMiB; mib > 0 {
		cmd.Env = append(cmd.Environ(), fmt.Sprintf("GOMEMLIMIT=%dMiB", mib))
	}
	p, err := run(ctx, cmd, e.RelayDir(i)+".log")
	if err != nil {
		return fmt.Errorf("relay %d: %w", i, err)
	}
	r.proc, r.addrs = p, p.ready.Addrs
	if len(r.addrs) > 0 { // the same place again
		r.listen = strings.TrimSuffix(r.addrs[0], "/p2p/"+p.ready.PeerID)
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
	if err := p.stop(); err != nil {
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
		r.proc.kill()
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

	if _, err := os.Stat(u.secret); errors.Is(err, fs.ErrNotExist) {
		secret := rand.Text()
		// Nobody has to guess the passphrase of a profile that is gone soon.
		if err := node.Create(u.profile, secret, engine.Name(i), store.CheapKDF); err != nil {
			return nil, err
		}
		if err := os.WriteFile(u.secret, []byte(secret+"\n"), 0o600); err != nil {
			return nil, err
		}
	}

	args := append([]string{"node", "--profile", u.profile.Dir, "--passphrase-file", u.secret}, bootstrap...)
	p, err := run(ctx, e.place.User(i, e.cfg.Program, args...), u.profile.Dir+".log")
	if err != nil {
		return nil, err
	}

	n, err := control.Dial(ctx, u.profile)
	if err != nil {
		p.kill()
		return nil, p.failed(err)
	}

	u.proc, u.node = p, n
	return n, nil
}

// Shut implements engine.Engine.
func (e *Engine) Shut(ctx context.Context, i int) error {
	return e.leave(ctx, i, (*proc).stop)
}

// Crash implements engine.Engine.
func (e *Engine) Crash(ctx context.Context, i int) error {
	return e.leave(ctx, i, func(p *proc) error { p.kill(); return nil })
}

func (e *Engine) leave(ctx context.Context, i int, end func(*proc) error) error {
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

func resident(p *proc) int64 {
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
	return errors.Join(err, relays.Wait())
}
