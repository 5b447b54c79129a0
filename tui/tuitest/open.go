package tuitest

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui"
)

// Open starts an app without a terminal, of a size in cells, and carries out its first
// commands. Its timers never go off.
func Open(node api.Node, o tui.Options, width, height int) *tui.App {
	o.After = func(time.Duration, tea.Msg) tea.Cmd { return nil }
	app := tui.New(context.Background(), node, o)
	app.Update(tea.WindowSizeMsg{Width: width, Height: height})
	Settle(app, app.Init())
	app.View()
	return app
}

// Settle carries out a command, and those that come of it.
func Settle(app *tui.App, cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range msg {
			Settle(app, c)
		}
	case nil:
	default:
		_, next := app.Update(msg)
		Settle(app, next)
	}
}
