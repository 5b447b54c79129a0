package conversation

import (
	"context"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/chatview"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/emoji"
	"starling/tui/keymap"
	"starling/tui/rooms"
	"starling/tui/theme"
	"starling/tui/words"
)

// Actions are those on a message of the open conversation: the selected one,
// else the last one that allows the action.
type Actions struct {
	// LoadContacts asks the node for everybody.
	LoadContacts func() tea.Cmd
	// OpenAddress opens a web address outside, Accept begins to use an invite.
	OpenAddress func(ctx context.Context, address string) error
	Accept      func(invite string) tea.Cmd

	desk   *desk.Desk
	book   *Book
	recent emoji.Recent
}

// NewActions returns the actions for the open conversation of a book.
func NewActions(d *desk.Desk, b *Book) *Actions { return &Actions{desk: d, book: b} }

// meant returns the message that an action is about: the selected one, else
// the last one that is right.
func (a *Actions) meant(right func(*api.Message) bool) (api.Message, bool) {
	c := a.book.Open()
	if c == nil {
		return api.Message{}, false
	}
	if m, ok := c.View.Selected(); ok {
		return m, right(&m)
	}
	return c.View.LastWhere(right)
}

func whichever(*api.Message) bool    { return true }
func answerable(m *api.Message) bool { return m.State != api.StateNotice && !m.Deleted }
func incoming(m *api.Message) bool   { return !m.Outgoing && answerable(m) }
func failed(m *api.Message) bool     { return m.State == api.StateFailed }
func pictured(m *api.Message) bool   { return m.Picture != nil && !m.Deleted }
func filed(m *api.Message) bool      { return (m.Picture != nil || m.File != nil) && !m.Deleted }
func answering(m *api.Message) bool  { return m.Reply != nil }

func editable(m *api.Message) bool {
	return m.Outgoing && answerable(m) && !failed(m) && (m.Picture == nil && m.File == nil || !m.Text.IsZero()) && !m.Forwarded
}

// Menu offers the actions for the selected message. do does one.
func (a *Actions) Menu(do func(keymap.ID) tea.Cmd) tea.Cmd {
	m, ok := a.meant(whichever)
	if !ok {
		return nil
	}

	var ids []keymap.ID
	add := func(cond bool, id ...keymap.ID) {
		if cond {
			ids = append(ids, id...)
		}
	}
	can := answerable(&m)
	add(failed(&m), keymap.Retry, keymap.Discard)
	add(can && !failed(&m), keymap.Reply, keymap.React)
	add(editable(&m), keymap.EditMessage)
	add(can && !failed(&m), keymap.Forward)
	add(can, keymap.Copy)
	add(answering(&m), keymap.Original)
	add(can && (answering(&m) || m.Room != ""), keymap.Thread)
	add(m.Change != nil, keymap.Unfold)
	add(pictured(&m) && can, keymap.Zoom)
	add(linked(&m) && !a.desk.Hidden, keymap.Link)
	add(filed(&m) && can, keymap.SaveFile, keymap.OpenFile)
	add(true, keymap.Delete)

	menu := &dialog.Menu{Title: a.desk.T("Message")}
	for _, id := range ids {
		menu.Items = append(menu.Items, dialog.Item{
			Label: a.desk.T(a.desk.Keys.Name(id)), Key: a.desk.Keys.Key(keymap.Messages, id),
			Action: dialog.Closing(func() tea.Cmd { return do(id) }),
		})
	}
	a.desk.Dialogs.Open(menu)
	return nil
}

// Reply begins an answer: to the selected message, else to the contact's last.
func (a *Actions) Reply() tea.Cmd {
	right := answerable
	if a.book.screen.Focus() != keymap.Messages {
		right = incoming
	}
	m, ok := a.meant(right)
	if !ok {
		return a.desk.Say("There is nothing here to answer.")
	}
	a.book.answer(m)
	return nil
}

// Edit takes the text of an own message to be edited.
func (a *Actions) Edit() tea.Cmd {
	m, ok := a.meant(editable)
	if !ok {
		return a.desk.Say("Only a text of your own can be edited.")
	}
	a.book.change(m)
	return nil
}

