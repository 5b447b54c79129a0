package linear

import (
	"slices"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/chatview"
	"starling/tui/words"
)

func (v *voice) tell(ev *api.Event) {
	if ev.Kind == api.EventStatus && ev.Status != nil {
		v.network(ev.Status)
		return
	}

	v.mu.Lock()
	defer v.mu.Unlock()
	switch ev.Kind {
	case api.EventMessage:
		// Counted, since voice says nothing while it is locked.
		if v.locked && !ev.Outgoing {
			v.missed++
		}
		v.message(words.Message(ev), ev.Conversation != v.current)
	case api.EventNotice:
		m := words.Message(ev)
		m.State = api.StateNotice
		v.message(m, ev.Conversation != v.current)
	case api.EventState:
		v.state(ev)
	case api.EventChanged:
		if ev.Message != nil {
			v.edited(*ev.Message)
		}
	case api.EventTyping:
		v.writes(ev.Conversation)
	case api.EventContact:
		if ev.Contact != nil {
			v.changed(*ev.Contact)
		}
	case api.EventCleared:
		v.print("The conversation with %s was cleared.", v.nameOf(ev.Conversation))
	case api.EventRemoved:
		v.removed(ev)
	case api.EventInvite:
		if ev.Invite != nil {
			v.invited(ev.Invite)
		}
	}
}

// typingSaid is how often it is said that a contact is writing.
const typingSaid = time.Minute

func (v *voice) writes(contact string) {
	if now := v.now(); contact == v.current && now.Sub(v.wrote[contact]) >= typingSaid {
		v.wrote[contact] = now
		v.print("%s is writing.", v.nameOf(contact))
	}
}

func (v *voice) removed(ev *api.Event) {
	if ev.ID != "" {
		if n, ok := v.numbers[ev.ID]; ok {
			v.print("Message %d is gone.", n)
			delete(v.messages, ev.ID)
		}
		return
	}
	v.people = slices.DeleteFunc(v.people, func(c api.Contact) bool { return c.ID == ev.Conversation })
	if v.current == ev.Conversation {
		v.current = ""
	}
}

// invited tells the end of an invite.
func (v *voice) invited(ev *api.InviteEvent) {
	switch ev.What {
	case "used":
		v.print("Your invite was used by %s.", v.nameOf(ev.Contact))
	case "reused":
		v.print("Warning: the invite of %s was used twice. Somebody else had the link, and may have been the first. Compare safety numbers with /verify before you write anything that matters; if they differ, remove the contact and make a new invite.", v.nameOf(ev.Contact))
	case "expired":
		v.print("An invite expired unused. Its link no longer works.")
	case "revoked":
		v.print("An invite was withdrawn. Its link no longer works.")
	}
}

// text is a message as it is read out.
func (v *voice) text(m *api.Message) string {
	switch {
	case m.Deleted:
		return v.t("(taken back)")
	// Before anything else of the message: kinds and reactions say something, too.
	case v.hidden:
		return v.t("(hidden)")
	}

	var parts []string
	if m.Mention && !m.Outgoing {
		parts = append(parts, v.t("(names you)"))
	}
	if m.Late != nil {
		parts = append(parts, v.t("(came late, written before: %s)", v.quoted(m.Late)))
	}
	if m.Forwarded {
		parts = append(parts, v.t("(forwarded)"))
	}
	if m.Given {
		parts = append(parts, v.t("(as told by who let you in)"))
	}
	if m.Reply != nil {
		parts = append(parts, v.t("(answers: %s)", v.quoted(m.Reply)))
	}
	if m.Picture != nil {
		parts = append(parts, v.t("(picture, %s, %s)", chatview.Kind(m.Picture.Type), chatview.Size(m.Picture.Size)))
	}

	if m.File != nil {
		parts = append(parts, v.t("(file %s, %s)", words.File(m.File), chatview.Size(m.File.Size)))
	}

	parts = append(parts, m.Text.String())
	if !m.Edited.IsZero() {
		parts = append(parts, v.t("(edited)"))
	}
	for _, r := range m.Reactions {
		who := v.t("you")
		if !r.Outgoing {
			who = v.reactor(m, r)
		}
		parts = append(parts, "("+words.Line(r.Emoji)+" "+who+")")
	}
	switch {
	case !m.Expires.IsZero():
		left, _ := chatview.Countdown(v.th, m.Expires.Sub(v.now()))
		parts = append(parts, "("+left+")")
	case m.Timer > 0:
		parts = append(parts, v.t("(disappears)"))
	}

	return strings.TrimSpace(strings.Join(parts, " "))
}

// quoted is the message that another answers, by its number if it has one.
func (v *voice) quoted(q *api.Quote) string {
	if n, ok := v.numbers[q.ID]; ok {
		return v.t("message %d", n)
	}
	text := words.Line(q.Text)
	if text == "" {
		return v.t("an earlier message")
	}
	return text
}

