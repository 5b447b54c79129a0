package picture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"testing"

	"starling/node/api"
)

// landscape is something like a photograph: slopes, and noise of a sensor.
func landscape(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(3, 4))
	for y := range h {
		for x := range w {
			n := uint8(r.Uint32() % 24)
			m.SetNRGBA(x, y, color.NRGBA{uint8(x*200/w) + n, uint8(y*200/h) + n, 80 + n, 255})
		}
	}
	return m
}

// dot is a WebP of one pixel.
var dot = []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00")

// TestPicturesAreMadeToFit: what is too large is sent smaller, upright, and tells no more
// than its pixels.
func TestPicturesAreMadeToFit(t *testing.T) {
	photo := jpegOf(t, landscape(1900, 1200), 90)
	exif := append([]byte("Exif\x00\x00"), tiff(binary.LittleEndian, 6)...)
	clear := landscape(900, 600)
	for i := 3; i < len(clear.Pix); i += 40 {
		clear.Pix[i] = 100
	}
	noisy := pngOf(t, noise(700, 500))
	paletted := image.NewPaletted(image.Rect(0, 0, 2600, 1800), color.Palette{color.White, color.Black})
	draw.Draw(paletted, image.Rect(100, 100, 1000, 900), image.Black, image.Point{}, draw.Src)

	for name, c := range map[string]struct {
		data          []byte
		kind          string
		width, height int // of the file, upright
		smaller       bool
	}{
		"photograph":     {photo, "image/jpeg", 1900, 1200, true},
		"turned":         {insert(photo, 2, segment(0xe1, exif)...), "image/jpeg", 1200, 1900, true},
		"noise":          {noisy, "image/jpeg", 700, 500, true},
		"seen through":   {pngOf(t, clear), "image/png", 900, 600, true},
		"drawing":        {pngOf(t, paletted), "image/png", 2600, 1800, true},
		"small":          {pngOf(t, scene(64, 32)), "image/png", 64, 32, false},
		"12 megapixels":  {bomb(4000, 3000), "image/png", 4000, 3000, true},
		"long and thin":  {bomb(20000, 20), "image/png", 20000, 20, true},
		"high and thin":  {bomb(20, 4999), "image/png", 20, 4999, true},
		"padded":         {append(jpegOf(t, scene(64, 32), 80), make([]byte, api.MaxPicture)...), "image/jpeg", 64, 32, false},
		"webp":           {dot, "image/png", 1, 1, false},
		"gif of a photo": {film(t, 9, 2048, 1024), "image/gif", 2048, 1024, false},
	} {
		if testing.Short() && c.width*c.height >= 1<<20 {
			continue // a megapixel: seconds under the race detector
		}
		if name == "gif of a photo" {
			c.kind = "image/png"
		}
		out, err := Fit(t.Context(), c.data)
		if err != nil || len(out.Data) > api.MaxPicture || out.Type != c.kind || out.From != len(c.data) || out.FromWidth != c.width || out.FromHeight != c.height {
			t.Errorf("%s: %d bytes, %q of %d×%d, %v", name, len(out.Data), out.Type, out.FromWidth, out.FromHeight, err)
			continue
		}
		if out.Smaller() != c.smaller || out.Width > out.FromWidth || out.Height > out.FromHeight || (out.Width >= out.Height) != (c.width >= c.height) {
			t.Errorf("%s: became %d×%d", name, out.Width, out.Height)
		}
		if small := name == "small"; out.Anew == small {
			t.Errorf("%s: anew %v", name, out.Anew)
		}
		if out.Still != (name == "gif of a photo") {
			t.Errorf("%s: still %v", name, out.Still)
		}
		for _, word := range telling {
			if bytes.Contains(out.Data, []byte(word)) {
				t.Errorf("%s: tells %q", name, word)
			}
		}
		if _, err := Clean(out.Data); err != nil {
			t.Errorf("%s: a node refuses it: %v", name, err)
		}
	}
}

func TestPicturesThatCannotBeMadeToFit(t *testing.T) {
	photo := jpegOf(t, landscape(1200, 800), 90)
	wide := bomb(1, 1)
	for _, at := range []int{16, 20} { // width and height, in the first chunk
		binary.BigEndian.PutUint32(wide[at:], 65_000)
	}
	binary.BigEndian.PutUint32(wide[29:], crc32.ChecksumIEEE(wide[12:29]))
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":      {nil, ErrType},
		"a text":       {[]byte("no picture"), ErrType},
		"cut":          {photo[:len(photo)/2], ErrBroken},
		"cut webp":     {dot[:20], ErrBroken},
		"a bomb":       {bomb(20000, 20000), ErrPixels},
		"a long bomb":  {bomb(1<<17, 1), ErrPixels},
		"a wide bomb":  {wide, ErrPixels},
		"a large file": {append(photo, make([]byte, MaxSource)...), ErrLarge},
	} {
		if out, err := Fit(t.Context(), c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: %d bytes, %v", name, len(out.Data), err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Fit(ended, photo); err == nil {
		t.Error("nobody wanted it any more")
	}
}

// TestMemoryIsKnownBefore: a progressive JPEG takes far more of it than another.
func TestMemoryIsKnownBefore(t *testing.T) {
	plain := jpegOf(t, scene(64, 32), 80)
	at := bytes.Index(plain, []byte{0xff, 0xc0})
	late := append([]byte(nil), plain...)
	late[at+1] = 0xc2
	if progressive(plain) || !progressive(late) || !progressive(plain[:at]) {
		t.Error("baseline and progressive are mistaken")
	}
	c := image.Config{ColorModel: color.YCbCrModel}
	if jpegPixel(c, late) < 12 || jpegPixel(c, plain) != 3 {
		t.Errorf("%d and %d bytes for a pixel", jpegPixel(c, late), jpegPixel(c, plain))
	}
}

func FuzzFit(f *testing.F) {
	exif := append([]byte("Exif\x00\x00"), tiff(binary.LittleEndian, 6)...)
	f.Add(insert(jpegOf(f, scene(8, 8), 80), 2, segment(0xe1, exif)...))
	f.Add(pngOf(f, noise(200, 200)))
	f.Add(film(f, 2, 4, 4))
	f.Add(append(append([]byte(nil), dot...), "EXIF\x04\x00\x00\x00II*\x00"...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if out, err := Fit(t.Context(), data); err == nil && (len(out.Data) == 0 || len(out.Data) > api.MaxPicture || Type(out.Data) == "") {
			t.Errorf("%d bytes", len(out.Data))
		}
	})
}
