package tui_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui"
	"starling/tui/tuitest"
)

// roomed returns a node that owns a room with Anna and Ben, and a user in it.
func roomed(t testing.TB, role api.Role) (*tuitest.Node, string, *tuitest.User) {
	node := tuitest.NewNode(clock)
	var room string
	if role == api.RoleOwner {
		room = node.RoomOf("Lighthouse", "Anna", "Ben")
	} else {
		room = node.RoomWith("Lighthouse", role, "Anna", "Ben")
	}
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 120, 40)
	u.Expect().Sees("Lighthouse", "3 members")
	return node, room, u
}

// Wherever one cannot write the text says why, and enter says it again.
func TestWhyOneCannotWrite(t *testing.T) {
	for state, want := range map[api.RoomState]string{
		api.RoomPending: "You wait to be let in,", api.RoomRefused: "You were not let in.", api.RoomLeft: "You left.",
		api.RoomRemoved: "You were removed.", api.RoomAway: "You lost your place;",
	} {
		node, room, u := roomed(t, api.RoleMember)
		node.Stands(room, state)
		u.Expect().Sees("› "+want, want)
		u.Type("no").Enter().Expect().Status(want)
		u.Press("alt+g").Expect().Sees("What others can learn of you here")
		checkFrame(t, u, 120, 40, string(state))
	}

	node, room, u := roomed(t, api.RoleReader)
	u.Expect().Sees("› You only read here. An admin can change that.")
	node.Gives(room, "Anna", "robin", api.RoleMember)
	u.Expect().Sees("› Write to Lighthouse", "Your role is member now.")
}

// Settings are changed in a form by those that may, and shown to the others.
func TestSettingsOfARoom(t *testing.T) {
	node, room, u := roomed(t, api.RoleOwner)
	u.Press("esc", "N").Expect().Sees("Settings of the room", "Newcomers are given")
	u.Type(" 2").Enter().Press("right").Enter().Press("right").Enter().Press("right").Enter()
	u.Expect().Sees("Lighthouse 2", "The room is called Lighthouse 2 now.", "Only the owner and admins write now.", "the last 100 messages")
	all, _ := node.ListRooms(t.Context())
	if r := all[0]; r.ID != room || r.History != 100 || !r.AdminsOnly || r.Timer != 30 || r.Name.String() != "Lighthouse 2" {
		t.Errorf("%+v", r)
	}
	u.Press("N", "enter", "enter", "enter", "enter").Expect().SeesNot("Settings of the room") // nothing changes

	_, _, u = roomed(t, api.RoleMember)
	u.Press("esc", "N").Expect().Sees("who writes", "The owner and the admins can change this.")
	u.Press("esc", "L").Expect().Status("Only the owner and the admins")
	u.Press("M", "end").Expect().Sees("verify").SeesNot("ban")
}

// The owner offers the room, leaves it and removes it; the other takes it.
func TestHandingOverAndLeaving(t *testing.T) {
	nodes := tuitest.Company(clock, "Anna", "Ben")
	anna := tuitest.NewUserAt(t, nodes[0], tui.Options{Now: clock, Language: "en"}, 120, 40)
	ben := tuitest.NewUserAt(t, nodes[1], tui.Options{Now: clock, Language: "en"}, 120, 40)
	anna.Press("alt+n").Type("Lighthouse").Enter().Enter().Expect().Sees("Write to Lighthouse")
	anna.Press("alt+g", "i").Enter().Press("left").Enter().Enter().Press("c", "esc")
	ben.Paste(anna.Clipboard()).Enter().Enter().Expect().Sees("Write to Lighthouse")

	anna.Expect().Sees("2 members")
	anna.Press("esc", "X").Expect().Status("You are the owner: offer the room to somebody first")
	anna.Press("M", "down", "r", "o").Expect().Sees("Offer the room to Ben?")
	anna.Press("y", "esc")
	ben.Expect().Sees("The owner offers you the room.")
	ben.Press("alt+g", "t").Expect().Sees("The room is yours now.")
	anna.Expect().Sees("The room belongs to Ben now.", "admin")
	anna.Press("X").Expect().Sees("Leave Lighthouse?")
	anna.Press("y").Expect().Sees("You left.")
	ben.Expect().Sees("Anna left.")
	anna.Press("D").Expect().Sees("Remove Lighthouse?")
	anna.Press("y").Expect().SeesNot("Lighthouse ⁂")
	if _, err := nodes[0].History(t.Context(), api.HistoryRequest{Contact: "Lighthouse"}); err == nil {
		t.Error("the room is still there")
	}
}

