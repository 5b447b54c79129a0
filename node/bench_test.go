package node

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/nettest"
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

// From Send at one node to the event at the other, over a network that takes
// no time: what the nodes themselves add.
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
