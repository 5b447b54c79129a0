package relay

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/wire"
)

func slash24(i int) netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf("20.%d.%d.0/24", i/250, i%250))
}

// TestReadingsFull: strangers who say that they are relays and then nothing take no place
// that another needs, however many they are: neither of who has a voice, nor of a
// newcomer, who is only let go for others of its network.
func TestReadingsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs := newReadings(true)
		at := func(voice bool, i int, network netip.Prefix) (context.Context, *reading) {
			time.Sleep(time.Millisecond)
			return rs.begin(t.Context(), wire.NodeID{byte(i), byte(i >> 8), 1}, voice, network)
		}

		honest, _ := at(false, 5000, slash24(6000))
		for i := range 1000 { // a hundred of each network
			if _, it := at(false, i, slash24(i%10)); it == nil {
				t.Fatal("a stranger is refused: the oldest that is silent is to go")
			}
		}
		if honest.Err() != nil {
			t.Error("a newcomer is let go for strangers of fuller networks")
		}
		if n := len(rs.all); n != maxStrange {
			t.Errorf("%d lists of strangers are read", n)
		}
		for p, n := range rs.networks() {
			if n > maxStrangeNetwork {
				t.Errorf("%d of %v", n, p)
			}
		}

		// Those with a voice have their own places.
		for i := range maxReadings {
			if _, it := at(true, 2000+i, netip.Prefix{}); it == nil {
				t.Fatalf("the list of relay %d is not read", i)
			}
		}
		if n := len(rs.all); n != maxStrange+maxReadings {
			t.Errorf("%d lists are read", n)
		}
		// Of them the oldest that says nothing goes.
		for i := range maxReadings / 2 {
			rs.spoke(wire.NodeID{byte(2000 + i), byte((2000 + i) >> 8), 1})
		}
		for i := range maxReadings / 2 {
			if _, it := at(true, 3000+i, netip.Prefix{}); it == nil {
				t.Fatal("silent relays keep another from being asked")
			}
			rs.spoke(wire.NodeID{byte(3000 + i), byte((3000 + i) >> 8), 1})
		}
		if _, it := at(true, 4000, netip.Prefix{}); it != nil {
			t.Error("a list that is being read is cut off")
		}
	})
}

// TestReadingsOfManyNetworks: where every stranger comes from a network of its own, who
// has been silent longest goes first, and who says something stays.
func TestReadingsOfManyNetworks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs := newReadings(true)
		var speaks context.Context
		for i := range 1000 {
			time.Sleep(time.Millisecond)
			ctx, it := rs.begin(t.Context(), wire.NodeID{byte(i), byte(i >> 8)}, false, slash24(i))
			if i == 500 {
				rs.spoke(it.of)
				speaks = ctx
			}
			if i == 900 {
				rs.end(it)
				rs.end(it)
			}
		}
		if speaks.Err() != nil {
			t.Error("a list that is being read is cut off for silent strangers")
		}
		if n := len(rs.all); n != maxStrange {
			t.Errorf("%d lists are read", n)
		}
	})
}

// networks counts the strangers of each.
func (rs *readings) networks() map[netip.Prefix]int {
	n := map[netip.Prefix]int{}
	for it := range rs.all {
		if !it.voice {
			n[it.network]++
		}
	}
	return n
}
