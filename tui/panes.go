package tui

import (
	"fmt"
	"strings"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/chatview"
	"starling/tui/keymap"
	"starling/tui/people"
	"starling/tui/preferences"
	"starling/tui/rooms"
	"starling/tui/term"
	"starling/tui/theme"
	"starling/tui/words"
)

// rowHeight is how many rows a conversation takes in the list.
func (a *App) rowHeight() int {
	if a.height >= tall {
		return 3
	}
	return 2
}

// listView is how the list is drawn.
func (a *App) listView() people.View {
	return people.View{
		Rows: a.rowHeight(), Current: a.book.Current, Focused: a.focus == keymap.List,
		Draft: a.book.Draft, Writing: a.book.IsWriting, Author: a.announcer.author,
	}
}

// standing is the state of a contact, in a glyph and words.
func (a *App) standing(c *api.Contact) string {
	glyph, role := people.Mark(a.desk.Theme, c)
	if glyph != "" {
		glyph += " "
	}
	return role.Render(glyph + words.Standing(a.desk.Theme, c))
}

// header is the top row: the name of each pane.
func (a *App) header() string {
	l, th := a.panes, a.desk.Theme
	var parts []string
	if l.list.w > 0 {
		parts = append(parts, a.listHeader(l.list.w))
	}
	if l.chat.w > 0 {
		parts = append(parts, a.chatHeader(l.chat.w))
	}
	if l.details.w > 0 {
		parts = append(parts, th.Cells.Fit(" "+th.Title.Render(a.desk.T("Details")), l.details.w))
	}
	return strings.Join(parts, th.Border.Render("│"))
}

// head draws the name of a pane.
func (a *App) head(p keymap.Place, s string) string {
	if a.focus == p && a.desk.Dialogs.Top() == nil {
		return a.desk.Theme.Own.Render(s)
	}
	return a.desk.Theme.Title.Render(s)
}

func (a *App) listHeader(w int) string {
	th, right := a.desk.Theme, ""
	if n := a.people.Unread(""); n > 0 {
		right = th.Accent.Render(a.desk.N(n, "%d new", "%d new")) + " "
	}
	name := a.desk.T("Conversations")
	if w < 26 || th.Cells.Width(name)+12 > w {
		name = a.desk.T("Chats")
	}
	return th.Cells.Ends(" "+a.head(keymap.List, name), right, w)
}

// chatHeader names the contact. Where there is one pane it leads back.
func (a *App) chatHeader(w int) string {
	th := a.desk.Theme
	name, mark := title, ""
	if c := a.book.Contact(); c != nil {
		name, mark = a.desk.Name(c), a.standing(c)
	}
	back := " "
	if a.panes.panes == 1 {
		back = th.Muted.Render("‹ ")
		if n := a.people.Unread(a.book.Current); n > 0 {
			back = th.Accent.Render(fmt.Sprintf("‹%d ", n))
		}
	}
	return th.Cells.Ends(back+a.head(keymap.Messages, name), mark+" ", w)
}

// drawChat draws the messages, or the first steps where none are open.
func (a *App) drawChat(w, h int) []string {
	var out []string
	switch {
	case a.book.Current != "":
		out = a.book.DrawMessages(w, h)
	case a.people.Loaded:
		out = steps{a}.draw(w, h)
	}

	for i := range out {
		out[i] = a.desk.Theme.Cells.Fit(out[i], w)
	}
	for len(out) < h {
		out = append(out, term.Spaces(w))
	}
	return out[:h]
}

// pane is a pane of text that is written line by line.
type pane struct {
	th    *theme.Theme
	room  int
	lines []string
}

func (p *pane) add(s string) { p.lines = append(p.lines, " "+p.th.Cells.Fit(s, p.room)+" ") }

func (p *pane) wrap(role theme.Role, s string) {
	for _, l := range p.th.Cells.Wrap(safetext.Clean(s).String(), p.room) {
		p.add(role.Render(l))
	}
}

// row puts a label and its value into one row, or into two where one is too narrow.
func (p *pane) row(label, value string) {
	if p.th.Cells.Width(label)+1+p.th.Cells.Width(value) > p.room {
		p.wrap(p.th.Muted, label)
		label = ""
	}
	p.add(p.th.Cells.Ends(p.th.Muted.Render(label), value, p.room))
}

// drawDetails tells about the open conversation, and about the network.
func (a *App) drawDetails(w, h int) []string {
	p := &pane{th: a.desk.Theme, room: w - 2}
	p.add("")
	if c := a.book.Contact(); c != nil {
		a.contactDetails(p, c)
		a.contactKeys(p, c)
		p.add("")
		p.add(p.th.Border.Render(strings.Repeat("─", p.room)))
		p.add("")
	}
	if a.network.known {
		a.network.details(p)
	}

	for len(p.lines) < h {
		p.lines = append(p.lines, term.Spaces(w))
	}
	return p.lines[:h]
}

