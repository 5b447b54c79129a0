package tui

import (
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/dialog"
	"starling/tui/keymap"
	"starling/tui/preferences"
	"starling/tui/search"
	"starling/tui/theme"
)

// Actions that dialogs return.
type (
	visitAction struct{ contact string }
	doAction    struct{ id keymap.ID }
	copyAction  struct{ text, note string }
	askInvite   struct{ form *dialog.Form }
	askAdd      struct{ form *dialog.Form }
	askRename   struct {
		form    *dialog.Form
		contact string
	}
	checkAction  struct{ contact string } // compare safety numbers
	verifyAction struct {
		contact string
		seen    string
	}
	blockAction struct {
		contact string
		blocked bool
	}
	removeAction  struct{ contact string }
	discardAction struct{ message string }
	showQR        struct{ link string }
	askRevoke     struct{ invite api.Invite }
	revokeAction  struct{ invite string }
)

// act does what the top dialog asks, and shows the one that waited for it.
func (a *App) act(action any) tea.Cmd {
	return tea.Batch(a.perform(action), a.surface())
}

func (a *App) perform(action any) tea.Cmd {
	switch action := action.(type) {
	case nil:
		return nil
	case dialog.Close:
		if a.dialogs.Top() == dialog.Dialog(a.network) {
			a.network = nil
		}
		if a.gallery.card != nil && a.dialogs.Top() == dialog.Dialog(a.gallery.card) {
			return tea.Batch(a.closeZoom(), a.settle())
		}
		a.dialogs.Close()
		return a.settle()
	case visitAction:
		a.dialogs.Close()
		return a.visit(action.contact, true)
	case doAction:
		a.dialogs.Close()
		return tea.Batch(a.do(action.id), a.settle())
	case copyAction:
		return tea.Batch(tea.SetClipboard(action.text), a.note(action.note, false))
	case askInvite:
		return a.makeInvite(action.form)
	case askAdd:
		return a.addContact(action.form)
	case askRename:
		return a.renameContact(action)
	case checkAction:
		a.dialogs.Close()
		return tea.Batch(a.visit(action.contact, true), a.loadVerification(action.contact))
	case compareAction:
		a.dialogs.Close()
		a.openCompare(action)
	case comparedAction:
		a.dialogs.Close()
		a.openCompared(action)
	case verifyAction:
		a.dialogs.Close()
		return a.setVerified(action)
	case deleteAction:
		a.dialogs.Close()
		return a.erase(action)
	case reactAction:
		a.dialogs.Close()
		return a.react(action)
	case forwardAction:
		a.dialogs.Close()
		return a.forward(action)
	case emojiAction:
		a.dialogs.Close()
		a.recent.Use(action.char)
		if c := a.open(); c != nil && a.writable() {
			c.text.Insert(action.char)
			return a.touched(c)
		}
	case search.Ask:
		return a.search(action)
	case search.Jump:
		a.dialogs.Close()
		return a.goTo(action.Message, action.Words)
	case preferences.SettingsAction:
		return a.changeSettings(action)
	case preferences.ConversationAction:
		return a.changeConversation(action.Form, action.ConversationRequest, a.t("Saved."))
	case preferences.BackupAction:
		return a.backup(action)
	case wipeAction:
		return a.wipe()
	case joinAction:
		return a.join(action)
	case blockAction:
		a.dialogs.Close()
		return a.ask(func(ctx context.Context) resultMsg {
			c, err := a.node.BlockContact(ctx, action.contact, action.blocked)
			return resultMsg{err: err, contact: &c, note: pick(action.blocked, a.t("Blocked."), a.t("Unblocked."))}
		})
	case removeAction:
		a.dialogs.Close()
		return a.ask(func(ctx context.Context) resultMsg {
			err := a.node.RemoveContact(ctx, action.contact)
			return resultMsg{err: err, removed: action.contact, note: a.t("Removed.")}
		})
	case discardAction:
		a.dialogs.Close()
		return a.ask(func(ctx context.Context) resultMsg {
			err := a.node.Discard(ctx, action.message)
			return resultMsg{err: err, erased: action.message, note: a.t("Discarded.")}
		})
	case askRevoke:
		a.confirm(confirmation{
			title: "Withdraw this invite?",
			text:  a.t("It is open until %s. Whoever has the link can then no longer use it.", a.until(action.invite.Expires)),
			label: "Withdraw",
			then:  revokeAction{action.invite.ID},
		})
	case revokeAction:
		a.dialogs.Close() // the question
		a.dialogs.Close() // the list, which is no longer true
		return a.ask(func(ctx context.Context) resultMsg {
			return resultMsg{err: a.node.RevokeInvite(ctx, action.invite), note: a.t("Withdrawn. The link of that invite no longer works.")}
		})
	case showQR:
		a.dialogs.Open(&dialog.Card{Bare: true, Body: func(th *theme.Theme, width, height int) []string {
			return bareQR(th, action.link, width, height)
		}})
	}
	return nil
}

