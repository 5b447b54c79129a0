package rooms

import (
	"context"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/keymap"
	"starling/tui/list"
	"starling/tui/safety"
	"starling/tui/theme"
	"starling/tui/words"
)

// A panel is the members of a room: those at the door first, then by role. A key does
// something with the selected one.
type panel struct {
	rooms  *Rooms
	room   string
	title  string
	chosen string // ID of the selected member
	rows   list.Picker
	places int // rows there is room for
	from   int
}

// Members shows the members of the room.
func (r *Rooms) Members() tea.Cmd {
	return r.about(func(c *api.Contact) tea.Cmd { return r.open(c) })
}

// Door shows the members, with those at the door selected.
func (r *Rooms) Door() tea.Cmd {
	return r.led(func(c *api.Contact) tea.Cmd {
		if c.Room.Waiting == 0 {
			return r.desk.Say("Nobody waits to be let in.")
		}
		return r.open(c)
	})
}

func (r *Rooms) open(c *api.Contact) tea.Cmd {
	r.desk.Dialogs.Open(&panel{rooms: r, room: c.ID, title: r.desk.Name(c)})
	return r.Load(c.ID)
}

// shown are the members in the order shown.
func (p *panel) shown() []api.Member {
	all := slices.Clone(p.rooms.Roster(p.room).members)
	slices.SortStableFunc(all, func(a, b api.Member) int {
		return rank(a) - rank(b)
	})
	return all
}

// rank orders those at the door before the members that offer something, and these before the
// others.
func rank(m api.Member) int {
	switch {
	case m.Waiting:
		return 0
	case m.Asking:
		return 1
	}
	return 2
}

// here is our role in the room, and whether we are in it.
func (p *panel) here() (role api.Role, in bool) {
	c := p.rooms.people.Get(p.room)
	if c == nil || c.Room == nil || c.Room.State != api.RoomReady {
		return api.RoleNone, false
	}
	return c.Room.Role, true
}

// selected is the member that keys are about.
func (p *panel) selected() (api.Member, bool) {
	all := p.shown()
	if i := slices.IndexFunc(all, func(m api.Member) bool { return m.ID == p.chosen }); i >= 0 {
		return all[i], true
	}
	if p.rows.Selected < len(all) {
		return all[p.rows.Selected], true
	}
	return api.Member{}, false
}

// nextWaiting is the one at the door behind another, or the first of them.
func (p *panel) nextWaiting(id string) string {
	next, behind := "", false
	for _, m := range p.shown() {
		switch {
		case m.ID == id:
			behind = true
		case m.Waiting && (behind || next == ""):
			next = m.ID
			if behind {
				return next
			}
		}
	}
	return next
}

func (p *panel) move(by int) {
	all := p.shown()
	if i := slices.IndexFunc(all, func(m api.Member) bool { return m.ID == p.chosen }); i >= 0 {
		p.rows.Selected = i
	}
	p.rows.Move(by, len(all))
	if p.rows.Selected < len(all) {
		p.chosen = all[p.rows.Selected].ID
	}
}

// A deed is something that can be done with a member.
type deed struct {
	key, label string
	do         func() tea.Cmd
}

// deeds are those with a member, by their role and ours.
func (p *panel) deeds(m api.Member) (out []deed) {
	r := p.rooms
	role, in := p.here()
	add := func(cond bool, key, label string, do func() tea.Cmd) {
		if cond {
			out = append(out, deed{key, label, do})
		}
	}

	may := in && (role == api.RoleOwner || role == api.RoleAdmin && !leads(m.Role))
	add(m.Waiting && in, "y", catalogue.Mark("let in"), func() tea.Cmd { return r.answer(p.room, m, true) })
	add(m.Waiting && in, "n", catalogue.Mark("turn away"), func() tea.Cmd { return r.answer(p.room, m, false) })
	add(m.Asking && in, "y", catalogue.Mark("talk alone"), func() tea.Cmd { return r.takePrivate(p.room, m) })
	add(m.Asking && in, "n", catalogue.Mark("decline"), func() tea.Cmd { return r.declinePrivate(p.room, m) })
	add(!m.Waiting && !m.Self && !m.Asking && in, "p", catalogue.Mark("talk alone"), func() tea.Cmd { return r.askPrivate(p.room, m) })
	add(!m.Waiting && !m.Self && may, "r", catalogue.Mark("role"), func() tea.Cmd { return r.askRole(p.room, m) })
	add(!m.Waiting && !m.Self && may, "d", catalogue.Mark("remove"), func() tea.Cmd { return r.askRemove(p.room, m, false) })
	add(!m.Waiting && !m.Self && may, "B", catalogue.Mark("ban"), func() tea.Cmd { return r.askRemove(p.room, m, true) })
	add(!m.Waiting && !m.Self, "v", catalogue.Mark("verify"), func() tea.Cmd { return r.verify(p.room, m) })
	add(!m.Self && !m.Blocked, "b", catalogue.Mark("block here"), func() tea.Cmd { return r.block(p.room, m, true) })
	add(!m.Self && m.Blocked, "b", catalogue.Mark("unblock"), func() tea.Cmd { return r.block(p.room, m, false) })
	add(m.Self && m.Offered && in, "t", catalogue.Mark("take the room"), func() tea.Cmd { return r.takeOver(p.room) })
	add(in && leads(role), "i", catalogue.Mark("invite"), r.Invite)
	return out
}

