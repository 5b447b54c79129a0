package rooms

import (
	"fmt"

	"starling/node/api"
	"starling/node/inbox"
)

// Sentence says a change in a room, for programs that do not know the kind.
func Sentence(c api.RoomChange) string {
	who, by := c.Name.String(), c.ByName.String()
	is, was, has := "is", "was", "has"
	if c.Self {
		who, is, was, has = "You", "are", "were", "have"
	}
	if c.BySelf {
		by = "you"
	}
	if by != "" {
		by = " by " + by
	}

	switch c.Kind {
	case api.ChangeCreated:
		return "You have made this room."
	case api.ChangeJoined:
		if c.By == c.Member {
			return fmt.Sprintf("%s %s in the room.", who, is)
		}
		return fmt.Sprintf("%s %s let in%s.", who, was, by)
	case api.ChangeLeft:
		return fmt.Sprintf("%s %s left the room.", who, has)
	case api.ChangeRemoved:
		return fmt.Sprintf("%s %s removed%s.", who, was, by)
	case api.ChangeBanned:
		return fmt.Sprintf("%s %s banned%s.", who, was, by)
	case api.ChangeRole:
		return fmt.Sprintf("%s %s made %s%s.", who, was, c.Role, by)
	case api.ChangeOwner:
		return fmt.Sprintf("The room was handed over: %s %s its owner.", who, is)
	case api.ChangeOffered:
		return fmt.Sprintf("The room was offered to %s%s. It takes effect when they accept.", object(who, c.Self), by)
	case api.ChangeKnock:
		return fmt.Sprintf("%s %s at the door and wants to be let in.", who, is)
	case api.ChangeReturned:
		return fmt.Sprintf("%s %s back, from a backup or after a long time.", who, is)
	case api.ChangeUnheard:
		return "You are back with a copy of this room of more than 14 days ago, and nobody has answered: perhaps nobody reads what you write here but people that you have removed since. If nobody writes within a day, make a new room and invite the others again."
	case api.ChangeNamed:
		return fmt.Sprintf("The room is called %s now%s.", who, by)
	case api.ChangeHistory:
		if c.Value == 0 {
			return "Newcomers are given nothing that was said before them" + by + "."
		}
		return fmt.Sprintf("Newcomers are given the last %d messages%s.", c.Value, by)
	case api.ChangeWriters:
		if c.Value == 0 {
			return "All members write in this room."
		}
		return "Only the owner and admins write in this room."
	case api.ChangeTimer:
		return fmt.Sprintf("From now on new messages %s.", inbox.TimerText(c.Value))
	case api.ChangeAside:
		if c.BySelf {
			return fmt.Sprintf("You offer %s a conversation of two.", who)
		}
		return fmt.Sprintf("%s offers you a conversation of two. Nothing of it is opened before you take it.", who)
	case api.ChangeFork:
		return fmt.Sprintf("%s %s said two things under one number. Both are signed: it is proven.", who, has)
	}
	return "Something has changed in the room."
}

func object(who string, self bool) string {
	if self {
		return "you"
	}
	return who
}
