package rooms

import (
	"context"
	"strconv"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/qrcode"
	"starling/tui/theme"
	"starling/tui/words"
)

// Make asks for the name of a new room.
func (r *Rooms) Make() tea.Cmd { return r.MakeNamed("") }

// MakeNamed is Make with a name to begin with.
func (r *Rooms) MakeNamed(name string) tea.Cmd {
	f := &dialog.Form{Title: "Make a room", Label: "Make the room",
		Intro: "A room is for up to 32 people. No server holds it: it lies, encrypted, at two mailboxes. You are its owner."}
	title := dialog.Line(catalogue.Mark("Name of the room"), catalogue.Mark("All members see it."), api.MaxName)
	title.Text.SetValue(name)
	as := dialog.Line(catalogue.Mark("Your name in it"), catalogue.Mark("It may be another one in every room. Empty: that of your profile."), api.MaxName)
	f.Fields = []*dialog.Field{title, as}
	f.Submit = func() dialog.Action {
		if title.Answer() == "" {
			f.Error = r.desk.T("A name has at least one letter.")
			return dialog.Action{}
		}
		req := api.CreateRoomRequest{Name: title.Answer(), As: as.Answer()}
		return dialog.Keeping(func() tea.Cmd {
			return desk.Submit(r.desk, f, r.desk.T("Putting the room into two mailboxes…"), func(ctx context.Context) (api.Room, error) {
				return r.desk.Node.CreateRoom(ctx, req)
			}, r.made)
		})
	}
	r.desk.Dialogs.Open(f)
	return nil
}

func (r *Rooms) made(room api.Room) tea.Cmd {
	r.Put(r.contact(room))
	return tea.Batch(r.Visit(room.ID), r.desk.Say("The room is there. alt+g, then i, invites people."))
}

// expiries are for how long a link can be used.
var expiries = []struct {
	label string
	time.Duration
}{
	{catalogue.Mark("1 hour"), time.Hour},
	{catalogue.Mark("24 hours"), 24 * time.Hour},
	{catalogue.Mark("7 days"), 7 * 24 * time.Hour},
}

// Invite asks how many people a link into the room is for.
func (r *Rooms) Invite() tea.Cmd {
	return r.led(func(c *api.Contact) tea.Cmd {
		id, name := c.ID, r.desk.Name(c)
		f := &dialog.Form{Title: r.desk.T("Invite into %s", name), Label: "Make the link",
			Intro: "Whoever has the link can use it, as often as you say. It works while you are there to let people in."}
		uses := dialog.Line(catalogue.Mark("For how many people?"), "", 4)
		uses.Text.SetValue("1")
		ask := &dialog.Field{Label: "You are asked before each", Hint: "They wait until you let them in.", Choices: []string{catalogue.Mark("no"), catalogue.Mark("yes")}, Chosen: 1}
		until := &dialog.Field{Label: "Valid for", Chosen: 1}
		for _, e := range expiries {
			until.Choices = append(until.Choices, e.label)
		}

		f.Fields = []*dialog.Field{uses, ask, until}
		f.Submit = func() dialog.Action {
			n, err := strconv.Atoi(uses.Answer())
			if err != nil || n < 1 || n > api.MaxRoomUses {
				f.Error = r.desk.T("A link is for 1 to %d people.", api.MaxRoomUses)
				return dialog.Action{}
			}
			req := api.RoomInviteRequest{Room: id, Uses: n, Approve: ask.Chosen == 1, Expires: expiries[until.Chosen].Duration}
			return dialog.Keeping(func() tea.Cmd {
				return desk.Submit(r.desk, f, r.desk.T("Making the link…"), func(ctx context.Context) (api.RoomInvite, error) {
					return r.desk.Node.InviteToRoom(ctx, req)
				}, func(i api.RoomInvite) tea.Cmd {
					r.showInvite(name, i)
					return nil
				})
			})
		}
		r.desk.Dialogs.Open(f)
		return nil
	})
}

