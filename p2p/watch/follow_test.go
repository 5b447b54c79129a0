package watch

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/wire"
)

// TestReadersEndEqual is the model: random appends at two mailboxes, losses in both
// directions, restarts, lost disks that writers repair, holes. In the end each reader has
// all that was written, and knows the end of each log at each mailbox.
func TestReadersEndEqual(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			ids := []wire.NodeID{{1}, {2}}
			libraries := map[wire.NodeID]*library{}
			for i, id := range ids {
				libraries[id] = newLibrary(seed*2 + uint64(i))
				libraries[id].lose = 0.1
			}
			names := []mailbox.LogName{{1}, {2}, {3}}
			var logs []mailbox.LogPosition
			for _, n := range names {
				logs = append(logs, mailbox.LogPosition{Name: n})
			}
			var members []*member
			for range 3 {
				members = append(members, newMember(t, libraries, 10*time.Minute, logs...))
			}

			written := map[mailbox.LogName][]mailbox.Tag{}
			for i := range 300 {
				l := libraries[ids[rnd.IntN(2)]]
				switch what := rnd.IntN(100); {
				case what < 2:
					l.restart()
				case what < 3:
					l.wipe()
				case what < 8: // somebody repairs
					for _, n := range names {
						for _, tag := range written[n] {
							l.add(n, tag, 0)
						}
					}
				default:
					n := names[rnd.IntN(3)]
					tag := mailbox.Tag{byte(i), byte(i >> 8)}
					written[n] = append(written[n], tag)
					for _, l := range libraries {
						l.add(n, tag, uint32(rnd.IntN(20)/19*3))
					}
				}
				time.Sleep(time.Duration(rnd.ExpFloat64() * float64(3*time.Second)))
			}
			for _, l := range libraries {
				for _, n := range names {
					for _, tag := range written[n] {
						l.add(n, tag, 0)
					}
				}
				l.loses(0)
			}
			time.Sleep(75 * time.Minute) // three polls

			for i, m := range members {
				for at, l := range libraries {
					for _, n := range names {
						l.mu.Lock()
						there := len(l.logs[n])
						end := l.end(n)
						l.mu.Unlock()
						if got := m.union(n); got != there || there != len(written[n]) {
							t.Errorf("seed %d: reader %d has %d of %d entries", seed, i, got, there)
						}
						if m.ends[at][n] != end {
							t.Errorf("seed %d: reader %d: the end is %+v, want %+v", seed, i, m.ends[at][n], end)
						}
					}
				}
				if m.early > 0 {
					t.Errorf("seed %d: reader %d: %d ends came before the entries", seed, i, m.early)
				}
			}
		})
	}
}

// bookshop is one reader of one log at one library.
func bookshop(t *testing.T, from mailbox.LogPosition, test func(l *library, m *member)) {
	synctest.Test(t, func(t *testing.T) {
		l := newLibrary(1)
		m := newMember(t, map[wire.NodeID]*library{{1}: l}, 10*time.Minute, from)
		m.ws.Follow("room", wire.NodeID{1}, m.logs[wire.NodeID{1}])
		test(l, m)
	})
}

var theLog = mailbox.LogName{42}

func (l *library) fill(n int) {
	for i := range n {
		l.add(theLog, mailbox.Tag{byte(i), byte(i >> 8), 1}, 0)
	}
}

// TestCatchingUp: a thousand entries that wait are read side by side, each once, the newest
// first, by hardly more requests than they take.
func TestCatchingUp(t *testing.T) {
	const n = 1000
	synctest.Test(t, func(t *testing.T) {
		l := newLibrary(1)
		l.fill(n)
		began := time.Now()
		m := newMember(t, map[wire.NodeID]*library{{1}: l}, 10*time.Minute, mailbox.LogPosition{Name: theLog})
		newest := time.Duration(0)
		for m.has(wire.NodeID{1}, theLog) < n && time.Since(began) < 10*time.Minute {
			time.Sleep(100 * time.Millisecond)
			m.mu.Lock()
			if last := (mailbox.Tag{byte((n - 1) & 255), byte((n - 1) >> 8), 1}); newest == 0 && m.got[wire.NodeID{1}][theLog][last] > 0 {
				newest = time.Since(began)
			}
			m.mu.Unlock()
		}
		took := time.Since(began)
		requests, _ := l.took()
		t.Logf("%d entries in %v, the newest in %v, %d requests", m.has(wire.NodeID{1}, theLog), took, newest, len(requests))
		if took > 20*time.Second || newest > 3*time.Second || len(requests) > n/5+n/20 {
			t.Error("that is too slow, or too much")
		}
		if m.early > 0 {
			t.Error("an end came before the entries")
		}
	})
}