// Delete asks where a message is to be erased. A notice of the app's own, which
// the node does not know, is gone at once.
func (a *Actions) Delete() tea.Cmd {
	m, ok := a.meant(whichever)
	if !ok {
		return nil
	}

	c := a.book.Open()
	own := func(told api.Message) bool { return told.ID == m.ID }
	if slices.ContainsFunc(c.told, own) {
		c.told = slices.DeleteFunc(c.told, own)
		c.View.Remove(m.ID)
		return nil
	}
	a.askDelete(m)
	return nil
}

func (a *Actions) askDelete(m api.Message) {
	card := &dialog.Card{Title: "Delete this message?", Width: 52}
	erase := func(both bool) dialog.Action {
		return dialog.Closing(func() tea.Cmd { return a.erase(m.ID, both) })
	}
	room := a.book.Contact() != nil && a.book.Contact().Room != nil
	text := a.desk.T("It is erased on this device. Your contact keeps what they have.")
	card.Buttons = []dialog.Button{{Label: "Delete here", Key: "y", Action: erase(false)}}
	switch {
	case m.Conversation == api.Self:
		text = a.desk.T("It is erased on this device.")
	case room && m.Outgoing && !m.Deleted && !failed(&m):
		text = a.desk.T("It is erased on this device, and, if you like, the devices of all members are asked to erase it too. Whether somebody has read or copied it nobody can undo.")
		card.Buttons = append(card.Buttons, dialog.Button{Label: "Delete for all", Key: "b", Action: erase(true)})
	case room:
		text = a.desk.T("It is erased on this device. The others keep what they have.")
	case m.Outgoing && !m.Deleted && !failed(&m):
		text = a.desk.T("It is erased on this device, and, if you like, your contact's device is asked to erase it too. Whether they have read or copied it nobody can undo.")
		card.Buttons = append(card.Buttons, dialog.Button{Label: "Delete for both", Key: "b", Action: erase(true)})
	}

	card.Buttons = append(card.Buttons, dialog.Button{Label: "Keep", Key: "esc", Action: dialog.Close})
	card.Body = func(th *theme.Theme, width, _ int) []string { return th.Cells.Wrap(text, width) }
	a.desk.Dialogs.Open(card)
}

// erase erases a message here, and asks the contact's device to do the same. In
// the second case the message stays and says so.
func (a *Actions) erase(id string, both bool) tea.Cmd {
	note := a.desk.T("Deleted here.")
	switch c := a.book.Contact(); {
	case both && c != nil && c.Room != nil:
		note = a.desk.T("Deleted here; the devices of all members are asked to do the same.")
	case both:
		note = a.desk.T("Deleted here; your contact's device is asked to do the same.")
	}
	return a.desk.Do(func(ctx context.Context) error {
		return a.desk.Node.Delete(ctx, api.DeleteRequest{Messages: []string{id}, Both: both})
	}, func() tea.Cmd {
		if both {
			return a.desk.Note(note, false)
		}
		return a.erased(id, note)
	})
}

// erased takes a message out. The last one of its conversation may be another
// now.
func (a *Actions) erased(id, note string) tea.Cmd {
	for _, c := range a.book.chats {
		c.View.Remove(id)
	}
	return tea.Batch(a.LoadContacts(), a.desk.Note(note, false))
}

// React asks for an emoji.
func (a *Actions) React() tea.Cmd {
	m, ok := a.meant(answerable)
	if !ok {
		return a.desk.Say("There is nothing here to react to.")
	}

	var first []dialog.Choice
	for _, r := range m.Reactions {
		if r.Outgoing {
			first = append(first, dialog.Choice{
				Label:  a.desk.T("Take back %s", a.desk.Mask(r.Emoji.String())),
				Action: dialog.Closing(func() tea.Cmd { return a.react(m.ID, "") }),
			})
		}
	}
	a.openEmoji("React", func(e string) tea.Cmd {
		a.recent.Use(e)
		return a.react(m.ID, e)
	}, first)
	return nil
}

