// Package mesh runs relays in this process.
//
// They are the relays that strangers run, with their own keys, directories,
// mailboxes on disk and connections between them. By themselves they are on
// loopback, so a client joins them with private addresses allowed; Options.Edit
// puts them on a network of package virtualtime. The demo, the engines of starling
// testnet, the benchmarks and the tests of whole networks stand on it.
package mesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"starling/p2p"
)

// Options say which mesh to run.
type Options struct {
	Relays int
	// Dir is where relay i keeps its state, in a folder of its own; empty for
	// a temporary folder that Close removes.
	Dir string
	// Listen is where relay i listens; nil for a free TCP port of 127.0.0.1.
	Listen func(i int) []string
	// Edit may change the configuration of relay i before each start.
	Edit   func(i int, cfg *p2p.RelayConfig)
	Logger *slog.Logger // nil for none
}

// Mesh is a running mesh. Its methods may be called from any goroutine.
type Mesh struct {
	dir     string
	ownsDir bool
	listen  func(i int) []string
	edit    func(i int, cfg *p2p.RelayConfig)
	log     *slog.Logger

	mu      sync.Mutex
	relays  []*relay
	traffic []Traffic // of stopped relays
}

// Traffic is bytes on all links of a relay.
type Traffic struct{ In, Out int64 }

// relay is one relay of the mesh and the goroutine that runs it.
type relay struct {
	host   *p2p.Relay
	peerID string
	addrs  []string
	stop   context.CancelFunc
	ended  chan struct{}
	err    error // how it ended; read after ended is closed
}

// New makes a mesh of which no relay runs yet.
func New(o Options) (*Mesh, error) {
	if o.Relays < 1 {
		return nil, fmt.Errorf("mesh: %d relays", o.Relays)
	}
	m := &Mesh{dir: o.Dir, listen: o.Listen, edit: o.Edit, log: o.Logger, relays: make([]*relay, o.Relays),
		traffic: make([]Traffic, o.Relays)}

	if m.listen == nil {
		m.listen = func(int) []string { return []string{"/ip4/127.0.0.1/tcp/0"} }
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.dir == "" {
		dir, err := os.MkdirTemp("", "starling-mesh-")
		if err != nil {
			return nil, fmt.Errorf("mesh: %w", err)
		}
		m.dir, m.ownsDir = dir, true
	}
	return m, nil
}

// Start starts the relays and returns when all of them serve and know each other. They run until
// they are stopped; ctx bounds the start only.
func Start(ctx context.Context, o Options) (_ *Mesh, err error) {
	m, err := New(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()

	// The first relay knows nobody, the others know the first one.
	if err := m.start(ctx, 0, nil); err != nil {
		return nil, err
	}

	way := m.relays[0].addrs
	errs := make([]error, o.Relays)
	var wg sync.WaitGroup
	for i := 1; i < o.Relays; i++ {
		wg.Go(func() { errs[i] = m.start(ctx, i, way) })
	}

	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, m.settle(ctx)
}

// settle waits until every relay that runs knows every other one, so that newcomers
// learn of all of them at once. It looks ever less often, up to once a second: on links
// that lose packets the last look at a relay may come ten minutes after the first.
func (m *Mesh) settle(ctx context.Context) error {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		running, fewest := 0, len(m.relays)
		for i := range m.relays {
			if host := m.Relay(i); host != nil {
				running++
				relays, _ := host.Counts()
				fewest = min(fewest, relays)
			}
		}
		if fewest >= running {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("mesh: a relay knows %d of %d: %w", fewest, running, ctx.Err())
		}
	}
}

// Dir returns the folder of relay i in that of a mesh.
func Dir(mesh string, i int) string { return filepath.Join(mesh, fmt.Sprintf("relay-%02d", i)) }

// start runs relay i and waits until it serves.
func (m *Mesh) start(ctx context.Context, i int, bootstrap []string) error {
	dir := Dir(m.dir, i)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("mesh: %w", err)
	}

	cfg := p2p.RelayConfig{
		StateDir:     dir,
		Listen:       m.listen(i),
		Bootstrap:    bootstrap,
		AllowPrivate: true,
		Logger:       m.log.With("relay", i),
	}
	if m.edit != nil {
		m.edit(i, &cfg)
	}

	host, err := p2p.NewRelay(cfg)
	if err != nil {
		return fmt.Errorf("mesh: relay %d: %w", i, err)
	}

	// It outlives the call that started it.
	runCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &relay{host: host, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		r.err = host.Run(runCtx)
	}()

	select {
	case <-host.Ready():
	case <-r.ended:
		stop()
		return fmt.Errorf("mesh: relay %d ended while starting: %w", i, r.err)
	case <-ctx.Done():
		stop()
		<-r.ended
		return ctx.Err()
	}

	r.peerID, r.addrs = host.PeerID(), host.Addrs()
	m.mu.Lock()
	m.relays[i] = r
	m.mu.Unlock()

	return nil
}

