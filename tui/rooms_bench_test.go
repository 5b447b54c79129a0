package tui_test

import (
	"fmt"
	"testing"
	"time"

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
		tuitest.Settle(app, cmd)
	}
	app.Update(tuitest.Key("end"))
	app.Update(tuitest.Key("i"))
	return app
}

// A frame of a room, everything in it drawn again but for messages that did not change.
func BenchmarkFrameRoom(b *testing.B) {
	app := assembled()
	pressing(b, app, "x")
}

// The same with no message laid out before.
func BenchmarkFrameRoomAfterResize(b *testing.B) {
	app := assembled()
	resizing(b, app)
}

// Scrolling through it.
func BenchmarkScrollRoom(b *testing.B) {
	app := assembled()
	scrolling(b, app, 200)
}
