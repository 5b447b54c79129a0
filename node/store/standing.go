package store

// A Standing is a contact with what a list of conversations shows of it.
type Standing struct {
	Contact
	Unread int // incoming messages after those that were read
	Unsent int // items that are not at a mailbox yet
	Last   *Message
}

// One pass over the contacts, whose rows are long, and the subqueries by an index each.
const (
	behindContact  = 24 // how many columns [scanContact] reads
	selectStanding = `SELECT ` + contactColumns + `,
		(SELECT count(*) FROM messages WHERE contact = contacts.id AND seq > read_seq AND outgoing = 0 AND deleted = 0 AND hidden = 0),
		(SELECT count(*) FROM items WHERE contact = contacts.id AND state IN ('queued', 'sealed'))
		FROM contacts`
	selectLast = `SELECT ` + messageColumns + ` FROM messages WHERE seq IN (SELECT
		(SELECT seq FROM messages WHERE contact = contacts.id AND hidden = 0 ORDER BY seq DESC LIMIT 1)
		FROM contacts`
)

// Standings returns the note to self, all people, and all rooms; each of the three oldest first.
func (t ContactTable) Standings() ([]Standing, error) {
	return t.standings("", ` ORDER BY state = 'room', state <> 'self', created, id`)
}

// Standing returns one of them.
func (t ContactTable) Standing(id ID) (Standing, error) {
	all, err := t.standings(` WHERE id = ?`, "", id)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Standing{}, err
	}
	return all[0], nil
}

func (t ContactTable) standings(which, order string, args ...any) ([]Standing, error) {
	all, err := collect(t.tx, func(r Row) Standing {
		return Standing{Contact: scanContact(r), Unread: int(r.Int(behindContact)), Unsent: int(r.Int(behindContact + 1))}
	}, selectStanding+which+order, args...)
	if err != nil {
		return nil, err
	}
	last, err := collect(t.tx, scanMessage, selectLast+which+`)`, args...)
	if err != nil {
		return nil, err
	}

	of := make(map[ID]*Message, len(last))
	for i := range last {
		of[last[i].Contact] = &last[i]
	}
	for i := range all {
		all[i].Last = of[all[i].ID]
	}
	return all, nil
}
