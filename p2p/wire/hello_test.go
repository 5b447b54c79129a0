package wire

import (
	"bytes"
	"errors"
	"testing"
)

func TestHello(t *testing.T) {
	h := Hello{Role: RoleBridge, Features: 0x8001, Link: [16]byte{1, 15: 2}, Received: 1<<63 + 5, Room: 0x102}
	said := h.Bytes()
	if got, err := ReadHello(bytes.NewReader(said)); err != nil || got != h {
		t.Errorf("%+v, %v", got, err)
	}
	for why, b := range map[string][]byte{
		"another type": edit(said, 0, byte(TypePacket)), "another length": edit(said, 2, HelloSize+1), "cut": said[:len(said)-1],
	} {
		if _, err := ReadHello(bytes.NewReader(b)); err == nil {
			t.Errorf("%s: read", why)
		}
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

// TestReceived: a count is eight bytes and no other number.
func TestReceived(t *testing.T) {
	f := ReceivedFrame(1<<63 + 7)
	if n, err := ParseReceived(f.Body()); err != nil || n != 1<<63+7 || f.Type() != TypeReceived || f.Check() != nil {
		t.Error(n, err)
	}
	for _, size := range []int{0, 7, 9} {
		if _, err := ParseReceived(make([]byte, size)); !errors.Is(err, ErrFrame) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func FuzzParseReceived(f *testing.F) {
	f.Add(ReceivedFrame(9).Body())
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := ParseReceived(b); err == nil && !bytes.Equal(ReceivedFrame(n).Body(), b) {
			t.Error("read and written differently")
		}
	})
}
