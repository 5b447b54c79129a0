package catalogue_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"starling/tui/catalogue"
	"starling/tui/emoji"
	"starling/tui/keymap"
)

var list = flag.Bool("list", false, "print what the app says that a catalogue has not, as a .po file")

// A text is a text of the app, and its place.
type text struct {
	id, plural string
	where      string
}

// says are the functions that take texts, and which of their arguments are.
// Negative: every literal.
var says = map[string][]int{
	"t": {0}, "T": {0}, "say": {0}, "Say": {0}, "Complain": {0}, "print": {0}, "aloud": {0}, "Mark": {0}, "m": {0},
	"Sprintf": {0}, "Text": {0}, "done": {1}, "Time": {1}, "NewPicker": {0, 2}, "openEmoji": {0},
	"field": {-1}, "flag": {0, 1}, "text": {-1}, "spans": {-1}, "NewFrame": {1},
}

// words match the translatable part of a text without its placeholders.
var words = regexp.MustCompile(`[A-Za-z]{2}|^[A-Za-z] [a-z]`)

var counts = map[string]bool{"n": true, "N": true, "Count": true}

// fields are those of dialogs that are put into the person's language.
var fields = map[string]bool{"Title": true, "Intro": true, "Label": true, "Hint": true, "None": true, "label": true}

// said reads the source of the app for its texts.
func said(t *testing.T) map[string]text {
	t.Helper()
	out := map[string]text{}
	add := func(id, plural, where string) {
		if words.MatchString(verb.ReplaceAllString(id, "")) {
			if old, ok := out[id]; ok && plural == "" {
				plural = old.plural
			}
			out[id] = text{id, plural, where}
		}
	}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "testdata" || d.Name() == "tuitest") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				name := ""
				switch f := n.Fun.(type) {
				case *ast.Ident:
					name = f.Name
				case *ast.SelectorExpr:
					if x, ok := f.X.(*ast.Ident); ok && slices.Contains([]string{"fmt", "safetext"}, x.Name) {
						return true
					}
					name = f.Sel.Name
				}
				where := fset.Position(n.Pos()).String()
				if counts[name] && len(n.Args) == 3 {
					add(literal(n.Args[1]), literal(n.Args[2]), where)
				}
				for _, i := range says[name] {
					for k, arg := range n.Args {
						if k == i || i < 0 {
							add(literal(arg), "", where)
						}
					}
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && fields[key.Name] {
					add(literal(n.Value), "", fset.Position(n.Pos()).String())
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range keymap.Default().All() {
		add(a.Name, "", "keymap")
		add(a.Group, "", "keymap")
		add(a.Also, "", "keymap")
	}
	for _, e := range emoji.All {
		add(e.Name, "", "emoji")
	}
	for day := range 7 {
		name := time.Weekday(day).String()
		add(name, "", "names")
		add("short "+name[:3], "", "names")
	}
	for month := time.January; month <= time.December; month++ {
		add(month.String(), "", "names")
		add("short "+month.String()[:3], "", "names")
	}
	if len(out) < 200 {
		t.Fatalf("found only %d texts", len(out))
	}
	return out
}

// literal returns the text of a string constant, "" for anything else.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			s, _ := strconv.Unquote(e.Value)
			return s
		}
	case *ast.BinaryExpr:
		if l, r := literal(e.X), literal(e.Y); e.Op == token.ADD && l != "" && r != "" {
			return l + r
		}
	}
	return ""
}

func entries(t *testing.T, name string) map[string]catalogue.Entry {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	all, err := catalogue.Parse(string(b))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	out := map[string]catalogue.Entry{}
	for _, e := range all {
		if _, twice := out[e.ID]; twice {
			t.Errorf("%s:%d: %q is there twice", name, e.Line, e.ID)
		}
		out[e.ID] = e
	}
	return out
}

// forms is how many plural forms a language has.
var forms = map[string]int{"de": 2, "ru": 3}

func TestEveryTextIsInEveryCatalogue(t *testing.T) {
	all := said(t)
	for _, language := range catalogue.Languages {
		have := entries(t, language+".po")
		for _, x := range all {
			e, ok := have[x.id]
			switch {
			case !ok:
				t.Errorf("%s: %s: %q is missing", language, x.where, x.id)
				if *list {
					fmt.Printf("msgid %q\n", x.id)
					if x.plural != "" {
						fmt.Printf("msgid_plural %q\n", x.plural)
					}
					fmt.Println()
				}
			case x.plural != "" && len(e.Plural) != forms[language]:
				t.Errorf("%s:%d: %q has %d plural forms, not %d", language, e.Line, x.id, len(e.Plural), forms[language])
			case x.plural == "" && e.Text == "":
				t.Errorf("%s:%d: %q is not translated", language, e.Line, x.id)
			case x.plural != "" && e.IDPlural != x.plural:
				t.Errorf("%s:%d: the plural of %q is %q", language, e.Line, x.id, x.plural)
			}
		}
		for id, e := range have {
			if _, ok := all[id]; !ok {
				t.Errorf("%s:%d: nobody says %q any more", language, e.Line, id)
			}
		}
	}
}

var verb = regexp.MustCompile(`%(\[(\d+)\])?[a-z]`)

