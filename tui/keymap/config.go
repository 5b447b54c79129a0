package keymap

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxConfig is the longest configuration that [Parse] reads, in bytes.
const MaxConfig = 64 << 10

// maxKeys is the most keys of one action.
const maxKeys = 8

// places are the sections of a configuration.
var places = map[string]Place{"composer": Composer, "messages": Messages, "list": List}

// Parse makes a table of the one shipped and a person's configuration. That
// is TOML, one action a line: its ID and the keys that it is to have instead
// of its own, none to take them away. A line before the first section holds
// wherever the action has keys, a line in a section only there:
//
//	# enter starts a new line, ctrl+s sends
//	send = "ctrl+s"
//	newline = "enter"
//	search.all = []
//
//	[messages]
//	message.reply = ["r", "a"]
//
// Keys are named as the help shows them. An error names its line: an unknown
// action or section, a line that cannot be read, a key that two actions of one
// place want, a letter in the composer, an action that must have a key and
// has none.
func Parse(text string) (*Map, error) {
	if len(text) > MaxConfig {
		return nil, fmt.Errorf("the keys take more than %d bytes", MaxConfig)
	}

	actions := slices.Clone(table)
	section := Anywhere
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}

		var err error
		if line[0] == '[' {
			section, err = parseSection(line)
		} else {
			actions, err = apply(actions, section, line)
			if err == nil {
				_, err = New(actions)
				if err != nil && unfinished(text, i) {
					err = nil // a later line may mend it
				}
			}
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}

	m, err := New(actions)
	if err != nil {
		return nil, err
	}
	return m, required(m)
}

// unfinished reports whether lines with actions follow line i.
func unfinished(text string, i int) bool {
	for _, line := range strings.Split(text, "\n")[i+1:] {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' && line[0] != '[' {
			return true
		}
	}
	return false
}

// required refuses a table in which a person would be stuck.
func required(m *Map) error {
	for _, id := range []ID{Send, Leave, Palette} {
		if m.Key(Composer, id) == "" {
			return fmt.Errorf("%s must have a key in the composer", id)
		}
	}
	return nil
}

func parseSection(line string) (Place, error) {
	name, ok := strings.CutSuffix(strings.TrimPrefix(uncomment(line), "["), "]")
	place, known := places[strings.TrimSpace(name)]
	if !ok || !known {
		return 0, fmt.Errorf("the sections are [composer], [messages] and [list]")
	}
	return place, nil
}

// apply gives an action other keys in some places. Where it keeps its own in
// others, it becomes two.
func apply(actions []Action, section Place, line string) ([]Action, error) {
	name, value, ok := strings.Cut(line, "=")
	if !ok {
		return nil, fmt.Errorf("an action, = and its keys are expected")
	}

	id := ID(strings.Trim(strings.TrimSpace(name), `"'`))
	keys, err := parseKeys(strings.TrimSpace(value))
	if err != nil {
		return nil, err
	}

	// The keys hold in this section; elsewhere the action keeps its own.
	var out []Action
	var sample *Action
	reached := Place(0)
	for _, a := range actions {
		if a.ID != id {
			out = append(out, a)
			continue
		}
		if sample == nil {
			sample = &a
		}
		changed := a
		changed.In, changed.Keys = a.In&section, keys
		a.In &^= section
		reached |= changed.In
		if a.In != 0 {
			out = append(out, a)
		}
		if changed.In != 0 {
			out = append(out, changed)
		}
	}

	if sample == nil {
		return nil, fmt.Errorf("there is no action %q; the palette lists them by their names, docs/COMMANDS.md by their IDs", id)
	}

	// An action may get keys where it had none.
	if section != Anywhere && reached == 0 {
		more := *sample
		more.In, more.Keys = section, keys
		out = append(out, more)
		reached = section
	}

	for _, key := range keys {
		if reached&Composer != 0 && utf8.RuneCountInString(key) == 1 {
			return nil, fmt.Errorf("%q must stay a letter in the composer: give it in [messages] or [list]", key)
		}
	}
	return out, nil
}

// parseKeys reads "key" or ["key", …].
func parseKeys(s string) ([]string, error) {
	list := false
	if rest, ok := strings.CutPrefix(s, "["); ok {
		list, s = true, strings.TrimSpace(rest)
	}

	var keys []string
	for {
		if list {
			if rest, ok := strings.CutPrefix(s, "]"); ok {
				return keys, trailing(rest)
			}
		}

		// A key in quotes.
		if s == "" || s[0] != '"' && s[0] != '\'' {
			return nil, fmt.Errorf(`a key in quotes is expected, as "ctrl+k"`)
		}
		end := strings.IndexByte(s[1:], s[0])
		if end < 0 {
			return nil, fmt.Errorf("a quote is missing")
		}
		key := s[1 : 1+end]
		if err := checkKey(key); err != nil {
			return nil, err
		}
		if keys = append(keys, key); len(keys) > maxKeys {
			return nil, fmt.Errorf("more than %d keys for one action", maxKeys)
		}
		s = strings.TrimSpace(s[end+2:])

		// Then a comma, or the end.
		if !list {
			return keys, trailing(s)
		}
		if rest, ok := strings.CutPrefix(s, ","); ok {
			s = strings.TrimSpace(rest)
		} else if !strings.HasPrefix(s, "]") {
			return nil, fmt.Errorf("a comma or ] is expected")
		}
	}
}

func trailing(s string) error {
	if s = strings.TrimSpace(s); s != "" && s[0] != '#' {
		return fmt.Errorf("%.20q is not expected here", s)
	}
	return nil
}

func uncomment(s string) string {
	s, _, _ = strings.Cut(s, "#")
	return strings.TrimSpace(s)
}

// named are the keys that are more than one character.
var named = []string{
	"enter", "esc", "tab", "space", "up", "down", "left", "right", "home", "end", "pgup", "pgdown",
	"backspace", "delete", "insert", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "f11", "f12",
}

// checkKey refuses a key that no terminal can send.
func checkKey(key string) error {
	rest := key
	for _, mod := range []string{"ctrl+", "alt+", "shift+"} {
		rest = strings.TrimPrefix(rest, mod)
	}
	r, n := utf8.DecodeRuneInString(rest)
	if n > 0 && n == len(rest) && r > ' ' && r != utf8.RuneError && r != 0x7f || slices.Contains(named, rest) {
		return nil
	}
	return fmt.Errorf("%.20q is no key; modifiers come first, in the order ctrl+alt+shift+", key)
}
