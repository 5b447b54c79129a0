package group

import (
	"cmp"
	"slices"
	"time"
)

// A cell that came can be lost here all the same: too many waited for one that came late, or not at all. And one that never
// came may lie at a mailbox, which has shown it to others. So logs are read again, from their beginning: those of keys
// with a question for something missing, and those of which something was dropped as soon as more opens. Cells
// that wait and keys that do not come may be somebody's intent: each time it is after twice as long.

// formerLogs is how many former places are read again with those of the heads.
const formerLogs = 4

// forgiven is after how long without it logs are read again as at first.
const forgiven = 24 * time.Hour

// controlLogs is the logs where keys come: of the heads, and of the last places before them.
func controlLogs(r *core) (names [][16]byte) {
	places := slices.DeleteFunc(slices.Clone(r.places.all), func(p *place) bool { return p.card == nil || p.crowded })
	slices.SortStableFunc(places, func(a, b *place) int {
		if a.retired == 0 || b.retired == 0 {
			return cmp.Compare(a.retired, b.retired)
		}
		return cmp.Compare(b.retired, a.retired)
	})
	former := 0
	for _, p := range places {
		if p.retired != 0 {
			former++
		}
		if former > formerLogs {
			break
		}
		names = append(names, p.name(laneControl, p.segment[laneControl]))
	}
	return names
}

// dueReread has logs read again of which something was dropped, once something that waited beside it has opened.
func dueReread(r *core, now time.Time) time.Time {
	a, d := &r.aside, &r.duty
	lost := slices.ContainsFunc(a.waits, func(w waiting) bool { return w.kind == kindDropped })
	if !lost || !a.opens || len(r.keys.Lacking()) > 0 {
		return time.Time{}
	}
	if when := d.mayReread(now); now.Before(when) {
		return when
	}

	var names [][16]byte
	a.waits = slices.DeleteFunc(a.waits, func(w waiting) bool {
		if w.kind == kindDropped {
			names = append(names, [16]byte(w.data))
		}
		return w.kind == kindDropped
	})
	if slices.Contains(names, [16]byte{}) { // from before a restart
		for _, p := range r.posting() {
			for lane := range uint8(lanes) {
				names = append(names, p.name(lane, p.segment[lane]))
			}
		}
	}
	a.opens = false
	rereads(r, names, now)
	return time.Time{}
}

// mayReread is when logs may be read again.
func (d *duty) mayReread(now time.Time) (when time.Time) {
	if d.rereads == 0 || now.Sub(time.Unix(d.reread, 0)).Abs() >= forgiven {
		return when
	}
	return time.Unix(d.reread, 0).Add(favourRest << min(d.rereads-1, maxDoubling))
}

func rereads(r *core, names [][16]byte, now time.Time) {
	d := &r.duty
	if d.mayReread(now).IsZero() {
		d.rereads = 0
	}
	d.reread, d.rereads = now.Unix(), d.rereads+1
	r.tell(Reread{names})
}

// Behind reports whether something is on its way here: keys are lacking, or cells of late wait for those before
// them.
func (r *Room) Behind(now time.Time) bool {
	return len(r.keys.Lacking()) > 0 || slices.ContainsFunc(r.aside.waits, func(w waiting) bool {
		return w.kind != kindStray && now.Sub(time.Unix(w.since, 0)).Abs() < settlesIn
	})
}
