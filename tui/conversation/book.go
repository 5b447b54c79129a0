// Package conversation holds the conversations that a person has opened: their
// messages and pages, the unsent text, answers and edits, and the actions on a
// message.
//
// A [Chat] is one conversation. The [Book] is all of them: it knows which one is open,
// takes the events of the node, and hands texts to the node in order.
package conversation

import (
	"context"
	"os/exec"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/chatview"
	"starling/tui/composer"
	"starling/tui/desk"
	"starling/tui/gallery"
	"starling/tui/keymap"
	"starling/tui/people"
	"starling/tui/rooms"
	"starling/tui/syntax"
)

// A Screen shows a book.
type Screen interface {
	// Focus is where the focus is; FocusOn moves it.
	Focus() keymap.Place
	FocusOn(keymap.Place)
	// Shown reports whether the open conversation is on the screen.
	Shown() bool
	// Arrange gives every pane its size.
	Arrange()
}

// Book is the opened conversations. It belongs to the goroutine of the screen.
type Book struct {
	// Current is the open conversation, "" if there is none.
	Current string
	// Chosen says that the person has opened one.
	Chosen bool
	// Behind says that events may have been missed.
	Behind bool
	// Typing says that contacts are told when something is written to them.
	Typing bool
	// Exec gives the terminal to another program for a while.
	Exec func(cmd *exec.Cmd, then func(error) tea.Msg) tea.Cmd
	// Opened is done when the person opens another conversation.
	Opened func(id string) tea.Cmd
	// Command obeys a line of the text that begins with a slash. unsent puts the line back
	// if it was wrong.
	Command func(line string, unsent func()) tea.Cmd
	// Rooms knows the members of rooms.
	Rooms *rooms.Rooms
	// Texts is the folder in which a text lies meanwhile; empty: there is none.
	Texts string

	desk     *desk.Desk
	people   *people.List
	gallery  *gallery.Gallery
	screen   Screen
	chats    map[string]*Chat
	queue    *queue
	searched map[string]string // last words, by where
	painter  syntax.Painter
	ticking  bool // the next step of the countdowns is waited for
	asked    int  // questions for drafts
}

// Chat is a conversation with its unsent text.
type Chat struct {
	ID   string
	View *chatview.View
	Text composer.Editor
	// Seen says that the person did something since it was opened.
	Seen bool

	asked   bool // the first page
	loading bool // a page
	round   int  // grows when another part is shown: pages of before are late
	// late holds changes of messages that may be on a page under way.
	late   map[string]api.Event
	ahead  int           // counts the questions for messages that came ahead
	unread int           // where to draw the unread line once the place is loaded
	jump   bool          // go there at the next drawing
	told   []api.Message // notices of this app's own

	reply   *api.Message // the message that the text answers
	editing *api.Message // the message with the text that is being changed
	kept    string       // the text before that
	saved   api.Draft    // as the node has it
	edits   int          // counts changes of the text
	typed   bool         // the text is of this window, and no draft of another
	saving  int          // drafts on their way to the node
	savedAt int          // the last question for drafts when the node had one
	stale   bool         // an answer was older than that

	guesses guesses // of the word before the cursor

	writes time.Time // until when the contact is taken to be writing
	writ   time.Time // when we last told that we are
}

// New returns a book in which no conversation is opened.
func New(d *desk.Desk, p *people.List, g *gallery.Gallery, s Screen) *Book {
	b := &Book{desk: d, people: p, gallery: g, screen: s, chats: map[string]*Chat{}, searched: map[string]string{}}
	b.queue = &queue{desk: d, sent: b.sent, back: b.takeBack}
	return b
}

// Chat returns the conversation with a contact, and opens it in the book.
func (b *Book) Chat(id string) *Chat {
	c := b.chats[id]
	if c != nil {
		return c
	}

	c = &Chat{ID: id, View: b.view(id), late: map[string]api.Event{}, saved: api.Draft{Contact: id}}
	c.Text.Limit = api.MaxText
	c.Text.Masked = b.desk.Hidden
	b.chats[id] = c
	return c
}

