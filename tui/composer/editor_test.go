package composer

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"starling/tui/term"
	"starling/tui/theme"
)

func key(s string) tea.KeyPressMsg {
	mods := map[string]tea.KeyMod{"ctrl": tea.ModCtrl, "alt": tea.ModAlt, "shift": tea.ModShift}
	codes := map[string]rune{
		"left": tea.KeyLeft, "right": tea.KeyRight, "up": tea.KeyUp, "down": tea.KeyDown,
		"home": tea.KeyHome, "end": tea.KeyEnd, "backspace": tea.KeyBackspace, "delete": tea.KeyDelete,
	}
	var k tea.KeyPressMsg
	parts := strings.Split(s, "+")
	for _, m := range parts[:len(parts)-1] {
		k.Mod |= mods[m]
	}
	last := parts[len(parts)-1]
	if c, ok := codes[last]; ok {
		k.Code = c
	} else {
		k.Code = []rune(last)[0]
		if k.Mod == 0 {
			k.Text = last
		}
	}
	return k
}

func press(e *Editor, keys ...string) {
	for _, k := range keys {
		e.Key(key(k))
	}
}

func TestEditing(t *testing.T) {
	for _, c := range []struct {
		name, start string
		keys        []string
		want        string
	}{
		{"type", "", []string{"h", "i"}, "hi"},
		{"in the middle", "hlo", []string{"left", "left", "e"}, "helo"},
		{"backspace takes a family", "a👨‍👩‍👧", []string{"backspace"}, "a"},
		{"backspace takes a composed letter", "ae\u0301", []string{"backspace"}, "a"},
		{"backspace joins lines", "a\nb", []string{"home", "backspace"}, "ab"},
		{"delete", "abc", []string{"home", "delete"}, "bc"},
		{"word back", "one two", []string{"ctrl+w"}, "one "},
		{"word back over spaces", "one two  ", []string{"ctrl+w"}, "one "},
		{"line back", "one\ntwo", []string{"ctrl+u"}, "one\n"},
		{"line back at its start", "one\ntwo", []string{"ctrl+u", "ctrl+u"}, "one"},
		{"yank", "one two", []string{"ctrl+w", "ctrl+a", "ctrl+y"}, "twoone "},
		{"word forward", "one two", []string{"ctrl+a", "alt+d"}, " two"},
		{"start and end", "bc", []string{"ctrl+a", "a", "ctrl+e", "d"}, "abcd"},
		{"up keeps the column", "abc\nxyz", []string{"left", "up", "-"}, "ab-c\nxyz"},
		{"down to a short line", "abc\nx", []string{"up", "end", "down", "-"}, "abc\nx-"},
		{"nothing before", "", []string{"backspace", "left", "ctrl+w", "ctrl+u", "up"}, ""},
		{"nothing after", "", []string{"delete", "right", "alt+d", "down"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var e Editor
			e.SetValue(c.start)
			e.Render(theme.New(true, term.Cells{}), 40, 3)
			press(&e, c.keys...)
			if e.Value() != c.want {
				t.Errorf("got %q, want %q", e.Value(), c.want)
			}
		})
	}
}

func TestUndo(t *testing.T) {
	var e Editor
	e.Render(theme.New(true, term.Cells{}), 40, 3)
	press(&e, "o", "n", "e", " ", "t", "w", "o", "ctrl+w", "backspace")
	e.Insert("pasted\ntext")
	for _, want := range []string{"one", "one ", "one two", "one ", "one", ""} {
		if !e.Undo() || e.Value() != want || !e.valid() {
			t.Errorf("undone to %q, want %q", e.Value(), want)
		}
	}
	if e.Undo() {
		t.Error("there is more to undo")
	}
	e.SetValue("new")
	e.Replace("changed")
	if !e.Undo() || e.Value() != "new" || e.Undo() {
		t.Errorf("got %q", e.Value())
	}
	secret := Editor{Hidden: true}
	secret.Insert("x")
	if secret.Undo() || secret.past != nil {
		t.Error("a hidden text is kept")
	}
	for i := range 3 * maxPast {
		e.Replace(strings.Repeat("x", i))
	}
	if len(e.past) != maxPast {
		t.Errorf("%d states", len(e.past))
	}
}

func TestPasteIsCleanedAndPutIn(t *testing.T) {
	var e Editor
	e.Insert("a\r\nb\x1b[31m\tc")
	if got, want := e.Value(), "a\nb[31m    c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	one := Editor{OneLine: true}
	one.Insert("a\nb")
	if got, want := one.Value(), "a b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLimitRefusesWhole(t *testing.T) {
	e := Editor{Limit: 4}
	if !e.Insert("abcd") || e.Insert("é") || e.Value() != "abcd" {
		t.Errorf("got %q", e.Value())
	}
}

func TestHiddenShowsDots(t *testing.T) {
	e := Editor{Hidden: true, OneLine: true}
	e.SetValue("pässword 日")
	lines, x, _ := e.Render(theme.New(true, term.Cells{}), 20, 1)
	if got, want := strings.TrimRight(lines[0], " "), strings.Repeat("•", 10); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if x != 10 {
		t.Errorf("cursor at %d", x)
	}
}

func TestWrapping(t *testing.T) {
	var e Editor
	e.SetValue("one two three")
	lines, x, y := e.Render(theme.New(true, term.Cells{}), 9, 3)
	if got, want := strings.Join(lines, "|"), "one two  |three    |         "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if x != 5 || y != 1 {
		t.Errorf("cursor at %d,%d", x, y)
	}
	press(&e, "up")
	if e.pos != 5 {
		t.Errorf("up goes to %d", e.pos)
	}
	e.Click(1, 1)
	if e.pos != 9 {
		t.Errorf("click goes to %d", e.pos)
	}
}

func FuzzEditor(f *testing.F) {
	f.Add("one two\n👨‍👩‍👧 日本 e\u0301", []byte("aBcDeFgHiJkLmN"), 8)
	f.Fuzz(func(t *testing.T, text string, ops []byte, width int) {
		if width < 1 || width > 100 || len(ops) > 200 {
			return
		}
		keys := []string{"undo", "left", "right", "up", "down", "backspace", "delete", "ctrl+w", "alt+d", "ctrl+u", "ctrl+y", "home", "end", "alt+left", "alt+right", "x", "日"}
		var e Editor
		e.SetValue(text)
		th := theme.New(true, term.Cells{})
		for _, op := range ops {
			if k := keys[int(op)%len(keys)]; k == "undo" {
				e.Undo()
			} else {
				press(&e, k)
			}
			if !e.valid() {
				t.Fatalf("cursor at %d of %q", e.pos, e.text)
			}
			lines, x, y := e.Render(th, width, 3)
			if x < 0 || x >= width || y < 0 || y >= 3 || len(lines) != 3 {
				t.Fatalf("cursor at %d,%d of %dx3", x, y, width)
			}
			for _, l := range lines {
				if n := th.Cells.Width(l); n != width {
					t.Fatalf("%q is %d cells, not %d", l, n, width)
				}
			}
		}
	})
}
