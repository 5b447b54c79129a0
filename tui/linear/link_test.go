package linear_test

import (
	"context"
	"io"
	"slices"
	"testing"

	"starling/tui/linear"
	"starling/tui/tuitest"
)

func TestLinkIsReadOutBefore(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	node.Receive(id, "https://bank.example@evil.example/x and https://b.example")
	node.Receive(id, "nothing")
	r, w := io.Pipe()
	l := &talk{t: t, in: w, ended: make(chan error, 1)}
	var opened []string
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		l.ended <- linear.Run(ctx, node, linear.Options{Now: clock, Language: "en", OpenAddress: func(_ context.Context, address string) error {
			opened = append(opened, address)
			return nil
		}}, r, l)
	}()
	t.Cleanup(func() {
		cancel()
		w.Close()
	})
	l.say("/open 1").expect("message 2: nothing")
	l.say("/link 2").expect("There is no web address in this message.")
	l.say("/link 1 3").expect("no address of that number")
	l.say("/link 1").expect("Address 1 of 2", "It leads to evil.example: https://bank.example@evil.example/x", "Warning: What stands before the @", "sees your IP address")
	l.say("no").expect("Nothing was done.")
	l.say("/link 1 2").expect("It leads to b.example", "sees your IP address").say("yes").expect("Handed to your browser.")
	if !slices.Equal(opened, []string{"https://b.example"}) {
		t.Errorf("opened %q", opened)
	}
}

func TestUnknownCommandAsks(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	l := begin(t, node)
	l.say("/frobnicate").expect("Error: There is no command /frobnicate. Type /help.")
	l.say("/open 1").expect("No messages yet.")
	l.say("/home/x/photo.jpg").expect("There is no command /home/x/photo.jpg", "Is the line to be sent to alice as a text?").say("no").expect("Nothing was done.")
	l.say("/shrug it").expect("as a text?").say("yes").expect("queued: /shrug it")
	if got := sent(t, node, id); !slices.Equal(got, []string{"/shrug it"}) {
		t.Errorf("sent %q", got)
	}
}

func TestObey(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	opts := linear.Options{Now: clock, Language: "en"}
	for line, want := range map[string]string{"/pin": "Pinned.", "/timer off": "New messages stay.", "/notify name": "Saved.", "/pin x\ny": "Pinned."} {
		if got, err := linear.Obey(t.Context(), node, opts, id, line); err != nil || got != want {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
	for _, line := range []string{"/nope", "/timer soon", "/passphrase", "/wipe", "/remove alice", "/quit"} {
		if got, err := linear.Obey(t.Context(), node, opts, id, line); err == nil {
			t.Errorf("%s: %q", line, got)
		}
	}
}

func TestSearchFilters(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	node.Receive(id, "see https://a.example")
	node.Seed(id, tuitest.Text("my own", noon, true))
	l := begin(t, node)
	l.say("/search kind:link").expect("see https://a.example").say("/search from:me").expect("my own")
	l.say("/search from:ali on:today").expect("see https://a.example")
	l.say("/search on:someday").expect("Error: The date of on: cannot be read. Write 2026-11-22")
	l.say("/search from:nobody").expect("Nobody of that name").say("/search before:2026-11").expect("No message has these words.")
}
