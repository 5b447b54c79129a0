// Package session is the end-to-end encrypted conversation of two people:
// state in, state out, with no clock, no disk, no network and no goroutine.
//
// The inviter makes an [Invite] and hands its link to the invitee; the invitee turns it into
// an [Invitation] and joins. Both then hold a [Session]:
//
//	inviter                                  invitee
//	NewInvite → Link, Bundle
//	           — link, out of band →         ParseLink
//	           — bundle, in mailboxes →      Join → Session, hello cells
//	Accept → Session, first content   ← hello —
//	Seal, Open  ←——————— cells ———————→  Seal, Open
//
// All output is in [Cell]s: a box of 1,536 bytes that looks random, and the one-time
// tag under which it is stored. [Session.Window] returns the tags to ask for.
//
// # Loss
//
// After any loss, by anybody and for however long, later messages arrive. A
// receiver asks for the cells that it knows to be missing and for the next few.
// When more than those may be on their way, a flare goes up. It is a cell under a tag
// of its own that the peer always asks for, and it tells how far the direction has
// come. The peer answers it in the same way. [Session.Signals] returns both, to be
// repeated for as long as it does; no content needs to be repeated for the direction to
// go on. Seal refuses with [ErrWaiting] to run so far ahead that the ratchet could not
// follow. Cells that will not come any more are in [Session.TakeLost]; the peer is told,
// and seals their contents anew.
//
// # Duties of the caller
//
// State is stored before it has consequences: after Seal, before a cell leaves;
// after Open or Accept, before a box is deleted or acknowledged. A cell is
// repeated, byte by byte, under its tag until the peer has it or it is given up; it
// is never sealed again. Signals are repeated for as long as they are up. Everything
// that fails leaves the state as it was.
//
// Two sessions restored from the same bytes must not both seal. A peer that
// has gone back to an older state is noticed: Open returns [ErrForked].
//
// None of the types is safe for concurrent use.
package session

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"starling/session/envelope"
	"starling/session/handshake"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/internal/secret"
	"starling/session/ratchet"
)

// MaxContent is the longest content in bytes.
const MaxContent = envelope.MaxContent

// Tag is where a cell is stored. It is used once.
type Tag [16]byte

// ID names a content. It is random and the same in all its fragments.
type ID [envelope.IDSize]byte

// Cell is one box and its tag.
type Cell struct {
	Tag Tag
	Box [envelope.CellSize]byte
}

// Part is the body of a cell: one fragment of a content, or a signal.
type Part struct {
	ID    ID
	Index uint16 // of this fragment
	Count uint16 // of the content's fragments; 0: a signal, with nothing else
	Data  []byte // every fragment but the last has envelope.DataSize bytes
	Word  byte   // as it was given to Seal
	Seq   uint64 // number of the cell in its direction, from 0, without gaps at the sender
}

var (
	// ErrRefused is the one answer to a cell that does not open: unknown tag,
	// forgery, damage, replay, or a message that is too far ahead.
	ErrRefused = errors.New("cell refused")
	// ErrForked means that the peer's key made this cell, but not from the
	// history we hold: they have restored an older state, or run two copies of
	// it. It is an ErrRefused too.
	ErrForked = fmt.Errorf("%w: the peer has gone back to an older state", ErrRefused)
	// ErrBehind means that the peer's key made this cell, and that it counts cells
	// which this state has neither sealed nor seen. Either this side has gone back to
	// an older state, or the peer lies. It is an ErrForked too.
	ErrBehind = fmt.Errorf("%w, or this side has, or the peer counts wrongly", ErrForked)
	// ErrWaiting means that more cells than MaxUnheard would be on their way. There
	// is room again when the peer has answered: until then the content waits.
	ErrWaiting = errors.New("too many cells that the contact has not answered")
	// ErrTooLong means that a content is longer than MaxContent.
	ErrTooLong = errors.New("content too long")
	// ErrRetired means that the session was given up.
	ErrRetired = errors.New("session given up")
	// ErrState is returned for bytes that are not a marshalled session, invite or
	// reset.
	ErrState = errors.New("invalid session state")
	// ErrExhausted means that a session has used up a counter.
	ErrExhausted = errors.New("session used up")
)

// Session is one side of a conversation.
type Session struct {
	secret.Hidden

	initiator   bool // in the handshake
	established bool // something the peer sent in this session has opened
	ad          [kdf.Size]byte
	exporter    [kdf.Size]byte
	retired     bool   // nothing is sealed any more
	former      []door // where else the peer may knock (Reset)
	send        sender
	receive     receiver
	ratchet     *ratchet.State
}

