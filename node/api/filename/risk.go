package filename

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Risk is why a file is not handed to the system's program for it. The zero value is no
// reason.
type Risk string

const (
	Program  Risk = "program"  // the system would run it
	Script   Risk = "script"   // or a program of the system would
	Shortcut Risk = "shortcut" // it names something else, which the system would open or run
	Page     Risk = "page"     // a browser would run it, and load more from the network
	Lie      Risk = "lie"      // its ending is of another kind than its bytes
	Unknown  Risk = "unknown"  // nothing is known here of its program
)

// endings are the dangerous ones that are known, for the words alone: anything that is not
// among the harmless ones is refused as well.
var endings = map[Risk][]string{
	Program:  {"exe", "com", "scr", "pif", "msi", "msix", "appx", "cpl", "dll", "app", "dmg", "pkg", "deb", "rpm", "apk", "jar", "appimage", "run", "bin", "elf", "so", "flatpakref", "snap", "gadget"},
	Script:   {"sh", "bash", "zsh", "fish", "csh", "ksh", "py", "pyw", "pl", "rb", "php", "lua", "js", "mjs", "jse", "vbs", "vbe", "wsf", "wsh", "ps1", "psm1", "bat", "cmd", "command", "tool", "scpt", "applescript", "hta", "reg", "inf", "workflow", "tcl", "awk", "r"},
	Shortcut: {"desktop", "lnk", "url", "webloc", "inetloc", "fileloc", "library-ms", "search-ms", "scf", "directory", "theme", "service"},
	Page:     {"html", "htm", "xhtml", "xht", "shtml", "mhtml", "mht", "svg", "svgz", "xml", "xsl", "xslt", "swf", "chm", "eml"},
}

// harmless are the endings that are handed on, each with the test of the bytes that it
// promises.
var harmless = map[string]func([]byte) bool{
	"png": begins("\x89PNG\r\n\x1a\n"), "jpg": begins("\xff\xd8\xff"), "jpeg": begins("\xff\xd8\xff"), "gif": begins("GIF87a", "GIF89a"),
	"webp": chunked("WEBP"), "bmp": begins("BM"), "tif": begins("II*\x00", "MM\x00*"), "tiff": begins("II*\x00", "MM\x00*"),
	"pdf": begins("%PDF-"), "txt": text, "text": text, "md": text, "log": text,
	"mp3": begins("ID3", "\xff\xfb", "\xff\xf3", "\xff\xf2"), "ogg": begins("OggS"), "oga": begins("OggS"), "opus": begins("OggS"),
	"wav": chunked("WAVE"), "flac": begins("fLaC"), "m4a": boxed, "mp4": boxed, "webm": begins("\x1aE\xdf\xa3"), "mkv": begins("\x1aE\xdf\xa3"),
}

func begins(with ...string) func([]byte) bool {
	return func(data []byte) bool {
		return slices.ContainsFunc(with, func(s string) bool { return bytes.HasPrefix(data, []byte(s)) })
	}
}

// chunked is a RIFF file of a form.
func chunked(form string) func([]byte) bool {
	return func(data []byte) bool {
		return len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == form
	}
}

// boxed is an MPEG-4 file.
func boxed(data []byte) bool { return len(data) >= 8 && string(data[4:8]) == "ftyp" }

// text is UTF-8 without controls.
func text(data []byte) bool {
	return utf8.Valid(data) && !bytes.ContainsFunc(data, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' && r != '\f'
	})
}

// Of says why a file is not to be handed to a program of the system. The name alone is
// believed for the worse, and for the better only with the bytes.
func Of(name string, data []byte) Risk {
	ending := strings.ToLower(strings.TrimPrefix(path.Ext(Clean(name)), "."))
	if risk := inside(data); risk != "" {
		return risk
	}
	for _, risk := range []Risk{Program, Script, Shortcut, Page} {
		if slices.Contains(endings[risk], ending) {
			return risk
		}
	}

	is, known := harmless[ending]
	switch {
	case !known:
		return Unknown
	case !is(data):
		return Lie
	}
	return ""
}

// inside finds the dangers that need no ending.
func inside(data []byte) Risk {
	if begins("\x7fELF", "MZ", "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe", "!<arch>\n", "\xed\xab\xee\xdb")(data) {
		return Program
	}
	if begins("L\x00\x00\x00\x01\x14\x02\x00")(data) {
		return Shortcut
	}

	// The rest is text, perhaps behind a mark and blanks.
	head := bytes.ToLower(data[:min(len(data), 1024)])
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n\f")
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		return Script
	case bytes.Contains(head, []byte("[desktop entry]")), bytes.HasPrefix(head, []byte("[internetshortcut]")):
		return Shortcut
	case bytes.HasPrefix(head, []byte("<")) && bytes.ContainsAny(head[1:min(len(head), 2)], "!?abcdefghijklmnopqrstuvwxyz"):
		return Page
	case bytes.HasPrefix(head, []byte("mime-version:")):
		return Page
	}
	return ""
}
