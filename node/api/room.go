package api

import (
	"context"
	"time"

	"starling/node/api/safetext"
)

// MaxMembers is how many people a room holds.
const MaxMembers = 32

// Limits of a link into a room: how many people may use it, and how long.
const (
	MaxRoomUses     = 1000
	MaxRoomLinkLife = 7 * 24 * time.Hour
)

// Rooms are conversations of up to [MaxMembers] people. No server holds one. A room is
// named by its ID or its exact name, wherever a conversation is: [Node.Send],
// [Node.History], [Node.Search], [Node.ChangeConversation] and the like take either.
type Rooms interface {
	// CreateRoom makes a room that the profile owns. It returns once the room can be
	// joined: its logs stand at two mailboxes.
	CreateRoom(ctx context.Context, req CreateRoomRequest) (Room, error)
	// ListRooms lists all rooms, also those that were left, until they are removed.
	ListRooms(ctx context.Context) ([]Room, error)
	// InviteToRoom makes a link into a room. It works while its author is there to serve
	// it. Owner and admins may. It can be sent to a contact at once.
	InviteToRoom(ctx context.Context, req RoomInviteRequest) (RoomInvite, error)
	// RoomInvites lists the open links that the profile has made.
	RoomInvites(ctx context.Context, room string) ([]RoomInvite, error)
	RevokeRoomInvite(ctx context.Context, id string) error
	// LookAtRoom shows the target of a link, and dials nothing.
	LookAtRoom(ctx context.Context, link string) (RoomCard, error)
	// JoinRoom asks to be let in. It returns once the request is on disk; the room is
	// [RoomPending] until its author has answered.
	JoinRoom(ctx context.Context, req JoinRoomRequest) (Room, error)
	// Members lists the members of a room by role, and people waiting at the door last.
	Members(ctx context.Context, room string) ([]Member, error)
	// ChangeMember gives a member another role; [RoleNone] removes them, and with Ban also
	// the open links they made. They can read nothing that is said afterwards.
	ChangeMember(ctx context.Context, req MemberRequest) (Member, error)
	// AnswerKnock answers somebody waiting at the door.
	AnswerKnock(ctx context.Context, req KnockRequest) error
	// BlockMember hides the messages of a member, here alone.
	BlockMember(ctx context.Context, req BlockMemberRequest) (Member, error)
	// MemberVerification returns the number that two members compare, as two contacts do.
	MemberVerification(ctx context.Context, room, member string) (Verification, error)
	SetMemberVerified(ctx context.Context, room, member, seen string) (Member, error)
	// InviteMember offers a member a conversation of two. It returns once the invite lies in a
	// mailbox and waits to be said in the room, where they alone can read it and see for whom it is.
	// They learn that the contact is the member, under our name in the room.
	InviteMember(ctx context.Context, req MemberInviteRequest) (MemberInvite, error)
	// AnswerMember takes the conversation of two that a member offers, as [Node.AddContact]
	// does, or declines it; then the Contact is empty. Until then nothing of it was opened.
	AnswerMember(ctx context.Context, req MemberAnswerRequest) (Contact, error)
	// ChangeRoom changes the settings of a room, for all in it. Owner and admins may.
	ChangeRoom(ctx context.Context, req RoomRequest) (Room, error)
	// LeaveRoom leaves a room; its messages stay until it is removed by
	// [Node.RemoveContact].
	LeaveRoom(ctx context.Context, room string) error
}

