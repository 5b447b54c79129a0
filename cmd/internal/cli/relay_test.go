package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"starling/node/relay"
)

// TestRelayStatus: the words of a relay, for each way in which it may stand.
func TestRelayStatus(t *testing.T) {
	s := newShell(t)
	s.want(exitNetwork, "relay", "status")
	if !strings.Contains(s.err.String(), "no relay runs") || !strings.Contains(s.err.String(), "hint: start it") {
		t.Errorf("without a relay: %s", &s.err)
	}
	s.want(exitUsage, "relay", "status", "now")

	at := []string{"/ip4/9.9.9.9/tcp/4001"}
	for _, tt := range []struct {
		name   string
		status relay.Status
		want   []string
	}{
		{"well", relay.Status{Listed: true, Reachable: true, Announced: at, Asked: 3, ListedBy: []string{"a", "b"}, ReachedBy: []string{"a", "b"}, ClockKnown: true, ClockAhead: 90, ClientPlaces: 2000, Clients: 7},
			[]string{"listed      yes, by 2 of 3 other", "reachable   yes: reached from outside by 2 of 3", "announced   /ip4/9.9.9.9/tcp/4001", "1m30s ahead", "7 of 2000 places"}},
		{"firewalled", relay.Status{Unreached: at, Asked: 1}, []string{"listed      no: by 0 of 1 other relay ", "reachable   no", "unreached   /ip4/9.9.9.9/tcp/4001", "announced   nothing"}},
		{"first", relay.Status{Alone: true, Announced: at, AllowPrivate: true}, []string{"first of its mesh", "reachable   not known", "not compared", "private addresses"}},
		{"new", relay.Status{Announced: at, ClockKnown: true, ClockAhead: -5}, []string{"listed      not known", "reachable   not known", "5s behind"}},
		{"hostile", relay.Status{Announced: []string{"\x1b[2J\u202e"}, PeerID: "a\nb", ClockKnown: true}, []string{"agrees"}},
	} {
		s.engine.relay = &tt.status
		s.want(exitOK, "relay", "status")
		for _, want := range tt.want {
			if !strings.Contains(s.out.String(), want) {
				t.Errorf("%s: no %q in\n%s", tt.name, want, &s.out)
			}
		}
		if strings.ContainsAny(s.out.String(), "\x1b\u202e") || strings.Contains(s.out.String(), "\nb") {
			t.Errorf("%s: %q", tt.name, &s.out)
		}
	}
	s.want(exitOK, "relay", "status", "--json")
	if !strings.HasPrefix(s.out.String(), `{"listed":false,"reachable":false,"peer_id":`) {
		t.Error(&s.out)
	}
}

// TestSiteFlag: what is no web site is a wrong word, with which no supervisor tries again.
func TestSiteFlag(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newShell(t)
	for _, site := range []string{file, file + ".not", "http://", "ftp://127.0.0.1/", "127.0.0.1:80"} {
		s.want(exitUsage, "relay", "--listen", "/ip4/127.0.0.1/tcp/0", "--site", site)
	}
	for _, site := range []string{"", filepath.Dir(file), "http://127.0.0.1:8080"} {
		if err := checkSite(site); err != nil {
			t.Errorf("%s: %v", site, err)
		}
	}
}
