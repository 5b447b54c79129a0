package inbox

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/inbox/order"
	"starling/node/store"
	"starling/session"
)

// line is texts of which each names the one before it, one cell each.
func line(seq *uint64, texts ...string) (out []session.Part) {
	var last chat.ID
	for _, s := range texts {
		c := text(s)
		c.Previous = last
		out = append(out, cut(seq, c)...)
		last = chat.ID(out[len(out)-1].ID)
	}
	return out
}

func (b *bench) history() (all []store.Message) {
	b.t.Helper()
	b.update(func(tx *store.Tx) (err error) { all, err = tx.History(b.contact, 1<<60, 10_000); return err })
	return all
}

// wait has time go by, and contents that wait long enough be taken.
func (b *bench) wait(d time.Duration) {
	b.t.Helper()
	b.now = b.now.Add(d)
	b.with(func(x *batch, p *peer) error {
		return x.skip(p, DefaultHold)
	})
}

// changes returns for which messages it was told that they changed.
func (b *bench) changes() (ids []store.ID) {
	b.t.Helper()
	b.update(func(tx *store.Tx) error {
		all, err := tx.Events(0, 10_000)
		for _, e := range all {
			if e.Kind == api.EventChanged {
				ids = append(ids, e.Message)
			}
		}
		return err
	})
	return ids
}

// signs is a conversation with its signs of order: "2?" is shown without the message
// before it, "2!" will be for ever, and "1<2" was written before 2 and came after it.
func (b *bench) signs() (out []string) {
	b.t.Helper()
	all := b.history()
	for _, m := range all {
		s := m.Text
		switch {
		case m.Lost:
			s += "!"
		case !m.Gap.IsZero():
			s += "?"
		}
		for _, other := range all {
			if !m.Late.IsZero() && other.ID == m.Late {
				s += "<" + other.Text
			}
		}
		out = append(out, s)
	}
	return out
}

func (b *bench) want(signs ...string) {
	b.t.Helper()
	if got := b.signs(); !slices.Equal(got, signs) {
		b.t.Fatalf("shown %q, want %q", got, signs)
	}
}

// A message waits for the one before it and for nothing else; when it has
// waited long enough it is shown and says so, until the other has come.
func TestGap(t *testing.T) {
	b := newBench(t)
	var seq uint64
	m := line(&seq, "0", "1")
	seq++ // a receipt that nobody repeats
	m = append(m, line(&seq, "2")...)
	m[2] = relink(m[2], m[1])
	seq++
	rest := line(&seq, "3", "4", "5")
	rest[0] = relink(rest[0], m[2])
	m = append(m, rest...)

	b.take(m[0])
	b.take(m[1])
	b.take(m[2])
	b.want("0", "1", "2") // though a cell is missing
	if x := b.take(m[4]); !x.owed[b.contact] {
		t.Error("not acknowledged")
	}
	b.take(m[5])
	b.wait(DefaultHold - 1)
	b.want("0", "1", "2")
	b.update(func(tx *store.Tx) error {
		if seen, err := tx.Seen(b.contact, store.ContentID(m[4].ID)); !seen {
			t.Errorf("not seen while it waits: %v", err)
		}
		return nil
	})
	b.wait(1)
	b.want("0", "1", "2", "4?", "5") // one sign for one gap
	b.wait(time.Hour)
	before := len(b.changes())
	b.take(m[3])
	b.want("0", "1", "2", "4", "5", "3<4")
	if got := b.changes()[before:]; !slices.Equal(got, []store.ID{b.message(m[4].ID).ID}) {
		t.Errorf("told of %v", got)
	}
	if n := b.kept(); n != 0 {
		t.Errorf("%d fragments kept", n)
	}
}

// relink has a text name another one as the one before it.
func relink(p, previous session.Part) session.Part {
	c, err := chat.Decode(p.Data)
	if err != nil {
		panic(err)
	}
	c.Previous = chat.ID(previous.ID)
	p.Data = c.Encode()
	return p
}

