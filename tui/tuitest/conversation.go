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
	errNotOwn = &api.Error{Code: api.CodeUsage, Message: "only messages of your own can be changed, or taken back"}
	errNoFile = &api.Error{Code: api.CodeUsage, Message: "there is a file of that name already", Hint: "Choose another name."}
)

func (n *Node) Edit(ctx context.Context, req api.EditRequest) (api.Message, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "Edit", req.Text); err != nil {
		return api.Message{}, err
	}
	m := n.find(req.Message)
	switch {
	case m == nil || m.Deleted:
		return api.Message{}, errNoMessage
	case !m.Outgoing:
		return api.Message{}, errNotOwn
	case m.Forwarded:
		return api.Message{}, refused(api.CodeUsage, "what is forwarded stays as it is")
	}
	if err := n.mayWrite(m.Room); err != nil {
		return api.Message{}, err
	}
	if err := checkText(req.Text, api.MaxText); err != nil {
		return api.Message{}, err
	}

	edit := func(m *api.Message) { m.Text, m.Edited = safetext.Clean(req.Text), n.now() }
	edit(m)
	n.tellAbout(api.EventChanged, *m)
	mirror(n, m.ID, edit)
	return *m, nil
}

func (n *Node) Delete(ctx context.Context, req api.DeleteRequest) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "Delete", len(req.Messages), req.Both); err != nil {
		return err
	}
	if len(req.Messages) == 0 || len(req.Messages) > 64 {
		return refused(api.CodeUsage, "name from 1 to 64 messages to delete")
	}
	for _, id := range req.Messages {
		m := n.find(id)
		if m == nil {
			return errNoMessage
		}
		if req.Both && !m.Outgoing {
			return errNotOwn
		}
		if err := n.mayWrite(m.Room); req.Both && err != nil {
			return err
		}
	}

	takeBack := func(m *api.Message) {
		m.Deleted, m.Text, m.Picture, m.File, m.Reactions = true, safetext.Text{}, nil, nil, nil
	}
	for _, id := range req.Messages {
		switch m := n.find(id); {
		case m == nil: // named twice
		case !req.Both || m.Conversation == api.Self:
			n.erase(id, m.Conversation)
		default:
			takeBack(m)
			n.tellAbout(api.EventChanged, *m)
			mirror(n, id, takeBack)
		}
	}
	return nil
}

// erase removes a message and tells it.
func (n *Node) erase(id, conversation string) {
	n.messages[conversation] = slices.DeleteFunc(n.messages[conversation], func(m api.Message) bool { return m.ID == id })
	if d := n.drafts[conversation]; d.ReplyTo == id {
		d.ReplyTo = ""
		n.drafts[conversation] = d
	}
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

func (n *Node) React(ctx context.Context, req api.ReactRequest) (api.Message, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "React", req.Emoji); err != nil {
		return api.Message{}, err
	}
	if err := checkEmoji(req.Emoji); err != nil {
		return api.Message{}, err
	}
	m := n.find(req.Message)
	if m == nil || m.Deleted {
		return api.Message{}, errNoMessage
	}
	if err := n.mayWrite(m.Room); err != nil {
		return api.Message{}, err
	}

	mine := api.Reaction{Outgoing: true, Emoji: safetext.Line(req.Emoji)}
	if s := n.rooms.in[m.Room]; s != nil {
		mine.Member = s.me
	}
	react(m, mine)
	n.tellAbout(api.EventChanged, *m)
	mine.Outgoing = false
	mirror(n, m.ID, func(m *api.Message) { react(m, mine) })
	return *m, nil
}

// react puts one side's reaction in the place of its last one.
func react(m *api.Message, by api.Reaction) {
	var all []api.Reaction
	for _, r := range m.Reactions {
		if r.Outgoing != by.Outgoing || r.Member != by.Member {
			all = append(all, r)
		}
	}
	if !by.Emoji.IsZero() {
		all = append(all, by)
	}
	m.Reactions = all
}

func (n *Node) Typing(ctx context.Context, contact string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "Typing"); err != nil {
		return err
	}
	c, err := n.who(contact)
	if err != nil {
		return err
	}
	if far := n.far[c.ID]; far != "" && n.settings.Typing {
		n.other.tell(api.Event{Kind: api.EventTyping, Conversation: far})
	}
	return nil
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
	if err := n.begin(ctx, "Search", req.Words); err != nil {
		return nil, err
	}

	switch {
	case strings.TrimSpace(req.Words) == "" && req.From == "" && req.Kind == "" && req.Since.IsZero() && req.Until.IsZero():
		return nil, refused(api.CodeEmpty, "there is nothing to search for")
	case len(req.Words) > 1<<10:
		return nil, refused(api.CodeTooLong, "these are too many words to search for")
	}
	if req.Contact != "" {
		if _, err := n.who(req.Contact); err != nil {
			return nil, err
		}
	}

	if req.From != "" && req.From != "me" {
		if err := n.sender(&req); err != nil {
			return nil, err
		}
	}
	if !slices.Contains([]api.MessageKind{"", api.KindText, api.KindPicture, api.KindFile, api.KindLink}, req.Kind) {
		return nil, refused(api.CodeUsage, "there is no such kind of message")
	}
	words := split(req.Words)
	if len(words) == 0 && strings.TrimSpace(req.Words) != "" {
		return nil, nil
	}

	var found []api.Message
	for id, messages := range n.messages {
		if c := n.contact(req.Contact); req.Contact != "" && (c == nil || c.ID != id) {
			continue
		}
		for _, m := range n.shown(messages) {
			if holds(split(m.Text.String()), words) && (req.Before == 0 || m.Sequence < req.Before) && passes(&m, &req, n.contact(req.From)) {
				found = append(found, m)
			}
		}
	}

	slices.SortFunc(found, func(a, b api.Message) int { return int(b.Sequence - a.Sequence) })
	return found[:min(len(found), bounded(req.Limit, 50))], nil
}

