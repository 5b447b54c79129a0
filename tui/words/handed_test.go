package words_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"starling/tui/term"
	"starling/tui/theme"
	"starling/tui/words"
)

func TestHanded(t *testing.T) {
	for _, tt := range []struct{ text, scheme, want string }{
		{"use this:\n> starling:agh3\natup", words.InviteScheme, "starling:agh3\natup"},
		{"STARLING:AGH3", words.InviteScheme, "STARLING:AGH3"},
		{"a starling sings", words.InviteScheme, ""},
		{"starling-room:abc", words.InviteScheme, ""},
		{"see starling-room:abc", words.RoomScheme, "starling-room:abc"},
		{"starling", words.InviteScheme, ""},
		{"", words.InviteScheme, ""},
		// Letters that take more bytes in lower case.
		{strings.Repeat("İ", 100) + "starling:x", words.InviteScheme, "starling:x"},
		{strings.Repeat("Ⱥ", 100) + "starling:", words.InviteScheme, "starling:"},
	} {
		got, ok := words.Handed(tt.text, tt.scheme)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("%q: %q, %t", tt.text, got, ok)
		}
	}
	long, _ := words.Handed("x starling:"+strings.Repeat("a", 1<<20), words.InviteScheme)
	if len(long) != 4096 {
		t.Errorf("%d bytes", len(long))
	}
	if link, ok := words.HandedAny("take Starling-Bridge:abc"); !ok || link != "Starling-Bridge:abc" {
		t.Errorf("%q, %t", link, ok)
	}
}

func TestTold(t *testing.T) {
	th := theme.New(true, term.Cells{})
	long := strings.Repeat("a2", 60)
	for text, want := range map[string]string{
		"starling-room:" + long:                                 "a room invite",
		"Starling:" + strings.ToUpper(long):                     "an invite",
		"take starling-bridge:" + long + ", and come":           "take a bridge, and come",
		"<starling:" + long + ">\n(starling-room:" + long + ")": "<an invite>\n(a room invite)",
		"starling: a bird, starling-room:short":                 "starling: a bird, starling-room:short",
		"notstarling:" + long:                                   "notstarling:" + long,
		"„starling:" + long + "“":                               "„an invite“",
		"ästarling:" + long:                                     "ästarling:" + long,
		"https://example.org/starling:" + long:                  "https://example.org/starling:" + long,
		"":                                                      "",
	} {
		if got := words.Told(th, text); got != want {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
	// Links without end are looked at up to a bound.
	if got := words.Told(th, strings.Repeat("starling:"+long+" ", 10_000)); strings.Count(got, "an invite") != 32 {
		t.Errorf("%d links are told", strings.Count(got, "an invite"))
	}
}

func FuzzHanded(f *testing.F) {
	f.Add("İİİİ starling:agh3")
	f.Fuzz(func(t *testing.T, text string) {
		if link, ok := words.HandedAny(text); ok && !strings.Contains(text, link) {
			t.Errorf("%q is not in the text", link)
		}
		if told := words.Told(theme.New(true, term.Cells{}), text); utf8.ValidString(text) && !utf8.ValidString(told) {
			t.Errorf("%q is told as %q", text, told)
		}
	})
}
