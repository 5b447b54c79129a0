package apitest

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
)

// The part of the suite about rooms. It is skipped for a pair without [Pair.Rooms].
func init() {
	for name, test := range roomSuite {
		suite[name] = func(t *testing.T, p *Pair) {
			if !p.Rooms {
				t.Skip("this node has no rooms yet")
			}
			test(t, p)
		}
	}
}

var roomSuite = map[string]func(*testing.T, *Pair){
	"room: make, join, talk":        roomMakeJoinTalk,
	"room: approve and refuse":      roomApprove,
	"room: links":                   roomLinks,
	"room: roles, remove, ban":      roomRoles,
	"room: hand over":               roomHandOver,
	"room: leave and forget":        roomLeave,
	"room: settings":                roomSettings,
	"room: edit, react, take back":  roomChanges,
	"room: kept as a conversation":  roomKept,
	"room: block and verify":        roomBlockVerify,
	"room: search":                  roomSearch,
	"room: events and notices":      roomEvents,
	"room: errors":                  roomErrors,
	"room: what no room has":        roomNot,
	"room: names and what is named": roomMentions,
}

// meetInRoom has Ada make a room and Bob join it, and returns its ID.
func (p *Pair) meetInRoom(t *testing.T) string {
	t.Helper()
	room, err := p.Ada.CreateRoom(t.Context(), api.CreateRoomRequest{Name: "the pier"})
	if err != nil {
		t.Fatal(err)
	}
	p.bobJoins(t, room.ID)
	return room.ID
}

// bobJoins has Bob join a room of Ada's by a new link.
func (p *Pair) bobJoins(t *testing.T, room string) {
	t.Helper()
	link, err := p.Ada.InviteToRoom(t.Context(), api.RoomInviteRequest{Room: room})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Bob.JoinRoom(t.Context(), api.JoinRoomRequest{Link: link.Link}); err != nil {
		t.Fatal(err)
	}
	p.roomIs(t, p.Bob, room, "let in", func(r *api.Room) bool { return r.State == api.RoomReady && r.Members == 2 })
	p.roomIs(t, p.Ada, room, "that Bob is in", func(r *api.Room) bool { return r.Members == 2 })
}

// roomIs waits until a room is as wanted at a node.
func (p *Pair) roomIs(t *testing.T, n api.Node, room, what string, cond func(*api.Room) bool) api.Room {
	t.Helper()
	var found api.Room
	eventually(t, what, func() bool {
		all, err := n.ListRooms(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(r api.Room) bool { return r.ID == room })
		if i < 0 {
			return false
		}
		found = all[i]
		return cond(&found)
	})
	return found
}

// memberOf returns a member of a room by name.
func memberOf(t *testing.T, n api.Node, room, name string) api.Member {
	t.Helper()
	all, err := n.Members(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(m api.Member) bool { return m.Name.String() == name })
	if i < 0 {
		t.Fatalf("no %s among %+v", name, all)
	}
	return all[i]
}

// says has a node say something in a room and waits until another one has it.
func (p *Pair) says(t *testing.T, from, to api.Node, req api.SendRequest) (sent, got api.Message) {
	t.Helper()
	sent, err := from.Send(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a message in a room", func() bool {
		got, err = to.Message(t.Context(), sent.ID)
		return err == nil
	})
	return sent, got
}