// Links into a room are listed, shown again and withdrawn.
func TestLinksIntoARoom(t *testing.T) {
	node, room, u := roomed(t, api.RoleOwner)
	u.Press("esc", "K").Expect().Status("No open links into this room.")
	u.Press("L").Enter().Enter().Enter().Press("esc")
	u.Press("K").Expect().Sees("Open links into the room", "0 of 1 used")
	u.Enter().Expect().Sees("A link into Lighthouse", "Withdraw").SeesNot("fills")
	node.Fills(room)
	u.Press("esc", "esc", "K").Expect().Sees("0 of 1 used", "somebody fills it")
	u.Enter().Expect().Sees("A link into Lighthouse", "nobody else can ask by it")
	u.Press("w").Expect().Sees("Withdraw this link?")
	u.Press("y").Expect().Status("Withdrawn.")
	if all, _ := node.RoomInvites(t.Context(), room); len(all) != 0 {
		t.Error("the link is still open")
	}
}

// Enter joins nothing before the whole card was in view, on the smallest screen.
func TestCardIsReadWhole(t *testing.T) {
	node := tuitest.NewNode(clock)
	link := node.LinkElsewhere("Elsewhere", true, "Zoe")
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 40, 10)
	u.Paste(link).Expect().Sees("Join a room", "Read on")
	seen := u.Screen()
	for range 12 {
		if strings.Contains(u.Screen(), "Go on") {
			break
		}
		u.Enter()
		seen += u.Screen()
		checkFrame(t, u, 40, 10, "card")
	}
	for _, part := range []string{"What is said", "your guard", "reviewed them", "is asked before"} {
		if !strings.Contains(seen, part) {
			t.Errorf("%q was not in view", part)
		}
	}
	u.Expect().Sees("Go on")
	u.Enter().Expect().Sees("Your name in it")
	if strings.Contains(strings.Join(node.Calls(), " "), "JoinRoom") {
		t.Error("it was joined already")
	}
	u.Type("Kim").Enter().Expect().Sees("waiting to be let in")
	node.Stands(mustRoom(t, node), api.RoomReady)
	u.Expect().Sees("Elsewhere").SeesNot("waiting to be let in")
}

