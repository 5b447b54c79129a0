package admission

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// TestKnock: a knock from its own address is examined; another address costs its
// price first, and a knock that names another relay is refused.
func TestKnock(t *testing.T) {
	r := newRelay(t, 1).at("20.0.0.1:1", "21.0.0.1:80", "[2a01:4f8::1]:1")
	home := netip.MustParseAddr("20.0.0.1")
	ks := Knocks{ByNetwork: true}
	take := func(k Knock, source netip.Addr) *Check {
		t.Helper()
		k, err := ParseKnock(k.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		c, err := ks.Take(r.d.ID, source, k, start)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if take(Knock{Nonce: 1, Raw: r.sign(t)}, home) != nil {
		t.Error("another's address for nothing")
	}
	for i := range 2*Price - 1 {
		if take(Knock{Nonce: 1, Part: byte(1 + i)}, home) != nil {
			t.Fatalf("for %d frames", i)
		}
	}
	take(Knock{Nonce: 2, Part: 7}, home)
	if c := take(Knock{Nonce: 1, Part: 2 * Price}, home); c == nil || !bytes.Equal(c.Raw, r.sign(t)) {
		t.Error("paid, and not looked at")
	}
	if take(Knock{Nonce: 1, Part: 2 * Price}, home) != nil {
		t.Error("twice for one price")
	}
	r.at("20.0.0.1:1")
	if take(Knock{Nonce: 3, Raw: r.sign(t)}, home) == nil {
		t.Error("its own address has a price")
	}
	r.at("[2a01:4f8::1]:1")
	if take(Knock{Nonce: 3, Raw: r.sign(t)}, netip.MustParseAddr("2a01:4f8::77")) == nil {
		t.Error("its own network has a price")
	}
	for name, edit := range map[string]func(){
		"another's":   func() { r = newRelay(t, 2) },
		"expired":     func() { r.d.Issued, r.d.Expires = start.Add(-2*time.Hour), start.Add(-time.Second) },
		"of tomorrow": func() { r.d.Issued = start.Add(time.Hour) },
	} {
		r = newRelay(t, 1)
		id := r.d.ID
		edit()
		r.d.Epoch = directory.FirstEpoch(r.d.Issued)
		if _, err := ks.Take(id, home, Knock{Raw: r.sign(t)}, start); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestKnocksBounded: a knocker that does not pay holds no place that another needs for
// long: a /24 has few, and all are not many.
func TestKnocksBounded(t *testing.T) {
	ks := Knocks{ByNetwork: true}
	for i := range 100 {
		r := newRelay(t, i).at("99.0.0.1:1")
		if _, err := ks.Take(r.d.ID, netip.AddrFrom4([4]byte{20, 0, 0, byte(i)}), Knock{Raw: r.sign(t)}, start); err != nil {
			t.Fatal(err)
		}
	}
	if len(ks.m) != maxPerSource {
		t.Errorf("%d of one network wait", len(ks.m))
	}
	for i := range 2 * maxKnocks {
		ks.mu.Lock()
		ks.makeRoom(netip.Prefix{})
		ks.m[wire.NodeID{byte(i), byte(i >> 8), 1}] = &waiting{source: netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i), byte(i >> 8)}), 24)}
		ks.mu.Unlock()
	}
	if len(ks.m) != maxKnocks {
		t.Errorf("%d wait", len(ks.m))
	}
}
