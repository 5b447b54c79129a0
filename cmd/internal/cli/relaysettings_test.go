package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"starling/node/relay"
)

// relayOf runs starling relay with arguments until it is ready, and returns what it was
// made with.
func relayOf(t *testing.T, s *shell, args ...string) relayConfig {
	t.Helper()
	s.engine.relays = nil
	s.ready = true
	s.want(exitOK, append([]string{"relay", "--allow-private"}, args...)...)
	if len(s.engine.relays) != 1 {
		t.Fatalf("%d relays", len(s.engine.relays))
	}
	return s.engine.relays[0]
}

// TestPrecedence: a flag goes before a variable, and that before the file.
func TestPrecedence(t *testing.T) {
	s := newShell(t)
	file := filepath.Join(t.TempDir(), "relay.toml")
	text := "listen = [\"/ip4/127.0.0.1/tcp/1\", \"/ip4/127.0.0.1/tcp/2\"]\nbandwidth = \"1MB\"\nquota = \"1GB\"\nmax-clients = 7\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := relayOf(t, s, "--config", file)
	if len(c.listen) != 2 || c.limits.Bandwidth != 1_000_000 || c.limits.Quota != 1_000_000_000 || c.limits.MaxClients != 7 {
		t.Errorf("the file: %+v", c)
	}
	s.env["STARLING_RELAY_CONFIG"] = file
	s.env["STARLING_RELAY_BANDWIDTH"] = "2MB"
	s.env["STARLING_RELAY_LISTEN"] = "/ip4/127.0.0.1/tcp/3,/ip4/127.0.0.1/tcp/4 /ip4/127.0.0.1/tcp/5"
	c = relayOf(t, s)
	if len(c.listen) != 3 || c.limits.Bandwidth != 2_000_000 || c.limits.Quota != 1_000_000_000 {
		t.Errorf("the environment: %+v", c)
	}
	c = relayOf(t, s, "--bandwidth", "3MB", "--listen", "/ip4/127.0.0.1/tcp/6", "--announce", "/ip4/9.9.9.9/tcp/4007", "/ip4/9.9.9.9/tcp/4008")
	if len(c.listen) != 1 || c.limits.Bandwidth != 3_000_000 || c.limits.MaxClients != 7 || len(c.limits.Announce) != 2 {
		t.Errorf("the command line: %+v", c)
	}
}

// TestFrontFlags: behind a web server a relay listens on this machine alone, and says where the
// server is.
func TestFrontFlags(t *testing.T) {
	s := newShell(t)
	good := []string{"relay", "--front", "--listen", "/ip4/127.0.0.1/tcp/4001", "--announce", "/ip4/9.9.9.9/tcp/443"}
	s.engine.during = func(relayConfig) {}
	s.want(exitOK, good...)
	s.want(exitOK, append(good, "--bridge")...)
	s.want(exitOK, append(good, "--listen", "/ip6/::1/tcp/4001")...)
	if c := s.engine.relays[0]; !c.front {
		t.Errorf("%+v", c)
	}
	for _, bad := range [][]string{
		append(good, "--listen", "/ip4/0.0.0.0/tcp/4001"), append(good, "--listen", "/ip4/9.9.9.9/tcp/4001"), append(good, "--listen", "/ip4/127.0.0.1/tcp/4002/plain"),
		append(good, "--site", "http://127.0.0.1:80"), append(good, "--map-port"), append(good, "--lan"), good[:4],
	} {
		s.want(exitUsage, bad...)
	}
}

// TestDomainFlags: a host name is a full one, an authority a URL, and a relay behind a web
// server has neither.
func TestDomainFlags(t *testing.T) {
	s := newShell(t)
	good := []string{"--listen", "/ip4/127.0.0.1/tcp/1", "--domain", "Relay.example.org."}
	if c := relayOf(t, s, good...); c.domain != "relay.example.org" || c.acme != "" {
		t.Errorf("%+v", c)
	}
	s.env["STARLING_RELAY_ACME_DIRECTORY"] = "https://acme.example.org/dir"
	if c := relayOf(t, s, good...); c.acme != "https://acme.example.org/dir" {
		t.Errorf("%+v", c)
	}
	delete(s.env, "STARLING_RELAY_ACME_DIRECTORY")
	for _, bad := range [][]string{
		{"--domain", "relay"}, {"--domain", "192.0.2.1"}, {"--domain", "*.example.org"}, {"--domain", "https://example.org"},
		{"--acme-directory", "https://acme.example.org/dir"}, {"--domain", "a.example.org", "--acme-directory", "http://acme.example.org/dir"},
		{"--domain", "a.example.org", "--front", "--announce", "/ip4/9.9.9.9/tcp/443"},
	} {
		s.want(exitUsage, append([]string{"relay", "--listen", "/ip4/127.0.0.1/tcp/1", "--allow-private"}, bad...)...)
	}
}

