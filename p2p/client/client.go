// Package client puts boxes into mailboxes and watches for boxes, and hides its
// identity from the mailboxes.
//
// It is connected to two guards and to no other node, and chooses its routes from
// the list of relays that they hand it:
//
//	client.go      a Client, its loops and its status
//	guards.go      the guards it is connected to
//	requests.go    one packet, its answers, and the conclusions from their absence
//	quotas.go      when packets may leave, as fast as a guard reads
//	space.go       and where a network freezes connections, as many as answers may come
//	logs.go        entries of logs: append, follow, read
//	status.go      whether a message can leave, and if not, why
//	lists.go       the list of each relay, and the belief drawn from all
//	looks.go       the times at which relays are asked for it
//	newcomers.go   the first relays that are asked, at their doors (doors.go)
//	far.go         the lists of relays that are asked through the mixes
//	island.go      relays that are out of reach together, found by tests
//	alive.go       connections that are dead without a word, and wake-ups
//	routes.go      the relays to choose a way from
//	rendezvous.go  mailboxes that two people find without telling each other
//	bridges.go     relays that are reached over bridges
//	proxy.go       all connections over a proxy
//	passage.go     what the network does to connections, and how each way in answered
//	state.go       the state kept from one start to the next
package client

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"golang.org/x/sync/errgroup"

	"starling/p2p/book"
	"starling/p2p/bridge"
	"starling/p2p/clock"
	"starling/p2p/directory"
	"starling/p2p/directory/exchange"
	"starling/p2p/discovery/lan"
	"starling/p2p/guard"
	"starling/p2p/host"
	"starling/p2p/judge"
	"starling/p2p/link"
	"starling/p2p/mailbox"
	"starling/p2p/mix"
	"starling/p2p/outfox"
	"starling/p2p/pace"
	"starling/p2p/settings"
	"starling/p2p/tally"
	"starling/p2p/wake"
	"starling/p2p/watch"
	"starling/p2p/wire"
)

// NodeID names a relay.
type NodeID = wire.NodeID

// Tag names a box.
type Tag = mailbox.Tag

// BoxSize is the size of every box in bytes.
const BoxSize = mailbox.BoxSize

// Errors that callers tell apart.
var (
	// ErrOffline: no guard is connected.
	ErrOffline = errors.New("not connected to any guard")
	// ErrFewRelays: there is no route that keeps the rules.
	ErrFewRelays = errors.New("too few relays known for an anonymous route")
	// ErrTimeout: no answer came. The box may have been stored or not.
	ErrTimeout = errors.New("no answer from the mailbox")
	// ErrTaken: another box is under the tag.
	ErrTaken = errors.New("another box is under this tag")
	// ErrFull: the mailbox has no room.
	ErrFull = errors.New("mailbox is full")
	// ErrUnknownRelay: the relay is not in the directory, or has left.
	ErrUnknownRelay = errors.New("relay is not known")
	// ErrProxyLAN: the local network cannot be asked over a proxy.
	ErrProxyLAN = errors.New("the local network is not asked beside a proxy")
	// ErrSize: a box must have BoxSize bytes.
	ErrSize = errors.New("box has a wrong size")
)

// TakenError is an ErrTaken with the box that the mailbox says is there. Its presence
// is the mailbox's word; its bytes speak for themselves. Without a TakenError the other
// box is said to have been acknowledged, and nothing shows it.
type TakenError struct{ Box []byte }

// Error implements error.
func (e *TakenError) Error() string { return ErrTaken.Error() }

// Is makes it an ErrTaken.
func (e *TakenError) Is(target error) bool { return target == ErrTaken }

// hops is how many mixes there are before the mailbox.
const hops = outfox.Layers - 1

