package words

import (
	"slices"
	"strings"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/theme"
)

// Span is a number of seconds in its largest whole unit.
func Span(th *theme.Theme, seconds int) string {
	switch {
	case seconds%(7*24*3600) == 0 && seconds > 0:
		return th.N(seconds/(7*24*3600), "%d week", "%d weeks")
	case seconds%(24*3600) == 0 && seconds > 0:
		return th.N(seconds/(24*3600), "%d day", "%d days")
	case seconds%3600 == 0 && seconds > 0:
		return th.N(seconds/3600, "%d hour", "%d hours")
	case seconds%60 == 0 && seconds > 0:
		return th.N(seconds/60, "%d minute", "%d minutes")
	}
	return th.N(seconds, "%d second", "%d seconds")
}

// Role is a role in a word, "" for none.
func Role(th *theme.Theme, r api.Role) string {
	switch r {
	case api.RoleOwner:
		return th.T("owner")
	case api.RoleAdmin:
		return th.T("admin")
	case api.RoleMember:
		return th.T("member")
	case api.RoleReader:
		return th.T("reader")
	}
	return ""
}

// Missing is the line above messages of a room that came ahead, with the number of missing pieces.
func Missing(th *theme.Theme, pieces int) string {
	if pieces == 0 {
		return th.T("what was written before this is being fetched")
	}
	return th.N(pieces, "about %d older message is being fetched", "about %d older messages are being fetched")
}

// Holds reports whether a room has to be left before it can be erased.
func Holds(r *api.Room) bool {
	in := r.State == api.RoomReady || r.State == api.RoomAway
	return in && (r.Role != api.RoleOwner || r.Members > 1)
}

// RoomState is how we stand in a room, "" if we are in it.
func RoomState(th *theme.Theme, s api.RoomState) string {
	switch s {
	case api.RoomPending:
		return th.T("waiting to be let in")
	case api.RoomAway:
		return th.T("lost its place, asking for it")
	case api.RoomRefused:
		return th.T("not let in")
	case api.RoomLeft:
		return th.T("you left")
	case api.RoomRemoved:
		return th.T("you were removed")
	}
	return ""
}

// Member is a member's name without anything that could pass for one of our marks, or the
// first digits of their ID.
func Member(m *api.Member) string {
	if name := unmarked(m.Name); name != "" {
		return name
	}
	return "#" + m.ID[:min(4, len(m.ID))]
}

// Change is a change of a room as one sentence.
func Change(th *theme.Theme, c *api.RoomChange) string {
	name, by := named(th, c.Name), named(th, c.ByName)
	switch c.Kind {
	case api.ChangeCreated:
		return created(th, c)
	case api.ChangeJoined:
		return joined(th, c, name, by)
	case api.ChangeRemoved, api.ChangeBanned, api.ChangeOffered:
		return deed(th, c, name, by)
	case api.ChangeAside:
		if c.BySelf {
			return th.T("You offer %s a conversation of two.", name)
		}
		return th.T("%s offers you a conversation of two. Nothing of it is opened before you take it.", name)
	case api.ChangeNamed:
		return th.T("The room is called %s now.", name)
	case api.ChangeHistory, api.ChangeWriters, api.ChangeTimer:
		return setting(th, c)
	case api.ChangeUnheard:
		return th.T("You are back with a copy of this room of more than 14 days ago, and nobody has answered: perhaps nobody reads what you write here but people that you have removed since. If nobody writes within a day, make a new room and invite the others again.")
	}

	// The rest tells of one member, or of us.
	switch own, other := about(c); {
	case own == "":
		return th.T("Something changed in the room.")
	case c.Kind == api.ChangeRole && c.Self:
		return th.T(own, Role(th, c.Role))
	case c.Kind == api.ChangeRole:
		return th.T(other, name, Role(th, c.Role))
	case c.Self:
		return th.T(own)
	default:
		return th.T(other, name)
	}
}

// about is the sentence on us and that on another member.
func about(c *api.RoomChange) (own, other string) {
	switch c.Kind {
	case api.ChangeLeft:
		return catalogue.Mark("You left."), catalogue.Mark("%s left.")
	case api.ChangeRole:
		return catalogue.Mark("Your role is %s now."), catalogue.Mark("The role of %s is %s now.")
	case api.ChangeOwner:
		return catalogue.Mark("The room is yours now."), catalogue.Mark("The room belongs to %s now.")
	case api.ChangeKnock:
		return catalogue.Mark("You ask to be let in."), catalogue.Mark("%s asks to be let in.")
	case api.ChangeReturned:
		return catalogue.Mark("You are back in the room."), catalogue.Mark("%s is back, from a backup or a long absence.")
	case api.ChangeFork:
		return catalogue.Mark("You said two things under one number."), catalogue.Mark("%s said two things under one number: some were shown the one, some the other.")
	}
	return "", ""
}

