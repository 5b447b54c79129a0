package words

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"starling/tui/theme"
)

// The schemes of what people hand to each other: an invite, a link into a room, a bridge.
const (
	InviteScheme = "starling:"
	RoomScheme   = "starling-room:"
	BridgeScheme = "starling-bridge:"
)

// maxHanded is the longest link that is taken from a text, in bytes.
const maxHanded = 4096

// Handed returns a text from its first link of a scheme on, and no more of it than a link
// may have: the node reads where it ends, in a mail that wraps it too. Case does not matter.
func Handed(text, scheme string) (link string, ok bool) {
	for at := 0; at+len(scheme) <= len(text); at++ {
		if strings.EqualFold(text[at:at+len(scheme)], scheme) {
			return text[at:min(len(text), at+maxHanded)], true
		}
	}
	return "", false
}

// HandedAny is Handed for the first scheme that there is a link of.
func HandedAny(text string) (link string, ok bool) {
	for _, scheme := range []string{InviteScheme, RoomScheme, BridgeScheme} {
		if link, ok = Handed(text, scheme); ok {
			return link, true
		}
	}
	return "", false
}

// leastHanded is fewer letters than any link has behind its scheme: each holds a key or a secret.
const leastHanded = 48

// Told returns a text with a name of its kind in the place of each link of ours: nobody reads their letters. Nothing in them is read
// here, and looked at is the beginning of a text.
func Told(th *theme.Theme, text string) string {
	kinds := []struct{ scheme, what string }{
		{InviteScheme, th.T("an invite")}, {RoomScheme, th.T("a room invite")}, {BridgeScheme, th.T("a bridge")},
	}
	var b strings.Builder
	done := 0
	for at := 0; at < min(len(text), maxHanded); at++ {
		if before, _ := utf8.DecodeLastRuneInString(text[:at]); unicode.IsLetter(before) || unicode.IsDigit(before) || strings.ContainsRune("/.-_=:@?&%#", before) {
			continue
		}
		for _, kind := range kinds {
			if n := handedLength(text[at:], kind.scheme); n > 0 {
				b.WriteString(text[done:at] + kind.what)
				done = at + n
				at = done - 1
				break
			}
		}
	}
	return b.String() + text[done:]
}

// handedLength is the length of the link of a scheme at the beginning of a text, 0 if there is none.
func handedLength(text, scheme string) int {
	n := len(scheme)
	if len(text) < n || !strings.EqualFold(text[:n], scheme) {
		return 0
	}
	for n < min(len(text), maxHanded) && letter(text[n]) {
		n++
	}
	if n < len(scheme)+leastHanded {
		return 0
	}
	return n
}

// letter reports whether a byte may be in a link: the letters of base32, or about.
func letter(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }
