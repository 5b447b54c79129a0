package node

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/nettest"
	"starling/node/store"
)

func benchPair(b *testing.B) (ada, bob *user) {
	net := nettest.New(5)
	ada, bob = newUser(b, net, "Ada"), newUser(b, net, "Bob")
	befriend(b, ada, bob)
	return ada, bob
}

// shown waits for texts as a screen does.
func shown(ctx context.Context, u *user, f func(text string)) {
	u.Events(ctx, -1, func(e api.Event) error {
		if e.Kind == api.EventMessage && !e.Outgoing {
			f(e.Text.String())
		}
		return nil
	})
}

// From Send at one node to the event at the other, over a network that takes no time:
// the share of the nodes themselves.
func BenchmarkSendToShown(b *testing.B) {
	ada, bob := benchPair(b)
	arrived := make(chan string, 100)
	go shown(b.Context(), bob, func(text string) { arrived <- text })
	ada.send(bob, "ready?")
	time.Sleep(300 * time.Millisecond) // both are quiet; nothing is asserted
	for len(arrived) > 0 {
		<-arrived
	}
	i := 0
	for b.Loop() {
		i++
		want := fmt.Sprint(i)
		ada.send(bob, want)
		for got := ""; got != want; {
			got = <-arrived
		}
	}
}

// 1 KiB texts, as many as will go, until all are delivered.
func BenchmarkThroughput(b *testing.B) {
	ada, bob := benchPair(b)
	text := strings.Repeat("x", 1000)
	b.ResetTimer()
	last := ""
	for range b.N {
		last = ada.send(bob, text).ID
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "queued/s")
	ada.waitState(last, api.StateDelivered)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "delivered/s")
}

// The questions of a screen, with 100,000 messages in one conversation: each tenth is
// an answer, each fifth has a reaction.
func BenchmarkConversation(b *testing.B) {
	net := nettest.New(5)
	ada, bob := newUser(b, net, "Ada"), newUser(b, net, "Bob")
	befriend(b, ada, bob)
	id, _ := store.ParseID(ada.contact(bob).ID)
	const all = 100_000
	var last store.ContentID
	for n := 0; n < all; {
		err := ada.store.Update(b.Context(), func(tx *store.Tx) error {
			for range 1000 {
				made := store.NewID()
				m := store.Message{ID: made, Content: made.Content(), Contact: id, Outgoing: n%3 == 0, State: api.StateReceived,
					Text: fmt.Sprintf("message %d of a conversation that goes on and on, word%d", n, n%1000), Time: time.Now()}
				if n%10 == 0 {
					m.Ref = last
				}
				if _, err := tx.AddMessage(m, m.Time); err != nil {
					return err
				}
				if n%5 == 0 {
					if err := tx.SetReaction(m, store.Reaction{Message: m.ID, Emoji: "👍"}, m.Time); err != nil {
						return err
					}
				}
				last, n = m.Content, n+1
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	middle := int64(all / 2)
	for name, do := range map[string]func() (int, error){
		"newest 100": func() (int, error) {
			m, err := ada.History(b.Context(), api.HistoryRequest{Contact: "Bob"})
			return len(m), err
		},
		"100 in the middle": func() (int, error) {
			m, err := ada.History(b.Context(), api.HistoryRequest{Contact: "Bob", Before: middle})
			return len(m), err
		},
		"100 after": func() (int, error) {
			m, err := ada.History(b.Context(), api.HistoryRequest{Contact: "Bob", After: middle, Limit: 100})
			return len(m), err
		},
		"search": func() (int, error) {
			m, err := ada.Search(b.Context(), api.SearchRequest{Words: "conversation word"})
			return len(m), err
		},
		"contacts": func() (int, error) {
			c, err := ada.Contacts(b.Context())
			return len(c), err
		},
		"status": func() (int, error) { _, err := ada.Status(b.Context()); return 0, err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
