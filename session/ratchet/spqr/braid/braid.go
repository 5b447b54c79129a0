// Package braid is the ML-KEM Braid, revision 1 (Signal, 2025-02-21): two
// parties that send each other small messages agree on one ML-KEM-768 secret
// after another. It is the sparse continuous key agreement under the Sparse
// Post-Quantum Ratchet.
//
// The secrets are numbered by epochs 1, 2, 3, … In an epoch one party (the key
// side: the initiator in odd epochs, the responder in even ones) sends an
// encapsulation key and the other (the ciphertext side) a ciphertext, both cut
// into 32-byte erasure-coded chunks, one a message:
//
//	   key side                                  ciphertext side
//	KeysUnsampled                                NoHeaderReceived ◄──┐
//	   │ (1) send: new key                          │ (6) Hdr complete, MAC right
//	KeysSampled ───── Hdr: header ‖ MAC (96) ───►   HeaderReceived     │
//	   │ (2) Ct1                                    │ (7) send: encapsulate → key
//	HeaderSent ────── Ek: vector (1,152) ───────►   Ct1Sampled         │
//	   │ (3) ct1 complete     ◄─── Ct1: ct1 (960) ──┤ (8) ack   (10) ek complete
//	Ct1Received ───── EkCt1Ack: vector ─────────►   Ct1Acknowledged │ EkReceivedCt1Sampled
//	   │ (4) Ct2                                    │ (9, 11, 12) both
//	EkSentCt1Received ◄─── Ct2: ct2 ‖ MAC (160) ──  Ct2Sampled         │
//	   │ (5) Ct2 complete, MAC right → key          │ (13) message of epoch + 1
//	NoHeaderReceived, epoch + 1                  KeysUnsampled, epoch + 1
//
// The numbers are those of the specification's section 2.5. A side with nothing to send
// sends None. A message of an epoch gone by changes nothing; one of an epoch that
// cannot be yet is refused. An epoch's key is KDF_OK of the ML-KEM secret; header and
// ciphertext carry a full HMAC-SHA256 under the ratcheted authenticator, which starts
// from the session's secret and absorbs every epoch key. A wrong MAC is final by
// nature: a state that meets one never moves on and the session has to be made anew.
//
// A State changes only when a call succeeds. Copying one with = gives an independent
// State: shared parts are never written.
//
// Differences from the text: in Ct1Acknowledged a chunk marked Ek is taken like one
// marked EkCt1Ack, for they are chunks of one stream and it only arrived late. Chunk
// indices go round after 65,536, so a peer that stays silent for ever does not end the
// session.
package braid

import (
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"math"

	"starling/session/internal/secret"
	"starling/session/ratchet/spqr/erasure"
	"starling/session/ratchet/spqr/incremental"
)

// Sizes of the messages in chunks, in bytes.
const (
	headerSize = incremental.HeaderSize + macSize
	vectorSize = incremental.VectorSize
	ct1Size    = incremental.Ct1Size
	ct2Size    = incremental.Ct2Size + macSize
)

// MaxEpoch is the last epoch.
const MaxEpoch = math.MaxUint32 - 1

// Errors of Receive and Send. After any of them the State is unchanged.
var (
	ErrEpoch     = errors.New("braid: message of an epoch that cannot be")
	ErrMAC       = errors.New("braid: wrong MAC")
	ErrExhausted = errors.New("braid: epochs used up")
)

// Type is the kind of a Message (section 2.3).
type Type uint8

const (
	None     Type = iota // nothing
	Hdr                  // a chunk of header ‖ MAC
	Ek                   // a chunk of the key vector
	EkCt1Ack             // the same, and ct1 is complete
	Ct1Ack               // nothing, and ct1 is complete; never sent by this package
	Ct1                  // a chunk of ct1
	Ct2                  // a chunk of ct2 ‖ MAC
)

// HasChunk reports whether messages of type t carry a chunk.
func (t Type) HasChunk() bool { return t != None && t != Ct1Ack }

// Message is one message of the Braid. Epoch is the epoch being agreed on; the
// latest key both parties have is that of Epoch-1.
type Message struct {
	Epoch uint64
	Type  Type
	Chunk erasure.Chunk // zero unless Type.HasChunk
}

// Key is the key of an epoch.
type Key struct {
	secret.Hidden

	Epoch uint64
	Bytes [keySize]byte
}

type kind uint8

// The eleven states, key side first.
const (
	keysUnsampled kind = iota
	keysSampled
	headerSent
	ct1Received
	ekSentCt1Received
	noHeaderReceived
	headerReceived
	ct1Sampled
	ct1Acknowledged
	ekReceivedCt1Sampled
	ct2Sampled
	kinds
)

