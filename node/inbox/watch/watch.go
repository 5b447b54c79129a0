// Package watch decides which tags are asked for at which mailbox.
//
// Each owner of tags (a contact, an open invite) has a [Plan]: its mailboxes, and the
// tags that are waited for. Two owners may wait for the same tag,
// for a contact can choose some of them; a box under it belongs to both. A cell lies
// in two mailboxes; the copy at the other one is asked for a while longer, so that
// it can be deleted there too. A copy put there later than that, by a sender still
// waiting for the receipt, is deleted unseen: otherwise it would lie there until it
// expires.
//
// The package is pure: it has no clock, no disk, no network and no goroutine. It
// returns the requests to mailboxes.
package watch

import (
	"slices"
	"time"
)

type (
	// Node is a mailbox.
	Node = [32]byte
	// Tag is where a mailbox keeps a box.
	Tag = [16]byte
)

// Limits of the tags that are asked for.
const (
	// KeptBack is how many of the tags ahead make room for tags of second copies.
	KeptBack = 8
	// SecondCopy is for how long those are asked for, and MaxSecond how many.
	SecondCopy = 10 * time.Second
	MaxSecond  = 64
	// LateAfter is after how long a copy that nobody asks for any more is deleted once
	// again: longer than a sender goes on without a receipt that is on its way, and
	// than it waits before it repairs (package outbox). MaxLate is how many are
	// remembered.
	LateAfter = 20 * time.Minute
	MaxLate   = 4096
)

// A Plan is the tags and mailboxes of one owner. None has no tags.
type Plan struct {
	Nodes  []Node
	Places int   // how many of the nodes, the last, are meeting places
	Tags   []Tag // those of cells that were passed over come before those ahead
	// Session: the tags end with those ahead in a session; Spare other ones come
	// before those of its cells.
	Session bool
	Spare   int
	Muted   bool // boxes are neither opened nor deleted

	arrivals []Arrival // oldest first, that lie elsewhere too
}

// An Arrival is the tag of a cell that has come from a mailbox.
type Arrival struct {
	Tag   Tag
	At    time.Time
	From  Node
	other []Node // that should have a copy
}

// A Request replaces the tags asked for at a mailbox on behalf of an owner. No tags end
// it.
type Request struct {
	Node Node
	Tags []Tag
}

// A Copy is a box that a mailbox may delete.
type Copy struct {
	Node Node
	Tag  Tag
}

// A Table holds the plans of all owners.
type Table[Owner comparable] struct {
	plans  map[Owner]Plan
	owners map[Tag][]Owner // owners that wait for a tag
	second map[Tag][]Owner // owners that wait for another copy of a cell that came
	late   []Late[Owner]   // copies that may still be stored, the first that is due first
}

// Late is a copy that a mailbox may delete once again.
type Late[Owner comparable] struct {
	Copy
	Owner Owner
	at    time.Time
}

// NewTable makes a table without owners.
func NewTable[Owner comparable]() *Table[Owner] {
	return &Table[Owner]{plans: make(map[Owner]Plan), owners: make(map[Tag][]Owner), second: make(map[Tag][]Owner)}
}

// Plans returns the plans of all owners.
func (t *Table[Owner]) Plans() map[Owner]Plan { return t.plans }

// Owners returns the owners of a tag that are not muted, and whether any of them is
// muted.
func (t *Table[Owner]) Owners(tag Tag) (owners []Owner, muted bool) {
	for _, o := range t.owners[tag] {
		if t.plans[o].Muted {
			muted = true
		} else {
			owners = append(owners, o)
		}
	}
	return owners, muted
}

// Second returns the owner that waits for another copy of a cell that came.
func (t *Table[Owner]) Second(tag Tag) (o Owner, ok bool) {
	for _, o := range t.second[tag] {
		return o, true
	}
	return o, false
}

