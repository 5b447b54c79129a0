// Package preferences holds the forms for a person's choices: the settings of the
// profile and of a conversation, the timer of messages that disappear, and the place of
// a backup. A form hands the answers, ready for the node, to the function that it was
// made with; it stays open until that is done.
package preferences

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/chatview"
	"starling/tui/dialog"
	"starling/tui/theme"
)

// m marks a text for the catalogues.
var m = catalogue.Mark

// levels are the ways to notify, in the order of how much they tell.
var levels = []struct {
	api.NotifyLevel
	label string
}{
	{api.NotifyNone, m("nothing")}, {api.NotifyHidden, m("that something came")}, {api.NotifyName, m("from whom")}, {api.NotifyText, m("all of it")},
}

// Level is the label of a level.
func Level(l api.NotifyLevel) string {
	for _, x := range levels {
		if x.NotifyLevel == l {
			return x.label
		}
	}
	return levels[1].label
}

// Locks are the idle seconds after which the screen may lock.
var Locks = []int{0, 60, 5 * 60, 15 * 60, 60 * 60}

// Timers are the seconds after which messages may disappear.
var Timers = []int{0, 30, 5 * 60, 60 * 60, 8 * 60 * 60, 24 * 60 * 60, 7 * 24 * 60 * 60, api.MaxTimer}

// spans labels a choice of seconds; one that is in force but not offered here
// is put among them.
func spans(th *theme.Theme, seconds []int, now int, none string) (labels []string, values []int, chosen int) {
	values = slices.Clone(seconds)
	if !slices.Contains(values, now) {
		values = append(values, now)
		slices.Sort(values)
	}
	chosen = slices.Index(values, now)
	for _, s := range values {
		label := none
		if s > 0 {
			label = chatview.Span(th, s)
		}
		labels = append(labels, label)
	}
	return labels, values, chosen
}

// Spans are the waits of messages that disappear, labelled, with the one in force.
func Spans(th *theme.Theme, now int) (labels []string, values []int, chosen int) {
	return spans(th, Timers, now, m("never"))
}

func field(label, hint string, chosen int, choices ...string) *dialog.Field {
	return &dialog.Field{Label: label, Hint: hint, Choices: choices, Chosen: chosen}
}

func yes(b bool) int {
	if b {
		return 1
	}
	return 0
}

// maxProxy is the longest address of a proxy.
const maxProxy = 300

// Settings asks for the settings of the profile.
func Settings(th *theme.Theme, s api.Settings, save func(*dialog.Form, api.SettingsChange) tea.Cmd) *dialog.Form {
	level := 1
	var labels []string
	for i, l := range levels {
		labels = append(labels, l.label)
		if l.NotifyLevel == s.Notify {
			level = i
		}
	}

	look, language := max(0, slices.Index(api.Themes, s.Theme)), 1+slices.Index(api.Languages, s.Language)
	own := &dialog.Field{Label: "Your name", Hint: "Contacts are told another one, but for those that you block."}
	own.Text.OneLine, own.Text.Limit = true, api.MaxName
	own.Text.SetValue(s.Name.String())

	proxy := &dialog.Field{Label: "Proxy", Hint: "socks5://127.0.0.1:9050 is that of Tor. Everything goes over it, or nothing. Empty: none."}
	proxy.Text.OneLine, proxy.Text.Limit = true, maxProxy
	proxy.Text.SetValue(s.Proxy)

	locks, values, chosen := spans(th, Locks, s.LockAfter, "never")
	flag := func(label, hint string, on bool) *dialog.Field { return field(label, hint, yes(on), "no", "yes") }
	typing := flag("Tell contacts that you are writing", "It tells when you are there.", s.Typing)
	read := flag("Tell contacts that you have read", "It tells when you were there.", s.ReadReceipts)
	notify := field("Notifications say", "Others in the room read them. A conversation may say less or more.", level, labels...)
	lock := field("Lock when idle for", "The screen then needs your passphrase.", chosen, locks...)
	speech := field("Language", "", language, "as the system", "English", "Deutsch", "русский")
	colours := field("Colours", "Of the terminal, for its background; or for dark or light screens; or the 16 of a console.", look, "as the terminal", "dark", "light", "16 colours")
	title := flag("Unread in the window's title", "Other programs read titles.", s.UnreadTitle)
	bridge := flag("Be a bridge for friends", "They come in over this computer where relays are blocked, by a link that you give them.", s.Bridge != "")
	bridges := flag("Dial bridges alone", "Nothing else sees your address. Without a bridge nothing is dialled.", s.BridgesOnly)

	f := &dialog.Form{Title: "Settings", Label: "Save", Width: 62}
	f.Fields = []*dialog.Field{typing, read, notify, lock, own, speech, colours, title, bridge, proxy, bridges}
	f.Submit = func() dialog.Action {
		is := func(flag *dialog.Field) *bool { return new(flag.Chosen == 1) }
		change := api.SettingsChange{Typing: is(typing), ReadReceipts: is(read), Notify: new(levels[notify.Chosen].NotifyLevel), LockAfter: new(values[lock.Chosen]),
			Language: new(append([]string{""}, api.Languages...)[speech.Chosen]), Theme: &api.Themes[colours.Chosen], UnreadTitle: is(title)}
		if p := proxy.Answer(); p != s.Proxy {
			change.Proxy = &p
		}
		if only := is(bridges); *only != s.BridgesOnly {
			change.BridgesOnly = only
		}
		if on := *is(bridge); on != (s.Bridge != "") {
			change.Bridge = new("")
			if on {
				change.Bridge = new(api.BridgeOn)
			}
		}
		switch name := strings.TrimSpace(own.Text.Value()); name {
		case s.Name.String():
		case "":
			f.Error = th.T("A name has at least one letter.")
			return dialog.Action{}
		default:
			change.Name = &name
		}
		return dialog.Keeping(func() tea.Cmd { return save(f, change) })
	}
	return f
}

