package guard

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"starling/p2p/book"
	"starling/p2p/wire"
)

// TestConnectedFirst: the first that is up ends the silence: others are tried soon, as
// if they had never failed. One that connects beside it changes nothing for them.
func TestConnectedFirst(t *testing.T) {
	for _, beside := range []bool{false, true} {
		s := guardsOf(4, 1)
		now := at(time.Hour)
		s.since, s.silent, s.asked = t0, t0, true
		if beside {
			s.up(1)
		}
		for i, g := range s.list {
			g.tries, g.next = i+3, now.Add(time.Duration(i)*100*time.Millisecond)
		}
		s.list[2].next, s.list[3].next = now.Add(day), now.Add(day)

		s.Connected(idOf(0), book.Address{}, now)
		g := s.list[0]
		if !g.link || !g.since.Equal(now) || g.tries != 3 || !g.next.IsZero() || s.asked {
			t.Errorf("beside %v: %+v, asked %v", beside, g, s.asked)
		}
		if took := g.took; took != 0 {
			t.Errorf("beside %v: it took %v, and nobody had asked", beside, took)
		}
		for i, o := range s.list[1:] {
			soon, tries := !o.next.After(now.Add(pauseMin*5/4)), o.tries
			switch {
			case beside && (tries != i+4 || i > 0 && i < 3 && soon):
				t.Errorf("one that failed %d times is tried at %v beside another", tries, o.next.Sub(now))
			case !beside && (tries != 0 || !soon):
				t.Errorf("one that failed %d times is tried at %v after the first", tries, o.next.Sub(now))
			case !beside && i == 0 && !o.next.Equal(now.Add(100*time.Millisecond)):
				t.Errorf("one whose turn had come is put off until %v", o.next.Sub(now))
			}
		}
		if first := s.since.Equal(now) && s.silent.IsZero(); first == beside {
			t.Errorf("beside %v: somebody is up since %v, silent since %v", beside, s.since.Sub(t0), s.silent)
		}
	}
}

// TestConnectedAgain: a link that is known of is no news.
func TestConnectedAgain(t *testing.T) {
	s := guardsOf(2, 0).up(0)
	s.asked = true
	s.Connected(idOf(0), book.Web(netip.MustParseAddrPort("9.9.9.9:4001")), at(time.Hour))
	if g := s.list[0]; !g.since.Equal(t0) || len(g.proved) != 1 || !s.asked || s.change {
		t.Errorf("%+v", g)
	}
}

// TestFailed: what an attempt that led to nothing leaves behind.
func TestFailed(t *testing.T) {
	const asked = 3 * time.Second // ago
	for name, c := range map[string]struct {
		why              Result
		quick            bool
		away             time.Duration // since when, before now
		refusal, nowhere bool
	}{
		"no answer":        {why: Timeout},
		"refused":          {why: Refused, refusal: true},
		"another key":      {why: WrongKey, refusal: true},
		"no way":           {why: Unreachable, nowhere: true},
		"no way, at once":  {why: Unreachable, quick: true, nowhere: true},
		"at once":          {why: Timeout, quick: true},
		"away for an hour": {why: Timeout, away: time.Hour},
	} {
		s := guardsOf(2, 0)
		now := at(day)
		s.alone = now.Add(-time.Second)
		before := now.Add(-time.Hour)
		s.nowhere = before
		g := s.list[0]
		g.began = now.Add(-asked)
		if c.quick {
			g.began = now.Add(-patience + 1)
		}
		if c.away > 0 {
			g.away = now.Add(-c.away)
		}
		s.Failed(idOf(0), c.why, now)

		if g.dialling() || g.tries != 1 || !g.ended.Equal(now) || g.why != c.why || !g.away.Equal(now.Add(-c.away)) {
			t.Errorf("%s: %+v", name, g)
		}
		if s.refusal.Equal(now) != c.refusal {
			t.Errorf("%s: refused at %v", name, s.refusal)
		}
		want := before
		if c.refusal {
			want = time.Time{}
		}
		if c.nowhere {
			want = now
		}
		if !s.nowhere.Equal(want) {
			t.Errorf("%s: there was no way at %v, want %v", name, s.nowhere, want)
		}
		if pause := g.next.Sub(now); c.quick && pause < pauseMin*3/4 {
			t.Errorf("%s: it is tried again after %v", name, pause)
		} else if why := c.why; why == Timeout && !c.quick && pause != 0 {
			t.Errorf("%s: it is tried again after %v, want at once", name, pause)
		}
	}

	// One that is refused at once, again and again, waits no less than another.
	often := guardsOf(2, 0)
	g := often.list[0]
	g.began, g.tries = at(day), 8
	if often.Failed(idOf(0), Refused, at(day)); g.next.Sub(at(day)) < 3*time.Second {
		t.Errorf("one that refused nine times is tried after %v", g.next.Sub(at(day)))
	}

	// An attempt that was given up has ended already.
	s := guardsOf(2, 0)
	if s.Failed(idOf(0), Timeout, t0); s.list[0].tries != 0 || !s.list[0].away.IsZero() {
		t.Errorf("%+v", s.list[0])
	}
}