// ask makes a command whose result may fail. A failed one carries nothing but
// the error.
func (a *App) ask(f func(context.Context) resultMsg) tea.Cmd {
	return a.call(func(ctx context.Context) tea.Msg {
		r := f(ctx)
		if r.err != nil {
			return resultMsg{err: r.err, from: r.from}
		}
		return r
	})
}

// refuse shows an error in the form that waits, or in the status bar.
func (a *App) refuse(form *dialog.Form, err error) tea.Cmd {
	if form != nil && a.dialogs.Has(form) {
		form.Busy, form.Error = "", a.describe(err)
		return nil
	}
	return a.fail(err)
}

func (a *App) openSwitcher() {
	choices := make([]dialog.Choice, 0, len(a.people))
	for i := range a.people {
		p := &a.people[i]
		detail := ""
		switch {
		case p.Unread > 0:
			detail = a.n(p.Unread, "%d new", "%d new")
		case p.State == api.ContactPending:
			detail = a.t("pending")
		case p.Last != nil:
			detail = a.ago(p.Last.Time)
		}
		choices = append(choices, dialog.Choice{Label: a.nameOf(p), Find: a.openName(p), Detail: detail, Action: visitAction{p.ID}})
	}
	none := a.t("Nobody of that name.")
	if len(choices) == 0 {
		none = a.t("Nobody here yet. ctrl+n invites somebody.")
	}
	a.dialogs.Open(dialog.NewPicker("Go to", a.t("type a name"), none, choices))
}

func (a *App) openPalette() {
	var choices []dialog.Choice
	for _, action := range a.keys.Palette() {
		key := a.keys.Key(a.focus, action.ID)
		if key == "" {
			key = action.Key()
		}
		choices = append(choices, dialog.Choice{Label: a.t(action.Name), Find: a.t(action.Name) + " " + action.Name, Detail: key, Action: doAction{action.ID}})
	}
	a.dialogs.Open(dialog.NewPicker("What to do", a.t("type a few letters"), "No such action.", choices))
}

// idWidth is from where the help shows the names that a configuration of keys
// uses.
const idWidth = 68

// openHelp shows the keys that work where the focus is.
func (a *App) openHelp() {
	where := map[keymap.Place]string{
		keymap.Composer: a.t("Writing"), keymap.Messages: a.t("In the messages"), keymap.List: a.t("In the conversations"),
	}[a.focus]
	actions := a.keys.In(a.focus)
	editing := a.focus == keymap.Composer
	a.dialogs.Open(&dialog.Card{
		Title: a.t("Help") + " · " + where,
		Width: 84,
		Body: func(th *theme.Theme, width, _ int) []string {
			var out []string
			group := ""
			column, most := 21, 2
			if width < 50 {
				column, most = 11, 1
			}
			row := func(keys, name, id string) {
				left := th.Accent.Render(th.Cells.Fit(keys, column)) + " "
				if width < idWidth {
					out = append(out, left+th.Cells.Truncate(name, width-column-1))
					return
				}
				out = append(out, th.Cells.Ends(left+name, th.Muted.Render(id), width))
			}
			for _, x := range actions {
				if x.Group != group {
					if group != "" {
						out = append(out, "")
					}
					group = x.Group
					out = append(out, th.Title.Render(th.T(group)))
				}
				keys := x.Keys[:min(len(x.Keys), most)]
				row(strings.Join(keys, "  "), th.T(x.Name), string(x.ID))
			}
			if editing {
				out = append(out, "", th.Title.Render(th.T("Editing")))
				row("ctrl+a  ctrl+e", th.T("Start and end of the line"), "")
				row("alt+b  alt+f", th.T("A word back and forth"), "")
				row("ctrl+w  ctrl+u", th.T("Erase a word, the line before"), "")
				row("ctrl+y", th.T("Put back what was erased"), "")
			}
			return out
		},
		Buttons: []dialog.Button{{Label: "Close", Key: "esc", Action: dialog.Close{}}},
	})
}

