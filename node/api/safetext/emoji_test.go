package safetext

import (
	"strings"
	"testing"
)

func TestEmoji(t *testing.T) {
	for _, s := range []string{"👍", "👍🏽", "❤️", "❤", "😀", "👀", "👎", "🎉", "🙏", "👨‍👩‍👧‍👦", "👩🏽‍🚀", "🏳️‍🌈", "🇩🇪", "1️⃣", "#️⃣",
		"🏴󠁧󠁢󠁥󠁮󠁧󠁿", "☎️", "✔️", "🥹", "🫶🏿"} {
		if got := Emoji(s); got != s {
			t.Errorf("%q: %q", s, got)
		}
	}
	if got := Emoji(" 👍\n"); got != "👍" {
		t.Errorf("%q", got)
	}
	for _, s := range []string{"", "a", "ok", "é", "✓", "✓verified", "✓✓", "👍👍", "👍 👍", "👍a", "1", "12", "#", "🇩", "🇩🇪🇫🇷", "🇩a",
		"\x1b", "\x1b[1m", "👍\u0301", "👍\u200d", "\u200d", "\ufe0f", "🏽", "\u202e👍", "👍\u202e", "\xff", "你", "½", "→", "■", "★", "☑\u200d✓", "👍\U000e0076\U000e007f", "🏴\U000e0067", "👍\ufe0f\ufe0f", "👩🏽🏽",
		"😀" + strings.Repeat("\u0301", 3), "👍\u20e3", "1\u0301", strings.Repeat("👍\u200d", 5) + "👍"} {
		if got := Emoji(s); got != "" {
			t.Errorf("%q: %q", s, got)
		}
	}
}

func FuzzEmoji(f *testing.F) {
	f.Add("👍🏽")
	f.Add("🇩🇪")
	f.Add("✓verified")
	f.Fuzz(func(t *testing.T, s string) {
		got := Emoji(s)
		if got != "" && Emoji(got) != got {
			t.Errorf("%q: %q is not clean", s, got)
		}
		for _, r := range got {
			if r < ' ' || r >= 'A' && r <= 'z' {
				t.Errorf("%q: %q", s, got)
			}
		}
	})
}
