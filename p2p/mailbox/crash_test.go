package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/vfs"

	"starling/p2p/mailbox"
	"starling/p2p/mailbox/mailboxtest"
	"starling/p2p/virtualdisk"
)

// TestSQLiteKilledAtEveryWrite: a mailbox is killed at any write, or its machine
// loses its power then. Opened again, it has all boxes that it reported stored and
// none that it reported deleted. STARLING_CRASH=all tries every write.
func TestSQLiteKilledAtEveryWrite(t *testing.T) {
	for _, power := range []bool{false, true} {
		t.Run(fmt.Sprintf("power fails=%v", power), func(t *testing.T) {
			stride := 7
			if os.Getenv("STARLING_CRASH") == "all" {
				stride = 1
			} else if testing.Short() {
				stride *= 3
			}
			for kill := 0; ; kill += stride {
				killed := runKilledStore(t, kill, power)
				if t.Failed() {
					t.Fatalf("killed at write %d", kill)
				}
				if !killed {
					t.Logf("%d writes, every %d. tried", kill, stride)
					if kill < 60 {
						t.Errorf("only %d writes: the test sees nothing", kill)
					}
					return
				}
			}
		})
	}
}

// runKilledStore plays days of a mailbox and reports whether it was killed.
func runKilledStore(t *testing.T, kill int, power bool) (killed bool) {
	fs := virtualdisk.New()
	name := fmt.Sprintf("mailbox-%v-%d", power, kill)
	vfs.Register(name, fs)
	if power {
		fs.FailPowerAfter(kill)
	} else {
		fs.KillAfter(kill)
	}
	const boxes, room, together = 60, 50, 6
	path := dbPath(t)
	now := time.Now()
	all := make([]*mailbox.Box, boxes)
	var mu sync.Mutex // of the two
	stored, deleted := map[int]bool{}, map[int]bool{}
	logged := map[int]mailbox.LogEntry{} // by tag
	s, err := mailbox.OpenSQLiteOn(name, path, room)
	if err == nil {
		for from := 0; from < boxes; from += together {
			var work sync.WaitGroup
			for n := from; n < from+together; n++ {
				all[n] = mailboxtest.RandomBox()
				work.Go(func() {
					if s.Put(context.Background(), mailboxtest.Tag(n), all[n], now.Add(mailbox.TTL), true) == nil {
						mu.Lock()
						defer mu.Unlock()
						stored[n] = true
					}
				})
				work.Go(func() {
					e := mailboxtest.RandomEntry(mailboxtest.Tag(n))
					if at, _, err := s.Append(context.Background(), mailboxtest.Log(n%2), e, now, true); err == nil {
						mu.Lock()
						defer mu.Unlock()
						logged[n] = at
					}
				})
			}
			work.Wait()
			if old := from - together; old >= 0 {
				for n := old; n < from; n += 2 {
					if s.Delete(context.Background(), []mailbox.Tag{mailboxtest.Tag(n)}) == nil && stored[n] {
						deleted[n] = true
					}
				}
			}
			if from == boxes/2 {
				s.Expire(context.Background(), now)
			}
		}
		s.Close()
	}
	killed = fs.Dead()

	s, err = mailbox.OpenSQLite(path, room)
	if err != nil {
		t.Errorf("open again: %v", err)
		return killed
	}
	defer s.Close()
	wantLogged(t, s, logged, now)
	for n := range boxes {
		tag := mailboxtest.Tag(n)
		items, err := s.Get(context.Background(), []mailbox.Tag{tag}, now)
		if err != nil {
			t.Fatal(err)
		}
		there := len(items) == 1
		switch {
		case there && items[0].Box != *all[n]:
			t.Errorf("box %d is another", n)
		case there && deleted[n]:
			t.Errorf("box %d was deleted and is there", n)
		case deleted[n]:
			if err := s.Put(context.Background(), tag, all[n], now.Add(mailbox.TTL), true); !errors.Is(err, mailbox.ErrAcknowledged) {
				t.Errorf("box %d was deleted, and is stored again: %v", n, err)
			}
		case stored[n] && !there && n%2 == 1: // nobody has begun to delete it
			t.Errorf("box %d was stored and is gone", n)
		}
	}
	return killed
}

// wantLogged looks for entries that were appended: they have the places that were told, no
// two have one, and the count is that of what is there. The room for entries is smaller than
// their number: the oldest may have gone, and those alone.
func wantLogged(t *testing.T, s *mailbox.SQLite, logged map[int]mailbox.LogEntry, now time.Time) {
	t.Helper()
	for log := range 2 {
		name := mailboxtest.Log(log)
		found, _, err := s.Read(context.Background(), []mailbox.LogPosition{{Name: name}}, mailbox.MaxEntries, now)
		if err != nil {
			t.Fatal(err)
		}
		there := map[mailbox.Tag]mailbox.LogEntry{}
		oldest, last := uint32(mailbox.Newest), uint32(0)
		for _, e := range found {
			if e.Position <= last {
				t.Errorf("position %d after %d", e.Position, last)
			}
			there[e.Tag], oldest, last = e, min(oldest, e.Position), e.Position
		}
		for _, at := range logged {
			if got, ok := there[at.Tag]; at.Name == name && (ok && got != at || !ok && at.Position > oldest) {
				t.Errorf("log %d: the entry at %d is %v, now at %d of instance %d", log, at.Position, ok, got.Position, got.Instance)
			}
		}
		ends, err := s.End(context.Background(), []mailbox.LogName{name}, now)
		if err != nil || int(ends[0].Count) != len(found) || ends[0].Last < last {
			t.Errorf("log %d has %d entries and ends at %+v: %v", log, len(found), ends, err)
		}
	}
}
