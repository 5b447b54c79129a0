package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// A Tx is a transaction over all tables. It ends when the function it was given to
// returns.
type Tx struct {
	ContactTable
	MessageTable
	ChangeTable
	EventTable
	InboxTable
	GapTable
	InviteTable
	OutboxTable
	OwnerTable
	ResetTable
	RoomTable
	AppendTable

	s      *Store
	events bool // something was appended to the event log
	// For the marker: a session moved, the database gets a new lineage.
	moved, lineage bool
}

func newTx(s *Store) *Tx {
	tx := &Tx{s: s}
	tx.ContactTable, tx.MessageTable, tx.ChangeTable = ContactTable{tx}, MessageTable{tx}, ChangeTable{tx}
	tx.InboxTable, tx.GapTable, tx.OutboxTable = InboxTable{tx}, GapTable{tx}, OutboxTable{tx}
	tx.EventTable, tx.InviteTable = EventTable{tx}, InviteTable{tx}
	tx.OwnerTable, tx.ResetTable = OwnerTable{tx}, ResetTable{tx}
	tx.RoomTable, tx.AppendTable = RoomTable{tx}, AppendTable{tx}
	return tx
}

type job struct {
	fn   func(*Tx) error
	note bool // the disk need not be waited for
	err  error
	done chan struct{}
}

// maxBatch bounds how many waiting transactions share one commit.
const maxBatch = 128

// Update runs fn in a transaction and returns once it is on disk. If fn or the
// commit fails, nothing of it remains. fn may run on another caller's
// goroutine; it must not call Update or View, and must leave effects outside
// the transaction to its caller, for after Update.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	return s.update(ctx, &job{fn: fn, done: make(chan struct{})})
}

// Note is Update for rows that may be lost when the machine, not only the process,
// crashes before the next Update: it does not wait for the disk. fn must not move a
// session.
func (s *Store) Note(ctx context.Context, fn func(*Tx) error) error {
	return s.update(ctx, &job{fn: fn, note: true, done: make(chan struct{})})
}

func (s *Store) update(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.queueMu.Lock()
	s.queue = append(s.queue, j)
	s.queueMu.Unlock()

	// The next one with the connection commits for all that wait by then.
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		select {
		case <-j.done:
			return j.err
		default:
			s.runBatch()
		}
	}
}

func (s *Store) runBatch() {
	s.queueMu.Lock()
	n := min(len(s.queue), maxBatch)
	batch := s.queue[:n:n]
	s.queue = s.queue[n:]
	s.queueMu.Unlock()

	// Whatever happens, each waiting caller is answered.
	defer func() {
		for _, j := range batch {
			close(j.done)
		}
	}()
	failAll := func(err error) {
		for _, j := range batch {
			j.err = err
		}
	}
	if s.closed {
		failAll(ErrClosed)
		return
	}

	// A batch of notes alone need not reach the disk at once.
	tx := newTx(s)
	if notes(batch) {
		if err := s.conn.Exec("PRAGMA synchronous = " + s.noteSync); err != nil {
			failAll(mapError(err))
			return
		}
		defer s.conn.Exec("PRAGMA synchronous = " + s.sync)
	}

	// All steps are one transaction, each with a savepoint of its own if there are several.
	if err := s.conn.Exec("BEGIN IMMEDIATE"); err != nil {
		failAll(mapError(err))
		return
	}
	for _, j := range batch {
		j.err = tx.step(j.fn, len(batch) > 1)
		if s.conn.GetAutocommit() {
			// A full disk or a damaged page ends the whole transaction.
			err := j.err
			if err == nil {
				err = fmt.Errorf("transaction ended early")
			}
			failAll(err)
			return
		}
	}

	if len(batch) == 1 && batch[0].err != nil {
		s.conn.Exec("ROLLBACK")
		return
	}

	// The marker moves with the commit.
	s.dirty = true
	next, err := tx.nextMarker()
	if err == nil {
		err = s.conn.Exec("COMMIT")
	}
	if err != nil {
		if !s.conn.GetAutocommit() {
			s.conn.Exec("ROLLBACK")
		}
		failAll(mapError(err))
		return
	}

	// It is on disk.
	if tx.lineage {
		s.restored = false
	}
	s.committed(next)
	if s.fresh.logSize() > maxLog {
		s.checkpoint() // a failure is tried again at the next commit
	}
	if tx.events {
		s.notify()
	}
}

// notes reports whether nobody of a batch waits for the disk.
func notes(batch []*job) bool {
	return !slices.ContainsFunc(batch, func(j *job) bool { return !j.note })
}

