package group

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"starling/session/group/keys"
	"starling/session/internal/kdf"
)

// wipes takes the disks of both mailboxes.
func (w *world) wipes() {
	for i := range w.boxes {
		w.boxes[i].logs = map[[16]byte][]Entry{}
	}
	for _, p := range w.people {
		p.read = [2]map[[16]byte]int{{}, {}}
	}
}

// looks tells a room what the mailboxes have of its place.
func (p *person) looks() {
	p.w.t.Helper()
	for p.reads() {
	}
	for _, place := range p.room.Logs() {
		if !place.Home {
			for _, name := range place.Names {
				if len(p.w.boxes[0].logs[name])+len(p.w.boxes[1].logs[name]) == 0 {
					p.room.LostLog(name)
				}
			}
			p.commit()
			continue
		}
		there := false
		for _, b := range p.w.boxes {
			if len(b.logs[place.Names[0]]) > 0 {
				there = true
				p.tell(p.room.Ended(place.Names[0], b.at.Node, p.w.now))
			}
		}
		if !there {
			p.must(p.room.Lost(p.w.now))
		}
		p.commit()
	}
}

// A ledger is what was signed by each chain at each number.
type ledger map[string][32]byte

// adds notes all cells at the mailboxes, and fails if two bodies are under one number of one chain.
func (l ledger) adds(w *world, by *person) {
	w.t.Helper()
	for i := range w.boxes {
		for name, log := range w.boxes[i].logs {
			at := by.room.places.index[name]
			if at.place == nil {
				continue
			}
			for _, e := range log {
				in, ok := at.place.vault.open(by.room.group, at.lane, e.Tag, e.Box)
				if !ok || in[0] != kindMessage {
					continue
				}
				m, _ := parseMessage(in)
				public, _ := by.room.set.Key(m.sender)
				nonce, ok := by.room.words.nonceOf(m, by.room.group, public)
				if !ok {
					w.t.Error("a cell of no chain that is known")
				}
				key := fmt.Sprintf("%x %x %x %d", m.sender, m.list, nonce, m.number)
				body := m.bodyHash()
				if had, known := l[key]; known && had != body {
					w.t.Errorf("two bodies under %s", key)
				}
				l[key] = body
			}
		}
	}
}

func (p *person) told(is func(Event) bool) bool { return slices.ContainsFunc(p.events, is) }

// TestBothMailboxesWiped: both mailboxes lose their disks at once. Owner and members go on by themselves, whoever finds it first,
// and nothing is signed twice. Who was there is never away, and does not come back; a link that was made before still works.
func TestBothMailboxesWiped(t *testing.T) {
	for _, first := range []string{"owner", "members"} {
		for _, leaders := range []int{1, 2} {
			t.Run(fmt.Sprint(first, " first, ", leaders, " that may rekey"), func(t *testing.T) {
				w := newWorld(t)
				all := w.room(5)
				owner := all[0]
				if leaders == 2 {
					owner.must(owner.room.SetRole(all[1].room.self, Admin, w.now))
					w.settle()
				}
				w.pass(time.Minute)
				w.allSpeak("before", all)
				link, err := owner.room.MakeLink(1, false, w.now.Add(time.Hour), w.now)
				owner.must(err)
				w.settle()
				seen := ledger{}
				seen.adds(w, owner)
				w.wipes()
				order := slices.Clone(all)
				if first == "members" {
					slices.Reverse(order)
				}
				for _, p := range order {
					p.looks()
				}
				w.allSpeak("at once", all)
				w.pass(5 * time.Minute)
				for _, p := range all {
					p.looks()
				}
				w.allSpeak("later", all)
				late := w.asks(link.Text, "late")
				w.pass(time.Minute)
				if late.room == nil {
					t.Fatal("the link is lost")
				}
				w.allSpeak("with one more", append(all, late))
				w.restart()
				w.allSpeak("after a restart", append(all, late))
				seen.adds(w, owner)
				for _, p := range all {
					if p.room.Away() || p.room.back.asked {
						t.Errorf("%s is away", p.name)
					}
					if p.told(func(e Event) bool { _, is := e.(Returned); return is }) {
						t.Errorf("%s sees somebody come back", p.name)
					}
					if p.told(func(e Event) bool { _, is := e.(Forked); return is }) {
						t.Errorf("%s accuses somebody", p.name)
					}
				}
				if first == "owner" && owner.told(func(e Event) bool { _, is := e.(HeadsChanged); return is }) && len(owner.room.words.rekeys) > leaders {
					t.Errorf("%d rekeys", len(owner.room.words.rekeys))
				}
			})
		}
	}
}

