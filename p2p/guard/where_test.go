package guard

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"starling/p2p/book"
	"starling/p2p/directory"
)

func addr(s string) directory.Address {
	return directory.Address{AddrPort: netip.MustParseAddrPort(s)}
}

func texts(list []directory.Address) (all []string) {
	for _, a := range list {
		all = append(all, a.String())
	}
	return all
}

// TestWhere: a guard is dialled where it has answered, always; elsewhere at one address
// in each network whose turn it is.
func TestWhere(t *testing.T) {
	web := directory.Address{Transport: directory.Web, AddrPort: netip.MustParseAddrPort("80.1.0.1:443"), Host: "a.example"}
	at1, at2, same, six := addr("20.1.0.1:4001"), addr("30.1.0.1:4001"), addr("30.1.9.9:80"), addr("[2a00:1::1]:4001")
	for name, c := range map[string]struct {
		proved  []directory.Address
		listed  []directory.Address
		waits   map[string]time.Duration // networks, and until when their turn is
		private bool
		want    []string
		later   time.Duration
	}{
		"never answered":                {listed: []directory.Address{at1}, want: []string{"20.1.0.1:4001"}},
		"answered":                      {proved: []directory.Address{at1}, listed: []directory.Address{at1}, waits: map[string]time.Duration{"20.1.0.0/16": time.Hour}, want: []string{"20.1.0.1:4001"}},
		"has moved":                     {proved: []directory.Address{at1}, listed: []directory.Address{at2}, want: []string{"20.1.0.1:4001", "30.1.0.1:4001"}},
		"is said to have moved":         {proved: []directory.Address{at1}, listed: []directory.Address{at2}, waits: map[string]time.Duration{"30.1.0.0/16": 1}, want: []string{"20.1.0.1:4001"}, later: 1},
		"waits for its turn":            {listed: []directory.Address{at2}, waits: map[string]time.Duration{"30.1.0.0/16": 5}, later: 5},
		"its turn has come":             {listed: []directory.Address{at2}, waits: map[string]time.Duration{"30.1.0.0/16": 0}, want: []string{"30.1.0.1:4001"}},
		"two in one network":            {listed: []directory.Address{at2, same}, want: []string{"30.1.0.1:4001"}},
		"two networks":                  {listed: []directory.Address{at2, six}, want: []string{"30.1.0.1:4001", "[2a00:1::1]:4001"}},
		"one of two networks":           {listed: []directory.Address{at2, six}, waits: map[string]time.Duration{"30.1.0.0/16": 7}, want: []string{"[2a00:1::1]:4001"}, later: 7},
		"both wait":                     {listed: []directory.Address{at2, six}, waits: map[string]time.Duration{"30.1.0.0/16": 7, "2a00:1::/32": 3}, later: 3},
		"both wait, other order":        {listed: []directory.Address{six, at2}, waits: map[string]time.Duration{"30.1.0.0/16": 7, "2a00:1::/32": 9}, later: 7},
		"both wait, the first for less": {listed: []directory.Address{at2, six}, waits: map[string]time.Duration{"30.1.0.0/16": 3, "2a00:1::/32": 7}, later: 3},
		"beside where it is":            {proved: []directory.Address{same}, listed: []directory.Address{same, at2}, waits: map[string]time.Duration{"30.1.0.0/16": 7}, want: []string{"30.1.9.9:80"}, later: 7},
		"no way to it":                  {listed: []directory.Address{web}},
		"no way, and one":               {listed: []directory.Address{web, at1}, want: []string{"20.1.0.1:4001"}},
		"a mesh at home":                {listed: []directory.Address{at2, same, web}, waits: map[string]time.Duration{"30.1.0.0/16": 7}, private: true, want: []string{"30.1.0.1:4001", "30.1.9.9:80"}},
	} {
		s := New(Config{AllowPrivate: c.private})
		for p, d := range c.waits {
			s.strange[netip.MustParsePrefix(p)] = strange{tries: 4, next: at(d)}
		}
		g := &guard{addresses: c.listed, proved: directory.ForBook(c.proved)}
		got, later := s.where(g, t0)
		want := time.Time{}
		if c.later > 0 {
			want = at(c.later)
		}
		if !slices.Equal(texts(got), c.want) || !later.Equal(want) || s.barred(g, t0) != (len(c.want) == 0) {
			t.Errorf("%s: %v, want %v; later %v, want %v", name, texts(got), c.want, later, want)
		}
	}
}

