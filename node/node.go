// Package node is one person's running messenger. It joins sessions and the network,
// keeps the truth on disk, and serves every screen and command, as a
// starling/node/api.Node.
//
//	config    where a profile lives
//	store     the encrypted profile
//	chat      the contents of a session
//	outbox    the next thing to send; sends it
//	inbox     opens cells, keeps their contents, acknowledges them
//	  order   when contents are taken, and in which order
//	  watch   which tags are asked for where
//	rooms     rooms of many, in logs at mailboxes
//	control   the api over a unix socket
//	doctor    faults around a node
//	relay     a relay as a program
//	testnet   meshes from scenario files
//
// The way of a text: Send writes it, its sealed cells and the session's next state in
// one transaction and returns. The outbox puts each cell into two mailboxes of the
// recipient and writes down the mailboxes' answers. The recipient's inbox opens the
// cells, writes down the text and the receipt it owes, and lets the mailbox delete
// them; its outbox sends the receipt. Our inbox takes that and the text is delivered. A
// crash at any point repeats work, and never loses or doubles a text.
package node

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/config"
	"starling/node/control"
	"starling/node/inbox"
	"starling/node/outbox"
	"starling/node/rooms"
	"starling/node/store"
	"starling/p2p"
)

// Config says how a node runs.
type Config struct {
	Profile    config.Profile
	Passphrase string
	// Bootstrap are multiaddrs of relays, ending in /p2p/…, to begin with.
	Bootstrap []string
	// AllowPrivate admits loopback and LAN relays and relaxes route diversity.
	AllowPrivate bool
	// MeanDelay is the mean delay at each mix: 0 is that of the fast profile,
	// below 0 is none.
	MeanDelay time.Duration
	// ReceiptDelay is the mean wait before a receipt; 0 is that of the fast
	// profile (inbox.DefaultReceiptDelay).
	ReceiptDelay time.Duration
	// Version is the version in Status.
	Version string
	// Logger is nil for silence.
	Logger *slog.Logger
	// NoSocket leaves out the control socket: only this process uses the node.
	NoSocket bool
	// Brief: the node ends with the command that it was started for. Status tells.
	Brief bool
	// LAN asks the local network for relays while none is reached.
	LAN bool
	// Proxy goes before that of the settings, if it is not empty.
	Proxy string
	// Source is the local address to dial from; empty leaves it to the system.
	Source string

	// Bridge runs the bridge for friends that the settings ask for; nil: there is none.
	Bridge RunBridge

	// NewNetwork makes the network; nil is package p2p.
	NewNetwork func(p2p.ClientConfig) (Network, error)
	// Store is for tests.
	Store store.Options
}

// Create makes a profile for an owner. It is quick to open, and to guess, with
// store.CheapKDF; the zero KDF is store.DefaultKDF.
func Create(p config.Profile, passphrase, owner string, kdf store.KDF) error {
	name, err := chat.CleanName(owner)
	if err != nil {
		return nameError(err)
	}
	if err := hardToGuess(passphrase, kdf == store.CheapKDF); err != nil {
		return err
	}
	return apiError(store.Create(p, passphrase, name, store.Options{KDF: kdf}))
}

// A Node is a running messenger. It implements api.Node.
type Node struct {
	roomCalls
	bridges
	invites

	cfg     Config
	log     *slog.Logger
	store   *store.Store
	net     mesh
	outbox  *outbox.Outbox
	inbox   *inbox.Inbox
	rooms   *rooms.Rooms
	own     *ownBridge
	started time.Time
	serving chan struct{}
	live    live

	unlock attempts
	locked atomic.Bool
	wiped  atomic.Bool

	typingMu sync.Mutex
	typing   map[store.ID]time.Time // when contacts were last told that we write

	// Background work of calls that have returned; it ends with Run.
	ctx        context.Context
	cancel     context.CancelFunc
	background sync.WaitGroup

	island    atomic.Bool // most of the network was out of reach at the last change
	changedMu sync.Mutex
	changed   chan struct{} // closed when the network's status changes

	runMu   sync.Mutex
	running bool
	over    bool // nothing is added to background any more
	stopped chan struct{}
	closing sync.Once
	closed  error
}

var _ api.Node = (*Node)(nil)

// housekeeping is how often deleted rows leave the log, and rotateEvery how
// often the row key is replaced, if anything was written.
const (
	housekeeping = 30 * time.Second
	rotateEvery  = time.Hour
	// keepEvents bounds the event log.
	keepEvents = 200_000
	// keepSeen bounds the ids remembered of contents that are no messages.
	keepSeen = 100_000
)

