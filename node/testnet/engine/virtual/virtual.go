// Package virtual runs a scenario in virtual time: relays and nodes are those
// that people run, in this process, on a network that p2p/virtualtime
// simulates packet by packet, by the rules and timers of the public one.
//
// An hour takes as long as the work that is done in it. Draws of the engine follow from
// the scenario's seed: the keys of relays, the latency of each pair of machines, the
// deeds of bad relays. Draws of the nodes do not, nor does the order of goroutines that
// are ready at the same moment. So two runs of a seed agree on the schedule and on all
// conversations in the end, and differ in milliseconds.
//
// Differences from the loopback engine beside time: TCP is that of p2p/virtualtime,
// boxes of relays are in memory, which outlives the relay as a disk does.
package virtual

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"starling/node/api"
	"starling/node/testnet/engine"
	"starling/node/testnet/scenario"
	"starling/p2p"
	"starling/p2p/mailbox"
	"starling/p2p/mesh"
	"starling/p2p/virtualtime"
)

// room is how many boxes a relay takes.
const room = 100_000

// Engine implements engine.Engine.
type Engine struct {
	*engine.Nodes
	cfg  engine.Config
	load engine.Load
	net  *virtualtime.Network
	mesh *mesh.Mesh
	wall *wallClock
}

var _ engine.Engine = (*Engine)(nil)

// New makes an engine. Nothing runs before Start.
func New(cfg engine.Config) *Engine {
	e := &Engine{cfg: cfg}
	e.Nodes = engine.NewNodes(cfg, &e.load)
	e.Nodes.Ways = func(user int) []string { return e.mesh.BootstrapFrom(user) }
	e.Nodes.Client = func(user int, c *p2p.ClientConfig) { c.Options = e.net.Options(e.user(user)) }
	return e
}

// user is the network's number of a user; relays have theirs.
func (e *Engine) user(i int) int { return e.cfg.Scenario.Relays + i }

// Enter implements engine.Engine.
func (e *Engine) Enter(ctx context.Context, do func(context.Context) error) error {
	e.wall = newWallClock()
	defer e.wall.Stop()
	return bubble(ctx, do)
}

// Now implements engine.Engine.
func (e *Engine) Now() time.Time { return e.wall.Now() }

// Start implements engine.Engine.
func (e *Engine) Start(ctx context.Context) (err error) {
	s := e.cfg.Scenario
	e.net = virtualtime.NewNetwork(links(s, e.cfg.Plan))

	dir := filepath.Join(e.cfg.Dir, "relays")
	for i := range s.Relays {
		if err := identity(mesh.Dir(dir, i), s.Seed, i); err != nil {
			return err
		}
		e.Disks = append(e.Disks, &engine.Disk{Store: mailbox.NewMemory(room)})
	}

	e.mesh, err = mesh.Start(ctx, mesh.Options{
		Relays: s.Relays, Dir: dir, Logger: e.cfg.Logger,
		Listen: func(i int) []string {
			return []string{fmt.Sprintf("/ip4/%s/tcp/%d", virtualtime.Address(i), virtualtime.Port)}
		},
		Edit: func(i int, c *p2p.RelayConfig) {
			c.AllowPrivate = false
			c.Memory = int64(s.RelayMiB) << 20
			c.Store = e.Disks[i]
			c.Options = e.net.Options(i)
			c.Clock = engine.Clock(e.cfg.Plan.Skew[0][i])
			c.Meddle = engine.Meddle(e.cfg.Plan, s.Seed, i)
		},
	})

	return err
}

// bandwidth of a machine where the scenario says nothing, in bits a second.
const bandwidth = 1e9

func links(s *scenario.Scenario, plan scenario.Plan) virtualtime.Links {
	l := virtualtime.Links{LatencyMin: s.Link.LatencyMin, LatencyMax: s.Link.LatencyMax,
		BitsPerSecond: bandwidth, Loss: s.Link.Loss, Seed: s.Seed}
	if s.Link.Bandwidth > 0 {
		l.BitsPerSecond = int(s.Link.Bandwidth * 1e6)
	}
	if w := plan.Network(s); w != nil { // a nil pointer is no Paths
		l.Paths = w
	}
	return l
}

