package keymap

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	m, err := Parse(`
# swap them
send = "ctrl+j"      # was enter
newline = ["enter", "alt+enter"]
search.all = []
[messages]
"message.reply" = ['r', "a"]
conversation.archive = "w"
[list]
message.menu = "space"
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in   Place
		key  string
		want ID
	}{
		{Composer, "ctrl+j", Send}, {Composer, "enter", Newline}, {Composer, "ctrl+s", ""},
		{Messages, "a", Reply}, {Messages, "r", Reply}, {Messages, "w", Archive},
		{List, "a", Archive}, {List, "space", Menu}, {Messages, "space", Menu}, {List, "/", ""},
	} {
		if got, _ := m.Lookup(c.in, c.key); got != c.want {
			t.Errorf("%q in %d is %q, want %q", c.key, c.in, got, c.want)
		}
	}
}

func TestParseNamesTheLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"\nfrobnicate = \"x\"", "line 2: there is no action"},
		{"[composers]", "line 1: the sections are"},
		{"send", "line 1: an action"},
		{"send = ctrl+j", "line 1: a key in quotes"},
		{"send = \"ctrl+j", "line 1: a quote is missing"},
		{"send = [\"ctrl+j\" \"f1\"]", "line 1: a comma"},
		{"send = \"ctrl+j\" now", "line 1: \"now\" is not expected"},
		{"send = \"hyper+j\"", "line 1: \"hyper+j\" is no key"},
		{"send = \"s\"", "line 1: \"s\" must stay a letter"},
		{"# one\n\nlock = \"ctrl+k\"", "line 3: key \"ctrl+k\": both"},
		{"palette = []", "palette must have a key"},
		{strings.Repeat("#", MaxConfig+1), "more than"},
	} {
		if _, err := Parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want %q", c.text, err, c.want)
		}
	}
}

func TestParseOfNothingIsTheDefault(t *testing.T) {
	m, err := Parse("")
	if err != nil || len(m.All()) != len(table) {
		t.Errorf("%v, %d actions", err, len(m.All()))
	}
}

func FuzzParse(f *testing.F) {
	f.Add("send = \"ctrl+j\"\nnewline = [\"enter\"]\n[list]\nopen = []")
	f.Add("[messages]\nmessage.reply = ['r', \"a\"] # c")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse(text)
		if err != nil {
			return
		}
		for _, a := range m.All() {
			for _, k := range a.Keys {
				if a.In&Composer != 0 && len([]rune(k)) == 1 {
					t.Errorf("%s: %q cannot be typed any more", a.ID, k)
				}
			}
		}
		if m.Key(Composer, Send) == "" {
			t.Error("nothing can be sent")
		}
	})
}
