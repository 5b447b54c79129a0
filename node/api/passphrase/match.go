package passphrase

import (
	"math"
	"strconv"
	"strings"

	"github.com/trustelem/zxcvbn/adjacency"
	"github.com/trustelem/zxcvbn/match"
	"github.com/trustelem/zxcvbn/scoring"
)

// guess returns the guesses that an ASCII text costs, and the parts by which it is guessed. More words are known, besides
// those of the judge. The parts are those that zxcvbn finds; its own finder would keep all its words on the heap of every
// program that could ask.
func guess(text string, more map[string]int) (float64, []*match.Match) {
	var all []*match.Match
	all = append(all, dictionary(text, more)...)
	all = append(all, backwards(text, more)...)
	all = append(all, disguised(text, more)...)
	for _, name := range []string{"qwerty", "dvorak", "keypad", "mac_keypad"} {
		all = append(all, rows(text, adjacency.Graphs[name])...)
	}
	all = append(all, repeats(text)...)
	all = append(all, sequences(text)...)
	all = append(all, years(text)...)
	all = append(all, dates(text)...)
	match.Sort(all)
	found := scoring.MostGuessableMatchSequence(text, all, false)
	return found.Guesses, found.Sequence
}

// dictionary finds known words.
func dictionary(text string, more map[string]int) (all []*match.Match) {
	lower := strings.ToLower(text)
	add := func(i, j, rank int) {
		all = append(all, &match.Match{Pattern: "dictionary", I: i, J: j - 1, Token: text[i:j], MatchedWord: lower[i:j], Rank: rank})
	}
	for i := range lower {
		wordsAt(lower[i:], func(n, rank int) { add(i, i+n, rank) })
		for j := i + 1; j <= len(lower); j++ {
			if rank := more[lower[i:j]]; rank > 0 {
				add(i, j, rank)
			}
		}
	}
	return all
}

// backwards finds words that are written from their end.
func backwards(text string, more map[string]int) []*match.Match {
	all := dictionary(reversed(text), more)
	for _, m := range all {
		m.Reversed, m.Token = true, reversed(m.Token)
		m.I, m.J = len(text)-1-m.J, len(text)-1-m.I
	}
	return all
}

func reversed(s string) string {
	b := make([]byte, len(s))
	for i := range len(s) {
		b[len(s)-1-i] = s[i]
	}
	return string(b)
}

// disguises are the characters that stand for a letter.
var disguises = []struct {
	letter byte
	by     string
}{{'a', "4@"}, {'b', "8"}, {'c', "({[<"}, {'e', "3"}, {'g', "69"}, {'i', "1!|"}, {'l', "1|7"}, {'o', "0"}, {'s', "$5"}, {'t', "+7"}, {'x', "%"}, {'z', "2"}}

// mostDisguises bounds the ways in which one text is read.
const mostDisguises = 1024

// disguised finds words with characters in place of letters. In one reading each letter has one character.
func disguised(text string, more map[string]int) (all []*match.Match) {
	readings := map[[256]byte]bool{{}: true}
	for _, d := range disguises {
		next := map[[256]byte]bool{}
		for i := range len(d.by) {
			c := d.by[i]
			if !strings.Contains(text, string(c)) {
				continue
			}
			for r := range readings {
				if r[c] != 0 && len(next) < mostDisguises {
					next[r] = true
				}
				if r[c] = d.letter; len(next) < mostDisguises {
					next[r] = true
				}
			}
		}
		if len(next) > 0 {
			readings = next
		}
	}

	delete(readings, [256]byte{})
	for r := range readings {
		read := []byte(text)
		for i, c := range read {
			if r[c] != 0 {
				read[i] = r[c]
			}
		}
		for _, m := range dictionary(string(read), more) {
			m.Token = text[m.I : m.J+1]
			if len(m.Token) == 1 || strings.ToLower(m.Token) == m.MatchedWord {
				continue
			}
			m.L33t, m.Sub = true, map[string]string{}
			for i := range len(m.Token) {
				if c := m.Token[i]; r[c] != 0 {
					m.Sub[string(c)] = string(r[c])
				}
			}
			all = append(all, m)
		}
	}
	return all
}

