// Package chain is the symmetric half of the Sparse Post-Quantum Ratchet
// (Double Ratchet revision 4, section 5): from the keys that a sparse
// continuous key agreement gives, one an epoch, to a key for every message.
//
//	RK, A, B = HKDF(salt 0³², ikm secret,    info Start,    96)   epoch 0
//	RK, A, B = HKDF(salt RK,  ikm epoch key, info AddEpoch, 96)   epochs 1, 2, …
//	CK, MK   = HKDF(salt 0³², ikm CK, info BE32(n) ‖ Next,  64)   n = 1, 2, …
//
// A is the initiator's sending chain and B the responder's. A new epoch is the
// last one plus one, exactly. A party that knows a key goes on sending on the chain
// before until the other is sure to know it too. So chains are kept of the epoch last
// sent in, of the one before it, and of the one after if it is open already.
//
// Every message carries the length of its sender's previous chain (section 5's second
// way to retire epochs, and PN in the Double Ratchet). The first message on a new chain
// therefore closes the one before: the keys of messages still missing are put aside and
// the chain key is deleted. Keys put aside are bounded three ways, all of them counted
// in messages and epochs and never in time: MaxSkip for the keys that one message may
// skip on a chain, MaxSkipped in all, the oldest being deleted first, and MaxAge
// epochs.
//
// State is a value: an assignment makes an independent copy, and a call that
// fails changes nothing.
package chain

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"

	"starling/session/internal/kdf"
	"starling/session/internal/secret"
)

// KeySize is the size of every key here, in bytes.
const KeySize = 32

// Limits.
const (
	MaxSkip    = 1000 // messages skipped on one chain by one message
	MaxSkipped = 2000 // keys put aside
	MaxAge     = 32   // epochs for which a key stays aside
	MaxNumber  = math.MaxUint32 - 1
)

// Errors. After any of them the State is unchanged.
var (
	ErrEpoch     = errors.New("chain: no such epoch")
	ErrNumber    = errors.New("chain: message number used, too far ahead or contradictory")
	ErrExhausted = errors.New("chain: message numbers used up")
)

// Labels are the three HKDF info strings.
type Labels struct {
	Start, AddEpoch, Next string
}

// Key is the key of one message.
type Key [KeySize]byte

// String, Format and LogValue keep the key out of texts.
func (Key) String() string                { return secret.Hidden{}.String() }
func (Key) Format(f fmt.State, verb rune) { secret.Hidden{}.Format(f, verb) }
func (Key) LogValue() slog.Value          { return secret.Hidden{}.LogValue() }

// State is one party's chains.
type State struct {
	secret.Hidden

	labels    *Labels
	initiator bool
	root      Key
	epoch     uint64     // the latest
	chains    [3]epoch   // of the latest epochs, each at its number mod 3
	sending   uint64     // epoch of the latest message sent
	sent      uint32     // its number
	previous  uint32     // length of the sending chain before
	aside     []asideKey // oldest first; never written once shared
}

// epoch holds the chains of one epoch.
type epoch struct {
	send, receive link
}

// link is a chain: the number of the last message and the key after it.
type link struct {
	live bool
	n    uint32
	key  Key
}

// asideKey is the key of a message that has not arrived.
type asideKey struct {
	epoch uint64
	n     uint32
	key   Key
}

// New returns the state before the first message, at epoch 0.
func New(labels *Labels, initiator bool, secret [KeySize]byte) State {
	s := State{labels: labels, initiator: initiator}
	s.open(labels.Start, nil, secret[:])
	return s
}

// open derives the root and the chains of s.epoch.
func (s *State) open(info string, salt, secret []byte) {
	var root Key
	a, b := link{live: true}, link{live: true}
	kdf.HKDF(info, salt, secret, root[:], a.key[:], b.key[:])
	if !s.initiator {
		a, b = b, a
	}
	s.root = root
	s.chains[s.epoch%3] = epoch{a, b}
}

// Epoch is the latest epoch.
func (s *State) Epoch() uint64 { return s.epoch }

// AddEpoch opens an epoch, which must be the next, and drops keys that are too old.
func (s *State) AddEpoch(number uint64, key *[KeySize]byte) error {
	if number != s.epoch+1 {
		return ErrEpoch
	}
	s.epoch = number
	s.open(s.labels.AddEpoch, s.root[:], key[:])
	s.forget(0)
	return nil
}

