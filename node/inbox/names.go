package inbox

import (
	"fmt"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/store"
)

// A contact chooses its own name until the owner renames it. A contact with the name of
// another would be written to in their place, or make a command fail that names that
// one. So no two contacts have the same name: one that a contact chose gets a part of
// the contact's id appended, and makes room for one that the owner chose. So does one
// that calls itself like the note to self: what is meant for that is not to be sent. A notice
// in the conversation tells of a new name. A contact compared by safety number keeps the compared name
// (node.SetVerified).

// unlike returns a name for a contact that no other has.
func (b *batch) unlike(id store.ID, name string) (string, error) {
	if chat.OwnName(name) {
		return Apart(id, name), nil
	}
	others, err := b.tx.Others()
	for _, o := range others {
		if p := b.peers[o.ID]; p != nil {
			o = p.Contact // with the changes of this batch
		}
		if o.ID != id && chat.SameName(o.Name, name) {
			return Apart(id, name), err
		}
	}
	return name, err
}

// makeWay is MakeWay within a batch, for a contact that is not stored yet.
func (b *batch) makeWay(name string) error {
	for _, p := range b.peers {
		if !p.Named && chat.SameName(p.Name, name) {
			p.Name, p.changed = Apart(p.ID, p.Name), true
		}
	}
	return MakeWay(b.tx, name, store.ID{})
}

// Apart appends six digits of the id of a contact or member to its name.
func Apart(id store.ID, name string) string {
	behind := fmt.Sprintf(" (%s)", id.String()[:6])
	return chat.ShortName(name, api.MaxName-len(behind)) + behind
}

// RoomName returns the name of a room's conversation: its title, unless somebody or another
// room has it. Others choose the title, and what is meant for a person must not go there.
func RoomName(tx *store.Tx, id store.ID, title string) (string, error) {
	title = chat.PeerName(title)
	if title == "" || chat.OwnName(title) {
		return Apart(id, title), nil
	}
	others, err := tx.Others()
	for _, o := range others {
		if o.ID != id && chat.SameName(o.Name, title) {
			return Apart(id, title), err
		}
	}
	return title, err
}

// MakeWay appends a part of its id to the name of each contact that equals a name the
// owner has chosen for another contact.
func MakeWay(tx *store.Tx, name string, except store.ID) error {
	all, err := tx.Others()
	for _, o := range all {
		if err == nil && o.ID != except && !o.Named && chat.SameName(o.Name, name) {
			o.Name = Apart(o.ID, o.Name)
			err = tx.SetContact(o)
		}
	}
	return err
}

// rename takes the name that a peer gives themselves.
func (b *batch) rename(p *peer, said string) error {
	name := chat.PeerName(said)
	if name == "" || p.Named {
		return nil
	}
	name, err := b.unlike(p.ID, name)
	if err != nil || name == p.Name {
		return err
	}
	was := p.Name
	p.Name, p.changed = name, true
	if err := b.tellContact(p.ID); err != nil || was == NamelessName(p.ID) {
		return err
	}
	text := fmt.Sprintf("Your contact, who was %s, is called %s now: they say so themselves.", was, name)
	return b.tx.AddNotice(store.Message{ID: store.NewID(), Contact: p.ID, Text: text, Time: b.now}, b.now)
}
