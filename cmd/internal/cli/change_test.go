package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

// talked is a shell with a node that has messages.
func talked(t *testing.T, n int) *shell {
	s := newShell(t)
	for i := 1; i <= n; i++ {
		s.engine.node.messages = append(s.engine.node.messages, api.Message{ID: fmt.Sprintf("%032x", i), Conversation: "b0b", Sequence: int64(i),
			From: safetext.Line("Bob"), Text: safetext.Clean(fmt.Sprintf("message %d", i)), State: api.StateReceived})
	}
	s.engine.serving = true
	return s
}

const first = "00000000000000000000000000000001"

func TestChangesOfMessages(t *testing.T) {
	s := talked(t, 3)
	s.want(exitOK, "edit", first, "another text", "--json")
	if !strings.Contains(s.out.String(), `"text":"another text"`) || !strings.Contains(s.out.String(), `"edited":"2030`) {
		t.Errorf("edit printed %s", &s.out)
	}
	s.stdin = "from standard input\n"
	s.want(exitOK, "edit", first, "--json")
	if !strings.Contains(s.out.String(), `"text":"from standard input"`) {
		t.Errorf("edit printed %s", &s.out)
	}
	s.want(exitMessage, "edit", first, "")
	s.want(exitMessage, "edit", "ffff", "text")

	s.want(exitOK, "react", first, "👍", "--json")
	if !strings.Contains(s.out.String(), `"reactions":[{"outgoing":true,"emoji":"👍"}]`) {
		t.Errorf("react printed %s", &s.out)
	}
}

func TestReactNeedsOneThing(t *testing.T) {
	s := talked(t, 1)
	s.want(exitUsage, "react", first)
	s.want(exitUsage, "react", first, "👍", "--clear")
	s.want(exitMessage, "react", first, strings.Repeat("x", api.MaxEmoji+1))
	s.want(exitOK, "react", first, "👍")
	s.want(exitOK, "react", first, "--clear", "--json")
	if strings.Contains(s.out.String(), "reactions") {
		t.Errorf("--clear left %s", &s.out)
	}
}

func TestDelete(t *testing.T) {
	s := talked(t, 2)
	s.want(exitOK, "delete", first, "--json")
	s.want(exitOK, "delete", first, "00000000000000000000000000000002", "--both")
	got := s.engine.node.deleted
	if len(got) != 2 || got[0].Both || len(got[1].Messages) != 2 || !got[1].Both {
		t.Errorf("deleted %+v", got)
	}
	s.want(exitMessage, "delete", "ffff")
	s.want(exitUsage, "delete")
}

func TestForwardRetryDiscard(t *testing.T) {
	s := talked(t, 1)
	s.engine.node.contacts = append(s.engine.node.contacts, api.Contact{ID: "ca", Name: safetext.Line("Carol")})
	s.want(exitOK, "forward", first, "Bob", "Carol", "--json")
	sent := s.engine.node.sent
	if len(sent) != 2 || sent[0].Forward != first || sent[0].Text != "" || sent[1].Contact != "Carol" {
		t.Errorf("sent %+v", sent)
	}
	if lines := strings.Count(s.out.String(), "\n"); lines != 2 {
		t.Errorf("%d lines: %s", lines, &s.out)
	}
	s.want(exitUsage, "forward", first)
	s.want(exitOK, "retry", first, "--json")
	s.want(exitOK, "discard", first, "--json")
	s.want(exitMessage, "discard", "ffff")
	s.want(exitOK, "read", "Bob")
	s.want(exitContact, "read", "Carl")
}

