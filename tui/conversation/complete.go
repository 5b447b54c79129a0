package conversation

import (
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"starling/tui/attach"
	"starling/tui/emoji"
	"starling/tui/linear"
	"starling/tui/match"
	"starling/tui/theme"
	"starling/tui/words"
)

const (
	// maxOffered is how many completions are offered, maxShown how many are seen at once.
	maxOffered = 64
	maxShown   = 6
	// popupWidth is how wide they are.
	popupWidth = 56
)

// Completion completes the word before the cursor of the open text.
type Completion struct{ *Book }

// Completion returns it.
func (b *Book) Completion() Completion { return Completion{b} }

// An offer is a completion: the text that takes the place of the typed word. That word is
// whole if it means the same.
type offer struct {
	text, label, detail string
	whole               bool
}

// guesses are the offers for the word before the cursor.
type guesses struct {
	of       string // the text before the cursor that it was made for
	typed    string // the end of it that is completed
	offers   []offer
	selected int
	closed   bool // by the person, for this word
}

// offered returns the completions of the text as it is now, nil if there are none.
func (b Completion) offered() *guesses {
	c := b.Open()
	if c == nil || !b.Writable() || b.desk.Hidden {
		return nil
	}
	before := c.Text.Before()
	if c.guesses.of != before {
		old := c.guesses
		c.guesses = b.complete(before)
		c.guesses.of = before
		// Whoever closed it goes on typing the same word.
		c.guesses.closed = old.closed && strings.HasPrefix(before, old.of)
		if len(c.guesses.offers) == 0 {
			c.guesses.closed = false
		}
	}
	if c.guesses.closed || len(c.guesses.offers) == 0 {
		return nil
	}
	return &c.guesses
}

// complete finds what the end of a text may be meant for: a command, the name of a
// contact, an emoji.
func (b Completion) complete(before string) guesses {
	word := before[strings.LastIndexAny(before, " \n")+1:]
	if len(word) > 64 {
		return guesses{}
	}
	if strings.HasPrefix(before, "/") && !strings.HasPrefix(before, "//") && !strings.Contains(before, "\n") {
		if word == before {
			return guesses{typed: word, offers: b.commandsLike(word)}
		}
		return b.completeArgument(before)
	}
	switch {
	case strings.HasPrefix(word, ":") && utf8.RuneCountInString(word) > 2:
		return guesses{typed: word, offers: emojiLike(b.desk.Theme, word[1:])}
	case strings.HasPrefix(word, "@") && b.Contact() != nil && b.Contact().Room != nil:
		return guesses{typed: word, offers: b.membersLike(word[1:])}
	case strings.HasPrefix(word, "@") && len(word) > 1:
		return guesses{typed: word, offers: b.namesLike(word[1:])}
	}
	return guesses{}
}

// commandsLike are the commands that begin like a word.
func (b Completion) commandsLike(word string) []offer {
	var out []offer
	for _, x := range linear.Commands() {
		if !strings.HasPrefix(x.Name, word) {
			continue
		}
		o := offer{text: x.Name, label: x.Name, detail: b.desk.T(x.Help)}
		if args := Arguments(x); args != "" {
			o.text += " "
			o.label += " " + b.desk.T(args)
		}
		out = append(out, o)
	}
	return out
}

// Arguments are the arguments of a command where messages have no numbers: it is about the
// selected message or the last.
func Arguments(x linear.Command) string {
	return strings.TrimSpace(strings.TrimPrefix(x.Args, "NUMBER"))
}

// completeArgument completes the argument of a command by its place in the table.
func (b Completion) completeArgument(before string) guesses {
	name, typed, _ := strings.Cut(before, " ")
	typed = strings.TrimLeft(typed, " ")
	if name == "/room" {
		return b.completeRoom(typed)
	}
	for _, x := range linear.Commands() {
		if x.Name != name {
			continue
		}
		switch args := Arguments(x); {
		case strings.HasPrefix(args, "NAME") && name != "/invite" || name == "/unblock" || name == "/verified" || name == "/unverified":
			return guesses{typed: typed, offers: b.namesLike(typed)}
		case args == "EMOJI":
			offers := emojiLike(b.desk.Theme, strings.TrimPrefix(typed, ":"))
			for i := range offers {
				offers[i].whole = emoji.Named(typed) == offers[i].text
			}
			return guesses{typed: typed, offers: offers}
		}
	}
	return guesses{}
}

