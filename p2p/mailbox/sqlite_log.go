package mailbox

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// logStatements are the prepared ones of logs.
type logStatements struct {
	begin, drop, last, clear *sqlite3.Stmt // logs
	insert, find, prolong    *sqlite3.Stmt
	after, newest, leaves    *sqlite3.Stmt
	evict, die, rot, oldest  *sqlite3.Stmt
}

func (s *logStatements) all() []*sqlite3.Stmt {
	return []*sqlite3.Stmt{s.begin, s.drop, s.last, s.clear, s.insert, s.find, s.prolong, s.after, s.newest, s.leaves, s.evict, s.die, s.rot, s.oldest}
}

// contentSize is what an entry has beside its tag.
const contentSize = ed25519.SignatureSize + BoxSize

// graveHours is graveTime.
const graveHours = int64(graveTime / time.Hour)

// prepareLogs prepares the statements of logs.
func (s *SQLite) prepareLogs() (err error) {
	q := &s.logStmt

	for _, p := range []struct {
		stmt **sqlite3.Stmt
		sql  string
	}{
		{&q.begin, "INSERT INTO log (name, instance, last) VALUES (?, ?, 0) RETURNING id"},
		{&q.drop, "DELETE FROM log WHERE id = ?"},
		{&q.clear, "DELETE FROM entry WHERE log = ?"},
		{&q.last, "UPDATE log SET last = ? WHERE id = ?"},
		{&q.insert, "INSERT INTO entry (log, lives, position, tag, sum, first, expires, content) VALUES (?, 1, ?, ?, ?, ?, ?, ?)"},
		{&q.find, "SELECT id, position, sum, first, expires, content FROM entry WHERE log = ? AND lives IN (0, 1) AND tag = ?"},
		{&q.prolong, "UPDATE entry SET expires = ? WHERE id = ?"},
		{&q.after, "SELECT position, tag, content FROM entry WHERE log = ? AND lives = 1 AND position > ? ORDER BY position LIMIT ?"},
		{&q.newest, "SELECT position, tag, content FROM entry WHERE log = ? AND lives = 1 ORDER BY position DESC LIMIT ?"},
		{&q.leaves, "SELECT tag, sum FROM entry WHERE log = ? AND lives = 1 ORDER BY tag"},
		{&q.evict, "DELETE FROM entry WHERE id = (SELECT id FROM entry WHERE log = ? AND lives = 1 ORDER BY position LIMIT 1) RETURNING log"},
		{&q.die, "UPDATE entry SET lives = 0, content = NULL, expires = expires + ? WHERE id IN (SELECT id FROM entry WHERE lives = 1 AND expires <= ? LIMIT ?) RETURNING log"},
		{&q.rot, "DELETE FROM entry WHERE id IN (SELECT id FROM entry WHERE lives = 0 AND expires <= ? LIMIT ?) RETURNING log"},
		{&q.oldest, "DELETE FROM entry WHERE id IN (SELECT id FROM entry WHERE lives = 0 ORDER BY expires LIMIT ?) RETURNING log"},
	} {
		if *p.stmt, _, err = s.db.Prepare(p.sql); err != nil {
			return err
		}
	}
	return nil
}

// loadLogs learns which logs there are, and how many entries they have.
func (s *SQLite) loadLogs() error {
	latest, err := s.number("SELECT max(coalesce((SELECT max(expires) FROM entry WHERE lives = 1), 0), coalesce((SELECT max(expires) FROM entry WHERE lives = 0), 0) - 672)")
	if err != nil {
		return err
	}
	s.latest = max(s.latest, latest)
	followed := time.Unix(s.latest*3600, 0).Add(-TTL) // perhaps; who follows it is not on the disk

	logs, _, err := s.db.Prepare("SELECT id, name, instance, last FROM log")
	if err != nil {
		return err
	}
	defer logs.Close()
	for logs.Step() {
		// A damaged file is refused: a position that wraps would hide entries from readers.
		name, instance, last := logs.ColumnRawBlob(1), logs.ColumnInt64(2), logs.ColumnInt64(3)
		if len(name) != LogNameSize || instance < 1 || instance > Newest || last < 0 || last >= Newest {
			return ErrDamaged
		}
		l := &shelved{id: logs.ColumnInt64(0), name: LogName(name), instance: uint32(instance), last: uint32(last), followed: followed}
		s.byID[l.id] = s.shelf.add(l)
	}
	if err := logs.Err(); err != nil {
		return err
	}

	counts, _, err := s.db.Prepare("SELECT log, lives, count(*) FROM entry GROUP BY log, lives")
	if err != nil {
		return err
	}
	defer counts.Close()
	for counts.Step() {
		l := s.byID[counts.ColumnInt64(0)]
		if l == nil {
			return ErrDamaged
		}
		if n := counts.ColumnInt(2); counts.ColumnInt64(1) != 0 {
			s.shelf.change(l, n, 0)
		} else {
			s.shelf.change(l, 0, n)
		}
	}
	s.shelf.commit()
	return counts.Err()
}

