package client

import (
	"starling/p2p/guard"
	"starling/p2p/mix"
	"starling/p2p/pace"
	"starling/p2p/recall"
	"starling/p2p/watch"
)

// loadState takes over guards and relays of the last start and returns the pins, and
// the results of trials. A damaged state is an error and nothing of it is used.
func (c *Client) loadState(b []byte) ([]mix.Pin, watch.Record, error) {
	if len(b) == 0 {
		return nil, watch.Record{}, nil
	}
	s, err := recall.Parse(b, guard.Config{AllowPrivate: c.cfg.AllowPrivate})
	if err != nil {
		return nil, watch.Record{}, err
	}
	c.guards = s.Guards
	if len(s.Networks) > 0 {
		if err := c.passage.Restore(s.Networks); err != nil {
			return nil, watch.Record{}, err
		}
		c.passage.enter()
	}
	c.lists.remember(s.Descriptors)
	if c.cfg.OldState {
		s.Trials = s.Trials.WithoutBoxes()
	}
	return s.Pins, s.Trials, nil
}

// keep returns a function that has the state saved soon, nil if it is not kept.
func (c *Client) keep() func() {
	if c.cfg.SaveState == nil {
		return nil
	}
	return func() { pace.Kick(c.save) }
}

func (c *Client) saveState() {
	if c.cfg.SaveState == nil {
		return
	}
	trials, kept := c.watches.Record()
	s := recall.State{Trials: trials, Networks: c.passage.Append(nil), Pins: c.routes.Pins(), Descriptors: c.dir.Raw(recall.MaxDescriptors)}
	c.mu.Lock()
	s.Guards = c.guards
	b := s.Append(nil)
	c.mu.Unlock()
	if err := c.cfg.SaveState(b); err != nil {
		c.log.Warn("network state is not saved", "err", err)
		return
	}
	kept()
}
