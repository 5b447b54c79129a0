package invite

import (
	"regexp"
	"strings"
	"unicode"

	"starling/session/internal/linktext"
)

// MaxText is the longest text in which [Find] looks for a link, in bytes.
const MaxText = 64 << 10

// maxTries is how many beginnings of links a text may have.
const maxTries = 64

// Find reads the first link that a text holds, as people come by it: inside a sentence
// or a quoted mail, in angle brackets or quotes, wrapped by a mail program, copied out
// of a frame that was drawn around it. If none is whole the error is that of the first.
func Find(text string) (*Link, error) {
	if len(text) > MaxText {
		return nil, ErrForeign
	}
	plain := []rune(Unwrap(text))
	failure := ErrForeign
	for at, tries := 0, 0; at < len(plain) && tries < maxTries; at++ {
		rest, ok := cutPrefix(plain[at:])
		if !ok || at > 0 && isWord(plain[at-1]) {
			continue
		}
		tries++
		l, err := parseBeginning(rest)
		if err == nil {
			return l, nil
		}
		if failure == ErrForeign {
			failure = err
		}
	}
	return nil, failure
}

// quoted is the beginning of a quoted line in some mail programs.
var quoted = regexp.MustCompile(`^\s*[A-Za-z]{1,3}>`)

// Unwrap takes the marks of others from both ends of every line: those of quotes, frames,
// blanks, signs that the line goes on. Invisible characters are dropped.
func Unwrap(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\r' || r == '\v' || r == '\f' || r == '\u0085' || r == '\u2028' || r == '\u2029':
			return '\n'
		case unicode.Is(unicode.Cf, r): // soft hyphens, joiners, marks of byte order and direction
			return -1
		}
		return r
	}, text)

	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = line[len(quoted.FindString(line)):]
		lines[i] = strings.TrimFunc(line, func(r rune) bool { return !isWord(r) && r != ':' })
	}
	return strings.Join(lines, "\n")
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// cutPrefix takes the prefix of links, wrapped or not.
func cutPrefix(text []rune) (rest []rune, ok bool) {
	for _, want := range Prefix {
		for len(text) > 0 && text[0] == '\n' && want != rune(Prefix[0]) {
			text = text[1:]
		}
		if len(text) == 0 || unicode.ToLower(text[0]) != want {
			return nil, false
		}
		text = text[1:]
	}
	return text, true
}

// parseBeginning reads a link. Its end follows from its bytes.
func parseBeginning(text []rune) (*Link, error) {
	letters := make([]byte, 0, maxLink)
	apart := make(map[int]bool) // letters before which there is a blank or a new line
	typo := false               // ends in a letter or digit that links have not
	for _, r := range text {
		if unicode.IsSpace(r) {
			apart[len(letters)] = true
			continue
		}
		c := byte(unicode.ToLower(r))
		if r >= unicode.MaxASCII || !(c >= 'a' && c <= 'z' || c >= '2' && c <= '7') {
			typo = isWord(r) && !apart[len(letters)]
			break
		}
		if letters = append(letters, c); len(letters) == maxLink-len(Prefix) {
			break
		}
	}

	need, known := length(letters)
	switch {
	case !known && typo:
		return nil, ErrChecksum
	case !known: // perhaps all of it, of another version
		first := 0
		for first < len(letters) && (first == 0 || !apart[first]) {
			first++
		}
		return Parse(Prefix + string(letters[:first]))
	case len(letters) < need && typo:
		return nil, ErrChecksum
	case len(letters) < need:
		return nil, ErrTruncated
	case len(letters) > need && !apart[need], len(letters) == need && typo:
		return nil, ErrChecksum
	}
	return Parse(Prefix + string(letters[:need]))
}

// length returns how many letters a link has that begins so, as far as they say.
func length(letters []byte) (n int, known bool) {
	// As many as make whole bytes.
	b, _, err := linktext.Decode("", string(letters[:len(letters)/8*8]), maxLink)
	if err != nil || len(b) > 0 && b[0] != version {
		return 0, false
	}
	if len(b) < fixedSize {
		return (fixedSize+checksumSize)*8/5 + 1, len(letters) > 0 && len(b) > 0
	}
	size := fixedSize
	for range b[fixedSize-1] {
		if size >= len(b) {
			return (size+2+checksumSize)*8/5 + 1, true // more than there are
		}
		size += 1 + int(b[size])
	}
	return (8*(size+checksumSize) + 4) / 5, true
}