// TestTurns: in a strange network the second attempt comes a second after the first,
// and each as much later as all before it took, a day at most; another address each
// time.
func TestTurns(t *testing.T) {
	s := guardsOf(0, 1)
	g := s.list[0]
	g.addresses = []directory.Address{addr("30.1.0.1:4001"), addr("40.1.0.1:1"), addr("30.1.0.2:4002"), addr("30.1.0.3:4003")}
	now := t0
	var waits []time.Duration
	for n := range 22 {
		some, _ := s.where(g, now)
		if want := fmt.Sprintf("30.1.0.%d:400%d", n%3+1, n%3+1); len(some) != 2 || some[0].String() != want {
			t.Fatalf("attempt %d at %v, want %v", n, texts(some), want)
		}
		s.count(g, some, now)
		_, later := s.where(g, now)
		if s.barred(g, later) || !s.barred(g, later.Add(-1)) {
			t.Fatalf("attempt %d: not again at %v", n, later)
		}
		waits = append(waits, later.Sub(now))
		now = later
	}
	for n, d := range waits {
		if want := min(time.Second<<n, day); d != want {
			t.Errorf("attempt %d comes after %v, want %v", n+1, d, want)
		}
	}

	// However often that was.
	s.strange[addr("30.1.0.1:1").Wide()] = strange{tries: 90, next: now}
	if s.count(g, g.addresses[:1], now); !s.strange[addr("30.1.0.1:1").Wide()].next.Equal(now.Add(day)) {
		t.Error("the 91st attempt comes at another time than a day later")
	}

	// Where it has answered none is counted.
	s = guardsOf(1, 0)
	s.count(s.list[0], s.list[0].addresses, t0)
	if len(s.strange) != 0 {
		t.Errorf("%d networks are strange", len(s.strange))
	}
	s.private = true
	s.count(s.list[0], g.addresses, t0)
	if len(s.strange) != 0 {
		t.Errorf("%d networks of a mesh at home are strange", len(s.strange))
	}
}

// TestStrangeNetworksAreBounded: of more than are remembered that goes whose turn came
// first.
func TestStrangeNetworksAreBounded(t *testing.T) {
	s := guardsOf(0, 1)
	g := s.list[0]
	for n := range maxStrange {
		s.strange[netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(30 + n>>8), byte(n)}), 16)] = strange{1, at(time.Duration(n%7+1) * time.Hour)}
	}
	first := addr("31.5.0.1:1").Wide()
	s.strange[first] = strange{9, at(time.Minute)}
	sooner := addr("31.6.0.1:1").Wide()
	s.strange[sooner] = strange{2, at(time.Second)}
	s.count(g, []directory.Address{addr("31.5.0.1:1")}, t0) // is one of them
	if len(s.strange) != maxStrange || s.strange[first].tries != 10 || s.strange[sooner].tries != 2 {
		t.Fatalf("%d networks", len(s.strange))
	}
	s.strange[sooner] = strange{2, at(time.Hour)}
	s.strange[first] = strange{9, at(time.Minute)}
	s.count(g, []directory.Address{addr("99.1.0.1:1")}, t0)
	if _, kept := s.strange[first]; kept || len(s.strange) != maxStrange || s.strange[addr("99.1.0.1:1").Wide()].tries != 1 {
		t.Errorf("%d networks, the first kept: %v", len(s.strange), kept)
	}
}

// TestWelcome: on another network, and when a person asks, each strange network has its
// turn, and after it a later one than before.
func TestWelcome(t *testing.T) {
	for name, c := range map[string]struct {
		tell func(s *Guards, now time.Time)
		want bool
	}{
		"another network":  {func(s *Guards, now time.Time) { s.Network(true, now) }, true},
		"no network":       {func(s *Guards, now time.Time) { s.Network(false, now) }, false},
		"just now as well": {func(s *Guards, now time.Time) { s.renewed = now; s.Network(true, now) }, false},
		"a person":         {func(s *Guards, now time.Time) { s.TryOthers(now) }, true},
	} {
		s := guardsOf(0, 2)
		g, now := s.list[0], at(time.Hour)
		s.strange[g.addresses[0].Wide()] = strange{12, at(day)}
		past := s.list[1].addresses[0].Wide()
		s.strange[past] = strange{3, at(time.Minute)}
		c.tell(s, now)
		if s.barred(g, now) == c.want || !s.strange[past].next.Equal(at(time.Minute)) {
			t.Errorf("%s: its turn has come: %v", name, !c.want)
		}
		if s.count(g, g.addresses, now); s.strange[g.addresses[0].Wide()].next.Sub(now) != time.Second<<12 {
			t.Errorf("%s: again after %v", name, s.strange[g.addresses[0].Wide()].next.Sub(now))
		}
	}
}

