package filename

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestNamesThatLie: no name leads out of a folder, names a device, hides itself or its
// ending, or changes the order of its letters.
func TestNamesThatLie(t *testing.T) {
	for name, want := range map[string]string{
		"notes.txt":                      "notes.txt",
		"Grüße an Ölaf (2).pdf":          "Grüße an Ölaf (2).pdf",
		"отчёт.txt":                      "отчёт.txt",
		"Gru\u0308ße.txt":                "Grüße.txt",
		"../../x":                        "x",
		"..\\..\\x":                      "x",
		"/etc/passwd":                    "passwd",
		`C:\Windows\x.txt`:               "x.txt",
		"C:x":                            "C_x",
		"a/":                             "file",
		"..":                             "file",
		".":                              "file",
		"":                               "file",
		" ":                              "file",
		"\x00\x01":                       "file",
		"a\x00.txt":                      "a.txt",
		"a\nb.txt":                       "a b.txt",
		"a\x1b]0;x\x07.txt":              "a]0;x.txt",
		"..∕..∕x":                        "_.._.._x",
		"．．／x":                           "．．_x",
		".bashrc":                        "_.bashrc",
		"-rf":                            "_-rf",
		"~":                              "_~",
		"CON":                            "_CON",
		"con.txt":                        "_con.txt",
		"Aux .tar.gz":                    "_Aux .tar.gz",
		"COM1":                           "_COM1",
		"lpt9.x":                         "_lpt9.x",
		"COM\u00b9.txt":                  "_COM¹.txt",
		"ＣＯＮ":                            "_ＣＯＮ",
		"CONSOLE":                        "CONSOLE",
		"com10":                          "com10",
		"x. . .":                         "x",
		"photo\u202egnp.exe":             "photognp.exe",
		"photo.png\u200b.exe":            "photo.png.exe",
		"photo.jp\u200dg":                "photo.jpg",
		"photo.jpg                 .exe": "photo.jpg .exe",
		"\u3164\u2800.txt":               "_.txt",
		"a\ufe0fb":                       "ab",
		"\u0301x":                        "x",
		"what?*|<>\".txt":                "what______.txt",
		"not\xffutf8":                    "not_utf8",
	} {
		if got := Clean(name); got != want {
			t.Errorf("%q is called %q, not %q", name, got, want)
		}
	}
}

func TestLongNamesKeepTheirEnding(t *testing.T) {
	for name, ending := range map[string]string{
		strings.Repeat("a", 4096) + ".exe":           ".exe",
		strings.Repeat("é", 2048) + ".jpg":           ".jpg",
		"." + strings.Repeat("a", 4096) + ".sh":      ".sh",
		"a." + strings.Repeat("b", 4096):             "b",
		strings.Repeat("a.", 2048) + "pdf":           ".pdf",
		strings.Repeat("a ", 100) + ".png" + " .exe": ".exe",
	} {
		got := Clean(name)
		if len(got) > Max || !utf8.ValidString(got) || !strings.HasSuffix(got, ending) {
			t.Errorf("%.20q of %d bytes is called %q, %d bytes", name, len(name), got, len(got))
		}
	}
}

func TestRisk(t *testing.T) {
	png, jpeg := "\x89PNG\r\n\x1a\n", "\xff\xd8\xff"
	for _, c := range []struct {
		name, data string
		want       Risk
	}{
		{"a.png", png, ""},
		{"A.JPG", jpeg, ""},
		{"a.txt", "hello\n", ""},
		{"empty.txt", "", ""},
		{"less.txt", "< 5 and > 3", ""},
		{"a.pdf", "%PDF-1.7", ""},
		{"a.png", jpeg, Lie},
		{"a.jpg", "hello", Lie},
		{"a.txt", "\x00\x01", Lie},
		{"a.txt", "\x1b]0;x\x07", Lie},
		{"a.png", "", Lie},
		{"a.png", "MZ\x90", Program},
		{"a.txt", "\x7fELF", Program},
		{"photo.jpg.exe", jpeg, Program},
		{"photo.jpg .ExE", jpeg, Program},
		{"photo.png\u200b.exe", png, Program},
		{"photo\u202egnp.exe", png, Program},
		{"photo.exe.", png, Program},
		{"a.AppImage", "", Program},
		{"a.jar", "PK", Program},
		{"a.txt", "#!/bin/sh", Script},
		{"a.txt", "\xef\xbb\xbf  #!/bin/sh", Script},
		{"a", "#!/bin/sh", Script},
		{"a.sh", "", Script},
		{"a.ps1", "x", Script},
		{"a.js", "x", Script},
		{"a.desktop", "x", Shortcut},
		{"a.txt", "# a note\n[Desktop Entry]\nExec=x", Shortcut},
		{"a.txt", "[InternetShortcut]\nURL=x", Shortcut},
		{"a.lnk", "x", Shortcut},
		{"a.txt", "L\x00\x00\x00\x01\x14\x02\x00", Shortcut},
		{"a.html", "x", Page},
		{"a.svg", "x", Page},
		{"a.txt", "<!DOCTYPE html>", Page},
		{"a.png", " \n<HTML>", Page},
		{"a.pdf", "<script>", Page},
		{"a", "hello", Unknown},
		{"Makefile", "all:", Unknown},
		{"a.docm", "PK", Unknown},
		{"a.csv", "=1+1", Unknown},
		{"a.zip", "PK", Unknown},
		{"../../a.png", png, ""},
	} {
		if got := Of(c.name, []byte(c.data)); got != c.want {
			t.Errorf("%q with %q: %q, not %q", c.name, c.data, got, c.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"a.txt", "../../x", "CON", "\u202e", "a\x00b", ".hidden", strings.Repeat("é.", 300), "／", "\u0301", "-x", "Å"} {
		f.Add(s, []byte(s))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		got := Clean(name)
		if got == "" || len(got) > Max || !utf8.ValidString(got) || strings.ContainsAny(got, "/\\\x00\n:") || got[0] == '.' || got[0] == '-' || reserved(got) {
			t.Errorf("%q is called %q", name, got)
		}
		if again := Clean(got); again != got {
			t.Errorf("%q is called %q, and that %q", name, got, again)
		}
		Of(name, data)
	})
}