func (a *Actions) react(message, emoji string) tea.Cmd {
	return desk.Submit(a.desk, nil, "", func(ctx context.Context) (api.Message, error) {
		return a.desk.Node.React(ctx, api.ReactRequest{Message: message, Emoji: emoji})
	}, func(m api.Message) tea.Cmd {
		a.put(m)
		return nil
	})
}

// put shows a message as the node has it now.
func (a *Actions) put(m api.Message) {
	if c := a.book.chats[m.Conversation]; c != nil {
		c.View.Add(m)
	}
}

// Emoji asks for an emoji to put into the text.
func (a *Actions) Emoji() tea.Cmd {
	if !a.book.Writable() {
		return nil
	}
	a.openEmoji("Put in an emoji", func(e string) tea.Cmd {
		a.recent.Use(e)
		c := a.book.Open()
		if c == nil || !a.book.Writable() {
			return nil
		}
		c.Text.Insert(e)
		return a.book.touched(c)
	}, nil)
	return nil
}

// openEmoji lets an emoji be found by its name, those used last first.
func (a *Actions) openEmoji(title string, chosen func(string) tea.Cmd, first []dialog.Choice) {
	choices := first
	for _, e := range a.recent.Sorted() {
		choices = append(choices, dialog.Choice{
			Label: a.desk.Theme.Cells.Steady(e.Char) + "  " + a.desk.T(e.Name), Find: a.desk.T(e.Name) + " " + strings.Join(emoji.Names(e), " "),
			Action: dialog.Closing(func() tea.Cmd { return chosen(e.Char) }),
		})
	}

	p := dialog.NewPicker(title, a.desk.T("type its name, or the emoji"), "No emoji of that name.", choices)
	p.Typed = func(text string) (dialog.Choice, bool) {
		char := safetext.Emoji(text)
		return dialog.Choice{
			Label:  a.desk.Theme.Cells.Steady(char) + "  " + a.desk.T("as you typed it"),
			Action: dialog.Closing(func() tea.Cmd { return chosen(char) }),
		}, char != ""
	}
	a.desk.Dialogs.Open(p)
}

// Forward asks for the conversation to send a message on to.
func (a *Actions) Forward() tea.Cmd {
	m, ok := a.meant(answerable)
	if !ok {
		return a.desk.Say("There is nothing here to forward.")
	}

	var choices []dialog.Choice
	for _, p := range a.book.people.All() {
		if p.Blocked || rooms.Unwritable(a.desk, &p) != "" {
			continue
		}
		choices = append(choices, dialog.Choice{
			Label: a.desk.Name(&p), Find: a.desk.OpenName(&p),
			Action: dialog.Closing(func() tea.Cmd { return a.forward(m.ID, p.ID) }),
		})
	}
	a.desk.Dialogs.Open(dialog.NewPicker("Forward to", a.desk.T("type a name"), "Nobody of that name.", choices))
	return nil
}

func (a *Actions) forward(message, contact string) tea.Cmd {
	sent := a.book.queue.add(outgoing{contact: contact, forward: message, id: words.NewID()})
	var note tea.Cmd
	if p := a.book.people.Get(contact); p != nil {
		note = a.desk.Say("Forwarded to %s.", a.desk.Name(p))
	}
	return tea.Batch(sent, note)
}

// Original goes to the message that one answers.
func (a *Actions) Original() tea.Cmd {
	m, ok := a.meant(answering)
	if !ok {
		return a.desk.Say("This message answers none.")
	}

	id := m.Reply.ID
	if c := a.book.Open(); c.View.Has(id) {
		a.book.screen.FocusOn(keymap.Messages)
		c.View.Select(id)
		return nil
	}
	return desk.Ask(a.desk, func(ctx context.Context) (api.Message, error) {
		return a.desk.Node.Message(ctx, id)
	}, func(m api.Message, err error) tea.Cmd {
		switch {
		case err == nil:
			return a.book.GoTo(m, nil)
		case api.CodeOf(err) == api.CodeNoMessage:
			return a.desk.Say("That message is not here any more.")
		}
		return a.desk.Fail(err)
	})
}

