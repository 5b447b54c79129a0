package tui_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"starling/tui"
	"starling/tui/tuitest"
)

// What we say ourselves is read whole at 80×24, in every language: labels of menus, of the
// network, of the help and of the actions. Only names, texts and identifiers may be cut.
func TestNothingOfOursIsCut(t *testing.T) {
	for _, language := range []string{"en", "de", "ru"} {
		node := tuitest.NewNode(clock)
		tuitest.People(node)
		tuitest.Rooms(node)
		u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: language, BackupDir: "/tmp"}, 80, 24)
		for _, where := range []string{"alice", "Harbour assembly", "Lighthouse"} {
			u.Press("ctrl+k").Type(where).Enter()
			for _, keys := range [][]string{
				{"f1"}, {"f2"}, {"f7"}, {"f8"}, {"f9"}, {"alt+g"}, {"alt+n"}, {"ctrl+n"}, {"ctrl+p"}, {"alt+a"}, {"alt+p"}, {"alt+h"},
				{"esc", "f1"}, {"esc", "enter"}, {"esc", "d"}, {"esc", "c"}, {"esc", "t"}, {"esc", "b"}, {"esc", "D"}, {"esc", "W"}, {"esc", "C"},
				{"esc", "N"}, {"esc", "L"}, {"esc", "M", "down", "enter"}, {"esc", "M", "down", "down", "down", "r"}, {"esc", "esc", "f1"},
			} {
				u.Press(keys...)
				for range 8 {
					for _, l := range box(u) {
						if cutWord.MatchString(l) {
							t.Errorf("%s, %s, %v: %q\n%s", language, where, keys, l, u.Screen())
						}
					}
					u.Press("pgdown")
				}
				u.Press("esc", "esc", "esc", "i")
			}
		}
		checkFrame(t, u, 80, 24, fmt.Sprint("uncut ", language))
	}
}

// box returns the lines within the dialog on the screen.
func box(u *tuitest.User) (lines []string) {
	screen := strings.Split(u.Screen(), "\n")
	top := slices.IndexFunc(screen, func(l string) bool { return strings.Contains(l, "╭─") })
	if top < 0 {
		return nil
	}
	left := len([]rune(screen[top][:strings.Index(screen[top], "╭─")]))
	for _, l := range screen[top+1:] {
		r := []rune(l)
		if len(r) <= left || r[left] != '│' {
			break
		}
		l = string(r[left+1:])
		if end := strings.LastIndex(l, "│"); end >= 0 {
			l = l[:end]
		}
		// The list behind it has wide letters: the frame stands elsewhere there.
		lines = append(lines, strings.TrimRight(l, "│ "))
	}
	return lines
}

// cutWord is a word that is cut. The dots before an identifier, and those of a glyph, have no
// letter before them.
var cutWord = regexp.MustCompile(`\pL…`)

// A notice that is longer than the status bar takes more rows: it may end with the step to
// take.
func TestLongNotice(t *testing.T) {
	for _, size := range [][2]int{{40, 10}, {80, 24}} {
		for _, language := range []string{"en", "de", "ru"} {
			node := tuitest.NewNode(clock)
			node.Meet("alice")
			u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: language}, size[0], size[1])
			u.Press("f12") // no Restore: it says how
			u.Expect().That("the whole sentence", func() bool {
				words := strings.Join(strings.Fields(u.Screen()), " ")
				return strings.Contains(words, "starling --profile") && strings.Contains(words, " restore ")
			})
			checkFrame(t, u, size[0], size[1], "a long notice "+language)
		}
	}
}
