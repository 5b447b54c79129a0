package rooms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/store"
	"starling/session/group"
)

// A ranked network ranks the nodes 2 and 100 to 102 highest, by any secret; some nodes are missing.
type ranked struct {
	asked
	missing []store.Node
	few     bool // it knows too few nodes
	refuse  []store.Node
}

func (r *ranked) Missing(all []store.Node) ([]store.Node, error) {
	return slices.DeleteFunc(slices.Clone(all), func(n store.Node) bool { return !slices.Contains(r.missing, n) }), nil
}

func (r *ranked) Meeting(_ [32]byte, n int) (set []group.Mailbox, err error) {
	if r.few {
		return nil, ErrHold
	}
	for _, i := range []byte{2, 100, 101, 102, 103}[:n] {
		set = append(set, group.Mailbox{Node: store.Node{i}, Hint: []byte{i}})
	}
	return set, nil
}

func (r *ranked) ChooseMailboxes(int, ...store.Node) (set []store.Mailbox, err error) {
	return []store.Mailbox{{Node: store.Node{1}}, {Node: store.Node{2}}}, nil
}

func (r *ranked) AddHint([]byte) (store.Node, error) { return store.Node{}, nil }

func (r *ranked) AwaitQuota(context.Context) error { return nil }

// Append has no answer from a mailbox that is missing.
func (r *ranked) Append(ctx context.Context, node store.Node, _ [32]byte, _ Sealed) error {
	switch {
	case slices.Contains(r.refuse, node):
		return ErrTaken
	case !slices.Contains(r.missing, node):
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (r *ranked) Follow(string, store.Node, []store.LogPosition) {}

// gone makes a desk with a room whose mailboxes are 1 and 2.
func gone(t *testing.T, missing ...store.Node) (*desk, *ranked) {
	d, net := newDesk(t), &ranked{missing: missing}
	d.rs = New(Config{Store: d.store, Network: net, Now: func() (time.Time, bool) { return d.now, true }})
	d.found()
	d.rs.open[d.id] = d.part
	d.rs.refollow(d.part)
	return d, net
}

// TestMeetings: the logs of a room are followed elsewhere while all their mailboxes are missing, not while one is there, and to
// the next start.
func TestMeetings(t *testing.T) {
	at := func(p *part) (nodes []byte) {
		logs := p.logs()
		for i, place := range p.follows()[len(logs):] {
			if !slices.Equal(place.Names, logs[i].Names) || place.Key[:len(logs[i].Key)] != logs[i].Key || place.Home {
				t.Errorf("%+v is not %+v elsewhere", place, logs[i])
			}
			for _, m := range place.Mailboxes {
				nodes = append(nodes, m.Node[0])
			}
		}
		return nodes
	}
	d, net := gone(t, store.Node{1})
	look := func(missing ...store.Node) []byte {
		net.missing = missing
		d.rs.lookAfter(t.Context())
		return at(d.part)
	}
	if got := look(store.Node{1}); len(got) > 0 {
		t.Errorf("one is missing: %d", got)
	}
	want := []byte{100, 101, 102, 100, 101, 102} // of the lanes, and of the door
	if got := look(store.Node{1}, store.Node{2}); !slices.Equal(got, want) {
		t.Errorf("both are missing: %d", got)
	}
	if got := look(); !slices.Equal(got, want) {
		t.Errorf("both are back: %d", got)
	}

}

// TestMeetingsCrowded: of secrets that others choose there are not more than eight of keys and eight of doors, the newest ones. So
// neither many places, nor doors, keep the present one from being met at, also if it is gone later; and what is not followed any more goes.
func TestMeetingsCrowded(t *testing.T) {
	d, net := gone(t)
	place := func(i byte, at byte, door bool) group.Place {
		return group.Place{Mailboxes: []group.Mailbox{{Node: store.Node{at}}}, Names: [][16]byte{{i}}, Meet: [][32]byte{{i}}, Door: door}
	}
	meet := func(home byte, missing ...store.Node) {
		t.Helper()
		net.missing = missing
		logs := []group.Place{place(100, 50, false), place(home, home, false)}
		for i := range byte(20) {
			logs = append(logs, place(i+1, 1, false), place(i+201, 1, true))
		}
		logs[1].Home = true
		d.rs.missing = make(map[store.Node]time.Time)
		for _, n := range missing {
			d.rs.missing[n] = time.Now()
		}
		d.rs.meet(d.part, logs)
		if len(d.part.meetings) > 2*maxMeetings {
			t.Fatalf("%d meetings", len(d.part.meetings))
		}
	}
	meet(99, store.Node{1})
	for _, i := range []byte{20, 13, 220, 213} {
		if len(d.part.meetings) != 2*maxMeetings || d.part.meetings[[32]byte{i}] == nil {
			t.Errorf("%d is not among %d meetings", i, len(d.part.meetings))
		}
	}
	for _, home := range []byte{98, 99} {
		if meet(home, store.Node{1}, store.Node{home}); len(d.part.meetings) != 2*maxMeetings || d.part.meetings[[32]byte{home}] == nil {
			t.Errorf("the present place is not among %d meetings", len(d.part.meetings))
		}
	}
	if _, changed := d.rs.meet(d.part, nil); len(d.part.meetings) > 0 || !changed {
		t.Errorf("%d meetings of no logs", len(d.part.meetings))
	}
}

// TestMeetingLosesLog: where readers meet a log may be lost: nobody takes the logs of the room for lost.
func TestMeetingLosesLog(t *testing.T) {
	d, _ := gone(t, store.Node{1}, store.Node{2})
	d.rs.lookAfter(t.Context())
	home := d.part.logs()[0]
	name := home.Names[0]
	at := func(n byte) logAt { return logAt{d.id, store.Node{n}, name} }
	d.rs.position[at(1)], d.rs.position[at(2)], d.rs.position[at(100)] = position{}, position{}, position{instance: 5, all: 7}
	d.update(func(t *Tx) error {
		t.positions = make(map[logAt]position)
		err := t.end(End{Node: store.Node{100}, Name: name})
		if t.changed || t.positions[at(100)].instance != 0 {
			return fmt.Errorf("the room is told, or %v", t.positions)
		}
		return err
	})
	d.rs.position[at(1)] = position{instance: 5, all: 7}
	d.update(func(t *Tx) error {
		t.positions = make(map[logAt]position)
		err := t.end(End{Node: store.Node{1}, Name: name})
		if !t.changed {
			return errors.New("no mailbox has the log any more, and the room is not told")
		}
		return err
	})
}

// TestOnItsWayOnce: an entry that is put on its way twice, as the card of a link is whenever its readers meet elsewhere, is so once, and
// begins anew.
func TestOnItsWayOnce(t *testing.T) {
	d, _ := gone(t)
	a := store.Append{Room: d.id, Tag: store.Tag{1}, Goals: []store.Mailbox{{Node: store.Node{1}}, {Node: store.Node{2}}}}
	d.update(func(t *Tx) error {
		before, err := t.Tx.Appends()
		if err != nil {
			return err
		}
		var seqs []int64
		for range 3 {
			seq, err := t.Tx.AddAppend(a, []byte("box"))
			if err != nil {
				return err
			}
			seqs = append(seqs, seq)
			_, _, err = t.Tx.Reached(seq, store.Node{1})
			_, _, more := t.Tx.SpareGoals(seq, []store.Node{{2}}, nil)
			if err := errors.Join(err, more); err != nil {
				return err
			}
		}
		if seqs[1] != seqs[0] {
			return fmt.Errorf("they are %d", seqs)
		}
		if _, err := t.Tx.AddAppend(a, []byte("box")); err != nil {
			return err
		}
		all, err := t.Tx.Appends()
		if len(all) != len(before)+1 {
			return fmt.Errorf("%d are on their way", len(all)-len(before))
		}
		if last := all[len(before)]; len(last.Goals) != 2 || len(last.Spare) > 0 || last.Copies > 0 {
			return fmt.Errorf("it is not anew: %+v", last)
		}
		return err
	})
}

// TestErrands: an entry has one errand for a mailbox, however often it is added, in the order in which entries were made; one that is added while it
// is busy is tried again.
func TestErrands(t *testing.T) {
	s := newSender(nil)
	entry := func(seq int64) store.Append {
		return store.Append{Seq: seq, Goals: []store.Mailbox{{Node: store.Node{1}}}, Spare: []store.Mailbox{{Node: store.Node{2}}}}
	}
	for range 3 {
		s.add(entry(7), entry(9))
		s.add(entry(8))
	}
	for n, q := range s.queues {
		var all []int64
		for _, e := range q.todo {
			all = append(all, e.seq)
			if e.again {
				t.Error("it was not busy")
			}
		}
		if !slices.Equal(all, []int64{7, 8, 9}) {
			t.Errorf("mailbox %d has %d", n[0], all)
		}
	}
	q := s.queues[store.Node{1}]
	q.todo[1].busy = true
	if s.add(entry(8)); len(q.todo) != 3 || !q.todo[1].again {
		t.Errorf("%d errands, again %v", len(q.todo), q.todo[1].again)
	}
}

// TestElsewhere: an entry that no mailbox has goes where its readers meet once all were missing for a minute, and to the next if these are
// gone; it has arrived when it is at two. One that lies somewhere has arrived when the rest was missing for five minutes.
func TestElsewhere(t *testing.T) {
	d, net := gone(t)
	since := func(ago time.Duration, nodes ...byte) { d.miss(net, ago, nodes...) }
	state := func(id store.ID) (s api.State) {
		d.update(func(t *Tx) error {
			m, err := t.Tx.Message(id)
			s = m.State
			return err
		})
		return s
	}
	goals := func(seq int64) (all string) {
		d.update(func(t *Tx) error {
			a, _, err := t.Tx.AppendBox(seq)
			for _, m := range a.Goals {
				all += fmt.Sprint(" ", m.Node[0])
			}
			for _, m := range a.Spare {
				all += fmt.Sprint(" spare ", m.Node[0])
			}
			return err
		})
		return all
	}
	try := func(seq int64) {
		if err := d.rs.elsewhere(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	is := func(what string, seq int64, want string) {
		t.Helper()
		try(seq)
		if got := goals(seq); got != want {
			t.Errorf("%s: it goes to%s, not%s", what, got, want)
		}
	}

	none, text := d.puts(0)
	since(meetAfter-time.Second, 1, 2)
	is("soon", none, " 1 2")
	since(time.Hour, 1)
	is("one is there", none, " 1 2")
	since(meetAfter, 1, 2, 100)
	is("both are gone, and the best meeting place", none, " 101 102 spare 1 spare 2")
	since(meetAfter, 1, 2, 100, 101, 102)
	is("and all others", none, " 101 102 spare 1 spare 2")
	since(meetAfter, 1, 2, 101, 102)
	is("and the two others", none, " 100 spare 1 spare 2 spare 101 spare 102")
	reach := func(seq int64, node byte) {
		if err := d.rs.note(t.Context(), api.StateSent, "", func(tx *store.Tx) (store.ContentID, error) {
			done, _, err := tx.Reached(seq, store.Node{node})
			return done, err
		}); err != nil {
			t.Fatal(err)
		}
	}
	reach(none, 1)
	if s := state(text); s != api.StateSealed {
		t.Errorf("at a mailbox that is back: %s", s)
	}
	reach(none, 100)
	if s := state(text); s != api.StateSent {
		t.Errorf("at all that are there: %s", s)
	}

	one, text := d.puts(1)
	since(goneAfter-time.Second, 2)
	is("one has it", one, " 2")
	since(goneAfter, 2)
	is("one has it, and the other is gone", one, " spare 2")
	if s := state(text); s != api.StateSent {
		t.Errorf("the one that has it is all that is left: %s", s)
	}
	since(goneAfter, 2)
	err := d.rs.note(t.Context(), api.StateFailed, "14 days", func(tx *store.Tx) (store.ContentID, error) {
		done, _, err := tx.GiveUp(one, store.Node{2})
		return done, err
	})
	if s := state(text); s != api.StateSent || err != nil {
		t.Errorf("sent, and then given up where it does not wait: %s, %v", s, err)
	}
	d.update(func(t *Tx) error {
		if n, err := t.Tx.Arriving(d.id); n > 0 || err != nil {
			return fmt.Errorf("%d arrive, %v", n, err)
		}
		return nil
	})
}

// puts puts a message on its way to the mailboxes 1 and 2, of which some have it.
func (d *desk) puts(copies int) (seq int64, id store.ID) {
	d.update(func(t *Tx) error {
		id = store.NewID()
		m := store.Message{ID: id, Contact: d.id, Content: store.ContentID(id), Outgoing: true, Text: "x", Time: d.now, State: api.StateSealed}
		if _, err := t.Tx.AddMessage(m, d.now); err != nil {
			return err
		}
		a := store.Append{Room: d.id, Tag: store.Tag(id), Content: store.ContentID(id), Created: d.now, Goals: []store.Mailbox{{Node: store.Node{1}}, {Node: store.Node{2}}}}
		var err error
		seq, err = t.Tx.AddAppend(a, []byte("box"))
		for n := range copies {
			_, _, more := t.Tx.Reached(seq, store.Node{byte(n + 1)})
			err = errors.Join(err, more)
		}
		return err
	})
	return seq, id
}

// miss has nodes missing for a while.
func (d *desk) miss(net *ranked, ago time.Duration, nodes ...byte) {
	d.rs.missing, net.missing = make(map[store.Node]time.Time), nil
	for _, n := range nodes {
		d.rs.missing[store.Node{n}] = time.Now().Add(-ago)
		net.missing = append(net.missing, store.Node{n})
	}
}

// TestDelayed: why a content is not sent is said while all mailboxes that do not have it are missing.
func TestDelayed(t *testing.T) {
	d, net := gone(t)
	delayed := func(what string, id store.ID, want string) {
		t.Helper()
		d.update(func(t *Tx) error {
			got, err := d.rs.Delayed(t.Tx, d.id, store.ContentID(id))
			if !strings.HasPrefix(got, want) || want == "" && got != "" {
				return fmt.Errorf("%s: %q, %v", what, got, err)
			}
			return err
		})
	}
	_, none := d.puts(0)
	_, one := d.puts(1)
	d.miss(net, 0)
	delayed("nothing is missing", none, "")
	d.miss(net, 0, 1)
	delayed("one is there and does not have it yet", none, "")
	d.miss(net, 0, 1, 2)
	delayed("both are missing", none, "the mailboxes of the room do not answer")
	d.miss(net, 0, 2)
	delayed("one has it", one, "one mailbox of the room has it")
	d.miss(net, 0, 1)
	delayed("the one that has it is missing", one, "")
}

// TestElsewhereAtOnce: no entry waits behind those that are tried at mailboxes which do not answer, however many are: neither when both are gone,
// nor when the other one has it.
func TestElsewhereAtOnce(t *testing.T) {
	for name, nodes := range map[string][]store.Node{"both": {{1}, {2}}, "one": {{2}}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, _ := gone(t, nodes...)
				d.rs.missing = make(map[store.Node]time.Time)
				for _, n := range nodes {
					d.rs.missing[n] = time.Now().Add(-goneAfter)
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- d.rs.sender.run(ctx) }()
				defer func() { stop(); <-done }()

				for round := range 3 {
					var all []store.Append
					d.update(func(t *Tx) error {
						for range window {
							a := store.Append{Room: d.id, Tag: store.Tag(store.NewID()), Created: time.Now(), Goals: []store.Mailbox{{Node: store.Node{1}}, {Node: store.Node{2}}}}
							var err error
							if a.Seq, err = t.Tx.AddAppend(a, []byte("box")); err != nil {
								return err
							}
							all = append(all, a)
						}
						return nil
					})
					d.rs.sender.add(all...)
					synctest.Wait()
					d.update(func(t *Tx) error {
						if n, err := t.Tx.Arriving(d.id); n > 0 || err != nil {
							return fmt.Errorf("round %d: %d of %d are on their way, %v", round, n, window, err)
						}
						return nil
					})
				}
			})
		})
	}
}

