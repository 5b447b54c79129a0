// Package ratchet is the Triple Ratchet of the Double Ratchet specification,
// revision 4: the Double Ratchet with header encryption (section 4) and the
// Sparse Post-Quantum Ratchet (section 5, package spqr) side by side, the keys
// of both combined for every message (section 6).
//
// Message of n plaintext bytes, HeaderSize + 16·(n/16 + 1) + 32 bytes:
//
//	IV            16  random
//	header        96  AES-256-CBC of the 87 bytes below, PKCS #7
//	header tag    32  HMAC-SHA-256 over IV ‖ header, under the header key
//	body              AES-256-CBC of the plaintext, PKCS #7
//	body tag      32  HMAC-SHA-256 over AD ‖ IV ‖ header ‖ header tag ‖ body
//
// Header (the composite header of section 6.5, fixed width), 87 bytes:
//
//	ratchet key   32  X25519, canonical
//	PN             4  big-endian: length of the sender's previous chain
//	N              4  big-endian: number in this chain
//	post-quantum  47  message of package spqr
//
// Keys (labels in package kdf):
//
//	RK, CK, NHK = HKDF(salt RK, DH, Root), 32 + 32 + 64 bytes
//	mk, CK      = HMAC(CK, 0x01), HMAC(CK, 0x02)
//	mk          = HKDF(salt key of spqr, mk, Hybrid), 32 bytes
//	key, IV     = HKDF(salt 32 × 0x00, mk, Message), 64 + 16 bytes
//
// A header key is a key of package cbchmac: AES-256 key ‖ HMAC key.
//
// Everything that comes is tried on a copy. A message that is refused, for any reason,
// leaves the state as it was and gives [ErrRefused]; one that only a peer of another
// history can have made gives [ErrForked].
//
// A State is not safe for concurrent use.
package ratchet

import (
	"crypto/rand"
	"encoding/binary"
	"errors"

	"starling/session/internal/cbchmac"
	"starling/session/internal/doubleratchet"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/internal/secret"
	"starling/session/ratchet/spqr"
)

// Sizes in bytes.
const (
	headerPlain = 32 + 4 + 4 + spqr.MessageSize
	// HeaderSize is the length of a sealed header.
	HeaderSize = cbchmac.IVSize + (headerPlain/16+1)*16 + cbchmac.TagSize
)

// MessageSize is the length of a message of n plaintext bytes.
func MessageSize(n int) int { return HeaderSize + cbchmac.SealedSize(n) }

// BodySize is the length of the longest plaintext that fits a message of n
// bytes, if n - HeaderSize is a multiple of 16.
func BodySize(n int) int { return cbchmac.PlainSize(n - HeaderSize) }

var (
	// ErrRefused is the one answer to every message that does not open, but for
	// ErrForked.
	ErrRefused = errors.New("message refused")
	// ErrForked means that the peer made this message, but from an older state
	// than one it has sent from before.
	ErrForked = errors.New("message of another history")
	// ErrCannotSend means that a responder has received nothing yet, or that a
	// counter is used up.
	ErrCannotSend = errors.New("cannot send on this ratchet")
)

// Keys are the secrets a ratchet starts from.
type Keys struct {
	secret.Hidden

	Root    [kdf.Size]byte        // of the Double Ratchet
	PQ      [spqr.SecretSize]byte // of the post-quantum ratchet
	HeaderA [cbchmac.KeySize]byte // header key of the initiator's first chain
	HeaderB [cbchmac.KeySize]byte // header key of the responder's first chain
	AD      [kdf.Size]byte        // associated data of every message
}

// State is one side of a conversation.
type State struct {
	secret.Hidden

	ec      doubleratchet.State
	pq      *spqr.State
	ad      [kdf.Size]byte
	skipped skipped
	past    []doubleratchet.HeaderKey // of sending chains before this one, newest first
}

// NewInitiator starts the side that sends first. remote is the responder's
// signed prekey.
func NewInitiator(k Keys, remote key.Public) (*State, error) {
	c, err := doubleratchet.Starling.Initiator(k.Root, remote, k.HeaderA, k.HeaderB)
	if err != nil {
		return nil, err
	}
	return &State{ec: c, pq: spqr.New(spqr.Initiator, k.PQ), ad: k.AD}, nil
}

