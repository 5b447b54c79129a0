// Package erasure spreads a message over a stream of 32-byte chunks so that
// any large enough set of them, in any order, gives the message back. It is
// the systematic Reed–Solomon code over GF(2^16) that the ML-KEM Braid
// (revision 1, sections 1.3 and 2.2) recommends.
//
// A message of k·32 bytes is cut into k source chunks. A chunk is sixteen
// field elements, each two bytes, big-endian; the field is
// GF(2)[x]/(x^16 + x^12 + x^3 + x + 1). For each of the sixteen positions there is one
// polynomial of degree below k. The elements at that position of source chunks 0 … k-1
// are its values at the points 0 … k-1. A point is the field element with the bits of
// the chunk's index. Chunk i is the sixteen polynomials evaluated at i: below k it is a
// slice of the message, from k on it is parity, and any k chunks of different index
// determine the polynomials. There are 65,536 indices; a sender that runs out starts
// again at 0.
//
// The code repairs loss and nothing else: a wrong chunk makes a wrong message, so the
// result has to be authenticated as a whole.
package erasure

import (
	"errors"
	"sync"
)

// ChunkSize is the size of a chunk, in bytes.
const ChunkSize = 32

// maxSource bounds k: ML-KEM-768's key vector is 36 chunks.
const maxSource = 36

// ErrConflict is returned for two different chunks of one index.
var ErrConflict = errors.New("erasure: two chunks of one index differ")

// Chunk is one codeword: its index and its bytes.
type Chunk struct {
	Index uint16
	Data  [ChunkSize]byte
}

// Encode returns chunk index of message; the length of message is a multiple of
// ChunkSize and at most 36 chunks.
func Encode(message []byte, index uint16) Chunk {
	k := sources(len(message))
	c := Chunk{Index: index}
	if int(index) < k {
		copy(c.Data[:], message[int(index)*ChunkSize:])
		return c
	}
	b := basis(k)
	c.Data = evaluate(b.points, b.weights, index, func(i int) []byte {
		return message[i*ChunkSize : (i+1)*ChunkSize]
	})
	return c
}

// nodes are interpolation points and the weights that go with them.
type nodes struct {
	once            sync.Once
	points, weights []uint16
}

var bases [maxSource + 1]nodes

// basis returns the points 0 … k-1, at which the source chunks sit.
func basis(k int) *nodes {
	b := &bases[k]
	b.once.Do(func() {
		b.points, b.weights = make([]uint16, k), make([]uint16, k)
		for i := range b.points {
			b.points[i] = uint16(i)
		}
		lagrange(b.points, b.weights)
	})
	return b
}

// sources is the number of source chunks of a message of n bytes.
func sources(n int) int {
	if n <= 0 || n%ChunkSize != 0 || n > maxSource*ChunkSize {
		panic("erasure: message is not 1 to 36 whole chunks")
	}
	return n / ChunkSize
}

// lagrange sets weights[i] to 1/∏(points[i]-points[j]) over j ≠ i.
func lagrange(points, weights []uint16) {
	for i, p := range points {
		w := uint16(1)
		for j, q := range points {
			if i != j {
				w = mul(w, p^q)
			}
		}
		weights[i] = w
	}
	invert(weights)
}

// evaluate returns the chunk at x of the code with value(i) as the chunk at points[i]:
// Lagrange interpolation, Σ y_i · w_i · ∏(x-p_j) over j ≠ i.
func evaluate(points, weights []uint16, x uint16, value func(int) []byte) [ChunkSize]byte {
	var factors [maxSource]uint16
	var values [maxSource]lanes
	p := uint16(1) // ∏(x-p_j) over j < i, then over j > i
	for i := range points {
		factors[i] = mul(weights[i], p)
		p = mul(p, x^points[i])
	}
	p = 1
	for i := len(points) - 1; i >= 0; i-- {
		factors[i] = mul(factors[i], p)
		p = mul(p, x^points[i])
		values[i].load(value(i))
	}
	sum := combine(factors[:len(points)], values[:len(points)])
	return sum.bytes()
}

// Decoder collects chunks of one message. It is a value: a copy shares the collected
// chunks with the original, and adding to one leaves the other as it was. The zero
// Decoder is empty.
type Decoder struct {
	chunks []Chunk // never written after it is shared
}

// Add adds c and reports whether d changed: a chunk already held changes
// nothing, and one that contradicts it is refused.
func (d *Decoder) Add(c Chunk) (bool, error) {
	for i := range d.chunks {
		if d.chunks[i].Index == c.Index {
			if d.chunks[i].Data != c.Data {
				return false, ErrConflict
			}
			return false, nil
		}
	}
	// The clipped capacity makes append copy: other holders keep their view.
	d.chunks = append(d.chunks[:len(d.chunks):len(d.chunks)], c)
	return true, nil
}

// Chunks returns the chunks in d, in the order they came. The caller must not change
// it.
func (d *Decoder) Chunks() []Chunk { return d.chunks }

// Message returns the message of n bytes, a multiple of ChunkSize and at most
// 36 chunks, or nil while there are too few chunks.
func (d *Decoder) Message(n int) []byte {
	k := sources(n)
	if len(d.chunks) < k {
		return nil
	}

	have := d.chunks[:k]
	message := make([]byte, n)
	var points, weights [maxSource]uint16
	var known [maxSource]bool
	whole := 0
	for i := range have {
		points[i] = have[i].Index
		if x := int(have[i].Index); x < k {
			copy(message[x*ChunkSize:], have[i].Data[:])
			known[x] = true
			whole++
		}
	}
	if whole == k {
		return message
	}

	// A missing chunk is a value of the polynomial through the others.
	lagrange(points[:k], weights[:k])
	for x := range k {
		if known[x] {
			continue
		}
		data := evaluate(points[:k], weights[:k], uint16(x), func(i int) []byte { return have[i].Data[:] })
		copy(message[x*ChunkSize:], data[:])
	}
	return message
}
