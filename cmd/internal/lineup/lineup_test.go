//go:build linux

package main

import (
	"math/rand/v2"
	"testing"
)

// rows draws rows of a kind: one feature is moved by so much.
func rows(r *rand.Rand, n int, moved float64) (all [][]float64) {
	for range n {
		row := make([]float64, 8)
		for i := range row {
			row[i] = r.NormFloat64()
		}
		row[5] += moved
		all = append(all, row)
	}
	return all
}

// TestValidated: kinds that are alike are guessed, and others are known, on rows that were not trained on.
func TestValidated(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, tt := range []struct{ moved, least, most float64 }{{0, 0.4, 0.6}, {1, 0.65, 0.9}, {8, 0.99, 1}} {
		if got := validated(rows(r, 150, 0), rows(r, 150, tt.moved)); got < tt.least || got > tt.most {
			t.Errorf("moved by %v: %.3f, want %v to %v", tt.moved, got, tt.least, tt.most)
		}
	}
}

// TestArea: known values.
func TestArea(t *testing.T) {
	is := []bool{true, true, false, false}
	for want, scores := range map[float64][]float64{1: {3, 4, 1, 2}, 0: {1, 2, 3, 4}, 0.5: {1, 1, 1, 1}, 0.75: {2, 4, 1, 3}} {
		if got := area(scores, is); got != want {
			t.Errorf("%v: %v, want %v", scores, got, want)
		}
	}
}

// TestFlows: packets of a connection in both directions, cut as on the wire; others are left out.
func TestFlows(t *testing.T) {
	person, relay := []byte{12, 0, 0, 1}, []byte{11, 0, 0, 2}
	sent := func(from, to []byte, flags byte, bytes int) packet {
		b := make([]byte, 14+20+20)
		b[12], b[14], b[14+9] = 8, 0x45, 6
		copy(b[14+12:], from)
		copy(b[14+16:], to)
		b[34+12], b[34+13] = 5<<4, flags
		return packet{data: b, size: len(b) + bytes}
	}
	one := &tap{all: []packet{sent(relay, person, ack, 99), sent(person, relay, syn, 0), sent(relay, person, syn|ack, 0), sent(person, relay, ack, 2000), sent(relay, person, ack, 10), {data: []byte{1, 2, 3}, size: 3}}}
	for range first {
		one.all = append(one.all, sent(relay, person, ack, 5))
	}
	all := one.flows(func(c conn) bool { return c.from.As4()[0] == 12 })
	if len(all) != 1 || len(all[0].packets) != first || all[0].packets[0] != whole || all[0].packets[1] != 2000-whole || all[0].packets[2] != -10 || all[0].packets[3] != -5 {
		t.Fatalf("%+v", all)
	}
	if row := all[0].features(); len(row) != 2*first || row[first+2] != 1990 {
		t.Errorf("%v", row)
	}
	if none := one.flows(func(conn) bool { return false }); len(none) != 0 {
		t.Errorf("%v", none)
	}
}

// FuzzHeader: nothing on the wire ends the tap.
func FuzzHeader(f *testing.F) {
	f.Add(make([]byte, 60), 60)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		if _, _, n, ok := header(b, size); ok && (n < 0 || n > size) {
			t.Errorf("%d bytes in %d", n, size)
		}
	})
}

// TestParse reads what Debian's ndpiReader 4.2 says.
func TestParse(t *testing.T) {
	o := parse([]byte("Detected protocols:\n\tTLS                  packets: 141708        bytes: 20878225      flows: 188          \n\tICMPV6               packets: 18            bytes: 1412          flows: 7            \n\n" +
		"Protocol statistics:\n\tSafe                      20878225 bytes\n\nRisk stats [found 188 (96.4 %) flows with risks]:\n\tMissing SNI TLS Extension                  188 [33.3 %]\n\tKnown Protocol on Non Standard Port         88 [ 3.3 %]\n"))
	if len(o.Protocols) != 2 || o.Protocols["TLS"] != 188 || len(o.Risks) != 2 || o.Risks["Missing SNI TLS Extension"] != 188 || o.Risks["Known Protocol on Non Standard Port"] != 88 {
		t.Errorf("%+v", o)
	}
}

// FuzzParse: whatever ndpiReader says, it is read.
func FuzzParse(f *testing.F) {
	f.Add([]byte("\tTLS  packets: 1  bytes: 2  flows: 3\n\tA risk  7 [33.3 %]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := parse(b); o == nil {
			t.Error("no opinion")
		}
	})
}
