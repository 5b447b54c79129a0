package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/tui/tuitest"
)

// friends is a shell for people who share rooms.
type friends struct {
	*shell
	nodes map[string]*tuitest.Node
}

func newFriends(t *testing.T, names ...string) *friends {
	f := &friends{newShell(t), map[string]*tuitest.Node{}}
	f.engine.others = map[string]api.Node{}
	for i, n := range tuitest.Company(time.Now, names...) {
		f.nodes[names[i]] = n
		f.engine.others["/"+names[i]] = n
	}
	return f
}

// as runs a command as somebody and returns its first line as JSON.
func (f *friends) as(who string, exit int, args ...string) map[string]any {
	f.t.Helper()
	f.env["STARLING_PROFILE"] = "/" + who
	f.want(exit, args...)
	var line map[string]any
	json.Unmarshal([]byte(strings.SplitN(f.out.String(), "\n", 2)[0]), &line)
	return line
}

func (f *friends) has(texts ...string) {
	f.t.Helper()
	for _, text := range texts {
		if !strings.Contains(f.out.String(), text) {
			f.t.Errorf("no %q in\n%s", text, &f.out)
		}
	}
}

// TestRooms is the story of a room on the command line.
func TestRooms(t *testing.T) {
	f := newFriends(t, "ada", "bob", "cleo")
	room := f.as("ada", exitOK, "room", "create", "the pier", "--json")
	id, _ := room["id"].(string)
	if id == "" || room["name"] != "the pier" || room["members"] != 1.0 || room["role"] != "owner" || room["state"] != "ready" {
		t.Fatalf("%v", room)
	}

	// Cleo is let in by hand, Bob at once.
	link := f.as("ada", exitOK, "room", "invite", "the pier", "--uses", "2", "--approve", "--expires", "48h", "--json")
	if l, _ := link["link"].(string); !strings.HasPrefix(l, "starling-room:") || link["expires"] == nil || link["uses"] != 2.0 {
		t.Fatalf("%v", link)
	}
	if got := f.as("cleo", exitOK, "room", "join", link["link"].(string), "--name", "Cleopatra", "--json"); got["id"] != id || got["state"] != "pending" {
		t.Errorf("%v", got)
	}
	if card := f.err.String(); !strings.Contains(card, tuitest.Statement) || !strings.Contains(card, "For 2 people, each let in by its author") {
		t.Errorf("the card says %q", card)
	}
	f.as("cleo", exitContact, "send", "the pier", "may I?")
	f.as("ada", exitOK, "room", "members", "the pier", "--json")
	f.has(`"name":"Cleopatra","role":"none","waiting":true`)
	if got := f.as("ada", exitOK, "room", "approve", "the pier", "Cleopatra", "--json"); got["approved"] != "Cleopatra" {
		t.Errorf("%v", got)
	}
	f.as("cleo", exitOK, "room", "list", "--json")
	f.has(`"state":"ready"`, `"members":2`)
	f.stdin = "Ada wrote:\n> " + f.as("ada", exitOK, "room", "invite", id, "--json")["link"].(string) + "\n"
	if got := f.as("bob", exitOK, "room", "join", "-", "--json"); got["state"] != "ready" || got["members"] != 3.0 || got["as"] != "bob" {
		t.Errorf("%v", got)
	}
	f.stdin = ""

	// What is said has an author in the room.
	sent := f.as("bob", exitOK, "send", "the pier", "ahoy @ada", "--wait", "sent", "--json")
	if sent["state"] != "sent" || sent["room"] != id || sent["from"] != "bob" || sent["member"] == nil || sent["conversation"] != id {
		t.Errorf("%v", sent)
	}
	said := sent["id"].(string)
	f.as("ada", exitOK, "history", "the pier", "--json")
	f.has(`"from":"bob","room":"`+id+`","member":"`+sent["member"].(string)+`","mention":true`, `"text":"ahoy @ada"`)
	f.as("ada", exitOK, "tail", "--json")
	f.has(`"event":"message"`, `"room":"`+id+`"`, `"member":"`+sent["member"].(string)+`"`)
	f.as("ada", exitOK, "search", "ahoy", "--in", "the pier", "--from", "bob", "--json")
	f.has(said)
	f.as("ada", exitOK, "search", "ahoy", "--in", "the pier", "--from", "me", "--json")
	if f.out.Len() > 0 {
		t.Error(&f.out)
	}
	f.as("cleo", exitOK, "react", said, "👍", "--json")
	f.as("bob", exitOK, "edit", said, "ahoy, @ada", "--json")
	f.as("ada", exitOK, "history", "the pier", "--ids")
	f.has("bob: ahoy, @ada", "+ names you", "+ Cleopatra: 👍", "* Cleopatra joined, let in by you.")
	f.as("ada", exitOK, "tail")
	f.has("[the pier] ", "room the pier  (owner, 3 of 32 people")
	f.as("bob", exitOK, "delete", said, "--both", "--json")
	f.as("ada", exitOK, "history", id, "--json")
	f.has(`"deleted":true`)
	export := filepath.Join(t.TempDir(), "pier.txt")
	f.as("ada", exitOK, "export", "the pier", export)
	for _, args := range [][]string{{"read", "the pier"}, {"draft", "the pier", "later"}, {"contact", "mute", "the pier"}, {"contact", "pin", id}, {"clear", "the pier", "--yes"}} {
		f.as("ada", exitOK, args...)
	}

	// Roles, and what holds for all.
	if got := f.as("ada", exitOK, "room", "role", "the pier", "bob", "admin", "--json"); got["role"] != "admin" || got["name"] != "bob" {
		t.Errorf("%v", got)
	}
	f.as("bob", exitOK, "room", "settings", "the pier", "history", "100", "writers", "admins", "timer", "1d", "--json")
	f.has(`"history":100,"admins_only":true,"timer":86400`)
	f.as("cleo", exitContact, "send", "the pier", "hm", "--json")
	f.as("bob", exitOK, "room", "rename", "the pier", "the long pier")
	f.has("the long pier  (admin, 3 of 32 people, only admins write, newcomers see 100 messages, messages disappear after 1d)")
	f.as("cleo", exitOK, "room", "block", "the long pier", "bob", "--json")
	f.has(`"blocked":true`)
	f.as("cleo", exitOK, "room", "unblock", "the long pier", "bob")
	number := f.as("cleo", exitOK, "room", "verify", id, "bob", "--json")["safety_number"].(string)
	f.as("bob", exitOK, "room", "verify", id, "Cleopatra", "--number", number, "--json")
	f.has(`"verified":true`)
	f.as("bob", exitMismatch, "room", "verify", id, "Cleopatra", "--number", strings.Repeat("1", 60))
	if said := f.err.String(); !strings.Contains(said, "of this member and you") || !strings.Contains(said, "ask the owner or an admin") {
		t.Errorf("another number: %s", said)
	}
	f.nodes["ada"].Unheard(id, true)
	f.as("ada", exitOK, "room", "list")
	f.has("back with an old copy, and nobody was heard since")
	f.as("ada", exitOK, "status")
	f.has("in 1 of them perhaps nobody reads you: see starling doctor")
	if got := f.as("ada", exitOK, "status", "--json")["rooms_unheard"]; got != 1.0 {
		t.Errorf("rooms_unheard: %v", got)
	}
	f.nodes["ada"].Unheard(id, false)
	f.as("ada", exitOK, "status")
	if strings.Contains(f.out.String(), "nobody reads you") {
		t.Errorf("still unheard:\n%s", &f.out)
	}
	f.as("bob", exitUsage, "room", "create", "\xff\xfe")
	if said := f.err.String(); !strings.Contains(said, "the name is not UTF-8 text") {
		t.Errorf("a name of bytes: %s", said)
	}

	// Out again, each in another way.
	f.as("bob", exitOK, "room", "ban", id, "Cleopatra", "--json")
	f.has(`"role":"none"`)
	f.as("cleo", exitOK, "room", "list")
	f.has("the long pier  (removed")
	f.as("ada", exitOK, "room", "role", id, "bob", "owner", "--json")
	f.has(`"offered":true`)
	f.as("bob", exitOK, "room", "accept", id, "--json")
	f.has(`"role":"owner"`)
	f.as("ada", exitUsage, "room", "forget", id)
	if got := f.as("ada", exitOK, "room", "leave", id, "--json"); got["left"] != id {
		t.Errorf("%v", got)
	}
	f.as("ada", exitOK, "room", "forget", "the long pier", "--json")
	f.as("ada", exitOK, "room", "list", "--json")
	if f.out.Len() > 0 {
		t.Error(&f.out)
	}
}

