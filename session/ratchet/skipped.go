package ratchet

import (
	"cmp"
	"slices"

	"starling/session/internal/doubleratchet"
)

// Limits on the keys kept for messages that have not come. They count events, never
// time, and are the same in every client, so that nobody can be told apart by them
// (Double Ratchet sections 8.4 and 8.7).
const (
	// MaxSkip is how far one message may move a receiving chain on.
	MaxSkip = doubleratchet.MaxSkip
	// MaxSkipped is how many skipped keys are kept; the oldest go first.
	MaxSkipped = 2000
	// MaxOldChains is for how many DH steps of the peer a skipped key is kept
	// after its own chain has ended: its header key is tried on every message
	// that no newer key opens.
	MaxOldChains = 256
)

// skipped holds message keys of messages that have not come, by receiving
// chain, oldest chain first. The specification indexes them by (header key, n).
type skipped struct {
	chains []skippedChain
	total  int
}

type skippedChain struct {
	hk   doubleratchet.HeaderKey
	step uint32                  // ec.Steps while the chain was the receiving chain
	keys []doubleratchet.Skipped // ascending n, at least one
}

// find returns the place of key n of chain i.
func (s *skipped) find(i int, n uint32) (int, bool) {
	return slices.BinarySearchFunc(s.chains[i].keys, n, func(k doubleratchet.Skipped, n uint32) int { return cmp.Compare(k.N, n) })
}

// current returns the place of the chain of a step, which is the last if it is
// there at all; otherwise -1.
func (s *skipped) current(step uint32) int {
	if i := len(s.chains) - 1; i >= 0 && s.chains[i].step == step {
		return i
	}
	return -1
}

// remove erases key j of chain i: slices.Delete overwrites the removed element.
func (s *skipped) remove(i, j int) {
	s.chains[i].keys = slices.Delete(s.chains[i].keys, j, j+1)
	s.total--
	if len(s.chains[i].keys) == 0 {
		s.chains = slices.Delete(s.chains, i, i+1)
	}
}

// add keeps the keys of the chain of a step, which is the newest chain.
func (s *skipped) add(hk *doubleratchet.HeaderKey, step uint32, keys []doubleratchet.Skipped) {
	if len(keys) == 0 {
		return
	}
	i := s.current(step)
	if i < 0 {
		i = len(s.chains)
		s.chains = append(s.chains, skippedChain{hk: *hk, step: step})
	}
	s.chains[i].keys = append(s.chains[i].keys, keys...)
	s.total += len(keys)
}

// expire enforces the limits after the ratchet has come to a step.
func (s *skipped) expire(step uint32) {
	for len(s.chains) > 0 && (s.total > MaxSkipped || step-s.chains[0].step > MaxOldChains) {
		s.remove(0, 0)
	}
}
