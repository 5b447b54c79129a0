// Package filename is the door for names of files that somebody else chose.
//
// The name of a file that came is shown beside it, is offered when it is saved, and goes
// to the program that opens it. So it can be no path, no device of Windows and no hidden
// file. No part of it is invisible or changes the order of the rest, and its ending, by
// which systems choose the program, stays when it is shortened. [Clean] makes such a name
// of any bytes. It says nothing of the file itself: that is for [Of], and it does not
// believe the name either.
package filename

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"starling/node/api/safetext"
)

// Max is the longest name in bytes (api.MaxFileName).
const Max = 200

// nameless is the name of a file of which no name is left.
const nameless = "file"

// maxEnding is the longest ending that is kept when a name is shortened, in bytes.
const maxEnding = 16

// separators are the characters that look like those between the parts of a path.
var separators = strings.NewReplacer("⁄", "_", "∕", "_", "⧸", "_", "／", "_", "﹨", "_", "＼", "_", "⧵", "_", "∖", "_", "：", "_", "꞉", "_", "∶", "_")

// Clean returns the name of a file as it may be shown, and be proposed to save it: at most
// [Max] bytes, never empty. What Clean returns it returns again.
func Clean(name string) string {
	name = separators.Replace(visible(safetext.Normal(strings.ToValidUTF8(name, "_"))))
	name = name[strings.LastIndexAny(name, `/\`)+1:]

	// Characters that Windows or a shell take for something else.
	name = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || strings.ContainsRune(`<>:"|?*`, r) {
			return '_'
		}
		return r
	}, name)

	name = shorten(trim(name))
	if name == "" {
		return nameless
	}
	if first := name[0]; first == '.' || first == '-' || first == '~' || reserved(name) {
		name = shorten("_" + name)
	}
	return name
}

// trim takes the ends off that a system would not keep: spaces, and dots behind.
func trim(s string) string { return strings.TrimRight(strings.TrimSpace(s), " .") }

// visible returns one line without characters that nobody sees. Joiners go too: they
// would hide a letter between an ending and its dot.
func visible(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.In(r, unicode.Join_Control, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point),
			r == braillePatternBlank:
			return -1
		}
		return r
	}, safetext.Line(s).String())
	// A mark on nothing would stand on what is before the name.
	s = strings.TrimLeftFunc(norm.NFC.String(s), func(r rune) bool { return unicode.Is(unicode.M, r) || unicode.IsSpace(r) })
	return strings.Join(strings.Fields(s), " ")
}

const braillePatternBlank = 0x2800

// shorten cuts a name to Max bytes, before its ending.
func shorten(s string) string {
	if len(s) <= Max {
		return s
	}
	ending := path.Ext(s)
	if len(ending) > maxEnding {
		ending = ""
	}
	stem := s[:Max-len(ending)]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	return trim(stem) + ending
}

// reserved reports whether Windows takes a name for a device, with any ending or none.
func reserved(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimSpace(norm.NFKC.String(stem)))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	return len(stem) == 4 && (strings.HasPrefix(stem, "COM") || strings.HasPrefix(stem, "LPT")) && stem[3] >= '0' && stem[3] <= '9'
}
