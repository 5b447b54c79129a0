package wire

import (
	"bytes"
	"errors"
	"testing"
)

func TestHello(t *testing.T) {
	h := Hello{Role: RoleBridge, Features: 0x8001, Link: [16]byte{1, 15: 2}, Received: 1<<63 + 5}
	f := h.Frame()
	if err := f.Check(); err != nil || f.Type() != TypeHello {
		t.Fatal(err, f.Type())
	}
	if got, err := ParseHello(f.Body()); err != nil || got != h {
		t.Errorf("%+v, %v", got, err)
	}
	good := h.Append(nil)
	for why, b := range map[string][]byte{
		"nothing": nil, "short": good[:HelloSize-1], "long": append(bytes.Clone(good), 0),
		"version 0": edit(good, 0, 0), "version 2": edit(good, 0, 2), "no role": edit(good, 1, 0), "role 4": edit(good, 1, 4),
	} {
		if _, err := ParseHello(b); !errors.Is(err, ErrHello) {
			t.Errorf("%s: %v", why, err)
		}
	}
}

func edit(b []byte, at int, to byte) []byte {
	b = bytes.Clone(b)
	b[at] = to
	return b
}

func FuzzParseHello(f *testing.F) {
	f.Add(Hello{Role: RoleClient}.Append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := ParseHello(b); err == nil && !bytes.Equal(h.Append(nil), b) {
			t.Error("read and written differently")
		}
	})
}
