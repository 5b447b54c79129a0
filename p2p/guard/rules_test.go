package guard

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/wire"
)

var t0 = time.Unix(1_800_000_000, 0)

func at(d time.Duration) time.Time { return t0.Add(d) }

func idOf(n int) wire.NodeID { return wire.NodeID{byte(n >> 8), byte(n), 1} }

// relayOf is relay n, in a network of its own.
func relayOf(n int) Relay {
	a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(11 + n/250), byte(n % 250), 0, 1}), 4001)
	return Relay{ID: idOf(n), Addresses: []directory.Address{{AddrPort: a}}, Fit: true}
}

// guardsOf has a list of met guards, then unmet ones, with a life of a year.
func guardsOf(met, unmet int) *Guards {
	s := New(Config{Rand: rand.New(rand.NewPCG(1, 1))})
	s.lived = 1000 * day
	s.calm = s.lived
	for n := range met + unmet {
		r := relayOf(n)
		g := &guard{id: r.ID, addresses: r.Addresses, until: s.lived + 365*day, sure: true}
		if n < met {
			g.met, g.proved = day, []book.Address{r.Addresses[0].Book()}
		}
		s.list = append(s.list, g)
	}
	return s
}

// up connects some guards of a list.
func (s *Guards) up(guards ...int) *Guards {
	for _, n := range guards {
		s.list[n].link, s.list[n].since = true, t0
	}
	return s
}

func numbers(list []*guard) (n []int) {
	for _, g := range list {
		n = append(n, int(g.id[0])<<8|int(g.id[1]))
	}
	return n
}

// TestPrimaries: two, and a third that was met.
func TestPrimaries(t *testing.T) {
	for _, c := range []struct{ met, unmet, want int }{
		{0, 0, 0}, {0, 1, 1}, {0, 5, 2}, {1, 5, 2}, {2, 5, 2}, {3, 0, 3}, {3, 5, 3}, {5, 5, 3}, {1, 0, 1},
	} {
		if got := len(guardsOf(c.met, c.unmet).primaries()); got != c.want {
			t.Errorf("%d met, %d unmet: %d primaries, want %d", c.met, c.unmet, got, c.want)
		}
	}
}

// TestTimeThatCounts: time lived follows the clock forwards, a day at most at a look, and
// never back.
func TestTimeThatCounts(t *testing.T) {
	for name, c := range map[string]struct {
		before, clock time.Time
		lived         time.Duration
		after         time.Time
	}{
		"at first":        {time.Time{}, t0, 0, t0},
		"an hour":         {t0, at(time.Hour), time.Hour, at(time.Hour)},
		"a day":           {t0, at(day), day, at(day)},
		"a month":         {t0, at(30 * day), day, at(30 * day)},
		"back":            {t0, at(-time.Hour), 0, at(-time.Hour)},
		"not known":       {t0, time.Time{}, 0, t0},
		"not known yet":   {time.Time{}, time.Time{}, 0, time.Time{}},
		"a moment":        {t0, at(1), 1, at(1)},
		"the same moment": {t0, t0, 0, t0},
	} {
		s := guardsOf(2, 0)
		s.clock = c.before
		before := s.lived
		if s.live(c.clock); s.lived-before != c.lived || !s.clock.Equal(c.after) || s.change {
			t.Errorf("%s: %v lived, clock %v", name, s.lived-before, s.clock)
		}
	}
}

// TestCalm: thirty days without a false alarm make the grace a quarter, and the spent
// budget is forgotten.
func TestCalm(t *testing.T) {
	for name, c := range map[string]struct {
		grace, calm, want time.Duration
		changed           bool
	}{
		"at its least":    {graceMin, 100 * day, graceMin, false},
		"just not yet":    {16 * graceMin, graceCalm - 1, 16 * graceMin, false},
		"a quarter":       {16 * graceMin, graceCalm, 4 * graceMin, true},
		"never less":      {2 * graceMin, graceCalm, graceMin, true},
		"long ago, still": {64 * graceMin, 300 * day, 16 * graceMin, true},
	} {
		s := guardsOf(2, 0)
		s.grace, s.calm = c.grace, s.lived-c.calm
		s.live(t0)
		if s.grace != c.want || s.change != c.changed || c.changed && s.calm != s.lived {
			t.Errorf("%s: %v, want %v; changed %v", name, s.grace, c.want, s.change)
		}
	}
	s := guardsOf(2, 0)
	s.spent = []time.Duration{s.lived - budgetFor, s.lived - budgetFor + 1, s.lived}
	if s.live(t0); len(s.spent) != 2 {
		t.Errorf("%d are counted, want 2", len(s.spent))
	}
}

