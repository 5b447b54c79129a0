package tui

import (
	"cmp"
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/conversation"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/emoji"
	"starling/tui/keymap"
	"starling/tui/linear"
	"starling/tui/theme"
)

// slash is the app as it obeys commands.
type slash struct{ *App }

// obey obeys a line that begins with a slash: by the table of the app line by line. For
// some commands there is a form or a pane here, the others are obeyed as they are there.
// unsent puts a wrong line back.
func (a slash) obey(line string, unsent func()) tea.Cmd {
	name, args, _, _ := linear.Cut(line)
	if !linear.Known(name) {
		return a.askUnknown(name, line, unsent)
	}
	if do := a.commands()[name]; do != nil {
		if done, ok := do(args); ok {
			return done
		}
	}
	return a.obeyAsThere(line, unsent)
}

// askUnknown asks before a line that looks like a command is sent as a text.
func (a slash) askUnknown(name, line string, unsent func()) tea.Cmd {
	contact := a.book.Current
	back := func() tea.Cmd {
		unsent()
		return nil
	}
	a.desk.Dialogs.Open(&dialog.Card{
		Title: a.desk.T("There is no command %s", a.desk.Theme.Cells.Truncate(a.desk.Mask(safetext.Line(name).String()), 24)), Width: 52, Leave: back,
		Body: func(th *theme.Theme, width, _ int) []string {
			return th.Cells.Wrap(th.T("Is the line to be sent as a text? Two slashes at its beginning send it without a question."), width)
		},
		Buttons: []dialog.Button{
			{Label: "Send as a text", Key: "y", Action: dialog.Closing(func() tea.Cmd {
				if a.book.Current != contact {
					return back()
				}
				return tea.Batch(a.book.SendText(line), a.book.Settle())
			})},
			{Label: "Back to the line", Key: "esc", Action: dialog.Closing(back)},
		},
	})
	return nil
}

// obeyAsThere obeys a command as the app line by line does, and shows what it says.
func (a slash) obeyAsThere(line string, unsent func()) tea.Cmd {
	opts := linear.Options{Incognito: a.desk.Hidden, Language: a.desk.Theme.Words.Language(), Now: a.opts.Now, Join: a.opts.Join, Nearby: a.opts.Nearby}
	contact, name := a.book.Current, strings.Fields(line)[0]
	return desk.Ask(a.desk, func(ctx context.Context) (string, error) {
		return linear.Obey(ctx, a.desk.Node, opts, contact, line)
	}, func(said string, err error) tea.Cmd {
		if err != nil {
			unsent()
			return a.desk.Fail(err)
		}
		return tea.Batch(a.tell(name, said), a.loadContacts(), a.keeping.reload())
	})
}

// tell shows what a command says: a line in the status bar, more on a card.
func (a slash) tell(name, said string) tea.Cmd {
	if said == "" {
		return nil
	}
	if !strings.Contains(said, "\n") && a.desk.Theme.Cells.Width(said) < a.width-2 {
		return a.desk.Note(said, false)
	}
	a.desk.Dialogs.Open(&dialog.Card{
		Title: name, Width: 72,
		Body:    func(th *theme.Theme, width, _ int) []string { return th.Cells.Wrap(th.Cells.Steady(said), width) },
		Buttons: []dialog.Button{{Label: "Close", Key: "esc", Action: dialog.Close}},
	})
	return nil
}

// A doing obeys a command with its arguments here; false: it is obeyed as there.
type doing func(args string) (tea.Cmd, bool)

// commands are those that have a form, a pane or a key of their own here.
func (a slash) commands() map[string]doing {
	action := func(id keymap.ID) doing {
		return func(string) (tea.Cmd, bool) { return a.do(id), true }
	}
	bare := func(id keymap.ID) doing { // with arguments it is as there
		return func(args string) (tea.Cmd, bool) {
			if args != "" {
				return nil, false
			}
			return a.do(id), true
		}
	}
	with := func(id keymap.ID, do func(args string) tea.Cmd) doing { // without arguments it is the key
		return func(args string) (tea.Cmd, bool) {
			if args == "" {
				return a.do(id), true
			}
			return do(args), true
		}
	}
	search := func(contact func() *api.Contact) func(string) tea.Cmd {
		return func(args string) tea.Cmd { return a.book.SearchFor(contact(), args) }
	}

	return map[string]doing{
		"/list": func(args string) (tea.Cmd, bool) {
			a.focusOn(keymap.List)
			if args == "all" {
				return a.showArchived(), true
			}
			return nil, true
		},
		"/open":    with(keymap.Switch, a.openNamed),
		"/next":    action(keymap.NextUnread),
		"/history": a.toMessages, "/around": a.toMessages,
		"/write":    action(keymap.Edit),
		"/reply":    with(keymap.Reply, a.messages.ReplyWith),
		"/edit":     with(keymap.EditMessage, a.messages.EditTo),
		"/delete":   action(keymap.Delete),
		"/react":    with(keymap.React, a.reactNamed),
		"/forward":  with(keymap.Forward, a.forwardNamed),
		"/original": action(keymap.Original),
		"/attach":   with(keymap.Attach, a.files.AttachNamed),
		"/save":     action(keymap.SaveFile), "/view": action(keymap.OpenFile),
		"/link":   action(keymap.Link),
		"/find":   with(keymap.Search, search(a.book.Contact)),
		"/search": with(keymap.SearchAll, search(func() *api.Contact { return nil })),
		"/draft":  a.draftCommand,
		"/retry":  action(keymap.Retry), "/discard": action(keymap.Discard),
		"/timer": bare(keymap.Timer),
		"/clear": bare(keymap.Clear), "/export": bare(keymap.Export), "/blocked": action(keymap.Blocked),
		"/begin": action(keymap.FirstSteps), "/demo": func(string) (tea.Cmd, bool) { return steps(a).tryDemo(), true },
		"/invite": func(name string) (tea.Cmd, bool) { return a.contacts.inviteFor(name), true },
		"/add": func(args string) (tea.Cmd, bool) {
			link, name, _ := strings.Cut(args, " ")
			return a.contacts.addBy(link, strings.TrimSpace(name)), true
		},
		"/room":    func(args string) (tea.Cmd, bool) { return a.rooms.Command(args, a.do) },
		"/invites": action(keymap.Invites), "/withdraw": action(keymap.Invites),
		"/verify": bare(keymap.Verify), "/verified": bare(keymap.Verify),
		"/rename": bare(keymap.Rename), "/block": bare(keymap.Block),
		"/remove": a.removeNamed,
		"/status": action(keymap.Network), "/join": bare(keymap.Join),
		"/incognito": action(keymap.Incognito), "/settings": action(keymap.Settings),
		"/lock": action(keymap.Lock), "/passphrase": action(keymap.Passphrase),
		"/backup": action(keymap.Backup), "/wipe": action(keymap.Wipe),
		"/quit": action(keymap.QuitAtOnce), "/help": action(keymap.Commands),
	}
}

