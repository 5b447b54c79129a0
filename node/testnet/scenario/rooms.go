package scenario

import (
	"math/rand/v2"
	"slices"
	"time"

	"starling/node/api"
)

// maxRooms bounds the rooms of a scenario.
const maxRooms = 1000

// Room is people that talk with each other. Who is not named is drawn by the seed.
type Room struct {
	Users    []int // in it from the beginning, or
	Members  int   // so many
	Owner    int   // -1: the first of them
	Admins   []int // from the beginning, or
	Leaders  int   // so many of them
	Speakers []int // nil: everybody in it
	Messages Messages
	Replies  float64 // the fraction of the messages that answer another one
	Joins    int     // people that come in, spread over the duration,
	Removals int     // and that are removed, by the owner and the admins

	path string // its table, for errors
}

// Hall is the people of one room as they begin.
type Hall struct {
	Owner  int
	Users  []int // without the owner
	Admins []int // of the users
}

// readRoom reads one table, which may make several rooms that are alike.
func (s *Scenario) readRoom(t table) {
	r := Room{path: t.path, Owner: -1}
	alike := int(t.integer("rooms", 1, 1, maxRooms))
	r.Users = t.indexes("users", s.Users)
	r.Members = int(t.integer("members", int64(len(r.Users)), 2, api.MaxMembers))
	r.Owner = int(t.integer("owner", -1, 0, int64(s.Users-1)))
	if _, list := t.keys["admins"].([]any); list {
		r.Admins = t.indexes("admins", s.Users)
	} else {
		r.Leaders = int(t.integer("admins", 0, 0, api.MaxMembers-1))
	}
	r.Speakers = t.indexes("speakers", s.Users)
	r.Replies = t.number("replies", 0, 0, 1)
	r.Joins = int(t.integer("joins", 0, 0, maxEvents))
	r.Removals = int(t.integer("removals", 0, 0, maxEvents))

	m := &r.Messages
	m.Count = int(t.integer("messages", 0, 0, maxMessages))
	m.Rate = t.number("rate", 0, 0.001, 1000)
	m.MinSize, m.MaxSize = t.size("size", 64)
	t.end()
	// The conditions below go by fields that have been read.
	if t.r.err != nil {
		return
	}

	seconds := s.Duration.Seconds()
	switch {
	case t.has("users") && t.has("members"):
		t.fail("members", "a room has either users or a number of members")
	case len(r.Users) < 2 && r.Members < 2:
		t.fail("", "a room has two members at least: users, or a number of members")
	case len(r.Users) > api.MaxMembers:
		t.fail("users", "%d users do not fit into a room of %d", len(r.Users), api.MaxMembers)
	case r.Members > s.Users:
		t.fail("members", "there are %d users, and not %d", s.Users, r.Members)
	case t.has("users") && r.Owner >= 0 && !slices.Contains(r.Users, r.Owner):
		t.fail("owner", "the owner, %d, is none of the users", r.Owner)
	case t.has("speakers") && len(r.Speakers) == 0:
		t.fail("speakers", "nobody would speak")
	case r.Members+r.Joins > s.Users:
		t.fail("joins", "%d users are too few for %d members and %d joins: nobody comes twice", s.Users, r.Members, r.Joins)
	case r.Leaders >= r.Members:
		t.fail("admins", "%d members have at most %d admins", r.Members, r.Members-1)
	case r.Admins != nil && !t.has("users"):
		t.fail("admins", "members that are drawn have a number of admins")
	case len(s.Rooms)+alike > maxRooms:
		t.fail("rooms", "there are more than %d rooms", maxRooms)
	case m.Count > 0 && m.Rate > 0 && float64(m.Count)/m.Rate > seconds+0.001:
		t.fail("rate", "%d messages at this rate take longer than the duration, %v", m.Count, s.Duration)
	case m.Count == 0 && m.Rate > 0:
		m.Count = max(1, int(m.Rate*seconds))
	case m.Rate == 0 && seconds > 0:
		m.Rate = float64(m.Count) / seconds
	}

	for _, a := range r.Admins {
		if a == r.owner() || !slices.Contains(r.Users, a) {
			t.fail("admins", "admin %d is none of the users, or the owner", a)
		}
	}
	for range alike {
		s.Rooms = append(s.Rooms, r)
	}

	// Over all rooms: many small ones fill the memory as well.
	if s.said() > maxMessages {
		t.fail("messages", "there are more than %d messages in rooms", maxMessages)
	}
}

