package tui_test

import (
	"context"
	"strings"
	"testing"

	"starling/node/api"
	"starling/tui"
	"starling/tui/tuitest"
)

// TestBridgeInTheChat: a bridge that a contact sent is taken with one key, after its price
// was read, and not before.
func TestBridgeInTheChat(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	node.Receive(id, "try this door: starling-bridge:aebagbaf.")
	u := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en"})
	bridges := func(want int) {
		t.Helper()
		if all, err := node.ListBridges(t.Context()); err != nil || len(all) != want {
			t.Errorf("%v, %v", all, err)
		}
	}
	u.Expect().Sees("starling-bridge:aebagbaf")
	u.Press("esc", "l").Expect().Sees("Take this bridge?", "sees the address of", "Nothing has been dialled yet.")
	u.Enter().Expect().Sees("Take this bridge?")
	bridges(0)
	u.Press("esc").Expect().SeesNot("Take this bridge?")
	bridges(0)
	u.Press("l", "y").Expect().Sees("The bridge is taken")
	bridges(1)
}

// TestJoinByABridge: the dialog of a relay's address takes the link of a bridge.
func TestJoinByABridge(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	joined := 0
	u := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en", Join: func(context.Context, string) error { joined++; return nil }})
	u.Press("f10").Expect().Sees("Join by a relay", "or a bridge for")
	u.Type("STARLING-BRIDGE:AEBAGBAF").Enter().Expect().Sees("Take this bridge?")
	u.Press("y").Expect().Sees("The bridge is taken")
	if all, err := node.ListBridges(t.Context()); err != nil || len(all) != 1 || joined > 0 {
		t.Errorf("%v, %v, joined %d times", all, err, joined)
	}
}

// TestInviteWithBridges: an invite carries the bridges of a profile that has some, if it is
// asked to.
func TestInviteWithBridges(t *testing.T) {
	node := tuitest.NewNode(clock)
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 120, 40)
	u.Press("ctrl+n").Expect().Sees("Who is it for?").SeesNot("With your bridges")
	u.Press("esc")
	if _, err := node.AddBridge(t.Context(), api.BridgeRequest{Link: "starling-bridge:aebagbaf"}); err != nil {
		t.Fatal(err)
	}
	node.SetStatus(func(s *api.Status) { s.Relays = 9 })
	u.Expect().Status("9 relays")
	for _, with := range []bool{false, true} {
		u.Press("ctrl+n").Expect().Sees("With your bridges", "They lead in where relays are blocked.")
		u.Press("enter", "enter")
		if with {
			u.Press("right")
		}
		u.Enter().Expect().Sees("Works once")
		all, err := node.Invites(t.Context())
		if err != nil || strings.Contains(all[len(all)-1].Link, "starling-bridge:") != with {
			t.Errorf("with %v: %v, %v", with, all, err)
		}
		u.Press("esc")
	}
}

// TestSettingsOfTheWaysIn: the proxy and bridges alone are set in the form of the settings.
func TestSettingsOfTheWaysIn(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	u := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en"})
	u.Type("/settings").Enter().Expect().Sees("Settings")
	u.Press("up", "up").Type("http://127.0.0.1:9050").Press("enter", "right").Enter().Expect().Sees("This is no proxy")
	u.Press("up").Press("ctrl+u").Type("socks5://127.0.0.1:9050").Press("enter").Enter().Expect().SeesNot("Dial bridges alone")
	if s, err := node.Settings(t.Context()); err != nil || s.Proxy != "socks5://127.0.0.1:9050" || !s.BridgesOnly {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestWaysIn: the card of the network tells how each way in answered, and that a network
// freezes connections, which is no error.
func TestWaysIn(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	node.SetStatus(func(s *api.Status) {
		s.FreezesAfter, s.Notice = 14_200, "This network freezes connections. Going on over short ones."
		s.Ways = []api.Way{
			{Address: "/ip4/192.0.2.1/tcp/443", Kind: "guard", Outcome: "connected", Bytes: 14_200},
			{Address: "/ip4/192.0.2.2/tcp/443", Kind: "given", Outcome: "captive-portal"},
			{Address: "/ip4/192.0.2.3/tcp/443", Kind: "link", Outcome: "wrong-key"},
		}
	})
	for language, sees := range map[string][]string{
		"en": {"This network freezes connections.", "Ways in", "connected; before, it froze after 14 KB", "this network wants a log-in", "somebody else is there"},
		"de": {"Dieses Netz friert Verbindungen ein.", "Wege hinein", "dieses Netz verlangt eine Anmeldung", "dort ist jemand anderes"},
		"ru": {"Эта сеть замораживает соединения.", "Пути в сеть", "эта сеть требует входа", "там кто-то другой"},
	} {
		u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: language}, 120, 60)
		u.Press("f2").Expect().Sees(sees...)
	}
}

