package tui_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui"
	"starling/tui/tuitest"
)

// crowded returns the app at 200×60 on a conversation of count messages,
// with its first page loaded.
func crowded(b *testing.B, count int) *tui.App {
	node := tuitest.NewNode(clock)
	tuitest.People(node)
	id := node.Meet("crowd")
	tuitest.Crowd(node, id, count)
	return opened(node)
}

// opened is the app at 200×60.
func opened(node api.Node) *tui.App {
	return tuitest.Open(node, tui.Options{Now: clock}, 200, 60)
}

// pressing measures the frames after some keys.
func pressing(b *testing.B, app *tui.App, keys ...string) {
	b.ReportAllocs()
	for b.Loop() {
		for _, key := range keys {
			app.Update(tuitest.Key(key))
			app.View()
		}
	}
}

// scrolling measures the frames of the wheel, so many turns up and as many down.
func scrolling(b *testing.B, app *tui.App, turns int) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		wheel := tea.MouseWheelUp
		if i/turns%2 == 1 {
			wheel = tea.MouseWheelDown
		}
		_, cmd := app.Update(tea.MouseWheelMsg{X: 100, Y: 20, Button: wheel})
		tuitest.Settle(app, cmd)
		app.View()
	}
}

// resizing measures the frame after each of two widths.
func resizing(b *testing.B, app *tui.App) {
	width := 200
	b.ReportAllocs()
	for b.Loop() {
		width = 399 - width
		app.Update(tea.WindowSizeMsg{Width: width, Height: 60})
		app.View()
	}
}

// A whole frame at 200×60, everything in it drawn again but for messages that
// did not change.
func BenchmarkFrame(b *testing.B) {
	app := crowded(b, 1000)
	pressing(b, app, "x")
}

// known returns the app at 200×60 with so many conversations in the list, one of them with
// count messages.
func known(people, count int) *tui.App {
	node := tuitest.NewNode(clock)
	for i := range people - 1 {
		node.Seed(node.Meet(fmt.Sprint("contact ", i)), tuitest.Text("hello", noon.Add(-time.Hour), false))
	}
	id := node.Meet("crowd")
	tuitest.Crowd(node, id, count)
	return opened(node)
}

// A frame, scrolling, and a start with 5,000 conversations in the list.
func BenchmarkFrame5000Conversations(b *testing.B) {
	app := known(5000, 1000)
	pressing(b, app, "x")
}

func BenchmarkScroll5000Conversations(b *testing.B) {
	app := known(5000, 1000)
	app.Update(tuitest.Key("esc"))
	app.Update(tuitest.Key("esc"))
	pressing(b, app, "down", "up")
}

func BenchmarkOpen5000Conversations(b *testing.B) {
	node := tuitest.NewNode(clock)
	for i := range 5000 {
		node.Meet(fmt.Sprint("contact ", i))
	}
	b.ReportAllocs()
	for b.Loop() {
		opened(node)
	}
}

// The same with no message laid out before: after a resize.
func BenchmarkFrameAfterResize(b *testing.B) {
	app := crowded(b, 1000)
	resizing(b, app)
}

// The cost of a message that changes nothing.
func BenchmarkNothingChanged(b *testing.B) {
	app := crowded(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		app.Update(tea.MouseMotionMsg{X: 1, Y: 1})
		app.View()
	}
}

func BenchmarkScroll(b *testing.B) {
	app := crowded(b, 100_000)
	scrolling(b, app, 20)
}

// From pressing enter in the switcher to the frame with the newest messages.
func BenchmarkOpen100000(b *testing.B) {
	node := tuitest.NewNode(clock)
	id := node.Meet("crowd")
	tuitest.Crowd(node, id, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		app := opened(node)
		if !strings.Contains(app.View().Content, "100000:") {
			b.Fatal("the newest message is not on the screen")
		}
	}
}

// A thousand messages that come at once, and the frame that shows them.
func BenchmarkThousandMessages(b *testing.B) {
	node := tuitest.NewNode(clock)
	id := node.Meet("crowd")
	tuitest.Crowd(node, id, 1000)
	app := opened(node)
	ctx, cancel := context.WithCancel(context.Background())
	batches := make(chan tea.Msg, 16)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		app.Follow(ctx, func(msg tea.Msg) { batches <- msg })
	}()
	<-batches // it listens
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for range 1000 {
			n++
			node.Receive(id, fmt.Sprint("message ", n))
		}
		last := fmt.Sprint("message ", n)
		for !strings.Contains(app.View().Content, last) {
			_, cmd := app.Update(<-batches)
			tuitest.Settle(app, cmd)
		}
	}
	cancel()
	<-followed
}

// 128 KiB of ESC [ as a message and as its preview, through to the frame.
func BenchmarkEscapes128KiB(b *testing.B) {
	text := strings.Repeat("\x1b[", 1<<16)
	node := tuitest.NewNode(clock)
	id := node.Meet("mallory")
	node.Receive(id, text)
	b.ReportAllocs()
	for b.Loop() {
		app := opened(node)
		app.View()
	}
}

func BenchmarkTower5000Marks(b *testing.B) {
	node := tuitest.NewNode(clock)
	id := node.Meet("mallory")
	node.Receive(id, "a"+strings.Repeat("\u0301", 5000))
	app := opened(node)
	b.ReportMetric(float64(len(app.View().Content)), "frame-bytes")
	key := tuitest.Key("x")
	for b.Loop() {
		app.Update(key)
		app.View()
	}
}

// A frame at 200×60 of a conversation in which every message has everything:
// quotes, reactions, marks, pictures.
func BenchmarkFrameRich(b *testing.B) {
	node := tuitest.NewNode(clock)
	for range 12 {
		tuitest.Rich(node)
	}
	app := opened(node)
	pressing(b, app, "x")
}

// The same with all that a contact can attack with, scrolled through.
func BenchmarkFrameHostile(b *testing.B) {
	node := tuitest.NewNode(clock)
	tuitest.Attack(node)
	app := opened(node)
	scrolling(b, app, 200)
}

// From the last letter of the words to the frame with the hits, beside the node's time
// to find them.
func BenchmarkSearchFrame(b *testing.B) {
	app := crowded(b, 100_000)
	_, cmd := app.Update(tuitest.Key("ctrl+s"))
	tuitest.Settle(app, cmd)
	for _, r := range "mailbox" {
		_, cmd = app.Update(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
	tuitest.Settle(app, cmd)
	if !strings.Contains(app.View().Content, "50 messages and more") {
		b.Fatal("nothing was found")
	}
	pressing(b, app, "down", "up")
}

// 128 KiB of ESC [ made safe and laid out: the cost of one such message.
func BenchmarkEscapes128KiBMessage(b *testing.B) {
	text := strings.Repeat("\x1b[", 1<<16)
	node := tuitest.NewNode(clock)
	id := node.Meet("mallory")
	app := opened(node)
	b.ReportAllocs()
	for b.Loop() {
		node.Seed(id, tuitest.Text(text, noon, false))
		m := node.Last(id)
		app.Update(tui.Events(api.Event{Kind: api.EventMessage, ID: m.ID, Conversation: id, Message: &m}))
		app.View()
	}
}

// From the switcher's key and a letter to the frame with those found, and back.
func BenchmarkSwitch5000Conversations(b *testing.B) {
	app := known(5000, 1000)
	pressing(b, app, "ctrl+k", "4", "7", "esc")
}
