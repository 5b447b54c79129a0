package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// A Script is the state of a mesh that events are given to one at a time, while it runs.
// It is not for several goroutines.
type Script struct{ b *planner }

// Script begins with all relays up and all users online.
func (s *Scenario) Script() *Script {
	live := *s
	live.File, live.lines, live.Events = "", nil, nil // its errors are of no line
	return &Script{live.planner()}
}

// Join adds a user.
func (c *Script) Join() {
	b := c.b
	b.s.Users++
	b.offline, b.full = append(b.offline, false), append(b.full, false)
	b.left, b.unread = append(b.left, ""), append(b.unread, false)
}

// Leave notes that a user went offline without an event.
func (c *Script) Leave(user int) { c.b.offline[user] = true }

// Ended notes that a relay stopped without an event.
func (c *Script) Ended(relay int) { c.b.down[relay] = true }

// Do reads an event in the words of a file, such as "stop relays=[0,3]", and returns its
// step. One that contradicts the state, or that the engine cannot do, is an error and
// changes nothing.
func (c *Script) Do(words ...string) (Step, error) {
	e, err := c.b.s.order(words)
	if err != nil {
		return Step{}, err
	}
	if what, ok := abilities[e.Do]; ok && !Can(c.b.s.Engine, what) {
		return Step{}, c.b.s.errorf("", "engine %q cannot do %s; %s can", c.b.s.Engine, what, list(able([]Feature{what, Staying})))
	}

	tried := *c.b
	tried.down, tried.offline, tried.full = slices.Clone(tried.down), slices.Clone(tried.offline), slices.Clone(tried.full)
	tried.apart, tried.blocked, tried.crammed = slices.Clone(tried.apart), slices.Clone(tried.blocked), slices.Clone(tried.crammed)
	tried.steps = nil
	if err := tried.event(e); err != nil {
		return Step{}, err
	}
	*c.b = tried
	return tried.steps[0], nil
}

// pair is a key and its value in an order; machine is the name of a node.
var (
	pair    = regexp.MustCompile(`^([a-z_]+)\s*=\s*(\[[^\]]*\]|[^\s\[]+)\s*`)
	machine = regexp.MustCompile(`^([ru])(\d{1,5})(?:\s+|$)`)
)

// order reads one event as a line of a file: "stop relays=[0,3]". "relays=0,3" and
// "stop r0 r3" say the same.
func (s *Scenario) order(words []string) (Event, error) {
	do, rest, _ := strings.Cut(strings.TrimSpace(strings.Join(words, " ")), " ")
	var file strings.Builder
	nodes := map[string][]string{}
	for rest = strings.TrimSpace(rest); rest != ""; {
		if m := machine.FindStringSubmatch(rest); m != nil {
			key := map[string]string{"r": "relays", "u": "users"}[m[1]]
			nodes[key] = append(nodes[key], m[2])
			rest = rest[len(m[0]):]
			continue
		}
		m := pair.FindStringSubmatch(rest)
		if m == nil {
			return Event{}, s.errorf("", "%q is no part of an event; an event is \"stop relays=[0,3]\" or \"stop r0 r3\"", rest)
		}
		key, value := m[1], m[2]
		if key == "at" || key == "do" {
			return Event{}, s.errorf("", "%s is not given here: the event happens now", key)
		}
		if (key == "relays" || key == "users") && !strings.HasPrefix(value, "[") {
			value = "[" + value + "]"
		}
		fmt.Fprintf(&file, "%s = %s\n", key, value)
		rest = rest[len(m[0]):]
	}
	for key, list := range nodes {
		fmt.Fprintf(&file, "%s = [%s]\n", key, strings.Join(list, ", "))
	}

	var keys map[string]any
	if err := toml.Unmarshal([]byte(file.String()), &keys); err != nil {
		return Event{}, s.errorf("", "this is no event: %s", oneLine(err.Error()))
	}
	if keys == nil {
		keys = map[string]any{}
	}

	// Read as a table of a file, so that both say the same and refuse the same.
	keys["at"], keys["do"] = "0s", do

	read := *s
	read.Events = nil
	r := &reader{s: &read}
	read.readEvent(table{"", keys, r})
	if r.err != nil {
		return Event{}, r.err
	}
	return read.Events[0], nil
}

// Kept is the scenario as it is kept up: its relays, its users and their network, and
// nothing that happens by itself. There is room for more users to join.
func (s *Scenario) Kept(room int) *Scenario {
	k := *s
	k.Messages = Messages{MinSize: MinSize, MaxSize: MinSize, Pairs: s.Messages.Pairs}
	k.Rooms = nil
	k.Shifts, k.Churn, k.Hostile, k.Events, k.Bar = 0, Churn{}, nil, nil, Bar{}
	k.Newcomers, k.Stays = room, true
	return &k
}

// IsEvent reports whether a word is the act of an event.
func IsEvent(word string) bool { _, ok := takes[Action(word)]; return ok }
