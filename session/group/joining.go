package group

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"
	"unicode/utf8"

	"starling/session/group/keys"
	"starling/session/group/members"
	"starling/session/internal/kdf"
	"starling/session/internal/linktext"
	"starling/session/internal/secret"
)

// LinkPrefix begins every link into a room.
const LinkPrefix = "starling-room:"

const (
	linkVersion = 1
	maxLinkText = 2048
	flagApprove = 1
)

// An invite is the content of a link.
type invite struct {
	approve   bool
	uses      int
	expires   uint32
	secret    [32]byte
	group     [32]byte
	card      [32]byte // hash of the link's card
	title     string
	mailboxes []Mailbox
}

// id is the name of an invite, which newcomers sign.
func (i *invite) id() (id [16]byte) {
	kdf.Derive(kdf.RoomLinkID, nil, i.secret[:], id[:])
	return id
}

func (i *invite) encode() []byte {
	var p pen
	p.u8(linkVersion)
	p.flag(i.approve)
	p.u16(i.uses)
	p.u32(i.expires)
	p.raw(i.secret[:])
	p.raw(i.group[:])
	p.raw(i.card[:])
	p.u8(uint8(len(i.title)))
	p.raw([]byte(i.title))
	appendMailboxes(&p, i.mailboxes)
	sum := kdf.Hash(kdf.LinkChecksum, p.b)
	p.raw(sum[:4])
	return p.b
}

func (i *invite) text() string { return linktext.Encode(LinkPrefix, i.encode()) }

func parseInvite(text string) (*invite, error) {
	b, exact, err := linktext.Decode(LinkPrefix, text, maxLinkText)
	if err != nil || !exact {
		return nil, ErrInvalid
	}
	return parseInviteBytes(b)
}

func parseInviteBytes(b []byte) (*invite, error) {
	if len(b) < 5 {
		return nil, ErrInvalid
	}
	sum := kdf.Hash(kdf.LinkChecksum, b[:len(b)-4])
	if string(sum[:4]) != string(b[len(b)-4:]) {
		return nil, ErrInvalid
	}

	e := readerOf(b[:len(b)-4])
	version := e.u8()
	i := &invite{approve: e.flag(), uses: e.u16(), expires: e.u32(), secret: e.b32(), group: e.b32(), card: e.b32()}
	i.title = string(e.Take(int(e.u8()), MaxTitle))
	i.mailboxes = e.mailboxes()
	if !e.Done() || version != linkVersion || i.uses == 0 || i.uses > MaxUses || !soundTitle(i.title) || len(i.mailboxes) == 0 {
		return nil, ErrInvalid
	}
	return i, nil
}

// LinkCard is the open part of a link, for a person to read before they join.
type LinkCard struct {
	Group   [32]byte
	Title   string
	Uses    int
	Approve bool
	Expires time.Time
}

func (i *invite) open() LinkCard {
	return LinkCard{i.group, i.title, i.uses, i.approve, time.Unix(int64(i.expires), 0)}
}

// ParseLink reads a link; white space and case do not matter. Nothing is sent.
func ParseLink(text string) (LinkCard, error) {
	i, err := parseInvite(text)
	if err != nil {
		return LinkCard{}, err
	}
	return i.open(), nil
}

// Joining is one's way into a room: from the link to the answer.
type Joining struct {
	secret.Hidden

	invite *invite
	name   string
	key    members.Key
	leaf   keys.LeafKey
	answer [32]byte
	asked  bool
	came   stream
	out    []Append
}

// Ask begins to join by a link, under a name. The request goes out once the link's card was read.
func Ask(link, name string, now time.Time) (*Joining, error) {
	i, err := parseInvite(link)
	if err != nil {
		return nil, err
	}
	if len(name) > MaxName || !utf8.ValidString(name) || now.Unix() >= int64(i.expires) {
		return nil, ErrInvalid
	}
	j := &Joining{invite: i, name: name, key: members.NewKey(), leaf: keys.NewLeafKey()}
	rand.Read(j.answer[:])
	return j, nil
}

// Changes returns the appends since the last call.
func (j *Joining) Changes() Changes {
	c := Changes{Appends: j.out}
	j.out = nil
	return c
}

// Again has the request made again when the card comes again: the mailboxes may have lost it. Its author answers a person
// once.
func (j *Joining) Again() { j.asked = false }

// Logs returns the logs to follow while the answer is awaited.
func (j *Joining) Logs() []Place {
	l, answer := link{invite: *j.invite}, answerName(j.answer)
	p := Place{Key: "joining-" + hex.EncodeToString(answer[:8]), Mailboxes: j.invite.mailboxes, Door: true}
	p.add(l.name(), l.log.meet)
	p.add(answer, meetOf(j.answer))
	return []Place{p}
}