// bootstraps is how many relays a newcomer is told of.
const bootstraps = 3

// Bootstrap returns addresses, with /p2p/, of the first relays that run.
func (m *Mesh) Bootstrap() []string { return m.BootstrapFrom(0) }

// Addrs returns the addresses of all relays that run.
func (m *Mesh) Addrs() (all []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.relays {
		if r != nil {
			all = append(all, r.addrs...)
		}
	}
	return all
}

// AddrsOf returns the addresses of relay i, with /p2p/; none if it is stopped.
func (m *Mesh) AddrsOf(i int) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.relays[i] == nil {
		return nil
	}
	return m.relays[i].addrs
}

// Ended returns why relay i has ended by itself, nil while it runs or is stopped.
func (m *Mesh) Ended(i int) error {
	m.mu.Lock()
	r := m.relays[i]
	m.mu.Unlock()
	if r == nil {
		return nil
	}
	select {
	case <-r.ended:
		return cmp.Or(r.err, errors.New("it has ended"))
	default:
		return nil
	}
}

// BootstrapFrom returns those of the first relays that run from relay i on, so
// that not all newcomers of a large mesh ask the same three.
func (m *Mesh) BootstrapFrom(i int) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var addrs []string
	told := 0
	for j := range m.relays {
		r := m.relays[(i+j)%len(m.relays)]
		if r != nil && told < bootstraps {
			addrs = append(addrs, r.addrs...)
			told++
		}
	}
	return addrs
}

// Relays returns the number of relays, the stopped ones included.
func (m *Mesh) Relays() int { return len(m.relays) }

// Relay returns relay i, nil if it is stopped.
func (m *Mesh) Relay(i int) *p2p.Relay {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.relays[i] == nil {
		return nil
	}
	return m.relays[i].host
}

// PeerID returns the network identity of relay i, or "" if it is stopped.
func (m *Mesh) PeerID(i int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.relays[i] == nil {
		return ""
	}
	return m.relays[i].peerID
}

// Index returns the relay with this network identity, or -1.
func (m *Mesh) Index(peerID string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, r := range m.relays {
		if r != nil && r.peerID == peerID {
			return i
		}
	}
	return -1
}

// Traffic returns the bytes that relay i has received and sent, over all its restarts.
func (m *Mesh) Traffic(i int) Traffic {
	m.mu.Lock()
	r, t := m.relays[i], m.traffic[i]
	m.mu.Unlock()
	if r == nil {
		return t
	}
	return t.plus(r)
}

func (t Traffic) plus(r *relay) Traffic {
	s := r.host.Status()
	return Traffic{t.In + s.BytesIn, t.Out + s.BytesOut}
}

// Stop ends relay i and waits until it has. Its state stays on disk.
func (m *Mesh) Stop(i int) error {
	m.mu.Lock()
	r := m.relays[i]
	m.relays[i] = nil
	m.mu.Unlock()
	if r == nil {
		return nil
	}

	moved := Traffic{}.plus(r)
	m.mu.Lock()
	m.traffic[i].In += moved.In
	m.traffic[i].Out += moved.Out
	m.mu.Unlock()
	r.stop()
	<-r.ended
	if r.err != nil && !errors.Is(r.err, context.Canceled) {
		return fmt.Errorf("mesh: relay %d: %w", i, r.err)
	}
	return nil
}

// Restart starts relay i again after Stop, with the identity and the mailboxes
// it had. It may get another port.
func (m *Mesh) Restart(ctx context.Context, i int) error {
	if err := m.Resume(ctx, i); err != nil {
		return err
	}
	return m.settle(ctx)
}

// Resume starts relay i, for the first time or again, and does not wait until others
// know of it.
func (m *Mesh) Resume(ctx context.Context, i int) error {
	return m.start(ctx, i, m.BootstrapFrom(i+1))
}

// Status returns the status of relay i, and whether it runs.
func (m *Mesh) Status(i int) (p2p.RelayStatus, bool) {
	m.mu.Lock()
	r := m.relays[i]
	m.mu.Unlock()
	if r == nil {
		return p2p.RelayStatus{}, false
	}
	return r.host.Status(), true
}

// Links returns the number of links of each relay, to relays and to clients; 0 if it is
// stopped.
func (m *Mesh) Links() []int {
	all := make([]int, len(m.relays))
	for i := range all {
		if host := m.Relay(i); host != nil {
			_, all[i] = host.Counts()
		}
	}
	return all
}

// Close stops all relays and removes the mesh's own files.
func (m *Mesh) Close() error {
	errs := make([]error, len(m.relays))
	var wg sync.WaitGroup
	for i := range m.relays {
		wg.Go(func() { errs[i] = m.Stop(i) })
	}
	wg.Wait()
	err := errors.Join(errs...)
	if m.ownsDir {
		err = errors.Join(err, os.RemoveAll(m.dir))
	}
	return err
}
