package group

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"starling/session/group/keys"
	"starling/session/group/members"
	"starling/session/internal/kdf"
	"starling/session/internal/secret"
)

// Room is one person's part in one room: the calls of it. Each ends with the events and changes that
// followed inside.
type Room struct {
	core
	shelf shelf
}

// A core is the inside of a Room: its parts, and how one follows from the other.
type core struct {
	secret.Hidden

	key   members.Key
	self  ID
	group [32]byte
	set   *members.Set
	keys  *keys.Keys

	words  archive
	places places
	leaves leaves
	ear    ear
	door   door
	duty   duty
	aside  aside
	back   back

	roles     map[ID]Role // as they were told
	joined    map[ID]int64
	settings  Settings
	by        ID        // the author of the settings
	mailboxes []Mailbox // of the next card

	rows   [][]byte
	out    []Append
	events []Event
}

func newRoom(key members.Key, set *members.Set) *Room {
	r := &Room{core: core{key: key, self: key.ID(), group: set.Group(), set: set, keys: keys.New(set.Group()),
		roles: map[ID]Role{}, joined: map[ID]int64{}}}
	r.shelf = shelf{seed: maphash.MakeSeed(), parts: map[string]shelved{}}
	r.words.init()
	r.places.init()
	r.leaves.init()
	r.ear.init()
	r.door.init()
	r.duty.init()
	return r
}

// Found makes a room that the caller owns.
func Found(f Founding) (*Room, error) {
	if !soundMailboxes(f.Mailboxes) || !soundTitle(f.Title) {
		return nil, ErrInvalid
	}
	key, leaf := members.NewKey(), keys.NewLeafKey()
	var nonce [32]byte
	rand.Read(nonce[:])
	set, create, err := members.New(key, nonce, leaf.Public().Hash(), f.Name)
	if err != nil {
		return nil, ErrInvalid
	}

	r := newRoom(key, set)
	r.mailboxes = cloneMailboxes(f.Mailboxes)
	r.leaves.own = []*ownLeaf{{counter: 0, key: leaf, made: f.Now.Unix()}}
	r.entriesPlaced([]*members.Entry{create}, f.Now)
	if err := r.rekey(f.Now); err != nil {
		return nil, err
	}
	r.state(Settings{Title: f.Title}, f.Now)
	r.flush()
	return r, nil
}

func soundTitle(t string) bool { return len(t) <= MaxTitle && utf8.ValidString(t) }

func cloneMailboxes(all []Mailbox) (c []Mailbox) {
	for _, m := range all {
		c = append(c, Mailbox{m.Node, slices.Clone(m.Hint)})
	}
	return c
}

// flush returns the events of a call.
func (r *core) flush() []Event {
	events := r.events
	r.events = nil
	return events
}

func (r *core) tell(e Event) { r.events = append(r.events, e) }

// Changes returns the news since the last call.
func (r *Room) Changes() Changes {
	c := Changes{r.rows, r.out}
	r.rows, r.out = nil, nil
	return c
}

// Kinds of rows.
const (
	rowEntry     = 1
	rowStatement = 2
)

func (r *core) row(kind uint8, now int64, b []byte) {
	p := pen{}
	p.u8(kind)
	p.i64(now)
	p.raw(b)
	r.rows = append(r.rows, p.b)
}

// ID returns the room's name.
func (r *Room) ID() [32]byte { return r.group }

// Self returns our own id in the room.
func (r *Room) Self() ID { return r.self }

// Title returns the room's title.
func (r *Room) Title() string { return r.settings.Title }

// Settings returns the room's rules.
func (r *Room) Settings() Settings { return r.settings }

// Role returns the role of a person.
func (r *Room) Role(id ID) Role { return r.set.Role(id) }

