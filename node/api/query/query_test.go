package query

import (
	"strings"
	"testing"
	"time"

	"starling/node/api"
)

var zone = time.FixedZone("here", 2*3600)

// noon is a Sunday.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, zone)

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, zone) }

func TestParse(t *testing.T) {
	for text, want := range map[string]api.SearchRequest{
		"":                                  {},
		"two words":                         {Words: "two words"},
		"from:Bob invoice":                  {Words: "invoice", From: "Bob"},
		`invoice from:"Bob Smith" due`:      {Words: "invoice due", From: "Bob Smith"},
		"FROM:Me kind:Picture":              {From: "me", Kind: api.KindPicture},
		"von:ich art:bild":                  {From: "me", Kind: api.KindPicture},
		"от:меня вид:файл":                  {From: "me", Kind: api.KindFile},
		"in:Bob kind:link x":                {Words: "x", Contact: "Bob", Kind: api.KindLink},
		"on:2026-11-21":                     {Since: day(2026, 11, 21), Until: day(2026, 11, 22)},
		"on:21.11.2026":                     {Since: day(2026, 11, 21), Until: day(2026, 11, 22)},
		"am:gestern":                        {Since: day(2026, 11, 21), Until: day(2026, 11, 22)},
		"дата:сегодня":                      {Since: day(2026, 11, 22), Until: day(2026, 11, 23)},
		"on:2026-02":                        {Since: day(2026, 2, 1), Until: day(2026, 3, 1)},
		"on:2025":                           {Since: day(2025, 1, 1), Until: day(2026, 1, 1)},
		"before:2026-11-01":                 {Until: day(2026, 11, 1)},
		"after:2026-11-01":                  {Since: day(2026, 11, 2)},
		"after:2025-12 before:2026-2-3":     {Since: day(2026, 1, 1), Until: day(2026, 2, 3)},
		"on:2026-11 after:2026-11-10":       {Since: day(2026, 11, 11), Until: day(2026, 12, 1)},
		"after:7d":                          {Since: noon.Add(-7 * 24 * time.Hour)},
		"before:2h":                         {Until: noon.Add(-2 * time.Hour)},
		`"from:x" http://a note:b 10:30 :)`: {Words: "from:x http://a note:b 10:30 :)"},
		`say "two words" x"y`:               {Words: `say two words x"y`},
	} {
		got, err := Parse(text, noon)
		got.Words, want.Words = strings.Join(strings.Fields(got.Words), " "), strings.Join(strings.Fields(want.Words), " ")
		if err != nil || got.Words != want.Words || got.From != want.From || got.Contact != want.Contact || got.Kind != want.Kind || !got.Since.Equal(want.Since) || !got.Until.Equal(want.Until) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestFaultsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"before:": "no value", "from:\"\"": "no value", "from:a from:b": "twice", "from:a von:b": "twice",
		"before:tomorrow": "the date of before:", "after:2026-13-01": "the date of after:", "on:2026-02-30": "the date of on:", "on:30.02.2026": "the date of on:",
		"on:7d": "the date of on:", "on:0": "the date of on:", "on:20261122": "the date of on:", "on:22/11/2026": "the date of on:", "on:99999": "the date of on:",
		"before:-1": "the date of before:", "before:0001-01-01": "the date of before:", "kind:song": "no such kind", `from:"Bob`: "no end",
		"after:" + strings.Repeat("9", 500): "the date of after:",
	} {
		_, err := Parse(text, noon)
		if api.CodeOf(err) != api.CodeUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A day is as long as it is at the place of the person.
func TestDayOfTheClockChange(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	from, to, err := ParseDate("2026-10-25", noon.In(berlin))
	if err != nil || to.Sub(from) != 25*time.Hour {
		t.Errorf("%v to %v, %v", from, to, err)
	}
}

func TestQuoted(t *testing.T) {
	for arg, want := range map[string]string{
		"from:Bob Smith": `from:"Bob Smith"`, "from:Bob": "from:Bob", "two words": "two words", "x:a b": "x:a b", `from:"a b"`: `from:"a b"`,
	} {
		if got := Quoted(arg); got != want {
			t.Errorf("%s: %s", arg, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`from:"a b" on:2026-11 x`, "kind:bild vor:7d", `"from:x`, "в:я", "on:2.1.2006"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if from, to, err := ParseDate(s, noon); err == nil && to.Before(from) {
			t.Errorf("%q ends before it begins", s)
		}
		_, _ = ParseKind(s)
		req, err := Parse(s, noon)
		if err == nil && len(req.Words) > len(s) {
			t.Errorf("%q grew to %q", s, req.Words)
		}
		if err == nil && !req.Since.IsZero() && (req.Since.Year() < firstYear-200 || req.Since.Year() > lastYear+1) {
			t.Errorf("%q is since %v", s, req.Since)
		}
	})
}
