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
		Post: func(ctx context.Context, to wire.NodeID, _ int, _ Sealing, _ func(*mailbox.Answer)) (Request, error) {
			select {
			case waiting <- to:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			<-ctx.Done()
			return nil, ctx.Err()
		},
		Listed: func(wire.NodeID) bool { return true }, Missing: func(wire.NodeID) bool { return false },
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
		ws.Ack(wire.NodeID{1}, tag)
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
				ws.Ack(wire.NodeID{1}, mailbox.Tag{1})
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
