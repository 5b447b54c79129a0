package group

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
	"starling/session/internal/kdf"
	"starling/session/internal/secret"
)

// Limits of the door.
const (
	maxDoors    = 32
	doorLife    = 180 * 24 * time.Hour
	requestData = controlSize - 1 - 16 - 1
	maxHandled  = 256
	maxHalves   = 32 // requests that are not whole
)

// A door is the ways in that we serve: links of ours with the people waiting, and the doors of the
// room, where members knock that have lost its place.
type door struct {
	links    []*link
	requests []*request
	handled  [][16]byte // requests that were answered, and may come again
	logs     []*doorLog // the newest last
}

// A link is an invite of ours.
type link struct {
	secret.Hidden

	invite
	leaf keys.LeafKey
	log  logOf
}

// A request is somebody waiting; in two pieces until both are here.
type request struct {
	id     [16]byte
	link   [16]byte
	at     int64
	pieces [2][][]byte // each in some variants: others with the link may have put them beside the right ones

	person *members.Person // nil until it is whole
	leaf   leafOf
	answer [32]byte
}

// A doorLog is a log to knock at. Its secret was given to all that were in the room, and changes with removals.
type doorLog struct {
	secret.Hidden

	key       [32]byte
	mailboxes []Mailbox
	at        int64
	log       logOf
}

func (d *door) init() {}

func (d *doorLog) name() [16]byte { return d.log.name(d.key, laneDoor) }

func (l *link) name() [16]byte { return l.log.name(l.secret, laneLink) }

// A logOf is the name of the log of one secret, and where it is if its mailboxes are gone. The name takes a signature's time, and is
// asked for with every entry.
type logOf struct {
	known bool
	is    [16]byte
	meet  [32]byte
}

func (l *logOf) name(secret [32]byte, lane uint8) [16]byte {
	if !l.known {
		*l = logOf{true, nameOf(publicOf(logKey(secret, lane, 0))), meetOf(secret)}
	}
	return l.is
}

// secret is the secret of the door of the next card: another one if somebody is out.
func (d *door) secret(fresh bool) (s [32]byte) {
	if !fresh && len(d.logs) > 0 {
		return d.logs[len(d.logs)-1].key
	}
	rand.Read(s[:])
	return s
}

// learn notes the door of a card.
func (d *door) learn(c *card) {
	for _, l := range d.logs {
		if l.key == c.door {
			l.mailboxes = c.mailboxes
			return
		}
	}
	d.logs = append(d.logs, &doorLog{key: c.door, mailboxes: c.mailboxes})
	d.logs = d.logs[max(0, len(d.logs)-maxDoors):]
}

// places are the logs to follow for the ways in: links by those that made them, doors by those that
// may answer.
func (d *door) places(r *core) (all []Place) {
	if r.set.Role(r.self) < Admin {
		return nil
	}
	add := func(kind string, mailboxes []Mailbox, name [16]byte, log *logOf) {
		at := slices.IndexFunc(all, func(p Place) bool {
			return p.Key[:5] == kind && len(p.Names) < 8 && slices.EqualFunc(p.Mailboxes, mailboxes, sameMailbox)
		})
		if at < 0 {
			all, at = append(all, Place{Key: kind + "-" + hex.EncodeToString(name[:8]), Mailboxes: mailboxes, Door: true}), len(all)
		}
		all[at].add(name, log.meet)
	}
	for _, l := range d.links {
		add("links", l.mailboxes, l.name(), &l.log)
	}
	for _, l := range d.logs {
		add("doors", l.mailboxes, l.name(), &l.log)
	}
	return all
}

func sameMailbox(a, b Mailbox) bool { return a.Node == b.Node && string(a.Hint) == string(b.Hint) }

