package tui_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui"
	"starling/tui/tuitest"
)

// company returns a room of Anna, Ben and Carla, each at a screen of their own; Anna owns it.
func company(t *testing.T, width, height int) (nodes []*tuitest.Node, users []*tuitest.User, room string) {
	nodes = tuitest.Company(clock, "Anna", "Ben", "Carla")
	for _, n := range nodes {
		u := tuitest.NewUserAt(t, n, tui.Options{Now: clock, Language: "en"}, width, height)
		users = append(users, u)
	}
	anna := users[0]
	anna.Press("alt+n").Expect().Sees("Make a room", "up to 32 people")
	anna.Type("Lighthouse").Enter().Enter().Expect().Sees("Write to Lighthouse", "You made the room.")
	rooms, err := nodes[0].ListRooms(t.Context())
	if err != nil || len(rooms) != 1 {
		t.Fatal(rooms, err)
	}
	return nodes, users, rooms[0].ID
}

// Three people: one makes a room and a link, the others join by pasting it, each reads what
// the others write, one is made an admin and one is removed.
func TestThreePeopleInARoom(t *testing.T) {
	nodes, users, room := company(t, 100, 30)
	anna, ben, carla := users[0], users[1], users[2]

	// A link for two people, without questions.
	anna.Press("alt+g", "i").Expect().Sees("Invite into Lighthouse", "For how many people?")
	anna.Press("backspace").Type("0").Enter().Enter().Enter().Expect().Sees("A link is for 1 to 1000 people.")
	anna.Press("up", "up", "backspace").Type("2").Enter().Press("left").Enter().Enter()
	anna.Expect().Sees("A link into Lighthouse", "starling-room:", "For 2 people", "Whoever has it is in at once")
	anna.Press("c")
	link := anna.Clipboard()
	if !strings.HasPrefix(link, "starling-room:") {
		t.Fatalf("%q was copied", link)
	}
	anna.Press("esc")

	// The card is read before anything leaves.
	for i, u := range []*tuitest.User{ben, carla} {
		u.Paste("Come: " + link + "\nSee you there, Anna")
		u.Expect().Sees("Join a room", "hidden from all who are not in it", "together with your guard", "nobody outside has reviewed", "You are in as soon as")
		if calls := strings.Join(nodes[i+1].Calls(), " "); strings.Contains(calls, "JoinRoom") {
			t.Fatal("it was joined already")
		}
		u.Enter().Expect().Sees("Your name in it")
		u.Type([]string{"Ben", "Carla"}[i]).Enter().Expect().Sees("Write to Lighthouse")
	}
	anna.Expect().Sees("Joined: Ben, Carla.", "3 members")

	// Everybody reads everybody, under their names.
	ben.Type("hello all").Enter()
	anna.Expect().Sees("Ben  12:00", "hello all")
	carla.Expect().Sees("Ben  12:00", "hello all")
	ben.Expect().Message("hello all").State(api.StateSent)
	anna.Type("hi @b").Expect().Sees("Ben", "member")
	anna.Press("tab").Type("welcome").Enter()
	ben.Expect().Sees("hi @Ben welcome", "@you")
	carla.Expect().Sees("hi @Ben welcome").SeesNot("@you")

	// A role, and its effect.
	anna.Press("esc", "M").Expect().Sees("3 members", "Anna", "owner", "Carla")
	anna.Press("down", "down").Expect().Sees("role", "ban")
	anna.Press("r").Expect().Sees("Role of Carla", "reader: only reads")
	anna.Press("r").Expect().Sees("Carla: reader")
	carla.Expect().Sees("Your role is reader now.", "You only read here.")
	carla.Type("may I?").Enter().Expect().Status("You only read here.")
	if last := nodes[0].Last(room); strings.Contains(last.Text.String(), "may I") {
		t.Error("a reader has written")
	}

	// Out.
	anna.Press("d").Expect().Sees("Remove Carla from the room?", "They read nothing that is said from then on.")
	anna.Press("y").Expect().Sees("2 members")
	carla.Expect().Sees("You were removed.")
	anna.Press("esc", "i").Type("only us").Enter()
	ben.Expect().Sees("only us")
	carla.Expect().SeesNot("only us")
	for _, u := range users {
		checkFrame(t, u, 100, 30, "at the end")
	}
}

