package rooms

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/chatview"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/preferences"
	"starling/tui/theme"
	"starling/tui/words"
)

// newcomers is how many messages those are given that come in.
const newcomers = 100

// Settings asks for the settings of the room. Those that may not change them see them.
func (r *Rooms) Settings() tea.Cmd {
	return r.inside(func(c *api.Contact) tea.Cmd {
		if !leads(c.Room.Role) {
			return r.tell(c)
		}
		return r.change(*c.Room)
	})
}

func (r *Rooms) change(room api.Room) tea.Cmd {
	d := r.desk
	no, yes := catalogue.Mark("no"), catalogue.Mark("yes")
	f := &dialog.Form{Title: "Settings of the room", Label: "Save", Width: 60, Intro: "They hold for all members."}
	name := dialog.Line(catalogue.Mark("Name of the room"), "", api.MaxName)
	name.Text.SetValue(words.Line(room.Name))
	// Incognito hides names in forms as well.
	name.Text.Masked = d.Hidden
	history := &dialog.Field{Label: "Newcomers are given", Choices: []string{catalogue.Mark("nothing said before"), catalogue.Mark("the last 100 messages")}}
	if room.History > 0 {
		history.Chosen = 1
	}
	only := &dialog.Field{Label: "Only the owner and the admins write", Choices: []string{no, yes}}
	if room.AdminsOnly {
		only.Chosen = 1
	}
	labels, values, chosen := preferences.Spans(d.Theme, room.Timer)
	timer := &dialog.Field{Label: "New messages disappear after", Hint: "At all members. Who copies one keeps it.", Choices: labels, Chosen: chosen}

	f.Fields = []*dialog.Field{name, history, only, timer}
	f.Submit = func() dialog.Action {
		if name.Answer() == "" {
			f.Error = d.T("A name has at least one letter.")
			return dialog.Action{}
		}

		// Changed fields alone: another admin may have set the others meanwhile.
		req := api.RoomRequest{Room: room.ID}
		if n := name.Answer(); n != words.Line(room.Name) {
			req.Name = &n
		}
		if n := history.Chosen * newcomers; n != room.History {
			req.History = &n
		}
		if b := only.Chosen == 1; b != room.AdminsOnly {
			req.AdminsOnly = &b
		}
		if n := values[timer.Chosen]; n != room.Timer {
			req.Timer = &n
		}
		if req == (api.RoomRequest{Room: room.ID}) {
			return dialog.Close
		}
		return dialog.Keeping(func() tea.Cmd {
			return desk.Submit(d, f, d.T("Saving…"), func(ctx context.Context) (api.Room, error) {
				return d.Node.ChangeRoom(ctx, req)
			}, func(room api.Room) tea.Cmd {
				r.Put(r.contact(room))
				return d.Say("Saved.")
			})
		})
	}
	d.Dialogs.Open(f)
	return nil
}

// Facts are the settings of a room as lines of a label and a value.
func Facts(th *theme.Theme, room *api.Room) [][2]string {
	history, writers, timer := th.T("nothing said before"), th.T("all but readers"), th.T("never")
	if room.History > 0 {
		history = th.N(room.History, "the last %d message", "the last %d messages")
	}
	if room.AdminsOnly {
		writers = th.T("owner and admins")
	}
	if room.Timer > 0 {
		timer = chatview.Span(th, room.Timer)
	}
	return [][2]string{{th.T("newcomers get"), history}, {th.T("who writes"), writers}, {th.T("disappears"), timer}}
}

// tell shows the settings.
func (r *Rooms) tell(c *api.Contact) tea.Cmd {
	room := *c.Room
	r.desk.Dialogs.Open(&dialog.Card{
		Title: r.desk.Name(c), Width: 56,
		Body: func(th *theme.Theme, width, _ int) (out []string) {
			for _, f := range Facts(th, &room) {
				out = append(out, th.Cells.Ends(th.Muted.Render(f[0]), f[1], width))
			}
			return append(append(out, ""), th.Cells.Wrap(th.T("The owner and the admins can change this."), width)...)
		},
		Buttons: []dialog.Button{{Label: "Close", Key: "esc", Action: dialog.Close}},
	})
	return nil
}

