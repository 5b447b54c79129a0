package rooms

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/chat"
	"starling/node/store"
	"starling/session/group"
)

// events takes the events of the room.
func (t *Tx) events(all []group.Event) error {
	for _, e := range all {
		if err := t.event(e); err != nil {
			return err
		}
		if t.p.room == nil {
			return nil // we are out
		}
	}
	return nil
}

func (t *Tx) event(e group.Event) error {
	switch e := e.(type) {
	case group.Said:
		return t.said(e)
	case group.Joined:
		return t.notice(api.RoomChange{Kind: api.ChangeJoined, Role: roleOf(e.Role)}, e.Member, e.By)
	case group.Left:
		return t.notice(api.RoomChange{Kind: api.ChangeLeft}, e.Member, e.Member)
	case group.RoleChanged:
		return t.roleChanged(e)
	case group.Removed:
		if err := t.notice(api.RoomChange{Kind: removal(e.Banned)}, t.p.room.Self(), e.By); err != nil {
			return err
		}
		return t.removed()
	case group.SettingsChanged:
		return t.settings(e.By)
	case group.Asked:
		return t.asked(e.Request)
	case group.Offered:
		return t.offered(t.p.room.Self(), e.By)
	case group.Forked:
		return t.forked(e)
	case group.Returned:
		return t.notice(api.RoomChange{Kind: api.ChangeReturned}, e.Member, e.Member)
	case group.Unheard:
		return t.notice(api.RoomChange{Kind: api.ChangeUnheard}, t.p.room.Self(), group.ID{})
	case group.HeadsChanged:
		return t.say()
	case group.Reread:
		t.reread(e.Logs)
		return nil
	}

	t.Changed()
	return nil
}

// removed ends our part because somebody has removed us.
func (t *Tx) removed() error {
	if err := t.writeMembers(); err != nil {
		return err
	}
	if err := t.failSays("you are not in the room any more"); err != nil {
		return err
	}
	t.row.Role = api.RoleNone
	return t.close(api.RoomRemoved)
}

func removal(ban bool) api.RoomChangeKind {
	if ban {
		return api.ChangeBanned
	}
	return api.ChangeRemoved
}

func (t *Tx) roleChanged(e group.RoleChanged) error {
	switch e.Role {
	case group.Nobody:
		return t.notice(api.RoomChange{Kind: removal(e.Banned)}, e.Member, e.By)
	case group.Owner:
		if err := t.setOffered(group.ID{}); err != nil {
			return err
		}
		return t.notice(api.RoomChange{Kind: api.ChangeOwner, Role: api.RoleOwner}, e.Member, e.By)
	}
	return t.notice(api.RoomChange{Kind: api.ChangeRole, Role: roleOf(e.Role)}, e.Member, e.By)
}

// settings tells of the settings that are others than before.
func (t *Tx) settings(by group.ID) error {
	set := t.p.room.Settings()
	tell := func(changed bool, c api.RoomChange) error {
		if !changed {
			return nil
		}
		return t.notice(c, group.ID{}, by)
	}
	history, writers := 0, 0
	if set.History {
		history = History
	}

	if set.AdminsOnly {
		writers = 1
	}
	err := errors.Join(
		tell(set.Title != t.row.Title, api.RoomChange{Kind: api.ChangeNamed, Name: safetext.Line(set.Title)}),
		tell(history != t.row.History, api.RoomChange{Kind: api.ChangeHistory, Value: history}),
		tell(set.AdminsOnly != t.row.AdminsOnly, api.RoomChange{Kind: api.ChangeWriters, Value: writers}),
		tell(int(set.Timer) != t.contact.Timer, api.RoomChange{Kind: api.ChangeTimer, Value: int(set.Timer)}))
	if err != nil {
		return err
	}
	return t.show()
}

// asked takes somebody at the door: a link that asks nobody lets them in at once.
func (t *Tx) asked(r group.Request) error {
	if r.Approve {
		if err := t.Tx.SetMember(t.p.id, store.Member{ID: store.MemberID(r.Member), Name: memberName(r.Name), Role: api.RoleNone, Waiting: true, Since: t.now}); err != nil {
			return err
		}
		return t.notice(api.RoomChange{Kind: api.ChangeKnock}, r.Member, group.ID{})
	}
	in, err := t.letIn(r)
	if err == nil && !in {
		t.refused = append(t.refused, "request to a room")
	}
	return err
}

// letIn lets somebody in by a link that asks nobody, and reports whether that was possible.
func (t *Tx) letIn(r group.Request) (in bool, err error) {
	err = t.Answer(r, true)
	if errors.Is(err, group.ErrFull) || errors.Is(err, group.ErrSpent) {
		err = t.Answer(r, false)
	}
	if errors.Is(err, group.ErrGone) || errors.Is(err, group.ErrRank) || errors.Is(err, group.ErrNotYet) || errors.Is(err, group.ErrSoon) || errors.Is(err, group.ErrInvalid) || errors.Is(err, group.ErrFull) || errors.Is(err, group.ErrSpent) {
		return false, nil
	}
	return err == nil, err
}

// letInAgain is how often those at the door are tried again: a link may bring hundreds, and somebody without the rank lets none in.
const letInAgain = time.Minute

// letWaiting lets those in that came at a bad moment: keys were on their way just then, or we had come back from a backup.
func (t *Tx) letWaiting() error {
	all := slices.DeleteFunc(t.p.room.Requests(), func(r group.Request) bool { return r.Approve })
	if len(all) == 0 {
		return nil
	}
	if t.now.Sub(t.p.let).Abs() < letInAgain {
		t.wakeAt(t.p.let.Add(letInAgain))
		return nil
	}

	t.p.let = t.now
	for _, r := range all {
		if in, err := t.letIn(r); err != nil {
			return err
		} else if !in {
			t.wakeAt(t.now.Add(letInAgain))
		}
	}
	return nil
}

