package mailboxtest

import (
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"starling/p2p/mailbox"
)

// Log returns the name of a log that depends on n.
func Log(n int) mailbox.LogName { return mailbox.LogName(Tag(n)) }

// RandomEntry returns an entry that nobody has signed: a store does not look.
func RandomEntry(tag mailbox.Tag) *mailbox.Entry {
	e := &mailbox.Entry{Tag: tag, Box: *RandomBox()}
	rand.Read(e.Signature[:])
	return e
}

// add appends to a log that nobody follows, and wants to be told a position.
func add(t *testing.T, s mailbox.Store, log, position int, e *mailbox.Entry, now time.Time) mailbox.LogEntry {
	t.Helper()
	at, fresh, err := s.Append(t.Context(), Log(log), e, now, false)
	if err != nil || !fresh || int(at.Position) != position || at.Name != Log(log) || at.Entry != *e {
		t.Fatalf("Append: position %d, fresh %v, want %d: %v", at.Position, fresh, position, err)
	}
	return at
}

// read returns the positions of the entries of a log.
func read(t *testing.T, s mailbox.Store, log int, after uint32, most int) (positions []int, left int) {
	t.Helper()
	found, left, err := s.Read(t.Context(), []mailbox.LogPosition{{Name: Log(log), After: after}}, most, start)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	for _, e := range found {
		positions = append(positions, int(e.Position))
	}
	return positions, left
}

func endOf(t *testing.T, s mailbox.Store, log int) mailbox.LogEnd {
	t.Helper()
	ends, err := s.End(t.Context(), []mailbox.LogName{Log(log)}, start)
	if err != nil || len(ends) != 1 || ends[0].Name != Log(log) {
		t.Fatalf("End: %+v, %v", ends, err)
	}
	return ends[0]
}

func wantEntries(t *testing.T, s mailbox.Store, logs, entries int) {
	t.Helper()
	if got := s.Counts(); got.Logs != logs || got.Entries != entries || got.Boxes != 0 {
		t.Fatalf("store counts %+v, want %d entries in %d logs", got, entries, logs)
	}
}

func testLog(t *testing.T, s mailbox.Store) {
	if end := endOf(t, s, 1); end.Instance != 0 || end.Count != 0 || end.Digest != new(mailbox.LogSet).Digest() {
		t.Fatalf("a log that is not there ends at %+v", end)
	}
	var first mailbox.LogEntry
	all := make([]*mailbox.Entry, 12)
	for i := range all {
		all[i] = RandomEntry(Tag(i))
		at := add(t, s, 1, i+1, all[i], start)
		if i == 0 {
			first = at
		}
		if at.Instance != first.Instance || at.Instance == 0 {
			t.Fatalf("entry %d has instance %d, the first %d", i, at.Instance, first.Instance)
		}
	}
	add(t, s, 2, 1, all[0], start) // another log, another place
	wantEntries(t, s, 2, 13)

	if got, left := read(t, s, 1, 3, 5); !slices.Equal(got, []int{4, 5, 6, 7, 8}) || left != 4 {
		t.Errorf("after 3: %v and %d more", got, left)
	}
	if got, left := read(t, s, 1, mailbox.Newest, 3); !slices.Equal(got, []int{12, 11, 10}) || left != 0 {
		t.Errorf("the newest: %v and %d more", got, left)
	}
	if got, left := read(t, s, 1, 12, 5); len(got) != 0 || left != 0 {
		t.Errorf("after the last: %v and %d more", got, left)
	}
	found, left, err := s.Read(t.Context(), []mailbox.LogPosition{{Name: Log(2)}, {Name: Log(3)}, {Name: Log(1), After: 10}}, 2, start)
	if err != nil || len(found) != 2 || found[0].Name != Log(2) || found[1].Position != 11 || found[1].Entry != *all[10] || left != 1 {
		t.Errorf("of three logs: %d entries, %d more: %v", len(found), left, err)
	}
}

func testLogTaken(t *testing.T, s mailbox.Store) {
	e := RandomEntry(Tag(1))
	at := add(t, s, 1, 1, e, start)
	again, fresh, err := s.Append(t.Context(), Log(1), e, start.Add(time.Hour), true)
	if err != nil || fresh || again != at {
		t.Errorf("the same again is at %d, fresh %v: %v", again.Position, fresh, err)
	}
	other := RandomEntry(Tag(1))
	_, fresh, err = s.Append(t.Context(), Log(1), other, start, true)
	if taken, ok := errors.AsType[*mailbox.TakenError](err); !ok || fresh || taken.Box != e.Box {
		t.Errorf("another box under the tag: %v", err)
	}
	if end := endOf(t, s, 1); end.Count != 1 || end.Last != 1 {
		t.Errorf("the log ends at %+v", end)
	}
}

