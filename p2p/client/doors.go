package client

import (
	"math/rand/v2"
	"slices"

	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/pace"
)

// maxDoors bounds the doors of one client.
const maxDoors = 256

// A door is a relay that is dialled although it is no guard: the owner of this client
// said so. Nobody else's word makes a door. An address that a contact, a mailbox or a
// relay names is never dialled; see AddHint.
type door struct {
	hint directory.Hint
	// pasted: from a link that the owner pasted. It is dialled only while no
	// relay is known.
	pasted   bool
	asked    bool // now
	failures int
}

// AddBootstrap takes a relay that the owner names, as Config.Bootstrap does, in
// the form of a hint. It is asked for the list of relays while nothing better is
// known.
func (c *Client) AddBootstrap(b []byte) (NodeID, error) { return c.addDoor(b, false) }

// AddPasted takes a relay that a link names which the owner pasted, in the form
// of a hint. It is dialled only while no relay is known at all: the maker of the link
// sees our address then, and Status says so. Otherwise it is AddHint.
func (c *Client) AddPasted(b []byte) (NodeID, error) {
	if !c.knowsNobody() {
		return c.AddHint(b)
	}
	return c.addDoor(b, true)
}

// AddHint takes a hint that somebody else gave us and returns the relay's id.
// Its address is checked and forgotten: where the relay is, the list of relays
// says. A relay that the list lacks is counted.
func (c *Client) AddHint(b []byte) (NodeID, error) {
	h, err := c.parseHint(b)
	if err != nil {
		return NodeID{}, err
	}
	if c.listed.Load() != nil && !c.listedNow(h.ID) {
		c.refused.Add("hint of a relay that is not listed")
	}
	return h.ID, nil
}

func (c *Client) parseHint(b []byte) (directory.Hint, error) {
	h, err := directory.ParseHint(b)
	if err == nil && !c.cfg.AllowPrivate && !h.Public() {
		err = directory.ErrPrivate
	}
	return h, err
}

func (c *Client) addDoor(b []byte, pasted bool) (NodeID, error) {
	h, err := c.parseHint(b)
	if err != nil {
		return NodeID{}, err
	}
	source := book.Owner
	if pasted {
		source = book.Pasted
	}
	c.book.Name(h.ID, source, directory.AddrPorts(h.Addresses)...)
	c.mu.Lock()
	old := c.doors[h.ID]
	if old != nil || len(c.doors) < maxDoors {
		c.doors[h.ID] = &door{hint: h, pasted: pasted && (old == nil || old.pasted)}
	}
	c.mu.Unlock()
	pace.Kick(c.lonely)
	return h.ID, nil
}

// knowsNobody reports whether this profile knows no relay at all.
func (c *Client) knowsNobody() bool {
	c.opinions.mu.Lock()
	kept := len(c.opinions.kept)
	c.opinions.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	return kept == 0 && len(c.guards.Known()) == 0 && len(c.dir.Snapshot().Relays) == 0
}

// nextDoor draws a door that is not tried yet and in no network of those that are
// under way. Doors that there is a way to come first, of these the owner's before pasted
// links, and doors that failed last.
func (c *Client) nextDoor(tried map[NodeID]bool, beside []directory.Address) (directory.Hint, bool) {
	nobody, families := c.knowsNobody(), c.cfg.Families()
	c.mu.Lock()
	defer c.mu.Unlock()

	var best []*door
	worse := func(a, b *door) int {
		if there, other := reaches(families, a.hint.Addresses), reaches(families, b.hint.Addresses); there != other {
			return map[bool]int{false: 1, true: -1}[there]
		}
		if a.pasted != b.pasted {
			return map[bool]int{false: -1, true: 1}[a.pasted]
		}
		return a.failures - b.failures
	}

	for id, d := range c.doors {
		near := slices.ContainsFunc(beside, func(a directory.Address) bool {
			return slices.ContainsFunc(d.hint.Addresses, func(b directory.Address) bool { return a.Wide() == b.Wide() })
		})
		if tried[id] || d.pasted && !nobody || near && !c.cfg.AllowPrivate {
			continue
		}

		switch {
		case len(best) > 0 && worse(d, best[0]) > 0:
		case len(best) > 0 && worse(d, best[0]) == 0:
			best = append(best, d)
		default:
			best = []*door{d}
		}
	}

	if len(best) == 0 {
		return directory.Hint{}, false
	}
	return best[rand.IntN(len(best))].hint, true
}

// atDoor notes that a door is dialled, or is not any more.
func (c *Client) atDoor(id NodeID, asked bool) {
	c.mu.Lock()
	if d := c.doors[id]; d != nil {
		d.asked = asked
	}
	c.mu.Unlock()
	pace.Kick(c.changed)
}

// doorFailed notes that a door led nowhere.
func (c *Client) doorFailed(id NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.doors[id]; d != nil {
		d.failures++
	}
}
