package bridge

import (
	"bytes"
	"testing"

	"starling/p2p/wire"
)

// TestRequestLies lies in each field of a request.
func TestRequestLies(t *testing.T) {
	good := Request{wire.NodeID{7}, []byte("first message")}.Append(nil)
	if r, err := ParseRequest(good); err != nil || r.Relay != (wire.NodeID{7}) || string(r.First) != "first message" {
		t.Fatalf("%v, %v", r, err)
	}
	for name, edit := range map[string]func([]byte) []byte{
		"short":      func(b []byte) []byte { return b[:RequestSize-1] },
		"long":       func(b []byte) []byte { return append(b, 0) },
		"version":    func(b []byte) []byte { b[0] = 2; return b },
		"no message": func(b []byte) []byte { b[33] = 0; return b },
		"too much":   func(b []byte) []byte { b[33] = MaxFirst + 1; return b },
		"trailing":   func(b []byte) []byte { b[RequestSize-1] = 1; return b },
	} {
		if _, err := ParseRequest(edit(bytes.Clone(good))); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(Request{wire.NodeID{7}, []byte("first message")}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseRequest(b); err == nil && !bytes.Equal(r.Append(nil), b) {
			t.Fatal("another encoding")
		}
	})
}

func FuzzVerdict(f *testing.F) {
	f.Add(Busy.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := ParseVerdict(b); err == nil && !bytes.Equal(v.Append(nil), b) {
			t.Fatal("another encoding")
		}
	})
}
