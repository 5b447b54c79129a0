package tui_test

import (
	"strings"
	"testing"

	"starling/node/api"
)

// One member offers another one a conversation of two: both read the price of it first, nothing is
// opened before it is taken, and a third learns nothing.
func TestTalkAlone(t *testing.T) {
	nodes, users, room := company(t, 100, 30)
	anna, ben, carla := users[0], users[1], users[2]
	anna.Press("alt+g", "i").Press("backspace").Type("2").Enter().Press("left").Enter().Enter().Press("c", "esc")
	for i, u := range []struct{ paste, name string }{{anna.Clipboard(), "Ben"}, {anna.Clipboard(), "Carla"}} {
		users[i+1].Paste(u.paste).Enter().Type(u.name).Enter().Expect().Sees("Write to Lighthouse")
	}

	ben.Press("esc", "M").Expect().Sees("3 members")
	ben.Press("down", "down").Expect().Sees("talk alone")
	ben.Press("p").Expect().Sees("Offer Carla a conversation of two?", "They learn that this contact is you in the room.", "a new identity")
	if calls := strings.Join(nodes[1].Calls(), " "); strings.Contains(calls, "InviteMember") {
		t.Fatal("it was offered already")
	}
	ben.Press("y").Expect().Sees("Offered.")
	carla.Expect().Sees("Ben offers you a conversation of two.", "1 wants to talk alone.")
	anna.Expect().SeesNot("conversation of two", "talk alone")

	carla.Press("esc", "M").Expect().Sees("wants to talk alone")
	carla.Resize(40, 10)
	carla.Expect().Sees("Ben", "y talk alone").SeesNot("wants to talk alone ·")
	carla.Resize(100, 30)
	carla.Press("y").Expect().Sees("Talk with Ben alone?", "Nothing of it was opened yet.", "compare the safety number")
	if calls := strings.Join(nodes[2].Calls(), " "); strings.Contains(calls, "AnswerMember") {
		t.Fatal("it was taken already")
	}
	carla.Press("y").Expect().Sees("Write to Ben").SeesNot("wants to talk alone")
	if all, err := nodes[2].Contacts(t.Context()); err != nil || len(all) != 1 || all[0].As.String() != "Carla" {
		t.Errorf("%+v, %v", all, err)
	}

	// And what is declined is gone.
	nodes[0].Asks(room, "Ben")
	anna.Press("esc", "M").Expect().Sees("wants to talk alone", "decline")
	anna.Press("n").Expect().Sees("Declined.").SeesNot("wants to talk alone")
	if all, _ := nodes[0].Contacts(t.Context()); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

// A link into a room is sent to a contact from the room.
func TestSendALinkIntoARoom(t *testing.T) {
	node, room, u := roomed(t, api.RoleOwner)
	zoe := node.Meet("Zoe")
	u.Expect().Sees("Zoe")
	u.Press("esc", "U").Expect().Sees("Invite whom into Lighthouse?", "Zoe")
	u.Type("Zo").Enter().Expect().Sees("The link is sent")
	if last := node.Last(zoe); !strings.HasPrefix(last.Text.String(), "starling-room:") || !last.Outgoing {
		t.Fatalf("%+v", last)
	}
	links, err := node.RoomInvites(t.Context(), room)
	if err != nil || len(links) != 1 || links[0].Uses != 1 || links[0].Approve {
		t.Errorf("%+v, %v", links, err)
	}
}
