package store

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"starling/node/config"
)

// A marker tells a profile from a copy of it that was put back while its sessions went
// on (ADR 0007). The database counts the commits that moved a session, and the same
// number stands in a small file outside the profile's folder:
//
//	Options.Markers/profile id as 32 hex digits
//
//	version  1  1
//	lineage 16  random
//	count    8  big-endian
//
// The database is written first and the file is not waited for, so after a
// crash the file is behind. A file that is ahead, of another lineage, or not
// there means that this database is a copy. It then gets a lineage of its own,
// and the one that it was copied from, if it is on this machine, finds that out
// in turn.
//
// The row in the database is
//
//	profile id 16 ‖ lineage 16 ‖ count 8 ‖ before 1 (1 none, 2 a marker), then: lineage 16 ‖ count 8
//
// Before is the former content of the file when the lineage was drawn. It counts as right
// too until the file has been written, which a crash may have prevented.
type marker struct {
	lineage [16]byte
	count   uint64
}

const (
	markerVersion = 1
	markerSize    = 1 + 16 + 8
	markerKey     = "marker"
)

const (
	beforeNothing = 0 // only the marker itself is right
	beforeMissing = 1 // and so is a missing file
	beforeOther   = 2 // and so is another marker
)

// markerRow is the row in the database.
type markerRow struct {
	profile [16]byte
	marker
	before uint8
	other  marker
}

// markerFile is the file.
type markerFile struct {
	path  string
	file  *os.File
	found marker // the marker at the start
	there bool
	err   error // why it could not be written
}

func (m *marker) append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(append(b, m.lineage[:]...), m.count)
}

func parseMarker(b []byte) (m marker) {
	copy(m.lineage[:], b)
	m.count = binary.BigEndian.Uint64(b[16:])
	return m
}

func (r *markerRow) marshal() []byte {
	b := r.append(append([]byte(nil), r.profile[:]...))
	b = append(b, r.before)
	if r.before == beforeOther {
		b = r.other.append(b)
	}
	return b
}

func parseMarkerRow(b []byte) (*markerRow, bool) {
	const fixed = 16 + 24 + 1
	if len(b) < fixed {
		return nil, false
	}
	r := &markerRow{profile: [16]byte(b), marker: parseMarker(b[16:]), before: b[40]}
	switch {
	case r.before <= beforeMissing && len(b) == fixed:
		return r, true
	case r.before == beforeOther && len(b) == fixed+24:
		r.other = parseMarker(b[fixed:])
		return r, true
	}
	return nil, false
}

// right reports whether a database with this row is the one that wrote the
// file.
func (r *markerRow) right(f *markerFile) bool {
	if !f.there {
		return r.before == beforeMissing
	}
	return f.found.lineage == r.lineage && f.found.count <= r.count ||
		r.before == beforeOther && f.found == r.other
}

// openMarker compares the database with the file.
func (s *Store) openMarker(dir string) error {
	tx := newTx(s)
	raw, err := one(tx, func(r Row) []byte { return r.Blob(0) }, `SELECT value FROM meta WHERE key = ?`, markerKey)
	switch {
	case err == ErrNotFound:
		// A new profile, or one of before there were markers.
		s.marker = &markerRow{before: beforeMissing}
		rand.Read(s.marker.profile[:])
		rand.Read(s.marker.lineage[:])
		if err := tx.setMarker(s.marker); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		ok := false
		if s.marker, ok = parseMarkerRow(raw); !ok {
			return &DamagedError{"profile.db", errors.New("its marker cannot be read")}
		}
	}

	f := &s.markerFile
	// Outside the profile: a copy of the folder that is put back does not take the file with it.
	f.path = filepath.Join(dir, hex.EncodeToString(s.marker.profile[:]))
	b, err := os.ReadFile(f.path)
	if err == nil && len(b) > 0 && b[0] > markerVersion {
		err = ErrNewer
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.err = err // not a reason to give up every session
		return nil
	}

	if len(b) == markerSize && b[0] == markerVersion {
		f.found, f.there = parseMarker(b[1:]), true
	}

	// Nothing is written for a copy: its marker tells the next start, too.
	if s.restored = s.restored || !s.marker.right(f); !s.restored {
		f.create(&s.marker.marker)
	}

	return nil
}

func (f *markerFile) bytes(m *marker) []byte { return m.append([]byte{markerVersion}) }

// create writes the file anew and waits for the disk.
func (f *markerFile) create(m *marker) {
	f.close()
	if f.err = os.MkdirAll(filepath.Dir(f.path), 0o700); f.err != nil {
		return
	}
	if f.err = config.WriteFile(f.path, f.bytes(m)); f.err != nil {
		return
	}
	f.file, f.err = os.OpenFile(f.path, os.O_WRONLY, 0)
}

// advance writes the file over, in place: it is less than a sector.
func (f *markerFile) advance(m *marker) {
	if f.file != nil {
		_, f.err = f.file.WriteAt(f.bytes(m), 0)
	}
}

func (f *markerFile) close() {
	if f.file != nil {
		f.file.Sync()
		f.file.Close()
		f.file = nil
	}
}

func (tx *Tx) setMarker(r *markerRow) error {
	return tx.exec(`INSERT INTO meta(key, value) VALUES(?, ?)
		ON CONFLICT(key) DO UPDATE SET value = excluded.value`, markerKey, r.marshal())
}

// nextMarker writes the marker of a commit that moves sessions, and returns
// it; nil if there is none to write.
func (tx *Tx) nextMarker() (*markerRow, error) {
	if tx.lineage {
		if err := tx.exec(`DELETE FROM meta WHERE key = ?`, restoredKey); err != nil {
			return nil, err
		}
	}
	now := tx.s.marker
	if now == nil || !tx.moved && !tx.lineage || tx.s.restored && !tx.lineage {
		return nil, nil
	}
	next := *now
	next.count++
	if f := &tx.s.markerFile; tx.lineage {
		rand.Read(next.lineage[:])
		next.count, next.before, next.other = 0, beforeMissing, marker{}
		if f.there {
			next.before, next.other = beforeOther, f.found
		}
	} else if f.file != nil {
		next.before, next.other = beforeNothing, marker{}
	}
	return &next, tx.setMarker(&next)
}

// committed follows a commit with the file.
func (s *Store) committed(next *markerRow) {
	if next == nil {
		return
	}
	drawn := next.lineage != s.marker.lineage
	s.marker = next
	if !drawn {
		s.markerFile.advance(&next.marker)
		return
	}
	s.restored = false
	s.markerFile.create(&next.marker)
}

// Restored reports whether the profile is a copy that was put back, came out of
// a backup, or came from another machine: no session in it may be used again. The transaction
// that gives them up calls [Tx.NewLineage].
func (s *Store) Restored() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restored
}

// MarkerError returns why the marker cannot be written, nil if it can: copies
// of the profile that are put back may then go unnoticed.
func (s *Store) MarkerError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.markerFile.err
}

// isCopy reports whether the database came out of a backup and no session of
// it has been given up yet.
func (s *Store) isCopy() (bool, error) {
	n, err := newTx(s).number(`SELECT EXISTS(SELECT 1 FROM meta WHERE key = ?)`, restoredKey)
	return n != 0, err
}

// NewLineage tells this database from the one that it was copied from.
func (tx *Tx) NewLineage() { tx.lineage = true }
