package watch

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/wire"
)

// hasty is a mailbox that says whatever makes its reader ask again.
type hasty struct {
	poor // parses requests
	say  func(f *mailbox.Fetch, n int, answered func(*mailbox.Answer))

	asked []time.Time // requests
	most  int         // in one minute
	since time.Time
	here  int
}

func (h *hasty) post(ctx context.Context, at wire.NodeID, n int, _ bool, seal Sealing, answered func(*mailbox.Answer)) (Request, error) {
	h.poor.answer(false)
	if _, err := h.poor.post(ctx, at, n, true, seal, answered); err != nil {
		return nil, err
	}
	fetches, _ := h.take()
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.since) > time.Minute {
		h.since, h.here = time.Now(), 0
	}
	h.here++
	h.asked, h.most = append(h.asked, time.Now()), max(h.most, h.here)
	go h.say(fetches[0], n, answered)
	return fakeRequest{}, nil
}

// times is how often it was asked.
func (h *hasty) times() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.asked)
}

// live lets a client watch so many tags there for a time.
func (h *hasty) live(t *testing.T, tags int, poll, d time.Duration, onBox func(*Watches, mailbox.Tag)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var ws *Watches
		ws = New(Config{
			Post: h.post, Issued: func(wire.NodeID) time.Time { return time.Time{} }, Missing: func(wire.NodeID) bool { return false },
			Count: func(string) {}, Patience: 6 * time.Second, Retry: 500 * time.Millisecond,
			Poll: poll, PollShare: poll / 2,
			OnBox: func(_ wire.NodeID, tag mailbox.Tag, _ []byte) { onBox(ws, tag) },
			Stamp: func(context.Context, wire.NodeID, mailbox.LeaseID, time.Time, int) (uint64, error) { return 7, nil },
		})
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { ws.Run(ctx) })
		list := make([]mailbox.Tag, tags)
		for i := range list {
			list[i] = mailbox.Tag{byte(i), 1}
		}
		ws.Watch("a", wire.NodeID{1}, list)
		time.Sleep(d)
		cancel()
		done.Wait()
		time.Sleep(time.Minute) // for answers that are under way
	})
}

func leave(*Watches, mailbox.Tag) {}

// ask returns how often a client with so many tags asks it in a time.
func (h *hasty) ask(t *testing.T, tags int, d time.Duration, acks bool) int {
	t.Helper()
	onBox := leave
	if acks {
		onBox = func(ws *Watches, tag mailbox.Tag) { ws.Ack("a", wire.NodeID{1}, tag) }
	}
	h.live(t, tags, 6*time.Minute, d, onBox)
	return len(h.asked)
}

// TestMailboxThatHurries: whatever a mailbox answers, its reader asks it no more often
// than one that says nothing, but for some requests at first and for each box that is of
// use.
func TestMailboxThatHurries(t *testing.T) {
	const trip = 600 * time.Millisecond
	found := func(f *mailbox.Fetch, i, pending int) *mailbox.Answer {
		return &mailbox.Answer{Kind: mailbox.Found, Tag: f.Tags[i%len(f.Tags)], Pending: pending, Standing: 1}
	}
	each := func(a func(f *mailbox.Fetch, i int) *mailbox.Answer) func(*mailbox.Fetch, int, func(*mailbox.Answer)) {
		return func(f *mailbox.Fetch, n int, answered func(*mailbox.Answer)) {
			time.Sleep(trip)
			for i := range n {
				if len(f.Tags) > 0 {
					answered(a(f, i))
				} else {
					answered(&mailbox.Answer{Kind: mailbox.None})
				}
			}
		}
	}
	const seats = "no seat, and a seat"
	var flips atomic.Int64
	for name, say := range map[string]func(*mailbox.Fetch, int, func(*mailbox.Answer)){
		"none, to each block":        each(func(*mailbox.Fetch, int) *mailbox.Answer { return &mailbox.Answer{Kind: mailbox.None} }),
		"the same box to each block": each(func(f *mailbox.Fetch, _ int) *mailbox.Answer { return found(f, 0, 0) }),
		"a box to each block":        each(func(f *mailbox.Fetch, i int) *mailbox.Answer { return found(f, i, 0) }),
		"more wait": each(func(f *mailbox.Fetch, i int) *mailbox.Answer {
			return found(f, i, 255)
		}),
		"more wait behind one": each(func(f *mailbox.Fetch, _ int) *mailbox.Answer { return found(f, 0, 255) }),
		"more wait behind what nobody asked for": each(func(*mailbox.Fetch, int) *mailbox.Answer {
			return &mailbox.Answer{Kind: mailbox.Found, Tag: mailbox.Tag{99, 99}, Pending: 255}
		}),
		"nothing stands": each(func(f *mailbox.Fetch, i int) *mailbox.Answer {
			return &mailbox.Answer{Kind: mailbox.Found, Tag: f.Tags[i%len(f.Tags)]}
		}),
		"nothing stands, says one": func(f *mailbox.Fetch, n int, answered func(*mailbox.Answer)) {
			time.Sleep(trip)
			answered(&mailbox.Answer{Kind: mailbox.None})
		},
		"what is no answer": each(func(*mailbox.Fetch, int) *mailbox.Answer { return &mailbox.Answer{Kind: mailbox.Stored} }),
		seats: each(func(*mailbox.Fetch, int) *mailbox.Answer {
			return &mailbox.Answer{Kind: mailbox.None, NoSeat: flips.Add(1)%2 == 1, Price: 1}
		}),
		"one, and then the rest": func(f *mailbox.Fetch, n int, answered func(*mailbox.Answer)) {
			for i := range n {
				time.Sleep(trip)
				if len(f.Tags) > 0 && i > 0 {
					answered(found(f, 0, 0))
				} else {
					answered(&mailbox.Answer{Kind: mailbox.None})
				}
			}
		},
	} {
		for _, tags := range []int{1, 5, 32, 100} {
			for _, acks := range []bool{true, false} {
				quiet := &hasty{say: func(f *mailbox.Fetch, n int, answered func(*mailbox.Answer)) {
					answered(&mailbox.Answer{Kind: mailbox.None})
				}}
				const d = 6 * time.Hour
				most := 2*quiet.ask(t, tags, d, acks) + 200
				if name == seats { // who has none asks three times as often
					most = 2*most + 200
				}
				h := &hasty{say: say}
				if n := h.ask(t, tags, d, acks); n > most {
					t.Errorf("%s, %d tags, acknowledged: %v: %d requests in %v, %d in a minute, most %d", name, tags, acks, n, d, h.most, most)
				}
			}
		}
	}
}

