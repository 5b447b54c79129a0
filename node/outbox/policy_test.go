package outbox

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/store"
)

var (
	t0   = time.Unix(1_700_000_000, 0)
	a, b = store.Node{'a'}, store.Node{'b'}
	c, d = store.Node{'c'}, store.Node{'d'}
)

// mid is the jitter that changes nothing.
const mid = 0.5

type copies = map[store.Node]*Copy

func cells(cs ...copies) (out []CellState) {
	for _, c := range cs {
		if c == nil {
			c = copies{}
		}
		out = append(out, CellState{c})
	}
	return out
}

func at(d time.Duration) time.Time { return t0.Add(d) }

// show writes actions like "put 0 a, ask".
func show(actions []Action) string {
	var s []string
	for _, a := range actions {
		switch a.Do {
		case Put:
			s = append(s, fmt.Sprintf("put %d %c", a.Cell, a.Node[0]))
		default:
			s = append(s, map[Do]string{Seal: "seal", Ask: "ask", Fail: "fail", Finish: "finish", Meet: "meet"}[a.Do])
		}
	}
	return strings.Join(s, ", ")
}

// TestSparing: where the network lets few answers through one copy has to do, and the second
// is put when no receipt has come for a while; a content without receipts is done with one.
func TestSparing(t *testing.T) {
	p := Peer{Mailboxes: []store.Node{a, b}, Sparing: true}
	text := Entry{Kind: chat.Text, Created: t0, State: api.StateSealed, Cells: cells(nil)}
	next := func(e Entry, after time.Duration) (string, time.Duration) {
		actions, again := Next(&e, p, at(after), mid)
		return show(actions), again.Sub(at(after))
	}
	if got, _ := next(text, 0); got != "put 0 a" {
		t.Errorf("first: %s", got)
	}
	text.Cells = cells(copies{a: {Tries: 1, Tried: t0}})
	if got, _ := next(text, time.Second); got != "put 0 b" {
		t.Errorf("after a failure: %s", got)
	}
	text.Cells, text.Sent, text.State = cells(copies{b: {Stored: t0}}), t0, api.StateSent
	if got, again := next(text, time.Second); got != "" || again != secondCopy-time.Second {
		t.Errorf("stored once: %s, again after %v", got, again)
	}
	if got, _ := next(text, secondCopy); got != "put 0 a" {
		t.Errorf("without a receipt: %s", got)
	}
	receipt := Entry{Kind: chat.Receipt, Created: t0, State: api.StateSent, Sent: t0, Cells: cells(copies{b: {Stored: t0}})}
	if got, _ := next(receipt, time.Second); got != "finish" {
		t.Errorf("a receipt stored once: %s", got)
	}

	// Receipts that are late because all is late are not asked for, nor is anything stored again.
	p.Usual = 6 * time.Minute
	patience := timesSparing * p.Usual
	p.Heard = at(patience + 1)
	if got, again := next(text, patience-time.Second); got != "" || again != time.Second {
		t.Errorf("where receipts take long: %s, again after %v", got, again)
	}
	if got, _ := next(text, patience+1); got != "put 0 a, put 0 b, ask" {
		t.Errorf("without the receipt: %s", got)
	}
	p.Sparing, p.Heard = false, at(askHeard+1)
	text.Cells = cells(copies{a: {Stored: t0}, b: {Stored: t0}})
	if got, _ := next(text, askHeard+1); got != "ask" {
		t.Errorf("elsewhere: %s", got)
	}
}