// TestPrune: guards go at the end of their lives, but not while nobody may take their
// places, and a week after they left the list.
func TestPrune(t *testing.T) {
	over, alive := time.Duration(0), time.Second // of life that is left
	type of struct {
		left, unlisted time.Duration
		met            bool
	}
	for name, c := range map[string]struct {
		list  []of
		spent int
		want  []int
	}{
		"all alive":                         {[]of{{left: alive, met: true}, {left: alive, met: true}}, 2, []int{0, 1}},
		"one over":                          {[]of{{left: over, met: true}, {left: alive, met: true}}, 0, []int{1}},
		"one over, the budget half spent":   {[]of{{left: over, met: true}, {left: alive, met: true}}, 1, []int{1}},
		"one over, the budget spent":        {[]of{{left: over, met: true}, {left: alive, met: true}}, 2, []int{0, 1}},
		"three over, the budget spent":      {[]of{{left: over, met: true}, {left: over, met: true}, {left: over, met: true}}, 2, []int{0, 1}},
		"both over, one may come":           {[]of{{left: over, met: true}, {left: over, met: true}}, 1, []int{0}},
		"unmet ones go in any case":         {[]of{{left: alive, met: true}, {left: over}}, 2, []int{0}},
		"unmet ones take no place":          {[]of{{left: over, met: true}, {left: alive}, {left: alive}}, 2, []int{0, 1, 2}},
		"a week off the list":               {[]of{{left: alive, met: true, unlisted: unlistedFor}, {left: alive, met: true}}, 2, []int{1}},
		"nearly a week":                     {[]of{{left: alive, met: true, unlisted: unlistedFor - 1}, {left: alive, met: true}}, 2, []int{0, 1}},
		"a week off, though nobody is left": {[]of{{left: over, met: true, unlisted: unlistedFor}}, 2, nil},
	} {
		s := guardsOf(0, 0)
		for n, g := range c.list {
			x := &guard{id: idOf(n), until: s.lived + g.left}
			if g.met {
				x.met = day
			}
			if g.unlisted > 0 {
				x.unlisted = s.lived - g.unlisted
			}
			s.list = append(s.list, x)
		}
		s.spent, s.dry = make([]time.Duration, c.spent), true
		s.prune()
		if got := numbers(s.list); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v stay, want %v", name, got, c.want)
		}
		if went := len(c.want) < len(c.list); s.change != went || s.dry == went || len(s.gone) != 0 {
			t.Errorf("%s: changed %v, dry %v, %d to be closed", name, s.change, s.dry, len(s.gone))
		}
	}
}

// TestRemovedIsClosed: links and attempts of guards that go are told.
func TestRemovedIsClosed(t *testing.T) {
	s := guardsOf(3, 1).up(0)
	s.list[1].began = t0
	s.remove(func(g *guard) bool { return g != s.list[3] })
	if len(s.list) != 1 || !slices.Equal(s.gone, []wire.NodeID{idOf(0), idOf(1)}) {
		t.Errorf("%d stay, %v are to be closed", len(s.list), s.gone)
	}
}

