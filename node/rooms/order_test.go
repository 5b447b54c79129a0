package rooms

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/config"
	"starling/node/store"
	"starling/session/group"
)

// asked counts the follows that were asked for again.
type asked struct {
	Network
	keys []string
	off  bool // there is no network
}

func (a *asked) FollowAgain(key string) { a.keys = append(a.keys, key) }

func (a *asked) Missing([]store.Node) ([]store.Node, error) {
	if a.off {
		return nil, ErrHold
	}
	return nil, nil
}

// TestLookFor: when a content has waited for a moment the mailboxes of its room are asked, however many
// wait, and rarely again; also by a clock that was ahead when they were asked before.
func TestLookFor(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	room, err := group.Found(group.Founding{Title: "t", Name: "n", Mailboxes: []group.Mailbox{{Node: [32]byte{1}}, {Node: [32]byte{2}}}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	net := &asked{}
	rs := &Rooms{cfg: Config{Network: net}}
	p := &part{id: store.ID{7}, room: room}
	looks := func(at time.Time) bool {
		update := &Tx{rs: rs, p: p, now: at}
		for range 3 {
			update.lookFor(now)
		}
		if update.due.IsZero() {
			t.Error("nothing wakes it")
		}
		return update.looks
	}
	for i, step := range []struct {
		after time.Duration
		looks bool
	}{{0, false}, {lookAfter - 1, false}, {lookAfter, true}, {lookAfter + lookAgain - 1, false}, {lookAfter + lookAgain, true}} {
		if got := looks(now.Add(step.after)); got != step.looks {
			t.Errorf("step %d: %v", i, got)
		}
	}
	p.looked = now.Add(365 * 24 * time.Hour)
	if !looks(now.Add(time.Minute)) {
		t.Error("it looks in a year")
	}

	rs.lookAgain(p)
	logs := room.Logs()
	if len(net.keys) != len(logs) || len(logs) == 0 || !slices.ContainsFunc(net.keys, func(k string) bool { return k == p.id.String()+"/"+logs[0].Key }) {
		t.Errorf("asked %q for %d places", net.keys, len(logs))
	}
}

// TestLookForLost: for a gap that was shown the mailboxes are asked on, ever less often, and not for ever.
func TestLookForLost(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	p := &part{id: store.ID{7}, noticed: noticed{lost: map[store.Ref]time.Time{{1}: now, {2}: now.Add(-3 * time.Hour)}, looked: now.Add(-time.Second)}}
	var asked []time.Duration
	for at := time.Duration(0); at < 4*time.Hour; at += time.Second {
		update := &Tx{rs: &Rooms{}, p: p, now: now.Add(at)}
		update.lookForLost()
		if update.looks {
			asked = append(asked, at)
		}
		if update.due.IsZero() != (len(p.lost) == 0) {
			t.Fatalf("after %v: %d lost, woken %v", at, len(p.lost), update.due)
		}
	}
	want := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, 64 * time.Minute}
	if !slices.Equal(asked, want) || len(p.lost) > 0 {
		t.Errorf("asked after %v; %d lost", asked, len(p.lost))
	}
	p.lost, p.looked = map[store.Ref]time.Time{{1}: now}, now.Add(365*24*time.Hour) // by a clock that was ahead
	update := &Tx{rs: &Rooms{}, p: p, now: now.Add(time.Minute)}
	if update.lookForLost(); !update.looks {
		t.Error("it looks in a year")
	}
}

// TestHold: a content is shown without the one before it after Hold, if all mailboxes have said since that they have nothing
// more, and later if one has not; and time in which nothing could come does not count.
func TestHold(t *testing.T) {
	const step, never = 10 * time.Second, time.Duration(-1)
	for name, c := range map[string]struct {
		newcomer  bool
		ended     [2]time.Duration // after which each mailbox tells its ends, every time that it is asked
		off, away time.Duration    // for so long there is no network, and no computer
		stays     time.Duration    // and then there is no computer until the next day, each day
		meets     bool             // the logs are followed elsewhere, too, where nobody tells the ends
		want      time.Duration    // after which it is shown, since the first update
	}{
		"all have ended":              {want: DefaultHold},
		"one has not":                 {ended: [2]time.Duration{0, never}, want: lateHold * DefaultHold},
		"one does late":               {ended: [2]time.Duration{0, 5 * time.Minute}, want: 5 * time.Minute},
		"a newcomer":                  {newcomer: true, want: step},
		"a newcomer, one has not":     {newcomer: true, ended: [2]time.Duration{0, never}, want: DefaultHold},
		"no network":                  {off: time.Hour, want: time.Hour + DefaultHold},
		"no network, and one has not": {off: time.Hour, ended: [2]time.Duration{0, never}, want: time.Hour + lateHold*DefaultHold},
		"one who does not stay":       {stays: 3 * time.Minute, ended: [2]time.Duration{0, never}, want: longWait + DefaultHold},
		"they have met":               {meets: true, want: DefaultHold},
		"asleep":                      {away: time.Hour, want: time.Hour + DefaultHold},
		"asleep, and one has not":     {away: time.Hour, ended: [2]time.Duration{0, never}, want: time.Hour + lateHold*DefaultHold},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.found()
			d.update(func(t *Tx) error {
				us := store.Member{ID: d.me, By: d.me, Role: api.RoleOwner, Name: "Ada"}
				if c.newcomer {
					us.By, us.Since = store.MemberID{9}, d.now
				}
				waits := store.Parked{Ref: store.Ref{2}, Content: []byte("garbage"), Came: d.now, After: []store.Ref{{1}}}
				return errors.Join(t.Tx.SetMember(d.id, us), t.Tx.AddParked(d.id, waits))
			})

			if c.meets {
				d.part.meetings = map[[32]byte][]group.Mailbox{d.part.logs()[0].Meet[0]: {{Node: store.Node{3}}}}
			}
			began := d.now
			for left := 1; left > 0; d.now = d.now.Add(step) {
				after := d.now.Sub(began)
				if after > 3*longWait {
					t.Fatal("it waits for ever")
				}
				if d.net.off = after < c.off; !d.net.off {
					d.tellEnds(c.ended, after)
				}
				d.update(func(t *Tx) error {
					all, err := t.showParked()
					left = len(all)
					return err
				})
				if left == 0 && after != c.want {
					t.Errorf("shown after %v, not %v", after, c.want)
				}
				if after == step && c.away > 0 {
					d.now = began.Add(c.away - step)
				}
				if c.stays > 0 && after%longWait >= c.stays {
					d.now = began.Add(after.Truncate(longWait) + longWait - step)
				}
			}
		})
	}
}

