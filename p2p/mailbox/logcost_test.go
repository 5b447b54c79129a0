package mailbox_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/mailbox/mailboxtest"
)

// BenchmarkSQLiteAppend is BenchmarkSQLitePut for entries, of 64 logs.
func BenchmarkSQLiteAppend(b *testing.B) {
	for _, callers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := openSQLite(b, dbPath(b), 1<<30)
			began := time.Now()
			entry := mailboxtest.RandomEntry(mailbox.Tag{})
			var next atomic.Int64
			b.ResetTimer()
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for {
						n := next.Add(1)
						if n > int64(b.N) {
							return
						}
						e := *entry
						e.Tag = mailboxtest.Tag(int(n))
						now := began.Add(time.Duration(n) * time.Second / 4)
						if _, _, err := s.Append(context.Background(), mailboxtest.Log(int(n%64)+int(n/400_000)*64), &e, now, true); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkSQLiteEnd is the digest of a log of 4,000 entries, made anew each time because of
// an entry that came, and the range read of five entries of it.
func BenchmarkSQLiteEnd(b *testing.B) {
	s := openSQLite(b, dbPath(b), 0)
	now := time.Now()
	add := func(n int) {
		now = now.Add(time.Second / 4)
		s.Append(context.Background(), mailboxtest.Log(1), mailboxtest.RandomEntry(mailboxtest.Tag(n*7919)), now, true)
	}
	var work sync.WaitGroup
	for n := range 4000 {
		if n%256 == 0 {
			work.Wait()
		}
		now = now.Add(time.Second / 4)
		at := now
		work.Go(func() {
			s.Append(context.Background(), mailboxtest.Log(1), mailboxtest.RandomEntry(mailboxtest.Tag(n*7919)), at, true)
		})
	}
	work.Wait()
	b.Run("digest", func(b *testing.B) {
		for i := range b.N {
			b.StopTimer()
			add(mailbox.MaxEntries + i)
			b.StartTimer()
			if _, err := s.End(context.Background(), []mailbox.LogName{mailboxtest.Log(1)}, now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("known", func(b *testing.B) {
		for range b.N {
			if _, err := s.End(context.Background(), []mailbox.LogName{mailboxtest.Log(1)}, now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read5", func(b *testing.B) {
		for i := range b.N {
			if _, _, err := s.Read(context.Background(), []mailbox.LogPosition{{Name: mailboxtest.Log(1), After: uint32(i * 31 % 3900)}}, 5, now); err != nil {
				b.Fatal(err)
			}
		}
	})
}
