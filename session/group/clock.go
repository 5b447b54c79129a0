package group

import "time"

// rewind follows a clock that was ahead and is set back: times to come become now. Otherwise all that is due some
// time after them would be due in a year.
func rewind(r *core, now time.Time) {
	if r.back.active <= now.Unix() {
		return
	}
	clamp := func(all ...*int64) {
		for _, at := range all {
			*at = min(*at, now.Unix())
		}
	}

	d := &r.duty
	clear(d.strange)
	clamp(&d.rekeyDue, &d.lacking, &d.lastNeed, &d.relief, &r.back.since, &r.back.knocked, &r.back.said)
	r.back.quiet = min(r.back.quiet, now.Add(quietAfter).Unix())

	for i := range d.needs {
		clamp(&d.needs[i].at)
	}
	for i := range r.aside.waits {
		clamp(&r.aside.waits[i].since)
	}
	for id := range d.favours {
		d.favours[id] -= r.back.active - now.Unix()
	}
	for id, at := range d.unkeyed {
		d.unkeyed[id] = min(at, now.Unix())
	}
	for l, at := range d.lists {
		d.lists[l] = min(at, now.Unix())
	}

	for _, p := range r.places.all {
		clamp(&p.since, &p.retired, &p.turned)
	}
	for _, own := range r.leaves.own {
		clamp(&own.made, &own.used)
	}
	for id, l := range r.leaves.of {
		l.at = min(l.at, now.Unix())
		r.leaves.of[id] = l
	}
	for _, w := range r.words.all {
		clamp(&w.at)
	}
	for _, l := range r.door.logs {
		clamp(&l.at)
	}
}
