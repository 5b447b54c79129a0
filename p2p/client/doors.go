package client

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"

	"starling/p2p/book"
	"starling/p2p/censor"
	"starling/p2p/directory"
	"starling/p2p/host"
	"starling/p2p/pace"
)

// maxDoors bounds the doors of one client.
const maxDoors = 256

// A door is a relay that is dialled although it is no guard: the owner of this client
// said so, or lets the local network say so. Nobody else's word makes a door. An address that a contact, a mailbox or a
// relay names is never dialled; see AddHint.
type door struct {
	hint directory.Hint
	// source is the source of the address: the owner, the local network where the owner lets us ask,
	// or a link that the owner pasted; that is dialled only while no relay is known.
	source   book.Source
	asked    bool // now
	failures int
}

// doors are the relays that may be asked at their doors.
type doors struct {
	private  bool
	families func() host.Families
	place    func(NodeID) int // how well it worked on this network, 0 the best

	mu sync.Mutex
	m  map[NodeID]*door
}

// AddBootstrap takes a relay that the owner names, as Config.Bootstrap does, in
// the form of a hint. It is asked for the list of relays while nothing better is
// known.
func (c *Client) AddBootstrap(b []byte) (NodeID, error) { return c.addDoor(b, book.Owner) }

// AddPasted takes a relay that a link names which the owner pasted, in the form
// of a hint. It is dialled only while no relay is known at all: the maker of the link
// sees our address then, and Status says so. Otherwise it is AddHint.
func (c *Client) AddPasted(b []byte) (NodeID, error) {
	if !c.knowsNobody() {
		return c.AddHint(b)
	}
	return c.addDoor(b, book.Pasted)
}

// AddHint takes a hint that somebody else gave us and returns the relay's id.
// Its address is checked and forgotten: where the relay is, the list of relays
// says. A relay that the list lacks is counted.
func (c *Client) AddHint(b []byte) (NodeID, error) {
	h, err := c.parseHint(b)
	if err != nil {
		return NodeID{}, err
	}
	if c.lists.listed.Load() != nil && c.issued(h.ID).IsZero() {
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

func (c *Client) addDoor(b []byte, source book.Source) (NodeID, error) {
	h, err := c.parseHint(b)
	if err != nil {
		return NodeID{}, err
	}
	c.book.Name(h.ID, source, directory.ForBook(h.Addresses)...)
	c.doors.add(h, source)
	pace.Kick(c.lonely)
	return h.ID, nil
}

// knowsNobody reports whether this profile knows no relay at all.
func (c *Client) knowsNobody() bool {
	none := c.lists.none()
	c.mu.Lock()
	defer c.mu.Unlock()
	return none && len(c.guards.Known()) == 0 && len(c.dir.Snapshot().Relays) == 0
}

// add takes a door, unless there are too many. A door of a better source stays as it is:
// neither a link nor a machine of the local network moves a relay that the owner named.
func (ds *doors) add(h directory.Hint, source book.Source) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	old := ds.m[h.ID]
	if old != nil && old.source > source {
		return
	}
	if source == book.Local && old == nil {
		ds.makeLocal()
	}
	if old != nil || len(ds.m) < maxDoors {
		ds.m[h.ID] = &door{hint: h, source: source}
	}
}

// addresses returns where a door is said to be.
func (ds *doors) addresses(id NodeID) []directory.Address {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if d := ds.m[id]; d != nil {
		return d.hint.Addresses
	}
	return nil
}

// remove takes a door away.
func (ds *doors) remove(id NodeID) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	delete(ds.m, id)
}

// makeLocal makes room for a door on the local network, at the cost of the one there that
// failed most: a machine there may answer under ever new names. The caller holds the lock.
func (ds *doors) makeLocal() {
	n := 0
	var out NodeID
	for id, d := range ds.m {
		if d.source != book.Local {
			continue
		}
		if n++; out.IsZero() || d.failures > ds.m[out].failures {
			out = id
		}
	}
	if n >= book.MaxLocal {
		delete(ds.m, out)
	}
}

// next draws a door that is not tried yet and in no network of those that are
// under way; nobody: no relay is known. Doors that there is a way to come first, of these
// those that worked on this network and have not failed since the start, then the owner's
// before those of the local network and pasted links, and doors that failed last.
func (ds *doors) next(tried map[NodeID]bool, beside []directory.Address, nobody bool) (directory.Hint, bool) {
	families := ds.families()
	ds.mu.Lock()
	defer ds.mu.Unlock()

	var best []*door
	place := func(d *door) int {
		if d.failures > 0 {
			return censor.MaxWays
		}
		return ds.place(d.hint.ID)
	}
	worse := func(a, b *door) int {
		if there, other := reaches(families, a.hint.Addresses), reaches(families, b.hint.Addresses); there != other {
			return map[bool]int{false: 1, true: -1}[there]
		}
		return cmp.Or(place(a)-place(b), int(b.source)-int(a.source), a.failures-b.failures)
	}

	for id, d := range ds.m {
		near := slices.ContainsFunc(beside, func(a directory.Address) bool {
			return a.Dialable() && slices.ContainsFunc(directory.Dialable(d.hint.Addresses), func(b directory.Address) bool { return a.Wide() == b.Wide() })
		})
		if tried[id] || d.source == book.Pasted && !nobody || near && !ds.private {
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

// untold reports whether there is a door that no link has named, beside some.
func (ds *doors) untold(told map[NodeID]bool) bool {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for id, d := range ds.m {
		if d.source != book.Pasted && !told[id] {
			return true
		}
	}
	return false
}

// at notes that a door is dialled, or is not any more.
func (ds *doors) at(id NodeID, asked bool) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if d := ds.m[id]; d != nil {
		d.asked = asked
	}
}

// failed notes that a door led nowhere.
func (ds *doors) failed(id NodeID) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if d := ds.m[id]; d != nil {
		d.failures++
	}
}

// asked returns the doors that are dialled now.
func (ds *doors) asked() (now []SourceStatus) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for id, d := range ds.m {
		if d.asked {
			now = append(now, SourceStatus{ID: id, Addr: d.hint.Multiaddrs()[0].String(), Pasted: d.source == book.Pasted})
		}
	}
	return now
}

// none reports whether there is no door.
func (ds *doors) none() bool {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	return len(ds.m) == 0
}
