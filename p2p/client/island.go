package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"starling/p2p/directory/exchange"
	"starling/p2p/guard"
	"starling/p2p/island"
	"starling/p2p/mailbox"
	"starling/p2p/outfox"
	"starling/p2p/pace"
)

// A sounder carries out the plans of package island: it tests which relays are there when next to
// nothing comes back, and has the rest of the client go on over those that are.
type sounder struct {
	island.Island
	c    *Client
	kick chan struct{} // a request failed, or a test ended
}

// run makes the tests that are due, until ctx ends.
func (s *sounder) run(ctx context.Context) error {
	var flying sync.WaitGroup
	defer flying.Wait()
	return pace.Loop(ctx, s.kick, func() time.Time {
		now := time.Now()
		p := s.Plan(s.listed(), s.guards(), now)
		if p.Changed {
			s.changed()
		}
		if p.Alone && len(s.c.guardsUp()) < guard.Use {
			s.another(now)
		}
		if len(p.Tests) > 0 {
			s.c.log.Debug("testing which relays are in reach", "tests", len(p.Tests))
		}
		for _, t := range p.Tests {
			flying.Go(func() { s.test(ctx, t) })
		}
		return p.Next
	})
}

func (s *sounder) listed() (ids []NodeID) {
	for _, d := range s.c.routes.now().Relays {
		ids = append(ids, d.ID)
	}
	return ids
}

// guards are those over which relays may be tested: up, in use or not, and with room for answers.
func (s *sounder) guards() []NodeID {
	links := s.c.links.Load()
	if links == nil {
		return nil
	}
	s.c.mu.Lock()
	met := s.c.guards.Met()
	s.c.mu.Unlock()
	return slices.DeleteFunc(met, func(id NodeID) bool {
		return !links.Connected(id) || s.c.space.sparing(id) || s.c.passage.Freezes(id)
	})
}

// changed has everything go on over other relays than before.
func (s *sounder) changed() {
	c := s.c
	if reached, n, _ := s.Cut(); reached != nil {
		c.log.Info("most of the network is out of reach", "relays", n)
		c.judge.Explain(func(id NodeID) bool { return !reached(id) }, time.Now())
		c.mu.Lock()
		for _, id := range c.guards.Met() {
			if s.Passes(id) {
				c.guards.Trust(id)
			}
		}
		c.mu.Unlock()
	} else {
		c.log.Info("the network is in reach again")
	}
	c.routes.now()
	c.watches.RelaysChanged()
	c.watches.Retry()
	pace.Kick(c.wake)
	pace.Kick(c.changed)
}

// failed notes a request without an answer.
func (s *sounder) failed(mixes []NodeID, mailbox NodeID, now time.Time) {
	s.Failed(mixes, mailbox, now)
	pace.Kick(s.kick)
}

// test makes a test and notes how it ended.
func (s *sounder) test(ctx context.Context, t island.Test) {
	defer pace.Kick(s.kick)
	c := s.c
	req := &request{mailbox: t.Relay, test: true, c: c, came: make(chan *mailbox.Answer, 1)}
	req.answered = func(a *mailbox.Answer) {
		select {
		case req.came <- a:
		default:
		}
	}
	if err := s.post(ctx, req, t); err != nil {
		c.log.Debug("testing a relay", "relay", t.Relay, "err", err)
		s.Void(t, time.Now())
		return
	}

	// As with a request: nobody is blamed for a loss where the guard is silent.
	c.due(t.Guard, req.sent)
	wait := c.patience()
	for {
		timer := time.NewTimer(wait)
		select {
		case a := <-req.came:
			timer.Stop()
			if a.Kind == mailbox.Listed {
				s.Came(t, time.Now())
			} else {
				s.Lost(t, time.Now())
			}
			return
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}

		switch {
		case c.pulses.since(t.Guard, req.sent):
			s.Lost(t, time.Now())
			return
		case wait == exchange.PageTimeout:
			s.Void(t, time.Now())
			return
		}
		wait = exchange.PageTimeout
	}
}

// post sends a test. The question is the one that any relay answers.
func (s *sounder) post(ctx context.Context, req *request, t island.Test) error {
	c := s.c
	slot, there, way, err := c.routes.Round(t.Guard, t.Relay)
	if err != nil {
		return routeError(err)
	}
	req.there, req.slot, req.sent = there, slot, time.Now()
	b := &back{req, way, slot}
	req.backs = []*back{b}
	block, err := c.replies.Block(slot, way, b)
	if err != nil {
		return fmt.Errorf("make packet: %w", err)
	}
	header, err := outfox.NewHeader(slot, there)
	if err != nil {
		return fmt.Errorf("make packet: %w", err)
	}

	links := c.links.Load()
	if links == nil {
		return ErrOffline
	}
	q := mailbox.Question{First: byte(rand.IntN(256)), Block: block}
	if err := links.SendWait(ctx, t.Guard, header.Wrap(q.Message()).Frame()); err != nil {
		return err
	}
	c.quotas.took(t.Guard)
	return nil
}

// spare reports whether guards are not to be given up now: nothing comes back over any of those that
// are up, and whether that is their doing is not known yet. The only one that is up gets a second beside it.
func (s *sounder) spare() bool {
	now := time.Now()
	if !s.Suspects(now) {
		return false
	}
	if len(s.c.guardsUp()) < guard.Use {
		s.another(now)
	}
	return true
}

// another asks for a guard beside the only one that is up, as if no route could be made over it.
func (s *sounder) another(now time.Time) {
	s.c.mu.Lock()
	s.c.guards.Short(now)
	s.c.mu.Unlock()
	pace.Kick(s.c.wake)
}
