package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/ncruces/go-sqlite3/vfs"

	"starling/node"
	"starling/node/api"
	"starling/node/config"
	"starling/node/store"
	"starling/node/testnet/scenario"
	"starling/p2p"
	"starling/p2p/virtualdisk"
)

// Nodes are the nodes of users in this process: those that people run, with a
// passphrase that is quick to check, and without a control socket if nobody is to
// use them from outside.
type Nodes struct {
	cfg  Config
	load *Load
	// Ways returns the first relays of a user.
	Ways func(user int) []string
	// Client makes a user's network out of its configuration; nil is package p2p.
	Client func(user int, c *p2p.ClientConfig)
	// AllowPrivate is as in node.Config.
	AllowPrivate bool
	// Sockets: other processes may use them.
	Sockets bool
	// Disks are those of the relays, which are in this process too.
	Disks []*Disk

	users   []*person
	crashes bool // the scenario crashes nodes
}

// person is one user and the profile that lives as long as the run.
type person struct {
	mu         sync.Mutex
	profile    config.Profile
	passphrase string
	disk       *virtualdisk.FS
	diskName   string
	full       bool
	opened     int
	node       *node.Node // nil while offline
	ended      chan struct{}
	err        error // how the node ended; read after ended is closed
	before     Traffic
}

// Name is the name of the user of an index.
func Name(user int) string { return fmt.Sprintf("User %d", user) }

// NewNodes makes the users of a scenario. None is online yet.
func NewNodes(cfg Config, load *Load) *Nodes {
	n := &Nodes{cfg: cfg, load: load}
	for _, e := range cfg.Scenario.Events {
		n.crashes = n.crashes || e.Do == scenario.Crash
	}
	for i := range cfg.Scenario.People() {
		n.users = append(n.users, &person{profile: config.Profile{Dir: filepath.Join(cfg.Dir, fmt.Sprintf("user-%d", i))}})
	}
	return n
}

// Open implements Engine.
func (n *Nodes) Open(ctx context.Context, user int) (api.Node, error) {
	u := n.users[user]
	u.mu.Lock()
	defer u.mu.Unlock()

	if u.passphrase == "" {
		u.passphrase = rand.Text()
		// Nobody has to guess the passphrase of a profile that is gone soon.
		if err := node.Create(u.profile, u.passphrase, Name(user), store.CheapKDF); err != nil {
			return nil, err
		}
	}

	// A disk of its own each time: one that has crashed stays dead.
	u.opened++
	u.diskName = fmt.Sprintf("testnet-%p-%d-%d", n, user, u.opened)
	u.disk = virtualdisk.Register(u.diskName)
	u.disk.SetFull(u.full)

	delay := n.cfg.Scenario.MeanDelay
	if delay == 0 {
		delay = -1 // none
	}

	made, err := node.New(node.Config{
		Profile: u.profile, Passphrase: u.passphrase, Bootstrap: n.Ways(user), AllowPrivate: n.AllowPrivate,
		MeanDelay: delay, NoSocket: !n.Sockets, Logger: n.cfg.Logger.With("user", user),
		// A crash tears a write in the middle, as that of a machine does: then the
		// store has to write so that it can bear it.
		Store: store.Options{VFS: u.diskName, NoSync: !n.crashes},
		NewNetwork: func(c p2p.ClientConfig) (node.Network, error) {
			c.Clock = Clock(n.cfg.Plan.Skew[1][user])
			if n.Client != nil {
				n.Client(user, &c)
			}
			client, err := p2p.NewClient(c)
			return n.load.Count(client), err
		},
	})

	if err != nil {
		vfs.Unregister(u.diskName)
		return nil, err
	}

	u.node, u.err, u.ended = made, nil, make(chan struct{})
	run := context.WithoutCancel(ctx)
	go func() {
		defer close(u.ended)
		u.err = made.Run(run)
	}()
	return made, nil
}

// User returns the place of a user.
func (n *Nodes) User(user int) Seat {
	u := n.users[user]
	u.mu.Lock()
	defer u.mu.Unlock()
	s := Seat{Dir: u.profile.Dir, Passphrase: u.passphrase}
	if u.node != nil {
		select {
		case <-u.ended:
			s.Ended = cmp.Or(u.err, errors.New("it has ended"))
		default:
		}
	}
	return s
}

// Shut implements Engine.
func (n *Nodes) Shut(ctx context.Context, user int) error {
	u := n.users[user]
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.node == nil {
		return nil
	}
	u.before = u.traffic(ctx)
	err := u.node.Close()
	<-u.ended
	vfs.Unregister(u.diskName)
	u.node = nil
	return errors.Join(err, u.err)
}

// Crash ends a node in the middle of a write. Everything not on disk by then is lost,
// and so are its last words.
func (n *Nodes) Crash(ctx context.Context, user int) error {
	u := n.users[user]
	u.mu.Lock()
	if u.disk != nil {
		u.disk.SetFull(false)
		u.disk.FailPowerAfter(0)
	}
	u.mu.Unlock()
	n.Shut(ctx, user)
	return nil
}

// Fill implements Engine.
func (n *Nodes) Fill(relays, users []int) error {
	for _, i := range relays {
		n.Disks[i].SetFull(true)
	}
	for _, i := range users {
		n.users[i].setFull(true)
	}
	return nil
}

// Free implements Engine.
func (n *Nodes) Free() error {
	for _, d := range n.Disks {
		d.SetFull(false)
	}
	for _, u := range n.users {
		u.setFull(false)
	}
	return nil
}

func (u *person) setFull(full bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.full = full; u.disk != nil {
		u.disk.SetFull(full)
	}
}

// traffic returns the traffic of all nodes of the user.
func (u *person) traffic(ctx context.Context) Traffic {
	t := u.before
	if u.node != nil {
		if s, err := u.node.Status(ctx); err == nil {
			t = Traffic{t.In + s.BytesIn, t.Out + s.BytesOut}
		}
	}
	return t
}

// Traffic returns the sum of each user's frames.
func (n *Nodes) Traffic(ctx context.Context) []Traffic {
	all := make([]Traffic, len(n.users))
	for i, u := range n.users {
		u.mu.Lock()
		all[i] = u.traffic(ctx)
		u.mu.Unlock()
	}
	return all
}

// Close ends all that are online.
func (n *Nodes) Close() error {
	errs := make([]error, len(n.users))
	var wg sync.WaitGroup
	for i := range n.users {
		wg.Go(func() { errs[i] = n.Shut(context.Background(), i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
