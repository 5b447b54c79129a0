package watch

import (
	"slices"
	"testing"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/wire"
)

// TestAcksOfADeadMailbox: a mailbox without answers is sent few requests, however many
// boxes it may delete, also when the list of relays changes all the time and tags come
// and go; and none any more in the end.
func TestAcksOfADeadMailbox(t *testing.T) {
	p := new(poor)
	p.run(t, func(ws *Watches) {
		p.answer(false)
		p.take()
		for i := range 300 {
			tag := mailbox.Tag{9, byte(i), byte(i >> 8)}
			ws.Ack("moved away", wire.NodeID{1}, tag)
			ws.Ack("a", wire.NodeID{1}, tag)
			ws.Watch("a", wire.NodeID{1}, []mailbox.Tag{{1}, {2}, {3}, {5, byte(i)}})
			ws.RelaysChanged()
			time.Sleep(12 * time.Second)
		}
		// An hour: at most one request a minute of the watch, and its acknowledgements, few
		// of those without one.
		fetches, _ := p.take()
		var asked, bare int
		for _, f := range fetches {
			if len(f.Tags) > 0 {
				asked++
			} else {
				bare++
			}
		}
		if asked < 20 || asked > 100 || bare < 5 || bare > 100 {
			t.Errorf("%d requests with tags, %d without, in an hour", asked, bare)
		}

		time.Sleep(4 * 24 * time.Hour)
		p.take()
		time.Sleep(24 * time.Hour)
		fetches, _ = p.take()
		if slices.ContainsFunc(fetches, func(f *mailbox.Fetch) bool { return len(f.Tags) == 0 }) {
			t.Error("acknowledgements without a watch are tried for ever")
		}
		ws.mu.Lock()
		defer ws.mu.Unlock()
		if n := len(ws.m["a"].owed()); n > maxAcks+mailbox.MaxAcks {
			t.Errorf("%d acknowledgements are kept", n)
		}
	})
}

// TestAcksOfTwo: acknowledgements of different keys never go together, whether or not
// their watches are at the mailbox.
func TestAcksOfTwo(t *testing.T) {
	p := new(poor)
	p.run(t, func(ws *Watches) {
		ws.Watch("b", wire.NodeID{1}, []mailbox.Tag{{5}})
		ws.Watch("c", wire.NodeID{2}, []mailbox.Tag{{6}})
		time.Sleep(time.Minute)
		p.take()
		keys := []string{"a", "b", "c", "d"}
		for round := range byte(20) {
			for i, key := range keys {
				ws.Ack(key, wire.NodeID{1}, mailbox.Tag{byte(100 + i), round})
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)

		fetches, _ := p.take()
		seen := map[byte]int{}
		for _, f := range fetches {
			for _, tag := range f.Acks {
				if tag[0] != f.Acks[0][0] || slices.Contains(f.Tags, mailbox.Tag{1}) && tag[0] != 100 || slices.Contains(f.Tags, mailbox.Tag{5}) && tag[0] != 101 {
					t.Fatalf("%v go along with %v", f.Acks, f.Tags)
				}
				seen[tag[0]]++
			}
		}
		for i, key := range keys {
			if n := seen[byte(100+i)]; n != 20 {
				t.Errorf("%d acknowledgements of %q, want 20", n, key)
			}
		}
	})
}

// TestMissingIsAsked: a mailbox that seems to be gone is asked often enough for the judge
// to go on believing it, however many watches there are.
func TestMissingIsAsked(t *testing.T) {
	p := new(poor)
	p.missing = true
	p.run(t, func(ws *Watches) {
		for i := range 20 {
			ws.Watch(string(rune('f'+i)), wire.NodeID{2}, []mailbox.Tag{{8, byte(i)}})
		}
		p.answer(false)
		ws.Watch("a", wire.NodeID{1}, []mailbox.Tag{{7}})
		time.Sleep(time.Hour)
		p.take()
		last, asked := time.Now(), 0
		time.Sleep(6 * time.Hour)
		fetches, times := p.take()
		for i, f := range fetches {
			if f.Tags[0] != (mailbox.Tag{7}) {
				continue // of one of the others, which may come first
			}
			if apart := times[i].Sub(last); apart > 9*time.Minute || asked > 0 && apart < time.Minute {
				t.Fatalf("asked after %v", apart)
			}
			asked++
			last = times[i]
		}
		if time.Since(last) > 9*time.Minute {
			t.Error("asked no more")
		}
	})
}

// TestNewsOfTheMailbox: a watch that failed tries again when its mailbox has a new
// descriptor, and not because others have one.
func TestNewsOfTheMailbox(t *testing.T) {
	p := new(poor)
	var issued time.Time
	p.issued = func(wire.NodeID) time.Time { return issued }
	p.run(t, func(ws *Watches) {
		issued = time.Now()
		ws.RelaysChanged()
		p.answer(false)
		ws.Watch("a", wire.NodeID{1}, []mailbox.Tag{{7}})
		time.Sleep(5 * time.Minute)
		for range 10 {
			p.take()
			ws.RelaysChanged()
			time.Sleep(time.Second)
			if fetches, _ := p.take(); len(fetches) == 0 {
				break
			} else if len(fetches) > 1 {
				t.Fatalf("%d requests in a second", len(fetches))
			}
		}
		due := func() time.Time {
			ws.mu.Lock()
			defer ws.mu.Unlock()
			return ws.m["a"].due
		}
		next := due()
		ws.RelaysChanged()
		if due() != next {
			t.Error("news of others bring the next request forward")
		}
		issued = time.Now()
		ws.RelaysChanged()
		if wait := time.Until(due()); wait > soonest {
			t.Errorf("after news of the mailbox it is asked in %v", wait)
		}
	})
}