// TestMeetingRefuses: relays where readers meet that refuse all, as if each tag were taken, are passed over: an entry is where it can be before it is
// called sent.
func TestMeetingRefuses(t *testing.T) {
	for _, refuse := range [][]store.Node{{{100}, {101}}, {{100}}, {{101}}} {
		synctest.Test(t, func(t *testing.T) {
			d, net := gone(t, store.Node{1}, store.Node{2})
			net.refuse = refuse
			d.rs.missing = map[store.Node]time.Time{{1}: time.Now().Add(-meetAfter), {2}: time.Now().Add(-meetAfter)}
			a := store.Append{Room: d.id, Created: time.Now(), Goals: []store.Mailbox{{Node: store.Node{1}}, {Node: store.Node{2}}}}
			d.update(func(t *Tx) (err error) { a.Seq, err = t.Tx.AddAppend(a, []byte("box")); return err })
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- d.rs.sender.run(ctx) }()
			defer func() { stop(); <-done }()
			d.rs.sender.add(a)
			time.Sleep(10 * time.Second)
			d.update(func(t *Tx) (err error) { a, _, err = t.Tx.AppendBox(a.Seq); return err })
			if a.Copies == 0 || len(a.Goals) > 0 {
				t.Errorf("%d refuse: %d copies, and it goes to %v", len(refuse), a.Copies, a.Goals)
			}
		})
	}
}