// Members returns everybody in the room, by id.
func (r *Room) Members() []Member {
	suspects := suspects(&r.core)
	var all []Member
	for _, one := range r.set.Members() {
		m := Member{ID: one.ID, Role: one.Role, Key: one.Key, Since: time.Unix(r.joined[one.ID], 0),
			Unkeyed: r.unkeyed(one.ID), Suspect: slices.Contains(suspects, one.ID)}
		if one.Person != nil {
			m.Name = one.Person.Name
		}
		if e := r.set.Entry(one.Since); e != nil {
			m.By = e.Author
		}
		all = append(all, m)
	}
	return all
}

// unkeyed reports whether a head was not given to somebody.
func (r *core) unkeyed(id ID) bool {
	return slices.ContainsFunc(r.keys.Heads(), func(h keys.ID) bool { return !r.words.granted(h, id) })
}

// Healing reports whether people just removed may still read: the merge of keys is not
// made yet.
func (r *Room) Healing() bool { return r.keys.MergeDue() || len(r.remaining()) > 0 }

// remaining returns the people that are not in the room, and hold the secrets of all heads.
func (r *core) remaining() (all []ID) {
	heads := r.keys.Heads()
	if len(heads) == 0 {
		return nil
	}
	for id := range r.words.holders[heads[0]] {
		if r.set.Role(ID(id)) == Nobody && !slices.ContainsFunc(heads, func(h keys.ID) bool { return !r.words.granted(h, ID(id)) }) {
			all = append(all, ID(id))
		}
	}
	slices.SortFunc(all, func(a, b ID) int { return slices.Compare(a[:], b[:]) })
	return all
}

// Safety returns the number that two members compare: 60 digits, the same on both sides.
func (r *Room) Safety(member ID) string {
	other, known := r.set.Key(member)
	if !known {
		return ""
	}
	return safety(r.group, r.key.Public(), other)
}

func safety(group, one, two [32]byte) string {
	if slices.Compare(one[:], two[:]) > 0 {
		one, two = two, one
	}
	h := kdf.Hash(kdf.RoomSafety, group[:], one[:], two[:])
	var wide [60]byte
	kdf.Derive(kdf.RoomSafety, nil, h[:], wide[:])
	digits := make([]byte, 0, 60)
	for i := 0; i < 60; i += 5 {
		n := binary.BigEndian.Uint64(append(make([]byte, 3, 8), wide[i:i+5]...)) % 100000
		digits = fmt.Appendf(digits, "%05d", n)
	}
	return string(digits)
}

// rankers returns the people that may rekey, ascending, and our place among them.
func (r *core) rankers() (all []ID, own int) {
	own = -1
	for _, m := range r.set.Members() {
		if m.Role >= Admin {
			if m.ID == r.self {
				own = len(all)
			}
			all = append(all, m.ID)
		}
	}
	return all, own
}

