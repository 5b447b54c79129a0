package node

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/nettest"
	"starling/node/outbox"
	"starling/node/store"
	"starling/p2p"
)

// An observer is a network that notes what goes out: to whom a mailbox would say that
// somebody is there.
type observer struct {
	*nettest.Client
	mu      sync.Mutex
	saw     []string
	watched map[string][]p2p.Tag
}

func (o *observer) note(what string, node p2p.NodeID, tags ...p2p.Tag) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.saw = append(o.saw, fmt.Sprintf("%s at %x of %d", what, node[:8], len(tags)))
}

// seen returns what went out since the last call.
func (o *observer) seen() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	saw := o.saw
	o.saw = nil
	return saw
}

func (o *observer) Put(ctx context.Context, node p2p.NodeID, tag p2p.Tag, box []byte) error {
	o.note("put", node, tag)
	return o.Client.Put(ctx, node, tag, box)
}

func (o *observer) Fetch(ctx context.Context, node p2p.NodeID, tags []p2p.Tag) (map[p2p.Tag][]byte, error) {
	o.note("fetch", node, tags...)
	return o.Client.Fetch(ctx, node, tags)
}

// Watch sends nothing for the same tags, nor for none: that is the end of a subscription
// (p2p/watch).
func (o *observer) Watch(key string, node p2p.NodeID, tags []p2p.Tag) {
	o.mu.Lock()
	news := len(tags) > 0 && !slices.Equal(o.watched[key], tags)
	o.watched[key] = slices.Clone(tags)
	o.mu.Unlock()
	if news {
		o.note("watch", node, tags...)
	}
	o.Client.Watch(key, node, tags)
}

func (o *observer) Ack(key string, node p2p.NodeID, tags ...p2p.Tag) {
	o.note("ack", node, tags...)
	o.Client.Ack(key, node, tags...)
}

// observe restarts a user on a network that notes what goes out.
func (u *user) observe() *observer {
	u.t.Helper()
	var o *observer
	u.network = func(cfg p2p.ClientConfig) (Network, error) {
		u.link = u.net.Client(cfg)
		o = &observer{Client: u.link, watched: make(map[string][]p2p.Tag)}
		return o, nil
	}
	u.restart()
	return o
}

