package p2p_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p"
	"starling/p2p/client"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
	"starling/p2p/wire"
)

// A stranger listens where a way in should be, and remembers how visitors begin.
type stranger struct {
	net.Listener
	mu    sync.Mutex
	heard [][]byte
}

// meet has a stranger answer visitors in some way.
func meet(t *testing.T, at string, answer func(net.Conn)) *stranger {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{Listener: l}
	var conns sync.WaitGroup
	t.Cleanup(func() { l.Close(); conns.Wait() })
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(t.Context(), func() { c.Close() })
			conns.Go(func() {
				defer c.Close()
				answer(&overheard{Conn: c, by: s})
				io.Copy(io.Discard, &overheard{Conn: c, by: s})
			})
		}
	})
	return s
}

// overheard is a connection whose first bytes are remembered.
type overheard struct {
	net.Conn
	by   *stranger
	read bool
}

func (o *overheard) Read(b []byte) (int, error) {
	n, err := o.Conn.Read(b)
	if n > 0 && !o.read {
		o.read = true
		o.by.mu.Lock()
		defer o.by.mu.Unlock()
		o.by.heard = append(o.by.heard, bytes.Clone(b[:n]))
	}
	return n, err
}

// said writes something once a visitor has spoken.
func said(text string, every time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		c.Read(make([]byte, 4096))
		for i := range len(text) {
			if _, err := c.Write([]byte{text[i]}); err != nil {
				return
			}
			time.Sleep(every)
		}
	}
}

// site is a web server that is no relay.
func site(t *testing.T, answer string) func(net.Conn) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}, NextProtos: []string{"http/1.1"}}
	return func(c net.Conn) {
		tc := tls.Server(c, config)
		defer tc.Close()
		for range 2 { // a client may ask once more, at the path of another day
			if _, err := tc.Read(make([]byte, 4096)); err != nil {
				return
			}
			io.WriteString(tc, answer)
		}
	}
}

// anybody is the name of a node that is nowhere.
func anybody(t *testing.T) string {
	t.Helper()
	_, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := wire.NodeIDFromKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return "/p2p/" + id.String()
}

// TestBadWays: of a way in that is bad in any manner the status says which; it gets a
// browser's hello and nothing else, so that nobody is fallen back to; and ten of a kind delay
// nobody who has a good one.
func TestBadWays(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs the whole of 127.0.0.0/8")
	}
	m := p2ptest.Loopback(t, 8, func(i int, cfg *p2p.RelayConfig) {
		cfg.Source = fmt.Sprintf("127.31.%d.1", i+1)
		cfg.Listen = []string{"/ip4/" + cfg.Source + "/tcp/0"}
	})
	page := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: %s\r\n\r\n"
	today, otherDay := time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"), "Fri, 31 Dec 1999 23:59:59 GMT"
	for n, c := range []struct {
		name   string
		answer func(net.Conn) // nil: nobody listens
		want   client.Outcome
	}{
		{"refuses", nil, client.Refused},
		{"accepts and says nothing", func(net.Conn) {}, client.Frozen},
		{"a byte a second", said("\x16\x03\x03\x01\x00\x02\x00\x00\x10\x03\x03", time.Second), client.Frozen},
		{"hangs up", func(c net.Conn) { c.Read(make([]byte, 10)); c.Close() }, client.CutOff},
		{"another protocol", said("SSH-2.0-OpenSSH_9.6\r\n", 0), client.NotRelay},
		{"a portal", said("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/login\r\n\r\n", 0), client.Portal},
		{"a portal with TLS", site(t, "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"), client.Portal},
		{"a web server", site(t, fmt.Sprintf(page, today)), client.NotRelay},
		{"another day", site(t, fmt.Sprintf(page, otherDay)), client.ClockOff},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var ways []string
			var met []*stranger
			for i := range 10 {
				at := fmt.Sprintf("127.33.%d.%d", n, i+1)
				port := 1
				if c.answer != nil {
					s := meet(t, at+":0", c.answer)
					met, port = append(met, s), s.Addr().(*net.TCPAddr).Port
				}
				ways = append(ways, fmt.Sprintf("/ip4/%s/tcp/%d%s", at, port, anybody(t)))
			}
			lost := m.Client(func(cfg *p2p.ClientConfig) { cfg.Bootstrap, cfg.Source = ways[:1], fmt.Sprintf("127.34.%d.1", n) })
			found := m.Client(func(cfg *p2p.ClientConfig) {
				cfg.Bootstrap, cfg.Source = append(ways, m.Bootstrap()...), fmt.Sprintf("127.35.%d.1", n)
			})
			took := p2ptest.Eventually(t, "ready", func() bool { return found.Status().Ready })
			p2ptest.Eventually(t, "said how it answers", func() bool {
				return slices.ContainsFunc(lost.Status().Ways, func(w client.Way) bool { return w.Outcome == c.want })
			})
			t.Logf("ready after %v", took)
			lost.Stop()
			found.Stop()

			for _, s := range met {
				s.mu.Lock()
				for _, b := range s.heard {
					if b[0] != 0x16 {
						t.Errorf("said %q", b[:min(len(b), 40)])
					}
				}
				s.mu.Unlock()
			}
		})
	}
}

// TestDeadWays: ten ways in at which nobody answers, or somebody else, delay a newcomer by
// seconds.
func TestDeadWays(t *testing.T) {
	for _, name := range []string{"nobody", "somebody else"} {
		synctest.Test(t, func(t *testing.T) {
			m := p2ptest.Virtual(t, 12, wan, nil)
			defer m.Stop()
			m.Settle(12)
			var ways []string
			for i := range 10 {
				node := 500 + i
				if name != "nobody" {
					node = 1 + i
				}
				ways = append(ways, fmt.Sprintf("/ip4/%s/tcp/%d%s", virtualtime.Address(node), virtualtime.Port, anybody(t)))
			}
			c := m.Client(func(cfg *p2p.ClientConfig) { cfg.Bootstrap = append(ways, m.Bootstrap()...) })
			defer c.Stop()
			took := p2ptest.Eventually(t, "ready", func() bool { return c.Status().Ready })
			t.Logf("%s at ten of eleven ways: ready after %v", name, took)
			if took > 15*time.Second {
				t.Errorf("%s at ten of eleven ways: ready after %v", name, took)
			}
		})
	}
}
