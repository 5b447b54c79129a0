package inbox

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/store"
	"starling/session"
)

// cut turns contents into cells of a chain, one each, under ids of their own.
func cut(seq *uint64, contents ...*chat.Content) (out []session.Part) {
	for _, c := range contents {
		out = append(out, parts(seq, c, 1<<16)[0])
	}
	return out
}

func (b *bench) message(id session.ID) (m store.Message) {
	b.t.Helper()
	b.update(func(tx *store.Tx) (err error) { m, err = tx.MessageOf(b.contact, store.ContentID(id)); return err })
	return m
}

func (b *bench) reaction(id session.ID) (r store.Reaction) {
	b.update(func(tx *store.Tx) error {
		r, _ = tx.Reaction(b.message2(tx, id).ID, false, store.MemberID{})
		return nil
	})
	return r
}

// talk is a text, three edits and three reactions, and one more text that is
// edited and taken back.
func dialogue() (all []session.Part, first, second session.ID) {
	var seq uint64
	texts := cut(&seq, text("0"), text("secret"))
	first, second = texts[0].ID, texts[1].ID
	about := func(id session.ID, kind chat.Kind, value string) *chat.Content {
		c := &chat.Content{Kind: kind, Ref: chat.ID(id)}
		switch kind {
		case chat.Edit:
			c.Text = value
		case chat.Reaction:
			c.Emoji = value
		case chat.Delete:
			c.Ref, c.IDs = chat.ID{}, []chat.ID{chat.ID(id)}
		}
		return c
	}
	changes := cut(&seq,
		about(first, chat.Edit, "1"), about(first, chat.Reaction, "👍"), about(second, chat.Edit, "another secret"),
		about(first, chat.Edit, "2"), about(first, chat.Reaction, ""), about(second, chat.Delete, ""),
		about(second, chat.Edit, "a third"), about(first, chat.Edit, "3"), about(first, chat.Reaction, "❤️"),
		&chat.Content{Kind: chat.Timer, Timer: 60}, &chat.Content{Kind: chat.Timer, Timer: 3600})
	return append(texts, changes...), first, second
}

// In any order of contents, even if nobody waits for missing ones, in the end the last
// word on each counts.
func TestChangesInAnyOrder(t *testing.T) {
	for seed := range uint64(12) {
		b := newBench(t)
		all, first, second := dialogue()
		rng := rand.New(rand.NewPCG(seed, 1))
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, part := range all {
			b.take(part)
			if seed%2 == 0 { // the wait is over at once
				b.with(func(x *batch, p *peer) error {
					return x.order(p, func(k keeper) error { return p.line.Finish(k) })
				})
			}
		}
		if m := b.message(first); m.Text != "3" || m.Deleted {
			t.Errorf("seed %d: %+v", seed, m)
		}
		if r := b.reaction(first); r.Emoji != "❤️" {
			t.Errorf("seed %d: reaction %q", seed, r.Emoji)
		}
		if m := b.message(second); m.Text != "" || !m.Deleted {
			t.Errorf("seed %d: %+v", seed, m)
		}
		b.update(func(tx *store.Tx) error {
			c, err := tx.Contact(b.contact)
			if c.TimerTheirs != 3600 {
				t.Errorf("seed %d: timer %d", seed, c.TimerTheirs)
			}
			for _, id := range []session.ID{first, second} {
				if kept, _ := tx.TakeChanges(b.contact, store.ContentID(id)); len(kept) != 0 {
					t.Errorf("seed %d: kept %+v", seed, kept)
				}
			}
			return err
		})
		if n := b.kept(); n != 0 {
			t.Errorf("seed %d: %d fragments kept", seed, n)
		}
		// Nor does any of it come back in another session.
		b.with(func(x *batch, p *peer) error { p.Chain++; p.NextSeq = 0; return nil })
		for i, part := range all {
			part.Seq = uint64(i)
			b.take(part)
		}
		if m := b.message(first); m.Text != "3" {
			t.Errorf("seed %d: %+v", seed, m)
		}
		if m := b.message(second); m.Text != "" || !m.Deleted {
			t.Errorf("seed %d: %+v", seed, m)
		}
	}
}

// The changes kept for messages that never come are bounded, and a delete leaves
// nothing of an edit.
func TestChangesOfNothing(t *testing.T) {
	b := newBench(t)
	var seq uint64
	var last chat.ID
	for i := range 300 {
		last = chat.ID{byte(i), byte(i >> 8), 1}
		b.take(cut(&seq, &chat.Content{Kind: chat.Edit, Ref: last, Text: fmt.Sprint(i)})[0])
	}
	b.take(cut(&seq, &chat.Content{Kind: chat.Delete, IDs: []chat.ID{last}})[0])
	b.take(cut(&seq, &chat.Content{Kind: chat.Edit, Ref: last, Text: "again"})[0])
	b.update(func(tx *store.Tx) error {
		kept := 0
		for i := range 300 {
			changes, err := tx.TakeChanges(b.contact, store.ContentID{byte(i), byte(i >> 8), 1})
			if err != nil {
				return err
			}
			kept += len(changes)
			if i == 299 && (len(changes) != 1 || changes[0].Kind != int(chat.Delete) || changes[0].Text != "") {
				t.Errorf("%+v", changes)
			}
		}
		if kept != 256 {
			t.Errorf("%d kept", kept)
		}
		return nil
	})
}

