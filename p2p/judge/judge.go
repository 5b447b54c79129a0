// Package judge finds out which relays pass nothing on, from nothing but which
// requests were answered.
//
// A request takes seven relays, there and back, and nobody tells which one lost it. The
// judge keeps the last failures, each with those of its relays that had not proved
// since it was sent that they were up. A relay as a mix and the same relay as a mailbox
// are two parts: one may work, and not the other.
//
// The model has one bit for each part: it is up or down. A request over parts that
// are all up is answered, but for one in twenty that is lost otherwise; a request
// over one that is down never is. How likely each is down, given all failures, is
// worked out by belief propagation (Pearl, Probabilistic Reasoning in Intelligent
// Systems, 1988, ch. 4) on the graph of failures and parts. Two or three failures with
// one part in common, and little else that is unproven, are enough, also against a part
// that has answered for hours: a relay that dies is found as fast as one that never
// worked. (A table of blame and proofs in its place needed a minute for that, because
// many old proofs spoke for the dead one.)
//
// A part that is more likely down than not is avoided for 10 minutes after the last
// failure. Each time that it comes to that again without an answer between, it is
// avoided twice as long, 6 hours at most. An answer, or another explanation of its
// failures, ends that. Not more than the worst third of the list is avoided at a time,
// nor so many that fewer than five are left.
//
// The judge's guess can be led by others: an attacker that makes the requests over an
// honest relay fail, makes it avoided. The consequences have to be harmless to
// anonymity even then. A guard that is avoided is replaced within the budget of package
// guard. Another mix costs nothing. A mailbox is given up only if it is avoided and
// eight requests in a row, a second apart, brought nothing while another mailbox has
// answered.
package judge

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"starling/p2p/wire"
)

const (
	lost      = 0.05 // of requests over parts that are up
	downKnown = 0.01 // just after a proof, and
	downNew   = 0.05 // after memory, or without one
	downAgain = 0.25 // was avoided and has not answered since

	memory      = 10 * time.Minute // of failures and proofs
	maxFailures = 128
	maxParts    = 4096
	maxMixes    = 6  // of one request
	rounds      = 10 // of propagation; a few are enough on graphs as sparse as these
	certain     = 20 // the largest log odds

	avoidMin, avoidMax = 10 * time.Minute, 6 * time.Hour
	avoidMost          = 3 // one of so many
	leaveLeast         = 5

	missingAfter = 8
	missingApart = time.Second

	darkAfter = 3 // requests in a row
)

// A Judge keeps failures and proofs. The zero value is empty and ready. It is safe
// for concurrent use.
type Judge struct {
	mu       sync.Mutex
	failures []failure // the oldest first
	parts    map[part]*record
	version  int
	mailbox  time.Time // when a mailbox answered the last time
	unheard  int       // requests since then that brought nothing
}

// A part is a relay in one of its roles.
type part struct {
	id      wire.NodeID
	mailbox bool
}

