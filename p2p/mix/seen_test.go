package mix

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"starling/p2p/outfox"
)

func tagOf(i int) (t outfox.ReplayTag) {
	binary.BigEndian.PutUint64(t[:], uint64(i))
	return t
}

// TestMemory: the memory forgets nothing until the slot is over, each slot for
// itself, and finds next to nothing that is not there.
func TestMemory(t *testing.T) {
	const n = 100_000 // three filters
	m := newMemory(1 << 24)
	lost := 0
	for i := range n {
		if !m.add(7, tagOf(i)) {
			lost++
		}
	}
	if lost > n/1000 {
		t.Errorf("%d of %d fresh tags are taken for replays", lost, n)
	}
	if f := m.slots[7].filters; len(f) != 3 || f[0].size() != 1<<14 || f[2].size() != 1<<18 {
		t.Errorf("%d filters", len(f))
	}
	for i, f := range m.slots[7].filters {
		if f.room < 0 {
			t.Errorf("filter %d holds %d tags more than its share", i, -f.room)
		}
	}
	for i := range n {
		if m.add(7, tagOf(i)) {
			t.Fatalf("tag %d is forgotten", i)
		}
	}
	if !m.add(8, tagOf(1)) {
		t.Error("a tag of one slot counts in another")
	}
	if got := m.len(); got != n-lost+1 {
		t.Errorf("%d tags kept", got)
	}

	left := m.left
	m.keep(7)
	if m.add(7, tagOf(3)) {
		t.Error("a slot that is not over is forgotten")
	}
	m.keep(8)
	if !m.add(7, tagOf(3)) || m.add(8, tagOf(1)) {
		t.Error("what is kept are not the slots that are not over")
	}
	if m.left <= left {
		t.Error("the room of a slot does not come back")
	}
	m.keep(9)
	if m.left != 1<<24 || m.len() != 0 || len(m.slots) != 0 {
		t.Errorf("%d bytes are free of %d, %d tags kept", m.left, 1<<24, m.len())
	}
}

// TestMemoryGrows: filters grow by four up to a segment, then by two in segments,
// and never beyond the memory.
func TestMemoryGrows(t *testing.T) {
	m := newMemory(1 << 24)
	r := new(row)
	var sizes []int
	total := 0
	for range 9 {
		m.extend(r)
		f := &r.filters[len(r.filters)-1]
		if len(r.filters) == len(sizes) {
			break
		}
		total += f.size()
		sizes = append(sizes, f.size()>>14)
		if f.room != f.size()*8/bitsPerTag {
			t.Errorf("room for %d tags in %d bytes", f.room, f.size())
		}
		for _, s := range f.segments {
			if s != nil {
				t.Error("a segment without a tag takes room")
			}
		}
	}
	if want := fmt.Sprint([]int{1, 4, 16, 64, 128, 256, 512}); fmt.Sprint(sizes) != want {
		t.Errorf("filters of %v × 16 KiB, want %v", sizes, want)
	}
	if m.left != 1<<24-total || m.left < 0 {
		t.Errorf("%d bytes left", m.left)
	}
}

// TestMemoryUsedUp: a memory that is used up still knows its tags, and takes most
// new ones.
func TestMemoryUsedUp(t *testing.T) {
	m := newMemory(0)
	const room = leastSegment * 8 / bitsPerTag
	lost := 0
	for i := range 2 * room {
		if !m.add(1, tagOf(i)) {
			lost++
		}
	}
	if len(m.slots[1].filters) != 1 || lost > 2*room/50 {
		t.Errorf("%d filters; %d of %d fresh tags are lost at twice the room", len(m.slots[1].filters), lost, 2*room)
	}
	for i := range 2 * room {
		if m.add(1, tagOf(i)) {
			t.Fatal("a tag is forgotten")
		}
	}
}

// TestSegments: tags go to all the segments of a filter.
func TestSegments(t *testing.T) {
	f := filter{segments: make([][]uint64, 4), words: segmentSize / 8}
	for range 200 {
		var b [16]byte
		rand.Read(b[:])
		a, c := binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
		if f.has(a, c) {
			t.Fatal("found what is not there")
		}
		if f.set(a, c); !f.has(a, c) {
			t.Fatal("not found")
		}
	}
	for i, s := range f.segments {
		bits := 0
		for _, w := range s {
			for ; w != 0; w &= w - 1 {
				bits++
			}
		}
		if bits < 200/4*hashes/3 {
			t.Errorf("segment %d has %d bits", i, bits)
		}
	}
}

// BenchmarkMemory fills one slot as far as a flood of DefaultRate can, and reports the
// memory of the tags and how many fresh ones are lost.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{1000, 100_000, 10_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var before, after runtime.MemStats
			lost := 0
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				m := newMemory(DefaultMemory)
				for i := range n {
					if !m.add(1, tagOf(i)) {
						lost++
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				runtime.KeepAlive(m)
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "bytes/packet")
			b.ReportMetric(float64(lost)/float64(b.N)/float64(n)*1e6, "lost/million")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/packet")
		})
	}
}
