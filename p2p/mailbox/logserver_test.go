package mailbox

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// drain is a Sender into nothing.
type drain struct{}

func (drain) Send(wire.NodeID, *outfox.Packet) {}

// writer has the key of a log.
type writer struct {
	key  ed25519.PrivateKey
	next byte
}

func newWriter(n byte) *writer {
	return &writer{key: ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), n))}
}

func (w *writer) public() LogKey { return LogKey(w.key[ed25519.SeedSize:]) }

func (w *writer) name() LogName { return NameOf(w.public()) }

func (w *writer) entry() Entry {
	w.next++
	box := testBox()
	return SignEntry(w.key, Tag{w.next}, &box)
}

func (w *writer) append(c *client, s *Server, e Entry) {
	s.Deliver((&Append{Key: w.public(), Entry: e, Block: c.block()}).Message())
}

// follower has a lease for some logs.
type follower struct {
	lease LeaseID
	stamp uint64
	logs  []LogPosition
}

func newFollower(writers ...*writer) *follower {
	f := new(follower)
	rand.Read(f.lease[:])
	for _, w := range writers {
		f.logs = append(f.logs, LogPosition{Name: w.name()})
	}
	return f
}

func (f *follower) follow(t *testing.T, c *client, s *Server, mode Mode, blocks int) {
	t.Helper()
	r := Follow{Logs: f.logs, Mode: mode, Blocks: c.blocks(blocks)}
	if mode != Look {
		r.Lease, r.Stamp = f.lease, f.stamp
	}
	m, err := r.Message()
	if err != nil {
		t.Fatal(err)
	}
	s.Deliver(m)
}

func positions(answers []*Answer) (all []int) {
	for _, a := range answers {
		if a.Kind == Logged {
			all = append(all, int(a.Entry.Position))
		}
	}
	slices.Sort(all)
	return all
}

// TestAppendAnswers: only the key writes, and a tag is taken once.
func TestAppendAnswers(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		w, e := newWriter(1), newWriter(1).entry()
		w.append(c, s, e)
		w.append(c, s, e)
		c.want(Stored, Stored)
		box := testBox()
		w.append(c, s, SignEntry(w.key, e.Tag, &box))
		if a := c.want(Taken)[0]; !a.Here || a.Box != e.Box {
			t.Error("taken does not show the box")
		}

		forged := w.entry()
		forged.Box[7] ^= 1
		w.append(c, s, forged)
		moved := w.entry()
		moved.Tag[0]++
		w.append(c, s, moved)
		newWriter(2).append(c, s, e) // signed for another log
		c.want()
		if st := s.Stats(); st.Malformed != 3 || st.Entries != 1 || st.Logs != 1 {
			t.Errorf("stats: %v", st)
		}
	})
}

// TestFollow: entries are pushed in their order, more blocks go to those that stand, and an
// identical entry is never pushed: nobody without the key uses up blocks.
func TestFollow(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		w, other := newWriter(1), newWriter(2)
		f := newFollower(w, other)
		f.follow(t, c, s, Stand, 3)
		a := c.want(Ended)[0]
		if a.Standing != 2 || a.Sent != 0 || len(a.Ends) != 2 || a.Ends[0].Name != w.name() || a.Ends[0].Instance != 0 {
			t.Errorf("the first answer: %+v", a)
		}

		first := w.entry()
		w.append(c, s, first)
		a = c.want(Stored, Logged)[1]
		if a.Entry.Position != 1 || a.Entry.Entry != first || a.Standing != 1 || a.Entry.Instance == 0 || a.Entry.Name != w.name() {
			t.Errorf("the first push: %+v", a.Entry)
		}
		for range 5 {
			w.append(c, s, first)
			c.want(Stored)
		}
		f.follow(t, c, s, More, 5)
		c.want() // entries alone answer that
		other.append(c, s, other.entry())
		if a = c.want(Stored, Logged)[1]; a.Standing != 5 || a.Entry.Name != other.name() {
			t.Errorf("after more blocks %d stand", a.Standing)
		}
		for i := range 6 {
			w.append(c, s, w.entry())
			if i < 5 {
				if a = c.want(Stored, Logged)[1]; int(a.Entry.Position) != i+2 || a.Standing != 4-i {
					t.Errorf("push %d: position %d, %d stand", i, a.Entry.Position, a.Standing)
				}
			}
		}
		c.want(Stored) // no blocks any more

		// What waits comes with the next request, and what is acknowledged does not.
		f.logs[0].After = 4
		f.follow(t, c, s, More, 2)
		got := c.want(Logged, Logged)
		if p := positions(got); !slices.Equal(p, []int{5, 6}) || got[0].Pending != 2 || got[0].Standing != 0 {
			t.Errorf("%v came, %d wait", p, got[0].Pending)
		}
		f.logs[0].After, f.logs[1].After = 6, 1
		f.follow(t, c, s, Stand, 5)
		got = c.take()
		if p := positions(got); !slices.Equal(p, []int{7}) || len(got) != 2 || got[1].Kind != Ended || got[1].Standing != 3 || got[1].Sent != 1 {
			t.Errorf("%v came, %d answers", p, len(got))
		}
		if end := got[1].Ends[0]; end.Last != 7 || end.Count != 7 {
			t.Errorf("the end is %+v", end)
		}
	})
}

