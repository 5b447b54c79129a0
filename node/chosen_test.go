package node

import (
	"slices"
	"testing"

	"starling/node/api"
	"starling/node/nettest"
)

// TestIDsOfOthersAreFree: two contacts work together, as do a contact and a member of a room. One knows the ID under which we
// will answer the other, as bots derive theirs, and says something under it first. We say what we say, under that ID,
// once; and what they said stays, with its quotes, reactions and events.
func TestIDsOfOthersAreFree(t *testing.T) {
	net := nettest.New(5)
	ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
	befriend(t, ada, bob)
	befriend(t, ada, eve)
	h := founded(t, ada, "the pier")
	h.joins(ada, bob)

	for i, to := range []string{bob.name, h.id} {
		const id = "000102030405060708090a0b0c0d0e0"
		answer := id + string('0'+rune(i))
		m, err := eve.Send(t.Context(), api.SendRequest{Contact: ada.name, Text: "first", ID: answer, File: &api.SendFile{Name: "x.txt", Data: []byte("kept")}})
		if err != nil || m.ID != answer {
			t.Fatalf("%+v, %v", m, err)
		}
		eve.waitState(answer, api.StateDelivered)
		if m, err := ada.Message(t.Context(), answer); err != nil || m.Text.String() != "first" || m.Outgoing {
			t.Fatalf("this shows nothing: %+v, %v", m, err)
		}
		if _, err := eve.React(t.Context(), api.ReactRequest{Message: answer, Emoji: "👍"}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the reaction", func() bool {
			m, err := ada.Message(t.Context(), answer)
			return err == nil && len(m.Reactions) == 1
		})

		for range 2 { // the second time it is the same
			m, err := ada.Send(t.Context(), api.SendRequest{Contact: to, Text: "the answer", ID: answer})
			if err != nil || m.ID != answer {
				t.Fatalf("%+v, %v", m, err)
			}
		}
		all, err := ada.History(t.Context(), api.HistoryRequest{Contact: eve.name, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		n := slices.IndexFunc(all, func(m api.Message) bool { return m.Text.String() == "first" && m.ID != answer && len(m.Reactions) == 1 })
		if n < 0 {
			t.Fatalf("what Eve said is not there: %+v", all)
		}
		renamed := all[n].ID
		if m, err := eve.Edit(t.Context(), api.EditRequest{Message: answer, Text: "done"}); err != nil {
			t.Fatalf("%+v, %v", m, err)
		}
		eventually(t, "her edit", func() bool {
			m, err := ada.Message(t.Context(), renamed)
			return err == nil && m.Text.String() == "done" && string(m.File.Data) == "kept"
		})
	}
	eventually(t, "Bob hears it", func() bool { return slices.Contains(bob.said(ada), "the answer") })
	if got := h.hears(bob, 1); len(got) != 1 || got[0] != "Ada: the answer" {
		t.Errorf("%q", got)
	}
}