// TestOneRequestForFiveEntries: in quiet times entries are pushed, and five cost one
// request; nobody acknowledges each. Blocks that are sent ahead are owed no answer: a guard that brings none is not
// doubted.
func TestOneRequestForFiveEntries(t *testing.T) {
	bookshop(t, mailbox.LogPosition{Name: theLog}, func(l *library, m *member) {
		time.Sleep(time.Minute)
		l.took()
		for i := range 100 {
			l.add(theLog, mailbox.Tag{byte(i), 9}, 0)
			time.Sleep(5 * time.Second)
		}
		requests, _ := l.took()
		if got := m.has(wire.NodeID{1}, theLog); got != 100 || len(requests) > 23 {
			t.Errorf("%d entries came by %d requests", got, len(requests))
		}
		more := 0
		for _, f := range requests {
			switch f.Mode {
			case mailbox.Look:
				t.Error("a range read in quiet times")
			case mailbox.More:
				more++
			}
		}
		if l.hopes != more || more < 15 {
			t.Errorf("%d of %d requests are owed no answer, and %d bring blocks ahead", l.hopes, len(requests), more)
		}
	})
}

// TestPlacesAreRough: the first request after a start does not say where the reader stopped,
// and no later one says it either. What it had is not handed out again.
func TestPlacesAreRough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLibrary(1)
		l.fill(200)
		m := newMember(t, map[wire.NodeID]*library{{1}: l}, 10*time.Minute, mailbox.LogPosition{Name: theLog, Instance: l.instance, After: 150})
		time.Sleep(20 * time.Second)
		if got := m.has(wire.NodeID{1}, theLog); got != 50 {
			t.Errorf("%d entries were handed out, want 50", got)
		}
		requests, _ := l.took()
		for _, f := range requests {
			if f.Logs[0].After == 150 {
				t.Error("a request names the place where the reader stopped")
			}
		}
		if first := requests[0]; first.Logs[0].After != 128 {
			t.Errorf("the first request reads after %d", first.Logs[0].After)
		}
		leases := map[mailbox.LeaseID]bool{}
		for _, f := range requests {
			if f.Mode != mailbox.Look {
				leases[f.Lease] = true
			}
		}
		if len(leases) != 1 {
			t.Errorf("%d leases", len(leases))
		}
	})
}

// TestRoomsAreNotLinked: logs of two keys are never in one request nor under one lease, and
// a follow has eight names at most.
func TestRoomsAreNotLinked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLibrary(1)
		m := newMember(t, map[wire.NodeID]*library{{1}: l}, 10*time.Minute, mailbox.LogPosition{Name: theLog})
		m.mu.Lock()
		m.silent = true // it knows one key
		m.mu.Unlock()
		of := map[mailbox.LogName]byte{theLog: 0}
		for key := byte(1); key < 6; key++ {
			var logs []mailbox.LogPosition
			for i := range byte(8) {
				name := mailbox.LogName{key, i}
				of[name] = key
				logs = append(logs, mailbox.LogPosition{Name: name})
			}
			m.mu.Lock()
			m.got[wire.NodeID{1}][logs[0].Name] = map[mailbox.Tag]int{}
			m.mu.Unlock()
			m.ws.Follow(string(rune('a'+key)), wire.NodeID{1}, append(logs, mailbox.LogPosition{Name: mailbox.LogName{99}}))
		}
		for i := range 30 {
			l.add(mailbox.LogName{byte(1 + i%5)}, mailbox.Tag{byte(i)}, 0)
			time.Sleep(10 * time.Second)
		}
		time.Sleep(2 * time.Hour)
		requests, _ := l.took()
		m.mu.Lock()
		defer m.mu.Unlock()
		owner := map[mailbox.LeaseID]byte{}
		for _, f := range requests {
			key := of[f.Logs[0].Name]
			for _, p := range f.Logs {
				if of[p.Name] != key || p.Name == (mailbox.LogName{99}) {
					t.Fatal("a request names logs of two rooms, or a ninth")
				}
			}
			if other, ok := owner[f.Lease]; ok && other != key && f.Mode != mailbox.Look {
				t.Fatalf("lease %x serves the rooms %d and %d, mode %d", f.Lease, other, key, f.Mode)
			}
			owner[f.Lease] = key
		}
		if m.counts["too many logs in a follow"] != 5 {
			t.Errorf("counts: %v", m.counts)
		}
	})
}

