package rooms

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/config"
	"starling/node/store"
	"starling/session/group"
)

// A desk is a room on a disk, in which updates are made without a network.
type desk struct {
	t     *testing.T
	store *store.Store
	net   *asked
	rs    *Rooms
	part  *part
	id    store.ID
	me    store.MemberID
	now   time.Time
}

func newDesk(t *testing.T) *desk {
	profile := config.Profile{Dir: filepath.Join(t.TempDir(), "p")}
	if err := store.Create(profile, "x", "Ada", store.Options{KDF: store.CheapKDF}); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(profile, "x", store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	net := &asked{}
	d := &desk{t: t, store: s, net: net, id: store.NewID(), me: store.MemberID{1}, now: time.Unix(1_800_000_000, 0)}
	d.rs = &Rooms{cfg: Config{Hold: DefaultHold, Network: net}, ended: make(map[logAt]time.Time)}
	d.part = &part{id: d.id}
	err = s.Update(t.Context(), func(tx *store.Tx) error {
		return tx.AddRoom(store.Room{ID: d.id, State: api.RoomReady, Me: d.me}, "room", d.now, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// update makes one.
func (d *desk) update(do func(*Tx) error) {
	d.t.Helper()
	err := d.store.Update(d.t.Context(), func(tx *store.Tx) error {
		t := &Tx{Tx: tx, rs: d.rs, p: d.part, now: d.now}
		if err := t.load(d.id); err != nil {
			return err
		}
		return do(t)
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// says has a member say a content, under an id and a ref of that byte.
func (d *desk) says(member store.MemberID, name byte, c *chat.Content) {
	d.t.Helper()
	d.update(func(t *Tx) error {
		return t.said(group.Said{Ref: group.Ref{name}, Member: group.ID(member), ID: [16]byte{name}, Content: c.Encode()})
	})
}

// given takes a message by the word of somebody else.
func (d *desk) given(author store.MemberID, name store.ContentID, c *chat.Content) {
	d.t.Helper()
	d.update(func(t *Tx) error {
		return t.takeHistory([][]byte{slices.Concat([]byte{giftVersion}, author[:], name[:], c.Encode())})
	})
}

// shown returns the messages, by author and text.
func (d *desk) shown() (all []string, rows []store.Message) {
	d.t.Helper()
	d.update(func(t *Tx) (err error) {
		rows, err = t.Tx.History(d.id, 1<<62, 100)
		return err
	})
	for _, m := range rows {
		all = append(all, string('0'+rune(m.Member[0]))+" "+m.Text)
	}
	return all, rows
}

func (d *desk) shows(want ...string) []store.Message {
	d.t.Helper()
	got, rows := d.shown()
	if !slices.Equal(got, want) {
		d.t.Fatalf("%q is shown, not %q", got, want)
	}
	return rows
}

// told returns the newest event.
func (d *desk) told() (last store.Event) {
	d.t.Helper()
	d.update(func(t *Tx) error {
		all, err := t.Tx.Events(0, 1000)
		if len(all) > 0 {
			last = all[len(all)-1]
		}
		return err
	})
	return last
}

// TestGivenIsNoObstacle: who lets a newcomer in gives away the name of a message that its author is heard to say
// later, with other words, another author, another file: the author's own is shown, once.
func TestGivenIsNoObstacle(t *testing.T) {
	bob, eve := store.MemberID{2}, store.MemberID{3}
	name := store.RoomContent(bob, [16]byte{9})
	at := time.Unix(1_700_000_000, 0)
	text := func(s string) *chat.Content { return &chat.Content{Kind: chat.Text, Text: s, Time: at} }
	file := func(s string) *chat.Content {
		return &chat.Content{Kind: chat.File, FileName: "x.txt", File: []byte(s), Time: at}
	}
	react := &chat.Content{Kind: chat.Reaction, Ref: chat.ID(name), Emoji: "👍", Time: at}
	edit := &chat.Content{Kind: chat.Edit, Ref: chat.ID(name), Text: "better", Time: at.Add(time.Minute)}
	remove := &chat.Content{Kind: chat.Delete, IDs: []chat.ID{chat.ID(name)}}

	t.Run("the truth", func(t *testing.T) {
		d := newDesk(t)
		d.given(bob, name, text("yes"))
		before := d.shows("2 yes")[0]
		for range 2 {
			d.says(bob, 9, text("yes"))
			if m := d.shows("2 yes")[0]; m.ID != before.ID || m.Seq != before.Seq {
				t.Error("it is another one")
			}
			if last := d.told(); last.Kind != api.EventChanged || last.Message != before.ID {
				t.Errorf("its author was heard, and %+v is told", last)
			}
		}
		d.says(bob, 8, text("and on"))
		d.shows("2 yes", "2 and on")
	})
	for what, c := range map[string]*chat.Content{
		"other words": text("no"), "another time": {Kind: chat.Text, Text: "yes", Time: at.Add(-time.Hour)},
		"forwarded": {Kind: chat.Text, Text: "yes", Time: at, Forwarded: true}, "an answer": {Kind: chat.Text, Text: "yes", Time: at, Ref: chat.ID{5}},
		"with a file": {Kind: chat.File, FileName: "x.txt", File: []byte("x"), Text: "yes", Time: at},
	} {
		t.Run(what, func(t *testing.T) {
			d := newDesk(t)
			d.given(bob, name, c)
			d.says(eve, 7, react)
			d.says(bob, 9, text("yes"))
			m := d.shows("2 yes")[0]
			if m.Forwarded || !m.Ref.IsZero() || m.File != "" || !m.Time.Equal(at) {
				t.Errorf("%+v", m)
			}
			d.update(func(t *Tx) error {
				r, err := t.Tx.Reaction(m.ID, false, eve)
				if r.Emoji != "👍" {
					d.t.Errorf("the reaction %+v, %v", r, err)
				}
				return nil
			})
			d.says(bob, 9, text("yes"))
			d.shows("2 yes")
		})
	}

	t.Run("another file", func(t *testing.T) {
		d := newDesk(t)
		d.given(bob, name, file("false"))
		d.says(bob, 9, file("right"))
		m := d.shows("2 ")[0]
		d.update(func(t *Tx) error {
			if b, err := t.Tx.Attachment(m.ID); string(b) != "right" {
				d.t.Errorf("%q, %v", b, err)
			}
			return nil
		})
	})
	t.Run("by another", func(t *testing.T) {
		d := newDesk(t)
		d.given(eve, name, text("yes"))
		d.says(eve, 7, remove)
		d.says(bob, 9, text("yes"))
		d.shows("2 yes")
	})
	t.Run("edited", func(t *testing.T) {
		d := newDesk(t)
		d.given(bob, name, text("no"))
		d.says(bob, 7, edit)
		d.says(bob, 9, text("yes"))
		d.shows("2 better")
	})
	t.Run("taken back", func(t *testing.T) {
		d := newDesk(t)
		d.given(bob, name, text("no"))
		d.says(bob, 7, remove)
		d.says(bob, 9, text("yes"))
		if m := d.shows("2 ")[0]; !m.Deleted {
			t.Error("it is back")
		}
	})
}

// TestSaidBeforeIsNoObstacle: who lets a newcomer in says of a message that it was said before. Nobody waits for it, and
// it is shown when it comes.
func TestSaidBeforeIsNoObstacle(t *testing.T) {
	d, bob := newDesk(t), store.MemberID{2}
	d.update(func(t *Tx) error { return t.saidBefore([]group.Ref{{9}}) })
	d.update(func(t *Tx) error {
		c := &chat.Content{Kind: chat.Text, Text: "answer"}
		return t.said(group.Said{Ref: group.Ref{8}, Member: group.ID(bob), ID: [16]byte{8}, Content: c.Encode(), After: []group.Ref{{9}}})
	})
	d.shows("2 answer")
	for range 2 {
		d.says(bob, 9, &chat.Content{Kind: chat.Text, Text: "question"})
		d.shows("2 answer", "2 question")
	}
}

// TestChangesFromTheFuture: a member edits and reacts with a clock that is years ahead. What they do later, with a clock that
// was put right, counts.
func TestChangesFromTheFuture(t *testing.T) {
	d, bob := newDesk(t), store.MemberID{2}
	name := store.RoomContent(bob, [16]byte{9})
	d.says(bob, 9, &chat.Content{Kind: chat.Text, Text: "one"})
	for i, at := range []time.Time{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), d.now.Add(time.Second)} {
		d.now = d.now.Add(time.Minute)
		n := byte(10 + 2*i)
		d.says(bob, n, &chat.Content{Kind: chat.Edit, Ref: chat.ID(name), Text: []string{"two", "three"}[i], Time: at.Add(time.Duration(i) * time.Minute)})
		d.says(bob, n+1, &chat.Content{Kind: chat.Reaction, Ref: chat.ID(name), Emoji: []string{"👍", "🎉"}[i], Time: at.Add(time.Duration(i) * time.Minute)})
	}
	m := d.shows("2 three")[0]
	d.update(func(t *Tx) error {
		if r, err := t.Tx.Reaction(m.ID, false, bob); r.Emoji != "🎉" {
			d.t.Errorf("%+v, %v", r, err)
		}
		return nil
	})
}

// TestOwnIsNotSwallowed: a contact names a message as ours in a room is named, which a profile that was put back from a
// backup has yet to hear. Both are shown.
func TestOwnIsNotSwallowed(t *testing.T) {
	d := newDesk(t)
	d.update(func(t *Tx) error {
		contact := store.Contact{ID: store.NewID(), Name: "Eve", State: api.ContactReady, Created: d.now}
		if err := t.Tx.AddContact(contact, nil); err != nil {
			return err
		}
		_, err := t.Tx.AddMessage(store.Message{Content: store.ContentID{9}, Contact: contact.ID, Text: "mine", Time: d.now, State: api.StateReceived}, d.now)
		return err
	})
	for range 2 {
		d.says(d.me, 9, &chat.Content{Kind: chat.Text, Text: "ours"})
		if m := d.shows("1 ours")[0]; !m.Outgoing || m.ID != (store.ID{9}) {
			t.Errorf("it is another's: %v", m.ID)
		}
	}
}
