package api

import "time"

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
}

// SettingsChange changes some of the settings.
type SettingsChange struct {
	Typing       *bool        `json:"typing,omitempty"`
	ReadReceipts *bool        `json:"read_receipts,omitempty"`
	Notify       *NotifyLevel `json:"notify,omitempty"`
	LockAfter    *int         `json:"lock_after,omitempty"`
	Open         *string      `json:"open,omitempty"`
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
