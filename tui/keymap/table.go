package keymap

// ID names an action; a configuration refers to it.
type ID string

const (
	Send         ID = "send"
	Newline      ID = "newline"
	Leave        ID = "leave"
	Undo         ID = "undo"
	Edit         ID = "edit"
	Attach       ID = "attach"
	Emoji        ID = "emoji"
	Write        ID = "write"
	Open         ID = "open"
	FocusNext    ID = "focus.next"
	FocusPrev    ID = "focus.previous"
	Switch       ID = "conversation.switch"
	NextChat     ID = "conversation.next"
	PrevChat     ID = "conversation.previous"
	NextUnread   ID = "conversation.unread"
	Conversation ID = "conversation.settings"
	Pin          ID = "conversation.pin"
	Mute         ID = "conversation.mute"
	Archive      ID = "conversation.archive"
	Archived     ID = "conversation.archived"
	Timer        ID = "conversation.timer"
	Up           ID = "move.up"
	Down         ID = "move.down"
	PageUp       ID = "move.page-up"
	PageDown     ID = "move.page-down"
	Top          ID = "move.top"
	Bottom       ID = "move.bottom"
	Search       ID = "search"
	SearchAll    ID = "search.all"
	Menu         ID = "message.menu"
	JumpUnread   ID = "message.unread"
	Reply        ID = "message.reply"
	EditMessage  ID = "message.edit"
	Delete       ID = "message.delete"
	React        ID = "message.react"
	Forward      ID = "message.forward"
	Original     ID = "message.original"
	Zoom         ID = "message.picture"
	Unfold       ID = "message.unfold"
	Link         ID = "message.link"
	SaveFile     ID = "message.save"
	OpenFile     ID = "message.open"
	Retry        ID = "message.retry"
	Discard      ID = "message.discard"
	Copy         ID = "message.copy"
	Invite       ID = "invite"
	Invites      ID = "invites"
	AddContact   ID = "contact.add"
	Verify       ID = "contact.verify"
	Rename       ID = "contact.rename"
	Block        ID = "contact.block"
	Blocked      ID = "contact.blocked"
	Clear        ID = "conversation.clear"
	Export       ID = "conversation.export"
	FirstSteps   ID = "first-steps"
	Remove       ID = "contact.remove"
	Room         ID = "room"
	RoomNew      ID = "room.new"
	RoomJoin     ID = "room.join"
	RoomInvite   ID = "room.invite"
	RoomSend     ID = "room.send"
	RoomLinks    ID = "room.links"
	RoomSettings ID = "room.settings"
	RoomLeave    ID = "room.leave"
	RoomProof    ID = "room.proof"
	Members      ID = "room.members"
	Door         ID = "room.door"
	Thread       ID = "message.thread"
	NextMention  ID = "message.mention"
	Join         ID = "network.join"
	OwnBridge    ID = "network.bridge"
	Network      ID = "network"
	Details      ID = "details"
	Mouse        ID = "mouse"
	Incognito    ID = "incognito"
	Lock         ID = "lock"
	Settings     ID = "settings"
	Passphrase   ID = "passphrase"
	Backup       ID = "backup"
	Restore      ID = "restore"
	Wipe         ID = "wipe"
	Palette      ID = "palette"
	Help         ID = "help"
	Commands     ID = "commands"
	Redraw       ID = "redraw"
	Suspend      ID = "suspend"
	Quit         ID = "quit"
	QuitAtOnce   ID = "quit.now"
)

// Headings in the help.
const (
	groupWrite  = "Writing"
	groupMove   = "Moving"
	groupRead   = "Messages"
	groupChat   = "Conversation"
	groupPeople = "People"
	groupRooms  = "Rooms"
	groupSafety = "Safety"
	groupApp    = "Starling"
)

