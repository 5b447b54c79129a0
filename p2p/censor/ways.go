package censor

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"

	"starling/p2p/wire"
)

// MaxWays is how many ways in are remembered of one network. It is as good as none for one
// that is not among them.
const MaxWays = 16

// Straight stands for all relays that were reached without a bridge, among the bridges.
var Straight wire.NodeID

// Led notes that a way in, or [Straight], led to the network of relays from here. It is the
// best one now, and those that led there before are behind it. It reports whether the way is
// new here.
func (m *Memory) Led(way wire.NodeID) (fresh bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, all := m.way(way), &m.habits.ways
	i := slices.Index(all[:], h)
	if fresh = i < 0; fresh {
		i = MaxWays - 1
	}
	copy(all[1:i+1], all[:i])
	all[0] = h
	return fresh
}

// Place returns how good a way in is here: 0 for the one that led to relays last, MaxWays for
// one that is not remembered here.
func (m *Memory) Place(way wire.NodeID) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.Index(m.habits.ways[:], m.way(way)); i >= 0 {
		return i
	}
	return MaxWays
}

// way is the name of a way in within the network that we are in: whoever reads it does not
// see that two networks have one in common. The caller holds the lock.
func (m *Memory) way(id wire.NodeID) name {
	h := hmac.New(sha256.New, m.salt[:])
	h.Write(m.here[:])
	h.Write(id[:])
	return name(h.Sum(nil)[:len(name{})])
}

// count returns how many ways in are remembered.
func (h *Habits) count() int {
	if i := slices.Index(h.ways[:], name{}); i >= 0 {
		return i
	}
	return MaxWays
}

// appendWays appends their names, behind their number.
func (h *Habits) appendWays(b []byte) []byte {
	n := h.count()
	b = append(b, byte(n))
	for _, w := range h.ways[:n] {
		b = append(b, w[:]...)
	}
	return b
}

// cutWays reads what appendWays wrote from the front of b, and returns the rest.
func (h *Habits) cutWays(b []byte) ([]byte, error) {
	if len(b) == 0 || b[0] > MaxWays || len(b) < 1+int(b[0])*len(name{}) {
		return nil, ErrDamaged
	}
	n := int(b[0])
	b = b[1:]
	for i := range n {
		w := name(b)
		if w == (name{}) || slices.Contains(h.ways[:i], w) {
			return nil, ErrDamaged
		}
		h.ways[i], b = w, b[len(name{}):]
	}
	return b, nil
}
