package tuitest

import (
	"context"
	"slices"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

func (n *Node) Send(ctx context.Context, req api.SendRequest) (api.Message, error) {
	defer n.gate(ctx, "Send")
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("Send", req.Text); err != nil {
		return api.Message{}, err
	}

	c := n.contact(req.Contact)
	if c == nil {
		return api.Message{}, errNoContact
	}
	if m := n.find(req.ID); m != nil && req.ID != "" {
		return *m, nil
	}

	m := api.Message{ID: req.ID, Outgoing: true, State: api.StateQueued, Text: safetext.Clean(req.Text), Timer: c.Timer}
	switch {
	case req.Forward != "":
		of := n.find(req.Forward)
		if of == nil {
			return api.Message{}, errNoMessage
		}
		m.Text, m.Picture, m.Forwarded = of.Text, of.Picture, true
	case len(req.Picture) > api.MaxPicture:
		return api.Message{}, &api.Error{Code: api.CodeTooLong, Message: "the picture is too large"}
	case req.Picture != nil:
		m.Picture = &api.Picture{Type: "image/png", Data: req.Picture, Size: len(req.Picture)}
	}

	if req.ReplyTo != "" {
		of := n.find(req.ReplyTo)
		if of == nil || of.Conversation != c.ID {
			return api.Message{}, errNoMessage
		}
		m.Reply = quote(of)
	}

	m = n.store(c.ID, m)
	n.status.Outbox.Queued++
	n.tellMessage(m)
	return m, nil
}

func (n *Node) Retry(_ context.Context, id string) (api.Message, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("Retry"); err != nil {
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

func (n *Node) Discard(_ context.Context, id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("Discard"); err != nil {
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

func (n *Node) Message(_ context.Context, id string) (api.Message, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if m := n.find(id); m != nil {
		return *m, nil
	}
	return api.Message{}, errNoMessage
}

func (n *Node) History(ctx context.Context, req api.HistoryRequest) ([]api.Message, error) {
	defer n.gate(ctx, "History")
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("History", req.Before); err != nil {
		return nil, err
	}

	c := n.contact(req.Contact)
	if c == nil {
		return nil, errNoContact
	}

	all := n.messages[c.ID]
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
		return slices.Clone(all[:min(limit, len(all))]), nil
	}
	return slices.Clone(all[max(0, len(all)-limit):]), nil
}

func bounded(limit, normal int) int {
	if limit <= 0 {
		limit = normal
	}
	return min(limit, 1000)
}

// quote is what an answer shows of a message.
func quote(m *api.Message) *api.Quote {
	text := safetext.Line(m.Text.String()).String()
	if len(text) > api.MaxQuote {
		text = strings.ToValidUTF8(text[:api.MaxQuote], "")
	}
	return &api.Quote{ID: m.ID, From: m.From, Outgoing: m.Outgoing, Text: safetext.Line(text)}
}

func (n *Node) MarkRead(_ context.Context, contact string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin("MarkRead"); err != nil {
		return err
	}
	c := n.contact(contact)
	if c == nil {
		return errNoContact
	}
	n.unread[c.ID] = 0
	for i := range n.messages[c.ID] {
		if m := &n.messages[c.ID][i]; m.Timer > 0 && m.Expires.IsZero() && !m.Outgoing {
			m.Expires = n.now().Add(time.Duration(m.Timer) * time.Second)
			n.tellAbout(api.EventChanged, *m)
		}
	}
	n.tellContact(c.ID)
	return nil
}
