package directory

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/multiformats/go-multiaddr"
)

// TestHostNames: a host name stands beside the address that is dialled, is that of no other
// address, and makes nothing dialled that was not.
func TestHostNames(t *testing.T) {
	one := Address{AddrPort: netip.MustParseAddrPort("9.9.9.9:443")}
	plain := Address{AddrPort: netip.MustParseAddrPort("9.9.9.9:4001"), Transport: TCP}
	other := Address{AddrPort: netip.MustParseAddrPort("9.9.9.9:8443")}
	all := WithHost([]Address{one, plain, web("first.example.org"), other}, "example.org")
	want := []Address{one, plain, web("first.example.org"), other, {AddrPort: other.AddrPort, Host: "example.org"}}
	if !slices.Equal(all, want) {
		t.Errorf("%v", all)
	}
	for at, name := range map[string]string{"9.9.9.9:443": "first.example.org", "9.9.9.9:8443": "example.org", "9.9.9.9:4001": "", "9.9.9.8:443": ""} {
		if got := HostAt(all, netip.MustParseAddrPort(at)); got != name {
			t.Errorf("at %s: %q", at, got)
		}
	}
	if got := Dialable(all); !slices.Equal(got, []Address{one, plain, other}) {
		t.Errorf("dialled: %v", got)
	}
	if HostAt([]Address{{AddrPort: one.AddrPort, Transport: TCP, Host: "example.org"}}, one.AddrPort) != "" {
		t.Error("plain TCP has a name")
	}
	if got := WithHost([]Address{one}, "Not A Name"); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// TestSNIAddress: an owner writes the name behind the address; a relay that is given so is
// dialled at the address.
func TestSNIAddress(t *testing.T) {
	id := newRelay(t, 1).d.ID
	h, err := ParseBootstrap("/ip4/9.9.9.9/tcp/443/sni/example.org/p2p/" + id.String())
	if err != nil || !slices.Equal(h.Addresses, []Address{web(""), web("example.org")}) {
		t.Fatalf("%v, %v", h, err)
	}
	again, err := ParseHint(h.Append(nil))
	if err != nil || !slices.Equal(again.Addresses, h.Addresses) {
		t.Errorf("as a hint %v, %v", again, err)
	}
	for _, bad := range []string{
		"/ip4/9.9.9.9/tcp/443/sni/A.org", "/ip4/9.9.9.9/tcp/443/sni/localhost", "/ip4/9.9.9.9/tcp/443/sni/9.9.9.9", "/ip4/9.9.9.9/tcp/4001/plain/sni/example.org", "/ip4/9.9.9.9/sni/example.org", "/sni/example.org", "/dns4/example.org/tcp/443",
		"/ip4/9.9.9.9/tcp/443/sni/a.org/sni/b.org", "/ip4/9.9.9.9/tcp/443/sni/" + strings.Repeat("a", 64),
	} {
		m, err := multiaddr.NewMultiaddr(bad)
		if err != nil {
			t.Fatal(bad, err)
		}
		if got, err := AddressesOf(m); err == nil {
			t.Errorf("%s: %v", bad, got)
		}
	}
}
