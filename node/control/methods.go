package control

import (
	"context"
	"reflect"

	"starling/node/api"
)

// A method is one request of the api, with arguments of type P. The server runs
// it, the client asks for it, and docs/API.md is written from it.
type method[P, R any] struct{ endpoint }

// An endpoint is a method as the server and the document see it.
type endpoint struct {
	name, doc string
	shape     shape
	args      reflect.Type // none{} without arguments
	value     reflect.Type
	// run calls the node with arguments that decode fills in. It gives each value
	// to emit, which may refuse to take more.
	run func(ctx context.Context, n api.Node, decode func(any) error, emit func(any) error) error
}

// shape is how many values a method answers with.
type shape int

const (
	nothing shape = iota // {}
	object               // one
	lines                // any number, one a line
	stream               // lines without an end, each sent at once
)

// none are no arguments, or no value.
type none struct{}

// Arguments of the methods that take no struct of package api.
type (
	idArgs struct {
		ID string `json:"id"`
	}
	contactArgs struct {
		Contact string `json:"contact"`
	}
	renameArgs struct {
		Contact string `json:"contact"`
		Name    string `json:"name"`
	}
	blockArgs struct {
		Contact string `json:"contact"`
		Blocked bool   `json:"blocked"`
	}
	verifiedArgs struct {
		Contact string `json:"contact"`
		Seen    string `json:"seen"`
	}
	passphraseArgs struct {
		Passphrase string `json:"passphrase"`
	}
	eventArgs struct {
		After int64 `json:"after"`
	}
)

// methods is the table, in the order of the document.
var methods []endpoint

// The methods. A new one is a line here, and one in client.go.
var (
	statusNow = one("status", "What holds now.", func(n api.Node, ctx context.Context, _ none) (api.Status, error) { return n.Status(ctx) })

	invite       = one("invite", "Make a one-time invite. The answer comes when it can be used: its bundle lies in a mailbox.", api.Node.Invite)
	invites      = many("invites", "The invites that are still open.", func(n api.Node, ctx context.Context, _ none) ([]api.Invite, error) { return n.Invites(ctx) })
	revokeInvite = act("revoke_invite", "Withdraw an open invite.", func(n api.Node, ctx context.Context, a idArgs) error { return n.RevokeInvite(ctx, a.ID) })

	addContact   = one("add_contact", "Accept an invite. The answer comes when the first message to the contact is on disk; the contact is pending until they answer.", api.Node.AddContact)
	contacts     = many("contacts", "All contacts.", func(n api.Node, ctx context.Context, _ none) ([]api.Contact, error) { return n.Contacts(ctx) })
	chats        = many("conversations", "The note to self, and all contacts.", func(n api.Node, ctx context.Context, _ none) ([]api.Contact, error) { return n.Conversations(ctx) })
	verification = one("verification", "What two people compare to know that nobody sits between them.", func(n api.Node, ctx context.Context, a contactArgs) (api.Verification, error) {
		return n.Verification(ctx, a.Contact)
	})
	setVerified = one("set_verified", "Record that two people have compared it: seen is the safety number or code that they compared, empty to take it back. Refused with changed if the session has another by now.", func(n api.Node, ctx context.Context, a verifiedArgs) (api.Contact, error) {
		return n.SetVerified(ctx, a.Contact, a.Seen)
	})
	renameContact = one("rename_contact", "Give a contact another name.", func(n api.Node, ctx context.Context, a renameArgs) (api.Contact, error) {
		return n.RenameContact(ctx, a.Contact, a.Name)
	})
	blockContact = one("block_contact", "Stop or resume receiving from a contact, and sending to them. They and their mailboxes see what they see of one who is offline.", func(n api.Node, ctx context.Context, a blockArgs) (api.Contact, error) {
		return n.BlockContact(ctx, a.Contact, a.Blocked)
	})
	removeContact = act("remove_contact", "Erase a contact, its session and its messages.", func(n api.Node, ctx context.Context, a contactArgs) error { return n.RemoveContact(ctx, a.Contact) })
	changeConv    = one("change_conversation", "Change how a conversation is kept.", api.Node.ChangeConversation)
	clearConv     = act("clear_conversation", "Erase the messages of a conversation and its draft, here. The contact and the session stay.", func(n api.Node, ctx context.Context, a contactArgs) error { return n.ClearConversation(ctx, a.Contact) })
	export        = act("export", "Write the messages of a conversation, readable, to a new file.", api.Node.Export)

	send    = one("send", "Put a message in the outbox. The answer comes when it is on disk, in state queued.", api.Node.Send)
	retry   = one("retry", "Queue a failed message again.", func(n api.Node, ctx context.Context, a idArgs) (api.Message, error) { return n.Retry(ctx, a.ID) })
	discard = act("discard", "Erase a failed message.", func(n api.Node, ctx context.Context, a idArgs) error { return n.Discard(ctx, a.ID) })
	edit    = one("edit", "Replace the text of an own message, here and at the contact.", api.Node.Edit)
	remove  = act("delete", "Erase messages here, and own ones at the contact too if both is set.", api.Node.Delete)
	react   = one("react", "Set our one reaction to a message; an empty one takes it back.", api.Node.React)
	typing  = act("typing", "Tell a contact that we are writing, if the setting is on. It may be called at every key.", func(n api.Node, ctx context.Context, a contactArgs) error { return n.Typing(ctx, a.Contact) })

	message  = one("message", "One message.", func(n api.Node, ctx context.Context, a idArgs) (api.Message, error) { return n.Message(ctx, a.ID) })
	history  = many("history", "Messages of one conversation, oldest first.", api.Node.History)
	search   = many("search", "Messages that hold all the words, newest first.", api.Node.Search)
	markRead = act("mark_read", "Set the unread line of a conversation behind its last message. Messages that disappear begin to count down.", func(n api.Node, ctx context.Context, a contactArgs) error { return n.MarkRead(ctx, a.Contact) })

	drafts         = many("drafts", "All unsent texts.", func(n api.Node, ctx context.Context, _ none) ([]api.Draft, error) { return n.Drafts(ctx) })
	saveDraft      = act("save_draft", "Replace a draft; an empty text erases it.", api.Node.SaveDraft)
	settings       = one("settings", "The settings of the profile.", func(n api.Node, ctx context.Context, _ none) (api.Settings, error) { return n.Settings(ctx) })
	changeSettings = one("change_settings", "Change settings; what is left out stays.", api.Node.ChangeSettings)

	lock      = act("lock", "Lock the profile: until unlock only those are served whose stream of events runs, and those who enter. Others are refused with locked.", func(n api.Node, ctx context.Context, _ none) error { return n.Lock(ctx) })
	enter     = act("enter", "Be served although the profile is locked: wrong_passphrase if it is not its passphrase. It holds for all requests with the same header Starling-Client.", func(n api.Node, ctx context.Context, a passphraseArgs) error { return admit(ctx, n, a.Passphrase) })
	unlock    = act("unlock", "Check the profile's passphrase, for a screen that was locked: wrong_passphrase if it is another. It ends lock.", func(n api.Node, ctx context.Context, a passphraseArgs) error { return n.Unlock(ctx, a.Passphrase) })
	tryOthers = act("try_others", "Try other guards now, and do not wait for those that are not there. Each that answers sees the address of this computer.", func(n api.Node, ctx context.Context, _ none) error { return n.TryOthers(ctx) })

	changePassphrase = act("change_passphrase", "Give the profile another passphrase and other keys: wrong_passphrase if old is not the one that it has. Who has an old copy of its files opens nothing of what it becomes.", api.Node.ChangePassphrase)

	backup = act("backup", "Write the whole profile, encrypted, to a new file.", api.Node.Backup)
	wipe   = act("wipe", "Destroy the profile's keys and files and end the node. It cannot be undone.", func(n api.Node, ctx context.Context, _ none) error { return n.Wipe(ctx) })

	events = follow("events", "What happens after a sequence number, in order and without gaps, for as long as the connection lasts; -1: only what is new.",
		func(n api.Node, ctx context.Context, a eventArgs, f func(api.Event) error) error {
			return n.Events(ctx, a.After, f)
		})
)

