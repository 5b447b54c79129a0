// Package web is a transport of libp2p on which every connection is a browser's
// WebSocket to a web server.
//
//	client                                                     relay
//	  | —— TCP, then a browser's ClientHello ————————————————————> |
//	  | <—— a web server's answer, certificate ——————————————————— |
//	  | —— GET /path?s=… Upgrade: websocket (Noise, message 1) ———> |
//	  | <—— 101, and in the same flight a frame (message 2) ——————— |
//	  | —— frame (message 3), frames of yamux ————————————————————> |
//	  | <—— frames —————————————————————————————————————————————— |
//
// The bytes of a hello and of a request are those of a browser, from recordings
// (browsers/), with the parts drawn anew that a browser draws anew for each connection.
// Neither multistream nor its names are spoken: both ends know that Noise and yamux
// follow. Noise proves the relay's key; the certificate proves nothing, and nobody looks
// at it. A connection that fails here fails: nothing is tried without the disguise.
//
// # The path
//
// The path of the upgrade follows from the relay's key and the day, see [Path]. To any
// other request the relay is a web site: see [Site]. Without one of its owner's it is
// Caddy 2.6 with an empty HTTPS site. A real web server may be in front, see forward.go.
//
// # Frames
//
// The bytes of Noise travel in binary WebSocket frames, each
//
//	length  2   of the body, big endian
//	body    n
//	padding …   zeros; as many as it takes
//
// A frame has at most MaxFrame bytes. The amount of padding is drawn for each: the
// first, of the handshake, has between handshakeLeast and handshakeMost bytes, and small
// ones after it up to paddingMost more than their bodies need. So no length on
// the line is one of Noise, of yamux or of a link's frame.
//
// # Names
//
// A server that has a host name is told it, in the hello and in the request, as a browser
// would that was given the name. The connection goes to the address: no name is looked up.
//
// # Addresses
//
// A bare /ip4/…/tcp/PORT or /ip6/…/tcp/PORT is an address of this transport. Plain TCP
// has another name, see package host.
package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/p2p/book"
	"starling/p2p/wire"
)

// Errors of Dial. A DialError wraps them.
var (
	// ErrNotRelay: a web server answered that knows no such path.
	ErrNotRelay = errors.New("web: a web server, and no relay")
	// ErrNoWebSocket: the answer after TLS is not that of a web server, or is broken.
	ErrNoWebSocket = errors.New("web: no answer of a web server")
)

// A Step is how far a dial came.
type Step string

// Steps.
const (
	StepConnect Step = "connect" // TCP
	StepTLS     Step = "tls"
	StepUpgrade Step = "upgrade" // the request and its answer
	StepInner   Step = "inner"   // Noise: the relay's key
)

// A DialError says how a dial ended.
type DialError struct {
	Step Step
	// Skew is by how much the server's clock is ahead, if it told its time and
	// refused.
	Skew time.Duration
	// Status is that of the answer, if it was not the one to a link.
	Status int
	Err    error
}

// Error implements error.
func (e *DialError) Error() string { return fmt.Sprintf("web: %s: %v", e.Step, e.Err) }

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// A Dialer makes TCP connections.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Muxer makes a session of many streams of a connection.
type Muxer interface {
	NewConn(c net.Conn, isServer bool, scope network.PeerScope) (network.MuxedConn, error)
}

// Config is how a Transport is made. The first five are required.
type Config struct {
	Upgrader  transport.Upgrader
	Resources network.ResourceManager
	Security  sec.SecureTransport
	Muxer     Muxer
	Dialer    Dialer
	// Gate lets connections in and out; nil lets all.
	Gate connmgr.ConnectionGater
	// Self is the name of a relay. A transport without one does not listen.
	Self wire.NodeID
	// Browser is the one to be; the zero value is one drawn at the start.
	Browser Browser
	// Disguise, if set, says in place of it which browser passes.
	Disguise Disguise
	// Site is the answer to all other requests; nil is an empty one.
	Site http.Handler
	// Front: a web server on this machine is in front, see forward.go.
	Front bool
	// Certificates are those of a relay. Nil makes some that are not kept.
	Certificates *Certificates
	// Requests is how many bytes of requests may be read before they are
	// answered, of all visitors together; 0 is the number of package limits at 1 GiB.
	Requests int
	// Now is the time of day; nil is time.Now.
	Now func() time.Time
	// Name, if set, returns the host name of the web server at an address of a relay, and
	// nothing if it has none. One that a browser would not say is not said.
	Name func(relay wire.NodeID, at netip.AddrPort) string
	// Detour, if set, says how a relay is reached.
	Detour func(wire.NodeID) Detour
}

