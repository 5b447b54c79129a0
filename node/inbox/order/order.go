// Package order decides when the contents of one sender are taken, and in which
// order: a machine without a database, a clock or a network.
//
// The cells of a sender are numbered; a content fills one or more of them. A [Line]
// holds the cells that have come and wait. It tells a [Keeper] the cells to store
// and the contents to take:
//
//	cell ──► content complete? ──no──► kept
//	           │yes
//	           ├─ no missing cell can hold the message it waits for ──► taken
//	           └─ kept and acknowledged; taken in its turn
//
// A turn has come when every cell before the content has come or was given up
// ([Line.Next]), or when the message that the content waits for was taken
// ([Line.Came]). Nothing waits for ever: [Line.Release] returns the cell up to which to
// stop waiting, and the time; [Line.Skip] stops the wait.
package order

import (
	"slices"
	"time"
)

// ID names a content, as its sender has chosen it.
type ID = [16]byte

const (
	// MaxCells bounds the cells kept of one sender: more than can be under way at one
	// time (session.MaxUnheard).
	MaxCells = 1024
	// MaxAge is after how many later cells a cell of an incomplete content is given up:
	// as long as a session waits for a cell.
	MaxAge = 1024
	// Unlinked is for how long a content waits that does not say which one is before
	// it: most likely a receipt is missing.
	Unlinked = time.Minute
)

// A Cell is a part of a content that has come. With Count 0 the content was taken
// and only the place is kept.
type Cell struct {
	Seq     int64 // number in the sender's chain
	Content ID
	Index   int
	Count   int
	Came    time.Time
	Data    []byte
}

// A Wait names the message that a complete content waits for, besides the cells before
// it.
type Wait struct {
	After    ID   // this message; zero: only cells
	Unlinked bool // a message that does not name the one before it
}

// A Keeper stores the changes of a line, and takes contents.
type Keeper interface {
	// Add keeps a cell, Mark empties those of a content that was taken, and Drop
	// erases one.
	Add(Cell) error
	Mark(seqs []int64) error
	Drop(seq int64) error

	// Wait reads the wait of a complete content.
	Wait(data []byte) Wait
	// Ready reports whether a content may be taken with cells before it missing: none
	// of them can hold the message it waits for.
	Ready(data []byte) (bool, error)
	// Take takes a complete content, of which c is a cell; tell says whether to
	// acknowledge it. It may call [Line.Came].
	Take(c Cell, data []byte, tell bool) error
	// Owe acknowledges a complete content that waits.
	Owe(content ID) error
}

// A Line is the cells of one sender that have come and wait for their turn.
type Line struct {
	// Next is the first cell that has neither come nor was given up.
	Next  int64
	cells []Cell // ascending
	waits map[ID]waiting
}

type waiting struct {
	Wait
	come bool
}

// New makes a line of the kept cells.
func New(next int64, cells []Cell) *Line { return &Line{Next: next, cells: cells} }

// Len returns how many cells are kept.
func (l *Line) Len() int { return len(l.cells) }

// Part takes a cell.
func (l *Line) Part(k Keeper, c Cell) error {
	if c.Count == 1 && c.Seq == l.Next && len(l.cells) == 0 { // nearly always
		l.Next++
		return k.Take(c, c.Data, true)
	}
	if err := l.makeRoom(k); err != nil {
		return err
	}
	at, there := slices.BinarySearchFunc(l.cells, c.Seq, func(c Cell, seq int64) int { return int(c.Seq - seq) })
	if there {
		return nil
	}
	if err := k.Add(c); err != nil {
		return err
	}
	l.cells = slices.Insert(l.cells, at, c)

	// Acknowledge complete contents even before their turn, and take those that need
	// none.
	if data, ok := l.assemble(&c); ok {
		if err := l.whole(k, c, data); err != nil {
			return err
		}
	}
	return l.advance(k)
}

// whole takes a complete content when its last cell has come, or lets it wait.
func (l *Line) whole(k Keeper, c Cell, data []byte) error {
	ready, err := k.Ready(data)
	if err != nil {
		return err
	}
	if ready {
		if err := k.Take(c, data, true); err != nil {
			return err
		}
		return l.mark(k, c.Content)
	}
	if l.waits != nil {
		l.waits[c.Content] = waiting{Wait: k.Wait(data)}
	}
	return k.Owe(c.Content)
}

