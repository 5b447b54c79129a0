package node

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"starling/node/api"
	"starling/node/nettest"
	"starling/p2p/book"
	"starling/p2p/bridge"
	"starling/p2p/wire"
)

// bridgeAt is the link of a bridge that is not there.
func bridgeAt(id byte, addr string) string {
	l := bridge.Link{ID: wire.NodeID{id}, Addresses: []book.Address{book.Web(netip.MustParseAddrPort(addr))}}
	return l.String()
}

// TestBridges: a profile keeps the bridges of its owner, and tells the network.
func TestBridges(t *testing.T) {
	ada := newUser(t, nettest.New(4), "Ada")
	one, two := bridgeAt(1, "20.1.2.3:443"), bridgeAt(2, "20.1.2.4:443")
	for _, text := range []string{"Here: " + strings.ToUpper(one) + "\nSee you", one, two[:40] + "\n" + two[40:]} {
		if _, err := ada.AddBridge(t.Context(), api.BridgeRequest{Link: text}); err != nil {
			t.Fatal(err)
		}
	}
	for why, text := range map[string]string{
		"no link": "hello", "cut": one[:len(one)-12], "an invite": "starling:aebagbaf",
		"private": bridgeAt(3, "192.168.1.1:443"), "mistyped": one[:30] + "zzzz" + one[34:],
		"long": strings.Repeat(" ", api.MaxBridgeText) + one,
	} {
		if _, err := ada.AddBridge(t.Context(), api.BridgeRequest{Link: text}); api.CodeOf(err) != api.CodeUsage {
			t.Errorf("%s: %v", why, err)
		}
	}

	yes := true
	if set, err := ada.ChangeSettings(t.Context(), api.SettingsChange{BridgesOnly: &yes}); err != nil || !set.BridgesOnly {
		t.Fatal(set, err)
	}
	want := func(only bool, links ...string) {
		t.Helper()
		all, err := ada.ListBridges(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var kept []string
		for _, b := range all {
			kept = append(kept, b.Link)
		}
		if in := ada.link.Bridges(); !slices.Equal(kept, links) || !slices.Equal(in.Links, links) || in.Only != only {
			t.Errorf("kept %q, in use %+v", kept, in)
		}
	}
	want(true, one, two)
	ada.restart()
	want(true, one, two)

	for name, code := range map[string]api.Code{"": api.CodeNoBridge, "12D3": api.CodeUsage, "13": api.CodeNoBridge} {
		if err := ada.RemoveBridge(t.Context(), name); api.CodeOf(err) != code {
			t.Errorf("remove %q: %v", name, err)
		}
	}
	if err := ada.RemoveBridge(t.Context(), strings.ToUpper(one)); err != nil {
		t.Fatal(err)
	}
	if err := ada.RemoveBridge(t.Context(), wire.NodeID{2}.String()); err != nil {
		t.Fatal(err)
	}
	want(true)
}

// TestInviteWithBridge: an invite carries bridges if it is asked to, and nobody whose
// profile knows relays takes them by it.
func TestInviteWithBridge(t *testing.T) {
	net := nettest.New(4)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	door := bridgeAt(1, "20.1.2.3:443")
	if _, err := ada.AddBridge(t.Context(), api.BridgeRequest{Link: door}); err != nil {
		t.Fatal(err)
	}
	plain, err := ada.Invite(t.Context(), api.InviteRequest{})
	if err != nil || strings.Contains(plain.Link, bridge.Prefix) {
		t.Fatal(plain.Link, err)
	}
	invite, err := ada.Invite(t.Context(), api.InviteRequest{WithBridge: true})
	if err != nil || !strings.HasPrefix(invite.Link, "starling:") || !strings.HasSuffix(invite.Link, " "+door) {
		t.Fatal(invite.Link, err)
	}
	if _, err := bob.AddContact(t.Context(), api.AddContactRequest{Link: strings.ToUpper(invite.Link)}); err != nil {
		t.Fatal(err)
	}
	waitFriends(t, ada, bob)
	if all, err := bob.ListBridges(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("Bob took %v, %v", all, err)
	}
}
