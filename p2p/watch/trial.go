package watch

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

// A mailbox may say "stored" and drop the box. Its sender is told a lie, and nobody is
// told anything else. So a watch has a trial: now and then the client puts a box of its
// own to the mailbox, over a route like a sender's, under a tag that the fetches of the
// watch name among the others. One box that was stored and then is not there is a
// failure; two at a mailbox, and it has lied.
//
//	drawn      ── about TrialEvery ──►  put          the tag is named already
//	put        ── "stored" ──►          stored       any other answer proves nothing
//	stored     ── the box ──►           passed       drawn anew
//	stored     ── "none", twice ──►     failed       drawn anew, due in an hour
//
// One in four is late, as if the reader were away: by then no subscription has its tag
// any more, so that the box is not pushed, but it was asked for once, so that a mailbox
// without room keeps it.
//
//	drawn      ── about TrialEvery ──►  hidden       the tag is named no more
//	hidden     ── 7-12 hours ──►        put
//	put        ── "stored" ──►          stored
//	stored     ── 1-3 days ──►          ripe         not in the record any more
//	ripe       ── record kept ──►       the tag is named, and it passes or fails as above
//
// Failures, and boxes that are not ripe, outlive a restart; see [Record].
const (
	// TrialEvery is the mean time between two trials of a watch. All watches together
	// have no more than one in TrialShare.
	TrialEvery = 12 * time.Hour
	TrialShare = time.Hour
	// TrialPackets is the cost of a trial in packets on the links of the client: the
	// box and its answer, the box again, and the fetch that deletes it with its answer.
	TrialPackets = 5

	trialAgain    = time.Hour           // after a failure, or a box that could not be put
	trialAnswers  = 2                   // so many say that there is no box
	trialPatience = 10 * time.Minute    // for a stored box to come, so long at least
	trialOthers   = 24 * time.Hour      // as long as the answers bring other boxes
	trialLate     = 4                   // one of so many is asked for late
	hideLeast     = 7 * time.Hour       // a late tag before its box is put: above mailbox.SubscriptionLife
	hideMost      = 12 * time.Hour      // and at most
	lateLeast     = 24 * time.Hour      // by so long at least
	lateMost      = 72 * time.Hour      // and at most
	trialFailures = 2                   // make a lie
	failureLasts  = 14 * 24 * time.Hour // and are counted so long, of the time that the client runs
	lieLasts      = 30 * 24 * time.Hour // of it the mailbox is missing
	quietMost     = 10 * time.Minute    // between a fetch and the box of a trial
)

// trial is one test of a mailbox.
type trial struct {
	tag     mailbox.Tag
	box     *mailbox.Box // until it is stored
	sum     [sha256.Size]byte
	place   int       // of the tag among those of the watch
	late    bool      // the box is asked for only a day or more after it was stored
	heard   bool      // the mailbox knows the tag: it answered a fetch that named it
	hidden  bool      // the tag is named no more, until it is ripe
	ripe    bool      // it is time to name it
	named   bool      // fetches name it
	due     time.Time // of the next step; zero: an answer
	latest  time.Time // until when a put waits for a quiet moment
	stored  int64     // when the mailbox said so, in seconds since 1970; 0: not yet
	ask     int64     // when it is put, or ripe, if it is late; likewise
	since   time.Time // fetches of then and later would find the box
	answers int       // to such fetches
	none    int       // those of them that say that there is no box
}

// newTrial draws a trial; its box is put at due.
func newTrial(due time.Time, late bool) *trial {
	t := &trial{box: new(mailbox.Box), place: rand.IntN(mailbox.MaxTags), late: late, named: true, due: due, latest: due.Add(time.Hour)}
	crand.Read(t.tag[:])
	crand.Read(t.box[:])
	t.sum = sha256.Sum256(t.box[:])
	return t
}