// TestOutOfReach: the card of the network says that most of it is out of reach, and over how many relays messages go on.
func TestOutOfReach(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	node.SetStatus(func(s *api.Status) {
		s.Reached, s.Notice = 8, "Most of the network is out of reach. Going on over 8 relays."
	})
	for language, sees := range map[string]string{
		"en": "Most of the network is out of reach. Going on over 8 relays.",
		"de": "Der größte Teil des Netzes ist nicht zu erreichen. Es geht über 8",
		"ru": "Большая часть сети недоступна.",
	} {
		u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: language}, 120, 60)
		u.Press("f2").Expect().Sees(sees)
	}
}

// TestOwnBridge: being a bridge is one action, after its price was read; the card has the
// link, says honestly whether others reach it, and ends it.
func TestOwnBridge(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 120, 60)
	setting := func(want string) {
		t.Helper()
		if s, err := node.Settings(t.Context()); err != nil || s.Bridge != want {
			t.Errorf("%q, %v", s.Bridge, err)
		}
	}
	u.Press("alt+o").Expect().Sees("Be a bridge for friends?", "somebody at your address")
	u.Enter().Expect().Sees("Be a bridge for friends?")
	setting("")
	u.Press("y").Expect().Sees("Your bridge for friends", "starling-bridge:mfrggzdfmy", "nobody has come in yet", "have a friend")
	setting("20443")

	u.Press("a").Expect().Sees("Address and port")
	u.Type("203.0.113.9:20443").Enter().Expect().SeesNot("Address and port")
	setting("203.0.113.9:20443")
	u.Press("m").Expect().SeesNot("Your bridge for friends").Sees("starling-bridge:mfrggzdfmy") // in the text, to be sent
	u.Press("ctrl+u")

	node.SetOwnBridge(api.OwnBridge{State: api.OwnBridgeReached, Link: "starling-bridge:mfrggzdfmy", Clients: 2})
	u.Press("alt+o").Expect().Sees("Others reach the bridge. 2 are connected.")
	u.Press("esc")
	node.SetOwnBridge(api.OwnBridge{State: api.OwnBridgeShut, Reason: "nobody outside reaches a private address", Remedy: "start starling, or starling node"})
	u.Press("alt+o").Expect().Sees("Nobody can come in.", "nobody outside").SeesNot("Copy the link")
	u.Press("o").Expect().Sees("This computer is no bridge any more.")
	setting("")

	u.Type("/settings").Enter().Expect().Sees("Be a bridge for friends")
	u.Press("up", "up", "up", "right", "enter", "enter").Enter().Expect().SeesNot("Be a bridge for friends")
	setting("20443")
}

// TestOwnBridgeInEveryLanguage: also why nobody comes.
func TestOwnBridgeInEveryLanguage(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	on := api.BridgeOn
	if _, err := node.ChangeSettings(t.Context(), api.SettingsChange{Bridge: &on}); err != nil {
		t.Fatal(err)
	}
	for language, sees := range map[string][]string{
		"de": {"Deine Brücke für Freunde", "Die Brücke ist offen.", "noch ist niemand hereingekommen"},
		"ru": {"Твой мост для друзей", "Мост открыт.", "ещё никто не приходил"},
	} {
		u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: language}, 120, 60)
		u.Press("alt+o").Expect().Sees(sees...)
	}
}
