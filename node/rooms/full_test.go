package rooms

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/config"
	"starling/node/store"
	"starling/session/group"
)

// crowded is two mailboxes that call logs full until a time.
type crowded struct {
	Network

	mu    sync.Mutex
	until time.Time
	has   map[store.Node]map[store.Tag]bool
	tries int
	first int // so many logs, the first ones, are full for ever
	logs  map[[32]byte]bool
}

func (c *crowded) AwaitQuota(context.Context) error               { return nil }
func (c *crowded) Follow(string, store.Node, []store.LogPosition) {}
func (c *crowded) FollowAgain(string)                             {}
func (c *crowded) AddHint([]byte) (store.Node, error)             { return store.Node{}, nil }
func (c *crowded) Missing([]store.Node) ([]store.Node, error)     { return nil, nil }
func (c *crowded) ChooseMailboxes(int, ...store.Node) ([]store.Mailbox, error) {
	return []store.Mailbox{{Node: store.Node{1}, Hint: []byte{1}}, {Node: store.Node{2}, Hint: []byte{2}}}, nil
}

func (c *crowded) Append(_ context.Context, node store.Node, log [32]byte, e Sealed) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries++
	if !c.logs[log] && len(c.logs) < c.first {
		c.logs[log] = true
	}
	if c.logs[log] || time.Now().Before(c.until) {
		return ErrFull
	}
	if c.has[node] == nil {
		c.has[node] = map[store.Tag]bool{}
	}
	c.has[node][e.Tag] = true
	return nil
}

// beside runs rooms beside such mailboxes, which call logs full for 20 minutes.
func beside(t *testing.T, do func(t *testing.T, rs *Rooms, net *crowded)) {
	profile := config.Profile{Dir: filepath.Join(t.TempDir(), "p")}
	if err := store.Create(profile, "x", "Ada", store.Options{KDF: store.CheapKDF}); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(profile, "x", store.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		net := &crowded{until: time.Now().Add(20 * time.Minute), has: map[store.Node]map[store.Tag]bool{}, logs: map[[32]byte]bool{}}
		rs := New(Config{Store: s, Network: net, Now: func() (time.Time, bool) { return time.Now(), true }})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- rs.Run(ctx) }()
		defer func() { stop(); <-done }()
		do(t, rs, net)
	})
}

// arriving is how many entries are on their way.
func (rs *Rooms) arriving(t *testing.T, id store.ID) (left int) {
	t.Helper()
	if err := rs.cfg.Store.View(t.Context(), func(tx *store.Tx) (err error) { left, err = tx.Arriving(id); return err }); err != nil {
		t.Fatal(err)
	}
	return left
}