// TestLook: range reads leave nothing behind, and many are answered side by side.
func TestLook(t *testing.T) {
	bubble(t, ServerConfig{Store: NewMemory(400)}, func(t *testing.T, c *client, s *Server) {
		w := newWriter(1)
		for range 23 {
			w.append(c, s, w.entry())
		}
		c.take()
		f := newFollower(w)
		var got []int
		for i := range 5 {
			f.logs[0].After = uint32(5 * i)
			f.follow(t, c, s, Look, 5)
		}
		answers := c.take()
		got = positions(answers)
		for i := range 23 {
			if got[i] != i+1 {
				t.Fatalf("read %v", got)
			}
		}
		ends := slices.DeleteFunc(answers, func(a *Answer) bool { return a.Kind != Ended })
		if len(got) != 23 || len(ends) != 1 || ends[0].Sent != 3 || ends[0].Ends[0].Count != 23 || ends[0].Standing != 0 {
			t.Errorf("read %d entries, ends %v", len(got), ends)
		}
		f.logs[0].After = Newest
		f.follow(t, c, s, Look, 2)
		if p := positions(c.want(Logged, Logged)); !slices.Equal(p, []int{22, 23}) {
			t.Errorf("the newest are %v", p)
		}
		if st := s.Stats(); st.Readers != 0 {
			t.Errorf("%d follows stand", st.Readers)
		}
	})
}

// TestManyReaders: every reader gets each entry, and a lease replaces itself alone.
func TestManyReaders(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		w := newWriter(1)
		all := make([]*follower, 32)
		for i := range all {
			all[i] = newFollower(w)
			all[i].follow(t, c, s, Stand, 3)
		}
		all[0].follow(t, c, s, Stand, 2)
		c.take()
		if st := s.Stats(); st.Readers != 32 {
			t.Fatalf("%d follows stand", st.Readers)
		}
		for i := range 2 {
			w.append(c, s, w.entry())
			want := 1 + 32 - i // the first one has had one block only
			if got := c.take(); len(got) != want {
				t.Errorf("%d answers, want %d", len(got), want)
			}
		}
	})
}

// TestFollowAndAppendRace: an entry that comes while a follow is read is neither lost nor
// sent twice.
func TestFollowAndAppendRace(t *testing.T) {
	bubble(t, ServerConfig{Store: NewMemory(4000)}, func(t *testing.T, c *client, s *Server) {
		w := newWriter(1)
		f := newFollower(w)
		for round := range 40 {
			f.logs[0].After = uint32(2 * round)
			f.follow(t, c, s, Stand, 3) // none is left for the next round
			w.append(c, s, w.entry())
			w.append(c, s, w.entry())
			if got := positions(c.take()); !slices.Equal(got, []int{2*round + 1, 2*round + 2}) {
				t.Fatalf("round %d: %v", round, got)
			}
		}
	})
}

// TestReadersEnd: a follow ends with its blocks, after six hours, and with its epoch's keys.
func TestReadersEnd(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		w := newWriter(1)
		f := newFollower(w)
		f.follow(t, c, s, Stand, 3)
		c.want(Ended)
		time.Sleep(SubscriptionLife + time.Second)
		w.append(c, s, w.entry())
		c.want(Stored)
		time.Sleep(expireEvery)
		synctest.Wait()
		if s.mu.Lock(); len(s.readers.seats.byID)+s.readers.seats.bytes+len(s.readers.byLog) != 0 {
			t.Errorf("of an old follow is left: %+v", s.readers)
		}
		s.mu.Unlock()
	})
}

