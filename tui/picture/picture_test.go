package picture

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
	"time"

	"starling/tui/term"
)

func sample(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, color.RGBA{uint8(x * 255 / w), uint8(y * 255 / h), 90, 255})
		}
	}
	return img
}

func encoded(t testing.TB, w, h int) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	var p, j, g bytes.Buffer
	pal := image.NewPaletted(image.Rect(0, 0, w, h), palette.Plan9)
	if png.Encode(&p, sample(w, h)) != nil || jpeg.Encode(&j, sample(w, h), nil) != nil ||
		gif.EncodeAll(&g, &gif.GIF{Image: []*image.Paletted{pal, pal, pal}, Delay: []int{1, 1, 1}}) != nil {
		t.Fatal("not encoded")
	}
	out["png"], out["jpeg"], out["gif"] = p.Bytes(), j.Bytes(), g.Bytes()
	return out
}

func TestDecode(t *testing.T) {
	for name, data := range encoded(t, 60, 40) {
		img, err := Decode(data)
		if err != nil || img.Bounds() != image.Rect(0, 0, 60, 40) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// bomb is a PNG that says it is of a size, and has nothing in it.
func bomb(w, h uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
		body := append([]byte(kind), data...)
		b = append(b, body...)
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(body))
	}
	var head []byte
	head = binary.BigEndian.AppendUint32(head, w)
	head = binary.BigEndian.AppendUint32(head, h)
	chunk("IHDR", append(head, 8, 6, 0, 0, 0))
	chunk("IDAT", nil)
	chunk("IEND", nil)
	return b
}

func TestHostilePictures(t *testing.T) {
	good := encoded(t, 60, 40)
	cases := map[string][]byte{
		"empty":         nil,
		"text":          []byte("hello"),
		"svg":           []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"),
		"too long":      append(bytes.Clone(good["png"]), make([]byte, MaxBytes)...),
		"huge png":      bomb(1<<30, 1<<30),
		"wide png":      bomb(MaxSide+1, 1),
		"many pixels":   bomb(2048, 2048),
		"empty png":     bomb(0, 10),
		"nothing in it": bomb(100, 100),
		"cut jpeg":      good["jpeg"][:30],
		"cut gif":       good["gif"][:20],
		"gif frame outside": func() []byte {
			b := bytes.Clone(good["gif"])
			if i := bytes.IndexByte(b[13:], ','); i >= 0 {
				b[13+i+1] = 0xff
			}
			return b
		}(),
	}
	for name, data := range cases {
		if img, err := Decode(data); err != ErrPicture {
			t.Errorf("%s: %v, %v", name, img != nil, err)
		}
	}
}

func TestTimeIsBounded(t *testing.T) {
	r := &timed{data: make([]byte, 10), until: time.Now().Add(-time.Second)}
	if _, err := r.Read(make([]byte, 10)); err != ErrPicture {
		t.Errorf("reads on with %v", err)
	}
}

func TestFit(t *testing.T) {
	for _, c := range [][6]int{
		{10, 10, 20, 20, 10, 10}, {100, 50, 20, 20, 20, 10}, {50, 100, 20, 20, 10, 20}, {4096, 1, 20, 20, 20, 1}, {0, 5, 9, 9, 0, 0},
	} {
		if w, h := Fit(c[0], c[1], c[2], c[3]); w != c[4] || h != c[5] {
			t.Errorf("%v: %d×%d", c, w, h)
		}
	}
}

func TestBlocks(t *testing.T) {
	lines := Blocks(sample(100, 50), 20, 10)
	if len(lines) != 5 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, l := range lines {
		if n := (term.Cells{}).Width(l); n != 20 {
			t.Errorf("%d cells", n)
		}
	}
	if odd := Blocks(sample(3, 3), 20, 10); len(odd) != 2 {
		t.Errorf("%d lines of 3 rows", len(odd))
	}
}

func TestSequences(t *testing.T) {
	for kind, begins := range map[Kind]string{Kitty: "\x1b_Gf=100,q=2,", ITerm2: "\x1b]1337;File=inline=1;", Sixel: "\x1bP0;1q\"1;1;100;50#0;2;0;0;0"} {
		s, w, h := Sequence(kind, sample(100, 50), 30, 20, 0, 0)
		if !strings.HasPrefix(s, begins) || w != 10 || h != 3 {
			t.Errorf("%d: %.40q, %d×%d", kind, s, w, h)
		}
	}
	if s, _, _ := Sequence(Half, sample(10, 10), 5, 5, 0, 0); s != "" {
		t.Errorf("half blocks have %q", s)
	}
	s, _, _ := Sequence(Kitty, sample(400, 400), 100, 100, 0, 0)
	for _, part := range strings.SplitAfter(s, "\x1b\\") {
		if len(part) > 4096+100 {
			t.Errorf("a piece of %d bytes", len(part))
		}
	}
}

func TestDetect(t *testing.T) {
	for term, want := range map[string]Kind{"xterm-256color": Half, "xterm-kitty": Kitty, "foot": Sixel, "tmux-256color": Half} {
		if got := Detect(func(k string) string { return map[string]string{"TERM": term}[k] }); got != want {
			t.Errorf("%s: %d", term, got)
		}
	}
}

func FuzzDecodeAndScale(f *testing.F) {
	for _, data := range encoded(f, 20, 10) {
		f.Add(data)
	}
	f.Add(bomb(1<<30, 1<<30))
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := Decode(data)
		if err != nil {
			return
		}
		if b := img.Bounds(); b.Dx()*b.Dy() > MaxPixels {
			t.Fatalf("%v pixels", b)
		}
		for _, l := range Blocks(img, 24, 8) {
			if n := (term.Cells{}).Width(l); n > 24 {
				t.Errorf("%d cells", n)
			}
		}
		Sequence(Sixel, img, 4, 4, 0, 0)
	})
}

func BenchmarkDecodeAndDraw(b *testing.B) {
	var j bytes.Buffer
	_ = jpeg.Encode(&j, sample(1600, 1200), &jpeg.Options{Quality: 40})
	if j.Len() > MaxBytes {
		b.Fatalf("%d bytes", j.Len())
	}
	b.ReportAllocs()
	for b.Loop() {
		img, err := Decode(j.Bytes())
		if err != nil {
			b.Fatal(err)
		}
		Blocks(img, 48, 14)
	}
}
