package ratchet

import (
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

	_, s := talking(t)
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