// TestProve: where a guard answered is remembered, four addresses, the last first; of
// these the last outlives its being listed.
func TestProve(t *testing.T) {
	s := guardsOf(0, 1)
	g := s.list[0]
	prove := func(a string) string {
		s.change = false
		s.prove(g, book.Web(netip.MustParseAddrPort(a)))
		return fmt.Sprint(g.proved, " ", s.change)
	}
	s.strange[addr("30.1.0.1:1").Wide()] = strange{5, at(day)}
	s.strange[addr("30.2.0.1:1").Wide()] = strange{5, at(day)}
	for _, c := range []struct{ at, want string }{
		{"30.1.0.1:1", "[30.1.0.1:1] true"},
		{"30.1.0.1:1", "[30.1.0.1:1] false"},
		{"40.1.0.1:1", "[40.1.0.1:1 30.1.0.1:1] true"},
		{"30.1.0.1:1", "[30.1.0.1:1 40.1.0.1:1] false"},
		{"50.1.0.1:1", "[50.1.0.1:1 30.1.0.1:1 40.1.0.1:1] true"},
		{"60.1.0.1:1", "[60.1.0.1:1 50.1.0.1:1 30.1.0.1:1 40.1.0.1:1] true"},
		{"70.1.0.1:1", "[70.1.0.1:1 60.1.0.1:1 50.1.0.1:1 30.1.0.1:1] true"},
	} {
		if got := prove(c.at); got != c.want {
			t.Errorf("answered at %s: %s, want %s", c.at, got, c.want)
		}
	}
	if len(s.strange) != 1 {
		t.Errorf("%d networks are strange where it has answered in one of two", len(s.strange))
	}
	if s.change = false; true {
		if s.prove(g, book.Address{}); s.change || len(g.proved) != 4 {
			t.Error("it answered nowhere, and that is remembered")
		}
	}

	s.moved(g, []directory.Address{addr("50.1.0.1:1"), addr("80.1.0.1:1")})
	if got := fmt.Sprint(g.proved, texts(g.addresses), s.change); got != "[70.1.0.1:1 50.1.0.1:1] [50.1.0.1:1 80.1.0.1:1] true" {
		t.Errorf("moved: %s", got)
	}
	s.change = false
	s.moved(g, []directory.Address{addr("50.1.0.1:1"), addr("80.1.0.1:1")})
	s.moved(g, nil)
	if got := fmt.Sprint(g.proved, texts(g.addresses), s.change); got != "[70.1.0.1:1 50.1.0.1:1] [50.1.0.1:1 80.1.0.1:1] false" {
		t.Errorf("moved to where it was: %s", got)
	}
	g.proved = g.proved[:1]
	if s.moved(g, []directory.Address{addr("90.1.0.1:1")}); fmt.Sprint(g.proved) != "[70.1.0.1:1]" {
		t.Errorf("moved away: %v", g.proved)
	}
}

// TestCrowded: of guards that are listed in one network those go that were not met,
// and that come later in the list.
func TestCrowded(t *testing.T) {
	s := guardsOf(2, 4)
	list := []Relay{relayOf(0), relayOf(1), relayOf(2), relayOf(3), relayOf(4), relayOf(5)}
	to := func(n int, a string) { list[n].Addresses = []directory.Address{addr(a)} }
	to(0, "50.1.0.1:1")
	to(1, "50.1.0.2:1") // both were met
	to(2, "60.1.0.1:1")
	to(3, "60.1.0.2:1")
	to(4, "50.1.0.3:1")
	s.list[4].began = t0
	s.Relays(list, true)
	if got := numbers(s.list); !slices.Equal(got, []int{0, 1, 2, 5}) || len(s.gone) != 1 || s.gone[0] != idOf(4) {
		t.Errorf("%v are left, %v given up", got, numbersOf(s.gone))
	}
	s = guardsOf(2, 4)
	s.private = true
	if s.Relays(list, true); len(s.list) != 6 {
		t.Errorf("%v are left of a mesh at home", numbers(s.list))
	}
}