// rows finds three and more neighbours on a keyboard.
func rows(text string, keys *adjacency.Graph) (all []*match.Match) {
	const shifted = `~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:"ZXCVBNM<>?`
	letters := keys.Name == "qwerty" || keys.Name == "dvorak"
	for start := 0; start < len(text)-1; {
		turns, shifts, last, end := 0, 0, -1, start+1
		if letters && strings.IndexByte(shifted, text[start]) >= 0 {
			shifts++
		}

		for end < len(text) {
			way, shift := -1, 0
			for direction, key := range keys.Graph[text[end-1:end]] {
				if at := strings.IndexByte(key, text[end]); at >= 0 {
					way, shift = direction, at
					break
				}
			}
			if way < 0 {
				break
			}
			if way != last {
				turns, last = turns+1, way
			}
			if shift == 1 {
				shifts++
			}
			end++
		}

		if end-start > 2 {
			all = append(all, &match.Match{Pattern: "spatial", I: start, J: end - 1, Token: text[start:end], Graph: keys.Name, Turns: turns, ShiftedCount: shifts})
		}
		start = end
	}
	return all
}

// repeats finds what stands there several times, one behind the other.
func repeats(text string) (all []*match.Match) {
	for at := 0; at < len(text); {
		whole, base := repeat(text[at:])
		if whole == "" {
			at++
			continue
		}
		guesses, sequence := guess(base, nil)
		all = append(all, &match.Match{Pattern: "repeat", I: at, J: at + len(whole) - 1, Token: whole,
			BaseToken: base, BaseGuesses: guesses, BaseMatches: sequence, RepeatCount: len(whole) / len(base)})
		at += len(whole)
	}
	return all
}

// repeat returns the longest repeat that a text begins with, by its longest or its shortest part, and the shortest
// part of that.
func repeat(text string) (whole, base string) {
	for n := 1; n <= len(text)/2; n++ {
		times := 1
		for strings.HasPrefix(text[times*n:], text[:n]) {
			times++
		}
		switch {
		case times == 1:
		case base == "":
			whole, base = text[:times*n], text[:n]
		case times*n > len(whole):
			whole = text[:times*n]
		}
	}
	for n := 1; n <= len(whole)/2; n++ {
		if strings.Repeat(whole[:n], len(whole)/n) == whole {
			return whole, whole[:n]
		}
	}
	return whole, base
}

// sequences finds characters at equal distances: abc, 97531.
func sequences(text string) (all []*match.Match) {
	add := func(i, j, by int) { // up to the one at j
		step := max(by, -by)
		if step == 0 || step > 5 || j-i < 2 && step != 1 {
			return
		}
		m := &match.Match{Pattern: "sequence", I: i, J: j, Token: text[i : j+1], SequenceName: "unicode", SequenceSpace: 26, Ascending: by > 0}
		switch {
		case within(m.Token, 'a', 'z'):
			m.SequenceName = "lower"
		case within(m.Token, 'A', 'Z'):
			m.SequenceName = "upper"
		case within(m.Token, '0', '9'):
			m.SequenceName, m.SequenceSpace = "digits", 10
		}
		all = append(all, m)
	}

	start := 0
	for i := 1; i < len(text); i++ {
		by := int(text[i]) - int(text[i-1])
		if i+1 == len(text) || int(text[i+1])-int(text[i]) != by {
			add(start, i, by)
			start = i
		}
	}
	return all
}

func within(s string, from, to byte) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < rune(from) || r > rune(to) }) < 0
}

// years finds years of our time.
func years(text string) (all []*match.Match) {
	for i := 0; i+4 <= len(text); i++ {
		y := text[i : i+4]
		if within(y, '0', '9') && (strings.HasPrefix(y, "19") || strings.HasPrefix(y, "200") || strings.HasPrefix(y, "201")) {
			all = append(all, &match.Match{Pattern: "regex", I: i, J: i + 3, Token: y, RegexName: "recent_year"})
			i += 3
		}
	}
	return all
}

