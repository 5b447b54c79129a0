package dialog

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"starling/tui/composer"
	"starling/tui/list"
	plain "starling/tui/match"
	"starling/tui/theme"
)

// A Choice is one row of a picker.
type Choice struct {
	Label  string
	Find   string // the text that is searched, if it is not the label
	Detail string // at the right
	Action Action
}

// A Picker finds one of many by a few letters.
type Picker struct {
	Title   string
	Choices []Choice
	// None is shown when nothing matches.
	None string
	// Typed, if set, makes a choice of what was typed itself; false: it is none.
	Typed func(text string) (Choice, bool)

	filter composer.Editor
	found  []Choice
	rows   list.Picker
	room   int
	from   int
}

// maxFilter is how much is typed to find something, in bytes.
const maxFilter = 256

// NewPicker returns a picker.
func NewPicker(title, placeholder, none string, choices []Choice) *Picker {
	p := &Picker{Title: title, Choices: choices, None: none}
	p.filter.Placeholder = placeholder
	p.filter.OneLine, p.filter.Limit = true, maxFilter
	p.search()
	return p
}

// Key filters, moves or chooses.
func (p *Picker) Key(k tea.KeyPressMsg) Action {
	switch k.Keystroke() {
	case cancel, "ctrl+c", "ctrl+k", "ctrl+p":
		return Close
	case "enter":
		return p.choose(p.rows.Selected)
	case "up", "shift+tab":
		p.rows.Move(-1, len(p.found))
	case "down", "tab", "ctrl+n", "ctrl+j":
		p.rows.Move(1, len(p.found))
	case "pgup":
		p.rows.Move(-p.room, len(p.found))
	case "pgdown":
		p.rows.Move(p.room, len(p.found))
	default:
		before := p.filter.Value()
		p.filter.Key(k)
		if p.filter.Value() != before {
			p.search()
		}
	}
	return Action{}
}

func (p *Picker) choose(i int) Action {
	if i < 0 || i >= len(p.found) {
		return Action{}
	}
	return p.found[i].Action
}

// Paste puts text into the filter.
func (p *Picker) Paste(s string) Action {
	if room := maxFilter - len(p.filter.Value()); len(s) > room {
		s = strings.ToValidUTF8(s[:max(0, room)], "") // nothing is looked for by more
	}
	p.filter.Insert(s)
	p.search()
	return Action{}
}

// Click chooses a row.
func (p *Picker) Click(_, y int) Action {
	i := y - p.from
	from, to := p.rows.Window(len(p.found), p.room)
	if i < 0 || from+i >= to {
		return Action{}
	}
	return p.choose(from + i)
}

// Wheel scrolls.
func (p *Picker) Wheel(lines int) { p.rows.Scroll(lines, len(p.found), p.room) }

func (p *Picker) search() {
	p.found = Find(p.Choices, p.filter.Value())
	if p.Typed != nil {
		if c, ok := p.Typed(p.filter.Value()); ok {
			p.found = append([]Choice{c}, p.found...)
		}
	}
	p.rows = list.Picker{}
}

// Render draws the picker. Its height does not depend on the matches.
func (p *Picker) Render(th *theme.Theme, width, height int) Box {
	const want = 56
	inner, _ := measure(want, width, height)

	p.room = max(1, min(len(p.Choices), height-9, 14))
	if height < roomy {
		p.room = max(1, min(len(p.Choices), height-5))
	}

	line, x, _ := p.filter.Render(th, inner-2, 1)
	c := content{title: p.Title, cursor: true, cx: x + 2}
	c.body = append(c.body, th.Accent.Render(theme.GlyphPrompt)+" "+line[0])
	if height >= roomy {
		c.body = append(c.body, "")
	}

	// The choices that match, as many rows as there may be at most.
	first := len(c.body)
	from, to := p.rows.Window(len(p.found), p.room)
	for i := from; i < to; i++ {
		ch := p.found[i]
		if i == p.rows.Selected {
			row := th.Cells.Ends(" "+ch.Label, ch.Detail+" ", inner)
			c.body = append(c.body, th.Selected.Render(row))
			continue
		}
		c.body = append(c.body, th.Cells.Ends(" "+ch.Label, th.Muted.Render(ch.Detail)+" ", inner))
	}
	if len(p.found) == 0 {
		c.body = append(c.body, th.Muted.Render(th.Cells.Truncate(" "+th.T(p.None), inner)))
	}
	for len(c.body) < first+p.room {
		c.body = append(c.body, "")
	}

	box := draw(th, c, want, width, height)
	p.from = box.top + first
	return box
}

