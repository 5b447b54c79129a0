package report

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// Rooms counts the messages of rooms: each is due once to everybody that its author knew to be in the
// room and that stays to the end; and not if its author was removed before that was known. Times are since the traffic began. Its methods may be
// called from any goroutine.
type Rooms struct {
	mu      sync.Mutex
	rooms   []*room
	strange int
	undone  int
}

type room struct {
	people map[int]*seat
	said   []*said
}

// seat is one person in one room.
type seat struct {
	out        bool        // removed, or left
	latest     map[int]int // author → the newest of their messages that was shown here
	knows      map[int]bool
	duplicates int
	disordered int
}

// said is one message in a room.
type said struct {
	author int
	at     time.Duration
	void   bool                  // it could not be said
	cut    bool                  // its author was removed by somebody who had not heard it
	before map[int]int           // author → their newest message that its author had seen
	due    map[int]bool          // readers
	closed map[int]bool          // people that its author knew to be out
	shown  map[int]time.Duration // reader → when
}

// NewRooms returns the ledger of n rooms without people.
func NewRooms(n int) *Rooms {
	l := &Rooms{}
	for range n {
		l.rooms = append(l.rooms, &room{people: map[int]*seat{}})
	}
	return l
}

// In writes down that somebody is in a room from now on.
func (l *Rooms) In(room, user int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rooms[room].people[user] = &seat{latest: map[int]int{}, knows: map[int]bool{}}
}

// Out writes down that somebody is about to be removed, or to leave.
func (l *Rooms) Out(room, user int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.rooms[room].people[user]; s != nil {
		s.out = true
	}
}

// Knows writes down that somebody has learned that another one is out.
func (l *Rooms) Knows(room, user, out int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.rooms[room].people[user]; s != nil {
		s.knows[out] = true
	}
}

// Undone writes down that somebody could not be let in, removed or the like.
func (l *Rooms) Undone() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.undone++
}

// Said writes down that somebody is about to say the next message in a room.
func (l *Rooms) Said(in, author int, at time.Duration) (index int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rooms[in]
	x := r.people[author]
	m := &said{author: author, at: at, before: maps.Clone(x.latest), due: map[int]bool{}, closed: maps.Clone(x.knows), shown: map[int]time.Duration{}}
	for user, s := range r.people {
		m.due[user] = user != author && !s.out && !x.knows[user]
	}
	index = len(r.said)
	r.said = append(r.said, m)
	x.latest[author] = index
	return index
}

// Met writes down the people that the author of a message knew to be in the room. It is sealed to
// nobody else.
func (l *Rooms) Met(in, index int, known map[int]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	due := l.rooms[in].said[index].due
	for user := range due {
		due[user] = due[user] && known[user]
	}
}

// Cut writes down that somebody is about to remove another one. A message of theirs that was not heard
// by then is refused wherever the removal comes first.
func (l *Rooms) Cut(in, by, out int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.rooms[in].said {
		if _, heard := m.shown[by]; m.author == out && !heard {
			m.cut = true
		}
	}
}

// Void takes back a message that could not be said.
func (l *Rooms) Void(in, index int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rooms[in].said[index].void = true
}

// Strange writes down a text that nobody said.
func (l *Rooms) Strange() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strange++
}

// message returns a message of an author, or nil.
func (r *room) message(author, index int) *said {
	if index < 0 || index >= len(r.said) || r.said[index].author != author || r.said[index].void {
		return nil
	}
	return r.said[index]
}

// Shown writes down that a message appeared in front of a reader. It returns how long that
// took, and whether this is the first time.
func (l *Rooms) Shown(in, reader, author, index int, at time.Duration) (took time.Duration, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rooms[in]
	m := r.message(author, index)
	if m == nil {
		l.strange++
		return 0, false
	}

	if _, again := m.shown[reader]; again {
		if s := r.people[reader]; s != nil {
			s.duplicates++
		}
		return 0, false
	}
	m.shown[reader] = at
	s := r.people[reader]
	if s == nil {
		return at - m.at, true // they are in, and we do not know it yet
	}
	there := func(i int) bool { _, ok := r.said[i].shown[reader]; return ok }
	if !r.follows(m, reader, there) {
		s.disordered++
	}
	if last, ok := s.latest[author]; !ok || index > last {
		s.latest[author] = index
	}
	return at - m.at, true
}

// follows reports whether all that the author of a message had seen, and that is due to the
// reader, is there before it.
func (r *room) follows(m *said, reader int, there func(int) bool) bool {
	if r.people[reader].out {
		return true // some of it may be sealed to those that are left
	}
	for author, i := range m.before {
		if cause := r.said[i]; author != reader && !cause.void && !cause.cut && cause.due[reader] && !there(i) {
			return false
		}
	}
	return true
}

// An Entry is one message in a conversation.
type Entry struct{ Author, Index int }

