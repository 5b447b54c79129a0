package client

import (
	"net/netip"
	"testing"
	"time"
)

// TestRoutable: relays that are many and in one network, or in too few, make no route,
// in any number.
func TestRoutable(t *testing.T) {
	for networks, want := range map[int]bool{1: false, 2: false, 3: false, 4: true, 12: true} {
		c, ids := knowingAt(t, 12, func(n int) netip.Addr { return netip.AddrFrom4([4]byte{20, byte(n % networks), byte(n), 1}) })
		if got := c.routes.any(ids[:2]); got != want {
			t.Errorf("12 relays in %d networks: routable %v", networks, got)
		}
	}
}

// TestReturns: requests to several mailboxes that bring nothing for a while mean that
// messages are lost; one mailbox that is down does not.
func TestReturns(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var r returns
	for i := range 20 {
		r.miss(NodeID{1}, now.Add(time.Duration(i)*time.Second))
	}
	if r.lost(now.Add(time.Hour)) {
		t.Error("lost, with one mailbox down")
	}
	r.miss(NodeID{2}, now.Add(20*time.Second))
	if r.lost(now.Add(10*time.Second)) || !r.lost(now.Add(21*time.Second)) {
		t.Error("lost at the wrong time")
	}
	if !r.answer() || r.lost(now.Add(time.Hour)) || r.answer() {
		t.Error("an answer is no news, or none")
	}
}
