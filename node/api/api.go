// Package api is the contract between a running node and its users' programs: the
// terminal app, the command line, scripts. It holds types and errors only and imports
// nothing of ours but safetext, so that a screen built on it cannot reach a key, a
// socket or the disk.
//
// A node runs once per profile. Inside its own process it is used through the
// [Node] interface directly; other processes use the same interface through
// the control socket (package control), which carries these types as JSON.
// Field names are therefore a wire format: they are only ever added to.
//
// # Text
//
// Anything a contact can choose is a [safetext.Text]. Text typed by the
// profile's owner is a plain string on the way in ([SendRequest.Text]) and a
// Text like any other on the way out.
//
// # Events
//
// [Node.Events] delivers the events after a given sequence number, in order and without
// gaps, from the database: an event is on disk before it is delivered. A reader that
// falls behind is never dropped; it reads slower.
package api

import (
	"context"
	"time"

	"starling/node/api/safetext"
)

// MaxText is the longest text of one message in bytes of UTF-8. Longer text
// is refused with [CodeTooLong]; nothing is cut.
const MaxText = 32 << 10

// More limits in bytes: of a picture, of a file and its name, of the text beside either,
// of the text of a [Quote], and of the emoji of a [Reaction].
const (
	MaxPicture  = 48 << 10
	MaxFile     = 48 << 10
	MaxFileName = 200
	MaxCaption  = 8 << 10
	MaxQuote    = 200
	MaxEmoji    = safetext.MaxEmoji
)

// Limits of a picture in pixels: a longer one, or one with more in all, is not sent, and
// not shown.
const (
	MaxSide   = 4096
	MaxPixels = 1 << 21 // a little more than 1920×1080
)

// MaxInviteText is the longest text in which an invite link is looked for, in bytes.
const MaxInviteText = 64 << 10

// Self is the ID of the conversation with oneself, the note to self. It is there from the
// start, is no contact, and nothing of it leaves this computer. The word always means it:
// no contact is found by this name.
const Self = "self"

// SelfNames are the names that people may see on it, in the languages of the app. A
// contact that has or takes one of them gets a part of its ID behind it.
var SelfNames = []string{Self, "Note to self", "Notiz an mich", "Заметки для себя"}

// MaxName is the longest name of a profile or contact in bytes of UTF-8.
const MaxName = 64

