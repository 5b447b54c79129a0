package chatview

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"starling/tui/link"
	"starling/tui/theme"
	"starling/tui/words"
)

// A style is how a byte of text is drawn, in bits that add up.
type style uint16

const (
	bold style = 1 << iota
	italic
	code
	web
	found
	strike
	warn
	quoted
	named // a member of the room
	us
)

// rich is text with a style for each byte; nil styles are plain text. Addresses are those
// in it, in order.
type rich struct {
	text      string
	styles    []style
	addresses []address
}

// An address is one of a text: the bytes of the text that it takes.
type address struct{ from, to int }

// inline reads the marks within one line: **bold**, *italic* or _italic_,
// ~~struck out~~, `code`, [text](target) and bare addresses. The target of a link is always
// written out behind its text, and nothing else is made clickable: the words of a link
// cannot hide its target. note says where an address really leads, "" if that is plain to
// see. A mark without its end stays as it is. It takes linear time.
func inline(line string, note func(address string) string) rich {
	if !strings.ContainsAny(line, "*_`[:~") {
		return rich{text: line}
	}
	p := parser{note: note}
	p.text.Grow(len(line) + 8)
	p.parse(line, 0)
	if !p.styled {
		return rich{text: p.text.String()}
	}
	return rich{p.text.String(), p.styles, p.addresses}
}

type parser struct {
	text      strings.Builder
	styles    []style
	styled    bool
	addresses []address
	note      func(string) string
}

// maxAddresses is how many addresses of a line are looked at: nobody reads more, and each
// takes its time.
const maxAddresses = 64

// address puts an address, and where it leads behind it.
func (p *parser) address(s string, st style) {
	from := p.text.Len()
	p.put(s, st|web)
	if len(p.addresses) == maxAddresses {
		return
	}
	p.addresses = append(p.addresses, address{from, p.text.Len()})
	if p.note == nil {
		return
	}
	if note := p.note(s); note != "" {
		p.put(" (! "+note+")", st|warn)
	}
}

func (p *parser) put(s string, st style) {
	p.text.WriteString(s)
	n := len(p.styles)
	p.styles = slices.Grow(p.styles, len(s))[:n+len(s)]
	for i := range p.styles[n:] {
		p.styles[n+i] = st
	}
	p.styled = p.styled || st != 0
}

// marks are the bytes at which something may begin.
var marks = [256]bool{'\\': true, '`': true, '*': true, '_': true, '~': true, '[': true, 'h': true, 's': true, 'H': true, 'S': true}

// parse reads s, which is drawn with st. Each mark opens only once within
// itself, so the depth is two at most.
func (p *parser) parse(s string, st style) {
	// Marks that have no end further on: one and two of ` * _ each.
	var hopeless [8]bool // and two ~, and three ` at the end

	// What stands before i and begins nothing is put at once.
	from := 0
	plain := func(i int) {
		p.put(s[from:i], st)
		from = i
	}
	for i := 0; i < len(s); {
		if !marks[s[i]] {
			i++
			continue
		}
		rest := s[i:]
		switch c := s[i]; {
		case c == '\\' && len(rest) > 1 && strings.IndexByte("*_`[~", rest[1]) >= 0:
			plain(i)
			i += 2
			from = i - 1 // the mark itself
			continue
		case c == '`':
			n := run(rest, '`')
			slot := n - 1
			if n == 3 {
				slot = len(hopeless) - 1
			}
			if n <= 3 && !hopeless[slot] {
				if end := endOfCode(rest[n:], n); end > 0 {
					plain(i)
					p.put(rest[n:n+end], st&^(bold|italic)|code)
					i += n + end + n
					from = i
					continue
				}
				hopeless[slot] = true
			}
			i += n
			continue
		case c == '*' || c == '_':
			n := run(rest, c)

			mark := style(0)
			switch n {
			case 1:
				mark = italic
			case 2:
				mark = bold
			}
			slot := 1 + n
			if c == '_' {
				slot = 3 + n
			}
			if mark != 0 && st&mark == 0 && opens(s, i, n) && !hopeless[slot] {
				if end := closing(s, i+n, c, n); end > 0 {
					plain(i)
					p.parse(s[i+n:end], st|mark)
					i = end + n
					from = i
					continue
				}
				hopeless[slot] = true
			}
			i += n
			continue
		case c == '~':
			n := run(rest, c)
			if n == 2 && st&strike == 0 && opens(s, i, n) && !hopeless[6] {
				if end := closing(s, i+n, c, n); end > 0 {
					plain(i)
					p.parse(s[i+n:end], st|strike)
					i = end + n
					from = i
					continue
				}
				hopeless[6] = true
			}
			i += n
			continue
		case c == '[':
			if text, target, n := bracketed(rest); n > 0 {
				plain(i)
				p.put(text, st)
				p.put(" (", st)
				p.address(target, st)
				p.put(")", st)
				i += n
				from = i
				continue
			}
		case strings.IndexByte("hsHS", c) >= 0 && (i == 0 || !word(s[i-1])):
			if n := link.Find(rest); n > 0 {
				plain(i)
				p.address(rest[:n], st)
				i += n
				from = i
				continue
			}
		}

		i++ // nothing begins here
	}
	plain(len(s))
}

// run counts how often c stands at the beginning of s.
func run(s string, c byte) int {
	n := 0
	for n < len(s) && s[n] == c {
		n++
	}
	return n
}

