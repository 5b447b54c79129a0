package group

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"starling/docs/vectors"
	"starling/session/group/keys"
	"starling/session/group/members"
	"starling/session/internal/kdf"
)

type roomVectors struct {
	Group     vectors.Hex     `json:"group"`
	Place     vectors.Hex     `json:"place"`
	Meet      vectors.Hex     `json:"meet"`
	Lanes     vectors.Hex     `json:"lanes"`
	Mailboxes []mailboxVector `json:"mailboxes"`
	Logs      []logVector     `json:"logs"`
	Message   messageVector   `json:"message"`
	Chain     chainVector     `json:"chain"`
	Card      cardVector      `json:"card"`
	Link      linkVector      `json:"way"`
	Request   requestVector   `json:"request"`
	Knock     knockVector     `json:"knock"`
	Compared  string          `json:"compared"`
}

type mailboxVector struct {
	Node vectors.Hex `json:"node"`
	Hint vectors.Hex `json:"hint"`
}

type logVector struct {
	Lane      uint8       `json:"lane"`
	Segment   uint8       `json:"segment"`
	Secret    vectors.Hex `json:"secret"`
	Key       vectors.Hex `json:"key"`
	Name      vectors.Hex `json:"name"`
	Data      vectors.Hex `json:"data"`
	Tag       vectors.Hex `json:"tag"`
	Box       vectors.Hex `json:"box"`
	Signature vectors.Hex `json:"signature"`
}

type messageVector struct {
	Sender   vectors.Hex   `json:"sender"` // private: Ed25519 seed
	Lane     uint8         `json:"lane"`
	Key      vectors.Hex   `json:"key"`
	Nonce    vectors.Hex   `json:"nonce"`
	Number   uint32        `json:"number"`
	List     vectors.Hex   `json:"list"`
	Previous vectors.Hex   `json:"previous"`
	ID       vectors.Hex   `json:"id"`
	Index    int           `json:"index"`
	Count    int           `json:"count"`
	Causes   []vectors.Hex `json:"causes"`
	Data     vectors.Hex   `json:"data"`
	Content  vectors.Hex   `json:"content"`
	Ref      vectors.Hex   `json:"ref"`
	Tag      vectors.Hex   `json:"tag"`
	Box      vectors.Hex   `json:"box"`
}

type chainVector struct {
	Root   vectors.Hex   `json:"root"`
	Member vectors.Hex   `json:"member"`
	Nonce  vectors.Hex   `json:"nonce"`
	Cells  []vectors.Hex `json:"cells"`
}

type cardVector struct {
	Context vectors.Hex `json:"context"`
	Door    vectors.Hex `json:"door"`
	Body    vectors.Hex `json:"body"`
}

type linkVector struct {
	Text   string      `json:"link"`
	Asked  int         `json:"asked"`
	Uses   int         `json:"uses"`
	Expiry uint32      `json:"expiry"`
	Secret vectors.Hex `json:"secret"`
	Card   vectors.Hex `json:"card"`
	Title  string      `json:"title"`
	ID     vectors.Hex `json:"id"`
	Leaf   vectors.Hex `json:"leaf"` // private
	Author vectors.Hex `json:"author"`
}

type requestVector struct {
	Person vectors.Hex   `json:"person"`
	Record vectors.Hex   `json:"record"`
	Answer vectors.Hex   `json:"answer"`
	Pieces []vectors.Hex `json:"pieces"`
}

type knockVector struct {
	Seed   vectors.Hex `json:"seed"`
	Record vectors.Hex `json:"record"`
	Answer vectors.Hex `json:"answer"`
	Data   vectors.Hex `json:"data"`
	Leaf   vectors.Hex `json:"leaf"`   // private: of the record
	Admin  vectors.Hex `json:"admin"`  // private: Ed25519 seed of who answers
	Secret vectors.Hex `json:"secret"` // of the answer
	Cell   vectors.Hex `json:"cell"`
}

