package inbox

import (
	"strings"
	"testing"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/store"
)

// call has contacts announce their names, in one transaction with others.
func (b *bench) call(names map[store.ID]string) {
	b.t.Helper()
	b.update(func(tx *store.Tx) error {
		x := b.in.newBatch(tx, b.now)
		for id, name := range names {
			c, err := tx.Contact(id)
			if err != nil {
				return err
			}
			p := &peer{Contact: c, line: newLine(c, nil)}
			x.peers[id] = p
			if err := x.profile(p, &chat.Content{Kind: chat.Profile, Name: name}); err != nil {
				return err
			}
		}
		for _, p := range x.peers {
			if err := tx.SetContact(p.Contact); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestNameOfAnother: a contact that takes the name of another one, or a look-alike, is
// told apart, also when two do so at once; a name that the owner has chosen stays with
// its contact, and nobody keeps the owner from giving it.
func TestNameOfAnother(t *testing.T) {
	b := newBench(t)
	eve, mallory := store.ID{0xee}, store.ID{0xaa}
	b.update(func(tx *store.Tx) error {
		for id, invite := range map[store.ID]string{eve: "e", mallory: "m"} {
			if err := tx.AddContact(store.Contact{ID: id, Name: NamelessName(id), State: api.ContactReady, Created: b.now, Invite: invite}, nil); err != nil {
				return err
			}
		}
		return nil
	})
	named := func(name string) (n int) {
		b.update(func(tx *store.Tx) error {
			all, err := tx.Contacts()
			for _, c := range all {
				if chat.SameName(c.Name, name) {
					n++
				}
			}
			return err
		})
		return n
	}
	for _, name := range []string{"Bob", "bob", " B\u200cob", "Ｂｏｂ", "Bob\u3164"} {
		b.call(map[store.ID]string{eve: name, mallory: name})
		if n := named("Bob"); n != 1 {
			t.Errorf("%q: %d contacts are called Bob", name, n)
		}
	}
	b.call(map[store.ID]string{eve: "Carol", mallory: "CAROL"})
	if n := named("Carol"); n != 1 {
		t.Errorf("%d contacts are called Carol", n)
	}
	b.call(map[store.ID]string{eve: strings.Repeat("é", 32), mallory: strings.Repeat("é", 32)})
	b.update(func(tx *store.Tx) error {
		all, err := tx.Contacts()
		for _, c := range all {
			if len(c.Name) > api.MaxName {
				t.Errorf("%q is too long", c.Name)
			}
		}
		return err
	})

	// The owner's word is the last, in any order.
	b.call(map[store.ID]string{eve: "Dave"})
	b.update(func(tx *store.Tx) error { return MakeWay(tx, "dave", b.contact) })
	b.update(func(tx *store.Tx) error {
		c, err := tx.Contact(b.contact)
		c.Name, c.Named = "dave", true
		if err == nil {
			err = tx.SetContact(c)
		}
		return err
	})
	b.call(map[store.ID]string{mallory: "Dave", b.contact: "Mallory"})
	b.update(func(tx *store.Tx) error {
		all, err := tx.Contacts()
		for _, c := range all {
			if chat.SameName(c.Name, "Dave") != (c.ID == b.contact) {
				t.Errorf("%v is called %q", c.ID, c.Name)
			}
		}
		return err
	})
}

// TestNewNameIsTold: a contact that changes their name is still known by the old one to
// the reader of the conversation; the first name is not worth a notice, nor is the same
// again.
func TestNewNameIsTold(t *testing.T) {
	b := newBench(t)
	b.update(func(tx *store.Tx) error {
		c, err := tx.Contact(b.contact)
		c.Name = NamelessName(c.ID)
		if err == nil {
			err = tx.SetContact(c)
		}
		return err
	})
	for range 2 {
		b.call(map[store.ID]string{b.contact: "Eve"})
	}
	b.want()
	b.call(map[store.ID]string{b.contact: "Your bank"})
	b.want("Your contact, who was Eve, is called Your bank now: they say so themselves.")
}
