// Package store keeps one person's messenger on disk, encrypted.
//
// # Keys
//
//	passphrase ──Argon2id──► HKDF ──► wrapping key ──opens──► key file
//	key file = {database key, row keys}
//	database key ──Adiantum──► every page of profile.db and its log
//	row key e ──XChaCha20-Poly1305──► session states, invites, cells, guards
//
// The whole database is encrypted, so names, counts and times are hidden; its
// cipher is deterministic and knows no forgery: a page that was changed, or put
// back as it was, is refused by the sum in the key file (fresh.go). Rows that hold key
// material are therefore sealed again, under a row key that [Store.Rotate] replaces.
// The former contents of a row are then unreadable, even in an old page or a flash
// block that survived, unless the thief has kept the old key file and knows the
// passphrase. The key file's layout is in keyfile.go, that of a sealed row in seal.go.
//
// # Transactions
//
// Everything happens in [Store.Update] and [Store.View]. An Update is on disk
// (synchronous=FULL) when it returns; callers that come at the same time share
// one commit. A failing Update leaves nothing behind. Changes of interest to readers
// append to the event log in the same transaction, and [Store.Changed] wakes those that
// wait.
//
// A commit that moves a session also moves the marker, which tells this
// database from a copy of it that is put back (marker.go).
//
// Messages can be searched: the index of words is in the same database (search.go). A
// profile can be backed up while it is used (backup.go), and be destroyed (wipe.go).
//
// A deleted row is overwritten (secure_delete) and leaves the write-ahead log
// at the next [Store.Checkpoint].
package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/gofrs/flock"
	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/vfs/adiantum" // registers the encrypting file system

	"starling/node/config"
)

// Errors that callers tell apart.
var (
	ErrNoProfile       = errors.New("no profile in this folder")
	ErrExists          = errors.New("the folder holds a profile already")
	ErrWrongPassphrase = errors.New("wrong passphrase")
	ErrInUse           = errors.New("the profile is in use by another process")
	ErrFull            = errors.New("no space left on disk")
	ErrUnusable        = errors.New("the profile's files cannot be read or written")
	ErrClosed          = errors.New("store is closed")
	ErrNotFound        = errors.New("no such row")
)

// A DamagedError names the file of the profile that cannot be read.
type DamagedError struct {
	File string // base name
	Err  error
}

func (e *DamagedError) Error() string { return e.File + " is damaged: " + e.Err.Error() }
func (e *DamagedError) Unwrap() error { return e.Err }

// Options say how a profile is opened. All but Markers are for tests and tools.
type Options struct {
	// KDF is the cost of opening a new key file; zero means [DefaultKDF].
	KDF KDF
	// Markers is the folder outside the profile for the mark that tells it from copies
	// of it (config.Markers); "" leaves that out.
	Markers string
	// VFS names a registered SQLite file system below the encryption; "" means
	// the system's.
	VFS string
	// NoSync does not wait for the disk: a crash of the process loses nothing,
	// one of the machine does.
	NoSync bool
}

// A Store is an open profile. It is safe for concurrent use.
type Store struct {
	profile config.Profile
	lock    *flock.Flock
	opt     Options
	lost    chan struct{} // closed when it is of no use any more

	queueMu sync.Mutex
	queue   []*job

	mu             sync.Mutex // guards the fields below
	conn           *sqlite3.Conn
	fresh          *freshVFS
	stmts          map[string]*sqlite3.Stmt
	keys           *keyFile
	closed         bool
	dirty          bool   // the log holds pages since the last checkpoint
	sync, noteSync string // PRAGMA synchronous, for Note too

	marker     *markerRow // nil: not kept
	markerFile markerFile
	restored   bool

	copying  *sqlite3.Backup // under way, guarded by mu
	backupMu sync.Mutex      // one at a time

	changedMu sync.Mutex
	changed   chan struct{}
}

// Create makes a profile for an owner and leaves it closed.
func Create(p config.Profile, passphrase, owner string, opt Options) (err error) {
	if err := p.Make(); err != nil {
		return mapError(err)
	}

	lock, err := acquire(p)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	// What an interrupted wipe or restore has left would look like a profile.
	if _, err := finishWipe(p); err != nil {
		return mapError(err)
	}
	if err := sweep(p); err != nil {
		return mapError(err)
	}

	if p.Exists() {
		return ErrExists
	}

	kdf := opt.KDF
	if kdf == (KDF{}) {
		kdf = DefaultKDF
	}
	keys, err := newKeyFile(passphrase, kdf)
	if err != nil {
		return err
	}

	defer func() {
		if err != nil {
			removeFiles(p)
		}
	}()

	// The database first: a key file alone would look like a lost database.
	f, err := os.OpenFile(p.Database(), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return mapError(err)
	}
	f.Close()

	s := &Store{profile: p, keys: keys, changed: make(chan struct{})}
	if s.fresh, err = newFresh(keys, opt); err != nil {
		return err
	}

	// Only now are there a journal and pages without a sum.
	s.fresh.making = true
	if err := s.open(opt); err != nil {
		return err
	}

	// The first transaction; then all of it is in the one file with a sum.
	err = s.Update(context.Background(), func(tx *Tx) error { return tx.SetOwner(owner) })
	if err = errors.Join(err, s.checkpoint(), s.closeDB()); err != nil {
		return err
	}
	keys.sum = s.fresh.sum
	return mapError(config.WriteFile(p.KeyFile(), keys.marshal()))
}

