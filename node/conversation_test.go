package node

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/nettest"
	"starling/node/outbox"
	"starling/node/store"
)

func (u *user) message(id string) api.Message {
	u.t.Helper()
	m, err := u.Message(u.t.Context(), id)
	if err != nil {
		u.t.Fatal(err)
	}
	return m
}

// see waits until a message is as wanted.
func (u *user) see(id, what string, want func(api.Message) bool) {
	u.t.Helper()
	eventually(u.t, u.name+" sees "+what, func() bool {
		m, err := u.Message(u.t.Context(), id)
		return err == nil && want(m)
	})
}

func (u *user) edit(id, text string) {
	u.t.Helper()
	if m, err := u.Edit(u.t.Context(), api.EditRequest{Message: id, Text: text}); err != nil || m.Text.String() != text || m.Edited.IsZero() {
		u.t.Fatalf("%+v, %v", m, err)
	}
}

func (u *user) react(id, emoji string) {
	u.t.Helper()
	if _, err := u.React(u.t.Context(), api.ReactRequest{Message: id, Emoji: emoji}); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) takeBack(ids ...string) {
	u.t.Helper()
	if err := u.Delete(u.t.Context(), api.DeleteRequest{Messages: ids, Both: true}); err != nil {
		u.t.Fatal(err)
	}
}

func textIs(text string) func(api.Message) bool {
	return func(m api.Message) bool { return m.Text.String() == text }
}

func isDeleted(m api.Message) bool { return m.Deleted && m.Text.IsZero() && m.Reactions == nil }

// reactionsAre takes "theirs" and "ours", as seen by the reader.
func reactionsAre(theirs, ours string) func(api.Message) bool {
	return func(m api.Message) bool {
		got := map[bool]string{}
		for _, r := range m.Reactions {
			got[r.Outgoing] = r.Emoji.String()
		}
		return got[false] == theirs && got[true] == ours
	}
}

// Everything that can be done to a message, both ways, over a network that
// loses, doubles and reorders, with restarts in between.
func TestConversation(t *testing.T) {
	net := nettest.New(6)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	befriend(t, ada, bob)
	net.Set(nettest.Settings{Delay: 2 * time.Millisecond, LosePut: 0.1, LoseAnswer: 0.1, LosePush: 0.1, Duplicate: 0.3,
		Timeout: 10 * time.Millisecond, Again: 20 * time.Millisecond})
	edited, deleted, kept := ada.send(bob, "frist"), ada.send(bob, "a secret"), ada.send(bob, "kept")
	ada.edit(edited.ID, "second")
	ada.restart()
	ada.edit(edited.ID, "third")
	ada.react(kept.ID, "👀")
	ada.takeBack(deleted.ID)
	bob.waitMessage(kept.ID)
	bob.react(kept.ID, "👍")
	bob.react(edited.ID, "👎")
	bob.react(edited.ID, "❤️")
	bob.restart()
	bob.react(kept.ID, "")
	for _, u := range []*user{ada, bob} {
		u.see(edited.ID, "the last edit", textIs("third"))
		u.see(deleted.ID, "the delete", isDeleted)
	}
	bob.see(kept.ID, "reactions", reactionsAre("👀", ""))
	ada.see(kept.ID, "reactions", reactionsAre("", "👀"))
	ada.see(edited.ID, "the last reaction", reactionsAre("❤️", ""))
	reply, err := bob.Send(t.Context(), api.SendRequest{Contact: "Ada", Text: "an answer", ReplyTo: edited.ID})
	if err != nil || reply.Reply == nil || reply.Reply.Text.String() != "third" || reply.Reply.Outgoing || reply.Reply.From.String() != "Ada" {
		t.Fatalf("%+v, %v", reply, err)
	}
	ada.see(reply.ID, "what is answered", func(m api.Message) bool {
		return m.Reply != nil && m.Reply.ID == edited.ID && m.Reply.Text.String() == "third" && m.Reply.Outgoing
	})
	// Its changes come with the events, as it is now.
	for _, u := range []*user{ada, bob} {
		eventually(t, "events", func() bool { return len(u.log.of(edited.ID)) > 2 })
		u.restart()
		eventually(t, "old events", func() bool { return len(u.log.of(edited.ID)) > 2 })
		for _, e := range u.log.of(edited.ID) {
			if e.Text.String() != "third" || e.Message.Text.String() != "third" {
				t.Errorf("%s is told of %q at event %d", u.name, e.Text, e.Seq)
			}
		}
		for _, e := range u.log.of(deleted.ID) {
			if !e.Message.Deleted || !e.Text.IsZero() {
				t.Errorf("%s is told of %+v", u.name, e)
			}
		}
	}
	if bob.contact(ada).Unread != 2 {
		t.Errorf("%d unread", bob.contact(ada).Unread)
	}
	ada.waitIdle()
	bob.waitIdle()
}