// completeRoom completes a word of /room, or the member that it is about.
func (b Completion) completeRoom(typed string) guesses {
	word, rest, more := strings.Cut(typed, " ")
	var out []offer
	for _, x := range linear.RoomCommands() {
		switch {
		case !more && strings.HasPrefix(x.Name, word):
			o := offer{text: x.Name, label: x.Name, detail: b.desk.T(x.Help)}
			if x.Args != "" {
				o.text += " "
				o.label += " " + b.desk.T(x.Args)
			}
			out = append(out, o)
		case more && x.Name == word && (strings.HasPrefix(x.Args, "MEMBER") || x.Help == "" && word != "withdraw" && word != "accept"):
			rest = strings.TrimLeft(rest, " ")
			return guesses{typed: rest, offers: b.peopleLike(rest)}
		}
	}
	return guesses{typed: typed, offers: out}
}

// peopleLike are the members of the room, also those at its door, for a command.
func (b Completion) peopleLike(typed string) []offer {
	var out []offer
	low := strings.ToLower(typed)
	for _, m := range b.Rooms.Roster(b.Current).Named(func(name string) bool { return begins(name, low) }) {
		out = append(out, offer{text: m.Text, label: m.Label, detail: m.Detail})
	}
	return out
}

// namesLike are the contacts with a word in their name that begins so.
func (b Completion) namesLike(typed string) []offer {
	var out []offer
	typed = match.Plain(typed)
	for _, c := range b.people.All() {
		name := words.Name(&c)
		if name != "" && begins(match.Plain(name), typed) {
			out = append(out, offer{text: name, label: b.desk.Theme.Cells.Steady(name), detail: words.Standing(b.desk.Theme, &c)})
		}
	}
	return out[:min(len(out), maxOffered)]
}

// membersLike are the members of the room with a word in their name that begins so.
func (b Completion) membersLike(typed string) []offer {
	var out []offer
	typed = strings.ToLower(typed)
	for _, m := range b.Rooms.Roster(b.Current).Candidates(func(name string) bool { return begins(name, typed) }) {
		out = append(out, offer{text: m.Text, label: m.Label, detail: m.Detail})
	}
	return out
}

// begins reports whether a text, or a word of it, begins with what was typed.
func begins(text, typed string) bool {
	for {
		if strings.HasPrefix(text, typed) {
			return true
		}
		i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if i < 0 {
			return false
		}
		_, n := utf8.DecodeRuneInString(text[i:])
		text = text[i+n:]
	}
}

// emojiLike are the emoji with a name in any language that begins so; _ stands for a
// space.
func emojiLike(th *theme.Theme, typed string) []offer {
	typed = strings.ToLower(strings.ReplaceAll(typed, "_", " "))
	var first, rest []offer
	for _, e := range emoji.All {
		names := emoji.Names(e)
		o := offer{text: e.Char, label: th.Cells.Steady(e.Char) + "  " + th.T(e.Name)}
		switch {
		case slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, typed) }):
			first = append(first, o)
		case slices.ContainsFunc(names, func(n string) bool { return begins(n, typed) }):
			rest = append(rest, o)
		}
	}
	return append(first, rest...)
}

// CompletionKeys are those that completions take, where there are some.
var CompletionKeys = map[string]bool{"up": true, "shift+tab": true, "down": true, "esc": true, "tab": true, "enter": true}

