package mailbox

import (
	"context"
	"errors"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// Put implements Store.
func (s *SQLite) Put(ctx context.Context, tag Tag, box *Box, expires time.Time, askedFor bool) error {
	// The caller may be gone before the operation runs, and use the box again.
	box = clone(box)
	return s.submit(ctx, true, func() error {
		found, err := s.find(tag)
		switch {
		case err != nil:
			return err
		case found != nil && found.box == *box:
			return nil
		case found != nil:
			return &TakenError{found.box}
		}

		if err := s.buried(tag, box); err != nil {
			return err
		}

		// A full disk would fail every commit, deletions among them.
		if s.lowOnDisk() {
			return ErrFull
		}

		row, replaces, ok := s.quota.place(classOf(askedFor), time.Now())
		if !ok {
			return ErrFull
		}
		if replaces {
			s.evicted++
		}

		return exec(s.stmt.insert, func(q *sqlite3.Stmt) error {
			return errors.Join(q.BindInt64(1, int64(row)+1), q.BindBlob(2, tag[:]), q.BindInt64(3, hours(expires)), q.BindBool(4, askedFor), q.BindBlob(5, box[:]))
		})
	})
}

// buried returns ErrAcknowledged or ErrTaken when there was a box under the tag.
func (s *SQLite) buried(tag Tag, box *Box) (err error) {
	q := s.stmt.grave
	defer func() { err = errors.Join(err, q.Reset()) }()
	t := tombstoneOf(&tag, box)
	if err := q.BindInt64(1, t.tag); err != nil {
		return err
	}
	switch {
	case !q.Step():
		return q.Err()
	case q.ColumnInt64(0) == t.box:
		return ErrAcknowledged
	}
	return ErrTaken
}

// lowOnDisk reports whether the disk is too full for another box.
func (s *SQLite) lowOnDisk() bool {
	if now := time.Now(); now.Sub(s.lookedAt) >= freeInterval {
		free, ok := freeBytes(s.path)
		s.low, s.lookedAt = ok && free < s.minFree, now
	}
	return s.low
}

// Get implements Store. That a box was asked for is kept on disk only if it was
// when the box came.
func (s *SQLite) Get(ctx context.Context, tags []Tag, now time.Time) ([]Item, error) {
	var items []Item
	err := s.submit(ctx, false, func() error {
		items = nil
		for _, t := range tags {
			found, err := s.find(t)
			if err != nil {
				return err
			}
			if found != nil && found.expires > now.Unix()/3600 {
				s.quota.ask(found.row)
				items = append(items, Item{t, found.box})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// record is a row of the table box.
type record struct {
	row     int
	expires int64
	box     Box
}

// find reads the box under a tag, or nil.
func (s *SQLite) find(tag Tag) (*record, error) { return one(s.stmt.find, tag) }

// one runs a statement with a tag that returns id, expires and box.
func one(q *sqlite3.Stmt, tag Tag) (r *record, err error) {
	defer func() { err = errors.Join(err, q.Reset()) }()
	if err := q.BindBlob(1, tag[:]); err != nil {
		return nil, err
	}
	if !q.Step() {
		return nil, q.Err()
	}
	raw := q.ColumnRawBlob(2)
	id := q.ColumnInt64(0)
	if len(raw) != BoxSize || id < 1 || id > maxID {
		return nil, ErrDamaged
	}
	return &record{int(id - 1), q.ColumnInt64(1), Box(raw)}, nil
}

// Delete implements Store.
func (s *SQLite) Delete(ctx context.Context, tags []Tag) error {
	return s.submit(ctx, true, func() error {
		for _, t := range tags {
			gone, err := one(s.stmt.remove, t)
			if err != nil {
				return err
			}
			if gone == nil {
				continue
			}
			s.quota.set(gone.row, vacant)
			if err := s.bury(tombstoneOf(&t, &gone.box), gone.expires); err != nil {
				return err
			}
		}
		return nil
	})
}

// bury keeps a tombstone, at the cost of the oldest when there are too many.
func (s *SQLite) bury(t tombstone, expires int64) error {
	if s.graves >= s.quota.max {
		err := exec(s.stmt.oldest, func(q *sqlite3.Stmt) error { return q.BindInt64(1, int64(s.graves-s.quota.max+1)) })
		if err != nil {
			return err
		}
		s.graves -= int(s.db.Changes())
	}
	s.graves++
	return exec(s.stmt.bury, func(q *sqlite3.Stmt) error {
		return errors.Join(q.BindInt64(1, t.tag), q.BindInt64(2, t.box), q.BindInt64(3, expires))
	})
}

// Expire implements Store. It also gives free pages back to the file system.
func (s *SQLite) Expire(ctx context.Context, now time.Time) (total int, err error) {
	limits := func(q *sqlite3.Stmt) error {
		return errors.Join(q.BindInt64(1, now.Unix()/3600), q.BindInt64(2, expireChunk))
	}

	// In chunks: requests come in between.
	for {
		var boxes, graves int
		var more bool
		err := s.submit(ctx, true, func() (err error) {
			if boxes, err = s.dropOld(limits); err != nil {
				return err
			}
			if err := exec(s.stmt.decayed, limits); err != nil {
				return err
			}
			graves = int(s.db.Changes())
			s.graves -= graves
			if more, err = s.expireLogs(now); err != nil {
				return err
			}
			return s.db.Exec("PRAGMA incremental_vacuum(1024)")
		})

		if err != nil {
			return total, err
		}
		if total += boxes; boxes < expireChunk && graves < expireChunk && !more {
			return total, nil
		}
	}
}

func (s *SQLite) dropOld(bind func(*sqlite3.Stmt) error) (n int, err error) {
	q := s.stmt.old
	defer func() { err = errors.Join(err, q.Reset()) }()
	if err := bind(q); err != nil {
		return 0, err
	}
	for q.Step() {
		s.quota.set(int(q.ColumnInt64(0)-1), vacant)
		n++
	}
	return n, q.Err()
}

// Len implements Store.
func (s *SQLite) Len() int { return s.counts.Load().Boxes }

// Latest implements Store, as of when the store was opened.
func (s *SQLite) Latest() time.Time {
	if s.latest == 0 {
		return time.Time{}
	}
	return time.Unix(s.latest*3600, 0)
}

// Counts implements Store.
func (s *SQLite) Counts() Counts { return *s.counts.Load() }

func exec(q *sqlite3.Stmt, bind func(*sqlite3.Stmt) error) error {
	if err := bind(q); err != nil {
		return err
	}
	return q.Exec()
}

// hours rounds up, so that no box expires early.
func hours(t time.Time) int64 { return (t.Unix() + 3599) / 3600 }

func clone(b *Box) *Box {
	c := *b
	return &c
}
