package mailbox

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Errors of a Store.
var (
	// ErrTaken means that another box is under the tag.
	ErrTaken = errors.New("mailbox: tag is taken")
	// ErrFull means that there is no room, in the quota or on the disk.
	ErrFull = errors.New("mailbox: full")
	// ErrDamaged means that the database is not readable as ours.
	ErrDamaged = errors.New("mailbox: damaged database")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("mailbox: store is closed")
)

// Item is a stored box.
type Item struct {
	Tag Tag
	Box Box
}

// Store keeps boxes. Its methods may be called at the same time. Each returns
// when its effect is as durable as the store can make it. Package mailboxtest has
// the tests that every Store passes.
type Store interface {
	// Put stores a box until it expires. It returns nil also when the same box is
	// there already, whose life does not change; ErrTaken; ErrFull; or another
	// error when nothing was kept.
	Put(ctx context.Context, tag Tag, box *Box, expires time.Time) error
	// Get returns the boxes under those of the tags that have one and did not
	// expire, in the order of the tags, at most len(tags).
	Get(ctx context.Context, tags []Tag, now time.Time) ([]Item, error)
	// Delete removes boxes. Tags without one are no error.
	Delete(ctx context.Context, tags []Tag) error
	// Expire removes what expired and returns how many boxes that were.
	Expire(ctx context.Context, now time.Time) (int, error)
	// Len returns how many boxes are stored.
	Len() int
}

// Memory is a Store for tests and simulations: nothing survives.
type Memory struct {
	max   int
	mu    sync.Mutex
	boxes map[Tag]memoryBox
}

type memoryBox struct {
	box     Box
	expires time.Time
}

// NewMemory returns an empty store for at most max boxes.
func NewMemory(max int) *Memory { return &Memory{max: max, boxes: make(map[Tag]memoryBox)} }

// Put implements Store.
func (s *Memory) Put(_ context.Context, tag Tag, box *Box, expires time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.boxes[tag]; ok {
		if old.box != *box {
			return ErrTaken
		}
		return nil
	}
	if len(s.boxes) >= s.max {
		return ErrFull
	}
	s.boxes[tag] = memoryBox{*box, expires}
	return nil
}

// Get implements Store.
func (s *Memory) Get(_ context.Context, tags []Tag, now time.Time) ([]Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var items []Item
	for _, t := range tags {
		if b, ok := s.boxes[t]; ok && b.expires.After(now) {
			items = append(items, Item{t, b.box})
		}
	}
	return items, nil
}

// Delete implements Store.
func (s *Memory) Delete(_ context.Context, tags []Tag) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range tags {
		delete(s.boxes, t)
	}
	return nil
}

// Expire implements Store.
func (s *Memory) Expire(_ context.Context, now time.Time) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t, b := range s.boxes {
		if !b.expires.After(now) {
			delete(s.boxes, t)
			n++
		}
	}
	return n, nil
}

// Len implements Store.
func (s *Memory) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.boxes)
}