// showInvite shows a link and its QR code.
func (r *Rooms) showInvite(name string, i api.RoomInvite) *dialog.Card {
	until := r.desk.Theme.Time(i.Expires, "Monday 2 January, 15:04")
	said := []string{
		r.desk.N(i.Uses-i.Used, "For %d person", "For %d people") + ", " + r.desk.T("until %s", until) + ".",
		r.desk.T("It works while you are there to let people in."),
	}

	if i.Approve {
		said = append(said, r.desk.T("You are asked before each of them is in."))
	} else {
		said = append(said, r.desk.T("Whoever has it is in at once, and can read and write."))
	}
	if i.Crowded {
		said = append(said, r.desk.T("Somebody fills it: soon nobody else can ask by it. Withdraw it and make another."))
	}
	return qrcode.Open(r.desk, r.desk.T("A link into %s", name), i.Link, said)
}

// Links lists the open links into the room; one that is chosen is shown again, and can be
// withdrawn.
func (r *Rooms) Links() tea.Cmd {
	return r.about(func(c *api.Contact) tea.Cmd {
		id, name := c.ID, r.desk.Name(c)
		return desk.Submit(r.desk, nil, "", func(ctx context.Context) ([]api.RoomInvite, error) {
			return r.desk.Node.RoomInvites(ctx, id)
		}, func(all []api.RoomInvite) tea.Cmd {
			if len(all) == 0 {
				return r.desk.Say("No open links into this room.")
			}
			r.list(name, all)
			return nil
		})
	})
}

func (r *Rooms) list(name string, all []api.RoomInvite) {
	var list *dialog.Picker
	var choices []dialog.Choice
	for _, i := range all {
		end := "…" + i.Link[max(0, len(i.Link)-6):]
		detail := r.desk.T("until %s", r.desk.Theme.Time(i.Expires, "2 Jan 15:04"))
		if i.Crowded {
			detail = r.desk.T("somebody fills it")
		}
		choices = append(choices, dialog.Choice{
			Label: end + "  " + r.desk.T("%d of %d used", i.Used, i.Uses), Detail: detail,
			Action: dialog.Keeping(func() tea.Cmd {
				card := r.showInvite(name, i)
				card.Buttons = append(card.Buttons, dialog.Button{Label: "Withdraw", Key: "w", Action: dialog.Keeping(func() tea.Cmd {
					return r.withdraw(i, list, card)
				})})
				return nil
			}),
		})
	}
	list = dialog.NewPicker("Open links into the room", r.desk.T("the end of the link"), "No such link.", choices)
	r.desk.Dialogs.Open(list)
}

// withdraw asks before a link is withdrawn. The dialogs that show it are closed then.
func (r *Rooms) withdraw(i api.RoomInvite, shown ...dialog.Dialog) tea.Cmd {
	r.desk.Withdraw(catalogue.Mark("Withdraw this link?"),
		r.desk.T("Whoever has it can then no longer use it. Those who are in stay."),
		r.desk.T("Withdrawn. That link no longer works."), shown,
		func(ctx context.Context) error { return r.desk.Node.RevokeRoomInvite(ctx, i.ID) })
	return nil
}

// linkOf keeps of a pasted text what may be the link.
func linkOf(text string) string {
	if link, ok := Link(text); ok {
		return link
	}
	return text
}

// Join asks for a link into a room.
func (r *Rooms) Join() tea.Cmd {
	f := &dialog.Form{Title: "Join a room", Label: "Look at it",
		Intro: "Paste the link that they gave you. You see what it costs before anything leaves this computer."}
	link := dialog.Line(catalogue.Mark("Link into a room"), "", maxLink)
	link.Text.Placeholder = words.RoomScheme + "…"
	link.Pasted = linkOf
	f.Fields = []*dialog.Field{link}
	f.Submit = func() dialog.Action {
		whole, ok := Link(link.Text.Value())
		if !ok {
			f.Error = r.desk.T("Paste the link first. It begins with \"starling-room:\".")
			return dialog.Action{}
		}
		return dialog.Keeping(func() tea.Cmd { return r.look(f, whole) })
	}
	r.desk.Dialogs.Open(f)
	return nil
}

