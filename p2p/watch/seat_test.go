package watch

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// fakeRequest is always valid.
type fakeRequest struct{}

func (fakeRequest) BackOver(wire.NodeID) bool { return false }
func (fakeRequest) Held() bool                { return false }
func (fakeRequest) Valid() bool               { return true }
func (fakeRequest) Failed()                   {}

// poor is a mailbox that lies about seats.
type poor struct {
	mu      sync.Mutex
	price   int
	noSeat  bool
	silent  bool // it does not answer
	fetches []*mailbox.Fetch
	times   []time.Time
	made    []int // bits of the stamps that the client made
	issued  func(wire.NodeID) time.Time
	missing bool
}

// post is Config.Post.
func (p *poor) post(_ context.Context, _ wire.NodeID, n int, _ bool, seal Sealing, answered func(*mailbox.Answer)) (Request, error) {
	blocks := make([]*outfox.Block, n)
	for i := range blocks {
		b, err := outfox.ParseBlock(make([]byte, outfox.BlockSize))
		if err != nil {
			return nil, err
		}
		blocks[i] = b
	}
	m, err := seal(blocks)
	if err != nil {
		return nil, err
	}
	req, err := mailbox.ParseRequest(m)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f := req.(*mailbox.Fetch)
	p.fetches, p.times = append(p.fetches, f), append(p.times, time.Now())
	a := &mailbox.Answer{Kind: mailbox.None, NoSeat: p.noSeat && (p.price == 0 || f.Stamp == 0), Standing: n - 1}
	if a.NoSeat {
		a.Standing, a.Price = 0, p.price
	}
	if !p.silent {
		go answered(a)
	}
	return fakeRequest{}, nil
}

func (p *poor) issuedAt(id wire.NodeID) time.Time {
	if p.issued == nil {
		return time.Time{}
	}
	return p.issued(id)
}

func (p *poor) take() (fetches []*mailbox.Fetch, times []time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fetches, times = p.fetches, p.times
	p.fetches, p.times = nil, nil
	return fetches, times
}

// stamp notes a stamp that the client made.
func (p *poor) stamp(bits int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made = append(p.made, bits)
}

// stamps are the bits of the stamps that the client made.
func (p *poor) stamps() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.made)
}

// answer lets it answer, or not.
func (p *poor) answer(does bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = !does
}

