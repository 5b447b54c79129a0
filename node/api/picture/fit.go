package picture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"runtime/debug"
	"time"

	"golang.org/x/image/webp"

	"starling/node/api"
)

// Limits of a picture that is made smaller. It is the owner's own, and may be a bomb all
// the same: its size in memory is known before it is decoded.
const (
	// MaxSource is the largest file that is looked at, in bytes.
	MaxSource = 64 << 20
	// maxDecoded is how much memory the pixels of one may take.
	maxDecoded = 192 << 20
	maxWide    = 1 << 16
	maxTime    = 30 * time.Second
)

// sides are tried for a picture that is too large, one after the other: its longer one
// has at most so many pixels.
var sides = []int{1600, 1280, 1024, 800, 640, 480, 320, 200, 100, 64}

// grades are the qualities of a JPEG that are tried for each of them. Of a smaller one
// with less noise more is seen.
var grades = []int{80, 65, 50}

// Fitted is a picture to send.
type Fitted struct {
	Data          []byte
	Type          string
	Width, Height int
	// Of the file: its size in bytes and in pixels, upright.
	From                  int
	FromWidth, FromHeight int
	// Anew: the file is not taken as it is, and Data was made of it. Still: it was an
	// animation, of which the first picture is left.
	Anew, Still bool
}

// Smaller reports whether there are fewer pixels than in the file.
func (f *Fitted) Smaller() bool { return f.Width < f.FromWidth || f.Height < f.FromHeight }

// Fit returns the picture to send of a file: the same as [Clean] if that takes it, and else
// smaller, until it does. It takes WebP too, which is sent as a JPEG or PNG. It needs up to
// 200 MiB for a moment, so callers do one at a time.
func Fit(ctx context.Context, data []byte) (Fitted, error) {
	out := Fitted{From: len(data)}
	if len(data) > MaxSource {
		return out, ErrLarge
	}
	of, c, err := look(data)
	if err != nil {
		return out, err
	}

	out.FromWidth, out.FromHeight = c.Width, c.Height
	o := of.orientation(data)
	if o >= 5 {
		out.FromWidth, out.FromHeight = c.Height, c.Width
	}
	cleaned, err := Clean(data)
	if err == nil {
		return out.with(cleaned)
	}
	if errors.Is(err, ErrBroken) {
		return out, err
	}

	img, err := pixels(ctx, of, c, data)
	if err != nil {
		return out, err
	}
	if c.Width*c.Height > api.MaxPixels {
		defer debug.FreeOSMemory() // a messenger that is idle is small
	}
	if pixels, ok := gifPixels(data); of.name == "image/gif" && ok {
		out.Still = pixels > c.Width*c.Height
	}
	out.Anew = true
	cleaned, err = shrink(ctx, img, o, of.name == "image/jpeg")
	if err != nil {
		return out, err
	}
	return out.with(cleaned)
}

// with returns the facts about the picture that came out.
func (f Fitted) with(data []byte) (Fitted, error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return f, ErrBroken
	}
	f.Data, f.Type, f.Width, f.Height = data, Type(data), c.Width, c.Height
	return f, nil
}

// A source is a format that is read; more than those that are sent.
type source struct {
	name        string
	config      func(io.Reader) (image.Config, error)
	decode      func(io.Reader) (image.Image, error)
	orientation func([]byte) int
	// pixel is how many bytes one takes while it is decoded.
	pixel func(image.Config, []byte) int
}

var sources = map[string]source{
	"image/png":  {"image/png", png.DecodeConfig, png.Decode, pngOrientation, pngPixel},
	"image/jpeg": {"image/jpeg", jpeg.DecodeConfig, jpeg.Decode, jpegOrientation, jpegPixel},
	"image/gif":  {"image/gif", gif.DecodeConfig, gif.Decode, upAlready, func(image.Config, []byte) int { return 2 }},
	"image/webp": {"image/webp", webp.DecodeConfig, webp.Decode, webpOrientation, func(image.Config, []byte) int { return 8 }},
}

func upAlready([]byte) int { return 1 }

// look finds the format and size of a picture, and refuses one that is too large to be
// decoded.
func look(data []byte) (source, image.Config, error) {
	kind := Type(data)
	if len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP" {
		kind = "image/webp"
	}
	of, ok := sources[kind]
	if !ok {
		return of, image.Config{}, ErrType
	}
	c, err := of.config(bytes.NewReader(data))
	switch {
	case err != nil || c.Width <= 0 || c.Height <= 0:
		return of, c, ErrBroken
	case c.Width > maxWide || c.Height > maxWide || c.Height > maxDecoded/of.pixel(c, data)/c.Width:
		return of, c, ErrPixels
	}
	return of, c, nil
}

// pngPixel counts those of an interlaced one twice.
func pngPixel(c image.Config, data []byte) int {
	size := 4
	switch c.ColorModel {
	case color.NRGBA64Model, color.RGBA64Model:
		size = 8
	}
	const interlaced = 28 // its place in the file
	if len(data) > interlaced && data[interlaced] != 0 {
		size *= 2
	}
	return size
}

