package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/nettest"
	"starling/node/outbox"
	"starling/node/store"
	"starling/p2p/mailbox"
)

// A sieve says of all that it keeps it, and does not of some: those it was given at a
// time, whenever they are put again.
type sieve struct {
	*mailbox.Memory
	holes *holes
}

type holes struct {
	mu       sync.Mutex
	catching bool
	caught   map[mailbox.Tag]bool
}

func (h *holes) set(catching bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.catching = catching
}

func (s sieve) Put(ctx context.Context, tag mailbox.Tag, box *mailbox.Box, expires time.Time, askedFor bool) error {
	s.holes.mu.Lock()
	if s.holes.catching {
		s.holes.caught[tag] = true
	}
	dropped := s.holes.caught[tag]
	s.holes.mu.Unlock()
	if dropped {
		return nil
	}
	return s.Memory.Put(ctx, tag, box, expires, askedFor)
}

// withHoles puts sieves in the place of all mailboxes.
func withHoles(net *nettest.Net) *holes {
	h := &holes{caught: make(map[mailbox.Tag]bool)}
	for _, id := range net.Mailboxes() {
		net.SetStore(id, sieve{mailbox.NewMemory(1 << 16), h})
	}
	return h
}

// giveUp has somebody's session wait no longer for what is missing, as it does when much
// has come since (session.MaxGapAge), or long ago.
func (u *user) giveUp(from *user) {
	u.t.Helper()
	err := u.store.Update(u.t.Context(), func(tx *store.Tx) error {
		contacts, err := tx.ContactsNamed(from.name)
		if err != nil || len(contacts) != 1 {
			return fmt.Errorf("%d contacts: %w", len(contacts), err)
		}
		s, version, err := outbox.Session(tx, contacts[0].ID)
		if err != nil {
			return err
		}
		if !s.GiveUp(s.Passed()) {
			u.t.Error("nothing is missing")
		}
		state, err := s.MarshalBinary()
		if err != nil {
			return err
		}
		return tx.SetSession(contacts[0].ID, version, state)
	})
	if err != nil {
		u.t.Fatal(err)
	}
}

// All mailboxes drop a text of Ada's and what Bob says of his new mailbox, for as long
// as they are put again. Each is told when the other waits no longer, and says it anew:
// it arrives, and is shown once.
func TestMissedIsSaidAnew(t *testing.T) {
	gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		holes := withHoles(net)
		talk(t, ada, bob, "first")
		eventually(t, "quiet", func() bool { return ada.outboxIdle() && bob.outboxIdle() })
		holes.set(true)
		lost := ada.send(bob, "lost")
		ada.waitState(lost.ID, api.StateSent)
		holes.set(false)
		ada.waitState(ada.send(bob, "and on").ID, api.StateDelivered)
		time.Sleep(time.Minute)
		bob.giveUp(ada)
		ada.waitState(ada.send(bob, "and on").ID, api.StateDelivered)
		if state, _ := ada.state(lost.ID); state != api.StateSent || slices.Contains(bob.said(ada), "lost") {
			t.Fatalf("what was dropped is %s", state)
		}
		time.Sleep(time.Hour)
		ada.waitState(lost.ID, api.StateDelivered)
		if n := strings.Count(strings.Join(bob.said(ada), "\n"), "lost"); n != 1 {
			t.Errorf("shown %d times", n)
		}

		// Where he fetches.
		old := ada.fetchesAt(bob)
		holes.set(true)
		net.SetDown(old[0], true)
		time.Sleep(2 * time.Hour)
		items := bob.items()
		if !slices.ContainsFunc(items, func(it store.Item) bool { return chat.Kind(it.Kind) == chat.Mailboxes && it.State == api.StateSent }) {
			t.Fatalf("Bob has not moved: %v", items)
		}
		holes.set(false)
		bob.waitState(bob.send(ada, "and on").ID, api.StateDelivered)
		time.Sleep(time.Minute)
		ada.giveUp(bob)
		bob.waitState(bob.send(ada, "and on").ID, api.StateDelivered)
		if !slices.Contains(ada.fetchesAt(bob), old[0]) {
			t.Fatal("she knows where he fetches")
		}
		time.Sleep(time.Hour)
		if got := ada.fetchesAt(bob); len(got) != 2 || slices.Contains(got, old[0]) {
			t.Errorf("she takes him to fetch at %v, as before", got)
		}
	})
}