// act makes a method without a value.
func act[P any](name, doc string, f func(api.Node, context.Context, P) error) method[P, none] {
	return add[P, none](name, doc, nothing, func(n api.Node, ctx context.Context, p P, _ func(none) error) error { return f(n, ctx, p) })
}

// one makes a method with one value.
func one[P, R any](name, doc string, f func(api.Node, context.Context, P) (R, error)) method[P, R] {
	return add(name, doc, object, func(n api.Node, ctx context.Context, p P, emit func(R) error) error {
		v, err := f(n, ctx, p)
		if err != nil {
			return err
		}
		return emit(v)
	})
}

// many makes a method with a list.
func many[P, R any](name, doc string, f func(api.Node, context.Context, P) ([]R, error)) method[P, R] {
	return add(name, doc, lines, func(n api.Node, ctx context.Context, p P, emit func(R) error) error {
		all, err := f(n, ctx, p)
		for _, v := range all {
			if err == nil {
				err = emit(v)
			}
		}
		return err
	})
}

// follow makes a method with a list that does not end by itself.
func follow[P, R any](name, doc string, f func(api.Node, context.Context, P, func(R) error) error) method[P, R] {
	return add(name, doc, stream, f)
}

func add[P, R any](name, doc string, s shape, f func(api.Node, context.Context, P, func(R) error) error) method[P, R] {
	m := method[P, R]{endpoint{
		name: name, doc: doc, shape: s, args: reflect.TypeFor[P](), value: reflect.TypeFor[R](),
		run: func(ctx context.Context, n api.Node, decode, emit func(any) error) error {
			var p P
			if err := decode(&p); err != nil {
				return err
			}
			return f(n, ctx, p, func(v R) error { return emit(v) })
		},
	}}
	methods = append(methods, m.endpoint)
	return m
}
