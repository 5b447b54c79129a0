package tui_test

import (
	"strings"
	"testing"

	"starling/tui"
	"starling/tui/tuitest"
)

// TestGoldenRooms holds the screens of rooms, small and large.
func TestGoldenRooms(t *testing.T) {
	sizes := []struct {
		name string
		w, h int
	}{{"200x60", 200, 60}, {"120x40", 120, 40}, {"80x24", 80, 24}, {"40x10", 40, 10}}
	screens := []struct {
		name, room string
		keys       []string
		sees       string
	}{
		{"room", "Lighthouse", nil, "3 new since"},
		{"assembly", "Harbour", nil, "Welcome, all."},
		{"unfolded", "Harbour", []string{"esc", "g", "G", "k", "k", "k", "k", "k", "s"}, "▾ Joined"},
		{"members", "Harbour", []string{"esc", "M", "down", "down", "down", "down"}, "30 members"},
		{"role", "Lighthouse", []string{"esc", "M", "down", "r"}, "Role of Anna"},
		{"roommenu", "Harbour", []string{"alt+g"}, "Members"},
		{"proof", "Harbour", []string{"esc", "P"}, "Two things"},
		{"mention", "Lighthouse", []string{"@"}, "Bertil"},
		{"thread", "Lighthouse", []string{"esc", "g", "T"}, "Thread of 2 messages"},
		{"reader", "Tide", nil, "You only read here"},
		{"gone", "Old crew", nil, "We stop here."},
		{"newroom", "Lighthouse", []string{"alt+n"}, "Make a room"},
		{"link", "Lighthouse", []string{"esc", "L", "enter", "enter", "enter"}, "A link into"},
	}
	for _, size := range sizes {
		for _, s := range screens {
			if size.h > 40 && s.name != "room" && s.name != "assembly" {
				continue
			}
			t.Run(s.name+"_"+size.name, func(t *testing.T) {
				node := tuitest.NewNode(clock)
				tuitest.Rooms(node)
				u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: "en"}, size.w, size.h)
				u.Press("ctrl+k").Type(s.room).Enter()
				u.Expect().Sees(s.room, "⁂", " ›").SeesNot("loading older")
				for _, key := range s.keys {
					u.Press(key).Expect().SeesNot("asking who is here")
				}
				u.Expect().Sees(s.sees)
				checkFrame(t, u, size.w, size.h, s.name)
				golden(t, s.name+"_"+size.name, u.Screen())
			})
		}
	}
}

// TestGoldenRoomCards holds the words of a room in three languages.
func TestGoldenRoomCards(t *testing.T) {
	for _, lang := range []string{"en", "de", "ru"} {
		for _, size := range []struct {
			name string
			w, h int
		}{{"80x24", 80, 24}, {"40x10", 40, 10}} {
			node := tuitest.NewNode(clock)
			tuitest.Rooms(node)
			link := node.LinkElsewhere("Elsewhere", true, "Zoe")
			u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: lang}, size.w, size.h)
			u.Press("ctrl+k").Type("Harbour").Enter().Expect().Sees("Harbour assembly")
			show := func(name string) {
				t.Helper()
				checkFrame(t, u, size.w, size.h, name)
				golden(t, strings.Join([]string{name, lang, size.name}, "_"), u.Screen())
			}
			u.Expect().Sees("30 ", "Nils 1", "Welcome, all.")
			show("assembly")
			u.Press("alt+g")
			show("roommenu")
			u.Press("esc", "esc", "J").Paste(link).Enter().Expect().Sees("esc")
			u.Expect().That("the card", func() bool { return strings.Contains(u.Screen(), "enter") && !strings.Contains(u.Screen(), link[:20]) })
			show("roomcard")
			u.Press("esc", "N")
			show("roomsettings")
		}
	}
}
