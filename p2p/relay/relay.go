// Package relay carries packets, keeps mailboxes and the list of relays.
//
//	relay.go     a Relay: its parts, and the ways of frames through them
//	status.go    its present state, for its owner
//	list.go      its descriptor, and the list it keeps with others
//	reading.go   lists of others that it waits for at a time
//	time.go      the time, learned from others
//	standing.go  its standing with others, as they tell it
//	state.go     its state on disk
//	tune.go      limits that its owner changes while it runs
//	strain.go    the room on its disk, and what it offers to carry
//	mapping.go   a port that its router forwards, if the owner says so
//	natpmp.go    the way to ask routers that speak NAT-PMP
//	bootstrap.go a word about relays of the owner that are not there
//	lan.go       relays of the local network, if the owner says so
package relay

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"starling/p2p/book"
	"starling/p2p/clock"
	"starling/p2p/directory"
	"starling/p2p/directory/exchange"
	"starling/p2p/directory/gossip"
	"starling/p2p/discovery"
	"starling/p2p/discovery/lan"
	"starling/p2p/host"
	"starling/p2p/limits"
	"starling/p2p/link"
	"starling/p2p/mailbox"
	"starling/p2p/mix"
	"starling/p2p/outfox"
	"starling/p2p/pace"
	"starling/p2p/settings"
	"starling/p2p/tally"
	"starling/p2p/transport/web"
	"starling/p2p/wire"
)

const (
	clientIdle, relayIdle = 45 * time.Minute, 2 * time.Minute // links that are silent so long end
	spare                 = 32                                // connections to relays that nothing uses
	networks              = 4096                              // with remembered rates
	maxMet                = 256                               // relays that wait to be asked for their list
)

// Config is how a Relay is made.
type Config struct {
	// StateDir holds the relay's key, its mailboxes and the relays it knew.
	// It is made if missing, readable for its owner only.
	StateDir string
	// Listen are the multiaddrs to listen on: /ip4/…/tcp/…, or /ip6/…/tcp/…, or with /plain.
	Listen []string
	// Announce are the addresses at which others reach the relay, if they are not
	// those it listens on: those of a router that forwards a port.
	Announce []string
	// Site is a directory, or the URL of a web server; empty is an empty web site.
	Site string
	// Front: a web server of this machine is in front, and passes requests for links on.
	// Listen is on loopback then, and without TLS.
	Front bool
	// Named, if set, has the certificate for a host name.
	Named web.Named
	// Family are the peer ids of the owner's other relays. It counts when they
	// name this one, too.
	Family []string
	// Bootstrap are multiaddrs of other relays, ending in /p2p/…. A relay
	// without any waits to be found.
	Bootstrap []string
	// AllowPrivate admits loopback and LAN addresses and lifts the limits per
	// address.
	AllowPrivate bool
	// LAN answers searches for relays on the local network, and searches there for
	// others. It takes AllowPrivate.
	LAN bool
	// MaxBoxes is the quota of the mailbox; 0 is mailbox.DefaultMaxBoxes.
	MaxBoxes int
	// MaxClients is how many clients may be connected, if memory and open files allow
	// as many; 0 leaves it to these.
	MaxClients int
	// Bandwidth is how many bytes a second of frames are read, and as many written; 0
	// is no limit.
	Bandwidth int64
	// Files is how many files may be open; 0 is the system's limit.
	Files int
	// MapPort asks the router, by UPnP and NAT-PMP, to forward the ports listened on.
	MapPort bool
	// FindRouter finds it, if not nil. For tests.
	FindRouter func(context.Context) (Router, error)
	// Logger is nil for silence.
	Logger *slog.Logger
	// ClientRate is how many frames a second of a client are read; 0 is
	// limits.ClientRate. It serves to measure the load that a relay could carry.
	ClientRate int
	// Memory is how many bytes the relay may use; its limits are derived from it. 0 is
	// the amount that the machine, its control groups and GOMEMLIMIT leave.
	Memory int64
	// Source is the local address to dial from; empty leaves it to the system.
	Source string
	// Tap, if set, is shown all that the relay comes to see. For tests.
	Tap func(link.Seen)
	// Store keeps the boxes instead of a database in StateDir, if not nil; the
	// relay does not close it. For simulations.
	Store mailbox.Store
	// Options are the last word about the libp2p host: a simulation puts its
	// own network there. Nobody else should.
	Options []libp2p.Option
	// Clock is this computer's time of day; nil is time.Now. The relay goes by the time
	// of others, see package clock. It simulates machines with a wrong clock.
	Clock func() time.Time
	// Meddle, if set, gets every packet that leaves the relay, and send to pass
	// it on as often and as late as it likes, if at all. For simulations of
	// relays that are slow, broken or hostile.
	Meddle func(next wire.NodeID, p *outfox.Packet, send func(*outfox.Packet))
}