// A Disguise chooses the browser for each connection.
type Disguise interface {
	Browser() Browser
	// Passed is told whether TLS with a relay came about.
	Passed(relay wire.NodeID, b Browser, passed bool)
}

// Times of a connection.
const (
	// HandshakeTime is how long each of TLS, the upgrade and Noise may take.
	HandshakeTime = 5 * time.Second
	// visitTime is how long a visitor may be silent, as in Caddy.
	visitTime = 5 * time.Minute
)

// A Transport implements transport.Transport.
type Transport struct {
	cfg   Config
	turns turns
}

// New makes a Transport.
func New(cfg Config) (*Transport, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Resources == nil {
		cfg.Resources = &network.NullResourceManager{}
	}
	if cfg.Browser == (Browser{}) {
		cfg.Browser = AnyBrowser()
	}
	if cfg.Requests == 0 {
		cfg.Requests = defaultRequests
	}
	switch {
	case cfg.Front:
		cfg.Site = http.HandlerFunc(nothing)
	case cfg.Site == nil:
		cfg.Site = emptySite()
	}
	if cfg.Certificates == nil {
		cfg.Certificates = NewCertificates("")
	}
	return &Transport{cfg: cfg, turns: turns{m: map[wire.NodeID]*turn{}}}, nil
}

// CanDial implements transport.Transport.
func (*Transport) CanDial(m multiaddr.Multiaddr) bool {
	a, ok := book.AddressOf(m)
	return ok && !a.Plain
}

// Protocols implements transport.Transport.
func (*Transport) Protocols() []int { return []int{multiaddr.P_TCP} }

// Proxy implements transport.Transport.
func (*Transport) Proxy() bool { return false }

func (*Transport) String() string { return "web" }

// Dial implements transport.Transport.
func (t *Transport) Dial(ctx context.Context, to multiaddr.Multiaddr, p peer.ID) (transport.CapableConn, error) {
	if t.cfg.Detour == nil {
		return t.straight(ctx, to, p)
	}
	relay, err := wire.NodeIDFromPeer(p)
	if err != nil {
		return nil, err
	}
	d := t.cfg.Detour(relay)
	if d.Done != nil {
		defer d.Done()
	}
	switch {
	case len(d.Pipes) > 0:
		return t.around(ctx, to, p, d)
	case d.Straight:
		return t.straight(ctx, to, p)
	}
	return nil, d.None
}

// straight dials a relay itself.
func (t *Transport) straight(ctx context.Context, to multiaddr.Multiaddr, p peer.ID) (transport.CapableConn, error) {
	scope, err := t.cfg.Resources.OpenConnection(network.DirOutbound, true, to)
	if err != nil {
		return nil, err
	}
	c, err := t.dial(ctx, to, p, scope)
	if err != nil {
		scope.Done()
		return nil, err
	}
	return c, nil
}

func (t *Transport) dial(ctx context.Context, to multiaddr.Multiaddr, p peer.ID, scope network.ConnManagementScope) (transport.CapableConn, error) {
	relay, err := wire.NodeIDFromPeer(p)
	if err != nil {
		return nil, err
	}
	at, ok := book.AddressOf(to)
	if !ok || at.Plain {
		return nil, fmt.Errorf("web: %s is no address of a web server", to)
	}
	tcp, err := t.cfg.Dialer.DialContext(ctx, "tcp", at.String())
	if err != nil {
		return nil, &DialError{Step: StepConnect, Err: err}
	}
	quiet(tcp)
	tcp = &counted{Conn: tcp}

	// libp2p takes seconds to hang up by itself.
	stop := context.AfterFunc(ctx, func() { tcp.Close() })
	defer stop()
	// TCP side by side, TLS one by one: a browser, too, goes on with the first that answers.
	done, err := t.turns.take(ctx, relay)
	if err != nil {
		tcp.Close()
		return nil, &DialError{Step: StepConnect, Err: err}
	}
	made := false
	defer func() { done(made) }()
	up, err := t.ask(ctx, tcp, at.AddrPort, relay)
	if err != nil {
		tcp.Close()
		return nil, err
	}
	c, err := t.inner(ctx, up, tcp, network.DirOutbound, p, scope, HandshakeTime)
	if err != nil {
		tcp.Close()
		if up.failed != nil {
			return nil, up.failed
		}
		return nil, &DialError{Step: StepInner, Err: err}
	}
	made = true
	return c, nil
}

