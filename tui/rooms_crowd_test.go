package tui_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/tui"
	"starling/tui/tuitest"
)

// Thirty people: the owner makes a link, twenty-nine knock, each is let in with one key,
// all say something, and all read it under thirty names.
func TestThirtyPeopleComeIn(t *testing.T) {
	names := make([]string, 30)
	for i := range names {
		names[i] = fmt.Sprintf("guest %02d", i)
	}
	nodes := tuitest.Company(clock, names...)
	owner := tuitest.NewUserAt(t, nodes[0], tui.Options{Now: clock, Language: "en"}, 120, 40)
	last := tuitest.NewUserAt(t, nodes[29], tui.Options{Now: clock, Language: "en"}, 80, 24)
	owner.Press("alt+n").Type("Assembly").Enter().Enter().Expect().Sees("Write to Assembly")
	owner.Press("alt+g", "i", "backspace").Type("29").Enter().Enter().Enter().Press("c", "esc")
	link := owner.Clipboard()

	for _, n := range nodes[1:29] {
		if _, err := n.JoinRoom(t.Context(), api.JoinRoomRequest{Link: link}); err != nil {
			t.Fatal(err)
		}
	}
	last.Paste(link).Enter().Enter().Expect().Sees("You wait to be let in,")
	owner.Expect().Sees("29 wait to be let in.")
	owner.Press("esc", "Y").Expect().Sees("1 member · 29 wait to be let in", "guest 29")
	owner.Press("down", "n").Expect().Sees("1 member · 28 wait to be let in") // one is turned away
	for i := range 28 {
		owner.Press("y").Expect().Sees(fmt.Sprintf("%d members", i+2))
	}
	owner.Press("esc").Expect().Sees("29 members").SeesNot("wait to be let in")
	last.Expect().Sees("29 members", "Write to Assembly")

	room := mustRoom(t, nodes[0])
	for i, n := range nodes {
		if i == 2 { // was turned away
			if _, err := n.Send(t.Context(), api.SendRequest{Contact: room, Text: "I am out"}); api.CodeOf(err) != api.CodeNotReady {
				t.Errorf("%v", err)
			}
			continue
		}
		if _, err := n.Send(t.Context(), api.SendRequest{Contact: room, Text: fmt.Sprintf("I am %02d", i)}); err != nil {
			t.Fatal(i, err)
		}
	}
	for _, u := range []*tuitest.User{owner, last} {
		u.Expect().Sees("I am 28", "guest 28")
		for i := range names {
			if i != 2 {
				u.Expect().That(fmt.Sprintf("message %d", i), func() bool {
					for range 40 {
						if strings.Contains(u.Screen(), fmt.Sprintf("I am %02d", i)) {
							return true
						}
						u.Press("pgup")
					}
					u.Press("esc", "end", "i")
					return false
				})
				u.Press("esc", "end", "i")
			}
		}
	}
}

// Any keys in any order, while things happen, on screens of any size: every frame fits.
func TestAnyKeysInRooms(t *testing.T) {
	keys := []string{"esc", "esc", "M", "Y", "N", "L", "K", "X", "P", "T", "@", "s", "u", "r", "e", "d", "n", "y", "B", "b", "v", "i", "enter", "enter", "up", "down", "k", "j", "g", "G",
		"tab", "pgup", "pgdown", "alt+g", "alt+n", "alt+down", "alt+up", "alt+u", "f5", "J", "t", "c", "a", "left", "right", "x", "@", "backspace", "ctrl+k", "ctrl+o", "f3"}
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		node := tuitest.NewNode(clock)
		ids := tuitest.Rooms(node)
		if seed%2 == 0 {
			tuitest.AttackRooms(node)
		}
		w, h := 80, 24
		u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: []string{"en", "de", "ru", "en"}[seed]}, w, h)
		lighthouse := ids["Lighthouse"]
		for i := range 150 {
			key := keys[rnd.IntN(len(keys))]
			u.Press(key)
			checkFrame(t, u, w, h, fmt.Sprint(seed, " ", i, " ", key))
			switch rnd.IntN(12) {
			case 0:
				w, h = []int{40, 60, 80, 120, 200}[rnd.IntN(5)], []int{10, 16, 24, 40}[rnd.IntN(4)]
				u.Resize(w, h)
			case 1:
				node.Knocks(lighthouse, fmt.Sprint("stranger ", i))
			case 2:
				id := node.Joins(lighthouse, "Anna")
				node.Says(lighthouse, id, "@robin and @Anna, hello")
			case 3:
				node.Heals(lighthouse, i%2 == 0)
			}
		}
	}
}

// Ten thousand joins and leaves cost a line.
func TestManyComeAndGo(t *testing.T) {
	node := tuitest.NewNode(clock)
	room := node.RoomOf("Lighthouse", "Anna")
	other := node.Meet("bob")
	node.Receive(other, "hello")
	for i := range 2000 {
		node.Leaves(room, node.Joins(room, fmt.Sprint("guest ", i)))
	}
	u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, 120, 40)
	u.Press("ctrl+k").Type("Light").Enter()
	for range 30 {
		u.Press("pgup")
	}
	u.Expect().Sees("▸ Joined: guest 0, guest 1")
	begin := time.Now()
	for range 20 {
		u.Press("x")
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("20 keys took %v", took)
	}

	// They move no room up in the list.
	node.Receive(other, "and I?")
	u.Expect().Sees("and I?")
	node.Joins(room, "one more")
	u.Expect().Sees("one more")
	if s := u.Screen(); strings.Index(s, "and I?") > strings.Index(s, "one more") {
		t.Errorf("somebody who came moved the room up:\n%s", s)
	}
}
