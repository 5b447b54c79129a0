package mention_test

import (
	"fmt"
	"strings"
	"testing"

	"starling/node/api/mention"
)

var members = []mention.Member{
	{"a1b2c3", "alice"}, {"b2c3d4", "Anna"}, {"c3d4e5", "Anna Maria"}, {"d4e5f6", "bob"}, {"d4e5a7", "Bob"}, {"e5f6a7", "李明"}, {"f6a7b8", "O'Neil"},
}

func TestFind(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"nobody":                      "",
		"@alice":                      "@alice:a1b2c3",
		"hi @Alice, and @ANNA.":       "@Alice:a1b2c3 @ANNA:b2c3d4",
		"mail@alice.example":          "",
		"@alicexx @alice2 @alice_":    "",
		"@anna maria, @anna mariam":   "@anna maria:c3d4e5 @anna:b2c3d4",
		"@bob":                        "@bob:d4e5f6+d4e5a7",
		"@bob#d4e5a7!":                "@bob#d4e5a7:d4e5a7",
		"@bob#d4e":                    "@bob:d4e5f6+d4e5a7",
		"@bob#ffff":                   "@bob:d4e5f6+d4e5a7",
		"@alice#a1b2":                 "@alice#a1b2:a1b2c3",
		"@李明 你好":                      "@李明:e5f6a7",
		"(@o'neil)":                   "@o'neil:f6a7b8",
		"@@alice":                     "@alice:a1b2c3",
		"@alice@bob":                  "@alice:a1b2c3",
		"bad \xff@alice\xff":          "@alice:a1b2c3",
		strings.Repeat("@alice ", 99): strings.TrimSpace(strings.Repeat("@alice:a1b2c3 ", mention.Most)),
	} {
		var got []string
		for _, s := range mention.Find(text, members) {
			got = append(got, text[s.From:s.To]+":"+strings.Join(s.Members, "+"))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q names %q, not %q", text, strings.Join(got, " "), want)
		}
	}
}

// What is written is read as the one that it was written for.
func TestWrite(t *testing.T) {
	all := append([]mention.Member{{"d4e5f7", "BOB"}, {"99", "bob"}}, members...)
	for i := range 32 {
		all = append(all, mention.Member{ID: fmt.Sprintf("%032x", i), Name: "crowd"})
	}
	for _, m := range all {
		found := mention.Find("so, "+mention.Write(m, all)+" says", all)
		if len(m.ID) < 4 {
			continue // no node has such an ID
		}
		if len(found) != 1 || len(found[0].Members) != 1 || found[0].Members[0] != m.ID {
			t.Errorf("%q is read as %v, not %s", mention.Write(m, all), found, m.ID)
		}
	}
	if got := mention.Write(members[0], members); got != "@alice" {
		t.Errorf("%q", got)
	}
	if mention.Names("hi @alice", "b2c3d4", members) || !mention.Names("hi @alice", "a1b2c3", members) {
		t.Error("the wrong one is named")
	}
}

func FuzzFind(f *testing.F) {
	f.Add("hi @alice#a1b2", "alice", "a1b2c3")
	f.Add("@\xff@", "\xff", "")
	f.Fuzz(func(t *testing.T, text, name, id string) {
		last := 0
		for _, s := range mention.Find(text, append(members, mention.Member{ID: id, Name: name})) {
			if s.From < last || s.To <= s.From || s.To > len(text) || len(s.Members) == 0 {
				t.Fatalf("%+v of %q", s, text)
			}
			last = s.To
		}
	})
}
