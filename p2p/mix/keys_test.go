package mix

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// TestKeysFollowTheDay: a key is published ahead, opens from ten minutes before its
// day until eight hours after it, and is then gone.
func TestKeysFollowTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changes := 0
		e, s := newEngine(t, Config{OnKeys: func() { changes++ }})
		start(t, e)
		// synctest begins at midnight.
		day := outfox.EpochAt(time.Now())
		keys := keysNow(e)
		for i, k := range keys {
			if k.Epoch != day-1+outfox.Epoch(i) {
				t.Fatalf("key %d is of %+d", i, k.Epoch-day)
			}
			if i > 0 && k.Public.Equal(keys[i-1].Public) {
				t.Fatal("two days have one key")
			}
		}
		opens := func(k Key, slot outfox.Slot) bool {
			t.Helper()
			_, route := hops(e, 0, 0)
			route[0].Key = k.Public
			submit(e, packet(t, slot, route))
			return len(s.take()) == 1
		}
		until := func(at time.Time) {
			time.Sleep(time.Until(at))
			synctest.Wait()
		}
		first := outfox.SlotAt(day.Start())

		// Yesterday's, until its last packets expire.
		until(day.Start().Add(outfox.KeyLife - 2))
		if !opens(keys[0], first+3) || !opens(keys[1], first+7) {
			t.Error("a key does not open in the last moment of the one before, or of its own")
		}
		if opens(keys[2], first+16) {
			t.Error("tomorrow's opens at eight")
		}
		until(day.Start().Add(outfox.KeyLife))
		if changes != 1 {
			t.Fatalf("told of %d changes", changes)
		}
		if e.keys[day-1] != nil {
			t.Error("yesterday's key is kept")
		}
		now := keysNow(e)
		if now[0] != keys[1] || now[1] != keys[2] || now[2].Epoch != day+2 {
			t.Error("not the keys that were announced")
		}

		// Tomorrow's, from ten minutes before midnight, as a clock that is ahead needs it.
		tomorrow := first + 12
		until(day.End().Add(-outfox.Skew - 1))
		if opens(keys[2], tomorrow+outfox.MaxAhead) {
			t.Error("tomorrow's opens too early")
		}
		until(day.End().Add(-outfox.Skew))
		if !opens(keys[2], tomorrow+outfox.MaxAhead) {
			t.Error("tomorrow's does not open ten minutes before")
		}
		if !opens(keys[1], tomorrow+3) {
			t.Error("today's does not open at its end")
		}
		if changes != 1 {
			t.Errorf("told of %d changes", changes)
		}
	})
}

// TestBytesComeAround: after 256 days, and after 256 slots, the bytes are the same,
// and nothing opens.
func TestBytesComeAround(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newEngine(t, Config{})
		start(t, e)
		time.Sleep(9 * time.Hour)
		slot, route := hops(e, 0, 0)
		old := packet(t, slot, route)
		time.Sleep(256 * outfox.SlotLength)
		synctest.Wait()
		submit(e, old)
		wantRefused(t, e, map[string]int64{"no key": 1})
		time.Sleep(256*outfox.EpochLength - 256*outfox.SlotLength)
		synctest.Wait()
		submit(e, old)
		wantRefused(t, e, map[string]int64{"no key": 1, "sealed": 1})
		if len(s.take()) != 0 {
			t.Error("opened")
		}
	})
}

// TestReplayUntilItExpires: a packet is known again until it expires, and not
// opened after.
func TestReplayUntilItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newEngine(t, Config{})
		start(t, e)
		now := outfox.SlotAt(time.Now())
		var packets []*outfox.Packet
		for ahead := range outfox.Slot(outfox.MaxAhead + 1) {
			_, route := hops(e, 0, 0)
			slot := now + ahead
			route[0].Key = keyOf(e, slot.Epoch())
			packets = append(packets, packet(t, slot, route))
			submit(e, packets[ahead])
		}
		if n := len(s.take()); n != outfox.MaxAhead+1 {
			t.Fatalf("%d opened", n)
		}
		for hour := range 12 {
			for _, p := range packets {
				submit(e, p)
			}
			if n := len(s.take()); n != 0 {
				t.Fatalf("%d replays opened after %d hours", n, hour)
			}
			want := max(0, outfox.MaxAhead+1-hour/2)
			if hour%2 == 1 { // the slot has not ended for long
				if st := e.Stats(); st.Seen != want {
					t.Errorf("after %d hours %d tags are kept, want %d", hour, st.Seen, want)
				}
			}
			time.Sleep(time.Hour)
			synctest.Wait()
		}
		r := e.Stats().Refused
		if r["replay"] != 2*(1+2+3+4+5) || r["expired"]+r["no key"]+r["replay"] != 12*5 {
			t.Errorf("refused %v", r)
		}
	})
}

