package cli

import (
	"strings"
	"testing"

	"starling/node/api"
	"starling/node/relay"
)

// TestRelayBridge: a bridge prints its link, and its code on standard error.
func TestRelayBridge(t *testing.T) {
	s := newShell(t)
	s.engine.bridge = "starling-bridge:aebagbaf"
	s.engine.during = func(relayConfig) {}
	s.want(exitOK, "relay", "--bridge", "--qr", "--listen", "/ip4/127.0.0.1/tcp/0", "--allow-private")
	if !strings.Contains(s.out.String(), `"bridge":"starling-bridge:aebagbaf"`) || !strings.Contains(s.err.String(), "▀") {
		t.Errorf("printed %s, %s", &s.out, &s.err)
	}
	if c := s.engine.relays[0]; !c.bridge || c.mapPort {
		t.Errorf("%+v", c)
	}
	s.want(exitOK, "relay", "--bridge", "--map-port", "--listen", "/ip4/127.0.0.1/tcp/0", "--allow-private")
	if c := s.engine.relays[1]; !c.bridge || !c.mapPort {
		t.Errorf("%+v", c)
	}
	for _, more := range [][]string{{"--family", "12D3"}, {"--lan"}, {"--listen", "/ip4/127.0.0.1/tcp/0/plain"}} {
		s.want(exitUsage, append([]string{"relay", "--bridge", "--listen", "/ip4/127.0.0.1/tcp/0", "--allow-private"}, more...)...)
	}
	s.want(exitUsage, "relay", "--qr", "--listen", "/ip4/127.0.0.1/tcp/0")
}

// TestBridgeStatus: what a bridge says of itself.
func TestBridgeStatus(t *testing.T) {
	s := newShell(t)
	s.engine.relay = &relay.Status{Role: "bridge", Bridge: "starling-bridge:aebagbaf", Relays: 7, Links: 4, Clients: 2, Listening: []string{"/ip4/20.1.2.3/tcp/443"}}
	s.want(exitOK, "relay", "status")
	for _, want := range []string{"leads to 7 relays", "starling-bridge:aebagbaf", "/ip4/20.1.2.3/tcp/443", "4 pipes"} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &s.out)
		}
	}
}

// TestBridgeCommands: with a node and without one.
func TestBridgeCommands(t *testing.T) {
	s := newShell(t)
	s.want(exitUsage, "bridge")
	s.want(exitUsage, "bridge", "join")
	s.want(exitUsage, "bridge", "add")
	s.want(exitOK, "bridge", "add", "see starling-bridge:aebagbaf", "--json")
	s.want(exitOK, "bridge", "list", "--json")
	if !strings.Contains(s.out.String(), `"link":"starling-bridge:aebagbaf"`) {
		t.Errorf("printed %s", &s.out)
	}
	s.want(exitOK, "bridge", "remove", "starling-bridge:aebagbaf")
	s.want(exitOK, "bridge", "list", "--json")
	if s.out.String() != "" {
		t.Errorf("printed %s", &s.out)
	}
}

// TestNodeBridge: a node may be a bridge for friends, unless its owner needs one.
func TestNodeBridge(t *testing.T) {
	s := newShell(t)
	s.want(exitUsage, "node", "--listen", "/ip4/0.0.0.0/tcp/443")
	s.want(exitUsage, "node", "--bridge")
	s.want(exitUsage, "node", "--bridge", "--listen", "/ip4/0.0.0.0/tcp/443/plain")

	s.engine.bridge = "starling-bridge:aebagbaf"
	s.engine.during = func(relayConfig) {} // it ends at once, and the command with it
	s.want(exitOK, "node", "--bridge", "--listen", "/ip4/0.0.0.0/tcp/443", "--qr")
	if !strings.Contains(s.out.String(), `"bridge":"starling-bridge:aebagbaf"`) || !strings.Contains(s.err.String(), "▀") || !s.engine.relays[0].bridge {
		t.Errorf("printed %s, %s", &s.out, &s.err)
	}
	s = newShell(t)
	s.engine.node.settings.BridgesOnly = true
	s.want(exitUsage, "node", "--bridge", "--listen", "/ip4/0.0.0.0/tcp/443")
}

// TestOwnBridge: the setting, and how the bridge is that this computer is for friends.
func TestOwnBridge(t *testing.T) {
	s := newShell(t)
	s.want(exitUsage, "bridge", "own")
	if !strings.Contains(s.err.String(), "starling settings bridge on") {
		t.Errorf("printed %s", &s.err)
	}
	s.want(exitOK, "settings", "bridge", "on")
	if !strings.Contains(s.err.String(), "starling bridge own") {
		t.Errorf("printed %s", &s.err)
	}
	s.want(exitUsage, "settings", "bridge")

	link := "starling-bridge:aebagbaf"
	s.engine.node.own = []api.OwnBridge{{State: api.OwnBridgeStarting}, {State: api.OwnBridgeUntried, Link: link, Reason: "nobody has come in yet", Remedy: "have a friend take the link"}}
	s.want(exitOK, "bridge", "own", "--qr")
	for _, want := range []string{"open; nobody has come in yet", "Next: have a friend take the link", link, "▀"} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &s.out)
		}
	}
	s.want(exitOK, "bridge", "own", "--json")
	if !strings.Contains(s.out.String(), `{"state":"untried","link":"`+link+`"`) {
		t.Errorf("printed %s", &s.out)
	}
	s.want(exitOK, "bridge", "own", "--to", "Bob")
	if sent := s.engine.node.sent; len(sent) != 1 || sent[0].Contact != "Bob" || sent[0].Text != link {
		t.Errorf("sent %+v", sent)
	}

	s.engine.node.own = []api.OwnBridge{{State: api.OwnBridgeReached, Link: link, Clients: 2}}
	s.want(exitOK, "bridge", "own")
	if !strings.Contains(s.out.String(), "reached by others; 2 connected now") {
		t.Errorf("printed %s", &s.out)
	}
	s.engine.node.own = []api.OwnBridge{{State: api.OwnBridgeShut, Reason: "no address", Remedy: "forward a port"}}
	s.want(exitOK, "bridge", "own")
	if !strings.Contains(s.out.String(), "shut: no address\nNext: forward a port\n") {
		t.Errorf("printed %s", &s.out)
	}
	s.want(exitUsage, "bridge", "own", "--to", "Bob") // there is nothing to send
	s.want(exitUsage, "bridge", "own", "--qr")
	s.engine.node.status.OwnBridge = &s.engine.node.own[0]
	s.want(exitOK, "status")
	if !strings.Contains(s.out.String(), "own bridge") {
		t.Errorf("printed %s", &s.out)
	}
}
