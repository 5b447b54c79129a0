// Package mailboxtest has the tests that every mailbox.Store passes.
package mailboxtest

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"starling/p2p/mailbox"
)

// start is the time of every test here. A store may round expiry up to the hour.
var start = time.Date(2026, 11, 22, 10, 20, 30, 0, time.UTC)

// TestStore runs the suite on stores that open returns: each empty, with room for
// exactly max boxes.
func TestStore(t *testing.T, open func(t *testing.T, max int) mailbox.Store) {
	for _, tc := range []struct {
		name string
		max  int
		test func(*testing.T, mailbox.Store)
	}{
		{"PutGetDelete", 100, testPutGetDelete},
		{"GetKeepsOrder", 100, testOrder},
		{"Taken", 100, testTaken},
		{"Full", 40, testFull},
		{"AskedByGet", 40, testAskedByGet},
		{"Acknowledged", 10, testAcknowledged},
		{"TombstonesExpire", 10, testTombstonesExpire},
		{"Expiry", 2000, testExpiry},
		{"CallerMayReuseTheBox", 100, testReuse},
		{"Concurrent", 1000, testConcurrent},
		{"OnePutWins", 100, testOneWins},

		{"Log", 100, testLog},
		{"LogTaken", 100, testLogTaken},
		{"LogDigest", 400, testLogDigest},
		{"LogLife", 100, testLogLife},
		{"LogRate", 10_000, testLogRate},
		{"LogRoom", 40, testLogRoom},
		{"LogConcurrent", 1000, testLogConcurrent},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.test(t, open(t, tc.max)) })
	}
}

// Tag returns a tag that depends on n.
func Tag(n int) (t mailbox.Tag) {
	binary.BigEndian.PutUint64(t[:], uint64(n))
	return t
}

// RandomBox returns a box of random bytes.
func RandomBox() *mailbox.Box {
	b := new(mailbox.Box)
	rand.Read(b[:])
	return b
}

