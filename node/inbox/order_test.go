package inbox

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/config"
	"starling/node/inbox/order"
	"starling/node/outbox"
	"starling/node/store"
	"starling/session"
)

// A bench is an inbox with one contact, fed with opened cells.
type bench struct {
	t       *testing.T
	s       *store.Store
	in      *Inbox
	contact store.ID
	now     time.Time
	behind  time.Duration // of this computer's clock
}

type noNetwork struct{}

func (noNetwork) Watch(string, store.Node, []store.Tag) {}
func (noNetwork) Ack(string, store.Node, ...store.Tag)  {}
func (noNetwork) ChooseMailboxes(int, ...store.Node) ([]store.Mailbox, error) {
	return nil, errors.New("none")
}
func (noNetwork) Missing([]store.Node) ([]store.Node, error)       { return nil, errors.New("none") }
func (noNetwork) Unheard([]store.Node) []store.Node                { return nil }
func (noNetwork) Rendezvous([32]byte, int) ([]store.Node, error)   { return nil, errors.New("none") }
func (noNetwork) AddHint(hint []byte) (node store.Node, err error) { copy(node[:], hint); return }

func newBench(t *testing.T) *bench {
	t.Helper()
	p := config.Profile{Dir: filepath.Join(t.TempDir(), "p")}
	if err := store.Create(p, "x", "Ada", store.Options{KDF: store.CheapKDF}); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(p, "x", store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b := &bench{t: t, s: s, contact: store.NewID(), now: time.Unix(1_700_000_000, 0)}
	b.in = New(Config{Store: s, Outbox: outbox.New(outbox.Config{Store: s}), Network: noNetwork{},
		Now: func() (time.Time, bool) { return b.now.Add(b.behind), true }})
	b.update(func(tx *store.Tx) error {
		return tx.AddContact(store.Contact{ID: b.contact, Name: "Bob", State: api.ContactReady, Created: b.now}, nil)
	})
	return b
}

func (b *bench) update(fn func(*store.Tx) error) {
	b.t.Helper()
	if err := b.s.Update(b.t.Context(), fn); err != nil {
		b.t.Fatal(err)
	}
}

// with works on the contact as a batch does, without its session.
func (b *bench) with(fn func(*batch, *peer) error) (done *batch) {
	b.t.Helper()
	b.update(func(tx *store.Tx) error {
		c, err := tx.Contact(b.contact)
		if err != nil {
			return err
		}
		fragments, err := tx.Fragments(b.contact)
		if err != nil {
			return err
		}
		p := &peer{Contact: c, line: newLine(c, fragments)}
		done = b.in.newBatch(tx, b.now)
		if err := fn(done, p); err != nil {
			return err
		}
		return tx.SetContact(p.Contact)
	})
	return done
}

func (b *bench) take(part session.Part) *batch {
	b.t.Helper()
	return b.with(func(x *batch, p *peer) error { return x.part(p, part) })
}

// skipFirst has the wait for the cells before the first early content be over.
func skipFirst(x *batch, p *peer) error {
	return x.order(p, func(k keeper) error {
		seq, _, ok := p.line.Release(k, 0)
		if !ok {
			return nil
		}
		return p.line.Skip(k, seq)
	})
}

func (b *bench) shown() (texts []string) {
	b.t.Helper()
	b.s.View(b.t.Context(), func(tx *store.Tx) error {
		all, err := tx.History(b.contact, 1<<60, 10_000)
		for _, m := range all {
			texts = append(texts, m.Text)
		}
		return err
	})
	return texts
}

func (b *bench) kept() (n int) {
	b.s.View(b.t.Context(), func(tx *store.Tx) (err error) { n, err = tx.CountFragments(b.contact); return err })
	return n
}

// parts cuts a content as a session does.
func parts(seq *uint64, c *chat.Content, cut int) (out []session.Part) {
	data := c.Encode()
	id := session.ID(store.NewID())
	count := max(1, (len(data)+cut-1)/cut)
	for i := range count {
		out = append(out, session.Part{ID: id, Index: uint16(i), Count: uint16(count), Seq: *seq,
			Data: data[i*cut : min(len(data), (i+1)*cut)]})
		*seq++
	}
	return out
}

func text(s string) *chat.Content { return &chat.Content{Kind: chat.Text, Text: s} }

// chain is n texts of one to four parts, with receipts between them.
func chain(n int) (all []session.Part, texts []string) {
	seq := uint64(0)
	for i := range n {
		texts = append(texts, fmt.Sprint(i))
		all = append(all, parts(&seq, text(texts[i]), []int{100, 2, 100, 3}[i%4])...)
		if i%3 == 0 {
			all = append(all, parts(&seq, &chat.Content{Kind: chat.Receipt, IDs: []chat.ID{{1}}}, 100)...)
		}
	}
	return all, texts
}

// In any order of cells, texts are shown in theirs, and nothing is kept in the end.
func TestOrder(t *testing.T) {
	for seed := range uint64(10) {
		all, texts := chain(40)
		rng := rand.New(rand.NewPCG(seed, 0))
		// Each cell may come up to 30 places late.
		for i := range all {
			j := i + rng.IntN(min(30, len(all)-i))
			all[i], all[j] = all[j], all[i]
		}
		b := newBench(t)
		for i, part := range all {
			b.take(part)
			if got := b.shown(); !slices.Equal(got, texts[:len(got)]) {
				t.Fatalf("seed %d: after %d cells: %v", seed, i+1, got)
			}
		}
		if got := b.shown(); len(got) != len(texts) {
			t.Errorf("seed %d: %d texts of %d", seed, len(got), len(texts))
		}
		if n := b.kept(); n != 0 {
			t.Errorf("seed %d: %d fragments kept", seed, n)
		}
	}
}

// A content that waits for a missing cell is acknowledged at once and shown when the
// wait is over; a cell that comes later still is shown late.
func TestHold(t *testing.T) {
	b := newBench(t)
	var seq uint64
	first := parts(&seq, text("first"), 100)
	missing := parts(&seq, text("missing"), 100)
	third := parts(&seq, text("third, in parts"), 7)
	receipt := parts(&seq, &chat.Content{Kind: chat.Receipt, IDs: []chat.ID{{1}}}, 100)
	fifth := parts(&seq, text("fifth"), 100)
	for _, p := range slices.Concat(first, third, receipt) {
		b.take(p)
	}
	if x := b.take(fifth[0]); !x.owed[b.contact] {
		t.Error("not acknowledged")
	}
	if got := b.shown(); !slices.Equal(got, []string{"first"}) {
		t.Fatalf("shown %v", got)
	}
	var at time.Time
	b.with(func(x *batch, p *peer) error { _, at, _ = p.line.Release(keeper{x, p}, DefaultHold); return nil })
	if !at.Equal(b.now.Add(order.Unlinked)) {
		t.Errorf("wait is over at %v", at)
	}
	b.with(func(x *batch, p *peer) error { return skipFirst(x, p) })
	if got := b.shown(); !slices.Equal(got, []string{"first", "third, in parts", "fifth"}) {
		t.Errorf("shown %v", got)
	}
	b.take(missing[0])
	// Whether a message was missing nobody could know before.
	b.want("first", "third, in parts", "fifth", "missing<third, in parts")
	if n := b.kept(); n != 0 {
		t.Errorf("%d fragments kept", n)
	}
}

// A text with parts that never all come does not hold up later ones for ever, and is
// forgotten in the end.
func TestIncomplete(t *testing.T) {
	b := newBench(t)
	var seq uint64
	broken := parts(&seq, text("never whole"), 3)
	for _, p := range broken[1:] {
		b.take(p)
	}
	next := parts(&seq, text("next"), 100)
	b.take(next[0])
	if got := b.shown(); len(got) != 0 {
		t.Fatalf("shown %v", got)
	}
	b.with(func(x *batch, p *peer) error { return skipFirst(x, p) })
	if got := b.shown(); !slices.Equal(got, []string{"next"}) {
		t.Fatalf("shown %v", got)
	}
	for i := range order.MaxAge + 10 {
		b.take(parts(&seq, text(fmt.Sprint(i)), 100)[0])
	}
	if n := b.kept(); n != 0 {
		t.Errorf("%d fragments kept", n)
	}
}

// A peer that sends only pieces cannot fill the disk, and one that leaves a gap
// before very many texts loses none of them.
func TestFragmentsAreBounded(t *testing.T) {
	t.Run("pieces", func(t *testing.T) {
		b := newBench(t)
		b.update(func(tx *store.Tx) error {
			for i := range order.MaxCells + 50 {
				id := store.NewID().Content()
				if err := tx.AddFragment(b.contact, store.Fragment{Seq: int64(10 + i), Item: id, Index: 0, Count: 2, Time: b.now}); err != nil {
					return err
				}
			}
			return nil
		})
		b.take(session.Part{ID: session.ID{1}, Count: 2, Seq: 5000, Data: []byte{1}})
		if n := b.kept(); n > order.MaxCells {
			t.Errorf("%d fragments kept", n)
		}
	})
	t.Run("texts", func(t *testing.T) {
		b := newBench(t)
		seq := uint64(1) // cell 0 never comes
		x := 0
		b.with(func(bb *batch, p *peer) error {
			for i := range order.MaxCells + 200 {
				x++
				if err := bb.part(p, parts(&seq, text(fmt.Sprint(i)), 100)[0]); err != nil {
					return err
				}
			}
			return nil
		})
		b.with(func(bb *batch, p *peer) error { return skipFirst(bb, p) })
		if got := b.shown(); len(got) != x {
			t.Errorf("%d of %d texts shown", len(got), x)
		}
	})
}

// A text that comes twice, in new cells, is shown once and acknowledged again.
func TestSameText(t *testing.T) {
	b := newBench(t)
	var seq uint64
	p := parts(&seq, text("once"), 100)[0]
	b.take(p)
	p.Seq = seq
	if x := b.take(p); !x.owed[b.contact] {
		t.Error("not acknowledged again")
	}
	if got := b.shown(); !slices.Equal(got, []string{"once"}) {
		t.Errorf("shown %v", got)
	}
}

// A content that makes no sense is dropped and counted, and holds up nothing.
func TestMalformedContent(t *testing.T) {
	b := newBench(t)
	x := b.take(session.Part{Count: 1, Seq: 0, Data: []byte{0}})
	if len(x.refused) != 1 || x.owed[b.contact] {
		t.Errorf("refused %v, owed %v", x.refused, x.owed)
	}
	// Early, and in parts.
	b.take(session.Part{ID: session.ID{1}, Index: 1, Count: 2, Seq: 2, Data: []byte{9}})
	b.take(session.Part{ID: session.ID{1}, Index: 0, Count: 2, Seq: 1, Data: []byte{0}})
	seq := uint64(3)
	b.take(parts(&seq, text("after"), 100)[0])
	if got := b.shown(); !slices.Equal(got, []string{"after"}) {
		t.Errorf("shown %v", got)
	}
}

// A time from the future, or none, is the time of arrival.
func TestTimes(t *testing.T) {
	b := newBench(t)
	var seq uint64
	for _, at := range []time.Time{{}, b.now.Add(time.Hour), b.now.Add(-time.Hour)} {
		b.take(parts(&seq, &chat.Content{Kind: chat.Text, Text: "x", Time: at}, 100)[0])
	}
	var got []time.Duration
	b.s.View(t.Context(), func(tx *store.Tx) error {
		all, err := tx.History(b.contact, 1<<60, 10)
		for _, m := range all {
			got = append(got, m.Time.Sub(b.now))
		}
		return err
	})
	if !slices.Equal(got, []time.Duration{0, 0, -time.Hour}) {
		t.Errorf("times %v", got)
	}
}

// TestTimesGoByTheRelaysClock: a contact's time is from the future by the clock of the
// relays, not by that of this computer.
func TestTimesGoByTheRelaysClock(t *testing.T) {
	b := newBench(t)
	b.behind = 24 * time.Hour
	var seq uint64
	for _, at := range []time.Time{b.now.Add(23 * time.Hour), b.now.Add(25 * time.Hour)} {
		b.take(parts(&seq, &chat.Content{Kind: chat.Text, Text: "x", Time: at}, 100)[0])
	}
	var got []time.Duration
	b.s.View(t.Context(), func(tx *store.Tx) error {
		all, err := tx.History(b.contact, 1<<60, 10)
		for _, m := range all {
			got = append(got, m.Time.Sub(b.now))
		}
		return err
	})
	if !slices.Equal(got, []time.Duration{23 * time.Hour, 24 * time.Hour}) {
		t.Errorf("times %v", got)
	}
	x := b.take(cut(&seq, &chat.Content{Kind: chat.Typing, Time: b.now.Add(24 * time.Hour)})[0])
	if !x.typing[b.contact] {
		t.Error("a contact that writes now is not seen to")
	}
}

// Receipts are for the contact that the content went to, and come once.
func TestReceipts(t *testing.T) {
	b := newBench(t)
	other, mine, theirs := store.NewID(), store.NewID(), store.NewID()
	b.update(func(tx *store.Tx) error {
		err := tx.AddContact(store.Contact{ID: other, Name: "Eve", State: api.ContactReady, Created: b.now, Invite: "e"}, nil)
		for id, contact := range map[store.ID]store.ID{mine: b.contact, theirs: other} {
			_, err1 := tx.AddMessage(store.Message{ID: id, Contact: contact, Outgoing: true, Text: "x", State: api.StateSent}, b.now)
			err = errors.Join(err, err1, tx.AddItem(store.Item{ID: id, Contact: contact, Kind: int(chat.Text), State: api.StateSent}))
		}
		return err
	})
	var seq uint64
	receipt := &chat.Content{Kind: chat.Receipt, IDs: []chat.ID{chat.ID(mine), chat.ID(theirs), {7}}}
	x := b.take(parts(&seq, receipt, 100)[0])
	if !slices.Equal(x.gone, []store.ID{mine}) || x.owed[b.contact] {
		t.Errorf("gone %v, owed %v", x.gone, x.owed)
	}
	b.s.View(t.Context(), func(tx *store.Tx) error {
		for id, want := range map[store.ID]api.State{mine: api.StateDelivered, theirs: api.StateSent} {
			if m, err := tx.Message(id); err != nil || m.State != want {
				t.Errorf("message is %s, %v; want %s", m.State, err, want)
			}
		}
		return nil
	})
}

// Asked about a content, we acknowledge those that have come and nothing else.
func TestAsk(t *testing.T) {
	b := newBench(t)
	var seq uint64
	p := parts(&seq, text("x"), 100)[0]
	b.take(p)
	profile := parts(&seq, &chat.Content{Kind: chat.Profile, Name: "Bob", Mailboxes: [][]byte{make([]byte, 32)}}, 500)[0]
	b.take(profile)
	take := func() (ids []store.ContentID) {
		b.update(func(tx *store.Tx) (err error) { ids, err = tx.TakeReceipts(b.contact, 64); return err })
		return ids
	}
	if ids := take(); len(ids) != 2 {
		t.Fatalf("owed %v", ids)
	}
	ask := &chat.Content{Kind: chat.Ask, IDs: []chat.ID{chat.ID(p.ID), chat.ID(profile.ID), {9}}}
	b.take(parts(&seq, ask, 500)[0])
	if ids := take(); len(ids) != 2 || !slices.Contains(ids, store.ContentID(p.ID)) || !slices.Contains(ids, store.ContentID(profile.ID)) {
		t.Errorf("owed %v", ids)
	}
}

// Mailboxes that were told earlier and come later do not replace newer ones.
func TestMailboxesToldLate(t *testing.T) {
	b := newBench(t)
	var told [2]store.Node
	told[0][0], told[1][0] = 1, 2
	seq := uint64(0)
	var all []session.Part
	for i := range told {
		all = append(all, parts(&seq, &chat.Content{Kind: chat.Mailboxes, Mailboxes: [][]byte{told[i][:]}}, 1000)...)
	}
	for _, part := range []session.Part{all[1], all[0]} {
		b.take(part)
		b.update(func(tx *store.Tx) error {
			set, err := tx.Mailboxes(b.contact[:], false)
			if len(set) != 1 || set[0].Node != told[1] {
				t.Errorf("after cell %d: %v", part.Seq, set)
			}
			return err
		})
	}
}
