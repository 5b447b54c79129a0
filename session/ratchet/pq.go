package ratchet

import "starling/session/internal/kdf"

// pqSize is the width of the post-quantum ratchet's message in the header.
const pqSize = 64

// hybrid is KDF_HYBRID of the Triple Ratchet (Double Ratchet sections 6 and
// 7.2): the post-quantum key is the salt, the elliptic-curve key the input.
func hybrid(ec, pq *[kdf.Size]byte) (mk [kdf.Size]byte) {
	kdf.Derive(kdf.Hybrid, pq[:], ec[:], mk[:])
	return mk
}
