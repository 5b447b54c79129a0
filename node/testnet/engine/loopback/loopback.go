// Package loopback runs a scenario with real relays and real nodes in this
// process, on 127.0.0.1, with private addresses allowed. Time and sockets are
// real, so no two runs are alike.
package loopback

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"starling/node/testnet/engine"
	"starling/p2p"
	"starling/p2p/mailbox"
	"starling/p2p/mesh"
)

// Engine implements engine.Engine.
type Engine struct {
	engine.Unable
	*engine.Nodes
	cfg  engine.Config
	load engine.Load
	mesh *mesh.Mesh
}

var _ engine.Standing = (*Engine)(nil)

// New makes an engine. Nothing runs before Start.
func New(cfg engine.Config) *Engine {
	e := &Engine{cfg: cfg}
	e.Nodes = engine.NewNodes(cfg, &e.load)
	e.Nodes.AllowPrivate = true
	e.Nodes.Sockets = cfg.Scenario.Stays
	e.Nodes.Ways = func(user int) []string { return e.mesh.BootstrapFrom(user) }
	return e
}

// Now implements engine.Engine.
func (e *Engine) Now() time.Time { return time.Now() }

// Start implements engine.Engine.
func (e *Engine) Start(ctx context.Context) (err error) {
	dir := filepath.Join(e.cfg.Dir, "relays")
	for i := range e.cfg.Scenario.Relays {
		name := mesh.Dir(dir, i)
		if err := os.MkdirAll(name, 0o700); err != nil {
			return err
		}
		boxes, err := mailbox.OpenSQLite(filepath.Join(name, "mailbox.db"), 0)
		if err != nil {
			return err
		}
		e.Disks = append(e.Disks, &engine.Disk{Store: boxes})
	}
	e.mesh, err = mesh.Start(ctx, mesh.Options{
		Relays: e.cfg.Scenario.Relays, Dir: dir, Logger: e.cfg.Logger,
		Edit: func(i int, c *p2p.RelayConfig) {
			c.Store = e.Disks[i]
			c.Memory = int64(e.cfg.Scenario.RelayMiB) << 20
			c.Clock = engine.Clock(e.cfg.Plan.Skew[0][i])
			c.Meddle = engine.Meddle(e.cfg.Plan, e.cfg.Scenario.Seed, i)
		},
	})
	return err
}

// Relay implements engine.Standing.
func (e *Engine) Relay(i int) engine.Seat {
	s := engine.Seat{Dir: mesh.Dir(filepath.Join(e.cfg.Dir, "relays"), i), Addrs: e.mesh.AddrsOf(i), Ended: e.mesh.Ended(i)}
	if s.Ended != nil {
		s.Addrs = nil
	}
	return s
}

// Bootstrap implements engine.Standing.
func (e *Engine) Bootstrap() []string { return e.mesh.Bootstrap() }

// Private implements engine.Standing.
func (e *Engine) Private() bool { return true }

// Stop implements engine.Engine.
func (e *Engine) Stop(_ context.Context, relay int) error { return e.mesh.Stop(relay) }

// Restart implements engine.Engine.
func (e *Engine) Restart(ctx context.Context, relay int) error { return e.mesh.Resume(ctx, relay) }

// Crash implements engine.Engine.
func (e *Engine) Crash(context.Context, int) error { return engine.ErrCannot }

// Fill implements engine.Engine.
func (e *Engine) Fill(relays, users []int) error { return e.Nodes.Fill(relays, users) }

// Free implements engine.Engine.
func (e *Engine) Free() error { return e.Nodes.Free() }

// Measure implements engine.Engine.
func (e *Engine) Measure(ctx context.Context) engine.Measures {
	m := engine.Measures{Users: e.Nodes.Traffic(ctx), Goroutines: runtime.NumGoroutine(), RSS: engine.Resident(os.Getpid())}
	m.Counted, m.Stored = true, true
	m.Puts, m.Again, m.Failed = e.load.Numbers()
	for i := range e.cfg.Scenario.Relays {
		t := mesh.Traffic{}
		if e.mesh != nil {
			t = e.mesh.Traffic(i)
		}
		m.Relays = append(m.Relays, engine.Traffic(t))
	}
	if e.mesh != nil {
		m.RelayLinks = e.mesh.Links()
	}
	for _, d := range e.Disks {
		m.RelayBoxes += int64(d.Len())
	}
	return m
}

// Close ends people before relays, so that nobody waits for a lost relay.
func (e *Engine) Close() error {
	err := e.Nodes.Close()
	if e.mesh != nil {
		err = errors.Join(err, e.mesh.Close())
	}
	for _, d := range e.Disks {
		err = errors.Join(err, d.Store.(*mailbox.SQLite).Close())
	}
	return err
}
