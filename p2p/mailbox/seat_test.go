package mailbox

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// testPrice is a stamp that costs nothing to make.
const testPrice = 4

var testSelf = wire.NodeID{7}

// subsCount is how many tags, young seats and owed boxes a running server has.
type subsCount struct{ tags, young, owed int }

func subsOf(s *Server) subsCount {
	s.mu.Lock()
	defer s.mu.Unlock()
	return subsCount{len(s.subs.byTag), len(s.subs.seats.young), len(s.subs.owed)}
}

func seatAt(s *Server, id LeaseID) *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subs.seats.byID[id]
}

// watcher renews one watch.
type watcher struct {
	lease LeaseID
	tags  []Tag
}

func newWatcher(n int) *watcher { return &watcher{lease: testLease(), tags: testTags(n)} }

// renew sends the watch anew and returns the mailbox's answer. With pay it brings a
// stamp of today.
func (w *watcher) renew(t *testing.T, c *client, s *Server, pay bool) *Answer {
	t.Helper()
	f := Fetch{Tags: w.tags, Blocks: c.blocks(2), Watch: true, Lease: w.lease}
	if pay {
		var err error
		if f.Stamp, err = FindStamp(t.Context(), testSelf, w.lease, time.Now(), testPrice); err != nil {
			t.Fatal(err)
		}
	}
	for !pay && stamped(testSelf, w.lease, f.Stamp, time.Now(), testPrice) {
		f.Stamp++ // none that is good by chance, as one in sixteen is here
	}
	deliverFetch(t, s, f)
	return c.want(None)[0]
}

func seatsOf(n int) ServerConfig {
	return ServerConfig{MaxSeats: n, Price: testPrice, Self: testSelf, FetchRate: 1 << 20}
}

// TestStampWhenCrowded: above three quarters a newcomer needs a stamp, the holder of a
// seat does not.
func TestStampWhenCrowded(t *testing.T) {
	bubble(t, seatsOf(8), func(t *testing.T, c *client, s *Server) {
		var early []*watcher
		for range 6 {
			w := newWatcher(2)
			if a := w.renew(t, c, s, false); a.NoSeat || a.Standing != 1 {
				t.Fatalf("refused at %d of 8 seats", len(early))
			}
			early = append(early, w)
		}
		w := newWatcher(2)
		if a := w.renew(t, c, s, false); !a.NoSeat || a.Price != testPrice || a.Standing != 0 {
			t.Errorf("no seat %v for %d bits, %d blocks stand", a.NoSeat, a.Price, a.Standing)
		}
		if n := s.Stats().Subscriptions; n != 6 {
			t.Errorf("%d subscriptions", n)
		}
		if a := w.renew(t, c, s, true); a.NoSeat || a.Standing != 1 {
			t.Error("refused with a stamp")
		}
		for _, w := range early {
			if a := w.renew(t, c, s, false); a.NoSeat {
				t.Error("who has a seat is asked for a stamp")
			}
		}
		if st := s.Stats(); st.Seats != 7 || st.Subscriptions != 7 || st.NoSeat != 1 {
			t.Errorf("stats: %v", st)
		}
	})
}

// TestYoungSeatsAreContested: when all seats are taken a newcomer gets that of a
// random one younger than a day. An older holder keeps its seat.
func TestYoungSeatsAreContested(t *testing.T) {
	bubble(t, seatsOf(40), func(t *testing.T, c *client, s *Server) {
		var old, young []*watcher
		for range 20 {
			w := newWatcher(2)
			w.renew(t, c, s, true)
			old = append(old, w)
		}
		renewOld := func() {
			for _, w := range old {
				if a := w.renew(t, c, s, false); a.NoSeat {
					t.Fatal("an old watch lost its seat")
				}
			}
		}
		for range 7 {
			time.Sleep(4 * time.Hour)
			renewOld()
		}
		for range 20 {
			w := newWatcher(2)
			w.renew(t, c, s, true)
			young = append(young, w)
		}
		for range 200 { // ten times the young, each with a stamp
			if a := newWatcher(2).renew(t, c, s, true); a.NoSeat {
				t.Fatal("a newcomer with a stamp is refused while there are young ones")
			}
		}
		renewOld()
		left := 0
		for _, w := range young {
			if seatAt(s, w.lease) != nil {
				left++
			}
		}
		if left > 3 { // (19/20)^200 of 20
			t.Errorf("%d of 20 young ones keep their seats against 200", left)
		}
		if st := s.Stats(); st.Seats != 40 || st.Subscriptions != 40 {
			t.Errorf("stats: %v", st)
		}
	})
}

