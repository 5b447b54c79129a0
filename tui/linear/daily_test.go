package linear_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/tui/linear"
	"starling/tui/tuitest"
)

// sent returns what has been sent to a contact.
func sent(t *testing.T, node *tuitest.Node, id string) []string {
	t.Helper()
	messages, err := node.History(t.Context(), api.HistoryRequest{Contact: id})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range messages {
		if m.Outgoing {
			out = append(out, m.Text.String())
		}
	}
	return out
}

func TestLinesOfAnyLength(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	l := begin(t, node)
	l.say("/open 1").expect("No messages yet.")
	l.say(strings.Repeat("a", 40_000)).expect("Error: That line has 40001 bytes, a message takes 32768; nothing of it was sent")
	l.say(strings.Repeat("b", 1<<20)).expect("Error: That line has 1048577 bytes")
	l.say("Zo\xeb").expect("Error: That line is not UTF-8 text")
	l.say("/write", "first", strings.Repeat("c", 40_000), "last", ".").expect("Error: That line has 40001 bytes")
	l.say(strings.Repeat("d", 32_768)).expect("queued: dddd")
	l.say("\ufeffZoe\u0308\x00 goes on\r").expect("queued: Zoë goes on")
	if got := sent(t, node, id); len(got) != 2 || len(got[0]) != 32_768 || got[1] != "Zoë goes on" {
		t.Errorf("sent %d messages, the last %q", len(got), got[len(got)-1])
	}
	// The last line needs no end, and is not lost.
	if _, err := io.WriteString(l.in, "without an end"); err != nil {
		t.Fatal(err)
	}
	l.in.Close()
	l.expect("3 messages have not left yet. They wait here")
	if err := <-l.ended; err != nil {
		t.Error(err)
	}
}

func TestAnswersAreNotSent(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	l := begin(t, node)
	l.say("/open 1").expect("No messages yet.")
	for _, question := range []string{"/remove alice", "/wipe"} {
		l.say(question).expect("Answer yes or no.").say("n").expect("Nothing was done.")
		l.say(question).expect("Answer yes or no.").say("No").expect("Nothing was done.")
		l.say(question).expect("Answer yes or no.").say("perhaps").expect("Answer yes or no.").say("").expect("Answer yes or no.").say("no").expect("Nothing was done.")
		l.say(question).expect("Answer yes or no.").say("/status").expect("Network: ready")
	}
	l.say("hello").expect("queued: hello")
	if got := sent(t, node, id); len(got) != 1 {
		t.Errorf("sent %q", got)
	}
	l.say("/remove alice").expect("Answer yes or no.").say("y").expect("Removed.")
}

func TestPastedLinesAreOneMessage(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	r, w := io.Pipe()
	l := &talk{t: t, in: w, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		l.ended <- linear.Run(ctx, node, linear.Options{Now: clock, Language: "en", Together: 300 * time.Millisecond}, r, l)
	}()
	t.Cleanup(func() {
		cancel()
		w.Close()
	})
	l.say("/open 1").expect("No messages yet.")
	l.say("one", "/remove alice yes", "", "three").expect("4 lines were pasted. Are they to be sent as one message?")
	l.say("no").expect("Nothing was done.")
	l.say("one", "two").expect("2 lines were pasted.").say("yes").expect("queued: one\n  two")
	l.say("alone").expect("queued: alone")
	if got := sent(t, node, id); len(got) != 2 || got[0] != "one\ntwo" || got[1] != "alone" {
		t.Errorf("sent %q", got)
	}
}
