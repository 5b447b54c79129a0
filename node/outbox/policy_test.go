package outbox

import (
	"fmt"
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

// Whatever happens to its puts, a content is tried until it is stored: Next
// never goes quiet, and never asks for the impossible.
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
