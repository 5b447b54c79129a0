package rooms

import (
	"testing"
	"time"

	"starling/node/store"
	"starling/session/group"
)

// TestPositions: whatever a mailbox numbers, in any order, twice, or far ahead: everything is taken once as
// far as it is true, and the memory of it is bounded.
func TestPositions(t *testing.T) {
	var p position
	taken := 0
	for _, at := range []uint32{3, 2, 2, 1, 3, 4, 4, 6} {
		var fresh bool
		if p, fresh = p.take(at); fresh {
			taken++
		}
	}
	if p.all != 4 || taken != 5 || !p.ahead[6] || len(p.ahead) != 1 {
		t.Errorf("%d taken, up to %d, ahead %v", taken, p.all, p.ahead)
	}
	if p, _ = p.take(5); p.all != 6 || len(p.ahead) != 0 {
		t.Errorf("up to %d, ahead %v", p.all, p.ahead)
	}
	for at := uint32(100_000); at < 200_000; at += 10 {
		p, _ = p.take(at)
	}
	for _, at := range []uint32{0, 1<<32 - 1} {
		var fresh bool
		if p, fresh = p.take(at); !fresh {
			t.Errorf("an entry at %d is lost", at)
		}
	}
	if p.all != 6 || len(p.ahead) > maxAhead {
		t.Errorf("up to %d, %d ahead", p.all, len(p.ahead))
	}
}

// TestReread: logs that the room names are read from their beginning at both mailboxes, and the mailboxes are asked; others go on
// where they are.
func TestReread(t *testing.T) {
	boxes := []group.Mailbox{{Node: [32]byte{1}}, {Node: [32]byte{2}}}
	room, err := group.Found(group.Founding{Title: "room", Name: "Ada", Mailboxes: boxes, Now: time.Unix(1_800_000_000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	names := room.Logs()[0].Names
	id := store.ID{7}
	rs := &Rooms{position: map[logAt]position{}}
	for _, m := range boxes {
		for _, name := range names {
			rs.position[logAt{id, m.Node, name}] = position{instance: 5, all: 9}
		}
	}
	tx := &Tx{rs: rs, p: &part{id: id, room: room}, positions: map[logAt]position{}}
	if err := tx.event(group.Reread{Logs: [][16]byte{names[0], {99}}}); err != nil {
		t.Fatal(err)
	}

	for _, m := range boxes {
		for i, name := range names {
			want := position{instance: 5, all: 9}
			if i == 0 {
				want.all = 0
			}
			if got := tx.positionOf(logAt{id, m.Node, name}); got.instance != want.instance || got.all != want.all {
				t.Errorf("log %d at mailbox %d: %+v, not %+v", i, m.Node[0], got, want)
			}
		}
	}
	if len(tx.positions) != 2 || !tx.looks {
		t.Errorf("%d positions, asked: %v", len(tx.positions), tx.looks)
	}
}
