package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/draw"
)

// orientationTag is the field of TIFF and EXIF that says how a camera was held: 1 is
// upright, and so is everything that is not known.
const orientationTag = 0x0112

// jpegOrientation returns the orientation in the EXIF segment of a JPEG.
func jpegOrientation(data []byte) int {
	for b := data[2:]; len(b) >= 4 && b[0] == 0xff; {
		marker, size := b[1], int(binary.BigEndian.Uint16(b[2:]))
		if marker == 0xff { // filling
			b = b[1:]
			continue
		}
		if marker == 0xda || size < 2 || size+2 > len(b) { // pixels begin, or junk
			break
		}
		if tiff, ok := bytes.CutPrefix(b[4:2+size], []byte("Exif\x00\x00")); ok && marker == 0xe1 {
			return tiffOrientation(tiff)
		}
		b = b[2+size:]
	}
	return 1
}

// pngOrientation returns the orientation in the eXIf chunk of a PNG.
func pngOrientation(data []byte) int {
	for b := data[8:]; len(b) >= 12; {
		size := binary.BigEndian.Uint32(b)
		if uint64(size)+12 > uint64(len(b)) {
			break
		}
		if string(b[4:8]) == "eXIf" {
			return tiffOrientation(b[8 : 8+size])
		}
		b = b[12+size:]
	}
	return 1
}

// tiffOrientation returns the orientation in the first directory of a TIFF header.
func tiffOrientation(b []byte) int {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte("MM\x00*")):
		order = binary.BigEndian
	default:
		return 1
	}
	if len(b) < 8 {
		return 1
	}

	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 1
	}
	n := int(order.Uint16(b[at:]))
	for entry := b[at+2:]; n > 0 && len(entry) >= 12; n-- {
		if order.Uint16(entry) == orientationTag {
			if o := int(order.Uint16(entry[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
		entry = entry[12:]
	}
	return 1
}

// upright turns and mirrors a picture as its orientation asks for.
func upright(img image.Image, orientation int) image.Image {
	if orientation <= 1 {
		return img
	}
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	src := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(src, src.Bounds(), img, b.Min, draw.Src)

	size := src.Bounds()
	if orientation >= 5 {
		size = image.Rect(0, 0, h, w)
	}
	out := image.NewNRGBA(size)
	for y := range h {
		for x := range w {
			tx, ty := x, y
			switch orientation {
			case 2:
				tx = w - 1 - x
			case 3:
				tx, ty = w-1-x, h-1-y
			case 4:
				ty = h - 1 - y
			case 5:
				tx, ty = y, x
			case 6:
				tx, ty = h-1-y, x
			case 7:
				tx, ty = h-1-y, w-1-x
			case 8:
				tx, ty = y, w-1-x
			}
			out.SetNRGBA(tx, ty, src.NRGBAAt(x, y))
		}
	}
	return out
}