// makeRoom stops waiting for missing cells while the line is full. If no content is
// complete, the oldest cell is given up.
func (l *Line) makeRoom(k Keeper) error {
	for len(l.cells) >= MaxCells {
		var err error
		if c, ok := l.early(); ok {
			err = l.Skip(k, c.Seq)
		} else {
			err = l.drop(k, l.cells[0].Seq)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// assemble returns the data of the content of a cell, if all its cells are there. They
// follow each other: a content that is sealed again, under the same id, may have changed.
// A content without cells, as of a cell that keeps only a place, is not there.
func (l *Line) assemble(of *Cell) (data []byte, ok bool) {
	if of.Count == 0 {
		return nil, false
	}
	next := 0
	for i := range l.cells {
		c := &l.cells[i]
		if c.Count == of.Count && c.Content == of.Content && c.Index == next && c.Seq-int64(c.Index) == of.Seq-int64(of.Index) {
			data = append(data, c.Data...)
			next++
		}
	}
	return data, next == of.Count
}

// advance takes the contents at their turn.
func (l *Line) advance(k Keeper) error {
	for len(l.cells) > 0 {
		// A cell of a content that was taken, or never became complete.
		c := l.cells[0]
		if c.Count == 0 && c.Seq < l.Next || c.Seq < l.Next-MaxAge {
			if err := l.drop(k, c.Seq); err != nil {
				return err
			}
			continue
		}
		// The first cell at or after the next number, or a late one before it.
		if taken, err := l.takeNext(k); err != nil || !taken {
			return err
		}
	}
	return nil
}

// takeNext takes one complete content at its turn.
func (l *Line) takeNext(k Keeper) (bool, error) {
	for _, c := range l.cells {
		if c.Seq > l.Next && !l.waits[c.Content].come {
			if len(l.waits) == 0 {
				break // nothing beyond this was waited for
			}
			continue
		}
		if c.Count == 0 && c.Seq == l.Next {
			l.Next++
			return true, l.drop(k, c.Seq)
		}
		data, ok := l.assemble(&c)
		if !ok {
			continue
		}
		delete(l.waits, c.Content)
		if err := k.Take(c, data, false); err != nil {
			return false, err
		}
		return true, l.mark(k, c.Content)
	}
	return false, nil
}

// mark empties the cells of a taken content, of all its sealings.
func (l *Line) mark(k Keeper, content ID) error {
	var seqs []int64
	for i := range l.cells {
		if c := &l.cells[i]; c.Content == content && c.Count > 0 {
			c.Count, c.Data = 0, nil
			seqs = append(seqs, c.Seq)
		}
	}
	return k.Mark(seqs)
}

func (l *Line) drop(k Keeper, seq int64) error {
	l.cells = slices.DeleteFunc(l.cells, func(c Cell) bool { return c.Seq == seq })
	return k.Drop(seq)
}

// look fills waits: for each complete content that is not yet taken, the message it
// waits for.
func (l *Line) look(k Keeper) {
	if l.waits != nil {
		return
	}
	l.waits = make(map[ID]waiting)
	for _, c := range l.cells {
		if data, ok := l.assemble(&c); ok {
			l.waits[c.Content] = waiting{Wait: k.Wait(data)}
		}
	}
}

// Came notes that a message was taken: the turn of each content that names it has come.
func (l *Line) Came(k Keeper, message ID) {
	if len(l.cells) == 0 {
		return
	}
	l.look(k)
	for content, w := range l.waits {
		if w.After == message {
			w.come = true
			l.waits[content] = w
		}
	}
}

// early returns the first cell of a complete content that still waits for its turn.
func (l *Line) early() (Cell, bool) {
	for _, c := range l.cells {
		if c.Seq <= l.Next {
			continue
		}
		if c.Count == 0 {
			return c, true
		}
		if _, ok := l.assemble(&c); ok {
			return c, true
		}
	}
	return Cell{}, false
}

// Release returns up to which cell to stop waiting, and when; false if nothing
// waits. A content that names the message before it waits for hold, any other for
// [Unlinked].
func (l *Line) Release(k Keeper, hold time.Duration) (seq int64, at time.Time, ok bool) {
	first, ok := l.early()
	if !ok {
		return 0, at, false
	}
	seq, at = first.Seq, first.Came.Add(hold)
	l.look(k)
	for _, c := range l.cells {
		if !l.waits[c.Content].Unlinked {
			continue // or is not whole, or was taken
		}
		if soon := c.Came.Add(min(hold, Unlinked)); soon.Before(at) {
			seq, at = c.Seq, soon
		}
		break
	}
	return seq, at, true
}

// Skip stops waiting for the cells that are missing before one.
func (l *Line) Skip(k Keeper, seq int64) error {
	l.Next = seq
	return l.advance(k)
}

// Finish takes all complete contents, in order: no more cells will come.
func (l *Line) Finish(k Keeper) error {
	for c, ok := l.early(); ok; c, ok = l.early() {
		if err := l.Skip(k, c.Seq); err != nil {
			return err
		}
	}
	return nil
}
