package client

import (
	"starling/p2p/guard"
	"starling/p2p/mix"
	"starling/p2p/recall"
)

// loadState takes over guards and relays of the last start and returns the
// pins. A damaged state is an error and nothing of it is used.
func (c *Client) loadState(b []byte) ([]mix.Pin, error) {
	if len(b) == 0 {
		return nil, nil
	}
	s, err := recall.Parse(b, guard.Config{AllowPrivate: c.cfg.AllowPrivate})
	if err != nil {
		return nil, err
	}
	c.guards = s.Guards
	c.remember(s.Descriptors)
	return s.Pins, nil
}

func (c *Client) saveState() {
	if c.cfg.SaveState == nil {
		return
	}
	s := recall.State{Pins: c.routes.Pins(), Descriptors: c.dir.Raw(recall.MaxDescriptors)}
	c.mu.Lock()
	s.Guards = c.guards
	b := s.Append(nil)
	c.mu.Unlock()
	if err := c.cfg.SaveState(b); err != nil {
		c.log.Warn("network state is not saved", "err", err)
	}
}
