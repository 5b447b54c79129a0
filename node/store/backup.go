package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"
	"github.com/gofrs/flock"
	"github.com/ncruces/go-sqlite3"

	"starling/node/api/safetext"
	"starling/node/config"
)

// A backup is a file in the age format (age-encryption.org/v1) with one scrypt
// recipient. Inside it is, big-endian:
//
//	  0  magic      8  "STARLBAK"
//	  8  version    1  2
//	  9  key file 314  opens with the passphrase that the profile had
//	323  size       8  of the rest, a multiple of 4,096
//	331  database      profile.db under the database key of that key file
//
// The database key is drawn for the backup, so that it opens no page of the
// profile itself; the row keys are the profile's. The database says of itself that it
// is a copy: after opening it a node begins new sessions (ADR 0007).
const (
	backupMagic   = "STARLBAK"
	backupVersion = 2
	backupHead    = 9 + keyFileSize + 8
	pageSize      = 4096

	// backupWork is scrypt's log N: 256 MiB, a second on slow cores. More is
	// refused of a file. A profile that is quick to open has quick backups.
	backupWork      = 18
	cheapBackupWork = 10

	// maxAgeHead is more than the header of a file with one scrypt recipient.
	maxAgeHead = 512

	// snapshotPages is how many pages are copied at a time, with everybody else
	// waiting.
	snapshotPages = 512
	restoredKey   = "restored"
)

// Errors of backups.
var (
	ErrNoBackup    = errors.New("not a whole backup of a profile")
	ErrNewerBackup = errors.New("the backup is of a newer version")
	ErrFileExists  = errors.New("there is a file already")
	ErrNoSecret    = errors.New("the passphrase is empty")
	ErrNotEmpty    = errors.New("the folder is not empty")
)

// Backup writes the profile as it is now to a new file, on disk when it
// returns. Others use the store meanwhile. If it fails there is no file.
func (s *Store) Backup(ctx context.Context, path, passphrase string) (err error) {
	if passphrase == "" {
		return ErrNoSecret
	}
	if _, err := os.Lstat(path); err == nil {
		return ErrFileExists
	}

	// One at a time: a snapshot takes as much disk as the profile.
	s.backupMu.Lock()
	defer s.backupMu.Unlock()
	work := backupWork
	if s.Cheap() {
		work = cheapBackupWork
	}

	// First, since it may fail for want of rights.
	f, note, err := s.beside(path)
	if err != nil {
		return mapError(err)
	}
	defer func() {
		f.Close()
		if os.Remove(f.Name()); !there(f.Name()) {
			os.Remove(note)
		}
	}()

	// A copy first: writers would wait for as long as scrypt and the target take.
	snapshot, keys, err := s.snapshot(ctx, func() (*os.File, error) { return begin(s.profile, "backup-*") })
	if errors.Is(err, ErrFull) || errors.Is(err, ErrUnusable) { // there may be room at the target
		snapshot, keys, err = s.snapshot(ctx, func() (*os.File, error) { return os.CreateTemp(filepath.Dir(path), besidePrefix+"*") })
	}
	if errors.Is(err, ErrUnusable) {
		err = errors.Join(err, tryFolder(filepath.Dir(path)))
	}
	if err != nil {
		return err
	}
	defer os.Remove(snapshot)

	recipient, err := age.NewScryptRecipient(safetext.Normal(passphrase))
	if err != nil {
		return err
	}

	// The file may lie anywhere for years: its passphrase is made more expensive to guess.
	recipient.SetWorkFactor(work)
	if err := writeBackup(ctx, f, recipient, snapshot, keys); err != nil {
		return mapError(err)
	}

	// On disk before it has its name: a file of that name is whole.
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return mapError(err)
	}

	// A link does not replace a file that has come there in the meantime.
	err = os.Link(f.Name(), path)
	switch {
	case errors.Is(err, fs.ErrExist):
		return ErrFileExists
	case err != nil: // a file system without links
		if _, err := os.Lstat(path); err == nil {
			return ErrFileExists
		}
		err = os.Rename(f.Name(), path)
	}
	syncFolder(filepath.Dir(path))
	return mapError(err)
}

// Cheap reports whether the profile costs less to open, and to guess, than others.
func (s *Store) Cheap() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return binary.BigEndian.Uint32(s.keys.header[13:]) < DefaultKDF.Memory
}