// view returns an empty view of the messages of a conversation.
func (b *Book) view(id string) *chatview.View {
	key := func(id keymap.ID) string { return b.desk.Keys.Key(keymap.Messages, id) }
	hints := chatview.Hints{Retry: key(keymap.Retry), Discard: key(keymap.Discard), Zoom: key(keymap.Zoom), Save: key(keymap.SaveFile), Open: key(keymap.OpenFile), Unfold: key(keymap.Unfold), Unread: key(keymap.JumpUnread)}
	v := chatview.New(b.desk.Theme, b.desk.Now, b.gallery, hints)
	v.SetHidden(b.desk.Hidden)
	v.SetPainter(&b.painter)
	if p := b.people.Get(id); p != nil && p.Room != nil && b.Rooms != nil {
		chatview.InRoom(v, b.Rooms.Roster(id))
	}
	return v
}

// Open returns the open conversation, nil if there is none.
func (b *Book) Open() *Chat {
	if b.Current == "" {
		return nil
	}
	return b.Chat(b.Current)
}

// Contact returns the contact of the open conversation, nil if there is none.
func (b *Book) Contact() *api.Contact { return b.people.Get(b.Current) }

// Writable reports whether there is a conversation to write in.
func (b *Book) Writable() bool {
	p := b.Contact()
	return p != nil && !p.Blocked && rooms.Unwritable(b.desk, p) == ""
}

// Reading reports whether the person looks at the end of a conversation.
func (b *Book) Reading(id string) bool {
	c := b.Open()
	return c != nil && c.ID == id && c.Seen && b.desk.Active && c.View.AtEnd() && !chatview.Waits(c.View)
}

// Forget drops the conversation with a removed contact, and reports whether it was the
// open one.
func (b *Book) Forget(id string) bool {
	delete(b.chats, id)
	if b.Current != id {
		return false
	}
	b.Current = ""
	return true
}

// Cleared drops the messages of a conversation in a book, and its draft. Text typed here
// goes with a clearing from here only: after one from elsewhere somebody writes on.
func Cleared(b *Book, id string, here bool) tea.Cmd {
	c := b.chats[id]
	if c == nil {
		return nil
	}
	if here || c.editing != nil || !c.typed {
		c.Text.SetValue("")
		c.typed = false
	}
	c.View = b.view(id)
	c.late, c.told, c.unread, c.jump = map[string]api.Event{}, nil, 0, false
	c.reply, c.editing, c.kept = nil, nil, ""
	c.saved = api.Draft{Contact: id}
	c.round++
	c.loading = false
	if c.asked = b.Current == id; !c.asked {
		return nil
	}
	b.screen.Arrange()
	return b.loadPage(c)
}

// Empty drops everything.
func (b *Book) Empty() {
	b.chats, b.queue.waiting, b.Current = map[string]*Chat{}, nil, ""
}

// Retheme draws every conversation with the theme of the desk.
func (b *Book) Retheme() {
	for _, c := range b.chats {
		c.View.SetTheme(b.desk.Theme)
	}
}

// Conceal hides or shows names and texts, as the desk says.
func (b *Book) Conceal() {
	for _, c := range b.chats {
		c.View.SetHidden(b.desk.Hidden)
		c.Text.Masked = b.desk.Hidden
	}
}

// Visit opens a conversation on the screen. chosen says that the person did it.
func (b *Book) Visit(id string, chosen bool) tea.Cmd {
	var cmds []tea.Cmd
	again := id == b.Current
	if old := b.Open(); old != nil && !again {
		old.View.ClearUnread()
		old.View.Deselect()
		cmds = append(cmds, b.saveDraft(old))
	}

	b.Current, b.people.Cursor = id, id
	b.Chosen = b.Chosen || chosen
	c := b.Chat(id)
	c.Seen = chosen
	unread := 0
	if p := b.people.Get(id); p != nil {
		unread = p.Unread
	}

	// The unread line is in view, and the messages that it needs are loaded.
	switch {
	case !c.asked:
		c.asked = true
		c.unread, c.jump = unread, unread > 0
		cmds = append(cmds, b.loadPage(c))
	case unread > 0 && !again && c.View.Partial():
		c.unread, c.jump = unread, true
		cmds = append(cmds, b.toEnd(c))
	case unread > 0 && !again:
		c.unread = unread
		c.View.End()
		c.placeUnread()
	}

	cmds = append(cmds, b.Rooms.Opened(id), Ahead(b, b.people.Get(id)))
	if chosen {
		b.screen.FocusOn(keymap.Composer)
		if !again {
			cmds = append(cmds, b.Opened(id))
		}
	}
	return tea.Batch(append(cmds, b.Settle())...)
}

