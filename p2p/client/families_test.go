package client

import (
	"net/netip"
	"slices"
	"testing"

	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/host"
)

// TestNoWayToIPv6: a client without IPv6 takes no relay for a guard that has nothing
// else, and asks such a relay for the list last.
func TestNoWayToIPv6(t *testing.T) {
	four := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{20, byte(n), 0, 1}) }
	six := func(n int) netip.Addr { return netip.AddrFrom16([16]byte{0x2a, 0, byte(n), 1, 15: 1}) }
	c, _ := knowingAt(t, 12, func(n int) netip.Addr {
		if n%2 == 0 {
			return four(n)
		}
		return six(n)
	})

	for _, families := range []host.Families{{Four: true}, {Six: true}, {Four: true, Six: true}} {
		fit := 0
		for _, r := range guardsAmong(c.dir.Snapshot(), families, false) {
			if r.Fit {
				fit++
			}
			if is4 := r.Addresses[0].Addr().Is4(); r.Fit && (is4 && !families.Four || !is4 && !families.Six) {
				t.Errorf("%+v: %v may be a guard", families, r.Addresses)
			}
		}
		if want := map[bool]int{true: 12, false: 6}[families.Four && families.Six]; fit != want {
			t.Errorf("%+v: %d may be guards, not %d", families, fit, want)
		}
	}

	c.doors.families = func() host.Families { return host.Families{Four: true} }
	for n := range 2 {
		at := four(100)
		if n == 1 {
			at = six(100)
		}
		h := directory.Hint{ID: NodeID{byte(n + 1)}, Addresses: []directory.Address{{AddrPort: netip.AddrPortFrom(at, 4001)}}}
		c.doors.add(h, book.Owner)
		c.book.Name(h.ID, book.Owner, directory.ForBook(h.Addresses)...)
	}
	tried := map[NodeID]bool{}
	for range 2 {
		h, ok := c.doors.next(tried, nil, false)
		if !ok || (len(tried) == 0) != h.Addresses[0].Addr().Is4() {
			t.Fatalf("door %d leads to %v", len(tried), h.Addresses)
		}
		tried[h.ID] = true
	}
}

// TestPorts: by the word of others a client dials ports of relays only: who has none is
// no guard, and another address of a guard is not dialled.
func TestPorts(t *testing.T) {
	c, ids := knowing(t, 3)
	snap := c.dir.Snapshot()
	list := *snap
	list.Relays = nil
	for i, d := range snap.Relays {
		other := *d
		old := directory.Address{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, byte(i), 0, 1}), 25)}
		other.Addresses = map[int][]directory.Address{0: d.Addresses, 1: append([]directory.Address{old}, d.Addresses...), 2: {old}}[i]
		list.Relays = append(list.Relays, &other)
	}
	for i, r := range guardsAmong(&list, host.Families{Four: true}, false) {
		if r.Fit != (i < 2) || slices.ContainsFunc(r.Addresses, func(a directory.Address) bool { return a.Port() == 25 }) {
			t.Errorf("%v: %+v", ids[i], r)
		}
	}
}
