package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"starling/p2p/p2ptest/programtest"
	"starling/p2p/transport/web/domain/pebbletest"
)

// TestDomain: a relay with --domain alone gets a certificate of an authority, shows it to visitors, and
// tells of it; one whose authority is not there tells why, and serves without.
func TestDomain(t *testing.T) {
	starling, port := program(t), programtest.FreePort(t)
	authority := pebbletest.Start(t, port)
	t.Setenv("SSL_CERT_FILE", authority.Roots)
	at := fmt.Sprint("127.0.0.1:", port)
	profile := filepath.Join(t.TempDir(), "named")
	begin(t, starling, "relay", "--profile", profile, "--listen", fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port), "--allow-private",
		"--domain", "relay.example.org", "--acme-directory", authority.Directory)
	untilSays(t, nil, `"until":"20`, starling, "relay", "status", "--json", "--profile", profile)
	if words := run(t, starling, "relay", "status", "--profile", profile); !strings.Contains(words, "relay.example.org, with a certificate until ") {
		t.Errorf("status says\n%s", words)
	}
	for _, name := range []string{"relay.example.org", ""} {
		c, err := tls.Dial("tcp", at, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		if cert := c.ConnectionState().PeerCertificates[0]; !strings.Contains(cert.Issuer.String(), "Pebble") || cert.VerifyHostname("relay.example.org") != nil {
			t.Errorf("%q: a certificate for %v by %s", name, cert.DNSNames, cert.Issuer)
		}
		c.Close()
	}

	other := filepath.Join(t.TempDir(), "other")
	line, _ := begin(t, starling, "relay", "--profile", other, "--listen", "/ip4/127.0.0.1/tcp/0", "--allow-private",
		"--domain", "relay.example.org", "--acme-directory", fmt.Sprintf("https://127.0.0.1:%d/dir", programtest.FreePort(t)))
	var ready struct{ Addrs []string }
	if err := json.Unmarshal(line, &ready); err != nil || len(ready.Addrs) == 0 {
		t.Fatalf("it does not serve: %s", line)
	}
	untilSays(t, nil, "without a certificate", starling, "relay", "status", "--profile", other)
	if words, _ := exec.Command(starling, "doctor", "--profile", other).CombinedOutput(); !strings.Contains(string(words), "let this machine reach 127.0.0.1") {
		t.Errorf("doctor says\n%s", words)
	}
}