// TestHaste: what is used up comes back with boxes that are acknowledged, and with polls.
func TestHaste(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	w := &watch{haste: hasteMost, due: now.Add(time.Hour)}
	early := func() bool {
		w.due = now.Add(time.Hour)
		w.hurry(now)
		return w.due.Equal(now)
	}
	for n := range 64 {
		if !early() {
			t.Fatalf("request %d waits", n)
		}
		w.spend(1)
	}
	if early() || w.hurried {
		t.Error("one more does not wait")
	}
	if w.expect(100, now); w.burst != 0 {
		t.Error("and its tags have a block each")
	}
	for range 3 {
		if w.spend(7); early() {
			t.Error("three polls give it back")
		}
	}
	if w.spend(7); !early() {
		t.Error("four polls do not give it back")
	}
	w.spend(9)
	if w.haste != 0 {
		t.Errorf("%d are left of less than nine cost", w.haste)
	}
	if w.earn(); !early() {
		t.Error("a box does not give it back")
	}
	for range 100 {
		w.earn()
	}
	if w.haste != hasteMost {
		t.Errorf("%d are saved up", w.haste)
	}
	w.hurried = false
	if w.spend(1); w.haste != hasteMost {
		t.Errorf("%d are saved up by polls", w.haste)
	}
	if w.expect(100, now); w.burst != 100 {
		t.Error("no burst")
	}
}

// TestLostPush: when an answer says that fewer blocks stand than answers have not come,
// those that are missing are asked for as soon as they should have come.
func TestLostPush(t *testing.T) {
	for name, c := range map[string]struct {
		late time.Duration // the push before the last one; 0: it is lost
		want int           // requests in the next minute
	}{
		"lost":             {0, 1},
		"late":             {2 * time.Second, 0},
		"the other is old": {-time.Second, 0},
	} {
		var pushed time.Time
		h := &hasty{}
		h.say = func(f *mailbox.Fetch, n int, answered func(*mailbox.Answer)) {
			if n != 5 {
				t.Errorf("%d blocks", n)
			}
			answered(&mailbox.Answer{Kind: mailbox.None, Standing: n - 1})
			if h.times() > 1 {
				return
			}
			time.Sleep(time.Minute)
			push := func(i, standing int) {
				answered(&mailbox.Answer{Kind: mailbox.Found, Tag: f.Tags[i], Standing: standing})
			}
			if c.late < 0 {
				push(0, n-2)
				time.Sleep(-c.late)
			}
			push(1, n-3)
			pushed = time.Now()
			if c.late > 0 {
				time.Sleep(c.late)
				push(0, n-2)
			}
		}
		h.live(t, 6, time.Hour, 80*time.Second, leave)
		var after []time.Duration
		for _, at := range h.asked[1:] {
			after = append(after, at.Sub(pushed))
		}
		if len(after) != c.want || c.want > 0 && (after[0] < 3*time.Second || after[0] > 4*time.Second) {
			t.Errorf("%s: asked again after %v", name, after)
		}
	}
}

// TestAfterLoss: minutes after an answer was lost its mailbox is asked again soon after
// each box, and otherwise not: the push that follows may be lost, and nothing show it.
func TestAfterLoss(t *testing.T) {
	for name, c := range map[string]struct {
		lost bool          // the first request, without an answer
		wait time.Duration // from the next answer until a box comes
		want bool          // a request soon after it
	}{
		"nothing was lost": {false, time.Minute, false},
		"lost just now":    {true, time.Minute, true},
		"lost before":      {true, lossLasts, false},
	} {
		var came time.Time
		h := &hasty{}
		h.say = func(f *mailbox.Fetch, n int, answered func(*mailbox.Answer)) {
			if c.lost && h.times() == 1 {
				return
			}
			answered(&mailbox.Answer{Kind: mailbox.None, Standing: n - 1})
			if !came.IsZero() {
				return
			}
			time.Sleep(c.wait)
			came = time.Now()
			answered(&mailbox.Answer{Kind: mailbox.Found, Tag: f.Tags[1], Standing: n - 2})
		}
		h.live(t, 6, time.Hour, 20*time.Minute, leave)
		var soon []time.Duration
		for _, at := range h.asked {
			if after := at.Sub(came); after > 0 {
				soon = append(soon, after)
			}
		}
		if c.want != (len(soon) > 0 && soon[0] == lossLook) || !c.want && len(soon) > 0 {
			t.Errorf("%s: asked %v after the box", name, soon)
		}
	}
}