// NewResponder starts the side that receives first. own is its signed prekey.
func NewResponder(k Keys, own key.Private) *State {
	return &State{
		ec: doubleratchet.Starling.Responder(k.Root, own, k.HeaderA, k.HeaderB),
		pq: spqr.New(spqr.Responder, k.PQ),
		ad: k.AD,
	}
}

// header is the plaintext header.
type header struct {
	dh    key.Public
	pn, n uint32
	pq    [spqr.MessageSize]byte
}

func (h *header) append(b []byte) []byte {
	b = append(b, h.dh[:]...)
	b = binary.BigEndian.AppendUint32(b, h.pn)
	b = binary.BigEndian.AppendUint32(b, h.n)
	return append(b, h.pq[:]...)
}

func parseHeader(b []byte) (h header, ok bool) {
	if len(b) != headerPlain {
		return h, false
	}
	dh, err := key.ParsePublic(b[:32])
	if err != nil {
		return h, false
	}
	h.dh = dh
	h.pn = binary.BigEndian.Uint32(b[32:])
	h.n = binary.BigEndian.Uint32(b[36:])
	copy(h.pq[:], b[40:])
	return h, true
}

// Seal appends the message that carries plaintext to dst. The state has moved
// on when it returns: store it before the message leaves.
func (s *State) Seal(dst, plaintext []byte) ([]byte, error) {
	c := s.ec
	n, ec, err := c.NextSend()
	if err != nil {
		return dst, ErrCannotSend
	}
	msg, pq, err := s.pq.Send()
	if err != nil {
		return dst, ErrCannotSend
	}
	mk := hybrid(&ec, &pq)
	s.ec = c
	return s.encode(dst, &header{dh: c.DHs.Public(), pn: c.PN, n: n, pq: msg}, &mk, plaintext), nil
}

// encode appends the message with a header and a message key, which it erases.
func (s *State) encode(dst []byte, h *header, mk *[kdf.Size]byte, plaintext []byte) []byte {
	start := len(dst)
	var iv [cbchmac.IVSize]byte
	rand.Read(iv[:])
	dst = append(dst, iv[:]...)
	var plain [headerPlain]byte
	dst = cbchmac.Seal(dst, &s.ec.HKs, &iv, h.append(plain[:0]), iv[:])
	sealed := dst[start:]
	var k messageKey
	k.expand(mk)
	dst = cbchmac.Seal(dst, &k.key, &k.iv, plaintext, s.ad[:], sealed)
	k.clear()
	return dst
}

// hybrid is KDF_HYBRID (Double Ratchet sections 6 and 7.2): the post-quantum
// key is the salt, the elliptic-curve key the input. It erases both.
func hybrid(ec, pq *[kdf.Size]byte) (mk [kdf.Size]byte) {
	kdf.Derive(kdf.Hybrid, pq[:], ec[:], mk[:])
	clear(ec[:])
	clear(pq[:])
	return mk
}

// messageKey is the expanded keys of a message key.
type messageKey struct {
	key [cbchmac.KeySize]byte
	iv  [cbchmac.IVSize]byte
}

// expand fills k and erases mk.
func (k *messageKey) expand(mk *[kdf.Size]byte) {
	kdf.Derive(kdf.Message, nil, mk[:], k.key[:], k.iv[:])
	clear(mk[:])
}

func (k *messageKey) clear() { *k = messageKey{} }

// CanSend reports whether n more messages can be sealed.
func (s *State) CanSend(n int) bool {
	left := uint64(doubleratchet.MaxCounter - s.ec.Ns)
	return s.ec.CanSend && n >= 0 && uint64(n) <= left
}

// Steps returns how many DH steps of the peer there have been. A key that was
// skipped lives for MaxOldChains of them.
func (s *State) Steps() uint32 { return s.ec.Steps }

// Open appends the plaintext of a message to dst and moves the state on.
func (s *State) Open(dst, message []byte) ([]byte, error) {
	t, err := s.Try(dst, message)
	if err != nil {
		return dst, err
	}
	s.Commit(t)
	return t.Plaintext, nil
}

