package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// halled has rooms of both kinds, and everything that happens in them.
const halled = `name = "halled"
relays = 6
users = 40
duration = "1m"

[[room]]
users = [3, 0, 1, 2]
admins = [1]
speakers = [0, 3, 5]
messages = 20
size = [40, 100]
replies = 0.5

[[room]]
rooms = 2
members = 31
owner = 7
admins = 2
rate = 0.5
joins = 4
removals = 3

[[event]]
at = "10s"
do = "join"
room = 0
users = [5, 6]
by = 1

[[event]]
at = "20s"
do = "remove"
room = 0
users = [2]

[[event]]
at = "30s"
do = "promote"
room = 0
users = [5]

[[event]]
at = "40s"
do = "demote"
room = 0
users = [1]

[[event]]
at = "50s"
do = "leave"
room = 0
users = [6]
`

func TestParseRooms(t *testing.T) {
	s := parse(t, halled)
	if len(s.Rooms) != 3 || !reflect.DeepEqual(s.Rooms[1], s.Rooms[2]) || s.Messages.Pairs != "" || len(s.pairs()) != 0 {
		t.Fatalf("%+v", s.Rooms)
	}
	want := Room{Users: []int{3, 0, 1, 2}, Members: 4, Owner: -1, Admins: []int{1}, Speakers: []int{0, 3, 5}, Replies: 0.5, path: "room[0]",
		Messages: Messages{Count: 20, Rate: 1. / 3, MinSize: 40, MaxSize: 100}}
	if !reflect.DeepEqual(s.Rooms[0], want) {
		t.Errorf("%+v, want %+v", s.Rooms[0], want)
	}
	if r := s.Rooms[1]; r.Messages.Count != 30 || r.Members != 31 || r.Owner != 7 || r.Leaders != 2 || r.Joins != 4 || r.Removals != 3 {
		t.Errorf("%+v", r)
	}
	if e := s.Events[0]; e.Do != Join || e.Room != 0 || e.By != 1 || !slices.Equal(e.Users, []int{5, 6}) {
		t.Errorf("%+v", e)
	}
	if q := s.Quarter(); len(q.Rooms) != 0 {
		t.Error("rooms in the mesh that costs are compared with")
	}
}

// TestMistakesOfRooms changes one line of the scenario at a time.
func TestMistakesOfRooms(t *testing.T) {
	for _, tt := range []struct{ old, new, want string }{
		{"users = [3, 0, 1, 2]", "users = [3]", "x.toml:6: a room has two members at least"},
		{"users = [3, 0, 1, 2]", "", "x.toml:6: a room has two members at least"},
		{"users = [3, 0, 1, 2]", "users = [3, 40]", "x.toml:7: there is no 40 among users 0 to 39"},
		{"users = [3, 0, 1, 2]", "user = [3, 0]", `x.toml:7: there is no key "room[0].user"`},
		{"users = [3, 0, 1, 2]", "users = [3, 0, 1, 2]\nmembers = 4", "x.toml:8: a room has either users or"},
		{"admins = [1]", "admins = [3]", "x.toml:8: admin 3 is none of the users, or the owner"},
		{"admins = [1]", "admins = [5]", "x.toml:8: admin 5 is none of the users, or the owner"},
		{"admins = [1]", "admins = 4", "x.toml:8: 4 members have at most 3 admins"},
		{"admins = [1]", "admins = true", "x.toml:8: admins is not a whole number"},
		{"admins = [1]", "owner = 9", "x.toml:8: the owner, 9, is none of the users"},
		{"speakers = [0, 3, 5]", "speakers = []", "x.toml:9: speakers is not a list"},
		{"messages = 20", "messages = 20\nrate = 0.1", "x.toml:11: 20 messages at this rate take longer"},
		{"messages = 20", "messages = -1", "x.toml:10: messages is -1"},
		{"messages = 20", "count = 20", `x.toml:10: there is no key "room[0].count"`},
		{"size = [40, 100]", "size = [100, 40]", "x.toml:11: size is a number of bytes"},
		{"replies = 0.5", "replies = 1.5", "x.toml:12: replies is 1.5"},
		{"rooms = 2", "rooms = 1001", "x.toml:15: rooms is 1001; it is 1 to 1000"},
		{"rooms = 2", "rooms = 1000", "x.toml:15: there are more than 1000 rooms"},
		{"members = 31", "members = 33", "x.toml:16: members is 33; it is 2 to 32"},
		{"owner = 7\nadmins = 2", "owner = 7\nadmins = [7]", "x.toml:18: members that are drawn have a number of admins"},
		{"joins = 4", "joins = 10", "x.toml:20: 40 users are too few for 31 members and 10 joins"},
		{"room = 0\nusers = [5, 6]", "room = 3\nusers = [5, 6]", "x.toml:26: there is no 3 among rooms 0 to 2"},
		{"room = 0\nusers = [5, 6]", "room = 0", "x.toml:25: join takes a room and users"},
		{"room = 0\nusers = [5, 6]", "users = [5, 6]", "x.toml:25: join takes a room and users"},
		{"by = 1", "by = 40", "x.toml:28: by is 40"},
		{"by = 1", "drain = true", "x.toml:28: join takes no drain"},
		{"users = [6]\n", "users = [6]\nby = 3", "x.toml:53: leave takes no by"},
	} {
		t.Run(tt.new, func(t *testing.T) {
			if !strings.Contains(halled, tt.old) {
				t.Fatalf("%q is not in the scenario", tt.old)
			}
			_, err := Parse("x.toml", []byte(strings.Replace(halled, tt.old, tt.new, 1)))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%v, want %s…", err, tt.want)
			}
		})
	}
	if _, err := Parse("x.toml", []byte("name='s'\nrelays=5\nusers=2\nduration='2s'\nmessages={count=1}\n[[event]]\nat='1s'\ndo='join'\nroom=0\nusers=[1]\n")); err == nil || err.Error() != "x.toml:9: there are no rooms" {
		t.Error(err)
	}
}

