package rooms

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"starling/node/api"
	"starling/node/store"
	"starling/session/group"
)

// # Mailboxes that are gone
//
// A mailbox that does not work is missing. As soon as all mailboxes of a log are, its readers follow it at the relays that rank highest by
// a secret of the log (group.Place), too, and until the next start: a few of these, since two clients may know different ones. What nobody has of its
// entries goes there once they were missing for meetAfter. So a room goes on, and hears where it moves to. The mailboxes get
// these entries as well, if they come back: not everybody sees them gone.
//
// The polls of a follow are half an hour apart, and more. So that readers find out in time, a room that was talking and is silent is asked about before.
//
// An entry has arrived when it lies at both mailboxes, or at two meeting places; or at one, and the other was missing for goneAfter. By then
// owner and admins take the room away from it, whoever's turn it is.
const (
	lookEvery = 30 * time.Second
	meetAfter = time.Minute
	goneAfter = 5 * time.Minute
	// By unmovedAfter owner and admins have taken a room away, and by lostAfter the logs were read to their end wherever they are.
	unmovedAfter = 20 * time.Minute
	lostAfter    = 70 * time.Minute
	// A room is asked about lullAfter after its last entry, then after lullTimes as long each time, up to lullEnds: an entry of a slow room
	// costs its readers three questions to both mailboxes.
	lullAfter = 2 * time.Minute
	lullTimes = 4
	lullEnds  = 2 * time.Hour
	// meetings is how far down the ranking readers look; entries go to the first of these that work.
	meetings = 2 * group.Mailboxes
	// maxMeetings bounds the secrets by which a room meets at a time, of its keys and of its doors: others name the mailboxes of its logs.
	maxMeetings = 8
)

// lookAfter finds out which mailboxes are gone and acts on it, and gives up
// requests that nobody has answered in time. It returns when to look again.
func (rs *Rooms) lookAfter(ctx context.Context) (again time.Time) {
	again = time.Now().Add(lookEvery)
	rs.askInLulls()
	missing := rs.lookForMissing()
	if missing {
		rs.meetAll(ctx)
	}
	var all []store.Room
	if err := rs.cfg.Store.View(ctx, func(tx *store.Tx) (err error) { all, err = tx.Rooms(); return err }); err != nil {
		return again
	}
	for _, r := range all {
		switch {
		case r.State == api.RoomPending && !r.Expires.IsZero() && rs.surely(r.Expires.Add(graceOfLinks)):
			rs.quiet(ctx, r.ID, func(t *Tx) error { return t.close(api.RoomRefused) })
		case missing && r.State == api.RoomReady:
			if r.Role == api.RoleOwner || r.Role == api.RoleAdmin {
				rs.moveFrom(ctx, r.ID)
			}
			rs.askWhere(ctx, r.ID)
		}
	}
	return again
}

// lookForMissing finds out which mailboxes are missing, and has entries tried again where that changes anything. It reports
// whether any is.
func (rs *Rooms) lookForMissing() bool {
	nodes := rs.sender.nodes()
	rs.mu.Lock()
	for k := range rs.follows {
		nodes = append(nodes, k.node)
	}
	was, looked := rs.missing, rs.looked
	rs.mu.Unlock()
	missing, err := rs.cfg.Network.Missing(nodes)
	if err != nil {
		return false
	}

	now := time.Now()
	is := make(map[store.Node]time.Time, len(missing))
	var changed []store.Node
	others := false
	for _, n := range missing {
		since, known := was[n]
		if !known {
			since, others = now, true
		}
		is[n] = since
		for _, after := range []time.Duration{meetAfter, goneAfter} {
			if end := since.Add(after); end.After(looked) && !end.After(now) {
				changed = append(changed, n)
			}
		}
	}
	for n := range was {
		if is[n].IsZero() {
			changed, others = append(changed, n), true // it is back
		}
	}

	rs.mu.Lock()
	rs.missing, rs.looked = is, now
	rs.mu.Unlock()
	rs.sender.retry(changed)
	if others && rs.cfg.Delays != nil {
		rs.cfg.Delays()
	}
	return len(is) > 0
}

// missingFor reports whether all of some mailboxes, one at least, were missing for a while.
func (rs *Rooms) missingFor(all []group.Mailbox, d time.Duration) bool {
	before := time.Now().Add(-d)
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return len(all) > 0 && !slices.ContainsFunc(all, func(m group.Mailbox) bool {
		since, missing := rs.missing[m.Node]
		return !missing || since.After(before)
	})
}

// askInLulls has the mailboxes of rooms asked that have been silent for a while: readers learn from nothing else that they are gone.
func (rs *Rooms) askInLulls() {
	now, _ := rs.cfg.Now()
	rs.updates.Lock()
	defer rs.updates.Unlock()
	for _, p := range rs.open {
		if p.lull != p.came {
			p.lull, p.asksAfter = p.came, lullAfter
		}
		if silent := now.Sub(p.came); !p.came.IsZero() && silent >= p.asksAfter && silent <= lullEnds {
			p.asksAfter = lullTimes * silent
			rs.askHome(p)
		}
	}
}

