package watch

import (
	"slices"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

// A watch can follow logs instead of waiting for tags. It polls, hurries, retries and sits
// on a seat like any other; its leases are of two kinds:
//
//	standing   blocks at the mailbox for entries to come
//	a reading  entries of one log above a position, to close a gap
//
// The standing ones name the last position that the mailbox has told, for new entries. Gaps
// below it are read side by side, readingsMost at a time. When few
// blocks are left more are sent, and only entries answer those. A poll begins anew, and its
// answer says the ends of the logs: so a push that was lost is found at the next entry, by
// the gap, or at the next poll.
//
// At the mailbox a poll replaces the one before, in the order in which they arrive. So the
// next one waits for the answer to the last. If that is given up and arrives late, its
// blocks stand, and its answers say so: then a poll begins anew.
//
// A mailbox can say that there is more as often as it likes. A reading costs haste, and an
// entry that comes gives back entryEarns; and no more entries are taken than two full logs
// have, and one more each day.
const (
	fewStanding  = 2                      // blocks at which more are sent
	readingsAll  = 48                     // of all follows together
	readingsMost = 16                     // at a time
	overtaken    = time.Second            // until an entry that others have overtaken is asked for
	farBehind    = 64                     // the newest entries are read first
	entryEarns   = hasteCost / 2          // five to a reading
	coarse       = 64                     // the first request names multiples of it
	spansMost    = mailbox.MaxBlocks * 64 // what came out of order of one log, at most

	// A log holds so much for 14 days, and a mailbox may lose it.
	entriesAhead = 2 * mailbox.MaxEntries
	entriesDay   = mailbox.MaxEntries
	lastPosition = 1 << 31
)

// follow is the logs of a watch.
type follow struct {
	key   string // the caller's
	far   bool   // a twin stands; see twins.go
	logs  []*followed
	begin bool      // the next request begins anew
	poll  time.Time // when one does in any case
	began time.Time // when one was answered
	asked time.Time // when blocks were added
	came  time.Time // when an entry did
	look  time.Time // when the ends are asked for because the entry behind the last one may have been lost
	// Of a far one: when it is looked at again whether its logs are those of the twin, and
	// how often it was since the poll.
	check  time.Time
	checks int
	probed time.Time // when it was asked for its ends, and not again
	// Of a far one: when it got blocks to ring with, how many entries the near one has brought
	// since, and whether it has no seat for them.
	rung    time.Time
	since   int
	noSeat  bool
	awaited []awaited // that the twin has brought, and this one has not
}

// followed is one log of a follow.
type followed struct {
	name     mailbox.LogName
	instance uint32
	seen     uint32 // what was acknowledged before the follow began, not to be handed out
	acked    uint32 // by the caller
	spans    []span // what was handed out, or is not there; the first begins with 0
	last     uint32 // that the mailbox has told
	end      *mailbox.LogEnd
	ended    mailbox.LogEnd // that was handed out last
	retell   bool           // the next end is handed out although it is the same
	recent   []mailbox.Tag  // of the entries that came last
	heard    mailbox.LogEnd // that came last
	unlike   bool           // of a far one: it is not that of the twin
	behind   bool           // nor was it when asked again: gaps are read
	used     float64        // entries, of those that are taken
	usedAt   time.Time
}

// A span is the positions above from, up to to.
type span struct{ from, to uint32 }

// reading is a lease that closes a gap.
type reading struct {
	log      *followed
	after    uint32
	of       uint32 // the instance when it was made
	known    uint32 // and the last position that was known then
	instance uint32 // of the entries that came
	most     uint32 // the highest position of them
	entries  int    // how many came
	all      int    // and how many were sent, if that is known
	ended    bool
	dropped  bool // some were not handed out
}

// news is an entry or an end on its way to the caller.
type news struct {
	key     string
	mailbox wire.NodeID
	entry   *mailbox.LogEntry
	end     *mailbox.LogEnd
}

const following = "\x00log "

// Follow asks a mailbox to push entries of logs as they arrive, and keeps asking. It
// replaces the follow of the same key at that mailbox; no logs end it. A position below the one of before has the
// entries between read again. There are
// mailbox.MaxFollowed of them at most; others are left out. Requests of two keys are never
// put together.
func (ws *Watches) Follow(key string, at wire.NodeID, logs []mailbox.LogPosition) {
	now := time.Now()
	if len(logs) > mailbox.MaxFollowed {
		ws.cfg.Count("too many logs in a follow")
		logs = logs[:mailbox.MaxFollowed]
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	defer pace.Kick(ws.wake)

	// A prefix that no key of Watch has: the two share one map.
	id := following + at.String() + " " + key
	w := ws.m[id]
	if len(logs) == 0 {
		delete(ws.m, id)
		ws.pass(w, now)
		return
	}
	if w == nil {
		w = &watch{key: id, mailbox: at, seat: newSeat(), haste: hasteMost, follow: &follow{key: key}}
		w.listed(ws)
		ws.pair(w, now)
		ws.m[id] = w
	}

	changed := len(logs) != len(w.follow.logs)
	// A log that goes on keeps its gaps and positions: the caller names it again with each change.
	kept := make([]*followed, 0, len(logs))
	for _, p := range logs {
		l := w.follow.log(p.Name)
		if l == nil {
			l, changed = begin(p, now), true
		} else if l.instance == p.Instance {
			if p.After < l.acked && p.After < l.base() {
				l.again(p.After)
				w.follow.begin = true
				w.hurry(now)
			}
			l.acked = p.After
		}
		kept = append(kept, l)
	}
	w.follow.logs = kept
	// Positions alone are no reason to ask: they come with each entry.
	if changed {
		w.follow.begin = true
		w.at(now)
	}
}

// begin follows a log from a position on. A mailbox is not to know a reader by the place
// where it stopped: the request says it roughly.
func begin(p mailbox.LogPosition, now time.Time) *followed {
	return &followed{
		name: p.Name, instance: p.Instance, seen: p.After, acked: p.After, usedAt: now,
		spans: []span{{0, p.After / coarse * coarse}},
	}
}

func (f *follow) log(name mailbox.LogName) *followed {
	for _, l := range f.logs {
		if l.name == name {
			return l
		}
	}
	return nil
}

// base is the position up to which nothing is missing.
func (l *followed) base() uint32 { return l.spans[0].to }

// has reports whether a position was handed out, or is known not to be there.
func (l *followed) has(p uint32) bool {
	return slices.ContainsFunc(l.spans, func(s span) bool { return s.from < p && p <= s.to })
}

// add notes positions that are not to be read again.
func (l *followed) add(new span) {
	spans := append(l.spans, new)
	slices.SortFunc(spans, func(a, b span) int { return int(int64(a.from) - int64(b.from)) })
	joined := spans[:1]
	for _, s := range spans[1:] {
		if last := &joined[len(joined)-1]; s.from <= last.to {
			last.to = max(last.to, s.to)
		} else {
			joined = append(joined, s)
		}
	}
	if len(joined) > spansMost {
		joined = joined[:1] // it is read again
	}
	l.spans = joined
}

// again has entries above a position read again.
func (l *followed) again(after uint32) {
	l.seen, l.spans, l.ended = after, []span{{0, after}}, mailbox.LogEnd{}
}

// anew begins with another instance of the log: the mailbox has lost the former one.
func (l *followed) anew(instance uint32) {
	l.instance, l.seen, l.acked, l.last, l.end = instance, 0, 0, 0, nil
	l.spans = []span{{}}
}

// take counts an entry, or reports that no log has so many.
func (l *followed) take(now time.Time) bool {
	l.used = max(0, l.used-now.Sub(l.usedAt).Seconds()*entriesDay/(24*3600))
	l.usedAt = now
	if l.used+1 > entriesAhead {
		return false
	}
	l.used++
	return true
}

// gaps returns positions to read after, and how many entries may be missing there, that no
// reading under way covers: the newest first when much is missing.
func (l *followed) gaps(under []span, most int) (gaps []span) {
	known := slices.Concat(l.spans, under)
	slices.SortFunc(known, func(a, b span) int { return int(int64(a.from) - int64(b.from)) })
	add := func(from, to uint32) {
		for ; from < to && len(gaps) < most; from += mailbox.MaxBlocks {
			gaps = append(gaps, span{from, min(to, from+mailbox.MaxBlocks)})
		}
	}
	if newest := l.last - min(l.last, mailbox.MaxBlocks); l.last > l.base()+farBehind && !l.has(l.last) && len(under) == 0 {
		add(newest, l.last)
		known = append(known, span{newest, l.last})
	}

	to := uint32(0)
	for _, s := range known {
		if s.from > to {
			add(to, min(s.from, l.last))
		}
		to = max(to, s.to)
	}
	add(to, l.last)
	return gaps
}

// issueFollow makes the requests of a follow that are to leave now.
func (ws *Watches) issueFollow(w *watch, now time.Time) (made []*lease) {
	f := w.follow
	if f.far {
		return ws.probe(w, now)
	}
	w.due = now.Add(ws.pause(w))
	// After a loss: the next push may be lost as well, and no other come to show it.
	if !f.look.IsZero() && !now.Before(f.look) {
		f.look, f.begin = time.Time{}, true
	}
	poll := !now.Before(f.poll)
	if poll {
		ws.unacknowledged(f)
		ws.probeTwins(w, now)
	}

	// After a request without an answer one is to be sent in any case: until then nothing is read, and
	// nothing hurries.
	standing, spent := w.standing()
	stand := poll || f.begin || spent || standing == 0 || w.failures > 0
	switch {
	// The answer to the first is on its way. A second would end its blocks.
	case stand && w.beginning():
		f.begin, f.poll = true, w.due // once it is answered
	// Blocks of the old request are dead once the new one stands.
	case stand:
		w.leases = slices.DeleteFunc(w.leases, func(l *lease) bool { return l.read == nil })
		l := ws.newLease(w, mailbox.Stand, mailbox.MaxBlocks, now)
		made = append(made, l)
		f.begin, f.poll = false, w.due
	case standing <= fewStanding && w.failures == 0 && now.Sub(f.asked) > ws.cfg.Patience/2:
		l := ws.newLease(w, mailbox.More, mailbox.MaxBlocks, now)
		l.answered = true // or never
		f.asked = now
		made = append(made, l)
	}
	if len(made) > 0 {
		w.spend(1)
	}
	w.hurried = false

	// A mailbox that does not answer is asked one question at a time.
	if w.failures == 0 {
		made = append(made, ws.readings(w, now)...)
	}
	w.leases = append(w.leases, made...)
	if f.poll.Before(w.due) {
		w.due = f.poll
	}
	if !f.look.IsZero() && f.look.Before(w.due) {
		w.due, w.hurried = f.look, true
	}
	return made
}

// newLease makes a lease with all logs of a follow.
func (ws *Watches) newLease(w *watch, mode mailbox.Mode, blocks int, now time.Time) *lease {
	l := &lease{w: w, made: now, seat: w.seat, lost: ws.lost, deadline: now.Add(ws.cfg.Patience), mode: mode, left: blocks, stands: blocks}
	for _, it := range w.follow.logs {
		l.logs = append(l.logs, mailbox.LogPosition{Name: it.name, After: max(it.last, it.base())})
	}
	return l
}

// readings makes leases that close the gaps of the logs.
func (ws *Watches) readings(w *watch, now time.Time) (made []*lease) {
	under := map[*followed][]span{}
	// One log with many gaps must not take all the requests of a client.
	room := min(readingsMost, readingsAll-ws.reading())
	for _, l := range w.leases {
		if l.read != nil {
			under[l.read.log] = append(under[l.read.log], span{l.read.after, l.read.after + mailbox.MaxBlocks})
			room--
		}
	}

	for _, it := range w.follow.logs {
		if w.follow.far && !it.behind {
			continue
		}
		for _, gap := range it.gaps(under[it], room-len(made)) {
			if w.haste < hasteCost {
				return made
			}

			// The mailbox chooses its gaps: haste bounds the requests that it can call forth.
			w.haste -= hasteCost
			l := ws.newLease(w, mailbox.Look, int(gap.to-gap.from), now)
			l.logs = []mailbox.LogPosition{{Name: it.name, After: gap.from}}
			l.read = &reading{log: it, after: gap.from, of: it.instance, known: it.last, most: gap.from}
			made = append(made, l)
		}
	}
	return made
}

// reading returns how many readings of all follows are under way.
func (ws *Watches) reading() (n int) {
	for _, w := range ws.m {
		if w.follow == nil {
			continue
		}
		for _, l := range w.leases {
			if l.read != nil {
				n++
			}
		}
	}
	return n
}

// beginning reports whether a poll is under way, and its answer may still come.
func (w *watch) beginning() bool {
	return slices.ContainsFunc(w.leases, func(l *lease) bool {
		return l.read == nil && l.mode == mailbox.Stand && !l.answered && !l.spent
	})
}

// standing returns how many blocks stand at the mailbox, and whether some of them are lost.
func (w *watch) standing() (left int, spent bool) {
	for _, l := range w.leases {
		if l.read == nil {
			left += l.left
			spent = spent || l.spent && l.left > 0
		}
	}
	return left, spent
}

// unacknowledged has entries read again that the caller has had since the last poll, with
// the end of their log, and has not acknowledged.
func (ws *Watches) unacknowledged(f *follow) {
	for _, l := range f.logs {
		if l.ended.Instance == l.instance && l.ended.Last > l.acked && l.acked < l.base() {
			l.again(l.acked)
		}
	}
}

// answerFollow takes one answer to a lease of a follow.
func (ws *Watches) answerFollow(l *lease, a *mailbox.Answer, now time.Time) {
	w := l.w
	l.left--
	if !l.answered {
		l.answered = true
		w.failures = 0
		if l.read == nil && l.mode == mailbox.Stand {
			w.follow.began = now
		}
	}

	// Answers come for as long as blocks live, which is longer than the follow.
	if ws.m[w.key] != w {
		return // it has ended
	}

	// Checked before an entry is taken: it may hurry a new lease.
	current := slices.Contains(w.leases, l)
	switch {
	// The logs and positions are the mailbox's word: others than asked for are dropped.
	case a.Kind == mailbox.Logged && l.named(a.Entry.Name) && a.Entry.Position <= lastPosition:
		ws.entered(l, a, now)
	case a.Kind == mailbox.Ended && l.good(a.Ends):
		for _, end := range a.Ends {
			ws.ended(l, end)
		}
	default:
		ws.cfg.Count("wrong answer")
	}

	switch {
	// An entry is good whichever lease brought it; its seat and counts are old.
	case !current:
		ws.strayed(l, a, now)
	case l.read != nil:
		ws.read(l, a, now)
	case w.follow.far:
		ws.rang(l, a)
	default:
		if ws.seated(w, a, now); w.seat.none {
			ws.pass(w, now)
		}
		ws.compareFollow(l, a, now)
		if w.follow.begin {
			w.at(now.Add(burstGather))
		}
		if left, _ := w.standing(); left <= fewStanding && !w.seat.none {
			w.hurry(now.Add(burstGather))
		}
	}

	// Those in between may be on slower ways: a short wait saves a request.
	if w.follow.missing() {
		wait := burstGather
		if l.read == nil && a.Kind == mailbox.Logged {
			wait = overtaken
		}
		w.hurry(now.Add(wait))
	}
}

// named reports whether a lease names a log.
func (l *lease) named(name mailbox.LogName) bool {
	return slices.ContainsFunc(l.logs, func(p mailbox.LogPosition) bool { return p.Name == name })
}

// good reports whether these are ends of the logs of a lease.
func (l *lease) good(ends []mailbox.LogEnd) bool {
	return !slices.ContainsFunc(ends, func(e mailbox.LogEnd) bool { return !l.named(e.Name) || e.Last > lastPosition })
}

// missing reports whether there are gaps.
func (f *follow) missing() bool {
	return slices.ContainsFunc(f.logs, func(l *followed) bool { return l.base() < l.last && (!f.far || l.behind) })
}

// entered takes an entry.
func (ws *Watches) entered(l *lease, a *mailbox.Answer, now time.Time) {
	w, e := l.w, a.Entry
	it := w.follow.log(e.Name)
	if it == nil {
		return // not followed any more
	}
	if it.instance != e.Instance {
		it.anew(e.Instance)
	}
	if r := l.read; r != nil {
		r.dropped = r.dropped || r.entries > 0 && r.instance != e.Instance
		r.entries, r.instance, r.most = r.entries+1, e.Instance, max(r.most, e.Position)
	}
	if !w.follow.far || l.read != nil { // a ring tells of no others
		it.last = max(it.last, e.Position)
	}
	if w.follow.came = now; it.has(e.Position) {
		return
	}

	there := ws.mirror(l, it, e, now)
	if !it.take(now) || e.Position > it.seen && !there && !ws.tell(news{w.follow.key, w.mailbox, e, nil}) {
		ws.cfg.Count("entries come too fast")
		if l.read != nil {
			l.read.dropped = true
		}
		return
	}
	it.add(span{e.Position - 1, e.Position})
	it.note(e.Tag)
	w.haste = min(w.haste+entryEarns, hasteMost)
	if w.lossy.After(now) && !w.follow.far && l.read == nil && w.haste >= hasteCost {
		w.follow.look = now.Add(lossLook)
		w.hurry(w.follow.look)
	}
	if a.Pending > 0 && l.mode == mailbox.More {
		w.follow.begin = true // to learn how much there is
		w.hurry(now.Add(burstGather))
	}
	ws.tellEnd(w, it)
}

// ended takes the end of a log. It is handed out when nothing is missing before it.
func (ws *Watches) ended(l *lease, end mailbox.LogEnd) {
	it := l.w.follow.log(end.Name)
	if it == nil {
		return // not followed any more
	}
	if it.instance != end.Instance && end.Instance != 0 {
		it.anew(end.Instance)
	}
	if end.Instance != 0 {
		it.last = end.Last
	}
	it.end, it.heard = &end, end
	if l.w.follow.far {
		ws.like(l.w, it)
	}
	ws.tellEnd(l.w, it)
}

// tellEnd hands out the end of a log when all before it was.
func (ws *Watches) tellEnd(w *watch, it *followed) {
	if it.end == nil || it.end.Instance != 0 && it.base() < it.end.Last || *it.end == it.ended && !it.retell {
		return
	}
	if !ws.tell(news{w.follow.key, w.mailbox, nil, it.end}) {
		return // until the next answer
	}
	it.ended, it.end, it.retell = *it.end, nil, false
	if !w.follow.far {
		ws.likeNear(w, it)
	}
}

// tell hands news to the caller, unless too much waits for him.
func (ws *Watches) tell(n news) bool {
	select {
	case ws.news <- n:
		return true
	default:
		return false
	}
}

// strayed takes an answer to a lease that was given up or replaced. If its request came to
// the mailbox behind the one that replaced it, its blocks stand there and not ours: a
// request of ours says so by its end, and entries do that come long after the answer to ours.
func (ws *Watches) strayed(l *lease, a *mailbox.Answer, now time.Time) {
	w := l.w
	if l.read != nil || w.follow.far {
		return
	}
	if a.Kind == mailbox.Ended || !w.beginning() && now.Sub(w.follow.began) > overtaken {
		w.follow.begin = true
		w.hurry(now.Add(burstGather))
	}
}

// read ends a reading when its last answer has come. Then nothing is between the positions
// that came: what is missing is not there.
func (ws *Watches) read(l *lease, a *mailbox.Answer, now time.Time) {
	r, it := l.read, l.read.log
	if a.Kind == mailbox.Ended {
		r.ended, r.all, r.instance = true, a.Sent, a.Ends[0].Instance
	}
	if l.left > 0 && !(r.ended && r.entries >= r.all) {
		l.doubt = now.Add(ws.cfg.Patience / 4)
		return
	}

	l.w.leases = slices.DeleteFunc(l.w.leases, func(o *lease) bool { return o == l })
	switch {
	case r.dropped || r.instance != it.instance || r.entries < r.all:
	case r.ended && r.instance == r.of: // a later position may have come to the log behind it
		it.add(span{r.after, max(r.most, r.known)})
	default:
		it.add(span{r.after, r.most})
	}
	ws.tellEnd(l.w, it)
}

// compareFollow notes how many blocks stand at the mailbox: if fewer than answers can come,
// some are on their way, or lost. Blocks that were just sent are perhaps not there yet; if
// they are lost, no other answer may come to show it.
func (ws *Watches) compareFollow(l *lease, a *mailbox.Answer, now time.Time) {
	if a.NoSeat || now.Sub(l.w.follow.asked) < ws.cfg.Patience/2 && a.Standing >= fewStanding {
		return
	}
	l.stands = a.Standing
	if left, _ := l.w.standing(); left > a.Standing && l.doubt.IsZero() {
		l.doubt = now.Add(ws.cfg.Patience / 2)
	}
}

// missingFollow is missing of a follow: readings whose other answers are lost are over, and
// lost blocks are replaced.
func (ws *Watches) missingFollow(w *watch, now time.Time) {
	ws.overdueEntries(w, now)
	w.leases = slices.DeleteFunc(w.leases, func(l *lease) bool {
		if l.doubt.IsZero() || l.doubt.After(now) {
			return false
		}
		l.doubt = time.Time{}
		if l.read != nil {
			w.hurry(now)
			return true
		}
		if left, _ := w.standing(); left > l.stands {
			w.follow.begin = true
			w.hurry(now)
		}
		return false
	})
}