// Settle draws the consequences of the part in view: the end of a conversation
// that a person looks at is read, and the view is filled with messages.
func (b *Book) Settle() tea.Cmd {
	c := b.Open()
	if c == nil || !b.screen.Shown() {
		return nil
	}

	var cmds []tea.Cmd
	if p := b.people.Get(c.ID); p != nil && p.Unread > 0 && c.unread == 0 && !c.jump && b.Reading(c.ID) {
		b.people.Read(c.ID)
		cmds = append(cmds, b.markRead(c.ID))
	}
	if c.asked && !c.loading && (c.unread > 0 || c.View.WantsOlder()) {
		cmds = append(cmds, b.loadPage(c))
	}
	if c.asked && !c.loading && c.View.WantsNewer() {
		cmds = append(cmds, b.loadNewer(c))
	}
	c.View.Restless()
	return tea.Batch(append(cmds, paint(b, c), tick(b, c))...)
}

// paint has code that is in view coloured.
func paint(b *Book, c *Chat) tea.Cmd {
	if !c.View.Unpainted() {
		return nil
	}
	work := b.painter.Work()
	if work == nil {
		return nil
	}
	return desk.Ask(b.desk, func(context.Context) (syntax.Painted, error) {
		return work(), nil
	}, func(done syntax.Painted, _ error) tea.Cmd {
		b.painter.Take(done)
		for _, c := range b.chats {
			c.View.Repaint()
		}
		return b.Settle()
	})
}

// tick lets the countdowns in view go on.
func tick(b *Book, c *Chat) tea.Cmd {
	if b.ticking || !c.View.Counts() {
		return nil
	}
	wait := c.View.Tick()
	if wait <= 0 {
		return nil
	}
	b.ticking = true
	return b.desk.Later(wait, func() tea.Cmd {
		b.ticking = false
		if c := b.Open(); c != nil {
			c.View.Tick()
		}
		return b.Settle()
	})
}

// Move scrolls, or moves the selection of the messages.
func (b *Book) Move(id keymap.ID) tea.Cmd {
	c := b.Open()
	if c == nil {
		return nil
	}

	switch id {
	case keymap.Up:
		c.View.Move(-1)
	case keymap.Down:
		c.View.Move(1)
	case keymap.PageUp:
		b.page(c, -1)
	case keymap.PageDown:
		b.page(c, 1)
	case keymap.Top:
		c.View.SelectEdge(false)
	case keymap.Bottom:
		if c.View.Partial() {
			return b.toEnd(c)
		}
		c.View.SelectEdge(true)
	}
	return nil
}

// page scrolls by most of the view. The selection goes along.
func (b *Book) page(c *Chat, by int) {
	c.View.Page(by)
	if b.screen.Focus() == keymap.Messages {
		c.View.SelectLast()
	}
}

// JumpUnread goes to the unread line.
func (b *Book) JumpUnread() tea.Cmd {
	if c := b.Open(); c != nil && !c.View.JumpUnread() {
		return b.desk.Say("No unread message here.")
	}
	return nil
}

// Focus selects a message when the focus comes to the messages, and ends the
// selection when it leaves them.
func (c *Chat) Focus(messages bool) {
	if !messages {
		c.View.Deselect()
		return
	}
	if _, ok := c.View.Selected(); !ok {
		c.View.SelectLast()
	}
}
