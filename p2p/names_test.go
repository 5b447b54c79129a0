package p2p_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"starling/p2p"
	"starling/p2p/directory"
	"starling/p2p/p2ptest"
)

// A signboard is the host name of a relay, with a certificate. It remembers the names that
// visitors from an address say.
type signboard struct {
	name string
	cert *tls.Certificate

	mu   sync.Mutex
	said map[string][]string // by the address of the visitor
}

func newSignboard(t *testing.T, name string) *signboard {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &signboard{name: name, cert: &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, said: map[string][]string{}}
}

// Site returns the name.
func (s *signboard) Site() string { return s.name }

// Certificate implements web.Named.
func (s *signboard) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, _, _ := net.SplitHostPort(hello.Conn.RemoteAddr().String())
	s.said[from] = append(s.said[from], hello.ServerName)
	if hello.ServerName == s.name {
		return s.cert, nil
	}
	return nil, nil
}

func (s *signboard) heard(from string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.said[from])
}

// TestNamesAreSaid: relays with host names are listed with them, and a client says to each of its
// guards the guard's own; the relay that its owner named by an address alone it calls by none
// before it has the list.
func TestNamesAreSaid(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs the whole of 127.0.0.0/8")
	}
	const from = "127.36.0.1"
	boards := make([]*signboard, 8)
	m := p2ptest.Loopback(t, len(boards), func(i int, cfg *p2p.RelayConfig) {
		boards[i] = newSignboard(t, fmt.Sprintf("relay%d.example.org", i))
		cfg.Source = fmt.Sprintf("127.37.%d.1", i+1)
		cfg.Listen, cfg.Named = []string{"/ip4/" + cfg.Source + "/tcp/0"}, boards[i]
	})
	c := m.Client(func(cfg *p2p.ClientConfig) { cfg.Source = from })
	c.WaitReady(t)

	guards := 0
	for _, g := range c.Status().Guards {
		r := m.Find(g.ID)
		if !g.Connected || r == nil {
			continue
		}
		guards++
		d, ok := c.Directory().Find(g.ID)
		if !ok || !slices.ContainsFunc(d.Addresses, func(a directory.Address) bool { return a.Host == boards[r.Node].name }) {
			t.Errorf("relay %d is not listed with its name: %+v", r.Node, d)
		}
	}
	if guards < 2 {
		t.Fatalf("%d guards", guards)
	}
	named := 0
	for i, b := range boards {
		for _, name := range b.heard(from) {
			switch {
			case name == b.name:
				named++
			case name != "" || i != 0:
				t.Errorf("to relay %d it says %q", i, name)
			}
		}
	}
	if named == 0 {
		t.Error("it says no name to anybody")
	}
}