// mutes are for how long a conversation may be muted.
var mutes = []struct {
	label string
	time.Duration
}{{m("no"), 0}, {m("1 hour"), time.Hour}, {m("8 hours"), 8 * time.Hour}, {m("1 week"), 7 * 24 * time.Hour}, {m("always"), -1}}

// MuteUntil is the end of a mute that begins now; negative is for ever.
func MuteUntil(now time.Time, d time.Duration) time.Time {
	switch {
	case d < 0:
		return api.Forever
	case d == 0:
		return time.Time{}
	}
	return now.Add(d)
}

// SaveConversation changes how a conversation is kept.
type SaveConversation func(*dialog.Form, api.ConversationRequest) tea.Cmd

// Conversation asks how a conversation is kept. name is the contact's.
func Conversation(th *theme.Theme, c *api.Contact, name string, now time.Time, save SaveConversation) *dialog.Form {
	f := &dialog.Form{Title: name, Label: "Save", Width: 62}
	var labels []string
	for _, x := range mutes {
		labels = append(labels, x.label)
	}

	muted := 0
	switch {
	case c.MutedUntil.Equal(api.Forever):
		muted = len(labels) - 1
	case c.MutedUntil.After(now):
		muted = len(labels)
		labels = append(labels, th.T("until %s", th.Time(c.MutedUntil, "2 Jan 15:04")))
	}

	notify := []string{m("as the settings say")}
	level := 0
	for i, l := range levels {
		notify = append(notify, l.label)
		if c.Notify == l.NotifyLevel {
			level = i + 1
		}
	}

	f.Fields = []*dialog.Field{
		field("Pinned to the top of the list", "", yes(c.Pinned), "no", "yes"),
		field("Muted", "Nothing new is announced.", muted, labels...),
		field("Archived", "Out of the list until something new comes.", yes(c.Archived), "no", "yes"),
		field("Notifications say", "", level, notify...),
	}

	id, was := c.ID, c.MutedUntil
	f.Submit = func() dialog.Action {
		pinned, archived := f.Fields[0].Chosen == 1, f.Fields[2].Chosen == 1
		req := api.ConversationRequest{Contact: id, Pinned: &pinned, Archived: &archived}

		until := was
		for _, x := range mutes {
			if x.label == labels[f.Fields[1].Chosen] {
				until = MuteUntil(now, x.Duration)
			}
		}
		req.MutedUntil = &until

		var l api.NotifyLevel
		if n := f.Fields[3].Chosen; n > 0 {
			l = levels[n-1].NotifyLevel
		}
		req.Notify = &l

		return dialog.Keeping(func() tea.Cmd { return save(f, req) })
	}
	return f
}

