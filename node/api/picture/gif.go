package picture

import "encoding/binary"

// The parts of a GIF.
const (
	gifHead       = 13 // signature and screen
	gifDescriptor = 10 // of a frame, with its separator
	gifExtension  = 0x21
	gifFrame      = 0x2c
	gifEnd        = 0x3b
)

// gifPixels counts the pixels of all frames, before one of them is decoded. It is false
// for a GIF without its end.
func gifPixels(data []byte) (pixels int, ok bool) {
	if len(data) < gifHead {
		return 0, false
	}

	b := afterTable(data[gifHead:], data[10])
	for len(b) > 0 {
		switch b[0] {
		case gifEnd:
			return pixels, true
		case gifExtension:
			if len(b) < 2 {
				return 0, false
			}
			b = afterBlocks(b[2:])
		case gifFrame:
			if len(b) < gifDescriptor {
				return 0, false
			}
			pixels += int(binary.LittleEndian.Uint16(b[5:])) * int(binary.LittleEndian.Uint16(b[7:]))
			b = afterTable(b[gifDescriptor:], b[9])
			if len(b) == 0 {
				return 0, false
			}
			b = afterBlocks(b[1:]) // the size of the codes comes first
		default:
			return 0, false
		}
	}
	return 0, false
}

// afterTable skips a table of colours, if the flags say that there is one.
func afterTable(b []byte, flags byte) []byte {
	if flags&0x80 == 0 {
		return b
	}
	return b[min(len(b), 3<<(flags&7+1)):]
}

// afterBlocks skips a row of blocks up to the empty one.
func afterBlocks(b []byte) []byte {
	for len(b) > 0 {
		size := int(b[0])
		b = b[min(len(b), 1+size):]
		if size == 0 {
			return b
		}
	}
	return nil
}
