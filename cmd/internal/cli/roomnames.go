package cli

import (
	"context"

	"starling/node/api"
)

// roomNames are the names of rooms and of the people in them, as they are asked for while
// messages are printed for a person. A nil one knows nobody.
type roomNames struct {
	ctx     context.Context
	node    api.Node
	rooms   map[string]string
	members map[string]map[string]string
}

// room is the name of a room.
func (n *roomNames) room(id string) string {
	if n != nil && n.rooms == nil {
		n.rooms = map[string]string{}
		all, _ := n.node.ListRooms(n.ctx)
		for _, r := range all {
			n.rooms[r.ID] = oneLine(r.Name).String()
		}
	}
	if n == nil || n.rooms[id] == "" {
		return "a room"
	}
	return n.rooms[id]
}

// member is the name of a member of a room.
func (n *roomNames) member(room, id string) string {
	if n != nil && n.members[room] == nil {
		if n.members == nil {
			n.members = map[string]map[string]string{}
		}
		n.members[room] = map[string]string{}
		all, _ := n.node.Members(n.ctx, room)
		for _, m := range all {
			n.members[room][m.ID] = oneLine(m.Name).String()
		}
	}
	if n == nil || n.members[room][id] == "" {
		return "somebody"
	}
	return n.members[room][id]
}
