package plot

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// The colours keep their distance from each other for the colour-blind, on light and on
// dark. They are attributes, which every program draws; only the dark scheme is a style
// sheet, for browsers.
const (
	ink  = "#1d2430"
	dim  = "#667085"
	grid = "#e3e7ee"
	font = `font-family="system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif" font-size="12"`
	dark = `@media(prefers-color-scheme:dark){
.chart .paper{fill:#14181f}.chart text{fill:#98a2b3}.chart .title,.chart .label,.chart .key{fill:#e6e9ef}
.chart .grid{stroke:#303846}.chart .base{stroke:#98a2b3}.chart line.mark{stroke:#ec8fb2}
.chart rect.a{fill:#6ea8fe}.chart rect.b{fill:#f0a860}.chart rect.c{fill:#5fce9b}.chart rect.m{fill:#ec8fb2}
.chart polyline.a{stroke:#6ea8fe}.chart polyline.b{stroke:#f0a860}.chart polyline.c{stroke:#5fce9b}}`
)

// colours are those of classes.
var colours = map[string]string{"a": "#2563b8", "b": "#d9822b", "c": "#2f9e6e", "m": "#b04a6f", "mark": "#b04a6f",
	"grid": grid, "base": dim, "title": ink, "label": ink, "key": ink, "paper": "#ffffff"}

// paint returns the attributes of an element of some classes, and the classes.
func paint(element, classes string) string {
	colour, more := "", ""
	for class := range strings.FieldsSeq(classes) {
		if c := colours[class]; c != "" {
			colour = c
		}
		switch class {
		case "middle", "end":
			more += fmt.Sprintf(` text-anchor="%s"`, class)
		case "title":
			more += ` font-size="15" font-weight="600"`
		case "mark":
			more += ` stroke-dasharray="3 3"`
		}
	}

	switch element {
	case "text":
		if colour == "" {
			colour = dim
		}
		more = fmt.Sprintf(` fill="%s"`, colour) + more
	case "polyline":
		more = fmt.Sprintf(` fill="none" stroke="%s" stroke-width="2" stroke-linejoin="round"`, colour)
	case "line":
		more = fmt.Sprintf(` stroke="%s"`, colour) + more
	default:
		more = fmt.Sprintf(` fill="%s"`, colour)
	}
	return fmt.Sprintf(`class="%s"%s`, classes, more)
}

// canvas writes one SVG document. All text goes through escape.
type canvas struct{ bytes.Buffer }

func begin(title string) *canvas { return beginHigh(title, height) }

// beginHigh begins a document of another height.
func beginHigh(title string, high int) *canvas {
	c := &canvas{}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="%d" height="%d" viewBox="0 0 %d %d" %s role="img" aria-label="%s">`,
		width, high, width, high, font, escape(title))
	fmt.Fprintf(c, "<style>%s</style>\n<rect %s width=\"%d\" height=\"%d\"/>\n", dark, paint("rect", "paper"), width, high)
	c.text("title", left, 20, title)
	return c
}

func (c *canvas) end() []byte {
	c.WriteString("</svg>\n")
	return c.Bytes()
}

// empty is a chart of nothing.
func (c *canvas) empty() []byte {
	c.text("middle", width/2, height/2, "nothing to show")
	return c.end()
}

// escape makes text fit for an element or a quoted attribute.
func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}

// px writes a coordinate with a tenth of a unit.
func px(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }

func (c *canvas) text(class string, x, y float64, s string) {
	fmt.Fprintf(c, `<text %s x="%s" y="%s">%s</text>`+"\n", paint("text", class), px(x), px(y), escape(s))
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(c, `<line %s x1="%s" y1="%s" x2="%s" y2="%s"/>`+"\n", paint("line", class), px(x1), px(y1), px(x2), px(y2))
}

// titled is a line over the whole height with a label under the pointer.
func (c *canvas) titled(class string, x float64, label string) {
	fmt.Fprintf(c, `<line %s x1="%s" y1="%d" x2="%s" y2="%d"><title>%s</title></line>`+"\n",
		paint("line", class), px(x), top, px(x), top+innerH, escape(label))
}

func (c *canvas) rect(class string, x, y, w, h float64, label string) {
	fmt.Fprintf(c, `<rect %s x="%s" y="%s" width="%s" height="%s"><title>%s</title></rect>`+"\n",
		paint("rect", class), px(x), px(y), px(w), px(h), escape(label))
}

// steps draws a curve that changes only at its points.
func (c *canvas) steps(class string, s Series, xs, ys scale) {
	fmt.Fprintf(c, `<polyline %s points="%s,%s`, paint("polyline", class), px(xs.at(xs.from)), px(ys.at(ys.from)))
	y := ys.at(ys.from)
	for i := range s.X {
		x := xs.at(s.X[i])
		fmt.Fprintf(c, " %s,%s", px(x), px(y))
		y = ys.at(s.Y[i])
		fmt.Fprintf(c, " %s,%s", px(x), px(y))
	}
	fmt.Fprintf(c, " %s,%s\"/>\n", px(xs.high), px(y))
}

// legend writes one entry and returns where the next one begins.
func (c *canvas) legend(class string, x float64, name string) float64 {
	c.rect(class, x, 35, 12, 12, name)
	c.text("key", x+18, 45, name)
	return x + 36 + 7*float64(len([]rune(name)))
}

// axes draws the grid, its numbers and their labels. An empty x has none.
func (c *canvas) axes(xs, ys scale, x, y Axis) {
	for _, v := range ys.ticks(5) {
		at := ys.at(v)
		c.line("grid", left, at, left+innerW, at)
		c.text("tick end", left-8, at+4, number(v))
	}
	if x.Label != "" {
		for _, v := range xs.ticks(maxTick) {
			at := xs.at(v)
			c.line("base", at, top+innerH, at, top+innerH+5)
			c.text("tick middle", at, top+innerH+19, number(v))
		}
		c.text("middle", left+innerW/2, height-12, x.String())
	}
	c.line("base", left, top+innerH, left+innerW, top+innerH)
	fmt.Fprintf(c, `<text %s transform="translate(16 %d) rotate(-90)">%s</text>`+"\n", paint("text", "middle"), top+innerH/2, escape(y.String()))
}