// Card returns the open part of the link.
func (j *Joining) Card() LinkCard { return j.invite.open() }

// Self returns the id that we will have in the room.
func (j *Joining) Self() ID { return j.key.ID() }

// Answer is the end of a Joining.
type Answer struct {
	Room    *Room
	History [][]byte // as it was given to Approve
	Seen    []Ref    // causes that were said before, and are not waited for
	Refused bool
	Reason  string // of a refusal: declined, used up, over, full, or invalid
}

// Take takes an entry. The answer is nil until all of it is here.
func (j *Joining) Take(e Entry, now time.Time) (*Answer, error) {
	if e.Name == answerName(j.answer) {
		v := newVault(j.answer)
		in, ok := v.open(j.invite.group, laneAnswer, e.Tag, e.Box)
		if !ok {
			return nil, ErrInvalid
		}
		data, ok := in.controlData()
		if !ok {
			return nil, ErrInvalid
		}
		whole, err := j.came.take(data)
		if whole == nil || err != nil {
			return nil, err
		}
		return j.finish(whole, now), nil
	}

	v := newVault(j.invite.secret)
	in, ok := v.open(j.invite.group, laneLink, e.Tag, e.Box)
	if !ok {
		return nil, ErrInvalid
	}
	if data, ok := in.controlData(); ok && data[0] == typeLinkCard && !j.asked {
		return nil, j.ask(data)
	}
	return nil, nil
}

// ask sends the request, sealed to the leaf of the link's card.
func (j *Joining) ask(data []byte) error {
	if kdf.Hash(kdf.RoomLinkCard, data) != j.invite.card || len(data) != 1+keys.LeafSize+len(ID{}) {
		return ErrInvalid
	}
	leaf, err := keys.ParseLeaf(data[1 : 1+keys.LeafSize])
	if err != nil {
		return ErrInvalid
	}
	person, err := members.Introduce(j.key, j.invite.group, j.invite.id(), j.leaf.Public().Hash(), j.name)
	if err != nil {
		return ErrInvalid
	}

	var p pen
	encoded := person.Append(nil)
	p.u16(len(encoded))
	p.raw(encoded)
	p.raw(leafData(j.key, j.invite.group, 0, j.leaf.Public()))
	p.raw(j.answer[:])
	sealed, err := keys.SealTo(leaf, requestInfo(j.invite.group, j.invite.id(), leaf), p.b)
	if err != nil {
		return ErrInvalid
	}

	v := newVault(j.invite.secret)
	var id [16]byte
	rand.Read(id[:])
	for i := range uint8(2) {
		n := min(len(sealed), requestData)
		cell := slices.Concat([]byte{typeRequest}, id[:], []byte{i}, sealed[:n])
		sealed = sealed[n:]
		a := putInto(&v, j.invite.secret, j.invite.group, laneLink, 0, j.invite.mailboxes, control(cell))
		a.Urgent = true
		j.out = append(j.out, a)
	}
	j.asked = true
	return nil
}

var reasons = map[uint8]string{declined: "declined", usedUp: "used up", over: "over", crowded: "full"}

// finish makes the room of a whole answer. Whatever is not a room with us in it is a refusal.
func (j *Joining) finish(whole []byte, now time.Time) *Answer {
	invalid := &Answer{Refused: true, Reason: "invalid"}
	all, ok := items(whole)
	if !ok || len(all[0]) != 2 || all[0][0] != typeVerdict {
		return invalid
	}
	if verdict := all[0][1]; verdict != admitted {
		reason, known := reasons[verdict]
		if !known {
			return invalid
		}
		return &Answer{Refused: true, Reason: reason}
	}
	if len(all) < 2 || all[1][0] != typeEntry {
		return invalid
	}
	create, err := members.Parse(all[1][1:])
	if err != nil {
		return invalid
	}
	set, err := members.Open(create)
	if err != nil || set.Group() != members.EntryID(j.invite.group) {
		return invalid
	}

	r := newRoom(j.key, set)
	r.mailboxes = j.invite.mailboxes
	r.leaves.own = []*ownLeaf{{key: j.leaf, made: now.Unix()}}
	r.entriesPlaced([]*members.Entry{create}, now)
	answer := &Answer{Room: r, History: r.takeItems(all[2:], now)}
	r.flush()
	if r.set.Role(r.self) == Nobody || len(r.keys.Heads()) == 0 || len(r.keys.Lacking()) > 0 {
		return invalid
	}
	for _, item := range all {
		for b := item[1:]; item[0] == typeSeen && len(b) >= 16; b = b[16:] {
			answer.Seen = append(answer.Seen, Ref(b))
		}
	}
	r.ear.before = answer.Seen[:min(len(answer.Seen), maxBefore)]
	return answer
}
