package safetext

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// One text through every door is one text.
func TestDecode(t *testing.T) {
	const want = "Zoë 🐦\nüber"
	for name, b := range map[string]string{
		"UTF-8":            want,
		"with a mark":      "\ufeff" + want,
		"decomposed":       norm.NFD.String(want),
		"lines of Windows": "Zoë 🐦\r\nüber",
		"lines of old":     "Zoë 🐦\rüber",
		"next line":        "Zoë 🐦\u0085über",
		"UTF-16, little":   "\xff\xfeZ\x00o\x00\xeb\x00 \x00\x3d\xd8\x26\xdc\x0a\x00\xfc\x00b\x00e\x00r\x00",
		"UTF-16, big":      "\xfe\xff\x00Z\x00o\x00\xeb\x00 \xd8\x3d\xdc\x26\x00\x0a\x00\xfc\x00b\x00e\x00r",
		"controls":         "Z\x00o\x1b\x07ë\x7f 🐦\n\u009büber",
		"invisible":        "Zo\u200bë\u202e 🐦\n\u2060ü\u00adber\ufeff",
	} {
		if got, err := Decode([]byte(b)); err != nil || got != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, b := range map[string]string{
		"Latin-1":             "Zo\xeb",
		"cut":                 "Zo\xc3",
		"UTF-16, half":        "\xff\xfeZ\x00o",
		"UTF-16, surrogate":   "\xff\xfe\x3d\xd8",
		"UTF-16, low first":   "\xff\xfe\x26\xdcZ\x00",
		"UTF-16, high, Z":     "\xff\xfe\x3d\xd8Z\x00",
		"bytes of no picture": "\x89PNG",
	} {
		if got, err := Decode([]byte(b)); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestNormalKeepsWhatIsSeen(t *testing.T) {
	for _, s := range []string{"", "a\tb\n\nc ", "नमस्\u200dते", "می\u200cخواهم", "👩🏽‍🚀 ❤️", "שלום", "한글", "\ufffd", "\xff"} {
		if got := Normal(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"Zoë", "\ufeffa\r\nb", "\xff\xfeZ\x00", "\xfe\xff\xd8\x3d\xdc\x26", "e\u0301\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Decode(b)
		if err != nil {
			return
		}
		if !utf8.ValidString(got) || !norm.NFC.IsNormalString(got) || Normal(got) != got || strings.ContainsAny(got, "\r\x00\x1b\ufeff") {
			t.Errorf("%q became %q", b, got)
		}
		if again, err := Decode([]byte(got)); err != nil || again != got {
			t.Errorf("%q became %q, then %q", b, got, again)
		}
	})
}