func TestSendReplyAndPicture(t *testing.T) {
	s := talked(t, 1)
	file := filepath.Join(t.TempDir(), "picture.png")
	put := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	draw := func(w, h int) []byte {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	small := draw(30, 20)
	put(small)
	s.stdin = "not read: a picture needs no caption"
	s.want(exitOK, "send", "Bob", "--picture", file, "--reply-to", first)
	s.want(exitOK, "send", "Bob", "look", "--picture", file)
	s.want(exitOK, "send", "Bob", "", "--picture", file)
	put(draw(4000, 3000))
	s.want(exitOK, "send", "Bob", "--picture", file)
	if !strings.Contains(s.err.String(), "4000×3000") || !strings.Contains(s.err.String(), "made smaller") {
		t.Errorf("said %q", &s.err)
	}
	sent := s.engine.node.sent
	if len(sent) != 4 || sent[0].Text != "" || sent[0].ReplyTo != first || !bytes.Equal(sent[0].Picture, small) || sent[1].Text != "look" || len(sent[3].Picture) == 0 || len(sent[3].Picture) > api.MaxPicture {
		t.Errorf("sent %.200v", sent)
	}
	put(small[:40])
	s.want(exitUsage, "send", "Bob", "--picture", file)
	put([]byte("<html>"))
	s.want(exitUsage, "send", "Bob", "--picture", file)
	put(nil)
	s.want(exitUsage, "send", "Bob", "--picture", file)
	s.want(exitUsage, "send", "Bob", "--picture", file+"x")
}

func TestSendAndSaveFile(t *testing.T) {
	s := talked(t, 1)
	dir := t.TempDir()
	file := filepath.Join(dir, "plan.bin")
	data := append([]byte("\x7fELF\x00"), make([]byte, api.MaxFile-5)...)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s.stdin = "not read: a file needs no caption"
	s.want(exitOK, "send", "Bob", "--file", file)
	s.want(exitOK, "send", "Bob", "as you asked", "--file", file, "--json")
	sent := s.engine.node.sent
	if len(sent) != 2 || sent[0].File == nil || sent[0].File.Name != "plan.bin" || !bytes.Equal(sent[0].File.Data, data) || sent[1].Text != "as you asked" {
		t.Fatalf("sent %.200v", sent)
	}
	s.want(exitUsage, "send", "Bob", "--file", file, "--picture", file)
	s.want(exitUsage, "send", "Bob", "--file", dir)
	s.want(exitUsage, "send", "Bob", "--file", filepath.Join(dir, "nothing"))
	if err := os.WriteFile(file, append(data, 0), 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(exitMessage, "send", "Bob", "--file", file)
	if !strings.Contains(s.err.String(), "48 KiB") {
		t.Errorf("said %q", &s.err)
	}

	node := s.engine.node
	node.messages[0].File = &api.File{Name: safetext.Line("../../plan.txt"), Size: 5, Data: []byte("hello")}
	s.want(exitOK, "history", "Bob")
	if !strings.Contains(s.out.String(), "[file: ../../plan.txt, 5 bytes]") {
		t.Errorf("shown %q", &s.out)
	}
	s.want(exitOK, "save", first, dir, "--json")
	saved := filepath.Join(dir, "plan.txt")
	if !strings.Contains(s.out.String(), `"name":"plan.txt","size":5`) {
		t.Errorf("%q", &s.out)
	}
	s.want(exitOK, "save", first, dir)
	s.want(exitUsage, "save", first, saved)
	s.want(exitOK, "save", first, "-")
	if s.out.String() != "hello" {
		t.Errorf("%q", &s.out)
	}
	s.want(exitUsage, "save", first, filepath.Join(dir, "no", "where"))
	s.want(exitUsage, "save", first, "")
	s.want(exitMessage, "save", "ffff")
	for _, name := range []string{"plan.txt", "plan (2).txt"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != "hello" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	node.messages[0].File = nil
	s.want(exitUsage, "save", first)
}

func TestSearch(t *testing.T) {
	s := talked(t, historyPage+20)
	s.want(exitOK, "search", "message", "--in", "Bob", "--limit", fmt.Sprint(historyPage+10), "--json")
	lines := strings.Split(strings.TrimSpace(s.out.String()), "\n")
	if len(lines) != historyPage+10 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines { // newest first, none twice
		var m api.Message
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Sequence != int64(historyPage+20-i) {
			t.Fatalf("line %d is message %d: %v", i, m.Sequence, err)
		}
	}
	s.want(exitOK, "search", "message", "7")
	if got := s.engine.node.searches; got[len(got)-1].Words != "message 7" || got[0].Contact != "Bob" {
		t.Errorf("searched %+v", got)
	}
	if !strings.Contains(s.out.String(), "[Bob] ") {
		t.Errorf("printed %s", &s.out)
	}
	s.want(exitOK, "search", "nowhere")
	s.want(exitUsage, "search")
	s.want(exitUsage, "search", "x", "--limit", "0")
	s.want(exitMessage, "search", "caf\xe9")
}

func TestHistoryAfter(t *testing.T) {
	s := talked(t, 2*historyPage+7)
	s.want(exitOK, "history", "Bob", "--after", "5", "--limit", "0", "--json")
	if lines := strings.Count(s.out.String(), "\n"); lines != 2*historyPage+2 {
		t.Errorf("%d lines", lines)
	}
	s.want(exitOK, "history", "Bob", "--after", "5", "--limit", "2", "--ids")
	if !strings.HasPrefix(s.out.String(), "00000000000000000000000000000006  ") || strings.Count(s.out.String(), "\n") != 2 {
		t.Errorf("printed %s", &s.out)
	}
	s.want(exitUsage, "history", "Bob", "--after", "5", "--before", "7")
}

func TestConversations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := talked(t, 0)
		now := time.Now()
		for _, tt := range []struct {
			args []string
			want func(api.Contact) bool
		}{
			{[]string{"pin", "Bob"}, func(c api.Contact) bool { return c.Pinned }},
			{[]string{"unpin", "Bob"}, func(c api.Contact) bool { return !c.Pinned }},
			{[]string{"archive", "Bob"}, func(c api.Contact) bool { return c.Archived }},
			{[]string{"unarchive", "Bob"}, func(c api.Contact) bool { return !c.Archived }},
			{[]string{"mute", "Bob"}, func(c api.Contact) bool { return c.MutedUntil.Equal(api.Forever) }},
			{[]string{"mute", "Bob", "--for", "2d"}, func(c api.Contact) bool { return c.MutedUntil.Equal(now.Add(48 * time.Hour)) }},
			{[]string{"unmute", "Bob"}, func(c api.Contact) bool { return c.MutedUntil.IsZero() }},
			{[]string{"timer", "Bob", "1w"}, func(c api.Contact) bool { return c.TimerMine == 604800 }},
			{[]string{"timer", "Bob", "off"}, func(c api.Contact) bool { return c.TimerMine == 0 }},
			{[]string{"notify", "Bob", "name"}, func(c api.Contact) bool { return c.Notify == api.NotifyName }},
			{[]string{"notify", "Bob", "default"}, func(c api.Contact) bool { return c.Notify == "" }},
		} {
			s.want(exitOK, append(append([]string{"contact"}, tt.args...), "--json")...)
			var c api.Contact
			if err := json.Unmarshal(s.out.Bytes(), &c); err != nil || !tt.want(c) {
				t.Errorf("%q: %s %v", tt.args, &s.out, err)
			}
		}
		for _, args := range [][]string{
			{"timer", "Bob", "4s"}, {"timer", "Bob", "29d"}, {"timer", "Bob", "soon"}, {"timer", "Bob"}, {"mute", "Bob", "--for", "-1h"},
			{"mute", "Bob", "--for", "99999d"}, {"notify", "Bob", "loud"}, {"pin"},
		} {
			s.want(exitUsage, append([]string{"contact"}, args...)...)
		}
		s.want(exitContact, "contact", "pin", "Carol")
	})
}

