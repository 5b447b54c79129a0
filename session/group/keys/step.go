package keys

import (
	"starling/session/internal/kdf"
)

// Step hands the heads to one person from their next generations on: to a newcomer, to
// somebody back from long away, or in answer to a question for missing seeds. With more heads than
// MaxStepHeads the caller names them in several steps; nil is all. It takes the step, too.
func (k *Keys) Step(context [32]byte, to Recipient, heads []ID) (*Step, Sealed, error) {
	if heads == nil {
		heads = k.Heads()
	}
	if len(heads) > MaxStepHeads {
		return nil, nil, ErrFull
	}
	s := &Step{Context: context, For: to.Member}
	var plain []byte
	for _, id := range heads {
		h := k.rekeys[id]
		if h == nil || !h.held || h.next <= h.stated {
			return nil, nil, ErrLacking
		}
		if h.next > MaxGeneration {
			return nil, nil, ErrFull
		}
		s.Heads = append(s.Heads, StepHead{Head{id, h.next}, h.confirms()})
		plain = append(append(plain, h.n[:]...), h.place[:]...)
	}
	if !s.sound() {
		return nil, nil, ErrInvalid
	}

	plain = append(plain, to.Lane[:]...)
	sealed, err := seal(to, 0, infoOf(kdf.RoomStep, k.group, s.id(k.group), to), plain)
	if err != nil {
		return nil, nil, err
	}
	return s, sealed, k.TakeStep(s)
}

// id is a hash of a step.
func (s *Step) id(group [32]byte) ID {
	return kdf.Hash(kdf.RoomStepID, group[:], s.Context[:], s.Append(nil))
}

// confirms is a confirmation of mu of the next generation.
func (h *head) confirms() [16]byte {
	c := derive(kdf.RoomStepConfirm, h.n, h.id)
	return [16]byte(c[:16])
}

// TakeStep takes the public part of a step that counts: the greatest generation that was
// stated is used from now on.
func (k *Keys) TakeStep(s *Step) error {
	if !s.sound() {
		return ErrInvalid
	}
	for _, one := range s.Heads {
		h := k.rekeys[one.Rekey]
		if h == nil {
			return ErrWaiting
		}
		if h.held && !h.agrees(one) {
			return ErrInvalid
		}
	}
	for _, one := range s.Heads {
		h := k.rekeys[one.Rekey]
		h.stated = max(h.stated, one.Generation)
		k.advance(h, h.stated)
	}
	return nil
}

// agrees reports whether a step hands over the secret that we have, or will have. So nobody
// without it states a generation.
func (h *head) agrees(one StepHead) bool {
	if one.Generation < h.next {
		return true // its secret is erased, and it changes nothing
	}
	ahead := head{id: h.id, n: h.n}
	for g := h.next; g < one.Generation; g++ {
		var e, m, n [kdf.Size]byte
		kdf.Derive(kdf.RoomGeneration, nil, ahead.n[:], e[:], m[:], n[:])
		ahead.n = n
	}
	c := ahead.confirms()
	return equal(c[:], one.Confirm[:])
}

// OpenStep takes the secrets that a step hands to us, and returns the secret of our lane.
// Secrets that are here already stay as they are. It takes the step, too.
func (k *Keys) OpenStep(s *Step, self Member, leaf LeafKey, sealed Sealed) (lane [kdf.Size]byte, err error) {
	if s.For != self || !s.sound() {
		return lane, ErrInvalid
	}
	one := Recipient{Member: self, Leaf: leaf.Public()}
	plain, err := leaf.open(infoOf(kdf.RoomStep, k.group, s.id(k.group), one), sealed)
	if err != nil || len(plain) != (2*len(s.Heads)+1)*kdf.Size {
		return lane, ErrInvalid
	}
	defer clear(plain)

	// All are checked before any is taken.
	for i, given := range s.Heads {
		if k.rekeys[given.Rekey] == nil {
			return lane, ErrWaiting
		}
		h := head{id: given.Rekey, n: [kdf.Size]byte(plain[2*i*kdf.Size:])}
		if c := h.confirms(); !equal(c[:], given.Confirm[:]) {
			return lane, ErrInvalid
		}
	}
	for i, given := range s.Heads {
		h := k.rekeys[given.Rekey]
		if h.held && h.next-uint16(len(h.m)) <= given.Generation {
			continue
		}
		mu := [kdf.Size]byte(plain[2*i*kdf.Size:])
		copy(h.place[:], plain[(2*i+1)*kdf.Size:])
		k.begin(h, given.Generation, &mu)
	}
	copy(lane[:], plain[2*len(s.Heads)*kdf.Size:])
	return lane, k.TakeStep(s)
}
