package picture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"testing"

	"starling/node/api"
)

// scene is red above blue, with a white corner at the left and the top.
func scene(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{220, 20, 20, 255}
			if y >= h/2 {
				c = color.NRGBA{20, 20, 220, 255}
			}
			if x < w/4 && y < h/4 {
				c = color.NRGBA{255, 255, 255, 255}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

func noise(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix {
		m.Pix[i] = uint8(r.Uint32())
		if i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	return m
}

func pngOf(t testing.TB, m image.Image) []byte {
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB, m image.Image, quality int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tiff tells an orientation, a camera and a position.
func tiff(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 3)
	entry := func(tag, kind uint16, n uint32, value []byte) {
		b = order.AppendUint16(b, tag)
		b = order.AppendUint16(b, kind)
		b = order.AppendUint32(b, n)
		b = append(append(b, value...), make([]byte, 4-len(value))...)
	}
	entry(0x010f, 2, 12, order.AppendUint32(nil, 50))
	entry(orientationTag, 3, 1, order.AppendUint16(nil, orientation))
	entry(0x8825, 4, 1, order.AppendUint32(nil, 62))
	b = order.AppendUint32(b, 0)
	return append(b, "EXAMPLECAM1\x00GPS 52 31 12 North, by Some Person"...)
}

func segment(marker byte, data []byte) []byte {
	b := []byte{0xff, marker}
	return append(binary.BigEndian.AppendUint16(b, uint16(len(data)+2)), data...)
}

func chunk(name string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, name...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// bomb is a PNG of so many black pixels in few bytes.
func bomb(w, h uint32) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	var z bytes.Buffer
	deflate := zlib.NewWriter(&z)
	for range min(h, 5000) {
		deflate.Write(make([]byte, (w+7)/8+1))
	}
	deflate.Close()
	b := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(head, 1, 0, 0, 0, 0))...)
	return append(append(b, chunk("IDAT", z.Bytes())...), chunk("IEND", nil)...)
}

func film(t testing.TB, frames, w, h int) []byte {
	g := &gif.GIF{LoopCount: 3}
	for i := range frames {
		f := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.White, color.Black, color.RGBA{255, 0, 0, 255}})
		for k := range f.Pix {
			f.Pix[k] = uint8(i % 3)
		}
		g.Image, g.Delay = append(g.Image, f), append(g.Delay, 7)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// insert puts bytes into a file at a place.
func insert(file []byte, at int, b ...byte) []byte {
	return append(append(append([]byte(nil), file[:at]...), b...), file[at:]...)
}

var telling = []string{"EXAMPLECAM", "GPS", "Some Person", "secret", "XMP"}

func TestPictureTellsNothing(t *testing.T) {
	plain, photo, anim := pngOf(t, scene(64, 32)), jpegOf(t, scene(64, 32), 80), film(t, 3, 16, 16)
	exif := append([]byte("Exif\x00\x00"), tiff(binary.LittleEndian, 1)...)
	comment := append(append([]byte{0x21, 0xfe, 11}, "Some Person"...), 0)
	xmp := append(append([]byte{0x21, 0xff, 11}, "XMP DataXMP"...), append(append([]byte{6}, "secret"...), 0)...)
	for name, data := range map[string][]byte{
		"jpeg, exif":       insert(photo, 2, segment(0xe1, exif)...),
		"jpeg, comment":    insert(photo, 2, segment(0xfe, []byte("by Some Person"))...),
		"jpeg, photoshop":  insert(photo, 2, segment(0xed, []byte("Photoshop 3.0\x00Some Person"))...),
		"jpeg, behind":     append(append([]byte(nil), photo...), "secret"...),
		"png, text":        insert(plain, 33, chunk("tEXt", []byte("Author\x00Some Person"))...),
		"png, itxt":        insert(plain, 33, chunk("iTXt", []byte("XML:com.adobe.xmp\x00\x00\x00\x00\x00secret"))...),
		"png, exif":        insert(plain, 33, chunk("eXIf", tiff(binary.BigEndian, 1))...),
		"png, own chunk":   insert(plain, 33, chunk("seCr", []byte("secret"))...),
		"png, behind":      append(append([]byte(nil), plain...), "secret"...),
		"gif, comment":     insert(anim, len(anim)-1, comment...),
		"gif, application": insert(anim, len(anim)-1, xmp...),
		"gif, behind":      append(append([]byte(nil), anim...), "secret"...),
	} {
		out, err := Clean(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, word := range telling {
			if bytes.Contains(out, []byte(word)) {
				t.Errorf("%s: tells %q", name, word)
			}
		}
		if Type(out) != Type(data) {
			t.Errorf("%s: became %q", name, Type(out))
		}
		if again, err := Clean(out); err != nil || Type(out) != "image/jpeg" && !bytes.Equal(again, out) {
			t.Errorf("%s: the second time %d bytes, not %d, %v", name, len(again), len(out), err)
		}
	}
}

func TestPictureStandsUpright(t *testing.T) {
	// The corner of the scene, as a camera of each orientation stores it.
	corners := [9][2]int{{}, {0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}, {0, 1}, {1, 1}, {1, 0}}
	for o := uint16(1); o <= 8; o++ {
		w, h := 64, 32
		if o >= 5 {
			w, h = h, w
		}
		stored := image.NewNRGBA(image.Rect(0, 0, w, h))
		for y := range h / 4 {
			for x := range w / 4 {
				stored.SetNRGBA(corners[o][0]*(w-w/4)+x, corners[o][1]*(h-h/4)+y, color.NRGBA{255, 255, 255, 255})
			}
		}
		for i := 3; i < len(stored.Pix); i += 4 {
			stored.Pix[i] = 255
		}
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			exif := append([]byte("Exif\x00\x00"), tiff(order, o)...)
			for _, data := range [][]byte{
				insert(jpegOf(t, stored, 95), 2, segment(0xe1, exif)...),
				insert(pngOf(t, stored), 33, chunk("eXIf", tiff(order, o))...),
			} {
				out, err := Clean(data)
				if err != nil {
					t.Fatalf("orientation %d: %v", o, err)
				}
				img, _, err := image.Decode(bytes.NewReader(out))
				if err != nil || img.Bounds().Dx() != 64 || img.Bounds().Dy() != 32 {
					t.Fatalf("orientation %d: %v, %v", o, img.Bounds(), err)
				}
				if r, _, _, _ := img.At(2, 2).RGBA(); r < 0xc000 {
					t.Errorf("orientation %d of %s: the corner is elsewhere", o, Type(data))
				}
				if r, _, _, _ := img.At(60, 28).RGBA(); r > 0x4000 {
					t.Errorf("orientation %d of %s: there is a second corner", o, Type(data))
				}
			}
		}
	}
}

func TestBrokenPicturesAreRefused(t *testing.T) {
	plain, photo, anim := pngOf(t, scene(64, 32)), jpegOf(t, scene(64, 32), 80), film(t, 3, 16, 16)
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":        {nil, ErrType},
		"html":           {[]byte("<html>not a picture</html>"), ErrType},
		"webp":           {[]byte("RIFF\x00\x00\x00\x00WEBPVP8 "), ErrType},
		"png, magic":     {plain[:8], ErrBroken},
		"png, half":      {plain[:len(plain)/2], ErrBroken},
		"png, no end":    {plain[:len(plain)-12], ErrBroken},
		"png, wrong sum": {insert(plain[:len(plain)-1], len(plain)-1, 0), ErrBroken},
		"png, no width":  {bomb(0, 10), ErrBroken},
		"jpeg, magic":    {photo[:3], ErrBroken},
		"jpeg, cut":      {photo[:len(photo)*3/4], ErrBroken},
		"gif, magic":     {anim[:6], ErrBroken},
		"gif, cut":       {anim[:len(anim)-4], ErrBroken},
		"gif, no end":    {anim[:len(anim)-1], ErrBroken},
		"a photograph":   {bomb(4000, 3000), ErrPixels},
		"a bomb":         {bomb(20000, 20000), ErrPixels},
		"a long bomb":    {bomb(1, 1<<20), ErrPixels},
		"a large jpeg":   {jpegOf(t, image.NewGray(image.Rect(0, 0, 5000, 10)), 50), ErrPixels},
		"a long film":    {film(t, 9, 2048, 1024), ErrPixels},
		"a large file":   {make([]byte, api.MaxPicture+1), ErrLarge},
		"a padded file":  {append(append([]byte(nil), photo...), make([]byte, api.MaxPicture)...), ErrLarge},
	} {
		if len(c.data) > api.MaxPicture && c.want != ErrLarge {
			t.Fatalf("%s: %d bytes are no test", name, len(c.data))
		}
		_, err := Clean(c.data)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSizesThatAreTaken(t *testing.T) {
	for name, data := range map[string][]byte{
		"a screen":     bomb(2048, 1024),
		"a line":       bomb(4096, 1),
		"a column":     bomb(1, 4096),
		"one pixel":    pngOf(t, scene(1, 1)),
		"noise":        jpegOf(t, noise(180, 180), 90),
		"a film":       film(t, 30, 32, 32),
		"grey":         jpegOf(t, image.NewGray(image.Rect(0, 0, 50, 50)), 80),
		"deep colours": pngOf(t, image.NewRGBA64(image.Rect(0, 0, 64, 32))),
	} {
		if len(data) > api.MaxPicture {
			t.Fatalf("%s has %d bytes", name, len(data))
		}
		out, err := Clean(data)
		if err != nil || len(out) > api.MaxPicture {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
			continue
		}
		was, _, _ := image.DecodeConfig(bytes.NewReader(data))
		is, _, err := image.DecodeConfig(bytes.NewReader(out))
		if err != nil || is.Width != was.Width || is.Height != was.Height {
			t.Errorf("%s: %d×%d became %d×%d, %v", name, was.Width, was.Height, is.Width, is.Height, err)
		}
	}
}

func TestFilmStaysAFilm(t *testing.T) {
	out, err := Clean(film(t, 5, 16, 16))
	if err != nil {
		t.Fatal(err)
	}
	g, err := gif.DecodeAll(bytes.NewReader(out))
	if err != nil || len(g.Image) != 5 || g.Delay[4] != 7 || g.LoopCount != 3 {
		t.Errorf("%d frames, %v", len(g.Image), err)
	}
}

// What was packed at the limit still goes: a JPEG is encoded more coarsely, and so is
// a PNG that hides nothing behind it.
func TestPackedPictureFits(t *testing.T) {
	m := noise(200, 200)
	quality := 90
	data := jpegOf(t, m, quality)
	for ; len(data) > api.MaxPicture; data = jpegOf(t, m, quality) {
		quality--
	}
	exif := append([]byte("Exif\x00\x00"), tiff(binary.LittleEndian, 6)...)
	if len(data)+len(exif)+4 <= api.MaxPicture {
		data = insert(data, 2, segment(0xe1, exif)...)
	}
	if out, err := Clean(data); err != nil || len(out) > api.MaxPicture {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

func FuzzClean(f *testing.F) {
	exif := append([]byte("Exif\x00\x00"), tiff(binary.LittleEndian, 6)...)
	f.Add(pngOf(f, scene(8, 8)))
	f.Add(insert(pngOf(f, scene(8, 8)), 33, chunk("eXIf", tiff(binary.BigEndian, 8))...))
	f.Add(insert(jpegOf(f, scene(8, 8), 80), 2, segment(0xe1, exif)...))
	f.Add(film(f, 2, 4, 4))
	f.Add(bomb(2048, 1024))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := Clean(data)
		if err != nil {
			return
		}
		if len(out) > api.MaxPicture {
			t.Errorf("%d bytes", len(out))
		}
		if _, err := Clean(out); err != nil {
			t.Errorf("what came out is refused: %v", err)
		}
	})
}
