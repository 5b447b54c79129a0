package runner

import (
	"context"
	"slices"
	"sync"
	"time"

	"starling/node/testnet/report"
	"starling/node/testnet/scenario"
)

// ways are the ways in of people, as their nodes tell of them while there is a censor.
type ways struct {
	online  []report.Online
	without map[int]time.Duration // users with no relay they are connected to: since when
	longest time.Duration         // that somebody was without
}

// watched reports whether it matters who has a way in.
func (r *run) watched() bool {
	cuts := func(e scenario.Event) bool {
		return e.Do == scenario.Partition || e.Do == scenario.Block
	}
	return r.s.Censored() || r.s.Bar.Back > 0 || slices.ContainsFunc(r.s.Events, cuts)
}

// asking bounds the question to one node.
const asking = 5 * time.Second

// look asks all nodes whether they are connected to a relay. A node that does not answer is not.
func (r *run) look(ctx context.Context, p *Progress) {
	if !r.watched() {
		return
	}
	has := make([]bool, len(r.users))
	var all sync.WaitGroup
	for i, u := range r.users {
		if n := u.running(); n != nil {
			all.Go(func() {
				limited, cancel := context.WithTimeout(ctx, asking)
				defer cancel()
				s, err := n.Status(limited)
				for _, g := range s.Guards {
					has[i] = has[i] || err == nil && g.Connected
				}
			})
		}
	}
	all.Wait()
	if ctx.Err() != nil {
		return
	}

	at := r.elapsed()
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &r.ways
	if w.without == nil {
		w.without = map[int]time.Duration{}
	}
	n := 0
	for i, u := range r.users {
		if has[i] || !u.online() {
			delete(w.without, i)
		} else if since, ok := w.without[i]; ok {
			w.longest = max(w.longest, at-since)
		} else {
			w.without[i] = at
		}
		if has[i] {
			n++
		}
	}
	p.Connected = &n
	w.online = append(w.online, report.Online{At: at, Users: n})
}
