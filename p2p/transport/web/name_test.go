package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"

	"starling/p2p/wire"
)

// TestNamedHellos: with a host name a hello has it where the browser does, and is the recorded
// one else; the request has it, too.
func TestNamedHellos(t *testing.T) {
	const site, sni = "example.org", "0000 000e00000b6578616d706c652e6f7267"
	for _, b := range Browsers() {
		places := map[int]bool{}
		for range 50 {
			lines := strings.Split(steady(t, ours(t, b, site), false), "\n")
			i := slices.Index(lines, sni)
			if i < 0 {
				t.Fatalf("%s: no name in\n%s", b, strings.Join(lines, "\n"))
			}
			places[i] = true
			if b.shuffles && (!strings.HasPrefix(lines[1], "grease") || !strings.HasPrefix(lines[len(lines)-1], "grease")) {
				t.Fatalf("%s: GREASE is not first and last in\n%s", b, strings.Join(lines, "\n"))
			}
			lines = slices.Delete(lines, i, i+1)
			want := strings.Split(steady(t, b.recorded("hello"), false), "\n")
			if b.shuffles {
				slices.Sort(lines)
				slices.Sort(want)
			}
			if !slices.Equal(lines, want) {
				t.Fatalf("%s: beside the name\n%s\nrecorded\n%s", b, strings.Join(lines, "\n"), strings.Join(want, "\n"))
			}
		}
		if alone := len(places) == 1; alone == b.shuffles || !b.shuffles && !places[1] {
			t.Errorf("%s: the name is at %v", b, places)
		}

		for at, want := range map[string]string{"example.org:443": "example.org", "example.org:8443": "example.org:8443"} {
			asked := b.request(at, "/x", [16]byte{})
			for _, line := range []string{"\r\nHost: " + want + "\r\n", "\r\nOrigin: https://" + want + "\r\n"} {
				if !bytes.Contains(asked, []byte(line)) {
					t.Errorf("%s: no %q in\n%s", b, line, asked)
				}
			}
		}
	}
}

// A doorman has a certificate for example.org, and remembers the names that visitors say.
type doorman struct {
	cert  *tls.Certificate
	mu    sync.Mutex
	heard []string
}

func newDoorman(t *testing.T) *doorman {
	p, err := issue(&x509.Certificate{DNSNames: []string{"example.org"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, pair{})
	if err != nil {
		t.Fatal(err)
	}
	return &doorman{cert: &tls.Certificate{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key, Leaf: p.cert}}
}

func (d *doorman) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard = append(d.heard, hello.ServerName)
	if hello.ServerName == "example.org" {
		return d.cert, nil
	}
	return nil, nil
}

func (d *doorman) Site() string { return "example.org" }

// A careful dialler remembers where it dialled.
type careful struct {
	net.Dialer
	mu sync.Mutex
	at []string
}

func (c *careful) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	c.at = append(c.at, address)
	c.mu.Unlock()
	return c.Dialer.DialContext(ctx, network, address)
}

// TestNameIsSaid: a relay that has a host name is told it, at its address. A name that lies has
// nobody else contacted: one that no browser would say is not said, and with one that the server
// does not have the connection fails.
func TestNameIsSaid(t *testing.T) {
	for name, said := range map[string]string{
		"example.org": "example.org", "": "",
		"192.0.2.1": "", "localhost": "", "a.localhost": "", "router.local": "", "abc.onion": "", "Example.org": "", "a b.org": "", "a.org\r\nX: y": "", strings.Repeat("a.", 400) + "org": "",
		"www.example.net": "www.example.net",
	} {
		door := newDoorman(t)
		relay := newHost(t, true, func(c *Config) { c.Certificates = NewCertificates("").For(door) })
		out := &careful{}
		var asked []netip.AddrPort
		client := newHost(t, false, func(c *Config) {
			c.Dialer = out
			c.Name = func(id wire.NodeID, at netip.AddrPort) string {
				if id.Peer() != relay.ID() {
					t.Error("asked for the name of another")
				}
				asked = append(asked, at)
				return name
			}
		})
		err := meets(t, client, relay)
		var dial *DialError
		if lie := name == "www.example.net"; lie != (err != nil) || lie && (!errors.As(err, &dial) || dial.Step != StepTLS) {
			t.Errorf("%.40q: %v", name, err)
		}
		if want := port(relay); !slices.Equal(out.at, []string{want}) || len(asked) != 1 || asked[0].String() != want {
			t.Errorf("%.40q: dialled %v, asked for %v; the relay is at %s", name, out.at, asked, want)
		}
		if !slices.Equal(door.heard, []string{said}) {
			t.Errorf("%.40q: said %q", name, door.heard)
		}
	}
}

// meets has a client connect to a relay.
func meets(t *testing.T, client, relay host.Host) error {
	t.Helper()
	client.Peerstore().AddAddrs(relay.ID(), relay.Network().ListenAddresses(), time.Hour)
	_, err := client.Network().DialPeer(t.Context(), relay.ID())
	return err
}
