package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
)

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "",
		" \n ":                 "",
		"Hello, World!":        "hello world",
		"Don't e-mail":         "don t e mail",
		"Ärger naïve ÉTÉ":      "arger naive ete",
		"e\u0301te\u0301":      "ete",
		"Straße STRASSE":       "strasse strasse",
		"İstanbul ısı":         "istanbul isi",
		"Ёлка, йод":            "елка иод",
		"ΆΛΦΑ ὀδός":            "αλφα οδοσ",
		"שָׁלוֹם":              "שלום",
		"مَرْحَبًا":            "مرحبا",
		"हिन्दी में":           "हिन्दी में",
		"明天见":                  "明 天 见",
		"ab明天cd":               "ab 明 天 cd",
		"がぎ":                   "か\u3099 き\u3099",
		"ที่นี่":               "ท\u0e35 น\u0e35",
		"ﬁne ① ²":              "fine 1 2",
		"👍ok👩‍👩‍👧":             "👍 ok 👩 👩 👧",
		"a\x00b\u202ec\u200dd": "a bcd",
	} {
		if got := words(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func say(t testing.TB, s *Store, c Contact, text string) Message {
	t.Helper()
	m := Message{ID: NewID(), Contact: c.ID, Text: text, Time: now, State: api.StateReceived}
	update(t, s, func(tx *Tx) (err error) { m.Seq, err = tx.AddMessage(m, now); return err })
	return m
}

func found(t testing.TB, s *Store, text string, contact ID) (texts []string) {
	t.Helper()
	for _, m := range view(t, s, func(tx *Tx) ([]Message, error) { return tx.Search(text, contact, math.MaxInt64, 100) }) {
		texts = append(texts, m.Text)
	}
	return texts
}

func TestSearch(t *testing.T) {
	s := open(t, newProfile(t))
	bob, eve := addContact(t, s, "Bob", nil), addContact(t, s, "Eve", nil)
	first := say(t, s, bob, "The café is open")
	second := say(t, s, bob, "see you tomorrow at the CAFE, or 明天见")
	say(t, s, eve, "tomorrow never dies")
	update(t, s, func(tx *Tx) error { return tx.AddNotice(Message{ID: NewID(), Contact: bob.ID, Text: "tomorrow"}, now) })
	check := func(text string, contact ID, want ...string) {
		t.Helper()
		if got := found(t, s, text, contact); !slices.Equal(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
	check("cafe", ID{}, second.Text, first.Text)
	check("CAFÉ the", ID{}, second.Text, first.Text)
	check("is caf", ID{}, first.Text)
	check("tom", ID{}, "tomorrow never dies", second.Text)
	check("tom", bob.ID, second.Text)
	check("天见", ID{}, second.Text)
	check("天明", ID{})
	check("caf the", ID{}) // only the last word is a beginning
	check("tomorrow nothing", ID{})
	check(`" OR NOT text : * ^ ( `, ID{})
	check("!!", ID{})
	if page := view(t, s, func(tx *Tx) ([]Message, error) { return tx.Search("cafe", ID{}, second.Seq, 1) }); len(page) != 1 || page[0].ID != first.ID {
		t.Errorf("page %v", page)
	}

	update(t, s, func(tx *Tx) error { return tx.SetText(first, "The pub is open", now, 1, now) })
	check("cafe", ID{}, second.Text)
	check("pub", ID{}, "The pub is open")
	update(t, s, func(tx *Tx) error { return tx.TakeBack(second, now) })
	check("cafe", ID{})
	update(t, s, func(tx *Tx) error { return tx.Erase(first, now) })
	check("pub", ID{})
	update(t, s, func(tx *Tx) error { return tx.RemoveContact(eve.ID) })
	check("tomorrow", ID{})
	if err := s.conn.Exec(`INSERT INTO search(search) VALUES('integrity-check')`); err != nil {
		t.Error(err)
	}
	if n := view(t, s, func(tx *Tx) (int64, error) { return tx.number(`SELECT count(*) FROM search`) }); n != 0 {
		t.Errorf("%d rows left in the index", n)
	}
}

// A word is gone from disk with the last message that has it.
func TestSearchForgets(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	bob := addContact(t, s, "Bob", nil)
	m, kept := say(t, s, bob, "xylophonecanary and more"), say(t, s, bob, "zebracanary")
	s.Checkpoint()
	for _, word := range []string{"xylophonecanary", "zebracanary"} {
		if !pagesContain(t, p, s, word) {
			t.Fatal("the test cannot see what is there")
		}
	}
	update(t, s, func(tx *Tx) error { return tx.Erase(m, now) })
	s.Checkpoint()
	for _, part := range []string{"xylophonecanary", "ylophonecanar"} {
		if pagesContain(t, p, s, part) {
			t.Errorf("%q is still in the database file", part)
		}
	}
	if got := found(t, s, "zebra", ID{}); len(got) != 1 || got[0] != kept.Text {
		t.Errorf("found %q", got)
	}
}

// An index that was made of other words is made anew.
func TestSearchIsRenewed(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	say(t, s, addContact(t, s, "Bob", nil), "Äpfel")
	update(t, s, func(tx *Tx) error {
		for _, sql := range []string{
			`INSERT INTO search(search) VALUES('delete-all')`,
			`INSERT INTO search(rowid, text, contact) VALUES(1, 'other words', '')`,
			`UPDATE meta SET value = CAST('0' AS BLOB) WHERE key = 'search'`,
		} {
			if err := tx.exec(sql); err != nil {
				return err
			}
		}
		return nil
	})
	s.Close()
	s = open(t, p)
	if got := found(t, s, "apfel", ID{}); len(got) != 1 {
		t.Errorf("found %q", got)
	}
	if got := found(t, s, "other", ID{}); len(got) != 0 {
		t.Errorf("found %q", got)
	}
}

// FuzzQuery looks for a query that fails: none may.
func FuzzQuery(f *testing.F) {
	s := open(f, newProfile(f))
	say(f, s, addContact(f, s, "Bob", nil), "hello 明天")
	for _, q := range []string{"hello", `"`, "a* OR b", "明天", "NEAR(a b)", "\x00", "- ^ : { }", "👍\ufe0f"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		if len(q) <= MaxWords {
			view(t, s, func(tx *Tx) ([]Message, error) { return tx.Search(q, ID{}, math.MaxInt64, 10) })
		}
	})
}

// drawText makes a text of twelve words with the falling frequencies of a language.
func drawText(rng *rand.Rand, zipf *rand.Zipf) string {
	var b strings.Builder
	for range 4 + rng.IntN(16) {
		fmt.Fprintf(&b, "%s ", wordOf(zipf.Uint64()))
	}
	return b.String()
}

func wordOf(n uint64) string {
	const letters = "etaoinshrdlucmfwypvbgkjqxz"
	var b []byte
	for n += 3; n > 0; n /= 26 {
		b = append(b, letters[n%26])
	}
	return string(b)
}

// Search among 100,000 messages of 20 conversations.
func BenchmarkSearch(b *testing.B) {
	s, err := Open(newProfile(b), secret, Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var contacts []Contact
	for i := range 20 {
		contacts = append(contacts, addContact(b, s, fmt.Sprint(i), nil))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(rng, 1.1, 2, 50_000)
	const all = 100_000
	for range all / 1000 {
		update(b, s, func(tx *Tx) error {
			for range 1000 {
				m := Message{ID: NewID(), Contact: contacts[rng.IntN(20)].ID, Text: drawText(rng, zipf), Time: now, State: api.StateReceived}
				if _, err := tx.AddMessage(m, now); err != nil {
					return err
				}
			}
			return nil
		})
	}
	b.Logf("%d messages: %v s", all, b.Elapsed().Seconds())
	common, rare := wordOf(0), wordOf(40_000)
	for name, q := range map[string]struct {
		text    string
		contact ID
		limit   int
	}{
		"one letter":         {"e", ID{}, 50},
		"common word":        {common, ID{}, 50},
		"rare word":          {rare, ID{}, 50},
		"two words":          {common + " " + wordOf(3), ID{}, 50},
		"of a contact":       {common, contacts[3].ID, 50},
		"common and rare":    {common + " " + rare, ID{}, 50},
		"common word, 1,000": {common, ID{}, 1000},
		"three letters":      {rare[:3], contacts[3].ID, 50},
	} {
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = len(view(b, s, func(tx *Tx) ([]Message, error) { return tx.Search(q.text, q.contact, math.MaxInt64, q.limit) }))
			}
			b.ReportMetric(float64(n), "found")
		})
	}
	b.Run("open conversation", func(b *testing.B) {
		for b.Loop() {
			view(b, s, func(tx *Tx) ([]Message, error) { return tx.History(contacts[0].ID, math.MaxInt64, 100) })
		}
	})
	b.Run("add", func(b *testing.B) {
		for b.Loop() {
			m := Message{ID: NewID(), Contact: contacts[0].ID, Text: drawText(rng, zipf), Time: now, State: api.StateReceived}
			update(b, s, func(tx *Tx) error { _, err := tx.AddMessage(m, now); return err })
		}
	})
}

// at stores a message of a day of November 2026.
func at(t testing.TB, s *Store, day int, m Message) Message {
	t.Helper()
	m.ID, m.Time = NewID(), time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC)
	if m.State = api.StateReceived; m.Outgoing {
		m.State = api.StateQueued
	}
	update(t, s, func(tx *Tx) (err error) { m.Seq, err = tx.AddMessage(m, now); return err })
	return m
}

func TestFind(t *testing.T) {
	s := open(t, newProfile(t))
	bob, eve := addContact(t, s, "Bob", nil), addContact(t, s, "Eve", nil)
	at(t, s, 1, Message{Contact: bob.ID, Text: "one of bob"})
	at(t, s, 2, Message{Contact: bob.ID, Text: "two of ours", Outgoing: true})
	at(t, s, 3, Message{Contact: bob.ID, Text: "three", Picture: "image/png", Size: 1, Data: []byte{1}})
	at(t, s, 4, Message{Contact: eve.ID, Text: "four: see HTTPS://a.example/100% of it"})
	gone := at(t, s, 5, Message{Contact: eve.ID, Text: "five"})
	update(t, s, func(tx *Tx) error { return tx.TakeBack(gone, now) })
	update(t, s, func(tx *Tx) error {
		return tx.AddNotice(Message{ID: NewID(), Contact: bob.ID, Text: "six of nobody"}, now)
	})

	day := func(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC) }
	for name, c := range map[string]struct {
		f    Filter
		want []string
	}{
		"all":            {Filter{}, []string{"four", "three", "two", "one"}},
		"ours":           {Filter{Side: Ours}, []string{"two"}},
		"of bob":         {Filter{Side: Theirs, Contact: bob.ID}, []string{"three", "one"}},
		"since":          {Filter{Since: day(3)}, []string{"four", "three"}},
		"until":          {Filter{Until: day(3)}, []string{"two", "one"}},
		"a day":          {Filter{Since: day(2), Until: day(3)}, []string{"two"}},
		"no time":        {Filter{Since: day(3), Until: day(2)}, nil},
		"pictures":       {Filter{Kind: api.KindPicture}, []string{"three"}},
		"texts of eve":   {Filter{Kind: api.KindText, Contact: eve.ID}, []string{"four"}},
		"links":          {Filter{Kind: api.KindLink}, []string{"four"}},
		"words":          {Filter{Words: "of", Since: day(2)}, []string{"four", "two"}},
		"words of bob":   {Filter{Words: "of", Side: Theirs, Contact: bob.ID}, []string{"one"}},
		"nothing":        {Filter{Words: "!", Side: Ours}, nil},
		"words that are": {Filter{Words: "seven", Side: Ours}, nil},
	} {
		var got []string
		found := view(t, s, func(tx *Tx) ([]Message, error) {
			found, next, err := tx.Find(c.f, math.MaxInt64, 100)
			if next != 0 {
				t.Errorf("%s goes on before %d", name, next)
			}
			return found, err
		})
		for _, m := range found {
			word, _, _ := strings.Cut(m.Text, " ")
			got = append(got, strings.TrimSuffix(word, ":"))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	page := view(t, s, func(tx *Tx) (next int64, err error) {
		_, next, err = tx.Find(Filter{}, math.MaxInt64, 2)
		return next, err
	})
	rest := view(t, s, func(tx *Tx) ([]Message, error) { m, _, err := tx.Find(Filter{}, page, 2); return m, err })
	if len(rest) != 2 || !strings.HasPrefix(rest[0].Text, "two") {
		t.Errorf("the next page is %v", rest)
	}
}

// A find that looks far back does so in stretches, and comes to an end.
func TestFindIsBounded(t *testing.T) {
	s := open(t, newProfile(t))
	bob := addContact(t, s, "Bob", nil)
	first := at(t, s, 1, Message{Contact: bob.ID, Text: "the only one", Outgoing: true})
	update(t, s, func(tx *Tx) error {
		return tx.exec(`UPDATE sqlite_sequence SET seq = seq + ?`, 3*Stretch)
	})
	last := at(t, s, 2, Message{Contact: bob.ID, Text: "far away"})
	if last.Seq < 3*Stretch {
		t.Skip("sequence numbers cannot be skipped here")
	}
	calls := 0
	var found []Message
	for next := int64(math.MaxInt64); next > 0; calls++ {
		found = append(found, view(t, s, func(tx *Tx) (m []Message, err error) {
			m, next, err = tx.Find(Filter{Side: Ours}, next, 10)
			return m, err
		})...)
	}
	if calls < 4 || calls > 5 || len(found) != 1 || found[0].ID != first.ID {
		t.Errorf("%d calls found %v", calls, found)
	}
}