func (a *App) openNetwork() tea.Cmd {
	if a.network != nil {
		return nil
	}
	a.network = &dialog.Card{
		Title:   "Network",
		Width:   68,
		Body:    a.networkBody,
		Buttons: []dialog.Button{{Label: "Close", Key: "esc", Action: dialog.Close{}}},
	}
	a.dialogs.Open(a.network)
	return a.loadStatus()
}

// expiries are what an invite can be valid for.
var expiries = []struct {
	label string
	time.Duration
}{
	{catalogue.Mark("1 hour"), time.Hour},
	{catalogue.Mark("24 hours"), 24 * time.Hour},
	{catalogue.Mark("7 days"), 7 * 24 * time.Hour},
}

func (a *App) openInvite() {
	form := &dialog.Form{
		Title: "Invite somebody",
		Intro: "An invite is a link, or a QR code, that makes one contact. Whoever has it first becomes that contact, so give it to them alone.",
		Label: "Make the invite",
	}
	name := &dialog.Field{Label: "Who is it for?", Hint: "Only you see this name. It may stay empty."}
	name.Text.OneLine, name.Text.Limit = true, api.MaxName
	until := &dialog.Field{Label: "Valid for", Chosen: 1}
	for _, e := range expiries {
		until.Choices = append(until.Choices, e.label)
	}
	form.Fields = []*dialog.Field{name, until}
	form.Submit = func() any { return askInvite{form} }
	a.dialogs.Open(form)
}

func (a *App) makeInvite(form *dialog.Form) tea.Cmd {
	form.Busy = a.t("Putting the invite into a mailbox, so that it works while you are away…")
	name := strings.TrimSpace(form.Fields[0].Text.Value())
	expires := expiries[form.Fields[1].Chosen].Duration
	return a.call(func(ctx context.Context) tea.Msg {
		invite, err := a.node.Invite(ctx, api.InviteRequest{Name: name, Expires: expires})
		return inviteMsg{invite: invite, name: name, err: err, from: form}
	})
}

func (a *App) gotInvite(msg inviteMsg) tea.Cmd {
	if msg.err != nil {
		return a.refuse(msg.from, msg.err)
	}
	a.dialogs.Remove(msg.from)
	link := msg.invite.Link
	expires := a.until(msg.invite.Expires)
	card := &dialog.Card{Title: a.t("Invite for %s", msg.name), Width: 60}
	if msg.name == "" {
		card.Title = a.t("Invite")
	}
	card.Body = func(th *theme.Theme, width, height int) []string {
		return inviteBody(th, link, expires, width, height)
	}
	card.Buttons = []dialog.Button{
		{Label: "Copy the link", Key: "c", Action: copyAction{link, a.t("Link copied, if your terminal allows it.")}},
		{Label: "QR alone", Key: "f", Action: showQR{link}},
		{Label: "Done", Key: "esc", Action: dialog.Close{}},
	}
	a.dialogs.Open(card)
	return nil
}

func (a *App) until(t time.Time) string { return a.th.Time(t, "Monday 2 January, 15:04") }

func (a *App) loadInvites() tea.Cmd {
	return a.call(func(ctx context.Context) tea.Msg {
		invites, err := a.node.Invites(ctx)
		return invitesMsg{invites, err}
	})
}

// gotInvites lists the open invites; choosing one withdraws it.
func (a *App) gotInvites(msg invitesMsg) tea.Cmd {
	if msg.err != nil {
		return a.fail(msg.err)
	}
	if len(msg.invites) == 0 {
		return a.say("No open invites.")
	}
	var choices []dialog.Choice
	for _, inv := range msg.invites {
		end := inv.Link[max(0, len(inv.Link)-6):]
		choices = append(choices, dialog.Choice{Label: a.t("withdraw …%s", end), Detail: a.t("until %s", a.until(inv.Expires)), Action: askRevoke{inv}})
	}
	a.dialogs.Open(dialog.NewPicker("Open invites", a.t("the end of the link"), "No such invite.", choices))
	return nil
}

