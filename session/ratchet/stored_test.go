package ratchet

import (
	"bytes"
	"math"
	"testing"

	"starling/session/internal/doubleratchet"
)

// TestStoredLimits reads skipped keys that stand exactly at a limit, and refuses
// those one beyond, out of order, or cut short.
func TestStoredLimits(t *testing.T) {
	const steps = 1000
	run := func(first, count uint32) (keys []doubleratchet.Skipped) {
		for n := range count {
			keys = append(keys, doubleratchet.Skipped{N: first + n})
		}
		return keys
	}
	chainsOf := func(count int) (chains []skippedChain) {
		for i := range count {
			chains = append(chains, skippedChain{step: uint32(steps - count + 1 + i), keys: run(7, 1)})
		}
		return chains
	}
	for name, c := range map[string]struct {
		chains []skippedChain
		good   bool
	}{
		"none":               {nil, true},
		"of the present":     {[]skippedChain{{step: steps, keys: run(0, 1)}}, true},
		"of the next":        {[]skippedChain{{step: steps + 1, keys: run(0, 1)}}, false},
		"the oldest":         {[]skippedChain{{step: steps - MaxOldChains, keys: run(0, 1)}}, true},
		"too old":            {[]skippedChain{{step: steps - MaxOldChains - 1, keys: run(0, 1)}}, false},
		"without keys":       {[]skippedChain{{step: steps}}, false},
		"chains in order":    {[]skippedChain{{step: steps - 1, keys: run(0, 1)}, {step: steps, keys: run(0, 1)}}, true},
		"a chain twice":      {[]skippedChain{{step: steps, keys: run(0, 1)}, {step: steps, keys: run(0, 1)}}, false},
		"chains backwards":   {[]skippedChain{{step: steps, keys: run(0, 1)}, {step: steps - 1, keys: run(0, 1)}}, false},
		"as many as can be":  {chainsOf(MaxOldChains + 1), true},
		"as many keys":       {[]skippedChain{{step: steps, keys: run(0, MaxSkipped)}}, true},
		"one key more":       {[]skippedChain{{step: steps, keys: run(0, MaxSkipped+1)}}, false},
		"keys of two chains": {[]skippedChain{{step: steps - 1, keys: run(0, MaxSkipped)}, {step: steps, keys: run(0, 1)}}, false},
		"the last number":    {[]skippedChain{{step: steps, keys: run(doubleratchet.MaxCounter-1, 1)}}, true},
		"the number after":   {[]skippedChain{{step: steps, keys: run(doubleratchet.MaxCounter, 1)}}, false},
		"a number twice":     {[]skippedChain{{step: steps, keys: append(run(3, 1), run(3, 1)...)}}, false},
		"numbers backwards":  {[]skippedChain{{step: steps, keys: append(run(3, 1), run(2, 1)...)}}, false},
		"numbers with holes": {[]skippedChain{{step: steps, keys: append(run(3, 1), run(9, 1)...)}}, true},
	} {
		_, s := talking(t)
		s.ec.Steps, s.skipped.chains = steps, c.chains
		if _, err := Unmarshal(bytesOf(t, s)); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}

	// A step that wraps round is not a recent one.
	_, s := talking(t)
	s.ec.Steps, s.skipped.chains = 3, []skippedChain{{step: math.MaxUint32, keys: run(0, 1)}}
	if _, err := Unmarshal(bytesOf(t, s)); err != ErrState {
		t.Error("before the first step:", err)
	}

	_, s = talking(t)
	s.ec.Steps = steps
	s.past = make([]doubleratchet.HeaderKey, MaxPast)
	s.skipped.chains = []skippedChain{{step: steps - 1, keys: run(0, 3)}, {step: steps, keys: run(4, 2)}}
	whole := bytesOf(t, s)
	if _, err := Unmarshal(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := Unmarshal(whole[:n]); err != ErrState {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
	s.past = append(s.past, doubleratchet.HeaderKey{})
	if b, err := s.MarshalBinary(); err != nil {
		t.Fatal(err)
	} else if _, err := Unmarshal(b); err != ErrState {
		t.Error("one past header key more:", err)
	}
}

// TestPastHeaderKeys: those of the last chains are kept, newest first.
func TestPastHeaderKeys(t *testing.T) {
	alice, bob := talking(t)
	var past []doubleratchet.HeaderKey
	for range MaxPast + 3 {
		past = append([]doubleratchet.HeaderKey{alice.ec.HKs}, past...)
		pass(t, alice, bob)
		pass(t, bob, alice)
		pass(t, bob, alice) // no DH step
		if n := min(len(past), MaxPast); len(alice.past) < n || alice.past[0] != past[0] || alice.past[n-1] != past[n-1] {
			t.Fatalf("%d kept after %d DH steps", len(alice.past), len(past))
		}
	}
	if len(alice.past) != MaxPast {
		t.Errorf("%d kept", len(alice.past))
	}
}

// TestStoredFields: a version, a flag or a ratchet key that we do not write is not read.
func TestStoredFields(t *testing.T) {
	_, s := talking(t)
	whole := bytesOf(t, s)
	const flags = 1 + 32
	const dhr = flags + 1 + 3*32
	for name, edit := range map[string]func(b []byte){
		"the version before": func(b []byte) { b[0]-- },
		"a version to come":  func(b []byte) { b[0]++ },
		"an unknown flag":    func(b []byte) { b[flags] |= 4 },
		"all flags":          func(b []byte) { b[flags] = 0xff },
		"no ratchet key":     func(b []byte) { copy(b[dhr:], bytes.Repeat([]byte{0xff}, 32)) },
	} {
		b := bytes.Clone(whole)
		edit(b)
		if _, err := Unmarshal(b); err != ErrState {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStoredNothing: a state that is not read to its end is not read on from somewhere
// else.
func TestStoredNothing(t *testing.T) {
	alice, _ := newPair(t)
	pq, err := alice.pq.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	// No version of ours, no past header keys, no chains.
	if _, err := Unmarshal(append([]byte{99, 0, 0, 0}, pq...)); err != ErrState {
		t.Error(err)
	}
}

// TestStoredFresh: a fresh state can do no more after a restart than before it.
func TestStoredFresh(t *testing.T) {
	alice, bob := newPair(t)
	alice, bob = copyOf(t, alice), copyOf(t, bob)
	if alice.ec.CanReceive || !alice.ec.CanSend || bob.ec.CanReceive || bob.ec.CanSend {
		t.Error("a chain that is not there is there after a restart")
	}
	if _, err := bob.Seal(nil, nil); err != ErrCannotSend {
		t.Error("a responder seals before it has received:", err)
	}
	pass(t, alice, bob)
	if len(bob.past) != 0 {
		t.Error("a chain that never was is kept for evidence")
	}
}

// TestSkippedExpire: keys and chains are kept to the limit and no further, the oldest
// going first, and nothing is left of one in memory.
func TestSkippedExpire(t *testing.T) {
	key := func(n uint32) doubleratchet.Skipped {
		return doubleratchet.Skipped{N: n, MK: doubleratchet.Key{0xaa, byte(n)}}
	}
	var s skipped
	hk := doubleratchet.HeaderKey{0xbb}
	for n := range uint32(MaxSkipped) {
		s.add(&hk, 7, []doubleratchet.Skipped{key(n)})
	}
	if s.expire(7 + MaxOldChains); s.total != MaxSkipped || len(s.chains) != 1 {
		t.Fatalf("%d keys of %d chains, want all", s.total, len(s.chains))
	}
	s.add(&hk, 8, []doubleratchet.Skipped{key(1)})
	if s.expire(8); s.total != MaxSkipped || s.chains[0].keys[0].N != 1 || len(s.chains) != 2 {
		t.Errorf("%d keys of %d chains, from %d", s.total, len(s.chains), s.chains[0].keys[0].N)
	}
	old := s.chains[0].keys
	if s.expire(7 + MaxOldChains + 1); s.total != 1 || len(s.chains) != 1 || s.chains[0].step != 8 {
		t.Errorf("%d keys of %d chains", s.total, len(s.chains))
	}
	for i := range old {
		if old[i] != (doubleratchet.Skipped{}) {
			t.Fatalf("key %d is still in memory", i)
		}
	}
	chains := s.chains
	if s.remove(0, 0); s.total != 0 || len(s.chains) != 0 || chains[0].hk != (doubleratchet.HeaderKey{}) {
		t.Error("the header key is still in memory")
	}
}
