// Package picture shows the pictures of messages in a terminal.
//
// A picture comes from somebody else and nobody has looked into it, so
// [Decode] has limits: of bytes, of pixels before anything is allocated for
// them, of time, and of an animation it reads the first frame. Anything beyond
// them is [ErrPicture], and no more is said.
//
// [Blocks] draws with half blocks and works wherever there are colours; it is
// plain text for the renderer. [Sequence] is for terminals that know pictures:
// kitty's protocol, sixel, or iTerm2's. Its payload is always our own encoding
// of the pixels, never the sender's bytes.
package picture

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"time"

	"starling/node/api"
)

// Limits of the pictures that are decoded.
const (
	MaxBytes  = api.MaxPicture
	MaxSide   = api.MaxSide
	MaxPixels = api.MaxPixels
	MaxTime   = time.Second
)

// ErrPicture says that this cannot be shown.
var ErrPicture = errors.New("this picture cannot be shown")

// formats are those that a message may have. The type that the sender claims is not
// asked: the bytes tell it.
var formats = []struct {
	magic  string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}{
	{"\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode},
	{"\xff\xd8\xff", jpeg.DecodeConfig, jpeg.Decode},
	{"GIF8", gif.DecodeConfig, gif.Decode}, // its first frame
}

// Decode returns the pixels of a picture.
func Decode(data []byte) (*image.RGBA, error) {
	if len(data) == 0 || len(data) > MaxBytes {
		return nil, ErrPicture
	}

	for _, f := range formats {
		if !bytes.HasPrefix(data, []byte(f.magic)) {
			continue
		}
		c, err := f.config(bytes.NewReader(data))
		if err != nil || !sane(c.Width, c.Height) {
			return nil, ErrPicture
		}

		img, err := f.decode(&timed{data: data, until: time.Now().Add(MaxTime)})
		if err != nil {
			return nil, ErrPicture
		}
		b := img.Bounds()
		if !sane(b.Dx(), b.Dy()) {
			return nil, ErrPicture
		}

		out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
		draw.Draw(out, out.Bounds(), img, b.Min, draw.Src)
		return out, nil
	}
	return nil, ErrPicture
}

func sane(w, h int) bool {
	return w > 0 && h > 0 && w <= MaxSide && h <= MaxSide && w*h <= MaxPixels
}

// timed hands out data in small pieces until its time is over: a decoder that
// is kept busy by few bytes ends at the next piece.
type timed struct {
	data  []byte
	until time.Time
}

// piece is small enough to bound the time of a decoder on it.
const piece = 256

func (r *timed) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	if time.Now().After(r.until) {
		return 0, ErrPicture
	}
	n := copy(p[:min(len(p), piece)], r.data)
	r.data = r.data[n:]
	return n, nil
}

// Fit returns the size of a picture of w by h pixels in at most maxW by maxH,
// in its proportions and not enlarged.
func Fit(w, h, maxW, maxH int) (int, int) {
	if w <= 0 || h <= 0 || maxW <= 0 || maxH <= 0 {
		return 0, 0
	}
	if w <= maxW && h <= maxH {
		return w, h
	}
	if w*maxH > h*maxW {
		return maxW, max(1, h*maxW/w)
	}
	return max(1, w*maxH/h), maxH
}

// Scale returns the picture in w by h pixels, each the mean of those it stands
// for. Transparent pixels are seen on grey, which is neither of a dark nor of a light
// screen.
func Scale(src *image.RGBA, w, h int) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, max(w, 0), max(h, 0)))
	b := src.Bounds()
	for y := range h {
		y0, y1 := span(y, h, b.Dy())
		for x := range w {
			x0, x1 := span(x, w, b.Dx())
			var r, g, bl, al, n int
			for sy := y0; sy < y1; sy++ {
				row := src.Pix[src.PixOffset(b.Min.X+x0, b.Min.Y+sy):]
				for sx := 0; sx < x1-x0; sx++ {
					p := row[4*sx : 4*sx+4]
					r, g, bl, al, n = r+int(p[0]), g+int(p[1]), bl+int(p[2]), al+int(p[3]), n+1
				}
			}
			const grey = 0x80
			under := (255*n - al) * grey / 255
			out.SetRGBA(x, y, color.RGBA{uint8((r + under) / n), uint8((g + under) / n), uint8((bl + under) / n), 255})
		}
	}
	return out
}

// span returns the source pixels that pixel i of n stands for; at least one.
func span(i, n, of int) (from, to int) {
	from, to = i*of/n, (i+1)*of/n
	if to <= from {
		to = from + 1
	}
	return min(from, of-1), min(to, of)
}