// Several that are missing come back in any order, each with a sign of its own.
func TestGapOfSeveral(t *testing.T) {
	b := newBench(t)
	var seq uint64
	m := line(&seq, "0", "1", "2", "3")
	b.take(m[0])
	b.take(m[3])
	b.wait(DefaultHold)
	b.want("0", "3?")
	b.take(m[1])
	b.want("0", "3?", "1<3")
	b.take(m[2])
	b.want("0", "3", "1<3", "2<3")
}

// A message that never came is said to be lost after two weeks, and not if it comes
// then.
func TestGapForEver(t *testing.T) {
	b := newBench(t)
	var seq uint64
	m := line(&seq, "0", "1", "2")
	b.take(m[0])
	b.take(m[2])
	b.wait(DefaultHold)
	lose := func() {
		b.update(func(tx *store.Tx) error {
			more, err := tx.Lose(b.now.Add(-lostAfter), b.now)
			if more {
				t.Error("more is left")
			}
			return err
		})
	}
	b.wait(lostAfter)
	lose()
	b.want("0", "2?")
	b.wait(time.Microsecond)
	lose()
	b.want("0", "2!")
	lose()
	if n := len(b.changes()); n != 1 {
		t.Errorf("told %d times", n)
	}
	b.take(m[1])
	b.want("0", "2", "1<2")
}

// A message that no missing cell can hold is not waited for: it was of another session,
// or of a profile that was put back.
func TestGapOfAnotherSession(t *testing.T) {
	b := newBench(t)
	var seq uint64
	m := line(&seq, "0", "1", "2")
	b.take(m[0])
	b.take(m[2])
	b.with(func(x *batch, p *peer) error { _, err := x.close(p); return err })
	b.want("0", "2?") // a session that ends leaves nothing waiting
	seq = 0
	n := line(&seq, "3", "1", "4", "6")
	n[0] = relink(n[0], m[2])
	n[1].ID = m[1].ID // sealed anew under the id that it had
	n[1] = relink(n[1], m[0])
	n[2] = relink(n[2], n[0])
	n[3] = relink(n[3], session.Part{ID: session.ID{5}}) // acknowledged before
	for _, part := range n {
		b.take(part)
	}
	b.want("0", "2", "3", "1<2", "4", "6?")
}

// A message that was erased here is no gap, nor one that a peer takes back.
func TestGapOfErased(t *testing.T) {
	b := newBench(t)
	var seq uint64
	m := line(&seq, "0", "1", "2", "3")
	b.take(m[0])
	first := b.message(m[0].ID)
	b.update(func(tx *store.Tx) error { return tx.Erase(first, b.now) })
	b.take(m[1])
	b.want("1")
	b.take(cut(&seq, &chat.Content{Kind: chat.Delete, IDs: []chat.ID{chat.ID(m[2].ID)}})[0])
	b.take(m[3])
	b.take(m[2])
	b.want("1", "", "3")
}

// Changes wait for their message, and for no cell once it is there; a timer
// waits for the message before it.
func TestChangesWaitForTheirMessage(t *testing.T) {
	b := newBench(t)
	var seq uint64
	m := line(&seq, "0", "1")
	seq++
	ref := chat.ID(m[1].ID)
	changes := cut(&seq, &chat.Content{Kind: chat.Edit, Ref: ref, Text: "one"}, &chat.Content{Kind: chat.Reaction, Ref: ref, Emoji: "👍"},
		&chat.Content{Kind: chat.Timer, Timer: 60, Previous: ref})
	deleted := cut(&seq, &chat.Content{Kind: chat.Delete, IDs: []chat.ID{chat.ID(m[0].ID)}})[0]
	b.take(m[0])
	b.take(deleted)
	b.want("")
	for _, part := range changes {
		b.take(part)
	}
	b.update(func(tx *store.Tx) error {
		if kept, _ := tx.TakeChanges(b.contact, store.ContentID(ref)); len(kept) != 0 {
			t.Errorf("kept %v", kept)
		}
		return nil
	})
	b.take(m[1])
	b.want("", "one", "Your contact offers that new messages disappear 1 minute after they were read.")
	if r := b.reaction(m[1].ID); r.Emoji != "👍" {
		t.Errorf("reaction %+v", r)
	}
	b.wait(DefaultHold)
	if n := b.kept(); n != 0 {
		t.Errorf("%d fragments kept", n)
	}
}

