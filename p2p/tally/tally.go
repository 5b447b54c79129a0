// Package tally counts refused input by reason.
package tally

import (
	"maps"
	"sync"
)

// A Tally is counts by reason. The zero value is empty.
type Tally struct {
	mu sync.Mutex
	m  map[string]int64
}

// Add counts one.
func (t *Tally) Add(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = map[string]int64{}
	}
	t.m[reason]++
}

// All returns the counts.
func (t *Tally) All() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.m)
}