func ratchetKeys(s *handshake.Secrets) ratchet.Keys {
	return ratchet.Keys{Root: s.EC, PQ: s.PQ, HeaderA: s.HeaderA, HeaderB: s.HeaderB, AD: s.AD}
}

// initiate makes the invitee's side.
func initiate(signed key.Public, secrets *handshake.Secrets) (*Session, error) {
	s := &Session{initiator: true, ad: secrets.AD, exporter: secrets.Exporter,
		send: newSender(secrets.TagsA), receive: newReceiver(secrets.TagsB)}
	var err error
	s.ratchet, err = ratchet.NewInitiator(ratchetKeys(secrets), signed)
	return s, err
}

// respond makes the inviter's side.
func respond(signed key.Private, secrets *handshake.Secrets) *Session {
	return &Session{ad: secrets.AD, exporter: secrets.Exporter,
		send: newSender(secrets.TagsB), receive: newReceiver(secrets.TagsA),
		ratchet: ratchet.NewResponder(ratchetKeys(secrets), signed)}
}

// Seal encrypts content into one cell per fragment, each with a word of the
// caller's. The caller stores the session and the cells before one of them leaves.
func (s *Session) Seal(id ID, content []byte, word byte) ([]Cell, error) {
	if len(content) > MaxContent {
		return nil, ErrTooLong
	}
	if s.retired {
		return nil, ErrRetired
	}
	n := envelope.Count(len(content))
	if uint64(s.send.cells.n)+uint64(n) > envelope.MaxNumber || !s.ratchet.CanSend(n) {
		return nil, ErrExhausted
	}
	if n > s.Room() {
		return nil, ErrWaiting
	}

	cells := make([]Cell, n)
	for i := range cells {
		body := envelope.Body{Word: word, ID: id, Index: uint16(i), Count: uint16(n), Data: envelope.Fragment(content, i)}
		s.seal(&cells[i].Box, &body)
		cells[i].Tag = s.send.next(&cells[i].Box)
	}
	s.light()
	return cells, nil
}

// seal seals a body at the place where the direction stands. CanSend has said that
// it can.
func (s *Session) seal(box *[envelope.CellSize]byte, body *envelope.Body) {
	body.Number, body.Previous = s.send.cells.n, s.send.previous
	body.Heard, body.Flare = s.receive.number, s.send.flares.n
	var plain [envelope.BodySize]byte
	body.Encode(&plain)
	s.ratchet.Seal(box[:0], plain[:])
	clear(plain[:])
}

// Room returns how many cells can be sealed now. A picture is some 40.
func (s *Session) Room() int { return MaxUnheard - s.send.unheard() }

// Sealed returns how many cells were sealed: the number of the next one.
func (s *Session) Sealed() uint64 { return uint64(s.send.cells.n) }

// Passed returns the number of the peer's next cell: each one below it has come, or is
// in the Window, or was given up.
func (s *Session) Passed() uint64 { return uint64(s.receive.number) }

// Open decrypts a cell. The session is unchanged if it returns an error. Signals
// may be other ones afterwards.
func (s *Session) Open(c Cell) (Part, error) { return s.open(&c) }

func (s *Session) open(c *Cell) (Part, error) {
	at, ok := s.receive.find(c.Tag, s.send.flare != nil)
	if !ok {
		return Part{}, ErrRefused
	}
	trial, err := s.ratchet.Try(nil, c.Box[:])
	if errors.Is(err, ratchet.ErrForked) {
		return Part{}, ErrForked
	}
	if err != nil {
		return Part{}, ErrRefused
	}

	// Sealed by the peer, and still a peer's word: nothing is committed before it is acceptable.
	body, err := envelope.Parse(trial.Plaintext)
	if err != nil {
		return Part{}, ErrRefused
	}
	own := envelope.MAC(&c.Box)
	if err := s.acceptable(at, &body, &own); err != nil {
		return Part{}, err
	}

	// As they were, since Commit may begin a chain.
	steps := s.ratchet.Steps()
	s.ratchet.Commit(trial)
	if at.kind == ordinary {
		s.receive.accept(at, &body.Previous, &own, steps)
	} else {
		s.receive.jump(body.Number, &body.Previous, steps)
	}

	// The peer holds the session: it has sealed in it.
	s.established = true
	s.hear(at, &body)
	s.receive.giveUp(s.ratchet.Steps())
	return Part{ID: body.ID, Index: body.Index, Count: body.Count, Data: body.Data, Word: body.Word, Seq: uint64(body.Number)}, nil
}

