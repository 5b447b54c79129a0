// Package stamp makes and checks proofs of work.
//
// A crowded relay sells what is left for work. A stamp is a number
// with which
//
//	H(H(label ‖ relay 32 ‖ period 4 ‖ buyer) ‖ number 8)
//
// begins with as many zero bits as the relay wants, in the manner of Hashcash (Back,
// 2002), with H = SHA-256 and big endian numbers. It is good at one relay, for one
// purpose (the label), one buyer and one period, so that nothing can be made long before,
// or spent twice elsewhere. Each bit doubles the work: 20 bits take about 0.15 s of one
// core, 23 bits a second.
package stamp

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"starling/p2p/wire"
)

// An Offer is what a stamp is made for: the inner hash.
type Offer [sha256.Size]byte

// For returns the offer of a relay to a buyer in a period. The label ends with a zero
// byte, and all buyers of one label have names of one length.
func For(label string, relay wire.NodeID, period uint32, buyer []byte) Offer {
	b := append([]byte(label), relay[:]...)
	b = binary.BigEndian.AppendUint32(b, period)
	return sha256.Sum256(append(b, buyer...))
}

// Bits returns the zero bits of a number, 64 at most.
func (o *Offer) Bits(number uint64) int {
	var b [sha256.Size + 8]byte
	copy(b[:], o[:])
	binary.BigEndian.PutUint64(b[sha256.Size:], number)
	sum := sha256.Sum256(b[:])
	return bits.LeadingZeros64(binary.BigEndian.Uint64(sum[:]))
}

// Find works until it has a number of so many bits, or ctx ends. It is not 0.
func (o *Offer) Find(ctx context.Context, bits int) (uint64, error) {
	for n := uint64(1); ; n++ {
		if o.Bits(n) >= bits {
			return n, nil
		}
		if n%(1<<12) == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
}
