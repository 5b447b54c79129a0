package inbox

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/store"
	"starling/session"
)

// A view is the knowledge of one contact about us: the ids that we acknowledge and the
// items on their way to them, and the messages shown of them, which make us read and
// answer.
type view struct {
	Owed    []store.ContentID
	Queued  []chat.Kind
	Gone    int
	Typing  bool
	Refused []string
	Shown   []string
	Known   []bool // ids of Eve's that an ask makes us acknowledge
}

// words are ids that the two contacts may both use. The first is of a message that
// we wrote to Bob, and Bob has told Eve.
var words = []chat.ID{{1}, {2}, {3}, {4}, {5}}

// sayings are contents of every kind with every field that names another one.
func sayings() (all []*chat.Content) {
	at := time.Unix(1_700_000_000, 0).Add(-time.Minute)
	gif := []byte("GIF89a")
	hint := make([]byte, 32)
	for _, id := range words {
		all = append(all,
			&chat.Content{Kind: chat.Receipt, IDs: []chat.ID{id}},
			&chat.Content{Kind: chat.Ask, IDs: []chat.ID{id}},
			&chat.Content{Kind: chat.Delete, IDs: []chat.ID{id}},
			&chat.Content{Kind: chat.Read, IDs: []chat.ID{id}, Time: at},
			&chat.Content{Kind: chat.Edit, Ref: id, Text: "edited", Time: at},
			&chat.Content{Kind: chat.Reaction, Ref: id, Emoji: "👍"},
			&chat.Content{Kind: chat.Reaction, Ref: id},
			&chat.Content{Kind: chat.Text, Text: "a", Time: at, Ref: id, Previous: id},
			&chat.Content{Kind: chat.Text, Text: "b", Previous: id, Timer: 60},
			&chat.Content{Kind: chat.Picture, Picture: gif, Ref: id, Previous: id, Forwarded: true},
			&chat.Content{Kind: chat.Timer, Timer: 60, Previous: id},
			&chat.Content{Kind: chat.Typing, Time: at.Add(time.Minute)},
			&chat.Content{Kind: chat.Profile, Name: "Bob", Mailboxes: [][]byte{hint}},
			&chat.Content{Kind: chat.Mailboxes, Mailboxes: [][]byte{hint}},
			&chat.Content{Kind: 200, IDs: []chat.ID{id}},
		)
	}
	return all
}

// As is a content under an id, cut into parts of a size.
func as(seq *uint64, id chat.ID, c *chat.Content, size int) []session.Part {
	all := parts(seq, c, size)
	for i := range all {
		all[i].ID = session.ID(id)
	}
	return all
}

// A play is Eve's contents, and ours to her before.
type play func(b *bench, eve store.ID) []session.Part

// observe plays Eve's contents, beside a Bob that has played his before or alone, and
// returns all answers to her.
func observe(t *testing.T, bob func(b *bench), eve play) (v view) {
	b := newBench(t)
	id := store.ID{0xee}
	b.update(func(tx *store.Tx) error {
		return tx.AddContact(store.Contact{ID: id, Name: "Eve", State: api.ContactReady, Created: b.now, Invite: "e"}, nil)
	})
	if bob != nil {
		bob(b)
	}
	b.contact = id
	told := func(x *batch) {
		for _, q := range x.queued {
			v.Queued = append(v.Queued, q.Kind())
		}
		v.Gone += len(x.gone)
		v.Typing = v.Typing || x.typing[id]
		v.Refused = append(v.Refused, x.refused...)
	}
	owed := func() (ids []store.ContentID) {
		b.update(func(tx *store.Tx) (err error) { ids, err = tx.TakeReceipts(id, 64); return err })
		return ids
	}
	for _, part := range eve(b, id) {
		told(b.take(part))
		v.Owed = append(v.Owed, owed()...)
	}
	b.wait(DefaultHold)
	v.Owed = append(v.Owed, owed()...)
	for _, m := range b.history() {
		v.Shown = append(v.Shown, fmt.Sprint(m.Content, m.Outgoing, m.Text, m.State, m.Ref, m.Previous, m.Edited, m.Place, m.Deleted, m.Read,
			m.Timer, m.Picture, m.Written, m.Gap.IsZero(), m.Late.IsZero()))
		b.update(func(tx *store.Tx) error {
			r, err := tx.Reaction(m.ID, false, store.MemberID{})
			if err == nil {
				v.Shown = append(v.Shown, r.Emoji)
			}
			return nil
		})
	}
	seq := uint64(1 << 20)
	for _, word := range words {
		told(b.take(as(&seq, chat.ID{99, byte(seq)}, &chat.Content{Kind: chat.Ask, IDs: []chat.ID{word}}, 1000)[0]))
		v.Known = append(v.Known, slices.Contains(owed(), store.ContentID(word)))
	}
	return v
}