// askHome has the mailboxes asked where messages go now.
func (rs *Rooms) askHome(p *part) {
	prefix := prefixOf(p.id)
	for _, place := range p.logs() {
		if place.Home {
			rs.cfg.Network.FollowAgain(prefix + place.Key)
		}
	}
}

// Delayed says why a content is not sent yet, if mailboxes do not answer.
func (rs *Rooms) Delayed(tx *store.Tx, room store.ID, content store.ContentID) (reason string, err error) {
	rs.mu.Lock()
	missing := len(rs.missing)
	rs.mu.Unlock()
	if missing == 0 {
		return "", nil
	}
	all, err := tx.Underway(room, content)
	for _, a := range all {
		switch {
		case !rs.missingFor(mailboxes(a.Goals), 0):
		case a.Copies == 0:
			return "the mailboxes of the room do not answer: it takes another way within minutes", err
		default:
			reason = "one mailbox of the room has it, where the others can read it; the other does not answer"
		}
	}
	return reason, err
}

// meetAll has the logs of all rooms followed where their readers meet. The cards of our links are put there.
func (rs *Rooms) meetAll(ctx context.Context) {
	changed := make(map[store.ID][][16]byte)
	rs.updates.Lock()
	for id, p := range rs.open {
		if p.used {
			continue
		}
		if names, ok := rs.meet(p, p.logs()); ok {
			changed[id] = names
		}
	}
	rs.updates.Unlock()

	for id, names := range changed {
		rs.quiet(ctx, id, func(t *Tx) error {
			for _, name := range names {
				if t.p.room != nil {
					t.p.room.LostLog(name)
				}
			}
			return nil
		})
	}
}

// meet finds out where the readers of the logs of a room meet, and reports whether that is another place than before, and of which logs. Those
// of the present keys come first, then the newest: old ones keep nobody from meeting there.
func (rs *Rooms) meet(p *part, logs []group.Place) (elsewhere [][16]byte, changed bool) {
	slices.Reverse(logs)
	slices.SortStableFunc(logs, func(a, b group.Place) int { return rank(a) - rank(b) })
	now := make(map[[32]byte][]group.Mailbox)
	count := make(map[bool]int)
	for _, place := range logs {
		gone := rs.missingFor(place.Mailboxes, 0)
		for i, s := range place.Meet {
			set := p.meetings[s]
			if now[s] != nil || set == nil && !gone || count[place.Door] == maxMeetings {
				continue
			}
			if gone {
				set = rs.ranked(s, place.Mailboxes, set)
			}
			if len(set) == 0 {
				continue
			}

			now[s] = set
			count[place.Door]++
			if !slices.EqualFunc(set, p.meetings[s], sameMailbox) {
				elsewhere = append(elsewhere, place.Names[i])
			}
		}
	}
	changed = len(elsewhere) > 0 || len(now) != len(p.meetings)
	p.meetings = now
	return elsewhere, changed
}

// ranked returns the relays for the readers of a log without its mailboxes, or those of before if that cannot be told now.
func (rs *Rooms) ranked(secret [32]byte, gone, before []group.Mailbox) []group.Mailbox {
	set, err := rs.cfg.Network.Meeting(secret, meetings)
	if err != nil {
		return before
	}
	return slices.DeleteFunc(set, func(m group.Mailbox) bool {
		return slices.ContainsFunc(gone, func(o group.Mailbox) bool { return o.Node == m.Node })
	})
}

// rank is 0 of the logs of the present keys, where the others say where they go.
func rank(p group.Place) int {
	if p.Home {
		return 0
	}
	return 1
}

func sameMailbox(a, b group.Mailbox) bool { return a.Node == b.Node }

func nodesOf(all []group.Mailbox) (nodes []store.Node) {
	for _, m := range all {
		nodes = append(nodes, m.Node)
	}
	return nodes
}

// follows are the logs of a room, and where its readers meet.
func (p *part) follows() []group.Place {
	all := p.logs()
	for _, place := range all[:len(all):len(all)] {
		at := make(map[[32]byte]int)
		for i, name := range place.Names {
			s := place.Meet[i]
			if p.meetings[s] == nil {
				continue
			}
			if _, there := at[s]; !there {
				at[s] = len(all)
				all = append(all, group.Place{Key: place.Key + "/" + hex.EncodeToString(s[:4]), Mailboxes: p.meetings[s]})
			}
			meeting := &all[at[s]]
			meeting.Names = append(meeting.Names, name)
		}
	}
	return all
}