// owner returns the owner of a room with named users.
func (r *Room) owner() int {
	if r.Owner < 0 && len(r.Users) > 0 {
		return r.Users[0]
	}
	return r.Owner
}

// said returns the number of messages in all rooms.
func (s *Scenario) said() (n int) {
	for _, r := range s.Rooms {
		n += r.Messages.Count
	}
	return n
}

// Said returns how many messages the plan has for rooms.
func (p Plan) Said() (n int) {
	for _, s := range p.Steps {
		if s.Do == Say {
			n++
		}
	}
	return n
}

// hall is one room in the course of a plan.
type hall struct {
	Room
	owner  int
	people map[int]standing
	random *rand.Rand
	late   int // joins that wait for a place
	index  int // of the next message
}

// standing is how somebody stands in a room; the zero value was never in it.
type standing int

const (
	stranger standing = iota
	gone
	plain
	admin
	owner
)

// openHalls draws the people of all rooms.
func (b *planner) openHalls() (halls []Hall) {
	for i, r := range b.s.Rooms {
		random := rand.New(rand.NewPCG(b.s.Seed, streamRooms+uint64(i)<<8))
		users := slices.Clone(r.Users)
		if users == nil {
			users = random.Perm(b.s.Users)
			if at := slices.Index(users, r.Owner); at >= 0 {
				users[0], users[at] = users[at], users[0]
			}
			users = users[:r.Members]
		}

		x := &hall{Room: r, random: random, people: map[int]standing{}, owner: users[0]}
		if r.Owner >= 0 {
			x.owner = r.Owner
		}
		users = slices.DeleteFunc(users, func(u int) bool { return u == x.owner })
		admins := r.Admins
		if r.Leaders > 0 {
			admins = slices.Clone(users[:r.Leaders])
		}
		for _, u := range users {
			x.people[u] = plain
		}
		for _, u := range admins {
			x.people[u] = admin
		}
		x.people[x.owner] = owner
		b.halls = append(b.halls, x)
		halls = append(halls, Hall{Owner: x.owner, Users: users, Admins: admins})
	}
	return halls
}

// some returns the users that stand so, in order, and that can act now if asked.
func (x *hall) some(b *planner, able bool, is func(user int, as standing) bool) (out []int) {
	for u := range b.s.Users {
		if is(u, x.people[u]) && !(able && (b.offline[u] || b.full[u])) {
			out = append(out, u)
		}
	}
	return out
}

func (x *hall) one(of []int) (user int, ok bool) {
	if len(of) == 0 {
		return 0, false
	}
	return of[x.random.IntN(len(of))], true
}

// count returns the number of people in it.
func (x *hall) count() (n int) {
	for _, as := range x.people {
		if as >= plain {
			n++
		}
	}
	return n
}

// talk is the traffic of all rooms: messages, joins and removals, each spread evenly with some
// chance.
func (b *planner) talk() (todo []entry) {
	for i, x := range b.halls {
		spread := func(n int, do func(at time.Duration) error) {
			for k := range n {
				at := time.Duration((float64(k) + x.random.Float64()) / float64(n) * float64(b.s.Duration))
				todo = append(todo, entry{at, do})
			}
		}
		spread(x.Joins, func(at time.Duration) error { return b.drawJoin(i, at) })
		spread(x.Removals, func(at time.Duration) error { return b.drawRemoval(i, at) })
		for k := range x.Messages.Count {
			at := time.Duration((float64(k) + x.random.Float64()) / x.Messages.Rate * float64(time.Second))
			todo = append(todo, entry{min(at, b.s.Duration), func(at time.Duration) error { return b.say(i, at) }})
		}
	}
	return todo
}

// leader draws the owner or an admin.
func (b *planner) leader(x *hall) (user int, ok bool) {
	return x.one(x.some(b, true, func(_ int, as standing) bool { return as >= admin }))
}

