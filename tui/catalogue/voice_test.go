package catalogue_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"starling/tui/catalogue"
)

// formal finds the words of a translation that speak to the person as to a
// stranger, by its language. The texts say ты and du.
var formal = map[string]func(english, text string) []string{"de": formalGerman, "ru": formalRussian}

// pairs are the ways to speak of the person and their contact together.
var pairs = strings.NewReplacer("вы оба", "", "Вы оба", "", "вас обоих", "", "вам двоим", "", "между вами", "")

// likeVerbs are the nouns with the ending of a verb of вы.
var likeVerbs = []string{"билете", "бюджете", "интернете", "ответе", "пакете", "предмете", "сайте", "свете", "секрете", "совете"}

var (
	pronounOfVy = regexp.MustCompile(`^(вы|вас|вам|вами|ваш\p{L}*)$`)
	verbOfVy    = regexp.MustCompile(`^\p{L}+([йьиеё]те|[йьиеё]тесь)$`)
)

func formalRussian(_, text string) []string {
	words := strings.FieldsFunc(strings.ToLower(pairs.Replace(text)), func(r rune) bool { return !unicode.IsLetter(r) })
	return slices.DeleteFunc(words, func(word string) bool {
		return !pronounOfVy.MatchString(word) && (!verbOfVy.MatchString(word) || slices.Contains(likeVerbs, word))
	})
}

var (
	// capital has what stands before the pronoun, the pronoun, and the next word.
	capital = regexp.MustCompile(`(^|\P{L}+)(Sie|Ihnen|Ihr|Ihre[mnrs]?)\P{L}+(\p{L}*)`)

	// begins matches what stands before the first word of a sentence.
	begins = regexp.MustCompile(`^$|[.:!?\n]["» ]*$`)

	// third matches an English text about something or somebody else.
	third = regexp.MustCompile(`(?i)\b(it|its|they|them|their|theirs)\b`)
)

// formalGerman takes the capital of a pronoun within a sentence for the formal
// one. At the beginning it may be "she" or "they": then the English text has that
// too. "Ihr habt" is both, the person and the contact.
func formalGerman(english, text string) []string {
	var out []string
	for _, m := range capital.FindAllStringSubmatch(text+" ", -1) {
		both := m[2] == "Ihr" && slices.Contains([]string{"habt", "seht"}, m[3])
		if !begins.MatchString(m[1]) || !both && !third.MatchString(english) {
			out = append(out, m[2])
		}
	}
	return out
}

// TestOneVoice: a catalogue that speaks to the person in two ways reads like two apps.
func TestOneVoice(t *testing.T) {
	for _, language := range catalogue.Languages {
		for _, name := range []string{language + ".po", language + "-node.po"} {
			for _, e := range entries(t, name) {
				for _, text := range append(slices.Clone(e.Plural), e.Text) {
					if found := formal[language](e.ID+" "+e.IDPlural, text); len(found) > 0 {
						t.Errorf("%s:%d: %q says %q: the texts speak to a friend (ты, du)", name, e.Line, text, found)
					}
				}
			}
		}
	}
}

func TestFormalWords(t *testing.T) {
	for _, c := range []struct{ language, english, text, want string }{
		{"ru", "", "Выберите имя. Ваше имя видите вы.", "выберите ваше видите вы"},
		{"ru", "", "не бойтесь: ключ у Вас", "бойтесь вас"},
		{"ru", "", "Выбери имя. Вы оба согласны, между вами никого нет; это видно в ответе.", ""},
		{"de", "compare", "Vergleichen Sie die Nummern mit Ihrem Kontakt.", "Sie Ihrem"},
		{"de", "it is said to you", "es wird Ihnen gesagt", "Ihnen"},
		{"de", "your key is here", "Ihr Schlüssel ist hier.", "Ihr"},
		{"de", "you are in. It is open.", "Du bist drin. Sie ist offen.", ""},
		{"de", "both", "Ihr habt euch geeinigt.", ""},
	} {
		if got := strings.Join(formal[c.language](c.english, c.text), " "); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}