// TestPlanOfRooms: only people in a room speak in it, and nobody is removed who is not there; it follows from the seed.
func TestPlanOfRooms(t *testing.T) {
	p, err := parse(t, halled).Plan()
	if err != nil {
		t.Fatal(err)
	}
	if q, err := parse(t, halled).Plan(); err != nil || !reflect.DeepEqual(p, q) {
		t.Errorf("the same seed made another plan (%v)", err)
	}
	if len(p.Halls) != 3 || p.Halls[0].Owner != 3 || p.Halls[1].Owner != 7 || len(p.Halls[1].Users) != 30 || len(p.Halls[1].Admins) != 2 || p.Said() != 80 {
		t.Errorf("%+v, %d messages", p.Halls, p.Said())
	}

	var in [3]map[int]bool
	for i, h := range p.Halls {
		in[i] = map[int]bool{h.Owner: true}
		for _, u := range h.Users {
			in[i][u] = true
		}
	}
	count, replies := map[Action]int{}, 0
	at := time.Duration(0)
	for _, s := range p.Steps {
		count[s.Do]++
		if s.At < at {
			t.Fatal("out of time")
		}
		at = s.At
		switch people := in[s.Room]; s.Do {
		case Say:
			if !people[s.Message.From] || s.Room == 0 && !slices.Contains([]int{0, 3, 5}, s.Message.From) {
				t.Errorf("%+v", s)
			}
			if s.Reply {
				replies++
			}
		case Join:
			people[s.Users[0]] = true
		case Remove, Leave:
			if !people[s.Users[0]] {
				t.Errorf("%+v", s)
			}
			delete(people, s.Users[0])
		}
		if len(in[s.Room]) > 32 {
			t.Fatalf("%d people in room %d", len(in[s.Room]), s.Room)
		}
	}
	if count[Join] != 10 || count[Remove] != 7 || count[Leave] != 1 || replies < 3 || replies > 17 {
		t.Errorf("%v, %d replies", count, replies)
	}
}

func TestPlanRefusesContradictionsOfRooms(t *testing.T) {
	const base = "name='s'\nrelays=6\nusers=36\nduration='10s'\n[[room]]\nusers=[0,1,2]\nadmins=[1]\nmessages=5\n"
	event := func(at, do, more string) string {
		return fmt.Sprintf("[[event]]\nat='%s'\ndo='%s'\nroom=0\n%s\n", at, do, more)
	}
	for _, tt := range []struct{ more, want string }{
		{event("1s", "join", "users=[1]"), "x.toml:9: room 0: user 1 is in it already"},
		{event("1s", "remove", "users=[5]"), "x.toml:9: room 0: user 5 is not in it"},
		{event("1s", "remove", "users=[0]\nby=1"), "x.toml:9: room 0: user 0 is its owner"},
		{event("1s", "remove", "users=[1]\nby=2"), "x.toml:9: room 0: user 1 needs somebody of a higher rank"},
		{event("1s", "remove", "users=[2]\nby=4"), "x.toml:9: room 0: user 2 needs somebody of a higher rank"},
		{event("1s", "promote", "users=[2]\nby=1"), "x.toml:9: room 0: user 2 needs somebody of a higher rank"},
		{event("1s", "promote", "users=[1]"), "x.toml:9: room 0: user 1 is an admin already"},
		{event("1s", "demote", "users=[2]"), "x.toml:9: room 0: user 2 is no admin"},
		{event("1s", "leave", "users=[0]"), "x.toml:9: room 0: user 0 is its owner"},
		{event("1s", "remove", "users=[2]") + event("2s", "join", "users=[2]"), "x.toml:14: room 0: user 2 was in it before"},
		{event("1s", "leave", "users=[2]") + event("2s", "remove", "users=[2]"), "x.toml:14: room 0: user 2 is not in it"},
		{"[[event]]\nat='0s'\ndo='offline'\nusers=[0]\n" + event("1s", "join", "users=[4]"), "x.toml:13: room 0: user 0 or user 4 is offline"},
		{event("1s", "join", "users=[3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33]"), "x.toml:9: room 0 is full: it has 32 members"},
		{"[[event]]\nat='0s'\ndo='offline'\n", "x.toml:5: at "},
		{"[[event]]\nat='9s'\ndo='offline'\nusers=[2]\n", "x.toml:9: user 2 stays offline"},
		{"removals=2\n", "x.toml:9: at "},
		{"joins=30\n", "x.toml:9: room 0 has no place for 1 of those that join"},
	} {
		_, err := parse(t, base+tt.more).Plan()
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %s…", tt.more, err, tt.want)
		}
	}
}
