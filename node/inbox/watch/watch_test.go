package watch

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

var (
	t0      = time.Unix(1_700_000_000, 0)
	a, b, c = Node{'a'}, Node{'b'}, Node{'c'}
)

func tags(from, to int) (out []Tag) {
	for i := from; i < to; i++ {
		out = append(out, Tag{1, byte(i), byte(i >> 8)})
	}
	return out
}

func came(tag int, from Node, after time.Duration) Arrival {
	return Arrival{Tag: tags(tag, tag+1)[0], At: t0.Add(after), From: from}
}

func request(all []Request, n Node) ([]Tag, bool) {
	for _, r := range all {
		if r.Node == n {
			return r.Tags, true
		}
	}
	return nil, false
}

// The tags of an owner are asked for at each of its mailboxes, and no more where it has
// left.
func TestSet(t *testing.T) {
	table := NewTable[string]()
	ask, drop, others := table.Set("bob", Plan{Nodes: []Node{a, b}, Tags: tags(0, 3)}, nil, t0)
	if want := []Request{{a, tags(0, 3)}, {b, tags(0, 3)}}; !reflect.DeepEqual(ask, want) || drop != nil || !others {
		t.Errorf("%v, %v, %v", ask, drop, others)
	}
	if ask, _, others := table.Set("bob", Plan{Nodes: []Node{a, b}, Tags: tags(1, 4)}, nil, t0); len(ask) != 2 || others {
		t.Errorf("%v, %v", ask, others)
	}
	for tag, want := range map[int][]string{0: nil, 1: {"bob"}, 3: {"bob"}, 4: nil} {
		if got, muted := table.Owners(tags(tag, tag+1)[0]); !slices.Equal(got, want) || muted {
			t.Errorf("%d: %v, %v", tag, got, muted)
		}
	}
	ask, _, others = table.Set("bob", Plan{Nodes: []Node{b, c}, Tags: tags(1, 4)}, nil, t0)
	if gone, there := request(ask, a); !there || gone != nil || len(ask) != 3 || !others {
		t.Errorf("%v, %v", ask, others)
	}
	ask, _, _ = table.Set("bob", Plan{}, nil, t0)
	if want := []Request{{b, nil}, {c, nil}}; !reflect.DeepEqual(ask, want) || len(table.Plans()) != 0 || len(table.owners) != 0 {
		t.Errorf("%v, %v, %v", ask, table.plans, table.owners)
	}
}

// A box under a tag that two wait for is for both, even when one goes.
func TestTagOfTwo(t *testing.T) {
	table := NewTable[string]()
	table.Set("bob", Plan{Nodes: []Node{a}, Tags: tags(0, 2)}, nil, t0)
	table.Set("eve", Plan{Nodes: []Node{b}, Tags: tags(1, 3)}, nil, t0)
	if got, _ := table.Owners(tags(1, 2)[0]); !slices.Equal(got, []string{"bob", "eve"}) {
		t.Fatalf("%v", got)
	}
	table.Set("bob", Plan{}, nil, t0)
	if got, _ := table.Owners(tags(1, 2)[0]); !slices.Equal(got, []string{"eve"}) {
		t.Errorf("%v", got)
	}
	table.Set("bob", Plan{Nodes: []Node{a}, Tags: tags(1, 2), Muted: true}, nil, t0)
	if got, muted := table.Owners(tags(1, 2)[0]); !slices.Equal(got, []string{"eve"}) || !muted {
		t.Errorf("%v, %v", got, muted)
	}
}

// The owner of a blocked contact asks nobody, and keeps its place.
func TestMuted(t *testing.T) {
	table := NewTable[string]()
	table.Set("bob", Plan{Nodes: []Node{a}, Tags: tags(0, 2)}, nil, t0)
	ask, _, _ := table.Set("bob", Plan{Nodes: []Node{a}, Tags: tags(0, 2), Muted: true}, nil, t0)
	if want := []Request{{a, nil}}; !reflect.DeepEqual(ask, want) {
		t.Errorf("%v", ask)
	}
	if got, muted := table.Owners(tags(0, 1)[0]); got != nil || !muted {
		t.Errorf("%v, %v", got, muted)
	}
	if ask, _, _ := table.Set("bob", Plan{Nodes: []Node{a}, Tags: tags(0, 2)}, nil, t0); len(ask) != 1 || len(ask[0].Tags) != 2 {
		t.Errorf("%v", ask)
	}
}

