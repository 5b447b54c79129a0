package match

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNext(t *testing.T) {
	for _, c := range []struct{ text, query, want string }{
		{"The Relay is up", "relay", "Relay"},
		{"relays and relay", "relay up", "relay"},
		{"the upper one", "relay up", "up"},
		{"prerelay", "relay", ""},
		{"Grüße AUS Köln", "köl", "Köl"},
		{"Привет, мир", "МИР", "мир"},
		{"", "x", ""},
		{"text", "", ""},
	} {
		at, n := Next(c.text, Words(c.query))
		got := ""
		if at >= 0 {
			got = c.text[at : at+n]
		}
		if got != c.want {
			t.Errorf("%q in %q: %q, want %q", c.query, c.text, got, c.want)
		}
	}
}

func FuzzNext(f *testing.F) {
	f.Add("the relay İs up", "relay i")
	f.Fuzz(func(t *testing.T, s, query string) {
		at, n := Next(s, Words(query))
		if at >= 0 && (n <= 0 || at+n > len(s)) {
			t.Fatalf("%d+%d of %d", at, n, len(s))
		}
		if at >= 0 && utf8.ValidString(s) && !utf8.ValidString(strings.Clone(s[at:at+n])) {
			t.Error("cuts a character")
		}
	})
}

func TestPlain(t *testing.T) {
	for s, want := range map[string]string{
		"Größe & Küche": "grosse & kuche", "Zoë": "zoe", "Łódź": "lodz", "Ærø": "aero", "Фёдор": "федор", "Nguyễn": "nguyen",
		"plain": "plain", "ABC": "abc", "李明": "李明", "": "",
	} {
		if got := Plain(s); got != want {
			t.Errorf("Plain(%q) = %q, not %q", s, got, want)
		}
	}
}
