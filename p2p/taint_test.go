package p2p_test

import (
	"fmt"
	"runtime"
	"testing"

	"starling/p2p"
	"starling/p2p/p2ptest"
	"starling/p2p/wire"
)

// TestTaint runs every node on an address of its own and looks for the
// addresses and network identities of two clients in all that the relays and
// the other client see. They must be known to the client's guards, and to the
// relay it asked first, and to nobody else.
func TestTaint(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs the whole of 127.0.0.0/8")
	}
	const relays = 10
	views := make([]p2ptest.Witness, relays)
	mesh := p2ptest.Loopback(t, relays, func(i int, cfg *p2p.RelayConfig) {
		cfg.Source = fmt.Sprintf("127.20.%d.1", i+1)
		cfg.Listen = []string{"/ip4/" + cfg.Source + "/tcp/0"}
		cfg.Tap = views[i].Tap
	})
	const aliceAddr, bobAddr = "127.77.3.9", "127.78.4.8"
	var aliceView, bobView p2ptest.Witness
	alice, aliceIn := receiver(mesh, func(cfg *p2p.ClientConfig) { cfg.Source, cfg.Tap = aliceAddr, aliceView.Tap })
	bob, bobIn := receiver(mesh, func(cfg *p2p.ClientConfig) { cfg.Source, cfg.Tap = bobAddr, bobView.Tap })
	alice.WaitReady(t)
	bob.WaitReady(t)

	// Each keeps mail at two relays and writes to the other's, until every
	// relay has been a mix.
	aliceBoxes, bobBoxes := mailboxes(t, alice, 2), mailboxes(t, bob, 2)
	carried := func() bool {
		for _, r := range mesh.Relays {
			if r.Status().Mix.Forwarded < 4 {
				return false
			}
		}
		return true
	}
	for n := 0; n < 10 || !carried(); n++ {
		if n == 200 {
			t.Fatal("some relay never carried a packet")
		}
		toAlice, toBob := randomTag(), randomTag()
		for i := range 2 {
			alice.Watch(fmt.Sprint("bob", i), aliceBoxes[i], []p2p.Tag{toAlice})
			bob.Watch(fmt.Sprint("alice", i), bobBoxes[i], []p2p.Tag{toBob})
			mustPut(t, alice, bobBoxes[i], toBob, randomBox())
			mustPut(t, bob, aliceBoxes[i], toAlice, randomBox())
		}
		p2ptest.Eventually(t, "both receive", func() bool { return aliceIn.has(toAlice) && bobIn.has(toBob) })
	}

	type person struct {
		name, addr string
		c          *p2ptest.Client
	}
	for _, p := range []person{{"alice", aliceAddr, alice}, {"bob", bobAddr, bob}} {
		s := p.c.Status()
		id, err := wire.ParseNodeID(s.PeerID)
		if err != nil {
			t.Fatal(err)
		}
		asked := map[p2p.NodeID]bool{mesh.Relays[0].ID(): true} // the bootstrap relay
		for _, g := range s.Guards {
			asked[g.ID] = true
		}
		clean := 0
		for i, r := range mesh.Relays {
			found := p2ptest.Traces(views[i].View(), id, p.addr)
			switch {
			case asked[r.ID()] && len(found) == 0:
				t.Errorf("%s: relay %d is a guard and saw nothing: this test cannot fail", p.name, i)
			case !asked[r.ID()] && len(found) > 0:
				t.Errorf("%s: relay %d saw %d traces, the first: %s", p.name, i, len(found), found[0])
			case !asked[r.ID()]:
				clean++
				if !views[i].Saw("in") || !views[i].Saw("next") || !views[i].Saw("gossip") || !views[i].Saw("conn") {
					t.Errorf("relay %d is hardly a witness", i)
				}
			}
		}
		if clean < relays-3 {
			t.Errorf("%s: only %d relays saw nothing", p.name, clean)
		}
		other, view := "bob", &bobView
		if p.name == "bob" {
			other, view = "alice", &aliceView
		}
		if found := p2ptest.Traces(view.View(), id, p.addr); len(found) > 0 || !view.Saw("in") {
			t.Errorf("%s saw traces of %s: %v", other, p.name, found)
		}
	}
	for i, r := range mesh.Relays {
		if r.Status().Mailbox.Stored > 0 && !views[i].Saw("mail") {
			t.Errorf("relay %d is a mailbox without a witness", i)
		}
	}
}
