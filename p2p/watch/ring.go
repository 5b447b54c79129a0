package watch

import (
	"slices"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/pace"
)

// A mailbox that restarts forgets its readers, and says nothing to them for that: they are
// deaf there until their next poll. So the far one of two twins has a few blocks as well,
// which cost nothing in quiet times: they leave with the request for its ends. It rings with
// them: an entry that it pushes, and the near one does not soon after, makes it the near one.
// The other way round an entry of the near one that the far one does not push, though it has
// blocks, has it asked anew. So the first entry after a restart finds it out.
//
// Blocks that are used up are replaced every ringEvery, or after ringAfter entries of the near
// one: of a talk that does not stop a reader gets a tenth twice. When the near one falls silent in a talk, for
// ringQuiet, they are replaced once ringSoon is over: it may be gone, and then nothing else tells of it.
const (
	ringEvery = 5 * time.Minute
	ringSoon  = time.Minute
	ringQuiet = 20 * time.Second
	ringAfter = 10 * mailbox.MaxBlocks
	// A writer appends at both mailboxes at once. The near one may be so much later; the
	// far one may have been away, and asking it anew is no hurry.
	nearLate = 6 * time.Second
	farLate  = 20 * time.Second
	// An entry of the near one is a push when its poll was answered so long ago.
	pushedAfter = overtaken

	recentMost  = 64 // tags of a log
	awaitedMost = 16 // entries of a follow
)

// awaited is an entry that one of two twins has brought: the other is to bring it as well.
type awaited struct {
	log  mailbox.LogName
	tag  mailbox.Tag
	came time.Time // of the other
	by   time.Time
	rung time.Time // when the other got the blocks to bring it with, if it is the far one
}

// note notes the tag of an entry that came.
func (l *followed) note(tag mailbox.Tag) {
	l.recent = append(l.recent, tag)
	l.recent = l.recent[max(0, len(l.recent)-recentMost):]
}

// noted reports whether an entry was among the last that came.
func (l *followed) noted(tag mailbox.Tag) bool { return slices.Contains(l.recent, tag) }

// silent reports whether a far follow has no blocks to ring with.
func (w *watch) silent() bool {
	if w.follow.noSeat || w.failures > 0 {
		return false // and gets none
	}
	return !slices.ContainsFunc(w.leases, func(l *lease) bool { return l.read == nil && l.left > 0 && !l.spent })
}

// rings reports whether a far follow is to get blocks to ring with.
func (ws *Watches) rings(w *watch, now time.Time) bool {
	return w.silent() && (w.follow.since >= ringAfter || !now.Before(ws.ringAt(w)))
}

// ringAt is when a far follow gets blocks to ring with, if it has none and nothing more comes.
func (ws *Watches) ringAt(w *watch) time.Time {
	at := w.follow.rung.Add(ringEvery)
	if w.follow.since == 0 {
		return at
	}
	soon := w.follow.rung.Add(ringSoon)
	for _, t := range ws.twins(w) {
		if quiet := t.follow.came.Add(ringQuiet); !t.follow.far && quiet.After(soon) {
			soon = quiet
		}
	}
	if soon.Before(at) {
		return soon
	}
	return at
}

// rang takes an answer of a far follow.
func (ws *Watches) rang(l *lease, a *mailbox.Answer) {
	w := l.w
	if w.follow.noSeat = a.NoSeat; a.NoSeat || a.Kind == mailbox.Ended && a.Standing < l.left {
		l.left = min(l.left, a.Standing)
	}
	if w.silent() {
		w.at(ws.ringAt(w))
	}
}

// mirror notes that an entry came of one twin, has it awaited of the other, and reports whether
// that one, the near one, has brought it.
func (ws *Watches) mirror(l *lease, it *followed, e *mailbox.LogEntry, now time.Time) (there bool) {
	w := l.w
	// Entries that were read, or were there at the beginning, say nothing about pushes.
	pushed := l.read == nil && (w.follow.far || now.Sub(w.follow.began) > pushedAfter)
	for _, t := range ws.twins(w) {
		other := t.follow.log(e.Name)
		if other == nil {
			continue
		}
		if t.follow.far {
			if t.follow.since++; ws.rings(t, now) {
				t.at(now)
			} else if t.silent() {
				t.at(ws.ringAt(t))
			}
		}

		// Both have it.
		if other.noted(e.Tag) {
			there = there || w.follow.far
			continue
		}
		if !pushed || len(t.follow.awaited) >= awaitedMost {
			continue
		}

		// The far one is asked seldom, and may be later.
		late := farLate
		if w.follow.far {
			late = nearLate
		} else if t.silent() {
			continue
		}
		t.follow.awaited = append(t.follow.awaited, awaited{e.Name, e.Tag, now, now.Add(late), t.follow.rung})
	}
	return there
}

// overdueEntries finds out which of two twins is deaf: entries that the other has brought are
// not there.
func (ws *Watches) overdueEntries(w *watch, now time.Time) {
	f, missing := w.follow, false
	for len(f.awaited) > 0 && !f.awaited[0].by.After(now) {
		a := f.awaited[0]
		f.awaited = f.awaited[1:]
		it := f.log(a.log)
		// Only entries that it had the time to bring: since its last answer nothing has come.
		missing = missing || it != nil && !it.noted(a.tag) && a.rung.Equal(f.rung) && !f.came.After(a.came)
	}

	// It may be the way, and not the mailbox: for a while all twins count as losing entries.
	if missing {
		w.lossy = now.Add(lossLasts)
		for _, t := range ws.twins(w) {
			t.lossy = w.lossy
		}
	}
	switch {
	case !missing || w.haste < hasteCost || w.failures > 0 && f.far:
	case f.far:
		if !w.silent() {
			f.begin = true
			w.hurry(now)
		}
	// The near one is deaf: the other takes its place.
	default:
		for _, t := range ws.twins(w) {
			if t.failures == 0 {
				w.haste -= hasteCost
				ws.swap(w, t, now)
				return
			}
		}
	}
}

// Again asks all mailboxes of a follow what they have, those that did not answer as well: the caller misses something. Their
// ends are handed out though they are the same as before. It costs haste: who asks for ever is
// answered at the polls.
func (ws *Watches) Again(key string) {
	now := time.Now()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.m {
		if w.follow == nil || w.follow.key != key {
			continue
		}
		for _, it := range w.follow.logs {
			it.retell = true
		}
		w.follow.begin, w.follow.checks = true, askedAgain
		if w.hurry(now); w.hurried {
			w.again(now) // also one that did not answer: perhaps it is back
		}
	}
	pace.Kick(ws.wake)
}
