package tui

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"time"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"

	"starling/node/api"
	"starling/tui/attach"
	"starling/tui/catalogue"
	"starling/tui/chatview"
	"starling/tui/conversation"
	"starling/tui/dayone"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/files"
	"starling/tui/gallery"
	"starling/tui/keymap"
	"starling/tui/lock"
	"starling/tui/notify"
	"starling/tui/opener"
	"starling/tui/people"
	"starling/tui/picture"
	"starling/tui/rooms"
	"starling/tui/term"
	"starling/tui/theme"
	"starling/tui/upkeep"
)

// App is the whole screen. It is a tea.Model and belongs to one goroutine,
// but for [App.Follow].
type App struct {
	opts Options

	// The parts.
	desk      *desk.Desk
	people    *people.List
	book      *conversation.Book
	messages  *conversation.Actions
	gallery   *gallery.Gallery
	files     *files.Files
	lock      *lock.Lock
	network   *network
	announcer *announcer
	keeping   *keeping
	contacts  *contacts
	rooms     *rooms.Rooms
	upkeep    *upkeep.Upkeep
	dayone    *dayone.Page
	actions   map[keymap.ID]func() tea.Cmd

	// The screen.
	width, height int
	panes         layout
	focus         keymap.Place
	mouse         bool
	details       bool // shown where there is room

	language  string       // of the words
	begun     bool         // the first focus is chosen
	listening bool         // events come in
	loading   bool         // the node is being asked for everybody
	reload    bool         // and once more after that
	asked     string       // the question of ctrl+c, while it is there
	wiping    *dialog.Card // the question before everything is destroyed
	wiped     bool
	toDemo    bool // it ended to show the demo

	burst burst
	dirty bool
	view  tea.View
}

// New returns the app for a node.
func New(ctx context.Context, node api.Node, opts Options) *App {
	opts = opts.complete()
	th := theme.New(true, term.Cells{}) // until the settings are known
	th.Words = catalogue.New(opts.Language)

	a := &App{opts: opts, language: opts.Language, focus: keymap.Composer, mouse: !opts.NoMouse, details: true, dirty: true}
	a.desk = desk.New(ctx, node, opts.Keys, th, opts.Now, opts.After)
	a.desk.Hidden = opts.Incognito

	// The parts.
	a.people = people.New()
	a.gallery = gallery.New(a.desk, picture.Detect(opts.Getenv))
	a.files = files.New(a.desk, a.gallery)
	a.lock = lock.New(a.desk)
	if opts.Demo != "" {
		a.lock.Hint = a.desk.T("In the demo it is: %s. ctrl+q quits.", opts.Demo)
		if opts.Back {
			a.lock.Hint = a.desk.T("In the demo it is: %s. ctrl+q goes back to your profile.", opts.Demo)
		}
	}
	a.network = &network{desk: a.desk}
	a.announcer = &announcer{desk: a.desk, people: a.people, idle: a.lock.Idle, kind: notify.Detect(opts.Getenv)}
	a.book = conversation.New(a.desk, a.people, a.gallery, screen{a})
	a.messages = conversation.NewActions(a.desk, a.book)
	a.keeping = &keeping{desk: a.desk, meant: a.meant, backupDir: opts.BackupDir}
	a.contacts = &contacts{desk: a.desk, meant: a.meant, get: a.people.Get}
	a.upkeep = upkeep.New(a.desk, a.people)
	a.rooms = rooms.New(a.desk, a.people)
	a.dayone = dayone.New(a.desk)

	// The ways between them.
	a.connect()
	a.dayone.Steps = steps{a}.all()
	a.actions = a.table()
	a.burst = burst{now: opts.Stroke}
	return a
}