// TestWipedWhileAway: somebody misses a rekey that both mailboxes have lost since, and finds back by what the owner says again.
func TestWipedWhileAway(t *testing.T) {
	w := newWorld(t)
	all := w.room(5)
	owner, carol := all[0], all[2]
	w.pass(time.Minute)
	carol.offline = true
	owner.must(owner.room.SetRole(all[4].room.self, Nobody, w.now))
	w.pass(time.Minute)
	w.wipes()
	w.now = w.now.Add(time.Hour)
	for _, p := range all[:4] {
		if p != carol {
			p.looks()
		}
	}
	w.pass(time.Minute)
	carol.offline = false
	carol.looks()
	w.pass(10 * time.Minute)
	w.allSpeak("all that are left", all[:4])
	if carol.room.Role(all[4].room.self) != Nobody {
		t.Error("carol does not know of the removal")
	}
}

// TestWipedAndRestored: a profile of a backup finds nothing at both mailboxes. A member is answered at the door; so is an owner, if there
// is an admin. One that leads alone comes back by itself, and so does one that nobody answers, after an hour. Nothing is
// signed twice.
func TestWipedAndRestored(t *testing.T) {
	for _, one := range []struct {
		name     string
		who      int
		admin    bool
		answered bool
	}{{"member", 2, false, true}, {"owner alone", 0, false, false}, {"owner with an admin", 0, true, true}, {"owner with a silent admin", 0, true, false}} {
		t.Run(one.name, func(t *testing.T) {
			w := newWorld(t)
			all := w.room(4)
			owner, p := all[0], all[one.who]
			if one.admin {
				owner.must(owner.room.SetRole(all[1].room.self, Admin, w.now))
				w.settle()
			}
			w.pass(time.Minute)
			w.allSpeak("before the backup", all)
			old := p.backup()
			w.allSpeak("after the backup", all)
			seen := ledger{}
			seen.adds(w, owner)
			w.wipes()
			if one.admin && !one.answered {
				all[1].offline = true
			}
			w.now = w.now.Add(time.Minute)
			p.heard = nil
			p.restored(old)
			if err := p.says("too soon"); err != ErrNotYet {
				t.Errorf("said before it has looked: %v", err)
			}
			p.looks()
			if one.name != "owner alone" {
				if err := p.says("too soon"); err != ErrNotYet {
					t.Errorf("said while it waits: %v", err)
				}
			}
			for _, q := range others(all, p) {
				if !q.offline {
					q.looks()
				}
			}
			if one.admin && !one.answered {
				w.pass(30 * time.Minute)
				if err := p.says("too soon"); err != ErrNotYet {
					t.Errorf("said while it waits: %v", err)
				}
				w.pass(time.Hour)
				all[1].offline = false
				all[1].looks()
			}
			w.pass(5 * time.Minute)
			w.allSpeak("back", all)
			seen.adds(w, owner)
			for _, q := range all {
				if q.told(func(e Event) bool { _, is := e.(Forked); return is }) {
					t.Errorf("%s accuses somebody", q.name)
				}
				if q != p && !q.told(func(e Event) bool { r, is := e.(Returned); return is && r.Member == p.room.self }) {
					t.Errorf("%s does not see that %s is back", q.name, p.name)
				}
			}
		})
	}
}

// TestKnockAgain: a knock that nobody answers is made again, a day later.
func TestKnockAgain(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob := all[0], all[1]
	w.pass(time.Minute)
	owner.offline = true
	bob.offline = true
	w.pass(15 * 24 * time.Hour)
	bob.restarts()
	bob.offline = false
	w.pass(time.Second)
	bob.must(bob.room.Lost(w.now))
	w.pass(time.Hour)
	w.wipes() // with the knock
	w.pass(25 * time.Hour)
	if !bob.room.Away() {
		t.Fatal("bob is not away")
	}
	owner.offline = false
	owner.looks()
	w.pass(time.Minute)
	w.allSpeak("after the second knock", all)
}