// TestReadersBounded: leases and readers of one log are bounded; a newcomer pays when it is
// crowded, and takes the place of a random young one.
func TestReadersBounded(t *testing.T) {
	const most = 40
	bubble(t, ServerConfig{MaxReaders: most, Price: 4}, func(t *testing.T, c *client, s *Server) {
		w := newWriter(1)
		poor := 0
		for range 4 * most {
			f := newFollower(w)
			f.follow(t, c, s, Stand, 2)
			if a := c.want(Ended)[0]; a.NoSeat {
				if a.Price != 4 || a.Standing != 0 {
					t.Fatalf("no seat: %+v", a)
				}
				poor++
				f.stamp, _ = FindStamp(t.Context(), s.cfg.Self, f.lease, time.Now(), 4)
				f.follow(t, c, s, Stand, 2)
				if a := c.want(Ended)[0]; a.NoSeat {
					t.Fatal("a stamp gets no seat")
				}
			}
			if st := s.Stats(); st.Readers > most {
				t.Fatalf("%d follows stand", st.Readers)
			}
		}
		if poor == 0 {
			t.Error("nobody had to pay")
		}
	})
	rs := newReaders(newSeats(10_000, 1<<30), time.Now)
	log := newWriter(1).name()
	for i := range 3 * maxLogReaders {
		r := newReader(&Follow{Logs: []LogPosition{{Name: log}}}, time.Now())
		if v := rs.add(LeaseID{1, byte(i), byte(i >> 8)}, r, true, time.Now()); v != stands {
			t.Fatal(v)
		}
	}
	if n := len(rs.byLog[log]); n != maxLogReaders {
		t.Errorf("%d readers of one log", n)
	}
}

// TestOneReaderAsks: a lease is not served more often than a log may grow.
func TestOneReaderAsks(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		f := newFollower(newWriter(1))
		for range 2 * appendBurst {
			f.follow(t, c, s, Stand, 1)
			c.take()
		}
		if st := s.Stats(); st.Ended > appendBurst+1 || st.Overloaded < appendBurst-1 {
			t.Errorf("served %d times, not %d times", st.Ended, st.Overloaded)
		}
	})
}

// TestMailboxThatLostAll is another instance of each log, and counts from 1 again.
func TestMailboxThatLostAll(t *testing.T) {
	var was uint32
	for range 2 {
		bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
			w := newWriter(1)
			w.append(c, s, w.entry())
			c.want(Stored)
			f := newFollower(w)
			f.logs[0].After = 700 // of before
			f.follow(t, c, s, Stand, 3)
			end := c.want(Ended)[0].Ends[0]
			if end.Instance == was || end.Last != 1 {
				t.Errorf("the end is %+v", end)
			}
			was = end.Instance
		})
	}
}

// TestLogFloodsBesideHonestMail: floods of logs, of entries, of follows and of reads take
// nothing from mail, nor from readers who were there.
func TestLogFloodsBesideHonestMail(t *testing.T) {
	enemy := newWriter(200)
	n := byte(0)
	floods := map[string]func(t *testing.T, c *client, s *Server){
		"logs": func(t *testing.T, c *client, s *Server) {
			w := newWriter(100 + n%64)
			n++
			w.append(c, s, w.entry())
		},
		"entries": func(t *testing.T, c *client, s *Server) { enemy.append(c, s, enemy.entry()) },
		"forgeries": func(t *testing.T, c *client, s *Server) {
			e := enemy.entry()
			e.Signature[3]++
			enemy.append(c, s, e)
		},
		"follows": func(t *testing.T, c *client, s *Server) {
			f := newFollower(enemy, newWriter(1))
			f.stamp, _ = FindStamp(t.Context(), testSelf, f.lease, time.Now(), testPrice)
			f.follow(t, c, s, Stand, 1)
		},
		"reads": func(t *testing.T, c *client, s *Server) { newFollower(enemy, newWriter(1)).follow(t, c, s, Look, 1) },
	}
	for name, flood := range floods {
		t.Run(name, func(t *testing.T) {
			cfg := seatsOf(20)
			cfg.FetchRate, cfg.PutRate, cfg.AppendRate, cfg.MaxRequests, cfg.MaxReaders = 2, 2, 30, 4, 20
			cfg.Store = NewMemory(400)
			bubble(t, cfg, func(t *testing.T, c *client, s *Server) {
				honest, room, reader := newWatcher(30), newWriter(1), newFollower(newWriter(1))
				for range 8 { // a day old
					honest.renew(t, c, s, false)
					reader.follow(t, c, s, Stand, 5)
					c.take()
					time.Sleep(4 * time.Hour)
				}
				stored, pushed, entries := 0, 0, 0
				for i := range 25 {
					for range 20 {
						flood(t, c, s)
						time.Sleep(50 * time.Millisecond)
					}
					c.take()
					deliverPut(t, c, s, honest.tags[i], testBox())
					room.append(c, s, room.entry())
					for _, a := range c.take() {
						switch {
						case a.Kind == Stored:
							stored++
						case a.Kind == Found && a.Tag == honest.tags[i]:
							pushed++
						case a.Kind == Logged:
							entries++
						}
					}
					deliverFetch(t, s, Fetch{Tags: honest.tags[i+1:], Acks: honest.tags[i : i+1], Blocks: c.blocks(2), Watch: true, Lease: honest.lease})
					reader.logs[0].After = uint32(i + 1)
					reader.follow(t, c, s, Stand, 3)
					c.take()
				}
				if stored != 50 || pushed != 25 || entries != 25 {
					t.Errorf("of 25 boxes and 25 entries %d were stored, %d and %d pushed", stored, pushed, entries)
				}
				if st := s.Stats(); st.Entries > 100 || st.Readers > 20 || st.Boxes > 400 {
					t.Errorf("too much is kept: %v", st)
				}
			})
		})
	}
}

