package admission

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"starling/p2p/wire"
)

// TestApplicant: vouchers are collected, and those that say something else than they
// should are not; an address that nobody reaches is not announced for a while.
func TestApplicant(t *testing.T) {
	var a Applicant
	r := newRelay(t, 1).at("20.0.0.1:1", "21.0.0.1:1")
	raw := r.sign(t)
	doors := []*relay{newRelay(t, 2), newRelay(t, 3), newRelay(t, 4)}
	var ids []wire.NodeID
	for _, d := range doors {
		ids = append(ids, d.d.ID)
	}
	now := start
	knocks := a.Ask(ids, raw, now, Day(now))
	if len(knocks) != 3 || len(a.Ask(ids, raw, now.Add(time.Second), Day(now))) != 0 {
		t.Fatalf("%d knocks", len(knocks))
	}
	reply := func(d *relay, v Verdict, mask byte, edit func(*Reply)) bool {
		t.Helper()
		p := Reply{Nonce: knocks[d.d.ID].Nonce, Verdict: v, Mask: mask}
		if v == Vouched {
			p.Voucher, _ = Vouch(d.key, d.d.ID, raw, 3&^mask, Day(now))
		}
		if edit != nil {
			edit(&p)
		}
		p, err := ParseReply(p.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		return a.Told(d.d.ID, p, now)
	}
	if reply(doors[0], Vouched, 0, func(p *Reply) { p.Nonce++ }) || reply(doors[0], Vouched, 0, func(p *Reply) { p.Voucher.Day++ }) ||
		reply(doors[0], Vouched, 0, func(p *Reply) { p.Voucher.Examiner = ids[1] }) || a.Told(ids[1], Reply{Nonce: knocks[ids[0]].Nonce}, now) {
		t.Error("believed")
	}
	if !reply(doors[0], Unreached, 2, nil) || !a.Unreached(r.d.Addresses[1], now) || a.Unreached(r.d.Addresses[0], now) {
		t.Error("not told which address is not reached")
	}
	if a.Foreign(r.d.Addresses[1], now) || len(a.SeenFrom(now)) != 0 {
		t.Error("seen by nobody")
	}
	from := netip.MustParseAddr("203.0.113.7")
	lie := netip.MustParseAddr("2001:db8::7")
	reply(doors[0], Unreached, 2, func(p *Reply) { p.Foreign, p.Source = 2, from })
	if !a.Foreign(r.d.Addresses[1], now) || a.Foreign(r.d.Addresses[0], now) || !slices.Equal(a.SeenFrom(now), []netip.Addr{from}) {
		t.Errorf("who is there, and where we come from: %v", a.SeenFrom(now))
	}
	reply(doors[2], Busy, 0, func(p *Reply) { p.Source = lie })
	if len(a.SeenFrom(now)) != 0 || len(a.SeenFrom(now.Add(2*time.Hour))) != 0 {
		t.Errorf("the word of one beside another: %v", a.SeenFrom(now))
	}
	if a.Unreached(r.d.Addresses[1], now.Add(2*time.Hour)) {
		t.Error("never tried again")
	}
	if !reply(doors[1], Vouched, 0, nil) || a.Unreached(r.d.Addresses[1], now) || !a.Reached(r.d.Addresses[1], now) {
		t.Error("one who says that it is not reached is believed before one who has reached it")
	}
	if reply(doors[2], Busy, 0, nil) || len(a.Vouchers(raw, Day(now))) != 1 {
		t.Error("vouchers")
	}
	if again := a.Ask(ids, raw, now.Add(time.Minute), Day(now)); len(again) != 1 {
		t.Errorf("knocks at %d doors a minute later", len(again))
	}
	if len(a.Vouchers(r.at("20.0.0.1:1").sign(t), Day(now))) != 0 {
		t.Error("a voucher for other addresses")
	}
	r.at("20.0.0.1:1", "21.0.0.1:1")
	if v := a.Vouchers(raw, Day(now)+9); len(v) != 0 {
		t.Error("a voucher for ever")
	}
	if again := a.Ask(ids[1:2], raw, now.Add(6*24*time.Hour), Day(now)+6); len(again) != 1 {
		t.Error("not renewed")
	}
}
