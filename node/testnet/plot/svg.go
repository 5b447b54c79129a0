package plot

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// style is part of every chart. The colours keep their distance from each other for the
// colour-blind, on light and on dark.
const style = `
.chart{--ink:#1d2430;--dim:#667085;--grid:#e3e7ee;--a:#2563b8;--b:#d9822b;--c:#2f9e6e;--m:#b04a6f;
font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
@media(prefers-color-scheme:dark){.chart{--ink:#e6e9ef;--dim:#98a2b3;--grid:#303846;--a:#6ea8fe;--b:#f0a860;--c:#5fce9b;--m:#ec8fb2}}
.chart text{fill:var(--dim)}.chart .title{fill:var(--ink);font-size:15px;font-weight:600}.chart .label,.chart .key{fill:var(--ink)}
.chart .middle{text-anchor:middle}.chart .end{text-anchor:end}
.chart .grid{stroke:var(--grid)}.chart .base{stroke:var(--dim)}
.chart .mark{stroke:var(--m);stroke-dasharray:3 3}
.chart rect.a{fill:var(--a)}.chart rect.b{fill:var(--b)}.chart rect.c{fill:var(--c)}.chart rect.m{fill:var(--m)}
.chart polyline{fill:none;stroke-width:2;stroke-linejoin:round}
.chart polyline.a{stroke:var(--a)}.chart polyline.b{stroke:var(--b)}.chart polyline.c{stroke:var(--c)}
`

// canvas writes one SVG document. All text goes through escape.
type canvas struct{ bytes.Buffer }

func begin(title string) *canvas {
	c := &canvas{}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 %d %d" role="img" aria-label="%s">`, width, height, escape(title))
	fmt.Fprintf(c, "<style>%s</style>\n", style)
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
	fmt.Fprintf(c, `<text class="%s" x="%s" y="%s">%s</text>`+"\n", class, px(x), px(y), escape(s))
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(c, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`+"\n", class, px(x1), px(y1), px(x2), px(y2))
}

// titled is a line over the whole height with a label under the pointer.
func (c *canvas) titled(class string, x float64, label string) {
	fmt.Fprintf(c, `<line class="%s" x1="%s" y1="%d" x2="%s" y2="%d"><title>%s</title></line>`+"\n",
		class, px(x), top, px(x), top+innerH, escape(label))
}

func (c *canvas) rect(class string, x, y, w, h float64, label string) {
	fmt.Fprintf(c, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"><title>%s</title></rect>`+"\n",
		class, px(x), px(y), px(w), px(h), escape(label))
}

// steps draws a curve that changes only at its points.
func (c *canvas) steps(class string, s Series, xs, ys scale) {
	fmt.Fprintf(c, `<polyline class="%s" points="%s,%s`, class, px(xs.at(xs.from)), px(ys.at(ys.from)))
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
	fmt.Fprintf(c, `<text class="middle" transform="translate(16 %d) rotate(-90)">%s</text>`+"\n", top+innerH/2, escape(y.String()))
}