// TestLogOverload: appends are worked on some at a time, and others are dropped; follows and
// mail do not wait for them.
func TestLogOverload(t *testing.T) {
	slow := &slowLogs{Memory: NewMemory(100), release: make(chan struct{})}
	bubble(t, ServerConfig{Store: slow, MaxRequests: 16}, func(t *testing.T, c *client, s *Server) {
		slow.release = make(chan struct{}) // of this bubble
		for i := range byte(5) {
			w := newWriter(i)
			w.append(c, s, w.entry())
		}
		synctest.Wait()
		newFollower(newWriter(1)).follow(t, c, s, Look, 1)
		c.want(Ended)
		deliverPut(t, c, s, Tag{1}, testBox())
		c.want(Stored)
		close(slow.release)
		c.want(Stored, Stored)
		if st := s.Stats(); st.Overloaded != 3 {
			t.Errorf("stats: %v", st)
		}
	})
}

// slowLogs append when they are released.
type slowLogs struct {
	*Memory
	release chan struct{}
}

func (s *slowLogs) Append(ctx context.Context, name LogName, e *Entry, now time.Time, followed bool) (LogEntry, bool, error) {
	<-s.release
	return s.Memory.Append(ctx, name, e, now, followed)
}

// TestTooManyLogs: a log more than there may be takes the place of one that nobody follows,
// and of no other.
func TestTooManyLogs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mailbox.db")
	disk, err := OpenSQLite(path, 400)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	memory := NewMemory(400)
	memory.shelf.most = 5
	if err := disk.LimitLogs(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Store{memory, disk} {
		for i := range byte(10) {
			w := newWriter(i)
			for range 3 {
				e := w.entry()
				if _, _, err := s.Append(t.Context(), w.name(), &e, time.Now(), i < 3); err != nil {
					t.Fatal(err)
				}
			}
		}
		if c := s.Counts(); c.Logs != 5 || c.Entries != 15 {
			t.Fatalf("%T: %+v", s, c)
		}
		for i := range byte(3) {
			if ends, err := s.End(t.Context(), []LogName{newWriter(i).name()}, time.Now()); err != nil || ends[0].Count != 3 {
				t.Errorf("%T: log %d, which is followed, has %d entries", s, i, ends[0].Count)
			}
		}
		for i := range byte(20) {
			w := newWriter(100 + i)
			e := w.entry()
			_, _, err = s.Append(t.Context(), w.name(), &e, time.Now(), true)
			if full := errors.Is(err, ErrFull); full != (i >= 2) {
				t.Errorf("%T: log %d beside followed ones: %v", s, i, err)
			}
		}
	}
}

