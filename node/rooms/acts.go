package rooms

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"starling/node/api"
	"starling/session/group"
)

// The changes that the owner of the profile makes. Each tells of itself: the room tells
// of the changes of others alone.

// SetRole gives a member another role, or none.
func (t *Tx) SetRole(member group.ID, role group.Role) error {
	if err := t.p.room.SetRole(member, role, t.now); err != nil {
		return err
	}
	kind := api.ChangeRole
	if role == group.Nobody {
		kind = api.ChangeRemoved
	}
	return t.notice(api.RoomChange{Kind: kind, Role: roleOf(role)}, member, t.p.room.Self())
}

// Ban removes a member, and closes the links that they came by.
func (t *Tx) Ban(member group.ID) error {
	if err := t.p.room.Ban(member, t.now); err != nil {
		return err
	}
	return t.notice(api.RoomChange{Kind: api.ChangeBanned}, member, t.p.room.Self())
}

// Offer offers the room to a member.
func (t *Tx) Offer(member group.ID) error {
	if err := t.p.room.HandOver(member, group.Admin, t.now); err != nil {
		return err
	}
	return t.offered(member, t.p.room.Self())
}

// Accept takes the room that was offered to us.
func (t *Tx) Accept() error {
	var former group.ID
	for _, m := range t.p.room.Members() {
		if m.Role == group.Owner {
			former = m.ID
		}
	}
	if err := t.p.room.AcceptPact(t.now); err != nil {
		return err
	}
	if err := t.setOffered(group.ID{}); err != nil {
		return err
	}
	return t.notice(api.RoomChange{Kind: api.ChangeOwner, Role: api.RoleOwner}, t.p.room.Self(), former)
}

// SetSettings changes the rules of the room.
func (t *Tx) SetSettings(set group.Settings) error {
	if err := t.p.room.SetSettings(set, t.now); err != nil {
		return err
	}
	t.ours = true
	return t.settings(t.p.room.Self())
}

// Grouped writes a safety number as people compare it: in groups of five digits.
func Grouped(number string) string {
	var groups []string
	for ; len(number) > 5; number = number[5:] {
		groups = append(groups, number[:5])
	}
	return strings.Join(append(groups, number), " ")
}

// SafetyCode says a safety number for a QR code: 52 letters and digits.
func SafetyCode(number string) string {
	sum := sha256.Sum256([]byte("starling/room/verify/1\x00" + number))
	return strings.TrimRight(base32.StdEncoding.EncodeToString(sum[:]), "=")
}