// Node is a running messenger.
//
// Every method may be called from any goroutine. An error is an [*Error],
// unless the context ended first.
type Node interface {
	Status(ctx context.Context) (Status, error)

	// Invite makes a one-time invite. It returns once the invite can be used:
	// its bundle is stored in at least one mailbox.
	Invite(ctx context.Context, req InviteRequest) (Invite, error)
	// Invites lists the invites that are still open.
	Invites(ctx context.Context) ([]Invite, error)
	// RevokeInvite withdraws an open invite by its ID.
	RevokeInvite(ctx context.Context, id string) error

	// AddContact accepts an invite. It returns once the first message to the
	// new contact is on disk; the contact is [ContactPending] until they answer.
	AddContact(ctx context.Context, req AddContactRequest) (Contact, error)
	// Contacts lists all people; Conversations lists the note to self ([Self]) before them,
	// and the rooms after them, each as a contact in state [ContactRoom].
	Contacts(ctx context.Context) ([]Contact, error)
	Conversations(ctx context.Context) ([]Contact, error)
	// Verification returns the safety number for two people to compare, as proof that
	// nobody sits between them.
	Verification(ctx context.Context, contact string) (Verification, error)
	// SetVerified records that the two people have compared it: seen is the
	// safety number or the code that they compared, and it is refused with
	// [CodeChanged] if the session has another by now. Empty takes it back.
	SetVerified(ctx context.Context, contact, seen string) (Contact, error)
	RenameContact(ctx context.Context, contact, name string) (Contact, error)
	// BlockContact stops or resumes receiving from a contact, and sending to them: to
	// them and their mailboxes we are as if we were not there.
	BlockContact(ctx context.Context, contact string, blocked bool) (Contact, error)
	// RemoveContact erases a contact, its session and its messages.
	RemoveContact(ctx context.Context, contact string) error
	// ChangeConversation changes how a conversation is kept.
	ChangeConversation(ctx context.Context, req ConversationRequest) (Contact, error)
	// ClearConversation erases the messages of a conversation and its draft, here. The
	// contact and the session stay.
	ClearConversation(ctx context.Context, contact string) error
	// Export writes the messages of a conversation, readable, to a new file.
	Export(ctx context.Context, req ExportRequest) error

	// Send puts a message in the outbox. It returns once the message is on
	// disk, in state [StateQueued], or [StateStored] in the note to self.
	Send(ctx context.Context, req SendRequest) (Message, error)
	// Retry queues a failed message again; Discard erases one.
	Retry(ctx context.Context, message string) (Message, error)
	Discard(ctx context.Context, message string) error
	// Edit replaces the text of an own message, here and at the contact.
	Edit(ctx context.Context, req EditRequest) (Message, error)
	// Delete erases messages here, and own ones at the contact too if asked.
	Delete(ctx context.Context, req DeleteRequest) error
	// React sets our one reaction to a message; an empty one takes it back.
	React(ctx context.Context, req ReactRequest) (Message, error)
	// Typing tells a contact that we are writing, if [Settings.Typing] is on.
	// It may be called at every key; nothing of it is kept.
	Typing(ctx context.Context, contact string) error
	// Message returns one message by its ID.
	Message(ctx context.Context, id string) (Message, error)
	// History returns stored messages of one conversation, oldest first.
	History(ctx context.Context, req HistoryRequest) ([]Message, error)
	// Search returns stored messages that hold all the words, newest first.
	Search(ctx context.Context, req SearchRequest) ([]Message, error)
	// MarkRead sets the unread line of a conversation behind its last message.
	// Messages that disappear begin to count down.
	MarkRead(ctx context.Context, contact string) error

	// Drafts returns all unsent texts; SaveDraft replaces one, and an empty
	// text erases it.
	Drafts(ctx context.Context) ([]Draft, error)
	SaveDraft(ctx context.Context, draft Draft) error
	Settings(ctx context.Context) (Settings, error)
	ChangeSettings(ctx context.Context, change SettingsChange) (Settings, error)

	// Lock closes the profile, and not only a screen: until Unlock the control socket
	// serves nobody new without the passphrase ([CodeLocked]).
	Lock(ctx context.Context) error
	// Unlock reports whether this is the profile's passphrase, for a screen
	// that was locked: [CodeWrongPassphrase] if not. It ends Lock.
	Unlock(ctx context.Context, passphrase string) error
	// TryOthers tries other guards now, for a person tired of waiting for theirs. Each
	// that answers sees the address of this computer.
	TryOthers(ctx context.Context) error
	// ChangePassphrase gives the profile another passphrase and other keys, while it
	// is used.
	ChangePassphrase(ctx context.Context, req PassphraseRequest) error
	// Backup writes the whole profile, encrypted, to a new file.
	Backup(ctx context.Context, req BackupRequest) error
	// Wipe destroys the profile's keys and files and ends the node. It cannot
	// be undone.
	Wipe(ctx context.Context) error

	Rooms
	Bridges

	// Events calls f for each event after the given sequence number, in
	// order, until f returns an error or ctx ends; it returns that error.
	// After -1 means "only events from now on".
	Events(ctx context.Context, after int64, f func(Event) error) error
}

// Wherever a method takes a contact it accepts the contact's ID or its exact
// name; a name that two contacts share is refused with [CodeAmbiguous].

