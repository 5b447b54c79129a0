package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"starling/p2p/book"
	"starling/p2p/proxy"
	"starling/p2p/transport/web"
)

// ErrConfined means that an address is none of those that alone may be dialled.
var ErrConfined = errors.New("host: this address may not be dialled")

// ErrOnion: the address stands for an onion service, and no proxy leads there.
var ErrOnion = errors.New("it is reached through Tor alone, and no proxy is set")

// errSwitched: the proxy is another one by now.
var errSwitched = errors.New("host: the proxy was changed meanwhile")

// Sockets returns the dialler of the system, from a local address if one is given.
func Sockets(source netip.Addr) web.Dialer {
	d := &net.Dialer{Timeout: dialTimeout}
	if source.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: source.AsSlice()}
	}
	return d
}

// A Line makes all sockets of a client: straight, or over a proxy. A change of the proxy
// ends all connections, so that none of before goes on beside it.
type Line struct {
	sockets web.Dialer
	may     func(book.Address) bool
	name    func(book.Address) (string, bool)

	mu    sync.Mutex
	proxy *proxy.Proxy // nil: none
	turn  int          // changes so far
	fault *proxy.Error // of the last attempt
	open  map[*lineConn]struct{}
}

// NewLine makes a Line on the dialler of the system. It refuses all addresses but those
// that may be dialled, whoever asks for them. name returns the onion service that an
// address stands for.
func NewLine(sockets web.Dialer, may func(book.Address) bool, name func(book.Address) (string, bool)) *Line {
	return &Line{sockets: sockets, may: may, name: name, open: map[*lineConn]struct{}{}}
}

// Use takes another proxy, nil for none.
func (l *Line) Use(p *proxy.Proxy) {
	l.mu.Lock()
	l.proxy, l.fault = p, nil
	l.turn++
	was := l.open
	l.open = map[*lineConn]struct{}{}
	l.mu.Unlock()
	for c := range was {
		c.Conn.Close()
	}
}

// Proxy returns the proxy, nil if there is none, and how it failed the last time.
func (l *Line) Proxy() (*proxy.Proxy, *proxy.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.proxy, l.fault
}

// DialContext implements web.Dialer. Names of onion services are the proxy's to resolve;
// nothing else is dialled by a name.
func (l *Line) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	p, turn := l.proxy, l.turn
	l.mu.Unlock()
	// Never a name: to look it up would go past the proxy.
	at, err := netip.ParseAddrPort(address)
	if err != nil || !l.may(book.Web(at)) {
		return nil, fmt.Errorf("%s: %w", address, ErrConfined)
	}
	if book.StandIns.Contains(at.Addr()) {
		name, ok := l.name(book.Web(at))
		switch {
		case !ok:
			return nil, fmt.Errorf("%s: %w", address, ErrConfined)
		case p == nil:
			return nil, ErrOnion
		}
		address = name
	}

	c := &lineConn{line: l}
	if p == nil {
		c.Conn, err = l.sockets.DialContext(ctx, network, address)
	} else {
		c.remote = net.TCPAddrFromAddrPort(at)
		c.Conn, err = p.Connect(ctx, l.sockets, address)
	}

	// The proxy may have been changed meanwhile: a connection past the new one is given up.
	stays := l.ended(c, p != nil, turn, err)
	if err == nil && !stays {
		c.Conn.Close()
		err = errSwitched
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// ended takes a connection, or the fault of the proxy, and reports whether the connection
// may stay: whether the proxy is still the same.
func (l *Line) ended(c *lineConn, proxied bool, turn int, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if turn != l.turn {
		return false
	}
	if proxied {
		l.fault = nil
		errors.As(err, &l.fault)
	}
	if err == nil {
		l.open[c] = struct{}{}
	}
	return err == nil
}

// A lineConn is a connection of a Line.
type lineConn struct {
	net.Conn
	line   *Line
	remote net.Addr // beyond the proxy
}

// RemoteAddr implements net.Conn: of the destination, and not of the proxy.
func (c *lineConn) RemoteAddr() net.Addr {
	if c.remote != nil {
		return c.remote
	}
	return c.Conn.RemoteAddr()
}

// Close implements net.Conn.
func (c *lineConn) Close() error {
	c.line.mu.Lock()
	delete(c.line.open, c)
	c.line.mu.Unlock()
	return c.Conn.Close()
}

// SetKeepAlive, SetKeepAlivePeriod and SetLinger are for libp2p, which complains of
// connections without.
func (c *lineConn) SetKeepAlive(on bool) error {
	if tcp, ok := c.Conn.(interface{ SetKeepAlive(bool) error }); ok {
		return tcp.SetKeepAlive(on)
	}
	return nil
}

func (*lineConn) SetKeepAlivePeriod(time.Duration) error { return nil }

func (*lineConn) SetLinger(int) error { return nil }