// of returns the events that tell a message with all of it.
func (l *eventLog) of(id string) (out []api.Event) {
	for _, e := range l.all() {
		if e.ID == id && e.Message != nil {
			out = append(out, e)
		}
	}
	return out
}

func (u *user) waitMessage(id string) {
	u.t.Helper()
	u.see(id, "the message", func(api.Message) bool { return true })
}

// waitIdle waits until nothing is on its way.
func (u *user) waitIdle() {
	u.t.Helper()
	eventually(u.t, "nothing on its way", func() bool {
		idle := false
		u.store.View(u.t.Context(), func(tx *store.Tx) error {
			items, err := tx.Items()
			idle = len(items) == 0
			return err
		})
		return idle
	})
}

// say queues a content as a program that keeps no rules would.
func (u *user) say(to *user, c *chat.Content) {
	u.t.Helper()
	var q outbox.Queued
	err := u.store.Update(u.t.Context(), func(tx *store.Tx) error {
		contact, err := find(tx, to.name)
		if err == nil {
			q, err = outbox.Queue(tx, contact.ID, store.NewID(), c, time.Now())
		}
		return err
	})
	if err != nil {
		u.t.Fatal(err)
	}
	u.outbox.Add(q)
}

// A contact can change nothing but messages of their own, in their own
// conversation.
func TestHostileChanges(t *testing.T) {
	net := nettest.New(5)
	ada, bob, eve := newUser(t, net, "Ada"), newUser(t, net, "Bob"), newUser(t, net, "Eve")
	befriend(t, ada, bob)
	befriend(t, ada, eve)
	mine, theirs := ada.send(bob, "mine"), bob.send(ada, "Bob's")
	ada.waitMessage(theirs.ID)
	bob.waitMessage(mine.ID)
	toEve := ada.send(eve, "for Eve")
	eve.waitMessage(toEve.ID)
	id := func(s string) chat.ID {
		id, _ := store.ParseID(s)
		return chat.ID(id)
	}
	for _, ref := range []string{mine.ID, theirs.ID, toEve.ID} {
		eve.say(ada, &chat.Content{Kind: chat.Edit, Ref: id(ref), Text: "changed"})
		eve.say(ada, &chat.Content{Kind: chat.Delete, IDs: []chat.ID{id(ref)}})
		if ref != toEve.ID {
			eve.say(ada, &chat.Content{Kind: chat.Reaction, Ref: id(ref), Emoji: "👎"})
		}
	}
	eve.say(ada, &chat.Content{Kind: chat.Read, IDs: []chat.ID{id(mine.ID)}})
	eve.say(ada, &chat.Content{Kind: chat.Reaction, Ref: id(toEve.ID), Emoji: "\x1b]0;title\a"})
	eve.say(ada, &chat.Content{Kind: chat.Text, Text: "quotes", Ref: id(theirs.ID)})
	end := eve.send(ada, "end")
	ada.waitMessage(end.ID)
	for i, want := range map[string]string{mine.ID: "mine", theirs.ID: "Bob's", toEve.ID: "for Eve"} {
		if m := ada.message(i); m.Text.String() != want || m.Deleted || m.Reactions != nil || !m.Edited.IsZero() || !m.Read.IsZero() {
			t.Errorf("%+v", m)
		}
	}
	all, err := ada.History(t.Context(), api.HistoryRequest{Contact: "Eve"})
	if err != nil || len(all) != 3 || all[1].Reply == nil || !all[1].Reply.Text.IsZero() || !all[1].Reply.From.IsZero() {
		t.Errorf("%+v, %v", all, err)
	}
	// Counted once the batch is on disk, which is when the last text is seen.
	eventually(t, "the counts of what was refused", func() bool {
		s, err := ada.Status(t.Context())
		return err == nil && s.Refused["change of another's message"] == 2 && s.Refused["reaction"] == 1
	})
}

