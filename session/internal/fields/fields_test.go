package fields

import (
	"bytes"
	"testing"
)

func TestFields(t *testing.T) {
	r := Reader{Rest: []byte{7, 1, 2, 2, 'a', 'b', 0, 0, 0, 0, 0, 0, 1, 0, 1, 'x'}}
	if b := r.Byte(); b != 7 {
		t.Error("a byte:", b)
	}
	if n := r.Number(2); n != 0x0102 {
		t.Error("two bytes:", n)
	}
	if b := r.Take(r.Count(1, 2), 2); string(b) != "ab" {
		t.Errorf("text: %q", b)
	}
	if n := r.Number(8); n != 256 {
		t.Error("eight bytes:", n)
	}
	if r.Done() {
		t.Error("done before the end")
	}
	if b := r.Take(0, 0); b == nil || len(b) != 0 {
		t.Errorf("nothing: %v", b)
	}
	if n := (&Reader{Rest: []byte{9, 8}}).Count(1, 3); n != 0 {
		t.Error("a count that is too large:", n)
	}
	if b := r.Take(r.Count(1, 9)+1, 9); b != nil || !r.Bad {
		t.Error("one more than is left:", b)
	}
}

// TestLast: a field may reach to the end.
func TestLast(t *testing.T) {
	r := Reader{Rest: []byte{2, 'a', 'b'}}
	if b := r.Take(r.Count(1, 2), 2); string(b) != "ab" || !r.Done() {
		t.Errorf("%q, %+v", b, r)
	}
}

// TestBad: a lie in a field ends the reading for good, and nothing is allocated for it.
func TestBad(t *testing.T) {
	for name, lie := range map[string]func(*Reader){
		"a field past the end":     func(r *Reader) { r.Into(make([]byte, 5)) },
		"a number past the end":    func(r *Reader) { r.Number(5) },
		"more fields than allowed": func(r *Reader) { r.Count(1, 0) },
		"more fields than bytes":   func(r *Reader) { r.Count(2, 1<<20) },
		"more bytes than allowed":  func(r *Reader) { r.Take(2, 1) },
		"more bytes than there":    func(r *Reader) { r.Take(5, 1<<20) },
		"fewer than no bytes":      func(r *Reader) { r.Take(-1, 1) },
	} {
		r := Reader{Rest: []byte{1, 4, 3, 4}}
		if lie(&r); !r.Bad || r.Done() {
			t.Errorf("%s: taken", name)
		}
		field := []byte{9}
		if r.Into(field); !bytes.Equal(field, []byte{9}) || r.Byte() != 0 || r.Count(1, 9) != 0 || r.Take(0, 9) != nil {
			t.Errorf("%s: it reads on", name)
		}
		if r.Rest = nil; !r.Bad || r.Done() {
			t.Errorf("%s: forgotten", name)
		}
	}
}
