package guard_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/guard/guardtest"
	"starling/p2p/wire"
)

// days is for how long two guards aim.
const days = 2

// A victim is a network that is none of the relays'.
var victim = netip.MustParsePrefix("203.5.0.0/16")

// atVictim is an address there, of another machine or port each time.
func atVictim(n int) directory.Address {
	return directory.Address{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 5, byte(n >> 8), byte(n)}), uint16(1024+n%60000))}
}

// aimed is how often two guards that work together make a client dial their victim in
// some days. They say where they and all others are, as often as they like; in turns asks
// for what happens each time.
func aimed(t *testing.T, victimDoes guardtest.State, say func(n int, first []wire.NodeID) []guard.Relay, turn func(w *guardtest.World, n int, first []wire.NodeID)) int {
	t.Helper()
	w, first := settled(t, 300, 1)
	home := map[wire.NodeID]book.Address{}
	for i := range 300 {
		home[guardtest.ID(i)] = guardtest.Relay(i).Addresses[0].Book()
	}
	w.Home, w.Elsewhere = func(id wire.NodeID) book.Address { return home[id] }, victimDoes
	w.State = func(id wire.NodeID, _ time.Time) guardtest.State {
		if slices.Contains(first, id) {
			return guardtest.Listens
		}
		return guardtest.Absent // what is honest is not what they list
	}
	dials := 0
	w.OnPlan = func(p guard.Plan) {
		for _, d := range p.Try {
			for _, a := range d.Addresses {
				if victim.Contains(a.Addr()) {
					dials++
				}
			}
		}
	}

	const look = 30 * time.Minute // at the list
	for n := range int(days * day / look) {
		w.Guards.Relays(say(n, first), true)
		turn(w, n, first)
		w.Run(look)
	}
	return dials
}

// TestTwoGuardsAim: two guards that work together can have their client dial an address
// of their choice, since it believes what both of them list. They cannot do so often:
// whatever they list there, and however they come and go, 17 times in the first day, and
// once in each further one: 46 times in a month.
func TestTwoGuardsAim(t *testing.T) {
	fakes := func(n, from int) (list []guard.Relay) { // relays that are not there, where n says
		for i := range 300 {
			r := guardtest.Relay(from + i)
			if n >= 0 {
				r.Addresses = nil
				for k := range 4 {
					r.Addresses = append(r.Addresses, atVictim(1+n*1200+4*i+k))
				}
			}
			list = append(list, r)
		}
		return list
	}
	selves := func(n int, first []wire.NodeID, also bool) (list []guard.Relay) {
		for i, id := range first {
			r := guard.Relay{ID: id, Addresses: []directory.Address{atVictim(7*n + i), atVictim(7*n + i + 3)}}
			if also {
				r.Addresses = append(r.Addresses, guardtest.Relay(int(id[3])-1).Addresses...)
			}
			list = append(list, r)
		}
		return list
	}
	lists := map[string]func(n int, first []wire.NodeID) []guard.Relay{
		"themselves there": func(n int, first []wire.NodeID) []guard.Relay {
			return append(selves(n, first, false), guardtest.Relays(0, 300)...)
		},
		"themselves there as well": func(n int, first []wire.NodeID) []guard.Relay {
			return append(selves(n, first, true), guardtest.Relays(0, 300)...)
		},
		"all there": func(n int, first []wire.NodeID) []guard.Relay {
			return append(selves(0, first, false), fakes(0, 1000)...)
		},
		"always others there": func(n int, first []wire.NodeID) []guard.Relay {
			return append(selves(n, first, true), fakes(n, 1000+300*n)...)
		},
		"others, who then move there": func(n int, first []wire.NodeID) []guard.Relay {
			if n%2 == 0 {
				return append(selves(n, first, true), fakes(-1, 1000)...)
			}
			return append(selves(n, first, true), fakes(n, 1000)...)
		},
	}
	hangUp := func(both bool, from int) func(w *guardtest.World, n int, first []wire.NodeID) {
		return func(w *guardtest.World, n int, first []wire.NodeID) {
			listens := w.State
			if n == from {
				w.State = func(id wire.NodeID, at time.Time) guardtest.State {
					if id == first[0] || both {
						return guardtest.Refuses
					}
					return listens(id, at)
				}
			}
			w.Lose(first[0])
			if both {
				w.Lose(first[1])
			}
		}
	}
	turns := map[string]func(w *guardtest.World, n int, first []wire.NodeID){
		"one is away":            hangUp(false, 1),
		"both are":               hangUp(true, 1),
		"one hangs up each time": hangUp(false, -1),
		"both hang up each time": hangUp(true, -1),
	}
	most := 0
	for what, say := range lists {
		for how, turn := range turns {
			if testing.Short() && (what == "themselves there as well" || how == "both are") {
				continue
			}
			for _, does := range []guardtest.State{guardtest.Absent, guardtest.Refuses} {
				if does == guardtest.Refuses && (how != "both are" || what != "others, who then move there") {
					continue
				}
				t.Run(fmt.Sprintf("%s, %s, %d", what, how, does), func(t *testing.T) {
					n := aimed(t, does, say, turn)
					if most = max(most, n); n > 17+days {
						t.Errorf("the victim is dialled %d times", n)
					}
				})
			}
		}
	}
	t.Logf("the victim is dialled %d times in %d days at most", most, days)
	if most < 15 {
		t.Error("nobody is aimed at: this test shows nothing")
	}
}

// TestMovedGuard: a guard that moves is found where it is listed, and one that comes back
// to where it was is found there, whatever its list says.
func TestMovedGuard(t *testing.T) {
	for name, c := range map[string]struct {
		is, listed int // which address
	}{
		"it has moved":             {1, 1},
		"it has not, says nobody":  {0, 1},
		"its old address is taken": {1, 1},
	} {
		w, first := settled(t, 50, 1)
		home := guardtest.Relay(int(first[0][3]) - 1).Addresses[0]
		at := []directory.Address{home, atVictim(1)}
		w.Home = func(id wire.NodeID) book.Address {
			if id == first[0] {
				return at[c.is].Book()
			}
			return guardtest.Relay(int(id[3]) - 1).Addresses[0].Book()
		}
		w.Elsewhere = guardtest.Absent
		if name == "its old address is taken" {
			w.Elsewhere = guardtest.Other
		}
		list := guardtest.Relays(0, 50)
		list[int(first[0][3])-1].Addresses = []directory.Address{at[c.listed]}
		w.Guards.Relays(list, true)
		w.Lose(first[0])
		w.Run(10 * time.Second)
		if got := w.Guards.InUse(w.Now); !slices.Equal(got, first) {
			t.Errorf("%s: in use %v", name, got)
		}
	}
}