// Config is how a Client is made.
type Config struct {
	// Bootstrap are multiaddrs of relays, ending in /p2p/…, to ask for the
	// list of relays when nothing better is known.
	Bootstrap []string
	// Bridges are links of bridges. Relays are reached over them: only so with
	// OnlyBridges, and else where they are not reached themselves.
	Bridges     []string
	OnlyBridges bool
	// Proxy is socks5://[USER:PASSWORD@]ADDRESS:PORT, empty for none. Nothing is dialled
	// beside it, and nothing else is listened on, resolved or asked.
	Proxy string
	// AllowPrivate admits loopback and LAN relays and relaxes route diversity.
	AllowPrivate bool
	// LAN asks the local network for relays while no guard is connected. The
	// question is heard by everybody there. It takes AllowPrivate.
	LAN bool
	// MeanDelay is the mean delay at each mix: 0 is mix.DefaultMeanDelay,
	// below 0 is none.
	MeanDelay time.Duration
	// State is the argument of the last SaveState, or nil. A state that cannot be read
	// is forgotten.
	State []byte
	// OldState says that State is an older copy of the last saved one.
	OldState bool
	// SaveState keeps guards, known relays and the results of trials of mailboxes; nil
	// keeps nothing. It is called from one goroutine at a time.
	SaveState func([]byte) error
	// OnBox gets every box that a watch finds, at least once, one at a time.
	// The box is found again until it is acknowledged.
	OnBox func(mailbox NodeID, tag Tag, box []byte)
	// OnEntry gets every entry that a follow finds, at least once, one at a time, in any
	// order; it is found again until a Follow acknowledges it. OnEnd gets the end of a log
	// when all that the mailbox has up to it was handed out. key is that of the follow.
	OnEntry func(key string, mailbox NodeID, e LogEntry)
	OnEnd   func(key string, mailbox NodeID, end LogEnd)
	// OnChange is called, one call at a time, when Status may have changed.
	OnChange func()
	// Logger is nil for silence.
	Logger *slog.Logger
	// Source is the local address to dial from; empty leaves it to the system.
	Source string
	// Tap, if set, is shown every frame on the links. For tests.
	Tap func(link.Seen)
	// Options are the last word about the libp2p host: a simulation puts its
	// own network there. Nobody else should.
	Options []libp2p.Option
	// Families returns, in a simulation, the kinds of addresses the machine has a way
	// to; nil with Options is both.
	Families func() host.Families
	// Wake brings, in a simulation, the events of the system; nil with Options is none.
	// See package wake.
	Wake <-chan wake.Event
	// Place names the network that this computer is in; nil is package wake's.
	Place func() string
	// Clock is this computer's time of day; nil is time.Now. It simulates machines with
	// a wrong clock.
	Clock func() time.Time
}

// A Client puts boxes into mailboxes and watches for boxes. Its methods may be
// called from any goroutine, before and while Run runs.
type Client struct {
	cfg    Config
	log    *slog.Logger
	clock  *clock.Clock
	source netip.Addr
	timing timing
	routes routes

	peerKey crypto.PrivKey
	id      NodeID
	book    *book.Book
	dir     *directory.Directory
	lists   lists
	hearAll atomic.Bool // ask all guards for the list, not one
	pulses  pulses
	quotas  quotas
	returns returns
	space   space
	far     far
	doors   doors
	passage *passage
	ways    *bridge.Ways
	line    *host.Line                 // all sockets
	host    atomic.Pointer[host.Host]  // while Run runs
	links   atomic.Pointer[link.Links] // while Run runs
	replies *mix.Replies[*back]
	watches *watch.Watches
	judge   judge.Judge
	sounder sounder
	refused tally.Tally

	wake    chan struct{} // guards: something happened
	stale   chan struct{} // lists: ask again now
	lonely  chan struct{} // doors: look again
	changed chan struct{} // for OnChange
	save    chan struct{}
	blamed  chan struct{} // a request failed: relays may be doubtful
	dark    chan struct{} // several in a row did: ask somebody else

	mu       sync.Mutex
	guards   *guard.Guards
	expected map[*request]struct{} // to be failed when a guard is lost
}

// timing holds the waits that tests and meshes on one machine shorten.
type timing struct {
	retryMin, retryMax time.Duration // between rounds of first sources, and requests of a watch
	listFew            time.Duration // between looks at the list while it is too short, at most
	list               time.Duration // between looks at the list
	listMin            time.Duration // between looks that failures ask for
	listUnknown        time.Duration // and that an unknown mailbox asks for
	poll               time.Duration // a watch asks at least this often
	pollShare          time.Duration // and no more often than this times the number of watches
	keepalive          time.Duration // about this long an idle link is silent
	far                time.Duration // between questions to relays through the mixes
	dark               time.Duration // the same, while nobody answers anything
	answer             time.Duration // for an answer, beside the mixes' delays
	replies            int           // blocks that may be out
}

