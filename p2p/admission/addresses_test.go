package admission

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// TestAddressNobodyReached: a relay signs an address of its own, where it answers, and
// one of somebody else, to which we have no way: IPv6, where there is none here. It is
// listed by nobody before two others have reached it there as well; whoever tells us,
// and whether its owner's word or our own dial brought it.
func TestAddressNobodyReached(t *testing.T) {
	six := "[2a00:1234::1]:443"
	w := newWorld(t, 30)
	r := newRelay(t, 1000).at("90.0.0.1:4001", six)
	raw := r.sign(t)
	if err := w.Seen(raw, 1); !errors.Is(err, ErrUnvouched) {
		t.Errorf("by our own dial of the first: %v", err)
	}
	w.cfg.Reached = func(wire.NodeID, []directory.Address) byte { return 1 }
	if err := w.Read(r.d.ID, directory.Entry{Raw: raw}); !errors.Is(err, ErrUnvouched) {
		t.Errorf("by its own list: %v", err)
	}
	w.cfg.Named = func(wire.NodeID) bool { return true }
	if err := w.Read(r.d.ID, directory.Entry{Raw: raw}); !errors.Is(err, ErrUnvouched) {
		t.Errorf("by its own list, though the owner names it: %v", err)
	}
	if listed, _ := w.listed(r); listed {
		t.Fatal("listed")
	}

	// It is looked at, at what we can dial; that we cannot is no reason to list it.
	due, _ := w.Due(4)
	if len(due) != 1 || due[0].ID != r.d.ID {
		t.Fatalf("%d are to be looked at", len(due))
	}
	if err := w.Seen(due[0].Raw, 1); !errors.Is(err, ErrUnvouched) {
		t.Errorf("after a look at the first: %v", err)
	}
	w.Failed(due[0])
	if listed, _ := w.listed(r); listed {
		t.Error("listed after a look that failed")
	}

	// Four vouch for the first address, and then two of four for the other.
	examiners := w.examiners(r)
	w.Hear(r.vouch(t, Day(start), examiners[:4]...))
	if listed, _ := w.listed(r); listed {
		t.Error("listed by vouchers for its first address")
	}
	n := r.vouch(t, Day(start), examiners[:4]...)
	for i := range 2 {
		v, err := Vouch(examiners[i].key, examiners[i].d.ID, n.Raw, 3, Day(start))
		if err != nil {
			t.Fatal(err)
		}
		n.Vouchers[i] = v
	}
	w.Hear(n)
	if err := w.Seen(raw, 1); err != nil {
		t.Errorf("with others who have reached the second: %v", err)
	}
	if _, reached := w.listed(r); !reached {
		t.Error("not listed")
	}

	// Who is only named has our voice for nothing.
	named := newRelay(t, 1002)
	w.cfg.Reached = func(wire.NodeID, []directory.Address) byte { return 0 }
	w.Read(named.d.ID, directory.Entry{Raw: named.sign(t)})
	w.Hear(named.vouch(t, Day(start), w.examiners(named)[:3]...))
	if err := w.Seen(named.sign(t), 0); !errors.Is(err, ErrUnvouched) {
		t.Errorf("with three vouchers and a name: %v", err)
	}

	// Another address is another relay.
	r.d.Sequence++
	r.at("90.0.0.1:4001", "[2a00:9999::1]:443")
	if err := w.Seen(r.sign(t), 1); !errors.Is(err, ErrUnvouched) {
		t.Errorf("at another second address: %v", err)
	}
	if d, _ := w.dir.Find(r.d.ID); d.Addresses[1].String() != six {
		t.Errorf("listed at %v", d.Addresses)
	}
}

// TestAddressNobodyDials: addresses of kinds that nobody dials yet, which nobody can
// examine, neither keep their relay out nor count as examined.
func TestAddressNobodyDials(t *testing.T) {
	w := newWorld(t, 60)
	r := newRelay(t, 1000)
	web := directory.Address{AddrPort: netip.MustParseAddrPort("99.9.9.9:443"), Transport: directory.Web, Host: "example.org"}
	r.d.Addresses = append([]directory.Address{web}, r.d.Addresses...)
	n := News{Raw: r.sign(t)}
	for _, o := range w.examiners(r)[:4] {
		v, err := Vouch(o.key, o.d.ID, n.Raw, 2, Day(start))
		if err != nil {
			t.Fatal(err)
		}
		n.Vouchers = append(n.Vouchers, v)
	}
	if err := w.Hear(n); err != nil {
		t.Errorf("with four vouchers for what can be dialled: %v", err)
	}
	if got := w.network(r.d.ID); got != netip.MustParsePrefix("15.0.0.0/24") {
		t.Errorf("its voice is one of %v", got)
	}
	only := newRelay(t, 1001)
	only.d.Addresses = []directory.Address{web}
	if err := w.Seen(only.sign(t), 0); err == nil {
		t.Error("a relay that nobody can dial is listed")
	}
}

// TestNobodyReachesIt: an address that none of those who vouched for us has reached is
// not announced for a while, and the examiners are asked at once for the others.
func TestNobodyReachesIt(t *testing.T) {
	var a Applicant
	r := newRelay(t, 1).at("20.0.0.1:1", "[2a00:1234::1]:1")
	raw, door, now := r.sign(t), newRelay(t, 2), start
	knock := a.Ask([]wire.NodeID{door.d.ID}, raw, now, Day(now))[door.d.ID]
	v, err := Vouch(door.key, door.d.ID, raw, 1, Day(now))
	if err != nil {
		t.Fatal(err)
	}
	a.Told(door.d.ID, Reply{Nonce: knock.Nonce, Verdict: Vouched, Voucher: v}, now)
	a.Ask(nil, raw, now.Add(unseenAfter-time.Second), Day(now))
	if a.Unreached(r.d.Addresses[1], now) {
		t.Fatal("others are not waited for")
	}
	now = now.Add(unseenAfter)
	if again := a.Ask([]wire.NodeID{door.d.ID}, raw, now, Day(now)); len(again) != 0 {
		t.Error("asked again for what it has said")
	}
	if !a.Unreached(r.d.Addresses[1], now) || a.Unreached(r.d.Addresses[0], now) {
		t.Error("the wrong address is announced")
	}
	for i, want := range []bool{true, false} {
		if a.Back(r.d.Addresses[i], now) != want || a.Back(r.d.Addresses[i], now.Add(2*forgetAfter)) != want {
			t.Errorf("address %d is back: %v", i, !want)
		}
	}
	less := r.at("20.0.0.1:1").sign(t)
	if again := a.Ask([]wire.NodeID{door.d.ID}, less, now, Day(now)); len(again) != 1 {
		t.Error("not asked for what is left")
	}
}
