// Package judge finds out which relays pass nothing on, from nothing but which
// requests were answered.
//
// A request takes seven relays, there and back, and nobody tells who lost it. The
// judge keeps one table: the failures of the last hour, each with those of its relays
// that had not proved since it was sent that they were up; and what speaks for each. A
// relay as a mix and the same relay as a mailbox are two: one may work, and not the
// other.
// After each failure the blame is shared out anew. With b the blame of a relay and a
// its proofs of late (half as many every 30 min), six times, from b = 0:
//
//	w = ((b + 0.1) / (b + 0.5·a + 2))²         how much it takes of a failure
//	b = Σ over its failures  w / (0.03 + Σ w)   the part of it; 0.03 is for chance
//
// So a failure falls to whoever explains most of the others, and little of it to who
// has answered all the time. A relay is avoided from b ≥ 1.2 on, if that is more than
// 0.3 of b + 0.5·a + 0.5: for 10 minutes, twice as long each time that a new failure
// falls to it, 6 hours at most; until it answers, or others explain its failures
// (b < 0.6). Not more than the worst third of the list is avoided at a time, nor so
// many that fewer than five are left.
//
// It is a guess that others can lead: who makes the requests over an honest relay
// fail, makes it avoided. What follows has to be harmless to anonymity even then: a
// guard that is avoided is replaced within the budget of package guard, another mix
// costs nothing, and a mailbox is given up only if it is avoided and eight requests in
// a row, a second apart, brought nothing while another mailbox has answered.
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
	memory      = time.Hour // of failures
	maxFailures = 128
	maxParts    = 4096
	maxMixes    = 6                // of one request
	halfLife    = 30 * time.Minute // of proofs
	rounds      = 6

	blameNone, blameOfMany = 0.1, 2. // of who has neither failures nor proofs
	worth                  = 0.5     // of a proof
	chance                 = 0.03    // squared, the share of nobody

	avoidBlame, avoidShare = 1.2, 0.3
	trustBlame             = 0.6
	avoidMin, avoidMax     = 10 * time.Minute, 6 * time.Hour
	avoidMost              = 3 // one of so many
	leaveLeast             = 5

	missingAfter = 8
	missingApart = time.Second
)

// A Judge keeps failures and proofs. The zero value is empty and ready. It is safe
// for concurrent use.
type Judge struct {
	mu       sync.Mutex
	failures []failure // the oldest first
	parts    map[part]*record
	version  int
	mailbox  time.Time // when a mailbox answered the last time
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
	parts []part // that could have caused it
}

// A record is what is known of one part.
type record struct {
	proofs float64 // as of counted
	proof  time.Time
	at     time.Time // when proofs were counted
	blame  float64
	failed time.Time // the last failure that it could have caused
	until  time.Time // avoided
	times  int       // avoided, and not answered since

	missed int       // requests to a mailbox, in a row
	since  time.Time // the first of them
	missAt time.Time // the last
}

// count returns the proofs as they weigh now.
func (r *record) count(now time.Time) float64 {
	if r.proofs == 0 {
		return 0
	}
	return r.proofs * math.Exp2(-float64(max(0, now.Sub(r.at)))/float64(halfLife))
}

func (r *record) avoided(now time.Time) bool { return r.until.After(now) }

// Failed notes that a request to a mailbox over mixes, sent at a time, brought no
// answer.
func (j *Judge) Failed(mixes []wire.NodeID, mailbox wire.NodeID, sent, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := parts(mixes[:min(len(mixes), maxMixes)], mailbox)
	j.room(len(all))
	j.failures = slices.DeleteFunc(j.failures, func(f failure) bool { return now.Sub(f.sent) > memory })
	if len(j.failures) == maxFailures {
		j.failures = slices.Delete(j.failures, 0, 1)
	}
	f := failure{sent: sent}
	for _, p := range all {
		if r := j.of(p); !r.proof.After(sent) {
			f.parts = append(f.parts, p)
			r.failed = now
		}
	}
	if m := j.of(all[0]); m.missed == 0 || now.Sub(m.missAt) >= missingApart {
		if m.missed++; m.missed == 1 {
			m.since = now
		}
		m.missAt = now
	}
	if len(f.parts) > 0 {
		j.failures = append(j.failures, f)
		j.share(now)
	}
}

// Answered notes that a mailbox answered over mixes.
func (j *Judge) Answered(mixes []wire.NodeID, mailbox wire.NodeID, at, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mailbox = now
	j.proved(parts(mixes, mailbox), at, now)
}

// Passed notes that mixes were up at a time.
func (j *Judge) Passed(mixes []wire.NodeID, at, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.proved(parts(mixes, wire.NodeID{})[1:], at, now)
}

func (j *Judge) proved(all []part, at, now time.Time) {
	j.room(len(all))
	news := false
	for _, p := range all {
		r := j.of(p)
		r.proofs, r.at = r.count(now)+1, now
		if at.After(r.proof) {
			r.proof = at
		}
		news = news || r.times > 0
		r.until, r.times, r.missed = time.Time{}, r.times/2, 0
	}
	if news {
		j.share(now)
	}
}

// share shares the blame out anew, and changes who is avoided.
func (j *Judge) share(now time.Time) {
	j.version++
	// The parts of all failures get numbers, so that the rounds look up no keys.
	numbers := map[part]int{}
	var suspects []*record
	var proofs []float64
	members := make([][]int, len(j.failures))
	for i, f := range j.failures {
		for _, p := range f.parts {
			n, ok := numbers[p]
			if !ok {
				n = len(suspects)
				numbers[p] = n
				suspects = append(suspects, j.parts[p])
				proofs = append(proofs, j.parts[p].count(now))
			}
			members[i] = append(members[i], n)
		}
	}

	blame, next := make([]float64, len(suspects)), make([]float64, len(suspects))
	var weight [maxMixes + 1]float64
	for range rounds {
		clear(next)
		for _, m := range members {
			sum := chance
			for i, n := range m {
				w := (blame[n] + blameNone) / (blame[n] + worth*proofs[n] + blameOfMany)
				weight[i] = w * w
				sum += w * w
			}
			for i, n := range m {
				next[n] += weight[i] / sum
			}
		}
		blame, next = next, blame
	}

	for _, r := range j.parts {
		r.blame = 0
	}
	for n, r := range suspects {
		r.blame = blame[n]
	}
	for _, r := range j.parts {
		r.sentence(now)
	}
}

// sentence changes whether a part is avoided.
func (r *record) sentence(now time.Time) {
	share := r.blame / (r.blame + worth*r.count(now) + 0.5)
	switch {
	case r.avoided(now) && r.blame < trustBlame:
		r.until = time.Time{}
		r.times--
	case !r.avoided(now) && r.blame >= avoidBlame && share > avoidShare && r.failed.After(r.until) && r.failed.After(r.proof):
		r.until = now.Add(min(avoidMin<<min(r.times, 6), avoidMax))
		r.times++
	}
}

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
		return cmp.Or(cmp.Compare(j.parts[part{id: b}].blame, j.parts[part{id: a}].blame), slices.Compare(a[:], b[:]))
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
