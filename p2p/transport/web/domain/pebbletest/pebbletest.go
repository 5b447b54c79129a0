// Package pebbletest runs Pebble, the authority of Let's Encrypt for tests (Debian has it), and a
// name server in which all names lead to this machine.
package pebbletest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"starling/p2p/p2ptest/programtest"
)

// A Pebble is an authority.
type Pebble struct {
	// Directory is its URL, and Roots the file of the authority that speaks for it.
	Directory, Roots string
	Pool             *x509.CertPool
}

// Start runs Pebble until the end of the test. It comes to names at a port of this machine.
// Without the program the test skips.
func Start(t testing.TB, port int) Pebble {
	t.Helper()
	file, dir := programtest.Find(t, "pebble"), t.TempDir()
	at, management := programtest.FreePort(t), programtest.FreePort(t)
	p := Pebble{Directory: fmt.Sprintf("https://127.0.0.1:%d/dir", at), Roots: filepath.Join(dir, "cert.pem"), Pool: x509.NewCertPool()}
	cert := certificate(t, dir)
	p.Pool.AddCert(cert)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": fmt.Sprint("127.0.0.1:", at), "managementListenAddress": fmt.Sprint("127.0.0.1:", management),
		"certificate": p.Roots, "privateKey": filepath.Join(dir, "key.pem"), "httpPort": programtest.FreePort(t), "tlsPort": port,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command(file, "-config", filepath.Join(dir, "config.json"), "-dnsserver", names(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20", "PEBBLE_AUTHZREUSE=0")
	programtest.Start(t, cmd).Serves(t, fmt.Sprint("127.0.0.1:", at))
	return p
}

// certificate makes the one of Pebble's own server.
func certificate(t testing.TB, dir string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}

	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// names serves names, and returns where.
func names(t testing.TB) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if answer, err := answerTo(b[:n]); err == nil {
				c.WriteTo(answer, from)
			}
		}
	}()
	return c.LocalAddr().String()
}

// answerTo answers a question of a name: 127.0.0.1, and nothing else.
func answerTo(b []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(b); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	for _, q := range m.Questions {
		if q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
			})
		}
	}
	return m.Pack()
}
