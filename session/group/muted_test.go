package group

import (
	"testing"

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
	w.allSpeak("with lanes by another", all)
}
