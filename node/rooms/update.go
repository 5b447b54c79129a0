package rooms

import (
	"context"
	"errors"
	"slices"
	"time"

	"starling/node/api"
	"starling/node/inbox"
	"starling/node/store"
	"starling/session/group"
)

// ErrClosed is returned for a room that we are not in, or not yet.
var ErrClosed = errors.New("we are not in the room")

// maxSteps bounds the work that follows from an update within it: an answer at the door makes a
// step, which may make a rekey due.
const maxSteps = 8

// A Tx is one update of a room, within a transaction of the store. See the package comment.
type Tx struct {
	Tx *store.Tx

	rs        *Rooms
	p         *part
	row       store.Room
	contact   store.Contact
	rowWas    store.Room // on disk
	was       store.Contact
	now       time.Time
	told      bool // the relays have told it
	people    bool // members are to be written anew
	changed   bool // the room is to be told of
	appends   []store.Append
	positions map[logAt]position
	due       time.Time
	refused   []string
	parked    bool // contents wait
	looks     bool // and the mailboxes are to be asked
	ours      bool // we choose the title ourselves
}

// Update makes one update of a room. If do fails, nothing of it remains.
func (rs *Rooms) Update(ctx context.Context, id store.ID, do func(*Tx) error) error {
	rs.updates.Lock()
	defer rs.updates.Unlock()
	return rs.update(ctx, id, nil, do)
}

// update is Update with the lock held. A fresh part is of a room that do stores.
func (rs *Rooms) update(ctx context.Context, id store.ID, fresh *part, do func(*Tx) error) error {
	var t *Tx
	err := rs.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
		t = &Tx{Tx: tx, rs: rs, positions: make(map[logAt]position)}
		t.now, t.told = rs.cfg.Now()
		if t.p = fresh; fresh == nil {
			if t.p, err = rs.part(tx, id); err != nil {
				return err
			}
			if err := t.load(id); err != nil {
				return err
			}
		}
		t.p.used = true
		if err := do(t); err != nil {
			return err
		}
		return t.finish()
	})

	if err != nil {
		return err // memory is ahead of the disk: the part stays used
	}
	t.p.used = false
	rs.open[id] = t.p
	rs.apply(t)
	return nil
}

// part returns our part in a room, from memory or from disk.
func (rs *Rooms) part(tx *store.Tx, id store.ID) (*part, error) {
	if p := rs.open[id]; p != nil && !p.used {
		return p, nil
	}
	row, err := tx.Room(id)
	if err != nil {
		return nil, err
	}
	secrets, version, err := tx.RoomSecrets(id)
	if err != nil {
		return nil, err
	}
	if len(secrets) == 0 {
		return nil, ErrClosed
	}

	p := &part{id: id, version: version}
	if before := rs.open[id]; before != nil {
		p.noticed = before.noticed
	}
	if row.State == api.RoomPending {
		p.joining, err = group.OpenJoining(secrets)
	} else {
		var entries [][]byte
		if entries, err = tx.Entries(id); err == nil {
			p.room, err = group.Open(secrets, entries)
		}
	}
	if err != nil {
		return nil, &store.DamagedError{File: "profile.db", Err: err}
	}
	return p, nil
}

func (t *Tx) load(id store.ID) (err error) {
	if t.row, err = t.Tx.Room(id); err == nil {
		t.contact, err = t.Tx.Contact(id)
	}
	t.rowWas, t.was = t.row, t.contact
	return err
}

// Room returns the room of the update, or an error if we are not in it.
func (t *Tx) Room() (*group.Room, error) {
	if t.p.room == nil || t.row.State != api.RoomReady && t.row.State != api.RoomAway {
		return nil, ErrClosed
	}
	return t.p.room, nil
}

// Now is the time of day by the relays.
func (t *Tx) Now() time.Time { return t.now }

// Changed has the members of the room written anew, and the room told of.
func (t *Tx) Changed() { t.people, t.changed = true, true }

// take takes an entry or the end of a log.
func (t *Tx) take(x any) error {
	switch x := x.(type) {
	case Entry:
		return t.entry(x)
	case End:
		return t.end(x)
	}
	return nil
}

// entry takes an entry of a log.
func (t *Tx) entry(e Entry) error {
	if t.p.joining != nil && t.anew(e) && t.now.Sub(t.p.asked) >= askAgain {
		t.p.joining.Again()
		t.p.asked = t.now
	}
	if !t.arrived(e) {
		return nil
	}
	g := group.Entry{Name: e.Name, Position: e.Position, Tag: e.Tag, Signature: e.Signature, Box: e.Box}
	switch {
	case t.p.joining != nil:
		return t.answer(g)
	case t.p.room != nil:
		events, err := t.p.room.Take(g, t.now)
		if err != nil {
			t.refused = append(t.refused, "entry of a room")
			return nil
		}
		return t.events(events)
	}
	return nil
}

