package node

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"starling/node/api"
	"starling/node/nettest"
	"starling/p2p"
	"starling/p2p/directory"
)

// A fakeBridge is a bridge that is told what to be.
type fakeBridge struct {
	begun chan BridgeConfig
	tell  chan BridgeNews
	fail  chan error
	runs  atomic.Int32 // that go on now
}

func newFakeBridge() *fakeBridge {
	return &fakeBridge{begun: make(chan BridgeConfig, 10), tell: make(chan BridgeNews), fail: make(chan error)}
}

func (f *fakeBridge) run(ctx context.Context, c BridgeConfig, tell func(BridgeNews)) error {
	f.runs.Add(1)
	defer f.runs.Add(-1)
	f.begun <- c
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-f.fail:
			return err
		case news := <-f.tell:
			tell(news)
		}
	}
}

func (u *user) setBridge(text string) error {
	_, err := u.ChangeSettings(u.t.Context(), api.SettingsChange{Bridge: &text})
	return err
}

// wantBridge waits for a state of the bridge.
func (u *user) wantBridge(want api.OwnBridgeState) (b api.OwnBridge) {
	u.t.Helper()
	for {
		changed := u.statusChanged()
		b, err := u.OwnBridge(u.t.Context())
		if err != nil {
			u.t.Fatal(err)
		}
		if b.State == want {
			return b
		}
		select {
		case <-changed:
		case <-u.t.Context().Done():
			u.t.Fatalf("it is %+v", b)
		}
	}
}

// TestOwnBridge: one setting makes this computer a bridge for friends, which lives through
// a restart, says honestly whether others reach it, and ends with the setting.
func TestOwnBridge(t *testing.T) {
	ada := newUser(t, nettest.New(4), "Ada")
	door := newFakeBridge()
	ada.bridge = door.run
	ada.restart()
	ada.wantBridge(api.OwnBridgeOff)
	if s, err := ada.Status(t.Context()); err != nil || s.OwnBridge != nil {
		t.Error(s.OwnBridge, err)
	}

	if err := ada.setBridge(api.BridgeOn); err != nil {
		t.Fatal(err)
	}
	set, err := ada.Settings(t.Context())
	port, _ := strconv.Atoi(set.Bridge)
	if err != nil || port < firstPort || port > lastPort {
		t.Fatalf("the port is %q, %v", set.Bridge, err)
	}
	c := <-door.begun
	if c.Listen[0] != "/ip4/0.0.0.0/tcp/"+set.Bridge || len(c.Announce) > 0 {
		t.Errorf("%+v", c)
	}
	ada.wantBridge(api.OwnBridgeStarting)
	door.tell <- BridgeNews{}
	if b := ada.wantBridge(api.OwnBridgeShut); b.Link != "" || !strings.Contains(b.Reason, "no address that others could reach") || !strings.Contains(b.Remedy, "forward") {
		t.Errorf("%+v", b)
	}
	door.tell <- BridgeNews{Link: "starling-bridge:one", Addresses: []string{"/ip4/20.1.2.3/tcp/20443"}}
	if b := ada.wantBridge(api.OwnBridgeUntried); b.Link != "starling-bridge:one" || !strings.Contains(b.Reason, "nobody has come in yet") {
		t.Errorf("%+v", b)
	}
	door.tell <- BridgeNews{Link: "starling-bridge:one", Clients: 2}
	if b := ada.wantBridge(api.OwnBridgeReached); b.Clients != 2 || b.Reason != "" {
		t.Errorf("%+v", b)
	}
	door.tell <- BridgeNews{Link: "starling-bridge:one"} // they have gone, and it was reached all the same
	ada.wantBridge(api.OwnBridgeReached)
	door.tell <- BridgeNews{Link: "starling-bridge:two"} // by its new address nobody has come
	ada.wantBridge(api.OwnBridgeUntried)
	if s, err := ada.Status(t.Context()); err != nil || s.OwnBridge == nil || s.OwnBridge.Link != "" {
		t.Errorf("the status has %+v, %v", s.OwnBridge, err)
	}

	ada.restart()
	if again := <-door.begun; !slices.Equal(again.Listen, c.Listen) {
		t.Errorf("after the restart %+v", again)
	}
	if err := ada.setBridge(api.BridgeOn); err != nil { // it is on already
		t.Fatal(err)
	}
	if now, err := ada.Settings(t.Context()); err != nil || now.Bridge != set.Bridge {
		t.Errorf("on again moved it to %q, %v", now.Bridge, err)
	}

	if err := ada.setBridge(""); err != nil || door.runs.Load() != 0 {
		t.Errorf("%v, %d go on", err, door.runs.Load())
	}
	ada.wantBridge(api.OwnBridgeOff)
}

