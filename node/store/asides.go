package store

import "time"

// An Aside is a conversation of two that a member of a room offers us, or we them.
type Aside struct {
	Member   MemberID
	Outgoing bool
	Invite   string // its id
	Link     string // theirs, until it is answered; empty if it is ours
	Expires  time.Time
}

const asideColumns = `member, outgoing, invite, link, expires`

func scanAside(r Row) Aside {
	return Aside{r.Member(0), r.Bool(1), r.Text(2), r.Text(3), r.Time(4)}
}

// SetAside keeps an offer in place of the one before it.
func (t RoomTable) SetAside(room ID, a Aside) error {
	return t.tx.exec(`INSERT INTO asides(contact, `+asideColumns+`) VALUES(?, ?, ?, ?, ?, ?)
		ON CONFLICT(contact, member, outgoing) DO UPDATE SET invite = excluded.invite, link = excluded.link, expires = excluded.expires`,
		room, a.Member, a.Outgoing, a.Invite, a.Link, a.Expires)
}

// Aside returns the offer of a member, or ours to them.
func (t RoomTable) Aside(room ID, member MemberID, outgoing bool) (Aside, error) {
	return one(t.tx, scanAside, `SELECT `+asideColumns+` FROM asides WHERE contact = ? AND member = ? AND outgoing = ?`, room, member, outgoing)
}

// Asking returns the offers of members that can still be taken.
func (t RoomTable) Asking(room ID, now time.Time) ([]Aside, error) {
	return collect(t.tx, scanAside, `SELECT `+asideColumns+` FROM asides WHERE contact = ?1 AND outgoing = 0 AND link <> '' AND expires > ?2
		AND NOT EXISTS(SELECT 1 FROM contacts WHERE contacts.invite = asides.invite)
		AND member IN (SELECT member FROM members WHERE contact = ?1 AND role <> 'none' AND blocked = 0)`, room, now)
}