// Key moves, or does something with the selected member.
func (p *panel) Key(k tea.KeyPressMsg) dialog.Action {
	m, ok := p.selected()
	if ok {
		for _, d := range p.deeds(m) {
			if k.String() == d.key || keymap.Latin(k.String()) == d.key {
				if m.Waiting {
					p.chosen = p.nextWaiting(m.ID)
				}
				return dialog.Keeping(d.do)
			}
		}
	}

	switch k.Keystroke() {
	case "esc", "ctrl+c", "q", "left", "h":
		return dialog.Close
	case "enter", "space", "right", "l":
		if ok {
			return dialog.Keeping(func() tea.Cmd { return p.menu(m) })
		}
	case "up", "k", "shift+tab":
		p.move(-1)
	case "down", "j", "tab":
		p.move(1)
	case "pgup", "ctrl+u":
		p.move(-p.places)
	case "pgdown", "ctrl+d":
		p.move(p.places)
	case "home", "g":
		p.move(-api.MaxMembers * 100)
	case "end", "shift+g":
		p.move(api.MaxMembers * 100)
	}
	return dialog.Action{}
}

// menu offers the deeds with a member.
func (p *panel) menu(m api.Member) tea.Cmd {
	r := p.rooms
	menu := &dialog.Menu{Title: r.Roster(p.room).Name(m.ID, m.Name)}
	for _, d := range p.deeds(m) {
		menu.Items = append(menu.Items, dialog.Item{Label: r.desk.T(d.label), Key: d.key, Action: dialog.Closing(d.do)})
	}
	if len(menu.Items) == 0 {
		return r.desk.Say("Nothing can be done here.")
	}
	r.desk.Dialogs.Open(menu)
	return nil
}

// Paste is nothing to the panel.
func (p *panel) Paste(string) dialog.Action { return dialog.Action{} }

// Click selects a member; the selected one opens its menu.
func (p *panel) Click(_, y int) dialog.Action {
	all := p.shown()
	from, to := p.rows.Window(len(all), p.places)
	i := from + y - p.from
	if y < p.from || i >= to {
		return dialog.Action{}
	}
	if again := all[i].ID == p.chosen; again {
		return dialog.Keeping(func() tea.Cmd { return p.menu(all[i]) })
	}
	p.chosen, p.rows.Selected = all[i].ID, i
	return dialog.Action{}
}

// Wheel scrolls.
func (p *panel) Wheel(lines int) {
	p.rows.Scroll(lines, len(p.shown()), p.places)
	p.chosen = ""
}

// Render draws the panel. The text cursor stands on the selected member, for users of a
// screen reader.
func (p *panel) Render(th *theme.Theme, width, height int) dialog.Box {
	roster, all := p.rooms.Roster(p.room), p.shown()
	frame := dialog.NewFrame(th, p.title, 72, width, height)
	inside := len(all) - roster.waiting()
	head := th.N(inside, "%d member", "%d members")
	if n := roster.waiting(); n > 0 {
		head += " · " + th.N(n, "%d waits to be let in", "%d wait to be let in")
	}
	if !roster.Known {
		head = th.T("asking who is here…")
	}
	frame.Add(th.Muted.Render(head))

	// The keys for the selected one stand below, in as many rows as they need.
	m, _ := p.selected()
	foot := p.foot(th, m, frame.Inner)
	p.from = frame.Top()
	p.places = max(1, frame.Room()-len(foot)-1)
	if i := slices.IndexFunc(all, func(o api.Member) bool { return o.ID == p.chosen }); i >= 0 {
		p.rows.Selected = i
	}
	from, to := p.rows.Window(len(all), p.places)
	for i := from; i < to; i++ {
		if i == p.rows.Selected {
			frame.Cursor(0, 1+i-from)
		}
		frame.Add(p.row(th, roster, all[i], i == p.rows.Selected, frame.Inner))
	}
	for range min(p.places, len(all)) - (to - from) {
		frame.Add("")
	}
	frame.Add(th.Border.Render(strings.Repeat("─", frame.Inner)))
	for _, f := range foot {
		frame.Add(f)
	}
	return frame.Box()
}