// Send takes the next key of the sending chain of an epoch: the latest or the
// one before, and never one older than at the last call. It returns the
// message's number, from 1, and the length of the chain before.
func (s *State) Send(number uint64) (n, previous uint32, key Key, err error) {
	c := s.at(number)
	if c == nil || !c.send.live || number != s.sending && number != s.sending+1 {
		return 0, 0, key, ErrEpoch
	}
	if c.send.n >= MaxNumber {
		return 0, 0, key, ErrExhausted
	}
	if number != s.sending {
		s.previous = s.sent
		if old := s.at(s.sending); old != nil {
			old.send = link{}
		}
		if old := s.at(number - 2); old != nil {
			old.receive = link{}
		}
		s.sending = number
	}
	key = s.step(&c.send)
	s.sent = c.send.n
	return s.sent, s.previous, key, nil
}

// Receive returns the key of message n on the receiving chain of an epoch, once
// only. previous is the length of that chain's predecessor, as the message
// says.
func (s *State) Receive(number uint64, n, previous uint32) (Key, error) {
	next := *s
	key, err := next.receive(number, n, &previous)
	if err != nil {
		return Key{}, err
	}
	*s = next
	return key, nil
}

// ReceiveUnsealed is Receive for messages without the length of the chain before: that
// chain stays open until its epoch is dropped.
func (s *State) ReceiveUnsealed(number uint64, n uint32) (Key, error) {
	next := *s
	key, err := next.receive(number, n, nil)
	if err != nil {
		return Key{}, err
	}
	*s = next
	return key, nil
}

func (s *State) receive(number uint64, n uint32, previous *uint32) (Key, error) {
	if n > MaxNumber {
		return Key{}, ErrNumber
	}
	c := s.at(number)
	if c == nil || !c.receive.live || n <= c.receive.n {
		return s.take(number, n)
	}
	if old := s.at(number - 1); previous != nil && old != nil && old.receive.live {
		if *previous < old.receive.n || *previous > MaxNumber {
			return Key{}, ErrNumber
		}
		if err := s.skip(number-1, &old.receive, *previous); err != nil {
			return Key{}, err
		}
		old.receive = link{}
	}
	if err := s.skip(number, &c.receive, n-1); err != nil {
		return Key{}, err
	}
	return s.step(&c.receive), nil
}

// at returns the chains of an epoch, nil if they are gone or not yet there. The one
// before epoch 0 is the greatest number, and not there.
func (s *State) at(number uint64) *epoch {
	if number > s.epoch || s.epoch-number > 2 {
		return nil
	}
	return &s.chains[number%3]
}

// step moves a chain on by one message and returns its key.
func (s *State) step(l *link) (key Key) {
	l.n++
	info := binary.BigEndian.AppendUint32(make([]byte, 0, 64), l.n)
	kdf.HKDF(string(append(info, s.labels.Next...)), nil, l.key[:], l.key[:], key[:])
	return key
}

// skip moves a chain on to message n and puts the keys it passes aside.
func (s *State) skip(number uint64, l *link, n uint32) error {
	if n-l.n > MaxSkip {
		return ErrNumber
	}
	if n == l.n {
		return nil
	}
	s.forget(int(n - l.n))
	for l.n < n {
		key := s.step(l)
		s.aside = append(s.aside, asideKey{number, l.n, key})
	}
	return nil
}

// take removes the key of a message from those put aside.
func (s *State) take(number uint64, n uint32) (Key, error) {
	for i := range s.aside {
		if s.aside[i].epoch == number && s.aside[i].n == n {
			key := s.aside[i].key
			rest := make([]asideKey, 0, len(s.aside)-1)
			rest = append(rest, s.aside[:i]...)
			s.aside = append(rest, s.aside[i+1:]...)
			return key, nil
		}
	}
	return Key{}, ErrNumber
}

// forget drops keys that are too old, and the oldest of the rest until there is
// room for more of them. The remaining keys are a copy with that room.
func (s *State) forget(more int) {
	keep := s.aside
	for len(keep) > 0 && (len(keep)+more > MaxSkipped || keep[0].epoch+MaxAge <= s.epoch) {
		keep = keep[1:]
	}
	if more > 0 || len(keep) != len(s.aside) {
		s.aside = append(make([]asideKey, 0, len(keep)+more), keep...)
	}
}
