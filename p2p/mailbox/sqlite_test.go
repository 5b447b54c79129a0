package mailbox_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncruces/go-sqlite3"
	"go.uber.org/goleak"

	"starling/p2p/mailbox"
	"starling/p2p/mailbox/mailboxtest"
)

func openSQLite(t testing.TB, path string, max int) *mailbox.SQLite {
	t.Helper()
	s, err := mailbox.OpenSQLite(path, max)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func dbPath(t testing.TB) string { return filepath.Join(t.TempDir(), "mailbox.db") }

func TestSQLite(t *testing.T) {
	mailboxtest.TestStore(t, func(t *testing.T, max int) mailbox.Store {
		return openSQLite(t, dbPath(t), max)
	})
}

func TestMemory(t *testing.T) {
	mailboxtest.TestStore(t, func(t *testing.T, max int) mailbox.Store { return mailbox.NewMemory(max) })
}

func TestMemoryLogFull(t *testing.T) { mailboxtest.TestLogFull(t, mailbox.NewMemory(40_000)) }

func putN(t testing.TB, s mailbox.Store, n int) *mailbox.Box {
	t.Helper()
	box := mailboxtest.RandomBox()
	if err := s.Put(t.Context(), mailboxtest.Tag(n), box, time.Now().Add(mailbox.TTL), false); err != nil {
		t.Fatalf("Put: %v", err)
	}
	return box
}

func hasBox(t testing.TB, s mailbox.Store, n int) bool {
	t.Helper()
	items, err := s.Get(t.Context(), []mailbox.Tag{mailboxtest.Tag(n)}, time.Now())
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return len(items) == 1
}

func TestSQLiteRestart(t *testing.T) {
	path := dbPath(t)
	s := openSQLite(t, path, 10)
	box := putN(t, s, 1)
	putN(t, s, 2)
	if err := s.Delete(t.Context(), []mailbox.Tag{mailboxtest.Tag(2)}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // idempotent
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(t.Context(), mailboxtest.Tag(3), box, time.Now(), false); !errors.Is(err, mailbox.ErrClosed) {
		t.Errorf("Put after Close: %v", err)
	}
	s = openSQLite(t, path, 10)
	if left := time.Until(s.Latest()); left < mailbox.TTL-time.Minute || left > mailbox.TTL+time.Hour {
		t.Errorf("what was stored last expires in %v", left)
	}
	items, err := s.Get(t.Context(), []mailbox.Tag{mailboxtest.Tag(1), mailboxtest.Tag(2)}, time.Now())
	if err != nil || len(items) != 1 || items[0].Box != *box || s.Len() != 1 {
		t.Fatalf("%d boxes after a restart, Len %d: %v", len(items), s.Len(), err)
	}
}

func TestSQLiteRemembers(t *testing.T) {
	path := dbPath(t)
	s := openSQLite(t, path, 10)
	box := putN(t, s, 1)
	putN(t, s, 2)
	if err := s.Put(t.Context(), mailboxtest.Tag(3), box, time.Now().Add(mailbox.TTL), true); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), []mailbox.Tag{mailboxtest.Tag(1)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSQLite(t, path, 10)
	if got, want := s.Counts(), (mailbox.Counts{Boxes: 2, Asked: 1, Acknowledged: 1}); got != want {
		t.Errorf("after a restart: %+v, want %+v", got, want)
	}
	if err := s.Put(t.Context(), mailboxtest.Tag(1), box, time.Now().Add(mailbox.TTL), false); !errors.Is(err, mailbox.ErrAcknowledged) {
		t.Errorf("repair: %v", err)
	}
	if err := s.Put(t.Context(), mailboxtest.Tag(1), mailboxtest.RandomBox(), time.Now().Add(mailbox.TTL), false); !errors.Is(err, mailbox.ErrTaken) {
		t.Errorf("another box: %v", err)
	}
	// The row of the acknowledged box is used again.
	putN(t, s, 4)
	putN(t, s, 5)
	if n, err := mailbox.HighestRow(s); n != 4 || err != nil {
		t.Errorf("4 boxes reach row %d: %v", n, err)
	}
}

// TestSQLiteLowerQuota: a quota that was lowered, at a start or while it runs, costs
// nobody a box. New ones come when enough have gone.
func TestSQLiteLowerQuota(t *testing.T) {
	path := dbPath(t)
	s := openSQLite(t, path, 100)
	for n := range 100 {
		putN(t, s, n)
	}
	for n := range 30 {
		if err := s.Delete(t.Context(), []mailbox.Tag{mailboxtest.Tag(n)}); err != nil {
			t.Fatal(err)
		}
	}

	put := func(n int) error {
		return s.Put(t.Context(), mailboxtest.Tag(n), mailboxtest.RandomBox(), time.Now().Add(mailbox.TTL), true)
	}
	for round := range 3 {
		if round < 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openSQLite(t, path, 20)
		} else if err := s.Resize(t.Context(), 20); err != nil {
			t.Fatal(err)
		}
		if got := s.Counts(); got.Boxes != 70 || got.Acknowledged != 20 || got.Evicted != 0 {
			t.Errorf("round %d: %+v", round, got)
		}
		if err := put(1000 + round); !errors.Is(err, mailbox.ErrFull) {
			t.Errorf("round %d: a box more is taken: %v", round, err)
		}
	}

	for n := 30; n < 99; n++ {
		if s.Len() > 20 && put(2000+n) == nil {
			t.Fatalf("a box is taken beside %d", s.Len())
		}
		if err := s.Delete(t.Context(), []mailbox.Tag{mailboxtest.Tag(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(3000); err != nil || s.Len() != 2 {
		t.Errorf("%d boxes: %v", s.Len(), err)
	}
	if err := s.Resize(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		put(4000 + n)
	}
	if s.Len() != 3 {
		t.Errorf("%d boxes of 3", s.Len())
	}
	if free, ok := s.Free(); ok && free == 0 {
		t.Error("the disk is full")
	}
}

// TestSQLiteFailedCommit: operations that fail with their commit leave no trace in the
// counts.
func TestSQLiteFailedCommit(t *testing.T) {
	s := openSQLite(t, dbPath(t), 8)
	for n := range 8 {
		putN(t, s, n)
	}
	before := s.Counts()
	ok := false
	if err := mailbox.OnCommit(s, func() bool { return ok }); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), mailboxtest.Tag(100), mailboxtest.RandomBox(), time.Now().Add(mailbox.TTL), true); err == nil {
		t.Error("stored without a commit")
	}
	if err := s.Delete(t.Context(), []mailbox.Tag{mailboxtest.Tag(1), mailboxtest.Tag(2)}); err == nil {
		t.Error("deleted without a commit")
	}
	if got := s.Counts(); got != before {
		t.Errorf("%+v became %+v", before, got)
	}
	ok = true
	if err := s.Delete(t.Context(), []mailbox.Tag{mailboxtest.Tag(9)}); err != nil {
		t.Fatal(err)
	}
	if got := s.Counts(); got != before {
		t.Errorf("%+v became %+v with the next commit", before, got)
	}
	for n := range 8 {
		if !hasBox(t, s, n) {
			t.Errorf("box %d is gone", n)
		}
	}
}

func TestSQLiteFileIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such modes")
	}
	path := filepath.Join(t.TempDir(), "a?b#c%20 d&e.db") // and keeps its name
	putN(t, openSQLite(t, path, 10), 1)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("files %v: %v", files, err)
	}
	if !slices.Contains(files, path) {
		t.Errorf("no %s among %v", path, files)
	}
	for _, f := range files {
		st, err := os.Stat(f)
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", filepath.Base(f), st.Mode(), err)
		}
	}
}

