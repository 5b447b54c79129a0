// Package host builds the libp2p host of each role from one small Config.
//
// The two roles differ in how much they may show of themselves:
//
//	            relay                              client
//	key         persistent, given by the caller    new at every start
//	listens     yes                                never
//	announces   public addresses                   nothing
//	accepts     connections within limits          no inbound connection
//	dials       relays                             its guards
//
// Both speak Noise and yamux, over connections that look like a browser's to a web
// server (package web), or over plain TCP at addresses that say so, and nothing else: no
// AutoNAT, no hole
// punching, no circuit relay, no port mapping, no ping, no mDNS, no name
// resolution. The agent and protocol strings that identify sends to every
// peer are constants shared with any other libp2p program, so that they name
// neither the product nor the machine.
//
// The shares of strangers in a relay are in package limits; this package holds them to
// connections and streams (Places, resources). With AllowPrivate private and loopback
// addresses are announced, and shares by address do not count: a hundred relays may
// then be on one machine.
package host

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/p2p/book"
	"starling/p2p/limits"
	"starling/p2p/transport/web"
	"starling/p2p/wire"
)

const (
	userAgent       = "go-libp2p"
	protocolVersion = "ipfs/0.1.0"
	dialTimeout     = 10 * time.Second

	// A silent connection is asked after by ping. A relay asks the relays it
	// dialled or knows; a client asks its guards, which also keeps the way
	// through a NAT open (carriers forget a silent one after 5 minutes and more,
	// RFC 5382 asks for two hours). The guard need not ask, too, and only does
	// when the client has not.
	relayPing  = 30 * time.Second
	clientPing = time.Minute
	guestPing  = 2 * time.Minute
	pingAnswer = 10 * time.Second // yamux's ConnectionWriteTimeout
)

// A Host is a libp2p host that this package configured.
type Host = host.Host

// Config is the choices of a caller. The zero value is a client on the public network.
type Config struct {
	// Key is the node's identity. A relay must have one; a client leaves it
	// nil and gets a new Ed25519 key.
	Key crypto.PrivKey
	// Listen are the multiaddrs a relay listens on.
	Listen []string
	// AllowPrivate admits loopback and LAN addresses and lifts the limits
	// per address.
	AllowPrivate bool
	// Source is the local address to dial from; zero leaves it to the system.
	Source netip.Addr
	// IsRelay tells a relay which of those that connect to it are relays. Nil
	// takes them for clients.
	IsRelay func(peer.ID) bool
	// Book decides on the nodes that the host may dial. Nil is a book without an
	// address.
	Book *book.Book
	// Site is the web site of a relay, for those who are no nodes; nil is an empty one.
	Site http.Handler
	// Front: a web server is in front of a relay; see package web.
	Front bool
	// Certificates are those of a relay as a web server; nil makes some that are not
	// kept.
	Certificates *web.Certificates
	// Now is the time of day; nil is time.Now.
	Now func() time.Time
	// Memory is how many bytes a relay may use; 0 is the memory of the machine.
	Memory int64
	// Places are those of the clients of a relay. Nil makes some.
	Places *Places
	// Sockets makes all connections to addresses; nil is the system's.
	Sockets web.Dialer
	// Disguise, if set, says which browser a client is.
	Disguise web.Disguise
	// Name, if set, returns the host name of the web server at an address of a relay.
	Name func(wire.NodeID, netip.AddrPort) string
	// Detour, if set, says how relays are reached; see there.
	Detour func(wire.NodeID) web.Detour
	// Streams is how many a client of a relay may have open; 0 is limits.StreamsClient.
	Streams int
	// Meter, if set, counts what a relay's connections carry.
	Meter *Meter
	// Options are appended last: a simulation replaces the transport here.
	Options []libp2p.Option
}

// NewClient starts a host that can dial and do nothing else.
func NewClient(cfg Config) (Host, error) {
	quiet()
	if cfg.Key == nil {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make ephemeral key: %w", err)
		}
		cfg.Key = key
	}

	res := newResources(limits.For(0), nil)
	res.silent = true
	mux := muxer(clientPing)
	opts, err := shared(cfg, book.Client, &gate{}, mux, res.sizes)
	if err != nil {
		return nil, err
	}

	// It listens nowhere, and announces nothing.
	opts = append(opts,
		libp2p.NoListenAddrs,
		libp2p.ForceReachabilityPrivate(),
		libp2p.AddrsFactory(func([]multiaddr.Multiaddr) []multiaddr.Multiaddr { return nil }),
		libp2p.ResourceManager(res),
		libp2p.Muxer(yamux.ID, mux),
	)

	h, err := libp2p.New(append(opts, cfg.Options...)...)
	if err != nil {
		return nil, fmt.Errorf("start client host: %w", err)
	}

	res.shut = func(p peer.ID) { h.Network().ClosePeer(p) }
	// Nobody needs the name of a client, and its length would be on the line.
	h.RemoveStreamHandler(identify.ID)
	h.RemoveStreamHandler(identify.IDPush)
	return h, nil
}

