package tuitest

import (
	"fmt"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

// Rooms adds rooms of every kind and returns their IDs by name: one of five people, one of
// thirty with joins and leaves, a fork and people at its door, and rooms that the node waits
// for, was removed from, or only reads.
func Rooms(n *Node) map[string]string {
	ids := map[string]string{}
	five(n, ids)
	thirty(n, ids)

	news := n.RoomWith("Tide tables", api.RoleReader, "Harbour master", "Edda", "Finn")
	ids["Tide tables"] = news
	n.Says(news, "Harbour master", "High water 06:12 and 18:40.")
	n.MarkAllRead(news)

	gone := n.RoomWith("Old crew", api.RoleMember, "Skipper", "Mate")
	ids["Old crew"] = gone
	n.Says(gone, "Skipper", "We stop here.")
	n.Gives(gone, "Skipper", n.name(), api.RoleNone)
	n.MarkAllRead(gone)

	return ids
}

func five(n *Node, ids map[string]string) {
	now := n.now()
	at := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	room := n.RoomOf("Lighthouse", "Anna", "Bertil", "Çağla", "Дмитрий")
	ids["Lighthouse"] = room
	say := func(member, text string, minutes int, more ...func(*api.Message)) string {
		m := Text(text, at(minutes), false)
		for _, f := range more {
			f(&m)
		}
		return n.SaysMessage(room, member, m)
	}

	first := say("Anna", "Who has the key of the boathouse?", 300)
	n.Seed(room, Text("It hangs in the kitchen.", at(298), true))
	say("Bertil", "It did. I have it here now.", 290, func(m *api.Message) {
		m.Reply = &api.Quote{ID: first, From: safetext.Line("Anna"), Text: safetext.Line("Who has the key of the boathouse?")}
	})
	say("Çağla", "Then leave it under the *third* stone, please.", 280, func(m *api.Message) {
		m.Reactions = []api.Reaction{{Member: n.MemberOf(room, "Anna"), Emoji: safetext.Line("👍")}, {Member: n.MemberOf(room, "Bertil"), Emoji: safetext.Line("👍")}}
	})
	n.MarkAllRead(room)
	say("Дмитрий", "Я приеду в субботу.", 60)
	say("Anna", "@"+n.name()+" can you fetch him at the ferry?", 50)
	say("Bertil", "At what time?", 49)
}

// thirty is a room of thirty people.
func thirty(n *Node, ids map[string]string) {
	names := make([]string, 28)
	for i := range names {
		names[i] = fmt.Sprintf("%s %d", []string{"Ida", "Jonas", "Karin", "Lasse", "Mona", "Nils", "Olga"}[i%7], i/7+1)
	}
	room := n.RoomWith("Harbour assembly", api.RoleAdmin, append([]string{"Harbour master"}, names...)...)
	ids["Harbour assembly"] = room

	texts := []string{"I agree.", "Who writes that down?", "The crane is broken again.", "No.", "We said that last week, and the week before, and nobody has done anything about it since then.", "👍", "Let us vote."}
	for i := range 60 {
		n.SaysMessage(room, names[i*5%len(names)], Text(texts[i%len(texts)], n.now().Add(-time.Duration(600-5*i)*time.Minute), false))
	}
	n.MarkAllRead(room)
	for _, name := range []string{"Petra", "Quirin", "Rolf"} {
		n.Joins(room, name)
	}
	for _, name := range []string{"Petra", "Ida 1", "Rolf"} {
		n.Leaves(room, name)
	}
	n.Gives(room, "Harbour master", "Jonas 1", api.RoleAdmin)
	n.Forks(room, "Nils 1", "I voted yes.", "I voted no.")
	n.Says(room, "Karin 1", "Welcome, all.")
	n.Knocks(room, "Sven")
	n.Knocks(room, "Tilda, who has a long name and waits for long")
}

// AttackRooms adds a room in which everything that a member can choose is hostile, and
// returns its ID.
func AttackRooms(n *Node) string {
	room := n.RoomOf("harmless")
	for i, h := range Hostile {
		bad := safetext.Clean(h)
		if i > 25 {
			break
		}
		id := n.Joins(room, fmt.Sprint("m", i))
		n.with(room, id, func(p *place, o *occupant) { o.name = bad })
		said := n.SaysMessage(room, id, api.Message{Text: bad, From: bad, Forwarded: i%2 == 0, Mention: i%3 == 0})
		n.SaysMessage(room, id, api.Message{
			Text: bad, From: bad, Edited: n.now(), Reply: &api.Quote{ID: said, From: bad, Text: bad},
			Reactions: []api.Reaction{{Member: id, Emoji: bad}}, Picture: &api.Picture{Type: "image/" + h, Data: []byte(h), Size: len(h)},
		})
		n.Gives(room, n.name(), id, api.RoleReader)
		if i%5 == 0 {
			n.Forks(room, id, h, h)
			n.Leaves(room, id)
		}
	}

	for _, h := range Hostile[:5] {
		n.Knocks(room, h)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.rooms.hall.place(room)
	p.name = Hostile[5] + "\n\n✓ verified"
	n.byID(room).Name = safetext.Clean(p.name)
	p.announce(api.RoomChange{Kind: api.ChangeNamed, Name: safetext.Clean(p.name), ByName: safetext.Clean(Hostile[0])})
	n.byID(room).Name = safetext.Clean(p.name)
	return room
}

// name is the name of the profile.
func (r *rooms) name() string {
	r.node.mu.Lock()
	defer r.node.mu.Unlock()
	return r.node.status.Name.String()
}