// A door: somebody waits, and says so; one key lets them in.
func TestDoorOfARoom(t *testing.T) {
	nodes, users, _ := company(t, 100, 30)
	anna, ben := users[0], users[1]
	anna.Press("alt+g", "i").Enter().Enter().Enter().Expect().Sees("You are asked before each of them is in.")
	anna.Press("c", "esc")
	ben.Paste(anna.Clipboard()).Expect().Sees("Somebody is asked before you are in.")
	ben.Enter().Type("Ben").Enter().Expect().Sees("You wait to be let in, and can write then.", "waiting to be let in")
	ben.Type("hello?").Enter().Expect().Status("You wait to be let in,")
	anna.Expect().Sees("1 waits to be let in", "alt+g answer", "Ben asks to be let in.")
	anna.Press("esc", "Y").Expect().Sees("at the door", "let in", "turn away")
	anna.Press("y").Expect().Sees("2 members", "Ben is in.")
	ben.Expect().Sees("You are in the room.", "Write to Lighthouse").SeesNot("what next")
	_ = nodes
}

// In a room of thirty people each is told apart, and the list of members fits every screen.
func TestThirtyPeopleInARoom(t *testing.T) {
	for _, size := range [][2]int{{40, 10}, {80, 24}, {120, 40}, {200, 60}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			node := tuitest.NewNode(clock)
			ids := tuitest.Rooms(node)
			u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, size[0], size[1])
			u.Press("ctrl+k").Type("Harbour").Enter().Expect().Sees("Welcome, all.")
			for _, keys := range [][]string{nil, {"alt+g"}, {"esc"}, {"esc", "M"}, {"end"}, {"enter"}, {"esc"}, {"v"}, {"esc"}, {"esc"}, {"P"}, {"esc"}, {"N"}, {"esc"}, {"L"}, {"esc"}, {"X"}, {"esc"}, {"Y"}, {"esc"}, {"up", "up", "up", "up", "s"}} {
				u.Press(keys...)
				checkFrame(t, u, size[0], size[1], fmt.Sprint(keys))
			}
			_ = ids
		})
	}
}

// What a fork is: a banner, and the proof behind it.
func TestProofOfTwoThings(t *testing.T) {
	node := tuitest.NewNode(clock)
	room := node.RoomOf("Lighthouse", "Anna", "Ben")
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 160, 30)
	node.Says(room, "Anna", "hello")
	u.Expect().Sees("hello").SeesNot("two things")
	node.Forks(room, "Anna", "I voted yes.", "I voted no.")
	u.Expect().Sees("! Anna said two things under", "alt+g proof")
	u.Press("alt+g").Expect().Sees("The proof of two things")
	u.Press("f").Expect().Sees("One says:", "┃ I voted yes.", "The other says:", "┃ I voted no.", "Nothing is done to them")
	u.Press("esc")

	node.Heals(room, true)
	u.Expect().Sees("People just removed may still read")
	node.Heals(room, false)
	u.Expect().SeesNot("may still read")
}