// An erased message does not come back, nor do later changes of it.
func TestErasedStaysErased(t *testing.T) {
	b := newBench(t)
	var seq uint64
	part := cut(&seq, text("erased"))[0]
	b.take(part)
	b.update(func(tx *store.Tx) error { return tx.Erase(b.message2(tx, part.ID), b.now) })
	again := part
	again.Seq, seq = seq, seq+1
	if x := b.take(again); !x.owed[b.contact] {
		t.Error("the second copy is not acknowledged")
	}
	b.take(cut(&seq, &chat.Content{Kind: chat.Edit, Ref: chat.ID(part.ID), Text: "edited"})[0])
	if got := b.shown(); len(got) != 0 {
		t.Errorf("shown %q", got)
	}
	b.update(func(tx *store.Tx) error {
		if kept, _ := tx.TakeChanges(b.contact, store.ContentID(part.ID)); len(kept) != 0 {
			t.Errorf("kept %+v", kept)
		}
		return nil
	})
}

func (b *bench) message2(tx *store.Tx, id session.ID) store.Message {
	m, err := tx.MessageOf(b.contact, store.ContentID(id))
	if err != nil {
		b.t.Fatal(err)
	}
	return m
}

// Times of a peer are never later than now, and none is now.
func TestTimesOfChanges(t *testing.T) {
	b := newBench(t)
	var seq uint64
	part := cut(&seq, text("x"))[0]
	b.take(part)
	for at, want := range map[time.Time]time.Time{
		{}:                    b.now,
		b.now.Add(time.Hour):  b.now,
		b.now.Add(-time.Hour): b.now.Add(-time.Hour),
	} {
		b.take(cut(&seq, &chat.Content{Kind: chat.Edit, Ref: chat.ID(part.ID), Text: "y", Time: at})[0])
		if m := b.message(part.ID); !m.Edited.Equal(want) {
			t.Errorf("edited %v, want %v", m.Edited, want)
		}
	}
}

// Typing is told if it is fresh, and never kept or acknowledged.
func TestTypingIsFresh(t *testing.T) {
	b := newBench(t)
	var seq uint64
	for after, want := range map[time.Duration]bool{
		0: true, freshTyping: true, freshTyping + time.Millisecond: false, -freshTyping: true, -freshTyping - time.Millisecond: false,
	} {
		part := cut(&seq, &chat.Content{Kind: chat.Typing, Time: b.now.Add(-after)})[0]
		x := b.take(part)
		if x.typing[b.contact] != want || x.owed[b.contact] {
			t.Errorf("%v old: told %v, owed %v", after, x.typing, x.owed)
		}
		b.update(func(tx *store.Tx) error {
			if seen, err := tx.Seen(b.contact, store.ContentID(part.ID)); err != nil || seen {
				t.Errorf("seen %v, %v", seen, err)
			}
			return nil
		})
	}
}

// Read is noted once, for messages of ours that are there.
func TestRead(t *testing.T) {
	b := newBench(t)
	var seq uint64
	mine, gone := store.NewID(), store.NewID()
	theirs := cut(&seq, text("theirs"))[0]
	b.take(theirs)
	b.update(func(tx *store.Tx) error {
		for _, id := range []store.ID{mine, gone} {
			m := store.Message{ID: id, Contact: b.contact, Outgoing: true, Text: "x", State: api.StateSent}
			if _, err := tx.AddMessage(m, b.now); err != nil {
				return err
			}
		}
		return tx.TakeBack(store.Message{ID: gone, Contact: b.contact}, b.now)
	})
	for _, at := range []time.Time{b.now.Add(-time.Minute), b.now} {
		b.take(cut(&seq, &chat.Content{Kind: chat.Read, Time: at, IDs: []chat.ID{chat.ID(mine), chat.ID(gone), chat.ID(theirs.ID), {9}}})[0])
	}
	var read []bool
	for _, id := range []session.ID{session.ID(mine), session.ID(gone), theirs.ID} {
		m := b.message(id)
		read = append(read, !m.Read.IsZero())
		if !m.Read.IsZero() && !m.Read.Equal(b.now.Add(-time.Minute)) {
			t.Errorf("read %v", m.Read)
		}
	}
	if !slices.Equal(read, []bool{true, false, false}) {
		t.Errorf("read %v", read)
	}
}

func TestTimerText(t *testing.T) {
	for seconds, want := range map[int]string{
		0: "do not disappear", 5: "disappear 5 seconds after they were read", 60: "disappear 1 minute after they were read",
		90: "disappear 90 seconds after they were read", 3600: "disappear 1 hour after they were read",
		86400: "disappear 1 day after they were read", api.MaxTimer: "disappear 4 weeks after they were read",
	} {
		if got := TimerText(seconds); got != want {
			t.Errorf("%d: %q", seconds, got)
		}
	}
}