// notices are the changes that a room tells of, oldest first.
func notices(t *testing.T, n api.Node, room string) (kinds []api.RoomChangeKind) {
	t.Helper()
	all, err := n.History(t.Context(), api.HistoryRequest{Contact: room, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.State == api.StateNotice && m.Change != nil {
			kinds = append(kinds, m.Change.Kind)
		}
	}
	return kinds
}

func (p *Pair) waitNotice(t *testing.T, n api.Node, room string, kind api.RoomChangeKind) {
	t.Helper()
	eventually(t, "the notice "+string(kind), func() bool { return slices.Contains(notices(t, n, room), kind) })
}

func roomMakeJoinTalk(t *testing.T, p *Pair) {
	ctx := t.Context()
	room, err := p.Ada.CreateRoom(ctx, api.CreateRoomRequest{Name: "the pier"})
	if err != nil || room.ID == "" || room.Name.String() != "the pier" || room.State != api.RoomReady || room.Role != api.RoleOwner ||
		room.Members != 1 || room.As.String() != "Ada" || room.Me == "" || room.Created.IsZero() || room.History != 0 || room.AdminsOnly {
		t.Fatalf("%+v, %v", room, err)
	}
	link, err := p.Ada.InviteToRoom(ctx, api.RoomInviteRequest{Room: "the pier"})
	if err != nil || !strings.HasPrefix(link.Link, "starling-room:") || link.Uses != 1 || link.Used != 0 || link.Approve || link.Room != room.ID ||
		time.Until(link.Expires) < 23*time.Hour || time.Until(link.Expires) > 25*time.Hour {
		t.Fatalf("%+v, %v", link, err)
	}

	// The other side sees the card, and is let in.
	card, err := p.Bob.LookAtRoom(ctx, link.Link)
	if err != nil || card.Uses != 1 || card.Approve || card.Statement == "" || !card.Expires.Equal(link.Expires) {
		t.Fatalf("%+v, %v", card, err)
	}
	joined, err := p.Bob.JoinRoom(ctx, api.JoinRoomRequest{Link: "Come in:\n" + link.Link + "\nAda", Name: "Bobby"})
	if err != nil || joined.ID != room.ID || joined.As.String() != "Bobby" || joined.State != api.RoomPending && joined.State != api.RoomReady {
		t.Fatalf("%+v, %v", joined, err)
	}
	there := p.roomIs(t, p.Bob, room.ID, "let in", func(r *api.Room) bool { return r.State == api.RoomReady })
	if there.Role != api.RoleMember || there.Members != 2 || there.Name.String() != "the pier" || there.Me == room.Me {
		t.Errorf("%+v", there)
	}
	p.roomIs(t, p.Ada, room.ID, "that Bob is in", func(r *api.Room) bool { return r.Members == 2 })
	if all, err := p.Ada.RoomInvites(ctx, room.ID); err != nil || len(all) != 0 {
		t.Errorf("a link that is used up is open: %+v, %v", all, err)
	}

	// Both see both, under the names of this room.
	for _, n := range []api.Node{p.Ada, p.Bob} {
		all, err := n.Members(ctx, room.ID)
		if err != nil || len(all) != 2 || all[0].Role != api.RoleOwner || all[0].ID != room.Me || all[0].Self != (n == p.Ada) ||
			all[1].Name.String() != "Bobby" || all[1].ID != there.Me || all[1].By != room.Me || all[1].Since.IsZero() {
			t.Errorf("%+v, %v", all, err)
		}
	}

	// A text has an author, and ends in the mailboxes of the room.
	sent, got := p.says(t, p.Bob, p.Ada, api.SendRequest{Contact: "the pier", Text: "ahoy"})
	if sent.Room != room.ID || sent.Conversation != room.ID || sent.Member != there.Me || sent.From.String() != "Bobby" || !sent.Outgoing || sent.State != api.StateQueued {
		t.Errorf("%+v", sent)
	}
	if got.Room != room.ID || got.Conversation != room.ID || got.Member != there.Me || got.From.String() != "Bobby" || got.Outgoing || got.State != api.StateReceived {
		t.Errorf("%+v", got)
	}
	p.waitState(t, p.Bob, sent.ID, api.StateSent)
	answer, back := p.says(t, p.Ada, p.Bob, api.SendRequest{Contact: room.ID, Text: "aye", ReplyTo: got.ID})
	if answer.Reply == nil || back.Reply == nil || back.Reply.ID != sent.ID || !back.Reply.Outgoing || !back.Mention {
		t.Errorf("%+v, %+v", answer.Reply, back)
	}
}

func roomApprove(t *testing.T, p *Pair) {
	ctx := t.Context()
	room, err := p.Ada.CreateRoom(ctx, api.CreateRoomRequest{Name: "behind a door"})
	if err != nil {
		t.Fatal(err)
	}
	link, err := p.Ada.InviteToRoom(ctx, api.RoomInviteRequest{Room: room.ID, Uses: 2, Approve: true, Expires: time.Hour})
	if err != nil || !link.Approve || link.Uses != 2 {
		t.Fatalf("%+v, %v", link, err)
	}
	if card, err := p.Bob.LookAtRoom(ctx, link.Link); err != nil || !card.Approve || card.Uses != 2 {
		t.Errorf("%+v, %v", card, err)
	}

	for _, admit := range []bool{false, true} {
		if r, err := p.Bob.JoinRoom(ctx, api.JoinRoomRequest{Link: link.Link}); err != nil || r.State != api.RoomPending || r.ID != room.ID {
			t.Fatalf("%+v, %v", r, err)
		}
		p.roomIs(t, p.Ada, room.ID, "a knock", func(r *api.Room) bool { return r.Waiting == 1 && r.Members == 1 })
		bob := memberOf(t, p.Ada, room.ID, "Bob")
		if !bob.Waiting || bob.Role != api.RoleNone {
			t.Errorf("%+v", bob)
		}
		_, err := p.Bob.Send(ctx, api.SendRequest{Contact: room.ID, Text: "may I?"})
		wantCode(t, "said before the door", err, api.CodeNotReady)
		if err := p.Ada.AnswerKnock(ctx, api.KnockRequest{Room: room.ID, Member: "Bob", Admit: admit}); err != nil {
			t.Fatal(err)
		}
		want := map[bool]api.RoomState{true: api.RoomReady, false: api.RoomRefused}[admit]
		p.roomIs(t, p.Bob, room.ID, string(want), func(r *api.Room) bool { return r.State == want })
		p.roomIs(t, p.Ada, room.ID, "no knock", func(r *api.Room) bool { return r.Waiting == 0 })
	}
	wantCode(t, "answered twice", p.Ada.AnswerKnock(ctx, api.KnockRequest{Room: room.ID, Member: "Bob", Admit: true}), api.CodeNoMember)
}

func roomLinks(t *testing.T, p *Pair) {
	ctx := t.Context()
	room, err := p.Ada.CreateRoom(ctx, api.CreateRoomRequest{Name: "many doors"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := p.Ada.InviteToRoom(ctx, api.RoomInviteRequest{Room: room.ID, Uses: 3, Expires: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := p.Ada.RoomInvites(ctx, room.ID); err != nil || len(all) != 1 || all[0].ID != first.ID || all[0].Link != first.Link || all[0].Uses != 3 {
		t.Errorf("%+v, %v", all, err)
	}

	// Ada's own link, and one of a room that Bob is in, change nothing.
	if r, err := p.Ada.JoinRoom(ctx, api.JoinRoomRequest{Link: first.Link}); err != nil || r.ID != room.ID || r.Role != api.RoleOwner {
		t.Errorf("%+v, %v", r, err)
	}
	p.bobJoins(t, room.ID)
	if r, err := p.Bob.JoinRoom(ctx, api.JoinRoomRequest{Link: first.Link, Name: "Another"}); err != nil || r.State != api.RoomReady || r.As.String() != "Bob" {
		t.Errorf("%+v, %v", r, err)
	}
	if all, _ := p.Ada.RoomInvites(ctx, room.ID); len(all) != 1 || all[0].Used != 0 {
		t.Errorf("%+v", all)
	}
	if err := p.Ada.RevokeRoomInvite(ctx, first.ID); err != nil {
		t.Error(err)
	}
	if all, err := p.Ada.RoomInvites(ctx, room.ID); err != nil || all == nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	wantCode(t, "withdrawn twice", p.Ada.RevokeRoomInvite(ctx, first.ID), api.CodeNoInvite)

	invite := func(n api.Node, req api.RoomInviteRequest) error { _, err := n.InviteToRoom(ctx, req); return err }
	wantCode(t, "a member's", invite(p.Bob, api.RoomInviteRequest{Room: room.ID}), api.CodeRank)
	wantCode(t, "for 1001", invite(p.Ada, api.RoomInviteRequest{Room: room.ID, Uses: api.MaxRoomUses + 1}), api.CodeUsage)
	wantCode(t, "for fewer than none", invite(p.Ada, api.RoomInviteRequest{Room: room.ID, Uses: -1}), api.CodeUsage)
	wantCode(t, "for a second", invite(p.Ada, api.RoomInviteRequest{Room: room.ID, Expires: time.Second}), api.CodeUsage)
	wantCode(t, "for 8 days", invite(p.Ada, api.RoomInviteRequest{Room: room.ID, Expires: 8 * 24 * time.Hour}), api.CodeUsage)
	person, err := p.Ada.Invite(ctx, api.InviteRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for what, link := range map[string]string{
		"no link": "", "an address": "https://example.org", "half a link": first.Link[:40], "a person's": person.Link, "too much": strings.Repeat("x", api.MaxInviteText+1),
	} {
		_, err := p.Bob.JoinRoom(ctx, api.JoinRoomRequest{Link: link})
		wantCode(t, what, err, api.CodeBadInvite)
		_, err = p.Bob.LookAtRoom(ctx, link)
		wantCode(t, "a look at "+what, err, api.CodeBadInvite)
	}
	_, err = p.Bob.AddContact(ctx, api.AddContactRequest{Link: first.Link})
	wantCode(t, "a room as a person", err, api.CodeBadInvite)
}

func roomRoles(t *testing.T, p *Pair) {
	room := p.meetInRoom(t)
	ctx := t.Context()
	role := func(n api.Node, member string, role api.Role) error {
		_, err := n.ChangeMember(ctx, api.MemberRequest{Room: room, Member: member, Role: role})
		return err
	}
	wantCode(t, "of the owner", role(p.Bob, "Ada", api.RoleMember), api.CodeRank)
	wantCode(t, "to rise", role(p.Bob, "Bob", api.RoleAdmin), api.CodeRank)
	if err := role(p.Bob, "Bob", api.RoleOwner); api.CodeOf(err) != api.CodeRank || !strings.Contains(err.Error(), "nobody offers you this room") {
		t.Errorf("taken without an offer: %v", err)
	}
	wantCode(t, "of no such kind", role(p.Ada, "Bob", "king"), api.CodeUsage)
	wantCode(t, "of nobody", role(p.Ada, "Cleo", api.RoleAdmin), api.CodeNoMember)
	wantCode(t, "of oneself, none", role(p.Ada, "Ada", api.RoleNone), api.CodeUsage)
	_, err := p.Ada.ChangeMember(ctx, api.MemberRequest{Room: room, Member: "Bob", Role: api.RoleMember, Ban: true})
	wantCode(t, "a ban that keeps", err, api.CodeUsage)

	// A reader says nothing, an admin invites.
	if m, err := p.Ada.ChangeMember(ctx, api.MemberRequest{Room: room, Member: "Bob", Role: api.RoleReader}); err != nil || m.Role != api.RoleReader || m.Name.String() != "Bob" {
		t.Fatalf("%+v, %v", m, err)
	}
	p.roomIs(t, p.Bob, room, "a reader", func(r *api.Room) bool { return r.Role == api.RoleReader })
	_, err = p.Bob.Send(ctx, api.SendRequest{Contact: room, Text: "psst"})
	wantCode(t, "said by a reader", err, api.CodeRank)
	if err := role(p.Ada, memberOf(t, p.Ada, room, "Bob").ID, api.RoleAdmin); err != nil {
		t.Fatal(err)
	}
	p.roomIs(t, p.Bob, room, "an admin", func(r *api.Room) bool { return r.Role == api.RoleAdmin })
	link, err := p.Bob.InviteToRoom(ctx, api.RoomInviteRequest{Room: room})
	if err != nil || link.Link == "" {
		t.Errorf("%+v, %v", link, err)
	}

	// Somebody removed reads nothing that comes later, and is told.
	if m, err := p.Ada.ChangeMember(ctx, api.MemberRequest{Room: room, Member: "Bob", Role: api.RoleNone, Ban: true}); err != nil || m.Role != api.RoleNone {
		t.Fatalf("%+v, %v", m, err)
	}
	p.roomIs(t, p.Bob, room, "removed", func(r *api.Room) bool { return r.State == api.RoomRemoved && r.Role == api.RoleNone })
	p.roomIs(t, p.Ada, room, "one less", func(r *api.Room) bool { return r.Members == 1 })
	_, err = p.Bob.Send(ctx, api.SendRequest{Contact: room, Text: "why?"})
	wantCode(t, "said by one removed", err, api.CodeNotReady)
	after, err := p.Ada.Send(ctx, api.SendRequest{Contact: room, Text: "among us"})
	if err != nil {
		t.Fatal(err)
	}
	p.waitState(t, p.Ada, after.ID, api.StateSent)
	if _, err := p.Bob.Message(ctx, after.ID); api.CodeOf(err) != api.CodeNoMessage {
		t.Errorf("Bob reads on: %v", err)
	}
	if got := notices(t, p.Bob, room); !slices.Contains(got, api.ChangeBanned) {
		t.Errorf("Bob is told %v", got)
	}
}

func roomHandOver(t *testing.T, p *Pair) {
	room := p.meetInRoom(t)
	ctx := t.Context()
	if m, err := p.Ada.ChangeMember(ctx, api.MemberRequest{Room: room, Member: "Bob", Role: api.RoleOwner}); err != nil || !m.Offered || m.Role != api.RoleMember {
		t.Fatalf("%+v, %v", m, err)
	}
	eventually(t, "the offer", func() bool { return memberOf(t, p.Bob, room, "Bob").Offered })
	if _, err := p.Bob.ChangeMember(ctx, api.MemberRequest{Room: room, Member: "Bob", Role: api.RoleOwner}); err != nil {
		t.Fatal(err)
	}
	for _, n := range []api.Node{p.Ada, p.Bob} {
		eventually(t, "the new owner", func() bool {
			return memberOf(t, n, room, "Bob").Role == api.RoleOwner && memberOf(t, n, room, "Ada").Role == api.RoleAdmin && !memberOf(t, n, room, "Bob").Offered
		})
	}
	if err := p.Ada.LeaveRoom(ctx, room); err != nil {
		t.Error(err)
	}
}

func roomLeave(t *testing.T, p *Pair) {
	room := p.meetInRoom(t)
	ctx := t.Context()
	p.says(t, p.Ada, p.Bob, api.SendRequest{Contact: room, Text: "stay"})
	wantCode(t, "the owner leaves", p.Ada.LeaveRoom(ctx, room), api.CodeRank)
	wantCode(t, "forgotten from within", p.Bob.RemoveContact(ctx, room), api.CodeUsage)
	if err := p.Bob.LeaveRoom(ctx, "the pier"); err != nil {
		t.Fatal(err)
	}
	p.roomIs(t, p.Bob, room, "left", func(r *api.Room) bool { return r.State == api.RoomLeft })
	p.roomIs(t, p.Ada, room, "alone", func(r *api.Room) bool { return r.Members == 1 })
	p.waitNotice(t, p.Ada, room, api.ChangeLeft)
	wantCode(t, "left twice", p.Bob.LeaveRoom(ctx, room), api.CodeNotReady)
	if err := p.Ada.LeaveRoom(ctx, room); err != nil {
		t.Errorf("the owner, alone: %v", err)
	}
	p.roomIs(t, p.Ada, room, "left", func(r *api.Room) bool { return r.State == api.RoomLeft && r.Role == api.RoleNone })
	wantCode(t, "left twice by the owner", p.Ada.LeaveRoom(ctx, room), api.CodeNotReady)

	// The messages stay until the room is removed.
	if h, err := p.Bob.History(ctx, api.HistoryRequest{Contact: room}); err != nil || !slices.ContainsFunc(h, func(m api.Message) bool { return m.Text.String() == "stay" }) {
		t.Errorf("%v, %v", h, err)
	}
	for _, n := range []api.Node{p.Bob, p.Ada} {
		if err := n.RemoveContact(ctx, room); err != nil {
			t.Errorf("forgotten: %v", err)
		}
		if all, err := n.ListRooms(ctx); err != nil || all == nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
		_, err := n.Members(ctx, room)
		wantCode(t, "members of a forgotten room", err, api.CodeNoRoom)
	}
}

func roomSettings(t *testing.T, p *Pair) {
	room := p.meetInRoom(t)
	ctx := t.Context()
	name, history, timer, yes, no := "the long pier", 100, 3600, true, false
	r, err := p.Ada.ChangeRoom(ctx, api.RoomRequest{Room: room, Name: &name, History: &history, Timer: &timer, AdminsOnly: &yes})
	if err != nil || r.Name.String() != name || r.History != 100 || r.Timer != timer || !r.AdminsOnly {
		t.Fatalf("%+v, %v", r, err)
	}
	p.roomIs(t, p.Bob, room, "the settings", func(r *api.Room) bool {
		return r.Name.String() == name && r.History == 100 && r.Timer == timer && r.AdminsOnly
	})
	_, err = p.Bob.Send(ctx, api.SendRequest{Contact: room, Text: "hm"})
	wantCode(t, "said where admins speak", err, api.CodeRank)
	if m, err := p.Ada.Send(ctx, api.SendRequest{Contact: name, Text: "hear ye"}); err != nil || m.Timer != timer {
		t.Errorf("%+v, %v", m, err)
	}
	none := 0
	if r, err = p.Ada.ChangeRoom(ctx, api.RoomRequest{Room: room, AdminsOnly: &no, Timer: &none}); err != nil || r.AdminsOnly || r.Timer != 0 || r.History != 100 {
		t.Errorf("%+v, %v", r, err)
	}
	p.roomIs(t, p.Bob, room, "all may write", func(r *api.Room) bool { return !r.AdminsOnly })
	p.says(t, p.Bob, p.Ada, api.SendRequest{Contact: room, Text: "at last"})

	empty, long, self, odd, quick, forever := " ", strings.Repeat("ä", 33), "self", 50, 4, api.MaxTimer+1
	for what, tt := range map[string]struct {
		req  api.RoomRequest
		want api.Code
	}{
		"no name":             {api.RoomRequest{Name: &empty}, api.CodeUsage},
		"a name of 66 bytes":  {api.RoomRequest{Name: &long}, api.CodeUsage},
		"that of the note":    {api.RoomRequest{Name: &self}, api.CodeContactExists},
		"50 messages":         {api.RoomRequest{History: &odd}, api.CodeUsage},
		"4 seconds":           {api.RoomRequest{Timer: &quick}, api.CodeUsage},
		"more than 4 weeks":   {api.RoomRequest{Timer: &forever}, api.CodeUsage},
		"a room that is none": {api.RoomRequest{Room: "nowhere"}, api.CodeNoRoom},
	} {
		if tt.req.Room == "" {
			tt.req.Room = room
		}
		_, err := p.Ada.ChangeRoom(ctx, tt.req)
		wantCode(t, what, err, tt.want)
	}
	_, err = p.Bob.ChangeRoom(ctx, api.RoomRequest{Room: room, Name: &name})
	wantCode(t, "by a member", err, api.CodeRank)

	// A newcomer is given the last messages.
	if err := p.Bob.LeaveRoom(ctx, room); err != nil {
		t.Fatal(err)
	}
	p.roomIs(t, p.Ada, room, "alone", func(r *api.Room) bool { return r.Members == 1 })
	if err := p.Bob.RemoveContact(ctx, room); err != nil {
		t.Fatal(err)
	}
	p.bobJoins(t, room)
	eventually(t, "what was said before", func() bool {
		h, err := p.Bob.History(ctx, api.HistoryRequest{Contact: room})
		return err == nil && slices.ContainsFunc(h, func(m api.Message) bool { return m.Text.String() == "at last" && m.Room == room && m.Given })
	})
	now, got := p.says(t, p.Ada, p.Bob, api.SendRequest{Contact: room, Text: "heard"})
	if now.Given || got.Given {
		t.Errorf("given, though heard: %+v", got)
	}
}

func roomChanges(t *testing.T, p *Pair) {
	room := p.meetInRoom(t)
	ctx := t.Context()
	sent, _ := p.says(t, p.Ada, p.Bob, api.SendRequest{Contact: room, Text: "at noon"})
	if m, err := p.Ada.Edit(ctx, api.EditRequest{Message: sent.ID, Text: "at one"}); err != nil || m.Text.String() != "at one" {
		t.Fatalf("%+v, %v", m, err)
	}
	p.bobSees(t, sent.ID, "the edit", func(m api.Message) bool { return m.Text.String() == "at one" && !m.Edited.IsZero() })

	me := memberOf(t, p.Bob, room, "Bob").ID
	m, err := p.Bob.React(ctx, api.ReactRequest{Message: sent.ID, Emoji: "👍"})
	if err != nil || len(m.Reactions) != 1 || !m.Reactions[0].Outgoing || m.Reactions[0].Member != me {
		t.Fatalf("%+v, %v", m.Reactions, err)
	}
	if _, err := p.Ada.React(ctx, api.ReactRequest{Message: sent.ID, Emoji: "🎉"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both reactions", func() bool {
		m, err := p.Ada.Message(ctx, sent.ID)
		return err == nil && len(m.Reactions) == 2 && slices.ContainsFunc(m.Reactions, func(r api.Reaction) bool {
			return r.Member == me && !r.Outgoing && r.Emoji.String() == "👍"
		})
	})
	_, err = p.Bob.Edit(ctx, api.EditRequest{Message: sent.ID, Text: "never"})
	wantCode(t, "another's text", err, api.CodeUsage)
	err = p.Bob.Delete(ctx, api.DeleteRequest{Messages: []string{sent.ID}, Both: true})
	if wantCode(t, "another's message", err, api.CodeUsage); err == nil || !strings.Contains(err.Error(), "taken back") {
		t.Errorf("to take another's message back is refused so: %v", err)
	}
	if err := p.Ada.Delete(ctx, api.DeleteRequest{Messages: []string{sent.ID}, Both: true}); err != nil {
		t.Fatal(err)
	}
	p.bobSees(t, sent.ID, "that it was taken back", func(m api.Message) bool { return m.Deleted && m.Text.IsZero() })

	picture, got := p.says(t, p.Bob, p.Ada, api.SendRequest{Contact: room, File: &api.SendFile{Name: "list.txt", Data: []byte("bread")}, Text: "buy this"})
	if whole, err := p.Ada.Message(ctx, picture.ID); err != nil || whole.File == nil || string(whole.File.Data) != "bread" || got.Member != me {
		t.Errorf("%+v, %v", whole, err)
	}
}

func roomKept(t *testing.T, p *Pair) {
	room := p.meetInRoom(t)
	ctx := t.Context()
	all, err := p.Ada.Conversations(ctx)
	if err != nil {
		t.Fatal(err)
	}
	last := all[len(all)-1]
	if last.ID != room || last.State != api.ContactRoom || last.Name.String() != "the pier" || last.Room == nil || last.Room.ID != room || last.Room.Members != 2 {
		t.Errorf("%+v", last)
	}
	if people, err := p.Ada.Contacts(ctx); err != nil || len(people) != 0 {
		t.Errorf("a room among people: %+v, %v", people, err)
	}
	if s, err := p.Ada.Status(ctx); err != nil || s.Contacts != 0 || s.Rooms != 1 {
		t.Errorf("%d contacts, %d rooms, %v", s.Contacts, s.Rooms, err)
	}

	// Kept as any conversation.
	yes, until := true, api.Forever
	c, err := p.Ada.ChangeConversation(ctx, api.ConversationRequest{Contact: "the pier", Pinned: &yes, MutedUntil: &until})
	if err != nil || !c.Pinned || c.Room == nil || c.ID != room {
		t.Errorf("%+v, %v", c, err)
	}
	if err := p.Ada.SaveDraft(ctx, api.Draft{Contact: room, Text: "what if"}); err != nil {
		t.Error(err)
	}
	if d, err := p.Ada.Drafts(ctx); err != nil || len(d) != 1 || d[0].Contact != room {
		t.Errorf("%+v, %v", d, err)
	}

	p.says(t, p.Bob, p.Ada, api.SendRequest{Contact: room, Text: "one"})
	p.roomIs(t, p.Ada, room, "one unread", func(r *api.Room) bool { return r.Unread == 1 && r.Mentions == 0 })
	if err := p.Ada.MarkRead(ctx, room); err != nil {
		t.Error(err)
	}
	p.roomIs(t, p.Ada, room, "none unread", func(r *api.Room) bool { return r.Unread == 0 })

	path := filepath.Join(t.TempDir(), "room.txt")
	if err := p.Ada.Export(ctx, api.ExportRequest{Contact: room, Path: path, Format: api.ExportText}); err != nil {
		t.Error(err)
	}
	if b, err := p.ReadFile(path); err != nil || !strings.Contains(string(b), "one") || !strings.Contains(string(b), "Bob") {
		t.Errorf("%s, %v", b, err)
	}
	if err := p.Ada.ClearConversation(ctx, room); err != nil {
		t.Error(err)
	}
	if h, err := p.Ada.History(ctx, api.HistoryRequest{Contact: room}); err != nil || len(h) != 0 {
		t.Errorf("%+v, %v", h, err)
	}
	if err := p.Ada.Typing(ctx, room); err != nil {
		t.Error(err)
	}
}

func roomBlockVerify(t *testing.T, p *Pair) {
	room := p.meetInRoom(t)
	ctx := t.Context()
	here, err := p.Ada.MemberVerification(ctx, room, "Bob")
	if err != nil || here.Contact != memberOf(t, p.Ada, room, "Bob").ID || len(strings.Fields(here.SafetyNumber)) != 12 || here.Verified {
		t.Fatalf("%+v, %v", here, err)
	}
	there, err := p.Bob.MemberVerification(ctx, room, "Ada")
	if err != nil || there.SafetyNumber != here.SafetyNumber || there.Code != here.Code {
		t.Errorf("%+v, %+v, %v", here, there, err)
	}
	_, err = p.Ada.SetMemberVerified(ctx, room, "Bob", "12345")
	wantCode(t, "another number", err, api.CodeChanged)
	for _, seen := range []string{here.Code, "", here.SafetyNumber} {
		if m, err := p.Ada.SetMemberVerified(ctx, room, "Bob", seen); err != nil || m.Verified != (seen != "") {
			t.Errorf("%+v, %v", m, err)
		}
	}
	if !memberOf(t, p.Ada, room, "Bob").Verified || memberOf(t, p.Bob, room, "Ada").Verified {
		t.Error("a comparison is recorded where it was made")
	}
	_, err = p.Ada.MemberVerification(ctx, room, "Ada")
	wantCode(t, "oneself", err, api.CodeUsage)
	_, err = p.Ada.MemberVerification(ctx, room, "Cleo")
	wantCode(t, "nobody", err, api.CodeNoMember)

	// A blocked member is not heard, here alone.
	if m, err := p.Ada.BlockMember(ctx, api.BlockMemberRequest{Room: room, Member: "Bob", Blocked: true}); err != nil || !m.Blocked {
		t.Fatalf("%+v, %v", m, err)
	}
	sent, err := p.Bob.Send(ctx, api.SendRequest{Contact: room, Text: "hello?"})
	if err != nil {
		t.Fatal(err)
	}
	p.waitState(t, p.Bob, sent.ID, api.StateSent)

	heard := func() bool {
		h, err := p.Ada.History(ctx, api.HistoryRequest{Contact: room})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(h, func(m api.Message) bool { return m.ID == sent.ID })
	}
	if heard() {
		t.Error("heard of a blocked member")
	}
	if found, err := p.Ada.Search(ctx, api.SearchRequest{Words: "hello"}); err != nil || len(found) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
	p.roomIs(t, p.Ada, room, "nothing unread", func(r *api.Room) bool { return r.Unread == 0 })

	// Those words come once they are unblocked.
	if m, err := p.Ada.BlockMember(ctx, api.BlockMemberRequest{Room: room, Member: memberOf(t, p.Ada, room, "Bob").ID}); err != nil || m.Blocked {
		t.Errorf("%+v, %v", m, err)
	}
	eventually(t, "the words of one no more blocked", heard)
	_, err = p.Ada.BlockMember(ctx, api.BlockMemberRequest{Room: room, Member: "Ada", Blocked: true})
	wantCode(t, "oneself blocked", err, api.CodeUsage)
}

func roomSearch(t *testing.T, p *Pair) {
	room := p.meetInRoom(t)
	ctx := t.Context()
	p.says(t, p.Ada, p.Bob, api.SendRequest{Contact: room, Text: "the net is torn"})
	p.says(t, p.Bob, p.Ada, api.SendRequest{Contact: room, Text: "the other net too"})
	for from, want := range map[string]int{"": 2, "me": 1, "Bob": 1, memberOf(t, p.Ada, room, "Bob").ID: 1} {
		found, err := p.Ada.Search(ctx, api.SearchRequest{Words: "net", Contact: "the pier", From: from})
		if err != nil || len(found) != want {
			t.Errorf("from %q: %+v, %v", from, found, err)
		}
		for _, m := range found {
			if m.Room != room || m.Member == "" {
				t.Errorf("%+v", m)
			}
		}
	}
	_, err := p.Ada.Search(ctx, api.SearchRequest{Words: "net", Contact: room, From: "Cleo"})
	wantCode(t, "from nobody", err, api.CodeNoMember)
}

func roomEvents(t *testing.T, p *Pair) {
	room := p.meetInRoom(t)
	ctx := t.Context()
	sent, _ := p.says(t, p.Bob, p.Ada, api.SendRequest{Contact: room, Text: "an event"})

	stop := errors.New("stop")
	joined, ready := false, false
	err := p.Ada.Events(ctx, 0, func(e api.Event) error {
		if e.Kind == api.EventNotice && e.Room == room && e.Message.Change != nil && e.Message.Change.Kind == api.ChangeJoined {
			c := e.Message.Change
			joined = c.Name.String() == "Bob" && c.Member == sent.Member && !c.Self && c.BySelf && strings.Contains(e.Text.String(), "Bob")
		}
		if e.Kind == api.EventContact && e.Contact.ID == room && e.Contact.Room != nil && e.Contact.Room.State == api.RoomReady {
			ready = true
		}
		if e.Kind == api.EventMessage && e.ID == sent.ID {
			if e.Room != room || e.Member != sent.Member || e.Conversation != room || e.From.String() != "Bob" || e.Message.Room != room {
				t.Errorf("%+v", e)
			}
			return stop
		}
		return nil
	})

	if err != stop || !joined || !ready {
		t.Errorf("%v, joined %t, ready %t", err, joined, ready)
	}
	if got := notices(t, p.Bob, room); !slices.Contains(got, api.ChangeJoined) {
		t.Errorf("Bob is told %v", got)
	}
}

func roomMentions(t *testing.T, p *Pair) {
	room := p.meetInRoom(t)
	for text, want := range map[string]bool{"@Ada, look": true, "look, @ada": true, "Ada, look": false, "me@ada": false, "@Bob": false} {
		if _, got := p.says(t, p.Bob, p.Ada, api.SendRequest{Contact: room, Text: text}); got.Mention != want {
			t.Errorf("%q: mention %t", text, got.Mention)
		}
	}
	p.roomIs(t, p.Ada, room, "two mentions", func(r *api.Room) bool { return r.Mentions == 2 && r.Unread == 5 })
}
