// Package picture makes the picture that is sent of the file that was given.
//
// A photograph tells its place, its camera and its author, and a file may carry anything
// behind its last pixel. So nothing of a file is sent but its pixels: [Clean] decodes it,
// turns it upright by its orientation, and encodes it anew. A file that cannot be decoded
// here nobody could show: it is refused before it is sent ([ErrBroken]), and so is one of
// more pixels than the contact's screen decodes ([ErrPixels]).
//
// A file may be a bomb that its sender was sent: its header is believed to be a lie
// until its size is known to be bounded, and only then it is decoded.
package picture

import (
	"bytes"
	"errors"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"

	"starling/node/api"
)

// The faults of a picture.
var (
	ErrType   = errors.New("it is not a PNG, JPEG or GIF")
	ErrBroken = errors.New("it is broken")
	ErrPixels = errors.New("it has too many pixels")
	ErrLarge  = errors.New("it is too large")
)

// maxFrames is how many pixels all frames of an animation have together.
const maxFrames = 8 * api.MaxPixels

// qualities are tried for a JPEG one after the other, until it is small enough.
var qualities = []int{90, 80, 70, 60, 50, 40, 30, 20}

// A format is one that a picture may have.
type format struct {
	magic, name string
	config      func(io.Reader) (image.Config, error)
	clean       func(data []byte) ([]byte, error)
}

var formats = []format{
	{"\x89PNG\r\n\x1a\n", "image/png", png.DecodeConfig, cleanPNG},
	{"\xff\xd8\xff", "image/jpeg", jpeg.DecodeConfig, cleanJPEG},
	{"GIF87a", "image/gif", gif.DecodeConfig, cleanGIF},
	{"GIF89a", "image/gif", gif.DecodeConfig, cleanGIF},
}

// formatOf returns the format that the first bytes say, nil for another.
func formatOf(data []byte) *format {
	for i := range formats {
		if strings.HasPrefix(string(data[:min(len(data), 8)]), formats[i].magic) {
			return &formats[i]
		}
	}
	return nil
}

// Type returns the type of a picture by its first bytes, "image/png", "image/jpeg" or
// "image/gif", and "" for anything else. Nobody looks further here.
func Type(data []byte) string {
	if f := formatOf(data); f != nil {
		return f.name
	}
	return ""
}

// Clean returns the picture to send: the pixels of the one given, upright, at most
// [api.MaxPicture] bytes of them, and nothing else. A second time it changes nothing, but
// for the losses of a JPEG.
func Clean(data []byte) ([]byte, error) {
	if len(data) > api.MaxPicture {
		return nil, ErrLarge
	}
	f := formatOf(data)
	if f == nil {
		return nil, ErrType
	}

	c, err := f.config(bytes.NewReader(data))
	switch {
	case err != nil || c.Width <= 0 || c.Height <= 0:
		return nil, ErrBroken
	case c.Width > api.MaxSide || c.Height > api.MaxSide || c.Width*c.Height > api.MaxPixels:
		return nil, ErrPixels
	}
	return f.clean(data)
}

func cleanJPEG(data []byte) ([]byte, error) {
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, ErrBroken
	}
	return asJPEG(upright(img, jpegOrientation(data)))
}

// asJPEG encodes as well as there is room.
func asJPEG(img image.Image) ([]byte, error) {
	for _, q := range qualities {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: q}); err != nil {
			return nil, ErrBroken
		}
		if b.Len() <= api.MaxPicture {
			return b.Bytes(), nil
		}
	}
	return nil, ErrLarge
}

func cleanPNG(data []byte) ([]byte, error) {
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, ErrBroken
	}
	img = upright(img, pngOrientation(data))

	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, img); err != nil {
		return nil, ErrBroken
	}
	if b.Len() <= api.MaxPicture {
		return b.Bytes(), nil
	}

	// It was packed better than we can. Without transparency a JPEG will do.
	if o, ok := img.(interface{ Opaque() bool }); ok && o.Opaque() {
		return asJPEG(img)
	}
	return nil, ErrLarge
}

// cleanGIF encodes every frame anew, and no comments or notes of programs.
func cleanGIF(data []byte) ([]byte, error) {
	pixels, ok := gifPixels(data)
	if !ok {
		return nil, ErrBroken
	}
	if pixels > maxFrames {
		return nil, ErrPixels
	}

	g, err := gif.DecodeAll(bytes.NewReader(data))
	if err != nil {
		return nil, ErrBroken
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		return nil, ErrBroken
	}
	if b.Len() > api.MaxPicture {
		return nil, ErrLarge
	}
	return b.Bytes(), nil
}
