package mix

import (
	"time"

	"starling/p2p/outfox"
)

// published is how many keys are handed out. The first is of the epoch of the packets
// that expire next, which may be the day before; the others are of the two after it.
const published = 3

// Key is the public part of an engine's key, for the relay's descriptor.
type Key struct {
	Epoch  outfox.Epoch
	Public outfox.PublicKey
}

// Keys returns the public keys of the epoch of eight hours before a time and of the two
// after it. It brings the engine to that time, which is now or nearly.
func (e *Engine) Keys(at time.Time) (keys [published]Key, err error) {
	if _, err := e.advance(at); err != nil {
		return keys, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	for i := range keys {
		x := e.first + outfox.Epoch(i)
		keys[i] = Key{x, e.keys[x].Public()}
	}
	return keys, nil
}

// advance brings keys and replay tags to a time and reports whether Keys changed.
func (e *Engine) advance(now time.Time) (changed bool, err error) {
	first := outfox.EpochAt(now.Add(-outfox.KeyLife))
	// Tags are kept for Skew longer, so that a clock may be set back by so much.
	oldest := outfox.SlotAt(now.Add(-outfox.Skew))
	e.mu.Lock()
	defer e.mu.Unlock()
	if oldest < e.oldest {
		// A packet that expires in a slot of the same number may have been seen, and
		// that is forgotten: it must not open any more.
		clear(e.keys)
	}
	e.first, e.oldest = first, oldest
	e.seen.keep(oldest)

	// An old key is erased: packets of its time can be opened by nobody any more.
	for x := range e.keys {
		if x < first {
			delete(e.keys, x)
		}
	}
	for x := first; x < first+published; x++ {
		if e.keys[x] != nil {
			continue
		}
		if e.keys[x], err = outfox.NewPrivateKey(); err != nil {
			return false, err
		}
		changed = true
	}
	return changed, nil
}

// key returns the key that a packet's epoch byte means at a time, or nil, and the
// first slot of which everything opened with it is remembered.
func (e *Engine) key(b byte, now time.Time) (*outfox.PrivateKey, outfox.Slot) {
	x, ok := outfox.ResolveEpoch(b, now)
	if !ok {
		return nil, 0
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.keys[x], e.oldest
}