func draw(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// makeRoom is a log of each kind with an entry, a message, a card, and a way in and back.
func makeRoom(t *testing.T) roomVectors {
	group, lanes := [32]byte(draw(32)), [32]byte(draw(32))
	p := newPlace(keys.ID(draw(32)), [32]byte(draw(32)), time.Unix(1_800_000_000, 0))
	boxes := []Mailbox{{[32]byte(draw(32)), draw(39)}, {[32]byte(draw(32)), draw(128)}}
	v := roomVectors{Group: group[:], Place: bytes.Clone(p.vault.secret[:]), Meet: bytes.Clone(p.vault.meet[:]), Lanes: lanes[:]}
	for _, m := range boxes {
		v.Mailboxes = append(v.Mailboxes, mailboxVector{m.Node[:], m.Hint})
	}

	for _, lane := range []uint8{0, 3, laneOpen, laneLink, laneAnswer, laneDoor} {
		secret := laneSecret(lanes, lane)
		switch {
		case lane == laneOpen:
			secret = p.open
		case lane > laneOpen:
			secret = p.vault.secret
		}
		segment, data := lane%segments, draw(100+int(lane)*100)
		a := putInto(&p.vault, secret, group, lane, segment, boxes, control(data))
		name := nameOf(a.Log)
		v.Logs = append(v.Logs, logVector{lane, segment, bytes.Clone(secret[:]), a.Log[:], name[:], data, a.Tag[:], a.Box, a.Signature[:]})
	}

	seed, content := draw(32), draw(3000)
	k, _ := members.ParseKey(seed)
	nonce, key := keys.Nonce(draw(16)), keys.MessageKey(draw(80))
	causes := []Ref{Ref(draw(16)), Ref(draw(16))}
	b := fragments(Ref(draw(16)), [16]byte(draw(16)), causes, content)[0]
	m := &message{sender: k.ID(), number: 7, list: keys.Digest(draw(8))}
	m.seal(k, group, nonce, key, b)
	tag, box := p.vault.seal(group, 2, m.inner())
	ref := refOf(group, k.ID(), b.id, content)
	v.Message = messageVector{Sender: seed, Lane: 2, Key: key[:], Nonce: nonce[:], Number: 7, List: m.list[:], Previous: b.previous[:], ID: b.id[:],
		Index: b.index, Count: b.count, Data: b.data, Content: content, Ref: ref[:], Tag: tag[:], Box: box}
	for _, c := range causes {
		v.Message.Causes = append(v.Message.Causes, c[:])
	}
	v.Chain = makeChain()

	context, door := [32]byte(draw(32)), [32]byte(draw(32))
	v.Card = cardVector{context[:], door[:], sealCard(group, p.rekey, p.vault.secret, context, newCard(lanes, door, boxes))}

	leaf, author := keys.NewLeafKey(), ID(draw(16))
	i := &invite{approve: true, uses: 12, expires: 1_800_000_000, secret: [32]byte(draw(32)), group: group, title: "a room 🐦", mailboxes: boxes}
	i.card = kdf.Hash(kdf.RoomLinkCard, linkCard(leaf.Public(), author))
	id := i.id()
	v.Link = linkVector{i.text(), 1, i.uses, i.expires, i.secret[:], i.card[:], i.title, id[:], leaf.Bytes(), author[:]}
	v.makeGuest(t, i, leaf, author, group)
	return v
}

func makeChain() chainVector {
	root, member, nonce := [32]byte(draw(32)), keys.Member(draw(16)), keys.Nonce(draw(16))
	c := chainVector{Root: bytes.Clone(root[:]), Member: member[:], Nonce: nonce[:]}
	for _, k := range keys.CellKeysAfter(root, member, nonce, 2) {
		c.Cells = append(c.Cells, k[:])
	}
	return c
}

// makeGuest is a request by the link, and a knock of the same person later.
func (v *roomVectors) makeGuest(t *testing.T, i *invite, leaf keys.LeafKey, author ID, group [32]byte) {
	j := &Joining{invite: i, name: "guest", key: members.NewKey(), leaf: keys.NewLeafKey(), answer: [32]byte(draw(32))}
	if err := j.ask(linkCard(leaf.Public(), author)); err != nil {
		t.Fatal(err)
	}
	link := newVault(i.secret)
	var sealed []byte
	for _, a := range j.Changes().Appends {
		in, _ := link.open(group, laneLink, a.Tag, a.Box)
		data, _ := in.controlData()
		v.Request.Pieces = append(v.Request.Pieces, bytes.Clone(data))
		sealed = append(sealed, data[18:]...)
	}
	plain, err := leaf.Unseal(requestInfo(group, i.id(), leaf.Public()), sealed)
	if err != nil {
		t.Fatal(err)
	}
	n := int(plain[0])<<8 | int(plain[1])
	v.Request.Person, v.Request.Record, v.Request.Answer = plain[2:2+n], plain[2+n:2+n+leafDataSize], j.answer[:]

	record, answer := leafData(j.key, group, 77, j.leaf.Public()), [32]byte(draw(32))
	admin, secret := members.NewKey(), [32]byte(draw(32))
	cell, err := secretCell(admin, group, answer, secret, j.key.ID(), j.leaf.Public())
	if err != nil {
		t.Fatal(err)
	}
	v.Knock = knockVector{j.key.Bytes(), record, answer[:], knockData(j.key, group, record, answer), j.leaf.Bytes(), admin.Bytes(), secret[:], cell}
	speaker, _ := members.ParseKey(v.Message.Sender)
	v.Compared = safety(group, speaker.Public(), j.key.Public())
}

func checkRoom(t *testing.T, v roomVectors) {
	group, lanes := [32]byte(v.Group), [32]byte(v.Lanes)
	p := newPlace(keys.ID{}, [32]byte(v.Place), time.Unix(0, 0))
	if !bytes.Equal(p.vault.meet[:], v.Meet) {
		t.Error("where to meet")
	}
	var boxes []Mailbox
	for _, m := range v.Mailboxes {
		boxes = append(boxes, Mailbox{[32]byte(m.Node), m.Hint})
	}
	for _, x := range v.Logs {
		a := putInto(&p.vault, [32]byte(x.Secret), group, x.Lane, x.Segment, boxes, control(x.Data))
		name := nameOf(a.Log)
		if !bytes.Equal(a.Log[:], x.Key) || !bytes.Equal(name[:], x.Name) || !bytes.Equal(a.Tag[:], x.Tag) || !bytes.Equal(a.Box, x.Box) || !bytes.Equal(a.Signature[:], x.Signature) {
			t.Errorf("log of lane %d", x.Lane)
		}
		want := laneSecret(lanes, x.Lane)
		if x.Lane == laneOpen {
			want = p.open
		}
		if x.Lane <= laneOpen && !bytes.Equal(want[:], x.Secret) {
			t.Errorf("secret of lane %d", x.Lane)
		}
	}

	x := v.Message
	k, _ := members.ParseKey(x.Sender)
	in, ok := p.vault.open(group, x.Lane, [16]byte(x.Tag), x.Box)
	if !ok {
		t.Fatal("the cell does not open")
	}
	m, ok := parseMessage(in)
	if !ok || !m.signed(k.Public(), group, keys.Nonce(x.Nonce)) || m.sender != k.ID() || m.number != x.Number || !bytes.Equal(m.list[:], x.List) {
		t.Fatal("message")
	}
	b, ok := m.open(group, keys.Nonce(x.Nonce), keys.MessageKey(x.Key))
	if !ok || !bytes.Equal(b.previous[:], x.Previous) || !bytes.Equal(b.id[:], x.ID) || b.index != x.Index || b.count != x.Count || !bytes.Equal(b.data, x.Data) || len(b.causes) != len(x.Causes) {
		t.Error("body")
	}
	for i, c := range x.Causes {
		if !bytes.Equal(b.causes[i][:], c) {
			t.Error("cause")
		}
	}
	if ref := refOf(group, k.ID(), b.id, x.Content); !bytes.Equal(ref[:], x.Ref) {
		t.Error("ref")
	}
	for i, key := range keys.CellKeysAfter([32]byte(v.Chain.Root), keys.Member(v.Chain.Member), keys.Nonce(v.Chain.Nonce), len(v.Chain.Cells)) {
		if !bytes.Equal(key[:], v.Chain.Cells[i]) {
			t.Error("chain after a return")
		}
	}

	c, ok := openCard(group, p.vault.secret, [32]byte(v.Card.Context), v.Card.Body)
	if !ok || !bytes.Equal(c.door[:], v.Card.Door) || c.names != newCard(lanes, c.door, nil).names || !slices.EqualFunc(c.mailboxes, boxes, sameMailbox) {
		t.Error("card")
	}
	checkGuest(t, v, group, boxes)
}

func checkGuest(t *testing.T, v roomVectors, group [32]byte, boxes []Mailbox) {
	i, err := parseInvite(v.Link.Text)
	if err != nil {
		t.Fatal(err)
	}
	id := i.id()
	if i.approve != (v.Link.Asked == 1) || i.uses != v.Link.Uses || i.expires != v.Link.Expiry || !bytes.Equal(i.secret[:], v.Link.Secret) || i.group != group ||
		!bytes.Equal(i.card[:], v.Link.Card) || i.title != v.Link.Title || !slices.EqualFunc(i.mailboxes, boxes, sameMailbox) || !bytes.Equal(id[:], v.Link.ID) || i.text() != v.Link.Text {
		t.Error("link")
	}
	leaf, err := keys.ParseLeafKey(v.Link.Leaf)
	if err != nil || kdf.Hash(kdf.RoomLinkCard, linkCard(leaf.Public(), ID(v.Link.Author))) != i.card {
		t.Error("card of the link")
	}
	l := &link{invite: *i, leaf: leaf}
	q := &request{}
	pieces := [2][]byte{v.Request.Pieces[0][18:], v.Request.Pieces[1][18:]}
	if !l.read(q, pieces) || !bytes.Equal(q.person.Append(nil), v.Request.Person) || !bytes.Equal(q.leaf.record, v.Request.Record) || !bytes.Equal(q.answer[:], v.Request.Answer) {
		t.Fatal("request")
	}
	k, _ := members.ParseKey(v.Knock.Seed)
	if !bytes.Equal(knockData(k, group, v.Knock.Record, [32]byte(v.Knock.Answer)), v.Knock.Data) {
		t.Error("knock")
	}
	checkSecret(t, v, group)
	speaker, _ := members.ParseKey(v.Message.Sender)
	if v.Compared != safety(group, q.person.Key, speaker.Public()) {
		t.Error("number to compare")
	}
}

// checkSecret opens the secret of the answer to a knock.
func checkSecret(t *testing.T, v roomVectors, group [32]byte) {
	guest, _ := members.ParseKey(v.Knock.Seed)
	admin, _ := members.ParseKey(v.Knock.Admin)
	own, err := keys.ParseLeafKey(v.Knock.Leaf)
	if err != nil || len(v.Knock.Cell) == 0 || v.Knock.Cell[0] != typeSecret {
		t.Fatal("no secret of an answer", err)
	}
	plain, err := own.Unseal(answerInfo(group, guest.ID(), own.Public()), v.Knock.Cell[1:])
	if err != nil || len(plain) != secretData {
		t.Fatal("secret of an answer", err)
	}
	e := readerOf(plain)
	secret, author, signature := e.b32(), e.id(), e.b64()
	said := answerSaid(group, [32]byte(v.Knock.Answer), secret)
	if !bytes.Equal(secret[:], v.Knock.Secret) || author != admin.ID() || !members.Signed(admin.Public(), kdf.SignAnswer, said, signature) {
		t.Error("secret of an answer")
	}
}

func TestVectors(t *testing.T) {
	vectors.Made(t, "room", makeRoom, checkRoom)
	vectors.Produced(t, "room", checkRoom)
}