func TestConversationWords(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		c    api.Conversation
		want string
	}{
		{api.Conversation{}, ""},
		{api.Conversation{Pinned: true, Archived: true, MutedUntil: api.Forever, Notify: api.NotifyNone}, "pinned, archived, muted, notifications: none"},
		{api.Conversation{MutedUntil: now.Add(-time.Hour)}, ""},
		{api.Conversation{Timer: 3600, TimerMine: 3600, TimerTheirs: 3600}, "messages disappear after 1h"},
		{api.Conversation{TimerMine: 90}, "you want messages to disappear after 90s"},
		{api.Conversation{TimerTheirs: 86400}, "they want messages to disappear after 1d"},
		{api.Conversation{Timer: 60, TimerMine: 60}, "messages disappear after 1m, they want to keep messages"},
	} {
		if got := strings.Join(conversationWords(tt.c, now), ", "); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.c, got, tt.want)
		}
	}
}

// The look of the app and the own name are settings as others.
func TestNameAndLook(t *testing.T) {
	s := talked(t, 0)
	s.want(exitOK, "settings", "name", "Ada Lovelace", "language", "de", "theme", "light", "unread-title", "on", "--json")
	if got := s.out.String(); !strings.Contains(got, `"name":"Ada Lovelace","language":"de","theme":"light","unread_title":true`) {
		t.Errorf("printed %s", got)
	}
	s.want(exitOK, "settings", "language", "system", "unread-title", "off")
	for _, line := range []string{"name           Ada Lovelace\n", "language       system\n", "theme          light\n", "unread-title   off\n"} {
		if !strings.Contains(s.out.String(), line) {
			t.Errorf("%q is not in %s", line, s.out.String())
		}
	}
	s.want(exitUsage, "settings", "unread-title", "maybe")
}

