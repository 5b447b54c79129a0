package tui

import (
	tea "charm.land/bubbletea/v2"

	"starling/node/api"
)

// AlertReady ends the time in which a dialog that opened by itself takes no
// keys.
var AlertReady = alertReady{}

// ZoomDue draws a picture past the renderer.
var ZoomDue = zoomDue{}

// Events is a batch of what the node tells.
func Events(events ...api.Event) tea.Msg { return eventsMsg(events) }
