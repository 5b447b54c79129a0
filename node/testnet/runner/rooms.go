package runner

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"starling/node/api"
	"starling/node/testnet/engine"
	"starling/node/testnet/report"
	"starling/node/testnet/scenario"
)

// glance is how often a room is looked at while something is waited for.
const glance = 200 * time.Millisecond

// halls are the rooms of a run.
type halls struct {
	r      *run
	ledger *report.Rooms
	all    []*hall

	mu      sync.Mutex
	rooms   map[string]int    // by ID
	members map[string]person // by ID
}

// person is one user in one room.
type person struct{ room, user int }

// hall is one room, as the runner sees it. Its steps are taken in order, and beside
// those of other rooms; only joins go on beside the steps behind them.
type hall struct {
	h     *halls
	index int
	plan  scenario.Hall
	id    string

	mu    sync.Mutex
	parts map[int]*part // by user
}

// part is the part of one user in a room.
type part struct {
	in     chan struct{} // closed when they are in
	member string        // their ID in it
	last   string        // the message that they were shown last
}

func newHalls(r *run) *halls {
	h := &halls{r: r, ledger: report.NewRooms(len(r.plan.Halls)), rooms: map[string]int{}, members: map[string]person{}}
	for i, plan := range r.plan.Halls {
		h.all = append(h.all, &hall{h: h, index: i, plan: plan, parts: map[int]*part{}})
	}
	return h
}

// found makes all rooms, with the people that they begin with.
func (h *halls) found(ctx context.Context) error {
	if len(h.all) == 0 {
		return nil
	}
	h.r.say("Making %d rooms…", len(h.all))
	return together(ctx, h.all, func(ctx context.Context, x *hall) error { return x.found(ctx) })
}

func (x *hall) found(ctx context.Context) error {
	err := x.persist(ctx, x.plan.Owner, func(n api.Node) error {
		room, err := n.CreateRoom(ctx, api.CreateRoomRequest{Name: fmt.Sprintf("Room %d", x.index)})
		x.id = room.ID
		return err
	})
	if err != nil {
		return fmt.Errorf("user %d cannot make a room: %w", x.plan.Owner, err)
	}
	x.h.mu.Lock()
	x.h.rooms[x.id] = x.index
	x.h.mu.Unlock()
	if err := x.enter(ctx, x.plan.Owner, x.part(x.plan.Owner)); err != nil {
		return err
	}

	link, err := x.link(ctx, x.plan.Owner, len(x.plan.Users))
	if err != nil {
		return err
	}
	for _, guest := range x.plan.Users {
		if err := x.ask(ctx, guest, link); err != nil {
			return err
		}
	}
	for _, guest := range x.plan.Users {
		if err := x.enter(ctx, guest, x.part(guest)); err != nil {
			return err
		}
	}
	for _, a := range x.plan.Admins {
		if err := x.setRole(ctx, x.plan.Owner, a, api.RoleAdmin); err != nil {
			return err
		}
	}

	// Everybody has heard of everybody else before the talk begins.
	for _, member := range append([]int{x.plan.Owner}, x.plan.Users...) {
		if err := x.wait(ctx, member, func(room api.Room) bool { return room.Members == len(x.plan.Users)+1 }); err != nil {
			return err
		}
	}
	return nil
}

// persist has a user do something, again for as long as the network is in the way or the user
// is offline.
func (x *hall) persist(ctx context.Context, user int, do func(api.Node) error) error {
	for {
		n := x.h.r.users[user].running()
		if n != nil {
			err := do(n)
			switch api.CodeOf(err) {
			case api.CodeTimeout, api.CodeOffline, api.CodeFewRelays, api.CodeClosed:
			default:
				return err
			}
		}
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("user %d cannot act: %w", user, err)
		}
	}
}

func (x *hall) part(user int) *part {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.parts[user] == nil {
		x.parts[user] = &part{in: make(chan struct{})}
	}
	return x.parts[user]
}