// TestClear: nothing is erased that nobody was asked about.
func TestClear(t *testing.T) {
	s := talked(t, 0)
	s.want(exitUsage, "clear", "Bob")
	if len(s.engine.node.cleared) != 0 {
		t.Error("erased without an answer")
	}
	s.want(exitOK, "clear", "Bob", "--yes", "--json")
	if got := s.out.String(); got != `{"cleared":"Bob"}`+"\n" || len(s.engine.node.cleared) != 1 {
		t.Errorf("printed %s, %q", got, s.engine.node.cleared)
	}
	s.want(exitContact, "clear", "Nobody", "--yes")
}

// TestExport: the node is told an absolute path, and a format that there is.
func TestExport(t *testing.T) {
	s := talked(t, 0)
	for _, format := range []string{"text", "json", "html"} {
		s.want(exitOK, "export", "Bob", "talk.out", "--format", format, "--json")
	}
	s.want(exitUsage, "export", "Bob", "talk.out", "--format", "pdf")
	s.want(exitUsage, "export", "Bob")
	all := s.engine.node.exports
	if len(all) != 3 || all[2].Format != api.ExportHTML || !filepath.IsAbs(all[0].Path) || filepath.Base(all[0].Path) != "talk.out" {
		t.Errorf("%+v", all)
	}
}

// TestSelf: what is sent to oneself is stored at once, whatever is waited for.
func TestSelf(t *testing.T) {
	s := talked(t, 0)
	for _, state := range []string{"", "queued", "sent", "delivered"} {
		args := []string{"send", "self", "mine", "--json"}
		if state != "" {
			args = append(args, "--wait", state)
		}
		s.want(exitOK, args...)
		if !strings.Contains(s.out.String(), `"state":"stored"`) {
			t.Errorf("--wait %q printed %s", state, s.out.String())
		}
	}
	s.want(exitUsage, "send", "Bob", "x", "--wait", "stored")
	s.want(exitOK, "contact", "list", "--json")
	if strings.Contains(s.out.String(), api.Self) {
		t.Error("oneself is a contact")
	}
	s.want(exitOK, "history", "self")
	if strings.Contains(s.out.String(), "stored") {
		t.Errorf("a note says of its state: %s", s.out.String())
	}
}

