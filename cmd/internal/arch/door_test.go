package arch

import (
	"go/ast"
	"slices"
	"testing"
)

// doors are the files of p2p that may open a connection, with the reason. Everything
// else dials by a permit of package book, through package host, because most addresses
// in p2p are somebody's word.
var doors = map[string]string{
	"p2p/host/host.go":              "hands the dialler of sockets.go to the transports, below the gate",
	"p2p/host/sockets.go":           "the kernel's dialler",
	"p2p/host/gate.go":              "the door: it takes a permit of the book",
	"p2p/host/afresh.go":            "a door beside libp2p's connections; it takes a permit, too",
	"p2p/host/connection.go":        "a door of a client's own connections; it takes a permit, too",
	"p2p/host/plain.go":             "a transport of libp2p, behind the door",
	"p2p/transport/web/web.go":      "another, with the dialler of host.go",
	"p2p/transport/web/detour.go":   "the same, over bridges, and for the clients of one",
	"p2p/discovery/guarded.go":      "turns the DHT's dials into the book's",
	"p2p/discovery/lan/lan.go":      "asks the local network, and nobody in particular",
	"p2p/virtualtime/transport.go":  "dials on a network in memory",
	"p2p/proxy/proxy.go":            "asks a proxy, with the dialler of sockets.go",
	"p2p/proxy/proxytest/server.go": "a proxy for tests",

	"p2p/transport/web/domain/pebbletest/pebbletest.go": "an authority for tests, and a name server",
}

// TestOneDoor: only the doors dial, and no door is stale.
func TestOneDoor(t *testing.T) {
	calls := []string{"Dial", "DialContext", "DialTimeout", "DialTCP", "DialUDP", "DialPeer", "ListenUDP", "ListenPacket", "Dialer", "Connect", "AddAddr", "AddAddrs", "SetAddrs"}
	byID := []string{"links", "l", "n", "cfg"} // whose Dial takes a node's id
	used := map[string]bool{}
	for _, f := range files(t) {
		if f.test || !matches("p2p/...", f.dir) || matches("p2p/p2ptest/...", f.dir) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains(calls, s.Sel.Name) {
				return true
			}
			if s.Sel.Name == "Dial" && slices.Contains(byID, lastName(s.X)) {
				return true
			}
			used[f.path] = true
			if doors[f.path] == "" {
				t.Errorf("%s: %s is called beside the door", f.fset.Position(n.Pos()), s.Sel.Name)
			}
			return true
		})
	}
	for path := range doors {
		if !used[path] {
			t.Errorf("%s is no door any more", path)
		}
	}
}

// lastName returns x of x and of y.x.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
