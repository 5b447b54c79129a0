package mailbox

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"
)

const (
	// DefaultMaxBoxes is the quota of a SQLite store: about 580 MB on disk.
	DefaultMaxBoxes = 1 << 18
	// DiskPerBox is how many bytes of the disk a box takes, with a tombstone for it and a
	// quarter of an entry.
	DiskPerBox = 2200
	// LeastFree bytes of the disk are left to deletions, which need room in the log
	// before they give any back, and to the rest of the machine.
	LeastFree = 32 << 20
)

const (
	maxBatch    = 256  // operations that share a commit
	expireChunk = 1024 // boxes removed in one operation, so that others get their turn
	maxID       = 1 << 28

	freeInterval = time.Second // how often to look
)

// SQLite is a Store in one file. When Put and Delete have returned, their effect
// survives the death of the process and of the machine: write-ahead log,
// synchronous=FULL. One goroutine owns the connection; operations that wait while it
// commits share the next commit, so many at a time cost little more than one.
type SQLite struct {
	db     *sqlite3.Conn
	ops    chan *operation
	counts atomic.Pointer[Counts] // after the last commit

	// Of the goroutine.
	quota    *quota // a row is an id less 1
	graves   int    // tombstones
	evicted  int64
	path     string
	minFree  uint64
	low      bool // less than minFree at lookedAt
	lookedAt time.Time
	stmt     statements
	shelf    *shelf
	byID     map[int64]*shelved // logs, and some that are gone
	logStmt  logStatements
	latest   int64 // expiry in hours, when the store was opened

	closing   chan struct{} // no more operations
	closed    chan struct{} // the goroutine has returned
	closeOnce sync.Once
	closeErr  error
}

// operation is one call on its way through the goroutine.
type operation struct {
	write bool
	do    func() error
	done  chan error
}

// statements are the prepared ones; their SQL is in prepare.
type statements struct {
	insert, find, remove, old    *sqlite3.Stmt
	bury, grave, oldest, decayed *sqlite3.Stmt
}

func (s *statements) all() []*sqlite3.Stmt {
	return []*sqlite3.Stmt{s.insert, s.find, s.remove, s.old, s.bury, s.grave, s.oldest, s.decayed}
}

// applicationID marks a database as a mailbox of ours ("StMb").
const applicationID = 0x53744d62

// migrations make a database and bring it from each version to the next, the first
// to firstVersion. A released one is never changed. (Version 1 was not released.)
//
// Times are stored in whole hours, rounded up: when exactly a box came is nobody's
// business.
var migrations = []string{`
CREATE TABLE box (
	id      INTEGER PRIMARY KEY, -- small: those of boxes that are gone are used again
	tag     BLOB    NOT NULL,
	expires INTEGER NOT NULL, -- unix time in hours
	asked   INTEGER NOT NULL, -- 1: a fetch had named the tag when the box came
	box     BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX box_tag ON box (tag);
CREATE INDEX box_expires ON box (expires, asked);
CREATE TABLE tombstone (
	tag     INTEGER PRIMARY KEY,
	box     INTEGER NOT NULL,
	expires INTEGER NOT NULL -- unix time in hours
) STRICT;
CREATE INDEX tombstone_expires ON tombstone (expires);
`, `
CREATE TABLE log (
	id       INTEGER PRIMARY KEY,
	name     BLOB    NOT NULL UNIQUE,
	instance INTEGER NOT NULL,
	last     INTEGER NOT NULL -- position that was given last
) STRICT;
CREATE TABLE entry (
	id       INTEGER PRIMARY KEY,
	log      INTEGER NOT NULL,
	lives    INTEGER NOT NULL, -- 0: it has expired, and is remembered
	position INTEGER NOT NULL,
	tag      BLOB    NOT NULL,
	sum      BLOB    NOT NULL, -- half of the SHA-256 of the box
	first    INTEGER NOT NULL, -- unix time in hours
	expires  INTEGER NOT NULL, -- likewise
	content  BLOB              -- signature and box
) STRICT;
CREATE UNIQUE INDEX entry_place ON entry (log, lives, position);
CREATE UNIQUE INDEX entry_leaf ON entry (log, lives, tag, sum);
CREATE INDEX entry_expires ON entry (lives, expires);
`}

