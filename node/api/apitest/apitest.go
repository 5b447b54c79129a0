// Package apitest holds the duties of every [api.Node], as one suite. It runs on the
// node itself, on the client of the control socket, and on the node in memory of the
// screen's tests. A promise of package api outside the suite may be kept by one of them
// alone.
package apitest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
)

// A Pair is two strangers, Ada and Bob. The tests look at both through their nodes
// alone.
type Pair struct {
	Ada, Bob api.Node
	// Rooms: the nodes have rooms.
	Rooms bool
	// SetOffline cuts Ada's node off its network, or lets it back.
	SetOffline func(offline bool)
	// Passphrase is that of Ada's profile.
	Passphrase string
	// ReadFile returns a file that Ada's node wrote.
	ReadFile func(path string) ([]byte, error)
}

// Run runs the suite, each test with a pair of its own.
func Run(t *testing.T, pair func(t *testing.T) *Pair) {
	for name, test := range suite {
		t.Run(name, func(t *testing.T) { test(t, pair(t)) })
	}
}

// patience is how long a test waits for an event: longer than a node holds a text back
// for a missing one before it.
const patience = 7 * time.Minute

// eventually waits for a condition.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for every := time.Millisecond; !cond(); every = min(2*every, 50*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never came: " + what)
		}
		time.Sleep(every) // polls a real condition
	}
}

