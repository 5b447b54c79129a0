package rooms

import (
	"testing"
	"time"

	"starling/p2p/mailbox"
	"starling/session/group"
)

// TestWaitingAreTriedOnceAMinute: whoever holds a link has somebody wait at the door who cannot be let in. They are tried again after a minute,
// and not with every entry that comes.
func TestWaitingAreTriedOnceAMinute(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	room, err := group.Found(group.Founding{Title: "room", Name: "Ada", Mailboxes: []group.Mailbox{{Node: [32]byte{1}}}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	link, err := room.MakeLink(1, false, now.Add(time.Hour), now)
	if err != nil {
		t.Fatal(err)
	}
	guest, err := group.Ask(link.Text, "Eve", now)
	if err != nil {
		t.Fatal(err)
	}
	entry := func(a group.Append) group.Entry {
		return group.Entry{Name: mailbox.NameOf(a.Log), Position: 1, Tag: a.Tag, Signature: a.Signature, Box: a.Box}
	}
	for _, a := range room.Changes().Appends {
		guest.Take(entry(a), now)
	}
	room.Restored() // nobody is let in now
	for _, a := range guest.Changes().Appends {
		room.Take(entry(a), now)
	}
	if len(room.Requests()) != 1 {
		t.Fatal("nobody is at the door")
	}

	d := newDesk(t)
	p := &part{id: d.id, room: room}
	tries := 0
	for range 20 {
		d.update(func(tx *Tx) error {
			tx.p, tx.now = p, now
			was := p.let
			if err := tx.letWaiting(); err != nil {
				return err
			}
			if p.let != was {
				tries++
			}
			if tx.due.IsZero() {
				t.Error("nobody comes back to it")
			}
			return nil
		})
		now = now.Add(10 * time.Second)
	}
	if tries != 4 {
		t.Errorf("%d tries in 200 s", tries)
	}
}
