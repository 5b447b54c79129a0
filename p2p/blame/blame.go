// Package blame finds out which relays pass nothing on, from nothing but which
// requests were answered.
//
// A request takes seven relays, there and back, and nobody tells who lost it.
// The model has one bit for each relay: it is up or down. A request over relays
// that are all up is answered, but for one in twenty that is lost otherwise; a
// request over one that is down never is. So an answer proves that all on its
// way were up, and a failure has to be explained by one of those without such a
// proof since. How likely each relay is down, given all failures, is worked out
// by belief propagation (Pearl, Probabilistic Reasoning in Intelligent Systems,
// 1988, ch. 4) on the graph of failures and relays. Two or three failures that
// have one relay in common, and little else that is unproven, are enough.
//
// Who is more likely down than not is doubtful: for ten minutes after the last
// failure, twice as long each time that it comes to that again without an answer
// between, up to six hours. It is doubtful no longer as soon as it answers, or
// another explains the failures better.
//
// It is a guess that others can lead: who makes the requests over an honest
// relay fail, makes it doubtful. What follows from a doubt has to be harmless to
// anonymity even if half of the doubts are somebody's work: see p2p.
package blame

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"starling/p2p/wire"
)

const (
	lost      = 0.05 // of requests over relays that are up
	downKnown = 0.01 // just after a proof, and
	downNew   = 0.05 // after memory, or without one
	downAgain = 0.25 // was doubtful and has not answered since

	memory    = 10 * time.Minute // of failures and proofs, and the first doubt
	mostDoubt = 6 * time.Hour
	rounds    = 10 // of propagation; a few are enough on graphs as sparse as these
	certain   = 20 // the largest log odds

	maxFailures = 128
	maxRelays   = 2048
)

// A Ledger keeps failures and proofs. The zero value is empty and ready. It is
// safe for concurrent use.
type Ledger struct {
	mu       sync.Mutex
	failures []failure
	relays   map[wire.NodeID]record
	version  int
}

// A failure is a request that brought no answer.
type failure struct {
	sent   time.Time
	relays []wire.NodeID // that could have caused it
	told   []float64     // the log likelihood ratio that it tells each of them
}

type record struct {
	proof time.Time // when it last was up for certain
	odds  float64   // log odds that it is down, by the failures
	doubt time.Time // doubtful until then
	times int       // it became doubtful since it last answered
}

// life is how long it stays doubtful after a failure.
func (r record) life() time.Duration {
	return min(memory<<min(max(r.times-1, 0), 10), mostDoubt)
}

// Failed notes that a request over relays, sent at a time, brought no answer.
func (l *Ledger) Failed(relays []wire.NodeID, sent, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.prune(now)
	l.room()
	f := failure{sent: sent}
	for _, id := range relays {
		if !l.relays[id].proof.After(sent) && !slices.Contains(f.relays, id) {
			f.relays = append(f.relays, id)
		}
	}
	if len(f.relays) == 0 {
		return
	}
	f.told = make([]float64, len(f.relays))
	l.failures = append(l.failures, f)
	l.judge(now)
	for _, id := range f.relays {
		if r := l.relays[id]; r.odds > 0 {
			r.doubt = now.Add(r.life())
			l.relays[id] = r
		}
	}
}

// Answered notes that relays were up at a time.
func (l *Ledger) Answered(relays []wire.NodeID, at, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.room()
	news := false
	for _, id := range relays {
		r := l.relays[id]
		if !at.After(r.proof) {
			continue
		}
		l.failures = slices.DeleteFunc(l.failures, func(f failure) bool {
			i := slices.Index(f.relays, id)
			if i < 0 || at.Before(f.sent) {
				return false
			}
			news = true
			// It was down when it was likely to be and has come back since; else
			// it was up all the time, and another has to explain the failure.
			return r.odds > 0 || len(f.relays) == 1
		})
		news = news || r.doubt.After(now)
		for i := range l.failures {
			f := &l.failures[i]
			if j := slices.Index(f.relays, id); j >= 0 && !at.Before(f.sent) {
				f.relays = slices.Delete(f.relays, j, j+1)
				f.told = slices.Delete(f.told, j, j+1)
			}
		}
		l.set(id, record{proof: at})
	}
	if news {
		l.judge(now)
	}
}

