package picture

import (
	xkitty "github.com/charmbracelet/x/ansi/kitty"

	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"strconv"
	"strings"
)

// Kind is how a terminal shows pictures.
type Kind uint8

const (
	None   Kind = iota // not at all: it has too few colours
	Half               // half blocks, two pixels in a cell
	Sixel              // DEC sixel
	ITerm2             // OSC 1337
	Kitty              // APC G
)

// Detect chooses by the environment. The abilities behind a multiplexer are not known,
// so it gets half blocks; a terminal that answers that it has sixel (primary device
// attribute 4) has it there too.
func Detect(getenv func(string) string) Kind {
	name, program := getenv("TERM"), getenv("TERM_PROGRAM")
	switch {
	case getenv("TMUX") != "" || getenv("STY") != "" || strings.HasPrefix(name, "screen") || strings.HasPrefix(name, "tmux"):
		return Half
	case getenv("KITTY_WINDOW_ID") != "", name == "xterm-kitty", program == "ghostty", name == "xterm-ghostty":
		return Kitty
	case program == "iTerm.app", program == "WezTerm":
		return ITerm2
	case strings.HasPrefix(name, "foot"), strings.HasPrefix(name, "mlterm"), strings.HasPrefix(name, "contour"):
		return Sixel
	}
	return Half
}

// Blocks draws a picture in at most width by height cells; every line has the
// same width.
func Blocks(img *image.RGBA, width, height int) []string {
	b := img.Bounds()
	w, h := Fit(b.Dx(), b.Dy(), width, 2*height)
	if w == 0 || h == 0 {
		return nil
	}
	small := Scale(img, w, h)
	out := make([]string, 0, (h+1)/2)
	for y := 0; y < h; y += 2 {
		var line strings.Builder
		for x := range w {
			top := small.RGBAAt(x, y)
			if y+1 < h {
				under := small.RGBAAt(x, y+1)
				fmt.Fprintf(&line, "\x1b[38;2;%d;%d;%d;48;2;%d;%d;%dm▀", top.R, top.G, top.B, under.R, under.G, under.B)
			} else {
				fmt.Fprintf(&line, "\x1b[38;2;%d;%d;%dm▀", top.R, top.G, top.B)
			}
		}
		line.WriteString("\x1b[m")
		out = append(out, line.String())
	}
	return out
}

// A cell is taken for this many pixels where the terminal does not say.
const (
	CellWidth  = 10
	CellHeight = 20
)

// Sequence draws a picture at the cursor in at most width by height cells of
// cellW by cellH pixels, and returns the cells that it takes. It is empty for
// kinds that draw by other means.
func Sequence(kind Kind, img *image.RGBA, width, height, cellW, cellH int) (sequence string, w, h int) {
	if cellW <= 0 || cellH <= 0 {
		cellW, cellH = CellWidth, CellHeight
	}
	b := img.Bounds()
	pw, ph := Fit(b.Dx(), b.Dy(), min(width*cellW, MaxSide), min(height*cellH, MaxSide))
	if pw == 0 || ph == 0 {
		return "", 0, 0
	}
	small := Scale(img, pw, ph)
	w, h = (pw+cellW-1)/cellW, (ph+cellH-1)/cellH
	switch kind {
	case Kitty:
		return kitty(small, w, h), w, h
	case ITerm2:
		content := base64.StdEncoding.EncodeToString(encode(small))
		return fmt.Sprintf("\x1b]1337;File=inline=1;width=%d;height=%d;preserveAspectRatio=1;doNotMoveCursor=1:%s\a", w, h, content), w, h
	case Sixel:
		return "\x1bP0;1q" + sixel(small) + "\x1b\\", w, h
	}
	return "", 0, 0
}

func encode(img *image.RGBA) []byte {
	var b bytes.Buffer
	_ = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, img) // a buffer takes everything
	return b.Bytes()
}

// kittyID names our picture in the terminal; there is one at a time.
const kittyID = 0x5747

// KittyClear takes all of kitty's pictures of ours away.
var KittyClear = fmt.Sprintf("\x1b_Ga=d,d=I,i=%d,q=2\x1b\\", kittyID)

// kitty transmits and places a PNG in pieces, and keeps the terminal from
// answering.
func kitty(img *image.RGBA, w, h int) string {
	var b strings.Builder
	_ = xkitty.EncodeGraphics(&b, img, &xkitty.Options{ // a builder takes everything
		Action: xkitty.TransmitAndPut, Format: xkitty.PNG, ID: kittyID, Quiet: 2,
		Columns: w, Rows: h, DoNotMoveCursor: true, Chunk: true,
		Transmission: xkitty.Direct,
	})
	return b.String()
}

// levels of each colour in the palette of a sixel picture.
const levels = 6

// sixel encodes a picture in 216 colours: bands of six rows, one colour at a
// time. The encoder of x/ansi seeks the best palette, which takes a hundred times
// as long.
func sixel(img *image.RGBA) string {
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	var b strings.Builder
	fmt.Fprintf(&b, "\"1;1;%d;%d", w, h)

	// The palette.
	for i := range levels * levels * levels {
		fmt.Fprintf(&b, "#%d;2;%d;%d;%d", i, i/36*20, i/6%6*20, i%6*20)
	}
	step := func(c uint8) int { return (int(c)*(levels-1) + 127) / 255 }

	for y := 0; y < h; y += 6 {
		bits := map[int][]byte{} // colour → column → rows
		var order []int
		for dy := 0; dy < 6 && y+dy < h; dy++ {
			for x := range w {
				c := img.RGBAAt(x, y+dy)
				i := step(c.R)*36 + step(c.G)*6 + step(c.B)
				if bits[i] == nil {
					bits[i] = make([]byte, w)
					order = append(order, i)
				}
				bits[i][x] |= 1 << dy
			}
		}

		for k, i := range order {
			if k > 0 {
				b.WriteByte('$')
			}
			b.WriteString("#" + strconv.Itoa(i))
			runs(&b, bits[i])
		}
		b.WriteByte('-')
	}
	return b.String()
}

// runs writes columns, equal ones as a count.
func runs(b *strings.Builder, columns []byte) {
	for x := 0; x < len(columns); {
		n := 1
		for x+n < len(columns) && columns[x+n] == columns[x] {
			n++
		}
		c := '?' + columns[x]
		if n > 3 {
			b.WriteString("!" + strconv.Itoa(n))
			b.WriteByte(c)
		} else {
			for range n {
				b.WriteByte(c)
			}
		}
		x += n
	}
}
