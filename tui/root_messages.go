package tui

import (
	"context"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/dialog"
	"starling/tui/keymap"
	"starling/tui/theme"
	"starling/tui/words"
)

// Actions of the dialogs about a message.
type (
	deleteAction struct {
		message string
		both    bool
	}
	reactAction   struct{ message, emoji string }
	forwardAction struct{ message, contact string }
	emojiAction   struct{ char string }
)

type (
	// changedMsg is what became of a message that was edited.
	changedMsg struct {
		of      api.Message // as it was
		text    string
		message api.Message
		err     error
	}
	// originalMsg is a message that another one answers.
	originalMsg struct {
		message api.Message
		err     error
	}
)

// meant returns the message that an action is about: the selected one, else
// the last one that is right.
func (a *App) meant(right func(*api.Message) bool) (api.Message, bool) {
	c := a.open()
	if c == nil {
		return api.Message{}, false
	}
	if m, ok := c.view.Selected(); ok {
		return m, right(&m)
	}
	return c.view.LastWhere(right)
}

func answerable(m *api.Message) bool { return m.State != api.StateNotice && !m.Deleted }
func incoming(m *api.Message) bool   { return !m.Outgoing && answerable(m) }
func failed(m *api.Message) bool     { return m.State == api.StateFailed }
func editable(m *api.Message) bool {
	return m.Outgoing && answerable(m) && m.State != api.StateFailed && (m.Picture == nil || !m.Text.IsZero()) && !m.Forwarded
}

// message does what the table of keys names with a message.
func (a *App) message(id keymap.ID) tea.Cmd {
	switch id {
	case keymap.Menu:
		return a.openMenu()
	case keymap.Reply:
		right := answerable
		if a.focus != keymap.Messages {
			right = incoming
		}
		m, ok := a.meant(right)
		if !ok {
			return a.say("There is nothing here to answer.")
		}
		a.answer(m)
	case keymap.EditMessage:
		m, ok := a.meant(editable)
		if !ok {
			return a.say("Only a text of your own can be edited.")
		}
		a.change(m)
	case keymap.Delete:
		m, ok := a.meant(func(*api.Message) bool { return true })
		if !ok {
			return nil
		}
		if c := a.open(); slices.ContainsFunc(c.told, func(told api.Message) bool { return told.ID == m.ID }) {
			c.told = slices.DeleteFunc(c.told, func(told api.Message) bool { return told.ID == m.ID })
			c.view.Remove(m.ID) // the node does not know of it
			return nil
		}
		a.openDelete(m)
	case keymap.React:
		m, ok := a.meant(answerable)
		if !ok {
			return a.say("There is nothing here to react to.")
		}
		a.openReactions(m)
	case keymap.Forward:
		m, ok := a.meant(answerable)
		if !ok {
			return a.say("There is nothing here to forward.")
		}
		a.openForward(m)
	case keymap.Original:
		m, ok := a.meant(func(m *api.Message) bool { return m.Reply != nil })
		if !ok {
			return a.say("This message answers none.")
		}
		return a.original(m)
	case keymap.Zoom:
		m, ok := a.meant(func(m *api.Message) bool { return m.Picture != nil && !m.Deleted })
		if !ok {
			return a.say("There is no picture here.")
		}
		return a.zoom(m)
	case keymap.Emoji:
		if a.writable() {
			a.openEmoji("Put in an emoji", func(e string) any { return emojiAction{e} }, nil)
		}
	case keymap.Retry, keymap.Discard:
		return a.resolve(id)
	case keymap.Copy:
		return a.copyMessage()
	}
	return nil
}

// openMenu offers what can be done with the selected message.
func (a *App) openMenu() tea.Cmd {
	m, ok := a.meant(func(*api.Message) bool { return true })
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
	add(m.Reply != nil, keymap.Original)
	add(m.Picture != nil && can, keymap.Zoom)
	add(true, keymap.Delete)
	menu := &dialog.Menu{Title: a.t("Message")}
	for _, id := range ids {
		menu.Items = append(menu.Items, dialog.Item{Label: a.name(id), Key: a.keys.Key(keymap.Messages, id), Action: doAction{id}})
	}
	a.dialogs.Open(menu)
	return nil
}