// snapshot copies the database of one moment to a new file, under a key of its own, and
// returns the key file for it. Nobody else has the key.
func (s *Store) snapshot(ctx context.Context, make func() (*os.File, error)) (path string, keys []byte, err error) {
	f, err := make()
	if err != nil {
		return "", nil, mapError(err)
	}
	f.Close()
	path = f.Name()
	defer func(path string) {
		os.Remove(path + "-journal")
		if err != nil {
			os.Remove(path)
		}
	}(path)

	var key [32]byte
	rand.Read(key[:])
	// The URI is kept in memory for as long as the copy is made.
	uri := databaseURI(path, "vfs", "adiantum", "hexkey", hex.EncodeToString(key[:]))

	k, err := s.copyPages(ctx, uri, key, nil)
	if err == nil {
		err = markCopy(uri)
	}
	if err != nil {
		return "", nil, err
	}

	// The key file of a profile knows the sum of its pages. The copy has a sum of its own.
	sums := newPages(&key)
	if err := sums.read(path); err != nil {
		return "", nil, mapError(err)
	}
	k.sum, k.former = sums.sum, [32]byte{}
	rand.Read(k.log[:])
	return path, k.marshal(), nil
}

// copyPages copies the database to another under a key, and returns the key file for
// it as it would be. If then is not nil it is called before anybody writes again.
func (s *Store) copyPages(ctx context.Context, uri string, key [32]byte, then func() error) (keys *keyFile, err error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	s.copying, err = s.conn.BackupInit("main", uri)
	s.mu.Unlock()
	for err == nil && keys == nil {
		if err = ctx.Err(); err == nil {
			keys, err = s.copySome(key, then)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return keys, mapError(errors.Join(err, s.endCopy()))
}

// copySome copies some pages, and returns the key file if these were the last.
// Pages that others write between two calls are copied again.
func (s *Store) copySome(key [32]byte, then func() error) (keys *keyFile, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.copying == nil {
		return nil, ErrClosed
	}
	done, err := s.copying.Step(snapshotPages)
	if done {
		k := *s.keys
		k.database, keys = key, &k
		if then != nil {
			err = then()
		}
	}
	return keys, err
}

// endCopy must come before the connection is closed.
func (s *Store) endCopy() error {
	err := s.copying.Close() // of nil too
	s.copying = nil
	return err
}

// markCopy lets a snapshot say that it is one.
func markCopy(uri string) error {
	conn, err := sqlite3.Open(uri)
	if err != nil {
		return mapError(err)
	}
	err = conn.Exec(`
		PRAGMA locking_mode = EXCLUSIVE;
		PRAGMA journal_mode = DELETE;
		PRAGMA journal_mode = OFF;
		INSERT INTO meta(key, value) VALUES('` + restoredKey + `', x'01') ON CONFLICT DO NOTHING;
		PRAGMA journal_mode = WAL`)
	return mapError(errors.Join(err, conn.Close()))
}

func writeBackup(ctx context.Context, to io.Writer, recipient age.Recipient, snapshot string, keys []byte) error {
	db, err := os.Open(snapshot)
	if err != nil {
		return err
	}
	defer db.Close()

	info, err := db.Stat()
	if err != nil {
		return err
	}

	w, err := age.Encrypt(to, recipient)
	if err != nil {
		return err
	}

	// The size in the head bounds the writes of unpack.
	head := append([]byte(backupMagic), backupVersion)
	head = append(head, keys...)
	head = binary.BigEndian.AppendUint64(head, uint64(info.Size()))
	if _, err := w.Write(head); err != nil {
		return err
	}
	if _, err := io.CopyN(w, reader{ctx, db}, info.Size()); err != nil {
		return err
	}

	return w.Close()
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

// Restore makes a profile from a backup: whole, or not at all. It opens with
// the passphrase that the profile had, and its first start begins new sessions.
// The folder must be empty or not there.
func Restore(ctx context.Context, p config.Profile, file, passphrase string) (err error) {
	// Looked at before it is opened: a pipe may open never.
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return ErrNoBackup
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()

	info, err := f.Stat()
	if err != nil {
		return err
	}

	// Locked before anything is read: a second restore into the folder fails at once.
	lock, err := emptyProfile(p)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, sweep(p))
			lock.Unlock()
			os.Remove(p.Lock())
			os.Remove(p.Dir) // if nothing else is in it
		}
	}()

	r, err := openBackup(f, passphrase, backupWork)
	if err != nil {
		return err
	}

	// Unpacked apart: half a restore is swept away at the next start.
	made := config.Profile{Dir: p.Unfinished()}
	if err := made.Make(); err != nil {
		return mapError(err)
	}
	if err := unpack(reader{ctx, r}, made, info.Size()); err != nil {
		return mapError(err)
	}

	// The key file last: with it the profile is there (sweep).
	err = os.Rename(made.Database(), p.Database())
	if err == nil {
		syncFolder(p.Dir)
		err = os.Rename(made.KeyFile(), p.KeyFile())
	}
	if err != nil {
		return mapError(err)
	}

	os.Remove(p.Unfinished())
	syncFolder(p.Dir)
	lock.Unlock()
	// The entry of the folder itself lies in its parent.
	syncFolder(filepath.Dir(p.Dir))
	return nil
}