func mustRoom(t *testing.T, node *tuitest.Node) string {
	all, err := node.ListRooms(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return all[0].ID
}

// A link that is pasted into a conversation is for the text or for oneself: it is asked.
func TestLinkPastedIntoAConversation(t *testing.T) {
	node, _, u := roomed(t, api.RoleOwner)
	link := node.LinkElsewhere("Elsewhere", false, "Zoe")
	u.Type("look: ").Paste(link).Expect().Sees("Do you want to join this room")
	u.Press("y").Expect().Sees("hidden from all who are not in it")
	u.Press("esc").Expect().Sees("look:").SeesNot("starling-room:")
	u.Paste(link).Press("esc").Expect().Sees("starling-room:")

	// In a message it is opened as a link, and in the form for invites too.
	u.Press("ctrl+u")
	for range 8 {
		u.Press("ctrl+u")
	}
	node.Says(mustRoom(t, node), "Anna", "Here: "+link)
	u.Expect().Sees("Here:")
	u.Press("esc", "l").Expect().Sees("Join a room", "hidden from all")
	u.Press("esc", "ctrl+o").Paste(link).Enter().Enter().Expect().Sees("hidden from all")
}

// A muted room is silent, but for those that name us.
func TestMentionIsToldThoughMuted(t *testing.T) {
	node, room, u := roomed(t, api.RoleMember)
	u.Press("esc", "m").Expect().Status("Muted")
	u.Do(tea.BlurMsg{})
	u.Raw()
	node.Says(room, "Anna", "nothing for you")
	u.Expect().Sees("nothing for you")
	if raw := u.Raw(); raw != "" {
		t.Errorf("%q was told", raw)
	}
	node.Says(room, "Ben", "but @robin, this is")
	u.Expect().Sees("this is", "@you")
	u.Expect().That("a notification", func() bool { return u.Raw() != "" })
}

// The messages of a blocked member are gone here, and those that the screen still has are
// hidden.
func TestBlockedMember(t *testing.T) {
	node, room, u := roomed(t, api.RoleMember)
	node.Says(room, "Ben", "something rude")
	node.Says(room, "Anna", "something kind")
	u.Expect().Sees("something rude", "something kind")
	u.Press("esc", "M").Press("end").Expect().Sees("block here")
	u.Press("b").Expect().Sees("blocked", "unblock")
	u.Press("esc").Expect().Sees("hidden: you have blocked them", "something kind").SeesNot("something rude")
	u.Press("M", "end", "b").Expect().Status("is shown again")
	u.Press("esc").Expect().Sees("something rude")
}

// Two members compare their numbers as two contacts do.
func TestVerifyMember(t *testing.T) {
	_, _, u := roomed(t, api.RoleMember)
	u.Press("esc", "M", "v").Expect().Sees("Verify Anna", "37287", "under this name").SeesNot("new contact")
	u.Press("m").Expect().Sees("✓ verified")
	u.Press("v", "u").Expect().SeesNot("✓ verified")
}

// A search says who wrote, and narrows to one member.
func TestSearchInARoom(t *testing.T) {
	node, room, u := roomed(t, api.RoleMember)
	node.Says(room, "Anna", "the tide is high")
	node.Says(room, "Ben", "the tide is low")
	u.Press("alt+/").Type("tide").Expect().Sees("Search in Lighthouse", "Anna", "Ben", "2 messages")
	u.Type(" from:Ben").Expect().Sees("1 message")
	u.Press("esc", "ctrl+s")
	for range 20 {
		u.Press("backspace")
	}
	u.Type("tide").Expect().Sees("Anna in Lighthouse", "Ben in Lighthouse")
}

// Names and texts of a room are hidden with all others.
func TestRoomInIncognito(t *testing.T) {
	node, room, u := roomed(t, api.RoleOwner)
	node.Says(room, "Anna", "a secret for @Ben")
	node.Forks(room, "Ben", "left hand", "right hand")
	node.Knocks(room, "Zoe")
	u.Expect().Sees("a secret")
	u.Press("f5")
	for _, keys := range [][]string{nil, {"esc", "M"}, {"enter"}, {"esc", "esc", "P"}, {"esc", "alt+g"}, {"esc", "N"}, {"esc", "T"}, {"esc", "L"}, {"esc", "i"}} {
		u.Press(keys...)
		for _, secret := range []string{"Anna", "Ben", "Zoe", "Lighthouse", "secret", "hand"} {
			if strings.Contains(u.View().Content, secret) {
				t.Errorf("%v: %q is on the screen\n%s", keys, secret, u.Screen())
			}
		}
	}
}

// A message that names everybody, and a room of 32 people with one name.
func TestEverybodyHasOneName(t *testing.T) {
	node := tuitest.NewNode(clock)
	names := make([]string, api.MaxMembers-1)
	for i := range names {
		names[i] = fmt.Sprint("m", i)
	}
	room := node.RoomOf("Crowd", names[:1]...)
	var ids []string
	for range api.MaxMembers - 2 {
		ids = append(ids, node.Joins(room, "Sam"))
	}
	for _, id := range ids {
		node.Says(room, id, strings.Repeat("@Sam ", 40))
	}
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 120, 40)
	u.Expect().Sees("@Sam @Sam")
	u.Type("@s").Expect().Sees("Sam#")
	u.Press("tab").Enter()
	said := strings.TrimSpace(node.Last(room).Text.String())
	if !strings.HasPrefix(said, "@Sam#") || len(said) < len("@Sam#1234") {
		t.Errorf("%q", said)
	}
	checkFrame(t, u, 120, 40, "Sam")
}

// An emoji of 64 bytes, a name of 64 wide letters: a name gives way to its digits and time.
func TestLongNamesOfMembers(t *testing.T) {
	for _, size := range [][2]int{{40, 10}, {120, 40}} {
		node := tuitest.NewNode(clock)
		room := node.RoomOf("Crowd")
		for _, name := range []string{strings.Repeat("世", 21), strings.Repeat("👩\u200d", 9) + "👩", strings.Repeat("x", 64), strings.Repeat("x", 64), "דנה", "e" + strings.Repeat("\u0301", 30)} {
			id := node.Joins(room, name)
			node.SaysMessage(room, id, api.Message{Text: safetext.Line("hello"), Mention: true, Reactions: []api.Reaction{{Member: id, Emoji: safetext.Line("👍")}}})
		}
		u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, size[0], size[1])
		if size[0] < 60 {
			u.Enter()
		}
		u.Expect().Sees("hello", "12:00")
		for _, keys := range [][]string{nil, {"esc", "M"}, {"esc"}, {"k"}, {"k"}, {"k"}, {"r"}} {
			u.Press(keys...)
			checkFrame(t, u, size[0], size[1], fmt.Sprint(keys))
		}
	}
}

// A draft of a room is kept and shown in the list.
func TestDraftInARoom(t *testing.T) {
	node := tuitest.NewNode(clock)
	room := node.RoomOf("Lighthouse", "Anna")
	other := node.Meet("alice")
	u, pass := patient(t, node, tui.Options{Now: clock, Language: "en"})
	u.Open("Lighthouse").Expect().Sees("Write to Lighthouse")
	u.Type("half a thought")
	pass(time.Second)
	if d := node.Draft(room); d.Text != "half a thought" {
		t.Errorf("%+v", d)
	}
	u.Open("alice").Expect().Sees("draft: half")
	_ = other
}

