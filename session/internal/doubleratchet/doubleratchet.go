// Package doubleratchet is the key schedule of the Double Ratchet with header
// encryption (revision 4, section 4.3): root key, chain keys, header keys and counters,
// and their steps with each message sent or received. Messages, headers and the keys of
// messages that have not come are the caller's.
//
//	RK, CK, NHK = HKDF(salt RK, DH, Root), 32 + 32 + 64 bytes
//	mk, CK      = HMAC(CK, 0x01), HMAC(CK, 0x02)
//
// Header encryption adds header keys and changes no other key: HKDF's first 64
// bytes do not depend on how many follow. A caller that leaves the header keys alone
// has the plain ratchet of section 3. That is how session/internal/interop runs this
// code against another implementation.
package doubleratchet

import (
	"errors"

	"starling/session/internal/cbchmac"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/internal/secret"
)

// A Suite is the constants of one family of ratchets. There is one that we send,
// Starling; tests run the same code with others.
type Suite struct {
	Root kdf.Label // info of KDF_RK
}

// Starling is the suite of this program.
var Starling = Suite{Root: kdf.Root}

const (
	// MaxSkip is how far one message may move a receiving chain on.
	MaxSkip = 1000
	// MaxCounter is the first value of a counter that is never used.
	MaxCounter = 1<<32 - 1
)

var (
	// ErrCannotSend means that there is no sending chain yet, or that its
	// counter is used up.
	ErrCannotSend = errors.New("doubleratchet: cannot send")
	// ErrSkip means that a message number is used, or too far ahead.
	ErrSkip = errors.New("doubleratchet: message number used or too far ahead")
)

type (
	// Key is a root key, a chain key or a message key.
	Key = [kdf.Size]byte
	// HeaderKey seals headers.
	HeaderKey = [cbchmac.KeySize]byte
)

// State holds the variables of the specification, under its names. It is a
// value: a message is tried on a copy. A key that the specification calls None
// has its flag unset.
type State struct {
	secret.Hidden

	RK  Key
	DHs key.Private
	DHr key.Public

	CKs, CKr   Key
	HKs, HKr   HeaderKey
	NHKs, NHKr HeaderKey
	Ns, Nr, PN uint32

	CanSend    bool   // CKs and HKs are there
	CanReceive bool   // CKr and HKr are there
	Steps      uint32 // how often the peer has had a new ratchet key
}

// Skipped is the key of a message that was passed over.
type Skipped struct {
	N  uint32
	MK Key
}

// Initiator is RatchetInitAliceHE: sk is the shared secret, hka the header key
// of the first chain, nhkb the next header key of the responder.
func (su *Suite) Initiator(sk Key, remote key.Public, hka, nhkb HeaderKey) (State, error) {
	s := State{RK: sk, DHs: key.Generate(), DHr: remote, HKs: hka, NHKr: nhkb, CanSend: true}
	err := su.RootStep(&s.RK, &s.CKs, &s.NHKs, s.DHs, remote)
	return s, err
}

// Responder is RatchetInitBobHE.
func (su *Suite) Responder(sk Key, own key.Private, hka, nhkb HeaderKey) State {
	return State{RK: sk, DHs: own, NHKs: nhkb, NHKr: hka}
}

// Ratchet is DHRatchetHE: the peer has a new ratchet key. After an error s is
// not good for anything.
func (su *Suite) Ratchet(s *State, remote key.Public) error {
	s.PN, s.Ns, s.Nr = s.Ns, 0, 0
	s.HKs, s.HKr = s.NHKs, s.NHKr
	s.DHr = remote
	if err := su.RootStep(&s.RK, &s.CKr, &s.NHKr, s.DHs, remote); err != nil {
		return err
	}
	s.DHs = key.Generate()
	if err := su.RootStep(&s.RK, &s.CKs, &s.NHKs, s.DHs, remote); err != nil {
		return err
	}
	s.CanSend, s.CanReceive = true, true
	s.Steps++
	return nil
}

// RootStep is KDF_RK_HE: a new root key, chain key and next header key from the
// root key and a DH output. Its first 64 bytes are those of KDF_RK.
func (su *Suite) RootStep(rk, ck *Key, nhk *HeaderKey, own key.Private, remote key.Public) error {
	dh, err := own.Agree(remote)
	if err != nil {
		return err
	}
	salt := *rk
	kdf.Derive(su.Root, salt[:], dh[:], rk[:], ck[:], nhk[:])
	clear(dh[:])
	clear(salt[:])
	return nil
}

// ChainStep is KDF_CK: it moves ck on and returns the message key.
func ChainStep(ck *Key) (mk Key) {
	mk = kdf.Step(kdf.ChainMessage, ck)
	*ck = kdf.Step(kdf.ChainNext, ck)
	return mk
}

// NextSend takes the message key of the next message to send. The header key to
// use with it is HKs.
func (s *State) NextSend() (n uint32, mk Key, err error) {
	if !s.CanSend || s.Ns == MaxCounter {
		return 0, mk, ErrCannotSend
	}
	mk = ChainStep(&s.CKs)
	n = s.Ns
	s.Ns++
	return n, mk, nil
}

// SkipTo moves the receiving chain on to message n and appends the keys it
// passes to out.
func (s *State) SkipTo(n uint32, out []Skipped) ([]Skipped, error) {
	if n == MaxCounter || n < s.Nr || n-s.Nr > MaxSkip || !s.CanReceive && n != 0 {
		return out, ErrSkip
	}
	for s.Nr < n {
		out = append(out, Skipped{N: s.Nr, MK: ChainStep(&s.CKr)})
		s.Nr++
	}
	return out, nil
}

// NextReceive takes the message key of message Nr.
func (s *State) NextReceive() (mk Key) {
	mk = ChainStep(&s.CKr)
	s.Nr++
	return mk
}
