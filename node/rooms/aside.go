package rooms

import (
	"errors"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/store"
	"starling/session"
	"starling/session/group"
)

// # Conversations of two
//
// A member offers another one a conversation of two: an invite, sealed to that member, said in
// the room. All others see that something was said to one of them. It is kept and told, and
// nothing of it is dialled before its reader takes it. Of one member the newest is kept;
// one that was declined is not followed by another before its time is over.

const (
	// maxAsides is how many of them of one member are tried in an hour: one for each other person in
	// the room. To open one costs about as much as a signature.
	maxAsides = api.MaxMembers
	asideTime = time.Hour
	// maxAsideLife is for how long an invite can be open.
	maxAsideLife = 7 * 24 * time.Hour
)

// A room holds as many people as screens and commands are told: this compiles while the two
// numbers are the same.
var _ = [1]struct{}{}[api.MaxMembers-group.Limit]

// Tried counts the offers of a member within asideTime.
type tried struct {
	since time.Time
	n     int
}

// mayAsk counts an offer of a member, and reports whether it is looked at.
func (t *Tx) mayAsk(member store.MemberID) bool {
	a := t.p.asides[member]
	if t.now.Sub(a.since) >= asideTime || t.now.Before(a.since) {
		a = tried{since: t.now}
	}
	a.n++
	if t.p.asides == nil {
		t.p.asides = make(map[store.MemberID]tried)
	}
	t.p.asides[member] = a
	return a.n <= maxAsides
}

// aside takes what a member has said to one alone.
func (t *Tx) aside(member store.MemberID, sealed []byte) error {
	if member == t.row.Me || t.p.room == nil {
		return nil
	}
	author, err := t.Tx.Member(t.p.id, member)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if author.Blocked || author.Role == api.RoleNone || !t.mayAsk(member) {
		t.refused = append(t.refused, "offer of a member")
		return nil
	}
	plain, ours := t.p.room.OpenFrom(group.ID(member), sealed)
	if !ours {
		return nil
	}
	a, ok := ParseAside(plain, t.now)
	if !ok {
		t.refused = append(t.refused, "offer of a member")
		return nil
	}

	a.Member = member
	switch old, err := t.Tx.Aside(t.p.id, member, false); {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case err == nil && old.Link == "" && old.Expires.After(t.now):
		return nil // answered, and its time is not over
	case err == nil && old.Link != "" && old.Expires.After(t.now):
		return t.Tx.SetAside(t.p.id, a) // told before
	}
	if err := t.Tx.SetAside(t.p.id, a); err != nil {
		return err
	}
	return t.notice(api.RoomChange{Kind: api.ChangeAside}, group.ID(member), group.ID{})
}

// ParseAside reads an offer: the link of an invite and nothing else, that can still be used.
func ParseAside(plain []byte, now time.Time) (a store.Aside, ok bool) {
	link := string(plain)
	if len(plain) > group.MaxAside || strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return a, false
	}
	v, err := session.ParseLink(link)
	if err != nil || !strings.EqualFold(link, v.Link()) || !v.Expires().After(now) {
		return a, false
	}
	until := v.Expires()
	if last := now.Add(maxAsideLife); until.After(last) {
		until = last
	}
	return store.Aside{Invite: v.ID(), Link: link, Expires: until}, true
}

// Aside offers a member a conversation of two, by an invite of ours.
func (t *Tx) Aside(to group.ID, invite, link string, expires time.Time) error {
	sealed, err := t.p.room.SealFor(to, []byte(link))
	if err != nil {
		return err
	}
	c := chat.Content{Kind: chat.Aside, Sealed: sealed}
	return errors.Join(
		t.Tx.AddSay(store.Say{Room: t.p.id, ID: store.NewID(), Content: c.Encode(), Created: t.now}),
		t.Tx.SetAside(t.p.id, store.Aside{Member: store.MemberID(to), Outgoing: true, Invite: invite, Expires: expires}),
		t.notice(api.RoomChange{Kind: api.ChangeAside}, to, t.p.room.Self()))
}
