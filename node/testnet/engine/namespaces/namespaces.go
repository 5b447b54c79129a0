// Package namespaces runs a scenario with a process for each node, each in a Linux
// network namespace of its own, on a bridge, with users behind NAT routers if the
// scenario says so. Relays and users see each other as on the public network. Packets
// are lost, and addresses blocked, by nftables; a partition is a second bridge; a full
// disk is a full tmpfs.
//
// It needs root, ip of iproute2, and nft for NAT, loss and blocked addresses.
// An error names a missing tool, and the engines that do without.
package namespaces

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"starling/node/testnet/censor"
	"starling/node/testnet/engine"
	"starling/node/testnet/engine/processes"
	"starling/node/testnet/scenario"
)

// Engine implements engine.Engine.
type Engine struct {
	*processes.Engine
	s       *scenario.Scenario
	lab     *lab
	attacks engine.Attacks
	program string
	dir     string
	mounts  []string
	reading atomic.Pointer[reading] // nil: nobody reads
}

var _ engine.Standing = (*Engine)(nil)

// Missing names the tool that this machine lacks to run a scenario, nil for none. Its
// words are for a person.
func Missing(s *scenario.Scenario) error {
	var missing []string
	if runtime.GOOS != "linux" {
		missing = append(missing, "Linux")
	} else {
		if os.Geteuid() != 0 {
			missing = append(missing, "root")
		}
		if _, err := exec.LookPath("ip"); err != nil {
			missing = append(missing, "ip (install iproute2)")
		}
		if why := needsNFT(s); why != "" {
			if !haveNFT() {
				missing = append(missing, fmt.Sprintf("nft for %s (install nftables)", why))
			}
		}
	}

	if len(missing) == 0 {
		return nil
	}

	var others []string
	for _, name := range s.Able() {
		if name != scenario.Namespaces {
			others = append(others, "--engine "+name)
		}
	}
	works := "no other engine can do all of this scenario"
	if len(others) > 0 {
		works = strings.Join(others, " or ") + " works"
	}

	return fmt.Errorf("engine %q lacks %s; %s", scenario.Namespaces, strings.Join(missing, " and "), works)
}

func haveNFT() bool { _, err := exec.LookPath("nft"); return err == nil }

// needsNFT names the part of the scenario that needs nftables.
func needsNFT(s *scenario.Scenario) string {
	var why []string
	if s.NAT {
		why = append(why, "nat")
	}
	if s.Link.Loss > 0 {
		why = append(why, "loss")
	}
	for _, e := range s.Events {
		if e.Do == scenario.Block || e.Do == scenario.Harvest {
			why = append(why, "block")
			break
		}
	}
	if s.Censored() {
		why = append(why, "censors")
	}
	return strings.Join(why, ", ")
}

// New makes an engine, or names the tool that is missing for it.
func New(cfg engine.Config) (*Engine, error) {
	s := cfg.Scenario
	if err := Missing(s); err != nil {
		return nil, err
	}
	if s.Relays > maxRelays {
		return nil, fmt.Errorf("engine %q has addresses for %d relays", scenario.Namespaces, maxRelays)
	}
	if s.Strangers() > maxStrangers {
		return nil, fmt.Errorf("engine %q has addresses for %d hostile machines", scenario.Namespaces, maxStrangers)
	}
	e := &Engine{s: s, attacks: cfg.Attacks, program: cfg.Program, dir: cfg.Dir, lab: &lab{id: fmt.Sprintf("%s%d", namePrefix, os.Getpid()), nft: needsNFT(s) != "" || s.Stays && haveNFT(), web: s.Censored() || s.Bridges > 0, links: map[string]string{}}}
	var err error
	e.Engine, err = processes.New(cfg, place{e.lab})
	return e, err
}

// ClearUp removes the namespaces of runs that were killed.
func ClearUp() {
	if Missing(&scenario.Scenario{Engine: scenario.Namespaces}) == nil {
		clearUp()
	}
}

// place puts processes into the namespaces.
type place struct{ *lab }