// A peer may name any id as the message before: it waits no longer, touches nobody
// else's messages, and its remains are bounded.
func TestHostilePrevious(t *testing.T) {
	t.Run("itself", func(t *testing.T) {
		b := newBench(t)
		seq := uint64(1)
		m := line(&seq, "0")[0]
		b.take(relink(m, m))
		b.wait(DefaultHold - 1)
		b.want()
		b.wait(1)
		if all := b.history(); len(all) != 1 {
			t.Errorf("%+v", all)
		}
	})
	t.Run("each other", func(t *testing.T) {
		b := newBench(t)
		seq := uint64(1)
		m := line(&seq, "0", "1", "2")
		m[0] = relink(m[0], m[2])
		for _, part := range m {
			b.take(part)
		}
		b.wait(DefaultHold)
		if got := b.shown(); !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Errorf("shown %v", got)
		}
	})
	t.Run("of another conversation", func(t *testing.T) {
		b := newBench(t)
		other, theirs := store.NewID(), store.NewID()
		b.update(func(tx *store.Tx) error {
			if err := tx.AddContact(store.Contact{ID: other, Name: "Eve", State: api.ContactReady, Created: b.now, Invite: "e"}, nil); err != nil {
				return err
			}
			// It waits for one of ours.
			_, err := tx.AddMessage(store.Message{ID: theirs, Content: store.ContentID{8}, Contact: other, Text: "x", State: api.StateReceived, Gap: b.now, Previous: store.ContentID{7}}, b.now)
			return err
		})
		var seq uint64
		m := line(&seq, "0", "1")
		m[0].ID = session.ID{7}
		m[1] = relink(m[1], session.Part{ID: session.ID{8}})
		b.take(m[0])
		b.take(m[1])
		b.want("0", "1?")
		b.update(func(tx *store.Tx) error {
			if got, err := tx.Message(theirs); err != nil || got.Gap.IsZero() {
				t.Errorf("another's message was changed: %v", err)
			}
			return nil
		})
	})
	t.Run("all the same", func(t *testing.T) {
		b := newBench(t)
		var seq uint64
		never := session.Part{ID: session.ID{9}}
		for i := range 200 {
			b.take(relink(cut(&seq, text(strconv.Itoa(i)))[0], never))
		}
		m := cut(&seq, text("x"))[0]
		m.ID = never.ID
		b.take(m)
		if n := len(b.changes()); n != 64 {
			t.Errorf("one message changed %d others", n)
		}
	})
	t.Run("more than is kept", func(t *testing.T) {
		b := newBench(t)
		seq := uint64(1)
		b.with(func(x *batch, p *peer) error {
			for i := range order.MaxCells + 100 {
				c := text(strconv.Itoa(i))
				c.Previous = chat.ID{1, byte(i), byte(i >> 8)}
				if err := x.part(p, cut(&seq, c)[0]); err != nil {
					return err
				}
			}
			if n := p.line.Len(); n > order.MaxCells {
				t.Errorf("%d cells", n)
			}
			return nil
		})
		b.wait(DefaultHold)
		if got := b.shown(); len(got) != order.MaxCells+100 {
			t.Errorf("%d shown", len(got))
		}
	})
}