const firstVersion = 2

// OpenSQLite opens the store in a file, or makes it. maxBoxes is the quota; zero is
// DefaultMaxBoxes; boxes above a quota that was lowered stay, and as many tombstones
// are kept as it says. The file is checked first, which takes about a second for a full
// store. The error is ErrDamaged when it is not a readable mailbox, and ErrNewer when a
// later program made it; that one is left as it is.
func OpenSQLite(path string, maxBoxes int) (*SQLite, error) {
	return OpenSQLiteOn("", path, maxBoxes)
}

// OpenSQLiteOn is OpenSQLite on a file system that SQLite knows by name, for
// tests; "" is the system's.
func OpenSQLiteOn(vfs, path string, maxBoxes int) (*SQLite, error) {
	if maxBoxes == 0 {
		maxBoxes = DefaultMaxBoxes
	}

	// SQLite would make it readable for others.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}

	db, err := sqlite3.OpenFlags(dataSource(path, vfs), sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, openError(path, err)
	}

	s := &SQLite{
		db:      db,
		quota:   newQuota(maxBoxes),
		shelf:   newShelf(maxBoxes / logShare),
		byID:    make(map[int64]*shelved),
		ops:     make(chan *operation, maxBatch),
		path:    path,
		minFree: LeastFree,
		closing: make(chan struct{}),
		closed:  make(chan struct{}),
	}

	if err := s.prepare(); err != nil {
		s.closeDB()
		return nil, openError(path, err)
	}

	// One goroutine has the connection, and commits many operations at once.
	go s.work()
	return s, nil
}

// dataSource names the file, and lets the log beside it have the same mode.
func dataSource(path, vfs string) string {
	escaped := strings.ReplaceAll(url.QueryEscape(filepath.ToSlash(path)), "+", "%20")
	if vfs != "" {
		vfs = "&vfs=" + vfs
	}
	return "file:" + escaped + "?modeof=" + escaped + vfs
}

func openError(path string, err error) error {
	switch err = mapError(err); {
	case errors.Is(err, ErrDamaged):
		return fmt.Errorf("%w: %s (move the file away to begin with an empty mailbox)", err, path)
	case errors.Is(err, ErrNewer):
		return fmt.Errorf("%w: %s", err, path)
	case errors.Is(err, sqlite3.BUSY):
		return fmt.Errorf("mailbox: %s is in use by another process", path)
	}
	return fmt.Errorf("mailbox: opening %s: %w", path, err)
}

// mapError turns SQLite's errors into those of this package.
func mapError(err error) error {
	switch {
	case errors.Is(err, sqlite3.FULL), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ErrFull
	case errors.Is(err, sqlite3.CORRUPT), errors.Is(err, sqlite3.NOTADB):
		return ErrDamaged
	}
	return err
}

func (s *SQLite) prepare() error {
	// One process, and no shared memory needed.
	if err := s.db.Exec("PRAGMA locking_mode = EXCLUSIVE"); err != nil {
		return err
	}
	version, app, err := s.version()
	if err != nil {
		return err
	}

	for _, p := range []string{
		"page_size = 8192", // five boxes a page
		"auto_vacuum = INCREMENTAL",
		"journal_mode = WAL",
		"synchronous = FULL",
		"secure_delete = FAST",
		"temp_store = MEMORY",
		"cache_size = -4096",            // KiB
		"journal_size_limit = 16777216", // bytes
	} {
		if err := s.db.Exec("PRAGMA " + p); err != nil {
			return err
		}
	}

	if app == 0 {
		version = firstVersion - 1 // an empty file is a new mailbox
	}
	for _, script := range migrations[version-firstVersion+1:] {
		version++
		err := s.db.Exec(fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA user_version = %d; PRAGMA application_id = %d; COMMIT",
			script, version, applicationID))
		if err != nil {
			return err
		}
	}

	if err := s.check(); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}

	for _, p := range []struct {
		stmt **sqlite3.Stmt
		sql  string
	}{
		{&s.stmt.insert, "REPLACE INTO box (id, tag, expires, asked, box) VALUES (?, ?, ?, ?, ?)"},
		{&s.stmt.find, "SELECT id, expires, box FROM box WHERE tag = ?"},
		{&s.stmt.remove, "DELETE FROM box WHERE tag = ? RETURNING id, expires, box"},
		{&s.stmt.old, "DELETE FROM box WHERE id IN (SELECT id FROM box WHERE expires <= ? LIMIT ?) RETURNING id"},
		{&s.stmt.bury, "REPLACE INTO tombstone (tag, box, expires) VALUES (?, ?, ?)"},
		{&s.stmt.grave, "SELECT box FROM tombstone WHERE tag = ?"},
		{&s.stmt.oldest, "DELETE FROM tombstone WHERE tag IN (SELECT tag FROM tombstone ORDER BY expires LIMIT ?)"},
		{&s.stmt.decayed, "DELETE FROM tombstone WHERE tag IN (SELECT tag FROM tombstone WHERE expires <= ? LIMIT ?)"},
	} {
		if *p.stmt, _, err = s.db.Prepare(p.sql); err != nil {
			return err
		}
	}
	return s.prepareLogs()
}