// message reads one message out.
func (v *voice) message(m api.Message, elsewhere bool) {
	at := m.Time.Local().Format("15:04")
	if m.State == api.StateNotice {
		v.notice(&m, at, elsewhere)
		return
	}
	v.crowd.heard(&m)

	// Each message read out has a number, by which commands name it.
	n := v.number(m)
	v.missing(&m, n)
	if !m.Outgoing && m.Room != "" && elsewhere {
		v.print("%s %s in %s, message %d: %s", at, v.author(&m), v.nameOf(m.Room), n, v.text(&m))
		return
	}
	if !m.Outgoing && m.Room != "" {
		v.print("%s %s, message %d: %s", at, v.author(&m), n, v.text(&m))
		return
	}
	if !m.Outgoing {
		v.print("%s %s, message %d: %s", at, v.nameOf(m.Conversation), n, v.text(&m))
		return
	}

	state := v.t(string(m.State))
	if !m.Read.IsZero() {
		state = v.t("read")
	}
	if m.State == api.StateFailed && m.Reason != "" {
		state += " (" + safetext.Line(v.t(m.Reason)).String() + ")"
	}

	if elsewhere {
		v.print("%s you to %s, message %d, %s: %s", at, v.nameOf(m.Conversation), n, state, v.text(&m))
		return
	}
	v.print("%s you, message %d, %s: %s", at, n, state, v.text(&m))
}

// missing reads out that something is missing before a message.
func (v *voice) missing(m *api.Message, n int) {
	switch m.Gap {
	case api.GapMissing:
		v.print("Something that %s wrote before message %d has not arrived yet.", v.author(m), n)
	case api.GapLost:
		v.print("Something that %s wrote before message %d never arrived.", v.author(m), n)
	}
}

// number gives a message the number that commands refer to.
func (v *voice) number(m api.Message) int {
	v.messages[m.ID] = m
	if n, ok := v.numbers[m.ID]; ok {
		return n
	}
	v.numbered = append(v.numbered, m.ID)
	v.numbers[m.ID] = len(v.numbered)
	return len(v.numbered)
}

// state reads out how far an own message has come.
func (v *voice) state(ev *api.Event) {
	n, ok := v.numbers[ev.ID]
	if !ok {
		return
	}
	m := v.messages[ev.ID]
	m.State, m.Reason = ev.State, ev.Reason
	v.messages[ev.ID] = m
	if ev.State == api.StateSealed && (ev.Reason == "" || ev.Reason == v.delays[ev.Conversation]) {
		return
	}
	v.delays[ev.Conversation] = ev.Reason
	who, state := v.nameOf(m.Conversation), v.t(string(ev.State))
	reason := safetext.Line(v.t(ev.Reason)).String()
	switch {
	case ev.State == api.StateFailed:
		v.print("Message %d to %s: %s, %s Type /retry %d or /discard %d.", n, who, state, reason, n, n)
	case reason != "" && ev.State != api.StateDelivered:
		v.print("Message %d to %s: %s, %s", n, who, state, reason)
	default:
		v.print("Message %d to %s: %s", n, who, state)
	}
}

// edited reads out the change of a message that was read out before.
func (v *voice) edited(m api.Message) {
	// A change of a message that was never read out would make no sense alone.
	n, ok := v.numbers[m.ID]
	if !ok {
		return
	}

	old := v.messages[m.ID]
	v.messages[m.ID] = m
	who := v.author(&m)

	switch {
	case m.Deleted && !old.Deleted && m.Outgoing:
		v.print("You took message %d back.", n)
	case m.Deleted && !old.Deleted:
		v.print("%s took message %d back.", who, n)
	case !m.Edited.Equal(old.Edited):
		v.print("Message %d was edited: %s", n, v.text(&m))
	case !m.Read.IsZero() && old.Read.IsZero():
		v.print("%s has read message %d.", who, n)
	case m.Gap != old.Gap && m.Gap == "":
		v.print("What was missing before message %d has arrived.", n)
	case m.Gap != old.Gap:
		v.missing(&m, n)
	case !slices.Equal(m.Reactions, old.Reactions):
		for _, r := range m.Reactions {
			if !r.Outgoing && !slices.Contains(old.Reactions, r) && !v.hidden {
				v.print("%s reacts to message %d: %s", v.reactor(&m, r), n, words.Line(r.Emoji))
			}
		}
	}
}

func (v *voice) changed(c api.Contact) {
	old := v.contact(c.ID)
	switch {
	case old == nil:
		v.people = append(v.people, c)
		v.print("%s was added (%s).", v.name(&c), v.about(&c))
		return
	case c.Room != nil:
		v.roomChanged(old.Room, &c)
	case old.State == api.ContactPending && c.State == api.ContactReady:
		v.print("%s has answered.", v.name(&c))
	case old.TimerTheirs != c.TimerTheirs && c.TimerTheirs > 0 && c.TimerTheirs != c.TimerMine:
		v.print("%s offers messages that disappear after %s. Type /timer agree.", v.name(&c), chatview.Span(v.th, c.TimerTheirs))
	}
	*old = c
}

func (v *voice) network(s *api.Status) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.told && s.Ready == v.ready && s.Reason == v.reason {
		return
	}
	v.told, v.ready, v.reason = true, s.Ready, s.Reason
	if s.Ready {
		v.print("Network: ready. Profile %s, %s, %s known.", s.Profile, v.n(s.Hops, "%d hop", "%d hops"), v.n(s.Relays, "%d relay", "%d relays"))
	} else {
		v.print("Network: waiting: %s. Messages are kept until they can leave.", strings.TrimRight(v.t(s.Reason), "."))
	}
}
