package p2p

import (
	"encoding/binary"
	"errors"
	"time"

	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/mix"
	"starling/p2p/wire"
)

// The state of a client: version (1) = 1, guards (package guard), pins (package
// mix) as count (1) and for each id (32) ‖ until (8, Unix seconds), then signed
// descriptors, each length (2) ‖ bytes, to the end. Numbers are big endian.
const (
	stateVersion = 1
	maxStored    = 512 // descriptors kept
	pinSize      = wire.NodeIDSize + 8
)

var errState = errors.New("p2p: damaged state")

// loadState takes over guards and relays and returns the pins. On error
// nothing is taken over but perhaps some descriptors, which are signed.
func (c *Client) loadState(b []byte) ([]mix.Pin, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if b[0] != stateVersion {
		return nil, errState
	}
	guards, b, err := guard.Cut(b[1:])
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || len(b) < 1+int(b[0])*pinSize {
		return nil, errState
	}
	pins := make([]mix.Pin, b[0])
	b = b[1:]
	for i := range pins {
		until := binary.BigEndian.Uint64(b[wire.NodeIDSize:])
		if until > 1<<40 {
			return nil, errState
		}
		pins[i] = mix.Pin{ID: NodeID(b), Until: time.Unix(int64(until), 0)}
		b = b[pinSize:]
	}
	var all []*directory.Descriptor
	for len(b) > 0 {
		if len(b) < 2 {
			return nil, errState
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; n > len(b) {
			return nil, errState
		}
		d, err := directory.Parse(b[:n])
		if err != nil {
			return nil, err
		}
		// Expired ones are not taken, but their relays may still be there.
		c.dir.Add(b[:n])
		all = append(all, d)
		b = b[n:]
	}
	c.guards = guards
	for _, d := range all {
		if _, ok := c.contacts[d.ID]; !ok && len(c.contacts) < maxContacts {
			c.contacts[d.ID] = directory.Hint{ID: d.ID, Address: d.Addresses[0]}
		}
	}
	return pins, nil
}

func (c *Client) saveState() {
	if c.cfg.SaveState == nil {
		return
	}
	c.mu.Lock()
	b := c.guards.Append([]byte{stateVersion})
	c.mu.Unlock()
	pins := c.routes.Pins()
	b = append(b, byte(len(pins)))
	for _, p := range pins {
		b = append(b, p.ID[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(p.Until.Unix()))
	}
	for _, raw := range c.dir.Raw(maxStored) {
		b = binary.BigEndian.AppendUint16(b, uint16(len(raw)))
		b = append(b, raw...)
	}
	if err := c.cfg.SaveState(b); err != nil {
		c.log.Warn("network state is not saved", "err", err)
	}
}