// FuzzOrder sends messages of a few parts, with receipts between them, over a
// network that loses and reorders cells, and lets time go by.
//
// As long as no cell is given up a message is shown exactly when all before it have
// come, even with other cells missing. At any time one says that the one before it is
// missing exactly when it is, and one that comes late says so; in the end all that came
// whole are there, once, and nothing else is.
func FuzzOrder(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(seed, uint8(20), uint8(seed*8), uint8(seed*5), seed%3 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, count, loss, late uint8, slow bool) {
		rng := rand.New(rand.NewPCG(seed, 2))
		type cell struct {
			session.Part
			message int // -1: a receipt
		}
		var cells []cell
		var ids []store.ID
		seq := uint64(0)
		n := 2 + int(count%30)
		for i := range n {
			c := text(strconv.Itoa(i))
			if i > 0 {
				c.Previous = chat.ID(ids[i-1])
			}
			made := parts(&seq, c, []int{200, 10, 200, 15}[rng.IntN(4)])
			ids = append(ids, store.ID(made[0].ID))
			for _, part := range made {
				cells = append(cells, cell{Part: part, message: i})
			}
			for rng.IntN(3) == 0 {
				cells = append(cells, cell{Part: parts(&seq, &chat.Content{Kind: chat.Receipt, IDs: []chat.ID{{1}}}, 200)[0], message: -1})
			}
		}
		cells = slices.DeleteFunc(cells, func(c cell) bool { return rng.IntN(256) < int(loss) })
		for i := range cells {
			j := i + rng.IntN(min(1+int(late), len(cells)-i))
			cells[i], cells[j] = cells[j], cells[i]
		}
		b := newBench(t)
		missing := make([]int, n) // cells of a message that have not come
		whole := make([]bool, n)
		var given time.Duration // for how long all has waited
		check := func() {
			t.Helper()
			at := make(map[int]int)
			all := b.history()
			for k, m := range all {
				i, err := strconv.Atoi(m.Text)
				if _, twice := at[i]; err != nil || twice || !whole[i] || m.Content != ids[i].Content() {
					t.Fatalf("shown %q", b.signs())
				}
				at[i] = k
			}
			prefix := true
			for i := range n {
				k, shown := at[i]
				prefix = prefix && whole[i]
				if given < DefaultHold && shown != prefix || prefix && !shown {
					t.Fatalf("after %v message %d: shown is %v; %q, whole %v", given, i, shown, b.signs(), whole)
				}
				if !shown {
					continue
				}
				_, before := at[i-1]
				if gap := i > 0 && !before; gap == all[k].Gap.IsZero() {
					t.Fatalf("message %d: the sign is wrong: %q", i, b.signs())
				}
				late := false
				for _, m := range all[:k] {
					j, _ := strconv.Atoi(m.Text)
					late = late || j > i
					if m.ID == all[k].Late && j <= i {
						t.Fatalf("message %d names an earlier one: %q", i, b.signs())
					}
				}
				if late == all[k].Late.IsZero() {
					t.Fatalf("message %d: late is %v: %q", i, late, b.signs())
				}
			}
		}
		for len(cells) > 0 {
			some := cells[:1+rng.IntN(min(4, len(cells)))]
			cells = cells[len(some):]
			b.with(func(x *batch, p *peer) error {
				for _, c := range some {
					if c.message >= 0 {
						missing[c.message]++
						whole[c.message] = missing[c.message] == int(c.Count)
					}
					if err := x.part(p, c.Part); err != nil {
						return err
					}
				}
				return nil
			})
			check()
			if slow && rng.IntN(4) == 0 {
				d := time.Duration(rng.Int64N(int64(2 * DefaultHold)))
				given += d
				b.wait(d)
				check()
			}
		}
		given += DefaultHold
		b.wait(DefaultHold)
		check()
		if got := len(b.history()); got != number(whole) {
			t.Fatalf("%d shown of %v", got, whole)
		}
	})
}

// number counts the true ones.
func number(all []bool) (n int) {
	for _, ok := range all {
		if ok {
			n++
		}
	}
	return n
}
