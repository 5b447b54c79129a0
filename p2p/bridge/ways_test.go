package bridge

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/transport"

	"starling/p2p/book"
	"starling/p2p/wire"
)

// ranks are ways in, the one that led to relays last in front.
type ranks []wire.NodeID

func (r *ranks) Led(way wire.NodeID) { *r = append(ranks{way}, *r...) }
func (r *ranks) Place(way wire.NodeID) int {
	if i := slices.Index(*r, way); i >= 0 {
		return i
	}
	return len(*r)
}

// surroundings are ranks on a network of which nothing else is known.
type surroundings struct{ *ranks }

func (surroundings) Budget(wire.NodeID) int64          { return 0 }
func (surroundings) Wait(wire.NodeID) time.Duration    { return 0 }
func (surroundings) Began(wire.NodeID, []book.Address) {}
func (surroundings) Ended(wire.NodeID, error)          {}

// TestBridgesRanked: of several bridges the one that worked here last is asked first, and
// before the relay itself if that did not lead there since; one that has failed comes last.
func TestBridgesRanked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		worked := &ranks{}
		var asked []wire.NodeID
		w := New(Config{Network: surroundings{worked}, Dial: func(_ context.Context, l *Link) (transport.CapableConn, error) {
			asked = append(asked, l.ID)
			return nil, errors.New("down")
		}})
		defer w.Close()
		one, two, three := wire.NodeID{1}, wire.NodeID{2}, wire.NodeID{3}
		w.Set([]*Link{{ID: one}, {ID: two}, {ID: three}}, false)

		d := w.Detour(wire.NodeID{9})
		if d.Last {
			t.Error("bridges come first where none has worked")
		}
		d.Done()
		worked.Led(three)
		worked.Led(two)
		d = w.Detour(wire.NodeID{9})
		if !d.Last {
			t.Error("the relay itself comes first, though it was a bridge that worked")
		}
		for _, p := range d.Pipes[:2] {
			if _, err := p.Open(t.Context()); err == nil {
				t.Error("a pipe over a bridge that is down")
			}
		}
		d.Done()
		if want := []wire.NodeID{two, three}; !slices.Equal(asked, want) {
			t.Errorf("asked %v", asked)
		}

		// Both have failed now.
		asked = nil
		d = w.Detour(wire.NodeID{9})
		d.Pipes[0].Open(t.Context())
		if want := []wire.NodeID{one}; !slices.Equal(asked, want) {
			t.Errorf("asked %v after the others had failed", asked)
		}
		d.Pipes[1].Ended(nil)
		if worked.Place(two) != 0 {
			t.Errorf("what led there is not remembered: %v", *worked)
		}
		d.Straightly()
		d.Done()
		if d = w.Detour(wire.NodeID{9}); d.Last {
			t.Error("bridges come first, though the relay itself was reached since")
		}
		d.Done()
	})
}
