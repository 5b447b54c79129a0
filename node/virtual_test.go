package node

import (
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/config"
	"starling/node/inbox/watch"
	"starling/node/store"
	"starling/p2p"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
)

// slow is the network that DESIGN.md asks to be measured on.
var slow = virtualtime.Links{LatencyMin: 50 * time.Millisecond, LatencyMax: 100 * time.Millisecond, BitsPerSecond: 20_000_000, Seed: 1}

// newVirtualUser makes a profile and starts a node on a virtual network.
func newVirtualUser(t *testing.T, m *p2ptest.Net, name string, place int) *user {
	t.Helper()
	u := &user{t: t, name: name, dir: config.Profile{Dir: filepath.Join(t.TempDir(), name)}}
	if err := Create(u.dir, passphrase, name, store.CheapKDF); err != nil {
		t.Fatal(err)
	}
	u.network = func(cfg p2p.ClientConfig) (Network, error) {
		cfg.Options, cfg.Bootstrap = m.Options(place), m.Bootstrap()
		return p2p.NewClient(cfg)
	}
	u.start()
	p2ptest.Eventually(t, "a ready network", func() bool {
		s, err := u.Status(t.Context())
		return err == nil && s.Ready
	})
	return u
}

// newVirtualPair makes two contacts.
func newVirtualPair(t *testing.T, m *p2ptest.Net) (ada, bob *user) {
	t.Helper()
	ada, bob = newVirtualUser(t, m, "Ada", 100), newVirtualUser(t, m, "Bob", 101)
	invite, err := ada.Invite(t.Context(), api.InviteRequest{Name: "Bob"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.AddContact(t.Context(), api.AddContactRequest{Link: invite.Link, Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	p2ptest.Eventually(t, "contacts", func() bool { return ada.ready(bob) && bob.ready(ada) })
	return ada, bob
}

// reached reports whether all of some messages are in a state.
func (u *user) reached(ids []string, want api.State) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { state, _ := u.state(id); return state != want })
}

// 200 texts at once over slow links: all are shown in order, and nothing of
// them stays behind in the mailboxes.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 12, slow, nil)
		defer m.Stop()
		m.Settle(12)
		ada, bob := newVirtualPair(t, m)
		defer func() { ada.shutdown(); bob.shutdown() }()
		time.Sleep(5 * time.Minute)
		const texts = 200
		began := time.Now()
		ids := ada.sendAll(bob, numbered(texts))
		p2ptest.Eventually(t, "shown", func() bool { return len(bob.texts(ada)) == texts })
		t.Logf("shown in %v, %.0f a second", time.Since(began), texts/time.Since(began).Seconds())
		p2ptest.Eventually(t, "delivered", func() bool { return ada.reached(ids, api.StateDelivered) })
		t.Logf("delivered after %v", time.Since(began))
		if !slices.Equal(bob.texts(ada), numbered(texts)) {
			t.Error("out of order")
		}
		time.Sleep(watch.LateAfter + 30*time.Minute) // for copies that were stored late
		left := 0
		for _, r := range m.Relays {
			left += r.Status().Mailbox.Boxes
		}
		// The box of a trial lies at a mailbox for minutes.
		if left > 1 {
			t.Errorf("%d boxes are left in the mailboxes", left)
		}
	})
}

// On real relays over slow links: Bob is away, one of his mailboxes leaves and
// the other falls silent. Ada's texts arrive when he is back.
func TestMailboxesVanish(t *testing.T) {
	if testing.Short() {
		t.Skip("hours, if virtual ones")
	}
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 12, slow, nil)
		defer m.Stop()
		m.Settle(12)
		ada, bob := newVirtualPair(t, m)
		defer func() { ada.shutdown(); bob.shutdown() }()
		time.Sleep(time.Minute)
		old := ada.fetchesAt(bob)
		bob.shutdown()
		reached := func(ids []string, want api.State) func() bool {
			return func() bool { return ada.reached(ids, want) }
		}
		ids := ada.sendAll(bob, []string{"0", "1"})
		p2ptest.Eventually(t, "stored", reached(ids, api.StateSent))
		for _, r := range m.Relays {
			switch r.ID() {
			case old[0]:
				r.Stop()
			case old[1]:
				m.Cut(r.Node)
			}
		}
		late := ada.sendAll(bob, []string{"2", "3", "4"})
		t.Logf("stored at replacements after %v", p2ptest.Eventually(t, "stored at replacements", reached(late, api.StateSent)))
		time.Sleep(time.Hour)
		bob.start()
		ids = append(ids, late...)
		t.Logf("delivered %v after Bob is back", p2ptest.Eventually(t, "delivered", reached(ids, api.StateDelivered)))
		if got := bob.texts(ada); !slices.Equal(got, numbered(5)) {
			t.Errorf("Bob has %v", got)
		}
		t.Logf("told new mailboxes %v later", p2ptest.Eventually(t, "new mailboxes", func() bool {
			now := ada.fetchesAt(bob)
			return len(now) == 2 && !slices.Contains(now, old[0]) && !slices.Contains(now, old[1])
		}))
	})
}