// drawTrial draws the next trial of a watch in which nothing is wrong.
func (ws *Watches) drawTrial(now time.Time) *trial {
	mean := max(TrialEvery, time.Duration(len(ws.m))*TrialShare)
	wait := time.Duration(rand.ExpFloat64() * float64(mean))
	return newTrial(now.Add(wait), rand.IntN(trialLate) == 0)
}

// firstTrial returns the trial of a new watch, nil if none is to be.
func (ws *Watches) firstTrial(w *watch, now time.Time) *trial {
	if ws.cfg.Put == nil {
		return nil
	}
	if t := ws.layaway(w.key, w.mailbox, now); t != nil {
		return t
	}
	return ws.drawTrial(now)
}

// before returns when the next step is due, or another time that comes first.
func (t *trial) before(other time.Time) time.Time {
	if t == nil || t.due.IsZero() || other.Before(t.due) {
		return other
	}
	return t.due
}

// errand is the box of a trial on its way.
type errand struct {
	key string
	at  wire.NodeID
	tag mailbox.Tag
	box mailbox.Box
}

// names returns the tags that a fetch of the watch names. The trial's tag takes the
// place of the last one when it would need a request of its own; in a burst it waits.
func (w *watch) names() []mailbox.Tag {
	if w.trial == nil || !w.trial.named || w.burst > 0 || len(w.tags) == 0 {
		return w.tags
	}
	tags := slices.Clone(w.tags)
	if len(tags)%mailbox.MaxTags == 0 {
		tags = tags[:len(tags)-1]
	}
	return slices.Insert(tags, min(w.trial.place, len(tags)), w.trial.tag)
}

// tryOut takes the next step of a watch's trial, if it is due. It waits for nothing:
// the box leaves without the lock, in putTrials.
func (ws *Watches) tryOut(w *watch, now time.Time) {
	t := w.trial
	if t == nil || t.due.IsZero() || t.due.After(now) {
		return
	}
	switch {
	case t.stored != 0:
		ws.ripen(w, now)
		return
	case t.late && !t.hidden:
		ws.hide(t, now)
		return
	}

	// A box right after a fetch would show its owner.
	if quiet := min(quietMost, ws.cfg.Poll/3); now.Before(t.latest) {
		if end := w.asked.Add(quiet); end.After(now) {
			t.due = end
			return
		}
		if w.due.Sub(now) < quiet && w.due.After(now) {
			t.due = w.due.Add(quiet)
			return
		}
	}

	select {
	case ws.errands <- errand{w.key, w.mailbox, t.tag, *t.box}:
		t.due = time.Time{} // until the result of it is known
	default: // another is under way
		t.due = now.Add(pace.Jitter(time.Minute))
	}
}

// hide lets the tag of a late trial be named no more, once its mailbox knows it.
func (ws *Watches) hide(t *trial, now time.Time) {
	if !t.heard {
		t.due = now.Add(ws.interval())
		return
	}
	wait := hideLeast + rand.N(hideMost-hideLeast)
	t.hidden, t.named = true, false
	t.due, t.latest, t.ask = now.Add(wait), now.Add(wait+time.Hour), ws.cfg.Now().Unix()+int64(wait/time.Second)
}

// ripen lets the tag of a late trial be named as soon as no record has it any more.
func (ws *Watches) ripen(w *watch, now time.Time) {
	t := w.trial
	switch {
	case !ws.lies(t.stored):
		w.trial = ws.drawTrial(now)
	case ws.cfg.Keep == nil:
		t.named, t.since, t.due = true, now, time.Time{}
		w.at(soon())
	default:
		t.ripe, t.due = true, now.Add(again)
		ws.cfg.Keep()
	}
}