// Key gives a key to the completions, and reports whether it was for them: the
// arrows choose, tab and enter take, esc closes.
func (b Completion) Key(k tea.KeyPressMsg) (tea.Cmd, bool) {
	p := b.offered()
	if p == nil && k.Keystroke() == "tab" {
		return b.completePath()
	}
	if p == nil {
		return nil, false
	}

	c, n := b.Open(), len(p.offers)
	switch k.Keystroke() {
	case "up", "shift+tab":
		p.selected = (p.selected + n - 1) % n
	case "down":
		p.selected = (p.selected + 1) % n
	case "esc":
		p.closed = true
	case "tab", "enter":
		chosen := p.offers[p.selected]
		if k.Keystroke() == "enter" && p.typed == "@" && p.selected == 0 {
			return nil, false // nobody was named yet
		}
		if k.Keystroke() == "enter" && (chosen.whole || strings.TrimSpace(chosen.text) == p.typed) {
			return nil, false // it is whole, and enter is for the line
		}
		c.Text.Take(len(p.typed), chosen.text)
		if chosen.text == p.typed {
			p.closed = true
		}
		return b.touched(c), true

	default:
		return nil, false
	}
	return nil, true
}

// completePath completes the path behind a command that takes one, as far as it is certain, and
// offers the names that it could have. The folder is read for this key alone.
func (b Completion) completePath() (tea.Cmd, bool) {
	c := b.Open()
	if c == nil || !b.Writable() || b.desk.Hidden {
		return nil, false
	}
	name, typed, ok := strings.Cut(c.Text.Before(), " ")
	if !ok || strings.Contains(typed, "\n") || !slices.ContainsFunc(linear.Commands(), func(x linear.Command) bool {
		return x.Name == name && pathArguments[Arguments(x)]
	}) {
		return nil, false
	}

	typed = strings.TrimLeft(typed, " ")
	path, choices := attach.Complete(typed)
	if path != typed && !c.Text.Take(len(typed), path) {
		return nil, true
	}
	if len(choices) > 1 {
		folder := path[:strings.LastIndexAny(path, string(filepath.Separator)+"/")+1]
		g := guesses{of: c.Text.Before(), typed: path}
		for _, choice := range choices[:min(len(choices), maxOffered)] {
			g.offers = append(g.offers, offer{text: folder + choice, label: b.desk.Theme.Cells.Steady(choice), whole: choice == path[len(folder):]})
		}
		c.guesses = g
	}
	return b.touched(c), true
}

// pathArguments are the arguments that are the path of a file.
var pathArguments = map[string]bool{"PATH": true, "FILE": true}

// turnEmoji puts an emoji in the place of its name between colons, once the second one is
// typed.
func (c *Chat) turnEmoji() {
	before := c.Text.Before()
	name, ok := strings.CutSuffix(before, ":")
	at := strings.LastIndexByte(name, ':')
	if !ok || at < 0 || at > 0 && name[at-1] != ' ' && name[at-1] != '\n' || strings.ContainsAny(name[at:], " \n") {
		return
	}
	if char := emoji.Named(strings.ReplaceAll(name[at+1:], "_", " ")); char != "" {
		c.Text.Take(len(before)-at, char)
	}
}

// Draw draws the completions over the last rows above the text.
func (b Completion) Draw(rows []string, w int) {
	p := b.offered()
	if p == nil {
		return
	}
	th := b.desk.Theme
	room := min(len(rows), maxShown, len(p.offers))
	from := max(0, min(p.selected-room/2, len(p.offers)-room))
	width := min(w-promptWidth-1, popupWidth)
	for i := range room {
		o := p.offers[from+i]
		label := th.Cells.Truncate(o.label, width-2)
		detail := ""
		if rest := width - th.Cells.Width(label) - 4; rest > 8 {
			detail = th.Cells.Truncate(o.detail, rest)
		}
		line := th.Cells.Fit(" "+label+"  "+th.Muted.Render(detail), width)
		if from+i == p.selected {
			line = th.Selected.Render(th.Cells.Fit(" "+label+"  "+detail, width))
		}
		y := len(rows) - room + i
		rows[y] = th.Cells.Over(rows[y], th.Border.Render("│")+line+th.Border.Render("│"), promptWidth-2, w)
	}
}