// A Relay carries packets, keeps mailboxes and the list of relays.
type Relay struct {
	cfg       Config
	log       *slog.Logger
	source    netip.Addr
	announced announced
	bootstrap []directory.Hint
	family    []directory.Prefix
	site      http.Handler
	key       crypto.PrivKey
	id        wire.NodeID

	book     *book.Book
	sizes    limits.Sizes
	places   *host.Places
	clock    *clock.Clock
	told     voices
	met      chan wire.NodeID // relays with a new link
	dir      *directory.Directory
	engine   *mix.Engine
	store    *mailbox.SQLite // nil with Config.Store
	mail     *mailbox.Server
	list     *exchange.Exchange
	lobby    lobby
	readings *readings // of the lists of others
	stands   standing
	tuning   tuning
	strain   strain
	meter    host.Meter
	refused  tally.Tally
	ready    chan struct{}
	keys     chan struct{} // the mix has new keys
	closing  sync.Once

	// Set by Run before ready.
	host   host.Host
	links  *link.Links
	gossip *gossip.Gossip

	mu  sync.Mutex
	seq uint64
}

// New opens the relay's state. Close it, unless Run is called.
func New(cfg Config) (*Relay, error) {
	// Everything below goes by the learned clock, which neighbours set right.
	learned := clock.New(clock.Config{Wall: cfg.Clock})
	cfg.Clock = learned.Now
	began := time.Now()
	r := &Relay{
		clock: learned,
		cfg:   cfg,
		log:   cfg.Logger,
		ready: make(chan struct{}),
		met:   make(chan wire.NodeID, maxMet),
		keys:  make(chan struct{}, 1),
	}
	r.told = voices{of: map[wire.NodeID]netip.Prefix{}, began: began, zero: learned.Now()}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}

	network, err := settings.Text{
		Bootstrap: cfg.Bootstrap, Source: cfg.Source, AllowPrivate: cfg.AllowPrivate, LAN: cfg.LAN,
	}.Parse()
	if err != nil {
		return nil, err
	}

	// No address is dialled but through the book, which knows why.
	r.source = network.Source
	r.book = book.New(book.Config{Role: book.Relay, AllowPrivate: cfg.AllowPrivate, Listed: r.addresses, Own: r.own})
	// Sizes follow memory and open files: a small computer has fewer places and does not run out.
	r.cfg.Memory = cmp.Or(cfg.Memory, limits.Memory())
	if files, ok := limits.Files(); ok && r.cfg.Files == 0 {
		r.cfg.Files = files
	}
	r.sizes = limits.For(r.cfg.Memory)
	if r.cfg.Files > 0 {
		if r.cfg.Files < limits.FewestFiles {
			return nil, &FilesError{r.cfg.Files}
		}
		r.sizes = r.sizes.Within(r.cfg.Files)
	}
	r.newTuning()
	r.places = host.NewPlaces(r.sizes, cfg.AllowPrivate, r.listed)
	r.bootstrap = network.Bootstrap
	for _, h := range network.Bootstrap {
		r.book.Name(h.ID, book.Owner, directory.ForBook(h.Addresses)...)
	}

	// Faults of the owner's settings come before anything is written.
	said, err := parseAnnounce(cfg.Announce, cfg.AllowPrivate)
	if err != nil {
		return nil, err
	}
	if err := checkPorts(said, cfg.Listen); err != nil {
		return nil, err
	}
	r.announced.say(said)
	if r.family, err = parseFamily(cfg.Family); err != nil {
		return nil, err
	}

	if r.site, err = web.Site(cfg.Site); err != nil {
		return nil, err
	}

	if cfg.StateDir == "" {
		return nil, errors.New("a relay needs a directory for its state")
	}
	if err := os.MkdirAll(cfg.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("relay state: %w", err)
	}

	// The key is the relay's standing with others: a lost one begins anew.
	if r.key, err = loadKey(filepath.Join(cfg.StateDir, keyFile)); err != nil {
		return nil, err
	}
	if r.id, err = wire.NodeIDFromKey(r.key.GetPublic()); err != nil {
		return nil, err
	}

	// Parts that need the id.
	r.dir = directory.New(directory.Config{AllowPrivate: cfg.AllowPrivate, Now: cfg.Clock, News: true, Self: r.id})
	r.newLobby()
	r.engine, err = mix.NewEngine(mix.Config{
		Sink:   sink{r},
		Self:   r.id,
		Leads:  r.leads,
		OnKeys: func() { pace.Kick(r.keys) },
		Now:    cfg.Clock,
		Logger: r.log,
		Memory: r.sizes.Replay,
	})
	if err != nil {
		return nil, fmt.Errorf("start mix: %w", err)
	}

	// The mailbox behind the cheap parts: a large file takes its time to open.
	store := cfg.Store
	if store == nil {
		if r.store, err = openMail(filepath.Join(cfg.StateDir, mailFile), cfg.MaxBoxes, r.sizes.Logs); err != nil {
			return nil, err
		}
		store = r.store
	}
	r.tellMailbox(store.Len())

	r.mail = mailbox.NewServer(mailbox.ServerConfig{
		Store: store, Sender: sink{r}, Self: r.id, Directory: asked{r}, Now: cfg.Clock, Logger: r.log,
		MaxSeats: r.sizes.Seats, SeatBytes: r.sizes.SeatBytes, MaxReaders: r.sizes.Readers, ReaderBytes: r.sizes.ReaderBytes,
	})

	r.readings = newReadings(!cfg.AllowPrivate)
	r.list = exchange.New(exchange.Config{
		Directory: r.dir,
		Send:      func(to wire.NodeID, f *wire.Frame) error { return r.links.Send(to, f) },
		Heard: func(from wire.NodeID, at time.Time, asked time.Duration) {
			r.readings.spoke(from)
			r.hearTime(from, at, asked)
		},
		Take:    r.take,
		Now:     cfg.Clock,
		Serve:   true,
		Self:    r.id,
		Pay:     exchange.Sparingly(r.newcomer),
		Network: r.network,
		Count:   r.refused.Add,
	})

	// Behind everything: it hands the known relays to all of them.
	if err := r.loadPeers(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close releases the resources of NewRelay. Run does so itself.
func (r *Relay) Close() error {
	var err error
	r.closing.Do(func() {
		if r.store != nil {
			err = r.store.Close()
		}
	})
	return err
}

// Run relays until ctx ends, then tells the others that it leaves. It is
// called once and returns the context's error, or why it could not start.
func (r *Relay) Run(ctx context.Context) error {
	defer r.Close()
	// It listens from here on. Links are accepted below, once their handler is there.
	h, err := host.NewRelay(host.Config{
		Key: r.key, Listen: r.cfg.Listen, AllowPrivate: r.cfg.AllowPrivate, Source: r.source,
		IsRelay: r.listed, Book: r.book, Memory: r.cfg.Memory, Places: r.places, Meter: &r.meter, Options: r.cfg.Options,
		Site: r.site, Front: r.cfg.Front, Certificates: web.NewCertificates(r.cfg.StateDir).For(r.cfg.Named), Now: r.cfg.Clock,
		Name: r.dir.HostOf,
	})
	if err != nil {
		return err
	}
	defer h.Close()
	r.host = h

	// The host, and the links on it.
	if r.cfg.Tap != nil {
		h.Network().Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
			r.tap("conn", c.RemotePeer(), c.RemoteMultiaddr(), nil)
		}})
	}
	var byNetwork *limits.Rates[netip.Prefix]
	if !r.cfg.AllowPrivate {
		byNetwork = limits.NewRates[netip.Prefix](limits.NetworkRate, limits.NetworkBurst, networks)
	}
	r.links = link.New(link.Config{
		Host:    h,
		Role:    wire.RoleRelay,
		Handle:  r.handle,
		Book:    r.book,
		Listed:  func(id wire.NodeID) bool { return r.listed(id.Peer()) },
		Dials:   r.dials,
		Changed: r.linkChanged,
		Count:   r.refused.Add,
		Idle: func(id wire.NodeID) time.Duration {
			if r.isRelay(id.Peer()) {
				return relayIdle
			}
			return clientIdle
		},
		Rate:      r.rate,
		Slowed:    r.sizes.Slowed,
		Queued:    r.sizes.Queued,
		In:        r.tuning.in,
		Out:       r.tuning.out,
		ByNetwork: byNetwork,
		Tap:       r.cfg.Tap,
	})
	defer r.links.Close()
	r.links.Accept()

	var gossipTap func(peer.ID, []byte)
	var dhtTap func(network.Conn, []byte)
	if r.cfg.Tap != nil {
		gossipTap = func(from peer.ID, data []byte) { r.tap("gossip", from, nil, data) }
		dhtTap = func(c network.Conn, data []byte) { r.tap("dht", c.RemotePeer(), c.RemoteMultiaddr(), data) }
	}
	// Gossip outlives the rest, so that the farewell goes out.
	gossiping, stop := context.WithCancel(context.Background())
	defer stop()
	r.gossip, err = gossip.New(gossiping, gossip.Config{
		Host: h, Hear: r.lobby.register.Hear, Count: r.refused.Add, Tap: gossipTap,
	})
	if err != nil {
		return err
	}
	defer r.gossip.Close()

	// Relays find each other in the DHT, and keep some neighbours.
	neighbours := func() int { return len(r.relayPeers()) }
	dht, err := discovery.New(discovery.Config{
		Host: h, Book: r.book, Dial: r.links.Dial, Bootstrap: r.known, Lonely: func() bool { return neighbours() < discovery.WantNeighbours }, Found: r.hear, AllowPrivate: r.cfg.AllowPrivate, Tap: dhtTap,
		Listed: func(id wire.NodeID) bool { return !r.dir.Since(id).IsZero() },
	})
	if err != nil {
		return err
	}
	defer dht.Close()
	near := discovery.Neighbours{Host: h, Book: r.book, Dial: r.links.Dial, Known: r.known, Connected: r.relayPeers, Changed: r.dir.Changed, Spare: spare}

	// The mailbox may answer until the last packet is handled.
	serving, stopServing := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() {
		r.mail.Run(serving)
		close(served)
	}()
	defer func() { stopServing(); <-served }()

	// The loops. If one ends, all do.
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.engine.Run(ctx) })
	g.Go(func() error { return near.Run(ctx) })
	g.Go(func() error { return dht.Run(ctx) })
	g.Go(func() error { return r.announce(ctx) })
	g.Go(func() error { return r.admit(ctx) })
	g.Go(func() error { return r.receive(ctx) })
	g.Go(func() error { return r.apply(ctx) })
	g.Go(func() error { return r.learnStanding(ctx) })
	g.Go(func() error { return r.sync(ctx) })
	g.Go(func() error { return r.keepPeers(ctx) })
	g.Go(func() error { return r.watchDisk(ctx) })
	g.Go(func() error { return lookout{r}.run(ctx) })

	// What the owner may have switched on.
	if r.cfg.MapPort {
		mapping := Mapping{
			Find: r.cfg.FindRouter, Listening: host.Listening(r.host), AllowPrivate: r.cfg.AllowPrivate, Logger: r.log,
			Tell: func(all []directory.Address) { r.announced.mapping(all); pace.Kick(r.keys) },
		}
		g.Go(func() error { return mapping.Run(ctx) })
	}
	if r.cfg.LAN {
		g.Go(func() error { return r.announceLAN(ctx) })
		g.Go(func() error {
			return lan.Seek(ctx, r.log, func() bool { return neighbours() >= discovery.WantNeighbours }, r.meetLAN)
		})
	}

	close(r.ready)
	err = g.Wait()
	// Links and gossip are still up: the deferred closes come after it.
	r.farewell()
	return err
}

