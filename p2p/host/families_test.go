package host

import (
	"net/netip"
	"testing"
)

// TestFamilies: the kinds of addresses that a machine has a way to, by the addresses
// that it has.
func TestFamilies(t *testing.T) {
	for _, tt := range []struct {
		name    string
		own     []string
		private bool
		want    Families
	}{
		{"behind a home router without IPv6", []string{"127.0.0.1", "::1", "192.168.1.5", "fe80::1"}, false, Families{Four: true}},
		{"with a local IPv6 prefix only", []string{"192.168.1.5", "fd12:3456::5"}, false, Families{Four: true}},
		{"both", []string{"192.168.1.5", "2a00:1::5"}, false, Families{Four: true, Six: true}},
		{"IPv6 only", []string{"127.0.0.1", "::1", "2a00:1::5"}, false, Families{Six: true}},
		{"mapped", []string{"::ffff:20.1.0.1"}, false, Families{Four: true}},
		{"no network", []string{"127.0.0.1", "::1", "fe80::1"}, false, Families{Four: true, Six: true}},
		{"nothing", nil, false, Families{Four: true, Six: true}},
		{"a mesh on one machine", []string{"127.0.0.1", "::1"}, true, Families{Four: true, Six: true}},
		{"a mesh on a machine without IPv6", []string{"127.0.0.1"}, true, Families{Four: true}},
	} {
		var own []netip.Addr
		for _, s := range tt.own {
			own = append(own, netip.MustParseAddr(s))
		}
		if got := familiesOf(own, tt.private); got != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}

	four, six := netip.MustParseAddr("20.1.0.1"), netip.MustParseAddr("2a00:1::1")
	for source, want := range map[netip.Addr]Families{four: {Four: true}, six: {Six: true}} {
		if got := OwnFamilies(source, false); got != want {
			t.Errorf("from %v: %+v", source, got)
		}
	}
	f := Families{Four: true}
	if !f.Reach(four) || !f.Reach(netip.MustParseAddr("::ffff:20.1.0.1")) || f.Reach(six) || f.Reach(netip.Addr{}) {
		t.Error("IPv4 alone reaches other than IPv4")
	}
}