// The second copy of a cell that came is asked for at the other mailbox, in the place
// of the last tags ahead, until it was handed over or its time is over.
func TestSecondCopies(t *testing.T) {
	plan := Plan{Nodes: []Node{a, b}, Tags: tags(100, 140), Session: true, Spare: 3}
	table := NewTable[string]()
	ask, _, _ := table.Set("bob", plan, nil, t0)
	if got, _ := request(ask, a); !slices.Equal(got, tags(100, 137)) {
		t.Errorf("spare tags: %d asked for", len(got))
	}
	ask, drop, _ := table.Set("bob", plan, []Arrival{came(1, a, 0), came(2, b, 0)}, t0)
	for n, second := range map[Node]int{a: 2, b: 1} {
		if got, _ := request(ask, n); !slices.Equal(got, append(tags(100, 136), tags(second, second+1)...)) {
			t.Errorf("%c: %v", n[0], got)
		}
	}
	if drop != nil {
		t.Errorf("dropped %v", drop)
	}
	table.HandedOver(Copy{b, tags(1, 2)[0]})
	table.HandedOver(Copy{a, tags(1, 2)[0]}) // it was there before
	ask, _, _ = table.Set("bob", plan, nil, t0)
	if got, _ := request(ask, b); !slices.Equal(got, tags(100, 137)) {
		t.Errorf("asked for though it was handed over: %v", got)
	}
	if got, _ := request(ask, a); len(got) != 37 || got[36] != tags(2, 3)[0] {
		t.Errorf("%v", got)
	}
	if len(table.second) != 1 {
		t.Errorf("%v", table.second)
	}
	// An owner that goes leaves nothing.
	table.Set("bob", Plan{}, nil, t0)
	if len(table.second) != 0 || len(table.plans) != 0 {
		t.Errorf("%v", table.second)
	}
}

// Of three mailboxes the other two are asked, until each has handed its copy over; as
// many second copies as are kept back displace tags ahead.
func TestThreeMailboxes(t *testing.T) {
	plan := Plan{Nodes: []Node{a, b, c}, Tags: tags(100, 140), Session: true}
	table := NewTable[string]()
	var all []Arrival
	for i := range KeptBack {
		all = append(all, came(i, a, 0))
	}
	ask, _, _ := table.Set("bob", plan, all, t0)
	for n, want := range map[Node]int{a: 40, b: 40, c: 40} {
		if got, _ := request(ask, n); len(got) != want {
			t.Errorf("%c: %d", n[0], len(got))
		}
	}
	table.HandedOver(Copy{b, all[0].Tag})
	ask, _, _ = table.Set("bob", plan, nil, t0)
	for n, want := range map[Node]bool{a: false, b: false, c: true} {
		if got, _ := request(ask, n); slices.Contains(got, all[0].Tag) != want {
			t.Errorf("%c: %v", n[0], got)
		}
	}
}

// A copy that is handed over is that of its tag alone, is asked for no more where it was,
// and takes the place of no other; nothing is asked for below none.
func TestHandedOverOne(t *testing.T) {
	plan := Plan{Nodes: []Node{a, b}, Tags: tags(100, 104), Session: true, Spare: 3}
	table := NewTable[string]()
	table.Set("bob", plan, []Arrival{came(1, a, 0), came(2, a, 0), came(2, a, 0), came(3, a, 0)}, t0)
	table.HandedOver(Copy{b, tags(2, 3)[0]})
	table.HandedOver(Copy{c, tags(3, 4)[0]}) // it was never there
	ask, drop, _ := table.Set("bob", plan, nil, t0)
	if got, _ := request(ask, b); !slices.Equal(got, []Tag{tags(1, 2)[0], tags(3, 4)[0]}) || drop != nil {
		t.Errorf("asked for %v, dropped %v", got, drop)
	}
	if n := len(table.plans["bob"].arrivals); n != 2 {
		t.Errorf("%d arrivals are kept", n)
	}
	if len(table.second) != 2 || len(table.second[tags(3, 4)[0]]) != 1 {
		t.Errorf("second copies: %v", table.second)
	}
}

