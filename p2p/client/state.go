package client

import (
	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/mix"
	"starling/p2p/recall"
)

// loadState takes over guards and relays of the last start and returns the
// pins. A damaged state is an error and nothing of it is used.
func (c *Client) loadState(b []byte) ([]mix.Pin, error) {
	if len(b) == 0 {
		return nil, nil
	}
	s, err := recall.Parse(b)
	if err != nil {
		return nil, err
	}
	c.guards = s.Guards
	for _, raw := range s.Descriptors {
		d, err := directory.Parse(raw)
		if err != nil {
			continue
		}
		// Expired ones are not taken, but their relays may still be there.
		c.dir.Add(raw)
		if _, ok := c.contacts[d.ID]; !ok && len(c.contacts) < maxContacts {
			c.contacts[d.ID] = d.Hint()
			c.book.Name(d.ID, book.Remembered, directory.AddrPorts(d.Addresses)...)
		}
	}
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