// TestExtend: only fit relays with an address in a network that no guard is in are drawn,
// for 240 to 480 days, and it is remembered when there are none.
func TestExtend(t *testing.T) {
	unfit, nowhere, near := relayOf(100), relayOf(101), relayOf(102)
	unfit.Fit, nowhere.Addresses = false, nil
	near.Addresses = relayOf(0).Addresses
	for name, c := range map[string]struct {
		relays []Relay
		full   bool
		want   bool
	}{
		"one":          {[]Relay{relayOf(50)}, false, true},
		"none":         {nil, false, false},
		"unfit":        {[]Relay{unfit}, false, false},
		"nowhere":      {[]Relay{nowhere}, false, false},
		"in a network": {[]Relay{near}, false, false},
		"a guard":      {[]Relay{relayOf(1)}, false, false},
		"one of all":   {[]Relay{unfit, nowhere, near, relayOf(0), relayOf(1), relayOf(50)}, false, true},
		"no room":      {[]Relay{relayOf(500)}, true, false},
	} {
		s := guardsOf(2, 0)
		if c.full {
			s = guardsOf(2, MaxGuards-2)
		}
		n := len(s.list)
		s.Relays(append([]Relay{relayOf(0), relayOf(1)}, c.relays...), true)
		s.change = false
		if got := s.extend(); got != c.want || s.change != c.want || len(s.list)-n != map[bool]int{true: 1}[c.want] {
			t.Errorf("%s: drawn %v", name, got)
		}
		if s.dry != (!c.want && !c.full) {
			t.Errorf("%s: dry %v", name, s.dry)
		}
		if c.want {
			g := s.list[n]
			if life := g.until - s.lived; g.id != idOf(50) || life < lifeMin || life >= lifeMax || !g.sure || g.met != 0 {
				t.Errorf("%s: %+v", name, g)
			}
		}
	}
	s := guardsOf(0, 0)
	s.Relays([]Relay{relayOf(1)}, false)
	if s.extend(); s.list[0].sure {
		t.Error("one source is sure")
	}
	s.Relays([]Relay{relayOf(1), relayOf(2)}, true)
	s.dry = true
	if s.extend() {
		t.Error("drawn though it is known that there is none")
	}
}

// TestLifeIsTheLargerOfTwo: 400 days in the mean.
func TestLifeIsTheLargerOfTwo(t *testing.T) {
	sum := 0.0 // days
	const n = 600
	for round := range uint64(n / 30) {
		s := New(Config{Rand: rand.New(rand.NewPCG(round, 7))})
		var list []Relay
		for i := range 30 {
			list = append(list, relayOf(i))
		}
		s.Relays(list, true)
		s.ready(30)
		for _, g := range s.list {
			sum += float64(g.until-s.lived) / float64(day)
		}
	}
	if mean := sum / n; mean < 392 || mean > 408 {
		t.Errorf("%.0f days in the mean", mean)
	}
}

// TestApart: a relay is apart from others than itself in other networks. Relays without
// a network, as an onion, are in none together.
func TestApart(t *testing.T) {
	at := func(id int, addrs ...string) Relay {
		r := Relay{ID: idOf(id)}
		for _, a := range addrs {
			x := directory.Address{}
			if a != "" {
				x.AddrPort = netip.MustParseAddrPort(a)
			}
			r.Addresses = append(r.Addresses, x)
		}
		return r
	}
	one := at(1, "20.1.2.3:1", "[2a00:1:2::1]:1")
	named := at(2, "20.2.2.3:1", "20.1.9.9:443") // nobody dials the second: it is beside no address
	named.Addresses[1].Host = "a.example"
	for name, c := range map[string]struct {
		r       Relay
		public  bool
		private bool
	}{
		"itself":               {one, false, false},
		"elsewhere":            {at(2, "20.2.2.3:1"), true, true},
		"in one network":       {at(2, "20.1.9.9:7"), false, true},
		"also in one network":  {at(2, "21.1.1.1:1", "20.1.9.9:7"), false, true},
		"in one network of v6": {at(2, "[2a00:1:ffff::1]:1"), false, true},
		"elsewhere in v6":      {at(2, "[2a00:2::1]:1"), true, true},
		"nowhere":              {at(2), true, true},
		"there by a name":      {named, true, true},
	} {
		for _, private := range []bool{false, true} {
			s := New(Config{AllowPrivate: private})
			want := c.public
			if private {
				want = c.private
			}
			if got := s.apart(c.r, &guard{id: one.ID, addresses: one.Addresses}); got != want {
				t.Errorf("%s, private %v: %v", name, private, got)
			}
		}
	}
	onion := at(2, "")
	if !New(Config{}).apart(onion, &guard{id: idOf(3), addresses: onion.Addresses}) {
		t.Error("two onions are in one network")
	}
}

