package client

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/directory"
	"starling/p2p/directory/directorytest"
	"starling/p2p/wire"
)

// A listener is a client's lists, and guards to ask for them that are directories.
type listener struct {
	*lists
	names, renewals, wholes, bytes, frames int
}

func listenTo(t *testing.T, guards map[NodeID]*directory.Directory, edit func(*directory.Request)) *listener {
	t.Helper()
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{lists: &c.lists}
	l.isGuard = func(NodeID) bool { return true }
	l.send = func(to NodeID, f *wire.Frame) error {
		q, err := directory.ParseRequest(f.Body())
		if err != nil {
			return err
		}
		l.frames++
		edit(&q)
		guards[to].Answer(q, func(p *directory.Page) bool {
			l.frames++
			for _, e := range p.Entries {
				l.bytes += len(e.Raw)
				switch {
				case e.Names():
					l.names++
				case e.Renews():
					l.renewals++
				default:
					l.wholes++
				}
			}
			f, err := wire.NewFrame(wire.TypeListPage, p.Append(nil))
			if err == nil {
				l.handle(to, f)
			}
			return err == nil
		})
		return nil
	}
	return l
}

func (l *listener) raws() [][]byte {
	all := l.dir.Raw(directory.MaxRelays)
	slices.SortFunc(all, bytes.Compare)
	return all
}

// TestOneGuardBringsTheOtherNames: for days a client reads renewals from one guard and
// names from the other, and after each look at both believes in the very descriptors of one
// who reads whole ones from both. It moves less than half as many bytes.
func TestOneGuardBringsTheOtherNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const relays, days = 192, 3
		ids := []NodeID{{1}, {2}}
		guards := map[NodeID]*directory.Directory{ids[0]: directory.New(directory.Config{}), ids[1]: directory.New(directory.Config{})}
		all := make([]*directorytest.Relay, relays)
		for n := range all {
			all[n] = directorytest.NewRelay(t, n)
		}
		say := func(some []*directorytest.Relay) {
			for _, r := range some {
				raw := r.Say(t, time.Now())
				for _, g := range guards {
					if err := g.Add(raw); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		say(all)
		c := listenTo(t, guards, func(*directory.Request) {})
		twin := listenTo(t, guards, func(q *directory.Request) { q.Whole = 0 })

		for half := range 48 * days {
			time.Sleep(30 * time.Minute)
			say(all[half%48*relays/48 : (half%48+1)*relays/48])
			for _, l := range []*listener{c, twin} {
				if half == 48 { // the first day is that of the first lists
					l.names, l.renewals, l.wholes, l.bytes, l.frames = 0, 0, 0, 0, 0
				}
				for _, id := range ids[:2-half%2] { // one, then both
					if err := l.pull(t.Context(), id); err != nil {
						t.Fatal(err)
					}
				}
			}
			if half%2 == 0 && !slices.EqualFunc(c.raws(), twin.raws(), bytes.Equal) || len(c.raws()) != relays {
				t.Fatalf("half hour %d: %d relays by names, %d by wholes", half, len(c.raws()), len(twin.raws()))
			}
		}
		said := float64(relays * (days - 1))
		t.Logf("for each descriptor signed: %.0f bytes of entries (%d names, %d renewals, %d whole), and %.0f with whole ones (%d)",
			float64(c.bytes)/said, c.names, c.renewals, c.wholes, float64(twin.bytes)/said, twin.wholes)
		if c.wholes > 0 || c.names != c.renewals || 2*c.bytes > twin.bytes {
			t.Errorf("%d names, %d renewals, %d whole", c.names, c.renewals, c.wholes)
		}
	})
}

// TestGuardWithholds: the guard that brings descriptors leaves out those of some relays,
// from one day on for ever. The other guard brings these within a day: not one is lost. So
// it does for all when the first one falls silent.
func TestGuardWithholds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const relays, withheld = 192, 5
		ids := []NodeID{{1}, {2}}
		guards := map[NodeID]*directory.Directory{ids[0]: directory.New(directory.Config{}), ids[1]: directory.New(directory.Config{})}
		all := make([]*directorytest.Relay, relays)
		for n := range all {
			all[n] = directorytest.NewRelay(t, n)
		}
		c := listenTo(t, guards, func(*directory.Request) {})
		for half := range 48 * 5 {
			silent := half >= 48*4
			if half%48 == 0 && !silent || half == 48*4+8 {
				for n, r := range all {
					raw := r.Say(t, time.Now())
					guards[ids[1]].Add(raw)
					if n >= withheld || half == 0 {
						guards[ids[0]].Add(raw)
					}
				}
			}
			for i, id := range ids {
				if i == 0 && silent || half%2 != i && half > 0 {
					continue
				}
				if err := c.pull(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			if half == 0 {
				continue
			}
			for n, r := range all {
				d, ok := c.dir.Find(r.D.ID)
				if !ok {
					t.Fatalf("half hour %d: relay %d is lost", half, n)
				}
				soon := 26
				if silent {
					soon = 10
				}
				if late := r.D.Sequence - d.Sequence; late > 0 && half%48 > soon {
					t.Fatalf("half hour %d: the descriptor of relay %d is %d h old", half, n, int(time.Since(d.Issued).Hours()))
				}
			}
			time.Sleep(30 * time.Minute)
		}
		if c.names == 0 || c.renewals == 0 {
			t.Errorf("%d names, %d renewals", c.names, c.renewals)
		}
		t.Logf("%d names, %d renewals, %d whole", c.names, c.renewals, c.wholes)
	})
}
