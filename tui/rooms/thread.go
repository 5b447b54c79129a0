package rooms

import (
	"context"
	"slices"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/chatview"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/keymap"
	"starling/tui/theme"
)

// Limits of a thread: the answers up to its beginning, and the pages of messages behind
// that.
const (
	maxUp    = 64
	maxPages = 8
	pageSize = 1000
)

// A thread is a message, the answers to it, the answers to these, and so on: a page of its
// own over the conversation.
type thread struct {
	rooms *Rooms
	title string
	view  *chatview.View
	top   int
}

// Thread shows the thread that a message belongs to.
func (r *Rooms) Thread(m api.Message) tea.Cmd {
	node := r.desk.Node
	return desk.Ask(r.desk, func(ctx context.Context) ([]api.Message, error) {
		return gather(ctx, node, m)
	}, func(all []api.Message, err error) tea.Cmd {
		switch {
		case err != nil:
			return r.desk.Fail(err)
		case len(all) < 2:
			return r.desk.Say("Nothing answers this message, and it answers none.")
		}
		t := &thread{rooms: r, view: r.NewView(m.Conversation), title: r.desk.N(len(all), "Thread of %d message", "Thread of %d messages")}
		t.view.Reset(all, false, true)
		t.view.Resize(1, 1)
		t.view.Select(m.ID)
		r.desk.Dialogs.Open(t)
		return nil
	})
}

// gather finds the messages of a thread, oldest first.
func gather(ctx context.Context, node api.Node, m api.Message) ([]api.Message, error) {
	first := m
	for range maxUp {
		if first.Reply == nil {
			break
		}
		of, err := node.Message(ctx, first.Reply.ID)
		if api.CodeOf(err) == api.CodeNoMessage || err == nil && of.Conversation != m.Conversation {
			break
		}
		if err != nil {
			return nil, err
		}
		if of.Sequence >= first.Sequence {
			break // an answer comes behind
		}
		first = of
	}

	// The rest of it came later.
	all, in := []api.Message{first}, map[string]bool{first.ID: true}
	after := first.Sequence
	for range maxPages {
		page, err := node.History(ctx, api.HistoryRequest{Contact: m.Conversation, After: after, Limit: pageSize})
		if err != nil {
			return nil, err
		}
		for _, x := range page {
			if x.Reply != nil && in[x.Reply.ID] && !in[x.ID] {
				in[x.ID] = true
				all = append(all, x)
			}
			after = max(after, x.Sequence)
		}
		if len(page) < pageSize {
			break
		}
	}
	if !in[m.ID] {
		all = append(all, m)
		slices.SortStableFunc(all, func(a, b api.Message) int { return int(a.Sequence - b.Sequence) })
	}
	return all, nil
}

// Key moves, answers, or goes to the message in the conversation.
func (t *thread) Key(k tea.KeyPressMsg) dialog.Action {
	v := t.view
	key := keymap.Latin(k.Keystroke())

	m, ok := v.Selected()
	switch key {
	case "esc", "q", "ctrl+c", "left", "h":
		return dialog.Close
	case "enter", "space", "o":
		if ok {
			return dialog.Closing(func() tea.Cmd { return t.rooms.GoTo(m) })
		}
	case "r":
		if ok && m.State != api.StateNotice && !m.Deleted {
			return dialog.Closing(func() tea.Cmd { return t.rooms.Answer(m) })
		}
	case "s":
		if ok {
			v.Unfold(m.ID)
		}
	case "up", "k":
		v.Move(-1)
	case "down", "j":
		v.Move(1)
	case "pgup", "ctrl+u":
		v.Page(-1)
		v.SelectLast()
	case "pgdown", "ctrl+d":
		v.Page(1)
		v.SelectLast()
	case "home", "g":
		v.SelectEdge(false)
	case "end", "shift+g":
		v.SelectEdge(true)
	}
	return dialog.Action{}
}

// Paste is nothing to a thread.
func (t *thread) Paste(string) dialog.Action { return dialog.Action{} }

// Click selects a message; the selected one is gone to.
func (t *thread) Click(_, y int) dialog.Action {
	was, _ := t.view.Selected()
	if !t.view.Click(y - t.top) {
		return dialog.Action{}
	}
	if m, _ := t.view.Selected(); m.ID == was.ID {
		return dialog.Closing(func() tea.Cmd { return t.rooms.GoTo(m) })
	}
	return dialog.Action{}
}

// Wheel scrolls.
func (t *thread) Wheel(lines int) { t.view.Scroll(lines) }

// Render draws the thread over the whole screen but for its last row, where notices stand.
func (t *thread) Render(th *theme.Theme, width, height int) dialog.Box {
	box := dialog.Box{Width: width, Covers: true}
	key := func(k, what string) string { return th.Accent.Render(k) + " " + th.Muted.Render(th.T(what)) }
	right := key("enter", catalogue.Mark("goes there")) + "   " + key("r", catalogue.Mark("answers")) + "   " + key("esc", catalogue.Mark("closes"))
	if width < 60 {
		right = key("esc", catalogue.Mark("closes"))
	}
	box.Lines = append(box.Lines, th.Cells.Ends(" "+th.Title.Render(t.title), right+" ", width))
	t.top = 1
	t.view.SetTheme(th)
	t.view.Resize(width, max(1, height-2))
	box.Lines = append(box.Lines, t.view.Render()...)
	box.Lines = append(box.Lines, th.Cells.Fit("", width))
	for i := range box.Lines {
		box.Lines[i] = th.Cells.Fit(box.Lines[i], width)
	}
	if y := t.view.SelectedRow(); y >= 0 {
		box.Cursor, box.CX, box.CY = true, 0, t.top+y
	}
	return box
}
