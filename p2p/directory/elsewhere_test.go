package directory

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"starling/p2p/book"
)

// TestOthersAddressesTakeNoRoom: relays that stand in networks of their own say that they
// are web servers at the address of another relay, and in its network. Nobody has looked
// there. Neither does that keep the other out, or its neighbours, nor does it make them
// weigh less, or keep them from being a meeting place, nor has one who does so more
// voices about the time.
func TestOthersAddressesTakeNoRoom(t *testing.T) {
	now := start
	d := at(&now, false)
	honest := netip.MustParseAddr("12.0.0.9")
	claim := func(i int) Address {
		a := netip.AddrFrom4([4]byte{12, 0, 0, byte(i)})
		if i%2 == 0 {
			a = honest
		}
		return Address{AddrPort: netip.AddrPortFrom(a, 443), Transport: Web, Host: "example.org"}
	}
	liars := 2 * MaxPerNetwork
	for i := range liars {
		r := newRelay(t, i)
		r.d.Addresses = append([]Address{claim(i), {Onion: [32]byte{1, byte(i)}, Transport: Onion, AddrPort: netip.AddrPortFrom(netip.Addr{}, 1)}}, r.d.Addresses...)
		if err := d.Add(r.sign(t)); err != nil {
			t.Fatal(i, err)
		}
	}
	r := newRelay(t, 5000)
	r.d.Addresses[0] = Address{AddrPort: netip.AddrPortFrom(honest, 4001)}
	if err := d.Add(r.sign(t)); err != nil {
		t.Fatalf("the relay that is there: %v", err)
	}

	s := d.Snapshot()
	for i, it := range s.Relays {
		if it.ID == r.d.ID && s.Weights()[i] != 1 {
			t.Errorf("it weighs %v", s.Weights()[i])
		}
	}
	if !slices.ContainsFunc(s.uncrowded(), func(it *Descriptor) bool { return it.ID == r.d.ID }) {
		t.Error("it is no meeting place")
	}
	if got := len(Signed(s.Relays, false)); got != 2 {
		t.Errorf("relays of two networks have %d voices about the time", got)
	}
}

// TestHintLeavesOutWhatNobodyDials: however many addresses of other kinds a relay has, a
// hint of it has one to dial, which reads back the same.
func TestHintLeavesOutWhatNobodyDials(t *testing.T) {
	long := "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"
	h := Hint{ID: newRelay(t, 1).d.ID, Addresses: []Address{
		{AddrPort: netip.MustParseAddrPort("[2a00:1::1]:443"), Transport: Web, Host: long[:maxHost-1]},
		{AddrPort: netip.MustParseAddrPort("[2a00:1::1]:4001")},
		{AddrPort: netip.MustParseAddrPort("9.9.9.9:4001")},
	}}
	b := h.Append(nil)
	got, err := ParseHint(b)
	if err != nil || !got.Public() || len(Dialable(got.Addresses)) != 2 {
		t.Fatalf("%v: %v", got.Addresses, err)
	}
	if again := got.Append(nil); !slices.Equal(again, b) {
		t.Error("another hint the second time")
	}
}

// TestPublicIsOneWord: what the address book never dials no list, hint or owner's word
// takes for public either.
func TestPublicIsOneWord(t *testing.T) {
	now := time.Now()
	for _, s := range []string{
		"127.0.0.1:4001", "169.254.169.254:80", "100.64.0.1:4001", "192.0.0.170:80", "192.88.99.1:80", "198.18.0.1:80", "203.0.113.7:80",
		"[64:ff9b::9.9.9.9]:4001", "[64:ff9b:1::a9fe:a9fe]:80", "[2002:909:909::1]:4001", "[2001:0:5:6::]:4001", "[2001:20::1]:80", "[3fff::1]:80",
		"[::7f00:1]:80", "[fec0::1]:80", "[fe80::1]:80", "[fd00::1]:80", "[100::1]:80", "[5f00::1]:80", "[::1]:80",
	} {
		ap := netip.MustParseAddrPort(s)
		for _, transport := range []Transport{TCP, Web} {
			a := Address{AddrPort: ap, Transport: transport}
			if a.Public() || book.Public(ap) {
				t.Errorf("%s is public", s)
			}
			good := Address{AddrPort: netip.MustParseAddrPort("9.9.9.9:4001")}
			r := newRelay(t, 1)
			r.d.Issued, r.d.Expires = now, now.Add(time.Hour)
			r.promise(t)
			r.d.Addresses = []Address{good, a}
			if err := New(Config{}).Add(r.sign(t)); !errors.Is(err, ErrPrivate) {
				t.Errorf("%s in a descriptor: %v", s, err)
			}
			if (Hint{ID: r.d.ID, Addresses: []Address{good, a}}).Public() {
				t.Errorf("%s in a hint", s)
			}
		}
	}
}