func put(t *testing.T, s mailbox.Store, tag mailbox.Tag, box *mailbox.Box) {
	t.Helper()
	if err := s.Put(t.Context(), tag, box, start.Add(mailbox.TTL), false); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func get(t *testing.T, s mailbox.Store, now time.Time, tags ...mailbox.Tag) []mailbox.Item {
	t.Helper()
	items, err := s.Get(t.Context(), tags, now)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return items
}

func wantLen(t *testing.T, s mailbox.Store, want int) {
	t.Helper()
	if n := s.Len(); n != want {
		t.Fatalf("store holds %d boxes, want %d", n, want)
	}
}

func testPutGetDelete(t *testing.T, s mailbox.Store) {
	wantLen(t, s, 0)
	if items := get(t, s, start, Tag(1)); len(items) != 0 {
		t.Fatalf("empty store holds %v", items[0].Tag)
	}

	box := RandomBox()
	put(t, s, Tag(1), box)
	put(t, s, Tag(2), RandomBox())
	items := get(t, s, start, Tag(1), Tag(3))
	if len(items) != 1 || items[0].Tag != Tag(1) || items[0].Box != *box {
		t.Fatalf("got %d items, or a changed box", len(items))
	}
	wantLen(t, s, 2)

	for range 2 { // deleting again is no error
		if err := s.Delete(t.Context(), []mailbox.Tag{Tag(1), Tag(3)}); err != nil {
			t.Fatal(err)
		}
		wantLen(t, s, 1)
	}

	if items := get(t, s, start, Tag(1), Tag(2)); len(items) != 1 || items[0].Tag != Tag(2) {
		t.Fatalf("wrong box deleted")
	}

	if err := s.Delete(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if items := get(t, s, start); len(items) != 0 {
		t.Fatal("no tags, but boxes")
	}
}

func testOrder(t *testing.T, s mailbox.Store) {
	for n := range 10 {
		put(t, s, Tag(n), RandomBox())
	}
	want := []mailbox.Tag{Tag(7), Tag(0), Tag(9), Tag(3)}
	var got []mailbox.Tag
	for _, it := range get(t, s, start, Tag(7), Tag(50), Tag(0), Tag(9), Tag(51), Tag(3)) {
		got = append(got, it.Tag)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func testTaken(t *testing.T, s mailbox.Store) {
	box := RandomBox()
	put(t, s, Tag(1), box)
	put(t, s, Tag(1), box)
	other := *box
	other[mailbox.BoxSize-1] ^= 1
	err := s.Put(t.Context(), Tag(1), &other, start.Add(mailbox.TTL), false)
	if taken, ok := errors.AsType[*mailbox.TakenError](err); !ok || taken.Box != *box || !errors.Is(err, mailbox.ErrTaken) {
		t.Fatalf("another box under the tag: %v", err)
	}
	if s.Counts().Asked != 0 {
		t.Fatal("a put counts as asking")
	}
	if items := get(t, s, start, Tag(1)); len(items) != 1 || items[0].Box != *box {
		t.Fatal("the first box is not there any more")
	}
	wantLen(t, s, 1)
}

func wantCounts(t *testing.T, s mailbox.Store, want mailbox.Counts) {
	t.Helper()
	if got := s.Counts(); got != want {
		t.Fatalf("store counts %+v, want %+v", got, want)
	}
}

// tryPut stores n boxes from a tag on and returns how many were refused.
func tryPut(t *testing.T, s mailbox.Store, from, n int, asked bool) (full int) {
	t.Helper()
	box := RandomBox()
	for i := range n {
		switch err := s.Put(t.Context(), Tag(from+i), box, start.Add(mailbox.TTL), asked); {
		case errors.Is(err, mailbox.ErrFull):
			full++
		case err != nil:
			t.Fatalf("Put: %v", err)
		}
	}
	return full
}

// testFull: of 40 boxes 30 may be asked for and 10 not; a class below its share gets
// room at once, and any other by and by.
func testFull(t *testing.T, s mailbox.Store) {
	if full := tryPut(t, s, 0, 40, false); full != 0 {
		t.Fatalf("%d refused with room", full)
	}

	// One of forty may take the place of its like now, and none for hours.
	if full := tryPut(t, s, 100, 20, false); full != 19 {
		t.Fatalf("%d of 20 refused", full)
	}
	wantCounts(t, s, mailbox.Counts{Boxes: 40, Evicted: 1})

	if full := tryPut(t, s, 200, 30, true); full != 0 {
		t.Fatalf("%d refused that were asked for", full)
	}
	wantCounts(t, s, mailbox.Counts{Boxes: 40, Asked: 30, Evicted: 31})
	for n := range 30 {
		if len(get(t, s, start, Tag(200+n))) != 1 {
			t.Fatal("one that was asked for is gone")
		}
	}

	if full := tryPut(t, s, 300, 10, true); full != 8 {
		t.Fatalf("%d of 10 refused", full)
	}
	if full := tryPut(t, s, 400, 10, false); full != 10 {
		t.Fatalf("%d of 10 refused", full)
	}
	wantCounts(t, s, mailbox.Counts{Boxes: 40, Asked: 30, Evicted: 33})

	held := 0
	for _, it := range append(get(t, s, start, tags(0, 40)...), get(t, s, start, tags(100, 20)...)...) {
		put(t, s, it.Tag, &it.Box) // the same again needs no room
		held++
	}
	if held != 10 {
		t.Fatalf("%d boxes nobody asked for, want 10", held)
	}
}

func tags(from, n int) (all []mailbox.Tag) {
	for i := range n {
		all = append(all, Tag(from+i))
	}
	return all
}

func testAskedByGet(t *testing.T, s mailbox.Store) {
	tryPut(t, s, 0, 40, false)
	get(t, s, start, tags(0, 20)...)
	get(t, s, start, tags(0, 20)...)
	wantCounts(t, s, mailbox.Counts{Boxes: 40, Asked: 20})
	if err := s.Delete(t.Context(), tags(0, 1)); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, mailbox.Counts{Boxes: 39, Asked: 19, Acknowledged: 1})
	tryPut(t, s, 100, 1+11, true) // the free one, and those above ten
	wantCounts(t, s, mailbox.Counts{Boxes: 40, Asked: 30, Acknowledged: 1, Evicted: 10 + 1})
	for _, tag := range tags(1, 19) {
		if len(get(t, s, start, tag)) == 0 {
			return // the eleventh replaced one of its like, which one is chance
		}
	}
	if len(get(t, s, start, tags(100, 12)...)) != 11 {
		t.Fatal("one that was asked for is gone")
	}
}

func testAcknowledged(t *testing.T, s mailbox.Store) {
	box, other := RandomBox(), RandomBox()
	put(t, s, Tag(1), box)
	put(t, s, Tag(2), other)

	if err := s.Delete(t.Context(), tags(1, 8)); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, mailbox.Counts{Acknowledged: 2}) // only what was there
	for range 2 {
		if err := s.Put(t.Context(), Tag(1), box, start.Add(mailbox.TTL), true); !errors.Is(err, mailbox.ErrAcknowledged) {
			t.Fatalf("the same box again: %v", err)
		}
		if err := s.Put(t.Context(), Tag(1), other, start.Add(mailbox.TTL), true); !errors.Is(err, mailbox.ErrTaken) {
			t.Fatalf("another box under a used tag: %v", err)
		}
	}

	if len(get(t, s, start, Tag(1))) != 0 {
		t.Fatal("an acknowledged box is handed out")
	}

	// As many are remembered as there may be boxes.
	for n := range 20 {
		put(t, s, Tag(100+n), box)
		if err := s.Delete(t.Context(), []mailbox.Tag{Tag(100 + n)}); err != nil {
			t.Fatal(err)
		}
	}
	wantCounts(t, s, mailbox.Counts{Acknowledged: 10})
}

// testTombstonesExpire: a tombstone stands as long as the box would have lived.
func testTombstonesExpire(t *testing.T, s mailbox.Store) {
	box := RandomBox()
	put(t, s, Tag(1), box)
	if err := s.Delete(t.Context(), []mailbox.Tag{Tag(1)}); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Expire(t.Context(), start.Add(mailbox.TTL-time.Second)); n != 0 || err != nil {
		t.Fatalf("%d boxes expired: %v", n, err)
	}
	wantCounts(t, s, mailbox.Counts{Acknowledged: 1})
	if n, err := s.Expire(t.Context(), start.Add(mailbox.TTL+2*time.Hour)); n != 0 || err != nil {
		t.Fatalf("%d boxes expired: %v", n, err)
	}
	wantCounts(t, s, mailbox.Counts{})
	put(t, s, Tag(1), RandomBox())
}

func testExpiry(t *testing.T, s mailbox.Store) {
	const early, late = 1500, 3
	for n := range early + late {
		life := 24 * time.Hour
		if n >= early {
			life = 48 * time.Hour
		}
		if err := s.Put(t.Context(), Tag(n), RandomBox(), start.Add(life), false); err != nil {
			t.Fatal(err)
		}
	}

	expire := func(after time.Duration, want int) {
		t.Helper()
		n, err := s.Expire(t.Context(), start.Add(after))
		if err != nil || n != want {
			t.Fatalf("after %v %d boxes expired, want %d: %v", after, n, want, err)
		}
	}

	expire(24*time.Hour-time.Second, 0)
	if len(get(t, s, start.Add(24*time.Hour-time.Second), Tag(0))) != 1 {
		t.Fatal("box gone before its time")
	}
	if len(get(t, s, start.Add(26*time.Hour), Tag(0), Tag(early))) != 1 {
		t.Fatal("an expired box is still handed out")
	}
	expire(26*time.Hour, early)
	expire(26*time.Hour, 0)
	wantLen(t, s, late)
	expire(50*time.Hour, late)
	wantLen(t, s, 0)
}

func testReuse(t *testing.T, s mailbox.Store) {
	box := RandomBox()
	want := *box
	put(t, s, Tag(1), box)
	clear(box[:])
	items := get(t, s, start, Tag(1))
	if len(items) != 1 || items[0].Box != want {
		t.Fatal("the stored box changes with the caller's")
	}
	clear(items[0].Box[:])
	if items := get(t, s, start, Tag(1)); items[0].Box != want {
		t.Fatal("the stored box changes with what was handed out")
	}
}

func testConcurrent(t *testing.T, s mailbox.Store) {
	var wg sync.WaitGroup
	for g := range 20 {
		wg.Go(func() {
			for i := range 20 {
				n := g*20 + i
				box := RandomBox()
				if err := s.Put(t.Context(), Tag(n), box, start.Add(mailbox.TTL), false); err != nil {
					t.Errorf("Put: %v", err)
				}

				items, err := s.Get(t.Context(), []mailbox.Tag{Tag(n)}, start)
				if err != nil || len(items) != 1 || items[0].Box != *box {
					t.Errorf("box %d not there after Put: %v", n, err)
				}

				if i%2 == 0 {
					if err := s.Delete(t.Context(), []mailbox.Tag{Tag(n)}); err != nil {
						t.Errorf("Delete: %v", err)
					}
				}
			}
		})
	}

	wg.Wait()
	wantLen(t, s, 200)
}

func testOneWins(t *testing.T, s mailbox.Store) {
	var wg sync.WaitGroup
	results := make([]error, 20)
	for i := range results {
		wg.Go(func() { results[i] = s.Put(t.Context(), Tag(1), RandomBox(), start.Add(mailbox.TTL), false) })
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, mailbox.ErrTaken):
			t.Errorf("Put: %v", err)
		}
	}
	if won != 1 {
		t.Fatalf("%d of %d boxes under one tag were stored", won, len(results))
	}
	wantLen(t, s, 1)
}
