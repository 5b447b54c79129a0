package tui

import (
	"context"
	"os/exec"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"starling/node/api"
	"starling/tui/chatview"
	"starling/tui/composer"
	"starling/tui/dialog"
	"starling/tui/keymap"
	"starling/tui/list"
	"starling/tui/term"
	"starling/tui/theme"
)

// App is the whole screen. It is a tea.Model and belongs to one goroutine,
// but for [App.Follow].
type App struct {
	// ctx is the one of Run. Commands are made in Update, which has none.
	ctx  context.Context
	node api.Node
	opts Options
	keys *keymap.Map
	th   *theme.Theme

	width, height int
	panes         layout
	focus         keymap.Place
	active        bool // the terminal window has the focus
	mouse         bool
	hidden        bool // names and texts are blocks
	details       bool // shown where there is room

	people []api.Contact // in the order shown
	loaded bool          // people are known

	begun     bool // the first focus is chosen
	listening bool // events come in
	behind    bool // events may have been missed
	rank      map[string]int64
	highest   int64
	chats     map[string]*chat
	current   string // open conversation
	cursor    string // selected in the list
	rows      list.Picker

	status  api.Status
	known   bool  // status is known
	lost    error // the node does not answer
	polling bool  // it is being asked again
	dialogs dialog.Stack
	network *dialog.Card // if open
	alert   *dialog.Card // that opened by itself, if open
	shown   bool         // the alert is on top
	early   bool         // the alert has just opened: keys are not meant for it

	notice   notice
	quitting bool // ctrl+c was pressed once

	outgoing []outgoing // waiting to be handed to the node, in order
	sending  bool

	dirty bool
	view  tea.View
}

// A chat is an open conversation with its unsent text.
type chat struct {
	id   string
	view *chatview.View
	text composer.Editor

	asked   bool // the first page
	loading bool // a page
	// late holds changes of messages that may be on a page under way.
	late   map[string]api.Event
	unread int  // where to draw the unread line once the place is loaded
	jump   bool // go there at the next drawing
	seen   bool // the person did something since it was opened
	saved  string
	told   []api.Message // notices of this app's own
}

type notice struct {
	text string
	bad  bool
	id   int
}

// New returns the app for a node.
func New(ctx context.Context, node api.Node, opts Options) *App {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.After == nil {
		opts.After = func(d time.Duration, msg tea.Msg) tea.Cmd {
			return tea.Tick(d, func(time.Time) tea.Msg { return msg })
		}
	}
	if opts.Exec == nil {
		opts.Exec = func(cmd *exec.Cmd, then func(error) tea.Msg) tea.Cmd { return tea.ExecProcess(cmd, then) }
	}
	if opts.Keys == nil {
		opts.Keys = keymap.Default()
	}
	return &App{
		ctx:     ctx,
		node:    node,
		opts:    opts,
		keys:    opts.Keys,
		th:      theme.New(true, term.Cells{}),
		focus:   keymap.Composer,
		active:  true,
		mouse:   !opts.NoMouse,
		details: true,
		hidden:  opts.Incognito,
		rank:    map[string]int64{},
		chats:   map[string]*chat{},
		dirty:   true,
	}
}

// Init asks the node for what to show and the terminal for its background.
func (a *App) Init() tea.Cmd {
	return tea.Batch(a.loadStatus(), a.loadContacts(), a.loadDrafts(), tea.RequestBackgroundColor,
		a.opts.After(again, catchUpMsg{}))
}

