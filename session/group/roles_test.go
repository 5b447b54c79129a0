package group

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestRemovedReadsNothing: attack 34 and 36. Whoever was removed opens nothing that is said after,
// and nothing of theirs is heard any more.
func TestRemovedReadsNothing(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, bob := all[0], all[1]
	bob.must(bob.says("before"))
	w.settle()
	owner.must(owner.room.SetRole(bob.room.Self(), Nobody, w.now))

	// Bob does not know yet, and speaks under keys from before.
	bob.must(bob.says("after, under old keys"))
	w.settle()
	owner.must(owner.says("without bob"))
	all[2].must(all[2].says("me too"))
	w.pass(time.Minute)
	w.hears("before", owner, all[2], all[3])
	w.hears("after, under old keys")
	w.hears("without bob", all[2], all[3])
	w.hears("me too", owner, all[3])
	if err := bob.says("still here"); err != ErrGone {
		t.Error(err)
	}
	if !slices.ContainsFunc(bob.events, func(e Event) bool { _, is := e.(Removed); return is }) {
		t.Error("bob was not told")
	}
}

// TestNobodyIsHeldUp: between a removal and its rekey nobody speaks under keys of the person removed, and
// another admin makes them if the first does not.
func TestNobodyIsHeldUp(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, admin, carol := all[0], all[1], all[2]
	owner.must(owner.room.SetRole(admin.room.Self(), Admin, w.now))
	w.settle()

	// The owner's client stops between entry and rekey.
	owner.must(owner.room.SetRole(all[3].room.Self(), Nobody, w.now))
	w.boxes[0].drop(typeStatement, owner)
	w.boxes[1].drop(typeStatement, owner)
	owner.offline = true
	w.settle()
	if carol.room.Role(all[3].room.Self()) != Nobody {
		t.Fatal("the removal is not known")
	}
	if err := carol.says("too early"); err != ErrNotYet || !carol.room.Healing() {
		t.Errorf("said under keys of the person removed: %v", err)
	}
	w.pass(3 * time.Minute)
	carol.must(carol.says("in time"))
	w.settle()
	w.hears("in time", admin)
}

// drop forgets the statements and seeds that somebody appended last.
func (m *mailboxes) drop(kind uint8, by *person) {
	for name, log := range m.logs {
		at, known := by.room.places.index[name]
		if !known || at.place == nil {
			continue
		}
		m.logs[name] = slices.DeleteFunc(slices.Clone(log), func(e Entry) bool {
			in, ok := at.place.vault.open(by.room.group, at.lane, e.Tag, e.Box)
			if !ok || in[0] != kindControl || int(e.Position) < len(log)-20 {
				return false
			}
			data, _ := in.controlData()
			if data[0] != typeStatement && data[0] != typeSeeds {
				return false
			}
			for i := range by.w.people {
				if n := by.w.people[i].read; n[0][name] > int(e.Position)-1 && by.w.people[i] != by {
					return false
				}
			}
			return true
		})
	}
}

// TestConcurrentRemovals: attack 35, F2d and two admins who remove each other's friends. One state
// at all; together the two removed read until the merge rekey, which comes at once.
func TestConcurrentRemovals(t *testing.T) {
	w := newWorld(t)
	all := w.room(6)
	owner, one, two := all[0], all[1], all[2]
	owner.must(owner.room.SetRole(one.room.Self(), Admin, w.now))
	w.settle()
	owner.must(owner.room.SetRole(two.room.Self(), Admin, w.now))
	w.settle()
	for _, p := range all {
		p.offline = true
	}
	one.must(one.room.SetRole(all[4].room.Self(), Nobody, w.now))
	two.must(two.room.SetRole(all[5].room.Self(), Nobody, w.now))
	one.must(one.says("said by one"))
	two.must(two.says("said by two"))
	for _, p := range all {
		p.offline = false
	}
	w.pass(5 * time.Minute)
	for _, p := range all[:4] {
		if p.room.Healing() {
			t.Errorf("%s: no merge", p.name)
		}
		if n := len(p.room.keys.Heads()); n != 1 {
			t.Errorf("%s has %d heads", p.name, n)
		}
		if len(p.room.Members()) != 4 {
			t.Errorf("%s sees %d members", p.name, len(p.room.Members()))
		}
	}
	for i, p := range all[:4] {
		text := fmt.Sprint("after the merge, by ", i)
		p.must(p.says(text))
		w.settle()
		w.hears(text, slices.DeleteFunc(slices.Clone(all[:4]), func(q *person) bool { return q == p })...)
	}
	w.hears("said by one", owner, two, all[3])
	w.hears("said by two", owner, one, all[3])
}

