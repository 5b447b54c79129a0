package control

import (
	"context"

	"starling/node/api"
)

// Arguments of the methods of rooms that take no struct of package api.
type (
	roomArgs struct {
		Room string `json:"room"`
	}
	linkArgs struct {
		Link string `json:"link"`
	}
	memberArgs struct {
		Room   string `json:"room"`
		Member string `json:"member"`
	}
	memberVerifiedArgs struct {
		Room   string `json:"room"`
		Member string `json:"member"`
		Seen   string `json:"seen"`
	}
)

// The methods of rooms.
var (
	createRoom   = one("create_room", "Make a room that the profile owns. The answer comes when it can be joined.", api.Node.CreateRoom)
	listRooms    = many("list_rooms", "All rooms.", func(n api.Node, ctx context.Context, _ none) ([]api.Room, error) { return n.ListRooms(ctx) })
	inviteToRoom = one("invite_to_room", "Make a link into a room. It works while its author is there to serve it.", api.Node.InviteToRoom)
	roomInvites  = many("room_invites", "The open links into a room that the profile has made.", func(n api.Node, ctx context.Context, a roomArgs) ([]api.RoomInvite, error) {
		return n.RoomInvites(ctx, a.Room)
	})
	revokeRoomInvite = act("revoke_room_invite", "Withdraw a link into a room.", func(n api.Node, ctx context.Context, a idArgs) error { return n.RevokeRoomInvite(ctx, a.ID) })
	lookAtRoom       = one("look_at_room", "The target of a link. Nothing is dialled.", func(n api.Node, ctx context.Context, a linkArgs) (api.RoomCard, error) {
		return n.LookAtRoom(ctx, a.Link)
	})
	joinRoom = one("join_room", "Ask to be let into a room. The answer comes when the request is on disk; the room is pending until it is answered.", api.Node.JoinRoom)
	members  = many("members", "The members of a room by role, and people waiting at the door last.", func(n api.Node, ctx context.Context, a roomArgs) ([]api.Member, error) {
		return n.Members(ctx, a.Room)
	})
	changeMember       = one("change_member", "Give a member another role; none removes them.", api.Node.ChangeMember)
	answerKnock        = act("answer_knock", "Let in somebody that waits for it, or not.", api.Node.AnswerKnock)
	blockMember        = one("block_member", "Hide, here alone, what a member says, or no more.", api.Node.BlockMember)
	memberVerification = one("member_verification", "What two members compare to know that nobody sits between them.", func(n api.Node, ctx context.Context, a memberArgs) (api.Verification, error) {
		return n.MemberVerification(ctx, a.Room, a.Member)
	})
	setMemberVerified = one("set_member_verified", "Record that two members have compared it, as set_verified does.", func(n api.Node, ctx context.Context, a memberVerifiedArgs) (api.Member, error) {
		return n.SetMemberVerified(ctx, a.Room, a.Member, a.Seen)
	})
	inviteMember = one("invite_member", "Offer a member a conversation of two. They alone can read the offer, and see for whom it is.", api.Node.InviteMember)
	answerMember = one("answer_member", "Take the conversation of two that a member offers, or decline it; then the answer is an empty contact.", api.Node.AnswerMember)
	changeRoom   = one("change_room", "Change what holds for all in a room; what is left out stays.", api.Node.ChangeRoom)
	leaveRoom    = act("leave_room", "Leave a room. Its messages stay until remove_contact.", func(n api.Node, ctx context.Context, a roomArgs) error { return n.LeaveRoom(ctx, a.Room) })
)

func (c *Client) CreateRoom(ctx context.Context, req api.CreateRoomRequest) (api.Room, error) {
	return get(ctx, c, createRoom, req)
}

func (c *Client) ListRooms(ctx context.Context) ([]api.Room, error) {
	return collect(ctx, c, listRooms, none{})
}

func (c *Client) InviteToRoom(ctx context.Context, req api.RoomInviteRequest) (api.RoomInvite, error) {
	return get(ctx, c, inviteToRoom, req)
}

func (c *Client) RoomInvites(ctx context.Context, room string) ([]api.RoomInvite, error) {
	return collect(ctx, c, roomInvites, roomArgs{room})
}

func (c *Client) RevokeRoomInvite(ctx context.Context, id string) error {
	return perform(ctx, c, revokeRoomInvite, idArgs{id})
}

func (c *Client) LookAtRoom(ctx context.Context, link string) (api.RoomCard, error) {
	return get(ctx, c, lookAtRoom, linkArgs{link})
}

func (c *Client) JoinRoom(ctx context.Context, req api.JoinRoomRequest) (api.Room, error) {
	return get(ctx, c, joinRoom, req)
}

func (c *Client) Members(ctx context.Context, room string) ([]api.Member, error) {
	return collect(ctx, c, members, roomArgs{room})
}

func (c *Client) ChangeMember(ctx context.Context, req api.MemberRequest) (api.Member, error) {
	return get(ctx, c, changeMember, req)
}

func (c *Client) AnswerKnock(ctx context.Context, req api.KnockRequest) error {
	return perform(ctx, c, answerKnock, req)
}

func (c *Client) BlockMember(ctx context.Context, req api.BlockMemberRequest) (api.Member, error) {
	return get(ctx, c, blockMember, req)
}

func (c *Client) MemberVerification(ctx context.Context, room, member string) (api.Verification, error) {
	return get(ctx, c, memberVerification, memberArgs{room, member})
}

func (c *Client) SetMemberVerified(ctx context.Context, room, member, seen string) (api.Member, error) {
	return get(ctx, c, setMemberVerified, memberVerifiedArgs{room, member, seen})
}

func (c *Client) ChangeRoom(ctx context.Context, req api.RoomRequest) (api.Room, error) {
	return get(ctx, c, changeRoom, req)
}

func (c *Client) LeaveRoom(ctx context.Context, room string) error {
	return perform(ctx, c, leaveRoom, roomArgs{room})
}

func (c *Client) InviteMember(ctx context.Context, req api.MemberInviteRequest) (api.MemberInvite, error) {
	return get(ctx, c, inviteMember, req)
}

func (c *Client) AnswerMember(ctx context.Context, req api.MemberAnswerRequest) (api.Contact, error) {
	return get(ctx, c, answerMember, req)
}