// row is one member: the name, the marks, and the role.
func (p *panel) row(th *theme.Theme, roster *Roster, m api.Member, selected bool, w int) string {
	a := roster.Author(m.ID, m.Name)
	right := words.Role(th, m.Role)
	var marks []string
	if m.Self {
		marks = append(marks, th.T("you"))
	}
	switch {
	case m.Waiting:
		right = theme.GlyphPending + " " + th.T("at the door")
	case m.Asking:
		right = theme.GlyphNotice + " " + th.T("wants to talk alone") + " · " + right
	case m.Offered && m.Role != api.RoleOwner:
		right = th.T("offered the room") + " · " + right
	}
	if m.Blocked {
		marks = append(marks, theme.GlyphBlocked+" "+th.T("blocked"))
	}
	if m.Verified {
		marks = append(marks, theme.GlyphVerified+" "+th.T("verified"))
	}

	mark := ""
	if len(marks) > 0 {
		mark = "  " + strings.Join(marks, " ")
	}
	bar := " "
	if selected {
		bar = th.Accent.Render(theme.GlyphBar)
	}
	if th.Cells.Width(right) > w/2 { // the name goes first
		right = theme.GlyphNotice + " " + words.Role(th, m.Role)
	}

	// The tag is never cut: it tells two members of one name apart.
	room := w - 4 - th.Cells.Width(right) - th.Cells.Width(mark) - th.Cells.Width(a.Tag)
	name := th.Cells.Truncate(a.Name, max(4, room))
	if selected {
		return bar + th.Selected.Render(th.Cells.Ends(" "+name+a.Tag+mark, right+" ", w-1))
	}
	role := th.Author(m.ID)
	if m.Self {
		role = th.Own
	}
	return bar + th.Cells.Ends(" "+role.Render(name)+th.Muted.Render(a.Tag+mark), th.Muted.Render(right)+" ", w-1)
}

// foot is the keys for a member.
func (p *panel) foot(th *theme.Theme, m api.Member, w int) (out []string) {
	line, used := "", 0
	add := func(key, label string) {
		piece := th.Accent.Render(key) + " " + th.Muted.Render(th.T(label))
		n := th.Cells.Width(piece)
		if used > 0 && used+3+n > w {
			out = append(out, line)
			line, used = "", 0
		}
		if used > 0 {
			line += "   "
			used += 3
		}
		line += piece
		used += n
	}
	for _, d := range p.deeds(m) {
		add(d.key, d.label)
	}
	add("esc", catalogue.Mark("closes"))
	return append(out, line)
}

// member has a member changed, and the roster loaded anew.
func (r *Rooms) member(room string, ask func(context.Context) error, note string) tea.Cmd {
	return r.desk.Do(ask, func() tea.Cmd { return tea.Batch(r.Load(room), r.desk.Note(note, false)) })
}

// answer lets somebody in, or turns them away.
func (r *Rooms) answer(room string, m api.Member, admit bool) tea.Cmd {
	name := r.Roster(room).Name(m.ID, m.Name)
	note := r.desk.T("%s was turned away.", name)
	if admit {
		note = r.desk.T("%s is in.", name)
	}
	return r.member(room, func(ctx context.Context) error {
		return r.desk.Node.AnswerKnock(ctx, api.KnockRequest{Room: room, Member: m.ID, Admit: admit})
	}, note)
}

// askRole asks for another role.
func (r *Rooms) askRole(room string, m api.Member) tea.Cmd {
	name := r.Roster(room).Name(m.ID, m.Name)
	menu := &dialog.Menu{Title: r.desk.T("Role of %s", name)}
	add := func(role api.Role, key, label string) {
		if role != m.Role {
			menu.Items = append(menu.Items, dialog.Item{Label: label, Key: key, Action: dialog.Closing(func() tea.Cmd { return r.setRole(room, m, role) })})
		}
	}
	if c := r.people.Get(room); c != nil && c.Room != nil && c.Room.Role == api.RoleOwner {
		add(api.RoleAdmin, "a", r.desk.T("admin: lets people in and out, and changes the settings"))
	}
	add(api.RoleMember, "m", r.desk.T("member: reads and writes"))
	add(api.RoleReader, "r", r.desk.T("reader: only reads"))
	if c := r.people.Get(room); c != nil && c.Room != nil && c.Room.Role == api.RoleOwner {
		menu.Items = append(menu.Items, dialog.Item{Label: r.desk.T("owner: offer them the room"), Key: "o", Action: dialog.Closing(func() tea.Cmd { return r.askOffer(room, m) })})
	}
	r.desk.Dialogs.Open(menu)
	return nil
}

