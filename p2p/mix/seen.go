package mix

import (
	"encoding/binary"
	"sync"

	"starling/p2p/outfox"
)

// seen is the set of replay tags of one key. It never forgets one while the key
// lives, so that no packet passes twice.
//
// It keeps 8 of the 16 bytes of each tag. A tag is an exported secret, so those
// bytes are as good as random: a fresh packet is taken for a replay once in
// 2^64 / n, which is a loss of 10^-12 of the packets at the default cap. Memory is
// 10 to 20 bytes a packet (BenchmarkSeen): at most about 80 MB per key at the
// default cap, and nothing for an idle relay.
type seen struct {
	mu   *sync.Mutex
	max  int
	tags map[uint64]struct{}
}

type verdict int

const (
	seenNow    verdict = iota // for the first time, and noted
	seenBefore                // a replay
	seenFull                  // perhaps not seen, but there is no room to note it
)

func newSeen(max int) seen {
	return seen{mu: new(sync.Mutex), max: max, tags: make(map[uint64]struct{})}
}

func (s *seen) add(t outfox.ReplayTag) verdict {
	k := binary.LittleEndian.Uint64(t[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.tags[k]; ok {
		return seenBefore
	}
	if len(s.tags) >= s.max {
		return seenFull
	}
	s.tags[k] = struct{}{}
	return seenNow
}

func (s *seen) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tags)
}
