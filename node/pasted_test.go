package node

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"starling/p2p/book"
	"starling/p2p/bridge"
	"starling/session/group"
)

// lines breaks a text into lines of n characters, each between two marks.
func lines(s string, n int, begin, end string) string {
	var b strings.Builder
	for len(s) > 0 {
		cut := min(n, len(s))
		b.WriteString(begin + s[:cut] + end + "\n")
		s = s[cut:]
	}
	return b.String()
}

// forms are the ways in which a link comes to people.
func forms(link string) map[string]string {
	kind, rest, _ := strings.Cut(link, "-")
	return map[string]string{
		"alone": link, "in capitals": strings.ToUpper(link), "end of a sentence": "It is " + link + ".",
		"quotes": "„" + link + "“", "guillemets": "«" + link + "»", "markdown": "[in](" + link + ")", "HTML": `<a href="` + link + `">in</a>`,
		"a frame":             "╭" + strings.Repeat("─", 42) + "╮\n" + lines(link, 40, "│ ", " │") + "╰" + strings.Repeat("─", 42) + "╯\n",
		"a frame of ASCII":    "+-----+\n" + lines(link, 40, "| ", " |") + "+-----+\n",
		"quoted by bars":      lines(link, 50, "| ", ""),
		"quoted twice":        lines(link, 50, "> > ", ""),
		"quoted, initials":    lines(link, 50, "AB> ", ""),
		"quoted-printable":    lines(link, 70, "", "="),
		"a shell":             lines(link, 70, "  ", "\\"),
		"soft hyphens":        lines(link, 30, "", "\u00ad"),
		"zero width":          strings.Join(strings.Split(link, ""), "\u200b"),
		"line separators":     strings.ReplaceAll(lines(link, 60, "", ""), "\n", "\u2028"),
		"CR alone":            strings.ReplaceAll(lines(link, 60, "", ""), "\n", "\r"),
		"wrapped at 5":        lines(link, 5, "", ""),
		"wrapped at a hyphen": "Come: " + kind + "-\n" + rest,
		"hyphen, and quoted":  "> " + kind + "-\n> " + lines(rest, 60, "", "\n> "),
	}
}

// TestPastedLinks: links of rooms and of bridges are found as those of people are.
func TestPastedLinks(t *testing.T) {
	room, err := group.Found(group.Founding{Title: "the pier", Name: "Ada", Mailboxes: []group.Mailbox{{Node: [32]byte{1}}, {Node: [32]byte{2}}}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	made, err := room.MakeLink(3, true, time.Now().Add(time.Hour), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range forms(made.Text) {
		if got, _, err := readRoomLink(text); err != nil || !strings.EqualFold(got, made.Text) {
			t.Errorf("room, %s: %q, %v", what, got, err)
		}
	}

	way := &bridge.Link{ID: [32]byte{7}, Addresses: []book.Address{book.Web(netip.MustParseAddrPort("203.0.113.9:443"))}}
	way.Addresses[0] = book.Web(netip.MustParseAddrPort("20.1.2.3:443"))
	n := &Node{}
	for what, text := range forms(way.String()) {
		if l, err := readBridge(n, text); err != nil || l.String() != way.String() {
			t.Errorf("bridge, %s: %v", what, err)
		}
	}
	if _, err := readBridge(n, way.String()[:40]); err == nil || errors.Is(err, bridge.ErrForeign) {
		t.Errorf("half a link of a bridge: %v", err)
	}
}