// TestSelfStaysHere: whatever is done in the note to self, nothing goes out, nothing waits
// to, and no figure counts it.
func TestSelfStaysHere(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *nettest.Net, ada, bob *user) {
		out := ada.observe()
		time.Sleep(time.Hour)
		out.seen()
		ctx := t.Context()
		yes, minute := true, 60
		if _, err := ada.ChangeSettings(ctx, api.SettingsChange{Typing: &yes, ReadReceipts: &yes}); err != nil {
			t.Fatal(err)
		}

		m, err := ada.Send(ctx, api.SendRequest{Contact: api.Self, Text: "mine"})
		if err != nil {
			t.Fatal(err)
		}
		doneWith := func(what string, err error) {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err = ada.Edit(ctx, api.EditRequest{Message: m.ID, Text: "mine alone"})
		doneWith("edit", err)
		_, err = ada.React(ctx, api.ReactRequest{Message: m.ID, Emoji: "👍"})
		doneWith("react", err)
		_, err = ada.Send(ctx, api.SendRequest{Contact: api.Self, Forward: m.ID})
		doneWith("forward", err)
		_, err = ada.ChangeConversation(ctx, api.ConversationRequest{Contact: api.Self, Timer: &minute})
		doneWith("timer", err)
		timed, err := ada.Send(ctx, api.SendRequest{Contact: api.Self, Text: "for a minute"})
		doneWith("send", err)
		doneWith("type", ada.Typing(ctx, api.Self))
		doneWith("read", ada.MarkRead(ctx, api.Self))
		doneWith("take back", ada.Delete(ctx, api.DeleteRequest{Messages: []string{m.ID}, Both: true}))
		doneWith("clear", ada.ClearConversation(ctx, api.Self))
		_, err = ada.Send(ctx, api.SendRequest{Contact: api.Self, Text: "for a minute, again"})
		doneWith("send", err)

		s, err := ada.Status(ctx)
		if err != nil || s.Outbox != (api.Outbox{}) {
			t.Errorf("outbox %+v, %v", s.Outbox, err)
		}
		err = ada.store.View(ctx, func(tx *store.Tx) error {
			items, err := tx.Items()
			if len(items) != 0 {
				t.Errorf("%d items in the outbox", len(items))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}

		time.Sleep(2 * time.Minute)
		if h, err := ada.History(ctx, api.HistoryRequest{Contact: api.Self}); err != nil || len(h) != 0 {
			t.Errorf("after its minute: %v, %v", h, err)
		}
		if _, err := ada.Message(ctx, timed.ID); api.CodeOf(err) != api.CodeNoMessage {
			t.Error(err)
		}
		if saw := out.seen(); len(saw) != 0 {
			t.Errorf("went out: %q", saw)
		}

		// The observer sees what goes to somebody else.
		ada.send(bob, "yours")
		time.Sleep(time.Minute)
		if saw := out.seen(); len(saw) == 0 {
			t.Error("this test cannot fail: nothing is seen of a text to Bob")
		}
	})
}

// TestSelfHasNoOutbox: the database itself takes nothing that would be sent for the note
// to self.
func TestSelfHasNoOutbox(t *testing.T) {
	ada := newUser(t, nettest.New(5), "Ada")
	now := time.Now()
	for what, do := range map[string]func(tx *store.Tx) error{
		"item": func(tx *store.Tx) error {
			return tx.AddItem(store.Item{ID: store.NewID(), Contact: store.Self, Created: now})
		},
		"receipt": func(tx *store.Tx) error { return tx.OweReceipt(store.Self, store.NewID().Content()) },
		"mailbox": func(tx *store.Tx) error {
			return tx.SetMailboxes(store.Self[:], true, now, []store.Mailbox{{Hint: []byte("x")}})
		},
		"content": func(tx *store.Tx) error {
			_, err := outbox.Queue(tx, store.Self, store.NewID(), &chat.Content{Kind: chat.Typing, Time: now}, now)
			return err
		},
	} {
		if err := ada.store.Update(t.Context(), do); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
}

// A contact that calls itself like the note to self is told apart, and what is written to
// that stays here.
func TestNobodyIsSelf(t *testing.T) {
	for _, name := range []string{"self", "Note to  SELF", "Заметки для себя"} {
		t.Run(name, func(t *testing.T) {
			net := nettest.New(5)
			ada, liar := newUser(t, net, "Ada"), newUser(t, net, name)
			invite, err := ada.Invite(t.Context(), api.InviteRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := liar.AddContact(t.Context(), api.AddContactRequest{Link: invite.Link}); err != nil {
				t.Fatal(err)
			}
			var all []api.Contact
			eventually(t, "the contact's name", func() bool {
				all, err = ada.Contacts(t.Context())
				return err == nil && len(all) == 1 && len(all[0].Name.String()) > len(" (abcdef)") && all[0].State == api.ContactReady
			})
			if chat.OwnName(all[0].Name.String()) {
				t.Errorf("a contact is called %q", all[0].Name)
			}
			for _, to := range []string{"self", api.Self} {
				if m, err := ada.Send(t.Context(), api.SendRequest{Contact: to, Text: "secret"}); err != nil || m.State != api.StateStored {
					t.Errorf("to %q: %+v, %v", to, m, err)
				}
			}
			if _, err := ada.Send(t.Context(), api.SendRequest{Contact: all[0].ID, Text: "hello"}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSelfIsBackedUp: a restored profile has the note to self, and gives up no session of
// it.
func TestSelfIsBackedUp(t *testing.T) {
	net := nettest.New(5)
	ada := newUser(t, net, "Ada")
	if _, err := ada.Send(t.Context(), api.SendRequest{Contact: api.Self, Text: "kept"}); err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir() + "/copy.age"
	if err := ada.Backup(t.Context(), api.BackupRequest{Path: copied, Passphrase: passphrase}); err != nil {
		t.Fatal(err)
	}
	other := &user{t: t, name: "Ada", net: net}
	other.dir.Dir = t.TempDir() + "/restored"
	if err := Restore(t.Context(), other.dir, copied, passphrase); err != nil {
		t.Fatal(err)
	}
	other.start()
	h, err := other.History(t.Context(), api.HistoryRequest{Contact: api.Self})
	if err != nil || len(h) != 1 || h[0].Text.String() != "kept" || h[0].State != api.StateStored {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestBlockedSeesNobody: a blocked contact, and the mailboxes it shares with us, see
// nothing that they would not see of somebody who is offline, whatever either side does.
func TestBlockedSeesNobody(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		out := ada.observe()
		ctx := t.Context()
		yes := true
		if _, err := ada.ChangeSettings(ctx, api.SettingsChange{Typing: &yes, ReadReceipts: &yes}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		bob.send(ada, "before")
		time.Sleep(time.Minute)
		if saw := out.seen(); !slices.ContainsFunc(saw, func(s string) bool { return s[:3] == "put" }) || !slices.ContainsFunc(saw, func(s string) bool { return s[:3] == "ack" }) {
			t.Fatalf("this test cannot fail: of a contact that is not blocked it sees %q", saw)
		}

		// Something is on its way in both directions while Ada blocks him.
		bob.send(ada, "one more")
		mine := ada.send(bob, "and one")
		if _, err := ada.BlockContact(ctx, "Bob", true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		out.seen()

		quietFor := func(what string, d time.Duration) {
			t.Helper()
			time.Sleep(d)
			if saw := out.seen(); len(saw) != 0 {
				t.Errorf("%s: %q", what, saw)
			}
		}
		quietFor("what was on its way", 3*time.Hour)
		for i := range 20 {
			bob.send(ada, fmt.Sprint("hello? ", i))
		}
		quietFor("texts of his", 24*time.Hour)
		name := "Augusta"
		if _, err := ada.ChangeSettings(ctx, api.SettingsChange{Name: &name}); err != nil {
			t.Fatal(err)
		}
		if err := ada.Typing(ctx, "Bob"); err != nil {
			t.Error(err)
		}
		if err := ada.MarkRead(ctx, "Bob"); err != nil {
			t.Error(err)
		}
		if _, err := ada.Edit(ctx, api.EditRequest{Message: mine.ID, Text: "and another"}); err != nil {
			t.Error(err)
		}
		quietFor("deeds of hers", 24*time.Hour)
		for _, node := range net.Mailboxes() {
			net.SetDown(node, true)
		}
		quietFor("mailboxes that fail", 6*time.Hour)
		for _, node := range net.Mailboxes() {
			net.SetDown(node, false)
		}
		quietFor("mailboxes that are back", 6*time.Hour)

		// The same after a start, which reads it all from disk.
		out = ada.observe()
		quietFor("a start", 24*time.Hour)
		if got := ada.texts(bob); len(got) > 2 {
			t.Errorf("shown of a blocked contact: %q", got)
		}

		// He sees that she is not there, and all of it arrives when she lets him.
		if _, err := ada.BlockContact(ctx, "Bob", false); err != nil {
			t.Fatal(err)
		}
		ada.shown(bob, 22)
		ada.waitState(mine.ID, api.StateDelivered)
	})
}
