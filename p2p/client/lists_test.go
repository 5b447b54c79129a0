package client

import (
	"testing"
	"time"
)

// TestAge: how long a relay has been reached is what its sources say in the middle;
// one that calls it old is not believed, nor one that says it was never reached.
func TestAge(t *testing.T) {
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		say  []time.Duration // ages; 0 is vouched for only
		want time.Duration
	}{
		"one":                     {[]time.Duration{3 * day}, 3 * day},
		"two":                     {[]time.Duration{3 * day, 2 * day}, 2 * day},
		"an accomplice":           {[]time.Duration{40 * day, time.Hour, 2 * time.Hour}, 2 * time.Hour},
		"an accomplice, two":      {[]time.Duration{40 * day, time.Hour}, time.Hour},
		"one that hides":          {[]time.Duration{0, 3 * day, 4 * day}, 3 * day},
		"never reached by others": {[]time.Duration{40 * day, 0, 0}, 0},
	} {
		c, ids := knowing(t, 1)
		said := time.Now()
		for i, age := range tt.say {
			o := c.opinion(NodeID{byte(i)})
			o.said.Store(&said)
			o.dir.Merge(c.dir, func(NodeID) bool { return true })
			if age > 0 {
				o.dir.Reached(ids[0], said.Add(-age))
			}
		}
		c.age(map[NodeID]bool{ids[0]: true})
		got := time.Duration(0)
		if since := c.dir.Since(ids[0]); !since.IsZero() {
			got = time.Since(since)
		}
		if (got - tt.want).Abs() > time.Minute {
			t.Errorf("%s: reached for %v, want %v", name, got, tt.want)
		}
	}
}