// MakeLink makes a link for so many people. With approve somebody is asked for each.
func (r *Room) MakeLink(uses int, approve bool, expires, now time.Time) (Link, error) {
	if uses < 1 || uses > MaxUses || expires.Unix() <= now.Unix() || expires.Unix() >= 1<<32 {
		return Link{}, ErrInvalid
	}
	if err := r.mayChange(now); err != nil {
		return Link{}, err
	}
	if len(r.door.links) >= MaxLinks {
		return Link{}, ErrFull
	}

	l := &link{leaf: keys.NewLeafKey()}
	l.uses, l.approve, l.expires, l.group, l.title = uses, approve, uint32(expires.Unix()), r.group, r.settings.Title
	l.mailboxes = r.mailboxes
	rand.Read(l.secret[:])
	l.card = kdf.Hash(kdf.RoomLinkCard, linkCard(l.leaf.Public(), r.self))
	postLink(&r.core, l)
	r.door.links = append(r.door.links, l)
	r.places.reindex(&r.core)
	return r.linkOf(l), nil
}

// postLink puts the card of a link into its log.
func postLink(r *core, l *link) {
	v := newVault(l.secret)
	a := putInto(&v, l.secret, r.group, laneLink, 0, l.mailboxes, control(linkCard(l.leaf.Public(), r.self)))
	a.Urgent = true
	r.out = append(r.out, a)
}

// linkCard is the data of a link's card: the leaf that requests are sealed to, and its author.
func linkCard(leaf *keys.Leaf, author ID) []byte {
	p := pen{}
	p.u8(typeLinkCard)
	p.raw(leaf[:])
	p.raw(author[:])
	return p.b
}

func (r *core) linkOf(l *link) Link {
	return Link{ID: l.id(), Text: l.text(), Uses: l.uses, Used: used(r.set, r.self, l.id()), Approve: l.approve, Expires: time.Unix(int64(l.expires), 0), Log: l.name()}
}

// used counts the people that somebody let in by a link, in the entries: a restored profile counts the same.
func used(set *members.Set, by ID, invite [16]byte) (n int) {
	for _, e := range set.Entries() {
		if e.Author == by && e.Person != nil && e.Person.Invite == invite {
			n++
		}
	}
	return n
}

// Links returns our open links.
func (r *Room) Links() (all []Link) {
	for _, l := range r.door.links {
		all = append(all, r.linkOf(l))
	}
	return all
}

// CloseLink closes a link of ours. People waiting by it are told no.
func (r *Room) CloseLink(id [16]byte) error {
	at := slices.IndexFunc(r.door.links, func(l *link) bool { return l.id() == id })
	if at < 0 {
		return ErrInvalid
	}
	r.closeLink(at, over)
	return nil
}

func (r *core) closeLink(at int, why uint8) {
	l := r.door.links[at]
	for _, q := range slices.Clone(r.door.requests) {
		if q.link == l.id() && q.person != nil {
			r.refuse(q, l, why)
		}
	}
	r.door.links = slices.Delete(r.door.links, at, at+1)
	r.door.requests = slices.DeleteFunc(r.door.requests, func(q *request) bool { return q.link == l.id() })
	r.places.reindex(r)
}

// expire closes links that are over, and forgets old doors.
func (d *door) expire(r *core, now time.Time) (next time.Time) {
	for i := len(d.links) - 1; i >= 0; i-- {
		if end := time.Unix(int64(d.links[i].expires), 0); now.Before(end) {
			next = earliest(next, end)
		} else {
			r.closeLink(i, over)
		}
	}
	for _, l := range d.logs {
		if l.at == 0 {
			l.at = now.Unix()
		}
	}
	for len(d.logs) > 1 && !now.Before(time.Unix(d.logs[0].at, 0).Add(doorLife)) {
		d.logs = d.logs[1:]
	}
	return next
}

