package conversation

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/attach"
	"starling/tui/desk"
)

// outgoing is a message on its way to the node.
type outgoing struct {
	contact, text, id string
	reply             *api.Message // that it answers
	forward           string       // message that is sent on instead of a text
	with              *attach.Item // a picture or a file, of which the text is the caption
}

// queue hands messages to the node one at a time, so that they keep their
// order.
type queue struct {
	desk    *desk.Desk
	waiting []outgoing
	busy    bool
	// sent takes a message that the node has taken, back the texts of those
	// that it has not.
	sent func(contact string, m api.Message)
	back func(out outgoing, texts []string) tea.Cmd
}

// add puts a message at the end.
func (q *queue) add(out outgoing) tea.Cmd {
	q.waiting = append(q.waiting, out)
	return q.next()
}

// next hands the first message over, unless one is under way.
func (q *queue) next() tea.Cmd {
	if q.busy || len(q.waiting) == 0 {
		return nil
	}

	q.busy = true
	out := q.waiting[0]
	return desk.Ask(q.desk, func(ctx context.Context) (api.Message, error) {
		req := api.SendRequest{Contact: out.contact, Text: out.text, ID: out.id, Forward: out.forward}
		if out.with != nil {
			req = out.with.Request(out.contact, out.text, out.id)
		}
		if out.reply != nil {
			req.ReplyTo = out.reply.ID
		}
		return q.desk.Node.Send(ctx, req)
	}, func(m api.Message, err error) tea.Cmd {
		q.busy = false
		if len(q.waiting) == 0 { // everything was destroyed meanwhile
			return nil
		}
		q.waiting = q.waiting[1:]
		if err == nil {
			q.sent(out.contact, m)
			return q.next()
		}
		back := q.back(out, q.texts(out))
		return tea.Batch(q.desk.Fail(err), back, q.next())
	})
}

// texts takes out the messages that were to follow one to the same contact, and
// returns their texts with its own: nothing is lost.
func (q *queue) texts(out outgoing) (texts []string) {
	rest := q.waiting[:0]
	for _, o := range append([]outgoing{out}, q.waiting...) {
		switch {
		case o.contact != out.contact:
			rest = append(rest, o)
		case o.text != "":
			texts = append(texts, o.text)
		}
	}
	q.waiting = rest
	return texts
}