// TestFamilies: no guard is of the family of another, also where networks do not count. Of
// two that say so later the one goes that was met later, or not at all.
func TestFamilies(t *testing.T) {
	related := func(n int, to ...int) Relay {
		r := relayOf(n)
		for _, other := range to {
			r.Kin = append(r.Kin, idOf(other))
		}
		return r
	}
	for _, private := range []bool{false, true} {
		s := New(Config{AllowPrivate: private, Rand: rand.New(rand.NewPCG(3, 4))})
		var list []Relay
		for n := range 12 { // four families
			list = append(list, related(n, (n+4)%12, (n+8)%12))
		}
		s.Relays(list, true)
		s.ready(12)
		families := map[int]bool{}
		for _, n := range numbers(s.list) {
			families[n%4] = true
		}
		if len(s.list) != 4 || len(families) != 4 {
			t.Errorf("private %v: guards %v", private, numbers(s.list))
		}
	}

	s := guardsOf(3, 3).up(0, 2)
	s.list[4].began = t0
	plain := []Relay{relayOf(0), relayOf(1), relayOf(2), relayOf(3), relayOf(4), relayOf(5)}
	told := slices.Clone(plain)
	told[0], told[2] = related(0, 2), related(2, 0)
	told[3], told[4] = related(3, 4), related(4, 3)
	s.Relays(told, true)
	if got := numbers(s.list); !slices.Equal(got, []int{0, 1, 3, 5}) {
		t.Errorf("%v are left", got)
	}
	if p := s.Plan(t0, t0); !slices.Contains(p.Close, idOf(2)) || !slices.Contains(p.Close, idOf(4)) {
		t.Errorf("%v are closed", numbersOf(p.Close))
	}

	// While one of them is out of the list for a while, the other does not take its place.
	s.Relays(told[1:], true)
	for s.extend() {
	}
	if got := numbers(s.list); slices.Contains(got, 2) || !slices.Contains(got, 0) {
		t.Errorf("the other came back: %v", got)
	}
	// When they say so no more it may.
	s.Relays(plain, true)
	for s.extend() {
	}
	if got := numbers(s.list); !slices.Contains(got, 2) {
		t.Errorf("who is of no family stays away: %v", got)
	}
}

// TestDials: what is dialled is what the attempt under way was made for.
func TestDials(t *testing.T) {
	s := guardsOf(1, 1)
	p := s.Plan(t0, t0)
	for _, try := range p.Try {
		if !slices.Equal(s.Dials(try.ID), try.Addresses) || len(try.Addresses) != 1 {
			t.Errorf("dialled at %v, planned %v", s.Dials(try.ID), try.Addresses)
		}
	}
	s.Relays([]Relay{{ID: idOf(0), Addresses: []directory.Address{addr("9.9.9.9:4001")}}, relayOf(1)}, true)
	if got := texts(s.Dials(idOf(0))); !slices.Equal(got, texts(relayOf(0).Addresses)) {
		t.Errorf("it moved meanwhile, and is dialled at %v", got)
	}
	s.Failed(idOf(0), Timeout, at(time.Second))
	if s.Dials(idOf(0)) != nil || s.Dials(idOf(77)) != nil {
		t.Error("who is not dialled is dialled somewhere")
	}
}

// TestTryBarred: a guard whose addresses wait for their turn is wanted and not dialled.
func TestTryBarred(t *testing.T) {
	s := guardsOf(0, 1)
	g := s.list[0]
	s.strange[g.addresses[0].Wide()] = strange{3, at(time.Minute)}
	p := &plan{Plan: Plan{Next: at(time.Hour)}, now: t0}
	s.try(p, g, time.Second)
	if len(p.Try) != 0 || g.dialling() || len(p.wanted) != 1 || !p.Next.Equal(at(time.Minute)) {
		t.Errorf("tried %v, look again after %v", p.Try, p.Next.Sub(t0))
	}
	g.addresses = nil
	p.Next = at(time.Hour)
	if s.try(p, g, time.Second); len(p.Try) != 0 || !p.Next.Equal(at(time.Hour)) {
		t.Errorf("one without an address: %v, %v", p.Try, p.Next)
	}
}