// A Room is one room, as this profile sees it.
type Room struct {
	ID    string        `json:"id"`
	Name  safetext.Text `json:"name"`
	State RoomState     `json:"state"`
	Role  Role          `json:"role"` // ours
	Me    string        `json:"me"`   // our member ID, of this room alone
	As    safetext.Text `json:"as"`   // our name in it
	// Members is how many there are, ourselves counted.
	Members int `json:"members"`
	// Waiting counts the people that wait for us to let them in.
	Waiting int `json:"waiting,omitempty"`
	// Asking counts the members that offer us a conversation of two.
	Asking int `json:"asking,omitempty"`
	// History is how many messages newcomers are given: 0 or 100.
	History int `json:"history"`
	// AdminsOnly: only the owner and admins write.
	AdminsOnly bool `json:"admins_only,omitempty"`
	// Timer is after how many seconds new messages disappear, for all; 0: never.
	Timer int `json:"timer,omitempty"`
	// Healing: a removal is not yet known to all. People just removed may still read.
	Healing bool `json:"healing,omitempty"`
	// Unheard: we came back with a copy of more than 14 days ago, or after as long, and nobody was heard since. Perhaps nobody
	// reads what we write but people removed since. The owner may leave such a room.
	Unheard bool `json:"unheard,omitempty"`
	// Forks are members that have said two things under one number. Nothing is done to
	// them: it is shown.
	Forks   []Fork    `json:"forks,omitempty"`
	Created time.Time `json:"created"`
	Unread  int       `json:"unread"`
	// Mentions counts the unread messages that name us.
	Mentions int `json:"mentions,omitempty"`
	// Unsent counts our messages that lie in no mailbox of the room yet.
	Unsent int `json:"unsent"`
	// Ahead counts the messages that wait for what their authors had seen: [HistoryRequest] shows them. Missing is
	// about how many pieces are on their way from the mailboxes after an absence.
	Ahead   int `json:"ahead,omitempty"`
	Missing int `json:"missing,omitempty"`
}

// RoomState says how we stand in a room.
type RoomState string

const (
	RoomPending RoomState = "pending" // we have asked, and were not answered yet
	RoomReady   RoomState = "ready"
	RoomAway    RoomState = "away"    // we have lost its place, and ask for it
	RoomRefused RoomState = "refused" // we were not let in, or the link is used up or over
	RoomLeft    RoomState = "left"
	RoomRemoved RoomState = "removed" // somebody removed us
)

// Role is the rank of a member.
type Role string

const (
	RoleOwner  Role = "owner"
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
	RoleReader Role = "reader"
	RoleNone   Role = "none"
)

// A Member is one person in one room, under a key and a name of this room alone.
type Member struct {
	ID   string        `json:"id"`
	Name safetext.Text `json:"name"` // chosen by them
	Role Role          `json:"role"`
	Self bool          `json:"self,omitempty"`
	// Waiting: they ask to be let in. Their Role is [RoleNone].
	Waiting bool `json:"waiting,omitempty"`
	// Offered: the owner offers them the room; see [MemberRequest].
	Offered bool `json:"offered,omitempty"`
	// Asking: they offer us a conversation of two; see [Rooms.AnswerMember].
	Asking   bool      `json:"asking,omitempty"`
	Verified bool      `json:"verified,omitempty"`
	Blocked  bool      `json:"blocked,omitempty"`
	By       string    `json:"by,omitempty"` // the ID of the member that let them in
	Since    time.Time `json:"since,omitzero"`
}

// A Fork is a proof that a member said two things under one number.
type Fork struct {
	Member string        `json:"member"`
	First  safetext.Text `json:"first"`
	Second safetext.Text `json:"second"`
}

// CreateRoomRequest makes a room. As is our name in it, by default that of the profile.
type CreateRoomRequest struct {
	Name string `json:"name"`
	As   string `json:"as,omitempty"`
}

// RoomInviteRequest asks for a link that Uses people (default 1, at most [MaxRoomUses])
// can use within Expires (default 24 h, at least a minute, at most [MaxRoomLinkLife]).
type RoomInviteRequest struct {
	Room    string        `json:"room"`
	Uses    int           `json:"uses,omitempty"`
	Approve bool          `json:"approve,omitempty"` // somebody is asked before each
	Expires time.Duration `json:"expires,omitempty"`
	// To is a contact that is sent the link as a message of ours.
	To string `json:"to,omitempty"`
}

// A RoomInvite is a link into a room.
type RoomInvite struct {
	ID      string    `json:"id"`
	Room    string    `json:"room"`
	Link    string    `json:"link"`
	Expires time.Time `json:"expires"`
	Uses    int       `json:"uses"`
	Used    int       `json:"used"`
	Approve bool      `json:"approve,omitempty"`
	// Crowded: somebody that has the link fills the place where people ask by it, and it is half full. By another link
	// people can ask.
	Crowded bool `json:"crowded,omitempty"`
	// Message is that which carries it to a contact, if it was sent to one.
	Message *Message `json:"message,omitempty"`
}

// A RoomCard is for a person to read before they join. Statement tells of everybody with a
// way to learn that they are in the room; it never says more than docs/THREATMODEL.md.
type RoomCard struct {
	Name      safetext.Text `json:"name,omitzero"` // as the link says
	Expires   time.Time     `json:"expires"`
	Uses      int           `json:"uses"`
	Approve   bool          `json:"approve,omitempty"`
	Statement string        `json:"statement"`
}

