package wake

import "testing"

// TestRouters: a network has the name of its router, whatever else is in the tables.
func TestRouters(t *testing.T) {
	const routes = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
		"wlan0\t00000000\t01B2A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n" +
		"wlan0\t00B2A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0\n"
	const neighbours = "IP address       HW type     Flags       HW address            Mask     Device\n" +
		"192.168.178.1    0x1         0x2         aa:bb:cc:dd:ee:ff     *        wlan0\n" +
		"192.168.178.9    0x1         0x2         11:11:11:11:11:11     *        wlan0\n"
	if got := routersOf(routes, neighbours); got != "192.168.178.1 aa:bb:cc:dd:ee:ff" {
		t.Errorf("%q", got)
	}
	if got := routersOf(routes, ""); got != "192.168.178.1" {
		t.Errorf("%q", got)
	}
	for _, odd := range []string{"", "x", "\n\n", "a\t00000000\tzz\t\t\t\t\t00000000\n", "a 00000000 01 1 2 3 4 00000000"} {
		if got := routersOf(odd, odd); got != "" {
			t.Errorf("%q: %q", odd, got)
		}
	}
	if a, b := Place(), Place(); a != b {
		t.Errorf("two names: %q, %q", a, b)
	}
}
