package tui_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"

	"starling/node/api"
	"starling/tui"
	"starling/tui/linear"
	"starling/tui/tuitest"
)

// fakeApp makes the test binary be the app, on a node with contacts that attack.
const fakeApp = "STARLING_TEST_APP"

func runFakeApp() int {
	node := tuitest.NewNode(clock)
	node.Meet("alice")
	tuitest.Attack(node)
	all := api.NotifyText
	_, _ = node.ChangeSettings(context.Background(), api.SettingsChange{Notify: &all})
	go attackAgain(node)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	if os.Getenv(fakeApp) == "plain" {
		err = linear.Run(ctx, node, linear.Options{Language: "en"}, os.Stdin, os.Stdout)
	} else {
		err = tui.Run(ctx, node, tui.Options{Language: "en"})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// attackAgain receives every hostile text once more when a draft says
// "attack!": by then the person looks elsewhere.
func attackAgain(node *tuitest.Node) {
	_ = node.Events(context.Background(), -1, func(ev api.Event) error {
		if ev.Kind != api.EventDraft || !strings.HasSuffix(node.Draft(ev.Conversation).Text, "attack!") {
			return nil
		}
		for i, h := range tuitest.Hostile {
			if i%6 == 0 {
				time.AfterFunc(time.Duration(i)*600*time.Millisecond, func() { node.Receive(ev.Conversation, h) })
			}
		}
		return nil
	})
}

// terminal is the other end of a pseudo-terminal: it keeps every byte.
type terminal struct {
	t   *testing.T
	tty *os.File
	cmd *exec.Cmd

	mu  sync.Mutex
	out bytes.Buffer
}

func newTerminal(t *testing.T, kind string, width, height int) *terminal {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no pseudo-terminal")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fakeApp+"="+kind, "TERM=foot", "COLORTERM=truecolor", "TMUX=", "TERM_PROGRAM=", "KITTY_WINDOW_ID=", "VTE_VERSION=")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)})
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	term := &terminal{t: t, tty: tty, cmd: cmd}
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 1<<16)
		for {
			n, err := tty.Read(buf)
			term.mu.Lock()
			term.out.Write(buf[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		tty.Close()
		<-read
	})
	return term
}

func (term *terminal) bytes() []byte {
	term.mu.Lock()
	defer term.mu.Unlock()
	return bytes.Clone(term.out.Bytes())
}

// wait waits for bytes to have come after a position.
func (term *terminal) wait(from int, want string) {
	term.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if out := term.bytes(); len(out) > from && bytes.Contains(out[from:], []byte(want)) {
			return
		}
		runtime.Gosched()
		poll()
	}
	term.t.Fatalf("waited in vain for %q in %q", want, tail(term.bytes()))
}

// poll gives way between two looks at something outside this process.
func poll() {
	c := time.NewTimer(2 * time.Millisecond)
	<-c.C
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }

func (term *terminal) keys(s string) {
	if _, err := io.WriteString(term.tty, s); err != nil {
		term.t.Fatal(err)
	}
}

// quiet waits until nothing more is drawn.
func (term *terminal) quiet() {
	last := -1
	for still := 0; still < 25; still++ {
		if n := len(term.bytes()); n != last {
			last, still = n, 0
		}
		poll()
	}
}

func TestHostileBytesNeverReachTheTerminal(t *testing.T) {
	term := newTerminal(t, "screen", 100, 30)
	term.wait(0, "alice")
	from := 0
	// Through the conversations, the messages, the dialogs with names in them.
	for _, key := range []string{
		"\x1b[1;3B", "\x1b[1;3B", "\x1b[1;3B", "\x1b[1;3B", "\x1b[1;3B", "\x1b[1;3B", "\x1b[1;3B", "\x1b[1;3B",
		"\x0b", "m", "a", "l", "l", "\r", "\x1b[5~", "\x1b[5~", "\x1b[5~", "\x1b[5~", "\x1b[5~", "\x1b[5~",
		"\t", "k", "k", "k", "v", "q", "D", "\x1b[27u", "E", "\x1b[27u", "n", "q",
		"\x10", "\x1b[27u",
		// All actions on hostile messages, and on their sender's conversation.
		"\r", "j", "k", "\x1b[27u", "+", "t", "\x1b[27u", "f", "m", "\x1b[27u", "d", "\x1b[27u", "o", "r", "x", "\x1b[27u", "\x1b[27u", "\x1b[27u",
		"c", "\x1b[27u", "t", "\x1b[27u", "z", "\x1b[27u", "k", "z", "\x1b[27u", "/", "PWNED", "wait messages", "\x1b[B", "\r", "\x1b[27u",
		"\x13", "\x15", "PWNED", "wait messages", "\x1b[B", "\x1b[B", "\x1b[6~", "\r", "o",
		// Notified of them, with all of the text, while looking elsewhere.
		"\x1b[27u", "i", "\x1b[O", "attack!",
	} {
		if text, ok := strings.CutPrefix(key, "wait "); ok {
			term.wait(from, text)
			continue
		}
		from = len(term.bytes())
		term.keys(key)
		term.quiet()
	}
	if err := pty.Setsize(term.tty, &pty.Winsize{Cols: 44, Rows: 12}); err != nil {
		t.Fatal(err)
	}
	term.wait(0, "\x1b]777;notify;Starling;")
	term.quiet()
	term.keys("\x11")
	if err := term.cmd.Wait(); err != nil {
		t.Errorf("the app ended with %v", err)
	}
	out := term.bytes()
	if !bytes.Contains(out, []byte("mallory")) || !bytes.Contains(out, []byte("PWNED")) {
		t.Error("the attack was not on the screen: the test looks at nothing")
	}
	checkOutput(t, out)
}

func TestHostileBytesInTheLinearMode(t *testing.T) {
	term := newTerminal(t, "plain", 80, 24)
	term.wait(0, "Type /open")
	from := len(term.bytes())
	term.keys("/open mallory\r/history 100\r/verify\r/list\r")
	term.wait(from, "Compare with")
	term.quiet()
	term.keys("/quit\r")
	_ = term.cmd.Wait()
	out := term.bytes()
	if !bytes.Contains(out, []byte("PWNED")) {
		t.Error("the attack was not printed: the test looks at nothing")
	}
	if bytes.ContainsRune(out, '\x1b') {
		t.Errorf("an escape sequence in the linear mode: %q", tail(out))
	}
	checkOutput(t, out)
}

// ours are the sequences that the renderer itself writes; anything else that begins
// with ESC came from somewhere else.
var ours = regexp.MustCompile(strings.Join([]string{
	`^\x1b\[[0-9;]*[ABCDGHJKLMPSTXdfgmr@]`, // movement, erasing, colours
	`^\x1b\[[0-9;]*[:0-9;]*m`,
	`^\x1b\[\?[0-9;]+(\$p|[hl])`, // modes and queries for them
	`^\x1b\[[<>=]?[0-9;]*u`,      // keyboard protocol
	`^\x1b\[\?u`,
	`^\x1b\[>4(;[0-9]*)?m`,      // modifyOtherKeys
	`^\x1b\[[0-9]* q`,           // cursor shape
	`^\x1b\]11;\?(\x07|\x1b\\)`, // asks for the background
	`^\x1b\]2;(Starling)?(\x07|\x1b\\)`,
	`^\x1b\]0;(Starling)?(\x07|\x1b\\)`,
	`^\x1b[78M]`,
	`^\x1bP\+q(524742|5463)(;5463)?\x1b\\`, // asks for RGB and Tc
	`^\x1b\[\?5W`,
	`^\x1b\]777;notify;Starling;[^\x00-\x1f\x7f;]*\x1b\\\x07`, // tells that something came
	`^\x1b\[c`,                                                // asks what the terminal can
	`^\x1b\[[0-9]*b`,                                          // repeat
	`^\x1b\[[0-9]*[a` + "`" + `]`,
	`^\x1b\[[0-9]*[IZE]`,
}, "|"))

// checkOutput checks that every control in the output to the terminal is ours.
func checkOutput(t *testing.T, out []byte) {
	t.Helper()
	if what := foreign(out); what != "" {
		t.Error(what)
	}
}

// foreign returns the first thing in the output that the renderer does not
// write by itself, or "".
func foreign(out []byte) string {
	for i := 0; i < len(out); {
		r, n := utf8.DecodeRune(out[i:])
		what := ""
		switch {
		case r == utf8.RuneError && n == 1:
			what = "a byte that is not UTF-8"
		case r == 0x1b:
			loc := ours.FindIndex(out[i:])
			if loc == nil {
				what = "a sequence that is not ours"
			} else {
				n = loc[1]
			}
		case r == '\n', r == '\r', r == '\b', r == '\t':
		case r < ' ', r >= 0x7f && r < 0xa0:
			what = "a control"
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x061c, r >= 0xe0000 && r < 0xe0080:
			what = "a character that reorders or hides text"
		}
		if what != "" {
			return fmt.Sprintf("%s at %d: %q", what, i, out[max(0, i-40):min(len(out), i+60)])
		}
		i += n
	}
	return ""
}

func TestForeignIsSeen(t *testing.T) {
	for _, h := range tuitest.Hostile[:15] {
		// Two hide behind sequences that the renderer writes too, one is
		// text and a carriage return.
		if strings.HasPrefix(h, "\x1b[2J") || strings.HasPrefix(h, "\x1b[?1049l") || strings.HasPrefix(h, "safe") || strings.HasPrefix(h, "a\u0301") {
			continue
		}
		if foreign([]byte(h)) == "" {
			t.Errorf("%q passes for ours", h)
		}
	}
	if what := foreign([]byte("\x1b[1;36mtext\x1b[m ✓ 日本\r\n")); what != "" {
		t.Error(what)
	}
}