// A Contact is one person, known to this profile by an identity of their own
// that nobody else sees.
type Contact struct {
	ID    string        `json:"id"`
	Name  safetext.Text `json:"name"`
	State ContactState  `json:"state"`
	// Hopeless: pending for longer than any invite lives. It was used by somebody else,
	// or withdrawn; a new one is needed.
	Hopeless bool      `json:"hopeless,omitempty"`
	Verified bool      `json:"verified"`
	Blocked  bool      `json:"blocked"`
	Created  time.Time `json:"created"`
	Unread   int       `json:"unread"`
	// Unsent counts the messages, changes and receipts for them that lie in no
	// mailbox of theirs yet.
	Unsent int `json:"unsent"`
	// Last is the newest message of the conversation, if there is one, without
	// its reactions and the data of its picture or file.
	Last *Message `json:"last,omitempty"`
	// Room is set if the conversation is a room.
	Room *Room `json:"room,omitempty"`
	// As is our name to them, if it is not that of the profile: see [Rooms.InviteMember].
	As safetext.Text `json:"as,omitzero"`
	Conversation
}

// ContactState says how far the first contact has come.
type ContactState string

const (
	// ContactPending: we have used their invite and they have not answered.
	ContactPending ContactState = "pending"
	// ContactReady: both sides hold the session.
	ContactReady ContactState = "ready"
	// ContactSelf is the state of the note to self, and of nothing else.
	ContactSelf ContactState = "self"
	// ContactRoom is the state of a room, and of nothing else.
	ContactRoom ContactState = "room"
)