// TestIdleFollow: a quiet follow costs its polls, and two frames each.
func TestIdleFollow(t *testing.T) {
	bookshop(t, mailbox.LogPosition{Name: theLog}, func(l *library, m *member) {
		time.Sleep(time.Minute)
		l.took()
		time.Sleep(24 * time.Hour)
		if requests, _ := l.took(); len(requests) > 24*6*5/4 {
			t.Errorf("%d requests a day", len(requests))
		}
	})
}

// TestPushIsLost: an entry that was lost on its way is found at the next that comes, or at
// the poll.
func TestPushIsLost(t *testing.T) {
	bookshop(t, mailbox.LogPosition{Name: theLog}, func(l *library, m *member) {
		time.Sleep(time.Minute)
		l.loses(1)
		l.add(theLog, mailbox.Tag{1}, 0)
		l.loses(0)
		time.Sleep(30 * time.Second)
		l.add(theLog, mailbox.Tag{2}, 0)
		time.Sleep(5 * time.Second)
		if got := m.has(wire.NodeID{1}, theLog); got != 2 {
			t.Errorf("%d of 2 entries", got)
		}
		l.loses(1)
		l.add(theLog, mailbox.Tag{3}, 0)
		l.loses(0)
		time.Sleep(13 * time.Minute)
		if got := m.has(wire.NodeID{1}, theLog); got != 3 {
			t.Errorf("%d of 3 entries after a poll", got)
		}
	})
}

// TestPollIsOvertaken: a request arrives behind the next one, and its blocks stand in place of
// those. Whoever follows gets each entry all the same, long before the next poll.
func TestPollIsOvertaken(t *testing.T) {
	for _, late := range []time.Duration{time.Second, 20 * time.Second} { // it is waited for, and given up
		bookshop(t, mailbox.LogPosition{Name: theLog}, func(l *library, m *member) {
			at := wire.NodeID{1}
			time.Sleep(time.Minute)
			delay := func(d time.Duration) {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.late = d
			}

			delay(late)
			m.ws.Follow("room", at, append(m.logs[at], mailbox.LogPosition{Name: mailbox.LogName{43}}))
			time.Sleep(300 * time.Millisecond)
			delay(0)
			m.ws.Follow("room", at, append(m.logs[at], mailbox.LogPosition{Name: mailbox.LogName{44}}))
			time.Sleep(30 * time.Second)

			for i := range 20 {
				l.add(theLog, mailbox.Tag{byte(i), 9}, 0)
				time.Sleep(5 * time.Second)
				if got := m.has(at, theLog); got != i+1 {
					t.Fatalf("request late by %v: %d of %d entries", late, got, i+1)
				}
			}
		})
	}
}

// TestBlocksAreLost: blocks that were sent for more entries are lost, and those that stand are
// used up before that can be seen.
func TestBlocksAreLost(t *testing.T) {
	bookshop(t, mailbox.LogPosition{Name: theLog}, func(l *library, m *member) {
		at := wire.NodeID{1}
		time.Sleep(time.Minute)
		for i := range 2 { // two blocks are left
			time.Sleep(500 * time.Millisecond)
			l.add(theLog, mailbox.Tag{byte(i)}, 0)
		}
		l.loses(1) // the answers have left
		time.Sleep(600 * time.Millisecond)
		l.loses(0)
		for i := range 20 {
			l.add(theLog, mailbox.Tag{byte(i), 9}, 0)
			if time.Sleep(500 * time.Millisecond); i > 0 {
				time.Sleep(7 * time.Second)
			}
		}
		if got := m.has(at, theLog); got != 22 {
			t.Errorf("%d of 22 entries", got)
		}
	})
}

// TestUnacknowledged: entries that the caller has had and not acknowledged come again after
// a poll, and not all the time.
func TestUnacknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLibrary(1)
		l.fill(10)
		m := newMember(t, map[wire.NodeID]*library{{1}: l}, 10*time.Minute, mailbox.LogPosition{Name: theLog})
		m.mu.Lock()
		m.silent = true
		m.mu.Unlock()
		time.Sleep(time.Hour)
		m.mu.Lock()
		defer m.mu.Unlock()
		if n := m.got[wire.NodeID{1}][theLog][mailbox.Tag{1, 0, 1}]; n < 2 || n > 8 {
			t.Errorf("an entry came %d times in an hour", n)
		}
	})
}