// TestClockSetBack: a clock that is set back makes slots come again of which all is
// forgotten: the keys go, too. By a few minutes it may.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes, behind atomic.Int64
		e, s := newEngine(t, Config{
			OnKeys: func() { changes.Add(1) },
			Now:    func() time.Time { return time.Now().Add(-time.Duration(behind.Load())) },
		})
		start(t, e)
		time.Sleep(12*time.Hour - time.Minute) // a slot ends at noon
		_, route := hops(e, 0, 0)
		slot := outfox.SlotAt(time.Now())
		p := packet(t, slot, route)
		submit(e, p)
		if len(s.take()) != 1 {
			t.Fatal("does not open")
		}
		keys := keysNow(e)

		time.Sleep(5 * time.Minute)
		behind.Store(int64(outfox.Skew))
		synctest.Wait()
		submit(e, p)
		wantRefused(t, e, map[string]int64{"replay": 1})
		time.Sleep(time.Minute)
		if keysNow(e) != keys || changes.Load() != 1 { // one was at eight
			t.Errorf("%d changes of keys for ten minutes", changes.Load())
		}

		behind.Store(0)
		time.Sleep(time.Hour)
		behind.Store(int64(2 * time.Hour))
		submit(e, p) // before the engine has noticed
		wantRefused(t, e, map[string]int64{"replay": 1, "expired": 1})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		submit(e, p)
		wantRefused(t, e, map[string]int64{"replay": 1, "expired": 1, "sealed": 1})
		if now := keysNow(e); now[0].Public.Equal(keys[0].Public) || now[1].Public.Equal(keys[1].Public) || changes.Load() != 2 {
			t.Errorf("a slot came again, and keys stay; %d changes", changes.Load())
		}
		if len(s.take()) != 0 {
			t.Error("a replay was opened")
		}
	})
}

// TestRestartRefusesReplay: a recorded packet cannot be replayed to a relay that lost
// its memory.
func TestRestartRefusesReplay(t *testing.T) {
	e, _ := newEngine(t, Config{})
	slot, route := hops(e, 0, 0)
	p := packet(t, slot, route)
	submit(e, p)
	again, s := newEngine(t, Config{})
	submit(again, p)
	wantRefused(t, again, map[string]int64{"sealed": 1})
	if len(s.take()) != 0 {
		t.Error("passed on")
	}
}

// TestAnnouncedKeyStays: a clock that goes back over eight o'clock by minutes does not
// cost a key that was announced meanwhile.
func TestAnnouncedKeyStays(t *testing.T) {
	now := outfox.EpochAt(time.Now()).Start().Add(outfox.KeyLife + time.Minute)
	e, _ := newEngine(t, Config{Now: func() time.Time { return now }})
	announced := keysNow(e)
	now = now.Add(-2 * time.Minute)
	if before := keysNow(e); before[1] != announced[0] || before[2] != announced[1] {
		t.Error("other keys two minutes before")
	}
	now = now.Add(2 * time.Minute)
	if keysNow(e) != announced {
		t.Error("a key that was announced is another")
	}
}

// journal is a log that is read while an engine writes.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// firstOf is the first epoch that an engine has a key for.
func firstOf(e *Engine) outfox.Epoch {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.first
}

// TestKeysChangeOnTime: keys change when they are due, whenever the engine was started,
// and the change is logged, without a key.
func TestKeysChangeOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged journal
		e, _ := newEngine(t, Config{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		time.Sleep(30 * time.Second)
		start(t, e)
		time.Sleep(outfox.KeyLife - 31*time.Second)
		synctest.Wait()
		if logged.String() != "" {
			t.Errorf("too early: %s", &logged)
		}
		old := firstOf(e)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if now := firstOf(e); now != old+1 || strings.Count(logged.String(), "new keys") != 1 {
			t.Errorf("epoch %+d; logged: %s", now-old, &logged)
		}
	})
}

// TestClockThatStands: a clock that stands in the last moment of a slot costs a look a
// second.
func TestClockThatStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int64
		at := outfox.SlotAt(time.Now()).End().Add(-1)
		e, _ := newEngine(t, Config{Now: func() time.Time { looks.Add(1); return at }})
		start(t, e)
		time.Sleep(10 * time.Second)
		if n := looks.Load(); n > 25 {
			t.Errorf("%d looks at the clock in ten seconds", n)
		}
	})
}

// slowSink is a sink that takes a second for a packet.
type slowSink struct{ sink }

func (s *slowSink) Forward(from, next wire.NodeID, p *outfox.Packet) {
	time.Sleep(time.Second)
	s.sink.Forward(from, next, p)
}

// TestRunReturnsLast: when Run returns, no packet is on its way out of the queue.
func TestRunReturnsLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(slowSink)
		e, err := NewEngine(Config{Sink: s})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		slot, route := hops(e, 0, 10*time.Millisecond)
		submit(e, packet(t, slot, route))
		if err := e.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if len(s.take()) != 1 {
			t.Error("Run has returned, and a packet is under way")
		}
	})
}