// Who is back with an old copy, and hears nobody, is told so in the conversation and above it, in their language, and can leave.
func TestNobodyReadsTheOwner(t *testing.T) {
	for language, said := range map[string][2]string{
		"en": {"nobody has answered", "perhaps nobody reads you here"},
		"de": {"niemand hat geantwortet", "vielleicht liest dich hier niemand"},
		"ru": {"никто не ответил", "возможно, тебя здесь никто не читает"},
	} {
		node := tuitest.NewNode(clock)
		room := node.RoomOf("Lighthouse", "Anna", "Ben")
		u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: language}, 160, 30)
		u.Expect().SeesNot(said[0], said[1])
		node.Unheard(room, true)
		u.Expect().Sees(said[0], said[1])
		if u.Press("alt+g", "l", "y"); language == "en" {
			u.Expect().Sees("You have left")
		}
	}

	node := tuitest.NewNode(clock)
	room := node.RoomOf("Lighthouse", "Anna", "Ben")
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 160, 30)
	node.Unheard(room, true)
	u.Expect().Sees("perhaps nobody reads you here")
	node.Unheard(room, false)
	u.Expect().SeesNot("perhaps nobody reads you here")
}

// Names that are others', ours or none are told apart by digits of their IDs.
func TestNamesOfMembersAreToldApart(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.SetStatus(func(s *api.Status) { s.Name = safetext.Line("Robin") })
	names := []string{"alice", "Alice", "аlice", "a\u200blice", "a\u0301lice", "robin", "you", "\u202ealice", strings.Repeat("👨‍👩‍👧‍👦", 2), "", "✓ verified", "Note to self", "bob"}
	room := node.RoomOf("Masks")
	byName := map[string]int{}
	var ids []string
	for _, n := range names {
		ids = append(ids, node.Joins(room, n))
	}
	for i, id := range ids {
		node.Says(room, id, fmt.Sprintf("I am number %d", i))
	}
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 100, 60)
	u.Expect().Sees("number 12")
	lines := strings.Split(u.Screen(), "\n")
	for i, l := range lines {
		if strings.Contains(l, "I am number") && !strings.Contains(l, "bob: I am") {
			who, _, _ := strings.Cut(strings.TrimSpace(lines[i-1][strings.LastIndex(lines[i-1][:40], "│")+3:]), "  ")
			byName[who]++
			if alone := who == "bob" || who == "· verified" || strings.HasPrefix(who, "👨"); alone == strings.Contains(who, "#") {
				t.Errorf("somebody is called %q", who)
			}
		}
	}
	if len(byName) != len(names) {
		t.Errorf("%d names of %d: %v\n%s", len(byName), len(names), byName, u.Screen())
	}
	if byName["bob"] != 1 {
		t.Errorf("bob needs no digits: %v", byName)
	}

	// A mention by the completion is of the one that was chosen.
	u.Type("hi @bob").Press("tab").Expect().Sees("hi @bob ")
	checkFrame(t, u, 100, 60, "masks")
}

// Nothing that a member chooses reaches the terminal.
func TestHostileMembers(t *testing.T) {
	for _, size := range [][2]int{{40, 10}, {100, 30}} {
		node := tuitest.NewNode(clock)
		tuitest.AttackRooms(node)
		u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, size[0], size[1])
		u.Enter()
		for _, keys := range [][]string{nil, {"esc", "M"}, {"end"}, {"enter"}, {"esc"}, {"esc"}, {"P"}, {"end"}, {"esc"}, {"T"}, {"esc"}, {"k", "k", "k", "T"}, {"esc"}, {"alt+g"}, {"esc"}, {"i"}} {
			u.Press(keys...)
			checkFrame(t, u, size[0], size[1], fmt.Sprint(keys))
			for _, bad := range []string{"\x1b]0;", "\x1b]52", "\u202e", "\x1b[2J", "\u200b"} {
				if strings.Contains(u.View().Content, bad) {
					t.Errorf("%q reaches the terminal", bad)
				}
			}
		}
		for range 60 {
			u.Press("pgup")
			checkFrame(t, u, size[0], size[1], "scrolled")
		}
	}
}