// TestDomainWords: status tells until when the certificate is valid, why it is not renewed, and
// what to do.
func TestDomainWords(t *testing.T) {
	s := newShell(t)
	at := time.Date(2027, 2, 1, 12, 0, 0, 0, time.UTC)
	d := &relay.Domain{Name: "relay.example.org"}
	for _, c := range []struct {
		until, again *time.Time
		err, want    string
	}{
		{nil, nil, "", "being ordered"}, {&at, nil, "", "until "}, {nil, &at, "NXDOMAIN", "without a certificate"}, {&at, &at, "NXDOMAIN", "not renewed: NXDOMAIN"},
	} {
		for _, role := range []string{"relay", "bridge"} {
			d.Until, d.Again, d.Error, d.Remedy = c.until, c.again, c.err, "an A record"
			s.engine.relay = &relay.Status{Role: role, Domain: d}
			s.want(exitOK, "relay", "status")
			if out := s.out.String(); !strings.Contains(out, "relay.example.org") || !strings.Contains(out, c.want) || c.err != "" && !strings.Contains(out, "an A record") {
				t.Errorf("no %q in\n%s", c.want, out)
			}
		}
	}
}

// TestHangup: a hangup brings new limits of the file, those of the command line stay, and a
// file with a mistake brings nothing.
func TestHangup(t *testing.T) {
	s := newShell(t)
	file := filepath.Join(t.TempDir(), "relay.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("listen = \"/ip4/127.0.0.1/tcp/1\"\nbandwidth = \"1MB\"\nmax-clients = 7\n")
	s.serving = func(a *app, c relayConfig) {
		next := func() (l relay.Limits, ok bool) {
			a.hangups <- struct{}{}
			select {
			case l = <-c.changes:
				return l, true
			case <-time.After(time.Second):
				return l, false
			}
		}
		write("listen = \"/ip4/127.0.0.1/tcp/2\"\nbandwidth = \"5MB\"\nquota = \"2GB\"\n")
		if l, ok := next(); !ok || l.Bandwidth != 1_500_000 || l.Quota != 2_000_000_000 || l.MaxClients != 0 {
			t.Errorf("%+v %v", l, ok)
		}
		write("quota = 0\n")
		if l, ok := next(); ok {
			t.Errorf("a file with a mistake brings %+v", l)
		}
	}
	relayOf(t, s, "--config", file, "--bandwidth", "1500kB")
	for _, want := range []string{"restart", "setting=listen", "not read anew", "0 would carry nothing"} {
		if !strings.Contains(s.err.String(), want) {
			t.Errorf("no %q in %s", want, &s.err)
		}
	}
}

// TestSizes: sizes as people write them, and none that makes no sense.
func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"1000": 1000, "1kB": 1000, "1KiB": 1024, "1.5MB": 1_500_000, "2 GiB": 2 << 30, "3t": 3e12, "500GB": 500e9, "7b": 7, "1Gi": 1 << 30,
		"": -1, "0": -1, "0GB": -1, "-1": -1, "GB": -1, "1XB": -1, "1iB": -1, "1e9": -1, "9999999999TB": -1, "1MB/s": -1,
	} {
		s := size{none: "none"}
		if err := s.Set(text); (err == nil) != (want > 0) || err == nil && s.bytes != want {
			t.Errorf("%q: %d, %v", text, s.bytes, err)
		}
	}
	if err := (&size{least: 100}).Set("99"); err == nil {
		t.Error("less than the least")
	}
}

// TestNearest: a mistyped name is told by the one that was meant, and its line.
func TestNearest(t *testing.T) {
	names := []string{"listen", "announce", "bandwidth", "max-clients", "mailbox-size"}
	for word, want := range map[string]string{"bandwith": "bandwidth", "lisen": "listen", "max_clients": "max-clients", "mailboxsize": "mailbox-size"} {
		if got := nearest(word, names); got != want {
			t.Errorf("%s: %s", word, got)
		}
	}
	for text, line := range map[string]int{"quota = 1": 1, "# quota = 1\n\n  \"quota\" = 2": 3, "x = \"quota = 1\"\n[quota]\n": 2, "": 1} {
		if got := lineOf(text, "quota"); got != line {
			t.Errorf("%q: line %d", text, got)
		}
	}
}

// TestMetricsAddress: others can read no metrics unless the owner says so.
func TestMetricsAddress(t *testing.T) {
	for at, want := range map[string][2]bool{ // alone, with --metrics-public
		"": {true, true}, "127.0.0.1:9095": {true, true}, "[::1]:9095": {true, true}, "localhost:0": {true, true},
		"0.0.0.0:9095": {false, true}, ":9095": {false, true}, "192.168.1.2:9095": {false, true}, "[::]:9095": {false, true},
		"9095": {}, "127.0.0.1": {}, "127.0.0.1:http": {}, "127.0.0.1:70000": {}, "relay.example:9095": {}, "127.0.0.1:-1": {},
	} {
		for i, public := range []bool{false, true} {
			if err := checkMetrics(at, public); (err == nil) != want[i] {
				t.Errorf("%q, public %v: %v", at, public, err)
			}
		}
	}
}
