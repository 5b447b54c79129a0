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
