package group

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
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
	}{
		{name: "removal", removes: true, titles: true},
		{name: "removal, newcomer", removes: true, letsIn: true, restarts: true},
		{name: "newcomer", letsIn: true},
		{name: "the first are away", removes: true, away: 2},
		{name: "in any order", removes: true, letsIn: true, shuffled: true},
		{name: "one entry first", removes: true, letsIn: true, late: true},
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
			w.pass(10 * time.Minute)
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
