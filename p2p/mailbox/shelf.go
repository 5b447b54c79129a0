package mailbox

import (
	"crypto/rand"
	"encoding/binary"
	mrand "math/rand/v2"
	"time"
)

// shelf says how many entries each log of a store has, and which makes room when the room
// for logs is used up: see Logs in the package comment. It decides, the store does.
type shelf struct {
	max  int // entries
	most int // logs
	logs map[LogName]*shelved
	list []*shelved // the same, to draw from
	live int        // entries
	gone int        // entries that are remembered only
	// undo takes the changes since commit back, the last first.
	undo []func()
}

// shelved is one log of a shelf.
type shelved struct {
	id             int64 // of the store
	name           LogName
	instance, last uint32
	live, gone     int
	followed       time.Time // when somebody read it last; the zero time: nobody has
	end            *LogEnd   // nil: to be made anew
	place          int       // in the list
	fresh, same    bucket    // new entries, and those that are there
}

// A log takes appendRate entries a second, and appendBurst in advance. Those that are there
// already are counted apart: anybody can repeat them, and nobody is to use up the rate of
// the writers by it.
const (
	appendRate  = 4
	appendBurst = 512
)

type bucket struct {
	used float64
	at   time.Time
}

// take uses up a part of the rate, if any is left.
func (b *bucket) take(now time.Time) bool {
	b.used = max(0, b.used-max(0, now.Sub(b.at).Seconds())*appendRate)
	b.at = now
	if b.used+1 > appendBurst {
		return false
	}
	b.used++
	return true
}

// noLog is the end of a log that is not there.
func noLog(name LogName) LogEnd { return LogEnd{Name: name, Digest: new(LogSet).Digest()} }

// ended keeps the end of a log that has these entries.
func (l *shelved) ended(set *LogSet) {
	l.end = &LogEnd{Name: l.name, Instance: l.instance, Count: uint32(set.Len()), Last: l.last, Digest: set.Digest()}
}

// left returns about how many entries there are above a position beyond those that were
// read.
func (l *shelved) left(after uint32, read []LogEntry) int {
	if after >= l.last {
		return 0
	}
	return max(0, min(l.live, int(l.last-after))-len(read))
}

func newShelf(max int) *shelf { return &shelf{max: max, most: max, logs: make(map[LogName]*shelved)} }

// candidates is from how many logs the one is chosen that makes room. Up to so many, all are
// compared.
const candidates = 256

// add puts a log on the shelf. Its instance is random, unless it is known.
func (s *shelf) add(l *shelved) *shelved {
	for l.instance == 0 {
		var b [4]byte
		rand.Read(b[:])
		l.instance = binary.BigEndian.Uint32(b[:])
	}
	l.place = len(s.list)
	s.logs[l.name] = l
	s.list = append(s.list, l)
	s.live += l.live
	s.gone += l.gone
	s.undo = append(s.undo, func() { s.drop(l) })
	return l
}

// remove takes a log off the shelf that has no entries.
func (s *shelf) remove(l *shelved) {
	s.drop(l)
	s.undo = append(s.undo, func() {
		l.place = len(s.list)
		s.logs[l.name] = l
		s.list = append(s.list, l)
	})
}

func (s *shelf) drop(l *shelved) {
	last := s.list[len(s.list)-1]
	s.list[l.place], last.place = last, l.place
	s.list = s.list[:len(s.list)-1]
	delete(s.logs, l.name)
}

// change notes that so many entries of a log came, and are remembered only.
func (s *shelf) change(l *shelved, live, gone int) {
	l.end = nil
	was := l.last
	add := func(live, gone int) {
		l.live += live
		l.gone += gone
		s.live += live
		s.gone += gone
	}
	add(live, gone)
	s.undo = append(s.undo, func() {
		add(-live, -gone)
		l.last, l.end = was, nil
	})
}

// next gives a new entry its position.
func (s *shelf) next(l *shelved) uint32 {
	s.change(l, 1, 0)
	l.last++
	return l.last
}

// commit lets the changes stand, rollback takes them back.
func (s *shelf) commit() { s.undo = s.undo[:0] }

func (s *shelf) rollback() {
	for i := len(s.undo) - 1; i >= 0; i-- {
		s.undo[i]()
	}
	s.commit()
}

// makeRoom returns the log that loses its oldest entry for a new one of a log, nil if none
// has to, and whether there is room at all. Logs that nobody follows go first, and then the
// one with the most entries. A log makes room for smaller ones alone, and one that is
// followed never for one that is not.
func (s *shelf) makeRoom(l *shelved, followed bool) (victim *shelved, ok bool) {
	if s.live < s.max {
		return nil, true
	}
	if s.live > s.max {
		return nil, false // its owner wants less room; nobody's entry is deleted for it
	}

	consider := func(other *shelved) {
		switch {
		case other.live == 0, other.watched() && !followed:
		case victim == nil, victim.watched() && !other.watched():
			victim = other
		case victim.watched() == other.watched() && other.live > victim.live:
			victim = other
		}
	}
	s.some(consider)
	ok = victim != nil && (victim.watched() != followed || victim.live > l.live)
	return victim, ok
}

// some looks at candidates: all logs, or random ones of many.
func (s *shelf) some(look func(*shelved)) {
	if len(s.list) <= candidates {
		for _, l := range s.list {
			look(l)
		}
		return
	}
	for range candidates {
		look(s.list[mrand.IntN(len(s.list))])
	}
}

// makePlace returns the log that goes for a new one, nil if none has to, and whether there
// is a place at all: the shortest of those that nobody follows.
func (s *shelf) makePlace() (victim *shelved, ok bool) {
	if len(s.list) < s.most {
		return nil, true
	}
	s.some(func(other *shelved) {
		if !other.watched() && (victim == nil || other.live+other.gone < victim.live+victim.gone) {
			victim = other
		}
	})
	return victim, victim != nil
}

func (l *shelved) watched() bool { return !l.followed.IsZero() }

// read notes that somebody follows a log.
func (l *shelved) read(now time.Time) { l.followed = now }

// expire forgets the readers of long ago.
func (s *shelf) expire(now time.Time) {
	for _, l := range s.list {
		if l.watched() && now.Sub(l.followed) >= TTL {
			l.followed = time.Time{}
		}
	}
}