// TestNoSeat: when nobody is young a newcomer is told that there is no seat, stamp
// or not.
func TestNoSeat(t *testing.T) {
	bubble(t, seatsOf(4), func(t *testing.T, c *client, s *Server) {
		var old []*watcher
		for range 4 {
			w := newWatcher(2)
			w.renew(t, c, s, true)
			old = append(old, w)
		}
		for range 6 {
			time.Sleep(4 * time.Hour)
			for _, w := range old {
				w.renew(t, c, s, false)
			}
		}
		w := newWatcher(2)
		if a := w.renew(t, c, s, true); !a.NoSeat || a.Price != 0 {
			t.Errorf("no seat %v, price %d", a.NoSeat, a.Price)
		}
		// The box is found all the same, and pushed to the holders of seats.
		deliverPut(t, c, s, w.tags[0], testBox())
		c.want(Stored)
		deliverPut(t, c, s, old[0].tags[0], testBox())
		c.want(Stored, Found)
		deliverFetch(t, s, Fetch{Tags: w.tags, Blocks: c.blocks(2), Watch: true, Lease: w.lease})
		if a := c.want(Found)[0]; !a.NoSeat || a.Standing != 0 {
			t.Errorf("no seat %v, %d stand", a.NoSeat, a.Standing)
		}
		// A seat that nobody renews is free after six hours.
		time.Sleep(SubscriptionLife + expireEvery)
		synctest.Wait()
		if st := s.Stats(); st.Seats != 0 || st.SeatBytes != 0 || subsOf(s).young != 0 {
			t.Errorf("stats: %v", st)
		}
		if a := newWatcher(2).renew(t, c, s, false); a.NoSeat {
			t.Error("refused in an empty mailbox")
		}
	})
}

// TestSeatByTags: a watch that begins anew under another lease, as after a restart,
// has its seat by its tags, and its age.
func TestSeatByTags(t *testing.T) {
	bubble(t, seatsOf(4), func(t *testing.T, c *client, s *Server) {
		w := newWatcher(3)
		w.renew(t, c, s, false)
		first := seatAt(s, w.lease)
		for range 3 {
			newWatcher(1).renew(t, c, s, true)
		}
		before := w.lease
		w.lease = testLease()
		w.tags = append(w.tags[1:], testTags(1)...)
		if a := w.renew(t, c, s, false); a.NoSeat || a.Standing != 1 {
			t.Error("a watch that begins anew is refused")
		}
		if seatAt(s, before) != nil || seatAt(s, w.lease) != first || s.Stats().Seats != 4 {
			t.Error("the seat did not pass over")
		}
	})
}

// TestOneSeatIsBounded: one seat holds so much and no more, and its memory is counted
// and given back.
func TestOneSeatIsBounded(t *testing.T) {
	bubble(t, seatsOf(4), func(t *testing.T, c *client, s *Server) {
		lease := testLease()
		for range 3 * seatSubscriptions {
			deliverFetch(t, s, Fetch{Tags: testTags(5), Blocks: c.blocks(5), Watch: true, Lease: lease})
		}
		c.take()
		st := s.Stats()
		if st.Seats != 1 || st.Subscriptions != seatSubscriptions {
			t.Errorf("stats: %v", st)
		}
		if want := seatSubscriptions * (512 + 450*5 + 120*5); st.SeatBytes != want {
			t.Errorf("%d bytes, want %d", st.SeatBytes, want)
		}
		if n := subsOf(s).tags; n != 5*seatSubscriptions {
			t.Errorf("%d tags", n)
		}
		time.Sleep(SubscriptionLife + expireEvery)
		synctest.Wait()
		if st, tags := s.Stats(), subsOf(s).tags; st.Seats != 0 || st.SeatBytes != 0 || tags != 0 {
			t.Errorf("stats: %v, %d tags", st, tags)
		}
	})
}

