package store

import "time"

// InviteState says what has become of an invite of ours.
type InviteState string

const (
	InviteOpen    InviteState = "open"
	InviteUsed    InviteState = "used"
	InviteReused  InviteState = "reused"  // used, and somebody else tried as well
	InviteExpired InviteState = "expired" // nobody came; a hello under way is still taken
)

// An Invite is one of our own invites.
type Invite struct {
	ID      string
	Name    string // of the contact it will become
	Created time.Time
	Expires time.Time
	State   InviteState
	Contact ID // that used it
}

const inviteColumns = `id, name, created, expires, state, contact`

func scanInvite(r Row) Invite {
	return Invite{r.Text(0), r.Text(1), r.Time(2), r.Time(3), InviteState(r.Text(4)), r.ID(5)}
}

// AddInvite stores an invite and its secret.
func (tx *Tx) AddInvite(in Invite, secret []byte) error {
	return tx.exec(`INSERT INTO invites(`+inviteColumns+`, version, secret) VALUES(?, ?, ?, ?, ?, ?, 1, ?)`,
		in.ID, in.Name, in.Created, in.Expires, string(in.State), orNull(in.Contact),
		tx.seal("invites", []byte(in.ID), 1, secret))
}

func (tx *Tx) Invite(id string) (Invite, error) {
	return one(tx, scanInvite, `SELECT `+inviteColumns+` FROM invites WHERE id = ?`, id)
}

// Invites returns all invites, in whatever state.
func (tx *Tx) Invites() ([]Invite, error) {
	return collect(tx, scanInvite, `SELECT `+inviteColumns+` FROM invites ORDER BY created, id`)
}

// SetInvite changes an invite's state and contact.
func (tx *Tx) SetInvite(in Invite) error {
	return tx.execOne(`UPDATE invites SET state = ?, contact = ? WHERE id = ?`,
		string(in.State), orNull(in.Contact), in.ID)
}

// InviteSecret returns an invite's secret and its version.
func (tx *Tx) InviteSecret(id string) (secret []byte, version int64, err error) {
	type row struct {
		sealed  []byte
		version int64
	}
	r, err := one(tx, func(r Row) row { return row{r.Blob(0), r.Int(1)} },
		`SELECT secret, version FROM invites WHERE id = ?`, id)
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

// RemoveInvite erases an invite and its mailboxes.
func (tx *Tx) RemoveInvite(id string) error {
	if err := tx.execOne(`DELETE FROM invites WHERE id = ?`, id); err != nil {
		return err
	}
	return tx.exec(`DELETE FROM mailboxes WHERE owner = ?`, []byte(id))
}
