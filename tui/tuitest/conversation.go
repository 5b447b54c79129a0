package tuitest

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"

	"starling/node/api"
	"starling/node/api/safetext"
)

// Passphrase unlocks every Node.
const Passphrase = "correct horse battery"

var (
	errNotOwn = &api.Error{Code: api.CodeUsage, Message: "this message is not yours"}
	errNoFile = &api.Error{Code: api.CodeUsage, Message: "there is a file of that name already", Hint: "Choose another name."}
)

func (n *Node) Edit(_ context.Context, req api.EditRequest) (api.Message, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("Edit", req.Text); err != nil {
		return api.Message{}, err
	}
	m := n.find(req.Message)
	switch {
	case m == nil:
		return api.Message{}, errNoMessage
	case !m.Outgoing:
		return api.Message{}, errNotOwn
	}
	m.Text, m.Edited = safetext.Clean(req.Text), n.now()
	n.tellAbout(api.EventChanged, *m)
	return *m, nil
}

func (n *Node) Delete(_ context.Context, req api.DeleteRequest) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("Delete", len(req.Messages), req.Both); err != nil {
		return err
	}
	for _, id := range req.Messages {
		m := n.find(id)
		if m == nil {
			return errNoMessage
		}
		if req.Both && !m.Outgoing {
			return errNotOwn
		}
		if !req.Both {
			n.erase(id, m.Conversation)
			continue
		}
		m.Deleted, m.Text, m.Picture, m.Reactions = true, safetext.Text{}, nil, nil
		n.tellAbout(api.EventChanged, *m)
	}
	return nil
}

// erase removes a message and tells it.
func (n *Node) erase(id, conversation string) {
	n.messages[conversation] = slices.DeleteFunc(n.messages[conversation], func(m api.Message) bool { return m.ID == id })
	n.tell(api.Event{Kind: api.EventRemoved, ID: id, Conversation: conversation})
}

// Expire has a message disappear.
func (n *Node) Expire(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if m := n.find(id); m != nil {
		n.erase(id, m.Conversation)
	}
}

// Change changes a message as its sender, or time, does, and tells it.
func (n *Node) Change(id string, f func(*api.Message)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if m := n.find(id); m != nil {
		f(m)
		n.tellAbout(api.EventChanged, *m)
	}
}

func (n *Node) React(_ context.Context, req api.ReactRequest) (api.Message, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("React", req.Emoji); err != nil {
		return api.Message{}, err
	}
	m := n.find(req.Message)
	if m == nil {
		return api.Message{}, errNoMessage
	}
	m.Reactions = slices.DeleteFunc(slices.Clone(m.Reactions), func(r api.Reaction) bool { return r.Outgoing })
	if req.Emoji != "" {
		m.Reactions = append(m.Reactions, api.Reaction{Outgoing: true, Emoji: safetext.Line(req.Emoji)})
	}
	n.tellAbout(api.EventChanged, *m)
	return *m, nil
}

func (n *Node) Typing(_ context.Context, contact string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.begin("Typing")
}

// Writes tells that a contact is writing.
func (n *Node) Writes(contact string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tell(api.Event{Kind: api.EventTyping, Conversation: contact})
}

func (n *Node) Search(ctx context.Context, req api.SearchRequest) ([]api.Message, error) {
	defer n.gate(ctx, "Search")
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("Search", req.Words); err != nil {
		return nil, err
	}

	words := split(req.Words)
	if len(words) == 0 {
		return nil, nil
	}

	var found []api.Message
	for id, messages := range n.messages {
		if c := n.contact(req.Contact); req.Contact != "" && (c == nil || c.ID != id) {
			continue
		}
		for _, m := range messages {
			if holds(split(m.Text.String()), words) && (req.Before == 0 || m.Sequence < req.Before) {
				found = append(found, m)
			}
		}
	}

	slices.SortFunc(found, func(a, b api.Message) int { return int(b.Sequence - a.Sequence) })
	return found[:min(len(found), bounded(req.Limit, 50))], nil
}

func split(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// holds reports whether a text has all the words, the last one as a beginning.
func holds(text, words []string) bool {
	for i, w := range words {
		if !slices.ContainsFunc(text, func(t string) bool { return t == w || i == len(words)-1 && strings.HasPrefix(t, w) }) {
			return false
		}
	}
	return true
}

func (n *Node) ChangeConversation(_ context.Context, req api.ConversationRequest) (api.Contact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("ChangeConversation"); err != nil {
		return api.Contact{}, err
	}
	return n.change(req.Contact, func(c *api.Contact) {
		set(&c.Pinned, req.Pinned)
		set(&c.Archived, req.Archived)
		set(&c.MutedUntil, req.MutedUntil)
		set(&c.Notify, req.Notify)
		set(&c.TimerMine, req.Timer)
		if c.TimerMine == c.TimerTheirs {
			c.Timer = c.TimerMine
		}
	})
}

// Offer is the contact's offer of a timer, in seconds.
func (n *Node) Offer(contact string, seconds int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, _ = n.change(contact, func(c *api.Contact) {
		if c.TimerTheirs = seconds; c.TimerMine == seconds {
			c.Timer = seconds
		}
	})
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (n *Node) Drafts(context.Context) ([]api.Draft, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("Drafts"); err != nil {
		return nil, err
	}
	var out []api.Draft
	for _, d := range n.drafts {
		out = append(out, d)
	}
	return out, nil
}

func (n *Node) SaveDraft(_ context.Context, draft api.Draft) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("SaveDraft", draft.Text); err != nil {
		return err
	}
	n.drafts[draft.Contact] = draft
	if draft.Text == "" {
		delete(n.drafts, draft.Contact)
	}
	n.tell(api.Event{Kind: api.EventDraft, Conversation: draft.Contact})
	return nil
}

// Draft returns the stored draft of a contact.
func (n *Node) Draft(contact string) api.Draft {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.drafts[contact]
}

func (n *Node) Settings(context.Context) (api.Settings, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.settings, n.begin("Settings")
}

func (n *Node) ChangeSettings(_ context.Context, change api.SettingsChange) (api.Settings, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("ChangeSettings"); err != nil {
		return api.Settings{}, err
	}
	set(&n.settings.Typing, change.Typing)
	set(&n.settings.ReadReceipts, change.ReadReceipts)
	set(&n.settings.Notify, change.Notify)
	set(&n.settings.LockAfter, change.LockAfter)
	return n.settings, nil
}

func (n *Node) Unlock(ctx context.Context, passphrase string) error {
	defer n.gate(ctx, "Unlock")
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("Unlock"); err != nil {
		return err
	}
	if passphrase != Passphrase {
		return &api.Error{Code: api.CodeWrongPassphrase, Message: "this is not the passphrase of the profile"}
	}
	return nil
}

func (n *Node) Backup(_ context.Context, req api.BackupRequest) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("Backup", req.Path); err != nil {
		return err
	}
	if strings.HasSuffix(req.Path, "taken") {
		return errNoFile
	}
	return nil
}

func (n *Node) Wipe(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("Wipe"); err != nil {
		return err
	}
	n.contacts, n.messages, n.drafts = nil, map[string][]api.Message{}, map[string]api.Draft{}
	return nil
}

// Later is a time that counts from the clock of the node.
func (n *Node) Later(d time.Duration) time.Time { return n.now().Add(d) }
