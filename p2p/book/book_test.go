package book_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"starling/p2p/book"
	"starling/p2p/wire"
)

func id(n int) (id wire.NodeID) {
	binary.BigEndian.PutUint32(id[:], uint32(n)+1)
	return id
}

func at(s string) book.Address { return book.Web(netip.MustParseAddrPort(s)) }

// clock is a clock that tests turn.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func relay(edit func(*book.Config)) (*book.Book, *clock) {
	c := &clock{time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
	cfg := book.Config{Role: book.Relay, Now: c.now}
	if edit != nil {
		edit(&cfg)
	}
	return book.New(cfg), c
}

// TestWhoMayBeDialled: the table of the package comment.
func TestWhoMayBeDialled(t *testing.T) {
	addr := at("5.6.7.8:4001")
	for _, c := range []struct {
		name    string
		role    book.Role
		source  book.Source // 0: nobody names it
		settled bool
		may     bool
		as      book.Source
	}{
		{"client, nobody", book.Client, 0, false, false, 0},
		{"client, owner", book.Client, book.Owner, true, true, book.Owner},
		{"client, listed", book.Client, book.Listed, true, true, book.Listed},
		{"client, local network", book.Client, book.Local, true, true, book.Local},
		{"relay, local network", book.Relay, book.Local, true, true, book.Local},
		{"client, link, knows nobody", book.Client, book.Pasted, false, true, book.Pasted},
		{"client, link, knows relays", book.Client, book.Pasted, true, false, 0},
		{"client, earlier start", book.Client, book.Remembered, true, true, book.Remembered},
		{"relay, earlier start", book.Relay, book.Remembered, true, true, book.Candidate},
		{"client, candidate", book.Client, book.Candidate, false, false, 0},
		{"relay, nobody", book.Relay, 0, false, false, 0},
		{"relay, owner", book.Relay, book.Owner, false, true, book.Owner},
		{"relay, listed", book.Relay, book.Listed, false, true, book.Listed},
		{"relay, link", book.Relay, book.Pasted, false, true, book.Candidate},
		{"relay, candidate", book.Relay, book.Candidate, false, true, book.Candidate},
	} {
		b := book.New(book.Config{Role: c.role, Settled: func() bool { return c.settled }, Listed: func(wire.NodeID) []book.Address {
			if c.source == book.Listed {
				return []book.Address{addr}
			}
			return nil
		}})
		switch c.source {
		case book.Owner, book.Remembered, book.Local, book.Pasted:
			b.Name(id(1), c.source, addr)
		case book.Candidate:
			b.Hear(id(1), addr)
		}
		p, err := b.Open(id(1))
		if (err == nil) != c.may {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err != nil {
			continue
		}
		if p.Source() != c.as {
			t.Errorf("%s: by the word of %d, not %d", c.name, p.Source(), c.as)
		}
		if !b.May(id(1), addr) {
			t.Errorf("%s: the gate is shut", c.name)
		}
		if b.May(id(2), addr) || b.May(id(1), at("5.6.7.8:4002")) {
			t.Errorf("%s: the gate is open for another node or address", c.name)
		}
		p.Done(addr)
		p.Done(addr) // once is enough
		if b.May(id(1), addr) || len(b.Opened(id(1))) != 0 {
			t.Errorf("%s: the gate stays open", c.name)
		}
	}
}

// TestNotPublic: an address that leads nowhere, to this machine, or to somewhere else
// than it says is in no book.
func TestNotPublic(t *testing.T) {
	own := at("7.7.7.7:4001")
	b, _ := relay(func(c *book.Config) { c.Own = func() []book.Address { return []book.Address{own} } })
	for i, s := range []string{
		"127.0.0.1:9999", "10.0.0.1:1", "192.168.1.1:22", "169.254.169.254:80", "100.64.0.1:1", "0.0.0.0:1", "255.255.255.255:9", "224.0.0.251:5353",
		"[::1]:1", "[fe80::1]:1", "[fd00::1]:1", "[ff02::fb]:5353", "[::ffff:9.9.9.9]:80", "[64:ff9b::7f00:1]:1", "[2002:7f00:1::]:1", "[2001:0:5:6::]:1",
		"[64:ff9b:1::a9fe:a9fe]:80", "[64:ff9b::9.9.9.9]:80", "[::7f00:1]:80", "[::ffff:0:7f00:1]:80", "[fec0::1]:80", "[100::1]:80", "[5f00::1]:80",
		"[2001:db8::1]:80", "[3fff::1]:80", "[2001:1::1]:80", "[2001:2::1]:80", "[2001:20::1]:80", "192.0.0.170:80", "192.88.99.1:80", "198.18.0.1:80",
		"0.1.2.3:80", "240.0.0.1:80", "172.31.0.1:80", "203.0.113.7:80",
		"9.9.9.9:0", "7.7.7.7:4001", "7.7.7.7:22",
	} {
		if b.Hear(id(i), at(s)) {
			t.Errorf("%s is taken", s)
		}
		if _, err := b.OpenAt(id(i), at(s), book.Reason(i%4)); !errors.Is(err, book.ErrNoAddress) {
			t.Errorf("%s may be tried: %v", s, err)
		}
		if at(s).Addr() != own.Addr() && b.Name(id(i), book.Owner, at(s)) {
			t.Errorf("the owner may name %s", s)
		}
	}
	if b.Hear(id(1), book.Address{}) {
		t.Error("nothing is taken")
	}
	lan := book.New(book.Config{Role: book.Relay, AllowPrivate: true, Own: func() []book.Address { return []book.Address{at("127.0.0.1:1")} }})
	if !lan.Hear(id(1), at("127.0.0.1:9999")) || lan.Hear(id(2), at("127.0.0.1:1")) {
		t.Error("with private addresses allowed, another port of this machine is another relay, ours is not")
	}
}

// TestHomeIsCountedApart: a node that names addresses of others, at any price, uses up
// no turn of a node to be dialled where it comes from, or because others vouch for it; and
// may not do so without end either.
func TestHomeIsCountedApart(t *testing.T) {
	b, clock := relay(nil)
	var held []*book.Permit
	for i := range 100 {
		for _, s := range []string{fmt.Sprintf("9.9.9.%d:4001", i), fmt.Sprintf("20.%d.0.1:4001", i), "9.9.9.9:4001"} {
			if p, err := b.OpenAt(id(i), at(s), book.Asked); err == nil {
				held = append(held, p) // and never gives it back
			}
		}
		clock.Time = clock.Add(time.Second)
	}
	if len(held) != book.ChecksAtOnce {
		t.Fatalf("%d are under way", len(held))
	}
	heard := 0
	for i := range 100 {
		b.Hear(id(500+i), at(fmt.Sprintf("21.%d.0.1:4001", i)))
		if p, err := b.Open(id(500 + i)); err == nil {
			heard++
			held = append(held, p)
		}
	}
	if heard != book.CandidatesAtOnce {
		t.Errorf("%d of those who were heard of are dialled beside them", heard)
	}
	if p, err := b.OpenAt(id(999), at("9.9.9.9:4001"), book.Checked); err != nil {
		t.Errorf("our own check waits for what others point at: %v", err)
	} else {
		p.Done(book.Address{})
	}
	mine := at("9.9.9.9:4001")
	p, err := b.OpenAt(id(1000), mine, book.Home)
	if err != nil {
		t.Fatalf("others have used up the turn of 9.9.9.9: %v", err)
	}
	p.Done(book.Address{})
	for i := range 10 {
		if _, err := b.OpenAt(id(1000+i), mine, book.Home); !errors.Is(err, book.ErrSpent) {
			t.Errorf("at once again: %v", err)
		}
	}
	n := 0
	for i := range 100 {
		if p, err := b.OpenAt(id(2000+i), at(fmt.Sprintf("9.9.9.9:%d", 5000+i)), book.Home); err == nil {
			n++
			p.Done(book.Address{})
		}
		clock.Time = clock.Add(time.Second)
	}
	if n != book.CandidatesPerHour-1 {
		t.Errorf("%d dials of one address", n)
	}
	for _, neighbour := range []string{"9.9.9.10:4001", "[2a00:1:2:3::1]:4001", "[2a00:1:2:4::1]:4001"} {
		p, err := b.OpenAt(id(3000), at(neighbour), book.Home)
		if err != nil {
			t.Errorf("the turn of %s is used up: %v", neighbour, err)
			continue
		}
		p.Done(book.Address{})
	}
}

// TestRelayPorts: hearsay leads to no port of an old service, under any name of a
// relay; the owner's word does.
func TestRelayPorts(t *testing.T) {
	b, _ := relay(nil)
	for i, port := range []int{1, 22, 23, 25, 53, 79, 110, 143, 445, 465, 587, 993, 1023} {
		for j, ip := range []string{"9.9.9.9", "[2400::1]"} {
			a, n := at(fmt.Sprintf("%s:%d", ip, port)), id(10*i+j)
			if b.Hear(n, a) {
				t.Errorf("%v is taken", a)
			}
			if _, err := b.OpenAt(n, a, book.Reason(j%4)); !errors.Is(err, book.ErrNoAddress) {
				t.Errorf("%v may be tried: %v", a, err)
			}
			for _, source := range []book.Source{book.Pasted, book.Remembered} {
				b.Name(n, source, a)
				if _, err := b.Open(n); !errors.Is(err, book.ErrNoAddress) {
					t.Errorf("%v may be dialled by the word of %d: %v", a, source, err)
				}
			}
			for _, role := range []book.Role{book.Client, book.Relay} {
				listing := book.New(book.Config{Role: role, Listed: func(wire.NodeID) []book.Address { return []book.Address{a} }})
				if _, err := listing.Open(n); !errors.Is(err, book.ErrNoAddress) {
					t.Errorf("role %d may dial %v by the word of its list: %v", role, a, err)
				}
				listing.Name(n, book.Pasted, a)
				if _, err := listing.Open(n); !errors.Is(err, book.ErrNoAddress) {
					t.Errorf("role %d may dial %v by the word of a link: %v", role, a, err)
				}
			}
			b.Name(n, book.Owner, a)
			p, err := b.Open(n)
			if err != nil {
				t.Fatalf("the owner may not name %v: %v", a, err)
			}
			p.Done(book.Address{})
		}
	}
	for i, port := range []int{80, 443, 1024, 4001, 65535} {
		if a := at(fmt.Sprintf("8.8.8.8:%d", port)); !b.Hear(id(1000+i), a) {
			t.Errorf("%v is not taken", a)
		}
	}
}

// TestOnlyTheAddressesThatFit: of an address list from another, forbidden addresses
// drop out and the rest stands.
func TestOnlyTheAddressesThatFit(t *testing.T) {
	b, _ := relay(nil)
	b.Hear(id(1), at("127.0.0.1:1"), at("9.9.9.9:80"), at("9.9.9.9:80"), at("10.0.0.1:1"))
	p, err := b.Open(id(1))
	if err != nil || !slices.Equal(p.Addrs(), []book.Address{at("9.9.9.9:80")}) {
		t.Errorf("%v, %v", p, err)
	}
	many := make([]book.Address, 100)
	for i := range many {
		many[i] = at(fmt.Sprintf("5.6.%d.8:4001", i))
	}
	if b.Name(id(2), book.Owner, many...); true {
		if p, err := b.Open(id(2)); err != nil || len(p.Addrs()) != book.MaxAddresses {
			t.Errorf("%d addresses, %v", len(p.Addrs()), err)
		}
	}
}

// TestCandidateOnce: an address is dialled once in ten minutes, under any node ids, and
// a candidate that does not answer is forgotten.
func TestCandidateOnce(t *testing.T) {
	b, clock := relay(nil)
	victim := at("9.9.9.9:80")
	dials := 0
	for i := range 10_000 {
		b.Hear(id(i), victim)
		if p, err := b.Open(id(i)); err == nil {
			dials++
			p.Done(book.Address{})
			if slices.Contains(b.Candidates(), id(i)) {
				t.Fatal("not forgotten")
			}
		}
		clock.Time = clock.Add(time.Second)
	}
	if want := 10_000/600 + 1; dials > want {
		t.Errorf("dialled %d times in 10,000 s", dials)
	} else if dials < want/2 {
		t.Errorf("dialled only %d times in 10,000 s", dials)
	}
}

// TestUnknown: a dial that came to no end is no answer. The address may be tried once
// more and stays known, but its network has no more dials in an hour for that.
func TestUnknown(t *testing.T) {
	b, clock := relay(nil)
	b.Hear(id(1), at("9.9.9.9:4001"))
	dials := 0
	for range 100 {
		if p, err := b.Open(id(1)); err == nil {
			dials++
			p.Unknown()
			p.Unknown() // no second time
		}
		clock.Time = clock.Add(10 * time.Second)
	}
	if dials != book.CandidatesPerHour {
		t.Errorf("%d dials that came to no end", dials)
	}
	if !slices.Contains(b.Candidates(), id(1)) {
		t.Error("forgotten")
	}
	if b.May(id(1), at("9.9.9.9:4001")) {
		t.Error("the gate is open")
	}
}

// TestCandidateRates: 2 a second and 32 saved up, 4 under way, 8 an hour in one /24.
func TestCandidateRates(t *testing.T) {
	b, clock := relay(nil)
	open := func(i int, addr string) *book.Permit {
		b.Hear(id(i), at(addr))
		p, _ := b.Open(id(i))
		return p
	}
	perSecond := 0
	for s := range 10 {
		for i := range 50 {
			if p := open(1000*s+i, fmt.Sprintf("20.%d.%d.1:4001", s, i)); p != nil {
				perSecond++
				p.Done(book.Address{})
			}
		}
		clock.Time = clock.Add(time.Second)
	}
	if perSecond != book.CandidatesBurst+9*book.CandidatesPerSec {
		t.Errorf("%d dials in 10 s", perSecond)
	}
	var underWay []*book.Permit
	for i := range 50 {
		if p := open(20_000+i, fmt.Sprintf("21.1.%d.1:4001", i)); p != nil {
			underWay = append(underWay, p)
		}
		clock.Time = clock.Add(time.Second)
	}
	if len(underWay) != book.CandidatesAtOnce {
		t.Errorf("%d under way", len(underWay))
	}
	for _, p := range underWay {
		p.Done(book.Address{})
	}
	hour := 0
	for i := range 200 {
		if p := open(30_000+i, fmt.Sprintf("22.1.1.%d:4001", i)); p != nil {
			hour++
			p.Done(book.Address{})
		}
		clock.Time = clock.Add(10 * time.Second)
	}
	if hour != book.CandidatesPerHour {
		t.Errorf("%d dials into one /24 in 33 minutes", hour)
	}
	// Where private addresses are allowed the pace stays.
	lan := book.New(book.Config{Role: book.Relay, AllowPrivate: true, Now: clock.now})
	n := 0
	for i := range 2 * book.CandidatesBurst {
		lan.Hear(id(i), at("127.0.0.1:4001"))
		if p, err := lan.Open(id(i)); err == nil {
			n++
			p.Done(book.Address{})
		}
	}
	if n != book.CandidatesBurst {
		t.Errorf("private: %d at once", n)
	}
}

// TestCandidatesBounded: a million candidates cost as much as a thousand, and one
// network has only its share.
func TestCandidatesBounded(t *testing.T) {
	b, _ := relay(nil)
	b.Hear(id(1), at("30.0.0.1:4001"))
	for i := range 5000 {
		b.Hear(id(100+i), at(fmt.Sprintf("40.1.1.%d:%d", i%250, 1+i)))
	}
	if n := len(b.Candidates()); n != 1+book.MaxPerNetwork {
		t.Errorf("%d candidates, of one /24 and another", n)
	}
	if !slices.Contains(b.Candidates(), id(1)) {
		t.Error("one network pushed another out of a book that is not full")
	}
	for i := range 5000 {
		b.Hear(id(10_000+i), at(fmt.Sprintf("50.%d.%d.1:4001", i/250, i%250)))
	}
	if n := len(b.Candidates()); n != book.MaxCandidates {
		t.Errorf("%d candidates", n)
	}
	for i := range 1000 {
		b.Name(id(20_000+i), book.Pasted, at("9.9.9.9:80"))
	}
	if !b.Name(id(1), book.Owner, at("9.9.9.9:80")) {
		t.Error("links leave the owner no room")
	}
	if b.Name(id(1), book.Pasted, at("8.8.8.8:80")) || b.Name(id(5), book.Candidate, at("8.8.8.8:80")) {
		t.Error("a lower word replaces the owner's")
	}
}

// TestOrder: where it last answered, then both families in turns.
func TestOrder(t *testing.T) {
	four1, four2, six1, six2 := at("5.6.7.8:4001"), at("5.6.7.9:4001"), at("[2400::1]:4001"), at("[2400::2]:4001")
	for _, c := range []struct{ listed, want []book.Address }{
		{[]book.Address{four1, six1}, []book.Address{six1, four1}},
		{[]book.Address{six1, six2, four1, four2}, []book.Address{six1, four1, six2, four2}},
		{[]book.Address{four1}, []book.Address{four1}},
	} {
		b, _ := relay(func(cfg *book.Config) { cfg.Listed = func(wire.NodeID) []book.Address { return c.listed } })
		p, err := b.Open(id(1))
		if err != nil || !slices.Equal(p.Addrs(), c.want) {
			t.Errorf("%v: %v, %v", c.listed, p.Addrs(), err)
		}
		last := c.want[len(c.want)-1]
		p.Done(last)
		p, _ = b.Open(id(1))
		if p.Addrs()[0] != last {
			t.Errorf("%v answered last, %v is tried first", last, p.Addrs()[0])
		}
		if len(p.Addrs()) != len(c.want) {
			t.Errorf("%v: lost one: %v", c.listed, p.Addrs())
		}
		if got, when := b.Reached(id(1)); got != last || when.IsZero() {
			t.Errorf("reached at %v, %v", got, when)
		}
	}
}

// TestLocalMovesNobody: a machine of the local network that answers under the name of a
// relay which the owner named, or under any number of names, neither moves that relay nor
// pushes it out, and leaves room for others that answer.
func TestLocalMovesNobody(t *testing.T) {
	for _, role := range []book.Role{book.Client, book.Relay} {
		b := book.New(book.Config{Role: role, AllowPrivate: true})
		owner := at("9.9.9.9:4001")
		b.Name(id(0), book.Owner, owner)
		if b.Name(id(0), book.Local, at("192.168.1.66:4001")) {
			t.Error("a relay of the owner's is where the local network says")
		}
		for i := range 10 * book.MaxNamed {
			if !b.Name(id(1+i), book.Local, at("192.168.1.66:4001")) {
				t.Fatalf("relay %d of the local network has no room", i)
			}
		}
		p, err := b.Open(id(0))
		if err != nil || len(p.Addrs()) != 1 || p.Addrs()[0] != owner {
			t.Errorf("the owner's relay: %v", err)
		}
		if n := len(b.Named()); n != book.MaxLocal+1 {
			t.Errorf("%d are named", n)
		}
		for i := range book.MaxNamed {
			b.Name(id(10_000+i), book.Owner, owner)
		}
		if n := len(b.Named()); n != book.MaxNamed {
			t.Errorf("%d are named by the owner", n)
		}
	}
}