// toMessages goes to the messages, which stand here already.
func (a slash) toMessages(string) (tea.Cmd, bool) {
	a.focusOn(keymap.Messages)
	return nil, true
}

// draftCommand takes a text into the field, where it is kept by itself.
func (a slash) draftCommand(text string) (tea.Cmd, bool) {
	if text == "" || text == "send" {
		return a.desk.Say("What you write here is kept by itself until you send it."), true
	}
	return a.book.Insert(text), true
}

// named returns the only contact that a name or the beginning of one means, nil if there
// is none or more than one.
func (a slash) named(who string) *api.Contact {
	var found *api.Contact
	for _, c := range a.people.All() {
		name := a.desk.OpenName(&c)
		if name == who || c.ID == who {
			return &c
		}
		if strings.HasPrefix(strings.ToLower(name), strings.ToLower(who)) {
			if found != nil {
				return nil
			}
			found = &c
		}
	}
	return found
}

// openNamed opens a conversation, or asks which one of several is meant.
func (a slash) openNamed(who string) tea.Cmd {
	if c := a.named(who); c != nil {
		return a.book.Visit(c.ID, true)
	}
	opened := a.openSwitcher()
	if p, ok := a.desk.Dialogs.Top().(*dialog.Picker); ok {
		p.Paste(who)
	}
	return opened
}

// reactNamed reacts with an emoji or its name in any language.
func (a slash) reactNamed(args string) tea.Cmd {
	char := cmp.Or(emoji.Named(strings.ReplaceAll(strings.Trim(args, ":"), "_", " ")), safetext.Emoji(args))
	if char == "" && args != "none" {
		return a.desk.Complain("There is no emoji of that name.")
	}
	return a.messages.ReactWith(char)
}

// forwardNamed sends the last message on to somebody.
func (a slash) forwardNamed(who string) tea.Cmd {
	if c := a.named(who); c != nil {
		return a.messages.ForwardTo(c.ID)
	}
	return a.desk.Complain("Nobody of that name.")
}

// removeNamed asks before a contact is erased, the open one if nobody is named.
func (a slash) removeNamed(who string) (tea.Cmd, bool) {
	c := a.book.Contact()
	if who != "" {
		if c = a.named(who); c == nil {
			return a.desk.Complain("Nobody of that name."), true
		}
	}
	if c == nil {
		return a.desk.Say("There is no contact yet."), true
	}
	a.contacts.askRemove(c)
	return nil, true
}

// openCommands lists the commands.
func (a slash) openCommands() tea.Cmd {
	a.desk.Dialogs.Open(&dialog.Card{
		Title: "Commands", Width: helpWidth,
		Body:    func(th *theme.Theme, width, _ int) []string { return commandsBody(th, width) },
		Buttons: []dialog.Button{{Label: "Close", Key: "esc", Action: dialog.Close}},
	})
	return nil
}

var commandsIntro = catalogue.Mark("A line that begins with a slash is a command; two slashes send a text that begins with one. A command about a message is about the last one.")

func commandsBody(th *theme.Theme, width int) []string {
	var out []string
	for _, l := range th.Cells.Wrap(th.T(commandsIntro), width) {
		out = append(out, th.Muted.Render(l))
	}
	out = append(out, "")
	column := min(24, width/2)
	for _, x := range linear.Commands() {
		if x.Help == "" {
			continue
		}
		left := x.Name
		if args := conversation.Arguments(x); args != "" {
			left += " " + th.T(args)
		}
		for i, l := range th.Cells.Wrap(th.T(x.Help), max(10, width-column-1)) {
			if i > 0 {
				left = ""
			}
			out = append(out, th.Accent.Render(th.Cells.Fit(left, column))+" "+l)
		}
	}
	return out
}
