package watch

import (
	"testing"
	"time"
)

// TestInterval: the more watches there are, the more rarely each polls.
func TestInterval(t *testing.T) {
	ws := New(Config{Poll: 6 * time.Minute, PollShare: 3 * time.Minute})
	for i := range 100 {
		ws.m[string(rune(i))] = &watch{}
	}
	if d := ws.interval(); d < time.Hour || d > maxPoll+maxPoll/4 {
		t.Errorf("100 watches are polled every %v", d)
	}
}