// A cell that came twice is waited for once.
func TestCameTwice(t *testing.T) {
	table := NewTable[string]()
	plan := Plan{Nodes: []Node{a, b}, Tags: append(tags(100, 104), tags(100, 101)...)}
	table.Set("bob", plan, []Arrival{came(1, a, 0), came(1, b, 0)}, t0)
	if got, _ := table.Owners(tags(100, 101)[0]); !slices.Equal(got, []string{"bob"}) {
		t.Errorf("owners %v", got)
	}
	if got := table.second[tags(1, 2)[0]]; !slices.Equal(got, []string{"bob"}) {
		t.Errorf("second copies %v", got)
	}
}

// With one mailbox there is no second copy.
func TestOneMailbox(t *testing.T) {
	table := NewTable[string]()
	ask, _, _ := table.Set("bob", Plan{Nodes: []Node{a}, Tags: tags(100, 110)}, []Arrival{came(1, a, 0)}, t0)
	if got, _ := request(ask, a); !slices.Equal(got, tags(100, 110)) || len(table.second) != 0 {
		t.Errorf("%v", got)
	}
}

// Many second copies displace no tag ahead; those that do not come are let go after
// a while, the oldest first, but for the last few.
func TestLetGo(t *testing.T) {
	plan := Plan{Nodes: []Node{a, b}, Tags: tags(1000, 1040), Session: true}
	var all []Arrival
	for i := range KeptBack + 1 {
		all = append(all, came(i, a, 0))
	}
	table := NewTable[string]()
	ask, drop, _ := table.Set("bob", plan, all, t0)
	if got, _ := request(ask, b); len(got) != 40+KeptBack+1 || drop != nil {
		t.Errorf("%d asked for, dropped %v", len(got), drop)
	}
	if _, drop, _ = table.Set("bob", plan, nil, t0.Add(SecondCopy)); drop != nil {
		t.Errorf("dropped %v", drop)
	}
	_, drop, _ = table.Set("bob", plan, nil, t0.Add(SecondCopy+1))
	if want := []Copy{{b, all[0].Tag}}; !reflect.DeepEqual(drop, want) {
		t.Errorf("dropped %v", drop)
	}
	if _, drop, _ = table.Set("bob", plan, nil, t0.Add(time.Hour)); drop != nil {
		t.Errorf("dropped %v", drop)
	}
	// More than MaxSecond at once.
	all = nil
	for i := range MaxSecond {
		all = append(all, came(100+i, a, 0))
	}
	_, drop, _ = table.Set("bob", plan, all, t0)
	if len(drop) != KeptBack || drop[0].Tag != tags(1, 2)[0] {
		t.Errorf("dropped %d, first %v", len(drop), drop[:1])
	}
}

// A copy that was let go is deleted once again later: it may have been stored
// meanwhile. Not so at a meeting place, and of very many only the last.
func TestLate(t *testing.T) {
	plan := Plan{Nodes: []Node{a, b, c}, Places: 1, Tags: tags(1000, 1040), Session: true}
	var all []Arrival
	for i := range KeptBack + 2 {
		all = append(all, came(i, a, 0))
	}
	table := NewTable[string]()
	table.Set("bob", plan, all, t0)
	gone := t0.Add(SecondCopy + 1)
	if _, drop, _ := table.Set("bob", plan, nil, gone); len(drop) != 4 {
		t.Fatalf("dropped %v", drop)
	}
	if drop := table.DropLate(gone.Add(LateAfter - 1)); drop != nil {
		t.Errorf("too early: %v", drop)
	}
	if drop, want := table.DropLate(gone.Add(LateAfter)), []Copy{{b, all[0].Tag}, {b, all[1].Tag}}; len(drop) != 2 || drop[0].Copy != want[0] || drop[1].Copy != want[1] || drop[0].Owner != "bob" {
		t.Errorf("late: %v, want %v", drop, want)
	}
	if drop := table.DropLate(gone.Add(LateAfter)); drop != nil {
		t.Errorf("once more: %v", drop)
	}

	for i := range 2 * MaxLate {
		table.Set("bob", plan, []Arrival{came(i, a, 0)}, t0)
	}
	if n := len(table.DropLate(t0.Add(LateAfter))); n != MaxLate {
		t.Errorf("%d are remembered", n)
	}
}

