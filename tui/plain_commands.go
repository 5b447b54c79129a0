package tui

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"starling/node/api"
	"starling/node/api/safetext"
)

const plainHelp = `A line that does not begin with a slash is sent to the open conversation.
/list: the conversations.
/open NAME or NUMBER: choose one.
/history NUMBER: the last messages of it, 20 if no number is given.
/write: several lines, up to a line with a single dot.
/invite NAME: make an invite. /invites: the open ones.
/add LINK NAME: use an invite you were given.
/verify NAME: the numbers to compare. /verified, /unverified: note the result.
/rename NEW NAME: rename the open conversation.
/block, /unblock, /remove NAME: as they say.
/retry NUMBER, /discard NUMBER: a message that failed.
/status: what the network does.
/quit: leave. A line that begins with two slashes sends one of them.`

// line does what one line of input says. more reads the next ones.
func (p *plain) line(ctx context.Context, text string, more <-chan string) error {
	if text == "" {
		return nil
	}
	if !strings.HasPrefix(text, "/") {
		return p.send(ctx, text)
	}
	if strings.HasPrefix(text, "//") {
		return p.send(ctx, text[1:])
	}
	command, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	switch command {
	case "/help":
		p.say("%s", plainHelp)
	case "/quit":
		return errQuit
	case "/list":
		if err := p.load(ctx); err != nil {
			return err
		}
		p.list()
	case "/open":
		return p.open(ctx, rest)
	case "/history":
		n, _ := strconv.Atoi(rest)
		return p.history(ctx, n)
	case "/write":
		return p.write(ctx, more)
	case "/invite":
		return p.invite(ctx, rest)
	case "/invites":
		return p.invites(ctx)
	case "/add":
		link, name, _ := strings.Cut(rest, " ")
		p.say("Fetching their keys and saying hello…")
		c, err := p.node.AddContact(ctx, api.AddContactRequest{Link: link, Name: strings.TrimSpace(name)})
		if err != nil {
			return err
		}
		p.say("Added %s. They are pending until they answer.", line(c.Name))
		return p.enter(c)
	case "/verify":
		return p.verify(ctx, rest)
	case "/verified", "/unverified":
		return p.about(rest, func(c api.Contact) error {
			seen := ""
			if command == "/verified" {
				v, err := p.node.Verification(ctx, c.ID)
				if err != nil {
					return err
				}
				seen = v.SafetyNumber
			}
			_, err := p.node.SetVerified(ctx, c.ID, seen)
			return p.done(err, "%s is %s.", line(c.Name), command[1:])
		})
	case "/rename":
		return p.about("", func(c api.Contact) error {
			_, err := p.node.RenameContact(ctx, c.ID, rest)
			return p.done(err, "Renamed.")
		})
	case "/block", "/unblock":
		return p.about(rest, func(c api.Contact) error {
			_, err := p.node.BlockContact(ctx, c.ID, command == "/block")
			return p.done(err, "%s is %sed.", line(c.Name), command[1:])
		})
	case "/remove":
		return p.remove(ctx, rest)
	case "/retry", "/discard":
		return p.resolve(ctx, command, rest)
	case "/status":
		return p.status(ctx)
	default:
		return &api.Error{Code: api.CodeUsage, Message: "there is no command " + command, Hint: "Type /help."}
	}
	return nil
}

func (p *plain) done(err error, format string, args ...any) error {
	if err == nil {
		p.say(format, args...)
	}
	return err
}

func (p *plain) about(who string, f func(api.Contact) error) error {
	c, err := p.find(who)
	if err != nil {
		return err
	}
	return f(c)
}

func (p *plain) send(ctx context.Context, text string) error {
	return p.about("", func(c api.Contact) error {
		_, err := p.node.Send(ctx, api.SendRequest{Contact: c.ID, Text: text, ID: newID()})
		return err // the event says that it is queued
	})
}

// write reads lines up to a single dot and sends them as one message.
func (p *plain) write(ctx context.Context, more <-chan string) error {
	p.say("Write. A line with a single dot sends, one with /cancel does not.")
	var lines []string
	for {
		select {
		case <-ctx.Done():
			return nil
		case l := <-more:
			switch l {
			case ".":
				return p.send(ctx, strings.Join(lines, "\n"))
			case "/cancel":
				p.say("Not sent.")
				return nil
			}
			lines = append(lines, l)
		}
	}
}

func (p *plain) open(ctx context.Context, who string) error {
	return p.about(who, func(c api.Contact) error {
		if err := p.enter(c); err != nil {
			return err
		}
		if err := p.history(ctx, max(5, min(c.Unread, 100))); err != nil {
			return err
		}
		return p.node.MarkRead(ctx, c.ID)
	})
}

