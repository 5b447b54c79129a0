package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/config"
	"starling/node/nettest"
	"starling/node/store"
	"starling/p2p"
)

// numbered returns "0" to n-1.
func numbered(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func (u *user) sendAll(to *user, texts []string) (ids []string) {
	u.t.Helper()
	for _, text := range texts {
		ids = append(ids, u.send(to, text).ID)
	}
	return ids
}

func (u *user) waitAll(ids []string, want api.State) {
	u.t.Helper()
	for _, id := range ids {
		u.waitState(id, want)
	}
}

// Everything that can go wrong on the way goes wrong, in both directions, and
// every text is shown once and in order.
func TestBadNetwork(t *testing.T) {
	net := nettest.New(6)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	net.Set(nettest.Settings{
		Delay: 2 * time.Millisecond, LosePut: 0.2, LoseAnswer: 0.2, LosePush: 0.2, Duplicate: 0.3,
		Timeout: 10 * time.Millisecond, Again: 20 * time.Millisecond,
	})
	befriend(t, ada, bob)
	texts := numbered(100)
	there := ada.sendAll(bob, texts)
	back := bob.sendAll(ada, texts)
	ada.waitAll(there, api.StateDelivered)
	bob.waitAll(back, api.StateDelivered)
	eventually(t, "all texts", func() bool { return len(bob.texts(ada)) == 100 && len(ada.texts(bob)) == 100 })
	if got := bob.texts(ada); !slices.Equal(got, texts) {
		t.Errorf("Bob has %v", got)
	}
	if got := ada.texts(bob); !slices.Equal(got, texts) {
		t.Errorf("Ada has %v", got)
	}
}

// The two are never online together.
func TestNeverTogether(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	invite, err := ada.Invite(t.Context(), api.InviteRequest{})
	if err != nil {
		t.Fatal(err)
	}
	ada.shutdown()

	if _, err := bob.AddContact(t.Context(), api.AddContactRequest{Link: invite.Link, Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	early, err := bob.Send(t.Context(), api.SendRequest{Contact: "Ada", Text: "sent before you answered"})
	if err != nil {
		t.Fatal(err)
	}
	bob.waitState(early.ID, api.StateSent)
	eventually(t, "hello in the mailboxes", bob.outboxIdle)
	bob.shutdown()

	ada.start()
	var got []string
	eventually(t, "Bob's first text", func() bool {
		if all, _ := ada.Contacts(t.Context()); len(all) == 1 && all[0].Name.String() == "Bob" {
			history, _ := ada.History(t.Context(), api.HistoryRequest{Contact: "Bob"})
			for _, m := range history {
				got = append(got, m.Text.String())
			}
		}
		return len(got) > 0
	})
	answer, err := ada.Send(t.Context(), api.SendRequest{Contact: "Bob", Text: "welcome"})
	if err != nil {
		t.Fatal(err)
	}
	ada.waitState(answer.ID, api.StateSent)
	eventually(t, "receipts in the mailboxes", ada.outboxIdle)
	ada.shutdown()

	bob.start()
	bob.waitState(early.ID, api.StateDelivered)
	eventually(t, "the answer", func() bool { return fmt.Sprint(bob.names()) == "[Ada]" && len(bob.texts(ada)) == 1 })
	if s, _ := bob.Contacts(t.Context()); s[0].State != api.ContactReady {
		t.Errorf("contact is %s", s[0].State)
	}
	eventually(t, "receipts in the mailboxes", bob.outboxIdle)
	bob.shutdown()

	ada.start()
	ada.waitState(answer.ID, api.StateDelivered)
	bob.start()
}

// outboxIdle reports whether all that is left to do is to wait for receipts.
func (u *user) outboxIdle() bool {
	idle := true
	u.store.View(context.Background(), func(tx *store.Tx) error {
		items, _ := tx.Items()
		for _, it := range items {
			idle = idle && it.State == api.StateSent
		}
		owed, _ := tx.ContactsOwed()
		idle = idle && len(owed) == 0
		return nil
	})
	return idle
}

func (u *user) names() (out []string) {
	all, _ := u.Contacts(context.Background())
	for _, c := range all {
		out = append(out, c.Name.String())
	}
	return out
}

// A restart at any time changes nothing but the time.
func TestRestarts(t *testing.T) {
	net := nettest.New(5)
	net.Set(nettest.Settings{Delay: time.Millisecond})
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	invite, err := ada.Invite(t.Context(), api.InviteRequest{})
	if err != nil {
		t.Fatal(err)
	}
	ada.restart()
	if all, err := ada.Invites(t.Context()); err != nil || len(all) != 1 || all[0] != invite {
		t.Errorf("invites after a restart: %v, %v", all, err)
	}
	if _, err := bob.AddContact(t.Context(), api.AddContactRequest{Link: invite.Link}); err != nil {
		t.Fatal(err)
	}
	bob.restart()
	ada.restart()
	waitFriends(t, ada, bob)
	var ids []string
	for i := range 20 {
		ids = append(ids, ada.send(bob, fmt.Sprint(i)).ID)
		switch i % 4 {
		case 1:
			ada.restart()
		case 3:
			bob.restart()
		}
	}
	ada.waitAll(ids, api.StateDelivered)
	if got := bob.shown(ada, 20); !slices.Equal(got, numbered(20)) {
		t.Errorf("got %v", got)
	}
	// Event numbers go on where they were, and old events are still told.
	stored := func() (n int) {
		for _, e := range bob.log.all() {
			if e.Seq != 0 {
				n++
			}
		}
		return n
	}
	before := stored()
	bob.restart()
	eventually(t, "old events", func() bool { return stored() >= before })
	for i, e := range bob.log.all() {
		if i > 0 && e.Seq != 0 && e.Seq <= bob.log.all()[i-1].Seq {
			t.Fatalf("event %d after %d", e.Seq, bob.log.all()[i-1].Seq)
		}
	}
}

// A mailbox that is away or forgets does not matter while another is there.
func TestMailboxesFail(t *testing.T) {
	t.Run("one is away", func(t *testing.T) {
		net := nettest.New(2)
		ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
		befriend(t, ada, bob)
		net.SetDown(net.Mailboxes()[0], true)
		m := ada.send(bob, "hello")
		ada.waitState(m.ID, api.StateDelivered)
	})
	t.Run("one is away from the beginning", func(t *testing.T) {
		net := nettest.New(2)
		net.SetDown(net.Mailboxes()[0], true)
		ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
		befriend(t, ada, bob)
		ada.waitState(ada.send(bob, "hello").ID, api.StateDelivered)
	})
	t.Run("both are away for a while", func(t *testing.T) {
		net := nettest.New(2)
		ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
		befriend(t, ada, bob)
		for _, id := range net.Mailboxes() {
			net.SetDown(id, true)
		}
		m := ada.send(bob, "hello")
		ada.waitState(m.ID, api.StateSealed)
		for _, id := range net.Mailboxes() {
			net.SetDown(id, false)
		}
		ada.waitState(m.ID, api.StateDelivered)
	})
	t.Run("one forgets what it was given", func(t *testing.T) {
		net := nettest.New(2)
		ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
		befriend(t, ada, bob)
		bob.shutdown()
		m := ada.send(bob, "hello")
		ada.waitState(m.ID, api.StateSent)
		eventually(t, "two copies", func() bool { return net.Boxes() >= 2 })
		net.Wipe(net.Mailboxes()[1])
		bob.start()
		ada.waitState(m.ID, api.StateDelivered)
	})
}

// While the network is away messages wait, say why, and go out when it is back.
func TestOffline(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	befriend(t, ada, bob)
	unsent := func() int {
		contacts, err := ada.Contacts(t.Context())
		if err != nil || len(contacts) != 1 {
			t.Fatalf("contacts %+v, %v", contacts, err)
		}
		return contacts[0].Unsent
	}
	eventually(t, "nothing unsent", func() bool { return unsent() == 0 })
	ada.link.SetOffline(true)
	m := ada.send(bob, "hello")
	eventually(t, "a reason", func() bool {
		got, err := ada.Message(t.Context(), m.ID)
		return err == nil && got.State == api.StateSealed && got.Reason != ""
	})
	if s, _ := ada.Status(t.Context()); s.Ready || s.Outbox.Sealed != 1 {
		t.Errorf("status %+v", s)
	}
	before := unsent()
	ada.edit(m.ID, "good day") // no message, but it has to leave as well
	if after := unsent(); before < 1 || after <= before {
		t.Errorf("%d unsent with a message, %d with its change", before, after)
	}
	ada.restart()
	ada.waitState(m.ID, api.StateDelivered)
	eventually(t, "nothing unsent", func() bool { return unsent() == 0 })
}

// An invite that cannot be looked up changes nothing.
func TestAddContactFails(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	good, err := ada.Invite(t.Context(), api.InviteRequest{})
	if err != nil {
		t.Fatal(err)
	}
	add := func(u *user, link string) error {
		_, err := u.AddContact(t.Context(), api.AddContactRequest{Link: link})
		return err
	}
	check := func(name string, err error, want api.Code) {
		t.Helper()
		if api.CodeOf(err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		if all, _ := bob.Contacts(t.Context()); len(all) != 0 {
			t.Errorf("%s: left a contact", name)
		}
	}
	bob.link.SetOffline(true)
	check("offline", add(bob, good.Link), api.CodeOffline)
	bob.link.SetOffline(false)
	bob.link.SetFewRelays(true)
	check("few relays", add(bob, good.Link), api.CodeFewRelays)
	bob.link.SetFewRelays(false)

	check("cut", add(bob, good.Link[:len(good.Link)-8]), api.CodeBadInvite)
	swapped := []byte(good.Link)
	swapped[20] = 'a' + (swapped[20]-'a'+1)%26
	check("mistyped", add(bob, string(swapped)), api.CodeBadInvite)
	check("foreign", add(bob, "simplex:/invitation#x"), api.CodeBadInvite)
	check("own", add(ada, good.Link), api.CodeOwnInvite)

	for _, id := range net.Mailboxes() {
		net.Wipe(id)
	}
	check("mailboxes lost it", add(bob, good.Link), api.CodeInviteGone)

	// A restart stores it again.
	ada.restart()
	eventually(t, "the bundle", func() bool { return net.Boxes() >= 3 })
	eventually(t, "a contact", func() bool { return add(bob, good.Link) == nil })
	if err := add(bob, good.Link); api.CodeOf(err) != api.CodeContactExists {
		t.Errorf("added twice: %v", err)
	}
	waitFriends(t, ada, bob)

	eve := newUser(t, net, "Eve")
	if err := add(eve, good.Link); api.CodeOf(err) != api.CodeInviteGone {
		t.Errorf("used invite: %v", err)
	}
}

func TestInviteFails(t *testing.T) {
	net := nettest.New(5)
	ada := newUser(t, net, "Ada")
	ada.link.SetOffline(true)
	if _, err := ada.Invite(t.Context(), api.InviteRequest{}); api.CodeOf(err) != api.CodeOffline {
		t.Errorf("offline: %v", err)
	}
	ada.link.SetOffline(false)
	ada.link.SetFewRelays(true)
	if _, err := ada.Invite(t.Context(), api.InviteRequest{}); api.CodeOf(err) != api.CodeFewRelays {
		t.Errorf("few relays: %v", err)
	}
	ada.link.SetFewRelays(false)
	for _, id := range net.Mailboxes() {
		net.SetDown(id, true)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := ada.Invite(ctx, api.InviteRequest{}); err == nil {
		t.Error("invited without a mailbox")
	}
	if all, err := ada.Invites(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("left %v, %v", all, err)
	}
}

// TestInviteThoughNothingCameBack: a status that says that nothing comes back is lifted by
// an answer alone. An invite is made, and stored again, all the same: for somebody without
// contacts nothing else would ever be asked for.
func TestInviteThoughNothingCameBack(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		lost := func(cfg p2p.ClientConfig) (Network, error) {
			ada.link = net.Client(cfg)
			ada.link.SetLost()
			return ada.link, nil
		}
		ada.link.SetLost()
		invite, err := ada.Invite(t.Context(), api.InviteRequest{})
		if err != nil {
			t.Fatal(err)
		}

		time.Sleep(time.Minute)
		ada.shutdown()
		for _, id := range net.Mailboxes() {
			net.Wipe(id)
		}
		ada.network = lost
		ada.start()
		time.Sleep(time.Minute)
		eve := newMarkedUser(t, net, "Eve")
		defer eve.shutdown()
		if _, err := eve.AddContact(t.Context(), api.AddContactRequest{Link: invite.Link}); err != nil {
			t.Error(err)
		}
	})
}

func TestRevokeInvite(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	invite, err := ada.Invite(t.Context(), api.InviteRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if n := net.Unasked(); n != 0 {
		t.Errorf("%d boxes of the bundle that nobody has asked for", n)
	}
	if err := ada.RevokeInvite(t.Context(), invite.ID); err != nil {
		t.Fatal(err)
	}
	if all, _ := ada.Invites(t.Context()); len(all) != 0 {
		t.Errorf("invites %v", all)
	}
	if err := ada.RevokeInvite(t.Context(), invite.ID); api.CodeOf(err) != api.CodeNoInvite {
		t.Errorf("revoked twice: %v", err)
	}
	_, err = bob.AddContact(t.Context(), api.AddContactRequest{Link: invite.Link})
	if api.CodeOf(err) != api.CodeInviteGone {
		t.Errorf("joined: %v", err)
	}
	eventually(t, "the event", func() bool { return slices.Equal(ada.log.invites(), []string{"revoked"}) })
}

// TestInviteAtALyingMailbox: one of the two mailboxes of an invite answers first, and with
// noise. The link works all the same; with noise alone it leads nowhere.
func TestInviteAtALyingMailbox(t *testing.T) {
	net := nettest.New(2)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	invite, err := ada.Invite(t.Context(), api.InviteRequest{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "both copies", func() bool { return net.Boxes() == 6 })

	net.Set(nettest.Settings{Delay: 20 * time.Millisecond})
	for _, m := range net.Mailboxes() {
		net.SetLiar(m, true)
	}
	if _, err := bob.AddContact(t.Context(), api.AddContactRequest{Link: invite.Link}); api.CodeOf(err) != api.CodeInviteGone {
		t.Fatalf("noise alone: %v", err)
	}

	net.SetLiar(net.Mailboxes()[1], false)
	if _, err := bob.AddContact(t.Context(), api.AddContactRequest{Link: invite.Link}); err != nil {
		t.Fatalf("noise from one of two: %v", err)
	}
}

// Two people use one link at the same time: the first becomes a contact, the
// second is told of.
func TestInviteUsedTwice(t *testing.T) {
	net := nettest.New(5)
	ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
	invite, err := ada.Invite(t.Context(), api.InviteRequest{Name: "my friend"})
	if err != nil {
		t.Fatal(err)
	}
	ada.shutdown() // so that both find the bundle
	for _, u := range []*user{bob, eve} {
		before, _ := net.Puts()
		if _, err := u.AddContact(t.Context(), api.AddContactRequest{Link: invite.Link, Name: "Ada"}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "two copies of a hello", func() bool { puts, _ := net.Puts(); return puts >= before+6 })
	}
	_, tags := net.Puts()
	ada.start()
	eventually(t, "one contact", func() bool { return fmt.Sprint(ada.names()) == "[my friend]" })
	// One time in eight both use the same place, and the second one's hello
	// never comes.
	if tags == 3+3+3 {
		eventually(t, "a second use", func() bool { return slices.Contains(ada.log.invites(), "reused") })
	}
	eventually(t, "the first use", func() bool { return len(ada.log.invites()) > 0 })
	if got := ada.log.invites(); got[0] != "used" || len(got) > 2 {
		t.Errorf("told %v", got)
	}
	if len(ada.names()) != 1 {
		t.Errorf("contacts %v", ada.names())
	}
}

// A mesh of one's own: long texts in many cells, with loss.
func TestLongText(t *testing.T) {
	net := nettest.New(4)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	befriend(t, ada, bob)
	net.Set(nettest.Settings{Delay: time.Millisecond, LosePut: 0.3, Duplicate: 0.5, Timeout: 5 * time.Millisecond})
	long := strings.Repeat("0123456789abcdef", api.MaxText/16)
	m := ada.send(bob, long)
	after := ada.send(bob, "after")
	ada.waitAll([]string{m.ID, after.ID}, api.StateDelivered)
	eventually(t, "both texts", func() bool { return len(bob.texts(ada)) == 2 })
	if got := bob.texts(ada); got[0] != long || got[1] != "after" {
		t.Errorf("got %d bytes and %q", len(got[0]), got[1])
	}
}

func TestDamagedProfile(t *testing.T) {
	p := config.Profile{Dir: filepath.Join(t.TempDir(), "p")}
	if err := Create(p, passphrase, "Ada", store.CheapKDF); err != nil {
		t.Fatal(err)
	}
	open := func(pass string) error {
		n, err := New(Config{Profile: p, Passphrase: pass, NewNetwork: func(c p2p.ClientConfig) (Network, error) {
			return nettest.New(3).Client(c), nil
		}})
		if err == nil {
			err = n.Close()
		}
		return err
	}
	if err := open("wrong"); api.CodeOf(err) != api.CodeWrongPassphrase {
		t.Errorf("wrong passphrase: %v", err)
	}
	if err := open(passphrase); err != nil {
		t.Errorf("right passphrase: %v", err)
	}
	if err := Create(p, passphrase, "Eve", store.CheapKDF); api.CodeOf(err) != api.CodeProfileExists {
		t.Errorf("made twice: %v", err)
	}
	os.Truncate(p.KeyFile(), 100)
	if err := open(passphrase); api.CodeOf(err) != api.CodeDamaged {
		t.Errorf("damaged: %v", err)
	}
	empty := config.Profile{Dir: t.TempDir()}
	if _, err := New(Config{Profile: empty}); api.CodeOf(err) != api.CodeNoProfile {
		t.Errorf("no profile: %v", err)
	}
	if err := Create(empty, passphrase, "\x1b", store.CheapKDF); api.CodeOf(err) != api.CodeUsage {
		t.Errorf("a name of nothing that can be shown: %v", err)
	}
	if err := Create(empty, passphrase, "A\x1bda", store.CheapKDF); err != nil {
		t.Errorf("odd name: %v", err)
	}
}

func TestSecondNode(t *testing.T) {
	net := nettest.New(3)
	ada := newUser(t, net, "Ada")
	_, err := New(Config{Profile: ada.dir, Passphrase: passphrase})
	if api.CodeOf(err) != api.CodeInUse {
		t.Errorf("got %v", err)
	}
}

func TestClosed(t *testing.T) {
	net := nettest.New(3)
	ada := newUser(t, net, "Ada")
	ended := make(chan error, 1)
	go func() { ended <- ada.Events(context.Background(), -1, func(api.Event) error { return nil }) }()
	ada.shutdown()
	if err := <-ended; api.CodeOf(err) != api.CodeClosed {
		t.Errorf("Events: %v", err)
	}
	if _, err := ada.Send(t.Context(), api.SendRequest{Contact: "x", Text: "x"}); api.CodeOf(err) != api.CodeClosed {
		t.Errorf("Send: %v", err)
	}
	if _, err := ada.Status(t.Context()); api.CodeOf(err) != api.CodeClosed {
		t.Errorf("Status: %v", err)
	}
	if err := ada.Run(t.Context()); api.CodeOf(err) != api.CodeClosed {
		t.Errorf("Run: %v", err)
	}
}
