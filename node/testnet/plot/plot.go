// Package plot draws charts as SVG: a distribution, lines over time, bars per
// node. A chart stands alone as a file or inside of a page, has no scripts and
// loads nothing, and follows the reader's light or dark scheme.
package plot

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// The size of every chart in user units; it scales with its container.
const (
	width   = 760
	height  = 330
	left    = 68
	right   = 20
	top     = 62
	bottom  = 52
	innerW  = width - left - right
	innerH  = height - top - bottom
	maxTick = 8
)

// An Axis is the quantity counted and its unit.
type Axis struct{ Label, Unit string }

func (a Axis) String() string {
	if a.Unit == "" {
		return a.Label
	}
	return a.Label + ", " + a.Unit
}

// Mark is a line at a value of the horizontal axis.
type Mark struct {
	At    float64
	Label string
}

// Distribution draws how often which value occurs. Marks are written beside
// their line.
func Distribution(title string, x Axis, values []float64, marks ...Mark) []byte {
	c := begin(title)
	if len(values) == 0 {
		return c.empty()
	}

	most := slices.Max(values)
	step := niceStep(most, 40)
	bins := make([]int, int(most/step)+1)
	for _, v := range values {
		bins[max(0, int(v/step))]++
	}

	xs := scale{0, float64(len(bins)) * step, left, left + innerW}
	ys := scale{0, float64(slices.Max(bins)), top + innerH, top}
	c.axes(xs, ys, x, Axis{Label: "messages"})

	for i, n := range bins {
		if n == 0 {
			continue
		}
		from, to := xs.at(float64(i)*step), xs.at(float64(i+1)*step)
		c.rect("a", from+0.5, ys.at(float64(n)), max(1, to-from-1), ys.at(0)-ys.at(float64(n)),
			fmt.Sprintf("%s to %s %s: %d", number(float64(i)*step), number(float64(i+1)*step), x.Unit, n))
	}

	for i, m := range marks {
		at := xs.at(min(m.At, xs.to))
		y := float64(top - 22 + 15*i) // above the bars, one below the other: they may be close
		c.line("mark", at, y-10, at, top+innerH)
		if at > left+innerW*3/4 {
			c.text("label end", at-5, y, m.Label)
		} else {
			c.text("label", at+5, y, m.Label)
		}
	}

	return c.end()
}

// Series is a curve of points in order of X.
type Series struct {
	Name string
	X, Y []float64
}

// Curves draws up to three series as steps, and marks as thin lines with labels under
// the pointer.
func Curves(title string, x, y Axis, series []Series, marksName string, marks []Mark) []byte {
	c := begin(title)
	xs, ys := scale{0, 0, left, left + innerW}, scale{0, 0, top + innerH, top}
	for _, s := range series {
		for i := range s.X {
			xs.to, ys.to = max(xs.to, s.X[i]), max(ys.to, s.Y[i])
		}
	}

	if xs.to == 0 || ys.to == 0 {
		return c.empty()
	}
	c.axes(xs, ys, x, y)

	for _, m := range marks {
		if m.At <= xs.to {
			c.titled("mark", xs.at(m.At), m.Label)
		}
	}

	at := float64(left)
	for i, s := range series {
		class := classes[i%len(classes)]
		c.steps(class, s, xs, ys)
		at = c.legend(class, at, s.Name)
	}
	if len(marks) > 0 {
		c.legend("m", at, marksName)
	}

	return c.end()
}

// Bar is one node with a value per part.
type Bar struct {
	Name  string
	Parts []float64
}

// Bars draws a column a bar, its parts on top of each other.
func Bars(title string, y Axis, parts []string, bars []Bar) []byte {
	c := begin(title)
	var most float64
	longest := 1
	for _, b := range bars {
		var sum float64
		for _, v := range b.Parts {
			sum += v
		}
		most, longest = max(most, sum), max(longest, len(b.Name))
	}

	if most == 0 {
		return c.empty()
	}

	ys := scale{0, most, top + innerH, top}
	c.axes(scale{}, ys, Axis{}, y)
	slot := float64(innerW) / float64(len(bars))
	every := max(1, int(math.Ceil(float64(longest)*7.5/slot))) // so that names don't touch

	for i, b := range bars {
		x, base := left+float64(i)*slot, 0.0
		gap := min(slot*0.25, 8)
		for j, v := range b.Parts {
			y0, y1 := ys.at(base), ys.at(base+v)
			c.rect(classes[j%len(classes)], x+gap/2, y1, slot-gap, y0-y1,
				fmt.Sprintf("%s, %s: %s %s", b.Name, parts[j], number(v), y.Unit))
			base += v
		}
		if i%every == 0 {
			c.text("tick middle", x+slot/2, top+innerH+16, b.Name)
		}
	}

	at := float64(left)
	for j, p := range parts {
		at = c.legend(classes[j%len(classes)], at, p)
	}

	return c.end()
}

var classes = []string{"a", "b", "c"}

// scale maps from..to to pixels.
type scale struct{ from, to, low, high float64 }

func (s scale) at(v float64) float64 {
	if s.to == s.from {
		return s.low
	}
	return s.low + (v-s.from)/(s.to-s.from)*(s.high-s.low)
}

// ticks returns round values of the scale, at most n or so.
func (s scale) ticks(n int) (out []float64) {
	step := niceStep(s.to-s.from, n)
	for i := math.Ceil(s.from / step); i*step <= s.to+step/1e6; i++ {
		out = append(out, i*step)
	}
	return out
}

// niceStep returns 1, 2 or 5 times a power of ten that fits into span at most
// n times.
func niceStep(span float64, n int) float64 {
	if !(span > 0) || math.IsInf(span, 0) {
		return 1
	}
	raw := span / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 5} {
		if f*power >= raw {
			return f * power
		}
	}
	return 10 * power
}

// number writes a value with as few digits as tell it from its neighbours.
func number(v float64) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if short := strconv.FormatFloat(v, 'g', 4, 64); len(short) < len(text) && !slices.Contains([]byte(short), 'e') {
		return short
	}
	return text
}
