package tui

import (
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/doors"
	"starling/tui/qrcode"
	"starling/tui/rooms"
	"starling/tui/safety"
	"starling/tui/theme"
	"starling/tui/words"
)

// contacts brings people in and lets them go: invites, names, blocks.
type contacts struct {
	desk *desk.Desk
	// get returns a contact, nil if it is gone; meant the one that an action is
	// about.
	get   func(id string) *api.Contact
	meant func() *api.Contact
	// room shows the card of a link into a room.
	room func(link string) tea.Cmd
	// connected reports whether messages can leave, bridged whether there are bridges.
	connected, bridged func() bool
	adding             *dialog.Form // that waits for an answer
	// put takes a contact as it is now, visit opens the conversation, removed
	// drops it, tell puts a notice into it.
	put     func(api.Contact)
	visit   func(id string) tea.Cmd
	removed func(id string) tea.Cmd
	tell    func(id, notice, text string)
}

// expiries are for how long an invite can be valid.
var expiries = []struct {
	label string
	time.Duration
}{
	{catalogue.Mark("1 hour"), time.Hour},
	{catalogue.Mark("24 hours"), 24 * time.Hour},
	{catalogue.Mark("7 days"), 7 * 24 * time.Hour},
}

// maxLink is the longest link that is taken, in bytes.
const maxLink = 4096

// invite asks for the name of the person to invite.
func (c *contacts) invite() tea.Cmd { return c.inviteFor("") }

// inviteFor is invite with a name to begin with.
func (c *contacts) inviteFor(who string) tea.Cmd {
	form := &dialog.Form{
		Title: "Invite somebody",
		Intro: "An invite is a link, or a QR code, that makes one contact. Whoever has it first becomes that contact, so give it to them alone.",
		Label: "Make the invite",
	}
	name := dialog.Line(catalogue.Mark("Who is it for?"), catalogue.Mark("Only you see this name. It may stay empty."), api.MaxName)
	name.Text.SetValue(who)
	until := &dialog.Field{Label: "Valid for", Chosen: 1}
	for _, e := range expiries {
		until.Choices = append(until.Choices, e.label)
	}

	form.Fields = []*dialog.Field{name, until}
	var doors *dialog.Field
	if c.bridged() {
		doors = &dialog.Field{Label: "With your bridges", Hint: "They lead in where relays are blocked. Whoever sees the link learns them.", Choices: []string{"no", "yes"}}
		form.Fields = append(form.Fields, doors)
	}
	form.Submit = func() dialog.Action {
		req := api.InviteRequest{Name: name.Answer(), Expires: expiries[until.Chosen].Duration, WithBridge: doors != nil && doors.Chosen == 1}
		return dialog.Keeping(func() tea.Cmd { return c.makeInvite(form, req) })
	}
	c.desk.Dialogs.Open(form)
	return nil
}

func (c *contacts) makeInvite(form *dialog.Form, req api.InviteRequest) tea.Cmd {
	busy := c.desk.T("Putting the invite into a mailbox, so that it works while you are away…")
	return desk.Submit(c.desk, form, busy, func(ctx context.Context) (api.Invite, error) {
		return c.desk.Node.Invite(ctx, req)
	}, func(i api.Invite) tea.Cmd {
		c.showInvite(req.Name, i)
		return nil
	})
}

// showInvite shows the link of an invite and its QR code.
func (c *contacts) showInvite(name string, i api.Invite) *dialog.Card {
	title := c.desk.T("Invite for %s", c.desk.Mask(name))
	if name == "" {
		title = c.desk.T("Invite")
	}
	return qrcode.Open(c.desk, title, i.Link, []string{
		c.desk.T("Works once, until %s.", c.until(i.Expires)),
		c.desk.T("Give it to one person, on a way that you trust. Whoever has it first becomes your contact."),
	})
}

// until is the end of an invite.
func (c *contacts) until(t time.Time) string {
	return c.desk.Theme.Time(t, "Monday 2 January, 15:04")
}