// askAgain is how often a request to be let in is made again: a mailbox may say that it has lost its logs as often as it likes.
const askAgain = 10 * time.Minute

// anew reports whether an entry is of another life of its log than those before: the mailbox has lost them.
func (t *Tx) anew(e Entry) bool {
	p, known := t.knownPosition(logAt{t.p.id, e.Node, e.Name})
	return known && p.instance != 0 && p.instance != e.Instance
}

// end notes that a log was read to its end at a mailbox.
func (t *Tx) end(e End) error {
	at := logAt{t.p.id, e.Node, e.Name}
	t.rs.mu.Lock()
	t.rs.ended[at] = t.now
	t.rs.mu.Unlock()
	if e.Instance == 0 || e.Empty {
		if home := t.lost(at); home || e.Instance == 0 {
			return nil
		}
	}
	p := t.positionOf(at)
	if p.instance != e.Instance || p.all < e.Last {
		// Everything up to here was handed over before, or is there no more.
		t.positions[at] = position{instance: e.Instance, all: e.Last}
	}
	if t.p.room == nil {
		return nil
	}
	return t.events(t.p.room.Ended(e.Name, e.Node, t.now))
}

// lost notes that a mailbox has nothing of a log that it had, and reports whether that is the first one of the room's
// place. If no mailbox has it any more, the room is told. One that we have not heard of yet may have it: an answer
// of before the first entry can come after that entry. A restored profile does not know what there was.
func (t *Tx) lost(at logAt) (home bool) {
	if t.p.room == nil {
		return false
	}
	had := t.positionOf(at).instance != 0 || t.p.room.Returning()
	for _, place := range t.p.room.Logs() {
		if !slices.Contains(place.Names, at.name) {
			continue
		}
		if home = place.Home && place.Names[0] == at.name; !had {
			return home
		}

		t.positions[at] = position{}
		if !slices.ContainsFunc(place.Mailboxes, func(m group.Mailbox) bool { return m.Node == at.node }) {
			return home // where its readers meet
		}
		there := slices.ContainsFunc(place.Mailboxes, func(m group.Mailbox) bool {
			p, known := t.knownPosition(logAt{t.p.id, m.Node, at.name})
			return !known || p.instance != 0
		})
		switch {
		case there:
		case !home:
			t.p.room.LostLog(at.name)
		case t.p.room.Lost(t.now) == nil:
			t.Changed()
		}
		return home
	}
	return false
}

// finish does the work that follows from the update, and writes it.
func (t *Tx) finish() error {
	if err := t.say(); err != nil {
		return err
	}
	parked, err := t.showParked()
	if err != nil {
		return err
	}

	news := false // since the contents that wait were looked at
	if t.p.room != nil && t.told {
		events, next := t.p.room.Expire(t.now)
		t.wakeAt(next)
		news = len(events) > 0
		if err := t.events(events); err != nil {
			return err
		}
	} else if !t.told {
		t.wakeAt(t.now.Add(10 * lookEvery))
	}
	if t.p.room != nil {
		if err := t.letWaiting(); err != nil {
			return err
		}
	}
	for range maxSteps {
		if t.p.room == nil {
			break
		}
		events, next := t.p.room.Due(t.now)
		t.wakeAt(next)
		if len(events) == 0 {
			break
		}
		news = true
		if err := t.events(events); err != nil {
			return err
		}
	}

	if news { // it has its place, or waits
		if parked, err = t.showParked(); err != nil {
			return err
		}
	}
	t.goAhead(parked)
	t.lookForLost()
	if err := t.keep(); err != nil {
		return err
	}
	return t.show()
}

// wakeAt plans an update by a time of the relays.
func (t *Tx) wakeAt(at time.Time) {
	if at.IsZero() {
		return
	}
	local := time.Now().Add(at.Sub(t.now))
	if t.due.IsZero() || local.Before(t.due) {
		t.due = local
	}
}

