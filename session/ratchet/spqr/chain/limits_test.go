package chain

import (
	"testing"
)

// TestStoredLimits reads states that stand exactly at a limit, and refuses those one
// beyond.
func TestStoredLimits(t *testing.T) {
	parse := func(s *State) error {
		b, _ := s.AppendBinary(nil)
		_, _, err := Unmarshal(&labels, false, b)
		return err
	}
	_, b := newPair()
	for e := uint64(1); e <= MaxAge+3; e++ {
		addEpoch(t, e, &b)
	}
	for name, at := range map[string]struct {
		k    asideKey
		good bool
	}{
		"the oldest":        {asideKey{epoch: b.epoch - MaxAge + 1, n: 5}, true},
		"one too old":       {asideKey{epoch: b.epoch - MaxAge, n: 5}, false},
		"the last number":   {asideKey{epoch: b.epoch - 5, n: MaxNumber}, true},
		"one number more":   {asideKey{epoch: b.epoch - 5, n: MaxNumber + 1}, false},
		"number 0":          {asideKey{epoch: b.epoch - 5}, false},
		"the present chain": {asideKey{epoch: b.epoch, n: 1}, false},
	} {
		s := b
		s.aside = []asideKey{at.k}
		if err := parse(&s); (err == nil) != at.good {
			t.Errorf("%s: %v", name, err)
		}
	}

	for previous, good := range map[uint32]bool{MaxNumber: true, MaxNumber + 1: false} {
		s := b
		s.previous = previous
		if err := parse(&s); (err == nil) != good {
			t.Errorf("previous %d: %v", previous, err)
		}
	}

	s := b
	s.aside = []asideKey{{epoch: b.epoch - 5, n: 1}, {epoch: b.epoch - 5, n: 2}, {epoch: b.epoch - 4, n: 1}}
	whole, _ := s.AppendBinary(nil)
	for n := range whole {
		if _, _, err := Unmarshal(&labels, false, whole[:n]); err != ErrState {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
}

// TestLastNumberCloses: a chain of the greatest length can be closed.
func TestLastNumberCloses(t *testing.T) {
	for previous, good := range map[uint32]bool{MaxNumber: true, MaxNumber + 1: false} {
		_, b := newPair()
		addEpoch(t, 1, &b)
		b.chains[0].receive.n = MaxNumber - 3
		if _, err := b.Receive(1, 1, previous); (err == nil) != good {
			t.Errorf("a chain of %d: %v", previous, err)
		}
	}
}
