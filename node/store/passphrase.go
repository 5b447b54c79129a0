package store

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/url"
	"os"

	"starling/node/config"
)

// CheckPassphrase returns [ErrWrongPassphrase] unless this is the passphrase of
// the profile. It costs what opening does, whatever is given, and holds up
// nobody meanwhile.
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

// ChangePassphrase gives a closed profile another passphrase and other keys: who has
// an old key file and the old passphrase opens nothing that the profile has become.
//
// The row key is replaced, and the database copied under a key of its own. The copy
// lies beside the database until the key file that knows it is in its place; then it
// takes the database's ([takeCopy]), at once or when the profile is opened next.
func ChangePassphrase(p config.Profile, old, new string, kdf KDF) error {
	if err := kdf.check(); err != nil {
		return err
	}
	s, err := Open(p, old, Options{})
	if err != nil {
		return err
	}
	keys, err := s.underNewKeys(new, kdf)
	err = errors.Join(err, s.closeKeepingLock())
	defer s.lock.Unlock()
	if err == nil {
		err = config.WriteFile(p.KeyFile(), keys.marshal())
	}
	if err != nil {
		remove(p.NextDatabase())
		return mapError(err)
	}
	return mapError(takeCopy(p, keys))
}

// underNewKeys copies the database to its place beside it, and returns the key file
// for it.
func (s *Store) underNewKeys(passphrase string, kdf KDF) (*keyFile, error) {
	ctx := context.Background()
	if err := s.Rotate(ctx); err != nil {
		return nil, err
	}
	next, err := newKeyFile(passphrase, kdf)
	if err != nil {
		return nil, err
	}
	next.current = s.keys.current

	path := s.profile.NextDatabase()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	uri := url.URL{Scheme: "file", OmitHost: true, Path: uriPath(path),
		RawQuery: url.Values{"vfs": {"adiantum"}, "hexkey": {hex.EncodeToString(next.database[:])}}.Encode()}
	_, err = s.copyPages(ctx, uri.String(), next.database)
	err = errors.Join(err, remove(path+"-journal"), f.Sync())
	if err != nil {
		return nil, err
	}

	sums := newPages(&next.database)
	if err := sums.read(path); err != nil {
		return nil, err
	}
	next.sum = sums.sum
	return next, syncFolder(s.profile.Dir)
}

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
	return syncFolder(p.Dir)
}
