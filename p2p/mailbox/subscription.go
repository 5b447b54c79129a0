package mailbox

import (
	"container/list"
	"slices"
	"time"

	"starling/p2p/outfox"
)

// againAfter is how long a box that went out may stay unacknowledged before it goes
// out once more, over another block: a client acknowledges within a few seconds.
const againAfter = 15 * time.Second

// subscription is the tags a client waits for and the reply blocks it left.
type subscription struct {
	tags    map[Tag]struct{}
	sent    map[Tag]struct{} // tags of boxes that went out and were not acknowledged
	blocks  []*outfox.Block
	expires time.Time
	place   *list.Element // in subscriptions.order while it stands
	seat    *seat         // while it stands
	size    int           // that the seat is charged
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
	seats *seats
	byTag map[Tag]*subscription
	order *list.List       // of *subscription, oldest first; all live equally long
	owed  []owed           // boxes that went out, in this order; perhaps acknowledged since
	clock func() time.Time // for the epochs of blocks
}

// owed is a tag with a box that goes out again at a time, unless it is acknowledged by
// then.
type owed struct {
	tag Tag
	at  time.Time
}

func newSubscriptions(seats *seats, clock func() time.Time) *subscriptions {
	return &subscriptions{seats: seats, clock: clock, byTag: make(map[Tag]*subscription), order: list.New()}
}

func (s *subscriptions) len() int { return s.order.Len() }

// verdict says whether a subscription stands.
type verdict int

const (
	stands  verdict = iota
	unpaid          // it would perhaps, with a stamp
	refused         // all seats are taken and kept
)

// seatOf returns the seat of a watch: that of its lease, or that of a subscription to
// one of its tags, which is its former self.
func (s *subscriptions) seatOf(lease LeaseID, sub *subscription) *seat {
	if it := s.seats.byID[lease]; it != nil {
		return it
	}
	for t := range sub.tags {
		if old := s.byTag[t]; old != nil {
			return old.seat
		}
	}
	return nil
}

// add lets a subscription stand, if its watch has a seat or gets one.
func (s *subscriptions) add(lease LeaseID, sub *subscription, paid bool, now time.Time) verdict {
	it := s.seatOf(lease, sub)
	switch {
	case it != nil && it.id != lease:
		s.seats.rename(it, lease)
	case it == nil && s.seats.crowded() && !paid:
		return unpaid
	case it == nil:
		if it = s.seats.enter(lease, sub.cost(), now, s.leave); it == nil {
			return refused
		}
	}
	it.renewed = now
	// A tag stands in one subscription: its box is pushed once.
	for t := range sub.tags {
		if old := s.byTag[t]; old != nil {
			s.forget(old, t)
		}
	}
	// A seat that is kept may take as little more than a newcomer's when memory is full.
	tight := func() bool { return s.seats.bytes+sub.cost() > s.seats.maxBytes }
	for len(it.subs) >= seatSubscriptions || len(it.subs) > 1 && tight() {
		s.end(it.subs[0])
	}
	if len(it.subs) > 0 && tight() {
		return refused
	}

	// Nothing below fails: the index and the seat stay in step.
	for t := range sub.tags {
		s.byTag[t] = sub
	}
	sub.place = s.order.PushBack(sub)
	sub.seat, sub.size = it, sub.cost()
	it.subs = append(it.subs, sub)
	s.seats.charge(it, sub.size)
	return stands
}

// leave ends the subscriptions of a seat, and frees it.
func (s *subscriptions) leave(it *seat) {
	for len(it.subs) > 0 {
		s.end(it.subs[0])
	}
	s.seats.remove(it)
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
		// The sender repairs a copy that it believes lost. Once, so that it cannot use
		// up the blocks.
		s.forget(sub, tag)
		if sub.place == nil {
			return nil, 0
		}
		block = s.spend(sub)
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
	block := s.spend(sub)
	if block == nil {
		return nil
	}
	delete(sub.tags, tag)
	if sub.place == nil {
		return block
	}
	if sub.sent == nil {
		sub.sent = make(map[Tag]struct{})
	}
	sub.sent[tag] = struct{}{}
	s.owed = append(s.owed, owed{tag, now.Add(againAfter)})
	return block
}

// due returns the tags with a box that goes out again now, at most MaxTags, or when the
// next is; the zero time: none is.
func (s *subscriptions) due(now time.Time) (tags []Tag, next time.Time) {
	n := 0
	for ; n < len(s.owed) && !s.owed[n].at.After(now) && len(tags) < MaxTags; n++ {
		tag := s.owed[n].tag
		if sub := s.byTag[tag]; sub != nil {
			if _, ok := sub.sent[tag]; ok {
				tags = append(tags, tag)
			}
		}
	}
	s.owed = append(s.owed[:0], s.owed[n:]...)
	if len(tags) == 0 && len(s.owed) > 0 {
		next = s.owed[0].at
	}
	return tags, next
}

// again uses a block for a box that went out before.
func (s *subscriptions) again(tag Tag, now time.Time) (block *outfox.Block, standing int) {
	sub := s.byTag[tag]
	if sub == nil {
		return nil, 0
	}
	if _, ok := sub.sent[tag]; !ok {
		return nil, 0
	}
	if block = s.spend(sub); block != nil && sub.place != nil {
		s.owed = append(s.owed, owed{tag, now.Add(againAfter)})
	}
	return block, s.standing(sub)
}

// acknowledged takes tags out of the subscriptions that wait for them.
func (s *subscriptions) acknowledged(tags []Tag) {
	for _, tag := range tags {
		sub := s.byTag[tag]
		if sub == nil {
			continue
		}
		delete(s.byTag, tag)
		delete(sub.tags, tag)
		delete(sub.sent, tag)
		if len(sub.tags)+len(sub.sent) == 0 {
			s.end(sub)
		}
	}
}

// spend uses a block that the hops still have the keys for. Without blocks a
// subscription ends.
func (s *subscriptions) spend(sub *subscription) (block *outfox.Block) {
	for block == nil && len(sub.blocks) > 0 {
		if _, ok := outfox.ResolveEpoch(sub.blocks[0].Epoch(), s.clock()); ok {
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
	sub.seat.subs = slices.DeleteFunc(sub.seat.subs, func(o *subscription) bool { return o == sub })
	s.seats.charge(sub.seat, -sub.size)
	for _, tags := range []map[Tag]struct{}{sub.tags, sub.sent} {
		for t := range tags {
			if s.byTag[t] == sub {
				delete(s.byTag, t)
			}
		}
	}
}

// expire ends old subscriptions, and then seats that were not renewed.
func (s *subscriptions) expire(now time.Time) {
	for e := s.order.Front(); e != nil; e = s.order.Front() {
		sub := e.Value.(*subscription)
		if sub.expires.After(now) {
			break
		}
		s.end(sub)
	}
	for _, it := range s.seats.byID {
		if now.Sub(it.renewed) >= SubscriptionLife {
			s.leave(it)
		}
	}
}