// NewRelay starts a host that listens on cfg.Listen. It returns once all of
// the addresses are bound.
func NewRelay(cfg Config) (Host, error) {
	quiet()
	if cfg.Key == nil {
		return nil, errors.New("a relay needs an identity key")
	}
	if len(cfg.Listen) == 0 {
		return nil, errors.New("a relay needs an address to listen on")
	}

	listen := make([]multiaddr.Multiaddr, len(cfg.Listen))
	for i, s := range cfg.Listen {
		a, err := multiaddr.NewMultiaddr(s)
		if err != nil {
			return nil, fmt.Errorf("listen address %q: %w", s, err)
		}
		listen[i] = a
	}

	sizes := limits.For(cmp.Or(cfg.Memory, limits.Memory()))
	if cfg.Places == nil {
		cfg.Places = NewPlaces(sizes, cfg.AllowPrivate, cfg.IsRelay)
	}
	if cfg.Front {
		cfg.Places.behindFront()
	}

	res := newResources(sizes, cfg.IsRelay)
	res.streams = cmp.Or(cfg.Streams, res.streams)
	// It only remembers the connections in use; Places decides which of them goes.
	conns, err := connmgr.NewConnManager(math.MaxInt32-1, math.MaxInt32, connmgr.WithSilencePeriod(time.Hour))
	if err != nil {
		return nil, fmt.Errorf("connection manager: %w", err)
	}

	door := &gate{places: cfg.Places}
	mux := relayMuxer(cfg.IsRelay, cfg.Meter)
	opts, err := shared(cfg, book.Relay, door, mux, sizes)
	if err != nil {
		return nil, err
	}

	opts = append(opts,
		libp2p.NoListenAddrs, // see below
		libp2p.ForceReachabilityPublic(),
		libp2p.AddrsFactory(func(all []multiaddr.Multiaddr) []multiaddr.Multiaddr {
			return announced(all, cfg.AllowPrivate)
		}),
		libp2p.ResourceManager(res),
		libp2p.ConnectionManager(conns),
		libp2p.Muxer(yamux.ID, mux),
		// Others could tell us any address as the one they see.
		libp2p.DisableIdentifyAddressDiscovery(),
	)

	h, err := libp2p.New(append(opts, cfg.Options...)...)
	if err != nil {
		return nil, fmt.Errorf("start relay host: %w", err)
	}

	res.shut = func(p peer.ID) { h.Network().ClosePeer(p) }
	cfg.Places.shut = res.shut
	door.conns = func(p peer.ID) int { return len(h.Network().ConnsToPeer(p)) }
	h.Network().Notify(&network.NotifyBundle{DisconnectedF: func(n network.Network, c network.Conn) {
		if len(n.ConnsToPeer(c.RemotePeer())) == 0 {
			cfg.Places.leave(c.RemotePeer())
		}
	}})

	// When libp2p.New listens and cannot, it leaves goroutines behind, and it
	// is content with one address out of several.
	for _, a := range listen {
		if err := h.Network().Listen(a); err != nil {
			h.Close()
			return nil, fmt.Errorf("listen on %s: %w", a, err)
		}
	}
	return h, nil
}

// Listening returns where a host listens, with the addresses of all interfaces in
// place of the unspecified one. Those of one cable (fe80::/10) say nothing without
// the name of an interface, and are left out.
func Listening(h Host) []multiaddr.Multiaddr {
	var all []multiaddr.Multiaddr
	for _, a := range h.Network().ListenAddresses() {
		if !manet.IsIPUnspecified(a) {
			all = append(all, a)
			continue
		}
		interfaces, err := manet.InterfaceMultiaddrs()
		if err != nil {
			continue
		}
		interfaces = slices.DeleteFunc(interfaces, manet.IsIP6LinkLocal)
		if some, err := manet.ResolveUnspecifiedAddress(a, interfaces); err == nil {
			all = append(all, some...)
		}
	}
	return all
}

func forgetFailures(h Host, p peer.ID) {
	if s, ok := h.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(p)
	}
}