// TestRoomLinks: open links are listed and withdrawn, and one is drawn.
func TestRoomLinks(t *testing.T) {
	f := newFriends(t, "ada", "bob")
	f.as("ada", exitOK, "room", "create", "r")
	link := f.as("ada", exitOK, "room", "invite", "r", "--uses", "3", "--json")
	f.as("ada", exitOK, "room", "links", "r")
	f.has(link["id"].(string)+"  for 3 people, 0 came", link["link"].(string))
	if got := f.as("ada", exitOK, "room", "links", "r", "--json"); got["link"] != link["link"] || got["used"] != 0.0 {
		t.Errorf("%v", got)
	}
	f.nodes["ada"].Fills(link["room"].(string))
	f.as("ada", exitOK, "room", "links", "r")
	f.has("somebody fills it", "starling room revoke "+link["id"].(string))
	if got := f.as("ada", exitOK, "room", "links", "r", "--json"); got["crowded"] != true {
		t.Errorf("%v", got)
	}
	f.as("ada", exitOK, "room", "revoke", link["id"].(string))
	f.as("ada", exitInvite, "room", "revoke", link["id"].(string))
	f.as("ada", exitOK, "room", "invite", "r", "--qr")
	f.has("▄", "starling-room:")
	if !strings.Contains(f.err.String(), "starling room join LINK") {
		t.Error(&f.err)
	}
}