// TestFalseLoss: two mailboxes say again and again that they have nothing. It costs little, and nobody is silent.
func TestFalseLoss(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	w.pass(time.Minute)
	before := w.appends
	for range 50 {
		for _, p := range all {
			p.must(p.room.Lost(w.now))
		}
		w.pass(time.Second)
	}
	w.allSpeak("all the same", all)
	if n := w.appends - before; n > 400 {
		t.Errorf("%d appends", n)
	}
}

// loseFor has the mailboxes lose what is chosen of all that one person has not read, once all others have. It reports
// whether there was any.
func (w *world) loseFor(of *person, loses func(in *inner) bool) (any bool) {
	was := of.offline
	of.offline = true
	w.settle()
	of.offline = was
	for i := range w.boxes {
		for name, log := range w.boxes[i].logs {
			for k := of.read[i][name]; k < len(log); k++ {
				for _, p := range w.people {
					if p.room == nil || p.room.places.index[name].place == nil {
						continue
					}
					at := p.room.places.index[name]
					if in, ok := at.place.vault.open(p.room.group, at.lane, log[k].Tag, log[k].Box); ok && loses(in) {
						log[k] = Entry{Name: name, Position: log[k].Position}
						any = true
					}
					break
				}
			}
		}
	}
	return any
}

// TestLostStepIsAskedFor: the step of a newcomer does not arrive. The others speak under a list that nobody has told: who
// misses it asks, and shows what waited.
func TestLostStepIsAskedFor(t *testing.T) {
	for _, lost := range []string{"step", "rekey"} {
		t.Run(lost, func(t *testing.T) {
			w := newWorld(t)
			all := w.room(4)
			owner, carol := all[0], all[2]
			w.pass(settlesIn + time.Minute)
			carol.offline = true
			var late []*person
			if lost == "step" {
				late = append(late, w.joins(owner, "late"))
			} else {
				owner.must(owner.room.SetRole(all[3].room.self, Nobody, w.now))
				w.settle()
				all = all[:3]
			}
			if !w.loseFor(carol, func(in *inner) bool {
				data, ok := in.controlData()
				if !ok || data[0] != typeStatement {
					return false
				}
				if lost == "step" {
					return data[2] == 17
				}
				return data[2] == 16
			}) {
				t.Fatal("nothing is lost")
			}
			carol.offline = false
			owner.must(owner.says("who hears me"))
			w.settle()
			w.hears("who hears me", append(others(all, owner, carol), late...)...)
			w.pass(90 * time.Second)
			w.hears("who hears me", append(others(all, owner, carol), late...)...)
			w.pass(2 * time.Minute)
			w.hears("who hears me", append(others(all, owner), late...)...)
			w.allSpeak("all", append(all, late...))
		})
	}
}

// TestListsWithoutEnd: a member speaks under lists that there are not. The others ask ever more rarely, and an answer is not
// said again for each.
func TestListsWithoutEnd(t *testing.T) {
	w := newWorld(t)
	all := w.room(6)
	evil := all[5]
	w.pass(settlesIn + time.Minute)
	before := w.appends
	for i := range 120 {
		_, in := w.lastCell(evil, fmt.Sprint("a cell ", i))
		m, _ := parseMessage(in)
		m.list = keys.Digest{byte(i), 1}
		m.number = 0
		hash := m.bodyHash()
		m.signature = evil.room.key.Sign(kdf.SignCell, append(m.place(evil.room.group, keys.Nonce{}), hash[:]...))
		lane := evil.room.writing().messageLane()
		evil.writes(lane, m.inner())
		w.pass(time.Minute)
	}
	for _, p := range others(all, evil) {
		if n := p.room.duty.wondered; n > 8 {
			t.Errorf("%s has asked %d times in two hours", p.name, n)
		}
	}
	if n := w.appends - before - 4*120; n > 1000 {
		t.Errorf("%d appends", n)
	}
	w.allSpeak("all the same", all)
}
