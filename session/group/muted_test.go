package group

import (
	"testing"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
)

// TestMutedByAnAdmin: an admin gives members, and the owner, the right seed, and no lane beside it, or one that there is not. They speak in the open
// lane.
func TestMutedByAnAdmin(t *testing.T) {
	w := newWorld(t)
	all := w.room(5)
	owner, evil, carol, dave := all[0], all[1], all[2], all[3]
	owner.must(owner.room.SetRole(evil.room.Self(), Admin, w.now))
	w.settle()
	r := &evil.room.core
	old := r.posting()
	var root [32]byte
	root[0] = 7
	dealt, _ := r.deal()
	var to []keys.Recipient
	for _, m := range keyed(r) {
		one, ok := r.recipient(m, root, dealt[m.ID], false, w.now)
		switch {
		case !ok:
			t.Fatal("no leaf")
		case m.ID == carol.room.Self() || m.ID == owner.room.Self():
			one.Lane = [32]byte{}
		case m.ID == dave.room.Self():
			one.Lane = [32]byte{1}
		}
		to = append(to, one)
	}
	st := r.set.State(r.key, members.Rekey, random())
	rekey, sealed, err := r.keys.Rekey(keys.Member(r.self), st.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	st.Body = rekey.Append(nil)
	st.Sign(r.key)
	word := &word{Statement: st, id: st.ID(), at: w.now.Unix(), counts: true, rekey: rekey, rid: rekey.ID(r.group)}
	p := r.places.make(r, word.rid, root, w.now)
	p.writes, p.lane = writesRoot, dealt[r.self]
	card := r.statement(members.Card, random(), func(context [32]byte) []byte {
		return sealCard(r.group, word.rid, p.vault.secret, context, newCard(root, r.door.secret(false), r.mailboxes))
	})
	r.keep(word, w.now)
	r.keep(card, w.now)
	r.sendRekey(word, card, sealed, old)
	evil.commit()
	w.settle()
	for _, p := range all {
		if len(p.room.keys.Lacking()) != 0 {
			t.Fatal(p.name, "has no keys")
		}
	}
	for _, p := range []*person{owner, carol} {
		if err := p.says("at once"); err != ErrNotYet {
			t.Error(err)
		}
		if _, next := p.room.Due(w.now); next.After(w.now.Add(needAfter)) {
			t.Errorf("speaks after %v", next.Sub(w.now))
		}
	}
	w.now = w.now.Add(needAfter)
	w.allSpeak("with lanes by another", all)
}

// TestAdminsOnlyBehindTheKeys: a member reads the keys of a room in which only admins write before the word that it is one. Nothing that waits is
// said where nobody hears it.
func TestAdminsOnlyBehindTheKeys(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob := all[0], all[1]
	bob.offline = true
	if err := owner.room.SetSettings(Settings{Title: "a room", AdminsOnly: true}, w.now); err != nil {
		t.Fatal(err)
	}
	c := owner.room.Changes()
	for i := len(c.Appends) - 1; i >= 0; i-- {
		a := c.Appends[i]
		bob.take(Entry{nameOf(a.Log), 1, a.Tag, a.Signature, a.Box})
		if err := bob.says("queued"); err == nil && bob.room.writing().rekey == owner.room.writing().rekey {
			t.Error("said where nobody hears it")
		}
	}
	if err := bob.says("queued"); err != ErrRank {
		t.Error(err)
	}
}

// withoutACard puts the cells of somebody's last change but for the card.
func (p *person) withoutACard(reader *person) {
	for _, a := range p.room.Changes().Appends {
		at := reader.room.places.index[nameOf(a.Log)]
		if at.place == nil {
			continue
		}
		in, _ := at.place.vault.open(reader.room.group, at.lane, a.Tag, a.Box)
		data, _ := in.controlData()
		if st, err := members.ParseStatement(data[1:]); data[0] == typeStatement && err == nil && st.Topic == members.Card {
			continue
		}
		p.w.put(a)
	}
}

// TestRekeyWithoutACard: an admin makes new keys, and does not tell the place that they lead to. The owner makes others.
func TestRekeyWithoutACard(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, evil := all[0], all[1]
	owner.must(owner.room.SetRole(evil.room.Self(), Admin, w.now))
	w.settle()
	if err := evil.room.rekey(w.now); err != nil {
		t.Fatal(err)
	}
	evil.withoutACard(owner)
	evil.offline = true
	w.settle()
	w.pass(10 * time.Minute)
	w.allSpeak("in a place that is told", others(all, evil))
}

// TestLostCard: the card of new keys is lost at both mailboxes. Members ask for it.
func TestLostCard(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, bob := all[0], all[1]
	w.pass(settlesIn + time.Minute)
	if err := owner.room.rekey(w.now); err != nil {
		t.Fatal(err)
	}
	id := owner.room.keys.Heads()[0]
	owner.withoutACard(bob)
	owner.commit()
	w.settle()
	if bob.room.keys.Heads()[0] != id || bob.room.speaks() == nil {
		t.Fatal("nothing is lost")
	}
	w.pass(10 * time.Minute)
	if owner.room.keys.Heads()[0] != id {
		t.Error("there are other keys")
	}
	w.allSpeak("with the card", all)
}
