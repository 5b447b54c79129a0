package linear

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"

	"starling/node/api"
	"starling/node/api/query"
	"starling/tui/catalogue"
	"starling/tui/emoji"
	"starling/tui/words"
)

// send hands a message for the open conversation to the node.
func (p *prompt) send(ctx context.Context, req api.SendRequest) error {
	return p.with(req.Contact, func(c api.Contact) error {
		req.Contact, req.ID = c.ID, words.NewID()
		_, err := p.node.Send(ctx, req)
		return err // the event says that it is queued
	})
}

// several reads lines up to a single dot and sends them as one message.
func (p *prompt) several(ctx context.Context, _ string) error {
	p.say("Write. A line with a single dot sends, one with /cancel does not.")
	var lines []string
	var fault *api.Error
	for {
		l, err := p.asking.line(false, 0)
		switch {
		case errors.As(err, &fault):
			continue // up to the end of it
		case err != nil:
			return broken(err)
		case l == "." && fault != nil:
			return fault
		case l == ".":
			return p.send(ctx, api.SendRequest{Text: strings.Join(lines, "\n")})
		case l == "/cancel":
			p.say("Not sent.")
			return nil
		}
		lines = append(lines, l)
	}
}

// numberedMessage finds a message by the number at the beginning of words, and returns
// the rest.
func (p *prompt) numberedMessage(args string) (m api.Message, rest string, err error) {
	number, rest, _ := strings.Cut(args, " ")
	n, err := strconv.Atoi(number)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && n >= 1 && n <= len(p.numbered) {
		if m, ok := p.messages[p.numbered[n-1]]; ok {
			return m, strings.TrimSpace(rest), nil
		}
	}
	return api.Message{}, "", p.usage(api.CodeNoMessage, catalogue.Mark("no message has that number"), catalogue.Mark("Type /history to see the numbers."))
}

func (p *prompt) reply(ctx context.Context, args string) error {
	m, text, err := p.numberedMessage(args)
	if err != nil {
		return err
	}
	return p.send(ctx, api.SendRequest{Contact: m.Conversation, Text: text, ReplyTo: m.ID})
}

func (p *prompt) edit(ctx context.Context, args string) error {
	m, text, err := p.numberedMessage(args)
	if err != nil {
		return err
	}
	if !m.Outgoing {
		return p.fault(catalogue.Mark("only a text of your own can be edited"), "")
	}
	_, err = p.node.Edit(ctx, api.EditRequest{Message: m.ID, Text: text})
	return err // the event tells
}

func (p *prompt) erase(ctx context.Context, args string) error {
	m, rest, err := p.numberedMessage(args)
	if err != nil {
		return err
	}
	return p.node.Delete(ctx, api.DeleteRequest{Messages: []string{m.ID}, Both: rest == "both"})
}

func (p *prompt) react(ctx context.Context, args string) error {
	m, char, err := p.numberedMessage(args)
	if err != nil {
		return err
	}
	if char == "" {
		return p.fault(catalogue.Mark("say with which emoji"), catalogue.Mark("Type /react, the number, and an emoji or its name."))
	}
	char = cmp.Or(emoji.Named(char), char)
	if char == "none" {
		char = ""
	}
	_, err = p.node.React(ctx, api.ReactRequest{Message: m.ID, Emoji: char})
	if char == "" {
		return p.done(err, "The reaction is taken back.")
	}
	return p.done(err, "You react: %s", char)
}

func (p *prompt) forward(ctx context.Context, args string) error {
	m, who, err := p.numberedMessage(args)
	if err != nil {
		return err
	}
	if who == "" {
		return p.fault(catalogue.Mark("say to whom"), catalogue.Mark("Type /forward, the number, and a name."))
	}
	return p.with(who, func(c api.Contact) error {
		return p.send(ctx, api.SendRequest{Contact: c.ID, Forward: m.ID})
	})
}

func (p *prompt) original(ctx context.Context, args string) error {
	m, _, err := p.numberedMessage(args)
	if err != nil {
		return err
	}
	if m.Reply == nil {
		p.say("This message answers none.")
		return nil
	}
	of, err := p.node.Message(ctx, m.Reply.ID)
	if err != nil {
		return err
	}
	p.read([]api.Message{of}, false)
	return nil
}

// read reads messages out, with their days.
func (v *voice) read(messages []api.Message, elsewhere bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	day := ""
	for i, m := range messages {
		if folded := v.fold(messages, i); folded != "" {
			v.print("%s", folded)
		}
		if words.Folds(m.Change) {
			continue // said at the first of them
		}
		if d := v.th.Time(m.Time, "Monday 2 January 2006"); d != day {
			day = d
			v.print("%s", day)
		}
		v.message(m, elsewhere)
	}
}