// acceptable checks the body of an authentic cell at a place.
func (s *Session) acceptable(at place, b *envelope.Body, own *mac) error {
	// Its body must fit its tag.
	if (at.kind == ordinary) == b.Signal() ||
		at.kind == ordinary && b.Number != at.number ||
		at.kind == flare && b.Flare != at.number ||
		at.kind == answer && b.Heard < s.send.flare.number {
		return ErrRefused
	}

	// It counts no more than there can be; more, in a session that we have given up
	// because we have gone back, is no news.
	if !s.retired && (b.Heard > s.send.cells.n || b.Flare > s.receive.nextFlare()+1) ||
		b.Signal() && b.Number > s.receive.number && b.Number-s.receive.number > MaxUnheard {
		return ErrBehind
	}

	// It continues the history that is here.
	if at.kind == ordinary && !s.receive.continues(at, &b.Previous, own) ||
		at.kind != ordinary && !s.receive.agrees(b.Number, &b.Previous) {
		return ErrForked
	}
	return nil
}

// Window returns the tags to ask for: first those of Calls, then those of cells
// that were passed over, oldest first and at most MaxGaps, then the next Ahead.
func (s *Session) Window() []Tag {
	tags := s.Calls()
	for i := range s.receive.gaps {
		tags = append(tags, s.receive.gaps[i].tags...)
	}
	return append(tags, s.receive.ahead[:]...)
}

// Established reports whether both sides hold the session: the peer has answered, or we
// have.
func (s *Session) Established() bool { return s.established }

// Initiator reports whether this side began the handshake: exactly one does.
func (s *Session) Initiator() bool { return s.initiator }

// SafetyNumber returns 60 digits in 12 groups of 5 that are the same on both
// sides, and only there: they come from a hash over both identities and the
// rest of the handshake's associated data.
func (s *Session) SafetyNumber() string {
	var b [60]byte
	kdf.Derive(kdf.SafetyNumber, nil, s.ad[:], b[:])
	out := make([]byte, 0, 71)
	for i := 0; i < len(b); i += 5 {
		var n uint64
		for _, c := range b[i : i+5] {
			n = n<<8 | uint64(c)
		}
		if i > 0 {
			out = append(out, ' ')
		}
		out = fmt.Appendf(out, "%05d", n%100000)
	}
	return string(out)
}

// Export returns a secret that both sides share, one per context.
func (s *Session) Export(context string) (secret [32]byte) {
	h := kdf.Hash(kdf.ExportContext, []byte(context))
	kdf.Derive(kdf.Export, h[:], s.exporter[:], secret[:])
	return secret
}

// Layout of a marshalled session, integers big-endian:
//
//	version 4 ‖ flags 1 (1 initiator, 2 established, 4 retired) ‖ AD 32 ‖ exporter 32 ‖
//	former doors 1 (0 to 4), each: a door ‖ sender ‖ receiver ‖ ratchet state: the rest
const (
	sessionVersion  = 4
	flagInitiator   = 1
	flagEstablished = 2
	flagRetired     = 4
)

// MarshalBinary returns the session. It holds every key of the conversation.
func (s *Session) MarshalBinary() ([]byte, error) {
	r, err := s.ratchet.MarshalBinary()
	if err != nil {
		return nil, err
	}

	b := cryptobyte.NewBuilder(make([]byte, 0, 1024+len(r)))
	b.AddUint8(sessionVersion)
	var flags uint8
	if s.initiator {
		flags |= flagInitiator
	}
	if s.established {
		flags |= flagEstablished
	}
	if s.retired {
		flags |= flagRetired
	}
	b.AddUint8(flags)

	b.AddBytes(s.ad[:])
	b.AddBytes(s.exporter[:])
	addDoors(b, s.former)
	s.send.marshal(b)
	s.receive.marshal(b)
	// The ratchet goes last: it reads to the end.
	b.AddBytes(r)
	return b.Bytes()
}

// UnmarshalSession reads the encoding of MarshalBinary.
func UnmarshalSession(data []byte) (*Session, error) {
	in := cryptobyte.String(data)
	var version, flags uint8
	s := new(Session)
	ok := in.ReadUint8(&version) && version == sessionVersion &&
		in.ReadUint8(&flags) && flags <= flagInitiator|flagEstablished|flagRetired &&
		in.CopyBytes(s.ad[:]) && in.CopyBytes(s.exporter[:])
	ok = ok && readDoors(&in, &s.former, 0, maxFormer) && s.send.unmarshal(&in) && s.receive.unmarshal(&in) && s.send.flares.n == s.receive.answers.n
	if !ok {
		return nil, ErrState
	}
	s.initiator, s.established = flags&flagInitiator != 0, flags&flagEstablished != 0
	s.retired = flags&flagRetired != 0
	var err error
	if s.ratchet, err = ratchet.Unmarshal(in); err != nil || !s.receive.fits(s.ratchet.Steps()) {
		return nil, ErrState
	}
	return s, nil
}
