package guard_test

import (
	"slices"
	"testing"
	"time"

	"starling/p2p/guard"
	"starling/p2p/guard/guardtest"
)

// TestNoRouteBeginsNoLadder: while there is no way out, by the system's word or by the end of each attempt, nobody but the
// guards is tried, however long; and a silence after that has the whole grace of its own. Then others are tried, soon after
// its end.
func TestNoRouteBeginsNoLadder(t *testing.T) {
	const grace = 15 * time.Second // as long as the end of an attempt says that there is no way
	for name, told := range map[string]bool{"told": true, "found": false} {
		w, first := settled(t, 50, 1)
		var other time.Time // when somebody else was tried first
		w.OnPlan = func(p guard.Plan) {
			for _, it := range p.Try {
				if !slices.Contains(first, it.ID) && other.IsZero() {
					other = w.Now
				}
			}
		}
		w.SetLine(guardtest.NoRoute)
		if told {
			w.Tell()
		}
		w.Run(2 * time.Hour)
		if !other.IsZero() {
			t.Errorf("%s: without a way others are tried, at %v", name, other)
		}

		w.SetLine(guardtest.Silent)
		since := w.Now
		if told {
			w.Guards.Network(true, w.Now)
			w.Look()
		}
		w.Run(time.Minute)
		least := grace
		if !told {
			least = 2*grace - 5*time.Second
		}
		if after := other.Sub(since); other.IsZero() || after < least || after > least+25*time.Second {
			t.Errorf("%s: %v after the silence began others are tried", name, after)
		}
		w.SetLine(guardtest.Up)
		w.Run(time.Minute)
		if got := w.Guards.InUse(w.Now); !slices.Equal(got, first) {
			t.Errorf("%s: %v are used, want %v", name, got, first)
		}
	}
}

// TestAskedWithoutARoute: who asks for others while there is no way out gets them when there is one.
func TestAskedWithoutARoute(t *testing.T) {
	w, first := settled(t, 50, 1)
	others := false
	w.OnPlan = func(p guard.Plan) {
		for _, it := range p.Try {
			others = others || !slices.Contains(first, it.ID)
		}
	}
	w.SetLine(guardtest.NoRoute)
	w.Tell()
	w.Guards.TryOthers(w.Now)
	w.Run(10 * time.Minute)
	if others {
		t.Error("others are tried without a way to them")
	}
}

// TestOfflineIsBelieved: while the system says that there is no network nobody else is tried, though attempts end in silence.
func TestOfflineIsBelieved(t *testing.T) {
	w, first := settled(t, 50, 1)
	others := false
	w.OnPlan = func(p guard.Plan) {
		for _, it := range p.Try {
			others = others || !slices.Contains(first, it.ID)
		}
	}
	w.SetLine(guardtest.Silent)
	w.Guards.Network(false, w.Now)
	w.Look()
	w.Run(10 * time.Minute)
	if others {
		t.Error("others are tried")
	}
	w.Guards.Network(true, w.Now)
	w.Look()
	if w.Run(10 * time.Minute); !others {
		t.Error("nobody else is tried when the network is there, and silent")
	}
}

// TestLifeIsNoGuard: a link to a relay that is no guard, as to one that is asked for the list, keeps nobody with guards that are
// silent from trying others.
func TestLifeIsNoGuard(t *testing.T) {
	w, first := settled(t, 50, 1)
	w.SetLine(guardtest.Silent)
	w.Run(40 * time.Second)
	others := false
	w.OnPlan = func(p guard.Plan) {
		for _, it := range p.Try {
			others = others || !slices.Contains(first, it.ID)
		}
		w.Guards.Heard(w.Now)
	}
	w.Run(time.Minute)
	if !others {
		t.Error("nobody else is tried")
	}
}
