package exchange

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// BenchmarkScale prints the cost of a directory of 10,000 relays: in memory, and on
// a link for a newcomer and for an asker of old, when nothing, one in a hundred, or
// the neighbour has changed. Frames are wire.FrameSize bytes; signatures are
// verified.
func BenchmarkScale(b *testing.B) {
	const relays = directory.MaxRelays
	all := make([][]byte, relays)
	next := make([][]byte, relays/100)
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for n := g; n < relays; n += 16 {
				all[n] = descriptorOf(b, n, 1, time.Now().Add(-time.Hour))
			}
			for n := g; n < len(next); n += 16 {
				next[n] = descriptor(b, 100*n, 2)
			}
		})
	}
	wg.Wait()
	fill := func(d *directory.Directory, raws [][]byte) {
		for _, raw := range raws {
			if err := d.Add(raw); err != nil {
				b.Fatal(err)
			}
		}
	}
	a, c := wire.NodeID{1}, wire.NodeID{2}
	// made returns somebody in the middle of two neighbours that have all relays.
	made := func() *star {
		s := newStar(a, c)
		fill(s.dirs[a], all)
		fill(s.dirs[c], all)
		return s
	}
	pull := func(b *testing.B, s *star, from wire.NodeID) (frames int) {
		s.frames = 0
		if _, err := s.x.Pull(b.Context(), from); err != nil {
			b.Fatal(err)
		}
		if s.dir.Snapshot().Digest != s.dirs[from].Snapshot().Digest {
			b.Fatal("not all was read")
		}
		return s.frames
	}
	run := func(name string, prepare func(*star), from wire.NodeID) {
		b.Run(name, func(b *testing.B) {
			var took time.Duration
			frames := 0
			for range b.N {
				s := made()
				prepare(s)
				began := time.Now()
				frames += pull(b, s, from)
				took += time.Since(began)
			}
			b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "ms/pull")
			b.ReportMetric(float64(frames)/float64(b.N), "frames/pull")
			b.ReportMetric(float64(frames)*wire.FrameSize/float64(b.N), "B/pull")
		})
	}
	run("newcomer", func(*star) {}, a)
	run("nothing new", func(s *star) { pull(b, s, a) }, a)
	run("1% new", func(s *star) { pull(b, s, a); fill(s.dirs[a], next) }, a)
	run("same, other neighbour", func(s *star) { pull(b, s, a) }, c)
	run("1% new, other neighbour", func(s *star) { pull(b, s, a); fill(s.dirs[c], next) }, c)
	run("1% new, restarted", func(s *star) { pull(b, s, a); s.restart(a); fill(s.dirs[a], next) }, a)

	b.Run("memory", func(b *testing.B) {
		for range b.N {
			before := heap()
			d := directory.New(directory.Config{})
			fill(d, all)
			b.ReportMetric(float64(heap()-before)/relays, "B/relay")
			d.Snapshot()
			b.ReportMetric(float64(heap()-before)/relays, "B/relay-with-snapshot")
			runtime.KeepAlive(d)
		}
	})
}

// heap returns the bytes in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