// version returns the version of the database, and its mark or 0 for an empty file.
// Nothing is changed before it is known: the file may be of a later program.
func (s *SQLite) version() (version, app int64, err error) {
	if version, err = s.number("PRAGMA user_version"); err != nil {
		return 0, 0, err
	}
	if app, err = s.number("PRAGMA application_id"); err != nil {
		return 0, 0, err
	}
	tables, err := s.number("SELECT count(*) FROM sqlite_schema")
	switch {
	case err != nil:
		return 0, 0, err
	case version == 0 && app == 0 && tables == 0:
		return 0, 0, nil
	case app != applicationID || version < firstVersion:
		return 0, 0, ErrDamaged // not ours
	case version >= firstVersion+int64(len(migrations)):
		return 0, 0, ErrNewer
	}
	return version, app, nil
}

// load learns which rows are in use, and drops tombstones above the quota.
func (s *SQLite) load() error {
	n, err := s.number("SELECT count(*) FROM tombstone")
	if err != nil {
		return err
	}

	// The quota may be smaller than at the last start.
	if over := n - int64(s.quota.max); over > 0 {
		err := s.db.Exec(fmt.Sprintf("DELETE FROM tombstone WHERE rowid IN (SELECT rowid FROM tombstone ORDER BY expires LIMIT %d)", over))
		if err != nil {
			return err
		}
		n -= over
	}
	s.graves = int(n)

	// The latest time that we have known: the clock may have been set back since.
	for _, table := range []string{"box", "tombstone"} {
		latest, err := s.number("SELECT coalesce(max(expires), 0) FROM " + table)
		if err != nil {
			return err
		}
		s.latest = max(s.latest, latest)
	}

	stmt, _, err := s.db.Prepare("SELECT id, asked FROM box") // from an index, without the boxes
	if err != nil {
		return err
	}
	defer stmt.Close()
	for stmt.Step() {
		id := stmt.ColumnInt64(0)
		// A row number is a place in memory: a damaged file could ask for all of it.
		if id < 1 || id > maxID {
			return ErrDamaged
		}
		s.quota.set(int(id-1), classOf(stmt.ColumnInt64(1) != 0))
	}

	s.quota.undo = nil // it is as long as the store
	if err := stmt.Err(); err != nil {
		return err
	}
	if err := s.loadLogs(); err != nil {
		return err
	}
	s.count()
	return nil
}

// count publishes the counts.
func (s *SQLite) count() {
	s.counts.Store(&Counts{
		Boxes: s.quota.len(), Asked: s.quota.count[asked], Acknowledged: s.graves, Evicted: s.evicted,
		Logs: len(s.shelf.list), Entries: s.shelf.live,
	})
}

// check reads the whole database once.
func (s *SQLite) check() error {
	stmt, _, err := s.db.Prepare("PRAGMA quick_check(1)")
	if err != nil {
		return err
	}
	defer stmt.Close()
	if stmt.Step() && stmt.ColumnText(0) != "ok" {
		return ErrDamaged
	}
	return stmt.Err()
}