// link makes a link into the room.
func (x *hall) link(ctx context.Context, by, uses int) (string, error) {
	var invite api.RoomInvite
	err := x.persist(ctx, by, func(n api.Node) (err error) {
		invite, err = n.InviteToRoom(ctx, api.RoomInviteRequest{Room: x.id, Uses: uses})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("user %d cannot invite to room %d: %w", by, x.index, err)
	}
	return invite.Link, nil
}

// ask asks to be let in.
func (x *hall) ask(ctx context.Context, user int, link string) error {
	err := x.persist(ctx, user, func(n api.Node) error {
		_, err := n.JoinRoom(ctx, api.JoinRoomRequest{Link: link, Name: engine.Name(user)})
		return err
	})
	if err != nil {
		return fmt.Errorf("user %d cannot ask to be let into room %d: %w", user, x.index, err)
	}
	return nil
}

// enter waits until somebody is in the room.
func (x *hall) enter(ctx context.Context, user int, p *part) error {
	err := x.wait(ctx, user, func(room api.Room) bool {
		if room.State == api.RoomReady {
			p.member = room.Me
		}
		return room.State == api.RoomReady
	})
	if err != nil {
		return err
	}
	x.h.mu.Lock()
	x.h.members[p.member] = person{x.index, user}
	x.h.mu.Unlock()
	x.h.ledger.In(x.index, user)
	close(p.in)
	return nil
}

// wait waits until the room is as it should be for somebody, who may be offline meanwhile.
func (x *hall) wait(ctx context.Context, user int, yes func(api.Room) bool) error {
	var last api.Room
	for {
		if n := x.h.r.users[user].running(); n != nil {
			rooms, err := n.ListRooms(ctx)
			if err != nil && ctx.Err() == nil && x.h.r.users[user].running() == n {
				return fmt.Errorf("user %d: %w", user, err)
			}
			for _, room := range rooms {
				if room.ID != x.id {
					continue
				}
				if last = room; yes(room) {
					return nil
				}
			}
		}
		if err := sleep(ctx, glance); err != nil {
			return fmt.Errorf("user %d in room %d is %q, one of %d, refused %v, the owner %v: %w", user, x.index, last.State, last.Members, x.refused(user), x.refused(x.plan.Owner), err)
		}
	}
}

// refused returns what a user's node has refused from others, for words about a failure.
func (x *hall) refused(user int) map[string]int64 {
	n := x.h.r.users[user].running()
	if n == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	s, _ := n.Status(ctx)
	return s.Refused
}

// setRole gives a member another role, or removes them.
func (x *hall) setRole(ctx context.Context, by, user int, role api.Role) error {
	return x.persist(ctx, by, func(n api.Node) error {
		_, err := n.ChangeMember(ctx, api.MemberRequest{Room: x.id, Member: x.part(user).member, Role: role})
		return err
	})
}

// follow takes the steps of a room. A step that fails is told of and counted, and the others
// go on.
func (x *hall) follow(ctx context.Context, steps []scenario.Step) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for _, step := range steps {
			if err := x.h.r.until(ctx, step.At); err != nil {
				return err
			}
			if step.Do == scenario.Join {
				g.Go(func() error { return x.try(ctx, step) })
				continue
			}
			if err := x.try(ctx, step); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

// try takes a step, for as long as messages may settle.
func (x *hall) try(ctx context.Context, step scenario.Step) error {
	limited, cancel := context.WithTimeout(ctx, x.h.r.s.Settle)
	defer cancel()
	err := x.step(limited, step)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		return nil
	}
	if step.Do != scenario.Say { // those are counted as not said
		x.h.ledger.Undone()
	}
	x.h.r.note(roomEvent{Event: "undone", MS: x.h.r.elapsed().Milliseconds(), Room: x.index, Do: step.Do, Users: step.Users, By: step.By, Reason: err.Error()})
	x.h.r.log.Warn("a step of a room", "room", x.index, "do", step.Do, "users", step.Users, "by", step.By, "err", err)
	return nil
}

// roomEvent is a line of events.jsonl.
type roomEvent struct {
	Event  string          `json:"event"` // "said", "heard", "undone", "missing"
	MS     int64           `json:"ms"`
	Room   int             `json:"room"`
	From   int             `json:"from"`
	To     int             `json:"to"`
	Index  int             `json:"index"`
	Took   int64           `json:"took_ms,omitempty"`
	Do     scenario.Action `json:"do,omitempty"`
	Users  []int           `json:"users,omitempty"`
	By     int             `json:"by,omitempty"`
	Reason string          `json:"reason,omitempty"`
}

func (x *hall) step(ctx context.Context, step scenario.Step) error {
	if step.Do == scenario.Say {
		return x.say(ctx, step)
	}

	x.h.r.mark(step)
	user := step.Users[0]
	if err := x.ready(ctx, step.By); err != nil {
		return err
	}
	if step.Do == scenario.Join {
		if err := x.ranked(ctx, step.By); err != nil {
			return err
		}
		link, err := x.link(ctx, step.By, 1)
		if err == nil {
			err = x.ask(ctx, user, link)
		}
		if err == nil {
			err = x.enter(ctx, user, x.part(user))
		}
		return err
	}

	if err := x.ready(ctx, user); err != nil {
		return err
	}
	if step.Do == scenario.Leave {
		x.h.ledger.Out(x.index, user)
		return x.persist(ctx, user, func(n api.Node) error { return n.LeaveRoom(ctx, x.id) })
	}
	if err := x.ranked(ctx, step.By); err != nil {
		return err
	}
	switch step.Do {
	case scenario.Promote:
		return x.setRole(ctx, step.By, user, api.RoleAdmin)
	case scenario.Demote:
		return x.setRole(ctx, step.By, user, api.RoleMember)
	}

	if err := x.known(ctx, step.By, user); err != nil {
		return err
	}
	x.h.ledger.Out(x.index, user)
	x.h.ledger.Cut(x.index, step.By, user)
	err := x.setRole(ctx, step.By, user, api.RoleNone)
	if err == nil {
		x.h.ledger.Knows(x.index, step.By, user)
	}
	return err
}

// ready waits until somebody is in the room.
func (x *hall) ready(ctx context.Context, user int) error {
	select {
	case <-x.part(user).in:
	case <-ctx.Done():
		return fmt.Errorf("user %d did not come into room %d: %w", user, x.index, ctx.Err())
	}
	return nil
}

// ranked waits until somebody knows that they are an admin.
func (x *hall) ranked(ctx context.Context, user int) error {
	return x.wait(ctx, user, func(room api.Room) bool { return room.Role == api.RoleOwner || room.Role == api.RoleAdmin })
}

// known waits until one member has heard of another one.
func (x *hall) known(ctx context.Context, by, user int) error {
	for {
		there := false
		err := x.persist(ctx, by, func(n api.Node) error {
			members, err := n.Members(ctx, x.id)
			for _, m := range members {
				there = there || m.ID == x.part(user).member && m.Role != api.RoleNone
			}
			return err
		})
		if err != nil || there {
			return err
		}
		if err := sleep(ctx, glance); err != nil {
			return fmt.Errorf("user %d never hears of user %d in room %d: %w", by, user, x.index, err)
		}
	}
}

// met returns the users that somebody knows to be in the room.
func (x *hall) met(ctx context.Context, user int) (map[int]bool, error) {
	met := map[int]bool{}
	err := x.persist(ctx, user, func(n api.Node) error {
		members, err := n.Members(ctx, x.id)
		x.h.mu.Lock()
		defer x.h.mu.Unlock()
		for _, m := range members {
			if one, known := x.h.members[m.ID]; known && m.Role != api.RoleNone {
				met[one.user] = true
			}
		}
		return err
	})
	return met, err
}

// say writes a message of the plan.
func (x *hall) say(ctx context.Context, step scenario.Step) error {
	r, user := x.h.r, step.Message.From
	if err := x.ready(ctx, user); err != nil {
		return err
	}
	x.mu.Lock()
	to := ""
	if step.Reply {
		to = x.parts[user].last
	}
	x.mu.Unlock()

	met, err := x.met(ctx, user)
	if err != nil {
		return err
	}
	at := r.elapsed()
	index := x.h.ledger.Said(x.index, user, at)
	x.h.ledger.Met(x.index, index, met)
	var what [12]byte
	binary.BigEndian.PutUint32(what[0:], uint32(x.index))
	binary.BigEndian.PutUint32(what[4:], uint32(user))
	binary.BigEndian.PutUint32(what[8:], uint32(index))
	sum := sha256.Sum256(append([]byte("room"), what[:]...))
	words := saying(x.index, user, index, step.Message.Size)
	err = x.persist(ctx, user, func(n api.Node) error {
		_, err := n.Send(ctx, api.SendRequest{Contact: x.id, Text: words, ID: hex.EncodeToString(sum[:16]), ReplyTo: to})
		return err
	})
	if err != nil {
		x.h.ledger.Void(x.index, index)
		return err
	}
	r.note(roomEvent{Event: "said", MS: at.Milliseconds(), Room: x.index, From: user, Index: index})
	return nil
}

// event takes the news of rooms from a node, and reports whether it was some.
func (h *halls) event(u *user, e api.Event) bool {
	h.mu.Lock()
	room, ok := h.rooms[e.Conversation]
	from, known := h.members[e.Member]
	h.mu.Unlock()
	if !ok {
		return false
	}

	at := h.r.elapsed()
	switch {
	case e.Kind == api.EventNotice && e.Message != nil && e.Message.Change != nil:
		h.notice(room, u.index, *e.Message.Change)
	case e.Kind == api.EventMessage && !e.Outgoing && e.Text != nil:
		in, author, index, ok := readSaying(e.Text.String())
		if !ok || in != room || !known || from != (person{room, author}) {
			h.ledger.Strange()
			return true
		}
		took, first := h.ledger.Shown(room, u.index, author, index, at)
		if !first {
			return true
		}
		h.r.note(roomEvent{Event: "heard", MS: at.Milliseconds(), Room: room, From: author, To: u.index, Index: index, Took: took.Milliseconds()})
		x := h.all[room]
		p := x.part(u.index)
		x.mu.Lock()
		p.last = e.ID
		x.mu.Unlock()
	}
	return true
}

// notice takes the news that somebody is out.
func (h *halls) notice(room, user int, c api.RoomChange) {
	switch c.Kind {
	case api.ChangeRemoved, api.ChangeBanned, api.ChangeLeft:
		h.mu.Lock()
		out, known := h.members[c.Member]
		h.mu.Unlock()
		if known && out.user != user {
			h.ledger.Knows(room, user, out.user)
		}
	}
}

// compare holds the conversations of a user's rooms against the messages shown.
func (h *halls) compare(ctx context.Context, u *user) error {
	for _, x := range h.all {
		x.mu.Lock()
		_, part := x.parts[u.index]
		x.mu.Unlock()
		if !part {
			continue
		}
		var all []report.Entry
		err := u.history(ctx, x.id, func(m api.Message) {
			if in, author, index, ok := readSaying(m.Text.String()); ok && in == x.index && m.State != api.StateNotice {
				all = append(all, report.Entry{Author: author, Index: index})
			}
		})
		if api.CodeOf(err) == api.CodeNoContact {
			continue // they never came so far as to have it
		}
		if err != nil {
			return err
		}
		h.ledger.Stored(x.index, u.index, all)
	}
	return nil
}

const sayingFormat = "room %d u%d #%d of %d bytes "

// saying is the text of a message in a room.
func saying(room, user, index, size int) string {
	head := fmt.Sprintf(sayingFormat, room, user, index, size)
	return head + strings.Repeat(".", max(0, size-len(head)))
}

// readSaying returns which message a text is, and whether it is whole.
func readSaying(s string) (room, user, index int, ok bool) {
	var size int
	if _, err := fmt.Sscanf(s, sayingFormat, &room, &user, &index, &size); err != nil || size > api.MaxText {
		return 0, 0, 0, false
	}
	return room, user, index, s == saying(room, user, index, size)
}