// TestBlockedList: those that are blocked stand in a list of their own.
func TestBlockedList(t *testing.T) {
	s := talked(t, 0)
	s.want(exitOK, "contact", "list", "--blocked")
	if s.out.String() != "" || !strings.Contains(s.err.String(), "Nobody is blocked.") {
		t.Errorf("%s%s", s.out.String(), s.err.String())
	}
	s.want(exitOK, "contact", "block", "Bob")
	s.want(exitOK, "contact", "list", "--blocked", "--json")
	if !strings.Contains(s.out.String(), `"blocked":true`) {
		t.Error(s.out.String())
	}
}

func TestSettings(t *testing.T) {
	s := talked(t, 0)
	printed := func(want api.Settings) {
		t.Helper()
		all, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.out.String(); got != string(all)+"\n" {
			t.Errorf("printed %s", got)
		}
	}
	s.want(exitOK, "settings", "typing", "on", "notify", "name", "lock-after", "5m", "--json")
	printed(api.Settings{Typing: true, Notify: api.NotifyName, LockAfter: 300, Name: safetext.Line("Alice"), Theme: "auto"})
	s.want(exitOK, "settings", "lock-after", "off", "read-receipts", "on", "typing", "off")
	s.want(exitOK, "settings", "--json")
	printed(api.Settings{ReadReceipts: true, Notify: api.NotifyName, Name: safetext.Line("Alice"), Theme: "auto"})
	for _, args := range [][]string{{"typing"}, {"typing", "maybe"}, {"notify", "default"}, {"colour", "red"}, {"lock-after", "1ms"}} {
		s.want(exitUsage, append([]string{"settings"}, args...)...)
	}
}

func TestDrafts(t *testing.T) {
	s := talked(t, 0)
	s.want(exitOK, "draft", "--json")
	if s.out.Len() > 0 {
		t.Errorf("printed %s", &s.out)
	}
	s.want(exitOK, "draft", "Bob", "half a thought", "--reply-to", first, "--json")
	if got := s.out.String(); got != `{"contact":"b0b","text":"half a thought","reply_to":"`+first+`"}`+"\n" {
		t.Errorf("printed %s", got)
	}
	s.stdin = "from standard input"
	s.want(exitOK, "draft", "Bob", "-")
	s.want(exitOK, "draft")
	if got := s.out.String(); got != "Bob: from standard input\n" {
		t.Errorf("printed %q", got)
	}
	s.want(exitOK, "draft", "Bob", "--clear")
	s.want(exitOK, "draft", "Bob")
	if s.out.Len() > 0 {
		t.Errorf("printed %s", &s.out)
	}
	s.want(exitContact, "draft", "Carol")
	s.want(exitUsage, "draft", "--clear")
}

