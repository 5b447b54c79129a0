package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"starling/node/config"
)

// A sealed row value is
//
//	 0  row key epoch  8
//	 8  nonce         24  random
//	32  ciphertext        XChaCha20-Poly1305 under that epoch's row key
//
// Its additional data is length(table) 1 ‖ table ‖ length(id) 1 ‖ id ‖
// version 8, so that no value passes for another row's or for an older one of
// its own: every write of a row counts its version up.
const sealOverhead = 8 + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

func additional(table string, id []byte, version int64) []byte {
	ad := append([]byte{byte(len(table))}, table...)
	ad = append(append(ad, byte(len(id))), id...)
	return binary.BigEndian.AppendUint64(ad, uint64(version))
}

// seal returns plain sealed for a place in the database.
func (tx *Tx) seal(table string, id []byte, version int64, plain []byte) []byte {
	return sealWith(&tx.s.keys.current, additional(table, id, version), plain)
}

func sealWith(k *rowKey, ad, plain []byte) []byte {
	aead, err := chacha20poly1305.NewX(k.key[:])
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	b := make([]byte, 0, len(plain)+sealOverhead)
	b = binary.BigEndian.AppendUint64(b, k.epoch)
	b = b[:8+chacha20poly1305.NonceSizeX]
	rand.Read(b[8:])
	return aead.Seal(b, b[8:], plain, ad)
}

var errRow = errors.New("a sealed row does not open")

// unseal opens a row sealed by seal for the same place.
func (tx *Tx) unseal(table string, id []byte, version int64, sealed []byte) ([]byte, error) {
	damaged := &DamagedError{"profile.db", errRow}
	if len(sealed) < sealOverhead {
		return nil, damaged
	}
	key, ok := tx.s.keys.rowKey(binary.BigEndian.Uint64(sealed))
	if !ok {
		return nil, damaged
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, sealed[8:32], sealed[32:], additional(table, id, version))
	if err != nil {
		return nil, damaged
	}
	return plain, nil
}

// Rotate replaces the row key and seals every live row under the new one.
// Older pages are unreadable afterwards.
//
// The key file first gets both keys, then the rows are sealed again in one transaction,
// then the old key is forgotten; [Open] finishes a rotation that a crash has cut short.
func (s *Store) Rotate(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	if !s.keys.rotating() {
		next := *s.keys
		next.previous = next.current
		next.current.epoch++
		rand.Read(next.current.key[:])
		if err := config.WriteFile(s.profile.KeyFile(), next.marshal()); err != nil {
			s.mu.Unlock()
			return mapError(err)
		}
		*s.keys = next
	}
	s.mu.Unlock()
	return s.finishRotation(ctx)
}

func (s *Store) finishRotation(ctx context.Context) error {
	if err := s.Update(ctx, func(tx *Tx) error { return tx.reseal() }); err != nil {
		return fmt.Errorf("seal rows again: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.checkpoint(); err != nil {
		return err
	}
	next := *s.keys
	next.previous = rowKey{}
	if err := config.WriteFile(s.profile.KeyFile(), next.marshal()); err != nil {
		return mapError(err)
	}
	*s.keys = next
	return nil
}

// sealedColumns lists every place that holds sealed values.
var sealedColumns = []struct{ table, id, column string }{
	{"meta", "key", "sealed"},
	{"contacts", "id", "session"},
	{"invites", "id", "secret"},
	{"cells", "tag", "box"},
	{"resets", "contact", "state"},
	{"secrets", "contact || part", "sealed"},
}

func (tx *Tx) reseal() error {
	type row struct {
		rowid, version int64
		id, sealed     []byte
	}

	for _, c := range sealedColumns {
		rows, err := collect(tx, func(r Row) row {
			return row{r.Int(0), r.Int(1), r.Blob(2), r.Blob(3)}
		}, fmt.Sprintf(`SELECT rowid, version, CAST(%s AS BLOB), %s FROM %s WHERE %s IS NOT NULL`,
			c.id, c.column, c.table, c.column))
		if err != nil {
			return err
		}

		update := fmt.Sprintf(`UPDATE %s SET %s = ? WHERE rowid = ?`, c.table, c.column)
		for _, r := range rows {
			// The version stays, since the content does: others compare it before they write.
			plain, err := tx.unseal(c.table, r.id, r.version, r.sealed)
			if err != nil {
				return err
			}
			sealed := tx.seal(c.table, r.id, r.version, plain)
			if err := tx.exec(update, sealed, r.rowid); err != nil {
				return err
			}
		}
	}

	return nil
}
