package client

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"starling/p2p/book"
	"starling/p2p/censor"
	"starling/p2p/directory"
	"starling/p2p/host"
)

// TestDoorsOfTheLocalNetwork: a machine of the local network that answers under any number
// of names, and under that of a relay which the owner named, does not fill the doors, nor
// move the owner's, which is tried first.
func TestDoorsOfTheLocalNetwork(t *testing.T) {
	ds := doors{private: true, families: func() host.Families { return host.Families{Four: true} }, place: func(NodeID) int { return censor.MaxWays }, m: map[NodeID]*door{}}
	hint := func(n uint32, addr string) directory.Hint {
		h := directory.Hint{Addresses: []directory.Address{{AddrPort: netip.MustParseAddrPort(addr)}}}
		binary.BigEndian.PutUint32(h.ID[:], n+1)
		return h
	}
	own := hint(0, "9.9.9.9:4001")
	ds.add(own, book.Owner)
	ds.failed(own.ID)
	for i := range uint32(10 * maxDoors) {
		h := hint(i, "192.168.1.66:4001") // the first has the name of the owner's
		ds.add(h, book.Local)
		if i > 0 {
			ds.failed(h.ID)
		}
	}
	honest := hint(1<<20, "192.168.1.7:4001")
	ds.add(honest, book.Local)
	if len(ds.m) != book.MaxLocal+1 || ds.m[honest.ID] == nil {
		t.Errorf("%d doors, the last is there: %v", len(ds.m), ds.m[honest.ID] != nil)
	}
	if got := ds.m[own.ID].hint.Addresses[0].AddrPort; got != own.Addresses[0].AddrPort {
		t.Errorf("the owner's relay has moved to %v", got)
	}
	tried := map[NodeID]bool{}
	for i, want := range []NodeID{own.ID, honest.ID} {
		h, ok := ds.next(tried, nil, true)
		if !ok || h.ID != want {
			t.Errorf("door %d is another", i)
		}
		tried[h.ID] = true
	}
	ds.add(hint(2<<20, "192.168.1.8:4001"), book.Local)
	if ds.m[honest.ID] == nil {
		t.Error("one that has not failed made room")
	}
}
