package book_test

import (
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
)

// TestNamesAreNotLookedUp: an address with a name in it is none, and nobody is asked
// for the meaning of the name.
func TestNamesAreNotLookedUp(t *testing.T) {
	began := time.Now()
	for _, s := range []string{
		"/dns4/evil.example.com/tcp/80", "/dns/evil.example.com/tcp/80", "/dns6/evil.example.com/tcp/80", "/dnsaddr/evil.example.com",
		"/ip4/9.9.9.9/udp/443", "/ip4/9.9.9.9/tcp/80/ws", "/ip4/9.9.9.9", "/ip6zone/eth0/ip6/fe80::1/tcp/1",
	} {
		if a, ok := book.AddressOf(multiaddr.StringCast(s)); ok {
			t.Errorf("%s is read as %v", s, a)
		}
	}
	if time.Since(began) > time.Second {
		t.Error("somebody was asked")
	}
	for _, s := range []string{"/ip4/9.9.9.9/tcp/80", "/ip6/2400::1/tcp/4001", "/ip4/9.9.9.9/tcp/80/plain"} {
		a, ok := book.AddressOf(multiaddr.StringCast(s))
		if !ok || book.Multiaddr(a).String() != s {
			t.Errorf("%s is read as %v", s, a)
		}
	}
}
