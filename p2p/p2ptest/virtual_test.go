package p2ptest_test

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
)

// wan is the network that DESIGN.md asks to be measured on.
var wan = virtualtime.Links{LatencyMin: 50 * time.Millisecond, LatencyMax: 100 * time.Millisecond, BitsPerSecond: 20_000_000, Seed: 1}

func randomTag() (t p2p.Tag) {
	rand.Read(t[:])
	return t
}

func randomBox() []byte {
	b := make([]byte, p2p.BoxSize)
	rand.Read(b)
	return b
}

// A post is a recipient with a watch at a mailbox, and a sender.
type post struct {
	tb       testing.TB
	from, to *p2ptest.Client
	mailbox  p2p.NodeID
	window   []p2p.Tag
	ctx      context.Context // of the puts
	cancel   context.CancelFunc
	puts     sync.WaitGroup

	mu    sync.Mutex
	chain []p2p.Tag // that the window moves along, random ones after it
	sent  map[p2p.Tag]time.Time
	took  map[p2p.Tag]time.Duration
	more  int // boxes that came again
}

func newPost(tb testing.TB, m *p2ptest.Net) *post {
	p := &post{tb: tb, sent: map[p2p.Tag]time.Time{}, took: map[p2p.Tag]time.Duration{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.from = m.Client(nil)
	p.to = m.Client(func(cfg *p2p.ClientConfig) {
		cfg.OnBox = func(_ p2p.NodeID, tag p2p.Tag, _ []byte) { p.got(tag) }
	})
	for _, c := range []*p2ptest.Client{p.from, p.to} {
		p2ptest.Eventually(tb, "client ready", func() bool {
			s := c.Status()
			return s.Ready && len(s.Guards) == 2 && s.Guards[0].Connected && s.Guards[1].Connected && s.Relays == len(m.Relays)
		})
	}
	ids, err := p.to.ChooseMailboxes(1)
	if err != nil {
		tb.Fatal(err)
	}
	p.mailbox = ids[0]
	for range 32 {
		p.window = append(p.window, randomTag())
	}
	p.watch()
	return p
}

func (p *post) watch() { p.to.Watch("post", p.mailbox, slices.Clone(p.window)) }

func (p *post) got(tag p2p.Tag) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, again := p.took[tag]; again {
		p.more++
	} else {
		p.took[tag] = time.Since(p.sent[tag])
		next := randomTag()
		if len(p.chain) > 0 {
			next, p.chain = p.chain[0], p.chain[1:]
		}
		p.window = append(slices.DeleteFunc(p.window, func(t p2p.Tag) bool { return t == tag }), next)
		p.watch()
	}
	p.to.Ack("post", p.mailbox, tag)
}

// send puts a box, over and over until it is on the mailbox's disk or until
// patience ends, as the outbox of a node does. It waits for a tag of the window that
// no box has had.
func (p *post) send(patience time.Duration) p2p.Tag {
	var tag p2p.Tag
	p2ptest.Eventually(p.tb, "a free tag", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		i := slices.IndexFunc(p.window, func(t p2p.Tag) bool { return p.sent[t].IsZero() })
		if i < 0 {
			return false
		}
		tag = p.window[i]
		p.sent[tag] = time.Now()
		return true
	})
	box := randomBox()
	p.puts.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		defer cancel()
		for ctx.Err() == nil && p.from.Put(ctx, p.mailbox, tag, box) != nil {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	})
	return tag
}

