package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/net/netutil"

	"starling/node/api"
	"starling/node/testnet/runner"
	"starling/node/testnet/scenario"
	"starling/node/testnet/workdir"
)

const (
	prefix     = "/v1/"
	versionKey = "Starling-Version"

	maxBody     = 64 << 10
	maxRequests = 64
	headerTime  = 10 * time.Second
	farewell    = 2 * time.Second // for answers that are on their way when the mesh ends
)

// Options say which mesh to keep up.
type Options struct {
	Scenario *scenario.Scenario
	Name     string
	Version  string // of this program
	Dir      string // for its files; "" for a temporary folder
	runner.Options
	// Ready is called once, when others can use the mesh. Cleared: the remains of a
	// killed mesh of the name were cleared away.
	Ready   func(State) error
	Cleared func()
}

// Keep keeps a mesh up until ctx ends or somebody tells it to stop.
func Keep(ctx context.Context, o Options) error {
	if err := CheckName(o.Name); err != nil {
		return err
	}
	lock, remains, err := claim(o.Name)
	if errors.Is(err, ErrUp) {
		return taken(ctx, o.Name, o.Version)
	}
	if err != nil {
		return err
	}
	defer release(o.Name, lock)
	if remains && o.Cleared != nil {
		o.Cleared()
	}

	dir := o.Dir
	if dir == "" {
		made, err := workdir.Make("testnet")
		if err != nil {
			return err
		}
		defer made.Remove()
		dir = made.Path
	}
	k := &keeper{o: o, lock: lock, state: State{Name: o.Name, State: Starting, Engine: o.Scenario.Engine, Version: o.Version, PID: os.Getpid(),
		Since: time.Now(), Dir: dir, File: stateFile(o.Name), Socket: socket(o.Name), Bootstrap: []string{}, Relays: []runner.Node{}, Users: []runner.Node{}}}
	// Written before the mesh is made, so that it is found and ended also while it starts.
	if err := k.state.write(); err != nil {
		return err
	}

	listener, err := net.Listen("unix", socket(o.Name))
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	defer listener.Close()
	if err := os.Chmod(socket(o.Name), 0o600); err != nil {
		return fmt.Errorf("control socket: %w", err)
	}

	ctx, k.stop = context.WithCancel(ctx)
	defer k.stop()
	served := k.serve(ctx, netutil.LimitListener(listener, maxRequests))
	err = runner.Keep(ctx, o.Scenario, dir, o.Options, k.keep)
	stopped := ctx.Err() != nil
	k.stop()
	// The last answers go out before the folder is removed.
	<-served
	if stopped && errors.Is(err, context.Canceled) {
		err = nil // it was told to
	}
	return err
}

// A keeper answers requests.
type keeper struct {
	o    Options
	stop context.CancelFunc
	lock *flock.Flock

	mu    sync.Mutex
	state State
	mesh  *runner.Kept // nil until it is up
}

// keep waits for the end of a mesh that is up.
func (k *keeper) keep(ctx context.Context, mesh *runner.Kept) error {
	k.mu.Lock()
	k.mesh = mesh
	k.state.State = Up
	k.mu.Unlock()
	now := k.now()
	now.Event = "ready"
	if err := now.write(); err != nil {
		return err
	}
	if err := k.o.Ready(now); err != nil {
		return err
	}
	return k.watch(ctx)
}

// watchEvery is how often a mesh looks after its nodes and its folder.
const watchEvery = time.Second

// watch tells of nodes that end by themselves, until ctx ends or nobody can find the mesh
// any more.
func (k *keeper) watch(ctx context.Context) error {
	told := map[string]bool{}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !ours(k.o.Name, k.lock) {
			return about(k.o.Name, ErrLost)
		}

		for _, n := range k.mesh.Nodes() {
			if n.Ended != "" && !told[n.Name] && k.o.Say != nil {
				k.o.Say(fmt.Sprintf("%s ended by itself: %s", n.Name, n.Ended))
			}
			told[n.Name] = n.Ended != ""
		}
	}
}

// now returns the mesh as it is.
func (k *keeper) now() State {
	k.mu.Lock()
	s, mesh := k.state, k.mesh
	k.mu.Unlock()
	if mesh == nil {
		return s
	}

	s.Bootstrap, s.Private = mesh.Bootstrap(), mesh.Private()
	if s.Bootstrap == nil {
		s.Bootstrap = []string{}
	}
	s.Relays, s.Users = []runner.Node{}, []runner.Node{}
	for _, n := range mesh.Nodes() {
		switch {
		case n.Name[0] == 'r' && n.Running:
			s.RelaysUp++
		case n.Running:
			s.UsersUp++
		}
		if n.Name[0] == 'r' {
			s.Relays = append(s.Relays, n)
		} else {
			s.Users = append(s.Users, n)
		}
	}
	return s
}

// serve answers requests until ctx ends, and closes the channel when all have ended.
func (k *keeper) serve(ctx context.Context, l net.Listener) <-chan struct{} {
	mux := http.NewServeMux()
	handle(k, mux, "status", func(context.Context, *runner.Kept, struct{}) (State, error) { return k.now(), nil })
	handle(k, mux, "do", k.do)
	handle(k, mux, "join", k.join)
	handle(k, mux, "leave", k.leave)
	handle(k, mux, "node", k.node)
	handle(k, mux, "down", func(context.Context, *runner.Kept, struct{}) (struct{}, error) { k.stop(); return struct{}{}, nil })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, &api.Error{Code: api.CodeUsage, Message: "the testnet does not know this request"})
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTime, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }, ErrorLog: log.New(io.Discard, "", 0)}

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		stopped := make(chan struct{})
		context.AfterFunc(ctx, func() {
			defer close(stopped)
			last, cancel := context.WithTimeout(context.Background(), farewell)
			defer cancel()
			if server.Shutdown(last) != nil {
				server.Close()
			}
		})
		server.Serve(l)
		k.stop() // a mesh that nobody can reach does not stay
		<-stopped
	}()
	return ended
}

