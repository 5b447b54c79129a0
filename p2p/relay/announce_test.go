package relay

import (
	"slices"
	"strings"
	"testing"

	"github.com/multiformats/go-multiaddr"

	"starling/p2p/directory"
)

// TestClaimed: announced addresses are claimed, and addresses that others could
// reach.
func TestClaimed(t *testing.T) {
	announced, err := parseAnnounce([]string{"/ip4/9.9.9.9/tcp/4001"}, false)
	if err != nil {
		t.Fatal(err)
	}
	var listening []multiaddr.Multiaddr
	for _, s := range []string{"/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.2/tcp/1", "/ip4/9.9.9.9/tcp/4001", "/ip4/8.8.8.8/tcp/1",
		"/ip4/8.8.8.8/udp/1/quic-v1", "/ip6/2a01:4f8::1/tcp/1", "/ip4/8.8.8.9/tcp/1", "/ip4/8.8.8.10/tcp/1"} {
		listening = append(listening, multiaddr.StringCast(s))
	}
	for name, c := range map[string]struct {
		private, lan bool
		want         string
	}{
		"public":  {false, false, "9.9.9.9:4001 8.8.8.8:1 [2a01:4f8::1]:1 8.8.8.9:1"},
		"private": {true, false, "9.9.9.9:4001 192.168.1.2:1 8.8.8.8:1 [2a01:4f8::1]:1"},
		"LAN":     {true, true, "9.9.9.9:4001 192.168.1.2:1 8.8.8.8:1 [2a01:4f8::1]:1"},
	} {
		var got []string
		for _, a := range claimed(announced, listening, c.private, c.lan) {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, c := range map[string]struct {
		announced []directory.Address
		private   bool
		want      string
	}{
		"announced": {announced, false, "/ip4/9.9.9.9/tcp/4001 /ip4/8.8.8.8/tcp/1 /ip6/2a01:4f8::1/tcp/1"},
		"public":    {nil, false, "/ip4/9.9.9.9/tcp/4001 /ip4/8.8.8.8/tcp/1 /ip6/2a01:4f8::1/tcp/1"},
		"private":   {announced, true, "/ip4/9.9.9.9/tcp/4001 /ip4/8.8.8.8/tcp/1 /ip6/2a01:4f8::1/tcp/1 /ip4/192.168.1.2/tcp/1 /ip4/127.0.0.1/tcp/1"},
	} {
		at := append(slices.Clone(listening[:4]), listening[5])
		var got []string
		for _, m := range addresses(c.announced, at, c.private) {
			got = append(got, m.String())
		}
		if c.announced == nil {
			slices.Sort(got)
			c.want = "/ip4/8.8.8.8/tcp/1 /ip4/9.9.9.9/tcp/4001 /ip6/2a01:4f8::1/tcp/1"
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := addresses(nil, listening[:2], false); len(got) != 1 || got[0].String() != "/ip4/192.168.1.2/tcp/1" {
		t.Errorf("without a public one: %v", got)
	}
	for _, s := range []string{"", "9.9.9.9", "/ip4/9.9.9.9", "/ip4/127.0.0.1/tcp/1", "/ip4/9.9.9.9/tcp/0", "/dns4/a.example/tcp/1"} {
		if a, err := parseAnnounce([]string{s}, false); err == nil {
			t.Errorf("%q is announced as %v", s, a)
		}
	}
	for _, c := range []struct {
		announced, listen string
		ok                bool
	}{
		{"/ip4/9.9.9.9/tcp/22", "", false}, {"/ip4/9.9.9.9/tcp/443", "/ip4/10.0.0.1/tcp/22", true}, {"", "/ip4/9.9.9.9/tcp/25", false},
		{"", "/ip4/0.0.0.0/tcp/0", true}, {"", "/ip6/::/tcp/1023", false}, {"", "/ip4/0.0.0.0/tcp/80", true}, {"", "nonsense", true},
	} {
		var announced []directory.Address
		if c.announced != "" {
			if announced, err = parseAnnounce([]string{c.announced}, false); err != nil {
				t.Fatal(err)
			}
		}
		if err := checkPorts(announced, []string{c.listen}); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
	one := "12D3KooWQjTEuAxgEwsPgmqDnTBfKyHpPWLbhsQ3g4i7SwaseQgD"
	if f, err := parseFamily([]string{one}); err != nil || len(f) != 1 || f[0] == (directory.Prefix{}) {
		t.Errorf("family %v: %v", f, err)
	}
	for _, ids := range [][]string{{"me"}, slices.Repeat([]string{one}, directory.MaxFamily+1)} {
		if _, err := parseFamily(ids); err == nil {
			t.Errorf("family of %q", ids)
		}
	}
}
