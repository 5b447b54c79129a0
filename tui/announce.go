package tui

import (
	"cmp"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/desk"
	"starling/tui/notify"
	"starling/tui/people"
)

const (
	// quietTime is between two notifications.
	quietTime = 3 * time.Second
	// awayTime is after how long without a key a person is taken to be away,
	// where the terminal does not tell whether it has the focus.
	awayTime = time.Minute
)

// announcer tells through the terminal that something came.
type announcer struct {
	desk   *desk.Desk
	people *people.List
	idle   func() time.Duration // since the last key
	author func(m *api.Message) string

	level api.NotifyLevel // of the settings
	kind  notify.Kind
	focus bool      // the terminal reports its focus
	last  time.Time // notification
}

// watching reports whether the person looks at the app.
func (n *announcer) watching() bool {
	return n.desk.Active && !n.desk.Locked && (n.focus || n.idle() < awayTime)
}

// announce makes a notification of the messages that have just arrived, at most
// one for a batch and one in a while. It is silent while the person looks.
func (n *announcer) announce(arrived []api.Message) tea.Cmd {
	now := n.desk.Now()
	if n.watching() || now.Sub(n.last) < quietTime {
		return nil
	}

	// The newest that may be announced stands for the batch.
	for i := len(arrived) - 1; i >= 0; i-- {
		m := &arrived[i]
		c := n.people.Get(m.Conversation)
		if c == nil || c.Blocked || n.desk.Muted(c) && !m.Mention {
			continue
		}
		level := cmp.Or(c.Notify, n.level, api.NotifyHidden)
		// Locked or incognito, a notification would show on the desktop the texts that the screen hides.
		if level != api.NotifyNone && n.desk.Private() {
			level = api.NotifyHidden
		}
		mute := n.desk.T("a picture")
		if m.File != nil {
			mute = n.desk.T("a file")
		}
		from := n.desk.OpenName(c)
		if c.Room != nil {
			from = n.desk.T("%s in %s", n.author(m), from)
		}

		// The name and the text are a contact's: Words makes them safe for a terminal's title.
		body, ok := notify.Words(level, safetext.Line(from), m.Text, n.desk.T("New message"), mute)
		if !ok {
			continue
		}
		n.last = now
		return tea.Raw(notify.Sequence(n.kind, title, body))
	}
	return nil
}