// testLogDigest: two stores with the same entries in another order have one digest, and
// another one when a box differs.
func testLogDigest(t *testing.T, s mailbox.Store) {
	var set mailbox.LogSet
	all := make([]*mailbox.Entry, 20)
	for i := range all {
		all[i] = RandomEntry(Tag(i * 7919 % 20))
		set.Add(all[i].Tag, &all[i].Box)
		add(t, s, 1, i+1, all[i], start)
		add(t, s, 3, i+1, all[i], start)
	}
	set.Add(all[0].Tag, &all[0].Box)

	for i, e := range slices.Backward(all) {
		if i == 7 {
			e = RandomEntry(e.Tag)
		}
		add(t, s, 2, len(all)-i, e, start)
	}

	one, two, three := endOf(t, s, 1), endOf(t, s, 2), endOf(t, s, 3)
	if one.Digest != set.Digest() || one.Count != 20 || set.Len() != 20 {
		t.Error("the digest is not that of the entries")
	}
	if one.Digest != three.Digest || one.Instance == three.Instance {
		t.Error("the same entries have another digest, or two logs are one instance")
	}
	if one.Digest == two.Digest {
		t.Error("another box has the same digest")
	}
	add(t, s, 1, 21, RandomEntry(Tag(99)), start)
	if endOf(t, s, 1).Digest == one.Digest {
		t.Error("one more entry has the same digest")
	}
}

// expireAt removes entries, and wants so many to be left.
func expireAt(t *testing.T, s mailbox.Store, after time.Duration, entries int) {
	t.Helper()
	if _, err := s.Expire(t.Context(), start.Add(after)); err != nil {
		t.Fatal(err)
	}
	if got := s.Counts().Entries; got != entries {
		t.Fatalf("after %v there are %d entries, want %d", after, got, entries)
	}
}

const day = 24 * time.Hour

// testLogLife: an entry lives 14 days from when the same came last; 28 days after it came
// first nothing prolongs that. Then it is remembered, so that nobody puts it there again.
func testLogLife(t *testing.T, s mailbox.Store) {
	one, two := RandomEntry(Tag(1)), RandomEntry(Tag(2))
	add(t, s, 1, 1, one, start)
	add(t, s, 1, 2, two, start)
	again := func(e *mailbox.Entry, after time.Duration) error {
		_, fresh, err := s.Append(t.Context(), Log(1), e, start.Add(after), true)
		if fresh {
			t.Fatalf("after %v the same is new", after)
		}
		return err
	}
	for _, after := range []time.Duration{13 * day, 26 * day} {
		if err := again(one, after); err != nil {
			t.Fatal(err)
		}
	}
	expireAt(t, s, 14*day-2*time.Hour, 2)
	expireAt(t, s, 14*day+2*time.Hour, 1)
	if got, _ := read(t, s, 1, 0, 5); !slices.Equal(got, []int{1}) {
		t.Fatalf("there are %v", got)
	}

	if err := again(two, 15*day); !errors.Is(err, mailbox.ErrAcknowledged) {
		t.Errorf("an entry that has expired: %v", err)
	}
	if err := again(RandomEntry(Tag(2)), 15*day); !errors.Is(err, mailbox.ErrTaken) {
		t.Errorf("another in its place: %v", err)
	}
	if err := again(one, 29*day); err != nil {
		t.Fatal(err)
	}
	expireAt(t, s, 40*day-2*time.Hour, 1)
	expireAt(t, s, 40*day+2*time.Hour, 0) // the last that prolonged was of the 26th day
	if end := endOf(t, s, 1); end.Instance == 0 || end.Count != 0 || end.Last != 2 {
		t.Errorf("an empty log ends at %+v", end)
	}
	add(t, s, 1, 3, RandomEntry(Tag(3)), start.Add(41*day))
	expireAt(t, s, 120*day, 0)
	expireAt(t, s, 121*day, 0)
	wantEntries(t, s, 0, 0)
}