func TestSQLiteIsExclusive(t *testing.T) {
	path := dbPath(t)
	openSQLite(t, path, 10)
	_, err := mailbox.OpenSQLite(path, 10)
	if err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Fatalf("second opening: %v", err)
	}
}

func TestSQLiteDamaged(t *testing.T) {
	for name, damage := range map[string]func([]byte){
		"header":   func(b []byte) { copy(b, "not a database at all") },
		"a page":   func(b []byte) { copy(b[3*8192:], bytes.Repeat([]byte{0xff}, 8192)) },
		"cut off":  nil,
		"app id":   func(b []byte) { copy(b[68:], []byte{1, 2, 3, 4}) },
		"a schema": func(b []byte) { copy(b[60:], []byte{0, 0, 0, 1}) }, // user_version
	} {
		t.Run(name, func(t *testing.T) {
			path := dbPath(t)
			s := openSQLite(t, path, 1000)
			for n := range 100 {
				putN(t, s, n)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if damage == nil {
				b = b[:len(b)/2]
			} else {
				damage(b)
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err = mailbox.OpenSQLite(path, 1000)
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, mailbox.ErrDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move the file away") {
				t.Fatalf("opening: %v", err)
			}
		})
	}
}

func TestSQLiteForeignDatabase(t *testing.T) {
	path := dbPath(t)
	db, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Exec("CREATE TABLE wallet (coins)"), db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := mailbox.OpenSQLite(path, 10); !errors.Is(err, mailbox.ErrDamaged) {
		t.Fatalf("somebody else's database: %v", err)
	}
}

// TestSQLiteMigrates: a database of an older program is brought up to date with its
// rows, one of a later program is left alone.
func TestSQLiteMigrates(t *testing.T) {
	path := dbPath(t)
	s := openSQLite(t, path, 10)
	putN(t, s, 1)
	s.Close()
	end := mailbox.AddMigration("ALTER TABLE box ADD COLUMN later INTEGER;")
	s = openSQLite(t, path, 10)
	if !hasBox(t, s, 1) {
		t.Error("the box is gone")
	}
	s.Close()
	openSQLite(t, path, 10).Close() // once is enough
	end()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := mailbox.OpenSQLite(path, 10); !errors.Is(err, mailbox.ErrNewer) || errors.Is(err, mailbox.ErrDamaged) {
			t.Errorf("opened the file of a later program: %v", err)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file of a later program was changed, %v", err)
	}
}

func TestSQLiteNoSuchFolder(t *testing.T) {
	_, err := mailbox.OpenSQLite(filepath.Join(t.TempDir(), "no", "such", "folder.db"), 10)
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("opening: %v", err)
	}
}