func removeFiles(p config.Profile) {
	for _, name := range []string{p.KeyFile(), p.Database(), p.Database() + "-wal", p.Database() + "-shm"} {
		os.Remove(name)
	}
}

// Open opens a profile. It takes the profile's lock until Close, and the time and
// memory of the key file's derivation.
func Open(p config.Profile, passphrase string, opt Options) (_ *Store, err error) {
	if !p.Exists() && len(unfinished(p)) == 0 {
		return nil, ErrNoProfile
	}
	lock, err := acquire(p)
	if err != nil {
		return nil, err
	}

	defer func() {
		if errors.Is(err, ErrUnusable) {
			err = errors.Join(err, tryFolder(p.Dir))
		}
		if err != nil {
			lock.Unlock()
		}
	}()

	// A wipe that a crash cut short is finished before anything is read.
	wiped, err := finishWipe(p)
	if wiped {
		return nil, errors.Join(ErrNoProfile, mapError(err))
	}
	if err := sweep(p); err != nil {
		return nil, mapError(err)
	}

	if !p.Exists() {
		return nil, ErrNoProfile // the files were half of a restore
	}

	keys, err := readKeyFile(p.KeyFile(), passphrase)
	if err != nil {
		return nil, err
	}

	// A change of the passphrase that was cut short: the copy beside the database is the one that
	// these keys open.
	if err := takeCopy(p, keys); err != nil {
		return nil, mapError(err)
	}

	// SQLite would make an empty one into a new database, and the profile would be lost.
	info, err := os.Stat(p.Database())
	if err == nil && info.Size() == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, &DamagedError{"profile.db", err}
	}

	if err := mendLog(p); err != nil {
		return nil, err
	}

	s := &Store{profile: p, lock: lock, opt: opt, keys: keys, changed: make(chan struct{}), lost: make(chan struct{})}
	// The crash came between key file and pages: the log has the pages.
	if former(p, keys) {
		if err := finishCheckpoint(p, keys, opt); err != nil {
			return nil, err
		}
	}

	if s.fresh, err = newFresh(keys, opt); err != nil {
		return nil, err
	}

	// Before SQLite reads it: a file that was changed or put back is not parsed.
	if err := s.compare(); err != nil {
		s.fresh.close()
		return nil, err
	}

	s.fresh.commit = s.commitPages
	if err := s.open(opt); err != nil {
		return nil, err
	}

	if keys.rotating() { // the last rotation was cut short
		if err := s.finishRotation(context.Background()); err != nil {
			s.closeDB()
			return nil, err
		}
	}

	// Two signs of a copy: a mark that backups carry, and the marker outside the profile.
	if s.restored, err = s.isCopy(); err != nil {
		s.closeDB()
		return nil, err
	}
	if opt.Markers != "" {
		if err := s.openMarker(opt.Markers); err != nil {
			s.markerFile.close()
			s.closeDB()
			return nil, mapError(err)
		}
	}

	return s, nil
}

// compare takes the sums of the database, which must be those in the key file.
func (s *Store) compare() error {
	err := s.fresh.read(s.profile.Database())
	if err == nil && s.fresh.sum != s.keys.sum {
		err = errStale
	}
	if errors.Is(err, errStale) {
		err = &DamagedError{"profile.db", err}
	}
	return mapError(err)
}

// commitPages writes the key file of a checkpoint that is under way.
func (s *Store) commitPages(sum, next [32]byte) error {
	k := *s.keys
	k.sum, k.log, k.former = sum, next, s.fresh.logKey
	if err := config.WriteFile(s.profile.KeyFile(), k.marshal()); err != nil {
		return err
	}
	*s.keys = k
	return nil
}

// finishCheckpoint does a checkpoint again that was cut short. [Store.compare]
// then tells whether it was one.
func finishCheckpoint(p config.Profile, keys *keyFile, opt Options) (err error) {
	s := &Store{profile: p, keys: keys}
	if s.fresh, err = newFresh(keys, opt); err != nil {
		return err
	}
	s.fresh.direct, s.fresh.logKey = true, keys.former
	if err := s.connect(opt); err != nil {
		return err
	}
	s.dirty = true
	return errors.Join(s.checkpoint(), s.closeDB())
}

// mendLog drops the last block of the write-ahead log if its write was cut
// short: nobody was told that it is there, and the cipher cannot read a part
// of a block.
func mendLog(p config.Profile) error {
	const block = 4096
	log := p.Database() + "-wal"
	info, err := os.Stat(log)
	if err != nil || info.Size()%block == 0 {
		return nil
	}
	return mapError(os.Truncate(log, info.Size()/block*block))
}