// identity gives a relay the key that follows from the seed.
func identity(dir string, seed uint64, relay int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	label := binary.BigEndian.AppendUint64([]byte("starling testnet relay "), seed)
	key := sha256.Sum256(binary.BigEndian.AppendUint64(label, uint64(relay)))
	return os.WriteFile(filepath.Join(dir, "relay.key"), key[:], 0o600)
}

// Stop implements engine.Engine.
func (e *Engine) Stop(_ context.Context, relay int) error { return e.mesh.Stop(relay) }

// Kill takes the relay off the network first, so that nobody hears of its end.
func (e *Engine) Kill(_ context.Context, relay int) error {
	e.net.Down(relay, true)
	return e.mesh.Stop(relay)
}

// Restart implements engine.Engine.
func (e *Engine) Restart(ctx context.Context, relay int) error {
	e.net.Down(relay, false)
	return e.mesh.Resume(ctx, relay)
}

// Open implements engine.Engine.
func (e *Engine) Open(ctx context.Context, user int) (api.Node, error) {
	e.net.Down(e.user(user), false)
	return e.Nodes.Open(ctx, user)
}

// Crash implements engine.Engine.
func (e *Engine) Crash(ctx context.Context, user int) error {
	e.net.Down(e.user(user), true)
	return e.Nodes.Crash(ctx, user)
}

// Partition implements engine.Engine.
func (e *Engine) Partition(relays, users []int) error {
	e.net.Cut(relays...)
	for _, u := range users {
		e.net.Cut(e.user(u))
	}
	return nil
}

// Heal implements engine.Engine.
func (e *Engine) Heal() error { e.net.Heal(); return nil }

// Block implements engine.Engine.
func (e *Engine) Block(relays []int) error {
	for _, r := range relays {
		for u := range e.cfg.Scenario.People() {
			e.net.Block(e.user(u), r)
		}
	}
	return nil
}

// Bridges implements engine.Engine: there are none.
func (e *Engine) Bridges() []string { return nil }

// Unblock implements engine.Engine.
func (e *Engine) Unblock() error { e.net.Unblock(); return nil }

// Censor implements engine.Engine.
func (e *Engine) Censor(by engine.Censor) error {
	for u := range e.cfg.Scenario.People() {
		e.net.Censored(virtualtime.Censor{After: by.After, Reset: by.Reset, PerMinute: by.PerMinute, Ban: by.Ban}, e.user(u))
	}
	return nil
}

// Attack implements engine.Engine. Strangers have the addresses behind those of
// the users.
func (e *Engine) Attack(ctx context.Context, stranger int, h scenario.Hostile) (engine.Deed, error) {
	n := e.cfg.Scenario.Relays + e.cfg.Scenario.People() + stranger
	return e.cfg.Attacks.Run(ctx, engine.Stranger{
		Do: h.Do, Rate: h.Rate, Seed: e.cfg.Scenario.Seed + uint64(stranger),
		Address: virtualtime.Address(n).String(), Relays: e.mesh.Addrs(), Options: e.net.Options(n), Dial: e.net.Dialer(n),
	})
}

// Measure implements engine.Engine.
func (e *Engine) Measure(context.Context) engine.Measures {
	m := engine.Measures{Goroutines: runtime.NumGoroutine(), RSS: engine.Resident(os.Getpid())}
	m.Counted, m.Stored = true, true
	m.Puts, m.Again, m.Failed = e.load.Numbers()
	if e.net == nil {
		return m
	}
	m.Wire = true
	m.Packets, m.Lost = e.net.Packets()
	m.Strays = e.net.Strays()
	for i := range e.cfg.Scenario.Relays {
		m.Relays = append(m.Relays, e.traffic(i))
	}
	if e.mesh != nil {
		m.RelayLinks = e.mesh.Links()
	}
	for i := range e.cfg.Scenario.Users {
		m.Users = append(m.Users, e.traffic(e.user(i)))
	}
	for _, d := range e.Disks {
		m.RelayBoxes += int64(d.Len())
	}
	return m
}

func (e *Engine) traffic(node int) engine.Traffic {
	in, out := e.net.Traffic(node)
	return engine.Traffic{In: in, Out: out}
}

// Close implements engine.Engine.
func (e *Engine) Close() error {
	err := e.Nodes.Close()
	if e.mesh != nil {
		err = errors.Join(err, e.mesh.Close())
	}
	return err
}