// inner makes a connection of libp2p of one that carries frames, within a time.
func (t *Transport) inner(ctx context.Context, c net.Conn, tcp net.Conn, dir network.Direction, p peer.ID, scope network.ConnManagementScope, most time.Duration) (transport.CapableConn, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	ends, err := manet.WrapNetConn(tcp)
	if err != nil {
		return nil, err
	}

	var secured sec.SecureConn
	if dir == network.DirOutbound {
		secured, err = t.cfg.Security.SecureOutbound(ctx, c, p)
	} else {
		secured, err = t.cfg.Security.SecureInbound(ctx, c, "")
	}
	if err != nil {
		return nil, err
	}

	// Only now is the peer proven, so that the gate can decide.
	if t.cfg.Gate != nil && !t.cfg.Gate.InterceptSecured(dir, secured.RemotePeer(), ends) {
		return nil, fmt.Errorf("web: no connection with %s is wanted", secured.RemotePeer())
	}
	if err := scope.SetPeer(secured.RemotePeer()); err != nil {
		return nil, err
	}
	muxed, err := t.cfg.Muxer.NewConn(secured, dir == network.DirInbound, scope.PeerScope())
	if err != nil {
		return nil, err
	}
	counts, _ := tcp.(counter)
	_, piped := tcp.(Piped)
	return &conn{MuxedConn: muxed, ConnSecurity: secured, ConnMultiaddrs: ends, t: t, scope: scope, counts: counts, piped: piped}, nil
}

// A conn is a connection of libp2p.
type conn struct {
	network.MuxedConn
	network.ConnSecurity
	network.ConnMultiaddrs
	t      *Transport
	scope  network.ConnManagementScope
	counts counter // of what is below all, nil if nobody counts
	piped  bool    // somebody passes the bytes on
}

// Piped reports whether the connection is a pipe in another one, so that all bytes have two
// wrappings.
func (c *conn) Piped() bool { return c.piped }

// A counter knows how many bytes have come, less than 0 if it does not.
type counter interface{ Received() int64 }

// Received returns how many bytes have come on the connection below all, and less than 0 if
// nobody counts them.
func (c *conn) Received() int64 {
	if c.counts == nil {
		return -1
	}
	return c.counts.Received()
}

// A counted connection counts the bytes that come.
type counted struct {
	net.Conn
	n atomic.Int64
}

// Received returns their number.
func (c *counted) Received() int64 { return c.n.Load() }

// Read implements net.Conn.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// As implements network.MuxedConn.
func (c *conn) As(target any) bool { return c.MuxedConn.As(target) }

// Transport implements transport.CapableConn.
func (c *conn) Transport() transport.Transport { return c.t }

// Scope implements network.ConnScoper.
func (c *conn) Scope() network.ConnScope { return c.scope }

// Close implements network.MuxedConn.
func (c *conn) Close() error {
	defer c.scope.Done()
	return c.MuxedConn.Close()
}

// CloseWithError implements network.MuxedConn.
func (c *conn) CloseWithError(code network.ConnErrorCode) error {
	defer c.scope.Done()
	return c.MuxedConn.CloseWithError(code)
}

// ConnState implements network.ConnSecurity.
func (c *conn) ConnState() network.ConnectionState {
	return network.ConnectionState{Security: "/noise", StreamMultiplexer: "/yamux/1.0.0", Transport: "web"}
}

// quiet keeps the kernel from probing a silent connection: yamux asks itself.
func quiet(c net.Conn) {
	if tcp, ok := c.(interface{ SetKeepAlive(bool) error }); ok {
		tcp.SetKeepAlive(false) // a failure costs a few packets
	}
}
