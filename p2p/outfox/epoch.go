package outfox

import "time"

// Time on the wire is counted twice: in epochs, each of which has keys of its
// own, and in slots, of which each packet names the last it may be opened in.
const (
	// EpochLength is how long one key is the current one.
	EpochLength = 24 * time.Hour
	// SlotLength divides an epoch.
	SlotLength = 2 * time.Hour
	// MaxAhead is how many slots a packet may outlive the one it is made in. A
	// reply block takes all of them. A request draws from 1 to MaxAhead, so that the
	// slots left do not tell it from an answer.
	MaxAhead = 4
	// KeyLife is how long the key of an epoch is needed after the epoch: until the
	// packets of its last slot expire.
	KeyLife = MaxAhead * SlotLength
	// Skew is how far ahead the clock of a packet's maker may be.
	Skew = 10 * time.Minute
)

// Epoch numbers the unix days. Packets carry Byte of it.
type Epoch uint32

// EpochAt returns the epoch of a time.
func EpochAt(t time.Time) Epoch { return Epoch(t.Unix() / int64(EpochLength/time.Second)) }

// Byte returns the epoch's byte in a packet.
func (e Epoch) Byte() byte { return byte(e) }

// Start returns when the epoch begins.
func (e Epoch) Start() time.Time {
	return time.Unix(int64(e)*int64(EpochLength/time.Second), 0).UTC()
}

// End returns when the next epoch begins.
func (e Epoch) End() time.Time { return (e + 1).Start() }

// ResolveEpoch returns the epoch of a packet's byte at a time: one with a key that may
// still be needed, or the next one from Skew before it begins.
func ResolveEpoch(b byte, now time.Time) (Epoch, bool) {
	for e := EpochAt(now.Add(-KeyLife)); e <= EpochAt(now.Add(Skew)); e++ {
		if e.Byte() == b {
			return e, true
		}
	}
	return 0, false
}

// Slot numbers the spans of SlotLength since 1970. The slot of a packet is the
// last in which hops open it. Layers carry Byte of it.
type Slot uint32

// SlotAt returns the slot of a time.
func SlotAt(t time.Time) Slot { return Slot(t.Unix() / int64(SlotLength/time.Second)) }

// Byte returns the slot's byte in a layer.
func (s Slot) Byte() byte { return byte(s) }

// Start returns when the slot begins.
func (s Slot) Start() time.Time {
	return time.Unix(int64(s)*int64(SlotLength/time.Second), 0).UTC()
}

// End returns when the next slot begins: packets that expire in this one are too old
// then.
func (s Slot) End() time.Time { return (s + 1).Start() }

// Epoch returns the epoch of the keys that seal a packet that expires in s: that of the
// slot MaxAhead before. Nothing else says which keys a packet uses, so requests and
// answers are alike also in the first slots of a day.
func (s Slot) Epoch() Epoch { return EpochAt((s - MaxAhead).Start()) }

// ResolveSlot returns which slot a layer's byte means at a time: one that is not
// over and at most MaxAhead later, as a clock that is Skew ahead counts.
func ResolveSlot(b byte, now time.Time) (Slot, bool) {
	s := SlotAt(now)
	x := s + Slot(b-s.Byte())
	return x, x <= SlotAt(now.Add(Skew))+MaxAhead
}

// Expiry returns the slot in which a packet with these bytes expires, and whether a hop
// may open it at a time: the slot is one of those of ResolveSlot, and its epoch is the
// packet's.
func Expiry(epoch, slot byte, now time.Time) (Slot, bool) {
	s, ok := ResolveSlot(slot, now)
	return s, ok && s.Epoch().Byte() == epoch
}