// putTrials puts the boxes of trials, one at a time, until ctx ends.
func (ws *Watches) putTrials(ctx context.Context) error {
	for {
		var e errand
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e = <-ws.errands:
		}
		err := ws.cfg.Put(ctx, e.at, e.tag, e.box[:])
		if ctx.Err() != nil {
			return ctx.Err()
		}

		now := time.Now()
		ws.mu.Lock()
		if w := ws.m[e.key]; w != nil && w.mailbox == e.at && w.trial != nil && w.trial.tag == e.tag {
			ws.stored(w, err, now)
		}
		ws.mu.Unlock()
		pace.Kick(ws.wake)
	}
}

// stored notes the result of the put. Silence, or a refusal, says nothing about a
// dropped box. A late tag may be taken by a box that was put before a crash, and is not
// tried again.
func (ws *Watches) stored(w *watch, err error, now time.Time) {
	t, clock := w.trial, ws.cfg.Now().Unix()
	switch {
	case err != nil && t.late:
		w.trial = ws.drawTrial(now)
	case err != nil:
		t.due = now.Add(pace.Jitter(trialAgain))
	case t.late:
		wait := lateLeast + rand.N(lateMost-lateLeast)
		t.box, t.stored, t.due, t.ask = nil, clock, now.Add(wait), clock+int64(wait/time.Second)
	default:
		t.box, t.stored, t.since, t.due = nil, clock, now, time.Time{}
	}
}

// tested looks for the trial's box in the answer to a lease, and reports whether it is
// there; that box is nobody else's.
func (ws *Watches) tested(l *lease, a *mailbox.Answer, first bool, now time.Time) bool {
	w := l.w
	t := w.trial
	if t == nil || ws.m[w.key] != w || !slices.Contains(l.tags, t.tag) {
		return false
	}

	// Acknowledged like any other box, or the mailbox could tell trials from people.
	if a.Kind == mailbox.Found && a.Tag == t.tag {
		ws.remember(place{w.mailbox, t.tag}, w.key, now)
		ws.delivered[place{w.mailbox, t.tag}] = delivery{key: w.key, at: now, acked: true}
		w.owe(t.tag)
		w.at(now.Add(pace.Jitter(4 * settle)))
		if sha256.Sum256(a.Box[:]) != t.sum {
			ws.lied(w, now)
			return true
		}
		w.trial = ws.drawTrial(now)
		return true
	}

	// From here on it is about answers without the box.
	t.heard = true
	if !first || t.since.IsZero() || !l.made.After(t.since) {
		return false
	}
	// Other boxes may have come first, if not for ever.
	t.answers++
	if a.Kind == mailbox.None {
		t.none++
	}
	waited := now.Sub(t.since)
	if t.none >= trialAnswers && waited >= trialPatience || t.answers >= trialAnswers && waited >= trialOthers {
		ws.missed(w, now)
	}
	return false
}

// missed is called when the box of a trial is not there. A box stored long ago, by a
// clock that was put right or before a sleep of the computer, may be lost without
// blame.
func (ws *Watches) missed(w *watch, now time.Time) {
	if ws.lies(w.trial.stored) {
		ws.lied(w, now)
	} else {
		w.trial = ws.drawTrial(now)
	}
}

// lied notes a failure of a watch's mailbox, and draws a trial of the same kind.
func (ws *Watches) lied(w *watch, now time.Time) {
	v := ws.verdicts[w.mailbox]
	v.at = w.mailbox
	if ws.lasts(v.failed, failureLasts) {
		v.lied = ws.age()
	}
	v.failed = ws.age()
	ws.verdicts[w.mailbox] = v
	ws.forget()
	w.trial = newTrial(now.Add(pace.Jitter(trialAgain)), w.trial.late)
	if ws.cfg.Keep != nil {
		ws.cfg.Keep()
	}
}

// Liars returns the mailboxes that have dropped boxes after they said "stored", the
// latest first.
func (ws *Watches) Liars() (ids []wire.NodeID) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for id, v := range ws.verdicts {
		if ws.lasts(v.lied, lieLasts) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b wire.NodeID) int { return cmp.Compare(ws.verdicts[b].lied, ws.verdicts[a].lied) })
	return ids
}