// Find returns the choices with the letters of the query in their label, in order, best
// first: a word that begins with them, then letters that stand together.
func Find(choices []Choice, query string) []Choice {
	query = strings.ToLower(strings.TrimSpace(query))
	if query == "" {
		return choices
	}
	type hit struct {
		Choice
		score int
	}
	var hits []hit

	bare := plain.Plain(query)
	marked := strings.IndexFunc(bare, func(r rune) bool { return r >= firstUnmarked }) < 0
	for _, c := range choices {
		text := strings.ToLower(cmp.Or(c.Find, c.Label))
		score, ok := match(text, query)
		if !ok && marked {
			if unmarked := plain.Plain(text); unmarked != text || bare != query {
				score, ok = match(unmarked, bare)
				score -= otherForm
			}
		}
		if ok {
			hits = append(hits, hit{c, score})
		}
	}

	slices.SortStableFunc(hits, func(a, b hit) int { return b.score - a.score })
	out := make([]Choice, len(hits))
	for i, h := range hits {
		out[i] = h.Choice
	}
	return out
}

func match(text, query string) (score int, ok bool) {
	if i := strings.Index(text, query); i >= 0 {
		score = 1000 - i
		if i == 0 {
			return score + 1000, true
		}
		if r, _ := utf8.DecodeLastRuneInString(text[:i]); !unicode.IsLetter(r) {
			score += 500
		}
		return score, true
	}

	if score, ok := words(text, query); ok {
		return score, true
	}
	if utf8.RuneCountInString(query) > fewLetters {
		return 0, false
	}

	// Letters count more together, and at the beginning of words.
	prev := rune(' ')
	together := false
	rest := []rune(query)
	for _, r := range text {
		if len(rest) == 0 {
			break
		}
		if unicode.IsSpace(rest[0]) {
			rest = rest[1:]
			if len(rest) == 0 {
				break
			}
		}
		if r == rest[0] {
			rest = rest[1:]
			score++
			if together {
				score += 3
			}
			if !unicode.IsLetter(prev) {
				score += 5
			}
			together = true
		} else {
			together = false
		}
		prev = r
	}

	return score, len(rest) == 0
}

// firstUnmarked is where the scripts begin whose letters have no marks to be left out.
const firstUnmarked = 0x1100

// fewLetters are the most that are looked for without standing together: of more, some
// text has all by chance.
const fewLetters = 3

// words reports whether each word of a query begins a word of the text, in another form
// perhaps. What stands near the beginning counts more.
func words(text, query string) (score int, ok bool) {
	all := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	score = 500
	for _, q := range strings.Fields(query) {
		at := slices.IndexFunc(all, func(w string) bool { return strings.HasPrefix(w, q) })
		for ending := 1; at < 0 && ending <= maxEnding; ending++ {
			stem := []rune(q)
			if len(stem)-ending < minStem {
				return 0, false
			}
			score -= otherForm
			at = slices.IndexFunc(all, func(w string) bool { return strings.HasPrefix(w, string(stem[:len(stem)-ending])) })
		}
		if at < 0 {
			return 0, false
		}
		score -= at
	}
	return score, true
}

// Words of one stem have endings of a few letters; a word in another form counts less.
const (
	maxEnding = 2
	minStem   = 4
	otherForm = 60
)
