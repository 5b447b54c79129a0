package linear_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/node/api"
	"starling/tui/linear"
	"starling/tui/tuitest"
)

// talk is the app with somebody at it.
type talk struct {
	t     *testing.T
	in    *io.PipeWriter
	ended chan error

	mu  sync.Mutex
	out bytes.Buffer
	at  int // what was expected so far ends here
}

func (l *talk) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func begin(t *testing.T, node api.Node) *talk {
	return beginWith(t, node, linear.Options{Now: clock, Language: "en"})
}

func beginWith(t *testing.T, node api.Node, opts linear.Options) *talk {
	r, w := io.Pipe()
	l := &talk{t: t, in: w, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { l.ended <- linear.Run(ctx, node, opts, r, l) }()
	t.Cleanup(func() {
		cancel()
		w.Close()
	})
	return l
}

func (l *talk) say(lines ...string) *talk {
	for _, s := range lines {
		if _, err := io.WriteString(l.in, s+"\n"); err != nil {
			l.t.Fatal(err)
		}
	}
	return l
}

// text returns all that was printed.
func (l *talk) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

// expect waits for texts to be printed, each after the one before.
func (l *talk) expect(texts ...string) *talk {
	l.t.Helper()
	for _, text := range texts {
		deadline := time.Now().Add(20 * time.Second)
		for {
			l.mu.Lock()
			i := strings.Index(l.out.String()[l.at:], text)
			if i >= 0 {
				l.at += i + len(text)
			}
			l.mu.Unlock()
			if i >= 0 {
				break
			}
			if time.Now().After(deadline) {
				l.t.Fatalf("waited in vain for %q after\n%s", text, l.out.String())
			}
			<-time.NewTimer(2 * time.Millisecond).C // the prompt runs beside this
		}
	}
	return l
}

func TestLinearConversation(t *testing.T) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	node.Receive(id, "first\nand second line")
	l := begin(t, node)
	l.expect("Type /help", "Network: ready", "1. alice (not verified, 1 new)")
	l.say("too early").expect("Error: No conversation is open. Type /open and a name.")
	l.say("/open ali").expect("Conversation with alice", "Sunday 22 November 2026", "12:00 alice, message 1: first\n  and second line\n")
	l.say("hello").expect("you, message 2, queued: hello")
	node.State(node.Last(id).ID, api.StateDelivered, "")
	l.expect("Message 2 to alice: delivered")
	l.say("/write", "one", "two", ".").expect("you, message 3, queued: one\n  two\n")
	node.State(node.Last(id).ID, api.StateFailed, "nobody answers.")
	l.expect("Message 3 to alice: failed, nobody answers. Type /retry 3 or /discard 3.")
	l.say("/retry 3").expect("Queued again.")
	l.say("//slash").expect("you, message 4, queued: /slash")
	node.Receive(id, "well")
	l.expect("12:00 alice, message 5: well")
	node.SetStatus(func(s *api.Status) { s.Ready, s.Reason = false, "too few relays" })
	l.expect("Network: waiting: too few relays.")
	l.say("/quit")
	if err := <-l.ended; err != nil {
		t.Error(err)
	}
}

func TestLinearCommands(t *testing.T) {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	node.Meet("albert")
	l := begin(t, node)
	l.expect("2. albert")
	l.say("/open al").expect("More than one name begins like that")
	l.say("/open 7").expect("Nobody of that name")
	l.say("/open 1").expect("Conversation with alice", "No messages yet.")
	l.say("/verify").expect("1: 37287", "12: 90412", "type /verified")
	l.say("/verified").expect("alice is verified.")
	l.say("/rename Alicia").expect("Renamed.")
	l.say("/list").expect("1. Alicia (verified)")
	l.say("/invite Zoë").expect("It works once", "starling:")
	l.say("/add nonsense").expect("This is not a Starling invite")
	l.say("/add starling:abc Dora").expect("Added Dora")
	l.say("/block").expect("Dora is blocked.")
	l.say("/remove albert").expect("Is that what you want?", "Answer yes or no.")
	l.say("yes").expect("Removed.")
	l.say("/add starling:abc Eve", "/remove Eve yes").expect("Removed.")
	l.say("/status").expect("Network: ready", "No single relay can link you", "Way out: you, guard, mix, mix, mailbox")
	l.say("/frobnicate").expect("There is no command /frobnicate")
	l.in.Close()
	if err := <-l.ended; err != nil {
		t.Error(err)
	}
}