// Ready is closed once the relay listens. It does not wait for other relays.
func (r *Relay) Ready() <-chan struct{} { return r.ready }

// PeerID returns the relay's identity in libp2p's text form.
func (r *Relay) PeerID() string { return r.id.String() }

// ID returns the relay's identity.
func (r *Relay) ID() wire.NodeID { return r.id }

// handle takes a frame from a neighbour. A packet is opened here, in the reader of its
// link: a faster sender is made to wait.
func (r *Relay) handle(from wire.NodeID, f *wire.Frame) {
	switch f.Type() {
	case wire.TypePacket:
		if r.engine.Handle(r.from(from), f.Body()) {
			r.places.Worked(from)
		}
	case wire.TypeListRequest, wire.TypeListPage:
		r.list.Handle(from, f)
	case wire.TypeKnock, wire.TypeVoucher, wire.TypeAmListed, wire.TypeListed:
		r.handleLobby(from, f)
	case wire.TypeDrop:
	default:
		r.refused.Add("unknown frame")
	}
}

// from describes a neighbour to the mix.
func (r *Relay) from(id wire.NodeID) mix.Link {
	if _, ok := r.dir.Find(id); ok {
		return mix.Link{Peer: id, Relay: true}
	}
	return mix.Link{Peer: id, Network: r.network(id)}
}