// invites lists the open invites; one that is chosen is shown again, and can be withdrawn.
func (c *contacts) invites() tea.Cmd {
	return desk.Submit(c.desk, nil, "", c.desk.Node.Invites, func(all []api.Invite) tea.Cmd {
		if len(all) == 0 {
			return c.desk.Say("No open invites.")
		}

		var list *dialog.Picker
		var choices []dialog.Choice
		for _, i := range all {
			// The end of a link tells one from another. The whole of it is for one person alone.
			name, end := words.Line(i.Name), "…"+i.Link[max(0, len(i.Link)-6):]
			label := c.desk.T("for %s", c.desk.Mask(name))
			if name == "" {
				label = c.desk.T("for anybody, %s", end)
			}
			choices = append(choices, dialog.Choice{
				Label: label, Find: name + " " + end, Detail: c.desk.T("until %s", c.until(i.Expires)),
				Action: dialog.Keeping(func() tea.Cmd {
					card := c.showInvite(name, i)
					withdraw := dialog.Button{Label: "Withdraw", Key: "w", Action: dialog.Keeping(func() tea.Cmd { return c.askRevoke(i, list, card) })}
					card.Buttons = append(card.Buttons, withdraw)
					return nil
				}),
			})
		}
		list = dialog.NewPicker("Open invites", c.desk.T("for whom, or the end of the link"), "No such invite.", choices)
		c.desk.Dialogs.Open(list)
		return nil
	})
}

// askRevoke asks before an invite is withdrawn. The dialogs that show it are closed then.
func (c *contacts) askRevoke(i api.Invite, shown ...dialog.Dialog) tea.Cmd {
	c.desk.Withdraw(catalogue.Mark("Withdraw this invite?"),
		c.desk.T("It is open until %s. Whoever has the link can then no longer use it.", c.until(i.Expires)),
		c.desk.T("Withdrawn. The link of that invite no longer works."), shown,
		func(ctx context.Context) error { return c.desk.Node.RevokeInvite(ctx, i.ID) })
	return nil
}

// add asks for the invite of somebody else.
func (c *contacts) add() tea.Cmd { return c.addBy("", "") }

// pasted takes a text for an invite, a link into a room or a bridge: false if it holds none.
func (c *contacts) pasted(text string) (tea.Cmd, bool) {
	if link, ok := rooms.Link(text); ok {
		return c.room(link), true
	}
	if link, ok := words.Handed(text, words.InviteScheme); ok {
		return c.addBy(strings.Join(strings.Fields(link), ""), ""), true
	}
	if link, ok := words.Handed(text, words.BridgeScheme); ok {
		return doors.Offer(c.desk, strings.Join(strings.Fields(link), "")), true
	}
	return nil, false
}

// addBy is add with an invite and a name to begin with.
func (c *contacts) addBy(invite, who string) tea.Cmd {
	form := &dialog.Form{
		Title: "Add a contact",
		Intro: "Paste the link that they gave you. It works once.",
		Label: "Add",
	}
	link := dialog.Line(catalogue.Mark("Their invite"), "", maxLink)
	link.Text.Placeholder = words.InviteScheme + "…"
	// People paste the message that the link came in.
	link.Pasted = func(text string) string {
		if link, ok := words.HandedAny(text); ok {
			return link
		}
		return text
	}
	name := dialog.Line(catalogue.Mark("Their name"), catalogue.Mark("As you want to see it."), api.MaxName)

	link.Text.SetValue(invite)
	name.Text.SetValue(who)
	form.Fields = []*dialog.Field{link, name}
	if invite != "" {
		form.Focus(1)
	}
	form.Submit = func() dialog.Action {
		// A link copied from a chat may be broken into lines.
		whole := strings.Join(strings.Fields(link.Text.Value()), "")
		if whole == "" {
			form.Error = c.desk.T("Paste the invite first. It begins with \"starling:\".")
			return dialog.Action{}
		}

		// A link into a room has a form of its own, with a warning before it.
		if room, ok := rooms.Link(link.Text.Value()); ok {
			return dialog.Closing(func() tea.Cmd { return c.room(room) })
		}
		return dialog.Keeping(func() tea.Cmd { return c.accept(form, whole, name.Answer()) })
	}
	c.desk.Dialogs.Open(form)
	return nil
}

