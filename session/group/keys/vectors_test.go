package keys

import (
	"bytes"
	"testing"

	"starling/docs/vectors"
	"starling/session/internal/kdf"
)

type keysVectors struct {
	Group      vectors.Hex   `json:"group"`
	Leaf       vectors.Hex   `json:"leaf"` // private
	LeafPublic vectors.Hex   `json:"leaf_public"`
	Member     vectors.Hex   `json:"member"`
	Rekeys     []rekeyVector `json:"rekeys"`
	Step       stepVector    `json:"step"`
	Lists      []listVector  `json:"lists"`
}

type rekeyVector struct {
	Author      vectors.Hex   `json:"author"`
	Context     vectors.Hex   `json:"context"`
	Seed        vectors.Hex   `json:"seed"`
	Lane        vectors.Hex   `json:"lane"`
	ID          vectors.Hex   `json:"id"`
	Place       vectors.Hex   `json:"place"`
	Body        vectors.Hex   `json:"body"`
	Sealed      vectors.Hex   `json:"sealed"`
	Generations []vectors.Hex `json:"generations"` // m of each
}

type stepVector struct {
	Context vectors.Hex `json:"context"`
	Body    vectors.Hex `json:"body"`
	Lane    vectors.Hex `json:"lane"`
	Sealed  vectors.Hex `json:"sealed"`
}

type listVector struct {
	Heads   []headVector   `json:"heads"`
	Digest  vectors.Hex    `json:"digest"`
	Senders []senderVector `json:"senders"`
}

type headVector struct {
	Rekey      vectors.Hex `json:"rekey"`
	Generation uint16      `json:"generation"`
}

type senderVector struct {
	Sender vectors.Hex   `json:"sender"`
	Cells  []vectors.Hex `json:"cells"`
}

// makeKeys is two rekeys at once, a step, and the keys of cells under three lists.
func makeKeys(t *testing.T) keysVectors {
	r := newRoom(t, 3)
	last := r.people[2]
	v := keysVectors{Group: group[:], Leaf: last.leaf.Bytes(), LeafPublic: last.leaf.Public()[:], Member: last.id[:]}
	for by := range 2 {
		k := New(group)
		made, sealed, err := k.Rekey(r.people[by].id, [32]byte{byte(by)}, []Recipient{r.to(by), r.to(2)})
		if err != nil {
			t.Fatal(err)
		}
		place := 0
		for made.Members[place] != last.id {
			place++
		}
		id := made.ID(group)
		plain, err := last.leaf.open(infoOf(kdf.RoomSeed, group, id, r.to(2)), sealed[place])
		if err != nil {
			t.Fatal(err)
		}
		if err := last.keys.Take(made); err != nil {
			t.Fatal(err)
		}
		if _, err := last.keys.Open(id, last.id, last.leaf, sealed[place]); err != nil {
			t.Fatal(err)
		}
		h := last.keys.rekeys[id]
		v.Rekeys = append(v.Rekeys, rekeyVector{
			Author: made.Author[:], Context: made.Context[:], Seed: plain[:32], Lane: plain[32:], ID: id[:], Place: bytes.Clone(h.place[:]),
			Body: made.Append(nil), Sealed: vectors.Hex(sealed[place]),
		})
	}
	s, sealed, err := last.keys.Step([32]byte{9}, r.to(2), nil)
	if err != nil {
		t.Fatal(err)
	}
	v.Step = stepVector{s.Context[:], s.Append(nil), vectors.Hex(append([]byte(nil), make([]byte, 32)...)), vectors.Hex(sealed)}
	v.Step.Lane[0] = 2

	one, other := ID(v.Rekeys[0].ID), ID(v.Rekeys[1].ID)
	both := List{{one, 1}, {other, 1}}
	if compare(one, other) > 0 {
		both[0], both[1] = both[1], both[0]
	}
	for _, l := range []List{{{one, 0}}, {{other, 2}}, both} {
		v.Lists = append(v.Lists, v.list(t, last.keys, l, [][]byte{r.people[0].id[:], last.id[:]}))
	}
	for i := range v.Rekeys {
		h := last.keys.rekeys[ID(v.Rekeys[i].ID)]
		for g := range uint16(2) {
			m := h.m[g]
			v.Rekeys[i].Generations = append(v.Rekeys[i].Generations, m[:])
		}
	}
	// The second goes on to the last generation of the lists.
	m := last.keys.rekeys[other].m[2]
	v.Rekeys[1].Generations = append(v.Rekeys[1].Generations, m[:])
	return v
}

