package bridge

import "strings"

// maxFound is how many links are looked for in one text.
const maxFound = 8

// Find returns the links in a text of people, without those that are damaged: a link may
// be wrapped over lines, quoted, and have words around it.
func Find(text string) (links []*Link) {
	rest := text
	for len(links) < maxFound {
		i := index(rest)
		if i < 0 {
			return links
		}
		l, used := first(rest[i:])
		if l != nil {
			links = append(links, l)
		}
		rest = rest[i+used:]
	}
	return links
}

// Cut returns a text without the links in it.
func Cut(text string) string {
	var out strings.Builder
	for {
		i := index(text)
		if i < 0 {
			return out.String() + text
		}
		_, used := first(text[i:])
		out.WriteString(text[:i])
		out.WriteByte(' ')
		text = text[i+used:]
	}
}

// Read reads the one link of a text, with the reason if there is none.
func Read(text string) (*Link, error) {
	if links := Find(text); len(links) > 0 {
		return links[0], nil
	}
	i := index(text)
	if i < 0 {
		return nil, ErrForeign
	}
	// The words after it are taken for a part of it: the reason is that of the longest.
	word := text[i : i+min(len(text)-i, MaxText)]
	if l, err := Parse(word); err != ErrChecksum {
		return l, err
	}
	head, _, _ := strings.Cut(strings.TrimSpace(word), " ")
	return Parse(head)
}

// index finds the beginning of a link, in either case.
func index(text string) int {
	for i := 0; i+len(Prefix) <= len(text); i++ {
		if strings.EqualFold(text[i:i+len(Prefix)], Prefix) {
			return i
		}
	}
	return -1
}

// first reads the link at the begin of a text, and returns how much of it the link, or
// the beginning of a damaged one, takes. The link goes on for as many words as make one.
func first(text string) (*Link, int) {
	at, end := len(Prefix), min(len(text), MaxText)
	damaged := 0 // the end of its first word
	for at < end {
		for at < end && !letter(text[at]) && gap(text[at]) {
			at++
		}
		from := at
		for at < end && letter(text[at]) {
			at++
		}
		if at == from {
			break
		}
		if damaged == 0 {
			damaged = at
		}
		if l, err := Parse(unquoted(text[:at])); err == nil {
			return l, at
		}
	}
	return nil, max(damaged, len(Prefix))
}

// unquoted drops the marks of mails that quote.
func unquoted(text string) string { return strings.NewReplacer(">", "", "|", "").Replace(text) }

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '2' && c <= '7'
}

func gap(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '>' || c == '|'
}
