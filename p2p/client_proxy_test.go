package p2p_test

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"starling/p2p"
	"starling/p2p/p2ptest"
	"starling/p2p/proxy"
	"starling/p2p/proxy/proxytest"
)

// TestProxy: a client with a proxy reaches every relay over it, each with a login of its
// own, and no relay sees the client's address. Without the proxy it reaches nobody.
func TestProxy(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs the whole of 127.0.0.0/8")
	}
	const relays, own = 6, "127.77.7.7"
	views := make([]p2ptest.Witness, relays)
	mesh := p2ptest.Loopback(t, relays, func(i int, cfg *p2p.RelayConfig) {
		cfg.Source = fmt.Sprintf("127.25.%d.1", i+1)
		cfg.Listen = []string{"/ip4/" + cfg.Source + "/tcp/0"}
		if i%2 == 1 {
			cfg.Listen = []string{"/ip4/" + cfg.Source + "/tcp/0/plain"}
		}
		cfg.Tap = views[i].Tap
	})
	server := proxytest.New(t, "127.26.1.1:0", nil)
	server2 := proxytest.New(t, "127.26.1.2:0", nil)
	c := mesh.Client(func(cfg *p2p.ClientConfig) { cfg.Proxy, cfg.Source = server.URL(), own })
	c.WaitReady(t)
	box := mailboxes(t, c, 1)[0]
	mustPut(t, c, box, randomTag(), randomBox())

	logins := map[string]string{}
	for _, a := range server.Asks() {
		if was := logins[a.To]; was != "" && was != a.Login || len(a.Login) < 16 {
			t.Errorf("%s was asked for as %q and %q", a.To, was, a.Login)
		}
		logins[a.To] = a.Login
		if _, err := netip.ParseAddrPort(a.To); err != nil {
			t.Errorf("a name: %s", a.To)
		}
	}
	if all := slices.Collect(func(yield func(string) bool) {
		for _, l := range logins {
			if !yield(l) {
				return
			}
		}
	}); len(all) < 2 || len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all) {
		t.Errorf("logins are shared: %v", logins)
	}
	for _, g := range c.Status().Guards {
		if g.Connected && !slices.ContainsFunc(server.Asks(), func(a proxytest.Ask) bool {
			host, port, _ := net.SplitHostPort(a.To)
			return strings.HasPrefix(g.Addr, "/ip4/"+host+"/tcp/"+port)
		}) {
			t.Errorf("guard %s was not asked of the proxy", g.Addr)
		}
	}
	saw := func() bool {
		for i := range views {
			for _, s := range views[i].Forget() {
				if strings.Contains(s.Addr, own) {
					return true
				}
			}
		}
		return false
	}
	if saw() {
		t.Error("a relay saw the client's address")
	}

	// The proxy dies: the client fails closed, and says so.
	server.Stop()
	p2ptest.Eventually(t, "the fault is told", func() bool {
		s := c.Status()
		return !s.Ready && s.Proxy.Fault == proxy.Down && s.Reason == string(proxy.Down)
	})
	if saw() {
		t.Error("without the proxy a relay saw the client")
	}

	// With another one it goes on, and nothing goes beside that.
	if err := c.SetProxy(server2.URL()); err != nil {
		t.Fatal(err)
	}
	c.WaitReady(t)
	if s := c.Status(); s.Proxy.Fault != "" || len(server2.Asks()) < 2 || saw() {
		t.Errorf("%+v", s.Proxy)
	}
}