// TestOwnBridgeAt: where a router forwards a port from, and what is no such place.
func TestOwnBridgeAt(t *testing.T) {
	ada := newUser(t, nettest.New(4), "Ada")
	door := newFakeBridge()
	ada.bridge = door.run
	ada.restart()
	for _, bad := range []string{"0", "65536", "-1", "yes", "20.1.2.3", "20.1.2.3:0", "20.1.2.3:70000", "0.0.0.0:443", "[::]:443", "home.example.org:443", "192.168.1.2:443",
		"127.0.0.1:443", "[fe80::1%eth0]:443", "[::ffff:10.0.0.1]:443", "100.64.0.1:443", ":443", "/ip4/20.1.2.3/tcp/443", "443 ", strings.Repeat("4", 1<<16)} {
		if err := ada.setBridge(bad); api.CodeOf(err) != api.CodeUsage {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
	ada.wantBridge(api.OwnBridgeOff)
	for text, want := range map[string]struct{ kept, announced string }{
		"20443":                 {"20443", ""},
		"020443":                {"20443", ""},
		"20.1.2.3:20443":        {"20.1.2.3:20443", "/ip4/20.1.2.3/tcp/20443"},
		"[::ffff:20.1.2.3]:443": {"20.1.2.3:443", "/ip4/20.1.2.3/tcp/443"},
		"[2600::1]:20443":       {"[2600::1]:20443", "/ip6/2600::1/tcp/20443"},
	} {
		if err := ada.setBridge(text); err != nil {
			t.Fatal(text, err)
		}
		set, err := ada.Settings(t.Context())
		if c := <-door.begun; err != nil || set.Bridge != want.kept || strings.Join(c.Announce, " ") != want.announced {
			t.Errorf("%s: kept %q, %+v, %v", text, set.Bridge, c, err)
		}
		if err := ada.setBridge(""); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOwnBridgeBesideAProxy: a bridge dials by itself, so a proxy or bridges alone end it
// before they are in use, and it cannot be switched on beside them.
func TestOwnBridgeBesideAProxy(t *testing.T) {
	ada := newUser(t, nettest.New(4), "Ada")
	door := newFakeBridge()
	ada.bridge = door.run
	ada.restart()
	proxy, none, yes, no, on := "socks5://127.0.0.1:9050", "", true, false, api.BridgeOn
	for what, change := range map[string][2]api.SettingsChange{
		"proxy":   {{Proxy: &proxy}, {Proxy: &none}},
		"bridges": {{BridgesOnly: &yes}, {BridgesOnly: &no}},
	} {
		if err := ada.setBridge(api.BridgeOn); err != nil {
			t.Fatal(err)
		}
		<-door.begun
		if _, err := ada.ChangeSettings(t.Context(), change[0]); err != nil || door.runs.Load() != 0 {
			t.Fatalf("%s: %v, %d go on", what, err, door.runs.Load())
		}
		if b := ada.wantBridge(api.OwnBridgeShut); b.Reason != barredBridge.Message {
			t.Errorf("%s: %+v", what, b)
		}
		if err := ada.setBridge("20443"); api.CodeOf(err) != api.CodeUsage {
			t.Errorf("%s: %v", what, err)
		}
		ada.restart()
		ada.wantBridge(api.OwnBridgeShut)
		if _, err := ada.ChangeSettings(t.Context(), change[1]); err != nil {
			t.Fatal(err)
		}
		<-door.begun // and goes on by itself
		if err := ada.setBridge(""); err != nil {
			t.Fatal(err)
		}
		if n := len(door.begun); n > 0 {
			t.Errorf("%s: it was opened %d times more, as by the start", what, n)
		}
	}
	if _, err := ada.ChangeSettings(t.Context(), api.SettingsChange{Proxy: &proxy, Bridge: &on}); api.CodeOf(err) != api.CodeUsage {
		t.Errorf("both at once: %v", err)
	}
	if set, err := ada.Settings(t.Context()); err != nil || set.Proxy != "" || set.Bridge != "" {
		t.Errorf("%+v, %v", set, err)
	}
}

// TestProxyStaysWhenAChangeFails: a change that takes the proxy away and is refused for
// another of its parts leaves the connections where they are.
func TestProxyStaysWhenAChangeFails(t *testing.T) {
	ada := newUser(t, nettest.New(4), "Ada")
	proxy, none, yes, port, long := "socks5://127.0.0.1:9050", "", true, "20443", strings.Repeat("x", api.MaxName+1)
	if _, err := ada.ChangeSettings(t.Context(), api.SettingsChange{Proxy: &proxy, BridgesOnly: &yes}); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]api.SettingsChange{
		"a name":   {Proxy: &none, Name: &long},
		"a bridge": {Proxy: &none, Bridge: &port}, // beside bridges alone
	} {
		if _, err := ada.ChangeSettings(t.Context(), change); api.CodeOf(err) != api.CodeUsage {
			t.Errorf("%s: %v", what, err)
		}
		if got := ada.link.Proxy(); got != proxy {
			t.Errorf("%s: the connections go over %q", what, got)
		}
	}

	if _, err := ada.ChangeSettings(t.Context(), api.SettingsChange{Proxy: &none}); err != nil || ada.link.Proxy() != "" {
		t.Errorf("taken away: %v, %q", err, ada.link.Proxy())
	}
}

// TestOwnBridgeFails: a bridge that cannot be opened says why, and an action of the owner
// has it tried again.
func TestOwnBridgeFails(t *testing.T) {
	ada := newUser(t, nettest.New(4), "Ada")
	door := newFakeBridge()
	ada.bridge = door.run
	ada.restart()
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := ada.setBridge(strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)); err != nil {
		t.Fatal(err)
	}
	<-door.begun
	door.fail <- &api.Error{Code: api.CodeInUse, Message: "the address is in use"}
	if b := ada.wantBridge(api.OwnBridgeShut); !strings.Contains(b.Reason, "another program has the port") || b.Remedy == "" {
		t.Errorf("%+v", b)
	}
	if err := ada.setBridge(""); err != nil {
		t.Fatal(err)
	}
	if err := ada.setBridge(api.BridgeOn); err != nil {
		t.Fatal(err)
	}
	<-door.begun
	ada.wantBridge(api.OwnBridgeStarting)
}

// TestWipeTakesTheBridge: its key and what it knew are gone, and a relay of the same folder
// stays.
func TestWipeTakesTheBridge(t *testing.T) {
	for _, relay := range []bool{false, true} {
		for what, wipe := range map[string]func(*user) error{
			"running": func(u *user) error { return u.Wipe(t.Context()) },
			"still":   func(u *user) error { u.shutdown(); return Wipe(u.dir) },
		} {
			ada := newUser(t, nettest.New(4), "Ada")
			folder := filepath.Join(ada.dir.Dir, "relay")
			if err := os.MkdirAll(filepath.Join(folder, "bridge"), 0o700); err != nil {
				t.Fatal(err)
			}
			names := []string{"relay.lock", "relay.quota", "bridge/bridge.key", "bridge/network"}
			if relay {
				names = append(names, "relay.key")
			}
			for _, name := range names {
				if err := os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := wipe(ada); err != nil {
				t.Fatal(what, err)
			}
			if _, err := os.Stat(filepath.Join(folder, "bridge")); !os.IsNotExist(err) {
				t.Errorf("%s: the bridge is there: %v", what, err)
			}
			if _, err := os.Stat(folder); os.IsNotExist(err) == relay {
				t.Errorf("%s, with a relay %v: %v", what, relay, err)
			}
		}
	}
}

// hinted is a network whose relays have addresses.
type hinted struct{ *nettest.Client }

func (h hinted) Hint(id p2p.NodeID) ([]byte, error) {
	at := directory.Address{AddrPort: netip.MustParseAddrPort("20.1.2.3:443")}
	return directory.Hint{ID: id, Addresses: []directory.Address{at}}.Append(nil), nil
}

func (h hinted) AddHint(b []byte) (p2p.NodeID, error) {
	return h.Client.AddHint(b[:min(len(b), len(p2p.NodeID{}))])
}

// TestOwnBridgeSharesNothing: it is told relays of the public list, and neither the guards
// nor the mailboxes of its owner.
func TestOwnBridgeSharesNothing(t *testing.T) {
	mesh := nettest.New(12)
	ada, bob := newUser(t, mesh, "Ada"), newUser(t, mesh, "Bob")
	befriend(t, ada, bob)
	var ours []string
	status, err := ada.Status(t.Context())
	if err != nil || len(status.Mailboxes) == 0 || len(status.Guards) == 0 {
		t.Fatal(status, err)
	}
	for _, m := range status.Mailboxes {
		ours = append(ours, m.PeerID)
	}
	for _, g := range status.Guards {
		ours = append(ours, g.PeerID)
	}
	ada.shutdown()

	ada.network = func(cfg p2p.ClientConfig) (Network, error) {
		ada.link = mesh.Client(cfg)
		return hinted{ada.link}, nil
	}
	ada.bootstrap = []string{}
	for range 10 {
		door := newFakeBridge()
		ada.bridge = door.run
		ada.start()
		if err := ada.setBridge(api.BridgeOn); err != nil {
			t.Fatal(err)
		}
		c := <-door.begun
		if len(c.Bootstrap) == 0 {
			t.Fatal("it begins with nobody")
		}
		for _, at := range c.Bootstrap {
			if slices.ContainsFunc(ours, func(id string) bool { return strings.Contains(at, id) }) {
				t.Errorf("it is told of %s", at)
			}
		}
		ada.shutdown()
	}
}

// TestOwnBridgeKnowsNobody: without a relay to begin with it is not opened, and says so; one
// that has relays of its own is.
func TestOwnBridgeKnowsNobody(t *testing.T) {
	ada := newUser(t, nettest.New(4), "Ada") // its hints have no addresses
	ada.bootstrap = []string{}
	door := newFakeBridge()
	ada.bridge = door.run
	ada.restart()
	if err := ada.setBridge(api.BridgeOn); err != nil {
		t.Fatal(err)
	}
	if b := ada.wantBridge(api.OwnBridgeShut); b.Reason != "no relay is known yet that the bridge could lead to" {
		t.Errorf("%+v", b)
	}
	folder := filepath.Join(ada.dir.Dir, "relay", "bridge")
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "network"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	ada.restart()
	<-door.begun
}
