package p2p_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/directory"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
)

// wan is a network of some latency.
var wan = virtualtime.Links{LatencyMin: 20 * time.Millisecond, LatencyMax: 60 * time.Millisecond, BitsPerSecond: 20_000_000, Seed: 7}

// hostile is the addresses of nodes that the tests never start: any packet to them was
// sent by a client that believed a lie.
const hostile, hostiles = 2000, 8

func hostileAddress(i int) directory.Address {
	ip, _ := netip.AddrFromSlice(virtualtime.Address(hostile + i%hostiles))
	return directory.Address{AddrPort: netip.AddrPortFrom(ip, virtualtime.Port)}
}

// lies are hints that name hostile addresses: of ids that nobody has, of relays
// that are there, of the client's own guards.
func lies(m *p2ptest.Net, s p2p.Status) (all [][]byte) {
	var ids []p2p.NodeID
	for range 3 {
		public, _, _ := ed25519.GenerateKey(rand.Reader)
		ids = append(ids, p2p.NodeID(public))
	}
	for _, r := range m.Relays[:3] {
		ids = append(ids, r.ID())
	}
	for _, g := range s.Guards {
		ids = append(ids, g.ID)
	}
	for i, id := range ids {
		all = append(all, directory.Hint{ID: id, Addresses: []directory.Address{hostileAddress(i)}}.Append(nil))
	}
	return all
}

// visits returns how many bytes came to the hostile addresses.
func visits(m *p2ptest.Net) (bytes int64) {
	for i := range hostiles {
		in, _ := m.Traffic(hostile + i)
		bytes += in
	}
	return bytes
}

// TestHintsAreNotDialled: over many outages, restarts and resumes a client
// connects to no address that a contact, a mailbox or a link names.
func TestHintsAreNotDialled(t *testing.T) {
	outages := 200
	if testing.Short() {
		outages = 20
	}
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 8, wan, nil)
		defer m.Stop()
		m.Settle(8)
		var mu sync.Mutex
		var state []byte
		start := func() *p2ptest.Client {
			mu.Lock()
			defer mu.Unlock()
			return m.Client(func(cfg *p2p.ClientConfig) {
				cfg.State = state
				cfg.SaveState = func(b []byte) error {
					mu.Lock()
					defer mu.Unlock()
					state = b
					return nil
				}
			})
		}
		c := start()
		defer func() { c.Stop() }()
		ready := func() { p2ptest.Eventually(t, "ready", func() bool { return c.Status().Ready }) }
		ready()
		for n := range outages {
			for _, hint := range lies(m, c.Status()) {
				if _, err := c.AddHint(hint); err != nil {
					t.Fatal(err)
				}
				if _, err := c.AddPasted(hint); err != nil {
					t.Fatal(err)
				}
			}
			if n == 0 && c.Status().Refused["hint of a relay that is not listed"] != 6 {
				t.Errorf("relays that the list lacks are not counted: %v", c.Status().Refused)
			}
			m.Down(c.Node, true)
			switch n % 5 {
			case 0:
				time.Sleep(5 * time.Minute)
			case 1: // restarted without a network
				m.Down(c.Node, false)
				c.Stop()
				c = start()
				m.Down(c.Node, true)
				for _, hint := range lies(m, c.Status()) {
					c.AddHint(hint)
					c.AddPasted(hint)
				}
				time.Sleep(90 * time.Second)
			default:
				time.Sleep(time.Duration(n%4+1) * 20 * time.Second)
			}
			m.Down(c.Node, false)
			ready()
			time.Sleep(time.Duration(n%3) * 20 * time.Second)
			if bytes := visits(m); bytes > 0 {
				t.Fatalf("after %d outages %d bytes came to addresses of hints", n+1, bytes)
			}
		}
	})
}

// TestPastedHint: the relays of a link are dialled while a profile knows none,
// status says so, and never after.
func TestPastedHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 8, wan, nil)
		defer m.Stop()
		m.Settle(8)
		c := m.Client(func(cfg *p2p.ClientConfig) { cfg.Bootstrap = nil })
		defer c.Stop()
		for _, hint := range lies(m, p2p.Status{}) {
			c.AddHint(hint)
		}
		time.Sleep(time.Minute)
		if bytes := visits(m); bytes > 0 || c.Status().Ready {
			t.Fatalf("%d bytes came to addresses of hints", bytes)
		}
		hint := directory.Hint{ID: p2p.NodeID{31: 9}, Addresses: []directory.Address{hostileAddress(0)}}
		if _, err := c.AddPasted(hint.Append(nil)); err != nil {
			t.Fatal(err)
		}
		p2ptest.Eventually(t, "status names the relay that is asked", func() bool {
			s := c.Status().Sources
			return len(s) == 1 && s[0].Pasted
		})
		time.Sleep(time.Second)
		if visits(m) == 0 {
			t.Fatal("this test cannot fail: nothing came to the address of a link")
		}
		boot := directory.Address{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte(virtualtime.Address(0))), virtualtime.Port)}
		c.AddPasted(directory.Hint{ID: m.Relays[0].ID(), Addresses: []directory.Address{boot}}.Append(nil))
		p2ptest.Eventually(t, "ready", func() bool { return c.Status().Ready })

		before := visits(m)
		c.AddPasted(hint.Append(nil))
		m.Down(c.Node, true)
		time.Sleep(10 * time.Minute)
		m.Down(c.Node, false)
		p2ptest.Eventually(t, "ready again", func() bool { return c.Status().Ready })
		if after := visits(m); after != before {
			t.Errorf("%d bytes came to the address of a link after relays were known", after-before)
		}
	})
}
