package node

import (
	"context"
	"testing"
	"time"

	"starling/node/nettest"
	"starling/node/store"
	"starling/p2p"
	"starling/p2p/mailbox"
	"starling/session"
)

// A counter counts how often boxes under some tags are handed over.
type counter struct {
	*mailbox.Memory
	tags map[p2p.Tag]bool
	n    *int
}

func (c counter) Get(ctx context.Context, tags []mailbox.Tag, now time.Time) ([]mailbox.Item, error) {
	items, err := c.Memory.Get(ctx, tags, now)
	for _, it := range items {
		if c.tags[it.Tag] {
			*c.n++
		}
	}
	return items, err
}

// TestKnockOfTheYear9999: a contact leaves a knock from far ahead. It is not fetched
// over and over, other contents come, and the knock counts when it may.
func TestKnockOfTheYear9999(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"never": 100 * 365 * 24 * time.Hour, "soon": 45 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			gone(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
				talk(t, ada, bob, "first")
				eventually(t, "quiet", func() bool { return ada.outboxEmpty() && bob.outboxEmpty() })

				// Ada's own session makes the offer, by a clock of its own.
				var knock []session.Cell
				err := ada.store.View(t.Context(), func(tx *store.Tx) error {
					all, err := tx.ContactsNamed("Bob")
					if err != nil || len(all) != 1 {
						t.Fatal(err)
					}
					state, _, err := tx.Session(all[0].ID)
					if err != nil {
						return err
					}
					s, err := session.UnmarshalSession(state)
					if err != nil {
						return err
					}
					r := s.Reset()
					err = r.Offer(time.Now().Add(ahead), session.ReasonRestored, [][]byte{make([]byte, 32)})
					knock = r.Bundle()
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				at := ada.fetchesAt(bob)[0]
				c := counter{mailbox.NewMemory(1000), map[p2p.Tag]bool{p2p.Tag(knock[0].Tag): true}, &n}
				for _, cell := range knock {
					box := mailbox.Box(cell.Box)
					if err := c.Put(t.Context(), mailbox.Tag(cell.Tag), &box, time.Now().Add(mailbox.TTL), false); err != nil {
						t.Fatal(err)
					}
				}
				net.SetStore(at, c)

				time.Sleep(30 * time.Minute)
				if told := bob.notices(ada); n == 0 || len(told) != 0 {
					t.Errorf("handed over %d times, Bob is told %q", n, told)
				}
				talk(t, ada, bob, "meanwhile")
				time.Sleep(90 * time.Minute)
				if told := bob.notices(ada); (len(told) == 1) != (ahead < time.Hour) {
					t.Errorf("Bob is told %q after two hours", told)
				}
				if n > 40 { // 120 looks in all
					t.Errorf("handed over %d times in two hours", n)
				}
			})
		})
	}
}
