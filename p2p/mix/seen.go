package mix

import (
	"hash/maphash"
	"sync"

	"starling/p2p/outfox"
)

// Sizes of the memory of replay tags.
const (
	// segmentSize is the most that is taken from the system at once. A slot that
	// sees few packets takes leastSegment.
	segmentSize, leastSegment = 1 << 20, 1 << 14
	// bitsPerTag and hashes make a full filter take a fresh packet for a replay
	// once in 15,000 (0.6185^20).
	bitsPerTag, hashes = 20, 13
)

// memory is the replay tags of opened packets, by the slot in which they expire: a tag
// is of use until then and no longer. It never forgets one before, so that no packet
// passes twice.
//
// A slot has a row of Bloom filters, each larger than the one before, of which the
// last takes new tags: 2.5 bytes each. A row has at most ten, so that a fresh packet
// is lost once in 1,500 at worst, and once in 15,000 at a quiet relay. When the
// memory is used up, which the gate does not let happen, the last filter of a row
// takes more than its share: with three times as many tags one in six is lost. No
// flood ends a key.
//
// Places are under a secret seed: nobody can choose tags that meet.
type memory struct {
	mu    sync.Mutex
	seed  [2]maphash.Seed
	slots map[outfox.Slot]*row
	left  int // bytes that filters may still take
}

// row is the filters of one slot.
type row struct {
	filters []filter
	tags    int
}

// filter is segments of equal size, a power of two of them. Each tag belongs to one.
type filter struct {
	segments [][]uint64 // nil until it has a tag
	words    int        // of each
	room     int        // tags that it still takes
}

func newMemory(size int) *memory {
	return &memory{
		seed:  [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		slots: make(map[outfox.Slot]*row),
		left:  size,
	}
}

// add notes a tag and reports whether it was not there.
func (m *memory) add(slot outfox.Slot, tag outfox.ReplayTag) bool {
	a, b := maphash.Bytes(m.seed[0], tag[:]), maphash.Bytes(m.seed[1], tag[:])
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.slots[slot]
	if r == nil {
		r = new(row)
		m.slots[slot] = r
	}
	for i := range r.filters {
		if r.filters[i].has(a, b) {
			return false
		}
	}

	if n := len(r.filters); n == 0 || r.filters[n-1].room <= 0 {
		m.extend(r)
	}
	r.filters[len(r.filters)-1].set(a, b)
	r.tags++
	return true
}

// extend gives a row another filter if there is room: four times as large as the last
// one while that is a small segment, then twice. The first needs no room: there are
// few slots.
func (m *memory) extend(r *row) {
	f := filter{segments: make([][]uint64, 1), words: leastSegment / 8}
	if n := len(r.filters); n > 0 {
		last := &r.filters[n-1]
		if f.words = 4 * last.words; f.words > segmentSize/8 {
			f.words = segmentSize / 8
			f.segments = make([][]uint64, 2*len(last.segments))
		}
		if f.size() > m.left {
			return
		}
	}
	m.left -= f.size()
	f.room = f.size() * 8 / bitsPerTag
	r.filters = append(r.filters, f)
}

// keep forgets the slots before oldest.
func (m *memory) keep(oldest outfox.Slot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for slot, r := range m.slots {
		if slot < oldest {
			for i := range r.filters {
				m.left += r.filters[i].size()
			}
			delete(m.slots, slot)
		}
	}
}

// len returns how many tags are kept.
func (m *memory) len() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.slots {
		n += r.tags
	}
	return n
}

// size is in bytes.
func (f *filter) size() int { return len(f.segments) * f.words * 8 }

// segment returns the place of a tag's segment.
func (f *filter) segment(a uint64) *[]uint64 { return &f.segments[a>>32%uint64(len(f.segments))] }

// bit returns the word and the bit of a tag's place number i.
func (f *filter) bit(a, b uint64, i int) (word int, mask uint64) {
	at := (a&0xffffffff + uint64(i)*(b|1)) % uint64(f.words*64)
	return int(at / 64), 1 << (at % 64)
}

func (f *filter) has(a, b uint64) bool {
	s := *f.segment(a)
	if s == nil {
		return false
	}
	for i := range hashes {
		if word, mask := f.bit(a, b, i); s[word]&mask == 0 {
			return false
		}
	}
	return true
}

func (f *filter) set(a, b uint64) {
	s := f.segment(a)
	if *s == nil {
		*s = make([]uint64, f.words)
	}
	for i := range hashes {
		word, mask := f.bit(a, b, i)
		(*s)[word] |= mask
	}
	f.room--
}
