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

// BenchmarkClone is what a caller pays to be able to take a message back.
func BenchmarkClone(b *testing.B) {
	alice, _ := newPair()
	b.ReportAllocs()
	for b.Loop() {
		_ = alice.Clone()
	}
}

// BenchmarkMarshal reports the size of a stored state over many epochs.
func BenchmarkMarshal(b *testing.B) {
	alice, bob := newPair()
	var buf []byte
	largest, total, n := 0, 0, 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		pass(b, alice, bob)
		pass(b, bob, alice)
		b.StartTimer()
		buf, _ = alice.AppendBinary(buf[:0])
		largest, total, n = max(largest, len(buf)), total+len(buf), n+1
	}
	b.ReportMetric(float64(largest), "B/largest")
	b.ReportMetric(float64(total)/float64(n), "B/mean")
}
