// Package people holds the list of conversations: everybody a person knows, in
// the order shown, with a cursor.
//
// Pinned people come first, archived ones last, and among them the latest
// activity, as it became known here. The clock of a sender has no say in it.
package people

import (
	"cmp"
	"slices"
	"strings"

	"starling/node/api"
	"starling/tui/list"
	"starling/tui/words"
)

// List is everybody. It belongs to the goroutine of the screen.
type List struct {
	// Cursor is the contact that is selected in the list.
	Cursor string
	// Loaded says that the node has named everybody.
	Loaded bool

	all      []api.Contact // in the order shown
	rank     map[string]int64
	highest  int64
	archived bool // archived ones are shown
	rows     list.Picker
}

// New returns an empty list.
func New() *List { return &List{rank: map[string]int64{}} }

// All returns everybody in the order shown, archived ones at the end.
func (l *List) All() []api.Contact { return l.all }

// Get returns a contact by ID, nil if it is gone. It stays valid until the
// list changes.
func (l *List) Get(id string) *api.Contact {
	if i := l.Index(id); i >= 0 {
		return &l.all[i]
	}
	return nil
}

// Alone reports whether there is nobody but the note to self.
func (l *List) Alone() bool {
	return !slices.ContainsFunc(l.all, func(c api.Contact) bool { return c.ID != api.Self })
}

// First returns the first of the people, "" if there is nobody.
func (l *List) First() string {
	for i := range l.all {
		if l.all[i].ID != api.Self {
			return l.all[i].ID
		}
	}
	return ""
}

// Index returns the place of a contact in the order, -1 if it is gone.
func (l *List) Index(id string) int {
	return slices.IndexFunc(l.all, func(c api.Contact) bool { return c.ID == id })
}

// Listed returns those in the list: archived ones are left out unless they are
// asked for.
func (l *List) Listed() []api.Contact {
	if l.archived {
		return l.all
	}
	return l.all[:len(l.all)-l.Archived()]
}

// Archived counts the archived ones.
func (l *List) Archived() int {
	n := 0
	for i := range l.all {
		if l.all[i].Archived {
			n++
		}
	}
	return n
}

// ShowArchived shows the archived ones or leaves them out again, and reports
// whether there are any. A cursor that is left out goes to current.
func (l *List) ShowArchived(current string) bool {
	l.archived = !l.archived
	if l.Archived() == 0 {
		l.archived = false
		return false
	}

	if l.Index(l.Cursor) >= len(l.Listed()) {
		l.Cursor = current
	}
	return true
}

// Take takes everybody that the node knows, in the order in which they were met,
// in place of those known here. It returns the contacts that are gone.
func (l *List) Take(contacts []api.Contact, reading func(id string) bool) (gone []string) {
	l.Loaded = true
	here, at := map[string]bool{}, map[string]int{}
	for i := range l.all {
		at[l.all[i].ID] = i
	}

	var fresh []api.Contact // the last one met comes first
	var latest int64        // of those before, the contacts met earlier
	for _, c := range contacts {
		here[c.ID] = true
		if c.Last != nil {
			l.rank[c.ID] = max(l.rank[c.ID], c.Last.Sequence)
		} else if _, known := at[c.ID]; !known {
			l.rank[c.ID] = latest // nothing has happened since they were met
		}
		latest = max(latest, l.rank[c.ID])
		if i, known := at[c.ID]; known {
			l.replace(i, c, reading)
		} else {
			fresh = append(fresh, c)
		}
	}
	slices.Reverse(fresh)
	l.all = append(fresh, l.all...)
	l.highest = max(l.highest, latest)

	for _, c := range l.all {
		if !here[c.ID] {
			gone = append(gone, c.ID)
		}
	}
	l.Sort()
	return gone
}

// Put adds or changes a contact. A new one comes first. reading reports whether the person looks at a
// conversation: it stays read.
func (l *List) Put(c api.Contact, reading func(id string) bool) {
	if l.Index(c.ID) < 0 {
		l.Raise(c.ID)
	}
	l.put(c, reading)
}

func (l *List) put(c api.Contact, reading func(id string) bool) {
	at := l.Index(c.ID)
	if at < 0 {
		l.all = slices.Insert(l.all, 0, c)
		return
	}
	l.replace(at, c, reading)
}