// testLogRate: 512 entries at once and four a second. Those that are there do not count.
func testLogRate(t *testing.T, s mailbox.Store) {
	fill := func(from, n int, now time.Time) (in int) {
		t.Helper()
		for i := range n {
			switch _, fresh, err := s.Append(t.Context(), Log(1), RandomEntry(Tag(from+i)), now, true); {
			case fresh && err == nil:
				in++
			case !errors.Is(err, mailbox.ErrFull):
				t.Fatalf("Append: %v", err)
			}
		}
		return in
	}

	if in := fill(0, 600, start); in != 512 {
		t.Errorf("%d at once", in)
	}
	if in := fill(1000, 100, start.Add(10*time.Second)); in != 40 {
		t.Errorf("%d in ten seconds", in)
	}

	e := RandomEntry(Tag(5000))
	if _, fresh, err := s.Append(t.Context(), Log(1), e, start.Add(time.Minute), true); !fresh || err != nil {
		t.Fatal(err)
	}
	for range 520 {
		if _, fresh, err := s.Append(t.Context(), Log(1), e, start.Add(time.Minute), true); fresh || err != nil {
			t.Fatalf("the same again: %v", err)
		}
	}
	if in := fill(6000, 10, start.Add(time.Minute)); in != 10 {
		t.Errorf("%d beside the same again", in)
	}
	if _, fresh, _ := s.Append(t.Context(), Log(2), e, start, true); !fresh {
		t.Error("another log has the same rate")
	}
}

// testLogRoom: of 40 boxes' room logs have ten entries. Logs that nobody follows make room
// first, then the one that holds most; none for itself, and none that is followed for one
// that is not.
func testLogRoom(t *testing.T, s mailbox.Store) {
	put := func(log, tag int, followed bool) error {
		_, _, err := s.Append(t.Context(), Log(log), RandomEntry(Tag(tag)), start, followed)
		return err
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	// Ten entries fill the store.
	for i := range 5 {
		must(put(1, i, true))
	}
	for i := range 3 {
		must(put(2, i, true))
	}
	for i := range 2 {
		must(put(3, i, false))
	}

	// A log that nobody follows goes first, and then the oldest entry of one that holds most.
	wantEntries(t, s, 3, 10)
	if err := put(3, 10, false); !errors.Is(err, mailbox.ErrFull) {
		t.Errorf("a log makes room for itself: %v", err)
	}
	must(put(2, 10, true)) // log 3 goes
	must(put(2, 11, true))
	wantEntries(t, s, 2, 10)
	if err := put(4, 0, false); !errors.Is(err, mailbox.ErrFull) {
		t.Errorf("a followed log makes room for one that nobody follows: %v", err)
	}
	must(put(4, 0, true)) // one of the two that hold most
	if one, two := endOf(t, s, 1), endOf(t, s, 2); one.Count+two.Count != 9 || one.Last != 5 || two.Last != 5 {
		t.Errorf("logs hold %d and %d", one.Count, two.Count)
	}

	// No log comes to hold all places.
	for i := range 12 {
		put(5, i, true)
	}
	for log := range 6 {
		if end := endOf(t, s, log); end.Count > 3 {
			t.Errorf("log %d has %d of 10 entries", log, end.Count)
		}
	}
	wantCounts(t, s, mailbox.Counts{Logs: 4, Entries: 10, Evicted: s.Counts().Evicted})

	// Boxes have room of their own.
	if full := tryPut(t, s, 0, 40, false); full != 0 {
		t.Errorf("%d boxes are refused for logs", full)
	}
}

// TestLogFull: one log holds so much, though there is room. It takes a store of 40,000
// boxes.
func TestLogFull(t *testing.T, s mailbox.Store) {
	now := start
	for i := range mailbox.MaxEntries {
		now = now.Add(time.Second / 4)
		if _, _, err := s.Append(t.Context(), Log(1), RandomEntry(Tag(i)), now, true); err != nil {
			t.Fatal(i, err)
		}
	}
	now = now.Add(time.Hour)
	if _, _, err := s.Append(t.Context(), Log(1), RandomEntry(Tag(1<<20)), now, true); !errors.Is(err, mailbox.ErrFull) {
		t.Errorf("entry %d: %v", mailbox.MaxEntries+1, err)
	}
	if _, _, err := s.Append(t.Context(), Log(2), RandomEntry(Tag(1)), now, true); err != nil {
		t.Errorf("another log: %v", err)
	}
}

func testLogConcurrent(t *testing.T, s mailbox.Store) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				e := RandomEntry(Tag(g*100 + i))
				at, fresh, err := s.Append(t.Context(), Log(g%2), e, start, true)
				if err != nil || !fresh {
					t.Errorf("Append: %v", err)
					return
				}
				found, _, err := s.Read(t.Context(), []mailbox.LogPosition{{Name: Log(g % 2), After: at.Position - 1}}, 1, start)
				if err != nil || len(found) != 1 || found[0].Entry != *e {
					t.Errorf("entry %d is not there after Append: %v", i, err)
				}
			}
		})
	}
	wg.Wait()

	for log := range 2 {
		got, _ := read(t, s, log, 0, 1000)
		for i, p := range got {
			if p != i+1 {
				t.Fatalf("position %d after %d", p, i)
			}
		}
		if len(got) != 80 {
			t.Errorf("log %d has %d entries", log, len(got))
		}
	}
}