// tryFolder returns the system's word on writing in a folder: SQLite says less.
func tryFolder(dir string) error {
	f, err := os.CreateTemp(dir, ".profile.try-*")
	if err != nil {
		return mapError(err)
	}
	_, err = f.Write(make([]byte, 16*pageSize))
	return mapError(errors.Join(err, f.Close(), os.Remove(f.Name())))
}

func acquire(p config.Profile) (*flock.Flock, error) {
	lock := flock.New(p.Lock())
	ok, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, mapError(err)
	case !ok:
		return nil, ErrInUse
	}
	return lock, nil
}

// pragmas set up a connection after its key. Exclusive locking keeps the
// log's index in memory instead of in a third file. The log is folded into the
// database when it reaches maxLog, and by Checkpoint before that.
const pragmas = `
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA secure_delete = ON;
PRAGMA temp_store = MEMORY;
PRAGMA foreign_keys = ON;
PRAGMA cache_size = -8192;
PRAGMA wal_autocheckpoint = 0;
PRAGMA trusted_schema = OFF;
`

// maxLog is how long the log gets before it is folded into the database.
const maxLog = 4 << 20

// open makes the connection, with the settings that every transaction relies on.
func (s *Store) open(opt Options) (err error) {
	if err := s.connect(opt); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.closeDB()
		}
	}()
	if err := openSearch(s.conn); err != nil {
		return mapError(err)
	}
	if err := s.prepareSchema(); err != nil {
		return err
	}
	return s.renewSearch()
}

// databaseURI names a database as SQLite wants it, with parameters and their values.
// It knows no "+" for a blank, as forms of the web do.
func databaseURI(path string, parameters ...string) string {
	uri := url.URL{Scheme: "file", OmitHost: true, Path: uriPath(path)}
	for i := 0; i < len(parameters); i += 2 {
		if i > 0 {
			uri.RawQuery += "&"
		}
		value := strings.ReplaceAll(url.QueryEscape(parameters[i+1]), "+", "%20")
		uri.RawQuery += parameters[i] + "=" + value
	}
	return uri.String()
}

// connect opens the database with its key. If it fails nothing stays open.
func (s *Store) connect(opt Options) (err error) {
	path := s.profile.Database()
	conn, err := sqlite3.Open(databaseURI(path, "vfs", s.fresh.name, "modeof", path))
	if err != nil {
		s.fresh.close()
		return mapError(err)
	}
	s.conn, s.stmts = conn, make(map[string]*sqlite3.Stmt)
	defer func() {
		if err != nil {
			s.closeDB()
		}
	}()
	// As a statement and not in the URI, which is kept for everyone to see.
	if err := conn.Exec("PRAGMA hexkey = '" + hex.EncodeToString(s.keys.database[:]) + "'"); err != nil {
		return fmt.Errorf("set database key: %w", mapError(err))
	}
	s.sync, s.noteSync = "FULL", "NORMAL"
	return mapError(conn.Exec(pragmas + "PRAGMA synchronous = " + s.sync))
}

// Changed returns a channel that is closed at the next commit that appends an
// event.
func (s *Store) Changed() <-chan struct{} {
	s.changedMu.Lock()
	defer s.changedMu.Unlock()
	return s.changed
}

func (s *Store) notify() {
	s.changedMu.Lock()
	defer s.changedMu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Checkpoint folds the log into the database and empties it, so that deleted
// rows are gone from disk. It does nothing when nothing was written.
func (s *Store) Checkpoint() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return s.checkpoint()
}

func (s *Store) checkpoint() error {
	if !s.dirty {
		return nil
	}
	if _, _, err := s.conn.WALCheckpoint("main", sqlite3.CHECKPOINT_TRUNCATE); err != nil {
		return mapError(err)
	}
	s.dirty = false
	return nil
}

// Close empties the log and gives up the lock. Transactions that come later
// fail with [ErrClosed].
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return nil
	}
	return errors.Join(s.closeKeepingLock(), s.lock.Unlock())
}

func (s *Store) closeKeepingLock() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.checkpoint()
	s.markerFile.close()
	return errors.Join(err, s.closeDB())
}

func (s *Store) closeDB() error {
	s.endCopy()
	for _, stmt := range s.stmts {
		stmt.Close()
	}
	s.stmts = nil
	err := mapError(s.conn.Close())
	s.fresh.close()
	return err
}

// mapError turns errors of SQLite and the system into this package's errors.
func mapError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlite3.FULL), isFull(err):
		return fmt.Errorf("%w (%w)", ErrFull, err)
	case errors.Is(err, sqlite3.CORRUPT), errors.Is(err, sqlite3.NOTADB):
		return &DamagedError{"profile.db", err}
	case errors.Is(err, sqlite3.BUSY):
		return fmt.Errorf("%w (%w)", ErrInUse, err)
	case errors.Is(err, sqlite3.READONLY), errors.Is(err, sqlite3.CANTOPEN), errors.Is(err, sqlite3.IOERR), errors.Is(err, sqlite3.PERM):
		return fmt.Errorf("%w (%w)", ErrUnusable, err)
	}
	return err
}