// leads reports whether a packet may go on to a node: a relay that is listed or has
// a link to us, and at the end of a route a client that has one.
func (r *Relay) leads(next wire.NodeID, end bool) bool {
	if _, ok := r.dir.Find(next); ok {
		return true
	}
	return r.links.Connected(next) && (end || r.isRelay(next.Peer()))
}

// sink is where packets go that leave the mix or the mailbox.
type sink struct{ *Relay }

// Forward implements mix.Sink. A relay is dialled at the addresses of its
// descriptor; a client is reached over its own link or not at all.
func (s sink) Forward(from, next wire.NodeID, p *outfox.Packet) { s.pass(from, next, p) }

// Deliver implements mix.Sink.
func (s sink) Deliver(m *outfox.Message) {
	if s.cfg.Tap != nil {
		s.tap("mail", "", nil, m[:])
	}
	s.mail.Deliver(m)
}

// Send implements mailbox.Sender.
func (s sink) Send(next wire.NodeID, p *outfox.Packet) { s.pass(wire.NodeID{}, next, p) }

// pass passes a packet on that came from a link, or from our mailbox.
func (s sink) pass(from, next wire.NodeID, p *outfox.Packet) {
	if s.cfg.Tap != nil {
		s.tap("next", next.Peer(), nil, nil)
	}
	if s.cfg.Meddle != nil {
		s.cfg.Meddle(next, p, func(p *outfox.Packet) { s.send(from, next, p) })
		return
	}
	s.send(from, next, p)
}