// New opens the profile and takes its lock. The node works from Run on; Close
// gives the profile up.
func New(cfg Config) (_ *Node, err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}

	// The lock of the profile comes first: everything below writes to it.
	s, err := store.Open(cfg.Profile, cfg.Passphrase, cfg.Store)
	if err != nil {
		return nil, apiError(err)
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()

	n := &Node{cfg: cfg, log: cfg.Logger, store: s, started: time.Now(),
		serving: make(chan struct{}), typing: make(map[store.ID]time.Time), changed: make(chan struct{}), stopped: make(chan struct{})}
	// Not the caller's context: calls leave work behind that ends with Run.
	n.ctx, n.cancel = context.WithCancel(context.Background())

	n.bridges, n.invites = bridges{n}, invites{n}

	// The network starts from the state of the last run: its guards stay the same, which keeps
	// an attacker from waiting for a turn as guard.
	var state []byte
	var doors []store.Bridge
	var set api.Settings
	err = s.View(n.ctx, func(tx *store.Tx) error {
		var errs [3]error
		state, errs[0] = tx.NetworkState()
		doors, errs[1] = tx.Bridges()
		set, errs[2] = tx.Settings()
		return errors.Join(errs[:]...)
	})
	if err != nil {
		return nil, apiError(err)
	}

	newNetwork := cfg.NewNetwork
	if newNetwork == nil {
		newNetwork = func(c p2p.ClientConfig) (Network, error) { return p2p.NewClient(c) }
	}

	// The callbacks read n.inbox and n.rooms, which are made below: nothing calls before Run.
	network, err := newNetwork(p2p.ClientConfig{
		Bootstrap:    cfg.Bootstrap,
		Bridges:      usable(doors, cfg.AllowPrivate),
		OnlyBridges:  set.BridgesOnly,
		Proxy:        cmp.Or(cfg.Proxy, set.Proxy),
		AllowPrivate: cfg.AllowPrivate,
		LAN:          cfg.LAN,
		MeanDelay:    cfg.MeanDelay,
		State:        state,
		OldState:     s.Restored(),
		SaveState:    n.saveNetwork,
		OnBox:        n.onBox,
		OnEntry:      func(key string, at p2p.NodeID, e p2p.LogEntry) { n.rooms.OnEntry(logEntry(key, at, e)) },
		OnEnd:        func(key string, at p2p.NodeID, e p2p.LogEnd) { n.rooms.OnEnd(logEnd(key, at, e)) },
		OnChange:     n.onChange,
		Logger:       cfg.Logger,
		Source:       cfg.Source,
	})
	if err := proxyError(err); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, &api.Error{Code: api.CodeUsage, Message: err.Error(), Hint: "check the bootstrap addresses"}
	}

	n.roomCalls = roomCalls{n}
	n.net = mesh{network}
	n.outbox = outbox.New(outbox.Config{Store: s, AwaitQuota: n.net.AwaitQuota, Put: n.net.Put, Logger: cfg.Logger,
		Meeting: func(ctx context.Context, contact store.ID) ([]store.Node, error) {
			return n.inbox.Meeting(ctx, contact)
		},
		Taken: func(ctx context.Context, t outbox.Taken) { n.inbox.Taken(ctx, t) }, Now: n.now})
	n.inbox = inbox.New(inbox.Config{Store: s, Outbox: n.outbox, Network: n.net,
		ReceiptDelay: cfg.ReceiptDelay, Typing: n.onTyping, Rewatched: n.tellStatus, Now: n.now, Logger: cfg.Logger})

	n.own = newOwnBridge(n, set)
	n.rooms = rooms.New(rooms.Config{Store: s, Network: n.net, Now: n.now, Delays: n.tellDelayed, Logger: cfg.Logger})

	// Before anything is sent: an old copy would use keys and numbers a second time.
	if s.Restored() {
		cfg.Logger.Warn("the profile was restored from an older copy: its sessions are given up")
		if err := n.own.disown(); err != nil {
			return nil, apiError(err)
		}
		if err := n.rooms.Restored(n.ctx); err != nil {
			return nil, apiError(err)
		}
		if err := n.inbox.Restored(n.ctx); err != nil {
			return nil, apiError(err)
		}
	}

	// No reason to stay closed: without the marker only this one warning sign is missing.
	if err := s.MarkerError(); err != nil {
		cfg.Logger.Warn("a copy of this profile that is put back may go unnoticed", "err", err)
	}

	return n, nil
}

// Serving is closed once Run serves the control socket and everything works.
func (n *Node) Serving() <-chan struct{} { return n.serving }