func word(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// opens reports whether the mark of n bytes at i may begin something: it does
// not stand within a word, and no space follows.
func opens(s string, i, n int) bool {
	if i > 0 && (word(s[i-1]) || s[i] == '_' && s[i-1] >= 0x80) {
		return false
	}
	return i+n < len(s) && s[i+n] != ' '
}

// closing finds the mark of exactly n times c that closes one at from, -1 if there is
// none.
func closing(s string, from int, c byte, n int) int {
	for i := from; i < len(s); {
		switch s[i] {
		case '\\':
			i += 2
		case c:
			k := run(s[i:], c)
			after := i + k
			if k == n && i > from && s[i-1] != ' ' &&
				(after == len(s) || !word(s[after]) && (c != '_' || s[after] < 0x80)) {
				return i
			}
			i = after
		default:
			i++
		}
	}
	return -1
}

// endOfCode finds the run of exactly n backticks, 0 if there is none or
// nothing before it.
func endOfCode(s string, n int) int {
	for i := 0; i < len(s); {
		if s[i] != '`' {
			i++
			continue
		}
		k := run(s[i:], '`')
		if k == n {
			return i
		}
		i += k
	}
	return 0
}

// bracketed reads [text](target) and returns its length, 0 if it is none.
func bracketed(s string) (text, target string, n int) {
	end := strings.IndexAny(s[1:], "[]")
	if end <= 0 || s[1+end] == '[' || !strings.HasPrefix(s[2+end:], "(") {
		return "", "", 0
	}
	text = s[1 : 1+end]
	s = s[3+end:]
	stop := strings.IndexAny(s, ")( [")
	if stop <= 0 || s[stop] != ')' {
		return "", "", 0
	}
	return text, s[:stop], 3 + end + stop + 1
}

// Addresses returns the web addresses and invites of a text in order, each once.
func Addresses(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		r := inline(line, nil)
		for _, a := range r.addresses {
			if s := r.text[a.from:a.to]; link.Find(s) == len(s) && !slices.Contains(out, s) && len(out) < maxAddresses {
				out = append(out, s)
			}
		}
	}
	return out
}

// note is where an address really leads, "" if it says so itself or is none of the web.
func (v *View) note(s string) string {
	l, err := link.Parse(s)
	if err != nil || l.Plain() {
		return ""
	}
	return words.Note(v.th, &l)
}

// wrapRich lays out text with its styles.
func (v *View) wrapRich(r rich, width int) []string {
	lines := v.th.Cells.Wrap(r.text, width)
	if r.styles == nil {
		return lines
	}
	links := targets(&r)
	at := 0
	for i, line := range lines {
		// Wrapping dropped spaces and line feeds.
		for at < len(r.text) && !strings.HasPrefix(r.text[at:], line) && (r.text[at] == ' ' || r.text[at] == '\n') {
			at++
		}
		if !strings.HasPrefix(r.text[at:], line) {
			break // it was not showable as it was; the rest stays plain
		}
		lines[i] = v.paint(line, at, &r, links)
		at += len(line)
	}
	return lines
}

// targets are the sequences that begin the hyperlinks of a text, "" for an address that is
// not made one: only what is plain is. The pieces of one that is wrapped have a name in
// common, so that terminals take them for one.
func targets(r *rich) []string {
	if len(r.addresses) == 0 {
		return nil
	}
	out := make([]string, len(r.addresses))
	for i, a := range r.addresses {
		if l, err := link.Parse(r.text[a.from:a.to]); err == nil && l.Plain() {
			h := fnv.New32a()
			h.Write([]byte(l.Target))
			out[i] = ansi.SetHyperlink(l.Target, "id="+strconv.FormatUint(uint64(h.Sum32()), 36)+"."+strconv.Itoa(a.from))
		}
	}
	return out
}

// paint draws a line, which begins at a byte of a text. One character on the screen keeps
// one style, so that its width stays the same.
func (v *View) paint(line string, at int, r *rich, targets []string) string {
	var b strings.Builder
	styles := r.styles[at : at+len(line)]
	next := 0 // address that has not ended
	for next < len(targets) && r.addresses[next].to <= at {
		next++
	}

	from, cur := 0, style(0)
	flush := func(to int) {
		if to == from {
			return
		}
		piece := v.role(cur).Render(line[from:to])
		if cur&web != 0 && next < len(targets) && r.addresses[next].from <= at+from && targets[next] != "" {
			piece = targets[next] + piece + ansi.ResetHyperlink()
		}
		b.WriteString(piece)
		from = to
		for next < len(targets) && r.addresses[next].to <= at+to {
			next++
		}
	}
	for i := 0; i < len(line); {
		cluster, _ := v.th.Cells.Next(line[i:])
		ends := next < len(targets) && cur&web != 0 && r.addresses[next].to <= at+i
		if styles[i] != cur || ends {
			flush(i)
			cur = styles[i]
		}
		i += len(cluster)
	}
	flush(len(line))
	return b.String()
}

func (v *View) role(st style) theme.Role {
	switch {
	case st&found != 0:
		return v.th.Found
	case st&us != 0:
		return v.th.Us
	case st&named != 0:
		return v.th.Named
	case st&warn != 0:
		return v.th.Warn

	case st&code != 0:
		return v.th.Code
	case st&web != 0:
		return v.th.Link
	case st&strike != 0:
		return v.th.Struck
	case st&(bold|italic) == bold|italic:
		return v.th.StrongEmphasis
	case st&bold != 0:
		return v.th.Strong
	case st&italic != 0:
		return v.th.Emphasis
	case st&quoted != 0:
		return v.th.Muted
	}
	return v.th.Text
}
