package web

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/net/http2"

	"starling/p2p/wire"
)

const (
	acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455, section 1.3
	acceptKey  = 24                                     // letters of a Sec-WebSocket-Key
	acceptWait = 10 * time.Second                       // until libp2p takes a link
)

// Listen implements transport.Transport.
func (t *Transport) Listen(at multiaddr.Multiaddr) (transport.Listener, error) {
	if t.cfg.Self == (wire.NodeID{}) {
		return nil, fmt.Errorf("web: a client does not listen")
	}
	inner, err := manet.Listen(at)
	if err != nil {
		return nil, err
	}
	return t.serve(inner), nil
}

// serve is a web server on a listener.
func (t *Transport) serve(inner manet.Listener) *listener {
	l := &listener{
		t: t, visits: newVisits(t.cfg.Requests), links: make(chan transport.CapableConn),
		closed: make(chan struct{}),
	}
	l.door = t.cfg.Upgrader.GateMaListener(&door{inner, l.visits})

	config := t.cfg.Certificates.config()
	// Noted for the time that a visitor has: nothing of the hello is refused.
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if v, ok := hello.Conn.(*visitor); ok {
			v.greeted(hello)
		}
		return nil, nil
	}

	l.server = &http.Server{
		Handler:   l,
		TLSConfig: config,
		ErrorLog:  log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, visitKey{}, c)
		},
		ReadHeaderTimeout: visitTime,
		IdleTimeout:       visitTime,
		MaxHeaderBytes:    http.DefaultMaxHeaderBytes, // as in Caddy
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){"h2": serveH2},
	}

	l.ending.Go(func() {
		if t.cfg.Front {
			l.server.Serve(&entrance{l})
			return
		}
		l.server.ServeTLS(&entrance{l}, "", "")
	})
	return l
}

// serveH2 speaks HTTP/2 as Caddy 2.6 does.
func serveH2(s *http.Server, c *tls.Conn, h http.Handler) {
	ctx := context.WithValue(context.Background(), visitKey{}, c)
	//lint:ignore SA1019 the server of net/http cannot be kept from sending newer settings
	(&http2.Server{IdleTimeout: visitTime}).ServeConn(&older{Conn: c}, &http2.ServeConnOpts{Context: ctx, Handler: h, BaseConfig: s})
}

// older takes out of the first frame two settings that older servers of Go do not send: the
// size of a table, which is the one that holds without it, and that priorities are past.
type older struct {
	*tls.Conn
	wrote bool
}

const (
	h2Header, h2Setting = 9, 6 // bytes
	h2TableSize         = 1    // numbers of settings
	h2NoPriorities      = 9
)

// Write implements net.Conn.
func (o *older) Write(p []byte) (int, error) {
	if o.wrote {
		return o.Conn.Write(p)
	}
	o.wrote = true
	if _, err := o.Conn.Write(withoutNews(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// withoutNews takes the settings out of a frame of settings in front of other bytes.
func withoutNews(p []byte) []byte {
	if len(p) < h2Header || http2.FrameType(p[3]) != http2.FrameSettings {
		return p
	}
	size := int(p[0])<<16 | int(p[1])<<8 | int(p[2])
	if len(p) < h2Header+size {
		return p
	}
	out := slices.Clone(p[:h2Header])
	for s := range slices.Chunk(p[h2Header:h2Header+size], h2Setting) {
		if id := binary.BigEndian.Uint16(s); id != h2TableSize && id != h2NoPriorities {
			out = append(out, s...)
		}
	}
	out[2] = byte(len(out) - h2Header) // far below 256
	return append(out, p[h2Header+size:]...)
}

// A listener is a web server that makes links of some of its visits.
type listener struct {
	t      *Transport
	door   transport.GatedMaListener
	visits *visits
	server *http.Server
	links  chan transport.CapableConn

	once   sync.Once
	closed chan struct{}
	mu     sync.Mutex // nothing is added to ending once Close waits
	ending sync.WaitGroup
}

type visitKey struct{}

// Accept implements transport.Listener.
func (l *listener) Accept() (transport.CapableConn, error) {
	select {
	case c := <-l.links:
		return c, nil
	case <-l.closed:
		return nil, transport.ErrListenerClosed
	}
}

// Close implements transport.Listener.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.mu.Lock()
		close(l.closed)
		l.mu.Unlock()
		l.server.Close()
		l.door.Close()
		l.visits.end()
		l.ending.Wait()
	})
	return nil
}

// begin counts a link that is made, for Close to wait for, and reports whether one may be:
// the server's own Close does not wait for visits that became links.
func (l *listener) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return false
	default:
		l.ending.Add(1)
		return true
	}
}

// Addr implements transport.Listener.
func (l *listener) Addr() net.Addr { return l.door.Addr() }

