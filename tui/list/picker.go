package list

// A Picker is a selection in rows of equal height, scrolled as little as
// needed. The zero value selects the first row.
type Picker struct {
	Selected int
	offset   int
}

// Move changes the selection among n rows, within its ends.
func (p *Picker) Move(by, n int) { p.Select(p.Selected+by, n) }

// Select selects a row among n, the nearest one there is.
func (p *Picker) Select(i, n int) { p.Selected = max(0, min(i, n-1)) }

// Window returns the rows [from, to) of n to show where there is room for
// some, the selected one among them.
func (p *Picker) Window(n, room int) (from, to int) {
	room = max(room, 1)
	p.Select(p.Selected, n)
	p.offset = min(p.offset, p.Selected)
	p.offset = max(p.offset, p.Selected-room+1)
	p.offset = max(0, min(p.offset, n-room))
	return p.offset, min(n, p.offset+room)
}

// Scroll moves the window without the selection leaving it.
func (p *Picker) Scroll(by, n, room int) {
	p.offset = max(0, min(p.offset+by, n-room))
	p.Selected = max(p.offset, min(p.Selected, p.offset+room-1))
	p.Select(p.Selected, n)
}