func (r *Relay) send(from, next wire.NodeID, p *outfox.Packet) {
	if next == r.id {
		r.refused.Add("answer to ourselves") // no client chooses such a way
		return
	}
	r.links.SendFor(from, next, p.Frame()) // a frame that cannot be sent is counted there
}

// addresses returns the signed addresses of a relay that stands in the list.
func (r *Relay) addresses(id wire.NodeID) []book.Address {
	d, ok := r.dir.Find(id)
	if !ok || d.Leaving() {
		return nil
	}
	return directory.ForBook(d.Addresses)
}

// dials reports whether a packet may make us dial a node: only if it is in the list.
func (r *Relay) dials(id wire.NodeID) bool { return len(r.addresses(id)) > 0 }

// own returns the addresses that lead to this relay.
func (r *Relay) own() []book.Address {
	if r.host == nil {
		return nil
	}
	listen := r.host.Network().ListenAddresses()
	if some, err := r.host.Network().InterfaceListenAddresses(); err == nil {
		listen = append(listen, some...)
	}
	var all []book.Address
	for _, m := range append(listen, r.host.Addrs()...) {
		if a, ok := book.AddressOf(m); ok {
			all = append(all, a)
		}
	}
	for _, a := range r.announced.all() { // behind these a router has other ports
		all = append(all, a.Book())
	}
	return all
}

