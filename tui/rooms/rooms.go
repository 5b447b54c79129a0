// Package rooms is the room of the app for rooms of up to 32 people: their members, by
// names that tell them apart; making and joining them; roles, settings, threads; the lines
// above their messages.
//
// It asks the node for the members of a room when the room is opened, and again whenever the
// node tells that something about it is another. Nothing that a member chooses is taken for
// a name of somebody else: see [Roster].
package rooms

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/chatview"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/keymap"
	"starling/tui/people"
	"starling/tui/theme"
	"starling/tui/words"
)

// Rooms is the room. It belongs to the goroutine of the screen.
type Rooms struct {
	// Meant is the conversation that an action is about, nil for none.
	Meant func() *api.Contact
	// Put takes a conversation as it is now, Visit opens one, Removed drops one.
	Put     func(api.Contact)
	Visit   func(id string) tea.Cmd
	Removed func(id string) tea.Cmd
	// Introduce draws the messages of a room anew: a member is another.
	Introduce func(room string)
	// NewView returns an empty view of messages of a room; GoTo goes to a message, Answer
	// begins an answer to one.
	NewView func(room string) *chatview.View
	GoTo    func(api.Message) tea.Cmd
	Answer  func(api.Message) tea.Cmd

	desk    *desk.Desk
	people  *people.List
	rosters map[string]*Roster
	asked   map[string]bool // the members are being asked for
	again   map[string]bool // and once more after that
}

// New returns the room.
func New(d *desk.Desk, p *people.List) *Rooms {
	return &Rooms{desk: d, people: p, rosters: map[string]*Roster{}, asked: map[string]bool{}, again: map[string]bool{}}
}

// Roster returns the members of a room, as far as they are known.
func (r *Rooms) Roster(room string) *Roster {
	if r.rosters[room] == nil {
		r.rosters[room] = newRoster(r.desk, room)
	}
	return r.rosters[room]
}

// Empty forgets everything.
func (r *Rooms) Empty() { clear(r.rosters) }

// Load asks for the members of a room. An answer that is under way may be older than the
// change, so there is another after it.
func (r *Rooms) Load(room string) tea.Cmd {
	if r.again[room] = r.asked[room]; r.asked[room] {
		return nil
	}
	r.asked[room] = true
	return desk.Ask(r.desk, func(ctx context.Context) ([]api.Member, error) {
		return r.desk.Node.Members(ctx, room)
	}, func(members []api.Member, err error) tea.Cmd {
		delete(r.asked, room)
		if err == nil {
			r.Roster(room).take(members)
			r.Introduce(room)
		}
		if r.again[room] {
			delete(r.again, room)
			return r.Load(room)
		}
		return nil
	})
}

// Opened is done when a conversation is opened.
func (r *Rooms) Opened(id string) tea.Cmd {
	if c := r.people.Get(id); c == nil || c.Room == nil || r.Roster(id).Known {
		return nil
	}
	return r.Load(id)
}

// Changed takes the news of a room: its members may be others.
func (r *Rooms) Changed(c *api.Contact) tea.Cmd {
	if c == nil || c.Room == nil || r.rosters[c.ID] == nil {
		return nil
	}
	return r.Load(c.ID)
}

// Reload asks for the members of all rooms that are known: news may have been missed.
func (r *Rooms) Reload() tea.Cmd {
	var cmds []tea.Cmd
	for room := range r.rosters {
		cmds = append(cmds, r.Load(room))
	}
	return tea.Batch(cmds...)
}

// Forget drops the members of a room.
func (r *Rooms) Forget(room string) { delete(r.rosters, room) }

// contact is a room among the conversations, as the node has it now.
func (r *Rooms) contact(room api.Room) api.Contact {
	c := api.Contact{ID: room.ID, State: api.ContactRoom, Created: room.Created, Unread: room.Unread, Unsent: room.Unsent}
	if old := r.people.Get(room.ID); old != nil {
		c = *old
	}
	c.Name, c.Room = room.Name, &room
	return c
}

// about does something with the room that is meant.
func (r *Rooms) about(do func(*api.Contact) tea.Cmd) tea.Cmd {
	c := r.Meant()
	if c == nil || c.Room == nil {
		return r.desk.Say("This is no room. alt+n makes one.")
	}
	return do(c)
}

// inside is about for a room that we are in.
func (r *Rooms) inside(do func(*api.Contact) tea.Cmd) tea.Cmd {
	return r.about(func(c *api.Contact) tea.Cmd {
		if c.Room.State != api.RoomReady {
			return r.desk.Note(Unwritable(r.desk, c), true)
		}
		return do(c)
	})
}

// Leads reports whether we may invite into a room, and change its members and settings.
func Leads(c *api.Contact) bool {
	return c.Room != nil && c.Room.State == api.RoomReady && leads(c.Room.Role)
}

// leads reports whether a role may invite, and change members and settings.
func leads(role api.Role) bool { return role == api.RoleOwner || role == api.RoleAdmin }

// led is inside for owner and admins.
func (r *Rooms) led(do func(*api.Contact) tea.Cmd) tea.Cmd {
	return r.inside(func(c *api.Contact) tea.Cmd {
		if !leads(c.Room.Role) {
			return r.desk.Complain("Only the owner and the admins of the room can do this.")
		}
		return do(c)
	})
}

