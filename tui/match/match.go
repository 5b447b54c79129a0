// Package match finds the words of a search in a text, as the node does: whole
// words in any case, the last one of the query as a beginning.
package match

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Words returns the words of a query, in lower case.
func Words(query string) []string {
	return strings.FieldsFunc(strings.ToLower(query), func(r rune) bool { return !inWord(r) })
}

// Plain is a text in lower case without the marks on its letters, for whoever cannot type
// them: Größe is found by grosse.
func Plain(s string) string {
	s = strings.ToLower(s)
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(s))
	return special.Replace(s)
}

// special are letters that have no mark to be taken from them.
var special = strings.NewReplacer("ß", "ss", "ø", "o", "ł", "l", "đ", "d", "æ", "ae", "œ", "oe", "ı", "i")

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// Next returns where the next of the words begins in s and how many bytes it
// takes there, -1 if none does. s begins where a word may begin.
func Next(s string, words []string) (at, n int) {
	start := true
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		letter := inWord(c)
		if letter && start {
			for k, w := range words {
				if n := prefix(s[i:], w); n > 0 && (k == len(words)-1 || ends(s[i+n:])) {
					return i, n
				}
			}
		}
		start = !letter
		i += size
	}
	return -1, 0
}

// ends reports whether a word ends before rest.
func ends(rest string) bool {
	c, n := utf8.DecodeRuneInString(rest)
	return n == 0 || !inWord(c)
}

// prefix returns how many bytes of s are the word in any case, 0 if it does
// not begin with it.
func prefix(s, word string) int {
	n := 0
	for _, w := range word {
		c, size := utf8.DecodeRuneInString(s[n:])
		if size == 0 || unicode.ToLower(c) != unicode.ToLower(w) {
			return 0
		}
		n += size
	}
	return n
}
