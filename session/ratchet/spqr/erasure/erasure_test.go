package erasure

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"
)

func message(r *rand.Rand, k int) []byte {
	m := make([]byte, k*ChunkSize)
	for i := range m {
		m[i] = byte(r.Uint32())
	}
	return m
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// TestField: multiplication against polynomial arithmetic done the long way.
func TestField(t *testing.T) {
	long := func(a, b uint16) uint16 {
		var p uint32
		for i := range 16 {
			if b>>i&1 == 1 {
				p ^= uint32(a) << i
			}
		}
		for i := 31; i >= 16; i-- {
			if p>>i&1 == 1 {
				p ^= 0x1100b << (i - 16)
			}
		}
		return uint16(p)
	}
	r := newRand(1)
	for range 20000 {
		a, b := uint16(r.Uint32()), uint16(r.Uint32())
		if mul(a, b) != long(a, b) {
			t.Fatalf("%#x · %#x = %#x, want %#x", a, b, mul(a, b), long(a, b))
		}
		if a != 0 && mul(a, inverse(a)) != 1 {
			t.Fatalf("%#x has the wrong inverse", a)
		}
	}
	// x generates the multiplicative group, so the field is one.
	n, p := 1, uint16(2)
	for ; p != 1; n++ {
		p = double(p)
	}
	if n != 1<<16-1 {
		t.Fatalf("x has order %d", n)
	}
}

// TestEncodeIsInterpolation: chunks as the definition has them, by Lagrange's
// formula in full.
func TestEncodeIsInterpolation(t *testing.T) {
	r := newRand(2)
	for _, k := range []int{1, 3, 5, 30, 36} {
		m := message(r, k)
		for _, x := range []uint16{0, uint16(k - 1), uint16(k), uint16(k + 1), 1000, 65535} {
			var want [ChunkSize]byte
			for e := range ChunkSize / 2 {
				var sum uint16
				for j := range k {
					y := uint16(m[j*ChunkSize+2*e])<<8 | uint16(m[j*ChunkSize+2*e+1])
					num, den := y, uint16(1)
					for i := range k {
						if i != j {
							num, den = mul(num, x^uint16(i)), mul(den, uint16(j)^uint16(i))
						}
					}
					sum ^= mul(num, inverse(den))
				}
				want[2*e], want[2*e+1] = byte(sum>>8), byte(sum)
			}
			if got := Encode(m, x); got.Index != x || got.Data != want {
				t.Fatalf("k=%d: chunk %d is wrong", k, x)
			}
		}
	}
}

// TestVector: a fixed value, computed once by hand from the definition: k = 2,
// all-one bits at 0 and zeros at 1, so f(2) = y·(2-1)/(0-1) = y·3.
func TestVector(t *testing.T) {
	m := append(bytes.Repeat([]byte{0, 1}, 16), make([]byte, ChunkSize)...)
	c := Encode(m, 2)
	if got := hex.EncodeToString(c.Data[:2]); got != "0003" {
		t.Fatalf("f(2) = %s", got)
	}
}

func TestAnySubsetInAnyOrder(t *testing.T) {
	r := newRand(3)
	for _, k := range []int{1, 2, 3, 5, 30, 36} {
		for range 60 {
			m := message(r, k)
			var d Decoder
			for i, x := range r.Perm(3*k + 5)[:k] {
				if got := d.Message(len(m)); got != nil {
					t.Fatalf("k=%d: a message from %d chunks", k, i)
				}
				c := Encode(m, uint16(x*r.IntN(100)%65536))
				if added, err := d.Add(c); err != nil {
					t.Fatal(err)
				} else if !added {
					added, _ = d.Add(Encode(m, uint16(60000+i)))
					if !added {
						t.Fatal("a new chunk was not added")
					}
				}
			}
			if got := d.Message(len(m)); !bytes.Equal(got, m) {
				t.Fatalf("k=%d: wrong message", k)
			}
		}
	}
}

// TestSizes: only whole chunks, one to 36 of them, are a message: a caller with
// anything else is told at once.
func TestSizes(t *testing.T) {
	panics := func(f func()) (text any) {
		defer func() { text = recover() }()
		f()
		return nil
	}
	const told = "erasure: message is not 1 to 36 whole chunks"
	for _, n := range []int{-ChunkSize, -1, 0, 1, ChunkSize - 1, ChunkSize + 1, 37 * ChunkSize} {
		if got := panics(func() { new(Decoder).Message(n) }); got != told {
			t.Errorf("decoding %d bytes: %v", n, got)
		}
		if got := panics(func() { Encode(make([]byte, max(n, 0)), 0) }); got != told {
			t.Errorf("encoding %d bytes: %v", n, got)
		}
	}
	for _, n := range []int{ChunkSize, 36 * ChunkSize} {
		if got := panics(func() { Encode(make([]byte, n), 1000); new(Decoder).Message(n) }); got != nil {
			t.Errorf("%d bytes: %v", n, got)
		}
	}
}

func TestDuplicatesAndConflicts(t *testing.T) {
	m := message(newRand(4), 3)
	var d Decoder
	c := Encode(m, 7)
	if added, err := d.Add(c); !added || err != nil {
		t.Fatal(added, err)
	}
	if added, err := d.Add(c); added || err != nil {
		t.Fatal("a duplicate counts", added, err)
	}
	c.Data[5] ^= 1
	if added, err := d.Add(c); added || err != ErrConflict {
		t.Fatal("a contradiction is taken", added, err)
	}
	if len(d.Chunks()) != 1 {
		t.Fatal("held chunks changed")
	}
}

// TestCopies: copies are independent even when both grow from the same chunks.
func TestCopies(t *testing.T) {
	r := newRand(5)
	m1, m2 := message(r, 5), message(r, 5)
	copy(m2, m1[:3*ChunkSize])
	var d1 Decoder
	for x := range uint16(3) {
		d1.Add(Encode(m1, x))
	}
	d2 := d1
	for x := uint16(3); x < 5; x++ {
		d1.Add(Encode(m1, x))
		d2.Add(Encode(m2, x))
	}
	if !bytes.Equal(d1.Message(len(m1)), m1) || !bytes.Equal(d2.Message(len(m2)), m2) {
		t.Fatal("copies share what was added later")
	}
}

func FuzzErasure(f *testing.F) {
	f.Add([]byte("seed"), uint8(3), uint64(1))
	f.Fuzz(func(t *testing.T, data []byte, k uint8, seed uint64) {
		n := int(k)%maxSource + 1
		m := make([]byte, n*ChunkSize)
		copy(m, data)
		r := newRand(seed)
		var d Decoder
		for len(d.Chunks()) < n {
			if _, err := d.Add(Encode(m, uint16(r.Uint32()))); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(d.Message(len(m)), m) {
			t.Fatal("wrong message")
		}
	})
}

func BenchmarkEncodeParity(b *testing.B) {
	m := message(newRand(6), 36)
	b.ReportAllocs()
	for b.Loop() {
		Encode(m, 40000)
	}
}

func BenchmarkDecode(b *testing.B) {
	m := message(newRand(7), 36)
	var d Decoder
	for x := range 36 {
		d.Add(Encode(m, uint16(x+36)))
	}
	b.ReportAllocs()
	for b.Loop() {
		d.Message(len(m))
	}
}