var table = []Action{
	{ID: Send, Name: "Send the message", Group: groupWrite, Keys: []string{"enter"}, In: Composer, Hidden: true},
	{ID: Newline, Name: "Start a new line", Group: groupWrite, Keys: []string{"ctrl+j", "alt+enter", "shift+enter"}, In: Composer, Hidden: true},
	{ID: Undo, Name: "Undo the last change of the text", Also: "take back typing", Group: groupWrite, Keys: []string{"ctrl+_", "ctrl+/", "alt+z"}, In: Composer},
	{ID: Edit, Name: "Write in your own editor ($EDITOR)", Also: "external vim nano open editor", Group: groupWrite, Keys: []string{"ctrl+x"}, In: Composer},
	{ID: Emoji, Name: "Put in an emoji", Also: "smiley insert symbol", Group: groupWrite, Keys: []string{"alt+m"}, In: Composer},
	{ID: Attach, Name: "Attach a file or a picture", Also: "send document image photo upload insert", Group: groupWrite, Keys: []string{"alt+a"}, In: Anywhere},
	{ID: Leave, Name: "Leave the text, move with single keys", Group: groupWrite, Keys: []string{"esc"}, In: Composer, Hidden: true},
	{ID: Write, Name: "Write a message", Also: "compose type text", Group: groupWrite, Keys: []string{"i"}, In: Lists},

	{ID: Switch, Name: "Go to a conversation", Also: "jump find chat contact person open", Group: groupMove, Keys: []string{"ctrl+k"}, In: Anywhere},
	{ID: Search, Name: "Search in this conversation", Also: "find look words here chat", Group: groupMove, Keys: []string{"/", "alt+/"}, In: Messages},
	{ID: Search, Name: "Search in this conversation", Also: "find look words here chat", Group: groupMove, Keys: []string{"alt+/"}, In: Composer | List},
	{ID: SearchAll, Name: "Search in all conversations", Also: "find look everywhere words global", Group: groupMove, Keys: []string{"/", "ctrl+s"}, In: List},
	{ID: SearchAll, Name: "Search in all conversations", Also: "find look everywhere words global", Group: groupMove, Keys: []string{"ctrl+s"}, In: Composer | Messages},
	{ID: Open, Name: "Open the conversation", Group: groupMove, Keys: []string{"enter", "l", "right"}, In: List, Hidden: true},
	{ID: Leave, Name: "To the conversations", Group: groupMove, Keys: []string{"esc", "h", "left"}, In: Messages, Hidden: true},
	{ID: NextUnread, Name: "Next unread conversation", Also: "new messages jump", Group: groupMove, Keys: []string{"alt+u"}, In: Anywhere},
	{ID: NextChat, Name: "Next conversation", Also: "below down", Group: groupMove, Keys: []string{"alt+down"}, In: Anywhere},
	{ID: PrevChat, Name: "Previous conversation", Also: "above up", Group: groupMove, Keys: []string{"alt+up"}, In: Anywhere},
	{ID: FocusNext, Name: "Next pane", Group: groupMove, Keys: []string{"tab"}, In: Anywhere, Hidden: true},
	{ID: FocusPrev, Name: "Previous pane", Group: groupMove, Keys: []string{"shift+tab"}, In: Anywhere, Hidden: true},
	{ID: Up, Name: "Up", Group: groupMove, Keys: []string{"k", "up"}, In: Lists, Hidden: true},
	{ID: Down, Name: "Down", Group: groupMove, Keys: []string{"j", "down"}, In: Lists, Hidden: true},
	{ID: PageUp, Name: "A page up", Group: groupMove, Keys: []string{"pgup"}, In: Anywhere, Hidden: true},
	{ID: PageDown, Name: "A page down", Group: groupMove, Keys: []string{"pgdown"}, In: Anywhere, Hidden: true},
	{ID: PageUp, Name: "A page up", Group: groupMove, Keys: []string{"ctrl+u", "ctrl+b"}, In: Lists, Hidden: true},
	{ID: PageDown, Name: "A page down", Group: groupMove, Keys: []string{"ctrl+d", "ctrl+f"}, In: Lists, Hidden: true},
	{ID: Top, Name: "To the oldest message here", Group: groupMove, Keys: []string{"g", "home"}, In: Lists, Hidden: true},
	{ID: Bottom, Name: "To the newest message", Also: "latest end scroll last", Group: groupMove, Keys: []string{"G", "end"}, In: Lists},

	{ID: Menu, Name: "What can be done with the message", Also: "actions options context", Group: groupRead, Keys: []string{"enter", "space"}, In: Messages},
	{ID: Reply, Name: "Answer the message", Also: "reply quote respond", Group: groupRead, Keys: []string{"r"}, In: Messages},
	{ID: Reply, Name: "Answer the last message", Also: "reply quote respond", Group: groupRead, Keys: []string{"alt+r"}, In: Composer | List},
	{ID: EditMessage, Name: "Edit your message", Also: "correct change typo fix", Group: groupRead, Keys: []string{"e"}, In: Messages},
	{ID: EditMessage, Name: "Edit your last message", Also: "correct change typo fix", Group: groupRead, Keys: []string{"alt+e"}, In: Composer | List},
	{ID: Delete, Name: "Delete the message", Also: "erase remove unsend take back message", Group: groupRead, Keys: []string{"d"}, In: Messages},
	{ID: React, Name: "React with an emoji", Also: "like thumbs heart smiley", Group: groupRead, Keys: []string{"+"}, In: Messages},
	{ID: Forward, Name: "Forward the message", Also: "share send on pass", Group: groupRead, Keys: []string{"f"}, In: Messages},
	{ID: Copy, Name: "Copy the message", Also: "clipboard text yank", Group: groupRead, Keys: []string{"y"}, In: Messages},
	{ID: Original, Name: "Go to the message that it answers", Also: "quoted jump source", Group: groupRead, Keys: []string{"o"}, In: Messages},
	{ID: Zoom, Name: "Show the picture", Also: "image photo view open large", Group: groupRead, Keys: []string{"z"}, In: Messages},
	{ID: Link, Name: "Open a link of the message", Also: "link URL browser website follow", Group: groupRead, Keys: []string{"l"}, In: Messages},
	{ID: Unfold, Name: "Show all of a long message, or fold it", Also: "expand collapse whole", Group: groupRead, Keys: []string{"s"}, In: Messages},
	{ID: SaveFile, Name: "Save the file or picture", Also: "download keep store disk attachment", Group: groupRead, Keys: []string{"S"}, In: Messages},
	{ID: OpenFile, Name: "Open the file in another program", Also: "view launch external system attachment", Group: groupRead, Keys: []string{"O"}, In: Messages},
	{ID: JumpUnread, Name: "Jump to the first unread message", Also: "new first", Group: groupRead, Keys: []string{"u"}, In: Messages},
	{ID: Thread, Name: "Show the thread of the message", Also: "answers replies discussion", Group: groupRead, Keys: []string{"T"}, In: Messages},
	{ID: NextMention, Name: "Go to the last message that names you", Also: "mention ping called", Group: groupRead, Keys: []string{"@"}, In: Messages},
	{ID: Retry, Name: "Retry a failed message", Also: "resend send again", Group: groupRead, Keys: []string{"R"}, In: Messages},
	{ID: Discard, Name: "Discard a failed message", Also: "drop cancel failed", Group: groupRead, Keys: []string{"x"}, In: Messages},

	{ID: Conversation, Name: "How this conversation is kept", Also: "chat settings options", Group: groupChat, Keys: []string{"c"}, In: Lists},
	{ID: Pin, Name: "Pin the conversation, or not", Also: "top favourite star", Group: groupChat, Keys: []string{"p"}, In: Lists},
	{ID: Mute, Name: "Mute the conversation, or not", Also: "silence quiet notifications off snooze", Group: groupChat, Keys: []string{"m"}, In: Lists},
	{ID: Archive, Name: "Archive the conversation, or take it back", Also: "hide chat put away", Group: groupChat, Keys: []string{"a"}, In: Lists},
	{ID: Archived, Name: "Show or hide archived conversations", Also: "hidden chats old", Group: groupChat, Keys: []string{"A"}, In: Lists},
	{ID: Timer, Name: "Messages that disappear", Also: "disappearing expire self-destruct ephemeral", Group: groupChat, Keys: []string{"t"}, In: Lists},
	{ID: Clear, Name: "Clear the conversation, keep the contact", Also: "delete erase all messages history chat empty", Group: groupChat, Keys: []string{"C"}, In: Lists},
	{ID: Export, Name: "Write the conversation to a file", Also: "export save chat text html json print", Group: groupChat, Keys: []string{"W"}, In: Lists},

	{ID: Invite, Name: "Invite somebody", Also: "new contact add friend link QR code create", Group: groupPeople, Keys: []string{"ctrl+n"}, In: Anywhere},
	{ID: Invites, Name: "Open invites", Also: "pending links withdraw revoke QR again", Group: groupPeople, Keys: []string{"I"}, In: Lists},
	{ID: AddContact, Name: "Add a contact by their invite", Also: "new friend join paste link accept", Group: groupPeople, Keys: []string{"ctrl+o"}, In: Anywhere},
	{ID: Verify, Name: "Verify the contact", Also: "safety number fingerprint compare check key", Group: groupPeople, Keys: []string{"v"}, In: Lists},
	{ID: Rename, Name: "Rename the contact", Also: "change name nickname", Group: groupPeople, Keys: []string{"e"}, In: List},
	{ID: Rename, Name: "Rename the contact", Also: "change name nickname", Group: groupPeople, Keys: []string{"E"}, In: Messages},
	{ID: Block, Name: "Block or unblock the contact", Also: "ban ignore stop spam", Group: groupPeople, Keys: []string{"b"}, In: Lists},
	{ID: Blocked, Name: "Blocked people", Also: "who list unblock", Group: groupPeople, Keys: []string{"B"}, In: Lists},
	{ID: Remove, Name: "Remove the contact", Also: "delete contact erase friend", Group: groupPeople, Keys: []string{"D"}, In: Lists},

	{ID: Room, Name: "What can be done with the room", Also: "menu options group", Group: groupRooms, Keys: []string{"alt+g"}, In: Anywhere},
	{ID: RoomNew, Name: "Make a room", Also: "group new create channel", Group: groupRooms, Keys: []string{"alt+n"}, In: Anywhere},
	{ID: RoomJoin, Name: "Join a room by a link", Also: "enter group paste", Group: groupRooms, Keys: []string{"J"}, In: Lists},
	{ID: Members, Name: "Members of the room", Also: "roles who participants admin ban kick", Group: groupRooms, Keys: []string{"M"}, In: Lists},
	{ID: Door, Name: "People that wait to be let in", Also: "approve queue admit requests door", Group: groupRooms, Keys: []string{"Y"}, In: Lists},
	{ID: RoomInvite, Name: "Invite people into the room", Also: "link QR group add members", Group: groupRooms, Keys: []string{"L"}, In: Lists},
	{ID: RoomSend, Name: "Invite a contact into a room", Also: "send link group add members conversation", Group: groupRooms, Keys: []string{"U"}, In: Lists},
	{ID: RoomLinks, Name: "Links into the room that are open", Also: "group withdraw", Group: groupRooms, Keys: []string{"K"}, In: Lists},
	{ID: RoomSettings, Name: "Room settings", Also: "group name history admins only", Group: groupRooms, Keys: []string{"N"}, In: Lists},
	{ID: RoomProof, Name: "The proof that somebody said two things", Also: "fork equivocation liar", Group: groupRooms, Keys: []string{"P"}, In: Lists},
	{ID: RoomLeave, Name: "Leave the room", Also: "exit group part", Group: groupRooms, Keys: []string{"X"}, In: Lists},

	{ID: Incognito, Name: "Hide or show names and texts", Also: "privacy blur mask", Group: groupSafety, Keys: []string{"f5"}, In: Anywhere},
	{ID: Lock, Name: "Lock the screen", Also: "away secure passphrase", Group: groupSafety, Keys: []string{"f6"}, In: Anywhere},
	{ID: Settings, Name: "Settings", Also: "preferences options notifications typing read receipts language own name theme colours dark light title", Group: groupSafety, Keys: []string{"f7"}, In: Anywhere},
	{ID: Passphrase, Name: "Change the passphrase", Also: "password new secret", Group: groupSafety, Keys: []string{"alt+p"}, In: Anywhere},
	{ID: Backup, Name: "Make a backup", Also: "save copy archive profile", Group: groupSafety, Keys: []string{"f8"}, In: Anywhere},
	{ID: Restore, Name: "Restore a backup", Also: "import recover load", Group: groupSafety, Keys: []string{"f12"}, In: Anywhere},
	{ID: Wipe, Name: "Destroy everything here (f9, then w)", Also: "panic erase all delete profile kill", Group: groupSafety, Keys: []string{"f9"}, In: Anywhere},

	{ID: Palette, Name: "All actions", Group: groupApp, Keys: []string{"ctrl+p"}, In: Anywhere, Hidden: true},
	{ID: FirstSteps, Name: "First steps", Also: "welcome begin start demo try tutorial onboarding", Group: groupApp, Keys: []string{"alt+h"}, In: Anywhere},
	{ID: Help, Name: "Help for where you are", Also: "keys shortcuts manual", Group: groupApp, Keys: []string{"f1"}, In: Composer},
	{ID: Help, Name: "Help for where you are", Also: "keys shortcuts manual", Group: groupApp, Keys: []string{"?", "f1"}, In: Lists},
	{ID: Commands, Name: "Commands that begin with a slash", Also: "slash command line list", Group: groupApp, Keys: []string{"f11"}, In: Anywhere},
	{ID: Network, Name: "What the network is doing", Also: "status connection relays guards outbox offline", Group: groupApp, Keys: []string{"f2"}, In: Composer},
	{ID: Network, Name: "What the network is doing", Also: "status connection relays guards outbox offline", Group: groupApp, Keys: []string{"n", "f2"}, In: Lists},
	{ID: OwnBridge, Name: "Be a bridge for friends", Also: "help censored blocked door share link own relay", Group: groupApp, Keys: []string{"alt+o"}, In: Anywhere},
	{ID: Join, Name: "Join by the address of a relay", Also: "connect bootstrap server address add bridge censor", Group: groupApp, Keys: []string{"f10"}, In: Anywhere},
	{ID: Details, Name: "Show or hide the details", Also: "sidebar info panel", Group: groupApp, Keys: []string{"f3"}, In: Anywhere},
	{ID: Mouse, Name: "Mouse on or off (off: the terminal selects text)", Also: "select copy terminal", Group: groupApp, Keys: []string{"f4"}, In: Anywhere},
	{ID: Redraw, Name: "Draw the screen again", Also: "refresh repaint screen", Group: groupApp, Keys: []string{"ctrl+l"}, In: Anywhere},
	{ID: Suspend, Name: "Suspend to the shell", Also: "background shell", Group: groupApp, Keys: []string{"ctrl+z"}, In: Anywhere},
	{ID: Quit, Name: "Quit (press twice)", Group: groupApp, Keys: []string{"ctrl+c"}, In: Anywhere, Hidden: true},
	{ID: QuitAtOnce, Name: "Quit", Also: "exit leave close end", Group: groupApp, Keys: []string{"ctrl+q"}, In: Anywhere},
}