// Set replaces the plan of an owner; came are the cells for it that have just come. It
// returns the requests to send to mailboxes, the copies that they may delete unseen,
// and whether other mailboxes are asked than before.
func (t *Table[Owner]) Set(o Owner, p Plan, came []Arrival, now time.Time) (ask []Request, drop []Copy, others bool) {
	old := t.plans[o]
	for _, tag := range old.Tags {
		leave(t.owners, tag, o)
	}
	delete(t.plans, o)

	// A cell that came has copies at all other mailboxes of the owner.
	p.arrivals = old.arrivals
	for _, a := range came {
		a.other = slices.DeleteFunc(slices.Clone(p.Nodes), func(n Node) bool { return n == a.From })
		if len(a.other) > 0 {
			p.arrivals = append(p.arrivals, a)
			enter(t.second, a.Tag, o)
		}
	}
	if drop = t.letGo(o, &p, now); p.Muted {
		drop = nil // a mailbox would see that somebody is there
	}

	if len(p.Tags) > 0 {
		t.plans[o] = p
	} else {
		for _, a := range p.arrivals {
			leave(t.second, a.Tag, o)
		}
	}
	for _, tag := range p.Tags {
		enter(t.owners, tag, o)
	}
	for _, n := range p.Nodes {
		if !p.Muted {
			ask = append(ask, Request{n, p.asked(n)})
		}
	}
	for _, n := range old.Nodes {
		if p.Muted || !slices.Contains(p.Nodes, n) {
			ask = append(ask, Request{n, nil})
		}
	}
	return ask, drop, !slices.Equal(p.Nodes, old.Nodes)
}

// asked returns the tags to ask a mailbox for. In quiet times they fit into one
// request: the last of the tags ahead are only needed when many cells come at once.
func (p *Plan) asked(node Node) []Tag {
	var second []Tag
	for _, a := range p.arrivals {
		if slices.Contains(a.other, node) {
			second = append(second, a.Tag)
		}
	}
	n := len(p.Tags)
	if p.Session && len(second) <= KeptBack {
		n = max(0, n-p.Spare-len(second))
	}
	return append(p.Tags[:n:n], second...)
}

// letGo forgets arrivals without a further copy at any mailbox, and those of which the
// second copy is overdue. It keeps the last few, which cost nothing. The mailboxes may
// delete later copies: they are not waited for.
func (t *Table[Owner]) letGo(o Owner, p *Plan, now time.Time) (drop []Copy) {
	p.arrivals = slices.DeleteFunc(p.arrivals, func(a Arrival) bool { return len(a.other) == 0 })
	n := 0
	for n < len(p.arrivals)-KeptBack && (now.Sub(p.arrivals[n].At) > SecondCopy || n < len(p.arrivals)-MaxSecond) {
		n++
	}
	for _, a := range p.arrivals[:n] {
		leave(t.second, a.Tag, o)
		for _, node := range a.other {
			c := Copy{node, a.Tag}
			drop = append(drop, c)
			if slices.Contains(p.Nodes[:len(p.Nodes)-p.Places], node) {
				t.late = append(t.late, Late[Owner]{c, o, now.Add(LateAfter)})
			}
		}
	}
	p.arrivals = slices.Clone(p.arrivals[n:])
	t.late = t.late[max(0, len(t.late)-MaxLate):]
	return drop
}

// DropLate returns the copies that mailboxes may delete once again by now.
func (t *Table[Owner]) DropLate(now time.Time) (drop []Late[Owner]) {
	for len(t.late) > 0 && !t.late[0].at.After(now) {
		if !t.plans[t.late[0].Owner].Muted {
			drop = append(drop, t.late[0])
		}
		t.late = t.late[1:]
	}
	return drop
}

// HandedOver notes that a mailbox has no copy of a cell any more.
func (t *Table[Owner]) HandedOver(c Copy) {
	for _, o := range slices.Clone(t.second[c.Tag]) {
		arrivals := t.plans[o].arrivals
		for i := range arrivals {
			a := &arrivals[i]
			if a.Tag != c.Tag {
				continue
			}
			a.other = slices.DeleteFunc(a.other, func(n Node) bool { return n == c.Node })
			if len(a.other) == 0 {
				leave(t.second, a.Tag, o)
			}
		}
	}
}

func enter[Owner comparable](m map[Tag][]Owner, tag Tag, o Owner) {
	if !slices.Contains(m[tag], o) {
		m[tag] = append(m[tag], o)
	}
}

func leave[Owner comparable](m map[Tag][]Owner, tag Tag, o Owner) {
	rest := slices.DeleteFunc(slices.Clone(m[tag]), func(x Owner) bool { return x == o })
	if len(rest) == 0 {
		delete(m, tag)
	} else {
		m[tag] = rest
	}
}