// contactDetails tells about a contact and how the conversation is kept.
func (a *App) contactDetails(p *pane, c *api.Contact) {
	th, t := p.th, a.desk.T
	p.wrap(th.Title, a.desk.Name(c))
	p.add(a.standing(c))
	p.add("")
	switch {
	case c.Room != nil:
		roomDetails(a, p, c)
		return
	case c.ID == api.Self:
		p.wrap(th.Muted, t("Nothing of it leaves this computer."))
		if c.Timer > 0 {
			p.add("")
			p.row(t("disappears"), chatview.Span(th, c.Timer))
		}
		return
	case c.State == api.ContactPending:
		p.wrap(th.Muted, t("They have not answered yet. What you write is kept and sent."))
	case !c.Verified:
		p.wrap(th.Muted, t("Compare safety numbers to know that nobody sits between you."))
	default:
		p.wrap(th.Muted, t("You have compared safety numbers."))
	}
	p.add("")

	p.row(t("known since"), th.Time(c.Created, "2 Jan 2006"))
	switch {
	case c.MutedUntil.Equal(api.Forever):
		p.row(t("muted"), t("always"))
	case a.desk.Muted(c):
		p.row(t("muted"), t("until %s", th.Time(c.MutedUntil, "2 Jan 15:04")))
	}
	if c.Timer > 0 {
		p.row(t("disappears"), chatview.Span(th, c.Timer))
	}
	if c.TimerTheirs != c.TimerMine && c.TimerTheirs > 0 {
		p.wrap(th.Warn, t("%s offers messages that disappear after %s.", a.desk.Name(c), chatview.Span(th, c.TimerTheirs)))
	}
	if c.Notify != "" {
		p.row(t("announces"), t(preferences.Level(c.Notify)))
	}
}

// contactKeys names the keys for the conversation, where letters are keys.
func (a *App) contactKeys(p *pane, c *api.Contact) {
	// In the text letters are letters.
	if a.focus == keymap.Composer || c.ID == api.Self {
		return
	}
	t := a.desk.T
	p.add("")
	type key struct {
		id   keymap.ID
		what string
	}

	if c.Room != nil {
		for _, x := range []key{
			{keymap.Members, t("members")}, {keymap.RoomInvite, t("invite")}, {keymap.RoomSettings, t("settings")}, {keymap.Conversation, t("how it is kept")},
		} {
			if x.id == keymap.RoomInvite && !rooms.Leads(c) {
				continue
			}
			p.add(p.th.Accent.Render(p.th.Cells.Fit(a.desk.Keys.Key(a.focus, x.id), 3)) + p.th.Muted.Render(x.what))
		}
		return
	}

	for _, x := range []key{
		{keymap.Verify, t("verify")}, {keymap.Conversation, t("how it is kept")}, {keymap.Timer, t("timer")},
		{keymap.Rename, t("rename")}, {keymap.Block, t("block")}, {keymap.Remove, t("remove")},
	} {
		p.add(p.th.Accent.Render(p.th.Cells.Fit(a.desk.Keys.Key(a.focus, x.id), 3)) + p.th.Muted.Render(x.what))
	}
}

// detailed is how many members the details show.
const detailed = 12

// roomDetails tells about a room: our place in it, its settings, and some of its members.
func roomDetails(a *App, p *pane, c *api.Contact) {
	th, t, room := p.th, a.desk.T, c.Room
	roster := a.rooms.Roster(c.ID)
	if why := rooms.Unwritable(a.desk, c); why != "" {
		p.wrap(th.Warn, why)
		p.add("")
	}

	// Nothing else is known of a room that we are not in.
	if room.State == api.RoomPending || room.State == api.RoomRefused {
		return
	}
	if room.Role != api.RoleNone {
		p.row(t("your role"), words.Role(th, room.Role))
	}
	p.row(t("your name here"), a.desk.Mask(th.Cells.Truncate(th.Cells.Steady(words.Line(room.As)), max(8, p.room-20))))
	for _, f := range rooms.Facts(th, room) {
		p.row(f[0], f[1])
	}
	switch {
	case c.MutedUntil.Equal(api.Forever):
		p.row(t("muted"), t("but for mentions"))
	case a.desk.Muted(c):
		p.row(t("muted"), t("until %s", th.Time(c.MutedUntil, "2 Jan 15:04")))
	}
	p.add("")
	p.wrap(th.Muted, t("Sent: both mailboxes of the room have it. Nobody is told who has read it."))
	p.add("")

	shown := 0
	for _, m := range roster.Inside() {
		if shown++; shown > detailed {
			p.add(th.Muted.Render(th.N(room.Members-detailed, "and %d more", "and %d more")))
			break
		}
		who := roster.Author(m.ID, m.Name)
		mark := ""
		if m.Verified {
			mark = " " + theme.GlyphVerified
		}
		if m.Blocked {
			mark = " " + theme.GlyphBlocked
		}
		role := th.Author(m.ID)
		if m.Self {
			role = th.Own
		}
		right := ""
		if m.Role != api.RoleMember {
			right = words.Role(th, m.Role)
		}
		name := th.Cells.Truncate(who.Name, max(4, p.room-1-th.Cells.Width(who.Tag+mark+right)))
		p.add(th.Cells.Ends(role.Render(name)+th.Muted.Render(who.Tag+mark), th.Muted.Render(right), p.room))
	}
}
