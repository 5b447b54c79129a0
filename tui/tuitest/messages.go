package tuitest

import (
	"context"
	"slices"
	"strings"

	"starling/node/api"
	"starling/node/api/filename"
	"starling/node/api/safetext"
)

func (n *Node) Send(ctx context.Context, req api.SendRequest) (api.Message, error) {
	defer n.gate(ctx, "Send")
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "Send", req.Text); err != nil {
		return api.Message{}, err
	}

	c, err := n.who(req.Contact)
	if err != nil {
		return api.Message{}, err
	}
	if err := checkSend(req); err != nil {
		return api.Message{}, err
	}
	if c.Blocked {
		return api.Message{}, refused(api.CodeUsage, "this contact is blocked: nothing is sent to them")
	}
	if err := n.mayWrite(c.ID); err != nil {
		return api.Message{}, err
	}
	if m := n.find(req.ID); m != nil && req.ID != "" {
		if req.Forward == "" && m.Text != safetext.Clean(req.Text) {
			return api.Message{}, refused(api.CodeUsage, "the message ID is taken")
		}
		return *m, nil
	}

	m := api.Message{ID: req.ID, Outgoing: true, State: api.StateQueued, Text: safetext.Clean(req.Text), Timer: c.Timer}
	switch {
	case req.Forward != "":
		of := n.find(req.Forward)
		if of == nil {
			return api.Message{}, errNoMessage
		}
		if of.Deleted || of.State == api.StateNotice {
			return api.Message{}, refused(api.CodeUsage, "there is nothing to forward")
		}
		m.Text, m.Picture, m.File, m.Forwarded = of.Text, of.Picture, of.File, true
	case req.File != nil:
		m.File = &api.File{Name: safetext.Line(filename.Clean(req.File.Name)), Size: len(req.File.Data), Data: req.File.Data}
	case req.Picture != nil:
		m.Picture = &api.Picture{Type: pictureType(req.Picture), Data: req.Picture, Size: len(req.Picture)}
	}

	if req.ReplyTo != "" {
		of := n.find(req.ReplyTo)
		if of == nil || of.Conversation != c.ID {
			return api.Message{}, errNoMessage
		}
		m.Reply = quote(of)
	}

	m = n.store(c.ID, m)
	n.tellAbout(api.EventMessage, m)
	n.deliver(m)
	return m, nil
}

func (n *Node) Retry(ctx context.Context, id string) (api.Message, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "Retry"); err != nil {
		return api.Message{}, err
	}
	m := n.find(id)
	if m == nil {
		return api.Message{}, errNoMessage
	}
	m.State, m.Reason = api.StateQueued, ""
	n.tell(api.Event{Kind: api.EventState, ID: id, Conversation: m.Conversation, Outgoing: true, State: m.State, Time: m.Time})
	return *m, nil
}

func (n *Node) Discard(ctx context.Context, id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "Discard"); err != nil {
		return err
	}
	m := n.find(id)
	if m == nil {
		return errNoMessage
	}
	conversation := m.Conversation
	n.messages[conversation] = slices.DeleteFunc(n.messages[conversation], func(m api.Message) bool { return m.ID == id })
	n.tell(api.Event{Kind: api.EventRemoved, ID: id, Conversation: conversation})
	return nil
}

func (n *Node) Message(ctx context.Context, id string) (api.Message, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return api.Message{}, err
	}
	if m := n.find(id); m != nil {
		return *m, nil
	}
	return api.Message{}, errNoMessage
}

func (n *Node) History(ctx context.Context, req api.HistoryRequest) ([]api.Message, error) {
	defer n.gate(ctx, "History")
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "History", req.Before); err != nil {
		return nil, err
	}

	c, err := n.who(req.Contact)
	if err != nil {
		return nil, err
	}

	if req.Ahead {
		if in := n.rooms.in[c.ID]; in != nil {
			return outlines(in.ahead), nil
		}
		return nil, nil
	}
	all := n.shown(n.messages[c.ID])
	if req.Before > 0 {
		i, _ := slices.BinarySearchFunc(all, req.Before, func(m api.Message, seq int64) int { return int(m.Sequence - seq) })
		all = all[:i]
	}

	limit := bounded(req.Limit, 100)
	if req.After > 0 {
		i, found := slices.BinarySearchFunc(all, req.After, func(m api.Message, seq int64) int { return int(m.Sequence - seq) })
		if found {
			i++
		}
		all = all[i:]
		return outlines(all[:min(limit, len(all))]), nil
	}
	return outlines(all[max(0, len(all)-limit):]), nil
}

// outlines are messages as lists hold them: without the bytes of files.
func outlines(all []api.Message) []api.Message {
	all = slices.Clone(all)
	for i, m := range all {
		if m.File != nil {
			all[i].File = &api.File{Name: m.File.Name, Size: m.File.Size}
		}
	}
	return all
}

func bounded(limit, normal int) int {
	if limit <= 0 {
		limit = normal
	}
	return min(limit, 1000)
}

// quote is the quote of a message in an answer.
func quote(m *api.Message) *api.Quote {
	text := safetext.Line(m.Text.String()).String()
	if len(text) > api.MaxQuote {
		text = strings.ToValidUTF8(text[:api.MaxQuote], "")
	}
	return &api.Quote{ID: m.ID, From: m.From, Outgoing: m.Outgoing, Text: safetext.Line(text)}
}

func (n *Node) MarkRead(ctx context.Context, contact string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "MarkRead"); err != nil {
		return err
	}
	c, err := n.who(contact)
	if err != nil {
		return err
	}
	n.unread[c.ID] = 0
	if s := n.rooms.in[c.ID]; s != nil {
		s.mentions = 0
	}
	for i := range n.messages[c.ID] {
		if m := &n.messages[c.ID][i]; !m.Outgoing {
			countDown(n, m)
		}
	}
	haveRead(n, c.ID)
	n.tellContact(c.ID)
	return nil
}
