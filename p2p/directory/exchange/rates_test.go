package exchange

import (
	"net/netip"
	"testing"
	"time"

	"starling/p2p/wire"
)

// TestRatesBounded: a flood of askers, each of a new name and network, takes the room
// of a few, and does not make all others begin anew.
func TestRatesBounded(t *testing.T) {
	var r rates
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	ask := func(i int) bool {
		network := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24)
		ok, _ := r.allow(wire.NodeID{byte(i), byte(i >> 8), 1}, network, 100, now)
		return ok
	}
	for i := range maxRates {
		for ask(i) { // until it has had its share
		}
	}

	for i := range maxRates / 10 {
		ask(maxRates + i)
	}
	if len(r.peers) != maxRates || len(r.groups) != maxRates {
		t.Errorf("%d askers and %d networks are remembered", len(r.peers), len(r.groups))
	}
	anew := 0
	for i := range maxRates {
		if ask(i) {
			anew++
		}
	}
	if anew > maxRates/2 {
		t.Errorf("%d of %d begin anew", anew, maxRates)
	}
}

// TestSoldIsBounded: so many lists are sold in a period, and forgotten after the next.
func TestSoldIsBounded(t *testing.T) {
	var r rates
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	sell := func(n, i int) {
		network := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), byte(n)}), 24)
		r.sell(wire.NodeID{1}, wire.NodeID{byte(i), byte(i >> 8), byte(n)}, uint64(i)+1, network, 100, now, now)
	}
	for i := range maxSold + 100 {
		sell(1, i)
	}
	if n := len(r.sold[0].pages); n != maxSold {
		t.Errorf("%d were sold in a period", n)
	}
	now = now.Add(period)
	sell(2, 1)
	now = now.Add(period)
	sell(3, 1)
	if n := len(r.sold[0].pages) + len(r.sold[1].pages); n != 2 {
		t.Errorf("%d are remembered two periods later", n)
	}
}