// Look shows the card of a link, to be read before one joins.
func (r *Rooms) Look(link string) tea.Cmd { return r.look(nil, link) }

func (r *Rooms) look(f *dialog.Form, link string) tea.Cmd {
	return desk.Submit(r.desk, f, r.desk.T("Reading the link…"), func(ctx context.Context) (api.RoomCard, error) {
		return r.desk.Node.LookAtRoom(ctx, link)
	}, func(card api.RoomCard) tea.Cmd {
		r.showCard(link, card)
		return nil
	})
}

// Truth is the promise of a room and its limits, in paragraphs. docs/THREATMODEL.md has them
// at length.
func Truth(d *desk.Desk) []string {
	return []string{
		d.T("What is said in the room is hidden from all who are not in it."),
		d.T("Who is in it is less well hidden: any member, or a mailbox of the room, together with your guard can tell after a few messages that your address is in the room, even if you only read."),
		d.T("Rooms are new, and nobody outside has reviewed them. Conversations of two rest on published proofs."),
	}
}

// showCard shows a link's card. Enter joins once all of it was in view.
func (r *Rooms) showCard(link string, card api.RoomCard) {
	d := r.desk
	name := words.Line(card.Name)
	title := d.T("Join a room")
	if name != "" {
		title = d.T("Join %s?", d.Mask(d.Theme.Cells.Steady(name)))
	}
	said := Truth(d)
	how := d.T("You are in as soon as the author of the link is there.")
	if card.Approve {
		how = d.T("Somebody is asked before you are in.")
	}
	said = append(said, how+" "+d.T("The link can be used until %s.", d.Theme.Time(card.Expires, "Monday 2 January, 15:04")))
	d.Dialogs.Open(&dialog.Card{
		Title: title, Width: 64, Whole: true, Body: paragraphs(said),
		Buttons: []dialog.Button{
			{Label: "Go on", Key: "enter", Action: dialog.Closing(func() tea.Cmd { return r.askName(link, title) })},
			{Label: "Leave it", Key: "esc", Action: dialog.Close},
		},
	})
}

// paragraphs is the body of a card: texts with air between them.
func paragraphs(said []string) func(th *theme.Theme, width, height int) []string {
	return func(th *theme.Theme, width, _ int) (out []string) {
		for i, s := range said {
			if i > 0 {
				out = append(out, "")
			}
			out = append(out, th.Cells.Wrap(s, width)...)
		}
		return out
	}
}

// askName asks for our name in a room, and joins it.
func (r *Rooms) askName(link, title string) tea.Cmd {
	f := &dialog.Form{Title: title, Label: "Join"}
	as := dialog.Line(catalogue.Mark("Your name in it"), catalogue.Mark("It may be another one in every room. Empty: that of your profile."), api.MaxName)
	f.Fields = []*dialog.Field{as}
	f.Submit = func() dialog.Action {
		req := api.JoinRoomRequest{Link: link, Name: as.Answer()}
		return dialog.Keeping(func() tea.Cmd {
			return desk.Submit(r.desk, f, r.desk.T("Asking to be let in…"), func(ctx context.Context) (api.Room, error) {
				return r.desk.Node.JoinRoom(ctx, req)
			}, r.joined)
		})
	}
	r.desk.Dialogs.Open(f)
	return nil
}

func (r *Rooms) joined(room api.Room) tea.Cmd {
	if old := r.people.Get(room.ID); old == nil || old.Room == nil || old.Room.State != api.RoomReady {
		r.Put(r.contact(room))
	}
	said := r.desk.Say("You have asked to be let in. It works while the author of the link is there.")
	if room.State == api.RoomReady {
		said = r.desk.Say("You are in.")
	}
	return tea.Batch(r.Visit(room.ID), said)
}

// explain shows the limits of a room.
func (r *Rooms) explain() tea.Cmd {
	r.desk.Dialogs.Open(&dialog.Card{
		Title: "What others can learn of you here", Width: 64, Body: paragraphs(Truth(r.desk)),
		Buttons: []dialog.Button{{Label: "Close", Key: "esc", Action: dialog.Close}},
	})
	return nil
}
