package limits

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rates are limiters by key, as many as are bounded. A key that has used
// nothing of late need not be remembered; of too many that have, a random one is
// forgotten.
type Rates[K comparable] struct {
	limit rate.Limit
	burst int
	most  int

	mu sync.Mutex
	m  map[K]*rate.Limiter
}

// NewRates makes Rates for at most so many keys.
func NewRates[K comparable](limit rate.Limit, burst, most int) *Rates[K] {
	return &Rates[K]{limit: limit, burst: burst, most: most, m: map[K]*rate.Limiter{}}
}

// Of returns the limiter of a key.
func (r *Rates[K]) Of(k K) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.m[k]
	if l == nil {
		if len(r.m) >= r.most {
			r.makeRoom()
		}
		l = rate.NewLimiter(r.limit, r.burst)
		r.m[k] = l
	}
	return l
}

// makeRoom forgets an entry that has used nothing, or else a random one.
func (r *Rates[K]) makeRoom() {
	now := time.Now()
	before := len(r.m)
	for k, l := range r.m {
		if l.TokensAt(now) >= float64(r.burst) {
			delete(r.m, k)
		}
	}
	if len(r.m) < before {
		return
	}
	for k := range r.m {
		delete(r.m, k)
		return
	}
}

// Len returns how many keys are remembered.
func (r *Rates[K]) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.m)
}
