package linear_test

import (
	"testing"

	"starling/node/api"
	"starling/tui/linear"
	"starling/tui/tuitest"
)

// TestDoors: ways into the network, line by line: bridges with their price, in an invite too;
// the proxy; and how each way answered.
func TestDoors(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	l := begin(t, node)
	l.say("/bridge").expect("There is no bridge.")
	l.say("/join starling-bridge:aebagbaf").expect("Whoever runs it sees the address", "Take this bridge?")
	l.say("no", "/bridge").expect("There is no bridge.")
	l.say("/bridge add starling-bridge:aebagbaf").expect("Take this bridge?")
	l.say("yes").expect("The bridge is taken")
	l.say("/bridge").expect("/ip4/192.0.2.7/tcp/443, not in use: starling-bridge:aebagbaf")
	l.say("/bridge dance").expect("There is no such word for bridges")
	l.say("/invite bob").expect("With your bridges?")
	l.say("yes").expect("starling-bridge:aebagbaf")
	l.say("/set bridges-only yes", "/set proxy socks5://127.0.0.1:9050", "/settings").expect("proxy, everything goes over it: socks5://127.0.0.1:9050", "bridges-only, dial bridges alone: yes")
	l.say("/set bridges-only perhaps").expect("Error: That is no setting")
	l.say("/set proxy http://127.0.0.1").expect("Error: This is no proxy")

	node.SetStatus(func(s *api.Status) {
		s.Notice = "This network freezes connections. Going on over short ones."
		s.Ways = []api.Way{{Address: "/ip4/192.0.2.1/tcp/443", Kind: "guard", Outcome: "frozen", Bytes: 14_200}, {Address: "/ip4/192.0.2.2/tcp/443", Kind: "given", Outcome: "captive-portal"}}
	})
	l.say("/status").expect("This network freezes connections. Going on over short ones.", "Bridge: not in use, /ip4/192.0.2.7/tcp/443", "Way in, guard: froze after 14 KB, /ip4/192.0.2.1/tcp/443", "Way in, given by you: this network wants a log-in")
	l.say("/set proxy off", "/set bridges-only no", "/bridge remove starling-bridge:aebagbaf", "/settings").expect("The bridge is forgotten.", "proxy, everything goes over it: none")
	l.say("/bridge own").expect("This computer is no bridge.", "somebody at your address runs Starling")
	l.say("/set bridge on", "/settings", "/bridge own").expect("bridge, be one for friends: 20443", "The bridge is open.", "nobody has come in yet", "Its link, for friends: starling-bridge:mfrggzdfmy")
	l.say("/set bridge off", "/settings").expect("bridge, be one for friends: no")
	_ = linear.Options{}
}
