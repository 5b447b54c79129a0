package watch

import (
	"context"
	"slices"
	"testing"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/wire"
)

// TestInterval: the more watches there are, the more rarely each polls.
func TestInterval(t *testing.T) {
	ws := New(Config{Poll: 6 * time.Minute, PollShare: 3 * time.Minute})
	for i := range 100 {
		ws.m[string(rune(i))] = &watch{}
	}
	if d := ws.interval(); d < time.Hour || d > maxPoll+maxPoll/4 {
		t.Errorf("100 watches are polled every %v", d)
	}
}

// TestGuardThatReadsNothing: while a request waits for room nobody else waits with it,
// and it does not wait for ever.
func TestGuardThatReadsNothing(t *testing.T) {
	waiting := make(chan wire.NodeID)
	ws := New(Config{
		Post: func(ctx context.Context, to wire.NodeID, _ int, _ bool, _ Sealing, _ func(*mailbox.Answer)) (Request, error) {
			select {
			case waiting <- to:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			<-ctx.Done()
			return nil, ctx.Err()
		},
		Issued: func(wire.NodeID) time.Time { return time.Time{} }, Missing: func(wire.NodeID) bool { return false },
		Count: func(string) {}, Patience: 100 * time.Millisecond, Retry: time.Millisecond, Poll: time.Hour,
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ws.Run(ctx) }()
	tag := mailbox.Tag{1}
	ws.Watch("a", wire.NodeID{1}, []mailbox.Tag{tag})
	<-waiting

	free := make(chan struct{})
	go func() {
		ws.Watch("b", wire.NodeID{2}, []mailbox.Tag{{2}})
		ws.Ack("a", wire.NodeID{1}, tag)
		ws.GuardLost(wire.NodeID{3})
		ws.RelaysChanged()
		close(free)
	}()
	select {
	case <-free:
	case <-time.After(10 * time.Second):
		t.Fatal("a request that waits for room holds up callers")
	}

	for seen := map[wire.NodeID]int{}; seen[wire.NodeID{1}] == 0 || seen[wire.NodeID{2}] == 0; {
		select {
		case at := <-waiting:
			seen[at]++
		case <-time.After(10 * time.Second):
			t.Fatalf("a request that waits for room holds up others: %v", seen)
		}
	}
	cancel()
	<-ended
	if w := ws.m["a"]; w == nil || len(w.leases) != 0 || len(w.acks) != 1 {
		t.Errorf("not taken back: %+v", w)
	}
}

// TestAckUnderWay: a watch that ends while an acknowledgement is under way does not
// lose it, if the mailbox never answers.
func TestAckUnderWay(t *testing.T) {
	for name, end := range map[string]func(*Watches){
		"ends":  func(ws *Watches) { ws.Watch("a", wire.NodeID{1}, nil) },
		"moves": func(ws *Watches) { ws.Watch("a", wire.NodeID{2}, []mailbox.Tag{{1}}) },
	} {
		t.Run(name, func(t *testing.T) {
			p := new(poor)
			p.run(t, func(ws *Watches) {
				ws.Ack("a", wire.NodeID{1}, mailbox.Tag{1})
				acked := func() bool {
					fetches, _ := p.take()
					return slices.ContainsFunc(fetches, func(f *mailbox.Fetch) bool { return slices.Contains(f.Acks, mailbox.Tag{1}) })
				}
				p.answer(false)
				for !acked() {
					time.Sleep(10 * time.Millisecond)
				}
				end(ws)
				p.answer(true)
				time.Sleep(time.Minute)
				if !acked() {
					t.Error("the acknowledgement is lost")
				}
			})
		})
	}
}

// TestQuietWatchPolls: a watch without boxes asks as often as it polls, with any number
// of tags, and whether or not its mailbox is tried.
func TestQuietWatchPolls(t *testing.T) {
	for _, n := range []int{1, 2, 31, 32, 33, 64, 65} {
		var tags []mailbox.Tag
		for i := range n {
			tags = append(tags, mailbox.Tag{byte(i), 1})
		}
		const days = 4
		most := 1.2 * float64((n+mailbox.MaxTags-1)/mailbox.MaxTags*days*24*10)
		for _, quiet := range []bool{true, false} {
			k := &keeper{drops: func(wire.NodeID, time.Duration) bool { return false }, tags: tags, quiet: quiet}
			k.run(t, days*24*time.Hour)
			if asked := float64(k.count)/2 - float64(k.puts); asked > 2*most+20*days {
				t.Errorf("%d tags, tried: %v: %.0f requests in %d days, at most %.0f", n, !quiet, asked, days, 2*most)
			}
		}
	}
}