// TestMayMeet: rule 5.
func TestMayMeet(t *testing.T) {
	for name, c := range map[string]struct {
		met, spent, under int
		up                []int
		refused, asked    bool
		want              bool
	}{
		"a newcomer":                         {want: true},
		"a newcomer, all spent":              {spent: 2},
		"one is up, another is wanted":       {met: 1, spent: 2, up: []int{0}, want: true},
		"one was met and is not up":          {met: 1, spent: 2},
		"two were met":                       {met: 2, want: true},
		"half is spent":                      {met: 2, spent: 1, up: []int{0}, want: true},
		"all is spent":                       {met: 2, spent: 2, up: []int{0}},
		"one is under way":                   {met: 2, spent: 1, under: 1, up: []int{0}},
		"two are under way":                  {met: 2, under: 2, up: []int{0}},
		"one of two":                         {met: 2, under: 1, up: []int{0}, want: true},
		"all is spent, a person asks":        {met: 2, spent: 2, asked: true, want: true},
		"nobody is up, the network is":       {met: 2, spent: 2, refused: true, want: true},
		"somebody is up, and another refuse": {met: 2, spent: 2, refused: true, up: []int{0}},
		"the first two under way are free":   {under: 2, spent: 1, want: true},
	} {
		s := guardsOf(c.met, 6).up(c.up...)
		s.spent, s.asked = make([]time.Duration, c.spent), c.asked
		for i := range c.under {
			s.list[c.met+i].began = t0
		}
		if c.refused {
			s.refusal = t0
		}
		if got := s.mayMeet(at(recent - 1)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if c.refused && s.mayMeet(at(recent)) {
			t.Errorf("%s: a refusal counts for ever", name)
		}
	}
}

// TestJitter: a quarter either way.
func TestJitter(t *testing.T) {
	s := New(Config{Rand: rand.New(rand.NewPCG(1, 1))})
	least, most := time.Hour, time.Duration(0)
	for range 1000 {
		d := s.jitter(4 * time.Second)
		least, most = min(least, d), max(most, d)
	}
	if least < 3*time.Second || most > 5*time.Second || least > 3100*time.Millisecond || most < 4900*time.Millisecond {
		t.Errorf("4 s become %v to %v", least, most)
	}
}

// TestByRelay: every relay is found, in any order, and no other.
func TestByRelay(t *testing.T) {
	var list []Relay
	for _, n := range rand.New(rand.NewPCG(1, 1)).Perm(40) {
		list = append(list, relayOf(2*n))
	}
	find := byRelay(list)
	for n := range 80 {
		if r, ok := find(idOf(n)); ok != (n%2 == 0) || ok && r.ID != idOf(n) || !ok && r.ID != (wire.NodeID{}) {
			t.Errorf("relay %d: %v", n, ok)
		}
	}
}

// TestMeet: a guard that is met comes after those met before, and counts against the
// budget from the third on.
func TestMeet(t *testing.T) {
	s := guardsOf(0, 4)
	for _, n := range []int{2, 1, 3, 1} {
		s.change = false
		before := len(s.spent)
		i := slices.IndexFunc(s.list, func(g *guard) bool { return g.id == idOf(n) })
		g := s.list[i]
		again, met := g.met > 0, s.metCount()
		s.meet(g)
		if spent := len(s.spent) > before; spent != (!again && met >= Use) || s.change == again {
			t.Errorf("guard %d: spent %v, changed %v", n, spent, s.change)
		}
	}
	if got := numbers(s.list); !slices.Equal(got, []int{2, 1, 3, 0}) || s.metCount() != 3 || s.spent[0] != s.lived {
		t.Errorf("order %v, %d met", got, s.metCount())
	}
}

// TestAlarm: rule 4: a primary that connects while the ladder runs was up all the time,
// unless a stranger was up for long before it.
func TestAlarm(t *testing.T) {
	for name, c := range map[string]struct {
		guard, steps int
		onLadder     bool
		first        bool
		after        time.Duration // that somebody is up
		grace        time.Duration
		want         time.Duration
		steppedOff   bool
	}{
		"no ladder":                {guard: 0, first: true, grace: graceMin, want: graceMin, steppedOff: true},
		"a primary, first":         {guard: 0, steps: 3, first: true, after: time.Hour, grace: graceMin, want: 4 * graceMin, steppedOff: true},
		"a primary, soon after":    {guard: 1, steps: 3, after: trueAlarm - 1, grace: graceMin, want: 4 * graceMin, steppedOff: true},
		"a primary, long after":    {guard: 1, steps: 3, after: trueAlarm, grace: graceMin, want: graceMin, steppedOff: true},
		"a stranger":               {guard: 5, steps: 3, first: true, grace: graceMin, want: graceMin},
		"a primary, as a stranger": {guard: 0, steps: 3, onLadder: true, first: true, grace: graceMin, want: graceMin},
		"at the limit":             {guard: 0, steps: 3, first: true, grace: 4 * time.Hour, want: graceMax, steppedOff: true},
	} {
		s := guardsOf(3, 5)
		s.steps, s.ladder, s.grace, s.since, s.calm = c.steps, 9, c.grace, t0, day
		if c.onLadder {
			s.list[c.guard].step = 9
		}
		s.alarm(s.list[c.guard], c.first, at(c.after))
		false_ := c.want != c.grace
		if s.grace != c.want || (s.steps == 0) != c.steppedOff || s.change != false_ || (s.calm == s.lived) != false_ {
			t.Errorf("%s: grace %v, want %v; %d steps", name, s.grace, c.want, s.steps)
		}
	}
}

// TestInUse: the first two that are up, one without a route behind the others; an avoided one only if there is no other with
// a route.
func TestInUse(t *testing.T) {
	for name, c := range map[string]struct{ up, avoided, unlisted, want []int }{
		"none":              {nil, nil, nil, nil},
		"one":               {[]int{2}, nil, nil, []int{2}},
		"the first two":     {[]int{0, 1, 3}, nil, nil, []int{0, 1}},
		"not the avoided":   {[]int{0, 1, 3}, []int{0}, nil, []int{1, 3}},
		"all but one":       {[]int{0, 1, 3}, []int{0, 3}, nil, []int{1}},
		"all are":           {[]int{0, 1, 3}, []int{0, 1, 3}, nil, []int{0, 1}},
		"avoided, not up":   {[]int{1}, []int{0, 2}, nil, []int{1}},
		"one, and avoided":  {[]int{3}, []int{3}, nil, []int{3}},
		"one up, not first": {[]int{3}, []int{0}, nil, []int{3}},

		"one has left the list":              {[]int{0, 1}, nil, []int{0}, []int{1, 0}},
		"both have":                          {[]int{0, 1}, nil, []int{0, 1}, []int{0, 1}},
		"of three":                           {[]int{0, 1, 3}, nil, []int{0}, []int{1, 0}},
		"the other is avoided":               {[]int{0, 1}, []int{1}, []int{0}, []int{1, 0}},
		"one has, and is avoided":            {[]int{0, 1}, []int{0}, []int{0}, []int{1}},
		"all have, one is avoided":           {[]int{0, 1}, []int{0}, []int{0, 1}, []int{1}},
		"all have, and are avoided":          {[]int{0, 1}, []int{0, 1}, []int{0, 1}, []int{0, 1}},
		"one has, the other two are avoided": {[]int{0, 1, 3}, []int{1, 3}, []int{0}, []int{1, 3}},
	} {
		s := guardsOf(3, 2).up(c.up...)
		for _, n := range c.avoided {
			s.list[n].no = at(1)
		}
		for _, n := range c.unlisted {
			s.list[n].unlisted = 1
		}
		if got := numbersOf(s.InUse(t0)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if len(c.unlisted) > 0 {
			continue
		}
		all := slices.Sorted(slices.Values(c.up))
		if got := numbersOf(s.InUse(at(1))); !slices.Equal(got, all[:min(2, len(all))]) {
			t.Errorf("%s, later: %v", name, got)
		}
	}
}

// TestUnlistedKeepsItsPlace: a guard that has left the list is behind the others for what is sent, and nowhere else: a third one
// that stood in is let go, not it, and nobody is dialled in its place.
func TestUnlistedKeepsItsPlace(t *testing.T) {
	s := guardsOf(3, 2).up(0, 1, 2)
	s.list[0].unlisted = s.lived
	for n, want := range [][]int{{2}, nil, nil} {
		p := s.Plan(at(time.Duration(n)*time.Minute), time.Time{})
		if got := numbersOf(p.Close); !slices.Equal(got, want) || len(p.Try) > 0 {
			t.Errorf("look %d closes %v and tries %d", n, got, len(p.Try))
		}
	}
	if got := numbersOf(s.InUse(at(time.Hour))); !slices.Equal(got, []int{1, 0}) {
		t.Errorf("in use %v", got)
	}
}

// TestAvoidTrust: an avoided guard is so for half an hour from the first word on, and
// not any longer when the word is taken back.
func TestAvoidTrust(t *testing.T) {
	s := guardsOf(3, 0).up(0, 1)
	s.Avoid(idOf(0), t0)
	s.Avoid(idOf(0), at(avoidedFor/2)) // makes it no longer
	g := s.list[0]
	if !g.avoided(at(avoidedFor-1)) || g.avoided(at(avoidedFor)) {
		t.Errorf("avoided until %v", g.no)
	}
	if s.Trust(idOf(0)); g.avoided(t0) {
		t.Error("still avoided")
	}
}

// TestWaited: rule 3: how long is waited for a guard that is away.
func TestWaited(t *testing.T) {
	for name, c := range map[string]struct {
		away, up    time.Duration // since when, before now; 0: it was not tried
		short, last time.Duration // no route since, and the last time
		asked       bool
		want        bool
		again       time.Duration // when to look again, 0: not before an hour
	}{
		"not tried":                     {},
		"just now":                      {away: time.Second, up: day, again: standIn - time.Second},
		"nearly two hours":              {away: standIn - 1, up: day, again: 1},
		"two hours":                     {away: standIn, up: day, want: true},
		"two hours, all were away":      {away: day, up: time.Hour, again: time.Hour},
		"a person asks":                 {away: time.Second, up: day, asked: true, want: true},
		"no route for a while":          {away: time.Second, up: day, short: shortFor - time.Second, last: 1, again: time.Second},
		"no route for a minute":         {away: time.Second, up: day, short: shortFor, last: 1, want: true},
		"no route for a minute, once":   {away: time.Second, up: day, short: 2 * shortFor, last: shortFor, again: standIn - time.Second},
		"no route though it is untried": {short: shortFor, last: 1, want: true},
	} {
		s := guardsOf(2, 0)
		now := at(10 * day)
		s.asked, s.since = c.asked, now.Add(-c.up)
		g := s.list[0]
		if c.away > 0 {
			g.away = now.Add(-c.away)
		}
		if c.short > 0 {
			s.short, s.still = now.Add(-c.short), now.Add(-c.last)
		}
		p := &plan{Plan: Plan{Next: now.Add(day)}, now: now}
		if got := s.waited(g, p); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		want := now.Add(day)
		if c.again > 0 {
			want = now.Add(c.again)
		}
		if !p.Next.Equal(want) {
			t.Errorf("%s: again after %v, want %v", name, p.Next.Sub(now), want.Sub(now))
		}
	}
}

// TestShortSince: no route counts from the first time on, unless there was one between.
func TestShortSince(t *testing.T) {
	s := guardsOf(2, 0)
	for _, c := range []struct{ now, since time.Duration }{
		{0, 0}, {30 * time.Second, 0}, {90 * time.Second, 0}, {150 * time.Second, 0},
		{150*time.Second + shortFor + 1, 150*time.Second + shortFor + 1}, {240 * time.Second, 150*time.Second + shortFor + 1},
	} {
		if s.Short(at(c.now)); !s.short.Equal(at(c.since)) || !s.still.Equal(at(c.now)) {
			t.Errorf("after %v: since %v, want %v", c.now, s.short.Sub(t0), c.since)
		}
	}
}

// TestPatience: how long all have to be silent.
func TestPatience(t *testing.T) {
	for name, c := range map[string]struct {
		grace          time.Duration
		asked, refused bool
		want           time.Duration
	}{
		"at first":               {graceMin, false, false, graceMin},
		"they refuse":            {graceMin, false, true, restart},
		"they refuse, long":      {time.Hour, false, true, time.Hour},
		"long":                   {time.Hour, false, false, time.Hour},
		"a person asks":          {time.Hour, true, false, 0},
		"a person, they refused": {time.Hour, true, true, 0},
	} {
		s := guardsOf(2, 0)
		s.grace, s.asked = c.grace, c.asked
		if c.refused {
			s.refusal = t0
		}
		if got := s.patience(at(1)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestNetworkState: the state of the network, and when there is hope.
func TestNetworkState(t *testing.T) {
	for name, c := range map[string]struct {
		up               []int
		refused, nowhere time.Duration // ago, 0: never
		offline          bool
		want             Network
	}{
		"nothing is known":       {want: Unsure},
		"one is up":              {up: []int{1}, offline: true, want: Up},
		"one has refused":        {refused: recent - 1, offline: true, want: Up},
		"one has refused before": {refused: recent, want: Unsure},
		"no way":                 {nowhere: pauseDown - 1, want: Down},
		"no way before":          {nowhere: pauseDown, want: Unsure},
		"the system says so":     {offline: true, want: Down},
	} {
		s := guardsOf(2, 0).up(c.up...)
		now := at(day)
		s.offline = c.offline
		if c.refused > 0 {
			s.refusal = now.Add(-c.refused)
		}
		if c.nowhere > 0 {
			s.nowhere = now.Add(-c.nowhere)
		}
		if got := s.State(now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	for _, c := range []struct {
		met, steps int
		up         bool
		want       bool
	}{{0, 0, false, false}, {2, 0, false, true}, {2, 1, false, false}, {2, 1, true, true}, {0, 1, false, false}} {
		s := guardsOf(c.met, 2)
		s.steps = c.steps
		if c.up {
			s.up(0)
		}
		if got := s.Hopeful(); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestTryOthers: the grace begins anew, and others are asked for if two are not in use.
func TestTryOthers(t *testing.T) {
	for up, want := range map[int]bool{0: true, 1: true, 2: false} {
		s := guardsOf(3, 0)
		for n := range up {
			s.up(n)
		}
		s.grace, s.calm = time.Hour, 1
		if s.TryOthers(t0); s.asked != want || s.grace != graceMin || s.calm != s.lived || !s.change {
			t.Errorf("%d up: asked %v, grace %v", up, s.asked, s.grace)
		}
	}
}

// TestUntried: unmet ones come in order: one that has not failed, a new one, one that
// may be tried again.
func TestUntried(t *testing.T) {
	s := guardsOf(1, 3)
	s.Relays([]Relay{relayOf(0), relayOf(1), relayOf(2), relayOf(3), relayOf(9)}, true)
	next := func() int {
		if g := s.untried(&plan{now: at(10), Plan: Plan{Next: at(day)}}); g != nil {
			return numbers([]*guard{g})[0]
		}
		return -1
	}
	want := func(n int, why string) {
		t.Helper()
		if got := next(); got != n {
			t.Errorf("%s: %d, want %d", why, got, n)
		}
	}
	want(1, "the first")
	s.list[1].began = t0
	want(2, "the first is under way")
	s.list[2].tries, s.list[2].next = 1, at(20)
	s.list[3].tries, s.list[3].next = 1, at(10)
	want(9, "a new one")
	s.list[4].tries, s.list[4].next = 2, at(11)
	want(3, "one whose pause is over")
	s.list[3].began = t0
	want(-1, "none")
}

// TestRelease: a link beyond the two in use, and an unwanted attempt, are given up; a
// relay that may have seen us by it counts as met.
func TestRelease(t *testing.T) {
	s := guardsOf(3, 3).up(0, 2, 4)
	s.list[1].began, s.list[3].began, s.list[5].began = t0, t0, t0
	s.list[5].tries, s.list[5].away, s.list[5].next = 3, t0, t0
	p := &plan{now: at(1), wanted: []*guard{s.list[1]}}
	s.release(p)
	if want := []wire.NodeID{idOf(3), idOf(4), idOf(5)}; !slices.Equal(p.Close, want) || len(s.spent) != 2 || !s.change {
		t.Errorf("closed %v, want %v; %d spent", p.Close, want, len(s.spent))
	}
	if g := s.list[5]; g.dialling() || g.tries != 0 || !g.away.IsZero() || !g.next.IsZero() || s.list[4].link || !s.list[1].dialling() {
		t.Errorf("%+v", g)
	}

	// One link of two is kept, and attempts of the ladder while it runs.
	s = guardsOf(3, 3).up(4)
	s.list[5].began, s.list[3].began = t0, t0
	s.steps, s.ladder, s.list[5].step = 2, 7, 7
	p = &plan{now: at(1)}
	s.release(p)
	if want := []wire.NodeID{idOf(3)}; !slices.Equal(p.Close, want) {
		t.Errorf("closed %v, want %v", p.Close, want)
	}
	// Of those that are met, or are the first two, none counts.
	s = guardsOf(1, 1)
	s.list[0].began, s.list[1].began = t0, t0
	if s.release(&plan{now: at(1)}); len(s.spent) != 0 || s.change {
		t.Errorf("%d spent", len(s.spent))
	}
	s = guardsOf(3, 1)
	s.list[2].began = t0
	if s.release(&plan{now: at(1)}); len(s.spent) != 0 || s.change {
		t.Errorf("%d spent for the third that was met", len(s.spent))
	}
	// One that is avoided is kept beside the only other.
	s = guardsOf(2, 1).up(0, 1)
	s.list[1].no = at(100)
	p = &plan{now: at(1)}
	if s.release(p); len(p.Close) != 0 || !s.list[1].link {
		t.Errorf("closed %v", p.Close)
	}
}