// jpegPixel counts the coefficients of a progressive one, which are kept to its end.
func jpegPixel(c image.Config, data []byte) int {
	size := 3
	if c.ColorModel == color.CMYKModel {
		size = 8
	}
	if progressive(data) {
		size += 4 * size
	}
	return size
}

// progressive reports whether a JPEG is, or may be.
func progressive(data []byte) bool {
	for b := data[2:]; len(b) >= 4 && b[0] == 0xff; {
		marker, size := b[1], int(binary.BigEndian.Uint16(b[2:]))
		switch {
		case marker == 0xff:
			b = b[1:]
			continue
		case marker == 0xc0 || marker == 0xc1:
			return false
		case size < 2 || size+2 > len(b):
			return true
		}
		if marker == 0xc2 {
			return true
		}
		b = b[2+size:]
	}
	return true
}

// webpOrientation returns the orientation in the EXIF chunk of a WebP.
func webpOrientation(data []byte) int {
	for b := data[12:]; len(b) >= 8; {
		size := uint64(binary.LittleEndian.Uint32(b[4:]))
		if size+8 > uint64(len(b)) {
			break
		}
		if string(b[:4]) == "EXIF" {
			return tiffOrientation(bytes.TrimPrefix(b[8:8+size], []byte("Exif\x00\x00")))
		}
		b = b[min(8+size+size%2, uint64(len(b))):]
	}
	return 1
}

// pixels decodes a picture. It gives up when the context ends, or after maxTime.
func pixels(ctx context.Context, of source, c image.Config, data []byte) (image.Image, error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	img, err := of.decode(&ending{ctx, data})
	switch {
	case context.Cause(ctx) == context.Canceled:
		return nil, context.Canceled
	case ctx.Err() != nil:
		return nil, ErrPixels
	case err != nil || img.Bounds().Dx() != c.Width && of.name != "image/gif":
		return nil, ErrBroken
	}
	return img, nil
}

// ending hands out data in pieces until its context ends.
type ending struct {
	ctx  context.Context // of one call of pixels: this is its reader
	data []byte
}

func (r *ending) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	const piece = 4096
	n := copy(p[:min(len(p), piece)], r.data)
	r.data = r.data[n:]
	return n, nil
}

// shrink returns the picture upright, and as large as it can be sent.
func shrink(ctx context.Context, img image.Image, orientation int, photo bool) ([]byte, error) {
	b := img.Bounds()
	long, first := max(b.Dx(), b.Dy()), api.MaxSide
	if n := b.Dx() * b.Dy(); n > api.MaxPixels {
		first = min(first, int(float64(long)*math.Sqrt(float64(api.MaxPixels)/float64(n))))
	}
	base := upright(reduce(img, min(first, long)), orientation)

	// A drawing keeps its edges, if it fits as one.
	opaque := solid(base)
	if !photo {
		if out, ok := asPNG(base); ok {
			return out, nil
		}
	}

	for _, side := range sides {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		small := base
		if side < max(base.Bounds().Dx(), base.Bounds().Dy()) {
			small = reduce(base, side)
		}
		if !opaque {
			if out, ok := asPNG(small); ok {
				return out, nil
			}
			continue
		}
		for _, q := range grades {
			var b bytes.Buffer
			if err := jpeg.Encode(&b, small, &jpeg.Options{Quality: q}); err != nil {
				return nil, ErrBroken
			}
			if b.Len() <= api.MaxPicture {
				return b.Bytes(), nil
			}
		}
	}
	return nil, ErrLarge
}

// solid reports whether nothing is seen through a picture.
func solid(img image.Image) bool {
	o, ok := img.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

func asPNG(img image.Image) ([]byte, bool) {
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err := encoder.Encode(&b, img)
	return b.Bytes(), err == nil && b.Len() <= api.MaxPicture
}

// reduce returns a picture whose longer side has so many pixels, each the mean of those
// it stands for. Rows are taken one by one: beside the picture little memory is needed.
func reduce(img image.Image, side int) image.Image {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if w <= side && h <= side {
		return img
	}
	dw, dh := side, max(1, h*side/w)
	if h > w {
		dw, dh = max(1, w*side/h), side
	}

	out, row := image.NewRGBA(image.Rect(0, 0, dw, dh)), image.NewRGBA(image.Rect(0, 0, w, 1))
	sums, counts := make([]uint32, 4*dw), make([]uint32, dw)
	for y := range dh {
		clear(sums)
		clear(counts)
		for sy := y * h / dh; sy < max(y*h/dh+1, (y+1)*h/dh); sy++ {
			draw.Draw(row, row.Bounds(), img, image.Pt(b.Min.X, b.Min.Y+sy), draw.Src)
			for sx := range w {
				x := sx * dw / w
				for i, v := range row.Pix[4*sx : 4*sx+4] {
					sums[4*x+i] += uint32(v)
				}
				counts[x]++
			}
		}
		for i, sum := range sums {
			out.Pix[y*out.Stride+i] = uint8((sum + counts[i/4]/2) / counts[i/4])
		}
	}
	return out
}