// created tells of the maker of the room, the only member that the change names.
func created(th *theme.Theme, c *api.RoomChange) string {
	switch {
	case c.Self, c.BySelf:
		return th.T("You made the room.")
	case c.Name.IsZero():
		return th.T("%s made the room.", named(th, c.ByName))
	}
	return th.T("%s made the room.", named(th, c.Name))
}

func joined(th *theme.Theme, c *api.RoomChange, name, by string) string {
	switch {
	case c.Self:
		return th.T("You are in the room.")
	case c.BySelf:
		return th.T("%s joined. You let them in.", name)
	case c.By == "":
		return th.T("%s joined.", name)
	}
	return th.T("%s joined, let in by %s.", name, by)
}

// deed is the sentence of one member's act on another.
func deed(th *theme.Theme, c *api.RoomChange, name, by string) string {
	switch {
	case c.Kind == api.ChangeOffered && c.Self:
		return th.T("%s offers you the room.", by)
	case c.Kind == api.ChangeOffered && c.BySelf:
		return th.T("You offer the room to %s.", name)
	case c.Kind == api.ChangeOffered:
		return th.T("%s offers the room to %s.", by, name)
	case c.Self && c.Kind == api.ChangeBanned:
		return th.T("%s removed you, and the links that you made.", by)
	case c.Self:
		return th.T("%s removed you.", by)
	case c.BySelf && c.Kind == api.ChangeBanned:
		return th.T("You removed %s, and the links that they made.", name)
	case c.BySelf:
		return th.T("You removed %s.", name)
	case c.Kind == api.ChangeBanned:
		return th.T("%s removed %s, and the links that they made.", by, name)
	}
	return th.T("%s removed %s.", by, name)
}

func setting(th *theme.Theme, c *api.RoomChange) string {
	switch on := c.Value > 0; {
	case c.Kind == api.ChangeHistory && on:
		return th.N(c.Value, "Newcomers are shown the last %d message.", "Newcomers are shown the last %d messages.")
	case c.Kind == api.ChangeHistory:
		return th.T("Newcomers are shown nothing of before.")
	case c.Kind == api.ChangeWriters && on:
		return th.T("Only the owner and admins write now.")
	case c.Kind == api.ChangeWriters:
		return th.T("All members write now.")
	case on:
		return th.T("New messages disappear %s after they were read.", Span(th, c.Value))
	}
	return th.T("New messages do not disappear.")
}

// foldedNames is how many names a folded run of changes tells.
const foldedNames = 3

// Folds reports whether a change is one of those that are folded: somebody came or went.
// A change of ours is not.
func Folds(c *api.RoomChange) bool {
	return c != nil && !c.Self && (c.Kind == api.ChangeJoined || c.Kind == api.ChangeLeft)
}

// Folded is a run of changes that fold as one sentence or two.
func Folded(th *theme.Theme, run []*api.RoomChange) string {
	var asked, came, went []string
	for i, c := range run {
		name := named(th, c.Name)
		switch {
		case c.Kind == api.ChangeJoined:
			came = append(came, name)
		case c.Kind == api.ChangeLeft:
			went = append(went, name)
		case !slices.ContainsFunc(run[i:], func(o *api.RoomChange) bool { return o.Kind == api.ChangeJoined && o.Member == c.Member }):
			asked = append(asked, name) // they came in later
		}
	}

	var said []string
	if len(asked) > 0 {
		said = append(said, th.T("Asked to be let in: %s.", some(th, asked)))
	}
	if len(came) > 0 {
		said = append(said, th.T("Joined: %s.", some(th, came)))
	}
	if len(went) > 0 {
		said = append(said, th.T("Left: %s.", some(th, went)))
	}
	return strings.Join(said, " ")
}

// some are the first names of a list, and how many more there are.
func some(th *theme.Theme, names []string) string {
	if more := len(names) - foldedNames; more > 0 {
		return strings.Join(names[:foldedNames], ", ") + " " + th.N(more, "and %d more", "and %d more")
	}
	return strings.Join(names, ", ")
}

// named is a name in a sentence.
func named(th *theme.Theme, name safetext.Text) string {
	if n := unmarked(name); n != "" {
		return n
	}
	return th.T("somebody")
}
