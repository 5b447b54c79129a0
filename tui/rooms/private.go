package rooms

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/desk"
	"starling/tui/dialog"
)

// given is the knowledge that a conversation of two gives the other member.
func given(d *desk.Desk) string {
	return d.T("They learn that this contact is you in the room. They see your name in the room and not that of your profile, a new identity, and mailboxes that only they are told of. The others see that you said something to one of them, and not to whom.")
}

// askPrivate asks before a member is offered a conversation of two.
func (r *Rooms) askPrivate(room string, m api.Member) tea.Cmd {
	d, name := r.desk, r.Roster(room).Name(m.ID, m.Name)
	d.Confirm(desk.Confirmation{
		Title: d.T("Offer %s a conversation of two?", name), Text: given(d), Label: catalogue.Mark("Offer it"),
		Then: func() tea.Cmd {
			return r.member(room, func(ctx context.Context) error {
				_, err := d.Node.InviteMember(ctx, api.MemberInviteRequest{Room: room, Member: m.ID})
				return err
			}, d.T("Offered. They are a contact once they take it."))
		},
	})
	return nil
}

// takePrivate asks before the conversation of two is taken that a member offers.
func (r *Rooms) takePrivate(room string, m api.Member) tea.Cmd {
	d, name := r.desk, r.Roster(room).Name(m.ID, m.Name)
	d.Confirm(desk.Confirmation{
		Title: d.T("Talk with %s alone?", name), Label: catalogue.Mark("Take it"),
		Text: given(d) + " " + d.T("Nothing of it was opened yet. It may be somebody else's invite: compare the safety number with them."),
		Then: func() tea.Cmd {
			return desk.Submit(d, nil, "", func(ctx context.Context) (api.Contact, error) {
				return d.Node.AnswerMember(ctx, api.MemberAnswerRequest{Room: room, Member: m.ID, Accept: true})
			}, func(c api.Contact) tea.Cmd {
				r.Put(c)
				d.Dialogs.Clear()
				return tea.Batch(r.Load(room), r.Visit(c.ID), d.Say("A new contact. It can take a while until they answer."))
			})
		},
	})
	return nil
}

// declinePrivate refuses the conversation of two that a member offers.
func (r *Rooms) declinePrivate(room string, m api.Member) tea.Cmd {
	return r.member(room, func(ctx context.Context) error {
		_, err := r.desk.Node.AnswerMember(ctx, api.MemberAnswerRequest{Room: room, Member: m.ID})
		return err
	}, r.desk.T("Declined. They are not told."))
}

// Send sends a contact a link into a room, for them alone. From a conversation of two the room
// is asked for, from a room the contact.
func (r *Rooms) Send() tea.Cmd {
	c := r.Meant()
	switch {
	case c == nil || c.ID == api.Self:
		return r.desk.Say("Open a conversation or a room first.")
	case c.Room == nil:
		return r.pick(r.desk.T("Invite %s into which room?", r.desk.Name(c)), "No such room of yours.", leading, func(room string) tea.Cmd { return r.send(room, c.ID) })
	}
	return r.led(func(room *api.Contact) tea.Cmd {
		return r.pick(r.desk.T("Invite whom into %s?", r.desk.Name(room)), "Nobody of that name.", invitable, func(contact string) tea.Cmd { return r.send(room.ID, contact) })
	})
}

// leading reports whether we may invite into a conversation.
func leading(c *api.Contact) bool {
	return c.Room != nil && c.Room.State == api.RoomReady && leads(c.Room.Role)
}

// invitable reports whether a conversation is one with a person that we write to.
func invitable(c *api.Contact) bool {
	return c.Room == nil && c.State == api.ContactReady && !c.Blocked
}

// pick has one of some conversations chosen.
func (r *Rooms) pick(title, none string, which func(*api.Contact) bool, then func(id string) tea.Cmd) tea.Cmd {
	var choices []dialog.Choice
	for _, c := range r.people.All() {
		if which(&c) {
			id := c.ID
			choices = append(choices, dialog.Choice{Label: r.desk.Name(&c), Action: dialog.Closing(func() tea.Cmd { return then(id) })})
		}
	}
	r.desk.Dialogs.Open(dialog.NewPicker(title, r.desk.T("type a name"), none, choices))
	return nil
}

func (r *Rooms) send(room, contact string) tea.Cmd {
	return r.desk.Do(func(ctx context.Context) error {
		_, err := r.desk.Node.InviteToRoom(ctx, api.RoomInviteRequest{Room: room, To: contact})
		return err
	}, func() tea.Cmd { return r.desk.Say("The link is sent, for them alone and 24 hours. l joins by it.") })
}