// Unwritable says why nothing can be written in a room, and the next step; "" if one can.
func Unwritable(d *desk.Desk, c *api.Contact) string {
	room := c.Room
	if room == nil {
		return ""
	}

	switch room.State {
	case api.RoomPending:
		return d.T("You wait to be let in, and can write then.")
	case api.RoomRefused:
		return d.T("You were not let in. Ask for another link.")
	case api.RoomLeft:
		return d.T("You left. Another link lets you in again.")
	case api.RoomRemoved:
		return d.T("You were removed. What was said stays here.")
	case api.RoomAway:
		return d.T("You lost your place; it is being asked for.")
	}

	switch {
	case room.Role == api.RoleReader:
		return d.T("You only read here. An admin can change that.")
	case room.AdminsOnly && !leads(room.Role):
		return d.T("Only the owner and the admins write here.")
	}
	return ""
}

// maxBanner is how many lines stand above the messages at most.
const maxBanner = 3

// Banner is the lines above the messages of a room, the worst first. key is the key of the
// menu where the focus is.
func (r *Rooms) Banner(c *api.Contact, key string, w, most int) []string {
	if c == nil || c.Room == nil || most < 1 {
		return nil
	}
	d, th, room := r.desk, r.desk.Theme, c.Room
	var out []string
	add := func(role theme.Role, glyph, text, step string) {
		if len(out) == min(most, maxBanner) {
			return
		}
		step = th.Accent.Render(key) + th.Muted.Render(" "+step)
		text = th.Cells.Truncate(glyph+" "+text, max(8, w-th.Cells.Width(step)-4))
		out = append(out, th.Cells.Ends(" "+role.Render(text), step+" ", w))
	}

	if n := len(room.Forks); n > 0 {
		f := room.Forks[n-1]
		add(th.Bad, theme.GlyphNotice, d.T("%s said two things under one number.", th.Cells.Truncate(r.Roster(c.ID).Name(f.Member, safetext.Text{}), 24)), d.T("proof"))
	}
	if room.Waiting > 0 {
		add(th.Warn, theme.GlyphPending, d.N(room.Waiting, "%d waits to be let in.", "%d wait to be let in."), d.T("answer"))
	}
	if room.Asking > 0 {
		add(th.Warn, theme.GlyphNotice, d.N(room.Asking, "%d wants to talk alone.", "%d want to talk alone."), d.T("answer"))
	}
	if us := r.Roster(c.ID).Us(); us != nil && us.Offered && us.Role != api.RoleOwner {
		add(th.Warn, theme.GlyphNotice, d.T("The owner offers you the room."), d.T("take it"))
	}
	if room.Unheard {
		add(th.Bad, theme.GlyphNotice, d.T("Your copy is old: perhaps nobody reads you here."), d.T("what next"))
	}
	if room.Healing {
		add(th.Warn, theme.GlyphNotice, d.T("People just removed may still read, until all know of it."), d.T("members"))
	}
	if room.State != api.RoomReady {
		add(th.Warn, theme.GlyphPending, Unwritable(d, c), d.T("what next"))
	}
	return out
}

// Menu offers the actions on the room. do does one of the table.
func (r *Rooms) Menu(do func(keymap.ID) tea.Cmd) tea.Cmd {
	return r.about(func(c *api.Contact) tea.Cmd {
		menu := &dialog.Menu{Title: r.desk.Name(c)}
		add := func(cond bool, label, key string, then func() tea.Cmd) {
			if cond {
				menu.Items = append(menu.Items, dialog.Item{Label: label, Key: key, Action: dialog.Closing(then)})
			}
		}
		action := func(id keymap.ID) func() tea.Cmd { return func() tea.Cmd { return do(id) } }
		t, room := r.desk.T, c.Room
		in, lead := room.State == api.RoomReady, leads(room.Role)
		us := r.Roster(c.ID).Us()

		add(len(room.Forks) > 0, t("The proof of two things under one number"), "f", func() tea.Cmd { return r.Proof() })
		add(in && lead && room.Waiting > 0, t("People that wait to be let in"), "w", func() tea.Cmd { return r.Door() })
		add(in && us != nil && us.Offered && room.Role != api.RoleOwner, t("Take the room that the owner offers"), "t", func() tea.Cmd { return r.takeOver(c.ID) })
		add(room.State != api.RoomPending, t("Members"), "m", action(keymap.Members))
		add(in && lead, t("Invite people into the room"), "i", action(keymap.RoomInvite))
		add(in && lead, t("Send a contact a link into the room"), "e", action(keymap.RoomSend))
		add(in && lead, t("Open links into the room"), "o", action(keymap.RoomLinks))
		add(in, t("Settings of the room"), "s", action(keymap.RoomSettings))
		add(true, t("What others can learn of you here"), "?", func() tea.Cmd { return r.explain() })
		add(true, t("How this conversation is kept"), "c", action(keymap.Conversation))
		add(in || room.State == api.RoomAway, t("Leave the room"), "l", action(keymap.RoomLeave))
		add(room.State == api.RoomPending, t("Take the request back"), "l", func() tea.Cmd { return r.Remove(c) })
		add(!in && room.State != api.RoomPending && room.State != api.RoomAway, t("Remove the room and its messages"), "d", func() tea.Cmd { return r.Remove(c) })
		r.desk.Dialogs.Open(menu)
		return nil
	})
}

// Link finds a link into a room in a text, and returns the text from there on: the node
// reads where it ends, in a mail that wraps it too.
func Link(text string) (link string, ok bool) {
	return words.Handed(text, words.RoomScheme)
}

// Alone reports whether a text is a link into a room and nothing else.
func Alone(text string) bool {
	link, ok := Link(text)
	return ok && link == strings.TrimLeft(text, " \n") && len(strings.Fields(text)) == 1
}

// maxLink is the longest link that is taken, in bytes.
const maxLink = 4096
