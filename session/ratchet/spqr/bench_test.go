package spqr

import "testing"

// BenchmarkPingPong is a message each way, with all that the epochs cost.
func BenchmarkPingPong(b *testing.B) {
	alice, bob := newPair()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		pass(b, alice, bob)
		pass(b, bob, alice)
		n += 2
	}
	b.ReportMetric(float64(n)/float64(alice.Epoch()), "messages/epoch")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(alice.Epoch()), "µs/epoch")
}

// BenchmarkStream is Send and Receive of one-way traffic, which never completes
// an epoch: the steady state, with a parity chunk in nearly every message.
func BenchmarkStream(b *testing.B) {
	alice, bob := newPair()
	b.ReportAllocs()
	for b.Loop() {
		pass(b, alice, bob)
	}
}

func BenchmarkSend(b *testing.B) {
	alice, _ := newPair()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := alice.Send(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClone is the price of being able to take a message back.
func BenchmarkClone(b *testing.B) {
	alice, _ := newPair()
	b.ReportAllocs()
	for b.Loop() {
		_ = alice.Clone()
	}
}

// BenchmarkMarshal is storing a state, and how much there is to store over some
// epochs.
func BenchmarkMarshal(b *testing.B) {
	alice, bob := newPair()
	var states []*State
	largest, total := 0, 0
	for range 500 {
		pass(b, alice, bob)
		pass(b, bob, alice)
		for _, s := range []*State{alice, bob} {
			states = append(states, s.Clone())
			n := len(stored(b, s))
			largest, total = max(largest, n), total+n
		}
	}
	var buf []byte
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = states[n%len(states)].AppendBinary(buf[:0])
		n++
	}
	b.ReportMetric(float64(largest), "B/largest")
	b.ReportMetric(float64(total)/float64(len(states)), "B/mean")
}

// BenchmarkUnmarshal is reading a state and sending with it, which makes the
// key or ciphertext that is not stored.
func BenchmarkUnmarshal(b *testing.B) {
	alice, bob := newPair()
	var states [][]byte
	for range 500 {
		pass(b, alice, bob)
		pass(b, bob, alice)
		states = append(states, stored(b, alice))
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		s, err := Unmarshal(states[n%len(states)])
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := s.Send(); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
