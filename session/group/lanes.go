package group

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"starling/session/group/keys"
	"starling/session/internal/cbchmac"
	"starling/session/internal/kdf"
	"starling/session/internal/secret"
)

// The lanes of a place, and the logs beside them. A lane is a log for each of its segments.
const (
	laneControl = 0 // of those that may rekey
	laneFirst   = 1 // to 6: of the writers dealt to it
	laneLast    = 6
	laneOpen    = 7 // of everybody in the room
	lanes       = 8

	laneLink   = 8  // of the holders of a link
	laneAnswer = 9  // of one newcomer and the author of the link
	laneDoor   = 10 // of everybody that was in the room

	segments = 4

	// At 4 entries a second a mailbox takes no segment sooner.
	turnRest = 10 * time.Minute
)

// What p2p/mailbox names and signs a log with. Session does not import it; vectors hold both equal.
const (
	logName   = "starling/log/1\x00"
	logAppend = "starling/log-entry/1\x00"
)

// logKey is the key of a lane's segment. Whoever has the secret of the lane can append.
func logKey(secret [kdf.Size]byte, lane, segment uint8) ed25519.PrivateKey {
	var seed [ed25519.SeedSize]byte
	kdf.Derive(kdf.RoomLog, []byte{lane, segment}, secret[:], seed[:])
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicOf(k ed25519.PrivateKey) [32]byte { return [32]byte(k.Public().(ed25519.PublicKey)) }

// nameOf is the name of a log.
func nameOf(public [32]byte) [16]byte {
	h := sha256.Sum256(append([]byte(logName), public[:]...))
	return [16]byte(h[:16])
}

// sign makes an entry of a log.
func sign(k ed25519.PrivateKey, tag [16]byte, box []byte) (signature [64]byte) {
	public := publicOf(k)
	b := append([]byte(logAppend), public[:]...)
	b = append(b, tag[:]...)
	return [64]byte(ed25519.Sign(k, append(b, box...)))
}

// laneSecret derives the secret of a lane from that of all lanes.
func laneSecret(root [kdf.Size]byte, lane uint8) (s [kdf.Size]byte) {
	kdf.Derive(kdf.RoomLane, []byte{lane}, root[:], s[:])
	return s
}

// A card tells the names of the logs under a rekey, and their mailboxes. The open lane is
// not in it: its secret comes from the place.
type card struct {
	names     [lanes - 1][segments][16]byte
	door      [kdf.Size]byte
	mailboxes []Mailbox
}

// newCard makes the card of a place with these lanes.
func newCard(root, door [kdf.Size]byte, mailboxes []Mailbox) *card {
	c := &card{door: door, mailboxes: mailboxes}
	for lane := range c.names {
		s := laneSecret(root, uint8(lane))
		for segment := range c.names[lane] {
			c.names[lane][segment] = nameOf(publicOf(logKey(s, uint8(lane), uint8(segment))))
		}
	}
	return c
}

func (c *card) append(p *pen) {
	for _, lane := range c.names {
		for _, name := range lane {
			p.raw(name[:])
		}
	}
	p.raw(c.door[:])
	appendMailboxes(p, c.mailboxes)
}

func parseCard(b []byte) (*card, bool) {
	e := readerOf(b)
	c := e.card()
	return c, e.Done() && len(c.mailboxes) > 0
}

func (e *reader) card() *card {
	c := &card{}
	for lane := range c.names {
		for segment := range c.names[lane] {
			c.names[lane][segment] = e.b16()
		}
	}
	c.door = e.b32()
	c.mailboxes = e.mailboxes()
	return c
}

func appendMailboxes(p *pen, all []Mailbox) {
	p.u8(uint8(len(all)))
	for _, m := range all {
		p.raw(m.Node[:])
		p.u8(uint8(len(m.Hint)))
		p.raw(m.Hint)
	}
}

func (e *reader) mailboxes() (all []Mailbox) {
	for range e.Count(1, Mailboxes) {
		m := Mailbox{Node: e.b32()}
		m.Hint = e.Take(int(e.u8()), MaxHint)
		if slices.ContainsFunc(all, func(o Mailbox) bool { return o.Node == m.Node }) {
			e.Bad = true
		}
		all = append(all, m)
	}
	return all
}

func soundMailboxes(all []Mailbox) bool {
	if len(all) == 0 || len(all) > Mailboxes || len(all) == 2 && all[0].Node == all[1].Node {
		return false
	}
	return !slices.ContainsFunc(all, func(m Mailbox) bool { return len(m.Hint) > MaxHint })
}

// sealCard makes the body of a card's statement: the rekey, then the card under its place, so that
// nobody left out finds the new logs by reading the old ones.
func sealCard(group [32]byte, rekey keys.ID, place [kdf.Size]byte, context [32]byte, c *card) []byte {
	var key [cbchmac.KeySize]byte
	var iv [cbchmac.IVSize]byte
	kdf.Derive(kdf.RoomCard, context[:], place[:], key[:], iv[:])
	var p pen
	c.append(&p)
	return cbchmac.Seal(rekey[:], &key, &iv, p.b, group[:], rekey[:])
}

// openCard opens the body of a card's statement.
func openCard(group [32]byte, place [kdf.Size]byte, context [32]byte, b []byte) (*card, bool) {
	if len(b) < 32 {
		return nil, false
	}
	var key [cbchmac.KeySize]byte
	var iv [cbchmac.IVSize]byte
	kdf.Derive(kdf.RoomCard, context[:], place[:], key[:], iv[:])
	plain, ok := cbchmac.Open(nil, &key, &iv, b[32:], group[:], b[:32])
	if !ok {
		return nil, false
	}
	return parseCard(plain)
}

// What one may write in at a place.
const (
	writesOpen = 0 // the open lane alone
	writesLane = 1
	writesRoot = 2 // every lane
)

// A place is the logs under one rekey. It is read for 14 days after the rekey was last a head.
type place struct {
	secret.Hidden

	rekey   keys.ID
	vault   vault
	open    [kdf.Size]byte // secret of the open lane
	opens   [segments][16]byte
	given   [kdf.Size]byte // secret of a lane, or of all
	card    *card          // nil until it came
	cardID  [32]byte       // of its statement
	seen    int            // how many cards were looked at
	doubt   bool           // there are two cards, or one that does not fit: the open lane alone is sure
	writes  uint8
	lane    uint8         // ours for messages
	segment [lanes]uint8  // of our own entries, and the last of those to read
	low     [lanes]uint8  // of the last turn of the writers
	crowded bool          // not read
	turned  int64         // when a mailbox last had us leave a segment
	junk    [lanes]uint16 // entries that say nothing
	foul    [lanes]bool   // there was garbage, signed by a writer
	since   int64
	retired int64 // 0: a head
	taken   int   // tags of ours that others took
}

func newPlace(rekey keys.ID, pi [kdf.Size]byte, now time.Time) *place {
	p := &place{rekey: rekey, vault: newVault(pi), since: now.Unix()}
	p.derive()
	return p
}

// derive makes the open lane of the place.
func (p *place) derive() {
	kdf.Derive(kdf.RoomOpenLane, nil, p.vault.secret[:], p.open[:])
	for segment := range p.opens {
		p.opens[segment] = nameOf(publicOf(logKey(p.open, laneOpen, uint8(segment))))
	}
}

// give takes the secret that came with a seed or step.
func (p *place) give(s [kdf.Size]byte, self ID) {
	if s != ([kdf.Size]byte{}) {
		p.given = s
		p.learn(self)
	}
}

// learn finds the lane that a given secret is of, by the names of the card.
func (p *place) learn(self ID) {
	if p.card == nil || p.given == ([kdf.Size]byte{}) {
		return
	}
	name := func(s [kdf.Size]byte, lane uint8) [16]byte { return nameOf(publicOf(logKey(s, lane, 0))) }
	if name(laneSecret(p.given, laneControl), laneControl) == p.card.names[laneControl][0] {
		p.writes = writesRoot
		for lane := range uint8(len(p.card.names)) {
			p.doubt = p.doubt || name(laneSecret(p.given, lane), lane) != p.card.names[lane][0]
		}
		if p.lane == 0 {
			p.lane = laneFirst + self[0]%laneLast
		}
		return
	}
	for lane := uint8(laneFirst); lane <= laneLast; lane++ {
		if name(p.given, lane) == p.card.names[lane][0] {
			p.writes, p.lane = writesLane, lane
			return
		}
	}
	p.writes, p.doubt = writesOpen, true
}

// messageLane is the lane that we speak in: the open one if an admin has given us none. It is asked for by those with the right to speak.
func (p *place) messageLane() uint8 {
	if p.doubt || p.lane == 0 {
		return laneOpen
	}
	return p.lane
}

// laneBy is until when somebody without a lane waits: the word that only admins write may come behind the keys.
func (p *place) laneBy() time.Time {
	if p.lane != 0 || p.doubt {
		return time.Time{}
	}
	return time.Unix(p.since, 0).Add(needAfter)
}

// name is the name of a lane's segment.
func (p *place) name(lane, segment uint8) [16]byte {
	if lane == laneOpen {
		return p.opens[segment]
	}
	return p.card.names[lane][segment]
}

// writer returns the secret of a lane, if we may write there.
func (p *place) writer(lane uint8) (s [kdf.Size]byte, ok bool) {
	switch {
	case lane == laneOpen:
		return p.open, true
	case p.writes == writesRoot:
		return laneSecret(p.given, lane), true
	case p.writes == writesLane && lane == p.lane:
		return p.given, true
	}
	return s, false
}

// controlLane is the best lane that we may put control data in.
func (p *place) controlLane() uint8 {
	switch {
	case p.doubt:
	case p.writes == writesRoot:
		return laneControl
	case p.writes == writesLane:
		return p.lane
	}
	return laneOpen
}

// logs returns the lanes to follow, and the segments behind them, from one before the turn of the lane's
// writers on: others may still write there.
func (p *place) logs() []Place {
	if p.card == nil {
		return nil
	}
	key := hex.EncodeToString(p.rekey[:8])
	all := []Place{{Key: key, Mailboxes: p.card.mailboxes, Home: p.retired == 0}}
	var behind [][16]byte
	for lane := range uint8(lanes) {
		all[0].add(p.name(lane, p.segment[lane]), p.vault.meet)
		for s := max(p.low[lane], 1) - 1; s < p.segment[lane]; s++ {
			behind = append(behind, p.name(lane, s))
		}
	}
	for names := range slices.Chunk(behind, lanes) {
		key += "-"
		more := Place{Key: key, Mailboxes: p.card.mailboxes}
		for _, name := range names {
			more.add(name, p.vault.meet)
		}
		all = append(all, more)
	}
	return all
}

func (p *Place) add(name [16]byte, meet [32]byte) {
	p.Names, p.Meet = append(p.Names, name), append(p.Meet, meet)
}

// full leaves a segment because a mailbox says that it is full, and reports whether that has changed anything. It may
// lie, so it is believed once in a while; nothing follows the last segment.
func (p *place) full(lane, segment uint8, now time.Time) bool {
	if p.segment[lane] != segment || segment == segments-1 || now.Sub(time.Unix(p.turned, 0)).Abs() < turnRest {
		return false
	}
	p.turned = now.Unix()
	p.segment[lane]++
	return true
}

// turn follows a writer of a lane that has left a segment.
func (p *place) turn(lane, segment uint8) {
	if segment < segments-1 {
		p.low[lane] = max(p.low[lane], segment+1)
		p.segment[lane] = max(p.segment[lane], segment+1)
	}
}

// leave leaves a segment, and says so in it: the mailboxes of others may count otherwise.
func leave(r *core, p *place, lane, segment uint8, now time.Time) bool {
	if !p.full(lane, segment, now) {
		return false
	}
	if s, ok := p.writer(lane); ok {
		r.out = append(r.out, putInto(&p.vault, s, r.group, lane, segment, p.card.mailboxes, control([]byte{typeTurn, lane, segment})))
	}
	return true
}

// last reports whether a lane is in its last segment: a rekey is due.
func (p *place) last() bool { return slices.Max(p.segment[:]) == segments-1 }

// put makes an append of a plaintext.
func (p *place) put(group [32]byte, lane uint8, in *inner) (Append, bool) {
	s, ok := p.writer(lane)
	if !ok || p.card == nil {
		return Append{}, false
	}
	return putInto(&p.vault, s, group, lane, p.segment[lane], p.card.mailboxes, in), true
}

// putInto makes an append to a log.
func putInto(v *vault, secret, group [32]byte, lane, segment uint8, mailboxes []Mailbox, in *inner) Append {
	tag, box := v.seal(group, lane, in)
	k := logKey(secret, lane, segment)
	return Append{Lane: lane, Mailboxes: mailboxes, Meet: v.meet, Log: publicOf(k), Tag: tag, Signature: sign(k, tag, box), Box: box}
}