func (s *SQLite) number(sql string) (int64, error) {
	stmt, _, err := s.db.Prepare(sql)
	if err != nil {
		return 0, err
	}
	defer stmt.Close()
	var n int64
	if stmt.Step() {
		n = stmt.ColumnInt64(0)
	}
	return n, stmt.Err()
}

// Resize sets the quota. Boxes and entries above it stay until they are acknowledged or expire.
func (s *SQLite) Resize(ctx context.Context, maxBoxes int) error {
	return s.submit(ctx, false, func() error {
		s.quota.resize(maxBoxes)
		s.shelf.max = maxBoxes / logShare
		return nil
	})
}

// Free returns how much room the disk has for the store, if that is known.
func (s *SQLite) Free() (bytes uint64, ok bool) { return freeBytes(s.path) }

// Close finishes the pending operations and closes the file. Operations after it return
// ErrClosed.
func (s *SQLite) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		<-s.closed
		s.closeErr = s.closeDB()
	})
	return s.closeErr
}

func (s *SQLite) closeDB() error {
	for _, q := range append(s.stmt.all(), s.logStmt.all()...) {
		q.Close() // repeats the error of its last step; nil does nothing
	}
	return s.db.Close()
}

// work owns the connection until Close.
func (s *SQLite) work() {
	defer close(s.closed)
	batch := make([]*operation, 0, maxBatch)
	for {
		batch = batch[:0]
		select {
		case op := <-s.ops:
			batch = append(batch, op)
		case <-s.closing:
			return
		}
	more:
		for len(batch) < maxBatch {
			select {
			case op := <-s.ops:
				batch = append(batch, op)
			default:
				break more
			}
		}
		s.run(batch)
	}
}

// run does a batch in one transaction. If that fails, each operation gets a transaction
// of its own, so that as few as possible fail.
func (s *SQLite) run(batch []*operation) {
	results := make([]error, len(batch))
	if err := s.transact(batch, results); err != nil {
		if errors.Is(err, ErrFull) {
			// Begin the log anew, so that a full disk still takes deletions.
			s.db.WALCheckpoint("main", sqlite3.CHECKPOINT_RESTART)
		}
		for i := range batch {
			if err := s.transact(batch[i:i+1], results[i:i+1]); err != nil {
				results[i] = err
			}
		}
	}
	for i, op := range batch {
		op.done <- results[i]
	}
}

// transact does operations and commits. The result of each operation goes to results;
// an error of SQLite rolls everything back and is returned.
func (s *SQLite) transact(batch []*operation, results []error) (err error) {
	// The counts in memory go with the transaction.
	graves, evicted := s.graves, s.evicted
	defer func() {
		if err == nil {
			s.quota.commit()
			s.shelf.commit()
			s.count()
			return
		}
		s.quota.rollback()
		s.shelf.rollback()
		s.graves, s.evicted = graves, evicted
		if !s.db.GetAutocommit() {
			err = errors.Join(err, s.db.Exec("ROLLBACK"))
		}
	}()

	// A read that becomes a write half-way could fail, and take the whole batch with it.
	begin := "BEGIN"
	for _, op := range batch {
		if op.write {
			begin = "BEGIN IMMEDIATE"
		}
	}
	if err := s.db.Exec(begin); err != nil {
		return mapError(err)
	}

	for i, op := range batch {
		// These are answers, and no faults of the database: the others of the batch go on.
		switch err := op.do(); {
		case err == nil, errors.Is(err, ErrTaken), err == ErrFull, errors.Is(err, ErrAcknowledged):
			results[i] = err
		default:
			return mapError(err)
		}
	}

	return mapError(s.db.Exec("COMMIT"))
}

// submit runs do in the goroutine and waits for the commit. When ctx ends first the
// outcome is open.
func (s *SQLite) submit(ctx context.Context, write bool, do func() error) error {
	op := &operation{write: write, do: do, done: make(chan error, 1)}

	// Asked first by itself: below, with room in ops, either branch could be drawn.
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}

	select {
	case s.ops <- op:
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}

	select {
	case err := <-op.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	// It may have been committed just before the end.
	case <-s.closed:
		select {
		case err := <-op.done:
			return err
		default:
			return ErrClosed
		}
	}
}