func (r *Rooms) setRole(room string, m api.Member, role api.Role) tea.Cmd {
	name := r.Roster(room).Name(m.ID, m.Name)
	return r.member(room, func(ctx context.Context) error {
		_, err := r.desk.Node.ChangeMember(ctx, api.MemberRequest{Room: room, Member: m.ID, Role: role})
		return err
	}, r.desk.T("%s: %s", name, words.Role(r.desk.Theme, role)))
}

// askOffer asks before the room is offered to another owner.
func (r *Rooms) askOffer(room string, m api.Member) tea.Cmd {
	name := r.Roster(room).Name(m.ID, m.Name)
	r.desk.Confirm(desk.Confirmation{
		Title: r.desk.T("Offer the room to %s?", name),
		Text:  r.desk.T("A room has one owner. It is theirs once they take it, and you stay an admin. They can then do everything in it, with you too."),
		Label: catalogue.Mark("Offer it"),
		Then: func() tea.Cmd {
			return r.member(room, func(ctx context.Context) error {
				_, err := r.desk.Node.ChangeMember(ctx, api.MemberRequest{Room: room, Member: m.ID, Role: api.RoleOwner})
				return err
			}, r.desk.T("Offered. It is theirs once they take it."))
		},
	})
	return nil
}

// takeOver takes a room that its owner offers.
func (r *Rooms) takeOver(room string) tea.Cmd {
	us := r.Roster(room).Us()
	if us == nil {
		return nil
	}
	id := us.ID
	return r.member(room, func(ctx context.Context) error {
		_, err := r.desk.Node.ChangeMember(ctx, api.MemberRequest{Room: room, Member: id, Role: api.RoleOwner})
		return err
	}, r.desk.T("The room is yours."))
}

// askRemove asks before somebody is removed, or banned.
func (r *Rooms) askRemove(room string, m api.Member, ban bool) tea.Cmd {
	d, name := r.desk, r.Roster(room).Name(m.ID, m.Name)
	c := desk.Confirmation{
		Title: d.T("Remove %s from the room?", name),
		Text:  d.T("They read nothing that is said from then on. They keep what they have, and until all members know of it they may still read. Another link lets them in again."),
		Label: catalogue.Mark("Remove"),
	}
	note := d.T("%s was removed.", name)
	if ban {
		c.Title, c.Label = d.T("Ban %s from the room?", name), catalogue.Mark("Ban")
		c.Text = d.T("They are removed and do not come in again as who they are now, and the links they made end. Somebody who makes a new profile is somebody new.")
		note = d.T("%s was banned.", name)
	}
	c.Then = func() tea.Cmd {
		return r.member(room, func(ctx context.Context) error {
			_, err := d.Node.ChangeMember(ctx, api.MemberRequest{Room: room, Member: m.ID, Role: api.RoleNone, Ban: ban})
			return err
		}, note)
	}
	d.Confirm(c)
	return nil
}

// block hides the messages of a member, here alone.
func (r *Rooms) block(room string, m api.Member, blocked bool) tea.Cmd {
	name := r.Roster(room).Name(m.ID, m.Name)
	note := r.desk.T("%s is shown again.", name)
	if blocked {
		note = r.desk.T("%s is hidden here. Nobody else notices.", name)
	}
	return r.member(room, func(ctx context.Context) error {
		_, err := r.desk.Node.BlockMember(ctx, api.BlockMemberRequest{Room: room, Member: m.ID, Blocked: blocked})
		return err
	}, note)
}

// verify shows the numbers that two members compare.
func (r *Rooms) verify(room string, m api.Member) tea.Cmd {
	name := r.Roster(room).Name(m.ID, m.Name)
	return desk.Submit(r.desk, nil, "", func(ctx context.Context) (api.Verification, error) {
		return r.desk.Node.MemberVerification(ctx, room, m.ID)
	}, func(v api.Verification) tea.Cmd {
		safety.Compare(r.desk, safety.Comparison{Name: name, Member: true, Verification: v, Mark: func(seen string) tea.Cmd {
			note := r.desk.T("No longer marked as verified.")
			if seen != "" {
				note = r.desk.T("Marked as verified.")
			}
			return r.member(room, func(ctx context.Context) error {
				_, err := r.desk.Node.SetMemberVerified(ctx, room, m.ID, seen)
				return err
			}, note)
		}})
		return nil
	})
}