// emptyProfile takes the lock of a profile that is not there yet.
func emptyProfile(p config.Profile) (*flock.Flock, error) {
	// A wipe or a restore that was cut short leaves files behind: they go first.
	if p.Exists() {
		if lock, err := acquire(p); err == nil {
			_, err = finishWipe(p)
			err = errors.Join(err, sweep(p))
			lock.Unlock()
			if err != nil {
				return nil, mapError(err)
			}
		}
	}

	if p.Exists() {
		return nil, ErrExists
	}

	if err := p.Make(); err != nil {
		return nil, mapError(err)
	}

	// Looked at under the lock, or another process could fill it in between.
	lock, err := acquire(p)
	if err != nil {
		return nil, err
	}

	err = sweep(p)
	inside, err1 := os.ReadDir(p.Dir)
	err = errors.Join(err, err1)
	for _, e := range inside {
		if e.Name() != filepath.Base(p.Lock()) && err == nil {
			err = ErrNotEmpty
		}
	}

	if err != nil {
		lock.Unlock()
		return nil, err
	}

	return lock, nil
}

// openBackup returns the content of a backup. Its cost is bounded before anything is
// done with it: the length of its header, and scrypt's log N.
func openBackup(f io.ReadSeeker, passphrase string, work int) (io.Reader, error) {
	head := make([]byte, maxAgeHead)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return nil, err
	}

	// The header ends with its MAC. One without an end would be read into memory whole.
	at := bytes.Index(head[:n], []byte("\n--- "))
	if at < 0 || !bytes.Contains(head[at+1:n], []byte("\n")) {
		return nil, ErrNoBackup
	}

	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	identity, err := age.NewScryptIdentity(safetext.Normal(passphrase))
	if err != nil {
		return nil, ErrNoSecret
	}

	// The file chooses its work factor: a hostile one would take hours and all memory.
	identity.SetMaxWorkFactor(work)

	r, err := age.Decrypt(f, identity)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, ErrWrongPassphrase
	}
	if err != nil {
		return nil, ErrNoBackup
	}
	return r, nil
}

// unpack writes the files of a backup of at most limit bytes.
func unpack(r io.Reader, p config.Profile, limit int64) error {
	head := make([]byte, backupHead)
	// A file of a later version may be shorter than our head: its version is looked at first.
	if n, err := io.ReadFull(r, head); err != nil && n < 9 {
		return damaged(err)
	} else if err != nil {
		clear(head[9:])
	}

	if string(head[:8]) == backupMagic && head[8] > backupVersion {
		return ErrNewerBackup
	}

	// Sizes are checked against the file before anything is written.
	keys := head[9 : 9+keyFileSize]
	size := binary.BigEndian.Uint64(head[9+keyFileSize:])
	sum := sha256.Sum256(keys[:keySumAt])
	if string(head[:8]) != backupMagic || head[8] != backupVersion || sum != [32]byte(keys[keySumAt:]) ||
		size == 0 || size%pageSize != 0 || size > uint64(limit) {
		return ErrNoBackup
	}

	f, err := os.OpenFile(p.Database(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyN(f, source{r}, int64(size)); err != nil {
		return err
	}

	// age tells of a cut end only when it is read to there.
	if _, err := io.ReadFull(r, make([]byte, 1)); err != io.EOF {
		return damaged(err)
	}

	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return config.WriteFile(p.KeyFile(), keys)
}

// source is a reader with the errors of a backup.
type source struct{ r io.Reader }

func (s source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if n > 0 || err == nil {
		return n, nil
	}
	return 0, damaged(err) // even the end: not all has come
}

func damaged(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return ErrNoBackup
}
