package guard

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"starling/p2p/wire"
)

const ms = time.Millisecond

// TestHeavy: a relay is drawn by its weight, one with none that can be as one of all.
func TestHeavy(t *testing.T) {
	s := New(Config{Rand: rand.New(rand.NewPCG(1, 1))})
	weights := []float64{0.25, 0.5, 1, 0, -3, 7}
	want := []float64{0.25, 0.5, 1, 1, 1, 1}
	var some []Relay
	sum := 0.0
	for n, w := range weights {
		r := relayOf(n)
		r.Weight = w
		some = append(some, r)
		sum += want[n]
	}
	const draws = 20_000
	drawn := map[wire.NodeID]float64{}
	for range draws {
		drawn[s.heavy(some).ID]++
	}
	for n, r := range some {
		if got := drawn[r.ID] / draws * sum; math.Abs(got-want[n]) > 0.06 {
			t.Errorf("weight %v is drawn as %.2f, want %v", weights[n], got, want[n])
		}
	}
	if got := s.heavy(some[:1]); got.ID != some[0].ID {
		t.Error("the only one is not drawn")
	}
}

// TestWaitForAnswer: when an attempt counts as unanswered.
func TestWaitForAnswer(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{0: 1300 * ms, 80 * ms: 1300 * ms, 240 * ms: 1300 * ms, 400 * ms: 1500 * ms, time.Second: 2250 * ms, 5 * time.Second: 3 * time.Second} {
		if got := (&guard{took: took}).wait(); got != want {
			t.Errorf("one that takes %v: %v, want %v", took, got, want)
		}
	}
}

// TestMeasure: how long a guard takes to connect is learned from the SYN that may have
// been answered, and doubles at most.
func TestMeasure(t *testing.T) {
	for name, c := range map[string]struct {
		dark            bool
		before, d, want time.Duration
	}{
		"the first":                       {false, 0, 200 * ms, 200 * ms},
		"slow":                            {false, 0, 8 * time.Second, 8 * time.Second},
		"quicker than before":             {false, 300 * ms, 100 * ms, 100 * ms},
		"slower":                          {false, 300 * ms, 400 * ms, 400 * ms},
		"very much slower":                {false, 100 * ms, 900 * ms, 200 * ms},
		"in the dark, at once":            {true, 0, 900 * ms, 900 * ms},
		"in the dark, the second SYN":     {true, 0, 1100 * ms, 100 * ms},
		"in the dark, the third":          {true, 0, 3200 * ms, 200 * ms},
		"in the dark, the fourth":         {true, 0, 7500 * ms, 500 * ms},
		"in the dark, just at the second": {true, 0, time.Second, 0},
		"in the dark, known":              {true, 150 * ms, 3100 * ms, 150 * ms},
		"in the dark, known and quicker":  {true, 150 * ms, 90 * ms, 90 * ms},
		"in the dark, known and slower":   {true, 150 * ms, 1900 * ms, 300 * ms},
	} {
		g := &guard{took: c.before, dark: c.dark}
		if g.measure(c.d); g.took != c.want {
			t.Errorf("%s: %v, want %v", name, g.took, c.want)
		}
	}
}

