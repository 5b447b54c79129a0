package rooms

import (
	"errors"
	"testing"
	"time"

	"starling/p2p/mailbox"
	"starling/session/group"
)

// TestHolderFillsALink: somebody with a link fills its log at the rate that mailboxes let through. It takes half an hour and what one packet a
// quarter of a second costs; then nobody's request is taken until the link is over. The owner sees a crowd at the door, and a new
// link is another log.
func TestHolderFillsALink(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine seals 4,096 requests")
	}
	start := time.Unix(1_800_000_000, 0)
	now := start
	owner, err := group.Found(group.Founding{Title: "room", Name: "Ada", Mailboxes: []group.Mailbox{{Node: [32]byte{1}}}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	owner.Changes()
	at := mailbox.NewMemory(1 << 17)
	put := func(a group.Append) error {
		e := mailbox.Entry{Tag: a.Tag, Signature: a.Signature, Box: mailbox.Box(a.Box)}
		if !e.SignedBy(a.Log) {
			t.Fatal("an entry of nobody")
		}
		_, _, err := at.Append(t.Context(), mailbox.NameOf(a.Log), &e, now, true)
		return err
	}
	entry := func(a group.Append) group.Entry {
		return group.Entry{Name: mailbox.NameOf(a.Log), Position: 1, Tag: a.Tag, Signature: a.Signature, Box: a.Box}
	}
	open := func() (link group.Link, card group.Append) {
		link, err := owner.MakeLink(1, true, now.Add(7*24*time.Hour), now)
		if err != nil {
			t.Fatal(err)
		}
		card = owner.Changes().Appends[0]
		if err := put(card); err != nil {
			t.Fatal(err)
		}
		return link, card
	}
	ask := func(link group.Link, card group.Append, name string) []group.Append {
		g, err := group.Ask(link.Text, name, now)
		if err != nil {
			t.Fatal(err)
		}
		g.Take(entry(card), now)
		return g.Changes().Appends
	}

	link, card := open()
	first := card
	for n := 1; n < mailbox.MaxEntries; {
		for _, a := range ask(link, card, "Eve") {
			for put(a) != nil && n < mailbox.MaxEntries {
				now = now.Add(250 * time.Millisecond)
			}
			if n++; n == 2 {
				first = a
			}
			if n < 2000 {
				owner.Take(entry(a), now)
			}
		}
	}
	if took := now.Sub(start); took < 30*time.Minute || took > 35*time.Minute {
		t.Errorf("a log is full after %v", took)
	}

	// The owner sees a crowd, closes the link, and makes another: its log has room.
	if n := len(owner.Requests()); n != group.MaxWaiting {
		t.Errorf("the owner sees %d at the door", n)
	}
	if err := owner.CloseLink(link.ID); err != nil {
		t.Fatal(err)
	}
	owner.Changes()
	again, card2 := open()
	for _, a := range ask(again, card2, "Carol") {
		if err := put(a); err != nil {
			t.Errorf("by a new link: %v", err)
		}
		owner.Take(entry(a), now)
	}
	if all := owner.Requests(); len(all) != 1 || all[0].Name != "Carol" {
		t.Errorf("at the door by a new link: %v", all)
	}

	// Whoever comes by the first is not taken for as long as it lives, and a week longer.
	bob := ask(link, card, "Bob")[0]
	for _, later := range []time.Duration{time.Hour, 7 * 24 * time.Hour, 14*24*time.Hour - time.Minute} {
		now = start.Add(later)
		at.Expire(t.Context(), now)
		if err := put(bob); !errors.Is(err, mailbox.ErrFull) {
			t.Errorf("after %v: %v", later, err)
		}
	}

	// A repeated entry keeps its place; those that are not repeated give theirs.
	put(first)
	now = start.Add(14*24*time.Hour + time.Minute)
	at.Expire(t.Context(), now)
	if err := put(bob); err != nil {
		t.Errorf("no place is free after 14 days: %v", err)
	}
}
