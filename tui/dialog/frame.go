package dialog

import "starling/tui/theme"

// A Frame is a border that a dialog of another package fills line by line.
type Frame struct {
	// Inner is the width of a line.
	Inner int

	th            *theme.Theme
	c             content
	want          int
	width, height int
}

// NewFrame begins a frame for a text that would like to be want cells wide, on a screen
// of width by height.
func NewFrame(th *theme.Theme, title string, want, width, height int) *Frame {
	f := &Frame{th: th, want: want, width: width, height: height, c: content{title: title}}
	f.Inner, _ = measure(want, width, height)
	return f
}

// Add adds a line; it is cut to the width.
func (f *Frame) Add(line string) { f.c.body = append(f.c.body, line) }

// Cursor puts the text cursor at a cell of the lines.
func (f *Frame) Cursor(x, y int) { f.c.cursor, f.c.cx, f.c.cy = true, x, y }

// Room is how many more lines there is room for.
func (f *Frame) Room() int {
	fixed := 2
	if f.height >= roomy {
		fixed += 2
	}
	return max(1, f.height-fixed-len(f.c.body))
}

// Top is the row of the box in which the next line stands.
func (f *Frame) Top() int {
	top := 1 + len(f.c.body)
	if f.height >= roomy {
		top++
	}
	return top
}

// Box draws it.
func (f *Frame) Box() Box {
	scroll := 0
	f.c.scroll = &scroll
	return draw(f.th, f.c, f.want, f.width, f.height)
}
