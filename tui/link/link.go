// Package link reads web addresses that others wrote, and says where they really lead.
//
// An address is plain if the letters that a person reads are the target, byte for byte,
// and nothing in it is known to deceive. Everything else has findings: a host in letters
// that look like others, a name before an @ that looks like the host, digits for an
// address, hidden characters. A finding names the deceit; the [Link.Host] is where it
// leads in plain ASCII.
package link

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/bidi"
)

// MaxTarget is the longest address that is taken for one, in bytes.
const MaxTarget = 2048

var (
	// ErrScheme: it is no address of http or https.
	ErrScheme = errors.New("only http and https are web addresses")
	// ErrHost: it does not say where it leads, or in a way that programs read differently.
	ErrHost = errors.New("nobody can tell where it leads")
	// ErrLong: it is longer than browsers take.
	ErrLong = errors.New("it is too long for an address")
)

// A Finding is something in an address that deceives, or may.
type Finding uint8

const (
	// Letters: the host is in letters other than ASCII, or in punycode for them.
	Letters Finding = iota + 1
	// Mixed: a part of the host mixes scripts, as look-alikes do.
	Mixed
	// UserInfo: there is a name before an @, which is not where it leads.
	UserInfo
	// Encoded: the host hides letters behind percent signs.
	Encoded
	// Digits: the host is an address in digits.
	Digits
	// Local: it leads to this computer or its own network.
	Local
	// Backwards: some of it is written from right to left, and stands elsewhere.
	Backwards
	// Invisible: it holds characters that cannot be seen, or ends of lines.
	Invisible
	// Foreign: the rest of it is in letters other than ASCII.
	Foreign
)

// A Link is an address that was read.
type Link struct {
	// Target is the whole address as it is opened, in ASCII.
	Target string
	// Host is where it leads, in ASCII, with its port.
	Host string
	// Spelled is the host in the letters of its language, "" if they are ASCII.
	Spelled  string
	Findings []Finding

	written string
}

// Plain reports whether an address leads where its letters say, in exactly these letters.
func (l Link) Plain() bool { return len(l.Findings) == 0 && l.Target == l.written }

// Has reports whether something was found.
func (l Link) Has(f Finding) bool {
	for _, g := range l.Findings {
		if f == g {
			return true
		}
	}
	return false
}

func (l *Link) found(cond bool, f Finding) {
	if cond && !l.Has(f) {
		l.Findings = append(l.Findings, f)
	}
}

// Parse reads an address as it was written.
func Parse(s string) (Link, error) {
	l := Link{written: s}
	switch {
	case len(s) > MaxTarget:
		return l, ErrLong
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || strings.ContainsAny(s, " \\"):
		return l, ErrHost // browsers take a backslash for a slash
	}
	scheme, rest, _ := strings.Cut(s, "://")
	if scheme = strings.ToLower(scheme); scheme != "http" && scheme != "https" {
		return l, ErrScheme
	}

	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	user := ""
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, authority = authority[:at+1], authority[at+1:]
		l.found(true, UserInfo)
	}
	if err := l.host(authority); err != nil {
		return l, err
	}

	l.rest(user, path)
	l.found(strings.ContainsFunc(s, backwards), Backwards)
	l.Target = scheme + "://" + escape(user) + l.Host + escape(path)
	if len(l.Target) > MaxTarget {
		return l, ErrLong
	}
	if strings.EqualFold(l.Target, s) && l.Findings == nil {
		l.Target = s // the case of a host means nothing
	}
	return l, nil
}

// host reads the host with its port.
func (l *Link) host(authority string) error {
	name, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		name, port = authority[:i], authority[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return ErrHost
		}
		port = ":" + port
	}
	if strings.ContainsRune(name, '%') {
		l.found(true, Encoded)
		decoded, err := url.PathUnescape(name)
		if err != nil || !utf8.ValidString(decoded) {
			return ErrHost
		}
		name = decoded
	}

	ascii, err := l.digits(name)
	if ascii == "" && err == nil {
		ascii, err = l.letters(name)
	}
	l.Host = ascii + port
	return err
}

// digits reads a host that is an address in digits, in any way that browsers take: ""
// if it is none.
func (l *Link) digits(name string) (string, error) {
	if inner, ok := strings.CutPrefix(name, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !addr.Is6() || addr.Zone() != "" || !strings.HasSuffix(inner, "]") {
			return "", ErrHost
		}
		l.found(true, Digits)
		l.found(local(addr.Unmap()), Local)
		return "[" + addr.String() + "]", nil
	}

	parts := strings.Split(strings.TrimSuffix(name, "."), ".")
	last := parts[len(parts)-1]
	if _, err := strconv.ParseUint(last, 0, 64); err != nil {
		return "", nil // not a number: a name
	}
	if len(parts) > 4 {
		return "", ErrHost
	}

	// The last number fills the bytes that are left; each may be octal or hexadecimal.
	var sum uint64
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 0, 64)
		most := uint64(0xff)
		if i == len(parts)-1 {
			most = 1<<(8*(4-i)) - 1
		}
		if err != nil || n > most || strings.ContainsRune(p, '_') {
			return "", ErrHost
		}
		if i < len(parts)-1 {
			n <<= 8 * (3 - i)
		}
		sum += n
	}
	addr := netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	l.found(true, Digits)
	l.found(local(addr), Local)
	return addr.String(), nil
}