// TestMailboxThatLiesAboutLogs: whatever a mailbox says, its reader asks no more often than
// its polls and a bounded number of times before them, and hands nothing wrong on.
func TestMailboxThatLiesAboutLogs(t *testing.T) {
	var next atomic.Uint32
	entry := func(f *mailbox.Follow, instance, position uint32) *mailbox.Answer {
		return &mailbox.Answer{Kind: mailbox.Logged, Entry: &mailbox.LogEntry{Name: f.Logs[0].Name, Instance: instance, Position: position}}
	}
	end := func(f *mailbox.Follow, instance, last uint32) *mailbox.Answer {
		return &mailbox.Answer{Kind: mailbox.Ended, Ends: []mailbox.LogEnd{{Name: f.Logs[0].Name, Instance: instance, Last: last}}}
	}
	for name, lie := range map[string]func(f *mailbox.Follow, answered func(*mailbox.Answer)){
		"there is more, and nothing comes": func(f *mailbox.Follow, answered func(*mailbox.Answer)) {
			for range f.Blocks {
				answered(end(f, 1, 1<<30))
			}
		},
		"another instance each time": func(f *mailbox.Follow, answered func(*mailbox.Answer)) {
			for range f.Blocks {
				answered(end(f, next.Add(1), 1<<20))
			}
		},
		"an entry for every block": func(f *mailbox.Follow, answered func(*mailbox.Answer)) {
			for range f.Blocks {
				answered(entry(f, 1, next.Add(1)))
			}
		},
		"entries of another instance each time": func(f *mailbox.Follow, answered func(*mailbox.Answer)) {
			for range f.Blocks {
				answered(entry(f, next.Add(1), 1000))
			}
		},
		"the same entry for every block": func(f *mailbox.Follow, answered func(*mailbox.Answer)) {
			for range f.Blocks {
				answered(entry(f, 1, 7))
			}
		},
		"a position that is none": func(f *mailbox.Follow, answered func(*mailbox.Answer)) {
			for range f.Blocks {
				answered(entry(f, 1, 1<<32-2))
				answered(end(f, 1, 1<<32-2))
			}
		},
		"a log that was not named": func(f *mailbox.Follow, answered func(*mailbox.Answer)) {
			a := entry(f, 1, 1)
			a.Entry.Name[3]++
			answered(a)
		},
		"an answer to something else": func(f *mailbox.Follow, answered func(*mailbox.Answer)) {
			answered(&mailbox.Answer{Kind: mailbox.Stored})
			answered(&mailbox.Answer{Kind: mailbox.None})
		},
		"no blocks stand": func(f *mailbox.Follow, answered func(*mailbox.Answer)) {
			for range f.Blocks {
				answered(&mailbox.Answer{Kind: mailbox.Ended, Ends: []mailbox.LogEnd{{Name: f.Logs[0].Name}}})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bookshop(t, mailbox.LogPosition{Name: theLog}, func(l *library, m *member) {
				l.mu.Lock()
				l.lie = lie
				l.mu.Unlock()
				time.Sleep(24 * time.Hour)
				requests, _ := l.took()
				came := m.has(wire.NodeID{1}, theLog)
				m.mu.Lock()
				defer m.mu.Unlock()
				bytes := 0
				for _, times := range m.got[wire.NodeID{1}][theLog] {
					bytes += times
				}
				t.Logf("%d requests a day, %d entries handed out, %v", len(requests), bytes, m.counts)
				// Who sends entries is asked for as many as a log lets in; for the rest polls
				// are the measure.
				if most := 24*6*3/2 + hasteMost/hasteCost + 24*6*4 + bytes/2; len(requests) > most {
					t.Errorf("%d requests, want at most %d", len(requests), most)
				}
				if bytes > entriesAhead+entriesDay+1 {
					t.Errorf("%d entries of %d are taken", bytes, came)
				}
			})
		})
	}
}

