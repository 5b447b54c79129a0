package rooms

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/tui/keymap"
)

// Command obeys "/room" with a word and what follows it, where there is a form or a pane
// here; false: it is obeyed as the app line by line does. do does an action of the table.
func (r *Rooms) Command(args string, do func(keymap.ID) tea.Cmd) (tea.Cmd, bool) {
	word, rest, _ := strings.Cut(args, " ")
	rest = strings.TrimSpace(rest)
	if link, ok := Link(rest); word == "join" && ok {
		return r.Look(strings.Fields(link)[0]), true // a name may follow, which is asked for
	}
	if word == "new" {
		return r.MakeNamed(rest), true
	}
	if id, ok := bare[word]; ok && rest == "" {
		return do(id), true
	}
	return nil, false
}

// bare are the words that are an action if nothing follows them.
var bare = map[string]keymap.ID{
	"": keymap.Room, "join": keymap.RoomJoin, "invite": keymap.RoomInvite, "links": keymap.RoomLinks, "send": keymap.RoomSend, "private": keymap.Members, "take": keymap.Members, "decline": keymap.Members, "withdraw": keymap.RoomLinks,
	"members": keymap.Members, "role": keymap.Members, "remove": keymap.Members, "ban": keymap.Members, "block": keymap.Members,
	"unblock": keymap.Members, "verify": keymap.Members, "verified": keymap.Members, "unverified": keymap.Members,
	"approve": keymap.Door, "refuse": keymap.Door, "leave": keymap.RoomLeave,
	"name": keymap.RoomSettings, "history": keymap.RoomSettings, "writers": keymap.RoomSettings, "timer": keymap.RoomSettings, "settings": keymap.RoomSettings,
}
