package wire

import (
	"bytes"
	"testing"
)

func TestCutter(t *testing.T) {
	c := Cutter{Rest: []byte{1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 'a', 'b'}}
	if a, b, d, e := c.Byte(), c.Uint16(), c.Uint32(), c.Uint64(); a != 1 || b != 2 || d != 3 || e != 4 {
		t.Error(a, b, d, e)
	}
	if b := c.Cut(2); string(b) != "ab" || c.Bad || len(c.Rest) != 0 {
		t.Errorf("%q, %+v", b, c)
	}
}

// TestCutterIsBad: past the end there are zeros, for good.
func TestCutterIsBad(t *testing.T) {
	c := Cutter{Rest: []byte{7, 7}}
	if b := c.Cut(3); !bytes.Equal(b, make([]byte, 3)) || !c.Bad {
		t.Errorf("%x, %+v", b, c)
	}
	if c.Byte() != 0 || c.Uint16() != 0 || c.Uint32() != 0 || c.Uint64() != 0 || !c.Bad {
		t.Errorf("it reads on: %+v", c)
	}
}