// accept uses an invite and opens the conversation.
func (c *contacts) accept(form *dialog.Form, link, name string) tea.Cmd {
	c.adding = form
	busy := c.waiting()
	return desk.Submit(c.desk, form, busy, func(ctx context.Context) (api.Contact, error) {
		return c.desk.Node.AddContact(ctx, api.AddContactRequest{Link: link, Name: name})
	}, func(added api.Contact) tea.Cmd {
		c.put(added)
		return tea.Batch(c.visit(added.ID), c.desk.Say("Added. You can write now; they will get it when they answer."))
	})
}

// waiting names the work that adding a contact waits for.
func (c *contacts) waiting() string {
	if !c.connected() {
		return c.desk.T("Connecting… The relays of the invite are tried first; this can take a minute. Esc closes this, and it goes on.")
	}
	return c.desk.T("Fetching their keys from the mailbox and saying hello…")
}

// networked notes that the network is another.
func (c *contacts) networked() {
	if c.adding != nil && c.adding.Busy != "" {
		c.adding.Busy = c.waiting()
	}
}

// somebody returns the contact that is meant: nil, with a word on why, if there is none.
func (c *contacts) somebody() (*api.Contact, tea.Cmd) {
	p := c.meant()
	switch {
	case p == nil:
		return nil, c.desk.Say("There is no contact yet.")
	case p.ID == api.Self:
		return nil, c.desk.Say("There is nobody behind the note to self.")
	}
	return p, nil
}

// about does something with the contact that is meant.
func (c *contacts) about(do func(*api.Contact)) tea.Cmd {
	p, why := c.somebody()
	if p != nil {
		do(p)
	}
	return why
}

// change has a contact changed.
func (c *contacts) change(form *dialog.Form, busy string, ask func(context.Context) (api.Contact, error), note string) tea.Cmd {
	return desk.Submit(c.desk, form, busy, ask, func(p api.Contact) tea.Cmd {
		c.put(p)
		if note == "" {
			return nil
		}
		return c.desk.Note(note, false)
	})
}

// rename asks for another name.
func (c *contacts) rename() tea.Cmd {
	return c.about(func(p *api.Contact) {
		id, old := p.ID, c.desk.OpenName(p)
		form := &dialog.Form{Title: c.desk.T("Rename %s", c.desk.Mask(old)), Label: "Rename"}
		name := dialog.Line(catalogue.Mark("New name"), catalogue.Mark("Only you see it."), api.MaxName)
		name.Text.SetValue(old)
		name.Text.Masked = c.desk.Hidden

		form.Fields = []*dialog.Field{name}
		form.Submit = func() dialog.Action {
			if name.Answer() == "" {
				form.Error = c.desk.T("A name has at least one letter.")
				return dialog.Action{}
			}
			return dialog.Keeping(func() tea.Cmd {
				return c.change(form, c.desk.T("Renaming…"), func(ctx context.Context) (api.Contact, error) {
					return c.desk.Node.RenameContact(ctx, id, name.Answer())
				}, "")
			})
		}
		c.desk.Dialogs.Open(form)
	})
}

// remove asks before a contact is erased.
func (c *contacts) remove() tea.Cmd {
	return c.about(c.askRemove)
}

func (c *contacts) askRemove(p *api.Contact) {
	id := p.ID
	c.desk.Confirm(desk.Confirmation{
		Title: c.desk.T("Remove %s?", c.desk.Name(p)),
		Text:  c.desk.T("This erases the contact, the keys and all messages here. It cannot be undone, and writing again takes a new invite."),
		Label: catalogue.Mark("Remove"),
		Then: func() tea.Cmd {
			return c.desk.Do(func(ctx context.Context) error {
				return c.desk.Node.RemoveContact(ctx, id)
			}, func() tea.Cmd { return tea.Batch(c.removed(id), c.desk.Say("Removed.")) })
		},
	})
}