// Append implements Logs.
func (s *SQLite) Append(ctx context.Context, name LogName, e *Entry, now time.Time, followed bool) (at LogEntry, fresh bool, err error) {
	entry := *e
	err = s.submit(ctx, true, func() (err error) {
		at, fresh, err = s.append(name, &entry, now, followed)
		return err
	})
	return at, fresh && err == nil, err
}

func (s *SQLite) append(name LogName, e *Entry, now time.Time, followed bool) (at LogEntry, fresh bool, err error) {
	l := s.shelf.logs[name]
	if l == nil {
		l = &shelved{name: name}
	} else if position, known, err := s.again(l, e, now); known || err != nil {
		return LogEntry{name, l.instance, position, *e}, false, err
	}
	if followed {
		l.read(now)
	}

	// Checked before anything is evicted for it.
	if l.live >= MaxEntries || l.last == Newest-1 || !l.fresh.take(now) || s.lowOnDisk() {
		return at, false, ErrFull
	}
	if s.shelf.logs[name] == nil {
		if err := s.makePlace(); err != nil {
			return at, false, err
		}
	}

	// The longest log gives way, one without readers first: no writer can push all others out.
	victim, ok := s.shelf.makeRoom(l, l.watched())
	if !ok {
		return at, false, ErrFull
	}
	if victim != nil {
		if err := s.changed(s.logStmt.evict, func(q *sqlite3.Stmt) error { return q.BindInt64(1, victim.id) }, -1, 0, nil); err != nil {
			return at, false, err
		}
		s.evicted++
	}

	if err := s.enter(l, e, now); err != nil {
		return at, false, err
	}
	return LogEntry{name, l.instance, l.last, *e}, true, nil
}

// makePlace drops a log for a new one, if there are too many.
func (s *SQLite) makePlace() error {
	l, ok := s.shelf.makePlace()
	switch {
	case !ok:
		return ErrFull
	case l == nil:
		return nil
	}
	s.evicted += int64(l.live)
	s.shelf.change(l, -l.live, -l.gone)
	err := exec(s.logStmt.clear, func(q *sqlite3.Stmt) error { return q.BindInt64(1, l.id) })
	return errors.Join(err, s.drop(l))
}

// LimitLogs sets how many logs there may be: they cost memory.
func (s *SQLite) LimitLogs(ctx context.Context, most int) error {
	return s.submit(ctx, false, func() error {
		s.shelf.most = most
		return nil
	})
}

