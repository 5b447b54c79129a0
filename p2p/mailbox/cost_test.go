package mailbox_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/mailbox/mailboxtest"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// sendNowhere is a Sender that counts packets instead of sending them.
type sendNowhere struct{ answers chan struct{} }

func (s sendNowhere) Send(wire.NodeID, *outfox.Packet) { s.answers <- struct{}{} }

// BenchmarkUsers prints the cost of a mailbox for each of 1,000 users. Each watches
// 32 tags for each of two contacts and has 20 boxes waiting. The cost is memory,
// disk, and the traffic of a day of polls and 50 boxes. Its time means nothing.
func BenchmarkUsers(b *testing.B) {
	const users, contacts, boxes = 1000, 2, 20
	block := func() *outfox.Block {
		raw := make([]byte, outfox.BlockSize)
		rand.Read(raw)
		raw[0] = outfox.EpochAt(time.Now()).Byte()
		blk, err := outfox.ParseBlock(raw)
		if err != nil {
			b.Fatal(err)
		}
		return blk
	}
	for range b.N {
		dir := b.TempDir()
		before := rss(b)
		store, err := mailbox.OpenSQLite(filepath.Join(dir, "mailbox.db"), 0)
		if err != nil {
			b.Fatal(err)
		}
		sender := sendNowhere{make(chan struct{}, 1)}
		server := mailbox.NewServer(mailbox.ServerConfig{Store: store, Sender: sender})
		ctx, cancel := context.WithCancel(context.Background())
		var done sync.WaitGroup
		done.Go(func() { server.Run(ctx) })
		time.Sleep(10 * time.Millisecond) // a benchmark: Run must have begun
		for range users * contacts {
			f := mailbox.Fetch{Watch: true, Tags: make([]mailbox.Tag, mailbox.MaxTags)}
			rand.Read(f.Lease[:])
			for i := range f.Tags {
				rand.Read(f.Tags[i][:])
			}
			for range 4 {
				f.Blocks = append(f.Blocks, block())
			}
			m, err := f.Message()
			if err != nil {
				b.Fatal(err)
			}
			server.Deliver(m)
			<-sender.answers
		}
		leased := rss(b)
		var wg sync.WaitGroup
		for g := range 100 {
			wg.Go(func() {
				for i := range users * boxes / 100 {
					tag := mailboxtest.Tag(g*1_000_000 + i)
					rand.Read(tag[:8])
					if err := store.Put(context.Background(), tag, mailboxtest.RandomBox(), time.Now().Add(mailbox.TTL), true); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
		full := rss(b)
		stats := server.Stats()
		cancel()
		done.Wait()
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
		if stats.Subscriptions != users*contacts || stats.Boxes != users*boxes {
			b.Fatalf("stats: %v", stats)
		}
		st, err := os.Stat(filepath.Join(dir, "mailbox.db"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(leased-before)/users, "B-leased/user")
		b.ReportMetric(float64(full-before)/users, "B-RSS/user")
		b.ReportMetric(float64(st.Size())/users, "B-disk/user")
		b.ReportMetric(float64(st.Size())/users/boxes, "B-disk/box")
	}
}

// rss returns the resident memory after a collection, where Linux says.
func rss(b *testing.B) int64 {
	runtime.GC()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("resident memory is not known here")
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(raw))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// BenchmarkTombstones prints the size of one on disk.
func BenchmarkTombstones(b *testing.B) {
	const n = 10_000
	for range b.N {
		path := dbPath(b)
		s := openSQLite(b, path, 0)
		var wg sync.WaitGroup
		for g := range 100 {
			wg.Go(func() {
				for i := range n / 100 {
					putN(b, s, g*1000+i)
					if err := s.Delete(context.Background(), []mailbox.Tag{mailboxtest.Tag(g*1000 + i)}); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if got := s.Counts(); got.Boxes != 0 || got.Acknowledged != n {
			b.Fatalf("%+v", got)
		}
		if _, err := s.Expire(context.Background(), time.Now()); err != nil {
			b.Fatal(err)
		}
		for range n / 1024 { // each gives 1,024 pages back
			s.Expire(context.Background(), time.Now())
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(st.Size())/n, "B-disk/tombstone")
	}
}