// TestJoinAsksATerminal: a person reads the card, and answers.
func TestJoinAsksATerminal(t *testing.T) {
	f := newFriends(t, "ada", "bob")
	f.as("ada", exitOK, "room", "create", "r")
	link := f.as("ada", exitOK, "room", "invite", "r", "--json")["link"].(string)
	f.tty, f.stdin = true, "no\n"
	f.as("bob", exitUsage, "room", "join", link)
	if !strings.Contains(f.err.String(), tuitest.Statement) || f.out.Len() > 0 {
		t.Errorf("%s%s", &f.out, &f.err)
	}
	f.as("bob", exitOK, "room", "list", "--json")
	if f.out.Len() > 0 {
		t.Error("joined without a yes")
	}
	f.stdin = "yes\n"
	f.as("bob", exitOK, "room", "join", link)
	f.has("r  (member, 2 of 32 people)")
}

// TestJoinThatIsRefused: a link that is used up ends with 8, and the room is printed.
func TestJoinThatIsRefused(t *testing.T) {
	f := newFriends(t, "ada", "bob", "cleo")
	f.as("ada", exitOK, "room", "create", "r")
	link := f.as("ada", exitOK, "room", "invite", "r", "--json")["link"].(string)
	f.as("bob", exitOK, "room", "join", link)
	if got := f.as("cleo", exitInvite, "room", "join", link, "--json"); got["state"] != "refused" {
		t.Errorf("%v", got)
	}

	// Nobody answers: the request stays, and so does the word pending.
	silent := "starling-room:" + strings.Repeat("a", 200)
	if got := f.as("cleo", exitOK, "room", "join", silent, "--timeout", "50ms", "--json"); got["state"] != "pending" {
		t.Errorf("%v", got)
	}
	f.as("cleo", exitOK, "room", "list")
	f.has("a room without a name yet  (waiting to be let in)")
}

