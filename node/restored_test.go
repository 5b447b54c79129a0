package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/config"
	"starling/node/nettest"
	"starling/node/store"
	"starling/p2p/virtualdisk"
)

// newMarkedUser is newUser on a machine that remembers its profiles.
func newMarkedUser(t testing.TB, net *nettest.Net, name string) *user {
	t.Helper()
	u := &user{t: t, name: name, net: net, mark: filepath.Join(t.TempDir(), "markers"),
		dir: config.Profile{Dir: filepath.Join(t.TempDir(), name)}}
	mustCreate(t, u)
	u.start()
	return u
}

// copyProfile copies a profile as it lies on disk.
func (u *user) copyProfile() (dir string) {
	u.t.Helper()
	dir = filepath.Join(u.t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(u.dir.Dir)); err != nil {
		u.t.Fatal(err)
	}
	return dir
}

// putBack replaces the profile, which nobody runs, by a copy.
func (u *user) putBack(dir string) {
	u.t.Helper()
	if err := os.RemoveAll(u.dir.Dir); err != nil {
		u.t.Fatal(err)
	}
	if err := os.CopyFS(u.dir.Dir, os.DirFS(dir)); err != nil {
		u.t.Fatal(err)
	}
}

// said returns the received messages of a conversation, without notices.
func (u *user) said(by *user) (out []string) { return u.lines(by, api.StateReceived) }

func (u *user) notices(with *user) (out []string) { return u.lines(with, api.StateNotice) }

func (u *user) lines(with *user, state api.State) (out []string) {
	all, err := u.History(context.Background(), api.HistoryRequest{Contact: with.name, Limit: 1000})
	if err != nil {
		return nil
	}
	for _, m := range all {
		if m.State == state {
			out = append(out, m.Text.String())
		}
	}
	return out
}

func (u *user) contact(with *user) (c api.Contact) {
	all, _ := u.Contacts(context.Background())
	for _, c = range all {
		if c.Name.String() == with.name {
			return c
		}
	}
	return api.Contact{}
}

// talk sends a text each way and waits for it.
func talk(t testing.TB, a, b *user, text string) {
	t.Helper()
	there, back := a.send(b, text+" there"), b.send(a, text+" back")
	a.waitState(there.ID, api.StateDelivered)
	b.waitState(back.ID, api.StateDelivered)
	eventually(t, "what was said", func() bool {
		return slices.Contains(b.said(a), text+" there") && slices.Contains(a.said(b), text+" back")
	})
}