// TestSeatBytes: the memory of seats is bounded in bytes, too, by the same rules.
func TestSeatBytes(t *testing.T) {
	cfg := seatsOf(1000)
	cfg.SeatBytes = 20_000
	bubble(t, cfg, func(t *testing.T, c *client, s *Server) {
		for range 50 {
			w := newWatcher(20)
			if a := w.renew(t, c, s, true); a.NoSeat {
				t.Fatal("refused with a stamp")
			}
			if st := s.Stats(); st.SeatBytes > cfg.SeatBytes {
				t.Fatalf("%d bytes of %d", st.SeatBytes, cfg.SeatBytes)
			}
		}
		if a := newWatcher(20).renew(t, c, s, false); !a.NoSeat || a.Price != testPrice {
			t.Error("no stamp is asked for when there is no room")
		}
	})
}

// TestStamp: a stamp is for one mailbox, lease and day.
func TestStamp(t *testing.T) {
	const bits = 10
	lease, at := testLease(), time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	stamp, err := FindStamp(t.Context(), testSelf, lease, at, bits)
	if err != nil {
		t.Fatal(err)
	}
	good := func(self wire.NodeID, lease LeaseID, stamp uint64, at time.Time) bool {
		return stamped(self, lease, stamp, at, bits)
	}
	if !good(testSelf, lease, stamp, at) {
		t.Fatal("not good where it was made")
	}
	for _, d := range []time.Duration{-12 * time.Hour, 12*time.Hour - 1, -13 * time.Hour, 13*time.Hour - time.Second} {
		if !good(testSelf, lease, stamp, at.Add(d)) {
			t.Errorf("not good %v later", d)
		}
	}
	wrong := 0
	for _, d := range []time.Duration{-14 * time.Hour, 14 * time.Hour, 24 * time.Hour} {
		if good(testSelf, lease, stamp, at.Add(d)) {
			wrong++
		}
	}
	for range 20 {
		if good(testSelf, testLease(), stamp, at) || good(wire.NodeID{8}, testLease(), stamp, at) {
			wrong++
		}
	}
	if good(wire.NodeID{8}, lease, stamp, at) {
		wrong++
	}
	if wrong > 2 { // each by chance in 2^10
		t.Errorf("good in %d of 24 other places", wrong)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FindStamp(ctx, testSelf, lease, at, maxPrice); err == nil {
		t.Error("found what takes hours")
	}
}

// BenchmarkStamp is the cost of a newcomer at a crowded mailbox.
func BenchmarkStamp(b *testing.B) {
	for b.Loop() {
		if _, err := FindStamp(b.Context(), testSelf, testLease(), time.Now(), StampBits); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStamped is the mailbox's cost to check it.
func BenchmarkStamped(b *testing.B) {
	now, lease := time.Now(), testLease()
	stamp, err := FindStamp(b.Context(), testSelf, lease, now, 8)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !stamped(testSelf, lease, stamp, now, 8) {
			b.Fatal("it is none")
		}
	}
}

// TestTakenShowsTheBox: a put that finds another box gets it, so that the sender told
// "taken" can see whether that is so. Of one that was acknowledged nothing is left to
// show.
func TestTakenShowsTheBox(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tag, first := testTags(1)[0], testBox()
		deliverPut(t, c, s, tag, first)
		c.want(Stored)
		deliverPut(t, c, s, tag, testBox())
		if a := c.want(Taken)[0]; !a.Here || a.Box != first {
			t.Errorf("taken by a box that is here %v", a.Here)
		}
		deliverFetch(t, s, Fetch{Acks: []Tag{tag}, Blocks: c.blocks(1)})
		c.want(None)
		deliverPut(t, c, s, tag, testBox())
		if a := c.want(Taken)[0]; a.Here || a.Box != (Box{}) {
			t.Errorf("taken by a box that was acknowledged: here %v", a.Here)
		}
	})
}

// book is a Directory.
type book struct{ n, size int }

func (b book) List(first byte) *List {
	l := &List{Time: time.Unix(1_800_000_000, 0), Relays: 1000, Digest: [32]byte{first}}
	for i := range b.n {
		e := ListEntry{Known: uint16(i), Descriptor: make([]byte, b.size)}
		e.Descriptor[0] = byte(i)
		l.Entries = append(l.Entries, e)
	}
	return l
}