// burst puts boxes under a chain of tags, 64 at a time, and returns how long the
// recipient took to get all. If it was away, the time begins when it is back.
func (p *post) burst(boxes int, away bool) time.Duration {
	chain := make([]p2p.Tag, boxes+32)
	for i := range chain {
		chain[i] = randomTag()
	}
	p.mu.Lock()
	p.chain, p.window = chain[32:], slices.Clone(chain[:32])
	clear(p.took)
	p.more = 0
	p.mu.Unlock()
	if away {
		p.to.Watch("post", p.mailbox, nil)
	} else {
		p.watch()
		time.Sleep(5 * time.Second)
	}
	began := time.Now()
	var puts sync.WaitGroup
	room := make(chan struct{}, 64)
	for _, tag := range chain[:boxes] {
		room <- struct{}{}
		puts.Go(func() {
			box := randomBox()
			for p.from.Put(p.ctx, p.mailbox, tag, box) != nil && p.ctx.Err() == nil {
				time.Sleep(time.Second)
			}
			<-room
		})
	}
	if away {
		puts.Wait()
		began = time.Now()
		p.watch()
	}
	p2ptest.Eventually(p.tb, "all boxes", func() bool { return p.delivered() == boxes })
	took := time.Since(began)
	puts.Wait()
	return took
}

func (p *post) delivered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.took)
}

func (p *post) has(tag p2p.Tag) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.took[tag]
	return ok
}

func (p *post) stop() {
	p.cancel()
	p.puts.Wait()
	p.from.Stop()
	p.to.Stop()
}

// quantiles returns the median, the 99th percentile and the largest.
func (p *post) quantiles() (p50, p99, most time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []time.Duration
	for _, d := range p.took {
		all = append(all, d.Round(time.Millisecond))
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100], all[len(all)-1]
}

// TestLatency: from Put to OnBox over three mixes with their mean delay of 30 ms
// on links of 50 to 100 ms. Twelve pairs, because each has the latency of its
// own guards in all it sends.
func TestLatency(t *testing.T) {
	if testing.Short() {
		t.Skip("a mean draw of guards takes a dozen people")
	}
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 12, wan, nil)
		defer m.Stop()
		t.Logf("12 relays know each other after %v", m.Settle(12))
		const pairs, first, boxes = 12, 10, 40
		all := post{took: map[p2p.Tag]time.Duration{}}
		for range pairs {
			p := newPost(t, m)
			for i := range first + boxes {
				if i == first { // the links between relays stand
					p2ptest.Eventually(t, "first boxes", func() bool { return p.delivered() == first })
					p.mu.Lock()
					clear(p.took)
					p.mu.Unlock()
				}
				p.send(time.Minute)
				time.Sleep(500 * time.Millisecond)
			}
			p2ptest.Eventually(t, "all boxes", func() bool { return p.delivered() == boxes })
			p.stop()
			maps.Copy(all.took, p.took)
			all.more += p.more
		}
		p50, p99, most := all.quantiles()
		t.Logf("put to OnBox, %d boxes: p50 %v, p99 %v, max %v; %d came again", len(all.took), p50, p99, most, all.more)
		if p50 > 850*time.Millisecond || p99 > 1200*time.Millisecond {
			t.Errorf("p50 %v, p99 %v; 0.8 and 1.1 s are what a mean draw of guards gives", p50, p99)
		}
	})
}

// TestLoss: a tenth of all packets is lost on every link, and every box arrives.
func TestLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		links := wan
		links.Loss = 0.1
		m := p2ptest.Virtual(t, 12, links, nil)
		defer m.Stop()
		t.Logf("12 relays know each other after %v", m.Settle(12))
		p := newPost(t, m)
		defer p.stop()
		const boxes = 200
		for range boxes {
			p.send(10 * time.Minute)
			time.Sleep(time.Second)
		}
		p2ptest.Eventually(t, "all boxes", func() bool { return p.delivered() == boxes })
		p50, p99, most := p.quantiles()
		sent, lost := m.Packets()
		t.Logf("put to OnBox, %d boxes: p50 %v, p99 %v, max %v; %d came again; %d of %d packets lost", boxes, p50, p99, most, p.more, lost, sent)
		if lost < sent/20 {
			t.Errorf("%d of %d packets lost: that is no tenth", lost, sent)
		}
	})
}

