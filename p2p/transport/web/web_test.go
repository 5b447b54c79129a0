package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/wire"
)

const echo = "/echo"

// A line counts, and keeps, what passes over the connections of a dialler.
type line struct {
	mu       sync.Mutex
	up, down []byte
	flights  int // changes of direction from up to down
	wasUp    bool
}

// DialContext implements Dialer.
func (l *line) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &tapped{c, l}, nil
}

// marks returns the bytes so far.
func (l *line) sums() (up, down, flights int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.up), len(l.down), l.flights
}

// passed returns what has gone each way.
func (l *line) passed() (up, down []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.up), bytes.Clone(l.down)
}

type tapped struct {
	net.Conn
	l *line
}

func (t *tapped) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	if n > 0 && t.l.wasUp {
		t.l.flights++
		t.l.wasUp = false
	}
	t.l.down = append(t.l.down, p[:n]...)
	return n, err
}

func (t *tapped) Write(p []byte) (int, error) {
	t.l.mu.Lock()
	t.l.up = append(t.l.up, p...)
	t.l.wasUp = true
	t.l.mu.Unlock()
	return t.Conn.Write(p)
}

// newHost starts a host with this transport and no other.
func newHost(t testing.TB, listens bool, change func(*Config)) host.Host {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	opts := []libp2p.Option{
		libp2p.Identity(key), libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.Ping(false), libp2p.NoListenAddrs,
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.Security(noise.ID, noise.New), libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.Transport(func(up transport.Upgrader, rm network.ResourceManager, gate connmgr.ConnectionGater) (*Transport, error) {
			security, err := noise.New(noise.ID, key, nil)
			if err != nil {
				return nil, err
			}
			cfg := Config{Upgrader: up, Resources: rm, Security: security, Muxer: yamux.DefaultTransport, Dialer: &net.Dialer{}, Gate: gate}
			if listens {
				if cfg.Self, err = wire.NodeIDFromKey(key.GetPublic()); err != nil {
					return nil, err
				}
			}
			if change != nil {
				change(&cfg)
			}
			return New(cfg)
		}),
	}
	return start(t, listens, opts)
}

// newPlain starts a host of plain TCP.
func newPlain(t testing.TB, listens bool) host.Host {
	return start(t, listens, []libp2p.Option{
		libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.Ping(false), libp2p.NoListenAddrs, libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.Security(noise.ID, noise.New), libp2p.Muxer(yamux.ID, yamux.DefaultTransport), libp2p.Transport(tcp.NewTCPTransport),
	})
}

func start(t testing.TB, listens bool, opts []libp2p.Option) host.Host {
	t.Helper()
	h, err := libp2p.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	if listens {
		if err := h.Network().Listen(multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")); err != nil {
			t.Fatal(err)
		}
		h.SetStreamHandler(echo, func(s network.Stream) { io.Copy(s, s); s.Close() })
	}
	return h
}

func connect(t testing.TB, from, to host.Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := from.Connect(ctx, peer.AddrInfo{ID: to.ID(), Addrs: to.Network().ListenAddresses()}); err != nil {
		t.Fatal(err)
	}
}

// said sends bytes to an echo and returns what comes back.
func said(t testing.TB, from, to host.Host, data []byte) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := from.NewStream(ctx, to.ID(), echo)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go func() {
		s.Write(data)
		s.CloseWrite()
	}()
	got, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLink(t *testing.T) {
	for _, b := range Browsers() {
		t.Run(b.String(), func(t *testing.T) {
			relay := newHost(t, true, nil)
			client := newHost(t, false, func(c *Config) { c.Browser = b })
			connect(t, client, relay)
			for _, n := range []int{1, 100, 2400, MaxFrame, 1 << 20} {
				data := make([]byte, n)
				rand.Read(data)
				if got := said(t, client, relay, data); !bytes.Equal(got, data) {
					t.Errorf("%d bytes came back as %d others", n, len(got))
				}
			}
			if c := relay.Network().ConnsToPeer(client.ID()); len(c) != 1 || c[0].RemoteMultiaddr().Protocols()[len(c[0].RemoteMultiaddr().Protocols())-1].Code != multiaddr.P_TCP {
				t.Errorf("the relay has connections %v", c)
			}
		})
	}
}

