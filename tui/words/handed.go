package words

import "strings"

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
