package watch

import (
	"math/rand/v2"
	"slices"
	"time"

	"starling/p2p/mailbox"
)

// The same logs lie at two mailboxes, and a caller follows them at both under one key: the
// follows are twins. One of them, the near one, stands; it alone is pushed to and reads
// gaps. When it polls, the far one is asked for the ends of the logs, in one packet. If its
// digest is the near one's, it has the same entries, and they need not come twice. If it is
// another, both are asked again twice, since an entry may have come in between; then the
// gaps of the far one are read, too.
//
// A near one that does not answer twice, or has no seat, becomes the far one; so does one that
// is deaf (ring.go).

const (
	nearFailures = 2
	askedAgain   = 2
	askAgain     = 5 * time.Second
)

// twins are the other follows of the same key.
func (ws *Watches) twins(w *watch) (all []*watch) {
	for _, other := range ws.m {
		if other != w && other.follow != nil && other.follow.key == w.follow.key {
			all = append(all, other)
		}
	}
	return all
}

// pair makes a new follow near or far. Which of two it is at the start is chance: readers
// of one room spread over its mailboxes.
func (ws *Watches) pair(w *watch, now time.Time) {
	for _, other := range ws.twins(w) {
		if other.follow.far {
			continue
		}
		if w.follow.far = true; other.asked.IsZero() && rand.IntN(2) == 0 {
			w.follow.far, other.follow.far = false, true
		}
		return
	}
}

// pass lets a twin that answers be the near one.
func (ws *Watches) pass(w *watch, now time.Time) {
	if w == nil || w.follow.far {
		return
	}
	twins := ws.twins(w)
	good := slices.IndexFunc(twins, func(t *watch) bool { return t.failures == 0 && !t.seat.none })
	if good < 0 && ws.m[w.key] != w && len(twins) > 0 {
		good = 0 // somebody has to
	}
	if good < 0 {
		return
	}
	ws.swap(w, twins[good], now)
}

// swap makes the far one of two twins the near one.
func (ws *Watches) swap(near, far *watch, now time.Time) {
	near.follow.far, far.follow.far = true, false
	for _, w := range []*watch{near, far} {
		w.follow.begin, w.follow.awaited = true, nil
		w.at(now)
	}
}

// probeTwins has the far ones asked together with the near one.
func (ws *Watches) probeTwins(w *watch, now time.Time) {
	for _, t := range ws.twins(w) {
		t.follow.begin, t.follow.checks = true, 0
		t.at(now)
	}
}

// probe makes the requests of a far follow: the ends of its logs with blocks for it to ring
// with, and gaps, as far as they are to be read.
func (ws *Watches) probe(w *watch, now time.Time) (made []*lease) {
	f := w.follow
	if !f.check.IsZero() && !now.Before(f.check) {
		ws.check(w, now)
	}
	ask := f.begin || w.failures > 0 || !now.Before(f.poll)
	// Blocks that stand are dead once a new request stands.
	if ask || ws.rings(w, now) {
		w.leases = slices.DeleteFunc(w.leases, func(l *lease) bool { return l.read == nil })
		l := ws.newLease(w, mailbox.Stand, mailbox.MaxBlocks, now)
		if !ask {
			l.mode, l.answered = mailbox.More, true // or never
		}
		for i := range l.logs {
			// Behind everything: the end is told, and no entry is sent.
			l.logs[i].After = mailbox.Newest - 1
		}
		made = append(made, l)
		f.rung, f.since = now, 0
	}
	if ask {
		f.begin, f.poll = false, now.Add(2*ws.pause(w)) // the near one comes first
		if f.checks == 0 {
			f.probed = now
		}
		w.spend(1)
	}
	w.hurried = false

	if w.failures == 0 {
		made = append(made, ws.readings(w, now)...)
	}
	w.leases = append(w.leases, made...)
	w.due = f.poll
	if !f.check.IsZero() && f.check.Before(w.due) {
		w.due = f.check
	}
	if ring := ws.ringAt(w); w.silent() && ring.Before(w.due) {
		w.due = ring
	}
	return made
}

// check has both asked again when a log of the far one is still another, or its gaps read.
func (ws *Watches) check(w *watch, now time.Time) {
	f := w.follow
	if ws.talking(w, now) {
		f.check = now.Add(askAgain)
		return
	}
	f.check = time.Time{}
	if !slices.ContainsFunc(f.logs, func(l *followed) bool { return l.unlike && !l.behind }) {
		return
	}
	if f.checks++; f.checks > askedAgain {
		for _, it := range f.logs {
			it.behind = it.behind || it.unlike
		}
		return
	}
	f.begin = true
	for _, t := range ws.twins(w) {
		if !t.follow.far {
			t.follow.begin = true
			t.at(now)
		}
	}
}

// talking reports whether entries come to the twin of a far follow one after the other: two
// ends that are not of one moment differ then. But nothing is put off for longer than ringEvery.
func (ws *Watches) talking(w *watch, now time.Time) bool {
	if now.Sub(w.follow.probed) > ringEvery {
		return false
	}
	return slices.ContainsFunc(ws.twins(w), func(t *watch) bool { return !t.follow.far && now.Sub(t.follow.came) < askAgain })
}

// like compares the end of a log of a far follow with that of the near one, up to which all
// was handed out.
func (ws *Watches) like(w *watch, it *followed) {
	for _, t := range ws.twins(w) {
		near := t.follow.log(it.name)
		if t.follow.far || near == nil || it.heard.Name != it.name {
			continue
		}
		has, there := near.ended, it.heard
		if has.Name != it.name {
			return // it has not come to its end yet
		}
		if it.unlike = has.Count != there.Count || has.Digest != there.Digest; it.unlike {
			if f := w.follow; f.check.IsZero() && !it.behind {
				f.check = time.Now().Add(askAgain)
				w.at(f.check)
			}
			return
		}
		it.behind = false
		it.add(span{0, there.Last})
		ws.tellEnd(w, it)
	}
}

// likeNear compares the far ends of a log with the near one, which was handed out.
func (ws *Watches) likeNear(w *watch, it *followed) {
	for _, t := range ws.twins(w) {
		if far := t.follow.log(it.name); far != nil && t.follow.far {
			ws.like(t, far)
		}
	}
}