func TestNext(t *testing.T) {
	text := Entry{Kind: chat.Text, Created: t0, State: api.StateSealed}
	with := func(e Entry, f func(*Entry)) Entry { f(&e); return e }
	two := Peer{Mailboxes: []store.Node{a, b}}
	stored := func(d time.Duration) *Copy { return &Copy{Stored: at(d)} }
	failed := func(tries int, d time.Duration) *Copy { return &Copy{Tries: tries, Tried: at(d)} }
	const never = -1
	sent := with(text, func(e *Entry) {
		e.Cells, e.State, e.Sent = cells(copies{a: {Stored: t0, Repairs: 2}, b: {Stored: t0, Repairs: 2}}), api.StateSent, t0
		e.Asked, e.AskedAt = 9, t0
	})
	for _, tt := range []struct {
		name  string
		e     Entry
		p     Peer
		now   time.Duration
		want  string
		again time.Duration // never: when something changes
	}{
		{"queued", with(text, func(e *Entry) { e.State = api.StateQueued }), two, 0, "seal", Lifetime},
		{"lost before", with(text, func(e *Entry) { e.State, e.After = api.StateQueued, at(time.Hour) }), two, 0, "", time.Hour},
		{"lost, and it is time", with(text, func(e *Entry) { e.State, e.After = api.StateQueued, at(time.Hour) }), two, time.Hour, "seal", Lifetime},
		{"lost, and the clock was set back", with(text, func(e *Entry) { e.State, e.After = api.StateQueued, at(1000*time.Hour) }), two, time.Hour, "seal", Lifetime},
		{"lost, and nothing can be sealed", with(text, func(e *Entry) { e.State, e.After = api.StateQueued, at(time.Hour) }),
			Peer{Mailboxes: two.Mailboxes, Full: true}, 0, "", Lifetime},
		{"sealed: both copies of each cell", with(text, func(e *Entry) { e.Cells = cells(nil, nil) }),
			two, 0, "put 0 a, put 0 b, put 1 a, put 1 b", askSilent},
		{"nowhere to put", with(text, func(e *Entry) { e.Cells = cells(nil) }), Peer{}, 0, "", askSilent},
		{"one mailbox", with(text, func(e *Entry) { e.Cells = cells(nil) }),
			Peer{Mailboxes: []store.Node{a}}, 0, "put 0 a", askSilent},
		{"two of three mailboxes", with(text, func(e *Entry) { e.Cells = cells(nil) }),
			Peer{Mailboxes: []store.Node{a, b, c}}, 0, "put 0 a, put 0 b", askSilent},
		{"one is under way", with(text, func(e *Entry) { e.Cells = cells(copies{a: {Busy: true}}) }),
			two, 0, "put 0 b", askSilent},
		{"typing: one copy", with(text, func(e *Entry) { e.Kind, e.Cells = chat.Typing, cells(nil) }),
			two, 0, "put 0 a", Lifetime},
		{"typing under way", with(text, func(e *Entry) { e.Kind, e.Cells = chat.Typing, cells(copies{b: {Busy: true}}) }),
			two, 0, "", Lifetime},
		{"typing failed: the other", with(text, func(e *Entry) { e.Kind, e.Cells = chat.Typing, cells(copies{a: failed(1, 0)}) }),
			two, 0, "put 0 b", Lifetime},
		{"typing failed twice", with(text, func(e *Entry) { e.Kind, e.Cells = chat.Typing, cells(copies{a: failed(1, 0), b: failed(1, 0)}) }),
			two, 0, "", firstRetry},
		{"typing stored", with(text, func(e *Entry) { e.Kind, e.Cells = chat.Typing, cells(copies{b: stored(0)}) }),
			two, 0, "finish", never},
		{"just failed", with(text, func(e *Entry) { e.Cells = cells(copies{a: failed(1, 0), b: stored(0)}) }),
			two, 0, "", firstRetry},
		{"failed, time is up", with(text, func(e *Entry) { e.Cells = cells(copies{a: failed(1, 0), b: stored(0)}) }),
			two, firstRetry, "put 0 a", firstRepair},
		{"failed three times", with(text, func(e *Entry) { e.Cells = cells(copies{a: failed(3, 0), b: stored(0)}) }),
			two, 0, "", 4 * firstRetry},
		{"failed very often", with(text, func(e *Entry) { e.Cells = cells(copies{a: failed(1000, 0), b: stored(0)}) }),
			two, 0, "", lastRetry},
		{"refused", with(text, func(e *Entry) {
			e.Cells = cells(copies{a: {Tries: 1, Tried: t0, Refused: true}, b: stored(0)})
		}), two, 0, "", fullRetry},
		{"sent: wait", with(text, func(e *Entry) {
			e.Cells, e.State, e.Sent = cells(copies{a: stored(0), b: stored(0)}), api.StateSent, t0
		}), two, time.Second, "", firstRepair},
		{"sent: repair", with(text, func(e *Entry) {
			e.Cells, e.State, e.Sent = cells(copies{a: stored(0), b: stored(0)}), api.StateSent, t0
		}), two, firstRepair, "put 0 a, put 0 b", askSilent},
		{"sent: second repair takes longer", with(text, func(e *Entry) {
			e.Cells, e.State, e.Sent = cells(copies{a: {Stored: t0, Repairs: 1}, b: {Stored: t0, Repairs: 1}}), api.StateSent, t0
		}), two, firstRepair, "", 4 * firstRepair},
		{"recipient has moved, enough lie at the old places", with(text, func(e *Entry) {
			e.Cells, e.State, e.Sent = cells(copies{a: stored(0), b: stored(0)}), api.StateSent, t0
		}), Peer{Mailboxes: []store.Node{c, d}}, time.Second, "", firstRepair},
		{"recipient has moved, and nothing came from the old places", with(text, func(e *Entry) {
			e.Cells, e.State, e.Sent = cells(copies{a: stored(0), b: stored(0)}), api.StateSent, t0
		}), Peer{Mailboxes: []store.Node{c, d}}, firstRepair, "put 0 c, put 0 d", askSilent},
		{"recipient has moved, one lies at an old place", with(text, func(e *Entry) {
			e.Cells, e.State, e.Sent = cells(copies{a: stored(0), b: failed(9, 0)}), api.StateSent, t0
		}), Peer{Mailboxes: []store.Node{c, d}}, time.Second, "put 0 c, put 0 d", firstRepair},
		{"a mailbox is gone with its copy", with(text, func(e *Entry) {
			e.Cells, e.State, e.Sent = cells(copies{a: {Stored: t0, Gone: true}, b: stored(0)}), api.StateSent, t0
		}), Peer{Mailboxes: []store.Node{b, c}}, time.Second, "put 0 c", firstRepair},
		{"heard from since, no receipt", with(text, func(e *Entry) {
			e.Cells, e.State, e.Sent = cells(copies{a: stored(0), b: stored(0)}), api.StateSent, t0
		}), Peer{Mailboxes: two.Mailboxes, Heard: at(askHeard + 1)}, askHeard + 2, "ask", firstRepair},
		{"asked", with(text, func(e *Entry) {
			e.Cells, e.State, e.Sent = cells(copies{a: stored(0), b: stored(0)}), api.StateSent, t0
			e.Asked, e.AskedAt = 1, at(askHeard)
		}), Peer{Mailboxes: two.Mailboxes, Heard: at(askHeard + 1)}, askHeard + 2, "", 5 * askHeard},
		{"heard from for long, no receipt", sent, Peer{Mailboxes: two.Mailboxes, Heard: at(time.Minute)}, meetHeard, "meet", Lifetime},
		{"a third copy where they meet", sent, Peer{Mailboxes: two.Mailboxes, Heard: at(time.Minute), Meeting: []store.Node{a, c}, Met: at(meetHeard)},
			meetHeard, "put 0 c", 4 * time.Hour},
		{"receipts take long with them", sent, Peer{Mailboxes: two.Mailboxes, Heard: at(time.Minute), Usual: 20 * time.Minute}, meetHeard, "", time.Hour},
		{"silence for long", sent, Peer{Mailboxes: two.Mailboxes}, askSilent, "meet", Lifetime},
		{"nothing could be stored for long", with(text, func(e *Entry) { e.Cells = cells(copies{a: failed(9, meetHeard), b: failed(9, meetHeard)}) }),
			Peer{Mailboxes: two.Mailboxes, Heard: at(time.Minute)}, meetHeard, "meet", Lifetime},
		{"a profile is not stored there", Entry{Kind: chat.Profile, Created: t0, State: api.StateSealed, Cells: cells(nil)},
			Peer{Mailboxes: two.Mailboxes, Heard: at(time.Minute)}, askSilent, "put 0 a, put 0 b", never},
		{"too much is on its way", with(text, func(e *Entry) { e.State = api.StateQueued }), Peer{Mailboxes: two.Mailboxes, Full: true}, 0, "", Lifetime},
		{"signal", Entry{Created: t0, State: api.StateSealed, Cells: cells(nil)}, two, 0, "put 0 a, put 0 b", askSilent},
		{"signal stored", Entry{Created: t0, State: api.StateSealed, Sent: t0, Cells: cells(copies{a: stored(0), b: stored(0)})},
			two, time.Second, "", firstRepair},
		{"signal stored, and they are there and do not have it", Entry{Created: t0, State: api.StateSealed, Sent: t0, Cells: cells(copies{a: stored(0), b: stored(0)})},
			Peer{Mailboxes: two.Mailboxes, Heard: at(askHeard + 1)}, askHeard + 2, "put 0 a, put 0 b", meetHeard},
		{"they are there for long and do not have it", sent, Peer{Mailboxes: two.Mailboxes, Heard: at(firstRepair + 1), Meeting: []store.Node{a}, Met: t0}, firstRepair + 2,
			"put 0 a, put 0 b", meetHeard},
		{"a signal does not age", Entry{Created: t0, State: api.StateSealed, Sent: t0, Cells: cells(copies{a: stored(0), b: stored(0)})},
			Peer{Mailboxes: two.Mailboxes, Met: at(2 * Lifetime)}, 2 * Lifetime, "put 0 a, put 0 b", never},
		{"receipt under way", Entry{Kind: chat.Receipt, Created: t0, State: api.StateSealed,
			Cells: cells(copies{a: stored(0), b: failed(1, 0)})}, two, 0, "", firstRetry},
		{"receipt stored", Entry{Kind: chat.Receipt, Created: t0, State: api.StateSent, Sent: t0,
			Cells: cells(copies{a: stored(0), b: stored(0)})}, two, 0, "finish", never},
		{"receipt too old", Entry{Kind: chat.Receipt, Created: t0, State: api.StateSealed, Cells: cells(nil)},
			two, Lifetime, "finish", never},
		{"text too old", with(text, func(e *Entry) { e.Cells = cells(nil) }), two, Lifetime, "fail", never},
		{"text failed", with(text, func(e *Entry) { e.State = api.StateFailed }), two, 2 * Lifetime, "", never},
		{"mailboxes do not age", Entry{Kind: chat.Mailboxes, Created: t0, State: api.StateSealed, Cells: cells(nil)},
			Peer{Mailboxes: two.Mailboxes, Met: at(2 * Lifetime)}, 2 * Lifetime, "put 0 a, put 0 b", never},
		{"queued, and the session was given up", with(text, func(e *Entry) { e.State = api.StateQueued }),
			Peer{Mailboxes: two.Mailboxes, Suspended: true}, 0, "", Lifetime},
		{"only the first place to meet", sent, Peer{Mailboxes: two.Mailboxes, Heard: at(time.Minute), Meeting: []store.Node{a, c, d}, Met: at(meetHeard)},
			meetHeard, "put 0 c", 4 * time.Hour},
		{"typing lies where they were", with(text, func(e *Entry) { e.Kind, e.Cells = chat.Typing, cells(copies{c: stored(0)}) }),
			two, time.Second, "finish", never},
		{"a receipt lies where they meet", Entry{Kind: chat.Receipt, Created: t0, State: api.StateSealed,
			Cells: cells(copies{a: failed(9, askSilent), b: failed(9, askSilent), c: stored(askSilent)})},
			Peer{Mailboxes: two.Mailboxes, Meeting: []store.Node{c}, Met: at(askSilent)}, askSilent, "finish", never},
		{"repair is under way", with(text, func(e *Entry) {
			e.Cells, e.State, e.Sent = cells(copies{a: {Stored: t0, Busy: true}, b: stored(0)}), api.StateSent, t0
		}), two, firstRepair, "put 0 b", askSilent},
		{"a receipt, and nowhere to put it", Entry{Kind: chat.Receipt, Created: t0, State: api.StateSealed, Cells: cells(nil)},
			Peer{}, 0, "", askSilent},
		{"no receipt is asked for while the session is given up", with(text, func(e *Entry) {
			e.Cells, e.State, e.Sent = cells(copies{a: stored(0), b: stored(0)}), api.StateSent, t0
		}), Peer{Mailboxes: two.Mailboxes, Heard: at(askHeard + 1), Suspended: true}, askHeard + 2, "", firstRepair},
		{"nor for a receipt", Entry{Kind: chat.Receipt, Created: t0, State: api.StateSent, Sent: t0,
			Cells: cells(copies{a: stored(0), b: failed(1, 0)})},
			Peer{Mailboxes: two.Mailboxes, Heard: at(askHeard + 1)}, askHeard + 2, "put 0 b", Lifetime},
		{"a profile does not age", Entry{Kind: chat.Profile, Created: t0, State: api.StateSealed, Cells: cells(nil)},
			two, 2 * Lifetime, "put 0 a, put 0 b", never},
	} {
		t.Run(tt.name, func(t *testing.T) {
			actions, again := Next(&tt.e, tt.p, at(tt.now), mid)
			if got := show(actions); got != tt.want {
				t.Errorf("do %q, want %q", got, tt.want)
			}
			want := time.Time{}
			if tt.again != never {
				want = at(tt.again)
			}
			if !again.Equal(want) {
				t.Errorf("again after %v, want %v", again.Sub(t0), tt.again)
			}
		})
	}
}

