package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"starling/session"
)

// besideLibsignal measures a session's messages beside those of libsignal's
// Node binding, which runs in a process of its own from a folder that holds
// session/internal/interop's bench.js and its installed package. One message is
// one encryption and one decryption, and both run the post-quantum ratchet.
//
// The measure is the processor time of each program, all threads and the collection of
// garbage included. The two take turns, and the best turn of each counts, so that
// neighbours on the machine disturb little and libsignal's is one after Node has
// compiled it. `make interop-bench` gives both the same core.
//
// Where the states are: "memory" is the object that the last message left, for
// both. "bytes" is the way of an app with a database: the state is read back before and
// stored after each use, for both.
func besideLibsignal(ctx context.Context, dir string) error {
	node, err := startLibsignal(ctx, dir)
	if err != nil {
		return err
	}
	defer node.stop()
	for _, c := range []comparison{
		{"100 B, one direction", false, 100, false, 0},
		{"1 KiB, one direction", false, 1 << 10, false, 3},
		{"1 KiB, one direction, states as bytes", false, 1 << 10, true, 0},
		{"64 KiB, one direction", false, 64 << 10, false, 0},
		{"100 B, ping-pong", true, 100, false, 0},
		{"1 KiB, ping-pong", true, 1 << 10, false, 2},
		{"1 KiB, ping-pong, states as bytes", true, 1 << 10, true, 0},
		{"64 KiB, ping-pong", true, 64 << 10, false, 0},
	} {
		if err := c.run(node); err != nil {
			return err
		}
	}
	return nil
}

// A comparison is one kind of conversation, with the bar for the ratio, if any.
type comparison struct {
	name     string
	pingpong bool
	size     int
	bytes    bool
	bar      float64
}

func (c *comparison) run(node *libsignal) error {
	// A turn is some 20 ms, so that one falls between two neighbours.
	const turns = 40
	// Turns of one length for both: the slower one has fewer messages.
	messages, few := 800, 100 // of ours, of theirs
	if c.size > 1<<10 {
		messages, few = 20, 40
	}

	own, err := newTalk(c.pingpong, c.bytes, c.size)
	if err != nil {
		return err
	}
	theirs := question{InMemory: !c.bytes, PingPong: c.pingpong, Size: c.size, Messages: few}

	// Ours and theirs take turns; the fastest turn of each counts.
	var a answer
	var us, allocs float64
	ours, other := math.Inf(1), math.Inf(1)
	for range turns {
		if a, err = node.run(theirs); err != nil {
			return err
		}
		other = min(other, a.Nanoseconds/1000/float64(few))
		if us, allocs, err = own.run(messages); err != nil {
			return err
		}
		ours = min(ours, us)
	}

	state, err := own.state()
	if err != nil {
		return err
	}
	name := "session, " + c.name
	watch(name, ours, "us", fmt.Sprintf("processor time of a message, sealed and opened; %d B on the wire", own.wire))
	watch(name+": libsignal", other, "us", fmt.Sprintf("%d B on the wire, state %d B", a.Wire, a.State))

	if c.bar > 0 {
		atLeast(name+": libsignal / session", other/ours, c.bar, "ratio", "in one run")
	} else {
		watch(name+": libsignal / session", other/ours, "ratio", "in one run")
	}
	watch(name+": allocations", allocs, "", "of a message, sealed and opened")
	atMost(name+": state", float64(state)/1024, 16, "KiB", "stored form, the largest seen between messages")
	return nil
}

// A talk is a conversation of two people, measured in slices.
type talk struct {
	pingpong bool
	bytes    bool // the states are bytes between messages
	text     []byte
	stored   [2][]byte
	people   [2]*session.Session
	wire     int // bytes of one message
}

