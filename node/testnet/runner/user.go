package runner

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"starling/node/api"
	"starling/node/testnet/engine"
	"starling/node/testnet/report"
	"starling/node/testnet/scenario"
)

// user is one person, as the runner sees them.
type user struct {
	r        *run
	index    int
	contacts map[int]string // the other's index → contact
	people   map[string]int // and back

	mu      sync.Mutex
	node    api.Node // nil while offline
	unwatch context.CancelFunc
	watched sync.WaitGroup
	after   int64 // the last event that was seen
	mine    map[string]scenario.Message
}

func newUser(r *run, i int) *user {
	return &user{r: r, index: i, contacts: map[int]string{}, people: map[string]int{}, mine: map[string]scenario.Message{}}
}

// open starts the user's node and watches its events.
func (u *user) open(ctx context.Context) error {
	n, err := u.r.engine.Open(ctx, u.index)
	if err != nil {
		return fmt.Errorf("user %d: %w", u.index, err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.node = n
	var watch context.Context
	watch, u.unwatch = context.WithCancel(context.WithoutCancel(ctx))
	after := u.after
	u.watched.Go(func() {
		n.Events(watch, after, func(e api.Event) error { u.event(e); return nil })
	})
	return nil
}

// running returns the node, nil while the user is offline.
func (u *user) running() api.Node {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.node
}

func (u *user) online() bool { return u.running() != nil }

// close ends the user's node by one of the engine's ways.
func (u *user) close(ctx context.Context, end func(context.Context, int) error) error {
	if !u.online() {
		return nil
	}
	err := end(ctx, u.index)
	u.mu.Lock()
	u.node = nil
	u.mu.Unlock()
	u.unwatch()
	u.watched.Wait()
	if err != nil {
		return fmt.Errorf("user %d: %w", u.index, err)
	}
	return nil
}

// wait asks until the answer is yes.
func (u *user) wait(ctx context.Context, yes func(api.Node) (bool, error)) error {
	for {
		ok, err := yes(u.running())
		if err != nil || ok {
			return err
		}
		if err := sleep(ctx, poll); err != nil {
			return err
		}
	}
}

func (u *user) ready(ctx context.Context) error {
	err := u.wait(ctx, func(n api.Node) (bool, error) {
		s, err := n.Status(ctx)
		return s.Ready, err
	})
	if err != nil {
		return fmt.Errorf("user %d does not get ready: %w", u.index, err)
	}
	return nil
}

// drain waits, for a time at most, until all messages from the user lie in mailboxes
// and all to them are shown.
func (u *user) drain(ctx context.Context, most time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	err := u.wait(limited, func(n api.Node) (bool, error) {
		s, err := n.Status(limited)
		return s.Outbox.Queued+s.Outbox.Sealed == 0 && u.r.ledger.Pending(u.index)+u.r.halls.ledger.Pending(u.index) == 0, err
	})
	if limited.Err() != nil {
		return ctx.Err() // a missing message is missing in the report
	}
	return err
}

// takeBridge gives a user the link of a bridge, as a friend does who runs one, and reports
// whether there is one.
func (u *user) takeBridge(ctx context.Context) (bool, error) {
	links := u.r.engine.Bridges()
	if len(links) == 0 {
		return false, nil
	}
	if _, err := u.running().AddBridge(ctx, api.BridgeRequest{Link: links[u.index/2%len(links)]}); err != nil {
		return false, fmt.Errorf("user %d takes no bridge: %w", u.index, err)
	}
	return true, nil
}

// meet makes two users contacts by an invite, as people do.
func meet(ctx context.Context, a, b *user) error {
	again := func(what string, do func() error) error {
		for {
			err := do()
			switch api.CodeOf(err) {
			case api.CodeTimeout, api.CodeOffline, api.CodeFewRelays:
				if sleep(ctx, pause) == nil {
					continue
				}
			case "":
				return nil
			}
			return fmt.Errorf("%s users %d and %d: %w", what, a.index, b.index, err)
		}
	}

	bridged, err := a.takeBridge(ctx)
	if err != nil {
		return err
	}
	var invite api.Invite
	err = again("invite", func() (err error) {
		invite, err = a.running().Invite(ctx, api.InviteRequest{Name: engine.Name(b.index), WithBridge: bridged})
		return err
	})
	if err != nil {
		return err
	}
	if bridged { // it stands behind the link, and whoever knows relays takes it by hand
		if _, err := b.running().AddBridge(ctx, api.BridgeRequest{Link: invite.Link}); err != nil {
			return fmt.Errorf("user %d takes no bridge from a link: %w", b.index, err)
		}
	}

	err = again("make contacts of", func() error {
		_, err := b.running().AddContact(ctx, api.AddContactRequest{Link: invite.Link, Name: engine.Name(a.index)})
		return err
	})
	if err != nil {
		return err
	}

	for _, side := range [][2]*user{{a, b}, {b, a}} {
		err := side[0].wait(ctx, func(n api.Node) (bool, error) {
			contacts, err := n.Contacts(ctx)
			for _, c := range contacts {
				if c.Name.String() == engine.Name(side[1].index) && c.State == api.ContactReady {
					return true, nil
				}
			}
			return false, err
		})
		if err != nil {
			return fmt.Errorf("users %d and %d do not become contacts: %w", a.index, b.index, err)
		}
	}

	return nil
}

// know learns which contact is which user.
func (u *user) know(ctx context.Context) error {
	contacts, err := u.running().Contacts(ctx)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range contacts {
		var i int
		if _, err := fmt.Sscanf(c.Name.String(), "User %d", &i); err != nil {
			return fmt.Errorf("user %d has a contact of another name", u.index)
		}
		u.contacts[i], u.people[c.ID] = c.ID, i
	}
	return nil
}

// send writes one message of the plan.
func (u *user) send(ctx context.Context, m scenario.Message) error {
	n := u.running()
	if n == nil {
		return fmt.Errorf("user %d is offline and cannot write", u.index)
	}
	// The seed is no part of it: a profile is never used twice.
	var what [12]byte
	binary.BigEndian.PutUint32(what[0:], uint32(m.From))
	binary.BigEndian.PutUint32(what[4:], uint32(m.To))
	binary.BigEndian.PutUint32(what[8:], uint32(m.Index))
	sum := sha256.Sum256(what[:])
	id := hex.EncodeToString(sum[:16])
	u.mu.Lock()
	u.mine[id] = m
	contact := u.contacts[m.To]
	u.mu.Unlock()
	at := u.r.elapsed()
	u.r.note(messageEvent{Event: "sent", MS: at.Milliseconds(), From: m.From, To: m.To, Index: m.Index, Size: m.Size})
	u.r.ledger.Sent(report.Way{From: m.From, To: m.To}, at)
	if _, err := n.Send(ctx, api.SendRequest{Contact: contact, Text: text(m), ID: id}); err != nil {
		return fmt.Errorf("user %d cannot write: %w", u.index, err)
	}
	return nil
}

// messageEvent is a line of events.jsonl.
type messageEvent struct {
	Event  string `json:"event"` // "sent", "shown", "delivered", "failed"
	MS     int64  `json:"ms"`
	From   int    `json:"from"`
	To     int    `json:"to"`
	Index  int    `json:"index"`
	Size   int    `json:"size,omitempty"`
	Took   int64  `json:"took_ms,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// event takes the news of messages from the node.
func (u *user) event(e api.Event) {
	at := u.r.elapsed()
	u.mu.Lock()
	u.after = max(u.after, e.Seq)
	m, isMine := u.mine[e.ID]
	from, known := u.people[e.Conversation]
	u.mu.Unlock()
	if u.r.halls.event(u, e) {
		return
	}

	line := messageEvent{MS: at.Milliseconds(), From: m.From, To: m.To, Index: m.Index}
	way := report.Way{From: m.From, To: m.To}
	var took time.Duration
	first := false

	switch {
	case e.Kind == api.EventMessage && !e.Outgoing && e.Text != nil && known:
		index, ok := read(e.Text.String(), from, u.index)
		if !ok {
			index = -1 // nobody wrote that
		}
		line.Event, line.From, line.To, line.Index = "shown", from, u.index, index
		took, first = u.r.ledger.Shown(report.Way{From: from, To: u.index}, index, at)
	case e.Kind == api.EventState && isMine && e.State == api.StateDelivered:
		line.Event = "delivered"
		took, first = u.r.ledger.Delivered(way, m.Index, at)
	case e.Kind == api.EventState && isMine && e.State == api.StateFailed:
		line.Event, line.Reason, first = "failed", e.Reason, true
	}

	if line.Event == "shown" || first {
		line.Took = took.Milliseconds()
		u.r.note(line)
	}
}

// compare holds the user's conversations against the messages shown.
func (u *user) compare(ctx context.Context) error {
	if !u.online() {
		return nil
	}

	for from, contact := range u.contacts {
		var stored []int
		err := u.history(ctx, contact, func(m api.Message) {
			if index, ok := read(m.Text.String(), from, u.index); ok && !m.Outgoing {
				stored = append(stored, index)
			}
		})
		if err != nil {
			return err
		}
		u.r.ledger.Stored(report.Way{From: from, To: u.index}, stored)
	}

	return nil
}

// history calls f for each message of a conversation, oldest first.
func (u *user) history(ctx context.Context, conversation string, f func(api.Message)) error {
	var pages [][]api.Message
	for before := int64(0); ; {
		page, err := u.running().History(ctx, api.HistoryRequest{Contact: conversation, Before: before, Limit: 1000})
		if err != nil {
			return err
		}
		pages = append(pages, page)
		if len(page) < 1000 {
			break
		}
		before = page[0].Sequence
	}
	for _, page := range slices.Backward(pages) {
		for _, m := range page {
			f(m)
		}
	}
	return nil
}

const format = "testnet %d>%d #%d of %d bytes "

// text says which message it is, and is as long as the plan says.
func text(m scenario.Message) string {
	head := fmt.Sprintf(format, m.From, m.To, m.Index, m.Size)
	return head + strings.Repeat(".", max(0, m.Size-len(head)))
}

// read returns which message a text is, and whether it is whole.
func read(s string, from, to int) (index int, ok bool) {
	m := scenario.Message{}
	if _, err := fmt.Sscanf(s, format, &m.From, &m.To, &m.Index, &m.Size); err != nil || m.Size > api.MaxText {
		return 0, false
	}
	return m.Index, m.From == from && m.To == to && s == text(m)
}