// suite is the duties of every node, by name.
var suite = map[string]func(*testing.T, *Pair){
	"status": func(t *testing.T, p *Pair) {
		s, err := p.Ada.Status(t.Context())
		if err != nil || s.Name.String() != "Ada" || s.Role != "client" || s.Profile != "fast" || !s.Ready || s.Started.IsZero() {
			t.Errorf("%+v, %v", s, err)
		}
		if s.Guards == nil || s.Mailboxes == nil || s.Refused == nil {
			t.Error("a list is null")
		}
		p.SetOffline(true)
		if s, _ := p.Ada.Status(t.Context()); s.Ready || s.Reason == "" {
			t.Errorf("offline: %+v", s)
		}
	},
	"contact, message, history": func(t *testing.T, p *Pair) {
		p.befriend(t)
		long := strings.Repeat("<é\n", api.MaxText/4)
		for i, text := range []string{"one", "two & \"three\"", long} {
			m, err := p.Ada.Send(t.Context(), api.SendRequest{Contact: "Bob", Text: text})
			if err != nil || m.State != api.StateQueued || m.Text.String() != text || m.From.String() != "Ada" || !m.Outgoing {
				t.Fatalf("message %d: %+v, %v", i, m, err)
			}
			p.waitState(t, p.Ada, m.ID, api.StateDelivered)
		}

		var got []api.Message
		eventually(t, "three messages", func() bool {
			got, _ = p.Bob.History(t.Context(), api.HistoryRequest{Contact: "Ada"})
			return len(got) == 3
		})
		if got[0].Text.String() != "one" || got[2].Text.String() != long || got[0].From.String() != "Ada" ||
			got[0].State != api.StateReceived || got[0].Outgoing || !slices.IsSortedFunc(got, bySequence) {
			t.Errorf("history %.300v", got)
		}
		page, err := p.Bob.History(t.Context(), api.HistoryRequest{Contact: "Ada", Before: got[2].Sequence, Limit: 1})
		if err != nil || len(page) != 1 || page[0].ID != got[1].ID {
			t.Errorf("page %v, %v", page, err)
		}

		// The list counts unread ones until they are marked.
		contacts, err := p.Bob.Contacts(t.Context())
		if err != nil || len(contacts) != 1 || contacts[0].Unread != 3 || contacts[0].Last == nil || contacts[0].Last.ID != got[2].ID {
			t.Errorf("contacts %.300v, %v", contacts, err)
		}
		if err := p.Bob.MarkRead(t.Context(), contacts[0].ID); err != nil {
			t.Error(err)
		}
		if contacts, _ = p.Bob.Contacts(t.Context()); contacts[0].Unread != 0 {
			t.Errorf("%d unread after MarkRead", contacts[0].Unread)
		}
	},
	"long histories come whole": func(t *testing.T, p *Pair) {
		p.befriend(t)
		for i := range 300 {
			if _, err := p.Ada.Send(t.Context(), api.SendRequest{Contact: "Bob", Text: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := p.Ada.History(t.Context(), api.HistoryRequest{Contact: "Bob", Limit: 1000})
		if err != nil || len(got) != 300 {
			t.Errorf("%d messages, %v", len(got), err)
		}
		if got, _ = p.Ada.History(t.Context(), api.HistoryRequest{Contact: "Bob"}); len(got) != 100 {
			t.Errorf("%d messages by default", len(got))
		}
	},
	"sending twice under one ID sends once": func(t *testing.T, p *Pair) {
		p.befriend(t)
		req := api.SendRequest{Contact: "Bob", Text: "once", ID: strings.Repeat("ab", 16)}
		for range 2 {
			if m, err := p.Ada.Send(t.Context(), req); err != nil || m.ID != req.ID {
				t.Fatalf("%+v, %v", m, err)
			}
		}
		req.Text = "something else"
		if _, err := p.Ada.Send(t.Context(), req); api.CodeOf(err) != api.CodeUsage {
			t.Errorf("other text under the same ID: %v", err)
		}
		p.waitState(t, p.Ada, req.ID, api.StateDelivered)
		if got, _ := p.Bob.History(t.Context(), api.HistoryRequest{Contact: "Ada"}); len(got) != 1 {
			t.Errorf("history %v", got)
		}
	},
	"errors": func(t *testing.T, p *Pair) {
		p.befriend(t)
		ctx := t.Context()
		for name, tt := range map[string]struct {
			do   func() error
			want api.Code
		}{
			"empty text":        {p.sends("Bob", ""), api.CodeEmpty},
			"blank text":        {p.sends("Bob", " \n "), api.CodeEmpty},
			"1 MiB of text":     {p.sends("Bob", strings.Repeat("a", 1<<20)), api.CodeTooLong},
			"one byte too much": {p.sends("Bob", strings.Repeat("a", api.MaxText+1)), api.CodeTooLong},
			"unknown contact":   {p.sends("Nobody", "x"), api.CodeNoContact},
			"bad message ID": {func() error {
				_, err := p.Ada.Send(ctx, api.SendRequest{Contact: "Bob", Text: "x", ID: "xyz"})
				return err
			}, api.CodeUsage},
			"unknown message":         {func() error { _, err := p.Ada.Message(ctx, strings.Repeat("0", 32)); return err }, api.CodeNoMessage},
			"no message ID":           {func() error { _, err := p.Ada.Message(ctx, ""); return err }, api.CodeNoMessage},
			"unknown invite":          {func() error { return p.Ada.RevokeInvite(ctx, "x") }, api.CodeNoInvite},
			"link of something else":  {p.adds("https://example.org/"), api.CodeBadInvite},
			"empty link":              {p.adds(""), api.CodeBadInvite},
			"invite too short-lived":  {func() error { _, err := p.Ada.Invite(ctx, api.InviteRequest{Expires: time.Second}); return err }, api.CodeUsage},
			"invite too long-lived":   {func() error { _, err := p.Ada.Invite(ctx, api.InviteRequest{Expires: 8 * 24 * time.Hour}); return err }, api.CodeUsage},
			"invite for a taken name": {func() error { _, err := p.Bob.Invite(ctx, api.InviteRequest{Name: "Ada"}); return err }, api.CodeContactExists},
			"empty new name":          {func() error { _, err := p.Ada.RenameContact(ctx, "Bob", "\u202e"); return err }, api.CodeUsage},
			"history of nobody":       {func() error { _, err := p.Ada.History(ctx, api.HistoryRequest{Contact: "Nobody"}); return err }, api.CodeNoContact},
			"retry of nothing":        {func() error { _, err := p.Ada.Retry(ctx, "00"); return err }, api.CodeNoMessage},
			"discard of nothing":      {func() error { return p.Ada.Discard(ctx, "00") }, api.CodeNoMessage},
		} {
			err := tt.do()
			var e *api.Error
			if !errors.As(err, &e) || e.Code != tt.want || e.Message == "" {
				t.Errorf("%s: %#v, want %s", name, err, tt.want)
			}
		}
	},
	"rename, verify, block, remove": func(t *testing.T, p *Pair) {
		p.befriend(t)
		ctx := t.Context()
		c, err := p.Ada.RenameContact(ctx, "Bob", "Robert")
		if err != nil || c.Name.String() != "Robert" {
			t.Fatalf("%+v, %v", c, err)
		}
		v, err := p.Ada.Verification(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = p.Ada.SetVerified(ctx, c.ID, "an older number"); api.CodeOf(err) != api.CodeChanged {
			t.Errorf("another number: %v", err)
		}
		if c, err = p.Ada.SetVerified(ctx, c.ID, v.Code); err != nil || !c.Verified {
			t.Errorf("%+v, %v", c, err)
		}
		if v, err := p.Ada.Verification(ctx, "Robert"); err != nil || !v.Verified || v.Contact != c.ID {
			t.Errorf("%+v, %v", v, err)
		}

		// Of a blocked contact nothing comes; it is delivered once they are unblocked.
		if c, err = p.Ada.BlockContact(ctx, "Robert", true); err != nil || !c.Blocked {
			t.Errorf("%+v, %v", c, err)
		}
		m, err := p.Bob.Send(ctx, api.SendRequest{Contact: "Ada", Text: "are you there?"})
		if err != nil {
			t.Fatal(err)
		}
		p.waitState(t, p.Bob, m.ID, api.StateSent)
		if got, _ := p.Ada.History(ctx, api.HistoryRequest{Contact: "Robert"}); len(got) != 0 {
			t.Errorf("received from a blocked contact: %v", got)
		}
		if c, err = p.Ada.BlockContact(ctx, "Robert", false); err != nil || c.Blocked {
			t.Errorf("%+v, %v", c, err)
		}
		p.waitState(t, p.Bob, m.ID, api.StateDelivered)

		// A removed contact takes its messages along.
		if err := p.Ada.RemoveContact(ctx, "Robert"); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Ada.Message(ctx, m.ID); api.CodeOf(err) != api.CodeNoMessage {
			t.Errorf("message of a removed contact: %v", err)
		}
		if all, _ := p.Ada.Contacts(ctx); len(all) != 0 {
			t.Errorf("contacts %v", all)
		}
	},
	"two contacts of one name": func(t *testing.T, p *Pair) {
		p.befriend(t)
		inv, err := p.Bob.Invite(t.Context(), api.InviteRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Ada.AddContact(t.Context(), api.AddContactRequest{Link: inv.Link}); err != nil {
			t.Fatal(err)
		}
		// A contact with the name of another is told apart, or a name that two have is
		// refused.
		eventually(t, "a second Bob", func() bool {
			all, _ := p.Ada.Contacts(t.Context())
			if len(all) != 2 || !strings.HasPrefix(all[0].Name.String(), "Bob") || !strings.HasPrefix(all[1].Name.String(), "Bob") {
				return false
			}
			return all[0].Name != all[1].Name || api.CodeOf(p.sends("Bob", "which?")()) == api.CodeAmbiguous
		})
		all, _ := p.Ada.Contacts(t.Context())
		if _, err := p.Ada.Send(t.Context(), api.SendRequest{Contact: all[0].ID, Text: "you"}); err != nil {
			t.Error(err)
		}
	},
	"events": func(t *testing.T, p *Pair) {
		p.befriend(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		live := make(chan api.Event, 1000)
		started := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			close(started)
			ended <- p.Bob.Events(ctx, 0, func(e api.Event) error { live <- e; return nil })
		}()
		<-started

		const n = 200 // more than one batch, and more than the socket sends unasked
		for i := range n {
			if _, err := p.Ada.Send(ctx, api.SendRequest{Contact: "Bob", Text: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}

		// They come in order, without gaps, with everything that a screen shows.
		var texts []string
		last := int64(0)
		for len(texts) < n {
			e := <-live
			if e.Kind == api.EventStatus {
				continue
			}
			if e.Seq <= last {
				t.Fatalf("event %d after %d", e.Seq, last)
			}
			last = e.Seq
			if e.Kind == api.EventMessage {
				texts = append(texts, e.Text.String())
				if e.From.String() != "Ada" || e.State != api.StateReceived || e.ID == "" || e.Conversation == "" {
					t.Fatalf("event %+v", e)
				}
			}
		}
		for i, text := range texts {
			if text != fmt.Sprint(i) {
				t.Fatalf("text %d is %q", i, text)
			}
		}
		// An error of the callback comes back, and so does the context's.
		stop := errors.New("stop")
		if err := p.Bob.Events(ctx, 0, func(api.Event) error { return stop }); err != stop {
			t.Errorf("callback's error: %v", err)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended context: %v", err)
		}
	},
	"events from now on": func(t *testing.T, p *Pair) {
		p.befriend(t)
		if err := p.sends("Bob", "before")(); err != nil {
			t.Fatal(err)
		}
		got := make(chan api.Event, 100)
		go p.Ada.Events(t.Context(), -1, func(e api.Event) error { got <- e; return nil })
		eventually(t, "an event", func() bool {
			p.sends("Bob", "after")()
			select {
			case e := <-got:
				if e.Kind == api.EventMessage && e.Text.String() == "before" {
					t.Error("an event from before")
				}
				return e.Kind == api.EventMessage
			default:
				return false
			}
		})
	},
	"a slow reader holds up nobody": func(t *testing.T, p *Pair) {
		p.befriend(t)
		block := make(chan struct{})
		go p.Ada.Events(t.Context(), 0, func(api.Event) error { <-block; return nil })
		for i := range 150 {
			if err := p.sends("Bob", fmt.Sprint(i))(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := p.Ada.Status(t.Context()); err != nil {
			t.Error(err)
		}
		close(block)
	},
	"status events": func(t *testing.T, p *Pair) {
		got := make(chan api.Event, 10)
		go p.Ada.Events(t.Context(), -1, func(e api.Event) error { got <- e; return nil })
		eventually(t, "the network's change", func() bool {
			p.SetOffline(true)
			select {
			case e := <-got:
				return e.Kind == api.EventStatus && e.Seq == 0 && !e.Status.Ready
			default:
				return false
			}
		})
	},
	"calls side by side": func(t *testing.T, p *Pair) {
		p.befriend(t)
		errs := make(chan error)
		for i := range 40 {
			go func() { errs <- p.sends("Bob", fmt.Sprint(i))() }()
		}
		for range 40 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	},
	"an ended context": func(t *testing.T, p *Pair) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.Ada.Status(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	},
}

func bySequence(a, b api.Message) int { return int(a.Sequence - b.Sequence) }

func (p *Pair) befriend(t *testing.T) {
	t.Helper()
	inv, err := p.Ada.Invite(t.Context(), api.InviteRequest{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Bob.AddContact(t.Context(), api.AddContactRequest{Link: inv.Link, Name: "Ada"})
	if err != nil || c.State != api.ContactPending || c.Name.String() != "Ada" {
		t.Fatalf("%+v, %v", c, err)
	}
	eventually(t, "contacts ready", func() bool {
		a, _ := p.Ada.Contacts(t.Context())
		b, _ := p.Bob.Contacts(t.Context())
		return len(a) == 1 && a[0].Name.String() == "Bob" && a[0].State == api.ContactReady &&
			len(b) == 1 && b[0].State == api.ContactReady
	})
}

func (p *Pair) waitState(t *testing.T, n api.Node, id string, want api.State) {
	t.Helper()
	eventually(t, "state "+string(want), func() bool {
		m, err := n.Message(t.Context(), id)
		return err == nil && m.State == want
	})
}

func (p *Pair) sends(to, text string) func() error {
	return func() error {
		_, err := p.Ada.Send(context.Background(), api.SendRequest{Contact: to, Text: text})
		return err
	}
}

func (p *Pair) adds(link string) func() error {
	return func() error {
		_, err := p.Ada.AddContact(context.Background(), api.AddContactRequest{Link: link})
		return err
	}
}
