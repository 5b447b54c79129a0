// Package server runs a bridge: a door for clients that is in no list.
//
// A bridge learns the list of relays as a client does, from guards of its own and under
// a key of its own that is new at every start; it announces itself to nobody. Under the
// key of its link it takes clients. Each may ask for the list, and for pipes to relays of
// the list (package bridge): the bridge connects to the relay as a browser would, and
// passes on bytes that it cannot read.
//
//	server.go   a Bridge: its parts, its life, its status
//	pipes.go    the pipes, and how many of them there may be
//	address.go  its link
//
// What a client names is an id. The bridge looks it up in its list and dials a public
// address there, at a port of relays, or nothing.
package server

import (
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

	"github.com/libp2p/go-libp2p/core/crypto"
	"golang.org/x/sync/errgroup"

	"starling/p2p/book"
	"starling/p2p/bridge"
	"starling/p2p/client"
	"starling/p2p/directory/exchange"
	"starling/p2p/host"
	"starling/p2p/limits"
	"starling/p2p/link"
	"starling/p2p/relay"
	"starling/p2p/tally"
	"starling/p2p/transport/web"
	"starling/p2p/wire"
)

// Files of the state directory, beside the web server's certificate.
const (
	keyFile     = "bridge.key" // the seed of its identity
	networkFile = "network"    // the relays that it knows, as a client's state
	maxState    = 16 << 20
)

const (
	clientIdle = 45 * time.Minute // links that are silent so long end
	streams    = 8                // of one client: pipes, and its link
)

// Config is how a Bridge is made. StateDir and Listen are required.
type Config struct {
	// StateDir holds the key and the relays known. It is made if missing.
	StateDir string
	// Listen are the multiaddrs to listen on; Announce are those at which clients reach
	// the bridge, if they are others: of a router, or /onion3/… of an onion service.
	Listen, Announce []string
	// MapPort asks the router, by UPnP and NAT-PMP, to forward the ports listened on; the
	// bridge is ready when it has answered, or after a while. FindRouter finds one for tests.
	MapPort    bool
	FindRouter func(context.Context) (relay.Router, error)
	// Bootstrap are multiaddrs of relays, ending in /p2p/…, to learn the others from.
	Bootstrap []string
	// Site is a directory, or the URL of a web server; empty is an empty web site.
	Site string
	// Front: a web server of this machine is in front, as of a relay's.
	Front bool
	// Named, if set, has the certificate for a host name.
	Named web.Named
	// AllowPrivate admits loopback and LAN addresses and lifts the limits per address.
	AllowPrivate bool
	// MaxClients is how many clients may be connected; 0 leaves it to memory and files.
	MaxClients int
	// Bandwidth is how many bytes a second pipes carry, each way; 0 is no limit.
	Bandwidth int64
	// Memory is how many bytes may be used; 0 is the memory of the machine.
	Memory int64
	// Source is the local address to dial from; empty leaves it to the system.
	Source string
	// Logger is nil for silence.
	Logger *slog.Logger
	// Clock is this computer's time of day; nil is time.Now.
	Clock func() time.Time
	// Tap, if set, is shown all that the bridge comes to see. For tests.
	Tap func(link.Seen)
}

// A Bridge serves clients.
type Bridge struct {
	cfg       Config
	log       *slog.Logger
	key       crypto.PrivKey
	id        wire.NodeID
	site      http.Handler
	announced []way
	mapped    []way // by the router
	sizes     limits.Sizes
	places    *host.Places
	client    *client.Client // its own, by which it knows relays
	book      *book.Book     // of the relays that pipes lead to
	out       *web.Transport
	list      *exchange.Exchange
	links     *link.Links
	pipes     *pipes
	meter     host.Meter
	refused   tally.Tally
	ready     chan struct{}

	host host.Host // set by Run before ready
}

// New makes a bridge, and its key at the first start.
func New(cfg Config) (*Bridge, error) {
	b := &Bridge{cfg: cfg, log: cfg.Logger, ready: make(chan struct{})}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if cfg.StateDir == "" {
		return nil, errors.New("a bridge needs a directory for its state")
	}
	if err := os.MkdirAll(cfg.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("bridge state: %w", err)
	}

	var err error
	if b.announced, err = parseAnnounce(cfg.Announce, cfg.AllowPrivate); err != nil {
		return nil, err
	}
	if b.key, err = relay.LoadKey(filepath.Join(cfg.StateDir, keyFile)); err != nil {
		return nil, err
	}
	if b.id, err = wire.NodeIDFromKey(b.key.GetPublic()); err != nil {
		return nil, err
	}
	if b.site, err = web.Site(cfg.Site); err != nil {
		return nil, err
	}

	b.sizes = limits.For(cmp.Or(cfg.Memory, limits.Memory()))
	if files, ok := limits.Files(); ok {
		if files < limits.FewestFiles {
			return nil, &relay.FilesError{Files: files}
		}
		b.sizes = b.sizes.Within(files)
	}
	b.sizes.Clients = min(cmp.Or(cfg.MaxClients, b.sizes.Clients), b.sizes.Clients)
	b.places = host.NewPlaces(b.sizes, cfg.AllowPrivate, nil)
	b.pipes = newPipes(b.sizes.Clients, cfg.Bandwidth)

	source := netip.Addr{}
	if cfg.Source != "" {
		if source, err = netip.ParseAddr(cfg.Source); err != nil {
			return nil, fmt.Errorf("source address: %w", err)
		}
	}
	if b.out, err = web.New(web.Config{Dialer: host.Sockets(source), Now: cfg.Clock, Name: b.hostOf}); err != nil {
		return nil, err
	}
	return b, b.newClient()
}

