package main

import "testing"

func TestMetric(t *testing.T) {
	const out = `goos: linux
BenchmarkFrame           	     123	   2000.5 ns/op	    10 B/op
BenchmarkStream/1024-2   	    1000	     33.0 ns/op
BenchmarkStream-2        	    1000	      1.0 ns/op
BenchmarkPeel-16         	      10	      5 ns/op	       1.41 peel/x25519
PASS
`
	for _, c := range []struct {
		bench, unit string
		want        float64
		ok          bool
	}{
		{"Frame", "ns/op", 2000.5, true}, {"Stream/1024", "ns/op", 33, true}, {"Stream", "ns/op", 1, true},
		{"Peel", "peel/x25519", 1.41, true}, {"Peel", "B/op", 0, false}, {"Fram", "ns/op", 0, false},
	} {
		if got, ok := metric(out, c.bench, c.unit); got != c.want || ok != c.ok {
			t.Errorf("%s %s: %v, %v", c.bench, c.unit, got, ok)
		}
	}
}