// connect names the consequences in one part of the deeds in another.
func (a *App) connect() {
	a.gallery.Closed = a.book.Settle
	a.lock.Closing, a.lock.Opened = a.closing, a.book.Settle
	a.contacts.bridged = func() bool { return len(a.network.status.Bridges) > 0 }
	a.network.back = func() tea.Cmd {
		a.book.Behind = true
		return a.loadContacts()
	}

	a.book.Exec = a.opts.Exec
	if len(a.opts.Texts) > 0 {
		a.book.Texts, a.files.Texts = a.opts.Texts[0], a.opts.Texts[0]
	}

	// Files go to the open conversation.
	a.files.Contact = func() *api.Contact {
		if !a.book.Writable() {
			return nil
		}
		return a.book.Contact()
	}
	a.files.Send = func(contact string, it *attach.Item, caption string) tea.Cmd {
		return conversation.SendItem(a.book, contact, it, caption)
	}
	a.files.Replace = func(contact, old, text string) tea.Cmd { return conversation.Replace(a.book, contact, old, text) }
	a.files.Put, a.files.Meant = a.book.Paste, a.messages.Filed
	if a.opts.OpenFile != nil {
		a.files.OpenFile = a.opts.OpenFile
	}

	// What is typed or chosen in a conversation reaches the other parts.
	a.book.Command = slash{a}.obey
	a.messages.LoadContacts, a.messages.OpenAddress = a.loadContacts, a.opts.OpenAddress
	a.messages.Accept = func(invite string) tea.Cmd { return a.contacts.addBy(invite, "") }
	a.book.Opened = a.keeping.opened

	// A contact that changed is put into the list by all who change it.
	a.keeping.put, a.contacts.put, a.upkeep.Put = a.put, a.put, a.put
	a.upkeep.Meant, a.upkeep.Cleared, a.upkeep.Folder = a.meant, func(id string) tea.Cmd { return a.cleared(id, true) }, a.opts.BackupDir
	a.keeping.changed = func(s api.Settings) tea.Cmd {
		a.book.Typing, a.announcer.level = s.Typing, s.Notify
		relook(a, s)
		return tea.Batch(a.lock.Watch(time.Duration(s.LockAfter)*time.Second), a.reopen())
	}

	connectRooms(a)
	a.contacts.connected = func() bool { return a.network.status.Ready }
	a.contacts.visit = func(id string) tea.Cmd { return a.book.Visit(id, true) }
	a.contacts.removed = a.removed
	a.contacts.tell = a.book.Tell
}

// connectRooms names the consequences of what is done with rooms of people.
func connectRooms(a *App) {
	r := a.rooms
	a.book.Rooms, a.contacts.room = r, r.Look
	r.Meant, r.Put, r.Removed = a.meant, a.put, a.removed
	r.Visit = func(id string) tea.Cmd { return a.book.Visit(id, true) }
	r.Introduce = func(room string) { conversation.Introduce(a.book, room) }
	r.NewView = func(room string) *chatview.View { return conversation.NewView(a.book, room) }
	r.GoTo = func(m api.Message) tea.Cmd { return a.book.GoTo(m, nil) }
	r.Answer = a.messages.Answer
	a.announcer.author = func(m *api.Message) string { return r.Roster(m.Room).Name(m.Member, m.From) }
}

// complete puts in the defaults.
func (o Options) complete() Options {
	if o.Now == nil {
		o.Now = time.Now
	}

	// Another clock than Now: tests type at a pace of their own.
	if o.Stroke == nil {
		o.Stroke = time.Now
	}
	if o.After == nil {
		o.After = func(d time.Duration, msg tea.Msg) tea.Cmd {
			return tea.Tick(d, func(time.Time) tea.Msg { return msg })
		}
	}

	// Programs outside, and the terminal.
	if o.Exec == nil {
		o.Exec = func(cmd *exec.Cmd, then func(error) tea.Msg) tea.Cmd { return tea.ExecProcess(cmd, then) }
	}
	if o.OpenAddress == nil {
		o.OpenAddress = opener.Address
	}
	if o.Keys == nil {
		o.Keys = keymap.Default()
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	return o
}

// Init asks the node for contacts, drafts and settings, and the terminal for its
// abilities.
func (a *App) Init() tea.Cmd {
	var ask tea.Cmd
	if a.gallery.Unsure() {
		ask = tea.Raw(ansi.RequestPrimaryDeviceAttributes)
	}
	var hello tea.Cmd
	if a.opts.Demo != "" && a.opts.Back {
		hello = a.desk.Say("This is the demo: nothing leaves this computer. ctrl+q goes back to your profile.")
	}
	if a.opts.Invite != "" {
		invited, _ := a.contacts.pasted(a.opts.Invite)
		hello = tea.Batch(hello, invited)
	}
	return tea.Batch(a.network.load(), a.loadContacts(), a.book.LoadDrafts(), hello,
		tea.RequestBackgroundColor, ask, a.desk.Later(again, a.catchUp))
}

// Update applies one message. It does no input or output.
func (a *App) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	// Anything may change the frame. Only answers of the terminal are known not to.
	before := a.dirty
	a.dirty = true

	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		a.lock.Used()
		return a, a.key(msg)
	case tea.PasteMsg:
		a.lock.Used()
		return a, a.paste(msg.Content)
	case tea.MouseClickMsg:
		a.lock.Used()
		return a, a.click(msg.Mouse())
	case tea.MouseWheelMsg:
		a.lock.Used()
		return a, a.wheel(msg.Mouse())
	case desk.Then:
		return a, tea.Batch(msg(), a.desk.Surface())
	case eventsMsg:
		return a, a.apply(msg)
	case feedMsg:
		return a, a.feed(msg)
	case tea.WindowSizeMsg:
		return a, a.resize(msg.Width, msg.Height)
	case tea.FocusMsg:
		a.desk.Active, a.announcer.focus = true, true
		return a, a.book.Settle()
	case tea.BlurMsg:
		a.desk.Active, a.announcer.focus = false, true
	default:
		a.dirty = a.learn(msg) || before
	}
	return a, nil
}

