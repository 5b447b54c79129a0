package plot

import "fmt"

// A Strip is the amounts of one row over time.
type Strip struct {
	Name   string
	Values []float64 // one for each time
}

// Sizes of strips.
const (
	thin     = 3  // the least height of a row
	thick    = 14 // the most
	allRows  = 420
	nameRoom = 11 // the least height of a name
)

// Strips draws a row for each strip, the darker the larger its value at that time. Times
// are in order.
func Strips(title string, x Axis, unit string, times []float64, strips []Strip) []byte {
	var most float64
	for _, s := range strips {
		for _, v := range s.Values {
			most = max(most, v)
		}
	}
	if len(times) < 2 || len(strips) == 0 || most == 0 {
		return begin(title).empty()
	}

	row := min(max(float64(allRows)/float64(len(strips)), thin), thick)
	bottomY := float64(top) + row*float64(len(strips))
	c := beginHigh(title, int(bottomY)+bottom)
	c.text("tick end", left+innerW, 20, fmt.Sprintf("the darkest is %s %s", number(most), unit))
	xs := scale{times[0], times[len(times)-1], left, left + innerW}
	every := max(1, int(nameRoom/row+0.99))
	for i, s := range strips {
		y := float64(top) + row*float64(i)
		if i%every == 0 {
			c.text("tick end", left-8, y+min(row, nameRoom)-1, s.Name)
		}
		c.strip(s, y, row, xs, times, most, unit)
	}

	for _, v := range xs.ticks(maxTick) {
		at := xs.at(v)
		c.line("base", at, bottomY, at, bottomY+5)
		c.text("tick middle", at, bottomY+19, number(v))
	}
	c.line("base", left, bottomY, left+innerW, bottomY)
	c.text("middle", left+innerW/2, bottomY+bottom-12, x.String())
	return c.end()
}

// strip draws one row. Neighbours of one darkness are one rectangle.
func (c *canvas) strip(s Strip, y, row float64, xs scale, times []float64, most float64, unit string) {
	const shades = 20
	shade := func(i int) int { return int(s.Values[i]/most*(shades-1) + 0.5) }
	for i := 0; i+1 < len(times) && i < len(s.Values); {
		j := i + 1
		for j+1 < len(times) && j < len(s.Values) && shade(j) == shade(i) {
			j++
		}
		if shade(i) > 0 {
			fmt.Fprintf(c, `<rect %s fill-opacity="%.2f" x="%s" y="%s" width="%s" height="%s"><title>%s</title></rect>`+"\n",
				paint("rect", "a"), float64(shade(i))/(shades-1), px(xs.at(times[i])), px(y), px(xs.at(times[j])-xs.at(times[i])), px(max(1, row-1)),
				escape(fmt.Sprintf("%s, %s: %s %s", s.Name, number(times[i]), number(s.Values[i]), unit)))
		}
		i = j
	}
}