// TestConcurrentAdds: F2c. Two admins add somebody at once, and one adds beside a rekey: all can read.
func TestConcurrentAdds(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, admin, carol := all[0], all[1], all[2]
	owner.must(owner.room.SetRole(admin.room.Self(), Admin, w.now))
	w.settle()
	admin.offline, carol.offline = true, true
	x := w.joins(owner, "x")
	owner.offline, admin.offline, x.offline = true, false, true
	y := w.joins(admin, "y")
	for _, p := range w.people {
		p.offline = false
	}
	w.pass(time.Minute)
	for i, p := range w.people {
		text := fmt.Sprint("to all five, by ", i)
		p.must(p.says(text))
		w.settle()
		w.hears(text, slices.DeleteFunc(slices.Clone(w.people), func(q *person) bool { return q == p })...)
	}

	// An add beside a rekey.
	for _, p := range w.people {
		p.offline = true
	}
	owner.must(owner.room.SetRole(y.room.Self(), Nobody, w.now))
	admin.offline = false
	z := w.joins(admin, "z")
	for _, p := range w.people {
		p.offline = false
	}
	w.pass(10 * time.Minute)
	left := []*person{owner, admin, carol, x, z}
	for i, p := range left {
		text := fmt.Sprint("with z and without y, by ", i)
		p.must(p.says(text))
		w.settle()
		w.hears(text, slices.DeleteFunc(slices.Clone(left), func(q *person) bool { return q == p })...)
	}
}

// TestNewcomerReadsNothingOld is attack 37.
func TestNewcomerReadsNothingOld(t *testing.T) {
	w := newWorld(t)
	all := w.room(2)
	all[0].must(all[0].says("old"))
	w.settle()
	late := w.joins(all[0], "late")
	w.pass(time.Minute)
	w.hears("old", all[1])
	// The newcomer reads the log from its beginning, and opens no message in it.
	for _, log := range w.boxes[0].logs {
		for _, e := range log {
			late.take(e)
		}
	}
	w.hears("old", all[1])
}

// TestRolesOnScreen: readers do not speak, members neither once only admins write, and again later.
func TestRolesOnScreen(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob, carol := all[0], all[1], all[2]
	owner.must(owner.room.SetRole(bob.room.Self(), Reader, w.now))
	w.settle()
	if err := bob.says("i may not"); err != ErrRank {
		t.Error(err)
	}
	owner.must(owner.says("to bob, too"))
	w.settle()
	w.hears("to bob, too", bob, carol)
	if p := bob.room.writing(); p.writes != writesOpen {
		t.Error("a reader has a lane")
	}

	owner.must(owner.room.SetSettings(Settings{Title: "quiet", AdminsOnly: true, Timer: 60}, w.now))
	w.settle()
	if err := carol.says("i may not"); err != ErrRank {
		t.Error(err)
	}
	if carol.room.Title() != "quiet" || carol.room.Settings().Timer != 60 {
		t.Error(carol.room.Settings())
	}
	if p := carol.room.writing(); p.writes != writesOpen {
		t.Error("a member has a lane though only admins write")
	}
	owner.must(owner.says("only me"))
	w.settle()
	w.hears("only me", bob, carol)
	owner.must(owner.room.SetSettings(Settings{Title: "loud"}, w.now))
	w.settle()
	carol.must(carol.says("again"))
	w.settle()
	w.hears("again", owner, bob)
	if err := carol.room.SetSettings(Settings{Title: "mine"}, w.now); err != ErrRank {
		t.Error(err)
	}
	if err := carol.room.SetRole(bob.room.Self(), Nobody, w.now); err != ErrRank {
		t.Error(err)
	}
}

// TestLeave: who leaves is out at once for themselves, and of the keys with the next rekey.
func TestLeave(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob, carol := all[0], all[1], all[2]
	if err := owner.room.Leave(w.now); err != ErrRank {
		t.Error("the owner leaves:", err)
	}
	bob.must(bob.room.Leave(w.now))
	if err := bob.says("gone"); err != ErrGone || len(bob.room.Logs()) != 0 {
		t.Error(err)
	}
	w.settle()
	w.pass(time.Minute)
	carol.must(carol.says("bye"))
	w.settle()
	w.hears("bye", owner)
	if owner.room.Healing() || len(owner.room.Members()) != 2 {
		t.Error("bob is still there")
	}
	if !slices.ContainsFunc(carol.events, func(e Event) bool { l, is := e.(Left); return is && l.Member == bob.room.Self() }) {
		t.Error("carol was not told")
	}
}

