// Package spqr is the Sparse Post-Quantum Ratchet (Double Ratchet revision 4,
// section 5) over the ML-KEM Braid (revision 1): the half of the Triple Ratchet
// that heals a session from a compromise even against a quantum computer. It
// gives one key for every message, to be mixed with the Double Ratchet's, and
// 47 bytes to carry in the message's header.
//
//	session secret ──► chain (epoch 0) ──────────────► key of every message
//	      │              ▲ epoch keys 1, 2, 3, …
//	      └────────► braid: ML-KEM-768 over 32-byte chunks (erasure)
//	                      header 3, ct1 30 against vector 36, ct2 5
//
// # Message
//
// Every message has the same size; integers are big-endian.
//
//	 0  1   type: 0 None, 1 Hdr, 2 Ek, 3 EkCt1Ack, 5 Ct1, 6 Ct2
//	 1  4   epoch being agreed on, 1 … 2³²-2
//	 5  4   number of this message on its chain, 1 … 2³²-2
//	 9  4   length of the sender's chain before, 0 when epoch is 1
//	13  2   index of the chunk, 0 for None
//	15  32  chunk, zeros for None
//
// The chain is the sender's of epoch-1, the latest that both are sure to know.
// The message must travel inside the authenticated part of the session's: Receive works
// on it before that can be checked, so the caller works on a Clone and keeps it only
// when the message proves genuine.
//
// # State
//
// A stored state is a version (1), the role (0 initiator, 1 responder), the
// chains (package chain) and the Braid (package braid). It takes 0.3 to 1.7 KB
// and 40 bytes for every message that is missing, of which there are never
// more than 2,000.
//
// # Sources
//
// The specifications are in the public domain. Parameters, messages, labels,
// authenticator, states and transitions follow the Braid's sections 2.2 to 2.6;
// the derivations, the counter in the chain step, new epoch = old + 1 and the
// epochs kept follow sections 5.2 to 5.7 of the Double Ratchet. Ours, where the
// texts leave the choice: both PROTOCOL_INFO strings, the form of KDF_SCKA_CK,
// the message and state layouts, and "previous", which section 5 offers as the
// second way to retire a chain. The erasure code's field and points, the form
// of KDF_SCKA_CK, the place of the MACs and the order of the transitions are
// those of the deployed protocol: package session/internal/interop shows it.
package spqr

import (
	"errors"

	"starling/session/internal/secret"
	"starling/session/ratchet/spqr/braid"
	"starling/session/ratchet/spqr/chain"
)

// SecretSize and KeySize are the sizes of the secret a session starts with and
// of the key of a message, in bytes.
const (
	SecretSize = 32
	KeySize    = chain.KeySize
)

// Role says which end of the session a State is.
type Role uint8

// The initiator sends the first encapsulation key; it should be the party that
// sends the first message.
const (
	Initiator Role = iota
	Responder
)

// Errors. After any of them the State is unchanged.
var (
	ErrRefused   = errors.New("spqr: message refused")
	ErrExhausted = errors.New("spqr: epochs or message numbers used up")
	ErrState     = errors.New("spqr: not a stored state")
)

// Suite holds the constants of the protocol. Starling has one; others exist in
// tests that compare this package with another implementation.
type Suite struct {
	Braid braid.Suite
	Chain chain.Labels

	// Unsealed: messages do not say how long the chain before was.
	Unsealed bool
}

// starling is the suite of this program: SPQR_PROTOCOL_INFO ‖ constant.
var starling = Suite{
	Braid: braid.Suite{Info: "Starling_MLKEM768_HMAC-SHA256"},
	Chain: chain.Labels{
		Start:    "Starling_SPQR_MLKEM768_SHA-256_" + "Chain Start",
		AddEpoch: "Starling_SPQR_MLKEM768_SHA-256_" + "Chain Add Epoch",
		Next:     "Starling_SPQR_MLKEM768_SHA-256_" + "Chain Next",
	},
}

// State is one end of a session's post-quantum ratchet. It is not safe for
// concurrent use.
type State struct {
	secret.Hidden

	suite *Suite
	role  Role
	chain chain.State
	braid braid.State
}

// New returns the state of a session at its start. The secret is shared with
// the other end and used for nothing else.
func New(role Role, secret [SecretSize]byte) *State {
	return NewSuite(&starling, role, secret)
}

// NewSuite is New with other constants, for tests.
func NewSuite(suite *Suite, role Role, secret [SecretSize]byte) *State {
	s := &State{suite: suite, role: role, chain: chain.New(&suite.Chain, role == Initiator, secret)}
	if role == Initiator {
		s.braid = braid.NewInitiator(&suite.Braid, secret)
	} else {
		s.braid = braid.NewResponder(&suite.Braid, secret)
	}
	return s
}

// Clone returns an independent copy. It is cheap.
func (s *State) Clone() *State {
	c := *s
	return &c
}

// Send returns the message to carry and the key of the message that carries it.
// It fails with ErrExhausted only, after some 2³² messages without an answer.
func (s *State) Send() (msg [MessageSize]byte, key [KeySize]byte, err error) {
	m, key, err := s.SendMessage()
	if err != nil {
		return msg, key, err
	}
	return m.encode(), key, nil
}

// Receive returns the key of the message that carried msg. A message that is
// malformed, old, repeated, too far ahead or that breaks the agreement of keys
// gives ErrRefused.
func (s *State) Receive(msg []byte) (key [KeySize]byte, err error) {
	m, ok := decode(msg)
	if !ok {
		return key, ErrRefused
	}
	return s.ReceiveMessage(&m)
}

// SendMessage is Send before encoding.
func (s *State) SendMessage() (Message, [KeySize]byte, error) {
	next := *s
	b, epochKey, err := next.braid.Send()
	if err != nil {
		return Message{}, [KeySize]byte{}, err
	}
	m := Message{Message: b}
	var key chain.Key
	m.Number, m.Previous, key, err = next.chain.Send(b.Epoch - 1)
	if err == nil && epochKey != nil {
		err = next.chain.AddEpoch(epochKey.Epoch, &epochKey.Bytes)
		clear(epochKey.Bytes[:])
	}
	if err != nil {
		return Message{}, [KeySize]byte{}, ErrExhausted
	}
	*s = next
	return m, key, nil
}

// ReceiveMessage is Receive after decoding.
func (s *State) ReceiveMessage(m *Message) ([KeySize]byte, error) {
	next := *s
	epochKey, err := next.braid.Receive(m.Message)
	if err != nil {
		return [KeySize]byte{}, ErrRefused
	}
	if epochKey != nil {
		err = next.chain.AddEpoch(epochKey.Epoch, &epochKey.Bytes)
		clear(epochKey.Bytes[:])
		if err != nil {
			return [KeySize]byte{}, ErrRefused
		}
	}

	var key chain.Key
	if s.suite.Unsealed {
		key, err = next.chain.ReceiveUnsealed(m.Epoch-1, m.Number)
	} else {
		key, err = next.chain.Receive(m.Epoch-1, m.Number, m.Previous)
	}
	if err != nil {
		return [KeySize]byte{}, ErrRefused
	}

	*s = next
	return key, nil
}

// Epoch is the number of epochs agreed on so far: how often the session has
// healed.
func (s *State) Epoch() uint64 { return s.chain.Epoch() }
