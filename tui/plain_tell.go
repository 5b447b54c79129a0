package tui

import (
	"context"
	"slices"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/chatview"
)

// follow reads out what happens.
func (p *plain) follow(ctx context.Context) {
	after := int64(-1)
	for ctx.Err() == nil {
		err := p.node.Events(ctx, after, func(ev api.Event) error {
			after = max(after, ev.Seq)
			p.tell(&ev)
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		p.say("The node does not answer: %s", describe(p.th.Words, err))
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

func (p *plain) tell(ev *api.Event) {
	if ev.Kind == api.EventStatus && ev.Status != nil {
		p.network(ev.Status)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev.Kind {
	case api.EventMessage:
		if p.locked && !ev.Outgoing {
			p.missed++
		}
		p.message(message(ev), ev.Conversation != p.current)
	case api.EventNotice:
		m := message(ev)
		m.State = api.StateNotice
		p.message(m, ev.Conversation != p.current)
	case api.EventState:
		p.state(ev)
	case api.EventChanged:
		if ev.Message != nil {
			p.edited(*ev.Message)
		}
	case api.EventTyping:
		p.writes(ev.Conversation)
	case api.EventContact:
		if ev.Contact != nil {
			p.changed(*ev.Contact)
		}
	case api.EventRemoved:
		p.removed(ev)
	case api.EventInvite:
		if ev.Invite != nil {
			p.invited(ev.Invite)
		}
	}
}

// typingSaid is how often it is said that a contact is writing.
const typingSaid = time.Minute

func (p *plain) writes(contact string) {
	if now := p.now(); contact == p.current && now.Sub(p.wrote[contact]) >= typingSaid {
		p.wrote[contact] = now
		p.print("%s is writing.", p.nameOf(contact))
	}
}

func (p *plain) removed(ev *api.Event) {
	if ev.ID != "" {
		if n, ok := p.numbers[ev.ID]; ok {
			p.print("Message %d is gone.", n)
			delete(p.messages, ev.ID)
		}
		return
	}
	p.people = slices.DeleteFunc(p.people, func(c api.Contact) bool { return c.ID == ev.Conversation })
	if p.current == ev.Conversation {
		p.current = ""
	}
}

// invited tells what became of an invite.
func (p *plain) invited(ev *api.InviteEvent) {
	switch ev.What {
	case "used":
		p.print("Your invite was used by %s.", p.nameOf(ev.Contact))
	case "reused":
		p.print("Warning: the invite of %s was used twice. Somebody else had the link, and may have been the first. Compare safety numbers with /verify before you write anything that matters; if they differ, remove the contact and make a new invite.", p.nameOf(ev.Contact))
	case "expired":
		p.print("An invite expired unused. Its link no longer works.")
	case "revoked":
		p.print("An invite was withdrawn. Its link no longer works.")
	}
}

// text is what a message says, as it is read out.
func (p *plain) text(m *api.Message) string {
	switch {
	case m.Deleted:
		return p.t("(taken back)")
	case p.hidden:
		return p.t("(hidden)")
	}
	var parts []string
	if m.Late != nil {
		parts = append(parts, p.t("(came late, written before: %s)", p.quoted(m.Late)))
	}
	if m.Forwarded {
		parts = append(parts, p.t("(forwarded)"))
	}
	if m.Reply != nil {
		parts = append(parts, p.t("(answers: %s)", p.quoted(m.Reply)))
	}
	if m.Picture != nil {
		parts = append(parts, p.t("(picture, %s, %s)", chatview.Kind(m.Picture.Type), chatview.Size(m.Picture.Size)))
	}
	parts = append(parts, m.Text.String())
	if !m.Edited.IsZero() {
		parts = append(parts, p.t("(edited)"))
	}
	for _, r := range m.Reactions {
		who := p.t("you")
		if !r.Outgoing {
			who = p.nameOf(m.Conversation)
		}
		parts = append(parts, "("+line(r.Emoji)+" "+who+")")
	}
	if m.Timer > 0 {
		parts = append(parts, p.t("(disappears)"))
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// quoted is what a message answers, by its number if it has one.
func (p *plain) quoted(q *api.Quote) string {
	if n, ok := p.numbers[q.ID]; ok {
		return p.t("message %d", n)
	}
	text := line(q.Text)
	if text == "" {
		return p.t("an earlier message")
	}
	return text
}

// message reads one message out.
func (p *plain) message(m api.Message, elsewhere bool) {
	at := m.Time.Local().Format("15:04")
	if m.State == api.StateNotice {
		p.print("%s Notice, %s: %s", at, p.nameOf(m.Conversation), p.t(line(m.Text)))
		return
	}
	n := p.number(m)
	p.missing(&m, n)
	if !m.Outgoing {
		p.print("%s %s, message %d: %s", at, p.nameOf(m.Conversation), n, p.text(&m))
		return
	}
	state := p.t(string(m.State))
	if !m.Read.IsZero() {
		state = p.t("read")
	}
	if m.State == api.StateFailed && m.Reason != "" {
		state += " (" + safetext.Line(p.t(m.Reason)).String() + ")"
	}
	if elsewhere {
		p.print("%s you to %s, message %d, %s: %s", at, p.nameOf(m.Conversation), n, state, p.text(&m))
		return
	}
	p.print("%s you, message %d, %s: %s", at, n, state, p.text(&m))
}

// missing reads out that something is missing before a message.
func (p *plain) missing(m *api.Message, n int) {
	switch m.Gap {
	case api.GapMissing:
		p.print("Something that %s wrote before message %d has not arrived yet.", p.nameOf(m.Conversation), n)
	case api.GapLost:
		p.print("Something that %s wrote before message %d never arrived.", p.nameOf(m.Conversation), n)
	}
}

// number gives a message the number that commands refer to.
func (p *plain) number(m api.Message) int {
	p.messages[m.ID] = m
	if n, ok := p.numbers[m.ID]; ok {
		return n
	}
	p.numbered = append(p.numbered, m.ID)
	p.numbers[m.ID] = len(p.numbered)
	return len(p.numbered)
}

// state reads out how far an own message has come.
func (p *plain) state(ev *api.Event) {
	n, ok := p.numbers[ev.ID]
	if !ok {
		return
	}
	m := p.messages[ev.ID]
	m.State, m.Reason = ev.State, ev.Reason
	p.messages[ev.ID] = m
	if ev.State == api.StateSealed {
		return
	}
	who, state := p.nameOf(m.Conversation), p.t(string(ev.State))
	reason := safetext.Line(p.t(ev.Reason)).String()
	switch {
	case ev.State == api.StateFailed:
		p.print("Message %d to %s: %s, %s Type /retry %d or /discard %d.", n, who, state, reason, n, n)
	case reason != "" && ev.State != api.StateDelivered:
		p.print("Message %d to %s: %s, %s", n, who, state, reason)
	default:
		p.print("Message %d to %s: %s", n, who, state)
	}
}

// edited reads out what changed about a message that was read out before.
func (p *plain) edited(m api.Message) {
	n, ok := p.numbers[m.ID]
	if !ok {
		return
	}
	old := p.messages[m.ID]
	p.messages[m.ID] = m
	who := p.nameOf(m.Conversation)
	switch {
	case m.Deleted && !old.Deleted && m.Outgoing:
		p.print("You took message %d back.", n)
	case m.Deleted && !old.Deleted:
		p.print("%s took message %d back.", who, n)
	case !m.Edited.Equal(old.Edited):
		p.print("Message %d was edited: %s", n, p.text(&m))
	case !m.Read.IsZero() && old.Read.IsZero():
		p.print("%s has read message %d.", who, n)
	case m.Gap != old.Gap && m.Gap == "":
		p.print("What was missing before message %d has arrived.", n)
	case m.Gap != old.Gap:
		p.missing(&m, n)
	case !slices.Equal(m.Reactions, old.Reactions):
		for _, r := range m.Reactions {
			if !r.Outgoing && !slices.Contains(old.Reactions, r) && !p.hidden {
				p.print("%s reacts to message %d: %s", who, n, line(r.Emoji))
			}
		}
	}
}

func (p *plain) changed(c api.Contact) {
	old := p.contact(c.ID)
	switch {
	case old == nil:
		p.people = append(p.people, c)
		p.print("%s was added (%s).", p.name(&c), standingWords(p.th, &c))
		return
	case old.State == api.ContactPending && c.State == api.ContactReady:
		p.print("%s has answered.", p.name(&c))
	case old.TimerTheirs != c.TimerTheirs && c.TimerTheirs > 0 && c.TimerTheirs != c.TimerMine:
		p.print("%s offers messages that disappear after %s. Type /timer agree.", p.name(&c), chatview.Span(p.th, c.TimerTheirs))
	}
	*old = c
}

func (p *plain) network(s *api.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told && s.Ready == p.ready && s.Reason == p.reason {
		return
	}
	p.told, p.ready, p.reason = true, s.Ready, s.Reason
	if s.Ready {
		p.print("Network: ready. Profile %s, %s, %s known.", s.Profile, p.n(s.Hops, "%d hop", "%d hops"), p.n(s.Relays, "%d relay", "%d relays"))
	} else {
		p.print("Network: waiting: %s. Messages are kept until they can leave.", strings.TrimRight(p.t(s.Reason), "."))
	}
}
