package passphrase

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestJudge(t *testing.T) {
	for p, want := range map[string]Strength{
		"": Refused, " ": Refused, "bp": Refused, "abc": Refused, "aaaaaaaa": Refused, "password1": Refused, "starling": Refused,
		"12345678901234567890": Refused, "qwertyuiop": Refused, "abcdefghijklmnop": Refused, "ilovestarling": Refused,
		strings.Repeat("a", 10_000): Refused, strings.Repeat("ab", 5_000): Refused, "19.04.1984": Refused, "another one": Refused,
		// German and Russian.
		"passwort": Refused, "Passwort123": Refused, "Sommer2024": Refused, "qwertz123": Refused, "ich liebe dich": Refused, "hallo welt": Refused,
		"Schätzchen": Refused, "ｐａｓｓｗｏｒｄ": Refused, "schmetterling": Refused,
		"пароль": Refused, "Пароль123": Refused, "gfhjkm": Refused, "parol": Refused, "йцукенгшщз": Refused, "я люблю тебя": Refused, "наташа1990": Refused,
		"любовьморковь": Weak,
		// What is good.
		"kX9#mQ2p": Weak, "correct horse battery staple": Strong, "zwei kleine katzen schlafen bello": Strong, "another one altogether": Weak,
		"9f8a7b6c5d4e3f2a": Strong, "четыре сонных бегемота пьют": Strong, "水と石と空の話をしよう": Good,
	} {
		got, why := Judge(p)
		if got < min(want, Weak) || got > want && want == Refused || want >= Good && got < Good {
			t.Errorf("%.40q: %v (10^%.1f, reason %d), want %v", p, got, Guesses(p), why, want)
		}
		if (got <= Weak) != (why != None) {
			t.Errorf("%.40q: strength %v, reason %v", p, got, why)
		}
	}
	for p, want := range map[string]Reason{"bp": Short, "x7": Short, "passwort": Common, "aaaaaaaa": Repeat, "abcdefgh": Repeat, "tgbnhyujm": Row, "19.04.1984": Date, "пароль": Common} {
		if _, why := Judge(p); why != want {
			t.Errorf("%q: reason %v, want %v", p, why, want)
		}
	}
}

// TestLettersAreFolded: however a letter is written, it is the same.
func TestLettersAreFolded(t *testing.T) {
	for in, want := range map[string]string{
		"Ärger": "Arger", "A\u0308rger": "Arger", "straße": "strase", "йцукен": "qwerty", "и\u0306": "q", "ПАРОЛЬ": "gfhjkm", "ascii ~": "ascii ~",
	} {
		if got := fold(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if spell("schön") != "schoen" || spell("любовь") != "lyubov" {
		t.Error(spell("schön"), spell("любовь"))
	}
}

// BenchmarkJudge: of a passphrase of a thousand characters 64 are looked at.
func BenchmarkJudge(b *testing.B) {
	long := strings.Repeat("a1B2", 250)
	for b.Loop() {
		Judge(long)
	}
}

func FuzzJudge(f *testing.F) {
	for _, s := range []string{"", "abc", "пароль", "\xff\xfe", strings.Repeat("é", 200), "水", "a\x00b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain := fold(s)
		if len(plain) > judged || !utf8.ValidString(plain) || strings.ContainsFunc(plain, func(r rune) bool { return r >= utf8.RuneSelf }) {
			t.Fatalf("%q", plain)
		}
		if strength, why := Judge(s); strength < Refused || strength > Strong || (strength <= Weak) == (why == None) {
			t.Fatal(strength, why)
		}
	})
}