func newTalk(pingpong, stored bool, size int) (*talk, error) {
	inviter, invitee, err := pair()
	if err != nil {
		return nil, err
	}
	t := &talk{pingpong: pingpong, bytes: stored, text: bytes.Repeat([]byte{7}, size)}
	t.people = [2]*session.Session{invitee, inviter}
	for i := range t.people {
		if err := t.put(i); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// get reads a person's state back, if it is kept as bytes.
func (t *talk) get(i int) (s *session.Session, err error) {
	if t.bytes {
		t.people[i], err = session.UnmarshalSession(t.stored[i])
	}
	return t.people[i], err
}

// put stores a person's state, if it is kept as bytes.
func (t *talk) put(i int) (err error) {
	if t.bytes {
		t.stored[i], err = t.people[i].MarshalBinary()
	}
	return err
}

// run passes messages on and returns the microseconds and allocations of one.
func (t *talk) run(messages int) (us, allocs float64, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin, err := cpuTime()
	if err != nil {
		return 0, 0, err
	}
	for i := range messages {
		if err := t.pass(i); err != nil {
			return 0, 0, err
		}
	}
	end, err := cpuTime()
	us = float64(end-begin) / float64(time.Microsecond) / float64(messages)
	runtime.ReadMemStats(&after)
	return us, float64(after.Mallocs-before.Mallocs) / float64(messages), err
}

func (t *talk) pass(i int) error {
	from := 0
	if t.pingpong {
		from = i % 2
	}

	sender, err := t.get(from)
	if err != nil {
		return err
	}

	// One way only, nobody answers: without a receipt the session would stop for want of room.
	if sender.Room() < session.MaxUnheard/2 {
		recipient, err := t.get(1 - from)
		if err != nil {
			return err
		}
		if err := errors.Join(acknowledge(sender, recipient), t.put(1-from)); err != nil {
			return err
		}
	}
	cells, err := sender.Seal(session.ID{byte(i)}, t.text, 0)
	if err != nil {
		return err
	}
	if err := t.put(from); err != nil {
		return err
	}

	receiver, err := t.get(1 - from)
	if err != nil {
		return err
	}

	t.wire = 0
	got := 0
	for _, c := range cells {
		part, err := receiver.Open(c)
		if err != nil {
			return err
		}
		got += len(part.Data)
		t.wire += len(c.Tag) + len(c.Box)
	}

	if got != len(t.text) {
		return errors.New("a message is not what was sent")
	}
	return t.put(1 - from)
}

// state is the size of the larger stored session, over enough messages to see
// every phase of the post-quantum ratchet.
func (t *talk) state() (largest int, err error) {
	for i := range 400 {
		if err := t.pass(i); err != nil {
			return 0, err
		}
		for _, s := range t.people {
			b, err := s.MarshalBinary()
			if err != nil {
				return 0, err
			}
			largest = max(largest, len(b))
		}
	}
	return largest, nil
}

// question asks bench.js for messages, answer is their cost.
type question struct {
	InMemory bool `json:"inMemory"`
	PingPong bool `json:"pingpong"`
	Size     int  `json:"size"`
	Messages int  `json:"messages"`
}

type answer struct {
	Nanoseconds float64 `json:"nanoseconds"`
	Wire        int     `json:"wire"`
	State       int     `json:"state"`
}

type libsignal struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startLibsignal(ctx context.Context, dir string) (*libsignal, error) {
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		return nil, errors.New("libsignal is not installed: make interop installs it")
	}
	cmd := exec.CommandContext(ctx, "node", filepath.Join(dir, "bench.js"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &libsignal{cmd, in, bufio.NewReader(out)}, cmd.Start()
}

func (l *libsignal) stop() {
	l.in.Close()
	l.cmd.Wait()
}

func (l *libsignal) run(q question) (a answer, err error) {
	line, err := json.Marshal(q)
	if err != nil {
		return a, err
	}
	if _, err = l.in.Write(append(line, '\n')); err != nil {
		return a, err
	}
	if line, err = l.out.ReadBytes('\n'); err != nil {
		return a, fmt.Errorf("libsignal: %w", err)
	}
	return a, json.Unmarshal(line, &a)
}

// acknowledge has the recipient answer now and then: without an answer nobody may go
// on for ever.
func acknowledge(sender, recipient *session.Session) error {
	if sender.Room() >= session.MaxUnheard/2 {
		return nil
	}
	for _, flare := range sender.Signals() {
		if _, err := recipient.Open(flare); err != nil {
			return err
		}
	}
	for _, answer := range recipient.Signals() {
		if _, err := sender.Open(answer); err != nil {
			return err
		}
	}
	return nil
}

// pair makes the sessions of two people, each with a message from the other.
func pair() (inviter, invitee *session.Session, err error) {
	now := time.Now()
	invite, err := session.NewInvite(now.Add(time.Hour), nil)
	if err != nil {
		return nil, nil, err
	}
	invitation, err := session.ParseLink(invite.Link())
	if err != nil {
		return nil, nil, err
	}

	invitee, hello, err := invitation.Join(now, invite.Bundle(), session.ID{1}, []byte("hello"))
	if err != nil {
		return nil, nil, err
	}
	for _, c := range hello {
		s, _, err := invite.Accept(now, c)
		if err != nil {
			return nil, nil, err
		}
		if s != nil {
			inviter = s
		}
	}
	if inviter == nil {
		return nil, nil, errors.New("the hello did not make a session")
	}

	answer, err := inviter.Seal(session.ID{2}, []byte("hello"), 0)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range answer {
		if _, err := invitee.Open(c); err != nil {
			return nil, nil, err
		}
	}
	return inviter, invitee, nil
}