// takeRequest takes a piece of a request.
func (r *core) takeRequest(l *link, e Entry, now time.Time) error {
	v := newVault(l.secret)
	in, ok := v.open(r.group, laneLink, e.Tag, e.Box)
	if !ok {
		return ErrInvalid
	}
	data, ok := in.controlData()
	if !ok || len(data) < 19 {
		return ErrInvalid
	}
	if data[0] == typeLinkCard {
		return nil
	}
	id, index := [16]byte(data[1:]), data[17]
	if data[0] != typeRequest || index > 1 {
		return ErrInvalid
	}
	if slices.Contains(r.door.handled, id) {
		return nil
	}

	q := r.door.request(id)
	if q == nil {
		if r.door.dropHalf(); len(r.door.requests) >= MaxWaiting && !r.makeWay(l) {
			return ErrFull
		}
		q = &request{id: id, link: l.id(), at: now.Unix()}
		r.door.requests = append(r.door.requests, q)
	}
	if q.person != nil || q.link != l.id() || len(q.pieces[index]) == maxVariants ||
		slices.ContainsFunc(q.pieces[index], func(b []byte) bool { return string(b) == string(data[18:]) }) {
		return nil
	}
	q.pieces[index] = append(q.pieces[index], slices.Clone(data[18:]))
	for _, other := range q.pieces[1-index] {
		both := [2][]byte{other, other}
		if both[index] = data[18:]; l.read(q, both) {
			return r.knocked(q, l, now)
		}
	}
	if len(q.pieces[1-index]) > 0 {
		return ErrInvalid
	}
	return nil
}

func (d *door) request(id [16]byte) *request {
	for _, q := range d.requests {
		if q.id == id {
			return q
		}
	}
	return nil
}

// dropHalf drops the oldest request that is not whole, if there are so many.
func (d *door) dropHalf() {
	half := func(q *request) bool { return q.person == nil }
	n := 0
	for _, q := range d.requests {
		if half(q) {
			n++
		}
	}
	if n >= maxHalves || n > 0 && len(d.requests) >= MaxWaiting {
		at := slices.IndexFunc(d.requests, half)
		d.requests = slices.Delete(d.requests, at, at+1)
	}
}

// makeWay refuses the latest that waits by the link with most of them, for one that comes by a link with fewer: a link
// that is known to many does not close the others.
func (r *core) makeWay(by *link) bool {
	of := map[[16]byte]int{}
	for _, q := range r.door.requests {
		of[q.link]++
	}
	var out *request
	for _, q := range r.door.requests {
		if out == nil || of[q.link] >= of[out.link] {
			out = q
		}
	}
	if of[out.link] <= of[by.id()]+1 {
		return false
	}
	r.refuse(out, r.door.link(out.link), crowded)
	return true
}

// drop forgets a request that was answered, or is garbage.
func (d *door) drop(q *request) {
	d.requests = slices.DeleteFunc(d.requests, func(o *request) bool { return o == q })
	d.handled = append(d.handled, q.id)
	d.handled = d.handled[max(0, len(d.handled)-maxHandled):]
}

func requestInfo(group [32]byte, invite [16]byte, leaf *keys.Leaf) []byte {
	hash := leaf.Hash()
	return slices.Concat([]byte(kdf.RoomRequest), group[:], invite[:], hash[:])
}

// read opens the pieces of a request: person, leaf record and answer secret.
func (l *link) read(q *request, pieces [2][]byte) bool {
	plain, err := l.leaf.Unseal(requestInfo(l.group, l.id(), l.leaf.Public()), slices.Concat(pieces[0], pieces[1]))
	if err != nil {
		return false
	}
	e := readerOf(plain)
	person, err := members.ParsePerson(e.Take(e.u16(), 512))
	record := e.Take(leafDataSize, leafDataSize)
	q.answer = e.b32()
	if err != nil || !e.Done() || person.Invite != l.id() || !person.Holds(l.group) || zero(q.answer[:]) {
		return false
	}
	who, leaf, ok := parseLeaf(l.group, record, func(id ID) ([32]byte, bool) { return person.Key, id == person.ID() })
	if !ok || who != person.ID() || leaf.leaf.Hash() != person.Leaf || leaf.counter != 0 {
		return false
	}
	q.person, q.leaf, q.pieces = person, leaf, [2][][]byte{}
	return true
}

// knocked tells of a request, or refuses it.
func (r *core) knocked(q *request, l *link, now time.Time) error {
	if _, known := r.set.Key(q.person.ID()); known {
		r.door.drop(q) // a key comes once
		return nil
	}
	same := func(o *request) bool { return o != q && o.person != nil && o.person.ID() == q.person.ID() }
	switch {
	case slices.ContainsFunc(r.door.requests, same):
		r.door.drop(q)
	case now.Unix() >= int64(l.expires):
		r.refuse(q, l, over)
	case used(r.set, r.self, l.id()) >= l.uses:
		r.refuse(q, l, usedUp)
	case len(r.set.Members()) >= Limit:
		r.refuse(q, l, crowded)
	default:
		r.tell(Asked{q.shown(l)})
	}
	return nil
}