// learn takes the terminal's answers about itself, and reports whether one
// changes the screen.
func (a *App) learn(msg tea.Msg) bool {
	th := a.desk.Theme

	switch msg := msg.(type) {
	case tea.ColorProfileMsg:
		a.gallery.Colours(msg.String())
	case uv.PrimaryDeviceAttributesEvent:
		a.gallery.Attributes(msg)
	case uv.CellSizeEvent:
		a.gallery.CellSize(msg.Width, msg.Height)
	case tea.BackgroundColorMsg:
		// The same answer may come again, and must not draw everything anew.
		if msg.IsDark() == th.Dark {
			return false
		}
		a.retheme(msg.IsDark(), th.Cells)
	case tea.ModeReportMsg:
		known := msg.Value == ansi.ModeReset || msg.Value == ansi.ModeSet || msg.Value == ansi.ModePermanentlySet
		if msg.Mode != ansi.ModeUnicodeCore || !known {
			return false
		}
		// The renderer now counts in grapheme clusters; so must we.
		a.retheme(th.Dark, term.Cells{Graphemes: true})
	default:
		return false
	}
	return true
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

// resize takes the size of the terminal.
func (a *App) resize(width, height int) tea.Cmd {
	a.width, a.height = width, height
	a.gallery.Width, a.gallery.Height = width, height
	a.begin()
	a.arrange()
	return tea.Batch(a.book.Settle(), a.gallery.Redraw())
}

// begin chooses the first focus once the size and the people are known: the
// text, so that typing works at once, but the list where only one pane fits
// and there is a choice.
func (a *App) begin() {
	n := len(a.people.All())
	if a.begun || a.book.Chosen || a.width == 0 || n == 0 {
		return
	}
	a.begun = true
	if a.width < twoPanes && n > 2 { // with the note to self
		a.focusOn(keymap.List)
	}
}

func (a *App) retheme(dark bool, cells term.Cells) {
	th := theme.Named(a.keeping.settings.Theme, dark, cells)
	th.Words = a.desk.Theme.Words
	a.desk.Theme = th
	a.book.Retheme()
}

// relook takes the look and the language of the settings. A language that was chosen at the
// start goes before theirs.
func relook(a *App, s api.Settings) {
	th := a.desk.Theme
	if language := cmp.Or(a.opts.Language, s.Language); language != a.language {
		a.language = language
		th.Words = catalogue.New(language)
	} else if th.Name == theme.Named(s.Theme, th.Dark, th.Cells).Name {
		return
	}
	a.retheme(th.Dark, th.Cells)
}

// screen is the app as the conversations see it.
type screen struct{ *App }

func (s screen) Focus() keymap.Place    { return s.focus }
func (s screen) FocusOn(p keymap.Place) { s.focusOn(p) }
func (s screen) Shown() bool            { return s.panes.chat.w > 0 }
func (s screen) Arrange()               { s.arrange() }
