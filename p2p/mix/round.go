package mix

import (
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// Round returns the way of a test: over a guard to another relay, over the guard again, and to
// the other relay as a mailbox; and the way of its answer, which is as long. None of the rules of
// Routes holds: such a packet has no content and no recipient. Errors are those of Forward.
func (r *Routes) Round(guard, other wire.NodeID) (slot outfox.Slot, there [outfox.Layers]outfox.Hop, back [outfox.Layers - 1]outfox.Hop, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, b := r.known(guard), r.known(other)
	if a == nil || b == nil {
		return 0, there, back, ErrUnknownRelay
	}
	slot = outfox.SlotAt(r.cfg.Now()) + outfox.MaxAhead
	if a == b || a.key(slot.Epoch()).IsZero() || b.key(slot.Epoch()).IsZero() {
		return 0, there, back, ErrFewRelays
	}
	there = [outfox.Layers]outfox.Hop{r.hop(a, slot), r.hop(b, slot), r.hop(a, slot), r.hop(b, slot)}
	there[outfox.Layers-1].Delay = 0
	back = [outfox.Layers - 1]outfox.Hop{r.hop(a, slot), r.hop(b, slot), r.hop(a, slot)}
	return slot, there, back, nil
}