// enter makes a conversation the open one.
func (p *plain) enter(c api.Contact) error {
	p.mu.Lock()
	p.current = c.ID
	p.mu.Unlock()
	p.say("Conversation with %s (%s).", line(c.Name), standingWords(&c))
	return nil
}

func (p *plain) history(ctx context.Context, n int) error {
	if n <= 0 {
		n = 20
	}
	return p.about("", func(c api.Contact) error {
		messages, err := p.node.History(ctx, api.HistoryRequest{Contact: c.ID, Limit: min(n, 1000)})
		if err != nil {
			return err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		day := ""
		for _, m := range messages {
			if d := m.Time.Local().Format("Monday 2 January 2006"); d != day {
				day = d
				p.print("%s", day)
			}
			p.message(m, false)
		}
		if len(messages) == 0 {
			p.print("No messages yet.")
		}
		return nil
	})
}

func (p *plain) invite(ctx context.Context, name string) error {
	p.say("Putting the invite into a mailbox…")
	inv, err := p.node.Invite(ctx, api.InviteRequest{Name: name})
	if err != nil {
		return err
	}
	p.say("Give this link to one person. It works once, until %s.", inv.Expires.Local().Format("Monday 2 January, 15:04"))
	p.say("%s", inv.Link)
	return nil
}

func (p *plain) invites(ctx context.Context) error {
	all, err := p.node.Invites(ctx)
	if err != nil {
		return err
	}
	for _, inv := range all {
		p.say("Open until %s: %s", inv.Expires.Local().Format("Monday 2 January, 15:04"), inv.Link)
	}
	if len(all) == 0 {
		p.say("No open invites.")
	}
	return nil
}

func (p *plain) verify(ctx context.Context, who string) error {
	return p.about(who, func(c api.Contact) error {
		v, err := p.node.Verification(ctx, c.ID)
		if err != nil {
			return err
		}
		p.say("Compare with %s, face to face or in a call. %s.", line(c.Name), pick(v.Verified, "You have verified them", "Not verified yet"))
		for i, group := range digits(v.SafetyNumber) {
			p.say("%d: %s", i+1, group)
		}
		if !v.Verified {
			p.say("If all are equal, type /verified.")
		}
		return nil
	})
}

func (p *plain) remove(ctx context.Context, who string) error {
	name, sure := strings.CutSuffix(who, " yes")
	if who == "" {
		return &api.Error{Code: api.CodeUsage, Message: "say whom to remove", Hint: "Type /remove and a name."}
	}
	return p.about(name, func(c api.Contact) error {
		if !sure {
			p.say("This erases %s, the keys and all messages. Type /remove %s yes", line(c.Name), line(c.Name))
			return nil
		}
		return p.done(p.node.RemoveContact(ctx, c.ID), "Removed.")
	})
}

func (p *plain) resolve(ctx context.Context, command, number string) error {
	n, err := strconv.Atoi(number)
	p.mu.Lock()
	id := ""
	if err == nil && n >= 1 && n <= len(p.sent) {
		id = p.sent[n-1]
	}
	p.mu.Unlock()
	if id == "" {
		return &api.Error{Code: api.CodeNoMessage, Message: "no message of yours has that number", Hint: "Type /history to see the numbers."}
	}
	if command == "/discard" {
		return p.done(p.node.Discard(ctx, id), "Discarded.")
	}
	_, err = p.node.Retry(ctx, id)
	return p.done(err, "Queued again.")
}

func (p *plain) status(ctx context.Context) error {
	s, err := p.node.Status(ctx)
	if err != nil {
		return err
	}
	ready := "ready"
	if !s.Ready {
		ready = "waiting: " + s.Reason
	}
	p.say("Network: %s", ready)
	p.say("%s", s.Anonymity.Statement)
	p.say("Profile %s. Way out: %s. Guards connected: %s. Relays known: %d. Mailboxes: %d.",
		s.Profile, strings.ReplaceAll(route(&s), " → ", ", "), guards(&s), s.Relays, len(s.Mailboxes))
	p.say("Outbox: %d queued, %d sealed, %d in mailboxes, %d failed.", s.Outbox.Queued, s.Outbox.Sealed, s.Outbox.Sent, s.Outbox.Failed)
	if s.AllowPrivate {
		p.say("Private and loopback relays are admitted: this is a mesh of your own, not for strangers.")
	}
	p.say("Received %s, sent %s.", bytes(s.BytesIn), bytes(s.BytesOut))
	for kind, n := range s.Refused {
		p.say("Refused: %s", safetext.Line(fmt.Sprintf("%d %s", n, kind)))
	}
	return nil
}