// State is one party's side of a Braid.
type State struct {
	secret.Hidden

	suite *Suite
	kind  kind
	epoch uint64
	auth  authenticator
	next  uint16          // index of the next chunk to send
	in    erasure.Decoder // the message that is arriving: header, ek, ct1 or ct2

	// Key side, from keysSampled on.
	seed [incremental.KeySize]byte
	// Ciphertext side, from headerReceived (m: ct1Sampled) to ct2Sampled.
	header [incremental.HeaderSize]byte
	m      [incremental.SecretSize]byte

	hdr    *[headerSize]byte // keysSampled: with its MAC
	vector *[vectorSize]byte // key side until ct1Received; ekReceivedCt1Sampled
	ct1    *[ct1Size]byte    // ct1Received, ekSentCt1Received; ct1Sampled to ekReceivedCt1Sampled
	ct2    *[ct2Size]byte    // ct2Sampled: with its MAC
}

// NewInitiator returns the state of the party that sends the first key
// (InitAlice). The secret is shared with the responder and used for nothing
// else.
func NewInitiator(suite *Suite, secret [keySize]byte) State {
	s := State{suite: suite, kind: keysUnsampled, epoch: 1}
	s.auth.update(suite, 1, &secret)
	return s
}

// NewResponder returns the state of the other party (InitBob).
func NewResponder(suite *Suite, secret [keySize]byte) State {
	s := NewInitiator(suite, secret)
	s.kind = noHeaderReceived
	return s
}

// Epoch is the epoch being agreed on, at least 1.
func (s *State) Epoch() uint64 { return s.epoch }

// KeySide reports whether this party sends the encapsulation key of Epoch.
func (s *State) KeySide() bool { return s.kind <= ekSentCt1Received }

// Agreed is the last epoch with a key that has been returned, 0 for none: Epoch-1, or
// Epoch on the ciphertext side once it has encapsulated.
func (s *State) Agreed() uint64 {
	if s.kind >= ct1Sampled {
		return s.epoch
	}
	return s.epoch - 1
}

// Send returns the next message and, when it opens a new epoch, its key.
func (s *State) Send() (Message, *Key, error) {
	n := *s
	msg, key, err := n.send()
	if err != nil {
		return Message{}, nil, err
	}
	*s = n
	return msg, key, nil
}

func (s *State) send() (msg Message, key *Key, err error) {
	msg.Epoch = s.epoch
	switch s.kind {
	case keysUnsampled: // (1)
		k, err := incremental.Generate()
		if err != nil {
			return msg, nil, err
		}
		s.enter(keysSampled)
		header := k.Header()
		mac := s.auth.header(s.suite, s.epoch, header[:])
		s.seed, s.vector, s.hdr = k.Seed(), k.Vector(), (*[headerSize]byte)(append(header[:], mac...))
		msg.Type = Hdr
	case keysSampled:
		msg.Type = Hdr
	case headerSent:
		msg.Type = Ek
	case ct1Received:
		msg.Type = EkCt1Ack
	case headerReceived: // (7)
		rand.Read(s.m[:])
		ct1, shared := incremental.Encaps1(&s.header, &s.m)
		key = &Key{Epoch: s.epoch, Bytes: s.suite.epochKey(s.epoch, &shared)}
		s.auth.update(s.suite, s.epoch, &key.Bytes)
		s.enter(ct1Sampled)
		s.ct1 = &ct1
		msg.Type = Ct1
	case ct1Sampled, ekReceivedCt1Sampled:
		msg.Type = Ct1
	case ct2Sampled:
		msg.Type = Ct2
	}

	if msg.Type.HasChunk() {
		msg.Chunk = erasure.Encode(s.source(), s.next)
		s.next++
	}
	return msg, key, nil
}

// Receive takes a message of the other party and returns the key of an epoch
// when the message completes its agreement.
func (s *State) Receive(msg Message) (*Key, error) {
	n := *s
	key, err := n.receive(&msg)
	if err != nil {
		return nil, err
	}
	*s = n
	return key, nil
}

func (s *State) receive(msg *Message) (*Key, error) {
	switch {
	case msg.Epoch == 0 || msg.Epoch > MaxEpoch:
		return nil, ErrEpoch
	case msg.Epoch < s.epoch:
		return nil, nil // late
	case msg.Epoch == s.epoch+1 && s.kind == ct2Sampled: // (13)
		*s = State{suite: s.suite, kind: keysUnsampled, epoch: msg.Epoch, auth: s.auth}
		return nil, nil
	case msg.Epoch > s.epoch:
		return nil, ErrEpoch
	}

	switch s.kind {
	case keysSampled: // (2)
		if msg.Type == Ct1 {
			s.enter(headerSent)
			s.hdr = nil
			return nil, s.collect(msg)
		}
	case headerSent: // (3)
		if msg.Type == Ct1 {
			return nil, s.receiveCt1(msg)
		}
	case ct1Received: // (4)
		if msg.Type == Ct2 {
			s.enter(ekSentCt1Received)
			s.vector = nil
			return nil, s.collect(msg)
		}
	case ekSentCt1Received: // (5)
		if msg.Type == Ct2 {
			return s.receiveCt2(msg)
		}
	case noHeaderReceived: // (6)
		if msg.Type == Hdr {
			return nil, s.receiveHeader(msg)
		}
	case ct1Sampled, ct1Acknowledged: // (8) to (11)
		if msg.Type == Ek || msg.Type == EkCt1Ack || msg.Type == Ct1Ack {
			return nil, s.receiveVector(msg)
		}
	case ekReceivedCt1Sampled: // (12)
		if msg.Type == EkCt1Ack || msg.Type == Ct1Ack {
			return nil, s.encapsulate(s.vector)
		}
	}
	return nil, nil
}