func (q *request) shown(l *link) Request {
	return Request{ID: q.id, Member: q.person.ID(), Name: q.person.Name, Link: q.link, Approve: l.approve, Since: time.Unix(q.at, 0)}
}

func (r *core) refuse(q *request, l *link, why uint8) {
	r.answer(q.answer, l.mailboxes, [][]byte{{typeVerdict, why}})
	r.door.drop(q)
}

// Requests returns the people at the door, oldest first.
func (r *Room) Requests() (all []Request) {
	for _, q := range r.door.requests {
		if l := r.door.link(q.link); l != nil && q.person != nil {
			all = append(all, q.shown(l))
		}
	}
	return all
}

func (d *door) link(id [16]byte) *link {
	for _, l := range d.links {
		if l.id() == id {
			return l
		}
	}
	return nil
}

// Approve answers a request. History is the contents that a newcomer is given, as the settings
// say: opaque here.
func (r *Room) Approve(request [16]byte, yes bool, history [][]byte, now time.Time) error {
	q := r.door.request(request)
	if q == nil || q.person == nil {
		return ErrInvalid
	}
	l := r.door.link(q.link)
	if err := r.mayChange(now); err != nil {
		return err
	}
	size := 0
	for _, h := range history {
		if size += len(h); len(h) > maxItem || len(h) == 0 || size > maxHistory {
			return ErrInvalid
		}
	}

	switch {
	case !yes:
		r.refuse(q, l, declined)
	case used(r.set, r.self, l.id()) >= l.uses:
		r.refuse(q, l, usedUp)
		return ErrFull
	case len(r.set.Members()) >= Limit:
		r.refuse(q, l, crowded)
		return ErrFull
	default:
		return r.admit(q, l, history, now)
	}
	return nil
}

// admit lets somebody in: the entry and a step for all, and the answer to them.
func (r *core) admit(q *request, l *link, history [][]byte, now time.Time) error {
	if !atHome(r) {
		return ErrNotYet
	}
	for !tells(r, history) {
		if len(history) == 0 {
			return ErrSpent
		}
		history = history[1:] // the oldest
	}
	e, err := r.set.Add(r.key, q.person, Writer, nil)
	if err != nil {
		return err
	}
	q.leaf.at = now.Unix()
	r.leaves.of[e.Target] = q.leaf
	r.post(entryData(e), true)
	r.post(append([]byte{typeLeaf}, q.leaf.record...), false)
	r.entriesPlaced([]*members.Entry{e}, now)

	said, sealed, err := r.grant(e.Target, q.leaf, r.keys.Heads(), now)
	if err != nil {
		return err
	}
	for _, data := range said {
		r.post(data, true)
	}
	err = r.answer(q.answer, l.mailboxes, r.welcome(said, sealed, history))
	r.door.drop(q)
	return err
}

// atHome reports whether we have all that somebody needs who has nothing: the secrets of all heads, and the cards of their
// places, where the rest comes. Without a card a newcomer reads no log, and nobody's answer.
func atHome(r *core) bool {
	list := r.keys.List()
	return len(list) > 0 && len(r.keys.Lacking()) == 0 && !slices.ContainsFunc(list, func(h keys.Head) bool {
		p := r.places.of(h.Rekey)
		return p == nil || p.card == nil || h.Generation >= keys.MaxGeneration // a rekey is due
	})
}

// admitRoom is the bytes of an answer that are new by letting somebody in: the entry, and steps for all heads.
const admitRoom = 128 << 10

// tells reports whether all that a newcomer is to be told fits into an answer.
func tells(r *core, history [][]byte) bool {
	n := admitRoom
	for _, item := range r.welcome(nil, nil, history) {
		n += 3 + len(item)
	}
	return n <= maxAnswer
}