// says says something.
func (rs *Rooms) says(t *testing.T, id store.ID) (said store.ID) {
	t.Helper()
	err := rs.Update(t.Context(), id, func(x *Tx) error {
		said = store.NewID()
		c := chat.Content{Kind: chat.Text, Text: "hello", Time: time.Now()}
		m := store.Message{ID: said, Content: store.ContentID(said), Contact: id, Outgoing: true, Text: "hello", Time: time.Now(), State: api.StateQueued, Member: x.row.Me}
		if _, err := x.Tx.AddMessage(m, time.Now()); err != nil {
			return err
		}
		return x.Tx.AddSay(store.Say{Room: id, ID: said, Content: c.Encode(), Created: time.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// TestFullLane: somebody floods the lanes of another. What is said there goes elsewhere at once.
func TestFullLane(t *testing.T) {
	beside(t, func(t *testing.T, rs *Rooms, net *crowded) {
		net.until, net.first = time.Time{}, 2
		id, err := rs.Create(t.Context(), "room", "ada")
		if err != nil {
			t.Fatal(err)
		}
		rs.says(t, id)
		time.Sleep(time.Minute)
		synctest.Wait()
		if left := rs.arriving(t, id); left != 0 || len(net.logs) != 2 || len(net.has[store.Node{1}]) < 4 || len(net.has[store.Node{2}]) < 4 {
			t.Errorf("%d are on their way", left)
		}
	})
}

// TestFullForAWhile: somebody with the key of a log writes as fast as mailboxes take it, so that these call it full, whichever it is: of a
// lane, the open one, a link. What is said then is not lost, and not called sent; it is there once they take it again.
func TestFullForAWhile(t *testing.T) {
	beside(t, func(t *testing.T, rs *Rooms, net *crowded) {
		ctx, s := t.Context(), rs.cfg.Store
		id, err := rs.Create(ctx, "room", "ada")
		if err != nil {
			t.Fatal(err)
		}
		err = rs.Update(ctx, id, func(x *Tx) error {
			_, err := x.p.room.MakeLink(3, false, time.Now().Add(time.Hour), time.Now())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		said := rs.says(t, id)
		state := func() (left int, m store.Message) {
			if err := s.View(ctx, func(tx *store.Tx) (err error) { m, err = tx.Message(said); return err }); err != nil {
				t.Fatal(err)
			}
			return rs.arriving(t, id), m
		}
		time.Sleep(19 * time.Minute)
		synctest.Wait()
		if left, m := state(); left == 0 || m.State == api.StateSent {
			t.Errorf("%d on their way, and the message is %s", left, m.State)
		}
		if n := net.tries; n > 500 {
			t.Errorf("tried %d times", n)
		}
		time.Sleep(21 * time.Minute)
		synctest.Wait()
		if left, m := state(); left != 0 || m.State != api.StateSent {
			t.Errorf("%d on their way, and the message is %s", left, m.State)
		}
		if one, other := len(net.has[store.Node{1}]), len(net.has[store.Node{2}]); one != other || one < 5 {
			t.Errorf("the mailboxes have %d and %d", one, other) // rekey, card, settings, link, text
		}
	})
}

// TestLeaveIntoFullLogs: the word that we leave is tried until it is there, though we are not in the room any more.
func TestLeaveIntoFullLogs(t *testing.T) {
	beside(t, func(t *testing.T, rs *Rooms, net *crowded) {
		id, err := rs.Create(t.Context(), "room", "ada")
		if err != nil {
			t.Fatal(err)
		}
		err = rs.Update(t.Context(), id, func(x *Tx) error { return x.close(api.RoomLeft) })
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(19 * time.Minute)
		if rs.arriving(t, id) == 0 {
			t.Error("nothing is on its way")
		}
		time.Sleep(21 * time.Minute)
		if left := rs.arriving(t, id); left != 0 || len(net.has[store.Node{1}]) == 0 || len(net.has[store.Node{2}]) == 0 {
			t.Errorf("%d on their way", left)
		}
	})
}

// TestRequestToAFullLink: who asks by a link that somebody floods asks until the request is there.
func TestRequestToAFullLink(t *testing.T) {
	beside(t, func(t *testing.T, rs *Rooms, net *crowded) {
		owner, err := group.Found(group.Founding{Title: "t", Name: "n", Mailboxes: []group.Mailbox{{Node: [32]byte{1}}, {Node: [32]byte{2}}}, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		owner.Changes()
		l, err := owner.MakeLink(1, false, time.Now().Add(2*time.Hour), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		card := owner.Changes().Appends[0]
		id, err := rs.Join(t.Context(), l.Text, "ada")
		if err != nil {
			t.Fatal(err)
		}
		for k, logs := range rs.follows {
			rs.OnEntry(Entry{Key: k.key, Node: k.node, Name: logs[0].Name, Instance: 1, Position: 1, Sealed: Sealed{card.Tag, card.Signature, card.Box}})
		}
		time.Sleep(19 * time.Minute)
		if n := rs.arriving(t, id); n == 0 {
			t.Error("nothing is on its way")
		}
		time.Sleep(11 * time.Minute)
		if one, other := len(net.has[store.Node{1}]), len(net.has[store.Node{2}]); one != 2 || other != 2 {
			t.Errorf("the mailboxes have %d and %d pieces", one, other)
		}
	})
}

// TestAnswerToAFullLog: a newcomer fills the log of their answer. It is tried for as long as it takes honest mailboxes to take one, and no longer.
func TestAnswerToAFullLog(t *testing.T) {
	beside(t, func(t *testing.T, rs *Rooms, net *crowded) {
		net.until = net.until.Add(time.Hour)
		id, err := rs.Create(t.Context(), "room", "ada")
		if err != nil {
			t.Fatal(err)
		}
		var seq int64
		err = rs.Update(t.Context(), id, func(x *Tx) error {
			r, err := group.Found(group.Founding{Name: "n", Mailboxes: []group.Mailbox{{Node: [32]byte{1}}}, Now: time.Now()})
			if err != nil {
				return err
			}
			a := r.Changes().Appends[0]
			a.Lane = 9
			err = x.addAppends([]group.Append{a})
			seq = x.appends[0].Seq
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		tried := func() error {
			return rs.cfg.Store.View(t.Context(), func(tx *store.Tx) error { _, _, err := tx.AppendBox(seq); return err })
		}
		time.Sleep(patience - time.Minute)
		if err := tried(); err != nil {
			t.Error("given up at once", err)
		}
		time.Sleep(10 * time.Minute)
		if err := tried(); !errors.Is(err, store.ErrNotFound) {
			t.Error("tried for ever", err)
		}
	})
}