func (l *List) replace(at int, c api.Contact, reading func(id string) bool) {
	read := l.all[at].Unread == 0 && reading(c.ID) // it was marked as read meanwhile
	l.all[at] = c
	if read {
		l.Read(c.ID)
	}
}

// Read notes that a conversation was read.
func (l *List) Read(id string) {
	c := l.Get(id)
	if c == nil {
		return
	}
	c.Unread = 0
	if c.Room != nil {
		room := *c.Room // it is shared with the event that brought it
		room.Unread, room.Mentions = 0, 0
		c.Room = &room
	}
}

// Named notes that an unread message of a room came, and whether it names us.
func (l *List) Named(id string, us bool) {
	if c := l.Get(id); us && c != nil && c.Room != nil {
		room := *c.Room
		room.Mentions++
		c.Room = &room
	}
}

// Raise notes that something happened with a contact just now.
func (l *List) Raise(id string) {
	l.highest++
	l.rank[id] = l.highest
}

// Remove takes a contact out. A cursor on it goes to the next one.
func (l *List) Remove(id string) {
	at := l.Index(id)
	if at < 0 {
		return
	}

	l.all = slices.Delete(l.all, at, at+1)
	if l.Cursor == id {
		l.Cursor = ""
	}
	if l.Cursor == "" && len(l.all) > 0 {
		l.Cursor = l.all[min(at, len(l.all)-1)].ID
	}
}

// Sort puts the people in order.
func (l *List) Sort() {
	group := func(c *api.Contact) int {
		switch {
		case c.Archived:
			return 2
		case c.Pinned:
			return 0
		}
		return 1
	}
	slices.SortStableFunc(l.all, func(x, y api.Contact) int {
		return cmp.Or(
			cmp.Compare(group(&x), group(&y)),
			cmp.Compare(l.rank[y.ID], l.rank[x.ID]),
			y.Created.Compare(x.Created),
		)
	})
}

// Unread counts the unread messages of everybody but one.
func (l *List) Unread(but string) int {
	n := 0
	for i := range l.all {
		if l.all[i].ID != but {
			n += l.all[i].Unread
		}
	}
	return n
}

// Beside returns the contact that is so many places behind another in the list,
// around its end.
func (l *List) Beside(id string, by int) string {
	n, at := len(l.all), l.Index(id)
	if n == 0 {
		return ""
	}
	if listed := len(l.Listed()); at < listed {
		n = listed
	}
	return l.all[(at+by+n)%n].ID
}

// NextUnread returns the next contact behind another with something unread, ""
// if there is none.
func (l *List) NextUnread(id string) string {
	n, at := len(l.all), l.Index(id)
	for k := 1; k <= n; k++ {
		if c := &l.all[(at+k+n)%n]; c.Unread > 0 && c.ID != id {
			return c.ID
		}
	}
	return ""
}

// Enter puts the cursor on current, or on the first one if current is archived or none.
func (l *List) Enter(current string) {
	l.Cursor = current
	if shown := l.Listed(); len(shown) > 0 && (l.Index(current) < 0 || l.Index(current) >= len(shown)) {
		l.Cursor = shown[0].ID
	}
}

// Move moves the cursor.
func (l *List) Move(by int) {
	n := len(l.Listed())
	l.rows.Select(l.Index(l.Cursor), n)
	l.rows.Move(by, n)
	l.follow()
}

// Scroll moves the view by rows where there is room for some. The cursor stays
// in it.
func (l *List) Scroll(by, room int) {
	l.rows.Scroll(by, len(l.Listed()), room)
	l.follow()
}

// follow puts the cursor on the selected row.
func (l *List) follow() {
	if l.rows.Selected < len(l.Listed()) {
		l.Cursor = l.all[l.rows.Selected].ID
	}
}

// Empty drops everybody.
func (l *List) Empty() {
	l.all, l.rank, l.Cursor = nil, map[string]int64{}, ""
}

// Meant returns the ID of the only contact with a name that is so, or begins so, and the
// text itself if there is none or more than one.
func (l *List) Meant(who string) string {
	meant := who
	for i := range l.all {
		name := words.Name(&l.all[i])
		if name == who || l.all[i].ID == who {
			return l.all[i].ID
		}
		if len(name) >= len(who) && strings.EqualFold(name[:len(who)], who) {
			if meant != who {
				return who
			}
			meant = l.all[i].ID
		}
	}
	return meant
}