// Contents of all kinds that were not delivered when a session was given up
// come with the next one, once.
func TestChangesSurviveReset(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newMarkedUser(t, net, "Ada"), newMarkedUser(t, net, "Bob")
	befriend(t, ada, bob)
	talk(t, ada, bob, "first")
	edited, deleted := ada.send(bob, "frist"), ada.send(bob, "a secret")
	ada.waitAll([]string{edited.ID, deleted.ID}, api.StateDelivered)
	ada.waitIdle()
	ada.shutdown()
	old := ada.copyProfile()
	ada.start()
	talk(t, ada, bob, "later")
	ada.shutdown()
	ada.putBack(old)
	bob.shutdown()
	ada.start() // it has no session, and Bob is away
	ada.edit(edited.ID, "first")
	ada.edit(edited.ID, "first, and last")
	ada.takeBack(deleted.ID)
	sent, err := ada.Send(t.Context(), api.SendRequest{Contact: "Bob", Picture: drawn(t, 60), ReplyTo: edited.ID})
	if err != nil || sent.Text.String() != "" {
		t.Fatal(err)
	}
	never := ada.send(bob, "never said")
	ada.takeBack(never.ID)
	ada.react(edited.ID, "👍")
	ada.restart()
	bob.start()
	bob.see(edited.ID, "the edit", textIs("first, and last"))
	bob.see(edited.ID, "the reaction", reactionsAre("👍", ""))
	bob.see(deleted.ID, "the delete", isDeleted)
	bob.see(sent.ID, "the picture", func(m api.Message) bool {
		return m.Picture != nil && m.Picture.Type == "image/png" && bytes.Equal(m.Picture.Data, sent.Picture.Data) && m.Reply.ID == edited.ID
	})
	ada.waitIdle()
	if _, err := bob.Message(t.Context(), never.ID); api.CodeOf(err) != api.CodeNoMessage {
		t.Errorf("taken back before it was said: %v", err)
	}
	ada.edit(edited.ID, "in the next session")
	bob.see(edited.ID, "an edit of the next session", textIs("in the next session"))
}

