package envelope

import (
	"bytes"
	"testing"
)

func encode(b Body) []byte {
	var dst [BodySize]byte
	for i := range dst {
		dst[i] = 0xaa // what was there before must not matter
	}
	b.Encode(&dst)
	return dst[:]
}

func TestRoundTrip(t *testing.T) {
	full := bytes.Repeat([]byte{1}, DataSize)
	for _, b := range []Body{
		{Count: 1, Data: []byte{}},
		{Count: 1, Data: []byte("x")},
		{Count: 1, Data: full},
		{Word: 7, Number: MaxNumber, Heard: 1<<32 - 1, Flare: 9, Previous: [32]byte{1}, ID: [16]byte{2}, Index: 1, Count: 2, Data: []byte("tail")},
		{Number: 3, Heard: 4, Flare: 5, Previous: [32]byte{6}}, // a signal
		{Index: 0, Count: 2, Data: full},
		{Index: MaxFragments - 1, Count: MaxFragments, Data: full[:MaxContent-(MaxFragments-1)*DataSize]},
	} {
		got, err := Parse(encode(b))
		if err != nil {
			t.Fatal(err)
		}
		if got.Word != b.Word || got.Number != b.Number || got.Heard != b.Heard || got.Flare != b.Flare ||
			got.Signal() != (b.Count == 0) || got.Previous != b.Previous || got.ID != b.ID || got.Index != b.Index ||
			got.Count != b.Count || !bytes.Equal(got.Data, b.Data) {
			t.Errorf("%+v comes back as %+v", b, got)
		}
	}
	if BodySize != 1359 || MaxFragments != 51 {
		t.Error(BodySize, MaxFragments)
	}
}

// TestPadding: every byte of the padding must be zero, and the length must not
// reach beyond the body.
func TestPadding(t *testing.T) {
	good := encode(Body{Count: 1, Data: []byte("x")})
	for i := headSize + 1; i < BodySize; i++ {
		bad := bytes.Clone(good)
		bad[i] = 1
		if _, err := Parse(bad); err == nil {
			t.Fatalf("padding byte %d not zero", i)
		}
	}
	for _, n := range []byte{0, 2} {
		bad := bytes.Clone(good)
		bad[67] = n
		if _, err := Parse(bad); (err == nil) != (n == 2) { // one zero more is data
			t.Fatalf("length %d: %v", n, err)
		}
	}
	for _, n := range [][2]byte{{DataSize >> 8, DataSize&0xff + 1}, {0xff, 0xff}} {
		bad := bytes.Clone(good)
		copy(bad[66:], n[:])
		if _, err := Parse(bad); err == nil {
			t.Fatalf("length %x", n)
		}
	}
}

func TestRefused(t *testing.T) {
	full := bytes.Repeat([]byte{1}, DataSize)
	for name, b := range map[string]Body{
		"no fragments":              {Count: 0, Data: []byte("x")},
		"too many fragments":        {Count: MaxFragments + 1, Data: full},
		"index after the last":      {Index: 1, Count: 1, Data: []byte("x")},
		"full one after the last":   {Index: 1, Count: 1, Data: full},
		"short fragment in between": {Index: 0, Count: 2, Data: full[1:]},
		"empty last fragment":       {Index: 1, Count: 2},
		"number":                    {Number: MaxNumber + 1, Count: 1},
		"signal with a word":        {Word: 1},
		"signal with an index":      {Index: 1},
		"signal with an id":         {ID: [16]byte{15: 1}},
		"signal with data":          {Data: []byte{0}},
		"content too long":          {Index: MaxFragments - 1, Count: MaxFragments, Data: full},
	} {
		if _, err := Parse(encode(b)); err != ErrInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := encode(Body{Count: 1, Data: []byte("x")})
	for n := range good {
		if _, err := Parse(good[:n]); err == nil {
			t.Fatalf("%d bytes accepted", n)
		}
	}
	if _, err := Parse(append(bytes.Clone(good), 0)); err == nil {
		t.Fatal("trailing byte accepted")
	}
	good[0]++
	if _, err := Parse(good); err == nil {
		t.Fatal("another version accepted")
	}
}

func TestFragments(t *testing.T) {
	for n, count := range map[int]int{0: 1, 1: 1, DataSize - 1: 1, DataSize: 1, DataSize + 1: 2, MaxContent: MaxFragments} {
		content := bytes.Repeat([]byte{7}, n)
		var got []byte
		for i := range Count(n) {
			f := Fragment(content, i)
			if _, err := Parse(encode(Body{Index: uint16(i), Count: uint16(Count(n)), Data: f})); err != nil {
				t.Fatalf("%d bytes, fragment %d: %v", n, i, err)
			}
			got = append(got, f...)
		}
		if !bytes.Equal(got, content) || Count(n) != count {
			t.Fatalf("%d bytes do not come back of %d fragments", n, Count(n))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(encode(Body{Count: 1, Data: []byte("x")}))
	f.Add(encode(Body{Count: 2, Data: bytes.Repeat([]byte{1}, DataSize)}))
	f.Fuzz(func(t *testing.T, src []byte) {
		if b, err := Parse(src); err == nil && !bytes.Equal(encode(b), src) {
			t.Fatal("two encodings of one body")
		}
	})
}