// TestUntriedBarred: of unmet ones who wait for their turn none is tried, and when it
// comes is when to look again.
func TestUntriedBarred(t *testing.T) {
	s := guardsOf(0, 4)
	for i, g := range s.list {
		s.strange[g.addresses[0].Wide()] = strange{3, at(time.Duration(i+2) * time.Minute)}
	}
	s.dry = true
	p := &plan{Plan: Plan{Next: at(time.Hour)}, now: t0}
	if g := s.untried(p); g != nil || !p.Next.Equal(at(2*time.Minute)) {
		t.Errorf("%v, look again after %v", g, p.Next.Sub(t0))
	}
	s.list[0].began = t0 // is under way
	s.list[1].next, s.list[1].tries = at(90*time.Second), 2
	p.Next = at(time.Hour)
	if g := s.untried(p); g != nil || !p.Next.Equal(at(90*time.Second)) {
		t.Errorf("%v, look again after %v", g, p.Next.Sub(t0))
	}
	s.list[3].tries = 1
	p.now = at(5 * time.Minute)
	s.strange[s.list[2].addresses[0].Wide()] = strange{3, at(time.Hour)}
	if g := s.untried(p); g != s.list[1] {
		t.Errorf("%v is next", g)
	}
	s.list[1].began = t0
	if g := s.untried(p); g != s.list[3] {
		t.Errorf("%v is next", g)
	}
}

// TestLadderOfStrangers: where no primary may be dialled none is waited for; and who
// waits for its turn is no step.
func TestLadderOfStrangers(t *testing.T) {
	s := guardsOf(0, 5)
	s.ladder, s.steps = 4, 1
	wait := func(n int) { s.strange[s.list[n].addresses[0].Wide()] = strange{3, at(time.Minute)} }
	p := &plan{Plan: Plan{Next: at(time.Hour)}, now: t0}
	wait(0)
	if s.unanswered(p) {
		t.Error("one of two primaries may be dialled, and is not waited for")
	}
	wait(1)
	if !s.unanswered(p) {
		t.Error("nobody is there to be waited for")
	}
	s.list[0].began = t0
	if s.unanswered(p) {
		t.Error("one is about to answer")
	}
	wait(2)
	if g := s.candidate(t0); g != s.list[3] {
		t.Errorf("the next is %v", g)
	}
}

// TestStoredProved: where a guard has answered outlives a restart; what is no such
// place is damage.
func TestStoredProved(t *testing.T) {
	s := guardsOf(2, 1)
	s.list[0].proved = append(s.list[0].proved, book.Web(netip.MustParseAddrPort("[2a00:1::1]:443")), book.Web(netip.MustParseAddrPort("9.9.9.9:80")))
	read := guardsOf(0, 0).readsBack(t, s)
	for i, g := range s.list {
		if !slices.Equal(read.list[i].proved, g.proved) {
			t.Errorf("guard %d has answered at %v, read %v", i, g.proved, read.list[i].proved)
		}
	}

	hint := directory.Hint{ID: idOf(2), Addresses: []directory.Address{addr("9.9.9.9:80")}}
	other := directory.Hint{ID: idOf(3), Addresses: hint.Addresses}
	web := directory.Hint{ID: idOf(2), Addresses: []directory.Address{{Transport: directory.Web, AddrPort: netip.MustParseAddrPort("80.1.0.1:443"), Host: "a.example"}}}
	b := s.Append(nil)
	for name, c := range map[string]struct {
		proved []byte
		good   bool
	}{
		"one":             {hint.Append(nil), true},
		"of another":      {other.Append(nil), false},
		"no place":        {web.Append(nil), false},
		"without address": {hint.Append(nil)[:32], false},
		"more":            {append(hint.Append(nil), 9), false},
		"none":            {nil, true},
	} {
		changed := append(bytes.Clone(b[:len(b)-1]), byte(len(c.proved)))
		_, err := guardsOf(0, 0).Cut(append(changed, c.proved...))
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if binary.BigEndian.Uint64(b) == 0 {
		t.Error("nothing is stored")
	}
}