// verbs returns the placeholders of a text in the order of their arguments.
func verbs(s string) []string {
	var out []string
	s = strings.ReplaceAll(s, "%%", "")
	next := 1
	for _, m := range verb.FindAllStringSubmatch(s, -1) {
		if m[2] != "" {
			next, _ = strconv.Atoi(m[2])
		}
		out = append(out, fmt.Sprintf("%02d%s", next, m[0][len(m[0])-1:]))
		next++
	}
	slices.Sort(out)
	return out
}

func TestPlaceholdersMatch(t *testing.T) {
	for _, language := range catalogue.Languages {
		for _, name := range []string{language + ".po", language + "-node.po"} {
			for _, e := range entries(t, name) {
				for _, s := range append(slices.Clone(e.Plural), e.Text) {
					if s == "" {
						continue
					}
					want := verbs(e.ID)
					if e.IDPlural != "" {
						want = verbs(e.IDPlural)
					}
					if got := verbs(s); !slices.Equal(got, want) && !(e.IDPlural != "" && len(got) == 0) {
						t.Errorf("%s:%d: %q has the placeholders %v, %q has %v", name, e.Line, s, got, e.ID, want)
					}
					if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 }) {
						t.Errorf("%s:%d: a control character", name, e.Line)
					}
				}
			}
		}
	}
}

func TestPlurals(t *testing.T) {
	ru := catalogue.New("ru_RU.UTF-8")
	for n, want := range map[int]string{1: "1 час", 2: "2 часа", 5: "5 часов", 11: "11 часов", 21: "21 час", 24: "24 часа", 112: "112 часов"} {
		if got := ru.Count(n, "%d hour", "%d hours"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	de := catalogue.New("de-AT")
	if got := de.Count(2, "%d hour", "%d hours"); got != "2 Stunden" {
		t.Errorf("%q", got)
	}
	var en *catalogue.Catalogue
	if got := en.Count(1, "%d hour", "%d hours") + en.Count(0, "%d hour", "%d hours"); got != "1 hour0 hours" {
		t.Errorf("%q", got)
	}
}

func TestLanguageOfTheEnvironment(t *testing.T) {
	for _, c := range []struct{ all, messages, lang, want string }{
		{"", "", "de_DE.UTF-8", "de"}, {"", "ru_RU", "de_DE", "ru"}, {"C", "ru_RU", "de_DE", "en"},
		{"", "", "", "en"}, {"", "", "fr_FR.UTF-8", "en"}, {"", "", "DE", "de"},
	} {
		t.Setenv("LC_ALL", c.all)
		t.Setenv("LC_MESSAGES", c.messages)
		t.Setenv("LANG", c.lang)
		if got := catalogue.New("").Language(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestTextsOfTheNode(t *testing.T) {
	de := catalogue.New("de")
	for english, want := range map[string]string{
		"knows 3 relays, a route needs 5":                                       "kennt 3 Relays, ein Weg braucht 5",
		"the message is longer than 32 KiB":                                     "die Nachricht ist länger als 32 KiB",
		"You offered that new messages disappear 2 hours after they were read.": "Du hast vorgeschlagen, dass neue Nachrichten 2 Stunden nach dem Lesen verschwinden.",
		"something 100% new":                                                    "something 100% new",
		"never heard of":                                                        "never heard of",
	} {
		if got := de.Text(english); got != want {
			t.Errorf("%q: %q", english, got)
		}
	}
}

func TestTime(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 5, 0, 0, time.UTC)
	for language, want := range map[string]string{"en": "Monday 2 March, 09:05", "de": "Montag, 2. März, 09:05 Uhr", "ru": "понедельник, 2 марта, 09:05"} {
		if got := catalogue.New(language).Time(at, "Monday 2 January, 15:04"); got != want {
			t.Errorf("%s: %q, want %q", language, got, want)
		}
	}
	if got := catalogue.New("de").Time(at.Add(-24*time.Hour), "Mon"); got != "So" {
		t.Errorf("a Sunday is %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("msgid \"a\"\nmsgstr \"b\"\n\"c\"\n# x\nmsgid \"%d d\"\nmsgid_plural \"%d ds\"\nmsgstr[0] \"e\"\nmsgstr[1] \"f\"")
	f.Fuzz(func(t *testing.T, s string) {
		all, err := catalogue.Parse(s)
		if err != nil {
			return
		}
		for _, e := range all {
			if e.ID == "" {
				t.Error("an entry without a text")
			}
		}
	})
}

func TestSentence(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		"there is no such contact":   "There is no such contact",
		"über den Knoten":            "Über den Knoten",
		"нет такого контакта":        "Нет такого контакта",
		"Already one":                "Already one",
		"/tmp/x cannot be read":      "/tmp/x cannot be read",
		"starling room leave ROOM":   "starling room leave ROOM",
		"socks5://127.0.0.1:9050 …":  "socks5://127.0.0.1:9050 …",
		"r0 is its first relay":      "r0 is its first relay",
		"profile.db is of a newer …": "profile.db is of a newer …",
		"starlings are birds":        "Starlings are birds",
		"\xff is no letter":          "\xff is no letter",
		"дневник":                    "Дневник",
	} {
		if got := catalogue.Sentence(text); got != want {
			t.Errorf("Sentence(%q) = %q, not %q", text, got, want)
		}
	}
}
