package tui

import (
	"context"
	"image"
	"os"
	"os/exec"
	"time"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/chatview"
	"starling/tui/composer"
	"starling/tui/dialog"
	"starling/tui/emoji"
	"starling/tui/keymap"
	"starling/tui/list"
	"starling/tui/notify"
	"starling/tui/picture"
	"starling/tui/term"
	"starling/tui/theme"
	"starling/tui/words"
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
	archive       bool // archived conversations are shown

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

	settings api.Settings
	lock     lock
	teller   teller
	gallery  gallery
	recent   emoji.Recent
	searched map[string]string // last words, by where
	wiping   *dialog.Card      // the question before everything is destroyed
	wiped    bool

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
	round   int  // grows when another part is shown: pages of before are late
	// late holds changes of messages that may be on a page under way.
	late   map[string]api.Event
	unread int           // where to draw the unread line once the place is loaded
	jump   bool          // go there at the next drawing
	seen   bool          // the person did something since it was opened
	told   []api.Message // notices of this app's own

	reply   *api.Message // the one that the text answers
	editing *api.Message // the one whose text is being changed
	kept    string       // the text before that
	saved   api.Draft    // as the node has it
	edits   int          // counts changes of the text

	writes time.Time // until when the contact is taken to be writing
	writ   time.Time // when we last told that we are
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
	if opts.Getenv == nil {
		opts.Getenv = os.Getenv
	}
	th := theme.New(true, term.Cells{})
	th.Words = catalogue.New(opts.Language)
	return &App{
		ctx:      ctx,
		node:     node,
		opts:     opts,
		keys:     opts.Keys,
		th:       th,
		focus:    keymap.Composer,
		active:   true,
		mouse:    !opts.NoMouse,
		details:  true,
		hidden:   opts.Incognito,
		rank:     map[string]int64{},
		chats:    map[string]*chat{},
		searched: map[string]string{},
		teller:   teller{kind: notify.Detect(opts.Getenv)},
		gallery:  gallery{kind: picture.Detect(opts.Getenv), thumbs: map[string]*image.RGBA{}},
		lock:     lock{used: opts.Now()},
		dirty:    true,
	}
}

// Init asks the node for what to show and the terminal for its background.
func (a *App) Init() tea.Cmd {
	var ask tea.Cmd
	if a.gallery.kind == picture.Half {
		ask = tea.Raw(ansi.RequestPrimaryDeviceAttributes)
	}
	return tea.Batch(a.loadStatus(), a.loadContacts(), a.loadDrafts(), a.loadSettings(), tea.RequestBackgroundColor, ask,
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
		return a, tea.Batch(a.settle(), a.redrawZoom())
	case tea.KeyPressMsg:
		a.lock.used = a.opts.Now()
		if a.lock.form != nil {
			return a, a.lockedKey(msg)
		}
		return a, a.key(msg)
	case tea.PasteMsg:
		a.lock.used = a.opts.Now()
		if a.lock.form != nil {
			a.lock.form.Paste(msg.Content)
			return a, nil
		}
		return a, a.paste(msg.Content)
	case tea.MouseClickMsg:
		a.lock.used = a.opts.Now()
		if a.lock.form != nil {
			return a, nil
		}
		return a, a.click(msg.Mouse())
	case tea.MouseWheelMsg:
		a.lock.used = a.opts.Now()
		if a.lock.form != nil {
			return a, nil
		}
		return a, a.wheel(msg.Mouse())
	case tea.FocusMsg:
		a.active, a.teller.focus = true, true
		return a, a.settle()
	case tea.BlurMsg:
		a.active, a.teller.focus = false, true
	case tea.ColorProfileMsg:
		a.gallery.coloured(msg.String())
	case uv.PrimaryDeviceAttributesEvent:
		a.gallery.attributes(msg)
	case uv.CellSizeEvent:
		a.gallery.cellW, a.gallery.cellH = msg.Width, msg.Height
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
		return a, a.gotDrafts(msg)
	case draftDue:
		return a, a.draftDue(msg)
	case answeredMsg:
		a.gotAnswered(msg)
	case nearbyMsg:
		a.gotNearby(msg)
	case settingsMsg:
		return a, a.gotSettings(msg)
	case windowMsg:
		return a, a.gotWindow(msg)
	case foundMsg:
		msg.panel.Show(msg.n, msg.hits, a.describe(msg.err))
	case changedMsg:
		return a, a.gotChanged(msg)
	case originalMsg:
		return a, a.gotOriginal(msg)
	case thumbsMsg:
		a.gotThumbs(msg)
	case zoomMsg:
		return a, a.gotZoom(msg)
	case zoomDue:
		return a, a.drawZoom()
	case typingOver:
		a.typingOver(msg)
	case idleMsg:
		return a, a.idle(msg)
	case unlockedMsg:
		return a, a.gotUnlocked(msg)
	case wipedMsg:
		return a, a.gotWiped(msg)
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
		if !a.dialogs.Ready() {
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
	words := a.th.Words
	a.th = theme.New(dark, cells)
	a.th.Words = words
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
		c = &chat{id: id, view: chatview.New(a.th, a.opts.Now), late: map[string]api.Event{}, saved: api.Draft{Contact: id}}
		if p := a.contact(id); p != nil {
			c.view.SetPeer(a.nameOf(p))
		}
		c.text.Limit = api.MaxText
		c.text.Masked = a.hidden
		a.prepare(c)
		a.chats[id] = c
	}
	return c
}

// prepare makes the view of a conversation as the others are.
func (a *App) prepare(c *chat) {
	c.view.SetHidden(a.hidden)
	c.view.SetPictures(&a.gallery)
	key := func(id keymap.ID) string { return a.keys.Key(keymap.Messages, id) }
	c.view.SetHints(chatview.Hints{Retry: key(keymap.Retry), Discard: key(keymap.Discard), Zoom: key(keymap.Zoom)})
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

// t puts an English text into the person's language and formats it.
func (a *App) t(english string, args ...any) string { return a.th.T(english, args...) }

// n is t for a text with a number.
func (a *App) n(n int, one, many string) string { return a.th.N(n, one, many) }

// say shows a line in the status bar for a while, in the person's language.
func (a *App) say(english string, args ...any) tea.Cmd { return a.note(a.t(english, args...), false) }

// complain is say for what went wrong.
func (a *App) complain(english string, args ...any) tea.Cmd {
	return a.note(a.t(english, args...), true)
}

// fail shows what went wrong and what to do.
func (a *App) fail(err error) tea.Cmd {
	text := a.describe(err)
	if text == "" {
		return nil
	}
	return a.note(text, true)
}

func (a *App) note(text string, bad bool) tea.Cmd {
	a.notice = notice{text: text, bad: bad, id: a.notice.id + 1}
	return a.opts.After(noticeTime, noticeOver(a.notice.id))
}

// describe puts an error into words: what went wrong and what to do.
func (a *App) describe(err error) string { return words.Error(a.th.Words, err) }
