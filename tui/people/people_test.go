package people_test

import (
	"slices"
	"testing"
	"time"

	"starling/node/api"
	"starling/tui/people"
)

// nobody looks at any conversation.
func nobody(string) bool { return false }

// contact returns a contact with the number of its last message, 0 for none.
func contact(id string, last int64, change ...func(*api.Contact)) api.Contact {
	c := api.Contact{ID: id, Created: time.Unix(int64(id[0]), 0)}
	if last > 0 {
		c.Last = &api.Message{ID: id, Sequence: last}
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func pinned(c *api.Contact)   { c.Pinned = true }
func archived(c *api.Contact) { c.Archived = true }
func unread(c *api.Contact)   { c.Unread = 2 }

func order(l *people.List) (ids []string) {
	for _, c := range l.All() {
		ids = append(ids, c.ID)
	}
	return ids
}

func expect(t *testing.T, l *people.List, want ...string) {
	t.Helper()
	if got := order(l); !slices.Equal(got, want) {
		t.Errorf("the order is %q, want %q", got, want)
	}
}

// TestOrder: the node names people in the order in which they were met; the
// list has them by their last messages.
func TestOrder(t *testing.T) {
	l := people.New()
	l.Take([]api.Contact{contact("a", 9), contact("b", 5), contact("c", 0), contact("d", 1, pinned), contact("e", 8, archived)}, nobody)
	expect(t, l, "d", "c", "a", "b", "e")

	// The latest activity comes first, and somebody new is active.
	l.Raise("b")
	l.Put(contact("f", 0), nobody)
	l.Sort()
	expect(t, l, "d", "f", "b", "c", "a", "e")

	// Conversations that are no longer there are told.
	if gone := l.Take([]api.Contact{contact("a", 9), contact("b", 5)}, nobody); len(gone) != 4 {
		t.Errorf("gone are %q", gone)
	}
}

func TestArchivedAreLeftOut(t *testing.T) {
	l := people.New()
	if l.ShowArchived("") {
		t.Error("there are archived ones in an empty list")
	}
	l.Take([]api.Contact{contact("a", 2), contact("b", 1, archived)}, nobody)
	if len(l.Listed()) != 1 || !l.ShowArchived("a") || len(l.Listed()) != 2 {
		t.Errorf("listed are %d", len(l.Listed()))
	}
	l.Cursor = "b"
	l.ShowArchived("a")
	if l.Cursor != "a" {
		t.Errorf("the cursor is on %q, which is not shown", l.Cursor)
	}
}

func TestRemoveKeepsTheCursorInTheList(t *testing.T) {
	l := people.New()
	l.Take([]api.Contact{contact("c", 1), contact("b", 2), contact("a", 3)}, nobody)
	l.Cursor = "c"
	for _, want := range []string{"b", "a", ""} {
		if l.Remove(l.Cursor); l.Cursor != want {
			t.Errorf("the cursor is on %q, want %q", l.Cursor, want)
		}
	}
	l.Remove("never there")
	l.Move(1)
}

func TestGoingThroughTheList(t *testing.T) {
	l := people.New()
	if l.Beside("", 1) != "" || l.NextUnread("") != "" {
		t.Error("an empty list leads somewhere")
	}
	l.Take([]api.Contact{contact("c", 1), contact("b", 2, unread), contact("a", 3), contact("d", 1, archived, unread)}, nobody)
	for _, tt := range []struct{ got, want string }{
		{l.Beside("a", 1), "b"}, {l.Beside("c", 1), "a"}, {l.Beside("a", -1), "c"},
		{l.NextUnread("a"), "b"}, {l.NextUnread("b"), "d"},
	} {
		if tt.got != tt.want {
			t.Errorf("leads to %q, want %q", tt.got, tt.want)
		}
	}
	if n := l.Unread(""); n != 4 {
		t.Errorf("%d unread", n)
	}
}

// TestReadStaysRead: the node may tell of a contact before it has heard that
// the person looked.
func TestReadStaysRead(t *testing.T) {
	l := people.New()
	l.Put(contact("a", 1), nobody)
	l.Put(contact("a", 1, unread), func(id string) bool { return id == "a" })
	if n := l.Get("a").Unread; n != 0 {
		t.Errorf("%d unread under the eyes of the person", n)
	}
	l.Put(contact("a", 1, unread), nobody)
	if n := l.Get("a").Unread; n != 2 {
		t.Errorf("%d unread", n)
	}
}
