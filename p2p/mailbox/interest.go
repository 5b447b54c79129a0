package mailbox

import (
	"hash/maphash"
	"time"

	"golang.org/x/time/rate"
)

// interest remembers the tags that fetches have named, in memory only: a stolen disk
// does not tell which boxes are awaited. After a restart it is empty, and clients that
// are online ask again within minutes.
type interest struct {
	max      int
	seed     maphash.Seed
	last     map[uint64]int64 // by hash of the tag; hour
	turnover *rate.Limiter    // as in quota, so that a flood of fetches forgets slowly
}

func newInterest(max int) *interest {
	return &interest{
		max:      max,
		seed:     maphash.MakeSeed(),
		last:     make(map[uint64]int64),
		turnover: rate.NewLimiter(rate.Limit(float64(max)/TurnoverTime.Seconds()), max/16+1),
	}
}

func (i *interest) hash(t Tag) uint64 { return maphash.Bytes(i.seed, t[:]) }

// add notes that a fetch names tags.
func (i *interest) add(tags []Tag, now time.Time) {
	for _, t := range tags {
		h := i.hash(t)
		if _, ok := i.last[h]; !ok && len(i.last) >= i.max {
			if !i.turnover.AllowN(now, 1) {
				continue
			}
			for old := range i.last { // any one
				delete(i.last, old)
				break
			}
		}
		i.last[h] = now.Unix() / 3600
	}
}

// has reports whether a tag was named within TTL.
func (i *interest) has(t Tag) bool { _, ok := i.last[i.hash(t)]; return ok }

// forget drops tags that are used up.
func (i *interest) forget(tags []Tag) {
	for _, t := range tags {
		delete(i.last, i.hash(t))
	}
}

func (i *interest) expire(now time.Time) {
	oldest := now.Add(-TTL).Unix() / 3600
	for h, hour := range i.last {
		if hour < oldest {
			delete(i.last, h)
		}
	}
}
