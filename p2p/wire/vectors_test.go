package wire

import (
	"bytes"
	"crypto/rand"
	"testing"

	"starling/docs/vectors"
)

type frameVectors struct {
	Frames  []frameVector  `json:"frames"`
	Refused []refusedFrame `json:"refused"`

	Hellos        []helloVector  `json:"hellos"`
	RefusedHellos []refusedHello `json:"refused_hellos"`
}

type helloVector struct {
	Role     Role        `json:"role"`
	Features uint16      `json:"features"`
	Link     vectors.Hex `json:"id"`
	Received uint64      `json:"received"`
	Room     uint16      `json:"room"`
	Body     vectors.Hex `json:"body"`
}

type refusedHello struct {
	Why  string      `json:"why"`
	Body vectors.Hex `json:"body"`
}

type frameVector struct {
	Type  Type        `json:"type"`
	Body  vectors.Hex `json:"body"`
	Frame vectors.Hex `json:"frame"`
}

type refusedFrame struct {
	Why   string      `json:"why"`
	Frame vectors.Hex `json:"frame"`
}

func makeFrames(t *testing.T) (v frameVectors) {
	for i, n := range []int{2367, 0, 57, MaxBody} {
		kind, body := Type(i+1), make([]byte, n)
		rand.Read(body)
		f, err := NewFrame(kind, body)
		if err != nil {
			t.Fatal(err)
		}
		v.Frames = append(v.Frames, frameVector{kind, body, f[:]})
	}
	refuse := func(why string, edit func(b []byte) []byte) {
		v.Refused = append(v.Refused, refusedFrame{why, edit(bytes.Clone(v.Frames[2].Frame))})
	}
	refuse("type 0", func(b []byte) []byte { b[0] = 0; return b })
	refuse("body longer than the frame", func(b []byte) []byte { b[1], b[2] = 0x09, 0x5e; return b })
	refuse("padding not zero", func(b []byte) []byte { b[FrameSize-1] = 1; return b })
	refuse("one byte less", func(b []byte) []byte { return b[1:] })
	for _, h := range []Hello{{Role: RoleClient}, {Role: RoleRelay, Features: 1}, {Role: RoleBridge, Features: 0xffff, Received: 1 << 40, Room: 3}} {
		rand.Read(h.Link[:])
		v.Hellos = append(v.Hellos, helloVector{h.Role, h.Features, h.Link[:], h.Received, h.Room, h.Append(nil)})
	}
	refuseHello := func(why string, edit func(b []byte) []byte) {
		v.RefusedHellos = append(v.RefusedHellos, refusedHello{why, edit(bytes.Clone(v.Hellos[1].Body))})
	}
	refuseHello("version 2", func(b []byte) []byte { b[0] = 2; return b })
	refuseHello("role 0", func(b []byte) []byte { b[1] = 0; return b })
	refuseHello("role 4", func(b []byte) []byte { b[1] = 4; return b })
	refuseHello("one byte less", func(b []byte) []byte { return b[:HelloSize-1] })
	refuseHello("one byte more", func(b []byte) []byte { return append(b, 0) })
	return v
}

func TestVectors(t *testing.T) {
	check := func(t *testing.T, v frameVectors) {
		for i, f := range v.Frames {
			var got Frame
			if err := ReadFrame(bytes.NewReader(f.Frame), &got); err != nil || got.Type() != f.Type || !bytes.Equal(got.Body(), f.Body) {
				t.Errorf("frame %d: %v", i, err)
			}
			made, err := NewFrame(f.Type, f.Body)
			if err != nil || !bytes.Equal(made[:], f.Frame) {
				t.Errorf("frame %d is made differently: %v", i, err)
			}
		}
		for _, f := range v.Refused {
			if ReadFrame(bytes.NewReader(f.Frame), new(Frame)) == nil {
				t.Errorf("%s: taken", f.Why)
			}
		}
		for i, h := range v.Hellos {
			got, err := ParseHello(h.Body)
			want := Hello{Role: h.Role, Features: h.Features, Link: [16]byte(h.Link), Received: h.Received, Room: h.Room}
			if err != nil || got != want || !bytes.Equal(want.Append(nil), h.Body) {
				t.Errorf("hello %d: %+v, %v", i, got, err)
			}
		}
		for _, h := range v.RefusedHellos {
			if _, err := ParseHello(h.Body); err == nil {
				t.Errorf("%s: taken", h.Why)
			}
		}
	}
	vectors.Made(t, "frame", makeFrames, check)
	vectors.Produced(t, "frame", check)
}