// answer begins an answer to a message.
func (a *App) answer(m api.Message) {
	c := a.open()
	a.unedit(c)
	c.reply = &m
	a.focusOn(keymap.Composer)
	c.edits++
}

// change takes the text of an own message to be edited; what was there waits.
func (a *App) change(m api.Message) {
	c := a.open()
	if c.editing == nil {
		c.kept = c.text.Value()
	}
	c.editing, c.reply = &m, nil
	c.text.SetValue(m.Text.String())
	a.focusOn(keymap.Composer)
}

// unedit gives an edit up and brings back what was there before.
func (a *App) unedit(c *chat) {
	if c.editing != nil {
		c.editing = nil
		c.text.SetValue(c.kept)
		c.kept = ""
	}
}

// dismiss takes back that the text answers or edits, and reports whether it
// did.
func (a *App) dismiss() bool {
	c := a.open()
	switch {
	case c == nil:
		return false
	case c.editing != nil:
		a.unedit(c)
	case c.reply != nil:
		c.reply = nil
		c.edits++
	default:
		return false
	}
	return true
}

// banner is the line above the text that says what it answers or edits, "" if
// it does neither.
func (a *App) banner(c *chat, w int) string {
	th := a.th
	var head, text string
	switch {
	case c.editing != nil:
		head, text = theme.GlyphDraft+" "+a.t("editing"), a.oneLine(c.editing.Text.String())
	case c.reply != nil:
		who := a.t("you")
		if p := a.contact(c.id); p != nil && !c.reply.Outgoing {
			who = a.nameOf(p)
		}
		head, text = theme.GlyphReply+" "+who, a.oneLine(c.reply.Text.String())
		if c.reply.Text.IsZero() && c.reply.Picture != nil {
			text = a.t("a picture")
		}
	default:
		return ""
	}
	right := th.Accent.Render("esc") + " " + th.Muted.Render(a.t("cancels"))
	return th.Cells.Ends(" "+th.Accent.Render(head)+"  "+th.Muted.Render(text), right+" ", w)
}

// submitEdit hands the changed text to the node.
func (a *App) submitEdit(c *chat, text string) tea.Cmd {
	of := *c.editing
	a.unedit(c)
	if text == of.Text.String() {
		return nil
	}
	return a.call(func(ctx context.Context) tea.Msg {
		m, err := a.node.Edit(ctx, api.EditRequest{Message: of.ID, Text: text})
		return changedMsg{of, text, m, err}
	})
}

// gotChanged shows the changed message, or brings the text back.
func (a *App) gotChanged(msg changedMsg) tea.Cmd {
	c := a.chat(msg.of.Conversation)
	if msg.err == nil {
		c.view.Change(msg.message)
		return nil
	}
	if c.editing == nil {
		c.kept, c.editing = c.text.Value(), &msg.of
		c.text.SetValue(msg.text)
	}
	return a.fail(msg.err)
}

func (a *App) openDelete(m api.Message) {
	card := &dialog.Card{Title: "Delete this message?", Width: 52}
	text := a.t("It is erased on this device. Your contact keeps what they have.")
	card.Buttons = []dialog.Button{{Label: "Delete here", Key: "y", Action: deleteAction{m.ID, false}}}
	if m.Outgoing && !m.Deleted && m.State != api.StateFailed {
		text = a.t("It is erased on this device, and, if you like, your contact's device is asked to erase it too. Whether they have read or copied it nobody can undo.")
		card.Buttons = append(card.Buttons, dialog.Button{Label: "Delete for both", Key: "b", Action: deleteAction{m.ID, true}})
	}
	card.Buttons = append(card.Buttons, dialog.Button{Label: "Keep", Key: "esc", Action: dialog.Close{}})
	card.Body = func(th *theme.Theme, width, _ int) []string { return th.Cells.Wrap(text, width) }
	a.dialogs.Open(card)
}

func (a *App) erase(d deleteAction) tea.Cmd {
	note := a.t("Deleted here.")
	if d.both {
		note = a.t("Deleted here; your contact's device is asked to do the same.")
	}
	return a.ask(func(ctx context.Context) resultMsg {
		err := a.node.Delete(ctx, api.DeleteRequest{Messages: []string{d.message}, Both: d.both})
		r := resultMsg{err: err, note: note}
		if !d.both {
			r.erased = d.message // what was taken back says so and stays
		}
		return r
	})
}