// A place counts as taken when both mailboxes say so: one that lies gives nothing up.
func TestTaken(t *testing.T) {
	taken := &Copy{Taken: true}
	for name, c := range map[string]struct {
		at    []store.Node
		cells copies
		want  bool
	}{
		"both say so":      {[]store.Node{a, b}, copies{a: taken, b: taken}, true},
		"one does":         {[]store.Node{a, b}, copies{a: taken, b: {}}, false},
		"the other does":   {[]store.Node{a, b}, copies{a: {}, b: taken}, false},
		"one is not asked": {[]store.Node{a, b}, copies{b: taken}, false},
		"nobody is asked":  {[]store.Node{a, b}, copies{}, false},
		"only two count":   {[]store.Node{a, b, c}, copies{a: taken, b: taken}, true},
		"there is one":     {[]store.Node{a}, copies{a: taken}, true},
	} {
		e := Entry{Cells: cells(copies{}, c.cells)}
		if got := e.taken(Peer{Mailboxes: c.at}, 1); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The place of a cell that is to lie once is the mailbox where it is stored, under way
// or has failed least; a copy gone with its mailbox counts nowhere.
func TestCopiesOfACell(t *testing.T) {
	for name, c := range map[string]struct {
		cell   copies
		one    store.Node
		copies int
	}{
		"nothing":          {copies{}, a, 0},
		"stored":           {copies{b: {Stored: t0}}, b, 1},
		"both":             {copies{a: {Stored: t0}, b: {Stored: t0}}, a, 2},
		"under way":        {copies{b: {Busy: true, Tries: 9}}, b, 0},
		"failed":           {copies{a: {Tries: 1}}, b, 0},
		"failed more":      {copies{a: {Tries: 2}, b: {Tries: 3}}, a, 0},
		"gone":             {copies{a: {Stored: t0, Gone: true, Tries: 1}}, b, 0},
		"gone and another": {copies{a: {Stored: t0, Gone: true}, b: {Stored: t0}, c: {Stored: t0}}, b, 2},
	} {
		cell := CellState{c.cell}
		if got := cell.copies(); got != c.copies {
			t.Errorf("%s: %d copies", name, got)
		}
		if got := cell.one([]store.Node{a, b}); got != c.one {
			t.Errorf("%s: to %c", name, got[0])
		}
	}
}

// When something is tried, repaired or put where they meet.
func TestWaits(t *testing.T) {
	text, receipt := Entry{Kind: chat.Text, Created: t0}, Entry{Kind: chat.Receipt, Created: t0}
	later := func(e Entry) *Entry { e.Sent = at(time.Hour); return &e }
	for name, c := range map[string]struct{ got, want time.Time }{
		"meet":                               {meetAt(&text, Peer{}, mid), at(askSilent)},
		"meet, sent later":                   {meetAt(later(text), Peer{}, mid), at(time.Hour + askSilent)},
		"meet, given up":                     {meetAt(&text, Peer{Suspended: true}, mid), time.Time{}},
		"meet, a receipt":                    {meetAt(&receipt, Peer{}, mid), at(askSilent)},
		"meet, a receipt that is stored":     {meetAt(later(receipt), Peer{}, mid), time.Time{}},
		"retry at once":                      {retryAt(nil, mid), time.Time{}},
		"retry after a success":              {retryAt(&Copy{Tried: t0}, mid), time.Time{}},
		"retry":                              {retryAt(&Copy{Tried: t0, Tries: 2}, mid), at(2 * firstRetry)},
		"retry what was refused":             {retryAt(&Copy{Tried: t0, Tries: 2, Refused: true}, mid), at(fullRetry)},
		"retry what was refused very often":  {retryAt(&Copy{Tried: t0, Tries: 99, Refused: true}, mid), at(lastRetry)},
		"repair":                             {repairAt(&text, &Copy{Stored: t0}, Peer{}, mid), at(firstRepair)},
		"repair what could not be repaired":  {repairAt(&text, &Copy{Stored: t0, Tried: at(time.Hour), Tries: 1}, Peer{}, mid), at(time.Hour + firstRetry)},
		"repair, though they are just there": {repairAt(&text, &Copy{Stored: t0}, Peer{Heard: at(time.Minute)}, mid), at(firstRepair)},
	} {
		if !c.got.Equal(c.want) {
			t.Errorf("%s: after %v, want %v", name, c.got.Sub(t0), c.want.Sub(t0))
		}
	}
}

// The schedule is in order of time, older contents first, and each entry knows its place.
func TestSchedule(t *testing.T) {
	var s schedule
	r := rand.New(rand.NewPCG(1, 1))
	var all []*entry
	for i := range 50 {
		e := &entry{at: at(time.Duration(r.IntN(5)) * time.Second), order: int64(r.IntN(1000)*100 + i)}
		all = append(all, e)
		heap.Push(&s, e)
	}
	placed := func() {
		t.Helper()
		for i, e := range s {
			if e.index != i {
				t.Fatalf("entry %d thinks it is %d", i, e.index)
			}
		}
	}
	placed()
	heap.Remove(&s, all[7].index)
	if placed(); all[7].index != -1 {
		t.Error("who was removed has a place")
	}
	last := &entry{}
	for n := 0; len(s) > 0; n++ {
		e := heap.Pop(&s).(*entry)
		placed()
		if e.at.Before(last.at) || e.at.Equal(last.at) && e.order < last.order || n > 49 {
			t.Fatalf("%v, %d after %v, %d", e.at, e.order, last.at, last.order)
		}
		last = e
	}
}

// With any fate of its puts, a content is tried until it is stored: Next never goes
// quiet, and never asks for the impossible.
func TestNextNeverGoesQuiet(t *testing.T) {
	p := Peer{Mailboxes: []store.Node{a, b}}
	e := Entry{Kind: chat.Text, Created: t0, State: api.StateSealed, Cells: cells(nil, nil, nil)}
	now := t0
	for step := 0; now.Before(at(Lifetime)); step++ {
		if step > 100_000 {
			t.Fatal("no backoff")
		}
		actions, again := Next(&e, p, now, float64(step%10)/10)
		for _, act := range actions {
			if act.Do == Meet {
				p.Meeting, p.Met = []store.Node{c}, now
				continue
			}
			if act.Do != Put {
				t.Fatalf("%v: %s", now, show(actions))
			}
			c := e.Cells[act.Cell].Copies[act.Node]
			if c == nil {
				c = new(Copy)
				e.Cells[act.Cell].Copies[act.Node] = c
			}
			c.Tries++
			c.Tried = now
		}
		if len(actions) > 0 {
			continue
		}
		if !again.After(now) {
			t.Fatalf("look again at %v, which is not after %v", again, now)
		}
		now = again
	}
	if actions, _ := Next(&e, p, now, mid); show(actions) != "fail" {
		t.Errorf("after %v: %s", Lifetime, show(actions))
	}
}

func TestFailReason(t *testing.T) {
	for _, tt := range []struct {
		e    Entry
		want string
	}{
		{Entry{State: api.StateQueued}, "encrypted"},
		{Entry{State: api.StateSealed}, "mailboxes"},
		{Entry{State: api.StateSent, Sent: t0}, "not confirmed"},
	} {
		if got := failReason(&tt.e); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q", tt.e.State, got)
		}
	}
}

func TestTimer(t *testing.T) {
	var tm timer
	if tm.wait() != timeoutFirst {
		t.Error("no first guess")
	}
	tm.observe(2 * time.Second)
	if w := tm.wait(); w != 5750*time.Millisecond {
		t.Errorf("after the first: %v", w)
	}
	if tm.double(); tm.wait() != 9500*time.Millisecond {
		t.Errorf("after one in vain: %v", tm.wait())
	}
	for range 100 {
		tm.observe(2 * time.Second)
	}
	if w := tm.wait(); w < 2*time.Second || w > 2100*time.Millisecond {
		t.Errorf("steady 2 s: %v", w)
	}
	for i := range 100 {
		tm.observe(time.Duration(1+i%3) * time.Second)
	}
	if w := tm.wait(); w < 3*time.Second {
		t.Errorf("1 to 3 s: %v", w)
	}
	for range 100 {
		tm.observe(time.Millisecond)
	}
	if w := tm.wait(); w != timeoutMin {
		t.Errorf("fast: %v", w)
	}
	for range 20 {
		tm.observe(time.Hour)
	}
	if w := tm.wait(); w != timeoutMax {
		t.Errorf("slow: %v", w)
	}
}
