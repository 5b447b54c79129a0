package inbox

import (
	"errors"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/outbox"
	"starling/node/store"
	"starling/session"
)

// newSessions makes two sides of a session.
func newSessions(t *testing.T) (ours, theirs *session.Session) {
	t.Helper()
	now := time.Now()
	invite, err := session.NewInvite(now.Add(time.Hour), [][]byte{{1}})
	if err != nil {
		t.Fatal(err)
	}
	link, err := session.ParseLink(invite.Link())
	if err != nil {
		t.Fatal(err)
	}
	theirs, hello, err := link.Join(now, invite.Bundle(), session.ID{1}, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range hello {
		if s, _, err := invite.Accept(now, c); err == nil && s != nil {
			ours = s
		}
	}
	if ours == nil {
		t.Fatal("no session")
	}
	return ours, theirs
}

// meet gives the contact of a bench a session, of which it returns the other side.
func (b *bench) meet() (theirs *session.Session) {
	b.t.Helper()
	ours, theirs := newSessions(b.t)
	state, err := ours.MarshalBinary()
	if err != nil {
		b.t.Fatal(err)
	}
	b.update(func(tx *store.Tx) error {
		_, version, err := tx.Session(b.contact)
		if err != nil {
			return err
		}
		return tx.SetSession(b.contact, version, state)
	})
	return theirs
}

// say puts a text of ours in the outbox, which is sealed.
func (b *bench) say(text string) store.ID {
	b.t.Helper()
	id := store.NewID()
	b.update(func(tx *store.Tx) error {
		m := store.Message{ID: id, Content: id.Content(), Contact: b.contact, Outgoing: true, Text: text, Time: b.now, State: api.StateQueued}
		if _, err := tx.AddMessage(m, b.now); err != nil {
			return err
		}
		_, err := outbox.Queue(tx, b.contact, id, outbox.Message(m), b.now)
		return err
	})
	return id
}

// missed has the contact say that they miss cells, and returns what is queued anew.
func (b *bench) missed(runs ...chat.Cells) (done *batch) {
	b.t.Helper()
	b.update(func(tx *store.Tx) error {
		done = b.in.newBatch(tx, b.now)
		p, err := done.peer(b.contact)
		if err != nil {
			return err
		}
		return done.content(p, store.ContentID(store.NewID()), p.place(0), &chat.Content{Kind: chat.Missed, Cells: runs})
	})
	return done
}

func (b *bench) item(id store.ID) (it store.Item) {
	b.t.Helper()
	b.update(func(tx *store.Tx) (err error) { it, err = tx.Item(id); return err })
	return it
}

// seal seals what is queued.
func (b *bench) seal(queued []outbox.Queued) {
	b.t.Helper()
	b.update(func(tx *store.Tx) error {
		s, version, err := outbox.Session(tx, b.contact)
		if err != nil {
			return err
		}
		if err := outbox.Reseal(tx, s, queued, b.now); err != nil {
			return err
		}
		state, err := s.MarshalBinary()
		if err != nil {
			return err
		}
		return tx.SetSession(b.contact, version, state)
	})
}

// What a contact misses of ours is sealed anew, once per claim and rarer and rarer; of
// what was never said, what was acknowledged and what was given up nothing is.
func TestHostileMissed(t *testing.T) {
	b := newBench(t)
	b.meet()
	first := b.say("0")
	for _, run := range []chat.Cells{{First: 1, Count: 1}, {First: 0, Count: 2}, {First: chat.MaxCell, Count: 1}} {
		// One lie makes a lie of all.
		if done := b.missed(chat.Cells{First: 0, Count: 1}, run); len(done.queued) != 0 || len(done.refused) != 1 || b.item(first).State != api.StateSealed {
			t.Errorf("%v: %d queued", run, len(done.queued))
		}
	}

	second, third, last := b.say("1"), b.say("2"), b.say("3")
	b.update(func(tx *store.Tx) error { return tx.SetItemState(third, api.StateFailed) })
	done := b.missed(chat.Cells{First: 1, Count: 2})
	if len(done.queued) != 1 {
		t.Fatalf("%d queued", len(done.queued))
	}
	for id, want := range map[store.ID]api.State{first: api.StateSealed, second: api.StateQueued, third: api.StateFailed, last: api.StateSealed} {
		if it := b.item(id); it.State != want {
			t.Errorf("%s is %s, want %s", id, it.State, want)
		}
	}
	b.update(func(tx *store.Tx) error {
		if m, err := tx.Message(second); err != nil || m.State != api.StateQueued || m.Reason == "" {
			t.Errorf("the message is %s %q, %v", m.State, m.Reason, err)
		}
		// What is said afterwards does not wait for it.
		if waits, err := tx.QueuedBefore(last); err != nil || waits {
			t.Errorf("%v %v", waits, err)
		}
		return nil
	})

	// Whoever says so of all, again and again, has it no more often than repairs.
	sealed, end := 0, b.now.Add(outbox.Lifetime)
	for ; b.now.Before(end); b.now = b.now.Add(5 * time.Minute) {
		if it := b.item(second); it.State == api.StateQueued && !it.After.After(b.now) {
			b.seal(done.queued)
			sealed++
		}
		if it := b.item(second); it.State == api.StateSealed {
			done = b.missed(chat.Cells{First: uint32(it.First), Count: 1})
		}
	}
	if sealed < 10 || sealed > 22 {
		t.Errorf("sealed %d times in 14 days", sealed)
	}

	// What was erased is not said again.
	b.update(func(tx *store.Tx) error {
		m, err := tx.Message(first)
		return errors.Join(err, tx.Erase(m, b.now))
	})
	if done := b.missed(chat.Cells{First: 0, Count: 1}); len(done.queued) != 0 || len(done.gone) != 1 {
		t.Errorf("%d queued, %d gone", len(done.queued), len(done.gone))
	}
}

// A session that gives cells up has them told once, when there is room, and a while
// after: also over a restart.
func TestMissedIsTold(t *testing.T) {
	b := newBench(t)
	theirs := b.meet()
	for range 3 {
		if _, err := theirs.Seal(session.ID{2}, []byte("lost"), 0); err != nil {
			t.Fatal(err)
		}
	}
	cells, err := theirs.Seal(session.ID{3}, []byte{99}, 0)
	if err != nil {
		t.Fatal(err)
	}
	told := func() (out []chat.Cells) {
		b.update(func(tx *store.Tx) error {
			items, err := tx.ItemsOf(b.contact)
			for _, it := range items {
				if c, err := chat.Decode(it.Content); err == nil && c.Kind == chat.Missed {
					out = append(out, c.Cells...)
				}
			}
			return err
		})
		return out
	}
	ctx := t.Context()
	_, err = b.in.commit(ctx, b.now, func(x *batch) error {
		p, err := x.peer(b.contact)
		if err != nil {
			return err
		}
		if _, err = p.session.Open(cells[0]); err == nil {
			p.session.GiveUp(p.session.Passed())
			p.stepped = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	at, ok := b.in.losing[b.contact]
	if wait := at.Sub(b.now); !ok || wait < missedPause/2 || wait > 2*missedPause || len(told()) != 0 {
		t.Fatalf("%v to be told after %v", ok, wait)
	}

	again := New(Config{Store: b.s, Outbox: outbox.New(outbox.Config{Store: b.s}), Network: noNetwork{}})
	if err := again.load(ctx); err != nil || again.losing[b.contact].IsZero() {
		t.Fatalf("forgotten: %v", err)
	}
	if _, err := again.tellMissed(ctx); err != nil || len(told()) != 0 {
		t.Fatalf("told at once: %v", err)
	}
	again.losing[b.contact] = time.Now()
	if _, err := again.tellMissed(ctx); err != nil {
		t.Fatal(err)
	}
	if got := told(); len(got) != 1 || got[0].Count != 3 || len(again.losing) != 0 {
		t.Errorf("told of %v, %d wait", got, len(again.losing))
	}
	again.losing[b.contact] = time.Now()
	if _, err := again.tellMissed(ctx); err != nil || len(told()) != 1 || len(again.losing) != 0 {
		t.Errorf("told again: %v", err)
	}
}