// again looks for an entry under a tag that is known, and prolongs the same one.
func (s *SQLite) again(l *shelved, e *Entry, now time.Time) (position uint32, known bool, err error) {
	q := s.logStmt.find
	defer func() { err = errors.Join(err, q.Reset()) }()
	if err := errors.Join(q.BindInt64(1, l.id), q.BindBlob(2, e.Tag[:])); err != nil {
		return 0, false, err
	}
	if !q.Step() {
		return 0, false, q.Err()
	}

	// Compared by hash: expired entries are remembered without their content.
	there, content := leaf{}, q.ColumnRawBlob(5)
	copy(there[copy(there[:], e.Tag[:]):], q.ColumnRawBlob(2))
	same := there == leafOf(&e.Tag, &e.Box)
	switch {
	case content == nil && same:
		return 0, true, ErrAcknowledged
	case content == nil:
		return 0, true, ErrTaken
	case len(content) != contentSize:
		return 0, true, ErrDamaged
	case !same:
		return 0, true, &TakenError{Box(content[ed25519.SignatureSize:])}
	}

	position = uint32(q.ColumnInt64(1))
	first, expires := q.ColumnInt64(3), hours(now.Add(TTL))
	// It lives longer each time that somebody appends it, within bounds.
	if now.Unix()/3600-first >= int64(ProlongTime/time.Hour) || expires <= q.ColumnInt64(4) || !l.same.take(now) {
		return position, true, nil
	}
	id := q.ColumnInt64(0)
	return position, true, exec(s.logStmt.prolong, func(q *sqlite3.Stmt) error {
		return errors.Join(q.BindInt64(1, expires), q.BindInt64(2, id))
	})
}

// enter writes a new entry, and the log when it is the first.
func (s *SQLite) enter(l *shelved, e *Entry, now time.Time) error {
	if s.shelf.logs[l.name] == nil {
		s.shelf.add(l)
		if err := s.begin(l); err != nil {
			return err
		}
	}

	position := s.shelf.next(l)
	sum := leafOf(&e.Tag, &e.Box)
	content := slices.Concat(e.Signature[:], e.Box[:])
	err := exec(s.logStmt.insert, func(q *sqlite3.Stmt) error {
		return errors.Join(q.BindInt64(1, l.id), q.BindInt64(2, int64(position)), q.BindBlob(3, e.Tag[:]), q.BindBlob(4, sum[TagSize:]),
			q.BindInt64(5, now.Unix()/3600), q.BindInt64(6, hours(now.Add(TTL))), q.BindBlob(7, content))
	})
	if err != nil {
		return err
	}
	return exec(s.logStmt.last, func(q *sqlite3.Stmt) error {
		return errors.Join(q.BindInt64(1, int64(position)), q.BindInt64(2, l.id))
	})
}

// begin writes a new log.
func (s *SQLite) begin(l *shelved) (err error) {
	q := s.logStmt.begin
	defer func() { err = errors.Join(err, q.Reset()) }()
	if err := errors.Join(q.BindBlob(1, l.name[:]), q.BindInt64(2, int64(l.instance))); err != nil {
		return err
	}
	if !q.Step() {
		return errors.Join(q.Err(), ErrDamaged)
	}
	l.id = q.ColumnInt64(0)
	s.byID[l.id] = l
	s.shelf.undo = append(s.shelf.undo, func() { delete(s.byID, l.id) })
	return nil
}

// changed runs a statement that changes entries and returns their logs, and counts: so many
// entries live more for each, and are remembered more. Logs without any are dropped. n, if
// not nil, counts the rows.
func (s *SQLite) changed(q *sqlite3.Stmt, bind func(*sqlite3.Stmt) error, live, gone int, n *int) error {
	var logs []*shelved
	err := bind(q)
	for err == nil && q.Step() {
		l := s.byID[q.ColumnInt64(0)]
		if l == nil {
			err = ErrDamaged
			break
		}
		s.shelf.change(l, live, gone)
		logs = append(logs, l)
	}

	// Reset before other statements run: the table is locked until then.
	if err = errors.Join(err, q.Err(), q.Reset()); err != nil {
		return err
	}

	if n != nil {
		*n = len(logs)
	}
	for _, l := range logs {
		if l.live+l.gone > 0 || s.shelf.logs[l.name] != l {
			continue
		}
		if err := s.drop(l); err != nil {
			return err
		}
	}
	return nil
}

// drop removes a log without entries.
func (s *SQLite) drop(l *shelved) error {
	s.shelf.remove(l)
	delete(s.byID, l.id)
	s.shelf.undo = append(s.shelf.undo, func() { s.byID[l.id] = l })
	return exec(s.logStmt.drop, func(q *sqlite3.Stmt) error { return q.BindInt64(1, l.id) })
}

