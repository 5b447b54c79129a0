package keymap

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Where the letters of a Russian keyboard stand on one with Latin letters.
const (
	cyrillic = "йцукенгшщзхъфывапролджэячсмитьбюё"
	latin    = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`"
)

// Latin returns the keystroke that a key makes on a keyboard with Latin letters: who
// writes with others has the same keys, and need not change the layout for a command.
func Latin(key string) string {
	if key == "." {
		return "/"
	}
	r, n := utf8.DecodeLastRuneInString(key)
	at := strings.IndexRune(cyrillic, unicode.ToLower(r))
	if at < 0 {
		return key
	}
	letter := rune(latin[utf8.RuneCountInString(cyrillic[:at])])
	if unicode.IsUpper(r) {
		letter = unicode.ToUpper(letter)
	}
	return key[:len(key)-n] + string(letter)
}