// run watches four tags at p in virtual time.
func (p *poor) run(t *testing.T, test func(ws *Watches)) {
	synctest.Test(t, func(t *testing.T) {
		ws := New(Config{
			Post: p.post, Issued: p.issuedAt, Missing: func(wire.NodeID) bool { return p.missing },
			Count: func(reason string) { t.Errorf("refused: %s", reason) }, Patience: time.Second, Retry: time.Second,
			Poll: 6 * time.Minute, PollShare: 3 * time.Minute,
			Stamp: func(_ context.Context, _ wire.NodeID, _ mailbox.LeaseID, _ time.Time, bits int) (uint64, error) {
				p.stamp(bits)
				return 77, nil
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { ws.Run(ctx); close(done) }()
		ws.Watch("a", wire.NodeID{1}, []mailbox.Tag{{1}, {2}, {3}, {4}})
		time.Sleep(time.Second)
		synctest.Wait()
		test(ws)
		cancel()
		<-done
	})
}

// TestLeaseOfAWatch: a watch has one lease in all its requests, and each watch its
// own.
func TestLeaseOfAWatch(t *testing.T) {
	p := new(poor)
	p.run(t, func(ws *Watches) {
		ws.Watch("b", wire.NodeID{1}, []mailbox.Tag{{5}})
		time.Sleep(time.Hour)
		synctest.Wait()
		leases := map[mailbox.LeaseID]int{}
		fetches, _ := p.take()
		for _, f := range fetches {
			leases[f.Lease]++
		}
		if len(leases) != 2 || leases[mailbox.LeaseID{}] > 0 {
			t.Errorf("leases: %v", leases)
		}
		ws.Watch("b", wire.NodeID{2}, []mailbox.Tag{{5}})
		time.Sleep(time.Minute)
		fetches, _ = p.take()
		moved := slices.DeleteFunc(fetches, func(f *mailbox.Fetch) bool { return f.Tags[0] != mailbox.Tag{5} })
		if len(moved) == 0 || leases[moved[0].Lease] > 0 {
			t.Error("two mailboxes see one lease")
		}
		if len(ws.Unseated()) != 0 {
			t.Error("unseated")
		}
	})
}

// TestNoSeatPolls: without a seat a watch polls more often, and not at once for
// ever.
func TestNoSeatPolls(t *testing.T) {
	p := &poor{noSeat: true}
	p.run(t, func(ws *Watches) {
		if at := ws.Unseated(); !slices.Equal(at, []wire.NodeID{{1}}) {
			t.Errorf("unseated at %v", at)
		}
		p.take()
		time.Sleep(time.Hour)
		fetches, _ := p.take()
		if n := len(fetches); n < 22 || n > 42 {
			t.Errorf("%d requests in an hour, want 30", n)
		}
		if made := p.stamps(); len(made) != 0 {
			t.Errorf("stamps were made of %v bits", made)
		}
		p.mu.Lock()
		p.noSeat = false
		p.mu.Unlock()
		time.Sleep(time.Hour)
		p.take()
		time.Sleep(time.Hour)
		fetches, _ = p.take()
		if n := len(fetches); n < 7 || n > 14 || len(ws.Unseated()) != 0 {
			t.Errorf("%d requests in an hour with a seat, want 10", n)
		}
	})
}

// TestStampIsPaid: a stamp is made when one is asked for, goes along from then on,
// and gets a seat.
func TestStampIsPaid(t *testing.T) {
	p := &poor{noSeat: true, price: 20}
	p.run(t, func(ws *Watches) {
		fetches, _ := p.take()
		if len(fetches) != 2 || fetches[0].Stamp != 0 || fetches[1].Stamp != 77 || !slices.Equal(p.stamps(), []int{20}) {
			t.Fatalf("%d requests; stamps of %v bits", len(fetches), p.stamps())
		}
		if len(ws.Unseated()) != 0 {
			t.Error("no seat")
		}
	})
}

// TestStampIsBounded: a mailbox's price is bounded: one stamp a day, and none that is
// too dear.
func TestStampIsBounded(t *testing.T) {
	p := &poor{noSeat: true, price: mailbox.StampBits + 1}
	p.run(t, func(ws *Watches) {
		time.Sleep(24 * time.Hour)
		if made := p.stamps(); len(made) != 0 {
			t.Errorf("stamps were made of %v bits", made)
		}
	})

	liar := &greedy{poor{noSeat: true, price: 1}}
	synctest.Test(t, func(t *testing.T) {
		ws := New(Config{
			Post: liar.post, Issued: func(wire.NodeID) time.Time { return time.Time{} }, Missing: func(wire.NodeID) bool { return false },
			Count: func(string) {}, Patience: time.Second, Retry: time.Second, Poll: 6 * time.Minute,
			Stamp: func(_ context.Context, _ wire.NodeID, _ mailbox.LeaseID, _ time.Time, bits int) (uint64, error) {
				liar.stamp(bits)
				return 77, nil
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { ws.Run(ctx); close(done) }()
		ws.Watch("a", wire.NodeID{1}, []mailbox.Tag{{1}})
		time.Sleep(72*time.Hour - time.Second)
		if n := len(liar.stamps()); n != 3 {
			t.Errorf("%d stamps in three days", n)
		}
		cancel()
		<-done
	})
}

// greedy asks for a stamp, and again when it has one.
type greedy struct{ poor }

func (p *greedy) post(ctx context.Context, at wire.NodeID, n int, _ bool, seal Sealing, answered func(*mailbox.Answer)) (Request, error) {
	return p.poor.post(ctx, at, n, true, seal, func(*mailbox.Answer) {
		answered(&mailbox.Answer{Kind: mailbox.None, NoSeat: true, Price: 1})
	})
}