// TestNowhereElse: mailboxes that seem gone are tried also while nobody knows where to go instead.
func TestNowhereElse(t *testing.T) {
	d, net := gone(t)
	net.few = true
	d.rs.missing = map[store.Node]time.Time{{1}: time.Now().Add(-time.Hour), {2}: time.Now().Add(-time.Hour)}
	a := store.Append{Room: d.id, Created: d.now, Goals: []store.Mailbox{{Node: store.Node{1}}, {Node: store.Node{2}}}}
	d.update(func(t *Tx) (err error) { a.Seq, err = t.Tx.AddAppend(a, []byte("box")); return err })
	for _, m := range a.Goals {
		if err := d.rs.sender.try(t.Context(), m.Node, &errand{seq: a.Seq}); err != nil {
			t.Fatal(err)
		}
	}
	d.update(func(t *Tx) error {
		if n, err := t.Tx.Arriving(d.id); n > 0 || err != nil {
			return fmt.Errorf("%d are on their way, %v", n, err)
		}
		return nil
	})
}

// TestNoticed: a change of a room that fails, as often as somebody tries it, takes nothing back of what was noticed: since when contents wait,
// and where readers meet.
func TestNoticed(t *testing.T) {
	d, net := gone(t)
	id, err := d.rs.Create(t.Context(), "t", "n")
	if err != nil {
		t.Fatal(err)
	}
	net.missing = []store.Node{{1}, {2}}
	d.rs.lookAfter(t.Context())
	part := d.rs.open[id]
	since := d.now.Add(-time.Hour)
	part.attended, part.since = d.now, since
	if len(part.meetings) == 0 {
		t.Fatal("they meet nowhere")
	}
	refused := errors.New("refused")
	for range 3 {
		if err := d.rs.Update(t.Context(), id, func(t *Tx) error { t.p.room.SetSettings(group.Settings{Title: "other"}, t.now); return refused }); err != refused {
			t.Fatal(err)
		}
		d.rs.lookAfter(t.Context())
		if err := d.rs.Update(t.Context(), id, func(*Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		now := d.rs.open[id]
		if now == part || now.room.Settings().Title != "t" || !now.since.Equal(since) || len(now.meetings) == 0 || len(now.follows()) == len(now.logs()) {
			t.Errorf("%q, waits since %v, %d meetings", now.room.Settings().Title, now.since, len(now.meetings))
		}
		part = now
	}
}

// TestLulls: the mailboxes of a room are asked when nothing came for two minutes, and each time after four times as long, for two hours; anew
// after each entry, and never before the first.
func TestLulls(t *testing.T) {
	d, net := gone(t)
	start := d.now
	asked := func(from, to time.Duration) (at []time.Duration) {
		for after := from; after <= to; after += lookEvery {
			d.now, net.keys = start.Add(after), nil
			if d.rs.askInLulls(); len(net.keys) > 0 {
				at = append(at, after)
			}
		}
		return at
	}
	if got := asked(0, time.Hour); len(got) > 0 {
		t.Errorf("nothing has come yet: %v", got)
	}
	d.part.came = start
	want := []time.Duration{2 * time.Minute, 8 * time.Minute, 32 * time.Minute}
	if got := asked(0, 24*time.Hour); !slices.Equal(got, want) {
		t.Errorf("after one: %v", got)
	}
	start = start.Add(24 * time.Hour)
	d.part.came = start
	if got := asked(0, 3*time.Minute); !slices.Equal(got, want[:1]) {
		t.Errorf("after another: %v", got)
	}
	d.part.came = start.Add(3 * time.Minute)
	if got := asked(3*time.Minute, 12*time.Minute); !slices.Equal(got, []time.Duration{5 * time.Minute, 11 * time.Minute}) {
		t.Errorf("after one more: %v", got)
	}
}

// TestDelays: it is told at once when one mailbox has a message and the other is missing: it waits for another reason then.
func TestDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, net := gone(t)
		d.miss(net, meetAfter, 2)
		var told []store.ContentID
		d.rs.cfg.Delays = func(all ...store.ContentID) { told = append(told, all...) }
		seq, id := d.puts(0)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.rs.sender.run(ctx) }()

		var a store.Append
		d.update(func(t *Tx) (err error) { a, _, err = t.Tx.AppendBox(seq); return err })
		d.rs.sender.add(a)
		synctest.Wait()
		stop()
		<-done
		if !slices.Equal(told, []store.ContentID{store.ContentID(id)}) {
			t.Errorf("told of %v", told)
		}
	})
}
