package session

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"testing"
)

// BenchmarkX25519 is the yardstick: one agreement.
func BenchmarkX25519(b *testing.B) {
	k, _ := ecdh.X25519().GenerateKey(rand.Reader)
	p, _ := ecdh.X25519().GenerateKey(rand.Reader)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.ECDH(p.PublicKey()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStream seals and opens one message after another in one direction.
func BenchmarkStream(b *testing.B) {
	for _, size := range []int{100, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			alice, bob := pair(b)
			content, id := make([]byte, size), newID()
			b.ReportAllocs()
			for b.Loop() {
				exchange(b, alice, bob, id, content)
			}
		})
	}
}

// BenchmarkPingPong lets the two sides take turns: each message is a DH step.
func BenchmarkPingPong(b *testing.B) {
	for _, size := range []int{100, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			alice, bob := pair(b)
			content, id := make([]byte, size), newID()
			b.ReportAllocs()
			for b.Loop() {
				exchange(b, alice, bob, id, content)
				alice, bob = bob, alice
			}
		})
	}
}

func exchange(b *testing.B, from, to *Session, id ID, content []byte) {
	if from.Room() < MaxUnheard/2 { // as receipts would
		open(b, from, seal(b, to, ""), "")
	}
	cells, err := from.Seal(id, content, 0)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := to.Open(cells[0]); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkSeal(b *testing.B) {
	alice, _ := pair(b)
	content, id := make([]byte, 1024), newID()
	b.ReportAllocs()
	for b.Loop() {
		alice.send.heard = alice.send.cells.n
		if _, err := alice.Seal(id, content, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkState stores and reads back a steady session.
func BenchmarkState(b *testing.B) {
	alice, bob := pair(b)
	id := newID()
	for range 500 {
		exchange(b, alice, bob, id, nil)
		exchange(b, bob, alice, id, nil)
	}
	b.Run("Marshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			data, _ := alice.MarshalBinary()
			b.ReportMetric(float64(len(data)), "bytes")
		}
	})
	data := state(b, alice)
	b.Run("Unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := UnmarshalSession(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkStored is BenchmarkPingPong with both states stored and read back
// around every message, as a node does.
func BenchmarkStored(b *testing.B) {
	alice, bob := pair(b)
	from, to := state(b, alice), state(b, bob)
	content, id := make([]byte, 1024), newID()
	b.ReportAllocs()
	for b.Loop() {
		alice, bob = restore(b, from), restore(b, to)
		exchange(b, alice, bob, id, content)
		from, to = state(b, bob), state(b, alice)
	}
}

// BenchmarkFirstContact makes an invite, joins and accepts.
func BenchmarkFirstContact(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		pair(b)
	}
}
