package group

import (
	"fmt"
	"testing"
	"time"
)

// One append over the mixes: bytes up, and X25519 of the sender (packet and reply block).
const (
	appendBytes  = 2400
	appendX25519 = 16
)

// BenchmarkRoom counts what a text and a rekey cost their author, in rooms of 8 and 32, the size of a state, and how much of it
// a text that is heard writes.
func BenchmarkRoom(b *testing.B) {
	for _, n := range []int{8, 32} {
		w := newWorld(b)
		owner := w.found()
		l, err := owner.room.MakeLink(n, false, w.now.Add(time.Hour), w.now)
		if err != nil {
			b.Fatal(err)
		}
		owner.commit()
		for i := 1; i < n; i++ {
			w.asks(l.Text, fmt.Sprint("member ", i))
		}
		w.settle()
		report := func(b *testing.B, before int) {
			appends := float64(w.appends-before) / float64(b.N)
			b.ReportMetric(appends, "appends/op")
			b.ReportMetric(appends*appendBytes/1000, "KB/op")
			b.ReportMetric(appends*appendX25519, "X25519/op")
			b.ReportMetric(float64(sizeOf(owner.state))/1000, "KB-state")
		}
		b.Run(fmt.Sprintf("text/%d", n), func(b *testing.B) {
			before := w.appends
			for b.Loop() {
				owner.must(owner.says("a text of the usual length, a line or two of it"))
			}
			report(b, before)
		})
		b.Run(fmt.Sprintf("rekey/%d", n), func(b *testing.B) {
			before := w.appends
			for b.Loop() {
				owner.must(owner.room.rekey(w.now))
			}
			report(b, before)
		})
		b.Run(fmt.Sprintf("hear/%d", n), func(b *testing.B) {
			w.settle()
			for i := range w.people {
				w.people[i].must(w.people[i].says("all have spoken"))
			}
			w.settle()
			reader, written := w.people[1], 0
			for b.Loop() {
				b.StopTimer()
				e, _ := w.lastCell(owner, "a text")
				b.StartTimer()
				reader.room.Take(e, w.now)
				written += sizeOf(reader.room.State())
			}
			b.ReportMetric(float64(sizeOf(reader.room.whole()))/1000, "KB-state")
			b.ReportMetric(float64(written)/1000/float64(b.N), "KB-written/op")
		})
	}
}
