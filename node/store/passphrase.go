package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"

	"starling/node/config"
)

// CheckPassphrase returns [ErrWrongPassphrase] unless this is the passphrase of the
// profile. It costs as much as opening, with any passphrase, and holds up nobody
// meanwhile.
func (s *Store) CheckPassphrase(passphrase string) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	header, wrap := s.keys.header, bytes.Clone(s.keys.wrap)
	s.mu.Unlock()
	defer clear(wrap)
	kdf := KDF{binary.BigEndian.Uint32(header[9:]), binary.BigEndian.Uint32(header[13:]), header[17]}
	if subtle.ConstantTimeCompare(kdf.derive(passphrase, header[18:]), wrap) != 1 {
		return ErrWrongPassphrase
	}
	return nil
}

// ChangePassphrase gives a closed profile another passphrase and other keys: a thief
// with an old key file and the old passphrase opens nothing of the profile from then
// on. The zero KDF is [DefaultKDF].
func ChangePassphrase(p config.Profile, old, new string, kdf KDF) error {
	kdf = cmp.Or(kdf, DefaultKDF)
	if err := kdf.check(); err != nil {
		return err
	}
	s, err := Open(p, old, Options{})
	if err != nil {
		return err
	}
	return errors.Join(s.renewKeys(context.Background(), new, kdf), s.Close())
}

// ChangePassphrase does the same for a profile that is used meanwhile: rows written
// while the database is copied are in the copy, too. An error after which [Store.Lost]
// is closed means that the profile is whole on disk, and has to be opened again.
func (s *Store) ChangePassphrase(ctx context.Context, old, new string, kdf KDF) error {
	kdf = cmp.Or(kdf, DefaultKDF)
	if err := kdf.check(); err != nil {
		return err
	}
	if err := s.CheckPassphrase(old); err != nil {
		return err
	}
	return s.renewKeys(ctx, new, kdf)
}

// renewKeys replaces the row key, and copies the database under a key of its own. The
// copy lies beside the database until the key file that knows it is in its place; then it
// takes the database's ([takeCopy]), at once or when the profile is opened next.
func (s *Store) renewKeys(ctx context.Context, passphrase string, kdf KDF) (err error) {
	s.backupMu.Lock()
	defer s.backupMu.Unlock()
	next, err := newKeyFile(passphrase, kdf)
	if err != nil {
		return err
	}

	// The old row key is in the old key file, which somebody with the old passphrase may have copied.
	if err := s.Rotate(ctx); err != nil {
		return err
	}

	path := s.profile.NextDatabase()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return mapError(err)
	}
	defer f.Close()
	uri := databaseURI(path, "vfs", "adiantum", "hexkey", hex.EncodeToString(next.database[:]))

	taken := false
	_, err = s.copyPages(ctx, uri, next.database, func() (err error) {
		taken, err = s.moveTo(f, next)
		return err
	})

	// A copy that was taken is the database now.
	if !taken {
		err = errors.Join(err, remove(path), remove(path+"-journal"))
	}
	return mapError(err)
}

// moveTo closes the database, and opens its copy in its place. It reports whether the
// copy was taken: the profile has the new keys then. The caller holds the store, and
// nothing was written since the copy was made.
func (s *Store) moveTo(f *os.File, next *keyFile) (taken bool, err error) {
	// All of the copy is on disk before the key file names it.
	sums := newPages(&next.database)
	err = errors.Join(s.endCopy(), remove(f.Name()+"-journal"), f.Sync())
	if err == nil {
		err = sums.read(f.Name())
	}
	if err == nil {
		syncFolder(s.profile.Dir)
		err = s.checkpoint() // the last that writes the old key file
	}
	if err != nil {
		return false, err
	}

	// From here on nobody can use the store until it is open again, with old keys or new.
	next.sum, next.current = sums.sum, s.keys.current
	if err := s.closeDB(); err != nil {
		s.lose()
		return false, err
	}

	// This is the moment: before it the profile opens with the old passphrase, after it with the new.
	if err = config.WriteFile(s.profile.KeyFile(), next.marshal()); err == nil {
		taken, s.keys = true, next
		err = takeCopy(s.profile, next)
	}

	// Whichever key file is in its place, its database is opened.
	if e := s.reopen(); err == nil && e == nil {
		return taken, nil
	} else if e != nil {
		s.lose()
		err = errors.Join(err, e)
	}
	return taken, err
}

// reopen opens the database again after closeDB.
func (s *Store) reopen() (err error) {
	if s.fresh, err = newFresh(s.keys, s.opt); err != nil {
		return err
	}
	if err := s.compare(); err != nil {
		s.fresh.close()
		return err
	}
	s.fresh.commit = s.commitPages
	return s.open(s.opt)
}

// lose gives the store up after its database was closed and cannot be opened again.
func (s *Store) lose() {
	s.closed = true
	s.markerFile.close()
	s.lock.Unlock()
	close(s.lost)
}

// Lost is closed when the store is of no use any more though nobody has closed it.
func (s *Store) Lost() <-chan struct{} { return s.lost }

// takeCopy puts the copy that a change of the passphrase has made in the database's
// place, if it is the one that the key file knows. If it is not the key file was never
// replaced, and the copy goes.
func takeCopy(p config.Profile, keys *keyFile) error {
	path := p.NextDatabase()
	if !there(path) {
		return nil
	}
	sums := newPages(&keys.database)
	if err := sums.read(path); err != nil && !errors.Is(err, errStale) {
		return err
	} else if err != nil || sums.sum != keys.sum {
		return errors.Join(remove(path), remove(path+"-journal"))
	}

	// The log is the old database's, and of no use to the new one.
	if err := remove(p.Database() + "-wal"); err != nil {
		return err
	}
	if err := os.Rename(path, p.Database()); err != nil {
		return err
	}
	syncFolder(p.Dir)
	return nil
}
