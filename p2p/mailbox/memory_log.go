package mailbox

import (
	"context"
	"slices"
	"sort"
	"time"
)

// memoryLog is a log of a Memory, by position.
type memoryLog struct {
	*shelved
	entries []*memoryEntry
	byTag   map[Tag]*memoryEntry
}

type memoryEntry struct {
	position       uint32
	entry          Entry
	leaf           leaf
	first, expires time.Time
	gone           bool // remembered only
}

// Append implements Logs.
func (s *Memory) Append(_ context.Context, name LogName, e *Entry, now time.Time, followed bool) (at LogEntry, fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.shelf.commit()

	l := s.logs[name]
	if l == nil {
		l = &memoryLog{shelved: &shelved{name: name}, byTag: make(map[Tag]*memoryEntry)}
	}

	// Logs that somebody reads are the last to lose entries.
	if followed {
		l.read(now)
	}
	if old := l.byTag[e.Tag]; old != nil {
		at, err = l.again(old, e, now)
		return at, false, err
	}

	// Checked before anything is evicted for it.
	if l.live >= MaxEntries || !l.fresh.take(now) {
		return at, false, ErrFull
	}
	if s.logs[name] == nil {
		shortest, ok := s.shelf.makePlace()
		if !ok {
			return at, false, ErrFull
		}
		if shortest != nil {
			s.forget(s.logs[shortest.name])
		}
	}
	victim, ok := s.shelf.makeRoom(l.shelved, l.watched())
	if !ok {
		return at, false, ErrFull
	}
	if victim != nil {
		s.evict(s.logs[victim.name])
	}
	if s.logs[name] == nil {
		s.shelf.add(l.shelved)
		s.logs[name] = l
	}

	// Positions only grow, also over entries that are gone: readers go by them.
	it := &memoryEntry{position: s.shelf.next(l.shelved), entry: *e, leaf: leafOf(&e.Tag, &e.Box), first: now, expires: now.Add(TTL)}
	l.entries = append(l.entries, it)
	l.byTag[e.Tag] = it
	return l.at(it), true, nil
}

// again is an entry under a tag that is known.
func (l *memoryLog) again(old *memoryEntry, e *Entry, now time.Time) (LogEntry, error) {
	same := old.leaf == leafOf(&e.Tag, &e.Box)
	switch {
	case old.gone && same:
		return LogEntry{}, ErrAcknowledged
	case old.gone:
		return LogEntry{}, ErrTaken
	case !same:
		return LogEntry{}, &TakenError{old.entry.Box}
	}
	if now.Sub(old.first) < ProlongTime && l.same.take(now) {
		old.expires = now.Add(TTL)
	}
	return l.at(old), nil
}

func (l *memoryLog) at(it *memoryEntry) LogEntry {
	return LogEntry{Name: l.name, Instance: l.instance, Position: it.position, Entry: it.entry}
}

// evict drops the oldest entry of a log, without a trace.
func (s *Memory) evict(l *memoryLog) {
	i := slices.IndexFunc(l.entries, func(it *memoryEntry) bool { return !it.gone })
	delete(l.byTag, l.entries[i].entry.Tag)
	l.entries = slices.Delete(l.entries, i, i+1)
	s.shelf.change(l.shelved, -1, 0)
	s.evicted++
	s.tidy(l)
}

// forget drops a log with all its entries.
func (s *Memory) forget(l *memoryLog) {
	s.evicted += int64(l.live)
	s.shelf.change(l.shelved, -l.live, -l.gone)
	l.entries = nil
	s.tidy(l)
}

// tidy drops a log without entries.
func (s *Memory) tidy(l *memoryLog) {
	if len(l.entries) == 0 {
		s.shelf.remove(l.shelved)
		delete(s.logs, l.name)
	}
}

// Read implements Logs.
func (s *Memory) Read(_ context.Context, logs []LogPosition, most int, now time.Time) (found []LogEntry, left int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range logs {
		l := s.logs[at.Name]
		if l == nil {
			continue
		}
		l.read(now)
		var read []LogEntry
		if most > len(found) {
			read = l.after(at.After, most-len(found))
		}
		found = append(found, read...)
		left += l.left(at.After, read)
	}
	return found, left, nil
}

// after returns entries as Read does.
func (l *memoryLog) after(after uint32, most int) (found []LogEntry) {
	from, step := len(l.entries)-1, -1
	if after != Newest {
		from, step = sort.Search(len(l.entries), func(i int) bool { return l.entries[i].position > after }), 1
	}
	for i := from; i >= 0 && i < len(l.entries) && len(found) < most; i += step {
		if it := l.entries[i]; !it.gone {
			found = append(found, l.at(it))
		}
	}
	return found
}

// End implements Logs.
func (s *Memory) End(_ context.Context, names []LogName, now time.Time) ([]LogEnd, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ends := make([]LogEnd, 0, len(names))
	for _, name := range names {
		l := s.logs[name]
		if l == nil {
			ends = append(ends, noLog(name))
			continue
		}
		l.read(now)

		// Kept until the log changes: to sort thousands of leaves for each look would be an attack.
		if l.end == nil {
			set := LogSet{}
			for _, it := range l.entries {
				if !it.gone {
					set.leaves = append(set.leaves, it.leaf)
				}
			}
			slices.SortFunc(set.leaves, compareLeaves)
			l.ended(&set)
		}

		ends = append(ends, *l.end)
	}
	return ends, nil
}

// expireLogs removes the entries that have expired, and forgets those that had before.
func (s *Memory) expireLogs(now time.Time) {
	s.shelf.expire(now)
	for _, l := range s.logs {
		l.entries = slices.DeleteFunc(l.entries, func(it *memoryEntry) bool {
			switch {
			case !it.gone && !it.expires.After(now):
				it.gone, it.entry.Box, it.expires = true, Box{}, it.expires.Add(graveTime)
				s.shelf.change(l.shelved, -1, 1)
			case it.gone && (!it.expires.After(now) || s.shelf.gone > s.shelf.max):
				delete(l.byTag, it.entry.Tag)
				s.shelf.change(l.shelved, 0, -1)
				return true
			}
			return false
		})
		s.tidy(l)
	}
}

// latestEntry is Latest of the entries.
func (s *Memory) latestEntry() (latest time.Time) {
	for _, l := range s.logs {
		for _, it := range l.entries {
			at := it.expires
			if it.gone {
				at = at.Add(-graveTime)
			}
			if at.After(latest) {
				latest = at
			}
		}
	}
	return latest
}