// found gives a desk a room of its own.
func (d *desk) found() {
	d.t.Helper()
	room, err := group.Found(group.Founding{Title: "t", Name: "n", Mailboxes: []group.Mailbox{{Node: [32]byte{1}}, {Node: [32]byte{2}}}, Now: d.now})
	if err != nil {
		d.t.Fatal(err)
	}
	d.part.room = room
}

// tellEnds has each mailbox of the room of a desk tell its ends, from its time on.
func (d *desk) tellEnds(from [2]time.Duration, after time.Duration) {
	for _, place := range d.part.logs() {
		for i, m := range place.Mailboxes {
			for _, name := range place.Names {
				if from[i] >= 0 && after >= from[i] {
					d.rs.ended[logAt{d.id, m.Node, name}] = d.now
				}
			}
		}
	}
}

// TestParkedByAClockAhead: a content that came while the clock was a year ahead does not wait for a year.
func TestParkedByAClockAhead(t *testing.T) {
	profile := config.Profile{Dir: filepath.Join(t.TempDir(), "p")}
	if err := store.Create(profile, "x", "Ada", store.Options{KDF: store.CheapKDF}); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(profile, "x", store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()

	now := time.Unix(1_800_000_000, 0)
	id := store.NewID()
	for _, came := range []struct {
		ahead time.Duration
		left  int
	}{{0, 1}, {time.Second, 1}, {365 * 24 * time.Hour, 0}} {
		err = s.Update(t.Context(), func(tx *store.Tx) error {
			if came.ahead == 0 {
				if err := tx.AddRoom(store.Room{ID: id, State: api.RoomReady}, "room", now, nil); err != nil {
					return err
				}
			}
			q := store.Parked{Ref: store.Ref{1}, Content: []byte("garbage"), Came: now.Add(came.ahead), After: []store.Ref{{2}}}
			if err := tx.AddParked(id, q); err != nil {
				return err
			}
			update := &Tx{Tx: tx, rs: &Rooms{cfg: Config{Hold: DefaultHold, Network: &asked{}}}, p: &part{id: id}, now: now}
			if _, err := update.showParked(); err != nil {
				return err
			}
			all, err := tx.Parked(id)
			if len(all) != came.left {
				t.Errorf("%v ahead: %d wait", came.ahead, len(all))
			}
			if err == nil {
				err = tx.RemoveParked(id, q.Ref)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