// step runs one job, in a savepoint of its own when it shares the commit.
func (tx *Tx) step(fn func(*Tx) error, shared bool) error {
	if !shared {
		return fn(tx)
	}
	if err := tx.s.conn.Exec("SAVEPOINT job"); err != nil {
		return mapError(err)
	}
	err := fn(tx)
	if err == nil {
		return mapError(tx.s.conn.Exec("RELEASE job"))
	}
	if !tx.s.conn.GetAutocommit() {
		tx.s.conn.Exec("ROLLBACK TO job")
		tx.s.conn.Exec("RELEASE job")
	}
	return err
}

// View runs fn, which only reads, on a consistent state.
func (s *Store) View(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return fn(newTx(s))
}

// prepare returns the statement, compiled once per connection. A statement is
// reset when its rows have been read, so it cannot be used within itself.
func (tx *Tx) prepare(sql string, args []any) (*sqlite3.Stmt, error) {
	stmt := tx.s.stmts[sql]
	if stmt == nil {
		var err error
		stmt, _, err = tx.s.conn.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
		if err != nil {
			return nil, mapError(err)
		}
		tx.s.stmts[sql] = stmt
	}

	for i, arg := range args {
		var err error
		switch v := arg.(type) {
		case nil:
			err = stmt.BindNull(i + 1)
		case bool:
			err = stmt.BindBool(i+1, v)
		case int:
			err = stmt.BindInt(i+1, v)
		case int64:
			err = stmt.BindInt64(i+1, v)
		case string:
			err = stmt.BindText(i+1, v)
		case []byte:
			// SQLite tells no bytes from NULL, and columns of blobs are NOT NULL.
			if v == nil {
				v = []byte{}
			}
			err = stmt.BindBlob(i+1, v)
		case ID:
			err = stmt.BindBlob(i+1, v[:])
		case ContentID:
			err = stmt.BindBlob(i+1, v[:])
		case MemberID:
			err = stmt.BindBlob(i+1, v[:])
		case time.Time:
			err = stmt.BindInt64(i+1, toMicros(v))
		default:
			// A mistake of ours, which the first test finds.
			panic(fmt.Sprintf("store: cannot bind %T", arg))
		}
		if err != nil {
			return nil, mapError(err)
		}
	}

	return stmt, nil
}

func (tx *Tx) exec(sql string, args ...any) error {
	stmt, err := tx.prepare(sql, args)
	if err != nil {
		return err
	}
	err = mapError(stmt.Exec())
	stmt.ClearBindings()
	return err
}

// execOne is exec for a statement that must change one row.
func (tx *Tx) execOne(sql string, args ...any) error {
	if err := tx.exec(sql, args...); err != nil {
		return err
	}
	if tx.s.conn.Changes() == 0 {
		return ErrNotFound
	}
	return nil
}

// A Row is the row that a query stands on.
type Row struct{ *sqlite3.Stmt }

func (r Row) Int(col int) int64      { return r.ColumnInt64(col) }
func (r Row) Bool(col int) bool      { return r.ColumnBool(col) }
func (r Row) Text(col int) string    { return r.ColumnText(col) }
func (r Row) Time(col int) time.Time { return fromMicros(r.ColumnInt64(col)) }
func (r Row) ID(col int) (id ID)     { copy(id[:], r.ColumnRawBlob(col)); return id }
func (r Row) Content(col int) (c ContentID) {
	copy(c[:], r.ColumnRawBlob(col))
	return c
}
func (r Row) Member(col int) (m MemberID) {
	copy(m[:], r.ColumnRawBlob(col))
	return m
}
func (r Row) Tag(col int) (t Tag) { copy(t[:], r.ColumnRawBlob(col)); return t }

// Blob returns nil for NULL.
func (r Row) Blob(col int) []byte {
	if r.ColumnType(col) == sqlite3.NULL {
		return nil
	}
	return r.ColumnBlob(col, nil)
}

// collect runs a query to its end.
func collect[T any](tx *Tx, scan func(Row) T, sql string, args ...any) ([]T, error) {
	stmt, err := tx.prepare(sql, args)
	if err != nil {
		return nil, err
	}
	var rows []T
	for stmt.Step() {
		rows = append(rows, scan(Row{stmt}))
	}
	err = mapError(stmt.Err())
	stmt.Reset()
	stmt.ClearBindings()
	return rows, err
}

// one runs a query that returns one row; none is [ErrNotFound].
func one[T any](tx *Tx, scan func(Row) T, sql string, args ...any) (T, error) {
	rows, err := collect(tx, scan, sql, args...)
	if err == nil && len(rows) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return rows[0], nil
}

// number is one for a single integer, and none is 0.
func (tx *Tx) number(sql string, args ...any) (int64, error) {
	n, err := one(tx, func(r Row) int64 { return r.Int(0) }, sql, args...)
	if err == ErrNotFound {
		err = nil
	}
	return n, err
}

// Times are kept in microseconds since 1970; the zero time is 0.
func toMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
