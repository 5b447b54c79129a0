package node

import (
	"slices"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/nettest"
	"starling/node/store"
)

// utters has a member say bytes of any kind under any content id.
func (h *hall) utters(u *user, id store.ID, content []byte) {
	h.t.Helper()
	room, _ := store.ParseID(h.id)
	err := u.store.Update(h.t.Context(), func(tx *store.Tx) error {
		return tx.AddSay(store.Say{Room: room, ID: id, Content: content, Created: time.Now()})
	})
	if err != nil {
		h.t.Fatal(err)
	}
	u.rooms.Wake()
}

// TestRoomContentLies: a member that takes the content id of another, changes the messages of others,
// refers to nothing, sends garbage or kinds that no room has, or by the thousand, changes nothing of
// anybody else.
func TestRoomContentLies(t *testing.T) {
	net := nettest.New(5)
	ada, eve, bob := newUser(t, net, "Ada"), newUser(t, net, "Eve"), newUser(t, net, "Bob")
	h := founded(t, ada, "the pier")
	h.joins(ada, eve, bob)
	m := h.says(ada, "mine")
	h.hears(eve, 1)
	h.hears(bob, 1)
	id, _ := store.ParseID(m.ID)
	room, _ := store.ParseID(h.id)
	var name store.ContentID
	eve.store.View(t.Context(), func(tx *store.Tx) error {
		all, err := tx.History(room, 1<<62, 10)
		for _, m := range all {
			if m.Text == "mine" {
				name = m.Content
			}
		}
		return err
	})

	// The same id is another message; an edit and a delete of Ada's are refused.
	said := (&chat.Content{Kind: chat.Text, Text: "not yours"}).Encode()
	h.utters(eve, id, said)
	for i, c := range []*chat.Content{
		{Kind: chat.Edit, Ref: chat.ID(name), Text: "changed"},
		{Kind: chat.Edit, Ref: chat.ID(id), Text: "changed"},
		{Kind: chat.Delete, IDs: []chat.ID{chat.ID(name), chat.ID(id), {9}}},
		{Kind: chat.Reaction, Ref: chat.ID{7}, Emoji: "👍"},
		{Kind: chat.Reaction, Ref: chat.ID(name), Emoji: "not one"},
		{Kind: chat.Receipt, IDs: []chat.ID{chat.ID(name)}},
		{Kind: chat.Timer, Timer: 5},
		{Kind: chat.Typing, Time: time.Now()},
		{Kind: 99},
	} {
		h.utters(eve, store.ID{1, byte(i + 1)}, c.Encode())
	}
	h.utters(eve, store.ID{2}, nil)
	h.utters(eve, store.ID{3}, []byte{0, 1, 2})
	for i := range 300 { // changes of messages that never come
		h.utters(eve, store.ID{4, byte(i), byte(i >> 8)}, (&chat.Content{Kind: chat.Edit, Ref: chat.ID{5, byte(i), byte(i >> 8)}, Text: "x"}).Encode())
	}
	far := (&chat.Content{Kind: chat.Text, Text: "from the future", Time: time.Now().Add(1000 * time.Hour)}).Encode()
	h.utters(eve, store.ID{6}, far)

	got := h.hears(bob, 3)
	if !slices.Equal(got, []string{"Ada: mine", "Eve: not yours", "Eve: from the future"}) {
		t.Errorf("Bob hears %q", got)
	}
	if m, err := ada.Message(t.Context(), m.ID); err != nil || m.Text.String() != "mine" || m.Deleted || len(m.Reactions) > 0 {
		t.Errorf("%+v, %v", m, err)
	}
	all, _ := bob.History(t.Context(), api.HistoryRequest{Contact: h.id})
	if last := all[len(all)-1]; last.Time.After(time.Now()) {
		t.Errorf("a message of %v", last.Time)
	}
	if s, _ := bob.Status(t.Context()); s.Refused["change of another's message"] == 0 || s.Refused["content of a room"] == 0 {
		t.Errorf("refused %v", s.Refused)
	}
	h.says(ada, "and on")
	h.hears(bob, 4)
}
