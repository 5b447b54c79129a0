package client

import (
	"testing"
	"time"

	"starling/p2p/directory"
	"starling/p2p/mailbox"
)

// TestOthers: a relay that lists relays unknown to us, or far more or fewer, lists
// others; one that names relays which are none, or another part, does not.
func TestOthers(t *testing.T) {
	later := time.Now().Add(2 * farSettled)
	c, _ := knowing(t, 12)
	strangers, _ := knowing(t, 12)
	mine := c.dir.Snapshot()
	entries := func(from *Client, n int) (all []mailbox.ListEntry) {
		for _, raw := range from.dir.Raw(n) {
			all = append(all, mailbox.ListEntry{Descriptor: raw})
		}
		return all
	}
	// All that begin with one byte: that of the first entry.
	under := func(e []mailbox.ListEntry) (same []mailbox.ListEntry, first byte) {
		for _, it := range e {
			d, err := directory.Parse(it.Descriptor)
			if err != nil {
				t.Fatal(err)
			}
			if len(same) == 0 {
				first = d.ID[0]
			}
			if d.ID[0] == first {
				same = append(same, it)
			}
		}
		return same, first
	}
	ours, of := under(entries(c, 12))
	theirs, ot := under(entries(strangers, 12))
	for name, tt := range map[string]struct {
		list  mailbox.List
		first byte
		now   time.Time
		want  bool
	}{
		"ours":                {mailbox.List{Relays: 12, Entries: ours}, of, later, false},
		"nothing of the part": {mailbox.List{Relays: 12}, of, later, false},
		"strangers":           {mailbox.List{Relays: 12, Entries: theirs}, ot, later, true},
		"new ones":            {mailbox.List{Relays: 12, Entries: theirs}, ot, time.Now(), false},
		"another part":        {mailbox.List{Relays: 12, Entries: theirs}, ot + 1, later, false},
		"nonsense":            {mailbox.List{Relays: 12, Entries: []mailbox.ListEntry{{Descriptor: []byte("x")}}}, ot, later, false},
		"many more":           {mailbox.List{Relays: 25, Entries: ours}, of, later, true},
		"far fewer":           {mailbox.List{Relays: 5, Entries: ours}, of, later, true},
	} {
		if got := others(mine, &tt.list, tt.first, tt.now); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestFarTurns: in the dark questions come ever less often, up to half an hour apart, and
// once a mailbox has answered, the next darkness begins as the first did. One in the light
// comes about once a day.
func TestFarTurns(t *testing.T) {
	const day, first = 24 * time.Hour, 30 * time.Second
	now := time.Unix(1_800_000_000, 0)
	var answer time.Time
	f := farTurns{every: day, first: first, wait: first, daily: now.Add(day)}

	// ask waits for the next question and returns how long that took.
	ask := func(dark bool) time.Duration {
		was := now
		for !f.due(now, answer, dark) {
			next := f.next(dark)
			if !next.After(now) {
				t.Fatal("it is due, and is not")
			}
			now = next
		}
		f.asked(now, false)
		return now.Sub(was)
	}
	between := func(took, least, most time.Duration) {
		t.Helper()
		if took < least || took > most {
			t.Errorf("asked after %v, between %v and %v is due", took, least, most)
		}
	}

	between(ask(true), 0, 0) // at once
	for wait := 2 * first; wait < darkMost; wait *= 2 {
		between(ask(true), wait/2, 2*wait)
	}
	for range 5 {
		between(ask(true), darkMost/2, 2*darkMost)
	}

	// Another darkness, after an answer.
	answer = now.Add(time.Minute)
	now = now.Add(2 * time.Minute)
	if f.due(now, answer, false) {
		t.Error("asked in the light")
	}
	between(ask(true), 0, 0)
	between(ask(true), first, 4*first)

	// Answers between two looks do not make it ask more often than at first.
	for range 5 {
		answer = now.Add(time.Millisecond)
		between(ask(true), first/2, 2*first)
	}
	between(ask(false), day/2, 2*day)
}