func local(a netip.Addr) bool {
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified()
}

// names maps the letters of a name as browsers do, and leaves the underscores that some
// names have.
var names = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(false))

// letters reads a host that is a name.
func (l *Link) letters(name string) (string, error) {
	ascii, err := names.ToASCII(name)
	if err != nil || ascii == "" || len(ascii) > 253 || strings.ContainsFunc(ascii, notInName) || strings.Contains(ascii, "..") || ascii[0] == '.' {
		return "", ErrHost
	}
	spelled, err := names.ToUnicode(ascii)
	if err != nil {
		return "", ErrHost
	}
	if again, _ := l.digits(ascii); again != "" {
		return "", ErrHost // digits of another script
	}
	if spelled != ascii {
		l.Spelled = spelled
		l.found(true, Letters)
		for label := range strings.SplitSeq(spelled, ".") {
			l.found(mixed(label), Mixed)
		}
	} else if ascii != strings.ToLower(name) {
		l.found(true, Letters) // wide letters and dots of another script
	}

	end := strings.TrimSuffix(ascii, ".")
	l.found(end == "localhost" || strings.HasSuffix(end, ".localhost") || strings.HasSuffix(end, ".local") || !strings.ContainsRune(end, '.'), Local)
	return ascii, nil
}

func notInName(r rune) bool {
	return r != '-' && r != '.' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
}

// scripts are those that are told apart. Japanese and Korean mix some of them.
var scripts = []struct {
	name  string
	table *unicode.RangeTable
}{
	{"Latin", unicode.Latin}, {"Cyrillic", unicode.Cyrillic}, {"Greek", unicode.Greek}, {"Armenian", unicode.Armenian},
	{"Hebrew", unicode.Hebrew}, {"Arabic", unicode.Arabic}, {"Georgian", unicode.Georgian}, {"Cherokee", unicode.Cherokee},
	{"East Asian", unicode.Han}, {"East Asian", unicode.Hiragana}, {"East Asian", unicode.Katakana}, {"East Asian", unicode.Hangul}, {"East Asian", unicode.Bopomofo},
}

// mixed reports whether a part of a name has letters of more than one script.
func mixed(label string) bool {
	have := ""
	for _, r := range label {
		if !unicode.IsLetter(r) {
			continue
		}
		name := "other"
		for _, s := range scripts {
			if unicode.Is(s.table, r) {
				name = s.name
				break
			}
		}
		if have != "" && have != name {
			return true
		}
		have = name
	}
	return false
}

// rest judges the parts around the host.
func (l *Link) rest(user, path string) {
	l.found(strings.ContainsFunc(path+user, func(r rune) bool { return r >= utf8.RuneSelf }), Foreign)
	decoded, err := url.PathUnescape(user + path)
	if err != nil {
		return // percent signs that mean themselves
	}
	l.found(strings.ContainsFunc(decoded, invisible), Invisible)
	l.found(strings.ContainsFunc(decoded, backwards), Backwards)
}

// invisible reports whether a character cannot be seen.
func invisible(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Variation_Selector) || r == 0x115f || r == 0x1160 || r == 0x3164
}

// backwards reports whether a character is written from right to left.
func backwards(r rune) bool {
	if r < 0x590 {
		return false
	}
	p, _ := bidi.LookupRune(r)
	c := p.Class()
	return c == bidi.R || c == bidi.AL || c == bidi.AN || c == bidi.RLO || c == bidi.RLE || c == bidi.RLI
}

// escape writes everything but ASCII, and what no address may hold, with percent signs.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Find returns the length of the bare address at the beginning of s, 0 if there is none.
// The punctuation behind it does not belong to it.
func Find(s string) int {
	scheme := 0
	for _, x := range []string{"https://", "http://", "starling:", "starling-room:", "starling-bridge:"} {
		if len(s) > len(x) && strings.EqualFold(s[:len(x)], x) {
			scheme = len(x)
		}
	}
	if scheme == 0 {
		return 0
	}
	n := strings.IndexAny(s, " <>\"`\n\t")
	if n < 0 {
		n = len(s)
	}
	n = len(strings.TrimRight(s[:n], ".,;:!?)]*_~'"))
	if n <= scheme {
		return 0
	}
	return n
}