// Answer answers somebody at the door.
func (t *Tx) Answer(r group.Request, yes bool) error {
	var history [][]byte
	if yes {
		var err error
		if history, err = t.history(); err != nil {
			return err
		}
	}
	if err := t.p.room.Approve(r.ID, yes, history, t.now); err != nil {
		return err
	}
	t.Changed()
	if !yes {
		m, err := t.Tx.Member(t.p.id, store.MemberID(r.Member))
		if err == nil && m.Waiting {
			return t.Tx.RemoveMember(t.p.id, m.ID)
		}
	}
	return nil
}

// offered tells that the room is offered to somebody.
func (t *Tx) offered(to, by group.ID) error {
	if err := t.setOffered(to); err != nil {
		return err
	}
	return t.notice(api.RoomChange{Kind: api.ChangeOffered}, to, by)
}

// setOffered marks the member that the room is offered to; the zero id is nobody.
func (t *Tx) setOffered(to group.ID) error {
	all, err := t.Tx.Members(t.p.id)
	for _, m := range all {
		if offered := m.ID == store.MemberID(to); err == nil && m.Offered != offered {
			m.Offered = offered
			err = t.Tx.SetMember(t.p.id, m)
		}
	}
	t.Changed()
	return err
}

func (t *Tx) forked(e group.Forked) error {
	if err := t.Tx.AddFork(t.p.id, store.Fork{Member: store.MemberID(e.Member), First: fmt.Sprintf("%x", e.A), Second: fmt.Sprintf("%x", e.B)}); err != nil {
		return err
	}
	return t.notice(api.RoomChange{Kind: api.ChangeFork}, e.Member, group.ID{})
}

// notice tells of a change in the conversation, and has the members written anew.
func (t *Tx) notice(c api.RoomChange, member, by group.ID) error {
	t.Changed()
	if t.p.room != nil {
		if err := t.writeMembers(); err != nil {
			return err
		}
	}
	m := store.Message{ID: store.NewID(), Contact: t.p.id, Time: t.now}
	self := store.MemberID(t.p.self())
	if member != (group.ID{}) {
		m.Member, c.Member, c.Self = store.MemberID(member), member.String(), store.MemberID(member) == self
		c.Name = safetext.Line(t.nameOf(m.Member))
	}
	if by != (group.ID{}) {
		c.By, c.BySelf = by.String(), store.MemberID(by) == self
		c.ByName = safetext.Line(t.nameOf(store.MemberID(by)))
	}
	// Changes of our own are no news.
	m.Outgoing = c.BySelf || c.Kind == api.ChangeCreated
	m.Text = Sentence(c)
	return t.Tx.AddRoomNotice(m, c, t.now)
}

func (p *part) self() group.ID {
	if p.room == nil {
		return group.ID{}
	}
	return p.room.Self()
}

// nameOf returns the name of somebody that is or was in the room.
func (t *Tx) nameOf(id store.MemberID) string {
	m, err := t.Tx.Member(t.p.id, id)
	if err != nil || m.Name == "" {
		return nameless(id)
	}
	return m.Name
}

func nameless(id store.MemberID) string { return "member " + id.String()[:6] }

// memberName is a name that a member chose, as one safe line.
func memberName(s string) string { return chat.PeerName(s) }

// writeMembers writes the people in the room and at its door.
func (t *Tx) writeMembers() error {
	t.people = false
	before, err := t.Tx.Members(t.p.id)
	if err != nil {
		return err
	}
	was := make(map[store.MemberID]store.Member)
	for _, m := range before {
		was[m.ID] = m
	}

	write := func(m store.Member) error {
		old, there := was[m.ID]
		delete(was, m.ID)
		m.Offered, m.Verified, m.Blocked = old.Offered, old.Verified, old.Blocked
		if there && !old.Since.IsZero() && (m.Since.IsZero() || old.Role != api.RoleNone || m.Waiting) {
			m.Since = old.Since
		}
		if m == old {
			return nil
		}
		t.changed = true
		return t.Tx.SetMember(t.p.id, m)
	}

	for _, m := range t.p.room.Members() {
		name := memberName(m.Name)
		if name == "" {
			name = nameless(store.MemberID(m.ID))
		}
		if m.ID == t.p.room.Self() {
			t.row.As = name
		}
		since := m.Since
		if since.IsZero() {
			since = t.now
		}
		if err := write(store.Member{ID: store.MemberID(m.ID), Name: name, Role: roleOf(m.Role), By: store.MemberID(m.By), Since: since}); err != nil {
			return err
		}
	}
	for _, r := range t.p.room.Requests() {
		if t.p.room.Role(r.Member) != group.Nobody {
			continue
		}
		if err := write(store.Member{ID: store.MemberID(r.Member), Name: memberName(r.Name), Role: api.RoleNone, Waiting: true, Since: t.now}); err != nil {
			return err
		}
	}
	return t.gone(was)
}

// gone marks people that are not in the room any more. People that only waited are forgotten.
func (t *Tx) gone(was map[store.MemberID]store.Member) error {
	for _, m := range was {
		switch {
		case m.Waiting:
			if err := t.Tx.RemoveMember(t.p.id, m.ID); err != nil {
				return err
			}
		case m.Role != api.RoleNone || m.Offered:
			m.Role, m.Offered = api.RoleNone, false
			if err := t.Tx.SetMember(t.p.id, m); err != nil {
				return err
			}
		default:
			continue
		}
		t.changed = true
	}
	return nil
}
