package linear_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/linear"
	"starling/tui/tuitest"
)

// TestLinearRoom: a room line by line, from its making to leaving it.
func TestLinearRoom(t *testing.T) {
	both := tuitest.Company(clock, "Ada", "Bob")
	ada, bob := both[0], both[1]
	l := begin(t, ada)
	l.say("/room members").expect("No room is open")
	l.say("/room").expect("/room new NAME: make a room.", "/room leave: leave the room")
	l.say("/room dance").expect("There is no command /room dance")
	l.say("/room new").expect("Say what it is to be called")
	l.say("/room new the pier").expect("Conversation with the pier (room, owner, 1 person).", "Notice, the pier: You made the room.")
	l.say("/room invite 3 approve 2h").expect("For 3 people. It works until", "starling-room:")
	l.say("/room invite many").expect("That is no time")
	l.say("/room links").expect("1. For 3, used by 0, open until")
	all, err := ada.ListRooms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id := all[0].ID
	ada.Fills(id)
	l.say("/room links").expect("Somebody fills it: soon nobody else can ask by it.")
	links, err := ada.RoomInvites(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}

	// Bob is line by line, too, and is told what he enters.
	b := begin(t, bob)
	b.say("/room join").expect("There is no link")
	b.say("/room join starling:abc").expect("This is no link into a room")
	b.say("/room join "+links[0].Link+" Bobby").expect(tuitest.Statement, "Its author is asked before you are let in.", "Answer yes or no.")
	b.say("no").expect("Nothing was done.")
	b.say("/room join "+links[0].Link+" Bobby").expect("Answer yes or no.").say("yes").expect("Asked.", "Conversation with the pier (room, waiting to be let in).")
	b.say("may I?").expect("You are not in this room")
	l.expect("Notice, the pier: Bobby asks to be let in.")
	l.say("/room members").expect("1. Ada (owner, you)", "2. Bobby (waiting at the door)")
	l.say("/room approve bob").expect("Bobby is let in.", "Bobby joined. You let them in.")
	b.expect("You are in the room.")

	// Who says what, and to whom.
	b.say("hello @ada").expect("you, message 1", "Message 1 to the pier: sent")
	l.expect("Bobby, message 1: (names you) hello @ada")
	l.say("/react 1 rocket").expect("You react: 🚀")
	b.expect("Ada reacts to message 1: 🚀")
	l.say("/reply 1 and to you").expect("(answers: message 1) and to you")
	b.expect("Ada, message 2: (names you) (answers: message 1) and to you")
	b.say("/delete 1 both").expect("You took message 1 back.")
	l.expect("Bobby took message 1 back.")

	// Roles and settings.
	l.say("/room role Bobby king").expect("That is no role")
	l.say("/room role Zoe admin").expect("Nobody of that name is in the room")
	l.say("/room role bobby admin").expect("The role of Bobby is admin now.")
	b.expect("Your role is admin now.")
	b.say("/room name the long pier").expect("The room is called the long pier now.")
	l.expect("The room is called the long pier now.")
	l.say("/room history 50").expect("Newcomers are given 100 messages or none")
	l.say("/room history 100").expect("Newcomers are shown the last 100 messages.")
	l.say("/room writers admins").expect("Only the owner and admins write now.")
	l.say("/room timer 1h").expect("New messages disappear 1 hour after they were read.")
	l.say("/room").expect("the long pier: owner, 2 people, 1 names you, only admins write.")
	l.say("/room verified 2").expect("No numbers were read out yet")
	l.say("/room verify 2").expect("1: 37287", "type /room verified Bobby.").say("/room verified 2").expect("Bobby is verified.")
	l.say("/room block 2").expect("Bobby is blocked.").say("/room members").expect("2. Bobby (admin, verified, blocked)").say("/room unblock 2").expect("Bobby is unblocked.")
	l.say("/room withdraw 9").expect("No open link has that number").say("/room withdraw 1").expect("The link works no more.")

	// Out again.
	l.say("/room leave").expect("Leave the room?").say("yes").expect("The owner cannot leave")
	b.say("/room accept").expect("Nobody offers you this room")
	for _, line := range []string{"/room forget", "/room forget yes"} {
		b.say(line).expect("You are in this room. Type /room leave first.")
	}
	l.say("/room role bobby owner").expect("You offer the room to Bobby.")
	b.expect("Ada offers you the room.")
	b.say("/room accept").expect("The room is yours now.")
	b.say("/room remove Ada").expect("Remove Ada from the room?").say("no").expect("Nothing was done.")
	b.say("/room ban Ada yes").expect("You removed Ada, and the links that they made.")
	l.expect("Bobby removed you, and the links that you made.")
	l.say("still here?").expect("You are not in this room")
	l.say("/list").expect("the long pier (room, you were removed")
	l.say("/room forget").expect("Erase the room").say("yes").expect("Removed.")
}

