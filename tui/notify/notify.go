// Package notify makes the sequences by which a terminal tells that something
// came: OSC 9, 777 or 99 where the terminal knows one of them, and a bell.
//
// A notification is read by everybody in the room and is written past the screen,
// straight to the terminal. So it says no more than its level allows, and the contact's
// words in it are reduced to printable characters once more.
package notify

import (
	"encoding/base64"
	"strings"
	"unicode"

	"starling/node/api"
	"starling/node/api/safetext"
)

// Kind is how a terminal is told.
type Kind uint8

const (
	Bell   Kind = iota // a bell and nothing else
	OSC9               // iTerm2, WezTerm, Ghostty
	OSC777             // foot, rxvt-unicode, VTE
	OSC99              // kitty
)

// Detect chooses by the environment. A multiplexer shows to none or to
// several terminals, so it gets the bell.
func Detect(getenv func(string) string) Kind {
	name, program := getenv("TERM"), getenv("TERM_PROGRAM")
	switch {
	case getenv("TMUX") != "" || getenv("STY") != "" || strings.HasPrefix(name, "screen") || strings.HasPrefix(name, "tmux"):
		return Bell
	case getenv("KITTY_WINDOW_ID") != "" || name == "xterm-kitty":
		return OSC99
	case program == "iTerm.app", program == "WezTerm", program == "ghostty", name == "xterm-ghostty":
		return OSC9
	case strings.HasPrefix(name, "foot"), strings.HasPrefix(name, "rxvt"), getenv("VTE_VERSION") != "":
		return OSC777
	}
	return Bell
}

// maxText is the most characters of a text in a notification.
const maxText = 200

// Words returns the words of a notification at a level: ok is false if there are none.
// something and picture stand for a hidden message and for a picture without words.
func Words(level api.NotifyLevel, from, text safetext.Text, something, picture string) (body string, ok bool) {
	name := clean(from.String())
	said := clean(text.String())
	if said == "" {
		said = picture
	}
	switch level {
	case api.NotifyNone:
		return "", false
	case api.NotifyName:
		return name, true
	case api.NotifyText:
		return name + ": " + said, true
	}
	return something, true // also for a level that is not known here
}

// clean keeps the printable characters of a text, as one line.
func clean(s string) string {
	if len(s) > 16*maxText {
		s = strings.ToValidUTF8(s[:16*maxText], "")
	}
	s = safetext.Line(s).String()
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxText {
			b.WriteString("…")
			break
		}
		if r != unicode.ReplacementChar && (r == ' ' || unicode.IsPrint(r)) {
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}

// Sequence tells the terminal. title is ours.
func Sequence(kind Kind, title, body string) string {
	title, body = clean(title), clean(body)
	// The semicolon separates fields, and a body that begins with a number
	// means progress to some terminals.
	field := strings.NewReplacer(";", ",")
	const bell, end = "\a", "\x1b\\"
	switch kind {
	case OSC9:
		return "\x1b]9;" + field.Replace(title+": "+body) + end + bell
	case OSC777:
		return "\x1b]777;notify;" + field.Replace(title) + ";" + field.Replace(body) + end + bell
	case OSC99:
		b64 := base64.StdEncoding
		return "\x1b]99;i=starling:d=0:e=1;" + b64.EncodeToString([]byte(title)) + end +
			"\x1b]99;i=starling:d=1:p=body:e=1;" + b64.EncodeToString([]byte(body)) + end + bell
	}
	return bell
}