// A client whose clock is days off asks again at the path of the server's day.
func TestWrongClock(t *testing.T) {
	relay := newHost(t, true, nil)
	for _, off := range []time.Duration{-day, day, -400 * day, 30 * day} {
		client := newHost(t, false, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(off) } })
		connect(t, client, relay)
	}
}

// markers are what nobody on the line may read.
var markers = []string{"multistream", "noise", "libp2p", "starling", "yamux", "/st/2", "ipfs", "meshsub", echo}

// Nothing of ours is on the line, and every connection begins as a browser's.
func TestNothingOfOurs(t *testing.T) {
	var l line
	relay := newHost(t, true, nil)
	client := newHost(t, false, func(c *Config) { c.Dialer = &l })
	connect(t, client, relay)
	said(t, client, relay, make([]byte, 10_000))
	up, down := l.passed()
	for _, m := range markers {
		for name, all := range map[string][]byte{"up": up, "down": down} {
			if bytes.Contains(bytes.ToLower(all), []byte(m)) {
				t.Errorf("%q is in what goes %s", m, name)
			}
		}
	}
	if up[0] != 22 || down[0] != 22 {
		t.Errorf("the line begins with %x and %x, and not with TLS", up[:3], down[:3])
	}
}

// What asks for a relay and finds none fails, with a name, and nothing else is tried.
func TestNoRelay(t *testing.T) {
	plain := newPlain(t, true)
	tests := []struct {
		name  string
		serve func(c net.Conn)
		step  Step
	}{
		{"silent", func(c net.Conn) { io.Copy(io.Discard, c) }, StepTLS},
		{"closes", func(c net.Conn) { c.Close() }, StepTLS},
		{"another protocol", func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.2p1\r\n"); io.Copy(io.Discard, c) }, StepTLS},
		{"plain libp2p", func(c net.Conn) {
			to, err := net.Dial("tcp", port(plain))
			if err == nil {
				go io.Copy(c, to)
				io.Copy(to, c)
				to.Close()
			}
		}, StepTLS},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			var first [][]byte
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go test.serve(c)
				}
			}()
			var seen line
			client := newHost(t, false, func(c *Config) { c.Dialer = &seen })
			err = dialErr(t, client, plain.ID(), l.Addr().String())
			var why *DialError
			if !errors.As(err, &why) || why.Step != test.step {
				t.Errorf("the dial ended with %v", err)
			}
			seen.mu.Lock()
			defer seen.mu.Unlock()
			if len(seen.up) > 0 && seen.up[0] != 22 && seen.up[0] != 21 || bytes.Contains(seen.up, []byte("multistream")) {
				t.Errorf("the client spoke without its disguise: %q", seen.up)
			}
			_ = first
		})
	}
}

func port(h host.Host) string {
	a, _ := h.Network().ListenAddresses()[0].ValueForProtocol(multiaddr.P_TCP)
	return net.JoinHostPort("127.0.0.1", a)
}

func multiaddrOf(at string) multiaddr.Multiaddr {
	_, p, _ := net.SplitHostPort(at)
	return multiaddr.StringCast("/ip4/127.0.0.1/tcp/" + p)
}

func transportOf(h host.Host, at string) transport.Transport {
	return h.Network().(interface {
		TransportForDialing(multiaddr.Multiaddr) transport.Transport
	}).TransportForDialing(multiaddrOf(at))
}

// dialErr dials by the transport itself and returns its error.
func dialErr(t *testing.T, from host.Host, to peer.ID, at string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := transportOf(from, at).Dial(ctx, multiaddrOf(at), to)
	if err == nil {
		c.Close()
	}
	return err
}

// A relay of another key is not taken for the one that was asked for: its path is not known
// there, and a relay that knows it has not the key.
func TestAnotherKey(t *testing.T) {
	relay, other := newHost(t, true, nil), newHost(t, true, nil)
	client := newHost(t, false, nil)
	err := dialErr(t, client, other.ID(), port(relay))
	var why *DialError
	if !errors.As(err, &why) || why.Step != StepUpgrade || !errors.Is(err, ErrNotRelay) {
		t.Errorf("a dial to another relay ended with %v", err)
	}

	liar := newHost(t, true, func(c *Config) { c.Self, _ = wire.NodeIDFromPeer(other.ID()) })
	err = dialErr(t, client, other.ID(), port(liar))
	if !errors.As(err, &why) || why.Step != StepInner {
		t.Errorf("a dial to a relay without the key ended with %v", err)
	}
}