func (p *prompt) historyOf(ctx context.Context, args string) error {
	n, _ := strconv.Atoi(args)
	return p.history(ctx, n)
}

func (p *prompt) history(ctx context.Context, n int) error {
	if n <= 0 {
		n = 20
	}
	return p.with("", func(c api.Contact) error {
		messages, err := p.node.History(ctx, api.HistoryRequest{Contact: c.ID, Limit: min(n, 1000)})
		if err != nil {
			return err
		}
		p.read(messages, false)
		if len(messages) == 0 {
			p.say("No messages yet.")
		}
		return nil
	})
}

// aroundOf is how many messages are read out before and behind one.
const aroundOf = 5

func (p *prompt) around(ctx context.Context, args string) error {
	m, _, err := p.numberedMessage(args)
	if err != nil {
		return err
	}
	if m.Sequence == 0 {
		if m, err = p.node.Message(ctx, m.ID); err != nil {
			return err
		}
	}
	before, err := p.node.History(ctx, api.HistoryRequest{Contact: m.Conversation, Before: m.Sequence + 1, Limit: aroundOf + 1})
	if err != nil {
		return err
	}
	behind, err := p.node.History(ctx, api.HistoryRequest{Contact: m.Conversation, After: m.Sequence, Limit: aroundOf})
	if err != nil {
		return err
	}
	p.read(append(before, behind...), true)
	return nil
}

func (p *prompt) findHere(ctx context.Context, args string) error {
	return p.with("", func(c api.Contact) error { return p.hits(ctx, args, c.ID) })
}

func (p *prompt) search(ctx context.Context, args string) error { return p.hits(ctx, args, "") }

// maxHits is how many messages of a search are read out.
const maxHits = 20

func (p *prompt) hits(ctx context.Context, args, contact string) error {
	req, err := query.Parse(args, p.now().Local())
	if err != nil {
		return err
	}
	for _, who := range []*string{&req.From, &req.Contact} {
		if *who == "" || *who == query.Me {
			continue
		}
		c, err := p.find(*who)
		if err != nil {
			return err
		}
		*who = c.ID
	}

	// The open conversation goes before in:NAME.
	if contact != "" {
		req.Contact = contact
	}

	req.Limit = maxHits
	found, err := p.node.Search(ctx, req)
	if err != nil {
		return err
	}
	p.read(found, true)
	if len(found) == 0 {
		p.say("No message has these words.")
		return nil
	}
	p.say("Type /around and a number for what stands around a message.")
	return nil
}

func (p *prompt) draft(ctx context.Context, text string) error {
	return p.with("", func(c api.Contact) error {
		switch text {
		case "":
			return p.tellDraft(ctx, c.ID)
		case "send":
			d, err := p.draftOf(ctx, c.ID)
			if err != nil {
				return err
			}
			if d.Text == "" {
				p.say("There is no draft.")
				return nil
			}
			if err := p.send(ctx, api.SendRequest{Contact: c.ID, Text: d.Text, ReplyTo: d.ReplyTo}); err != nil {
				return err
			}
			return p.node.SaveDraft(ctx, api.Draft{Contact: c.ID})
		}
		return p.done(p.node.SaveDraft(ctx, api.Draft{Contact: c.ID, Text: text}), "Kept. /draft send sends it.")
	})
}

func (p *prompt) draftOf(ctx context.Context, contact string) (api.Draft, error) {
	drafts, err := p.node.Drafts(ctx)
	for _, d := range drafts {
		if d.Contact == contact {
			return d, nil
		}
	}
	return api.Draft{}, err
}

func (p *prompt) tellDraft(ctx context.Context, contact string) error {
	d, err := p.draftOf(ctx, contact)
	if d.Text != "" && !p.hidden {
		p.say("Draft: %s", d.Text)
		p.say("/draft send sends it.")
	}
	return err
}

func (p *prompt) retry(ctx context.Context, number string) error {
	m, _, err := p.numberedMessage(number)
	if err != nil {
		return err
	}
	_, err = p.node.Retry(ctx, m.ID)
	return p.done(err, "Queued again.")
}

func (p *prompt) discard(ctx context.Context, number string) error {
	m, _, err := p.numberedMessage(number)
	if err != nil {
		return err
	}
	return p.done(p.node.Discard(ctx, m.ID), "Discarded.")
}
