package api

import (
	"time"

	"starling/node/api/safetext"
)

// Conversation is how the conversation with a contact is kept. It is a part of
// [Contact].
type Conversation struct {
	Pinned   bool `json:"pinned,omitempty"`
	Archived bool `json:"archived,omitempty"` // until something new comes
	// MutedUntil is until when nothing new is announced; zero: not muted.
	MutedUntil time.Time `json:"muted_until,omitzero"`
	// Notify overrides [Settings.Notify]; empty means that.
	Notify NotifyLevel `json:"notify,omitempty"`
	// Timer is after how many seconds new messages disappear, on both sides; 0: never.
	// Equal offers of both set it; an offer of one side alone waits for the other's.
	Timer       int `json:"timer,omitempty"`
	TimerMine   int `json:"timer_mine,omitempty"`
	TimerTheirs int `json:"timer_theirs,omitempty"`
}

// MaxTimer is the longest wait of messages that disappear, in seconds: four
// weeks. The shortest is 5.
const MaxTimer = 28 * 24 * 60 * 60

// Forever as MutedUntil mutes until it is changed.
var Forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// ConversationRequest changes the settings of a conversation. Timer is our offer.
type ConversationRequest struct {
	Contact    string       `json:"contact"`
	Pinned     *bool        `json:"pinned,omitempty"`
	Archived   *bool        `json:"archived,omitempty"`
	MutedUntil *time.Time   `json:"muted_until,omitempty"`
	Notify     *NotifyLevel `json:"notify,omitempty"`
	Timer      *int         `json:"timer,omitempty"`
}

// NotifyLevel is how much a notification says. Others in the room read it.
type NotifyLevel string

const (
	NotifyNone   NotifyLevel = "none"
	NotifyHidden NotifyLevel = "hidden" // that something came, and no more
	NotifyName   NotifyLevel = "name"   // from whom
	NotifyText   NotifyLevel = "text"   // all of it
)

// A Draft is a text that was not sent yet.
type Draft struct {
	Contact string `json:"contact"`
	Text    string `json:"text"`
	ReplyTo string `json:"reply_to,omitempty"`
}

// Settings are the owner's choices for the whole profile. Contents sent by a setting
// are off unless chosen: they tell when a person is there.
type Settings struct {
	Typing       bool        `json:"typing"`        // tell that we are writing
	ReadReceipts bool        `json:"read_receipts"` // tell that we have read
	Notify       NotifyLevel `json:"notify"`        // default NotifyHidden
	// LockAfter locks the screen after so many idle seconds; 0: never.
	LockAfter int `json:"lock_after"`
	// Open is the conversation that was open last, by its contact's ID, for the next
	// start of the app; empty: none.
	Open string `json:"open,omitempty"`

	// Name is what contacts are told that the owner is called. A new one is told to those
	// that are there, but for blocked ones.
	Name safetext.Text `json:"name"`
	// Language is that of the app: one of [Languages], or empty for the system's.
	Language string `json:"language,omitempty"`
	// Theme is the look of the app, one of [Themes].
	Theme string `json:"theme"`
	// UnreadTitle shows in the window's title how many messages are unread. Other
	// programs read titles.
	UnreadTitle bool `json:"unread_title"`
	// BridgesOnly: relays are reached over bridges alone; without one nothing is dialled.
	BridgesOnly bool `json:"bridges_only"`
	// Proxy is socks5://[USER:PASSWORD@]ADDRESS:PORT, empty for none: all connections go
	// over it, and nothing else is dialled, listened on, resolved or asked.
	Proxy string `json:"proxy,omitempty"`
	// Bridge: this computer is a bridge for friends as well, on PORT of all its addresses or
	// at ADDRESS:PORT, as a router forwards it. Empty: it is none.
	Bridge string `json:"bridge,omitempty"`
}

// BridgeOn is the change of [Settings.Bridge] to a port that the node draws.
const BridgeOn = "on"

// Languages are those the app speaks.
var Languages = []string{"en", "de", "ru"}

// Themes are the looks of the app: that of the terminal's own background, one for dark
// and one for light screens in colours of their own, and the 16 colours of the terminal.
var Themes = []string{"auto", "dark", "light", "16"}

// SettingsChange changes some of the settings.
type SettingsChange struct {
	Typing       *bool        `json:"typing,omitempty"`
	ReadReceipts *bool        `json:"read_receipts,omitempty"`
	Notify       *NotifyLevel `json:"notify,omitempty"`
	LockAfter    *int         `json:"lock_after,omitempty"`
	Open         *string      `json:"open,omitempty"`
	Name         *string      `json:"name,omitempty"`
	Language     *string      `json:"language,omitempty"`
	Theme        *string      `json:"theme,omitempty"`
	UnreadTitle  *bool        `json:"unread_title,omitempty"`
	BridgesOnly  *bool        `json:"bridges_only,omitempty"`
	Proxy        *string      `json:"proxy,omitempty"`
	// Bridge is as in Settings, or [BridgeOn].
	Bridge *string `json:"bridge,omitempty"`
}

// Apply makes the change in settings that no node has to make out first: all but
// [SettingsChange.Name] and [SettingsChange.Bridge]. It checks nothing.
func (c SettingsChange) Apply(s *Settings) {
	replace(&s.Typing, c.Typing)
	replace(&s.ReadReceipts, c.ReadReceipts)
	replace(&s.Notify, c.Notify)
	replace(&s.LockAfter, c.LockAfter)
	replace(&s.Open, c.Open)
	replace(&s.Language, c.Language)
	replace(&s.Theme, c.Theme)
	replace(&s.UnreadTitle, c.UnreadTitle)
	replace(&s.BridgesOnly, c.BridgesOnly)
	replace(&s.Proxy, c.Proxy)
}

// replace sets what a change has.
func replace[T any](old, set *T) {
	if set != nil {
		*old = *set
	}
}

// PassphraseRequest is the passphrase that a profile has, and the one that it gets.
type PassphraseRequest struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// BackupRequest is where a backup goes: the absolute path of a file that is not
// there yet, on the machine of the node. It is in the age format
// (age-encryption.org), opened with Passphrase; the profile that is restored
// from it opens with the passphrase that it had.
type BackupRequest struct {
	Path       string `json:"path"`
	Passphrase string `json:"passphrase"`
}

// ExportFormat is how an export is written.
type ExportFormat string

const (
	ExportText ExportFormat = "text"
	ExportJSON ExportFormat = "json" // an object a line, as from History
	ExportHTML ExportFormat = "html" // a page without scripts
)

// ExportRequest is where the messages of a conversation are written: the absolute path of
// a file that is not there yet, on the machine of the node. It is not encrypted, and only
// the owner may read it.
type ExportRequest struct {
	Contact string       `json:"contact"`
	Path    string       `json:"path"`
	Format  ExportFormat `json:"format"`
}