// TestPartition: half of the relays, among them the mailbox, are cut off from
// the other half and from the clients for two minutes. Boxes of the meantime arrive
// soon after.
func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 12, wan, nil)
		defer m.Stop()
		m.Settle(12)
		p := newPost(t, m)
		defer p.stop()
		first := p.send(time.Minute)
		p2ptest.Eventually(t, "a box before", func() bool { return p.has(first) })

		cut := []int{}
		for _, r := range m.Relays {
			if r.ID() == p.mailbox || r.Node%2 == 0 && len(cut) < 5 {
				cut = append(cut, r.Node)
			}
		}
		m.Cut(cut...)
		during := p.send(time.Hour)
		time.Sleep(2 * time.Minute)
		if p.has(during) {
			t.Fatal("a box came through a cut")
		}
		m.Heal()
		t.Logf("sent during the cut, shown %v after its end", p2ptest.Eventually(t, "the box sent meanwhile", func() bool { return p.has(during) }))
		t.Logf("every relay lists 12 again %v later", m.Settle(12))
		after := p.send(time.Minute)
		t.Logf("sent after that, shown in %v", p2ptest.Eventually(t, "a box after", func() bool { return p.has(after) }))
	})
}

// TestRestarts: within an hour a third of the relays restart, with new mix keys
// and the boxes they had, each at a time of its own and away for a minute.
func TestRestarts(t *testing.T) {
	if testing.Short() {
		t.Skip("an hour, if a virtual one")
	}
	synctest.Test(t, func(t *testing.T) {
		const relays, boxes = 12, 120
		m := p2ptest.Virtual(t, relays, wan, nil)
		defer m.Stop()
		m.Settle(relays)
		p := newPost(t, m)
		defer p.stop()
		down := map[int]*p2ptest.Relay{}
		restarts := 0
		for minute := range 60 {
			for at, r := range down {
				if at == minute {
					r.Start()
					delete(down, at)
				}
			}
			if minute%15 == 5 {
				r := m.Relays[1+(restarts*3)%(relays-1)]
				r.Stop()
				down[minute+1] = r
				restarts++
			}
			for range boxes / 60 {
				p.send(time.Hour)
				time.Sleep(30 * time.Second)
			}
		}
		for _, r := range down {
			r.Start()
		}
		p2ptest.Eventually(t, "all boxes", func() bool { return p.delivered() == boxes })
		p50, p99, most := p.quantiles()
		t.Logf("%d restarts of %d relays in an hour, %d boxes: p50 %v, p99 %v, max %v; %d came again", restarts, relays, boxes, p50, p99, most, p.more)
		if restarts < relays*3/10 {
			t.Errorf("only %d of %d relays restarted", restarts, relays)
		}
	})
}

// TestBurst: 200 boxes are put as fast as a sender may, to a waiting recipient and
// to a returning one.
func TestBurst(t *testing.T) {
	for _, away := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := p2ptest.Virtual(t, 12, wan, nil)
			defer m.Stop()
			m.Settle(12)
			p := newPost(t, m)
			defer p.stop()
			for i := range 5 { // the links between relays stand
				p.send(time.Minute)
				p2ptest.Eventually(t, "first boxes", func() bool { return p.delivered() == i+1 })
			}
			const boxes = 200
			took := p.burst(boxes, away)
			t.Logf("away %v: %d boxes in %v, %.0f a second; %d came again", away, boxes, took, boxes/took.Seconds(), p.more)
			if rate := boxes / took.Seconds(); rate < 20 {
				t.Errorf("%.0f boxes a second", rate)
			}
		})
	}
}

// TestNobodyWaits: in a mesh that starts at once no relay waits for another one's turn
// to be dialled, which is ten minutes.
func TestNobodyWaits(t *testing.T) {
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			m := p2ptest.Virtual(t, 20, wan, nil)
			defer m.Stop()
			if took := m.Settle(20); took > 2*time.Minute {
				t.Errorf("every relay lists all after %v", took)
			}
		})
	}
}
