package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

// codes reads the error codes of node/api from its source.
func codes(t *testing.T) []api.Code {
	file, err := parser.ParseFile(token.NewFileSet(), "../../../node/api/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []api.Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, api.Code(value))
		return true
	})
	if len(found) < 20 {
		t.Fatalf("found only %d codes", len(found))
	}
	return found
}

func TestEveryCodeHasAnOutcomeAndIsDocumented(t *testing.T) {
	manual, err := os.ReadFile("../../../docs/COMMANDS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range append(codes(t), codeGivenUp, codeLost, codeMismatch) {
		o, ok := outcomes[code]
		if !ok {
			t.Errorf("%s has no outcome", code)
			continue
		}
		if o.hint == "" {
			t.Errorf("%s has no hint", code)
		}
		// The row of the exit code names the error code.
		row := fmt.Sprintf("\n| %d |", o.exit)
		_, after, ok := strings.Cut(string(manual), row)
		line, _, _ := strings.Cut(after, "\n")
		if !ok || !strings.Contains(line, "`"+string(code)+"`") {
			t.Errorf("docs/COMMANDS.md: the row of exit code %d does not name `%s`", o.exit, code)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		name  string
		exit  int
		code  string
		set   func(*shell)
		args  []string
		words string
	}{
		{"no such command", exitUsage, "usage", nil, []string{"sned", "Bob", "hi"}, "unknown command"},
		{"no such contact command", exitUsage, "usage", nil, []string{"contact", "frob"}, "unknown command"},
		{"no such flag", exitUsage, "usage", nil, []string{"status", "--bogus"}, "unknown flag"},
		{"too few arguments", exitUsage, "usage", nil, []string{"send"}, "arg"},
		{"too many arguments", exitUsage, "usage", nil, []string{"status", "now"}, "status"},
		{"bad duration", exitUsage, "usage", nil, []string{"invite", "--expires", "soon"}, "soon"},
		{"an invite for ever", exitUsage, "usage", nil, []string{"invite", "--expires", "8d"}, "7 days at most"},
		{"an invite for no time", exitUsage, "usage", nil, []string{"invite", "--expires", "0"}, "a minute at least"},
		{"bad wait", exitUsage, "usage", nil, []string{"send", "Bob", "hi", "--wait", "read"}, "--wait"},
		{"no profile", exitNoProfile, "no_profile", func(s *shell) { s.env["STARLING_PROFILE"] = "/nobody" }, []string{"status"}, "no profile"},
		{"wrong passphrase", exitPassphrase, "wrong_passphrase", func(s *shell) { s.env["STARLING_PASSPHRASE"] = "guess" }, []string{"status"}, "passphrase"},
		{"no passphrase", exitPassphrase, "wrong_passphrase", func(s *shell) { delete(s.env, "STARLING_PASSPHRASE") }, []string{"status"}, "passphrase"},
		{"no passphrase file", exitUsage, "usage", nil, []string{"status", "--passphrase-file", "/nonexistent/file"}, "passphrase file"},
		{"damaged profile", exitDamaged, "damaged_profile", func(s *shell) {
			s.engine.startErr = &api.Error{Code: api.CodeDamaged, Message: "the profile is damaged"}
		}, []string{"status"}, "damaged"},
		{"second node", exitInUse, "profile_in_use", func(s *shell) {
			s.engine.startErr = &api.Error{Code: api.CodeInUse, Message: "another node runs on this profile"}
		}, []string{"node"}, "another node"},
		{"second node, seen by its socket", exitInUse, "profile_in_use", func(s *shell) { s.engine.serving = true }, []string{"node"}, "already"},
		{"disk full", exitDisk, "disk_full", func(s *shell) {
			s.engine.startErr = &api.Error{Code: api.CodeDiskFull, Message: "the disk is full"}
		}, []string{"status"}, "disk"},
		{"unknown contact", exitContact, "unknown_contact", nil, []string{"send", "Carol", "hi"}, "contact"},
		{"unknown contact's history", exitContact, "unknown_contact", nil, []string{"history", "Carol"}, "contact"},
		{"bad invite", exitInvite, "bad_invite", nil, []string{"contact", "add", "https://example.org", "--name", "x"}, "invite"},
		{"empty message", exitMessage, "empty_message", nil, []string{"send", "Bob", ""}, "empty"},
		{"empty standard input", exitMessage, "empty_message", nil, []string{"send", "Bob"}, "empty"},
		{"message of 1 MiB", exitMessage, "message_too_long", func(s *shell) { s.stdin = strings.Repeat("x", 1<<20) }, []string{"send", "Bob"}, "32 KiB"},
		{"not UTF-8", exitMessage, "bad_text", func(s *shell) { s.stdin = "caf\xe9" }, []string{"send", "Bob"}, "UTF-8"},
		{"given up", exitMessage, "message_failed", func(s *shell) {
			s.engine.node.reach, s.engine.node.reason = api.StateFailed, "its time is over"
		}, []string{"send", "Bob", "hi", "--wait", "sent"}, "its time is over"},
		{"profile exists", exitUsage, "profile_exists", nil, []string{"init", "--name", "Alice"}, "already"},
		{"init without a name", exitUsage, "usage", nil, []string{"init"}, "--name"},
		{"relay without an address", exitUsage, "usage", nil, []string{"relay"}, "--listen"},
		{"relay on nonsense", exitUsage, "usage", nil, []string{"relay", "--listen", "nonsense"}, "nonsense"},
		{"bootstrap without a peer id", exitUsage, "usage", nil, []string{"status", "--bootstrap", "/ip4/1.2.3.4/tcp/1"}, "/p2p/"},
		{"private bootstrap", exitUsage, "usage", nil, []string{"status", "--bootstrap", "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"}, "private"},
		{"the app without a terminal", exitUsage, "usage", nil, nil, "terminal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			if tt.set != nil {
				tt.set(s)
			}
			s.want(tt.exit, tt.args...)
			if s.out.Len() > 0 && tt.code != "message_failed" {
				t.Errorf("standard output is %q", &s.out)
			}
			lines := strings.Split(strings.TrimSuffix(s.err.String(), "\n"), "\n")
			if len(lines) != 2 || !strings.HasPrefix(lines[0], "starling: ") || !strings.HasPrefix(lines[1], "hint: ") {
				t.Errorf("standard error is %q", &s.err)
			}
			if !strings.Contains(lines[0], tt.words) {
				t.Errorf("%q does not contain %q", lines[0], tt.words)
			}

			if len(tt.args) == 0 {
				return // the app has no --json
			}
			s.want(tt.exit, append(tt.args, "--json")...)
			lines = strings.Split(strings.TrimSuffix(s.err.String(), "\n"), "\n")
			var object struct {
				Error struct {
					Code, Message, Hint string
					Exit                int
				}
			}
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &object); err != nil {
				t.Fatalf("the last line is no JSON: %v: %q", err, &s.err)
			}
			e := object.Error
			if e.Code != tt.code || e.Exit != tt.exit || e.Message == "" || e.Hint == "" {
				t.Errorf("error object is %+v", e)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	s := newShell(t)
	s.engine.node.reach = api.StateQueued
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.ctx = ctx
	s.want(exitInterrupted, "send", "Bob", "hi", "--wait", "sent")
	// A program that runs until it is interrupted has done its work.
	s.want(exitOK, "relay", "--listen", "/ip4/127.0.0.1/tcp/0")
	s.want(exitOK, "node")
	s.want(exitOK, "tail", "--follow")
}

func TestListsOfAddresses(t *testing.T) {
	const (
		a = "/ip4/0.0.0.0/tcp/1"
		b = "/ip6/::/tcp/2"
		c = "/ip4/1.2.3.4/tcp/3/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
	)
	for _, args := range [][]string{
		{"relay", "--listen", a, "--listen", b, "--bootstrap", c},
		{"relay", "--listen", a, b, "--bootstrap", c},
		{"relay", "--listen", a + "," + b, "--bootstrap", c},
		{"relay", "--listen=" + a, b, "--bootstrap=" + c},
		{"relay", "--bootstrap", c, "--listen", a, b},
		{"--profile", "/r", "relay", "--listen", a, b, "--allow-private", "--bootstrap", c},
	} {
		s := newShell(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.ctx = ctx
		s.want(exitOK, args...)
		got := s.engine.relays[0]
		if !reflect.DeepEqual(got.listen, []string{a, b}) || !reflect.DeepEqual(got.network.bootstrap, []string{c}) {
			t.Errorf("%q: listen %q, bootstrap %q", args, got.listen, got.network.bootstrap)
		}
	}
	s := newShell(t)
	s.want(exitUsage, "relay", "--listen")
	// In other commands the next word is an argument.
	s.want(exitOK, "send", "--bootstrap", c, "Bob", "hi")
	if got := s.engine.started[0].network.bootstrap; !reflect.DeepEqual(got, []string{c}) {
		t.Errorf("send: bootstrap %q", got)
	}
}

func TestReadyLines(t *testing.T) {
	s := newShell(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.ctx = ctx
	s.want(exitOK, "relay", "--listen", "/ip4/127.0.0.1/tcp/0", "--allow-private", "--profile", "/somewhere")
	if got, want := s.out.String(), `{"event":"ready","peer_id":"12D3relay","addrs":["/ip4/127.0.0.1/tcp/4001/p2p/12D3relay"]}`+"\n"; got != want {
		t.Errorf("relay printed %s", got)
	}
	if r := s.engine.relays[0]; r.stateDir != filepath.Join("/somewhere", "relay") || !r.network.allowPrivate {
		t.Errorf("relay runs with %+v", r)
	}
	s.want(exitOK, "node")
	if got, want := s.out.String(), `{"event":"ready","peer_id":"12D3","profile":"/alice"}`+"\n"; got != want {
		t.Errorf("node printed %s", got)
	}
	if !s.engine.node.closed {
		t.Error("the node was not closed")
	}
}

func TestPassphraseSources(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(file, []byte(fakePassphrase+"\r\nsecond line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newShell(t)
	s.env["STARLING_PASSPHRASE"] = "wrong" // the file comes first
	s.want(exitOK, "status", "--passphrase-file", file)

	s = newShell(t)
	delete(s.env, "STARLING_PASSPHRASE")
	s.tty = true
	s.prompts = []string{fakePassphrase}
	s.want(exitOK, "status")

	// A new one is asked for twice.
	s.env["STARLING_PROFILE"] = "/new"
	s.prompts = []string{"one", "another"}
	s.want(exitUsage, "init", "--name", "Alice")
	s.prompts = []string{""}
	s.want(exitUsage, "init", "--name", "Alice")
	s.prompts = []string{"one", "one"}
	s.want(exitOK, "init", "--name", "Alice")
	if got := s.engine.created; len(got) != 1 || got[0] != (newProfile{name: "Alice", passphrase: "one"}) {
		t.Errorf("created %+v", got)
	}

	if err := os.WriteFile(file, make([]byte, maxPassphrase+1), 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(exitUsage, "init", "--name", "Alice", "--passphrase-file", file)
}

func TestSendWaits(t *testing.T) {
	var m api.Message
	decode := func(s *shell) {
		t.Helper()
		m = api.Message{}
		if err := json.Unmarshal(s.out.Bytes(), &m); err != nil {
			t.Fatalf("%v: %s", err, &s.out)
		}
	}
	s := newShell(t)
	s.engine.serving = true
	s.want(exitOK, "send", "Bob", "hi", "--json")
	if decode(s); m.State != api.StateQueued || m.ID == "" || m.Conversation != "b0b" {
		t.Errorf("with a running node: %+v", m)
	}
	s.engine.serving = false
	s.want(exitOK, "send", "Bob", "hi", "--json")
	if decode(s); m.State != api.StateSent {
		t.Errorf("without a running node: %+v", m)
	}
	s.want(exitOK, "send", "Bob", "hi", "--json", "--wait", "delivered")
	if decode(s); m.State != api.StateDelivered {
		t.Errorf("--wait delivered: %+v", m)
	}
	s.want(exitOK, "send", "Bob", "hi", "--json", "--wait", "queued")
	if decode(s); m.State != api.StateQueued {
		t.Errorf("--wait queued: %+v", m)
	}

	// A contact that is away: the message is printed as far as it came.
	s.engine.node.reach, s.engine.node.reason = api.StateSent, "Bob is away"
	s.want(exitTimeout, "send", "Bob", "hi", "--json", "--wait", "delivered", "--timeout", "200ms")
	if decode(s); m.State != api.StateSent {
		t.Errorf("after the timeout: %+v", m)
	}
	if !strings.Contains(s.err.String(), "stays in the outbox") || !strings.Contains(s.err.String(), "Bob is away") {
		t.Errorf("standard error is %q", &s.err)
	}

	s.engine.node.reach = api.StateSent
	s.stdin = "line one\nline two\n"
	s.want(exitOK, "send", "Bob", "--id", strings.Repeat("ab", 16))
	if got := s.engine.node.sent[len(s.engine.node.sent)-1]; got.Text != "line one\nline two" || got.ID != strings.Repeat("ab", 16) {
		t.Errorf("sent %+v", got)
	}
}

func TestWaitsForTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShell(t)
		s.ctx = t.Context()
		s.engine.serving = true
		s.engine.node.status.Ready = false
		s.engine.node.status.Reason = "2 of 5 relays known"
		s.want(exitNetwork, "invite")
		if !strings.Contains(s.err.String(), "2 of 5 relays known") {
			t.Errorf("standard error is %q", &s.err)
		}
		time.AfterFunc(time.Second, func() {
			s.engine.node.mu.Lock()
			defer s.engine.node.mu.Unlock()
			s.engine.node.status.Ready = true
		})
		s.want(exitOK, "invite", "--name", "Bob", "--expires", "2h", "--json")
		if got := s.engine.node.invites; len(got) != 1 || got[0] != (api.InviteRequest{Expires: 2 * time.Hour, Name: "Bob"}) {
			t.Errorf("invites %+v", got)
		}
	})
}

func TestInviteAndContacts(t *testing.T) {
	s := newShell(t)
	s.engine.serving = true
	s.want(exitOK, "invite", "--json")
	if got := s.out.String(); got != `{"id":"1d","link":"starling:abcdefgh","expires":"2030-01-02T03:04:05Z"}`+"\n" {
		t.Errorf("invite printed %s", got)
	}
	s.want(exitOK, "invite", "--qr")
	if !strings.Contains(s.out.String(), "█") || !strings.HasSuffix(s.out.String(), "\nstarling:abcdefgh\n") {
		t.Errorf("invite --qr printed\n%s", &s.out)
	}

	s.stdin = "  starling:secret\n"
	s.want(exitOK, "contact", "add", "-", "--name", "Carol", "--json")
	if got := s.engine.node.links[0]; got != (api.AddContactRequest{Link: "starling:secret", Name: "Carol"}) {
		t.Errorf("added %+v", got)
	}
	var c api.Contact
	if err := json.Unmarshal(s.out.Bytes(), &c); err != nil || c.Name.String() != "Carol" || c.State != api.ContactPending {
		t.Errorf("contact add printed %s", &s.out)
	}

	s.want(exitOK, "contact", "list", "--json")
	if err := json.Unmarshal(s.out.Bytes(), &c); err != nil || c.Name.String() != "Bob" {
		t.Errorf("contact list printed %s", &s.out)
	}
	s.want(exitOK, "contact", "verify", "Bob")
	if !strings.Contains(s.out.String(), "not verified") {
		t.Errorf("contact verify printed %s", &s.out)
	}
	s.want(exitOK, "contact", "verify", "Bob", "--yes", "--json")
	if got := s.out.String(); !strings.Contains(got, `"verified":true`) || !strings.Contains(got, `"safety_number":"12345 `) {
		t.Errorf("contact verify --yes printed %s", got)
	}
	s.want(exitOK, "contact", "block", "Bob", "--json")
	s.want(exitOK, "contact", "list")
	if got := s.out.String(); got != "Bob  (ready, verified, blocked)\n" {
		t.Errorf("contact list printed %s", got)
	}
	s.want(exitOK, "contact", "unblock", "Bob")
	s.want(exitOK, "contact", "rename", "Bob", "Robert")
	s.want(exitOK, "contact", "remove", "Robert", "--json")
	if got := s.out.String(); got != `{"removed":"Robert"}`+"\n" {
		t.Errorf("contact remove printed %s", got)
	}
}

func TestHistoryReadsAllPages(t *testing.T) {
	s := newShell(t)
	for i := range 1234 {
		s.engine.node.messages = append(s.engine.node.messages, api.Message{Sequence: int64(i + 1), Text: safetext.Line(fmt.Sprint(i))})
	}
	for _, tt := range []struct {
		args        []string
		first, last int64
	}{
		{nil, 1135, 1234},
		{[]string{"--limit", "0"}, 1, 1234},
		{[]string{"--limit", "700"}, 535, 1234},
		{[]string{"--limit", "3", "--before", "11"}, 8, 10},
	} {
		s.want(exitOK, append([]string{"history", "Bob", "--json"}, tt.args...)...)
		lines := strings.Split(strings.TrimSpace(s.out.String()), "\n")
		want := tt.first
		for _, line := range lines {
			var m api.Message
			if err := json.Unmarshal([]byte(line), &m); err != nil || m.Sequence != want {
				t.Fatalf("%q: seq %d, want %d (%v)", tt.args, m.Sequence, want, err)
			}
			want++
		}
		if want != tt.last+1 {
			t.Errorf("%q ends before %d", tt.args, want)
		}
	}
}

func TestTail(t *testing.T) {
	s := newShell(t)
	from, text := safetext.Line("Bob"), safetext.Clean("hi\nthere")
	s.engine.node.events = []api.Event{
		{Kind: api.EventContact, Seq: 1, Contact: &s.engine.node.contacts[0]},
		{Kind: api.EventMessage, Seq: 2, ID: "aa", Conversation: "b0b", From: &from, Text: &text, State: api.StateReceived},
		{Kind: api.EventState, Seq: 3, ID: "bb", State: api.StateSent},
	}
	synctest.Test(t, func(t *testing.T) {
		s.ctx = t.Context()
		s.want(exitOK, "tail", "--json")
	})
	lines := strings.Split(strings.TrimSpace(s.out.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], `"event":"message","seq":2,"id":"aa","conversation":"b0b","from":"Bob","text":"hi\nthere"`) {
		t.Errorf("tail printed %s", &s.out)
	}
	synctest.Test(t, func(t *testing.T) {
		s.ctx = t.Context()
		s.want(exitOK, "tail", "--after", "1")
	})
	if got := s.out.String(); !strings.HasSuffix(got, "  Bob: hi\n    there\n") || strings.Count(got, "\n") != 2 {
		t.Errorf("tail --after 1 printed %q", got)
	}
}

func TestHostileTextStaysInItsPlace(t *testing.T) {
	s := newShell(t)
	const hostile = "x\x1b]0;pwned\x07\r\n2030-01-01 00:00  Carol: send money\u202e"
	name := safetext.Clean(hostile) // of more than one line
	s.engine.node.contacts[0].Name = name
	s.engine.node.messages = []api.Message{{From: name, Text: safetext.Clean(hostile), Sequence: 1}}
	s.want(exitOK, "contact", "list")
	if got := s.out.String(); strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\x1b\x07\r\u202e") {
		t.Errorf("contact list printed %q", got)
	}
	s.want(exitOK, "history", "b0b")
	for i, line := range strings.Split(strings.TrimSuffix(s.out.String(), "\n"), "\n") {
		if strings.ContainsAny(line, "\x1b\x07\r\u202e") || (i > 0 && !strings.HasPrefix(line, "    ")) {
			t.Errorf("history printed the line %q", line)
		}
	}
	s.engine.node.status.Reason, s.engine.node.status.Ready = hostile, false
	s.engine.node.status.Guards = []api.Guard{{Address: hostile}}
	s.want(exitOK, "status")
	if got := s.out.String(); strings.ContainsAny(got, "\x1b\x07\r\u202e") {
		t.Errorf("status printed %q", got)
	}
}

func TestTheApp(t *testing.T) {
	s := newShell(t)
	s.tty = true
	s.want(exitOK)
	if s.screens.runs != 1 || len(s.engine.started) != 1 || !s.engine.node.closed || len(s.screens.problems) != 0 {
		t.Errorf("with a profile: %+v, started %d", s.screens, len(s.engine.started))
	}

	s = newShell(t)
	s.tty, s.engine.serving = true, true
	s.want(exitOK)
	if s.screens.runs != 1 || len(s.engine.started) != 0 {
		t.Errorf("with a running node: %+v, started %d", s.screens, len(s.engine.started))
	}

	// A wrong passphrase on the screen is asked for again, one from the
	// environment is not.
	s = newShell(t)
	s.tty = true
	delete(s.env, "STARLING_PASSPHRASE")
	s.screens.answers = []string{"guess", fakePassphrase}
	s.want(exitOK)
	if got := s.screens.problems; s.screens.runs != 1 || len(got) != 2 || got[1] != "wrong passphrase" {
		t.Errorf("after a wrong passphrase: %+v", s.screens)
	}
	s = newShell(t)
	s.tty = true
	s.env["STARLING_PASSPHRASE"] = "guess"
	s.want(exitPassphrase)

	// The first start makes a profile, with the slow derivation.
	s = newShell(t)
	s.tty = true
	s.env["STARLING_PROFILE"] = "/new"
	s.screens.answers = []string{fakePassphrase}
	s.want(exitOK)
	if s.screens.runs != 1 || len(s.engine.created) != 1 || s.engine.created[0] != (newProfile{name: "Alice", passphrase: fakePassphrase}) || s.screens.options.invite != "use starling:abc" {
		t.Errorf("without a profile: %+v, created %+v", s.screens, s.engine.created)
	}
	s = newShell(t)
	s.tty = true
	s.env["STARLING_PROFILE"] = "/new"
	s.want(exitOK) // the user leaves
	if s.screens.runs != 0 || len(s.engine.created) != 0 {
		t.Errorf("after leaving: %+v, created %+v", s.screens, s.engine.created)
	}

	// The same, line by line.
	s = newShell(t)
	s.tty = true
	s.env["STARLING_PROFILE"] = "/new"
	delete(s.env, "STARLING_PASSPHRASE")
	s.stdin, s.prompts = "Alice \nrest", []string{fakePassphrase, fakePassphrase}
	s.want(exitOK, "--plain")
	if s.screens.runs != 1 || len(s.engine.created) != 1 || s.engine.created[0].name != "Alice" {
		t.Errorf("--plain: %+v, created %+v", s.screens, s.engine.created)
	}
	s = newShell(t)
	s.env["STARLING_PROFILE"] = "/new"
	s.want(exitNoProfile, "--plain") // nobody to ask
	if s.screens.runs != 0 {
		t.Error("the app ran without a profile")
	}
}

func TestHelpAndVersion(t *testing.T) {
	s := newShell(t)
	s.want(exitOK, "help")
	for _, command := range []string{"demo", "init", "node", "relay", "invite", "contact", "send", "tail", "history", "status", "testnet", "version", "completion"} {
		if !strings.Contains(s.out.String(), "\n  "+command+" ") {
			t.Errorf("help does not name %s", command)
		}
	}
	s.want(exitOK, "version", "--json")
	var v struct{ Version, Go string }
	if err := json.Unmarshal(s.out.Bytes(), &v); err != nil || v.Version == "" || v.Go == "" {
		t.Errorf("version printed %s", &s.out)
	}
	s.want(exitOK, "completion", "bash")
}

// slowNode answers once how it stands, and then no more.
type slowNode struct {
	*fakeNode
	asked bool
}

func (n *slowNode) Status(ctx context.Context) (api.Status, error) {
	if n.asked {
		<-ctx.Done()
		return api.Status{}, ctx.Err()
	}
	n.asked = true
	return n.fakeNode.Status(ctx)
}

func TestNotReadySaysWhyThoughTheLastAnswerIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := &slowNode{fakeNode: newFakeNode()}
		node.status.Ready, node.status.Reason = false, "knows no relay"
		err := waitReady(t.Context(), node, time.Second)
		var e *api.Error
		if !errors.As(err, &e) || e.Code != api.CodeOffline || !strings.Contains(e.Message, "knows no relay") {
			t.Errorf("%v", err)
		}
	})
}
