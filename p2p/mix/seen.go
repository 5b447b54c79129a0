package mix

import (
	"hash/maphash"
	"sync"

	"starling/p2p/outfox"
)

// seen is the set of replay tags of one key. It never forgets one while the key
// lives, so that no packet passes twice.
//
// It keeps a hash of 8 bytes of each tag, under a secret seed. A fresh packet is
// taken for a replay once in 2^64 / n: a loss of 10^-12 of the packets at the
// default cap. Memory is 11 to 21 bytes a packet (BenchmarkSeen): at most about 90
// MB per key at the default cap, and next to nothing for an idle relay. The hashes
// are in many small tables, so that no packet waits for a large one to grow.
type seen struct {
	mu     sync.Mutex
	max    int
	n      int
	seed   maphash.Seed
	tables [256][]uint64 // open addressing, linear probing; 0 is a free place
	counts [256]int
}

type verdict int

const (
	seenNow    verdict = iota // for the first time, and noted
	seenBefore                // a replay
	seenFull                  // perhaps not seen, but there is no room to note it
)

func newSeen(max int) *seen { return &seen{max: max, seed: maphash.MakeSeed()} }

func (s *seen) add(t outfox.ReplayTag) verdict {
	h := max(1, maphash.Bytes(s.seed, t[:]))
	s.mu.Lock()
	defer s.mu.Unlock()
	i := byte(h >> 56)
	if 4*(s.counts[i]+1) > 3*len(s.tables[i]) {
		s.grow(i)
	}
	place := find(s.tables[i], h)
	if *place == h {
		return seenBefore
	}
	if s.n >= s.max {
		return seenFull
	}
	*place = h
	s.counts[i]++
	s.n++
	return seenNow
}

// find returns the place of h, or the free one where it belongs. A table has a size
// that is a power of two, and always a free place.
func find(table []uint64, h uint64) *uint64 {
	mask := uint64(len(table) - 1)
	for p := h & mask; ; p = (p + 1) & mask {
		if table[p] == h || table[p] == 0 {
			return &table[p]
		}
	}
}

func (s *seen) grow(i byte) {
	old := s.tables[i]
	s.tables[i] = make([]uint64, max(8, 2*len(old)))
	for _, h := range old {
		if h != 0 {
			*find(s.tables[i], h) = h
		}
	}
}

func (s *seen) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}