// Rhythms of a client that does nothing, on the public network. docs/SCALE.md is
// computed from them.
const (
	ListEvery = 30 * time.Minute  // between looks at the list
	PollEvery = 6 * time.Minute   // between polls of a watch, if it is the only one
	PollShare = 200 * time.Second // more for each watch
)

func timings(private bool) timing {
	t := timing{
		retryMin: 500 * time.Millisecond, retryMax: 5 * time.Minute,
		listFew: 15 * time.Second, list: ListEvery, listMin: 5 * time.Second, listUnknown: time.Minute,
		poll: PollEvery, pollShare: PollShare,
		keepalive: 30 * time.Minute,
		far:       24 * time.Hour,
		dark:      30 * time.Second,
		answer:    6 * time.Second,
		replies:   maxReplies,
	}
	if private {
		t.retryMin, t.retryMax = 100*time.Millisecond, 3*time.Second
		t.listFew, t.listMin, t.listUnknown = time.Second, time.Second, time.Second
		t.dark = 3 * time.Second
		t.list = 5 * time.Minute
		t.answer = 4 * time.Second
	}
	return t
}

// New makes a client. It does nothing before Run.
func New(cfg Config) (*Client, error) {
	return newClient(cfg, timings(cfg.AllowPrivate))
}

func newClient(cfg Config, timing timing) (*Client, error) {
	c := &Client{
		cfg:      cfg,
		log:      cfg.Logger,
		timing:   timing,
		wake:     make(chan struct{}, 1),
		stale:    make(chan struct{}, 1),
		lonely:   make(chan struct{}, 1),
		changed:  make(chan struct{}, 1),
		save:     make(chan struct{}, 1),
		blamed:   make(chan struct{}, 1),
		dark:     make(chan struct{}, 1),
		guards:   guard.New(guard.Config{AllowPrivate: cfg.AllowPrivate}),
		expected: map[*request]struct{}{},
	}

	c.clock = clock.New(clock.Config{Wall: cfg.Clock})
	c.dir = directory.New(directory.Config{AllowPrivate: cfg.AllowPrivate, Now: c.clock.Now})
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}

	c.lists = lists{
		dir: c.dir, clock: c.clock, private: cfg.AllowPrivate, life: 3 * timing.list,
		send: c.send, count: c.refused.Add, log: c.log, isGuard: c.isGuard, isSure: func(id NodeID) bool { return isSure(c, id) }, letGo: c.letGo,
		isUp: func(id NodeID) bool { l := c.links.Load(); return l != nil && l.Connected(id) },
		m:    map[NodeID]*opinion{}, left: map[NodeID]time.Time{},
	}
	c.lists.pay = exchange.Sparingly(func() bool { return !c.lists.convinced() })

	network, err := settings.Text{
		Bootstrap: cfg.Bootstrap, Source: cfg.Source, AllowPrivate: cfg.AllowPrivate, LAN: cfg.LAN,
	}.Parse()
	if err != nil {
		return nil, err
	}

	c.source = network.Source
	if c.cfg.Families == nil {
		c.cfg.Families = func() host.Families {
			if cfg.Options != nil {
				return host.Families{Four: true, Six: true}
			}
			return host.OwnFamilies(c.source, cfg.AllowPrivate)
		}
	}
	own := c.cfg.Families
	c.cfg.Families = func() host.Families {
		if p, _ := c.line.Proxy(); p != nil || c.ways.Any() { // they have a way to all
			return host.Families{Four: true, Six: true}
		}
		return own()
	}
	c.doors = doors{private: cfg.AllowPrivate, families: c.cfg.Families, place: surroundings{c}.Place, m: map[NodeID]*door{}}
	c.book = book.New(book.Config{Role: book.Client, AllowPrivate: cfg.AllowPrivate, Listed: c.guardAddresses, Settled: func() bool { return !c.knowsNobody() }})
	for _, h := range network.Bootstrap {
		c.doors.add(h, book.Owner)
		c.book.Name(h.ID, book.Owner, directory.ForBook(h.Addresses)...)
	}

	if err := newWays(c); err != nil {
		return nil, err
	}
	if err := c.SetProxy(cfg.Proxy); err != nil {
		return nil, err
	}

	c.passage = newPassage(c.book, placeOf(cfg), c.clock.Now, func() { pace.Kick(c.changed); pace.Kick(c.save) })
	c.space = space{passage: c.passage, links: c.links.Load}
	pins, trials, err := c.loadState(cfg.State)
	if err != nil {
		c.log.Warn("network state is damaged and forgotten", "err", err)
	}
	c.sounder.c, c.sounder.kick = c, make(chan struct{}, 1)
	c.routes = routes{
		Routes: mix.NewRoutes(mix.RoutesConfig{AllowPrivate: cfg.AllowPrivate, MeanDelay: cfg.MeanDelay, Pins: pins, Now: c.clock.Now, Settled: c.timeKnown}),
		dir:    c.dir, clock: c.clock, judge: &c.judge, island: &c.sounder.Island,
		pinned: func() { pace.Kick(c.save) },
	}

	key, _, err := crypto.GenerateEd25519Key(crand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make network identity: %w", err)
	}
	c.peerKey = key
	if c.id, err = wire.NodeIDFromKey(key.GetPublic()); err != nil {
		return nil, err
	}
	c.lists.self = c.id

	c.replies = mix.NewReplies[*back](c.id, timing.replies, c.clock.Now)
	c.watches = watch.New(watch.Config{
		Post:     c.postWatch,
		Issued:   c.issued,
		Renews:   func(id NodeID) time.Time { return renews(c.dir.Snapshot(), id) },
		Missing:  func(id NodeID) bool { return c.silent(c.dir.Snapshot(), id) },
		Put:      c.Put,
		Kept:     trials,
		Keep:     c.keep(),
		OnBox:    cfg.OnBox,
		OnEntry:  cfg.OnEntry,
		OnEnd:    cfg.OnEnd,
		Count:    c.refused.Add,
		Patience: c.patience(),
		Sparing:  c.space.anySparing,
		Room:     func() bool { return c.space.any(c.guardsUp()) },
		Retry:    timing.retryMin,
		Poll:     timing.poll, PollShare: timing.pollShare,
		Now: c.clock.Now,
	})
	return c, nil
}