// TestPause: how long a guard is not tried again.
func TestPause(t *testing.T) {
	for name, c := range map[string]struct {
		why     Result
		tries   int
		alone   time.Duration // before the attempt ended
		up      bool
		offline bool
		ladder  int
		stepped time.Duration // before it ended
		want    time.Duration
	}{
		"silent, soon":                 {why: Timeout, tries: 9, alone: early - 1, want: 0},
		"silent, long":                 {why: Timeout, tries: 9, alone: early, stepped: day, want: pauseSilent * 4 / 5},
		"silent, long, at first":       {why: Timeout, tries: 1, alone: early, stepped: day, want: pauseMin},
		"silent, long, the third":      {why: Timeout, tries: 3, alone: early, stepped: day, want: 4 * pauseMin},
		"silent, a step was just now":  {why: Timeout, tries: 9, alone: day, ladder: fastSteps + 1, stepped: stepPause - 1, want: 0},
		"silent, a step was before":    {why: Timeout, tries: 9, alone: day, ladder: fastSteps + 1, stepped: stepPause, want: pauseSilent * 4 / 5},
		"silent, on a new ladder":      {why: Timeout, tries: 9, alone: day, ladder: 1, stepped: day, want: 0},
		"refused, soon":                {why: Refused, tries: 9, alone: 1, want: pauseRefused * 4 / 5},
		"refused, at first":            {why: Refused, tries: 1, alone: 1, want: pauseMin},
		"another key, long":            {why: WrongKey, tries: 9, alone: day, want: pauseRefused * 4 / 5},
		"no way, soon":                 {why: Unreachable, tries: 9, alone: early - 1, want: pauseMin},
		"no way, long":                 {why: Unreachable, tries: 1, alone: early, want: pauseDown * 4 / 5},
		"no way, the system says so":   {why: Unreachable, tries: 1, alone: 1, offline: true, want: pauseDown * 4 / 5},
		"refused, the system is down":  {why: Refused, tries: 9, alone: 1, offline: true, want: pauseRefused * 4 / 5},
		"silent, another is up":        {why: Timeout, tries: 99, alone: 1, up: true, want: pauseUp * 4 / 5},
		"refused, another is up":       {why: Refused, tries: 99, alone: 1, up: true, want: pauseUp * 4 / 5},
		"no way, another is up":        {why: Unreachable, tries: 99, alone: day, up: true, want: pauseUp * 4 / 5},
		"silent, another is up, first": {why: Timeout, tries: 1, alone: day, up: true, want: pauseMin},
	} {
		s := guardsOf(3, 0)
		g := s.list[0]
		g.ended, g.tries, g.why = at(10*day), c.tries, c.why
		s.alone, s.stepped, s.steps, s.offline = g.ended.Add(-c.alone), g.ended.Add(-c.stepped), c.ladder, c.offline
		if c.up {
			s.up(2)
		}
		if got := s.pause(g, c.why); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestLostLink: a link that ends is made anew at once; one that never lasts, after pauses
// that grow. The last one begins the silence.
func TestLostLink(t *testing.T) {
	for name, c := range map[string]struct {
		lasted      time.Duration
		tries       int
		beside      bool
		least, most time.Duration // of the pause
	}{
		"it lasted":                  {steady, 5, true, 0, 0},
		"it did not":                 {steady - 1, 0, true, 0, 0},
		"it did not, again":          {steady - 1, 1, true, 1500 * time.Millisecond, 2500 * time.Millisecond},
		"it did not, many times":     {1, 20, true, 3 * time.Minute, 5 * time.Minute},
		"the last one":               {steady, 5, false, 0, 0},
		"the last one, did not last": {steady - 1, 20, false, 3 * time.Second, 5 * time.Second},
	} {
		s := guardsOf(2, 0).up(0)
		if c.beside {
			s.up(1)
		}
		g := s.list[0]
		g.tries = c.tries
		now := t0.Add(c.lasted)
		s.Lost(idOf(0), now)
		pause := g.next.Sub(now)
		if g.link || !g.away.Equal(now) || pause < c.least || pause > c.most {
			t.Errorf("%s: tried again after %v, want %v to %v", name, pause, c.least, c.most)
		}
		if s.silent.Equal(now) == c.beside {
			t.Errorf("%s: silent since %v", name, s.silent)
		}
	}
}

// TestLostNothing: the end of a link that there was none of is no news.
func TestLostNothing(t *testing.T) {
	s := guardsOf(2, 0)
	g := s.list[0]
	g.away, g.tries, g.next = t0, 2, at(5)
	s.Lost(idOf(0), at(time.Hour))
	if !g.away.Equal(t0) || g.tries != 2 || !g.next.Equal(at(5)) || !s.silent.IsZero() {
		t.Errorf("%+v", g)
	}
}

// TestQuiet: when nobody is up all are tried soon, and their attempts are in the dark;
// a link that lasted clears those that failed before it.
func TestQuiet(t *testing.T) {
	s := guardsOf(4, 0)
	now := at(time.Hour)
	s.steps = 7
	s.list[0].since, s.list[0].tries = now.Add(-steady), 4
	s.list[1].since, s.list[1].tries = now.Add(1-steady), 5
	s.list[2].tries, s.list[2].next = 6, at(day)
	s.list[3].next = at(1)
	s.quiet(now)
	var tries []int
	for _, g := range s.list {
		tries = append(tries, g.tries)
		if !g.dark || g.next.After(now.Add(pauseMin)) {
			t.Errorf("%+v", g)
		}
	}
	if !slices.Equal(tries, []int{0, 5, 6, 0}) || !s.list[3].next.Equal(at(1)) || s.steps != 0 || !s.alone.Equal(now) || !s.silent.Equal(now) {
		t.Errorf("failed %v times; step %d, silent since %v", tries, s.steps, s.silent)
	}
}

// TestRenew: on another network attempts are made anew of who may see us anyway: who
// was met, and a primary while nobody is up.
func TestRenew(t *testing.T) {
	for name, c := range map[string]struct {
		met, unmet int
		up         []int
		want       []wire.NodeID // given up, of all that are under way
	}{
		"met":                        {3, 2, nil, []wire.NodeID{idOf(0), idOf(1), idOf(2)}},
		"one is up":                  {3, 2, []int{0}, []wire.NodeID{idOf(1), idOf(2)}},
		"a newcomer":                 {0, 4, nil, []wire.NodeID{idOf(0), idOf(1)}},
		"one was met":                {1, 3, nil, []wire.NodeID{idOf(0), idOf(1)}},
		"one was met and is up":      {1, 3, []int{0}, nil},
		"many were met":              {5, 1, nil, []wire.NodeID{idOf(0), idOf(1), idOf(2), idOf(3), idOf(4)}},
		"a stranger under way is up": {2, 2, []int{2}, []wire.NodeID{idOf(0), idOf(1)}},
	} {
		s := guardsOf(c.met, c.unmet)
		for i, g := range s.list {
			if !slices.Contains(c.up, i) {
				g.began = t0
			}
		}
		s.up(c.up...)
		s.renew()
		if !slices.Equal(s.gone, c.want) {
			t.Errorf("%s: %v, want %v", name, numbersOf(s.gone), numbersOf(c.want))
		}
		for _, g := range s.list {
			if g.dialling() == (g.link || slices.Contains(c.want, g.id)) {
				t.Errorf("%s: %+v", name, g)
			}
		}
	}
}

func numbersOf(ids []wire.NodeID) (n []int) {
	for _, id := range ids {
		n = append(n, int(id[0])<<8|int(id[1]))
	}
	return n
}

// TestNetwork: what the system says: that there is none, or another one.
func TestNetwork(t *testing.T) {
	s := guardsOf(3, 0).up(0)
	now := at(day)
	s.nowhere = now
	for _, g := range s.list {
		g.tries, g.next = 5, at(2*day)
	}
	s.list[1].began = t0
	s.Network(true, now)
	if s.offline || !s.nowhere.IsZero() || !s.renewed.Equal(now) || !slices.Equal(s.gone, []wire.NodeID{idOf(1)}) || s.silent.Equal(now) {
		t.Errorf("another network: offline %v, renewed %v, gone %v", s.offline, s.renewed, s.gone)
	}
	for _, g := range s.list {
		if g.tries != 0 || !g.next.Equal(now) {
			t.Errorf("%+v", g)
		}
	}

	// It changes all the time: what is under way may be answered.
	s.list[1].began, s.gone = now, nil
	for _, after := range []time.Duration{patience - 1, patience} {
		s.Network(true, now.Add(after))
		if given := len(s.gone) > 0; given != (after == patience) {
			t.Errorf("%v after the last change attempts are given up: %v", after, given)
		}
	}

	s = guardsOf(3, 0)
	s.list[0].began, s.list[1].tries, s.list[1].next, s.steps = t0, 5, at(2*day), 3
	s.Network(false, now)
	if !s.offline || len(s.gone) > 0 || !s.renewed.IsZero() || !s.silent.Equal(now) || s.steps != 0 {
		t.Errorf("no network: offline %v, gone %v, silent since %v", s.offline, s.gone, s.silent)
	}
	if g := s.list[1]; g.tries != 0 || !g.next.Equal(now) {
		t.Errorf("%+v", g)
	}
}

// TestHeard: who has met nobody, and knows that the network is up, asks strangers by
// rule 3 and waits for no grace; what was heard counts for some seconds.
func TestHeard(t *testing.T) {
	for name, c := range map[string]struct {
		met   int
		heard time.Duration // before now; 0: never
		want  time.Duration // time that an attempt has
	}{
		"just now":        {0, 1, quietTimeout},
		"nearly too long": {0, recent - 1, quietTimeout},
		"too long ago":    {0, recent, dialTimeout},
		"never":           {0, 0, dialTimeout},
		"one was met":     {1, 1, dialTimeout},
	} {
		s := guardsOf(c.met, 4)
		now := at(day)
		if c.heard > 0 {
			s.Heard(now.Add(-c.heard))
		}
		p := s.Plan(now, now)
		if len(p.Try) != Use || p.Try[0].Timeout != c.want {
			t.Errorf("%s: %+v", name, p.Try)
		}
	}
}
