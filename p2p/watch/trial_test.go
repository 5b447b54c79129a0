package watch

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/outfox"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

// keeper is mailboxes that say "stored" to everything; drops decides their deeds.
type keeper struct {
	drops func(at wire.NodeID, stored time.Duration) bool // whether a box is gone by then
	push  bool                                            // what is waited for is handed over, and then gone
	busy  time.Duration                                   // so long after it was stored other boxes come first
	other bool                                            // each fetch brings a box of another tag
	full  bool                                            // nothing is taken
	flood bool                                            // what nobody has asked for does not last
	deaf  func() bool                                     // no fetch is answered
	forge bool                                            // another box is handed over

	poor  // parses requests
	boxes map[mailbox.Tag]kept
	asked map[mailbox.Tag]bool
	wait  map[mailbox.Tag]waiting // subscriptions
	gone  map[mailbox.Tag]bool    // acknowledged
	acked int
	close int // puts less than a minute after a fetch there
	last  map[wire.NodeID]time.Time
	many  int           // watches; 0 is two
	tags  []mailbox.Tag // of each; nil is four
	quiet bool          // no mailbox is tried
	puts  int
	count int // packets that the client sends and gets
	began time.Time
	now   func() time.Time // Config.Now
}

// waiting is a subscription.
type waiting struct {
	answered func(*mailbox.Answer)
	ends     time.Time
}

type kept struct {
	box    mailbox.Box
	stored time.Time
}

func (k *keeper) put(_ context.Context, at wire.NodeID, tag mailbox.Tag, box []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.puts++
	k.count += 2
	if time.Since(k.last[at]) < time.Minute {
		k.close++
	}
	if k.full {
		return errors.New("full")
	}
	if old, here := k.boxes[tag]; k.gone[tag] || here && old.box != mailbox.Box(box) {
		return errors.New("taken")
	}
	if k.flood && !k.asked[tag] {
		return nil
	}
	k.boxes[tag] = kept{mailbox.Box(box), time.Now()}
	if sub := k.wait[tag]; k.push && time.Now().Before(sub.ends) {
		k.count++
		go sub.answered(&mailbox.Answer{Kind: mailbox.Found, Tag: tag, Box: mailbox.Box(box), Standing: 1})
	}
	return nil
}

func (k *keeper) post(ctx context.Context, at wire.NodeID, n int, _ bool, seal Sealing, answered func(*mailbox.Answer)) (Request, error) {
	var f *mailbox.Fetch
	_, err := k.poor.post(ctx, at, n, true, func(b []*outfox.Block) (*outfox.Message, error) {
		m, err := seal(b)
		if err == nil {
			var req any
			req, err = mailbox.ParseRequest(m)
			f, _ = req.(*mailbox.Fetch)
		}
		return m, err
	}, func(*mailbox.Answer) {})
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fetches, k.times, k.last[at] = nil, nil, time.Now()
	if k.deaf != nil && k.deaf() {
		return fakeRequest{}, nil
	}
	for _, t := range f.Acks {
		delete(k.boxes, t)
		k.gone[t] = true
		k.acked++
	}
	a := &mailbox.Answer{Kind: mailbox.None, Standing: n - 1}
	for _, t := range f.Tags {
		if b, ok := k.boxes[t]; ok && !k.drops(at, time.Since(b.stored)) {
			if k.forge {
				b.box[0] ^= 1
			}
			a = &mailbox.Answer{Kind: mailbox.Found, Tag: t, Box: b.box, Standing: n - 1}
			if time.Since(b.stored) < k.busy {
				a = &mailbox.Answer{Kind: mailbox.Found, Tag: mailbox.Tag{1}, Standing: n - 1}
			}
			break
		}
	}
	if k.other {
		a = &mailbox.Answer{Kind: mailbox.Found, Tag: mailbox.Tag{1}, Standing: n - 1}
	}
	for _, t := range f.Tags {
		k.wait[t], k.asked[t] = waiting{answered, time.Now().Add(mailbox.SubscriptionLife)}, true
	}
	k.count += 2
	go answered(a)
	return fakeRequest{}, nil
}

func tagsAt(at wire.NodeID) []mailbox.Tag { return []mailbox.Tag{{1}, {2}, {3}, {at[0] + 3}} }

