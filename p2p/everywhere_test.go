package p2p_test

import (
	"flag"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
	"starling/p2p/wake"
	"starling/p2p/wire"
)

var outages = flag.Int("outages", 30, "how many outages TestTaintOverOutages has")

// A nomad is a client that is restarted and cut off, over and over, and keeps its
// state. Each start has another id.
type nomad struct {
	t      *testing.T
	m      *p2ptest.Net
	node   int
	events chan wake.Event

	mu    sync.Mutex
	state []byte
	got   map[p2p.Tag]bool
	c     *p2ptest.Client
	ids   []wire.NodeID // of all starts
	// sources are the addresses of each of them.
	sources []string
	known   map[p2p.NodeID]bool
}

func (n *nomad) start() {
	n.c = n.m.Client(func(cfg *p2p.ClientConfig) {
		if n.node < 0 {
			n.events = make(chan wake.Event, 8)
		}
		n.mu.Lock()
		cfg.State = n.state
		n.mu.Unlock()
		cfg.Wake = n.events
		cfg.SaveState = func(b []byte) error {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.state = b
			return nil
		}
		cfg.OnBox = func(mailbox p2p.NodeID, tag p2p.Tag, _ []byte) {
			n.mu.Lock()
			n.got[tag] = true
			n.mu.Unlock()
			n.c.Ack("", mailbox, tag)
		}
	})
	id, err := wire.ParseNodeID(n.c.Status().PeerID)
	if err != nil {
		n.t.Fatal(err)
	}
	n.ids = append(n.ids, id)
	n.node = n.c.Node
	n.sources = append(n.sources, fmt.Sprint(virtualtime.Address(n.node)))
}

func (n *nomad) ready() {
	n.t.Helper()
	p2ptest.Eventually(n.t, "ready", func() bool {
		s := n.c.Status()
		up := 0
		for _, g := range s.Guards {
			if g.Connected {
				up++
			}
		}
		return s.Ready && up == 2
	})
	for _, g := range n.c.Status().Guards {
		n.known[g.ID] = true
	}
}

func (n *nomad) has(tag p2p.Tag) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.got[tag]
}

// told hands the client hints from contacts, mailboxes and links, of any kind.
func (n *nomad) told() {
	for _, hint := range lies(n.m, n.c.Status()) {
		n.c.AddHint(hint)
		n.c.AddPasted(hint)
	}
	for i, r := range n.m.Relays { // and what is true
		if h, err := n.c.Hint(r.ID()); err == nil && i%2 == 0 {
			n.c.AddHint(h)
			n.c.AddPasted(h)
		}
	}
}

// TestTaintOverOutages: two people write to each other while one is cut off, unplugged,
// put to sleep and started again, told of hostile mailboxes and links, fetches bundles
// of invites where they say, and watches for knocks. In all that relays, mailboxes, the
// DHT and the other person come to see there is never an address or an id of theirs,
// but at their guards and the relay that each asked first.
func TestTaintOverOutages(t *testing.T) {
	const relays = 12
	synctest.Test(t, func(t *testing.T) {
		views := make([]p2ptest.Witness, relays)
		m := p2ptest.Virtual(t, relays, wan, func(i int, cfg *p2p.RelayConfig) { cfg.Tap = views[i].Tap })
		defer m.Stop()
		m.Settle(relays)
		people := make([]*nomad, 2)
		for i := range people {
			n := &nomad{t: t, m: m, node: -1, got: map[p2p.Tag]bool{}, known: map[p2p.NodeID]bool{m.Relays[0].ID(): true}}
			n.start()
			defer func() { n.c.Stop() }()
			n.ready()
			people[i] = n
		}
		v, other := people[0], people[1]

		// met are the relays at which somebody left a trace.
		met := map[p2p.NodeID]bool{}
		look := func(what string) {
			for i, r := range m.Relays {
				seen := views[i].Forget()
				for who, n := range people {
					for k, id := range n.ids {
						found := p2ptest.Traces(seen, id, n.sources[k])
						if len(found) > 0 && !n.known[r.ID()] {
							t.Fatalf("%s: relay %d, no guard of person %d, saw %d traces, the first: %s", what, i, who, len(found), found[0])
						}
						if len(found) > 0 {
							met[r.ID()] = true
						}
					}
				}
			}
		}

		rounds := *outages
		if testing.Short() {
			rounds = min(rounds, 5)
		}
		for round := range rounds {
			v.told()
			// An invite with a bundle at a place of the contact's choice, a knock that
			// may lie at tags of the other's choice, and mail: all the time, and not
			// only when all is well.
			boxes, err := other.c.ChooseMailboxes(2)
			if err != nil {
				t.Fatal(err)
			}
			tag, box := randomTag(), randomBox()
			for i, b := range boxes {
				v.c.Watch(fmt.Sprint("knock", i), b, []p2p.Tag{randomTag(), tag, randomTag()})
			}
			switch round % 5 {
			case 0:
				m.Down(v.node, true)
				time.Sleep(time.Duration(1+round%14) * time.Second)
				m.Down(v.node, false)
			case 1:
				m.Unplug(v.node, true)
				time.Sleep(time.Duration(1+round%5) * time.Minute)
				m.Unplug(v.node, false)
				v.events <- wake.Network
			case 2:
				m.Unplug(v.node, true)
				time.Sleep(time.Duration(1+round%3) * 150 * time.Second)
				m.Unplug(v.node, false)
				v.events <- wake.Resumed
			case 3: // started again without a network, and told of others before it is back
				v.c.Stop()
				v.start()
				m.Down(v.node, true)
				v.told()
				time.Sleep(10 * time.Second)
				m.Down(v.node, false)
				for i, b := range boxes {
					v.c.Watch(fmt.Sprint("knock", i), b, []p2p.Tag{tag})
				}
			case 4: // all relays restart
				for _, r := range m.Relays {
					r.Stop()
				}
				time.Sleep(time.Duration(6+round%10) * time.Second)
				for _, r := range m.Relays {
					r.Start()
				}
			}
			v.ready()
			other.ready()
			if round%4 == 0 {
				v.c.Fetch(t.Context(), boxes[0], []p2p.Tag{randomTag(), randomTag(), randomTag()})
			}
			for i := 0; !v.has(tag); i++ {
				if i == 900 { // all pushes may be lost, and a poll is minutes away
					t.Fatal("no mail")
				}
				other.c.Put(t.Context(), boxes[0], tag, box)
				time.Sleep(time.Second)
			}
			look(fmt.Sprintf("outage %d", round+1))
			if visits(m) > 0 {
				t.Fatalf("outage %d: something came to an address of a hint", round+1)
			}
		}

		for i, r := range m.Relays {
			if guard := v.known[r.ID()] || other.known[r.ID()]; guard && !met[r.ID()] {
				t.Errorf("relay %d is a guard and saw nothing: this test cannot fail", i)
			}
		}
		// The relay that was asked first, two guards, and the two that a month may bring.
		if len(v.known) > 5 || len(other.known) > 5 {
			t.Errorf("the guards of two people are %d and %d", len(v.known), len(other.known))
		}
	})
}