// early are the requests that a mesh answers before it is up, anyVersion those of any
// version of the program.
var (
	early      = map[string]bool{"status": true, "down": true}
	anyVersion = map[string]bool{"down": true}
)

// handle answers a request of a name.
func handle[P, R any](k *keeper, mux *http.ServeMux, name string, answer func(context.Context, *runner.Kept, P) (R, error)) {
	mux.HandleFunc(prefix+name, func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		mesh := k.mesh
		k.mu.Unlock()
		var args P
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		switch {
		case r.Method != http.MethodPost:
			err = &api.Error{Code: api.CodeUsage, Message: "this request is a POST"}
		// Another version may mean other things by the same words; only down is understood by all.
		case r.Header.Get(versionKey) != k.o.Version && !anyVersion[name]:
			err = foreign(k.o.Name, k.o.Version, r.Header.Get(versionKey))
		case mesh == nil && !early[name]:
			err = &api.Error{Code: codeStarting, Message: about(k.o.Name, ErrStarting).Error()}
		case err == nil && len(body) > 0:
			d := json.NewDecoder(bytes.NewReader(body))
			d.DisallowUnknownFields()
			if err = d.Decode(&args); err == nil && d.More() {
				err = errors.New("more than one value")
			}
			if err != nil {
				err = &api.Error{Code: api.CodeUsage, Message: "malformed request: " + err.Error()}
			}
		}

		var got R
		if err == nil {
			got, err = answer(r.Context(), mesh, args)
		}
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(got)
	})
}

// codeStarting is the answer of a mesh that is not up yet.
const codeStarting api.Code = "testnet_starting"

func refuse(w http.ResponseWriter, err error) {
	told := &api.Error{Code: api.CodeInternal, Message: err.Error()}
	errors.As(err, &told)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	json.NewEncoder(w).Encode(map[string]any{"error": told})
}

// Done is the answer to an event.
type Done struct {
	Event  scenario.Action `json:"event"`
	Relays []int           `json:"relays,omitempty"`
	Users  []int           `json:"users,omitempty"`
	MS     int64           `json:"ms"` // until it was done
}

type words struct{ Words []string }

func (k *keeper) do(ctx context.Context, m *runner.Kept, w words) (Done, error) {
	began := time.Now()
	step, err := m.Do(ctx, w.Words)
	if wrong := (*scenario.Error)(nil); errors.As(err, &wrong) {
		err = &api.Error{Code: api.CodeUsage, Message: wrong.Message, Hint: "starling testnet status shows who is up; docs/TESTNET.md lists the events"}
	}
	return Done{step.Do, step.Relays, step.Users, time.Since(began).Milliseconds()}, err
}

// Joined is the answer to one more user.
type Joined struct {
	Event     string   `json:"event"` // "joined"
	User      string   `json:"user"`  // "u5"
	Profile   string   `json:"profile"`
	Contact   string   `json:"contact,omitempty"` // a user of the mesh; none if they did not meet
	Bootstrap []string `json:"bootstrap"`
	Private   bool     `json:"allow_private"`
	// Secret is the profile's passphrase. It is for the app that opens it, and not
	// printed.
	Secret string `json:"passphrase,omitempty"`
}

func (k *keeper) join(ctx context.Context, m *runner.Kept, _ struct{}) (Joined, error) {
	n, contact, err := m.Join(ctx)
	if errors.Is(err, runner.ErrFull) {
		err = &api.Error{Code: api.CodeUsage, Message: err.Error()}
	}
	return Joined{"joined", n.Name, n.Profile, contact, m.Bootstrap(), m.Private(), n.Passphrase}, err
}

type nodeArgs struct{ Node string }

func (k *keeper) leave(ctx context.Context, m *runner.Kept, a nodeArgs) (struct{}, error) {
	err := m.Leave(ctx, a.Node)
	if errors.Is(err, runner.ErrNoUser) {
		err = noNode(k.o.Name, a.Node)
	}
	return struct{}{}, err
}

// A Place is for commands that run as a node.
type Place struct {
	runner.Node
	Secret string   `json:"passphrase,omitempty"`
	Before []string `json:"enter,omitempty"` // words before a command
}

func (k *keeper) node(_ context.Context, m *runner.Kept, a nodeArgs) (Place, error) {
	for _, n := range m.Nodes() {
		if n.Name == a.Node {
			return Place{n, n.Passphrase, n.Enter}, nil
		}
	}
	return Place{}, noNode(k.o.Name, a.Node)
}

func noNode(mesh, node string) error {
	return &api.Error{Code: api.CodeUsage, Message: fmt.Sprintf("the testnet %s has no node %q", mesh, node), Hint: "r0 is its first relay, u0 its first user; starling testnet status shows all"}
}

// taken is the error of a name that another mesh has: one in trouble is told as such.
func taken(ctx context.Context, name, version string) error {
	_, err := Find(ctx, name, version)
	if errors.Is(err, ErrForeign) || errors.Is(err, ErrSilent) {
		return err
	}
	return about(name, ErrUp)
}

func foreign(name, its, ours string) error {
	return fmt.Errorf("%w: it is %s, and this is %s", about(name, ErrForeign), its, ours)
}