// Commands of rooms are those of the app line by line; for some there is a form or a pane.
func TestRoomCommands(t *testing.T) {
	node, room, u := roomed(t, api.RoleOwner)
	link := node.LinkElsewhere("Elsewhere", false, "Zoe")
	for line, want := range map[string]string{
		"/room": "Leave the room", "/room members": "3 members", "/room settings": "Newcomers are given", "/room new Attic": "Attic",
		"/room invite": "For how many people?", "/room join " + link: "hidden from all", "/room leave": "You are the owner", "/room links": "No open links",
	} {
		u.Type(line)
		u.Enter().Expect().Sees(want)
		u.Press("esc", "i")
		for range 4 {
			u.Press("ctrl+u")
		}
	}

	// The others are obeyed as there.
	u.Type("/room ro").Press("tab").Type("be").Press("tab").Type(" admin").Enter()
	u.Expect().That("an admin", func() bool {
		all, _ := node.Members(t.Context(), room)
		for _, m := range all {
			if m.Name.String() == "Ben" && m.Role == api.RoleAdmin {
				return true
			}
		}
		return false
	})
}

// A link that is none, or over, says so where it was pasted, and nothing is opened.
func TestBadLinkIntoARoom(t *testing.T) {
	node := tuitest.NewNode(clock)
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 100, 30)
	u.Paste("starling-room:abc").Expect().Status("This is no link into a room")
	u.Press("J").Type("starling:abc").Enter().Expect().SeesNot("Go on")
	link := node.LinkElsewhere("Elsewhere", false, "Zoe")
	node.Fail("JoinRoom", &api.Error{Code: api.CodeInviteExpired, Message: "the link has expired", Hint: "ask for another"})
	u.Press("esc", "esc").Paste(link).Enter().Enter().Expect().Sees("The link has expired. Ask for another", "Your name in it")
	u.Enter().Expect().Sees("Write to Elsewhere")
}

// A member's answers can name each other in a circle, and what nobody has: a thread ends.
func TestThreadInACircle(t *testing.T) {
	node, room, u := roomed(t, api.RoleMember)
	id := func(c string) string { return strings.Repeat(c, 32) }
	say := func(own, to string) {
		node.SaysMessage(room, "Anna", api.Message{ID: id(own), Text: safetext.Line("round " + own), Reply: &api.Quote{ID: id(to), Text: safetext.Line("round " + to)}})
	}
	say("a", "b")
	say("b", "a")
	say("c", "f")
	u.Expect().Sees("round c")
	u.Press("esc", "up", "T").Expect().Sees("Thread of 2 messages", "round a", "round b").SeesNot("round c")
	u.Press("esc", "end", "T").Expect().Status("Nothing answers this message")
}

// The mouse selects a member, and opens what can be done with the selected one.
func TestMembersByMouse(t *testing.T) {
	_, _, u := roomed(t, api.RoleOwner)
	u.Press("esc", "M").Expect().Sees("3 members", "Ben")
	click := func() {
		t.Helper()
		for y, line := range strings.Split(u.Screen(), "\n") {
			if strings.Contains(line, "Ben  ") && strings.Contains(line, "member │") || strings.Contains(line, "Ben  ") && strings.Contains(line, "member   │") {
				u.ClickAt(60, y)
				return
			}
		}
		t.Fatalf("no Ben:\n%s", u.Screen())
	}
	click()
	u.Expect().Sees("▌ Ben")
	click()
	u.Expect().Sees("─ Ben ─", "block here")
}

// Once a node that was lost is back, the members of its rooms are asked for again.
func TestMembersAfterAGap(t *testing.T) {
	node, room, u := roomed(t, api.RoleMember)
	before := strings.Count(strings.Join(node.Calls(), "\n"), "Members")
	node.Break()
	node.Says(room, "Anna", "are you there?")
	u.Expect().Sees("are you there?")
	u.Expect().That("the members are asked for", func() bool {
		return strings.Count(strings.Join(node.Calls(), "\n"), "Members") > before
	})
}

// Only those who may invite are told how.
func TestEmptyRoom(t *testing.T) {
	for role, told := range map[api.Role]bool{api.RoleOwner: true, api.RoleAdmin: true, api.RoleMember: false} {
		node, room, u := roomed(t, role)
		if err := node.ClearConversation(t.Context(), room); err != nil {
			t.Fatal(err)
		}
		u.Expect().Sees("All members read what is written here")
		if strings.Contains(u.Screen(), "alt+g, then i") != told {
			t.Errorf("%s:\n%s", role, u.Screen())
		}
		u.Press("esc").Expect().Sees("M  members", "N  settings")
		if strings.Contains(u.Screen(), "L  invite") != told {
			t.Errorf("%s:\n%s", role, u.Screen())
		}
	}
}
