package directory

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"net/netip"
	"slices"

	"starling/p2p/wire"
)

// RendezvousLabel separates the scores of Rendezvous from other uses of a
// secret.
const RendezvousLabel = "starling/rendezvous/2\x00"

// Rendezvous ranks the relays for the owners of a secret and returns the first n
// that are not to be avoided: fewer when there are fewer. Two people without
// contact find the same places this way when those they knew are gone.
//
// It is highest-random-weight hashing (Thaler and Ravishankar, 1998). The score of
// a relay is HMAC-SHA256(secret, RendezvousLabel ‖ node id) and depends on no other
// relay, so a relay that comes or goes changes the ranking only at its own place.
// Without the secret the ranking is random, and nobody can take a place in it; a
// contact, with the secret, can make node ids until one is first.
//
// Of a crowded network only some relays count: as many as all of them weigh in a draw
// (Weights), those with the lowest node ids. So the owner of a network full of relays
// is not the first choice of nearly everybody.
//
// A relay that shares a network (Address.Wide) with one before it is passed
// over, because both may fail, or listen, together. With private addresses
// admitted there is no such rule. So is one of the family of one before it, in any
// case. The first n are a prefix of the first n+1.
func (s *Snapshot) Rendezvous(secret [32]byte, n int, avoid ...wire.NodeID) []wire.NodeID {
	type scored struct {
		score [sha256.Size]byte
		d     *Descriptor
	}

	all := make([]scored, 0, len(s.Relays))
	mac := hmac.New(sha256.New, secret[:])
	for _, d := range s.uncrowded() {
		// Left out before the ranking, so that the next ones move up.
		if slices.Contains(avoid, d.ID) {
			continue
		}
		mac.Reset()
		mac.Write([]byte(RendezvousLabel))
		mac.Write(d.ID[:])
		it := scored{d: d}
		mac.Sum(it.score[:0])
		all = append(all, it)
	}
	slices.SortFunc(all, func(a, b scored) int { return bytes.Compare(b.score[:], a.score[:]) })

	var ids []wire.NodeID
	var chosen []*Descriptor
	taken := map[netip.Prefix]bool{}
	for _, it := range all {
		if len(ids) == n {
			break
		}
		wides := widesOf(it.d)
		if !s.private && slices.ContainsFunc(wides, func(w netip.Prefix) bool { return taken[w] }) {
			continue
		}
		if slices.ContainsFunc(chosen, func(d *Descriptor) bool { return Kin(d, it.d) }) {
			continue
		}
		for _, w := range wides {
			if w.IsValid() {
				taken[w] = true
			}
		}
		ids, chosen = append(ids, it.d.ID), append(chosen, it.d)
	}
	return ids
}

// uncrowded returns the relays that count as meeting places.
func (s *Snapshot) uncrowded() []*Descriptor {
	if s.private {
		return s.Relays
	}

	held := map[netip.Prefix]int{}
	full := func(blocks []netip.Prefix, most int) bool {
		return slices.ContainsFunc(blocks, func(p netip.Prefix) bool { return held[p] >= most })
	}
	var some []*Descriptor
	for _, d := range s.Relays { // ordered by node id
		near, wide := blocksOf(d, Address.Network), widesOf(d)
		if full(near, NetworkWeight) || full(wide, int(s.wideWeight())) {
			continue
		}
		for _, p := range slices.Concat(near, wide) {
			held[p]++
		}
		some = append(some, d)
	}
	return some
}
