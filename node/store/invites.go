package store

import "time"

// InviteTable holds the invites that were made.
type InviteTable struct{ tx *Tx }

// InviteState is the state of an invite of ours.
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
	Contact ID     // that used it
	Alias   string // our name to them; empty: that of the profile
}

const inviteColumns = `id, name, created, expires, state, contact, alias`

func scanInvite(r Row) Invite {
	return Invite{r.Text(0), r.Text(1), r.Time(2), r.Time(3), InviteState(r.Text(4)), r.ID(5), r.Text(6)}
}

// AddInvite stores an invite and its secret.
func (t InviteTable) AddInvite(in Invite, secret []byte) error {
	return t.tx.exec(`INSERT INTO invites(`+inviteColumns+`, version, secret) VALUES(?, ?, ?, ?, ?, ?, ?, 1, ?)`,
		in.ID, in.Name, in.Created, in.Expires, string(in.State), orNull(in.Contact), in.Alias,
		t.tx.seal("invites", []byte(in.ID), 1, secret))
}

func (t InviteTable) Invite(id string) (Invite, error) {
	return one(t.tx, scanInvite, `SELECT `+inviteColumns+` FROM invites WHERE id = ?`, id)
}

// Invites returns all invites, in any state.
func (t InviteTable) Invites() ([]Invite, error) {
	return collect(t.tx, scanInvite, `SELECT `+inviteColumns+` FROM invites ORDER BY created, id`)
}

// SetInvite changes an invite's state and contact.
func (t InviteTable) SetInvite(in Invite) error {
	return t.tx.execOne(`UPDATE invites SET state = ?, contact = ? WHERE id = ?`,
		string(in.State), orNull(in.Contact), in.ID)
}

// InviteSecret returns an invite's secret and its version.
func (t InviteTable) InviteSecret(id string) (secret []byte, version int64, err error) {
	type row struct {
		sealed  []byte
		version int64
	}
	r, err := one(t.tx, func(r Row) row { return row{r.Blob(0), r.Int(1)} },
		`SELECT secret, version FROM invites WHERE id = ?`, id)
	if err != nil {
		return nil, 0, err
	}
	secret, err = t.tx.unseal("invites", []byte(id), r.version, r.sealed)
	return secret, r.version, err
}

// SetInviteSecret replaces the secret that was read with a version.
func (t InviteTable) SetInviteSecret(id string, version int64, secret []byte) error {
	err := t.tx.execOne(`UPDATE invites SET secret = ?, version = ? WHERE id = ? AND version = ?`,
		t.tx.seal("invites", []byte(id), version+1, secret), version+1, id, version)
	if err == ErrNotFound {
		return ErrStale
	}
	return err
}

// RemoveInvite erases an invite and its mailboxes.
func (t InviteTable) RemoveInvite(id string) error {
	if err := t.tx.execOne(`DELETE FROM invites WHERE id = ?`, id); err != nil {
		return err
	}
	return t.tx.exec(`DELETE FROM mailboxes WHERE owner = ?`, []byte(id))
}