// TestMutedDropsNothing: of an owner that is muted no mailbox deletes anything, neither
// when its second copies are overdue nor later. It would see that somebody is there.
func TestMutedDropsNothing(t *testing.T) {
	plan := Plan{Nodes: []Node{a, b, c}, Tags: tags(1000, 1040), Session: true}
	var all []Arrival
	for i := range KeptBack + 4 {
		all = append(all, came(i, a, 0))
	}
	muted := plan
	muted.Muted = true
	for _, mutedAt := range []time.Duration{0, SecondCopy + 1, SecondCopy + 2} {
		table := NewTable[string]()
		table.Set("bob", plan, all, t0)
		for _, at := range []time.Duration{0, SecondCopy + 1, SecondCopy + 2, time.Hour} {
			p := plan
			if at >= mutedAt {
				p = muted
			}
			if _, drop, _ := table.Set("bob", p, nil, t0.Add(at)); p.Muted && len(drop) > 0 {
				t.Errorf("muted after %v: %v dropped at %v", mutedAt, drop, at)
			}
		}
		if drop := table.DropLate(t0.Add(24 * time.Hour)); len(drop) > 0 {
			t.Errorf("muted after %v: dropped late: %v", mutedAt, drop)
		}
	}
}

// After any changes of owners, a table holds the tags of their plans.
func TestTableFollowsItsPlans(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		table := NewTable[int]()
		asked := make(map[string][]Tag)
		for range 60 {
			o := rng.IntN(4)
			var p Plan
			if rng.IntN(4) > 0 {
				from := rng.IntN(20)
				p = Plan{Nodes: []Node{a, b, c}[rng.IntN(3):], Tags: tags(from, from+1+rng.IntN(20)), Muted: rng.IntN(5) == 0}
			}
			var all []Arrival
			for range rng.IntN(3) {
				all = append(all, came(rng.IntN(30), []Node{a, b, c}[rng.IntN(3)], time.Duration(rng.IntN(20))*time.Second))
			}
			ask, _, _ := table.Set(o, p, all, t0.Add(time.Duration(rng.IntN(30))*time.Second))
			for _, r := range ask {
				asked[fmt.Sprint(o, r.Node[0])] = r.Tags
			}
			table.HandedOver(Copy{[]Node{a, b, c}[rng.IntN(3)], tags(0, 30)[rng.IntN(30)]})
		}
		for o := range 4 {
			p := table.Plans()[o]
			for _, n := range []Node{a, b, c} {
				got := asked[fmt.Sprint(o, n[0])]
				if want := slices.Contains(p.Nodes, n) && !p.Muted; want != (len(got) > 0) {
					t.Fatalf("seed %d: %d asks %c: %v", seed, o, n[0], got)
				}
				for i, tag := range p.Tags {
					if len(got) > 0 && got[i] != tag {
						t.Fatalf("seed %d: %d asks %c for something else", seed, o, n[0])
					}
				}
			}
		}
		for _, tag := range tags(0, 45) {
			owners, muted := table.Owners(tag)
			wantMuted := false
			for o := range 4 {
				p := table.Plans()[o]
				waits := slices.Contains(p.Tags, tag)
				wantMuted = wantMuted || waits && p.Muted
				if slices.Contains(owners, o) != (waits && !p.Muted) {
					t.Fatalf("seed %d: owners of %v are %v", seed, tag, owners)
				}
			}
			if muted != wantMuted {
				t.Fatalf("seed %d: muted", seed)
			}
			for _, o := range table.second[tag] {
				if !slices.ContainsFunc(table.plans[o].arrivals, func(x Arrival) bool { return x.Tag == tag && len(x.other) > 0 }) {
					t.Fatalf("seed %d: a second copy that nobody waits for", seed)
				}
			}
		}
	}
}