// elsewhere has an entry go where the readers of its log meet if all mailboxes are gone that it is to go to, and nowhere if it
// lies somewhere by then.
func (rs *Rooms) elsewhere(ctx context.Context, seq int64) error {
	rs.sender.moving.Lock()
	defer rs.sender.moving.Unlock()
	var a store.Append
	err := rs.cfg.Store.View(ctx, func(tx *store.Tx) (err error) { a, _, err = tx.AppendBox(seq); return err })
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}

	goals := mailboxes(a.Goals)
	after := meetAfter
	if a.Copies > 0 {
		after = goneAfter
	}
	if !rs.missingFor(goals, after) {
		return nil
	}

	var others []store.Mailbox
	if a.Copies == 0 {
		if others, err = rs.meetingOf(a); err != nil || len(others) == 0 {
			return err
		}
	}
	err = rs.note(ctx, api.StateSent, "", func(tx *store.Tx) (store.ContentID, error) {
		done, _, err := tx.SpareGoals(a.Seq, nodesOf(goals), others)
		return done, err
	})
	if err == nil {
		a.Goals, a.Spare = others, nil
		rs.sender.add(a)
	}
	return err
}

func mailboxes(all []store.Mailbox) (set []group.Mailbox) {
	for _, m := range all {
		set = append(set, group.Mailbox{Node: m.Node, Hint: m.Hint})
	}
	return set
}

// pass has an entry that nobody has yet go past a relay that refuses it where the readers of its log meet. Anybody can have made it, so that it is
// not believed.
func (rs *Rooms) pass(ctx context.Context, seq int64, node store.Node) error {
	rs.sender.moving.Lock()
	defer rs.sender.moving.Unlock()
	var a store.Append
	err := rs.cfg.Store.View(ctx, func(tx *store.Tx) (err error) { a, _, err = tx.AppendBox(seq); return err })
	if err != nil {
		return err
	}
	var others []store.Mailbox
	if a.Copies == 0 {
		if others, err = rs.meetingOf(a); err != nil || len(others) == 0 {
			return err
		}
		others = others[:1]
	}

	a.Goals, a.Spare = others, nil
	err = rs.note(ctx, api.StateSent, "", func(tx *store.Tx) (store.ContentID, error) {
		done, _, err := tx.SpareGoals(seq, []store.Node{node}, a.Goals)
		return done, err
	})
	if err == nil {
		rs.sender.add(a)
	}
	return err
}

// meetingOf returns the relays where an entry is to go.
func (rs *Rooms) meetingOf(a store.Append) ([]store.Mailbox, error) {
	set, err := rs.cfg.Network.Meeting(a.Meet, meetings)
	if err != nil {
		return nil, err
	}
	before := slices.Concat(a.Goals, a.Spare)
	set = slices.DeleteFunc(set, func(m group.Mailbox) bool {
		return slices.ContainsFunc(before, func(o store.Mailbox) bool { return o.Node == m.Node })
	})
	missing, err := rs.cfg.Network.Missing(nodesOf(set))
	if err != nil {
		return nil, err
	}

	var all []store.Mailbox
	for _, m := range set {
		if !slices.Contains(missing, m.Node) && len(all) < group.Mailboxes {
			all = append(all, store.Mailbox{Node: m.Node, Hint: m.Hint})
		}
	}
	return all, nil
}

// moveFrom takes a room to another mailbox if one of the two where new messages go is gone. Owner and admins do so by turns. Each move
// makes new keys for everybody.
func (rs *Rooms) moveFrom(ctx context.Context, id store.ID) {
	var now []group.Mailbox
	var due bool
	err := rs.Look(ctx, id, func(r *group.Room) error {
		now = r.Mailboxes()
		rs.mu.Lock()
		defer rs.mu.Unlock()
		for _, m := range now {
			since, missing := rs.missing[m.Node]
			due = due || missing && !time.Now().Before(r.Turn(since.Add(goneAfter)))
		}
		return nil
	})
	if err != nil || !due {
		return
	}

	set := slices.DeleteFunc(slices.Clone(now), func(m group.Mailbox) bool { return rs.missingFor([]group.Mailbox{m}, 0) })
	others, err := rs.cfg.Network.ChooseMailboxes(group.Mailboxes-len(set), nodesOf(now)...)
	if err != nil {
		return
	}
	for _, m := range others {
		set = append(set, group.Mailbox{Node: m.Node, Hint: m.Hint})
	}
	rs.quiet(ctx, id, func(t *Tx) error {
		if t.p.room == nil {
			return ErrClosed
		}
		if err := t.p.room.Move(set, t.now); err != nil {
			return nil // somebody else may
		}
		return nil
	})
}

// askWhere asks where a room is whose mailboxes are gone and that nobody moves: it may have moved while we were away.
func (rs *Rooms) askWhere(ctx context.Context, id store.ID) {
	var due bool
	err := rs.Look(ctx, id, func(r *group.Room) error {
		after := unmovedAfter
		if r.Returning() {
			after = lostAfter
		}
		due = rs.missingFor(r.Mailboxes(), after)
		return nil
	})
	if err != nil || !due {
		return
	}
	rs.quiet(ctx, id, func(t *Tx) error {
		if t.p.room == nil {
			return ErrClosed
		}
		if t.p.room.Gone(t.now) == nil {
			t.Changed()
		}
		return nil
	})
}
