package mailbox_test

import (
	"sync/atomic"
	"testing"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/mailbox/mailboxtest"
)

// TestSQLiteRemembers: acknowledged boxes, and boxes asked for, are known after a
// restart.
// TestSQLiteLogRestart: after a restart a log is the same instance, goes on counting, and
// its time is that of the last entry.
func TestSQLiteLogRestart(t *testing.T) {
	path := dbPath(t)
	s := openSQLite(t, path, 100)
	log := mailboxtest.Log(1)
	var was mailbox.LogEntry
	for n := range 3 {
		at, _, err := s.Append(t.Context(), log, mailboxtest.RandomEntry(mailboxtest.Tag(n)), time.Now(), false)
		if err != nil {
			t.Fatal(err)
		}
		was = at
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = openSQLite(t, path, 100)
	if left := time.Until(s.Latest()); left < mailbox.TTL-time.Minute || left > mailbox.TTL+time.Hour {
		t.Errorf("what was stored last expires in %v", left)
	}
	if c := s.Counts(); c.Logs != 1 || c.Entries != 3 {
		t.Errorf("after a restart: %+v", c)
	}
	at, fresh, err := s.Append(t.Context(), log, mailboxtest.RandomEntry(mailboxtest.Tag(9)), time.Now(), false)
	if err != nil || !fresh || at.Position != 4 || at.Instance != was.Instance {
		t.Errorf("the next entry is %d of instance %d, after %d of %d: %v", at.Position, at.Instance, was.Position, was.Instance, err)
	}
	if again, fresh, err := s.Append(t.Context(), log, &was.Entry, time.Now(), false); err != nil || fresh || again != was {
		t.Errorf("an entry of before: %v", err)
	}
}

// TestSQLiteLogRollback: when a commit fails nothing of it is left in memory.
func TestSQLiteLogRollback(t *testing.T) {
	s := openSQLite(t, dbPath(t), 40)
	log := mailboxtest.Log(1)
	add := func(log mailbox.LogName, n int) error {
		_, _, err := s.Append(t.Context(), log, mailboxtest.RandomEntry(mailboxtest.Tag(n)), time.Now(), true)
		return err
	}
	for n := range 10 {
		if err := add(log, n); err != nil {
			t.Fatal(err)
		}
	}
	before, beforeEnds := s.Counts(), endsOf(t, s, log)
	var fail atomic.Bool
	fail.Store(true)
	if err := mailbox.OnCommit(s, func() bool { return !fail.Load() }); err != nil {
		t.Fatal(err)
	}
	for i := range 5 { // each begins a log and takes the place of an entry
		if err := add(mailboxtest.Log(2+i), 1); err == nil {
			t.Fatal("a commit that fails is told as done")
		}
	}
	fail.Store(false)
	if after := s.Counts(); after != before {
		t.Errorf("counts %+v, before %+v", after, before)
	}
	if after := endsOf(t, s, log); after != beforeEnds {
		t.Errorf("the end is %+v, before %+v", after, beforeEnds)
	}
	if err := add(mailboxtest.Log(3), 1); err != nil {
		t.Error(err)
	}
	if c := s.Counts(); c.Logs != 2 || c.Entries != 10 {
		t.Errorf("after all: %+v", c)
	}
}

func endsOf(t *testing.T, s mailbox.Store, log mailbox.LogName) mailbox.LogEnd {
	t.Helper()
	ends, err := s.End(t.Context(), []mailbox.LogName{log}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ends[0]
}
