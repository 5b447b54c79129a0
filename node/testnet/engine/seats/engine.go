package seats

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"starling/node/api"
	"starling/node/config"
	"starling/node/control"
	"starling/node/testnet/engine"
)

// Access is where the seats are, and what lets in there.
type Access struct {
	At    func(node string) string // host and port of a node's seat
	Token string
}

// Engine implements engine.Engine with seats.
type Engine struct {
	engine.Unable
	cfg    engine.Config
	access Access
	users  []*user
}

var _ engine.Engine = (*Engine)(nil)

// user is the way to one user's node.
type user struct {
	mu     sync.Mutex
	node   *control.Client // nil while offline
	server *http.Server
	before engine.Traffic
}

// New makes an engine. Nothing is asked before Start.
func New(cfg engine.Config, access Access) *Engine {
	e := &Engine{cfg: cfg, access: access}
	for range cfg.Scenario.People() {
		e.users = append(e.users, &user{})
	}
	return e
}

// Now implements engine.Engine.
func (e *Engine) Now() time.Time { return time.Now() }

func (e *Engine) ask(ctx context.Context, node, what string) error {
	n, err := ask(ctx, e.access.At(node), e.access.Token, what)
	if err == nil && n.Running != (what == "start") {
		err = fmt.Errorf("%s: running is %v after %s", node, n.Running, what)
	}
	return err
}

func relay(i int) string { return fmt.Sprintf("r%d", i) }

// Start waits until all relays run: their seats may still be coming up.
func (e *Engine) Start(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := range e.cfg.Scenario.Relays {
		g.Go(func() error { return e.patiently(ctx, relay(i)) })
	}
	return g.Wait()
}

// patiently starts a node on a seat that may not answer yet.
func (e *Engine) patiently(ctx context.Context, node string) error {
	for {
		err := e.ask(ctx, node, "start")
		if err == nil || errors.Is(err, errRefused) {
			return err
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// Stop implements engine.Engine.
func (e *Engine) Stop(ctx context.Context, i int) error { return e.ask(ctx, relay(i), "stop") }

// Kill implements engine.Engine.
func (e *Engine) Kill(ctx context.Context, i int) error { return e.ask(ctx, relay(i), "kill") }

// Restart implements engine.Engine.
func (e *Engine) Restart(ctx context.Context, i int) error { return e.ask(ctx, relay(i), "start") }

// Open implements engine.Engine: the node's control socket is brought here.
func (e *Engine) Open(ctx context.Context, i int) (api.Node, error) {
	name := fmt.Sprintf("u%d", i)
	if err := e.patiently(ctx, name); err != nil {
		return nil, err
	}
	u := e.users[i]
	u.mu.Lock()
	defer u.mu.Unlock()

	profile := config.Profile{Dir: filepath.Join(e.cfg.Dir, name)}
	if err := profile.MakeSocketDir(); err != nil {
		return nil, err
	}
	os.Remove(profile.Socket())
	l, err := net.Listen("unix", profile.Socket())
	if err != nil {
		return nil, err
	}
	u.server = &http.Server{ReadHeaderTimeout: headerTime, Handler: &httputil.ReverseProxy{
		FlushInterval: -1,
		ErrorLog:      quiet,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: e.access.At(name)})
			r.Out.Header.Set("Authorization", "Bearer "+e.access.Token)
		},
		Transport: &http.Transport{DisableKeepAlives: true},
	}}
	go u.server.Serve(l)
	if u.node, err = control.Dial(ctx, profile); err != nil {
		u.server.Close()
		return nil, err
	}
	return u.node, nil
}

// Shut implements engine.Engine.
func (e *Engine) Shut(ctx context.Context, i int) error { return e.leave(ctx, i, "stop") }

// Crash implements engine.Engine.
func (e *Engine) Crash(ctx context.Context, i int) error { return e.leave(ctx, i, "kill") }

func (e *Engine) leave(ctx context.Context, i int, what string) error {
	u := e.users[i]
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.node == nil {
		return nil
	}
	u.before = u.traffic(ctx)
	err := e.ask(ctx, fmt.Sprintf("u%d", i), what)
	u.node.Close()
	u.server.Close()
	u.node = nil
	return err
}

// traffic returns the traffic of all nodes of a user.
func (u *user) traffic(ctx context.Context) engine.Traffic {
	t := u.before
	if u.node != nil {
		if s, err := u.node.Status(ctx); err == nil {
			t = engine.Traffic{In: t.In + s.BytesIn, Out: t.Out + s.BytesOut}
		}
	}
	return t
}

// Measure implements engine.Engine.
func (e *Engine) Measure(ctx context.Context) engine.Measures {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	m := engine.Measures{Goroutines: runtime.NumGoroutine()}
	for _, u := range e.users {
		u.mu.Lock()
		m.Users = append(m.Users, u.traffic(ctx))
		u.mu.Unlock()
	}
	return m
}

// Close leaves the mesh as it is: it is somebody else's to end.
func (e *Engine) Close() error {
	for _, u := range e.users {
		u.mu.Lock()
		if u.node != nil {
			u.node.Close()
			u.server.Close()
			u.node = nil
		}
		u.mu.Unlock()
	}
	return nil
}

// Host returns the host and port of a node's seat in the pods of a mesh.
func Host(mesh, node string) string {
	set := mesh + "-relay"
	if node[0] == 'u' {
		set = mesh + "-user"
	}
	return fmt.Sprintf("%s-%s.%s:%d", set, node[1:], set, Port)
}

// pod is the name of a pod of a set: hello-relay-3.
var pod = regexp.MustCompile(`-(relay|user)-(\d{1,4})$`)

// NodeOf returns the node of a pod; another name stays.
func NodeOf(name string) string {
	if m := pod.FindStringSubmatch(name); m != nil {
		return m[1][:1] + m[2]
	}
	return name
}
