package group

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"starling/session/group/keys"
)

// opens takes the cells of all logs that somebody knows, as a person who was removed and goes on with what they had: no
// control data tells them so.
func (w *world) opens(spy *Room) (texts []string) {
	for i := range w.boxes {
		for name, log := range w.boxes[i].logs {
			at := spy.places.index[name]
			if at.place == nil {
				continue
			}
			for _, e := range log {
				in, ok := at.place.vault.open(spy.group, at.lane, e.Tag, e.Box)
				if !ok || in[0] != kindMessage {
					continue
				}
				spy.core.hear(in, w.now)
			}
		}
	}
	spy.retry(w.now)
	for _, e := range spy.flush() {
		if said, is := e.(Said); is {
			texts = append(texts, string(said.Content))
		}
	}
	return texts
}

// TestSoleOwnerBehind: the only one with the right to rekey comes back from a backup of before a removal, while both mailboxes
// have lost their disks. Members tell it what it has missed. It speaks to all, says nothing that the person removed can read, uses no
// chain twice, and nobody is accused.
func TestSoleOwnerBehind(t *testing.T) {
	for _, one := range []struct {
		name             string
		removes, letsIn  bool
		away             int // members that are offline when it comes back
		restarts, titles bool
		shuffled         bool // each reads what is new in a log in another order
		late             bool // of what members repeat one entry comes first, and the rest after a rekey
		days             int  // that the backup is old: then it makes keys at once, without those that it does not know
	}{
		{name: "removal", removes: true, titles: true},
		{name: "removal, newcomer", removes: true, letsIn: true, restarts: true},
		{name: "newcomer", letsIn: true},
		{name: "the first are away", removes: true, away: 2},
		{name: "in any order", removes: true, letsIn: true, shuffled: true},
		{name: "one entry first", removes: true, letsIn: true, late: true},
		{name: "eight days", days: 8},
		{name: "thirteen days", removes: true, letsIn: true, restarts: true, days: 13},
		{name: "thirteen days, the first are away", removes: true, away: 2, days: 13},
	} {
		t.Run(one.name, func(t *testing.T) {
			w := newWorld(t)
			all := w.room(6)
			owner, gone := all[0], all[5]
			w.pass(time.Minute)
			w.allSpeak("before the backup", all)
			old := owner.backup()
			w.allSpeak("after the backup", all)
			spy, err := Open(gone.state, gone.rows)
			gone.must(err)
			if one.removes {
				owner.must(owner.room.SetRole(gone.room.self, Nobody, w.now))
				all = all[:5]
			}
			w.settle()
			if one.letsIn {
				all = append(all, w.joins(owner, "newcomer"))
			}
			if one.titles {
				set := owner.room.Settings()
				set.Title = "another title"
				owner.must(owner.room.SetSettings(set, w.now))
			}
			w.pass(10*time.Minute + time.Duration(one.days)*24*time.Hour)
			w.allSpeak("before the loss", all)
			seen := ledger{}
			seen.adds(w, all[1])

			if one.shuffled {
				for _, p := range all {
					p.shuffle, p.apart = rand.Shuffle, 1
				}
			}
			w.wipes()
			w.now = w.now.Add(time.Minute)
			var held []Append
			if one.late {
				first := true
				w.holds = func(a Append) bool {
					at := all[1].room.places.index[nameOf(a.Log)]
					if at.place == nil || at.lane != laneOpen {
						return false
					}
					in, _ := at.place.vault.open(owner.room.group, at.lane, a.Tag, a.Box)
					data, _ := in.controlData()
					if first && data[0] == typeEntry {
						first = false
						return false
					}
					held = append(held, a)
					return true
				}
			}
			owner.heard = nil
			owner.restored(old)
			seen.adds(w, owner)
			owner.looks()
			if err := owner.says("too soon"); err != ErrNotYet {
				t.Errorf("said before others were heard: %v", err)
			}
			members := all[1:]
			for i := range members {
				members[i].offline = i < one.away
			}
			for _, p := range members {
				if !p.offline {
					p.looks()
				}
			}
			if one.restarts {
				w.settle()
				w.restart()
			}
			if one.late {
				w.pass(3 * time.Minute)
				w.holds = nil
				for _, a := range held {
					w.put(a)
				}
			}
			w.pass(20 * time.Minute)
			for _, p := range members {
				p.offline = false
				p.looks()
			}
			w.pass(10 * time.Minute)

			w.allSpeak("back", all)
			w.restart()
			w.allSpeak("after a restart", all)
			seen.adds(w, owner)
			if one.removes {
				if texts := w.opens(spy); len(texts) > 0 {
					t.Errorf("somebody removed opens %q", texts)
				}
			}
			for _, p := range all {
				if p.told(func(e Event) bool { _, is := e.(Forked); return is }) {
					t.Errorf("%s accuses somebody", p.name)
				}
				if got := fmt.Sprint(p.room.Title(), len(p.room.Members())); got != fmt.Sprint(all[1].room.Title(), len(all)) {
					t.Errorf("%s sees %s", p.name, got)
				}
			}
		})
	}
}