func (a *App) openReactions(m api.Message) {
	var first []dialog.Choice
	for _, r := range m.Reactions {
		if r.Outgoing {
			first = append(first, dialog.Choice{Label: a.t("Take back %s", a.mask(r.Emoji.String())), Action: reactAction{m.ID, ""}})
		}
	}
	a.openEmoji("React", func(e string) any { return reactAction{m.ID, e} }, first)
}

// openEmoji lets an emoji be found by its name, those used last first.
func (a *App) openEmoji(title string, action func(string) any, first []dialog.Choice) {
	choices := first
	for _, e := range a.recent.Sorted() {
		choices = append(choices, dialog.Choice{Label: e.Char + "  " + a.t(e.Name), Find: a.t(e.Name), Action: action(e.Char)})
	}
	a.dialogs.Open(dialog.NewPicker(title, a.t("type its name"), "No emoji of that name.", choices))
}

func (a *App) react(r reactAction) tea.Cmd {
	if r.emoji != "" {
		a.recent.Use(r.emoji)
	}
	return a.ask(func(ctx context.Context) resultMsg {
		m, err := a.node.React(ctx, api.ReactRequest{Message: r.message, Emoji: r.emoji})
		return resultMsg{err: err, message: &m}
	})
}

func (a *App) openForward(m api.Message) {
	var choices []dialog.Choice
	for i := range a.people {
		if p := &a.people[i]; !p.Blocked {
			choices = append(choices, dialog.Choice{Label: a.nameOf(p), Find: a.openName(p), Action: forwardAction{m.ID, p.ID}})
		}
	}
	a.dialogs.Open(dialog.NewPicker("Forward to", a.t("type a name"), "Nobody of that name.", choices))
}

func (a *App) forward(f forwardAction) tea.Cmd {
	a.outgoing = append(a.outgoing, outgoing{contact: f.contact, forward: f.message, id: words.NewID()})
	note := tea.Cmd(nil)
	if p := a.contact(f.contact); p != nil {
		note = a.say("Forwarded to %s.", a.nameOf(p))
	}
	return tea.Batch(a.sendNext(), note)
}

// original goes to the message that one answers.
func (a *App) original(m api.Message) tea.Cmd {
	if m.Reply == nil {
		return a.say("This message answers none.")
	}
	id := m.Reply.ID
	if c := a.open(); c.view.Has(id) {
		a.focusOn(keymap.Messages)
		c.view.Select(id)
		return nil
	}
	return a.call(func(ctx context.Context) tea.Msg {
		m, err := a.node.Message(ctx, id)
		return originalMsg{m, err}
	})
}

func (a *App) gotOriginal(msg originalMsg) tea.Cmd {
	if msg.err != nil {
		if api.CodeOf(msg.err) == api.CodeNoMessage {
			return a.say("That message is not here any more.")
		}
		return a.fail(msg.err)
	}
	return a.goTo(msg.message, nil)
}

// resolve retries or discards a failed message: the selected one, else the
// last one that failed.
func (a *App) resolve(id keymap.ID) tea.Cmd {
	c := a.open()
	if c == nil {
		return nil
	}
	m, ok := c.view.Selected()
	if !ok || m.State != api.StateFailed {
		if m, ok = c.view.LastWhere(failed); !ok {
			return a.say("No failed message here.")
		}
	}
	if id == keymap.Retry {
		return a.retry(m.ID)
	}
	a.confirm(confirmation{
		title: catalogue.Mark("Discard this message?"),
		text:  a.t("It was not delivered. Discarding erases it here."),
		label: catalogue.Mark("Discard"),
		then:  discardAction{m.ID},
	})
	return nil
}

func (a *App) copyMessage() tea.Cmd {
	c := a.open()
	if c == nil {
		return nil
	}
	m, ok := c.view.Selected()
	if !ok {
		return a.say("Select a message first: esc, then up and down.")
	}
	return tea.Batch(tea.SetClipboard(strings.TrimRight(m.Text.String(), "\n")), a.say("Copied, if your terminal allows it."))
}