// Thread shows the thread that a message belongs to.
func (a *Actions) Thread() tea.Cmd {
	m, ok := a.meant(answerable)
	if !ok {
		return a.desk.Say("There is no message here.")
	}
	return a.book.Rooms.Thread(m)
}

// Answer goes to a message and begins an answer to it.
func (a *Actions) Answer(m api.Message) tea.Cmd {
	went := a.book.GoTo(m, nil)
	a.book.answer(m)
	return went
}

// NextMention goes up to the next message that names us.
func (a *Actions) NextMention() tea.Cmd {
	c := a.book.Open()
	if c == nil {
		return nil
	}
	id, ok := chatview.MentionAbove(c.View)
	if !ok {
		return a.desk.Say("No message above names you, of those that are loaded.")
	}
	a.book.screen.FocusOn(keymap.Messages)
	c.View.Select(id)
	return nil
}

// Introduce draws the messages of a room anew.
func Introduce(b *Book, room string) {
	if c := b.chats[room]; c != nil {
		chatview.Reintroduce(c.View)
	}
}

// NewView returns an empty view of the messages of a conversation.
func NewView(b *Book, conversation string) *chatview.View { return b.view(conversation) }

// Filed returns the message with a file or picture that an action is about.
func (a *Actions) Filed() (api.Message, bool) { return a.meant(filed) }

// Zoom shows the picture of a message large.
func (a *Actions) Zoom() tea.Cmd {
	m, ok := a.meant(pictured)
	if !ok {
		return a.desk.Say("There is no picture here.")
	}
	return a.book.gallery.Zoom(m)
}

// Unfold shows all of a long message, or folds it again.
func (a *Actions) Unfold() tea.Cmd {
	m, ok := a.meant(func(m *api.Message) bool { return answerable(m) || m.Change != nil })
	if !ok {
		return nil
	}
	a.book.Open().View.Unfold(m.ID)
	return nil
}

// failed returns the message to retry or discard: the selected one, else the
// last one that failed.
func (a *Actions) failed() (api.Message, bool) {
	c := a.book.Open()
	if c == nil {
		return api.Message{}, false
	}
	if m, ok := c.View.Selected(); ok && failed(&m) {
		return m, true
	}
	return c.View.LastWhere(failed)
}

// Retry queues a failed message again.
func (a *Actions) Retry() tea.Cmd {
	m, ok := a.failed()
	if !ok {
		return a.desk.Say("No failed message here.")
	}
	return desk.Submit(a.desk, nil, "", func(ctx context.Context) (api.Message, error) {
		return a.desk.Node.Retry(ctx, m.ID)
	}, func(m api.Message) tea.Cmd {
		a.put(m)
		return a.desk.Say("Queued again.")
	})
}

// Discard asks before a failed message is erased.
func (a *Actions) Discard() tea.Cmd {
	m, ok := a.failed()
	if !ok {
		return a.desk.Say("No failed message here.")
	}
	a.desk.Confirm(desk.Confirmation{
		Title: catalogue.Mark("Discard this message?"),
		Text:  a.desk.T("It was not delivered. Discarding erases it here."),
		Label: catalogue.Mark("Discard"),
		Then: func() tea.Cmd {
			return a.desk.Do(func(ctx context.Context) error {
				return a.desk.Node.Discard(ctx, m.ID)
			}, func() tea.Cmd { return a.erased(m.ID, a.desk.T("Discarded.")) })
		},
	})
	return nil
}

// Copy puts the selected message into the clipboard.
func (a *Actions) Copy() tea.Cmd {
	c := a.book.Open()
	if c == nil {
		return nil
	}
	m, ok := c.View.Selected()
	if !ok {
		return a.desk.Say("Select a message first: esc, then up and down.")
	}
	text := strings.TrimRight(m.Text.String(), "\n")
	return tea.Batch(tea.SetClipboard(text), a.desk.Say("Copied, if your terminal allows it."))
}
