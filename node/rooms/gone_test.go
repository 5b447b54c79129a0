package rooms

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
}

func (r *ranked) Missing(all []store.Node) ([]store.Node, error) {
	return slices.DeleteFunc(slices.Clone(all), func(n store.Node) bool { return !slices.Contains(r.missing, n) }), nil
}

func (r *ranked) Meeting(_ [32]byte, n int) (set []group.Mailbox, err error) {
	for _, i := range []byte{2, 100, 101, 102, 103}[:n] {
		set = append(set, group.Mailbox{Node: store.Node{i}, Hint: []byte{i}})
	}
	return set, nil
}

func (r *ranked) AddHint([]byte) (store.Node, error) { return store.Node{}, nil }

func (r *ranked) AwaitQuota(context.Context) error { return nil }

// Append has no answer from a mailbox that is missing.
func (r *ranked) Append(ctx context.Context, node store.Node, _ [32]byte, _ Sealed) error {
	if !slices.Contains(r.missing, node) {
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
// the next start. Of secrets that others choose there are not more than eight.
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

	d.part.meetings = make(map[[32]byte][]group.Mailbox)
	var lies []group.Place
	for i := range byte(20) {
		lies = append(lies, group.Place{Mailboxes: []group.Mailbox{{Node: store.Node{1}}}, Names: [][16]byte{{i}}, Meet: [][32]byte{{i + 1}}})
	}
	lies[19].Home = true
	d.rs.lookForMissing()
	net.missing = []store.Node{{1}}
	d.rs.lookForMissing()
	if d.rs.meet(d.part, lies); len(d.part.meetings) != maxMeetings || d.part.meetings[[32]byte{20}] == nil {
		t.Errorf("%d meetings", len(d.part.meetings))
	}
}

// TestElsewhere: an entry that no mailbox has goes where its readers meet once all were missing for a minute, and to the next if these are
// gone; it has arrived when it is at two. One that lies somewhere has arrived when the rest was missing for five minutes.
func TestElsewhere(t *testing.T) {
	d, net := gone(t)
	add := func(copies int) (seq int64, id store.ID) {
		d.update(func(t *Tx) error {
			id = store.NewID()
			m := store.Message{ID: id, Contact: d.id, Content: store.ContentID(id), Outgoing: true, Text: "x", Time: d.now, State: api.StateSealed}
			if _, err := t.Tx.AddMessage(m, d.now); err != nil {
				return err
			}
			a := store.Append{Room: d.id, Content: store.ContentID(id), Created: d.now, Goals: []store.Mailbox{{Node: store.Node{1}}, {Node: store.Node{2}}}}
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
	since := func(ago time.Duration, nodes ...byte) {
		d.rs.missing, net.missing = make(map[store.Node]time.Time), nil
		for _, n := range nodes {
			d.rs.missing[store.Node{n}] = time.Now().Add(-ago)
			net.missing = append(net.missing, store.Node{n})
		}
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

	none, text := add(0)
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

	one, text := add(1)
	since(goneAfter-time.Second, 2)
	is("one has it", one, " 2")
	since(goneAfter, 2)
	is("one has it, and the other is gone", one, " spare 2")
	if s := state(text); s != api.StateSent {
		t.Errorf("the one that has it is all that is left: %s", s)
	}
	d.update(func(t *Tx) error {
		if n, err := t.Tx.Arriving(d.id); n > 0 || err != nil {
			return fmt.Errorf("%d arrive, %v", n, err)
		}
		return nil
	})
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
							a := store.Append{Room: d.id, Created: time.Now(), Goals: []store.Mailbox{{Node: store.Node{1}}, {Node: store.Node{2}}}}
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
