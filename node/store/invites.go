package store

import "time"

// An Invite is one of our own invites.
type Invite struct {
	ID      string
	Name    string // of the contact it will become
	Created time.Time
	Expires time.Time
	Used    bool
	Contact ID    // that used it
	Tags    []Tag // of a used invite: still watched, to notice a second use
}

const inviteColumns = `id, name, created, expires, state, contact, tags`

func scanInvite(r Row) Invite {
	in := Invite{ID: r.Text(0), Name: r.Text(1), Created: r.Time(2), Expires: r.Time(3),
		Used: r.Text(4) == "used", Contact: r.ID(5)}
	for b := r.Blob(6); len(b) >= 16; b = b[16:] {
		in.Tags = append(in.Tags, Tag(b[:16]))
	}
	return in
}

// AddInvite stores an open invite and its secret.
func (tx *Tx) AddInvite(in Invite, secret []byte) error {
	return tx.exec(`INSERT INTO invites(id, name, created, expires, state, version, secret)
		VALUES(?, ?, ?, ?, 'open', 1, ?)`,
		in.ID, in.Name, in.Created, in.Expires, tx.seal("invites", []byte(in.ID), 1, secret))
}

func (tx *Tx) Invite(id string) (Invite, error) {
	return one(tx, scanInvite, `SELECT `+inviteColumns+` FROM invites WHERE id = ?`, id)
}

// Invites returns all invites, used ones too.
func (tx *Tx) Invites() ([]Invite, error) {
	return collect(tx, scanInvite, `SELECT `+inviteColumns+` FROM invites ORDER BY created, id`)
}

// InviteSecret returns the secret of an open invite and its version.
func (tx *Tx) InviteSecret(id string) (secret []byte, version int64, err error) {
	type row struct {
		sealed  []byte
		version int64
	}
	r, err := one(tx, func(r Row) row { return row{r.Blob(0), r.Int(1)} },
		`SELECT secret, version FROM invites WHERE id = ? AND secret IS NOT NULL`, id)
	if err != nil {
		return nil, 0, err
	}
	secret, err = tx.unseal("invites", []byte(id), r.version, r.sealed)
	return secret, r.version, err
}

// SetInviteSecret replaces the secret that was read with a version.
func (tx *Tx) SetInviteSecret(id string, version int64, secret []byte) error {
	err := tx.execOne(`UPDATE invites SET secret = ?, version = ? WHERE id = ? AND version = ?`,
		tx.seal("invites", []byte(id), version+1, secret), version+1, id, version)
	if err == ErrNotFound {
		return ErrStale
	}
	return err
}

// UseInvite erases an invite's secret: it has become a contact.
func (tx *Tx) UseInvite(id string, contact ID, watch []Tag) error {
	return tx.execOne(`UPDATE invites SET state = 'used', secret = NULL, contact = ?, tags = ? WHERE id = ?`,
		contact, joinTags(watch), id)
}

// SetInviteTags replaces the tags that are watched for a second use.
func (tx *Tx) SetInviteTags(id string, watch []Tag) error {
	return tx.execOne(`UPDATE invites SET tags = ? WHERE id = ?`, joinTags(watch), id)
}

func joinTags(tags []Tag) []byte {
	var b []byte
	for _, t := range tags {
		b = append(b, t[:]...)
	}
	return b
}

// RemoveInvite erases an invite and its mailboxes.
func (tx *Tx) RemoveInvite(id string) error {
	if err := tx.execOne(`DELETE FROM invites WHERE id = ?`, id); err != nil {
		return err
	}
	return tx.exec(`DELETE FROM mailboxes WHERE owner = ?`, []byte(id))
}
