package linear

import (
	"context"
	"strings"

	"starling/node/api"
)

// private offers a member a conversation of two.
func (r roomTalk) private(ctx context.Context, who string) error {
	who, sure := strings.CutSuffix(who, " yes")
	return r.someone(ctx, who, func(room *api.Room, m *api.Member) error {
		if !sure {
			r.say("They learn that this contact is you in the room. They see your name in the room and not that of your profile, a new identity, and mailboxes that only they are told of. The others see that you said something to one of them, and not to whom.")
			var err error
			if sure, err = r.sure(r.t("Offer %s a conversation of two?", r.person(m))); err != nil || !sure {
				return err
			}
		}
		r.say("Putting the invite into a mailbox…")
		_, err := r.node.InviteMember(ctx, api.MemberInviteRequest{Room: room.ID, Member: m.ID})
		return err // the notice tells
	})
}

func (r roomTalk) takePrivate(ctx context.Context, who string) error {
	return r.answerPrivate(ctx, who, true)
}

func (r roomTalk) declinePrivate(ctx context.Context, who string) error {
	return r.answerPrivate(ctx, who, false)
}

// answerPrivate takes the conversation of two that a member offers, and opens it, or declines it.
func (r roomTalk) answerPrivate(ctx context.Context, who string, accept bool) error {
	return r.someone(ctx, who, func(room *api.Room, m *api.Member) error {
		if accept {
			r.say("Fetching the invite…")
		}
		c, err := r.node.AnswerMember(ctx, api.MemberAnswerRequest{Room: room.ID, Member: m.ID, Accept: accept})
		if err != nil || !accept {
			return r.done(err, "Declined.")
		}
		return r.goIn(ctx, c.ID)
	})
}

// send sends a contact a link for one into the open room.
func (r roomTalk) send(ctx context.Context, who string) error {
	return r.here(func(room *api.Room) error {
		return r.with(who, func(c api.Contact) error {
			link, err := r.node.InviteToRoom(ctx, api.RoomInviteRequest{Room: room.ID, To: c.ID})
			if err != nil {
				return err
			}
			r.say("Sent. It works until %s, while Starling runs here.", r.until(link.Expires))
			return nil
		})
	})
}
