package tui

import (
	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/keymap"
)

// Events is a batch of the node's events.
func Events(events ...api.Event) tea.Msg { return eventsMsg(events) }

// Does reports whether the app has something to do for an action.
func (a *App) Does(id keymap.ID) bool { return a.actions[id] != nil }
