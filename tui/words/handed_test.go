package words_test

import (
	"strings"
	"testing"

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

func FuzzHanded(f *testing.F) {
	f.Add("İİİİ starling:agh3")
	f.Fuzz(func(t *testing.T, text string) {
		if link, ok := words.HandedAny(text); ok && !strings.Contains(text, link) {
			t.Errorf("%q is not in the text", link)
		}
	})
}