// dates finds days of a year, in any order of the two.
func dates(text string) []*match.Match {
	var all []*match.Match
	add := func(i, j int, separator string, d date) {
		all = append(all, &match.Match{Pattern: "date", I: i, J: j - 1, Token: text[i:j], Separator: separator, Year: d.year, Month: d.month, Day: d.day})
	}
	for i := range text {
		for j := i + 4; j <= min(i+8, len(text)); j++ {
			if !within(text[i:j], '0', '9') {
				break
			}
			if d, ok := digitsOfDate(text[i:j]); ok {
				add(i, j, "", d)
			}
		}
		for j := i + 6; j <= min(i+10, len(text)); j++ {
			token := text[i:j]
			at := strings.IndexAny(token, " \t\n\v\f\r/\\_.-")
			if at < 1 || at > 4 {
				continue
			}
			parts := strings.Split(token, token[at:at+1])
			if len(parts) != 3 || len(parts[1]) < 1 || len(parts[1]) > 2 || len(parts[2]) < 1 || len(parts[2]) > 4 || !within(parts[0]+parts[1]+parts[2], '0', '9') {
				continue
			}
			if d, ok := dateOf(parts[0], parts[1], parts[2]); ok {
				add(i, j, token[at:at+1], d)
			}
		}
	}

	// A date within another one is none.
	var outer []*match.Match
	for _, m := range all {
		inside := false
		for _, o := range all {
			inside = inside || o != m && o.I <= m.I && m.J <= o.J
		}
		if !inside {
			outer = append(outer, m)
		}
	}
	return outer
}

type date struct{ year, month, day int }

// digitsOfDate reads digits as the date that is nearest to the present: of one or two each, and a year of two or four.
func digitsOfDate(s string) (best date, ok bool) {
	cuts := map[int][][2]int{4: {{1, 2}, {2, 3}}, 5: {{1, 3}, {2, 3}}, 6: {{1, 2}, {2, 4}, {4, 5}}, 7: {{1, 3}, {2, 3}, {4, 5}, {4, 6}}, 8: {{2, 4}, {4, 6}}}
	away := math.MaxInt
	for _, c := range cuts[len(s)] {
		d, is := dateOf(s[:c[0]], s[c[0]:c[1]], s[c[1]:])
		if n := d.year - scoring.ReferenceYear; is && max(n, -n) < away {
			best, ok, away = d, true, max(n, -n)
		}
	}
	return best, ok
}

// dateOf reads three numbers as a date with the year at one end.
func dateOf(one, two, three string) (d date, ok bool) {
	a, _ := strconv.Atoi(one)
	b, _ := strconv.Atoi(two)
	c, _ := strconv.Atoi(three)
	zeros, months, days := 0, 0, 0
	for _, n := range []int{a, b, c} {
		if n > 99 && n < 1000 || n > 2050 {
			return d, false
		}
		if n == 0 {
			zeros++
		}
		if n > 12 {
			months++
		}
		if n > 31 {
			days++
		}
	}
	if b == 0 || b > 31 || zeros > 1 || months == 3 || days > 1 {
		return d, false
	}

	last, first := [3]int{c, a, b}, [3]int{a, b, c}
	for _, long := range [][3]int{last, first} {
		if long[0] >= 1000 {
			return dayOf(long)
		}
	}
	if d, ok = dayOf(last); !ok {
		d, ok = dayOf(first)
	}
	switch {
	case d.year > 50:
		d.year += 1900
	default:
		d.year += 2000
	}
	return d, ok
}

// dayOf reads a year, and a day and a month in either order.
func dayOf(n [3]int) (d date, ok bool) {
	switch {
	case n[1] <= 31 && n[2] <= 12:
		return date{n[0], n[2], n[1]}, true
	case n[2] <= 31 && n[1] <= 12:
		return date{n[0], n[1], n[2]}, true
	}
	return date{year: n[0]}, false
}
