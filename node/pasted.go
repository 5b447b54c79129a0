package node

import (
	"regexp"
	"strings"

	"starling/p2p/bridge"
	"starling/session/group"
	"starling/session/invite"
)

// pasted is a text of people as links are looked for in it: without what mail programs,
// terminals and frames put around and into them, and with the beginnings of links whole.
func pasted(text string) string {
	text = invite.Unwrap(text)
	for prefix, wrapped := range beginnings {
		text = wrapped.ReplaceAllLiteralString(text, prefix)
	}
	return text
}

// beginnings find those of links that may be wrapped, also behind their hyphen, which is
// then taken for a mark at the end of a line.
var beginnings = map[string]*regexp.Regexp{
	group.LinkPrefix: beginning(group.LinkPrefix),
	bridge.Prefix:    beginning(bridge.Prefix),
}

func beginning(prefix string) *regexp.Regexp {
	letters := strings.ReplaceAll(strings.Join(strings.Split(prefix, ""), `\n?`), "-", "-?")
	return regexp.MustCompile("(?i)" + letters)
}