// TestSettingsOutliveTheirAuthor: whoever stated the settings leaves, or is removed: they stay, for all that start again, and for newcomers.
func TestSettingsOutliveTheirAuthor(t *testing.T) {
	for _, one := range []struct {
		name               string
		founder            bool // the first owner stated them, and has handed the room over
		removed, unwatched bool // the owner is not there when they leave
	}{
		{name: "an admin"}, {name: "an admin, unwatched", unwatched: true}, {name: "an admin, removed", removed: true},
		{name: "the founder", founder: true}, {name: "the founder, unwatched", founder: true, unwatched: true}, {name: "the founder, removed", founder: true, removed: true},
	} {
		t.Run(one.name, func(t *testing.T) {
			w := newWorld(t)
			all := w.room(4)
			owner, author := all[0], all[1]
			if one.founder {
				author, owner = owner, author
				author.must(author.room.HandOver(owner.room.self, Admin, w.now))
				w.settle()
				owner.must(owner.room.AcceptPact(w.now))
			} else {
				owner.must(owner.room.SetRole(author.room.self, Admin, w.now))
			}
			w.pass(3 * time.Minute)
			set := Settings{Title: "the title", AdminsOnly: true, History: true, Timer: 5}
			author.must(author.room.SetSettings(set, w.now))
			w.pass(time.Minute)

			owner.offline = one.unwatched
			if one.removed {
				owner.must(owner.room.SetRole(author.room.self, Nobody, w.now))
			} else {
				author.must(author.room.Leave(w.now))
			}
			w.pass(time.Minute)
			if one.founder && one.unwatched {
				w.restart()
				if got := all[2].room.Settings(); got != set {
					t.Errorf("before anybody states them again: %+v", got)
				}
			}
			owner.offline = false
			w.pass(3 * time.Minute)
			all = append([]*person{owner}, all[2:]...)
			w.restart()
			all = append(all, w.joins(owner, "newcomer"))
			w.restart()
			for _, p := range all {
				if got := p.room.Settings(); got != set {
					t.Errorf("%s has %+v", p.name, got)
				}
			}
			// Nothing that the author states now counts.
			for _, p := range all {
				if b := stated(&p.room.core); b == nil || b.Author != owner.room.self {
					t.Errorf("%s goes by %+v", p.name, b)
				}
			}
		})
	}
}

// TestHandOver: a pact of two signatures, even with somebody who is no admin; the old owner keeps what they said.
func TestHandOver(t *testing.T) {
	for _, keep := range []Role{Admin, Writer, Nobody} {
		w := newWorld(t)
		all := w.room(4)
		owner, bob := all[0], all[1]
		if err := bob.room.AcceptPact(w.now); err == nil {
			t.Error("a room that nobody offered")
		}
		owner.must(owner.room.HandOver(bob.room.Self(), keep, w.now))
		w.settle()
		if owner.room.Role(owner.room.Self()) != Owner {
			t.Error("one signature is enough")
		}
		bob.restarts()
		bob.must(bob.room.AcceptPact(w.now))
		w.pass(3 * time.Minute)
		left := all
		if keep == Nobody {
			left = all[1:]
		}
		for _, p := range left {
			if p.room.Role(bob.room.Self()) != Owner || p.room.Role(owner.room.Self()) != keep {
				t.Errorf("keep %s: %s sees %s and %s", keep, p.name, p.room.Role(bob.room.Self()), p.room.Role(owner.room.Self()))
			}
		}
		for i, p := range left {
			text := fmt.Sprint("under the new owner, by ", i)
			p.must(p.says(text))
			w.settle()
			w.hears(text, slices.DeleteFunc(slices.Clone(left), func(q *person) bool { return q == p })...)
		}
		bob.must(bob.room.SetRole(all[3].room.Self(), Nobody, w.now))
		w.settle()
		bob.must(bob.says("i rule"))
		w.settle()
		w.hears("i rule", slices.DeleteFunc(slices.Clone(left), func(q *person) bool { return q == bob || q == all[3] })...)
	}
}

// TestAdminsOnlyIsIgnored: a member goes on while only admins write. Under the keys since nobody hears it; under those of before everybody
// does, for as long as their logs are read.
func TestAdminsOnlyIsIgnored(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, bob, carol := all[0], all[1], all[2]
	bob.offline = true
	owner.must(owner.room.SetSettings(Settings{Title: "a room", AdminsOnly: true}, w.now))
	w.pass(time.Hour)
	if err := carol.says("obeys"); err != ErrRank {
		t.Error(err)
	}
	say(carol, "under the keys since")
	bob.must(bob.says("under the keys of before"))
	w.settle()
	w.hears("under the keys since")
	w.hears("under the keys of before", others(all, bob)...)

	w.pass(placeLife + time.Hour)
	bob.must(bob.says("too late"))
	w.settle()
	w.hears("too late")
}