// invited tells the end of an invite.
func (c *contacts) invited(ev *api.InviteEvent) tea.Cmd {
	if ev == nil {
		return nil
	}
	switch ev.What {
	case "used":
		if p := c.get(ev.Contact); p != nil {
			return c.desk.Say("Your invite was used: %s is here now.", c.desk.Name(p))
		}
		return c.desk.Say("Your invite was used.")
	case "reused":
		return c.reused(ev)
	case "expired":
		return c.desk.Say("An invite expired unused. Its link no longer works; ctrl+n makes another.")
	case "revoked":
		return c.desk.Say("Withdrawn. The link of that invite no longer works.")
	}
	return nil
}

// reused tells that two people have had the link of one invite. The first of
// them is a contact now, and may be the wrong one.
func (c *contacts) reused(ev *api.InviteEvent) tea.Cmd {
	card := &dialog.Card{Title: "An invite was used twice", Width: 56}
	name := c.desk.T("the contact that it made")
	card.Buttons = []dialog.Button{{Label: "Close", Key: "esc", Action: dialog.Close}}
	// The notice stays in the conversation, where it is seen before something is written.
	if p := c.get(ev.Contact); p != nil {
		id := p.ID
		name = c.desk.Name(p)
		c.tell(id, "reused "+ev.ID, c.desk.T("The link of this contact's invite was used a second time: somebody else had it too and may have come first. Compare safety numbers (esc, then v) before you write anything that matters."))
		check := dialog.Closing(func() tea.Cmd { return tea.Batch(c.visit(id), c.verify(id)) })
		card.Buttons = append([]dialog.Button{{Label: "Compare safety numbers", Key: "v", Action: check}}, card.Buttons...)
	}

	card.Body = func(th *theme.Theme, width, _ int) []string {
		var out []string
		for _, l := range th.Cells.Wrap(th.T("Somebody tried the link of your invite a second time, after it had made %s your contact.", name), width) {
			out = append(out, th.Bad.Render(l))
		}
		for _, text := range []string{
			th.T("So more than one person has had that link. The first to use it is your contact, and that may not be who you meant."),
			th.T("Compare safety numbers with your friend, face to face or in a call where you know the voice."),
			th.T("If they differ: remove this contact and give your friend a new invite on a safer way. Until you know, write nothing here that matters."),
		} {
			out = append(append(out, ""), th.Cells.Wrap(text, width)...)
		}
		return out
	}
	return tea.Batch(
		c.desk.Warn(card),
		c.desk.Complain("An invite was used twice: somebody else had the link of %s.", name))
}

// verify shows the numbers of a contact, to be compared.
func (c *contacts) verify(id string) tea.Cmd {
	return desk.Ask(c.desk, func(ctx context.Context) (api.Verification, error) {
		return c.desk.Node.Verification(ctx, id)
	}, func(v api.Verification, err error) tea.Cmd {
		p := c.get(id)
		if err != nil || p == nil {
			return c.desk.Fail(err)
		}
		safety.Compare(c.desk, safety.Comparison{Name: c.desk.Name(p), Verification: v, Mark: func(seen string) tea.Cmd { return c.mark(id, seen) }})
		return nil
	})
}

// verifyMeant shows the numbers of the contact that is meant.
func (c *contacts) verifyMeant() tea.Cmd {
	p, why := c.somebody()
	if p == nil {
		return why
	}
	return c.verify(p.ID)
}

// mark marks a contact as verified with the numbers that were seen, or takes the mark back
// if there are none.
func (c *contacts) mark(id, seen string) tea.Cmd {
	note := pick(seen != "", c.desk.T("Marked as verified."), c.desk.T("No longer marked as verified."))
	return c.change(nil, "", func(ctx context.Context) (api.Contact, error) {
		return c.desk.Node.SetVerified(ctx, id, seen)
	}, note)
}