// JoinRoomRequest asks to be let in under a name, by default that of the profile. Link may
// be any text of at most [MaxInviteText] bytes that holds the link.
type JoinRoomRequest struct {
	Link string `json:"link"`
	Name string `json:"name,omitempty"`
}

// MemberRequest gives a member a role. [RoleOwner] offers them the room; they accept by
// asking for it themselves, and the former owner stays an admin.
type MemberRequest struct {
	Room   string `json:"room"`
	Member string `json:"member"` // ID, or a name that only one has
	Role   Role   `json:"role"`
	Ban    bool   `json:"ban,omitempty"`
}

// KnockRequest lets somebody in, or not.
type KnockRequest struct {
	Room   string `json:"room"`
	Member string `json:"member"`
	Admit  bool   `json:"admit"`
}

// MemberInviteRequest offers a member a conversation of two, for Expires (default 24 h, at most
// 7 days).
type MemberInviteRequest struct {
	Room    string        `json:"room"`
	Member  string        `json:"member"`
	Expires time.Duration `json:"expires,omitempty"`
}

// A MemberInvite is an offer to a member. ID is that of the invite, for [Node.RevokeInvite].
type MemberInvite struct {
	Room    string    `json:"room"`
	Member  string    `json:"member"`
	ID      string    `json:"id"`
	Expires time.Time `json:"expires"`
}

// MemberAnswerRequest takes the offer of a member, or declines it.
type MemberAnswerRequest struct {
	Room   string `json:"room"`
	Member string `json:"member"`
	Accept bool   `json:"accept"`
}

// BlockMemberRequest blocks a member here, or no more.
type BlockMemberRequest struct {
	Room    string `json:"room"`
	Member  string `json:"member"`
	Blocked bool   `json:"blocked"`
}

// RoomRequest changes the settings of a room.
type RoomRequest struct {
	Room       string  `json:"room"`
	Name       *string `json:"name,omitempty"`
	History    *int    `json:"history,omitempty"`
	AdminsOnly *bool   `json:"admins_only,omitempty"`
	Timer      *int    `json:"timer,omitempty"`
}

// A RoomChange is the content of a notice in a room, to be folded or said in another
// language. The text of the notice says the same in English. Names are those of then.
type RoomChange struct {
	Kind   RoomChangeKind `json:"kind"`
	Member string         `json:"member,omitempty"` // whom it is about
	Name   safetext.Text  `json:"name,omitzero"`    // of the member, or of the room for [ChangeNamed]
	Self   bool           `json:"self,omitempty"`   // it is about us
	By     string         `json:"by,omitempty"`     // the member that did it
	ByName safetext.Text  `json:"by_name,omitzero"`
	BySelf bool           `json:"by_self,omitempty"`
	Role   Role           `json:"role,omitempty"` // for [ChangeRole]
	// Value is the new setting, for those that are numbers: of messages, or of seconds.
	Value int `json:"value,omitempty"`
}

// RoomChangeKind names a change in a room.
type RoomChangeKind string

const (
	ChangeCreated  RoomChangeKind = "created"
	ChangeJoined   RoomChangeKind = "joined" // By let them in
	ChangeLeft     RoomChangeKind = "left"
	ChangeRemoved  RoomChangeKind = "removed"
	ChangeBanned   RoomChangeKind = "banned"
	ChangeRole     RoomChangeKind = "role"
	ChangeOwner    RoomChangeKind = "owner"    // Member has the room now, and By had it
	ChangeOffered  RoomChangeKind = "offered"  // By offers Member the room
	ChangeKnock    RoomChangeKind = "knock"    // Member waits to be let in
	ChangeReturned RoomChangeKind = "returned" // Member was away, or restored a backup
	ChangeUnheard  RoomChangeKind = "unheard"  // Member is us: see [Room] Unheard
	ChangeNamed    RoomChangeKind = "named"
	ChangeHistory  RoomChangeKind = "history"
	ChangeWriters  RoomChangeKind = "writers" // Value is 1: only the owner and admins write
	ChangeTimer    RoomChangeKind = "timer"
	ChangeAside    RoomChangeKind = "aside" // Member offers us a conversation of two, or By, which is us, offers Member one
	ChangeFork     RoomChangeKind = "fork"  // Member said two things under one number
)