// collect adds the message's chunk to those that have arrived.
func (s *State) collect(msg *Message) error {
	_, err := s.in.Add(msg.Chunk)
	return err
}

// receiveCt1 is the key side's: (3) when ct1 is complete.
func (s *State) receiveCt1(msg *Message) error {
	if err := s.collect(msg); err != nil {
		return err
	}
	if ct1 := s.in.Message(ct1Size); ct1 != nil {
		next := s.next // the vector goes on
		s.enter(ct1Received)
		s.next = next
		s.ct1 = (*[ct1Size]byte)(ct1)
	}
	return nil
}

// receiveCt2 is the key side's: (5) when ct2 is complete and the MAC right.
func (s *State) receiveCt2(msg *Message) (*Key, error) {
	if err := s.collect(msg); err != nil {
		return nil, err
	}

	in := s.in.Message(ct2Size)
	if in == nil {
		return nil, nil
	}
	if s.epoch == MaxEpoch {
		return nil, ErrExhausted
	}

	ct2, mac := in[:incremental.Ct2Size], in[incremental.Ct2Size:]
	k, err := incremental.NewKey(&s.seed)
	if err != nil {
		return nil, err
	}
	shared, err := k.Decapsulate(s.ct1, (*[incremental.Ct2Size]byte)(ct2))
	if err != nil {
		return nil, err
	}

	key := &Key{Epoch: s.epoch, Bytes: s.suite.epochKey(s.epoch, &shared)}
	auth := s.auth
	auth.update(s.suite, s.epoch, &key.Bytes)
	if !hmac.Equal(mac, auth.ciphertext(s.suite, s.epoch, s.ct1[:], ct2)) {
		return nil, ErrMAC
	}

	*s = State{suite: s.suite, kind: noHeaderReceived, epoch: s.epoch + 1, auth: auth}
	return key, nil
}

// receiveHeader is the ciphertext side's: (6) when the header is complete and
// the MAC right.
func (s *State) receiveHeader(msg *Message) error {
	if err := s.collect(msg); err != nil {
		return err
	}
	in := s.in.Message(headerSize)
	if in == nil {
		return nil
	}
	header, mac := in[:incremental.HeaderSize], in[incremental.HeaderSize:]
	if !hmac.Equal(mac, s.auth.header(s.suite, s.epoch, header)) {
		return ErrMAC
	}
	s.enter(headerReceived)
	copy(s.header[:], header)
	return nil
}

// receiveVector is the ciphertext side's: (8) to (11), by whether the vector is
// now complete and whether the other party has all of ct1.
func (s *State) receiveVector(msg *Message) error {
	if msg.Type != Ct1Ack {
		if err := s.collect(msg); err != nil {
			return err
		}
	}

	acknowledged := s.kind == ct1Acknowledged || msg.Type != Ek
	var vector *[vectorSize]byte
	if in := s.in.Message(vectorSize); in != nil {
		vector = (*[vectorSize]byte)(in)
	}

	switch {
	case vector != nil && acknowledged: // (9), (11)
		return s.encapsulate(vector)
	case vector != nil: // (10)
		if err := incremental.Check(&s.header, vector); err != nil {
			return err
		}
		s.in = erasure.Decoder{}
		s.vector = vector
		s.kind = ekReceivedCt1Sampled
	case acknowledged: // (8)
		s.kind, s.next = ct1Acknowledged, 0
	}
	return nil
}

// encapsulate makes ct2 and drops the secret it was made with: (9), (11), (12).
func (s *State) encapsulate(vector *[vectorSize]byte) error {
	ct2, err := incremental.Encaps2(&s.header, &s.m, vector)
	if err != nil {
		return err
	}
	mac := s.auth.ciphertext(s.suite, s.epoch, s.ct1[:], ct2[:])
	*s = State{suite: s.suite, kind: ct2Sampled, epoch: s.epoch, auth: s.auth, ct2: (*[ct2Size]byte)(append(ct2[:], mac...))}
	return nil
}

// enter moves to a state that sends or receives something else than before.
func (s *State) enter(k kind) {
	s.kind, s.next, s.in = k, 0, erasure.Decoder{}
}

// source returns the message that is being sent, in full.
func (s *State) source() []byte {
	switch s.kind {
	case keysSampled:
		return s.hdr[:]
	case headerSent, ct1Received:
		return s.vector[:]
	case ct1Sampled, ekReceivedCt1Sampled:
		return s.ct1[:]
	}
	return s.ct2[:]
}