// rate returns how fast a peer is read, over all its links.
func (r *Relay) rate(id wire.NodeID) (rate.Limit, int) {
	switch {
	case r.listed(id.Peer()):
		return limits.RelayRate, limits.RelayBurst
	case r.cfg.ClientRate > 0:
		return rate.Limit(r.cfg.ClientRate), limits.ClientBurst * r.cfg.ClientRate / limits.ClientRate
	}
	return limits.ClientRate, limits.ClientBurst
}

// linkChanged keeps the connection manager from closing a connection that is
// in use to make room: packets would be lost with it. A link between relays
// that carries nothing ends by itself, and then the connection may.
func (r *Relay) linkChanged(id wire.NodeID, up bool) {
	const tag = "link"
	if up {
		r.host.ConnManager().Protect(id.Peer(), tag)
		if r.isRelay(id.Peer()) {
			r.meet(id)
		}
		return
	}
	r.host.ConnManager().Unprotect(id.Peer(), tag)
}

// isRelay reports whether a peer is in the list, or says it is a relay: it is
// asked for its list then, and counts as a neighbour.
func (r *Relay) isRelay(p peer.ID) bool {
	id, err := wire.NodeIDFromPeer(p)
	return err == nil && (r.listed(p) || r.links.Role(id) == wire.RoleRelay)
}

// listed reports whether a peer is in the list of relays.
func (r *Relay) listed(p peer.ID) bool {
	id, err := wire.NodeIDFromPeer(p)
	if err != nil {
		return false
	}
	_, ok := r.dir.Find(id)
	return ok
}

// network returns the network that a peer comes from; none where networks do not
// count.
func (r *Relay) network(id wire.NodeID) netip.Prefix {
	if !r.cfg.AllowPrivate {
		for _, c := range r.host.Network().ConnsToPeer(id.Peer()) {
			if a, err := directory.AddressOf(c.RemoteMultiaddr()); err == nil {
				return a.Network()
			}
		}
	}
	return netip.Prefix{}
}

// tap shows something to the test that listens.
func (r *Relay) tap(what string, p peer.ID, addr multiaddr.Multiaddr, data []byte) {
	seen := link.Seen{What: what, Data: bytes.Clone(data)}
	seen.Peer, _ = wire.NodeIDFromPeer(p)
	if addr != nil {
		seen.Addr = addr.String()
	}
	r.cfg.Tap(seen)
}

// Connected reports whether a peer, in libp2p's text form, is connected.
func (r *Relay) Connected(peerID string) bool {
	p, err := peer.Decode(peerID)
	return err == nil && r.host != nil && r.host.Network().Connectedness(p) == network.Connected
}
