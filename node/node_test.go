package node

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/config"
	"starling/node/inbox"
	"starling/node/nettest"
	"starling/node/store"
	"starling/p2p"
)

// A user is a node in a test, with its events.
type user struct {
	*Node
	t       testing.TB
	name    string
	vfs     string // file system of the store, "" for the real one
	mark    string // folder for the store's markers, "" for none
	dir     config.Profile
	net     *nettest.Net
	link    *nettest.Client
	network func(p2p.ClientConfig) (Network, error) // nil for a client of net
	bridge  RunBridge
	// bootstrap of a node whose network is in memory; nil for one that goes nowhere.
	bootstrap []string
	log       *eventLog
	stop      func() error
}

const passphrase = "open sesame, my old friend"

// newUser makes a profile and starts a node on it.
func newUser(t testing.TB, net *nettest.Net, name string) *user {
	t.Helper()
	return newUserOn(t, net, name, "")
}

func newUserOn(t testing.TB, net *nettest.Net, name, vfs string) *user {
	t.Helper()
	u := &user{t: t, name: name, vfs: vfs, net: net, dir: config.Profile{Dir: filepath.Join(t.TempDir(), name)}}
	if err := Create(u.dir, passphrase, name, store.CheapKDF); err != nil {
		t.Fatal(err)
	}
	u.start()
	return u
}

func (u *user) start() {
	u.t.Helper()
	if err := u.tryStart(); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) tryStart() error {
	network := u.network
	if network == nil {
		network = func(cfg p2p.ClientConfig) (Network, error) {
			u.link = u.net.Client(cfg)
			return u.link, nil
		}
	}
	bootstrap := u.bootstrap
	if bootstrap == nil && u.bridge != nil {
		bootstrap = []string{"/ip4/20.1.2.9/tcp/443/p2p/12D3KooW9pNAk8aiBuHhRhTkXTstARY8ub7u2eXrmxFY9pHbeSfy"}
	}
	n, err := New(Config{
		Profile: u.dir, Passphrase: passphrase, ReceiptDelay: u.receiptDelay(), NoSocket: true,
		Store:      store.Options{VFS: u.vfs, NoSync: u.vfs == "", Markers: u.mark},
		NewNetwork: network, Bridge: u.bridge, Bootstrap: bootstrap,
	})
	if err != nil {
		return err
	}
	u.Node = n
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	<-n.Serving()
	u.log = watchEvents(u.t, n)
	u.stop = func() error {
		err := n.Close()
		if run := <-ended; run != nil {
			u.t.Errorf("Run: %v", run)
		}
		ended <- nil
		return err
	}
	u.t.Cleanup(func() {
		if err := u.stop(); err != nil {
			u.t.Errorf("Close: %v", err)
		}
	})
	return nil
}

// restart ends the node and starts another one on the profile.
func (u *user) restart() {
	u.t.Helper()
	u.shutdown()
	u.start()
}

func (u *user) shutdown() {
	u.t.Helper()
	if err := u.stop(); err != nil {
		u.t.Fatal(err)
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	// A text may wait inbox.DefaultHold for one that is missing before it, and some
	// tries over real relays that are lost take seconds each.
	deadline := time.Now().Add(inbox.DefaultHold + 2*time.Minute)
	for every := time.Millisecond; !cond(); every = min(2*every, 50*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never came: " + what)
		}
		time.Sleep(every) // polls a real condition, in virtual time for minutes
	}
}

// befriend makes two users contacts of each other, by name.
func befriend(t testing.TB, a, b *user) {
	t.Helper()
	invite, err := a.Invite(t.Context(), api.InviteRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.AddContact(t.Context(), api.AddContactRequest{Link: invite.Link}); err != nil {
		t.Fatal(err)
	}
	waitFriends(t, a, b)
}

func waitFriends(t testing.TB, a, b *user) {
	t.Helper()
	eventually(t, "contacts ready on both sides", func() bool { return a.ready(b) && b.ready(a) })
}

func (u *user) ready(other *user) bool {
	all, err := u.Contacts(context.Background())
	if err != nil {
		u.t.Fatal(err)
	}
	for _, c := range all {
		if c.Name.String() == other.name {
			return c.State == api.ContactReady
		}
	}
	return false
}

func (u *user) send(to *user, text string) api.Message {
	u.t.Helper()
	m, err := u.Send(context.Background(), api.SendRequest{Contact: to.name, Text: text})
	if err != nil {
		u.t.Fatal(err)
	}
	return m
}

func (u *user) waitState(id string, want api.State) {
	u.t.Helper()
	eventually(u.t, "state "+string(want), func() bool {
		m, err := u.Message(context.Background(), id)
		if err != nil {
			u.t.Fatal(err)
		}
		return m.State == want
	})
}

// texts returns the incoming texts of a conversation. shown waits for n texts of a
// contact and returns all that are there. A text is delivered once it is on disk, and
// shown behind those before it.
func (u *user) shown(from *user, n int) (out []string) {
	u.t.Helper()
	eventually(u.t, fmt.Sprint(n, " texts"), func() bool { out = u.texts(from); return len(out) >= n })
	return out
}

func (u *user) texts(from *user) (out []string) {
	all, err := u.History(context.Background(), api.HistoryRequest{Contact: from.name, Limit: 1000})
	if err != nil {
		u.t.Fatal(err)
	}
	for _, m := range all {
		if !m.Outgoing {
			out = append(out, m.Text.String())
		}
	}
	return out
}

func TestFirstMessage(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	befriend(t, ada, bob)

	m := ada.send(bob, "hello")
	if m.State != api.StateQueued {
		t.Errorf("sent message is %s", m.State)
	}
	ada.waitState(m.ID, api.StateDelivered)
	if got := bob.shown(ada, 1); fmt.Sprint(got) != "[hello]" {
		t.Errorf("got %q", got)
	}
	back := bob.send(ada, "hi")
	bob.waitState(back.ID, api.StateDelivered)
	if got := ada.shown(bob, 1); fmt.Sprint(got) != "[hi]" {
		t.Errorf("got %q", got)
	}
	ada.log.wantStates(t, m.ID, api.StateSealed, api.StateSent, api.StateDelivered)

	a, err := ada.Verification(t.Context(), "Bob")
	if err != nil {
		t.Fatal(err)
	}
	b, err := bob.Verification(t.Context(), "Ada")
	if err != nil || a.SafetyNumber != b.SafetyNumber || len(a.SafetyNumber) != 71 {
		t.Errorf("safety numbers %q and %q, %v", a.SafetyNumber, b.SafetyNumber, err)
	}
	// Nothing is left lying about, and nothing waits.
	eventually(t, "empty mailboxes", func() bool { return net.Boxes() == 0 })
	for _, u := range []*user{ada, bob} {
		if s, _ := u.Status(t.Context()); s.Outbox != (api.Outbox{}) || s.Contacts != 1 || len(s.Mailboxes) == 0 {
			t.Errorf("status %+v", s)
		}
	}
}

// receiptDelay is short, so that tests are quick; on a virtual network it is what it is.
func (u *user) receiptDelay() time.Duration {
	if u.network != nil {
		return inbox.DefaultReceiptDelay
	}
	return 5 * time.Millisecond
}
