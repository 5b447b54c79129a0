package tui

import (
	"cmp"
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/notify"
)

const (
	// typingTime is how long a contact is taken to be writing after they said
	// so; typingEvery is how often we say it.
	typingTime  = 6 * time.Second
	typingEvery = 3 * time.Second
	// quietTime is between two notifications.
	quietTime = 3 * time.Second
	// awayTime is after how long without a key a person is taken to be away,
	// where the terminal does not tell whether it has the focus.
	awayTime = time.Minute
)

// teller tells through the terminal that something came.
type teller struct {
	kind  notify.Kind
	focus bool      // the terminal reports its focus
	last  time.Time // notification
}

type typingOver struct {
	chat string
	at   time.Time
}

// announce makes a notification of what has just arrived, at most one for a
// batch of events and one in a while. It is silent while the person looks.
func (a *App) announce(arrived []api.Message) tea.Cmd {
	now := a.opts.Now()
	there := a.active && (a.teller.focus || now.Sub(a.lock.used) < awayTime)
	if there && a.lock.form == nil || now.Sub(a.teller.last) < quietTime {
		return nil
	}
	for i := len(arrived) - 1; i >= 0; i-- {
		m := &arrived[i]
		c := a.contact(m.Conversation)
		if c == nil || c.Blocked || a.muted(c) {
			continue
		}
		level := cmp.Or(c.Notify, a.settings.Notify, api.NotifyHidden)
		if level != api.NotifyNone && (a.lock.form != nil || a.hidden) {
			level = api.NotifyHidden
		}
		body, ok := notify.Words(level, safetext.Line(a.openName(c)), m.Text, a.t("New message"), a.t("a picture"))
		if !ok {
			continue
		}
		a.teller.last = now
		return tea.Raw(notify.Sequence(a.teller.kind, title, body))
	}
	return nil
}

// writing notes that a contact is writing.
func (a *App) writing(contact string) tea.Cmd {
	if a.contact(contact) == nil {
		return nil
	}
	c := a.chat(contact)
	c.writes = a.opts.Now().Add(typingTime)
	return a.opts.After(typingTime, typingOver{contact, c.writes})
}

func (a *App) typingOver(over typingOver) {
	if c := a.chats[over.chat]; c != nil && c.writes.Equal(over.at) {
		c.writes = time.Time{}
	}
}

// isWriting reports whether a contact is writing now.
func (a *App) isWriting(contact string) bool {
	c := a.chats[contact]
	return c != nil && !c.writes.IsZero()
}

// typing tells the contact that we are writing, if that is what we want.
func (a *App) typing(c *chat) tea.Cmd {
	now := a.opts.Now()
	if !a.settings.Typing || c.editing != nil || c.text.Empty() || now.Sub(c.writ) < typingEvery {
		return nil
	}
	c.writ = now
	id := c.id
	return a.call(func(ctx context.Context) tea.Msg {
		_ = a.node.Typing(ctx, id) // nothing depends on it
		return nil
	})
}