// Multiaddr implements transport.Listener.
func (l *listener) Multiaddr() multiaddr.Multiaddr { return l.door.Multiaddr() }

// ServeHTTP makes a link of a request that knows the path, and passes every other
// on to the site.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(visitKey{}).(net.Conn)
	v := visitorOf(c)
	if !ok || v == nil {
		return
	}
	v.answered()
	// Everything else gets the site: a probe sees a web server like any other.
	first, key, ok := l.wanted(r)
	if !ok {
		l.t.cfg.Site.ServeHTTP(w, r)
		return
	}
	ends := net.Conn(v.Conn)
	if l.t.cfg.Front {
		if ends, ok = forwardedFor(v.Conn, r.Header); !ok {
			l.t.cfg.Site.ServeHTTP(w, r)
			return
		}
	}

	hijacker, ok := w.(http.Hijacker)
	if !ok {
		return
	}
	_, rw, err := hijacker.Hijack()
	if err != nil {
		return
	}
	if !l.begin() {
		c.Close()
		return
	}
	defer l.ending.Done()
	// A client of ours waits for the answer: bytes before it are of somebody else.
	if rw.Reader.Buffered() > 0 || !l.link(c, v, ends, first, key) {
		c.Close()
	}
}

// visitorOf returns the visitor below TLS, or without it.
func visitorOf(c net.Conn) *visitor {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	v, _ := c.(*visitor)
	return v
}

// wanted returns the first message of Noise in a request for a link, and its
// key.
func (l *listener) wanted(r *http.Request) (first []byte, key string, ok bool) {
	if r.Method != http.MethodGet || r.ProtoMajor != 1 || !leads(r.URL.Path, l.t.cfg.Self, l.t.cfg.Now()) {
		return nil, "", false
	}
	key = r.Header.Get("Sec-WebSocket-Key")
	if !has(r.Header.Get("Connection"), "upgrade") || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || r.Header.Get("Sec-WebSocket-Version") != "13" || len(key) != acceptKey {
		return nil, "", false
	}
	word, found := strings.CutPrefix(r.URL.RawQuery, "s=")
	if !found {
		return nil, "", false
	}
	first, err := find(word)
	return first, key, err == nil
}

// has reports whether a list of words with commas has one.
func has(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(w), word) {
			return true
		}
	}
	return false
}

// link makes a link of a visit, and reports whether it did. Its ends are those of the
// visit, or by the word of a web server in front.
func (l *listener) link(c net.Conn, v *visitor, ends net.Conn, first []byte, key string) bool {
	quiet(v.Conn)
	v.linked()
	c.SetDeadline(time.Now().Add(HandshakeTime))
	server := "Server: Caddy\r\n"
	if l.t.cfg.Front {
		server = "" // it says its own
	}
	a := &answering{framed: newFramed(c, newReader(c), true), first: first}
	a.head = []byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nSec-Websocket-Accept: " + accept(key) + "\r\n" + server + "Upgrade: websocket\r\n\r\n")

	ctx, cancel := context.WithTimeout(context.Background(), HandshakeTime)
	defer cancel()
	made, err := l.t.inner(ctx, a, ends, network.DirInbound, "", v.scope, HandshakeTime)
	if err != nil {
		return false
	}
	c.SetDeadline(time.Time{})
	v.keepScope()
	if l.t.cfg.Front {
		v.inside()
	}

	// Nobody may be left to take it, and it must not be held for ever.
	timeout := time.NewTimer(acceptWait)
	defer timeout.Stop()
	select {
	case l.links <- made:
	case <-l.closed:
		made.Close()
	case <-timeout.C:
		made.Close()
	}
	return true
}

// answering is a relay's connection: the first message came with the request.
type answering struct {
	*framed
	first []byte
}

// Read implements net.Conn.
func (a *answering) Read(p []byte) (int, error) {
	if len(a.first) > 0 {
		n := copy(p, a.first)
		a.first = a.first[n:]
		return n, nil
	}
	return a.framed.Read(p)
}

// accept is the answer to the key of a WebSocket.
func accept(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// entrance gives the web server its connections.
type entrance struct{ l *listener }

// Accept implements net.Listener.
func (e *entrance) Accept() (net.Conn, error) {
	for {
		c, scope, err := e.l.door.Accept()
		if err != nil {
			return nil, err
		}
		if v, ok := c.(*visitor); ok {
			v.enter(scope)
			return v, nil
		}
		c.Close() // never
		scope.Done()
	}
}

// Close implements net.Listener.
func (e *entrance) Close() error { return e.l.door.Close() }

// Addr implements net.Listener.
func (e *entrance) Addr() net.Addr { return e.l.door.Addr() }