// TestTimeouts: of attempts to reach a primary while all are silent, and of those of a
// step of the ladder.
func TestTimeouts(t *testing.T) {
	for name, c := range map[string]struct {
		took           time.Duration
		tries, steps   int
		alone, stepped time.Duration // before now
		up             bool
		want           time.Duration
	}{
		"the first of one unknown":       {alone: time.Hour, want: dialTimeout},
		"the second":                     {tries: 1, alone: time.Hour, want: quietTimeout},
		"the fifth":                      {tries: 4, alone: time.Hour, want: dialTimeout},
		"soon":                           {tries: 1, alone: early - 1, want: stepTimeout},
		"not so soon":                    {tries: 1, alone: early, want: quietTimeout},
		"soon, of one that takes long":   {took: time.Second, tries: 1, alone: 1, want: 3250 * ms},
		"soon, of one that takes for us": {took: 20 * time.Second, tries: 1, alone: 1, want: dialTimeout},
		"the fourth of one known":        {took: 100 * ms, tries: 3, alone: 1, want: dialTimeout},
		"the first of one known":         {took: 100 * ms, alone: 1, want: stepTimeout},
		"the fourth, on a new ladder":    {took: 100 * ms, tries: 3, steps: 1, alone: time.Hour, want: stepTimeout},
		"at the end of the fast steps":   {took: 100 * ms, tries: 3, steps: fastSteps, alone: time.Hour, want: stepTimeout},
		"on an old ladder":               {took: 100 * ms, tries: 3, steps: fastSteps + 1, alone: time.Hour, stepped: time.Hour, want: dialTimeout},
		"before a slow step":             {took: 100 * ms, tries: 1, steps: fastSteps + 1, alone: time.Hour, stepped: slowPause - patience, want: stepTimeout},
		"long before one":                {took: 100 * ms, tries: 1, steps: fastSteps + 1, alone: time.Hour, stepped: slowPause - patience - 1, want: quietTimeout},
		"beside one that is up":          {took: 100 * ms, tries: 1, steps: 1, alone: time.Hour, stepped: 1, up: true, want: quietTimeout},
	} {
		s := guardsOf(3, 0)
		now := at(day)
		s.alone, s.stepped, s.steps = now.Add(-c.alone), now.Add(-c.stepped), c.steps
		if c.up {
			s.up(2)
		}
		g := s.list[0]
		g.took, g.tries = c.took, c.tries
		if got := s.timeout(g, now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	for took, want := range map[time.Duration]time.Duration{0: stepTimeout, 400 * ms: stepTimeout, time.Second: 3 * time.Second, time.Minute: dialTimeout} {
		s := guardsOf(3, 2)
		s.list[1].took, s.list[3].took = took, time.Hour // who is no primary does not count
		if got := s.stepTimeout(); got != want {
			t.Errorf("primaries take %v, a step %v, want %v", took, got, want)
		}
	}
}

// TestUnanswered: a step is taken only just after a primary has left an attempt without
// an answer, or refused it, and while none may be about to answer.
func TestUnanswered(t *testing.T) {
	const wait = 1300 * ms
	type of struct {
		began time.Duration // before now; 0: no attempt
		ended time.Duration // before now, of the last that failed; 0: none
		why   Result
	}
	for name, c := range map[string]struct {
		primaries [3]of
		want      bool
		again     time.Duration
	}{
		"nobody is asked":             {},
		"just unanswered":             {primaries: [3]of{{began: wait}}, want: true},
		"for a while":                 {primaries: [3]of{{began: wait + patience/2 - 1}}, want: true},
		"for long":                    {primaries: [3]of{{began: wait + patience/2}}},
		"asked just now":              {primaries: [3]of{{began: wait - 1}}, again: 1},
		"one unanswered, one not yet": {primaries: [3]of{{began: wait}, {began: time.Second}}, again: wait - time.Second},
		"one unanswered, one for long": {primaries: [3]of{{began: time.Hour}, {}, {began: wait}},
			want: true},
		"just refused":         {primaries: [3]of{{ended: 1, why: Refused}}, want: true},
		"has another key":      {primaries: [3]of{{ended: 1, why: WrongKey}}, want: true},
		"refused before":       {primaries: [3]of{{ended: patience / 2, why: Refused}}},
		"timed out":            {primaries: [3]of{{ended: 1, why: Timeout}}},
		"refused, one not yet": {primaries: [3]of{{ended: 1, why: Refused}, {began: 1}}, again: wait - 1},
	} {
		s := guardsOf(3, 2)
		now := at(day)
		for i, g := range c.primaries {
			if g.began > 0 {
				s.list[i].began = now.Add(-g.began)
			}
			if g.ended > 0 {
				s.list[i].ended, s.list[i].why, s.list[i].tries = now.Add(-g.ended), g.why, 1
			}
		}
		p := &plan{Plan: Plan{Next: now.Add(time.Hour)}, now: now}
		if got := s.unanswered(p); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		want := time.Hour
		if c.again > 0 {
			want = c.again
		}
		if p.Next.Sub(now) != want {
			t.Errorf("%s: again after %v, want %v", name, p.Next.Sub(now), want)
		}
	}
}

// TestTry: a guard that is connected or under way is not dialled again, nor is one that
// failed just now, and all of them are wanted.
func TestTry(t *testing.T) {
	s := guardsOf(4, 0).up(0)
	s.list[1].began = t0
	s.list[2].next = at(3)
	p := &plan{Plan: Plan{Next: at(day)}, now: at(2), dark: true}
	for _, g := range s.list {
		s.try(p, g, time.Second)
	}
	if len(p.Try) != 1 || p.Try[0].ID != idOf(3) || p.Try[0].Timeout != time.Second || len(p.Try[0].Addresses) != 1 {
		t.Errorf("tries %v", p.Try)
	}
	if g := s.list[3]; !g.began.Equal(at(2)) || !g.dark || !s.list[1].began.Equal(t0) || s.list[1].dark {
		t.Errorf("%+v", g)
	}
	if !p.Next.Equal(at(3)) || !slices.Equal(p.wanted, s.list) {
		t.Errorf("again at %v, %d are wanted", p.Next.Sub(t0), len(p.wanted))
	}
	if s.try(p, s.list[2], 1); len(p.Try) != 1 {
		t.Error("tried before its time")
	}
	p.now = at(3)
	if s.try(p, s.list[2], 1); len(p.Try) != 2 {
		t.Error("not tried in its time")
	}
}

// TestBegin: a ladder asks all primaries anew, at the same moment.
func TestBegin(t *testing.T) {
	s := guardsOf(4, 1)
	s.ladder, s.stepped = 5, t0
	s.list[1].began, s.list[2].next, s.list[3].began, s.list[3].next = t0, at(day), t0, at(day)
	p := &plan{now: at(2)}
	s.begin(p)
	if s.ladder != 6 || s.steps != 1 || !s.stepped.IsZero() || !slices.Equal(p.Close, []wire.NodeID{idOf(1)}) {
		t.Errorf("ladder %d, step %d, closed %v", s.ladder, s.steps, p.Close)
	}
	for n, g := range s.list[:3] {
		if g.dialling() || !g.next.Equal(at(2)) {
			t.Errorf("primary %d: %+v", n, g)
		}
	}
	if !s.list[3].dialling() {
		t.Error("one that is no primary is given up")
	}
}

// TestTryPrimaries: beside the ladder none is asked while another is; without it each is
// as it can be.
func TestTryPrimaries(t *testing.T) {
	for steps, want := range map[int][]wire.NodeID{0: {idOf(1), idOf(2)}, 1: nil} {
		s := guardsOf(3, 1)
		s.steps, s.list[0].began = steps, t0
		p := &plan{now: at(1)}
		s.tryPrimaries(p)
		var got []wire.NodeID
		for _, a := range p.Try {
			got = append(got, a.ID)
		}
		if !slices.Equal(got, want) || !slices.Equal(p.wanted, s.list[:3]) {
			t.Errorf("%d steps: tried %v, want %v; %d wanted", steps, got, want, len(p.wanted))
		}
	}
	s := guardsOf(3, 1)
	s.steps = 1
	p := &plan{now: at(1)}
	if s.tryPrimaries(p); len(p.Try) != 3 {
		t.Errorf("%d are asked at once", len(p.Try))
	}
}

// TestCandidate: others that were met come first, then unmet ones if one may be met; each
// once a turn, and turns go on when the fast steps are over.
func TestCandidate(t *testing.T) {
	s := guardsOf(5, 3)
	s.ladder, s.steps = 9, 1
	next := func() int {
		g := s.candidate(t0)
		if g == nil {
			return -1
		}
		g.step = s.ladder
		return numbers([]*guard{g})[0]
	}
	var got []int
	s.list[4].began = t0 // is under way
	s.list[6].began = t0
	for range 5 {
		got = append(got, next())
	}
	if want := []int{3, 5, 7, -1, -1}; !slices.Equal(got, want) {
		t.Errorf("in this order %v, want %v", got, want)
	}
	s.steps = fastSteps
	if next() != -1 || s.ladder != 9 {
		t.Error("another turn within the fast steps")
	}
	s.steps = fastSteps + 1
	if next() != 3 || s.ladder != 10 {
		t.Error("no other turn after them")
	}
	// With the budget spent no unmet one comes, and those that were met come again.
	s.spent = make([]time.Duration, budget)
	if n := next(); n != 3 || s.ladder != 11 {
		t.Errorf("%d comes", n)
	}
	if s = guardsOf(3, 0); s.candidate(t0) != nil {
		t.Error("there is nobody")
	}
	s.steps = fastSteps + 1
	if s.candidate(t0) != nil {
		t.Error("there is still nobody")
	}
}
