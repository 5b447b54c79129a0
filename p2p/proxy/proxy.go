// Package proxy leads connections over a SOCKS5 proxy, such as a local Tor.
//
// A proxy is named by an IP address: to look a name up would show it to others. The
// addresses of relays go to the proxy as they are, and names of onion services for it to
// resolve. The proxy is asked with a user name and a password of each destination's own,
// drawn anew at every start, so that Tor takes a circuit of its own for each (its
// IsolateSOCKSAuth, which is on). With a user name of the owner's that is not so.
package proxy

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"

	socks "golang.org/x/net/proxy"
)

// A Proxy is one SOCKS5 proxy.
type Proxy struct {
	at         netip.AddrPort
	user, pass string
	secret     [32]byte
}

// Why a proxy is refused.
var (
	ErrScheme = errors.New("a proxy looks like socks5://127.0.0.1:9050")
	ErrName   = errors.New("the proxy is named by an IP address: a name would have to be looked up without it")
	ErrLogin  = errors.New("user name and password of the proxy have 1 to 255 letters each")
)

const maxLogin = 255

// Parse reads socks5://[USER:PASSWORD@]ADDRESS:PORT.
func Parse(text string) (*Proxy, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "socks5" && u.Scheme != "socks5h" || u.Opaque != "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, ErrScheme
	}
	host, port := u.Hostname(), u.Port()
	if port == "" || host == "" {
		return nil, ErrScheme
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}

	// Never a name: its lookup would go past the proxy.
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil, ErrName
	}
	at, err := netip.ParseAddrPort(net.JoinHostPort(ip.String(), port))
	if err != nil || at.Port() == 0 || ip.IsUnspecified() || ip.IsMulticast() {
		return nil, ErrScheme
	}

	p := &Proxy{at: at}
	// For a login of its own for each destination, which Tor keeps apart.
	rand.Read(p.secret[:])
	if u.User != nil {
		p.user = u.User.Username()
		p.pass, _ = u.User.Password()
		if p.user == "" || p.pass == "" || len(p.user) > maxLogin || len(p.pass) > maxLogin {
			return nil, ErrLogin
		}
	}
	return p, nil
}

// String returns the proxy without user name and password.
func (p *Proxy) String() string { return "socks5://" + p.at.String() }

// A Dialer makes connections to the proxy.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Connect connects to an address over the proxy. An error of the proxy itself is an
// *Error; any other is about the destination.
func (p *Proxy) Connect(ctx context.Context, forward Dialer, address string) (net.Conn, error) {
	way := &first{forward: forward}
	d, err := socks.SOCKS5("tcp", p.at.String(), p.login(address), way)
	if err != nil {
		return nil, err
	}
	c, err := d.(socks.ContextDialer).DialContext(ctx, "tcp", address)
	if err == nil {
		return c, nil
	}
	if kind := way.blame(err); kind != "" {
		return nil, &Error{kind, err}
	}
	return nil, err
}

// login is the user name and the password for a destination.
func (p *Proxy) login(address string) *socks.Auth {
	if p.user != "" {
		return &socks.Auth{User: p.user, Password: p.pass}
	}
	h := hmac.New(sha256.New, p.secret[:])
	io.WriteString(h, address)
	sum := hex.EncodeToString(h.Sum(nil))
	return &socks.Auth{User: sum[:16], Password: sum[16:32]}
}

// first makes the connection to the proxy, and remembers the first bytes of its answer.
type first struct {
	forward Dialer
	failed  bool
	seen    []byte
}

// Dial implements proxy.Dialer.
func (f *first) Dial(network, address string) (net.Conn, error) {
	return f.DialContext(context.Background(), network, address)
}

// DialContext implements proxy.ContextDialer.
func (f *first) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := f.forward.DialContext(ctx, network, address)
	if err != nil {
		f.failed = true
		return nil, err
	}
	return &observed{Conn: c, to: f}, nil
}

// answerMost is longer than all that blame looks at.
const answerMost = 6

// observed is a connection with an eye on the first bytes that come.
type observed struct {
	net.Conn
	to *first
}

// Read implements net.Conn.
func (o *observed) Read(b []byte) (int, error) {
	n, err := o.Conn.Read(b)
	if o.to != nil {
		if o.to.seen = append(o.to.seen, b[:n]...); len(o.to.seen) >= answerMost {
			o.to = nil
		}
	}
	return n, err
}

// blame returns the fault of the proxy in a failed attempt, none if it lies with the
// destination. By RFC 1928 the answer is version ‖ method, then, for method 2, version ‖
// status, then version ‖ reply.
func (f *first) blame(err error) Kind {
	const (
		version5, login, noMethod = 5, 2, 0xff
		notAllowed                = 2
	)
	timeout := os.IsTimeout(err) || errors.Is(err, context.DeadlineExceeded)
	seen := f.seen
	switch {
	case errors.Is(err, context.Canceled):
		return ""
	case f.failed && timeout:
		return Silent
	case f.failed:
		return Down
	case len(seen) == 0 && timeout:
		return Silent
	case len(seen) == 0:
		return Died
	case seen[0] != version5:
		return NotSocks
	case len(seen) < 2:
		return Died
	case seen[1] == noMethod:
		return Login
	}

	asked := seen[1] == login
	if seen = seen[2:]; asked {
		switch {
		case len(seen) < 2:
			return Login // some hang up
		case seen[1] != 0:
			return Login
		}
		seen = seen[2:]
	}
	switch {
	case len(seen) == 0 && timeout:
		return "" // the destination takes its time
	case len(seen) < 2:
		return Died
	case seen[0] != version5:
		return NotSocks
	case seen[1] == notAllowed:
		return Denied
	}
	return ""
}
