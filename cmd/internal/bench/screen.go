package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/creack/pty"

	"starling/node/config"
	"starling/node/control"
	"starling/node/store"
	"starling/tui/tuitest"
)

// screens measures the waits of a person at the screen, with the whole program in a
// pseudo-terminal.
func screens(ctx context.Context, binary string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	return errors.Join(coldStart(ctx, binary), typing(ctx, binary), gathering(ctx, binary), elder(ctx, binary))
}

// terminal is the program in a pseudo-terminal.
type terminal struct {
	cmd   *exec.Cmd
	file  *os.File
	mu    sync.Mutex
	shown bytes.Buffer
	grown chan struct{}
	ended chan struct{}
}

func openTerminal(ctx context.Context, binary string, args ...string) (*terminal, error) {
	t := &terminal{cmd: exec.CommandContext(ctx, binary, args...), grown: make(chan struct{}, 1), ended: make(chan struct{})}
	t.cmd.Env = append(os.Environ(), "STARLING_PASSPHRASE="+passphrase, "TERM=xterm-256color", "LANG=en_US.UTF-8", "LC_ALL=en_US.UTF-8")

	var err error
	if t.file, err = pty.StartWithSize(t.cmd, &pty.Winsize{Rows: 40, Cols: 120}); err != nil {
		return nil, err
	}

	go func() {
		defer close(t.ended)
		b := make([]byte, 64<<10)
		for in := bufio.NewReader(t.file); ; {
			n, err := in.Read(b)
			if err != nil {
				return
			}
			t.mu.Lock()
			t.shown.Write(b[:n])
			t.mu.Unlock()
			select {
			case t.grown <- struct{}{}:
			default:
			}
		}
	}()
	return t, nil
}

// await returns when the program has written text. Changes of a screen are written
// alone, so the text is one that nothing before it was alike to.
func (t *terminal) await(ctx context.Context, text string) error {
	for {
		t.mu.Lock()
		shown := bytes.Contains(t.shown.Bytes(), []byte(text))
		t.mu.Unlock()
		if shown {
			return nil
		}
		select {
		case <-t.grown:
		case <-t.ended:
			return fmt.Errorf("the app ended before it showed %q", text)
		case <-ctx.Done():
			return fmt.Errorf("the app did not show %q", text)
		}
	}
}

func (t *terminal) close() {
	t.cmd.Process.Kill()
	t.cmd.Wait()
	t.file.Close()
	<-t.ended
}

const starts = 5