// entriesPlaced takes entries that found their place: rows, and the events of other roles.
func (r *core) entriesPlaced(placed []*members.Entry, now time.Time) {
	touched := map[ID]bool{}
	for _, e := range placed {
		r.row(rowEntry, now.Unix(), e.Append(nil))
		switch e.Kind {
		case members.Create, members.Leave:
			touched[e.Author] = true
		case members.SetRole:
			touched[e.Target] = true
		case members.Pact:
			touched[e.Author], touched[e.Target] = true, true
		}
	}

	// With one head nothing is beside it, and an entry changes its targets alone.
	if len(r.set.Heads()) > 1 {
		for _, id := range r.set.People() {
			touched[id] = true
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(touched), func(a, b ID) int { return slices.Compare(a[:], b[:]) }) {
		r.roleOf(id, now)
	}
	r.words.stale = true
	r.duty.wondered = 0
	by, kept := r.by, r.settings
	r.settle(now)
	if r.settings != kept && leftAlone(r, by) {
		restate(r, kept, now)
	}
}

// leftAlone reports whether somebody left by themselves: then nothing of theirs counts any more, and nobody removed it.
func leftAlone(r *core, who ID) bool {
	e := r.set.Given(who)
	return e != nil && e.Kind == members.Leave && r.set.Role(who) == Nobody
}

// restate states settings again, for an author without weight.
func restate(r *core, s Settings, now time.Time) {
	if r.set.Role(r.self) >= Admin && !r.back.silent() && r.words.number[authored{r.self, members.Settings}] < most(members.Settings) {
		r.state(s, now)
	}
}

// roleOf tells of the role of a person, if it is another one than before.
func (r *core) roleOf(id ID, now time.Time) {
	was, told := r.roles[id]
	role := r.set.Role(id)
	if told && was == role {
		return
	}
	r.roles[id] = role
	if r.joined[id] == 0 {
		r.joined[id] = now.Unix()
	}

	var by ID
	left, ban := false, false
	if e := r.set.Given(id); e != nil {
		by, left, ban = e.Author, e.Kind == members.Leave, banned(e)
	}
	switch {
	case role == Nobody && id == r.self:
		r.tell(Removed{by, ban})
	case role == Nobody && left:
		r.tell(Left{id})
	case was == Nobody && role > Nobody:
		r.tell(Joined{id, by, role})
	case told:
		r.tell(RoleChanged{id, by, role, ban && role == Nobody})
	}
}

// settle follows from all that was taken: which statements count, the settings, the heads of keys,
// their places.
func (r *core) settle(now time.Time) {
	if r.words.stale {
		r.words.stale = false
		for _, w := range r.words.all {
			counts, err := r.set.Weigh(w.Statement)
			w.counts = counts && err == nil
			if w.rekey != nil {
				r.keys.SetVoid(w.rid, !w.counts)
			}
		}
	}

	r.chooseSettings()
	for _, w := range r.words.all {
		if w.rekey != nil {
			r.trySeeds(w, now)
		}
	}
	r.keys.Expect(r.keys.List())
	r.places.settle(r, now)
	if heads := r.view(); heads != r.duty.view {
		r.duty.view = heads
		r.tell(HeadsChanged{})
	}
}

// view is a word for the keys that are here: if it changes, more or other things can be said.
func (r *core) view() string {
	d := r.keys.List().Digest()
	p := pen{b: d[:]}
	p.u16(len(r.keys.Lacking()))
	p.flag(r.speaks() == nil)
	return string(p.b)
}

// stated is the settings that count: those of the highest counter, of two the lower id.
func stated(r *core) *word { return highestSettings(r, func(w *word) bool { return w.counts }) }

func highestSettings(r *core, which func(*word) bool) (best *word) {
	for _, w := range r.words.all {
		if w.Topic != members.Settings || !which(w) {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(w.Counter, best.Counter), -slices.Compare(w.id[:], best.id[:])) > 0 {
			best = w
		}
	}
	return best
}

// chooseSettings takes the settings that count, or if there are none those of somebody that left by themselves.
func (r *core) chooseSettings() {
	best := stated(r)
	if best == nil {
		best = highestSettings(r, func(w *word) bool { return leftAlone(r, w.Author) })
	}
	if best == nil {
		return
	}
	if s, ok := parseSettings(best.Body); ok && (s != r.settings || r.by != best.Author) {
		told := s != r.settings && r.by != ID{}
		r.settings, r.by = s, best.Author
		if told {
			r.tell(SettingsChanged{best.Author})
		}
	}
}

func (s *Settings) encode() []byte {
	var p pen
	var flags uint8
	if s.History {
		flags |= 1
	}
	if s.AdminsOnly {
		flags |= 2
	}
	p.u8(flags)
	p.u32(s.Timer)
	p.u8(uint8(len(s.Title)))
	p.raw([]byte(s.Title))
	return p.b
}

func parseSettings(b []byte) (s Settings, ok bool) {
	e := readerOf(b)
	flags := e.u8()
	s = Settings{History: flags&1 != 0, AdminsOnly: flags&2 != 0, Timer: e.u32()}
	s.Title = string(e.Take(int(e.u8()), MaxTitle))
	return s, e.Done() && flags < 4 && utf8.ValidString(s.Title)
}