// crowd is a Bob that has used every word for every kind of content, whole, in part and
// out of turn, with messages from us and erased ones.
func crowd(id chat.ID, c *chat.Content) func(b *bench) {
	return func(b *bench) {
		b.update(func(tx *store.Tx) error {
			now := store.Message{ID: store.ID(words[0]), Contact: b.contact, Outgoing: true, Text: "ours", State: api.StateSent}
			if _, err := tx.AddMessage(now, b.now); err != nil {
				return err
			}
			return tx.AddItem(store.Item{ID: store.ID(words[1]), Contact: b.contact, Kind: int(chat.Delete), Created: b.now, State: api.StateSent})
		})
		var seq uint64
		for _, part := range as(&seq, id, c, 1000) {
			b.take(part)
		}
		for i, word := range words {
			b.take(as(&seq, word, &chat.Content{Kind: chat.Text, Text: "of Bob"}, []int{1000, 3}[i%2])[0])
			seq++
			b.take(as(&seq, chat.ID{50, byte(i)}, &chat.Content{Kind: chat.Edit, Ref: word, Text: "by Bob"}, 1000)[0])
			b.take(as(&seq, chat.ID{51, byte(i)}, &chat.Content{Kind: chat.Delete, IDs: []chat.ID{word}}, 1000)[0])
			b.take(as(&seq, chat.ID{52, byte(i)}, &chat.Content{Kind: chat.Text, Text: "next", Previous: word}, 1000)[0])
		}
		b.wait(DefaultHold)
		b.now = b.now.Add(-DefaultHold)
	}
}

// Two contacts cannot find out that they know one person: for any contents of Eve, in
// any order, our answers are the same whether Bob, with the same ids, is there or not.
func TestViewsDoNotDependOnOthers(t *testing.T) {
	all := sayings()
	for seed := range uint64(24) {
		rng := rand.New(rand.NewPCG(seed, 9))
		id, c := words[rng.IntN(len(words))], all[rng.IntN(len(all))]
		eve := func(b *bench, eve store.ID) (said []session.Part) {
			rng := rand.New(rand.NewPCG(seed, 10))
			var seq uint64
			said = append(said, as(&seq, chat.ID{60}, &chat.Content{Kind: chat.Text, Text: "begins"}, 1000)...)
			for n, i := range rng.Perm(len(all)) {
				id := chat.ID{61, byte(n)}
				if rng.IntN(3) == 0 {
					id = words[rng.IntN(len(words))]
				}
				said = append(said, as(&seq, id, all[i], []int{1000, 20}[rng.IntN(2)])...)
				if rng.IntN(8) == 0 {
					seq++ // a gap
				}
			}
			return said
		}
		alone, beside := observe(t, nil, eve), observe(t, crowd(id, c), eve)
		if !reflect.DeepEqual(alone, beside) {
			t.Fatalf("seed %d:\nalone  %+v\nbeside %+v", seed, alone, beside)
		}
		if len(alone.Owed) == 0 || len(alone.Shown) == 0 || !alone.Typing || !slices.Contains(alone.Known, true) {
			t.Fatalf("the view sees nothing: %+v", alone)
		}
	}
}

// Great numbers of contents of one contact do not make us forget another's.
func TestForgettingIsPerContact(t *testing.T) {
	b := newBench(t)
	eve := store.NewID()
	b.update(func(tx *store.Tx) error {
		err := tx.AddContact(store.Contact{ID: eve, Name: "Eve", State: api.ContactReady, Created: b.now, Invite: "e"}, nil)
		if err == nil {
			err = tx.AddSeen(b.contact, store.ContentID{1})
		}
		for i := range 100 {
			if err == nil {
				err = tx.AddSeen(eve, store.ContentID{byte(i), 1})
			}
		}
		if err == nil {
			err = tx.Prune(1000, 10)
		}
		return err
	})
	b.update(func(tx *store.Tx) error {
		if seen, err := tx.Seen(b.contact, store.ContentID{1}); err != nil || !seen {
			t.Errorf("forgotten: %v", err)
		}
		for i := range 100 {
			if seen, _ := tx.Seen(eve, store.ContentID{byte(i), 1}); seen != (i >= 90) {
				t.Errorf("%d seen: %v", i, seen)
			}
		}
		return nil
	})
}

// Our own erased messages look to the contact as if they were there.
func TestErasedOwnIsNotAcknowledged(t *testing.T) {
	for _, erase := range []bool{false, true} {
		b := newBench(t)
		mine := store.NewID()
		b.update(func(tx *store.Tx) error {
			_, err := tx.AddMessage(store.Message{ID: mine, Contact: b.contact, Outgoing: true, Text: "x", State: api.StateDelivered}, b.now)
			if err == nil && erase {
				var m store.Message
				if m, err = tx.Message(mine); err == nil {
					err = tx.Erase(m, b.now)
				}
			}
			return err
		})
		var seq uint64
		if x := b.take(cut(&seq, &chat.Content{Kind: chat.Ask, IDs: []chat.ID{chat.ID(mine)}})[0]); x.owed[b.contact] {
			t.Errorf("erased %v: acknowledged", erase)
		}
	}
}

// A contact that gives up messages that never were, that have come, or that are ours,
// marks nothing and is told of once.
func TestHostileLost(t *testing.T) {
	b := newBench(t)
	var seq uint64
	m := line(&seq, "0", "1")
	for _, part := range m {
		b.take(part)
	}
	lost := &chat.Content{Kind: chat.Lost, IDs: []chat.ID{chat.ID(m[0].ID), chat.ID(m[1].ID)}}
	b.take(cut(&seq, lost)[0])
	b.want("0", "1")
	lost.IDs = []chat.ID{{7}, {8}, chat.ID(m[0].ID)}
	part := cut(&seq, lost)[0]
	b.take(part)
	again := part
	again.Seq, seq = seq, seq+1
	b.take(again)
	b.want("0", "1", "2 messages of your contact could not be delivered to you within 14 days, and were given up. They know, and can send them again.")
	// A message that comes all the same is shown.
	late := cut(&seq, text("late"))[0]
	late.ID = session.ID{7}
	b.take(late)
	if got := b.shown(); got[len(got)-1] != "late" {
		t.Errorf("shown %q", got)
	}
}