// passes reports whether a message passes the filters of a search. from is its sender.
func passes(m *api.Message, req *api.SearchRequest, from *api.Contact) bool {
	text := m.Text.String()
	switch {
	case m.State == api.StateNotice || m.Deleted:
		return false
	case req.From == "me" && !m.Outgoing:
		return false
	case m.Room != "" && req.From == m.Member:
	case req.From != "" && req.From != "me" && (m.Outgoing || from == nil || m.Conversation != from.ID):
		return false
	case !req.Since.IsZero() && m.Time.Before(req.Since), !req.Until.IsZero() && !m.Time.Before(req.Until):
		return false
	}
	link := strings.Contains(text, "http://") || strings.Contains(text, "https://")
	return req.Kind == "" || req.Kind == api.KindPicture && m.Picture != nil || req.Kind == api.KindText && m.Picture == nil && m.File == nil || req.Kind == api.KindFile && m.File != nil || req.Kind == api.KindLink && link
}

func split(s string) []string {
	return strings.FieldsFunc(fold(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
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

func (n *Node) ChangeConversation(ctx context.Context, req api.ConversationRequest) (api.Contact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "ChangeConversation"); err != nil {
		return api.Contact{}, err
	}
	if t := req.Timer; t != nil && *t != 0 && (*t < 5 || *t > api.MaxTimer) {
		return api.Contact{}, refused(api.CodeUsage, "messages disappear after 5 seconds at least and 4 weeks at most")
	}
	if err := checkNotify(req.Notify, ""); err != nil {
		return api.Contact{}, err
	}
	if c, err := n.who(req.Contact); err == nil && c.State == api.ContactRoom && req.Timer != nil {
		return api.Contact{}, refused(api.CodeUsage, "the timer of a room is a setting of the room")
	}

	changed, err := n.change(req.Contact, func(c *api.Contact) {
		set(&c.Pinned, req.Pinned)
		set(&c.Archived, req.Archived)
		set(&c.MutedUntil, req.MutedUntil)
		set(&c.Notify, req.Notify)
		set(&c.TimerMine, req.Timer)
		if c.ID == api.Self {
			c.TimerTheirs = c.TimerMine
		}
		if c.TimerMine == c.TimerTheirs {
			c.Timer = c.TimerMine
		}
	})
	if err == nil && req.Timer != nil {
		offer(n, changed.ID, *req.Timer)
	}
	return changed, err
}

// Offer is the contact's offer of a timer, in seconds.
func (n *Node) Offer(contact string, seconds int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, _ = n.change(contact, func(c *api.Contact) { takeOffer(c, seconds) })
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (n *Node) Drafts(ctx context.Context) ([]api.Draft, error) {
	defer n.gate(ctx, "Drafts") // an answer of before
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "Drafts"); err != nil {
		return nil, err
	}
	out := []api.Draft{}
	for _, d := range n.drafts {
		out = append(out, d)
	}
	return out, nil
}

func (n *Node) SaveDraft(ctx context.Context, draft api.Draft) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "SaveDraft", draft.Text); err != nil {
		return err
	}
	c, err := n.who(draft.Contact)
	if err != nil {
		return err
	}
	if len(draft.Text) > api.MaxText {
		return refused(api.CodeTooLong, "the message is too long")
	}
	if of := n.find(draft.ReplyTo); draft.ReplyTo != "" && (of == nil || of.Conversation != c.ID) {
		return errNoMessage
	}

	draft.Contact = c.ID
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

func (n *Node) Settings(ctx context.Context) (api.Settings, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return choices(n), n.begin(ctx, "Settings")
}

func (n *Node) ChangeSettings(ctx context.Context, change api.SettingsChange) (api.Settings, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "ChangeSettings"); err != nil {
		return api.Settings{}, err
	}
	if err := checkNotify(change.Notify); err != nil {
		return api.Settings{}, err
	}

	if s := change.LockAfter; s != nil && *s < 0 {
		return api.Settings{}, refused(api.CodeUsage, "the screen locks after some seconds")
	}

	if l := change.Language; l != nil && *l != "" && !slices.Contains(api.Languages, *l) {
		return api.Settings{}, refused(api.CodeUsage, "the app does not speak this language")
	}
	if t := change.Theme; t != nil && !slices.Contains(api.Themes, *t) {
		return api.Settings{}, refused(api.CodeUsage, "there is no such theme")
	}
	if change.Name != nil {
		if strings.TrimSpace(*change.Name) == "" {
			return api.Settings{}, refused(api.CodeUsage, "the name is empty")
		}
		n.status.Name = safetext.Line(*change.Name)
		n.tellStatus()
	}

	if p := change.Proxy; p != nil && *p != "" && !strings.HasPrefix(*p, "socks5://") {
		return api.Settings{}, refused(api.CodeUsage, "this is no proxy")
	}
	change.Apply(&n.settings)
	if change.Bridge != nil {
		n.settings.Bridge = n.turn(*change.Bridge)
	}
	return choices(n), nil
}

// choices are the settings as they are now.
func choices(n *Node) api.Settings {
	s := n.settings
	s.Name = n.status.Name
	return s
}

// Later is a time that counts from the clock of the node.
func (n *Node) Later(d time.Duration) time.Time { return n.now().Add(d) }