// Try authenticates a message and appends its plaintext to dst, and leaves the
// state as it is: Commit moves it on, if the plaintext is acceptable.
func (s *State) Try(dst, message []byte) (*Trial, error) {
	if len(message) < HeaderSize {
		return nil, ErrRefused
	}

	sealed, body := message[:HeaderSize], message[HeaderSize:]
	h, from, ok := s.openHeader(sealed)
	if !ok {
		return nil, ErrRefused
	}

	// The header opened, so that the peer made it: going back is proof, and no noise.
	if s.forked(&h, from) {
		return nil, ErrForked
	}

	t, err := s.try(&h, from)
	if err != nil {
		return nil, ErrRefused
	}

	// On a copy: until the body has opened the header may be an old one, sent again.
	t.pq = s.pq.Clone()
	pq, err := t.pq.Receive(h.pq[:])
	if err != nil {
		return nil, ErrRefused
	}

	// Both keys are needed to open it, so that one of the two may be broken.
	mk := hybrid(&t.mk, &pq)
	var k messageKey
	k.expand(&mk)
	t.Plaintext, ok = cbchmac.Open(dst, &k.key, &k.iv, body, s.ad[:], sealed)
	k.clear()
	if !ok {
		return nil, ErrRefused
	}

	return t, nil
}

// Where the key of a header comes from: the receiving chain, the next one, or
// (from 0 up) a chain with skipped keys.
const (
	fromCurrent = -1
	fromNext    = -2
)

// openHeader finds the header key that authenticates the sealed header.
func (s *State) openHeader(sealed []byte) (h header, from int, ok bool) {
	open := func(hk *doubleratchet.HeaderKey) bool {
		h, ok = openHeader(hk, sealed)
		return ok
	}
	if s.ec.CanReceive && open(&s.ec.HKr) {
		return h, fromCurrent, true
	}
	if open(&s.ec.NHKr) {
		return h, fromNext, true
	}
	for i := len(s.skipped.chains) - 1; i >= 0; i-- {
		if c := &s.skipped.chains[i]; c.step != s.ec.Steps && open(&c.hk) {
			return h, i, true
		}
	}
	return h, 0, false
}

// A Trial is the changes of opening one message. It is good for one Commit to the state
// it came from, if nothing has happened to that state since.
type Trial struct {
	Plaintext []byte

	ec       doubleratchet.State
	pq       *spqr.State
	mk       [kdf.Size]byte
	used     [2]int // place of the skipped key that was used
	isUsed   bool
	old, now []doubleratchet.Skipped // newly skipped in the chain that ends, in the chain that is
}

// forked reports whether an authentic header contradicts the peer's earlier messages.
// Nobody else can have made it, and no message of one history, moved or repeated, has
// such a header: a chain has one ratchet key, and it ends no sooner than the last of
// its messages that came.
func (s *State) forked(h *header, from int) bool {
	switch from {
	case fromCurrent:
		return h.dh != s.ec.DHr
	case fromNext:
		return h.pn < s.ec.Nr
	}
	return false
}

// try finds the message key for a header without changing the state.
func (s *State) try(h *header, from int) (t *Trial, err error) {
	t = &Trial{ec: s.ec}
	switch {
	case from >= 0:
		return t, t.takeSkipped(&s.skipped, from, h.n)
	case from == fromCurrent && h.n < s.ec.Nr:
		return t, t.takeSkipped(&s.skipped, s.skipped.current(s.ec.Steps), h.n)
	case from == fromNext:
		if t.old, err = t.ec.SkipTo(h.pn, nil); err != nil {
			return nil, err
		}
		if err = doubleratchet.Starling.Ratchet(&t.ec, h.dh); err != nil {
			return nil, err
		}
	}
	if t.now, err = t.ec.SkipTo(h.n, nil); err != nil {
		return nil, err
	}
	t.mk = t.ec.NextReceive()
	return t, nil
}

func (t *Trial) takeSkipped(s *skipped, chain int, n uint32) error {
	if chain < 0 {
		return ErrRefused
	}
	i, ok := s.find(chain, n)
	if !ok {
		return ErrRefused
	}
	t.mk, t.used, t.isUsed = s.chains[chain].keys[i].MK, [2]int{chain, i}, true
	return nil
}

// Commit makes a trial the state.
func (s *State) Commit(t *Trial) {
	if t.isUsed {
		s.skipped.remove(t.used[0], t.used[1])
	}
	s.skipped.add(&s.ec.HKr, s.ec.Steps, t.old)
	if t.ec.Steps != s.ec.Steps && s.ec.CanSend {
		s.past = append([]doubleratchet.HeaderKey{s.ec.HKs}, s.past[:min(len(s.past), MaxPast-1)]...)
	}
	s.ec, s.pq = t.ec, t.pq
	s.skipped.add(&s.ec.HKr, s.ec.Steps, t.now)
	s.skipped.expire(s.ec.Steps)
}