// Down returns how likely a relay is down, as far as failures say so.
func (l *Ledger) Down(id wire.NodeID) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.relays[id]
	if !ok || r.odds == 0 {
		return 0
	}
	return 1 / (1 + math.Exp(-r.odds))
}

// Doubtful returns the relays that are doubtful now, those that are down most
// likely first, and the version of that answer: it is another one whenever
// something happened.
func (l *Ledger) Doubtful(now time.Time) ([]wire.NodeID, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []wire.NodeID
	for id, r := range l.relays {
		if r.doubt.After(now) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b wire.NodeID) int {
		return cmp.Or(cmp.Compare(l.relays[b].odds, l.relays[a].odds), slices.Compare(a[:], b[:]))
	})
	return ids, l.version
}

// room forgets everything when there are too many relays.
func (l *Ledger) room() {
	if len(l.relays) >= maxRelays {
		clear(l.relays)
		l.failures = nil
		l.version++
	}
}

func (l *Ledger) set(id wire.NodeID, r record) {
	if l.relays == nil {
		l.relays = map[wire.NodeID]record{}
	}
	l.relays[id] = r
}

// prune forgets failures that are old, unless they are why somebody is doubtful.
func (l *Ledger) prune(now time.Time) {
	l.failures = slices.DeleteFunc(l.failures, func(f failure) bool {
		return now.Sub(f.sent) > memory && !slices.ContainsFunc(f.relays, func(id wire.NodeID) bool {
			return l.relays[id].doubt.After(now)
		})
	})
	if len(l.failures) >= maxFailures {
		l.failures = slices.Delete(l.failures, 0, 1)
	}
}

// judge works out anew how likely each relay is down, and changes the doubts.
func (l *Ledger) judge(now time.Time) {
	l.version++
	index := map[wire.NodeID]int{}
	var odds []float64
	members := make([][]int, len(l.failures))
	for i, f := range l.failures {
		members[i] = make([]int, len(f.relays))
		for j, id := range f.relays {
			n, ok := index[id]
			if !ok {
				n = len(odds)
				index[id] = n
				odds = append(odds, logit(l.prior(id, now)))
			}
			members[i][j] = n
			odds[n] += f.told[j]
		}
	}
	var up []float64
	for range rounds {
		for i, f := range l.failures {
			up = up[:0]
			for j, n := range members[i] {
				up = append(up, 1/(1+math.Exp(clamp(odds[n]-f.told[j])))) // by all but this failure
			}
			for j, n := range members[i] {
				others := 1 - lost
				for k := range up {
					if k != j {
						others *= up[k]
					}
				}
				told := -math.Log1p(-others) // if it is down it failed for certain
				odds[n] += told - f.told[j]
				f.told[j] = told
			}
		}
	}
	for id, n := range index {
		r := l.relays[id]
		r.odds = clamp(odds[n])
		switch doubtful := r.doubt.After(now); {
		case r.odds > 0 && !doubtful:
			r.times++
			r.doubt = now.Add(r.life())
		case r.odds <= 0 && doubtful:
			r.times--
			r.doubt = time.Time{}
		}
		l.set(id, r)
	}
	for id, r := range l.relays {
		if _, ok := index[id]; ok {
			continue
		}
		// Nothing speaks against it any more.
		if r.odds = 0; r.doubt.After(now) {
			r.times--
			r.doubt = time.Time{}
		}
		l.relays[id] = r
	}
}

// prior is how likely a relay is down, before any failure.
func (l *Ledger) prior(id wire.NodeID, now time.Time) float64 {
	r := l.relays[id]
	before := r.times
	if r.doubt.After(now) {
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

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

func clamp(odds float64) float64 { return min(max(odds, -certain), certain) }
