// Package session is the end-to-end encrypted conversation of two people:
// state in, state out, with no clock, no disk, no network and no goroutine.
//
// One person makes an [Invite] and hands its link to the other, who turns it
// into an [Invitation] and joins. Both then hold a [Session]:
//
//	inviter                                  invitee
//	NewInvite → Link, Bundle
//	           — link, out of band →         ParseLink
//	           — bundle, in mailboxes →      Join → Session, hello cells
//	Accept → Session, first content   ← hello —
//	Seal, Open  ←——————— cells ———————→  Seal, Open
//
// What leaves is always a [Cell]: a box of 1,536 bytes that looks random, and
// the one-time tag under which it is stored. [Session.Window] says which tags
// to ask for.
//
// # What the caller owes
//
// State is stored before it has consequences: after Seal, before a cell leaves;
// after Open or Accept, before a box is deleted or acknowledged. A cell is
// repeated, byte by byte, under its tag until the peer has it; it is never
// sealed again. Everything that fails leaves the state as it was.
//
// Two sessions restored from the same bytes must not both seal. A peer that
// has gone back to an older state is noticed: Open returns [ErrForked].
//
// None of the types is safe for concurrent use.
package session

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"starling/session/envelope"
	"starling/session/handshake"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
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

// Part is one fragment of a content, as it was received.
type Part struct {
	ID    ID
	Index uint16 // of this fragment
	Count uint16 // of the content's fragments
	Data  []byte // every fragment but the last has envelope.DataSize bytes
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
	// ErrTooLong means that a content is longer than MaxContent.
	ErrTooLong = errors.New("content too long")
	// ErrExhausted means that a session has used up a counter.
	ErrExhausted = errors.New("session used up")
)

// Session is one side of a conversation.
type Session struct {
	initiator   bool // in the handshake
	established bool // something the peer sent in this session has opened
	ad          [kdf.Size]byte
	exporter    [kdf.Size]byte
	former      *door // by which the session was offered, nil if by an invite (Reset)
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
		send: sender{key: secrets.TagsA}, receive: newReceiver(secrets.TagsB)}
	var err error
	s.ratchet, err = ratchet.NewInitiator(ratchetKeys(secrets), signed)
	return s, err
}

// respond makes the inviter's side.
func respond(signed key.Private, secrets *handshake.Secrets) *Session {
	return &Session{ad: secrets.AD, exporter: secrets.Exporter,
		send: sender{key: secrets.TagsB}, receive: newReceiver(secrets.TagsA),
		ratchet: ratchet.NewResponder(ratchetKeys(secrets), signed)}
}

// Seal encrypts content into one cell per fragment. The caller stores the
// session and the cells before one of them leaves.
func (s *Session) Seal(id ID, content []byte) ([]Cell, error) {
	if len(content) > MaxContent {
		return nil, ErrTooLong
	}
	cells := make([]Cell, envelope.Count(len(content)))
	if !s.ratchet.CanSend(len(cells)) {
		return nil, ErrExhausted
	}
	var plain [envelope.BodySize]byte
	for i := range cells {
		c := &cells[i]
		body := envelope.Body{
			Seq: s.send.seq, Previous: s.send.previous, ID: id,
			Index: uint16(i), Count: uint16(len(cells)),
			Data: envelope.Fragment(content, i),
		}
		body.Encode(&plain)
		if _, err := s.ratchet.Seal(c.Box[:0], plain[:]); err != nil {
			return nil, ErrExhausted // unreachable: CanSend said so
		}
		c.Tag = s.send.next(&c.Box)
	}
	clear(plain[:])
	return cells, nil
}

// Open decrypts a cell. The session is unchanged if it returns an error.
func (s *Session) Open(c Cell) (Part, error) { return s.open(&c) }

func (s *Session) open(c *Cell) (Part, error) {
	at, ok := s.receive.find(c.Tag)
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
	body, err := envelope.Parse(trial.Plaintext)
	if err != nil || body.Seq != at.seq {
		return Part{}, ErrRefused
	}
	mac := envelope.MAC(&c.Box)
	if !s.receive.continues(at, &body.Previous, &mac) {
		return Part{}, ErrForked
	}
	s.ratchet.Commit(trial)
	s.receive.accept(at, &body.Previous, &mac)
	s.established = true
	return Part{ID: body.ID, Index: body.Index, Count: body.Count, Data: body.Data, Seq: body.Seq}, nil
}

// Window returns the tags to ask for: first those of cells that were passed
// over, oldest first and at most MaxGaps, then the next Ahead.
func (s *Session) Window() []Tag { return s.receive.window() }

// Established reports whether both sides hold the session: the peer has
// answered, or we are the one who did.
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

// String never shows the session.
func (*Session) String() string { return "[session]" }

// Format never shows the session, whatever the verb.
func (s *Session) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue never shows the session.
func (s *Session) LogValue() slog.Value { return slog.StringValue(s.String()) }