// Run works until ctx ends or Close is called, and returns nil then. It is
// called once.
func (n *Node) Run(ctx context.Context) (err error) {
	n.runMu.Lock()
	if n.running || n.ctx.Err() != nil {
		n.runMu.Unlock()
		return closedError
	}
	n.running = true
	n.runMu.Unlock()

	defer close(n.stopped)
	defer n.cancel()
	stop := context.AfterFunc(ctx, n.cancel)
	defer stop()

	// Before the loops begin: a fault here has sent nothing.
	var server *control.Server
	if !n.cfg.NoSocket {
		if server, err = control.Listen(n.cfg.Profile, n); err != nil {
			return apiError(err)
		}
	}
	n.own.begin()

	// The loops. If one ends, all do.
	g, ctx := errgroup.WithContext(n.ctx)
	g.Go(func() error { return n.net.Run(ctx) })
	g.Go(func() error { return n.outbox.Run(ctx) })
	g.Go(func() error { return n.inbox.Run(ctx) })
	g.Go(func() error { return n.rooms.Run(ctx) })
	g.Go(func() error { return n.housekeep(ctx) })
	g.Go(func() error { return n.expire(ctx) })
	g.Go(func() error { return n.own.run(ctx) })
	g.Go(func() error { return n.storeBundles(ctx) })
	g.Go(func() error {
		select {
		case <-n.store.Lost():
			return &api.Error{Code: api.CodeClosed, Message: "the profile cannot be used any more by this program, and is whole on disk", Hint: "start Starling again"}
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if server != nil {
		g.Go(func() error { return server.Run(ctx) })
	}

	// Only now: those that wait for this call at once.
	close(n.serving)
	err = g.Wait()
	n.cancel()
	n.runMu.Lock()
	n.over = true
	n.runMu.Unlock()
	n.background.Wait()
	if errors.Is(err, context.Canceled) || n.wiped.Load() {
		err = nil
	}
	return apiError(err)
}

// Close ends Run, waits for it, and gives the profile up.
func (n *Node) Close() error {
	n.closing.Do(func() {
		n.cancel()
		n.runMu.Lock()
		running := n.running
		n.runMu.Unlock()
		if running {
			<-n.stopped
		}
		n.closed = apiError(n.store.Close())
		if n.wiped.Load() {
			os.Remove(n.cfg.Profile.Dir) // it is empty by now
		}
	})
	return n.closed
}

// housekeep empties the log of deleted rows and replaces the row key.
func (n *Node) housekeep(ctx context.Context) error {
	tick := time.NewTicker(housekeeping)
	defer tick.Stop()
	rotated := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		err := n.store.Checkpoint()
		if err == nil && time.Since(rotated) >= rotateEvery {
			rotated = time.Now()
			err = errors.Join(
				n.store.Update(ctx, func(tx *store.Tx) error {
					return errors.Join(tx.Prune(keepEvents, keepSeen), tx.PruneTold())
				}),
				n.store.Rotate(ctx))
		}
		if err != nil && ctx.Err() == nil {
			n.log.Warn("housekeeping", "err", err)
		}
	}
}

func (n *Node) saveNetwork(state []byte) error {
	// Also when the network ends, which is after ctx.
	return n.store.Note(context.Background(), func(tx *store.Tx) error { return tx.SetNetworkState(state) })
}

func (n *Node) onBox(mailbox p2p.NodeID, tag p2p.Tag, box []byte) {
	n.inbox.OnBox(store.Node(mailbox), store.Tag(tag), box)
}

func (n *Node) onChange() {
	net := n.net.Status()
	n.outbox.SetSparing(net.Scarce)
	if island := net.Reached > 0; n.island.Swap(island) != island {
		n.inbox.Reached()
	}
	n.outbox.Kick()
	n.rooms.Kick()
	n.tellStatus()
}

// tellStatus lets all that follow the events have the status anew.
func (n *Node) tellStatus() {
	n.changedMu.Lock()
	defer n.changedMu.Unlock()
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *Node) statusChanged() <-chan struct{} {
	n.changedMu.Lock()
	defer n.changedMu.Unlock()
	return n.changed
}

// sendOff sends what was queued, to contacts and to rooms.
func (r *roomCalls) sendOff(queued ...outbox.Queued) {
	r.n.outbox.Add(queued...)
	r.n.rooms.Wake()
}

// later runs work that outlives the call that started it.
func (n *Node) later(f func(ctx context.Context)) {
	n.runMu.Lock()
	defer n.runMu.Unlock()
	if n.over || n.ctx.Err() != nil {
		return
	}
	n.background.Go(func() { f(n.ctx) })
}
