package nettest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/mailbox"
)

// A reader follows one log and keeps what it has read.
type reader struct {
	*Client
	mu  sync.Mutex
	got map[p2p.Tag]uint32
	end p2p.LogEnd
	at  p2p.LogPosition
}

func newReader(t *testing.T, n *Net, node p2p.NodeID, name p2p.LogName) *reader {
	r := &reader{got: map[p2p.Tag]uint32{}, at: p2p.LogPosition{Name: name}}
	r.Client = n.Client(p2p.ClientConfig{
		OnEntry: func(key string, at p2p.NodeID, e p2p.LogEntry) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if key != "room" || at != node || e.Name != name {
				t.Errorf("an entry of %q at %v", key, at)
			}
			r.got[e.Tag] = e.Position
		},
		OnEnd: func(_ string, _ p2p.NodeID, end p2p.LogEnd) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.end = end
			r.at.Instance, r.at.After = end.Instance, end.Last
			r.Follow("room", node, []p2p.LogPosition{r.at})
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		r.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() { cancel(); <-done })
	r.Follow("room", node, []p2p.LogPosition{r.at})
	return r
}

func (r *reader) has(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got) == n && int(r.end.Count) == n
}

// TestLog: what one appends all readers get, over losses and doubles, and once more from a
// mailbox that lost all.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(2)
		n.Set(Settings{Delay: 20 * time.Millisecond, LosePush: 0.3, Duplicate: 0.3})
		node := n.Mailboxes()[0]
		private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
		key := [32]byte(private.Public().(ed25519.PublicKey))
		name := mailbox.NameOf(key)
		readers := []*reader{newReader(t, n, node, name), newReader(t, n, node, name)}
		writer := n.Client(p2p.ClientConfig{})

		entries := make([]p2p.Entry, 20)
		appendAll := func() {
			for i := range entries {
				entries[i] = mailbox.SignEntry(private, p2p.Tag{byte(i)}, &mailbox.Box{byte(i)})
				if err := writer.Append(t.Context(), node, key, entries[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		all := func() {
			t.Helper()
			for range 600 {
				if !slices.ContainsFunc(readers, func(r *reader) bool { return !r.has(len(entries)) }) {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
			for i, r := range readers {
				t.Errorf("reader %d has %d entries, end %+v", i, len(r.got), r.end)
			}
			t.FailNow()
		}
		appendAll()
		appendAll() // the same again changes nothing
		all()

		other := mailbox.SignEntry(private, p2p.Tag{1}, &mailbox.Box{99})
		var taken *p2p.TakenError
		if err := writer.Append(t.Context(), node, key, other); !errors.As(err, &taken) || taken.Box[0] != 1 {
			t.Errorf("another box under a tag: %v", err)
		}
		other.Tag[5]++
		if err := writer.Append(t.Context(), node, key, other); !errors.Is(err, p2p.ErrTimeout) {
			t.Errorf("an entry that nobody signed: %v", err)
		}

		readers[0].mu.Lock()
		was := readers[0].end.Instance
		readers[0].mu.Unlock()
		n.Wipe(node)
		appendAll()
		time.Sleep(10 * time.Second)
		all()
		for _, r := range readers {
			r.mu.Lock()
			if r.end.Instance == was {
				t.Error("a mailbox that lost all is the same instance")
			}
			r.mu.Unlock()
		}
	})
}