// drawn is a picture of side by side pixels of noise, a PNG of some 4 bytes for each.
func drawn(t *testing.T, side int) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	rand.NewChaCha8([32]byte{}).Read(img.Pix)
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Pictures and long captions go, forwarded too, and come whole.
func TestPictures(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	befriend(t, ada, bob)
	given := drawn(t, 109) // as large as one can be
	caption := strings.Repeat("c", api.MaxCaption)
	m, err := ada.Send(t.Context(), api.SendRequest{Contact: "Bob", Text: caption, Picture: append(given, "taken by Ada"...)})
	if err != nil || m.Picture.Type != "image/png" || m.Picture.Size < api.MaxPicture*3/4 {
		t.Fatalf("%.200v, %v", m, err)
	}
	data := m.Picture.Data
	if bytes.Contains(data, []byte("Ada")) {
		t.Error("the picture tells who took it")
	}
	for name, broken := range map[string][]byte{"cut": given[:len(given)/2], "no pixels": given[:8], "none": []byte("<html>")} {
		if _, err := ada.Send(t.Context(), api.SendRequest{Contact: "Bob", Picture: broken}); api.CodeOf(err) != api.CodeUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	bob.see(m.ID, "the picture", func(m api.Message) bool {
		return m.Picture != nil && bytes.Equal(m.Picture.Data, data) && m.Text.String() == caption
	})
	if last := bob.contact(ada).Last; last.Picture == nil || last.Picture.Data != nil || last.Picture.Size != len(data) {
		t.Errorf("last message %.200v", last)
	}
	back, err := bob.Send(t.Context(), api.SendRequest{Contact: "Ada", Forward: m.ID})
	if err != nil || !back.Forwarded || back.Text.String() != caption {
		t.Fatalf("%.200v, %v", back, err)
	}
	ada.see(back.ID, "it forwarded", func(m api.Message) bool { return m.Forwarded && bytes.Equal(m.Picture.Data, data) })
	ada.edit(m.ID, "another caption")
	bob.see(m.ID, "the caption", func(m api.Message) bool { return m.Text.String() == "another caption" && m.Picture != nil })
	ada.takeBack(m.ID)
	bob.see(m.ID, "the delete", func(m api.Message) bool { return isDeleted(m) && m.Picture == nil })
}

// A file comes whole over a bad network, is found by its name, and is gone when it is
// taken back. Its lies about itself end at the door.
func TestFiles(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	befriend(t, ada, bob)
	net.Set(nettest.Settings{Delay: 2 * time.Millisecond, LosePut: 0.1, LoseAnswer: 0.1, Duplicate: 0.3, Timeout: 10 * time.Millisecond, Again: 20 * time.Millisecond})
	data := make([]byte, api.MaxFile)
	rand.NewChaCha8([32]byte{}).Read(data)
	m, err := ada.Send(t.Context(), api.SendRequest{Contact: "Bob", Text: "as you asked", File: &api.SendFile{Name: "/tmp/Quarterly Report.pdf", Data: data}})
	if err != nil || m.File == nil || m.File.Name.String() != "Quarterly Report.pdf" || m.File.Size != len(data) || m.File.Data != nil {
		t.Fatalf("%.200v, %v", m, err)
	}
	bob.restart()
	bob.see(m.ID, "the file", func(m api.Message) bool { return m.File != nil && bytes.Equal(m.File.Data, data) })
	if last := bob.contact(ada).Last; last.File == nil || last.File.Data != nil || last.File.Size != len(data) {
		t.Errorf("last message %.200v", last)
	}
	search := func(words string) int {
		found, err := bob.Search(t.Context(), api.SearchRequest{Words: words, Kind: api.KindFile})
		if err != nil || len(found) > 0 && (found[0].File == nil || found[0].File.Data != nil) {
			t.Errorf("%.200v, %v", found, err)
		}
		return len(found)
	}
	if search("quarterly") != 1 || search("asked") != 1 || search("nowhere") != 0 {
		t.Error("not found by its name or its text")
	}
	for _, e := range bob.log.of(m.ID) {
		if e.Message.File == nil || e.Message.File.Data != nil {
			t.Errorf("told of %.200v", e.Message)
		}
	}
	ada.edit(m.ID, "nobody asked")
	bob.see(m.ID, "the caption", func(m api.Message) bool { return m.Text.String() == "nobody asked" && m.File != nil })
	ada.takeBack(m.ID)
	bob.see(m.ID, "the delete", func(m api.Message) bool { return isDeleted(m) && m.File == nil })
	if search("quarterly") != 0 {
		t.Error("found after it was taken back")
	}

	// A program that keeps no rules.
	for name, want := range map[string]string{"../../x": "x", "CON": "_CON", "photo\u202egnp.exe": "photognp.exe", "a\x00b": "ab", strings.Repeat("é", 99) + ".x": ""} {
		ada.say(bob, &chat.Content{Kind: chat.File, FileName: name, File: []byte("\x89PNG\r\n\x1a\n no picture"), Text: name})
		eventually(t, "the file "+want, func() bool {
			last := bob.contact(ada).Last
			return last.File != nil && last.Picture == nil && (last.File.Name.String() == want || want == "" && strings.HasSuffix(last.File.Name.String(), ".x"))
		})
	}
}

// TestTenThousandFiles: what a contact fills a conversation with costs the reader of it
// no more than its names.
func TestTenThousandFiles(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	befriend(t, ada, bob)
	from, files := ada.contact(bob), 10_000
	if testing.Short() {
		files = 1_500
	}
	err := ada.store.Update(t.Context(), func(tx *store.Tx) error {
		id, err := store.ParseID(from.ID)
		for i := 0; i < files && err == nil; i++ {
			content := store.NewID().Content()
			_, err = tx.AddMessage(store.Message{Content: content, Contact: id, State: api.StateReceived, File: fmt.Sprintf("%d.bin", i), Size: 2048, Data: make([]byte, 2048)}, time.Now())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := ada.History(t.Context(), api.HistoryRequest{Contact: "Bob", Limit: 1000})
	if err != nil || len(all) != 1000 {
		t.Fatalf("%d, %v", len(all), err)
	}
	for _, m := range all {
		if m.File == nil || m.File.Data != nil {
			t.Fatalf("%.200v", m)
		}
	}
	if whole := ada.message(all[999].ID); len(whole.File.Data) != 2048 {
		t.Errorf("%.200v", whole)
	}
}

// Typing and reading are told only by users that want it.
func TestTypingAndReading(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		m := ada.send(bob, "hello")
		time.Sleep(time.Minute)
		yes := true
		read := func() time.Time {
			if err := bob.MarkRead(t.Context(), "Ada"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			return ada.message(m.ID).Read
		}
		typing := func() (n int) {
			before := ada.log.count(api.EventTyping)
			for range 100 {
				if err := bob.Typing(t.Context(), "Ada"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(100 * time.Millisecond)
			}
			return ada.log.count(api.EventTyping) - before
		}
		if !read().IsZero() || typing() != 0 {
			t.Error("told without being asked")
		}
		if _, err := bob.ChangeSettings(t.Context(), api.SettingsChange{Typing: &yes, ReadReceipts: &yes}); err != nil {
			t.Fatal(err)
		}
		m = ada.send(bob, "how are you?")
		time.Sleep(time.Minute)
		asked := time.Now().Truncate(time.Second)
		if at := read(); at.Before(asked) || at.After(asked.Add(time.Second)) {
			t.Errorf("read at %v, said at %v", at, asked)
		}
		puts, _ := net.Puts()
		if n := typing(); n != 2 {
			t.Errorf("told %d times in ten seconds", n)
		}
		if after, _ := net.Puts(); after-puts != 2 {
			t.Errorf("%d boxes for two typings", after-puts)
		}
		// Old typings are of no interest, and hold up nothing.
		ada.shutdown()
		bob.Typing(t.Context(), "Ada")
		late := bob.send(ada, "are you there?")
		time.Sleep(time.Hour)
		ada.start()
		time.Sleep(time.Second)
		if n := ada.log.count(api.EventTyping); n != 0 {
			t.Errorf("told of %d typings of an hour ago", n)
		}
		ada.message(late.ID)
	})
}

func (l *eventLog) count(kind api.EventKind) (n int) {
	for _, e := range l.all() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// Both must offer the same before messages disappear; then they do, on both
// sides, restarts or not, and nothing of them is left on disk.
func TestDisappearing(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		offer := func(u, to *user, seconds int) api.Contact {
			t.Helper()
			c, err := u.ChangeConversation(t.Context(), api.ConversationRequest{Contact: to.name, Timer: &seconds})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			return c
		}
		if c := offer(ada, bob, 3600); c.Timer != 0 || c.TimerMine != 3600 {
			t.Errorf("%+v", c)
		}
		if c := bob.contact(ada); c.Timer != 0 || c.TimerTheirs != 3600 {
			t.Errorf("%+v", c)
		}
		stays := ada.send(bob, "stays")
		if c := offer(bob, ada, 3600); c.Timer != 3600 {
			t.Errorf("%+v", c)
		}
		if c := ada.contact(bob); c.Timer != 3600 || c.TimerTheirs != 3600 {
			t.Errorf("%+v", c)
		}
		if got := ada.notices(bob); fmt.Sprint(got) != "[You offered that new messages disappear 1 hour after they were read."+
			" From now on new messages disappear 1 hour after they were read, as you both want.]" {
			t.Errorf("told %q", got)
		}
		if got := bob.notices(ada); len(got) != 2 || got[0] != "Your contact offers that new messages disappear 1 hour after they were read." {
			t.Errorf("told %q", got)
		}
		goes := ada.send(bob, "goes")
		ada.react(goes.ID, "👋")
		time.Sleep(time.Minute)
		if m := ada.message(goes.ID); m.Timer != 3600 || m.Expires.IsZero() {
			t.Errorf("%+v", m)
		}
		if m := bob.message(goes.ID); m.Timer != 3600 || !m.Expires.IsZero() {
			t.Errorf("counts down before it was read: %+v", m)
		}
		time.Sleep(30 * time.Minute)
		if err := bob.MarkRead(t.Context(), "Ada"); err != nil {
			t.Fatal(err)
		}
		if m := bob.message(goes.ID); !m.Expires.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("%+v", m)
		}
		bob.restart()
		time.Sleep(31 * time.Minute)
		if _, err := ada.Message(t.Context(), goes.ID); api.CodeOf(err) != api.CodeNoMessage {
			t.Errorf("still there: %v", err)
		}
		bob.message(goes.ID)
		bob.shutdown()
		time.Sleep(time.Hour)
		bob.start()
		time.Sleep(time.Second)
		if _, err := bob.Message(t.Context(), goes.ID); api.CodeOf(err) != api.CodeNoMessage {
			t.Errorf("still there: %v", err)
		}
		removed := func(e api.Event) bool { return e.Kind == api.EventRemoved && e.ID == goes.ID && e.Conversation != "" }
		if !slices.ContainsFunc(ada.log.all(), removed) || !slices.ContainsFunc(bob.log.all(), removed) {
			t.Error("nobody was told")
		}
		ada.message(stays.ID)
		bob.message(stays.ID)
		// One alone cannot end it.
		if c := offer(ada, bob, 0); c.Timer != 3600 {
			t.Errorf("%+v", c)
		}
		offer(bob, ada, 0)
		if c := ada.contact(bob); c.Timer != 0 {
			t.Errorf("%+v", c)
		}
	})
}

// An archived conversation comes back with something new.
func TestArchived(t *testing.T) {
	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	befriend(t, ada, bob)
	yes, until, hidden := true, time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), api.NotifyNone
	c, err := ada.ChangeConversation(t.Context(), api.ConversationRequest{Contact: "Bob", Pinned: &yes, Archived: &yes, MutedUntil: &until, Notify: &hidden})
	if err != nil || !c.Pinned || !c.Archived || !c.MutedUntil.Equal(until) || c.Notify != hidden {
		t.Fatalf("%+v, %v", c, err)
	}
	ada.waitState(ada.send(bob, "from here").ID, api.StateDelivered)
	ada.restart()
	if c := ada.contact(bob); !c.Archived {
		t.Errorf("%+v", c)
	}
	ada.waitMessage(bob.send(ada, "from there").ID)
	if c := ada.contact(bob); c.Archived || !c.Pinned || !c.MutedUntil.Equal(until) {
		t.Errorf("%+v", c)
	}
}

// A message erased or taken back while it waited leaves nothing in the outbox when its
// time is over.
func TestErasedWhileItWaits(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, net *nettest.Net, ada, bob *user) {
		time.Sleep(time.Minute)
		ada.waitIdle()
		bob.shutdown()
		erased, taken := ada.send(bob, "erased"), ada.send(bob, "taken back")
		time.Sleep(time.Minute)
		ada.takeBack(taken.ID)
		if err := ada.Delete(t.Context(), api.DeleteRequest{Messages: []string{erased.ID}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * 24 * time.Hour)
		ada.waitIdle()
		if s, _ := ada.Status(t.Context()); s.Outbox != (api.Outbox{}) {
			t.Errorf("%+v", s.Outbox)
		}
	})
}