// Run connects and works until ctx ends. It is called once and returns the
// context's error, or why the host could not start.
func (c *Client) Run(ctx context.Context) error {
	h, err := host.NewClient(host.Config{Key: c.peerKey, AllowPrivate: c.cfg.AllowPrivate, Sockets: c.line, Detour: c.ways.Detour, Disguise: c.passage, Name: func(id NodeID, at netip.AddrPort) string { return nameOf(c, id, at) }, Book: c.book, Options: c.cfg.Options})
	if err != nil {
		return err
	}
	defer h.Close()
	defer c.ways.Close()

	links := link.New(link.Config{
		Host:    h,
		Book:    c.book,
		Handle:  c.handle,
		Count:   c.refused.Add,
		Changed: c.linkChanged,
		Network: c.passage,
		Tap:     c.cfg.Tap,
	})

	c.host.Store(&h)
	c.links.Store(links)
	pace.Kick(c.changed) // Status says more from here on

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.keepGuards(ctx, links) })
	g.Go(func() error { return c.keepSources(ctx, links) })
	g.Go(func() error { return c.keepList(ctx, links) })
	g.Go(func() error { return c.keepAlive(ctx, links) })
	g.Go(func() error { return c.watchSystem(ctx, links) })
	g.Go(func() error { return c.askFar(ctx) })
	g.Go(func() error { return c.sounder.run(ctx) })
	g.Go(func() error { return c.watches.Run(ctx) })
	g.Go(func() error { return c.tell(ctx) })
	if c.cfg.LAN {
		g.Go(func() error {
			return lan.Seek(ctx, c.log, func() bool { return !mayAskLAN(c) || c.Status().Ready }, c.metLAN)
		})
	}

	err = g.Wait()
	links.Close()
	c.links.Store(nil)
	c.host.Store(nil)
	c.saveState()
	c.cfg.callChange()
	return err
}

func (cfg *Config) callChange() {
	if cfg.OnChange != nil {
		cfg.OnChange()
	}
}