// list computes keys of cells under a list.
func (keysVectors) list(t *testing.T, k *Keys, l List, senders [][]byte) (v listVector) {
	t.Helper()
	d := l.Digest()
	v.Digest = d[:]
	for _, h := range l {
		v.Heads = append(v.Heads, headVector{h.Rekey[:], h.Generation})
	}
	if err := k.Expect(l); err != nil {
		t.Fatal(err)
	}
	for _, sender := range senders {
		s := senderVector{Sender: sender}
		for number := range uint32(3) {
			if err := k.OpenCell(d, Member(sender), Nonce{}, number, func(key MessageKey) bool {
				s.Cells = append(s.Cells, key[:])
				return true
			}); err != nil {
				t.Fatal(err)
			}
		}
		v.Senders = append(v.Senders, s)
	}
	return v
}

func checkKeys(t *testing.T, v keysVectors) {
	leaf, err := ParseLeafKey(v.Leaf)
	if err != nil || !bytes.Equal(leaf.Public()[:], v.LeafPublic) {
		t.Fatal("leaf", err)
	}
	if _, err := ParseLeaf(v.LeafPublic); err != nil {
		t.Fatal(err)
	}
	self := Member(v.Member)
	k, newcomer := New([32]byte(v.Group)), New([32]byte(v.Group))
	for _, x := range v.Rekeys {
		r, err := ParseRekey(Member(x.Author), [32]byte(x.Context), x.Body)
		if err != nil {
			t.Fatal(err)
		}
		id := r.ID(k.group)
		if !bytes.Equal(id[:], x.ID) || !bytes.Equal(r.Append(nil), x.Body) || k.Take(r) != nil || newcomer.Take(r) != nil {
			t.Fatal("another rekey")
		}
		lane, err := k.Open(id, self, leaf, Sealed(x.Sealed))
		if err != nil || !bytes.Equal(lane[:], x.Lane) {
			t.Fatal("seed", err)
		}
		if place, err := k.Place(id); err != nil || !bytes.Equal(place[:], x.Place) {
			t.Error("place", err)
		}
		k.Expect(List{{id, uint16(len(x.Generations) - 1)}})
		for g, want := range x.Generations {
			if m := k.rekeys[id].m[uint16(g)]; !bytes.Equal(m[:], want) {
				t.Errorf("generation %d", g)
			}
		}
	}

	s, err := ParseStep([32]byte(v.Step.Context), v.Step.Body)
	if err != nil || !bytes.Equal(s.Append(nil), v.Step.Body) {
		t.Fatal("step", err)
	}
	if lane, err := newcomer.OpenStep(s, self, leaf, Sealed(v.Step.Sealed)); err != nil || !bytes.Equal(lane[:], v.Step.Lane) {
		t.Fatal("handed over", err)
	}
	for _, x := range v.Lists {
		var l List
		var senders [][]byte
		for _, h := range x.Heads {
			l = append(l, Head{ID(h.Rekey), h.Generation})
		}
		for _, s := range x.Senders {
			senders = append(senders, s.Sender)
		}
		who := []*Keys{k}
		if l[0].Generation > 0 {
			who = append(who, newcomer)
		}
		for _, keys := range who {
			got := v.list(t, keys, l, senders)
			if !bytes.Equal(got.Digest, x.Digest) {
				t.Error("digest")
			}
			for i, s := range got.Senders {
				for n, cell := range s.Cells {
					if !bytes.Equal(cell, x.Senders[i].Cells[n]) {
						t.Errorf("cell %d of sender %d", n, i)
					}
				}
			}
		}
	}
}

func TestVectors(t *testing.T) {
	vectors.Made(t, "keys", makeKeys, checkKeys)
	vectors.Produced(t, "keys", checkKeys)
}
