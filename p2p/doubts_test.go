package p2p

import (
	"testing"
	"time"

	"starling/p2p/mix"
)

func TestDoubts(t *testing.T) {
	var d doubts
	now := time.Now()
	a, b := NodeID{1}, NodeID{2}
	d.failed([]NodeID{a, b}, now)
	if ids, _ := d.avoided(now); len(ids) != 0 {
		t.Error("avoided after one failure")
	}
	d.answered([]NodeID{b})
	_, before := d.avoided(now)
	d.failed([]NodeID{a, b}, now)
	ids, after := d.avoided(now)
	if !ids[a] || ids[b] || before == after {
		t.Errorf("avoided: %v", ids)
	}
	if ids, _ := d.avoided(now.Add(doubtLife + time.Second)); len(ids) != 0 {
		t.Error("avoided for ever")
	}
}

func TestTimings(t *testing.T) {
	// The polls of one watch cost less than 5 MB a day both ways together.
	public := timings(false)
	perDay := float64(24*time.Hour) / float64(public.poll) * 2 * 2400
	if perDay > 5e6/2 {
		t.Errorf("%.0f bytes a day", perDay)
	}
	c, err := NewClient(ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		c.watches.m[string(rune(i))] = &watch{}
	}
	if d := c.watches.interval(); d < time.Hour || d > maxPoll+maxPoll/4 {
		t.Errorf("100 watches are polled every %v", d)
	}
	if c.patience() < 24*mix.DefaultMeanDelay {
		t.Error("no patience")
	}
}