// tell calls back: OnChange, and SaveState not more than once a minute.
func (c *Client) tell(ctx context.Context) error {
	var saveAt <-chan time.Time
	var doubtful []NodeID
	dir := c.dir.Changed()
	pace.Kick(c.wake) // it may have changed already

	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.changed:
			c.cfg.callChange()
		case <-dir:
			dir = c.dir.Changed()
			pace.Kick(c.wake)
			c.watches.RelaysChanged()
			if saveAt == nil {
				saveAt = time.After(time.Minute)
			}
			c.cfg.callChange()
		case <-c.blamed:
			c.routes.now()
			before := doubtful
			doubtful = c.routes.doubtful()
			c.avoidGuards(doubtful)
			if slices.ContainsFunc(doubtful, func(id NodeID) bool { return !slices.Contains(before, id) }) {
				c.watches.RelaysChanged()
			}
		case <-c.save:
			c.saveState()
			saveAt = nil
		case <-saveAt:
			c.saveState()
			saveAt = nil
		}
	}
}

// timeKnown reports whether sources agree on the time.
func (c *Client) timeKnown() bool {
	_, sure := c.clock.Off()
	return sure
}

// Connections returns how many connections the client has, with a link or without.
func (c *Client) Connections() int {
	if l := c.links.Load(); l != nil {
		return l.Connections()
	}
	return 0
}

func (c *Client) send(to NodeID, f *wire.Frame) error {
	l := c.links.Load()
	if l == nil {
		return link.ErrClosed
	}
	return l.Send(to, f)
}

// handle takes a frame from a guard.
func (c *Client) handle(from NodeID, f *wire.Frame) {
	c.pulses.beat(from, time.Now())
	switch f.Type() {
	case wire.TypePacket:
		c.reply(from, f.Body())
	case wire.TypeListPage, wire.TypeListRequest:
		c.lists.handle(from, f)
	case wire.TypeDrop:
	default:
		c.refused.Add("unknown frame")
	}
}

func (c *Client) linkChanged(peer NodeID, up bool) {
	if !up {
		c.quotas.lost(peer)
		c.guardLost(peer)
		c.watches.GuardLost(peer)
	} else {
		pace.Kick(c.stale)
		c.watches.Retry()
	}
	pace.Kick(c.wake)
	pace.Kick(c.lonely)
	pace.Kick(c.changed)
}

// keepAlive sends a frame on links that would otherwise be silent so long, three
// quarters of an hour, that the guard closes them. The connection below is kept
// by pings of its own, see package host.
func (c *Client) keepAlive(ctx context.Context, links *link.Links) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pace.Jitter(c.timing.keepalive / 2)):
		}
		for _, id := range links.Quiet(c.timing.keepalive * 2 / 3) {
			if f, err := wire.NewFrame(wire.TypeDrop, nil); err == nil {
				links.Send(id, f)
			}
		}
	}
}

// Watch asks a mailbox to push boxes under tags as they arrive, and keeps
// asking. It replaces the watch of the same key; no tags end it.
func (c *Client) Watch(key string, mailbox NodeID, tags []Tag) { c.watches.Watch(key, mailbox, tags) }

// Ack lets a mailbox delete boxes, with the next request of the watch of a key, and never
// with those of another key. Acknowledging twice, or a box that was never there, does no
// harm.
func (c *Client) Ack(key string, mailbox NodeID, tags ...Tag) { c.watches.Ack(key, mailbox, tags...) }

// metLAN takes relays that answered on the local network. None of them is news
// while no guard is connected: they are dialled again as any other contact.
func (c *Client) metLAN(_ context.Context, relays []lan.Relay) (news bool) {
	for _, r := range relays {
		h := directory.Hint{ID: r.ID, Addresses: []directory.Address{directory.FromBook(book.Web(r.Addr))}}
		if _, err := c.addDoor(h.Append(nil), book.Local); err != nil {
			c.log.Debug("a relay of the local network is refused", "err", err)
		}
	}
	return false
}

// Hint returns at most 128 bytes by which a stranger can find a relay.
func (c *Client) Hint(id NodeID) ([]byte, error) {
	if d, ok := c.dir.Snapshot().Find(id); ok {
		return d.Hint().Append(nil), nil
	}
	return nil, ErrUnknownRelay
}

func shuffled(ids []NodeID) []NodeID {
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids
}
