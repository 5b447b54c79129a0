package mailbox

import (
	"container/list"
	"time"

	"golang.org/x/time/rate"

	"starling/p2p/outfox"
)

// subscription is the tags a client waits for and the reply blocks it left.
type subscription struct {
	tags    map[Tag]struct{}
	sent    map[Tag]struct{} // whose box went out once
	blocks  []*outfox.Block
	expires time.Time
	place   *list.Element // in subscriptions.order while it stands
}

func newSubscription(f *Fetch, now time.Time) *subscription {
	s := &subscription{
		tags:    make(map[Tag]struct{}, len(f.Tags)),
		blocks:  f.Blocks,
		expires: now.Add(SubscriptionLife),
	}
	for _, t := range f.Tags {
		s.tags[t] = struct{}{}
	}
	return s
}

// subscriptions are those that stand. A tag belongs to the newest that names it:
// a client that comes back with new blocks takes over from its former self.
type subscriptions struct {
	max   int
	byTag map[Tag]*subscription
	order *list.List // of *subscription, oldest first; all live equally long
	// turnover rations the ends of old ones for new ones.
	turnover *rate.Limiter
}

func newSubscriptions(max int) *subscriptions {
	return &subscriptions{
		max: max, byTag: make(map[Tag]*subscription), order: list.New(),
		turnover: rate.NewLimiter(rate.Limit(float64(max)/SubscriptionLife.Seconds()), max/16+1),
	}
}

func (s *subscriptions) len() int { return s.order.Len() }

// add lets a subscription stand. When there are too many, one that takes over from
// its former self has its place; others end the oldest, so slowly that whoever
// renews in time stays, or do not stand.
func (s *subscriptions) add(sub *subscription, now time.Time) {
	for t := range sub.tags {
		if old := s.byTag[t]; old != nil {
			s.forget(old, t)
		}
	}
	if s.order.Len() >= s.max {
		if !s.turnover.AllowN(now, 1) {
			return
		}
		s.end(s.order.Front().Value.(*subscription))
	}
	for t := range sub.tags {
		s.byTag[t] = sub
	}
	sub.place = s.order.PushBack(sub)
}

// take uses a block of the subscription that waits for tag, if there is one, and
// returns the block and how many still stand.
func (s *subscriptions) take(tag Tag, now time.Time) (block *outfox.Block, standing int) {
	sub := s.byTag[tag]
	if sub == nil {
		return nil, 0
	}
	if !sub.expires.After(now) {
		s.end(sub)
		return nil, 0
	}
	if _, again := sub.sent[tag]; again {
		// The sender repairs what it thinks was lost. Once, so that it cannot use
		// up the blocks.
		s.forget(sub, tag)
		if sub.place == nil {
			return nil, 0
		}
		block = s.spend(sub, now)
	} else {
		block = s.takeFrom(sub, tag, now)
	}
	return block, s.standing(sub)
}

// takeFrom uses a block for a tag of sub, which may stand or not. It returns nil
// when the tag is not there any more or no block is left.
func (s *subscriptions) takeFrom(sub *subscription, tag Tag, now time.Time) *outfox.Block {
	if _, ok := sub.tags[tag]; !ok {
		return nil
	}
	block := s.spend(sub, now)
	if block == nil {
		return nil
	}
	delete(sub.tags, tag)
	if len(sub.tags) == 0 {
		s.end(sub)
		return block
	}
	if sub.sent == nil {
		sub.sent = make(map[Tag]struct{})
	}
	sub.sent[tag] = struct{}{}
	return block
}

// spend uses a block whose keys its hops still have. Without blocks a subscription
// ends.
func (s *subscriptions) spend(sub *subscription, now time.Time) (block *outfox.Block) {
	epoch := outfox.EpochAt(now)
	for block == nil && len(sub.blocks) > 0 {
		if _, ok := epoch.Resolve(sub.blocks[0].Epoch()); ok {
			block = sub.blocks[0]
		}
		sub.blocks = sub.blocks[1:]
	}
	if len(sub.blocks) == 0 {
		s.end(sub)
	}
	return block
}

// forget takes a tag out of sub, which ends with its last tag.
func (s *subscriptions) forget(sub *subscription, tag Tag) {
	delete(sub.tags, tag)
	delete(sub.sent, tag)
	if s.byTag[tag] == sub {
		delete(s.byTag, tag)
	}
	if len(sub.tags) == 0 {
		s.end(sub)
	}
}

// standing returns how many blocks of sub wait for a box.
func (s *subscriptions) standing(sub *subscription) int {
	if sub.place == nil {
		return 0
	}
	return len(sub.blocks)
}

func (s *subscriptions) end(sub *subscription) {
	if sub.place == nil {
		return
	}
	s.order.Remove(sub.place)
	sub.place = nil
	for _, tags := range []map[Tag]struct{}{sub.tags, sub.sent} {
		for t := range tags {
			if s.byTag[t] == sub {
				delete(s.byTag, t)
			}
		}
	}
}

func (s *subscriptions) expire(now time.Time) {
	for e := s.order.Front(); e != nil; e = s.order.Front() {
		sub := e.Value.(*subscription)
		if sub.expires.After(now) {
			return
		}
		s.end(sub)
	}
}