// TestSoleOwnerOfAnOldCopy: the only one with the right to rekey comes back from a backup of before a removal, older than 14 days, and both
// mailboxes have lost the logs of then, which nobody else reads any more. The others go on, nobody removed opens anything,
// and nobody is accused; but the owner hears nobody.
func TestSoleOwnerOfAnOldCopy(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, gone := all[0], all[3]
	w.pass(time.Minute)
	w.allSpeak("before the backup", all)
	old := owner.backup()
	spy, err := Open(gone.state, gone.rows)
	gone.must(err)
	owner.must(owner.room.SetRole(gone.room.self, Nobody, w.now))
	all = all[:3]
	w.pass(20 * 24 * time.Hour)
	w.allSpeak("before the loss", all)

	w.wipes()
	w.now = w.now.Add(time.Minute)
	owner.heard = nil
	owner.restored(old)
	for range 3 {
		for _, p := range all {
			p.looks()
		}
		w.pass(30 * time.Minute)
	}
	if err := owner.says("the owner, to nobody"); err != nil {
		t.Error("the owner takes it for their room:", err)
	}
	w.pass(time.Hour)
	owner.restarts()
	if !owner.room.Unheard() || !owner.told(unheard) {
		t.Error("the owner is not told")
	}
	w.hears("the owner, to nobody")
	if texts := w.opens(spy); len(texts) > 0 {
		t.Errorf("somebody removed opens %q", texts)
	}
	members := all[1:]
	w.allSpeak("without the owner", members)
	for _, p := range all {
		if p.told(func(e Event) bool { _, is := e.(Forked); return is }) {
			t.Errorf("%s accuses somebody", p.name)
		}
	}
}

func unheard(e Event) bool { _, is := e.(Unheard); return is }

// TestUnheard: who is told that perhaps nobody reads what they write: owner and admins whose copy, or absence, is older than 14 days, if
// nobody could tell them what was missed; until somebody is heard. Without a copy the only one that makes keys has the newest.
func TestUnheard(t *testing.T) {
	const day = 24 * time.Hour
	for _, one := range []struct {
		name           string
		away           time.Duration // of the backup, or of the owner
		admin          bool          // there is one, who is not there at first
		copied         bool
		told, answered bool
	}{
		{"a copy of yesterday", day, false, true, false, true},
		{"a copy of 13 days", 13 * day, false, true, false, true},
		{"a copy of 16 days, in a place that is still read", 16 * day, false, true, true, true},
		{"a copy of 40 days", 40 * day, false, true, true, false},
		{"away, alone with the right", 40 * day, false, false, false, true},
		{"away, with an admin", 40 * day, true, false, true, false},
	} {
		t.Run(one.name, func(t *testing.T) {
			w := newWorld(t)
			all := w.room(3)
			owner := all[0]
			if one.admin {
				owner.must(owner.room.SetRole(all[1].room.self, Admin, w.now))
				w.settle()
			}
			w.pass(time.Minute)
			w.allSpeak("before", all)
			old := owner.backup()
			if owner.offline = !one.copied; one.copied {
				w.pass(one.away)
			} else {
				w.pass(one.away)
				owner.offline = false
			}

			w.wipes()
			w.now = w.now.Add(time.Minute)
			all[1].offline = one.admin
			if owner.heard = nil; one.copied {
				owner.restored(old)
			} else {
				owner.restarts()
			}
			for range 3 {
				for _, p := range all {
					if !p.offline {
						p.looks()
					}
				}
				w.pass(30 * time.Minute)
			}
			if got := owner.told(unheard); got != one.told {
				t.Errorf("told: %t", got)
			}
			w.pass(time.Hour)
			if one.answered {
				w.allSpeak("after", all)
			}
			owner.restarts()
			if got := owner.room.Unheard(); got == one.answered {
				t.Errorf("unheard: %t", got)
			}
			for _, p := range all[1:] {
				if p.told(unheard) {
					t.Errorf("%s is told", p.name)
				}
			}
		})
	}
}