// run watches four tags at two mailboxes and returns after how long each has lied.
func (k *keeper) run(t *testing.T, d time.Duration) (lied map[wire.NodeID]time.Duration) {
	t.Helper()
	return k.live(t, d, d, nil)
}

// live is run with starts of so long each. start, if not nil, chooses among the records
// that were kept: the last of them at the end of a start.
func (k *keeper) live(t *testing.T, d, each time.Duration, start func(records [][]byte) Record) (lied map[wire.NodeID]time.Duration) {
	t.Helper()
	lied = map[wire.NodeID]time.Duration{}
	synctest.Test(t, func(t *testing.T) {
		k.asked, k.gone = map[mailbox.Tag]bool{}, map[mailbox.Tag]bool{}
		k.boxes, k.wait, k.last = map[mailbox.Tag]kept{}, map[mailbox.Tag]waiting{}, map[wire.NodeID]time.Time{}
		k.began = time.Now()
		var records [][]byte
		for time.Since(k.began) < d && (start != nil || len(lied) < 2) {
			var last Record
			if len(records) > 0 {
				last = start(records)
			}
			k.start(t, each, last, lied, &records)
		}
	})
	return lied
}

// start runs watches once, and notes their findings.
func (k *keeper) start(t *testing.T, d time.Duration, last Record, lied map[wire.NodeID]time.Duration, records *[][]byte) {
	keep := make(chan struct{}, 1)
	cfg := Config{
		Post: k.post, Put: k.put, Issued: func(wire.NodeID) time.Time { return time.Time{} }, Missing: func(wire.NodeID) bool { return false },
		Count: func(string) {}, Patience: time.Second, Retry: time.Second, Poll: 6 * time.Minute, PollShare: 3 * time.Minute,
		Kept: last, Keep: func() { pace.Kick(keep) }, Now: k.now,
		OnBox: func(at wire.NodeID, tag mailbox.Tag, _ []byte) {
			if !slices.Contains(tagsAt(at), tag) {
				t.Error("a box of a trial is handed out")
			}
		},
	}
	if k.quiet {
		cfg.Put = nil
	}
	ws := New(cfg)
	save := func() {
		r, kept := ws.Record()
		*records = append(*records, r.Append(nil))
		kept()
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { ws.Run(ctx); close(done) }()
	for n := range max(k.many, 2) {
		at := wire.NodeID{byte(n%2 + 1)}
		tags := k.tags
		if tags == nil {
			tags = tagsAt(at)
		}
		ws.Watch(string(rune('a'+n)), at, tags)
	}

	for began := time.Now(); time.Since(began) < d && (d < 24*time.Hour || len(lied) < 2); {
		select {
		case <-keep:
			save()
		case <-time.After(10 * time.Minute):
		}
		liars := ws.Liars()
		for _, id := range liars {
			if lied[id] == 0 {
				lied[id] = time.Since(k.began)
			}
		}
		for id, after := range lied {
			if time.Since(k.began)-after < lieLasts/2 && !slices.Contains(liars, id) {
				t.Errorf("a lie is forgotten after %v", time.Since(k.began)-after)
			}
		}
	}
	cancel()
	<-done
	save()
}

// Two mailboxes that drop everything are found out in hours: the mean of the second
// trial is 14 h.
func TestMailboxThatDropsIsFoundOut(t *testing.T) {
	const runs = 20
	var all []time.Duration
	for range runs {
		k := &keeper{drops: func(wire.NodeID, time.Duration) bool { return true }}
		for _, d := range k.run(t, 14*24*time.Hour) {
			all = append(all, d)
		}
	}
	if len(all) != 2*runs {
		t.Fatalf("%d of %d liars are found out in a fortnight", len(all), 2*runs)
	}
	slices.Sort(all)
	t.Logf("found out after %v, half of them, and %v, the last", all[runs], all[2*runs-1])
	if all[runs] > 48*time.Hour {
		t.Errorf("half of them only after %v", all[runs])
	}
}

// One that drops boxes that were not asked for within half a day is found out too.
func TestMailboxThatForgetsIsFoundOut(t *testing.T) {
	k := &keeper{drops: func(at wire.NodeID, d time.Duration) bool { return at == wire.NodeID{1} && d > 12*time.Hour }}
	lied := k.run(t, 60*24*time.Hour)
	if len(lied) != 1 || lied[wire.NodeID{1}] == 0 {
		t.Errorf("found out: %v", lied)
	}
	t.Logf("after %v", lied[wire.NodeID{1}])
}

// One that hands over awaited boxes, and keeps nothing, is found out by boxes that are
// asked for late.
func TestMailboxThatOnlyPushesIsFoundOut(t *testing.T) {
	k := &keeper{push: true, drops: func(wire.NodeID, time.Duration) bool { return true }}
	lied := k.run(t, 60*24*time.Hour)
	if len(lied) != 2 {
		t.Errorf("found out: %v", lied)
	}
	t.Logf("after %v", lied)
}

// One that hands over other bytes than it was given has lied. The waits for trials are drawn:
// of a week one in some hundreds has no two.
func TestMailboxThatForgesIsFoundOut(t *testing.T) {
	k := &keeper{drops: func(wire.NodeID, time.Duration) bool { return false }, forge: true}
	if lied := k.run(t, 30*24*time.Hour); len(lied) != 2 {
		t.Errorf("found out: %v", lied)
	}
}

// One that always has another box first, and never that one, is found out.
func TestMailboxThatHasOthersFirstIsFoundOut(t *testing.T) {
	k := &keeper{drops: func(wire.NodeID, time.Duration) bool { return true }, other: true}
	if lied := k.run(t, 30*24*time.Hour); len(lied) != 2 {
		t.Errorf("found out: %v", lied)
	}
}

// A trial takes the client no more than five packets: the box and its answer, the box
// again, and a fetch with its answer that lets it be deleted. However many watches there
// are, there is one an hour. docs/SCALE.md is computed from that.
func TestCostOfTrials(t *testing.T) {
	for many, days := range map[int]int{2: 40, 40: 6} {
		with := &keeper{push: true, drops: func(wire.NodeID, time.Duration) bool { return false }, many: many}
		without := &keeper{drops: with.drops, many: many, quiet: true}
		with.run(t, time.Duration(days)*24*time.Hour)
		without.run(t, time.Duration(days)*24*time.Hour)
		each := float64(with.count-without.count) / float64(with.puts)
		daily := float64(with.puts) / float64(days)
		t.Logf("%d watches: %.1f packets for each of %.1f trials a day", many, each, daily)
		// With two watches the rhythm of polls is more than the trials.
		if many > 2 && each > TrialPackets+.5 || daily > 1.5*min(float64(many)*float64(24*time.Hour/TrialEvery), float64(24*time.Hour/TrialShare)) {
			t.Error("they cost more than they should")
		}
	}
}

// A mailbox is not blamed that keeps everything, has much to hand over, takes nothing,
// or does not answer; and the box of a trial does not follow a fetch.
func TestHonestMailboxIsNotBlamed(t *testing.T) {
	keeps := func(wire.NodeID, time.Duration) bool { return false }
	k := &keeper{drops: keeps}
	if lied := k.run(t, 60*24*time.Hour); len(lied) > 0 {
		t.Errorf("honest ones: %v", lied)
	}
	if k.acked < 60 || k.close > k.acked/20 {
		t.Errorf("%d trials passed, %d of them beside a fetch", k.acked, k.close)
	}
	k = &keeper{drops: keeps, busy: 5 * time.Hour}
	if lied := k.run(t, 20*24*time.Hour); len(lied) > 0 || k.acked < 20 {
		t.Errorf("busy ones: %v; %d trials passed", lied, k.acked)
	}
	k = &keeper{drops: keeps, flood: true}
	if lied := k.run(t, 30*24*time.Hour); len(lied) > 0 || k.acked < 30 {
		t.Errorf("flooded ones: %v; %d trials passed", lied, k.acked)
	}
	k = &keeper{drops: keeps, full: true}
	if lied := k.run(t, 20*24*time.Hour); len(lied) > 0 {
		t.Errorf("full ones: %v", lied)
	}
	n := 0
	k = &keeper{drops: keeps, deaf: func() bool { n++; return n%100 > 20 }}
	if lied := k.run(t, 20*24*time.Hour); len(lied) > 0 {
		t.Errorf("deaf ones: %v", lied)
	}
}