func (p place) Relay(i int, program string, args ...string) *exec.Cmd {
	return p.command(fmt.Sprintf("r%d", i), program, args...)
}

func (p place) User(i int, program string, args ...string) *exec.Cmd {
	return p.command(fmt.Sprintf("u%d", i), program, args...)
}

func (p place) Listen(i int) string {
	at := fmt.Sprintf("/ip4/%s/tcp/%d", relayAddress(i), port)
	if p.web {
		return at
	}
	return at + "/plain"
}
func (p place) Private() bool { return false }

// Start implements engine.Engine.
func (e *Engine) Start(ctx context.Context) error {
	clearUp()
	if err := e.lab.build(e.s); err != nil {
		return fmt.Errorf("engine %q: %w", scenario.Namespaces, err)
	}
	fills := func(event scenario.Event) bool { return event.Do == scenario.Fill }
	if e.s.Stays || slices.ContainsFunc(e.s.Events, fills) {
		if err := e.mountDisks(); err != nil {
			return err
		}
	}
	return e.Engine.Start(ctx)
}

// Partition implements engine.Engine.
func (e *Engine) Partition(relays, users []int) error {
	machines := names(relays)
	for _, u := range users {
		machines = append(machines, e.door(u))
	}
	return e.lab.plug("cut", machines...)
}

// door is the machine of a user that has an address: its own, or its router.
func (e *Engine) door(user int) string {
	if e.s.NAT {
		return fmt.Sprintf("u%d-nat", user)
	}
	return fmt.Sprintf("u%d", user)
}

// Heal implements engine.Engine.
func (e *Engine) Heal() error { return e.lab.plug("mesh", e.lab.all()...) }

func names(relays []int) (machines []string) {
	for _, i := range relays {
		machines = append(machines, fmt.Sprintf("r%d", i))
	}
	return machines
}

// Block implements engine.Engine.
func (e *Engine) Block(relays []int) error {
	if !e.lab.nft {
		return errors.New("this machine has no nft (install nftables)")
	}
	if len(relays) == 0 {
		return nil
	}
	var addresses []string
	for _, i := range relays {
		addresses = append(addresses, relayAddress(i))
	}
	if err := e.lab.rules("hub", "add element bridge lab blocked { "+strings.Join(addresses, ", ")+" }"); err != nil {
		return err
	}
	return e.beyond("add element ip beyond blocked { " + strings.Join(addresses, ", ") + " }")
}

// Unblock implements engine.Engine.
func (e *Engine) Unblock() error {
	if !e.lab.nft {
		return nil
	}
	if err := e.lab.rules("hub", "flush set bridge lab blocked"); err != nil {
		return err
	}
	return e.beyond("flush set ip beyond blocked")
}

// Censor implements engine.Engine: by rules in the namespace of each user, or of its
// router. Censors meet the web transport, as on the public network.
func (e *Engine) Censor(by engine.Censor) error {
	if by.Read != (censor.Rules{}) {
		if err := e.read(by.Read); err != nil {
			return err
		}
	} else if r := e.reading.Load(); r != nil {
		r.censor.Set(by.Read)
	}

	for i := range e.s.People() {
		if err := e.lab.censor(e.door(i), by); err != nil {
			return err
		}
	}
	return nil
}

// beyond changes what proxies are told of addresses beyond them; without one nobody has to be.
func (e *Engine) beyond(change string) error {
	if !e.s.Readers() {
		return nil
	}
	for i := range e.s.People() {
		if err := e.lab.rules(e.door(i), change); err != nil {
			return err
		}
	}
	return nil
}

// Stop implements engine.Engine.
func (e *Engine) Stop(ctx context.Context, relay int) error {
	return errors.Join(e.Engine.Stop(ctx, relay), e.beyond("add element ip beyond down { "+relayAddress(relay)+" }"))
}

// Kill implements engine.Engine.
func (e *Engine) Kill(ctx context.Context, relay int) error {
	return errors.Join(e.Engine.Kill(ctx, relay), e.beyond("add element ip beyond down { "+relayAddress(relay)+" }"))
}

