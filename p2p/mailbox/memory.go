package mailbox

import (
	"context"
	"sync"
	"time"
)

// Memory is a Store for tests and simulations: nothing survives.
type Memory struct {
	mu      sync.Mutex
	quota   *quota
	boxes   map[Tag]*memoryBox
	tags    []Tag // by row
	graves  map[int64]memoryGrave
	order   []int64 // of graves, oldest first
	evicted int64
	shelf   *shelf
	logs    map[LogName]*memoryLog
}

type memoryBox struct {
	box     Box
	expires time.Time
	row     int
}

type memoryGrave struct {
	box     int64
	expires time.Time
}

// NewMemory returns an empty store for at most max boxes, and a quarter as many entries of
// logs.
func NewMemory(max int) *Memory {
	return &Memory{
		quota: newQuota(max), boxes: make(map[Tag]*memoryBox), graves: make(map[int64]memoryGrave),
		shelf: newShelf(max / logShare), logs: make(map[LogName]*memoryLog),
	}
}

// Put implements Store.
func (s *Memory) Put(_ context.Context, tag Tag, box *Box, expires time.Time, askedFor bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.quota.commit()

	// The first box under a tag stays: somebody who learns of the tag cannot replace it.
	if old, ok := s.boxes[tag]; ok {
		if old.box != *box {
			return &TakenError{old.box}
		}
		return nil
	}

	// A late copy of an acknowledged box would come to the recipient a second time.
	if g, ok := s.graves[graveOf(&tag)]; ok {
		if g.box != tombstoneOf(&tag, box).box {
			return ErrTaken
		}
		return ErrAcknowledged
	}

	row, replaces, ok := s.quota.place(classOf(askedFor), time.Now())
	if !ok {
		return ErrFull
	}

	// The place decides: boxes that were asked for outlast those that were not.
	if replaces {
		delete(s.boxes, s.tags[row])
		s.evicted++
	}

	for row >= len(s.tags) {
		s.tags = append(s.tags, Tag{})
	}
	s.tags[row] = tag
	s.boxes[tag] = &memoryBox{*box, expires, row}
	return nil
}

func classOf(askedFor bool) class {
	if askedFor {
		return asked
	}
	return unasked
}

// Get implements Store.
func (s *Memory) Get(_ context.Context, tags []Tag, now time.Time) ([]Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.quota.commit()
	var items []Item
	for _, t := range tags {
		if b, ok := s.boxes[t]; ok && b.expires.After(now) {
			s.quota.ask(b.row)
			items = append(items, Item{t, b.box})
		}
	}
	return items, nil
}

// Delete implements Store.
func (s *Memory) Delete(_ context.Context, tags []Tag) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.quota.commit()
	for _, t := range tags {
		b := s.boxes[t]
		if b == nil {
			continue
		}
		delete(s.boxes, t)
		s.quota.set(b.row, vacant)
		g := tombstoneOf(&t, &b.box)
		s.graves[g.tag] = memoryGrave{g.box, b.expires}
		if s.order = append(s.order, g.tag); len(s.order) > s.quota.max {
			delete(s.graves, s.order[0])
			s.order = s.order[1:]
		}
	}
	return nil
}

// Expire implements Store.
func (s *Memory) Expire(_ context.Context, now time.Time) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.quota.commit()
	for t, b := range s.boxes {
		if !b.expires.After(now) {
			delete(s.boxes, t)
			s.quota.set(b.row, vacant)
			n++
		}
	}
	keep := s.order[:0]
	for _, tag := range s.order {
		if s.graves[tag].expires.After(now) {
			keep = append(keep, tag)
		} else {
			delete(s.graves, tag)
		}
	}
	s.order = keep
	s.expireLogs(now)
	s.shelf.commit()
	return n, nil
}

// Latest implements Store.
func (s *Memory) Latest() (latest time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.boxes {
		if b.expires.After(latest) {
			latest = b.expires
		}
	}
	for _, g := range s.graves {
		if g.expires.After(latest) {
			latest = g.expires
		}
	}
	if at := s.latestEntry(); at.After(latest) {
		latest = at
	}
	return latest
}

// Len implements Store.
func (s *Memory) Len() int { return s.Counts().Boxes }

// Counts implements Store.
func (s *Memory) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counts{Boxes: len(s.boxes), Asked: s.quota.count[asked], Acknowledged: len(s.graves), Evicted: s.evicted,
		Logs: len(s.logs), Entries: s.shelf.live}
}