func verify(t testing.TB, a, b *user) (number, code string) {
	t.Helper()
	for _, who := range [][2]*user{{a, b}, {b, a}} {
		v, err := who[0].Verification(t.Context(), who[1].name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := who[0].SetVerified(t.Context(), who[1].name, v.SafetyNumber); err != nil {
			t.Fatal(err)
		}
		v, err = who[0].Verification(t.Context(), who[1].name)
		if err != nil || !v.Verified || number != "" && v.SafetyNumber != number || code != "" && v.Code != code {
			t.Fatalf("%+v, %v", v, err)
		}
		number, code = v.SafetyNumber, v.Code
	}
	return number, code
}

// wantNewSession checks the views of both people after one profile was put back.
func wantNewSession(t testing.TB, number, code string, users ...*user) {
	t.Helper()
	waitFriends(t, users[0], users[1])
	for i, u := range users {
		other := users[1-i]
		if u.contact(other).Verified {
			t.Errorf("%s still takes %s for verified", u.name, other.name)
		}
		v, err := u.Verification(t.Context(), other.name)
		if err != nil || v.SafetyNumber == number || v.Code == code {
			t.Errorf("%s sees the old safety number, %v", u.name, err)
		}
		if n := u.notices(other); len(n) != 1 || !strings.Contains(n[0], "Compare safety numbers again") {
			t.Errorf("%s sees notices %q", u.name, n)
		}
	}
	verify(t, users[0], users[1])
}

// friends are Ada, the inviter, and Bob; the one of that name is the victim of the
// test.
func friends(t *testing.T, net *nettest.Net, name string, newUser func(testing.TB, *nettest.Net, string) *user) (victim, peer *user) {
	t.Helper()
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	befriend(t, ada, bob)
	talk(t, ada, bob, "first")
	if name == "Bob" {
		return bob, ada
	}
	return ada, bob
}

// A profile is put back from a copy that is older than 40 messages in each
// direction. No key and no tag is used again, undelivered messages are, once, and both
// people see that the session is new.
func TestRestoredProfile(t *testing.T) {
	for _, name := range []string{"Ada", "Bob"} {
		t.Run(name, func(t *testing.T) {
			net := nettest.New(5)
			victim, peer := friends(t, net, name, newMarkedUser)
			number, code := verify(t, victim, peer)

			peer.shutdown()
			pending := victim.send(peer, "on its way when the copy was made")
			victim.waitState(pending.ID, api.StateSent)
			victim.shutdown()
			old := victim.copyProfile()
			victim.start()
			peer.start()
			victim.waitState(pending.ID, api.StateDelivered)
			for i := range 40 {
				talk(t, victim, peer, fmt.Sprint(i))
			}
			if n := len(victim.notices(peer)) + len(peer.notices(victim)); n != 0 {
				t.Fatal("a restart looks like a restored copy")
			}
			victim.shutdown()
			away := peer.send(victim, "while you were away")
			peer.waitState(away.ID, api.StateSent)
			victim.putBack(old)
			peer.shutdown()

			victim.start()
			if c := victim.contact(peer); c.Verified || c.State != api.ContactPending {
				t.Errorf("right after the start: %+v", c)
			}
			if _, err := victim.Verification(t.Context(), peer.name); api.CodeOf(err) != api.CodeUsage {
				t.Errorf("safety number of no session: %v", err)
			}
			after := victim.send(peer, "after the copy was put back")
			if m, err := victim.Message(t.Context(), after.ID); err != nil || m.State != api.StateQueued || m.Reason == "" {
				t.Errorf("without a session: %+v, %v", m, err)
			}
			eventually(t, "an offer in the mailboxes", victim.outboxOffered)
			victim.restart()
			peer.start()
			victim.waitState(pending.ID, api.StateDelivered)
			victim.waitState(after.ID, api.StateDelivered)
			peer.waitState(away.ID, api.StateDelivered)
			talk(t, victim, peer, "in the new session")
			victim.restart()
			peer.restart()
			talk(t, victim, peer, "after a restart")
			wantNewSession(t, number, code, victim, peer)

			want := []string{"on its way when the copy was made"}
			if name == "Ada" {
				want = append([]string{"first there"}, want...)
			} else {
				want = append([]string{"first back"}, want...)
			}
			got := peer.said(victim)
			if !slices.Equal(got[:2], want) || count(got, "on its way when the copy was made") != 1 || count(got, "after the copy was put back") != 1 {
				t.Errorf("%s has %q", peer.name, got)
			}
			if got := victim.said(peer); count(got, "while you were away") != 1 {
				t.Errorf("%s has %q", victim.name, got)
			}
			if n := net.Clashes(); n != 0 {
				t.Errorf("%d boxes under used tags", n)
			}
			eventually(t, "empty outboxes", func() bool { return victim.outboxEmpty() && peer.outboxEmpty() })
		})
	}
}

func count(all []string, s string) (n int) {
	for _, x := range all {
		if x == s {
			n++
		}
	}
	return n
}

func mustCreate(t testing.TB, u *user) {
	t.Helper()
	if err := Create(u.dir, passphrase, u.name, store.CheapKDF); err != nil {
		t.Fatal(err)
	}
}

// items returns the items on their way.
func (u *user) items() (all []store.Item) {
	u.store.View(context.Background(), func(tx *store.Tx) (err error) { all, err = tx.Items(); return err })
	return all
}

// outboxOffered reports whether an offer of a new session lies in a mailbox.
func (u *user) outboxOffered() bool {
	return slices.ContainsFunc(u.items(), func(it store.Item) bool {
		return chat.Kind(it.Kind) == chat.Profile && it.State == api.StateSent
	})
}

func (u *user) outboxEmpty() bool { return len(u.items()) == 0 }

// A copy is put back again and again. Mailboxes remember where its first offers
// lay, the contact which session it was: every time both get a new session, as
// long as mailboxes have a place for one more offer, and once they have forgotten.
func TestRestoredTwice(t *testing.T) {
	for _, name := range []string{"Ada", "Bob"} {
		t.Run(name, func(t *testing.T) {
			net := nettest.New(5)
			victim, peer := friends(t, net, name, newMarkedUser)
			victim.shutdown()
			old := victim.copyProfile()
			victim.start()
			talk(t, victim, peer, "after the copy")
			putBack := func() {
				t.Helper()
				victim.shutdown()
				victim.putBack(old)
				victim.start()
				eventually(t, "an offer in the mailboxes", func() bool {
					return victim.outboxOffered() || victim.contact(peer).State == api.ContactReady
				})
			}
			renewed := func(what string) {
				t.Helper()
				waitFriends(t, victim, peer)
				talk(t, victim, peer, what)
				if n := victim.notices(peer); len(n) != 1 {
					t.Errorf("%s sees notices %q", victim.name, n)
				}
			}
			putBack()
			renewed("the first time")
			peer.shutdown()
			putBack()
			putBack()
			peer.start()
			renewed("twice before it was read")
			if net.Clashes() == 0 {
				t.Error("no offer met the tag of an earlier one: the test sees nothing")
			}
			for _, m := range net.Mailboxes() {
				net.Wipe(m) // 14 days later
			}
			putBack()
			renewed("after mailboxes forgot")
			if n := len(peer.notices(victim)); n < 3 {
				t.Errorf("%s sees %d notices", peer.name, n)
			}
		})
	}
}

// The copy was made when nobody had answered the invite yet.
func TestRestoredWhilePending(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newMarkedUser(t, net, "Ada"), newMarkedUser(t, net, "Bob")
	invite, err := ada.Invite(t.Context(), api.InviteRequest{Name: "Bob"})
	if err != nil {
		t.Fatal(err)
	}
	ada.shutdown()
	if _, err := bob.AddContact(t.Context(), api.AddContactRequest{Link: invite.Link, Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	early := bob.send(ada, "early")
	bob.shutdown()
	old := bob.copyProfile()
	bob.start()
	late := bob.send(ada, "late")
	bob.waitState(late.ID, api.StateSent)
	bob.shutdown()
	bob.putBack(old)
	bob.start()
	ada.start()
	waitFriends(t, ada, bob)
	bob.waitState(early.ID, api.StateDelivered)
	talk(t, ada, bob, "now")
	if got := ada.said(bob); count(got, "early") != 1 || count(got, "now back") != 1 {
		t.Errorf("Ada has %q", got)
	}
	if n := net.Clashes(); n != 0 {
		t.Errorf("%d boxes under used tags", n)
	}
}

// An open invite of a restored profile is withdrawn: its keys may have been
// used.
func TestRestoredInvite(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newMarkedUser(t, net, "Ada"), newUser(t, net, "Bob")
	if _, err := ada.Invite(t.Context(), api.InviteRequest{}); err != nil {
		t.Fatal(err)
	}
	ada.shutdown()
	old := ada.copyProfile()
	ada.start()
	befriend(t, ada, bob)
	ada.shutdown()
	ada.putBack(old)
	ada.start()
	if all, err := ada.Invites(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("invites %v, %v", all, err)
	}
	eventually(t, "an event", func() bool { return slices.Contains(ada.invitesTold(), "revoked") })
}

// A restored copy that no marker gives away, as when a whole machine is put back: its
// cells under tags that nobody has read yet are found out.
func TestRestoredUnmarked(t *testing.T) {
	for _, name := range []string{"Ada", "Bob"} {
		t.Run(name, func(t *testing.T) {
			net := nettest.New(5)
			victim, peer := friends(t, net, name, newUser)
			number, code := verify(t, victim, peer)
			eventually(t, "quiet", func() bool { return victim.outboxEmpty() && peer.outboxEmpty() })
			victim.shutdown()
			old := victim.copyProfile()
			t.Run("taken", func(t *testing.T) {
				victim.start()
				eventually(t, "quiet", func() bool { return victim.outboxEmpty() && peer.outboxEmpty() })
				peer.shutdown()
				m := victim.send(peer, "in one history")
				victim.waitState(m.ID, api.StateSent)
				eventually(t, "both copies", func() bool {
					return slices.ContainsFunc(victim.items(), func(it store.Item) bool {
						return it.ID.String() == m.ID && len(it.Cells[0].Stored) == 2
					})
				})
				victim.shutdown()
				victim.putBack(old)
				victim.start()
				m = victim.send(peer, "in another history")
				eventually(t, "notice", func() bool { return len(victim.notices(peer)) == 1 })
				peer.start()
				victim.waitState(m.ID, api.StateDelivered)
				talk(t, victim, peer, "on")
				wantNewSession(t, number, code, victim, peer)
			})
		})
	}
}

// The peer has read everything and then gets a cell of another history: under
// tags that mailboxes have forgotten, or that they refuse, so that both sides
// find out at once.
func TestRestoredForked(t *testing.T) {
	for _, forgotten := range []bool{true, false} {
		t.Run(fmt.Sprint("tags forgotten: ", forgotten), func(t *testing.T) {
			net := nettest.New(5)
			ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
			befriend(t, ada, bob)
			talk(t, ada, bob, "first")
			eventually(t, "quiet", func() bool { return ada.outboxEmpty() && bob.outboxEmpty() })
			number, code := verify(t, ada, bob)
			ada.shutdown()
			old := ada.copyProfile()
			ada.start()
			seen := ada.send(bob, "in one history")
			ada.waitState(seen.ID, api.StateDelivered)
			ada.shutdown()
			if forgotten {
				for _, m := range net.Mailboxes() {
					net.Wipe(m)
				}
			}
			ada.putBack(old)
			ada.start()
			// Under tags that Bob has seen it comes to nothing; then it is found out.
			first := ada.send(bob, "one").ID
			second := ada.send(bob, "two").ID
			third := ada.send(bob, "three").ID
			for _, id := range []string{first, second, third} {
				ada.waitState(id, api.StateDelivered)
			}
			eventually(t, "the last text", func() bool { return slices.Contains(bob.said(ada), "three") })
			if got := bob.said(ada); count(got, "one") != 1 || count(got, "two") != 1 || count(got, "three") != 1 {
				t.Errorf("Bob has %q", got)
			}
			talk(t, ada, bob, "on")
			wantNewSession(t, number, code, ada, bob)
		})
	}
}

// A mailbox that answers with rubbish, and one mailbox of two that says that
// every tag is taken, make nobody give up a session.
func TestNoResetWithoutEvidence(t *testing.T) {
	net := nettest.New(2)
	ada, bob := newMarkedUser(t, net, "Ada"), newMarkedUser(t, net, "Bob")
	befriend(t, ada, bob)
	talk(t, ada, bob, "first")
	number, _ := verify(t, ada, bob)
	net.SetLiar(net.Mailboxes()[0], true)
	for i := range 5 {
		talk(t, ada, bob, fmt.Sprint(i))
	}
	net.SetLiar(net.Mailboxes()[0], false)
	talk(t, ada, bob, "last")
	for _, u := range []*user{ada, bob} {
		other := map[*user]*user{ada: bob, bob: ada}[u]
		v, err := u.Verification(t.Context(), other.name)
		if err != nil || v.SafetyNumber != number || !v.Verified || len(u.notices(other)) != 0 {
			t.Errorf("%s: %+v, %v, %q", u.name, v, err, u.notices(other))
		}
	}
}

// Either side is killed at any write while a new session is made, and starts
// again. STARLING_CRASH=all tries every write.
func TestKilledWhileResetting(t *testing.T) {
	for _, who := range []string{"restored", "peer"} {
		t.Run(who, func(t *testing.T) {
			stride := 23
			if os.Getenv("STARLING_CRASH") == "all" {
				stride = 1
			}
			for kill := 1; runKilledReset(t, who, kill); kill += stride {
				if t.Failed() {
					t.Fatalf("killed at write %d", kill)
				}
			}
		})
	}
}

func runKilledReset(t *testing.T, who string, kill int) (killed bool) {
	net := nettest.New(4)
	ada, bob := newMarkedUser(t, net, "Ada"), newMarkedUser(t, net, "Bob")
	befriend(t, ada, bob)
	talk(t, ada, bob, "first")
	ada.shutdown()
	old := ada.copyProfile()
	ada.start()
	talk(t, ada, bob, "second")
	ada.shutdown()
	waiting := bob.send(ada, "waiting")
	bob.shutdown()
	ada.putBack(old)

	vfs := fmt.Sprintf("reset-%s-%d", who, kill)
	m := &mortal{user: ada, fs: virtualdisk.Register(vfs)}
	if who == "peer" {
		m.user = bob
	}
	m.user.vfs = vfs
	m.fs.KillAfter(kill)
	for _, u := range []*user{ada, bob} {
		if err := u.tryStart(); err != nil { // killed in New
			if u != m.user {
				t.Fatal(err)
			}
			m.revived = true
			u.vfs = ""
			u.start()
		}
	}
	wait := func(what string, cond func() bool) {
		t.Helper()
		eventually(t, what, func() bool { m.revive(); return cond() })
	}
	state := func(u *user, id string) api.State {
		msg, _ := u.Message(context.Background(), id)
		return msg.State
	}
	wait("new session", func() bool {
		return ada.contact(bob).State == api.ContactReady && bob.contact(ada).State == api.ContactReady
	})
	wait("what waited", func() bool { return state(bob, waiting.ID) == api.StateDelivered })
	const after = "00000000000000000000000000000001"
	wait("sent", func() bool {
		_, err := ada.Send(context.Background(), api.SendRequest{Contact: "Bob", Text: "after", ID: after})
		return err == nil
	})
	wait("delivered", func() bool { return state(ada, after) == api.StateDelivered })
	wait("shown", func() bool { return len(bob.said(ada)) > 0 && len(ada.said(bob)) > 0 })
	if got := ada.said(bob); count(got, "waiting") != 1 {
		t.Errorf("Ada has %q", got)
	}
	if got := bob.said(ada); count(got, "after") != 1 {
		t.Errorf("Bob has %q", got)
	}
	for _, n := range [][]string{ada.notices(bob), bob.notices(ada)} {
		if len(n) != 1 {
			t.Errorf("notices %q", n)
		}
	}
	if n := net.Clashes(); n != 0 {
		t.Errorf("%d boxes under used tags", n)
	}
	m.revive()
	m.fs.KillAfter(1 << 30) // let it end in peace
	return m.revived
}

// invitesTold returns the stored events about invites.
func (u *user) invitesTold() (what []string) {
	_, events, _ := u.events(context.Background(), 0)
	for _, e := range events {
		if e.Kind == api.EventInvite {
			what = append(what, e.Invite.What)
		}
	}
	return what
}