// parts are those of a request: some mixes, and the mailbox.
func parts(mixes []wire.NodeID, mailbox wire.NodeID) []part {
	all := []part{{mailbox, true}}
	for _, id := range mixes {
		if p := (part{id, false}); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// A failure is a request that brought no answer.
type failure struct {
	sent  time.Time
	parts []part    // that could have caused it
	told  []float64 // the log likelihood ratio that it tells each of them
}

// drop takes out the part at a place.
func (f *failure) drop(i int) {
	f.parts = slices.Delete(f.parts, i, i+1)
	f.told = slices.Delete(f.told, i, i+1)
}

// A record is the state of one part.
type record struct {
	proof time.Time // when it last was up for certain
	odds  float64   // log odds that it is down, by the failures
	until time.Time // avoided
	times int       // avoided, and not answered since

	missed int       // requests to a mailbox, in a row
	since  time.Time // the first of them
	missAt time.Time // the last
}

func (r *record) avoided(now time.Time) bool { return r.until.After(now) }

// life is how long it stays avoided after a failure.
func (r *record) life() time.Duration {
	return min(avoidMin<<min(max(r.times-1, 0), 6), avoidMax)
}

// prior is how likely it is down, before any failure.
func (r *record) prior(now time.Time) float64 {
	before := r.times
	if r.avoided(now) {
		before-- // this time does not count for itself
	}
	if before > 0 {
		return downAgain
	}
	age := now.Sub(r.proof)
	if r.proof.IsZero() || age >= memory {
		return downNew
	}
	return downKnown + (downNew-downKnown)*float64(max(age, 0))/float64(memory)
}

// Failed notes that a request to a mailbox over mixes, sent at a time, brought no
// answer.
func (j *Judge) Failed(mixes []wire.NodeID, mailbox wire.NodeID, sent, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.unheard++
	all := parts(mixes[:min(len(mixes), maxMixes)], mailbox)
	j.room(len(all))
	j.prune(now)
	f := failure{sent: sent}
	for _, p := range all {
		if r := j.of(p); !r.proof.After(sent) {
			f.parts = append(f.parts, p)
		}
	}
	if m := j.of(all[0]); m.missed == 0 || now.Sub(m.missAt) >= missingApart {
		if m.missed++; m.missed == 1 {
			m.since = now
		}
		m.missAt = now
	}

	if len(f.parts) == 0 {
		return
	}
	f.told = make([]float64, len(f.parts))
	j.failures = append(j.failures, f)
	j.believe(now)
	for _, p := range f.parts {
		if r := j.parts[p]; r.odds > 0 {
			r.until = now.Add(r.life())
		}
	}
}

// prune forgets failures that are old, unless they are why a part is avoided.
func (j *Judge) prune(now time.Time) {
	j.failures = slices.DeleteFunc(j.failures, func(f failure) bool {
		return now.Sub(f.sent) > memory && !slices.ContainsFunc(f.parts, func(p part) bool {
			return j.of(p).avoided(now)
		})
	})
	if len(j.failures) >= maxFailures {
		j.failures = slices.Delete(j.failures, 0, 1)
	}
}

// Answered notes that a mailbox answered over mixes.
func (j *Judge) Answered(mixes []wire.NodeID, mailbox wire.NodeID, at, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mailbox, j.unheard = now, 0
	j.proved(parts(mixes, mailbox), at, now)
}

// Passed notes that mixes were up at a time.
func (j *Judge) Passed(mixes []wire.NodeID, at, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.proved(parts(mixes, wire.NodeID{})[1:], at, now)
}

// Explain takes out the failures that relays explain which are known to be out of reach. The
// judge goes on among the others.
func (j *Judge) Explain(away func(wire.NodeID) bool, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failures = slices.DeleteFunc(j.failures, func(f failure) bool {
		return slices.ContainsFunc(f.parts, func(p part) bool { return away(p.id) })
	})
	j.believe(now)
}

func (j *Judge) proved(all []part, at, now time.Time) {
	j.room(len(all))
	news := false
	for _, p := range all {
		r := j.of(p)
		r.missed = 0
		if !at.After(r.proof) {
			continue
		}
		news = j.cleared(p, r, at) || news || r.avoided(now)
		*r = record{proof: at, times: r.times / 2}
	}
	if news {
		j.believe(now)
	}
}

// cleared takes a part that was up at a time out of the failures before it, and
// reports whether there were any. A failure is explained if the part was down when it
// was likely to be, and has come back since; else another has to explain it.
func (j *Judge) cleared(p part, r *record, at time.Time) (news bool) {
	j.failures = slices.DeleteFunc(j.failures, func(f failure) bool {
		if at.Before(f.sent) || !slices.Contains(f.parts, p) {
			return false
		}
		news = true
		return r.odds > 0 || len(f.parts) == 1
	})
	for i := range j.failures {
		f := &j.failures[i]
		if n := slices.Index(f.parts, p); n >= 0 && !at.Before(f.sent) {
			f.drop(n)
		}
	}
	return news
}

// believe works out anew how likely each part is down, and changes which are avoided.
func (j *Judge) believe(now time.Time) {
	j.version++
	// The parts of all failures get numbers, so that the rounds look up no keys.
	numbers := map[part]int{}
	var odds []float64
	members := make([][]int, len(j.failures))
	for i, f := range j.failures {
		for k, p := range f.parts {
			n, ok := numbers[p]
			if !ok {
				n = len(odds)
				numbers[p] = n
				odds = append(odds, logit(j.parts[p].prior(now)))
			}
			members[i] = append(members[i], n)
			odds[n] += f.told[k]
		}
	}

	for range rounds {
		for i := range j.failures {
			tell(members[i], j.failures[i].told, odds)
		}
	}

	for p, r := range j.parts {
		n, ok := numbers[p]
		if r.odds = 0; ok {
			r.odds = min(max(odds[n], -certain), certain)
		}
		switch avoided := r.avoided(now); {
		case r.odds > 0 && !avoided:
			r.times++
			r.until = now.Add(r.life())
		case r.odds <= 0 && avoided:
			r.times--
			r.until = time.Time{}
		}
	}
}

// tell adds the message of one failed request to the odds of each of its members,
// given the messages of all other requests. If a member is down the request fails
// for certain; if not, because of another member or by chance.
func tell(members []int, told, odds []float64) {
	var up [maxMixes + 1]float64
	for k, n := range members {
		up[k] = 1 / (1 + math.Exp(min(max(odds[n]-told[k], -certain), certain)))
	}
	for k, n := range members {
		others := 1 - lost
		for i := range members {
			if i != k {
				others *= up[i]
			}
		}
		says := -math.Log1p(-others)
		odds[n] += says - told[k]
		told[k] = says
	}
}

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

// Avoided returns the mixes of a list of n relays that are avoided now, the worst
// first, and the version of that answer: it is another one whenever something happened.
func (j *Judge) Avoided(listed func(wire.NodeID) bool, n int, now time.Time) ([]wire.NodeID, int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var ids []wire.NodeID
	for p, r := range j.parts {
		if !p.mailbox && r.avoided(now) && listed(p.id) {
			ids = append(ids, p.id)
		}
	}
	slices.SortFunc(ids, func(a, b wire.NodeID) int {
		return cmp.Or(cmp.Compare(j.parts[part{id: b}].odds, j.parts[part{id: a}].odds), slices.Compare(a[:], b[:]))
	})
	return ids[:min(len(ids), n/avoidMost, max(0, n-leaveLeast))], j.version
}

// Missing reports whether a mailbox does not answer though others do.
func (j *Judge) Missing(mailbox wire.NodeID, now time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, ok := j.parts[part{mailbox, true}]
	return ok && r.avoided(now) && r.missed >= missingAfter && j.mailbox.After(r.since)
}

// Dark reports whether the last requests all brought nothing, whatever mailbox they went
// to. Nothing tells then whether it is the mailboxes or the way to all of them: who has but
// two mailboxes, and asks nobody else, does not miss them. One more that answers does.
func (j *Judge) Dark() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.unheard >= darkAfter
}

// LastAnswer returns when a mailbox answered the last time, the zero time if none has.
func (j *Judge) LastAnswer() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mailbox
}

// Heard reports whether a mailbox has ever answered.
func (j *Judge) Heard(mailbox wire.NodeID) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, ok := j.parts[part{mailbox, true}]
	return ok && !r.proof.IsZero()
}

// room forgets everything when there are too many parts.
func (j *Judge) room(more int) {
	if len(j.parts)+more > maxParts {
		clear(j.parts)
		j.failures = nil
		j.version++
	}
}

func (j *Judge) of(p part) *record {
	r := j.parts[p]
	if r == nil {
		if j.parts == nil {
			j.parts = map[part]*record{}
		}
		r = &record{}
		j.parts[p] = r
	}
	return r
}
