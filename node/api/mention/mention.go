// Package mention finds the members of a room that a text names: "@" and the name of one,
// at the beginning or behind something that is no letter and no digit, in any case of its
// letters. The longest name that fits is meant. Of several members with one name all are
// named, unless "#" and the first digits of an ID follow: "@alice#1f3a".
//
// Both the node, to tell its owner, and the screen, to draw it, read texts with it. A name
// that somebody takes from another one takes no mention away from them.
package mention

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// Most is how many mentions of a text are looked at.
	Most = 64
	// digits is how many digits of an ID tell members of one name apart at least.
	digits = 4
)

// A Member is one that can be named.
type Member struct{ ID, Name string }

// A Span is a mention: the bytes of the text that it takes, and the IDs of those meant.
type Span struct {
	From, To int
	Members  []string
}

// Find returns the mentions of a text, in order.
func Find(text string, members []Member) []Span {
	if !strings.Contains(text, "@") || len(members) == 0 {
		return nil
	}

	var found []Span
	inWord := false
	for i := 0; i < len(text) && len(found) < Most; {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == '@' && !inWord {
			if s := at(text, i, members); s.To > 0 {
				found = append(found, s)
				i, inWord = s.To, true
				continue
			}
		}
		inWord = letter(r)
		i += n
	}
	return found
}

// Names reports whether a text names a member.
func Names(text, id string, members []Member) bool {
	return slices.ContainsFunc(Find(text, members), func(s Span) bool { return slices.Contains(s.Members, id) })
}

// Write is how a member is named in a text: with digits of the ID if others have the name.
func Write(m Member, members []Member) string {
	for n := digits; n < len(m.ID); n++ {
		same := 0
		for _, o := range members {
			if o.ID != m.ID && strings.EqualFold(o.Name, m.Name) {
				same |= 1
				if strings.HasPrefix(o.ID, m.ID[:n]) {
					same |= 2
				}
			}
		}
		switch same {
		case 0:
			return "@" + m.Name
		case 1:
			return "@" + m.Name + "#" + m.ID[:n]
		}
	}
	return "@" + m.Name + "#" + m.ID
}

// at reads the mention that begins at a byte of the text.
func at(text string, from int, members []Member) Span {
	rest, longest := text[from+1:], 0
	var meant []string
	for _, m := range members {
		n := fits(rest, m.Name)
		switch {
		case n == 0 || n < longest:
		case n > longest:
			longest, meant = n, []string{m.ID}
		default:
			meant = append(meant, m.ID)
		}
	}
	if longest == 0 {
		return Span{}
	}

	s := Span{From: from, To: from + 1 + longest, Members: meant}
	if n := number(rest[longest:]); n > 0 {
		id := strings.ToLower(rest[longest+1 : longest+n])
		if one := slices.IndexFunc(meant, func(m string) bool { return strings.HasPrefix(m, id) }); one >= 0 {
			s.To, s.Members = s.To+n, meant[one:one+1]
		}
	}
	return s
}

// fits returns how many bytes of the text a name takes at its beginning, 0 if the text
// begins with something else or goes on with a letter.
func fits(text, name string) int {
	i := 0
	for _, want := range name {
		r, n := utf8.DecodeRuneInString(text[i:])
		if n == 0 || r != want && !strings.EqualFold(text[i:i+n], string(want)) {
			return 0
		}
		i += n
	}
	if r, _ := utf8.DecodeRuneInString(text[i:]); i < len(text) && letter(r) {
		return 0
	}
	return i
}

// number returns how many bytes "#" and digits of an ID take, 0 if there are too few.
func number(text string) int {
	if !strings.HasPrefix(text, "#") {
		return 0
	}
	n := 1
	for n < len(text) && strings.IndexByte("0123456789abcdefABCDEF", text[n]) >= 0 {
		n++
	}
	if n < 1+digits {
		return 0
	}
	return n
}

func letter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
