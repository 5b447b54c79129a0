package outbox

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/config"
	"starling/node/store"
)

// A contact with silent mailboxes, and with many contents on their way, holds up
// nothing that is for others.
func TestOneContactDoesNotHoldUpOthers(t *testing.T) {
	p := config.Profile{Dir: filepath.Join(t.TempDir(), "p")}
	if err := store.Create(p, "x", "Ada", store.Options{KDF: store.CheapKDF}); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(p, "x", store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		eve, bob := store.ID{1}, store.ID{2}
		put := make(chan store.Node, 1000)
		o := New(Config{Store: s, Put: func(ctx context.Context, node store.Node, tag store.Tag, box []byte) error {
			if node == a {
				<-ctx.Done()
				return ctx.Err()
			}
			put <- node
			return nil
		}})
		o.SetMailboxes(eve, []store.Node{a})
		o.SetMailboxes(bob, []store.Node{b})
		add := func(contact store.ID, n int, age time.Duration) {
			o.add(store.Item{ID: store.ID{9, byte(n), byte(n >> 8), contact[0]}, Contact: contact, Kind: int(chat.Text), Created: time.Now().Add(-age),
				State: api.StateSealed, Cells: []store.Cell{{Tag: store.Tag{byte(n), byte(n >> 8), contact[0]}}}}, [][]byte{{1}})
		}
		ended := make(chan error)
		go func() { ended <- o.Run(ctx) }()
		o.mu.Lock()
		for i := range 2 * maxBusy {
			add(eve, i, time.Hour)
		}
		add(bob, 1, 0)
		o.mu.Unlock()
		begin := time.Now()
		select {
		case <-put:
			if d := time.Since(begin); d > time.Second {
				t.Errorf("after %v", d)
			}
		case <-time.After(time.Hour):
			t.Error("Bob gets nothing while Eve's mailboxes do not answer")
		}
		cancel()
		<-ended
	})
}

// The wait for a quota says nothing about how long a mailbox takes to answer.
func TestQuotaIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{
			AwaitQuota: func(ctx context.Context) error { time.Sleep(15 * time.Second); return ctx.Err() },
			Put: func(ctx context.Context, _ store.Node, _ store.Tag, _ []byte) error {
				time.Sleep(10 * time.Millisecond)
				return ctx.Err()
			},
		})
		e := &entry{index: -1, tags: []store.Tag{{1}}, boxes: [][]byte{{1}}}
		e.Cells = []CellState{{Copies: map[store.Node]*Copy{a: {}}}}
		for range 20 {
			if o.putOne(t.Context(), e, Action{Do: Put, Node: a}, e.Cells[0].Copies[a], []byte{1}); e.Cells[0].Copies[a].Stored.IsZero() {
				t.Fatal("not stored: the wait for its quota was taken for one for an answer")
			}
		}
		if w := o.timeout.wait(); w != timeoutMin {
			t.Errorf("an answer is waited for for %v", w)
		}
	})
}