// TestSoleOwnerRestored: the only one with the right to rekey is restored behind rekeys of their own, and nothing is lost: they know of all
// that has happened, also where only the newer keys lead, and are heard and hear soon.
func TestSoleOwnerRestored(t *testing.T) {
	for _, one := range []struct {
		name           string
		removed, weeks int  // each brings other keys
		letsIn         bool // somebody, afterwards
	}{
		{"one removal", 1, 0, false}, {"two removals", 2, 0, false}, {"three removals", 3, 0, false},
		{"one week", 0, 1, false}, {"two weeks", 0, 2, false}, {"a removal and a newcomer", 1, 0, true},
	} {
		t.Run(one.name, func(t *testing.T) {
			changes := one.removed
			w := newWorld(t)
			all := w.room(7)
			owner := all[0]
			w.pass(time.Minute)
			w.allSpeak("before the backup", all)
			old := owner.backup()
			var spies []*Room
			for n := range changes {
				gone := all[6-n]
				spy, err := Open(gone.state, gone.rows)
				gone.must(err)
				spies = append(spies, spy)
				owner.must(owner.room.SetRole(gone.room.self, Nobody, w.now))
				w.pass(10 * time.Minute)
				w.allSpeak(fmt.Sprint("after removal ", n), all[:6-n])
			}
			all = all[:7-changes]
			for n := range one.weeks {
				w.pass(8 * 24 * time.Hour)
				w.allSpeak(fmt.Sprint("after week ", n), all)
			}
			if one.letsIn {
				all = append(all, w.joins(owner, "newcomer"))
				w.allSpeak("with a newcomer", all)
			}
			owner.heard = nil
			owner.restored(old)
			owner.readsToTheEnd()
			back := w.now.Unix()
			if err := owner.says("too soon"); err != ErrNotYet {
				t.Errorf("said under keys that people removed have: %v", err)
			}
			w.pass(4 * time.Minute)
			if err := owner.says("too soon"); err != ErrNotYet {
				t.Errorf("said before others were heard: %v", err)
			}
			w.pass(6 * time.Minute)
			w.allSpeak("back", all)
			for _, head := range owner.room.keys.Heads() {
				made := owner.room.words.rekeys[head]
				for _, spy := range spies {
					if slices.Contains(made.rekey.Members, keys.Member(spy.self)) {
						t.Error("the new keys are for somebody removed, too")
					}
				}
				if made.at < back {
					t.Error("there are no new keys")
				}
			}
			for n, spy := range spies {
				if texts := w.opens(spy); len(texts) > 0 {
					t.Errorf("the one removed in %d opens %q", n, texts)
				}
			}
			for _, p := range all {
				if got := len(p.room.Members()); got != len(all) {
					t.Errorf("%s sees %d people", p.name, got)
				}
			}
		})
	}
}

// TestRestoredWithoutTheAdmin: an owner is restored behind two removals of their own while the only admin is away. Members tell them; the new
// keys are for nobody removed. An admin that is there tells them sooner.
func TestRestoredWithoutTheAdmin(t *testing.T) {
	for _, away := range []bool{false, true} {
		t.Run(fmt.Sprint(away), func(t *testing.T) {
			w := newWorld(t)
			all := w.room(6)
			owner, admin := all[0], all[1]
			owner.must(owner.room.SetRole(admin.room.self, Admin, w.now))
			w.pass(3 * time.Minute)
			w.allSpeak("before the backup", all)
			old := owner.backup()
			var gone []ID
			for n := range 2 {
				gone = append(gone, all[5-n].room.self)
				owner.must(owner.room.SetRole(gone[n], Nobody, w.now))
				w.pass(10 * time.Minute)
			}
			all = all[:4]
			admin.offline = away
			owner.heard = nil
			owner.restored(old)
			owner.readsToTheEnd()
			w.pass(2 * time.Minute)
			if err := owner.says("early"); away == (err == nil) {
				t.Errorf("two minutes after, away %t: %v", away, err)
			}
			w.pass(8 * time.Minute)
			for _, head := range owner.room.keys.Heads() {
				for _, id := range gone {
					if slices.Contains(owner.room.words.rekeys[head].rekey.Members, keys.Member(id)) {
						t.Error("the keys are for somebody removed, too")
					}
				}
			}
			if got := len(owner.room.Members()); got != len(all) {
				t.Errorf("the owner sees %d people", got)
			}
			owner.must(owner.says("hello"))
			w.settle()
			w.pass(time.Minute)
			admin.offline = false
			w.pass(10 * time.Minute)
			w.allSpeak("back", all)
		})
	}
}
