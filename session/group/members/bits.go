package members

// bits is a set of places in Set.nodes.
type bits []uint64

func (b bits) has(i int) bool { return i>>6 < len(b) && b[i>>6]>>(i&63)&1 == 1 }

// with returns b, more and i. It may change b.
func (b bits) with(more bits, i int) bits {
	n := max(len(b), len(more), i>>6+1)
	if cap(b) < n {
		grown := make(bits, len(b), n)
		copy(grown, b)
		b = grown
	}
	b = b[:n]
	for w := range more {
		b[w] |= more[w]
	}
	b[i>>6] |= 1 << (i & 63)
	return b
}

// first returns the set of the first n places.
func first(n int) bits {
	b := make(bits, (n+63)>>6)
	for w := range b {
		b[w] = ^uint64(0)
	}
	if n&63 != 0 {
		b[len(b)-1] = 1<<(n&63) - 1
	}
	return b
}
