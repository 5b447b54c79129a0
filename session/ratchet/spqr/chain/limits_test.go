package chain

import (
	"encoding/binary"
	"math"
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
		if _, err := b.Receive(1, 1, 5); err != ErrNumber && !good {
			t.Errorf("a chain that is shorter by nearly 2³²: %v", err)
		}
	}
}

// TestStoredContradictions: the fields of a stored state agree with each other.
func TestStoredContradictions(t *testing.T) {
	a, b := newPair()
	addEpoch(t, 1, &a, &b)
	addEpoch(t, 2, &a, &b)
	behind := b // sends on the chain of epoch 1 still
	send(t, &b, 2, 3)
	fresh, _ := newPair()
	const epoch, sending, previous = KeySize, KeySize + 4, KeySize + 12
	const sendN, receiveN = KeySize + 16, KeySize + 16 + linkSize
	for name, c := range map[string]struct {
		of    *State
		at    int
		value uint32
		good  bool
	}{
		"as it is":                           {&b, epoch, 2, true},
		"an epoch that never is":             {&b, epoch, math.MaxUint32, false},
		"sent in an epoch to come":           {&b, sending, 3, false},
		"sent two epochs ago":                {&b, sending, 0, false},
		"a chain before the first":           {&fresh, previous, 1, false},
		"sent, and not in the epoch sent in": {&behind, sendN, 1, false},
		"sent a number that never is":        {&b, sendN, MaxNumber + 1, false},
		"received one":                       {&b, receiveN, MaxNumber + 1, false},
		"received one, sending behind":       {&behind, receiveN, MaxNumber + 1, false},
	} {
		data, _ := c.of.AppendBinary(nil)
		binary.BigEndian.PutUint32(data[c.at:], c.value)
		if c.at == sendN {
			binary.BigEndian.PutUint32(data[KeySize+8:], c.value) // and says so
		}
		if c.of == &behind {
			binary.BigEndian.PutUint32(data[KeySize+8:], c.of.sent)
		}
		if _, _, err := Unmarshal(&labels, false, data); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	// With sending and epoch at the greatest number, too.
	data, _ := b.AppendBinary(nil)
	binary.BigEndian.PutUint32(data[epoch:], math.MaxUint32)
	binary.BigEndian.PutUint32(data[sending:], math.MaxUint32)
	if _, _, err := Unmarshal(&labels, false, data); err != ErrState {
		t.Errorf("the greatest epoch: %v", err)
	}

	// In an epoch sent in long ago, with a chain that would be there.
	c := behind
	c.sending, c.sent, c.chains[1].send.n = 0, 3, 3
	data, _ = c.AppendBinary(nil)
	if _, _, err := Unmarshal(&labels, false, data); err != ErrState {
		t.Errorf("sent two epochs ago, on the chain before: %v", err)
	}

	// More keys aside than may be, and some in the order of their numbers alone.
	s := b
	for n := range uint32(MaxSkipped + 1) {
		s.aside = append(s.aside, asideKey{epoch: 0, n: n + 1})
	}
	for count, good := range map[int]bool{MaxSkipped: true, MaxSkipped + 1: false} {
		c = s
		c.aside = s.aside[:count]
		data, _ := c.AppendBinary(nil)
		if _, _, err := Unmarshal(&labels, false, data); (err == nil) != good {
			t.Errorf("%d keys aside: %v", count, err)
		}
	}
	for e := uint64(3); e < 8; e++ {
		addEpoch(t, e, &s)
	}
	s.aside = []asideKey{{epoch: 3, n: 1}, {epoch: 2, n: 2}}
	data, _ = s.AppendBinary(nil)
	if _, _, err := Unmarshal(&labels, false, data); err != ErrState {
		t.Errorf("epochs backwards: %v", err)
	}
}

// TestEpochsWithoutSending: chains that are gone, or not there yet, are neither sent on
// nor received on, whichever epoch is asked for.
func TestEpochsWithoutSending(t *testing.T) {
	a, b := newPair()
	var sentOn []sent
	if _, _, _, err := a.Send(1); err != ErrEpoch {
		t.Errorf("sent in an epoch to come: %v", err)
	}
	for e := uint64(1); e <= 3; e++ {
		if err := b.AddEpoch(e, epochKey(e)); err != nil {
			t.Fatal(err)
		}
		addEpoch(t, e, &a)
		sentOn = append(sentOn, send(t, &a, e, 1)...)
	}
	c := b
	for e, good := range map[uint64]bool{0: false, 1: true, 2: false, 3: false, 4: false, math.MaxUint64: false} {
		d := b
		if _, _, _, err := d.Send(e); (err == nil) != good {
			t.Errorf("sent in epoch %d: %v", e, err)
		}
	}
	send(t, &c, 1, 1)
	send(t, &c, 2, 1)
	if c.sending != 2 || c.previous != 1 {
		t.Errorf("sending in %d, %d before", c.sending, c.previous)
	}
	if key, err := b.Receive(1, 1, 0); err != nil || key != sentOn[0].key {
		t.Errorf("received in epoch 1: %v", err)
	}
}
