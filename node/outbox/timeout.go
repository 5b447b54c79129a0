package outbox

import (
	"math"
	"sync"
	"time"
)

// A timer is the time to wait for a mailbox before another route is tried: the mean of
// its last answer times and three standard deviations, as TCP does it (RFC 6298, with
// the same gains).
type timer struct {
	mu        sync.Mutex
	mean      float64 // seconds; 0 before the first sample
	deviation float64
}

const (
	timeoutFirst = 6 * time.Second
	timeoutMin   = time.Second
	timeoutMax   = 20 * time.Second
)

func (t *timer) observe(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := d.Seconds()
	if t.mean == 0 {
		t.mean, t.deviation = s, s/2
		return
	}
	t.deviation += (math.Abs(s-t.mean) - t.deviation) / 4
	t.mean += (s - t.mean) / 8
}

// double doubles the deviation after a wait in vain: perhaps all routes are slower now.
func (t *timer) double() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deviation *= 2
}

func (t *timer) wait() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mean == 0 {
		return timeoutFirst
	}
	// The mean deviation of a bell curve is 0.8 of its standard deviation.
	d := time.Duration((t.mean + 3*1.25*t.deviation) * float64(time.Second))
	return min(max(d, timeoutMin), timeoutMax)
}
