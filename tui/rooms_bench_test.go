package tui_test

import (
	"fmt"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui"
	"starling/tui/tuitest"
)

// assembled returns the app at 200×60 on a room of 32 people with 5,000 messages, of which
// some name others, and some are of people that came and went.
func assembled() *tui.App {
	node := tuitest.NewNode(clock)
	names := make([]string, api.MaxMembers-1)
	for i := range names {
		names[i] = fmt.Sprint("member ", i)
	}
	room := node.RoomOf("crowd", names...)
	for i := range 5000 {
		text := fmt.Sprintf("%d: @%s what the relay carries it cannot read, and the mailbox forgets", i, names[i*7%len(names)])
		node.SaysMessage(room, names[i*5%len(names)], tuitest.Text(text, noon.Add(time.Duration(i-5000)*time.Minute), false))
		if i%100 == 99 {
			node.Joins(room, "guest")
			node.Leaves(room, "guest")
		}
	}
	node.MarkAllRead(room)
	app := opened(node)
	app.Update(tuitest.Key("esc"))
	for range 60 { // all of it is loaded
		_, cmd := app.Update(tuitest.Key("home"))
		runAll(app, cmd)
	}
	app.Update(tuitest.Key("end"))
	app.Update(tuitest.Key("i"))
	return app
}

// A frame of a room, everything in it drawn again but for messages that did not change.
func BenchmarkFrameRoom(b *testing.B) {
	app := assembled()
	key := tuitest.Key("x")
	b.ReportAllocs()
	for b.Loop() {
		app.Update(key)
		app.View()
	}
}

// The same with no message laid out before.
func BenchmarkFrameRoomAfterResize(b *testing.B) {
	app := assembled()
	width := 200
	b.ReportAllocs()
	for b.Loop() {
		width = 399 - width
		app.Update(tea.WindowSizeMsg{Width: width, Height: 60})
		app.View()
	}
}

// Scrolling through it.
func BenchmarkScrollRoom(b *testing.B) {
	app := assembled()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		wheel := tea.MouseWheelUp
		if i++; i%400 > 199 {
			wheel = tea.MouseWheelDown
		}
		_, cmd := app.Update(tea.MouseWheelMsg{X: 100, Y: 20, Button: wheel})
		runAll(app, cmd)
		app.View()
	}
}