// Joins and leaves stand in one line, which opens.
func TestJoinsAreFolded(t *testing.T) {
	node := tuitest.NewNode(clock)
	room := node.RoomOf("Lighthouse", "Anna")
	node.Says(room, "Anna", "before")
	for i := range 20 {
		node.Joins(room, fmt.Sprint("guest ", i))
	}
	node.Leaves(room, "guest 3")
	node.Says(room, "Anna", "behind")
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 160, 40)
	u.Expect().Sees("before", "behind", "▸ Joined: guest 0, guest 1, guest 2 and 17 more. Left: guest 3.").SeesNot("let in by")
	u.Press("esc", "up", "s").Expect().Sees("▾ Joined", "guest 7 joined", "guest 3 left.")
	u.Press("s").Expect().Sees("▸ Joined").SeesNot("guest 7 joined")
	u.Press("up").Press("enter").Expect().Sees("Message") // the selection goes past what is folded
	node.Joins(room, "one more")
	u.Press("esc").Expect().Sees("one more joined")
}

// Who asked and was let in stands in the same line; who waits is seen.
func TestAnsweredKnocksAreFolded(t *testing.T) {
	nodes, users, room := company(t, 100, 30)
	anna := users[0]
	invite, err := nodes[0].InviteToRoom(t.Context(), api.RoomInviteRequest{Room: room, Uses: 5, Approve: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"Ben", "Carla"} {
		if _, err := nodes[i+1].JoinRoom(t.Context(), api.JoinRoomRequest{Link: invite.Link, Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	anna.Expect().Sees("Ben asks to be let in.", "Carla asks to be let in.")
	anna.Press("alt+g", "w").Expect().Sees("2 wait to be let in")
	anna.Press("y").Expect().Sees("2 members")
	anna.Press("esc").Expect().Sees("Carla asks to be let in.", "Ben joined.")
	anna.Press("alt+g", "w", "y").Expect().Sees("3 members")
	anna.Press("esc").Expect().Sees("▸ Joined: Ben, Carla.").SeesNot("asks to be let in", "Asked")
	anna.Press("esc", "s").Expect().Sees("Ben asks to be let in.", "Carla asks to be let in.", "Ben joined.")
}

// A thread is shown from any of its messages, and one of them is gone to.
func TestThread(t *testing.T) {
	node := tuitest.NewNode(clock)
	room := node.RoomOf("Lighthouse", "Anna", "Ben")
	reply := func(to string) api.Message { return api.Message{Reply: &api.Quote{ID: to}} }
	first := node.Says(room, "Anna", "Who has the key?")
	node.Says(room, "Ben", "Unrelated.")
	say := func(who, to, text string) string {
		m := reply(to)
		m.Text = safetext.Line(text)
		return node.SaysMessage(room, who, m)
	}
	second := say("Ben", first, "I do.")
	say("Anna", second, "Bring it.")
	node.Says(room, "Anna", "More noise.")
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 100, 40)
	u.Expect().Sees("More noise.")
	u.Press("esc", "up", "T").Expect().Sees("Thread of 3 messages", "Who has the key?", "I do.", "Bring it.").SeesNot("Unrelated", "More noise")
	u.Press("up", "r").Expect().Sees("↳ Ben", "I do.", "More noise.")
	u.Press("esc", "esc", "k", "k", "k", "T").Expect().Sees("Nothing answers this message")
}

// What is new since one was away has a line, a hint above when it is out of view, and a key.
func TestNewSinceAway(t *testing.T) {
	node := tuitest.NewNode(clock)
	room := node.RoomOf("Lighthouse", "Anna")
	for i := range 60 {
		node.SaysMessage(room, "Anna", tuitest.Text(fmt.Sprint("number ", i), noon.Add(time.Duration(i-90)*10*time.Minute), false))
	}
	node.MarkAllRead(room)
	node.Unread(room, 40)
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 100, 30)
	u.Expect().Sees("40 new since you were away", "number 20")
	u.Press("esc", "end").Expect().Sees("number 59", "↑ 40 new since you were away").SeesNot("number 20 ")
	u.Press("u").Expect().Sees("number 20", "40 new since you were away")
}