// Update applies one message. It does no input or output.
func (a *App) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	before := a.dirty
	a.dirty = true
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		a.width, a.height = msg.Width, msg.Height
		a.begin()
		a.arrange()
		return a, a.settle()
	case tea.KeyPressMsg:
		return a, a.key(msg)
	case tea.PasteMsg:
		return a, a.paste(msg.Content)
	case tea.MouseClickMsg:
		return a, a.click(msg.Mouse())
	case tea.MouseWheelMsg:
		return a, a.wheel(msg.Mouse())
	case tea.FocusMsg:
		a.active = true
		return a, a.settle()
	case tea.BlurMsg:
		a.active = false
	case tea.BackgroundColorMsg:
		if a.dirty = before; msg.IsDark() != a.th.Dark {
			a.retheme(msg.IsDark(), a.th.Cells)
		}
	case tea.ModeReportMsg:
		if a.dirty = before; msg.Mode == ansi.ModeUnicodeCore && (msg.Value == ansi.ModeReset || msg.Value == ansi.ModeSet || msg.Value == ansi.ModePermanentlySet) {
			// The renderer now counts in grapheme clusters; so must we.
			a.retheme(a.th.Dark, term.Cells{Graphemes: true})
		}
	case eventsMsg:
		return a, a.apply(msg)
	case feedMsg:
		return a, a.feed(msg)
	case contactsMsg:
		return a, a.gotContacts(msg)
	case statusMsg:
		return a, a.gotStatus(msg)
	case catchUpMsg:
		if a.listening {
			a.dirty = before
			return a, nil
		}
		return a, a.loadContacts()
	case draftsMsg:
		a.gotDrafts(msg)
	case pageMsg:
		return a, a.gotPage(msg)
	case sentMsg:
		return a, a.gotSent(msg)
	case resultMsg:
		return a, a.gotResult(msg)
	case inviteMsg:
		return a, a.gotInvite(msg)
	case invitesMsg:
		return a, a.gotInvites(msg)
	case verificationMsg:
		return a, a.gotVerification(msg)
	case editMsg:
		return a, a.gotEdit(msg)
	case editedMsg:
		return a, a.gotEdited(msg)
	case alertReady:
		if a.early = false; a.alert == nil {
			a.dirty = before
		}
	case noticeOver:
		if a.notice.id != int(msg) {
			a.dirty = before
		} else {
			a.notice.text = ""
		}
	default:
		a.dirty = before
	}
	return a, nil
}

// View returns the frame. It is drawn again only if something changed.
func (a *App) View() tea.View {
	if !a.dirty {
		return a.view
	}
	a.dirty = false
	a.view = a.draw()
	return a.view
}

// begin chooses the first focus once the size and the people are known: the
// text, so that typing works at once, but the list where only one pane fits
// and there is a choice.
func (a *App) begin() {
	if a.begun || a.width == 0 || len(a.people) == 0 {
		return
	}
	a.begun = true
	if a.width < twoPanes && len(a.people) > 1 {
		a.focusOn(keymap.List)
	}
}

func (a *App) retheme(dark bool, cells term.Cells) {
	a.dirty = true
	a.th = theme.New(dark, cells)
	for _, c := range a.chats {
		c.view.SetTheme(a.th)
	}
}

// conceal hides or shows names and texts.
func (a *App) conceal(hidden bool) {
	a.hidden = hidden
	for _, c := range a.chats {
		c.view.SetHidden(hidden)
		c.text.Masked = hidden
	}
}

// mask hides a text if the person asked for it.
func (a *App) mask(s string) string {
	if a.hidden {
		return a.th.Cells.Mask(s)
	}
	return s
}

// chat returns the conversation with a contact.
func (a *App) chat(id string) *chat {
	c := a.chats[id]
	if c == nil {
		c = &chat{id: id, view: chatview.New(a.th, a.opts.Now), late: map[string]api.Event{}}
		if p := a.contact(id); p != nil {
			c.view.SetPeer(a.nameOf(p))
		}
		c.text.Limit = api.MaxText
		c.text.Masked = a.hidden
		c.view.SetHidden(a.hidden)
		a.chats[id] = c
	}
	return c
}

// open returns the open conversation, nil if there is none.
func (a *App) open() *chat {
	if a.current == "" {
		return nil
	}
	return a.chat(a.current)
}

// contact returns a contact by ID, nil if it is gone.
func (a *App) contact(id string) *api.Contact {
	for i := range a.people {
		if a.people[i].ID == id {
			return &a.people[i]
		}
	}
	return nil
}

// catchUpMsg comes a moment after the start, for what happened before the
// node's events were listened to.
type catchUpMsg struct{}

type noticeOver int

// noticeTime is how long a notice stays.
const noticeTime = 6 * time.Second

// say shows a line in the status bar for a while.
func (a *App) say(text string) tea.Cmd { return a.note(text, false) }

// fail shows what went wrong and what to do.
func (a *App) fail(err error) tea.Cmd {
	text := describe(err)
	if text == "" {
		return nil
	}
	return a.note(text, true)
}

func (a *App) note(text string, bad bool) tea.Cmd {
	a.notice = notice{text: text, bad: bad, id: a.notice.id + 1}
	return a.opts.After(noticeTime, noticeOver(a.notice.id))
}