// Read implements Logs.
func (s *SQLite) Read(ctx context.Context, logs []LogPosition, most int, now time.Time) (found []LogEntry, left int, err error) {
	err = s.submit(ctx, false, func() error {
		found, left = nil, 0
		for _, at := range logs {
			l := s.shelf.logs[at.Name]
			if l == nil {
				continue
			}
			l.read(now)
			before := len(found)
			if before < most && (at.After < l.last || at.After == Newest) {
				if found, err = s.read(l, at.After, most-before, found); err != nil {
					return err
				}
			}
			left += l.left(at.After, found[before:])
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return found, left, nil
}

// read adds entries of one log.
func (s *SQLite) read(l *shelved, after uint32, most int, found []LogEntry) (all []LogEntry, err error) {
	q, bind := s.logStmt.after, func(q *sqlite3.Stmt) error {
		return errors.Join(q.BindInt64(1, l.id), q.BindInt64(2, int64(after)), q.BindInt64(3, int64(most)))
	}

	// A reader without a position begins with the newest.
	if after == Newest {
		q, bind = s.logStmt.newest, func(q *sqlite3.Stmt) error {
			return errors.Join(q.BindInt64(1, l.id), q.BindInt64(2, int64(most)))
		}
	}
	defer func() { err = errors.Join(err, q.Reset()) }()
	if err := bind(q); err != nil {
		return nil, err
	}

	for q.Step() {
		tag, content := q.ColumnRawBlob(1), q.ColumnRawBlob(2)
		if len(tag) != TagSize || len(content) != contentSize {
			return nil, ErrDamaged
		}
		e := LogEntry{Name: l.name, Instance: l.instance, Position: uint32(q.ColumnInt64(0))}
		e.Tag = Tag(tag)
		copy(e.Box[:], content[copy(e.Signature[:], content):])
		found = append(found, e)
	}
	return found, q.Err()
}

// End implements Logs.
func (s *SQLite) End(ctx context.Context, names []LogName, now time.Time) (ends []LogEnd, err error) {
	err = s.submit(ctx, false, func() error {
		ends = make([]LogEnd, 0, len(names))
		for _, name := range names {
			l := s.shelf.logs[name]
			if l == nil {
				ends = append(ends, noLog(name))
				continue
			}
			l.read(now)
			if err := s.digest(l); err != nil {
				return err
			}
			ends = append(ends, *l.end)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ends, nil
}

// digest makes the end of a log, unless it is known.
func (s *SQLite) digest(l *shelved) (err error) {
	if l.end != nil {
		return nil
	}
	q := s.logStmt.leaves
	defer func() { err = errors.Join(err, q.Reset()) }()
	if err := q.BindInt64(1, l.id); err != nil {
		return err
	}
	set := LogSet{leaves: make([]leaf, 0, l.live)}
	for q.Step() {
		tag, sum := q.ColumnRawBlob(0), q.ColumnRawBlob(1)
		if len(tag) != TagSize || len(sum) != len(leaf{})-TagSize {
			return ErrDamaged
		}
		set.leaves = append(set.leaves, leaf(slices.Concat(tag, sum)))
	}
	if err := q.Err(); err != nil {
		return err
	}
	l.ended(&set)
	return nil
}

// expireLogs removes some entries that have expired, and forgets some that had before. It
// says whether there may be more.
func (s *SQLite) expireLogs(now time.Time) (more bool, err error) {
	s.shelf.expire(now)
	hour := now.Unix() / 3600
	var died, rotten int
	err = s.changed(s.logStmt.die, func(q *sqlite3.Stmt) error {
		return errors.Join(q.BindInt64(1, graveHours), q.BindInt64(2, hour), q.BindInt64(3, expireChunk))
	}, -1, 1, &died)
	if err != nil {
		return false, err
	}
	err = s.changed(s.logStmt.rot, func(q *sqlite3.Stmt) error {
		return errors.Join(q.BindInt64(1, hour), q.BindInt64(2, expireChunk))
	}, 0, -1, &rotten)
	if over := s.shelf.gone - s.shelf.max; err == nil && over > 0 {
		err = s.changed(s.logStmt.oldest, func(q *sqlite3.Stmt) error { return q.BindInt64(1, int64(over)) }, 0, -1, nil)
	}
	return died == expireChunk || rotten == expireChunk, err
}
