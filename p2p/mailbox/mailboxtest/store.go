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
		{"Full", 3, testFull},
		{"Expiry", 2000, testExpiry},
		{"CallerMayReuseTheBox", 100, testReuse},
		{"Concurrent", 1000, testConcurrent},
		{"OnePutWins", 100, testOneWins},
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
	if err := s.Put(t.Context(), tag, box, start.Add(mailbox.TTL)); err != nil {
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
	// A deleted tag can be used again.
	put(t, s, Tag(1), RandomBox())
	wantLen(t, s, 2)
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
	if err := s.Put(t.Context(), Tag(1), &other, start.Add(mailbox.TTL)); !errors.Is(err, mailbox.ErrTaken) {
		t.Fatalf("another box under the tag: %v", err)
	}
	if items := get(t, s, start, Tag(1)); len(items) != 1 || items[0].Box != *box {
		t.Fatal("the first box is not there any more")
	}
	wantLen(t, s, 1)
}

func testFull(t *testing.T, s mailbox.Store) {
	first := RandomBox()
	put(t, s, Tag(0), first)
	put(t, s, Tag(1), RandomBox())
	put(t, s, Tag(2), RandomBox())
	if err := s.Put(t.Context(), Tag(3), RandomBox(), start.Add(mailbox.TTL)); !errors.Is(err, mailbox.ErrFull) {
		t.Fatalf("fourth box of three: %v", err)
	}
	put(t, s, Tag(0), first) // there already
	if err := s.Put(t.Context(), Tag(0), RandomBox(), start.Add(mailbox.TTL)); !errors.Is(err, mailbox.ErrTaken) {
		t.Fatalf("another box under a tag of a full store: %v", err)
	}
	if len(get(t, s, start, Tag(0), Tag(1), Tag(2), Tag(3))) != 3 {
		t.Fatal("a refused box cost another")
	}
	if err := s.Delete(t.Context(), []mailbox.Tag{Tag(1)}); err != nil {
		t.Fatal(err)
	}
	put(t, s, Tag(3), RandomBox())
}

func testExpiry(t *testing.T, s mailbox.Store) {
	const early, late = 1500, 3
	for n := range early + late {
		life := 24 * time.Hour
		if n >= early {
			life = 48 * time.Hour
		}
		if err := s.Put(t.Context(), Tag(n), RandomBox(), start.Add(life)); err != nil {
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
				if err := s.Put(t.Context(), Tag(n), box, start.Add(mailbox.TTL)); err != nil {
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
		wg.Go(func() { results[i] = s.Put(t.Context(), Tag(1), RandomBox(), start.Add(mailbox.TTL)) })
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