// A Message is one text, picture or file, in either direction.
type Message struct {
	ID           string        `json:"id"`
	Conversation string        `json:"conversation"` // ID of the contact or room
	From         safetext.Text `json:"from"`         // contact's or member's name; our own name if Outgoing
	// Room is the ID of the room, Member that of the author in it; both are empty in a
	// conversation of two. Mention: it names us.
	Room     string        `json:"room,omitempty"`
	Member   string        `json:"member,omitempty"`
	Mention  bool          `json:"mention,omitempty"`
	Change   *RoomChange   `json:"change,omitempty"` // set if it is a notice of a room
	Outgoing bool          `json:"outgoing"`
	Text     safetext.Text `json:"text"`
	Time     time.Time     `json:"time"` // when it was sent, by the sender's clock
	State    State         `json:"state"`
	Reason   string        `json:"reason,omitempty"` // why it failed or waits
	// Sequence orders messages as they became known here.
	Sequence int64 `json:"seq"`
	// Ahead: it came ahead of what its author had seen, and waits for that. It has no Sequence, is
	// not stored, and nothing can be done with it; it comes again at its turn. Its picture or file has no data.
	Ahead bool `json:"ahead,omitempty"`

	// Gap says that something its sender wrote before this is not here.
	Gap Gap `json:"gap,omitempty"`
	// Late is set if it came after something that was written later. It quotes the
	// first message above it that belongs below it.
	Late *Quote `json:"late,omitempty"`

	Reply     *Quote     `json:"reply,omitempty"` // what it answers
	Forwarded bool       `json:"forwarded,omitempty"`
	Given     bool       `json:"given,omitempty"`   // in a room: the word of the member of our link, not heard from its author
	Picture   *Picture   `json:"picture,omitempty"` // Text is its caption, and may be empty
	File      *File      `json:"file,omitempty"`    // the same holds for its text
	Edited    time.Time  `json:"edited,omitzero"`   // when its sender last changed it
	Deleted   bool       `json:"deleted,omitempty"` // its sender took it back: there is no text left
	Reactions []Reaction `json:"reactions,omitempty"`
	// Read is when the contact said that they have read it; only for outgoing
	// messages, and only if they tell.
	Read time.Time `json:"read,omitzero"`
	// Timer is after how many seconds it disappears; 0: never. The time of an incoming
	// one is counted from its reading, of an outgoing one from its delivery. Expires is
	// when that will be, once it counts.
	Timer   int       `json:"timer,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
}

// Gap is the state of something that was written before a message and is not here. Lost
// receipts and the like are no gap.
type Gap string

const (
	GapMissing Gap = "missing" // it has not come yet; its sender still repeats it
	GapLost    Gap = "lost"    // it will not come any more
)

// A Quote is a message that another one answers, or names otherwise. All but its ID is as known
// here and left out if it is not.
type Quote struct {
	ID       string        `json:"id"`
	From     safetext.Text `json:"from,omitzero"`
	Outgoing bool          `json:"outgoing,omitempty"`
	Text     safetext.Text `json:"text,omitzero"` // its first [MaxQuote] bytes, as one line
}

// A Reaction is the opinion of one side about a message, in one emoji. In a room Member is
// the ID of that member.
type Reaction struct {
	Outgoing bool          `json:"outgoing"`
	Member   string        `json:"member,omitempty"`
	Emoji    safetext.Text `json:"emoji"`
}

// A Picture is a small one that came with its message. Nobody has looked into
// Data: decode it with limits.
type Picture struct {
	Type string `json:"type"` // "image/png", "image/jpeg" or "image/gif"
	Data []byte `json:"data,omitempty"`
	Size int    `json:"size"` // of Data in bytes
}

// A File is a small one of any kind that came with its message. Its name is the
// sender's, in the form of [starling/node/api/filename.Clean]: no path, nothing hidden or
// invisible, and free to be a lie about what is in Data. Nobody has looked into that.
type File struct {
	Name safetext.Text `json:"name"`
	Size int           `json:"size"` // of Data in bytes
	// Data is there in what [Node.Message] returns, and left out elsewhere: lists and
	// events say that there is a file.
	Data []byte `json:"data,omitempty"`
}

// State is how far a message has come. An outgoing one moves down this list and never
// up, but for Retry and for a session that was given up: undelivered messages are then
// queued again. An incoming one is [StateReceived].
type State string

const (
	StateQueued    State = "queued"    // on disk here
	StateSealed    State = "sealed"    // encrypted; the session has moved on
	StateSent      State = "sent"      // stored in a mailbox of the recipient
	StateDelivered State = "delivered" // the recipient's key said so
	StateFailed    State = "failed"    // given up; Reason says why
	StateReceived  State = "received"
	// StateStored is the state of a message of the note to self: on disk here, to stay.
	StateStored State = "stored"
	// StateNotice marks a message of the node itself, for example that the session is a
	// new one. No contact can make one.
	StateNotice State = "notice"
)

// SendRequest is one message to one contact. ID may be empty; a caller that
// sets it (32 hex digits) can repeat a request without sending twice.
type SendRequest struct {
	Contact string `json:"contact"`
	Text    string `json:"text"`
	ID      string `json:"id,omitempty"`
	// ReplyTo is the ID of the message of this conversation that it answers.
	ReplyTo string `json:"reply_to,omitempty"`
	// Forward is the ID of a message, of any conversation; its text, and its picture or
	// file, are sent instead of Text.
	Forward string `json:"forward,omitempty"`
	// Picture is a PNG, JPEG or GIF of at most [MaxPicture] bytes; Text is then
	// its caption of at most [MaxCaption] bytes, and may be empty. Its pixels are
	// sent, upright, and nothing else of it; one that cannot be shown is refused.
	Picture []byte `json:"picture,omitempty"`
	// File is one of any kind, sent as it is; Text is then its caption, as of a picture.
	File *SendFile `json:"file,omitempty"`
}

// SendFile is a file to send: a name of at most [MaxFileName] bytes, without a path, and
// at most [MaxFile] bytes of data, or none.
type SendFile struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// EditRequest gives an own message another text.
type EditRequest struct {
	Message string `json:"message"`
	Text    string `json:"text"`
}

// DeleteRequest names up to 64 messages of one conversation. Without Both they are
// erased here, and an outgoing one on its way still arrives. Both takes them back: here
// and at the contact their empty places stay. It is refused for messages of the
// contact.
type DeleteRequest struct {
	Messages []string `json:"messages"`
	Both     bool     `json:"both,omitempty"`
}

// ReactRequest is one emoji of at most [MaxEmoji] bytes, or none.
type ReactRequest struct {
	Message string `json:"message"`
	Emoji   string `json:"emoji"`
}

// HistoryRequest asks for up to Limit messages before the one with sequence
// Before; 0 means the newest and the default limit (100, at most 1,000). With
// After it asks for the first ones after that sequence instead. Ahead asks for
// the messages of a room that came ahead of others, and for no others: see [Message].
type HistoryRequest struct {
	Contact string `json:"contact"`
	Before  int64  `json:"before,omitempty"`
	After   int64  `json:"after,omitempty"`
	Limit   int    `json:"limit,omitempty"`
	Ahead   bool   `json:"ahead,omitempty"`
}

// SearchRequest asks for up to Limit messages (default 50, at most 1,000) that
// hold every word, in any case and order, the last one as a beginning; in one
// conversation if Contact is set. Words are at most 1 KiB; a word without letter, digit
// or emoji finds nothing. Before is as in [HistoryRequest].
//
// The rest narrows it further, and is enough without words: From is the sender, a contact
// or "me"; Since and Until are when it was sent, by the sender's clock, Until itself left
// out; Kind is what it is.
type SearchRequest struct {
	Words   string      `json:"words"`
	Contact string      `json:"contact,omitempty"`
	Before  int64       `json:"before,omitempty"`
	Limit   int         `json:"limit,omitempty"`
	From    string      `json:"from,omitempty"`
	Since   time.Time   `json:"since,omitzero"`
	Until   time.Time   `json:"until,omitzero"`
	Kind    MessageKind `json:"kind,omitempty"`
}

// MessageKind is what a message is, to search for.
type MessageKind string

const (
	KindText    MessageKind = "text"    // it has no picture and no file
	KindPicture MessageKind = "picture" // it has a picture
	KindFile    MessageKind = "file"    // it has a file
	KindLink    MessageKind = "link"    // its text holds a web address
)

// InviteRequest asks for an invite that can be used once within Expires
// (default 24 h, at least a minute, at most 7 days). Name, if given, names
// the contact it will become. WithBridge puts the profile's bridges behind the link: its
// readers learn them, and a profile without a relay begins with them.
type InviteRequest struct {
	Expires    time.Duration `json:"expires,omitempty"`
	Name       string        `json:"name,omitempty"`
	WithBridge bool          `json:"with_bridge,omitempty"`
}

// How long an invite may live.
const (
	MinInviteLife = time.Minute
	MaxInviteLife = 7 * 24 * time.Hour
)

// An Invite is a link that makes one contact.
type Invite struct {
	ID      string    `json:"id"`
	Link    string    `json:"link"`
	Expires time.Time `json:"expires"`
	// Name is the name that the contact will have, if it was given one.
	Name safetext.Text `json:"name,omitzero"`
}

// AddContactRequest accepts an invite link under a name of our choice; an
// empty name takes the one the inviter gave. Link may be any text of at most
// [MaxInviteText] bytes that holds the link, such as a mail.
type AddContactRequest struct {
	Link string `json:"link"`
	Name string `json:"name,omitempty"`
}

// Verification is the same on both sides if nobody sits between them.
type Verification struct {
	Contact string `json:"contact"`
	// SafetyNumber is 60 digits in twelve groups of five.
	SafetyNumber string `json:"safety_number"`
	// Code says the same for a QR code: "starling-verify:" and 52 letters and
	// digits, in either case.
	Code     string `json:"code"`
	Verified bool   `json:"verified"`
}

// Status is the present state of a node.
type Status struct {
	Role    string        `json:"role"`    // "client"
	Name    safetext.Text `json:"name"`    // the owner's name
	Profile string        `json:"profile"` // privacy profile: fast, mix, direct
	Ready   bool          `json:"ready"`   // messages can leave now
	// Reason names the thing awaited when Ready is false.
	Reason    string  `json:"reason,omitempty"`
	PeerID    string  `json:"peer_id"` // this session's network identity
	Hops      int     `json:"hops"`    // mixes on the way to a mailbox
	Guards    []Guard `json:"guards"`
	Relays    int     `json:"relays_known"`
	Doubtful  int     `json:"relays_doubtful,omitempty"` // of them; avoided, because nothing seems to come back over them
	Reached   int     `json:"relays_reached,omitempty"`  // of them; those in use while most are out of reach, else 0
	OneSource bool    `json:"one_source,omitempty"`      // only one relay has said which relays there are
	// ListsAsked is how many relays were asked of late, through the mixes, which relays
	// there are; ListsOther how many of them list others than are known here. When
	// most do, the list here is perhaps of somebody's making.
	ListsAsked int `json:"lists_asked,omitempty"`
	ListsOther int `json:"lists_other,omitempty"`
	// Sources are relays that are no guards and see the address of this computer now,
	// because they are asked which relays there are.
	Sources []Source `json:"sources,omitempty"`
	// Ways are the ways in that were tried, the last first, and how each answered.
	Ways []Way `json:"ways,omitempty"`
	// Notice says what the network around this computer does to connections, or that most relays
	// are out of reach, if the node goes on all the same. FreezesAfter is after how many bytes it freezes one, 0 if it
	// does not; Bans: it lets nothing pass to a relay after too many connections.
	Notice       string `json:"notice,omitempty"`
	FreezesAfter int64  `json:"freezes_after,omitempty"`
	Bans         bool   `json:"bans,omitempty"`
	// Bridges are those of the profile, without their links. BridgesOnly: nothing else is
	// dialled.
	Bridges     []Bridge `json:"bridges,omitempty"`
	BridgesOnly bool     `json:"bridges_only,omitempty"`
	// OwnBridge is the bridge that this computer is for friends; left out if it is none.
	OwnBridge *OwnBridge `json:"own_bridge,omitempty"`
	// Proxy is the proxy in use, without user name and password. ProxyFault says how it
	// failed the last time.
	Proxy      string `json:"proxy,omitempty"`
	ProxyFault string `json:"proxy_fault,omitempty"`
	// ClockKnown: relays agree on the time, which the node goes by. ClockAhead is by how
	// many seconds this computer's clock is ahead of it.
	ClockKnown bool      `json:"clock_known"`
	ClockAhead int64     `json:"clock_ahead"`
	Mailboxes  []Mailbox `json:"mailboxes"`
	Outbox     Outbox    `json:"outbox"`
	Contacts   int       `json:"contacts"`
	Rooms      int       `json:"rooms,omitempty"` // that the profile is in, or waits for
	// RoomsUnheard counts those in which perhaps nobody reads what we write: see [Room].
	RoomsUnheard int `json:"rooms_unheard,omitempty"`
	// LastEvent is the sequence number of the newest event, 0 if none.
	LastEvent int64 `json:"last_event"`
	// AllowPrivate: loopback and LAN relays are admitted and the rules of
	// route diversity are relaxed. Only for meshes of one's own.
	AllowPrivate bool      `json:"allow_private"`
	Anonymity    Anonymity `json:"anonymity"`
	BytesIn      int64     `json:"bytes_in"`
	BytesOut     int64     `json:"bytes_out"`
	// Refused counts dropped input from the network, by kind.
	Refused map[string]int64 `json:"refused"`
	Started time.Time        `json:"started"`
	Version string           `json:"version"`
	// Locked: Lock was called, and Unlock not yet.
	Locked bool `json:"locked,omitempty"`
	// Brief: the node ends with the command that it was started for.
	Brief bool `json:"brief,omitempty"`
}

// A Guard is a relay that this client connects to, and the only kind of
// stranger that sees its address.
type Guard struct {
	PeerID    string `json:"peer_id"`
	Address   string `json:"address"`
	Connected bool   `json:"connected"`
}

// A Source is a relay that is asked which relays there are. Pasted: a link that was
// pasted names it; that happens only while the profile knows no relay.
type Source struct {
	PeerID  string `json:"peer_id"`
	Address string `json:"address"`
	Pasted  bool   `json:"pasted,omitempty"`
}

// A Way is a way in that was tried: a relay or a bridge. Kind is "guard", "given" by the
// owner, "lan", or "link" for one that a pasted link names.
type Way struct {
	PeerID  string `json:"peer_id"`
	Address string `json:"address"`
	Kind    string `json:"kind"`
	// Outcome is connected, refused, silent, unreachable, cut-off, frozen, wrong-key,
	// captive-portal, clock-off, not-a-relay, no-hello or bridge-failed.
	Outcome string `json:"outcome"`
	// Bytes is how many came before it froze, the last time.
	Bytes int64 `json:"bytes,omitempty"`
	// Skew is by how many seconds its clock is ahead, where that is the reason.
	Skew int64     `json:"skew,omitempty"`
	At   time.Time `json:"at"`
}

// A Mailbox is a relay that keeps our mail until we fetch it.
type Mailbox struct {
	PeerID string `json:"peer_id"`
	// Heard is when it last answered; zero if never.
	Heard time.Time `json:"heard"`
	// NoRoom: it has no room to push boxes at once, and is asked now and then.
	NoRoom bool `json:"no_room,omitempty"`
}

// Outbox counts outgoing messages that are not delivered yet.
type Outbox struct {
	Queued int `json:"queued"`
	Sealed int `json:"sealed"`
	Sent   int `json:"sent"`
	Failed int `json:"failed"`
}

// Waiting counts those that have not left this computer.
func (o Outbox) Waiting() int { return o.Queued + o.Sealed }

// Anonymity is the promise of the profile in the network as it is now. Statement is one
// sentence for a person; it never says more than docs/THREATMODEL.md.
type Anonymity struct {
	Statement string `json:"statement"`
	// RelaysToLink is how many relays must work together to link sender and
	// recipient of one message: the guard and the mailbox side.
	RelaysToLink int `json:"relays_to_link"`
	// EnoughRelays: routes can be chosen by the rules of diversity.
	EnoughRelays bool `json:"enough_relays"`
}

// EventKind names the subject of an event.
type EventKind string

const (
	EventMessage EventKind = "message" // a message arrived or was queued here
	EventNotice  EventKind = "notice"  // the node itself has something to say in a conversation
	EventState   EventKind = "state"   // an outgoing message changed its state
	EventChanged EventKind = "changed" // a message was edited, taken back, reacted to, read, or began to count down; or its Gap or Given changed
	EventTyping  EventKind = "typing"  // a contact is writing; not stored, Seq is 0
	EventDraft   EventKind = "draft"   // a draft changed; not stored, Seq is 0
	EventContact EventKind = "contact" // a contact is new or changed
	EventRemoved EventKind = "removed" // a contact or message was erased
	EventCleared EventKind = "cleared" // all messages of a conversation were erased
	EventInvite  EventKind = "invite"  // an invite was used, expired or tried twice
	EventStatus  EventKind = "status"  // the network changed; not stored, Seq is 0
)

// An Event is one line of `starling tail --json`. The fields of its kind are
// set, the others are left out.
type Event struct {
	Kind EventKind `json:"event"`
	Seq  int64     `json:"seq,omitempty"`

	// EventMessage, EventNotice, EventState, EventChanged; EventTyping and
	// EventDraft have Conversation only.
	ID           string         `json:"id,omitempty"`
	Conversation string         `json:"conversation,omitempty"`
	From         *safetext.Text `json:"from,omitempty"`
	Text         *safetext.Text `json:"text,omitempty"`
	Room         string         `json:"room,omitempty"`   // as in [Message]
	Member       string         `json:"member,omitempty"` // as in [Message]
	Outgoing     bool           `json:"outgoing,omitempty"`
	State        State          `json:"state,omitempty"`
	Reason       string         `json:"reason,omitempty"`
	Time         time.Time      `json:"time,omitzero"`

	Message *Message     `json:"message,omitempty"` // EventMessage, EventNotice, EventChanged: all of it, as it is now
	Contact *Contact     `json:"contact,omitempty"` // EventContact
	Invite  *InviteEvent `json:"invite,omitempty"`  // EventInvite
	Status  *Status      `json:"status,omitempty"`  // EventStatus
}

// InviteEvent tells the fate of an invite.
type InviteEvent struct {
	ID      string `json:"id"`
	What    string `json:"what"` // "used", "reused", "expired", "revoked"
	Contact string `json:"contact,omitempty"`
}