// TestHostileLogs: a hundred thousand requests of the worst kinds are worked on in bounded memory.
func TestHostileLogs(t *testing.T) {
	const room = 4000
	bubble(t, ServerConfig{Store: NewMemory(room), MaxReaders: 100, ReaderBytes: 400_000, MaxInterest: 16_000}, func(t *testing.T, c *client, s *Server) {
		block := c.block()
		w, e := newWriter(1), newWriter(1).entry()
		for i := range 100_000 {
			f := Follow{Mode: Mode(i % 3), Blocks: slices.Repeat([]*outfox.Block{block}, 1+i%MaxBlocks)}
			for j := range 1 + i%MaxFollowed {
				f.Logs = append(f.Logs, LogPosition{Name: LogName{byte(i), byte(i >> 8), byte(j)}, After: uint32(i) << 20})
			}
			r := newReader(&f, time.Now())
			s.mu.Lock()
			s.named.add([]Tag{{byte(i), byte(i >> 8), byte(i >> 16)}}, s.now())
			if f.Mode != Look {
				s.readers.add(LeaseID{1, byte(i), byte(i >> 8), byte(i >> 16)}, r, true, s.now())
			}
			s.mu.Unlock()
			e.Tag = Tag{byte(i), byte(i >> 8), byte(i >> 16)}
			s.cfg.Store.Append(t.Context(), LogName{byte(i), byte(i >> 8)}, &e, s.now(), i%2 == 0)
		}
		w.append(c, s, w.entry())
		c.want(Full) // nobody follows it, and somebody says to follow the others
		st := s.Stats()
		s.mu.Lock()
		defer s.mu.Unlock()
		if st.Entries > room/logShare || st.Readers > 100 || s.readers.seats.bytes > 400_000 || len(s.named.last) > 1000 || len(s.readers.byLog) > 800 {
			t.Errorf("kept: %v; %d bytes of readers, %d names", st, s.readers.seats.bytes, len(s.named.last))
		}
	})
}

// BenchmarkAppend prints the cost of an append at the mailbox: its signature, the store in
// memory, the answer, and the pushes to 32 readers who have blocks left.
func BenchmarkAppend(b *testing.B) {
	for _, readers := range []int{0, 32} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			c := newClient(&testing.T{})
			s := NewServer(ServerConfig{Store: NewMemory(1 << 18), Sender: drain{}})
			requests := make([]*Append, b.N)
			for i := range requests {
				w := newWriter(byte(i))
				w.key = ed25519.NewKeyFromSeed(slices.Concat(make([]byte, 24), []byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i), 0, 0, 0, 1}))
				requests[i] = &Append{Key: w.public(), Entry: w.entry(), Block: c.block()}
				for range readers {
					r := newReader(&Follow{Logs: []LogPosition{{Name: w.name()}}, Blocks: []*outfox.Block{requests[i].Block}}, time.Now())
					r.looking = false
					s.readers.byLog[w.name()] = append(s.readers.byLog[w.name()], r)
				}
			}
			b.ResetTimer()
			for _, r := range requests {
				s.append(b.Context(), r)
			}
		})
	}
}

// betweenReads is a Memory that lets something happen before and after the next Read.
type betweenReads struct {
	*Memory
	before, after func()
}

func (s *betweenReads) Read(ctx context.Context, logs []LogPosition, most int, now time.Time) ([]LogEntry, int, error) {
	before, after := s.before, s.after
	s.before, s.after = nil, nil
	if before != nil {
		before()
	}
	found, left, err := s.Memory.Read(ctx, logs, most, now)
	if after != nil {
		after()
	}
	return found, left, err
}

// TestEntryAtTheMomentOfAFollow: an entry whose append and a follow meet, in any order of
// their steps, is sent once.
func TestEntryAtTheMomentOfAFollow(t *testing.T) {
	for name, steps := range map[string]func(store *betweenReads, commit, push func()) (last func()){
		"on disk before it is read, pushed while it is": func(store *betweenReads, commit, push func()) func() {
			store.before, store.after = commit, push
			return nil
		},
		"on disk before it is read, pushed behind": func(store *betweenReads, commit, push func()) func() {
			store.before = commit
			return push
		},
		"on disk and pushed while it is read": func(store *betweenReads, commit, push func()) func() {
			store.after = func() { commit(); push() }
			return nil
		},
		"on disk while it is read, pushed behind": func(store *betweenReads, commit, push func()) func() {
			store.after = commit
			return push
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := &betweenReads{Memory: NewMemory(100)}
			bubble(t, ServerConfig{Store: store}, func(t *testing.T, c *client, s *Server) {
				w := newWriter(1)
				var at LogEntry
				commit := func() {
					e := w.entry()
					var err error
					if at, _, err = store.Append(t.Context(), w.name(), &e, s.now(), true); err != nil {
						t.Error(err)
					}
				}
				last := steps(store, commit, func() { s.pushEntry(&at, s.now()) })
				newFollower(w).follow(t, c, s, Stand, 4)
				got := c.take()
				if last != nil {
					last()
				}
				if got = append(got, c.take()...); !slices.Equal(positions(got), []int{1}) {
					t.Errorf("sent %v", positions(got))
				}
			})
		})
	}
}