// drawJoin lets somebody in; while the room is full they wait for the next removal.
func (b *planner) drawJoin(room int, at time.Duration) error {
	x := b.halls[room]
	if x.count() == api.MaxMembers {
		x.late++
		return nil
	}
	who, one := x.one(x.some(b, true, func(_ int, as standing) bool { return as == stranger }))
	by, other := b.leader(x)
	if !one || !other {
		return b.s.errorf(x.path+".joins", "at %v nobody is there to join room %d, or to let them in", at.Round(time.Millisecond), room)
	}
	return b.roomEvent(Event{At: at, Do: Join, Room: room, Users: []int{who}, By: by, path: x.path + ".joins"})
}

func (b *planner) drawRemoval(room int, at time.Duration) error {
	x := b.halls[room]
	who, one := x.one(x.some(b, false, func(_ int, as standing) bool { return as == plain }))
	by, other := b.leader(x)
	if !one || !other || x.count() == 2 {
		return b.s.errorf(x.path+".removals", "at %v nobody is left to remove from room %d, or to do it", at.Round(time.Millisecond), room)
	}
	if err := b.roomEvent(Event{At: at, Do: Remove, Room: room, Users: []int{who}, By: by, path: x.path + ".removals"}); err != nil {
		return err
	}
	if x.late > 0 {
		x.late--
		return b.drawJoin(room, at)
	}
	return nil
}

// say lets somebody in a room say something.
func (b *planner) say(room int, at time.Duration) error {
	x := b.halls[room]
	who, ok := x.one(x.some(b, true, func(u int, as standing) bool {
		return as >= plain && (x.Speakers == nil || slices.Contains(x.Speakers, u))
	}))
	if !ok {
		return b.s.errorf(x.path, "at %v nobody is there to speak in room %d", at.Round(time.Millisecond), room)
	}
	m := x.Messages
	b.add(Step{At: at, Do: Say, Room: room, Reply: x.random.Float64() < x.Replies,
		Message: Message{From: who, To: -1, Index: x.index, Size: m.MinSize + x.random.IntN(m.MaxSize-m.MinSize+1)}})
	x.index++
	for u, as := range x.people {
		b.unread[u] = b.unread[u] || as >= plain && u != who
	}
	return nil
}

// roomEvent carries out one event of a room for each of its users.
func (b *planner) roomEvent(e Event) error {
	x := b.halls[e.Room]
	by := e.By
	if by < 0 {
		by = x.owner
	}
	for _, u := range e.Users {
		actor := by
		if e.Do == Leave {
			actor = u
		}

		if why := x.refuses(e.Do, u, actor); why != "" {
			return b.s.errorf(e.path, "room %d: user %d %s", e.Room, u, why)
		}
		switch {
		case b.offline[actor] || b.full[actor] || e.Do == Join && (b.offline[u] || b.full[u]):
			return b.s.errorf(e.path, "room %d: user %d or user %d is offline, or has a full disk", e.Room, actor, u)
		case e.Do == Join && x.count() == api.MaxMembers:
			return b.s.errorf(e.path, "room %d is full: it has %d members", e.Room, api.MaxMembers)
		}

		x.people[u] = map[Action]standing{Join: plain, Remove: gone, Leave: gone, Promote: admin, Demote: plain}[e.Do]
		b.add(Step{At: e.At, Do: e.Do, Room: e.Room, Users: []int{u}, By: actor})
	}
	return nil
}

// refuses returns why somebody cannot do something to a user, "" if they can.
func (x *hall) refuses(do Action, user, by int) string {
	as, rank := x.people[user], x.people[by]
	switch {
	case do == Join && as >= plain:
		return "is in it already"
	case do == Join && as == gone:
		return "was in it before, and nobody comes twice"
	case do != Join && as < plain:
		return "is not in it"
	case do == Promote && as >= admin:
		return "is an admin already"
	case do == Demote && as != admin:
		return "is no admin"
	case as == owner:
		return "is its owner, and stays"
	case do == Leave:
		return ""
	case rank < admin || do != Join && as == admin && rank < owner || do == Promote && rank < owner:
		return "needs somebody of a higher rank to do that"
	}
	return ""
}

// placeless refuses rooms with more joins than places.
func (b *planner) placeless() error {
	for i, x := range b.halls {
		if x.late > 0 {
			return b.s.errorf(x.path+".joins", "room %d has no place for %d of those that join: it has %d", i, x.late, api.MaxMembers)
		}
	}
	return nil
}