// keep writes the secrets that have changed, the entries and the appends.
func (t *Tx) keep() error {
	var ch group.Changes
	var secrets map[string][]byte
	switch {
	case t.p.room != nil:
		ch, secrets = t.p.room.Changes(), t.p.room.State()
	case t.p.joining != nil:
		ch, secrets = t.p.joining.Changes(), t.p.joining.State()
		if len(ch.Appends) > 0 { // the request goes out
			t.row.Me = store.MemberID(t.p.joining.Self())
		}
	}
	t.people = t.people || len(ch.NewEntries) > 0
	if err := t.Tx.AddEntries(t.p.id, ch.NewEntries); err != nil {
		return err
	}

	if err := t.addAppends(ch.Appends); err != nil {
		return err
	}
	for at, p := range t.positions {
		if err := t.Tx.SetLogPosition(t.p.id, store.LogPosition{Node: at.node, Name: at.name, Instance: p.instance, Position: p.all}); err != nil {
			return err
		}
	}
	if len(secrets) == 0 {
		return nil
	}
	err := t.Tx.SetRoomSecrets(t.p.id, t.p.version, secrets)
	t.p.version++
	return err
}

// addAppends puts entries on their way.
func (t *Tx) addAppends(all []group.Append) error {
	for _, a := range all {
		row := store.Append{Room: t.p.id, Content: store.ContentID(a.ID), Lane: a.Lane, Log: a.Log, Meet: a.Meet, Tag: a.Tag, Signature: a.Signature, Created: t.now}
		for _, m := range a.Mailboxes {
			row.Goals = append(row.Goals, store.Mailbox{Node: m.Node, Hint: m.Hint})
		}
		var err error
		if row.Seq, err = t.Tx.AddAppend(row, a.Box); err != nil {
			return err
		}
		t.appends = append(t.appends, row)
	}
	return nil
}

// show writes the rows that are shown of the room.
func (t *Tx) show() error {
	if r := t.p.room; r != nil {
		set := r.Settings()
		t.row.Me, t.row.Title = store.MemberID(r.Self()), set.Title
		t.row.AdminsOnly, t.row.Healing, t.row.Unheard, t.row.History = set.AdminsOnly, r.Healing(), r.Unheard(), 0
		if set.History {
			t.row.History = History
		}
		t.contact.Timer = int(set.Timer)
		t.row.Role = roleOf(r.Role(r.Self()))
		switch {
		case t.row.State != api.RoomReady && t.row.State != api.RoomAway:
		case r.Away():
			t.row.State = api.RoomAway
		default:
			t.row.State = api.RoomReady
		}
	}
	if t.row.Title != t.rowWas.Title {
		t.contact.Name = t.row.Title
		if !t.ours {
			var err error
			if t.contact.Name, err = inbox.RoomName(t.Tx, t.p.id, t.row.Title); err != nil {
				return err
			}
		}
	}

	if t.contact != t.was {
		t.changed, t.was = true, t.contact
		if err := t.Tx.SetContact(t.contact); err != nil {
			return err
		}
	}
	if t.row != t.rowWas {
		t.changed, t.rowWas = true, t.row
		if err := t.Tx.SetRoom(t.row); err != nil {
			return err
		}
	}
	if t.people && t.p.room != nil {
		if err := t.writeMembers(); err != nil {
			return err
		}
	}
	if !t.changed {
		return nil
	}
	_, err := t.Tx.Append(store.Event{Kind: api.EventContact, Contact: t.p.id, Time: t.now})
	return err
}

// apply follows an update that is on disk.
func (rs *Rooms) apply(t *Tx) {
	rs.mu.Lock()
	for at, p := range t.positions {
		rs.position[at] = p
	}
	rs.waiting[t.p.id] = t.p.waiting
	if t.p.room == nil {
		delete(rs.waiting, t.p.id)
	}
	for _, what := range t.refused {
		rs.refused[what]++
	}
	if t.p.logs() == nil || t.due.IsZero() {
		delete(rs.due, t.p.id)
	} else {
		rs.due[t.p.id] = t.due
	}
	rs.mu.Unlock()

	if t.p.room == nil && t.p.joining == nil {
		delete(rs.open, t.p.id)
	}
	rs.refollow(t.p)
	if t.looks {
		rs.lookAgain(t.p)
	}
	rs.sender.add(t.appends...)
	rs.progressed()
}

// close ends our part in the room; its conversation stays.
func (t *Tx) close(state api.RoomState) error {
	t.row.State, t.row.Unheard, t.changed = state, false, true
	t.p.room, t.p.joining = nil, nil
	return t.Tx.ForgetRoom(t.p.id)
}

func roleOf(r group.Role) api.Role { return api.Role(r.String()) }

// RoleNamed returns the role of a name.
func RoleNamed(r api.Role) (group.Role, bool) {
	for _, role := range []group.Role{group.Nobody, group.Reader, group.Writer, group.Admin, group.Owner} {
		if roleOf(role) == r {
			return role, true
		}
	}
	return 0, false
}
