package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// A relay behind a web server: Caddy or nginx has the port, TLS and a site of its own, and
// passes requests for WebSockets on to the relay, which listens on this machine alone
// and without TLS.
//
//	client —— TLS, request ——> Caddy, nginx —— request, X-Forwarded-For ——> relay
//
// Every other request has the answer 404, and the web server gives its own instead of that;
// so it answers strangers as it would without a relay. All connections come from the
// web server. It writes the address of its visitor into X-Forwarded-For, and without that
// there is no link. Only programs of this machine can lie there.

const forwardHeader = "X-Forwarded-For"

// nothing is the answer to strangers behind a front.
func nothing(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }

// A forwarded connection is one that a web server makes for somebody.
type forwarded struct {
	net.Conn
	remote netip.AddrPort
}

// RemoteAddr implements net.Conn: the address of the visitor, and the port of the web server,
// since the other is not known.
func (f *forwarded) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(f.remote) }

// forwardedFor returns a connection under the address of the visitor.
func forwardedFor(c net.Conn, h http.Header) (net.Conn, bool) {
	from, ok := whoAsks(h)
	if !ok {
		return nil, false
	}
	web, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return nil, false
	}
	return &forwarded{c, netip.AddrPortFrom(from, web.Port())}, true
}

// whoAsks reads the address that the web server wrote down: the last one, since those
// before it are the visitor's words.
func whoAsks(h http.Header) (netip.Addr, bool) {
	all := h.Values(forwardHeader)
	if len(all) == 0 {
		return netip.Addr{}, false
	}
	last := all[len(all)-1]
	last = last[strings.LastIndexByte(last, ',')+1:]
	a, err := netip.ParseAddr(strings.TrimSpace(last))
	a = a.Unmap().WithZone("")
	return a, err == nil && !a.IsUnspecified() && !a.IsMulticast()
}
