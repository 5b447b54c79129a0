package mailbox

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"starling/p2p/outfox"
)

// append adds an entry to a log. Nobody is told of one that its key has not signed.
func (s *Server) append(ctx context.Context, a *Append) {
	if !a.Entry.SignedBy(a.Key) {
		s.stats.malformed.Add(1)
		return
	}
	now, name := s.now(), NameOf(a.Key)
	s.mu.Lock()
	followed := s.readers.follows(name) || s.named.has(Tag(name))
	s.mu.Unlock()

	at, fresh, err := s.cfg.Store.Append(ctx, name, &a.Entry, now, followed)
	kind := s.outcome(err, &s.stats.appended, "appending")
	s.answer(a.Block, refusal(kind, err))
	if fresh {
		s.pushEntry(&at, now)
	}
}

// outcome counts how storing something ended, and returns the kind of the answer.
func (s *Server) outcome(err error, stored *atomic.Int64, doing string) Kind {
	kind, count := Stored, stored
	switch {
	case err == nil, errors.Is(err, ErrAcknowledged):
	case errors.Is(err, ErrTaken):
		kind, count = Taken, &s.stats.taken
	default:
		// On any failure to store, the sender should go elsewhere.
		kind, count = Full, &s.stats.full
		if !errors.Is(err, ErrFull) {
			s.failed(doing, err)
		}
	}
	count.Add(1)
	return kind
}

// refusal is the answer to a put or an append, with the box that is there.
func refusal(kind Kind, err error) *Answer {
	a := &Answer{Kind: kind}
	if taken, ok := errors.AsType[*TakenError](err); ok {
		a.Here, a.Box = true, taken.Box
	}
	return a
}

// pushEntry sends an entry that came to all who follow its log.
func (s *Server) pushEntry(e *LogEntry, now time.Time) {
	s.mu.Lock()
	pushes := s.readers.push(e, now)
	s.mu.Unlock()
	for _, p := range pushes {
		s.stats.entries.Add(1)
		s.answer(p.block, &Answer{Kind: Logged, Standing: p.standing, Entry: e})
	}
}

// follow answers with entries that wait, and lets the other blocks stand if asked to.
func (s *Server) follow(ctx context.Context, f *Follow) {
	now := s.now()
	names := make([]LogName, len(f.Logs))
	tags := make([]Tag, len(f.Logs))
	for i, l := range f.Logs {
		names[i], tags[i] = l.Name, Tag(l.Name)
	}

	r, verdict := newReader(f, now), stands
	s.mu.Lock()
	s.named.add(tags, now)
	// The reader stands, and nothing waits for it: its new blocks are for entries to come.
	if s.readers.more(f, now) {
		s.mu.Unlock()
		return // all that waited is on its way
	}

	// A stamp is one hash to check. It is asked for only where seats are short.
	if f.Mode != Look {
		paid := stamped(s.cfg.Self, f.Lease, f.Stamp, s.cfg.Now(), s.cfg.Price)
		if verdict = s.readers.add(f.Lease, r, paid, now); verdict != stands {
			s.stats.noSeat.Add(1)
		}
	}
	var last *outfox.Block // for the end
	if f.Mode == Stand {
		last = s.readers.spend(r)
	}
	s.mu.Unlock()

	a := Answer{NoSeat: verdict != stands}
	if verdict == unpaid {
		a.Price = s.cfg.Price
	}

	// The reader stands already: an entry that comes from here on is found or pushed.
	sent, ok := s.sendWaiting(ctx, r, a, now)
	if !ok {
		return
	}

	s.mu.Lock()
	// Someone that stands keeps the blocks that are left; the end took one beforehand.
	if last == nil && f.Mode == Look || last == nil && verdict != stands {
		last = s.readers.spend(r)
	}
	a.Kind, a.Sent, a.Standing = Ended, sent, s.readers.standing(r)
	s.mu.Unlock()
	if last == nil {
		return
	}
	var err error
	if a.Ends, err = s.cfg.Store.End(ctx, names, now); err != nil {
		s.failed("reading", err)
		return
	}
	s.stats.ended.Add(1)
	s.answer(last, &a)
}

// sendWaiting sends the entries that wait for a reader, as far as its blocks go. Those that
// come meanwhile are sent as well, before any is pushed.
func (s *Server) sendWaiting(ctx context.Context, r *reader, a Answer, now time.Time) (sent int, ok bool) {
	for {
		s.mu.Lock()
		// Set again by an append that comes while the store is read.
		r.missed = false
		logs, most := r.positions(), len(r.blocks)
		s.mu.Unlock()

		found, left, err := s.cfg.Store.Read(ctx, logs, most, now)
		if err != nil {
			s.failed("reading", err)
			s.mu.Lock()
			s.readers.end(r)
			s.mu.Unlock()
			return 0, false
		}

		var blocks []*outfox.Block
		s.mu.Lock()
		for i := range found {
			// Another goroutine may have spent blocks meanwhile: the rest stays for the next request.
			block := s.readers.spend(r)
			if block == nil {
				left += len(found) - i
				found = found[:i]
				break
			}
			blocks = append(blocks, block)
			r.sent(&found[i])
		}
		again := r.missed && len(r.blocks) > 0
		if !again {
			s.readers.looked(r)
		}
		a.Kind, a.Pending, a.Standing = Logged, left, s.readers.standing(r)
		s.mu.Unlock()

		sent += len(blocks)
		for i, block := range blocks {
			s.stats.entries.Add(1)
			a.Entry = &found[i]
			s.answer(block, &a)
		}

		// The loop ends with the blocks: each round that goes on has spent some.
		if !again {
			return sent, true
		}
	}
}