// Restart implements engine.Engine.
func (e *Engine) Restart(ctx context.Context, relay int) error {
	if err := e.Engine.Restart(ctx, relay); err != nil {
		return err
	}
	return e.beyond("delete element ip beyond down { " + relayAddress(relay) + " }")
}

// farewell is how long a hostile machine has to report its deed.
const farewell = 10 * time.Second

// Attack implements engine.Engine: a process in a namespace of its own.
func (e *Engine) Attack(ctx context.Context, i int, h scenario.Hostile) (did engine.Deed, err error) {
	program, args := e.attacks.Command(engine.Stranger{
		Do: h.Do, Rate: h.Rate, Seed: e.s.Seed + uint64(i), Address: strangerAddress(i), Relays: e.Relays(),
	})
	cmd := e.lab.command(stranger(i), program, args...)
	var wrote, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &wrote, &said
	if err := cmd.Start(); err != nil {
		return did, err
	}
	stop := context.AfterFunc(ctx, func() {
		cmd.Process.Signal(os.Interrupt)
		time.AfterFunc(farewell, func() { cmd.Process.Kill() })
	})
	defer stop()

	if err := cmd.Wait(); ctx.Err() == nil {
		return did, fmt.Errorf("hostile machine %d ended: %w: %s", i, err, bytes.TrimSpace(said.Bytes()))
	}
	if err := json.Unmarshal(wrote.Bytes(), &did); err != nil {
		return did, fmt.Errorf("hostile machine %d does not say what it did: %w", i, err)
	}
	return did, nil
}

// room is the size of a node's disk where disks get full, in MiB.
const room = 64

// mountDisks gives every node a disk of its own.
func (e *Engine) mountDisks() error {
	var dirs []string
	for i := range e.s.Relays {
		dirs = append(dirs, e.RelayDir(i))
	}
	for i := range e.s.People() {
		dirs = append(dirs, e.UserDir(i))
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := mount(dir, room<<20); err != nil {
			return fmt.Errorf("mount a disk for a node: %w", err)
		}
		e.mounts = append(e.mounts, dir)
	}
	return nil
}

// filler is the file that fills a disk.
const filler = "filler"

// Fill implements engine.Engine.
func (e *Engine) Fill(relays, users []int) error {
	var dirs []string
	for _, i := range relays {
		dirs = append(dirs, e.RelayDir(i))
	}
	for _, i := range users {
		dirs = append(dirs, e.UserDir(i))
	}
	for _, dir := range dirs {
		f, err := os.OpenFile(filepath.Join(dir, filler), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		for size := 1 << 20; size > 0; { // ever smaller pieces, until none fits
			if _, err := f.Write(make([]byte, size)); err != nil {
				size /= 2
			}
		}
		f.Close()
	}
	return nil
}

// Free implements engine.Engine.
func (e *Engine) Free() error {
	var err error
	for _, dir := range e.mounts {
		if e := os.Remove(filepath.Join(dir, filler)); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Measure implements engine.Engine. Bytes are those of whole packets on the
// wire, with their Ethernet headers.
func (e *Engine) Measure(ctx context.Context) engine.Measures {
	m := e.Engine.Measure(ctx)
	wire := e.lab.traffic()
	of := func(machine string) engine.Traffic {
		return engine.Traffic{In: wire[machine][0], Out: wire[machine][1]}
	}
	if r := e.reading.Load(); r != nil {
		d := r.censor.Deeds()
		m.Censor = &d
	}
	m.Relays, m.Users = nil, nil
	for i := range e.s.Relays {
		m.Relays = append(m.Relays, of(fmt.Sprintf("r%d", i)))
	}
	for i := range e.s.Users {
		m.Users = append(m.Users, of(e.door(i)))
	}
	return m
}

// Close implements engine.Engine.
func (e *Engine) Close() error {
	err := e.Engine.Close()
	if r := e.reading.Load(); r != nil {
		r.close()
	}
	for _, dir := range e.mounts {
		err = errors.Join(err, unmount(dir))
	}
	return errors.Join(err, remove(e.lab.id))
}