// TestQuestion: a question gets as many entries as fit into an answer, at random.
func TestQuestion(t *testing.T) {
	bubble(t, ServerConfig{Directory: book{n: 20, size: 330}}, func(t *testing.T, c *client, s *Server) {
		seen := map[uint16]int{}
		for range 200 {
			s.Deliver((&Question{First: 9, Block: c.block()}).Message())
			l := c.want(Listed)[0].List
			if l.Relays != 1000 || l.Digest[0] != 9 || l.Time.Unix() != 1_800_000_000 || len(l.Entries) != 5 {
				t.Fatalf("%d entries of %d relays", len(l.Entries), l.Relays)
			}
			for _, e := range l.Entries {
				if len(e.Descriptor) != 330 || e.Descriptor[0] != byte(e.Known) {
					t.Fatal("an entry was changed")
				}
				seen[e.Known]++
			}
		}
		for i, n := range seen {
			if n < 20 || n > 90 { // 50 are expected
				t.Errorf("entry %d came %d times", i, n)
			}
		}
		if len(seen) != 20 || s.Stats().Listed != 200 {
			t.Errorf("%d of 20 entries came in %d answers", len(seen), s.Stats().Listed)
		}
	})
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		s.Deliver((&Question{Block: c.block()}).Message())
		c.want()
	})
	// Entries that do not fit are left out, and no more than the count can say are
	// written.
	var m outfox.Message
	(&List{Time: time.Unix(0, 0), Entries: []ListEntry{{1, make([]byte, 3000)}, {2, nil}, {3, []byte{1}}}}).encode(&m)
	var l List
	if l.decode(&m) == 0 || len(l.Entries) != 1 || l.Entries[0].Known != 3 {
		t.Errorf("entries: %v", l.Entries)
	}
	m = outfox.Message{}
	(&List{Time: time.Unix(0, 0), Entries: book{n: 300, size: 1}.List(0).Entries}).encode(&m)
	if l = (List{}); l.decode(&m) == 0 || len(l.Entries) != 255 {
		t.Errorf("%d entries", len(l.Entries))
	}
}

// TestFloodsBesideHonestMail: a flood of leases, of fetches and of puts, each at
// ten times the rate of service, beside an honest stream. The owner of a seat is
// pushed to at once, and honest puts are stored.
func TestFloodsBesideHonestMail(t *testing.T) {
	floods := map[string]func(t *testing.T, c *client, s *Server){
		"leases": func(t *testing.T, c *client, s *Server) {
			w := newWatcher(2)
			f := Fetch{Tags: w.tags, Blocks: c.blocks(1), Watch: true, Lease: w.lease}
			f.Stamp, _ = FindStamp(t.Context(), testSelf, w.lease, time.Now(), testPrice)
			deliverFetch(t, s, f)
		},
		"fetches": func(t *testing.T, c *client, s *Server) {
			deliverFetch(t, s, Fetch{Tags: testTags(2), Blocks: c.blocks(1)})
		},
		"puts": func(t *testing.T, c *client, s *Server) {
			deliverPut(t, c, s, testTags(1)[0], testBox())
		},
		"questions": func(t *testing.T, c *client, s *Server) {
			s.Deliver((&Question{Block: c.block()}).Message())
		},
	}
	for name, flood := range floods {
		t.Run(name, func(t *testing.T) {
			cfg := seatsOf(20)
			cfg.FetchRate, cfg.PutRate, cfg.MaxRequests = 2, 2, 4
			cfg.Directory = book{}
			cfg.Store = NewMemory(4000)
			bubble(t, cfg, func(t *testing.T, c *client, s *Server) {
				honest := newWatcher(30)
				honest.renew(t, c, s, false)
				for range 7 { // a day old
					time.Sleep(4 * time.Hour)
					if a := honest.renew(t, c, s, false); a.NoSeat {
						t.Fatal("refused in peace")
					}
				}
				stored, pushed := 0, 0
				for i := range 25 {
					for range 20 {
						flood(t, c, s)
						time.Sleep(50 * time.Millisecond)
					}
					c.take()
					deliverPut(t, c, s, honest.tags[i], testBox())
					for _, a := range c.take() {
						switch {
						case a.Kind == Stored:
							stored++
						case a.Kind == Found && a.Tag == honest.tags[i]:
							pushed++
						}
					}
					deliverFetch(t, s, Fetch{Tags: honest.tags[i+1:], Acks: honest.tags[i : i+1], Blocks: c.blocks(2), Watch: true, Lease: honest.lease})
					if got := c.take(); len(got) != 1 || got[0].NoSeat || got[0].Standing != 1 {
						t.Fatalf("round %d: the renewal of an old watch has %d answers", i, len(got))
					}
				}
				if stored != 25 || pushed != 25 {
					t.Errorf("of 25 boxes %d were stored and %d pushed", stored, pushed)
				}
				t.Log(s.Stats())
			})
		})
	}
}