// TestSQLiteFullDisk: a full disk refuses boxes and loses none.
func TestSQLiteFullDisk(t *testing.T) {
	s := openSQLite(t, dbPath(t), 100_000)
	if err := mailbox.LimitPages(s, 30); err != nil {
		t.Fatal(err)
	}
	stored := 0
	for {
		err := s.Put(t.Context(), mailboxtest.Tag(stored), mailboxtest.RandomBox(), time.Now().Add(mailbox.TTL), false)
		if errors.Is(err, mailbox.ErrFull) {
			break
		}
		if err != nil || stored > 1000 {
			t.Fatalf("after %d boxes: %v", stored, err)
		}
		stored++
	}
	if stored == 0 || s.Len() != stored {
		t.Fatalf("%d boxes stored, Len %d", stored, s.Len())
	}
	// Boxes that come together do not cost each other their place.
	var full atomic.Int64
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			err := s.Put(t.Context(), mailboxtest.Tag(10_000+n), mailboxtest.RandomBox(), time.Now().Add(mailbox.TTL), false)
			if errors.Is(err, mailbox.ErrFull) {
				full.Add(1)
			} else if err != nil {
				t.Errorf("Put: %v", err)
			}
		})
	}
	wg.Wait()
	if got, want := s.Len(), stored+20-int(full.Load()); got != want || full.Load() == 0 {
		t.Errorf("Len %d, want %d; %d refused", got, want, full.Load())
	}
	for n := range stored {
		if !hasBox(t, s, n) {
			t.Fatalf("box %d of %d is lost", n, stored)
		}
	}
	var tags []mailbox.Tag
	for n := range 10 {
		tags = append(tags, mailboxtest.Tag(n))
	}
	if err := s.Delete(t.Context(), tags); err != nil {
		t.Fatalf("Delete on a full disk: %v", err)
	}
	putN(t, s, 20_000)
}

// TestSQLiteAnswersAfterCommit: nobody is told that a box is stored before it is.
func TestSQLiteAnswersAfterCommit(t *testing.T) {
	path := dbPath(t)
	synctest.Test(t, func(t *testing.T) {
		s, err := mailbox.OpenSQLite(path, 10)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		decide := make(chan bool)
		committing := 0
		if err := mailbox.OnCommit(s, func() bool { committing++; return <-decide }); err != nil {
			t.Fatal(err)
		}
		results := make(chan error, 1)
		go func() {
			results <- s.Put(t.Context(), mailboxtest.Tag(1), mailboxtest.RandomBox(), time.Now().Add(mailbox.TTL), false)
		}()
		// First no, in the batch and when it is tried by itself, then yes.
		for n, ok := range []bool{false, false, true} {
			synctest.Wait()
			select {
			case err := <-results:
				t.Fatalf("answered before the commit: %v", err)
			default:
			}
			if committing != n+1 {
				t.Fatalf("%d commits begun, want %d", committing, n+1)
			}
			decide <- ok
			if n == 1 {
				if err := <-results; err == nil || s.Len() != 0 {
					t.Fatalf("stored without a commit: %v, Len %d", err, s.Len())
				}
				go func() {
					results <- s.Put(t.Context(), mailboxtest.Tag(1), mailboxtest.RandomBox(), time.Now().Add(mailbox.TTL), false)
				}()
			}
		}
		if err := <-results; err != nil || s.Len() != 1 {
			t.Fatalf("Put: %v, Len %d", err, s.Len())
		}
	})
}