func TestBackupRestoreWipe(t *testing.T) {
	s := talked(t, 0)
	s.want(exitPassphrase, "backup", "all.age")
	s.env[envBackup] = fakePassphrase
	s.want(exitOK, "backup", "all.age", "--json")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	// A relative path is the shell's, not the node's.
	if got := s.engine.node.backups; len(got) != 1 || got[0].Path != filepath.Join(here, "all.age") || got[0].Passphrase != fakePassphrase {
		t.Errorf("backups %+v", got)
	}
	// Asked for twice.
	delete(s.env, envBackup)
	s.tty, s.prompts = true, []string{"one", "two"}
	s.want(exitUsage, "backup", "all.age")
	s.prompts = []string{"one", "one"}
	s.want(exitOK, "backup", "all.age")
	s.tty = false

	file := filepath.Join(t.TempDir(), "all.age")
	if err := os.WriteFile(file, []byte("backup"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(exitUsage, "restore", file) // there is a profile
	s.env["STARLING_PROFILE"] = "/new"
	s.want(exitPassphrase, "restore", file)
	s.env[envBackup] = "guess"
	s.want(exitPassphrase, "restore", file)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(fakePassphrase+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(exitOK, "restore", file, "--backup-passphrase-file", secret, "--json")
	if len(s.engine.restored) != 1 || s.engine.restored[0] != "/new" {
		t.Errorf("restored %q", s.engine.restored)
	}

	s.want(exitNoProfile, "wipe", "--yes")
	s.env["STARLING_PROFILE"] = "/alice"
	s.want(exitUsage, "wipe")
	s.tty, s.stdin = true, "no\n"
	s.want(exitUsage, "wipe")
	if s.engine.node.wiped || len(s.engine.wiped) > 0 {
		t.Fatal("wiped without a yes")
	}
	s.stdin = "yes\n"
	s.want(exitOK, "wipe")
	if !s.engine.node.wiped || len(s.engine.wiped) > 0 {
		t.Error("the node that runs was not asked")
	}
	s.engine.serving, s.tty = false, false
	delete(s.env, "STARLING_PASSPHRASE") // needs none
	s.want(exitOK, "wipe", "--yes", "--json")
	if len(s.engine.wiped) != 1 {
		t.Error("not wiped")
	}
}

func TestInvites(t *testing.T) {
	s := talked(t, 0)
	s.want(exitOK, "invite", "list", "--json")
	if !strings.Contains(s.out.String(), `"id":"1d"`) {
		t.Errorf("printed %s", &s.out)
	}
	s.want(exitOK, "invite", "revoke", "1d")
	s.want(exitInvite, "invite", "revoke", "2d")
}

// Details of a message stand below it, where none of its text can be.
func TestMessageWords(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.Local)
	m := api.Message{ID: first, From: safetext.Line("Bob"), Text: safetext.Clean("line\n+ read 2030"), Time: at, State: api.StateReceived,
		Reply: &api.Quote{ID: "2", From: safetext.Line("Bob"), Text: safetext.Line("what?")}, Forwarded: true, Edited: at,
		Picture:   &api.Picture{Type: "image/png", Size: 7},
		Reactions: []api.Reaction{{Outgoing: true, Emoji: safetext.Line("👍")}}, Timer: 3600}
	var b bytes.Buffer
	message(&b, m, nil)
	want := `2030-01-02 03:04  Bob: line
    + read 2030
  + [picture: image/png, 7 bytes]
  + answers Bob: what?
  + forwarded
  + changed 2030-01-02 03:04
  + you: 👍
  + disappears 1h after it was read
`
	if b.String() != want {
		t.Errorf("printed\n%s", &b)
	}
	b.Reset()
	message(&b, api.Message{From: safetext.Line("Bob"), Text: safetext.Clean("x"), Time: at, Gap: api.GapMissing, Late: &api.Quote{ID: "3", Text: safetext.Line("later")}}, nil)
	message(&b, api.Message{From: safetext.Line("Bob"), Text: safetext.Clean("y"), Time: at, Gap: api.GapLost, Late: &api.Quote{ID: "3"}}, nil)
	want = `2030-01-02 03:04  Bob: x
  + something written before this has not arrived yet
  + came late, written before: later
2030-01-02 03:04  Bob: y
  + something written before this never arrived
  + came late, written before a message that is above
`
	if b.String() != want {
		t.Errorf("printed\n%s", &b)
	}
	b.Reset()
	message(&b, api.Message{From: safetext.Line("Bob"), Deleted: true, Time: at}, nil)
	if b.String() != "2030-01-02 03:04  Bob: (taken back)\n" {
		t.Errorf("printed %s", &b)
	}
}

func TestTailChanges(t *testing.T) {
	s := talked(t, 0)
	text := safetext.Line("new text")
	m := api.Message{ID: first, From: safetext.Line("Bob"), Text: text}
	s.engine.node.events = []api.Event{{Kind: api.EventChanged, Seq: 1, ID: first, Message: &m}}
	s.want(exitOK, "tail")
	if !strings.HasPrefix(s.out.String(), "changed: ") || !strings.Contains(s.out.String(), "Bob: new text") {
		t.Errorf("printed %s", &s.out)
	}
	s.want(exitOK, "tail", "--json")
	if !strings.Contains(s.out.String(), `"event":"changed"`) || !strings.Contains(s.out.String(), `"message":{"id":"`+first) {
		t.Errorf("printed %s", &s.out)
	}
}

func TestLook(t *testing.T) {
	dir := t.TempDir()
	s := talked(t, 0)
	s.tty = true
	s.want(exitOK, "--incognito", "--language", "de")
	if got := s.screens.options; !got.incognito || got.language != "de" || got.keys != nil || got.join != nil {
		t.Errorf("options %+v", got)
	}
	s.env["STARLING_LANGUAGE"] = "ru"
	s.want(exitOK, "--plain")
	if got := s.screens.options; got.incognito || got.language != "ru" || !got.plain {
		t.Errorf("options %+v", got)
	}
	s.want(exitUsage, "--language", "xx")

	// The profile's own keys, and others.
	s.env["STARLING_PROFILE"] = dir
	if err := os.WriteFile(filepath.Join(dir, keysFile), []byte("send = \"ctrl+s\"\nnewline = \"enter\"\nsearch.all = []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(exitOK)
	if s.screens.options.keys == nil {
		t.Error("the profile's keys were not read")
	}
	bad := filepath.Join(dir, "bad.toml")
	if err := os.WriteFile(bad, []byte("\nfly = \"ctrl+s\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(exitUsage, "--keys", bad)
	if !strings.Contains(s.err.String(), "2") || !strings.Contains(s.err.String(), "fly") {
		t.Errorf("the error does not name the line: %s", &s.err)
	}
	s.want(exitUsage, "--keys", bad+"x")

	// A node of its own can take relays; one that is told to may look around.
	s.engine.serving = false
	s.env["STARLING_PROFILE"] = "/alice"
	s.want(exitOK)
	if got := s.screens.options; got.join == nil || got.nearby != nil {
		t.Errorf("options %+v", got)
	}
	s.engine.node.closed, s.engine.node.done = false, make(chan struct{})
	s.want(exitOK, "--lan")
	if got := s.screens.options; got.nearby == nil || !s.engine.started[len(s.engine.started)-1].network.allowPrivate {
		t.Errorf("options %+v", got)
	}
}

func TestChangeLeavesBeforeTheNodeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changes := [][]string{{"edit", first, "another"}, {"react", first, "👍"}, {"delete", first, "--both"},
			{"read", "Bob"}, {"send", "Bob", "hello"}, {"contact", "timer", "Bob", "1h"}}
		for _, args := range changes {
			s := talked(t, 1)
			s.engine.serving = false
			bob := &s.engine.node.contacts[0]
			bob.Unsent, s.engine.node.leaves = 2, true
			s.want(exitOK, args...)
			if bob.Unsent != 0 || strings.Contains(s.err.String(), "not sent yet") {
				t.Errorf("%v ended before %d things had left: %s", args, bob.Unsent, &s.err)
			}
		}

		// Items that do not leave are told, and items on their way to others are not.
		s := talked(t, 1)
		s.engine.serving = false
		s.engine.node.contacts[0].Unsent = 1
		s.want(exitOK, "edit", first, "another")
		if !strings.Contains(s.err.String(), "It is not sent yet") {
			t.Errorf("edit said %q", &s.err)
		}
		s = talked(t, 1)
		s.engine.serving = false
		s.engine.node.contacts = append(s.engine.node.contacts, api.Contact{ID: "ca", Name: safetext.Line("Carol"), Unsent: 1})
		s.engine.node.status.Ready = false
		s.want(exitOK, "edit", first, "another")
		if s.err.Len() != 0 {
			t.Errorf("edit said %q", &s.err)
		}
	})
}