// shared returns the options of both roles.
func shared(cfg Config, role book.Role, door *gate, mux network.Multiplexer, sizes limits.Sizes) ([]libp2p.Option, error) {
	if cfg.Book == nil {
		cfg.Book = book.New(book.Config{Role: role})
	}
	self, err := peer.IDFromPrivateKey(cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("identity key: %w", err)
	}
	door.book = cfg.Book
	addresses, err := newPeerstore(cfg.Book, self)
	if err != nil {
		return nil, fmt.Errorf("address store: %w", err)
	}

	dialer := cfg.Sockets
	if dialer == nil {
		dialer = Sockets(cfg.Source)
	}
	opts := []libp2p.Option{
		libp2p.Identity(cfg.Key),
		libp2p.Transport(newWeb(cfg, role, self, dialer, door, mux, sizes)),
		libp2p.Transport(newPlain(dialer)),
		libp2p.Security(noise.ID, newSecurity),
		libp2p.UserAgent(userAgent),
		libp2p.ProtocolVersion(protocolVersion),
		libp2p.Ping(false),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.MultiaddrResolver(noResolver{}),
		libp2p.WithDialTimeout(dialTimeout),
		libp2p.ConnectionGater(door),
		libp2p.Peerstore(addresses),
		libp2p.SwarmOpts(swarm.WithDialRanker(rank(cfg.Book))),
		// Failures of strangers' addresses must not end dials of others.
		libp2p.IPv6BlackHoleSuccessCounter(nil),
		// Our address is not learned from others.
		libp2p.DisableIdentifyAddressDiscovery(),
	}
	return opts, nil
}

// newWeb makes the transport of all addresses that do not name another.
func newWeb(cfg Config, role book.Role, self peer.ID, dialer web.Dialer, door *gate, mux network.Multiplexer, sizes limits.Sizes) any {
	return func(up transport.Upgrader, res network.ResourceManager) (*web.Transport, error) {
		security, err := newSecurity(noise.ID, cfg.Key, nil)
		if err != nil {
			return nil, err
		}
		w := web.Config{
			Upgrader: up, Resources: res, Security: security, Muxer: mux, Dialer: dialer, Gate: door,
			Site: cfg.Site, Front: cfg.Front, Certificates: cfg.Certificates, Requests: sizes.Requests, Now: cfg.Now, Detour: cfg.Detour, Disguise: cfg.Disguise, Name: cfg.Name,
		}
		if role == book.Relay {
			if w.Self, err = wire.NodeIDFromPeer(self); err != nil {
				return nil, err
			}
		}
		return web.New(w)
	}
}

// newPlain makes the transport of addresses that say so. With port reuse a second relay
// on a taken port would start and get half of the connections.
func newPlain(dialer web.Dialer) any {
	return func(up transport.Upgrader, res network.ResourceManager) (plainTCP, error) {
		t, err := tcp.NewTCPTransport(up, res, nil, tcp.DisableReuseport(),
			tcp.WithDialerForAddr(func(multiaddr.Multiaddr) (tcp.ContextDialer, error) { return dialer, nil }))
		return plainTCP{t}, err
	}
}

// muxer is yamux with smaller windows than libp2p's 16 MiB, which one slow reader could
// fill, and with a ping on a silent connection. With its answer and TCP's headers that
// takes about 210 bytes, and it finds a guard that died without closing. Round trips,
// by which windows grow, are measured at the start and then rarely: yamux would do so
// twice a minute from both ends, 2 MB a day for an idle client.
func muxer(ping time.Duration) *yamux.Transport {
	t := *yamux.DefaultTransport
	t.MaxStreamWindowSize = 1 << 20
	t.KeepAliveInterval = ping
	t.ConnectionWriteTimeout = pingAnswer
	t.MeasureRTTInterval = 10 * time.Minute
	return &t
}

// A mindful muxer pings guests, those that dialled us and are no relays, less
// than others.
type mindful struct {
	relays, guests *yamux.Transport
	isRelay        func(peer.ID) bool
	meter          *Meter
}

func relayMuxer(isRelay func(peer.ID) bool, meter *Meter) *mindful {
	return &mindful{muxer(relayPing), muxer(guestPing), isRelay, meter}
}

// NewConn implements network.Multiplexer.
func (m *mindful) NewConn(c net.Conn, isServer bool, scope network.PeerScope) (network.MuxedConn, error) {
	if m.meter != nil {
		c = metered{c, m.meter}
	}
	if isServer && (m.isRelay == nil || !m.isRelay(scope.Peer())) {
		return m.guests.NewConn(c, isServer, scope)
	}
	return m.relays.NewConn(c, isServer, scope)
}

// announced keeps the addresses a stranger can use.
func announced(all []multiaddr.Multiaddr, private bool) []multiaddr.Multiaddr {
	if private {
		return all
	}
	var keep []multiaddr.Multiaddr
	for _, a := range all {
		if manet.IsPublicAddr(a) {
			keep = append(keep, a)
		}
	}
	return keep
}

// noResolver refuses names: looking one up shows a name server the asker.
type noResolver struct{}

var errNoNames = errors.New("addresses with names are not resolved; use an IP address")

func (noResolver) ResolveDNSAddr(context.Context, peer.ID, multiaddr.Multiaddr, int, int) ([]multiaddr.Multiaddr, error) {
	return nil, errNoNames
}

func (noResolver) ResolveDNSComponent(context.Context, multiaddr.Multiaddr, int) ([]multiaddr.Multiaddr, error) {
	return nil, errNoNames
}