// TestRoomsAreNotDelivered: the state does not exist there, and nothing is sent.
func TestRoomsAreNotDelivered(t *testing.T) {
	f := newFriends(t, "ada", "bob")
	id := f.as("ada", exitOK, "room", "create", "r", "--json")["id"].(string)
	for _, to := range []string{"r", id} {
		f.as("ada", exitUsage, "send", to, "x", "--wait", "delivered", "--json")
		if !strings.Contains(f.err.String(), "no state delivered") || !strings.Contains(f.err.String(), `"exit":2`) {
			t.Error(&f.err)
		}
	}
	f.as("ada", exitOK, "send", "self", "note")
	note := f.as("ada", exitOK, "history", "self", "--json")["id"].(string)
	f.as("ada", exitUsage, "forward", note, "self", "r", "--wait", "delivered")
	if last := f.nodes["ada"].Last(id); last.State != api.StateNotice {
		t.Errorf("sent: %+v", last)
	}
	f.as("ada", exitOK, "forward", note, "r", "--wait", "sent")
	f.has("sent: in both mailboxes of the room")
}

// TestRoomsOfOneName: rooms of one name are listed with their ids, others without.
func TestRoomsOfOneName(t *testing.T) {
	f := newFriends(t, "ada")
	one := f.as("ada", exitOK, "room", "create", "twice", "--json")["id"].(string)
	other := f.as("ada", exitOK, "room", "create", "twice", "--json")["id"].(string)
	f.as("ada", exitOK, "room", "create", "once")
	f.as("ada", exitOK, "room", "list")
	f.has(one+"  twice  (owner", other+"  twice  (owner", "\nonce  (owner")
	f.as("ada", exitOK, "room", "members", other)
}

// TestNewcomerIsToldByWhom: what was said before one came is the word of somebody else.
func TestNewcomerIsToldByWhom(t *testing.T) {
	f := newFriends(t, "ada", "bob")
	f.as("ada", exitOK, "room", "create", "r")
	f.as("ada", exitOK, "room", "settings", "r", "history", "100")
	f.as("ada", exitOK, "send", "r", "from before")
	link := f.as("ada", exitOK, "room", "invite", "r", "--json")["link"].(string)
	f.as("bob", exitOK, "room", "join", link)
	f.as("ada", exitOK, "send", "r", "from now")
	f.as("bob", exitOK, "history", "r")
	f.has("ada: from before\n  + as told by the member who let you in")
	if strings.Count(f.out.String(), "as told by") != 1 {
		t.Error(&f.out)
	}
	f.as("bob", exitOK, "history", "r", "--json")
	f.has(`"text":"from before"`, `"given":true`)
}

