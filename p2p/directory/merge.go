package directory

import "starling/p2p/wire"

// Merge adds descriptors of another directory for the relays that are wanted, as far as
// they are newer and valid here too. Signatures were verified there. It returns how
// many descriptors were taken.
func (d *Directory) Merge(from *Directory, wanted func(*Descriptor) bool) (taken int) {
	from.mu.Lock()
	var some []*entry
	for _, e := range from.order {
		if wanted(e.Descriptor) {
			some = append(some, e)
		}
	}
	from.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range some {
		old := d.relays[e.ID]
		if d.admit(e.Descriptor) == nil && (old != nil || len(d.relays) < d.cfg.MaxRelays || d.makeRoom(d.cfg.Now())) {
			d.put(e.Descriptor, e.raw)
			taken++
		}
		if held := d.relays[e.ID]; held != nil && !e.reached.IsZero() {
			held.merge(e)
			d.snap = nil
		}
	}
	return taken
}

// Retain forgets all relays but those that are wanted.
func (d *Directory) Retain(wanted func(wire.NodeID) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(func(e *entry) bool { return !wanted(e.ID) })
}