func (a *App) openAdd() {
	form := &dialog.Form{
		Title: "Add a contact",
		Intro: "Paste the link that they gave you. It works once.",
		Label: "Add",
	}
	link := &dialog.Field{Label: "Their invite"}
	link.Text.OneLine, link.Text.Limit = true, 4096
	link.Text.Placeholder = "starling:…"
	name := &dialog.Field{Label: "Their name", Hint: "As you want to see it."}
	name.Text.OneLine, name.Text.Limit = true, api.MaxName
	form.Fields = []*dialog.Field{link, name}
	form.Submit = func() any {
		if strings.TrimSpace(link.Text.Value()) == "" {
			form.Error = a.t("Paste the invite first. It begins with \"starling:\".")
			return nil
		}
		return askAdd{form}
	}
	a.dialogs.Open(form)
}

func (a *App) addContact(form *dialog.Form) tea.Cmd {
	form.Busy = a.t("Fetching their keys from the mailbox and saying hello…")
	// A link copied from a chat may be broken into lines.
	link := strings.Join(strings.Fields(form.Fields[0].Text.Value()), "")
	name := strings.TrimSpace(form.Fields[1].Text.Value())
	return a.ask(func(ctx context.Context) resultMsg {
		c, err := a.node.AddContact(ctx, api.AddContactRequest{Link: link, Name: name})
		return resultMsg{err: err, from: form, contact: &c, open: true, note: a.t("Added. You can write now; they will get it when they answer.")}
	})
}

// person opens the dialog for the contact that is meant: the selected one in
// the list, else the open one.
func (a *App) person(id keymap.ID) tea.Cmd {
	c := a.meantContact()
	if c == nil {
		return a.say("There is no contact yet.")
	}
	name := a.nameOf(c)
	switch id {
	case keymap.Verify:
		return a.loadVerification(c.ID)
	case keymap.Rename:
		a.openRename(c.ID, a.openName(c))
	case keymap.Block:
		if c.Blocked {
			return a.act(blockAction{c.ID, false})
		}
		a.confirm(confirmation{
			title: a.t("Block %s?", name),
			text:  a.t("Nothing of theirs is shown any more. They are not told. You can unblock them in the same way."),
			label: "Block",
			then:  blockAction{c.ID, true},
		})
	case keymap.Remove:
		a.confirm(confirmation{
			title: a.t("Remove %s?", name),
			text:  a.t("This erases the contact, the keys and all messages here. It cannot be undone, and writing again takes a new invite."),
			label: "Remove",
			then:  removeAction{c.ID},
		})
	}
	return nil
}

func (a *App) openRename(contact, name string) {
	form := &dialog.Form{Title: a.t("Rename %s", a.mask(name)), Label: "Rename"}
	field := &dialog.Field{Label: "New name", Hint: "Only you see it."}
	field.Text.OneLine, field.Text.Limit = true, api.MaxName
	field.Text.SetValue(name)
	field.Text.Masked = a.hidden
	form.Fields = []*dialog.Field{field}
	form.Submit = func() any {
		if strings.TrimSpace(field.Text.Value()) == "" {
			form.Error = a.t("A name has at least one letter.")
			return nil
		}
		return askRename{form, contact}
	}
	a.dialogs.Open(form)
}

func (a *App) renameContact(r askRename) tea.Cmd {
	name := strings.TrimSpace(r.form.Fields[0].Text.Value())
	r.form.Busy = a.t("Renaming…")
	return a.ask(func(ctx context.Context) resultMsg {
		c, err := a.node.RenameContact(ctx, r.contact, name)
		return resultMsg{err: err, from: r.form, contact: &c}
	})
}

// confirmation asks before something that cannot be taken back.
type confirmation struct {
	title, text, label string
	then               any
}

// confirm opens a confirmation. Its button has the key "y", so that an enter
// that was meant for something else does not press it.
func (a *App) confirm(c confirmation) {
	a.dialogs.Open(&dialog.Card{
		Title: c.title,
		Width: 48,
		Body: func(th *theme.Theme, width, _ int) []string {
			return th.Cells.Wrap(c.text, width)
		},
		Buttons: []dialog.Button{
			{Label: c.label, Key: "y", Action: c.then},
			{Label: "Keep", Key: "esc", Action: dialog.Close{}},
		},
	})
}