// newClient makes the client by which the bridge knows relays.
func (b *Bridge) newClient() (err error) {
	state, err := os.ReadFile(filepath.Join(b.cfg.StateDir, networkFile))
	if len(state) > maxState || err != nil {
		state = nil
	}
	b.client, err = client.New(client.Config{
		Bootstrap: b.cfg.Bootstrap, AllowPrivate: b.cfg.AllowPrivate, Source: b.cfg.Source,
		State: state, Logger: b.log, Clock: b.cfg.Clock,
		SaveState: func(s []byte) error {
			return relay.WriteFile(filepath.Join(b.cfg.StateDir, networkFile), s)
		},
	})
	if err != nil {
		return err
	}

	b.book = book.New(book.Config{Role: book.Relay, AllowPrivate: b.cfg.AllowPrivate, Listed: b.client.Listed, Own: b.own})
	b.list = exchange.New(exchange.Config{
		Directory: b.client.Directory(), Serve: true, Self: b.id, Now: b.cfg.Clock, Count: b.refused.Add,
		Send:    func(to wire.NodeID, f *wire.Frame) error { return b.links.Send(to, f) },
		Network: b.network,
	})
	return nil
}

// Run serves until ctx ends. It is called once and returns the context's error, or why it
// could not start.
func (b *Bridge) Run(ctx context.Context) error {
	h, err := host.NewRelay(host.Config{
		Key: b.key, Listen: b.cfg.Listen, AllowPrivate: b.cfg.AllowPrivate, Memory: b.cfg.Memory, Places: b.places,
		Meter: &b.meter, Site: b.site, Front: b.cfg.Front, Certificates: web.NewCertificates(b.cfg.StateDir).For(b.cfg.Named), Now: b.cfg.Clock, Streams: streams,
		Detour: func(wire.NodeID) web.Detour { return web.Detour{None: errNoDial} },
	})
	if err != nil {
		return err
	}
	defer h.Close()
	b.host = h

	b.links = link.New(link.Config{
		Host: h, Role: wire.RoleBridge, Handle: b.handle, Count: b.refused.Add, Tap: b.cfg.Tap,
		Idle: func(wire.NodeID) time.Duration { return clientIdle },
		Rate: b.rate, Slowed: b.sizes.Slowed, Queued: b.sizes.Queued,
	})
	defer b.links.Close()
	b.links.Accept()

	g, ctx := errgroup.WithContext(ctx)
	var serving sync.WaitGroup
	h.SetStreamHandler(bridge.Protocol, b.handler(ctx, &serving))
	defer serving.Wait()
	defer h.RemoveStreamHandler(bridge.Protocol)
	g.Go(func() error { return b.client.Run(ctx) })
	if b.cfg.MapPort {
		b.mapPorts(ctx, g)
	}
	close(b.ready)
	return g.Wait()
}

// hostOf returns the host name that a listed relay says its web server has at an address.
func (b *Bridge) hostOf(relay wire.NodeID, at netip.AddrPort) string {
	return b.client.Directory().HostOf(relay, at)
}

// errNoDial: its own host takes connections and makes none.
var errNoDial = errors.New("bridge: a bridge dials nobody under its name")

// handle takes a frame of a client.
func (b *Bridge) handle(from wire.NodeID, f *wire.Frame) {
	switch f.Type() {
	case wire.TypeListRequest:
		b.places.Worked(from)
		b.list.Handle(from, f)
	case wire.TypeDrop:
	default:
		b.refused.Add("unknown frame")
	}
}

// Ready is closed once the bridge listens. It does not wait for relays.
func (b *Bridge) Ready() <-chan struct{} { return b.ready }

// PeerID returns its identity in libp2p's text form.
func (b *Bridge) PeerID() string { return b.id.String() }

// ID returns its identity.
func (b *Bridge) ID() wire.NodeID { return b.id }

// Tune changes the limits while it runs.
func (b *Bridge) Tune(_ context.Context, t relay.Tuning) error {
	announced, err := parseAnnounce(t.Announce, b.cfg.AllowPrivate)
	if err != nil {
		return err
	}
	b.pipes.limit(t.Bandwidth)
	b.places.Resize(min(cmp.Or(t.MaxClients, b.sizes.Clients), b.sizes.Clients))
	b.pipes.mu.Lock()
	defer b.pipes.mu.Unlock()
	b.announced = announced
	return nil
}

// Status returns its present state in the terms of a relay's.
func (b *Bridge) Status() relay.Status {
	own := b.client.Status()
	s := relay.Status{
		PeerID: b.id.String(), Addrs: b.Addrs(), Relays: own.Relays, Refused: b.refused.All(),
		ClockAhead: own.ClockAhead, ClockKnown: own.ClockKnown,
		Clients: b.places.Clients(), ClientPlaces: b.sizes.Clients, Turned: b.places.Turned(),
		Memory: cmp.Or(b.cfg.Memory, limits.Memory()), Files: 0, Bandwidth: b.pipes.bandwidth(),
	}
	s.Links = b.pipes.count()
	s.CarriedIn, s.CarriedOut = b.meter.Bytes()
	for _, g := range own.Guards {
		if g.Connected {
			s.Neighbours++
		}
	}
	return s
}