// Leave asks before the room is left.
func (r *Rooms) Leave() tea.Cmd {
	return r.about(func(c *api.Contact) tea.Cmd {
		id, d := c.ID, r.desk
		switch c.Room.State {
		case api.RoomReady, api.RoomAway:
		default:
			return r.Remove(c)
		}
		if c.Room.Role == api.RoleOwner && c.Room.Members > 1 && !c.Room.Unheard {
			return d.Complain("You are the owner: offer the room to somebody first (members, then r).")
		}
		d.Confirm(desk.Confirmation{
			Title: d.T("Leave %s?", d.Name(c)),
			Text:  d.T("The others see that you left. You get nothing more of it, and its messages stay here until you remove the room."),
			Label: catalogue.Mark("Leave"),
			Then: func() tea.Cmd {
				return d.Do(func(ctx context.Context) error { return d.Node.LeaveRoom(ctx, id) }, func() tea.Cmd {
					return d.Say("You have left. alt+g, then d, removes the room.")
				})
			},
		})
		return nil
	})
}

// RemoveMeant is Remove for the room that is meant.
func (r *Rooms) RemoveMeant() tea.Cmd { return r.about(r.Remove) }

// Remove asks before a room that one is not in is erased.
func (r *Rooms) Remove(c *api.Contact) tea.Cmd {
	id, d := c.ID, r.desk
	if words.Holds(c.Room) {
		return d.Complain("You are in this room. Leave it first: alt+g, then l.")
	}

	conf := desk.Confirmation{
		Title: d.T("Remove %s?", d.Name(c)),
		Text:  d.T("This erases the room and all its messages here. It cannot be undone, and coming in again takes another link."),
		Label: catalogue.Mark("Remove"),
	}
	if c.Room.State == api.RoomPending {
		conf.Title, conf.Label = d.T("Take the request back?"), catalogue.Mark("Take it back")
		conf.Text = d.T("You are not let in then. The link can be used again as long as it is valid.")
	}

	conf.Then = func() tea.Cmd {
		return d.Do(func(ctx context.Context) error {
			return d.Node.RemoveContact(ctx, id)
		}, func() tea.Cmd {
			r.Forget(id)
			return tea.Batch(r.Removed(id), d.Say("Removed."))
		})
	}
	d.Confirm(conf)
	return nil
}

// Proof shows the things that members said under one number, side by side as they said them.
func (r *Rooms) Proof() tea.Cmd {
	return r.about(func(c *api.Contact) tea.Cmd {
		if len(c.Room.Forks) == 0 {
			return r.desk.Say("Nobody here was seen to say two things under one number.")
		}
		forks, roster := c.Room.Forks, r.Roster(c.ID)
		r.desk.Dialogs.Open(&dialog.Card{
			Title: "Two things under one number", Width: 70,
			Body: func(th *theme.Theme, width, _ int) []string { return proof(th, r.desk, roster, forks, width) },
			Buttons: []dialog.Button{
				{Label: "Members", Key: "m", Action: dialog.Closing(r.Members)},
				{Label: "Close", Key: "esc", Action: dialog.Close},
			},
		})
		return nil
	})
}

// maxProof is how many lines of a text of a proof are shown.
const maxProof = 12

func proof(th *theme.Theme, d *desk.Desk, roster *Roster, forks []api.Fork, width int) []string {
	out := th.Cells.Wrap(th.T("Each message of a member has a number, and the member's signature. Here one has signed two messages with the same number, so that some may have read the one and some the other. It can come from a restored backup; it can be meant to deceive. Nothing is done to them: ask them, or remove them."), width)
	for _, f := range forks {
		out = append(out, "", th.Author(f.Member).Render(roster.Name(f.Member, safetext.Text{})))
		for i, text := range []safetext.Text{f.First, f.Second} {
			label := th.T("One says:")
			if i == 1 {
				label = th.T("The other says:")
			}
			out = append(out, th.Muted.Render(label))
			lines := th.Cells.Wrap(d.Mask(th.Cells.Steady(text.String())), width-2)
			if len(lines) > maxProof {
				lines = append(lines[:maxProof], "…")
			}
			for _, l := range lines {
				out = append(out, th.Border.Render(theme.GlyphQuote)+" "+l)
			}
		}
	}
	return out
}