// TestLinearRoomsElsewhere: messages of a room that is not open say where they are; who came
// and went is folded in a history, and not read out elsewhere.
func TestLinearRoomsElsewhere(t *testing.T) {
	n := tuitest.NewNode(clock)
	n.Meet("alice")
	room := n.RoomOf("crowd", "Nils")
	for _, name := range []string{"Ida", "Jonas", "Karin", "Lasse"} {
		n.Joins(room, name)
	}
	n.Leaves(room, "Ida")
	n.Says(room, "Nils", "welcome")
	l := begin(t, n)
	l.expect("alice", "crowd (room, owner, 5 people, 1 new)").say("/open alice").expect("Conversation with alice")
	n.Joins(room, "Mona")
	n.Says(room, "Nils", "how are you?")
	l.expect("Nils in crowd, message 1: how are you?")
	if strings.Contains(l.text(), "Mona") {
		t.Errorf("read out: %s", l.text())
	}
	l.say("/open crowd").say("/history").expect("Joined: Ida, Jonas, Karin and 1 more. Left: Ida.", "Nils, message 2: welcome", "Joined: Mona.")
	n.Forks(room, "Nils", "yes", "no")
	l.expect("Nils said two things under one number")
	l.say("/room").expect("Nils said two things under one number: yes And: no")
	l.say("/incognito").expect("hidden")
	n.Says(room, "Nils", "a secret")
	l.expect("somebody, message 3: (hidden)")
	n.Unheard(room, true)
	l.expect("contact 2: back with an old copy, and nobody was heard since.")
	l.say("/room").expect("back with an old copy, and nobody was heard since")
	n.Stands(room, api.RoomAway)
	l.expect("contact 2: lost its place, asking for it.")
	l.say("/room members").expect("2. somebody (member)")
}

// TestLinearRoomLanguages: what is said of rooms is said in the person's language.
func TestLinearRoomLanguages(t *testing.T) {
	for language, want := range map[string][]string{
		"de": {"(Raum, Eigentümer, 2 Personen)", "Du hast Nils entfernt.", "Kein Raum"},
		"ru": {"(комната, владелец, 2 человека)", "Ты удаляешь: Nils.", "Ни одна комната"},
	} {
		n := tuitest.NewNode(clock)
		n.RoomOf("crew", "Nils")
		r, w := io.Pipe()
		l := &talk{t: t, in: w, ended: make(chan error, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { l.ended <- linear.Run(ctx, n, linear.Options{Now: clock, Language: language}, r, l) }()
		l.expect(want[0]).say("/room members").expect(want[2]).say("/open crew").say("/room remove Nils yes").expect(want[1])
		cancel()
		w.Close()
		<-l.ended
	}
}

// TestLinearHostileRoom: nothing that a member chooses reaches the terminal as more than text.
func TestLinearHostileRoom(t *testing.T) {
	n := tuitest.NewNode(clock)
	room := tuitest.AttackRooms(n)
	l := begin(t, n)
	l.say("/open " + room).say("/history 1000").say("/room members").say("/room").expect("/room leave")
	for _, line := range strings.Split(l.text(), "\n") {
		if strings.ContainsAny(line, "\x1b\x07\u009b\u202e\r") {
			t.Fatalf("%q", line)
		}
	}
}

// TestLinearTalkAlone: a member offers another one a conversation of two, who declines it, and takes the next.
func TestLinearTalkAlone(t *testing.T) {
	both := tuitest.Company(clock, "Ada", "Bob")
	ada, bob := both[0], both[1]
	room, err := ada.CreateRoom(t.Context(), api.CreateRoomRequest{Name: "the pier"})
	if err != nil {
		t.Fatal(err)
	}
	link, err := ada.InviteToRoom(t.Context(), api.RoomInviteRequest{Room: room.ID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.JoinRoom(t.Context(), api.JoinRoomRequest{Link: link.Link}); err != nil {
		t.Fatal(err)
	}
	l, b := begin(t, ada), begin(t, bob)
	l.say("/open the pier").say("/room private Bob").expect("They learn that this contact is you in the room.", "Offer Bob a conversation of two?").say("no").expect("Nothing was done.")
	l.say("/room private Bob yes").expect("You offer Bob a conversation of two.")
	b.say("/open the pier").expect("1 offers you a conversation of two")
	b.say("/room members").expect("Ada (owner, offers you a conversation of two)")
	b.say("/room decline Ada").expect("Declined.")
	b.say("/room take Ada").expect("This member offers no conversation of two")
	l.say("/room private Bob yes").expect("You offer Bob a conversation of two.")
	b.expect("Ada offers you a conversation of two.").say("/room take Ada").expect("Conversation with Ada")
}

// TestLinearAhead: what came ahead is read out in the open room, once, and when the room is opened; it has no number.
func TestLinearAhead(t *testing.T) {
	node := tuitest.NewNode(clock)
	room := node.RoomWith("the pier", api.RoleMember, "Ada", "Bob")
	early := func(text string) api.Message {
		return api.Message{Member: node.MemberOf(room, "Bob"), From: safetext.Line("Bob"), Text: safetext.Clean(text), Time: clock()}
	}
	l := begin(t, node)
	l.say("/open the pier").expect("Conversation with the pier")
	node.Says(room, "Ada", "long read")
	l.expect("Ada, message 1: long read")
	tuitest.Ahead(node, room, 4900, early("almost new"), early("the newest"))
	l.expect("the pier: about 4900 older messages are being fetched. The newest:", "Bob, ahead of its place: almost new", "Bob, ahead of its place: the newest")
	tuitest.Ahead(node, room, 4000, early("the newest"))
	node.Says(room, "Bob", "an older one")
	l.expect("Bob, message 2: an older one")
	if n := strings.Count(l.text(), "the newest"); n != 1 {
		t.Errorf("read out %d times", n)
	}
	l.say("/open the pier").expect("about 4000 older messages are being fetched", "Bob, ahead of its place: the newest")
	tuitest.Ahead(node, room, 0)
	node.Says(room, "Bob", "the newest")
	l.expect("Bob, message 3: the newest")
}
