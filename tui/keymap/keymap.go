// Package keymap is the one table of everything a person can do: each action
// with its name, the keys it has and where they work. Routing of keys, the
// command palette, the help and the documentation are made from it.
package keymap

import (
	"fmt"
	"slices"
)

// A Place is where the focus is.
type Place uint8

const (
	Composer Place = 1 << iota // typing a message
	Messages                   // moving through a conversation
	List                       // moving through the conversations

	Lists    = Messages | List
	Anywhere = Composer | Messages | List
)

// An Action is one thing that can be done.
type Action struct {
	ID   ID
	Name string
	// Also are other words by which people look for it.
	Also string
	// Group is the heading in the help.
	Group string
	// Keys are keystrokes as Bubble Tea names them. The first one is shown.
	Keys []string
	// In is where the keys work. The palette offers an action anywhere.
	In Place
	// Hidden actions are not in the palette: they make sense only as a key.
	Hidden bool
}

// Key returns the key that is shown for the action, or "".
func (a Action) Key() string {
	if len(a.Keys) == 0 {
		return ""
	}
	return a.Keys[0]
}

// A Map is the table. Several actions may share an ID if their keys differ
// from place to place.
type Map struct {
	actions []Action
	byKey   map[Place]map[string]ID
}

// Default returns the table as shipped.
func Default() *Map {
	m, err := New(table)
	if err != nil {
		panic(err) // the table is ours; a test holds it
	}
	return m
}

// New builds a table and refuses one in which a key means two things.
func New(actions []Action) (*Map, error) {
	m := &Map{actions: slices.Clone(actions), byKey: map[Place]map[string]ID{
		Composer: {}, Messages: {}, List: {},
	}}
	for _, a := range actions {
		for _, key := range a.Keys {
			for place, keys := range m.byKey {
				if a.In&place == 0 {
					continue
				}
				if other, taken := keys[key]; taken {
					return nil, fmt.Errorf("key %q: both %s and %s", key, other, a.ID)
				}
				keys[key] = a.ID
			}
		}
	}
	return m, nil
}

// Lookup returns the action of a keystroke in a place.
func (m *Map) Lookup(in Place, key string) (ID, bool) {
	id, ok := m.byKey[in][key]
	return id, ok
}

// All returns every action, in the order of the table.
func (m *Map) All() []Action { return m.actions }

// In returns the actions that have a key in a place.
func (m *Map) In(place Place) []Action {
	var out []Action
	for _, a := range m.actions {
		if a.In&place != 0 && len(a.Keys) > 0 {
			out = append(out, a)
		}
	}
	return out
}

// Name returns the name of an action, in English.
func (m *Map) Name(id ID) string {
	for _, a := range m.actions {
		if a.ID == id {
			return a.Name
		}
	}
	return string(id)
}

// Palette returns the actions that can be chosen by name, one for each ID.
func (m *Map) Palette() []Action {
	var out []Action
	for _, a := range m.actions {
		if !a.Hidden && !slices.ContainsFunc(out, func(o Action) bool { return o.ID == a.ID }) {
			out = append(out, a)
		}
	}
	return out
}

// Key returns the key shown for an action in a place, or "".
func (m *Map) Key(in Place, id ID) string {
	for _, a := range m.actions {
		if a.ID == id && a.In&in != 0 && len(a.Keys) > 0 {
			return a.Keys[0]
		}
	}
	return ""
}
