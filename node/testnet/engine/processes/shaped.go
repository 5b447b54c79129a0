package processes

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"

	"starling/node/testnet/engine"
	"starling/node/testnet/scenario"
	"starling/node/testnet/shaper"
	"starling/node/testnet/world"
)

// shapes reports whether something stands between the processes of a scenario: links
// with properties, or an event that breaks some.
func shapes(s *scenario.Scenario) bool {
	for _, e := range s.Events {
		if e.Do == scenario.Partition || e.Do == scenario.Block {
			return true
		}
	}
	return s.World != nil || s.Link != (scenario.Link{}) || s.Stays && shaper.Known
}

// shaped is the network between processes. Machines are relays, and then users.
type shaped struct {
	*shaper.Shaper
	mu       sync.Mutex
	machines map[int]int       // of each process ever started
	doors    map[int][2]string // where each relay listens, and is dialled
}

func newShaped(cfg engine.Config) (*shaped, error) {
	if !shaper.Known {
		return nil, errors.New("who dials whom is told by Linux alone: on this system there are no links with properties between processes; --engine virtual has them")
	}
	s := cfg.Scenario
	var paths shaper.Paths = world.NewAlike(s.Link.LatencyMin, s.Link.LatencyMax, s.Link.Loss, s.Link.Bandwidth*1e6, s.Seed)
	if w := cfg.Plan.Network(s); w != nil {
		paths = w
	}
	all := &shaped{machines: map[int]int{}, doors: map[int][2]string{}}
	owners := &shaper.Owners{Processes: func() map[int]int {
		all.mu.Lock()
		defer all.mu.Unlock()
		return maps.Clone(all.machines)
	}}
	all.Shaper = shaper.New(paths, s.Relays, owners.Of)
	return all, nil
}

// runs notes the process of a machine, in place of the one before.
func (s *shaped) runs(pid, machine int) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.machines, func(_, m int) bool { return m == machine })
	s.machines[pid] = machine
}

// door returns the flags of a relay that is dialled at its door.
func (s *shaped) door(relay int) ([]string, error) {
	s.mu.Lock()
	addrs, there := s.doors[relay]
	s.mu.Unlock()
	if !there {
		port, free, err := freePort()
		if err != nil {
			return nil, err
		}
		defer free() // the door is no such port, then
		door, err := s.Door(relay, fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return nil, err
		}
		addrs = [2]string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port), fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", door)}
		s.mu.Lock()
		s.doors[relay] = addrs
		s.mu.Unlock()
	}
	return []string{"--listen", addrs[0], "--announce", addrs[1]}, nil
}

// freePort holds a port that nobody listens on. The relay takes it a moment after it is
// free.
func freePort() (port int, free func() error, err error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close, nil
}

// Partition implements engine.Engine.
func (e *Engine) Partition(relays, users []int) error {
	machines := slices.Clone(relays)
	for _, u := range users {
		machines = append(machines, len(e.relays)+u)
	}
	return e.mend(func(s *shaped) { s.Cut(machines) })
}

// Heal implements engine.Engine.
func (e *Engine) Heal() error { return e.mend(func(s *shaped) { s.Heal() }) }

// Block implements engine.Engine.
func (e *Engine) Block(relays []int) error {
	return e.mend(func(s *shaped) { s.Shaper.Block(relays) })
}

// Unblock implements engine.Engine.
func (e *Engine) Unblock() error { return e.mend(func(s *shaped) { s.Unblock() }) }

func (e *Engine) mend(do func(*shaped)) error {
	if e.shaped == nil {
		return engine.ErrCannot
	}
	do(e.shaped)
	return nil
}