// Stored compares the conversation of a room at somebody, oldest first, with the record of
// shown messages, as [Ledger.Stored] does.
func (l *Rooms) Stored(in, reader int, all []Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rooms[in]
	s := r.people[reader]
	if s == nil {
		return
	}

	seen := map[int]bool{}
	duplicates, disordered := 0, 0
	for _, e := range all {
		m := r.message(e.Author, e.Index)
		switch {
		case m == nil:
			continue // told when it was shown
		case seen[e.Index]:
			duplicates++
		case !r.follows(m, reader, func(i int) bool { return seen[i] }):
			disordered++
		}
		seen[e.Index] = true
		if _, ok := m.shown[reader]; !ok && m.closed[reader] {
			m.shown[reader] = m.at // opened is opened
		}
	}

	// A message both seen live and left at the end is one mistake, not two.
	s.duplicates, s.disordered = max(s.duplicates, duplicates), max(s.disordered, disordered)
	for i, m := range r.said {
		if !seen[i] && m.due[reader] {
			delete(m.shown, reader)
		}
	}
}

// RoomCounts are the numbers of all rooms at a moment.
type RoomCounts struct {
	Said int `json:"said"`
	// Due counts a message once for everybody else that its author knew to be in the room and that
	// stays; Shown are those of them that were shown.
	Due        int `json:"due"`
	Shown      int `json:"shown"`
	Duplicates int `json:"duplicates"`
	OutOfOrder int `json:"out_of_order"` // shown before something that its author had seen
	Strange    int `json:"strange"`
	// Opened counts messages that somebody could read although their author knew that
	// they were out of the room.
	Opened int `json:"removed_opened"`
	In     int `json:"in"`  // people, at some time
	Out    int `json:"out"` // of them, removed or gone
	Undone int `json:"undone"`
}

// Counts returns the numbers as they are now.
func (l *Rooms) Counts() RoomCounts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := RoomCounts{Strange: l.strange, Undone: l.undone}
	for _, r := range l.rooms {
		for _, s := range r.people {
			c.In++
			if s.out {
				c.Out++
			}
			c.Duplicates += s.duplicates
			c.OutOfOrder += s.disordered
		}

		// The messages due, and those that the removed opened.
		r.each(func(*said) { c.Said++ }, func(_ *said, _ int, shown bool) {
			c.Due++
			if shown {
				c.Shown++
			}
		})
		for _, m := range r.said {
			for user := range m.closed {
				if _, ok := m.shown[user]; ok {
					c.Opened++
				}
			}
		}
	}
	return c
}

// each calls one function for each message, and another one for each reader to whom it is due.
func (r *room) each(message func(*said), to func(m *said, reader int, shown bool)) {
	for _, m := range r.said {
		if m.void {
			continue
		}
		message(m)
		for user, due := range m.due {
			if due && !r.people[user].out {
				if _, shown := m.shown[user]; shown || !m.cut {
					to(m, user, shown)
				}
			}
		}
	}
}

// Pending returns how many messages to a user were not shown yet.
func (l *Rooms) Pending(user int) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rooms {
		if r.people[user] == nil {
			continue
		}
		r.each(func(*said) {}, func(_ *said, reader int, shown bool) {
			if reader == user && !shown {
				n++
			}
		})
	}
	return n
}

// Times returns the delays until messages were shown at the others, in ascending order.
func (l *Rooms) Times() (took []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rooms {
		r.each(func(*said) {}, func(m *said, reader int, shown bool) {
			if shown {
				took = append(took, m.shown[reader]-m.at)
			}
		})
	}
	slices.Sort(took)
	return took
}

// A Showing is one message at one of those that it is due to.
type Showing struct{ Room, Author, Index, Reader int }

// Missing returns the messages that were not shown, in the order of their saying.
func (l *Rooms) Missing() (all []Showing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, r := range l.rooms {
		index := map[*said]int{}
		for at, m := range r.said {
			index[m] = at
		}
		r.each(func(*said) {}, func(m *said, reader int, shown bool) {
			if !shown {
				all = append(all, Showing{i, m.author, index[m], reader})
			}
		})
	}
	slices.SortFunc(all, func(a, b Showing) int {
		return cmp.Or(a.Room-b.Room, a.Index-b.Index, a.Reader-b.Reader)
	})
	return all
}

// RoomSummary is the part of a summary about rooms.
type RoomSummary struct {
	Rooms   int `json:"rooms"`
	Planned int `json:"planned"` // messages
	RoomCounts
	Lost int   `json:"lost"` // due and not shown at the end
	P50  int64 `json:"p50_ms,omitempty"`
	P90  int64 `json:"p90_ms,omitempty"`
	P99  int64 `json:"p99_ms,omitempty"`
	Max  int64 `json:"max_ms,omitempty"`
}

// Summary returns the numbers at the end, of so many messages that were planned.
func (l *Rooms) Summary(planned int) *RoomSummary {
	if l == nil || len(l.rooms) == 0 {
		return nil
	}
	took := l.Times()
	s := &RoomSummary{Rooms: len(l.rooms), Planned: planned, RoomCounts: l.Counts(),
		P50: Percentile(took, 0.5).Milliseconds(), P90: Percentile(took, 0.9).Milliseconds(),
		P99: Percentile(took, 0.99).Milliseconds(), Max: Percentile(took, 1).Milliseconds()}
	s.Lost = s.Due - s.Shown
	return s
}

// fine reports whether all was said, and shown once, in order and to nobody else.
func (s *RoomSummary) fine() bool {
	return s == nil || s.Said == s.Planned && s.Shown == s.Due && s.Duplicates+s.OutOfOrder+s.Strange+s.Opened+s.Undone == 0
}
