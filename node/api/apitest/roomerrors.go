package apitest

import (
	"fmt"
	"strings"
	"testing"

	"starling/node/api"
)

func roomErrors(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	for _, room := range []string{"", "nowhere", "Bob", api.Self, strings.Repeat("0", 64)} {
		for what, err := range map[string]error{
			"members":  second(p.Ada.Members(ctx, room)),
			"invite":   second(p.Ada.InviteToRoom(ctx, api.RoomInviteRequest{Room: room})),
			"invites":  second(p.Ada.RoomInvites(ctx, room)),
			"role":     second(p.Ada.ChangeMember(ctx, api.MemberRequest{Room: room, Member: "Bob", Role: api.RoleAdmin})),
			"answer":   p.Ada.AnswerKnock(ctx, api.KnockRequest{Room: room, Member: "Bob"}),
			"block":    second(p.Ada.BlockMember(ctx, api.BlockMemberRequest{Room: room, Member: "Bob"})),
			"number":   second(p.Ada.MemberVerification(ctx, room, "Bob")),
			"verified": second(p.Ada.SetMemberVerified(ctx, room, "Bob", "")),
			"settings": second(p.Ada.ChangeRoom(ctx, api.RoomRequest{Room: room})),
			"offer":    second(p.Ada.InviteMember(ctx, api.MemberInviteRequest{Room: room, Member: "Bob"})),
			"taking":   second(p.Ada.AnswerMember(ctx, api.MemberAnswerRequest{Room: room, Member: "Bob", Accept: true})),
			"leave":    p.Ada.LeaveRoom(ctx, room),
		} {
			wantCode(t, fmt.Sprintf("%s of %q", what, room), err, api.CodeNoRoom)
		}
	}

	for what, tt := range map[string]struct {
		req  api.CreateRoomRequest
		want api.Code
	}{
		"no name":           {api.CreateRoomRequest{}, api.CodeUsage},
		"an invisible name": {api.CreateRoomRequest{Name: "\u202e \u200b"}, api.CodeUsage},
		"65 bytes":          {api.CreateRoomRequest{Name: strings.Repeat("a", 65)}, api.CodeUsage},
		"an own name of 65": {api.CreateRoomRequest{Name: "a", As: strings.Repeat("a", 65)}, api.CodeUsage},
		"the note to self":  {api.CreateRoomRequest{Name: "Note to self"}, api.CodeContactExists},
	} {
		_, err := p.Ada.CreateRoom(ctx, tt.req)
		wantCode(t, what, err, tt.want)
	}

	wantCode(t, "no link", p.Ada.RevokeRoomInvite(ctx, "x"), api.CodeNoInvite)
	if all, err := p.Ada.ListRooms(ctx); err != nil || all == nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	_, err := p.Ada.Send(ctx, api.SendRequest{Contact: "nowhere", Text: "x"})
	wantCode(t, "send to nowhere", err, api.CodeNoContact)

	// A room and a contact of one name, or two rooms.
	if _, err := p.Ada.CreateRoom(ctx, api.CreateRoomRequest{Name: "Bob"}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a text to which Bob", p.sends("Bob", "x")(), api.CodeAmbiguous)
	if _, err := p.Ada.Members(ctx, "Bob"); err != nil {
		t.Errorf("a contact of the name of a room: %v", err)
	}
	if _, err := p.Ada.CreateRoom(ctx, api.CreateRoomRequest{Name: "Bob"}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "which of two rooms", second(p.Ada.Members(ctx, "Bob")), api.CodeAmbiguous)
}

func second[T any](_ T, err error) error { return err }

// roomNot is all that a conversation of two has and a room has not.
func roomNot(t *testing.T, p *Pair) {
	room := p.meetInRoom(t)
	ctx := t.Context()
	hour := 3600
	for what, err := range map[string]error{
		"a safety number": second(p.Ada.Verification(ctx, room)),
		"a comparison":    second(p.Ada.SetVerified(ctx, room, "")),
		"a private name":  second(p.Ada.RenameContact(ctx, room, "my room")),
		"a block":         second(p.Ada.BlockContact(ctx, room, true)),
		"an offered time": second(p.Ada.ChangeConversation(ctx, api.ConversationRequest{Contact: room, Timer: &hour})),
	} {
		wantCode(t, what, err, api.CodeUsage)
	}
}