// TestSQLiteLowOnDisk: before the disk is full boxes are refused, so that deletions
// keep their room.
func TestSQLiteLowOnDisk(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("free space is not known")
	}
	s := openSQLite(t, dbPath(t), 10)
	box := putN(t, s, 1)
	if err := mailbox.LeaveFree(s, 1<<62); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), mailboxtest.Tag(2), box, time.Now().Add(mailbox.TTL), false); !errors.Is(err, mailbox.ErrFull) {
		t.Errorf("Put: %v", err)
	}
	if err := s.Put(t.Context(), mailboxtest.Tag(1), box, time.Now().Add(mailbox.TTL), false); err != nil {
		t.Errorf("Put of what is there: %v", err)
	}
	if err := s.Delete(t.Context(), []mailbox.Tag{mailboxtest.Tag(1)}); err != nil || s.Len() != 0 {
		t.Errorf("Delete: %v", err)
	}
	if err := mailbox.LeaveFree(s, 0); err != nil {
		t.Fatal(err)
	}
	putN(t, s, 2)
}

// TestSQLiteShrinks: expired boxes give their room on the disk back.
func TestSQLiteShrinks(t *testing.T) {
	path := dbPath(t)
	s := openSQLite(t, path, 10_000)
	for n := range 2000 {
		putN(t, s, n)
	}
	if n, err := s.Expire(t.Context(), time.Now().Add(mailbox.TTL+2*time.Hour)); n != 2000 || err != nil {
		t.Fatalf("%d expired: %v", n, err)
	}
	if err := s.Close(); err != nil { // moves the log into the file
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Size() > 150<<10 {
		t.Fatalf("empty store takes %d bytes: %v", st.Size(), err)
	}
}

// killedEnv names a store and the first tag to use.
const killedEnv = "STARLING_TEST_KILLED_STORE"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if arg := os.Getenv(killedEnv); arg != "" {
		first, path, _ := strings.Cut(arg, ":")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			panic(err)
		}
		storeForever(path, n)
	}
	goleak.VerifyTestMain(m)
}

// storeForever reports stored boxes on standard output.
func storeForever(path string, first int64) {
	s, err := mailbox.OpenSQLite(path, 0)
	if err != nil {
		panic(err)
	}
	var next atomic.Int64
	next.Store(first)
	for range 20 {
		go func() {
			for {
				n := int(next.Add(1))
				if err := s.Put(context.Background(), mailboxtest.Tag(n), mailboxtest.RandomBox(), time.Now().Add(mailbox.TTL), false); err != nil {
					panic(err)
				}
				fmt.Println(n)
			}
		}()
	}
	select {}
}

// TestSQLiteKilled: boxes answered as stored are there after the process was killed, at
// any time.
func TestSQLiteKilled(t *testing.T) {
	path := dbPath(t)
	var stored []int
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d:%s", killedEnv, (round+1)*1_000_000, path))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := 0
		for lines := bufio.NewScanner(out); lines.Scan(); said++ {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				break // cut off by its death
			}
			stored = append(stored, n)
			if said == 100+37*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait()
		if said < 100 {
			t.Fatalf("round %d: only %d boxes stored", round, said)
		}
		s := openSQLite(t, path, 0)
		for _, n := range stored {
			if !hasBox(t, s, n) {
				t.Errorf("round %d: box %d was stored and is gone", round, n)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkSQLitePut(b *testing.B) {
	for _, callers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := openSQLite(b, dbPath(b), 1<<30)
			box := mailboxtest.RandomBox()
			var next atomic.Int64
			b.SetBytes(mailbox.BoxSize)
			b.ResetTimer()
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for {
						n := next.Add(1)
						if n > int64(b.N) {
							return
						}
						var tag mailbox.Tag
						copy(tag[:], fmt.Sprintf("%x", uint64(n)*0x9e3779b97f4a7c15))
						if err := s.Put(context.Background(), tag, box, time.Now().Add(mailbox.TTL), false); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "boxes/s")
		})
	}
}

func BenchmarkSQLiteGet32(b *testing.B) {
	s := openSQLite(b, dbPath(b), 0)
	tags := make([]mailbox.Tag, mailbox.MaxTags)
	for n := range 1000 {
		putN(b, s, n)
	}
	for i := range tags {
		tags[i] = mailboxtest.Tag(i * 50) // 20 of 32 are there
	}
	for b.Loop() {
		if _, err := s.Get(context.Background(), tags, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSQLiteOpen is a start with 100,000 boxes, with the file in the system's
// cache.
func BenchmarkSQLiteOpen(b *testing.B) {
	const boxes = 100_000
	path := dbPath(b)
	s := openSQLite(b, path, 0)
	var wg sync.WaitGroup
	for g := range 250 {
		wg.Go(func() {
			for n := range boxes / 250 {
				putN(b, s, g*1000+n)
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := mailbox.OpenSQLite(path, 0)
		if err != nil {
			b.Fatal(err)
		}
		if s.Len() != boxes {
			b.Fatalf("%d boxes", s.Len())
		}
		s.Close()
	}
	b.ReportMetric(float64(st.Size())/boxes, "bytes/box")
}
