package syntax

import "strings"

// spans reads code in a language of this name; nil if there is none.
func spans(language, code string) []Span {
	g, known := grammars[language]
	if !known || len(code) > MaxCode {
		return nil
	}
	s := scanner{grammar: g, code: code, blank: true}
	for s.at < len(code) {
		if !s.changed() && !s.section() && !s.comment() && !s.text() && !s.name() && !s.number() {
			s.take(1, Plain)
		}
	}
	return s.out
}

// A scanner stands somewhere in code. Each of its steps takes something, or reports that it is not there.
type scanner struct {
	grammar
	code   string
	at     int
	inside bool // of a tag
	blank  bool // nothing but blanks is before in the line
	out    []Span
}

func (s *scanner) rest() string { return s.code[s.at:] }

func (s *scanner) take(n int, kind Kind) bool {
	if last := len(s.out) - 1; last >= 0 && s.out[last].Kind == kind {
		s.out[last].Bytes += n
	} else {
		s.out = append(s.out, Span{n, kind})
	}
	taken := s.code[s.at : s.at+n]
	if end := strings.LastIndexByte(taken, '\n'); end >= 0 {
		s.blank, taken = true, taken[end+1:]
	}
	s.blank = s.blank && strings.Trim(taken, " \t") == ""
	s.at += n
	return true
}

// lineLeft is the number of bytes that are left of the line.
func (s *scanner) lineLeft() int {
	if n := strings.IndexByte(s.rest(), '\n'); n >= 0 {
		return n
	}
	return len(s.rest())
}

// changed takes a line of a diff.
func (s *scanner) changed() bool {
	if s.marks&changes == 0 || s.at > 0 && s.code[s.at-1] != '\n' {
		return false
	}
	n := s.lineLeft()
	if n == 0 {
		return false
	}
	line := s.rest()[:n]
	for _, head := range []string{"+++", "---", "@@", "diff ", "index "} {
		if strings.HasPrefix(line, head) {
			return s.take(n, Keyword)
		}
	}
	switch line[0] {
	case '+':
		return s.take(n, String)
	case '-':
		return s.take(n, Number)
	}
	return s.take(n, Plain)
}

// section takes a line in brackets.
func (s *scanner) section() bool {
	if s.marks&sections == 0 || s.code[s.at] != '[' || !s.blank {
		return false
	}
	return s.take(s.lineLeft(), Keyword)
}

func (s *scanner) comment() bool {
	for _, b := range s.block {
		if strings.HasPrefix(s.rest(), b[0]) {
			return s.take(s.until(len(b[0]), b[1]), Comment)
		}
	}
	for _, l := range s.line {
		if !strings.HasPrefix(s.rest(), l) {
			continue
		}
		// Within a word # is no comment, nor is an escaped %.
		if before := s.at - 1; len(l) == 1 && before >= 0 && !strings.ContainsRune(" \t\n;(){}[],", rune(s.code[before])) && l != "%" || l == "%" && before >= 0 && s.code[before] == '\\' {
			continue
		}
		return s.take(s.lineLeft(), Comment)
	}
	return false
}

// until is the way to behind an end, or to the end of all.
func (s *scanner) until(from int, end string) int {
	if n := strings.Index(s.rest()[from:], end); n >= 0 {
		return from + n + len(end)
	}
	return len(s.rest())
}

// text takes a text in quotes.
func (s *scanner) text() bool {
	for _, q := range s.long {
		if strings.HasPrefix(s.rest(), q) {
			return s.take(s.until(len(q), q), String)
		}
	}
	quote := s.code[s.at]
	if strings.IndexByte(s.quotes, quote) < 0 || s.marks&tags != 0 && !s.inside {
		return false
	}
	n, rest := 1, s.rest()
	for n < len(rest) && rest[n] != quote && rest[n] != '\n' {
		if rest[n] == '\\' && n+1 < len(rest) && rest[n+1] != '\n' {
			n++
		}
		n++
	}
	if n < len(rest) && rest[n] == quote {
		n++
	}
	return s.take(n, s.key(n, String))
}

// key is the kind of a word or text before a colon, if colons have a say.
func (s *scanner) key(n int, otherwise Kind) Kind {
	if behind := strings.TrimLeft(s.rest()[n:], " \t"); s.marks&keys != 0 && strings.HasPrefix(behind, ":") {
		return Keyword
	}
	return otherwise
}

func (s *scanner) name() bool {
	rest := s.rest()
	if s.marks&tags != 0 && (rest[0] == '<' || rest[0] == '>') {
		s.inside = rest[0] == '<'
		n := 1
		if strings.HasPrefix(rest, "</") {
			n++
		}
		s.take(n, Plain)
		if s.inside {
			s.take(wordLen(s.rest()), Keyword)
		}
		return true
	}

	if s.marks&commands != 0 && rest[0] == '\\' {
		return s.take(1+wordLen(rest[1:]), Keyword)
	}
	n := wordLen(rest)
	if n == 0 || '0' <= rest[0] && rest[0] <= '9' {
		return false
	}
	kind := Plain
	if s.known(rest[:n]) {
		kind = Keyword
	}
	return s.take(n, s.key(n, kind))
}

// number takes digits, and letters and points within.
func (s *scanner) number() bool {
	n, rest := wordLen(s.rest()), s.rest()
	if n == 0 {
		return false
	}
	if n+1 < len(rest) && rest[n] == '.' && '0' <= rest[n+1] && rest[n+1] <= '9' {
		n += 1 + wordLen(rest[n+1:])
	}
	return s.take(n, Number)
}

// wordLen is the number of letters, of any script, and digits at the beginning of a text.
func wordLen(s string) (n int) {
	for n < len(s) && (s[n] == '_' || '0' <= s[n] && s[n] <= '9' || 'a' <= s[n]|0x20 && s[n]|0x20 <= 'z' || s[n] >= 0x80) {
		n++
	}
	return n
}