// TestRoomErrors: what people get wrong ends with the code of the manual.
func TestRoomErrors(t *testing.T) {
	f := newFriends(t, "ada", "bob", "cleo")
	f.as("ada", exitOK, "room", "create", "r")
	link := f.as("ada", exitOK, "room", "invite", "r", "--uses", "5", "--json")["link"].(string)
	f.as("bob", exitOK, "room", "join", link)
	f.as("ada", exitOK, "room", "create", "twice")
	f.as("ada", exitOK, "room", "create", "twice")
	person := f.nodes["bob"].Meet("Pat")

	for _, tt := range []struct {
		who  string
		exit int
		args []string
	}{
		{"ada", exitUsage, []string{"room"}},
		{"ada", exitUsage, []string{"room", "dance"}},
		{"ada", exitUsage, []string{"room", "create"}},
		{"ada", exitUsage, []string{"room", "create", ""}},
		{"ada", exitUsage, []string{"room", "create", strings.Repeat("x", 65)}},
		{"ada", exitUsage, []string{"room", "create", "\xff\xfe"}},
		{"ada", exitUsage, []string{"room", "create", strings.Repeat("x", 1<<20)}},
		{"ada", exitUsage, []string{"room", "create", "x", "--as", strings.Repeat("ж", 33)}},
		{"ada", exitContact, []string{"room", "create", "self"}},
		{"ada", exitUsage, []string{"room", "invite", "r", "--uses", "0"}},
		{"ada", exitUsage, []string{"room", "invite", "r", "--uses", "1001"}},
		{"ada", exitUsage, []string{"room", "invite", "r", "--uses", "many"}},
		{"ada", exitUsage, []string{"room", "invite", "r", "--expires", "8d"}},
		{"ada", exitUsage, []string{"room", "invite", "r", "--expires", "1s"}},
		{"ada", exitUsage, []string{"room", "invite", "r", "--expires", "0"}},
		{"ada", exitContact, []string{"room", "invite", "nowhere"}},
		{"ada", exitContact, []string{"room", "invite", "twice"}},
		{"bob", exitContact, []string{"room", "invite", "r"}},
		{"bob", exitContact, []string{"room", "invite", person}},
		{"cleo", exitInvite, []string{"room", "join", ""}},
		{"cleo", exitInvite, []string{"room", "join", "https://example.org"}},
		{"cleo", exitInvite, []string{"room", "join", link[:60]}},
		{"cleo", exitInvite, []string{"room", "join", "\xff" + link[:60]}},
		{"cleo", exitInvite, []string{"room", "join", strings.Repeat("x", 70000)}},
		{"cleo", exitInvite, []string{"contact", "add", link, "--name", "x"}},
		{"cleo", exitUsage, []string{"room", "join", link, "--name", strings.Repeat("y", 65)}},
		{"bob", exitContact, []string{"room", "members", "nowhere"}},
		{"bob", exitContact, []string{"room", "role", "r", "ada", "reader"}},
		{"bob", exitContact, []string{"room", "role", "r", "bob", "admin"}},
		{"ada", exitUsage, []string{"room", "role", "r", "bob", "king"}},
		{"ada", exitUsage, []string{"room", "role", "r", "bob", "none"}},
		{"ada", exitUsage, []string{"room", "role", "r", "bob"}},
		{"ada", exitContact, []string{"room", "role", "r", "dora", "admin"}},
		{"bob", exitContact, []string{"room", "remove", "r", "ada"}},
		{"ada", exitUsage, []string{"room", "remove", "r", "ada"}},
		{"ada", exitContact, []string{"room", "approve", "r", "dora"}},
		{"ada", exitContact, []string{"room", "approve", "r", "bob"}},
		{"bob", exitContact, []string{"room", "accept", "r"}},
		{"ada", exitContact, []string{"room", "leave", "r"}},
		{"ada", exitContact, []string{"room", "leave", "nowhere"}},
		{"ada", exitUsage, []string{"room", "block", "r", "ada"}},
		{"ada", exitUsage, []string{"room", "verify", "r", "ada"}},
		{"ada", exitUsage, []string{"room", "verify", "r", "bob", "--yes", "--no"}},
		{"bob", exitContact, []string{"room", "rename", "r", "mine"}},
		{"ada", exitUsage, []string{"room", "rename", "r", ""}},
		{"ada", exitUsage, []string{"room", "settings"}},
		{"ada", exitUsage, []string{"room", "settings", "r", "history"}},
		{"ada", exitUsage, []string{"room", "settings", "r", "history", "50"}},
		{"ada", exitUsage, []string{"room", "settings", "r", "writers", "nobody"}},
		{"ada", exitUsage, []string{"room", "settings", "r", "timer", "1s"}},
		{"ada", exitUsage, []string{"room", "settings", "r", "timer", "soon"}},
		{"ada", exitUsage, []string{"room", "settings", "r", "colour", "red"}},
		{"ada", exitContact, []string{"room", "settings", "nowhere"}},
		{"ada", exitUsage, []string{"contact", "timer", "r", "1d"}},
		{"ada", exitUsage, []string{"contact", "verify", "r"}},
		{"ada", exitUsage, []string{"contact", "rename", "r", "mine"}},
		{"ada", exitUsage, []string{"contact", "block", "r"}},
		{"ada", exitContact, []string{"history", "nowhere"}},
		{"ada", exitContact, []string{"search", "x", "--in", "r", "--from", "dora"}},
	} {
		f.env["STARLING_PROFILE"] = "/" + tt.who
		if got := f.run(append(tt.args, "--json")...); got != tt.exit {
			t.Errorf("%s: %.120q: exit %d, want %d: %s", tt.who, tt.args, got, tt.exit, &f.err)
			continue
		}
		if s := f.err.String(); !strings.Contains(s, "hint: ") || !strings.Contains(s, `"hint":"`) || f.out.Len() > 0 {
			t.Errorf("%s: %.120q: no hint: %s%s", tt.who, tt.args, &f.out, s)
		}
	}
	if all, err := f.nodes["cleo"].ListRooms(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestHostileRoom: no name or text of a room leaves its line.
func TestHostileRoom(t *testing.T) {
	f := newFriends(t, "ada")
	room := tuitest.AttackRooms(f.nodes["ada"])
	for _, args := range [][]string{{"room", "list"}, {"room", "members", room}, {"room", "settings", room}, {"history", room, "--limit", "0"}, {"tail"}, {"search", "PWNED", "--limit", "1000"}} {
		f.as("ada", exitOK, args...)
		if strings.ContainsAny(f.out.String(), "\x1b\x07\u009b\u202e") {
			t.Errorf("%q prints a control character", args)
		}
	}
	f.as("ada", exitOK, "room", "list")
	if strings.Count(f.out.String(), "\n") != 1 {
		t.Errorf("a room of several lines:\n%s", &f.out)
	}
	f.as("ada", exitOK, "room", "members", room)
	if all, err := f.nodes["ada"].Members(t.Context(), room); err != nil || strings.Count(f.out.String(), "\n") != len(all) {
		t.Errorf("%d members:\n%.2000s, %v", len(all), &f.out, err)
	}
}

// TestRoomCompletion: a tab offers rooms, members and roles, and nothing for a shell to run.
func TestRoomCompletion(t *testing.T) {
	f := newFriends(t, "ada")
	n := f.nodes["ada"]
	n.RoomOf("pier", "Bob", "$(reboot)")
	n.RoomOf("two words")
	complete := func(args ...string) string {
		f.as("ada", exitOK, append([]string{"__complete"}, args...)...)
		lines := strings.Split(strings.TrimSpace(f.out.String()), "\n")
		return strings.Join(lines[:len(lines)-1], " ")
	}
	for _, args := range [][]string{{"send", ""}, {"history", ""}, {"room", "members", ""}, {"room", "role", ""}, {"search", "--in", ""}, {"room", "settings", ""}} {
		if got := complete(args...); !strings.HasPrefix(got, "pier 70") || !strings.Contains(got, "\ttwo words") {
			t.Errorf("%q: %q", args, got)
		}
	}
	if got := complete("room", "role", "pier", ""); !strings.HasPrefix(got, "Bob 3e") || strings.Contains(got, "$") {
		t.Errorf("members: %q", got)
	}
	if got := complete("room", "role", "pier", "Bob", ""); got != "admin member reader owner" {
		t.Errorf("roles: %q", got)
	}
	if got := complete("room", "settings", "pier", ""); got != "history writers timer name" {
		t.Errorf("settings: %q", got)
	}
	if got := complete("room", "settings", "pier", "writers", ""); got != "all admins" {
		t.Errorf("values: %q", got)
	}
	if got := complete("room", "leave", "pier", ""); got != "" {
		t.Errorf("behind the room: %q", got)
	}
	if _, err := os.Stat("/ada"); err == nil {
		t.Error("a folder was made")
	}
}

// TestFullRoom: the 33rd waits, and whoever lets them in is told why.
func TestFullRoom(t *testing.T) {
	f := newFriends(t, "ada", "bob")
	names := make([]string, api.MaxMembers-1)
	for i := range names {
		names[i] = fmt.Sprint("m", i)
	}
	room := f.nodes["ada"].RoomOf("full", names...)
	f.nodes["ada"].Knocks(room, "Zoe")
	f.as("ada", exitContact, "room", "approve", "full", "Zoe", "--json")
	if !strings.Contains(f.err.String(), `"code":"room_full"`) {
		t.Error(&f.err)
	}
	link := f.as("ada", exitOK, "room", "invite", "full", "--json")["link"].(string)
	f.as("bob", exitInvite, "room", "join", link)
	f.as("ada", exitOK, "room", "remove", "full", "m3")
	f.as("ada", exitOK, "room", "approve", "full", "Zoe")
	f.as("ada", exitOK, "room", "list")
	f.has("full  (owner, 32 of 32 people")
	f.as("ada", exitOK, "status")
	f.has("rooms       1")
}