// Timer asks after how long messages disappear. Both sides have to want the
// same.
func Timer(th *theme.Theme, c *api.Contact, name string, save SaveConversation) *dialog.Form {
	f := &dialog.Form{Title: "Messages that disappear", Label: "Offer", Width: 56}
	if c.ID == api.Self {
		f.Label = "Save"
		f.Intro = th.T("New notes are erased so long after you write them.")
		labels, values, chosen := spans(th, Timers, c.Timer, "never")
		f.Fields = []*dialog.Field{field("Disappear after", "", chosen, labels...)}
		f.Submit = func() dialog.Action {
			req := api.ConversationRequest{Contact: api.Self, Timer: &values[f.Fields[0].Chosen]}
			return dialog.Keeping(func() tea.Cmd { return save(f, req) })
		}
		return f
	}
	f.Intro = th.T("New messages are erased on both sides: what you receive after you read it, what you send after it arrived. It begins when %s wants the same. Nobody can make the other side forget what was seen.", name)
	mine := c.TimerMine
	hint := ""

	switch {
	case c.Timer > 0 && c.TimerMine == 0 && c.TimerTheirs > 0:
		hint = th.T("You want to end it; %s has not agreed yet.", name)
	case c.TimerTheirs != c.TimerMine && c.TimerTheirs > 0:
		hint = th.T("%s offers %s.", name, chatview.Span(th, c.TimerTheirs))
		if c.TimerMine == 0 {
			mine = c.TimerTheirs
			f.Label = m("Agree")
		}
	case c.TimerTheirs != c.TimerMine && c.Timer == 0:
		hint = th.T("You have offered %s; %s has not agreed yet.", chatview.Span(th, c.TimerMine), name)
	case c.TimerTheirs != c.TimerMine:
		hint = th.T("%s wants to end it.", name)
	case c.Timer > 0:
		hint = th.T("Both of you have agreed on %s.", chatview.Span(th, c.Timer))
	}

	labels, values, chosen := spans(th, Timers, mine, "never")
	f.Fields = []*dialog.Field{field("Disappear after", hint, chosen, labels...)}
	id := c.ID
	f.Submit = func() dialog.Action {
		seconds := values[f.Fields[0].Chosen]
		req := api.ConversationRequest{Contact: id, Timer: &seconds}
		return dialog.Keeping(func() tea.Cmd { return save(f, req) })
	}
	return f
}

// MinPassphrase is the shortest new passphrase, in characters.
const MinPassphrase = 8

// hidden is a field for a passphrase.
func hidden(label, hint string) *dialog.Field {
	x := &dialog.Field{Label: label, Hint: hint}
	x.Text.OneLine, x.Text.Hidden, x.Text.Limit = true, true, 1024
	return x
}

// Passphrase asks for the passphrase of the profile, and for another.
func Passphrase(th *theme.Theme, change func(*dialog.Form, api.PassphraseRequest) tea.Cmd) *dialog.Form {
	f := &dialog.Form{
		Title: "Change the passphrase", Label: "Change it", Width: 60,
		Intro: "The profile gets new keys, too: an old copy of its files opens nothing of what comes after. Backups keep the passphrase that they have. If you forget the new one, nobody can help.",
	}
	now := hidden(m("Passphrase now"), "")
	first := hidden(m("New passphrase"), m("Several words that do not belong together are easy to remember and hard to guess."))
	first.Judge = Strength()
	again := hidden(m("Passphrase again"), "")
	f.Fields = []*dialog.Field{now, first, again}

	f.Submit = func() dialog.Action {
		switch {
		case now.Text.Value() == "":
			f.Error = th.T("Type your passphrase.")
		case utf8.RuneCountInString(first.Text.Value()) < MinPassphrase:
			f.Error = th.T("The passphrase is too short: at least %d characters.", MinPassphrase)
		case first.Text.Value() != again.Text.Value():
			f.Error = th.T("The two passphrases differ. Type both again.")
		default:
			req := api.PassphraseRequest{Old: now.Text.Value(), New: first.Text.Value()}
			return dialog.Keeping(func() tea.Cmd { return change(f, req) })
		}
		return dialog.Action{}
	}
	return f
}

// Backup asks for the path of a backup and its passphrase.
func Backup(th *theme.Theme, path string, write func(*dialog.Form, api.BackupRequest) tea.Cmd) *dialog.Form {
	f := &dialog.Form{
		Title: "Make a backup", Label: "Write it", Width: 60,
		Intro: "A copy of the whole profile, encrypted in the age format. Restore it with: starling restore FILE. Whoever runs two copies at once breaks the sessions of both.",
	}

	text := func(label, hint string, hidden bool) *dialog.Field {
		x := &dialog.Field{Label: label, Hint: hint}
		x.Text.OneLine, x.Text.Hidden, x.Text.Limit = true, hidden, 1024
		return x
	}

	file := text("New file", "", false)
	file.Text.SetValue(path)
	first := text("Passphrase of the backup", "Who has the file can try to guess it for ever: make it long.", true)
	first.Judge = Strength()
	again := text("Passphrase again", "", true)
	f.Fields = []*dialog.Field{file, first, again}

	f.Submit = func() dialog.Action {
		switch {
		case strings.TrimSpace(file.Text.Value()) == "":
			f.Error = th.T("Type the name of a new file.")
		case utf8.RuneCountInString(first.Text.Value()) < MinPassphrase:
			f.Error = th.T("The passphrase is too short: at least %d characters.", MinPassphrase)
		case first.Text.Value() != again.Text.Value():
			f.Error = th.T("The two passphrases differ. Type both again.")
		default:
			req := api.BackupRequest{Path: strings.TrimSpace(file.Text.Value()), Passphrase: first.Text.Value()}
			return dialog.Keeping(func() tea.Cmd { return write(f, req) })
		}
		return dialog.Action{}
	}
	return f
}