// TestSpans: what came is joined, and gaps are what is left.
func TestSpans(t *testing.T) {
	l := begin(mailbox.LogPosition{Name: theLog}, time.Now())
	rnd := rand.New(rand.NewPCG(1, 1))
	have := map[uint32]bool{}
	l.last = 200
	for range 1000 {
		from := uint32(rnd.IntN(190))
		to := from + 1 + uint32(rnd.IntN(9))
		l.add(span{from, to})
		for p := from + 1; p <= to; p++ {
			have[p] = true
		}
		missing := map[uint32]bool{}
		for _, g := range l.gaps([]span{{50, 55}}, 1000) {
			if g.to-g.from > mailbox.MaxBlocks || g.from >= g.to {
				t.Fatalf("gap %v", g)
			}
			for p := g.from + 1; p <= g.to; p++ {
				missing[p] = true
			}
		}
		for p := uint32(1); p <= l.last; p++ {
			if l.has(p) != have[p] || missing[p] == (have[p] || p > 50 && p <= 55) {
				t.Fatalf("position %d: has %v, want %v; missing %v", p, l.has(p), have[p], missing[p])
			}
		}
		if len(l.spans) > 100 {
			t.Fatal("spans are not joined")
		}
		if len(have) > 150 {
			l, have = begin(mailbox.LogPosition{}, time.Now()), map[uint32]bool{}
			l.last = 200
		}
	}
	l = begin(mailbox.LogPosition{}, time.Now())
	for p := uint32(2); p < 4*spansMost; p += 2 {
		l.add(span{p - 1, p})
	}
	if len(l.spans) > spansMost {
		t.Errorf("%d spans", len(l.spans))
	}
	l.last = lastPosition
	if g := l.gaps(nil, 1000); len(g) != 1000 {
		t.Errorf("%d gaps", len(g))
	}
}

// TestReadingThatIsCutShort: positions count as read only when all that a reading brought was
// handed out, and belongs to the log as it is now.
func TestReadingThatIsCutShort(t *testing.T) {
	ws := New(Config{Count: func(string) {}, Issued: func(wire.NodeID) time.Time { return time.Time{} }, Patience: time.Second, Poll: time.Hour, PollShare: time.Hour})
	ws.Follow("room", wire.NodeID{1}, []mailbox.LogPosition{{Name: theLog}})
	var w *watch
	for _, w = range ws.m {
	}
	it := w.follow.log(theLog)
	entry := func(instance, position uint32) *mailbox.Answer {
		return &mailbox.Answer{Kind: mailbox.Logged, Entry: &mailbox.LogEntry{Name: theLog, Instance: instance, Position: position}}
	}
	read := func(answers ...*mailbox.Answer) {
		l := ws.newLease(w, mailbox.Look, len(answers), time.Now())
		l.read = &reading{log: it, of: it.instance}
		w.leases = append(w.leases, l)
		for _, a := range answers {
			ws.answer(l, a)
		}
		if slices.Contains(w.leases, l) {
			t.Error("a reading that was answered in full is not over")
		}
	}

	for len(ws.news) < cap(ws.news) { // the caller takes nothing
		ws.news <- news{}
	}
	read(entry(7, 1), entry(7, 2), entry(7, 3))
	if it.base() != 0 {
		t.Errorf("entries that were not handed out count as read up to %d", it.base())
	}
	for len(ws.news) > 0 {
		<-ws.news
	}
	read(entry(7, 2), entry(7, 5))
	if it.base() != 5 || it.has(6) {
		t.Errorf("a reading of 2 and 5 counts up to %d", it.base())
	}
	read(entry(7, 6), entry(8, 2)) // another instance
	if it.instance != 8 || it.base() != 0 {
		t.Errorf("of instance %d all up to %d counts as read", it.instance, it.base())
	}

	// Three entries came to the log behind a reading: the first is on its way, the third was pushed.
	it.anew(9)
	ws.entered(ws.newLease(w, mailbox.Stand, 5, time.Now()), entry(9, 3), time.Now())
	read(&mailbox.Answer{Kind: mailbox.Ended, Ends: []mailbox.LogEnd{{Name: theLog, Instance: 9, Count: 3, Last: 3}}})
	if it.base() != 0 || it.has(2) {
		t.Errorf("entries that came behind a reading count as read up to %d", it.base())
	}
}

// TestReadAgain: a caller that names a position below the one of before has the entries above it once more, soon, and
// those before it not.
func TestReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLibrary(1)
		l.fill(100)
		m := newMember(t, map[wire.NodeID]*library{{1}: l}, time.Hour, mailbox.LogPosition{Name: theLog})
		time.Sleep(time.Minute)
		m.mu.Lock()
		back := m.logs[wire.NodeID{1}][0]
		m.mu.Unlock()
		if back.After != 100 {
			t.Fatalf("it has read up to %d", back.After)
		}

		back.After = 64
		m.ws.Follow("room", wire.NodeID{1}, []mailbox.LogPosition{back})
		time.Sleep(time.Minute)
		m.mu.Lock()
		defer m.mu.Unlock()
		for i := range 100 {
			want := 1
			if i >= 64 {
				want = 2
			}
			if n := m.got[wire.NodeID{1}][theLog][mailbox.Tag{byte(i), 0, 1}]; n != want {
				t.Errorf("entry %d came %d times, and not %d", i+1, n, want)
			}
		}
	})
}
