package directory

import (
	"crypto/sha256"
	"encoding/binary"
)

// Under returns the entries of the relays with node ids that begin with a byte, and
// their digest, which is made as Snapshot.Digest is.
func (d *Directory) Under(first byte) (entries []Entry, digest [32]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	var ids []byte
	for _, e := range d.order {
		if e.ID[0] != first || e.dead || !e.Expires.After(now) {
			continue
		}
		entries = append(entries, Entry{knownSince(e.reached, now), e.raw})
		ids = append(ids, e.ID[:]...)
		ids = binary.BigEndian.AppendUint64(ids, e.Sequence)
	}
	return entries, sha256.Sum256(ids)
}
