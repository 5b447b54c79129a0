// Package passphrase judges how hard a passphrase is to guess, for the places where
// people choose one: a new profile, another passphrase, a backup.
//
// The judge is zxcvbn, the estimator of Dropbox: it counts guesses in a clever order,
// common passwords, words, names, dates, rows of keys and repeats first. The count is its own, the
// search for these is here (match.go). It knows
// English, so the common words and passwords of German and Russian go beside its own,
// and it knows ASCII, so letters are folded first: accents away, and Russian letters to
// the Latin ones on the same keys, where "пароль" is as well known as "qwerty".
//
// Every guess costs a profile's derivation (store.DefaultKDF), about a tenth of a second
// of one processor: a passphrase right at the [Floor] holds off a thousand of them for some
// hours, a good one for weeks, a strong one for decades.
package passphrase

import (
	"math"
	"strings"
	"sync"
	"unicode"

	"github.com/trustelem/zxcvbn/match"
	"golang.org/x/text/unicode/norm"
)

// Floor is the least number of guesses that a passphrase must cost.
const Floor = 1e8

// judged is how many characters are looked at: a thousand would take seconds.
const judged = 64

// Strength grows with the guesses that a passphrase costs.
type Strength int

const (
	Refused Strength = iota // below the floor
	Weak                    // taken, and not for ever out of reach
	Good
	Strong
)

// A Reason is the first thing to say against a passphrase.
type Reason int

const (
	None   Reason = iota
	Short         // few characters, whatever they are
	Common        // a known password, a word, a name
	Repeat        // the same again and again, or a row of the alphabet
	Row           // neighbours on the keyboard
	Date          // a year or a date
)

// Judge returns the strength of a passphrase, and the reason if it is not at its best.
func Judge(passphrase string) (Strength, Reason) {
	guesses, parts := estimate(passphrase)
	switch {
	case guesses >= 1e13:
		return Strong, None
	case guesses >= 1e10:
		return Good, None
	}

	reason, longest := Short, 2
	for _, m := range parts {
		if n := m.J - m.I + 1; n > longest && m.Pattern != "bruteforce" {
			longest = n
			reason = map[string]Reason{"dictionary": Common, "spatial": Row, "repeat": Repeat, "sequence": Repeat, "date": Date, "regex": Date}[m.Pattern]
		}
	}
	if guesses < Floor {
		return Refused, reason
	}
	return Weak, reason
}

// estimate judges a passphrase with and without its blanks, which hide common phrases
// from the estimator.
func estimate(passphrase string) (guesses float64, parts []*match.Match) {
	plain := fold(passphrase)
	guesses, parts = guess(plain, words())
	if tight := strings.ReplaceAll(plain, " ", ""); tight != plain {
		if g, p := guess(tight, words()); g < guesses {
			return g, p
		}
	}
	return guesses, parts
}

// fold returns at most [judged] ASCII characters for the first ones of a passphrase.
func fold(s string) string {
	var b strings.Builder
	count := 0
	for _, r := range norm.NFKC.String(s[:min(len(s), 16*judged)]) {
		if count++; count > judged || b.Len() >= judged {
			break
		}
		b.WriteByte(key(r))
	}
	return b.String()
}

// key returns the ASCII character for a character: equal ones get equal ones.
func key(r rune) byte {
	if r < unicode.MaxASCII {
		return byte(r)
	}
	lower := unicode.ToLower(r)
	if k, ok := russian[lower]; ok {
		return k
	}
	if base, size := firstRune(norm.NFD.String(string(lower))); size > 0 && base < unicode.MaxASCII {
		if lower != r {
			return byte(unicode.ToUpper(base))
		}
		return byte(base)
	}
	return byte('!' + r%('~'-'!'))
}

func firstRune(s string) (rune, int) {
	for _, r := range s {
		return r, len(s)
	}
	return 0, 0
}

// russian are the Latin letters on the keys of Russian ones.
var russian = func() map[rune]byte {
	keys := map[rune]byte{'ё': '`', 'ß': 's'}
	latin := "qwertyuiop[]asdfghjkl;'zxcvbnm,."
	for i, r := range []rune("йцукенгшщзхъфывапролджэячсмитьбю") {
		keys[r] = latin[i]
	}
	return keys
}()

// words are unknown to the judge, with their places, the most common first: folded, and as they are written
// without such keys.
var words = sync.OnceValue(func() map[string]int {
	all, n := map[string]int{}, 0
	add := func(w string) {
		n++
		all[strings.ToLower(w)] = n
	}
	for _, w := range strings.Fields(common) {
		add(fold(w))
		if plain := spell(w); plain != fold(w) {
			add(plain)
		}
	}
	return all
})

// spell writes a word with Latin letters by their sound.
func spell(word string) string { return sounds.Replace(word) }

var sounds = strings.NewReplacer(
	"ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss",
	"а", "a", "б", "b", "в", "v", "г", "g", "д", "d", "е", "e", "ё", "yo", "ж", "zh", "з", "z", "и", "i", "й", "y",
	"к", "k", "л", "l", "м", "m", "н", "n", "о", "o", "п", "p", "р", "r", "с", "s", "т", "t", "у", "u", "ф", "f",
	"х", "h", "ц", "ts", "ч", "ch", "ш", "sh", "щ", "sch", "ъ", "", "ы", "y", "ь", "", "э", "e", "ю", "yu", "я", "ya")

// Guesses is the estimate behind [Judge], as a power of ten: for tests and tables.
func Guesses(passphrase string) float64 {
	guesses, _ := estimate(passphrase)
	return math.Log10(max(guesses, 1))
}