// coldStart measures from the start of the program to a screen with the
// conversations on it. The profile is one that is quick to open: a person's
// takes as long as the key derivation more.
func coldStart(ctx context.Context, binary string) error {
	dir, err := os.MkdirTemp("", "starling-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	profile, err := newProfile(filepath.Join(dir, "starter"), store.CheapKDF)
	if err != nil {
		return err
	}

	var times, cpu []time.Duration
	for range starts {
		begin := time.Now()
		t, err := openTerminal(ctx, binary, "--profile", profile.Dir)
		if err != nil {
			return err
		}
		err = t.await(ctx, "directory") // a word of the first frame
		times = append(times, time.Since(begin))
		t.close()
		if err != nil {
			return err
		}
		cpu = append(cpu, t.cmd.ProcessState.UserTime()+t.cmd.ProcessState.SystemTime())
	}

	atMost("cold start to a usable screen, median", ms(quantile(times, 0.5)), 300, "ms",
		fmt.Sprintf("without the key derivation; %.0f ms of processor time", ms(quantile(cpu, 0.5))))
	return nil
}

// A burst is a thousand messages in a second, while somebody types.
const (
	burst    = 1000
	burstFor = time.Second
	keyEvery = 40 * time.Millisecond
)

// typing measures how long a typed letter takes to the screen while a thousand
// messages come in within a second. They come through the control socket, as
// from a node in another process.
func typing(ctx context.Context, binary string) error {
	dir, err := os.MkdirTemp("", "starling-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	profile := config.Profile{Dir: filepath.Join(dir, "typist")}
	node := tuitest.NewNode(time.Now)
	crowd := node.Meet("crowd")
	tuitest.Crowd(node, crowd, 1000)
	end, err := serveFake(ctx, profile, node)
	if err != nil {
		return err
	}
	defer end()

	t, err := openTerminal(ctx, binary, "--profile", profile.Dir)
	if err != nil {
		return err
	}
	defer t.close()
	if err := t.await(ctx, "1000:"); err != nil {
		return err
	}

	// The burst comes by itself, at its own pace.
	came := make(chan struct{})
	go func() {
		defer close(came)
		tick := time.NewTicker(burstFor / burst)
		defer tick.Stop()
		for i := range burst {
			node.Receive(crowd, fmt.Sprintf("burst %d of many letters", i))
			<-tick.C
		}
	}()
	var times []time.Duration
	// Letters that no message has, each typed once.
	for letter := rune(0x0430); ; letter++ {
		took, err := t.answer(ctx, string(letter), string(letter))
		if err != nil {
			return err
		}
		times = append(times, took)
		select {
		case <-came:
		case <-time.After(keyEvery):
			continue
		}
		break
	}
	atMost("a key's way to the screen while 1,000 messages come in a second, 95 %", ms(quantile(times, 0.95)), 100, "ms",
		fmt.Sprintf("%d keys, median %.1f ms", len(times), ms(quantile(times, 0.5))))
	return nil
}

// serveFake serves a node in memory on a profile, as one in another process.
func serveFake(ctx context.Context, profile config.Profile, node *tuitest.Node) (end func(), err error) {
	server, err := control.Listen(profile, node)
	if err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- server.Run(serving) }()
	return func() { stop(); <-served }, nil
}

// answer presses keys and returns after how long the program has written text for the first
// time.
func (t *terminal) answer(ctx context.Context, keys, text string) (time.Duration, error) {
	begin := time.Now()
	if _, err := t.file.WriteString(keys); err != nil {
		return 0, err
	}
	err := t.await(ctx, text)
	return time.Since(begin), err
}

// gathered is how many conversations the long list has, read how many of them are scrolled
// over one by one, sought how many are looked for.
const (
	gathered = 5000
	read     = 100
	sought   = 20
	page     = 20 // as many as the screen shows, and more
)

// Each conversation has a letter of its own to be looked for by, and one to be seen by.
func soughtBy(i int) string { return string(rune(0x4e00 + i)) }
func seenBy(i int) string   { return string(rune(0xac00 + i)) }

// gathering measures the waits of somebody with a long list of conversations: to start, to
// scroll, to go to one by its name, and to type. Each name has letters that nothing else on
// the screen has.
func gathering(ctx context.Context, binary string) error {
	dir, err := os.MkdirTemp("", "starling-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	profile := config.Profile{Dir: filepath.Join(dir, "gatherer")}
	node := tuitest.NewNode(time.Now)
	for i := range gathered - 1 {
		id := node.Meet(seenBy(i) + " " + soughtBy(i))
		node.Seed(id, tuitest.Text("hello there", time.Now().Add(-time.Hour), false))
	}
	tuitest.Crowd(node, node.Meet("crowd"), 1000)
	end, err := serveFake(ctx, profile, node)
	if err != nil {
		return err
	}
	defer end()

	var begun, scrolled, found, typed []time.Duration
	// A start is over when the last of the newest conversations is drawn.
	for range starts {
		begin := time.Now()
		t, err := openTerminal(ctx, binary, "--profile", profile.Dir)
		if err != nil {
			return err
		}
		err = errors.Join(t.await(ctx, "1000:"), t.await(ctx, seenBy(gathered-2)))
		begun = append(begun, time.Since(begin))
		t.close()
		if err != nil {
			return err
		}
	}

	t, err := openTerminal(ctx, binary, "--profile", profile.Dir)
	if err != nil {
		return err
	}
	defer t.close()
	press := func(times *[]time.Duration, keys, text string) error {
		took, err := t.answer(ctx, keys, text)
		*times = append(*times, took)
		return err
	}
	if err := t.await(ctx, "1000:"); err != nil {
		return err
	}
	for letter := rune(0x0430); letter < 0x0450; letter++ {
		if err := press(&typed, string(letter), string(letter)); err != nil {
			return err
		}
	}
	for i := range sought {
		n := (i*gathered + gathered) / (sought + 1) / 2 // the older half
		if err := press(&found, "\x0b"+soughtBy(n), seenBy(n)); err != nil {
			return err
		}
		// Escape alone, and not the beginning of another key.
		if _, err := t.file.WriteString("\x1b[27u"); err != nil {
			return err
		}
	}

	// From the text to the messages to the list, and down: the newest is the first.
	if _, err := t.file.WriteString("\x1b[27u\x1b[27u"); err != nil {
		return err
	}
	for i := range read + page {
		times := &scrolled
		if i < page { // they were seen from the beginning
			times = new([]time.Duration)
		}
		if err := press(times, "\x1b[B", seenBy(gathered-2-i)); err != nil {
			return err
		}
	}

	for _, m := range []struct {
		what  string
		times []time.Duration
		bar   float64
	}{
		{"start to a usable screen of a node that runs, median", begun, 300},
		{"a key's way to the screen, 95 %", typed, 100},
		{"a row down in the list, 95 %", scrolled, 100},
		{"from the first letter of a name to the person, 95 %", found, 100},
	} {
		q := 0.95
		// A median of starts: there are few of them.
		if m.bar > 100 {
			q = 0.5
		}
		atMost(fmt.Sprintf("%d conversations: %s", gathered, m.what), ms(quantile(m.times, q)), m.bar, "ms",
			fmt.Sprintf("%d times, median %.1f ms", len(m.times), ms(quantile(m.times, 0.5))))
	}
	return nil
}
